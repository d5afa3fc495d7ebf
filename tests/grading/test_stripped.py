"""The course that a graded notebook sees: it works, and the answers are not in it."""

import ast
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import course
from course.checks.cut import BEGIN, END
from course.checks.exercise import Exercise
from course.grading.stripped import write_stripped


@pytest.fixture(scope="module")
def stripped(lab_cells: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("stripped")
    write_stripped(lab_cells[0], folder)
    return lab_cells[0], folder


def exercises(lab: Any) -> list[Exercise]:
    return [entry.item for entry in lab.entries.values() if isinstance(entry.item, Exercise)]


def test_no_solution_stands_in_it(stripped: Any) -> None:
    lab, folder = stripped
    text = "\n".join(path.read_text() for path in folder.rglob("*.py"))
    for exercise in exercises(lab):
        source = inspect.getsource(exercise.reference)
        tree = ast.parse(source).body[0]
        methods = [node for node in ast.walk(tree) if getattr(node, "name", "") in exercise.methods]
        for node in methods or [tree]:
            last = ast.unparse(node.body[-1]).splitlines()[-1]
            assert len(last) > 10
            wanted = {exercise.name} if not exercise.methods else {f"{exercise.name}.{node.name}"}
            assert all(f'NotImplementedError("WITHHELD {name}")' in text for name in wanted)
        for marked in source.split(BEGIN)[1:]:  # other labs' exercises may stay: this one may need them
            assert marked.split(END)[0].strip() not in text
    for question in (entry.item for entry in lab.entries.values() if not isinstance(entry.item, Exercise)):
        assert all(words not in text for words in question.feedback.values())
    assert "mistake(" not in text.replace("def mistake(", "")


def test_only_what_is_needed_is_in_it(stripped: Any) -> None:
    lab, folder = stripped
    files = {path.relative_to(folder / "course").as_posix() for path in folder.rglob("*") if path.is_file()}
    assert not {name for name in files if name.endswith(("checks.py", "lab.py", "cli.py")) or "solutions" in name}
    assert not {name for name in files if name.startswith(("authoring/", "demos/"))}
    others = {name.split("/")[1] for name in files if name.startswith("labs/") and name.count("/") > 1}
    assert others == {lab.name}
    assert f"labs/{lab.name}/probes.py" in files


@pytest.mark.slow
def test_it_works_alone_and_calling_a_solution_names_it(stripped: Any) -> None:
    lab, folder = stripped
    names = [(item.reference.__module__, item.name) for item in exercises(lab) if not item.methods]
    code = (
        "import importlib, inspect, course\n"
        "assert course.check(1) is course.hint(2) is course.progress() is course.start('x') is None\n"
        f"for module, name in {names!r}:\n"
        "    function = getattr(importlib.import_module(module), name)\n"
        "    assert 'WITHHELD ' + name in inspect.getsource(function)\n"
        "from course.grading import worker, define, similar\n"
        f"import course.labs.{lab.name}.probes\n"
        "print(course.__file__)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(folder))


@pytest.mark.slow
@pytest.mark.parametrize("sandbox", ["bwrap", "landlock"])
def test_a_course_that_is_installed_beside_the_libraries_is_hidden(sandbox: str, found_level: Any, tmp_path: Path) -> None:
    """As pip installs it on another machine: its folder is among those that the sandbox shows."""
    found_level(sandbox)
    packages = tmp_path / "lib" / "site-packages"
    shutil.copytree(Path(course.__file__).parent, packages / "course", ignore=shutil.ignore_patterns("__pycache__"))
    (packages / "beside.py").write_text("KNOWN = 7\n")
    reads = (
        "def gaussian_kl(mu, logvar):\n"
        "    import beside, importlib.util\n"
        "    seen = []\n    for name in ('vae.py', 'labs/lab2_vae/checks.py'):\n"
        f"        try:\n            seen.append(open({str(packages / 'course')!r} + '/' + name).read()[:1])\n"
        "        except OSError as error:\n            seen.append(type(error).__name__)\n"
        "    raise RuntimeError(f'{beside.KNOWN} {sorted(set(seen))}')"
    )
    code = (
        "from course.grading.grade import Grader\nfrom course.labs import load\nimport course\n"
        f"assert course.__file__.startswith({str(packages)!r})\n"
        f"with Grader(load('lab2_vae'), 1, {sandbox!r}, only=('gaussian_kl',)) as grader:\n"
        f"    print(grader.grade([{reads!r}]).reports[0])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "RuntimeError: 7 ['FileNotFoundError']" in done.stdout or "RuntimeError: 7 ['PermissionError']" in done.stdout
