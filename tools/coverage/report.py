# SPDX-License-Identifier: GPL-2.0
"""report.py - what the tests ran, file by file, and each place that they did not

    python3 report.py NAME.json ...

reads what gcovr has measured and prints a table for each of its files, then the
places: lines never run, with the branch never taken that leads to them, and other
branches never taken. "uncovered" beside this file has the reasons."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Reasons:
    """What the file "uncovered" says: a reason, and below it the places, each as
    "file function: text" with some text of its lines, or none."""

    def __init__(self, path):
        self.entries = []
        reason = None
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith("#") or not line.strip():
                    continue
                if not line[0].isspace():
                    reason = line.strip()
                else:
                    where, _, text = line.partition(":")
                    self.entries.append((*where.split(), text.strip(), reason))

    def of(self, place):
        for name, function, text, reason in self.entries:
            if (name, function) == (place.file, place.function) and text in place.text:
                return reason
        return None

    def void(self, sources):
        """Places that are no more. Others may be covered this time, by chance."""
        code = {source.name: "\n".join(source.text) for source in sources}
        return [entry[:3] for entry in self.entries
                if entry[0] not in code or entry[1] not in code[entry[0]]
                or entry[2] not in code[entry[0]]]


class Place:
    """Lines in a row of one function that share a cause."""

    def __init__(self, source, function, line):
        self.file = source.name
        self.function = function
        self.lines = [line["line_number"]]
        self.source = source

    @property
    def text(self):
        return "\n".join(self.source.text[self.lines[0] - 1:self.lines[-1]])

    def __str__(self):
        first, last = self.lines[0], self.lines[-1]
        number = f"{first}-{last}" if first != last else f"{first}"
        code = self.source.text[first - 1].strip()
        return f"{number:>9}  {self.function}: {code}"


class Source:
    """A file with its lines' and branches' counts."""

    def __init__(self, data):
        self.name = data["file"]
        self.lines = [line for line in data["lines"]
                      if not (line["gcovr/noncode"] or line["gcovr/excluded"])]
        self.functions = sorted((f["lineno"], f["name"]) for f in data["functions"])
        with open(self.name, encoding="utf-8") as file:
            self.text = file.read().split("\n")

    def counts(self):
        branches = [b["count"] for line in self.lines for b in line["branches"]]
        return (sum(line["count"] > 0 for line in self.lines), len(self.lines),
                sum(count > 0 for count in branches), len(branches))

    def function_at(self, number):
        return next((name for first, name in reversed(self.functions)
                     if first <= number), "-")

    def places(self):
        """A branch never taken and the lines behind it are one place."""
        place = None
        for line in self.lines:
            run = line["count"] > 0
            function = self.function_at(line["line_number"])
            if place and not run and place.function == function:
                place.lines.append(line["line_number"])
                continue
            if place:
                yield place
            place = None
            if not run or not all(b["count"] for b in line["branches"]):
                place = Place(self, function, line)
        if place:
            yield place


def percent(part, whole):
    return f"{100 * part / whole:5.1f} %" if whole else "     - "


def row(name, counts):
    run, lines, taken, branches = counts
    print(f"{name:24} {percent(run, lines)} {run:6} of {lines:4}"
          f"   {percent(taken, branches)} {taken:6} of {branches:4}")


def add(counts):
    return [sum(column) for column in zip(*counts)]


def table(name, sources):
    print(f"\n{name:24}   lines                   branches")
    for source in sources:
        row(source.name, source.counts())
    total = add(source.counts() for source in sources)
    row("together", total)
    return total


def show_places(name, sources, reasons):
    """How many there are, and how many of them have no reason."""
    places = [place for source in sources for place in source.places()]
    unexplained = 0
    print(f"\n{name}: lines not run, branches not taken")
    last = None
    for place in places:
        if place.file != last:
            last = place.file
            print(last)
        reason = reasons.of(place)
        unexplained += not reason
        print(f"{place}\n{'':11}-- {reason or 'NO REASON GIVEN'}")
    return len(places), unexplained


def main(paths):
    reasons = Reasons(os.path.join(HERE, "uncovered"))
    groups = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            sources = [Source(data) for data in json.load(file)["files"]]
        name = os.path.basename(path).removesuffix(".json")
        groups.append((name, sorted(sources, key=lambda source: source.name)))

    found = add(show_places(*group, reasons) for group in groups)
    for entry in reasons.void([source for _, sources in groups for source in sources]):
        print("uncovered: there is no more:", *entry)
    total = add(table(*group) for group in groups)
    print()
    row("all", total)
    print(f"{found[0]} places not covered, {found[1]} of them with no reason given")


if __name__ == "__main__":
    main(sys.argv[1:])
