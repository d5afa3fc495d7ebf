"""Frames between the grader and the process that holds a student's code: a JSON header and tensors, nothing that runs.

A frame is two lengths (little-endian, 4 bytes each), the header in JSON, and the tensors as safetensors. Both sides use this
file, but only the grader depends on it: what it reads was perhaps written by the student's code.
"""

import json
import math
import os
import select
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from course.checks.exercise import Case
from course.checks.probing import Answer, Failure, Other, Outcome

LENGTHS = struct.Struct("<II")
MAX_HEADER, MAX_TENSORS, ROOM_FOR_ANSWERS = 4 << 20, 64 << 20, 32 << 20  # bytes; the last for the answers in a frame
MAX_TEXT, MAX_ANSWERS, MAX_DIMENSIONS = 2_000, 1_000, 32
KINDS = ("error", "timeout", "todo", "withheld")
DTYPES = {
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
}  # fmt: skip

Tensors = Mapping[str, Tensor]


class WireError(Exception):
    """What came is not what the other side may send."""


class Closed(Exception):
    """The other side is gone."""


class Late(Exception):
    """No whole frame came in time."""


def pack(header: Mapping[str, Any], tensors: Tensors | None = None) -> bytes:
    """Return one frame. Raises WireError if it is larger than the other side would take."""
    head = json.dumps(header, allow_nan=False, ensure_ascii=False).encode("utf-8", "replace")  # no lone surrogates
    body = safetensors.torch.save(dict(tensors)) if tensors else b""
    if len(head) > MAX_HEADER or len(body) > MAX_TENSORS:
        raise WireError(f"a frame of {len(head) + len(body)} bytes is too large")
    return LENGTHS.pack(len(head), len(body)) + head + body


