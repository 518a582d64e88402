#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tap.sh - does tools/tap count what it should, and fail when it should?

set -euo pipefail
shopt -s lastpipe	# expect counts, at the end of a pipe too

tap=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/tools/tap
number=0

ok() { number=$((number + 1)); echo "ok $number $1"; }
not_ok() { number=$((number + 1)); echo "not ok $number $1"; failed=yes; }

# Feeds standard input to tools/tap and compares its exit status and last line.
expect()	# name, status, last line
{
	local out status=0

	out=$("$tap") || status=$?
	if [ "$status" = "$2" ] && [ "${out##*$'\n'}" = "$3" ]; then
		ok "$1"
		return
	fi
	not_ok "$1"
	printf '# wanted %s, %s; got %s and:\n' "$2" "$3" "$status"
	printf '%s\n' "$out" | sed 's/^/#   /'
}

# What the runner prints around one program whose TAP is standard input.
program()	# number, name, verdict, directive
{
	echo "# overriding timeout to 60"
	echo "# selftests: dir: $2"
	sed 's/^/# /'
	echo "$3 $1 selftests: dir: $2${4:+ # $4}"
}

# Two good cases and a skipped one.
good_program()	# number, name
{
	program "$1" "$2" ok <<-END
	TAP version 13
	1..3
	# RUN  a.b ...
	ok 1 a.b
	ok 2 # SKIP no such thing here
	ok 3 a.c #  all well
	# Totals: pass:2 fail:0
	END
}

# A document of one program, which is standard input.
single()	# verdict, directive
{
	printf 'TAP version 13\n1..1\n'
	program 1 prog "$@"
}

test_good()
{
	expect "plain TAP" 0 "2 passed, 0 failed" <<-END
	TAP version 13
	1..2
	ok 1 - first
	# a remark
	ok 2 - second
	END
	expect "plain TAP with the plan at the end" 0 "2 passed, 0 failed" <<-END
	ok 1 first
	ok 2 second
	1..2
	END
	{ printf 'TAP version 13\n1..2\n'; good_program 1 x; good_program 2 y; } |
		expect "two programs of the runner" 0 "4 passed, 0 failed, 2 skipped"
	{ printf 'TAP version 13\n1..1\n'; good_program 1 x
	  printf 'TAP version 13\n1..1\nok 1 alone\n'; } |
		expect "two documents of both kinds" 0 "3 passed, 0 failed, 1 skipped"
	single ok SKIP <<<'1..0 # SKIP no device' >"$tmp/skip"
	{ printf 'TAP version 13\n1..2\n'; good_program 1 x; tail -n +3 "$tmp/skip"; } |
		expect "a skipped program beside a good one" 0 "2 passed, 0 failed, 2 skipped"
	printf '1..3\nok 1\nok 2 # SKIP rest is impossible\n' | single ok SKIP |
		expect "exit 4 skips what is left" 0 "1 passed, 0 failed, 2 skipped"
}

test_expected_failures()
{
	printf '1..4\nok 1\nok 2 # XFAIL known\nnot ok 3 b # TODO later\nok 4 # TODO done\n' |
		single ok | expect "XFAIL and TODO" 0 "2 passed, 0 failed, 2 skipped"
	printf '1..2\nok 1\nok 2 b # XPASS unknown\n' | single ok |
		expect "XPASS fails" 1 "1 passed, 1 failed"
	printf '1..1\nok 1 issue #SKIPPER is no directive\n' |
		expect "a hash in a name" 0 "1 passed, 0 failed"
	printf '1..1\nnot ok 1 a # SKIP\n' |
		expect "a skip that is not ok fails" 1 "0 passed, 1 failed"
}

test_failing()
{
	printf '1..3\nok 1\nnot ok 2 b\nok 3\n' | single 'not ok' exit=1 |
		expect "a failed case counts once" 1 "2 passed, 1 failed"
	printf '1..2\nok 1\nnot ok 2 b\n' | single ok |
		expect "a failed case of a program that ends with 0" 1 "1 passed, 1 failed"
	printf '1..2\nok 1\nok 2\n' | single 'not ok' exit=1 |
		expect "non-zero exit and no failed case" 1 "2 passed, 1 failed"
	printf '1..2\nok 1\nBail out! broken\n' | single 'not ok' exit=1 |
		expect "bail out" 1 "1 passed, 2 failed"
}

