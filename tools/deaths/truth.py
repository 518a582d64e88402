# SPDX-License-Identifier: GPL-2.0
"""Who ran and who held what, read in the memory of a machine that stands still."""
import struct

LIMBO = 1 << 31  # free, and not in the depot yet: see kmod/owner.h
GOING = LIMBO | 1 << 30  # from the client that the other bits name, as the world is told


def told(word):
    if word & GOING == GOING:
        return word & ~GOING
    return 0 if word & LIMBO else word


class Truth:
    """What tools/deaths/load has told of the machine, and what is read there."""

    def __init__(self):
        self.places = {}  # of the pointer to the current thread, by CPU
        self.pools = {}  # place and size of owner tables, by name
        self.clients = {}  # pid and comm, by pool and number
        self.offsets = None
        self.threads = {}  # pid and comm, by CPU
        self.owners = {}  # words, by pool

    def told(self, lines):
        for line in lines:
            words = line.split()
            if line.startswith("cpu "):
                self.places[int(words[1])] = int(words[2], 0)
            elif line.startswith("thread "):
                self.offsets = int(words[1]), int(words[2])
            elif line.startswith("pool "):
                self.pools[words[1]] = int(words[2], 0), int(words[3])
            elif line.startswith("client "):
                self.clients[words[1], int(words[2])] = int(words[3]), words[4]

    def read(self, machine):
        for cpu, place in self.places.items():
            self.threads[cpu] = self.read_thread(machine, place)
        for name, (place, count) in self.pools.items():
            table = struct.unpack(f"<{count}I", machine.memory(place, 4 * count))
            self.owners[name] = [told(word) for word in table]

    def read_thread(self, machine, place):
        task, = struct.unpack("<Q", machine.memory(place, 8))
        pid_offset, comm_offset = self.offsets
        pid, = struct.unpack("<i", machine.memory(task + pid_offset, 4))
        comm = machine.memory(task + comm_offset, 16).split(b"\0")[0]
        return pid, comm.decode(errors="replace")
