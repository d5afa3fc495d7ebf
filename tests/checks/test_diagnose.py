"""Verdicts: one mistake costs one exercise, and each way to go wrong gets its own word."""

import importlib
import threading
import time
from typing import Any

import pytest
import torch

from course.checks.diagnose import Cases, Key, judge, judge_answer, judge_object
from course.checks.exercise import Entry, Exercise, Part, Question, probe
from course.checks.probing import Failure, Outcome
from course.checks.report import BLOCKED, ERROR, NOT_ATTEMPTED, RIGHT, TIMEOUT, WRONG, Report
from course.checks.session import judge_entry
from course.labs.lab2_vae import checks as lab2

IMPORTS = """
import torch
from torch import nn
from torch.nn import functional as F
"""
WRONG_EARLIER = """
def bernoulli_nll(logits, x):
    return logits.mean()

def gaussian_kl(mu, logvar):
    raise ValueError("broken")

def reparameterize(mu, logvar):
    return None

def negative_elbo(*args):
    return 0
"""
UNWRITTEN_EARLIER = """
def bernoulli_nll(logits, x):
    raise NotImplementedError("TODO bernoulli_nll")

def gaussian_kl(mu, logvar):
    raise NotImplementedError("TODO gaussian_kl")

def reparameterize(mu, logvar):
    raise NotImplementedError("TODO reparameterize")

def negative_elbo(*args):
    raise NotImplementedError("TODO negative_elbo")
"""
RIGHT_EARLIER = """
def bernoulli_nll(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3))

def gaussian_kl(mu, logvar):
    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1)
"""
ELBO = "def negative_elbo(logits, x, mu, logvar, beta=1.0):\n"
INLINE_NLL = "F.binary_cross_entropy_with_logits(logits, x, reduction='none').flatten(1).sum(1)"
INLINE_KL = "(-0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1))"
ELBOS = {
    "calls both": "bernoulli_nll(logits, x) + beta * gaussian_kl(mu, logvar)",
    "inlines both": f"{INLINE_NLL} + beta * {INLINE_KL}",
    "inlines one": f"{INLINE_NLL} + beta * gaussian_kl(mu, logvar)",
    "inlines the other": f"bernoulli_nll(logits, x) + beta * {INLINE_KL}",
}
SEED = 11


def judged(exercise: Exercise, candidate: Any) -> Report:
    return judge_object(exercise, candidate, seed=SEED, points=6)


@pytest.mark.parametrize("earlier", [WRONG_EARLIER, UNWRITTEN_EARLIER, RIGHT_EARLIER, ""])
@pytest.mark.parametrize("body", ELBOS.values(), ids=ELBOS)
def test_an_earlier_exercise_costs_nothing_later(notebook: Any, earlier: str, body: str) -> None:
    notebook.run(IMPORTS + earlier).run(f"{ELBO}    return ({body}).mean()")
    report = judged(lab2.elbo_exercise, notebook["negative_elbo"])
    assert report.verdict == RIGHT, report
    assert report.points == 6


@pytest.mark.parametrize("body", ELBOS.values(), ids=ELBOS)
def test_its_own_mistake_is_seen_whatever_it_calls(notebook: Any, body: str) -> None:
    notebook.run(IMPORTS + RIGHT_EARLIER).run(f"{ELBO}    return ({body}).sum()")
    report = judged(lab2.elbo_exercise, notebook["negative_elbo"])
    assert (report.verdict, report.mistake) == (WRONG, "sums_images")
    assert report.points == 0
    assert "sum" in report.cause


def test_a_stand_in_is_mentioned_where_one_was_called(notebook: Any) -> None:
    notebook.run(IMPORTS + f"{ELBO}    return (3 * bernoulli_nll(logits, x) + beta * gaussian_kl(mu, logvar)).mean()")
    problem = judged(lab2.elbo_exercise, notebook["negative_elbo"]).parts[0].problem
    assert "stand-in takes the place of your `bernoulli_nll`, `gaussian_kl`" in problem
    notebook.run(f"{ELBO}    return ({INLINE_NLL} + 3 * beta * {INLINE_KL}).mean()")
    assert "stand-in" not in judged(lab2.elbo_exercise, notebook["negative_elbo"]).parts[0].problem


