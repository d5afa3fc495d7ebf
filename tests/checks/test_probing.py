"""The probe runner: stand-ins in the student's namespace, nothing left behind, and every kind of answer written down."""

from typing import Any

import pytest
import torch
from torch import Tensor

from course.checks.exercise import Probe
from course.checks.probing import Other, Outcome, functions_of, run, unwrap
from course.labs.lab2_vae import probes

CALL = Probe(lambda candidate, x: {"y": candidate(x)}, {"earlier": lambda x: 7 * x})
PLAIN = Probe(lambda candidate, x: {"y": candidate(x)})
X = torch.tensor([1.0, 2.0])

CALLERS = """
import functools

def earlier(x):
    return x + 1000

def plain(x):
    return earlier(x)

def logged(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner

def bare(function):
    def inner(*args):
        return function(*args)
    return inner

@logged
def decorated(x):
    return earlier(x)

@bare
def decorated_without_wraps(x):
    return earlier(x)

@logged
@bare
def decorated_twice(x):
    return earlier(x)

@functools.lru_cache
def cached(x):
    return earlier(x)

partial = functools.partial(lambda factor, x: factor * earlier(x), 1)
partial_of_decorated = functools.partial(decorated_without_wraps)
shorthand = lambda x: earlier(x)

def make(one):
    def inner(x):
        return one * earlier(x)
    return inner

closure = make(1)

def in_a_comprehension(x):
    return sum(earlier(value) for value in [x])

def through_a_helper(x):
    return plain(x)

class Base:
    def apply(self, x):
        return earlier(x)

    @staticmethod
    def apply_static(x):
        return earlier(x)

    @classmethod
    def apply_class(cls, x):
        return earlier(x)

class Child(Base):
    def __init__(self):
        self.name = "child"

bound = Child().apply
static = Child.apply_static
class_method = Child.apply_class
"""
CALLER_NAMES = [
    "plain",
    "decorated",
    "decorated_without_wraps",
    "decorated_twice",
    "cached",
    "partial",
    "partial_of_decorated",
    "shorthand",
    "closure",
    "in_a_comprehension",
    "through_a_helper",
    "bound",
    "static",
    "class_method",
]


def tensor_of(outcome: Outcome, name: str = "y") -> Tensor:
    answer = outcome.answers[name]
    assert isinstance(answer, Tensor), outcome
    return answer


@pytest.mark.parametrize("name", CALLER_NAMES)
def test_the_fake_stands_in_while_the_probe_runs(notebook: Any, name: str) -> None:
    notebook.run(CALLERS)
    own, names = notebook["earlier"], set(notebook.names)
    outcome = run(notebook[name], CALL, {"x": X}, seed=0)
    assert torch.equal(tensor_of(outcome), 7 * X)
    assert outcome.used == {"earlier"}
    assert notebook["earlier"] is own
    assert set(notebook.names) == names


@pytest.mark.parametrize("name", ["Base", "Child"])
def test_the_fake_stands_in_for_the_methods_of_a_class(notebook: Any, name: str) -> None:
    notebook.run(CALLERS)
    probe = Probe(lambda candidate, x: {"y": candidate().apply(x)}, CALL.fakes)
    outcome = run(notebook[name], probe, {"x": X}, seed=0)
    assert torch.equal(tensor_of(outcome), 7 * X)
    assert torch.equal(notebook["plain"](X), X + 1000)


def test_the_fake_stands_in_for_a_property(notebook: Any) -> None:
    notebook.run("class Thing:\n    @property\n    def value(self):\n        return earlier(2)")
    outcome = run(notebook["Thing"], Probe(lambda c: {"y": float(c().value)}, CALL.fakes), {}, seed=0)
    assert outcome.answers["y"] == 14
    assert "earlier" not in notebook.names


