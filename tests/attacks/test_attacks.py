"""Hostile notebooks, one a file in notebooks/: none earns a point, none is felt by the next one, each ends in time."""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from course.grading.grade import Grader
from course.grading.result import GRADED, grading_from_json, grading_to_json

from .conftest import BASE, MOST_MEMORY, OUT_OF, Attack, words_of

pytestmark = pytest.mark.slow  # together they take minutes

NAMES = sorted(path.stem for path in Path(__file__).parent.joinpath("notebooks").glob("[!_]*.py"))


def test_the_base_is_read_and_scores_nothing(grader: Grader) -> None:
    grading = grader.grade(BASE)
    assert grading.status == GRADED
    assert [report.verdict for report in grading.reports] == ["wrong"] * len(grading.reports)
    assert sum(report.points for report in grading.reports) == 0
    assert grading.noticed == ()


@pytest.mark.parametrize("name", NAMES)
def test_attack(name: str, grader: Grader, solution: Sequence[str], peak: Callable[[], int]) -> None:
    attack = Attack.read(name)
    began = time.monotonic()
    grading = grader.grade(attack.cells)
    took = time.monotonic() - began

    assert sum(report.points for report in grading.reports) == 0  # as the base, which is honestly wrong
    assert took < attack.seconds
    if not attack.noticed.startswith("-"):
        assert re.search(attack.noticed, words_of(grading))
    assert "BROKEN" not in words_of(grading)
    kept = grading_to_json(grading)
    assert grading_from_json(kept) == grading
    assert len(kept.encode()) < 1_000_000  # a store of ten thousand stays small; and it can be written in UTF-8
    assert all(0 <= value < 1 << 32 for prints in grading.fingerprints.values() for value in prints)
    assert peak() < MOST_MEMORY

    neighbour = grader.grade(solution)
    assert sum(report.points for report in neighbour.reports) == OUT_OF
    assert neighbour.noticed == ()


HARD_TO_READ = {
    "deep brackets": "x = " + "(" * 100_000 + ")" * 100_000,
    "deep signs": "def gaussian_kl(mu, logvar):\n    return " + "-" * 200_000 + "1",
    "long sum": "gaussian_kl = lambda mu, logvar: " + "+".join(["1"] * 100_000),
    "long chain": "gaussian_kl = lambda mu, logvar: mu" + ".a" * 100_000,
    "deep functions": "\n".join(" " * i + f"def gaussian_kl(mu{i}=1):" for i in range(95)) + "\n" + " " * 95 + "pass",
    "many definitions": "def gaussian_kl(mu, logvar): pass\n" * 40_000,
    "many names": "\n".join(f"x{i} = x{i + 1}" for i in range(60_000)) + "\ngaussian_kl = x0",
    "many letters": f"text = '{'é' * 900_000}'",
    "control characters": f"text = '{chr(1) * 1_900_000}'",
    "a huge number": "gaussian_kl = " + "9" * 1_000_000,
    "NUL": "gaussian_kl = '\0'",
}


@pytest.mark.parametrize("name", HARD_TO_READ)
def test_a_cell_that_is_hard_to_read(name: str, grader: Grader, solution: Sequence[str], peak: Callable[[], int]) -> None:
    began = time.monotonic()
    grading = grader.grade([*BASE, HARD_TO_READ[name]])
    assert time.monotonic() - began < 60
    assert sum(report.points for report in grading.reports) == 0
    assert len(grading_to_json(grading).encode()) < 1_000_000
    assert peak() < MOST_MEMORY
    neighbour = grader.grade(solution)
    assert sum(report.points for report in neighbour.reports) == OUT_OF


def test_there_are_enough_attacks_and_each_is_described() -> None:
    attacks = [Attack.read(name) for name in NAMES]
    assert len(attacks) >= 40
    assert all(re.compile(attack.noticed) and attack.about and attack.kind for attack in attacks)
