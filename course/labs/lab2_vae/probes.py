"""What is done with a student's object in lab 2. Runs where the object lives; knows no right answer.

The stand-ins for earlier exercises are made of odd constants: their values mean nothing, but a crossed wire changes them.
"""

from typing import Any

import torch
from torch import Tensor, nn

from course.checks.exercise import probe
from course.checks.probing import gradients


def fake_reparameterize(mu: Tensor, logvar: Tensor) -> Tensor:
    """Stand in for reparameterize: some function of both, without noise."""
    return 3 * mu - 2 * logvar.clamp(min=-3)


def fake_gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Stand in for gaussian_kl: (B,)."""
    return (5 * mu + 7 * logvar).sum(dim=1)


def fake_bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """Stand in for bernoulli_nll: (B,)."""
    return (11 * logits - 13 * x).flatten(start_dim=1).sum(dim=1)


def fake_negative_elbo(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    """Stand in for negative_elbo: a scalar."""
    return (17 * logits - 19 * x).mean() + beta * (23 * mu - 29 * logvar).mean()


@probe()
def noise(candidate: Any, mu: Tensor, logvar: Tensor) -> dict[str, Any]:
    """Draw twice."""
    return {"z": candidate(mu, logvar), "second_draw": candidate(mu, logvar)}


@probe()
def noise_gradients(candidate: Any, mu: Tensor, logvar: Tensor) -> dict[str, Any]:
    """Draw, and send a gradient back."""
    mu, logvar = mu.requires_grad_(), logvar.requires_grad_()
    z = candidate(mu, logvar)
    grad_mu, grad_logvar = gradients(z, mu, logvar)
    return {"z": z, "gradient_of_mu": grad_mu, "gradient_of_logvar": grad_logvar}


@probe()
def kl(candidate: Any, mu: Tensor, logvar: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"KL": candidate(mu, logvar)}


@probe()
def kl_gradients(candidate: Any, mu: Tensor, logvar: Tensor) -> dict[str, Any]:
    """Call it, and send a gradient back."""
    mu, logvar = mu.requires_grad_(), logvar.requires_grad_()
    grad_mu, grad_logvar = gradients(candidate(mu, logvar), mu, logvar)
    return {"gradient_of_mu": grad_mu, "gradient_of_logvar": grad_logvar}


@probe()
def nll(candidate: Any, logits: Tensor, x: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"NLL": candidate(logits, x)}


@probe()
def nll_gradients(candidate: Any, logits: Tensor, x: Tensor) -> dict[str, Any]:
    """Call it, and send a gradient back."""
    logits = logits.requires_grad_()
    return {"gradient_of_logits": gradients(candidate(logits, x), logits)[0]}


@probe(bernoulli_nll=fake_bernoulli_nll, gaussian_kl=fake_gaussian_kl)
def elbo(candidate: Any, logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float) -> dict[str, Any]:
    """Call it with and without beta, and send a gradient back."""
    logits, mu = logits.requires_grad_(), mu.requires_grad_()
    loss = candidate(logits, x, mu, logvar, beta)
    grad_logits, grad_mu = gradients(loss, logits, mu)
    return {
        "loss": loss,
        "loss_without_beta_given": candidate(logits, x, mu, logvar),
        "gradient_of_logits": grad_logits,
        "gradient_of_mu": grad_mu,
    }


def _kind(value: Any) -> str:
    return f"{len(value)} values" if isinstance(value, (tuple, list)) else f"a {type(value).__name__}"


class _Linear(nn.Module):
    """A linear layer with given weights, that writes down in which state it was called."""

    def __init__(self, weight: Tensor, bias: Tensor, out_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
        self.out_shape = out_shape
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        return (x.flatten(start_dim=1) @ self.weight.T + self.bias).unflatten(1, self.out_shape)


def _vae(candidate: Any, encoder_weight: Tensor, encoder_bias: Tensor, weight: Tensor, bias: Tensor, shape: Any) -> Any:
    encoder = _Linear(encoder_weight, encoder_bias, (len(encoder_bias),))
    return candidate(encoder, _Linear(weight, bias, tuple(shape)), weight.shape[1])


@probe(reparameterize=fake_reparameterize)
def vae_forward(candidate: Any, x: Tensor, **weights: Any) -> dict[str, Any]:
    """Build the model, run it, send a gradient back to the encoder."""
    model = _vae(candidate, **weights)
    returned = model(x)
    if not isinstance(returned, tuple) or len(returned) != 3:
        raise TypeError(f"forward must return three tensors, (logits, mu, logvar); it returned {_kind(returned)}")
    logits, mu, logvar = returned
    gradient = gradients(logits, model.encoder.weight)[0]
    return {"logits": logits, "mu": mu, "logvar": logvar, "gradient_of_the_encoder": gradient}


@probe()
def vae_sample(candidate: Any, n: int, training: bool, **weights: Any) -> dict[str, Any]:
    """Build the model, sample from it, look at the state it leaves behind."""
    model = _vae(candidate, **weights)
    model.train(training)
    model.decoder.modes.clear()
    images = model.sample(n)
    return {
        "images": images,
        "second_draw": model.sample(n),
        "the_decoder's_training_mode_while_sampling": max(model.decoder.modes, default=True),
        "the_model's_training_mode_afterwards": model.training,
        "the_decoder's_training_mode_afterwards": model.decoder.training,
        "images.requires_grad": getattr(images, "requires_grad", False),
    }


class _NoiselessVAE(nn.Module):
    """A model with a VAE's interface and no noise: the code is the mean."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.latent_dim = encoder, decoder, latent_dim

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Tensor) -> Any:
        return self.decoder(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return self.decode(mu), mu, logvar


@probe(bernoulli_nll=fake_bernoulli_nll, gaussian_kl=fake_gaussian_kl, negative_elbo=fake_negative_elbo)
def training_step(
    candidate: Any, x: Tensor, beta: float, learning_rate: float, training: bool, stale: float, **weights: Any
) -> dict[str, Any]:
    """Take two training steps with SGD on a model on which old gradients lie; return the parameters after each."""
    model = _vae(_NoiselessVAE, **weights)
    model.train(training)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, stale)
    seen: dict[str, Any] = {}
    for turn in ("first", "second"):
        reported = candidate(model, x, optimizer, beta=beta)
        if not isinstance(reported, dict):
            raise TypeError(f"train_step must return a dict with 'loss', 'nll' and 'kl'; it returned {_kind(reported)}")
        seen |= {f"'{name}'_of_the_{turn}_step": reported.get(name) for name in ("loss", "nll", "kl")}
        for name, parameter in model.named_parameters():
            seen[f"{name}_after_the_{turn}_step"] = parameter.detach().clone()
    return seen | {"the_model's_training_mode_afterwards": model.training}


@probe()
def traversal(candidate: Any, z: Tensor, dim: int, values: Tensor, training: bool, **weights: Any) -> dict[str, Any]:
    """Traverse one latent of a linear decoder, and look at the state it leaves behind."""
    model = _vae(_NoiselessVAE, **weights)
    model.train(training)
    images = candidate(model, z, dim, values)
    return {
        "images": images,
        "the_decoder's_training_mode_while_decoding": max(model.decoder.modes, default=True),
        "the_model's_training_mode_afterwards": model.training,
        "the_decoder's_training_mode_afterwards": model.decoder.training,
        "images.requires_grad": getattr(images, "requires_grad", False),
    }


@probe()
def gap(candidate: Any, codes: Tensor, factors: Tensor, bins: int) -> dict[str, Any]:
    """Call it, with the bins given or left at their default."""
    return {"MIG": candidate(codes, factors, bins), "MIG_with_20_bins": candidate(codes, factors)}
