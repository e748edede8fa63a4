#!/usr/bin/env python3
"""Devices: what is missing, too small, foreign, full, read-only, in use or damaged."""

import ctypes
import json
import mmap
import os
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
from command_testing import (CommandTest, FAILED, GLEANER, WRONG_USE, main,  # noqa: E402
                             simulate)

MIB = 1 << 20
# Runs until it is killed, on a device of 4 MiB.
ENDLESS = simulate("--device=file:device,size=4M", "--writes=1e9", "--json")


def on(path, *flags):
    return simulate(f"--device=file:{path}", *flags)


class DeviceTest(CommandTest):
    def test_missing(self):
        self.refuses(on("missing"), FAILED, "missing", "No such file")
        self.refuses(on("folder/missing,size=4M"), FAILED, "folder/missing", "No such file")
        self.refuses(["identify", "file:missing"], FAILED, "missing", "No such file")
        self.refuses(["identify", "file:missing,size=1M"], FAILED, "missing does not exist")

    def test_neither_file_nor_block_device(self):
        os.mkdir("folder")
        os.mkfifo("fifo")
        for path in ["folder", "fifo", "/dev/null"]:
            self.refuses(on(path), WRONG_USE, f"--device: {path} is neither")

    def test_smaller_than_asked(self):
        self.refuses(on("new,size=1M"), FAILED, "file:new has room for 16 segments of 16 blocks",
                     "20 are needed")
        self.write("old", bytes(MIB))
        self.refuses(on("old"), FAILED, "file:old has room for 16 segments")
        self.refuses(on("old,size=4M"), FAILED, "old exists and has 1048576 bytes, not 4194304")
        self.refuses(on("tiny,size=1000"), WRONG_USE, "--device: tiny has 1000 bytes")
        self.refuses(on("huge,size=8000000T"), FAILED, "huge", "File too large")
        self.refuses(simulate("--device=mem:size=1M"), FAILED, "mem has room for 16 segments")

    def test_a_new_file_is_not_left_behind_by_wrong_use(self):
        for flag in ["--victim=gredy", "--utilization=0.99", "--copy=native", "--writes=-1",
                     "--trace=missing"]:
            arguments = on("new,size=4M", flag)
            if "trace" in flag:
                arguments = ["simulate", "--device=file:new,size=4M", flag]
            self.refuses(arguments, FAILED if "trace" in flag else WRONG_USE)

    def test_foreign_data(self):
        for name, content in [("first", b"database".ljust(4 * MIB, b"\0")),
                              ("last", b"database".rjust(4 * MIB, b"\0")),
                              ("both", os.urandom(4 * MIB))]:
            self.write(name, content)
            # refuses() compares every byte.
            self.refuses(on(name), FAILED, f"file:{name} holds data that is not Gleaner's",
                         "only with --force")
            self.refuses(["copy", "--from=mem:size=1M", "--ranges=0+8", f"--to=file:{name}",
                          "--at=0"], FAILED, f"file:{name} holds data", "--force")
            self.succeeds(on(name, "--force"))
            self.succeeds(on(name))  # it is ours now

    def test_a_full_disk(self):
        self.mount("disk", "size=256k")
        self.refuses(on("disk/device,size=4M"), FAILED, "file:disk/device: write at block ",
                     "No space left on device")
        self.refuses(["copy", "--from=mem:size=1M", "--ranges=0+256", "--at=0",
                      "--to=file:disk/other,size=1M"], FAILED, "write at block",
                     "No space left on device", "of 256 blocks are known to have arrived")

    def test_read_only(self):
        self.mount("disk", "size=8m")
        self.write("disk/device", bytes(4 * MIB))
        self.mount("disk", "size=8m", MS_REMOUNT | MS_RDONLY)
        self.refuses(on("disk/device"), FAILED, "disk/device", "Read-only file system")
        self.refuses(on("disk/new,size=4M"), FAILED, "disk/new", "Read-only file system")
        self.refuses(simulate("--report=disk/page.html"), FAILED,
                     "--report: cannot write disk/page.html: Read-only file system")
        self.assertIn("capacity_blocks", self.succeeds(["identify", "file:disk/device"]))

    def mount(self, name, options, flags=0):
        """A tmpfs, in a namespace that this process enters; skips where that is not permitted."""
        libc = ctypes.CDLL(None, use_errno=True)
        if not DeviceTest.in_namespace:
            if (libc.unshare(CLONE_NEWNS) != 0 and
                    libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0):
                self.skipTest("mounting is not permitted: no run on a full or read-only disk")
            libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
            DeviceTest.in_namespace = True
        os.makedirs(name, exist_ok=True)
        if libc.mount(b"none", name.encode(), b"tmpfs", flags, options.encode()) != 0:
            self.skipTest("mounting is not permitted: no run on a full or read-only disk")
        self.addCleanup(libc.umount, os.path.abspath(name).encode())

    in_namespace = False


CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 32, 16384, 1 << 18


class OtherProcessTest(CommandTest):
    def start(self, arguments):
        """Starts, and waits until it has written to the device."""
        run = subprocess.Popen([GLEANER] + arguments, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.communicate)
        self.addCleanup(run.kill)
        self.wait_until(lambda: run.poll() is not None or (
            os.path.exists("device") and os.stat("device").st_blocks > 1000))
        return run

    def test_a_second_run_is_refused_and_the_first_goes_on(self):
        # Long enough to be met, and it verifies every block at its end.
        first = self.start(simulate("--device=file:device,size=4M", "--writes=100", "--json"))
        second = self.run_command(on("device"))
        self.assertIsNone(first.poll(), "the first run was too short for this test")
        self.is_one_line(second, FAILED, ["device is in use"], "second run")
        forced = self.run_command(on("device", "--force"))
        self.is_one_line(forced, FAILED, ["device is in use"], "second run")
        out, err = first.communicate(timeout=100)
        self.assertEqual((first.returncode, err), (0, ""))
        self.assertIn('"verified_blocks"', out)

    def test_a_killed_run_leaves_a_device_for_the_next(self):
        run = self.start(ENDLESS)
        run.send_signal(signal.SIGKILL)
        self.assertEqual(run.wait(), -signal.SIGKILL)
        self.assertEqual(os.path.getsize("device"), 4 * MIB)
        # The kernel drops the lock only when what io_uring had under way has ended.
        runs = []
        self.wait_until(lambda: runs.append(self.run_command(on("device"))) or
                        "in use" not in runs[-1].stderr)
        self.assertEqual((runs[-1].returncode, runs[-1].stderr), (0, ""))

    def test_an_interrupted_copy_says_what_arrived(self):
        device = "faulty:slow=1,slow_ms=100;file:device,size=64M"
        run = self.start(["copy", "--from=" + device, "--to=" + device, "--ranges=0+8000",
                          "--at=8000"])
        self.assertIsNone(run.poll(), "the copy was too short for this test")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=100)
        self.assertEqual((run.returncode, out), (FAILED, ""))
        self.assertRegex(err, r"\Agleaner copy: the copy was cancelled; [0-9]+ of 8000 blocks "
                              r"are known to have arrived\n\Z")

    def test_an_interrupted_simulation_says_how_far_it_came(self):
        run = self.start(ENDLESS)
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=100)
        self.assertEqual((run.returncode, out), (FAILED, ""))
        self.assertRegex(err, r"\Agleaner simulate: interrupted after [0-9]+ user blocks; what "
                              r"file:device,size=4M holds now is a part of a run, and good for "
                              r"nothing else\n\Z")

    def test_copies_that_lie_about_their_length_are_found(self):
        self.refuses(simulate("--device=faulty:wrong=0.2;mem:size=16M", "--writes=10",
                              "--copy=native"),
                     FAILED, "physical block")

    def test_copies_that_fail_half_way_are_finished(self):
        out = self.succeeds(["copy", "--from=faulty:seed=2,partial=0.3;mem:size=64M",
                             "--to=faulty:seed=2,partial=0.3;mem:size=64M",
                             "--ranges=0+1,5+1,9+1", "--at=4000", "--json"])
        self.assertIn('"blocks": 3', out)
        self.assertIn('"failed_commands": 1', out)

    def test_a_rate_of_the_cleaner(self):
        flags = ["--device=mem:size=8M", "--json", "--workload=uniform", "--writes=1"]
        free = json.loads(self.succeeds(simulate(*flags)))
        held = json.loads(self.succeeds(simulate(*flags, "--max_copy_bytes_per_second=2M")))
        self.assertEqual(free["relocated_blocks"], held["relocated_blocks"])
        # No faster than the rate, and 20 ms' worth.
        least = held["relocated_blocks"] * 4096 / (2 << 20) - 0.02
        self.assertGreater(least, 0.1)
        self.assertGreater(held["wall_seconds"], least)
        self.refuses(simulate("--max_copy_bytes_per_second=2M"), WRONG_USE,
                     "--max_copy_bytes_per_second")
        self.refuses(simulate("--device=mem:size=8M", "--max_copy_bytes_per_second=x"),
                     WRONG_USE, "--max_copy_bytes_per_second: ")

    def test_several_runs_one_after_the_other(self):
        self.succeeds(on("device,size=4M", "--victim=greedy,fifo,random,cost-benefit",
                         "--placement=none,gc-log"))

    def test_a_block_that_changes_behind_its_back(self):
        # Far longer than it takes to be noticed, which ends it.
        run = self.start(simulate("--workload=sequential", "--victim=fifo", "--writes=100000",
                                  "--device=file:device,size=4M", "--json"))
        # Not through the page cache, where the kernel itself notices and fails the flush.
        device = os.open("device", os.O_RDWR | os.O_DIRECT)
        self.addCleanup(os.close, device)
        garbage = mmap.mmap(-1, 4096)
        garbage.write(b"\xa5" * 4096)
        while run.poll() is None:  # what is overwritten in time is not noticed
            for block in range(0, 320, 5):
                os.pwritev(device, [garbage], block * 4096)
        out, err = run.communicate()
        self.assertEqual((run.returncode, out), (FAILED, ""), err)
        self.assertRegex(err, r"\Agleaner simulate: physical block \d+, lba \d+[^\n]*\n\Z")
        self.assertLess(int(re.search(r"physical block (\d+)", err)[1]), 320)


