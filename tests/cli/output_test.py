#!/usr/bin/env python3
"""What is printed where: help, version, JSON, reports, and outputs that cannot be written."""

import json
import os
import pty
import subprocess
import sys

sys.dont_write_bytecode = True
from command_testing import (CommandTest, DONE, FAILED, GLEANER, WRONG_USE, main,  # noqa: E402
                             simulate)

COPY = ["copy", "--from=mem:size=1M", "--ranges=0+4", "--to=mem:size=1M", "--at=100"]
PRINTING = [["version"], ["help"], ["help", "simulate"], ["copy", "--help"], COPY,
            ["identify", "mem:size=1M"], ["identify", "mem:size=1M", "--json"], simulate(),
            simulate("--json"), simulate("--victim=greedy,fifo", "--json")]


# A run that would take very long.
LONG = simulate("--volume_blocks=1000000", "--writes=1000000")


class HelpTest(CommandTest):
    def test_version(self):
        out = self.succeeds(["version"])
        self.assertRegex(out, r"\Agleaner \d+\.\d+\.\d+\n\Z")
        self.assertEqual(self.succeeds(["--version"]), out)

    def test_help(self):
        out = self.succeeds(["help"])
        for word in ["simulate", "copy", "identify", "version", "help", "mem:size", "file:PATH",
                     "--json", "Exit codes"]:
            self.assertIn(word, out)
        for other in [["--help"], ["-h"], ["help", "help"], ["help", "version"]]:
            self.assertEqual(self.succeeds(other), out)

    def test_help_of_a_command(self):
        for command, flags in [("simulate", ["--workload", "--trace", "--victim", "cost-benefit",
                                             "age-match", "zipf:ALPHA", "alibaba", "--report"]),
                               ("copy", ["--from", "--ranges", "--to", "--at", "--copy"]),
                               ("identify", ["SPEC", "--json", "--max_copy_blocks"]),
                               ("report", ["FILE", "--output", "--benchmark_out"])]:
            out = self.succeeds(["help", command])
            for flag in flags:
                self.assertIn(flag, out)
            self.assertEqual(self.succeeds([command, "--help"]), out)
            self.assertEqual(self.succeeds([command, "-h"]), out)


class JsonTest(CommandTest):
    def test_one_object(self):
        run = json.loads(self.succeeds(simulate("--json")))
        self.assertEqual((run["user_blocks"], run["seed"]), (512, 1))
        runs = json.loads(self.succeeds(simulate("--json", "--victim=greedy,fifo")))
        self.assertEqual(list(runs), ["runs"])
        self.assertEqual(len(runs["runs"]), 2)
        copied = json.loads(self.succeeds(COPY + ["--json"]))
        self.assertEqual(copied["blocks"], 4)
        device = json.loads(self.succeeds(["identify", "--json", "mem:size=64M,zone=1M"]))
        self.assertEqual((device["capacity_blocks"], device["zones"]), (16384, 64))


class UnwritableOutputTest(CommandTest):
    def test_a_full_disk(self):
        for arguments in PRINTING:
            with open("/dev/full", "w", encoding="utf-8") as full:
                self.refuses(arguments, FAILED, "standard output could not be written",
                             stdout=full)

    def test_a_reader_that_has_gone(self):
        for arguments in PRINTING:
            read, write = os.pipe()
            os.close(read)
            self.refuses(arguments, FAILED, "standard output could not be written", stdout=write)
            os.close(write)

    def test_closed(self):
        for arguments in PRINTING:
            self.refuses(arguments, FAILED, "standard output could not be written",
                         stdout=subprocess.DEVNULL, preexec_fn=lambda: os.close(1))

    def test_no_file_takes_the_place_of_a_closed_output(self):
        # The first file that the command opens must not get descriptor 1 and what is printed.
        def close_all():
            for descriptor in (0, 1, 2):
                os.close(descriptor)
        device = "--device=file:device,size=4M"
        for arguments in [simulate(device), simulate("--report=page.html")]:
            ran = self.run_command(arguments, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, preexec_fn=close_all)
            self.assertEqual(ran.returncode, FAILED)
        self.succeeds(simulate("--device=file:device"))


class ProgressTest(CommandTest):
    def test_on_a_terminal_after_a_while(self):
        terminal, stderr = pty.openpty()
        with subprocess.Popen([GLEANER] + LONG, stdout=subprocess.PIPE, stderr=stderr) as run:
            os.close(stderr)
            shown = b""
            while b"left" not in shown:
                shown += os.read(terminal, 1000)
            run.kill()
            self.assertEqual(run.stdout.read(), b"")
        os.close(terminal)
        self.assertRegex(shown.decode(), r"\A\r\[#*\.*\] +\d+ %  \d+ s left")

    def test_erased_at_the_end_and_nowhere_else(self):
        terminal, stderr = pty.openpty()
        ran = self.run_command(simulate("--json"), stderr=stderr)
        os.close(stderr)
        self.assertEqual(ran.returncode, DONE)
        json.loads(ran.stdout)
        try:
            shown = os.read(terminal, 100_000).decode()
        except OSError:  # nothing: the run was short enough
            shown = ""
        os.close(terminal)
        self.assertRegex(shown, r"\A(\r\[.*\r\x1b\[K)?\Z")


class ReportTest(CommandTest):
    def test_where_it_cannot_be_written(self):
        os.mkdir("folder")
        self.write("file", "x")
        for path in ["missing/page.html", "folder", "folder/", "file/page.html", "/proc/page.html"]:
            self.refuses(LONG + [f"--report={path}"], FAILED,
                         f"--report: cannot write {path}: ")

    def test_a_full_disk_costs_the_report_but_not_the_figures(self):
        ran = self.run_command(simulate("--report=/dev/full", "--json"))
        self.is_one_line(ran, FAILED, ["--report: cannot write /dev/full"], "/dev/full")
        self.assertEqual(json.loads(ran.stdout)["user_blocks"], 512)

    def test_an_old_report_outlives_an_error(self):
        self.write("page.html", "old")
        self.refuses(simulate("--report=page.html", "--victim=gredy"), WRONG_USE, "--victim")
        self.refuses(simulate("--report=new.html", "--device=file:missing"), FAILED, "missing")

    def test_it_is_written(self):
        for _ in range(2):
            out = self.run_command(simulate("--report=page.html"))
            self.assertEqual((out.returncode, out.stderr), (DONE, ""))
        self.assertIn("<html", self.contents()["page.html"].decode())


if __name__ == "__main__":
    main()
