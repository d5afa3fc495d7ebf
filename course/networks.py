"""Small encoders and decoders that the labs share. Each is a plain nn.Sequential, so that print(network) shows all of it."""

from itertools import pairwise
from math import prod

from torch import nn

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
