"""A demo on a page: the one file that knows ipywidgets (7.7.1 and 8) and anywidget."""

import asyncio
import base64
import html
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets

from course.demos import DEMOS
from course.demos.canvas import png
from course.demos.demo import Button, Choice, Control, Demo, Paint, Play, Point, Session, Slider, Toggle

SOON = 0.01  # seconds: all that changes within them is drawn once
PATIENCE = 5.0  # seconds that a demo that plays waits for the page to show a frame; then nobody is looking
AS_BUTTONS = 5  # so many words are shown as buttons, more of them as a list that opens


class Screen(anywidget.AnyWidget):
    """The picture with its text, and the hand on it: "" for none, "point" or "paint"."""

    _esm = files(__package__).joinpath("screen.js").read_text(encoding="utf-8")
    _css = files(__package__).joinpath("screen.css").read_text(encoding="utf-8")
    png = traitlets.Bytes().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    number = traitlets.Int().tag(sync=True)  # of the frame
    shown = traitlets.Int().tag(sync=True)  # the number of the frame that the page shows
    hand = traitlets.Unicode().tag(sync=True)
    boxes: Any = traitlets.List().tag(sync=True)  # where a pointer counts: left, top, right, bottom as shares of the picture
    pointer = traitlets.List([0.5, 0.5]).tag(sync=True)  # shares of a box, from its left and its top
    cells = traitlets.List([[0]]).tag(sync=True)
    brush = traitlets.Int().tag(sync=True)


class Live:
    """A demo with its widgets: hears of changes, and soon after draws the newest values, once."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.screen = Screen()
        self.session: Session | None = None
        self.writers: list[Callable[[dict[str, Any]], None]] = []  # each writes a value into its widgets
        self.waiting = self.writing = False
        self.play = ipywidgets.ToggleButton(description="▶ Play")
        self.task: asyncio.Task[None] | None = None  # that plays
        inputs = [widget for control in demo.controls for widget in self._widgets(control)]
        inputs.append(self._button("↺ Reset", self.reset))
        self.page = ipywidgets.VBox(
            [
                ipywidgets.HTML(_words(demo)),
                ipywidgets.Box(inputs, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center")),
                self.screen,
                ipywidgets.HTML(_code(demo)),
            ]
        )
        self.page.add_class("course-demo-page")
        self.reset()

    def reset(self) -> None:
        """Go back to how the demo began; one that could not begin tries again."""
        self.play.value = False
        self.writing = True
        for write in self.writers:
            write(self.demo.start)
        self.writing = False
        try:
            if self.session is None:
                self.session = Session(self.demo)
            else:
                self.session.reset()
        except Exception as error:  # whatever it is, the page says it
            self._say(error)
            return
        self.draw()

    def draw(self) -> None:
        """Draw the values as they are now."""
        self.waiting = False
        if self.session is None:
            return
        try:
            picture = self.session.picture()
        except Exception as error:
            self._say(error)
            return
        with self.screen.hold_sync():
            self.screen.png = png(picture.pixels)
            self.screen.text = picture.text.replace(" -", " −")  # of the two signs screen readers read this one
            height, width, _ = picture.pixels.shape
            self.screen.boxes = [
                [left / width, top / height, right / width, bottom / height] for left, top, right, bottom in picture.boxes
            ]
            self.screen.number += 1

    def _changed(self, name: str, value: Any) -> None:
        if self.session is not None and not self.writing:
            self.session.values[name] = value
            self._draw_soon()

    def _draw_soon(self) -> None:
        if self.waiting:
            return
        self.waiting = True
        try:
            asyncio.get_running_loop().call_later(SOON, self.draw)
        except RuntimeError:  # no kernel: nothing else can come before
            self.draw()

    def _act(self, name: str) -> None:
        if self.session is None:
            return
        try:
            self.session.act(name)
        except Exception as error:
            self.play.value = False
            self._say(error)
        else:
            self._draw_soon()

    async def _playing(self, name: str) -> None:
        """Play as fast as the page shows it, and pause when it shows nothing any more."""
        while self.play.value:
            self._act(name)
            for _ in range(round(PATIENCE / SOON)):
                await asyncio.sleep(SOON)
                if not self.waiting and self.screen.shown >= self.screen.number:
                    break
            else:
                self.play.value = False

    def _say(self, error: Exception) -> None:
        with self.screen.hold_sync():
            self.screen.text = f"✗ The demo stopped: {_sentence(error)} Reset begins it again."
            self.screen.number += 1

    def _widgets(self, control: Control) -> Sequence[ipywidgets.Widget]:
        match control:
            case Slider():
                return [self._value(control.name, _slider(control.label, control))]
            case Choice():
                return [self._value(control.name, _words_to_choose(control.label, control.options))]
            case Toggle():
                return [
                    self._value(control.name, ipywidgets.Checkbox(description=control.label, indent=False, layout=_width()))
                ]
            case Button():
                return [self._button(control.label, lambda: self._act(control.name))]
            case Play():
                return self._player(control)
            case Point():
                return self._point(control)
            case Paint():
                return self._paint(control)

    def _value(self, name: str, widget: ipywidgets.Widget) -> ipywidgets.Widget:
        """Join a widget's value to the value of that name, in both directions."""
        widget.observe(lambda change: self._changed(name, change["new"]), "value")
        self.writers.append(lambda values: setattr(widget, "value", values[name]))
        return widget

    def _button(self, label: str, pressed: Callable[[], None]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=label, layout=_width())
        button.on_click(lambda _: pressed())
        return button

    def _player(self, control: Play) -> Sequence[ipywidgets.Widget]:
        def toggled(change: dict[str, Any]) -> None:
            self.play.description = "Pause" if change["new"] else "▶ Play"  # few fonts have a sign for a pause
            if change["new"] and (self.task is None or self.task.done()):
                self.task = asyncio.ensure_future(self._playing(control.name))

        self.play.layout = _width("100px")
        self.play.observe(toggled, "value")
        return [self.play, self._button("Step", lambda: self._act(control.name))]

    def _point(self, control: Point) -> Sequence[ipywidgets.Widget]:
        span = control.high - control.low
        axes = [Slider("", label, control.low, control.high, span / 100, 0.0) for label in control.labels]
        x, y = (_slider(axis.label, axis) for axis in axes)

        def write(values: dict[str, Any]) -> None:
            x.value, y.value = values[control.name]

        def pointed(change: dict[str, Any]) -> None:
            across, down = change["new"]
            x.value, y.value = control.low + across * span, control.high - down * span

        for slider in (x, y):
            slider.observe(lambda _: self._changed(control.name, (x.value, y.value)), "value")
        self.screen.hand = "point"
        self.screen.observe(pointed, "pointer")
        self.writers.append(write)
        return [x, y]

    def _paint(self, control: Paint) -> Sequence[ipywidgets.Widget]:
        brush = _words_to_choose(control.label, control.brushes)
        brush.observe(lambda change: setattr(self.screen, "brush", control.brushes.index(change["new"])), "value")
        self.screen.hand = "paint"
        self.screen.observe(lambda change: self._changed(control.name, np.array(change["new"])), "cells")

        def write(values: dict[str, Any]) -> None:
            brush.value = control.brushes[0]
            self.screen.cells = values[control.name].tolist()

        self.writers.append(write)
        return [brush]


