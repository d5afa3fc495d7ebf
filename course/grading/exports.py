"""Results as the files that other programs take: Gradescope, Canvas, Moodle, nbgrader, and JUnit's XML."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any
from unicodedata import normalize
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from course.checks.render import as_html, as_text
from course.checks.report import BLOCKED, ERROR, NOT_ATTEMPTED, RIGHT, TIMEOUT, WRONG, Report
from course.grading.cells import write_csv, write_text
from course.grading.result import GRADED, Result, from_json

TARGETS = ("gradescope", "canvas", "moodle", "nbgrader", "junit")
NBGRADER_COLUMNS = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
)
MOODLE_COLUMNS = ("Identifier", "Full name", "Grade", "Maximum grade", "Last modified (grade)", "Feedback comments")

_CANVAS_IDS = ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
_MOODLE_IDS = ("identifier", "id number", "username", "email address")
_ELEMENTS = {RIGHT: "", ERROR: "error", TIMEOUT: "error", NOT_ATTEMPTED: "skipped", BLOCKED: "skipped"}  # else "failure"
_ASSIGNMENT = re.compile(r"(?P<title>.*\S)\s*\((?P<id>\d+)\)\s*")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# What XML 1.0 does not allow, and the control characters that it allows and nobody can read
_UNREADABLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ExportError(Exception):
    """Results cannot be exported; the message says what was expected and what to do."""


@dataclass(frozen=True)
class Exported:
    """The file or folder that was written, and what its reader should know of it."""

    path: Path
    remarks: tuple[str, ...] = ()


def export_results(
    folder: Path, to: str, into: Path | None = None, output: Path | None = None, column: str = ""
) -> Exported:
    """Write the results of a folder as the files that one of TARGETS takes.

    `into` is the instructor's own export of Canvas or Moodle, which is never changed: a filled copy is written. `column` is
    the assignment's column in it, for Canvas. `output` is what to write: a folder for Gradescope (or, for one student, a
    .json file), a file for the others; by default it lies in the folder. Raises ExportError.
    """
    if to not in TARGETS:
        raise ExportError(f"There is no export to {to!r}. Choose one of {', '.join(TARGETS)}.")
    if into is None and to == "canvas":
        raise ExportError("Canvas takes its own file back: export the gradebook there and name the file with --into.")
    if into is not None and to not in ("canvas", "moodle"):
        raise ExportError(f"--into fills a file of Canvas or Moodle; an export to {to} has none. Leave it out.")
    if column and to != "canvas":
        raise ExportError(f"--column names a column of Canvas's gradebook; an export to {to} has none. Leave it out.")
    default = {"gradescope": "gradescope", "junit": "junit.xml"}.get(to, f"{to}.csv")
    target = output or folder / default
    results = read_results(folder)
    remarks: list[str] = []
    try:
        if to == "gradescope":
            write_gradescope(folder, target)
        elif to == "canvas" and into is not None:
            remarks = fill_canvas(results, into, target, column)
        elif to == "moodle":
            remarks = fill_moodle(results, into, target) if into is not None else write_moodle(results, target)
        elif to == "nbgrader":
            write_nbgrader(results, target)
        else:
            write_junit(results, target)
    except OSError as error:
        reason = f"{error.filename or target}: {error.strerror or error}"
        raise ExportError(f"{reason}. Name what can be written with --output.") from None
    return Exported(target, tuple(remarks))


def read_results(folder: Path) -> Iterator[Result]:
    """Read what `course grade --out` left in a folder, one student at a time. Raises ExportError."""
    return (_read(path) for path in _files(folder))


# Gradescope


def gradescope_results(result: Result) -> dict[str, Any]:
    """Return what Gradescope reads as results.json: a test case an exercise.

    Points stay between 0 and what the exercise is worth. Every text is marked as plain text, which Gradescope escapes; its
    default for the text on top would be HTML. Source: Gradescope's autograder documentation, "Output format".
    """
    tests: list[dict[str, Any]] = [
        {
            "number": str(number),
            "name": clean(report.exercise),
            "name_format": "text",
            "score": _within(result.points_of(report), report.out_of),
            "max_score": float(report.out_of),
            "status": "passed" if _verdict(result, report) == RIGHT else "failed",
            "output": _text(result, report),
            "output_format": "text",
            "visibility": "visible",
        }
        for number, report in enumerate(result.grading.reports, start=1)
    ]
    content: dict[str, Any] = {
        "score": math.fsum(test["score"] for test in tests),
        "output": "\n".join(_summary(result)),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",  # the grader's own log
        "tests": tests,
        "extra_data": {"lab": result.lab, "seed": result.seed, "noticed": [clean(text) for text in result.grading.noticed]},
    }
    if result.grading.run is not None:
        content["execution_time"] = result.grading.run.seconds
    return content


def write_gradescope(folder: Path, output: Path) -> None:
    """Write OUTPUT/ID/results.json for every result in a folder; for a single one, OUTPUT itself if it ends in .json."""
    files = _files(folder)
    if output.suffix == ".json" and len(files) > 1:
        raise ExportError(f"{output} can hold one student, and {folder} has {len(files)}. Name a folder with --output.")
    for file in files:
        path = output if output.suffix == ".json" else output / file.stem / "results.json"
        content = json.dumps(gradescope_results(_read(file)), indent=1, allow_nan=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, content + "\n")


# Canvas


def fill_canvas(results: Iterable[Result], into: Path, output: Path, column: str = "") -> list[str]:
    """Fill one assignment's column of a gradebook that was exported from Canvas; return what the instructor should know.

    Students are found by any id that Canvas writes. Points are scaled to Canvas's "Points Possible". Excused students and
    those who do not have the assignment keep their EX and N/A. All else stays as it was, byte for byte. Without `column`,
    the one that bears the lab's name is taken. Source: Canvas's guide, "How do I import grades in the Gradebook?", and its
    importer. Raises ExportError.
    """
    table = _Table.read(into, output)
    top = table.find_header({"id"}, into, "a gradebook exported from Canvas (columns Student, ID, …)")
    first, results = _peek(results)
    header = table.values(top)
    wanted = _canvas_column(header, column, first.lab, into)
    full, start = "", top + 1
    for row in range(top + 1, min(top + 4, len(table.rows))):
        if "Points Possible" in table.value(row, 0):
            full, start = table.value(row, wanted), row + 1
    if re.search(r"read\s+only", full):
        raise ExportError(f"Canvas does not take grades for {header[wanted]!r}, which is read-only. Name another --column.")
    columns = [index for index, name in enumerate(header) if name.strip() in _CANVAS_IDS]
    remarks: list[str] = []
    kept = []
    for result, row in _meet(results, table.rows_by_id(start, columns), into, remarks):
        if table.value(row, wanted).strip().upper() in ("EX", "N/A"):
            kept.append(result.student)
            continue
        table.put(row, wanted, _number(_scaled(result, full), decimal=full))
    if kept:
        remarks.append(f"Excused or without this assignment in Canvas, and left so: {_some(kept)}.")
    remarks += _scaling(first, full, "Points Possible")
    write_text(output, str(table))
    return remarks


def _canvas_column(header: list[str], column: str, lab: str, into: Path) -> int:
    """Find the assignment's column: the one that was named, or the one that bears the lab's name."""
    found = {index: match for index, name in enumerate(header) if (match := _ASSIGNMENT.fullmatch(name))}
    if column:
        chosen = [index for index, match in found.items() if column in (header[index], match["title"], match["id"])]
        problem = f"{into} has {'more than one' if chosen else 'no'} column {column!r}."
    else:
        names = _names_of(lab)
        chosen = [index for index, match in found.items() if _plain(match["title"]) in names]
        problem = f"{into} has {'more than one' if chosen else 'no'} column that is named like {lab}."
    if len(chosen) != 1:
        if not found:
            raise ExportError(f"{into} has no assignment. Create it in Canvas and export the gradebook again.")
        listed = ", ".join(repr(header[index]) for index in found)
        raise ExportError(f"{problem} Name it with --column; the assignments there are: {listed}.")
    return chosen[0]


# Moodle


def fill_moodle(results: Iterable[Result], into: Path, output: Path) -> list[str]:
    """Fill the grades and comments of a grading worksheet from Moodle; return what the instructor should know.

    Students are found by the participant's number or any other id in the worksheet. Points are scaled to Moodle's maximum
    grade. All else stays as it was, byte for byte. Source: Moodle's documentation, "Offline grading worksheet", and its
    importer. Raises ExportError.
    """
    table = _Table.read(into, output)
    what = "a grading worksheet from Moodle (columns Identifier, Grade, …; set Moodle's language to English to download it)"
    top = table.find_header({"identifier", "grade"}, into, what)
    header = [name.strip().casefold() for name in table.values(top)]
    if "scale" in header:
        raise ExportError(f"{into} belongs to an assignment that is graded with a scale. Set its grade type to points.")
    place = {name: index for index, name in enumerate(header)}
    rows = table.rows_by_id(top + 1, [place[name] for name in _MOODLE_IDS if name in place])
    for row in range(top + 1, len(table.rows)):  # "Participant 1234" is 1234 in the names of the downloaded files
        if number := table.value(row, place["identifier"]).rpartition(" ")[2]:
            rows.setdefault(number.casefold(), set()).add(row)
    remarks: list[str] = []
    locked: list[str] = []
    scaling: list[str] = []
    for result, row in _meet(results, rows, into, remarks):
        if table.value(row, place.get("grade can be changed")).strip().casefold() == "no":
            locked.append(result.student)
            continue
        full = table.value(row, place.get("maximum grade"))
        table.put(row, place["grade"], _number(min(_scaled(result, full), _parsed(full) or math.inf), decimal=full))
        if "feedback comments" in place:
            table.put(row, place["feedback comments"], feedback_html(result))
        scaling = scaling or _scaling(result, full, "maximum grade")
    if locked:
        remarks.append(f"Moodle does not let these grades be changed, so they were left alone: {_some(locked)}.")
    if "feedback comments" not in place:
        remarks.append("No feedback: switch on 'Feedback comments' in the assignment's settings and download it again.")
    write_text(output, str(table))
    return remarks + scaling


def write_moodle(results: Iterable[Result], output: Path) -> list[str]:
    """Write a grading worksheet for Moodle from the results alone; return what the instructor should know.

    "Last modified (grade)" is there because Moodle refuses a worksheet without it. It is empty, so grades that Moodle has
    already are only replaced if "Allow updating records that have been modified more recently" is ticked on the upload.
    """
    strange: list[str] = []

    def rows() -> Iterator[tuple[str | float, ...]]:
        for result in results:
            numbered = result.student.isascii() and result.student.isdigit()
            if not (numbered or re.fullmatch(r"Participant \d+", result.student)):
                strange.append(result.student)
            identifier = f"Participant {result.student}" if numbered else result.student
            grade = _within(result.points, result.out_of)  # Moodle leaves out, in silence, what is above the maximum
            yield identifier, clean(result.name), grade, float(result.out_of), "", feedback_html(result)

    write_csv(output, MOODLE_COLUMNS, rows())
    if not strange:
        return []
    return [f"Moodle knows participants by number; these ids are none: {_some(strange)}. Fill its worksheet with --into."]


def feedback_html(result: Result) -> str:
    """Return all feedback for a student as HTML that may also stand in a spreadsheet's cell.

    What a student may have written is escaped, and with it the characters that begin a formula: safe_cell, which would put
    apostrophes into the text, finds nothing to change.
    """
    parts = [f"<p>{escape(clean(line))}</p>" for line in _summary(result)]
    for report in result.grading.reports:
        words = _override(result, report)
        parts.append(as_html(_cleaned(report)) + (f"<p>{escape(words)}</p>" if words else ""))
    pieces = re.split(r"(<[^>]*>)", "".join(parts))  # text and tags in turn; the tags are ours
    return "".join(piece if tag % 2 else _without_formulas(piece) for tag, piece in enumerate(pieces))


def _without_formulas(text: str) -> str:
    spaced = re.sub(r"[\t\n]+", " ", text)
    return "".join(f"&#{ord(sign)};" if normalize("NFKC", sign)[:1] in tuple("=+-@") else sign for sign in spaced)


# nbgrader


def write_nbgrader(results: Iterable[Result], output: Path) -> None:
    """Write the table that `nbgrader export` writes.

    Source: nbgrader's CsvExportPlugin. The duedate, timestamp and email columns are empty: the results do not know them.
    """

    def rows() -> Iterator[tuple[str | float, ...]]:
        for result in results:
            last, first = _last_and_first(clean(result.name))
            points = float(result.points)
            yield result.lab, "", "", result.student, last, first, "", points, 0.0, max(0.0, points), float(result.out_of)

    write_csv(output, NBGRADER_COLUMNS, rows())


def _last_and_first(name: str) -> tuple[str, str]:
    last, comma, first = name.partition(",")
    if not comma:
        first, _, last = name.rpartition(" ")
    return last.strip(), first.strip()


# JUnit


def write_junit(results: Iterable[Result], output: Path) -> None:
    """Write JUnit's XML: a test suite a student, a test case an exercise.

    Wrong and missing exercises are failures; errors and timeouts errors; what is not attempted or waits for another exercise
    is skipped. Source: the schema "junit-10.xsd" of Jenkins' xUnit plugin.
    """
    first, results = _peek(results)
    suites = (ElementTree.tostring(_suite(result), encoding="unicode") for result in results)
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={quoteattr(clean(first.lab))}>\n'
    write_text(output, head + "\n".join(suites) + "\n</testsuites>\n")


def _suite(result: Result) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=clean(result.student))
    properties = ElementTree.SubElement(suite, "properties")
    for name, points in (("points", result.points), ("out_of", result.out_of)):
        ElementTree.SubElement(properties, "property", name=name, value=f"{points:g}")
    counts = dict.fromkeys(("tests", "failure", "error", "skipped"), 0)

    def add(name: str, element: str, kind: str, message: str, text: str) -> None:
        case = ElementTree.SubElement(suite, "testcase", name=clean(name), classname=clean(result.lab))
        counts["tests"] += 1
        if element:
            counts[element] += 1
            ElementTree.SubElement(case, element, type=kind, message=message).text = text

    if result.grading.status != GRADED:
        status = result.grading.status
        add("submission", "error", status, clean(result.grading.reason) or status, "\n".join(_summary(result)))
    for report in result.grading.reports:
        verdict = _verdict(result, report)
        add(report.exercise, _ELEMENTS.get(verdict, "failure"), verdict, _gist(result, report), _text(result, report))
    for attribute, name in {"tests": "tests", "failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        suite.set(attribute, str(counts[name]))
    return suite


# What is said of a result


def clean(text: str) -> str:
    """Return a text without the colours of terminals, control characters and what XML 1.0 does not allow."""
    return _UNREADABLE.sub("", _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def _summary(result: Result) -> list[str]:
    """Say in a few lines what came of a submission as a whole."""
    grading = result.grading
    lines = [f"{result.points:g} of {result.out_of:g} points in {result.lab}."]
    if grading.status != GRADED:
        lines.append(f"This submission {grading.status}: {grading.reason}")
    lines += result.remarks
    if grading.run is not None and not grading.run.finished:
        lines.append(f"Run from top to bottom, the notebook stops: {grading.run.message}")
    if grading.sandbox:
        lines.append(f"Graded in a sandbox of the level: {grading.sandbox}.")
    return [clean(line) for line in lines]


def _cleaned(report: Report) -> Report:
    parts = tuple(replace(part, about=clean(part.about), problem=clean(part.problem)) for part in report.parts)
    return replace(report, parts=parts, cause=clean(report.cause), message=clean(report.message))


def _text(result: Result, report: Report) -> str:
    words = _override(result, report)
    return as_text(_cleaned(report)) + (f"\n{words}" if words else "")


def _gist(result: Result, report: Report) -> str:
    """Say in one sentence what came of an exercise."""
    problem = next((part.problem for part in report.parts if part.problem), "")
    return _override(result, report) or clean(report.cause or report.message or problem) or report.verdict


def _override(result: Result, report: Report) -> str:
    """Say what mark the instructor gave instead; "" if none."""
    override = result.overrides.get(report.exercise)
    if override is None:
        return ""
    return clean(f"Your instructor gave {override.points:g} of {report.out_of:g} points. {override.words}".rstrip())


def _verdict(result: Result, report: Report) -> str:
    """Return an exercise's verdict, with the instructor's mark above the grader's."""
    override = result.overrides.get(report.exercise)
    if override is None:
        return report.verdict
    return RIGHT if override.points >= report.out_of else WRONG


