"""What a lecture demo is: controls, and a plain function from their values to a picture. No widget is known here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Picture:
    """What a demo shows.

    pixels: (H, W, 3) uint8; W at most 1000 and H at most 460, to fit a projector of 1280 x 720 beside the controls.
    text: what is seen, with its numbers ("KL = 0.81 nats"): the alt text and the line under the picture.
    boxes: where a pointer counts, if the demo has a Point or a Paint; all of them mean the same.
    """

    pixels: Pixels
    text: str
    boxes: Sequence[Box] = ()


@dataclass(frozen=True)
class Slider:
    """A number from low to high; an int if low, step and start are ints, else a float."""

    name: str
    label: str
    low: float
    high: float
    step: float
    start: float


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    name: str
    label: str
    options: Sequence[str]
    start: str


@dataclass(frozen=True)
class Toggle:
    """On or off: a bool."""

    name: str
    label: str
    start: bool = False


@dataclass(frozen=True)
class Point:
    """A point (x, y) of the square from low to high, which follows the pointer in the picture's boxes; y grows upwards.

    Two sliders, labelled with labels, move it too.
    """

    name: str
    labels: tuple[str, str]
    low: float
    high: float
    start: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Paint:
    """A grid of classes, painted in the picture's box with the brush that is chosen by its name.

    Its value is an (R, C) array of numbers of brushes, row 0 on top. By keyboard: arrows move, space paints.
    """

    name: str
    label: str
    brushes: Sequence[str]
    start: NDArray[np.int64]


@dataclass(frozen=True)
class Button:
    """Something that happens once: the demo's act() is called with this name."""

    name: str
    label: str


@dataclass(frozen=True)
class Play:
    """Play, pause and step: while it plays, and at each step, act() is called with this name."""

    name: str = "step"


Control: TypeAlias = Slider | Choice | Toggle | Point | Paint | Button | Play
Values: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Demo:
    """A demo: render(prepared, **values) -> Picture, and what stands around it.

    name: as in `course demo NAME`. idea: the idea of the lecture that it serves. tries: two sentences of what to try.
    prepare() loads models and data, once. render() is pure: the same values give the same picture.

    A demo with a memory (training that goes on, a score) has begin(prepared, values) -> state and
    act(prepared, state, name, values) -> state, which may change and return the same object; name is that of a Button or a
    Play. Its render gets the state as one more value: state=....
    """

    name: str
    title: str
    idea: str
    tries: str
    controls: Sequence[Control]
    prepare: Callable[[], Any]
    render: Callable[..., Picture]
    begin: Callable[[Any, Values], Any] | None = None
    act: Callable[[Any, Any, str, Values], Any] | None = None
    start: dict[str, Any] = field(init=False)  # the value of each control at first

    def __post_init__(self) -> None:
        start = {control.name: control.start for control in self.controls if not isinstance(control, (Button, Play))}
        object.__setattr__(self, "start", start)


class Session:
    """A demo being used, whatever is used on: prepared things, the values of its controls, and its state."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.prepared = demo.prepare()
        self.reset()

    def reset(self) -> None:
        """Go back to how the demo began."""
        self.values = dict(self.demo.start)
        self.state = self.demo.begin(self.prepared, self.values) if self.demo.begin else None

    def act(self, name: str) -> None:
        """Press a button of that name, or let the demo play one step."""
        assert self.demo.act is not None, f"{self.demo.name} has a button but no act()"
        self.state = self.demo.act(self.prepared, self.state, name, self.values)

    def picture(self) -> Picture:
        """Render the values as they are now."""
        state = {"state": self.state} if self.demo.begin else {}
        return self.demo.render(self.prepared, **self.values, **state)
