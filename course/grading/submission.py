"""Read a student's notebook and run the part of it that defines things: no training, no plots, no widgets.

This runs the student's code in this process and is meant for the student's own machine.
"""

import ast
import builtins
import json
import linecache
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from course.checks.exercise import Lab
from course.checks.report import ERROR, MISSING, Report
from course.checks.session import judge_entry

NOTEBOOK_CALLS = ("check", "hint", "progress", "start")


class SubmissionError(Exception):
    """A file is not a notebook that can be read; the message says what was expected."""


@dataclass(frozen=True)
class Submission:
    """The sources of a notebook's code cells, and the lab that its set-up cell starts ("" if it starts none)."""

    path: Path
    cells: tuple[str, ...]
    lab: str


@dataclass
class Definitions:
    """What a submission defines, and the cells that failed: name that they would have defined -> what went wrong."""

    namespace: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> Submission:
    """Read a notebook's code cells. Raises SubmissionError."""
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        cells = tuple(str(cell.source) for cell in notebook.cells if cell.cell_type == "code")
    except OSError as error:
        raise SubmissionError(
            f"{path} cannot be read: {error.strerror or error}. Give the path of an .ipynb file."
        ) from None
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError, nbformat.ValidationError) as error:
        reason = str(error).strip().splitlines()[0][:100] if str(error).strip() else type(error).__name__
        raise SubmissionError(f"{path} is not a Jupyter notebook ({reason}). Download it again as .ipynb.") from None
    return Submission(path, cells, _lab_of(cells))


def define(submission: Submission) -> Definitions:
    """Run a submission's imports, definitions, and the assignments that these need, in the order of the notebook."""
    trees, found = [], Definitions({"__name__": "__main__", "__builtins__": builtins})
    for number, source in enumerate(submission.cells, start=1):
        file = f"<cell {number}>"
        plain = _without_magics(source)
        try:
            trees.append((file, ast.parse(plain, file)))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            message = f"The cell does not parse: {error}."
            found.failures.update(dict.fromkeys(_names_said(source), message))
            continue
        linecache.cache[file] = (len(plain), None, plain.splitlines(keepends=True), file)
    needed = _needed_names([tree for _, tree in trees])
    for file, tree in trees:
        for statement in tree.body:
            if _is_definition(statement) or (_bound_names(statement) & needed and not _calls_notebook(statement)):
                _run(statement, file, found)
    return found


def judge_submission(submission: Submission, lab: Lab) -> list[Report]:
    """Judge every exercise of a lab as a submission defines it."""
    found = define(submission)
    reports = []
    for name, entry in lab.entries.items():
        if name in found.failures:
            reports.append(Report(name, ERROR, message=found.failures[name], out_of=entry.points))
        elif name not in found.namespace:
            message = f"No cell defines `{name}`. Was it renamed or deleted?"
            reports.append(Report(name, MISSING, message=message, out_of=entry.points))
        else:
            reports.append(judge_entry(entry, found.namespace[name]))
    return reports


def to_json(submission: Submission, lab: Lab, reports: list[Report]) -> str:
    """Write reports as JSON, for a machine to read."""
    rows = [
        {
            "exercise": report.exercise,
            "verdict": report.verdict,
            "points": report.points,
            "out_of": report.out_of,
            "mistake": report.mistake,
            "feedback": str(report),
        }
        for report in reports
    ]
    points = sum(report.points for report in reports)
    out_of = sum(entry.points for entry in lab.entries.values())
    content = {"version": 1, "notebook": str(submission.path), "lab": lab.name, "points": points, "out_of": out_of}
    return json.dumps({**content, "exercises": rows}, indent=2, ensure_ascii=False)


def _run(statement: ast.stmt, file: str, found: Definitions) -> None:
    code = compile(ast.Module([statement], type_ignores=[]), file, "exec")
    try:
        exec(code, found.namespace)
    except (Exception, SystemExit) as error:  # a student's cell may raise anything; its names get that said
        message = f"Its cell stops with {type(error).__name__}: {str(error)[:300]}"
        found.failures.update(dict.fromkeys(_bound_names(statement), message))
    else:
        for name in _bound_names(statement):
            found.failures.pop(name, None)


def _lab_of(cells: tuple[str, ...]) -> str:
    for source in cells:
        try:
            tree = ast.parse(_without_magics(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "start" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    return first.value
    return ""


def _without_magics(source: str) -> str:
    """Blank out the lines that only a notebook understands: %magics, !commands, and questions with a trailing ?."""
    lines = source.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        return ""
    magic = ("%", "!", "?")
    return "\n".join("" if line.lstrip().startswith(magic) or line.rstrip().endswith("?") else line for line in lines)


def _is_definition(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _bound_names(statement: ast.stmt) -> set[str]:
    """List the names that a top-level statement binds."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return set()


def _needed_names(trees: list[ast.Module]) -> set[str]:
    """Follow the names that definitions read, through the assignments that give them, as far as it goes."""
    statements = [statement for tree in trees for statement in tree.body]
    needed = {name for tree in trees for name in _answers_in(tree)}
    for statement in statements:
        if _is_definition(statement):
            needed |= _names_read(statement)
    while True:
        more = {
            name
            for statement in statements
            if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and _bound_names(statement) & needed
            for name in _names_read(statement)
        }
        if more <= needed:
            return needed
        needed |= more


def _answers_in(tree: ast.Module) -> set[str]:
    """List the names that a cell gives a plain constant: answers to questions are among them."""
    return {
        name
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for name in _bound_names(statement)
    }


def _names_read(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _calls_notebook(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NOTEBOOK_CALLS
        for node in ast.walk(statement)
    )


def _names_said(source: str) -> list[str]:
    """Find the names that a cell which does not parse was to define, by its markers."""
    marks = ("# exercise: ", "# question: ")
    return [line.split(": ", 1)[1].strip() for line in source.splitlines() if line.startswith(marks)]
