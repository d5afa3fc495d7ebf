"""One submission in a sandbox: what it defines is judged as in the notebook, and whatever it does it gets a verdict."""

import time
from typing import Any

import pytest

from course.checks.exercise import Lab
from course.checks.report import BLOCKED, ERROR, MISSING, NOT_ATTEMPTED, RIGHT, TIMEOUT, WRONG, Report
from course.grading.grade import Grader
from course.grading.result import CRASHED, GRADED, Grading
from course.grading.sandbox import Limits

pytestmark = pytest.mark.slow

SETUP = "import math\nimport time\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F"
REPARAMETERIZE = "def reparameterize(mu, logvar):\n    return mu + (logvar / 2).exp() * torch.randn_like(mu)"
KL = "def gaussian_kl(mu, logvar):\n    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(dim=1)"
NLL = (
    "def bernoulli_nll(logits, x):\n"
    "    return F.binary_cross_entropy_with_logits(logits, x, reduction='none').flatten(start_dim=1).sum(dim=1)"
)
ELBO = (
    "def negative_elbo(logits, x, mu, logvar, beta=1.0):\n"
    "    return (bernoulli_nll(logits, x) + beta * gaussian_kl(mu, logvar)).mean()"
)


def report(grading: Grading, name: str) -> Report:
    return next(report for report in grading.reports if report.exercise == name)


def verdict(grading: Grading, name: str) -> str:
    return report(grading, name).verdict


def test_what_is_not_there_is_missing_and_the_rest_counts(grade: Any) -> None:
    grading = grade([SETUP, REPARAMETERIZE, KL])
    assert [r.verdict for r in grading.reports[:3]] == [RIGHT, RIGHT, MISSING]
    assert verdict(grading, "VAE") == MISSING
    assert "Was it renamed or deleted?" in report(grading, "VAE").message
    assert sum(r.points for r in grading.reports) == 6


def test_one_mistake_costs_one_exercise_and_is_named(grade: Any) -> None:
    grading = grade([SETUP, KL.replace("dim=1", "dim=0"), NLL, ELBO])
    assert report(grading, "gaussian_kl").mistake == "sums_over_batch"
    assert "summed over the batch" in report(grading, "gaussian_kl").cause
    assert (verdict(grading, "bernoulli_nll"), verdict(grading, "negative_elbo")) == (RIGHT, RIGHT)


def test_parts_add_up(grade: Any) -> None:
    """The values are right, the gradient does not arrive: two of three points."""
    detached = REPARAMETERIZE.replace("(logvar / 2).exp()", "(logvar / 2).exp().detach()")
    found = report(grade([SETUP, detached]), "reparameterize")
    assert (found.verdict, found.points, found.out_of, found.mistake) == (WRONG, 2, 3, "detaches_std")


def test_a_helper_in_a_cell_of_its_own_and_a_constant_count_training_does_not(grade: Any) -> None:
    cells = [
        SETUP,
        "def half(x):\n    return FACTOR * x",
        "FACTOR = 1 / 2",
        "raise RuntimeError('training')",
        "for step in range(10**12): pass",
        "loss = train(models)",
        "!pip install something\n%matplotlib inline",
        "input('Which? ')",
        "exit()",
        "def gaussian_kl(mu, logvar):\n    return half((logvar.exp() + mu**2 - 1 - logvar).sum(dim=1))",
    ]
    grading = grade(cells)
    assert verdict(grading, "gaussian_kl") == RIGHT
    assert grading.noticed == ()


def test_a_cell_that_does_not_parse_costs_itself(grade: Any) -> None:
    grading = grade([SETUP, "# exercise: gaussian_kl\ndef gaussian_kl(mu, logvar:\n    return 0", REPARAMETERIZE])
    assert verdict(grading, "gaussian_kl") == ERROR
    assert "does not parse" in report(grading, "gaussian_kl").message
    assert verdict(grading, "reparameterize") == RIGHT


def test_the_last_definition_counts(grade: Any) -> None:
    grading = grade([SETUP, KL.replace("0.5", "3"), KL])
    assert verdict(grading, "gaussian_kl") == RIGHT


def test_an_unwritten_exercise_blocks_those_that_need_it_only_where_it_is_called(grade: Any, student: list[str]) -> None:
    calls_itself = "def gaussian_kl(mu, logvar):\n    return reparameterize(mu, logvar).sum(1)"
    grading = grade([*student, calls_itself])
    assert verdict(grading, "gaussian_kl") == BLOCKED
    assert verdict(grading, "reparameterize") == NOT_ATTEMPTED


@pytest.mark.parametrize(
    "source", ["from course.vae import gaussian_kl", "import course.vae\ngaussian_kl = course.vae.gaussian_kl"]
)
def test_the_courses_own_solution_is_withheld_by_name(grade: Any, source: str) -> None:
    found = report(grade([SETUP, source]), "gaussian_kl")
    assert (found.verdict, found.points) == (ERROR, 0)
    assert "It calls the course's own `gaussian_kl`" in str(found)


def test_a_method_that_borrows_is_withheld_too(grade: Any) -> None:
    found = report(grade([SETUP, "from course.vae import VAE as Theirs\nclass VAE(Theirs):\n    pass"]), "VAE")
    assert (found.verdict, found.points) == (ERROR, 0)
    assert "`VAE.forward`" in str(found)


