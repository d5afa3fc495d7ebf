"""The training loop. It knows nothing of any model: it draws a batch, calls a step, keeps what the step reports.

Stop it whenever you like (Ctrl-C, or the notebook's stop button). With a checkpoint file the next call goes on from there,
and on a CPU it ends with exactly the weights that an uninterrupted run gives.
"""

import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm.auto import tqdm

Batches = Callable[[torch.Generator], Any]
History = dict[str, list[float]]


def pick_device() -> torch.device:
    """Choose the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every device)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def minibatches(images: Tensor, batch_size: int = 64) -> Batches:
    """Make a source of random batches out of a tensor of images (N, ...), for fit; drawn with replacement."""

    def draw(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(images), (batch_size,), generator=generator)
        return images[chosen.to(images.device)]

    return draw


def fit(
    step: Callable[[Any], Mapping[str, float]],
    batches: Batches,
    steps: int,
    *,
    state: Mapping[str, Any] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    save_every: int = 500,
    seed: int = 0,
    decay: bool = False,
    device: torch.device | None = None,
    description: str = "training",
    progress: bool = True,
) -> History:
    """Call step on a fresh batch, steps times, and return what it reported: name -> one number for each step.

    step: takes a batch (moved to the device), makes one update, returns named floats. batches: takes the seeded
    generator, returns a tensor or a tuple of tensors. state: what a checkpoint holds, {"model": model, "optimizer":
    optimizer}: anything with state_dict and load_state_dict. checkpoint: a file, written every save_every steps, at the end
    and when the user stops. decay: lower the learning rate of the optimizers in state linearly to zero.
    Raises ValueError if the checkpoint is damaged or belongs to another run.
    """
    state = dict(state or {})
    if (checkpoint is not None or decay) and not state:
        raise ValueError("checkpoint= and decay= need state={'model': model, 'optimizer': optimizer}")
    path = None if checkpoint is None else Path(checkpoint)
    device = device or pick_device()
    seed_everything(seed)
    generator = torch.Generator().manual_seed(seed)
    history: History = {}
    done = 0
    if path is not None and path.exists():
        done, history = _load(path, state, generator, {"steps": steps, "seed": seed})

    with (
        _stop_request() as stop_requested,
        tqdm(total=steps, initial=done, desc=description, disable=not progress, leave=False) as bar,
    ):
        while done < steps and not stop_requested():
            if decay:
                _set_learning_rate(state, 1 - done / steps)
            for name, value in step(_to(batches(generator), device)).items():
                history.setdefault(name, []).append(value)
            done += 1
            bar.update()
            if done % 50 == 0:
                bar.set_postfix({name: f"{values[-1]:.3g}" for name, values in history.items()}, refresh=False)
            if path is not None and done % save_every == 0:
                _save(path, state, generator, {"steps": steps, "seed": seed}, done, history)
    if path is not None:
        _save(path, state, generator, {"steps": steps, "seed": seed}, done, history)
    if done < steps:
        kept = f"saved in {path}; call again to go on" if path else "the model keeps what it has learned so far"
        print(f"Stopped after {done} of {steps} steps ({kept}).")
    return history


@contextmanager
def _stop_request() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a polite request, so that no step is cut in half; the second one interrupts."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield asked.is_set
        return
    previous = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, previous)


def _to(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device)
    return tuple(part.to(device) for part in batch)


def _set_learning_rate(state: Mapping[str, Any], fraction: float) -> None:
    for part in state.values():
        if isinstance(part, torch.optim.Optimizer):
            for group in part.param_groups:
                group.setdefault("initial_lr", group["lr"])
                group["lr"] = group["initial_lr"] * fraction


def _save(
    path: Path, state: Mapping[str, Any], generator: torch.Generator, run: dict[str, int], done: int, history: History
) -> None:
    tensors: dict[str, Tensor] = {"generator": generator.get_state(), "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    skeleton = _pack({name: part.state_dict() for name, part in state.items()}, tensors, "state")
    notes = {"run": run, "done": done, "history": history, "state": skeleton}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    save_file(tensors, unfinished, metadata={"course": json.dumps(notes)})
    os.replace(unfinished, path)  # a reader sees the old file or the new one, never half of one


def _load(path: Path, state: Mapping[str, Any], generator: torch.Generator, run: dict[str, int]) -> tuple[int, History]:
    advice = f"Delete {path} to start again, or give checkpoint= another name."
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads(file.metadata()["course"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        found, done, history = dict(notes["run"]), int(notes["done"]), dict(notes["history"])
        saved = _unpack(notes["state"], tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The checkpoint {path} is damaged ({error}). {advice}") from None
    if found != run or set(saved) != set(state):
        raise ValueError(f"The checkpoint {path} is of another run: it has {found}, this one has {run}. {advice}")
    try:
        for name, part in state.items():
            part.load_state_dict(saved[name])
        generator.set_state(tensors["generator"])
        torch.set_rng_state(tensors["torch"])
        if "cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["cuda"])
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        first_line = str(error).splitlines()[0]
        raise ValueError(f"The checkpoint {path} does not fit this model ({first_line}). {advice}") from None
    return done, history


def _pack(value: Any, tensors: dict[str, Tensor], name: str) -> Any:
    """Split a nested state dict into flat tensors and a JSON skeleton that says where each belongs."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, Mapping):  # pairs, because JSON would turn the optimizer's integer keys into strings
        return {"pairs": [[key, _pack(item, tensors, f"{name}.{key}")] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [_pack(item, tensors, f"{name}.{i}") for i, item in enumerate(value)]}
    return {"value": value}


def _unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    ((kind, content),) = packed.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "pairs":
        return {key: _unpack(item, tensors) for key, item in content}
    if kind == "list":
        return [_unpack(item, tensors) for item in content]
    return content