class CopyTest(CommandTest):
    def copy(self, ranges, at, *flags, to="mem:size=1M", source="mem:size=1M"):
        return ["copy", f"--from={source}", f"--ranges={ranges}", f"--to={to}", f"--at={at}",
                *flags]

    def test_ranges(self):
        for ranges in ["0+0", "1+1,4+0"]:
            self.refuses(self.copy(ranges, 100), WRONG_USE, "--ranges: ", "is empty")
        for ranges in ["a+1", "1+", "+1", "1", "1+1+1", "1+1,", "-1+4", "1-4",
                       "99999999999999999999+1"]:
            self.refuses(self.copy(ranges, 100), WRONG_USE, "--ranges: ", "is not START+COUNT")
        for at in ["-1", "x", "1.5", "18446744073709551616"]:
            self.refuses(self.copy("0+1", at), WRONG_USE, f'--at: "{at}" is not a whole number')

    def test_bounds_and_overlap(self):
        for ranges in ["250+10", "0+1,256+1", "0+18446744073709551613"]:
            self.refuses(self.copy(ranges, 0), FAILED, "mem: range", "past the end at block 256")
        for at in [250, 256, 18446744073709551615]:
            line = self.refuses(self.copy("0+10", at), FAILED, "mem has no room", f"{at}+10",
                                "ends at block 256")
            self.assertNotIn("arrived", line)  # nothing was submitted
        line = self.refuses(self.copy("0+10", 5), FAILED, "source blocks 0+10",
                            "target blocks 5+10 overlap on mem")
        self.assertNotIn("arrived", line)
        self.succeeds(self.copy("0+10", 10))

    def test_block_sizes(self):
        self.refuses(self.copy("0+1", 0, to="mem:size=1M,block=8192"), WRONG_USE,
                     '--ranges: "0+1" is no multiple', "8192")

    def test_devices(self):
        self.refuses(self.copy("0+1", 0, to="file:missing"), FAILED, "missing")
        self.refuses(self.copy("0+1", 0, source="file:missing"), FAILED, "missing")
        self.refuses(self.copy("0+1", 0, source="fiel:x"), WRONG_USE, "--from: ", '"file"?')
        self.refuses(self.copy("0+1", 0, to="fiel:x"), WRONG_USE, "--to: ", '"file"?')
        self.refuses(self.copy("0+1", 0, "--copy=nativ"), WRONG_USE, "--copy: ", '"native"?')
        new = "file:new,size=1M"  # not there after any error
        self.refuses(self.copy("0+1000", 0, to=new), FAILED, "past the end")
        self.refuses(self.copy("0+8", 250, to=new), FAILED, "file:new has no room")
        self.refuses(self.copy("0+8", 0, to=new, source="file:missing"), FAILED, "missing")
        self.refuses(self.copy("0+8", 0, "--copy=native", to=new), FAILED, "native", "file:new")

    def test_a_rate(self):
        # 0.4 s at that rate, but for what may begin at once.
        out = self.succeeds(self.copy("0+100", 100, "--max_bytes_per_second=1M", "--json"))
        copied = json.loads(out)
        self.assertEqual(copied["blocks"], 100)
        self.assertGreater(copied["times_throttled"], 0)
        self.assertGreater(copied["throttled_seconds"], 0.2)
        self.assertGreater(copied["wall_seconds"], 0.3)
        self.assertIn("held back by --max_bytes_per_second for ",
                      self.succeeds(self.copy("0+20", 100, "--max_bytes_per_second=512K")))
        self.assertNotIn("held back", self.succeeds(self.copy("0+20", 100)))
        for rate in ["0", "x", "-1", "1Q"]:
            self.refuses(self.copy("0+1", 100, "--max_bytes_per_second=" + rate), WRONG_USE,
                         "--max_bytes_per_second: ")

    def test_a_power_cut(self):
        losing = "faulty:lost=1;mem:size=1M"
        self.refuses(self.copy("0+8", 100, to=losing, source=losing), FAILED, "power was lost",
                     "0 of 8 blocks are known to have arrived")
        self.refuses(["identify", "faulty:lost=1;mem:size=1M,zone=64K"], WRONG_USE,
                     "SPEC: mem is zoned")

    def test_one_file_under_two_names(self):
        self.write("device", bytes(MIB))
        self.refuses(self.copy("0+8", 4, source="file:device", to="file:./device"), WRONG_USE,
                     "--from: file:device and file:./device are one file")
        self.refuses(self.copy("0+8", 4, source="file:device", to="file:device"), FAILED,
                     "overlap on file:device")
        self.succeeds(self.copy("0+8", 8, source="file:device", to="file:device"))


