"""Networks that the labs share: small encoders and decoders, and the generators and discriminators of image translation.

Most are a plain nn.Sequential, so that print(network) shows all of it.
"""

from collections.abc import Callable
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

ImageShape = tuple[int, int, int]


def mlp_encoder(in_shape: ImageShape, out_features: int, hidden: int = 128) -> nn.Sequential:
    """Map images (B, C, H, W) of in_shape (C, H, W) to (B, out_features) by two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(prod(in_shape), hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, out_features),
    )


def mlp_decoder(latent_dim: int, out_shape: ImageShape, hidden: int = 128) -> nn.Sequential:
    """Map codes (B, latent_dim) to (B, C, H, W) of out_shape (C, H, W) by two hidden layers."""
    return nn.Sequential(
        nn.Linear(latent_dim, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, prod(out_shape)),
        nn.Unflatten(1, out_shape),
    )


def conv_encoder(in_shape: ImageShape, out_features: int, width: int = 32) -> nn.Sequential:
    """Map images (B, C, H, W) to (B, out_features); three strided convolutions, so H and W are multiples of 8.

    Raises ValueError if they are not.
    """
    channels, height, width_px = in_shape
    _require_multiple_of_8(in_shape)
    return nn.Sequential(
        nn.Conv2d(channels, width, 4, stride=2, padding=1),  # H / 2
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # H / 4
        nn.ReLU(),
        nn.Conv2d(2 * width, 2 * width, 4, stride=2, padding=1),  # H / 8
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * (height // 8) * (width_px // 8), out_features),
    )


def conv_decoder(latent_dim: int, out_shape: ImageShape, width: int = 32) -> nn.Sequential:
    """Map codes (B, latent_dim) to (B, C, H, W), the mirror image of conv_encoder.

    Raises ValueError if H or W is not a multiple of 8.
    """
    channels, height, width_px = out_shape
    _require_multiple_of_8(out_shape)
    return nn.Sequential(
        nn.Linear(latent_dim, 2 * width * (height // 8) * (width_px // 8)),
        nn.Unflatten(1, (2 * width, height // 8, width_px // 8)),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, 2 * width, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
    )


def _require_multiple_of_8(shape: ImageShape) -> None:
    _, height, width = shape
    if height % 8 or width % 8:
        raise ValueError(f"the image shape {shape} must have height and width that are multiples of 8; pad or resize it")


def patch_discriminator(
    in_channels: int, width: int = 64, layers: int = 3, norm: type[nn.Module] = nn.InstanceNorm2d
) -> nn.Sequential:
    """Judge each patch of an image by itself: (B, in_channels, H, W) -> scores (B, 1, h, w).

    With three layers of stride 2 a score sees 70 x 70 pixels, with two 34 x 34. norm: nn.InstanceNorm2d (CycleGAN) or
    nn.BatchNorm2d (pix2pix). Source: Isola et al. (2017), section 6.1.2.
    """
    bias = norm is not nn.BatchNorm2d  # which has a bias of its own
    found: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    channels = width
    for layer in range(1, layers + 1):
        wider = width * min(2**layer, 8)
        stride = 2 if layer < layers else 1
        found += [nn.Conv2d(channels, wider, 4, stride=stride, padding=1, bias=bias), norm(wider), nn.LeakyReLU(0.2)]
        channels = wider
    return nn.Sequential(*found, nn.Conv2d(channels, 1, 4, padding=1))


class ResNetBlock(nn.Module):
    """Add a correction to an image of features: x + two 3 x 3 convolutions of it (He et al., 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.correction = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the same shape."""
        return x + self.correction(x)


def resnet_generator(in_channels: int, out_channels: int, width: int = 64, blocks: int = 9) -> nn.Sequential:
    """Translate images (B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1]; H and W are multiples of 4.

    Shrinks twice, passes `blocks` ResNet blocks, enlarges twice. Source: Zhu et al. (2017), section 7.2; 9 blocks for
    256 pixels, 6 for 128.
    """
    shrink = [
        layer
        for channels in (width, 2 * width)
        for layer in (nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * channels), nn.ReLU())
    ]
    enlarge = [
        layer
        for channels in (4 * width, 2 * width)
        for layer in (
            nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1),
            nn.InstanceNorm2d(channels // 2),
            nn.ReLU(),
        )
    ]
    return nn.Sequential(
        nn.ReflectionPad2d(3), nn.Conv2d(in_channels, width, 7), nn.InstanceNorm2d(width), nn.ReLU(),
        *shrink,
        *(ResNetBlock(4 * width) for _ in range(blocks)),
        *enlarge,
        nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), nn.Tanh(),
    )  # fmt: skip


def small_translator(in_channels: int, out_channels: int, width: int = 16, blocks: int = 3) -> nn.Sequential:
    """Translate small images (B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1]; H and W are even.

    The idea of resnet_generator at a size for 32 pixels and a CPU: it shrinks once, and enlarges by PixelShuffle.
    """
    return nn.Sequential(
        nn.ReflectionPad2d(2), nn.Conv2d(in_channels, width, 5), nn.InstanceNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.InstanceNorm2d(2 * width), nn.ReLU(),
        *(ResNetBlock(2 * width) for _ in range(blocks)),
        nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.InstanceNorm2d(width), nn.ReLU(),
        nn.ReflectionPad2d(2), nn.Conv2d(width, out_channels, 5), nn.Tanh(),
    )  # fmt: skip


class UNet(nn.Module):
    """Translate images (B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1], with skips from each size to itself.

    block: the class of one level, such as translation.UNetBlock(outer, inner, below, dropout). downs: how often the image is
    halved, so H and W are multiples of 2**downs; 8 for 256 pixels. Source: Isola et al. (2017), section 6.1.1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        block: Callable[..., nn.Module],
        width: int = 64,
        downs: int = 8,
        dropout: float = 0.0,
    ) -> None:
        """Build it. Raises ValueError for fewer than 2 downs."""
        super().__init__()
        if downs < 2:
            raise ValueError(f"downs is {downs}, and must be at least 2")
        channels = [width * min(2**level, 8) for level in range(downs)]
        level: nn.Module | None = None
        for number in range(downs - 1, 0, -1):  # from the bottom up
            has_dropout = channels[number - 1] == channels[number] and level is not None
            level = block(channels[number - 1], channels[number], level, dropout if has_dropout else 0.0)
        self.shrink = nn.Conv2d(in_channels, width, 4, stride=2, padding=1, bias=False)
        self.levels = level
        self.enlarge = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(2 * width, out_channels, 4, stride=2, padding=1), nn.Tanh()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Translate images."""
        assert self.levels is not None
        images: Tensor = self.enlarge(self.levels(self.shrink(x)))
        return images


def image_generator(in_features: int, out_shape: ImageShape, widths: tuple[int, ...] = (64, 32, 24, 16)) -> nn.Sequential:
    """Map noise (B, in_features), with labels or without, to images (B, C, H, W) in [-1, 1], from 4 x 4 upwards.

    widths: the channels at 4 x 4, 8 x 8, ... pixels, so H and W are 4 · 2^(len(widths) − 1). Each doubling repeats the
    pixels and then convolves, which leaves less of a chequered grain (Odena et al., 2016). With batch norm.
    Raises ValueError if the image has another size.
    """
    channels, height, width = out_shape
    side = 4 * 2 ** (len(widths) - 1)
    if (height, width) != (side, side):
        raise ValueError(f"{len(widths)} widths make images of {side} x {side} pixels, not {height} x {width}")
    layers: list[nn.Module] = [
        nn.Linear(in_features, 16 * widths[0]),
        nn.Unflatten(1, (widths[0], 4, 4)),
        nn.BatchNorm2d(widths[0]),
        nn.LeakyReLU(0.2),
    ]
    for before, after in pairwise(widths):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
        layers += [nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, padding=1), nn.Tanh())


def image_discriminator(in_shape: ImageShape, widths: tuple[int, ...] = (16, 32, 64)) -> nn.Sequential:
    """Map images (B, C, H, W), with label maps or without, to a logit each, (B, 1); every layer halves the image.

    Raises ValueError if H or W is not a multiple of 2^len(widths). Without batch norm, so that the R1 penalty of an image is
    its own.
    """
    channels, height, width = in_shape
    scale = 2 ** len(widths)
    if height % scale or width % scale:
        raise ValueError(f"the image shape {in_shape} must have height and width that are multiples of {scale}")
    layers: list[nn.Module] = []
    for before, after in pairwise((channels, *widths)):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * (height // scale) * (width // scale), 1))


class PassOnTheMaps(nn.Module):
    """A generator of images (B, C, H, W) that joins to each the maps of the labels that came, as one-hot, after its noise.

    body: maps noise and labels (B, noise + n) to images. So its fakes can be shown to a discriminator that asks for labels.
    """

    def __init__(self, body: nn.Module, noise: int = 64) -> None:
        super().__init__()
        self.body, self.noise = body, noise

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, noise + n) to (B, C + n, H, W)."""
        image = self.body(z)
        labels = z[:, self.noise :, None, None]
        return torch.cat([image, labels.expand(-1, -1, *image.shape[2:])], dim=1)
