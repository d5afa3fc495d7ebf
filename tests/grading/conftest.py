"""What the tests of grading share."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from course.checks.exercise import Lab
from course.grading.grade import Grader
from course.grading.result import Grading
from course.grading.sandbox import Limits, SandboxError, choose_level
from course.labs import lab_names, load

torch.set_num_threads(1)  # the tensors are small, and other processes want the cores too
ROOT = Path(__file__).parent.parent.parent
SEED = 11


def cells_of(path: Path) -> list[str]:
    """The code cells of a notebook of this repository."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture(scope="session")
def lab2() -> Lab:
    return load("lab2_vae")


@pytest.fixture(scope="session")
def student() -> list[str]:
    """The cells of lab 2's untouched notebook."""
    return cells_of(ROOT / "notebooks" / "lab2_vae.ipynb")


@pytest.fixture(scope="session")
def solution() -> list[str]:
    """The cells of lab 2's solution."""
    return cells_of(ROOT / "solutions" / "lab2_vae.ipynb")


def found(level: str, lab: Lab) -> str:
    """A level that works here; a named skip if it does not, and a failure where CI=true."""
    try:
        return choose_level(level, lab)
    except SandboxError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error).splitlines()[0])


@pytest.fixture(scope="session")
def found_level(lab2: Lab) -> Callable[[str], str]:
    return lambda level: found(level, lab2)


@pytest.fixture(scope="session", params=["bwrap", "landlock"])
def level(request: pytest.FixtureRequest, lab2: Lab) -> str:
    """Each sandbox level."""
    return found(request.param, lab2)


@pytest.fixture(scope="session")
def strongest(lab2: Lab) -> str:
    """The strongest sandbox level of this machine."""
    return found("auto", lab2)


@pytest.fixture(scope="session", params=lab_names())
def lab_cells(request: pytest.FixtureRequest) -> tuple[Lab, list[str], list[str]]:
    """Each lab, with the cells of its untouched notebook and of its solution."""
    name = request.param
    return load(name), cells_of(ROOT / "notebooks" / f"{name}.ipynb"), cells_of(ROOT / "solutions" / f"{name}.ipynb")


Grade = Callable[[Sequence[str]], Grading]


@pytest.fixture(scope="session")
def grade(level: str, lab2: Lab) -> Iterator[Grade]:
    """Grade cells of lab 2 at each level, all in one warm sandbox."""
    with Grader(lab2, SEED, level, Limits(timeout=3, memory=512)) as grader:
        yield grader.grade
