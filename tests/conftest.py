"""What tests in several folders share."""

import importlib
import linecache
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import CHROMIUM

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_interrupts() -> None:
    """Let SIGINT interrupt, as at a terminal: what a shell starts in the background ignores it, and so would the tests."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def local_repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a git repository with one commit: the working tree as it is now."""
    copy = tmp_path_factory.mktemp("repository")
    listing = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():  # a file deleted but not yet committed is still listed
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "The working tree"]):
        subprocess.run(["git", *command], cwd=copy, check=True)
    return copy.as_uri()


@pytest.fixture(scope="session")
def chromium() -> None:
    """Skip where there is no browser; in CI, fail."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


class Notebook:
    """The cells of a notebook, run one after the other in one namespace, as a kernel does it."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.cells = 0

    def run(self, source: str) -> "Notebook":
        """Run a cell; its source can be found as that of a real cell can."""
        self.cells += 1
        file = f"<notebook {id(self)}, cell {self.cells}>"
        source = textwrap.dedent(source).lstrip("\n")
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), self.names)
        return self

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


@pytest.fixture
def notebook() -> Notebook:
    """A notebook of which no cell has been run."""
    return Notebook()


TINY_FIELD = '''
"""Two small functions and a class."""

import math
from functools import partial

import torch
from torch import Tensor

SCALE = 2.0


def stretch(x: Tensor) -> Tensor:
    """No exercise, but one calls it."""
    return x * SCALE


def double(x: Tensor) -> Tensor:
    """Double every value of x: (B, D)."""
    if x.ndim != 2:
        raise ValueError("x must be (B, D)")
    ### BEGIN SOLUTION
    twice_as_much_of_it = stretch(x)
    return twice_as_much_of_it
    ### END SOLUTION


def total(x: Tensor) -> Tensor:
    """Sum the doubled values."""
    sum_of_everything = double(x).sum() * math.cos(0.0)
    return sum_of_everything


class Counter:
    """Counts what it has seen."""

    def __init__(self) -> None:
        self.seen = partial(torch.zeros, 1)()

    def add(self, x: Tensor) -> Tensor:
        """Add the total of x; return the count."""
        self.seen = self.seen + total(x)
        return self.seen
'''

TINY_CHECKS = '''
"""How the tiny lab judges."""

import torch

from course.checks.exercise import Exercise, Part, Question, probe
from course.labs.tiny.field import Counter, double, total


def cases(generator):
    return [{"x": torch.randn(b, d, generator=generator) + 3} for b, d in ((4, 3), (2, 2))]


@probe()
def call(candidate, x):
    return {"result": candidate(x)}


@probe(double=lambda x: 5 * x - 1)
def call_with_fake(candidate, x):
    return {"result": candidate(x)}


@probe(total=lambda x: x.sum() + 7)
def count(candidate, x):
    counter = candidate()
    return {"first": counter.add(x), "second": counter.add(x)}


double_exercise = Exercise(double, [Part("value", "twice the value", call, cases)], ["Multiply."])
total_exercise = Exercise(total, [Part("value", "the sum", call_with_fake, cases)], ["Call double.", "Then sum."])
count_exercise = Exercise(Counter, [Part("value", "the count", count, cases)], ["Add."], methods=["add"])


@double_exercise.style
def by_sum(x):
    return x + x


@double_exercise.mistake("You squared it. Multiply by two.")
def squares(x):
    return x**2


@double_exercise.mistake("You halved it. Multiply by two.")
def halves(x):
    return x / 2


@double_exercise.mistake("You added one. Multiply by two.")
def adds_one(x):
    return x + 1


@total_exercise.style
def in_one_go(x):
    return (2 * x).sum()


@total_exercise.mistake("You took the mean. Take the sum.")
def takes_the_mean(x):
    return double(x).mean()


@total_exercise.mistake("You sum each row. Sum them all.")
def sums_rows(x):
    return double(x).sum(1)


@total_exercise.mistake("The sign is wrong.")
def negates(x):
    return -double(x).sum()


@count_exercise.style
class InPlace(Counter):
    def add(self, x):
        self.seen += total(x)
        return self.seen.clone()


@count_exercise.mistake("You forget what came before.")
class Forgets(Counter):
    def add(self, x):
        self.seen = total(x)
        return self.seen


@count_exercise.mistake("You return the total of x alone.")
class ReturnsTotal(Counter):
    def add(self, x):
        self.seen = self.seen + total(x)
        return self.seen - 1


@count_exercise.mistake("You subtract.")
class Subtracts(Counter):
    def add(self, x):
        self.seen = self.seen - total(x)
        return self.seen


question = Question(
    "answer_sum",
    "b",
    {
        "a": "No: the sum of doubled values is not the sum of the values themselves.",
        "b": "Yes: doubling commutes with summing, because both of them are linear.",
    },
)

ITEMS = [double_exercise, total_exercise, count_exercise, question]
'''

TINY_LAB = '''
# %% [markdown]
r"""
# A tiny lab

Two functions and a class.
"""

# %% setup
from course import check, progress, start

start("tiny")

# %% [markdown]
r"""
## Double
"""

# %% exercise points=3 minutes=5 difficulty=2
from course.labs.tiny.field import double
# TODO: twice the value.

# %%
check(double)

# %% exercise points=2 minutes=1
from course.labs.tiny.field import total
# TODO: the sum of the doubled values.

# %%
check(total)

# %% exercise points=4 minutes=5 difficulty=3
from course.labs.tiny.field import Counter
# TODO: add up.

# %%
check(Counter)

# %% question points=1 minutes=2
answer_sum = ""  # "a" or "b"

# %%
check(answer_sum, "answer_sum")

# %%
progress()
'''


class TinyLab:
    """Writes the source of a lab named "tiny" where course.labs finds it; each text can be changed before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tiny"
        self.texts = {"field.py": TINY_FIELD, "checks.py": TINY_CHECKS, "lab.py": TINY_LAB, "__init__.py": ""}

    def change(self, file: str, old: str, new: str) -> "TinyLab":
        """Replace a text that stands once in one of its files."""
        assert self.texts[file].count(old) == 1, old
        self.texts[file] = self.texts[file].replace(old, new)
        return self

    def write(self) -> None:
        """Write the files, and forget an earlier version."""
        self.folder.mkdir(exist_ok=True)
        for file, text in self.texts.items():
            (self.folder / file).write_text(text.lstrip("\n"), encoding="utf-8")
        for name in [name for name in sys.modules if name.startswith("course.labs.tiny")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        linecache.clearcache()


@pytest.fixture
def tiny_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyLab]:
    """A lab of the tests' own, beside which there is no other; call write() to have it."""
    import course.labs

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(course.labs, "files", lambda package: tmp_path)
    monkeypatch.setattr(course.labs, "__path__", [str(tmp_path)])
    lab = TinyLab(tmp_path)
    yield lab
    for name in [name for name in sys.modules if name.startswith("course.labs.tiny")]:
        del sys.modules[name]
    vars(course.labs).pop("tiny", None)