# Points


def _within(points: float, full: float) -> float:
    return float(min(max(points, 0.0), full))


def _parsed(cell: str) -> float:
    """Read a number of Canvas or Moodle, whose decimal sign may be a comma; 0 if it is none."""
    try:
        number = float(cell.strip().replace(",", "."))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _scaled(result: Result, full: str) -> float:
    """Return a result's points, scaled to what a cell says is the full number."""
    if _parsed(full) > 0 and result.out_of > 0:
        return max(0.0, result.points) * _parsed(full) / result.out_of
    return max(0.0, result.points)


def _scaling(result: Result, full: str, name: str) -> list[str]:
    if _parsed(full) <= 0:
        return [f"{name} is not a number above 0 there ({full!r}); points were written as they are."]
    if _parsed(full) != result.out_of:
        return [f"{name} is {_parsed(full):g} and the lab has {result.out_of:g} points: points were scaled."]
    return []


def _number(points: float, decimal: str) -> str:
    """Write points with two digits after the decimal sign at most, and that sign as a neighbouring number has it."""
    text = f"{points:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if "," in decimal else text


# Files


def _files(folder: Path) -> list[Path]:
    files = sorted((folder / "results").glob("*.json"))
    if not files:
        raise ExportError(f"{folder} has no results/ID.json. Give the folder that `course grade --out` wrote.")
    return files


