"""Two demos of lab 4: a GAN on a line beside the perfect discriminator, and one on a ring of eight modes."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from course.demos.canvas import Canvas, area
from course.demos.demo import Button, Demo, Picture, Play, Slider, Toggle, Values
from course.gan import discriminator_loss, discriminator_step, generator_step, optimal_discriminator, r1_penalty
from course.plots import COLOURS

BLUE, ORANGE, GREEN, RED = COLOURS[:4]
LINE = torch.linspace(-4.5, 4.5, 361)
REALS = Normal(2.0, 0.5)  # on the line
ANGLES = torch.arange(8) * math.pi / 4
MODES = 2 * torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)  # on the ring
PER_FRAME = 10  # rounds between two pictures: one step of D and one of G each
MEMORY = 2000  # rounds that a curve shows


@dataclass
class Game:
    """Two networks at play, and the number that was measured at each frame."""

    seed: int
    G: nn.Module
    D: nn.Module
    of_g: torch.optim.Optimizer
    of_d: torch.optim.Optimizer
    random: torch.Generator
    measured: list[float] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        """How many rounds were played."""
        return PER_FRAME * (len(self.measured) - 1)

    def curve(self) -> tuple[range, list[float]]:
        """Return what was measured lately, at rounds from -MEMORY to 0."""
        lately = self.measured[-MEMORY // PER_FRAME - 1 :]
        return range(PER_FRAME * (1 - len(lately)), 1, PER_FRAME), lately


def new_game(seed: int, G: nn.Module, D: nn.Module, rate: float, betas: tuple[float, float]) -> Game:
    """Begin a game of networks that have just been made."""
    of_g, of_d = (torch.optim.Adam(net.parameters(), lr=rate, betas=betas) for net in (G, D))
    return Game(seed, G, D, of_g, of_d, torch.Generator().manual_seed(seed))


def network(inputs: int, outputs: int, hidden: int, activation: type[nn.Module]) -> nn.Sequential:
    """Make a network with two hidden layers."""
    layers = [nn.Linear(inputs, hidden), activation(), nn.Linear(hidden, hidden), activation()]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))


class LineFigure:
    """The figure of the game on the line, and what moves in it."""

    def __init__(self) -> None:
        self.canvas = Canvas()
        left, right = self.canvas.figure.subplots(1, 2, width_ratios=(5, 2))
        left.fill_between(LINE, REALS.log_prob(LINE).exp(), color=BLUE, alpha=0.3, label="p of the reals")
        (self.fakes,) = left.fill([], [], color=ORANGE, alpha=0.4, hatch="//", label="p of the fakes")
        (self.perfect,) = left.plot([], [], "--", color="black", label="perfect D")
        (self.says,) = left.plot([], [], color=GREEN, linewidth=2.5, label="D")
        (self.real_dots,) = left.plot([], [], "o", color=BLUE, alpha=0.5, markersize=6, label="real")
        (self.fake_dots,) = left.plot([], [], "s", color=ORANGE, alpha=0.6, markersize=6, label="fake")
        left.set(title="The game on a line", xlabel="x", ylabel="D(x), and density", xlim=(-4.5, 4.5), ylim=(-0.16, 1.5))
        left.set_yticks([0, 0.5, 1])
        left.legend(frameon=False, loc="upper center", ncols=3)
        (self.paid,) = right.plot([], [], color=GREEN)
        right.axhline(math.log(4), color="black", linestyle=":")
        right.text(-MEMORY, math.log(4) + 0.03, " log 4: D knows nothing")
        right.set(title="What D pays", xlabel="rounds ago", ylabel="nats", xlim=(-MEMORY, 0), ylim=(0, 2))
        right.set_xticks([-MEMORY, -MEMORY // 2, 0], [str(MEMORY), str(MEMORY // 2), "0"])
        self.gone = left.text(0, -0.06, "", color=ORANGE, va="center", weight="bold")
        self.canvas.moving(self.fakes, self.perfect, self.says, self.real_dots, self.fake_dots, self.gone, self.paid)
        self.noise = torch.randn(60, 1, generator=torch.Generator().manual_seed(1))  # the same in every picture


def begin_line(figure: LineFigure, values: Values, seed: int = 0) -> Game:
    """Begin with fakes near -2, and a D that has not learned yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        G, D = nn.Linear(1, 1), network(1, 1, 32, nn.Tanh)
    nn.init.constant_(G.weight, 0.5)
    nn.init.constant_(G.bias, -2.0)
    game = new_game(seed, G, D, 1e-2, (0.5, 0.99))
    x, x_hat = REALS.mean + REALS.stddev * figure.noise, G(figure.noise)
    game.measured.append(discriminator_loss(D(x), D(x_hat)).item())
    return game


