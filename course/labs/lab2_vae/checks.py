"""How lab 2 judges: for each exercise its cases and parts, the mistakes that people make, other right ways, hints."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F

from course.checks.exercise import Case, Exercise, Part, Question
from course.labs.lab2_vae import probes
from course.metrics import entropy, equal_width_bins, mutual_information_gap
from course.vae import (
    VAE,
    bernoulli_nll,
    gaussian_kl,
    negative_elbo,
    reparameterize,
    train_step,
    traverse,
)

# Random answers are judged by statistics of DRAWS independent numbers. Two such statistics, the student's and the
# reference's, differ by more than WITHIN with a probability below 1e-9, that is 6.4 standard errors of the difference
# (the least favourable is the correlation between the images of two halves: standard error sqrt(2 / (DRAWS / 2)) = 0.016).
# A check compares fewer than 100 of them. tests/labs/test_false_alarms.py does the sum.
DRAWS = 16384
WITHIN = (0.0, 0.1)


def _normal(generator: Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=generator)


def _uniform(generator: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator)


def _statistics(noise: Tensor) -> dict[str, Any]:
    """Describe noise (N, D) that should be standard normal and independent; names are what a student reads."""
    n, _ = noise.shape
    centred = noise - noise.mean(dim=0)
    scaled = centred / centred.std(dim=0).clamp(min=1e-6)
    half = scaled[: n // 2], scaled[n // 2 :]
    return {
        "the_noise's_mean": noise.mean(dim=0),
        "the_noise's_standard_deviation": noise.std(dim=0),
        "the_noise's_mean_absolute_value": centred.abs().mean(dim=0),
        "the_weight_of_the_noise's_tails_(its_kurtosis_/_5)": scaled.pow(4).mean(dim=0) / 5,
        "the_correlation_of_noise_between_latents": (scaled.T @ scaled / n - torch.eye(scaled.shape[1])).flatten(),
        "the_correlation_of_noise_between_images": (half[0] * half[1]).mean(dim=0),
    }


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    one, other = one - one.mean(dim=0), other - other.mean(dim=0)
    return (one * other).mean(dim=0) / (one.std(dim=0) * other.std(dim=0)).clamp(min=1e-6)


# --------------------------------------------------------------------------------------------------- reparameterize


def _repeated_codes(generator: Generator) -> list[Case]:
    mu, logvar = _normal(generator, 3, scale=2), torch.tensor([-2.5, 0.7, 1.6])
    return [{"mu": mu.repeat(DRAWS, 1), "logvar": logvar[torch.randperm(3, generator=generator)].repeat(DRAWS, 1)}]


def _standardised(answers: dict[str, Any], mu: Tensor, logvar: Tensor) -> dict[str, Any]:
    first = (answers["z"] - mu) / (0.5 * logvar).exp()
    second = (answers["second_draw"] - mu) / (0.5 * logvar).exp()
    return _statistics(first) | {"the_correlation_of_noise_between_calls": _correlation(first, second)}


def _few_codes(generator: Generator) -> list[Case]:
    return [
        {"mu": _normal(generator, b, d, scale=2), "logvar": _normal(generator, b, d, scale=1.5)}
        for b, d in ((5, 3), (4, 4), (1, 6), (6, 1))
    ]


def _gradient_rule(answers: dict[str, Any], mu: Tensor, logvar: Tensor) -> dict[str, Any]:
    # z = mu + σ eps, so dz/dmu = 1 and dz/dlogvar = σ eps / 2 = (z − mu) / 2, whatever the noise was.
    error = answers["gradient_of_logvar"] - (answers["z"] - mu) / 2
    without_noise = (answers["z"] == mu).double().mean()  # the rule holds for z = mu too, and no gradient reaches logvar
    return {
        "gradient_of_mu": answers["gradient_of_mu"],
        "the_error_of_the_gradient_of_logvar": error,
        "the_share_of_z_that_is_just_mu": without_noise,
    }


reparameterize_exercise = Exercise(
    reparameterize,
    parts=[
        Part("noise", "the noise: its mean, its spread, fresh for every element and call", probes.noise,
             _repeated_codes, view=_standardised, tolerance=WITHIN, weight=2),
        Part("gradient", "the gradients that reach mu and logvar", probes.noise_gradients, _few_codes,
             view=_gradient_rule),
    ],
    hints=[
        "Draw eps from N(0, 1) first, with the shape of mu: torch.randn_like. Then shift it and stretch it.",
        "logvar = log σ². Which power of exp(logvar) is σ?",
        "z = mu + σ · eps with σ = exp(logvar / 2).",
    ],
)  # fmt: skip


@reparameterize_exercise.mistake("You used logvar itself as σ. It is a logarithm and may be negative: σ = exp(logvar / 2).")
def uses_logvar_as_std(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + logvar * torch.randn_like(mu)


@reparameterize_exercise.mistake(
    "You multiplied the noise by exp(logvar), which is the variance σ² (or you read logvar as log σ). σ is its square root: "
    "exp(logvar / 2)."
)
def uses_variance_as_std(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + logvar.exp() * torch.randn_like(mu)


@reparameterize_exercise.mistake("You returned mu without noise. That is an autoencoder: draw eps and add σ · eps.")
def ignores_noise(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu


@reparameterize_exercise.mistake(
    "All images of the batch share one draw of noise. Draw eps with the full shape (B, D), not (D,)."
)
def shares_noise_over_batch(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + (0.5 * logvar).exp() * torch.randn(mu.shape[1], device=mu.device)


@reparameterize_exercise.mistake(
    "All latent variables of an image share one draw of noise. Draw eps with the full shape (B, D), not (B, 1)."
)
def shares_noise_over_latents(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + (0.5 * logvar).exp() * torch.randn(mu.shape[0], 1, device=mu.device)


@reparameterize_exercise.mistake(
    "The gradient stops at the sampling: torch.normal, .sample(), .detach() and no_grad cut it. Draw eps apart from mu and "
    "σ, and compute z from the three."
)
def cuts_gradient(mu: Tensor, logvar: Tensor) -> Tensor:
    return torch.normal(mu.detach(), (0.5 * logvar.detach()).exp())


@reparameterize_exercise.mistake("No gradient reaches logvar, so the network could never learn its spread. Do not detach σ.")
def detaches_std(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + (0.5 * logvar).exp().detach() * torch.randn_like(mu)


@reparameterize_exercise.mistake("Your noise is uniform on [0, 1) (torch.rand). It must be standard normal: torch.randn.")
def draws_uniform_noise(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + (0.5 * logvar).exp() * torch.rand_like(mu)


@reparameterize_exercise.mistake(
    "Two calls give the same noise. Do not set a seed inside the function: every call must draw afresh."
)
def repeats_its_noise(mu: Tensor, logvar: Tensor) -> Tensor:
    noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0)).to(mu.device)
    return mu + (0.5 * logvar).exp() * noise


@reparameterize_exercise.style
def rsample(mu: Tensor, logvar: Tensor) -> Tensor:
    return Normal(mu, logvar.mul(0.5).exp()).rsample()


@reparameterize_exercise.style
def square_root_of_variance(mu: Tensor, logvar: Tensor) -> Tensor:
    return torch.addcmul(mu, torch.sqrt(torch.exp(logvar)), torch.randn(*mu.shape, device=mu.device))


@reparameterize_exercise.style
def column_by_column(mu: Tensor, logvar: Tensor) -> Tensor:
    columns = [m + (v / 2).exp() * torch.randn_like(m) for m, v in zip(mu.T, logvar.T, strict=True)]
    return torch.stack(columns, dim=1)


# ------------------------------------------------------------------------------------------------------ gaussian_kl


def _few_and_extreme_codes(generator: Generator) -> list[Case]:
    return [*_few_codes(generator), {"mu": _normal(generator, 4, 1), "logvar": torch.tensor([[-25.0], [-15], [12], [20]])}]


kl_exercise = Exercise(
    gaussian_kl,
    parts=[
        Part("value", "one value in nats for each image", probes.kl, _few_and_extreme_codes, weight=2),
        Part("gradient", "the gradients that pull mu and logvar to the prior", probes.kl_gradients, _few_codes),
    ],
    hints=[
        "Every latent variable adds ½ (σ² + μ² − 1 − log σ²), which is 0 for μ = 0, σ = 1. Is yours?",
        "exp(logvar) is σ², and logvar is log σ²: no square root is needed anywhere.",
        "Sum over dim=1, the latent variables. The batch stays.",
    ],
)


@kl_exercise.mistake(
    "The sign is wrong: a KL divergence is never negative. The minus belongs to −½ Σ (1 + log σ² − μ² − σ²)."
)
def wrong_sign(mu: Tensor, logvar: Tensor) -> Tensor:
    return -0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(dim=1)


@kl_exercise.mistake("σ stands where σ² belongs: exp(logvar / 2) is σ, the formula needs σ² = exp(logvar).")
def sigma_for_variance(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * ((0.5 * logvar).exp() + mu**2 - 1 - logvar).sum(dim=1)


@kl_exercise.mistake(
    "This is the formula that many slides print, with σ for σ² and log σ for log σ². Both belong squared, and the "
    "leading sign must make it positive."
)
def slide_formula(mu: Tensor, logvar: Tensor) -> Tensor:
    return -0.5 * ((0.5 * logvar).exp() + mu**2 - 1 - 0.5 * logvar).sum(dim=1)


@kl_exercise.mistake(
    "You summed over the batch (dim=0). Each image has a KL of its own: sum over the latent variables, dim=1."
)
def sums_over_batch(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(dim=0)


@kl_exercise.mistake("You averaged over the latent variables. Independent variables add their nats: use sum(dim=1).")
def averages_latents(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).mean(dim=1)


@kl_exercise.mistake("You summed over everything. Return one value for each image, (B,): sum over dim=1 alone.")
def sums_everything(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum()


@kl_exercise.mistake("You averaged over the batch as well. Return one value for each image, (B,); the average comes later.")
def averages_the_batch(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(dim=1).mean()


@kl_exercise.mistake("You read logvar as log σ: exp(2 · logvar) is not σ². logvar is log σ², so σ² = exp(logvar).")
def reads_logvar_as_log_std(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * ((2 * logvar).exp() + mu**2 - 1 - 2 * logvar).sum(dim=1)


@kl_exercise.mistake(
    "You halve logvar where it is subtracted: logvar is log σ² already, and the ½ before the bracket is the only one."
)
def halves_the_logarithm(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (logvar.exp() + mu**2 - 1 - 0.5 * logvar).sum(dim=1)


@kl_exercise.mistake("The −1 stands outside the sum. Every latent variable has its own: sum (σ² + μ² − 1 − log σ²).")
def subtracts_one_once(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * ((logvar.exp() + mu**2 - logvar).sum(dim=1) - 1)


@kl_exercise.mistake("The sum keeps its dimension, (B, 1). Return (B,): leave keepdim out.")
def keeps_the_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(dim=1, keepdim=True)


@kl_exercise.mistake("The numbers are right, but no gradient arrives: leave out detach, no_grad, .item(), torch.tensor.")
def kl_without_gradients(mu: Tensor, logvar: Tensor) -> Tensor:
    return gaussian_kl(mu, logvar).detach()


@kl_exercise.mistake("The 1 is missing: at μ = 0 and σ = 1 the KL must be 0, yours is D/2.")
def misses_the_one(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (logvar.exp() + mu**2 - logvar).sum(dim=1)


@kl_exercise.mistake("The factor ½ is missing: you have twice the KL.")
def misses_the_half(mu: Tensor, logvar: Tensor) -> Tensor:
    return (logvar.exp() + mu**2 - 1 - logvar).sum(dim=1)


@kl_exercise.mistake("This is the KL the other way round, from the prior to q. The VAE needs KL(q ‖ prior).")
def reversed_direction(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * ((1 + mu**2) / logvar.exp() - 1 + logvar).sum(dim=1)


@kl_exercise.style
def kl_by_distributions(mu: Tensor, logvar: Tensor) -> Tensor:
    q = Normal(mu, (logvar / 2).exp())
    return kl_divergence(q, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(-1)


@kl_exercise.style
def kl_by_einsum(mu: Tensor, logvar: Tensor) -> Tensor:
    ones = torch.ones_like(mu)
    terms = torch.einsum("bd,bd->b", mu, mu) + torch.einsum("bd,bd->b", logvar.exp() - logvar - 1, ones)
    return terms / 2


@kl_exercise.style
def kl_image_by_image(mu: Tensor, logvar: Tensor) -> Tensor:
    values = [-0.5 * torch.sum(1 + v - m.square() - v.exp()) for m, v in zip(mu, logvar, strict=True)]
    return torch.stack(values)


# ---------------------------------------------------------------------------------------------------- bernoulli_nll


def _images_and_logits(generator: Generator) -> list[Case]:
    # No pixel is sure here, so that a form that breaks for sure ones loses the points for stability and no others.
    shapes = ((5, 1, 3, 2), (3, 3, 3, 3), (1, 2, 4, 3), (4, 1, 1, 1))
    return [{"logits": 6 * _uniform(generator, *shape) - 3, "x": _uniform(generator, *shape)} for shape in shapes]


def _saturated(generator: Generator) -> list[Case]:
    order = torch.randperm(6, generator=generator)
    logits = torch.tensor([300.0, 300, 300, -300, -300, -300])[order] + _normal(generator, 2, 6)
    x = torch.tensor([0, 0.5, 1, 0, 0.5, 1])[order].repeat(2, 1)  # each image has 3 wrong pixels' worth: some 900 nats
    return [{"logits": logits.reshape(2, 1, 2, 3), "x": x.reshape(2, 1, 2, 3)}]


def _broken_or_capped(answers: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Make all broken answers alike, whether inf or NaN, and all capped ones, whatever they are capped at."""
    nll = answers["NLL"]
    capped = nll.isfinite() & (nll > 0) & (nll < 600)  # a clamp in torch's binary_cross_entropy stops at 100 a pixel
    broken_or_nll = nll.where(nll.isfinite(), torch.nan)
    return {"NLL_(0_if_a_pixel's_cost_is_capped)": broken_or_nll.masked_fill(capped, 0.0)}


