"""Run the course's checks stage by stage: `python tools/run_tests.py [--fast | --full] [--only NAME]`.

Every stage runs even when an earlier one fails. What this machine lacks (a browser, the network) is a named skip, and a
failure where CI=true. The last line counts tests; a stage without tests of its own counts as one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
NO_NETWORK = 3  # the exit code of tools/setup_env.py for it


@dataclass
class Stage:
    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    missing: str = ""  # what keeps this machine from running it
    prepare: list[str] = field(default_factory=list)  # a command to run first


def stages(full: bool) -> list[Stage]:
    """All stages in order; the first five are the fast part."""
    # Two workers, so one thread each: threads of two processes that wait by spinning take each other's cores for minutes.
    one_thread = {"OMP_NUM_THREADS": "1"}
    units = {**one_thread, "MPLBACKEND": "Agg"}
    reduced = {} if full else {"COURSE_REDUCED": "1"}
    elsewhere = "not browser and not colab"
    all_here = elsewhere if full else f"{elsewhere} and not full"
    nbval = ["-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
    # nbval reads a cell's messages when the cell has ended: a fast progress bar on a slow machine overflows the queue.
    slow_bars = {"TQDM_MININTERVAL": "10"}
    has_chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    no_chromium = "" if has_chromium else "chromium is not on PATH"
    too_old = "" if sys.version_info >= (3, 11) else "Colab's versions need Python 3.11 or newer"
    colab_freeze = "tests/colab/colab-freeze.txt"
    colab_environment = [sys.executable, "tools/setup_env.py", "--venv", ".venv-colab", "--requirements", colab_freeze]
    return [
        Stage("lint", tool("ruff", "check")),
        Stage("types", tool("mypy")),
        Stage("layering", tool("lint-imports")),
        Stage("build", tool("course", "build", "--check")),
        Stage("fast tests", pytest("-n2", "-q", "-m", f"{elsewhere} and not slow and not full and not gpu"), units),
        Stage("verify", tool("course", "verify"), units),
        Stage("unit tests", pytest("-n2", "-q", "-m", all_here, "--ignore=tests/attacks"), units),
        Stage("attacks", pytest("-n2", "-q", "tests/attacks"), units),
        Stage("solutions", pytest("-n2", "--dist=loadfile", *nbval, "solutions"), {**one_thread, **slow_bars, **reduced}),
        Stage("browser", pytest("-m", "browser"), missing=no_chromium),
        Stage("colab", pytest("-m", "colab", "tests/colab"), missing=too_old, prepare=colab_environment),
    ]


def tool(name: str, *args: str) -> list[str]:
    return [str(BIN / name), *args]


def pytest(*args: str) -> list[str]:
    without = [] if "--nbval-lax" in args else ["-p", "no:nbval"]  # whose import takes seconds
    return [sys.executable, "-m", "pytest", *without, *args]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="the part that takes under a minute")
    parser.add_argument("--full", action="store_true", help="the labs at full steps, and the tests marked `full`")
    parser.add_argument("--only", help="one stage, by name")
    args = parser.parse_args()

    chosen = stages(args.full)
    if args.only:
        chosen = [stage for stage in chosen if stage.name == args.only]
    elif args.fast:
        chosen = chosen[:5]
    else:
        chosen = [stage for stage in chosen if stage.name != "fast tests"]  # the unit tests include them

    total: Counter[str] = Counter()
    rows = []
    for stage in chosen:
        print(f"\n=== {stage.name}: {' '.join(stage.command[1:])}", flush=True)
        start = time.perf_counter()
        counts, remark = run(stage)
        seconds = time.perf_counter() - start
        total += counts
        rows.append(f"{stage.name:<12}{seconds:7.0f} s   {summary(counts)}{remark and '   ' + remark}")
        print(f"=== {rows[-1]}", flush=True)

    print("\n" + "\n".join(rows) + "\n")
    print(summary(total))
    return 1 if total["failed"] else 0


def run(stage: Stage) -> tuple[Counter[str], str]:
    """The stage's counts, and a remark on what kept it from running."""
    reason = stage.missing
    env = {**os.environ, **stage.env}
    if stage.prepare and not reason:
        code = subprocess.run(stage.prepare, cwd=ROOT).returncode
        if code == NO_NETWORK:
            reason = "no network"
        elif code:
            return Counter(failed=1), "could not be prepared"
    if reason:
        return Counter({"failed" if os.environ.get("CI") == "true" else "skipped": 1}), reason
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        is_pytest = "pytest" in stage.command
        command = [*stage.command, f"--junitxml={report}"] if is_pytest else stage.command
        code = subprocess.run(command, cwd=ROOT, env=env).returncode
        counts = read_counts(report) if report.exists() else Counter(passed=int(code == 0))
    if code and not counts["failed"]:
        counts["failed"] += 1
    return counts, "no tests were found" if is_pytest and code == 5 else ""


def read_counts(report: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for suite in ElementTree.parse(report).iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        counts += Counter(failed=failed, skipped=skipped, passed=int(suite.get("tests", 0)) - failed - skipped)
    return counts


def summary(counts: Counter[str]) -> str:
    return f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"


if __name__ == "__main__":
    sys.exit(main())
