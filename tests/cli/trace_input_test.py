#!/usr/bin/env python3
"""Traces that are not what they should be: exit code 1, and the file and line."""

import gzip
import os
import random
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
from command_testing import CommandTest, FAILED, GLEANER, WRONG_USE, main  # noqa: E402

FLAGS = ["--segment_blocks=8", "--utilization=0.5"]
ALIBABA = [f"1,W,{n % 100 * 4096},4096,{n}\n" for n in range(300)]
FTRACE = ("# tracer: nop\n#\n" + "".join(
    f"  kworker/0:1-99 [000] ..... 4.{n:06}: block_rq_issue: 259,0 W 4096 () {n * 8} + 8 [k]\n"
    for n in range(200)))


def zstd(data):
    """As one frame of raw blocks: no library is needed to write it."""
    blocks = [data[at:at + 65536] for at in range(0, len(data), 65536)] + [b""]
    return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(
        (len(block) << 3 | (not block)).to_bytes(3, "little") + block for block in blocks)


class TraceTest(CommandTest):
    def trace(self, *flags):
        given = {flag.split("=")[0] for flag in flags}
        return ["simulate"] + [f for f in FLAGS if f.split("=")[0] not in given] + list(flags)

    def is_bad(self, content, *parts, name="t", flags=()):
        self.write(name, content)
        return self.refuses(self.trace(f"--trace={name}", *flags), FAILED, *parts)

    def test_the_good_ones_are_good(self):
        text = "".join(ALIBABA).encode()
        for name, content in [("plain", text), ("x.gz", gzip.compress(text)),
                              ("x.zst", zstd(text)), ("ftrace", FTRACE.encode())]:
            self.write(name, content)
            self.succeeds(self.trace(f"--trace={name}"))
            self.succeeds(self.trace(f"--trace={name}", "--device=mem:size=16M"))

    def test_no_trace(self):
        self.refuses(self.trace("--trace=missing.csv"), FAILED, "missing.csv", "No such file")
        os.mkdir("folder")
        self.refuses(self.trace("--trace=folder"), FAILED, "folder", "directory")

    def test_empty(self):
        for name, content in [("t", b""), ("t.gz", gzip.compress(b"")), ("t.zst", zstd(b""))]:
            self.is_bad(content, name + ": an empty file", name=name)
        self.is_bad("\n\n\n", "t", flags=["--trace_format=msr"])
        self.is_bad("time,op,offset,size\n", "t:1: ", "no request")
        self.is_bad("time,op,offset,size\n1,r,0,4096\n", "t: writes nothing")

    def test_truncated(self):
        text = "".join(ALIBABA * 30).encode()
        for name, whole in [("t.gz", gzip.compress(text)), ("t.zst", zstd(text))]:
            for share in [0.02, 0.5, 0.99]:
                self.is_bad(whole[:int(len(whole) * share)], name, "truncated", name=name)
        # The first pass is not the only one that finds it.
        self.is_bad(whole[:-1], "t.zst:", "truncated", name="t.zst", flags=["--volume_blocks=100"])

    def test_damaged(self):
        damaged = bytearray(gzip.compress("".join(ALIBABA).encode()))
        damaged[len(damaged) // 2] ^= 0x10
        self.is_bad(bytes(damaged), "t.gz", name="t.gz")

    def test_garbage(self):
        garbage = random.Random(1).randbytes(200_000)
        formats = ["auto", "alibaba", "tencent", "msr", "spc", "fio", "blkparse", "ftrace",
                   "vscsi", "mqsim", "csv"]
        for content in [garbage, bytes(100_000), b"\xff" * 70_000]:
            for name in formats:
                line = self.is_bad(content, "t:" if name != "auto" else "t: ",
                                   flags=[f"--trace_format={name}"])
                self.assertTrue(line.isprintable() or line[:-1].isprintable(), line)

    def test_the_wrong_format(self):
        self.is_bad(FTRACE, "t:1: expected timestamp,hostname", flags=["--trace_format=msr"])
        self.is_bad(FTRACE, "t:record 1: not a vscsi record", flags=["--trace_format=vscsi"])
        self.is_bad("".join(ALIBABA), "t:1: ", flags=["--trace_format=csv"])
        self.is_bad("Dear Sir or Madam,\nplease\n", "t: ", "--trace_format", "alibaba, tencent")

    def test_a_bad_record_is_named(self):
        for line, wrong in [(1, "x"), (2, "1,W,4096"), (150, "1,W,x,4096,5"),
                            (300, "1,W,0,99999999999999999999,5"), (299, "1,W,-4096,4096,5"),
                            (77, "1,W,18446744073709551615,4096,5"), (78, "1,Q,0,4096,5"),
                            (200, "1,W,0,4096\0,5"), (201, "a" * 300_000)]:
            lines = ALIBABA[:]
            lines[line - 1] = wrong + "\n"
            # Line 1 is what auto looks at, too.
            for flags in [["--trace_format=alibaba"],
                          ["--trace_format=alibaba", "--volume_blocks=100"],
                          ["--trace_format=alibaba", "--device=file:new,size=4M"]]:
                self.is_bad("".join(lines), f"t:{line}: ", flags=flags)

    def test_beyond_the_volume(self):
        self.is_bad("".join(ALIBABA), "t:51: ", "block 50", "--volume_blocks",
                    flags=["--volume_blocks=50", "--utilization=0.4"])
        self.is_bad("1,W,0,4096,1\n2,W,0,4096,2\n", "t:2: ", "--trace_volume",
                    flags=["--volume_blocks=50", "--utilization=0.4"])
        self.is_bad("".join(ALIBABA), "t:300: ", 'volume "9"', "1 volume: 1",
                    flags=["--trace_volume=9"])
        self.is_bad("".join(ALIBABA), "t: ", "warm-up", flags=["--warmup=9"])


class PipeTest(CommandTest):
    def feed(self, path):
        """Writes the trace to a FIFO, from a thread that ends with its reader."""
        def write():
            try:
                with open(path, "w", encoding="utf-8") as pipe:
                    pipe.writelines(ALIBABA)
            except BrokenPipeError:
                pass
        thread = threading.Thread(target=write)
        thread.start()
        return thread

    def test_it_cannot_be_read_twice(self):
        os.mkfifo("fifo")  # nobody writes: were it opened, the command would hang
        for path in ["fifo", "-"]:
            self.refuses(["simulate", f"--trace={path}"] + FLAGS, WRONG_USE,
                         f"--volume_blocks: {path} cannot be read twice")
            self.refuses(["simulate", f"--trace={path}", "--volume_blocks=100",
                          "--victim=greedy,fifo"] + FLAGS, WRONG_USE,
                         f"--trace: {path} can be read only once, and there are 2 runs")

    def test_it_can_be_read_once(self):
        os.mkfifo("fifo")
        writer = self.feed("fifo")
        self.succeeds(["simulate", "--trace=fifo", "--volume_blocks=100"] + FLAGS)
        writer.join()
        with subprocess.Popen([GLEANER, "simulate", "--trace=-", "--volume_blocks=100"] + FLAGS,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as run:
            out, err = run.communicate("".join(ALIBABA).encode())
        self.assertEqual((run.returncode, err), (0, b""))
        self.assertIn(b"write amplification", out)

    def test_an_empty_one(self):
        self.refuses(["simulate", "--trace=-", "--volume_blocks=100"] + FLAGS, FAILED,
                     "<stdin>: an empty file")


if __name__ == "__main__":
    main()
