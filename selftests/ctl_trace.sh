#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module's events, as blockpoolctl trace, top, recorder and postmortem show them, and
# as README.md says that perf, trace-cmd and bpftrace do.
#
#   BLOCKPOOLCTL   the program; build/host/tools/blockpoolctl if not given

# In "a && b || no ..." no() is right whichever of the two failed; what is looked for has
# dollars of its own.
# shellcheck disable=SC2015,SC2016

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ctl=${BLOCKPOOLCTL:-$here/../build/host/tools/blockpoolctl}
tracing=/sys/kernel/tracing
python=/usr/bin/python3

# shellcheck source=selftests/say.sh
. "$here/say.sh"
[ -e /dev/blockpool ] || skip_all "no /dev/blockpool"

tmp=$(mktemp -d)
chmod 755 "$tmp"
export BLOCKPOOL_RECORDER=$tmp/recorder
workers=()

# Where the kernel patches an event in or out it sets a breakpoint for a moment, and QEMU
# before 8.1 may go on to see it on another CPU that just comes by. So there is none.
other_cpus()	# 0: off, 1: on
{
	local cpu

	for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
		[ ! -e "$cpu" ] || echo "$1" >"$cpu"
	done
}

clean_up()
{
	stop_work
	other_cpus 1
	"$ctl" rm trace-a >/dev/null 2>&1
	rm -rf "$tmp"
}

trap clean_up EXIT
other_cpus 0

# --- what there is to be seen -------------------------------------------------

# Bytes go by way of a port until it is told to stop; not many a second.
work()
{
	"$ctl" cat trace-a in --follow >/dev/null &
	workers+=($!)
	(while printf x; do sleep 0.1; done) | "$ctl" feed trace-a in --wait &
	workers+=($!)
}

stop_work()
{
	[ ${#workers[@]} -eq 0 ] || kill "${workers[@]}" 2>/dev/null
	wait
	workers=()
}

# Runs a command until it has printed some lines, and a SIGINT must end it well.
for_lines()	# number, command ...
{
	local lines=$1 status=0 pid

	shift
	"$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	for _ in {1..600}; do
		[ "$(wc -l <"$tmp/out")" -lt "$lines" ] || break
		sleep 0.2
	done
	kill -INT $pid
	wait $pid || status=$?
	[ $status = 0 ] || no "'${*:2}' ended with $status: $(<"$tmp/err")" || return
	[ "$(wc -l <"$tmp/out")" -ge "$lines" ] || no "'${*:2}' printed no $lines lines"
}

fails()	# words, command ...
{
	local words=$1 status=0

	shift
	timeout 200 "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	[ $status = 1 ] || no "'${*:2}' ended with $status" || return
	grep -qF -- "$words" "$tmp/err" || no "'${*:2}' said: $(<"$tmp/err")"
}

# An expression in j, the JSON values of the lines of a file.
holds()	# expression, file
{
	"$python" -c '
import json, sys
j = [json.loads(line) for line in open(sys.argv[2])]
sys.exit(not eval("(" + sys.argv[1] + ")"))' "$1" "$2" || no "it is not so: $1: $(head -c 2000 "$2")"
}

no_instance_left()
{
	local left

	left=$(find $tracing/instances -maxdepth 1 -name 'blockpool-*')
	[ -z "$left" ] || no "left: $left"
}

# --- live ----------------------------------------------------------------------

trace_words()
{
	for_lines 40 "$ctl" trace trace-a || return
	grep -Eq 'CPU [0-9]+ +thread [0-9]+ +trace-a \([0-9]+\): client [0-9]+: sent 1 block: [0-9]+, to port 1$' \
		"$tmp/out" || no "$(head -n 5 "$tmp/out")" || return
	grep -q 'client [0-9]*: received 1 block' "$tmp/out" || no "nothing received" || return
	no_instance_left
}

trace_one_kind()
{
	for_lines 20 "$ctl" trace --event receive --json || return
	holds 'all(e["event"] == "receive" and "received" in e["text"] for e in j)' \
		"$tmp/out"
}

trace_one_process()
{
	for_lines 20 "$ctl" trace --json --pid "${workers[0]}" || return
	holds "all(e['thread'] == ${workers[0]} for e in j)" "$tmp/out" || return
	holds '{"receive"} <= {e["event"] for e in j} and not "send" in {e["event"] for e in j}' \
		"$tmp/out"
}

trace_errors()
{
	fails "no pool 'nobody'" "$ctl" trace nobody &&
	fails "there is no event 'nothing'" "$ctl" trace --event nothing &&
	no_instance_left
}

# The module goes on with its snapshots, or without them, as before.
trace_leaves_no_trace()
{
	[ "$(<$tracing/events/blockpool/enable)" = 0 ] || no "events are enabled" || return
	[ "$(</sys/module/blockpool/parameters/recorder_ms)" = 0 ] ||
		no "snapshots are on"
}

top_json()
{
	timeout 250 "$ctl" top trace-a --interval 3 --count 2 --json >"$tmp/out" 2>"$tmp/err" ||
		no "$(<"$tmp/err")" || return
	holds 'len(j) == 2 and j[1]["clients"][0]["pool_name"] == "trace-a"' "$tmp/out" &&
	holds 'sum(c["sends"] for c in j[1]["clients"]) > 0 and
	       sum(c["receives"] for c in j[1]["clients"]) > 0' "$tmp/out"
}

top_words()
{
	timeout 250 "$ctl" top --interval 3 --count 1 >"$tmp/out" 2>"$tmp/err" || no "$(<"$tmp/err")" || return
	grep -Eq 'trace-a +client [0-9]+, thread [0-9]+ blockpoolctl$' "$tmp/out" ||
		no "$(<"$tmp/out")"
}

# --- the black box --------------------------------------------------------------

setup_shows()
{
	"$ctl" recorder setup --print >"$tmp/out" 2>"$tmp/err" || no "$(<"$tmp/err")" || return
	grep -Eq '^GRUB_CMDLINE_LINUX_DEFAULT="\$GRUB_CMDLINE_LINUX_DEFAULT .* trace_instance=blockpool\^traceoff@[^ ]+"$' \
		"$tmp/out" || no "$(<"$tmp/out")" || return
	grep -q "^ExecStart=/.*/blockpoolctl recorder arm$" "$tmp/out" || no "no unit" || return
	[ ! -e /etc/default/grub.d/blockpool.cfg ] || no "it was written" || return
	"$ctl" recorder setup --print --json >"$tmp/out" 2>/dev/null || return
	holds 'len(j) == 1 and ["/etc/default/grub.d/blockpool.cfg", "recorder arm"] ==
	       [j[0][0]["path"], "recorder arm" * ("recorder arm" in j[0][1]["text"])]' "$tmp/out"
}

# A guest of tests is started without such a buffer.
nothing_to_arm()
{
	local command

	for command in arm disarm status; do
		fails "see blockpoolctl recorder setup" "$ctl" recorder $command || return
	done
	fails "see blockpoolctl recorder setup" "$ctl" postmortem
}

postmortem_errors()
{
	echo rubbish >"$tmp/rubbish"
	fails "No such file" "$ctl" postmortem "$tmp/none" &&
	fails "it is no file of trace-cmd's" "$ctl" postmortem "$tmp/rubbish"
}

# What trace-cmd recorded: of a pool that was made meanwhile, all blocks.
postmortem_of_trace_cmd()
{
	(cd "$tmp" && timeout 200 trace-cmd record --file-version 6 -o pools.dat -e blockpool \
		-e sched_switch -- "$ctl" create trace-b --block-size 64 --nr-blocks 8) \
		>"$tmp/out" 2>&1 || no "$(tail -n 5 "$tmp/out")" || return
	"$ctl" rm trace-b >/dev/null
	"$ctl" postmortem "$tmp/pools.dat" --svg "$tmp/pools.svg" --json >"$tmp/out" ||
		no "postmortem failed" || return
	holds 'not j[0]["damaged"] and j[0]["doubt"] is None and
	       len([p for p in j[0]["pools"] if p["name"] == "trace-b"
		    and p["nr_blocks"] == 8 and p["nr_free"] == 8]) == 1' "$tmp/out" &&
	holds 'j[0]["cpus"][0]["known"]' "$tmp/out" || return
	grep -q '^</svg>$' "$tmp/pools.svg" || no "no picture" || return
	"$ctl" postmortem "$tmp/pools.dat" >"$tmp/out" || return
	grep -q "^Pool [0-9]* 'trace-b': 8 blocks of 64 bytes" "$tmp/out" || no "$(<"$tmp/out")"
}

# --- other tools ----------------------------------------------------------------

# Lines of README.md, as they are, while there is work to be seen.
recipe()	# command
{
	(cd "$tmp" && timeout 280 bash -c "$1") >"$tmp/out" 2>&1 ||
		no "$(tail -n 5 "$tmp/out")" || return
	case $1 in
	*'perf stat'*)		grep -Eq '[1-9][0-9,]* +blockpool:send' "$tmp/out" ;;
	*'@[args->owner]'*)	grep -q '^@\[[0-9]*\]: [0-9]' "$tmp/out" ;;
	*)			true ;;
	esac || no "it saw nothing: $(<"$tmp/out")"
}

