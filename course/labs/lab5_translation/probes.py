"""What is done with a student's object in lab 5. Runs where the object lives; knows no right answer.

The stand-ins for earlier exercises, and the networks, are made of odd constants: a crossed wire changes the numbers.
"""

from typing import Any

import torch
from torch import Tensor, nn

from course.checks.exercise import probe
from course.checks.probing import gradients


def fake_conditional_pair(condition: Tensor, image: Tensor) -> Tensor:
    """Stand in for conditional_pair: (B, K + C, H, W)."""
    return torch.cat([2 * condition, 3 * image - 1], dim=1)


def fake_lsgan_loss(scores: Tensor, is_real: bool) -> Tensor:
    """Stand in for lsgan_loss: a scalar."""
    return (7 * scores - 11).abs().mean() if is_real else (5 * scores - 13).abs().mean()


def fake_cycle_consistency_loss(real: Tensor, reconstructed: Tensor) -> Tensor:
    """Stand in for cycle_consistency_loss, whichever image comes first: a scalar."""
    return 17 * _unlikeness(real, reconstructed) + 1


def fake_identity_loss(real: Tensor, mapped: Tensor) -> Tensor:
    """Stand in for identity_loss, whichever image comes first: a scalar."""
    return 23 * _unlikeness(real, mapped) + 3


def _unlikeness(one: Tensor, other: Tensor) -> Tensor:
    if one.shape != other.shape:
        raise ValueError("images of one heap are compared with what was made from the other heap")
    return (one - other).square().mean()


