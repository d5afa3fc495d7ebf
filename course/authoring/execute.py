"""Run a notebook from top to bottom, and keep only outputs that are worth committing."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

KEPT = ("text/plain", "text/html", "text/markdown", "image/png", "application/javascript")


class ExecutionError(Exception):
    """A cell of a notebook failed; the message names the cell and the error."""


def execute(
    notebook: NotebookNode, folder: Path, on_cell: Callable[[int], None] = lambda index: None, timeout: int = 1200
) -> NotebookNode:
    """Run every cell in a fresh kernel that starts in folder; return a copy with the outputs. Raises ExecutionError."""
    run = nbformat.from_dict(notebook)
    client = NotebookClient(
        run,
        kernel_name="python3",
        timeout=timeout,
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=lambda cell, cell_index, execute_reply: on_cell(cell_index),
        store_widget_state=False,
        record_timing=False,
    )
    try:
        client.execute(stderr=subprocess.DEVNULL)  # the kernel's own log; a cell's stderr comes as output
    except (CellExecutionError, CellTimeoutError) as error:
        raise ExecutionError(str(error).strip()) from None
    for cell in run.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_cleaned, cell.outputs) if output is not None]
            cell.metadata.pop("execution", None)
    return run


def _cleaned(output: NotebookNode) -> NotebookNode | None:
    """Drop progress bars (widgets, and what tqdm writes to stderr); keep the rest."""
    if output.output_type == "stream" and output.name == "stderr":
        return None
    if output.output_type in ("display_data", "execute_result"):
        if "application/vnd.jupyter.widget-view+json" in output.data:
            return None
        output.data = {kind: content for kind, content in output.data.items() if kind in KEPT}
    return output
