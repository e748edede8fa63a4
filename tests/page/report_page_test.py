#!/usr/bin/env python3
"""Reports in a browser: on a phone and on a wide screen, light and dark.

Without Chromium (./dev setup page) it is skipped, aloud. The screenshots stay among the test's
outputs.
"""

import json
import os
import shutil
import sys
import unittest

CHROMIUM = shutil.which("chromium")
SAMPLE = os.path.abspath(sys.argv[2])

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "cli")]
from browser import Browser  # noqa: E402
from command_testing import CommandTest, main, simulate  # noqa: E402

# Of each canvas, how many of its points have been painted.
PAINTED = """[...document.querySelectorAll('canvas')].map((canvas) => {
  const points = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let painted = 0;
  for (let i = 3; i < points.length; i += 4) painted += points[i] > 0;
  return painted;
})"""
HOSTILE = "</script><img src=https://example.invalid onerror=alert(1)>"


@unittest.skipIf(CHROMIUM is None, "report_page_test.py:\nno chromium here: ./dev setup page")
class ReportPageTest(CommandTest):
    def look(self, page, charts):
        outputs = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR", self.folder)
        backs = set()
        with Browser(CHROMIUM, self.folder) as browser:
            for width, height in [(360, 800), (1400, 900)]:
                for dark in [False, True]:
                    browser.open(page, width, height, dark)
                    where = f"{page} at {width}, dark: {dark}"
                    self.assertEqual(browser.problems, [], where)
                    self.assertLessEqual(
                        browser.evaluate("document.documentElement.scrollWidth"), width, where)
                    painted = browser.evaluate(PAINTED)
                    self.assertEqual(len(painted), charts, where)
                    self.assertGreater(min(painted), 1000, where)
                    backs.add(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
                    name = f"{page[:-5]}-{width}-{'dark' if dark else 'light'}.png"
                    browser.screenshot(os.path.join(outputs, name))
        self.assertEqual(len(backs), 2, "dark looks like light")

    def test_benchmark(self):
        self.succeeds(["report", SAMPLE, "--output=benchmark.html"])
        self.look("benchmark.html", 8)  # four ratios; throughput and reads for two live shares

    def test_simulations(self):
        self.succeeds_with_report("--utilization=0.7,0.8", "--victim=greedy,fifo,cost-benefit")
        self.look("simulation.html", 2)

    def test_one_simulation(self):
        self.succeeds_with_report()
        self.look("simulation.html", 1)

    def test_hostile_names(self):
        with open(SAMPLE, encoding="utf-8") as file:
            results = json.load(file)
        results["context"]["device"] = results["context"][HOSTILE] = HOSTILE
        for entry in results["benchmarks"]:
            entry["run_name"] = entry["run_name"].replace("live:50", "live:" +
                                                          HOSTILE.replace("/", "\\"))
            entry[HOSTILE] = 1
        self.write("hostile.json", json.dumps(results))
        self.succeeds(["report", "hostile.json"])
        self.look("hostile.html", 8)

    def succeeds_with_report(self, *flags):
        self.succeeds(simulate("--report=simulation.html", *flags))


if __name__ == "__main__":
    main()
