"""Grade a class: hand its submissions to processes, keep what comes back, write the reports."""

import csv
import hashlib
import math
import multiprocessing
import os
import re
import secrets
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from course.checks.exercise import Lab
from course.grading import tasks
from course.grading.cells import write_text
from course.grading.collect import Collected, CollectError, Submitted, collect, file_name, read_roster
from course.grading.grade import crashed, unreadable
from course.grading.notebook import NotebookError, read_cells
from course.grading.pages import ClassSummary, feedback_page, grades_csv, index_page
from course.grading.rerun import Whole
from course.grading.result import GRADED, Grading, Override, grading_from_json, to_json
from course.grading.sandbox import LEVELS, Limits, SandboxError, choose_level, sweep
from course.grading.store import Store, key_of
from course.grading.tasks import Settings
from course.labs import load

CLUSTER_WINDOW = 500  # submissions at a cluster at a time
TRIES = 3  # so often is a submission tried whose grading process died; then it is said to have crashed it

Row = tuple[str, str, str, str, tuple[str, ...], str]  # what the store knows of a student, see Store.enrol
MakeExecutor = Callable[[], Executor]


class UsageError(Exception):
    """The command was given something that it cannot use; the message says what and what to do."""


@dataclass(frozen=True)
class Order:
    """What `course grade` is asked for; cli.py says what each field means."""

    paths: tuple[Path, ...]
    lab: str
    out: Path
    jobs: int = 1
    seed: int | None = None
    sandbox: str = "auto"
    timeout: float = 10.0
    memory: int = 1024
    roster: Path | None = None
    overrides: Path | None = None
    only: tuple[str, ...] = ()
    regrade: bool = False
    dask: str = ""
    whole: Whole | None = None


@dataclass(frozen=True)
class Graded:
    """How it ended."""

    summary: ClassSummary
    complete: bool
    last_words: str


def grade_class(order: Order, begin: Callable[[str, int], Callable[[], None]]) -> Graded:
    """Grade a class and write its reports.

    begin(stage, steps) is called before each long stage, and what it returns after each of its steps.
    Raises UsageError, CollectError, StoreError or SandboxError.
    """
    lab = _chosen(order)
    roster = read_roster(order.roster) if order.roster else None
    marks = read_overrides(order.overrides, lab) if order.overrides else []
    collected = collect(order.paths, roster)
    if not collected.submissions:
        raise UsageError("\n".join([*collected.problems, f"There is no notebook in {', '.join(map(str, order.paths))}."]))
    if order.sandbox not in ("auto", *LEVELS):
        raise UsageError(f"--sandbox is auto, {', '.join(LEVELS[:-1])} or {LEVELS[-1]}, not {order.sandbox}.")
    level = order.sandbox if order.dask else choose_level(order.sandbox, lab)
    with Store(order.out, lab.name) as store, ExitStack() as stack:
        if order.seed is not None:
            store.set("seed", str(order.seed))
        seed = int(store.setting("seed", str(secrets.randbelow(2**31))))
        store.override(marks)
        settings = Settings(lab.name, seed, level, Limits(order.timeout, order.memory), order.only, order.whole)
        classroom = Classroom(lab, store, settings, order.regrade)
        if order.dask:
            cluster = stack.enter_context(cluster_executor(order.dask))
            make_executor, window = (lambda: cluster), CLUSTER_WINDOW
        else:
            make_executor, window = (lambda: local_executor(order.jobs, settings)), 4 * order.jobs
        stopped = False
        try:
            classroom.grade(collected.submissions, make_executor, window, begin("grading", len(collected.submissions)))
        except KeyboardInterrupt:
            stopped = True
        summary = classroom.write_reports(order.out, collected, begin("writing reports", len(classroom.rows)))
    graded, total = sum(row.status == GRADED for row in summary.rows), len(collected.submissions)
    words = [f"{graded} of {total} graded with seed {seed} at sandbox level {level}. Report: {order.out / 'index.html'}"]
    if stopped:
        words.insert(0, "Stopped. What was graded is kept; the same command goes on from here.")
    return Graded(summary, graded == total, "\n".join([*collected.problems, *words]))


