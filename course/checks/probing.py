"""Run one probe on one object, where that object lives, and write down what came back. Judges nothing."""

import functools
import inspect
import linecache
import re
import time
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from course.checks.exercise import Case, Probe

TODO = re.compile(r"TODO ([\w.]+)")
WITHHELD = re.compile(r"WITHHELD ([\w.]+)")  # where students are graded, the course's own solutions are cut out


@dataclass(frozen=True)
class Other:
    """An answer that is neither a tensor nor a number."""

    type_name: str
    text: str


Answer = Tensor | float | Other


@dataclass(frozen=True)
class Failure:
    """Why a probe has no answers.

    kind: "error", "timeout", "todo" (an unwritten exercise was called) or "withheld" (the course's own solution was).
    """

    kind: str
    name: str  # the exception's type, or the exercise
    message: str
    line: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a probe saw: the answers by name, which inputs were written to, what went wrong, which fakes were called."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    edited: tuple[str, ...] = ()
    failure: Failure | None = None
    used: frozenset[str] = frozenset()


def run(
    candidate: Any,
    probe: Probe,
    case: Case,
    *,
    seed: int,
    fakes: frozenset[str] | None = None,
    device: torch.device | str = "cpu",
) -> Outcome:
    """Run the probe on the candidate with torch's generators seeded, and leave no trace behind.

    fakes: which of the probe's fakes stand in for the student's earlier exercises (default: all).
    """
    outcome, after = observe(candidate, probe, case, seed=seed, fakes=fakes, device=device)
    return replace(outcome, edited=edited_inputs(case, after))


def observe(
    candidate: Any,
    probe: Probe,
    case: Case,
    *,
    seed: int,
    fakes: frozenset[str] | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Outcome, dict[str, Tensor]]:
    """Do what run does, and return besides the case's tensors as the candidate left them: where it cannot be trusted to
    look after them, another compares."""
    used: set[str] = set()
    given = {name: _on(device, value) for name, value in case.items()}
    chosen = {name: _recorded(name, fake, used) for name, fake in probe.fakes.items() if fakes is None or name in fakes}
    started = time.monotonic()
    # Looking for GPUs, and seeding those that nobody uses, takes longer than many a probe.
    on_gpu = torch.cuda.is_initialized() or torch.device(device).type != "cpu"
    with torch.random.fork_rng(None if on_gpu else []), torch.enable_grad(), _stand_ins(candidate, chosen):
        (torch if on_gpu else torch.default_generator).manual_seed(seed)
        try:
            seen = probe.see(candidate, **given)
        except KeyboardInterrupt as stop:
            text = f"still running after {time.monotonic() - started:.0f} s, then stopped"
            return Outcome(failure=Failure("timeout", "", text, _students_line(stop, candidate)), used=frozenset(used)), {}
        except BaseException as error:  # whatever a student's code raises is an answer, never our crash
            return Outcome(failure=_failure(error, candidate), used=frozenset(used)), {}
    answers = {name: _answer(value) for name, value in seen.items()}
    after = {name: value.detach() for name, value in given.items() if isinstance(value, Tensor)}
    return Outcome(answers, used=frozenset(used)), after


def gradients(output: Any, *inputs: Tensor) -> list[Tensor]:
    """Return the gradient of an answer's sum for each input; zeros where none arrives. For probes."""
    if not isinstance(output, Tensor) or not output.requires_grad:
        return [torch.zeros_like(value) for value in inputs]
    found = torch.autograd.grad(output.sum(), inputs, allow_unused=True)
    return [torch.zeros_like(value) if grad is None else grad for value, grad in zip(inputs, found, strict=True)]