def test_an_earlier_exercise_with_an_option_of_its_own_may_be_called_with_it(notebook: Any) -> None:
    notebook.run(
        IMPORTS
        + RIGHT_EARLIER
        + """
def gaussian_kl(mu, logvar, weight=1.0):
    return weight * 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1)

def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return (bernoulli_nll(logits, x) + gaussian_kl(mu, logvar, weight=beta)).mean()
"""
    )
    assert judged(lab2.elbo_exercise, notebook["negative_elbo"]).verdict == RIGHT
    notebook.run("def gaussian_kl(mu, logvar, weight=1.0):\n    return 0 * mu.sum(1)")
    assert judged(lab2.elbo_exercise, notebook["negative_elbo"]).verdict == ERROR


def test_a_training_step_that_mixes_calls_and_formulas(notebook: Any) -> None:
    notebook.run(
        IMPORTS
        + RIGHT_EARLIER
        + """
def train_step(model, x, optimizer, beta=1.0):
    logits, mu, logvar = model(x)
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1).mean()
    loss = nll + beta * gaussian_kl(mu, logvar).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "nll": bernoulli_nll(logits, x).mean().item(), "kl": gaussian_kl(mu, logvar).mean().item()}
"""
    )
    assert judged(lab2.step_exercise, notebook["train_step"]).verdict == RIGHT


def test_an_unwritten_exercise_blocks_one_that_needs_it(notebook: Any) -> None:
    notebook.run(IMPORTS + "def draw(mu):\n    raise NotImplementedError('TODO draw')")
    notebook.run("def gaussian_kl(mu, logvar):\n    return draw(mu)")
    report = judged(lab2.kl_exercise, notebook["gaussian_kl"])
    assert report.verdict == BLOCKED
    assert "`draw`, which is not written yet" in report.parts[0].problem
    assert report.points == 0


def test_a_stub_is_not_attempted(notebook: Any) -> None:
    notebook.run(IMPORTS + UNWRITTEN_EARLIER)
    assert judged(lab2.kl_exercise, notebook["gaussian_kl"]).verdict == NOT_ATTEMPTED


HALF_A_VAE = """
class VAE(nn.Module):
    def __init__(self, encoder, decoder, latent_dim):
        super().__init__()
        self.encoder, self.decoder, self.latent_dim = encoder, decoder, latent_dim

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=1)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(reparameterize(mu, logvar)), mu, logvar

    def sample(self, n):
        raise NotImplementedError("TODO VAE.sample")
"""


def test_one_method_of_two_earns_its_share(notebook: Any) -> None:
    notebook.run(IMPORTS + "def reparameterize(mu, logvar):\n    return mu + torch.randn_like(mu) * (logvar / 2).exp()")
    notebook.run(HALF_A_VAE)
    report = judge_entry(Entry(lab2.vae_exercise, 10, 5, 1), notebook["VAE"])
    assert {part.name: part.verdict for part in report.parts} == {
        "forward": RIGHT,
        "noise": RIGHT,
        "sample": NOT_ATTEMPTED,
    }
    assert report.verdict == WRONG
    assert (report.points, report.out_of) == (6, 10)
    assert (report.mistake, report.cause) == ("", "")


