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
built=${BLOCKPOOLCTL:-$here/../build/host/tools/blockpoolctl}

if [ ! -e "$device" ]; then
	echo "1..0 # SKIP no $device"
	exit 4
fi

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

# --- saying what was seen ---

nr=0
nr_failed=0

check()
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

skip()
{
	nr=$((nr + 1))
	echo "ok $nr $1 # SKIP $2"
}

no()
{
	echo "# $*"
	return 1
}

out='' err='' status=0

run()
{
	# A watch that should end at once but does not must not hold up the rest.
	[[ " $* " != *" watch "* ]] || set -- timeout 20 "$@"
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

def judge(text, condition):
    value = json.loads(text.decode(), parse_constant=float.fromhex,
                       object_hook=lambda members: SimpleNamespace(**members))
    return eval(condition, {"j": value})

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
    fcntl.ioctl(fd, 0xBE04, struct.pack("=IIIiQII", 32, 0, len(indices), 0,
                                        indices.buffer_info()[0], 0, 0))
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

commands=(load unload create rm list show holders watch)

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
	      j.client_max == 7 and j.mode == "0640"' \
		"$ctl" --json create ctl-a --block-size 2000 --nr-blocks 3k \
		--mode 0640 --client-max 7 --node 0 || return
	json '[(2000, 3072, 3072, 0, 0, "0640", 0, True)] ==
	      [(p.block_size, p.nr_blocks, p.nr_free, p.nr_held, p.nr_clients,
		p.mode, p.uid, p.persist) for p in j if p.name == "ctl-a"]' \
		"$ctl" list --json || return
	works "$ctl" list || return
	grep -Eq '^ctl-a +2000 +3072 +3072 +0 +0 +0640 +root:root$' "$tmp/out" ||
		no "list: $out"
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
# process came, took ten blocks and was killed.
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
		abs(j[1].allocs_per_second - 10 / (j[1].time - j[0].time)) <
		2 / (j[1].time - j[0].time) and
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

closed_device()
{
	chmod 600 "$device"
	for command in list "show default" "holders default" "watch default" \
		       "rm default" "create x --block-size 1 --nr-blocks 1"; do
		# shellcheck disable=SC2086 # words are meant
		fails 1 "no permission to open $device" \
			"${nobody[@]}" "$ctl" $command || return
	done
}

check "a stranger sees and touches only what he may" unprivileged
check "a stranger's own pool is his" own_pool
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

echo "1..$nr"
[ "$nr_failed" -eq 0 ]
