"""Exports: what each target documents is checked by a reader written from its documentation, not by our own code."""

import csv
import html
import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.checks.report import (
    BLOCKED,
    ERROR,
    MISSING,
    NOT_ATTEMPTED,
    RIGHT,
    TIMEOUT,
    WRONG,
    PartReport,
    Report,
)
from course.grading.cells import safe_cell
from course.grading.exports import (
    ExportError,
    clean,
    export_results,
    feedback_html,
    gradescope_results,
    read_results,
)
from course.grading.result import CRASHED, GRADED, UNREADABLE, Grading, Override, Result, Run, to_json

NASTY = [
    '=HYPERLINK("http://example.org","x")',
    "@SUM(A1:A9)",
    "+1",
    "-1",
    "\t=1",
    "a\r\n=1+1",
    "x;=1",
    "1 <= 2",
    "<script>alert(1)</script>",
    "]]> & <![CDATA[",
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://example.org\x07link\x1b]8;;\x07",
    "nul\0 bell\x07 c1\x85",
    'O\'Brien, "Bo"; and\na new line',
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "عَلِيّ",
    "\N{FULLWIDTH EQUALS SIGN}1",
    "\ud800 alone",
    "\ufffe",
    "`code` and `half",
]


def part(points: float, out_of: float, problem: str = "") -> PartReport:
    return PartReport("values", "the values", WRONG if problem else RIGHT, problem, points, out_of)


def a_result(student: str = "ada", text: str = "You summed over the batch.", name: str = "Ada Lovelace") -> Result:
    reports = (
        Report("gaussian_kl", RIGHT, (part(3, 3),), out_of=3),
        Report("elbo", WRONG, (part(1, 1), part(0, 2, text)), cause=text, mistake="batch", out_of=3),
        Report("decode", ERROR, message=text, out_of=2),
        Report("train", TIMEOUT, message="It ran for more than 20 s.", out_of=2),
        Report("sample", BLOCKED, message="It needs `decode`.", out_of=1),
        Report("walk", NOT_ATTEMPTED, out_of=1),
        Report("answer_kl", MISSING, message="No cell defines it.", out_of=1),
    )
    grading = Grading(GRADED, reports, sandbox="bwrap", noticed=(text,), run=Run(True, seconds=12.5))
    return Result(student, "lab2_vae", 0, grading, name=name, remarks=(text,))


def leave(folder: Path, *results: Result) -> Path:
    """Leave results as `course grade` does."""
    (folder / "results").mkdir(parents=True, exist_ok=True)
    for number, result in enumerate(results):
        file = folder / "results" / f"{result.student if result.student.isalnum() else number}.json"
        file.write_bytes(to_json(result).encode("utf-8", "replace"))
    return folder


def rows_of(path: Path, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), delimiter=delimiter))


# Independent readers


TEST_KEYS = {
    **{"score": float, "max_score": float, "status": str, "name": str, "name_format": str, "number": str, "output": str},
    **{"output_format": str, "tags": list, "visibility": str, "extra_data": dict},
}
TOP_KEYS = {
    **{"score": float, "execution_time": (int, float), "output": str, "output_format": str, "visibility": str},
    **{"test_output_format": str, "test_name_format": str, "stdout_visibility": str, "extra_data": dict, "tests": list},
    "leaderboard": list,
}
FORMATS = {"text", "html", "simple_format", "md", "ansi"}
VISIBILITIES = {"hidden", "after_due_date", "after_published", "visible"}


