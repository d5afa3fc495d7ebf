"""The course in an environment with Colab's versions: installed by the set-up cell, checked, and run.

`make test-colab` makes the environment, .venv-colab, from colab-freeze.txt.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pages import Opened, opened

from course.authoring.setup_cell import setup_source
from course.demos import DEMOS

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv-colab" / "bin"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("lab*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
EXECUTE = """\
import sys, nbformat
from nbclient import NotebookClient
NotebookClient(nbformat.read(sys.argv[1], as_version=4), timeout=600, kernel_name="python3").execute()
"""

pytestmark = [
    pytest.mark.colab,
    pytest.mark.skipif(not BIN.exists(), reason="no .venv-colab: `make test-colab` makes it"),
]


def run(program: str, *args: str | Path, cwd: Path, **env: str) -> str:
    result = subprocess.run([BIN / program, *args], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def freeze(cwd: Path) -> dict[str, str]:
    listed = json.loads(run("python", "-m", "pip", "list", "--format=json", "--disable-pip-version-check", cwd=cwd))
    return {package["name"].lower(): package["version"] for package in listed}


@pytest.fixture(scope="module")
def installed(local_repository: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    """The packages before and after the set-up cell installed the course."""
    folder = tmp_path_factory.mktemp("colab")
    # Colab's IPython comes without jedi, which every installation of something that needs ipywidgets then brings.
    run("python", "-m", "pip", "uninstall", "-q", "-y", "course", "jedi", cwd=folder)
    before = freeze(folder)
    run("python", "-c", setup_source(local_repository), cwd=folder)
    return before, freeze(folder)


def test_installing_the_course_replaces_nothing(installed: tuple[dict[str, str], dict[str, str]]) -> None:
    before, after = installed
    assert {name: after.get(name) for name in before} == before
    assert "course" in after
    assert set(after) - set(before) <= {"course", "jedi"}


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS] == [path.name for path in SOLUTIONS] != []


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_check_finds_the_solution_right(solution: Path, tmp_path: Path) -> None:
    run("course", "check", solution, cwd=tmp_path)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_the_solution_runs(solution: Path, tmp_path: Path) -> None:
    run("python", "-c", EXECUTE, solution, cwd=tmp_path, COURSE_REDUCED="1")


@pytest.fixture(scope="module")
def demos(installed: object, chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A page of the classic notebook with all demos, on ipywidgets 7.7.1."""
    with opened("classic", len(DEMOS), tmp_path_factory.mktemp("classic"), BIN) as page:
        yield page


@pytest.mark.parametrize(("number", "name"), list(enumerate(DEMOS)))
def test_a_control_of_a_demo_changes_its_picture(demos: Opened, number: int, name: str) -> None:
    said = demos.text(number)
    assert not said.startswith("✗"), said
    before = demos.pixels(number)
    demos.move(number)
    assert not demos.text(number).startswith("✗"), demos.text(number)
    assert (demos.pixels(number) != before).any(axis=2).sum() > 50
    demos.reset(number)
    assert np.array_equal(demos.pixels(number), before)


def test_every_slider_has_a_name_and_a_value(demos: Opened) -> None:
    for attribute in ("aria-label", "aria-valuetext"):
        found = demos.page.locator(".course-demo-page .ui-slider-handle").evaluate_all(
            f"handles => handles.map(handle => handle.getAttribute('{attribute}'))"
        )
        assert len(found) > 10
        assert all(found)


def test_no_demo_complained(demos: Opened) -> None:
    assert demos.errors == []
    assert demos.page.locator(".output_error, .output_stderr").all_text_contents() == []
