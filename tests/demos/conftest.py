"""What the tests of the demos share: demos in use, and pieces of their pictures."""

import pytest

from course.demos import DEMOS
from course.demos.demo import Session


class Sessions(dict):
    """Demos in use, by name: each begins when it is first asked for."""

    def __missing__(self, name):
        self[name] = Session(DEMOS[name])
        return self[name]


@pytest.fixture(scope="module")
def sessions():
    return Sessions()


@pytest.fixture
def shown(sessions):
    """Render a demo with some of its values changed."""

    def show(demo, **values):
        sessions[demo.name].reset()
        sessions[demo.name].values.update(values)
        return sessions[demo.name].picture()

    return show


def patch(picture, x, y, factor, size=32):
    """Cut an image out of a picture at (x, y), and bring it back to its size: (size, size, 3), 0 to 255."""
    return picture.pixels[y : y + size * factor : factor, x : x + size * factor : factor].astype(int)


def as_pixels(image):
    """Turn an image (C, H, W) in [-1, 1] into pixels."""
    return ((image.permute(1, 2, 0) + 1) / 2 * 255).numpy()