nll_exercise = Exercise(
    bernoulli_nll,
    parts=[
        Part("value", "one value in nats for each image", probes.nll, _images_and_logits, weight=2),
        Part("stability", "logits as large as ±300", probes.nll, _saturated, view=_broken_or_capped),
        Part("gradient", "the gradient of the logits", probes.nll_gradients, _images_and_logits),
    ],
    hints=[
        "For one pixel: −x log p − (1 − x) log(1 − p) with p = sigmoid(logit). torch has it, in a form that takes logits.",
        "F.binary_cross_entropy_with_logits(..., reduction='none') keeps a value for every pixel.",
        "Then flatten all but the batch, and sum: .flatten(1).sum(1).",
    ],
)


@nll_exercise.mistake(
    "You averaged over the pixels. The log-likelihood of independent pixels is a sum; an average makes the KL weigh "
    "hundreds of times too much."
)
def averages_pixels(logits: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).mean(1)


@nll_exercise.mistake(
    "You took torch's default reduction, the mean over everything. Use reduction='none' and sum over each image."
)
def default_reduction(logits: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, x)


@nll_exercise.mistake("You summed over the batch too. Return one value for each image, (B,).")
def sums_whole_batch(logits: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum")


@nll_exercise.mistake(
    "Right for small logits, but the sigmoid of a large one is exactly 0 or 1, and its logarithm breaks (log 0). Use the "
    "form that takes logits."
)
def sigmoid_then_log(logits: Tensor, x: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    return -(x * torch.log(p) + (1 - x) * torch.log(1 - p)).flatten(1).sum(1)


@nll_exercise.mistake(
    "Right for small logits, but a clamp, a tiny number added, or F.binary_cross_entropy (which stops at 100) caps what a "
    "pixel costs, and kills its gradient just where it is sure and wrong. Use the form that takes logits."
)
def caps_a_pixels_cost(logits: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="none").flatten(1).sum(1)


@nll_exercise.mistake("The sign is wrong: this is log p(x), which grows as the image gets better. The loss is minus that.")
def log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


@nll_exercise.mistake("You took the logits and the image in the wrong order: the logits come first.")
def swaps_arguments(logits: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(x, logits, reduction="none").flatten(1).sum(1)


@nll_exercise.mistake("This is a squared error. Here every pixel is a Bernoulli variable: use the cross-entropy.")
def squared_error_of_pixels(logits: Tensor, x: Tensor) -> Tensor:
    return (torch.sigmoid(logits) - x).square().flatten(1).sum(1)


@nll_exercise.mistake("You summed over one dimension only. Sum over channels, height and width; only the batch stays.")
def sums_one_dimension(logits: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


@nll_exercise.mistake("You applied the sigmoid twice: binary_cross_entropy_with_logits takes the logits as they are.")
def sigmoid_twice(logits: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(torch.sigmoid(logits), x, reduction="none").flatten(1).sum(1)


@nll_exercise.style
def nll_by_softplus(logits: Tensor, x: Tensor) -> Tensor:
    return (F.softplus(logits) - x * logits).sum(dim=(1, 2, 3))


@nll_exercise.style
def nll_by_distributions(logits: Tensor, x: Tensor) -> Tensor:
    return -Bernoulli(logits=logits, validate_args=False).log_prob(x).reshape(len(x), -1).sum(-1)


@nll_exercise.style
def nll_by_logsigmoid(logits: Tensor, x: Tensor) -> Tensor:
    pixels = x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)
    return -torch.einsum("bchw->b", pixels)


# ---------------------------------------------------------------------------------------------------- negative_elbo


def _elbo_inputs(generator: Generator) -> list[Case]:
    cases = []
    for b, d in ((4, 3), (2, 2), (3, 5)):
        codes = {"mu": _normal(generator, b, d), "logvar": _normal(generator, b, d)}
        cases.append({"logits": _normal(generator, b, 1, 3, 2, scale=3), "x": _uniform(generator, b, 1, 3, 2), **codes})
    return cases


elbo_exercise = Exercise(
    negative_elbo,
    parts=[
        Part("value", "the value, with beta given", probes.elbo,
             lambda g: [case | {"beta": beta} for case, beta in zip(_elbo_inputs(g), (2.5, 0.3, 7.0), strict=True)],
             weight=2),
        Part("default", "beta left at 1, and the gradients", probes.elbo_gradients, _elbo_inputs),
        Part("zero", "beta = 0: the reconstruction alone", probes.elbo, lambda g: [_elbo_inputs(g)[0] | {"beta": 0.0}]),
    ],
    hints=[
        "You have both terms already: bernoulli_nll(logits, x) and gaussian_kl(mu, logvar), each (B,).",
        "beta multiplies one of them: the one that holds the codes near the prior.",
        "Add them image by image, then take the mean over the batch.",
    ],
)  # fmt: skip


@elbo_exercise.mistake("beta is not used. It multiplies the KL term.")
def forgets_beta(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return (bernoulli_nll(logits, x) + gaussian_kl(mu, logvar)).mean()


@elbo_exercise.mistake("beta multiplies the reconstruction. It belongs to the KL term.")
def beta_on_reconstruction(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return (beta * bernoulli_nll(logits, x) + gaussian_kl(mu, logvar)).mean()


@elbo_exercise.mistake("beta multiplies both terms. It belongs to the KL term alone.")
def beta_on_both(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return beta * (bernoulli_nll(logits, x) + gaussian_kl(mu, logvar)).mean()


@elbo_exercise.mistake("You subtracted the KL. Both terms are costs: add them.")
def subtracts_kl(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return (bernoulli_nll(logits, x) - beta * gaussian_kl(mu, logvar)).mean()


@elbo_exercise.mistake("You summed over the batch. Take the mean, so that the loss does not grow with the batch size.")
def sums_images(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return (bernoulli_nll(logits, x) + beta * gaussian_kl(mu, logvar)).sum()


@elbo_exercise.mistake("You returned one value for each image. The optimizer needs one number: take the mean.")
def keeps_the_batch(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return bernoulli_nll(logits, x) + beta * gaussian_kl(mu, logvar)


@elbo_exercise.mistake("This is the ELBO, which training would have to raise. The loss is minus the ELBO.")
def returns_the_elbo(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return -(bernoulli_nll(logits, x) + beta * gaussian_kl(mu, logvar)).mean()


@elbo_exercise.mistake("You averaged one term and summed the other over the batch, so their balance depends on its size.")
def averages_one_term(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return bernoulli_nll(logits, x).mean() + beta * gaussian_kl(mu, logvar).sum()


@elbo_exercise.mistake("beta = 0 is taken for 'not given' (`beta or 1`, `if beta`). 0 is a value too: the KL is then free.")
def takes_zero_for_missing(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    return negative_elbo(logits, x, mu, logvar, beta or 1.0)


@elbo_exercise.style
def mean_of_each_term(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    reconstruction = bernoulli_nll(logits, x)
    return reconstruction.mean() + beta * gaussian_kl(mu, logvar).mean()


@elbo_exercise.style
def everything_inline(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    return nll - beta * 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / len(x)


@elbo_exercise.style
def inline_kl_only(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    kl = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(dim=1)
    return torch.mean(bernoulli_nll(logits=logits, x=x) + kl * beta)


# -------------------------------------------------------------------------------------------------------------- VAE


def _linear_vae(generator: Generator, pixels: int, latent: int, spread: float) -> Case:
    """Make the weights of a VAE of linear layers whose decoder can be inverted; spread: the log-variance it gives."""
    rotation = torch.linalg.qr(_normal(generator, pixels, pixels)).Q
    bias = torch.cat([_normal(generator, latent), torch.full((latent,), spread)])
    return {
        "encoder_weight": torch.cat([_normal(generator, latent, pixels), torch.zeros(latent, pixels)]),
        "encoder_bias": bias,
        "weight": 0.8 * rotation[:, :latent],
        "bias": _normal(generator, pixels, scale=0.3),
        "shape": [1, 1, pixels],
    }


def _noiseless_vaes(generator: Generator) -> list[Case]:
    # A log-variance of −60 is no noise at all in float32, so that the logits are exact for sampled codes too.
    return [
        {"x": _uniform(generator, b, 1, 1, p), "training": training, **_linear_vae(generator, p, d, -60.0)}
        for b, p, d, training in ((5, 4, 2, True), (3, 6, 3, False))
    ]


def _noisy_vaes(generator: Generator) -> list[Case]:
    x = _uniform(generator, 1, 1, 1, 4).repeat(DRAWS, 1, 1, 1)
    weights = _linear_vae(generator, 4, 2, float(_uniform(generator, 1)) + 0.5)
    return [{"x": x, "training": training, **weights} for training in (True, False)]


def _codes_of(logits: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return (logits.flatten(1) - bias) @ torch.linalg.pinv(weight).T


def _noise_of_codes(answers: dict[str, Any], weight: Tensor, bias: Tensor, **_: Any) -> dict[str, Any]:
    std = (0.5 * answers["logvar"]).exp()
    return _statistics((_codes_of(answers["logits"], weight, bias) - answers["mu"]) / std)


def _models_to_sample(generator: Generator) -> list[Case]:
    modes = ((2, True), (3, False))
    return [{"n": DRAWS, "training": training, **_linear_vae(generator, 5, d, 0.0)} for d, training in modes]


def _samples(answers: dict[str, Any], weight: Tensor, bias: Tensor, **_: Any) -> dict[str, Any]:
    images = answers["images"]
    first, second = (_codes_of(torch.logit(answers[name], eps=1e-6), weight, bias) for name in ("images", "second_draw"))
    state = {name: value for name, value in answers.items() if name not in ("images", "second_draw")}
    pixels = {
        "the_shape_of_the_images": torch.tensor(images.shape),
        "how_far_the_smallest_pixel_lies_below_0": (-images.min()).clamp(min=0),
        "how_far_the_largest_pixel_lies_above_1": (images.max() - 1).clamp(min=0),
        "the_share_of_pixels_that_are_exactly_0_or_1": ((images == 0) | (images == 1)).double().mean(),
    }
    if pixels["the_share_of_pixels_that_are_exactly_0_or_1"] == 1:
        return pixels  # no code can be read from coins
    return {
        **pixels,
        **_statistics(first),
        "the_correlation_between_calls": _correlation(first, second),
        **state,
    }


vae_exercise = Exercise(
    VAE,
    methods=("forward", "sample"),
    parts=[
        Part("forward", "forward: (logits, mu, logvar), and gradients through the code", probes.vae_forward,
             _noiseless_vaes, weight=2),
        Part("noise", "forward: the code is drawn, in either mode, not just the mean", probes.vae_forward, _noisy_vaes,
             view=_noise_of_codes, tolerance=WITHIN),
        Part("sample", "sample: images of codes from the prior, mode restored, no gradients", probes.vae_sample,
             _models_to_sample, view=_samples, tolerance=WITHIN, weight=2),
    ],
    hints=[
        "forward: encode gives mu and logvar; an earlier exercise turns them into z; decode turns z into logits.",
        "sample: n codes from N(0, I) on the parameters' device, decode, sigmoid.",
        "sample: remember self.training, call self.eval(), work under torch.no_grad(), then self.train(what it was).",
    ],
)  # fmt: skip


@vae_exercise.mistake("forward decodes mu. Decode a code drawn with reparameterize: without noise this is an autoencoder.")
class DecodesTheMean(VAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return self.decode(mu), mu, logvar


@vae_exercise.mistake(
    "forward draws the code only in training mode. q(z|x) is a distribution in eval mode too, and the loss of the test "
    "images needs a draw from it: reparameterize always."
)
class DrawsOnlyInTraining(VAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return self.decode(reparameterize(mu, logvar) if self.training else mu), mu, logvar


@vae_exercise.mistake("forward returns the logits last. The order is (logits, mu, logvar).")
class ReturnsLogitsLast(VAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, mu, logvar = super().forward(x)
        return mu, logvar, logits


@vae_exercise.mistake("forward returns logvar before mu. The order is (logits, mu, logvar).")
class SwapsOutputs(VAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, mu, logvar = super().forward(x)
        return logits, logvar, mu


@vae_exercise.mistake("forward returns images. Leave the sigmoid out: bernoulli_nll wants logits.")
class ReturnsImages(VAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, mu, logvar = super().forward(x)
        return torch.sigmoid(logits), mu, logvar


@vae_exercise.mistake("forward cuts the gradient between decoder and encoder. Do not detach z, nor draw it under no_grad.")
class DetachesCode(VAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return self.decode(reparameterize(mu, logvar).detach()), mu, logvar


@vae_exercise.mistake("sample returns logits. Images lie in [0, 1]: apply the sigmoid.")
class SamplesLogits(VAE):
    def sample(self, n: int) -> Tensor:
        was_training = self.training
        self.eval()
        with torch.no_grad():
            logits = self.decode(torch.randn(n, self.latent_dim, device=next(self.parameters()).device))
        self.train(was_training)
        return logits


@vae_exercise.mistake("sample leaves the model in eval mode. Remember self.training before, and restore it after.")
class StaysInEval(VAE):
    def sample(self, n: int) -> Tensor:
        images = super().sample(n)
        self.eval()
        return images


@vae_exercise.mistake(
    "sample leaves the model in training mode, whatever it was before. Remember self.training, and restore that."
)
class AlwaysTrains(VAE):
    def sample(self, n: int) -> Tensor:
        images = super().sample(n)
        self.train()
        return images


@vae_exercise.mistake("sample decodes in training mode, where dropout and batch norm act. Call self.eval() before.")
class SamplesInTrainingMode(VAE):
    def sample(self, n: int) -> Tensor:
        with torch.no_grad():
            return torch.sigmoid(self.decode(torch.randn(n, self.latent_dim, device=next(self.parameters()).device)))


@vae_exercise.mistake("The samples carry gradients, and so keep the whole graph in memory. Decode under torch.no_grad().")
class KeepsGradients(VAE):
    def sample(self, n: int) -> Tensor:
        was_training = self.training
        self.eval()
        images = torch.sigmoid(self.decode(torch.randn(n, self.latent_dim, device=next(self.parameters()).device)))
        self.train(was_training)
        return images


@vae_exercise.mistake("sample draws the codes from a uniform distribution (torch.rand). The prior is N(0, I): torch.randn.")
class SamplesUniformCodes(VAE):
    def sample(self, n: int) -> Tensor:
        was_training = self.training
        self.eval()
        with torch.no_grad():
            z = torch.rand(n, self.latent_dim, device=next(self.parameters()).device)
            images = torch.sigmoid(self.decode(z))
        self.train(was_training)
        return images


@vae_exercise.mistake("sample draws codes of a fixed size. How many latents there are says self.latent_dim.")
class SamplesTwoLatents(VAE):
    def sample(self, n: int) -> Tensor:
        self.latent_dim = 2
        return super().sample(n)


@vae_exercise.mistake("Two calls of sample give the same images. Do not set a seed inside it: every call must draw afresh.")
class SeedsItself(VAE):
    def sample(self, n: int) -> Tensor:
        torch.manual_seed(0)
        return super().sample(n)


@vae_exercise.mistake("sample throws a coin for each pixel. Return the probabilities: only the code is drawn.")
class ThrowsCoins(VAE):
    def sample(self, n: int) -> Tensor:
        return torch.bernoulli(super().sample(n))


@vae_exercise.mistake(
    "Gradients stay off for everybody after sample (torch.set_grad_enabled(False)). Use `with torch.no_grad():`, which puts "
    "back what was."
)
class SwitchesGradientsOff(VAE):
    def sample(self, n: int) -> Tensor:
        images = super().sample(n)
        torch.set_grad_enabled(False)
        return images


@vae_exercise.mistake(
    "sample freezes the parameters (requires_grad), and the next training learns nothing. Use `with torch.no_grad():`."
)
class FreezesParameters(VAE):
    def sample(self, n: int) -> Tensor:
        images = super().sample(n)
        self.requires_grad_(False)
        return images


@vae_exercise.mistake("All samples are the same image. Draw n codes, (n, latent_dim), not one code repeated.")
class RepeatsOneSample(VAE):
    def sample(self, n: int) -> Tensor:
        return super().sample(1).repeat(n, 1, 1, 1)


@vae_exercise.style
class InlineReparameterization(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.latent_dim = encoder, decoder, latent_dim

    def encode(self, x: Tensor) -> list[Tensor]:
        return list(torch.split(self.encoder(x), self.latent_dim, dim=1))

    def decode(self, z: Tensor) -> Any:
        return self.decoder(z)

    def forward(self, x: Tensor) -> list[Tensor]:
        mu, logvar = self.encode(x)
        return [self.decode(mu + torch.randn_like(mu) * torch.exp(logvar / 2)), mu, logvar]

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        mode = self.training
        try:
            self.eval()
            z = torch.randn(n, self.latent_dim).to(next(self.parameters()).device)
            return self.decode(z).sigmoid()
        finally:
            self.train(mode)


@vae_exercise.style
class DistributionsAndInferenceMode(VAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        z = reparameterize(mu=mu, logvar=logvar)
        return self.decoder(z), mu, logvar

    def sample(self, n: int) -> Tensor:
        mode = self.training
        self.eval()
        with torch.inference_mode():
            z = Normal(0.0, 1.0).sample((n, self.latent_dim)).to(next(self.decoder.parameters()).device)
            images = 1 / (1 + torch.exp(-self.decode(z)))
        if mode:
            self.train()
        return images


# ------------------------------------------------------------------------------------------------------- train_step


def _steps_to_take(generator: Generator) -> list[Case]:
    return [
        {
            "x": _uniform(generator, b, 1, 1, 4),
            "beta": beta,
            "learning_rate": 0.01,
            "training": training,
            "stale": 3.0,
            **_linear_vae(generator, 4, 2, -30.0),  # no noise to speak of, for who draws the code without the model
        }
        for b, beta, training in ((5, 2.5, True), (2, 0.5, False))
    ]


def _steps_to_report(generator: Generator) -> list[Case]:
    steps = _steps_to_take(generator)
    return [*steps, steps[0] | {"beta": 0.0}]


step_exercise = Exercise(
    train_step,
    parts=[
        Part("update", "the parameters after each of two steps", probes.updates, _steps_to_take, weight=3),
        Part("report", "the numbers reported", probes.reports, _steps_to_report, weight=2),
        Part("mode", "the model runs in the mode it was in, and stays in it", probes.modes, _steps_to_take),
    ],
    hints=[
        "Four moves: the model on x, the loss from its three outputs, the gradients, the update.",
        "Gradients add up: clear them before loss.backward(), or the last batch's are still in there.",
        "Report Python floats (.item()): loss with beta; nll and kl as means over the batch, without beta.",
    ],
)

Step = dict[str, Any]


def _reported(loss: Tensor, logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> Step:
    nll, kl = bernoulli_nll(logits, x), gaussian_kl(mu, logvar)
    return {"loss": loss.item(), "nll": nll.mean().item(), "kl": kl.mean().item()}


@step_exercise.mistake(
    "The gradients of the previous step are still there and add up. Call optimizer.zero_grad() before loss.backward()."
)
def never_clears_gradients(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    logits, mu, logvar = model(x)
    loss = negative_elbo(logits, x, mu, logvar, beta)
    loss.backward()
    optimizer.step()
    return _reported(loss, logits, x, mu, logvar)


@step_exercise.mistake(
    "You clear the gradients only after the step, so whatever lay there before the first call is added. Call "
    "optimizer.zero_grad() before loss.backward()."
)
def clears_gradients_afterwards(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    reported = never_clears_gradients(model, x, optimizer, beta)
    optimizer.zero_grad()
    return reported


@step_exercise.mistake(
    "The parameters do not move: optimizer.step() is missing, or zero_grad() stands between backward() and step()."
)
def never_moves(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    logits, mu, logvar = model(x)
    loss = negative_elbo(logits, x, mu, logvar, beta)
    loss.backward()
    return _reported(loss, logits, x, mu, logvar)


@step_exercise.mistake("You call optimizer.step() before loss.backward(): it moves along old gradients, or not at all.")
def steps_before_backward(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    logits, mu, logvar = model(x)
    loss = negative_elbo(logits, x, mu, logvar, beta)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return _reported(loss, logits, x, mu, logvar)


@step_exercise.mistake("beta does not reach the loss. Hand it on: negative_elbo(logits, x, mu, logvar, beta).")
def drops_beta(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    return train_step(model, x, optimizer)


@step_exercise.mistake("The 'kl' that you report is multiplied by beta. Report it without, so that runs can be compared.")
def reports_weighted_kl(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    reported = train_step(model, x, optimizer, beta)
    return reported | {"kl": beta * reported["kl"]}


@step_exercise.mistake("'nll' and 'kl' are summed over the batch. Report means, so that they do not grow with its size.")
def reports_sums(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    reported = train_step(model, x, optimizer, beta)
    return reported | {"nll": len(x) * reported["nll"], "kl": len(x) * reported["kl"]}


@step_exercise.mistake("You return tensors, which keep the graph of every batch in memory. Return Python floats: .item().")
def returns_tensors(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    return {name: torch.tensor(value) for name, value in train_step(model, x, optimizer, beta).items()}


@step_exercise.mistake(
    "You report what the batch costs after the update. Report the numbers that were computed for the update: it is free."
)
def reports_after_update(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    train_step(model, x, optimizer, beta)
    with torch.no_grad():
        logits, mu, logvar = model(x)
        return _reported(negative_elbo(logits, x, mu, logvar, beta), logits, x, mu, logvar)


@step_exercise.mistake(
    "'nll' and 'kl' are those after the update. Report what was computed for the update: it is free, and they fit the loss."
)
def reports_prices_after_update(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    before = train_step(model, x, optimizer, beta)
    with torch.no_grad():
        logits, mu, logvar = model(x)
        return _reported(torch.tensor(before["loss"]), logits, x, mu, logvar)


@step_exercise.mistake(
    "You compute 'kl' as (loss − nll) / beta, which divides by 0 for beta = 0. Take it from gaussian_kl(mu, logvar)."
)
def recovers_kl_from_the_loss(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    reported = train_step(model, x, optimizer, beta)
    return reported | {"kl": (reported["loss"] - reported["nll"]) / beta}


@step_exercise.mistake("You make an optimizer of your own. Use the one you are given, with its rate and its memory.")
def makes_its_own_optimizer(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    return train_step(model, x, torch.optim.Adam(model.parameters(), lr=1e-3), beta)


@step_exercise.mistake(
    "The model runs in a mode that you chose, even if you put the old one back. The caller chooses between model.train() "
    "and model.eval(); leave it."
)
def borrows_training_mode(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    mode = model.training
    reported = sets_training_mode(model, x, optimizer, beta)
    model.train(mode)
    return reported


@step_exercise.mistake("You change the model's mode. The caller chooses between model.train() and model.eval(); leave it.")
def sets_training_mode(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    model.train()
    return train_step(model, x, optimizer, beta)


@step_exercise.mistake("You update twice in one call.")
def updates_twice(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    reported = train_step(model, x, optimizer, beta)
    train_step(model, x, optimizer, beta)
    return reported


@step_exercise.style
def clears_first(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    model.zero_grad(set_to_none=False)
    logits, mu, logvar = model(x)
    nll, kl = bernoulli_nll(logits, x).mean(), gaussian_kl(mu, logvar).mean()
    loss = nll + beta * kl
    loss.backward()
    optimizer.step()
    return {"loss": float(loss.detach()), "nll": float(nll.detach()), "kl": float(kl.detach())}


@step_exercise.style
def inline_losses(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    optimizer.zero_grad()
    logits, mu, logvar = model(x)
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / x.shape[0]
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum() / x.shape[0]
    loss = nll + beta * kl
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return {"kl": kl.item(), "nll": nll.item(), "loss": loss.item()}


@step_exercise.style
def without_forward(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    mu, logvar = model.encode(x)
    logits = model.decode(reparameterize(mu, logvar))
    loss = negative_elbo(logits, x, mu, logvar, beta)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return _reported(loss, logits, x, mu, logvar)


@step_exercise.style
def gradients_by_hand(model: Any, x: Tensor, optimizer: Any, beta: float = 1.0) -> Step:
    outputs = model(x)
    loss = negative_elbo(outputs[0], x, outputs[1], outputs[2], beta=beta)
    parameters = list(model.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return _reported(loss, outputs[0], x, outputs[1], outputs[2])


# --------------------------------------------------------------------------------------------------------- traverse


def _codes_to_traverse(generator: Generator) -> list[Case]:
    return [
        {
            "z": _normal(generator, d),
            "dim": dim,
            "values": values,
            "training": training,
            **_linear_vae(generator, 5, d, 0.0),
        }
        for d, dim, values, training in (
            (3, 1, torch.linspace(-2, 2, 3), True),
            (3, 2, torch.linspace(-1, 3, 5), False),
            (2, 0, _normal(generator, 4), True),
        )
    ]


traverse_exercise = Exercise(
    traverse,
    parts=[
        Part("images", "the images, and z untouched", probes.traversal, _codes_to_traverse, weight=2),
        Part("state", "eval mode and no gradients while it decodes, and all as before afterwards", probes.traversal_state,
             _codes_to_traverse),
    ],
    hints=[
        "Make one row for each value first: z.repeat(len(values), 1) is (V, D), and a copy.",
        "Then write the values into one column of it, and decode all rows at once.",
        "Images lie in [0, 1]: a sigmoid. Around the decoding: eval mode, torch.no_grad(), and the old mode again.",
    ],
)  # fmt: skip


@traverse_exercise.mistake("You added the values to the latent. Set it to them: latent `dim` becomes exactly each value.")
def adds_values(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    return traverse(model, z, dim, z[dim] + values)


@traverse_exercise.mistake("The other latent variables are zero. Hold them at what z says.")
def forgets_other_latents(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    return traverse(model, torch.zeros_like(z), dim, values)


@traverse_exercise.mistake("You wrote the values into all latent variables. Only column `dim` changes: codes[:, dim].")
def sets_every_latent(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    return torch.cat([traverse(model, value.expand_as(z), dim, value[None]) for value in values])


@traverse_exercise.mistake("You return logits. Images lie in [0, 1]: apply the sigmoid.")
def traverses_logits(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    codes = z.repeat(len(values), 1)
    codes[:, dim] = values
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits: Tensor = model.decode(codes)
    model.train(was_training)
    return logits


@traverse_exercise.mistake("Your code wrote into z. Copy it first: z.clone(), or z.repeat(len(values), 1).")
def writes_into_z(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    images = traverse(model, z, dim, values)
    z[dim] = values[-1]
    return images


@traverse_exercise.mistake("The model stays in eval mode. Remember model.training before, and restore it after.")
def leaves_eval_mode(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    images = traverse(model, z, dim, values)
    model.eval()
    return images


@traverse_exercise.mistake(
    "The model is left in training mode, whatever it was before. Remember model.training before, and restore that."
)
def leaves_training_mode(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    images = traverse(model, z, dim, values)
    model.train()
    return images


@traverse_exercise.mistake("It is always the first latent that moves. Write into column `dim`: codes[:, dim].")
def moves_the_first_latent(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    return traverse(model, z, 0, values)


@traverse_exercise.mistake(
    "Gradients stay off for everybody afterwards (torch.set_grad_enabled(False)). Use `with torch.no_grad():`, which puts "
    "back what was."
)
def switches_gradients_off(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    images = traverse(model, z, dim, values)
    torch.set_grad_enabled(False)
    return images


@traverse_exercise.mistake(
    "You freeze the model's parameters (requires_grad), and the next training learns nothing. Use `with torch.no_grad():`."
)
def freezes_the_model(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    images = traverse(model, z, dim, values)
    model.requires_grad_(False)
    return images


@traverse_exercise.mistake(
    "You decode in whatever mode the model is in. Call model.eval() first, and restore the mode after."
)
def decodes_in_any_mode(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    codes = z.repeat(len(values), 1)
    codes[:, dim] = values
    with torch.no_grad():
        return torch.sigmoid(model.decode(codes))


@traverse_exercise.mistake("The images carry gradients. Decode under torch.no_grad().")
def traverses_with_gradients(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    codes = z.repeat(len(values), 1)
    codes[:, dim] = values
    was_training = model.training
    model.eval()
    images = torch.sigmoid(model.decode(codes))
    model.train(was_training)
    return images


@traverse_exercise.style
def one_value_at_a_time(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    was_training, images = model.training, []
    model.eval()
    for value in values.tolist():
        code = z.clone()
        code[dim] = value
        with torch.no_grad():
            images.append(model.decode(code[None]).sigmoid()[0])
    model.train(was_training)
    return torch.stack(images)


@traverse_exercise.style
@torch.no_grad()
def by_index_copy(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    mode = model.training
    model.train(False)
    codes = z.expand(len(values), -1).clone().index_copy(1, torch.tensor([dim], device=z.device), values[:, None])
    images = torch.sigmoid(model.decoder(codes))
    model.train(mode)
    return images


@traverse_exercise.style
def by_where(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    chosen = torch.arange(len(z), device=z.device) == dim
    codes = torch.where(chosen, values.unsqueeze(1), z.unsqueeze(0))
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        images = F.sigmoid(model.decode(codes))
    model.train(was_training)
    return images


# ------------------------------------------------------------------------------------------ mutual_information_gap


def _codes_of_factors(generator: Generator, factors: Tensor, d: int) -> Case:
    n, k = factors.shape
    mixing = _uniform(generator, k, d).square() / factors.std(dim=0).clamp(min=0.1)[:, None]
    return {"codes": factors @ mixing + _normal(generator, n, d, scale=0.1), "factors": factors}


def _real_factors(generator: Generator, n: int = 900) -> Tensor:
    return torch.stack([_uniform(generator, n), _normal(generator, n)], dim=1)


def _score_cases(generator: Generator) -> list[Case]:
    return [_codes_of_factors(generator, _real_factors(generator), d) | {"bins": bins} for d, bins in ((4, 12), (3, 8))]


def _class_cases(generator: Generator) -> list[Case]:
    cases = []
    for d, bins in ((4, 12), (3, 8)):
        many, three = (torch.randint(0, k, (900,), generator=generator) for k in (30, 3))
        real = _normal(generator, 900, scale=2)
        partly = torch.where(_uniform(generator, 900) < 0.3, real.round(), real)  # not only whole numbers: no classes
        factors = torch.stack([many.float(), torch.tensor([-1.0, 0.0, 3.0])[three], partly], dim=1)
        cases.append(_codes_of_factors(generator, factors, d) | {"bins": bins})
    return cases


def _edge_cases(generator: Generator) -> list[Case]:
    constant = torch.tensor([3.0, 0.25]).expand(900, 2)
    return [
        _codes_of_factors(generator, _real_factors(generator), 1) | {"bins": 10},
        _codes_of_factors(generator, torch.cat([_real_factors(generator), constant], dim=1), 3) | {"bins": 10},
    ]


mig_exercise = Exercise(
    mutual_information_gap,
    parts=[
        Part("score", "the score for factors that are real numbers, a Python float", probes.gap_by_default, _score_cases,
             weight=2),
        Part("classes", "factors of whole numbers, which are classes", probes.gap, _class_cases),
        Part("edges", "a single latent, and factors that never vary", probes.gap, _edge_cases),
    ],
    hints=[
        "I(a; b) = H(a) + H(b) − H(a, b). entropy() gives H. A pair becomes one label as a · bins + b, where b is the "
        "number of the code's bin, 0 … bins − 1, and a the factor's label.",
        "For each factor: the mutual information with every latent, sorted. The gap is between the largest two.",
        "Divide each gap by the factor's entropy, then average. With one latent the second is 0; a factor that never varies "
        "has no entropy, and counts 0.",
    ],
)


def _labels(column: Tensor, bins: int) -> Tensor:
    return column.long() if torch.equal(column, column.round()) else equal_width_bins(column, bins)


def _information(codes: Tensor, factors: Tensor, bins: int, whole_are_classes: bool = True) -> tuple[Tensor, Tensor]:
    """Return the mutual information (K, D) and the factors' entropies (K,), ∞ for constant ones: a share of it is 0."""
    binned = [equal_width_bins(code, bins) for code in codes.T]
    classes = [_labels(f, bins) if whole_are_classes else equal_width_bins(f, bins) for f in factors.T]
    h = torch.stack([entropy(b) for b in classes])
    return _table(binned, classes, lambda code, factor: code * 1000 + factor), h.where(h > 0, torch.inf)


def _table(binned: list[Tensor], classes: list[Tensor], pair: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    return torch.stack([torch.stack([entropy(a) + entropy(b) - entropy(pair(a, b)) for a in binned]) for b in classes])


def _score_by(codes: Tensor, factors: Tensor, bins: int, pair: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Compute the score with another way to make one label of a pair."""
    binned = [equal_width_bins(code, bins) for code in codes.T]
    first, second = _first_two(_table(binned, [_labels(f, bins) for f in factors.T], pair))
    return ((first - second) / _information(codes, factors, bins)[1]).mean().item()


def _first_two(information: Tensor) -> tuple[Tensor, Tensor]:
    padded = F.pad(information, (0, 1))
    ordered = padded.sort(dim=1, descending=True).values
    return ordered[:, 0], ordered[:, 1]


@mig_exercise.mistake("You score the largest information alone. The gap subtracts the second largest: one latent a factor.")
def scores_the_best_latent(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    information, h = _information(codes, factors, bins)
    return (_first_two(information)[0] / h).mean().item()


@mig_exercise.mistake("The gaps are in nats. Divide each by the entropy of its factor, so that 1 means perfect.")
def forgets_to_normalise(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    information, _ = _information(codes, factors, bins)
    first, second = _first_two(information)
    return (first - second).mean().item()


@mig_exercise.mistake("You divide by log(bins). Divide by the entropy of the factor, which also knows unequal classes.")
def divides_by_log_bins(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    information, _ = _information(codes, factors, bins)
    first, second = _first_two(information)
    return ((first - second) / torch.log(torch.tensor(float(bins)))).mean().item()


@mig_exercise.mistake(
    "You sum over the factors. The score is their mean, so that 1 means perfect for any number of factors."
)
def sums_factors(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    return factors.shape[1] * mutual_information_gap(codes, factors, bins)


@mig_exercise.mistake(
    "You took the gap between factors for each latent. It is the other way round: for each factor, between the latents."
)
def gap_over_factors(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    information, h = _information(codes, factors, bins)
    first, second = _first_two((information / h[:, None]).T)
    return (first - second).mean().item()


@mig_exercise.mistake("`bins` is not used: the codes are always cut into 20 bins.")
def ignores_bins(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    return mutual_information_gap(codes, factors)


@mig_exercise.mistake("You cut factors that are classes (whole numbers) into bins too. Each class is a label of its own.")
def bins_classes(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    information, h = _information(codes, factors, bins, whole_are_classes=False)
    first, second = _first_two(information)
    return ((first - second) / h).mean().item()


@mig_exercise.mistake(
    "You take a factor for classes if any of its numbers is whole. Only a column that holds nothing else is: .all()."
)
def some_whole_numbers_make_classes(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    whole = (factors == factors.round()).any(dim=0)
    return mutual_information_gap(codes, torch.where(whole, factors.trunc(), factors), bins)


@mig_exercise.mistake(
    "Different pairs get the same label: code · bins + factor is unique only if the factor's label is below `bins`. Let the "
    "code's bin be what is added: factor · bins + code."
)
def makes_pairs_collide(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    return _score_by(codes, factors, bins, lambda code, factor: code * bins + factor)


@mig_exercise.mistake(
    "Different pairs get the same label where classes are negative: code · (factor.max() + 1) + factor needs labels from 0 "
    "on. Subtract the smallest first, or let the code's bin be what is added."
)
def forgets_negative_classes(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    return _score_by(codes, factors, bins, lambda code, factor: code * (factor.max() + 1) + factor)


@mig_exercise.mistake("You subtract the smallest information. The gap is between the largest and the second largest.")
def subtracts_the_smallest(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    information, h = _information(codes, factors, bins)
    return ((information.amax(dim=1) - information.amin(dim=1)) / h).mean().item()


@mig_exercise.mistake(
    "The codes are not cut into bins. Each real number occurs once, so every code seems to tell all, and no gap is left."
)
def never_cuts_the_codes(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    ranks = [code.unique(return_inverse=True)[1] for code in codes.T]
    classes = [_labels(f, bins) for f in factors.T]
    first, second = _first_two(_table(ranks, classes, lambda code, factor: code * 1000 + factor))
    return ((first - second) / _information(codes, factors, bins)[1]).mean().item()


@mig_exercise.mistake("A factor that never varies has entropy 0, and you divide by it. Such a factor counts 0 in the mean.")
def divides_by_no_entropy(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    gaps = [mutual_information_gap(codes, factor[:, None], bins) for factor in factors.T]
    return sum(gap / min(1.0, 1000 * float(factor.std())) for gap, factor in zip(gaps, factors.T, strict=True)) / len(gaps)


@mig_exercise.mistake("A factor that never varies has entropy 0, and 0 / 0 is NaN. Such a factor counts 0 in the mean.")
def spreads_nan(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    return mutual_information_gap(codes, factors, bins) + float((0 * factors.std(dim=0) / factors.std(dim=0)).sum())


@mig_exercise.mistake("You leave out factors that never vary. They count 0, and in the mean.")
def leaves_out_constant_factors(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    return mutual_information_gap(codes, factors[:, factors.amin(dim=0) < factors.amax(dim=0)], bins)


@mig_exercise.mistake("You count a factor that never varies as 1. No latent tells anything about it: it counts 0.")
def counts_constant_factors_as_one(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    constant = factors.amin(dim=0) == factors.amax(dim=0)
    return mutual_information_gap(codes, factors, bins) + constant.double().mean().item()


@mig_exercise.mistake("You return a tensor. Return a Python float: .item().")
def returns_a_tensor(codes: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    return torch.tensor(mutual_information_gap(codes, factors, bins))


@mig_exercise.style
def gap_by_tables(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    gaps = []
    for factor in factors.T:
        one_hot_factor = F.one_hot(_labels(factor, bins) - int(_labels(factor, bins).min())).double()
        found = []
        for code in codes.T:
            joint = F.one_hot(equal_width_bins(code, bins), bins).double().T @ one_hot_factor / len(factor)
            independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
            found.append(torch.xlogy(joint, joint / independent.clamp(min=1e-30)).sum().item())
        p = one_hot_factor.mean(0)
        best = [*sorted(found, reverse=True), 0.0]
        gaps.append((best[0] - best[1]) / max(-torch.xlogy(p, p).sum().item(), 1e-9))
    return sum(gaps) / len(gaps)


@mig_exercise.style
def gap_in_bits(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    information, h = _information(codes, factors, bins)
    bits = information / torch.log(torch.tensor(2.0))
    first, second = _first_two(bits)
    return float(((first - second) / (h / torch.log(torch.tensor(2.0)))).mean())


# -------------------------------------------------------------------------------------------------------- questions

QUESTIONS = [
    Question(
        "answer_kl_sign",
        right="c",
        feedback={
            "a": (
                "Try μ = 0, σ = 1, where the KL is 0: the slide gives −½ (1 + 0 − 1 − 0) = 0, well and good. Now μ = "
                "3: it gives −4.5, but a KL divergence is never negative."
            ),
            "b": (
                "Without the minus it would be ½ Σ (σ + μ² − 1 − log σ). Try μ = 0, σ = 2: that gives 0.15, but "
                "drawing from the cloud and averaging log q − log p gives 0.81. What must be squared?"
            ),
            "c": (
                "Yes. The KL is +½ Σ (σ² + μ² − 1 − log σ²). The minus belongs to the other way to write it, −½ Σ (1 "
                "+ log σ² − μ² − σ²)."
            ),
        },
        hints=["Put in numbers: μ = 3, σ = 1, then μ = 0, σ = 2. Compare with your own function."],
    ),
    Question(
        "answer_logvar",
        right="b",
        feedback={
            "a": (
                "The network can find a compromise, and that is why nobody notices. But no h fits both: where the KL "
                "is smallest in h for a given spread, the decoder sees another spread. What does the sum bound then?"
            ),
            "b": (
                "Yes. It trains, the images look all right, and every number that you report is wrong: the price "
                "charged is not the price of the cloud that was used. One convention, logvar, everywhere."
            ),
            "c": (
                "Nothing diverges, and that is the danger: both gradients are finite and the loss falls. Ask instead "
                "what the loss is a bound on."
            ),
        },
        hints=["Take h = 1. Which spread does the KL charge for? Which one does the decoder see?"],
    ),
    Question(
        "answer_holes",
        right="b",
        feedback={
            "a": (
                "The same decoder rebuilds the test images well, and the VAE's is just as large. So it can draw all "
                "the shapes. Which codes was it asked to draw?"
            ),
            "b": (
                "Yes. The loss looks at the codes of training images and at nothing else. Between and beyond them the"
                " decoder may do as it likes, and it does."
            ),
            "c": (
                "A decoder reads any numbers. And we fitted a normal distribution to the codes, which did not save "
                "it: the strands fill only a part of that distribution."
            ),
        },
        hints=["Look at the first latent plane again. Where do the random codes fall?"],
    ),
    Question(
        "answer_equal_ranges",
        right="b",
        feedback={
            "a": (
                "They are independent, but independence is not what points the axes: N(0, I) looks the same turned. "
                "What was it that told x and y apart before?"
            ),
            "b": (
                "Yes: it depends on the seed. With equal ranges a turned pair of axes costs the same, so where "
                "training ends is chance. Whoever shows you one disentangled run should show you four more."
            ),
            "c": (
                "Never is too strong: some runs do end up along the axes. But nothing holds them there. What does "
                "that make the outcome?"
            ),
        },
        hints=["Turned by 45 degrees: does the KL change? Does the reconstruction? So what decides?"],
    ),
]

# Of what the marked cells print: another machine's last digit may differ.
TOLERANCE = (1e-3, 2e-3)

ITEMS = [
    reparameterize_exercise,
    kl_exercise,
    nll_exercise,
    elbo_exercise,
    vae_exercise,
    step_exercise,
    traverse_exercise,
    mig_exercise,
    *QUESTIONS,
]
