"""A class is graded once, whatever happens to the grading: kills, Ctrl-C, other sandboxes, duplicates, second runs."""

import csv
import ctypes
import importlib.util
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import ModuleType

import pytest

from course.grading.sandbox import SandboxError, choose_level
from course.grading.store import Store
from course.labs import load

ROOT = Path(__file__).parent.parent.parent
LAB = "lab2_vae"
COMMAND = [sys.executable, "-c", "from course.cli import main; main()", "grade"]
STUDENTS = 24
ORPHANS_END_WITHIN = 5.0  # seconds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's"),
    pytest.mark.xdist_group("grading"),
]


def require(level: str) -> None:
    try:
        choose_level(level, load(LAB))
    except SandboxError as error:
        pytest.skip(str(error).splitlines()[0])


def benchmark() -> ModuleType:
    """Load benchmarks/grading.py, which makes up classes."""
    spec = importlib.util.spec_from_file_location("grading_benchmark", ROOT / "benchmarks" / "grading.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the notebooks of a class."""
    require("auto")
    folder: Path = benchmark().MadeUp(load(LAB)).write(tmp_path_factory.mktemp("class") / "class", STUDENTS)
    return folder


@pytest.fixture(scope="module")
def in_peace(classroom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a grading that nothing disturbed."""
    out = tmp_path_factory.mktemp("peace") / "out"
    done = grade(classroom, out)
    assert done.returncode == 0, done.stdout
    assert f"{STUDENTS} of {STUDENTS} graded" in done.stdout
    return out


def words(*arguments: object, jobs: int = 2, seed: int = 1) -> list[str]:
    return [*COMMAND, *map(str, arguments), "--lab", LAB, "--jobs", str(jobs), "--seed", str(seed)]


def grade(folder: Path, out: Path, *options: object, jobs: int = 2) -> subprocess.CompletedProcess[str]:
    command = words(folder, "--out", out, *options, jobs=jobs)
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        env={**os.environ, "COLUMNS": "300"},
    )


def ask(out: Path, query: str) -> int:
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{out / 'grades.sqlite'}?mode=ro", uri=True)) as database:
        return int(database.execute(query).fetchone()[0])
    return 0


def graded(out: Path) -> int:
    return ask(out, "SELECT count(*) FROM gradings")


def written(out: Path) -> int:
    """Count how often a grading was written, the same one twice if it was made twice; see take_notes."""
    return ask(out, "SELECT count(*) FROM writes")


def take_notes(out: Path) -> None:
    """Have a class's database write down every grading that is kept from now on."""
    with Store(out, LAB):
        pass
    with closing(sqlite3.connect(out / "grades.sqlite")) as database, database:
        database.execute("CREATE TABLE writes (key TEXT)")
        database.execute("CREATE TRIGGER note AFTER INSERT ON gradings BEGIN INSERT INTO writes VALUES (new.key); END")


def table(out: Path) -> list[dict[str, str]]:
    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def wait_for(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while graded(out) < count and process.poll() is None:
        assert time.monotonic() < deadline, f"{graded(out)} of {count} graded after two minutes"
        time.sleep(0.02)


@contextmanager
def adopting() -> Iterator[None]:
    """Make the orphans among this process's descendants its children, so that none goes unseen."""

    def set_subreaper(value: int) -> None:
        assert ctypes.CDLL(None).prctl(36, ctypes.c_ulong(value), 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER

    before = children()
    set_subreaper(1)
    try:
        yield
    finally:
        set_subreaper(0)
        for pid in children() - before:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def children() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for path in tasks for pid in path.read_text().split()}


def left_alive(before: set[int]) -> set[int]:
    """Wait for the children that came since to end, for some seconds; return the others."""
    deadline = time.monotonic() + ORPHANS_END_WITHIN
    while (left := children() - before) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)
    return left


def test_killed_and_started_again_it_comes_to_the_same_and_leaves_nothing_behind(
    classroom: Path, in_peace: Path, tmp_path: Path
) -> None:
    out, chance = tmp_path / "out", random.Random(0)
    take_notes(out)
    stopped_at = []
    with adopting():
        for part in (chance.uniform(0.1, 0.5), chance.uniform(0.5, 0.9)):
            before = children()
            process = subprocess.Popen(
                words(classroom, "--out", out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
            )
            wait_for(out, int(part * STUDENTS), process)
            time.sleep(chance.uniform(0, 0.3))
            process.kill()
            process.wait()
            stopped_at.append(graded(out))
            assert not left_alive(before)
    assert 0 < stopped_at[0] <= stopped_at[1] < STUDENTS, stopped_at
    done = grade(classroom, out)
    assert done.returncode == 0, done.stdout
    assert (out / "grades.csv").read_bytes() == (in_peace / "grades.csv").read_bytes()
    assert written(out) == graded(out) == STUDENTS


def test_the_marks_are_the_right_ones(classroom: Path, in_peace: Path) -> None:
    lab = load(LAB)
    made_up = benchmark().MadeUp(lab)
    for number, row in enumerate(table(in_peace)):
        handed = made_up.student(number)
        assert row["student"] == handed.student
        full = {name for name, entry in lab.entries.items() if float(row[name]) == entry.points}
        assert full == handed.right, handed.student
        assert all(float(row[name]) == 0 for name in lab.entries if name not in handed.sources)


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(classroom: Path, in_peace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    take_notes(out)
    with adopting():
        before = children()
        process = subprocess.Popen(
            words(classroom, "--out", out),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        wait_for(out, 4, process)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=30)[0]
        assert not left_alive(before)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert "Stopped." in said
    assert "the same command goes on from here" in " ".join(said.split())
    kept = graded(out)
    assert 4 <= kept < STUDENTS
    rows = table(out)
    assert len(rows) == kept
    whole = {row["student"]: row for row in table(in_peace)}
    assert all(row == whole[row["student"]] for row in rows)
    assert (out / "index.html").stat().st_size > 1000
    assert len(list((out / "feedback").glob("*.html"))) == kept
    assert grade(classroom, out).returncode == 0
    assert (out / "grades.csv").read_bytes() == (in_peace / "grades.csv").read_bytes()
    assert written(out) == STUDENTS


@pytest.mark.parametrize(("level", "jobs"), [("bwrap", 1), ("landlock", 2)])
def test_a_seed_gives_the_same_marks_in_any_sandbox_and_with_any_number_of_processes(
    classroom: Path, in_peace: Path, tmp_path: Path, level: str, jobs: int
) -> None:
    require(level)
    some = tmp_path / "some"
    some.mkdir()
    for path in sorted(classroom.iterdir())[:10]:
        shutil.copy(path, some)
    done = grade(some, tmp_path / "out", "--sandbox", level, jobs=jobs)
    assert done.returncode == 0, done.stdout
    assert f"at sandbox level {level}" in " ".join(done.stdout.split())
    assert table(tmp_path / "out") == table(in_peace)[:10]


def test_what_is_graded_is_not_graded_again_unless_it_is_asked_for(classroom: Path, tmp_path: Path) -> None:
    files = sorted(classroom.iterdir())
    some, out = tmp_path / "some", tmp_path / "out"
    some.mkdir()
    for name, file in (("ann", files[0]), ("ben", files[1]), ("cleo", files[0])):  # Cleo hands in what Ann did
        shutil.copy(file, some / f"{name}.ipynb")
    take_notes(out)
    one = ("--only", "gaussian_kl")  # one exercise alone, to be quick
    assert grade(some, out, *one, jobs=1).returncode == 0
    rows = {row["student"]: row for row in table(out)}
    assert set(rows) == {"ann", "ben", "cleo"}
    assert written(out) == 2
    assert {name for name in rows["ann"] if name in load(LAB).entries} == {"gaussian_kl"}
    assert all(float(row["out_of"]) == load(LAB).entries["gaussian_kl"].points for row in rows.values())
    assert rows["ann"]["gaussian_kl"] == rows["cleo"]["gaussian_kl"]

    assert grade(some, out, *one, jobs=1).returncode == 0
    assert written(out) == 2
    own = tmp_path / "own.csv"
    own.write_text("student,exercise,points,words\nben,gaussian_kl,1.5,A good idea\n")
    assert grade(some, out, *one, "--overrides", own, jobs=1).returncode == 0
    assert written(out) == 2
    assert {row["student"]: row["gaussian_kl"] for row in table(out)}["ben"] == "1.5"

    assert grade(some, out, *one, "--regrade", jobs=1).returncode == 0
    assert written(out) == 4
    after = {row["student"]: row for row in table(out)}
    assert float(after["ben"]["gaussian_kl"]) == float(after["ben"]["points"]) == 1.5
    assert after["ann"] == rows["ann"]
    assert after["cleo"] == rows["cleo"]
    assert "A good idea" in (out / "feedback" / "ben.html").read_text(encoding="utf-8")
