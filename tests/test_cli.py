"""The command line: what each command does with good and with bad input, in one plain line and never in a traceback."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

import course.cli
from course.authoring.build import build, to_bytes
from course.demos import DEMOS

torch.set_num_threads(1)


def run(*arguments: str) -> Result:
    """Run the command line in this process; only SystemExit may come out of it."""
    result = CliRunner().invoke(course.cli.app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def words(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_lab: Any) -> Path:
    """A clone with nothing but the tiny lab; its notebooks are not built yet."""
    tiny_lab.write()
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[tool.course]\nrepository = ""\n')
    monkeypatch.setattr(course.cli, "ROOT", folder)
    return folder


def execute_by_hand(path: Path) -> None:
    content = json.loads(path.read_text())
    for number, cell in enumerate((c for c in content["cells"] if c["cell_type"] == "code"), start=1):
        cell["execution_count"] = number
    path.write_text(json.dumps(content))


def test_help() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for command in ("lab", "demo", "check", "build", "verify"):
        assert command in result.output
        assert run(command, "--help").exit_code == 0
    assert run().exit_code in (0, 2)
    assert run("nonsense").exit_code == 2


# ----------------------------------------------------------------------------------------------------------------- check


def test_check_a_student_and_a_solution_notebook(root: Path, tmp_path: Path) -> None:
    built = build("tiny")
    path = tmp_path / "mine.ipynb"
    path.write_bytes(to_bytes(built.student))
    result = run("check", str(path))
    assert result.exit_code == 1
    assert result.output.count("not attempted yet") == 4
    assert "0 of 10 points in A tiny lab" in words(result)
    path.write_bytes(to_bytes(built.solution))
    result = run("check", str(path))
    assert result.exit_code == 0
    assert result.output.count("✓") == 4
    assert "10 of 10 points in A tiny lab" in words(result)


def notebook_of(path: Path, *cells: str) -> str:
    content = {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": {},
        "cells": [
            {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
            for source in cells
        ],
    }
    path.write_text(json.dumps(content))
    return str(path)


def test_json_is_json_whatever_the_notebook_prints(root: Path, tmp_path: Path) -> None:
    path = notebook_of(
        tmp_path / "mine.ipynb",
        'start("tiny")',
        "class Loud:\n    print('while defining')\ndef double(x):\n    print('while called')\n    return 2 * x",
    )
    result = run("check", path, "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert content["points"] == 3
    assert [row["verdict"] for row in content["exercises"]] == ["right", "missing", "missing", "missing"]


def test_check_needs_a_lab(root: Path, tmp_path: Path) -> None:
    path = notebook_of(tmp_path / "mine.ipynb", "def double(x):\n    return 2 * x")
    result = run("check", path)
    assert result.exit_code == 2
    assert "does not say which lab it is" in words(result)
    assert "--lab" in words(result)
    assert "double: right" in run("check", path, "--lab", "tiny").output
    for bad in ("lab99", "../tiny"):
        result = run("check", path, "--lab", bad)
        assert result.exit_code == 2
        assert "There are: tiny" in words(result)


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b"\xff", b'{"nbformat": 4}'])
def test_check_a_file_that_is_no_notebook(root: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.ipynb"
    path.write_bytes(content)
    result = run("check", str(path))
    assert result.exit_code == 2
    assert "is not a Jupyter notebook" in words(result)


def test_check_a_file_that_is_not_there(root: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.ipynb", tmp_path):
        result = run("check", str(path))
        assert result.exit_code == 2
        assert "cannot be read" in words(result)


def test_check_says_a_hostile_text_as_it_is(root: Path, tmp_path: Path) -> None:
    path = notebook_of(
        tmp_path / "mine.ipynb",
        'start("tiny")',
        'def double(x):\n    raise ValueError("[bold]markup[/bold] [/] \\ud800 \\x1b[31m")',
    )
    assert "[bold]markup[/bold]" in run("check", path).output
    assert json.loads(run("check", path, "--json").stdout)["exercises"][0]["verdict"] == "error"


def test_an_interrupt_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(course.cli, "app", stopped)
    with pytest.raises(SystemExit) as caught:
        course.cli.main()
    assert caught.value.code == 130
    assert capsys.readouterr().out == "Stopped.\n"


# ----------------------------------------------------------------------------------------------------------------- build


def test_build_and_its_check(root: Path) -> None:
    result = run("build", "--check")
    assert result.exit_code == 1
    stale = "notebooks/tiny.ipynb, solutions/tiny.ipynb, notebooks/demos.ipynb"
    assert f"Out of date: {stale}. Run: course build --execute" in words(result)
    assert not (root / "notebooks").exists()
    result = run("build")
    assert result.exit_code == 0
    assert "no outputs yet" in words(result)
    student, solution = root / "notebooks/tiny.ipynb", root / "solutions/tiny.ipynb"
    assert "Out of date: solutions/tiny.ipynb." in words(run("build", "tiny", "--check"))  # it has no outputs
    execute_by_hand(solution)
    assert run("build", "--check").exit_code == 0
    before = student.read_bytes(), solution.read_bytes()
    assert run("build").exit_code == 0
    assert student.read_bytes() == before[0]
    assert json.loads(solution.read_text()) == json.loads(before[1])


@pytest.mark.parametrize("where", ["first", "middle", "last", "missing"])
def test_one_changed_byte_in_a_student_notebook_is_found(root: Path, where: str) -> None:
    run("build")
    execute_by_hand(root / "solutions/tiny.ipynb")
    path = root / "notebooks/tiny.ipynb"
    content = bytearray(path.read_bytes())
    if where == "missing":
        path.unlink()
    else:
        index = {"first": 0, "middle": len(content) // 2, "last": len(content) - 1}[where]
        content[index] ^= 1
        path.write_bytes(content)
    result = run("build", "--check")
    assert result.exit_code == 1
    assert "Out of date: notebooks/tiny.ipynb. Run" in words(result)


def test_a_changed_source_in_a_solution_is_found(root: Path) -> None:
    run("build")
    path = root / "solutions/tiny.ipynb"
    execute_by_hand(path)
    assert run("build", "--check").exit_code == 0
    path.write_text(path.read_text().replace("twice_as_much_of_it = ", "twice_as_much_of_it =  "))
    result = run("build", "--check")
    assert result.exit_code == 1
    assert "Out of date: solutions/tiny.ipynb. Run" in words(result)


def test_a_changed_reference_is_found_in_both(root: Path, tiny_lab: Any) -> None:
    run("build")
    execute_by_hand(root / "solutions/tiny.ipynb")
    tiny_lab.change("field.py", '"""Double every value of x: (B, D)."""', '"""Double them."""').write()
    assert "Out of date: notebooks/tiny.ipynb, solutions/tiny.ipynb." in words(run("build", "--check"))


def test_build_says_what_is_wrong_with_a_lab(root: Path, tiny_lab: Any) -> None:
    for arguments in (("build", "nowhere"), ("verify", "nowhere"), ("build", "nowhere", "--check")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "There is no lab 'nowhere'. There are: tiny." in words(result)
    tiny_lab.change("lab.py", "# TODO: add up.\n", "").write()
    result = run("build")
    assert result.exit_code == 2
    assert "Counter: say in a '# TODO: ...' line" in words(result)
    assert not (root / "notebooks").exists()


@pytest.mark.slow
def test_build_and_execute(root: Path, tiny_lab: Any) -> None:
    # The kernel is another process, which does not know the tiny lab: here is one that needs nothing.
    tiny_lab.texts["checks.py"] = "ITEMS = []\n"
    tiny_lab.texts["lab.py"] = '# %% [markdown]\nr"""\n# Tiny\n"""\n\n# %% setup\nprint(6 * 7)\n'
    tiny_lab.write()
    result = run("build", "--execute")
    assert result.exit_code == 0, result.output
    content = json.loads((root / "solutions/tiny.ipynb").read_text())
    assert content["cells"][1]["outputs"][0]["text"] == ["42\n"]
    assert run("build", "--check").exit_code == 0
    tiny_lab.texts["lab.py"] += "\n# %%\nprint(6 / 0)\n"
    tiny_lab.write()
    before = (root / "solutions/tiny.ipynb").read_bytes()
    result = CliRunner().invoke(course.cli.app, ["build", "--execute"])
    assert (root / "solutions/tiny.ipynb").read_bytes() == before
    assert isinstance(result.exception, SystemExit)
    assert "The solution of tiny fails" in words(result)
    assert "ZeroDivisionError" in result.output


