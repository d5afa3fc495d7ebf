"""What is done with a student's object in lab 4. Runs where the object lives; knows no right answer.

The stand-ins for earlier exercises are made of odd constants: their values mean nothing, but a crossed wire changes them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course.checks.exercise import probe
from course.checks.probing import gradients


def fake_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Stand in for discriminator_loss: a scalar."""
    return (real_logits - 3).square().mean() / 7 + (fake_logits + 5).square().mean() / 11


def fake_generator_loss_minimax(fake_logits: Tensor) -> Tensor:
    """Stand in for generator_loss_minimax: a scalar."""
    return (fake_logits + 13).square().mean() / 17


def fake_generator_loss_nonsaturating(fake_logits: Tensor) -> Tensor:
    """Stand in for generator_loss_nonsaturating: a scalar."""
    return (fake_logits - 19).square().mean() / 23


LOSSES: dict[str, Callable[..., Any]] = {
    "discriminator_loss": fake_discriminator_loss,
    "generator_loss_minimax": fake_generator_loss_minimax,
    "generator_loss_nonsaturating": fake_generator_loss_nonsaturating,
}


DTYPES = (torch.float64, torch.float32)


class _Network(nn.Module):
    """Linear, batch norm if asked for, tanh, linear, with given weights; it writes down what passes through it, and how."""

    def __init__(self, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, batch_norm: bool, out_shape: list[int]) -> None:
        super().__init__()
        self.first = nn.Linear(w1.shape[1], w1.shape[0])
        self.norm = nn.BatchNorm1d(w1.shape[0]) if batch_norm else nn.Identity()
        self.last = nn.Linear(w2.shape[1], w2.shape[0])
        given = zip((*self.first.parameters(), *self.last.parameters()), (w1, b1, w2, b2), strict=True)
        with torch.no_grad():
            for parameter, value in given:
                parameter.copy_(value)
        self.to(w1.device)
        self.out_shape = out_shape
        self.passes: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.passes.append(x.detach().clone())
        hidden = torch.tanh(self.norm(self.first(x.flatten(start_dim=1))))
        return self.last(hidden).unflatten(1, self.out_shape) if self.out_shape else self.last(hidden)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of each weight, by a name that a student understands."""
        return {name.replace(".", "_"): parameter.detach().clone() for name, parameter in self.named_parameters()}


def _networks(batch_norm: bool, shape: list[int], **weights: Tensor) -> tuple[_Network, _Network]:
    """Build G, which makes fakes of the shape, and D, which makes one logit (B, 1) of each."""
    of_g, of_d = ({name[2:]: value for name, value in weights.items() if name.startswith(owner)} for owner in ("g_", "d_"))
    return _Network(**of_g, batch_norm=batch_norm, out_shape=shape), _Network(**of_d, batch_norm=batch_norm, out_shape=[])


def _moved(network: _Network, before: dict[str, Tensor]) -> Tensor:
    """Say how far the weights are from what they were."""
    after = network.weights()
    return torch.stack([(after[name] - value).abs().max() for name, value in before.items()]).max()


OLD = 0.7  # the gradient that lies on a bystander's parameters beforehand


def _with_old_gradients(network: _Network) -> _Network:
    """Lay a gradient on each parameter."""
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, OLD)
    return network


def _regraded(network: _Network) -> Tensor:
    """Say how far the gradients that lie on a network are from the old ones; where none lies any more, it counts 0."""
    found = [0 * p if p.grad is None else p.grad for p in network.parameters()]
    return torch.stack([(gradient.detach() - OLD).abs().max() for gradient in found]).max()


@probe()
def densities(candidate: Any, p_data: Tensor, p_model: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"D": candidate(p_data, p_model)}


@probe()
def discriminator_cost(candidate: Any, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"loss": candidate(real_logits, fake_logits)}


@probe()
def discriminator_cost_gradients(candidate: Any, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Any]:
    """Call it, and send a gradient back."""
    real_logits, fake_logits = real_logits.requires_grad_(), fake_logits.requires_grad_()
    of_real, of_fake = gradients(candidate(real_logits, fake_logits), real_logits, fake_logits)
    return {"gradient_of_the_real_logits": of_real, "gradient_of_the_fake_logits": of_fake}


@probe()
def generator_cost(candidate: Any, fake_logits: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"loss": candidate(fake_logits)}


@probe()
def generator_cost_gradients(candidate: Any, fake_logits: Tensor) -> dict[str, Any]:
    """Call it, and send a gradient back."""
    fake_logits = fake_logits.requires_grad_()
    return {"gradient_of_the_fake_logits": gradients(candidate(fake_logits), fake_logits)[0]}


@probe(**LOSSES)
def discriminator_update(
    candidate: Any, x_real: Tensor, z: Tensor, learning_rate: float, stale: float, training: bool, **networks: Any
) -> dict[str, Any]:
    """Take two steps with momentum on a D on which old gradients lie; report its weights, and what it was shown."""
    G, D = _networks(**networks)
    D.train(training)
    optimizer = torch.optim.SGD(D.parameters(), lr=learning_rate, momentum=0.9)
    for parameter in D.parameters():
        parameter.grad = torch.full_like(parameter, stale)
    seen: dict[str, Any] = {}
    for turn in ("first", "second"):
        D.passes.clear()
        seen[f"the_loss_of_the_{turn}_step"] = candidate(G, D, x_real, z, optimizer)
        passes = [*D.passes, x_real.new_zeros(0), x_real.new_zeros(0)]
        if turn == "first":
            seen |= {"what_D_sees_in_its_first_pass": passes[0], "what_D_sees_in_its_second_pass": passes[1]}
            seen["the_number_of_passes_through_D"] = len(D.passes)
        seen |= {f"D's_{name}_after_the_{turn}_step": value for name, value in D.weights().items()}
    return seen


@probe(**LOSSES)
def bystanding_generator(
    candidate: Any, x_real: Tensor, z: Tensor, learning_rate: float, training: bool, **networks: Any
) -> dict[str, Any]:
    """Take a step of D, and look at the G that it leaves behind; gradients lay on it."""
    G, D = _networks(**networks)
    _with_old_gradients(G).train(training)
    before = G.weights()
    candidate(G, D, x_real, z, torch.optim.SGD(D.parameters(), lr=learning_rate))
    return {
        "the_largest_change_of_G's_weights": _moved(G, before),
        "the_largest_change_of_the_gradients_on_G": _regraded(G),
        "the_number_of_passes_through_G": len(G.passes),
        "G's_training_mode_afterwards": G.training,
        "G's_parameters_that_require_gradients_afterwards": sum(p.requires_grad for p in G.parameters()),
    }


@probe(**LOSSES)
def generator_update(
    candidate: Any, z: Tensor, learning_rate: float, stale: float, training: bool, **networks: Any
) -> dict[str, Any]:
    """Take two steps with momentum on a G on which old gradients lie; report its weights."""
    G, D = _networks(**networks)
    G.train(training)
    optimizer = torch.optim.SGD(G.parameters(), lr=learning_rate, momentum=0.9)
    for parameter in G.parameters():
        parameter.grad = torch.full_like(parameter, stale)
    seen: dict[str, Any] = {}
    for turn in ("first", "second"):
        seen[f"the_loss_of_the_{turn}_step"] = candidate(G, D, z, optimizer)
        seen |= {f"G's_{name}_after_the_{turn}_step": value for name, value in G.weights().items()}
    return seen


@probe(**LOSSES)
def bystanding_discriminator(
    candidate: Any, z: Tensor, learning_rate: float, training: bool, **networks: Any
) -> dict[str, Any]:
    """Take a step of G, and look at the D that it leaves behind; gradients may lie on it."""
    G, D = _networks(**networks)
    D.train(training)
    before = D.weights()
    candidate(G, D, z, torch.optim.SGD(G.parameters(), lr=learning_rate))
    return {
        "the_largest_change_of_D's_weights": _moved(D, before),
        "the_number_of_passes_through_G": len(G.passes),
        "the_number_of_passes_through_D": len(D.passes),
        "D's_training_mode_afterwards": D.training,
        "D's_parameters_that_require_gradients_afterwards": sum(p.requires_grad for p in D.parameters()),
    }


def _penalty(candidate: Any, x_real: Tensor, networks: dict[str, Any]) -> tuple[Any, _Network]:
    _, D = _networks(**networks)
    return candidate(D, x_real), D


@probe()
def steepness(candidate: Any, x_real: Tensor, **networks: Any) -> dict[str, Any]:
    """Call it on a small D."""
    return {"penalty": _penalty(candidate, x_real, networks)[0]}


@probe()
def steepness_gradients(candidate: Any, x_real: Tensor, **networks: Any) -> dict[str, Any]:
    """Call it on a small D, and send a gradient back to D's weights."""
    penalty, D = _penalty(candidate, x_real, networks)
    found = gradients(penalty, D.first.weight, D.first.bias, D.last.weight)
    names = ("first_weight", "first_bias", "last_weight")
    return {f"the_penalty's_gradient_for_D's_{name}": value for name, value in zip(names, found, strict=True)}


