#!/usr/bin/env python3
"""gleaner report: which files it reads, where the page goes, and what it refuses."""

import os
import subprocess
import sys

SAMPLE = os.path.abspath(sys.argv[2])

sys.dont_write_bytecode = True
from command_testing import (CommandTest, DONE, FAILED, WRONG_USE, main,  # noqa: E402
                             simulate)


class ReportTest(CommandTest):
    def sample(self):
        with open(SAMPLE, encoding="utf-8") as file:
            return file.read()

    def test_beside_the_file(self):
        self.write("results.json", self.sample())
        self.write("results.html", "old")
        self.assertEqual(self.succeeds(["report", "results.json"]), "results.html\n")
        page = self.contents()["results.html"].decode()
        self.assertIn("<html", page)
        self.assertIn("nvme:/dev/nvme0n1", page)
        self.assertIn("device busy: &lt;status 0x182&gt;", page)
        self.write("plain", self.sample())
        self.assertEqual(self.succeeds(["report", "plain"]), "plain.html\n")

    def test_where_it_is_told(self):
        self.assertEqual(self.succeeds(["report", SAMPLE, "--output=page.html"]), "page.html\n")
        out = self.succeeds(["report", SAMPLE, "--output=-"])
        self.assertEqual(out, self.contents()["page.html"].decode())
        with open(SAMPLE, encoding="utf-8") as file:
            self.assertEqual(self.succeeds(["report", "-"], stdin=file), out)

    def test_more_files_are_more_repetitions(self):
        page = self.succeeds(["report", SAMPLE, SAMPLE, "--output=-"])
        self.assertIn("the median of 4 to 6 repetitions", page)

    def test_the_same_page_as_simulate(self):
        for flags in [[], ["--victim=greedy,fifo", "--utilization=0.7,0.8"]]:
            out = self.succeeds(simulate("--json", "--report=a.html", *flags))
            self.write("b.json", out)
            self.succeeds(["report", "b.json"])
            self.assertEqual(self.contents()["a.html"], self.contents()["b.html"])

    def test_files_that_are_no_results(self):
        self.write("broken.json", '{"context": {},\n "benchmarks": [}')
        self.refuses(["report", "broken.json"], FAILED, "broken.json: line 2, column 17: ")
        self.write("other.json", '{"a": 1}')
        self.refuses(["report", SAMPLE, "other.json", "--output=x.html"], FAILED,
                     "other.json: neither what a benchmark writes")
        self.write("empty.json", "")
        self.refuses(["report", "empty.json"], FAILED, "empty.json: line 1")
        self.refuses(["report", "missing.json"], FAILED, "cannot read missing.json: ")
        os.mkdir("folder")
        self.refuses(["report", "folder"], FAILED, "cannot read folder: ")
        self.refuses(["report", "/dev/zero", "--output=x.html"], FAILED,
                     "/dev/zero: larger than 256 MiB")

    def test_wrong_use(self):
        self.refuses(["report"], WRONG_USE, "FILE is required")
        self.refuses(["report", SAMPLE, "--outptu=x"], WRONG_USE, "did you mean --output?")
        self.refuses(["report", SAMPLE, "--output="], WRONG_USE, "--output: needs a value")
        self.write("a.json", self.sample())
        os.symlink("a.json", "link")
        for output in ["a.json", "./a.json", "link"]:
            self.refuses(["report", "a.json", f"--output={output}"], WRONG_USE,
                         f"--output: {output} is read from")

    def test_outputs_that_cannot_be_written(self):
        for path in ["missing/page.html", "/proc/page.html"]:
            self.refuses(["report", SAMPLE, f"--output={path}"], FAILED,
                         f"--output: cannot write {path}: ")
        self.refuses(["report", SAMPLE, "--output=/dev/full"], FAILED, "/dev/full: ")
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.refuses(["report", SAMPLE, "--output=-"], FAILED,
                         "standard output could not be written", stdout=full)
        ran = self.run_command(["report", SAMPLE, "--output=-"], stdout=subprocess.DEVNULL)
        self.assertEqual(ran.returncode, DONE)


if __name__ == "__main__":
    main()
