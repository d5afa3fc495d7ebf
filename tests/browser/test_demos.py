"""The lecture demos in a real browser: JupyterLab, and Voilà as `course demo` starts it. Each demo is moved once."""

from collections.abc import Callable, Iterator

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


def on_page(demos: Opened, name: str) -> Callable[[float, float], tuple[float, float]]:
    """Scroll to a demo; return the function from a place in its picture, in pixels, to that on the page."""
    picture = demos.demo(NUMBERS[name]).locator(".course-demo img")
    picture.scroll_into_view_if_needed()
    place, width = picture.bounding_box(), demos.pixels(NUMBERS[name]).shape[1]
    scale = place["width"] / width
    return lambda x, y: (place["x"] + scale * x, place["y"] + scale * y)


def drag(demos: Opened, *places: tuple[float, float], rest: int = 0) -> None:
    """Press the mouse at the first place, go to the others, with a rest of some milliseconds at each, and let go."""
    demos.page.mouse.move(*places[0])
    demos.page.mouse.down()
    for place in places[1:]:
        demos.page.mouse.move(*place)
        demos.page.wait_for_timeout(rest)
    demos.page.mouse.up()


def test_the_picture_follows_the_pointer_in_each_plane(demos: Opened) -> None:
    number, at = NUMBERS["vae"], on_page(demos, "vae")
    for left, top, right, bottom in Session(DEMOS["vae"]).picture().boxes:
        demos.reset(number)
        frame = demos.frame(number)
        drag(demos, at(left + 5, top + 5), at(left + 0.75 * (right - left), top + 0.25 * (bottom - top)))
        demos.settle(number, frame)
        readouts = demos.demo(number).locator(".widget-readout").all_text_contents()
        assert [float(readout) for readout in readouts] == pytest.approx([1.5, 1.5], abs=0.05)


@pytest.mark.parametrize(
    ("name", "x", "y"), [("vae", 400, 20), ("vae", 800, 200), ("pix2pix", 196, 22), ("pix2pix", 586, 200)]
)
def test_the_pointer_counts_in_a_box_only(demos: Opened, name: str, x: int, y: int) -> None:
    number = NUMBERS[name]
    demos.reset(number)
    frame, at = demos.frame(number), on_page(demos, name)
    left, top, right, bottom = Session(DEMOS[name]).picture().boxes[-1]
    drag(demos, at(x, y), at((left + right) / 2, (top + bottom) / 2 + 20))
    demos.page.wait_for_timeout(500)
    assert demos.frame(number) == frame


def painted(demos: Opened, brush: str, *cells: tuple[float, float], rest: int = 0) -> np.ndarray:
    """Drag a brush through cells (row, column), after a reset; say of each cell whether its colour has changed."""
    number = NUMBERS["pix2pix"]
    demos.reset(number)
    demos.demo(number).locator("select").select_option(brush)
    frame, before, at = demos.frame(number), demos.pixels(number), on_page(demos, "pix2pix")
    ((left, top, right, bottom),) = Session(DEMOS["pix2pix"]).picture().boxes
    side = (right - left) / 16
    drag(demos, *(at(left + side * (column + 0.5), top + side * (row + 0.5)) for row, column in cells), rest=rest)
    demos.settle(number, frame)
    changed = (demos.pixels(number) != before).any(axis=2)[top:bottom, left:right]
    demos.reset(number)
    return changed[round(side / 2) :: round(side), round(side / 2) :: round(side)]


def test_a_quick_drag_leaves_no_gaps(demos: Opened) -> None:
    assert painted(demos, "wall", (1, 1), (14, 14))[np.arange(1, 4), np.arange(1, 4)].all()  # below, a wall may be a wall


def test_a_slow_drag_paints_nothing_else(demos: Opened) -> None:
    """While the next picture loads, the one that is shown has no size of its own."""
    changed = painted(demos, "wall", *((2, column) for column in np.linspace(1, 14, 100)), rest=16)
    assert changed[2, 1:15].all()
    assert changed.sum() == 14


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
    code = details.locator("pre")
    assert "gaussian_kl(" in code.text_content()
    assert "monospace" in code.evaluate("pre => getComputedStyle(pre).fontFamily")


def test_the_links_on_top_lead_to_their_demos(demos: Opened) -> None:
    for name in ("beta", "riddle", "cyclegan"):
        demos.page.get_by_role("link", name=DEMOS[name].title, exact=True).first.click()
        heading = demos.page.get_by_role("heading", name=DEMOS[name].title)
        demos.page.wait_for_timeout(500)
        assert heading.evaluate("heading => Math.abs(heading.getBoundingClientRect().top)") < 200
        demos.page.get_by_role("heading", name="Lecture demos").scroll_into_view_if_needed()


def test_nothing_complained(demos: Opened) -> None:
    assert demos.errors == []
    complaints = "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
    assert demos.page.locator(complaints).all_text_contents() == []