def test_build_outside_a_clone(root: Path) -> None:
    (root / "pyproject.toml").unlink()
    result = run("build")
    assert result.exit_code == 2
    assert "This command works in a clone of the repository" in words(result)


# ------------------------------------------------------------------------------------------------------ verify and lab


def test_verify(root: Path, tiny_lab: Any) -> None:
    result = run("verify", "--seeds", "1")
    assert result.exit_code == 0
    for name in ("double", "total", "Counter", "answer_sum"):
        assert name in result.output
    tiny_lab.change("checks.py", "    return x**2\n", "    return 2 * x\n").write()
    result = run("verify", "tiny", "--seeds", "1")
    assert result.exit_code == 1
    assert "double: seed 0: the mistake squares passes" in words(result)
    assert run("verify", "--seeds", "0").exit_code == 2


def test_lab_opens_jupyterlab(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def pretend(command: list[str], **options: Any) -> subprocess.CompletedProcess:
        commands.append(command)
        return subprocess.CompletedProcess(command, 7 if "--no-browser" in command else 0)

    assert "notebooks is not there" in words(run("lab"))
    (root / "notebooks").mkdir()
    monkeypatch.setattr(subprocess, "run", pretend)
    result = run("lab", "--no-browser", "--port", "8899")
    assert result.exit_code == 7
    assert commands[-1][:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--notebook-dir={root / 'notebooks'}" in commands[-1]
    assert commands[-1][-3:] == ["--no-browser", "--port", "8899"]
    assert ("--allow-root" in commands[-1]) == (os.geteuid() == 0)
    monkeypatch.setattr(subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 1))
    result = run("lab")
    assert result.exit_code == 2
    assert "JupyterLab is not installed" in words(result)


# ---------------------------------------------------------------------------------------------------------------- demo


def test_build_of_the_demos(root: Path) -> None:
    assert run("build", "demos").exit_code == 0
    assert not (root / "solutions").exists()
    page = root / "notebooks/demos.ipynb"
    content = page.read_bytes()
    cells = ["".join(cell["source"]) for cell in json.loads(content)["cells"]]
    assert [cell for cell in cells if cell.startswith("show(")] == [f'show("{name}")' for name in DEMOS]
    assert [cell for cell in cells if cell.startswith("## ")] == [f"## {demo.title}" for demo in DEMOS.values()]
    assert all(cell.get("outputs", []) == [] for cell in json.loads(content)["cells"])
    assert run("build", "demos", "--check").exit_code == 0
    assert run("build", "demos").exit_code == 0
    assert page.read_bytes() == content
    page.write_bytes(content.replace(b'show(\\"kl\\")', b'show(\\"kl\\") '))
    assert page.read_bytes() != content
    assert "Out of date: notebooks/demos.ipynb." in words(run("build", "demos", "--check"))


PORT = ["--no-browser", "--port", "8899"]


@pytest.mark.parametrize(
    ("arguments", "named", "options"),
    [
        ([], [*DEMOS], []),
        (["vae"], ["vae"], []),
        (["kl", *PORT], ["kl"], PORT),
        (PORT, [*DEMOS], PORT),
        (["vae", *PORT, "kl"], ["vae", "kl"], PORT),
        (["--no-browser", "vae"], ["vae"], ["--no-browser"]),
    ],
)
def test_demo_opens_voila(
    arguments: list[str], named: list[str], options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def pretend(command: list[str], env: dict[str, str]) -> int:
        seen.update(command=command, env=env, page=json.loads(Path(command[3]).read_text()))
        return 7

    monkeypatch.setattr(course.cli, "_wait_for", pretend)
    assert run("demo", *arguments).exit_code == 7
    command = seen["command"]
    assert command[:3] == [sys.executable, "-m", "voila"]
    assert command[len(command) - len(options) :] == options
    cells = ["".join(cell["source"]) for cell in seen["page"]["cells"]]
    assert [cell for cell in cells if cell.startswith("show(")] == [f'show("{name}")' for name in named]
    template = Path(seen["env"]["JUPYTER_PATH"].split(os.pathsep)[0], "voila/templates/course/index.html.j2")
    assert template.is_file()
    assert not Path(command[3]).exists()  # nothing is left behind


def test_demo_knows_its_names_and_needs_voila(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["nothing"], ["vae", "nothing"], ["--no-browser", "nothing"], ["--port", "8899", "nothing"]):
        result = run("demo", *arguments)
        assert result.exit_code == 2
        assert "There is no demo 'nothing'. There are: riddle, density" in words(result)
    monkeypatch.setitem(sys.modules, "voila", None)
    result = run("demo")
    assert result.exit_code == 2
    assert "need voila. Install it with: pip install -e '.[lab]'" in words(result)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows ends a program without a word to it")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_demo_that_is_ended_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from course.cli import main; main()", "demo", "kl", "--no-browser", f"--port={port}"]
    folder, log = tmp_path / "temporary", tmp_path / "log"
    folder.mkdir()
    with log.open("w") as said:
        demo = subprocess.Popen(
            command, env={**os.environ, "TMPDIR": str(folder)}, stdout=said, stderr=said, start_new_session=True
        )
    started = [psutil.Process(demo.pid)]
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                page = urlopen(f"http://127.0.0.1:{port}", timeout=60).read()  # Voilà starts a kernel for it
                break
            time.sleep(0.1)
        assert b"KL and reparameterization" in page
        started += started[0].children(recursive=True)
        assert len(started) >= 3  # the command, Voilà, and the kernel
        demo.send_signal(getattr(signal, name))
        _, alive = psutil.wait_procs(started, timeout=20)
        assert [" ".join(process.cmdline()) for process in alive] == []
        assert list(folder.iterdir()) == []
        assert "Warning" not in log.read_text()
    finally:
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        demo.wait()


# ------------------------------------------------------------------------------------------------- a fresh interpreter


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_field_modules_load_no_machinery() -> None:
    result = python(
        "import sys, course\n"
        "light = set(sys.modules)\n"
        "import course.vae, course.metrics\n"
        "heavy = [name for name in sys.modules if name.startswith(('course.checks', 'course.labs', 'course.authoring', "
        "'course.grading', 'course.cli', 'IPython', 'ipywidgets', 'nbformat', 'jupytext', 'typer'))]\n"
        "print(heavy, 'torch' in light)"
    )
    assert result.stdout.strip() == "[] False", result.stderr


def test_what_a_notebook_calls_is_found_on_demand() -> None:
    result = python(
        "from course import check, hint, progress, start\n"
        "import course\n"
        "print(check.__module__, hint.__module__, progress.__module__, start.__module__)\n"
        "try:\n    course.chekc\nexcept AttributeError as error:\n    print(error)\n"
    )
    lines = result.stdout.splitlines()
    assert lines[0] == "course.checks.session course.checks.session course.checks.session course.labs"
    assert lines[1].startswith("course has no chekc; a notebook uses check, hint, progress, start")


@pytest.mark.slow
def test_the_installed_command_says_errors_plainly(tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    path.write_text("{")
    command = f"import sys; sys.argv = ['course', 'check', {str(path)!r}]; from course.cli import main; main()"
    result = python(command)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "is not a Jupyter notebook" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_a_terminal_that_knows_ascii_alone_gets_its_report() -> None:
    command = "from course import cli; cli.app = lambda: cli.console.print('✓ right'); cli.main()"
    result = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, timeout=120, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(b" right\n")
