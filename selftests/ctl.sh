#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# blockpoolctl against the real module: every command, every way it can fail,
# what it prints and what it exits with.
#
#   BLOCKPOOLCTL   the program; build/host/tools/blockpoolctl if not given
#   BLOCKPOOL_KO   the module; load and unload are skipped if not given

# In "a && b || no ..." no() is right whichever of the two failed, and odd names
# have dollars of their own.
# shellcheck disable=SC2015,SC2016

set -uo pipefail

device=/dev/blockpool
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=selftests/say.sh
. "$here/say.sh"
[ -e "$device" ] || skip_all "no $device"

built=${BLOCKPOOLCTL:-$here/../build/host/tools/blockpoolctl}

python=/usr/bin/python3
[ -x "$python" ] || python=python3
tmp=$(mktemp -d)
chmod 755 "$tmp"
# A copy where an unprivileged user can run it too.
ctl=$tmp/blockpoolctl
cp "$built" "$ctl" || exit 1
device_mode=$(stat -c %a "$device")
holders=()

clean_up()
{
	local pool

	release_all
	pool_names | grep '^ctl-' | while read -r pool; do
		"$ctl" rm "$pool"
	done >/dev/null 2>&1
	[ ! -e "$device" ] || chmod "$device_mode" "$device"
	rm -rf "$tmp"
}

pool_names()
{
	"$ctl" list 2>/dev/null |
		sed -nE 's/^(.*[^ ])( +[0-9]+){5}  [0-7]{4}  .*$/\1/p'
}

trap clean_up EXIT

out='' err='' status=0

run()
{
	# What should end at once but does not must not hold up the rest.
	[[ " $* " != *" "@(watch|reports|feed|cat)" "* ]] || set -- timeout 20 "$@"
	status=0
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	IFS= read -r -d '' out <"$tmp/out"
	IFS= read -r -d '' err <"$tmp/err"
	out=${out%$'\n'}
}

# Exit status 0 and nothing on stderr.
works()
{
	run "$@"
	[ "$status" -eq 0 ] || no "'${*:2}' ended with $status: $err" || return
	[ -z "$err" ] || no "'${*:2}' said: $err"
}

# fails STATUS WORDS COMMAND...: one line on stderr that has the words in it,
# nothing on stdout.
fails()
{
	local want=$1 words=$2

	shift 2
	run "$@"
	[ "$status" -eq "$want" ] ||
		no "'${*:2}' ended with $status, not $want" || return
	[ -z "$out" ] || no "'${*:2}' printed: $out" || return
	[[ $err = "blockpoolctl: "*"$words"*$'\n' && ${err%$'\n'} != *$'\n'* ]] ||
		no "'${*:2}' said: $err"
}

# One python3 for all JSON: a line of it and an expression in, "yes" or what is
# wrong out.
coproc judge {
	exec "$python" -u -c '
import json, sys
from types import SimpleNamespace

def the(items, name):
    return next(item for item in items if item.name == name)

def judge(text, condition):
    value = json.loads(text.decode(), parse_constant=float.fromhex,
                       object_hook=lambda members: SimpleNamespace(**members))
    return eval(condition, {"j": value, "the": the})

while text := sys.stdin.buffer.readline():
    condition = sys.stdin.readline()
    try:
        print("yes" if judge(text, condition) else "it is not so")
    except Exception as error:
        print(repr(error))
'
}

# It prints one JSON value j on one line, and the expression is true of it.
json()
{
	local condition=$1

	shift
	works "$@" && judged "$condition" "$out"
}

judged()
{
	local verdict

	[[ $2 != *$'\n'* ]] || no "not one line: $2" || return
	printf '%s\n' "$2" "${1//[$'\n\t']/ }" >&"${judge[1]}"
	read -r verdict <&"${judge[0]}"
	[ "$verdict" = yes ] || no "$verdict: $1: $2"
}

# --- somebody who holds blocks ---

cat >"$tmp/hold" <<'EOF'
import array, fcntl, os, struct, sys, time

pool, count, comm, clients = sys.argv[1:]
with open("/proc/self/comm", "wb") as file:
    file.write(os.fsencode(comm))
for _ in range(int(clients)):
    fd = os.open("/dev/blockpool", os.O_RDWR)
    fcntl.ioctl(fd, 0xBE01, struct.pack("=II32s", 40, 0, pool.encode()))
    indices = array.array("I", [0] * int(count))
    fcntl.ioctl(fd, 0xBE04, struct.pack("=IIIiQIIQ", 40, 0, len(indices), 0,
                                        indices.buffer_info()[0], 0, 0, 0))
print("ready", flush=True)
time.sleep(600)
EOF

holder=''

# Wait until something has been written to the file.
written()
{
	for _ in {1..600}; do
		[ ! -s "$1" ] || return 0
		sleep 0.1
	done
	no "nothing was written to ${1##*/}"
}

# hold POOL COUNT [COMM [CLIENTS]]: leaves the process in $holder
hold()
{
	local ready

	ready=$(mktemp "$tmp/ready.XXXXXX")
	"$python" "$tmp/hold" "$1" "$2" "${3:-holder}" "${4:-1}" \
		>"$ready" 2>&1 &
	holder=$!
	holders+=("$holder")
	written "$ready" || return
	[ "$(<"$ready")" = ready ] || no "no holder: $(<"$ready")"
}

release()
{
	kill -9 "$1"
	wait "$1"
	return 0
} 2>/dev/null

release_all()
{
	local pid

	for pid in "${holders[@]}"; do
		release "$pid"
	done
}

nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# On a terminal of its own.
on_terminal()
{
	TERM=xterm script -qec "$*" /dev/null
}

make_pool()
{
	works "$ctl" create "$1" --block-size "$2" --nr-blocks "$3" "${@:4}"
}

# --- the command line ---

commands=(load unload create rm list show holders watch check reports repair
	ports feed cat trace top recorder postmortem)

help_and_version()
{
	local command

	works "$ctl" --version && [[ $out = "blockpoolctl "[0-9]* ]] || return
	works "$ctl" --help || return
	cp "$tmp/out" "$tmp/help"
	for command in "${commands[@]}"; do
		grep -q "^  $command " "$tmp/help" || no "no $command" || return
		works "$ctl" "$command" --help || return
		[[ $out = "Usage: blockpoolctl $command"* ]] ||
			no "$command --help: $out" || return
	done
}

misuse()
{
	fails 2 "command is missing" "$ctl" &&
	fails 2 "unknown command 'frobnicate'" "$ctl" frobnicate &&
	fails 2 "unknown option '--wide'" "$ctl" list --wide &&
	fails 2 "unknown option '--wide'" "$ctl" --wide list &&
	fails 2 "unknown option '-x'" "$ctl" list -x &&
	fails 2 "takes no value" "$ctl" list --json=1 &&
	fails 2 "'--mode' does not belong to list" "$ctl" list --mode 0600 &&
	fails 2 "does not belong before" "$ctl" --mode 0600 list &&
	fails 2 "show needs POOL" "$ctl" show &&
	fails 2 "holders needs POOL" "$ctl" holders &&
	fails 2 "watch needs POOL" "$ctl" watch &&
	fails 2 "check needs POOL" "$ctl" check &&
	fails 2 "reports needs POOL" "$ctl" reports &&
	fails 2 "repair needs POOL" "$ctl" repair &&
	fails 2 "'--follow' does not belong to check" "$ctl" check x --follow &&
	fails 2 "ports needs POOL" "$ctl" ports &&
	fails 2 "cat needs POOL" "$ctl" cat &&
	fails 2 "cat needs PORT" "$ctl" cat default &&
	fails 2 "feed needs PORT" "$ctl" feed default &&
	fails 2 "'--wait' does not belong to cat" "$ctl" cat x y --wait &&
	fails 2 "'--depth' does not belong to feed" "$ctl" feed x y --depth 1 &&
	fails 2 "'--svg' does not belong to trace" "$ctl" trace --svg x &&
	fails 2 "--pid takes" "$ctl" trace --pid 0 &&
	fails 2 "recorder needs setup|arm|disarm|status" "$ctl" recorder &&
	fails 2 "not 'fire'" "$ctl" recorder fire &&
	fails 2 "too many" "$ctl" postmortem one two &&
	fails 2 "too many" "$ctl" ports default x &&
	fails 2 "too many" "$ctl" cat default x y &&
	fails 2 "rm needs NAME" "$ctl" rm &&
	fails 2 "create needs NAME" "$ctl" create &&
	fails 2 "too many" "$ctl" list default &&
	fails 2 "too many" "$ctl" show default default &&
	fails 2 "too many" "$ctl" unload blockpool &&
	fails 2 "'?[31mx'" "$ctl" $'\e[31mx'
}

