#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Make tables, verdicts and the picture of all results that lie in build/bench."""
import glob
import json
import os
import platform
import subprocess
import sys

import picture
from common import MESSAGES, OUT, SIZED_BLOCK, SUBJECTS, TOP, USUAL, median, ratios, say
from limits import BARE, HANDOVER_LIMITS, LARGE, LIMITS, POLLED_LIMITS, SMALL, judge

NOTES = """\
A figure is the median of the rounds, with the least and the greatest of them, in
nanoseconds a pair: a block taken and given back. A round's own figure is the median of
its slices. All subjects take turns in each round, so that what slows the machine down
slows all of them.

* *pair*: take a block and give it back. *burst32*: take 32, give them back in another
  order. *bulk32*: the same by one call each way, for a block of the 32. *deep*: take
  1024, give them back. *cross*: one thread takes, another gives back, with a ring
  between them; the row of the loop alone is that ring.
* The blocks of 2 KiB are not touched by the loops. What a peer does to a block itself
  (a link in it, a header) is in its figure.
* libblockpool runs here without its module. Where it asks the kernel, a stand-in for
  `/dev/blockpool` enters the kernel for real (an ioctl that is refused), and then moves
  the blocks between arrays under a mutex in user space: the cost of a miss is that of
  a system call and a stack, not that of the module. The world *uml* has the module.
* The thread-local array checks nothing and cannot give back what another thread took.
* Two threads run on a CPU each, at the same time; the figure is that of one thread.
"""

UML_NOTES = """\
The module in User-Mode Linux: native code on this machine. Masking interrupts costs
about 1 us there and a system call about 17 us, many times what hardware takes: whoever
does one of these looks worse here than it is. Only ratios mean something.
"""

HANDOVER_NOTES = """\
Messages of 2 KiB from one process to another, each with a CPU of its own: the sender
writes all of a message, the receiver reads and checks all of it, and whoever has
nothing to do sleeps. Up to 128 are on their way. A round trip is a message and its
answer, both waited for, on one CPU of this machine. Ratios are those within a round, to
seqpacket with one message a call and to the ring's round trip.
"""

POLLED_NOTES = """\
Who has nothing to do polls, with a CPU of its own, and nobody enters the kernel.
*Untouched*: no message is written or read.
"""

MARK = "<!-- tools/bench/bench readme -->"
HANDOVER_MARK = "<!-- tools/bench/bench readme: handover -->"
POLLED_MARK = "<!-- tools/bench/bench readme: polled -->"


class Results:
    """All that was measured, by what it is."""

    def __init__(self):
        self.lines = []
        for name in sorted(glob.glob(os.path.join(OUT, "*.jsonl"))):
            with open(name, encoding="utf-8") as file:
                self.lines += [json.loads(line) for line in file if line.strip()]
        self.found = {(line["world"], line["subject"], line["case"], line["threads"],
                       line["blocks"], line["block_size"]): line["samples"]
                      for line in self.lines if "samples" in line}

    def samples(self, key):
        """The samples of (world, subject, case, threads, blocks, block_size)."""
        return self.found.get(key, [])

    def subjects(self, world):
        return list(dict.fromkeys(line["subject"] for line in self.lines
                                  if line["world"] == world))

    def missing(self, world):
        """Reasons by subject and, if it is not missing as a whole, case."""
        return {(line["subject"], line.get("case")): line["missing"]
                for line in self.lines if line["world"] == world and "missing" in line}

    def sizes(self):
        """Logarithms of the pool sizes that there are figures of."""
        return sorted({key[4].bit_length() - 1 for key in self.found if key[2] == "random"})

    def rounds(self, world):
        return max((len(samples) for key, samples in self.found.items()
                    if key[0] == world), default=0)


def number(value):
    """Three digits that say something."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}" if value else "0"


def cell(samples):
    if not samples:
        return "-"
    if len(samples) == 1:
        return number(samples[0])
    return f"{number(median(samples))} ({number(min(samples))}–{number(max(samples))})"


def brief(samples):
    return number(median(samples)) if samples else "-"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def pivot(results, world, columns, names, show=cell):
    """A row a subject and a column a case; who has no figure is left out."""
    rows = []
    for subject in names:
        cells = [show(results.samples((world, subject, *key))) for _, key in columns]
        if set(cells) != {"-"}:
            rows.append([SUBJECTS.get(subject, subject), *cells])
    return table(["", *(title for title, _ in columns)], rows)


def missing_lines(results, world):
    lines = [f"* missing: {SUBJECTS.get(subject, subject)}: {why}"
             for (subject, _), why in results.missing(world).items()]
    return [*lines, ""] if lines else []


def columns_of(cases, threads, pool):
    return [(f"{case}, {n}", (case, n, *pool)) for case in cases for n in threads]


def machine():
    """What the figures are true of."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpuinfo = file.read()
    model = next((line.split(":")[1].strip() for line in cpuinfo.splitlines()
                  if line.startswith("model name")), platform.machine())
    compiler = subprocess.run([os.environ.get("CC", "cc"), "--version"], check=True,
                              capture_output=True, text=True).stdout.splitlines()[0]
    return {
        "cpu": model, "cpus": len(os.sched_getaffinity(0)),
        "virtual": " hypervisor" in cpuinfo,
        "kernel": platform.release(), "compiler": compiler,
        "libc": " ".join(platform.libc_ver()), "load": os.getloadavg()[0],
    }


