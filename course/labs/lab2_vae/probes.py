"""What is done with a student's object in lab 2. Runs where the object lives; knows no right answer.

The stand-ins for earlier exercises are made of odd constants: their values mean nothing, but a crossed wire changes them.
Those of costs are positive, as costs are.
"""

from collections.abc import Iterator
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
    return (5 * mu.square() + 7 * torch.exp(logvar / 13)).sum(dim=1)


def fake_bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """Stand in for bernoulli_nll: (B,)."""
    return (11 * (logits - x).square() + 13 * x).flatten(start_dim=1).sum(dim=1)


def fake_negative_elbo(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    """Stand in for negative_elbo: a scalar."""
    nll = 17 * (logits - x).square() + 19 * x
    return nll.mean() + beta * (23 * mu.square() + 29 * torch.exp(logvar / 13)).mean()


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
    """Call it with beta."""
    return {f"loss_for_beta_=_{beta:g}": candidate(logits, x, mu, logvar, beta)}


@probe(bernoulli_nll=fake_bernoulli_nll, gaussian_kl=fake_gaussian_kl)
def elbo_gradients(candidate: Any, logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> dict[str, Any]:
    """Call it without beta, and send a gradient back."""
    logits, mu = logits.requires_grad_(), mu.requires_grad_()
    loss = candidate(logits, x, mu, logvar)
    grad_logits, grad_mu = gradients(loss, logits, mu)
    return {"loss_without_beta_given": loss, "gradient_of_logits": grad_logits, "gradient_of_mu": grad_mu}


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


def _mode(modes: list[bool]) -> float:
    """Sum up in which modes a layer was called: 1 always training, 0 always eval, between for both, NaN never called."""
    return sum(modes) / len(modes) if modes else float("nan")


def _left_behind(model: Any, images: Any, gradients_enabled: bool) -> dict[str, Any]:
    """Describe what drawing images leaves behind, and how it was done."""
    seen = {
        "the_decoder's_mode_while_it_decodes": _mode(model.decoder.modes),
        "the_model's_mode_afterwards": model.training,
        "the_decoder's_mode_afterwards": model.decoder.training,
    }
    switches = {
        "the_images_carry_gradients": getattr(images, "requires_grad", False),
        "gradients_are_enabled_afterwards": gradients_enabled,
        "the_parameters_take_gradients_afterwards": all(parameter.requires_grad for parameter in model.parameters()),
    }
    return _named(seen, "(1:_training,_0:_eval)") | _named(switches, "(1:_True,_0:_False)")


def _named(seen: dict[str, Any], code: str) -> dict[str, Any]:
    return {f"{name}_{code}": value for name, value in seen.items()}


@probe(reparameterize=fake_reparameterize)
def vae_forward(candidate: Any, x: Tensor, training: bool, **weights: Any) -> dict[str, Any]:
    """Build the model, run it, send a gradient back to the encoder."""
    model = _vae(candidate, **weights)
    returned = model.train(training)(x)
    if not isinstance(returned, (tuple, list)) or len(returned) != 3:
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
    with torch.enable_grad():  # which restores what was before, whatever the candidate leaves
        images = model.sample(n)
        enabled = torch.is_grad_enabled()
        seen = _left_behind(model, images, enabled)
        return {"images": images, "second_draw": model.sample(n), **seen}


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


def _two_steps(
    candidate: Any, x: Tensor, beta: float, learning_rate: float, training: bool, stale: float, **weights: Any
) -> Iterator[tuple[str, Any, Any]]:
    """Take two training steps with SGD on a model on which old gradients lie; yield turn, model and report after each."""
    model = _vae(_NoiselessVAE, **weights)
    model.train(training)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, stale)
    for turn in ("first", "second"):
        yield turn, model, candidate(model, x, optimizer, beta=beta)


def take_the_mean(mu: Tensor, logvar: Tensor) -> Tensor:
    """Stand in for reparameterize where the model is one without noise."""
    return mu


step_probe = probe(
    reparameterize=take_the_mean,
    bernoulli_nll=fake_bernoulli_nll,
    gaussian_kl=fake_gaussian_kl,
    negative_elbo=fake_negative_elbo,
)


@step_probe
def updates(candidate: Any, **case: Any) -> dict[str, Any]:
    """Return the parameters after each of two steps."""
    return {
        f"{name}_after_the_{turn}_step": parameter.detach().clone()
        for turn, model, _ in _two_steps(candidate, **case)
        for name, parameter in model.named_parameters()
    }


@step_probe
def reports(candidate: Any, **case: Any) -> dict[str, Any]:
    """Return what each of two steps reports."""
    seen: dict[str, Any] = {}
    for turn, _, reported in _two_steps(candidate, **case):
        if not isinstance(reported, dict):
            raise TypeError(f"train_step must return a dict with 'loss', 'nll' and 'kl'; it returned {_kind(reported)}")
        seen |= {f"'{name}'_of_the_{turn}_step": reported.get(name) for name in ("loss", "nll", "kl")}
    return seen


@step_probe
def modes(candidate: Any, **case: Any) -> dict[str, Any]:
    """Return the modes in which the model ran, and in which it was left."""
    *_, (_, model, _) = _two_steps(candidate, **case)
    seen = {
        "the_model's_mode_while_it_runs": _mode(model.encoder.modes + model.decoder.modes),
        "the_model's_mode_afterwards": model.training,
    }
    return _named(seen, "(1:_training,_0:_eval)")


@probe()
def traversal(candidate: Any, z: Tensor, dim: int, values: Tensor, training: bool, **weights: Any) -> dict[str, Any]:
    """Traverse one latent of a linear decoder."""
    return {"images": candidate(_vae(_NoiselessVAE, **weights).train(training), z, dim, values)}


@probe()
def traversal_state(candidate: Any, z: Tensor, dim: int, values: Tensor, training: bool, **weights: Any) -> dict[str, Any]:
    """Traverse one latent of a linear decoder, and look at the state it leaves behind."""
    model = _vae(_NoiselessVAE, **weights).train(training)
    with torch.enable_grad():  # which restores what was before, whatever the candidate leaves
        images = candidate(model, z, dim, values)
        return _left_behind(model, images, torch.is_grad_enabled())


@probe()
def gap(candidate: Any, codes: Tensor, factors: Tensor, bins: int) -> dict[str, Any]:
    """Call it."""
    return {"MIG": candidate(codes, factors, bins)}


@probe()
def gap_by_default(candidate: Any, codes: Tensor, factors: Tensor, bins: int) -> dict[str, Any]:
    """Call it, with the bins given and with those left at their default."""
    return {"MIG": candidate(codes, factors, bins), "MIG_with_20_bins": candidate(codes, factors)}
