"""What `course grade` shows in the terminal when it is done. Signs carry the verdicts; colour only repeats them."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from course.checks.render import SIGNS
from course.checks.report import ERROR, MISSING, RIGHT, TIMEOUT, WRONG
from course.grading.pages import ClassSummary, Row
from course.grading.result import GRADED

COLOURS = {RIGHT: "blue", WRONG: "dark_orange", ERROR: "dark_orange", TIMEOUT: "dark_orange", MISSING: "dark_orange"}
MOST_ROWS, MOST_MISTAKES, BAR = 30, 5, 16


def class_screen(summary: ClassSummary) -> RenderableType:
    """Return the class's table, and its most common mistakes."""
    parts: list[RenderableType] = [_class_table(summary), Text(_legend(summary), style="dim")]
    remarks = [(row.name or row.student, _remark(row)) for row in summary.rows if _remark(row)]
    if remarks:
        parts += ["", Text("To look at", style="italic")]
        parts += [_plain(f"  {who}: {remark}") for who, remark in remarks[:MOST_ROWS]]
        parts += [Text(f"  … {len(remarks) - MOST_ROWS} more in index.html")] if len(remarks) > MOST_ROWS else []
    if summary.mistakes:
        parts += ["", _mistakes_table(summary)]
    return Group(*parts)


def _class_table(summary: ClassSummary) -> Table:
    table = Table(title=summary.lab.title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("student", overflow="ellipsis", no_wrap=True, max_width=28)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("exercises", no_wrap=True)
    rows = sorted(summary.rows, key=lambda row: -row.points)
    for row in rows[:MOST_ROWS]:
        who = _plain(row.name or row.student)
        table.add_row(who, f"{row.points:g}", _bar(row, summary.out_of), _signs(row))
    if len(rows) > MOST_ROWS:
        table.add_row(f"… {len(rows) - MOST_ROWS} more", "", "", "in index.html and grades.csv")
    return table


def _bar(row: Row, out_of: float) -> Text:
    filled = round(BAR * row.points / out_of) if out_of else 0
    return Text("━" * filled, "blue") + Text("━" * (BAR - filled), "bright_black")


def _signs(row: Row) -> Text:
    return Text(" ").join(Text(SIGNS[mark.verdict], COLOURS.get(mark.verdict, "bright_black")) for mark in row.marks)


def _remark(row: Row) -> str:
    what = [f"{row.status}: {row.reason}"] if row.status != GRADED else []
    return "; ".join([*what, *row.noticed, *row.remarks])


def _legend(summary: ClassSummary) -> str:
    seen = {mark.verdict for row in summary.rows for mark in row.marks}
    return "   ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items() if verdict in seen)


def _mistakes_table(summary: ClassSummary) -> Table:
    table = Table(title="Most common mistakes", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("students", justify="right")
    table.add_column("exercise", no_wrap=True)
    table.add_column("what they are told", max_width=80)
    for number, exercise, sentence in _mistakes(summary):
        table.add_row(str(number), exercise, _plain(sentence.replace("`", "")))
    return table


def _mistakes(summary: ClassSummary) -> Iterator[tuple[int, str, str]]:
    for (exercise, name), number in summary.mistakes.most_common(MOST_MISTAKES):
        yield number, exercise, summary.sentences[exercise, name]


def _plain(text: str) -> Text:
    """Return a stranger's text as it may be shown in a terminal: no control characters, no mark-up."""
    return Text("".join(character if character.isprintable() else "?" for character in text))
