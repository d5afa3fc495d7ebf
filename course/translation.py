"""Translating images: pix2pix (Isola et al., 2017), which has pairs, and CycleGAN (Zhu et al., 2017), which has none.

Read it from top to bottom: what pix2pix's two networks pay, a block of its generator, then CycleGAN's prices one by one,
its whole loss, and the buffer that keeps its discriminators steady. Images are (B, C, H, W) in [-1, 1]. A discriminator
gives a score for each patch of an image, (B, 1, h, w); high means real. All losses are scalars.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ToImages = Callable[[Tensor], Tensor]  # a generator: images of one domain (B, C, H, W) -> images of the other
ToScores = Callable[[Tensor], Tensor]  # a discriminator: images (B, C, H, W) -> scores (B, 1, h, w), high = real


# ------------------------------------------------------------------------------------------------------- with pairs


def conditional_pair(condition: Tensor, image: Tensor) -> Tensor:
    """Join what was asked and what was given: pix2pix's discriminator judges the two together.

    condition: (B, K, H, W). image: (B, C, H, W). Returns (B, K + C, H, W), the condition's channels first.
    Raises ValueError unless B, H and W agree. Source: Isola et al. (2017), section 3.1.
    """
    if (
        condition.ndim != 4
        or image.ndim != 4
        or condition.shape[::2] != image.shape[::2]
        or condition.shape[3] != image.shape[3]
    ):
        raise ValueError(f"condition {tuple(condition.shape)} and image {tuple(image.shape)} may differ in channels alone")
    ### BEGIN SOLUTION
    return torch.cat([condition, image], dim=1)
    ### END SOLUTION


def pix2pix_discriminator_loss(D: ToScores, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """Compute what the discriminator pays for taking real pairs for fake ones, and fake pairs for real ones.

    D gives logits. condition: (B, K, H, W). real, fake: (B, C, H, W). Returns half the sum of the two cross-entropies, each
    averaged over images and patches. No gradient reaches the generator that made `fake`.
    Source: Isola et al. (2017), equation 1; halved as in their section 3.3, "which slows down the rate at which D learns".
    """
    ### BEGIN SOLUTION
    real_logits = D(conditional_pair(condition, real))
    fake_logits = D(conditional_pair(condition, fake.detach()))
    # −log D(real) = softplus(−logit), −log(1 − D(fake)) = softplus(logit)
    return 0.5 * (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean())
    ### END SOLUTION


def pix2pix_generator_loss(fake_logits: Tensor, fake: Tensor, target: Tensor, l1_weight: float = 100.0) -> Tensor:
    """Compute what the generator pays: for not being taken for real, and for being far from the true counterpart.

    fake_logits: the discriminator's, for (condition, fake): any shape. fake, target: (B, C, H, W).
    Returns mean −log D + l1_weight · mean |fake − target|. Raises ValueError if fake and target differ in shape.
    Source: Isola et al. (2017), equation 4.
    """
    if fake.shape != target.shape:
        raise ValueError(f"fake {tuple(fake.shape)} and target {tuple(target.shape)} must have the same shape (B, C, H, W)")
    ### BEGIN SOLUTION
    return F.softplus(-fake_logits).mean() + l1_weight * (fake - target).abs().mean()
    ### END SOLUTION


class UNetBlock(nn.Module):
    """One level of a U-Net: shrink the image, let the levels below work on it, enlarge it, and lay the original beside it.

    x: (B, outer, H, W) -> (B, 2 · outer, H, W): first the channels of x, which skip everything, then what came up from
    below. inner: the channels after shrinking. below: the level below, (B, inner, H/2, W/2) -> (B, 2 · inner, H/2, W/2),
    or None at the bottom. Source: Isola et al. (2017), section 6.1.1.
    """

    def __init__(self, outer: int, inner: int, below: nn.Module | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        norm = [] if below is None else [nn.BatchNorm2d(inner)]  # at the bottom one pixel may be left: nothing to average
        self.shrink = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=False), *norm)
        self.below = below
        from_below = inner if below is None else 2 * inner
        self.enlarge = nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(from_below, outer, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outer),
            *([nn.Dropout(dropout)] if dropout else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shrink x, go below, enlarge, and join x with the result."""
        ### BEGIN SOLUTION
        small = self.shrink(x)
        if self.below is not None:
            small = self.below(small)
        return torch.cat([x, self.enlarge(small)], dim=1)  # [skip, upsampled]
        ### END SOLUTION


