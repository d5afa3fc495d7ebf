"""Packs: what Gradescope and GitHub document, and a results.json whatever a submission or the grader does."""

import json
import os
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml

from course.checks.report import NOT_ATTEMPTED, RIGHT, PartReport, Report
from course.grading import packs
from course.grading.packs import PackError, find_notebook, pack_actions, pack_gradescope
from course.grading.result import GRADED, Grading, Result, to_json

ROOT = Path(__file__).parents[2]
LAB = "lab2_vae"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("pack") / "autograder.zip"
    pack_gradescope(LAB, output)
    return output


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": None} for cell in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def hand_in(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        file = root / "submission" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


@pytest.fixture
def container(pack: Path, tmp_path: Path) -> Path:
    """Lay out what Gradescope documents: source/, run_autograder, submission/, results/, submission_metadata.json."""
    root = tmp_path / "autograder"
    for folder in ("source", "submission", "results"):
        (root / folder).mkdir(parents=True)
    with zipfile.ZipFile(pack) as archive:
        archive.extractall(root / "source")
    shutil.copy(root / "source/run_autograder", root / "run_autograder")
    (root / "run_autograder").chmod(0o755)
    users = [{"email": "student@example.com", "id": 1234, "name": "Student User"}]
    (root / "submission_metadata.json").write_text(json.dumps({"id": 123456, "users": users, "previous_submissions": []}))
    return root


