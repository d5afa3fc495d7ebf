"""Show a report as plain text and as HTML. Signs and words carry the verdict; colour only repeats it."""

from collections.abc import Iterable, Iterator
from html import escape
from textwrap import fill

from course.checks.report import BLOCKED, ERROR, MISSING, NOT_ATTEMPTED, RIGHT, TIMEOUT, WRONG, Report

SIGNS = {RIGHT: "✓", WRONG: "✗", ERROR: "!", TIMEOUT: "⧖", BLOCKED: "◌", NOT_ATTEMPTED: "○", MISSING: "?"}
COLOURS = {RIGHT: "#0072b2", WRONG: "#b3400e", ERROR: "#b3400e", TIMEOUT: "#b3400e"}
HEADLINES = {
    RIGHT: "right",
    WRONG: "not right yet",
    ERROR: "stopped with an error",
    TIMEOUT: "did not finish",
    BLOCKED: "waits for another exercise",
    NOT_ATTEMPTED: "not attempted yet",
    MISSING: "not found",
}


def as_text(report: Report) -> str:
    """Render a report as plain text of at most 100 columns."""
    lines = [f"{SIGNS[report.verdict]} {report.exercise}: {HEADLINES[report.verdict]}{_points(report)}"]
    for line, problem in _part_lines(report):
        lines.append(_filled(line, 2))
        if problem:
            lines.append(_filled(problem, 6))
    lines.extend(_filled(f"{title}{text}", 2) for title, text in _remarks(report))
    return "\n".join(lines)


def as_html(report: Report) -> str:
    """Render a report as an HTML fragment; everything that a student may have written is escaped."""
    colour = COLOURS.get(report.verdict, "#555555")
    rows = [
        f'<div style="font-weight:600;color:{colour}">{SIGNS[report.verdict]} <code>{escape(report.exercise)}</code>: '
        f"{HEADLINES[report.verdict]}{_points(report)}</div>"
    ]
    for line, problem in _part_lines(report):
        rows.append(f"<div>{escape(line)}</div>")
        if problem:
            rows.append(f'<div style="margin-left:1.5em">{with_code(problem)}</div>')
    rows.extend(
        f'<div style="margin-top:.4em">{f"<b>{title}</b>" if title else ""}{with_code(text)}</div>'
        for title, text in _remarks(report)
    )
    return (
        f'<div role="status" style="border-left:4px solid {colour};padding:.4em .8em;margin:.2em 0;max-width:52em;'
        f'line-height:1.5">{"".join(rows)}</div>'
    )


def table_as_text(rows: Iterable[tuple[str, str, str]], total: str) -> str:
    """Render the progress table (name, verdict, points) as plain text."""
    lines = [f"{SIGNS[verdict]} {name:<28} {verdict:<14} {points:>9}" for name, verdict, points in rows]
    return "\n".join([*lines, f"  {total}"])


def table_as_html(rows: Iterable[tuple[str, str, str]], total: str) -> str:
    """Render the progress table (name, verdict, points) as an HTML fragment."""
    body = "".join(
        f'<tr><td style="text-align:left">{SIGNS[verdict]} <code>{escape(name)}</code></td>'
        f'<td style="text-align:left">{verdict}</td><td style="text-align:right">{points}</td></tr>'
        for name, verdict, points in rows
    )
    head = '<tr><th style="text-align:left">exercise</th><th style="text-align:left">verdict</th><th>points</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table><p><b>{escape(total)}</b></p>"


def with_code(text: str) -> str:
    """Escape a text for HTML and set what stands between backticks as code."""
    pieces = escape(text).split("`")
    if len(pieces) % 2 == 0:  # an odd backtick out: leave them all
        return escape(text)
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def _part_lines(report: Report) -> Iterator[tuple[str, str]]:
    """Yield a line and a problem for each part; a problem that has just been said is not said again."""
    if report.verdict == NOT_ATTEMPTED or (report.message and not any(part.problem for part in report.parts)):
        return
    said = ""
    for part in report.parts:
        if len(report.parts) > 1 or part.problem:
            yield f"{SIGNS[part.verdict]} {part.about}: {part.verdict}", "" if part.problem == said else part.problem
            said = part.problem or said


def _points(report: Report) -> str:
    if not report.out_of:
        return ""
    return f" ({round(report.points, 2):g} of {report.out_of:g} point{'' if report.out_of == 1 else 's'})"


def _remarks(report: Report) -> list[tuple[str, str]]:
    remarks = []
    if report.cause:
        remarks.append(("Likely cause: ", report.cause))
    if report.message:
        remarks.append(("", report.message))
    if report.parts and report.verdict in (WRONG, ERROR) and report.exercise.isidentifier() and not report.message:
        remarks.append(("", f"Stuck? hint({report.exercise.split('.')[0]}) gives a hint."))
    return remarks


def _filled(text: str, indent: int) -> str:
    return fill(text, 100, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))
