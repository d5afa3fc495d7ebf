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


SEEN = st.tuples(
    st.builds(
        Outcome,
        st.dictionaries(NAMES, ANSWERS, max_size=4),
        failure=FAILURES,
        used=st.frozensets(st.sampled_from(["kl", "nll"])),
    ),
    st.dictionaries(NAMES, TENSORS, max_size=3),
)


@given(seen=st.lists(SEEN, min_size=1, max_size=12))
def test_outcomes_arrive_as_they_were_sent(seen: list[tuple[Outcome, dict[str, torch.Tensor]]]) -> None:
    header, tensors = wire.unpack(*split(wire.pack_outcomes(seen, ["opened a socket"])))
    arrived, noticed = wire.read_outcomes(header, tensors, {"kl": None, "nll": None}, len(seen))
    assert noticed == ["opened a socket"]
    for (sent, after), (got, got_after) in zip(seen, arrived, strict=True):
        assert got.answers.keys() == sent.answers.keys()
        assert all(same(got.answers[name], sent.answers[name]) for name in sent.answers)
        assert got_after.keys() == after.keys()
        assert all(same(got_after[name], after[name]) for name in after)
        assert (got.failure, got.used, got.edited) == (sent.failure, sent.used, ())


def test_answers_that_cannot_be_sent_are_described() -> None:
    answers = {"big": torch.zeros(1).expand(20_000_000), "exact": torch.zeros(2, dtype=torch.complex128)}
    header, tensors = wire.unpack(*split(wire.pack_outcomes([(Outcome(answers), {})], [])))
    ((got, _),), _ = wire.read_outcomes(header, tensors, {}, 1)
    assert got.answers == {
        "big": Other("tensor of shape (20000000,), too large to be looked at", ""),
        "exact": Other("tensor of complex128", ""),
    }


def test_answers_that_are_too_large_together_are_described_from_where_they_are() -> None:
    seen = [(Outcome({"y": torch.zeros(5_000_000)}), {}) for _ in range(5)]  # 20 MB each
    header, tensors = wire.unpack(*split(wire.pack_outcomes(seen, [])))
    arrived, _ = wire.read_outcomes(header, tensors, {}, 5)
    assert [type(outcome.answers["y"]) for outcome, _ in arrived] == [torch.Tensor] + [Other] * 4
    assert arrived[1][0].answers["y"] == Other("tensor of shape (5000000,), too large to be looked at", "")


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


@given(cases=st.lists(CASES, max_size=12))
def test_cases_arrive_as_they_were_sent(cases: list[dict[str, Any]]) -> None:
    plain, tensors = wire.pack_cases(cases)
    header, arrived = wire.unpack(*split(wire.pack({"cases": plain}, tensors)))
    for got, case in zip(wire.unpack_cases(header["cases"], arrived), cases, strict=True):
        assert got.keys() == case.keys()
        for name, value in case.items():
            assert type(got[name]) is type(value)
            assert same(got[name], value) or repr(got[name]) == repr(value)


def test_a_case_holds_nothing_that_runs() -> None:
    with pytest.raises(TypeError, match="not function"):
        wire.pack_cases([{"f": lambda: None}])


# ----------------------------------------------------------------------------------------------------------- strangers


@given(head=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), body=st.binary(max_size=200))
def test_fuzz_any_bytes_are_a_frame_or_refused(head: bytes, body: bytes) -> None:
    try:
        header, tensors = wire.unpack(head, body)
    except WireError:
        return
    assert type(header) is dict
    assert all(type(tensor) is torch.Tensor for tensor in tensors.values())


OUTCOMES = st.fixed_dictionaries(
    {
        "answers": st.dictionaries(
            st.sampled_from(["a", "b"]), st.sampled_from(["tensor", "number", "x", 3, None, ["T", "t"], []])
        )
        | JSON,
        "failure": st.none() | st.lists(st.sampled_from(["error", "todo", "x", 3]), max_size=5) | JSON,
        "used": st.lists(st.sampled_from(["kl", "nothing", 3]), max_size=2) | JSON,
    }
)
HEADERS = st.fixed_dictionaries(
    {
        "outcomes": st.lists(OUTCOMES | JSON, max_size=3) | JSON,
        "noticed": st.lists(st.text(max_size=5), max_size=3) | JSON,
    }
)
PLACES = st.sampled_from(["0 answer a", "0 answer b", "1 answer a", "0 after a", "answer a", "x"])


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(header=HEADERS | JSON, tensors=st.dictionaries(PLACES, TENSORS))
def test_fuzz_any_header_is_outcomes_or_refused(header: Any, tensors: Any) -> None:
    try:
        outcomes, noticed = wire.read_outcomes(header, tensors, {"kl": None}, 2)
    except WireError:
        return
    assert len(outcomes) == 2 or (len(outcomes) == 1 and outcomes[0][0].failure)
    for outcome, after in outcomes:
        for answer in outcome.answers.values():
            assert type(answer) in (torch.Tensor, float, Other)
        assert outcome.used <= {"kl"}
        assert outcome.failure is None or outcome.failure.kind in wire.KINDS
        assert all(type(tensor) is torch.Tensor for tensor in after.values())
    assert wire.is_texts(noticed)


GOOD = {"answers": {"a": "tensor"}, "failure": None, "used": []}
ZERO = {"0 answer a": torch.zeros(1)}


@pytest.mark.parametrize(
    ("change", "tensors"),
    [
        ({}, {}),
        ({}, {"answer a": torch.zeros(1)}),
        ({}, {"1 answer a": torch.zeros(1)}),
        ({"answers": {"a": "number"}}, ZERO),
        ({"answers": {"a": "number"}}, {"0 answer a": torch.zeros((), dtype=torch.float32)}),
        ({"answers": {"a": ["T"]}}, {}),
        ({"answers": {"a": ["T", "x" * 3000]}}, {}),
        ({"answers": {str(i): ["T", ""] for i in range(1001)}}, {}),
        ({"used": ["secret"]}, ZERO),
        ({"failure": ["right", "", "", ""]}, ZERO),
        ({"failure": ["error", "", ""]}, ZERO),
        ({"more": 1}, ZERO),
    ],
)
def test_what_is_forged_is_refused(change: dict[str, Any], tensors: dict[str, Any]) -> None:
    assert wire.read_outcomes({"outcomes": [GOOD], "noticed": []}, ZERO, {}, 1)
    with pytest.raises(WireError):
        wire.read_outcomes({"outcomes": [GOOD | change], "noticed": []}, tensors, {}, 1)


@pytest.mark.parametrize(
    "header",
    [
        {"outcomes": [], "noticed": []},
        {"outcomes": [GOOD], "noticed": []},  # one case is missing
        {"outcomes": [GOOD] * 3, "noticed": []},
        {"outcomes": [GOOD, GOOD], "noticed": [3]},
        {"outcomes": [GOOD, GOOD], "noticed": [], "more": 1},
        {"outcomes": {"0": GOOD, "1": GOOD}, "noticed": []},
    ],
)
def test_there_is_an_outcome_for_each_case_until_one_fails(header: dict[str, Any]) -> None:
    failed = GOOD | {"failure": ["error", "E", "", ""]}
    tensors = {f"{number} answer a": torch.zeros(1) for number in range(3)}
    assert wire.read_outcomes({"outcomes": [GOOD, GOOD], "noticed": []}, tensors, {}, 2)
    assert wire.read_outcomes({"outcomes": [failed], "noticed": []}, tensors, {}, 2)
    with pytest.raises(WireError):
        wire.read_outcomes(header, tensors, {}, 2)


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
