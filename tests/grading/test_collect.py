"""Folders and archives as the systems make them, and as an adversary does: who handed in what, and nothing else happens."""

import csv
import gc
import io
import os
import re
import socket
import stat
import threading
import unicodedata
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from course.grading import collect as module
from course.grading.collect import Collected, CollectError, Roster, Submitted, collect, file_name, read_roster

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
METADATA = """---
submission_11:
  :submitters:
  - :name: Jane O'Neil
    :sid: '00123'
    :email: jane@example.org
  :score: 3.0
  :results:
    output: |
      :submitters:
      - :name: Mallory
    :created_at: 1999-01-01 00:00:00 Z
  :history:
  - :created_at: 1999-01-01 00:00:00 Z
  :created_at: 2024-05-17 09:30:00.250000000 Z
submission_12:
  :submitters:
  - :name: 'Bob ''B'' Bar'
    :sid:
    :email: bob@example.org
  - :name: "Zo\\u00eb"
    :sid: '200'
    :email:
  :created_at: 2024-05-17 09:30:00 +02:00
submission_13:
  :submitters:
  - :name: Nobody
    :sid:
    :email: ~
"""


def write(root: Path, *names: str, content: bytes = b"{}", when: float = 0) -> None:
    """Write files, with the folders that they need."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if when:
            os.utime(path, (when, when))


def pack(path: Path, members: Mapping[str, bytes] | list[str]) -> Path:
    """Write a zip archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(members, list):
        members = dict.fromkeys(members, b"{}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def ids(collected: Collected) -> list[str]:
    return [submitted.student for submitted in collected.submissions]


def who(*paths: Path, roster: Roster | None = None) -> dict[str, str]:
    """Collect without a problem; gives id -> name."""
    collected = collect(paths, roster)
    assert collected.problems == []
    return {submitted.student: submitted.name for submitted in collected.submissions}


def one(path: Path) -> Submitted:
    (submitted,) = collect([path]).submissions
    return submitted


def as_archive(folder: Path) -> Path:
    """Pack a folder's content as an archive beside it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return pack(folder.with_suffix(".zip"), {path.relative_to(folder).as_posix(): path.read_bytes() for path in files})


def refused(submitted: Submitted) -> str:
    with pytest.raises(CollectError) as caught:
        submitted.content()
    message = str(caught.value)
    assert message.isprintable()
    assert message.endswith(".")
    return message


# ----------------------------------------------------------------------------------------------------------- the systems

SYSTEMS = [
    (["doejane_12345_678901_lab.ipynb"], {"12345": "doejane"}),
    (["doejane_LATE_12345_678901_my lab_1_2_x-1.ipynb"], {"12345": "doejane"}),
    (["müllerüla_7_8_lab.ipynb", "o_neil_9_10_lab.ipynb"], {"7": "müllerüla", "9": "o_neil"}),
    (["LATE_anon_Ab3dE_678901_lab.ipynb", "anon_xY9zw_678902_lab.ipynb"], {"Ab3dE": "", "xY9zw": ""}),
    (["group1_5_77_lab.ipynb", "group1_LATE_6_77_lab.ipynb"], {"5": "group1", "6": "group1"}),
    (["Jane Doe_1234567_assignsubmission_file_/lab.ipynb"], {"1234567": "Jane Doe"}),
    (["Jane Doe_1234567_assignsubmission_file_/deep/er/lab.ipynb"], {"1234567": "Jane Doe"}),
    (["Jane Doe_1234567_assignsubmission_file_lab.ipynb"], {"1234567": "Jane Doe"}),
    (
        ["Jane Doe_1_assignsubmission_file_/lab.ipynb", "Bob_2_assignsubmission_file_/lab.ipynb"],
        {"1": "Jane Doe", "2": "Bob"},
    ),
    (["Jane_7_assignsubmission_file_/lab.ipynb", "bob/lab.ipynb", "carl/x.ipynb"], {"7": "Jane", "bob": "", "carl": ""}),
    (
        ["a/Jane_7_assignsubmission_file_x.ipynb", "a/Bob_8_assignsubmission_file_x.ipynb", "b/x.ipynb", "c/x.ipynb"],
        {"7": "Jane", "8": "Bob", "b": "", "c": ""},
    ),
    (["submitted/jane/lab2/lab.ipynb"], {"jane": ""}),
    (["submitted/jane/lab2/lab.ipynb", "submitted/bob/lab2/lab.ipynb"], {"jane": "", "bob": ""}),
    (["jane/lab.ipynb"], {"jane": ""}),
    (["jane/lab.ipynb", "bob/lab.ipynb"], {"jane": "", "bob": ""}),
    (["jane/lab2/lab.ipynb", "bob/lab2/lab.ipynb"], {"jane": "", "bob": ""}),
    (["class/jane/lab.ipynb", "class/bob/lab.ipynb"], {"jane": "", "bob": ""}),
    (["jane.ipynb", "bob.IPYNB"], {"jane": "", "bob": ""}),
    (["section a/jane.ipynb", "section a/bob.ipynb", "late/carl.ipynb"], {"jane": "", "bob": "", "carl": ""}),
    # Numbers that do not mean one person and one file are not Canvas's.
    (["lab_1_2024_jane.ipynb", "lab_1_2024_bob.ipynb"], {"lab_1_2024_jane": "", "lab_1_2024_bob": ""}),
    (["jane_lab_1_2_x.ipynb", "bob_lab_1_3_x.ipynb"], {"jane_lab_1_2_x": "", "bob_lab_1_3_x": ""}),
    (["2024_11_05_x.ipynb"], {"2024_11_05_x": ""}),
    # What is further inside was named by a student, and may pretend to be somebody else.
    (["Eve_6_assignsubmission_file_/Jane_7_assignsubmission_file_/lab.ipynb"], {"6": "Eve"}),
    (["Eve_6_assignsubmission_file_/submitted/jane/lab2/lab.ipynb"], {"6": "Eve"}),
    (["Eve_6_assignsubmission_file_doejane_12345_678901_lab.ipynb"], {"6": "Eve"}),
    (["submitted/eve/lab2/Jane_7_assignsubmission_file_/lab.ipynb"], {"eve": ""}),
    (["submitted/eve/lab2/doejane_12345_678901_lab.ipynb"], {"eve": ""}),
    (["eve_1_2_Jane_7_assignsubmission_file_.ipynb"], {"1": "eve"}),
    (["eve/doejane_12345_678901_lab.ipynb", "bob/lab.ipynb"], {"eve": "", "bob": ""}),
    (["eve/submitted/bob/lab2/lab.ipynb", "bob/lab.ipynb"], {"eve": "", "bob": ""}),
]


@pytest.mark.parametrize("how", ["folder", "archive", "archive in a folder"])
@pytest.mark.parametrize(("names", "expected"), SYSTEMS)
def test_names_of_the_systems(tmp_path: Path, names: list[str], expected: dict[str, str], how: str) -> None:
    folder = tmp_path / "all"
    write(folder, *names)
    if how == "folder":
        assert who(folder) == expected
    elif how == "archive":
        assert who(as_archive(folder)) == expected
    else:
        pack(tmp_path / "outer" / "download.zip", names)
        found = who(tmp_path / "outer")
        # An archive in a folder that holds one notebook is somebody's own, unless a system's name says more.
        assert found == expected or (len(names) == 1 and list(found) == ["download"])


def test_the_current_folder_and_paths_as_they_are_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "jane/lab.ipynb", "bob/lab.ipynb")
    monkeypatch.chdir(tmp_path)
    assert who(Path(".")) == {"jane": "", "bob": ""}
    assert {submitted.file for submitted in collect([Path(".")]).submissions} == {"jane/lab.ipynb", "bob/lab.ipynb"}
    monkeypatch.chdir(tmp_path / "jane")
    assert who(Path("..")) == {"jane": "", "bob": ""}
    assert who(Path("lab.ipynb")) == {"lab": ""}


def test_folders_given_one_by_one_are_the_students(tmp_path: Path) -> None:
    write(tmp_path, *(f"submitted/{name}/lab2/lab.ipynb" for name in ("jane", "bob", "carl")))
    write(tmp_path, "submitted/carl/lab2/copy.ipynb")
    folders = sorted((tmp_path / "submitted").iterdir())
    for paths in (folders, [folder / "lab2" for folder in folders]):
        assert ids(collect(paths)) == ["bob", "carl", "jane"]
    assert who(*(tmp_path / "submitted").glob("*/lab2/lab.ipynb")) == {"jane": "", "bob": "", "carl": ""}


def test_files_given_one_by_one_have_names_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "all/jane.ipynb", "late/bob.ipynb")
    assert who(tmp_path / "all" / "jane.ipynb", tmp_path / "late" / "bob.ipynb") == {"jane": "", "bob": ""}


def test_archives_of_students_are_told_apart_by_their_names(tmp_path: Path) -> None:
    for name in ("jane", "bob"):
        pack(tmp_path / "all" / f"{name}.zip", ["work/lab.ipynb"])
    assert who(tmp_path / "all") == {"jane": "", "bob": ""}
    assert who(*(tmp_path / "all").iterdir()) == {"jane": "", "bob": ""}


def test_canvas_gives_archives_that_students_handed_in(tmp_path: Path) -> None:
    pack(tmp_path / "doejane_12345_678901_work.zip", ["a/lab.ipynb"])
    pack(tmp_path / "barbob_LATE_12346_678902_work.zip", ["fake_1_2_lab.ipynb"])
    assert who(tmp_path) == {"12345": "doejane", "12346": "barbob"}


def test_no_student_can_cast_doubt_on_anothers_canvas_name(tmp_path: Path) -> None:
    write(tmp_path, "doejane_12345_678901_lab.ipynb")
    pack(tmp_path / "eve_6_7_work.zip", ["mallory_12345_678901_x.ipynb", "mallory_12345_1_y.zip/lab.ipynb"])
    assert list(who(tmp_path)) == ["12345", "6"]


def test_an_archive_that_is_given_is_not_a_student(tmp_path: Path) -> None:
    archive = pack(tmp_path / "lab_1_2_submissions.zip", ["jane.ipynb", "bob.ipynb"])
    assert who(archive) == {"jane": "", "bob": ""}


def test_two_downloads_of_one_file_each(tmp_path: Path) -> None:
    moodle = pack(tmp_path / "moodle.zip", ["Jane_7_assignsubmission_file_/lab.ipynb"])
    canvas = pack(tmp_path / "canvas.zip", ["barbob_8_99_lab.ipynb"])
    assert who(moodle, canvas) == {"7": "Jane", "8": "barbob"}


def test_a_folder_of_many_is_nobodys_own(tmp_path: Path) -> None:
    write(tmp_path, *(f"all/{name}.ipynb" for name in "abcdef"), "late1/g.ipynb", "late2/h.ipynb")
    assert ids(collect([tmp_path])) == ["a", "b", "c", "d", "e", "f", "late1", "late2"]


def test_a_students_second_notebook_stays_hers(tmp_path: Path) -> None:
    write(tmp_path, "jane/lab.ipynb", "jane/copy.ipynb", "bob/lab.ipynb", "carl/lab.ipynb")
    assert who(tmp_path) == {"jane": "", "bob": "", "carl": ""}


def test_one_file_name_in_different_folders_is_pointed_out(tmp_path: Path) -> None:
    write(tmp_path, "a/lab.ipynb", "a/x.ipynb", "b/lab.ipynb", "b/y.ipynb")
    collected = collect([tmp_path])
    assert ids(collected) == ["lab", "x", "y"]
    (problem,) = collected.problems
    write(tmp_path / "one", "jane.ipynb", "jane.IPYNB", "bob.ipynb")
    assert who(tmp_path / "one") == {"jane": "", "bob": ""}
    assert problem.startswith("lab is taken for one student, from different folders: ")


def test_above_what_was_given_submitted_is_just_a_word(tmp_path: Path) -> None:
    write(tmp_path / "submitted" / "lab2", "all/jane.ipynb", "all/bob.ipynb")
    assert who(tmp_path / "submitted" / "lab2") == {"jane": "", "bob": ""}
    write(tmp_path / "submitted" / "jane" / "lab2", "x.ipynb", "timestamp.txt")
    assert who(tmp_path / "submitted" / "jane" / "lab2" / "x.ipynb") == {"jane": ""}
    assert who(tmp_path / "submitted" / "jane" / "lab2") == {"jane": ""}


# ------------------------------------------------------------------------------------------------------------ Gradescope

GRADESCOPE = ["submission_11/lab.ipynb", "submission_12/src/lab.ipynb", "submission_13/lab.ipynb", "submission_14/lab.ipynb"]


@pytest.mark.parametrize("prefix", ["", "assignment_5_export/"])
@pytest.mark.parametrize("zipped", [False, True])
def test_gradescope(tmp_path: Path, prefix: str, zipped: bool) -> None:
    folder = tmp_path / "all"
    write(folder, *(prefix + name for name in GRADESCOPE))
    write(folder, prefix + "submission_metadata.yml", content=METADATA.encode())
    collected = collect([as_archive(folder) if zipped else folder])
    assert collected.problems == []
    assert {submitted.student: submitted.name for submitted in collected.submissions} == {
        "00123": "Jane O'Neil",
        "bob@example.org": "Bob 'B' Bar",
        "200": "Zoë",
        "submission_13": "Nobody",
        "submission_14": "",
    }
    times = {submitted.student: submitted.when for submitted in collected.submissions}
    assert times["00123"] == 1715938200.25  # 2024-05-17 09:30:00.25 UTC
    assert times["200"] == times["bob@example.org"] == 1715938200 - 7200


def test_gradescope_folders_given_one_by_one(tmp_path: Path) -> None:
    write(tmp_path, *GRADESCOPE[:2])
    write(tmp_path, "submission_metadata.yml", content=METADATA.encode())
    assert list(who(*tmp_path.glob("submission_1*"))) == ["00123", "200", "bob@example.org"]
    assert list(who(*tmp_path.iterdir())) == ["00123", "200", "bob@example.org"]


def test_gradescopes_metadata_may_lack_its_last_newline(tmp_path: Path) -> None:
    write(tmp_path, "submission_11/lab.ipynb")
    write(tmp_path, "submission_metadata.yml", content=b"submission_11:\r\n  :submitters:\r\n    - :sid: 0123")
    assert who(tmp_path) == {"0123": ""}


def test_metadata_further_out_is_not_this_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "submission_metadata.yml", content=METADATA.encode())
    write(tmp_path, "inner/submission_11/lab.ipynb")
    monkeypatch.chdir(tmp_path / "inner")
    assert ids(collect([Path(".")])) == ids(collect([tmp_path])) == ["submission_11"]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"[" * 100_000, b"submission_11: 3\n", b"- " * 100_000])
def test_gradescope_without_its_metadata(tmp_path: Path, content: bytes | None) -> None:
    write(tmp_path, "submission_11/lab.ipynb", "submission_12/lab.ipynb")
    if content is not None:
        write(tmp_path, "submission_metadata.yml", content=content)
    collected = collect([tmp_path])
    assert ids(collected) == ["submission_11", "submission_12"]
    (problem,) = collected.problems
    assert "submission_metadata.yml" in problem
    assert "taken for the students' ids" in problem


def test_gradescopes_metadata_may_not_be_huge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "METADATA_LIMIT", len(METADATA) - 1)
    write(tmp_path, "submission_11/lab.ipynb")
    write(tmp_path, "submission_metadata.yml", content=METADATA.encode())
    collected = collect([tmp_path])
    assert ids(collected) == ["submission_11"]
    assert len(collected.problems) == 1


def test_a_student_cannot_bring_metadata_along(tmp_path: Path) -> None:
    write(tmp_path, "Eve_6_assignsubmission_file_/submission_11/lab.ipynb")
    write(tmp_path, "Eve_6_assignsubmission_file_/submission_metadata.yml", content=METADATA.encode())
    assert who(tmp_path) == {"6": "Eve"}


# ------------------------------------------------------------------------------------------------ several of one student


def test_the_latest_is_taken_and_the_others_are_named(tmp_path: Path) -> None:
    for hour, name in enumerate(["b.ipynb", "c.ipynb", "a.ipynb"]):
        write(tmp_path, f"Jane_7_assignsubmission_file_/{name}", content=name.encode(), when=1e9 + 3600 * hour)
    submitted = one(tmp_path)
    assert submitted.content() == b"a.ipynb"
    assert submitted.when == 1e9 + 7200
    (remark,) = submitted.remarks
    folder = tmp_path / "Jane_7_assignsubmission_file_"
    assert remark == (
        f"3 submissions; the latest was graded (2 earlier ones were left out: {folder}/c.ipynb, {folder}/b.ipynb)"
    )


def test_one_earlier_submission_is_in_the_singular(tmp_path: Path) -> None:
    write(tmp_path, "Jane_7_assignsubmission_file_/a.ipynb", "Jane_7_assignsubmission_file_/b.ipynb")
    assert "(1 earlier one was left out: " in one(tmp_path).remarks[0]


def test_a_remark_does_not_list_hundreds(tmp_path: Path) -> None:
    write(tmp_path, *(f"Jane_7_assignsubmission_file_/{number}.ipynb" for number in range(300)))
    (remark,) = one(tmp_path).remarks
    assert remark.endswith(" and 294 more)")


def test_canvas_numbers_its_files(tmp_path: Path) -> None:
    write(tmp_path, "doejane_12345_1000_lab-1.ipynb", content=b"new", when=1e9)
    write(tmp_path, "doejane_LATE_12345_999_lab.ipynb", content=b"old", when=2e9)
    assert one(tmp_path).content() == b"new"


def test_members_have_times(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for year, name in ((2024, "a"), (2023, "b"), (1980, "c")):
            archive.writestr(zipfile.ZipInfo(f"Jane_7_assignsubmission_file_/{name}.ipynb", (year, 1, 1, 0, 0, 0)), name)
        archive.writestr(zipfile.ZipInfo("Jane_7_assignsubmission_file_/d.ipynb", (1980, 0, 0, 0, 0, 0)), "d")
    assert one(tmp_path / "all.zip").content() == b"a"


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (b"2015-02-02 15:58:23.5 UTC", 1422892703.5),
        (b"2015-02-02T15:58:23+01:00\n", 1422889103),
        (b"2015-02-02 15:58:23 -0130", 1422898103),
        (b"2015-99-02 15:58:23 UTC", 1e9),
        (b"yesterday", 1e9),
        (b"\xff" * 900, 1e9),
        (b"2015-02-02 15:58:23 UTC" + b" " * 2000, 1e9),
    ],
)
def test_nbgraders_time_stamp(tmp_path: Path, stamp: bytes, expected: float) -> None:
    write(tmp_path, "submitted/jane/lab2/lab.ipynb", when=1e9)
    write(tmp_path, "submitted/jane/lab2/timestamp.txt", content=stamp)
    assert one(tmp_path).when == expected


def test_what_is_given_twice_counts_once(tmp_path: Path) -> None:
    write(tmp_path, "all/jane.ipynb", "all/bob.ipynb")
    archive = as_archive(tmp_path / "all")
    collected = collect([tmp_path / "all", tmp_path / "all" / "jane.ipynb", tmp_path / "all", archive, archive])
    assert [submitted.remarks[0].split(";")[0] for submitted in collected.submissions] == ["2 submissions"] * 2


# ------------------------------------------------------------------------------------------------------- what is skipped


def test_hidden_files_and_other_files_are_left_out_in_silence(tmp_path: Path) -> None:
    noise = [
        ".ipynb_checkpoints/jane-checkpoint.ipynb",
        "__MACOSX/._jane.ipynb",
        "__MACOSX/jane.ipynb",
        "._jane.ipynb",
        ".hidden.ipynb",
        ".git/x.ipynb",
        "notes.txt",
        "data/table.csv",
        "jane.ipynb.bak",
    ]
    write(tmp_path / "all", "jane.ipynb", *noise)
    assert who(tmp_path / "all") == {"jane": ""}
    assert who(pack(tmp_path / "all.zip", ["jane.ipynb", *noise])) == {"jane": ""}


def test_what_is_named_and_is_nothing_is_said(tmp_path: Path) -> None:
    write(tmp_path, "notes.txt", "bad.zip", "empty.zip", content=b"PK but no archive")
    names = ["notes.txt", "bad.zip", "missing.ipynb", "a\0b.ipynb", "new\nline.ipynb"]
    collected = collect([tmp_path / name for name in names])
    assert collected.submissions == []
    says = ["is no notebook", "is not a zip archive", "No such file", "cannot be opened", "No such file"]
    assert len(collected.problems) == len(says)
    for problem, words in zip(collected.problems, says, strict=True):
        assert words in problem
        assert problem.isprintable()


def test_a_broken_archive_does_not_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path, "jane.ipynb")
    write(tmp_path, "bad.zip", content=pack(tmp_path / "good.zip", ["bob.ipynb", "carl.ipynb"]).read_bytes()[:-30])
    collected = collect([tmp_path])
    assert ids(collected) == ["bob", "carl", "jane"]
    (problem,) = collected.problems
    assert "bad.zip is not a zip archive" in problem


def test_links_in_folders_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "secret/x.ipynb", "all/jane.ipynb", "secret/table.csv")
    (tmp_path / "all" / "dir").symlink_to(tmp_path / "secret")
    (tmp_path / "all" / "loop").symlink_to(tmp_path / "all")
    (tmp_path / "all" / "file.ipynb").symlink_to(tmp_path / "secret" / "x.ipynb")
    (tmp_path / "all" / "dangling.ipynb").symlink_to("/nowhere")
    (tmp_path / "all" / "table.csv").symlink_to(tmp_path / "secret" / "table.csv")
    collected = collect([tmp_path / "all"])
    assert ids(collected) == ["jane"]
    assert len(collected.problems) == 4
    assert all("is a symbolic link" in problem for problem in collected.problems)
    (tmp_path / "named").symlink_to(tmp_path / "secret")
    assert who(tmp_path / "named") == {"x": ""}


def test_links_beside_notebooks_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "stamp", content=b"2015-02-02 15:58:23 UTC")
    write(tmp_path, "submitted/jane/lab2/lab.ipynb", when=1e9)
    (tmp_path / "submitted/jane/lab2/timestamp.txt").symlink_to(tmp_path / "stamp")
    assert one(tmp_path / "submitted").when == 1e9
    assert one(tmp_path / "submitted/jane/lab2/lab.ipynb").when == 1e9


def test_a_file_that_becomes_a_link_or_a_pipe_is_not_opened(tmp_path: Path) -> None:
    write(tmp_path, "all/jane.ipynb", "secret")
    submitted = one(tmp_path / "all")
    (tmp_path / "all" / "jane.ipynb").unlink()
    (tmp_path / "all" / "jane.ipynb").symlink_to(tmp_path / "secret")
    assert "cannot be read" in refused(submitted)
    (tmp_path / "all" / "jane.ipynb").unlink()
    os.mkfifo(tmp_path / "all" / "jane.ipynb")
    assert "no ordinary file" in refused(submitted)


@pytest.mark.timeout(20)
def test_pipes_and_sockets_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.ipynb")
    os.mkfifo(tmp_path / "pipe.zip")
    os.mkfifo(tmp_path / "timestamp.txt")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.ipynb")
        for paths, problems in (([tmp_path], 4), ([tmp_path / "pipe.ipynb", tmp_path / "pipe.zip", Path("/dev/zero")], 3)):
            collected = collect(paths)
            assert collected.submissions == []
            assert len(collected.problems) == problems
            assert all("is no ordinary file" in problem for problem in collected.problems)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may search everything")
def test_a_folder_that_cannot_be_searched_is_said(tmp_path: Path) -> None:
    write(tmp_path, "closed/jane.ipynb")
    (tmp_path / "closed").chmod(0)
    (problem,) = collect([tmp_path]).problems
    (tmp_path / "closed").chmod(0o700)
    assert "cannot be searched" in problem


# -------------------------------------------------------------------------------------------------------------- archives


def test_members_are_read_and_nothing_is_extracted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    names = [
        "../../evil.ipynb",
        "/tmp/evil2.ipynb",
        "a/../evil3.ipynb",
        "C:\\x\\evil4.ipynb",
        "..\\evil5.ipynb",
        "jane.ipynb",
    ]
    archive = pack(tmp_path / "here" / "all.zip", {name: name.encode() for name in names})
    collected = collect([archive])
    assert {submitted.content().decode() for submitted in collected.submissions} == set(names)
    assert {submitted.file for submitted in collected.submissions} >= {
        f"{archive}: jane.ipynb",
        f"{archive}: ../../evil.ipynb",
    }
    assert list(tmp_path.rglob("*")) == [tmp_path / "here", archive]


def test_member_links_and_nested_archives_are_problems(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        link = zipfile.ZipInfo("link.ipynb")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("jane.ipynb", "{}")
        for number in range(7):
            archive.writestr(f"inner{number}.zip", "PK")
    collected = collect([tmp_path / "all.zip"])
    assert ids(collected) == ["jane"]
    links, nested = collected.problems
    assert "holds links, which were left out: link.ipynb." in links
    assert "inner4.zip and 2 more." in nested


def test_members_that_lie_about_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONTENT_LIMIT", 1_000_000)
    pack(tmp_path / "all.zip", {"jane.ipynb": b"0" * 1_000_001, "bob.ipynb": b"0" * 1_000_000})
    bob, jane = collect([tmp_path / "all.zip"]).submissions
    assert len(bob.content()) == 1_000_000
    assert "is over 1 MB" in refused(jane)
    data = (tmp_path / "all.zip").read_bytes().replace((1_000_001).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    (tmp_path / "all.zip").write_bytes(data)
    _, jane = collect([tmp_path / "all.zip"]).submissions
    refused(jane)  # with the header's size believed, the checksum is wrong


def test_files_have_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONTENT_LIMIT", 1_000_000)
    write(tmp_path, "jane.ipynb", content=b"0" * 1_000_001)
    assert "is over 1 MB" in refused(one(tmp_path))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", method) as archive:
        archive.writestr("jane.ipynb", b"0" * 100_000)
    assert "compressed in an unusual way" in refused(one(tmp_path / "all.zip"))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "all.zip", ["jane.ipynb"])
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(data)
    assert "is encrypted" in refused(one(archive))


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "all.zip", {"jane.ipynb": os.urandom(1000)})
    data = bytearray(archive.read_bytes())
    for position, words in ((200, "Bad CRC|Error -3"), (1, "Bad magic|File name|cannot be read")):
        broken = bytearray(data)
        broken[position] ^= 255
        archive.write_bytes(broken)
        message = refused(one(archive))
        assert re.search(words, message)
        assert "jane.ipynb" in message


def test_what_is_gone_is_said(tmp_path: Path) -> None:
    write(tmp_path, "all/jane.ipynb")
    archive = as_archive(tmp_path / "all")
    found = [one(tmp_path / "all"), one(archive)]
    (tmp_path / "all" / "jane.ipynb").unlink()
    archive.unlink()
    assert all("is gone" in refused(submitted) for submitted in found)


def test_an_archive_that_changes_is_not_mixed_up(tmp_path: Path) -> None:
    archive = pack(tmp_path / "all.zip", {"jane.ipynb": b"jane's", "bob.ipynb": b"bob's"})
    submitted = collect([archive]).submissions
    pack(archive, {"a longer name.ipynb": b"x" * 99})
    for each in submitted:
        refused(each)


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(tmp_path / "all.zip", [f"{number}.ipynb" for number in range(11)])
    monkeypatch.setattr(module, "MEMBERS_LIMIT", 11)
    assert len(collect([archive]).submissions) == 11
    monkeypatch.setattr(module, "MEMBERS_LIMIT", 10)
    collected = collect([archive])
    assert collected.submissions == []
    assert "has 11 members, over 10" in collected.problems[0]


def test_a_huge_table_of_contents_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(tmp_path / "all.zip", [f"{number:0100}.ipynb" for number in range(2000)])
    monkeypatch.setattr(module, "DIRECTORY_LIMIT", 100_000)
    collected = collect([archive])
    assert collected.submissions == []
    assert "table of contents is too long" in collected.problems[0]


def test_names_in_utf_8_without_the_flag(tmp_path: Path) -> None:
    archive = pack(tmp_path / "all.zip", ["xxllerulrich_7_8_lab.ipynb", "Jürgen_9_assignsubmission_file_lab.ipynb"])
    archive.write_bytes(archive.read_bytes().replace(b"xxller", "üller".encode()))
    assert who(archive) == {"7": "üllerulrich", "9": "Jürgen"}


def test_two_members_of_one_name_are_two_submissions(tmp_path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(zipfile.ZipInfo("jane.ipynb", (2024, 1, 1, 0, 0, 0)), "new")
        archive.writestr(zipfile.ZipInfo("jane.ipynb", (2023, 1, 1, 0, 0, 0)), "old")
    submitted = one(tmp_path / "all.zip")
    assert submitted.content() == b"new"
    assert len(submitted.remarks) == 1


def test_members_are_read_from_threads_and_processes(tmp_path: Path) -> None:
    expected = {f"{number}.ipynb": str(number).encode() * 50_000 for number in range(20)}
    submitted = collect([pack(tmp_path / "all.zip", expected)]).submissions
    wrong: list[str] = []

    def check() -> None:
        wrong.extend(each.file for each in submitted if each.content() != expected[f"{each.student}.ipynb"])

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = module._opened(tmp_path / "all.zip")
    child = os.fork()
    if child == 0:
        check()
        os._exit(len(wrong) > 0 or module._opened(tmp_path / "all.zip") is mine)
    check()
    assert os.waitpid(child, 0)[1] == 0
    assert wrong == []


def test_archives_that_are_no_longer_needed_are_closed(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for number in range(9):  # more than are kept open
            assert len(collect([pack(tmp_path / f"{number}.zip", ["jane.ipynb"])]).submissions) == 1
        gc.collect()
    assert [str(warning.message) for warning in heard] == []
    open_files = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert sum(name.startswith(str(tmp_path)) for name in open_files) <= 4


@pytest.mark.slow
def test_ten_thousand_members_are_found_and_read_soon(tmp_path: Path) -> None:
    archive = pack(tmp_path / "all.zip", [f"Student {n}_{n}_assignsubmission_file_/lab.ipynb" for n in range(10_000)])
    submitted = collect([archive]).submissions
    assert len(submitted) == 10_000
    assert all(each.content() == b"{}" for each in submitted)


# ---------------------------------------------------------------------------------------------------------------- roster


def roster_of(tmp_path: Path, content: bytes) -> Roster:
    (tmp_path / "roster.csv").write_bytes(content)
    return read_roster(tmp_path / "roster.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_rosters(tmp_path: Path, delimiter: str, encoding: str, newline: str) -> None:
    rows = [["Name", " ID ", "E-Mail"], ["Müller, Šárka", "s1", "ina@x.org"], [], ["Bob; B", " s2 ", ""], ["", "s3"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    roster = roster_of(tmp_path, text.getvalue().encode(encoding))
    assert roster.students == {"s1": "Müller, Šárka", "s2": "Bob; B", "s3": ""}
    assert roster.find(["nobody", "INA@x.org"]) == "s1"
    assert roster.find(["bob; b"]) == "s2"
    assert roster.find(["", "nobody"]) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "needs one column named id"),
        (b"\n\n", "needs one column named id"),
        (b"name,email\nJane,x", "needs one column named id"),
        (b"id,ID\n1,2", "needs one column named id"),
        (b"id,name\n", "lists no student"),
        (b"id,name\n1,Jane\n1,Bob\n", "has the id 1 a second time, in row 3"),
        (b"id,name\n1,Jane\n,Bob\n", "has no id, in row 3"),
        (b'id,name\n1,"' + b"x" * 200_000, "is not a CSV file"),
    ],
)
def test_rosters_that_cannot_be_used(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(CollectError) as caught:
        roster_of(tmp_path, content)
    assert says in str(caught.value)
    assert "roster.csv" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["missing.csv", "", "a\0b"])
def test_rosters_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(CollectError):
        read_roster(tmp_path / name)


def test_a_roster_gives_ids_and_says_who_is_absent(tmp_path: Path) -> None:
    rows = ["id,name,email,canvas id,section", "z9,Jane Doe,jane@x.org,12345,A", "b2,Bob Bar,bob@x.org,,A", "c3,Carl,,,A"]
    roster = roster_of(tmp_path, "\n".join([*rows, "d4,Dora,d@x.org,,B"]).encode())
    write(tmp_path / "all", "doejane_12345_1_lab.ipynb", "BOB@x.org.ipynb", "eve.ipynb", "A.ipynb")
    collected = collect([tmp_path / "all"], roster)
    assert [(each.student, each.name, each.remarks) for each in collected.submissions] == [
        ("A", "", ("not in the roster",)),  # all of section A is nobody
        ("b2", "Bob Bar", ()),
        ("eve", "", ("not in the roster",)),
        ("z9", "Jane Doe", ()),
    ]
    assert collected.absent == [("c3", "Carl"), ("d4", "Dora")]


def test_a_roster_joins_submissions_from_two_systems(tmp_path: Path) -> None:
    roster = roster_of(tmp_path, b"id,name,canvas\ns1,Jane Doe,12345\n")
    write(tmp_path / "all", "doejane_12345_1_lab.ipynb", when=2e9)
    write(tmp_path / "all", "Jane Doe_7_assignsubmission_file_/lab.ipynb", when=1e9)
    (submitted,) = collect([tmp_path / "all"], roster).submissions
    assert submitted.student == "s1"
    assert submitted.file.endswith("doejane_12345_1_lab.ipynb")
    assert submitted.remarks[0].startswith("2 submissions")


def test_a_name_that_the_roster_lacks_is_taken_from_the_file(tmp_path: Path) -> None:
    write(tmp_path / "all", "Jane Doe_7_assignsubmission_file_/lab.ipynb")
    assert who(tmp_path / "all", roster=roster_of(tmp_path, b"id,name\n7,\n")) == {"7": "Jane Doe"}


def test_names_that_two_students_share_find_neither_and_ids_come_first(tmp_path: Path) -> None:
    roster = roster_of(tmp_path, b"id,name,other\n1,Jane,2\n2,Jane,\n3,Carl,\n")
    assert roster.find(["jane"]) is None
    assert roster.find(["2"]) == "2"
    assert roster.find(["carl"]) == "3"


def test_gradescopes_students_are_found_by_email_and_name(tmp_path: Path) -> None:
    roster = roster_of(tmp_path, "id,name,email\na,Jane,JANE@example.org\nb,Zoë,\n".encode())
    write(tmp_path / "all", "submission_11/lab.ipynb", "submission_12/lab.ipynb")
    write(tmp_path / "all", "submission_metadata.yml", content=METADATA.encode())
    assert who(tmp_path / "all", roster=roster) == {"a": "Jane", "b": "Zoë", "bob@example.org": "Bob 'B' Bar"}


def test_names_are_compared_however_their_letters_are_composed(tmp_path: Path) -> None:
    roster = roster_of(tmp_path, unicodedata.normalize("NFD", "id,name\n1,Zoë\n").encode())
    write(tmp_path / "all", "zoë.ipynb")
    assert who(tmp_path / "all", roster=roster) == {"1": "Zoë"}


# ------------------------------------------------------------------------------------------------------------ file names

ANY = st.text(st.characters(), max_size=120)
ODD = st.text(st.sampled_from("aAbİıßſé./\\-_ \n\0\u202e\"'<>:|?*~€😀\ud800\u0301²"), max_size=12)
RESERVED = st.sampled_from(
    ["CON", "con", "nul", "aux.txt", "COM1", "lpt9.x.y", "com¹", "", ".", "..", "...", "a.", "a ", "-rf"]
)


@pytest.mark.parametrize("plain", ["12345", "jane", "jane.doe", "a_b-c", "müller", "王小明", "s1.2"])
def test_a_plain_id_is_its_own_file_name(plain: str) -> None:
    assert file_name(plain) == plain


@pytest.mark.parametrize(
    ("student", "start"),
    [
        ("Jane", "Jane-"),
        ("jane@x.org", "jane_x.org-"),
        ("../../etc", "_"),
        (".hidden", "_hidden-"),
        ("con", "_con-"),
        ("nul.txt", "_nul.txt-"),
        ("a.", "a_-"),
        ("a b", "a_b-"),
        ("a\u202eb", "a_b-"),
        ("", "-"),
        ("x" * 300, "x" * 80 + "-"),
        ("𐐨" * 300, "𐐨" * 45 + "-"),
        (unicodedata.normalize("NFD", "가"), "가-"),
        ("a-0123abcd", "a-0123abcd-"),
    ],
)
def test_any_other_id_gets_a_hash(student: str, start: str) -> None:
    name = file_name(student)
    assert name.startswith(start)
    assert re.search(r"-[0-9a-f]{8}$", name)


def test_a_name_cannot_be_taken_by_an_id_that_looks_like_it() -> None:
    assert file_name(file_name("Jane")) != file_name("Jane")


@settings(max_examples=500, deadline=None)
@given(student=ANY | ODD | RESERVED)
def test_file_names_are_safe(student: str) -> None:
    name = file_name(student)
    assert name
    assert len(name) <= 100
    assert len(name.encode()) <= 200
    assert name == unicodedata.normalize("NFC", name)
    assert all(c.isalnum() or c in "._-" for c in name)
    assert ".." not in name
    assert not name.startswith((".",))
    assert not name.endswith((".", " "))
    assert name.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "COM¹", "LPT9"}
    assert file_name(student) == name


@settings(max_examples=1000, deadline=None)
@given(one=ANY | ODD | RESERVED, other=ANY | ODD | RESERVED)
@example("Jane", "jane")
@example("straße", "strasse")
@example("ı", "i")
@example("\ud800", "?")
@example("İ", "i̇")
@example("zoë", unicodedata.normalize("NFD", "zoë"))
@example("a/b", "a_b")
@example("x" * 81, "x" * 82)
def test_distinct_ids_have_distinct_names_in_either_case(one: str, other: str) -> None:
    assume(one != other)
    for fold in (str.casefold, str.upper, str.lower):
        assert unicodedata.normalize("NFD", fold(file_name(one))) != unicodedata.normalize("NFD", fold(file_name(other)))


@settings(max_examples=300, deadline=None)
@given(student=ODD)
def test_ids_that_differ_in_case_only(student: str) -> None:
    names = {each: file_name(each).casefold() for each in {student, student.upper(), student.lower(), student.swapcase()}}
    assert len(set(names.values())) == len(names)


# ------------------------------------------------------------------------------------------------------------------ fuzz

NAME = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=8)
PART = NAME | st.sampled_from(
    ["submitted", "submission_11", "Jane_7_assignsubmission_file_", "a_1_2_b", "..", ".", "__MACOSX", "x.zip", "jane", "bob"]
)
MEMBER = st.builds(
    lambda parts, name: "/".join([*parts, name]),
    st.lists(PART, max_size=3),
    st.builds(str.__add__, PART, st.sampled_from([".ipynb", ".ipynb", ".zip", ".txt", "/"]))
    | st.sampled_from(["submission_metadata.yml", "timestamp.txt", "a_1_2_b.ipynb", "anon_x_1_y.ipynb"]),
)


def outcome(action: Callable[[], object]) -> str:
    """Do something that may be refused; gives the message."""
    try:
        action()
    except CollectError as error:
        return str(error)
    return ""


def sound(collected: Collected) -> None:
    """Check what holds of anything that is collected."""
    assert ids(collected) == sorted(set(ids(collected)))
    for submitted in collected.submissions:
        for text in (submitted.student, submitted.name, submitted.file, *submitted.remarks):
            assert "\n" not in text
            assert text.encode() is not None
        assert submitted.student
        assert "\n" not in outcome(submitted.content)
    for problem in collected.problems:
        assert "\n" not in problem
        assert problem.encode() is not None


@FUZZ
@given(members=st.lists(st.tuples(MEMBER, st.binary(max_size=20) | st.just(METADATA.encode())), max_size=8))
def test_fuzz_archives_of_random_members(tmp_path: Path, members: list[tuple[str, bytes]]) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in members:
            archive.writestr(name, content)
    collected = collect([tmp_path / "all.zip"])
    sound(collected)
    shown = {name for name, _ in members if name.endswith(".ipynb")}
    assert len(collected.submissions) <= len(members) * 2  # two in a group
    assert bool(collected.submissions) == any(
        not any(
            (part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in re.split(r"[/\\]", name)
        )
        for name in shown
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "all.zip"]


@FUZZ
@given(noise=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6), cut=st.integers(0, 600))
def test_fuzz_damaged_archives(tmp_path: Path, noise: list[tuple[int, int]], cut: int) -> None:
    names = [
        "submission_11/a.ipynb",
        "submission_metadata.yml",
        "submitted/a/b/c.ipynb",
        "Jane_7_assignsubmission_file_x.ipynb",
    ]
    data = bytearray(pack(tmp_path / "all.zip", dict.fromkeys(names, METADATA[:150].encode())).read_bytes())
    for position, value in noise:
        data[-1 - position % len(data)] = value
    (tmp_path / "all.zip").write_bytes(data[: len(data) - (cut if cut < 100 else 0)])
    sound(collect([tmp_path / "all.zip"]))


@FUZZ
@given(data=st.binary(max_size=300), text=st.text(max_size=100))
def test_fuzz_rosters_and_metadata(tmp_path: Path, data: bytes, text: str) -> None:
    for content in (data, b"id,name\n" + data, METADATA.encode() + data, METADATA.replace("Jane O'Neil", text).encode()):
        write(tmp_path, "submission_11/lab.ipynb")
        write(tmp_path, "submission_metadata.yml", content=content)
        sound(collect([tmp_path]))
        assert "\n" not in outcome(lambda content=content: roster_of(tmp_path / "submission_11", content))


@FUZZ
@given(name=NAME, number=st.integers(1, 10**12), inside=MEMBER)
def test_fuzz_moodle_names(tmp_path: Path, name: str, number: int, inside: str) -> None:
    assume("_" not in name and not name.startswith("."))
    parts = [part for part in re.split(r"[/\\]", inside) if part not in ("", ".", "..")]
    assume(parts and parts[-1].endswith(".ipynb") and not any(p.startswith(".") or p == "__MACOSX" for p in parts))
    assume(not re.search(r"[\\]", name))
    pack(tmp_path / "all.zip", [f"{name}_{number}_assignsubmission_file_/{inside}"])
    submitted = one(tmp_path / "all.zip")
    assert submitted.student == str(number)
    assert submitted.name == module._tidy(name)


def test_a_folder_with_a_blank_name_has_a_student_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "submitted" / " " / "lab").mkdir(parents=True)
    (tmp_path / "submitted" / " " / "lab" / "lab.ipynb").write_bytes(b"{}")
    assert ids(collect([tmp_path / "submitted"])) == ["unnamed"]
