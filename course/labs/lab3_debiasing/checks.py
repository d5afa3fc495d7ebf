"""How lab 3 judges: for each exercise its cases and parts, the mistakes that people make, other right ways, hints."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F

from course.checks.exercise import Case, Exercise, Part, Question
from course.debiasing import (
    dbvae_loss,
    effective_sample_size,
    latent_histogram,
    latent_kl,
    outlier_scores,
    recall_by_group,
    resampled_indices,
    resampling_probabilities,
    temper,
)
from course.labs.lab3_debiasing import probes
from course.metrics import auroc
from course.vae import bernoulli_nll, gaussian_kl

# Draws are judged by how often each index comes. Two such frequencies of DRAWS draws, the student's and the reference's,
# differ by a standard error of sqrt(2 · 0.25 / DRAWS) = 0.005 at most; WITHIN is 8 of these, so chance exceeds it with a
# probability below 1e-14 each.
DRAWS = 20_000
WITHIN = (0.0, 0.04)


def _normal(generator: Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=generator)


def _uniform(generator: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator)


def _number(generator: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(_uniform(generator, 1))


# ------------------------------------------------------------------------------------------------------- dbvae_loss


def _batch(generator: Generator, b: int, d: int, faces: int) -> Case:
    y = (torch.randperm(b, generator=generator) < faces).float()
    return {
        "y_logit": _normal(generator, b, scale=4),
        "y": y,
        "x_hat": _uniform(generator, b, 3, 2, 4),
        "x": _uniform(generator, b, 3, 2, 4),
        "mu": _normal(generator, b, d, scale=2),
        "logvar": _normal(generator, b, d, scale=1.5),
    }


def _batches(generator: Generator) -> list[Case]:
    return [
        {
            **_batch(generator, b, d, faces),
            "recon_weight": _number(generator, 2, 9),
            "kl_weight": _number(generator, 0.2, 1.5),
        }
        for b, d, faces in ((6, 3, 2), (4, 4, 3), (1, 2, 1), (3, 5, 0))
    ]


def _sure_batches(generator: Generator) -> list[Case]:
    given = _batch(generator, 4, 3, 2)
    given["y_logit"] = torch.tensor([300.0, -300.0, 200.0, -150.0])
    given["y"] = torch.tensor([0.0, 1.0, 1.0, 0.0])
    return [given | {"recon_weight": 5.0, "kl_weight": 0.5}]


def _columns(generator: Generator) -> list[Case]:
    return [{**_batch(generator, 4, 3, 2), "column": column} for column in ("y_logit", "y")]


loss_exercise = Exercise(
    dbvae_loss,
    parts=[
        Part("value", "the value, with the weights given and by default", probes.loss, _batches, weight=3),
        Part("gradient", "what each input hears of the loss", probes.loss_gradients, _batches),
        Part("stability", "logits as large as ±300", probes.loss, _sure_batches),
        Part("shapes", "a column (B, 1) is refused, not broadcast", probes.loss_of_a_column, _columns),
    ],
    hints=[
        "Make three numbers for each image, all of shape (B,): the cross-entropy of its answer, its mean absolute error, "
        "its KL.",
        "is_face = (y == 1) as numbers. Which of the three does it multiply? A non-face must still be classified.",
        "(classification + is_face * (recon_weight * recon + kl_weight * kl)).mean(), each of the four (B,).",
    ],
)

Loss = Tensor
Terms = Callable[[Tensor, Tensor], Tensor]


def _right(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return bce + face * (recon + kl)


def _cross_entropy(y_logit: Tensor, y: Tensor) -> Tensor:
    return F.softplus(y_logit) - y * y_logit


def _absolute_error(x_hat: Tensor, x: Tensor) -> Tensor:
    return (x_hat - x).abs().flatten(1).mean(1)


def _loss(
    *, bce: Terms = _cross_entropy, recon: Terms = _absolute_error, kl: Terms = gaussian_kl, refuses_columns: bool = True
) -> Callable[[Callable[..., Tensor]], Callable[..., Loss]]:
    """Make a formula for an image's loss a loss: of the terms of each image, with their weights, averaged over the batch."""

    def made(formula: Callable[..., Tensor]) -> Callable[..., Loss]:
        def loss(
            y_logit: Tensor,
            y: Tensor,
            x_hat: Tensor,
            x: Tensor,
            mu: Tensor,
            logvar: Tensor,
            recon_weight: float = 5.0,
            kl_weight: float = 0.005,
        ) -> Loss:
            if refuses_columns and (y_logit.ndim != 1 or y.shape != y_logit.shape):  # as the stub does
                raise ValueError("y_logit and y must be (B,)")
            described = recon_weight * recon(x_hat, x), kl_weight * kl(mu, logvar)
            return formula(bce(y_logit, y), *described, (y == 1).float()).mean()

        loss.__name__ = formula.__name__
        return loss

    return made


