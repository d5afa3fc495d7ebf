"""Find the submissions in files, folders and zip archives, and say who handed each of them in.

Nothing is extracted to disk, no symbolic link in a folder is followed, and contents are read only when they are asked for.

Who it was is read from the names that these systems give. The outermost name that fits decides, since what is further
inside was named by the student.

| system     | name                                                         | id                          | name           |
|------------|--------------------------------------------------------------|-----------------------------|----------------|
| Canvas     | doejane_LATE_12345_678901_lab-1.ipynb ("LATE_" or nothing)   | 12345, the user             | doejane        |
|            | LATE_anon_Ab3dE_678901_lab.ipynb (marked anonymously)        | Ab3dE                       |                |
| Moodle     | Jane Doe_1234567_assignsubmission_file_/lab.ipynb            | 1234567, the participant    | Jane Doe       |
|            | Jane Doe_1234567_assignsubmission_file_lab.ipynb             |                             |                |
| Gradescope | submission_12345678/lab.ipynb, beside submission_metadata.yml| :sid:, else :email: in that | :name: in that |
| nbgrader   | submitted/jane/lab2/lab.ipynb                                | jane                        |                |
| any other  | jane/lab.ipynb, in a folder or archive of her own            | jane                        |                |
|            | jane.ipynb                                                   | jane                        |                |

A folder is a student's own if most of the folders beside it hold exactly one notebook, and it holds three at most.
Several submissions of one student are told apart by time: Gradescope's :created_at:, nbgrader's timestamp.txt, Canvas's
number of the file (the last one in its name, which grows), else the time stamp of the file.
"""

import csv
import hashlib
import io
import json
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import IO

from course.grading.notebook import CONTENT_LIMIT

MEMBERS_LIMIT = 100_000  # of one archive
DIRECTORY_LIMIT = 24_000_000  # bytes of an archive's table of contents
METADATA_LIMIT = 10_000_000  # bytes of submission_metadata.yml and of a roster
A_FEW = 3  # notebooks that a student's own folder may hold
SHOWN = 5  # names listed in one remark
CHUNK = 1 << 16

