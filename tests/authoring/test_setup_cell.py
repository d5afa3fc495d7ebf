"""The set-up cell: installs where the course is missing, does nothing where it is not, and says what is wrong."""

import ast
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from course.authoring.setup_cell import colab_badge, read_repository, setup_source

ROOT = Path(__file__).parents[2]
SOMEWHERE = "https://example.org/somebody/course"


@pytest.mark.parametrize("repository", ["", SOMEWHERE, "file:///it's/here"])
def test_is_plain_python(repository: str) -> None:
    ast.parse(setup_source(repository))


@pytest.mark.parametrize("repository", ["", SOMEWHERE])
def test_does_nothing_where_the_course_is_installed(repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("something was run"))
    exec(setup_source(repository), {})


def test_an_unpublished_course_says_what_the_publisher_must_set() -> None:
    python = [sys.executable, "-I", "-S", "-c"]  # no site-packages: the course is missing
    result = subprocess.run([*python, setup_source("")], capture_output=True, text=True)
    assert result.returncode
    last = result.stderr.splitlines()[-1]
    assert all(words in last for words in ("ImportError", "`repository`", "[tool.course]", "`course build`"))


def test_a_failed_installation_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError) as caught:
        exec(setup_source("file:///no/such/repository"), {})
    message = str(caught.value)
    assert "git+file:///no/such/repository" in message
    assert "fatal" in message
    assert "\n" not in message


@pytest.mark.full
def test_installs_the_course_in_an_empty_environment(local_repository: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # 5 GB: not left to pytest, which keeps its folders
        subprocess.run([sys.executable, "-m", "venv", f"{folder}/venv"], check=True)
        python = Path(folder, "venv", "Scripts/python.exe" if os.name == "nt" else "bin/python")
        env = {**os.environ, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}  # the torch that the other tests use

        def run(code: str) -> str:
            result = subprocess.run([python, "-c", code], cwd=folder, env=env, capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
            return result.stdout

        cell = setup_source(local_repository)
        assert "Installing" in run(cell + "\nimport course.vae")
        assert run(cell + "\nimport course.checks, course.cli") == ""


def test_repository_is_read_from_pyproject(tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(f'[tool.course]\nrepository = "{SOMEWHERE}"\n')
    assert read_repository(pyproject) == SOMEWHERE
    pyproject.write_text("[project]\n")
    assert read_repository(pyproject) == ""


@pytest.mark.parametrize("address", ["https://github.com/me/course", "https://github.com/me/course.git"])
def test_badge_opens_the_notebook_on_colab(address: str) -> None:
    badge = colab_badge(address, "notebooks/lab2_vae.ipynb")
    assert badge is not None
    assert badge.endswith("(https://colab.research.google.com/github/me/course/blob/main/notebooks/lab2_vae.ipynb)")


@pytest.mark.parametrize("address", ["", SOMEWHERE, "file:///tmp/course"])
def test_no_badge_unless_on_github(address: str) -> None:
    assert colab_badge(address, "notebooks/lab2_vae.ipynb") is None