test_dead()
{
	printf '1..3\nok 1\n' | single 'not ok' exit=139 |
		expect "a crash in the middle" 1 "1 passed, 2 failed"
	printf '1..3\nok 1\n' | single ok |
		expect "fewer cases than planned, exit 0" 1 "1 passed, 1 failed"
	printf '1..1\nok 1\nok 1\n' | single ok |
		expect "more cases than planned" 1 "2 passed, 1 failed"
	printf '1..2\nok 1\n' | single 'not ok' 'TIMEOUT 60 seconds' |
		expect "a timeout" 1 "1 passed, 2 failed"
	printf '1..1\nok 1\n' | single 'not ok' 'TIMEOUT 60 seconds' |
		expect "a timeout after the last case" 1 "1 passed, 1 failed"
	printf 'hello\n' | single ok |
		expect "a program that prints no TAP" 1 "0 passed, 1 failed"
	printf '' | single 'not ok' exit=127 |
		expect "a program that is missing" 1 "0 passed, 2 failed"
	printf '1..0\n' | single ok |
		expect "a program with no cases" 1 "0 passed, 1 failed"
	printf '1..3\nok 1\nok 2\n' |
		expect "truncated plain TAP" 1 "2 passed, 1 failed"
	printf 'ok 1\nok 2\n' |
		expect "plain TAP without a plan" 1 "2 passed, 1 failed"
}

test_truncated()
{
	{ printf 'TAP version 13\n1..2\n'; good_program 1 x; } |
		expect "the runner died between programs" 1 "2 passed, 1 failed, 1 skipped"
	{ printf 'TAP version 13\n1..1\n'; good_program 1 x; } | sed '$d' |
		expect "the runner died in a program" 1 "2 passed, 2 failed, 1 skipped"
	{ printf 'TAP version 13\n1..2\n'; good_program 1 x | sed '$d'; good_program 2 y; } |
		expect "a verdict is missing" 1 "4 passed, 2 failed, 2 skipped"
	printf 'TAP version 13\n1..2\n' |
		expect "a plan and nothing more" 1 "0 passed, 1 failed"
	printf 'TAP version 13\nTAP version 13\n1..1\nok 1\n' |
		expect "an empty document before a good one" 1 "1 passed, 1 failed"
	expect "no input" 1 "0 passed, 1 failed" </dev/null
}

test_skipped()
{
	single ok SKIP <<<'1..0 # SKIP no device' |
		expect "everything skipped" 1 "0 passed, 1 failed, 1 skipped"
	printf '1..2\nok 1 # SKIP x\nok 2 # SKIP x\n' | single ok |
		expect "every case skipped, exit 0" 1 "0 passed, 1 failed, 2 skipped"
	{ cat "$tmp/skip"; printf 'TAP version 13\n1..1\nok 1\n'; } |
		expect "one document all skipped beside a good one" 1 \
			"1 passed, 1 failed, 1 skipped"
	printf '1..0 # SKIP nothing to do\n' |
		expect "plain TAP, all skipped" 1 "0 passed, 1 failed, 1 skipped"
}

# A failure must be seen with its reason and its output, a success in one line.
test_output()
{
	local out

	out=$(printf '1..2\n# clue\nnot ok 1 the-name\nok 2\n' | single 'not ok' exit=1 |
	      "$tap") && not_ok "failing input ends with 0"
	if grep -q 'failed: the-name$' <<<"$out" && grep -q '# clue' <<<"$out"; then
		ok "a failure is shown with what the program printed"
	else
		not_ok "a failure is shown with what the program printed"
	fi
	out=$(printf '1..1\n# chatter\nok 1\n' | single ok | "$tap")
	if [ "$(wc -l <<<"$out")" = 2 ] && ! grep -q chatter <<<"$out"; then
		ok "a success is one line"
	else
		not_ok "a success is one line"
	fi
}

failed=no
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "TAP version 13"
test_good
test_expected_failures
test_failing
test_dead
test_truncated
test_skipped
test_output
echo "1..$number"
[ $failed = no ]