METADATA, TIMESTAMP = "submission_metadata.yml", "timestamp.txt"
CANVAS = re.compile(r"(?P<name>[^\W\d]\w*?)_(?:LATE_)?(?P<id>[0-9]{1,18})_(?P<upload>[0-9]{1,18})_(?P<file>.+)", re.DOTALL)
CANVAS_ANONYMOUS = re.compile(r"(?:LATE_)?anon_(?P<id>[A-Za-z0-9]{1,18})_(?P<upload>[0-9]{1,18})_(?P<file>.+)", re.DOTALL)
MOODLE = re.compile(r"(?P<name>[^_]+)_(?P<id>[0-9]+)_assignsubmission_file_")  # an _ in a name has become a space
GRADESCOPE = re.compile(r"submission_[0-9]+")
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d+)?(?: ?([+-])(\d\d):?(\d\d))?")
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)  # by Windows
DEFECTS = (OSError, ValueError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


class CollectError(Exception):
    """A submission or a roster cannot be read; the message is one line: what it is, what was expected, what to do."""


@dataclass(frozen=True)
class Submitted:
    """A submission that was found: who handed it in, and where it stands."""

    student: str  # the id
    name: str  # the person's name; "" if not known
    file: str  # to be shown: "folder/jane.ipynb" or "archive.zip: jane.ipynb"
    when: float  # time stamp; larger is later
    remarks: tuple[str, ...]  # such as "not in the roster"
    place: Path = field(repr=False)  # of the file or the archive on disk
    member: zipfile.ZipInfo | None = field(default=None, repr=False, compare=False)  # in the archive

    def content(self) -> bytes:
        """Read the file. Raises CollectError if it is gone, damaged, encrypted or too large."""
        return _read(self.place, self.member, self.file, CONTENT_LIMIT)


@dataclass(frozen=True)
class Roster:
    """Who takes the course: id -> name, and the other words by which a row may be found, folded as _fold does."""

    students: Mapping[str, str]
    aliases: Mapping[str, str]  # folded word -> id; words of several rows are left out

    def find(self, words: Iterable[str]) -> str | None:
        """Return the id of the row that the first known word belongs to."""
        return next((self.aliases[_fold(word)] for word in words if _fold(word) in self.aliases), None)


@dataclass(frozen=True)
class Collected:
    """What was found: one submission a student, sorted by id; who of the roster is missing; what needs a person's eyes."""

    submissions: list[Submitted]
    absent: list[tuple[str, str]]  # (id, name), in the order of the roster
    problems: list[str]


def collect(paths: Sequence[Path], roster: Roster | None = None) -> Collected:
    """Find the notebooks in files, folders (searched through) and zip archives, and who handed them in.

    Of several submissions of one student the latest is taken, and its remarks name the others. With a roster, ids are the
    roster's: a submission belongs to the row that has its id, e-mail address or name in any column.
    """
    search = _Search(paths)
    for path in paths:
        search.add(path)
    found: dict[str, list[tuple[_File, _Who]]] = defaultdict(list)
    for file, who in _Names(search).students():
        row = roster.find((who.student, *who.words)) if roster else None
        if roster and row is not None:
            who = replace(who, student=row, name=roster.students[row] or who.name)
        found[who.student].append((file, who))
    known = roster.students if roster else found
    remarks = {student: "" if student in known else "not in the roster" for student in found}
    submissions = [_latest(found[student], remarks[student]) for student in sorted(found)]
    absent = [(student, name) for student, name in roster.students.items() if student not in found] if roster else []
    return Collected(submissions, absent, search.problems)


def read_roster(path: Path) -> Roster:
    """Read a CSV file with a header: a column `id`, perhaps `name`, and any others by which students are known elsewhere.

    Those (email, sid, canvas id, login, …) are aliases. UTF-8 and Windows-1252; commas, semicolons or tabs.
    Raises CollectError.
    """
    shown = _tidy(str(path))
    try:
        place = Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise CollectError(f"{shown} cannot be read: {_reason(error)}. Check the path.") from None
    content = _read(place, None, shown, METADATA_LIMIT)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    header = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(map(str.strip, row))]
    except csv.Error as error:
        raise CollectError(f"{shown} is not a CSV file ({error}). Export the roster again as CSV.") from None
    columns = [_fold(column) for column in rows[0]] if rows else []
    if columns.count("id") != 1:
        raise CollectError(f"{shown} needs one column named id in its first line. Name the one that holds the ids.")
    students: dict[str, str] = {}
    owners: dict[str, set[str]] = defaultdict(set)
    for number, row in enumerate(rows[1:], start=2):
        cells = dict(zip(columns, map(_tidy, row), strict=False))
        student = cells.get("id", "")
        if not student or student in students:
            fault = f"the id {student} a second time" if student else "no id"
            raise CollectError(f"{shown} has {fault}, in row {number}. Give each student one row and one id.")
        students[student] = cells.get("name", "")
        for word in filter(None, cells.values()):
            owners[_fold(word)].add(student)
    if not students:
        raise CollectError(f"{shown} lists no student. Write one row for each below the header.")
    aliases = {word: next(iter(ids)) for word, ids in owners.items() if len(ids) == 1}
    # An id always finds its own row, even where it is some other row's e-mail address or number.
    folded = Counter(map(_fold, students))
    aliases.update({_fold(student): student for student in students if folded[_fold(student)] == 1})
    return Roster(students, aliases)