def check_gradescope(text: str) -> dict:
    """Check what Gradescope documents of results.json, and that no text is rendered as HTML."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads(text, parse_constant=refuse)
    for keys, item in [(TOP_KEYS, content), *((TEST_KEYS, test) for test in content.get("tests", ()))]:
        for key, value in item.items():
            assert isinstance(value, keys[key]), key
            if "format" in key:
                assert value in FORMATS
                assert value == "text"
            if "visibility" in key:
                assert value in VISIBILITIES
        assert item.get("output_format") == "text", "the top one is simple_format, HTML, by default"
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", item.get("output", ""))
    for test in content.get("tests", ()):
        assert 0 <= test["score"] <= test["max_score"]
        assert math.isfinite(test["max_score"])
        assert test["status"] in ("passed", "failed")
    assert "score" in content or all("score" in test for test in content["tests"])
    return content


def check_junit(content: bytes) -> ElementTree.Element:
    """Check the rules of junit-10.xsd that concern us, and that the counts are true."""
    root = ElementTree.fromstring(content)
    assert root.tag == "testsuites"
    assert set(root.attrib) <= {"name", "time", "tests", "failures", "errors"}
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors"} <= set(suite.attrib)
        assert set(suite.attrib) <= {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "id", "hostname"}
        assert {child.tag for child in suite} <= {"properties", "testcase", "system-out", "system-err"}
        for item in suite.iterfind("properties/property"):
            assert set(item.attrib) == {"name", "value"}
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{tag}"))
        for case in cases:
            assert set(case.attrib) <= {"name", "time", "classname", "group"}
            assert case.attrib["name"]
            assert len(case) <= 1
            for outcome in case:
                assert outcome.tag in ("failure", "error", "skipped")
                assert set(outcome.attrib) <= {"type", "message"}
                assert outcome.attrib["message"]
    return root


class Balanced(HTMLParser):
    """Reads HTML, and checks that its tags are the ones we write, opened and closed in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list) -> None:
        assert tag in ("p", "div", "code", "b")
        assert {name for name, _ in attributes} <= {"style", "role"}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check_html(text: str) -> str:
    reader = Balanced()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader.text


def canvas_points(row: list[str], column: int) -> float:
    """Read a cell as Canvas's importer does: the last comma or point is the decimal sign."""
    assert re.fullmatch(r"-?[0-9.,]+%?", row[column]), row[column]
    *whole, last = re.split(r"[,.]", row[column])
    return float("".join(whole) + "." + last) if whole else float(last)


# Results


def test_results_are_read_one_at_a_time(tmp_path: Path) -> None:
    results = [a_result("ada"), a_result("bob")]
    leave(tmp_path, *results)
    found = read_results(tmp_path)
    assert next(found) == results[0]
    (tmp_path / "results/bob.json").write_text("{")
    with pytest.raises(ExportError, match=r"bob\.json is not a result .* Grade again"):
        next(found)


@pytest.mark.parametrize("change", ['"version": 1,', '"lab": "lab2_vae",', '"out_of": 3.0', '"points": 1.0'])
def test_a_result_that_is_none_is_named(tmp_path: Path, change: str) -> None:
    text = to_json(a_result()).replace('"out_of": 3', '"out_of": 3.0').replace('"points": 1', '"points": 1.0')
    assert change in text
    bad = {'"version": 1,': '"version": 9,', '"lab": "lab2_vae",': ""}.get(change, change.split(":")[0] + ": NaN")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/ada.json").write_text(text.replace(change, bad))
    with pytest.raises(ExportError) as caught:
        list(read_results(tmp_path))
    assert "ada.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("to", ["gradescope", "canvas", "moodle", "nbgrader", "junit"])
def test_a_folder_without_results_is_named(tmp_path: Path, to: str) -> None:
    into = tmp_path / "in.csv" if to == "canvas" else None
    with pytest.raises(ExportError, match=r"has no results/ID\.json\. Give the folder that `course grade --out` wrote\."):
        export_results(tmp_path, to, into=into)


def test_wrong_combinations_are_explained(tmp_path: Path) -> None:
    leave(tmp_path, a_result())
    for arguments, said in [
        ({"to": "blackboard"}, "Choose one of gradescope, canvas, moodle, nbgrader, junit"),
        ({"to": "canvas"}, "--into"),
        ({"to": "junit", "into": tmp_path / "x.csv"}, "Leave it out"),
        ({"to": "moodle", "column": "Lab"}, "Leave it out"),
        ({"to": "junit", "output": tmp_path / "no" / "x.xml"}, "--output"),
        ({"to": "canvas", "into": tmp_path / "no.csv"}, "Name your export with --into"),
    ]:
        with pytest.raises(ExportError, match=re.escape(said)) as caught:
            export_results(tmp_path, **arguments)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


# Gradescope