def _read(path: Path) -> Result:
    try:
        result = from_json(path.read_text(encoding="utf-8"))
        json.dumps(asdict(result), allow_nan=False)  # no program takes points that are not numbers
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ExportError(f"{path} is not a result that `course grade` wrote ({reason}). Grade again.") from None
    return result


def _peek(results: Iterable[Result]) -> tuple[Result, Iterator[Result]]:
    """Return the first result, and all of them."""
    rest = iter(results)
    for first in rest:
        return first, chain([first], rest)
    raise ExportError("There are no results to export. Grade first.")


def _names_of(lab: str) -> set[str]:
    """List what an instructor may have called a lab: its name, its title, and the title up to the colon."""
    from course.labs import lab_source, lab_title  # loads torch, which no other export needs

    try:
        title = lab_title(lab_source(lab))
    except ValueError:
        title = lab
    return {_plain(lab), _plain(title), _plain(title.partition(":")[0])}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def _some(names: list[str]) -> str:
    shown = ", ".join(clean(name) for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _meet(
    results: Iterable[Result], rows: dict[str, set[int]], into: Path, remarks: list[str]
) -> Iterator[tuple[Result, int]]:
    """Yield each result with the row of its student, and remark on those that do not meet."""
    unknown, doubtful, zero = [], [], []
    taken: dict[int, str] = {}
    for result in results:
        found = rows.get(result.student.strip().casefold(), set())
        if not found:
            unknown.append(result.student)
        elif len(found) > 1:
            doubtful.append(result.student)
        else:
            (row,) = found
            if row in taken:
                raise ExportError(f"{taken[row]} and {result.student} are the same student in {into}. Grade one of them.")
            taken[row] = result.student
            if result.grading.status != GRADED:
                zero.append(result.student)
            yield result, row
    if not taken:
        some = _some(unknown + doubtful)
        raise ExportError(
            f"No graded student is in {into}; their ids are {some}. Name the export of this course with --into."
        )
    if unknown:
        remarks.append(f"Not in {into.name}, and left out: {_some(unknown)}.")
    if doubtful:
        remarks.append(f"The id of more than one student in {into.name}, and left out: {_some(doubtful)}.")
    if zero:
        remarks.append(f"Could not be graded, look before you upload their points: {_some(zero)}.")
    left = len(set().union(*rows.values()) - set(taken))
    if left:
        remarks.append(f"{left} student{'s' if left > 1 else ''} in {into.name} without a result stay as they were.")


@dataclass
class _Table:
    """Someone else's CSV as it was written: cells with their quotation marks, lines with their endings.

    The cells that are only passed on are not made safe for spreadsheets: Canvas and Moodle know their students and columns
    by these very bytes, and the file came from there, not from a student.
    """

    mark: str  # the byte order mark, if there is one
    delimiter: str
    rows: list[list[str]]
    endings: list[str]

    @classmethod
    def read(cls, path: Path, output: Path) -> "_Table":
        try:
            if output.exists() and output.samefile(path):
                raise ExportError(f"{path} is your own export and is not written to. Name another file with --output.")
            text = path.read_bytes().decode("utf-8")
        except OSError as error:
            raise ExportError(f"{path} cannot be read: {error.strerror or error}. Name your export with --into.") from None
        except UnicodeDecodeError:
            raise ExportError(f"{path} is not in UTF-8. Export it again and do not save it from a spreadsheet.") from None
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        first = text[len(mark) :].partition("\n")[0]
        delimiter = max(",;\t", key=lambda sign: len(_split(first, sign)[0][0]))
        return cls(mark, delimiter, *_split(text[len(mark) :], delimiter))

    def __str__(self) -> str:
        lines = (self.delimiter.join(row) + end for row, end in zip(self.rows, self.endings, strict=True))
        return self.mark + "".join(lines)

    def value(self, row: int, column: int | None) -> str:
        """Return what a cell says; "" if there is no such column, or if the row ends before it."""
        raw = self.rows[row][column] if column is not None and column < len(self.rows[row]) else ""
        quoted = len(raw) > 1 and raw[0] == raw[-1] == '"'
        return raw[1:-1].replace('""', '"') if quoted else raw

    def values(self, row: int) -> list[str]:
        return [self.value(row, column) for column in range(len(self.rows[row]))]

    def put(self, row: int, column: int, value: str) -> None:
        """Set a cell."""
        cells = self.rows[row]
        cells += [""] * (column + 1 - len(cells))
        special = any(sign in value for sign in (self.delimiter, '"', "\n", "\r"))
        cells[column] = '"' + value.replace('"', '""') + '"' if special else value

    def find_header(self, wanted: set[str], path: Path, what: str) -> int:
        """Return the first row, of three, that has the wanted columns."""
        for row in range(min(3, len(self.rows))):
            if wanted <= {name.strip().casefold() for name in self.values(row)}:
                return row
        raise ExportError(f"{path} is not {what}.")

    def rows_by_id(self, start: int, columns: Iterable[int]) -> dict[str, set[int]]:
        """Map every id in these columns to the rows that have it."""
        rows: dict[str, set[int]] = {}
        columns = list(columns)
        for row in range(start, len(self.rows)):
            for column in columns:
                if identifier := self.value(row, column).strip().casefold():
                    rows.setdefault(identifier, set()).add(row)
        return rows


def _split(text: str, delimiter: str) -> tuple[list[list[str]], list[str]]:
    """Split a CSV's text into rows of cells, quotation marks and all, and the endings of the lines."""
    sign = re.escape(delimiter)
    cell = re.compile(rf'("[^"]*(?:""[^"]*)*"(?=[{sign}\r\n]|\Z)|[^{sign}\r\n]*)([{sign}]|\r\n|\r|\n|\Z)')
    rows: list[list[str]] = [[]]
    endings = []
    for found in cell.finditer(text):
        rows[-1].append(found[1])
        if found[2] != delimiter:
            rows.append([])
            endings.append(found[2])
    return rows[:-1], endings