def edited_inputs(case: Case, after: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the tensors of a case that are not what they were."""
    return tuple(
        name
        for name, value in case.items()
        if isinstance(value, Tensor) and name in after and not _identical(value, after[name].to(value.device))
    )


def _recorded(name: str, fake: Callable[..., Any], used: set[str]) -> Callable[..., Any]:
    """Make a fake write down that it was called."""

    @functools.wraps(fake)
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        used.add(name)
        return fake(*args, **kwargs)

    return stand_in


def unwrap(candidate: Any) -> Any:
    """Return the function or class behind decorators, partial objects and bound methods."""
    for _ in range(100):
        if isinstance(candidate, functools.partial):
            candidate = candidate.func
        elif isinstance(candidate, types.MethodType):
            candidate = candidate.__func__
        elif hasattr(candidate, "__wrapped__"):
            candidate = candidate.__wrapped__
        else:
            break
    return candidate


def functions_of(candidate: Any) -> list[types.FunctionType]:
    """List the functions that make up a candidate: itself, what it wraps or closes over, its methods, and the functions
    of this course that it calls by name."""
    found: list[types.FunctionType] = []
    queue, seen = [candidate], set()
    while queue:
        thing = queue.pop()
        if thing is None or id(thing) in seen:
            continue
        seen.add(id(thing))
        queue.append(inspect.getattr_static(thing, "__wrapped__", None))
        if isinstance(thing, functools.partial):
            queue.append(thing.func)
        elif isinstance(thing, (types.MethodType, staticmethod, classmethod)):
            queue.append(thing.__func__)
        elif isinstance(thing, property):
            queue.append(thing.fget)
        elif isinstance(thing, type):
            for base in thing.__mro__:
                if base is not object and not base.__module__.startswith("torch."):
                    queue.extend(vars(base).values())
        elif isinstance(thing, types.FunctionType) and not _module(thing).startswith("torch."):
            found.append(thing)
            queue.extend(cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell))
            called = [thing.__globals__.get(name) for name in thing.__code__.co_names]
            queue.extend(f for f in called if isinstance(f, types.FunctionType) and _module(f).startswith("course."))
    return found


def _module(function: types.FunctionType) -> str:
    return function.__module__ or ""


@contextmanager
def _stand_ins(candidate: Any, fakes: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Put the fakes into every namespace that the candidate's functions read, and take them out again."""
    spaces = {id(function.__globals__): function.__globals__ for function in functions_of(candidate)}
    absent = object()
    kept = [(space, name, space.get(name, absent)) for space in spaces.values() for name in fakes]
    try:
        for space in spaces.values():
            space.update(fakes)
        yield
    finally:
        for space, name, value in kept:
            if value is absent:
                space.pop(name, None)
            else:
                space[name] = value


def _failure(error: BaseException, candidate: Any) -> Failure:
    if isinstance(error, NotImplementedError):
        text = text_of(error, str)
        for kind, mark in (("todo", TODO), ("withheld", WITHHELD)):
            if found := mark.match(text):
                return Failure(kind, found[1][:200], text[:500])
    message = text_of(error, str).strip() or "(no message)"
    return Failure("error", type(error).__name__, message[:500], _students_line(error, candidate))


def _students_line(error: BaseException, candidate: Any) -> str:
    """Find the last line of the student's own code that the error came through."""
    # Stand-ins, and what else the course defines, is not the student's.
    own = [function for function in functions_of(candidate) if not (function.__module__ or "").startswith("course.")]
    files = {function.__code__.co_filename for function in own}
    found = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename in files:
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            found = f"line {trace.tb_lineno - code.co_firstlineno + 1} of {code.co_name}: {line}"
        trace = trace.tb_next
    return found


def _on(device: torch.device | str, value: Any) -> Any:
    return value.detach().clone().to(device) if isinstance(value, Tensor) else value


def _answer(value: Any) -> Answer:
    try:
        if type(value) in (Tensor, torch.nn.Parameter) and value.layout == torch.strided:
            return value.detach().to("cpu", copy=True)
        if type(value) in (bool, int, float) or isinstance(value, float):  # numpy's float64 is a Python float
            return float(value)
    except Exception:  # a tensor without data, an integer beyond all floats
        pass
    return Other(type(value).__name__, text_of(value, repr)[:200])


def text_of(thing: Any, how: Callable[[Any], str]) -> str:
    """Return a text by str or repr that can be written anywhere; what a student's __str__ or __repr__ raises is let go."""
    try:
        return how(thing).encode(errors="backslashreplace").decode()
    except BaseException:
        return f"(its {how.__name__} fails)"


def _identical(before: Tensor, after: Any) -> bool:
    alike = isinstance(after, Tensor) and before.shape == after.shape and before.dtype == after.dtype
    return alike and torch.equal(before, after.detach())


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises on reading
    except ValueError:
        return False
    return True


def source_of(function: types.FunctionType) -> str | None:
    """Return a function's source, or None where Python cannot find it."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return None
