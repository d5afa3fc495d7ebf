"""What an exercise is: a reference, seeded cases, probes, known mistakes, accepted styles, staged hints."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

Case = dict[str, Any]  # what a probe gets besides the candidate: tensors, numbers and strings, nothing that runs
Cases = Callable[[torch.Generator], Iterable[Case]]
View = Callable[..., dict[str, Any]]
Tolerance = tuple[float, float]  # relative, absolute
AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])


@dataclass(frozen=True)
class Probe:
    """What is done with a student's object: `see(candidate, **case)` returns what was seen, name -> tensor or number.

    fakes: stand-ins for earlier exercises, put into the student's namespace while the probe runs, so that an earlier
    mistake costs nothing here.
    """

    see: Callable[..., dict[str, Any]]
    fakes: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def probe(**fakes: Callable[..., Any]) -> Callable[[Callable[..., dict[str, Any]]], Probe]:
    """Make a function a Probe; the keywords name the earlier exercises that it replaces."""
    return lambda see: Probe(see, fakes)


@dataclass(frozen=True)
class Part:
    """One thing that is judged, with its share of the exercise's points.

    about: completes "checks ...", for the student and for the rubric. view: turns what was seen into what is compared
    (statistics of random answers), where the judge is; by default it is compared as it is. tolerance: relative and absolute,
    for every name or by name.
    """

    name: str
    about: str
    probe: Probe
    cases: Cases
    view: View | None = None
    tolerance: Tolerance | Mapping[str, Tolerance] = (1e-4, 1e-5)
    weight: int = 1

    def tolerance_of(self, name: str) -> Tolerance:
        """Return the relative and the absolute tolerance for one named answer."""
        if isinstance(self.tolerance, Mapping):
            return self.tolerance.get(name, (1e-4, 1e-5))
        return self.tolerance


@dataclass(frozen=True)
class Mistake:
    """A wrong implementation that people really write, and the sentence that would have helped them."""

    name: str
    says: str
    candidate: Any


@dataclass
class Exercise:
    """A function or class that the student writes; methods names the ones to write, where it is a class.

    through: a style that calls earlier exercises, where the reference does not. It says what is expected of a candidate
    that calls their stand-ins.
    """

    reference: Any
    parts: Sequence[Part]
    hints: Sequence[str]
    methods: Sequence[str] = ()
    mistakes: dict[str, Mistake] = field(default_factory=dict)
    styles: dict[str, Any] = field(default_factory=dict)
    through: Any = None

    @property
    def name(self) -> str:
        """Return the name that the student defines."""
        return str(self.reference.__name__)

    def mistake(self, says: str) -> Callable[[AnyCallable], AnyCallable]:
        """Add a known mistake; decorates the wrong implementation."""

        def add(candidate: AnyCallable) -> AnyCallable:
            self.mistakes[candidate.__name__] = Mistake(candidate.__name__, says, candidate)
            return candidate

        return add

    def style(self, candidate: AnyCallable) -> AnyCallable:
        """Add another right way to write it; decorates the implementation."""
        self.styles[candidate.__name__] = candidate
        return candidate


@dataclass(frozen=True)
class Question:
    """A question with lettered options; feedback says for each option why it is right or wrong."""

    name: str
    right: str
    feedback: Mapping[str, str]
    hints: Sequence[str] = ()


@dataclass(frozen=True)
class Entry:
    """An exercise or question in its place in a lab."""

    item: Exercise | Question
    points: int
    minutes: int
    difficulty: int


@dataclass(frozen=True)
class Lab:
    """A lab: its name, its title and its entries, by name, in the order of the notebook.

    tolerance: relative and absolute, of the numbers that the cells marked NBVAL_CHECK_OUTPUT print.
    """

    name: str
    title: str
    entries: Mapping[str, Entry]
    tolerance: Tolerance = (0.0, 0.0)
