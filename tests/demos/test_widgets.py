"""The widgets over a demo: newest value only, reset, errors in words, a picture where no widget lives."""

import asyncio
import base64
import io
import os
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

import course.demos.widgets
from course.checkpoints import CheckpointError
from course.demos import DEMOS
from course.demos.demo import Button, Choice, Demo, Paint, Picture, Play, Point, Slider, Toggle
from course.demos.widgets import Live, bundle, show

BRUSHES = ("sky", "road")


def render(prepared: dict[str, int], level: int, word: str, on: bool, at: tuple, cells: np.ndarray, state: int) -> Picture:
    """Draw one number for each control."""
    prepared["drawn"] += 1
    if level == 13:
        raise ValueError("13 is no level")
    numbers = [level, len(word), on, round(100 * at[0]) % 256, round(100 * at[1]) % 256, cells.sum(), state]
    return Picture(
        np.array(numbers, dtype=np.uint8).reshape(1, -1, 1).repeat(3, axis=2), f"level {level}, -5", [(0, 0, 7, 1)]
    )


def act(prepared: dict[str, int], state: int, name: str, values: dict[str, Any]) -> int:
    """Count up, by the level at a press of the button."""
    if values["level"] == 12:
        raise RuntimeError("no more")
    return state + (values["level"] if name == "jump" else 1)


def make(prepare: Any = lambda: {"drawn": 0}) -> Demo:
    controls = (
        Slider("level", "Level", 0, 20, 1, 3),
        Choice("word", "Word", ("a", "bb", "ccc"), "bb"),
        Toggle("on", "On"),
        Point("at", ("across", "up"), -1.0, 1.0, (0.5, -0.5)),
        Paint("cells", "Brush", BRUSHES, np.zeros((2, 3), dtype=np.int64)),
        Button("jump", "Jump"),
        Play(),
    )
    return Demo(
        "toy",
        "A toy",
        "An idea.",
        "Try it. Then try it <again>.",
        controls,
        prepare,
        render,
        lambda prepared, values: 0,
        act,
    )


def find(live: Live, label: str) -> Any:
    """Find a control by its label."""
    return next(widget for widget in live.page.children[1].children if widget.description == label)


def pixels(live: Live) -> list[int]:
    """Read the numbers that were drawn last."""
    return np.asarray(Image.open(io.BytesIO(live.screen.png)))[0, :, 0].tolist()


def test_every_control_reaches_the_picture() -> None:
    live = Live(make())
    assert pixels(live) == [3, 2, 0, 50, 206, 0, 0]
    assert live.screen.text == "level 3, −5"
    find(live, "Level").value = 7
    find(live, "Word").value = "ccc"
    find(live, "On").value = True
    find(live, "across").value = 0.25
    live.screen.cells = [[1, 0, 0], [0, 1, 1]]
    find(live, "Jump").click()
    find(live, "Step").click()
    assert pixels(live) == [7, 3, 1, 25, 206, 3, 8]


def test_the_pointer_moves_the_sliders() -> None:
    live = Live(make())
    live.screen.pointer = [1.0, 0.25]  # the right edge, a quarter from the top
    assert (find(live, "across").value, find(live, "up").value) == (1.0, 0.5)
    assert pixels(live)[3:5] == [100, 50]


def test_the_brush_is_chosen_by_its_name() -> None:
    live = Live(make())
    find(live, "Brush").value = "road"
    assert live.screen.brush == 1


def test_boxes_are_shares_of_the_picture() -> None:
    """Shares hold on a picture of any size, and on one that is loading and has none."""
    assert Live(DEMOS["kl"]).screen.boxes == []
    (box,) = Live(DEMOS["pix2pix"]).screen.boxes
    assert np.allclose(np.array(box) * [1000, 420, 1000, 420], [20, 44, 372, 396])


def test_reset_brings_everything_back() -> None:
    live = Live(make())
    before = live.screen.png
    find(live, "Level").value = 9
    find(live, "Word").value = "a"
    find(live, "up").value = 0.3
    live.screen.cells = [[1, 1, 1], [1, 1, 1]]
    find(live, "Brush").value = "road"
    find(live, "Jump").click()
    assert live.screen.png != before
    find(live, "↺ Reset").click()
    assert (find(live, "Brush").value, live.screen.brush) == ("sky", 0)
    assert live.screen.png == before
    assert (find(live, "Level").value, find(live, "Word").value) == (3, "bb")
    assert live.screen.cells == [[0, 0, 0], [0, 0, 0]]


