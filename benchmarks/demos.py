"""How soon a demo answers: Python's time from a value to a PNG, and in JupyterLab from a key to the picture on the page.

Run: python benchmarks/demos.py. The budget is 50 ms of Python time, in the median, on two cores. The time from a key to the
picture needs chromium and playwright. --memory: by how much the process grows over 2,000 moves of each demo, instead.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from course.demos import DEMOS
from course.demos.canvas import png
from course.demos.demo import Button, Choice, Demo, Play, Session, Slider, Toggle

MOVES = 40
# Press a key on a slider, and take the time until a newer picture has been loaded.
ROUND_TRIP = """demo => new Promise(done => {
    const image = demo.querySelector(".course-demo img"), handle = demo.querySelector(".noUi-handle");
    const [from, started] = [image.dataset.number, performance.now()];
    const watch = new MutationObserver(() => {
        if (image.dataset.number !== from) { watch.disconnect(); done(performance.now() - started); }
    });
    watch.observe(image, {attributes: true});
    const up = +handle.ariaValueNow < +handle.ariaValueMax;
    handle.dispatchEvent(new KeyboardEvent("keydown", {key: up ? "ArrowRight" : "ArrowLeft", bubbles: true}));
})"""


def moves(session: Session) -> Iterator[Callable[[], None]]:
    """Give what a hand can do: each control set to one value after the other, or pressed."""
    for control in session.demo.controls:
        match control:
            case Slider():
                values = [
                    control.low + round((control.high - control.low) / control.step * i / 9) * control.step
                    for i in range(10)
                ]
            case Choice():
                values = list(control.options)
            case Toggle():
                values = [True, False]
            case Button() | Play():
                yield from [partial(session.act, control.name)] * 5
                continue
            case _:
                values = [session.values[control.name]] * 5  # a point, a painting: as it is
        yield from (partial(session.values.__setitem__, control.name, value) for value in values)


def rendering(demo: Demo) -> tuple[float, float]:
    """Make each move once; return the milliseconds of a frame, the median and the slowest tenth's least."""
    session = Session(demo)
    session.picture()
    taken = []
    for move in moves(session):
        started = time.perf_counter()
        move()
        png(session.picture().pixels)
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken), statistics.quantiles(taken, n=10)[-1]


def growth(demo: Demo) -> float:
    """Make 2,000 moves after the first 200; return by how many MB the process has grown."""
    session = Session(demo)
    hand = cycle(list(moves(session)))
    sizes = []
    for count in (200, 2000):
        for move in islice(hand, count):
            move()
            png(session.picture().pixels)
        sizes.append(psutil.Process(os.getpid()).memory_info().rss)
    return (sizes[1] - sizes[0]) / 1e6


def round_trips() -> dict[str, float]:
    """Move the first slider of each demo that has one, in JupyterLab; return the median milliseconds by name."""
    sys.path.append(str(Path(__file__).parents[1] / "tools"))
    from pages import CHROMIUM, opened

    if CHROMIUM is None:
        return {}
    with tempfile.TemporaryDirectory() as folder, opened("lab", len(DEMOS), Path(folder)) as found:
        medians = {}
        for number, (name, demo) in enumerate(DEMOS.items()):
            if any(isinstance(control, Slider) for control in demo.controls):
                found.demo(number).scroll_into_view_if_needed()
                found.page.wait_for_timeout(500)
                medians[name] = statistics.median(found.demo(number).evaluate(ROUND_TRIP) for _ in range(MOVES))
        return medians


def main() -> None:
    """Print the table."""
    if "--memory" in sys.argv[1:]:
        table = Table("demo", "growth, MB", title="2,000 moves")
        for name, demo in track(DEMOS.items(), "demos"):
            table.add_row(name, f"{growth(demo):.1f}")
    else:
        trips = round_trips()
        table = Table("demo", "render and pack, median", "slowest tenth", "key to picture, median", title="Milliseconds")
        for name, demo in DEMOS.items():
            median, slow = rendering(demo)
            table.add_row(name, f"{median:.0f}", f"{slow:.0f}", f"{trips[name]:.0f}" if name in trips else "")
    Console().print(table)


if __name__ == "__main__":
    main()