def file_name(student: str) -> str:
    """Turn an id into a file's stem that is safe on every system: distinct ids give distinct names, in either case too.

    Letters and digits of any script and ._- are kept, anything else becomes _. If that changes the id, or another id could
    have the same name on a file system that ignores case, 8 digits of its SHA-256 are added.
    """
    kept = "".join(c if c.isalnum() or c in "._-" else "_" for c in unicodedata.normalize("NFC", student))
    kept = re.sub(r"^[.-]|\.$|\.{2,}", "_", kept[:80])
    kept = f"_{kept}" if RESERVED.fullmatch(kept) else kept
    while len(kept.encode()) > 180:
        kept = kept[:-1]
    one_case = kept.casefold() == kept == kept.upper().casefold()
    if kept == student and one_case and kept and not re.search(r"-[0-9a-f]{8}$", kept):
        return kept
    return f"{kept}-{hashlib.sha256(student.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


# --------------------------------------------------------------------------------------------------------------- finding


@dataclass(frozen=True)
class _File:
    """A file that was found, by the names on the way to it: those of the path as given, of folders and of an archive."""

    parts: tuple[str, ...]
    root: int  # so many of them were given
    shown: str
    when: float
    place: Path
    member: zipfile.ZipInfo | None = None

    def folders(self) -> list[tuple[str, ...]]:
        """List the folders and archives that it is in, outermost first, from the one that was given."""
        return [self.parts[:length] for length in range(self.root, len(self.parts))]

    def flat(self) -> list[int]:
        """List where in the parts Canvas's names may stand: it gives one flat list of files, of which some are archives."""
        last = len(self.parts) - 1
        return [depth for depth in range(self.root, last) if _kind(self.parts[depth]) == ".zip"] + [last]


