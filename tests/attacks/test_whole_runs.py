"""Hostile notebooks under `course grade --run`, which lets them write files: each ends, is told why, and leaves nothing."""

import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from course.grading.rerun import Expected, Whole, run_whole
from course.grading.sandbox import PREFIX, Limits

from .conftest import LAB, MOST_MEMORY, read_source

pytestmark = pytest.mark.slow

WHOLE = Whole(Expected({}, {}), Limits(timeout=10, memory=1024, disk=16))
FORGE = "\n".join(read_source("_forge")[1])

REACH_OUT = """
import os, subprocess
for attempt in (
    lambda: os.symlink("/etc/passwd", "mine"), lambda: os.link(os.__file__, "mine"), lambda: open("/tmp/written", "w"),
    lambda: open("/etc/passwd"), lambda: os.listdir("/home"), lambda: subprocess.run(["/bin/true"]), lambda: os.mkfifo("p"),
):
    try:
        attempt()
    except OSError:
        continue
    raise RuntimeError("BROKEN")
raise RuntimeError("refused, all of it")
"""
ATTACKS = {  # what one cell does, and what is to be said of it
    "nests folders": (
        "import os\nfor _ in range(3000):\n    os.mkdir('deeper')\n    os.chdir('deeper')",
        "^$|more than 16 MiB",
    ),
    "reaches out": (REACH_OUT, "refused, all of it"),
    "prints megabytes": (
        f"{FORGE}\nsay(frame({{'printed': 'x' * 3_000_000, 'error': ''}}))\ntime.sleep(1)",
        "forged an answer",
    ),
    "repeats itself": (
        f"{FORGE}\nwhile True:\n    say(frame({{'printed': 'x' * 10_000, 'error': ''}}))",
        "forged an answer",
    ),
    "says that it is done": (f"{FORGE}\nsay(frame({{'ran': True}}))\ntime.sleep(60)", "forged an answer"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_run(name: str, level: str, peak: Callable[[], int]) -> None:
    cell, says = ATTACKS[name]
    before, began = _folders(), time.monotonic()
    run = run_whole(LAB, [cell, "print('the next cell')"], WHOLE, level)
    assert time.monotonic() - began < 45
    assert re.search(says, run.message), run.message
    assert run.finished == (not run.message)
    assert peak() < MOST_MEMORY
    assert _folders() == before


def _folders() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-{os.getpid()}-*")}
