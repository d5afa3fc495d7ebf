"""Files for other programs: no cell that a spreadsheet would run, and never half a file."""

import csv
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.grading.cells import safe_cell, write_csv, write_text

DANGEROUS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    '=HYPERLINK("http://example.org","x")',
    "=cmd|' /C calc'!A0",
    "\tx",
    "\rx",
    "\nx",
    " =1",
    "\N{NO-BREAK SPACE}=1",
    "\N{ZERO WIDTH NO-BREAK SPACE}=1",
    "\N{RIGHT-TO-LEFT OVERRIDE}=1",
    "\N{FULLWIDTH EQUALS SIGN}1",
    "\N{FULLWIDTH PLUS SIGN}1",
    "\N{FULLWIDTH HYPHEN-MINUS}1",
    "\N{FULLWIDTH COMMERCIAL AT}A",
    "\N{SMALL PLUS SIGN}1",
    "\x01x",
    "\x1b[31mred",
    "\x85=1",
    "   \tx",
]


@pytest.mark.parametrize("value", DANGEROUS)
def test_what_a_spreadsheet_may_run_gets_an_apostrophe(value: str) -> None:
    assert safe_cell(value) == "'" + value


@pytest.mark.parametrize(
    "value", ["", " ", "Ada Lovelace", "a-b", "a=b", "x+y", "a@b.org", "'=1", "Ünïcödé", "1.5", "李", "a, -1", "−1"]
)
def test_ordinary_text_is_unchanged(value: str) -> None:
    assert safe_cell(value) == value


def test_a_cell_cannot_begin_after_another_separator() -> None:
    assert safe_cell("Ada;=1+1;") == "Ada;'=1+1;"
    assert safe_cell("Ada\n=1+1") == "Ada\n'=1+1"
    assert safe_cell("\t=1") == "'\t'=1"
    assert safe_cell("one\n\ntwo") == "one\n\ntwo"
    assert safe_cell("Ada; 5") == "Ada; 5"


def test_nul_is_replaced() -> None:
    assert safe_cell("a\0b") == "a\N{REPLACEMENT CHARACTER}b"


@given(st.text())
def test_any_text_becomes_safe_and_stays_so(value: str) -> None:
    safe = safe_cell(value)
    assert safe_cell(safe) == safe
    visible = [c for c in safe if unicodedata.category(c) not in ("Cf", "Zs", "Zl", "Zp")]
    assert not visible or unicodedata.normalize("NFKC", visible[0])[0] not in "=+-@"
    assert safe.replace("'", "") == value.replace("\0", "\ufffd").replace("'", "")


def test_numbers_stay_numbers_and_texts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(path, ["student", "=points"], [["=1+1", -1.5], ['a "quoted", name', 3], ["李\n\r", None], ["x", 0.1 + 0.2]])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["student", "'=points"], ["'=1+1", "-1.5"], ['a "quoted", name', "3"], ["李\n\r", ""], ["x", "0.3"]]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")

    def fails(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(OSError, match="disk full"):
            write_text(path, "new")
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_name_that_is_no_unicode_can_be_written(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.ipynb")
    write_csv(tmp_path / "table.csv", ["file"], [[name]])
    assert (tmp_path / "table.csv").read_text(encoding="utf-8") == "file\ncaf?.ipynb\n"