@probe()
def steepness_bystanders(candidate: Any, x_real: Tensor, training: bool, **networks: Any) -> dict[str, Any]:
    """Call it on a small D on which gradients lie, and look at what it leaves behind."""
    _, D = _networks(**networks)
    candidate(_with_old_gradients(D).train(training), x_real)
    return {
        "the_largest_change_of_the_gradients_on_D": _regraded(D),
        "D's_training_mode_afterwards": D.training,
        "D's_parameters_that_require_gradients_afterwards": sum(p.requires_grad for p in D.parameters()),
        "whether_x_real_requires_gradients_afterwards": x_real.requires_grad,
    }


@probe()
def walk(candidate: Any, z0: Tensor, z1: Tensor, steps: int) -> dict[str, Any]:
    """Walk straight, with the choice left out and made."""
    return {"z": candidate(z0, z1, steps), "z_with_spherical=False": candidate(z0, z1, steps, spherical=False)}


@probe()
def turn(candidate: Any, z0: Tensor, z1: Tensor, steps: int) -> dict[str, Any]:
    """Walk along the arc."""
    return {"z": candidate(z0, z1, steps, spherical=True)}


@probe()
def labelled(candidate: Any, values: Tensor, labels: Tensor, n_classes: int) -> dict[str, Any]:
    """Call it."""
    return {"joined": candidate(values, labels, n_classes)}


@probe()
def distance(candidate: Any, mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> dict[str, Any]:
    """Call it."""
    return {"distance": candidate(mu1, cov1, mu2, cov2)}


@probe()
def distance_in_both_precisions(
    candidate: Any, mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor, apart: float
) -> dict[str, Any]:
    """Call it with whole numbers, which both precisions hold exactly, as doubles and as single floats."""
    of_doubles, of_floats = (candidate(*(value.to(kind) for value in (mu1, cov1, mu2, cov2))) for kind in DTYPES)
    alike = abs(of_floats - of_doubles) <= apart * abs(of_doubles)
    return {"distance": of_doubles, "whether_single_precision_inputs_give_the_same": bool(alike)}
