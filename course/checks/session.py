"""What a student calls in a notebook: check, hint and progress, for the lab that the set-up cell names."""

import secrets
import sys
from functools import partial
from typing import Any

from course.checks.cut import describe, stub_of
from course.checks.diagnose import Key, ask_object, judge_answer, judge_described
from course.checks.exercise import Entry, Lab, Question
from course.checks.probing import unwrap
from course.checks.render import as_html, as_text, table_as_html, table_as_text
from course.checks.report import MISSING, NOT_ATTEMPTED, Report
from course.training import pick_device


class Session:
    """A student at work on one lab: the latest report on each exercise, and the hints given so far."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.reports: dict[str, Report] = {}
        self.hints_given: dict[str, int] = {}

    def report(self, candidate: Any, exercise: str | None = None) -> Report:
        """Judge a student's object; exercise names what it is meant to be, where its own name does not say so."""
        named = candidate if exercise is None else exercise
        name = exercise if isinstance(exercise, str) else _name_of(named)  # exercise=gaussian_kl is meant as its name
        entry = self.lab.entries.get(name)
        if entry is None:
            return Report(name or "check", MISSING, message=self._unknown(candidate, name))
        report = judge_entry(entry, candidate)
        self.reports[name] = report
        return report

    def next_hint(self, candidate: Any) -> str:
        """Return the next hint for an exercise, given by its object or by its name."""
        name = candidate if isinstance(candidate, str) and candidate in self.lab.entries else _name_of(candidate)
        entry = self.lab.entries.get(name)
        if entry is None:
            return self._unknown(candidate, name)
        hints = entry.item.hints
        if not hints:
            return f"There is no hint for {name}: read the options once more, one by one."
        given = self.hints_given.get(name, 0)
        self.hints_given[name] = min(given + 1, len(hints))
        if given >= len(hints):
            return f"That was the last hint for {name}. Once more: {hints[-1]}"
        return f"Hint {given + 1} of {len(hints)} for {name}: {hints[given]}"

    def progress_rows(self) -> tuple[list[tuple[str, str, str]], str]:
        """Return the rows (name, verdict, points) of the lab's progress table and its last line."""
        rows = []
        for name, entry in self.lab.entries.items():
            report = self.reports.get(name)
            points = report.points if report else 0.0
            rows.append((name, report.verdict if report else NOT_ATTEMPTED, f"{round(points, 2):g} of {entry.points}"))
        earned = round(sum(report.points for report in self.reports.values()), 2)
        return rows, f"{earned:g} of {sum(entry.points for entry in self.lab.entries.values())} points in {self.lab.title}"

    def _unknown(self, candidate: Any, name: str) -> str:
        names = ", ".join(self.lab.entries)
        if not callable(candidate) and not isinstance(candidate, str):
            kind = type(candidate).__name__
            return f"Give the function or class itself, without calling it; this is a {kind}. This lab has: {names}."
        return f"This lab has no exercise `{name}`. It has: {names}. Say which one with exercise='...'."


def judge_entry(entry: Entry, candidate: Any) -> Report:
    """Judge a student's object against one entry of a lab, on the GPU if there is one, with fresh seeds."""
    item = entry.item
    if isinstance(item, Question):
        return judge_answer(item, candidate, points=entry.points)
    device = pick_device()
    return judge_described(
        Key(item, secrets.randbelow(2**31), device),
        describe(candidate, stub_of(item.reference, item.methods), item.methods),
        partial(ask_object, candidate, device=device),
        points=entry.points,
    )


_session: Session | None = None


def open_session(lab: Lab) -> Session:
    """Make a lab the one that check, hint and progress speak of."""
    global _session  # one notebook, one lab: the one piece of state that check(f) needs to know where it is
    _session = Session(lab)
    return _session


def check(candidate: Any, exercise: str | None = None) -> Report:
    """Judge an exercise, show what was found, and return the report.

    candidate: the function, class or answer itself. exercise: its name in the lab, for lambdas, renamed or wrapped objects
    and answers to questions.
    """
    session = _current()
    if session is None:
        report = Report("check", MISSING, message=NO_LAB)
    else:
        report = session.report(candidate, exercise)
    _show(as_text(report), as_html(report))
    return report


def hint(candidate: Any) -> None:
    """Show the next hint for an exercise, given by its object or by its name."""
    session = _current()
    text = NO_LAB if session is None else session.next_hint(candidate)
    _show(text, None)


def progress() -> None:
    """Show the verdict on each exercise of the lab so far."""
    session = _current()
    if session is None:
        _show(NO_LAB, None)
        return
    rows, total = session.progress_rows()
    _show(table_as_text(rows, total), table_as_html(rows, total))


NO_LAB = "No lab is open. Run the set-up cell at the top of the notebook first."


def _current() -> Session | None:
    return _session


def _show(text: str, html: str | None) -> None:
    """Show HTML where a notebook can, and text elsewhere."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import display

        display({"text/plain": text, **({"text/html": html} if html else {})}, raw=True)
    else:
        sys.stdout.write(text + "\n")


def _name_of(candidate: Any) -> str:
    return str(getattr(unwrap(candidate), "__name__", "")) or type(candidate).__name__
