"""Grade one submission: ask its process in the sandbox, judge the answers here."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from course.checks.diagnose import Cases, Key, judge_answer, judge_described
from course.checks.exercise import Entry, Exercise, Lab, Part, Question
from course.checks.probing import Outcome
from course.checks.report import ERROR, MISSING, NOT_ATTEMPTED, Report
from course.grading.result import CRASHED, GRADED, UNREADABLE, Grading
from course.grading.sandbox import DEFAULT, Attempt, Died, Limits, Loaded, Sandbox, SandboxError, failure_of

MAX_RESTARTS = 40  # processes for one submission: enough for one a statement or exercise that kills it
MAX_NOTICED, LONGEST_NOTICE = 20, 300
MAX_HUNG = 3  # statements that are waited for in vain


class Disturbed(Exception):
    """Something went wrong in a sandbox that other submissions share: try again alone."""


class Grader:
    """Grades submissions of one lab, with one seed; keeps a warm sandbox and the expected answers."""

    def __init__(
        self, lab: Lab, seed: int, level: str, limits: Limits = DEFAULT, *, only: Sequence[str] = (), slot: int = 0
    ) -> None:
        """only: the exercises to grade; all if none is named. Raises SandboxError if the level does not work here."""
        self.lab, self.level, self.limits, self.slot = lab, level, limits, slot
        self.entries = {name: entry for name, entry in lab.entries.items() if not only or name in only}
        self._keys = {
            name: Key(entry.item, seed) for name, entry in self.entries.items() if isinstance(entry.item, Exercise)
        }
        self._shared: Sandbox | None = self._start()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox."""
        if self._shared:
            self._shared.close()

    def grade(self, cells: Sequence[str]) -> Grading:
        """Grade a submission's cells. Raises SandboxError if no sandbox can be had any more."""
        self._shared = self._shared or self._start()
        try:
            return _Grading(self, self._shared, cells, alone=False).result()
        except Disturbed:  # the answer may have been the sandbox's fault, or another's
            pass
        except SandboxError:
            self._shared.close()
            self._shared = None
        with self._start() as sandbox:
            try:
                return _Grading(self, sandbox, cells, alone=True).result()
            except SandboxError as error:
                return crashed(self.entries, self.level, f"It brought its sandbox down ({error}).")

    def key(self, name: str) -> Key:
        """Return an exercise's cases and expected answers."""
        return self._keys[name]

    def _start(self) -> Sandbox:
        return Sandbox(self.lab, self.level, self.limits, slot=self.slot)


def unreadable(entries: Mapping[str, Entry], reason: str) -> Grading:
    """Return the grading of a file that is no notebook."""
    return Grading(UNREADABLE, _all(entries, MISSING, ""), reason=reason)


def crashed(entries: Mapping[str, Entry], level: str, reason: str) -> Grading:
    """Return the grading of a submission that no sandbox survives."""
    return Grading(CRASHED, _all(entries, ERROR, reason), sandbox=level, reason=reason)


def _all(entries: Mapping[str, Entry], verdict: str, message: str) -> tuple[Report, ...]:
    return tuple(Report(name, verdict, message=message, out_of=entry.points) for name, entry in entries.items())


