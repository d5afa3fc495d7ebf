"""pix2pix and CycleGAN: the pictures show what the generators give, and the numbers are right."""

import math
import re

import numpy as np
import pytest
import torch

from course.checkpoints import load
from course.data.scenes import CLASSES, PAINT, label_maps, render_scenes, sample_scenes
from course.demos.translation import CYCLE, PAINTING

from .conftest import as_pixels, patch


def painted(cells):
    """What the generator gives for a grid of classes (16, 16), asked by loops."""
    one_hot = torch.zeros(1, len(CLASSES), 32, 32)
    for row in range(32):
        for column in range(32):
            one_hot[0, cells[row // 2, column // 2], row, column] = 1
    return load("pix2pix_scenes")["G"](one_hot)[0]


def test_the_painted_map_is_shown_and_translated(shown):
    generator = np.random.default_rng(0)
    for cells in (PAINTING.start["cells"], generator.integers(0, 8, (16, 16)), np.zeros((16, 16), dtype=int)):
        picture = shown(PAINTING, cells=cells)
        ((left, top, right, bottom),) = picture.boxes
        assert (right - left, bottom - top) == (352, 352)
        colours = np.array([PAINT["labels"][name] for name in CLASSES]) * 255
        assert np.abs(patch(picture, left, top, 22, 16) - colours[cells]).max() <= 1
        assert np.abs(patch(picture, 410, 44, 11) - as_pixels(painted(cells))).max() <= 1
        for number, name in enumerate(CLASSES):
            share = (cells == number).mean()
            assert (f"{name} {share:.0%}" in picture.text) == (share > 0)


def test_one_painted_cell_changes_the_scene(shown):
    before = shown(PAINTING)
    cells = PAINTING.start["cells"].copy()
    cells[1, 1] = CLASSES.index("wall")
    after = shown(PAINTING, cells=cells)
    assert not np.array_equal(patch(before, 410, 44, 11), patch(after, 410, 44, 11))
    assert np.array_equal(shown(PAINTING).pixels, before.pixels)  # the start is not written to


def test_the_first_map_is_of_a_scene():
    expected = label_maps(sample_scenes(1, torch.Generator().manual_seed(4)), 16)[0]
    assert np.array_equal(PAINTING.start["cells"], expected.numpy())


@pytest.mark.parametrize("direction", ["day to night", "night to day"])
def test_translation_way_back_and_truth_are_shown(shown, direction):
    here, there = direction.split(" to ")
    networks = load("cyclegan_scenes")
    forth, back = networks[f"{here}_to_{there}"], networks[f"{there}_to_{here}"]
    factors = sample_scenes(12, torch.Generator().manual_seed(7))
    for scene in (1, 12):
        picture = shown(CYCLE, direction=direction, scene=scene)
        real, truth = (render_scenes(factors[scene - 1 : scene], style) for style in (here, there))
        images = (real, forth(real), back(forth(real)), truth)
        for column, image in enumerate(images):
            assert np.abs(patch(picture, 8 + 248 * column, 34, 7) - as_pixels(image[0])).max() <= 1
        assert np.abs(patch(picture, 174 + 68 * (scene - 1), 300, 2) - as_pixels(images[1][0])).max() <= 1
        assert np.abs(patch(picture, 174 + 68 * (scene - 1), 368, 2) - as_pixels(truth[0])).max() <= 1
        ratios = [10 * math.log10(4 / ((a - b) ** 2).mean().item()) for a, b in ((images[1], truth), (images[2], real))]
        told = [float(number) for number in re.findall(r"(\d+\.\d) dB", picture.text)]
        assert told == pytest.approx(ratios, abs=0.06)


def test_every_value_gives_another_picture(shown):
    for name, values in (("direction", ["day to night", "night to day"]), ("scene", range(1, 13))):
        pictures = {shown(CYCLE, **{name: value}).pixels.tobytes() for value in values}
        assert len(pictures) == len(values), name
