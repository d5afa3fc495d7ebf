"""Every mistake and style that `course verify` proves gets the same verdict through the sandbox as in the notebook."""

import ast
import inspect
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from course.checks.cut import global_names
from course.checks.diagnose import judge_object
from course.checks.exercise import Exercise
from course.checks.report import NOT_ATTEMPTED, RIGHT, Report
from course.grading.define import _bound_names
from course.grading.grade import Grader
from course.grading.result import GRADED

SEED = 11


class Renamed(ast.NodeTransformer):
    """A mistake may call the reference: as a cell it finds that under another name."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.new, node.ctx) if node.id == self.old else node


def as_cells(checks: ModuleType, exercise: Exercise, candidate: Any, entries: set[str]) -> list[str]:
    """Return cells that make a notebook's exercise be what a candidate in checks.py is, helpers and imports included."""
    statements = ast.parse(inspect.getsource(checks)).body
    wanted, queue, chosen = set(), [candidate.__name__], []
    while queue:
        name = queue.pop()
        if name in wanted or name in entries:
            continue
        wanted.add(name)
        for statement in statements:
            if name in _bound_names(statement) and not isinstance(statement, (ast.Import, ast.ImportFrom)):
                queue.extend(global_names(ast.unparse(_bare(statement))))
    for statement in statements:
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("course."):
            statement.names = [alias for alias in statement.names if alias.name not in entries and alias.name in wanted]
        if isinstance(statement, (ast.Import, ast.ImportFrom)) and not statement.names:
            continue
        if isinstance(statement, (ast.Import, ast.ImportFrom)) or _bound_names(statement) & wanted:
            chosen.append(Renamed(exercise.name, f"the_{exercise.name}").visit(_bare(statement)))
    return [
        f"the_{exercise.name} = {exercise.name}",
        "\n".join(ast.unparse(ast.fix_missing_locations(statement)) for statement in chosen),
        f"{exercise.name} = {candidate.__name__}",
    ]


def _bare(statement: ast.stmt) -> ast.stmt:
    """Take the decorators that tell the checks off a definition, and leave the others."""
    if hasattr(statement, "decorator_list"):
        statement.decorator_list = [
            decorator
            for decorator in statement.decorator_list
            if not {node.attr for node in ast.walk(decorator) if isinstance(node, ast.Attribute)} & {"mistake", "style"}
        ]
    return statement


def gist(report: Report) -> tuple[Any, ...]:
    return report.verdict, report.mistake, report.points, [part.verdict for part in report.parts]


@pytest.mark.slow
def test_mistakes_and_styles_have_the_same_verdict_in_the_sandbox(lab_cells: Any, strongest: str) -> None:
    lab, _, solution = lab_cells
    checks = import_module(f"course.labs.{lab.name}.checks")
    different, count = [], 0
    for name, entry in lab.entries.items():
        if not isinstance(entry.item, Exercise):
            continue
        candidates = {key: mistake.candidate for key, mistake in entry.item.mistakes.items()} | entry.item.styles
        with Grader(lab, SEED, strongest, only=(name,)) as grader:
            for key, candidate in candidates.items():
                here = judge_object(entry.item, candidate, seed=SEED, points=entry.points)
                grading = grader.grade([*solution, *as_cells(checks, entry.item, candidate, set(lab.entries))])
                (there,) = grading.reports
                count += 1
                if gist(here) != gist(there) or grading.noticed:
                    different.append(f"{name}.{key}: {gist(here)} here, {gist(there)} there, {grading.noticed}")
    assert not different, "\n".join(different)
    assert count > 20


@pytest.mark.slow
def test_a_solution_has_full_marks_and_an_untouched_notebook_none(lab_cells: Any, level: str) -> None:
    lab, student, solution = lab_cells
    full = sum(entry.points for entry in lab.entries.values())
    with Grader(lab, SEED, level) as grader:
        for cells, verdict, points in ((student, NOT_ATTEMPTED, 0), (solution, RIGHT, full)):
            grading = grader.grade(cells)
            assert {report.exercise: report.verdict for report in grading.reports} == dict.fromkeys(lab.entries, verdict)
            assert sum(report.points for report in grading.reports) == points
            assert (grading.noticed, grading.sandbox, grading.status) == ((), level, GRADED)
