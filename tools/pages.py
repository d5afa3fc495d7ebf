"""Notebooks and lecture demos in a real browser, for the tests, the benchmark and the screenshots.

`python tools/pages.py` opens the demos as an app and writes a screenshot of each, at 1280 x 720, to docs/demos.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
SHOWN = "() => document.querySelectorAll('.course-demo p:not(:empty)').length >= {}"
PROGRAMS = Path(sys.executable).parent
PIXELS = """img => {
    const canvas = Object.assign(document.createElement("canvas"), {width: img.naturalWidth, height: img.naturalHeight});
    canvas.getContext("2d").drawImage(img, 0, 0);
    return canvas.toDataURL();
}"""


@dataclass
class Opened:
    """A page on which every demo is shown, and what the browser complained of."""

    page: Any
    errors: list[str]

    def demo(self, number: int) -> Any:
        """Find a demo by its place on the page."""
        return self.page.locator(".course-demo-page").nth(number)

    def frame(self, number: int) -> int:
        """Say which frame of a demo is shown."""
        return int(self.demo(number).locator("img").get_attribute("data-number"))

    def pixels(self, number: int) -> np.ndarray:
        """Read the picture (H, W, 3) off the page."""
        url = self.demo(number).locator(".course-demo img").evaluate(PIXELS)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"))

    def text(self, number: int) -> str:
        """Read the words under the picture."""
        return self.demo(number).locator(".course-demo p").text_content()

    def settle(self, number: int, after: int) -> None:
        """Wait until a frame is shown that is newer than the one given, and no other one follows."""
        newest = after
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.page.wait_for_timeout(150)
            if self.frame(number) == newest > after:
                return
            newest = self.frame(number)
        raise TimeoutError(f"demo {number} shows nothing new; it says: {self.text(number)}")

    def reset(self, number: int) -> None:
        """Press a demo's reset button, and wait for what comes of it."""
        before = self.frame(number)
        self.demo(number).get_by_role("button", name="Reset").click()
        self.settle(number, before)

    def move(self, number: int) -> None:
        """Step if it plays, else move the first slider by its keys, else paint, else press the first button; wait for it."""
        before = self.frame(number)
        demo = self.demo(number)
        demo.scroll_into_view_if_needed()
        step = demo.get_by_role("button", name="Step")
        handles, canvas = demo.locator(".noUi-handle, .ui-slider-handle"), demo.locator(".course-demo-hand img")
        if step.count():
            step.click()
        elif handles.count():
            handles.first.focus()
            self.page.keyboard.press("ArrowRight")
            self.page.keyboard.press("ArrowRight")
            self.page.wait_for_timeout(300)
            if self.frame(number) == before:  # it was at its end
                self.page.keyboard.press("ArrowLeft")
        elif canvas.count():
            canvas.focus()
            for key in [*["ArrowDown"] * 12, " "]:
                self.page.keyboard.press(key)
        else:
            demo.locator("button:not([aria-pressed=true])").first.click()
        self.settle(number, before)


@contextmanager
def served(kind: str, folder: Path, programs: Path = PROGRAMS) -> Iterator[str]:
    """Start "lab" (JupyterLab), "classic" (the notebook of version 6) or "voila" (course demo); yield where its pages are.

    programs: the folder with the environment's programs. folder: has the notebooks, and gets settings and the log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = ["--no-browser", f"--port={port}"]
    command, address = {
        "lab": (
            [programs / "python", "-m", "jupyterlab", *common, "--allow-root", "--IdentityProvider.token=",
             f"--notebook-dir={folder}", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"],
            "doc/tree/",
        ),
        "classic": (
            [programs / "python", "-m", "notebook", *common, "--allow-root", "--NotebookApp.token=",
             f"--notebook-dir={folder}"],
            "notebooks/",
        ),
        "voila": ([programs / "course", "demo", *common], ""),
    }[kind]  # fmt: skip
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
    }
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        try:
            for _ in range(600):
                with socket.socket() as knock:
                    if knock.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None:
                    raise RuntimeError((folder / "server.log").read_text()[-2000:])
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/{address}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # the whole group: Voilà is a child of `course demo`
            process.wait(timeout=30)


@contextmanager
def browser_page(width: int, height: int) -> Iterator[Any]:
    """Open an empty page in chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": width, "height": height})
        browser.close()


def run_all(page: Any, kind: str) -> None:
    """Ask the front end that shows a notebook to run its cells; Voilà has done so by itself."""
    if kind == "lab":
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
        page.wait_for_function("() => document.querySelector('.jp-Notebook-ExecutionIndicator')", timeout=60_000)
        page.wait_for_timeout(2000)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    if kind == "classic":
        page.wait_for_function("() => window.Jupyter?.notebook?.kernel?.is_connected()", timeout=60_000)
        page.wait_for_timeout(4000)  # the widgets' manager looks for widgets of an earlier visit, and clears the outputs
        page.evaluate("() => Jupyter.notebook.execute_all_cells()")


@contextmanager
def opened(kind: str, demos: int, folder: Path, programs: Path = PROGRAMS) -> Iterator[Opened]:
    """Open the page of the demos and run its cells, until so many demos are shown."""
    shutil.copy(ROOT / "notebooks" / "demos.ipynb", folder)
    with served(kind, folder, programs) as address, browser_page(1280, 720) as page:
        found = Opened(page, [])
        page.on("console", lambda said: found.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.goto(address if kind == "voila" else f"{address}demos.ipynb")
        run_all(page, kind)
        page.wait_for_function(SHOWN.format(demos), timeout=120_000)
        page.wait_for_timeout(1000)
        yield found


def main() -> None:
    """Write the screenshots."""
    from course.demos import DEMOS

    target = ROOT / "docs" / "demos"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, opened("voila", len(DEMOS), Path(folder)) as found:
        for number, (name, demo) in enumerate(DEMOS.items()):
            play = found.demo(number).get_by_role("button", name="Play")
            if play.count():
                play.click()
                found.page.wait_for_timeout(15_000)
                found.demo(number).get_by_role("button", name="Pause").click()
                found.page.wait_for_timeout(500)
            found.page.get_by_role("heading", name=demo.title, exact=True).evaluate("title => title.scrollIntoView()")
            found.page.wait_for_timeout(300)
            picture = Image.open(io.BytesIO(found.page.screenshot())).convert("RGB")
            picture.quantize(64).save(target / f"{name}.png", optimize=True)
            print(f"{name}: {(target / f'{name}.png').stat().st_size / 1000:.0f} kB; {found.text(number)}")
        print("\n".join(found.errors))


if __name__ == "__main__":
    main()
