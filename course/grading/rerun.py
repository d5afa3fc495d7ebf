"""Run a whole notebook, training included, and hold the numbers that it prints against the executed solution's."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from course.checks.exercise import Lab, Tolerance
from course.grading.result import Figure, Run
from course.grading.sandbox import START_SECONDS, Died, Limits, Sandbox, SandboxError, failure_of, gpu_devices
from course.labs import load
from course.labs.budget import reduced

if TYPE_CHECKING:
    from nbformat import NotebookNode  # takes a second to import beside JupyterLab: only whole notebooks pay for it

MARK = "# NBVAL_CHECK_OUTPUT"
NUMBER = re.compile(r"[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
BAR = re.compile(r"^✓ (?P<name>.+): (?P<value>\S+) \((?P<wanted>.+)\)$", re.MULTILINE)  # what budget.bar prints
NOT_REACHED = "not reached"
LONGEST_LINE = 300  # of a stranger's: matching takes time


@dataclass(frozen=True)
class Expected:
    """What the executed solution printed: by marked cell's source its lines, and the bars that its models cleared."""

    marked: Mapping[str, tuple[str, tuple[str, ...]]]  # source -> (heading above it, lines)
    bars: Mapping[str, str]  # name -> value and what is wanted


@dataclass(frozen=True)
class Whole:
    """What running whole notebooks needs: what the solution printed, and limits of their own."""

    expected: Expected
    limits: Limits


def read_expected(solution: "NotebookNode") -> Expected:
    """Read what an executed solution notebook printed."""
    marked, bars, heading = {}, {}, ""
    for cell in solution.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)
            heading = headings[-1] if headings else heading
            continue
        printed = printed_by(cell)
        if cell.source.startswith(MARK):
            marked[_gist(cell.source)] = (heading, tuple(printed.splitlines()))
        bars.update({found["name"]: f"{found['value']} ({found['wanted']})" for found in BAR.finditer(printed)})
    return Expected(marked, bars)


def printed_by(cell: "NotebookNode") -> str:
    """Return what an executed cell wrote to its standard output."""
    streams = [output for output in cell.get("outputs", ()) if output.output_type == "stream"]
    return "".join(output.text for output in streams if output.name == "stdout")


def run_whole(lab: Lab, cells: Sequence[str], whole: Whole, level: str, *, slot: int = 0) -> Run:
    """Run a notebook's cells from top to bottom in a sandbox of its own; compare what it prints. Raises SandboxError."""
    printed: list[str] = []
    gpu = gpu_works(lab.name, level)
    started, message, limits = time.monotonic(), "", replace(whole.limits, gpu=gpu)
    with Sandbox(lab, level, limits, slot=slot) as sandbox:
        attempt = sandbox.open(cells)
        try:
            for text, error in attempt.run():
                printed.append("\n".join(line[:LONGEST_LINE] for line in text.splitlines()))
                if error:
                    message = f"Cell {len(printed)} stops with {error}."
        except TimeoutError:
            message = f"Cell {attempt.at + 1} was still running when {limits.timeout:g} s for the whole notebook were over."
        except Died as error:
            message = f"In cell {attempt.at + 1}: {failure_of(error, limits.timeout).message}."
        finally:
            with suppress(SandboxError):  # it took its sandbox with it
                attempt.close()
    figures = compare(cells, printed, whole.expected, lab.tolerance)
    return Run(not message, message, figures, time.monotonic() - started, "GPU" if gpu else "CPU")


@cache
def gpu_works(lab: str, level: str) -> bool:
    """Say whether there is a GPU that works in a sandbox too; tried once, with a sum. Without one, the CPU runs all."""
    if not gpu_devices():
        return False
    try:
        with Sandbox(load(lab), level, Limits(START_SECONDS, memory=6144, disk=1, gpu=True)) as sandbox:
            return sandbox.open([]).gpu_works()
    except (SandboxError, Died, TimeoutError):
        return False


def compare(cells: Sequence[str], printed: Sequence[str], expected: Expected, tolerance: Tolerance) -> tuple[Figure, ...]:
    """Hold what cells printed against what the solution printed: the marked cells line by line, then the bars."""
    came = {_gist(source): text.splitlines() for source, text in zip(cells, printed, strict=False)}
    figures = []
    for source, (heading, lines) in expected.marked.items():
        got = came.get(source)
        for i, wanted in enumerate(lines):
            line = NOT_REACHED if got is None else got[i] if i < len(got) else "nothing"
            figures.append(Figure(heading, wanted, line[:200], agrees(wanted, line, tolerance)))
    cleared = {found["name"]: found["value"] for text in printed for found in BAR.finditer(text)}
    bars = {} if reduced() else expected.bars  # a reduced run has no trained models
    for name, wanted in bars.items():
        figures.append(Figure(name, wanted, cleared.get(name, NOT_REACHED)[:200], name in cleared))
    return tuple(figures)


