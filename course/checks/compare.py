"""Compare what came with what was expected: data with data, and nothing else. Says in words where they part."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from course.checks.exercise import Case, Part, Tolerance
from course.checks.probing import Answer, Other, Outcome

SHOWN = 6  # so many numbers of a tensor are shown


@dataclass(frozen=True)
class Difference:
    """Where an outcome parts from the expected one; kind is a word for machines, text a sentence for people."""

    kind: str  # "failure", "edited", "type", "shape", "dtype", "not finite" or "value"
    text: str
    name: str = ""


def first_difference(part: Part, got: Outcome, expected: Outcome, *, structure_only: bool = False) -> Difference | None:
    """Return the first thing in which an outcome differs from the expected one, or None if it agrees.

    structure_only: leave the values out, and compare types, shapes and dtypes.
    """
    if got.failure:
        return Difference("failure", f"{got.failure.name}: {got.failure.message}")
    if got.edited:
        return Difference(
            "edited",
            f"Your code wrote into its input `{got.edited[0]}`. The caller still needs it: work on a copy (.clone()), and "
            "use no in-place operation (+=, x[...] =, names that end in _) on an input.",
            got.edited[0],
        )
    for name, wanted in expected.answers.items():
        tolerance = None if structure_only else part.tolerance_of(name)
        difference = _difference(name, got.answers.get(name, Other("nothing", "")), wanted, tolerance)
        if difference:
            return difference
    return None


def agree(part: Part, one: Outcome, other: Outcome) -> bool:
    """Say whether two outcomes are the same within the part's tolerance: the same answers, edits or failure."""
    if one.failure or other.failure:
        return one.failure is not None and other.failure is not None and _gist(one) == _gist(other)
    return one.edited == other.edited and all(
        name in one.answers and _difference(name, one.answers[name], answer, part.tolerance_of(name)) is None
        for name, answer in other.answers.items()
    )


def viewed(part: Part, outcome: Outcome, case: Case) -> Outcome:
    """Return the outcome as the part compares it: the statistics of its answers, where the part has a view.

    Answers that the view cannot read (a wrong type, a wrong shape) stay as they came.
    """
    if part.view is None or outcome.failure:
        return outcome
    try:
        seen = part.view(dict(outcome.answers), **case)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError):
        return outcome
    return replace(outcome, answers=seen)


def describe(answer: Answer, digits: int = 4) -> str:
    """Show an answer in one line: its first numbers, and its shape."""
    if isinstance(answer, Tensor):
        numbers = ", ".join(_number(value, digits) for value in answer.flatten()[:SHOWN].tolist())
        more = ", …" if answer.numel() > SHOWN else ""
        return f"[{numbers}{more}] with shape {tuple(answer.shape)}" if answer.ndim else numbers
    return _number(answer, digits) if isinstance(answer, float) else f"{answer.type_name} {answer.text}"


def _difference(name: str, got: Answer, wanted: Answer, tolerance: Tolerance | None) -> Difference | None:
    """Return the difference of two answers; without a tolerance, of their types, shapes and dtypes alone."""
    shown = name.replace("_", " ")
    if isinstance(wanted, float):
        if not isinstance(got, float):
            return Difference("type", f"{shown} should be a Python number, but it is {_kind(got)}.", name)
        if got == wanted:
            return None
        got, wanted = torch.tensor(got, dtype=torch.float64), torch.tensor(wanted, dtype=torch.float64)
    if not isinstance(wanted, Tensor):
        return None if got == wanted else Difference("type", f"{shown} should be {describe(wanted)}.", name)
    if not isinstance(got, Tensor):
        return Difference("type", f"{shown} should be a tensor, but it is {_kind(got)}.", name)
    if got.shape != wanted.shape:
        text = f"{shown} should have shape {tuple(wanted.shape)}, but it has {tuple(got.shape)}."
        return Difference("shape", text, name)
    if got.is_floating_point() != wanted.is_floating_point() or got.is_complex() != wanted.is_complex():
        text = f"{shown} should hold {_dtype(wanted)}, but it holds {_dtype(got)}."
        return Difference("dtype", text, name)
    if tolerance is None or (got.dtype == wanted.dtype and torch.equal(got, wanted)):
        return None
    rtol, atol = tolerance
    got, wanted = got.to(torch.float64), wanted.to(torch.float64)
    apart = ~torch.isclose(got, wanted, rtol=rtol, atol=atol, equal_nan=True)
    if not apart.any():
        return None
    if not torch.isfinite(got[torch.isfinite(wanted)]).all():
        what = "NaN" if torch.isnan(got).any() else "infinite"
        return Difference("not finite", f"{shown} is {what} somewhere: {describe(got)}.", name)
    first = int(apart.flatten().nonzero()[0])
    one, other = got.flatten()[first].item(), wanted.flatten()[first].item()
    digits = next((n for n in range(4, 17) if _number(one, n) != _number(other, n)), 17)
    if first < SHOWN:
        return Difference("value", f"{shown} should be {describe(wanted, digits)}, but it is {describe(got, digits)}.", name)
    place = ", ".join(str(int(i)) for i in torch.unravel_index(torch.tensor(first), got.shape))
    should, but = _number(other, digits), _number(one, digits)
    return Difference("value", f"{shown}[{place}] should be {should}, but it is {but}; what stands before is right.", name)


def _gist(outcome: Outcome) -> tuple[str, str, str]:
    failure = outcome.failure
    assert failure is not None
    return failure.kind, failure.name, failure.message.partition("\n")[0]


def _kind(answer: Answer) -> str:
    if isinstance(answer, Tensor):
        return "a tensor (call .item() on it)" if answer.numel() == 1 else f"a tensor of shape {tuple(answer.shape)}"
    if isinstance(answer, float):
        return "a Python number"
    if answer.type_name == "NoneType":
        return "None (is there a `return`?)"
    return f"a {answer.type_name}: {answer.text}" if answer.text else answer.type_name


def _dtype(tensor: Tensor) -> str:
    if tensor.is_floating_point():
        return "real numbers"
    return str(tensor.dtype).removeprefix("torch.")


def _number(value: float | complex | bool, digits: int = 4) -> str:
    if isinstance(value, complex) or not math.isfinite(value):
        return str(value)
    return f"{value + 0.0:.{digits}g}"  # + 0.0: no "-0"
