"""Judge a notebook's exercises in this process: for a student's own notebook, on their own machine. A class is graded in a
sandbox (grade.py)."""

import ast
import json
from dataclasses import dataclass
from pathlib import Path

from course.checks.exercise import Lab
from course.checks.report import ERROR, MISSING, Report
from course.checks.session import judge_entry
from course.grading.define import define, parse
from course.grading.notebook import NotebookError, read_cells


class SubmissionError(Exception):
    """A file is not a notebook that can be read; the message says what was expected."""


@dataclass(frozen=True)
class Submission:
    """The sources of a notebook's code cells, and the lab that its set-up cell starts ("" if it starts none)."""

    path: Path
    cells: tuple[str, ...]
    lab: str


def read(path: Path) -> Submission:
    """Read a notebook's code cells. Raises SubmissionError."""
    try:
        cells = read_cells(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SubmissionError(f"{path} cannot be read: {reason}. Give the path of an .ipynb file.") from None
    except NotebookError as error:
        raise SubmissionError(f"{path} is not a Jupyter notebook that can be read. {error}") from None
    return Submission(path, cells, _lab_of(cells))


def judge_submission(submission: Submission, lab: Lab) -> list[Report]:
    """Judge every exercise of a lab as a submission defines it."""
    found = define(submission.cells, lab.entries, {})
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


def _lab_of(cells: tuple[str, ...]) -> str:
    for source in cells:
        for node in (node for statement in parse(source).statements for node in ast.walk(statement.node)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "start" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    return first.value
    return ""