def run(root: Path, course: str = "", **environment: str) -> dict:
    """Run the autograder as Gradescope does; `course` is the Python source of a command to run in the course's place."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if course:
        fake = root.parent / "bin" / "course"
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f"#!{sys.executable}\n{course}")
        fake.chmod(0o755)
        path = f"{fake.parent}{os.pathsep}{path}"
    environment = {**os.environ, "PATH": path, "AUTOGRADER_ROOT": str(root), "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([root / "run_autograder"], cwd=root, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (root / "results/stdout").write_text(done.stdout)
    content = json.loads((root / "results/results.json").read_text(), parse_constant=lambda _: pytest.fail("not JSON"))
    assert content["output_format"] == "text"
    assert content["stdout_visibility"] == "hidden"
    assert isinstance(content["score"], float)
    return content


GRADES = f"""
import json, pathlib, sys
assert sys.argv[1] == "grade", sys.argv
arguments = dict(zip(sys.argv[3::2], sys.argv[4::2]))
assert (arguments["--lab"], arguments["--sandbox"]) == ("{LAB}", "auto")
pathlib.Path("seen").write_bytes(pathlib.Path(sys.argv[2]).read_bytes())
print("seen:", pathlib.Path("seen").read_text())
results = pathlib.Path(arguments["--out"], "results")
results.mkdir(parents=True)
(results / "submission.json").write_text(RESULT)
"""


def a_result() -> str:
    reports = (
        Report("gaussian_kl", RIGHT, (PartReport("values", "the values", RIGHT, "", 3.0, 3.0),), out_of=3.0),
        Report("elbo", NOT_ATTEMPTED, out_of=2.0),
    )
    return to_json(Result("submission", LAB, 0, Grading(GRADED, reports, sandbox="landlock")))


# The zip


def test_zip_has_what_gradescope_asks_for(pack: Path) -> None:
    with zipfile.ZipFile(pack) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        for name in ("setup.sh", "run_autograder"):
            assert stat.S_IMODE(entries[name].external_attr >> 16) == 0o755
            text = archive.read(name)
            assert text.startswith(b"#!")
            assert b"\r" not in text
            assert b"@" not in text.replace(b"$@", b""), "a mark was not filled in"
            subprocess.run(["bash", "-n"], input=text, check=True)
    assert {"pyproject.toml", "LICENSE", "constraints.txt", "course/cli.py", f"course/labs/{LAB}/lab.py"} <= set(entries)
    assert not [name for name in entries if "__pycache__" in name or name.startswith("/") or "/." in name or ".." in name]
    assert all(stat.S_ISREG(entry.external_attr >> 16) for entry in entries.values())


def test_zip_is_the_same_each_time(pack: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "course", clone / "course", symlinks=True)
    for name in ("pyproject.toml", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, clone)
    for path in clone.rglob("*"):
        os.utime(path, (1, 1))
    pack_gradescope(LAB, tmp_path / "again.zip", root=clone)
    assert (tmp_path / "again.zip").read_bytes() == pack.read_bytes()


def test_zip_holds_the_whole_package(pack: Path) -> None:
    files = [path for path in (ROOT / "course").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    with zipfile.ZipFile(pack) as archive:
        assert archive.testzip() is None
        assert {f"course/{path.relative_to(ROOT / 'course').as_posix()}" for path in files} <= set(archive.namelist())
        assert archive.read("course/vae.py") == (ROOT / "course/vae.py").read_bytes()


def test_setup_installs_what_was_packed(container: Path, tmp_path: Path) -> None:
    # apt-get and Python's venv are played by scripts that write down how they were called.
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    called = tmp_path / "called"
    (fakes / "apt-get").write_text(f'#!/bin/sh\necho "apt-get $*" >> {called}\n')
    pip = f'#!/bin/sh\necho "pip $*" >> {called}\n'
    (fakes / "python3").write_text(
        f'#!/bin/sh\nmkdir -p "$3/bin"\ncat > "$3/bin/pip" <<"X"\n{pip}X\nchmod +x "$3/bin/pip"\n'
    )
    for fake in fakes.iterdir():
        fake.chmod(0o755)
    environment = {"PATH": f"{fakes}:{os.environ['PATH']}", "AUTOGRADER_ROOT": str(container)}
    subprocess.run(["bash", container / "source/setup.sh"], env=environment, check=True)
    *apt, installed = called.read_text().splitlines()
    assert "bubblewrap" in apt[-1]
    source = f"{container}/source"
    assert installed == f"pip install --no-cache-dir -c {source}/constraints.txt {source}[grade]"


def test_unknown_labs_and_places_are_named(tmp_path: Path) -> None:
    for make in (pack_gradescope, pack_actions):
        with pytest.raises(PackError, match=r"There is no lab 'lab99'. There are: .*lab2_vae"):
            make("lab99", tmp_path / "out")
        (tmp_path / "file").write_text("")
        with pytest.raises(PackError, match="--output"):
            make(LAB, tmp_path / "file" / "out")
    with pytest.raises(PackError, match="clone of the course's repository"):
        pack_gradescope(LAB, tmp_path / "out", root=tmp_path)
    assert not (tmp_path / "out").exists()


# Which notebook

MINE, OTHER, NONE = notebook('start("lab2_vae")'), notebook("from course import start\nstart('lab1')"), notebook("1 + 1")


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"a.ipynb": NONE}, "a.ipynb"),
        ({"a.ipynb": "not JSON"}, "a.ipynb"),
        ({"deep/er/a.ipynb": MINE, "b.txt": "x"}, "deep/er/a.ipynb"),
        ({"a.ipynb": OTHER, "b.ipynb": MINE, "c.ipynb": "not JSON"}, "b.ipynb"),
        ({"a.ipynb": MINE, ".ipynb_checkpoints/a-checkpoint.ipynb": MINE, "__MACOSX/._a.ipynb": "\x00"}, "a.ipynb"),
        ({"--help.ipynb": MINE}, "--help.ipynb"),
        ({"a.ipynb": notebook('# start("lab2_vae")'), "b.ipynb": MINE}, "b.ipynb"),
    ],
)
def test_the_labs_notebook_is_found(tmp_path: Path, files: dict[str, str], chosen: str) -> None:
    hand_in(tmp_path, files)
    assert find_notebook(tmp_path / "submission", LAB) == tmp_path / "submission" / chosen


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "There is no notebook"),
        ({"answers.pdf": "x"}, "There is no notebook"),
        ({"a.ipynb": MINE, "b.ipynb": MINE}, "more than one of them says"),
        ({"a.ipynb": NONE, "b.ipynb": OTHER}, "none of them says"),
        ({"\x1b[31ma\n.ipynb": NONE, "b.ipynb": NONE}, "none of them says"),
    ],
)
def test_no_clear_notebook_is_said_to_the_student(container: Path, files: dict[str, str], said: str) -> None:
    hand_in(container, files)
    content = run(container, course="raise SystemExit('must not be called')")
    assert content["score"] == 0
    assert said in content["output"]
    assert "\x1b" not in content["output"]


def test_a_link_is_not_followed(container: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.ipynb"
    secret.write_text(MINE)
    (container / "submission/a.ipynb").symlink_to(secret)
    assert "There is no notebook" in run(container, course=GRADES.replace("RESULT", repr(a_result())))["output"]


# Running it


def test_the_result_reaches_gradescope(container: Path) -> None:
    hand_in(container, {"x/my lab.ipynb": MINE})
    before = MINE, time.time()
    content = run(container, course=GRADES.replace("RESULT", repr(a_result())))
    assert content["score"] == 3
    assert [(test["name"], test["score"], test["max_score"]) for test in content["tests"]] == [
        ("gaussian_kl", 3, 3),
        ("elbo", 0, 2),
    ]
    assert content["output"].startswith("Graded: x/my lab.ipynb\n3 of 5 points")
    assert 0 <= content["execution_time"] <= time.time() - before[1]
    assert "start" in (container / "results/stdout").read_text(), "the grader's output is there for the instructor"
    assert (container / "submission/x/my lab.ipynb").read_text() == before[0]


def test_only_the_owner_can_open_what_the_sandbox_must_not_see(container: Path) -> None:
    hand_in(container, {"a.ipynb": MINE})
    run(container, course=GRADES.replace("RESULT", repr(a_result())))
    for name in ("source", "submission", "submission_metadata.json", "results"):
        assert stat.S_IMODE((container / name).stat().st_mode) & 0o077 == 0, name


@pytest.mark.parametrize(
    ("course", "said"),
    [
        ("raise SystemExit('no sandbox works here: /secret/path')", "The grader stopped with no result (exit code 1)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "The grader stopped with no result (exit code -9)"),
        (GRADES.replace("RESULT", "'{'"), "The grader itself failed (ExportError)"),
        (GRADES.replace("RESULT", repr(a_result().replace('"points": 3.0', '"points": NaN'))), "The grader itself failed"),
    ],
)
def test_a_grader_that_fails_still_gives_a_result(container: Path, course: str, said: str) -> None:
    hand_in(container, {"a.ipynb": MINE})
    content = run(container, course=course)
    assert content["score"] == 0
    assert said in content["output"]
    assert "instructor" in content["output"]
    assert "/secret" not in content["output"]
    if "secret" in course:
        assert "/secret/path" in (container / "results/stdout").read_text()


def test_a_python_that_does_not_start_still_gives_a_result(container: Path) -> None:
    hand_in(container, {"a.ipynb": MINE})
    python = container / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    content = run(container)
    assert content["score"] == 0
    assert "tell your instructor" in content["output"]


def lives(pid: int) -> bool:
    """Whether a process is there and not just waiting to be noticed as dead."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_a_grader_that_hangs_is_ended_with_all_it_started(container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(container, {"a.ipynb": MINE})
    fake = container.parent / "bin" / "course"
    fake.parent.mkdir()
    pid = container.parent / "pid"
    fake.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {pid}\necho waiting\nwait\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    started = time.monotonic()
    packs.run_autograder(LAB, container, seconds=2.0)
    assert time.monotonic() - started < 30
    content = json.loads((container / "results/results.json").read_text())
    assert content["score"] == 0
    assert "longer than 2 seconds" in content["output"]
    while lives(int(pid.read_text())):  # killed, but a busy machine takes its time
        assert time.monotonic() - started < 60
        time.sleep(0.05)


