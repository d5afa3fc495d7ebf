"""Write files that other programs open: whole or not at all, and with no cell that a spreadsheet would run."""

import csv
import io
import os
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

Cell = str | int | float | None

_FORMULA = frozenset("=+-@")
_INVISIBLE = frozenset(["Cc", "Cf", "Zs", "Zl", "Zp"])
# A spreadsheet set to another separator than the comma begins a cell after a semicolon as well, and then takes our
# quotation marks for text.
_SEPARATORS = frozenset(";\t\r\n")


def safe_cell(value: str) -> str:
    """Return a text that a spreadsheet shows and does not run: what looks like a formula gets an apostrophe before it.

    That is a text that begins with =, +, -, @, one of their full-width or small forms, or a control character; also after
    spaces and invisible characters, and also after a semicolon, a tab or a line break inside it. NUL becomes U+FFFD: many
    readers stop at it. A text that is safe comes back unchanged.
    """
    value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    apostrophes, begin, blank = [], 0, True  # blank: nothing visible since the cell's beginning
    for i, character in enumerate(value):
        kind = unicodedata.category(character)
        if blank and ((kind == "Cc" and begin == 0) or unicodedata.normalize("NFKC", character)[:1] in _FORMULA):
            apostrophes.append(begin)
            blank = False
        elif kind not in _INVISIBLE:
            blank = False
        if character in _SEPARATORS:
            begin, blank = i + 1, True
    ends = [*apostrophes, len(value)]
    return value[: ends[0]] + "".join("'" + value[i:j] for i, j in pairwise(ends))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table as CSV in UTF-8, every text by safe_cell; numbers stay numbers, None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8: a reader sees the old file or the new one, never half of one."""
    unfinished = path.with_name(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        # "replace": a file name that is not UTF-8 reaches Python as lone surrogates, which cannot be written
        with open(unfinished, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _cell(value: Cell) -> Cell:
    if isinstance(value, float):
        return format(value, ".10g")  # 3 / 3 * 2 as 2, not as 2.0000000000000004
    return safe_cell(value) if isinstance(value, str) else value