def test_a_class_that_inherits_from_the_course_meets_the_fake_too(notebook: Any) -> None:
    import course.vae

    own = course.vae.reparameterize
    notebook.run("from course.vae import VAE\nclass Mine(VAE):\n    pass")
    weights = {
        "encoder_weight": torch.zeros(4, 3),
        "encoder_bias": torch.tensor([1.0, 2.0, 0.5, -0.5]),
        "weight": torch.eye(3)[:, :2],
        "bias": torch.zeros(3),
        "shape": [1, 1, 3],
    }
    case = {"x": torch.zeros(1, 1, 1, 3), "training": True, **weights}
    outcome = run(notebook["Mine"], probes.vae_forward, case, seed=0)
    assert outcome.used == {"reparameterize"}
    assert tensor_of(outcome, "logits").flatten().tolist() == [3 - 1, 6 + 1, 0]  # 3 mu - 2 logvar
    assert course.vae.reparameterize is own


def test_a_decorator_of_another_module_without_wraps_hides_nothing(notebook: Any) -> None:
    elsewhere: dict[str, Any] = {}
    exec("def bare(function):\n    def inner(x):\n        return function(x)\n    return inner", elsewhere)
    notebook.names["bare"] = elsewhere["bare"]
    notebook.run("@bare\ndef f(x):\n    return earlier(x)")
    assert torch.equal(tensor_of(run(notebook["f"], CALL, {"x": X}, seed=0)), 7 * X)
    assert "earlier" not in elsewhere
    assert "earlier" not in notebook.names


def test_a_name_absent_before_is_absent_after(notebook: Any) -> None:
    notebook.run("def f(x):\n    return earlier(x)")
    assert torch.equal(tensor_of(run(notebook["f"], CALL, {"x": X}, seed=0)), 7 * X)
    assert "earlier" not in notebook.names


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize(
    "raises", ["ValueError('no')", "SystemExit(3)", "KeyboardInterrupt", "GeneratorExit", "BaseException('x')"]
)
def test_fakes_are_taken_out_when_the_candidate_raises(notebook: Any, raises: str, defined: bool) -> None:
    notebook.run(f"def f(x):\n    earlier(x)\n    raise {raises}")
    if defined:
        notebook.run("def earlier(x):\n    return x")
    before = notebook.names.get("earlier")
    outcome = run(notebook["f"], CALL, {"x": X}, seed=0)
    assert outcome.failure
    assert outcome.failure.kind == ("timeout" if "Interrupt" in raises else "error")
    assert outcome.used == {"earlier"}
    assert notebook.names.get("earlier") is before
    assert ("earlier" in notebook.names) == defined


def test_a_candidate_that_overwrites_or_deletes_the_fake_gets_its_own_back(notebook: Any) -> None:
    notebook.run("def earlier(x):\n    return x\ndef f(x):\n    global earlier\n    del earlier\n    return x")
    own = notebook["earlier"]
    assert run(notebook["f"], CALL, {"x": X}, seed=0).failure is None
    assert notebook["earlier"] is own


@pytest.mark.parametrize(("fakes", "expected"), [(None, 7 * X), (frozenset({"earlier"}), 7 * X), (frozenset(), X + 1000)])
def test_fakes_may_be_chosen(notebook: Any, fakes: Any, expected: Tensor) -> None:
    notebook.run(CALLERS)
    assert torch.equal(tensor_of(run(notebook["plain"], CALL, {"x": X}, seed=0, fakes=fakes)), expected)


def test_used_names_only_what_was_called(notebook: Any) -> None:
    probe = Probe(CALL.see, {"earlier": lambda x: x, "other": lambda x: x, "third": lambda x: x})
    notebook.run("def f(x):\n    if False:\n        other(x)\n    return earlier(third(x))")
    assert run(notebook["f"], probe, {"x": X}, seed=0).used == {"earlier", "third"}
    assert run(lambda x: x, probe, {"x": X}, seed=0).used == frozenset()


