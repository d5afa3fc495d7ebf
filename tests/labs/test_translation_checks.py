"""The checks of image translation: every style passes, every mistake is named; and how often chance alone fails a buffer."""

import math

import pytest
import torch
from scipy import stats

from course.authoring.verify import verify
from course.checks.diagnose import judge_object
from course.checks.exercise import Entry, Exercise, Lab
from course.labs.lab5_translation import checks
from course.translation import ImageBuffer

EXERCISES = [item for item in checks.ITEMS if isinstance(item, Exercise)]
LAB = Lab("lab5_translation", "Lab 5", {item.name: Entry(item, 1, 1, 1) for item in EXERCISES})


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 20), marks=pytest.mark.slow)], ids=["1", "20"])
def test_the_checks_are_sound(seeds: range) -> None:
    for proof in verify(LAB, seeds):
        assert proof.problems == (), proof.name
        assert proof.mistakes >= 5
        assert proof.styles >= 2


def test_a_right_buffer_fails_by_chance_less_than_once_in_a_million() -> None:
    """Shares of fair decisions: the standard error of the difference of two, and how many of them the tolerance is."""
    after_filling = checks.IMAGES - checks.SIZE
    swaps = after_filling / 2 - 6 * math.sqrt(after_filling / 4)  # hardly ever fewer
    errors = [math.sqrt(2 * 0.25 / after_filling)] * 2 + [math.sqrt(2 * 0.25 * 0.75 / swaps)] * checks.SIZE
    often = [math.sqrt(2 * 0.25 / checks.BUFFERS)] * 2
    tails = [checks.WITHIN[1] / error for error in errors] + [checks.WITHIN_AT_ONCE[1] / error for error in often]
    assert sum(2 * stats.norm.sf(tail) for tail in tails) < 1e-6


def test_a_right_buffer_passes_with_every_seed() -> None:
    class Independent(ImageBuffer):
        """A right answer whose coins are not the reference's."""

        def exchange(self, images: torch.Tensor) -> torch.Tensor:
            torch.rand(7)
            return super().exchange(images)

    for seed in range(10):
        assert judge_object(checks.buffer_exercise, Independent, seed=7919 * seed).verdict == "right"