def test_gradescope_gets_one_file_a_student(tmp_path: Path) -> None:
    leave(tmp_path, a_result("ada"), a_result("bob"))
    assert export_results(tmp_path, "gradescope").path == tmp_path / "gradescope"
    for student in ("ada", "bob"):
        content = check_gradescope((tmp_path / f"gradescope/{student}/results.json").read_text())
        assert content["score"] == 4
        assert content["execution_time"] == 12.5
        assert [test["score"] for test in content["tests"]] == [3, 1, 0, 0, 0, 0, 0]
        assert [test["status"] for test in content["tests"]] == ["passed"] + ["failed"] * 6
        assert content["tests"][1]["max_score"] == 3
        assert "You summed over the batch." in content["tests"][1]["output"]


def test_gradescope_takes_one_student_as_a_file(tmp_path: Path) -> None:
    leave(tmp_path, a_result())
    output = tmp_path / "deep" / "results.json"
    export_results(tmp_path, "gradescope", output=output)
    check_gradescope(output.read_text())
    leave(tmp_path, a_result("bob"))
    with pytest.raises(ExportError, match="can hold one student"):
        export_results(tmp_path, "gradescope", output=output)


@pytest.mark.parametrize(("mark", "score", "status"), [(99.0, 3.0, "passed"), (-1.0, 0.0, "failed"), (3.0, 3.0, "passed")])
def test_an_instructors_mark_stays_within_gradescopes_bounds(mark: float, score: float, status: str) -> None:
    result = replace(a_result(), overrides={"elbo": Override(mark, "I looked at it.")})
    test = check_gradescope(json.dumps(gradescope_results(result)))["tests"][1]
    assert (test["score"], test["status"]) == (score, status)
    assert "I looked at it." in test["output"]


@pytest.mark.parametrize("status", [UNREADABLE, CRASHED])
def test_gradescope_says_why_nothing_was_graded(status: str) -> None:
    result = replace(a_result(), grading=Grading(status, reason="not a notebook"))
    content = check_gradescope(json.dumps(gradescope_results(result)))
    assert content["score"] == 0
    assert f"This submission {status}: not a notebook" in content["output"]


# Canvas


HEADER = [
    "Student",
    "ID",
    "SIS User ID",
    "SIS Login ID",
    "Section",
    "Lab 1 (11)",
    "Lab 2 (22)",
    "Current Score",
    "Final Grade",
]
GRADEBOOK = [
    HEADER,
    ["", "", "", "", "", "", "Manual Posting", "", ""],
    ["    Points Possible", "", "", "", "", "10.00", "13.00", "(read only)", "(read only)"],
    ["Lovelace, Ada", "101", "s1", "ada", "A, and B", "9.50", "", "95.0", "A"],
    ['=O\'Brien; "Bo"\nthe second', "102", "s2", "Bob@Uni.example", "A", "1.00", "3.00", "", ""],
    ["عَلِيّ", "103", "s3", "ali", "A", "", "EX", "", ""],
    ["Noether, Emmy", "104", "s4", "emmy", "A", "", "N/A", "", ""],
    ["@SUM(A1)", "105", "s5", "eve", "A", "7.00", "5.00", "", ""],
    ["Student, Test", "106", "", "f00", "A", "", "", "", ""],
]


