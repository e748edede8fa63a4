#!/usr/bin/env python3
"""Wrong use: exit code 2, one line that names the flag, nothing printed, nothing written."""

import re
import sys

sys.dont_write_bytecode = True
from command_testing import CommandTest, WRONG_USE, main, simulate  # noqa: E402

BIG = ["9223372036854775808", "18446744073709551615", "18446744073709551616",
       "99999999999999999999999"]
NO_NUMBER = ["abc", "1x", "0x10", "--json", "1,2"]


class NamesTest(CommandTest):
    def test_commands(self):
        self.refuses([], WRONG_USE, "which command", "gleaner help")
        self.refuses(["simulat"], WRONG_USE, 'command "simulat"', '"simulate"?')
        self.refuses(["--frobnicate"], WRONG_USE, '"--frobnicate"', "simulate, copy")
        self.refuses(["help", "copi"], WRONG_USE, 'command "copi"', '"copy"?')
        self.refuses(["help", "copy", "identify"], WRONG_USE, "gleaner help")
        self.refuses(["version", "now"], WRONG_USE, "gleaner version")

    def test_flags(self):
        for command in ["simulate", "copy", "identify"]:
            self.refuses([command, "--jsn"], WRONG_USE,
                         f"gleaner {command}: unknown flag --jsn; did you mean --json?")
        self.refuses(simulate("--quux=3"), WRONG_USE, "unknown flag --quux")
        self.refuses(simulate("stray"), WRONG_USE, '"stray"')
        self.refuses(simulate("-x"), WRONG_USE, '"-x"')
        self.refuses(simulate("--json=5"), WRONG_USE, "--json: takes no value")
        self.refuses(simulate("--seed=1", "--seed=2"), WRONG_USE,
                     "--seed: is given more than once")
        self.refuses(["copy"], WRONG_USE, "--from is required")
        self.refuses(["identify"], WRONG_USE, "SPEC is required")

    def test_a_flag_without_its_value(self):
        for flag in ["volume_blocks", "seed", "writes", "victim", "device", "utilization",
                     "trace", "report", "max_copy_blocks", "trace_format"]:
            for arguments in [[f"--{flag}="], [f"--{flag}=", "--json"]]:
                self.refuses(simulate() + arguments, WRONG_USE, f"--{flag}: needs a value")
        self.refuses(["simulate", "--trace"], WRONG_USE, "--trace: needs a value")

    def test_names_suggest_the_nearest(self):
        for flag, meant in [("victim=gredy", "greedy"), ("foreground_victim=fif", "fifo"),
                            ("victim=greedy,cost-benfit", "cost-benefit"),
                            ("placement=gclog", "gc-log"), ("workload=unifrom", "uniform"),
                            ("order=victm", "victim"), ("copy=nativ", "native"),
                            ("device=fiel:x", "file"), ("device=mem:siz=1M", "size")]:
            name = flag.split("=")[0]
            self.refuses(simulate(f"--{flag}"), WRONG_USE, f"--{name}: unknown",
                         f'did you mean "{meant}"?')
        # Before the trace is looked for.
        self.refuses(["simulate", "--trace=missing", "--trace_format=alibabba"], WRONG_USE,
                     '--trace_format: unknown trace format "alibabba"; did you mean "alibaba"?')
        self.refuses(["simulate", "--trace=missing", "--trace_format=xyzzy"], WRONG_USE,
                     "--trace_format", "alibaba, tencent, msr")
        self.refuses(["simulate", "--trace=missing", "--victim=gredy"], WRONG_USE, "--victim")

    def test_arguments_of_names(self):
        for flag in ["workload=zipf", "workload=zipf:", "workload=zipf:0", "workload=zipf:nan",
                     "workload=zipf:-1", "workload=zipf:1e300", "workload=hotcold:0.9",
                     "workload=hotcold:1:0.1", "workload=hotcold:0.9:0",
                     "workload=hotcold:0.9:0.000001", "workload=zipf-shift:1:0.5:0",
                     "workload=uniform:3", "workload=uniform\nx", "victim=greedy:1",
                     "victim=d-choices", "victim=d-choices:0", "victim=d-choices:1e9",
                     "victim=age-threshold:nan", "victim=cost-benefit:zfs", "victim=fifo,",
                     "victim=,", "placement=none:1", "placement=temperature:5",
                     "placement=temperature:5:4", "placement=age-match:0",
                     "placement=age-match:99", "gc_trigger=0.5", "gc_trigger=garbage",
                     "gc_trigger=garbage:", "gc_trigger=garbage:0", "gc_trigger=garbage:1",
                     "gc_trigger=garbage:nan", "gc_trigger=waste:0.5", "device=mem",
                     "device=mem:size=0", "device=mem:size=1E", "device=mem:size=9000000T",
                     "device=mem:size=16M,block=3", "device=mem:size=16M,size=16M",
                     "device=./x", "device=file:"]:
            self.refuses(simulate(f"--{flag}"), WRONG_USE, f"--{flag.split('=')[0]}: ")


