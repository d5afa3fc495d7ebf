"""Glyphs against outlines filled point by point, and what a data set must be: whole, labelled, repeatable."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import get_data_path
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from course.data.glyphs import FACTORS, FONTS, GLYPHS, render_templates, sample_glyphs

STILL = {"rotation": (0, 0), "shift": (0, 0), "scale": (1, 1), "shear": (0, 0)}


def outline(character: str, font: str) -> list[np.ndarray]:
    """Closed polygons of a character, at font size 100."""
    properties = FontProperties(fname=f"{get_data_path()}/fonts/ttf/{font}.ttf")
    return TextPath((0, 0), character, size=100, prop=properties).to_polygons()


def corners(character: str, font: str) -> np.ndarray:
    return np.concatenate(outline(character, font))


def brute_force(character: str, characters: str, font: str, factors: dict[str, float], size: int) -> np.ndarray:
    """Share of each pixel inside the outline, asking at 8 x 8 points of it."""
    longest = max(np.ptp(corners(c, font), axis=0).max() for c in characters)
    middle = (corners(character, font).max(0) + corners(character, font).min(0)) / 2
    turn = factors["rotation"]
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = factors["scale"] * rotation @ np.array([[1, factors["shear"]], [0, 1]]) * (2 * 20 / 28 / longest)
    points = (np.arange(size * 8) + 0.5) / (size * 8) * 2 - 1
    grid = np.stack(np.meshgrid(points, -points), axis=-1).reshape(-1, 2)
    inside = np.zeros(len(grid), dtype=bool)
    for polygon in outline(character, font):  # a hole is inside two outlines
        moved = (polygon - middle) @ matrix.T + [factors["x"], factors["y"]]
        inside ^= Path(moved).contains_points(grid)
    return inside.reshape(size, 8, size, 8).mean(axis=(1, 3))


@pytest.mark.parametrize("characters", [GLYPHS, "AbgQ&"])
@pytest.mark.parametrize("size", [28, 48])
def test_glyphs_are_the_fonts_outlines_under_the_stated_map(characters: str, size: int) -> None:
    images, labels, factors = sample_glyphs(12, torch.Generator().manual_seed(size), size, characters)
    for image, label, row in zip(images[:, 0].numpy(), labels, factors, strict=True):
        named = dict(zip(FACTORS, row.tolist(), strict=True))
        expected = brute_force(characters[label], characters, FONTS[int(row[0])], named, size)
        assert abs(image - expected).mean() < 0.02
        assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.97


def test_default_glyphs_are_whole() -> None:
    images, labels, factors = sample_glyphs(3000, torch.Generator().manual_seed(0))
    border = torch.cat([images[..., 0], images[..., -1], images[..., 0, :], images[..., -1, :]], dim=-1)
    assert border.max() < 0.3  # the soft rim of a glyph may reach the outermost pixels, its ink does not
    ink = render_templates().mean((2, 3))[factors[:, 0].long(), labels]
    scale = factors[:, FACTORS.index("scale")]
    # Rotation, shear and shift keep the area of the ink, scale changes it: what is missing was cut off.
    torch.testing.assert_close(images.mean((1, 2, 3)), ink * scale**2, rtol=0.05, atol=0)


def test_glyphs_are_crisp() -> None:
    images, _, _ = sample_glyphs(500, torch.Generator().manual_seed(0))
    assert (images.flatten(1).max(dim=1).values > 0.8).all()
    grey = ((images > 0.1) & (images < 0.9)).float().mean()
    assert grey < 1.5 * (images > 0.9).float().mean() + 0.1


def test_templates_are_centred_in_proportion_and_kept() -> None:
    templates = render_templates("1i", 28, ("DejaVuSans",))
    assert templates is render_templates("1i", 28, ("DejaVuSans",))
    heights = []
    for template in templates[0]:
        for occupied in ((template > 0.5).any(0), (template > 0.5).any(1)):
            where = occupied.nonzero()[:, 0]
            assert abs((where[0] + where[-1]).item() - (len(occupied) - 1)) <= 2
        heights.append((where[-1] - where[0] + 1).item() / len(occupied))
    outlines = [np.ptp(corners(c, "DejaVuSans"), axis=0)[1] for c in "1i"]
    assert heights[0] / heights[1] == pytest.approx(outlines[0] / outlines[1], rel=0.03)
    assert max(heights) == pytest.approx(20 / 28, rel=0.03)


def test_labels_fonts_and_factors_are_uniform_and_independent() -> None:
    _, labels, factors = sample_glyphs(5000, torch.Generator().manual_seed(0), size=8)
    assert labels.dtype == torch.int64
    for column, classes in ((labels, len(GLYPHS)), (factors[:, 0].long(), len(FONTS))):
        shares = torch.bincount(column, minlength=classes) / 5000
        assert (shares - 1 / classes).abs().max() < 6 * (1 / classes / 5000) ** 0.5
    limits = [(-0.2, 0.2), (-0.1, 0.1), (-0.1, 0.1), (0.8, 1.0), (-0.15, 0.15)]
    for column, (low, high) in zip(factors[:, 1:].T, limits, strict=True):
        assert low <= column.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < column.max() <= high
    both = torch.cat([labels[:, None].float(), factors], dim=1)
    assert (torch.corrcoef(both.T) - torch.eye(both.shape[1])).abs().max() < 6 / 5000**0.5


def test_the_nearest_class_mean_reads_most_digits() -> None:
    images, labels, _ = sample_glyphs(2500, torch.Generator().manual_seed(0))
    means = torch.stack([images[:2000][labels[:2000] == k].mean(0) for k in range(10)])
    guesses = torch.cdist(images[2000:].flatten(1), means.flatten(1)).argmin(1)
    assert (guesses == labels[2000:]).float().mean() > 0.7


def test_a_seed_repeats_and_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    first, again = (sample_glyphs(300, torch.Generator().manual_seed(1)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(torch.get_rng_state(), state)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(8, 40),
    st.floats(-7, 7),
    st.floats(-2, 2),
    st.floats(0.1, 3),
    st.floats(-2, 2),
    st.integers(0, 2**32),
)
def test_any_map_gives_an_image(
    n: int, size: int, rotation: float, shift: float, scale: float, shear: float, seed: int
) -> None:
    still = {"rotation": (rotation,) * 2, "shift": (shift,) * 2, "scale": (scale,) * 2, "shear": (shear,) * 2}
    generator = torch.Generator().manual_seed(seed)
    images, labels, factors = sample_glyphs(n, generator, size, "1g", FONTS[:2], **still)
    assert images.shape == (n, 1, size, size)
    assert images.dtype == torch.float32
    assert torch.isfinite(images).all()
    assert ((images >= 0) & (images <= 1)).all()
    assert labels.shape == (n,)
    assert factors.shape == (n, len(FACTORS))


def test_characters_and_fonts_are_a_choice() -> None:
    _, labels, factors = sample_glyphs(100, torch.Generator().manual_seed(0), characters="AB", fonts=["cmr10"], **STILL)
    assert set(labels.tolist()) == {0, 1}
    assert factors[0].tolist() == [0, 0, 0, 0, 1, 0]
    assert (factors == factors[0]).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"fonts": ("Comic Sans",)}, ["Comic Sans", "DejaVuSans", "STIXGeneral"]),
        ({"characters": "1\u4e2d"}, ["\u4e2d", "leave the character out"]),
        ({"characters": "1 "}, ["' '", "draws nothing"]),
        ({"characters": ""}, ["characters=''", "at least one"]),
        ({"fonts": ()}, ["fonts=()"]),
        ({"size": 4}, ["size=4", "8 pixels"]),
        ({"scale": (1.0, 0.5)}, ["scale=(1.0, 0.5)", "lowest"]),
        ({"scale": (0.0, 1.0)}, ["scale", "above 0"]),
    ],
)
def test_impossible_wishes_are_named(arguments: dict, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        sample_glyphs(2, **arguments)
    for word in words:
        assert word in str(error.value)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_draws_glyphs() -> None:
    images, labels, factors = sample_glyphs(100, torch.Generator("cuda").manual_seed(0))
    assert images.device.type == labels.device.type == factors.device.type == "cuda"
    assert (images.flatten(1).max(dim=1).values > 0.8).all()
