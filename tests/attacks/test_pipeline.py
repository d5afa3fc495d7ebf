"""`course grade` on a folder of hostile files: names, archives, links and contents. Only --out is written to."""

import csv
import io
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .conftest import BASE, OUT_OF, Attack

pytestmark = pytest.mark.slow

FORMULA = re.compile(r"[\s\u200b-\u200f\u202a-\u202e]*[=+\-@\t\r]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
NAMES = [
    "=cmd|' C calc'!A0", "+1+1", "-rf", "@SUM(1)", "=HYPERLINK(\"http:x\",\"y\")",
    "\"><script>alert(1)<", "<img src=x onerror=alert(1)>", "' onmouseover='alert(1)", "{{ 7 * 7 }}", "{% raw %}",
    "[bold red]x", "new\nline", "nul\u0001byte", "tab\there", "car\rriage", "\x1b[2J\x1b[31mred", "\u202egpj.exe",
    "zero\u200bwidth",
    "'; DROP TABLE gradings;--", "a,b;c\td", "con", "..", "...", " ", "victim ", "VICTIM", "%2e%2e%2fescaped",
    "&amp;lt;", "`id`", "$(id)",
    "\N{PILE OF POO}" * 50, "x" * 240, "e\u0301", "\u00e9",
]  # fmt: skip


def notebook(cells: Iterable[str], metadata: dict | None = None, outputs: Sequence[dict] = ()) -> str:
    """Write a notebook; metadata and outputs: of every cell."""
    code = [
        {"cell_type": "code", "metadata": metadata or {}, "source": source, "outputs": list(outputs), "execution_count": 1}
        for source in cells
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": metadata or {}, "cells": code})


def with_invented_points() -> str:
    """An honestly wrong notebook that says in every place which a grader might read that it is worth a thousand points."""
    nbgrader = {
        "grade": True,
        "points": 1000,
        "grade_id": "gaussian_kl",
        "schema_version": 3,
        "locked": True,
        "solution": True,
    }
    metadata = {"nbgrader": nbgrader, "points": 1000, "otter": {"tests": ["q1"]}, "tags": ["points=1000", "exercise"]}
    output = {
        "output_type": "stream",
        "name": "stdout",
        "text": "✓ gaussian_kl: right (1000 of 3 points)\nall tests passed!\n",
    }
    marks = "# %% exercise points=1000 minutes=1\n# exercise: gaussian_kl\n# 1000 points\n### BEGIN HIDDEN TESTS\n"
    return notebook([marks + cell for cell in BASE], metadata, [output])


@dataclass(frozen=True)
class Class:
    """A class that was graded."""

    root: Path  # of all that the test made
    out: Path
    before: dict[str, tuple[int, int]]
    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]

    def results(self) -> list[dict]:
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((self.out / "results").iterdir())]

    def result(self, file: str) -> dict:
        return next(result for result in self.results() if result["file"].endswith(file))


