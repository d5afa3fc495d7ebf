"""Faces that nobody has drawn: a riddle, a walk from one to another, and faces to order."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from course.checkpoints import load
from course.checkpoints.recipes.gans import NOISE, draw_faces, with_labels
from course.data.faces import MOUTHS
from course.demos.board import Board
from course.demos.canvas import Canvas
from course.demos.demo import Button, Choice, Demo, Picture, Slider, Toggle, Values
from course.gan import interpolate
from course.plots import COLOURS

BLUE, ORANGE, GREEN, RED = COLOURS[:4]
HAIR = ("black", "dark brown", "brown", "copper", "blond", "grey")  # as course.data.faces.HAIRS


def noise(n: int, seed: int) -> Tensor:
    """Draw n noise vectors (n, 64), the same ones for the same seed."""
    return torch.randn(n, NOISE, generator=torch.Generator().manual_seed(seed))


def seen(images: Tensor) -> Tensor:
    """Bring images from [-1, 1] to [0, 1]."""
    return (images + 1) / 2


# -------------------------------------------------------------------------------------------------------- riddle


GRAIN = 0.04  # the noise on all three faces: without it a fake's own is what tells


class Riddles(NamedTuple):
    """Faces for the riddle, (n, 3, 32, 32) in [0, 1]."""

    reals: Tensor
    fakes: Tensor


class Score(NamedTuple):
    """Where the quiz is."""

    number: int = 0  # of the round
    picked: int | None = None  # in this round: 0, 1 or 2
    right: int = 0
    answered: int = 0


def prepare_riddles() -> Riddles:
    """Draw real faces; and let the conditional GAN make 20 fakes of each kind, of which the most real-looking is kept."""
    images, kinds = draw_faces(480, seed=3)
    reals, made = seen(images), seen(load("cgan_faces")["G"](with_labels(noise(480, seed=0), kinds)))
    to_nearest = torch.cdist(made.flatten(1), reals.flatten(1)).min(dim=1).values
    best = to_nearest.reshape(20, 24).argmin(dim=0) * 24 + torch.arange(24)  # the kinds come in turn
    return Riddles(reals, made[best])


def riddle(faces: Riddles, number: int) -> tuple[Tensor, int]:
    """Make the riddle of that number: three faces (3, 3, 32, 32), as by one grainy camera, and the place of the fake."""
    generator = torch.Generator().manual_seed(number)
    chosen = torch.randint(len(faces.reals), (2,), generator=generator)
    place = int(torch.randint(3, (), generator=generator))
    three = [*faces.reals[chosen]]
    three.insert(place, faces.fakes[7 * number % len(faces.fakes)])
    grain = GRAIN * torch.randn(3, *three[0].shape, generator=generator)
    return (torch.stack(three) + grain).clamp(0, 1), place


def begin_riddle(faces: Riddles, values: Values) -> Score:
    """Begin with the first round."""
    return Score()


def act_riddle(faces: Riddles, score: Score, name: str, values: Values) -> Score:
    """Take an answer, the first in a round; or go on to the next round."""
    if name == "next":
        return score._replace(number=score.number + 1, picked=None)
    if score.picked is not None:
        return score
    picked = "ABC".index(name)
    right = picked == riddle(faces, score.number)[1]
    return score._replace(picked=picked, right=score.right + right, answered=score.answered + 1)


def render_riddle(faces: Riddles, state: Score) -> Picture:
    """Draw three faces; and once one has been picked, which of them is fake."""
    three, fake = riddle(faces, state.number)
    board = Board(960, 380)
    for i in range(3):
        (place,) = board.row(40 + 310 * i, 44, three[i : i + 1], 8)
        board.write(168 + 310 * i, 22, "ABC"[i], 26, "mm")
        if state.picked is not None:
            board.frame(place, RED if i == fake else GREEN, 8 if i == fake else 4)
            told = "made up by a GAN" if i == fake else "drawn by the renderer"
            board.write(168 + 310 * i, 328, told + ("  (your pick)" if i == state.picked else ""), 18, "mm")
    score = f"{state.right} of {state.answered} right; by chance one expects {state.answered / 3:.1f}."
    if state.answered == 0:
        score = "No answer yet."
    board.write(480, 362, f"Round {state.number + 1}.  {score}", 18, "mm")
    if state.picked is None:
        return board.picture(f"Round {state.number + 1}: three faces, A, B and C. One of them is made up. {score}")
    verdict = "Right" if state.picked == fake else "No"
    return board.picture(f"Round {state.number + 1}: {verdict}, the fake is {'ABC'[fake]}. {score}")


RIDDLE = Demo(
    name="riddle",
    title="Which face is fake?",
    idea="The opening riddle: samples of a good generative model cannot be told from the data (labs 0 and 4).",
    tries="Let the class vote before you press a button, for five rounds, and compare the score with chance. "
    "Then ask what gave the fakes away: each is the best of 20, and all three faces were made grainy; was that fair?",
    controls=[Button("A", "A is fake"), Button("B", "B is fake"), Button("C", "C is fake"), Button("next", "Next round")],
    prepare=prepare_riddles,
    render=render_riddle,
    begin=begin_riddle,
    act=act_riddle,
)


# -------------------------------------------------------------------------------------------------- interpolation


class Walk(NamedTuple):
    """What the interpolation demo prepares."""

    G: Any
    canvas: Canvas
    lines: list[Any]  # straight, arc
    point: Any


def prepare_walk() -> Walk:
    """Load the GAN, and draw the axes with the band of usual lengths."""
    canvas = Canvas(400, 300)
    ax = canvas.figure.subplots()
    usual = noise(20_000, seed=0).norm(dim=1).quantile(torch.tensor([0.01, 0.99])).tolist()
    ax.axhspan(*usual, color="black", alpha=0.12, label="98 % of random draws")
    lines = [ax.plot([], [], color=BLUE, linestyle="--", label="straight")[0]]
    lines += ax.plot([], [], color=GREEN, label="along the arc")
    (point,) = ax.plot([], [], "o", color=RED, markersize=11)
    ax.set(title="How long is the noise vector?", xlabel="position", ylabel="length", xlim=(0, 1), ylim=(0, 11))
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="lower center")
    canvas.moving(*lines, point)
    return Walk(load("gan_faces")["G"], canvas, lines, point)


def render_walk(prepared: Walk, first: int, last: int, position: float, spherical: bool) -> Picture:
    """Draw the face on the way from one noise vector to another, the whole way under it, and the vector's length."""
    ends = noise(1, first)[0], noise(1, last)[0]
    ways = [interpolate(*ends, 101, spherical=arc) for arc in (False, True)]
    for line, way in zip(prepared.lines, ways, strict=True):
        line.set_data(torch.linspace(0, 1, 101), way.norm(dim=1))
    way, here = ways[spherical], round(100 * position)
    length = way[here].norm().item()
    prepared.point.set_data([position], [length])
    images = seen(prepared.G(torch.cat([way[::10], way[here : here + 1]])))
    board = Board(1000, 440)
    board.row(8, 96, images[:1], 4)
    board.row(152, 32, images[-1:], 8)
    board.row(424, 96, images[10:11], 4)
    for x, words in ((72, f"seed {first}"), (280, f"position {position:.2f}"), (488, f"seed {last}")):
        board.write(x, 308 if x == 280 else 242, words, 17, "mm")
    board.paste(590, 10, prepared.canvas.picture("").pixels)
    strip = board.row(130, 350, images[:11], 2)
    here_x = strip[0][0] + 32 + position * (strip[-1][0] - strip[0][0])
    board.draw.polygon([(here_x - 8, 334), (here_x + 8, 334), (here_x, 346)], fill=RED)
    board.write(122, 382, "the whole way", 16, "rm")
    return board.picture(
        f"Position {position:.2f} from seed {first} to seed {last}, {'along the arc' if spherical else 'straight'}: "
        f"the noise vector is {length:.1f} long; half of the way straight it is {ways[0][50].norm():.1f}."
    )


