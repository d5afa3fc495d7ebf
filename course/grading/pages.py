"""The pages that grading writes: feedback for each student, and the class for the instructor. Plain HTML, no scripts.

What students and their code have written stands in them: everything is escaped, and a page may load and run nothing.
"""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean, median
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from course.checks.exercise import Exercise, Lab
from course.checks.render import HEADLINES, SIGNS, with_code
from course.checks.report import (
    BLOCKED,
    ERROR,
    MISSING,
    NOT_ATTEMPTED,
    RIGHT,
    TIMEOUT,
    WRONG,
    PartReport,
    Report,
)
from course.grading.cells import write_csv
from course.grading.result import GRADED, UNREADABLE, Result
from course.grading.similar import Group, Similarities, known_fingerprints

MOST_ROWS = 2000  # of the class table; a browser shows that many at once, and grades.csv has all
MOST_ITEMS = 200  # of the shorter lists
LONGEST = 4000  # characters of one text; a message that is longer helps nobody

SANDBOXES = {
    "bwrap": "in a bubblewrap sandbox (namespaces, no network)",
    "landlock": "in a Landlock sandbox (no network, no other files)",
    "none": "without a sandbox",
}
# The columns of the table of exercises: the verdicts that each counts, and its heading.
COLUMNS = (
    ("right", "right", (RIGHT,)),
    ("wrong", "not right yet", (WRONG,)),
    ("error", "error or timeout", (ERROR, TIMEOUT)),
    ("blocked", "waits for another", (BLOCKED,)),
    ("missing", "not found", (MISSING,)),
    ("not-attempted", "not attempted", (NOT_ATTEMPTED,)),
)
_CLASSES = {verdict: name for name, _, verdicts in COLUMNS for verdict in verdicts}

_SIGNS = SIGNS | {TIMEOUT: "∞"}  # few fonts have the sign that a notebook shows

_ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]")
# Control characters but tab and line feed, marks that change the direction of what follows, lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


@dataclass(frozen=True)
class Mark:
    """What a student has for one exercise; own: it is the instructor's own mark."""

    verdict: str
    points: float
    own: bool


@dataclass(frozen=True)
class Row:
    """What the class table says about one student."""

    student: str
    name: str
    points: float
    status: str
    attempted: bool
    marks: tuple[Mark, ...]  # in the order of the lab's exercises
    remarks: tuple[str, ...]
    noticed: tuple[str, ...]
    reason: str


class ClassSummary:
    """What the instructor's page and grades.csv need of a class, collected one result at a time.

    Of a result only a row, some counts and the fingerprints are kept, no texts: ten thousand results fit in memory.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.rows: list[Row] = []
        self.out_of = float(sum(entry.points for entry in lab.entries.values()))
        self.verdicts = {name: Counter[str]() for name in lab.entries}
        self.mistakes = Counter[tuple[str, str]]()  # (exercise, name of the mistake) -> students
        self.sentences: dict[tuple[str, str], str] = {}
        self.unexplained = Counter[str]()  # exercise -> wrong answers in which no mistake was recognised
        self.similar = Similarities(known_fingerprints(lab))

    def add(self, result: Result) -> None:
        """Add a student's result."""
        reports = {report.exercise: report for report in result.grading.reports}
        marks = []
        for name, entry in self.lab.entries.items():
            report = reports.get(name) or Report(name, MISSING, out_of=entry.points)
            marks.append(Mark(report.verdict, result.points_of(report), name in result.overrides))
            self.verdicts[name][report.verdict] += 1
            if report.mistake:
                self.mistakes[name, report.mistake] += 1
                self.sentences.setdefault((name, report.mistake), report.cause)
            elif report.verdict == WRONG and isinstance(entry.item, Exercise):
                self.unexplained[name] += 1
        grading = result.grading
        self.rows.append(
            Row(
                result.student,
                result.name,
                result.points,
                grading.status,
                result.attempted,
                tuple(marks),
                result.remarks,
                grading.noticed,
                grading.reason,
            )
        )
        tried = {name for name, report in reports.items() if report.verdict != NOT_ATTEMPTED}
        self.similar.add(result.student, {name: prints for name, prints in grading.fingerprints.items() if name in tried})


