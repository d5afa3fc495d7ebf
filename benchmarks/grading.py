"""How fast `course grade` grades a class, in how much memory, beside nbgrader and otter; and what ten kills leave behind.

Run: python benchmarks/grading.py            this grader at both sandbox levels, then nbgrader and otter with the same checks
     python benchmarks/grading.py --scale 10000 --kills 10     a large class; a class whose grading is killed ten times
Writes benchmarks/results/grading.json. Rates depend on the machine; the ratios, all sides of one run, much less.

The class is made up: lab 2, half of the exercises untouched, of the others three in five right (the solution, or another
style that the checks accept) and two in five one of the known mistakes. nbgrader and otter get every advantage: only the
set-up, the exercises and the tests of the notebook, no training; one thread a process; and as many processes as `--jobs`.
"""

import ast
import csv
import ctypes
import inspect
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import nbformat
import psutil
import torch
import typer
from rich.console import Console
from rich.table import Table

from course.checks.cut import global_names
from course.checks.exercise import Exercise, Lab
from course.grading.store import Store
from course.labs import load

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "benchmarks" / "results" / "grading.json"
LAB = "lab2_vae"
GRADE = [sys.executable, "-c", "from course.cli import main; main()", "grade"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
console = Console()


# ------------------------------------------------------------------------------------------------------ a class, made up


@dataclass(frozen=True)
class Handed:
    """A student's notebook: what stands in each exercise's cell, and which are meant to be right."""

    student: str
    sources: dict[str, str]  # exercise -> source; untouched exercises are not in it
    right: frozenset[str]


@dataclass
class MadeUp:
    """A class of any size in one lab. The same seed makes the same class; every notebook is another file."""

    lab: Lab
    seed: int = 0
    untouched: float = 0.5
    share_right: float = 0.6

    def student(self, number: int) -> Handed:
        """Make up what one student hands in."""
        chance = random.Random(f"{self.seed} {number}")
        sources, right = {}, set()
        for name, (rights, wrongs) in self._answers.items():
            if chance.random() < self.untouched:
                continue
            if chance.random() < self.share_right:
                right.add(name)
                sources[name] = chance.choice(rights)
            else:
                sources[name] = chance.choice(wrongs)
        return Handed(f"s{number:05d}", sources, frozenset(right))

    def notebook(self, number: int) -> bytes:
        """Return the file that a student hands in: the whole notebook."""
        handed, notebook = self.student(number), json.loads(self._blank)
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            if name in handed.sources:
                cell["source"] = handed.sources[name]
        notebook["cells"].append({**notebook["cells"][1], "source": f"# handed in by {handed.student}"})
        return json.dumps(notebook, indent=1).encode()

    def write(self, folder: Path, count: int) -> Path:
        """Write a class into a folder."""
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{self.student(number).student}.ipynb").write_bytes(self.notebook(number))
        return folder

    def write_zip(self, path: Path, count: int) -> Path:
        """Write a class into an archive, one notebook after the other."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for number in range(count):
                archive.writestr(f"{self.student(number).student}.ipynb", self.notebook(number))
        return path

    def set_up(self) -> str:
        """Return the source of the set-up cell."""
        return next(cell["source"] for cell in json.loads(self._blank)["cells"] if cell["cell_type"] == "code")

    def untouched_source(self, name: str) -> str:
        """Return what an exercise's cell holds when it is handed out."""
        return _cell_of(self._blank, name)

    @cached_property
    def _blank(self) -> str:
        return _flat(ROOT / "notebooks" / f"{self.lab.name}.ipynb")

    @cached_property
    def _answers(self) -> dict[str, tuple[list[str], list[str]]]:
        """List for each exercise the right answers and the wrong ones, as sources of its cell."""
        answers = {}
        solved = _flat(ROOT / "solutions" / f"{self.lab.name}.ipynb")
        given = {name for cell in json.loads(self._blank)["cells"] if cell["cell_type"] == "code" for name in _bound(cell)}
        for name, entry in self.lab.entries.items():
            item, solution = entry.item, _cell_of(solved, name)
            if isinstance(item, Exercise):
                rights = [solution, *(_as_handed_in(name, style, solution, given) for style in item.styles.values())]
                wrongs = [_as_handed_in(name, m.candidate, solution, given) for m in item.mistakes.values()]
            else:
                rights = [f'{name} = "{item.right}"']
                wrongs = [f'{name} = "{option}"' for option in item.feedback if option != item.right]
            answers[name] = rights, wrongs
        return answers


def _flat(path: Path) -> str:
    """Return a notebook as JSON whose sources are plain texts."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook)


def _cell_of(notebook: str, name: str) -> str:
    cells = json.loads(notebook)["cells"]
    return next(cell["source"] for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)


def _bound(cell: dict[str, Any]) -> set[str]:
    return {name for statement in ast.parse(cell["source"]).body for name in _names_of(statement)}


def _names_of(statement: ast.stmt) -> set[str]:
    """List the names that a statement at the top of a module binds."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _as_handed_in(name: str, candidate: Any, solution: str, given: set[str]) -> str:
    """Write an implementation from checks.py as a student would: under the exercise's name, with all that it needs.

    given: the names that the notebook has. An implementation that calls the reference gets the solution as own_NAME.
    """
    own = f"own_{name}"
    statements = {n: s for s in ast.parse(inspect.getsource(inspect.getmodule(candidate))).body for n in _names_of(s)}
    needed, queue = {candidate.__name__: statements[candidate.__name__]}, [candidate.__name__]
    while queue:
        found = _plain(needed[queue.pop()])
        more = {n: statements[n] for n in global_names(ast.unparse(found)) - given - set(needed) if n in statements}
        needed |= more
        queue += more
    sources = []
    for wanted, statement in sorted(needed.items(), key=lambda item: item[1].lineno):
        if isinstance(statement, ast.ImportFrom):
            sources.append(f"from {statement.module} import {wanted}")
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id == name:
                node.id = own
        if wanted == candidate.__name__:
            statement.name = name  # type: ignore[attr-defined]
        sources.append(ast.unparse(statement))
    if any(own in source for source in sources):
        renamed = re.sub(rf"\b{name}\b", own, solution)
        sources.insert(0, "\n".join(line for line in renamed.splitlines() if not line.startswith("#")))
    return "\n\n\n".join(sources)


def _plain(statement: ast.stmt) -> ast.stmt:
    """Take the decorators away by which checks.py lists its mistakes and styles."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        kept = [d for d in statement.decorator_list if not re.search(r"\.(mistake|style)\b", ast.unparse(d))]
        statement.decorator_list = kept
    return statement


# ---------------------------------------------------------------------------------------------------- watching processes


@dataclass
class Watched:
    """What was seen of a command and of everything that it started."""

    seconds: float = 0.0
    first: float = 0.0  # seconds until the first submission was graded
    last: float = 0.0  # and until the last one was
    rate: float = 0.0  # submissions a second, once each process has graded its first
    parent_rss: int = 0  # the largest seen, in bytes
    all_rss: int = 0  # the sum over all processes; what they share is counted once for each
    all_pss: int = 0  # the sum, what is shared counted once
    growth: list[tuple[int, int]] = field(default_factory=list)  # (submissions graded, bytes of the parent)
    code: int = 0
    said: str = ""

    def numbers(self) -> dict[str, float]:
        """Return what is written down."""
        return {
            "seconds": round(self.seconds, 2),
            "first_graded_after": round(self.first, 2),
            "last_graded_after": round(self.last, 2),
            "per_second": round(self.rate, 3),
            "parent_rss_mb": round(self.parent_rss / 1e6),
            "all_rss_mb": round(self.all_rss / 1e6),
            "all_pss_mb": round(self.all_pss / 1e6),
        }


def watch(
    command: Sequence[str | Path], count: Callable[[], int], jobs: int, *, lines: Sequence[str] = (), every: float = 1.0
) -> Watched:
    """Run a command that grades so many submissions at a time to its end; count() says how many are graded.

    lines: what it reads from its standard input. every: so many seconds its memory is looked at.
    """
    seen = Watched()
    marks: list[tuple[float, int]] = []
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as given:
        given.write("\n".join(lines))
        given.seek(0)
        begin = time.monotonic()
        looked = begin
        process = subprocess.Popen(
            list(map(str, command)), stdin=given, stdout=output, stderr=subprocess.STDOUT, env=_environment(command)
        )
        while process.poll() is None:
            now, done = time.monotonic(), count()
            if done and (not marks or done > marks[-1][1]):
                marks.append((now - begin, done))
            if now - looked >= every:
                looked = now
                _look(process.pid, done, seen)
            time.sleep(0.02 if len(marks) < 2 else 0.1)
        seen.seconds, seen.code = time.monotonic() - begin, process.returncode
        output.seek(0)
        seen.said = output.read()
    if marks:
        seen.first, (seen.last, late) = marks[0][0], marks[-1]
        start, early = next((mark for mark in marks if mark[1] >= jobs), (0.0, 0))  # each process has done its first
        seen.rate = (late - early) / (seen.last - start) if late > early else late / seen.seconds
    return seen


def _look(pid: int, done: int, seen: Watched) -> None:
    """Look at the memory of a process and of all below it."""
    rss = pss = 0
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.Error):  # it has just ended
                used = process.memory_full_info()
                rss, pss = rss + used.rss, pss + used.pss
                if process.pid == pid:
                    seen.parent_rss = max(seen.parent_rss, used.rss)
                    seen.growth.append((done, used.rss))
    seen.all_rss, seen.all_pss = max(seen.all_rss, rss), max(seen.all_pss, pss)


def _environment(command: Sequence[str | Path]) -> dict[str, str]:
    """Return the variables for a command: one thread a process, and the programs beside the ones that it names."""
    beside = [str(word.parent) for word in command if isinstance(word, Path) and word.parent.name == "bin"]
    return {**os.environ, **ONE_THREAD, "PATH": os.pathsep.join([*beside, os.environ["PATH"]])}


def graded_in(out: Path) -> int:
    """Count the gradings that `course grade` has kept so far."""
    return _ask(out / "grades.sqlite", "SELECT count(*) FROM gradings")


def _ask(path: Path, query: str) -> int:
    """Ask a database that another process writes for a number; 0 if it is not there yet."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
        return int(database.execute(query).fetchone()[0])
    return 0


# ------------------------------------------------------------------------------------------------------------ the graders


def grade_ours(folder: Path, out: Path, level: str, jobs: int, every: float = 1.0) -> Watched:
    """Grade a class with `course grade`."""
    options = ["--lab", LAB, "--out", out, "--jobs", str(jobs), "--seed", "1", "--sandbox", level]
    seen = watch([*GRADE, folder, *options], lambda: graded_in(out), jobs, every=every)
    if seen.code:
        raise SystemExit(f"course grade ended with {seen.code}:\n{seen.said}")
    return seen


def grade_nbgrader(made_up: MadeUp, count: int, work: Path, jobs: int) -> tuple[Watched, dict[str, float], str]:
    """Grade a class with `nbgrader autograde`; return the points of each student too, and its version."""
    tool, version = environment("nbgrader", ["nbgrader"])
    courses = [work / f"course{number}" for number in range(jobs)]  # its database is for one process
    for course in courses:
        source = course / "source" / LAB
        source.mkdir(parents=True)
        (course / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'benchmark'\n")
        nbformat.write(_reduced(made_up, None, tests=True), source / f"{LAB}.ipynb")
        command = [tool / "nbgrader", "generate_assignment", LAB, f"--course-dir={course}"]
        _run(command, course)
    for number in range(count):
        handed = made_up.student(number)
        place = courses[number % jobs] / "submitted" / handed.student / LAB
        place.mkdir(parents=True)
        nbformat.write(_reduced(made_up, handed, tests=True), place / f"{LAB}.ipynb")
    command = ["xargs", "-P", str(jobs), "-I", "{}", tool / "nbgrader", "autograde", LAB, "--create", "--course-dir={}"]
    seen = watch(
        command,
        lambda: sum(
            _ask(course / "gradebook.db", "SELECT count(DISTINCT notebook_id) FROM grade WHERE auto_score NOTNULL")
            for course in courses
        ),
        jobs,
        lines=list(map(str, courses)),
    )
    points: dict[str, float] = {}
    query = (
        "SELECT submitted_assignment.student_id, sum(grade.auto_score) FROM grade "
        "JOIN submitted_notebook ON grade.notebook_id = submitted_notebook.id "
        "JOIN submitted_assignment ON submitted_notebook.assignment_id = submitted_assignment.id GROUP BY 1"
    )
    for course in courses:
        with closing(sqlite3.connect(course / "gradebook.db")) as database:
            points |= dict(database.execute(query).fetchall())
    if seen.code or len(points) != count:
        raise SystemExit(f"nbgrader ended with {seen.code}:\n{seen.said[-3000:]}")
    return seen, points, version


def grade_otter(made_up: MadeUp, count: int, work: Path, jobs: int) -> tuple[Watched, dict[str, float], str]:
    """Grade a class with `otter run`; return the points of each student too, and its version."""
    tool, version = environment("otter", ["otter-grader", "ipykernel"])
    (work / "tests").mkdir(parents=True)
    for name, entry in made_up.lab.entries.items():
        test = OTTER_TEST.format(lab=LAB, name=name, points=entry.points)
        (work / "tests" / f"{name}.py").write_text(test)
    options = ["--no-config", "--no-requirements", "--no-environment", "-t", "tests", "-o", "autograder.zip"]
    _run([tool / "otter", "generate", *options], work)
    students = [made_up.student(number) for number in range(count)]
    for handed in students:
        (work / "out" / handed.student).mkdir(parents=True)
        nbformat.write(_reduced(made_up, handed, tests=False), work / f"{handed.student}.ipynb")
    command = ["xargs", "-P", str(jobs), "-I", "{}", tool / "otter", "run", work / "{}.ipynb"]
    command += ["-a", work / "autograder.zip", "-o", work / "out" / "{}", "--no-logo"]
    seen = watch(
        command,
        lambda: sum(1 for _ in work.glob("out/*/results.json")),
        jobs,
        lines=[handed.student for handed in students],
    )
    files = {path.parent.name: path for path in work.glob("out/*/results.json")}
    if seen.code or len(files) != count:
        raise SystemExit(f"otter ended with {seen.code}:\n{seen.said[-3000:]}")
    points = {s: sum(t.get("score", 0) for t in json.loads(p.read_text())["tests"]) for s, p in files.items()}
    return seen, points, version


NBGRADER_TEST = """
from course.checks.session import judge_entry
from course.labs import load

report = judge_entry(load("{lab}").entries["{name}"], {name})
assert report.verdict == "right", str(report)
"""

OTTER_TEST = """
from otter.test_files import test_case

OK_FORMAT = False
name = "{name}"
points = {points}


@test_case(points={points}, hidden=False)
def test_{name}(env):
    from course.checks.session import judge_entry
    from course.labs import load

    report = judge_entry(load("{lab}").entries["{name}"], env["{name}"])
    assert report.verdict == "right", str(report)
"""


def _reduced(made_up: MadeUp, handed: Handed | None, *, tests: bool) -> nbformat.NotebookNode:
    """Return the notebook with its set-up and its exercises alone, with tests as nbgrader marks them.

    handed: whose answers are in it; by default the exercises are as they are handed out.
    """
    new_cell = nbformat.v4.new_code_cell
    notebook = nbformat.v4.new_notebook(cells=[new_cell(made_up.set_up(), id="set-up")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for name, entry in made_up.lab.entries.items():
        source = handed.sources.get(name) if handed else None
        cell = new_cell(source or made_up.untouched_source(name), id=name.replace("_", "-"))
        mark = {"schema_version": 3, "task": False, "grade": False, "solution": True, "locked": False}
        cell.metadata["nbgrader"] = {**mark, "grade_id": name}
        notebook.cells.append(cell)
        if tests:
            test = new_cell(NBGRADER_TEST.strip().format(lab=LAB, name=name), id=f"test-{name.replace('_', '-')}")
            test.metadata["nbgrader"] = {
                **mark, "grade_id": f"test_{name}", "grade": True, "solution": False, "locked": True, "points": entry.points,
            }  # fmt: skip
            notebook.cells.append(test)
    if not tests:
        for cell in notebook.cells:
            cell.metadata.pop("nbgrader", None)
    return notebook


def environment(name: str, packages: list[str]) -> tuple[Path, str]:
    """Make an environment of its own for another grader, once; return its folder of programs, and the grader's version.

    It sees this one's libraries behind its own: torch and the course need not be there twice.
    """
    folder = ROOT / f".venv-{name}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        console.print(f"Setting up {folder.name}")
        venv.create(folder, clear=True, with_pip=True, symlinks=True)
        _run([python, "-m", "pip", "install", "--quiet", *packages], ROOT)
        (folder / "ready").touch()
    libraries = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    Path(libraries.strip(), "zz_course.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    ask = f"import importlib.metadata as m; print(m.version('{packages[0]}'))"
    return folder / "bin", subprocess.check_output([python, "-c", ask], text=True).strip()


def _run(command: Sequence[str | Path], folder: Path) -> None:
    variables = _environment(command)
    done = subprocess.run(command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-3000:]}")


# ---------------------------------------------------------------------------------------------------------- what is asked


def compare(made_up: MadeUp, work: Path, submissions: int, others: int, levels: Sequence[str], jobs: int) -> dict[str, Any]:
    """Grade the class with this grader at each level, and its first students with the others."""
    found: dict[str, Any] = {"submissions": submissions, "others": others, "jobs": jobs}
    folder = made_up.write(work / "class", submissions)
    for level in levels:
        seen = grade_ours(folder, work / level, level, jobs)
        found[level] = {**seen.numbers(), "agree": _agreement(made_up, work / level)}
        console.print(f"course grade, {level}: {seen.rate:.1f} a second", highlight=False)
    worth = {name: entry.points for name, entry in made_up.lab.entries.items()}
    for name, grade in (("nbgrader", grade_nbgrader), ("otter", grade_otter)) if others else ():
        seen, points, version = grade(made_up, others, work / name, jobs)
        handed = [made_up.student(number) for number in range(others)]
        agree = sum(points[h.student] == sum(worth[n] for n in h.right) for h in handed)
        found[name] = {**seen.numbers(), "version": version, "agree": f"{agree} of {others}"}
        del found[name]["parent_rss_mb"]  # xargs's
        for level in levels:
            found[name][f"{level}_is_faster_by"] = round(found[level]["per_second"] / seen.rate, 1)
        console.print(f"{name} {version}: {seen.rate:.2f} a second", highlight=False)
    return found


def _agreement(made_up: MadeUp, out: Path) -> str:
    """Count the answers on which the grader and the class's maker agree: right or not. Prints the others."""
    rows = list(csv.DictReader((out / "grades.csv").open(encoding="utf-8")))
    agree = total = 0
    for number, row in enumerate(rows):
        handed = made_up.student(number)
        assert row["student"] == handed.student
        for name, entry in made_up.lab.entries.items():
            same = (float(row[name]) == entry.points) == (name in handed.right)
            agree, total = agree + same, total + 1
            if not same:
                result = json.loads((out / "results" / f"{handed.student}.json").read_text(encoding="utf-8"))
                report = next(r for r in result["exercises"] if r["exercise"] == name)
                console.print(f"{handed.student}, {name}: {json.dumps(report)}\n{handed.sources.get(name)}", markup=False)
    return f"{agree} of {total}"


def grow(made_up: MadeUp, work: Path, size: int, level: str, jobs: int) -> dict[str, Any]:
    """Grade a large class from one archive, and follow the memory of the process that runs it."""
    archive = made_up.write_zip(work / f"{size}.zip", size)
    console.print(f"{size} submissions, {archive.stat().st_size / 1e6:.0f} MB zipped")
    seen = grade_ours(archive, work / f"in-peace-{size}", level, jobs, every=2.0)
    at = {}
    for share in (0.1, 0.5, 1.0):
        reached = [rss for done, rss in seen.growth if done >= share * size]
        at[f"parent_rss_mb_at_{share:.0%}"] = round(reached[0] / 1e6) if reached else None
    agree = _agreement(made_up, work / f"in-peace-{size}")
    return {"submissions": size, "level": level, **seen.numbers(), **at, "agree": agree}


def kill_often(made_up: MadeUp, work: Path, size: int, kills: int, level: str, jobs: int) -> dict[str, Any]:
    """Kill a grading at random points, go on each time, and compare with one that was left in peace."""
    archive, in_peace = work / f"{size}.zip", work / f"in-peace-{size}"
    if not in_peace.exists():
        grade_ours(made_up.write_zip(archive, size), in_peace, level, jobs)
    out = work / "killed"
    with Store(out, LAB):
        pass
    with closing(sqlite3.connect(out / "grades.sqlite")) as database, database:  # writes down every grading that is kept
        database.execute("CREATE TABLE writes (key TEXT)")
        database.execute("CREATE TRIGGER note AFTER INSERT ON gradings BEGIN INSERT INTO writes VALUES (new.key); END")
    chance = random.Random(made_up.seed)
    points = [chance.random() for _ in range(kills)]
    points[:2] = [-1.0, 2.0][:kills]  # one while it starts, one while it writes its reports
    points.sort()
    command = [*GRADE, archive, "--lab", LAB, "--out", out, "--jobs", str(jobs), "--seed", "1", "--sandbox", level]
    stops, orphans = [], 0
    with adopting():
        for point in points:
            process = subprocess.Popen(
                list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment(command)
            )
            while process.poll() is None and point > 0 and graded_in(out) < min(point, 1) * size:
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 0.3 if point > 0 else 5))
            process.kill()
            process.wait()
            stops.append(graded_in(out))
            orphans += len(left_alive(5))
            console.print(f"killed with {stops[-1]} of {size} graded; {orphans} processes left alive so far")
    last = watch(command, lambda: graded_in(out), jobs)
    with closing(sqlite3.connect(out / "grades.sqlite")) as database:
        written, keys = database.execute("SELECT count(*), count(DISTINCT key) FROM writes").fetchone()
    same = (out / "grades.csv").read_bytes() == (in_peace / "grades.csv").read_bytes()
    return {
        "submissions": size,
        "level": level,
        "kills": kills,
        "graded_when_killed": stops,
        "exit_code_at_last": last.code,
        "same_grades_csv": same,
        "processes_alive_5_s_after_a_kill": orphans,
        "gradings_kept": keys,
        "kept_more_than_once": written - keys,
    }


class adopting:
    """While it lasts, the orphans among this process's descendants become its children: none goes unseen."""

    def __enter__(self) -> None:
        self._set(1)

    def __exit__(self, *_: object) -> None:
        self._set(0)

    @staticmethod
    def _set(value: int) -> None:
        pr_set_child_subreaper = 36
        if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, ctypes.c_ulong(value), 0, 0, 0):
            raise OSError(ctypes.get_errno(), "this process cannot adopt")


def left_alive(seconds: float) -> list[int]:
    """Wait for the children to end; return and kill those that are alive after so many seconds. No child must be our own."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        except ChildProcessError:
            return []
    left = [child.pid for child in psutil.Process().children(recursive=True)]
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return left


def show(found: dict[str, Any]) -> None:
    """Print what was measured as tables."""
    if "comparison" in found:
        part = found["comparison"]
        title = f"{LAB}: {part['submissions']} submissions, {part['others']} for the others, {part['jobs']} at a time"
        table = Table("grader", title=title)
        columns = {"seconds": "seconds", "first_graded_after": "first", "per_second": "a second"}
        columns |= {"parent_rss_mb": "parent MB", "all_pss_mb": "all MB", "agree": "agree"}
        for heading in columns.values():
            table.add_column(heading, justify="right")
        names = {"bwrap": "course, bwrap", "landlock": "course, landlock", "nbgrader": "nbgrader", "otter": "otter"}
        for name, label in names.items():
            if name in part:
                table.add_row(label, *(str(part[name].get(column, "")) for column in columns))
        console.print(table)
        for other in ("nbgrader", "otter"):
            for level in ("bwrap", "landlock"):
                if ratio := part.get(other, {}).get(f"{level}_is_faster_by"):
                    console.print(f"{names[level]}: {ratio} times as fast as {other} {part[other]['version']}")
    for name in ("scale", "kills"):
        if name in found:
            table = Table(name, "", title=f"{LAB}: {found[name]['submissions']} submissions")
            for row in found[name].items():
                table.add_row(*map(str, row))
            console.print(table)


def main(
    submissions: Annotated[int, typer.Option(help="for this grader; 0: no comparison")] = 200,
    others: Annotated[int, typer.Option(help="submissions for nbgrader and for otter")] = 8,
    skip_others: Annotated[bool, typer.Option("--skip-others", help="measure this grader alone")] = False,
    level: Annotated[str, typer.Option(help="bwrap or landlock; by default both, and bwrap for --scale and --kills")] = "",
    jobs: Annotated[int, typer.Option(help="processes at a time")] = 2,
    scale: Annotated[int, typer.Option(help="grade so many in one run, and follow the memory")] = 0,
    kills: Annotated[int, typer.Option(help="kill a grading so often")] = 0,
    kill_size: Annotated[int, typer.Option(help="submissions in the class whose grading is killed")] = 400,
    seed: Annotated[int, typer.Option(help="of the class, and of the moments of the kills")] = 0,
) -> None:
    """Measure, print, and write benchmarks/results/grading.json; what is not measured now is left there as it was."""
    made_up = MadeUp(load(LAB), seed)
    machine = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
    versions = {"python": sys.version.split()[0], "torch": torch.__version__}
    found: dict[str, Any] = {}
    work = Path(tempfile.mkdtemp(prefix="grading-benchmark-"))
    try:
        if submissions and not (scale or kills):
            levels = [level] if level else ["bwrap", "landlock"]
            found["comparison"] = compare(made_up, work, submissions, 0 if skip_others else others, levels, jobs)
        if scale:
            found["scale"] = grow(made_up, work, scale, level or "bwrap", jobs)
        if kills:
            found["kills"] = kill_often(made_up, work, kill_size, kills, level or "bwrap", jobs)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for part in found.values():
        part |= {"seed": seed, "machine": machine, "versions": versions}
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"command": "python benchmarks/grading.py"}
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept | found, indent=1) + "\n")
    show(found)


if __name__ == "__main__":
    typer.run(main)
