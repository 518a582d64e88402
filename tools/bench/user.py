#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Time the user-space subjects, in rounds: a round has each subject do each case once."""
import os
import subprocess
import sys
import time

from common import BIN, QUICK, SIZED_BLOCK, SIZES, SUBJECTS, USUAL, say, write_lines

ROUNDS = 5 if QUICK else 9
SLICES, SLICE_US = (9, 1000) if QUICK else (15, 2000)
TIMEOUT = 120       # seconds for a program; the slowest needs five
NOT_FOR_IT = 3      # exit status of a program whose subject has no such case

# Case, threads, blocks, bytes a block. The programs say what a case is.
CASES = [(case, threads, *USUAL)
         for case in ("pair", "burst32", "bulk32") for threads in (1, 2)]
CASES += [("deep", 1, *USUAL), ("cross", 2, *USUAL)]
CASES += [("full", 1, 1 << size, SIZED_BLOCK) for size in SIZES]
ONCE = [("owners", 1, *USUAL)]      # counted, not timed
WRONG = ["counter"]                 # who is here for what it does in that case

# What says nothing of a subject, or does not end.
NOT_DONE = {
    ("nothing", "owners"), ("nothing", "bulk32"),
    *(("linear", 1 << size) for size in SIZES if size > 16),
}


class Missing(Exception):
    """Why a subject cannot be measured."""


class Results:
    """Lines by what was measured, each with a sample a round."""

    def __init__(self):
        self.lines = {}

    def add(self, subject, test, unit, value):
        line = {"world": "user", "subject": subject, "case": test[0],
                "threads": test[1], "blocks": test[2], "block_size": test[3],
                "unit": unit, "samples": []}
        self.lines.setdefault((subject, *test), line)["samples"].append(value)

    def miss(self, subject, test, why):
        """A subject as a whole is missing if there is no test."""
        self.lines[(subject, *test)] = {"world": "user", "subject": subject, "missing": why}
        if test:
            self.lines[(subject, *test)]["case"] = test[0]
        say(f"  {subject} is missing: {why}")

    def misses(self, subject, test):
        return any("missing" in self.lines.get(key, ())
                   for key in ((subject,), (subject, *test)))


def why_not_built(subject):
    try:
        with open(os.path.join(BIN, subject + ".log"), encoding="utf-8") as log:
            errors = [line.strip() for line in log if "error" in line or "cannot" in line]
    except OSError:
        errors = []
    return errors[0] if errors else "could not be built"


def run(subject, test):
    """Cases, units and values; none if the subject has no such case."""
    args = [os.path.join(BIN, subject), *map(str, test), str(SLICES), str(SLICE_US)]
    try:
        done = subprocess.run(args, capture_output=True, text=True, timeout=TIMEOUT,
                              check=False)
    except subprocess.TimeoutExpired:
        raise Missing(f"{test[0]} took more than {TIMEOUT} s") from None
    if done.returncode == NOT_FOR_IT:
        return []
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise Missing(f"{test[0]}: {why}")
    return [line.split() for line in done.stdout.splitlines()]


def measure(results, subject, test):
    if results.misses(subject, test) or \
            {(subject, test[0]), (subject, test[2])} & NOT_DONE:
        return
    try:
        for case, unit, value in run(subject, test):
            results.add(subject, (case, *test[1:]), unit, float(value))
            if case == "owners" and float(value) and subject not in WRONG:
                results.miss(subject, (), "hands one block to two owners")
    except Missing as missing:
        results.miss(subject, test, str(missing))


def do_round(results, number, tests):
    """Who comes first differs from round to round: none always follows the same."""
    names = list(SUBJECTS)
    names = names[number % len(names):] + names[:number % len(names)]
    for test in tests:
        if sys.stderr.isatty():
            print(f"\r  {test[0]}, {test[1]} threads, {test[2]} blocks\033[K", end="",
                  file=sys.stderr, flush=True)
        for subject in names:
            measure(results, subject, test)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)


def main():
    results = Results()
    for subject in SUBJECTS:
        if not os.path.exists(os.path.join(BIN, subject)):
            results.miss(subject, (), why_not_built(subject))
    cases = CASES if len(os.sched_getaffinity(0)) > 1 else \
        [test for test in CASES if test[1] == 1]
    start = time.monotonic()
    for number in range(ROUNDS):
        do_round(results, number, cases if number else ONCE + cases)
        say(f"  round {number + 1} of {ROUNDS} done, {time.monotonic() - start:.0f} s")
    write_lines("user", results.lines.values())


if __name__ == "__main__":
    main()