bad_intervals()
{
	local value

	for value in 0 0.01 -1 x 1s nan inf 1e9; do
		fails 2 "--interval takes" "$ctl" watch default \
			--interval="$value" || return
	done
	fails 2 "--count takes" "$ctl" watch default --count 0
}

lost_output()
{
	run bash -c "'$ctl' list >/dev/full"
	[ "$status" -eq 1 ] && [[ $err = "blockpoolctl: cannot write"* ]] ||
		no "status $status: $err"
}

check "help and version" help_and_version
check "a wrong command line is refused with status 2" misuse
check "bad intervals and counts are refused" bad_intervals
check "output that cannot be written is an error" lost_output

# --- create, rm, list ---

create_and_list()
{
	json 'j.name == "ctl-a" and j.created is True and
	      j.block_size == 2000 and j.nr_blocks == 3072 and
	      j.stride >= 2000 and j.map_size >= 3072 * j.stride and
	      j.client_max == 7 and j.mode == "0640" and j.persist is True and
	      j.reserve == 0 and j.isolated is False and j.debug == ""' \
		"$ctl" --json create ctl-a --block-size 2000 --nr-blocks 3k \
		--mode 0640 --client-max 7 --node 0 || return
	json '[(2000, 3072, 3072, 0, 0, "0640", 0, True)] ==
	      [(p.block_size, p.nr_blocks, p.nr_free, p.nr_held, p.nr_clients,
		p.mode, p.uid, p.persist) for p in j if p.name == "ctl-a"]' \
		"$ctl" list --json || return
	works "$ctl" list || return
	grep -Eq '^ctl-a +2000 +3072 +3072 +0 +0 +0640  - +root:root$' "$tmp/out" ||
		no "list: $out"
}

create_with_flags()
{
	json 'j.reserve == 3 and j.isolated is True and j.debug == "GPTC"' \
		"$ctl" --json create ctl-f --block-size 100 --nr-blocks 4 \
		--reserve 3 --isolated --debug CTPG || return
	make_pool ctl-g 100 4 --debug TP || return
	json '[("GPTC", True), ("PT", False)] ==
	      sorted((p.debug, p.isolated) for p in j if p.debug)' \
		"$ctl" list --json || return
	json 'j.reserve == 3 and j.isolated is True and j.debug == "GPTC" and
	      j.nr_quarantined == 0 and j.reports == 0' \
		"$ctl" show ctl-f --json || return
	works "$ctl" list || return
	grep -Eq '^ctl-f .* 0600  GPTCI  root:root$' "$tmp/out" &&
	grep -Eq '^ctl-g .* 0600  PT     root:root$' "$tmp/out" ||
		no "list: $out" || return
	works "$ctl" show ctl-f || return
	[[ ${out%%$'\n'*} = *', isolated, debug GPTC' &&
	   $out = *', persistent, reserve 3'$'\n'* ]] || no "show: $out" || return
	works "$ctl" rm ctl-f && works "$ctl" rm ctl-g
}

create_refused()
{
	local name

	fails 1 "'ctl-a' exists" "$ctl" create ctl-a --block-size 1 \
		--nr-blocks 1 || return
	for name in '' x/y . .. $'a\tb' "$(printf '%032d' 0)"; do
		fails 2 "name" "$ctl" create --block-size 1 --nr-blocks 1 \
			-- "$name" || return
	done
	fails 2 "needs --block-size" "$ctl" create ctl-b --nr-blocks 1 &&
	fails 2 "and --nr-blocks" "$ctl" create ctl-b --block-size 1 &&
	fails 2 "at least one" "$ctl" create ctl-b --block-size 1 --nr-blocks 0 &&
	fails 1 "no memory for 64 TiB" "$ctl" create ctl-b --block-size 4M \
		--nr-blocks 16M &&
	fails 1 "no NUMA node 4096" "$ctl" create ctl-b --block-size 1 \
		--nr-blocks 1 --node 4096 &&
	fails 2 "--reserve must leave" "$ctl" create ctl-b --block-size 1 \
		--nr-blocks 5 --reserve 5 &&
	fails 2 "--debug takes letters of GPTC" "$ctl" create ctl-b \
		--block-size 1 --nr-blocks 1 --debug GX &&
	fails 2 "--debug takes letters of GPTC" "$ctl" create ctl-b \
		--block-size 1 --nr-blocks 1 --debug= &&
	! pool_names | grep -qx ctl-b
}

bad_numbers()
{
	local value

	for value in 0 -1 +1 x 1x 1kk 4097k 5M 1G ' 1' 99999999999999999999; do
		fails 2 "--block-size takes" "$ctl" create ctl-b \
			--block-size="$value" --nr-blocks 1 || return
	done
	for value in 17M 16385k -5 ''; do
		fails 2 "--nr-blocks takes" "$ctl" create ctl-b \
			--block-size 1 --nr-blocks="$value" || return
	done
	for value in 0 8 1000 u+rw -7 ''; do
		fails 2 "--mode takes" "$ctl" create ctl-b --block-size 1 \
			--nr-blocks 1 --mode="$value" || return
	done
	fails 2 "--client-max takes" "$ctl" create ctl-b --block-size 1 \
		--nr-blocks 1 --client-max=-1 &&
	fails 2 "--node takes" "$ctl" create ctl-b --block-size 1 \
		--nr-blocks 1 --node=x
}

odd_names()
{
	local name='ctl-"\ {$(x)}' quoted='"ctl-\"\\ {$(x)}"' found

	make_pool "$name" 64 1 || return
	json "$quoted in [p.name for p in j]" "$ctl" list --json &&
	json "j.name == $quoted" "$ctl" show "$name" --json &&
	json "j.name == $quoted and j.removed is True" \
		"$ctl" rm "$name" --json || return
	fails 2 "unknown option '--ctl'" "$ctl" create --ctl --block-size 64 \
		--nr-blocks 1 || return
	works "$ctl" create --block-size 64 --nr-blocks 1 -- --ctl || return
	found=$(pool_names | grep -cx -e --ctl)
	works "$ctl" rm -- --ctl && [ "$found" -eq 1 ]
}

remove()
{
	works "$ctl" rm ctl-a && [ "$out" = "removed ctl-a" ] || return
	! pool_names | grep -qx ctl-a || no "ctl-a is still listed" || return
	fails 1 "no pool 'ctl-a'" "$ctl" rm ctl-a &&
	fails 1 "no pool 'ctl-a'" "$ctl" show ctl-a &&
	fails 1 "no pool 'ctl-a'" "$ctl" holders ctl-a &&
	fails 1 "no pool 'ctl-a'" "$ctl" watch ctl-a &&
	fails 1 "no pool 'ctl-a'" "$ctl" --json show ctl-a &&
	fails 2 "printable" "$ctl" show $'a\nb'
}

remove_in_use()
{
	make_pool ctl-used 64 8 && hold ctl-used 3 || return
	works "$ctl" rm ctl-used || return
	[[ $out = *"last of 1 client" ]] || no "rm: $out" || return
	release "$holder"
}

check "create makes the pool that list shows" create_and_list
check "create makes debug and isolated pools, with a reserve" create_with_flags
check "create refuses what cannot be" create_refused
check "bad numbers and modes are refused" bad_numbers
check "a name may hold any printable sign" odd_names
check "rm removes, and a missing pool is named" remove
check "rm says who keeps the memory" remove_in_use

# --- show, holders ---

# The signs of the map, without the numbers before its rows.
map_signs()
{
	sed -nE 's/^ *[0-9]+  ([^0-9% ]+)$/\1/p' "$tmp/out"
}

# count SIGN: how often it is in the map
count()
{
	map_signs | grep -oF -e "$1" | wc -l
}