def test_files_in_the_submission_are_not_imported(container: Path) -> None:
    bomb = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()"
    names = ("course.py", "json.py", "sitecustomize.py", "usercustomize.py")
    hand_in(container, {"a.ipynb": MINE, **dict.fromkeys(names, bomb)})
    for name in names:
        shutil.copy(container / "submission" / name, container / name)  # the working directory, too
    assert run(container, course=GRADES.replace("RESULT", repr(a_result())))["score"] == 3
    assert not list(container.rglob("*.ran"))


@pytest.mark.slow
def test_a_solution_and_a_blank_notebook_get_their_points(container: Path) -> None:
    """With the course's own grader, in whatever sandbox works here."""
    hand_in(container, {f"{LAB}.ipynb": (ROOT / f"solutions/{LAB}.ipynb").read_text()})
    content = run(container)
    assert content["score"] == sum(test["max_score"] for test in content["tests"]) > 0, content
    hand_in(container, {f"{LAB}.ipynb": (ROOT / f"notebooks/{LAB}.ipynb").read_text()})
    assert run(container)["score"] == 0


# GitHub Actions


def workflow(path: Path) -> dict:
    text = path.read_text()
    assert "@LAB@" not in text
    assert "\t" not in text
    content = yaml.safe_load(text)
    content["on"] = content.pop(True)  # YAML 1.1 reads a bare "on" as true; GitHub does not
    return content