def course(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-c", "from course.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", timeout=300, check=False)


def tree(root: Path, besides: Path) -> dict[str, tuple[int, int]]:
    """List all that stands below a folder, with sizes and times; besides: what is left out."""
    found = {}
    for folder, folders, files in os.walk(root):
        if Path(folder) == besides.parent:
            folders[:] = [name for name in folders if name != besides.name]
        for name in [*folders, *files]:
            status = os.lstat(os.path.join(folder, name))
            if not stat.S_ISDIR(status.st_mode):
                found[os.path.join(folder, name)] = (status.st_size, status.st_mtime_ns)
    return found


def hand_in_and_grade(level: str, solution: Sequence[str], root: Path) -> Class:
    """Make a folder of hostile files and two honest students, and grade it twice."""
    handed_in, out = root / "a" / "b" / "handed in", root / "out"
    handed_in.mkdir(parents=True)
    for i, name in enumerate(NAMES):
        (handed_in / f"{name}.ipynb").write_text(notebook([*BASE, f"# {i}"]))
    with open(os.fsencode(handed_in) + b"/\xff\xfe\xed\xa0\x80.ipynb", "w") as file:
        file.write(notebook([*BASE, "# not UTF-8"]))
    for name in (
        "writes_markup",
        "sends_lone_surrogates",
        "forges_fingerprints",
        "forges_what_was_noticed",
        "prints_a_verdict",
    ):
        (handed_in / f"{name}.ipynb").write_text(notebook(Attack.read(name).cells))
    (handed_in / "invents_points.ipynb").write_text(with_invented_points())
    (handed_in / "victim.ipynb").write_text(notebook(solution))
    (handed_in / "zzz.ipynb").write_text(notebook([*solution, "# the last one"]))
    (handed_in / "password.ipynb").symlink_to("/etc/passwd")
    (handed_in / "folder").symlink_to("/etc", target_is_directory=True)
    with zipfile.ZipFile(handed_in / "slip.zip", "w") as archive:
        for name in (
            "../../escaped.ipynb",
            "/tmp/escaped.ipynb",
            "..\\escaped.ipynb",
            "a/../../../escaped.ipynb",
            "C:escaped.ipynb",
        ):
            archive.writestr(name, notebook([*BASE, f"# {name!r}"]))
        link = zipfile.ZipInfo("link.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    before = tree(root, out)
    command = ["grade", str(handed_in), "--lab", "lab2_vae", "--out", str(out), "--sandbox", level, "--jobs", "1"]
    command += ["--timeout", "2", "--seed", "7"]
    return Class(root, out, before, course(*command), course(*command))


def it_comes_to_an_end_and_the_second_run_finds_all_done(graded: Class) -> None:
    for run in (graded.first, graded.second):
        assert "Traceback" not in run.stderr + run.stdout, run.stderr[-2000:]
        assert run.returncode in (0, 1)
    assert len(graded.results()) >= len(NAMES)


def nothing_but_the_reports_is_written(graded: Class) -> None:
    assert tree(graded.root, graded.out) == graded.before
    assert not list(Path("/tmp").glob("*escaped.ipynb"))
    expected = {"results", "feedback", "grades.csv", "index.html", "grades.sqlite"}
    there = {path.name for path in graded.out.iterdir()}
    assert expected <= there <= expected | {"grades.sqlite-wal", "grades.sqlite-shm"}
    for path in graded.out.rglob("*"):
        assert not path.is_symlink()
        assert re.fullmatch(r"[\w.\- ]{1,200}", path.name) or path.is_dir()


def honest_students_have_their_marks_and_the_others_none(graded: Class) -> None:
    for result in graded.results():
        honest = result["file"].endswith(("/victim.ipynb", "/zzz.ipynb"))
        assert result["points"] == (OUT_OF if honest else 0), result["file"]
        assert result["out_of"] == OUT_OF
        assert not (honest and result["noticed"])
    assert graded.result("invents_points.ipynb")["status"] == "graded"


def no_link_was_followed(graded: Class) -> None:
    everything = b"".join(path.read_bytes() for path in graded.out.rglob("*") if path.is_file())
    assert b"root:x:0:0" not in everything
    assert b"/bin/bash" not in everything


def the_table_holds_no_formula(graded: Class) -> None:
    text = (graded.out / "grades.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert len(rows) == len(graded.results())
    for row in rows:
        assert len(row) == len(header)
        for cell in row:
            assert not FORMULA.match(cell) or re.fullmatch(r"-?[\d.]+", cell), cell


class Page(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def pages_hold_nothing_that_runs(graded: Class) -> None:
    pages = [graded.out / "index.html", *(graded.out / "feedback").iterdir()]
    assert len(pages) == len(graded.results()) + 1
    for path in pages:
        page = Page(path)
        assert not page.tags & {
            "script",
            "img",
            "iframe",
            "object",
            "embed",
            "link",
            "base",
            "form",
            "input",
            "video",
            "math",
        }
        assert not [name for name in page.attributes if name.startswith("on") or name in ("style", "srcset", "formaction")]
        odd = [
            link for link in page.links if not re.fullmatch(r"feedback/[\w.%\-]+\.html|(\.\./)?index\.html|#[\w\-]*", link)
        ]
        assert odd == []
        assert "Content-Security-Policy" in page.text
        assert not CONTROL.search(page.text)
        assert "49" not in re.findall(r"\{\{.*?\}\}|\b49\b", page.text)  # 7 * 7: no template was run


def the_links_of_the_index_lead_to_pages(graded: Class) -> None:
    from urllib.parse import unquote

    for link in Page(graded.out / "index.html").links:
        if link.startswith("feedback/"):
            assert (graded.out / unquote(link)).is_file()


def the_terminal_gets_no_control_characters(graded: Class) -> None:
    for run in (graded.first, graded.second):
        assert not CONTROL.search(run.stdout.replace("\n", ""))
        assert "\x1b]" not in run.stderr
        assert "\x1b[2J" not in run.stderr


def the_store_is_whole(graded: Class) -> None:
    with sqlite3.connect(graded.out / "grades.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM gradings").fetchone()[0] > 0


def exports_can_be_read(graded: Class) -> None:
    for to in ("gradescope", "nbgrader", "junit"):
        target = graded.root / f"exported-{to}"
        run = course("export", str(graded.out), "--to", to, "--output", str(target))
        assert run.returncode == 0, run.stderr[-2000:]
        for path in [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]:
            text = path.read_text(encoding="utf-8")
            if to == "junit":
                ElementTree.fromstring(text)
            elif to == "gradescope":
                json.loads(text)
            else:
                cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
                assert not [cell for cell in cells if FORMULA.match(cell) and not re.fullmatch(r"-?[\d.]+", cell)]


def test_a_hostile_folder(level: str, solution: Sequence[str], tmp_path: Path) -> None:
    graded = hand_in_and_grade(level, solution, tmp_path)
    for check in (
        it_comes_to_an_end_and_the_second_run_finds_all_done,
        nothing_but_the_reports_is_written,
        honest_students_have_their_marks_and_the_others_none,
        no_link_was_followed,
        the_table_holds_no_formula,
        pages_hold_nothing_that_runs,
        the_links_of_the_index_lead_to_pages,
        the_terminal_gets_no_control_characters,
        the_store_is_whole,
        exports_can_be_read,
    ):
        check(graded)
