#!/usr/bin/env python3
"""Runs structure_checks over the real source tree, not over the files that a sandbox shows."""

import os
import sys

sys.dont_write_bytecode = True
from structure_checks import check_tree  # noqa: E402


def read_tree(root):
    """Every text file under `root`, by relative path; links and hidden folders apart."""
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name == ".ci" or not name.startswith(".")]
        for name in names:
            path = os.path.join(folder, name)
            if name == ".git" or os.path.islink(path):
                continue
            try:
                with open(path, encoding="utf-8") as file:
                    files[os.path.relpath(path, root)] = file.read()
            except UnicodeDecodeError:
                pass  # a compressed trace, a fuzzing seed
    return files


def main():
    here = os.path.dirname(os.path.realpath(__file__))
    files = read_tree(os.path.dirname(here))
    if "WORKSPACE" not in files or "dev" not in files:
        sys.exit(f"{here} is not in a source tree: this test needs the real one")
    with open(os.path.join(here, "structure_exceptions.txt"), encoding="utf-8") as file:
        findings = check_tree(files, file.read())
    for finding in findings:
        print(finding)
    print(f"{len(files)} files, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