def test_answers_to_questions(grade: Any) -> None:
    answers = {"answer_kl_sign": " C ", "answer_logvar": 3, "answer_holes": "a and b", "answer_equal_ranges": ""}
    grading = grade([f"{name} = {answer!r}" for name, answer in answers.items()])
    assert [verdict(grading, name) for name in answers] == [RIGHT, WRONG, WRONG, NOT_ATTEMPTED]
    assert "it is 3." in report(grading, "answer_logvar").message


def test_a_class_in_the_place_of_a_function_is_said(grade: Any) -> None:
    found = report(grade(["class gaussian_kl:\n    pass", "VAE = 3"]), "gaussian_kl")
    assert (found.verdict, found.points) == (ERROR, 0)
    assert "is a function" in found.message


# ---------------------------------------------------------------------------------------------------- it hangs, it dies


def test_a_loop_that_never_ends_costs_its_exercise(grade: Any) -> None:
    started = time.monotonic()
    grading = grade([SETUP, KL, "def reparameterize(mu, logvar):\n    while True:\n        pass", NLL])
    assert verdict(grading, "reparameterize") == TIMEOUT
    assert (verdict(grading, "gaussian_kl"), verdict(grading, "bernoulli_nll")) == (RIGHT, RIGHT)
    assert any("reparameterize: still running after 3 s" in text for text in grading.noticed)
    assert time.monotonic() - started < 30


def test_a_definition_that_hangs_is_named_and_the_others_count(grade: Any) -> None:
    grading = grade([SETUP, "def gaussian_kl(mu, logvar, wait=time.sleep(1000)):\n    return 0", REPARAMETERIZE])
    assert verdict(grading, "gaussian_kl") == ERROR
    assert "While its cell was run" in report(grading, "gaussian_kl").message
    assert verdict(grading, "reparameterize") == RIGHT


@pytest.mark.parametrize("death", ["import os; os._exit(0)", "import os; os.abort()", "import ctypes; ctypes.string_at(0)"])
def test_a_process_that_ends_costs_the_exercise_that_ended_it(grade: Any, death: str) -> None:
    grading = grade([SETUP, f"def reparameterize(mu, logvar):\n    {death}", KL])
    found = report(grading, "reparameterize")
    assert (grading.status, found.verdict, found.points) == (GRADED, ERROR, 0)
    assert "its process ended" in str(found)
    assert verdict(grading, "gaussian_kl") == RIGHT
    assert any("reparameterize: its process ended" in text for text in grading.noticed)


def test_a_definition_that_ends_the_process_is_named_and_the_others_count(grade: Any) -> None:
    grading = grade([SETUP, "import os\nanswer_logvar = os._exit(3)", KL])
    assert verdict(grading, "answer_logvar") == ERROR
    assert verdict(grading, "gaussian_kl") == RIGHT


def test_notebooks_that_end_every_process_are_given_up(grade: Any) -> None:
    cells = [f"def f{i}(x=__import__('os')._exit(1)): pass" for i in range(60)]
    grading = grade(cells)
    assert grading.status == CRASHED
    assert {r.verdict for r in grading.reports} == {ERROR}


def test_total_time_is_bounded(lab2: Lab, strongest: str) -> None:
    limits = Limits(timeout=0.5)
    with Grader(lab2, 1, strongest, limits) as grader:
        started = time.monotonic()
        grader.grade([SETUP, *(f"def f{i}(x=time.sleep(60)): pass" for i in range(50))])
        # Twice (shared, then alone) the exercises and a few statements, and the start of a sandbox.
        assert time.monotonic() - started < 2 * 0.5 * (len(lab2.entries) + 3) + 20


def test_a_sandbox_that_was_killed_is_replaced(lab2: Lab, strongest: str) -> None:
    with Grader(lab2, 1, strongest, only=("gaussian_kl",)) as grader:
        assert grader._shared is not None
        grader._shared._process.kill()
        grader._shared._process.wait()
        assert verdict(grader.grade([SETUP, KL]), "gaussian_kl") == RIGHT
        assert verdict(grader.grade([SETUP, KL]), "gaussian_kl") == RIGHT


def test_only_the_chosen_exercises_are_graded(lab2: Lab, strongest: str) -> None:
    with Grader(lab2, 1, strongest, only=("gaussian_kl",)) as grader:
        assert [r.exercise for r in grader.grade([SETUP, KL]).reports] == ["gaussian_kl"]


def test_one_submission_leaves_nothing_to_the_next(grade: Any) -> None:
    marked = [SETUP, "import builtins\nbuiltins.left = torch.left = 1\nclass gaussian_kl: pass", "x = math.left = 3"]
    grade([*marked, "import sys\nsys.modules['left'] = sys\n" + REPARAMETERIZE.replace("return", "torch.left = 1; return")])
    looks = (
        "def gaussian_kl(mu, logvar):\n    import builtins, sys\n"
        "    raise RuntimeError(str([hasattr(builtins, 'left'), hasattr(torch, 'left'), 'left' in sys.modules]))"
    )
    assert "[False, False, False]" in str(report(grade([SETUP, looks]), "gaussian_kl"))
