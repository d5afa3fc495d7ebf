"""Sprites: small grey images of one shape each, drawn from factors that are therefore known.

Read it from top to bottom: how far a point is from the edge of each shape, how bright it is there, and how to draw many
sprites, given or random. Dimensions: B images of H x W pixels, H = W = size. The frame runs from −1 to 1 in x
(rightwards) and in y (upwards).
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from course.data.factors import check_factors

FACTORS = ("shape", "scale", "rotation", "x", "y", "brightness", "softness")
SHAPES = ("ellipse", "square", "triangle", "heart")
# What render_sprites accepts, and what sample_sprites draws from by default.
LIMITS = {
    "shape": (0, len(SHAPES) - 1),
    "scale": (0.01, 10),
    "rotation": (-1000, 1000),
    "x": (-10, 10),
    "y": (-10, 10),
    "brightness": (0, 1),
    "softness": (0, 1),
}
RANGES = {
    "scale": (0.25, 0.4),
    "rotation": (0.0, 2 * math.pi),
    "x": (-0.35, 0.35),
    "y": (-0.35, 0.35),
    "brightness": (0.5, 1.0),
    "softness": (0.0, 0.15),
}


def ellipse(u: Tensor, v: Tensor) -> Tensor:
    """Measure the distance to an ellipse with half-axes 1 and 0.6; exact to first order near the edge."""
    q = torch.hypot(u, v / 0.6).clamp_min_(1e-6)
    return (q - 1) * q / torch.hypot(u, v / 0.36).clamp_min_(1e-6)  # (q − 1) / |∇q|


def square(u: Tensor, v: Tensor) -> Tensor:
    """Measure the distance to the nearest of the four edge lines of a square with half-side 1."""
    return torch.maximum(u.abs(), v.abs()) - 1


def triangle(u: Tensor, v: Tensor) -> Tensor:
    """Measure the distance to the nearest edge line of an equilateral triangle: base 2, centroid at 0, apex up."""
    flanks = u.abs() * (math.sqrt(3) / 2) + v / 2
    return torch.maximum(flanks, -v) - 1 / math.sqrt(3)


def heart(u: Tensor, v: Tensor) -> Tensor:
    """Measure the distance to a heart: a square on its tip with two half discs, half-width 1, centroid at 0.

    Source: Quilez, "2D distance functions", sdHeart, which has its tip at the origin and its centroid at (0, 0.6567).
    """
    half_width = 0.25 + math.sqrt(2) / 4
    u, v = u.abs() * half_width, v * half_width + 0.6567
    disc = torch.hypot(u - 0.25, v - 0.75) - math.sqrt(2) / 4
    along = (u + v).clamp_min_(0) / 2
    flank = torch.hypot(u - along, v - along)
    notch = torch.hypot(u, v - 1)  # where the two discs meet
    rest = torch.copysign(torch.minimum(flank, notch), u - v)
    return torch.where(u + v > 1, disc, rest) / half_width


DISTANCES = (ellipse, square, triangle, heart)  # in the order of SHAPES; in units of the scale, negative inside


def shade(distance: Tensor, radius: Tensor, scale: Tensor, softness: Tensor) -> Tensor:
    """Turn the distances from edge and centre, (B, H, W) in units of the scale, into a brightness in [0, 1].

    scale, softness: (B, 1, 1). The fall-off is a Gaussian of standard deviation softness · scale that begins at the
    edge for softness → 0 and at the centre for softness 1: there every shape has become exp(−radius² / 2).
    """
    pixel = 2 / distance.shape[-1]
    sharp = (0.5 - distance * (scale / pixel)).clamp_(0, 1)  # the share of the pixel that lies inside
    if not softness.any():
        return sharp
    past = torch.lerp(distance, radius, softness).clamp_min_(0)
    exponent = past.div_(softness.clamp_min(1e-3)).square_().mul_(-0.5 / math.log(2))
    soft = exponent.exp2_()  # torch spreads exp over all cores even for a chunk this small, and waits; exp2 it does not
    return torch.lerp(sharp, soft, (8 * softness).clamp_max_(1))  # a fall-off within a pixel would alias


def render_sprites(factors: Tensor, size: int = 32) -> Tensor:
    """Draw one anti-aliased sprite for each row of factors.

    factors: (B, 7), columns as in FACTORS: shape, an index into SHAPES; scale, half the shape's width; rotation,
    counter-clockwise in radians; (x, y), its centroid; brightness, the highest value, in [0, 1]; softness from 0, a
    sharp edge, to 1, the blob brightness · exp(−r² / (2 scale²)) whatever the shape.
    Returns (B, 1, size, size), float32 in [0, 1]. Raises ValueError for another shape and for factors beyond LIMITS.
    """
    check_factors(factors, size, LIMITS, "sprite", SHAPES)
    factors = factors.detach().float()
    images = torch.empty(len(factors), size, size, device=factors.device)
    centres = (2 * torch.arange(size, device=factors.device) + 1) / size - 1  # of the pixels
    # In small chunks a CPU works on one core and within its cache, which is faster than waiting for its other cores.
    chunk = max(1, (2**14 if factors.device.type == "cpu" else 2**24) // size**2)
    for index, measure in enumerate(DISTANCES):
        for rows in (factors[:, 0] == index).nonzero().squeeze(1).split(chunk):
            _, scale, rotation, x, y, brightness, softness = factors[rows, :, None].unbind(1)  # each (b, 1)
            right, up = (centres - x) / scale, (-centres - y) / scale  # (b, W) and (b, H), seen from the centroid
            cos, sin = rotation.cos(), rotation.sin()
            u = (cos * right)[:, None, :] + (sin * up)[:, :, None]  # (b, H, W), along the sprite's own axes
            v = (-sin * right)[:, None, :] + (cos * up)[:, :, None]
            profile = shade(measure(u, v), torch.hypot(u, v), scale[:, :, None], softness[:, :, None])
            images.index_copy_(0, rows, profile.mul_(brightness[:, :, None]))
    return images[:, None]


def uniform(n: int, ranges: Mapping[str, Sequence[float]], generator: Generator | None = None) -> Tensor:
    """Draw n rows with one uniform number for each range (lowest, highest): (n, K), on the generator's device.

    Raises ValueError, with the range's name, unless lowest <= highest.
    """
    for name, bounds in ranges.items():
        if len(bounds) != 2 or not -math.inf < bounds[0] <= bounds[1] < math.inf:
            raise ValueError(f"{name}={bounds} must be a range: (lowest, highest), or (value, value) to hold it still")
    device = generator.device if generator is not None else None
    low, high = torch.tensor(list(ranges.values()), dtype=torch.float32, device=device).T
    return torch.lerp(low, high, torch.rand(n, len(ranges), generator=generator, device=device))


def sample_sprites(
    n: int, generator: Generator | None = None, size: int = 32, **ranges: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Draw n random sprites, each factor uniform over a range and independent of the others.

    ranges: replace those in RANGES, as in `x=(-0.6, 0.6)`; `shape=(0, 3)` is a choice of shapes, by default all. For
    the same seed the other factors stay as they are. With the default ranges sprites stay inside the frame.
    Returns images (n, 1, size, size), float32 in [0, 1], and factors (n, 7), on the generator's device.
    Raises ValueError for an unknown factor or an impossible range.
    """
    if unknown := sorted(ranges.keys() - set(FACTORS)):
        raise ValueError(f"{', '.join(unknown)}: no such factor; give ranges for some of {', '.join(FACTORS)}")
    shapes = ranges.pop("shape", range(len(SHAPES)))
    if not shapes:
        raise ValueError(f"shape={shapes} must name at least one shape, by its index into {', '.join(SHAPES)}")
    factors = uniform(n, {"shape": (0, len(shapes)), **RANGES, **ranges}, generator)
    factors[:, 0] = torch.tensor(shapes, dtype=torch.float32, device=factors.device)[factors[:, 0].long()]
    return render_sprites(factors, size), factors


def sample_blobs(
    n: int,
    generator: Generator | None = None,
    size: int = 32,
    x: Sequence[float] = (-0.6, 0.6),
    y: Sequence[float] = (-0.3, 0.3),
    scale: Sequence[float] = (0.2, 0.4),
) -> tuple[Tensor, Tensor]:
    """Draw n images of one Gaussian blob each, exp(−r² / (2 scale²)), with only its centre and its width at random.

    Returns images (n, 1, size, size), float32 in [0, 1], and factors (n, 3), columns x, y, scale, uniform over the
    given ranges, on the generator's device. Raises ValueError for an impossible range.
    """
    blobs = uniform(n, {"x": x, "y": y, "scale": scale}, generator)
    factors = blobs.new_zeros(n, len(FACTORS))  # shape and rotation 0: they do not show
    factors[:, [3, 4, 1]] = blobs
    factors[:, 5:] = 1  # brightness and softness
    return render_sprites(factors, size), blobs
