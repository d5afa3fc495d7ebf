"""What the attack tests share: a warm grader for each level of sandbox, honest notebooks, what may not be left behind."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from course.grading.grade import Grader
from course.grading.notebook import read_cells
from course.grading.result import Grading
from course.grading.sandbox import FIRST_UID, UIDS, Limits, SandboxError, choose_level
from course.labs import load

torch.set_num_threads(1)

HERE = Path(__file__).parent
LAB = load("lab2_vae")
OUT_OF = sum(entry.points for entry in LAB.entries.values())
LEVELS = ("bwrap", "landlock")
SEED = 7
LIMITS = Limits(timeout=2, memory=512)
MOST_MEMORY = 1000  # MiB by which the grader's process may grow while it judges one submission
WRITABLE = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/")  # where a sandbox that leaks would leave files


def read_source(name: str) -> tuple[str, list[str]]:
    """Return the header comments and the cells of notebooks/NAME.py."""
    text = (HERE / "notebooks" / f"{name}.py").read_text(encoding="utf-8")
    head, *cells = re.split(r"^# %%.*\n", text, flags=re.MULTILINE)
    return head, cells


BASE = read_source("_base")[1]


@dataclass(frozen=True)
class Attack:
    """One hostile notebook, as the header of its source describes it."""

    name: str
    kind: str
    about: str
    noticed: str  # a regular expression; "-" and a reason where it cannot be known
    seconds: float
    cells: list[str] = field(repr=False)

    @classmethod
    def read(cls, name: str) -> "Attack":
        """Read notebooks/NAME.py. Raises KeyError if a line of its header is missing."""
        head, cells = read_source(name)
        lines = dict(re.findall(r"^# (\w+): +(.+)$", head, re.MULTILINE))
        helpers = read_source(lines["needs"])[1] if "needs" in lines else []
        seconds = float(lines.get("seconds", 30))
        return cls(name, lines["class"], lines["attack"], lines["noticed"], seconds, [*BASE, *helpers, *cells])


def words_of(grading: Grading) -> str:
    """Return all that a grading says, a line for each thing."""
    said = [grading.reason, *grading.noticed]
    for report in grading.reports:
        said += [report.message, *(part.problem for part in report.parts)]
    return "\n".join(said)


def require_level(level: str) -> None:
    """Skip where a level of sandbox does not work; in CI that is a failure."""
    try:
        choose_level(level, LAB)
    except SandboxError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{level} does not work here: {error}")


@pytest.fixture(scope="session", params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    """Each level of sandbox in turn."""
    require_level(request.param)
    return str(request.param)


@pytest.fixture(scope="session")
def grader(level: str) -> Iterator[Grader]:
    """A grader that all attacks share, so that what one of them breaks would be seen in the next."""
    with Grader(LAB, SEED, level, LIMITS) as warm:
        yield warm


@pytest.fixture(scope="session")
def solution() -> tuple[str, ...]:
    """The cells of the solution notebook: the neighbour whose marks must not change."""
    return read_cells((HERE.parents[1] / "solutions" / "lab2_vae.ipynb").read_bytes())


@pytest.fixture
def grade_probe(grader: Grader) -> Callable[[str], str]:
    """Grade the base with a gaussian_kl of another source; returns what the report says of it."""

    def grade(source: str) -> str:
        report = next(r for r in grader.grade([*BASE, source]).reports if r.exercise == "gaussian_kl")
        return "\n".join([report.message, *(part.problem for part in report.parts)])

    return grade


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold the processes and files of the sandboxes' users against what was there before."""
    before = _files()
    yield
    assert _files() == before
    if "grader" in request.fixturenames and os.geteuid() == 0:
        user, deadline = FIRST_UID + os.getpid() % UIDS, time.monotonic() + 10
        while len(_processes(user)) > 1 and time.monotonic() < deadline:  # a sandbox that was closed takes a moment
            time.sleep(0.02)
        assert len(_processes(user)) == 1  # the warm one


@pytest.fixture
def peak() -> Callable[[], int]:
    """Return a function that says by how many MiB this process has grown at most since the test began."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _memory("VmRSS")
    return lambda: _memory("VmHWM") - before


def _memory(name: str) -> int:
    return int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024


def _files() -> set[str]:
    """List the files that belong to a sandbox's user, or that an attack would have named."""
    found = set()
    for folder in WRITABLE:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    user = entry.stat(follow_symlinks=False).st_uid
                    if FIRST_UID <= user < FIRST_UID + UIDS or entry.name in ("BROKEN", "left-behind", "flood", "written"):
                        found.add(entry.path)
    return found


def _processes(user: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                status = (folder / "status").read_text()
                if f"\nUid:\t{user}\t" in status and "\nState:\tZ" not in status:
                    found.append(int(folder.name))
    return found