def gradebook(path: Path, rows: list[list[str]], delimiter: str = ",", mark: str = "", end: str = "\n") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    path.write_bytes((mark + text.getvalue()).encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_canvas_gets_its_gradebook_back(tmp_path: Path, delimiter: str, mark: str, end: str) -> None:
    into = gradebook(tmp_path / "export.csv", GRADEBOOK, delimiter, mark, end)
    before = into.read_bytes()
    leave(tmp_path, *(a_result(student) for student in ("101", "S2", "ali", "emmy", "ghost")))
    done = export_results(tmp_path, "canvas", into=into)
    assert done.path == tmp_path / "canvas.csv"
    assert into.read_bytes() == before
    rows = rows_of(done.path, delimiter)
    assert canvas_points(rows[3], 6) == canvas_points(rows[4], 6) == 4
    for row, original in enumerate(GRADEBOOK):
        assert [cell for c, cell in enumerate(rows[row]) if c != 6] == [cell for c, cell in enumerate(original) if c != 6]
    assert [row[6] for row in rows[5:]] == ["EX", "N/A", "5.00", ""]
    # Byte for byte: with the two cells put back, it is the file that was given.
    again = [[*row[:6], GRADEBOOK[number][6], *row[7:]] for number, row in enumerate(rows)]
    assert gradebook(tmp_path / "again.csv", again, delimiter, mark, end).read_bytes() == before
    said = " ".join(done.remarks)
    assert "left out: ghost" in said
    assert "EX" not in said
    assert "left so: ali, emmy" in said
    assert "2 students" in said
    assert "scaled" not in said


def test_canvas_keeps_quotation_marks_as_they_were(tmp_path: Path) -> None:
    into = tmp_path / "export.csv"
    text = 'Student,"ID",SIS Login ID,Section,"Lab 2 (22)",Final Score\n"    Points Possible",,,,26,\nAda,"1",ada,"A",,"9"'
    into.write_text(text)
    leave(tmp_path, a_result("ada"))
    done = export_results(tmp_path, "canvas", into=into, output=tmp_path / "out.csv")
    assert done.path.read_text() == text.replace('"A",,', '"A",8,')
    assert any("26" in remark and "13" in remark and "scaled" in remark for remark in done.remarks)


def test_canvas_keeps_the_decimal_comma(tmp_path: Path) -> None:
    rows = [[*row] for row in GRADEBOOK]
    rows[2][6] = "10,00"
    into = gradebook(tmp_path / "export.csv", rows, ";")
    leave(tmp_path, a_result("ada"))
    done = export_results(tmp_path, "canvas", into=into)
    assert rows_of(done.path, ";")[3][6] == "3,08"  # 4 of 13, of 10
    assert canvas_points(rows_of(done.path, ";")[3], 6) == 3.08


@pytest.mark.parametrize("column", ["Lab 1 (11)", "Lab 1", "11"])
def test_canvas_column_can_be_named(tmp_path: Path, column: str) -> None:
    into = gradebook(tmp_path / "export.csv", GRADEBOOK)
    leave(tmp_path, a_result("ada"))
    rows = rows_of(export_results(tmp_path, "canvas", into=into, column=column).path)
    assert (rows[3][5], rows[3][6]) == ("3.08", "")


@pytest.mark.parametrize("title", ["Lab 2", "lab2_vae", "LAB 2: Variational Autoencoders", "Lab 2 "])
def test_canvas_column_is_found_by_the_labs_name(tmp_path: Path, title: str) -> None:
    rows = [[*row] for row in GRADEBOOK]
    rows[0][6] = f"{title} (22)"
    into = gradebook(tmp_path / "export.csv", rows)
    leave(tmp_path, a_result("ada"))
    assert rows_of(export_results(tmp_path, "canvas", into=into).path)[3][6] == "4"


@pytest.mark.parametrize(
    ("change", "column", "said"),
    [
        ((0, 6, "Homework (22)"), "", "no column that is named like lab2_vae"),
        ((0, 5, "Lab 2 (11)"), "", "more than one column"),
        ((0, 6, "Lab 2 (22)"), "Lab 3", "'Lab 1 (11)', 'Lab 2 (22)'"),
        ((0, 1, "Number"), "", "is not a gradebook exported from Canvas"),
        ((2, 6, "(read only)"), "", "read-only"),
    ],
)
def test_canvas_problems_are_named(tmp_path: Path, change: tuple[int, int, str], column: str, said: str) -> None:
    rows = [[*row] for row in GRADEBOOK]
    rows[change[0]][change[1]] = change[2]
    into = gradebook(tmp_path / "export.csv", rows)
    leave(tmp_path, a_result("ada"))
    with pytest.raises(ExportError, match=re.escape(said)) as caught:
        export_results(tmp_path, "canvas", into=into, column=column)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "canvas.csv").exists()


def test_canvas_export_itself_is_never_written_to(tmp_path: Path) -> None:
    into = gradebook(tmp_path / "export.csv", GRADEBOOK)
    leave(tmp_path, a_result("ada"))
    (tmp_path / "link.csv").symlink_to(into)
    for output in (into, tmp_path / "results" / ".." / "export.csv", tmp_path / "link.csv"):
        with pytest.raises(ExportError, match="not written to"):
            export_results(tmp_path, "canvas", into=into, output=output)


