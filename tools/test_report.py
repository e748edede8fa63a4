#!/usr/bin/env python3
"""Counts the test cases of one Bazel run and says aloud which were skipped, and why.

    test_report.py EVENTS.json     (written by bazel test --build_event_json_file)

A GoogleTest case counts as one; so does a test of any other kind, a test that did not build, and
one that failed apart from its cases (a leak found at exit, a crash, a timeout).
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


def read_cases(path):
    """(passed, failed, [(name, reason)]) of one test.xml; nothing where it cannot be read."""
    passed, failed, skipped = 0, 0, []
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        cases = []
    for case in cases:
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is not None:
            # The first line of the message is where, the rest is why.
            reason = " ".join(skip.get("message", "").splitlines()[1:]) or "no reason given"
            skipped.append((f"{case.get('classname')}.{case.get('name')}", reason))
        elif case.get("status") != "notrun":
            passed += 1
    return passed, failed, skipped


def read_events(lines):
    """(passed, failed, [(label, name, reason)]) of a run."""
    passed, failed, skipped, tests = 0, 0, [], set()
    for event in map(json.loads, lines):
        if result := event.get("testResult"):
            label = event["id"]["testResult"]["label"]
            xml = [output["uri"] for output in result.get("testActionOutput", [])
                   if output["name"] == "test.xml"]
            ok, bad, skips = read_cases(urllib.parse.urlparse(xml[0]).path if xml else "")
            if result["status"] not in ("PASSED", "FLAKY") and not bad:
                bad = 1
            passed, failed = passed + ok, failed + bad
            skipped += [(label, *skip) for skip in skips]
        elif configured := event.get("configured"):
            if configured.get("targetKind", "").endswith("_test rule"):
                tests.add(event["id"]["targetConfigured"]["label"])
        elif "completed" in event and not event["completed"].get("success"):
            failed += event["id"]["targetCompleted"]["label"] in tests  # did not build
    return passed, failed, skipped


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        passed, failed, skipped = read_events(file)
    alike = {}
    for label, name, reason in skipped:
        alike.setdefault((label, reason), []).append(name)
    for (label, reason), names in alike.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        print(f"SKIPPED {label} {names[0]}{more}: {reason}")
    print(f"{passed + failed + len(skipped)} test cases: {passed} passed, {failed} failed, "
          f"{len(skipped)} skipped")


if __name__ == "__main__":
    main()