def play_line(figure: LineFigure, game: Game, name: str, values: Values) -> Game:
    """Play some rounds, at the learning rates that the sliders say; or begin anew by another seed."""
    if name == "other":
        return begin_line(figure, values, game.seed + 1)
    game.of_d.param_groups[0]["lr"], game.of_g.param_groups[0]["lr"] = values["rate_d"], values["rate_g"]
    paid = 0.0
    for _ in range(PER_FRAME):
        x = REALS.mean + REALS.stddev * torch.randn(256, 1, generator=game.random)
        paid += discriminator_step(game.G, game.D, x, torch.randn(256, 1, generator=game.random), game.of_d)
        generator_step(game.G, game.D, torch.randn(256, 1, generator=game.random), game.of_g)
    game.measured.append(paid / PER_FRAME)
    return game


def render_line(figure: LineFigure, rate_d: float, rate_g: float, state: Game) -> Picture:
    """Draw reals, fakes, what D says and what the perfect D would say, and what D paid."""
    with torch.no_grad():
        made, says = state.G(figure.noise)[:, 0], state.D(LINE[:, None]).sigmoid()[:, 0]
    weight, bias = (parameter.item() for parameter in state.G.parameters())
    p_data, p_model = REALS.log_prob(LINE).exp(), Normal(bias, max(abs(weight), 1e-3)).log_prob(LINE).exp()
    perfect = optimal_discriminator(p_data, p_model)
    figure.fakes.set_xy(area(LINE, p_model))
    figure.perfect.set_data(LINE.numpy(), perfect.numpy())
    figure.says.set_data(LINE.numpy(), says.numpy())
    figure.real_dots.set_data((REALS.mean + REALS.stddev * figure.noise[:, 0]).numpy(), np.full(60, 1.06))
    figure.fake_dots.set_data(made.numpy(), np.full(60, -0.06))
    beyond = abs(bias) > LINE[-1]  # fakes that have left the axes
    figure.gone.set(text="" if not beyond else "◀ fakes" if bias < 0 else "fakes ▶", x=math.copysign(4.4, bias))
    figure.gone.set_ha("left" if bias < 0 else "right")
    figure.paid.set_data(*state.curve())
    gap = ((p_data + p_model) * (says - perfect).abs()).sum() / (p_data + p_model).sum()
    return figure.canvas.picture(
        f"Round {state.rounds}: the reals lie at 2.00 ± 0.50, the fakes at {bias:.2f} ± {abs(weight):.2f}. D pays "
        f"{state.measured[-1]:.2f} nats (log 4 = 1.39 if it knows nothing), and is {gap:.2f} from the perfect D on average."
    )


LINE_GAN = Demo(
    name="line",
    title="A GAN on a line",
    idea="D learns the ratio of two densities; G climbs D's curve until D says ½ wherever points are (lab 4).",
    tries="Play 500 rounds, and watch the fakes walk up the green curve until they cover the reals. "
    "Then begin again with both learning rates five times as high, for 2,000 rounds, or with D's at 0: what goes wrong?",
    controls=(
        Play("step"),
        Slider("rate_d", "D's learning rate", 0.0, 0.05, 0.002, 0.01),
        Slider("rate_g", "G's learning rate", 0.0, 0.05, 0.002, 0.01),
        Button("other", "Other start"),
    ),
    prepare=LineFigure,
    render=render_line,
    begin=begin_line,
    act=play_line,
)