def feedback_page(result: Result, lab: Lab) -> str:
    """Render one student's page: feedback/ID.html."""
    exercises = [_exercise(report, result, lab) for report in result.grading.reports]
    return _page(
        "feedback.html.j2",
        title=f"{lab.title}: feedback for {result.name or result.student}",
        lab=lab,
        result=result,
        grading=result.grading,
        exercises=exercises,
        readable=result.grading.status != UNREADABLE,
        graded=result.grading.status == GRADED,
        detailed=result.grading.status != UNREADABLE or result.overrides,  # what the instructor says is always shown
        sandbox=SANDBOXES.get(result.grading.sandbox, ""),
        version=_version(),
    )


def index_page(
    summary: ClassSummary,
    *,
    absent: Sequence[tuple[str, str]] = (),
    problems: Sequence[str] = (),
    href: Callable[[str], str] = lambda student: f"feedback/{student}.html",
) -> str:
    """Render the instructor's page.

    absent: (student, name) of those on the roster who handed in nothing. problems: what grading could not settle, in
    words. href: the address of a student's feedback page, relative to this one.
    """
    rows = sorted(summary.rows, key=lambda row: ((row.name or row.student).casefold(), row.student))
    points = [row.points for row in rows]
    names = {row.student: row.name for row in rows}
    return _page(
        "index.html.j2",
        title=f"{summary.lab.title}: results",
        lab=summary.lab,
        out_of=summary.out_of,
        rows=rows[:MOST_ROWS],
        total=len(rows),
        headline=_headline(rows, points, summary.out_of, len(absent)),
        bins=_bins(points, summary.out_of),
        exercises=[_rates(summary, number, name) for number, name in enumerate(summary.lab.entries)],
        columns=COLUMNS,
        mistakes=_mistakes(summary),
        unexplained=summary.unexplained.most_common(),
        noticed=[row for row in rows if row.noticed],
        failed=[row for row in rows if row.status != GRADED],
        groups=_named(summary.similar.groups(), names),
        absent=sorted(absent, key=lambda pair: (pair[1] or pair[0]).casefold()),
        problems=problems,
        href=lambda student: quote(href(student), errors="replace"),
        most_items=MOST_ITEMS,
        most_rows=MOST_ROWS,
        version=_version(),
    )


def grades_csv(path: Path, summary: ClassSummary) -> None:
    """Write grades.csv: one line a student, one column an exercise, in UTF-8 without a byte-order mark."""
    head = ["student", "name", "points", "out_of", "status", *summary.lab.entries, "remarks", "noticed"]
    write_csv(
        path,
        head,
        (
            [
                row.student,
                row.name,
                row.points,
                summary.out_of,
                row.status,
                *(mark.points for mark in row.marks),
                "; ".join(row.remarks),
                "; ".join(row.noticed),
            ]
            for row in sorted(summary.rows, key=lambda row: row.student)
        ),
    )


def _exercise(report: Report, result: Result, lab: Lab) -> dict[str, Any]:
    """Gather what the feedback page says about one exercise."""
    entry = lab.entries.get(report.exercise)
    exercise = entry.item if entry and isinstance(entry.item, Exercise) else None
    parts: Sequence[PartReport] = report.parts if exercise else ()
    rubric: Sequence[str] = ()
    if exercise and not parts:
        rubric = [part.about for part in exercise.parts]
    said, rows = "", []
    for part in parts:
        rows.append((part, "As above." if part.problem and part.problem == said else part.problem))
        said = part.problem or said
    return {
        "report": report,
        "parts": rows,
        "rubric": rubric,
        "override": result.overrides.get(report.exercise),
        "points": result.points_of(report),
        "question": entry is not None and exercise is None,
    }