class _Pointwise(nn.Module):
    """Mix an image's channels pixel by pixel, as a 1 x 1 convolution does: a generator or a discriminator of few numbers."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != self.weight.shape[1]:
            raise ValueError(f"the network was given {x.shape[1]} channels, and takes {self.weight.shape[1]}")
        return nn.functional.conv2d(x, self.weight[:, :, None, None], self.bias)


@probe()
def pair(candidate: Any, condition: Tensor, image: Tensor) -> dict[str, Any]:
    """Call it, and send a gradient back to the image."""
    image = image.requires_grad_()
    joined = candidate(condition, image)
    return {"the_pair": joined, "gradient_of_the_image": gradients(joined, image)[0]}


@probe(conditional_pair=fake_conditional_pair)
def conditional_discriminator(
    candidate: Any, condition: Tensor, real: Tensor, fake: Tensor, weight: Tensor, bias: Tensor
) -> dict[str, Any]:
    """Call it with a small discriminator, and send gradients back to that and to the generator."""
    network, generator = _Pointwise(weight, bias), torch.ones((), requires_grad=True)
    loss = candidate(network, condition, real, generator * fake)
    gradient, to_generator = gradients(loss, network.weight, generator)
    return {"loss": loss, "gradient_of_D": gradient, "the_gradient_that_reaches_the_generator": to_generator}


@probe()
def conditional_generator(
    candidate: Any, fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float
) -> dict[str, Any]:
    """Call it with and without the weight, and send gradients back."""
    fake_logits, fake = fake_logits.requires_grad_(), fake.requires_grad_()
    loss = candidate(fake_logits, fake, target, l1_weight)
    to_logits, to_fake = gradients(loss, fake_logits, fake)
    return {
        "loss": loss,
        "loss_without_l1_weight_given": candidate(fake_logits, fake, target),
        "gradient_of_fake_logits": to_logits,
        "gradient_of_fake": to_fake,
    }


@probe()
def block(candidate: Any, x: Tensor, inner: int, has_below: bool) -> dict[str, Any]:
    """Build a block, at the bottom or with a level below, and run it."""
    below = (
        _Pointwise(torch.cat([2 * torch.eye(inner), 3 * torch.eye(inner)]), torch.zeros(2 * inner)) if has_below else None
    )
    level = candidate(x.shape[1], inner, below).eval()
    x = x.requires_grad_()
    out = level(x)
    return {"the_output": out, "gradient_of_x": gradients(out, x)[0]}


@probe()
def least_squares(candidate: Any, scores: Tensor) -> dict[str, Any]:
    """Call it for real and for fake images, and send gradients back."""
    scores = scores.requires_grad_()
    real, fake = candidate(scores, True), candidate(scores, False)
    return {
        "loss_of_real_images": real,
        "loss_of_fake_images": fake,
        "gradient_for_real_images": gradients(real, scores)[0],
        "gradient_for_fake_images": gradients(fake, scores)[0],
    }


@probe()
def distance(candidate: Any, real: Tensor, other: Tensor) -> dict[str, Any]:
    """Call it, and send a gradient back to what the generators made."""
    other = other.requires_grad_()
    loss = candidate(real, other)
    return {"loss": loss, "gradient_of_the_second_argument": gradients(loss, other)[0]}


@probe(
    lsgan_loss=fake_lsgan_loss,
    cycle_consistency_loss=fake_cycle_consistency_loss,
    identity_loss=fake_identity_loss,
)
def both_generators(
    candidate: Any, a: Tensor, b: Tensor, weights: list[Any], cycle_weight: float, identity_weight: float, **tensors: Tensor
) -> dict[str, Any]:
    """Call it with four small networks, with and without weights, and send gradients back to the generators."""
    networks = [_Pointwise(tensors[f"{name}_weight"], tensors[f"{name}_bias"]) for name in weights]
    returned = candidate(*networks, a, b, cycle_weight=cycle_weight, identity_weight=identity_weight)
    if not isinstance(returned, tuple) or len(returned) != 2 or not isinstance(returned[1], dict):
        raise TypeError("cyclegan_generator_loss must return a tuple (loss, parts), parts a dict")
    loss, parts = returned
    found = gradients(loss, networks[0].weight, networks[1].weight)
    return {
        "loss": loss,
        "loss_without_weights_given": candidate(*networks, a, b)[0],
        **{f"'{name}'": parts.get(name) for name in ("adversarial", "cycle", "identity")},
        "the_parts_carry_gradients": any(getattr(part, "requires_grad", False) for part in parts.values()),
        "gradient_of_G_ab": found[0],
        "gradient_of_G_ba": found[1],
    }


@probe(lsgan_loss=fake_lsgan_loss)
def discriminator(candidate: Any, real: Tensor, fake: Tensor, weight: Tensor, bias: Tensor) -> dict[str, Any]:
    """Call it with a small discriminator, and send gradients back to that and to the generator."""
    network, generator = _Pointwise(weight, bias), torch.ones((), requires_grad=True)
    loss = candidate(network, real, generator * fake)
    gradient, to_generator = gradients(loss, network.weight, generator)
    return {"loss": loss, "gradient_of_D": gradient, "the_gradient_that_reaches_the_generator": to_generator}


@probe()
def buffer(candidate: Any, size: int, batch: int, batches: int, buffers: int) -> dict[str, Any]:
    """Exchange batches of images that each show their own number; afterwards spoil what went in and what came out."""
    came = torch.zeros(buffers, batches, batch)
    for row in came:
        kept = candidate(size)
        for place, numbers in enumerate(torch.arange(1.0, batches * batch + 1).split(batch)):
            images = (torch.ones(batch, 2, 2, 2) * numbers[:, None, None, None]).requires_grad_()
            made = images * 1
            given = kept.exchange(made)
            if not isinstance(given, Tensor) or given.shape != images.shape:
                raise TypeError(f"exchange must return a tensor of the batch's shape {tuple(images.shape)}")
            row[place] = given.detach()[:, 0, 0, 0]
            with torch.no_grad():
                made.fill_(-1)
                given.fill_(-2)
    return {"the_numbers_that_came_back": came.flatten(1), "images.requires_grad": given.requires_grad}
