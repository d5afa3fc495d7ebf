"""The demo of lab 2's first half: what a code costs, and how noise goes through it."""

import math

import numpy as np
import torch
from matplotlib.collections import LineCollection
from torch.distributions import Normal

from course.demos.canvas import Canvas, area
from course.demos.demo import Button, Demo, Picture, Slider, Values
from course.plots import COLOURS
from course.vae import gaussian_kl

LINE = torch.linspace(-8, 8, 641)
PRIOR = Normal(0.0, 1.0)
MOST = 10.0  # nats: the height of the bars' axis
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.9}  # under a number that lies on a bar


class Figure:
    """The figure, and what moves in it."""

    def __init__(self) -> None:
        self.canvas = Canvas(height=440)
        axes = self.canvas.figure.subplot_mosaic(
            [["clouds", "bars"], ["area", "bars"]], width_ratios=(4, 1), height_ratios=(3, 2)
        )
        clouds, price, bars = axes["clouds"], axes["area"], axes["bars"]
        (self.q,) = clouds.fill(LINE, 0 * LINE, color=COLOURS[1], alpha=0.6, label="q(z), the cloud")
        (prior,) = clouds.plot(LINE, PRIOR.log_prob(LINE).exp(), "--", color=COLOURS[0], label="p(z), the prior")
        (self.noise,) = clouds.plot([], [], "|", color="black", markersize=9, label="ε")
        (self.draws,) = clouds.plot([], [], "o", color=COLOURS[3], markersize=6, label="z = μ + σ ε")
        self.paths = LineCollection([], colors=COLOURS[3], linewidths=0.8, alpha=0.6)
        clouds.add_collection(self.paths)
        clouds.set(title="The cloud and the prior", ylabel="density", xlim=(-8, 8), ylim=(-0.45, 1.2), yticks=[0, 0.5, 1])
        clouds.legend(frameon=False, loc="upper left", ncols=2)
        (self.dearer,) = price.fill(LINE, 0 * LINE, color=COLOURS[3], alpha=0.7, label="+")
        (self.cheaper,) = price.fill(LINE, 0 * LINE, color=COLOURS[2], alpha=0.7, hatch="//", label="−")
        price.axhline(0, color="black", linewidth=0.8)
        price.set(title="KL is this area: q(z) log q(z)/p(z)", xlabel="z", xlim=(-8, 8), ylim=(-0.5, 3.5))
        price.legend(frameon=False, loc="upper left", ncols=2)
        self.kl, self.priced = bars.bar(["KL", "β KL"], [0, 0], color=[COLOURS[3], COLOURS[4]], hatch=["", ".."])
        bars.set(title="The price", ylabel="nats", ylim=(0, MOST))
        bars.grid(alpha=0.3, axis="y")
        self.numbers = [bars.text(i, 0, "", ha="center", va="bottom", bbox=PAPER) for i in range(2)]
        moving = (self.q, prior, self.paths, self.noise, self.draws, self.dearer, self.cheaper, self.kl, self.priced)
        self.canvas.moving(*moving, *self.numbers)


def render(figure: Figure, mu: float, logvar: float, beta: float, state: int) -> Picture:
    """Draw the cloud N(mu, exp(logvar)) and the prior, the price as area and as bar, and ten draws; state: a seed."""
    std = math.exp(0.5 * logvar)
    q = Normal(mu, std)
    density, ratio = q.log_prob(LINE).exp(), q.log_prob(LINE) - PRIOR.log_prob(LINE)
    figure.q.set_xy(area(LINE, density))
    figure.dearer.set_xy(area(LINE, (density * ratio).clamp(min=0)))
    figure.cheaper.set_xy(area(LINE, (density * ratio).clamp(max=0)))
    eps = torch.randn(10, generator=torch.Generator().manual_seed(state))
    z = mu + std * eps  # eps stays as it is while mu and std move, and so a gradient can reach them
    figure.noise.set_data(eps.numpy(), np.full(10, -0.36))
    figure.draws.set_data(z.numpy(), np.full(10, -0.1))
    figure.paths.set_segments([((e, -0.34), (to, -0.1)) for e, to in zip(eps.tolist(), z.tolist(), strict=True)])
    kl = gaussian_kl(torch.tensor([[mu]]), torch.tensor([[logvar]])).item()
    for bar, number, nats in zip((figure.kl, figure.priced), figure.numbers, (kl, beta * kl), strict=True):
        bar.set_height(nats)
        number.set(text="↑\n" * (nats > MOST) + f"{nats:.2f}", y=min(nats + 0.1, 0.86 * MOST))
    return figure.canvas.picture(
        f"μ = {mu:.2f}, log σ² = {logvar:.2f}, so σ = {std:.2f}: KL = {kl:.2f} nats; with β = {beta:g} the code costs "
        f"{beta * kl:.2f}. The same ten ε become z = μ + σ ε, which lie between {z.min():.2f} and {z.max():.2f}."
    )


def begin(figure: Figure, values: Values) -> int:
    """Begin with the first noise."""
    return 0


def act(figure: Figure, state: int, name: str, values: Values) -> int:
    """Draw other noise."""
    return state + 1


KL = Demo(
    name="kl",
    title="KL and reparameterization",
    idea="A code is a cloud whose price is its KL from the prior; z = μ + σ ε lets gradients through the dice (lab 2).",
    tries="Push μ away from 0, then make the cloud narrow: both cost, and only the prior itself is free. "
    "Watch the ten dots: each keeps its own ε and moves smoothly with μ and σ, until you ask for other noise.",
    controls=(
        Slider("mu", "μ", -2.0, 2.0, 0.05, 1.0),
        Slider("logvar", "log σ²", -2.0, 1.0, 0.05, -1.0),
        Slider("beta", "β", 0.0, 8.0, 0.5, 4.0),
        Button("other", "Other noise"),
    ),
    prepare=Figure,
    render=render,
    begin=begin,
    act=act,
)
