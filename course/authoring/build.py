"""Build a lab's two notebooks from its one source: the student's, with the solutions cut out, and the solution.

What each cell marker of lab.py becomes is in docs/AUTHORING.md.
"""

import ast
import builtins
import hashlib
import inspect
import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course.authoring.setup_cell import colab_badge, setup_source
from course.checks.cut import global_names, solution_source, stub_source
from course.checks.exercise import Entry, Exercise, Lab, Question
from course.labs import lab_source, load, marked_cells

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class BuildError(Exception):
    """A lab's source cannot be made into notebooks; the message names the cell and what to do."""


@dataclass(frozen=True)
class Built:
    """The two notebooks of a lab; the solution has no outputs yet."""

    student: NotebookNode
    solution: NotebookNode


def build(name: str, repository: str = "") -> Built:
    """Build a lab's notebooks, and prove that each of their cells stands on its own. Raises BuildError."""
    source, lab = lab_source(name), load(name)
    marked = iter(marked_cells(source))
    imports = _Imports(lab)
    student: list[NotebookNode] = []
    solution: list[NotebookNode] = []
    setup_at = None
    for cell in jupytext.reads(source, fmt="py:percent").cells:
        kind = cell.metadata.get("title", "")
        if kind == "setup":
            setup_at = len(student)
            imports.known = _imported_names(cell.source)
        if kind in ("exercise", "question"):
            if setup_at is None:
                raise BuildError(f"{name}: the '# %% setup' cell must come before the first exercise")
            mark = next(marked)
            entry = lab.entries[mark.name]
            pair = _exercise(cell, entry, imports) if isinstance(entry.item, Exercise) else _question(cell, entry)
            for cells, text in zip((student, solution), pair, strict=True):
                cells.append(_code(text, mark.name, entry))
            continue
        for cells in (student, solution):
            cells.append(_code(cell.source) if cell.cell_type == "code" else new_markdown_cell(cell.source))
    if setup_at is None:
        raise BuildError(f"{name}: lab.py needs a cell marked '# %% setup'")
    badge = colab_badge(repository, f"notebooks/{name}.ipynb")
    for cells in (student, solution):
        own = cells[setup_at].source
        cells[setup_at] = _code("\n".join([setup_source(repository), *imports.lines(), own]))
        if badge and cells is student:
            cells[0].source = f"{badge}\n\n{cells[0].source}"
    built = Built(_notebook(student), _notebook(solution))
    _prove(name, lab, built)
    return built


def build_demos(titles: Mapping[str, str], repository: str = "") -> NotebookNode:
    """Build the notebook that shows lecture demos; titles: name -> title, in their order."""
    badge = colab_badge(repository, "notebooks/demos.ipynb")
    words = "# Lecture demos\n\nMove a slider, and see at once what it does. The models come with the course."
    if len(titles) > 1:
        links = (f"[{title}](#{title.replace(' ', '-')})" for title in titles.values())
        words += "\n\n" + " · ".join(links)
    cells = [
        new_markdown_cell(f"{badge}\n\n{words}" if badge else words),
        _code(f"{setup_source(repository)}\nfrom course.demos.widgets import show"),
    ]
    for name, title in titles.items():
        cells += [new_markdown_cell(f"## {title}"), _code(f'show("{name}")')]
    return _notebook(cells)


def to_bytes(notebook: NotebookNode) -> bytes:
    """Serialise a notebook; the same notebook gives the same bytes."""
    return (nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n").encode()


def with_outputs_of(notebook: NotebookNode, path: Path) -> tuple[NotebookNode, bool]:
    """Return the notebook with the outputs of the file at path, and whether that file has the same cells, executed."""
    if not path.exists():
        return notebook, False
    try:
        old = nbformat.read(path, as_version=4)
        same = [(c.cell_type, c.source, c.id) for c in old.cells] == [
            (c.cell_type, c.source, c.id) for c in notebook.cells
        ] and all(c.execution_count is not None for c in old.cells if c.cell_type == "code")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError):
        return notebook, False
    return (old if same else notebook), same


def _exercise(cell: NotebookNode, entry: Entry, imports: "_Imports") -> tuple[str, str]:
    """Turn an exercise cell's import into the reference's source, whole and cut."""
    exercise = entry.item
    assert isinstance(exercise, Exercise)
    todo = [line for line in cell.source.splitlines() if line.startswith("#")]
    if not todo:
        raise BuildError(f"{exercise.name}: say in a '# TODO: ...' line what the student is to write")
    module = inspect.getmodule(exercise.reference)
    assert module is not None
    source = inspect.getsource(exercise.reference)
    imports.need(exercise.name, source, module)
    head = (
        f"# exercise: {exercise.name}\n"
        f"# {_amount(entry.points, 'point')}, about {_amount(entry.minutes, 'minute')}, "
        f"difficulty {'●' * entry.difficulty}{'○' * (5 - entry.difficulty)}\n"
    )
    return head + stub_source(source, exercise.methods, todo), head + solution_source(source)


