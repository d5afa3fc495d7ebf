"""A student in JupyterLab, in a real browser: the set-up, a right and a wrong answer, and what the checks show."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def cells_of(path: Path) -> dict[str, nbformat.NotebookNode]:
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


def notebook_of(*sources: str) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return notebook


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two notebooks of a few cells each, made from lab 2's own: one answered right, one wrong and one left open."""
    made = tmp_path_factory.mktemp("notebooks")
    student, solution = cells_of(ROOT / "notebooks/lab2_vae.ipynb"), cells_of(ROOT / "solutions/lab2_vae.ipynb")
    setup = next(cell.source for cell in student.values() if cell.cell_type == "code")
    right = solution["gaussian_kl"].source
    wrong = right.replace("sum(dim=1)", "sum(dim=0)")
    assert wrong != right
    nbformat.write(notebook_of(setup, right, "check(gaussian_kl)", "progress()"), made / "right.ipynb")
    open_one = student["reparameterize"].source
    sources = (setup, wrong, "check(gaussian_kl)", "hint(gaussian_kl)", open_one, "check(reparameterize)")
    nbformat.write(notebook_of(*sources), made / "wrong.ipynb")
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves the folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=", f"--notebook-dir={folder}"]
    command = [sys.executable, "-m", "jupyterlab", *options, "--LabApp.expose_app_in_browser=True"]
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".s"),
    }
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5)
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None:
                    pytest.fail((folder / "server.log").read_text()[-2000:])
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def run_all(server: str, name: str, picture: Path) -> list[str]:
    """Open a notebook, run all its cells, and return the text that stands under each of them."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1500})
        page.goto(f"{server}/doc/tree/{name}")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
        page.wait_for_function("() => document.querySelector('.jp-Notebook-ExecutionIndicator')", timeout=60_000)
        page.wait_for_timeout(2000)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(
            """() => { const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
                       return prompts.length && prompts.every(p => /^\\[\\d+\\]:$/.test(p.textContent.trim())) }""",
            timeout=120_000,
        )
        page.wait_for_timeout(500)
        outputs = page.eval_on_selector_all(
            ".jp-CodeCell",
            "cells => cells.map(c => (c.querySelector('.jp-OutputArea-output') || {innerText: ''}).innerText)",
        )
        page.screenshot(path=picture)
        browser.close()
    return outputs


def test_a_right_answer_is_praised_and_counted(server: str, tmp_path: Path):
    outputs = run_all(server, "right.ipynb", tmp_path / "right.png")
    assert "Models train on" in outputs[0]
    assert "✓ gaussian_kl: right" in outputs[2]
    assert "gaussian_kl" in outputs[3]
    assert "not attempted" in outputs[3]
    assert (tmp_path / "right.png").stat().st_size > 10_000


def test_a_wrong_answer_is_understood_and_an_open_one_is_not_wrong(server: str, tmp_path: Path):
    outputs = run_all(server, "wrong.ipynb", tmp_path / "wrong.png")
    assert "✗ gaussian_kl: not right yet" in outputs[2]
    assert "You summed over the batch" in outputs[2]
    assert "Hint 1 of 3" in outputs[3]
    assert "not attempted yet" in outputs[5]
