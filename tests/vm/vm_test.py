#!/usr/bin/env python3
"""The virtual machines' runner, without a machine: arguments, archives, results."""

import os
import stat
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import image  # noqa: E402
import scenarios  # noqa: E402
import vm  # noqa: E402


class ResultsTest(unittest.TestCase):
    def test_every_kind(self):
        results = vm.parse_results("ok identify\r\nfail copy.native\r\n# + dd\r\n# one: two\r\n"
                                   "skip a.b: no driver\r\nok c\r\ndone 4\r\n")
        self.assertEqual(results, vm.Results(["identify", "c"],
                                             {"copy.native": ["+ dd", "one: two"]},
                                             {"a.b": "no driver"}, 4))

    def test_cut_off(self):
        results = vm.parse_results("ok identify\nfail copy\n# + d")
        self.assertEqual(results, vm.Results(["identify"], {"copy": ["+ d"]}, {}, -1))
        self.assertEqual(vm.parse_results("").cases, -1)
        self.assertEqual(vm.parse_results("ok a\ndone").cases, -1)

    def test_a_case_that_failed_once_has_failed(self):
        results = vm.parse_results("fail a\n# first\nfail a\n# second\n")
        self.assertEqual(results.failed, {"a": ["first", "second"]})

    def test_summary(self):
        outcomes = [vm.Outcome(None, vm.parse_results(text), 1.0, "")
                    for text in ("ok a\nok b\nfail c\n", "skip d: why\nok e\n")]
        self.assertEqual(vm.summary(outcomes), "5 test cases: 3 passed, 1 failed, 1 skipped")


class ArgumentsTest(unittest.TestCase):
    def test_namespace(self):
        space = scenarios.Namespace(512, 8, {"mcl": 5, "zoned": "on"}, 1000)
        self.assertEqual(vm.drive_arguments(2, space, "/x/d2"), [
            "-drive", "file=/x/d2,format=raw,if=none,id=d2,throttling.bps-write=1000",
            "-device", "nvme-ns,drive=d2,bus=nvme0,nsid=2,logical_block_size=512,"
                       "physical_block_size=512,mcl=5,zoned=on"])

    def test_machine(self):
        scenario = scenarios.Scenario("a", "block.sh", (scenarios.Namespace(512),),
                                      {"mdts": 3}, {"NATIVE": "no"}, backend="file")
        arguments = vm.qemu_arguments(scenario, "/k", "/i", "/f", {})
        pairs = list(zip(arguments, arguments[1:]))
        self.assertIn(("-device", "nvme,id=nvme0,serial=gleaner,subsys=subsystem,mdts=3"), pairs)
        self.assertIn(("-serial", "file:/f/results"), pairs)
        command_line = dict(pairs)["-append"].split()
        for word in ["SCRIPT=block.sh", "BACKEND=file", "NODE=/dev/nvme0n1", "BLOCK=512",
                     "NATIVE=no"]:
            self.assertIn(word, command_line)

    def test_scenarios_can_be_run(self):
        names = [scenario.name for scenario in scenarios.SCENARIOS]
        self.assertEqual(len(set(names)), len(names))
        for scenario in scenarios.SCENARIOS:
            self.assertTrue(os.path.exists(f"{vm.FOLDER}/guest/{scenario.script}"), scenario)
            for key, value in scenario.environment().items():
                # The kernel splits its command line at spaces and takes a dot for a module's.
                self.assertRegex(f"{key}={value}", r"\A[A-Z_]+=[^\s\"]+\Z")
            for space in scenario.namespaces:
                self.assertEqual((space.size_mib << 20) % space.block_bytes, 0)


class ImageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_modules_come_after_those_they_need(self):
        files = {}
        for name, needs in [("nvme", b"nvme-core"), ("nvme_core", b"t10-pi,built_in"),
                            ("t10_pi", b""), ("other", b"")]:
            files[name] = f"{self.folder}/{name}.ko"
            with open(files[name], "wb") as file:
                file.write(b"\x7fELF\0license=GPL\0depends=" + needs + b"\0name=x\0")
        self.assertEqual([name for name, _ in image.select_modules(files, ["nvme", "nvme-core"])],
                         ["t10_pi", "nvme_core", "nvme"])

    def test_a_module_that_is_not_there(self):
        with self.assertRaisesRegex(image.ImageError, "no module nvmet"):
            image.select_modules({}, ["nvmet"])

    def test_archive(self):
        """Bytes as the format has them: 13 numbers of 8 digits, name and data padded to 4."""
        head = (b"070701" b"00000007" b"000081ed" b"00000000" b"00000000" b"00000001"
                b"00000000" b"00000005" b"00000000" b"00000000" b"00000000" b"00000000"
                b"00000003" b"00000000")
        self.assertEqual(image.cpio_entry("ab", 0o100755, b"hello", 7),
                         head + b"ab\0" + b"\0\0\0" + b"hello\0\0\0")

    def test_folders_come_before_what_is_in_them(self):
        path = f"{self.folder}/archive"
        image.write_archive(path, {"a/b/c": (stat.S_IFREG | 0o644, b"x"),
                                   "d": (stat.S_IFREG | 0o644, b"")})
        with open(path, "rb") as file:
            archive = file.read()
        self.assertLess(archive.index(b"a\0"), archive.index(b"a/b\0"))
        self.assertLess(archive.index(b"a/b\0"), archive.index(b"a/b/c\0"))
        self.assertIn(b"TRAILER!!!\0", archive[-128:])

    def test_libraries(self):
        self.assertIn("libc.so.6", image.libraries("/bin/sh"))
        with self.assertRaisesRegex(image.ImageError, "not there"):
            image.libraries(f"{self.folder}/missing")


class CommandTest(unittest.TestCase):
    def refuses(self, arguments, words):
        ran = subprocess.run([sys.executable, f"{vm.FOLDER}/vm.py", *arguments], text=True,
                             capture_output=True, check=False)
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertRegex(ran.stderr, rf"\Avm\.py: [^\n]*{words}[^\n]*\n\Z")

    def test_wrong_use(self):
        self.refuses(["block-511"], "no scenario 'block-511'; there are block-512, ")
        self.refuses(["block-512"], "block-512 needs --program for gleaner")


if __name__ == "__main__":
    unittest.main()