def show(name: str) -> None:
    """Show a demo in a notebook, with its picture for where widgets do not live; elsewhere only print what is seen.

    Raises ValueError if there is no demo of that name.
    """
    if name not in DEMOS:
        raise ValueError(f"There is no demo {name!r}. There are: {', '.join(DEMOS)}.")
    live = Live(DEMOS[name])
    ipython = sys.modules.get("IPython")  # loaded if, and only if, we may be in a notebook
    if ipython is None or not hasattr(ipython.get_ipython(), "kernel"):
        print(f"[figure] {live.screen.text}")
    else:
        ipython.display.display(bundle(live), raw=True, metadata={"image/png": {"alt": live.screen.text}})


def bundle(live: Live) -> dict[str, Any]:
    """What a page may choose from: the widgets, their picture, or its text."""
    picture = {"image/png": base64.b64encode(live.screen.png).decode()} if live.screen.png else {}
    view = {"version_major": 2, "version_minor": 0, "model_id": live.page.model_id}
    return {"application/vnd.jupyter.widget-view+json": view, **picture, "text/plain": f"[figure] {live.screen.text}"}


def _sentence(error: Exception) -> str:
    words = str(error) or type(error).__name__
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _slider(label: str, control: Slider) -> ipywidgets.Widget:
    whole = all(isinstance(number, int) for number in (control.low, control.high, control.step))
    options: dict[str, Any] = {"min": control.low, "max": control.high, "step": control.step, "value": control.start}
    if not whole:
        options["readout_format"] = f".{max(2, -math.floor(math.log10(control.step)))}f"
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return kind(
        description=label, style={"description_width": "initial"}, layout=_width(f"{240 + 9 * len(label)}px"), **options
    )


def _words_to_choose(label: str, options: Sequence[str]) -> ipywidgets.Widget:
    kind = ipywidgets.ToggleButtons if len(options) <= AS_BUTTONS else ipywidgets.Dropdown
    style = {"description_width": "initial", **({"button_width": "auto"} if len(options) <= AS_BUTTONS else {})}
    return kind(description=label, options=list(options), style=style, layout=_width("max-content"))


def _width(width: str = "auto") -> ipywidgets.Layout:
    return ipywidgets.Layout(width=width, margin="2px 16px 2px 0")


def _words(demo: Demo) -> str:
    return f"<div>{html.escape(demo.tries)}<br><i>The idea: {html.escape(demo.idea)}</i></div>"


def _code(demo: Demo) -> str:
    functions = [function for function in (demo.render, demo.act) if function is not None]
    source = html.escape("\n\n".join(inspect.getsource(function) for function in functions))
    return f"<details><summary>Show me the code</summary><pre>{source}</pre></details>"