# Whether this kernel has what the tool asks it for.
can()	# tool
{
	type -P "$1" >/dev/null || return
	case $1 in
	perf)		[ -e /proc/sys/kernel/perf_event_paranoid ] ;;
	bpftrace)	[ -e /sys/kernel/btf/vmlinux ] ;;
	esac
}

recipes()
{
	local line

	while IFS= read -r line; do
		if can "${line%% *}"; then
			check "README.md: $line" recipe "$line"
		else
			skip "README.md: $line" "${line%% *} cannot work here"
		fi
	done < <(sed -nE 's/^    ((perf|trace-cmd|bpftrace) .*)/\1/p' "$here/../README.md")
}

live=("trace prints events in words:trace_words" "trace --event, --json:trace_one_kind"
	"trace --pid:trace_one_process" "what trace cannot show:trace_errors"
	"trace leaves nothing behind:trace_leaves_no_trace" "top --json:top_json"
	"top:top_words")
recorded="postmortem of what trace-cmd recorded"
any_kernel=("recorder setup --print:setup_shows"
	"no buffer that outlives a boot:nothing_to_arm"
	"what is no record:postmortem_errors")

for test in "${any_kernel[@]}"; do
	check "${test%:*}" "${test#*:}"
done
if [ -d $tracing/events/blockpool ]; then
	"$ctl" create trace-a --block-size 64 --nr-blocks 64 >/dev/null || exit 1
	work
	for test in "${live[@]}"; do
		check "${test%:*}" "${test#*:}"
	done
	if command -v trace-cmd >/dev/null; then
		check "$recorded" postmortem_of_trace_cmd
	else
		skip "$recorded" "there is no trace-cmd here"
	fi
	recipes
else
	for test in "${live[@]}"; do
		skip "${test%:*}" "this kernel has no trace events"
	done
fi

say_end
