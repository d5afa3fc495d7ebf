"""The lecture demos in a real browser: JupyterLab, and Voilà as `course demo` starts it. Each demo is moved once."""

from collections.abc import Iterator

import numpy as np
import pytest
from pages import Opened, opened

from course.demos import DEMOS
from course.demos.demo import Play, Session

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NUMBERS = {name: number for number, name in enumerate(DEMOS)}


@pytest.fixture(scope="module", params=["lab", "voila"])
def demos(request: pytest.FixtureRequest, chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A page with all demos, in JupyterLab and then in Voilà."""
    with opened(request.param, len(DEMOS), tmp_path_factory.mktemp(request.param)) as page:
        yield page


@pytest.mark.parametrize("name", DEMOS)
def test_a_control_changes_the_picture(demos: Opened, name: str) -> None:
    number = NUMBERS[name]
    said = demos.text(number)
    assert not said.startswith("✗"), said
    before = demos.pixels(number)
    demos.move(number)
    after = demos.pixels(number)
    assert not demos.text(number).startswith("✗"), demos.text(number)
    assert after.shape == before.shape
    assert (after != before).any(axis=2).sum() > 50
    demos.reset(number)
    assert np.array_equal(demos.pixels(number), before)
    assert demos.text(number) == said


def test_the_words_are_the_alt_text(demos: Opened) -> None:
    for number in range(len(DEMOS)):
        assert demos.demo(number).locator(".course-demo img").get_attribute("alt") == demos.text(number) != ""


def test_every_slider_has_a_name(demos: Opened) -> None:
    handles = demos.page.locator(".course-demo-page .noUi-handle")
    names = handles.evaluate_all("handles => handles.map(handle => handle.getAttribute('aria-label'))")
    assert len(names) > 10
    assert all(names)


def test_the_picture_follows_the_pointer(demos: Opened) -> None:
    number = NUMBERS["vae"]
    frame, said = demos.frame(number), demos.text(number)
    picture = demos.demo(number).locator(".course-demo img")
    picture.scroll_into_view_if_needed()
    place = picture.bounding_box()
    x, y = place["x"] + 0.45 * place["width"], place["y"] + 0.4 * place["height"]
    demos.page.mouse.move(x, y)
    demos.page.mouse.down()
    demos.page.mouse.move(x + 30, y + 30, steps=3)
    demos.page.mouse.up()
    demos.settle(number, frame)
    assert demos.text(number) != said
    readouts = demos.demo(number).locator(".widget-readout").all_text_contents()
    assert readouts != ["0.00", "0.00"]


def test_a_drag_paints_a_line(demos: Opened) -> None:
    number = NUMBERS["pix2pix"]
    frame, before = demos.frame(number), demos.pixels(number)
    picture = demos.demo(number).locator(".course-demo img")
    picture.scroll_into_view_if_needed()
    left, top, right, bottom = Session(DEMOS["pix2pix"]).picture().box
    place = picture.bounding_box()
    scale = place["width"] / before.shape[1]
    across, down = ([place[side] + scale * (low + share * (high - low)) for share in (0.1, 0.9)]
                    for side, low, high in (("x", left, right), ("y", top, bottom)))  # fmt: skip
    demos.page.mouse.move(across[0], down[0])
    demos.page.mouse.down()
    demos.page.mouse.move(across[1], down[1], steps=2)  # a quick hand: few events, but no gaps in the line
    demos.page.mouse.up()
    demos.settle(number, frame)
    changed = (demos.pixels(number) != before).any(axis=2)[top:bottom, left:right]
    thirds = np.array_split(np.arange(len(changed)), 3)
    assert all(changed[rows].any() for rows in thirds[1:])  # the first third was painted as sky, and is sky
    demos.reset(number)


def test_a_drag_queues_no_backlog(demos: Opened) -> None:
    number = NUMBERS["density"]
    demos.reset(number)
    first = demos.frame(number)
    handle = demos.demo(number).locator(".noUi-handle").first
    handle.evaluate(
        """handle => { for (let i = 0; i < 40; i++)
            handle.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true})) }"""
    )
    demos.settle(number, first)
    assert "bandwidth 1.10" in demos.text(number)
    assert demos.frame(number) - first < 10


def test_play_goes_on_until_paused(demos: Opened) -> None:
    name = next(name for name, demo in DEMOS.items() if any(isinstance(control, Play) for control in demo.controls))
    number = NUMBERS[name]
    first = demos.frame(number)
    demos.demo(number).get_by_role("button", name="Play").click()
    demos.page.wait_for_timeout(3000)
    demos.demo(number).get_by_role("button", name="Pause").click()
    demos.page.wait_for_timeout(1000)
    paused = demos.frame(number)
    assert paused > first + 5
    demos.page.wait_for_timeout(1000)
    assert demos.frame(number) == paused


def test_the_code_is_shown(demos: Opened) -> None:
    details = demos.demo(NUMBERS["kl"]).locator("details")
    details.locator("summary").click()
    assert "gaussian_kl(" in details.locator("pre").text_content()


def test_nothing_complained(demos: Opened) -> None:
    assert demos.errors == []
    complaints = "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
    assert demos.page.locator(complaints).all_text_contents() == []
