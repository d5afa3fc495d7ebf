"""Whom a detector fails, and what a model finds odd: the demos of lab 3."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from course.checkpoints import load
from course.checkpoints.recipes.debiasing import (
    ODD,
    SKEW,
    draw_detection,
    draw_scenes,
    encode_all,
    face_probabilities,
    followed,
    recalls,
)
from course.data.faces import FACTORS, is_rare
from course.debiasing import effective_sample_size, outlier_scores, resampled_indices
from course.demos.board import Board
from course.demos.canvas import Canvas
from course.demos.demo import Choice, Demo, Picture, Slider
from course.metrics import auroc
from course.plots import COLOURS

BLUE, ORANGE, GREEN, RED = COLOURS[:4]


# ----------------------------------------------------------------------------------------------------- debiasing


class Debiasing(NamedTuple):
    """What the debiasing demo prepares."""

    faces: Tensor  # (6000, 3, 32, 32), the training set
    dark: Tensor  # (6000,) bool
    mu: Tensor  # (6000, 8)
    logvar: Tensor
    latent: int  # the one that follows tone
    recall: dict[float, Tensor]  # strength -> (8,)
    canvas: Canvas
    histograms: list[Any]
    dots: Any


def prepare_debiasing() -> Debiasing:
    """Describe the training faces, measure the five detectors, and draw the axes."""
    networks = load("detectors_faces")
    faces, factors = draw_detection(6000, 1, SKEW)
    _, mu, logvar = encode_all(networks["describer"], faces)
    to_tone = followed(mu, factors[:, [FACTORS.index("tone")]])[0]  # only to choose which latent to show
    latent = int(to_tone.argmax())
    recall, names = recalls(networks)
    canvas = Canvas(1000, 290)
    left, right = canvas.figure.subplots(1, 2, width_ratios=(1, 1.1))
    low, high = mu[:, latent].min().item(), mu[:, latent].max().item()
    before = left.stairs([0], [low, high], color=BLUE, linewidth=2, label="as collected")
    after = left.stairs([0], [low, high], color=ORANGE, fill=True, alpha=0.6, label="as drawn")
    left.set(
        title="The latent that follows tone",
        xlabel=f"z{latent + 1} (correlation with tone {to_tone[latent]:.2f})",
        xlim=(low, high),
        ylim=(0, 0.75),
        yticks=[],
    )
    left.set_ylabel("how often drawn")
    left.legend(frameon=False, loc="upper right")
    right.plot(recall[0.0], range(8), "o", color=BLUE, markersize=8, label="drawn alike")
    (dots,) = right.plot([], [], "D", color=RED, markersize=8, label="at this strength")
    right.set_yticks(range(8), names)
    right.set(title="Recall by group, trained with 10 bins", xlim=(0, 1.03))
    right.invert_yaxis()
    right.grid(alpha=0.3)
    right.legend(frameon=False, loc="upper left")
    canvas.moving(after, before, dots)
    return Debiasing(faces, is_rare(factors, "tone"), mu, logvar, latent, recall, canvas, [before, after], dots)


def render_debiasing(prepared: Debiasing, strength: float, bins: int) -> Picture:
    """Draw which faces are drawn how often, and whom a detector that was trained on such draws recognises."""
    p = face_probabilities(prepared.mu, prepared.logvar, strength, bins)
    column = prepared.mu[:, prepared.latent]
    edges = torch.linspace(column.min().item(), column.max().item(), bins + 1)
    for shape, weights in zip(prepared.histograms, (torch.full_like(p, 1 / len(p)), p), strict=True):
        heights, _ = torch.histogram(column, edges, weight=weights, density=True)
        shape.set_data(heights, edges)
    recall = prepared.recall[strength]
    prepared.dots.set_data(recall, range(8))
    board = Board(1000, 460)
    for row, (words, weights) in enumerate({"as collected": torch.full_like(p, 1 / len(p)), "as drawn": p}.items()):
        drawn = resampled_indices(weights, 13, torch.Generator().manual_seed(1))
        board.write(104, 8 + 72 * row + 32, words, 16, "rm")
        board.row(114, 8 + 72 * row, prepared.faces[drawn], 2)
    board.paste(0, 170, prepared.canvas.picture("").pixels)
    dark = p[prepared.dark].sum().item()
    return board.picture(
        f"Strength {strength:g}, {bins} bins: {dark:.0%} of the draws are dark faces, and "
        f"{effective_sample_size(p) / len(p):.0%} of the faces are drawn in effect. "
        f"Recall of a detector trained with 10 bins: worst group {recall.min():.2f}, mean of the groups {recall.mean():.2f}."
    )


DEBIASING = Demo(
    name="debiasing",
    title="Debiasing",
    idea="Debiasing: learn the latents, see which values are rare, draw those more often; no label of a group (lab 3).",
    tries="Go to strength 0, raise it again, and watch three things: the histogram, the faces, and the worst group. "
    "Then move the bins: which number of them draws the most dark faces, and what do you pay for them?",
    controls=[
        Slider("strength", "Strength of the resampling", 0.0, 1.0, 0.25, 1.0),
        Slider("bins", "Bins", 3, 60, 1, 10),
    ],
    prepare=prepare_debiasing,
    render=render_debiasing,
)


# ------------------------------------------------------------------------------------------------------ outliers


class Outliers(NamedTuple):
    """What the outlier demo prepares: images with their scores, the oddest first."""

    usual: tuple[Tensor, Tensor]
    odd: dict[str, tuple[Tensor, Tensor]]
    canvas: Canvas
    curve: Any
    point: Any
    stairs: Any
    line: Any
    bins: Tensor


def prepare_outliers() -> Outliers:
    """Score ordinary scenes and five kinds of odd ones, and draw the axes."""
    model = load("vae_scenes")["vae"]

    def scored(images: Tensor) -> tuple[Tensor, Tensor]:
        scores = outlier_scores(model, images)
        order = scores.argsort(descending=True)
        return images[order], scores[order]

    usual = scored(draw_scenes(500, 200))
    odd = {kind: scored(draw_scenes(500, 300 + number, kind)) for number, kind in enumerate(ODD)}
    canvas = Canvas(1000, 260)
    left, right = canvas.figure.subplots(1, 2, width_ratios=(1, 2.2))
    left.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=1)
    (curve,) = left.plot([], [], color=ORANGE, linewidth=2)
    (point,) = left.plot([], [], "o", color=RED, markersize=11, clip_on=False)
    left.set(title="ROC curve", xlabel="ordinary above", ylabel="odd above", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    bins = torch.linspace(*SCORES, 60)
    counts, _ = torch.histogram(usual[1], bins)
    right.stairs(counts, bins, color=BLUE, fill=True, alpha=0.5, label="ordinary")
    stairs = right.stairs(counts, bins, color=ORANGE, linewidth=2, label="odd")
    line = right.axvline(0, color=RED, linewidth=3, label="threshold")
    right.set(title="Scores", xlabel="score: nats to code it (−ELBO at z = μ)", ylabel="scenes", xlim=SCORES, ylim=(0, 120))
    right.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.6, 1.03))
    for ax in (left, right):
        ax.grid(alpha=0.3)
    canvas.moving(curve, point, stairs, line)
    return Outliers(usual, odd, canvas, curve, point, stairs, line, bins)


SCORES = (1700, 2420)  # nats


def render_outliers(prepared: Outliers, kind: str, threshold: int) -> Picture:
    """Draw where the threshold lies among the scores and on the ROC curve, and the scenes just above and just below it."""
    (usual_images, usual), (odd_images, odd) = prepared.usual, prepared.odd[kind]
    levels = torch.cat([usual, odd]).sort(descending=True).values
    above = [(scores[:, None] > levels).double().mean(0) for scores in (usual, odd)]
    alarms, found = (int((scores > threshold).sum()) for scores in (usual, odd))
    prepared.curve.set_data(*above)
    prepared.point.set_data([alarms / len(usual)], [found / len(odd)])
    prepared.stairs.set_data(torch.histogram(odd, prepared.bins)[0])
    prepared.line.set_xdata([threshold, threshold])
    board = Board(1000, 460)
    rows = {f"{kind}: found": (odd_images[:found], BLUE), "ordinary: false alarms": (usual_images[:alarms], RED)}
    for row, (words, (images, _)) in enumerate(rows.items()):
        board.write(190, 22 + 32 + 84 * row, words, 16, "rm")
        board.write(190, 22 + 54 + 84 * row, f"{len(images)} of 500", 16, "rm")
        board.row(204, 26 + 84 * row, images[-11:], 2)  # the least odd of those above
    board.write(204, 4, "the last eleven above the threshold", 16)
    board.paste(0, 200, prepared.canvas.picture("").pixels)
    area = auroc(torch.cat([usual, odd]), torch.arange(len(usual) + len(odd)) >= len(usual))
    return board.picture(
        f"Above {threshold} nats lie {found / len(odd):.0%} of the odd scenes ({kind}) and {alarms / len(usual):.0%} of the "
        f"ordinary ones; area under the curve {area:.2f}."
    )


OUTLIERS = Demo(
    name="outliers",
    title="Outliers",
    idea="Outliers: a model of the ordinary points at what is not; except where it does not (lab 3).",
    tries="Find a threshold for every dark scene, then one for most of the things: what does each cost in false alarms? "
    "Then choose fog, which the model has never seen, and explain its curve.",
    controls=[
        Choice("kind", "Odd scenes", list(ODD), "dark"),
        Slider("threshold", "Threshold (nats)", SCORES[0], SCORES[1], 10, 1960),
    ],
    prepare=prepare_outliers,
    render=render_outliers,
)

DEMOS = (DEBIASING, OUTLIERS)