@pytest.mark.parametrize("repository", ["", "https://github.com/OWNER/REPOSITORY", 'file:///odd "path": # x'])
def test_workflow_has_the_documented_form(tmp_path: Path, repository: str) -> None:
    output = tmp_path / ".github/workflows/grade.yml"
    pack_actions(LAB, output, repository=repository)
    content = workflow(output)
    assert set(content) == {"name", "on", "permissions", "env", "jobs"}
    assert set(content["on"]) == {"push", "workflow_dispatch"}
    assert content["permissions"] == {"contents": "read"}
    assert content["env"]["COURSE"] == (f"git+{repository}" if repository else "")
    assert content["env"]["NOTEBOOK"] == f"{LAB}.ipynb"
    (job,) = content["jobs"].values()
    assert set(job) == {"runs-on", "timeout-minutes", "steps"}
    for step in job["steps"]:
        assert set(step) <= {"name", "if", "uses", "with", "run", "env"}
        assert ("uses" in step) != ("run" in step)
        assert "${{" not in step.get("run", ""), "what a student chooses must not become part of a script"
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"].encode(), check=True)
        else:
            assert step["uses"].split("@")[0] in ("actions/checkout", "actions/setup-python", "actions/upload-artifact")
    scripts = "\n".join(step.get("run", "") for step in job["steps"])
    assert f'course grade "submission/$NOTEBOOK" --lab {LAB} --out graded --sandbox auto' in scripts
    assert "course export graded --to junit --output graded/junit.xml" in scripts
    assert "GITHUB_STEP_SUMMARY" in scripts


def test_workflow_says_what_is_missing(tmp_path: Path) -> None:
    pack_actions(LAB, tmp_path / "grade.yml", notebook="week 2/my lab.ipynb")
    content = workflow(tmp_path / "grade.yml")
    assert content["env"]["NOTEBOOK"] == "week 2/my lab.ipynb"
    (install,) = [
        step["run"] for job in content["jobs"].values() for step in job["steps"] if "pip install" in step.get("run", "")
    ]
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-e"],
        input=install,
        env={"COURSE": "", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "::error::COURSE is empty" in done.stdout


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_workflow_summarises_a_result(tmp_path: Path) -> None:
    pack_actions(LAB, tmp_path / "grade.yml")
    content = workflow(tmp_path / "grade.yml")
    (script,) = [step["run"] for job in content["jobs"].values() for step in job["steps"] if "jq" in step.get("run", "")]
    (tmp_path / "graded/results").mkdir(parents=True)
    (tmp_path / "graded/results/submission.json").write_text(a_result())
    environment = {**os.environ, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    subprocess.run(["bash", "-e"], input=script, text=True, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "summary").read_text().splitlines() == [
        *("## 3 of 5 points", "", "| exercise | verdict | points |", "| --- | --- | --- |"),
        *("| gaussian_kl | right | 3 of 3 |", "| elbo | not attempted | 0 of 2 |"),
    ]
