"""The judge's comparison: what counts as different, and in which words it is said."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course.checks.compare import agree, describe, first_difference, viewed
from course.checks.exercise import Part, Probe
from course.checks.probing import Failure, Other, Outcome

NOTHING = Probe(lambda candidate: {})
PART = Part("value", "the value", NOTHING, lambda generator: [])
V = torch.tensor([1.0, 2.0, 3.0])
LONG = torch.arange(12.0).reshape(4, 3)
NAN, INF = math.nan, math.inf


def differs(got: Any, wanted: Any, part: Part = PART) -> tuple[str, str]:
    difference = first_difference(part, Outcome({"the_value": got}), Outcome({"the_value": wanted}))
    return (difference.kind, difference.text) if difference else ("", "")


@pytest.mark.parametrize(
    ("got", "wanted", "kind", "words"),
    [
        (V, V.clone(), "", ""),
        (V + 1e-6, V, "", ""),
        (V.double(), V, "", ""),
        (V.half(), V, "", ""),
        (V + 0.01, V, "value", "should be [1, 2, 3] with shape (3,), but it is [1.01, 2.01, 3.01]"),
        (V[:, None], V, "shape", "should have shape (3,), but it has (3, 1)"),
        (V, V[:, None], "shape", "should have shape (3, 1), but it has (3,)"),
        (V[None], V, "shape", "but it has (1, 3)"),
        (torch.ones(1), torch.tensor(1.0), "shape", "should have shape (), but it has (1,)"),
        (torch.ones(4, 1), torch.ones(4), "shape", "should have shape (4,), but it has (4, 1)"),
        (V.long(), V, "dtype", "should hold real numbers, but it holds int64"),
        (V, V.long(), "dtype", "should hold int64, but it holds real numbers"),
        (V > 0, V, "dtype", "but it holds bool"),
        (V + 0j, V, "dtype", "but it holds complex64"),
        (torch.tensor([1.0, NAN, 3.0]), V, "not finite", "is NaN somewhere: [1, nan, 3]"),
        (torch.tensor([1.0, INF, 3.0]), V, "not finite", "is infinite somewhere: [1, inf, 3]"),
        (torch.tensor([1.0, -INF, NAN]), V, "not finite", "is NaN somewhere"),
        (V, torch.tensor([1.0, NAN, 3.0]), "value", "should be [1, nan, 3]"),
        (V, torch.tensor([1.0, INF, 3.0]), "value", "should be [1, inf, 3]"),
        (torch.tensor([INF]), torch.tensor([INF]), "", ""),
        (torch.tensor([-INF]), torch.tensor([INF]), "value", ""),
        (torch.tensor([NAN]), torch.tensor([NAN]), "", ""),
        (1.0, 1.0, "", ""),
        (1.0, 2.0, "value", "should be 2, but it is 1"),
        (2.62401, 2.62449, "value", "should be 2.6245, but it is 2.624."),
        (-0.0, 2.0, "value", "but it is 0."),
        (LONG, LONG + (LONG == 7) / 10, "value", "value[2, 1] should be 7.1, but it is 7; what stands before is right."),
        (NAN, 2.0, "not finite", "is NaN"),
        (INF, 2.0, "not finite", "is infinite"),
        (torch.tensor(2.0), 2.0, "type", "should be a Python number, but it is a tensor (call .item() on it)"),
        (torch.ones(1, 1), 1.0, "type", "call .item()"),
        (V, 2.0, "type", "should be a Python number, but it is a tensor of shape (3,)"),
        (1.0, V, "type", "should be a tensor, but it is a Python number"),
        (Other("NoneType", "None"), V, "type", "None (is there a `return`?)"),
        (Other("list", "[1, 2]"), V, "type", "should be a tensor, but it is a list: [1, 2]"),
        (Other("str", "'1'"), 1.0, "type", "should be a Python number, but it is a str: '1'"),
        (torch.ones(0), torch.ones(0), "", ""),
        (torch.ones(0), V, "shape", "but it has (0,)"),
        (torch.tensor([1, 2]), torch.tensor([1, 2]), "", ""),
        (torch.tensor([1, 3]), torch.tensor([1, 2]), "value", "should be [1, 2]"),
        (Other("str", "'a'"), Other("str", "'a'"), "", ""),
        (Other("str", "'b'"), Other("str", "'a'"), "type", "should be str 'a'"),
    ],
)
def test_what_differs_and_how_it_is_said(got: Any, wanted: Any, kind: str, words: str) -> None:
    found, text = differs(got, wanted)
    assert found == kind
    assert words in text
    assert "the value" in text or not kind  # the name is said, without underscores


def test_a_missing_answer_is_different() -> None:
    difference = first_difference(PART, Outcome({}), Outcome({"loss": V}))
    assert difference is not None
    assert difference.kind == "type"
    assert difference.name == "loss"
    assert not agree(PART, Outcome({}), Outcome({"loss": V}))


def test_the_first_difference_is_told_in_the_order_of_the_expected_answers() -> None:
    difference = first_difference(PART, Outcome({"b": V, "a": V}), Outcome({"a": V + 1, "b": V + 2}))
    assert difference is not None
    assert difference.name == "a"


def test_a_failure_comes_before_an_edit_and_an_edit_before_values() -> None:
    edited = Outcome({"a": V}, edited=("x",))
    difference = first_difference(PART, edited, Outcome({"a": V + 1}))
    assert difference is not None
    assert difference.kind == "edited"
    assert "`x`" in difference.text
    assert ".clone()" in difference.text
    failed = Outcome(edited=("x",), failure=Failure("error", "ValueError", "bad"))
    difference = first_difference(PART, failed, Outcome({"a": V}))
    assert difference is not None
    assert (difference.kind, difference.text) == ("failure", "ValueError: bad")


def test_structure_only_leaves_values_out() -> None:
    def kind(got: Any) -> str:
        outcome = Outcome({"a": got, "b": V[:, None]})
        difference = first_difference(PART, outcome, Outcome({"a": V, "b": V}), structure_only=True)
        return f"{difference.name} {difference.kind}" if difference else ""

    assert kind(V + 1) == kind(V * NAN) == "b shape"
    assert kind(1.0) == "a type"
    assert kind(V.int()) == "a dtype"


@pytest.mark.parametrize(("tolerance", "equal"), [((0.0, 0.2), True), ((0.0, 0.05), False), ((0.2, 0.0), True)])
def test_the_parts_tolerance_counts(tolerance: tuple[float, float], equal: bool) -> None:
    for given_tolerance in (tolerance, {"the_value": tolerance}):
        part = Part("value", "the value", NOTHING, lambda generator: [], tolerance=given_tolerance)
        assert (differs(V + 0.1, V, part)[0] == "") == equal
        assert agree(part, Outcome({"the_value": V + 0.1}), Outcome({"the_value": V})) == equal
    by_name = Part("value", "the value", NOTHING, lambda generator: [], tolerance={"another": (1.0, 1.0)})
    assert differs(V + 0.1, V, by_name)[0] == "value"


def test_the_default_tolerance_tells_nats_apart() -> None:
    assert differs(V * (1 + 1e-3), V)[0] == "value"
    assert differs(V * (1 + 5e-5), V)[0] == ""
    assert differs(torch.tensor([1e-4]), torch.tensor([0.0]))[0] == "value"
    assert differs(torch.tensor([5e-6]), torch.tensor([0.0]))[0] == ""


ERROR = Failure("error", "ValueError", "bad\nmore", "line 3")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Outcome({"a": V}), Outcome({"a": V}), True),
        (Outcome({"a": V}, edited=("x",)), Outcome({"a": V}), False),
        (Outcome({"a": V}, edited=("x",)), Outcome({"a": V}, edited=("x",)), True),
        (Outcome(failure=ERROR), Outcome({"a": V}), False),
        (Outcome(failure=ERROR), Outcome(), False),
        (Outcome(failure=ERROR), Outcome(failure=Failure("error", "ValueError", "bad\nless")), True),
        (Outcome(failure=ERROR), Outcome(failure=Failure("error", "TypeError", "bad")), False),
        (Outcome(failure=ERROR), Outcome(failure=Failure("error", "ValueError", "good")), False),
        (Outcome({"a": V}), Outcome({"a": V[:, None]}), False),
        (Outcome({"a": V}), Outcome({"a": 1.0}), False),
    ],
)
def test_agreement_goes_both_ways(one: Outcome, other: Outcome, same: bool) -> None:
    assert agree(PART, one, other) == same
    assert agree(PART, other, one) == same


NUMBERS = st.one_of(st.floats(-100, 100, width=32), st.sampled_from([NAN, INF, -INF]))
ANSWERS = st.one_of(
    NUMBERS,
    st.lists(NUMBERS, max_size=4).map(torch.tensor),
    st.lists(NUMBERS, min_size=1, max_size=4).map(lambda values: torch.tensor(values)[:, None]),
    st.lists(st.integers(-5, 5), min_size=1, max_size=4).map(torch.tensor),
    st.sampled_from([Other("NoneType", "None"), Other("list", "[]")]),
)


@settings(max_examples=300, deadline=None)
@given(one=ANSWERS, other=ANSWERS)
def test_any_two_answers_compare_without_a_crash_and_the_same_both_ways(one: Any, other: Any) -> None:
    exact = Part("value", "the value", NOTHING, lambda generator: [], tolerance=(0.0, 1e-6))
    there, back = (differs(*pair, exact)[0] for pair in ((one, other), (other, one)))
    assert (there == "") == (back == "")
    assert differs(one, one, exact)[0] == ""
    assert isinstance(describe(one), str)


def test_describe_is_short() -> None:
    assert describe(torch.arange(10_000.0)) == "[0, 1, 2, 3, 4, 5, …] with shape (10000,)"
    assert describe(torch.tensor(0.123456)) == "0.1235"
    assert describe(2.0) == "2"
    assert describe(torch.tensor([True, False])) == "[1, 0] with shape (2,)"
    assert describe(torch.tensor([1 + 2j])).startswith("[(1+2j)]")


def test_a_view_that_cannot_read_the_answers_leaves_them() -> None:
    part = Part(
        "value", "the value", NOTHING, lambda generator: [], view=lambda answers, k: {"mean": answers["z"].mean() * k}
    )
    assert viewed(part, Outcome({"z": V}), {"k": 2}).answers["mean"] == 4
    unreadable = Outcome({"z": Other("NoneType", "None")})
    assert viewed(part, unreadable, {"k": 2}) == unreadable
    failed = Outcome(failure=ERROR)
    assert viewed(part, failed, {"k": 2}) is failed