def machine_lines(facts, rounds):
    guest = ", a virtual machine" if facts["virtual"] else ""
    return [f"{facts['cpu']}, {facts['cpus']} CPUs{guest}; Linux {facts['kernel']}; "
            f"{facts['compiler']}; {facts['libc']}; {rounds} rounds; load average "
            f"{facts['load']:.1f} at the end.", ""]


def user_tables(results):
    names = list(SUBJECTS)
    usual = columns_of(["pair", "burst32", "bulk32"], [1, 2], USUAL)
    usual += [("deep, 1", ("deep", 1, *USUAL)), ("cross, 2", ("cross", 2, *USUAL))]
    sizes, same = ([(f"2^{n}", (case, 1, 1 << n, SIZED_BLOCK)) for n in results.sizes()]
                   for case in ("random", "same"))
    owners = [("takes of 10000", ("owners", 1, *USUAL))]
    calls = [(title, (case, 2, *USUAL)) for title, case in
             (("to take", "cross-take"), ("to give back", "cross-give"))]
    library = [name for name in names if name.startswith("blockpool")]
    return [
        "## User space", "", f"A pool of {USUAL[0]} blocks of {USUAL[1]} bytes; case and "
        "threads:", "", *pivot(results, "user", usual, names),
        *missing_lines(results, "user"), NOTES,
        "### Cost against the pool's size", "", f"All but 32 blocks are held (of "
        f"{SIZED_BLOCK} bytes), and random ones of them are given back and taken again:",
        "", *pivot(results, "user", sizes, names),
        "In the same pools, only the same 32 of the held blocks:", "",
        *pivot(results, "user", same, names),
        "### Blocks handed to two owners", "", "All but 32 blocks are held, a random one "
        "is given back and one is taken. How often it is one that is still held:", "",
        *pivot(results, "user", owners, names),
        "### System calls a block, case cross", "",
        *pivot(results, "user", calls, library),
    ]


def function_rows(results):
    for line in results.lines:
        if "functions" in line and line["subject"].startswith("blockpool"):
            yield [f"{SUBJECTS[line['subject']]}, {line['case']}", ", ".join(
                f"{name} {number(count)}" for name, count in line["functions"].items())]


def instruction_tables(results):
    names = results.subjects("insn")
    own = [name for name in SUBJECTS if name in names]
    kernel = [name for name in names if name not in SUBJECTS]
    lines = ["## Instructions a pair", "", "Counted exactly, in user space with callgrind; "
             "the loop alone has a row of its own:", "",
             *pivot(results, "insn", columns_of(["pair", "burst32", "bulk32"], [1], USUAL),
                    own), *missing_lines(results, "insn"),
             "Where the library's go:", "",
             *table(["", "instructions a pair in"], function_rows(results))]
    if kernel:
        lines += ["In the kernel, in an emulator:", "",
                  *pivot(results, "insn", columns_of(["pair"], [1], USUAL), kernel)]
    return lines


def uml_tables(results):
    names = results.subjects("uml")
    lines = ["## The module, in User-Mode Linux", "", UML_NOTES,
             *missing_lines(results, "uml")]
    pools = sorted({key[4:] for key in results.found if key[0] == "uml"},
                   key=lambda pool: (pool != USUAL, pool))
    for pool in pools:
        keys = dict.fromkeys(key[2:4] for key in results.found if key[0] == "uml" and
                             key[4:] == pool and key[2] != "memory")
        columns = [(f"{case}, {threads}", (case, threads, *pool)) for case, threads in keys]
        lines += [f"A pool of {pool[0]} blocks of {pool[1]} bytes; case and CPUs:", "",
                  *pivot(results, "uml", columns, names)]
    return lines


def handover_table(results, world, show):
    """A way each row: a message, one and 32 a call, and a round trip, with ratios."""
    def samples(subject, case, factor=1.0):
        return [sample * factor for sample in
                results.samples((world, subject, case, 2, *MESSAGES))]

    stream = samples("AF_UNIX seqpacket", "single")
    trip = samples("shared memory ring, eventfd", "roundtrip")
    rows = []
    for subject in results.subjects(world):
        single, batch, back = (samples(subject, case)
                               for case in ("single", "batch32", "roundtrip"))
        if single or back:
            rows.append([subject, show(single), brief(ratios(single, stream)),
                         show(batch), brief(ratios(batch, stream)),
                         show(samples(subject, "roundtrip", 0.001)),
                         brief(ratios(back, trip))])
    return [*table(["", "one a call, ns", "/ seqpacket", "32 a call, ns",
                    "/ seqpacket", "round trip, us", "/ ring"], rows), *missing_lines(results, world)]


