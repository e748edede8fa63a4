#!/usr/bin/env python3
"""What test_report.py counts of a run, from events and XML as Bazel and GoogleTest write them."""

import json
import os
import subprocess
import tempfile
import unittest

SKIP = """<testcase name="Skip" status="run" result="skipped" classname="A">
<skipped message="x/a.cc:3&#x0A;no io_uring&#x0A;here"/></testcase>"""
GTEST = """<testsuites><testsuite name="A">
<testcase name="Ok" status="run" result="completed" classname="A" />
<testcase name="DISABLED_X" status="notrun" result="suppressed" classname="A" />
%s</testsuite></testsuites>"""
BAD = '<testcase name="Bad" status="run" classname="A"><failure message="x/a.cc:4"/></testcase>'
SHELL = '<testsuites><testsuite><testcase name="x/s" status="run">%s</testcase></testsuite></testsuites>'


class ReportTest(unittest.TestCase):
    def report(self, tests):
        """The report's lines for {label: (status, XML)}; a status of None did not build."""
        with tempfile.TemporaryDirectory() as folder:
            events = []
            for number, (label, (status, xml)) in enumerate(tests.items()):
                events.append({"id": {"targetConfigured": {"label": label}},
                               "configured": {"targetKind": "cc_test rule"}})
                events.append({"id": {"targetCompleted": {"label": label}},
                               "completed": {"success": True} if status else {"failureDetail": {}}})
                path = os.path.join(folder, f"{number}.xml")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(xml)
                if status:
                    output = [{"name": "test.xml", "uri": f"file://{path}"}]
                    events.append({"id": {"testResult": {"label": label}},
                                   "testResult": {"status": status, "testActionOutput": output}})
            # A library that does not build is no test; the tests on it are told of apart.
            events.append({"id": {"targetCompleted": {"label": "//x:lib"}}, "completed": {}})
            path = os.path.join(folder, "events.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(map(json.dumps, events)))
            return subprocess.run(["tools/test_report.py", path], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout.splitlines()

    def test_cases_and_skips(self):
        tests = {"//x:a": ("FAILED", GTEST % (SKIP + BAD)), "//x:s": ("PASSED", SHELL % "")}
        self.assertEqual(self.report(tests), [
            "SKIPPED //x:a A.Skip: no io_uring here",
            "4 test cases: 2 passed, 1 failed, 1 skipped",
        ])

    def test_skips_for_one_reason_are_one_line(self):
        again = SKIP.replace("Skip", "Again")
        other = SKIP.replace("Skip", "Other").replace("io_uring", "disk")
        self.assertEqual(self.report({"//x:a": ("PASSED", GTEST % (SKIP + again + other))})[:2], [
            "SKIPPED //x:a A.Skip and 1 more: no io_uring here",
            "SKIPPED //x:a A.Other: no disk here",
        ])

    def test_failures_apart_from_cases(self):
        for case in [("FAILED", SHELL % ""), ("FAILED", SHELL % '<error message="134"/>'),
                     ("TIMEOUT", ""), (None, "")]:
            with self.subTest(case):
                passed = case == ("FAILED", SHELL % "")
                self.assertEqual(self.report({"//x:a": case}), [
                    f"{1 + passed} test cases: {0 + passed} passed, 1 failed, 0 skipped"])

    def test_no_tests(self):
        self.assertEqual(self.report({}), ["0 test cases: 0 passed, 0 failed, 0 skipped"])


if __name__ == "__main__":
    unittest.main()
