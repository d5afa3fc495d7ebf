"""Small trained models that ship with the course: `load("vae_sprites")` gives its networks, trained, in an instant.

Each has two files here: NAME.safetensors with the weights, and NAME.json, its card, which says how it was made. The recipe
that makes it is in course/checkpoints/recipes; `course train NAME` follows it again.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor

from course.training import seed_everything

Networks = dict[str, Any]  # modules, with methods of their own, by the role they play: "encoder", "G", ...
Metrics = dict[str, float]


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, and what to do about it."""


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint is made: its untrained networks, their training on a device, and how good they are then."""

    about: str  # one sentence
    data: str  # what they are trained on
    networks: Callable[[], Networks]
    train: Callable[[Networks, torch.device], None]  # in place
    measure: Callable[[Networks], Metrics]  # the same numbers from the same weights
    seed: int = 0


@dataclass(frozen=True)
class Card:
    """What is known of a checkpoint."""

    name: str
    about: str
    data: str
    recipe: str  # the module that has it
    seed: int
    seconds: float  # that training took
    device: str
    torch: str  # the version it was trained with
    metrics: Metrics
    sha256: str  # of the file of weights


def all_recipes() -> dict[str, Recipe]:
    """Return all recipes by the names of their checkpoints."""
    from course.checkpoints.recipes import RECIPES

    return RECIPES


def recipe(name: str) -> Recipe:
    """Return one recipe. Raises CheckpointError if there is none of that name."""
    found = all_recipes()
    if name not in found:
        raise CheckpointError(f"There is no checkpoint {name!r}. There are: {', '.join(sorted(found))}.")
    return found[name]


def card(name: str, folder: Path | None = None) -> Card:
    """Read a checkpoint's card. Raises CheckpointError if it is missing or damaged, or if there is no such checkpoint."""
    recipe(name)
    path = (folder or _here()) / f"{name}.json"
    try:
        return Card(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise CheckpointError(f"The card {path} is missing. {_advice(name)}") from None
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"The card {path} cannot be read ({error}). {_advice(name)}") from None


def load(name: str, folder: Path | None = None) -> Networks:
    """Return a checkpoint's networks by their roles: on the CPU, in eval mode, asking for no gradients.

    Raises CheckpointError if a file is missing or damaged, or if there is no such checkpoint.
    """
    wanted, path = card(name, folder).sha256, (folder or _here()) / f"{name}.safetensors"
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != wanted:
            raise CheckpointError(f"The checkpoint {path} is damaged: its card knows another sha256. {_advice(name)}")
        return _fill(recipe(name).networks(), read_tensors(content))
    except FileNotFoundError:
        raise CheckpointError(f"The checkpoint {path} is missing. {_advice(name)}") from None
    except (OSError, SafetensorError, RuntimeError) as error:
        first_line = str(error).splitlines()[0]
        raise CheckpointError(f"The checkpoint {path} cannot be used ({first_line}). {_advice(name)}") from None


def train(name: str, folder: Path | None = None, device: torch.device | None = None) -> Card:
    """Make a checkpoint by its recipe, write its two files, and return its card.

    Weights are kept as 16-bit floats, and the metrics are those of the networks that load() gives.
    Raises CheckpointError if there is no such checkpoint.
    """
    chosen, folder, device = recipe(name), folder or _here(), device or torch.device("cpu")
    seed_everything(chosen.seed)
    networks = {role: network.to(device) for role, network in chosen.networks().items()}
    started = perf_counter()
    chosen.train(networks, device)
    seconds = round(perf_counter() - started, 1)
    content = write_tensors(
        {
            f"{role}/{key}": (value.half() if value.is_floating_point() else value).cpu().contiguous()
            for role, network in networks.items()
            for key, value in network.state_dict().items()
        }
    )
    shipped = _fill(chosen.networks(), read_tensors(content))
    made = Card(
        name, chosen.about, chosen.data, chosen.train.__module__, chosen.seed, seconds, device.type, torch.__version__,
        chosen.measure(shipped), hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / f"{name}.safetensors", content)
    _replace(folder / f"{name}.json", (json.dumps(asdict(made), indent=1) + "\n").encode())
    return made


def _fill(networks: Networks, weights: dict[str, Tensor]) -> Networks:
    for role, network in networks.items():
        prefix = f"{role}/"
        network.load_state_dict({key[len(prefix) :]: w for key, w in weights.items() if key.startswith(prefix)})
        network.eval().requires_grad_(False)
    return networks


def _here() -> Path:
    return Path(str(files(__name__)))


def _advice(name: str) -> str:
    return f"Install the course again, or train it anew, which may take long: `course train {name}`."


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)  # a reader sees the old file or the new one, never half of one
