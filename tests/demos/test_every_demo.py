"""What holds for each demo: it begins, answers each control, stays itself, and fits a projector."""

import inspect
import re

import numpy as np
import pytest

from course.demos import DEMOS
from course.demos.demo import Button, Choice, Paint, Play, Point, Session, Slider, Toggle

WIDEST, HIGHEST = 1000, 460
MUTE = {("line", "rate_d"), ("line", "rate_g"), ("ring", "r1")}  # they are heard at the next step


@pytest.fixture(scope="module", params=DEMOS)
def session(request: pytest.FixtureRequest) -> Session:
    """A demo in use; one for all tests of the demo."""
    return Session(DEMOS[request.param])


def others(control) -> list:
    """Give some other values of a control."""
    match control:
        case Slider():
            return [value for value in (control.low, control.high) if value != control.start]
        case Choice():
            return [option for option in control.options if option != control.start]
        case Toggle():
            return [not control.start]
        case Point():
            return [(control.low, control.high), (control.high / 3, control.low / 3)]
        case Paint():
            return [(control.start + 1) % len(control.brushes)]
    return []


@pytest.mark.slow
def test_it_fits_the_projector(session: Session) -> None:
    picture = session.picture()
    height, width, channels = picture.pixels.shape
    assert (picture.pixels.dtype, channels) == (np.uint8, 3)
    assert width <= WIDEST
    assert height <= HIGHEST
    assert picture.text.endswith(".")
    assert len(picture.text) < 300


def test_the_controls_are_what_render_takes(session: Session) -> None:
    demo = session.demo
    state = {"state": session.state} if demo.begin else {}
    inspect.signature(demo.render).bind(session.prepared, **demo.start, **state)  # TypeError if one is missing or unknown
    assert (demo.begin is None) == (demo.act is None)
    assert (demo.act is None) == (not any(isinstance(control, (Button, Play)) for control in demo.controls))
    hands = [control for control in demo.controls if isinstance(control, (Point, Paint))]
    assert len(hands) <= 1
    assert (not session.picture().boxes) == (not hands)


def test_the_words_are_two_sentences_and_an_idea(session: Session) -> None:
    demo = session.demo
    assert len(re.findall(r"[.?!](?= |$)", demo.tries)) == 2, demo.tries
    assert re.search(r"\(labs? \d( and \d)?\)\.$", demo.idea), demo.idea


def test_each_control_changes_the_picture(session: Session) -> None:
    session.reset()
    before = session.picture()
    for control in session.demo.controls:
        for value in others(control):
            session.reset()
            session.values[control.name] = value
            after = session.picture()
            changed = not np.array_equal(after.pixels, before.pixels)
            assert changed is ((session.demo.name, control.name) not in MUTE), (control.name, value)


def test_each_button_changes_the_picture(session: Session) -> None:
    for control in session.demo.controls:
        if isinstance(control, (Button, Play)):
            session.reset()
            before = session.picture()
            session.act(control.name)
            assert not np.array_equal(session.picture().pixels, before.pixels), control.name


def test_the_same_values_give_the_same_picture_and_reset_the_first(session: Session) -> None:
    session.reset()
    first = session.picture()
    for control in session.demo.controls:
        if isinstance(control, (Button, Play)):
            session.act(control.name)
        elif values := others(control):
            session.values[control.name] = values[-1]
    once, again = session.picture(), session.picture()
    assert np.array_equal(once.pixels, again.pixels)
    assert once.text == again.text
    assert not np.array_equal(once.pixels, first.pixels)
    session.reset()
    assert np.array_equal(session.picture().pixels, first.pixels)
    assert session.picture().text == first.text
