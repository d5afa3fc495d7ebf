"""Frames: what is sent arrives, and whatever else arrives is refused in a way that the grader knows."""

import json
import os
import threading
import time
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.checks.probing import Failure, Other, Outcome
from course.grading import wire
from course.grading.wire import LENGTHS, Closed, Late, WireError

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
TENSORS = st.sampled_from(
    [
        torch.zeros(()),
        torch.tensor(float("nan")),
        torch.arange(6).reshape(2, 3).T,
        torch.zeros(0, 4),
        torch.ones(3, dtype=torch.bfloat16),
        torch.tensor([1 + 2j]),
        torch.tensor([True, False]),
        torch.ones(1).expand(5),
    ]
)
ANSWERS = TENSORS | st.floats() | st.builds(Other, NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
FAILURES = st.none() | st.builds(Failure, st.sampled_from(wire.KINDS), NAMES, NAMES, NAMES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


def split(frame: bytes) -> tuple[bytes, bytes]:
    head, body = LENGTHS.unpack(frame[: LENGTHS.size])
    rest = frame[LENGTHS.size :]
    assert len(rest) == head + body
    return rest[:head], rest[head:]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        alike = one.dtype == other.dtype and one.shape == other.shape
        return alike and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))
    return one == other or (one != one and other != other)


@given(
    answers=st.dictionaries(NAMES, ANSWERS, max_size=4), failure=FAILURES, after=st.dictionaries(NAMES, TENSORS, max_size=3)
)
def test_an_outcome_arrives_as_it_was_sent(answers: Any, failure: Any, after: Any) -> None:
    sent = Outcome(answers, failure=failure, used=frozenset(["kl"]))
    header, tensors = wire.unpack(*split(wire.pack_outcome(sent, after, ["opened a socket"])))
    got, got_after, noticed = wire.read_outcome(header, tensors, {"kl": None, "nll": None})
    assert got.answers.keys() == answers.keys()
    assert all(same(got.answers[name], answers[name]) for name in answers)
    assert got_after.keys() == after.keys()
    assert all(same(got_after[name], after[name]) for name in after)
    assert (got.failure, got.used, got.edited, noticed) == (failure, {"kl"}, (), ["opened a socket"])


def test_answers_that_cannot_be_sent_are_described() -> None:
    answers = {"big": torch.zeros(1).expand(20_000_000), "exact": torch.zeros(2, dtype=torch.complex128)}
    header, tensors = wire.unpack(*split(wire.pack_outcome(Outcome(answers), {}, [])))
    got = wire.read_outcome(header, tensors, {})[0].answers
    assert got == {
        "big": Other("tensor of shape (20000000,), too large to be looked at", ""),
        "exact": Other("tensor of complex128", ""),
    }


CASES = st.dictionaries(
    NAMES,
    TENSORS
    | st.floats()
    | st.integers(-(2**40), 2**40)
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
    | st.lists(st.integers(0, 9), max_size=3).map(tuple)
    | st.lists(st.tuples(st.floats(), st.none()), max_size=2),
    max_size=4,
)


@given(case=CASES)
def test_a_case_arrives_as_it_was_sent(case: dict[str, Any]) -> None:
    plain, tensors = wire.pack_case(case)
    header, arrived = wire.unpack(*split(wire.pack({"case": plain}, tensors)))
    got = wire.unpack_case(header["case"], arrived)
    assert got.keys() == case.keys()
    for name, value in case.items():
        assert type(got[name]) is type(value)
        assert same(got[name], value) or repr(got[name]) == repr(value)


def test_a_case_holds_nothing_that_runs() -> None:
    with pytest.raises(TypeError, match="not function"):
        wire.pack_case({"f": lambda: None})


# ----------------------------------------------------------------------------------------------------------- strangers


@given(head=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), body=st.binary(max_size=200))
def test_fuzz_any_bytes_are_a_frame_or_refused(head: bytes, body: bytes) -> None:
    try:
        header, tensors = wire.unpack(head, body)
    except WireError:
        return
    assert type(header) is dict
    assert all(type(tensor) is torch.Tensor for tensor in tensors.values())