def read_overrides(path: Path, lab: Lab) -> list[tuple[str, str, Override]]:
    """Read an instructor's own marks: CSV with the columns student, exercise, points, perhaps words. Raises UsageError."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV in UTF-8: {error}.") from None
    marks = []
    for number, row in enumerate(rows, start=2):
        try:
            student, exercise, points = (row[name].strip() for name in ("student", "exercise", "points"))
            mark = Override(float(points), (row.get("words") or "").strip())
        except (KeyError, AttributeError, ValueError):
            message = f"{path}, line {number}: expected student, exercise, points (a number) and perhaps words."
            raise UsageError(message) from None
        if exercise not in lab.entries or not math.isfinite(mark.points):
            raise UsageError(f"{path}, line {number}: {exercise!r} is no exercise of {lab.name}, or {points} no mark.")
        marks.append((student, exercise, mark))
    return marks


def _chosen(order: Order) -> Lab:
    try:
        lab = load(order.lab)
    except ValueError as error:
        raise UsageError(str(error)) from None
    unknown = [name for name in order.only if name not in lab.entries]
    if unknown:
        raise UsageError(f"{order.lab} has no exercise {', '.join(unknown)}. It has: {', '.join(lab.entries)}.")
    return replace(lab, entries={name: entry for name, entry in lab.entries.items() if not order.only or name in order.only})


@dataclass
class Job:
    """A submission to be graded, or being graded."""

    key: str
    cells: tuple[str, ...]
    tries: int = 0


@dataclass
class Classroom:
    """The grading of one class in one lab."""

    lab: Lab  # as it is graded: with `only`, these exercises alone
    store: Store
    settings: Settings
    regrade: bool = False
    rows: list[Row] = field(default_factory=list)

    def grade(
        self, submissions: Sequence[Submitted], make_executor: MakeExecutor, window: int, on_graded: Callable[[], None]
    ) -> None:
        """Grade what is not graded yet. At most `window` submissions are in memory at a time. Raises SandboxError.

        However it ends, what has been graded is kept, and the students whose submissions were read are enrolled.
        """

        def keep(job: Job, grading: Grading | None) -> None:
            reason = f"The process that graded it died {TRIES} times."
            self.store.keep(job.key, grading or crashed(self.lab.entries, self.settings.level, reason))
            on_graded()

        try:
            _Runner(self.settings, make_executor, window, keep).run(self._jobs(submissions, on_graded))
        finally:
            self.store.enrol(self.rows)

    def _jobs(self, submissions: Sequence[Submitted], on_graded: Callable[[], None]) -> Iterator[Job]:
        asked: set[str] = set()
        for found in submissions:
            try:
                content = found.content()
                digest = hashlib.sha256(content).hexdigest()
            except CollectError as error:
                key = self._enrol(found, hashlib.sha256(str(error).encode()).hexdigest())
                self.store.keep(key, unreadable(self.lab.entries, str(error)))
                on_graded()
                continue
            key = self._enrol(found, digest)
            if key in asked or (self.store.has(key) and not self.regrade):
                on_graded()
                continue
            asked.add(key)
            try:
                cells = read_cells(content)
            except NotebookError as error:
                self.store.keep(key, unreadable(self.lab.entries, str(error)))
                on_graded()
                continue
            yield Job(key, cells)

    def _enrol(self, found: Submitted, digest: str) -> str:
        settings = self.settings
        options = f"{settings.limits} {' '.join(settings.only)} {settings.whole}"
        key = key_of(digest, settings.lab, settings.seed, options)
        self.rows.append((found.student, found.name, found.file, digest, found.remarks, key))
        return key

    def write_reports(self, folder: Path, collected: Collected, on_written: Callable[[], None]) -> ClassSummary:
        """Write grades.csv, index.html, and for each student results/ID.json and feedback/ID.html."""
        summary = ClassSummary(self.lab)
        for name in ("results", "feedback"):
            (folder / name).mkdir(exist_ok=True)
        stale = {path for name in ("results", "feedback") for path in (folder / name).iterdir()}
        for result in self.store.results(self.settings.seed):
            stem = file_name(result.student)
            for path, text in (
                (folder / "results" / f"{stem}.json", to_json(result)),
                (folder / "feedback" / f"{stem}.html", feedback_page(result, self.lab)),
            ):
                write_text(path, text)
                stale.discard(path)
            summary.add(result)
            on_written()
        for path in stale:  # of students who are not in this run
            if path.suffix in (".json", ".html"):
                path.unlink()
        grades_csv(folder / "grades.csv", summary)
        page = index_page(
            summary,
            absent=collected.absent,
            problems=collected.problems,
            href=lambda student: f"feedback/{file_name(student)}.html",
        )
        write_text(folder / "index.html", page)
        return summary


class _Runner:
    """Keeps a window of jobs at an executor, and goes on when that breaks."""

    def __init__(
        self,
        settings: Settings,
        make_executor: MakeExecutor,
        window: int,
        keep: Callable[[Job, Grading | None], None],  # None: whatever graded it died
    ) -> None:
        self.settings, self.make_executor, self.window, self.keep = settings, make_executor, window, keep
        self.executor: Executor | None = None
        self.pending: dict[Future[str], Job] = {}
        self.suspects: deque[Job] = deque()  # at work when a process died: tried again, one at a time

    def run(self, jobs: Iterator[Job]) -> None:
        """Grade all jobs. Raises SandboxError."""
        try:
            for job in jobs:
                self._submit(job)
                while len(self.pending) >= self.window:
                    self._take()
            while self.pending or self.suspects:
                if not self.pending:
                    self._submit(self.suspects.popleft())
                self._take()
        finally:
            if self.executor:
                _stop(self.executor)

    def _submit(self, job: Job) -> None:
        job.tries += 1
        try:
            self.executor = self.executor or self.make_executor()
            self.pending[self.executor.submit(tasks.grade, self.settings, job.cells)] = job
        except BrokenExecutor:
            self._died(job)
            self.executor = None

    def _take(self) -> None:
        """Wait for an answer, and keep it. A pool whose process died is broken for good; a cluster mends itself."""
        for future in wait(self.pending, return_when=FIRST_COMPLETED).done:
            job = self.pending.pop(future)
            error = future.exception()
            if error is None:
                self.keep(job, grading_from_json(future.result()))
            elif isinstance(error, BrokenExecutor):
                self._died(job)
                self.executor = None
            elif type(error).__name__ == "KilledWorker":  # distributed's; it is not always installed
                self._died(job)
            else:
                raise error

    def _died(self, job: Job) -> None:
        if job.tries < TRIES:
            self.suspects.append(job)
        else:
            self.keep(job, None)


def _stop(executor: Executor) -> None:
    """End a pool's processes at once, at work or not; leave a cluster's alone."""
    if not isinstance(executor, ProcessPoolExecutor):
        executor.shutdown(wait=False)
        return
    processes = list((executor._processes or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
        process.join()
    sweep()


def local_executor(jobs: int, settings: Settings) -> ProcessPoolExecutor:
    """Return processes of this machine that grade; they inherit what is loaded here, and end with this process."""
    context = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(os.getpid(), settings))


def _begin(parent: int, settings: Settings) -> None:
    import torch

    from course.grading.confine import die_with_parent

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that was started
    die_with_parent(parent)
    torch.set_num_threads(1)
    with suppress(SandboxError):  # the first submission will say so
        tasks.warm_up(settings)


@contextmanager
def cluster_executor(address: str) -> Iterator[Executor]:
    """Yield the executor of a Dask cluster, whose workers have the course installed. Raises UsageError."""
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise UsageError("Grading on a cluster needs distributed. Install it with: pip install -e '.[cluster]'") from None
    if not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://.+", address):
        raise UsageError(f"--dask is the address of a scheduler, such as tcp://127.0.0.1:8786, not {address}.")
    try:
        client = Client(address, timeout=20, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"There is no Dask scheduler at {address} ({error}). Start one with: dask scheduler") from None
    try:
        yield client.get_executor()
    finally:
        client.close()