def test_canvas_students_are_not_mixed_up(tmp_path: Path) -> None:
    rows = [[*row] for row in GRADEBOOK]
    rows[4][2] = "101"  # another one's id in Canvas
    into = gradebook(tmp_path / "export.csv", rows)
    leave(tmp_path, a_result("101"), a_result("emmy"))
    assert any("more than one student" in remark for remark in export_results(tmp_path, "canvas", into=into).remarks)
    leave(tmp_path, a_result("104"))
    with pytest.raises(ExportError, match="104 and emmy are the same student"):
        export_results(tmp_path, "canvas", into=into)
    other = leave(tmp_path / "other", a_result("ghost"))
    with pytest.raises(ExportError, match="No graded student is in"):
        export_results(other, "canvas", into=into)


def test_canvas_says_who_could_not_be_graded(tmp_path: Path) -> None:
    into = gradebook(tmp_path / "export.csv", GRADEBOOK)
    leave(tmp_path, replace(a_result("ada"), grading=replace(a_result().grading, status=CRASHED)))
    assert any(
        "Could not be graded" in remark and "ada" in remark
        for remark in export_results(tmp_path, "canvas", into=into).remarks
    )


def test_canvas_file_must_be_utf8(tmp_path: Path) -> None:
    into = tmp_path / "export.csv"
    into.write_bytes("Student,ID\nJosé,1\n".encode("latin-1"))
    leave(tmp_path, a_result())
    with pytest.raises(ExportError, match="UTF-8"):
        export_results(tmp_path, "canvas", into=into)


