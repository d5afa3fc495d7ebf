"""What is done with a student's object in lab 3. Runs where the object lives; knows no right answer.

The stand-in for the earlier exercise is made of odd constants: its values mean nothing, but a crossed wire changes them.
"""

from typing import Any

import torch
from torch import Tensor, nn

from course.checks.exercise import probe
from course.checks.probing import gradients
from course.vae import VAE


def fake_latent_histogram(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Stand in for latent_histogram: edges that leave values outside on both sides, and shares that add up to nothing."""
    low, high = mu_column.min(), mu_column.max()
    edges = low + (high - low) * torch.linspace(0.2, 0.9, bins + 1, device=mu_column.device, dtype=mu_column.dtype)
    wave = torch.arange(bins, device=mu_column.device, dtype=mu_column.dtype)
    return edges, 0.3 + 0.25 * torch.sin(1 + 2.3 * wave) + 10 * smoothing


@probe()
def loss(candidate: Any, recon_weight: float, kl_weight: float, **batch: Tensor) -> dict[str, Any]:
    """Call it with and without the weights."""
    return {
        "loss": candidate(**batch, recon_weight=recon_weight, kl_weight=kl_weight),
        "loss_without_weights_given": candidate(**batch),
    }


@probe()
def loss_gradients(candidate: Any, y: Tensor, recon_weight: float, kl_weight: float, **batch: Tensor) -> dict[str, Any]:
    """Call it, and send a gradient back."""
    inputs = {name: value.requires_grad_() for name, value in batch.items() if name != "x"}
    value = candidate(**(batch | inputs), y=y, recon_weight=recon_weight, kl_weight=kl_weight)
    found = gradients(value, *inputs.values())
    return {f"gradient_of_{name}": gradient for name, gradient in zip(inputs, found, strict=True)}


@probe()
def loss_of_a_column(candidate: Any, column: str, **batch: Tensor) -> dict[str, Any]:
    """Give one of the two a superfluous dimension, and see whether that is refused."""
    batch[column] = batch[column][:, None]
    try:
        candidate(**batch)
    except (ValueError, RuntimeError):
        return {f"a_{column}_of_shape_(B,_1)_is_refused": True}
    return {f"a_{column}_of_shape_(B,_1)_is_refused": False}


@probe()
def histogram(candidate: Any, mu_column: Tensor, bins: int, smoothing: float) -> dict[str, Any]:
    """Call it with bins and smoothing, and without."""
    seen: dict[str, Any] = {}
    for name, arguments in (("", (bins, smoothing)), ("_by_default", ())):
        returned = candidate(mu_column, *arguments)
        if not isinstance(returned, (tuple, list)) or len(returned) != 2:
            raise TypeError(f"latent_histogram must return (edges, Q); it returned a {type(returned).__name__}")
        seen |= {f"edges{name}": returned[0], f"Q{name}": returned[1]}
    return seen


@probe(latent_histogram=fake_latent_histogram)
def resampling(
    candidate: Any, mu: Tensor, bins: int, smoothing: float, combine: str, latent_weights: Tensor | None
) -> dict[str, Any]:
    """Call it, with its bins, and by default where nothing else is asked."""
    seen = {"p": candidate(mu, bins=bins, smoothing=smoothing, combine=combine, latent_weights=latent_weights)}
    if combine == "max" and latent_weights is None:
        seen["p_by_default"] = candidate(mu)
    return seen


@probe()
def price_of_latents(candidate: Any, mu: Tensor, logvar: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"KL": candidate(mu, logvar)}


@probe()
def tempering(candidate: Any, probabilities: Tensor, effective_fraction: float) -> dict[str, Any]:
    """Call it; tell the probabilities as multiples of 1/N, which are near 1 whatever N is."""
    tempered = candidate(probabilities, effective_fraction)
    return {"N_times_the_tempered_p": tempered * len(probabilities) if isinstance(tempered, Tensor) else tempered}


@probe()
def draws(candidate: Any, probabilities: Tensor, n: int, seed: int) -> dict[str, Any]:
    """Draw twice from one generator, then once more from a generator with the same seed."""
    generator = torch.Generator().manual_seed(seed)
    first = candidate(probabilities, n, generator)
    second = candidate(probabilities, n, generator)
    torch.rand(7)  # whoever draws from the global generator notices
    repeated = candidate(probabilities, n, torch.Generator().manual_seed(seed))
    return {
        "indices": first,
        "second_draw": second,
        "the_same_seed_gives_the_same_draw": _same(first, repeated),
        "two_calls_without_a_generator_are_alike": _same(candidate(probabilities, n), candidate(probabilities, n)),
    }


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)


@probe()
def recall(candidate: Any, predicted: Tensor, group: Tensor, n_groups: int) -> dict[str, Any]:
    """Call it."""
    return {"recall": candidate(predicted, group, n_groups)}


class _Layer(nn.Module):
    """A linear layer with given weights, that writes down in which state it was called."""

    def __init__(self, weight: Tensor, out_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.out_shape = out_shape
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        return (x.flatten(start_dim=1) @ self.weight.T).unflatten(1, self.out_shape)


@probe()
def scores(candidate: Any, x: Tensor, encoder_weight: Tensor, decoder_weight: Tensor, training: bool) -> dict[str, Any]:
    """Score images with a VAE of linear layers, and look at the state that it is left in."""
    encoder = _Layer(encoder_weight, (len(encoder_weight),))
    model = VAE(encoder, _Layer(decoder_weight, tuple(x.shape[1:])), decoder_weight.shape[1]).train(training)
    with torch.enable_grad():  # which restores what was before, whatever the candidate leaves
        found = candidate(model, x)
        enabled = torch.is_grad_enabled()
    return {
        "scores": found,
        "scores.requires_grad": getattr(found, "requires_grad", False),
        "the_model's_training_mode_while_scoring": max(encoder.modes, default=True),
        "the_model's_training_mode_afterwards": model.training,
        "the_encoder's_training_mode_afterwards": encoder.training,
        "gradients_are_enabled_afterwards": enabled,
        "the_parameters_take_gradients_afterwards": all(parameter.requires_grad for parameter in model.parameters()),
    }


@probe()
def area(candidate: Any, scores: Tensor, is_outlier: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"AUROC": candidate(scores, is_outlier)}
