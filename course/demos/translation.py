"""Pictures turned into other pictures: a painted label map into a scene, and day into night and back."""

from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from course.checkpoints import load
from course.checkpoints.recipes.translation import CELLS, enlarged_one_hot
from course.data.scenes import CLASSES, PAINT, label_maps, render_scenes, sample_scenes
from course.demos.board import Board
from course.demos.demo import Choice, Demo, Paint, Picture, Slider
from course.metrics import psnr
from course.plots import COLOURS

RED = COLOURS[3]


def seen(images: Tensor) -> Tensor:
    """Bring images from [-1, 1] to [0, 1]."""
    return (images + 1) / 2


# ------------------------------------------------------------------------------------------------------- pix2pix


def first_map() -> NDArray:
    """Give the label map of a scene, to be painted over: (16, 16) class numbers."""
    cells: NDArray = label_maps(sample_scenes(1, torch.Generator().manual_seed(4)), CELLS)[0].numpy()
    return cells


def prepare_painting() -> Any:
    """Load the generator."""
    return load("pix2pix_scenes")["G"]


def render_painting(G: Any, cells: NDArray) -> Picture:
    """Draw the painted label map, and the scene that the generator makes of it."""
    labels = torch.as_tensor(cells)
    colours = torch.tensor([PAINT["labels"][name] for name in CLASSES])
    scene = G(enlarged_one_hot(labels[None]))  # (1, 3, 32, 32)
    board = Board(1000, 420)
    (box,) = board.row(20, 44, colours[labels].permute(2, 0, 1)[None], 22)
    board.row(410, 44, seen(scene), 11)
    board.write(196, 22, "you paint", 19, "mm")
    board.write(586, 22, "the generator draws", 19, "mm")
    shares = torch.bincount(labels.flatten(), minlength=len(CLASSES)) / labels.numel()
    for row, (name, share) in enumerate(zip(CLASSES, shares.tolist(), strict=True)):
        top = 56 + 40 * row
        colour = "#" + "".join(f"{round(255 * part):02x}" for part in PAINT["labels"][name])
        board.draw.rectangle((800, top, 828, top + 28), fill=colour, outline="black")
        board.write(840, top + 14, f"{name}  {share:.0%}", 18, "lm")
    painted = ", ".join(f"{name} {share:.0%}" for name, share in zip(CLASSES, shares.tolist(), strict=True) if share > 0)
    return board.picture(f"Painted: {painted}. Beside it the scene that the generator draws for it.", [box])


PAINTING = Demo(
    name="pix2pix",
    title="pix2pix",
    idea="Paired translation: in training the generator saw a label map with each scene (lab 5).",
    tries="Paint another house, then sky below the grass: what does the generator do with a map that no scene has? "
    "Real walls have four colours, and the real sun may stand anywhere: where does the generator put it, and why?",
    controls=[Paint("cells", "Brush", CLASSES, first_map())],
    prepare=prepare_painting,
    render=render_painting,
)


# ------------------------------------------------------------------------------------------------------ CycleGAN


class Cycle(NamedTuple):
    """What the CycleGAN demo prepares: for each style the same 12 scenes, and the generator that leaves it."""

    scenes: dict[str, Tensor]  # (12, 3, 32, 32) in [-1, 1]
    leave: dict[str, Any]


def prepare_cycle() -> Cycle:
    """Load both generators, and draw the scenes by day and at night."""
    networks = load("cyclegan_scenes")
    factors = sample_scenes(12, torch.Generator().manual_seed(7))
    scenes = {style: render_scenes(factors, style) for style in ("day", "night")}
    return Cycle(scenes, {"day": networks["day_to_night"], "night": networks["night_to_day"]})


def render_cycle(prepared: Cycle, direction: str, scene: int) -> Picture:
    """Draw a scene, its translation, the way back, and the true counterpart; below, all twelve scenes."""
    style, other = direction.split(" to ")
    here, truth = prepared.scenes[style], prepared.scenes[other]
    there = prepared.leave[style](here)
    one = slice(scene - 1, scene)
    back = prepared.leave[other](there[one])
    right, cycle = psnr(there[one], truth[one]).item(), psnr(back, here[one]).item()
    board = Board(1000, 450)
    shown = {
        f"real {style}": here[one],
        f"translated to {other}": there[one],
        f"and back to {style}": back,
        f"true {other}": truth[one],
    }
    for column, (words, image) in enumerate(shown.items()):
        board.row(8 + 248 * column, 34, seen(image), 7)
        board.write(120 + 248 * column, 16, words, 18, "mm")
    board.write(120 + 248, 272, f"PSNR {right:.1f} dB", 16, "mm")
    board.write(120 + 496, 272, f"PSNR {cycle:.1f} dB", 16, "mm")
    places = board.row(174, 300, seen(there), 2)
    board.row(174, 368, seen(truth), 2)
    board.frame((*places[scene - 1][:2], places[scene - 1][2], 432), RED)
    board.write(164, 332, "translated", 16, "rm")
    board.write(164, 400, f"true {other}", 16, "rm")
    return board.picture(
        f"Scene {scene}, {direction}: PSNR {right:.1f} dB to the true counterpart, which no training step has seen; "
        f"there and back again {cycle:.1f} dB to the real picture."
    )


CYCLE = Demo(
    name="cyclegan",
    title="CycleGAN",
    idea="Unpaired translation: the way there and back must give the picture again (lab 5).",
    tries="Go through the scenes and compare each translation with the true counterpart: which parts are wrong, and always "
    "in the same way? Then turn the direction round: what has to be invented from the dark?",
    controls=[
        Choice("direction", "Direction", ["day to night", "night to day"], "day to night"),
        Slider("scene", "Scene", 1, 12, 1, 1),
    ],
    prepare=prepare_cycle,
    render=render_cycle,
)

DEMOS = (PAINTING, CYCLE)
