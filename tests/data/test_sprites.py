"""Sprites against a brute-force rendering, closed forms and geometry."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course.data.sprites import FACTORS, LIMITS, RANGES, SHAPES, render_sprites, sample_blobs, sample_sprites

SHAPE_INDICES = pytest.mark.parametrize("shape", range(len(SHAPES)), ids=SHAPES)


def sprite(**factors: float) -> Tensor:
    """Make one row of factors; what is not given is a sharp, bright ellipse in the middle."""
    values = {"shape": 0, "scale": 0.4, "rotation": 0, "x": 0, "y": 0, "brightness": 1, "softness": 0} | factors
    return torch.tensor([[values[name] for name in FACTORS]], dtype=torch.float32)


def brute_force(shape: str, scale: float, rotation: float, x: float, y: float, size: int, samples: int = 8) -> np.ndarray:
    """Share of each pixel inside the shape, by asking at samples² points of it whether they are inside (no distances)."""
    points = (np.arange(size * samples) + 0.5) / (size * samples) * 2 - 1
    px, py = np.meshgrid((points - x) / scale, (-points - y) / scale)
    u, v = np.cos(rotation) * px + np.sin(rotation) * py, -np.sin(rotation) * px + np.cos(rotation) * py
    if shape == "ellipse":
        inside = u**2 + (v / 0.6) ** 2 <= 1
    elif shape == "square":
        inside = (abs(u) <= 1) & (abs(v) <= 1)
    elif shape == "triangle":  # below both flanks of slope √3, above the base
        height = math.sqrt(3)
        inside = (v >= -height / 3) & (v <= 2 * height / 3 - height * abs(u))
    else:  # a square standing on its corner and a disc on each of its upper sides, in units of the square's diagonal
        width = 0.5 + math.sqrt(0.5)
        square_area, discs_area = 0.5, math.pi / 8
        disc_middle = 0.75 + 4 / (3 * math.pi) * math.sqrt(1 / 8) / math.sqrt(2)
        centroid = (0.5 * square_area + disc_middle * discs_area) / (square_area + discs_area)
        u, v = abs(u) * width / 2, v * width / 2 + centroid
        inside = (u + abs(v - 0.5) <= 0.5) | ((u - 0.25) ** 2 + (v - 0.75) ** 2 <= 1 / 8)
    return inside.reshape(size, samples, size, samples).mean(axis=(1, 3))


def moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Area, in units where the frame is 2 x 2, and centroid x, y of each image."""
    images = images[:, 0].double()
    size = images.shape[-1]
    points = (torch.arange(size, dtype=torch.float64) + 0.5) / size * 2 - 1
    mass = images.sum((1, 2))
    return mass * (2 / size) ** 2, (images.sum(1) * points).sum(1) / mass, -(images.sum(2) * points).sum(1) / mass


@SHAPE_INDICES
@pytest.mark.parametrize("size", [32, 64])
def test_edges_are_antialiased_like_a_supersampled_rendering(shape: int, size: int) -> None:
    rng = np.random.default_rng(shape)
    for _ in range(10):
        scale, rotation = rng.uniform(0.25, 0.4), rng.uniform(0, 2 * math.pi)
        x, y = rng.uniform(-0.35, 0.35, size=2)
        expected = brute_force(SHAPES[shape], scale, rotation, x, y, size)
        image = render_sprites(sprite(shape=shape, scale=scale, rotation=rotation, x=x, y=y), size)[0, 0].numpy()
        error = abs(image - expected)
        assert error.max() < 0.35  # at a tip of 60°, which covers 1/6 of its pixel, not the half of one edge
        assert error.mean() < 0.1 * 2 / size
        assert np.sqrt((error**2).mean()) < 0.02


@SHAPE_INDICES
def test_centroid_is_x_and_y(shape: int) -> None:
    _, factors = sample_sprites(200, torch.Generator().manual_seed(shape), shape=(shape,))
    factors[:, -1] = 0  # a soft heart or triangle has its centre of mass elsewhere
    _, x, y = moments(render_sprites(factors, 64))
    torch.testing.assert_close(x.float(), factors[:, 3], atol=0.004, rtol=0)
    torch.testing.assert_close(y.float(), factors[:, 4], atol=0.004, rtol=0)


