#!/usr/bin/env python3
"""Instructions of a victim selection among a million segments, against one among a thousand.

usage: tools/selection_instructions.py [BENCH]    BENCH: a built victim_selection_bench

Runs the benchmark under callgrind, which counts instructions exactly and needs no performance
counters, and fails if any policy executes more than 1.5 times as many among a million segments.
The count covers the whole turn of a cleaner, updates included, and the share of it in numbering
the segments anew.
"""

import concurrent.futures
import os
import re
import subprocess
import sys

LIMIT = 1.5
SMALL = 1000
LARGE = 1_000_000


def count(bench, name):
    """Instructions in what the benchmark measures, and how often it measures."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--toggle-collect=*::SelectionModel::Measured*", bench,
         f"--benchmark_filter=^{name}/", "--benchmark_format=csv"],
        capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    rows = [row for row in run.stdout.splitlines() if row.startswith('"')]
    if run.returncode != 0 or not collected or len(rows) != 1:
        sys.exit(f"{name}: no count\n{run.stdout}{run.stderr}")
    header = next(row for row in run.stdout.splitlines() if row.startswith("name,"))
    values = dict(zip(header.split(","), rows[0].split(",")))
    return int(collected[1]), float(values['"measured"'])


def policies(bench):
    names = subprocess.run([bench, "--benchmark_list_tests"], capture_output=True, text=True,
                           check=True).stdout
    return re.findall(rf"^BM_Selection/(\S+)/{LARGE}/", names, re.MULTILINE)


def main():
    bench = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                            "bazel-bin/bench/victim_selection_bench")
    names = policies(bench)
    wanted = [f"BM_Renumbering/{LARGE}"]
    wanted += [f"BM_Selection/{name}/{n}" for name in names for n in (LARGE, SMALL)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(wanted, pool.map(lambda name: count(bench, name), wanted)))
    per_turn = {name: total / times for name, (total, times) in counts.items()}

    print(f"numbering the segments anew: at most {per_turn[wanted[0]]:.0f} instructions a seal")
    print(f"{'policy':20}{SMALL:>12,}{LARGE:>12,}{'ratio':>8}")
    too_many = []
    for name in names:
        small = per_turn[f"BM_Selection/{name}/{SMALL}"]
        # A small table is numbered anew several times in the run, a large one is not.
        large = per_turn[f"BM_Selection/{name}/{LARGE}"] + per_turn[wanted[0]]
        print(f"{name:20}{small:12.0f}{large:12.0f}{large / small:8.2f}")
        if large > LIMIT * small:
            too_many.append(name)
    if too_many or not names:
        sys.exit(f"more than {LIMIT} times the instructions: {', '.join(too_many) or 'no policy'}")


if __name__ == "__main__":
    main()