shows()
{
	local sign=$1 want=$2 seen

	seen=$(count "$sign")
	[ "$seen" -eq "$want" ] || no "'$sign' $seen times, not $want: $out"
}

show_figures()
{
	works "$ctl" show ctl-map || return
	[[ ${out%%$'\n'*} = "pool ctl-map: 100 blocks of 64 bytes, stride 64,"* ]] ||
		no "head: $out" || return
	grep -q '^owner root:root, mode 0600, persistent, at most 50 ' \
		"$tmp/out" || no "owner: $out" || return
	json 'j.nr_free == 83 and j.nr_held == 17 and j.nr_kernel == 0 and
	      j.nr_clients == 2 and j.min_free == 83 and j.allocs == 17 and
	      j.frees == 0 and j.reclaimed == 0 and j.failures == 0 and
	      j.refused == 0 and j.waits == 0 and j.nr_waiting == 0 and
	      j.block_size == 64 and j.stride == 64 and j.client_max == 50' \
		"$ctl" show ctl-map --json
}

show_map()
{
	works env LC_ALL=C "$ctl" show ctl-map || return
	shows A 10 && shows B 7 && shows . 83 || return
	grep -Eq "^  A +10  alice, pid $alice, user root, limit 50$" "$tmp/out" &&
	grep -Eq "^  B +7  bob, pid $bob, user root, limit 50$" "$tmp/out" &&
	grep -Eq '^  \. +83  free$' "$tmp/out" || no "legend: $out"
}

show_runs()
{
	json '[r.first for r in j.runs] ==
	      [sum(r.count for r in j.runs[:i]) for i in range(len(j.runs))] and
	      sum(r.count for r in j.runs) == 100 and
	      sum(r.count for r in j.runs if r.state == "free") == 83 and
	      {"alice": 10, "bob": 7} == {h.comm: sum(r.count for r in j.runs
		if r.state == "client" and r.client == h.client)
		for h in j.holders}' \
		"$ctl" show ctl-map --json
}

list_holders()
{
	json "j.name == 'ctl-map' and j.nr_kernel == 0 and
	      all(h.client > 1 for h in j.holders) and
	      [(h.pid, h.comm, h.held, h.limit, h.uid) for h in j.holders] ==
	      [($alice, 'alice', 10, 50, 0), ($bob, 'bob', 7, 50, 0)]" \
		"$ctl" holders ctl-map --json || return
	works "$ctl" holders ctl-map || return
	grep -Eq "^ +[0-9]+ +$alice  root +10 +50  alice$" "$tmp/out" &&
	grep -Eq "^ +[0-9]+ +$bob  root +7 +50  bob$" "$tmp/out" &&
	[ "$(wc -l <"$tmp/out")" -eq 3 ] || no "holders: $out"
}

all_back()
{
	release "$alice" && release "$bob" || return
	json 'j.nr_free == 100 and j.nr_held == 0 and j.nr_clients == 0 and
	      j.reclaimed == 17 and j.holders == [] and
	      [vars(r) for r in j.runs] ==
	      [{"first": 0, "count": 100, "state": "free"}]' \
		"$ctl" show ctl-map --json || return
	works env LC_ALL=C "$ctl" show ctl-map || return
	shows . 100 && shows A 0
}

# One block of 100000 must not be lost in a cell of many.
show_large()
{
	make_pool ctl-large 64 100000 && hold ctl-large 1 || return
	works env LC_ALL=C COLUMNS=100 "$ctl" show ctl-large || return
	shows a 1 && shows A 0 || return
	[ "$(map_signs | wc -l)" -le 16 ] || no "too high: $out" || return
	grep -q '^a cell is 128 blocks' "$tmp/out" || no "run: $out" || return
	release "$holder" && works "$ctl" rm ctl-large
}

narrow()
{
	local width longest

	for width in 20 40 80 133; do
		works env LC_ALL=C COLUMNS=$width "$ctl" show ctl-map || return
		longest=$(map_signs | awk '{ print length }' | sort -n | tail -1)
		[ "$longest" -le $((width - 7)) ] ||
			no "$longest cells in $width columns" || return
		shows . 100 || [ "$width" -lt 40 ] || return
	done
}

odd_comm()
{
	hold ctl-map 1 $'a"b\\\e\xff\xc3\xa9' || return
	json 'j.holders[0].comm == "a\"b\\\u001b\ufffd\u00e9"' \
		"$ctl" holders ctl-map --json || return
	works "$ctl" holders ctl-map || return
	[[ $out = *'  a"b\????' ]] || no "holders: $out" || return
	works "$ctl" show ctl-map && [[ $out = *'a"b\????, pid'* ]] ||
		no "show: $out" || return
	release "$holder"
}

# More clients than letters: the rest share a sign, and nothing is lost.
many_clients()
{
	hold ctl-map 1 many 28 || return
	works env LC_ALL=C "$ctl" show ctl-map || return
	release "$holder"
	shows Z 1 && shows @ 2 || return
	grep -Eq '^  @ +2  clients without a letter$' "$tmp/out" || no "legend: $out"
}

encodings()
{
	works env LC_ALL=C "$ctl" show ctl-map || return
	! LC_ALL=C grep -q '[^ -~]' "$tmp/out" ||
		no "not plain ASCII: $out" || return
	works env LC_ALL=C.UTF-8 "$ctl" show ctl-map || return
	shows '·' 100 || return
	! grep -q $'\e' "$tmp/out" || no "colours in a file"
}

colours()
{
	out=$(on_terminal "$ctl show ctl-map") || return
	[[ $out = *$'\e[2m'* ]] || no "no colours: $out" || return
	out=$(NO_COLOR=1 on_terminal "$ctl show ctl-map") || return
	[[ $out != *$'\e'* ]] || no "colours: $out" || return
	out=$(on_terminal "TERM=dumb $ctl show ctl-map") || return
	[[ $out != *$'\e'* ]] || no "colours on a dumb terminal: $out"
}

alice='' bob=''
make_pool ctl-map 64 100 --client-max 50 || exit 1
if hold ctl-map 10 alice && alice=$holder && hold ctl-map 7 bob; then
	bob=$holder
	check "show prints the pool's figures" show_figures
	check "the map shows each held block" show_map
	check "the runs of the JSON are the owner table" show_runs
	check "holders names processes and what they hold" list_holders
	check "all blocks are free after SIGKILL" all_back
else
	check "processes can hold blocks" false
fi
check "one held block shows in a large pool" show_large
check "the map keeps within the terminal's width" narrow
check "a hostile command name breaks neither JSON nor terminal" odd_comm
check "more clients than letters" many_clients
check "ASCII unless the locale is UTF-8" encodings
check "colours on a terminal only, and not with NO_COLOR" colours

# --- watch ---

watch_file()
{
	works "$ctl" watch ctl-map --count 3 --interval 0.1 || return
	[ "$(grep -c '^pool ctl-map:' "$tmp/out")" -eq 3 ] ||
		no "not three frames: $out" || return
	[ "$(grep -B1 '^pool ctl-map:' "$tmp/out" | grep -c '^$')" -eq 2 ] ||
		no "no empty lines between: $out" || return
	! grep -q $'\e' "$tmp/out"
}

# A change of the terminal's size brings the next frame at once: here, after a
# process came, took ten blocks and was killed. The times are rounded to 0.1 s.
watch_rates()
{
	local watcher lines

	"$ctl" watch ctl-map --json --count 2 --interval 60 >"$tmp/watch" &
	watcher=$!
	written "$tmp/watch" && hold ctl-map 10 && release "$holder" || return
	kill -WINCH "$watcher"
	wait "$watcher" || return
	mapfile -t lines <"$tmp/watch"
	[ "${#lines[@]}" -eq 2 ] || no "not two lines" || return
	judged 'j[0].allocs_per_second is None and
		j[1].allocs == j[0].allocs + 10 and
		j[1].reclaimed == j[0].reclaimed + 10 and
		abs(j[1].allocs_per_second * (j[1].time - j[0].time) - 10) <
		1 + 0.11 * j[1].allocs_per_second and
		j[1].frees_per_second == 0' "[${lines[0]}, ${lines[1]}]"
}