def test_the_callers_random_state_is_untouched() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = run(lambda x: torch.rand(3), PLAIN, {"x": X}, seed=1)
    again = run(lambda x: torch.rand(3), PLAIN, {"x": X}, seed=1)
    other = run(lambda x: torch.rand(3), PLAIN, {"x": X}, seed=2)
    run(lambda x: torch.manual_seed(0), PLAIN, {"x": X}, seed=2)
    run(lambda x: torch.rand(2) / 0 + [], PLAIN, {"x": X}, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(tensor_of(one), tensor_of(again))
    assert not torch.equal(tensor_of(one), tensor_of(other))


def test_gradients_are_on_inside_and_as_they_were_outside() -> None:
    with torch.no_grad():
        outcome = run(lambda x: torch.is_grad_enabled(), PLAIN, {"x": X}, seed=0)
        run(lambda x: torch.set_grad_enabled(False) or x, PLAIN, {"x": X}, seed=0)
        assert not torch.is_grad_enabled()
    assert outcome.answers["y"] == 1.0
    run(lambda x: torch.set_grad_enabled(False) or x, PLAIN, {"x": X}, seed=0)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    "edit",
    [
        lambda x: x.add_(1),
        lambda x: x.__setitem__(0, 9.0),
        lambda x: x.data.mul_(3),
        lambda x: x.resize_(3),
        lambda x: x.detach().fill_(0),
    ],
)
def test_an_edit_in_place_is_seen_and_stays_inside(edit: Any) -> None:
    case = {"x": X.clone(), "untouched": torch.ones(2), "n": 3}
    outcome = run(edit, Probe(lambda c, x, untouched, n: {"y": c(x)}), case, seed=0)
    assert outcome.edited == ("x",)
    assert torch.equal(case["x"], X)


def test_no_edit_is_seen_where_there_is_none() -> None:
    outcome = run(lambda x: (x + 1).add_(1), PLAIN, {"x": X}, seed=0)
    assert outcome.edited == ()
    assert torch.equal(tensor_of(outcome), X + 2)
    assert run(lambda x: x.requires_grad_(), PLAIN, {"x": X}, seed=0).edited == ()
    assert not X.requires_grad


def test_an_answer_is_a_copy_without_gradients() -> None:
    kept = torch.ones(2, requires_grad=True)
    answer = tensor_of(run(lambda x: kept, PLAIN, {"x": X}, seed=0))
    assert not answer.requires_grad
    answer.add_(5)
    assert kept.sum() == 2


def test_the_students_line_is_found(notebook: Any) -> None:
    notebook.run(
        """
        import torch

        def helper(x):
            y = x + 1
            return torch.ones(3) @ y

        def f(x):
            # why not
            return helper(x)
        """
    )
    failure = run(notebook["f"], PLAIN, {"x": X}, seed=0).failure
    assert failure is not None
    assert failure.name == "RuntimeError"
    assert failure.line == "line 3 of helper: return torch.ones(3) @ y"


def test_an_error_in_the_probe_itself_names_no_line(notebook: Any) -> None:
    notebook.run("def f(x):\n    return x")
    failure = run(notebook["f"], Probe(lambda c, x: {"y": c(x) + "no"}), {"x": X}, seed=0).failure
    assert failure is not None
    assert (failure.kind, failure.name, failure.line) == ("error", "TypeError", "")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("raise SystemExit", "SystemExit"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("exit()", "SystemExit"),
        ("return f(x)", "RecursionError"),
        ("return 1 / 0", "ZeroDivisionError"),
        ("raise MemoryError", "MemoryError"),
        ("return missing_name", "NameError"),
        ("raise StopIteration", "StopIteration"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("class E(Exception):\n        def __str__(self): raise ValueError\n    raise E", "E"),
        ("class E(Exception):\n        def __str__(self): raise SystemExit\n    raise E", "E"),
        ("raise NotImplementedError", "NotImplementedError"),
        ("raise NotImplementedError('later')", "NotImplementedError"),
    ],
)
def test_whatever_a_candidate_raises_is_an_error(notebook: Any, source: str, name: str) -> None:
    notebook.run(f"def f(x):\n    {source}")
    failure = run(notebook["f"], PLAIN, {"x": X}, seed=0).failure
    assert failure is not None
    assert (failure.kind, failure.name) == ("error", name)
    assert failure.message
    assert len(failure.message) <= 500


