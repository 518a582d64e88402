#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The TCP tap: what goes over loopback TCP is in the file, once and whole, and comes
# out of tshark as it was sent; and no traffic waits for it.
#
#   BLOCKPOOL_KO    the module, beside which the tap's is looked for
#   BLOCKPOOL_TAP   the program; build/host/tcptap/blockpool-tap if not given

# In "a && b || no ..." no() is right whichever of the two failed.
# shellcheck disable=SC2015

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
program=${BLOCKPOOL_TAP:-$here/../build/host/tcptap/blockpool-tap}
parameters=/sys/module/blockpool_tap/parameters
port=5001
size=$(((32 << 20) + 4321))

# shellcheck source=selftests/say.sh
. "$here/say.sh"
[ -e /dev/blockpool ] || skip_all "no /dev/blockpool"
[ -n "${BLOCKPOOL_KO-}" ] || skip_all "BLOCKPOOL_KO is not given"
[ -d /proc/net/netfilter ] || skip_all "this kernel has no netfilter"

module=${BLOCKPOOL_KO%/*}/tools/tcptap/module/blockpool_tap.ko
python=/usr/bin/python3
tmp=$(mktemp -d)
tap=	# the program's process
written=0 sent=0 said=

clean_up()
{
	abandon
	rmmod blockpool_tap 2>/dev/null
	rm -rf "$tmp"
}

trap clean_up EXIT

# --- traffic ---

# Sends a file to itself by TCP; fails if other bytes arrive than were sent.
cat >"$tmp/transfer.py" <<'EOF'
import fcntl, os, signal, socket, struct, sys

def interface_up(name):
    with socket.socket() as s:
        request = struct.pack("16sH14x", name.encode(), 0)
        flags, = struct.unpack("16xH14x", fcntl.ioctl(s, 0x8913, request))
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", name.encode(), flags | 1))

def send(address, family, data):
    with socket.socket(family) as s:
        s.connect(address)
        s.sendall(data)

def receive(connection):
    parts = []
    while part := connection.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)

host, port, path = sys.argv[1:]
signal.alarm(120)
interface_up("lo")
data = open(path, "rb").read()
family = socket.AF_INET6 if ":" in host else socket.AF_INET
with socket.create_server((host, int(port)), family=family) as server:
    if not os.fork():
        send((host, int(port)), family, data)
        os._exit(0)
    received = receive(server.accept()[0])
sys.exit(os.wait()[1] or received != data)
EOF

transfer()	# file, address, port
{
	"$python" "$tmp/transfer.py" "${2:-127.0.0.1}" "${3:-$port}" "$1" ||
		no "the bytes did not arrive as they were sent"
}

# How many segments TCP was given, of all ports.
segments()
{
	awk '/^Tcp:/ { if (at) print $at; for (i = 1; i <= NF; i++) if ($i == "InSegs") at = i }' \
		/proc/net/snmp
}

# --- the tap ---

parameter() { cat "$parameters/$1"; }

# Waits until a command has success, for so long as a slow machine may take.
until_so()
{
	for _ in {1..200}; do
		! "$@" || return 0
		sleep 0.05
	done
	no "still not so: $*"
}

connected() { [ "$(parameter connected)" = "${1:-Y}" ]; }

# Kills the program, if there is one.
abandon()
{
	[ -z "$tap" ] || { kill -9 "$tap"; wait "$tap"; tap=; }
} 2>/dev/null

launch()	# the program's options
{
	abandon
	until_so connected N || return
	"$program" -w "$tmp/file" "$@" 2>"$tmp/err" &
	tap=$!
}

start()	# likewise
{
	launch "$@" || return
	until_so connected || no "$(<"$tmp/err")"
}

# It ends with status 0, and says how it went in one line.
stop()	# signal
{
	local status=0

	[ -z "${1-}" ] || kill -"$1" "$tap"
	wait "$tap" || status=$?
	tap=
	[ $status = 0 ] || no "blockpool-tap ended with $status: $(<"$tmp/err")" || return
	said=$(<"$tmp/err")
	[[ $said =~ ^'blockpool-tap: '([0-9]+)' segments written' ]] ||
		no "blockpool-tap said: $said" || return
	written=${BASH_REMATCH[1]}
}

no_drops='; dropped: pool dry 0, port full 0, port closed 0'

# The file's blocks, by the format's own rules.
cat >"$tmp/pcapng.py" <<'EOF'
import struct, sys

data = open(sys.argv[1], "rb").read()
at = packets = cut = longest = 0
dropped = "unknown"
while at < len(data):
    kind, length = struct.unpack_from("=II", data, at)
    assert length >= 12 and length % 4 == 0, (at, length)
    assert struct.unpack_from("=I", data, at + length - 4)[0] == length, at
    if kind == 6:
        captured, whole = struct.unpack_from("=II", data, at + 20)
        assert captured <= whole and captured <= length - 32, at
        packets += 1
        cut += captured < whole
        longest = max(longest, captured)
    option = at + 20 if kind == 5 else at + length
    while option < at + length - 4:
        code, size = struct.unpack_from("=HH", data, option)
        if code == 7:
            dropped = struct.unpack_from("=Q", data, option + 4)[0]
        option += 4 + (size + 3) // 4 * 4
    at += length
print("packets", packets, "dropped", dropped, "cut", cut, "longest", longest)
EOF

file_has()	# packets, dropped, and what else
{
	local has

	has=$("$python" "$tmp/pcapng.py" "$tmp/file") || return
	[[ $has = "packets $1 dropped $2 ${3:-cut 0 }"* ]] ||
		no "the file has $has, not ${*@Q}"
}

# tshark's fields of each packet, and the bytes of the first two connections, which it
# puts together out of their segments.
tshark_reads()
{
	tshark -n -r "$tmp/file" -T fields -e frame.interface_name -e ip.version \
		-e frame.packet_flags_direction -e frame.len -e frame.cap_len \
		-z follow,tcp,raw,0 -z follow,tcp,raw,1 2>"$tmp/tshark" |
		perl -e 'my ($dir) = @ARGV;
			 open(my $out, ">", "$dir/packets") or die;
			 while (<STDIN>) {
				if (/^Filter: tcp.stream eq (\d+)/) {
					open($out, ">", "$dir/stream$1") or die;
				}
				chomp;
				print $out /^[[:xdigit:]]+$/ ? pack("H*", $_) :
					   /^\w+\t/ ? "$_\n" : "";
			 }' "$tmp" || no "tshark: $(<"$tmp/tshark")"
}

# --- the module ---

needs_ports()
{
	! insmod "$module" 2>"$tmp/err" || no "it loaded without tcp_ports"
}

# With neither pool nor port.
loads_alone()
{
	insmod "$module" tcp_ports=4999,$port && connected N &&
		transfer "$tmp/small" && [ "$(parameter captured)" = 0 ] &&
		[ "$(parameter dropped_closed)" -gt 4 ] || no "$(parameter dropped_closed) dropped"
}

# --- a long transfer, by IPv4, and a short one, by IPv6 ---

large_transfer()
{
	local before

	start -b 2048 && before=$(segments) && transfer "$tmp/large" &&
		transfer "$tmp/small" ::1 || return
	sent=$(($(segments) - before))
	stop TERM && [ "$said" = "blockpool-tap: $written segments written$no_drops" ] ||
		no "$said"
}

each_once()
{
	[ "$written" = "$sent" ] || no "$written segments written, TCP had $sent" || return
	file_has "$sent" 0
}

tshark_reads_it()
{
	tshark_reads && awk -v sent="$sent" '
		$1 != "lo" || $3 != "0x00000001" || $4 != $5 { print "# " $0; bad = 1 }
		{ seen[$2]++ }
		END { exit bad || NR != sent || !seen[4] || seen[4] + seen[6] != NR }
		' "$tmp/packets" || no "tshark sees $(wc -l <"$tmp/packets") packets of $sent"
}

put_together() { cmp "$tmp/stream0" "$tmp/large" && cmp "$tmp/stream1" "$tmp/small"; }

# --- what else ---

others_are_not_seen()
{
	local before

	start -b 256 && before=$(parameter captured) &&
		transfer "$tmp/small" 127.0.0.1 5002 &&
		unshare -n "$python" "$tmp/transfer.py" 127.0.0.1 "$port" "$tmp/small" &&
		stop TERM || return
	[ "$written" = 0 ] && [ "$(parameter captured)" = "$before" ] || no "$said"
}

# Whatever the tap cannot take: the bytes arrive, and each segment is counted.
none_waits()	# parameter that counts, the program's options
{
	local before which=$1 was

	shift
	was=$(parameter "$which")
	start "$@" && kill -STOP "$tap" && before=$(segments) &&
		transfer "$tmp/middle" || return
	sent=$(($(segments) - before))
	was=$(($(parameter "$which") - was))
	kill -CONT "$tap"
	stop TERM || return
	[ $was -gt 0 ] && [ $((written + was)) = $sent ] ||
		no "of $sent segments $written were written and $was dropped" || return
	file_has "$written" $was
}

# There are more segments than blocks, so that these must come back.
cut_to_size()
{
	start -b 64 -s 100 || return
	for _ in 1 2 3 4; do transfer "$tmp/small" || return; done
	stop INT && [ "$written" -gt 64 ] || no "$said" || return
	[[ $said =~ ' written, '([0-9]+)' of them cut; ' ]] || no "$said" || return
	file_has "$written" 0 "cut ${BASH_REMATCH[1]} longest 100"
}

ends_by_itself()
{
	start -b 256 -c 5 && transfer "$tmp/small" && stop && [ "$written" = 5 ] &&
		file_has 5 0 && launch -b 16 -d 1 && stop && [ "$written" = 0 ] || no "$said"
}

pool_is_gone() { ! grep -qx 'pool tap' /sys/kernel/debug/blockpool/stats; }

# The module lets go of the pool of a program that died, and finds the next.
program_dies()
{
	start -b 64 && ! pool_is_gone && abandon && until_so connected N &&
		until_so pool_is_gone && start -b 256 && transfer "$tmp/small" && stop TERM &&
		[[ $said = *"$no_drops" ]] && file_has "$written" 0 || no "$said"
}

flows() { [ "$(parameter captured)" -gt "$1" ]; }

module_goes()
{
	local running

	start -b 64 || return
	for _ in 1 2 3; do transfer "$tmp/middle" || exit; done &
	running=$!
	until_so flows "$(parameter captured)" || return
	rmmod blockpool_tap && wait $running && stop TERM || return
	[[ $said = *unknown* ]] && [ "$written" -gt 0 ] && file_has "$written" unknown ||
		no "$said"
}

misuse()
{
	local arguments

	for arguments in "" "-w" "-w x y" "-w x -c 0" "-w x -b 1x" "-w x -s 10" "-w x -z"; do
		# shellcheck disable=SC2086	# words
		"$program" $arguments >"$tmp/out" 2>&1
		[ $? = 2 ] || no "blockpool-tap $arguments: $(<"$tmp/out")" || return
	done
	"$program" -w "$tmp/x" -p nonesuch 2>"$tmp/out"
	[ $? = 1 ] && grep -q 'pool nonesuch: No such' "$tmp/out" || no "$(<"$tmp/out")"
}

head -c $size /dev/urandom >"$tmp/large"
head -c $((4 << 20)) "$tmp/large" >"$tmp/middle"
head -c 300001 "$tmp/large" >"$tmp/small"

check "a wrong command line is refused" misuse
check "the module wants to know TCP ports" needs_ports
check "it waits for a port, and traffic does not wait for it" loads_alone
check "32 MiB and a bit over loopback, by IPv6 too, nothing dropped" large_transfer
check "the file has each segment once" each_once
check "tshark reads the file" tshark_reads_it
check "tshark puts together what was sent" put_together
check "other ports and other network namespaces are not seen" others_are_not_seen
check "a dry pool: dropped, counted, traffic goes on" none_waits dropped_dry -b 16
check "a full port: dropped, counted, traffic goes on" none_waits dropped_full -b 64 -q 4
check "small blocks: cut, and the file says so" cut_to_size
check "it ends after a count, and after a time" ends_by_itself
check "the program dies, the next takes its place" program_dies
check "the module goes in the midst of traffic" module_goes
say_end
