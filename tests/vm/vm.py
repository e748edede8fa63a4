#!/usr/bin/env python3
"""Runs Gleaner in virtual machines, against Linux's NVMe driver and QEMU's NVMe controllers, and
against Linux's SCSI driver and target.

    vm.py [--list] [--console] [--jobs N] [--timeout SECONDS] [--program PATH]...
          [--set NAME=VALUE]... [--output FOLDER] [SCENARIO...]

Each scenario (scenarios.py) is one boot. The guest (guest/init.sh) writes its results to a serial
port, a line each: `ok NAME`, `fail NAME` with its log in lines that begin with `# `, `skip NAME:
REASON`, and at last `done CASES`. What it writes to another port is kept as FOLDER/SCENARIO.
Exits with 1 unless every case passed or was skipped.
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

sys.dont_write_bytecode = True
import image  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402

FOLDER = os.path.dirname(os.path.abspath(__file__))
TAIL_LINES = 40  # of a console's log, shown where something failed
MEMORY_MIB = 640
IO_TIMEOUT_SECONDS = 15  # until the driver aborts a command, and again until it resets
# Of any scenario; each names those that it loads.
GUEST_SCRIPTS = ["init.sh", "common.sh"]
# nvme-cli and busybox: paths as Debian installs them.
SYSTEM_PROGRAMS = ["/bin/busybox", "/usr/sbin/nvme"]


@dataclass
class Results:
    passed: list = field(default_factory=list)
    failed: dict = field(default_factory=dict)  # name to log
    skipped: dict = field(default_factory=dict)  # name to reason
    cases: int = -1  # as the guest has counted them at its end; -1: it has not got there


def parse_results(text):
    """What a guest wrote to its serial port; what was cut off has no count."""
    results, log = Results(), None
    for line in text.replace("\r", "").splitlines():
        word, _, rest = line.partition(" ")
        if word == "#":
            if log is not None:
                log.append(rest)
            continue
        log = None
        if word == "ok":
            results.passed.append(rest)
        elif word == "fail":
            log = results.failed.setdefault(rest, [])
        elif word == "skip":
            name, _, reason = rest.partition(": ")
            results.skipped[name] = reason or "no reason given"
        elif word == "done" and rest.isdigit():
            results.cases = int(rest)
    return results


def drive_arguments(number, namespace, path):
    """QEMU's arguments for one namespace that is kept in the file `path`."""
    drive = f"file={path},format=raw,if=none,id=d{number}"
    if namespace.written_bytes_per_second:
        drive += f",throttling.bps-write={namespace.written_bytes_per_second}"
    size = namespace.block_bytes
    properties = {"logical_block_size": size, "physical_block_size": size,
                  **namespace.properties}
    device = f"nvme-ns,drive=d{number},bus=nvme0,nsid={number}"
    return ["-drive", drive,
            "-device", ",".join([device, *(f"{k}={v}" for k, v in properties.items())])]


def qemu_arguments(scenario, kernel, initramfs, folder, variables):
    """The whole command line; drives and logs are files in `folder`."""
    command_line = ["console=ttyS0", "loglevel=5", "panic=-1", "rdinit=/init.sh",
                    f"nvme_core.io_timeout={IO_TIMEOUT_SECONDS}",
                    *(f"{k}={v}" for k, v in {**scenario.environment(), **variables}.items())]
    arguments = [
        # For a single processor QEMU 7.2 leaves memory barriers out, though the emulated drive is
        # another thread: it would miss, now and then, that the driver has queued more.
        "qemu-system-x86_64", "-accel", "tcg", "-smp", "2",
        "-m", str(MEMORY_MIB), "-display", "none", "-nodefaults", "-no-reboot", "-kernel", kernel, "-initrd", initramfs,
        "-append", " ".join(command_line),
        "-serial", f"file:{folder}/console", "-serial", f"file:{folder}/results",
        "-serial", f"file:{folder}/output",
        # A subsystem, so that a namespace can be detached.
        "-device", "nvme-subsys,id=subsystem,nqn=gleaner",
        "-device", ",".join(["nvme,id=nvme0,serial=gleaner,subsys=subsystem",
                             *(f"{k}={v}" for k, v in scenario.controller.items())]),
    ]
    for number, namespace in enumerate(scenario.namespaces, 1):
        arguments += drive_arguments(number, namespace, f"{folder}/d{number}")
    return arguments