class UnknownLimitsTest(CommandTest):
    """Devices that offer Copy and do not say how much of it."""

    SPEC = "faulty:hide_limits=1,real_copy_blocks=6,real_copy_ranges=2;mem:size=4M"

    def test_identify(self):
        identity = json.loads(self.succeeds(["identify", self.SPEC, "--json"]))
        self.assertTrue(identity["can_copy"])
        self.assertTrue(identity["copy_limits_unknown"])
        self.assertEqual(identity["hardware_copy_limits"],
                         {"copy_offload": True, "max_copy_blocks": 0, "max_copy_ranges": 0,
                          "max_range_blocks": 0})
        self.assertEqual(identity["copy_limits"],
                         {"copy_offload": True, "max_copy_blocks": 65536,
                          "max_copy_ranges": 256, "max_range_blocks": 65536})
        text = self.succeeds(["identify", self.SPEC])
        self.assertIn("max_copy_blocks      0, 65536\n", text)
        self.assertIn("is unknown, and is learned by trying.\n", text)

        known = self.succeeds(["identify", "mem:size=4M"])
        self.assertNotIn("learned by trying", known)
        known = json.loads(self.succeeds(["identify", "mem:size=4M", "--json"]))
        self.assertFalse(known["copy_limits_unknown"])

    def test_copy(self):
        out = json.loads(self.succeeds(
            ["copy", f"--from={self.SPEC}", f"--to={self.SPEC}", "--ranges=0+500", "--at=500",
             "--copy=native", "--json"]))
        self.assertEqual(out["native_blocks"], 500)
        self.assertEqual(out["failed_commands"], 3)  # one for each limit


