"""Near-identical answers: renaming does not hide them, the standard solution is not one, and no source breaks it."""

import inspect
import random
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.checks.cut import solution_source, stub_source
from course.checks.exercise import Exercise
from course.grading.similar import MOST_HASHES, Similarities, fingerprint, known_fingerprints
from course.labs import lab_names, load

KL = """
def gaussian_kl(mu, logvar):
    terms = logvar.exp() + mu.pow(2)
    penalty = torch.zeros_like(mu) - logvar
    for column in range(mu.shape[1]):
        penalty[:, column] += terms[:, column] - 1
    return penalty.mul(0.5).sum(dim=1)
"""
DISGUISED = '''
def gaussian_kl(m: Tensor, v: Tensor) -> Tensor:
    """My own work."""
    # nothing to see
    a: Tensor = (v.exp()
                 + m.pow(2))
    b = torch.zeros_like(m) - v
    "really nothing"
    for i in range(m.shape[1]):
        b[:, i] += a[:, i] - 1
    return b.mul(0.5).sum(dim=1)
'''


def random_answer(seed: int) -> str:
    """Make up a function of ten lines, unlike any other."""
    chance = random.Random(seed)
    names, operators = ["exp", "log", "sin", "tanh", "sqrt"], "+-*/"
    lines = [
        f"    v{i} = torch.{chance.choice(names)}(x {chance.choice(operators)} {chance.random():.3f})" for i in range(10)
    ]
    return "\n".join(["def f(x):", *lines, "    return v9.sum()"])


def similarity(one: str, other: str) -> float:
    a, b = set(fingerprint(one)), set(fingerprint(other))
    return len(a & b) / len(a | b)


# --------------------------------------------------------------------------------------------------------- fingerprints


def test_names_annotations_comments_and_layout_do_not_count() -> None:
    assert fingerprint(KL) == fingerprint(DISGUISED)


@pytest.mark.parametrize(
    ("old", "new"),
    [("pow", "square"), ("0.5", "0.25"), ("zeros_like", "ones_like"), ("dim=1", "dim=0"), ("dim", "axis"), ("+=", "-=")],
)
def test_attributes_constants_keywords_and_operators_count(old: str, new: str) -> None:
    assert fingerprint(KL) != fingerprint(KL.replace(old, new))


def test_a_line_more_leaves_most_hashes() -> None:
    assert similarity(KL, KL.replace("    terms", "    unused = 3\n    terms")) > 0.8


def test_which_variable_is_used_counts() -> None:
    assert fingerprint("def f(a, b):\n    return a - b") != fingerprint("def f(a, b):\n    return b - a")


def test_hashes_are_the_same_in_every_process() -> None:
    assert fingerprint("def f(x):\n    return x") == (868158771,)


def test_a_long_answer_keeps_a_bounded_number_of_hashes_that_still_compare() -> None:
    long = "\n".join(random_answer(seed) for seed in range(30))
    assert len(fingerprint(long)) == MOST_HASHES
    assert similarity(long, long.replace("torch.exp(x", "torch.exp(1 + x", 1)) > 0.9


@pytest.mark.parametrize(
    "source",
    [
        "def f(:",
        "\0",
        "\ud800",
        "(" * 5000,
        "-" * 100_000 + "1",
        "1" + "+1" * 40_000,
        "f" + "()" * 40_000,
        "x = " + "9" * 10_000,
        "def f():\n" + "\n".join(" " * i + "if x:" for i in range(1, 200)),
        "x" * 1_000_000,
        "",
        "# only a comment",
        '"only a text"',
    ],
    ids=lambda source: source[:12],
)
def test_what_cannot_be_compared_never_raises(source: str) -> None:
    start = time.perf_counter()
    assert len(fingerprint(source)) <= MOST_HASHES
    assert time.perf_counter() - start < 5


def test_odd_constants_and_statements() -> None:
    source = """
    async def f(*args, **rest):
        global g
        x = 0x%s, "\\ud800", b"\\xff", 1e400, 2j, ..., None
        match args:
            case [1, *others, {"a": b, **more}] | C(d=4) as e: ...
        try: import a.b as c; from d import *
        except* E as error: del x
        return [await y async for y in z if (w := y)], lambda k, /, *, l=1: f"{k!r:>{l}}", x[1:2, ...]
    """
    source = textwrap.dedent(source) % ("f" * 9000)
    assert fingerprint(source.replace("except*", "except"))
    fingerprint(source)  # Python 3.10 does not know except*


