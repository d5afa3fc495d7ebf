"""The proof of the checks: a lab that is sound is found sound, and each way to be unsound is reported."""

from typing import Any

import pytest

from course.authoring.verify import Proof, verify, verify_labs
from course.labs import load


def proofs(tiny_lab: Any, seeds: int = 2) -> dict[str, Proof]:
    tiny_lab.write()
    return {proof.name: proof for proof in verify(load("tiny"), range(seeds))}


def test_a_sound_lab(tiny_lab: Any) -> None:
    found = proofs(tiny_lab)
    assert [proof.problems for proof in found.values()] == [()] * 4
    assert {name: (p.mistakes, p.styles, p.judgements) for name, p in found.items()} == {
        "double": (3, 1, 1 + 2 * 5),
        "total": (3, 1, 1 + 2 * 5),
        "Counter": (3, 1, 1 + 2 * 5),
        "answer_sum": (1, 1, 3),
    }


def test_processes_prove_the_same(tiny_lab: Any) -> None:
    tiny_lab.write()
    assert [proof for _, proof in verify_labs(["tiny"], range(2))] == list(verify(load("tiny"), range(2)))


STYLE = "@double_exercise.style\ndef by_sum(x):\n    return x + x\n"
SABOTAGES = [
    ("double", "    return x**2\n", "    return 2 * x\n", "seed 0: the mistake squares passes"),
    ("double", "    return x**2\n", "    return x / 2\n", "seed 1: the mistake halves is taken for squares"),
    (
        "double",
        "    return x**2\n",
        "    squares.n = getattr(squares, 'n', 5) + 1\n    return x * squares.n\n",
        "the mistake squares is taken for no known one",
    ),
    ("double", "    return x + x\n", "    return 3 * x\n", "seed 1: by_sum is not right"),
    ("double", "    return x + x\n", "    return x.add_(x)\n", "wrote into its input `x`"),
    ("double", '["Multiply."]', "[]", "has no hint"),
    ("double", STYLE, "", "needs at least 3 mistakes and 1 style"),
    ("total", '@total_exercise.mistake("The sign is wrong.")', "", "needs at least 3 mistakes"),
    (
        "double",
        'return {"result": candidate(x)}\n\n\n@probe(double',
        "return {}\n\n\n@probe(double",
        "the mistake squares passes",
    ),
    (
        "double",
        "torch.randn(b, d, generator=generator) + 3} for",
        "torch.full((b, d), 2.0)} for",
        "the mistake squares passes",
    ),
    ("answer_sum", '"b",\n    {', '"c",\n    {', "the right option c is none of the options"),
    (
        "answer_sum",
        "No: the sum of doubled values is not the sum of the values themselves.",
        "No.",
        "a has no reasoned feedback",
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "says"), SABOTAGES, ids=[sabotage[3][-35:] for sabotage in SABOTAGES])
def test_a_sabotaged_exercise_is_reported_and_the_others_are_not(
    tiny_lab: Any, name: str, old: str, new: str, says: str
) -> None:
    tiny_lab.change("checks.py", old, new)
    found = proofs(tiny_lab)
    assert says in "\n".join(found.pop(name).problems)
    assert all(proof.problems == () for proof in found.values())


def test_a_stub_that_is_taken_for_an_attempt_is_reported(tiny_lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from course.checks import session
    from course.checks.cut import Description

    monkeypatch.setattr(session, "describe", lambda *args: Description("function", "function", holds_todo=True))
    found = proofs(tiny_lab)
    assert "the untouched stub is 'error', not 'not attempted'" in found["double"].problems


@pytest.mark.slow
def test_lab2_is_sound_with_one_seed() -> None:
    from course.checks.exercise import Entry, Lab
    from course.labs.lab2_vae.checks import ITEMS

    lab = Lab("lab2", "Lab 2", {item.name: Entry(item, 1, 1, 1) for item in ITEMS})
    for proof in verify(lab, range(1)):
        assert proof.problems == (), proof.name
