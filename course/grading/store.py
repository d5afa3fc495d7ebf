"""The file in which a class's results live: what is in it survives every kill, and is not graded again."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType

import course
from course.grading.result import Grading, Override, Result, grading_from_json, grading_to_json

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS gradings (key TEXT PRIMARY KEY, grading TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS students (
    student TEXT PRIMARY KEY, name TEXT NOT NULL, file TEXT NOT NULL, submission TEXT NOT NULL, remarks TEXT NOT NULL,
    key TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS overrides (
    student TEXT NOT NULL, exercise TEXT NOT NULL, points REAL NOT NULL, words TEXT NOT NULL,
    PRIMARY KEY (student, exercise)
);
"""
OTHER = "grades.sqlite in {folder} is not a class's results ({reason}). Choose another --out, or remove that file."


class StoreError(Exception):
    """The results cannot be kept or read; the message says what to do."""


class Store:
    """A class's results in one lab: DIR/grades.sqlite."""

    def __init__(self, folder: Path, lab: str) -> None:
        """Open or make it. Raises StoreError."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(folder / "grades.sqlite", timeout=30)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(SCHEMA)
        except OSError as error:
            raise StoreError(f"{folder} cannot be written to: {error.strerror or error}. Choose another --out.") from None
        except sqlite3.DatabaseError as error:
            raise StoreError(OTHER.format(folder=folder, reason=error)) from None
        self.lab = self.setting("lab", lab)
        if self.lab != lab:
            raise StoreError(f"{folder} holds results of {self.lab}. Choose another --out for {lab}.")

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def setting(self, name: str, default: str) -> str:
        """Return a setting; the default is written down if there was none."""
        with self._database:
            self._database.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, default))
        return str(self._database.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0])

    def set(self, name: str, value: str) -> None:
        """Write a setting down."""
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def has(self, key: str) -> bool:
        """Say whether there is a grading under a key."""
        return self._database.execute("SELECT 1 FROM gradings WHERE key = ?", (key,)).fetchone() is not None

    def keep(self, key: str, grading: Grading) -> None:
        """Keep a grading; once this returns it survives a kill of the process."""
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO gradings VALUES (?, ?)", (key, grading_to_json(grading)))

    def forget(self, keys: Iterable[str]) -> None:
        """Drop gradings, to have them made again."""
        with self._database:
            self._database.executemany("DELETE FROM gradings WHERE key = ?", ((key,) for key in keys))

    def enrol(self, rows: Iterable[tuple[str, str, str, str, tuple[str, ...], str]]) -> None:
        """Replace the list of students by these: (student, name, file, SHA-256, remarks, key)."""
        with self._database:
            self._database.execute("DELETE FROM students")
            written = ((*row[:4], json.dumps(row[4], ensure_ascii=False), row[5]) for row in rows)
            self._database.executemany("INSERT INTO students VALUES (?, ?, ?, ?, ?, ?)", written)

    def override(self, overrides: Iterable[tuple[str, str, Override]]) -> None:
        """Set an instructor's own marks: (student, exercise, mark)."""
        with self._database:
            rows = ((student, exercise, mark.points, mark.words) for student, exercise, mark in overrides)
            self._database.executemany("INSERT OR REPLACE INTO overrides VALUES (?, ?, ?, ?)", rows)

    def results(self, seed: int) -> Iterator[Result]:
        """Yield the result of every student whose submission is graded, in the order of their ids."""
        marks: dict[str, dict[str, Override]] = {}
        for student, exercise, points, words in self._database.execute("SELECT * FROM overrides"):
            marks.setdefault(student, {})[exercise] = Override(points, words)
        columns = "student, name, file, submission, remarks, grading"
        query = f"SELECT {columns} FROM students NATURAL JOIN gradings ORDER BY student"
        for student, name, file, submission, remarks, grading in self._database.execute(query):
            yield Result(
                student, self.lab, seed, grading_from_json(grading), name, file, submission,
                tuple(json.loads(remarks)), marks.get(student, {}),
            )  # fmt: skip


def key_of(submission: str, lab: str, seed: int, options: str) -> str:
    """Return the key of a grading: another submission, lab, seed, course or option makes another one."""
    return hashlib.sha256("\0".join((submission, lab, str(seed), course_version(), options)).encode()).hexdigest()


@cache
def course_version() -> str:
    """Return the course's version and a hash of its source: a check that was mended makes new gradings."""
    folder = Path(course.__file__).parent
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    try:
        number = version("course")
    except PackageNotFoundError:
        number = "0"
    return f"{number}+{content.hexdigest()[:12]}"
