# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# say.sh - what test scripts have in common: they say in TAP what they have seen

nr=0
nr_failed=0

# There is nothing to be tested here.
skip_all()
{
	echo "1..0 # SKIP $*"
	exit 4
}

check()	# name, command that succeeds
{
	local name=$1

	nr=$((nr + 1))
	shift
	if "$@"; then
		echo "ok $nr $name"
	else
		echo "not ok $nr $name"
		nr_failed=$((nr_failed + 1))
	fi
}

skip()	# name, why
{
	nr=$((nr + 1))
	echo "ok $nr $1 # SKIP $2"
}

# Why a command fails.
no()
{
	echo "# $*"
	return 1
}

# The last command of a script.
say_end()
{
	echo "1..$nr"
	[ "$nr_failed" = 0 ]
}