watch_gone()
{
	local watcher seen=0

	make_pool ctl-gone 64 4 || return
	timeout 60 "$ctl" watch ctl-gone --interval 0.1 >"$tmp/gone" 2>"$tmp/gone.err" &
	watcher=$!
	written "$tmp/gone" || return
	works "$ctl" rm ctl-gone || return
	wait "$watcher" || seen=$?
	[ "$seen" -eq 1 ] || no "watch ended with $seen" || return
	[ "$(<"$tmp/gone.err")" = "blockpoolctl: no pool 'ctl-gone'" ] ||
		no "watch said: $(<"$tmp/gone.err")"
}

watch_terminal()
{
	local signal

	for signal in INT TERM HUP; do
		out=$(on_terminal "timeout --foreground --preserve-status \
			-s $signal 3 $ctl watch ctl-map --interval 0.2") ||
			no "watch ended with $? after SIG$signal" || return
		[[ $out = $'\e[?25l'*$'\e[H'*$'\e[J'*$'\e[?25h'* ]] ||
			no "SIG$signal: ${out@Q}" || return
		[ "$(grep -c $'\e\[H' <<<"$out")" -ge 2 ] ||
			no "drawn once only" || return
	done
}

# Nothing scrolls: no frame is higher than the terminal.
watch_height()
{
	local height lines

	for height in 10 24 50; do
		out=$(on_terminal "stty rows $height cols 80;
			$ctl watch ctl-map --count 1") || return
		lines=$(grep -c $'\e\[K' <<<"$out")
		[ "$lines" -lt "$height" ] && [ "$lines" -ge 9 ] ||
			no "$lines lines of $height" || return
	done
}

check "watch prints frames to a file" watch_file
check "watch tells the rates" watch_rates
check "watch keeps no pool alive and ends with it" watch_gone
check "watch leaves the terminal as it was" watch_terminal
check "watch keeps within the terminal's height" watch_height

# --- debug mode ---

# crime POOL WHAT COMM PATH: commits it and says in which block. The stack that
# goes with each call is a call in libc, and one in PATH.
cat >"$tmp/crime" <<'EOF'
import array, ctypes, fcntl, mmap, os, struct, sys, time

pool, what, comm, path = sys.argv[1:]
maps = [line.split() for line in open("/proc/self/maps")]
libc = next(line[5] for line in maps if "/libc." in line[-1])
base = min(int(line[0].split("-")[0], 16) for line in maps if line[-1] == libc)
called = ctypes.cast(ctypes.CDLL(None).strfry, ctypes.c_void_p).value - base
frames = array.array("Q", [called + 3, 1 << 48 | 0x99])
index = array.array("I", [0])
text = ctypes.create_string_buffer(libc.encode() + b"\n" + os.fsencode(path) + b"\n")

with open("/proc/self/comm", "wb") as file:
    file.write(os.fsencode(comm))
fd = os.open("/dev/blockpool", os.O_RDWR)
fcntl.ioctl(fd, 0xBE01, struct.pack("=II32s", 40, 0, pool.encode()))
info = bytearray(struct.pack("=I108x", 112))
fcntl.ioctl(fd, 0xBE03, info)
block_size, _, stride = struct.unpack_from("=III", info, 8)
map_size, = struct.unpack_from("=Q", info, 40)
origin, = struct.unpack_from("=I", info, 96)
memory = mmap.mmap(fd, map_size)

def alloc():
    fcntl.ioctl(fd, 0xBE04, struct.pack("=IIIiQIIQ", 40, 0, 1, 0,
        index.buffer_info()[0], 0, 2, frames.buffer_info()[0]))

def free():
    fcntl.ioctl(fd, 0xBE05, struct.pack("=IIIIQIIQ", 40, 0, 1, 0,
        index.buffer_info()[0], 2, 0, frames.buffer_info()[0]))

def write(offset):
    at = origin + index[0] * stride + offset
    memory[at:at + 5] = b"crime"

fcntl.ioctl(fd, 0xBE0A, struct.pack("=IIQ", 16, len(text) - 1, ctypes.addressof(text)))
alloc()
if what == "overrun":
    write(block_size)
    free()
elif what == "underrun":
    write(-5)
elif what == "use":
    free()
    write(10)
elif what == "double":
    free()
    try:
        free()
        sys.exit("it was let through")
    except PermissionError:
        pass
print(index[0], flush=True)
if what == "underrun":
    time.sleep(600)
EOF

block=''

# crime POOL WHAT [COMM [PATH]]: leaves the index in $block and the process in
# $holder, gone but for the holder of an underrun block.
crime()
{
	local said

	said=$(mktemp "$tmp/crime.XXXXXX")
	"$python" "$tmp/crime" "$1" "$2" "${3:-villain}" "${4:-/none}" \
		>"$said" 2>&1 &
	holder=$!
	holders+=("$holder")
	written "$said" || return
	[ "$2" = underrun ] || wait "$holder" || no "no crime: $(<"$said")" ||
		return
	block=$(<"$said")
	[[ $block =~ ^[0-9]+$ ]] || no "no crime: $block"
}

# ends STATUS COMMAND...: with nothing on stderr.
ends()
{
	local want=$1

	shift
	run "$@"
	[ "$status" -eq "$want" ] && [ -z "$err" ] ||
		no "'${*:2}' ended with $status, not $want: $err"
}

# last_report POOL CONDITION: of the last line; all are left in $tmp/out.
last_report()
{
	works "$ctl" reports "$1" --json || return
	out=${out##*$'\n'}
	judged "$2" "$out"
}

no_debug()
{
	fails 1 "pool 'ctl-map' has no debug mode" "$ctl" check ctl-map &&
	fails 1 "pool 'ctl-map' has no debug mode" "$ctl" reports ctl-map &&
	fails 1 "pool 'ctl-map' has no debug mode" "$ctl" repair ctl-map &&
	fails 1 "no pool 'ctl-none'" "$ctl" check ctl-none &&
	fails 1 "no pool 'ctl-none'" "$ctl" reports ctl-none --follow &&
	fails 1 "no pool 'ctl-none'" "$ctl" repair ctl-none
}

undamaged()
{
	make_pool ctl-crime 100 16 --debug GPT || return
	works "$ctl" check ctl-crime || return
	[ "$out" = "checked 16 blocks of ctl-crime: 0 damaged" ] ||
		no "check: $out" || return
	json 'j.name == "ctl-crime" and j.checked == 16 and j.damaged == 0' \
		"$ctl" check ctl-crime --json || return
	works "$ctl" reports ctl-crime && [ -z "$out" ] || no "reports: $out"
}

overrun_json()
{
	crime ctl-crime overrun || return
	last_report ctl-crime "j.name == 'ctl-crime' and j.seq == 1 and
		j.kind == 'overrun' and j.found == 'free' and
		j.index == $block and j.offset == 100 and j.nr_damaged == 5 and
		j.fill == 0xbb and
		bytes.fromhex(j.dump)[100 - j.dump_offset:][:5] == b'crime' and
		set(bytes.fromhex(j.dump)) - set(b'crime') == {0xbb} and
		j.by.pid == $holder and j.by.tid == $holder and
		j.by.comm == 'villain' and j.by.client == j.alloc.client and
		j.alloc.pid == $holder and j.alloc.time_ns <= j.by.time_ns" ||
		return
	judged 'all(t.stack[0].function == "strfry" and
		    t.stack[0].offset == 3 and "/libc." in t.stack[0].path and
		    t.stack[0].path + "+" + hex(t.stack[0].address) ==
		    t.stack[0].text and len(t.stack) == 2 and
		    t.stack[1].text == "/none+0x99" and
		    not hasattr(t.stack[1], "function")
		for t in (j.by, j.alloc))' "$out"
}

overrun_text()
{
	works "$ctl" reports ctl-crime || return
	grep -qx "ctl-crime: report 1: overrun, block $block" "$tmp/out" &&
	grep -qx '  found by a free' "$tmp/out" &&
	grep -qx '  5 bytes are not bb, the first at offset 100' "$tmp/out" &&
	grep -q '^ *96  .*\*63\*72\*69\*6d\*65 bb .*  crime\.' "$tmp/out" &&
	grep -q "^  taken by client [0-9]*, villain (pid $holder, tid $holder)" \
		"$tmp/out" &&
	grep -q '^    strfry+0x3 .*(/.*libc.*+0x[0-9a-f]*)$' "$tmp/out" &&
	grep -qx '    /none+0x99' "$tmp/out" || no "reports: $out" || return
	out=$(on_terminal "$ctl reports ctl-crime") || return
	[[ $out = *$' \e[1;31m63\e[0m \e[1;31m72'* ]] || no "no colours: ${out@Q}"
}

quarantine()
{
	json "j.nr_quarantined == 1 and j.reports == 1 and j.nr_kernel == 0 and
	      [$block] == [r.first for r in j.runs if r.state == 'quarantine']" \
		"$ctl" show ctl-crime --json || return
	works env LC_ALL=C "$ctl" show ctl-crime || return
	shows ! 1 && shows . 15 || return
	grep -qx ' *1 in quarantine, 1 report' "$tmp/out" &&
	grep -Eqx '  ! +1  in quarantine' "$tmp/out" || no "show: $out" || return
	works "$ctl" watch ctl-crime --count 1 || return
	grep -qx ' *1 in quarantine, 1 report' "$tmp/out" || no "watch: $out" ||
		return
	ends 3 "$ctl" check ctl-crime || return
	[ "$out" = "checked 16 blocks of ctl-crime: 1 damaged" ] || no "check: $out"
}

repair()
{
	works "$ctl" repair ctl-crime || return
	[ "$out" = "repaired ctl-crime: 1 block out of quarantine" ] ||
		no "repair: $out" || return
	works "$ctl" check ctl-crime || return
	json 'j.nr_quarantined == 0 and j.nr_free == 16' \
		"$ctl" show ctl-crime --json || return
	json 'j.name == "ctl-crime" and j.repaired == 0' \
		"$ctl" repair ctl-crime --json
}

# It goes into quarantine when its holder is gone.
check_held()
{
	crime ctl-crime underrun || return
	ends 3 "$ctl" check ctl-crime --json || return
	judged 'j.damaged == 1' "$out" || return
	last_report ctl-crime "j.kind == 'underrun' and j.found == 'check' and
		j.index == $block and j.offset == -5 and j.nr_damaged == 5 and
		j.state == 'client' and j.alloc.client == j.client and
		j.alloc.pid == $holder" || return
	release "$holder"
	json 'j.nr_quarantined == 1' "$ctl" show ctl-crime --json &&
	works "$ctl" repair ctl-crime
}

check_free()
{
	crime ctl-crime use || return
	ends 3 "$ctl" check ctl-crime || return
	last_report ctl-crime "j.kind == 'use-after-free' and
		j.found == 'check' and j.index == $block and j.offset == 10 and
		j.fill == 0x6b and j.free.pid == $holder and
		j.free.stack[0].function == 'strfry'" || return
	works "$ctl" repair ctl-crime
}

double_free()
{
	crime ctl-crime double || return
	last_report ctl-crime "j.kind == 'double-free' and j.found == 'free' and
		j.index == $block and j.by.pid == $holder and
		j.free.pid == $holder and j.dump == ''" || return
	works "$ctl" check ctl-crime
}

# A file that would block whoever opens it, and a name that no terminal should see.
hostile_record()
{
	mkfifo "$tmp/fifo" || return
	crime ctl-crime double $'\e[31m\n"\xff' "$tmp/fifo" || return
	last_report ctl-crime "j.by.comm == '\\x1b[31m\\n\"\\ufffd' and
		j.by.stack[1].path == '$tmp/fifo' and
		not hasattr(j.by.stack[1], 'function')" || return
	works "$ctl" reports ctl-crime || return
	! LC_ALL=C grep -q '[^ -~]' "$tmp/out" || no "not printable: ${out@Q}"
}

# How restless the program is that timeout runs: how often it fell asleep, and for how
# many ticks it ran.
stirs_of()
{
	local pid

	pid=$(pgrep -P "$1")
	awk '/^voluntary/ { n += $2 } NF > 20 { n += $14 + $15 } END { print n }' \
		"/proc/$pid/status" "/proc/$pid/stat"
}

follow()
{
	local follower stirs seen=0

	make_pool ctl-follow 100 4 --debug GT || return
	timeout 60 "$ctl" reports ctl-follow --follow --json \
		>"$tmp/follow" 2>"$tmp/follow.err" &
	follower=$!
	crime ctl-follow double && written "$tmp/follow" || return
	judged "j.seq == 1 and j.index == $block" "$(<"$tmp/follow")" || return
	stirs=$(stirs_of "$follower")
	sleep 3
	stirs=$(($(stirs_of "$follower") - stirs))
	[ "$stirs" -lt 50 ] || no "it does not sleep: $stirs" || return
	crime ctl-follow overrun || return
	works "$ctl" rm ctl-follow || return
	wait "$follower" || seen=$?
	[ "$seen" -eq 1 ] || no "it ended with $seen" || return
	[ "$(<"$tmp/follow.err")" = "blockpoolctl: pool 'ctl-follow' is gone" ] ||
		no "it said: $(<"$tmp/follow.err")" || return
	judged "[r.kind for r in j] == ['double-free', 'overrun']" \
		"[$(paste -sd, "$tmp/follow")]"
}

# Who finds a fault is part of what is told: the sweep shall not come first.
echo 0 >/sys/module/blockpool/parameters/debug_sweep_ms
check "a pool without debug mode is told" no_debug
check "check and reports find nothing where nothing is" undamaged
check "reports --json tells an overrun in full" overrun_json
check "reports prints it, the changed bytes marked" overrun_text
check "quarantine shows, and check's status is 3" quarantine
check "repair ends the quarantine" repair
check "check finds what is wrong with a held block" check_held
check "check finds a free block that was written to" check_free
check "a double free is reported" double_free
check "a hostile record breaks neither JSON nor terminal" hostile_record
check "reports --follow sleeps until there is one and ends with the pool" follow

# --- ports ---

# becomes CONDITION COMMAND...: json, but it may take a while.
becomes()
{
	for _ in {1..200}; do
		run "${@:2}"
		[ "$status" -ne 0 ] || ! judged "$1" "$out" >/dev/null ||
			return 0
		sleep 0.05
	done
	json "$@"
}

# received POOL PORT: the port is there, and somebody receives from it.
received()
{
	becomes "any(p.name == '$2' and p.nr_receivers for p in j)" \
		"$ctl" ports "$1" --json
}

# make_port POOL PORT: one that stays.
make_port()
{
	local cat

	"$ctl" cat "$1" "$2" --linger -1 &
	cat=$!
	holders+=("$cat")
	received "$1" "$2" && kill -TERM "$cat" && ended "$cat" 0
}

# ended PID STATUS: as wait, but not for ever.
ended()
{
	local seen=0

	for _ in {1..600}; do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.05
	done
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null || seen=$?
	[ "$seen" -eq "$2" ] || no "it ended with $seen, not $2"
}

no_block_lost()
{
	becomes 'j.nr_free == 16 and j.nr_in_flight == 0 and j.nr_clients == 0' \
		"$ctl" show ctl-port --json &&
	becomes 'j == []' "$ctl" ports ctl-port --json
}

same()
{
	cmp "$1" "$2" >"$tmp/cmp" 2>&1 || no "${1##*/}: $(<"$tmp/cmp")"
}

no_ports()
{
	json 'j == []' "$ctl" ports ctl-port --json || return
	works "$ctl" ports ctl-port || return
	[[ $out = PORT*OWNER && $out != *$'\n'* ]] || no "ports: $out" || return
	fails 1 "no pool 'ctl-none'" "$ctl" ports ctl-none &&
	fails 1 "no pool 'ctl-none'" "$ctl" feed ctl-none a --wait &&
	fails 1 "no pool 'ctl-none'" "$ctl" cat ctl-none a &&
	fails 1 "no port 'a' in pool 'ctl-port'" "$ctl" feed ctl-port a &&
	fails 1 "no port 'a' in pool 'ctl-port'" \
		"$ctl" cat ctl-port a --no-create &&
	no_block_lost
}

bad_ports()
{
	local value

	for value in '' x/y . .. $'a\tb' "$(printf '%032d' 0)"; do
		fails 2 "port's name" "$ctl" cat ctl-port -- "$value" &&
		fails 2 "port's name" "$ctl" feed ctl-port -- "$value" || return
	done
	for value in 0 65537 x -1; do
		fails 2 "--depth takes" "$ctl" cat ctl-port a --depth="$value" ||
			return
	done
	for value in -2 x 1s 1e9 nan; do
		fails 2 "--linger takes" "$ctl" cat ctl-port a \
			--linger="$value" || return
	done
	fails 2 "--count takes" "$ctl" cat ctl-port a --count 0
}

# Of no round size, and more than ports and pool have room for.
through_port()
{
	local cat

	"$ctl" cat ctl-port a >"$tmp/copy" 2>&1 &
	cat=$!
	holders+=("$cat")
	received ctl-port a || return
	timeout 60 "$ctl" feed ctl-port a --json <"$tmp/bytes" >"$tmp/fed" ||
		no "feed ended with $?" || return
	judged 'j.pool == "ctl-port" and j.port == "a" and
		j.bytes == 300001 and j.messages == 293' "$(<"$tmp/fed")" ||
		return
	ended "$cat" 0 && same "$tmp/copy" "$tmp/bytes" && no_block_lost
}

# Blocks with something between them, and blocks that are there for their holder only.
through_odd_pool()
{
	local cat odd

	for odd in "--debug G" --isolated "--client-max 1"; do
		# shellcheck disable=SC2086 # words are meant
		make_pool ctl-odd 1000 8 $odd || return
		"$ctl" cat ctl-odd a >"$tmp/copy" &
		cat=$!
		holders+=("$cat")
		received ctl-odd a && works bash -c '"$1" feed ctl-odd a <"$2"' \
			- "$ctl" "$tmp/bytes" && ended "$cat" 0 &&
			same "$tmp/copy" "$tmp/bytes" &&
			json 'j.nr_free == 8 and j.reports == 0' \
				"$ctl" show ctl-odd --json &&
			works "$ctl" rm ctl-odd || no "$odd" || return
	done
}

# Ports with less room together than the pool has blocks, so that it goes on.
through_shell()
{
	timeout 60 bash -c '
		set -o pipefail
		"$1" feed ctl-port a --wait <"$2" &
		first=$!
		"$1" cat ctl-port a --depth 3 | tr a-z A-Z |
			"$1" feed ctl-port b --wait &
		"$1" cat ctl-port b --depth 2 | tr A-Z a-z >"$3"
		wait "$first" && wait "$!"' - "$ctl" "$tmp/text" "$tmp/copy" \
		2>"$tmp/err" || no "it ended with $?: $(<"$tmp/err")" || return
	same "$tmp/copy" "$tmp/text" && no_block_lost
}

# feed finds no room as long as the receiver stands still.
back_pressure()
{
	local cat feed

	"$ctl" cat ctl-port a --depth 4 --mode 0620 --linger 0.3 >"$tmp/copy" &
	cat=$!
	holders+=("$cat")
	received ctl-port a && kill -STOP "$cat" || return
	"$ctl" feed ctl-port a <"$tmp/bytes" &
	feed=$!
	holders+=("$feed")
	becomes '[("a", 4, 4, 4, 1, 1, 4, 0, "0620", 0, 0, False, 300)] ==
		 [(p.name, p.depth, p.nr_messages, p.max_messages, p.nr_senders,
		   p.nr_receivers, p.sent, p.received, p.mode, p.uid, p.gid,
		   p.again, p.linger_ms) for p in j]' \
		"$ctl" ports ctl-port --json || return
	sleep 0.5
	works "$ctl" ports ctl-port || return
	grep -Eqx 'a +4 +4 +4 +1 +1 +4 +0 +[0-9]+  0620  root:root' \
		"$tmp/out" || no "ports: $out" || return
	in_flight "$feed" || return
	kill -STOP "$feed" && kill -CONT "$feed" "$cat" || return
	ended "$feed" 0 && ended "$cat" 0 && same "$tmp/copy" "$tmp/bytes" &&
	no_block_lost
}

# Four blocks are, and the feeder has one more.
in_flight()
{
	json 'j.nr_in_flight == 4 and j.nr_held == 5 and
	      sum(r.count for r in j.runs if r.state == "port" and
		  r.port > 0 and r.port_name == "a") == 4 and
	      sum(r.count for r in j.runs if r.state == "client") == 1' \
		"$ctl" show ctl-port --json || return
	works env LC_ALL=C "$ctl" show ctl-port || return
	shows '>' 4 && shows A 1 && shows . 11 || return
	grep -Eqx '  > +4  in flight: a 4' "$tmp/out" || no "legend: $out" || return
	json 'j.nr_in_flight == 4' "$ctl" watch ctl-port --json --count 1 ||
		return
	json "j.nr_in_flight == 4 and (1, $1) in [(h.held, h.pid)
	      for h in j.holders]" "$ctl" holders ctl-port --json || return
	works "$ctl" holders ctl-port || return
	grep -Eqx ' +- +- +- +4 +-  \(in flight\)' "$tmp/out" || no "holders: $out"
}

