# SPDX-License-Identifier: GPL-2.0
"""Draw cost against the pool's size and against threads, with gnuplot."""
import math
import os
import subprocess

from common import OUT, SIZED_BLOCK, USUAL, median

# Colours that all can tell apart (Okabe and Ito), and a mark for each as well.
STYLES = {
    "blockpool-shared": ("libblockpool", "#0072b2", 7),
    "array-shared": ("thread-local array", "#777777", 4),
    "rte_mempool-cached": ("rte_mempool, cached", "#d55e00", 9),
    "rte_mempool": ("rte_mempool", "#d55e00", 8),
    "tcmalloc": ("tcmalloc", "#009e73", 5),
    "jemalloc": ("jemalloc", "#009e73", 4),
    "glibc": ("glibc malloc", "#56b4e9", 13),
    "ck_stack": ("ck_stack", "#cc79a7", 11),
    "shm-mutex": ("robust mutex", "#000000", 6),
    "bitmap": ("bitmap", "#cc79a7", 10),
    "linear": ("linear search", "#e69f00", 3),
}
BY_SIZE = ["blockpool-shared", "array-shared", "rte_mempool-cached", "glibc", "tcmalloc",
           "shm-mutex", "bitmap", "linear"]
BY_THREADS = ["blockpool-shared", "array-shared", "rte_mempool-cached", "rte_mempool",
              "tcmalloc", "jemalloc", "glibc", "ck_stack", "shm-mutex"]
APART = 0.045       # of the axis, between two labels

HEAD = """set encoding utf8
set terminal {terminal}
set output '{output}'
set multiplot layout 1,2
set logscale y
set grid ytics lt 1 lc '#cccccc' lw 0.5
set border 3 lc '#555555'
set tics nomirror
set rmargin 22
set key off
set ylabel 'nanoseconds a pair'
set style data linespoints
"""
TERMINALS = {
    "svg": "svg size 1200,560 font 'Helvetica,15' background '#ffffff'",
    "png": "pngcairo size 1200,560 font 'Helvetica,11' background '#ffffff'",
}


def curves(results, names, points):
    """Name and (x, median) of those that were measured at all."""
    for name in names:
        curve = [(x, median(samples)) for x, key in points
                 if (samples := results.samples(("user", name, *key)))]
        if curve:
            yield name, curve


def spread(heights, least):
    """The heights, moved as little as it takes to have them so far apart."""
    groups = []         # those that touch: the height of the lowest, and all names
    for name in sorted(heights, key=heights.get):
        groups.append((heights[name], [name]))
        while len(groups) > 1 and \
                groups[-1][0] - groups[-2][0] < least * len(groups[-2][1]):
            names = groups.pop(-2)[1] + groups.pop()[1]
            wish = sum(heights[name] - least * i for i, name in enumerate(names))
            groups.append((wish / len(names), names))
    return {name: low + least * i for low, names in groups for i, name in enumerate(names)}


def panel(title, xlabel, tics, shown):
    """One of the two pictures; each curve has its name at its last point."""
    left, right = tics[0][0], tics[-1][0]
    ends = {name: math.log10(curve[-1][1]) for name, curve in shown}
    values = [y for _, curve in shown for _, y in curve]
    low, high = math.log10(min(values)) - 0.1, math.log10(max(values)) + 0.1
    labels = spread(ends, APART * (high - low))
    lines = [f"set title '{title}'", f"set xlabel '{xlabel}'", "unset label",
             f"set xrange [{left}:{right}]",
             f"set yrange [{10 ** low}:{10 ** high}]",
             "set xtics (" + ", ".join(f"'{name}' {x}" for x, name in tics) + ")"]
    plots = []
    for number, (name, curve) in enumerate(shown):
        label, colour, mark = STYLES[name]
        x = curve[-1][0] + 0.03 * (right - left)
        lines.append(f"set label '{label}' at {x},{10 ** labels[name]} noenhanced "
                     f"tc rgb '{colour}'")
        lines.append(f"$curve{number} << END")
        lines += [f"{x} {y}" for x, y in curve]
        lines.append("END")
        width = 4 if name == "blockpool-shared" else 1.5
        plots.append(f"$curve{number} lc rgb '{colour}' lw {width} pt {mark} ps 0.9")
    lines.append("plot " + ", ".join(plots))
    return lines


def draw(results):
    """Writes cost.svg and cost.png; False if there is nothing to show."""
    sizes = [(size, ("random", 1, 1 << size, SIZED_BLOCK)) for size in results.sizes()]
    threads = [(n, ("pair", n, *USUAL)) for n in (1, 2)]
    by_size = list(curves(results, BY_SIZE, sizes))
    by_threads = list(curves(results, BY_THREADS, threads))
    if not by_size or not by_threads:
        return False
    lines = panel("A nearly full pool, blocks freed at random", "blocks in the pool",
                  [(size, f"2^{{{size}}}") for size in results.sizes()], by_size)
    lines += panel("A block taken and given back", "threads, each on a CPU",
                   [(1, "1"), (2, "2")], by_threads)
    for kind, terminal in TERMINALS.items():
        output = os.path.join(OUT, "cost." + kind)
        script = HEAD.format(terminal=terminal, output=output) + "\n".join(lines) + "\n"
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return True
