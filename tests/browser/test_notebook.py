"""A student in JupyterLab, in a real browser: the set-up, a right and a wrong answer, and what the checks show."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from pages import browser_page, run_all, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


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
def server(chromium: None, folder: Path) -> Iterator[str]:
    """The address of the notebooks in a JupyterLab that serves the folder."""
    with served("lab", folder) as address:
        yield address


def outputs_of(address: str, picture: Path) -> list[str]:
    """Open a notebook, run all its cells, and return the text that stands under each of them."""
    with browser_page(1200, 1500) as page:
        page.goto(address)
        run_all(page, "lab")
        page.wait_for_function(
            """() => { const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
                       return prompts.length && prompts.every(p => /^\\[\\d+\\]:$/.test(p.textContent.trim())) }""",
            timeout=120_000,
        )
        page.wait_for_timeout(500)
        page.screenshot(path=picture)
        return page.eval_on_selector_all(
            ".jp-CodeCell",
            "cells => cells.map(c => (c.querySelector('.jp-OutputArea-output') || {innerText: ''}).innerText)",
        )


def test_a_right_answer_is_praised_and_counted(server: str, tmp_path: Path):
    outputs = outputs_of(f"{server}right.ipynb", tmp_path / "right.png")
    assert "Models train on" in outputs[0]
    assert "✓ gaussian_kl: right" in outputs[2]
    assert "gaussian_kl" in outputs[3]
    assert "not attempted" in outputs[3]
    assert (tmp_path / "right.png").stat().st_size > 10_000


def test_a_wrong_answer_is_understood_and_an_open_one_is_not_wrong(server: str, tmp_path: Path):
    outputs = outputs_of(f"{server}wrong.ipynb", tmp_path / "wrong.png")
    assert "✗ gaussian_kl: not right yet" in outputs[2]
    assert "You summed over the batch" in outputs[2]
    assert "Hint 1 of 3" in outputs[3]
    assert "not attempted yet" in outputs[5]