# Nor does it keep the pool alive.
feed_waits()
{
	local feed

	make_pool ctl-wait 64 4 || return
	"$ctl" feed ctl-wait a --wait </dev/null 2>"$tmp/feed.err" &
	feed=$!
	holders+=("$feed")
	sleep 0.5
	kill -0 "$feed" && works "$ctl" rm ctl-wait && ended "$feed" 1 || return
	[ "$(<"$tmp/feed.err")" = "blockpoolctl: no pool 'ctl-wait'" ] ||
		no "feed said: $(<"$tmp/feed.err")"
}

receiver_killed()
{
	local cat feed

	"$ctl" cat ctl-port a --depth 4 >"$tmp/copy" &
	cat=$!
	holders+=("$cat")
	received ctl-port a && kill -STOP "$cat" || return
	"$ctl" feed ctl-port a <"$tmp/bytes" 2>"$tmp/feed.err" &
	feed=$!
	holders+=("$feed")
	becomes 'j.nr_in_flight == 4' "$ctl" show ctl-port --json || return
	release "$cat"
	ended "$feed" 1 || return
	[ "$(<"$tmp/feed.err")" = "blockpoolctl: port 'a' has ended: nobody`
		` receives from it any more" ] ||
		no "feed said: $(<"$tmp/feed.err")" || return
	no_block_lost
}

# The stream goes on with the next.
sender_killed()
{
	local cat feed

	"$ctl" cat ctl-port a >"$tmp/copy" &
	cat=$!
	holders+=("$cat")
	mkfifo "$tmp/input" && received ctl-port a || return
	"$ctl" feed ctl-port a <"$tmp/input" &
	feed=$!
	holders+=("$feed")
	exec 9>"$tmp/input"
	echo one >&9
	# A line goes out before the next is there.
	written "$tmp/copy" && release "$feed" || return
	exec 9>&-
	works "$ctl" feed ctl-port a || return
	ended "$cat" 0 || return
	[ "$(<"$tmp/copy")" = one ] || no "copy: $(<"$tmp/copy")" || return
	no_block_lost
}

# What has been received is written, and the next receiver gets the rest.
taken_over()
{
	local cat feed

	"$ctl" cat ctl-port a --depth 4 --linger -1 >"$tmp/copy" &
	cat=$!
	holders+=("$cat")
	received ctl-port a || return
	mkfifo "$tmp/go" || return
	"$ctl" feed ctl-port a < <(head -c 100001 "$tmp/bytes" &&
		read -r <"$tmp/go" && tail -c +100002 "$tmp/bytes") &
	feed=$!
	holders+=("$feed")
	written "$tmp/copy" && kill -TERM "$cat" && ended "$cat" 0 || return
	becomes '[(-1, 0)] == [(p.linger_ms, p.nr_receivers) for p in j]' \
		"$ctl" ports ctl-port --json || return
	echo go >"$tmp/go" &
	holders+=("$!")
	timeout 60 "$ctl" cat ctl-port a --no-create >>"$tmp/copy" ||
		no "the second ended with $?" || return
	ended "$feed" 0 && same "$tmp/copy" "$tmp/bytes" || return
	json 'j[0].nr_messages == 0 and j[0].nr_receivers == 0' \
		"$ctl" ports ctl-port --json
}

# Each cat has one stream and leaves the next alone.
streams()
{
	local i

	make_port ctl-port box || return
	for i in one '' two three four; do
		works_with "$i" "$ctl" feed ctl-port box || return
	done
	json 'the(j, "box").nr_messages == 9' "$ctl" ports ctl-port --json || return
	works "$ctl" cat ctl-port box && [ "$out" = one ] || no "1: $out" || return
	works "$ctl" cat ctl-port box && [ -z "$out" ] || no "2: $out" || return
	works "$ctl" cat ctl-port box --count 1 && [ "$out" = two ] ||
		no "3: $out" || return
	works "$ctl" cat ctl-port box --count 4 --follow &&
		[ "$out" = threefour ] || no "4: $out" || return
	works "$ctl" cat ctl-port box && [ -z "$out" ] || no "5: $out" || return
	json 'the(j, "box").nr_messages == 0 and
	      the(j, "box").sent == the(j, "box").received' \
		"$ctl" ports ctl-port --json
}

# works_with INPUT COMMAND...
works_with()
{
	printf %s "$1" >"$tmp/typed"
	works bash -c '"$@" <"$0"' "$tmp/typed" "${@:2}"
}

cat_json()
{
	works_with $'a\x01"\xff' "$ctl" feed ctl-port box || return
	works "$ctl" cat ctl-port box --json || return
	[ "$(wc -l <"$tmp/out")" -eq 2 ] || no "not two lines: $out" || return
	judged 'j[0].data == "610122ff" and j[0].length == 4 and
		j[0].offset == 0 and 0 <= j[0].index < 16 and j[0].pid > 0 and
		j[0].cookie == 0 and j[0].reply == 0 and
		j[0].shared is False and j[0].again is False and
		j[1].length == 0 and j[1].data == ""' \
		"[$(paste -sd, "$tmp/out")]"
}

cat_told_to_end()
{
	local cat signal

	for signal in INT TERM HUP; do
		env --default-signal="$signal" "$ctl" cat ctl-port box \
			>"$tmp/copy" &
		cat=$!
		holders+=("$cat")
		received ctl-port box && kill "-$signal" "$cat" && ended "$cat" 0 ||
			no "after SIG$signal" || return
	done
	env --ignore-signal=HUP "$ctl" cat ctl-port box >"$tmp/copy" &
	cat=$!
	holders+=("$cat")
	received ctl-port box && kill -HUP "$cat" && sleep 0.5 && kill -0 "$cat" ||
		no "nohup is of no use" || return
	kill -TERM "$cat" && ended "$cat" 0
}

# The bytes are lost with their reader, the blocks are not.
output_lost()
{
	works_with lost "$ctl" feed ctl-port box || return
	run bash -c '"$1" cat ctl-port box >/dev/full' - "$ctl"
	[ "$status" -eq 1 ] && [[ $err = *"cannot write the output: No space"* ]] ||
		no "status $status: $err" || return
	works "$ctl" cat ctl-port box && [ -z "$out" ] || no "cat: $out" || return
	works_with lost "$ctl" feed ctl-port box || return
	run bash -c '"$1" cat ctl-port box | :; exit "${PIPESTATUS[0]}"' - "$ctl"
	[ "$status" -eq 141 ] && [ -z "$err" ] || no "status $status: $err" || return
	works "$ctl" cat ctl-port box && [ -z "$out" ] || no "cat: $out" || return
	json 'j.nr_free == 16' "$ctl" show ctl-port --json
}

# No end is told of an input that has none.
input_lost()
{
	run bash -c '"$1" feed ctl-port box </' - "$ctl"
	[ "$status" -eq 1 ] && [[ $err = *"cannot read the input: Is a directory"* ]] ||
		no "status $status: $err" || return
	json 'the(j, "box").nr_messages == 0' "$ctl" ports ctl-port --json
}

# post POOL PORT overrun|share: a client that sends one block, damaged or shared.
cat >"$tmp/post" <<'EOF'
import array, fcntl, mmap, os, struct, sys

pool, port, what = sys.argv[1:]
fd = os.open("/dev/blockpool", os.O_RDWR)
fcntl.ioctl(fd, 0xBE01, struct.pack("=II32s", 40, 0, pool.encode()))
info = bytearray(struct.pack("=I108x", 112))
fcntl.ioctl(fd, 0xBE03, info)
block_size, _, stride = struct.unpack_from("=III", info, 8)
map_size, = struct.unpack_from("=Q", info, 40)
origin, = struct.unpack_from("=I", info, 96)
index = array.array("I", [0])
fcntl.ioctl(fd, 0xBE04, struct.pack("=IIIiQIIQ", 40, 0, 1, 0,
                                    index.buffer_info()[0], 0, 0, 0))
bind = bytearray(struct.pack("=IIIiIIiI32s", 64, 1, 0, 0, 0, 0, 0, 0, port.encode()))
fcntl.ioctl(fd, 0xBE0E, bind)
number = array.array("I", struct.unpack_from("=I", bind, 20))
message = struct.pack("=IIIIQiI", index[0], block_size - 8, 8, 0, 7, 0, 0)
at = origin + index[0] * stride + block_size
memory = mmap.mmap(fd, map_size)
memory[at - 8:at] = b"the tail"
if what == "overrun":
    memory[at:at + 5] = b"crime"
    words = array.array("B", message)
    fcntl.ioctl(fd, 0xBE10, struct.pack("=IIIIIiQIIQ", 48, 0, number[0], 1, 0, 0,
                                        words.buffer_info()[0], 0, 0, 0))
else:
    fcntl.ioctl(fd, 0xBE12, struct.pack("=IIIIQ", 56, 0, 1, 0,
                                        number.buffer_info()[0]) + message)
EOF

shared_block()
{
	works "$python" "$tmp/post" ctl-port box share || return
	json 'j.nr_in_flight == 1 and
	      [1] == [r.count for r in j.runs if r.state == "shared"]' \
		"$ctl" show ctl-port --json || return
	works env LC_ALL=C "$ctl" show ctl-port && shows '>' 1 || return
	json 'j.shared is True and j.cookie == 7 and j.offset == 1016 and
	      bytes.fromhex(j.data) == b"the tail"' \
		"$ctl" cat ctl-port box --json --count 1 || return
	json 'j.nr_free == 16' "$ctl" show ctl-port --json
}

long_legend()
{
	local name names

	read -ra names < <(printf '%031d ' 1 2 3)
	for name in "${names[@]}"; do
		make_port ctl-port "$name" && works "$ctl" feed ctl-port "$name" ||
			return
	done
	works env LC_ALL=C COLUMNS=70 "$ctl" show ctl-port || return
	grep -Eqx '  > +3  in flight: 0+1 1, \.\.\.' "$tmp/out" ||
		no "legend: $out" || return
	for name in "${names[@]}"; do
		works "$ctl" cat ctl-port "$name" || return
	done
}

# The port is named as long as it is there.
damaged_message()
{
	make_pool ctl-post 100 4 --debug G || return
	make_port ctl-post box || return
	works "$python" "$tmp/post" ctl-post box overrun || return
	last_report ctl-post "j.kind == 'overrun' and j.found == 'send' and
		j.state == 'port' and j.port > 0 and j.port_name == 'box'" ||
		return
	works "$ctl" cat ctl-post box --count 1 && [ "$out" = "the tail" ] ||
		no "cat: $out" || return
	works "$ctl" reports ctl-post || return
	grep -qx "  found by a send; it was in port 'box'" "$tmp/out" ||
		no "reports: $out" || return
	works "$ctl" rm ctl-post
}

make_pool ctl-port 1024 16 || exit 1
"$python" -c 'import random, sys
sys.stdout.buffer.write(random.Random(1).randbytes(300001))' >"$tmp/bytes"
seq 40000 | sed 's/^/line number /' >"$tmp/text"
check "a pool without ports, and no such port" no_ports
check "what cannot be a port is refused" bad_ports
check "a file goes through a port" through_port
check "a file goes through pools with guard zones, isolated, limited" \
	through_odd_pool
check "ports compose in the shell" through_shell
check "a full port holds its sender up, and shows" back_pressure
check "feed waits for a port, not longer than there is a pool" feed_waits
check "a receiver is killed: the sender is told, no block lost" receiver_killed
check "a sender is killed: the stream goes on with the next" sender_killed
check "another receiver takes a port over, and not a byte is missing" taken_over
check "an empty message ends a stream" streams
check "cat --json tells each message in full" cat_json
check "cat ends when it is told to" cat_told_to_end
check "cat's reader goes" output_lost
check "feed's input fails" input_lost
check "a shared block shows" shared_block
check "a line of the legend has room for all ports" long_legend
check "a report names the port that has the block" damaged_message

# --- those who may not ---

unprivileged()
{
	chmod 666 "$device"
	make_pool ctl-open 64 4 --mode 0644 || return
	json 'any(p.name == "ctl-open" for p in j) and
	      all(p.name != "ctl-map" for p in j)' \
		"${nobody[@]}" "$ctl" list --json || return
	json 'j.nr_free == 4' "${nobody[@]}" "$ctl" show ctl-open --json &&
	fails 1 "no permission to read pool 'ctl-map'" \
		"${nobody[@]}" "$ctl" show ctl-map &&
	fails 1 "no permission to read pool 'ctl-map'" \
		"${nobody[@]}" "$ctl" holders ctl-map &&
	fails 1 "no permission to read pool 'ctl-map'" \
		"${nobody[@]}" "$ctl" watch ctl-map &&
	fails 1 "no permission to remove pool 'ctl-open'" \
		"${nobody[@]}" "$ctl" rm ctl-open &&
	fails 1 "no permission to read pool 'ctl-crime'" \
		"${nobody[@]}" "$ctl" reports ctl-crime &&
	fails 1 "no permission to read pool 'ctl-crime'" \
		"${nobody[@]}" "$ctl" check ctl-crime &&
	fails 1 "no permission to repair pool 'ctl-crime'" \
		"${nobody[@]}" "$ctl" repair ctl-crime &&
	fails 1 "no permission to read pool 'ctl-map'" \
		"${nobody[@]}" "$ctl" ports ctl-map &&
	fails 1 "no permission to use pool 'ctl-open'" \
		"${nobody[@]}" "$ctl" cat ctl-open a &&
	fails 1 "no permission to use pool 'ctl-open'" \
		"${nobody[@]}" "$ctl" feed ctl-open a &&
	fails 1 "no permission to unload" "${nobody[@]}" "$ctl" unload &&
	pool_names | grep -qx ctl-open
}

own_pool()
{
	works "${nobody[@]}" "$ctl" create ctl-own --block-size 64 \
		--nr-blocks 4 || return
	json '("ctl-own", 65534, 65534) in [(p.name, p.uid, p.gid) for p in j]' \
		"${nobody[@]}" "$ctl" list --json || return
	works "${nobody[@]}" "$ctl" rm ctl-own
}

# The mode of a port says who sends, and who receives.
own_port()
{
	local cat

	make_pool ctl-all 64 4 --mode 0666 || return
	"$ctl" cat ctl-all a --mode 0620 >"$tmp/copy" &
	cat=$!
	"$ctl" cat ctl-all b --mode 0602 >"$tmp/copy.b" &
	holders+=("$cat" "$!")
	becomes 'len(j) == 2' "$ctl" ports ctl-all --json || return
	fails 1 "no permission to bind port 'a'" \
		"${nobody[@]}" "$ctl" feed ctl-all a &&
	fails 1 "no permission to bind port 'b'" \
		"${nobody[@]}" "$ctl" cat ctl-all b &&
	works "${nobody[@]}" "$ctl" feed ctl-all b || return
	wait "$!" || no "cat ended with $?" || return
	release "$cat" && works "$ctl" rm ctl-all
}

closed_device()
{
	chmod 600 "$device"
	for command in list "show default" "holders default" "watch default" \
		       "check default" "reports default" "repair default" \
		       "ports default" "feed default a --wait" "cat default a" \
		       "rm default" "create x --block-size 1 --nr-blocks 1"; do
		# shellcheck disable=SC2086 # words are meant
		fails 1 "no permission to open $device" \
			"${nobody[@]}" "$ctl" $command || return
	done
}

check "a stranger sees and touches only what he may" unprivileged
check "a stranger's own pool is his" own_pool
check "a port's mode is kept to" own_port
check "a device that may not be opened" closed_device
chmod "$device_mode" "$device"

# --- load, unload ---

unload_in_use()
{
	hold ctl-map 1 || return
	fails 1 "in use: a process" "$ctl" unload || return
	fails 1 "in use" "$ctl" unload --json || return
	[ -e "$device" ] && release "$holder"
}

unload_module()
{
	release_all	# whatever a failed check has left
	works "$ctl" unload || return
	[ "$out" = "unloaded blockpool" ] && [ ! -e "$device" ] || return
	fails 1 "the module is not loaded" "$ctl" unload
}

not_loaded()
{
	for command in list "show default" "holders default" "watch default" \
		       "check default" "reports default" "repair default" \
		       "ports default" "feed default a --wait" "cat default a" \
		       "rm default" "create x --block-size 1 --nr-blocks 1" \
		       "--json list"; do
		# shellcheck disable=SC2086 # words are meant
		fails 1 "blockpool: module not loaded (no /dev/blockpool)" \
			"$ctl" $command || return
	done
}

load_refused()
{
	echo rubbish >"$tmp/blockpool.ko"
	cp "$BLOCKPOOL_KO" "$tmp/other.ko"
	fails 1 "No such file" "$ctl" load "$tmp/none/blockpool.ko" || return
	fails 1 "no module for this kernel" "$ctl" load "$tmp/blockpool.ko" &&
	fails 2 "not the module blockpool" "$ctl" load "$tmp/other.ko" &&
	fails 1 "no permission to load" "${nobody[@]}" "$ctl" load "$copy" &&
	fails 2 "--block-size takes" "$ctl" load --block-size 0 "$copy"
}

load_path()
{
	json 'j.module == "blockpool" and j.loaded is True and j.path' \
		"$ctl" load --json --block-size 1k --nr-blocks 33 --mode 0640 \
		"$copy" || return
	json '[(p.name, p.block_size, p.nr_blocks, p.mode) for p in j] ==
	      [("default", 1024, 33, "0640")]' "$ctl" list --json || return
	fails 1 "loaded already" "$ctl" load "$copy" || return
	json 'j.module == "blockpool" and j.loaded is False' \
		"$ctl" unload --json
}

load_empty()
{
	works "$ctl" load --nr-blocks 0 "$copy" || return
	json 'j == []' "$ctl" list --json || return
	fails 1 "no pool 'default'" "$ctl" show default || return
	works "$ctl" unload
}

# By name, from a module tree that has only this one in it.
load_installed()
{
	works unshare -m bash -ec '
		tree=/lib/modules/$(uname -r)
		mount -t tmpfs none /lib/modules
		mkdir -p "$tree/extra"
		if "$2" load 2>/dev/null; then exit 1; fi
		cp "$1" "$tree/extra/blockpool.ko"
		/sbin/depmod 2>/dev/null
		"$2" load --nr-blocks 5
		if "$2" load 2>/dev/null; then exit 1; fi' \
		- "$copy" "$ctl" || return
	json 'j[0].nr_blocks == 5' "$ctl" list --json || return
	works "$ctl" unload
}

# As it was found, for whoever runs after us.
load_again()
{
	works "$ctl" load "${found[@]}" "$copy" && [ -e "$device" ] || return
	json 'j.nr_held == 0' "$ctl" show default --json
}

parameters=/sys/module/blockpool/parameters
names=("an unload in use is refused" "unload" "no module: every command says so"
	"what cannot be loaded" "load by path, with parameters"
	"load without a default pool" "load by name" "load again")
tests=(unload_in_use unload_module not_loaded load_refused load_path load_empty
	load_installed load_again)
if [ -n "${BLOCKPOOL_KO:-}" ]; then
	mkdir "$tmp/ko"
	copy=$tmp/ko/blockpool.ko
	cp "$BLOCKPOOL_KO" "$copy" || exit 1
	found=(--block-size "$(<"$parameters/block_size")"
	       --nr-blocks "$(<"$parameters/nr_blocks")"
	       --mode "$(printf %o "$(<"$parameters/default_mode")")")
fi
for i in "${!tests[@]}"; do
	if [ -n "${BLOCKPOOL_KO:-}" ]; then
		check "${names[i]}" "${tests[i]}"
	else
		skip "${names[i]}" "BLOCKPOOL_KO is not set"
	fi
done

say_end
