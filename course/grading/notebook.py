"""Read the code cells of a notebook that a stranger wrote: fast, without running or validating anything.

Outputs are most of a notebook's bytes and none of its answers, so the JSON is parsed and only the sources are looked at.
"""

import json
from collections.abc import Iterator
from typing import Any

CONTENT_LIMIT = 100_000_000  # bytes of a file
CODE_LIMIT = 2_000_000  # bytes of all code cells together
VALUES_LIMIT = 10_000_000  # JSON values: "[],[],…" takes thirty times its size in memory


class NotebookError(Exception):
    """A content is not a notebook that can be read; the message is one line: what it is, what was expected, what to do."""


def read_cells(content: bytes) -> tuple[str, ...]:
    """Return the sources of a notebook's code cells, in order.

    Reads formats 3 and 4, as Jupyter, Colab and others write them, in UTF-8 or UTF-16. A cell that is malformed is left out
    as long as another code cell can be read. Every source can be encoded as UTF-8. Raises NotebookError.
    """
    if len(content) > CONTENT_LIMIT:
        raise NotebookError(f"The file is over {_mb(CONTENT_LIMIT)}. Clear the outputs, save it and hand it in again.")
    # An upper bound, since strings hold these characters too; notebooks with 50 MB of plots stay far below the limit.
    if sum(map(content.count, (b"[", b"{", b","))) > VALUES_LIMIT:
        raise NotebookError("The file holds too many values to be read. Clear the outputs, save it and hand it in again.")
    notebook = _parse(_decode(content))
    sources, malformed = [], 0
    for source in _sources(notebook):
        if source is None:
            malformed += 1
        else:
            sources.append(source)
    if malformed and not sources:
        raise NotebookError("No code cell has its source as text, as each of a notebook has. Download it again as .ipynb.")
    if sum(len(source.encode()) for source in sources) > CODE_LIMIT:
        raise NotebookError(f"The code is over {_mb(CODE_LIMIT)}. Keep data out of the code cells and hand it in again.")
    return tuple(sources)


def _decode(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        what = "a zip archive" if content.startswith(b"PK") else "not UTF-8 text"
        raise NotebookError(f"The file is {what}, and a notebook is expected. Download it again as .ipynb.") from None


def _parse(text: str) -> dict[str, Any]:
    start = text[:100].lstrip()
    if not text.strip():
        raise NotebookError("The file is empty, and a notebook is expected. Save it and hand it in again.")
    if start.startswith("<"):
        raise NotebookError("The file is a web page, and a notebook is expected. Download the notebook itself as .ipynb.")
    try:
        # Numbers do not matter here, and int() takes quadratic time for a million digits on some versions of Python.
        notebook = json.loads(text, parse_int=float)
    except json.JSONDecodeError as error:
        where = f"{error.msg}, line {error.lineno}"
        raise NotebookError(f"The file is not JSON ({where}), and a notebook is. Download it again as .ipynb.") from None
    except (RecursionError, MemoryError):
        raise NotebookError("The file is nested too deeply for a notebook. Download it again as .ipynb.") from None
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise NotebookError("The file is JSON but not a notebook: it names no nbformat. Download it again as .ipynb.")
    return notebook


def _sources(notebook: dict[str, Any]) -> Iterator[str | None]:
    """Give the source of each code cell, or None for a malformed cell."""
    version = notebook["nbformat"]
    if version == 4:
        cells, key = notebook.get("cells"), "source"
    elif version == 3:
        cells, key = _worksheets(notebook.get("worksheets")), "input"
    else:
        raise NotebookError("The notebook is not of nbformat 3 or 4. Open it in Jupyter, save it and hand it in again.")
    if not isinstance(cells, list):
        raise NotebookError("The notebook has no list of cells. Download it again as .ipynb.")
    for cell in cells:
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            yield None
        elif cell["cell_type"] == "code":
            yield _text(cell.get(key))


def _worksheets(sheets: Any) -> list[Any] | None:
    if not isinstance(sheets, list):
        return None
    lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in lists if isinstance(cells, list) for cell in cells]


def _text(source: Any) -> str | None:
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    return source.encode("utf-8", "replace").decode()  # a lone surrogate, as "\ud800" in JSON, becomes "?"


def _mb(limit: int) -> str:
    return f"{limit // 1_000_000} MB"