@pytest.mark.parametrize(
    ("shape", "unit_area"),
    [
        ("ellipse", math.pi * 0.6),
        ("square", 4.0),
        ("triangle", math.sqrt(3)),
        ("heart", (0.5 + math.pi / 8) / (0.25 + math.sqrt(1 / 8)) ** 2),
    ],
)
def test_area_is_that_of_the_shape(shape: str, unit_area: float) -> None:
    scales = torch.linspace(0.2, 0.6, 30)
    factors = torch.cat([sprite(shape=SHAPES.index(shape), scale=s.item(), rotation=0.3) for s in scales])
    area, _, _ = moments(render_sprites(factors, 64))
    torch.testing.assert_close(area.float(), unit_area * scales**2, rtol=0.02, atol=0)


@SHAPE_INDICES
@pytest.mark.parametrize("softness", [0.0, 0.1, 0.6])
def test_a_quarter_turn_is_rot90(shape: int, softness: float) -> None:
    turned, upright = (
        render_sprites(sprite(shape=shape, softness=softness, x=x, y=y, rotation=r))
        for x, y, r in [(-0.1, 0.2, 0.4 + math.pi / 2), (0.2, 0.1, 0.4)]
    )
    torch.testing.assert_close(turned, torch.rot90(upright, 1, (2, 3)), atol=1e-5, rtol=0)


@SHAPE_INDICES
def test_softness_1_is_a_gaussian_whatever_the_shape(shape: int) -> None:
    image = render_sprites(sprite(shape=shape, scale=0.3, rotation=1, x=0.2, y=-0.1, brightness=0.8, softness=1))[0, 0]
    points = (np.arange(32) + 0.5) / 16 - 1
    gx, gy = np.meshgrid(points - 0.2, -points + 0.1)
    np.testing.assert_allclose(image, 0.8 * np.exp(-(gx**2 + gy**2) / (2 * 0.3**2)), atol=1e-6)


@SHAPE_INDICES
def test_softness_blurs_steadily(shape: int) -> None:
    factors = torch.cat([sprite(shape=shape, scale=0.5, rotation=0.2, softness=s / 100) for s in range(101)])
    images = render_sprites(factors, 64)
    assert (images[1:] - images[:-1]).abs().max() < 0.15  # no jump anywhere from sharp to soft
    peak = images.flatten(1).max(dim=1).values
    assert (peak > 0.99).all()


def test_the_heart_points_down_and_the_triangle_up() -> None:
    heart, triangle = render_sprites(torch.cat([sprite(shape=3), sprite(shape=2)]), 64)[:, 0]
    widths = (heart > 0.5).sum(1)[(heart > 0.5).any(1)]
    assert widths[0] > widths[-1]
    widths = (triangle > 0.5).sum(1)[(triangle > 0.5).any(1)]
    assert widths[0] < widths[-1]


def test_shapes_can_be_told_apart() -> None:
    factors = torch.cat([sprite(shape=i, scale=0.25) for i in range(len(SHAPES))])
    images = render_sprites(factors)[:, 0]
    distances = torch.cdist(images.flatten(1), images.flatten(1)) + 100 * torch.eye(len(SHAPES))
    assert distances.min() > 2


def test_one_at_a_time_equals_all_at_once() -> None:
    images, factors = sample_sprites(64, torch.Generator().manual_seed(0))
    single = torch.cat([render_sprites(row[None]) for row in factors])
    torch.testing.assert_close(single, images, atol=1e-6, rtol=0)


def test_factors_may_be_double() -> None:
    _, factors = sample_sprites(16, torch.Generator().manual_seed(0))
    torch.testing.assert_close(render_sprites(factors.double()), render_sprites(factors))


