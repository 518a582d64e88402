#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# checkout.sh - do the targets work in a tree that holds only what is committed?

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
number=0
failed=no

ok()	# name, command ...
{
	local name=$1
	shift

	number=$((number + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		sed 's/^/# /' "$tmp/log"
		failed=yes
	fi
}

# No variable of the make that runs the tests may reach the one that is tested.
make_in_tree() { env -u MAKEFLAGS -u MAKELEVEL make -C "$tmp/tree" "$@"; }

# Every target that "make help" names exists, and it names those to begin with.
help_is_true()
{
	local target names rules

	names=$(make_in_tree -s help | awk '{ print $1 }')
	rules=$(make_in_tree -qp help)
	for target in run check lint vm; do
		grep -qx "$target" <<<"$names" || { echo "no $target"; return 1; }
	done
	for target in $names; do
		grep -q "^$target:" <<<"$rules" || { echo "no rule for $target"; return 1; }
	done
}

leaves_no_build()
{
	make_in_tree distclean
	[ ! -e "$tmp/tree/build" ]
}

# What the build makes must be ignored, or it would be committed one day.
build_is_ignored()
{
	git -C "$top" check-ignore -q build/host/lib/libblockpool.a
}

echo "TAP version 13"
if ! git -C "$top" rev-parse -q --verify HEAD >/dev/null 2>&1; then
	echo "1..0 # SKIP this tree is no git checkout"
	exit 4
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/tree"
git -C "$top" archive HEAD | tar -x -C "$tmp/tree"

ok "make help" help_is_true
ok "make lib tools" make_in_tree lib tools
ok "the library is there" test -e "$tmp/tree/build/host/lib/libblockpool.so"
ok "blockpoolctl is there" test -x "$tmp/tree/build/host/tools/blockpoolctl"
ok "make clean" make_in_tree clean
ok "make distclean leaves no build/" leaves_no_build
ok "build/ is ignored by git" build_is_ignored
echo "1..$number"
[ $failed = no ]