def test_two_mistakes_at_once_are_wrong_and_named_as_none_or_one_that_fits(notebook: Any) -> None:
    notebook.run(IMPORTS + "def gaussian_kl(mu, logvar):\n    return 0.5 * (logvar.exp() + mu**2 - logvar).sum(0)")
    report = judged(lab2.kl_exercise, notebook["gaussian_kl"])
    assert [part.verdict for part in report.parts] == [WRONG, RIGHT]
    assert report.points == 2
    assert "shape (5,), but it has (3,)" in report.parts[0].problem
    assert report.mistake == ""
    notebook.run("def gaussian_kl(mu, logvar):\n    return (logvar.exp() + mu**2 - logvar).sum(0)")
    report = judged(lab2.kl_exercise, notebook["gaussian_kl"])
    assert (report.verdict, report.points) == (WRONG, 0)
    assert report.mistake == "misses_the_half"  # what the gradient shows


def test_a_mistake_in_each_of_two_methods(notebook: Any) -> None:
    notebook.run(IMPORTS + "def reparameterize(mu, logvar):\n    return mu + torch.randn_like(mu) * (logvar / 2).exp()")
    notebook.run(
        HALF_A_VAE.replace("return self.decode(rep", "return self.decode(0 * rep").replace(
            'raise NotImplementedError("TODO VAE.sample")',
            "with torch.no_grad():\n            return torch.sigmoid(self.decode(torch.randn(n, self.latent_dim)))",
        )
    )
    report = judged(lab2.vae_exercise, notebook["VAE"])
    assert [part.verdict for part in report.parts] == [WRONG, WRONG, WRONG]
    assert report.mistake == "SamplesInTrainingMode"
    assert report.cause.endswith(f"(This explains only: {report.parts[2].about}.)")


@probe()
def call(candidate: Any, x: Any) -> dict[str, Any]:
    """Call it."""
    return {"y": candidate(x)}


def test_a_mistake_that_would_cost_more_than_was_wrong_is_not_named() -> None:
    def reference(x: Any) -> Any:
        return x

    def part(name: str, x: float) -> Part:
        return Part(name, name, call, lambda generator: [{"x": torch.tensor(x)}])

    exercise = Exercise(reference, [part("low", 1.0), part("high", 5.0)], [])
    exercise.mistake("You return zero.")(lambda x: 0 * x)
    assert judge_object(exercise, lambda x: x.clamp(max=0), seed=0).cause == "You return zero."
    report = judge_object(exercise, lambda x: x * (x < 3), seed=0)  # zero as well, where it is wrong
    assert [part.verdict for part in report.parts] == [RIGHT, WRONG]
    assert (report.mistake, report.cause) == ("", "")


def test_a_mistake_is_recognised_in_an_answer_that_does_without_what_it_could_call(tiny_lab: Any, notebook: Any) -> None:
    tiny_lab.write()
    checks = importlib.import_module("course.labs.tiny.checks")
    # It calls double, so the stand-in takes part; but what it makes of the input alone is the mistake that is known.
    notebook.run("def double(x): return 2 * x\ndef total(x):\n    double(x)\n    return -2 * x.sum()")
    report = judged(checks.total_exercise, notebook["total"])
    assert (report.verdict, report.mistake) == (WRONG, "negates")


def test_an_error_in_a_stand_in_names_the_students_line(tiny_lab: Any, notebook: Any) -> None:
    tiny_lab.write()
    checks = importlib.import_module("course.labs.tiny.checks")
    notebook.run("def double(x): return 2 * x\ndef total(x):\n    twice = double(None)\n    return twice.sum()")
    report = judged(checks.total_exercise, notebook["total"])
    assert report.verdict == ERROR
    assert "(line 2 of total: twice = double(None))" in report.parts[0].problem


@pytest.mark.parametrize("exercise", lab2.ITEMS[:8], ids=lambda exercise: exercise.name)
def test_nothing_but_the_name_is_enough_to_be_wrong(exercise: Exercise, notebook: Any) -> None:
    notebook.run("def f(*args, **kwargs):\n    pass\nclass C:\n    def __init__(self, *args): pass")
    candidate = notebook["C" if exercise.methods else "f"]
    report = judged(exercise, candidate)
    assert report.verdict in (WRONG, ERROR)
    assert report.points == 0


