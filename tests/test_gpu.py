"""The same verdicts on a GPU as on the CPU."""

import pytest
import torch

from course.checks.cut import make_stub
from course.checks.diagnose import judge_object
from course.checks.exercise import Exercise
from course.checks.session import judge_entry
from course.labs import lab_names, load

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
EXERCISES = [
    pytest.param(entry, id=f"{lab}-{name}")
    for lab in lab_names()
    for name, entry in load(lab).entries.items()
    if isinstance(entry.item, Exercise)
]


@pytest.mark.parametrize("entry", EXERCISES)
def test_right_ways_and_mistakes_get_the_verdicts_they_get_on_a_cpu(entry):
    exercise = entry.item
    for candidate in (exercise.reference, *exercise.styles.values()):
        assert judge_object(exercise, candidate, seed=0, device="cuda").verdict == "right"
    for name, mistake in exercise.mistakes.items():
        assert judge_object(exercise, mistake.candidate, seed=0, device="cuda").mistake == name
    assert judge_entry(entry, make_stub(exercise.reference, exercise.methods)).verdict == "not attempted"