def unpack(head: bytes, body: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a frame's header and tensors. Raises WireError."""
    try:
        header = json.loads(head, parse_constant=_refuse)
        tensors = safetensors.torch.load(body) if body else {}
    except (ValueError, RecursionError, SafetensorError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        raise WireError(f"a frame that cannot be read: {type(error).__name__}") from None
    if type(header) is not dict:
        raise WireError("a header that is no object")
    return header, tensors


def send(fd: int, frame: bytes, deadline: float = math.inf) -> None:
    """Write a frame; for a deadline the descriptor must not block. Raises Closed if nobody reads any more, or Late."""
    view = memoryview(frame)
    while view:
        _wait(fd, select.POLLOUT, deadline)
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None


def receive(fd: int, deadline: float = math.inf) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read one frame; deadline: on time.monotonic's clock. Raises WireError, Closed or Late."""
    head_size, body_size = LENGTHS.unpack(_read(fd, LENGTHS.size, deadline))
    if head_size > MAX_HEADER or body_size > MAX_TENSORS:
        raise WireError(f"a frame of {head_size + body_size} bytes")
    return unpack(_read(fd, head_size, deadline), _read(fd, body_size, deadline))


def is_waiting(fd: int, seconds: float = 0) -> bool:
    """Say whether something can be read within so many seconds."""
    return _poll(fd, select.POLLIN, seconds)


def _read(fd: int, size: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        _wait(fd, select.POLLIN, deadline)
        try:
            part = os.read(fd, min(size - len(parts), 1 << 20))
        except BlockingIOError:
            continue
        except ConnectionResetError:
            part = b""
        if not part:
            raise Closed
        parts += part
    return bytes(parts)


def _wait(fd: int, event: int, deadline: float) -> None:
    left = None if deadline == math.inf else deadline - time.monotonic()
    if (left is not None and left <= 0) or not _poll(fd, event, left):
        raise Late


def _poll(fd: int, event: int, seconds: float | None) -> bool:
    poll = select.poll()  # select knows no descriptor above 1023
    poll.register(fd, event)
    return bool(poll.poll(None if seconds is None else 1000 * seconds))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


# ---------------------------------------------------------------------------------------------------- cases and outcomes


def pack_cases(cases: Sequence[Case]) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """Split cases into what goes into a header and what goes as tensors."""
    plain = [{name: _plain(value) for name, value in case.items() if not isinstance(value, Tensor)} for case in cases]
    tensors = {
        f"{number} {name}": value.detach().contiguous().clone()
        for number, case in enumerate(cases)
        for name, value in case.items()
        if isinstance(value, Tensor)
    }
    return plain, tensors


def unpack_cases(plain: Sequence[Mapping[str, Any]], tensors: Tensors) -> list[Case]:
    """Put cases together again."""
    return [
        {name: _value(value) for name, value in rest.items()} | _numbered(tensors, f"{number} ")
        for number, rest in enumerate(plain)
    ]


def _numbered(tensors: Tensors, start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return {type(value).__name__: [_plain(item) for item in value]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    kind = type(value).__name__
    raise TypeError(f"a case may hold tensors, numbers, texts, and lists and tuples of these, not {kind}")


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    (kind, content), = value.items()
    if kind == "float":
        return float(content)
    items = [_value(item) for item in content]
    return tuple(items) if kind == "tuple" else items


def pack_outcomes(outcomes: Sequence[tuple[Outcome, Tensors]], noticed: list[str]) -> bytes:
    """Return the frame for what a probe saw in each case, each with the case's tensors as they are afterwards, and for what
    was noticed."""
    headers, tensors, room = [], dict[str, Tensor](), ROOM_FOR_ANSWERS
    for number, (outcome, after) in enumerate(outcomes):
        kinds: dict[str, Any] = {}
        tensors |= {f"{number} after {name}": value.to("cpu").contiguous().clone() for name, value in after.items()}
        for name, answer in outcome.answers.items():
            kinds[name], tensor = _sendable(answer, room)
            if tensor is not None:
                tensors[f"{number} answer {name}"] = tensor
                room -= tensor.nbytes
        failure = outcome.failure
        headers.append(
            {
                "answers": kinds,
                "failure": failure and [failure.kind, failure.name[:200], failure.message[:500], failure.line[:500]],
                "used": sorted(outcome.used),
            }
        )
    return pack({"outcomes": headers, "noticed": noticed}, tensors)


def _sendable(answer: Answer, room: int) -> tuple[Any, Tensor | None]:
    """Return what the header says of an answer, and what goes as a tensor, if there is room for so many bytes."""
    if isinstance(answer, float):
        return "number", torch.tensor(answer, dtype=torch.float64)
    if isinstance(answer, Other):
        return [answer.type_name[:200], answer.text[:200]], None
    if not _can_be_sent(answer):
        return [f"tensor of {answer.dtype}".replace("torch.", ""), ""], None
    if answer.nbytes > room:
        return [f"tensor of shape {tuple(answer.shape)}, too large to be looked at", ""], None
    return "tensor", answer.contiguous().clone()  # two may share memory


def _can_be_sent(answer: Tensor) -> bool:
    try:
        answer.contiguous().numpy() if answer.dtype != torch.bfloat16 else answer.contiguous()
    except Exception:  # nested tensors and other exotic ones
        return False
    return answer.dtype in DTYPES and answer.ndim <= MAX_DIMENSIONS


def read_outcomes(
    header: Any, tensors: Tensors, fakes: Mapping[str, Any], cases: int
) -> tuple[list[tuple[Outcome, dict[str, Tensor]]], list[str]]:
    """Read what pack_outcomes wrote for so many cases, and believe nothing of it. Raises WireError.

    fakes: the stand-ins that the probe has; only these can have been used.
    """
    if type(header) is not dict or set(header) != {"outcomes", "noticed"}:
        raise WireError("a header with other fields")
    headers, noticed = header["outcomes"], header["noticed"]
    if type(headers) is not list or not 0 < len(headers) <= cases:
        raise WireError("more or fewer outcomes than cases")
    if not is_texts(noticed):
        raise WireError("notices of another form")
    if any(value.dtype not in DTYPES or value.ndim > MAX_DIMENSIONS for value in tensors.values()):
        raise WireError("a tensor of a kind that is never sent")
    outcomes = [_outcome(each, _numbered(tensors, f"{number} "), fakes) for number, each in enumerate(headers)]
    if len(outcomes) < cases and not outcomes[-1][0].failure:
        raise WireError("a case without an outcome")
    return outcomes, noticed


def _outcome(header: Any, tensors: Tensors, fakes: Mapping[str, Any]) -> tuple[Outcome, dict[str, Tensor]]:
    if type(header) is not dict or set(header) != {"answers", "failure", "used"}:
        raise WireError("an outcome with other fields")
    kinds, failure, used = header["answers"], header["failure"], header["used"]
    if type(kinds) is not dict or len(kinds) > MAX_ANSWERS or not is_texts(used) or not set(used) <= set(fakes):
        raise WireError("an outcome of another form")
    found = _numbered(tensors, "answer ")
    answers: dict[str, Answer] = {}
    for name, kind in kinds.items():
        if kind in ("number", "tensor") and name not in found:
            raise WireError("an answer that is announced and does not come")
        if kind == "tensor":
            answers[name] = found[name]
        elif kind == "number" and found[name].dtype == torch.float64 and found[name].shape == ():
            answers[name] = float(found[name])
        elif is_texts(kind) and len(kind) == 2:
            answers[name] = Other(*kind)
        else:
            raise WireError("an answer of no known kind")
    if failure is not None and not (is_texts(failure) and len(failure) == 4 and failure[0] in KINDS):
        raise WireError("a failure of another form")
    return Outcome(answers, failure=failure and Failure(*failure), used=frozenset(used)), _numbered(tensors, "after ")


def is_texts(value: Any) -> bool:
    """Say whether a value is a list of texts that are not too long."""
    return type(value) is list and all(is_text(text) for text in value)


def is_text(value: Any, longest: int = MAX_TEXT) -> bool:
    """Say whether a value is a text that is not too long and can be written anywhere: no lone surrogates."""
    if type(value) is not str or len(value) > longest:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