class _Search:
    """Walks through what is given and lists notebooks, the files beside them that say when and who, and problems."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.notebooks: list[_File] = []
        self.beside: dict[tuple[str, ...], _File] = {}  # submission_metadata.yml and timestamp.txt, by their parts
        self.problems: list[str] = []
        self._seen: set[tuple[Path, int]] = set()
        self._given = Counter(path.name for path in paths)

    def add(self, path: Path) -> None:
        """Search a file, a folder or an archive that was named. What is named may be a symbolic link."""
        shown = _tidy(str(path))
        try:
            place = Path(os.path.realpath(path))
            status = place.stat()
        except (OSError, ValueError) as error:
            self.problems.append(f"{shown} cannot be opened: {_reason(error)}. Check the path.")
            return
        if stat.S_ISDIR(status.st_mode):
            self._add_beside(path)
            self._folder(place, path.parts, len(path.parts))
        elif not stat.S_ISREG(status.st_mode):
            self.problems.append(f"{shown} is no ordinary file and was left out. Give notebooks, folders or zip archives.")
        elif _kind(path.name) == ".zip":
            self._archive(place, path.parts, len(path.parts), shown)
        elif _kind(path.name):
            self._add_beside(path)
            # Of files of one name, as */lab2.ipynb gives them, it is the folders that tell who handed them in.
            root = len(path.parts) - (self._given[path.name] > 1)
            self._file(_File(path.parts, root, shown, status.st_mtime, place))
        else:
            self.problems.append(f"{shown} is no notebook and was left out. Give .ipynb files, folders or zip archives.")

    def _add_beside(self, path: Path) -> None:
        for name in (METADATA, TIMESTAMP):
            beside = path.parent / name
            place = Path(os.path.realpath(path.parent), name)
            if stat.S_ISREG(_mode(place)):
                self._file(_File(beside.parts, 0, _tidy(str(beside)), 0.0, place))

    def _folder(self, place: Path, parts: tuple[str, ...], root: int) -> None:
        waiting = [(place, parts)]
        while waiting:
            folder, names = waiting.pop()
            try:
                with os.scandir(folder) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
                for entry in entries:
                    if not _hidden(entry.name):
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append((folder / entry.name, (*names, entry.name)))
                        else:
                            self._entry(entry, folder / entry.name, (*names, entry.name), root)
            except OSError as error:
                shown = _tidy(str(Path(*names)))
                self.problems.append(f"{shown} cannot be searched: {_reason(error)}. Check its permissions.")

    def _entry(self, entry: os.DirEntry[str], place: Path, parts: tuple[str, ...], root: int) -> None:
        shown, kind = _tidy(str(Path(*parts))), _kind(entry.name)
        if entry.is_symlink():
            if kind or entry.is_dir():
                self.problems.append(f"{shown} is a symbolic link and was left out. Put the file itself there.")
        elif kind and not entry.is_file(follow_symlinks=False):
            self.problems.append(f"{shown} is no ordinary file and was left out. Put a notebook there.")
        elif kind == ".zip":
            self._archive(place, parts, root, shown)
        elif kind:
            self._file(_File(parts, root, shown, entry.stat(follow_symlinks=False).st_mtime, place))

    def _archive(self, place: Path, parts: tuple[str, ...], root: int, shown: str) -> None:
        try:
            members = _opened(place).infolist()
        except DEFECTS as error:
            self.problems.append(f"{shown} is not a zip archive that can be read ({_reason(error)}). Download it again.")
            return
        if len(members) > MEMBERS_LIMIT:
            self.problems.append(f"{shown} has {len(members)} members, over {MEMBERS_LIMIT}, and was left out. Unpack it.")
            return
        links, nested = [], []
        for member in members:
            name = _member_name(member)
            inside = tuple(part for part in re.split(r"[/\\]", name) if part not in ("", ".", ".."))
            kind = _kind(inside[-1]) if inside else ""
            if not kind or name.endswith(("/", "\\")) or any(map(_hidden, inside)):
                continue
            mode = stat.S_IFMT(member.external_attr >> 16)
            if mode not in (0, stat.S_IFREG):
                links.append(name)
            elif kind == ".zip":
                nested.append(name)
            else:
                label = f"{shown}: {_tidy(name)}"
                self._file(_File((*parts, *inside), root, label, _dos_time(member), place, member))
        if links:
            self.problems.append(f"{shown} holds links, which were left out: {_listed(links)}. Ask for the files.")
        if nested:
            self.problems.append(f"{shown} holds zip archives, which were not opened: {_listed(nested)}. Unpack it first.")

    def _file(self, file: _File) -> None:
        if file.parts[-1] in (METADATA, TIMESTAMP):
            self.beside[file.parts] = file
            return
        key = (file.place, file.member.header_offset if file.member else -1)
        if key not in self._seen:  # a path may be given twice, or lie in another
            self._seen.add(key)
            self.notebooks.append(file)


def _kind(name: str) -> str:
    """Say what a file's name makes it: ".ipynb", ".zip", the name of a file that is read beside notebooks, or ""."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix if suffix in (".ipynb", ".zip") else name if name in (METADATA, TIMESTAMP) else ""


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except (OSError, ValueError):
        return 0


def _member_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name. Canvas and macOS write UTF-8 without the flag that says so, which zipfile takes for cp437."""
    if not member.flag_bits & 0x800:
        try:
            return member.filename.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return member.filename


def _dos_time(member: zipfile.ZipInfo) -> float:
    try:
        return datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


# --------------------------------------------------------------------------------------------------------------- reading


class _Bounded(io.FileIO):
    """A file that refuses a huge read: zipfile reads an archive's table of contents in one go, as long as it says it is."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > DIRECTORY_LIMIT:
            raise zipfile.BadZipFile("its table of contents is too long")
        return super().read(DIRECTORY_LIMIT if size is None or size < 0 else size) or b""

    def __del__(self) -> None:
        self.close()


def _open_file(path: str, flags: int) -> int:
    """Open what is an ordinary file now, whatever it was when it was found: a pipe would wait for ever."""
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is no ordinary file")
    return descriptor


def _opened(place: Path) -> zipfile.ZipFile:
    status = place.stat()
    return _archive(place, status.st_size, status.st_mtime_ns, os.getpid())


@lru_cache(maxsize=4)
def _archive(place: Path, size: int, changed: int, process: int) -> zipfile.ZipFile:
    """Keep an archive open: reading its table of contents again for each member would take minutes for 10,000.

    A forked process opens its own, since the position in a file is shared with the parent.
    """
    return zipfile.ZipFile(_Bounded(place, opener=_open_file))