# ---------------------------------------------------------------------------------------------------- without pairs


def lsgan_loss(scores: Tensor, is_real: bool) -> Tensor:
    """Compute how far scores are from what they should be, 1 for real and 0 for fake: the mean squared distance.

    scores: any shape. Source: Mao et al. (2017), equation 9, without its factor ½.
    """
    ### BEGIN SOLUTION
    return (scores - (1.0 if is_real else 0.0)).square().mean()
    ### END SOLUTION


def cycle_consistency_loss(real: Tensor, reconstructed: Tensor) -> Tensor:
    """Compute how far an image is from itself after the way there and back: the mean absolute difference.

    real, reconstructed: (B, C, H, W). Raises ValueError if the shapes differ. Source: Zhu et al. (2017), equation 2.
    """
    if real.shape != reconstructed.shape:
        raise ValueError(f"real {tuple(real.shape)} and reconstructed {tuple(reconstructed.shape)} must have the same shape")
    ### BEGIN SOLUTION
    return (reconstructed - real).abs().mean()
    ### END SOLUTION


def identity_loss(real: Tensor, mapped: Tensor) -> Tensor:
    """Compute how much a generator changes an image that is already in its target domain: the mean absolute difference.

    real, mapped: (B, C, H, W). Raises ValueError if the shapes differ. Source: Zhu et al. (2017), section 5.2.
    """
    if real.shape != mapped.shape:
        raise ValueError(f"real {tuple(real.shape)} and mapped {tuple(mapped.shape)} must have the same shape")
    ### BEGIN SOLUTION
    return (mapped - real).abs().mean()
    ### END SOLUTION


def cyclegan_generator_loss(
    G_ab: ToImages,
    G_ba: ToImages,
    D_a: ToScores,
    D_b: ToScores,
    a: Tensor,
    b: Tensor,
    cycle_weight: float = 10.0,
    identity_weight: float = 5.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute what both generators pay together, from one batch of each domain; the two have nothing to do with each other.

    G_ab maps domain a to domain b, G_ba back; D_a and D_b tell real images of their domain. a, b: (B, C, H, W).
    Returns (loss, parts): adversarial + cycle_weight · cycle + identity_weight · identity, and these three by name, without
    their weights and detached. Each is the sum of both directions. Source: Zhu et al. (2017), equation 3 and section 5.2.
    """
    ### BEGIN SOLUTION
    fake_b, fake_a = G_ab(a), G_ba(b)
    parts = {
        "adversarial": lsgan_loss(D_b(fake_b), True) + lsgan_loss(D_a(fake_a), True),
        "cycle": cycle_consistency_loss(a, G_ba(fake_b)) + cycle_consistency_loss(b, G_ab(fake_a)),
        "identity": identity_loss(b, G_ab(b)) + identity_loss(a, G_ba(a)),
    }
    loss = parts["adversarial"] + cycle_weight * parts["cycle"] + identity_weight * parts["identity"]
    return loss, {name: part.detach() for name, part in parts.items()}
    ### END SOLUTION


def cyclegan_discriminator_loss(D: ToScores, real: Tensor, fake: Tensor) -> Tensor:
    """Compute what one discriminator pays: half the sum of its prices for real images and for fake ones.

    real, fake: (B, C, H, W), with a B of their own. No gradient reaches the generator that made `fake`.
    Source: Zhu et al. (2017), section 4; halved as there.
    """
    ### BEGIN SOLUTION
    return 0.5 * (lsgan_loss(D(real), True) + lsgan_loss(D(fake.detach()), False))
    ### END SOLUTION


class ImageBuffer:
    """Remembers up to `size` translated images, so that a discriminator meets old ones too and does not forget them.

    Source: Shrivastava et al. (2017), as used by Zhu et al. (2017), section 4, with size 50.
    """

    def __init__(self, size: int) -> None:
        """Make an empty buffer. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"size is {size}, and must be at least 1")
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, images: Tensor) -> Tensor:
        """Give the discriminator a batch: new images and old ones.

        images: (B, C, H, W). Returns (B, C, H, W), detached copies. One image after the other: as long as the buffer is not
        full, keep a copy and return the image; then, with probability ½ return the image, else return a random one of
        the buffer and put the image into its place.
        """
        ### BEGIN SOLUTION
        chosen = []
        for image in images.detach().clone():  # a copy: later changes to the batch must not reach the buffer
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                image, self.images[place] = self.images[place], image
            chosen.append(image)
        return torch.stack(chosen)
        ### END SOLUTION