def test_a_missing_return_is_said(notebook: Any) -> None:
    notebook.run("def f(mu, logvar):\n    z = mu")
    for exercise in (lab2.reparameterize_exercise, lab2.kl_exercise):
        report = judged(exercise, notebook["f"])
        assert "None (is there a `return`?)" in report.parts[0].problem


@pytest.mark.parametrize("shape", ["z[:, :1]", "z[None]", "z[..., None]", "z.T"])
def test_a_wrong_shape_is_said_where_noise_is_judged(notebook: Any, shape: str) -> None:
    notebook.run(IMPORTS + f"def f(mu, logvar):\n    z = mu + (logvar / 2).exp() * torch.randn_like(mu)\n    return {shape}")
    report = judged(lab2.reparameterize_exercise, notebook["f"])
    assert report.verdict == WRONG
    assert "z should have shape (16384, 3), but it has (" in report.parts[0].problem


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("return torch.full_like(mu[:, 0], float('nan'))", "NaN"),
        ("return [1.0]", "list"),
        ("return 1.0", "a Python number"),
        ("mu += 1; return mu.sum(1)", "wrote into its input `mu`"),
        ("return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1, keepdim=True)", "shape (5,), but it has (5, 1)"),
    ],
)
def test_what_the_problem_says(notebook: Any, source: str, kind: str) -> None:
    notebook.run(IMPORTS + f"def f(mu, logvar):\n    {source}")
    report = judged(lab2.kl_exercise, notebook["f"])
    assert report.parts[0].verdict == WRONG
    assert kind in report.parts[0].problem


def test_an_error_is_told_with_the_students_line(notebook: Any) -> None:
    notebook.run("def f(mu, logvar):\n    y = 1\n    return mu + y @ logvar")
    report = judged(lab2.kl_exercise, notebook["f"])
    assert report.verdict == ERROR
    assert "line 3 of f: return mu + y @ logvar" in report.parts[0].problem


def test_an_error_in_a_later_case_is_an_error(notebook: Any) -> None:
    notebook.run("def f(mu, logvar):\n    assert len(mu) > 4\n    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1)")
    report = judged(lab2.kl_exercise, notebook["f"])
    assert report.parts[0].verdict == ERROR
    assert "AssertionError" in report.parts[0].problem


def test_an_interrupt_by_the_candidate_is_a_timeout_and_ends_the_check(notebook: Any) -> None:
    notebook.run(
        "import signal\ncalls = []\ndef f(mu, logvar):\n    calls.append(1)\n    signal.raise_signal(signal.SIGINT)"
    )
    report = judged(lab2.kl_exercise, notebook["f"])
    assert report.verdict == TIMEOUT
    assert len(report.parts) == 1
    assert "still running after 0 s, then stopped" in report.parts[0].problem
    assert len(notebook["calls"]) == 1


def test_an_endless_loop_can_be_stopped(notebook: Any) -> None:
    notebook.run("def f(mu, logvar):\n    while True:\n        pass")
    import _thread

    stop = threading.Timer(0.3, _thread.interrupt_main)
    stop.start()
    started = time.monotonic()
    report = judged(lab2.kl_exercise, notebook["f"])
    stop.join()
    assert report.verdict == TIMEOUT
    assert time.monotonic() - started < 5


def test_an_interrupt_that_hits_the_reference_is_no_verdict() -> None:
    def reference(x: Any) -> Any:
        raise KeyboardInterrupt

    exercise = Exercise(reference, [Part("value", "the value", call, lambda generator: [{"x": 1.0}])], [])
    with pytest.raises(KeyboardInterrupt):
        judge_object(exercise, lambda x: x, seed=0)


def test_a_reference_that_fails_is_never_a_right_answer() -> None:
    def reference(x: Any) -> Any:
        raise ValueError("the course's own fault")

    exercise = Exercise(reference, [Part("value", "the value", call, lambda generator: [{"x": 1.0}])], [])
    with pytest.raises(RuntimeError, match="the reference of reference fails: the course's own fault"):
        judge_object(exercise, lambda x: x, seed=0)


