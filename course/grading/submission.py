"""Read a student's notebook and run the part of it that defines things: no training, no plots, no widgets.

This runs the student's code in this process and is meant for the student's own machine.
"""

import ast
import builtins
import json
import linecache
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from course.checks.cut import global_names
from course.checks.exercise import Lab
from course.checks.probing import text_of
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


def define(submission: Submission, wanted: Iterable[str]) -> Definitions:
    """Run a submission's imports and definitions, in the order of the notebook, and what gives wanted names their values.

    That is followed by name: the assignments of wanted names, of the names that these and the definitions of wanted names
    read, and so on. Nothing else is run.
    """
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
    needed = _needed_names([tree for _, tree in trees], wanted)
    for file, tree in trees:
        for statement in tree.body:
            if _is_definition(statement) or (_bound_names(statement) & needed and not _calls_notebook(statement)):
                _run(statement, file, found)
    return found


def judge_submission(submission: Submission, lab: Lab) -> list[Report]:
    """Judge every exercise of a lab as a submission defines it."""
    found = define(submission, lab.entries)
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
    try:
        exec(compile(ast.Module([statement], type_ignores=[]), file, "exec"), found.namespace)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a student's cell may raise anything; its names get that said
        message = f"Its cell stops with {type(error).__name__}: {text_of(error, str)[:300]}"
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
    """Blank out the lines that only a notebook understands: %magics, !commands, and questions with a trailing ?.

    A cell that is Python as it stands is left alone: such a line may belong to a string or to an expression.
    """
    lines = source.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        return ""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        magic = ("%", "!", "?")
        return "\n".join("" if line.lstrip().startswith(magic) or line.rstrip().endswith("?") else line for line in lines)
    return source


def _is_definition(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _bound_names(statement: ast.stmt) -> set[str]:
    """List the names that a top-level statement binds, or whose attributes and items it sets."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    if isinstance(statement, (ast.If, ast.Try)):
        handled = [inner for handler in getattr(statement, "handlers", ()) for inner in handler.body]
        inside = [*statement.body, *handled, *statement.orelse, *getattr(statement, "finalbody", ())]
        return set().union(*map(_bound_names, inside))
    return set()


def _needed_names(trees: list[ast.Module], wanted: Iterable[str]) -> set[str]:
    """Follow the wanted names through the statements that bind them and what those read, as far as it goes."""
    statements = [(_bound_names(statement), _names_read(statement)) for tree in trees for statement in tree.body]
    needed = set(wanted)
    while True:
        more = {name for bound, read in statements if bound & needed for name in read}
        if more <= needed:
            return needed
        needed |= more


def _names_read(statement: ast.stmt) -> set[str]:
    try:
        return global_names(ast.unparse(statement))
    except (SyntaxError, ValueError, RecursionError):  # running it will say so
        return set()


def _calls_notebook(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NOTEBOOK_CALLS
        for node in ast.walk(statement)
    )


def _names_said(source: str) -> list[str]:
    """Find the names that a cell which does not parse was to define, by its markers."""
    marks = ("# exercise: ", "# question: ")
    return [line.split(": ", 1)[1].strip() for line in source.splitlines() if line.startswith(marks)]
