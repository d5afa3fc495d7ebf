"""What grading gives, as data: one Result a student. Reports, exports and results/ID.json are all made from it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from course.checks.report import NOT_ATTEMPTED, PartReport, Report

VERSION = 1  # of the JSON form, which result.schema.json describes

GRADED, UNREADABLE, CRASHED = "graded", "could not be read", "crashed the sandbox"


@dataclass(frozen=True)
class Figure:
    """One number or text that a marked cell printed, beside what the executed solution printed."""

    cell: str  # the first words of the cell, or the exercise it follows
    wanted: str
    got: str
    agrees: bool


@dataclass(frozen=True)
class Run:
    """What came of running a whole notebook from top to bottom."""

    finished: bool
    message: str = ""  # what stopped it
    figures: tuple[Figure, ...] = ()
    seconds: float = 0.0
    device: str = "CPU"


@dataclass(frozen=True)
class Grading:
    """What was found in one submission; the same for the same submission, lab, seed and version of the course."""

    status: str  # GRADED, UNREADABLE or CRASHED
    reports: tuple[Report, ...] = ()  # one for each exercise, in the order of the lab, whatever the status
    sandbox: str = ""  # the level that graded: "bwrap", "landlock" or "none"
    reason: str = ""  # why it could not be read, or how it crashed
    noticed: tuple[str, ...] = ()  # what it tried to do and should not
    fingerprints: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # exercise -> hashes of its syntax tree
    run: Run | None = None


@dataclass(frozen=True)
class Override:
    """An instructor's own mark for an exercise, and the words that go with it."""

    points: float
    words: str = ""


@dataclass(frozen=True)
class Result:
    """A student's result in a lab."""

    student: str  # the id
    lab: str
    seed: int
    grading: Grading
    name: str = ""  # from the roster or the file's name; "" if not known
    file: str = ""  # what was graded
    submission: str = ""  # its SHA-256, in hexadecimal
    remarks: tuple[str, ...] = ()  # such as "3 submissions; the latest was graded"
    overrides: Mapping[str, Override] = field(default_factory=dict)  # by exercise

    def points_of(self, report: Report) -> float:
        """Return the points for one exercise: the instructor's own mark, if there is one."""
        override = self.overrides.get(report.exercise)
        return report.points if override is None else override.points

    @property
    def points(self) -> float:
        """Return all points."""
        return sum(self.points_of(report) for report in self.grading.reports)

    @property
    def out_of(self) -> float:
        """Return what could have been earned."""
        return sum(report.out_of for report in self.grading.reports)

    @property
    def attempted(self) -> bool:
        """Say whether anything was handed in beyond the untouched notebook."""
        return any(report.verdict != NOT_ATTEMPTED for report in self.grading.reports)


def grading_to_json(grading: Grading) -> str:
    """Write a grading as JSON."""
    return json.dumps(asdict(grading), ensure_ascii=False)


def grading_from_json(text: str) -> Grading:
    """Read what grading_to_json wrote."""
    return _grading(json.loads(text))


def to_json(result: Result) -> str:
    """Write a result as JSON: the content of results/ID.json."""
    content = asdict(result)
    grading = content.pop("grading")
    overrides = content.pop("overrides")
    exercises = grading.pop("reports")
    for report, row in zip(result.grading.reports, exercises, strict=True):
        row["points"] = result.points_of(report)
        row["override"] = overrides.get(report.exercise)
        row["feedback"] = str(report)
    head = {"version": VERSION, "points": result.points, "out_of": result.out_of}
    return json.dumps({**head, **content, **grading, "exercises": exercises}, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Result:
    """Read what to_json wrote. Raises ValueError for another version."""
    content = json.loads(text)
    if content.pop("version") != VERSION:
        raise ValueError(f"this result is of another version; this course writes version {VERSION}: grade again")
    rows = content.pop("exercises")
    for name in ("points", "out_of"):
        content.pop(name)
    overrides = {row["exercise"]: Override(**row["override"]) for row in rows if row["override"]}
    for row in rows:
        for name in ("points", "feedback", "override"):
            row.pop(name)
    names = ("status", "sandbox", "reason", "noticed", "fingerprints", "run")
    grading = _grading({name: content.pop(name) for name in names} | {"reports": rows})
    return Result(**content | {"grading": grading, "overrides": overrides, "remarks": tuple(content["remarks"])})


def _grading(content: dict[str, Any]) -> Grading:
    reports = tuple(
        Report(**row | {"parts": tuple(PartReport(**part) for part in row["parts"])}) for row in content["reports"]
    )
    run = content["run"]
    if run is not None:
        run = Run(**run | {"figures": tuple(Figure(**figure) for figure in run["figures"])})
    fingerprints = {name: tuple(hashes) for name, hashes in content["fingerprints"].items()}
    noticed = tuple(content["noticed"])
    return Grading(**content | {"reports": reports, "noticed": noticed, "fingerprints": fingerprints, "run": run})
