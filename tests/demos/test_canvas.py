"""Fast drawing draws what slow drawing would, and PNGs hold the pixels they were given."""

import io

import numpy as np
import torch
from PIL import Image

from course.demos.canvas import Canvas, area, enlarged, png


def test_png_keeps_the_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)


def draw(moving: bool, ends: list[float]) -> list[np.ndarray]:
    """Draw a line to each of the ends; moving: on one canvas, else each on a canvas of its own."""
    pictures, canvas = [], None
    for end in ends:
        if canvas is None or not moving:
            canvas = Canvas(400, 300)
            axes = canvas.figure.subplots()
            axes.set(xlim=(0, 1), ylim=(0, 1), title="a line")
            (line,) = axes.plot([], [])
            if moving:
                canvas.moving(line)
        line.set_data([0, 1], [0, end])
        pictures.append(canvas.picture("").pixels)
    return pictures


def test_a_moved_artist_leaves_nothing_behind() -> None:
    for fast, slow in zip(draw(True, [0.2, 0.8, 0.5]), draw(False, [0.2, 0.8, 0.5]), strict=True):
        assert fast.shape == (300, 400, 3)
        different = (np.abs(fast.astype(int) - slow.astype(int)) > 40).any(axis=2).mean()
        assert different < 0.002  # where the line passes over the frame, it lies above it or below
        assert (fast < 200).any()


def test_the_box_is_where_the_axes_are() -> None:
    canvas = Canvas(400, 300)
    axes = canvas.figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    axes.imshow([[0.0]], cmap="gray", extent=(0, 1, 0, 1), aspect="auto")
    picture = canvas.picture("", pointers=[axes])
    ((left, top, right, bottom),) = picture.boxes
    dark = np.argwhere((picture.pixels < 100).all(axis=2))
    assert np.abs(dark.min(axis=0) - (top, left)).max() <= 2
    assert np.abs(dark.max(axis=0) - (bottom, right)).max() <= 2


def test_area_closes_along_zero() -> None:
    outline = area(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([5.0, 6.0, 7.0]))
    assert outline.tolist() == [[1, 5], [2, 6], [4, 7], [4, 0], [1, 0]]


def test_enlarged_pixels_are_squares() -> None:
    images = torch.tensor([[[[0.0, 1.0], [0.5, 2.0]]]])
    assert enlarged(images, 3).shape == (1, 6, 6, 3)
    assert enlarged(images, 3)[0, ::3, ::3, 1].tolist() == [[0, 255], [128, 255]]
