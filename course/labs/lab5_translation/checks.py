"""How lab 5 judges: for each exercise its cases and parts, the mistakes that people make, other right ways, hints."""

from collections.abc import Callable
from typing import Any, NamedTuple

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


def _like(scores: Tensor, target: float) -> Tensor:
    return torch.full_like(scores, target)


def _bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, _like(logits, target))


@pix2pix_d_exercise.mistake("The generator gets a gradient from this loss, and would help D to catch it. Use fake.detach().")
def lets_the_gradient_through(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    return (_bce(D(conditional_pair(condition, real)), 1) + _bce(D(conditional_pair(condition, fake)), 0)) / 2


@pix2pix_d_exercise.mistake("The labels are swapped: high means real in this course. Ones for real, zeros for fake.")
def swaps_the_labels(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    fake = fake.detach()
    return (_bce(D(conditional_pair(condition, real)), 0) + _bce(D(conditional_pair(condition, fake)), 1)) / 2


@pix2pix_d_exercise.mistake("You forgot to halve the sum, as pix2pix does.")
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
    "D was given an image without its condition. It judges pairs: D(conditional_pair(condition, image)), for both images."
)
def judges_images_alone(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    return (_bce(D(real), 1) + _bce(D(fake.detach()), 0)) / 2


@pix2pix_d_exercise.mistake(
    "D learns nothing from the fake pairs: its scores were made under no_grad, or detached. Detach the fake image alone."
)
def cuts_the_scores_off(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    return (_bce(D(conditional_pair(condition, real)), 1) + _bce(D(conditional_pair(condition, fake)).detach(), 0)) / 2


@pix2pix_d_exercise.mistake("D never sees the fake image: you paired the condition with the real one twice.")
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


@pix2pix_g_exercise.mistake(
    "For a large negative logit the sigmoid is exactly 0, and its logarithm infinite. Use the form that takes logits: "
    "softplus, logsigmoid or F.binary_cross_entropy_with_logits."
)
def takes_the_logarithm_of_a_probability(
    fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0
) -> Tensor:
    return l1_weight * F.l1_loss(fake, target) - fake_logits.sigmoid().log().mean()


def _d_by(name: str, log: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Make a pix2pix_discriminator_loss of a logarithm of probabilities."""

    def candidate(D: Any, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        real_p = D(conditional_pair(condition, real)).sigmoid()
        fake_p = D(conditional_pair(condition, fake.detach())).sigmoid()
        return -(log(real_p).mean() + log(1 - fake_p).mean()) / 2

    candidate.__name__ = name
    return candidate


def _g_by(name: str, log: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Make a pix2pix_generator_loss of a logarithm of probabilities."""

    def candidate(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
        return l1_weight * F.l1_loss(fake, target) - log(fake_logits.sigmoid()).mean()

    candidate.__name__ = name
    return candidate


def _bounded(p: Tensor) -> Tensor:
    return -F.binary_cross_entropy(p, _like(p, 1), reduction="none")


d_by_bounded = _d_by("d_by_bounded", _bounded)
d_plus_1e_12 = _d_by("d_plus_1e_12", lambda p: (p + 1e-12).log())
d_plus_1e_8 = _d_by("d_plus_1e_8", lambda p: (p + 1e-8).log())
d_plus_1e_6 = _d_by("d_plus_1e_6", lambda p: (p + 1e-6).log())
g_by_bounded = _g_by("g_by_bounded", _bounded)
g_plus_1e_12 = _g_by("g_plus_1e_12", lambda p: (p + 1e-12).log())
g_plus_1e_8 = _g_by("g_plus_1e_8", lambda p: (p + 1e-8).log())
g_plus_1e_6 = _g_by("g_plus_1e_6", lambda p: (p + 1e-6).log())
for exercise, candidates in (
    (pix2pix_d_exercise, (d_by_bounded, d_plus_1e_12, d_plus_1e_8, d_plus_1e_6)),
    (pix2pix_g_exercise, (g_by_bounded, g_plus_1e_12, g_plus_1e_8, g_plus_1e_6)),
):
    for cut in candidates:
        exercise.mistake(
            "A bound on the logarithm, or a small number in it (binary_cross_entropy has one inside), makes it finite and "
            "wrong: where the sigmoid is 0 or 1, no gradient is left. Use the form that takes logits: "
            "F.binary_cross_entropy_with_logits, or softplus."
        )(cut)


@pix2pix_g_exercise.mistake(
    "You detached the logits, so the generator does not learn from the judge. Their gradient must reach it."
)
def detaches_the_logits(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    return pix2pix_generator_loss(fake_logits.detach(), fake, target, l1_weight)


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
        return torch.cat([x, self.enlarge(self.shrink(x))], dim=1)


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


@lsgan_exercise.mistake("torch does not subtract a bool. Make a number of it first: float(is_real) is 1 or 0.")
def subtracts_a_bool(scores: Tensor, is_real: bool) -> Tensor:
    return (scores - is_real).square().mean()


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


class _Wires(NamedTuple):
    """What cyclegan_generator_loss is given, so that a mistake is one wire in another place."""

    G_ab: Any
    G_ba: Any
    D_a: Any
    D_b: Any
    a: Tensor
    b: Tensor
    cycle_weight: float = 10.0
    identity_weight: float = 5.0

    @property
    def fakes(self) -> tuple[Tensor, Tensor]:
        return self.G_ba(self.b), self.G_ab(self.a)  # fake_a, fake_b

    def prices(self, detached: bool = False) -> dict[str, list[Tensor]]:
        """Return the terms of each price, one for each direction; detached: the translations."""
        fake_a, fake_b = (fake.detach() if detached else fake for fake in self.fakes)
        return {
            "adversarial": [lsgan_loss(self.D_b(fake_b), True), lsgan_loss(self.D_a(fake_a), True)],
            "cycle": [cycle_consistency_loss(self.a, self.G_ba(fake_b)), cycle_consistency_loss(self.b, self.G_ab(fake_a))],
            "identity": [identity_loss(self.b, self.G_ab(self.b)), identity_loss(self.a, self.G_ba(self.a))],
        }

    def loss(self, detached: bool = True, /, **changed: list[Tensor]) -> Losses:
        """Return the loss and its parts, with some prices changed."""
        parts = {name: torch.stack(terms).sum() for name, terms in {**self.prices(), **changed}.items()}
        weighted = self.cycle_weight * parts["cycle"] + self.identity_weight * parts["identity"]
        loss = parts["adversarial"] + weighted
        return loss, {name: part.detach() if detached else part for name, part in parts.items()}


@cyclegan_g_exercise.mistake(
    "The discriminators are crossed: fake_b = G_ab(a) wants to pass for a b, so D_b judges it, and D_a judges fake_a."
)
def crosses_the_discriminators(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w._replace(D_a=w.D_b, D_b=w.D_a).loss()


@cyclegan_g_exercise.mistake("The generators are crossed: G_ab takes images of domain a and makes b of them. You gave it b.")
def crosses_the_generators(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w._replace(G_ab=w.G_ba, G_ba=w.G_ab).loss()


@cyclegan_g_exercise.mistake(
    "The way back uses the same generator as the way there. After G_ab comes G_ba, and the other way round."
)
def goes_on_instead_of_back(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    fake_a, fake_b = w.fakes
    return w.loss(cycle=[cycle_consistency_loss(w.a, w.G_ab(fake_b)), cycle_consistency_loss(w.b, w.G_ba(fake_a))])


@cyclegan_g_exercise.mistake(
    "You compared an image with its translation. Compare it with what comes back, after the other generator as well."
)
def forgets_the_way_back(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    fake_a, fake_b = w.fakes
    return w.loss(cycle=[cycle_consistency_loss(w.a, fake_b), cycle_consistency_loss(w.b, fake_a)])


@cyclegan_g_exercise.mistake(
    "You compared with the wrong heap. G_ba(G_ab(a)) began as a, so it is compared with a, and G_ab(G_ba(b)) with b. The "
    "identity compares G_ab(b) with b, and G_ba(a) with a."
)
def compares_with_the_wrong_heap(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    fake_a, fake_b = w.fakes
    return w.loss(cycle=[cycle_consistency_loss(w.b, w.G_ba(fake_b)), cycle_consistency_loss(w.a, w.G_ab(fake_a))])


@cyclegan_g_exercise.mistake(
    "The identity price asks the wrong generators: G_ab makes images of domain b, so b is what it should leave alone."
)
def asks_the_wrong_generator_for_the_identity(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w.loss(identity=[identity_loss(w.a, w.G_ab(w.a)), identity_loss(w.b, w.G_ba(w.b))])


@cyclegan_g_exercise.mistake("The weights are swapped: cycle_weight belongs to the cycle, identity_weight to the identity.")
def swaps_the_weights(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w._replace(cycle_weight=w.identity_weight, identity_weight=w.cycle_weight).loss()


@cyclegan_g_exercise.mistake(
    "The weights 10 and 5 stand in your code, whatever is given. Use cycle_weight and identity_weight."
)
def fixes_the_weights(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w._replace(cycle_weight=10.0, identity_weight=5.0).loss()


@cyclegan_g_exercise.mistake(
    "The parts carry their weights. Report them without, so that runs with other weights can be compared."
)
def weighs_the_parts(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    loss, parts = w.loss()
    return loss, {**parts, "cycle": w.cycle_weight * parts["cycle"], "identity": w.identity_weight * parts["identity"]}


@cyclegan_g_exercise.mistake("The parts still hang on the graph of the whole step. Detach them: they are for the log.")
def keeps_the_graph(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w.loss(False)


@cyclegan_g_exercise.mistake("The generators ask to be taken for fake. They hope for real: lsgan_loss(…, True).")
def hopes_for_fake(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    fake_a, fake_b = w.fakes
    return w.loss(adversarial=[lsgan_loss(w.D_b(fake_b), False), lsgan_loss(w.D_a(fake_a), False)])


@cyclegan_g_exercise.mistake(
    "The translations are detached, so no price reaches the generator that made them. Detach in the discriminator's loss."
)
def detaches_the_translations(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w.loss(**w.prices(detached=True))


@cyclegan_g_exercise.mistake(
    "The judges' verdict does not reach the generators: you detached the translation before D saw it. Here the generators "
    "are the ones who learn; detach in the discriminator's loss."
)
def hides_the_verdict(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w.loss(adversarial=w.prices(detached=True)["adversarial"])


@cyclegan_g_exercise.mistake(
    "On the round trip only the way back learns: you detached the translation in the middle. The way there must learn, too."
)
def breaks_the_round_trip(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w.loss(cycle=w.prices(detached=True)["cycle"])


PRICES = ("adversarial", "cycle", "identity")


def _one_way(name: str, direction: int, *prices: str) -> Callable[..., Losses]:
    """Make a candidate that has one direction alone, 0 for a to b, in some prices."""

    def candidate(*given: Any, **weights: Any) -> Losses:
        w = _Wires(*given, **weights)
        terms = w.prices()
        return w.loss(**{price: [terms[price][direction]] for price in prices})

    candidate.__name__ = name
    return candidate


def _averaged(name: str, *prices: str) -> Callable[..., Losses]:
    """Make a candidate that averages the directions in some prices."""

    def candidate(*given: Any, **weights: Any) -> Losses:
        w = _Wires(*given, **weights)
        terms = w.prices()
        return w.loss(**{price: [term / 2 for term in terms[price]] for price in prices})

    candidate.__name__ = name
    return candidate


only_ab = _one_way("only_ab", 0, *PRICES)
only_ba = _one_way("only_ba", 1, *PRICES)
only_ab_adversarial = _one_way("only_ab_adversarial", 0, "adversarial")
only_ba_adversarial = _one_way("only_ba_adversarial", 1, "adversarial")
only_ab_cycle = _one_way("only_ab_cycle", 0, "cycle")
only_ba_cycle = _one_way("only_ba_cycle", 1, "cycle")
only_ab_identity = _one_way("only_ab_identity", 0, "identity")
only_ba_identity = _one_way("only_ba_identity", 1, "identity")
averages = _averaged("averages", *PRICES)
averages_adversarial = _averaged("averages_adversarial", "adversarial")
averages_cycle = _averaged("averages_cycle", "cycle")
averages_identity = _averaged("averages_identity", "identity")
averages_cycle_and_identity = _averaged("averages_cycle_and_identity", "cycle", "identity")
for words, ab_alone, ba_alone in (
    ("each price", only_ab, only_ba),
    ("the adversarial price", only_ab_adversarial, only_ba_adversarial),
    ("the cycle price", only_ab_cycle, only_ba_cycle),
    ("the identity price", only_ab_identity, only_ba_identity),
):
    for missing, alone in (("b to a", ab_alone), ("a to b", ba_alone)):
        cyclegan_g_exercise.mistake(
            f"A direction is missing in {words}: the one from {missing}. A price is the sum of both directions."
        )(alone)
for words, averaged in (
    ("each price", averages),
    ("the adversarial price", averages_adversarial),
    ("the cycle price", averages_cycle),
    ("the identity price", averages_identity),
    ("the cycle price and the identity price", averages_cycle_and_identity),
):
    cyclegan_g_exercise.mistake(f"You halved {words}, or averaged its two directions. A price is their sum.")(averaged)


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


@cyclegan_g_exercise.style
def the_other_way_round(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    fake_a, fake_b = w.fakes
    return w.loss(
        cycle=[cycle_consistency_loss(w.G_ba(fake_b), w.a), cycle_consistency_loss(w.G_ab(fake_a), w.b)],
        identity=[identity_loss(w.G_ab(w.b), w.b), identity_loss(w.G_ba(w.a), w.a)],
    )


@cyclegan_g_exercise.style
def with_one_distance_for_both(*given: Any, **weights: Any) -> Losses:
    w = _Wires(*given, **weights)
    return w.loss(identity=[cycle_consistency_loss(w.b, w.G_ab(w.b)), cycle_consistency_loss(w.a, w.G_ba(w.a))])


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


@cyclegan_d_exercise.mistake("You forgot to halve the sum, as CycleGAN does.")
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
# What happens the moment a buffer is full needs many buffers: BUFFERS, whose second batch of three finds room for one.
IMAGES, BATCH, SIZE, BUFFERS = 4096, 8, 4, 256
WITHIN, WITHIN_AT_ONCE = (0.0, 0.12), (0.0, 0.3)
NEVER = (0.5, 0.5)  # what a right buffer never does; how often a wrong one does it is random
HABITS = {
    "the_number_of_images_that_changed_in_the_buffer": NEVER,
    "the_number_of_old_images_that_came_before_the_buffer_was_full": NEVER,
    "the_number_of_images_that_came_out_of_the_buffer_twice": NEVER,
    "the_number_of_images_that_were_shown_at_once_and_kept_all_the_same": NEVER,
    "how_often_the_first_two_images_that_find_no_room_are_exchanged": WITHIN_AT_ONCE,
    "the_share_of_old_images": WITHIN,
    "the_share_of_neighbours_with_the_same_fate": WITHIN,
    "how_often_each_place_of_the_buffer_is_used": WITHIN,
}


def _exchanges(generator: Generator) -> list[Case]:
    return [
        {"size": SIZE, "batch": BATCH, "batches": IMAGES // BATCH, "buffers": 1},
        {"size": 4, "batch": 3, "batches": 2, "buffers": BUFFERS},
    ]


def _habits(answers: dict[str, Any], size: int, batch: int, batches: int, buffers: int) -> dict[str, Any]:
    """Replay what came back against the rule, and take the shares in which a right buffer is random."""
    changed = early = twice = unkept = 0
    fates: list[bool] = []
    slots: list[int] = []
    for came in answers["the_numbers_that_came_back"].round().long().tolist():
        kept: list[int] = []
        gone: set[int] = set()
        for number, back in enumerate(came, start=1):
            if len(kept) < size:
                early += back != number
                kept.append(number)
                continue
            fates.append(back != number)
            if back in kept:
                slots.append(kept.index(back))
                kept[slots[-1]] = number
                gone.add(back)
            elif not 1 <= back <= number:
                changed += 1
            elif back != number:
                twice += back in gone
                unkept += back not in gone
    fate = torch.tensor(fates, dtype=torch.float64)
    if buffers > 1:
        return {"how_often_the_first_two_images_that_find_no_room_are_exchanged": fate.reshape(buffers, 2).mean(dim=0)}
    # With images among them that a right buffer does not hold, the places are those of another buffer: not a number.
    places = torch.bincount(torch.tensor([] if changed or twice or unkept else slots).long(), minlength=size).double()
    return {
        **dict(zip(HABITS, map(float, (changed, early, twice, unkept)), strict=False)),
        "the_share_of_old_images": float(fate.mean()),
        "the_share_of_neighbours_with_the_same_fate": float((fate[1:] == fate[:-1]).double().mean()),
        "how_often_each_place_of_the_buffer_is_used": places / places.sum(),
        "images.requires_grad": answers["images.requires_grad"],
    }


buffer_exercise = Exercise(
    ImageBuffer,
    methods=("exchange",),
    parts=[
        Part("exchange", "what comes back: new images and old ones, each with probability one half, as copies",
             probes.buffer, _exchanges, view=_habits, tolerance=HABITS),
    ],
    hints=[
        "Go through the images one by one. Is there still room? Then keep a copy, and return the image.",
        "Otherwise toss a coin for each image: heads, it is returned; tails, it changes places with a random old one.",
        "Keep image.clone(), made from images.detach(): what happens to the batch afterwards must not reach the buffer. "
        "At the end torch.stack.",
    ],
)  # fmt: skip


class _InPieces(ImageBuffer):
    """The buffer in pieces, so that a mistake is one of them."""

    def exchange(self, images: Tensor) -> Tensor:
        self.begin()
        return torch.stack([self.turn(image) for image in self.copies(images)])

    def begin(self) -> None:
        """Do what is done once a batch: nothing."""

    def copies(self, images: Tensor) -> Tensor:
        return images.detach().clone()

    def turn(self, image: Tensor) -> Tensor:
        if self.has_room():
            self.images.append(image)
            return image
        return self.swap(image) if self.tails() else image

    def has_room(self) -> bool:
        return len(self.images) < self.size

    def tails(self) -> bool:
        return bool(torch.rand(()) < 0.5)

    def place(self) -> int:
        return int(torch.randint(self.size, ()))

    def swap(self, image: Tensor) -> Tensor:
        place = self.place()
        image, self.images[place] = self.images[place], image
        return image


@buffer_exercise.mistake(
    "The buffer keeps views of the batch: when that changes, its images change too. Keep copies: .clone()."
)
class KeepsViews(_InPieces):
    def copies(self, images: Tensor) -> Tensor:
        return images.detach()


@buffer_exercise.mistake("Nothing old ever comes back: the images that you return are always the new ones.")
class ReturnsTheBatch(_InPieces):
    def tails(self) -> bool:
        return False


@buffer_exercise.mistake(
    "Once the buffer is full, every image is exchanged. Toss a coin: half of them are returned as they are."
)
class AlwaysExchanges(_InPieces):
    def tails(self) -> bool:
        return True


@buffer_exercise.mistake("You toss one coin for the whole batch. Toss one for each image.")
class TossesOnce(_InPieces):
    def begin(self) -> None:
        self.tossed = super().tails()

    def tails(self) -> bool:
        return self.tossed


@buffer_exercise.mistake(
    "An old image is returned and stays in the buffer as well: the new one never takes its place. Put it there."
)
class NeverReplaces(_InPieces):
    def swap(self, image: Tensor) -> Tensor:
        return self.images[self.place()]


@buffer_exercise.mistake(
    "An old image leaves the buffer (pop), and the new one does not go in. It must take the old one's place."
)
class NeverRefills(_InPieces):
    def swap(self, image: Tensor) -> Tensor:
        return self.images.pop(self.place())


@buffer_exercise.mistake(
    "Every new image goes into the buffer, those that are shown at once as well. Only one that changes places goes in."
)
class AlwaysReplaces(_InPieces):
    def turn(self, image: Tensor) -> Tensor:
        if self.has_room():
            return super().turn(image)
        old = self.swap(image)
        return old if self.tails() else image


TOO_MANY = "The buffer takes in more than `size` images: is there room for one more, when you put one in? "


@buffer_exercise.mistake(f"{TOO_MANY}Ask `len(self.images) < self.size`, not `<=`.")
class TakesOneTooMany(_InPieces):
    def has_room(self) -> bool:
        return len(self.images) <= self.size


@buffer_exercise.mistake(f"{TOO_MANY}Ask `len(self.images) < self.size`, not `<=`.")
class TakesAndUsesOneTooMany(TakesOneTooMany):
    def place(self) -> int:
        return int(torch.randint(len(self.images), ()))


@buffer_exercise.mistake(f"{TOO_MANY}Ask anew for each image of a batch.")
class AsksForRoomOnce(_InPieces):
    def begin(self) -> None:
        self.room = super().has_room()

    def has_room(self) -> bool:
        return self.room


@buffer_exercise.mistake(f"{TOO_MANY}Ask anew for each image of a batch.")
class AsksForRoomOnceAndUsesAll(AsksForRoomOnce):
    def place(self) -> int:
        return int(torch.randint(len(self.images), ()))


@buffer_exercise.mistake("It is always the oldest image that goes (or one fixed place). Choose a random one.")
class TakesTheFirst(_InPieces):
    def place(self) -> int:
        return 0


@buffer_exercise.mistake("The images still carry the generator's graph. Detach them: this is for the discriminator alone.")
class KeepsTheGraph(ImageBuffer):
    def exchange(self, images: Tensor) -> Tensor:
        return super().exchange(images) + 0 * images


@buffer_exercise.mistake("While the buffer fills, the image is kept and returned. You returned old ones already then.")
class ExchangesBeforeItIsFull(_InPieces):
    def turn(self, image: Tensor) -> Tensor:
        self.images.append(image)
        if self.tails() or len(self.images) > self.size:
            return self.images.pop(int(torch.randint(len(self.images), ())))
        return image


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
                "compares the pictures of two maps; so a place or two that work are good enough for all."
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
        hints=["Take a perfect translator, and swap brick and blue in it everywhere. Which loss notices?"],
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
