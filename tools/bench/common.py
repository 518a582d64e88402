# SPDX-License-Identifier: GPL-2.0
"""Who is measured, where results lie, and how one is written down."""
import json
import os
import statistics
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
OUT = os.path.join(TOP, "build", "bench")
BIN = os.path.join(OUT, "bin")
QUICK = os.environ.get("QUICK", "") not in ("", "0")

# Programs of the Makefile, in the order of the tables: what they are called there.
SUBJECTS = {
    "blockpool-shared": "libblockpool, shared object",
    "blockpool-static": "libblockpool, static",
    "array-inline": "thread-local array, inlined",
    "array-calls": "thread-local array, two calls in the executable",
    "array-shared": "thread-local array, two calls in a shared object",
    "rte_mempool-cached": "DPDK rte_mempool, cache of 512",
    "rte_mempool": "DPDK rte_mempool, no cache",
    "rte_stack": "DPDK rte_stack, lock",
    "rte_stack-lf": "DPDK rte_stack, lock-free",
    "tcmalloc": "tcmalloc",
    "jemalloc": "jemalloc",
    "mimalloc": "mimalloc",
    "glibc": "glibc malloc",
    "ck_stack": "ck_stack",
    "boost-stack": "boost::lockfree::stack",
    "shm-mutex": "shared memory, robust mutex",
    "bitmap": "bitmap from the last hit, mutex",
    "linear": "linear search of flags, mutex",
    "counter": "counter that frees in order, mutex",
    "nothing": "(the loop alone)",
}

# Blocks and bytes a block: of most cases, and of those about the pool's size.
USUAL = (4096, 2048)
SIZES = [8, 12, 16, 22] if QUICK else [8, 10, 12, 14, 16, 18, 20, 22]
SIZED_BLOCK = 64

# Messages that are on their way at most, and bytes of one: of handover/.
MESSAGES = (128, 2048)


def say(text):
    print(text, file=sys.stderr, flush=True)


def write_lines(name, lines):
    """A file of results, which the report finds by its ending."""
    with open(os.path.join(OUT, name + ".jsonl"), "w", encoding="utf-8") as file:
        for line in lines:
            print(json.dumps(line), file=file)


def ratios(above, below):
    """Round by round, so that what slows the machine down slows both."""
    return [a / b for a, b in zip(above, below) if b]


def median(samples):
    return statistics.median(samples)
