"""Whatever stands in a file: the sources of its code cells come out, or one line that says what is wrong, and soon."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.authoring.build import build, to_bytes
from course.grading import notebook
from course.grading.notebook import NotebookError, read_cells


def content(*cells: Any, **more: Any) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **more}).encode()


def code(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, **more}


def refused(data: bytes) -> str:
    with pytest.raises(NotebookError) as caught:
        read_cells(data)
    message = str(caught.value)
    assert message.isprintable()
    assert 20 < len(message) < 200
    assert message.endswith(".")
    return message


# ------------------------------------------------------------------------------------------------------------ what is read


def test_a_built_notebook_gives_its_code_cells() -> None:
    built = build("lab2_vae").student
    expected = tuple(cell.source for cell in built.cells if cell.cell_type == "code")
    assert len(expected) > 10
    assert read_cells(to_bytes(built)) == expected


def test_sources_are_text_or_lists_of_lines_and_other_cells_are_left_out() -> None:
    cells = [
        {"cell_type": "markdown", "source": "no"},
        code("a = 1"),
        code(["b = 2\n", "c = 3"]),
        {"cell_type": "raw"},
        code([]),
    ]
    assert read_cells(content(*cells)) == ("a = 1", "b = 2\nc = 3", "")


def test_a_notebook_without_code_is_empty() -> None:
    assert read_cells(content()) == ()
    assert read_cells(content({"cell_type": "markdown", "source": ["no"]})) == ()


def test_colab_leaves_out_ids_outputs_and_metadata() -> None:
    assert read_cells(b'{"nbformat": 4, "nbformat_minor": 0, "cells": [{"cell_type": "code", "source": ["x"]}]}') == ("x",)


def test_format_3_has_worksheets_and_inputs() -> None:
    sheets = [
        {"cells": [code(None, input=["a\n", "b"]), {"cell_type": "heading", "source": "no"}]},
        {"cells": [code(0, input="c")]},
    ]
    assert read_cells(json.dumps({"nbformat": 3, "worksheets": sheets}).encode()) == ("a\nb", "c")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = json.dumps({"nbformat": 4, "cells": [code("é = 'μ'")]}, ensure_ascii=False)
    assert read_cells(text.encode(encoding)) == ("é = 'μ'",)


def test_big_endian_with_a_mark() -> None:
    assert read_cells(b"\xfe\xff" + content(code("x")).decode().encode("utf-16-be")) == ("x",)


def test_a_malformed_cell_is_left_out_as_long_as_another_is_read() -> None:
    broken = [
        3,
        None,
        [],
        {},
        {"cell_type": 3},
        code(None),
        code(3),
        code(["a", 3]),
        code({"a": "b"}),
        {"cell_type": "code"},
    ]
    for cell in broken:
        assert read_cells(content(cell, code("x"))) == ("x",)
        assert "source as text" in refused(content(cell))
        assert "source as text" in refused(content(cell, {"cell_type": "markdown", "source": "no"}))


def test_sources_can_be_written_as_utf_8() -> None:
    assert read_cells(b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "a\\ud800b\\ud83d\\ude00"}]}') == (
        "a?b😀",
    )


def test_nul_characters_survive() -> None:
    assert read_cells(content(code("a\0b"))) == ("a\0b",)


# ---------------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"not json", "not JSON"),
        (b'{"nbformat": 4, "cells": [', "not JSON"),
        (b"<!DOCTYPE html>", "web page"),
        (b"PK\x03\x04\xff", "zip archive"),
        (b"\x80abc", "not UTF-8"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[]", "not a notebook"),
        (b"null", "not a notebook"),
        (b'"text"', "not a notebook"),
        (b"{}", "not a notebook"),
        (b'{"nbformat": 2, "worksheets": []}', "not of nbformat 3 or 4"),
        (b'{"nbformat": 5, "cells": []}', "not of nbformat 3 or 4"),
        (b'{"nbformat": "4", "cells": []}', "not of nbformat 3 or 4"),
        (b'{"nbformat": null, "cells": []}', "not of nbformat 3 or 4"),
        (b'{"nbformat": [4], "cells": []}', "not of nbformat 3 or 4"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 4, "cells": {"a": 1}}', "no list of cells"),
        (b'{"nbformat": 3, "cells": []}', "no list of cells"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_notebook_is_said_in_one_line(data: bytes, says: str) -> None:
    assert says in refused(data)


def test_limits_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    data = content(code("x" * 300), code("é" * 100))
    monkeypatch.setattr(notebook, "CODE_LIMIT", 500)
    assert len(read_cells(data)) == 2
    monkeypatch.setattr(notebook, "CODE_LIMIT", 499)
    assert "The code is over" in refused(data)
    monkeypatch.setattr(notebook, "CONTENT_LIMIT", len(data) - 1)
    assert "The file is over" in refused(data)
    monkeypatch.undo()
    assert "too many values" in refused(b'{"nbformat":4,"cells":[' + b"[]," * 6_000_000 + b"[]]}")


# ---------------------------------------------------------------------------------------------------------------- how fast


def test_large_outputs_and_many_cells_take_little_time() -> None:
    image = {"output_type": "display_data", "data": {"image/png": "A" * 50_000_000}}
    for data, cells in ((content(code("x", outputs=[image])), 1), (content(*[code("x", outputs=[])] * 10_000), 10_000)):
        start = time.perf_counter()
        assert len(read_cells(data)) == cells
        assert time.perf_counter() - start < 2


def test_a_number_of_a_million_digits_does_not_hang() -> None:
    start = time.perf_counter()
    assert read_cells(b'{"nbformat": 4, "cells": [], "x": ' + b"9" * 2_000_000 + b"}") == ()
    assert time.perf_counter() - start < 2


# -------------------------------------------------------------------------------------------------------------------- fuzz

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEXT = st.text(st.characters(), max_size=8)  # lone surrogates too
CELL = JSON | st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "code", "markdown"]) | JSON,
        "source": TEXT | JSON,
        "input": TEXT | JSON,
    },
)
CELLS = JSON | st.lists(CELL, max_size=4)
NOTEBOOK = st.fixed_dictionaries(
    {"nbformat": st.sampled_from([2, 3, 4, 4.0, 5]) | JSON},
    optional={"cells": CELLS, "worksheets": JSON | st.lists(JSON | st.fixed_dictionaries({"cells": CELLS}), max_size=3)},
)


def read_anything(data: bytes) -> None:
    try:
        cells = read_cells(data)
    except NotebookError:
        refused(data)
    else:
        assert isinstance(cells, tuple)
        assert all(cell.encode() is not None for cell in cells)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_fuzz_any_file(data: bytes) -> None:
    read_anything(data)


@settings(max_examples=500, deadline=None)
@given(value=NOTEBOOK)
def test_fuzz_what_is_like_a_notebook(value: Any) -> None:
    read_anything(json.dumps(value).encode())