class _Grading:
    """One submission being graded in one sandbox; a process that dies or hangs is replaced if the sandbox is its own."""

    def __init__(self, grader: Grader, sandbox: Sandbox, cells: Sequence[str], *, alone: bool) -> None:
        self.grader, self.sandbox, self.cells, self.alone = grader, sandbox, cells, alone
        self.skip: dict[int, str] = {}
        self.saw: list[str] = []  # what we saw ourselves
        self.told: list[str] = []  # what the process noticed of itself
        self.restarts = self.hung = 0
        # However often it hangs, and just below each limit.
        self.deadline = time.monotonic() + sandbox.limits.timeout * (len(grader.entries) + MAX_HUNG)
        self.attempt: Attempt | None = None

    def result(self) -> Grading:
        """Grade every exercise. Raises Disturbed, SandboxError."""
        try:
            loaded = self._load()
            if loaded is None:
                gave_up = crashed(self.grader.entries, self.sandbox.level, self.saw[-1])
                return replace(gave_up, noticed=(*self.saw, *self.told))
            reports = tuple(self._judge(name, entry, loaded) for name, entry in self.grader.entries.items())
        finally:
            self._end()
        fingerprints = {
            report.exercise: loaded.fingerprints[report.exercise]
            for report in reports
            if report.verdict not in (NOT_ATTEMPTED, MISSING) and loaded.fingerprints.get(report.exercise)
        }
        return Grading(GRADED, reports, self.sandbox.level, noticed=(*self.saw, *self.told), fingerprints=fingerprints)

    def _judge(self, name: str, entry: Entry, loaded: Loaded) -> Report:
        if name in loaded.failures:
            return Report(name, ERROR, message=loaded.failures[name], out_of=entry.points)
        item = entry.item
        if name not in (loaded.answers if isinstance(item, Question) else loaded.described):
            message = f"No cell defines `{name}`. Was it renamed or deleted?"
            return Report(name, MISSING, message=message, out_of=entry.points)
        if isinstance(item, Question):
            letter, shown = loaded.answers[name]
            return judge_answer(item, letter, points=entry.points, shown=shown)
        broken: Exception | None = None

        def ask(part: Part, cases: Cases, with_fakes: bool) -> list[Outcome]:
            nonlocal broken
            if broken is None and time.monotonic() > self.deadline:
                broken = TimeoutError()
            if broken is None:
                try:
                    if self.attempt is None and self._load() is None:
                        raise Died("its process ended while its definitions were run")
                    assert self.attempt is not None
                    return self.attempt.probe(name, part, cases, with_fakes)
                except (Died, TimeoutError) as error:
                    broken = error
                    self._ended(error, f"{name}: ")
            return [Outcome(failure=failure_of(broken, self.sandbox.limits.timeout))]

        if self.attempt:
            self.attempt.give_time()
        return judge_described(self.grader.key(name), loaded.described[name], ask, points=entry.points)

    def _load(self) -> Loaded | None:
        """Start a process and run the definitions in it, without those that killed it before; None if that is hopeless."""
        while self.restarts < MAX_RESTARTS and self.hung < MAX_HUNG and time.monotonic() < self.deadline:
            self.restarts += 1
            self.attempt = attempt = self.sandbox.open(self.cells)
            try:
                return attempt.load(self.skip, tell=self.alone)  # else it is not tried again here
            except (Died, TimeoutError) as error:
                text = failure_of(error, self.sandbox.limits.timeout).message
                at = attempt.at
                self._ended(error, "")
                self.hung += isinstance(error, TimeoutError)
                if at < 0 or at in self.skip:  # it is not the running of a statement that fails
                    return None
                what = f"the notebook was {text}" if isinstance(error, TimeoutError) else text
                self.skip[at] = f"While its cell was run, {what}."
        self._notice("its process hung or ended too often")
        return None

    def _ended(self, error: Exception, where: str) -> None:
        """Clear up after a process that died or hung. Raises Disturbed where the sandbox is shared."""
        status = self._end()
        if not self.alone:
            raise Disturbed
        text = failure_of(error, self.sandbox.limits.timeout).message
        self._notice(f"{where}{text}{f' ({_signal(status)})' if status < 0 and status != -9 else ''}")

    def _end(self) -> int:
        attempt, self.attempt = self.attempt, None
        if attempt is None:
            return 0
        self.told = _shortened([*self.told, *attempt.noticed])
        return attempt.close()

    def _notice(self, text: str) -> None:
        self.saw = _shortened([*self.saw, text])


def _shortened(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(text[:LONGEST_NOTICE] for text in texts))[:MAX_NOTICED]


def _signal(status: int) -> str:
    import signal

    with suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"
