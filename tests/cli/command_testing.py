"""Runs the built `gleaner` command in an empty folder and says what it did.

    class UsageTest(CommandTest):
        def test_no_command(self):
            self.refuses([], 2, "which command")

    if __name__ == "__main__":
        main()

The test's first argument is the path of the command. Each test method is a case in the report.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from xml.sax.saxutils import quoteattr

GLEANER = os.path.abspath(sys.argv[1])
DONE, FAILED, WRONG_USE = 0, 1, 2
TIMEOUT_SECONDS = 100

# A run that takes a moment. 20 segments of 16 blocks at the default utilization.
SMALL = ["--workload=uniform", "--volume_blocks=256", "--segment_blocks=16", "--writes=2",
         "--warmup=0"]


def simulate(*flags):
    """A small simulation with `flags`, each in place of the same flag of SMALL."""
    names = {flag.split("=")[0] for flag in flags}
    return ["simulate"] + [f for f in SMALL if f.split("=")[0] not in names] + list(flags)


class CommandTest(unittest.TestCase):
    """Each test is alone in an empty current folder."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chdir(self.folder)

    def run_command(self, arguments, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([GLEANER] + arguments, timeout=TIMEOUT_SECONDS, text=True,
                              check=False, **options)

    def succeeds(self, arguments, **options):
        """Runs, expects success without a word on standard error; returns standard output."""
        ran = self.run_command(arguments, **options)
        self.assertEqual((ran.returncode, ran.stderr), (DONE, ""), arguments)
        return ran.stdout

    def refuses(self, arguments, code, *parts, **options):
        """Runs, expects `code`, nothing on standard output, one line with `parts` on standard
        error, and no file more or less, nor one with another content."""
        before = self.contents()
        ran = self.run_command(arguments, **options)
        self.is_one_line(ran, code, parts, arguments)
        self.assertFalse(ran.stdout, arguments)
        self.assertEqual(self.contents(), before, f"{arguments} left something behind")
        return ran.stderr

    def is_one_line(self, ran, code, parts, arguments):
        self.assertEqual(ran.returncode, code, f"{arguments}: {ran.stderr}")
        self.assertRegex(ran.stderr, r"\Agleaner[^\n]*: [^\n]+\n\Z", arguments)
        self.assertLess(len(ran.stderr), 500, arguments)
        for part in parts:
            self.assertIn(part, ran.stderr, arguments)

    def contents(self):
        """Every regular file of the folder: name to bytes."""
        found = {}
        for name in os.listdir("."):
            if os.path.isfile(name) and not os.path.islink(name):
                with open(name, "rb") as file:
                    found[name] = file.read()
        return found

    def write(self, name, content):
        with open(name, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return name

    def wait_until(self, what, seconds=60):
        """Polls; a condition that never comes true fails the test."""
        end = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), end, "it never happened")
            time.sleep(0.01)


class _Cases(unittest.TextTestResult):
    """Remembers each case for the XML that says what was skipped, and why."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = []

    def stopTest(self, test):
        inner = ""
        for kind, found in (("failure", self.failures + self.errors), ("skipped", self.skipped)):
            for other, text in found:
                if getattr(other, "test_case", other) is test:
                    inner = f"<{kind} message={quoteattr(text)}/>"
        name = test.id().split(".")
        self.cases.append(f'<testcase classname="{name[-2]}" name="{name[-1]}" status="run">'
                          f"{inner}</testcase>")
        super().stopTest(test)


def main():
    runner = unittest.TextTestRunner(verbosity=1, resultclass=_Cases)
    result = runner.run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    if "XML_OUTPUT_FILE" in os.environ:
        with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as file:
            file.write("<testsuites><testsuite>\n%s\n</testsuite></testsuites>\n" %
                       "\n".join(result.cases))
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