def test_an_unwritten_exercise_is_named(notebook: Any) -> None:
    notebook.run("def f(x):\n    raise NotImplementedError('TODO VAE.sample')")
    failure = run(notebook["f"], PLAIN, {"x": X}, seed=0).failure
    assert failure is not None
    assert (failure.kind, failure.name) == ("todo", "VAE.sample")


def test_an_interrupt_is_a_timeout(notebook: Any) -> None:
    notebook.run("import signal\ndef f(x):\n    while True:\n        signal.raise_signal(signal.SIGINT)")
    failure = run(notebook["f"], PLAIN, {"x": X}, seed=0).failure
    assert failure is not None
    assert failure.kind == "timeout"
    assert "still running after 0 s" in failure.message
    assert failure.line == "line 3 of f: signal.raise_signal(signal.SIGINT)"


class OddRepr:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


class LyingTensor(Tensor):
    pass


class LyingNumber(float):
    def __float__(self) -> float:
        raise ValueError


@pytest.mark.parametrize("error", [ValueError(), SystemExit(), KeyboardInterrupt(), RecursionError()])
def test_an_odd_repr_does_no_harm(error: BaseException) -> None:
    outcome = run(lambda x: OddRepr(error), PLAIN, {"x": X}, seed=0)
    assert outcome.answers["y"] == Other("OddRepr", "(its repr fails)")


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        (None, "NoneType"),
        ("text", "str"),
        ([1.0, 2.0], "list"),
        ((X, X), "tuple"),
        (X.numpy(), "ndarray"),
        (10**400, "int"),
        (1j, "complex"),
        (torch.ones(2).as_subclass(LyingTensor), "LyingTensor"),
        (torch.eye(2).to_sparse(), "Tensor"),
        (torch.ones(2, device="meta"), "Tensor"),
        (LyingNumber(1), "LyingNumber"),
        ("x" * 10**6, "str"),
    ],
)
def test_what_is_neither_tensor_nor_number_is_told_by_its_type(value: Any, type_name: str) -> None:
    answer = run(lambda x: value, PLAIN, {"x": X}, seed=0).answers["y"]
    assert isinstance(answer, Other)
    assert answer.type_name == type_name
    assert len(answer.text) <= 200


@pytest.mark.parametrize(("value", "expected"), [(True, 1.0), (3, 3.0), (2.5, 2.5), (X.double().numpy()[1], 2.0)])
def test_numbers_come_as_floats(value: Any, expected: float) -> None:
    answer = run(lambda x: value, PLAIN, {"x": X}, seed=0).answers["y"]
    assert type(answer) is float
    assert answer == expected


def test_a_parameter_is_a_tensor() -> None:
    answer = run(lambda x: torch.nn.Parameter(X), PLAIN, {"x": X}, seed=0).answers["y"]
    assert type(answer) is Tensor


def test_inputs_are_given_to_a_candidate_afresh() -> None:
    seen = []
    case = {"x": X}
    for _ in range(2):
        run(lambda x: seen.append(x) or x, PLAIN, case, seed=0)
    assert seen[0].data_ptr() != seen[1].data_ptr()
    assert all(x.data_ptr() != X.data_ptr() and not x.requires_grad for x in seen)


def test_unwrap_ends_even_where_wrapping_does_not() -> None:
    def endless(x: Any) -> Any:
        return x

    endless.__wrapped__ = endless  # type: ignore[attr-defined]
    assert unwrap(endless) is endless
    assert functions_of(endless) == [endless]


def test_functions_of_a_module_leave_torch_out(notebook: Any) -> None:
    notebook.run("from torch import nn\nclass Net(nn.Linear):\n    def forward(self, x):\n        return x")
    assert [function.__name__ for function in functions_of(notebook["Net"])] == ["forward"]


def test_an_unfilled_closure_does_no_harm(notebook: Any) -> None:
    notebook.run(
        "def make():\n    def inner(x):\n        return late\n    if False:\n        late = 1\n    return inner\nf = make()"
    )
    failure = run(notebook["f"], PLAIN, {"x": X}, seed=0).failure
    assert failure is not None
    assert failure.name == "NameError"