@dataclass
class Outcome:
    scenario: object
    results: Results
    seconds: float
    console: str  # the guest's; empty where nothing failed


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def boot(scenario, kernel, initramfs, folder, options):
    """Runs a guest to its end; (results, console). One that hangs or crashes is a failed case."""
    for number, namespace in enumerate(scenario.namespaces, 1):
        with open(f"{folder}/d{number}", "wb") as file:
            file.truncate(namespace.size_mib << 20)
    trouble = ""
    try:
        ran = subprocess.run(qemu_arguments(scenario, kernel.bzimage, initramfs, folder,
                                            dict(v.split("=", 1) for v in options.set)),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=options.timeout,
                             check=False)
        if ran.returncode:
            trouble = f"QEMU ended with {ran.returncode}: {ran.stdout.strip()}"
    except subprocess.TimeoutExpired:
        trouble = f"the guest was stopped after {options.timeout} s"
    results = parse_results(read_text(f"{folder}/results"))
    told = len(results.passed) + len(results.failed) + len(results.skipped)
    if results.cases < 0 and not trouble:
        trouble = "the guest ended before its script did"
    if results.cases != told and not trouble:
        trouble = f"the guest ran {results.cases} cases, and {told} results came out of it"
    if trouble:
        results.failed["guest"] = [trouble]
    elif not (results.passed or results.failed or results.skipped):
        results.failed["guest"] = ["the script ran no case"]
    return results, read_text(f"{folder}/console")


def run_scenario(scenario, kernel, ours, options):
    """Makes what a guest boots from, and boots it. `ours` maps the names of our programs to their
    paths."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gleaner-vm-") as folder:
        initramfs = f"{folder}/initramfs"
        scripts = [f"{FOLDER}/guest/{name}" for name in [*GUEST_SCRIPTS, scenario.script]]
        programs = [*SYSTEM_PROGRAMS, *scenario.tools] + [ours[name] for name in scenario.programs]
        image.write_initramfs(initramfs, kernel, scenario.modules, programs, scripts)
        results, console = boot(scenario, kernel, initramfs, folder, options)
        if options.output and os.path.getsize(f"{folder}/output"):
            shutil.copy(f"{folder}/output", f"{options.output}/{scenario.name}")
    if not options.console:
        console = "\n".join(console.splitlines()[-TAIL_LINES:]) if results.failed else ""
    return Outcome(scenario, results, time.monotonic() - start, console)


def print_outcome(outcome):
    results, name = outcome.results, outcome.scenario.name
    print(f"== {name}: {len(results.passed)} passed, {len(results.failed)} failed, "
          f"{len(results.skipped)} skipped, {outcome.seconds:.0f} s")
    for case in results.passed:
        print(f"ok   {name} {case}")
    for case, reason in results.skipped.items():
        print(f"SKIPPED {name} {case}: {reason}")
    for case, log in results.failed.items():
        print("\n".join([f"FAIL {name} {case}", *(f"    {line}" for line in log)]))
    if outcome.console:
        print(f"-- {name}'s console:\n{outcome.console}\n--")
    sys.stdout.flush()


def summary(outcomes):
    passed = sum(len(outcome.results.passed) for outcome in outcomes)
    failed = sum(len(outcome.results.failed) for outcome in outcomes)
    skipped = sum(len(outcome.results.skipped) for outcome in outcomes)
    return (f"{passed + failed + skipped} test cases: {passed} passed, {failed} failed, "
            f"{skipped} skipped")


def choose(names):
    known = {scenario.name: scenario for scenario in SCENARIOS}
    for name in names:
        if name not in known:
            sys.exit(f"vm.py: no scenario '{name}'; there are {', '.join(known)}")
    if names:
        return [known[name] for name in names]
    return [scenario for scenario in SCENARIOS if not scenario.by_name_only]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="name the scenarios, run none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="guests at a time")
    parser.add_argument("--console", action="store_true", help="show every guest's whole console")
    parser.add_argument("--timeout", type=int, default=240, help="seconds that a guest may take")
    parser.add_argument("--program", action="append", default=[],
                        help="one of ours that scenarios name; may be repeated")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a variable of the guest's scripts; may be repeated")
    parser.add_argument("--output", metavar="FOLDER", help="where to put what guests measure")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    chosen = choose(options.scenarios)
    if options.list:
        print("\n".join(scenario.name for scenario in chosen))
        return 0
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                         "gleaner", "vm")
    ours = {os.path.basename(path): path for path in options.program}
    for scenario in chosen:
        if missing := set(scenario.programs) - set(ours):
            sys.exit(f"vm.py: {scenario.name} needs --program for {', '.join(sorted(missing))}")
    outcomes = []
    try:
        kernel = image.get_kernel(cache)
        with concurrent.futures.ThreadPoolExecutor(max_workers=options.jobs) as pool:
            runs = [pool.submit(run_scenario, scenario, kernel, ours, options)
                    for scenario in chosen]
            for run in concurrent.futures.as_completed(runs):
                outcomes.append(run.result())
                print_outcome(outcomes[-1])
    except image.ImageError as error:
        sys.exit(f"vm.py: {error}")
    print(summary(outcomes))
    return int(any(outcome.results.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