def test_points_follow_the_weights_of_the_parts() -> None:
    def reference(x: Any) -> Any:
        return x

    @probe()
    def call(candidate: Any, x: Any, k: float) -> dict[str, Any]:
        return {"y": candidate(x) * k}

    def part(name: str, x: float, weight: int) -> Part:
        return Part(name, name, call, lambda generator: [{"x": torch.tensor(x), "k": 1.0}], weight=weight)

    exercise = Exercise(reference, [part("low", 1.0, 1), part("high", 5.0, 3)], [])
    report = judge_object(exercise, lambda x: x.clamp(max=2), seed=0, points=8)
    assert [(p.verdict, p.points, p.out_of) for p in report.parts] == [(RIGHT, 2, 2), (WRONG, 0, 6)]
    assert (report.verdict, report.points, report.out_of) == (WRONG, 2, 8)


def test_a_judge_needs_only_answers() -> None:
    """The candidate may live elsewhere: the judge asks, with the case, a seed, and whether fakes stand in."""
    asked = []

    def ask(part: Part, cases: Cases, with_fakes: bool) -> list[Outcome]:
        outcomes = []
        for seed, case in cases:
            asked.append((part.name, seed, with_fakes))
            mu, logvar = case["mu"], case["logvar"]
            kl = {"KL": 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1)}
            gradient = {"gradient_of_mu": mu, "gradient_of_logvar": 0.5 * (logvar.exp() - 1)}
            outcomes.append(Outcome(gradient if part.name == "gradient" else kl))
        return outcomes

    report = judge(Key(lab2.kl_exercise, 100), ask, points=3)
    assert report.verdict == RIGHT
    assert [name for name, _, _ in asked] == ["value"] * 5 + ["gradient"] * 4
    assert all(with_fakes for _, _, with_fakes in asked)
    seeds = [seed for _, seed, _ in asked]
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & set(range(90, 120)), "the seed of the cases must not be told"

    def forge(part: Part, cases: Cases, with_fakes: bool) -> list[Outcome]:
        return [Outcome(failure=Failure("error", "Nothing", "at all"))]

    assert judge(Key(lab2.kl_exercise, 100), forge).verdict == ERROR

    def leave_out(part: Part, cases: Cases, with_fakes: bool) -> list[Outcome]:
        return ask(part, cases[:-1], with_fakes)

    with pytest.raises(AssertionError, match="a case without an answer"):
        judge(Key(lab2.kl_exercise, 100), leave_out)


def test_seeds_change_the_cases() -> None:
    one, same, other = (
        [case["mu"] for case in lab2.kl_exercise.parts[0].cases(torch.Generator().manual_seed(seed))] for seed in (1, 1, 2)
    )
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))


QUESTION = Question("answer_sign", "b", {"a": "No, because of a.", "b": "Yes, because of b."})


@pytest.mark.parametrize(
    ("answer", "verdict", "points", "words"),
    [
        ("b", RIGHT, 2, "Yes, because of b."),
        (" B ", RIGHT, 2, "Yes, because of b."),
        ("a", WRONG, 0, "No, because of a."),
        ("", NOT_ATTEMPTED, 0, ""),
        ("  ", NOT_ATTEMPTED, 0, ""),
        ("c", WRONG, 0, 'one of the letters "a", "b"; it is \'c\''),
        ("both", WRONG, 0, "one of the letters"),
        (None, WRONG, 0, "it is None"),
        (2, WRONG, 0, "it is 2"),
        (["b"], WRONG, 0, "it is ['b']"),
        ("x" * 1000, WRONG, 0, "one of the letters"),
    ],
)
def test_answers_to_a_question(answer: Any, verdict: str, points: float, words: str) -> None:
    report = judge_answer(QUESTION, answer, points=2)
    assert (report.verdict, report.points, report.out_of) == (verdict, points, 2)
    assert words in report.message
    assert len(report.message) < 200