# Not every Python's csv module can write and read NUL, nor tell a lone CR from the end of a line.
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(cells, min_size=2, max_size=2), max_size=6),
    st.sampled_from(",;"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_canvas_passes_everything_on(
    tmp_path_factory: pytest.TempPathFactory, others: list[list[str]], delimiter: str, end: str, quoting: int
) -> None:
    folder = leave(tmp_path_factory.mktemp("canvas"), a_result("ada"))
    rows = [["Student", "ID", "Section", "Lab 2 (22)"], ["    Points Possible", "", "", "13"], ["Ada", "ada", "A", ""]]
    rows += [[name, f"x{number}", section, "1.00"] for number, (name, section) in enumerate(others)]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    into = folder / "export.csv"
    into.write_bytes(text.getvalue().encode())
    done = export_results(folder, "canvas", into=into)
    rows[2][3] = "4"
    assert rows_of(done.path, delimiter) == rows
    empty = '""' if quoting == csv.QUOTE_ALL else ""
    line = delimiter.join(f'"{cell}"' if quoting == csv.QUOTE_ALL else cell for cell in ("Ada", "ada", "A")) + delimiter
    assert done.path.read_bytes().decode() == text.getvalue().replace(f"{line}{empty}{end}", f"{line}4{end}")


# Moodle


WORKSHEET = [
    [
        *("Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed"),
        *("Last modified (submission)", "Last modified (grade)", "Feedback comments"),
    ],
    ["Participant 1001", "Ada Lovelace", "ada@uni.example", "Submitted", "", "26.00", "Yes", "x", "-", ""],
    ["Participant 1002", 'Bo "B", =1', "bob@uni.example", "Submitted", "", "26.00", "Yes", "x", "-", "old\nwords"],
    ["Participant 1003", "Eve", "eve@uni.example", "Submitted", "2.00", "26.00", "No", "x", "-", "keep"],
    ["Participant 1004", "Kim", "kim@uni.example", "No submission", "", "26.00", "Yes", "-", "-", ""],
]


def check_moodle(rows: list[list[str]]) -> dict[str, dict[str, str]]:
    """Check what Moodle's importer needs: its three columns, participants by number, grades within the maximum."""
    header, *rest = rows
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(header)
    assert all(len(row) == len(header) for row in rest)
    found = {}
    for row in rest:
        line = dict(zip(header, row, strict=True))
        assert re.fullmatch(r"Participant \d+", line["Identifier"])
        if line["Grade"]:
            full = line.get("Maximum Grade") or line.get("Maximum grade") or "inf"
            assert 0 <= float(line["Grade"]) <= float(full)
        found[line["Identifier"].split()[1]] = line
    return found


def test_moodle_gets_its_worksheet_back(tmp_path: Path) -> None:
    into = gradebook(tmp_path / "sheet.csv", WORKSHEET, mark="\ufeff")
    before = into.read_bytes()
    leave(tmp_path, a_result("1001"), a_result("bob@uni.example"), a_result("1003"), a_result("ghost"))
    done = export_results(tmp_path, "moodle", into=into)
    assert into.read_bytes() == before
    rows = rows_of(done.path)
    found = check_moodle(rows)
    assert [found[number]["Grade"] for number in ("1001", "1002", "1003", "1004")] == ["8", "8", "2.00", ""]
    assert "You summed over the batch." in check_html(found["1002"]["Feedback comments"])
    assert found["1003"]["Feedback comments"] == "keep"
    for row, original in zip(rows, WORKSHEET, strict=True):
        assert row[:4] + row[5:9] == original[:4] + original[5:9]
    said = " ".join(done.remarks)
    for words in ("left out: ghost", "left alone: 1003", "1 student in", "26", "scaled"):
        assert words in said


def test_moodle_worksheet_without_comments_or_with_a_scale(tmp_path: Path) -> None:
    leave(tmp_path, a_result("1001"))
    short = gradebook(tmp_path / "short.csv", [row[:9] for row in WORKSHEET])
    assert any("Feedback comments" in remark for remark in export_results(tmp_path, "moodle", into=short).remarks)
    scale = gradebook(
        tmp_path / "scale.csv", [["Scale" if cell == "Maximum Grade" else cell for cell in r] for r in WORKSHEET]
    )
    with pytest.raises(ExportError, match="scale"):
        export_results(tmp_path, "moodle", into=scale)
    german = gradebook(tmp_path / "german.csv", [["ID", "Bewertung"]])
    with pytest.raises(ExportError, match="English"):
        export_results(tmp_path, "moodle", into=german)


def test_moodle_worksheet_of_our_own(tmp_path: Path) -> None:
    leave(tmp_path, *(a_result(f"10{n}", text, name=text) for n, text in enumerate(NASTY)))
    done = export_results(tmp_path, "moodle")
    found = check_moodle(rows_of(done.path))
    assert len(found) == len(NASTY)
    assert all(line["Grade"] == "4" for line in found.values())
    assert done.remarks == ()
    leave(tmp_path, a_result("ada"))
    (remark,) = export_results(tmp_path, "moodle").remarks
    assert "ada" in remark


def test_moodle_cuts_a_mark_above_the_maximum(tmp_path: Path) -> None:
    leave(tmp_path, replace(a_result("1001"), overrides={"elbo": Override(99)}))
    for into in (None, gradebook(tmp_path / "sheet.csv", WORKSHEET)):
        assert check_moodle(rows_of(export_results(tmp_path, "moodle", into=into).path))["1001"]["Grade"] in ("13", "26")


@pytest.mark.parametrize("text", NASTY)
def test_feedback_is_safe_in_html_and_in_a_cell(text: str) -> None:
    result = replace(a_result(text=text), overrides={"walk": Override(1, text)})
    shown = feedback_html(result)
    assert safe_cell(shown) == shown
    words = " ".join(clean(text).replace("`", "").split())
    assert words in " ".join(check_html(shown).replace("`", "").split())
    assert "<script" not in shown


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_safe_everywhere(text: str) -> None:
    result = a_result(student=text, text=text, name=text)
    shown = feedback_html(result)
    assert safe_cell(shown) == shown
    check_html(shown)
    check_gradescope(json.dumps(gradescope_results(result)))


def test_the_instructors_words_reach_the_student() -> None:
    result = replace(a_result(), overrides={"elbo": Override(2.5, "Nice <try>.")})
    assert "Your instructor gave 2.5 of 3 points. Nice <try>." in check_html(feedback_html(result))
    assert "5.5 of 13 points" in check_html(feedback_html(result))


# nbgrader


@pytest.mark.parametrize(
    ("name", "last", "first"),
    [
        ("Ada Lovelace", "Lovelace", "Ada"),
        ("Lovelace, Ada", "Lovelace", "Ada"),
        ("Ada", "Ada", ""),
        ("", "", ""),
        ("Ana María de Sousa", "Sousa", "Ana María de"),
    ],
)
def test_nbgrader_gets_its_columns(tmp_path: Path, name: str, last: str, first: str) -> None:
    leave(tmp_path, replace(a_result("ada", name=name), overrides={"walk": Override(-9)}))
    header, row = rows_of(export_results(tmp_path, "nbgrader").path)
    assert header[:7] == ["assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"]
    assert header[7:] == ["raw_score", "late_submission_penalty", "score", "max_score"]
    line = dict(zip(header, row, strict=True))
    assert (line["assignment"], line["student_id"], line["last_name"], line["first_name"]) == (
        "lab2_vae",
        "ada",
        last,
        first,
    )
    assert [float(line[name]) for name in header[7:]] == [-5, 0, 0, 13]


@pytest.mark.parametrize("text", NASTY)
def test_nbgrader_cells_are_safe(tmp_path: Path, text: str) -> None:
    leave(tmp_path, a_result(student=text, name=f"{text}, {text}"))
    header, row = rows_of(export_results(tmp_path, "nbgrader").path)
    assert len(row) == len(header)
    for cell in row[3:7]:
        assert safe_cell(cell) == cell
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


# JUnit


def test_junit_says_what_came_of_each_exercise(tmp_path: Path) -> None:
    leave(tmp_path, a_result("ada"), a_result("bob"))
    root = check_junit(export_results(tmp_path, "junit").path.read_bytes())
    assert [suite.attrib["name"] for suite in root] == ["ada", "bob"]
    outcomes = {case.attrib["name"]: [outcome.tag for outcome in case] for case in root[0].iterfind("testcase")}
    assert outcomes == {
        **{"gaussian_kl": [], "elbo": ["failure"], "decode": ["error"], "train": ["error"], "sample": ["skipped"]},
        **{"walk": ["skipped"], "answer_kl": ["failure"]},
    }
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib == {"type": "wrong", "message": "You summed over the batch."}
    assert "elbo: not right yet" in (failure.text or "")


def test_junit_follows_the_instructors_marks(tmp_path: Path) -> None:
    leave(tmp_path, replace(a_result(), overrides={"gaussian_kl": Override(1, "No."), "elbo": Override(3)}))
    root = check_junit(export_results(tmp_path, "junit").path.read_bytes())
    first, second = root[0].findall("testcase")[:2]
    assert [outcome.attrib["message"] for outcome in first] == ["Your instructor gave 1 of 3 points. No."]
    assert len(second) == 0


@pytest.mark.parametrize("status", [UNREADABLE, CRASHED])
def test_junit_says_why_nothing_was_graded(tmp_path: Path, status: str) -> None:
    leave(tmp_path, replace(a_result(), grading=Grading(status, reason="not a notebook")))
    root = check_junit(export_results(tmp_path, "junit").path.read_bytes())
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.attrib == {"type": status, "message": "not a notebook"}


@pytest.mark.parametrize("text", NASTY)
def test_junit_is_well_formed_whatever_is_in_it(tmp_path: Path, text: str) -> None:
    leave(tmp_path, a_result(student=text, text=text))
    root = check_junit(export_results(tmp_path, "junit").path.read_bytes())
    assert root[0].attrib["name"] == clean(text.replace("\ud800", "?"))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_junit_is_well_formed_for_any_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("junit")
    leave(folder, replace(a_result("ada", text), lab=text or "lab"))
    check_junit(export_results(folder, "junit").path.read_bytes())


# Texts


@settings(deadline=None)
@given(st.text())
def test_clean_leaves_what_xml_allows_and_people_read(text: str) -> None:
    cleaned = clean(text)
    ElementTree.fromstring(f"<a>{html.escape(cleaned)}</a>".encode())
    assert clean(cleaned) == cleaned
    if all(character.isprintable() or character == "\n" for character in text):
        assert cleaned == text


def test_clean_takes_terminal_colours_away() -> None:
    assert (
        clean("\x1b[1;31mred\x1b[0m \x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\ \x1bMx\r\ny\rz") == "red link x\ny\nz"
    )


@pytest.mark.parametrize("to", ["gradescope", "moodle", "nbgrader", "junit"])
def test_the_same_results_give_the_same_bytes(tmp_path: Path, to: str) -> None:
    def content(folder: Path) -> dict[str, bytes]:
        leave(folder, a_result("ada"), a_result("bob"))
        done = export_results(folder, to, output=folder / "out")
        files = [done.path] if done.path.is_file() else [file for file in done.path.rglob("*") if file.is_file()]
        return {str(file.relative_to(folder)): file.read_bytes() for file in files}

    assert content(tmp_path / "a") == content(tmp_path / "b")