class RingFigure:
    """The figure of the game on the ring, and what moves in it."""

    def __init__(self) -> None:
        self.canvas = Canvas(height=440)
        left, right = self.canvas.figure.subplots(1, 2, width_ratios=(1, 1))
        side = torch.linspace(-3, 3, 41)
        self.grid = torch.cartesian_prod(side, side).flip(1)  # row by row, from below
        nothing = torch.full((41, 41), 0.5)
        self.says = left.imshow(
            nothing, cmap="RdBu", vmin=0, vmax=1, extent=(-3, 3, -3, 3), origin="lower", alpha=0.6, interpolation="nearest"
        )
        (self.modes,) = left.plot(*MODES.T, "o", color="black", fillstyle="none", markersize=16, label="modes")
        (self.fakes,) = left.plot([], [], "s", color=RED, markersize=2.5, label="fakes")
        left.set(title="Fakes over what D says", xlabel="$x_1$", ylabel="$x_2$", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        legend = left.legend(loc="upper center", ncols=2, markerscale=0.7)
        self.canvas.figure.colorbar(self.says, ax=left, label="D: probability of real")
        (self.found,) = right.plot([], [], color=BLUE, drawstyle="steps-post")
        right.set(title="Modes found", xlabel="rounds ago", ylabel="of 8", xlim=(-MEMORY, 0), ylim=(0, 8.5))
        right.set_xticks([-MEMORY, -MEMORY // 2, 0], [str(MEMORY), str(MEMORY // 2), "0"])
        right.grid(alpha=0.3)
        self.canvas.moving(self.says, self.modes, self.fakes, legend, self.found)
        self.noise = torch.randn(1000, 2, generator=torch.Generator().manual_seed(1))  # the same in every picture


def modes_found(points: Tensor) -> tuple[int, float]:
    """Count the modes that get at least 1 % of the points, and the share of points that lie within 0.15 of a mode."""
    distances, nearest = torch.cdist(points, MODES).min(dim=1)
    near = nearest[distances < 0.15].bincount(minlength=8)
    return int((near >= 0.01 * len(points)).sum()), near.sum().item() / len(points)


def begin_ring(figure: RingFigure, values: Values, seed: int = 0) -> Game:
    """Begin with two networks that know nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        G, D = network(2, 2, 64, nn.ReLU), network(2, 1, 64, nn.ReLU)
    game = new_game(seed, G, D, 5e-4, (0.9, 0.999))
    game.measured.append(0.0)
    return game


def play_ring(figure: RingFigure, game: Game, name: str, values: Values) -> Game:
    """Play some rounds, with the R1 penalty or without; or begin anew by another seed."""
    if name == "other":
        return begin_ring(figure, values, game.seed + 1)
    for _ in range(PER_FRAME):
        mode = torch.randint(8, (128,), generator=game.random)
        x = MODES[mode] + 0.02 * torch.randn(128, 2, generator=game.random)
        if values["r1"]:
            game.of_d.zero_grad()
            (0.1 / 2 * r1_penalty(game.D, x)).backward()
            game.of_d.step()
        discriminator_step(game.G, game.D, x, torch.randn(128, 2, generator=game.random), game.of_d)
        generator_step(game.G, game.D, torch.randn(128, 2, generator=game.random), game.of_g)
    with torch.no_grad():
        game.measured.append(modes_found(game.G(figure.noise))[0])
    return game


def render_ring(figure: RingFigure, r1: bool, state: Game) -> Picture:
    """Draw a thousand fakes over what D says, and how many modes they found lately."""
    with torch.no_grad():
        made, says = state.G(figure.noise), state.D(figure.grid).sigmoid()
    figure.says.set_data(says.reshape(41, 41).numpy())
    figure.fakes.set_data(*made.T.numpy())
    figure.found.set_data(*state.curve())
    found, near = modes_found(made)
    return figure.canvas.picture(
        f"Round {state.rounds}, {'with' if r1 else 'without'} the R1 penalty: {found} of 8 modes are found, with "
        f"at least 1% of the fakes within 0.15 of the middle; {near:.0%} of the fakes lie so near a mode."
    )


RING_GAN = Demo(
    name="ring",
    title="Eight Gaussians",
    idea="G may crowd into a few modes and run about; a D held flat at the reals calms the game (lab 4).",
    tries="Play 1,500 rounds without the stabiliser, and watch how fakes crowd and run about. "
    "Then press Reset, switch it on, play 1,500 rounds again, and compare the modes found and the slopes of D.",
    controls=(Play("step"), Toggle("r1", "Stabiliser: R1 penalty"), Button("other", "Other start")),
    prepare=RingFigure,
    render=render_ring,
    begin=begin_ring,
    act=play_ring,
)
