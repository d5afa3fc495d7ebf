"""The verdict on one exercise, as data; render.py turns it into text and HTML."""

from dataclasses import dataclass

RIGHT, WRONG, ERROR, TIMEOUT = "right", "wrong", "error", "timeout"
BLOCKED, NOT_ATTEMPTED, MISSING = "blocked", "not attempted", "missing"


@dataclass(frozen=True)
class PartReport:
    """The verdict on one part: what was looked at, and in words what was wrong."""

    name: str
    about: str
    verdict: str
    problem: str = ""
    points: float = 0.0
    out_of: float = 0.0


@dataclass(frozen=True)
class Report:
    """The verdict on one exercise, the likely cause if one is known, and what to do next."""

    exercise: str
    verdict: str
    parts: tuple[PartReport, ...] = ()
    cause: str = ""  # the sentence of the mistake that was recognised
    mistake: str = ""  # its name
    message: str = ""
    out_of: float = 0.0

    @property
    def points(self) -> float:
        """Return the points earned."""
        return sum(part.points for part in self.parts)

    def _ipython_display_(self) -> None:
        """Show nothing: check() has shown the report already, and a notebook would show its last value again."""

    def __str__(self) -> str:
        from course.checks.render import as_text

        return as_text(self)