def _headline(rows: Sequence[Row], points: Sequence[float], out_of: float, absent: int) -> list[tuple[str, str]]:
    """List the numbers at the top: (number, what it is)."""
    found = [(f"{len(rows):,}", "submission" if len(rows) == 1 else "submissions")]
    if rows:
        full = sum(row.points >= out_of for row in rows)
        untouched = sum(not row.attempted for row in rows)
        failed = sum(row.status != GRADED for row in rows)
        found += [
            (_number(fmean(points)), f"points on average, of {_number(out_of)}"),
            (_number(median(points)), "points in the median"),
            (f"{full:,}", "with full marks"),
            (f"{untouched:,}", "handed in untouched"),
            (f"{failed:,}", "could not be graded"),
        ]
    return [*found, (f"{absent:,}", "absent")]


def _bins(points: Sequence[float], out_of: float) -> list[dict[str, Any]]:
    """Count the points in about ten bins of whole points; each holds its lower edge, the last one both."""
    if not points or not out_of:
        return []
    width = max(1, -(-int(out_of) // 10))
    edges = [float(edge) for edge in range(0, int(out_of), width)] + [out_of]
    counts = Counter(min(max(int(value // width), 0), len(edges) - 2) for value in points)
    most = max(counts.values())
    return [
        {"low": edges[i], "high": edges[i + 1], "count": counts[i], "share": counts[i] / most} for i in range(len(edges) - 1)
    ]


def _rates(summary: ClassSummary, number: int, name: str) -> dict[str, Any]:
    """Gather what the table of exercises says about one: the students by verdict, and their mean points."""
    total = len(summary.rows)
    counts, bars, left = [], [], 0.0
    for key, heading, verdicts in COLUMNS:
        count = sum(summary.verdicts[name][verdict] for verdict in verdicts)
        counts.append((key, heading, count))
        if count:
            bars.append((key, left, 100 * count / total))
            left += 100 * count / total
    return {
        "name": name,
        "counts": counts,
        "bars": bars,
        "mean": fmean(row.marks[number].points for row in summary.rows) if total else 0.0,
        "out_of": summary.lab.entries[name].points,
        "words": ", ".join(f"{count} {heading}" for _, heading, count in counts if count) or "no submissions",
    }


def _mistakes(summary: ClassSummary) -> list[dict[str, Any]]:
    """List the recognised mistakes, the most common first; share: of the students who attempted that exercise."""
    found = []
    for (exercise, name), students in sorted(summary.mistakes.items(), key=lambda item: (-item[1], item[0])):
        attempted = len(summary.rows) - summary.verdicts[exercise][NOT_ATTEMPTED] - summary.verdicts[exercise][MISSING]
        found.append(
            {
                "exercise": exercise,
                "name": name.replace("_", " "),
                "sentence": summary.sentences[exercise, name],
                "students": students,
                "share": students / attempted,
            }
        )
    return found


def _named(groups: Sequence[Group], names: dict[str, str]) -> list[tuple[Group, list[tuple[str, str]]]]:
    return [(group, [(student, names.get(student, "")) for student in group.students]) for group in groups]


def _page(template: str, **content: Any) -> str:
    style = _PAGES.loader.get_source(_PAGES, "style.css")[0]  # type: ignore[union-attr]
    allowed = "sha256-" + b64encode(sha256(style.encode()).digest()).decode()
    return _PAGES.get_template(template).render(**content, style=Markup(style), allowed=allowed)


def _version() -> str:
    try:
        return version("course")
    except PackageNotFoundError:  # a copy of the repository, not installed
        return ""


def _clean(value: Any) -> Any:
    """Take out of a text what a page cannot show or what would rearrange it; every text on a page goes through this."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = _UNPRINTABLE.sub("", _ANSI.sub("", value))
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"


def _number(value: float) -> str:
    return f"{round(value, 2):g}"


def _short(text: str, longest: int = 60) -> str:
    text = _clean(text).strip() or "–"  # a link must have a text to click on
    return text if len(text) <= longest else text[: longest - 1] + "…"


_PAGES = Environment(
    loader=PackageLoader("course.grading"),
    autoescape=True,
    finalize=_clean,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters |= {
    "code": lambda text: Markup(with_code(_clean(text))),
    "number": _number,
    "short": _short,
    "css": _CLASSES.__getitem__,
    "sign": _SIGNS.__getitem__,
    "headline": HEADLINES.__getitem__,
}
