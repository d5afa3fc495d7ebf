"""The demo of lab 0: a kernel estimate against the truth, on a line."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from course.demos.canvas import Canvas, area
from course.demos.demo import Button, Demo, Picture, Slider, Values
from course.density import kernel_log_density
from course.plots import COLOURS

BANDWIDTHS = torch.arange(1, 61) * 0.02
SIZES = range(10, 501, 10)  # numbers of points to learn from
LINE = torch.linspace(-5, 5, 401)
LOWEST = -4.2  # nats: where the axis of log-likelihoods begins
SHARES, MEANS, STDS = torch.tensor([[0.45, 0.35, 0.20], [-2.0, 0.5, 3.0], [0.35, 1.0, 0.25]])
TRUTH = MixtureSameFamily(Categorical(SHARES), Normal(MEANS, STDS))  # as in the lab


@dataclass(frozen=True)
class Drawn:
    """Points that were drawn, and how probable an estimate from the first of them finds points: nats a point."""

    seed: int
    points: Tensor  # (500,), of which the first few are learned from
    on_themselves: Tensor  # (sizes, bandwidths)
    on_unseen: Tensor  # (sizes, bandwidths)


class Figure:
    """The figure, and what moves in it."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.unseen = draw(1000, generator)  # enough that the bandwidth they like best does not beat the truth on them
        self.ceiling = float(TRUTH.log_prob(self.unseen).mean())
        self.canvas = Canvas()
        left, right = self.canvas.figure.subplots(1, 2, width_ratios=(3, 2))
        (self.model,) = left.fill(LINE, 0 * LINE, color=COLOURS[5], alpha=0.6, label="estimate")
        (truth,) = left.plot(LINE, TRUTH.log_prob(LINE).exp(), "--", color="black", label="truth")
        (self.ticks,) = left.plot([], [], "|", color=COLOURS[3], markersize=9, label="points")
        left.set(title="The density", xlabel="x", ylabel="density", xlim=(-5, 5), ylim=(-0.06, 0.8))
        left.legend(frameon=False, loc="upper right")
        right.axhline(self.ceiling, color="black", linestyle="--", label="the truth, on unseen ones")
        (self.on_themselves,) = right.plot([], [], "-.", color=COLOURS[1], label="on the points themselves")
        (self.on_unseen,) = right.plot([], [], color=COLOURS[0], label="on unseen points")
        (self.here,) = right.plot([], [], "o", color=COLOURS[0], markersize=10)
        right.set(title="Log-likelihood", xlabel="bandwidth", ylabel="nats a point", xlim=(0, 1.22), ylim=(LOWEST, 1))
        right.grid(alpha=0.3)
        right.legend(frameon=False, loc="upper right", fontsize=9)
        self.canvas.moving(self.model, truth, self.ticks, self.on_themselves, self.on_unseen, self.here)


def draw(n: int, generator: torch.Generator) -> Tensor:
    """Draw n points (n,) from the truth: a component for each, then a normal number."""
    component = torch.multinomial(SHARES, n, replacement=True, generator=generator)
    return MEANS[component] + STDS[component] * torch.randn(n, generator=generator)


def log_likelihoods(queries: Tensor, points: Tensor) -> Tensor:
    """Compute the log-density (queries, sizes, bandwidths) of kernel estimates from the first points, for each size."""
    squares = (queries[:, None] - points).square()
    sums = []
    for h in BANDWIDTHS:
        kernels = (-0.5 * squares / h**2).reshape(len(queries), len(SIZES), SIZES.step).logsumexp(dim=2)
        sums.append(kernels.logcumsumexp(dim=1) - h.log() - 0.5 * math.log(2 * math.pi))
    return torch.stack(sums, dim=2) - torch.tensor(SIZES).log()[:, None]


def drawn(figure: Figure, seed: int) -> Drawn:
    """Draw points by a seed, and judge all estimates from them."""
    points = draw(SIZES[-1], torch.Generator().manual_seed(seed + 1))
    own = log_likelihoods(points, points)
    on_themselves = torch.stack([own[:size, i].mean(dim=0) for i, size in enumerate(SIZES)])
    return Drawn(seed, points, on_themselves, log_likelihoods(figure.unseen, points).mean(dim=0))


def render(figure: Figure, points: int, bandwidth: float, state: Drawn) -> Picture:
    """Draw the kernel estimate from the first points beside the truth, and its log-likelihood among other bandwidths'."""
    data = state.points[:points]
    density = kernel_log_density(LINE[:, None], data[:, None], bandwidth).exp()
    figure.model.set_xy(area(LINE, density))
    figure.ticks.set_data(data.numpy(), np.full(points, -0.03))
    row = SIZES.index(points)
    on_unseen, on_themselves = state.on_unseen[row], state.on_themselves[row]
    figure.on_unseen.set_data(BANDWIDTHS.numpy(), on_unseen.numpy())
    figure.on_themselves.set_data(BANDWIDTHS.numpy(), on_themselves.numpy())
    here, best = round(bandwidth / 0.02) - 1, int(on_unseen.argmax())
    inside = on_unseen[here] > LOWEST
    figure.here.set_data([bandwidth], [on_unseen[here] if inside else LOWEST + 0.1])
    figure.here.set_marker("o" if inside else "v")  # it lies below the axes
    return figure.canvas.picture(
        f"{points} points, bandwidth {bandwidth:.2f}: {on_unseen[here]:.2f} nats a point on unseen points, "
        f"{on_themselves[here]:.2f} on the points themselves. The best bandwidth for unseen ones is "
        f"{BANDWIDTHS[best]:.2f}, with {on_unseen[best]:.2f}; the truth itself has {figure.ceiling:.2f}."
    )


def begin(figure: Figure, values: Values) -> Drawn:
    """Begin with the first seed."""
    return drawn(figure, 0)


def act(figure: Figure, state: Drawn, name: str, values: Values) -> Drawn:
    """Draw other points."""
    return drawn(figure, state.seed + 1)


DENSITY = Demo(
    name="density",
    title="Density",
    idea="A generative model estimates p(x); points that it has not seen judge it, though the truth is unknown (lab 0).",
    tries="Make the bandwidth very small: the estimate clings to its own points, and unseen points find it improbable. "
    "Then drag the number of points: the more of them, the narrower the best bandwidth, and the nearer the truth.",
    controls=(
        Slider("bandwidth", "Bandwidth", 0.02, 1.2, 0.02, 0.3),
        Slider("points", "Number of points", SIZES[0], SIZES[-1], SIZES.step, 200),
        Button("other", "Other points"),
    ),
    prepare=Figure,
    render=render,
    begin=begin,
    act=act,
)