@loss_exercise.mistake(
    "Your indicator multiplies the classification as well, so non-faces cost nothing and the network may call everything a "
    "face. The indicator belongs to the VAE's two terms alone: classification + is_face · (…)."
)
@_loss()
def indicator_on_classification(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return face * (bce + recon + kl)


@loss_exercise.mistake("The indicator is missing: your network describes non-faces too. Multiply the VAE's two terms by it.")
@_loss()
def no_indicator(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return bce + recon + kl


@loss_exercise.mistake("Your indicator is the wrong way round: it describes the non-faces. y is 1 for a face.")
@_loss()
def indicator_of_non_faces(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return bce + (1 - face) * (recon + kl)


@loss_exercise.mistake(
    "The indicator multiplies the reconstruction but not the KL: non-faces still pay for their codes. Put both in one "
    "bracket: is_face · (recon_weight · recon + kl_weight · KL)."
)
@_loss()
def indicator_on_one_term(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return bce + face * recon + kl


@loss_exercise.mistake(
    "The indicator multiplies the KL but not the reconstruction: non-faces are still described. Put both in one bracket: "
    "is_face · (recon_weight · recon + kl_weight · KL)."
)
@_loss()
def indicator_on_the_other_term(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return bce + recon + face * kl


@loss_exercise.mistake(
    "mean(is_face) · mean(recon) stands where the mean of is_face · recon belongs. Either each term is averaged before they "
    "are multiplied, or a column (B, 1) meets a row (B,) and makes a (B, B) table that gives each image the others' errors. "
    "Keep every term (B,), with no keepdim=True and no [:, None], and take one mean at the end."
)
@_loss()
def multiplies_averages(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return bce + face.mean() * (recon + kl)


@loss_exercise.mistake(
    "The reconstruction is averaged over the whole batch before the indicator sees it, so non-faces are described after "
    "all. Average over channels, height and width only: (B,)."
)
@_loss()
def averages_reconstruction_first(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return bce + face * (recon.mean() + kl)


@loss_exercise.mistake(
    "The VAE's terms are averaged over the faces only. The contract is one mean over the batch; yours weighs faces more "
    "when there are few, and is NaN without any."
)
@_loss()
def averages_over_faces(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return bce.mean() + (recon + kl)[face == 1].mean()


@loss_exercise.mistake("You summed over the batch. Take the mean, so that the loss does not grow with the batch size.")
@_loss()
def sums_batch(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face).sum()


@loss_exercise.mistake(
    "A column of logits (B, 1) meets a row of labels (B,): torch makes a (B, B) table of every answer with every other "
    "image's label, and the mean hides it. Keep every term (B,): no keepdim=True, no [:, None]."
)
@_loss(bce=lambda y_logit, y: _cross_entropy(y_logit[:, None], y))
def broadcasts_the_logits(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face)


@loss_exercise.mistake(
    "A logit of shape (B, 1) goes through and is broadcast to a (B, B) table. Keep the check that raises ValueError."
)
@_loss(refuses_columns=False)
def accepts_a_column(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face)


@loss_exercise.mistake(
    "Right for small logits, but sigmoid and then log breaks as soon as the answer is sure. Use the form that takes logits."
)
@_loss(bce=lambda y_logit, y: F.binary_cross_entropy(torch.sigmoid(y_logit), y, reduction="none"))
def sigmoid_then_log(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face)


@loss_exercise.mistake(
    "Right for small logits; but of a sure answer the sigmoid is exactly 0 or 1, its log is infinite, and 0 · ∞ is NaN. Use "
    "F.binary_cross_entropy_with_logits."
)
@_loss(bce=lambda y_logit, y: -(y * y_logit.sigmoid().log() + (1 - y) * (1 - y_logit.sigmoid()).log()))
def log_of_zero(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face)


@loss_exercise.mistake("The KL takes σ for σ²: exp(logvar / 2) stands where exp(logvar) belongs. Use gaussian_kl of lab 2.")
@_loss(kl=lambda mu, logvar: gaussian_kl(mu, 0.5 * logvar))
def kl_with_sigma(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face)


@loss_exercise.mistake("The KL is averaged over the latents. Independent latents add their nats: sum over dim=1.")
@_loss(kl=lambda mu, logvar: gaussian_kl(mu, logvar) / mu.shape[1])
def averages_latents(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face)


@loss_exercise.mistake(
    "The reconstruction error is summed over the image's values. Here it is their mean (the one exception of this course), "
    "or it outweighs the answer thousands of times."
)
@_loss(recon=lambda x_hat, x: (x_hat - x).abs().flatten(1).sum(1))
def sums_pixels(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face)


@loss_exercise.mistake("This is the mean squared error. The reconstruction here is the mean absolute error: .abs().")
@_loss(recon=lambda x_hat, x: (x_hat - x).square().flatten(1).mean(1))
def squared_error(bce: Tensor, recon: Tensor, kl: Tensor, face: Tensor) -> Tensor:
    return _right(bce, recon, kl, face)


@loss_exercise.mistake("The weights are always 5 and 0.005. Use recon_weight and kl_weight.")
def ignores_weights(recon_weight: float = 5.0, kl_weight: float = 0.005, **batch: Any) -> Loss:
    return dbvae_loss(**batch)


@loss_exercise.style
def by_where(
    y_logit: Tensor,
    y: Tensor,
    x_hat: Tensor,
    x: Tensor,
    mu: Tensor,
    logvar: Tensor,
    recon_weight: float = 5.0,
    kl_weight: float = 0.005,
) -> Loss:
    if y_logit.dim() > 1 or y.dim() > 1:
        raise ValueError("one logit and one label for each image, please")
    described = recon_weight * torch.mean(torch.abs(x - x_hat), dim=(1, 2, 3)) + kl_weight * gaussian_kl(mu, logvar)
    answered = F.softplus(y_logit) - y * y_logit
    return torch.mean(answered + torch.where(y > 0.5, described, torch.zeros_like(described)))


@loss_exercise.style
def image_by_image(
    y_logit: Tensor,
    y: Tensor,
    x_hat: Tensor,
    x: Tensor,
    mu: Tensor,
    logvar: Tensor,
    recon_weight: float = 5.0,
    kl_weight: float = 0.005,
) -> Loss:
    assert_same = y_logit.shape == y.shape and y.ndim == 1
    if not assert_same:
        raise ValueError("shapes differ")
    total = torch.zeros(())
    for i in range(len(y)):
        total = total - Bernoulli(logits=y_logit[i], validate_args=False).log_prob(y[i])
        if y[i] == 1:
            q = Normal(mu[i], (logvar[i] / 2).exp())
            kl = kl_divergence(q, Normal(torch.zeros_like(mu[i]), torch.ones_like(mu[i]))).sum()
            total = total + recon_weight * F.l1_loss(x_hat[i], x[i]) + kl_weight * kl
    return total / len(y)


@loss_exercise.style
def masked_sums(
    y_logit: Tensor,
    y: Tensor,
    x_hat: Tensor,
    x: Tensor,
    mu: Tensor,
    logvar: Tensor,
    recon_weight: float = 5.0,
    kl_weight: float = 0.005,
) -> Loss:
    if y_logit.shape != (len(x),) or y.shape != (len(x),):
        raise ValueError("y_logit and y must be (B,)")
    b, faces = len(y), y.bool()
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp())[faces].sum()
    recon = F.l1_loss(x_hat[faces], x[faces], reduction="sum") / x[0].numel()
    answers = F.binary_cross_entropy_with_logits(y_logit, y, reduction="sum")
    return (answers + recon_weight * recon + kl_weight * kl) / b


# ------------------------------------------------------------------------------------------------- latent_histogram


def _column(generator: Generator, n: int) -> Tensor:
    """Draw n numbers, uneven and with both ends of their range among them, none of which is near an inner edge of bins.

    They are odd multiples of 1/1994 of the range, but for the middle one; no edge that a few bins make is one of those.
    """
    steps = (_uniform(generator, n).square() * 997).long().clamp(0, 996)
    steps[steps == 498] = 499
    parts = (2 * steps + 1).float() / 1994
    parts[:2] = torch.tensor([0.0, 1.0])
    return _number(generator, -3, 1) + _number(generator, 2, 7) * parts[torch.randperm(n, generator=generator)]


def _columns_to_count(generator: Generator) -> list[Case]:
    return [
        {"mu_column": _column(generator, n), "bins": bins, "smoothing": smoothing}
        for n, bins, smoothing in ((80, 4, 0.05), (200, 7, 0.3), (15, 20, 0.01))
    ]


histogram_exercise = Exercise(
    latent_histogram,
    parts=[
        Part("value", "edges and shares, with bins and smoothing given and by default", probes.histogram, _columns_to_count)
    ],
    hints=[
        "bins + 1 edges at equal distances from the smallest to the largest value: torch.linspace.",
        "equal_width_bins(mu_column, bins) of course.metrics numbers the bin of each value, and torch.bincount counts them.",
        "q = counts / N + smoothing; then q / q.sum(). Return (edges, q), in this order.",
    ],
)

Histogram = tuple[Tensor, Tensor]


def _shares(column: Tensor, bins: int) -> Tensor:
    return torch.from_numpy(np.histogram(column.cpu().numpy(), bins=bins)[0] / len(column)).to(column)


def _edges(column: Tensor, bins: int) -> Tensor:
    return torch.linspace(float(column.min()), float(column.max()), bins + 1).to(column)


def _smoothed(shares: Tensor, smoothing: float) -> Tensor:
    return (shares + smoothing) / (shares + smoothing).sum()


@histogram_exercise.mistake("The shares do not add up to 1: smoothing adds bins · smoothing. Divide by the sum at the end.")
def forgets_the_sum(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    return _edges(mu_column, bins), _shares(mu_column, bins) + smoothing


@histogram_exercise.mistake("The smoothing is missing: an empty bin has Q = 0, and later you divide by it.")
def forgets_smoothing(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    return _edges(mu_column, bins), _shares(mu_column, bins)


@histogram_exercise.mistake(
    "You add the smoothing to the counts. Divide the counts by N first: smoothing is added to shares."
)
def smooths_counts(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    return _edges(mu_column, bins), _smoothed(_shares(mu_column, bins) * len(mu_column), smoothing)


@histogram_exercise.mistake(
    "You smooth a density (density=True), which is the share divided by the bin's width, so the same smoothing means "
    "another "
    "thing for every latent. Use shares: counts / N."
)
def smooths_density(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    edges = _edges(mu_column, bins)
    return edges, _smoothed(_shares(mu_column, bins) / (edges[1] - edges[0]), smoothing)


@histogram_exercise.mistake(
    "The largest value is in no bin: it lies on the last edge, and belongs to the last bin. (right-open bins; clamp the "
    "number)"
)
def loses_the_largest(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    inside = mu_column[mu_column < mu_column.max()]
    place = (inside - mu_column.min()) / (mu_column.max() - mu_column.min()) * bins
    counts = torch.bincount(place.long(), minlength=bins)[:bins]
    return _edges(mu_column, bins), _smoothed(counts / len(mu_column), smoothing)


@histogram_exercise.mistake("You raise small shares to the smoothing (clamp). It is added to every share.")
def clamps_shares(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    return _edges(mu_column, bins), _smoothed(_shares(mu_column, bins).clamp(min=smoothing), 0.0)


@histogram_exercise.mistake("Only your empty bins get the smoothing. It is added to every share, so that the order stays.")
def smooths_empty_bins(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    shares = _shares(mu_column, bins)
    return _edges(mu_column, bins), _smoothed(torch.where(shares > 0, shares, smoothing), 0.0)


@histogram_exercise.mistake("Round that many bins stand bins + 1 edges; you return one edge too few.")
def one_edge_too_few(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    return torch.linspace(float(mu_column.min()), float(mu_column.max()), bins), latent_histogram(
        mu_column, bins, smoothing
    )[1]


@histogram_exercise.mistake("There are bins + 1 edges round that many bins; you have one bin too few.")
def one_bin_too_few(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    return latent_histogram(mu_column, bins - 1, smoothing)


@histogram_exercise.mistake("You return Q before the edges. The order is (edges, Q).")
def swaps_its_answers(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    edges, q = latent_histogram(mu_column, bins, smoothing)
    return q, edges


@histogram_exercise.mistake(
    "Your bins hold equally many values (quantiles), so that nothing is rare. They must have equal widths, from min to max."
)
def equal_masses(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    edges = torch.quantile(mu_column, torch.linspace(0, 1, bins + 1).to(mu_column))
    counts = torch.bincount(torch.bucketize(mu_column, edges[1:-1].contiguous(), right=True), minlength=bins)
    return edges, _smoothed(counts / len(mu_column), smoothing)


@histogram_exercise.mistake(
    "Your edges go from −3 to 3 whatever the data is. They go from its smallest to its largest value."
)
def fixed_range(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    edges = torch.linspace(-3, 3, bins + 1).to(mu_column)
    counts = torch.bincount(torch.bucketize(mu_column, edges[1:-1].contiguous(), right=True), minlength=bins)
    return edges, _smoothed(counts / len(mu_column), smoothing)


@histogram_exercise.style
def by_numpy(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    counts, edges = np.histogram(mu_column.cpu().numpy(), bins=bins)
    q = counts / counts.sum() + smoothing
    return torch.from_numpy(edges).to(mu_column), torch.from_numpy(q / q.sum()).to(mu_column)


@histogram_exercise.style
def by_histc(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    low, high = mu_column.min().item(), mu_column.max().item()
    q = torch.histc(mu_column, bins, low, high) / mu_column.numel()
    q += smoothing
    return low + (high - low) / bins * torch.arange(bins + 1, device=mu_column.device), F.normalize(q, p=1, dim=0)


@histogram_exercise.style
def bin_by_bin(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> Histogram:
    edges = torch.linspace(float(mu_column.min()), float(mu_column.max()), bins + 1, device=mu_column.device)
    shares = [((mu_column >= a) & (mu_column < b)).float().mean() for a, b in pairwise(edges)]
    q = torch.stack(shares)
    q[-1] += (mu_column >= edges[-1]).float().mean()
    return edges, (q + smoothing) / (q + smoothing).sum()


# ----------------------------------------------------------------------------------------- resampling_probabilities


def _codes(generator: Generator, n: int, d: int) -> Tensor:
    return torch.stack([_column(generator, n) for _ in range(d)], dim=1)


def _resampling_cases(combine: str, weighted: bool) -> Any:
    def cases(generator: Generator) -> list[Case]:
        return [
            {
                "mu": _codes(generator, n, d),
                "bins": bins,
                "smoothing": smoothing,
                "combine": combine,
                "latent_weights": _uniform(generator, d) + 0.1 if weighted else None,
            }
            for n, d, bins, smoothing in ((50, 3, 6, 0.02), (20, 4, 10, 0.004), (9, 1, 4, 0.05))
        ]

    return cases


def _very_many_latents(generator: Generator) -> list[Case]:
    mu = _codes(generator, 12, 200)
    return [{"mu": mu, "bins": 10, "smoothing": 1e-3, "combine": "product", "latent_weights": None}]


resampling_exercise = Exercise(
    resampling_probabilities,
    parts=[
        Part("max", 'combine="max", and bins and smoothing', probes.resampling, _resampling_cases("max", False), weight=3),
        Part("product", 'combine="product"', probes.resampling, _resampling_cases("product", False), weight=2),
        Part("weighted max", "latent_weights with max", probes.resampling, _resampling_cases("max", True)),
        Part("weighted product", "latent_weights with product", probes.resampling, _resampling_cases("product", True)),
        Part("stability", "a product of 200 latents", probes.resampling, _very_many_latents, tolerance=(1e-3, 1e-6)),
    ],
    hints=[
        "For each latent j: its histogram, then the bin of every image, then Q_j(i), the share of that bin. All of (N,).",
        "equal_width_bins(column, bins) of course.metrics numbers the bins of a column from 0 to bins − 1; q[those "
        "numbers] is Q_j(i). (By the edges: torch.bucketize(column, edges[1:-1], right=True).)",
        "Work with logarithms: max over j of log w_j − log Q_j(i), or minus the sum over j of w_j · log Q_j(i); then "
        "softmax "
        "over the images.",
    ],
)


def _of_images(mu: Tensor, bins: int, smoothing: float, shift: int = 0) -> Tensor:
    """Return Q_j(i): (N, D). shift: how many bins too far to look."""
    columns = []
    for column in mu.T:
        edges, q = latent_histogram(column.contiguous(), bins, smoothing)
        number = torch.bucketize(column.contiguous(), edges[1:-1].contiguous(), right=True)
        columns.append(q[(number + shift).clamp(max=bins - 1)])
    return torch.stack(columns, dim=1)


def _combined(q: Tensor, combine: str, weights: Tensor | None) -> Tensor:
    w = torch.ones(q.shape[1]).to(q) if weights is None else weights
    log_p = (w.log() - q.log()).max(dim=1).values if combine == "max" else -(w * q.log()).sum(dim=1)
    return torch.softmax(log_p, dim=0)


@resampling_exercise.mistake(
    "Your probabilities are proportional to how *common* the codes are: frequent images are drawn even more. Rare ones need "
    "more: 1 / Q."
)
def proportional_to_density(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    return _combined(1 / _of_images(mu, bins, smoothing), combine, latent_weights)


@resampling_exercise.mistake("The probabilities do not add up to 1. Divide by their sum over the images at the end.")
def not_normalised(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    q = _of_images(mu, bins, smoothing)
    w = torch.ones(q.shape[1]).to(q) if latent_weights is None else latent_weights
    return (w / q).max(dim=1).values if combine == "max" else q.pow(-w).prod(dim=1)


@resampling_exercise.mistake(
    "You look one bin too far to the right. np.digitize and a bucketize with all edges count from 1: subtract 1, or give "
    "bucketize the inner edges only, edges[1:-1]."
)
def bin_off_by_one(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    return _combined(_of_images(mu, bins, smoothing, shift=1), combine, latent_weights)


@resampling_exercise.mistake(
    "Your histograms run over the latents of one image: `for row in mu` walks over images. Walk over mu.T, the latents; the "
    "answer has one number for each image, (N,)."
)
def histogram_over_the_batch_axis(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    return _combined(_of_images(mu.T, bins, smoothing), combine, None)


@resampling_exercise.mistake("You add the latents' 1 / Q up. The rule is the largest of them: max over the latents.")
def sums_latents(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    q = _of_images(mu, bins, smoothing)
    if combine == "product":
        return _combined(q, combine, latent_weights)
    w = torch.ones(q.shape[1]).to(q) if latent_weights is None else latent_weights
    return (w / q).sum(dim=1) / (w / q).sum()


@resampling_exercise.mistake(
    "You take the smallest 1 / Q of an image's latents, so that an image counts only if all of it is rare. Take the largest."
)
def takes_the_smallest(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    q = _of_images(mu, bins, smoothing)
    if combine == "product":
        return _combined(q, combine, latent_weights)
    w = torch.ones(q.shape[1]).to(q) if latent_weights is None else latent_weights
    return (w / q).min(dim=1).values / (w / q).min(dim=1).values.sum()


@resampling_exercise.mistake(
    "You normalise each latent over the images before the largest is taken, as a well-known lab does. Our rule is the plain "
    "one: max over j of w_j / Q_j(i), and one division at the end."
)
def normalises_each_latent(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    q = _of_images(mu, bins, smoothing)
    if combine == "product":
        return _combined(q, combine, latent_weights)
    each = (1 / q) / (1 / q).sum(dim=0)
    p = (each if latent_weights is None else latent_weights * each).max(dim=1).values
    return p / p.sum()


@resampling_exercise.mistake(
    '`combine` is not used: "product" must multiply the latents\' 1 / Q instead of taking the largest.'
)
def always_max(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    return _combined(_of_images(mu, bins, smoothing), "max", latent_weights)


@resampling_exercise.mistake(
    "`latent_weights` is not used. With max they multiply, w_j / Q_j; with product they are exponents."
)
def ignores_latent_weights(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    return _combined(_of_images(mu, bins, smoothing), combine, None)


@resampling_exercise.mistake(
    "In the product your weights are factors, which cancel when you normalise. They are exponents: Q_j^(−w_j), or w_j · log "
    "Q_j in logarithms."
)
def weights_as_factors(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    return _combined(_of_images(mu, bins, smoothing), combine, latent_weights if combine == "max" else None)


@resampling_exercise.mistake(
    "`bins` and `smoothing` do not reach the histograms: they are always 10 and 0.001. Hand them on."
)
def ignores_bins(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    return _combined(_of_images(mu, 10, 1e-3), combine, latent_weights)


@resampling_exercise.mistake("`smoothing` does not reach the histograms: it is always 0.001. Hand it on.")
def ignores_smoothing(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    return _combined(_of_images(mu, bins, 1e-3), combine, latent_weights)


@resampling_exercise.mistake(
    "The softmax gets 1 / Q itself, so that differences become exponentials. It wants logarithms: softmax(log p) is p over "
    "its sum."
)
def softmax_of_the_inverse(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    q = _of_images(mu, bins, smoothing)
    if combine == "product":
        return _combined(q, combine, latent_weights)
    w = torch.ones(q.shape[1]).to(q) if latent_weights is None else latent_weights
    return torch.softmax((w / q).max(dim=1).values, dim=0)


@resampling_exercise.mistake(
    "Right for few latents, but the product of 200 numbers overflows to infinity, and infinity over infinity is NaN. Add "
    "logarithms, and let softmax normalise."
)
def multiplies_without_logarithms(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    q = _of_images(mu, bins, smoothing)
    if combine == "max":
        return _combined(q, combine, latent_weights)
    w = torch.ones(q.shape[1]).to(q) if latent_weights is None else latent_weights
    p = (1 / q).pow(w).prod(dim=1)
    return p / p.sum()


@resampling_exercise.style
def the_usual_loop(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    weights = np.ones(mu.shape[1]) if latent_weights is None else latent_weights.cpu().numpy()
    log_p = np.full(len(mu), -np.inf if combine == "max" else 0.0)
    for j in range(mu.shape[1]):
        column = mu[:, j].cpu().numpy()
        counts, edges = np.histogram(column, bins=bins)
        q = counts / len(column) + smoothing
        edges[0], edges[-1] = -np.inf, np.inf
        log_q = np.log((q / q.sum())[np.digitize(column, edges) - 1])
        log_p = np.maximum(log_p, np.log(weights[j]) - log_q) if combine == "max" else log_p - weights[j] * log_q
    p = np.exp(log_p - log_p.max())
    return torch.from_numpy(p / p.sum()).to(mu)


@resampling_exercise.style
def all_latents_at_once(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    low, high = mu.min(dim=0).values, mu.max(dim=0).values
    numbers = ((mu - low) / (high - low) * bins).long().clamp(max=bins - 1)
    q = F.one_hot(numbers, bins).to(mu).mean(dim=0) + smoothing  # (D, bins)
    rarity = -(q / q.sum(dim=1, keepdim=True)).log().gather(1, numbers.T).T  # (N, D)
    weights = torch.ones_like(low) if latent_weights is None else latent_weights
    log_p = (rarity + weights.log()).amax(dim=1) if combine == "max" else rarity @ weights
    return (log_p - log_p.logsumexp(dim=0)).exp()


@resampling_exercise.style
def by_histograms_and_edges(
    mu: Tensor, bins: int = 10, smoothing: float = 1e-3, combine: str = "max", latent_weights: Tensor | None = None
) -> Tensor:
    log_p: Tensor | None = None
    for j in range(mu.shape[1]):
        edges, q = latent_histogram(mu[:, j], bins, smoothing)
        number = (mu[:, j, None] >= edges[None, 1:-1]).sum(dim=1)
        weight = 1.0 if latent_weights is None else latent_weights[j].item()
        if combine == "max":
            this = torch.log(weight / q[number])
            log_p = this if log_p is None else torch.maximum(log_p, this)
        else:
            this = -weight * torch.log(q[number])
            log_p = this if log_p is None else log_p + this
    assert log_p is not None
    return F.softmax(log_p, dim=0)


resampling_exercise.through = by_histograms_and_edges


# -------------------------------------------------------------------------------------------------------- latent_kl


def _means_and_logvars(generator: Generator) -> list[Case]:
    return [
        {"mu": _normal(generator, n, d, scale=2), "logvar": _normal(generator, n, d, scale=1.5)}
        for n, d in ((6, 3), (4, 4), (1, 5), (7, 1))
    ]


latent_kl_exercise = Exercise(
    latent_kl,
    parts=[Part("value", "one value in nats for each latent", probes.price_of_latents, _means_and_logvars)],
    hints=[
        "It is the formula of lab 2, ½ (σ² + μ² − 1 − log σ²), with exp(logvar) for σ².",
        "In lab 2 you summed over the latents. Here each latent keeps its own number: which axis goes?",
        "Average over dim=0, the images: (D,).",
    ],
)


def _prices(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (logvar.exp() + mu.square() - 1 - logvar)


@latent_kl_exercise.mistake(
    "You summed over the latents: that is one value for each image. Average over dim=0: one a latent."
)
def sums_over_latents(mu: Tensor, logvar: Tensor) -> Tensor:
    return gaussian_kl(mu, logvar)


@latent_kl_exercise.mistake(
    "You averaged over the latents (dim=1). Average over the images, dim=0: one value a latent, (D,)."
)
def averages_over_latents(mu: Tensor, logvar: Tensor) -> Tensor:
    return _prices(mu, logvar).mean(dim=1)


@latent_kl_exercise.mistake("You summed over the images. Take the mean, so that it does not grow with their number.")
def sums_over_images(mu: Tensor, logvar: Tensor) -> Tensor:
    return _prices(mu, logvar).sum(dim=0)


@latent_kl_exercise.mistake("You averaged over everything. Keep one value for each latent: mean over dim=0 alone.")
def one_number_for_all(mu: Tensor, logvar: Tensor) -> Tensor:
    return _prices(mu, logvar).mean()


@latent_kl_exercise.mistake("The sign is wrong: a KL divergence is never negative.")
def negative_price(mu: Tensor, logvar: Tensor) -> Tensor:
    return -_prices(mu, logvar).mean(dim=0)


@latent_kl_exercise.mistake("σ stands where σ² belongs: exp(logvar / 2) is σ, the formula needs σ² = exp(logvar).")
def price_with_sigma(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * ((0.5 * logvar).exp() + mu.square() - 1 - logvar).mean(dim=0)


@latent_kl_exercise.mistake("logvar is read as log σ: exp(2 · logvar) stands where σ² = exp(logvar) belongs.")
def price_of_log_sigma(mu: Tensor, logvar: Tensor) -> Tensor:
    return _prices(mu, 2 * logvar).mean(dim=0)


@latent_kl_exercise.mistake(
    "You averaged mu and logvar over the images first. The KL is not linear: a latent whose means are +2 and −2 tells a "
    "lot, "
    "though they average to 0. First the KL of each image, then the mean."
)
def averages_first(mu: Tensor, logvar: Tensor) -> Tensor:
    return _prices(mu.mean(dim=0), logvar.mean(dim=0))


@latent_kl_exercise.mistake("The factor ½ is missing: you have twice the KL.")
def twice_the_price(mu: Tensor, logvar: Tensor) -> Tensor:
    return 2 * _prices(mu, logvar).mean(dim=0)


@latent_kl_exercise.style
def column_by_column(mu: Tensor, logvar: Tensor) -> Tensor:
    return torch.stack([gaussian_kl(mu[:, [j]], logvar[:, [j]]).mean() for j in range(mu.shape[1])])


@latent_kl_exercise.style
def kl_by_distributions(mu: Tensor, logvar: Tensor) -> Tensor:
    prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return kl_divergence(Normal(mu, torch.exp(logvar / 2)), prior).mean(0)


@latent_kl_exercise.style
def kl_by_moments(mu: Tensor, logvar: Tensor) -> Tensor:
    n = len(mu)
    return (torch.einsum("nd,nd->d", mu, mu) / n + logvar.exp().sum(0) / n - 1 - logvar.sum(0) / n) / 2


# ----------------------------------------------------------------------------------------------------------- temper


def _peaked(generator: Generator) -> list[Case]:
    return [
        {"probabilities": torch.softmax(_normal(generator, n, scale=scale), dim=0), "effective_fraction": fraction}
        for n, scale, fraction in ((60, 4.0, 0.3), (200, 2.5, 0.6), (25, 6.0, 0.2))
    ]


def _flat_enough(generator: Generator) -> list[Case]:
    flat = torch.softmax(_normal(generator, 40, scale=0.5), dim=0)
    return [{"probabilities": flat, "effective_fraction": 0.2}]


def _as_flat_as_can_be(generator: Generator) -> list[Case]:
    return [{"probabilities": torch.softmax(_normal(generator, 30, scale=2.0), dim=0), "effective_fraction": 1.0}]


temper_exercise = Exercise(
    temper,
    parts=[
        Part(
            "value", "the largest t that leaves enough images", probes.tempering, _peaked, tolerance=(1e-2, 1e-6), weight=3
        ),
        Part("flat", "what is flat enough stays as it is", probes.tempering, _flat_enough, tolerance=(1e-2, 1e-6)),
        Part(
            "uniform", "effective_fraction=1 makes all alike", probes.tempering, _as_flat_as_can_be, tolerance=(1e-2, 1e-6)
        ),
    ],
    hints=[
        "p^t / Σ p^t: t = 1 is p, t = 0 draws all alike. In logarithms: softmax(t · log p). effective_sample_size is given.",
        "The effective sample size falls as t grows. If t = 1 passes, take it. Else look for the t at which it crosses.",
        "Halve an interval, 50 times: low = 0 passes, high = 1 does not; the middle replaces the one that it agrees with.",
    ],
)


def _powers(p: Tensor, t: float) -> Tensor:
    return torch.softmax(t * p.double().log(), dim=0).to(p.dtype)


def _crossing(p: Tensor, size: float, power: Any = _powers, measure: Any = effective_sample_size) -> Tensor:
    """Bisect for the largest t in [0, 1] at which measure(power(p, t)) is at least size."""
    low, high = 0.0, 1.0
    if measure(power(p, 1.0)) >= size:
        return power(p, 1.0)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if measure(power(p, middle)) >= size else (low, middle)
    return power(p, low)


@temper_exercise.mistake("The powers do not add up to 1. Divide by their sum.")
def powers_not_normalised(probabilities: Tensor, effective_fraction: float) -> Tensor:
    tempered = temper(probabilities, effective_fraction)
    ratio = (tempered[0] / tempered[1]).log() / (probabilities[0] / probabilities[1]).log()  # t
    return probabilities**ratio


@temper_exercise.mistake(
    "You mix p with equal shares, (1 − s) p + s / N. Tempering takes a power, p^t, which keeps the order of all ratios."
)
def mixes_with_uniform(probabilities: Tensor, effective_fraction: float) -> Tensor:
    return _crossing(probabilities, effective_fraction * len(probabilities), lambda p, t: t * p + (1 - t) / len(p))


@temper_exercise.mistake(
    "Your t is always the same, a square root. Look for the largest t at which the effective sample size suffices."
)
def always_the_root(probabilities: Tensor, effective_fraction: float) -> Tensor:
    return _powers(probabilities, 0.5)


@temper_exercise.mistake(
    "p comes back as it was: t is always 1. Lower t until the effective sample size is at least effective_fraction · N (not "
    "effective_fraction itself, which any p reaches)."
)
def never_tempers(probabilities: Tensor, effective_fraction: float) -> Tensor:
    return probabilities.clone()


@temper_exercise.mistake(
    "You take effective_fraction for t. It says how many images must be left, not the power; look for the t that leaves "
    "them."
)
def takes_the_fraction_for_t(probabilities: Tensor, effective_fraction: float) -> Tensor:
    return _powers(probabilities, effective_fraction)


@temper_exercise.mistake(
    "Your t comes from a coarse grid (steps of 0.1), so it is too small by up to a step. Halve an interval 50 times."
)
def coarse_grid(probabilities: Tensor, effective_fraction: float) -> Tensor:
    enough = effective_fraction * len(probabilities) * (1 - 1e-9)
    powers = [_powers(probabilities, i / 10) for i in range(11)]
    return [power for power in powers if effective_sample_size(power) >= enough][-1]


@temper_exercise.mistake(
    "You measure by the exponential of the entropy. It is another useful number of effective images, but not 1 / Σ p²."
)
def measures_entropy(probabilities: Tensor, effective_fraction: float) -> Tensor:
    def perplexity(p: Tensor) -> float:
        return torch.special.entr(p.double()).sum().exp().item()

    return _crossing(probabilities, effective_fraction * len(probabilities), measure=perplexity)


@temper_exercise.mistake(
    "t may not exceed 1: what is flat enough already must stay as it is. You sharpen it until the sample size just suffices."
)
def sharpens_too(probabilities: Tensor, effective_fraction: float) -> Tensor:
    if effective_sample_size(probabilities) < effective_fraction * len(probabilities):
        return temper(probabilities, effective_fraction)
    return _crossing(probabilities, effective_fraction * len(probabilities), lambda p, t: _powers(p, 20 * t))


@temper_exercise.mistake("You give equal shares. That is t = 0, the smallest; look for the largest t that suffices.")
def all_alike(probabilities: Tensor, effective_fraction: float) -> Tensor:
    return torch.full_like(probabilities, 1 / len(probabilities))


@temper_exercise.mistake(
    "You cut the largest probabilities off. Tempering is a power of all of them, p^t, divided by the sum."
)
def clips(probabilities: Tensor, effective_fraction: float) -> Tensor:
    def clipped(p: Tensor, t: float) -> Tensor:
        cut = p.clamp(max=float(p.min() + t * (p.max() - p.min())))
        return cut / cut.sum()

    return _crossing(probabilities, effective_fraction * len(probabilities), clipped)


@temper_exercise.style
def by_a_fine_grid(probabilities: Tensor, effective_fraction: float) -> Tensor:
    t = torch.linspace(0, 1, 2001, dtype=torch.float64, device=probabilities.device)
    powers = torch.softmax(t[:, None] * probabilities.double().log(), dim=1)
    enough = 1 / powers.square().sum(dim=1) >= effective_fraction * len(probabilities) * (1 - 1e-12)
    return powers[enough.nonzero().max()].float()


@temper_exercise.style
def by_halving_plain_powers(probabilities: Tensor, effective_fraction: float) -> Tensor:
    wanted = effective_fraction * len(probabilities)

    def at(t: float) -> Tensor:
        q = probabilities.double() ** t
        return q / q.sum()

    if 1 / float((at(1.0) ** 2).sum()) >= wanted:
        return probabilities
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        t = (low + high) / 2
        if 1 / float((at(t) ** 2).sum()) >= wanted:
            low = t
        else:
            high = t
    return at(low).to(probabilities)


# ------------------------------------------------------------------------------------------------ resampled_indices


def _to_draw(generator: Generator) -> list[Case]:
    return [
        {"probabilities": p, "n": DRAWS, "seed": int(torch.randint(10_000, (1,), generator=generator))}
        for p in (
            torch.tensor([0.05, 0.5, 0.0, 0.15, 0.3])[torch.randperm(5, generator=generator)],
            torch.softmax(_normal(generator, 8), dim=0),
        )
    ]


def _frequencies(answers: dict[str, Any], probabilities: Tensor, **_: Any) -> dict[str, Any]:
    first, second = answers["indices"], answers["second_draw"]
    n = len(probabilities)
    return {
        "how_often_each_index_is_drawn": F.one_hot(first.clamp(0, n - 1), n).double().mean(dim=0),
        "how_often_the_second_time": F.one_hot(second.clamp(0, n - 1), n).double().mean(dim=0),
        "the_share_of_draws_that_two_calls_have_in_common": (first == second).double().mean(),
        "the_share_of_draws_that_repeat_the_one_before": (first[1:] == first[:-1]).double().mean(),
        "the_same_seed_gives_the_same_draw": answers["the_same_seed_gives_the_same_draw"],
        "the_largest_index_beyond_the_end": (first.max() - n + 1).clamp(min=0),
        "an_image_of_probability_0_is_drawn": float((probabilities == 0)[first.clamp(0, n - 1)].any()),
        "two_calls_without_a_generator_are_alike": answers["two_calls_without_a_generator_are_alike"],
    }


indices_exercise = Exercise(
    resampled_indices,
    parts=[Part("draws", "how often each index comes, with replacement, by the generator given", probes.draws, _to_draw,
                view=_frequencies, tolerance=WITHIN)],
    hints=[
        "torch.multinomial draws indices with given probabilities.",
        "n may be larger than N, and a rare image may come several times: with replacement.",
        "torch.multinomial(probabilities, n, replacement=True, generator=generator)",
    ],
)  # fmt: skip


@indices_exercise.mistake("Every image is drawn equally often: the probabilities are not used.")
def draws_uniformly(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    return torch.randint(len(probabilities), (n,), generator=generator)


@indices_exercise.mistake("You draw without replacement, so that there are not enough images: replacement=True.")
def without_replacement(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    return torch.multinomial(probabilities, n, replacement=False, generator=generator)


@indices_exercise.mistake("The generator is not used, so that a run cannot be repeated. Hand it to torch.multinomial.")
def ignores_the_generator(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    return torch.multinomial(probabilities, n, replacement=True)


@indices_exercise.mistake(
    "Two calls give the same draws. Do not seed anything inside the function: the generator goes on by itself."
)
def seeds_itself(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    fixed = torch.Generator().manual_seed(0)
    return torch.multinomial(probabilities, n, replacement=True, generator=fixed)


@indices_exercise.mistake("You take the most probable image every time. Draw at random, each with its probability.")
def takes_the_most_probable(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    return probabilities.argmax().repeat(n)


@indices_exercise.mistake(
    "Without a generator two calls give the same draws. Hand generator on as it is: None is torch's own, which goes on "
    "by itself."
)
def seeds_what_is_missing(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    generator = generator or torch.Generator().manual_seed(0)
    return torch.multinomial(probabilities, n, replacement=True, generator=generator)


@indices_exercise.mistake("You add something to the probabilities: an image of probability 0 must never be drawn.")
def draws_the_impossible(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    return torch.multinomial(probabilities + 1e-3, n, replacement=True, generator=generator)


@indices_exercise.mistake(
    "Your draws come in order: each image repeated about n · p times, or random draws that are sorted. Leave them as they "
    "fall, so that a batch mixes the images."
)
def repeats_in_order(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    ends = (probabilities.double().cumsum(0) * n).round().long()
    return torch.searchsorted(ends, torch.arange(n), right=True).clamp(max=len(probabilities) - 1)


@indices_exercise.mistake("You draw by 1 − p, so that what should come often comes seldom.")
def draws_the_others(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    return torch.multinomial(1 - probabilities, n, replacement=True, generator=generator)


@indices_exercise.style
def by_cumulative_sums(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    ends = probabilities.double().cumsum(0)
    u = torch.rand(n, generator=generator, dtype=torch.float64) * ends[-1]
    return torch.searchsorted(ends, u.to(ends.device), right=True)


@indices_exercise.style
def one_at_a_time(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    few = [torch.multinomial(probabilities, n // 10, True, generator=generator) for _ in range(10)]
    rest = torch.multinomial(probabilities, n - 10 * (n // 10) or 1, True, generator=generator)
    return torch.cat([*few, rest])[:n]


# -------------------------------------------------------------------------------------------------- recall_by_group


def _predictions(generator: Generator) -> list[Case]:
    cases = []
    for n, n_groups, absent in ((60, 4, 2), (25, 3, 5), (40, 6, 5)):
        group = torch.randint(n_groups, (n,), generator=generator)
        group[group == absent] = 0  # an empty group, the last one too
        group[0] = 0
        predicted = _uniform(generator, n) < 0.2 + 0.6 * group / n_groups
        cases.append({"predicted": predicted, "group": group, "n_groups": n_groups})
    return cases


recall_exercise = Exercise(
    recall_by_group,
    parts=[Part("value", "a share for each group, NaN for an empty one", probes.recall, _predictions)],
    hints=[
        "For group k: predicted[group == k] is what was said of its faces. Which share of it is True?",
        "The answer has n_groups numbers, also if the last groups are empty. The mean of nothing is NaN: that is wanted.",
        "torch.stack([predicted[group == k].float().mean() for k in range(n_groups)])",
    ],
)


def _each(predicted: Tensor, group: Tensor, n_groups: int) -> list[Tensor]:
    return [predicted[group == k].float() for k in range(n_groups)]


@recall_exercise.mistake("An empty group gets 0, as if all its faces had been missed. Nothing is known of it: NaN.")
def zero_for_empty(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    return recall_by_group(predicted, group, n_groups).nan_to_num(0.0)


@recall_exercise.mistake("An empty group gets 1. Nothing is known of it: NaN.")
def one_for_empty(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    return recall_by_group(predicted, group, n_groups).nan_to_num(1.0)


@recall_exercise.mistake("You divide by the number of all faces. Divide by the number of the group's own.")
def divides_by_all(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    return torch.stack([found.sum() for found in _each(predicted, group, n_groups)]) / len(predicted)


@recall_exercise.mistake(
    "This is which share of the recognised faces belongs to the group. Recall asks the other way: which share of the "
    "group is "
    "recognised."
)
def share_of_recognised(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    return torch.stack([found.sum() for found in _each(predicted, group, n_groups)]) / predicted.sum()


@recall_exercise.mistake("You count the faces that were missed. Recall is the share that was found: one minus yours.")
def counts_misses(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    return 1 - recall_by_group(predicted, group, n_groups)


@recall_exercise.mistake(
    "You answer only for groups that occur. Return n_groups numbers, so that group k stands at place k: NaN for the "
    "empty ones."
)
def drops_empty(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    recall = recall_by_group(predicted, group, n_groups)
    return recall[~recall.isnan()]


@recall_exercise.mistake("You return a list. Return a tensor (n_groups,): torch.stack or torch.tensor.")
def returns_a_list(predicted: Tensor, group: Tensor, n_groups: int) -> Any:
    return recall_by_group(predicted, group, n_groups).tolist()


@recall_exercise.style
def group_by_group(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    return torch.stack([found.mean() for found in _each(predicted, group, n_groups)])


@recall_exercise.style
def by_one_hot(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    member = F.one_hot(group, n_groups).float()
    return (predicted.float() @ member) / member.sum(dim=0)


@recall_exercise.style
def by_counting(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    hits, size = [0] * n_groups, [0] * n_groups
    for said, k in zip(predicted.tolist(), group.tolist(), strict=True):
        hits[k] += said
        size[k] += 1
    return torch.tensor([h / s if s else float("nan") for h, s in zip(hits, size, strict=True)])


# --------------------------------------------------------------------------------------------------- outlier_scores


def _models_and_images(generator: Generator) -> list[Case]:
    return [
        {
            "x": _uniform(generator, b, c, 2, 2),
            "encoder_weight": _normal(generator, 2 * d, 4 * c, scale=0.7),
            "decoder_weight": _normal(generator, 4 * c, d),
            "training": training,
        }
        for b, c, d, training in ((5, 3, 2, True), (3, 1, 3, False), (1, 3, 4, True))
    ]


scores_exercise = Exercise(
    outlier_scores,
    parts=[Part("value", "the scores; the mode restored; no gradients", probes.scores, _models_and_images)],
    hints=[
        "encode gives mu and logvar, decode(mu) gives logits: the code's mean, no noise, so that a score can be repeated.",
        "bernoulli_nll(logits, x) + gaussian_kl(mu, logvar), both (B,), of lab 2.",
        "Remember model.training, call model.eval(), work under torch.no_grad(), then model.train(what it was).",
    ],
)


def _scored(model: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return nll, KL and squared error without gradients, the mode restored."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        mu, logvar = model.encode(x)
        logits = model.decode(mu)
    model.train(was_training)
    return bernoulli_nll(logits, x), gaussian_kl(mu, logvar), (logits.sigmoid() - x).square().flatten(1).sum(1)


@scores_exercise.mistake("The price of the code is missing: add gaussian_kl(mu, logvar).")
def forgets_the_code(model: Any, x: Tensor) -> Tensor:
    return _scored(model, x)[0]


@scores_exercise.mistake("The price of the reconstruction is missing: add bernoulli_nll(model.decode(mu), x).")
def forgets_the_image(model: Any, x: Tensor) -> Tensor:
    return _scored(model, x)[1]


@scores_exercise.mistake("You subtract the price of the code. Both are prices: add them.")
def subtracts_the_code(model: Any, x: Tensor) -> Tensor:
    nll, kl, _ = _scored(model, x)
    return nll - kl


@scores_exercise.mistake("The sign is wrong: odd images must score higher.")
def higher_for_the_ordinary(model: Any, x: Tensor) -> Tensor:
    nll, kl, _ = _scored(model, x)
    return -(nll + kl)


@scores_exercise.mistake("You averaged over the batch. Each image has a score of its own: (B,).")
def one_score_for_all(model: Any, x: Tensor) -> Tensor:
    nll, kl, _ = _scored(model, x)
    return (nll + kl).mean()


@scores_exercise.mistake("This is the squared error. The score is the loss of lab 2: bernoulli_nll, plus the KL.")
def scores_squared_error(model: Any, x: Tensor) -> Tensor:
    _, kl, error = _scored(model, x)
    return error + kl


@scores_exercise.mistake(
    "The reconstruction is averaged over the pixels, so that the code outweighs it. Sum: bernoulli_nll."
)
def averages_over_pixels(model: Any, x: Tensor) -> Tensor:
    nll, kl, _ = _scored(model, x)
    return nll / x[0].numel() + kl


@scores_exercise.mistake(
    "You decode a random code (model(x), or reparameterize), so every call gives another score. Decode mu."
)
def decodes_a_random_code(model: Any, x: Tensor) -> Tensor:
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits, mu, logvar = model(x)
    model.train(was_training)
    return bernoulli_nll(logits, x) + gaussian_kl(mu, logvar)


@scores_exercise.mistake(
    "bernoulli_nll takes logits, and you hand it probabilities: the sigmoid is taken twice. model.decode(mu) gives logits."
)
def sigmoid_twice(model: Any, x: Tensor) -> Tensor:
    was_training = model.training
    model.eval()
    with torch.no_grad():
        mu, logvar = model.encode(x)
        scores = bernoulli_nll(model.decode(mu).sigmoid(), x) + gaussian_kl(mu, logvar)
    model.train(was_training)
    return scores


@scores_exercise.mistake("The model always ends in training mode. Restore what you found: model.train(was_training).")
def always_trains_afterwards(model: Any, x: Tensor) -> Tensor:
    nll, kl, _ = _scored(model, x)
    model.train()
    return nll + kl


@scores_exercise.mistake(
    "You switch gradients off for good, and the next training learns nothing. Use `with torch.no_grad():`, which ends."
)
def switches_gradients_off(model: Any, x: Tensor) -> Tensor:
    nll, kl, _ = _scored(model, x)
    torch.set_grad_enabled(False)
    return nll + kl


@scores_exercise.mistake(
    "You freeze the model's parameters (requires_grad), and the next training learns nothing. Use `with torch.no_grad():`."
)
def freezes_the_model(model: Any, x: Tensor) -> Tensor:
    nll, kl, _ = _scored(model, x)
    model.requires_grad_(False)
    return nll + kl


@scores_exercise.mistake("The model stays in eval mode. Remember model.training before, and restore it after.")
def stays_in_eval(model: Any, x: Tensor) -> Tensor:
    nll, kl, _ = _scored(model, x)
    model.eval()
    return nll + kl


@scores_exercise.mistake("You score in whatever mode the model is in. Call model.eval() first, and restore the mode after.")
def scores_in_any_mode(model: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        mu, logvar = model.encode(x)
        return bernoulli_nll(model.decode(mu), x) + gaussian_kl(mu, logvar)


@scores_exercise.mistake("The scores carry gradients, and so keep the whole graph in memory. Work under torch.no_grad().")
def keeps_gradients(model: Any, x: Tensor) -> Tensor:
    was_training = model.training
    model.eval()
    mu, logvar = model.encode(x)
    scores = bernoulli_nll(model.decode(mu), x) + gaussian_kl(mu, logvar)
    model.train(was_training)
    return scores


@scores_exercise.style
@torch.no_grad()
def under_a_decorator(model: Any, x: Tensor) -> Tensor:
    mode = model.training
    model.train(False)
    mu, logvar = model.encode(x)
    price = F.binary_cross_entropy_with_logits(model.decode(mu), x, reduction="none").flatten(1).sum(1)
    model.train(mode)
    return price - 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)


@scores_exercise.style
def image_by_image_scores(model: Any, x: Tensor) -> Tensor:
    mode = model.training
    model.eval()
    try:
        with torch.inference_mode():
            found = []
            for image in x.split(1):
                mu, logvar = model.encode(image)
                found.append(bernoulli_nll(model.decode(mu), image) + gaussian_kl(mu, logvar))
            return torch.cat(found)
    finally:
        model.train(mode)


# ------------------------------------------------------------------------------------------------------------ auroc


def _scores_with_ties(generator: Generator) -> list[Case]:
    cases = []
    for n, values in ((40, 6), (25, 1000), (12, 3)):
        is_outlier = _uniform(generator, n) < 0.35
        is_outlier[:3] = torch.tensor([True, False, True])
        scores = torch.randint(values, (n,), generator=generator).float() + values * 0.2 * is_outlier.float().round()
        scores[:2] = scores[0]  # at least one tie
        cases.append({"scores": scores, "is_outlier": is_outlier})
    return cases


auroc_exercise = Exercise(
    auroc,
    parts=[Part("value", "the area, ties counted half, a Python float", probes.area, _scores_with_ties)],
    hints=[
        "It is a duel: take every outlier with every ordinary image. How often does the outlier score higher?",
        "scores[is_outlier][:, None] against scores[~is_outlier][None, :] is a table of all duels.",
        "Wins count 1, ties one half: ((a > b).double() + 0.5 * (a == b).double()).mean().item()",
    ],
)


def _duels(scores: Tensor, is_outlier: Tensor) -> tuple[Tensor, Tensor]:
    return scores[is_outlier][:, None], scores[~is_outlier][None, :]


@auroc_exercise.mistake("Ties count 1 in yours. A tie is no win: count it half.")
def ties_win(scores: Tensor, is_outlier: Tensor) -> float:
    odd, ordinary = _duels(scores, is_outlier)
    return (odd >= ordinary).double().mean().item()


@auroc_exercise.mistake("Ties count 0 in yours. Count a tie half, or a score that is always the same gets 0 instead of ½.")
def ties_lose(scores: Tensor, is_outlier: Tensor) -> float:
    odd, ordinary = _duels(scores, is_outlier)
    return (odd > ordinary).double().mean().item()


@auroc_exercise.mistake("It is the wrong way round: an outlier wins if it scores *higher*. You have one minus the area.")
def wrong_way_round(scores: Tensor, is_outlier: Tensor) -> float:
    return 1 - auroc(scores, is_outlier)


@auroc_exercise.mistake("You divide by N². There are only (outliers) × (ordinary ones) duels: nobody fights his own kind.")
def divides_by_all_pairs(scores: Tensor, is_outlier: Tensor) -> float:
    odd, ordinary = _duels(scores, is_outlier)
    return auroc(scores, is_outlier) * odd.numel() * ordinary.numel() / len(scores) ** 2


@auroc_exercise.mistake(
    "This is the accuracy at one threshold. The area knows all thresholds: compare every outlier with every ordinary image."
)
def accuracy_at_the_median(scores: Tensor, is_outlier: Tensor) -> float:
    return ((scores > scores.median()) == is_outlier).double().mean().item()


@auroc_exercise.mistake("You rank by argsort, which puts ties in some order. Scores that tie share the mean of their ranks.")
def ranks_by_argsort(scores: Tensor, is_outlier: Tensor) -> float:
    ranks = scores.argsort(stable=True).argsort() + 1
    odd = int(is_outlier.sum())
    return (ranks[is_outlier].sum().item() - odd * (odd + 1) / 2) / (odd * (len(scores) - odd))


@auroc_exercise.mistake("You return a tensor. Return a Python float: .item().")
def returns_a_tensor(scores: Tensor, is_outlier: Tensor) -> Any:
    return torch.tensor(auroc(scores, is_outlier))


@auroc_exercise.style
def all_duels(scores: Tensor, is_outlier: Tensor) -> float:
    odd, ordinary = _duels(scores, is_outlier)
    return ((odd > ordinary).double() + 0.5 * (odd == ordinary)).mean().item()


@auroc_exercise.style
def by_ranks(scores: Tensor, is_outlier: Tensor) -> float:
    ranks = (scores[:, None] > scores).sum(1) + 0.5 * ((scores[:, None] == scores).sum(1) + 1)  # ties share their rank
    odd = int(is_outlier.sum())
    return float((ranks[is_outlier].sum().double() - odd * (odd + 1) / 2) / (odd * (len(scores) - odd)))


@auroc_exercise.style
def by_the_curve(scores: Tensor, is_outlier: Tensor) -> float:
    points = [(0.0, 0.0)]
    for threshold in sorted(set(scores.tolist()), reverse=True):
        said = scores >= threshold
        points.append((said[~is_outlier].double().mean().item(), said[is_outlier].double().mean().item()))
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))


# -------------------------------------------------------------------------------------------------------- questions

QUESTIONS = [
    Question(
        "answer_indicator",
        right="b",
        feedback={
            "a": (
                "The VAE's terms are switched off for non-faces, well and good. But look at what else stands in the "
                "bracket: "
                "what does a non-face cost then?"
            ),
            "b": (
                "Yes. A non-face then costs nothing, whatever is said of it. “Face”, always, is the cheapest answer; and "
                "since "
                "recall only looks at faces, it even looks like a triumph: 100 % in every group."
            ),
            "c": (
                "The gradient of every face is what it was. It is the non-faces whose gradient is gone. What does a network "
                "learn that never hears of a wrong “face”?"
            ),
        },
        hints=["Put y = 0 into indicator · (L_y + L_VAE). What does the network pay for calling this image a face?"],
    ),
    Question(
        "answer_product",
        right="c",
        feedback={
            "a": ("The logarithms take care of that: the numbers are right. They are only very unequal. Why?"),
            "b": (
                "Smoothing limits how large one factor can get: about 1 / smoothing. How large can eight of them get "
                "together?"
            ),
            "c": (
                "Yes. Eight moderately rare values multiply to something extremely rare. The product knows about "
                "combinations, "
                "and a combination of eight things is nearly always unique. Tempering shrinks all the exponents at once."
            ),
        },
        hints=["If an image is 3 times rarer than usual in each of 8 latents: by what factor does the product favour it?"],
    ),
    Question(
        "answer_confound",
        right="a",
        feedback={
            "a": (
                "Yes. With evenly toned non-faces, 'dark' says 'no face' before a single feature is looked at: 5 % of "
                "the faces "
                "are dark, but half of the non-faces. Skew both alike and tone says nothing of the answer: less to "
                "repair, and "
                "less that resampling can give."
            ),
            "b": (
                "It has seen just as few dark faces in both cases: 5 % of 6,000. Only the non-faces changed. What does tone "
                "tell about the answer in each case?"
            ),
            "c": (
                "The test set is the same and evenly toned in both cases. Look at the training set: of a dark image, how "
                "likely "
                "is it a face?"
            ),
        },
        hints=["Count in the training set: among dark images, which share is faces? Before and after the toggle."],
    ),
    Question(
        "answer_calibration",
        right="b",
        feedback={
            "a": (
                "A mere shift would gain nothing at equal alarms, and would leave the area as it is. Both rise, by little, "
                "and by more than their intervals. So not quite all of it."
            ),
            "b": (
                "Yes. At one bar for everybody the worst dark group gains 0.35, at equal alarms 0.07: four fifths of the "
                "gain are a bar that was lowered for the dark. The rest was learned. Always report the second number too."
            ),
            "c": (
                "Look at the false alarms among dark non-faces, and compare the two gains: at one bar, and at equal alarms. "
                "Do they say that nothing was paid?"
            ),
        },
        hints=["A detector that shouts 'face' at everything dark has a recall of 1 there. Which column would show that?"],
    ),
    Question(
        "answer_predict",
        right="a",
        feedback={
            "a": (
                "Yes. Resampling can only draw more often what its latents call rare. Look at that share first: it costs "
                "one "
                "training without resampling, and no second one."
            ),
            "b": (
                "The recall of the group says that there is something to gain. Whether resampling will gain it depends on "
                "whether the latents know the group. What do the probabilities do with it?"
            ),
            "c": (
                "The reconstruction can look fine in every group without one latent following the attribute: absolute error "
                "does not care for a small or unpredictable part of the picture. Ask the probabilities themselves."
            ),
        },
        hints=["What does resampling change? Only how often an image is drawn. Compute that, without training again."],
    ),
    Question(
        "answer_simple",
        right="c",
        feedback={
            "a": (
                "It has never seen fog. The line above splits the price: its misfit is larger than an ordinary scene's. So "
                "which part of the price is smaller?"
            ),
            "b": (
                "The code is a few nats of a price of nearly two thousand. Whatever happens there, another part decides. "
                "Compare "
                "the sizes."
            ),
            "c": (
                "Yes. The cross-entropy of a grey pixel is at least its entropy: 0.69 nats at ½, 0.50 at 0.8, next to "
                "nothing near "
                "white or black. This floor differs from image to image by hundreds of nats. The score mixes 'unlike the "
                "training images' with 'has many middle greys'."
            ),
        },
        hints=["Take a perfect reconstruction. What does a pixel of 0.5 cost? And one of 0.8?"],
    ),
]

# Of what the marked cells print: another machine's last digit may differ.
TOLERANCE = (1e-3, 2e-3)

ITEMS = [
    recall_exercise,
    loss_exercise,
    latent_kl_exercise,
    histogram_exercise,
    resampling_exercise,
    indices_exercise,
    temper_exercise,
    scores_exercise,
    auroc_exercise,
    *QUESTIONS,
]