def _read(place: Path, member: zipfile.ZipInfo | None, shown: str, limit: int) -> bytes:
    """Read a file, or a member of an archive, in pieces: what an archive says of its sizes is not believed."""
    try:
        if member is None:
            with open(place, "rb", opener=_open_file) as file:
                return _read_pieces(file, shown, limit)
        if member.flag_bits & 1:
            raise CollectError(f"{shown} is encrypted. Unpack the archive with its password and give the folder.")
        # Other methods are not unpacked piece by piece by zipfile, and a few bytes can become gigabytes.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CollectError(f"{shown} is compressed in an unusual way. Unpack the archive and give the folder.")
        with _opened(place).open(member) as stream:
            return _read_pieces(stream, shown, limit)
    except FileNotFoundError:
        raise CollectError(f"{shown} is gone since it was found. Put it back or grade again.") from None
    except DEFECTS as error:
        raise CollectError(f"{shown} cannot be read: {_reason(error)}. Download it again.") from None


def _read_pieces(stream: IO[bytes], shown: str, limit: int) -> bytes:
    content = bytearray()
    while piece := stream.read(CHUNK):
        content += piece
        if len(content) > limit:
            raise CollectError(f"{shown} is over {limit // 1_000_000} MB. A notebook is small without its outputs.")
    return bytes(content)


# ------------------------------------------------------------------------------------------------------------ who it was


@dataclass(frozen=True)
class _Who:
    student: str
    name: str = ""
    upload: int = 0  # Canvas's number of the file
    when: float | None = None
    words: tuple[str, ...] = ()  # by which a roster may know the student, besides the id
    depth: int = 0  # which of the parts says so


class _Names:
    """Says who handed in what a search found."""

    def __init__(self, search: _Search) -> None:
        self._search = search
        self._metadata: dict[tuple[str, ...], dict[str, list[_Who]]] = {}  # Gradescope's, by folder
        self._impostors = _canvas_impostors(search.notebooks)

    def students(self) -> list[tuple[_File, _Who]]:
        """Say of each notebook who handed it in; a group's counts for each of its members."""
        notebooks = self._search.notebooks
        named = [self._by_system(file) for file in notebooks]
        own = _own_folders(notebooks, named)
        result: list[tuple[_File, _Who]] = []
        stems: dict[str, list[_File]] = defaultdict(list)
        for file, people in zip(notebooks, named, strict=True):
            folder = next((prefix for prefix in file.folders() if prefix in own), None)
            student, alone = own[folder] if folder else (os.path.splitext(file.parts[-1])[0], False)
            if people and not (folder and alone and len(folder) <= people[0].depth):
                result += [(file, replace(who, student=who.student or "unnamed")) for who in people]  # a folder named " "
                continue
            student = _tidy(student) or "unnamed"
            result.append((file, _Who(student)))
            if not folder:
                stems[student].append(file)
        for student, files in stems.items():
            if len({file.parts[:-1] for file in files}) > 1:
                shown = _listed([file.shown for file in files])
                self._search.problems.append(
                    f"{student} is taken for one student, from different folders: {shown}. Name files or folders by student."
                )
        return result

    def _by_system(self, file: _File) -> list[_Who]:
        """Read the names that Canvas, Moodle, Gradescope and nbgrader give, from the outside in. Empty if there are none."""
        last = len(file.parts) - 1
        stamp = self._search.beside.get((*file.parts[:-1], TIMESTAMP))
        for depth, part in enumerate(file.parts):
            if found := MOODLE.match(part):
                return [_Who(found["id"], _tidy(found["name"]), words=(found["name"],), depth=depth)]
            if GRADESCOPE.fullmatch(part):
                return self._gradescope(file.parts[:depth], part, depth)
            # Above what was given, a folder may be called so for any reason; nbgrader's has a time stamp.
            if part == "submitted" and (file.root - 1 <= depth <= last - 3 or (depth == last - 3 and stamp)):
                return [_Who(_tidy(file.parts[depth + 1]), when=_stamped(stamp), depth=depth)]
            if depth in file.flat():
                if found := CANVAS_ANONYMOUS.fullmatch(part):
                    return [_Who(found["id"], upload=int(found["upload"]), depth=depth)]
                if (found := CANVAS.fullmatch(part)) and part not in self._impostors:
                    name = _tidy(found["name"])
                    return [_Who(found["id"], name, int(found["upload"]), words=(name,), depth=depth)]
        return []

    def _gradescope(self, folder: tuple[str, ...], submission: str, depth: int) -> list[_Who]:
        if folder not in self._metadata:
            try:
                self._metadata[folder] = _read_metadata(self._search.beside.get((*folder, METADATA)))
            except CollectError as error:
                self._search.problems.append(f"{error} Until then the names of the folders are taken for the students' ids.")
                self._metadata[folder] = {}
        people = self._metadata[folder].get(submission) or [_Who("")]
        return [_Who(who.student or submission, who.name, 0, who.when, who.words, depth) for who in people]


