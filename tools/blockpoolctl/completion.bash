# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# bash completion for blockpoolctl

_blockpoolctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} words
	case ${COMP_WORDS[1]} in
	load) words='--block-size --nr-blocks --mode' ;;
	create) words='--block-size --nr-blocks --mode --client-max --node
			--reserve --isolated --debug' ;;
	watch|top) words='--interval --count' ;;
	trace) words='--pid --event' ;;
	recorder) words='setup arm disarm status --print --interval' ;;
	postmortem) words='--svg --save' ;;
	reports) words=--follow ;;
	feed) words=--wait ;;
	cat) words='--count --follow --no-create --depth --linger --mode' ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		words='load unload create rm list show holders watch check reports
			repair ports feed cat trace top recorder postmortem'
	elif [[ ${COMP_WORDS[1]} = @(feed|cat) && $COMP_CWORD -gt 2 ]]; then
		words+=" $(blockpoolctl ports -- "${COMP_WORDS[2]}" 2>/dev/null |
			awk 'NR > 1 && $1 ~ /^[[:alnum:]_.-]+$/ { print $1 }')"
	elif [[ ${COMP_WORDS[1]} = @(rm|show|holders|watch|check|reports|repair|ports|feed|cat|trace|top) ]]; then
		words+=" $(blockpoolctl list 2>/dev/null |
			awk 'NR > 1 && $1 ~ /^[[:alnum:]_.-]+$/ { print $1 }')"
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words --json --help --version" -- "$word")
	[[ ${COMP_WORDS[1]} != @(load|postmortem) ]] || compopt -o default
}

complete -F _blockpoolctl blockpoolctl