def test_a_seed_repeats_and_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    first, again = (sample_sprites(20, torch.Generator().manual_seed(3)) for _ in range(2))
    other = sample_sprites(20, torch.Generator().manual_seed(4))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_default_sprites_fill_their_ranges_and_stay_inside_the_frame() -> None:
    images, factors = sample_sprites(8000, torch.Generator().manual_seed(0))
    for name, (low, high) in RANGES.items():
        uniform = (factors[:, FACTORS.index(name)] - low) / (high - low)
        assert 0 <= uniform.min() < 0.01
        assert 0.99 < uniform.max() <= 1
        assert abs(uniform.mean() - 0.5) < 6 / math.sqrt(12 * 8000)
    assert torch.equal(factors[:, 0].unique(), torch.arange(4.0))
    correlation = torch.corrcoef(factors.T) - torch.eye(len(FACTORS))
    assert correlation.abs().max() < 6 / math.sqrt(8000)
    border = torch.cat([images[..., 0], images[..., -1], images[..., 0, :], images[..., -1, :]], dim=-1)
    assert border.max() < 0.05


def test_a_range_changes_its_factor_only() -> None:
    _, default = sample_sprites(50, torch.Generator().manual_seed(0))
    _, changed = sample_sprites(50, torch.Generator().manual_seed(0), x=(0.5, 0.6), shape=(1, 3))
    assert ((changed[:, 3] >= 0.5) & (changed[:, 3] <= 0.6)).all()
    assert set(changed[:, 0].tolist()) == {1, 3}
    assert torch.equal(changed[:, [1, 2, 4, 5, 6]], default[:, [1, 2, 4, 5, 6]])


def test_blobs_are_the_closed_form() -> None:
    images, blobs = sample_blobs(40, torch.Generator().manual_seed(0), size=48)
    assert images.shape == (40, 1, 48, 48)
    assert blobs.shape == (40, 3)
    points = (np.arange(48) + 0.5) / 24 - 1
    for image, (x, y, scale) in zip(images, blobs.numpy(), strict=True):
        gx, gy = np.meshgrid(points - x, -points - y)
        np.testing.assert_allclose(image[0], np.exp(-(gx**2 + gy**2) / (2 * scale**2)), atol=1e-6)
    for column, (low, high) in zip(blobs.T, [(-0.6, 0.6), (-0.3, 0.3), (0.2, 0.4)], strict=True):
        assert low <= column.min() < column.max() <= high


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(*(st.integers(*LIMITS["shape"]) if n == "shape" else st.floats(*LIMITS[n]) for n in FACTORS))),
    st.integers(1, 40),
)
def test_any_factors_within_limits_give_an_image(rows: list[tuple[float, ...]], size: int) -> None:
    factors = torch.tensor(rows, dtype=torch.float64).reshape(-1, len(FACTORS))
    images = render_sprites(factors, size)
    assert images.shape == (len(rows), 1, size, size)
    assert images.dtype == torch.float32
    assert torch.isfinite(images).all()
    assert ((images >= 0) & (images <= factors[:, 5, None, None, None].float())).all()


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        (torch.zeros(7), ["(7,)", "(B, 7)", "factors[None]"]),
        (torch.zeros(2, 6), ["(2, 6)", "(B, 7)"]),
        (sprite(shape=4), ["shape of sprite 0 is 4", "heart", "0 to 3"]),
        (sprite(shape=1.5), ["shape", "1.5", "whole"]),
        (sprite(scale=0), ["scale", "0.01"]),
        (sprite(brightness=1.1), ["brightness", "1.1", "0 to 1"]),
        (sprite(softness=-0.1), ["softness", "-0.1"]),
        (sprite(x=math.nan), ["x of sprite 0 is nan"]),
        (sprite(rotation=math.inf), ["rotation", "inf"]),
    ],
)
def test_impossible_factors_are_named(factors: Tensor, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        render_sprites(factors)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"colour": (0, 1)}, "colour: no such factor"),
        ({"x": (0.5, -0.5)}, "x="),
        ({"y": (0.0,)}, "y="),
        ({"scale": (0.1, math.nan)}, "scale="),
        ({"shape": ()}, "shape="),
        ({"shape": (9,)}, "shape of sprite"),
        ({"size": 0}, "size 0"),
    ],
)
def test_impossible_ranges_are_named(arguments: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        sample_sprites(2, **arguments)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_draws_the_same() -> None:
    images, factors = sample_sprites(100, torch.Generator("cuda").manual_seed(0))
    assert images.device.type == factors.device.type == "cuda"
    torch.testing.assert_close(images.cpu(), render_sprites(factors.cpu()), atol=1e-4, rtol=0)