class MembersTest(CommandTest):
    """Devices of several members."""

    STRIPE = "stripe:64K;file:one,size=1M;file:two,size=1M"

    def test_identify(self):
        out = self.succeeds(["identify", "stripe:64K;mem:size=1M;mem:size=1M,max_copy_ranges=5",
                             "--json"])
        identity = json.loads(out)
        self.assertEqual(identity["device"], "stripe:64K;mem;mem")
        self.assertEqual(identity["capacity_blocks"], 512)
        self.assertEqual(identity["copy_limits"]["max_copy_ranges"], 5)
        self.refuses(["identify", "stripe:64K;mem:size=1M"], WRONG_USE,
                     "SPEC: stripe: two members or more, not one")
        self.refuses(["identify", "stripe:64K;faulty:;mem:size=1M"], WRONG_USE,
                     "SPEC: stripe: member 1: faulty: ", "in parentheses")
        self.refuses(["identify", "concat:mem:size=1M;file:missing"], FAILED,
                     "concat: member 2: ", "missing", "No such file")
        self.refuses(["identify", "concat:mem:size=1M;mem:size=1M,block=512"], WRONG_USE,
                     "SPEC: concat: member 2 (mem) has blocks of 512 bytes")

    def copy(self, source, target, ranges, at, *flags):
        return ["copy", f"--from={source}", f"--to={target}", f"--ranges={ranges}",
                f"--at={at}", "--json", *flags]

    def test_copy(self):
        # Chunks of 16 blocks: 0 and 32 are on the first member, 16 on the second.
        self.write("data", b"".join(bytes([i]) * 4096 for i in range(1, 33)))
        self.succeeds(self.copy("file:data", self.STRIPE, "0+32", 0))
        with open("two", "rb") as two:
            self.assertEqual(two.read(4096), bytes([17]) * 4096)
        stripe = self.STRIPE
        within = self.copy(stripe, stripe, "0+16", 32, "--force", "--copy=native")
        self.refuses(within, FAILED, "cannot copy natively")  # files have no Copy
        self.succeeds(self.copy(stripe, stripe, "0+16", 48, "--force"))
        with open("two", "rb") as two:
            two.seek(16 * 4096)
            self.assertEqual(two.read(4096), bytes([1]) * 4096)

    def test_native_copies(self):
        stripe = "stripe:64K;mem:size=1M;mem:size=1M"
        out = self.succeeds(self.copy(stripe, stripe, "0+4,36+12", 64, "--copy=native"))
        self.assertEqual(json.loads(out)["native_blocks"], 16)
        self.refuses(self.copy(stripe, stripe, "0+16", 48, "--copy=native"), FAILED,
                     "no native copy of block 0 to block 48 of stripe:64K;mem;mem")

    def test_a_member_is_not_another_device(self):
        self.succeeds(self.copy("mem:size=1M", self.STRIPE, "0+32", 0))  # both are written
        self.refuses(self.copy("file:two", self.STRIPE, "0+1", 0), WRONG_USE,
                     "--from: two and two are one file")

    def test_foreign_data_on_a_member(self):
        self.write("two", os.urandom(MIB))
        self.refuses(self.copy("mem:size=1M", "stripe:64K;mem:size=1M;file:two", "0+1", 0),
                     FAILED, "stripe: member 2: file:two holds data that is not Gleaner's",
                     "only with --force")
        self.succeeds(self.copy("mem:size=1M", "stripe:64K;mem:size=1M;file:two", "0+1", 0,
                                "--force"))

    def test_simulate(self):
        for device in ["stripe:64K;file:one,size=4M;file:two,size=4M",
                       "concat:mem:size=1M;(faulty:slow=0.01;mem:size=4M)"]:
            out = self.succeeds(simulate(f"--device={device}", "--json"))
            self.assertGreater(json.loads(out)["verified_blocks"], 0)


class IdentifyTest(CommandTest):
    def test_every_backend(self):
        self.write("device", bytes(MIB))
        for spec, words in [("mem:size=1M", "copy_offload"), ("file:device", "can_copy"),
                            ("mem:size=64M,zone=1M,zone_capacity=768K,max_open=3", "max_open")]:
            before = self.contents()
            self.assertIn(words, self.succeeds(["identify", spec]))
            self.assertEqual(self.contents(), before)

    def test_foreign_data_may_be_looked_at(self):
        self.write("device", os.urandom(MIB))
        self.succeeds(["identify", "file:device"])


if __name__ == "__main__":
    main()
