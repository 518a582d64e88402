#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Count the instructions of a take and a give in user space, with callgrind.

Each program is run twice, for N and for 2 N pairs: the difference is N pairs and
nothing else. The loop around them is in it; the subject "nothing" is the loop.
"""
import collections
import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from common import BIN, QUICK, SUBJECTS, USUAL, say, write_lines

PAIRS = 32 * 1000       # whole bursts
CASES = ["pair", "bulk32"] if QUICK else ["pair", "burst32", "bulk32"]
NOT_FOR_IT = 3


def instructions(subject, case, pairs):
    """What the program executes, function by function; nothing if it cannot."""
    with tempfile.NamedTemporaryFile(prefix="callgrind.") as out:
        args = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out.name,
                os.path.join(BIN, subject), case, "1", *map(str, USUAL), "exactly", str(pairs)]
        done = subprocess.run(args, capture_output=True, text=True, check=False)
        if done.returncode == NOT_FOR_IT:
            return {}
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1])
        listing = subprocess.run(
            ["callgrind_annotate", "--threshold=100", "--show-percs=no", out.name],
            capture_output=True, text=True, check=True).stdout
    counts = collections.Counter()
    for number, function in re.findall(r"^ *([\d,]+) +\S+:(\S+)", listing, re.MULTILINE):
        counts[function] += int(number.replace(",", ""))
    return counts


def count_cases(subject):
    for case in CASES:
        once = instructions(subject, case, PAIRS)
        if not once:
            continue
        twice = instructions(subject, case, 2 * PAIRS)
        twice.subtract(once)
        yield {"world": "insn", "subject": subject, "case": case, "threads": 1,
               "blocks": USUAL[0], "block_size": USUAL[1], "unit": "instructions",
               "samples": [round(twice.total() / PAIRS, 2)],
               "functions": {name: round(number / PAIRS, 2)
                             for name, number in twice.most_common()
                             if number >= PAIRS / 10}}


def count(subject):
    """The lines of a subject; what could not be built, user.py speaks of."""
    if not os.path.exists(os.path.join(BIN, subject)):
        return []
    try:
        return list(count_cases(subject))
    except RuntimeError as error:
        say(f"  {subject} is missing: {error}")
        return [{"world": "insn", "subject": subject, "missing": str(error)}]


def main():
    # Whatever else runs, the numbers are the same: so all CPUs at once.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        write_lines("insn", [line for lines in pool.map(count, SUBJECTS)
                             for line in lines])


if __name__ == "__main__":
    main()
