"""The lecture demos with Colab's versions: ipywidgets 7.7.1 in the classic notebook, in a real browser."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from demo_pages import CHROMIUM, ROOT, Opened, opened

from course.demos import DEMOS

BIN = ROOT / ".venv-colab" / "bin"

pytestmark = [
    pytest.mark.colab,
    pytest.mark.skipif(not BIN.exists(), reason="no .venv-colab: `make test-colab` makes it"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A page with all demos."""
    with opened("classic", len(DEMOS), tmp_path_factory.mktemp("classic"), BIN) as page:
        yield page


@pytest.mark.parametrize(("number", "name"), enumerate(DEMOS))
def test_a_control_changes_the_picture(demos: Opened, number: int, name: str) -> None:
    said = demos.text(number)
    assert not said.startswith("✗"), said
    before = demos.pixels(number)
    demos.move(number)
    assert not demos.text(number).startswith("✗"), demos.text(number)
    assert (demos.pixels(number) != before).any(axis=2).sum() > 50
    demos.reset(number)
    assert np.array_equal(demos.pixels(number), before)


def test_every_slider_has_a_name_and_a_value(demos: Opened) -> None:
    for attribute in ("aria-label", "aria-valuetext"):
        found = demos.page.locator(".course-demo-page .ui-slider-handle").evaluate_all(
            f"handles => handles.map(handle => handle.getAttribute('{attribute}'))"
        )
        assert len(found) > 10
        assert all(found)


def test_nothing_complained(demos: Opened) -> None:
    assert demos.errors == []
    assert demos.page.locator(".output_error, .output_stderr").all_text_contents() == []