def test_a_drag_draws_the_newest_value_only() -> None:
    async def drag() -> tuple[int, list[int]]:
        live = Live(make())
        drawn = live.session.prepared["drawn"]
        for value in [*range(12), 19]:
            find(live, "Level").value = value
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        return live.session.prepared["drawn"] - drawn, pixels(live)

    draws, shown = asyncio.run(drag())
    assert draws <= 3
    assert shown[0] == 19


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "nobody looks"])
def test_play_goes_as_fast_as_the_page(watched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course.demos.widgets, "PATIENCE", 0.2)

    async def play() -> Live:
        live = Live(make())
        if watched:
            live.screen.observe(lambda change: setattr(live.screen, "shown", change["new"]), "number")
        live.play.value = True
        await asyncio.sleep(0.6)
        assert live.play.value is watched
        live.play.value = False
        await asyncio.sleep(0.1)
        return live

    live = asyncio.run(play())
    assert (pixels(live)[-1] > 5) is watched
    assert pixels(live)[-1] >= 1
    assert live.play.description == "▶ Play"


def test_errors_are_sentences() -> None:
    live = Live(make())
    find(live, "Level").value = 13
    assert live.screen.text == "✗ The demo stopped: 13 is no level. Reset begins it again."
    find(live, "Level").value = 12
    assert live.screen.text == "level 12, −5"
    find(live, "Step").click()
    assert live.screen.text == "✗ The demo stopped: no more. Reset begins it again."
    find(live, "↺ Reset").click()
    assert live.screen.text == "level 3, −5"


def test_a_demo_without_its_checkpoint_says_so_and_tries_again() -> None:
    broken = [True]

    def prepare() -> dict[str, int]:
        if broken:
            raise CheckpointError("The checkpoint x is damaged. Make it again with `course train x`.")
        return {"drawn": 0}

    live = Live(make(prepare))
    assert live.screen.text.startswith(
        "✗ The demo stopped: The checkpoint x is damaged. Make it again with `course train x`."
    )
    assert live.screen.png == b""
    assert (find(live, "Level").value, find(live, "Word").value, find(live, "across").value) == (3, "bb", 0.5)
    assert "image/png" not in bundle(live)
    find(live, "Level").value = 5  # does nothing
    find(live, "Jump").click()
    broken.clear()
    find(live, "↺ Reset").click()
    assert live.screen.text == "level 3, −5"


def test_a_picture_stands_in_for_the_widgets() -> None:
    live = Live(make())
    page = bundle(live)
    assert base64.b64decode(page["image/png"]) == live.screen.png
    assert page["text/plain"] == "[figure] level 3, −5"
    assert page["application/vnd.jupyter.widget-view+json"]["model_id"] == live.page.model_id


def test_words_and_code_are_escaped() -> None:
    live = Live(make())
    words, code = live.page.children[0].value, live.page.children[-1].value
    assert "Then try it &lt;again&gt;." in words
    assert "The idea: An idea." in words
    assert "Show me the code" in code
    assert "def render(prepared" in code
    assert "dict[str, Any]) -&gt; int" in code


def test_outside_a_notebook_the_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show("kl")
    assert capsys.readouterr().out.startswith("[figure] μ = ")
    with pytest.raises(ValueError, match=r"There is no demo 'nothing'. There are: riddle, density"):
        show("nothing")


@pytest.mark.slow
def test_memory_stays_flat_over_2000_moves() -> None:
    live = Live(DEMOS["kl"])
    slider = find(live, "μ")

    def grow(moves: int) -> float:
        """Move so many times; return by how many MB the process has grown."""
        before = psutil.Process(os.getpid()).memory_info().rss
        for i in range(moves):
            slider.value = (i % 80) / 40 - 1
        return (psutil.Process(os.getpid()).memory_info().rss - before) / 1e6

    grow(200)
    assert grow(2000) < 8  # one frame has 1.3 MB, so that keeping a hundredth of them would be found