WALK = Demo(
    name="interpolation",
    title="GAN interpolation",
    idea="A GAN transforms distributions: noise becomes a face, and a walk in noise a walk in faces (lab 4).",
    tries="Drag the position slowly: does anything jump, or does every step look like a face? "
    "Then switch the arc on and off half of the way: only the length of the noise vector changes, and what in the face?",
    controls=[
        Slider("position", "Position", 0.0, 1.0, 0.01, 0.5),
        Slider("first", "First seed", 0, 99, 1, 32),
        Slider("last", "Last seed", 0, 99, 1, 33),
        Toggle("spherical", "Along the arc (spherical)", False),
    ],
    prepare=prepare_walk,
    render=render_walk,
)


# ----------------------------------------------------------------------------------------------------- conditional


class Orders(NamedTuple):
    """What the conditional demo prepares."""

    G: Any
    classifier: Any


def prepare_orders() -> Orders:
    """Load the conditional GAN, and the classifier that says what it sees."""
    return Orders(load("cgan_faces")["G"], load("face_classifier")["classifier"])


def render_orders(prepared: Orders, hair: str, mouth: str, seed: int) -> Picture:
    """Draw twelve fakes of the kind that was asked for; and with one noise vector all 24 kinds."""
    asked = torch.tensor([HAIR.index(hair), list(MOUTHS).index(mouth)])
    z = noise(12, seed)
    all_kinds = torch.cartesian_prod(torch.arange(6), torch.arange(4))
    labels = torch.cat([asked.expand(12, 2), all_kinds])
    fakes = prepared.G(with_labels(torch.cat([z, z[:1].expand(24, -1)]), labels))
    named = prepared.classifier(fakes[:12]).argmax(dim=1)
    obeyed = [int((named // 4 == asked[0]).sum()), int((named % 4 == asked[1]).sum())]
    board = Board(1000, 450)
    board.write(8, 4, f"hair: {hair};  mouth: {mouth}", 18)
    for row in range(3):
        board.row(8, 34 + 134 * row, seen(fakes[4 * row : 4 * row + 4]), 4)
    board.write(565, 4, "the first one's noise, all 24 kinds", 18)
    for row, words in enumerate(MOUTHS):
        places = board.row(566, 34 + 100 * row, seen(fakes[12 + row :: 4]), 2)
        board.write(566, 34 + 100 * row + 68, words, 15)
        if words == mouth:
            board.frame(places[HAIR.index(hair)], RED)
    return board.picture(
        f"Asked for: hair {hair}, mouth {mouth}. A classifier finds that hair in {obeyed[0]} of 12 fakes, "
        f"and that mouth in {obeyed[1]}."
    )


ORDERS = Demo(
    name="conditional",
    title="Conditional GAN",
    idea="Conditional GAN: tell both players the class, and the generator must draw what it is asked for (lab 4).",
    tries="Hold the seed and change the hair: what stays the same in the twelve faces, and so must come from the noise? "
    "Then hold the class and change the seed: how much variety is left within a class?",
    controls=[
        Choice("hair", "Hair", HAIR, "copper"),
        Choice("mouth", "Mouth", list(MOUTHS), "open, smiles"),
        Slider("seed", "Seed", 0, 99, 1, 0),
    ],
    prepare=prepare_orders,
    render=render_orders,
)

DEMOS = (RIDDLE, WALK, ORDERS)
