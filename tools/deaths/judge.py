# SPDX-License-Identifier: GPL-2.0
"""What the post-mortem says beside what was so."""
import collections
import re

PORT = 1 << 30  # BLOCKPOOL_OWNER_PORT
STATES = {"free": 0, "kernel": 1, "quarantine": 2, "shared": 3}
SHOWN = 8  # errors of a kind that are written down
IN_A_CALL = 24  # blocks that a process of tools/deaths/load moves in one call

TOTALS = re.compile(r"blockpool: (\S+): (\d+) blocks of \d+ bytes: (\d+) free, "
                    r"(\d+) with clients, (\d+) with the kernel, (\d+) in flight")

Said = collections.namedtuple("Said", "owner sure")


class Verdict:
    """Of one death; what it counts is to be 0."""

    def __init__(self):
        self.threads = 0  # CPUs whose last thread is another
        self.blocks = 0  # that have another holder, or of which nothing is known
        self.unwarned = 0  # of these, stated as sure: see warned()
        self.instant = False  # they are of the instant, and all that is wrong with holders
        self.clients = 0  # holders whose process is another
        self.unsure = 0  # blocks in all that the post-mortem would not swear to
        self.whole = 0  # blocks that there were
        self.log = 0  # pools of which the panic's log says something else
        self.faults = []  # in words

    def fault(self, text):
        self.faults.append(text)

    def threads_right(self):
        return not self.threads

    def holders_right(self):
        return not self.blocks and not self.clients


def owner_of(run):
    state = run["state"]
    if state == "client":
        return run["client"]
    if "port" in run:
        return PORT + run["port"]
    return STATES.get(state)


def table_of(pool):
    """A block's owner, by index; a block that no run covers is not there."""
    table = {}
    for run in pool["runs"]:
        said = Said(owner_of(run), run["sure"])
        for index in range(run["first"], run["first"] + run["count"]):
            table[index] = said
    return table


def judge_threads(truth, story, verdict):
    said = {cpu["cpu"]: cpu for cpu in story["cpus"] if cpu["known"]}
    for number, (pid, comm) in truth.threads.items():
        cpu = said.get(number)
        if cpu is None or cpu["pid"] != pid:
            verdict.threads += 1
            verdict.fault(f"CPU {number} ran {comm} ({pid}), not "
                          + (f"{cpu['comm']} ({cpu['pid']})" if cpu else "unknown"))


def judge_blocks(name, words, table, verdict):
    unknown = Said(None, False)
    shown = 0
    for index, word in enumerate(words):
        said = table.get(index, unknown)
        verdict.whole += 1
        verdict.unsure += not said.sure
        if said.owner == word:
            continue
        verdict.blocks += 1
        verdict.unwarned += said.sure
        shown += 1
        if shown <= SHOWN:
            verdict.fault(f"{name}: block {index} was of {word:#x}, said to be of "
                          f"{said.owner}, {'sure' if said.sure else 'not sure'}")


def judge_clients(name, words, pool, truth, verdict):
    """A client that its process had no time to tell of is left out."""
    said = {client["client"]: client["pid"] for client in pool["clients"]}
    for word in sorted(set(words)):
        pid, comm = truth.clients.get((name, word), (None, None))
        if pid is not None and said.get(word) != pid:
            verdict.clients += 1
            verdict.fault(f"{name}: client {word} was {comm} ({pid}), "
                          f"not process {said.get(word)}")


def totals_of(words):
    """Blocks, free, with clients, with the kernel, in flight: as the log has them."""
    free, kernel = words.count(0), words.count(1)
    in_flight = sum(word >= PORT or word == STATES["shared"] for word in words)
    clients = len(words) - free - kernel - in_flight
    return [len(words), free, clients, kernel, in_flight]


def judge_log(truth, console, verdict):
    """A panic's, in which calls that were cut short may be counted half."""
    said = {match[1]: [int(number) for number in match.groups()[1:]]
            for match in TOTALS.finditer(console)}
    slack = IN_A_CALL * len(truth.threads)
    for name, words in truth.owners.items():
        was, says = totals_of(words), said.get(name)
        if says is None or any(abs(a - b) > slack for a, b in zip(was, says)):
            verdict.log += 1
            verdict.fault(f"{name}: the log's totals are {says}, not {was}")


def warned(truth, story, verdict):
    """Without a panic, a CPU may have stopped between a change and its event. If the
    post-mortem says so, that is warning enough, for so many blocks."""
    says = any(kind["kind"] == "instant" for kind in story["missing"])
    return says and verdict.unwarned <= IN_A_CALL * len(truth.threads)


def judge(truth, story):
    verdict = Verdict()
    judge_threads(truth, story, verdict)
    pools = {pool["name"]: pool for pool in story["pools"] if not pool["destroyed"]}
    for name, words in truth.owners.items():
        pool = pools.get(name, {"runs": [], "clients": []})
        judge_blocks(name, words, table_of(pool), verdict)
        judge_clients(name, words, pool, truth, verdict)
    if warned(truth, story, verdict):
        verdict.instant = 0 < verdict.unwarned == verdict.blocks and not verdict.clients
        verdict.unwarned = 0
    return verdict