def agrees(wanted: str, got: str, tolerance: Tolerance) -> bool:
    """Say whether two lines have the same words and, within a relative and an absolute tolerance, the same numbers."""
    ours, theirs = _numbers(wanted), _numbers(got)
    if len(ours) != len(theirs) or NUMBER.sub("#", wanted).split() != NUMBER.sub("#", got).split():
        return False
    relative, absolute = tolerance
    return all(abs(one - other) <= absolute + relative * abs(one) for one, other in zip(ours, theirs, strict=True))


def graft(notebook: "NotebookNode", solution: "NotebookNode") -> "NotebookNode":
    """Return a copy of a notebook whose only outputs are those of the solution's marked cells, for nbval to compare."""
    import nbformat

    outputs = {_gist(cell.source): cell.outputs for cell in solution.cells if cell.cell_type == "code"}
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        if cell.cell_type == "code":
            marked = cell.source.startswith(MARK)
            cell.outputs = outputs.get(_gist(cell.source), []) if marked else []
            cell.execution_count = 1  # nbval refuses outputs of a cell that was not run
    return copy


@dataclass(frozen=True)
class Remark:
    """What nbval found in one cell: where it stands, and what is wrong."""

    heading: str
    number: int  # of the cell, from 1, as Jupyter counts those with code
    problem: str


def run_here(path: Path, solution: "NotebookNode", on_cell: Callable[[], None]) -> list[Remark]:
    """Run a notebook with this Python, unconfined, and let nbval compare the marked cells; return what is wrong.

    Raises OSError or ValueError if the notebook cannot be read, RuntimeError if nbval cannot run.
    """
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    headings = _headings(notebook)
    there = {_gist(cell.source) for cell in notebook.cells if cell.cell_type == "code"}
    remarks = [
        Remark(heading, 0, "a cell marked NBVAL_CHECK_OUTPUT is missing, or was changed: its numbers cannot be compared")
        for source, (heading, _) in read_expected(solution).marked.items()
        if source not in there
    ]
    with tempfile.TemporaryDirectory() as folder:
        # Beside the original, so that the files which the notebook reads are where it looks for them.
        descriptor, name = tempfile.mkstemp(prefix=".course-run-", suffix=".ipynb", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                nbformat.write(graft(notebook, solution), file)
            found = list(_nbval(Path(name), Path(folder, "report.xml"), on_cell))
        finally:
            os.unlink(name)
    return remarks + [Remark(headings[number], number + 1, problem) for number, problem in found]


def _nbval(notebook: Path, report: Path, on_cell: Callable[[], None]) -> Iterator[tuple[int, str]]:
    """Run nbval on a notebook; yield each failed cell's number and what is wrong."""
    options = ["--nbval-lax", "--nbval-current-env", "-vv", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir"]
    command = [sys.executable, "-m", "pytest", *options, str(notebook.parent), f"--junitxml={report}", str(notebook)]
    # nbval reads a cell's messages only when the cell has ended, and ZeroMQ drops those beyond its high-water mark, the
    # last one among them: progress bars that refresh ten times a second would fail a cell that trains for minutes.
    env = {**os.environ, "TQDM_MININTERVAL": "10"}
    said = []
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if " PASSED" in line or " FAILED" in line:
                on_cell()
    if not report.exists():
        raise RuntimeError(said[-1].strip() if said else "pytest said nothing")
    for case in ElementTree.parse(report).iter("testcase"):
        failure = case.find("failure")
        if failure is not None:
            yield int(case.get("name", "0").rsplit(" ", 1)[-1]), _in_words(failure.text or failure.get("message") or "")


def _in_words(failure: str) -> str:
    """Say in a line or two what nbval says of a cell in many."""
    lines = re.sub(r"(?:\x1b|#x1B)\[[0-9;]*m", "", failure).splitlines()
    if any("mismatch" in line for line in lines):
        wanted, got = ([line[4:] for line in lines if line.startswith(sign)] for sign in ("  + ", "  - "))
        return f"it prints {' / '.join(got) or 'nothing'}\n  where the solution prints {' / '.join(wanted) or 'nothing'}"
    if any("exceeded waiting for output" in line for line in lines):
        return "it prints, or refreshes a progress bar, so often that its output was lost: do so less often"
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)]
    return (errors or said or ["it fails"])[-1][:300]


def _headings(notebook: "NotebookNode") -> list[str]:
    """List the heading above each code cell."""
    headings, above = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            headings.append(above)
        elif found := re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE):
            above = found[-1]
    return headings


def read_solution(folder: Path, lab: str) -> "NotebookNode":
    """Read a lab's executed solution. Raises OSError or ValueError."""
    import nbformat

    return nbformat.read(folder / f"{lab}.ipynb", as_version=4)


def _gist(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def _numbers(text: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in NUMBER.findall(text)]