HEADERS = st.fixed_dictionaries(
    {
        "answers": st.dictionaries(
            st.sampled_from(["a", "b"]), st.sampled_from(["tensor", "number", "x", 3, None, ["T", "t"], []])
        )
        | JSON,
        "failure": st.none() | st.lists(st.sampled_from(["error", "todo", "x", 3]), max_size=5) | JSON,
        "used": st.lists(st.sampled_from(["kl", "nothing", 3]), max_size=2) | JSON,
        "noticed": st.lists(st.text(max_size=5), max_size=3) | JSON,
    }
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(header=HEADERS | JSON, tensors=st.dictionaries(st.sampled_from(["answer a", "answer b", "after a", "x"]), TENSORS))
def test_fuzz_any_header_is_an_outcome_or_refused(header: Any, tensors: Any) -> None:
    try:
        outcome, after, noticed = wire.read_outcome(header, tensors, {"kl": None})
    except WireError:
        return
    for answer in outcome.answers.values():
        assert type(answer) in (torch.Tensor, float, Other)
    assert outcome.used <= {"kl"}
    assert outcome.failure is None or outcome.failure.kind in wire.KINDS
    assert wire.is_texts(noticed)
    assert all(type(tensor) is torch.Tensor for tensor in after.values())


GOOD = {"answers": {"a": "tensor"}, "failure": None, "used": [], "noticed": []}


@pytest.mark.parametrize(
    ("change", "tensors"),
    [
        ({}, {}),
        ({"answers": {"a": "number"}}, {"answer a": torch.zeros(1)}),
        ({"answers": {"a": "number"}}, {"answer a": torch.zeros((), dtype=torch.float32)}),
        ({"answers": {"a": ["T"]}}, {}),
        ({"answers": {"a": ["T", "x" * 3000]}}, {}),
        ({"answers": {str(i): ["T", ""] for i in range(1001)}}, {}),
        ({"used": ["secret"]}, {"answer a": torch.zeros(1)}),
        ({"failure": ["right", "", "", ""]}, {"answer a": torch.zeros(1)}),
        ({"failure": ["error", "", ""]}, {"answer a": torch.zeros(1)}),
        ({"more": 1}, {"answer a": torch.zeros(1)}),
        ({"noticed": [3]}, {"answer a": torch.zeros(1)}),
    ],
)
def test_what_is_forged_is_refused(change: dict[str, Any], tensors: dict[str, Any]) -> None:
    assert wire.read_outcome(GOOD, {"answer a": torch.zeros(1)}, {})
    with pytest.raises(WireError):
        wire.read_outcome(GOOD | change, tensors, {})


def test_numbers_in_json_are_finite() -> None:
    with pytest.raises(WireError):
        wire.unpack(b'{"a": NaN}', b"")


def test_a_frame_that_claims_too_much_is_refused_before_it_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, LENGTHS.pack(10, wire.MAX_TENSORS + 1))
    with pytest.raises(WireError):
        wire.receive(reader)
    os.close(reader)
    os.close(writer)


def test_half_a_frame_is_late_or_closed() -> None:
    reader, writer = os.pipe()
    os.write(writer, LENGTHS.pack(10, 0) + b"{")
    with pytest.raises(Late):
        wire.receive(reader, time.monotonic() + 0.05)
    os.close(writer)
    with pytest.raises(Closed):
        wire.receive(reader, time.monotonic() + 1)
    os.close(reader)


def test_drops_of_bytes_do_not_prolong_the_deadline() -> None:
    reader, writer = os.pipe()
    stop = threading.Event()

    def drip() -> None:
        os.write(writer, LENGTHS.pack(1000, 0))
        while not stop.wait(0.02):
            os.write(writer, b" ")

    dripping = threading.Thread(target=drip)
    dripping.start()
    started = time.monotonic()
    with pytest.raises(Late):
        wire.receive(reader, started + 0.3)
    assert time.monotonic() - started < 2
    stop.set()
    dripping.join()
    os.close(reader)
    os.close(writer)
