"""How lab 5 judges: for each exercise its cases and parts, the mistakes that people make, other right ways, hints."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from course.checks.exercise import AnyCallable, Case, Exercise, Part, Question
from course.labs.lab5_translation import probes
from course.translation import (
    ImageBuffer,
    UNetBlock,
    conditional_pair,
    cycle_consistency_loss,
    cyclegan_discriminator_loss,
    cyclegan_generator_loss,
    identity_loss,
    lsgan_loss,
    pix2pix_discriminator_loss,
    pix2pix_generator_loss,
)


def _images(generator: Generator, *shape: int) -> Tensor:
    return 2 * torch.rand(*shape, generator=generator) - 1


def _normal(generator: Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=generator)


# ------------------------------------------------------------------------------------------------- conditional_pair


def _pairs(generator: Generator) -> list[Case]:
    return [
        {"condition": _images(generator, b, k, h, w), "image": _images(generator, b, c, h, w)}
        for b, k, c, h, w in ((3, 2, 4, 5, 6), (2, 3, 3, 4, 4), (1, 8, 1, 6, 3))
    ]


pair_exercise = Exercise(
    conditional_pair,
    parts=[Part("pair", "the channels of both, the condition's first", probes.pair, _pairs)],
    hints=[
        "Two images, one on top of the other, so that the discriminator sees both at each pixel.",
        "Which dimension of (B, C, H, W) holds the channels? torch.cat joins along it.",
        "torch.cat([condition, image], dim=1)",
    ],
)


@pair_exercise.mistake(
    "The image's channels come first. The condition goes first: every other part of pix2pix counts on it."
)
def puts_the_image_first(condition: Tensor, image: Tensor) -> Tensor:
    return torch.cat([image, condition], dim=1)


@pair_exercise.mistake(
    "You joined along the batch (dim=0): that makes twice as many images, and no pair. Join the channels, dim=1."
)
def joins_the_batch(condition: Tensor, image: Tensor) -> Tensor:
    return torch.cat([condition, image], dim=0)


@pair_exercise.mistake(
    "You joined them side by side, along the width. Join the channels, dim=1, so that the pixels stay in place."
)
def joins_the_width(condition: Tensor, image: Tensor) -> Tensor:
    return torch.cat([condition, image], dim=-1)


@pair_exercise.mistake("You returned the image alone. Then the discriminator cannot know what was asked for.")
def forgets_the_condition(condition: Tensor, image: Tensor) -> Tensor:
    return image


@pair_exercise.mistake(
    "You added the two: what each of them was cannot be told from the sum. Lay channels beside channels: torch.cat."
)
def adds_them(condition: Tensor, image: Tensor) -> Tensor:
    return condition.mean(dim=1, keepdim=True) + image


@pair_exercise.mistake(
    "You cut the image off from the generator (detach, or no_grad). Leave its gradient: the generator learns by it."
)
def detaches_the_image(condition: Tensor, image: Tensor) -> Tensor:
    return torch.cat([condition, image.detach()], dim=1)


@pair_exercise.style
def by_hstack(condition: Tensor, image: Tensor) -> Tensor:
    return torch.hstack((condition, image))


@pair_exercise.style
def by_filling(condition: Tensor, image: Tensor) -> Tensor:
    b, k, h, w = condition.shape
    joined = torch.zeros(b, k + image.shape[1], h, w, dtype=image.dtype, device=image.device)
    joined[:, :k] = condition
    joined[:, k:] = image
    return joined


# --------------------------------------------------------------------------------------- pix2pix_discriminator_loss


def _to_tell_apart(generator: Generator) -> list[Case]:
    return [
        {
            "condition": _images(generator, b, k, 4, 5),
            "real": _images(generator, b, c, 4, 5),
            "fake": _images(generator, b, c, 4, 5),
            "weight": _normal(generator, 1, k + c, scale=scale),
            "bias": _normal(generator, 1),
        }
        for b, k, c, scale in ((3, 2, 2, 1.0), (2, 3, 3, 8.0), (4, 2, 2, 150.0))
    ]


pix2pix_d_exercise = Exercise(
    pix2pix_discriminator_loss,
    parts=[
        Part("loss", "half the two cross-entropies, for large logits too; no gradient for the generator",
             probes.conditional_discriminator, _to_tell_apart, tolerance=(1e-4, 1e-4)),
    ],
    hints=[
        "Two questions to D: the condition with the real image, and the same condition with the fake one: conditional_pair.",
        "Cross-entropy of logits: F.binary_cross_entropy_with_logits, against ones for real and zeros for fake.",
        "The fake image enters as fake.detach(): this loss teaches D, and nobody else. Halve the sum.",
    ],
)  # fmt: skip


def _bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


@pix2pix_d_exercise.mistake("The generator gets a gradient from this loss, and would help D to catch it. Use fake.detach().")
def lets_the_gradient_through(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    return (_bce(D(conditional_pair(condition, real)), 1) + _bce(D(conditional_pair(condition, fake)), 0)) / 2


@pix2pix_d_exercise.mistake("The labels are swapped: high means real in this course. Ones for real, zeros for fake.")
def swaps_the_labels(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    fake = fake.detach()
    return (_bce(D(conditional_pair(condition, real)), 0) + _bce(D(conditional_pair(condition, fake)), 1)) / 2


@pix2pix_d_exercise.mistake("You forgot to halve the sum: pix2pix slows D down by that factor ½.")
def does_not_halve(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    return 2 * pix2pix_discriminator_loss(D, condition, real, fake)


@pix2pix_d_exercise.mistake(
    "You summed over images and patches. Take the mean of each half, so that the loss does not grow with the batch."
)
def sums_the_patches(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    real_logits = D(conditional_pair(condition, real))
    fake_logits = D(conditional_pair(condition, fake.detach()))
    return (F.softplus(-real_logits).sum() + F.softplus(fake_logits).sum()) / 2


@pix2pix_d_exercise.mistake(
    "You applied the sigmoid twice: D gives logits, and binary_cross_entropy_with_logits has the sigmoid inside."
)
def applies_the_sigmoid_twice(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    return pix2pix_discriminator_loss(lambda pair: D(pair).sigmoid(), condition, real, fake)


@pix2pix_d_exercise.mistake(
    "For large logits the sigmoid is exactly 0 or 1, and its logarithm infinite. Use the form that takes logits: "
    "F.binary_cross_entropy_with_logits, or softplus."
)
def takes_the_logarithm_of_a_sigmoid(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    real_p = D(conditional_pair(condition, real)).sigmoid()
    fake_p = D(conditional_pair(condition, fake.detach())).sigmoid()
    return -(real_p.log().mean() + (1 - fake_p).log().mean()) / 2


@pix2pix_d_exercise.mistake(
    "D never sees the fake image with its condition: you paired the condition with the real one twice."
)
def judges_real_twice(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    logits = D(conditional_pair(condition, real))
    return (_bce(logits, 1) + _bce(logits, 0)) / 2


@pix2pix_d_exercise.mistake("The fake half is missing. D must learn what is real, and what is not.")
def forgets_the_fakes(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    return _bce(D(conditional_pair(condition, real)), 1) / 2


@pix2pix_d_exercise.mistake("This is the squared loss of CycleGAN. pix2pix uses the cross-entropy of the logits.")
def uses_squares(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    real_logits, fake_logits = D(conditional_pair(condition, real)), D(conditional_pair(condition, fake.detach()))
    return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2


@pix2pix_d_exercise.style
def with_a_criterion(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    criterion = nn.BCEWithLogitsLoss()
    with torch.no_grad():
        fake = fake.clone()
    on_fake = D(torch.cat((condition, fake), 1))
    on_real = D(torch.cat((condition, real), 1))
    return 0.5 * (criterion(on_real, torch.ones_like(on_real)) + criterion(on_fake, torch.zeros_like(on_fake)))


@pix2pix_d_exercise.style
def in_one_pass(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    logits = D(conditional_pair(condition.repeat(2, 1, 1, 1), torch.cat([real, fake.detach()])))
    on_real, on_fake = logits.chunk(2)
    return -(F.logsigmoid(on_real) + F.logsigmoid(-on_fake)).mean() / 2


# ------------------------------------------------------------------------------------------- pix2pix_generator_loss


def _translations(generator: Generator) -> list[Case]:
    return [
        {
            "fake_logits": _normal(generator, b, 1, 2, 3, scale=scale),
            "fake": _images(generator, b, 3, 4, 5),
            "target": _images(generator, b, 3, 4, 5),
            "l1_weight": weight,
        }
        for b, scale, weight in ((3, 1.0, 7.0), (2, 8.0, 0.5), (4, 120.0, 30.0))
    ]


pix2pix_g_exercise = Exercise(
    pix2pix_generator_loss,
    parts=[
        Part("loss", "being taken for real, plus the weighted L1 distance; its gradients", probes.conditional_generator,
             _translations),
    ],
    hints=[
        "The generator wants its images to be taken for real. Which label does it hope for?",
        "Cross-entropy of fake_logits against ones; then the mean absolute difference to the target, times l1_weight.",
        "F.softplus(-fake_logits).mean() + l1_weight * (fake - target).abs().mean()",
    ],
)  # fmt: skip


@pix2pix_g_exercise.mistake(
    "You asked for fake: against zeros the generator is praised for being caught. It hopes for ones."
)
def hopes_to_be_caught(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return _bce(fake_logits, 0) + l1_weight * F.l1_loss(fake, target)


@pix2pix_g_exercise.mistake(
    "You minimise log(1 − D), whose gradient vanishes while D wins. pix2pix uses the other one: mean −log D."
)
def plays_minimax(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return -_bce(fake_logits, 0) + l1_weight * F.l1_loss(fake, target)


@pix2pix_g_exercise.mistake("You squared the differences. L1, the mean absolute difference, blurs less.")
def uses_l2(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return _bce(fake_logits, 1) + l1_weight * F.mse_loss(fake, target)


@pix2pix_g_exercise.mistake("You summed the absolute differences. Take their mean: l1_weight = 100 is meant for means.")
def sums_l1(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return _bce(fake_logits, 1) + l1_weight * (fake - target).abs().sum()


@pix2pix_g_exercise.mistake(
    "You summed the differences of an image and averaged over the batch. Take the mean over everything: l1_weight = 100 is "
    "meant for that."
)
def sums_l1_of_an_image(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return _bce(fake_logits, 1) + l1_weight * (fake - target).abs().flatten(1).sum(dim=1).mean()


@pix2pix_g_exercise.mistake("l1_weight does not reach the loss: it is 100 whatever is given. Use the argument.")
def fixes_the_weight(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return pix2pix_generator_loss(fake_logits, fake, target)


@pix2pix_g_exercise.mistake("The weight is on the wrong term. It belongs to L1, not to the adversarial price.")
def weighs_the_wrong_term(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return l1_weight * _bce(fake_logits, 1) + F.l1_loss(fake, target)


@pix2pix_g_exercise.mistake("The distance to the target is missing: without it the image need not fit what was asked for.")
def forgets_the_target(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return _bce(fake_logits, 1) + 0 * fake.sum()


@pix2pix_g_exercise.mistake(
    "You detached the fake image, so the L1 term teaches nobody. Its gradient must reach the generator."
)
def detaches_the_fake(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return pix2pix_generator_loss(fake_logits, fake.detach(), target, l1_weight)


@pix2pix_g_exercise.style
def with_torchs_losses(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    adversarial = nn.BCEWithLogitsLoss()(fake_logits, torch.ones_like(fake_logits))
    return adversarial + l1_weight * nn.L1Loss()(fake, target)


@pix2pix_g_exercise.style
def by_log_sigmoid(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return l1_weight * torch.mean(torch.abs(target - fake)) - torch.mean(F.logsigmoid(fake_logits))


# -------------------------------------------------------------------------------------------------------- UNetBlock


def _levels(generator: Generator) -> list[Case]:
    return [
        {"x": _normal(generator, 2, outer, 4, 8), "inner": inner, "has_below": below}
        for outer, inner, below in ((3, 5, True), (4, 2, False), (2, 2, True))
    ]


unet_exercise = Exercise(
    UNetBlock,
    methods=("forward",),
    parts=[Part("forward", "down, below, up, and the skip beside it", probes.block, _levels)],
    hints=[
        "Follow the image: shrink it, hand it to the level below (there is none at the bottom), enlarge it.",
        "Then lay what you were given beside what came up, channels beside channels: torch.cat along dim=1.",
        "torch.cat([x, self.enlarge(small)], dim=1), where small is self.below(self.shrink(x)), or just self.shrink(x).",
    ],
)


@unet_exercise.mistake("You put the upsampled channels first. The order is [skip, upsampled]: x goes first.")
class PutsTheSkipLast(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(super().forward(x).chunk(2, dim=1)[::-1], dim=1)


@unet_exercise.mistake(
    "The skip is missing: return x and what came up, beside each other. Without x the details are lost below."
)
class HasNoSkip(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, x.shape[1] :]


@unet_exercise.mistake("You added x, as a ResNet does. A U-Net lays the channels beside each other: torch.cat.")
class AddsTheSkip(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)[:, x.shape[1] :]


@unet_exercise.mistake("The level below is never called. Between shrinking and enlarging goes self.below, if there is one.")
class SkipsTheLevelBelow(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        small = self.shrink(x)
        if self.below is not None:
            small = torch.cat([small, small], dim=1)
        return torch.cat([x, self.enlarge(small)], dim=1)


@unet_exercise.mistake("At the bottom there is no level below: self.below is None. Ask before you call it.")
class AlwaysCallsBelow(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        small = self.below(self.shrink(x))  # type: ignore[misc]
        return torch.cat([x, self.enlarge(small)], dim=1)


@unet_exercise.mistake("You joined along the batch. Channels are dimension 1.")
class JoinsTheBatch(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(super().forward(x).chunk(2, dim=1), dim=0)


@unet_exercise.mistake("You cut the skip off (detach): the levels above would not learn through it.")
class DetachesTheSkip(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.detach(), super().forward(x)[:, x.shape[1] :]], dim=1)


@unet_exercise.style
class InOneLine(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        below = nn.Identity() if self.below is None else self.below
        return torch.cat((x, self.enlarge(below(self.shrink(x)))), 1)


@unet_exercise.style
class StepByStep(UNetBlock):
    def forward(self, x: Tensor) -> Tensor:
        skip = x
        x = self.shrink(x)
        if self.below:
            x = self.below(x)
        x = self.enlarge(x)
        return torch.hstack([skip, x])


# ------------------------------------------------------------------------------------------------------- lsgan_loss


def _scores(generator: Generator) -> list[Case]:
    return [{"scores": _normal(generator, *shape, scale=3)} for shape in ((4, 1, 3, 2), (5,), (2, 1))]


lsgan_exercise = Exercise(
    lsgan_loss,
    parts=[Part("loss", "the mean squared distance to 1 or to 0, and its gradient", probes.least_squares, _scores)],
    hints=[
        "Real images should score 1, fake ones 0. How far are the scores from that?",
        "A squared difference, averaged over all scores.",
        "(scores - 1.0).square().mean() if is_real, else scores.square().mean()",
    ],
)


@lsgan_exercise.mistake("The targets are swapped: real images should score 1, fake ones 0.")
def swaps_the_targets(scores: Tensor, is_real: bool) -> Tensor:
    return lsgan_loss(scores, not is_real)


@lsgan_exercise.mistake("You halved it. Some papers do; here the loss is the mean squared distance itself.")
def halves_it(scores: Tensor, is_real: bool) -> Tensor:
    return lsgan_loss(scores, is_real) / 2


@lsgan_exercise.mistake("You summed over the patches. Take the mean: the loss should not grow with the image.")
def sums_the_scores(scores: Tensor, is_real: bool) -> Tensor:
    return scores.numel() * lsgan_loss(scores, is_real)


@lsgan_exercise.mistake("You used absolute differences. The least-squares loss squares them.")
def uses_absolute_differences(scores: Tensor, is_real: bool) -> Tensor:
    return (scores - float(is_real)).abs().mean()


@lsgan_exercise.mistake("This is the cross-entropy. CycleGAN squares the distance of the scores to 1 or 0.")
def uses_cross_entropy(scores: Tensor, is_real: bool) -> Tensor:
    return _bce(scores, float(is_real))


@lsgan_exercise.mistake("You squashed the scores by a sigmoid first. The least-squares loss takes them as they are.")
def squashes_the_scores(scores: Tensor, is_real: bool) -> Tensor:
    return lsgan_loss(scores.sigmoid(), is_real)


@lsgan_exercise.mistake(
    "You averaged first and squared after: scores of 0 and 2 would count as a perfect 1. Square each one."
)
def squares_the_mean(scores: Tensor, is_real: bool) -> Tensor:
    return (scores.mean() - float(is_real)).square()


@lsgan_exercise.style
def with_mse(scores: Tensor, is_real: bool) -> Tensor:
    target = torch.ones_like(scores) if is_real else torch.zeros_like(scores)
    return F.mse_loss(scores, target)


@lsgan_exercise.style
def by_branches(scores: Tensor, is_real: bool) -> Tensor:
    if is_real:
        return torch.mean((1 - scores) ** 2)
    return torch.mean(scores**2)


# -------------------------------------------------------------------------- cycle_consistency_loss and identity_loss


def _two_images(generator: Generator) -> list[Case]:
    return [
        {"real": _images(generator, *shape), "other": _images(generator, *shape)} for shape in ((3, 2, 4, 5), (1, 3, 2, 2))
    ]


def _distance_parts() -> list[Part]:
    return [Part("loss", "the mean absolute difference, and its gradient", probes.distance, _two_images)]


cycle_exercise = Exercise(
    cycle_consistency_loss,
    parts=_distance_parts(),
    hints=[
        "How far is the image from what came back?",
        "The mean of the absolute differences, over everything: images, channels, pixels.",
        "(reconstructed - real).abs().mean()",
    ],
)
identity_exercise = Exercise(
    identity_loss,
    parts=_distance_parts(),
    hints=[
        "An image that is already in the target domain should be left alone. How far was it moved?",
        "The same distance as in the cycle: the mean absolute difference.",
        "(mapped - real).abs().mean()",
    ],
)


def _mistake_of_both(says: str) -> Callable[[AnyCallable], AnyCallable]:
    """Add a known mistake to both exercises: each is a mean absolute difference, and they go wrong in the same ways."""

    def add(candidate: AnyCallable) -> AnyCallable:
        return cycle_exercise.mistake(says)(identity_exercise.mistake(says)(candidate))

    return add


@_mistake_of_both("You squared the differences. The loss is L1: absolute differences, which blur less.")
def squares_them(real: Tensor, other: Tensor) -> Tensor:
    return (other - real).square().mean()


@_mistake_of_both("You summed over everything. Take the mean, so that the weights mean the same at every size.")
def sums_them(real: Tensor, other: Tensor) -> Tensor:
    return (other - real).abs().sum()


@_mistake_of_both(
    "You summed over the pixels of an image and averaged over the batch. Take the mean over everything: the weights are "
    "meant for that."
)
def sums_within_an_image(real: Tensor, other: Tensor) -> Tensor:
    return (other - real).abs().flatten(1).sum(dim=1).mean()


@_mistake_of_both("You returned one number for each image. Return one for the batch: the mean.")
def keeps_the_images_apart(real: Tensor, other: Tensor) -> Tensor:
    return (other - real).abs().flatten(1).mean(dim=1)


@_mistake_of_both("Without the absolute value, differences of opposite sign cancel. Use .abs() before the mean.")
def forgets_the_absolute_value(real: Tensor, other: Tensor) -> Tensor:
    return (other - real).mean()


@_mistake_of_both("You detached what the generators made, so they cannot learn from this loss.")
def detaches_the_result(real: Tensor, other: Tensor) -> Tensor:
    return (other.detach() - real).abs().mean() + 0 * other.sum()


@cycle_exercise.style
@identity_exercise.style
def with_torchs_l1(real: Tensor, other: Tensor) -> Tensor:
    return F.l1_loss(other, real)


@cycle_exercise.style
@identity_exercise.style
def by_norm(real: Tensor, other: Tensor) -> Tensor:
    return torch.linalg.vector_norm(real - other, ord=1) / real.numel()


# ------------------------------------------------------------------------------------------ cyclegan_generator_loss

NETWORKS = ["G_ab", "G_ba", "D_a", "D_b"]


def _two_domains(generator: Generator) -> list[Case]:
    cases = []
    for n_a, n_b, cycle_weight, identity_weight in ((3, 2, 4.0, 0.5), (2, 4, 0.7, 3.0)):
        case: Case = {
            "a": _images(generator, n_a, 2, 3, 4),
            "b": _images(generator, n_b, 2, 3, 4),
            "weights": NETWORKS,
            "cycle_weight": cycle_weight,
            "identity_weight": identity_weight,
        }
        for name in NETWORKS:
            outputs = 2 if name.startswith("G") else 1
            case[f"{name}_weight"] = _normal(generator, outputs, 2)
            case[f"{name}_bias"] = _normal(generator, outputs)
        cases.append(case)
    return cases


cyclegan_g_exercise = Exercise(
    cyclegan_generator_loss,
    parts=[
        Part("loss", "all three prices, in both directions, and their gradients", probes.both_generators, _two_domains,
             tolerance=(1e-4, 1e-4)),
    ],
    hints=[
        "Make fake_b = G_ab(a) and fake_a = G_ba(b) once, and write down for each what should become of it.",
        "D_b judges fake_b, D_a judges fake_a, both hoped to be real. G_ba(fake_b) should be a again, G_ab(fake_a) b. And "
        "G_ab should leave b alone, G_ba a.",
        "Return (adversarial + cycle_weight * cycle + identity_weight * identity, the three without weights, detached).",
    ],
)  # fmt: skip

Losses = tuple[Tensor, dict[str, Tensor]]


def _losses(adversarial: Tensor, cycle: Tensor, identity: Tensor, cycle_weight: float, identity_weight: float) -> Losses:
    loss = adversarial + cycle_weight * cycle + identity_weight * identity
    parts = {"adversarial": adversarial, "cycle": cycle, "identity": identity}
    return loss, {name: part.detach() for name, part in parts.items()}


def _adversarial(fake_a: Tensor, fake_b: Tensor, D_a: Any, D_b: Any) -> Tensor:
    return lsgan_loss(D_b(fake_b), True) + lsgan_loss(D_a(fake_a), True)


def _cycle(G_ab: Any, G_ba: Any, fake_a: Tensor, fake_b: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return cycle_consistency_loss(a, G_ba(fake_b)) + cycle_consistency_loss(b, G_ab(fake_a))


def _identity(G_ab: Any, G_ba: Any, a: Tensor, b: Tensor) -> Tensor:
    return identity_loss(b, G_ab(b)) + identity_loss(a, G_ba(a))


@cyclegan_g_exercise.mistake(
    "The discriminators are crossed: fake_b = G_ab(a) wants to pass for a b, so D_b judges it, and D_a judges fake_a."
)
def crosses_the_discriminators(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    return cyclegan_generator_loss(G_ab, G_ba, D_b, D_a, a, b, cycle_weight, identity_weight)


@cyclegan_g_exercise.mistake("The generators are crossed: G_ab takes images of domain a and makes b of them. You gave it b.")
def crosses_the_generators(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    return cyclegan_generator_loss(G_ba, G_ab, D_a, D_b, a, b, cycle_weight, identity_weight)


@cyclegan_g_exercise.mistake(
    "The way back uses the same generator as the way there. After G_ab comes G_ba, and the other way round."
)
def goes_on_instead_of_back(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    fake_b, fake_a = G_ab(a), G_ba(b)
    cycle = cycle_consistency_loss(a, G_ab(fake_b)) + cycle_consistency_loss(b, G_ba(fake_a))
    return _losses(_adversarial(fake_a, fake_b, D_a, D_b), cycle, _identity(G_ab, G_ba, a, b), cycle_weight, identity_weight)


@cyclegan_g_exercise.mistake(
    "The identity price asks the wrong generators: G_ab makes images of domain b, so b is what it should leave alone."
)
def asks_the_wrong_generator_for_the_identity(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    fake_b, fake_a = G_ab(a), G_ba(b)
    identity = identity_loss(a, G_ab(a)) + identity_loss(b, G_ba(b))
    cycle = _cycle(G_ab, G_ba, fake_a, fake_b, a, b)
    return _losses(_adversarial(fake_a, fake_b, D_a, D_b), cycle, identity, cycle_weight, identity_weight)


@cyclegan_g_exercise.mistake("The weights are swapped: cycle_weight belongs to the cycle, identity_weight to the identity.")
def swaps_the_weights(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    return cyclegan_generator_loss(G_ab, G_ba, D_a, D_b, a, b, identity_weight, cycle_weight)


@cyclegan_g_exercise.mistake("Only the direction from a to b is there. Each price is the sum of both directions.")
def goes_one_way(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    fake_b = G_ab(a)
    cycle, identity = cycle_consistency_loss(a, G_ba(fake_b)), identity_loss(b, G_ab(b))
    return _losses(lsgan_loss(D_b(fake_b), True), cycle, identity, cycle_weight, identity_weight)


@cyclegan_g_exercise.mistake("You averaged the two directions. Each price is their sum.")
def averages_the_directions(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    loss, parts = cyclegan_generator_loss(G_ab, G_ba, D_a, D_b, a, b, cycle_weight, identity_weight)
    return loss / 2, {name: part / 2 for name, part in parts.items()}


@cyclegan_g_exercise.mistake(
    "The parts carry their weights. Report them without, so that runs with other weights can be compared."
)
def weighs_the_parts(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    loss, parts = cyclegan_generator_loss(G_ab, G_ba, D_a, D_b, a, b, cycle_weight, identity_weight)
    weights = {"adversarial": 1, "cycle": cycle_weight, "identity": identity_weight}
    return loss, {name: weights[name] * part for name, part in parts.items()}


@cyclegan_g_exercise.mistake("The parts still hang on the graph of the whole step. Detach them: they are for the log.")
def keeps_the_graph(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    fake_b, fake_a = G_ab(a), G_ba(b)
    parts = {
        "adversarial": _adversarial(fake_a, fake_b, D_a, D_b),
        "cycle": _cycle(G_ab, G_ba, fake_a, fake_b, a, b),
        "identity": _identity(G_ab, G_ba, a, b),
    }
    return parts["adversarial"] + cycle_weight * parts["cycle"] + identity_weight * parts["identity"], parts


@cyclegan_g_exercise.mistake("The generators ask to be taken for fake. They hope for real: lsgan_loss(…, True).")
def hopes_for_fake(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    fake_b, fake_a = G_ab(a), G_ba(b)
    adversarial = lsgan_loss(D_b(fake_b), False) + lsgan_loss(D_a(fake_a), False)
    cycle = _cycle(G_ab, G_ba, fake_a, fake_b, a, b)
    return _losses(adversarial, cycle, _identity(G_ab, G_ba, a, b), cycle_weight, identity_weight)


@cyclegan_g_exercise.mistake(
    "The translations are detached, so no price reaches the generator that made them. Detach in the discriminator's loss."
)
def detaches_the_translations(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    fake_b, fake_a = G_ab(a).detach(), G_ba(b).detach()
    cycle = _cycle(G_ab, G_ba, fake_a, fake_b, a, b)
    return _losses(_adversarial(fake_a, fake_b, D_a, D_b), cycle, _identity(G_ab, G_ba, a, b), cycle_weight, identity_weight)


@cyclegan_g_exercise.style
def all_inline(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    to_b, to_a = G_ab(a), G_ba(b)
    on_b, on_a = D_b(to_b), D_a(to_a)
    adversarial = F.mse_loss(on_b, torch.ones_like(on_b)) + F.mse_loss(on_a, torch.ones_like(on_a))
    cycle = F.l1_loss(G_ba(to_b), a) + F.l1_loss(G_ab(to_a), b)
    identity = F.l1_loss(G_ba(a), a) + F.l1_loss(G_ab(b), b)
    loss = adversarial + cycle * cycle_weight + identity * identity_weight
    return loss, dict(adversarial=adversarial.detach(), cycle=cycle.detach(), identity=identity.detach())


@cyclegan_g_exercise.style
def one_direction_at_a_time(
    G_ab: Any, G_ba: Any, D_a: Any, D_b: Any, a: Tensor, b: Tensor, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> Losses:
    parts = {"adversarial": torch.zeros(()), "cycle": torch.zeros(()), "identity": torch.zeros(())}
    for there, back, judge, source, target in ((G_ab, G_ba, D_b, a, b), (G_ba, G_ab, D_a, b, a)):
        translated = there(source)
        parts["adversarial"] = parts["adversarial"] + lsgan_loss(judge(translated), True)
        parts["cycle"] = parts["cycle"] + cycle_consistency_loss(source, back(translated))
        parts["identity"] = parts["identity"] + identity_loss(target, there(target))
    loss = parts["adversarial"] + cycle_weight * parts["cycle"] + identity_weight * parts["identity"]
    return loss, {name: part.detach().clone() for name, part in parts.items()}


# -------------------------------------------------------------------------------------- cyclegan_discriminator_loss


def _one_domain(generator: Generator) -> list[Case]:
    return [
        {
            "real": _images(generator, n_real, 2, 3, 4),
            "fake": _images(generator, n_fake, 2, 3, 4),
            "weight": _normal(generator, 1, 2, scale=scale),
            "bias": _normal(generator, 1),
        }
        for n_real, n_fake, scale in ((3, 2, 1.0), (2, 5, 4.0))
    ]


cyclegan_d_exercise = Exercise(
    cyclegan_discriminator_loss,
    parts=[
        Part("loss", "half of both prices, and no gradient for the generator", probes.discriminator, _one_domain),
    ],
    hints=[
        "Real images should score 1, fake ones 0: lsgan_loss twice.",
        "D is the one that learns here: fake.detach().",
        "0.5 * (lsgan_loss(D(real), True) + lsgan_loss(D(fake.detach()), False))",
    ],
)


@cyclegan_d_exercise.mistake(
    "The generator gets a gradient from this loss, and would help D to catch it. Use fake.detach()."
)
def teaches_the_generator(D: Any, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (lsgan_loss(D(real), True) + lsgan_loss(D(fake), False))


@cyclegan_d_exercise.mistake("You forgot to halve the sum: CycleGAN slows D down by that factor ½.")
def takes_the_whole_sum(D: Any, real: Tensor, fake: Tensor) -> Tensor:
    return 2 * cyclegan_discriminator_loss(D, real, fake)


@cyclegan_d_exercise.mistake("Real and fake are swapped: D should score real images 1 and fake ones 0.")
def swaps_real_and_fake(D: Any, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (lsgan_loss(D(real), False) + lsgan_loss(D(fake.detach()), True))


@cyclegan_d_exercise.mistake("Both halves ask for real. Fake images should score 0: lsgan_loss(…, False).")
def asks_for_real_twice(D: Any, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (lsgan_loss(D(real), True) + lsgan_loss(D(fake.detach()), True))


@cyclegan_d_exercise.mistake("The fake half is missing. D must learn what is real, and what is not.")
def looks_at_real_images_only(D: Any, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * lsgan_loss(D(real), True)


@cyclegan_d_exercise.mistake("You detached D's scores, so nobody learns. Detach the fake images before D sees them.")
def detaches_the_scores(D: Any, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (lsgan_loss(D(real), True) + lsgan_loss(D(fake).detach(), False))


@cyclegan_d_exercise.style
def with_mean_squares(D: Any, real: Tensor, fake: Tensor) -> Tensor:
    on_real, on_fake = D(real), D(fake.detach().clone())
    return (F.mse_loss(on_real, torch.ones_like(on_real)) + F.mse_loss(on_fake, torch.zeros_like(on_fake))) / 2


@cyclegan_d_exercise.style
def fakes_first(D: Any, real: Tensor, fake: Tensor) -> Tensor:
    with torch.no_grad():
        copy = fake * 1
    loss_fake = lsgan_loss(D(copy), is_real=False)
    loss_real = lsgan_loss(D(real), is_real=True)
    return (loss_fake + loss_real).mul(0.5)


# ------------------------------------------------------------------------------------------------------ ImageBuffer

# What comes back is random, and judged by shares of about IMAGES / 2 fair decisions each. Two such shares, the student's
# and the reference's, differ by more than WITHIN with a probability below 1e-9: the standard error of their difference is at
# most sqrt(2 · ¼ / (IMAGES / 2)) = 0.016 for shares of all images, and less for the others; tests/labs do the sum.
IMAGES, BATCH, SIZE = 4096, 8, 4
WITHIN = (0.0, 0.12)


def _exchanges(generator: Generator) -> list[Case]:
    return [{"size": SIZE, "batch": BATCH, "batches": IMAGES // BATCH}]


def _habits(answers: dict[str, Any], size: int, batch: int, batches: int) -> dict[str, Any]:
    """Replay what came back against the rule, and take the shares in which a right buffer is random."""
    came = answers["the_numbers_that_came_back"].flatten().round().long().tolist()
    kept: list[int] = []
    fates: list[int] = []
    slots: list[int] = []
    foreign = 0
    for number, back in enumerate(came, start=1):
        if len(kept) < size:
            foreign += back != number
            kept.append(number)
        elif back == number:
            fates.append(0)
        elif back in kept:
            slot = kept.index(back)
            fates.append(1)
            slots.append(slot)
            kept[slot] = number
        else:
            foreign += 1
    fate = torch.tensor(fates or [0], dtype=torch.float64)
    same = (fate[1:] == fate[:-1]).double().mean() if len(fate) > 1 else torch.tensor(1.0, dtype=torch.float64)
    shares = torch.bincount(torch.tensor(slots or [0]), minlength=size).double() / max(1, len(slots))
    return {
        "the_number_of_images_that_should_not_have_come": float(foreign),
        "the_share_of_old_images": float(fate.mean()),
        "the_share_of_neighbours_with_the_same_fate": float(same),
        "how_often_each_place_of_the_buffer_is_used": shares,
        "images.requires_grad": answers["images.requires_grad"],
    }


buffer_exercise = Exercise(
    ImageBuffer,
    methods=("exchange",),
    parts=[
        Part("exchange", "what comes back: new images and old ones, each with probability one half, as copies",
             probes.buffer, _exchanges, view=_habits, tolerance=WITHIN),
    ],
    hints=[
        "Go through the images one by one. Is there still room? Then keep a copy, and return the image.",
        "Otherwise toss a coin for each image: heads, it is returned; tails, it changes places with a random old one.",
        "Keep image.clone(), made from images.detach(): what happens to the batch afterwards must not reach the buffer. "
        "At the end torch.stack.",
    ],
)  # fmt: skip


@buffer_exercise.mistake(
    "The buffer keeps views of the batch: when that changes, its images change too. Keep copies: .clone()."
)
class KeepsViews(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        chosen = []
        for image in images.detach():
            if len(self.images) < self.size:
                self.images.append(image)
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                image, self.images[place] = self.images[place], image
            chosen.append(image)
        return torch.stack(chosen)


@buffer_exercise.mistake("Nothing old ever comes back: the images that you return are always the new ones.")
class ReturnsTheBatch(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        self.images = [*self.images, *images.detach().clone()][-self.size :]
        return images.detach().clone()


@buffer_exercise.mistake(
    "Once the buffer is full, every image is exchanged. Toss a coin: half of them are returned as they are."
)
class AlwaysExchanges(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        chosen = []
        for image in images.detach().clone():
            if len(self.images) < self.size:
                self.images.append(image.clone())
            else:
                place = int(torch.randint(self.size, ()))
                image, self.images[place] = self.images[place], image
            chosen.append(image)
        return torch.stack(chosen)


@buffer_exercise.mistake("You toss one coin for the whole batch. Toss one for each image.")
class TossesOnce(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        chosen, swap = [], bool(torch.rand(()) < 0.5)
        for image in images.detach().clone():
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif swap:
                place = int(torch.randint(self.size, ()))
                image, self.images[place] = self.images[place], image
            chosen.append(image)
        return torch.stack(chosen)


@buffer_exercise.mistake(
    "An old image is returned and stays in the buffer as well: the new one never takes its place. Put it there."
)
class NeverReplaces(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        chosen = []
        for image in images.detach().clone():
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif torch.rand(()) < 0.5:
                image = self.images[int(torch.randint(self.size, ()))]
            chosen.append(image)
        return torch.stack(chosen)


@buffer_exercise.mistake("It is always the oldest image that goes (or one fixed place). Choose a random one.")
class TakesTheFirst(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        chosen = []
        for image in images.detach().clone():
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif torch.rand(()) < 0.5:
                image, self.images[0] = self.images[0], image
            chosen.append(image)
        return torch.stack(chosen)


@buffer_exercise.mistake("The images still carry the generator's graph. Detach them: this is for the discriminator alone.")
class KeepsTheGraph(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        return super().exchange(images) + 0 * images


@buffer_exercise.mistake("While the buffer fills, the image is kept and returned. You returned old ones already then.")
class ExchangesBeforeItIsFull(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        chosen = []
        for image in images.detach().clone():
            self.images.append(image.clone())
            if torch.rand(()) < 0.5 or len(self.images) > self.size:
                image = self.images.pop(int(torch.randint(len(self.images), ())))
            chosen.append(image)
        return torch.stack(chosen)


@buffer_exercise.style
class WithPythonsRandom(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        import random

        returned = []
        for image in images.detach():
            image = image.clone().unsqueeze(0)
            if len(self.images) < self.size:
                self.images += [image]
                returned.append(image.clone())
            elif random.uniform(0, 1) > 0.5:
                index = random.randint(0, self.size - 1)
                old = self.images[index].clone()
                self.images[index] = image
                returned.append(old)
            else:
                returned.append(image)
        return torch.cat(returned, 0)


@buffer_exercise.style
class FillsAResult(ImageBuffer):
    @torch.no_grad()
    def exchange(self, images: Tensor) -> Tensor:
        result = images.detach().clone()
        coins = torch.rand(len(images)) < 0.5
        places = torch.randint(0, self.size, (len(images),))
        for i, image in enumerate(images):
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif coins[i]:
                result[i] = self.images[places[i]]
                self.images[places[i]] = image.clone()
        return result


# --------------------------------------------------------------------------------------------------------- questions

QUESTIONS = [
    Question(
        "answer_median",
        right="b",
        feedback={
            "a": (
                "A network gives one answer to one input. And whoever says red pays the whole distance to the other three "
                "colours: look at the curves, is the price of a real wall's value the lowest?"
            ),
            "b": (
                "Yes. The mean absolute difference is smallest anywhere between the two middle values. Each channel chooses "
                "by itself, so that the three together are a colour which no wall has."
            ),
            "c": "All four are equally frequent here. And were one a little more frequent, the median would hardly move.",
        },
        hints=["Where do the three curves have their lowest stretch? Are the real walls there?"],
    ),
    Question(
        "answer_sun",
        right="b",
        feedback={
            "a": "D sees every patch, those of the sky as well. If it never looked, G would paint no sun, as L1 alone does.",
            "b": (
                "Yes. G is a function of the label map. To D any place of a sun is as good as any other, since it never "
                "compares the pictures of two maps; so the first place that works is good enough for all."
            ),
            "c": "L1 wants no sun at all: at any one pixel the median of the truth is sky. The sun is the judge's wish.",
        },
        hints=["Which of the two prices wants a sun? And what could G choose the place by?"],
    ),
    Question(
        "answer_cycle_alone",
        right="b",
        feedback={
            "a": "Is there a cheaper way to come back to the same picture than to go to the night and return?",
            "b": (
                "Yes: or to any scramble that can be undone. The cycle says that nothing may be lost. What is wanted on the "
                "other side only the judges say."
            ),
            "c": "The cycle loss has a gradient of its own, through both generators. What does it push them to?",
        },
        hints=["Think of the laziest pair of generators whose round trip is perfect."],
    ),
    Question(
        "answer_permuted",
        right="c",
        feedback={
            "a": (
                "Compare the cycle losses of the runs in the figure. A permutation can be undone: what became the wrong "
                "colour comes back from it."
            ),
            "b": (
                "The judge knows heap B. In the wrong translations all four night colours occur, as often as they should. "
                "What could it object to?"
            ),
            "c": (
                "Yes. Both heaps, every judge and every round trip are the same under either mapping. What tells them apart "
                "is not in the data: it must come from pairs, or from what you know or assume, such as that walls only get "
                "darker."
            ),
        },
        hints=["Take a perfect translator, and swap brick and ochre in it everywhere. Which loss notices?"],
    ),
]


ITEMS = [
    pair_exercise,
    pix2pix_d_exercise,
    pix2pix_g_exercise,
    unet_exercise,
    lsgan_exercise,
    cycle_exercise,
    identity_exercise,
    cyclegan_g_exercise,
    cyclegan_d_exercise,
    buffer_exercise,
    *QUESTIONS,
]
TOLERANCE = (1e-3, 1e-3)
