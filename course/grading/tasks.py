"""What grades one submission wherever it is run: in a process of this machine, or on a cluster's worker."""

import threading
from dataclasses import dataclass, replace

from course.grading.grade import Grader, crashed
from course.grading.rerun import Whole, run_whole
from course.grading.result import Grading, grading_to_json
from course.grading.sandbox import DEFAULT, Limits, SandboxError, choose_level
from course.labs import load


@dataclass(frozen=True)
class Settings:
    """All on which a grading depends besides the submission. only: the exercises to grade, or none for all."""

    lab: str
    seed: int
    level: str = "auto"
    limits: Limits = DEFAULT
    only: tuple[str, ...] = ()
    whole: Whole | None = None  # to run the whole notebook as well


_mine = threading.local()  # one warm grader for each thread that grades: starting one takes seconds


def grade(settings: Settings, cells: tuple[str, ...]) -> str:
    """Grade a submission; return the grading as JSON. Raises SandboxError if there is no sandbox to be had."""
    return grading_to_json(_grade(settings, cells))


def warm_up(settings: Settings) -> None:
    """Start this thread's sandbox, so that the first submission need not wait. Raises SandboxError."""
    if getattr(_mine, "settings", None) != settings:
        if getattr(_mine, "grader", None):
            _mine.grader.close()
        _mine.grader = None  # as long as none can be started
        lab = load(settings.lab)
        level = choose_level(settings.level, lab)
        _mine.grader = Grader(lab, settings.seed, level, settings.limits, only=settings.only, slot=threading.get_native_id())
        _mine.settings = settings


def _grade(settings: Settings, cells: tuple[str, ...]) -> Grading:
    warm_up(settings)
    grader: Grader = _mine.grader
    try:
        grading = grader.grade(cells)
        if settings.whole:
            run = run_whole(grader.lab, cells, settings.whole, grader.level, slot=threading.get_native_id())
            grading = replace(grading, run=run)
        return grading
    except SandboxError:
        raise
    except Exception as error:  # our own fault, on an answer that nobody thought of: the class goes on
        return crashed(grader.entries, grader.level, f"The grader cannot judge it ({type(error).__name__}: {error:.200}).")
