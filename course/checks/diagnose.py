"""Judge a candidate: compare what it answers with what the reference answers, and recognise known mistakes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

import torch

from course.checks.compare import Difference, agree, first_difference, viewed
from course.checks.cut import Description
from course.checks.exercise import Case, Exercise, Part, Question
from course.checks.probing import Outcome, run
from course.checks.report import (
    BLOCKED,
    ERROR,
    NOT_ATTEMPTED,
    RIGHT,
    TIMEOUT,
    WRONG,
    PartReport,
    Report,
)

Cases = list[tuple[int, Case]]  # each with the seed of torch's generators
# Runs a part's probe on the candidate, wherever that lives, in one case after the other until one fails; the last argument:
# with the fakes in place, or without.
Ask = Callable[[Part, Cases, bool], list[Outcome]]

NO_FAKES: frozenset[str] = frozenset()


class Key:
    """An exercise's cases for one seed, and what the reference and the known mistakes answer to them.

    Each expected answer is computed when it is first asked for, and kept: a grader judges a class with one key.
    """

    def __init__(self, exercise: Exercise, seed: int, device: torch.device | str = "cpu") -> None:
        self.exercise, self.device = exercise, device
        self._cases: dict[str, Cases] = {}
        self._seed = seed
        self._expected: dict[tuple[str, str, int, frozenset[str]], tuple[Outcome, Outcome]] = {}

    def cases(self, part: Part) -> Cases:
        """Return a part's cases; the seeds of torch's generators do not betray the one that made them."""
        if part.name not in self._cases:
            generator = torch.Generator().manual_seed(self._seed)
            numbered = enumerate(part.cases(generator))
            self._cases[part.name] = [(_derived(self._seed, part.name, number), case) for number, case in numbered]
        return self._cases[part.name]

    def expected(self, part: Part, mistake: str, index: int, used: frozenset[str]) -> tuple[Outcome, Outcome]:
        """Return what the reference ("") or a mistake answers to a case, with these fakes: as it is, and as it is viewed."""
        place = (part.name, mistake, index, used)
        if place not in self._expected:
            reference = (self.exercise.through if used else None) or self.exercise.reference
            candidate = self.exercise.mistakes[mistake].candidate if mistake else reference
            seed, case = self.cases(part)[index]
            outcome = run(candidate, part.probe, case, seed=seed, fakes=used, device=self.device)
            if outcome.failure and outcome.failure.kind == "timeout":
                raise KeyboardInterrupt  # it hit our own code, not the student's: no verdict
            if outcome.failure and not mistake:
                raise RuntimeError(f"the reference of {self.exercise.name} fails: {outcome.failure.message}")
            self._expected[place] = outcome, self.view(part, index, outcome) if mistake else viewed(part, outcome, case)
        return self._expected[place]

    def view(self, part: Part, index: int, outcome: Outcome) -> Outcome:
        """Return an outcome as the part compares it. One that has not even the right shapes is left as it is: a view would
        broadcast them, to any size."""
        reference = self.expected(part, "", index, outcome.used)[0]
        if first_difference(part, replace(outcome, edited=()), reference, structure_only=True):
            return outcome
        return viewed(part, outcome, self.cases(part)[index][1])


def _derived(seed: int, part: str, number: int) -> int:
    return int.from_bytes(sha256(f"{seed} {part} {number}".encode()).digest()[:4], "big")


def judge(key: Key, ask: Ask, *, points: float = 0.0) -> Report:
    """Judge a candidate by its answers alone; ask gets them. points: what the exercise is worth."""
    exercise = key.exercise
    total_weight = sum(part.weight for part in exercise.parts)
    trials, parts = [], []
    for part in exercise.parts:
        trial = _Trials(part, key, ask)
        worth = points * part.weight / total_weight
        earned = worth if trial.verdict == RIGHT else 0.0
        trials.append(trial)
        parts.append(PartReport(part.name, part.about, trial.verdict, trial.problem, earned, worth))
        if trial.verdict == TIMEOUT:  # the other parts would hang as well
            break
    verdict = _overall([part.verdict for part in parts])
    mistake, cause = _likely_cause(exercise, trials) if verdict in (WRONG, ERROR) else ("", "")
    return Report(
        exercise.name,
        verdict,
        tuple(parts),
        cause=cause,
        mistake=mistake,
        out_of=points,
    )


def judge_object(
    exercise: Exercise, candidate: Any, *, seed: int, points: float = 0.0, device: torch.device | str = "cpu"
) -> Report:
    """Judge an object that lives in this process."""

    return judge(Key(exercise, seed, device), partial(ask_object, candidate, device=device), points=points)


def ask_object(
    candidate: Any, part: Part, cases: Cases, with_fakes: bool, *, device: torch.device | str = "cpu"
) -> list[Outcome]:
    """Ask an object that lives in this process."""
    outcomes = []
    for seed, case in cases:
        fakes = None if with_fakes else NO_FAKES
        outcomes.append(run(candidate, part.probe, case, seed=seed, fakes=fakes, device=device))
        if outcomes[-1].failure:
            break
    return outcomes


def judge_described(key: Key, described: Description, ask: Ask, *, points: float = 0.0) -> Report:
    """Judge what a student wrote in the place of an exercise, whatever it is, wherever it lives."""
    exercise = key.exercise
    wrong_kind = _wrong_kind(exercise, described)
    if wrong_kind:
        return Report(exercise.name, ERROR, message=wrong_kind, out_of=points)
    if described.is_stub:
        return Report(exercise.name, NOT_ATTEMPTED, out_of=points)
    report = judge(key, ask, points=points)
    if report.verdict == NOT_ATTEMPTED and described.holds_todo:
        message = f'Your code still runs into `raise NotImplementedError("TODO {exercise.name}")`: delete that line.'
        return replace(report, verdict=ERROR, message=message)
    if report.verdict == TIMEOUT:
        return replace(report, message="Look for a loop that never ends, or for work done pixel by pixel.")
    return report


def _wrong_kind(exercise: Exercise, described: Description) -> str:
    wanted = "class" if isinstance(exercise.reference, type) else "function"
    if described.kind == wanted:
        return ""
    article = "" if wanted == "class" else "a "
    return f"{exercise.name} is a {wanted}. Give check the {wanted} itself, not {article}{described.type_name}."


def judge_answer(question: Question, answer: Any, *, points: float = 0.0, shown: str = "") -> Report:
    """Judge the answer to a question: a letter, in either case, with or without spaces. shown: its repr, if known."""
    letter = answer.strip().lower() if isinstance(answer, str) else None
    options = ", ".join(f'"{option}"' for option in question.feedback)
    if letter == "":
        return Report(question.name, NOT_ATTEMPTED, out_of=points)
    if letter is None or letter not in question.feedback:
        message = f"Set {question.name} to one of the letters {options}; it is {shown or repr(answer):.60}."
        return Report(question.name, WRONG, message=message, out_of=points)
    verdict = RIGHT if letter == question.right else WRONG
    earned = points if verdict == RIGHT else 0.0
    part = PartReport("answer", "the option chosen", verdict, "", earned, points)
    return Report(question.name, verdict, (part,), message=question.feedback[letter], out_of=points)


class _Trials:
    """One part's cases, with what the candidate answered, and the verdict on it."""

    def __init__(self, part: Part, key: Key, ask: Ask) -> None:
        self.part, self.key, self.ask = part, key, ask
        self.got = self._answers(with_fakes=True)
        self.seen = self._views(self.got)
        self.alone: list[Outcome] = []  # the answers without fakes, if they were asked for
        self.alone_seen: list[Outcome] = []
        self.verdict, self.problem = self._judge()

    def explained_by(self, mistake: str, alone: bool = False) -> bool:
        """Say whether the answers, with the fakes or alone, are those of a known mistake in every case."""
        outcomes, views = (self.alone, self.alone_seen) if alone and self.alone else (self.got, self.seen)
        return all(
            agree(self.part, seen, self.key.expected(self.part, mistake, i, got.used)[1])
            for i, (got, seen) in enumerate(zip(outcomes, views, strict=True))
        )

    def speaks_against(self, mistake: str) -> bool:
        """Say whether this part is right, and would not be with a known mistake."""
        if self.verdict != RIGHT:
            return False
        outcomes = self.alone or self.got
        theirs = [self.key.expected(self.part, mistake, i, got.used) for i, got in enumerate(outcomes)]
        return self._difference([outcome for outcome, _ in theirs], [view for _, view in theirs]) is not None

    def _views(self, outcomes: list[Outcome]) -> list[Outcome]:
        return [self.key.view(self.part, i, got) for i, got in enumerate(outcomes)]

    def _answers(self, with_fakes: bool) -> list[Outcome]:
        cases = self.key.cases(self.part)
        got = self.ask(self.part, cases, with_fakes)
        assert len(got) == len(cases) or got[-1].failure, "a case without an answer"
        return got

    def _judge(self) -> tuple[str, str]:
        failure = self.got[-1].failure
        if failure and failure.kind == "todo":
            if failure.name.split(".")[0] == self.key.exercise.name:
                return NOT_ATTEMPTED, ""
            return BLOCKED, f"It calls `{failure.name}`, which is not written yet."
        if failure and failure.kind == "withheld":
            return ERROR, f"It calls the course's own `{failure.name}`, which is left out when work is graded. Write it."
        where = f" ({failure.line})" if failure and failure.line else ""
        if failure and failure.kind == "timeout":
            return TIMEOUT, f"It was {failure.message}{where}."
        difference = self._difference(self.got, self.seen)
        if difference is None:
            return RIGHT, ""
        used = sorted(set().union(*(got.used for got in self.got)))
        # A candidate may mix its own formula with an earlier exercise that it calls, or call one in a way that only its
        # own understands: right, if it is right without fakes.
        if used:
            self.alone = self._answers(with_fakes=False)
            self.alone_seen = self._views(self.alone)
            if self._difference(self.alone, self.alone_seen) is None:
                return RIGHT, ""
        if failure:
            return ERROR, f"{failure.name}: {failure.message}{where}"
        note = f" (During a check a stand-in takes the place of your {', '.join(f'`{name}`' for name in used)}.)"
        return WRONG, difference.text + (note if used and difference.kind == "value" else "")

    def _difference(self, outcomes: list[Outcome], views: list[Outcome]) -> Difference | None:
        """Return where the answers first part from what was expected."""
        for i, (got, seen) in enumerate(zip(outcomes, views, strict=True)):
            expected, expected_view = self.key.expected(self.part, "", i, got.used)
            difference = first_difference(self.part, got, expected, structure_only=True)
            difference = difference or first_difference(self.part, seen, expected_view)
            if difference:
                return difference
        return None