def handover_tables(results, show=cell):
    worlds = sorted({line["world"] for line in results.lines
                     if line["world"].startswith("handover-")}, reverse=True)
    lines = []
    for world in worlds:
        kernel = world.partition("-")[2]
        where = {"uml": "User-Mode Linux", "native": "This machine"}
        lines += [f"{where.get(kernel, f'Linux {kernel} in a guest')}, "
                  f"{results.rounds(world)} rounds:", "",
                  *handover_table(results, world, show)]
    return lines


def polled_tables(results, show=cell):
    """Ways that never sleep, in the guest, each case with the ratio to the bare ring."""
    cases = [("one a call, ns", "polled"), ("32 a call, ns", "polled32"),
             ("round trip, ns", "polledtrip"), ("untouched, ns", "untouched"),
             ("untouched, 32 a call", "untouched32")]
    lines = []
    for world in sorted({line["world"] for line in results.lines
                         if line["world"].startswith("polled-")}):
        rows = []
        for subject in results.subjects(world):
            row = [subject]
            for _, case in cases:
                samples, bare = (results.samples((world, name, case, 2, *MESSAGES))
                                 for name in (subject, BARE))
                row += [show(samples), brief(ratios(samples, bare))]
            rows.append(row)
        head = [text for title, _ in cases for text in (title, "/ bare")]
        lines += table(["", *head], rows)
    return lines


def limit_rows(results, limits, show):
    return [[what, f"{limit:g}", show(samples), verdict]
            for what, limit, samples, verdict in judge(results, limits)]


def limit_lines(results):
    rows = limit_rows(results, LIMITS + HANDOVER_LIMITS + POLLED_LIMITS, cell)
    return ["## Limits", "", "Ratios within a round, or plain figures; the median counts.",
            "", *table(["what", "at most", "is", ""], rows)]


def readme_lines(results, facts):
    """What README.md shows: medians only."""
    columns = [("pair", ("pair", 1, *USUAL)), ("2 threads", ("pair", 2, *USUAL)),
               ("burst of 32", ("burst32", 1, *USUAL)),
               ("bulk of 32", ("bulk32", 1, *USUAL)),
               ("full, 2^8", ("random", 1, *SMALL)), ("full, 2^22", ("random", 1, *LARGE))]
    kernel = [name for name in results.subjects("uml") if name not in ("libblockpool", "ioctl")]
    twice = brief(results.samples(("user", "counter", "owners", 1, *USUAL)))
    return [*pivot(results, "user", columns, list(SUBJECTS), brief),
            "Of 10000 blocks taken after frees in random order, the counter handed out "
            f"{twice} that were still held.", "",
            "In the kernel, User-Mode Linux:", "",
            *pivot(results, "uml", columns[:4], kernel, brief),
            *table(["limit, of medians in one run", "at most", "is", ""],
                   limit_rows(results, LIMITS, brief)),
            *machine_lines(facts, results.rounds("user"))]


def handover_readme_lines(results):
    return [*handover_tables(results, brief),
            *table(["limit, median of ratios", "at most", "is", ""],
                   limit_rows(results, HANDOVER_LIMITS, brief))]


def polled_readme_lines(results):
    return [*polled_tables(results, brief),
            *table(["limit, median of ratios", "at most", "is", ""],
                   limit_rows(results, POLLED_LIMITS, brief))]


def update_readme(mark, lines):
    """Puts the lines between the marks in README.md."""
    path = os.path.join(TOP, "README.md")
    with open(path, encoding="utf-8") as file:
        before, found, rest = file.read().partition(mark)
    if not found or mark not in rest:
        raise SystemExit(f"README.md has not twice the line {mark}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + mark + "\n\n" + "\n".join(lines).strip() + "\n\n" + mark +
                   rest.partition(mark)[2])


def readme(results, facts):
    """What was not measured stays as it is."""
    if results.rounds("user"):
        update_readme(MARK, readme_lines(results, facts))
    if results.rounds("handover-uml"):
        update_readme(HANDOVER_MARK, handover_readme_lines(results))
    if results.rounds("polled-uml"):
        update_readme(POLLED_MARK, polled_readme_lines(results))


def write(name, lines):
    path = os.path.join(OUT, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).rstrip() + "\n")
    return os.path.relpath(path)


def main():
    results, facts = Results(), machine()
    if sys.argv[1:] == ["--handover"]:
        lines = handover_readme_lines(results) if handover_tables(results) else []
        print("\n".join(lines + polled_readme_lines(results)).strip())
        return
    drawn = picture.draw(results)
    limits = limit_lines(results)
    report = ["# blockpool: benchmark", "", *machine_lines(facts, results.rounds("user")),
              *(["![cost against size and threads](cost.svg)", ""] if drawn else []),
              *user_tables(results), *uml_tables(results), *instruction_tables(results),
              "## Hand-over", "", HANDOVER_NOTES, *handover_tables(results),
              POLLED_NOTES, *polled_tables(results), *limits]
    write("results.json", [json.dumps({"machine": facts, "results": results.lines},
                                      indent=1)])
    path = write("report.md", report)
    if sys.argv[1:] == ["--readme"]:
        readme(results, facts)
    print("\n".join(limits))
    say(f"bench: all of it is in {path}")


if __name__ == "__main__":
    main()
