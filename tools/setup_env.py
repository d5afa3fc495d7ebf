"""Make a virtual environment for the course: `python3 tools/setup_env.py --extras lab`.

Called by the Makefile before everything else. A second call does nothing until pyproject.toml or constraints.txt
change. What goes wrong is said in one plain line. Standard library only, and in the syntax of Python 3.6, so that a
Python that is too old can still say so. Exit codes: 0 ready; 1 it cannot be done here; 3 no network; 130 stopped.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 10)
SPACE_GB = 8  # torch and what it needs take 5 GB, and as much again is unpacked from on the way
NO_NETWORK = 3
NETWORK_WORDS = re.compile(
    r"ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|ProtocolError|SSLError|Max retries exceeded"
    r"|Connection refused|Network is unreachable|name resolution|Failed to establish"
)


class Problem(Exception):
    """What went wrong, in one plain line, and the exit code that goes with it."""

    def __init__(self, line, code=1):
        super().__init__(line)
        self.code = code


def main(argv=None):
    parser = argparse.ArgumentParser(description="Make a virtual environment for the course.")
    parser.add_argument("--venv", default=".venv", help="folder of the environment (default .venv)")
    parser.add_argument("--extras", default="lab", help="extras of the package, such as lab,dev")
    parser.add_argument("--newest", action="store_true", help="the newest releases, not those in constraints.txt")
    parser.add_argument("--requirements", help="install just what this file lists, not the course")
    args = parser.parse_args(argv)
    try:
        python = find_python()
        if python != sys.executable:
            return subprocess.call([python, __file__] + (sys.argv[1:] if argv is None else argv))
        set_up(ROOT / args.venv, set(args.extras.split(",")), args.newest, args.requirements)
    except Problem as problem:
        print("Set-up failed: {}".format(problem), file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        print("Set-up stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def find_python():
    """This Python if it is new enough, else one on PATH that is."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for minor in (13, 12, 11, 10):
        python = shutil.which("python3.{}".format(minor))
        if python and new_enough(python):
            return python
    raise Problem(
        "Python 3.10 or newer is needed, and {} is {}.{}: install Python 3.12, then run this again.".format(
            sys.executable, *sys.version_info[:2]
        )
    )


def new_enough(python):
    code = "import sys; sys.exit(sys.version_info < {})".format(OLDEST)
    try:
        return subprocess.call([str(python), "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def set_up(venv, extras, newest, requirements):
    stamp = venv / "set-up.json"
    done = read_stamp(stamp)
    wanted = {"path": str(venv), "inputs": fingerprint(requirements), "extras": sorted(extras)}
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    same_place = done.get("path", str(venv)) == str(venv)  # the scripts in a moved environment point to the old place
    usable = same_place and python.exists() and new_enough(python)
    if usable and done.get("inputs") == wanted["inputs"] and extras <= set(done["extras"]) and not newest:
        return
    if usable:
        wanted["extras"] = sorted(extras | set(done.get("extras", [])))

    log = venv / "install.log"
    shown = os.path.relpath(str(log))
    check_space(venv)
    print("Setting up {} (several minutes and 5 GB the first time; details in {})".format(venv.name, shown), flush=True)
    if not usable:
        make_venv(venv)
    stamp.write_text("{}")  # not ready until pip is through
    run_pip(python, pip_arguments(wanted["extras"], newest, requirements), log)
    stamp.write_text(json.dumps(wanted))


def read_stamp(stamp):
    try:
        return json.loads(stamp.read_text())
    except (OSError, ValueError):
        return {}


def fingerprint(requirements):
    """A hash of the files that say what is to be installed."""
    files = [requirements] if requirements else ["pyproject.toml", "constraints.txt"]
    return hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in files)).hexdigest()


def pip_arguments(extras, newest, requirements):
    if requirements:
        return ["-r", requirements]
    course = ["-e", ".[{}]".format(",".join(extras))]
    return course + (["--upgrade", "--upgrade-strategy", "eager"] if newest else ["-c", "constraints.txt"])


def check_space(venv):
    has_torch = any(venv.glob("lib/python*/site-packages/torch")) or any(venv.glob("Lib/site-packages/torch"))
    needed = 1 if has_torch else SPACE_GB
    free = shutil.disk_usage(str(venv.parent)).free / 1e9
    if free < needed:
        raise Problem(
            "{} GB of free disk space are needed in {}, and {:.1f} GB are free: make room, then run this again.".format(
                needed, venv.parent, free
            )
        )


def make_venv(venv):
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Problem(
                "Python's module {0} is missing from {1}: install it (Debian, Ubuntu: apt install python3-venv), "
                "then run this again.".format(module, sys.executable)
            )
    result = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(venv)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode:
        words = result.stdout.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise Problem("`python -m venv {}` failed, saying: {}".format(venv, words[-1]))


def run_pip(python, arguments, log):
    """Install with pip: all it says goes to the log, what takes long to the screen."""
    command = [str(python), "-m", "pip", "install", "--progress-bar", "off", "--no-input", *arguments]
    lines = []
    process = subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with process, log.open("w", encoding="utf-8") as file:
        for raw in process.stdout:
            line = raw.decode(errors="replace")
            file.write(line)
            lines.append(line.strip())
            show_progress(line.strip())
    if process.returncode:
        raise explain(lines, log)


def show_progress(line):
    download = re.match(r"Downloading (\S+) \((\d{3,}(?:\.\d+)? MB)\)", line)
    if download:
        print("  downloading {} ({})".format(download.group(1).split("/")[-1], download.group(2)), flush=True)
    elif line.startswith("Installing collected packages") and "," in line:
        print("  installing {} packages".format(line.count(",") + 1), flush=True)


def explain(lines, log):
    text = "\n".join(lines)
    if "No space left on device" in text:
        return Problem("the disk is full: make room ({} GB are needed), then run this again.".format(SPACE_GB))
    if NETWORK_WORDS.search(text):
        return Problem("pip could not reach the package index: check the network, then run this again.", NO_NETWORK)
    errors = [line for line in lines if line.lower().startswith("error")] or lines or ["nothing"]
    return Problem("pip stopped, saying: {} (all of it in {})".format(errors[-1], os.path.relpath(str(log))))


if __name__ == "__main__":
    sys.exit(main())
