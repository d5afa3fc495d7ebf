"""Small encoders and decoders that the labs share. Each is a plain nn.Sequential, so that print(network) shows all of it."""

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