@given(st.text())
def test_any_text_is_taken(source: str) -> None:
    assert isinstance(fingerprint(source), tuple)


@given(st.text(alphabet="def f(x):\n\t[]{}=+-*'\"\\@,0.e;:lambdafor", max_size=60))
def test_any_text_that_nearly_is_code_is_taken(source: str) -> None:
    assert all(0 <= value < 2**32 for value in fingerprint(source))


# --------------------------------------------------------------------------------------------------------------- groups


def classroom(copies: dict[int, int], students: int = 30, exercises: int = 4) -> Similarities:
    """Make a class of different answers; copies says whose answers a student has taken over."""
    found = Similarities()
    for i in range(students):
        own = copies.get(i, i)
        found.add(f"s{i:02}", {f"e{e}": fingerprint(random_answer(100 * own + e)) for e in range(exercises)})
    return found


def test_different_answers_make_no_groups() -> None:
    assert classroom({}).groups() == []


def test_a_copy_is_found_and_so_is_a_group_of_three() -> None:
    groups = classroom({7: 3, 20: 11, 21: 11}).groups()
    assert [group.students for group in groups] == [("s11", "s20", "s21"), ("s03", "s07")]
    assert groups[0].exercises == ("e0", "e1", "e2", "e3")
    assert groups[0].similarity == 1


def test_one_answer_alike_is_chance_and_two_are_not() -> None:
    for alike, found in ((1, False), (2, True)):
        similar = classroom({})
        shared = {f"e{e}": fingerprint(KL.replace("0.5", str(e))) for e in range(alike)}
        for seed, name in ((7000, "Ann"), (8000, "Ben")):
            similar.add(name, {**shared, **{f"e{e}": fingerprint(random_answer(seed + e)) for e in range(alike, 4)}})
        assert [group.students for group in similar.groups()] == [("Ann", "Ben")] * found


def test_one_long_answer_alike_is_enough() -> None:
    similar = classroom({}, exercises=1)
    long = "\n".join(random_answer(seed) for seed in (9001, 9002))
    similar.add("Ann", {"e0": fingerprint(long)})
    similar.add("Ben", {"e0": fingerprint(long)})
    assert [group.students for group in similar.groups()] == [("Ann", "Ben")]


def test_what_much_of_the_class_writes_is_no_group() -> None:
    similar = classroom({})
    for i in range(4):
        similar.add(f"t{i}", {f"e{e}": fingerprint(random_answer(-e - 1)) for e in range(4)})
    assert similar.groups() == []


def test_what_anyone_may_have_written_is_no_group() -> None:
    same = {f"e{e}": fingerprint(KL) for e in range(4)}
    for known, found in (({}, 1), ({name: set(hashes) for name, hashes in same.items()}, 0)):
        similar = Similarities(known)
        for name in ("Ann", "Ben"):
            similar.add(name, same)
        assert len(similar.groups()) == found


def test_an_empty_class_and_a_class_of_one() -> None:
    similar = Similarities()
    assert similar.groups() == []
    similar.add("Ann", {"e0": fingerprint(KL)})
    assert similar.groups() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", lab_names())
def test_stub_and_solution_of_a_lab_are_known(name: str) -> None:
    lab = load(name)
    known = known_fingerprints(lab)
    for exercise, entry in lab.entries.items():
        if isinstance(entry.item, Exercise):
            source = inspect.getsource(entry.item.reference)
            assert set(fingerprint(solution_source(source))) <= known[exercise]
            assert set(fingerprint(stub_source(source, entry.item.methods))) <= known[exercise]


@pytest.mark.slow
def test_ten_thousand_students_take_seconds() -> None:
    chance = random.Random(0)
    similar = Similarities()
    start = time.perf_counter()
    for i in range(10_000):
        # half of an answer is what many write, half is rare; every hundredth student has a copy
        own = chance.sample(range(10**6, 4 * 10**9), 30)
        prints = {f"e{e}": tuple({*chance.sample(range(e * 100, e * 100 + 60), 30), *own}) for e in range(8)}
        similar.add(f"s{i}", prints)
        if i % 100 == 0:
            similar.add(f"copy{i}", prints)
    assert len(similar.groups()) == 100
    assert time.perf_counter() - start < 30