def _canvas_impostors(notebooks: list[_File]) -> set[str]:
    """Find names that only look like Canvas's, such as lab_1_2024_jane.ipynb: its numbers mean one person and one file."""
    matches: dict[str, re.Match[str]] = {}
    for file in notebooks:
        fitting = ((file.parts[depth], CANVAS.fullmatch(file.parts[depth])) for depth in file.flat())
        # The outermost only: further inside, a student could cast doubt on another's name.
        part, found = next(((part, found) for part, found in fitting if found), ("", None))
        if found:
            matches[part] = found
    names: dict[str, set[str]] = defaultdict(set)
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    for found in matches.values():
        names[found["id"]].add(found["name"])
        files[found["id"], found["upload"]].add(found["file"])
    return {
        part
        for part, found in matches.items()
        if len(names[found["id"]]) > 1 or len(files[found["id"], found["upload"]]) > 1
    }


def _own_folders(notebooks: list[_File], named: list[list[_Who]]) -> dict[tuple[str, ...], tuple[str, bool]]:
    """Find the folders and archives that are one student's each: folder -> name, and whether it holds just one notebook."""
    held: Counter[tuple[str, ...]] = Counter()
    by_system: dict[tuple[str, ...], bool] = {}
    beside: dict[tuple[str, ...] | None, set[tuple[str, ...]]] = defaultdict(set)  # None: those that were given
    for file, people in zip(notebooks, named, strict=True):
        for prefix in file.folders():
            held[prefix] += 1
            by_system[prefix] = bool(people)
            beside[prefix[:-1] if len(prefix) > file.root else None].add(prefix)
    own = {}
    for folder, prefixes in beside.items():
        alone = [prefix for prefix in prefixes if held[prefix] == 1]
        # One folder that was given is where to search; folders that hold one file with a system's name are downloads.
        if 2 * len(alone) > len(prefixes) and (folder is not None or len(alone) > 1) and not all(map(by_system.get, alone)):
            names = {prefix: _plain(prefix[-1]) for prefix in prefixes} if folder is not None else _distinct(prefixes)
            own.update({prefix: (name, held[prefix] == 1) for prefix, name in names.items() if held[prefix] <= A_FEW})
    return own