def _question(cell: NotebookNode, entry: Entry) -> tuple[str, str]:
    question = entry.item
    assert isinstance(question, Question)
    empty, filled = f'{question.name} = ""', f'{question.name} = "{question.right}"'
    if cell.source.count(empty) != 1:
        raise BuildError(f"{question.name}: the question's cell must hold {empty}")
    head = f"# question: {question.name}\n# {_amount(entry.points, 'point')}, about {_amount(entry.minutes, 'minute')}\n"
    return head + cell.source, head + cell.source.replace(empty, filled)


class _Imports:
    """The imports that inlined sources need, to be hoisted into the set-up cell."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.known: dict[str, str] = {}
        self.hoisted: list[str] = []

    def lines(self) -> list[str]:
        """Return the hoisted imports, one line for each module."""
        plain = sorted(line for line in self.hoisted if line.startswith("import "))
        by_module: dict[str, list[str]] = {}
        for line in sorted(set(self.hoisted) - set(plain)):
            module, name = line.split(" import ", 1)
            by_module.setdefault(module, []).append(name)
        return [*plain, *(f"{module} import {', '.join(names)}" for module, names in sorted(by_module.items()))]

    def need(self, exercise: str, source: str, module: ModuleType) -> None:
        """Hoist what the source of an exercise uses of its module, but for other exercises."""
        available = _imported_names(inspect.getsource(module))
        for name in sorted({node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}):
            if name in self.lab.entries or not hasattr(module, name) or name.startswith("__"):
                continue
            line = available.get(name, f"from {module.__name__} import {name}")
            if name not in self.known:
                self.hoisted.append(line)
            if self.known.setdefault(name, line) != line:
                raise BuildError(f"{exercise} needs `{line}`, but the set-up cell has `{self.known[name]}`")


def _imported_names(source: str) -> dict[str, str]:
    """Map each name that a source imports at its top level to the one-line import that binds it."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                renamed = f" as {alias.asname}" if alias.asname else ""
                origin = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
                found[alias.asname or alias.name.split(".")[0]] = f"{origin}import {alias.name}{renamed}"
    return found


def _code(source: str, name: str = "", entry: Entry | None = None) -> NotebookNode:
    cell = new_code_cell(source.strip("\n"))
    if entry is not None:
        # grade and solution together mean "graded by hand" to nbgrader: it must not give points because a cell runs.
        cell.metadata["nbgrader"] = {
            "schema_version": 3, "grade_id": name, "grade": True, "solution": True, "locked": False, "task": False,
            "points": entry.points,
        }  # fmt: skip
    return cell


def _notebook(cells: list[NotebookNode]) -> NotebookNode:
    """Put cells into a notebook, each with an id that depends on what it says and not on the day it was made."""
    seen: dict[str, int] = {}
    for cell in cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.id = name or hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        seen[cell.id] = seen.get(cell.id, 0) + 1
        if seen[cell.id] > 1:
            cell.id += f"-{seen[cell.id]}"
    return new_notebook(cells=cells, metadata=METADATA)


def _prove(name: str, lab: Lab, built: Built) -> None:
    """Run each stub and each solution after only the set-up and those before it; look for names, leaks and leftovers."""
    for notebook, kind in ((built.student, "student"), (built.solution, "solution")):
        namespace: dict[str, Any] = {"__name__": f"{name}_{kind}"}
        setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
        for cell in (setup, *_exercise_cells(notebook)):
            label = cell.metadata.get("nbgrader", {}).get("grade_id", "the set-up cell")
            try:
                with redirect_stdout(io.StringIO()):
                    exec(compile(cell.source, f"<{label}>", "exec"), namespace)
            except Exception as error:
                raise BuildError(f"{name}, {kind} notebook: {label} does not run: {error!r}") from error
            unresolved = [n for n in sorted(global_names(cell.source)) if n not in namespace and not hasattr(builtins, n)]
            if cell is not setup and unresolved:
                raise BuildError(f"{name}: {label} uses {', '.join(unresolved)}, which no cell before it defines")
        for cell in notebook.cells:
            if cell.cell_type == "code":
                _require_parses(name, kind, cell.source)
    for stub, solution in zip(_exercise_cells(built.student), _exercise_cells(built.solution), strict=True):
        label = stub.metadata["nbgrader"]["grade_id"]
        secret = {line.strip() for line in solution.source.splitlines()} - {
            line.strip() for line in stub.source.splitlines()
        }
        for line in (line for line in secret if len(line) > 20 and not line.startswith("#")):
            if any(line in cell.source for cell in _exercise_cells(built.student)):
                raise BuildError(f"{name}: a line of the solution of {label} stands in the student notebook: {line}")
        if not secret:
            raise BuildError(f"{name}: nothing was cut out of {label}")
    if any("TODO" in cell.source for cell in built.solution.cells if cell.cell_type == "code"):
        raise BuildError(f"{name}: a TODO stands in the solution notebook")


def _exercise_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata]


def _require_parses(name: str, kind: str, source: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise BuildError(f"{name}, {kind} notebook: this cell does not parse ({error}):\n{source}") from None


def _amount(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
