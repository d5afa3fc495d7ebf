"""The checks of image translation: what they know, and how often chance alone fails a right ImageBuffer."""

import math

import pytest
import torch
from scipy import stats

from course.checks.diagnose import judge_object
from course.checks.exercise import Exercise
from course.labs.lab5_translation import checks
from course.translation import ImageBuffer


def test_each_exercise_knows_many_mistakes_and_more_than_one_style() -> None:
    for item in checks.ITEMS:
        if isinstance(item, Exercise):
            assert len(item.mistakes) >= 5, item.name
            assert len(item.styles) >= 2, item.name


def test_a_right_buffer_fails_by_chance_less_than_once_in_a_million() -> None:
    """Shares of fair decisions: the standard error of the difference of two, and how many of them the tolerance is."""
    after_filling = checks.IMAGES - checks.SIZE
    swaps = after_filling / 2 - 6 * math.sqrt(after_filling / 4)  # hardly ever fewer
    errors = [math.sqrt(2 * 0.25 / after_filling)] * 2 + [math.sqrt(2 * 0.25 * 0.75 / swaps)] * checks.SIZE
    often = [math.sqrt(2 * 0.25 / checks.BUFFERS)] * 2
    tails = [checks.WITHIN[1] / error for error in errors] + [checks.WITHIN_AT_ONCE[1] / error for error in often]
    assert sum(2 * stats.norm.sf(tail) for tail in tails) < 1e-6


@pytest.mark.slow
def test_a_right_buffer_passes_with_every_seed() -> None:
    class Independent(ImageBuffer):
        """A right answer whose coins are not the reference's."""

        def exchange(self, images: torch.Tensor) -> torch.Tensor:
            torch.rand(7)
            return super().exchange(images)

    for seed in range(10):
        assert judge_object(checks.buffer_exercise, Independent, seed=7919 * seed).verdict == "right"
