#!/usr/bin/env python3
"""Emulated relocation on a file against fio, on the same file, in alternation.

usage: tools/compare_with_fio.py [--file=PATH] [--gib=N] [--pairs=N] [--seconds=S] [--run=N,N...]

For each length of the source runs (in blocks of 4 KiB) copies with copy_engine_bench, then lets
fio read and write sequentially, half and half, with direct I/O and io_uring, and so on in turns.
A copy reads and writes each byte once, so that it is set against half of fio's total. Runs of 64
blocks and more: the block size and depth at which fio is best; shorter ones: fio has blocks of
the run's length, and its best depth. The figures are medians; the ratio is that of the pairs.

The file is created, written once and removed; one that is named and exists is overwritten.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

BENCH = "bazel-bin/bench/copy_engine_bench"
BLOCK = 4096
LONG_RUN = 64  # blocks
LONG_SIZES = [256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20]
LONG_DEPTHS = [4, 16, 64]
SHORT_DEPTHS = [16, 64, 128]


def output(command):
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{run.stdout}{run.stderr}")
    return run.stdout


def fio(args, *job):
    text = output(["fio", "--name=job", f"--filename={args.file}", f"--size={args.gib}g",
                   "--direct=1", "--ioengine=io_uring", "--output-format=json", *job])
    return json.loads(text[text.index("{"):])["jobs"][0]


def fio_rate(args, block_bytes, depth, seconds):
    """Half of what fio reads and writes, in MB/s."""
    job = fio(args, "--rw=rw", "--rwmixread=50", f"--bs={block_bytes}", f"--iodepth={depth}",
              "--time_based", f"--runtime={seconds}")
    return (job["read"]["bw_bytes"] + job["write"]["bw_bytes"]) / 2e6


def best_of_fio(args, sizes, depths):
    shapes = [(size, depth) for size in sizes for depth in depths]
    rates = {shape: [] for shape in shapes}
    for _ in range(2):
        for shape in shapes:
            rates[shape].append(fio_rate(args, *shape, 1))
    return max(shapes, key=lambda shape: sum(rates[shape]))


def our_rate(args, run_blocks, seconds):
    """What the copy engine copies, in MB/s, and the most of its buffers in use, in KiB."""
    text = output([BENCH, f"--file={args.file}", "--benchmark_format=json",
                   f"--benchmark_filter=^BM_File/emulated/run:{run_blocks}/",
                   f"--benchmark_min_time={seconds}"])
    result = json.loads(text)["benchmarks"][0]
    return result["bytes_per_second"] / 1e6, result["buffer_KiB"], result["label"]


def compare(args, run_blocks, shape):
    ours, theirs, buffers, label = [], [], 0, ""
    for _ in range(args.pairs):
        rate, kib, label = our_rate(args, run_blocks, args.seconds)
        ours.append(rate)
        buffers = max(buffers, kib)
        theirs.append(fio_rate(args, *shape, args.seconds))
    ratio = statistics.median(our / their for our, their in zip(ours, theirs))
    print(f"{run_blocks:5}{statistics.median(ours):11.0f}{statistics.median(theirs):11.0f}"
          f"{ratio:9.2f}   {shape[0] >> 10:5} KiB x {shape[1]:<4}{buffers:9.0f}   {label}",
          flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("--file", default="compare_with_fio.data")
    parser.add_argument("--gib", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--run", default="1,4,16,64,128,512")
    args = parser.parse_args()
    existed = os.path.exists(args.file)
    try:
        fio(args, "--rw=write", "--bs=1m", "--iodepth=8", "--end_fsync=1")
        print(f"{'run':>5}{'copied':>11}{'fio / 2':>11}{'ratio':>9}   {'fio':>16}"
              f"{'KiB used':>11}\n{'':5}{'MB/s':>11}{'MB/s':>11}", flush=True)
        longest = None
        for run_blocks in map(int, args.run.split(",")):
            if run_blocks < LONG_RUN:
                shape = best_of_fio(args, [run_blocks * BLOCK], SHORT_DEPTHS)
            else:
                shape = longest = longest or best_of_fio(args, LONG_SIZES, LONG_DEPTHS)
            compare(args, run_blocks, shape)
    finally:
        if not existed and os.path.exists(args.file):
            os.remove(args.file)


if __name__ == "__main__":
    main()