def _overall(verdicts: list[str]) -> str:
    if all(verdict == RIGHT for verdict in verdicts):
        return RIGHT
    if all(verdict in (NOT_ATTEMPTED, BLOCKED) for verdict in verdicts):
        return BLOCKED if BLOCKED in verdicts else NOT_ATTEMPTED
    for verdict in (TIMEOUT, ERROR, WRONG, BLOCKED):
        if verdict in verdicts:
            return verdict
    return WRONG  # some parts right, the others not attempted


def _likely_cause(exercise: Exercise, trials: list[_Trials]) -> tuple[str, str]:
    """Name the mistake that the answers are those of, and say it; both are empty if there is none."""
    wrong = [trial for trial in trials if trial.verdict in (WRONG, ERROR)]
    others = [trial for trial in trials if trial not in wrong]
    for alone in (False, True):  # most mistakes show with the fakes; an answer that goes round them must be looked at alone
        mistake = _recognise(exercise, wrong, others, alone)
        if mistake:
            says = exercise.mistakes[mistake].says
            explained = [trial.part.about for trial in wrong if trial.explained_by(mistake, alone)]
            if len(explained) < len(wrong):  # there may be another mistake, or it may look alike by chance
                says += f" (This explains only: {'; '.join(explained)}.)"
            return mistake, says
    return "", ""


def _recognise(exercise: Exercise, wrong: list[_Trials], others: list[_Trials], alone: bool) -> str:
    """Name the mistake that explains most of the wrong parts, and among those most of the others."""
    best, best_score = "", (0, 0)
    for name in exercise.mistakes:
        explained = sum(trial.explained_by(name, alone) for trial in wrong)
        if not explained or any(trial.speaks_against(name) for trial in others):
            continue
        score = (explained, sum(trial.explained_by(name, alone) for trial in others))
        if score > best_score:
            best, best_score = name, score
    return best
