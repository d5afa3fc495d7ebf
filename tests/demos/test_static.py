"""Where no front end runs, an executed notebook shows the picture of a demo, and a screen reader its text."""

import re
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from course.authoring.build import build_demos


@pytest.mark.slow
def test_nbconvert_shows_a_picture_with_its_text(tmp_path: Path) -> None:
    notebook = build_demos({"kl": "KL and reparameterization"})
    NotebookClient(
        notebook, kernel_name="python3", store_widget_state=False, resources={"metadata": {"path": tmp_path}}
    ).execute()
    (output,) = notebook.cells[-1].outputs
    assert output.data["text/plain"].startswith("[figure] μ = 1.00")
    html, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    (picture,) = re.findall(r"<img[^>]*>", html)
    assert 'src="data:image/png;base64,' in picture
    assert 'alt="μ = 1.00, log σ² = −1.00' in picture