def _distinct(paths: set[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Name paths by the last of their parts that tells them apart: submitted/*/lab2 by the student. Empty if none does."""
    for back in range(1, min(map(len, paths)) + 1):
        names = {path: _plain(path[-back]) for path in paths}
        if len(set(names.values())) == len(paths):
            return names
    return {}


def _plain(folder: str) -> str:
    return os.path.splitext(folder)[0] if _kind(folder) == ".zip" else folder


def _read_metadata(file: _File | None) -> dict[str, list[_Who]]:
    """Read who submitted what from Gradescope's submission_metadata.yml, with a pattern.

    Gradescope always lays it out in one way, and nearly all of it is results that are not wanted here: PyYAML would take
    minutes for them, or, in C, crash the process where the nesting is deep.
    """
    if file is None:
        raise CollectError(f"{METADATA} is missing beside Gradescope's folders: put it there.")
    text = _read(file.place, file.member, file.shown, METADATA_LIMIT).decode("utf-8-sig", "replace").replace("\r", "") + "\n"
    people = {}
    for block in re.split(r"^(?=\w)", text, flags=re.MULTILINE):
        created = re.search(r"^  :created_at: (.*)$", block, re.MULTILINE)
        listed = re.search(r"^  :submitters:\n((?:(?: *- | {4,}).*\n)*)", block, re.MULTILINE)
        if listed:
            rows = [
                {key: _tidy(_scalar(value)) for key, value in re.findall(r"^ *(:\w+):(.*)$", item, re.MULTILINE)}
                for item in re.split(r"^ *- ", listed[1], flags=re.MULTILINE)[1:]
            ]
            when = _seconds(created[1]) if created else None
            people[block.split(":", 1)[0]] = [_submitter(row, when) for row in rows]
    if not people:
        raise CollectError(f"{file.shown} is not laid out as Gradescope does it: download it again.")
    return people


def _submitter(row: dict[str, str], when: float | None) -> _Who:
    sid, email, name = (row.get(key, "") for key in (":sid", ":email", ":name"))
    return _Who(sid or email, name, when=when, words=(sid, email, name))


def _scalar(text: str) -> str:
    """Read a YAML scalar that stands on one line."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    return "" if text in ("~", "null") else text


def _stamped(file: _File | None) -> float | None:
    try:
        return _seconds(_read(file.place, file.member, file.shown, 1000).decode("utf-8", "replace")) if file else None
    except CollectError:  # the notebook's own time has to do
        return None


def _seconds(text: str) -> float | None:
    """Read a time such as 2024-05-17 09:30:00.25 UTC, or with +02:00."""
    found = TIME.search(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=timezone.utc)
        ahead = 3600 * int(hours or 0) + 60 * int(minutes or 0)
        return moment.timestamp() + float(fraction or 0) + (ahead if sign == "-" else -ahead)
    except (ValueError, OverflowError):
        return None


def _latest(candidates: list[tuple[_File, _Who]], remark: str) -> Submitted:
    """Choose the latest of one student's submissions."""
    numbered = all(who.upload for _, who in candidates)

    def moment(candidate: tuple[_File, _Who]) -> tuple[float, tuple[str, ...]]:
        file, who = candidate
        return who.upload if numbered else file.when if who.when is None else who.when, file.parts

    *earlier, (file, who) = sorted(candidates, key=moment)
    remarks = [remark] if remark else []
    if earlier:
        left_out = "1 earlier one was left out" if len(earlier) == 1 else f"{len(earlier)} earlier ones were left out"
        shown = _listed([other.shown for other, _ in reversed(earlier)])
        remarks.append(f"{len(candidates)} submissions; the latest was graded ({left_out}: {shown})")
    when = file.when if who.when is None else who.when
    return Submitted(who.student, who.name, file.shown, when, tuple(remarks), file.place, file.member)


# ----------------------------------------------------------------------------------------------------------------- words


def _tidy(text: str) -> str:
    """Make text that a stranger chose fit for one line of a report: characters that do not show are written out."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    shows = "\u200c\u200d"  # join and part letters, in Persian or Hindi names
    return "".join(c if c.isprintable() or c in shows else c.encode("unicode_escape").decode() for c in line)


def _fold(word: str) -> str:
    return _tidy(word).casefold()


def _listed(names: list[str]) -> str:
    return ", ".join(map(_tidy, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _reason(error: Exception) -> str:
    return _tidy(getattr(error, "strerror", None) or str(error) or type(error).__name__)[:100]
