# SPDX-License-Identifier: GPL-2.0
"""What the project set out to reach, and whether one run's figures do."""
from common import MESSAGES, SIZED_BLOCK, USUAL, median, ratios

SMALL, LARGE = (1 << 8, SIZED_BLOCK), (1 << 22, SIZED_BLOCK)


def user(subject, case="pair", threads=1, pool=USUAL):
    return ("user", subject, case, threads, *pool)


def handover(subject, case):
    return ("handover-uml", subject, case, 2, *MESSAGES)


def polled(subject, case):
    return ("polled-uml", subject, case, 2, *MESSAGES)


def uml(subject, case="pair", threads=1, pool=USUAL):
    return ("uml", subject, case, threads, *pool)


# What, at most, the figure, and by what it is divided, if by anything.
LIMITS = [
    ("library, pair / array, both called in a shared object", 1.3,
     user("blockpool-shared"), user("array-shared")),
    ("library, pair / array, both called in the executable", 1.3,
     user("blockpool-static"), user("array-calls")),
    ("library, pair, called in the executable / array, inlined", 1.3,
     user("blockpool-static"), user("array-inline")),
    ("library (shared), pair / rte_mempool cached", 0.85,
     user("blockpool-shared"), user("rte_mempool-cached")),
    ("library (static), pair / rte_mempool cached", 0.85,
     user("blockpool-static"), user("rte_mempool-cached")),
    ("library (shared), bulk of 32 / rte_mempool cached", 1.0,
     user("blockpool-shared", "bulk32"), user("rte_mempool-cached", "bulk32")),
    ("library (static), bulk of 32 / rte_mempool cached", 1.0,
     user("blockpool-static", "bulk32"), user("rte_mempool-cached", "bulk32")),
    ("library (shared), pair, 2 threads / 1 thread", 1.1,
     user("blockpool-shared", threads=2), user("blockpool-shared")),
    ("library (static), pair, 2 threads / 1 thread", 1.1,
     user("blockpool-static", threads=2), user("blockpool-static")),
    ("take in A, free in B: ioctls a block to take (stand-in)", 1 / 8,
     user("blockpool-shared", "cross-take", 2), None),
    ("take in A, free in B: ioctls a block to free (stand-in)", 1 / 8,
     user("blockpool-shared", "cross-give", 2), None),
    ("take in A, free in B: ioctls a block to take (module in UML)", 1 / 8,
     uml("libblockpool", "cross-take", 2), None),
    ("take in A, free in B: ioctls a block to free (module in UML)", 1 / 8,
     uml("libblockpool", "cross-give", 2), None),
    ("kernel in UML, pair / kmem_cache", 0.2, uml("blockpool"), uml("kmem_cache")),
    ("kernel in UML, pair / mempool", 0.15, uml("blockpool"), uml("mempool")),
    ("kernel in UML, pair / compare-and-exchange stack", 0.6,
     uml("blockpool"), uml("cas-stack")),
    ("kernel in UML, pair, 2 CPUs / 1 CPU", 1.15,
     uml("blockpool", threads=2), uml("blockpool")),
    # 60, and the no-ops of the events take and free
    ("kernel, pair: instructions, all checks on", 62,
     ("insn", "blockpool", "pair", 1, *USUAL), None),
    ("library (shared), same blocks of 2^22 / of 2^8", 1.1,
     user("blockpool-shared", "same", pool=LARGE),
     user("blockpool-shared", "same", pool=SMALL)),
    ("kernel in UML, pair in 2^22 blocks / in 2^8", 1.1,
     uml("blockpool", pool=LARGE), uml("blockpool", pool=SMALL)),
    ("kernel memory beside the blocks, bytes a block", 16,
     uml("blockpool", "memory", pool=LARGE), None),
]

HANDOVER_LIMITS = [
    ("ports, 32 a call / AF_UNIX seqpacket, one a call", 0.25,
     handover("blockpool ports", "batch32"), handover("AF_UNIX seqpacket", "single")),
    ("ports, round trip by CALL / shared memory ring, eventfd", 1.1,
     handover("blockpool ports, CALL", "roundtrip"),
     handover("shared memory ring, eventfd", "roundtrip")),
    ("ports, round trip by SEND and RECV / shared memory ring, eventfd", 1.1,
     handover("blockpool ports", "roundtrip"),
     handover("shared memory ring, eventfd", "roundtrip")),
]

CHANNEL, BARE = "blockpool channel, busy polling", "bare index ring, busy polling"
POLLED_LIMITS = [
    ("channel, one a call / bare index ring", 1.2,
     polled(CHANNEL, "polled"), polled(BARE, "polled")),
    ("channel, 32 a call / bare index ring", 1.2,
     polled(CHANNEL, "polled32"), polled(BARE, "polled32")),
    ("channel, round trip / bare index ring", 1.2,
     polled(CHANNEL, "polledtrip"), polled(BARE, "polledtrip")),
]


def judge(results, limits):
    """(what, limit, samples, verdict) of each; no samples if a figure is missing."""
    for what, limit, above, below in limits:
        samples = results.samples(above)
        if below:
            samples = ratios(samples, results.samples(below))
        if samples:
            verdict = "PASS" if median(samples) <= limit else "MISSED"
        else:
            verdict = "not measured"
        yield what, limit, samples, verdict