class NumbersTest(CommandTest):
    def test_whole_numbers(self):
        for flag, wrong in [("volume_blocks", ["0", "1099511627777"] + BIG),
                            ("segment_blocks", ["0", "1", "16777217", "4294967296"] + BIG),
                            ("block_bytes", ["0", "1", "3", "256", "1000", "2097152",
                                             "4294967296"] + BIG),
                            ("seed", BIG[2:]),
                            ("commit_segments", ["1000001"] + BIG),
                            ("max_copy_blocks", ["0", "1099511627777"] + BIG),
                            ("max_copy_ranges", ["0", "4294967296"] + BIG),
                            ("max_range_blocks", ["0", "1099511627777"] + BIG)]:
            for value in wrong + ["-1", "1.5", "1e3"] + NO_NUMBER:
                line = self.refuses(simulate(f"--{flag}={value}"), WRONG_USE, f"--{flag}: ")
                self.assertIn(value, line)  # as it was typed, not what became of it

    def test_shares_and_amounts(self):
        for flag, wrong in [("utilization", ["0", "1", "1.5", "-0.5", "inf", "0.8,", "0.8,2"]),
                            ("writes", ["-1", "inf", "1e300"]),
                            ("warmup", ["-1", "inf", "1e300", "2.1"])]:
            for value in wrong + ["nan"] + NO_NUMBER[:2]:
                self.refuses(simulate(f"--{flag}={value}"), WRONG_USE, f"--{flag}: ")

    def test_limits_of_every_command(self):
        for arguments in [["identify", "mem:size=1M"],
                          ["copy", "--from=mem:size=1M", "--ranges=0+1", "--to=mem:size=1M",
                           "--at=2"]]:
            for flag in ["max_copy_blocks", "max_copy_ranges", "max_range_blocks"]:
                self.refuses(arguments + [f"--{flag}=0"], WRONG_USE, f"--{flag}: ")

    def test_more_than_the_machine_has(self):
        self.refuses(simulate("--volume_blocks=1099511627776", "--segment_blocks=16777216"),
                     WRONG_USE, "--volume_blocks: ", "4096 GiB of memory")
        self.refuses(simulate("--volume_blocks=1099511627776", "--gc_trigger=garbage:0.5"),
                     WRONG_USE, "--volume_blocks: ", "4096 GiB of memory")
        self.refuses(simulate("--volume_blocks=1099511627776"), WRONG_USE, "--segment_blocks: ",
                     "segments, more than")
        self.refuses(simulate("--utilization=1e-300"), WRONG_USE, "--segment_blocks: ",
                     "at a utilization of 1e-300")

    def test_the_least_space_that_is_named_works(self):
        for flags in [["--utilization=0.99"], ["--placement=temperature"],
                      ["--placement=age-match:16"], ["--commit_segments=100"],
                      ["--volume_blocks=1"], ["--volume_blocks=17", "--segment_blocks=2"],
                      ["--segment_blocks=65536"], ["--segment_blocks=48", "--placement=none"],
                      ["--device=mem:size=256M,zone=1M,zone_capacity=768K"]]:
            arguments = simulate("--writes=20", *flags)  # it cleans, too
            if "zone" in flags[0]:
                arguments = [a for a in arguments if not a.startswith("--segment_blocks")]
            flags = [f for f in arguments if not f.startswith("--utilization")]
            line = self.refuses(flags + ["--utilization=0.999"], WRONG_USE,
                                "--utilization: no room for one segment per class")
            named = re.search(r"the least space is (\d+) segments \(\d+ blocks\): "
                              r"--utilization=(\S+)\n", line)
            self.assertIsNotNone(named, line)
            out = self.succeeds(flags + [f"--utilization={named[2]}"])
            self.assertRegex(out, rf"\b{named[1]} segments\b")


class ContradictionsTest(CommandTest):
    def test_workload_and_trace(self):
        self.write("trace.csv", "time,op,offset,size\n1,w,0,4096\n")
        self.refuses(["simulate"], WRONG_USE, "--workload", "--trace")
        self.refuses(["simulate", "--workload=uniform"], WRONG_USE, "--volume_blocks")
        trace = ["simulate", "--trace=trace.csv"]
        self.refuses(trace + ["--workload=uniform"], WRONG_USE, "--workload", "--trace")
        self.refuses(trace + ["--writes=1"], WRONG_USE, "--writes: ")
        self.refuses(trace + ["--warmup=-1"], WRONG_USE, "--warmup: ")
        self.refuses(simulate("--trace_format=csv"), WRONG_USE, "--trace_format: ", "--trace")
        self.refuses(simulate("--trace_volume=1"), WRONG_USE, "--trace_volume: ", "--trace")

    def test_space(self):
        self.refuses(simulate("--utilization=0.5", "--gc_trigger=garbage:0.5"), WRONG_USE,
                     "--gc_trigger: ", "--utilization")

    def test_device(self):
        zoned = "--device=mem:size=64M,zone=1M"
        self.refuses(simulate(zoned), WRONG_USE, "--segment_blocks: mem is zoned")
        flags = [f for f in simulate(zoned) if not f.startswith("--segment_blocks")]
        self.refuses(flags[:-1] + [zoned + ",max_open=1"], WRONG_USE, "--placement: ",
                     "2 open segments are needed, 1 can be")
        self.refuses(simulate("--device=mem:size=64M", "--block_bytes=1024"), WRONG_USE,
                     "--block_bytes: 1024", "4096")
        self.refuses(simulate("--device=mem:size=64M,max_copy_blocks=0", "--copy=native"),
                     WRONG_USE, "--copy: mem cannot copy natively")

    def test_nothing_but_the_message_with_json(self):
        self.refuses(simulate("--json", "--victim=gredy"), WRONG_USE, "--victim")
        self.refuses(["copy", "--json", "--from=mem:size=1M", "--ranges=0+0",
                      "--to=mem:size=1M", "--at=3"], WRONG_USE, '--ranges: "0+0" is empty')
        self.refuses(["identify", "--json", "mum:"], WRONG_USE, '"mem"?')


if __name__ == "__main__":
    main()
