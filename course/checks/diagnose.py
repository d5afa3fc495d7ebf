"""Judge a candidate: compare what it answers with what the reference answers, and recognise known mistakes."""

from collections.abc import Callable
from typing import Any

import torch

from course.checks.compare import Difference, agree, first_difference, viewed
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

# Runs a part's probe on the candidate, wherever that lives; the last argument: with the fakes in place, or without.
Ask = Callable[[Part, Case, int, bool], Outcome]

NO_FAKES: frozenset[str] = frozenset()


def judge(exercise: Exercise, ask: Ask, *, seed: int, points: float = 0.0, device: torch.device | str = "cpu") -> Report:
    """Judge a candidate by its answers alone; ask gets them. points: what the exercise is worth."""
    total_weight = sum(part.weight for part in exercise.parts)
    trials, parts = [], []
    for part in exercise.parts:
        trial = _Trials(part, exercise, ask, seed, device)
        worth = points * part.weight / total_weight
        earned = worth if trial.verdict == RIGHT else 0.0
        trials.append(trial)
        parts.append(PartReport(part.name, part.about, trial.verdict, trial.problem, earned, worth))
        if trial.verdict == TIMEOUT:  # the other parts would hang as well
            break
    verdict = _overall([part.verdict for part in parts])
    mistake = _recognise(exercise, trials) if verdict in (WRONG, ERROR) else ""
    return Report(
        exercise.name,
        verdict,
        tuple(parts),
        cause=exercise.mistakes[mistake].says if mistake else "",
        mistake=mistake,
        out_of=points,
    )


def judge_object(
    exercise: Exercise, candidate: Any, *, seed: int, points: float = 0.0, device: torch.device | str = "cpu"
) -> Report:
    """Judge an object that lives in this process."""

    def ask(part: Part, case: Case, case_seed: int, with_fakes: bool) -> Outcome:
        return run(candidate, part.probe, case, seed=case_seed, fakes=None if with_fakes else NO_FAKES, device=device)

    return judge(exercise, ask, seed=seed, points=points, device=device)


def judge_answer(question: Question, answer: Any, *, points: float = 0.0) -> Report:
    """Judge the answer to a question: a letter, in either case, with or without spaces."""
    letter = answer.strip().lower() if isinstance(answer, str) else None
    options = ", ".join(f'"{option}"' for option in question.feedback)
    if letter == "":
        return Report(question.name, NOT_ATTEMPTED, out_of=points)
    if letter is None or letter not in question.feedback:
        message = f"Set {question.name} to one of the letters {options}; it is {answer!r:.60}."
        return Report(question.name, WRONG, message=message, out_of=points)
    verdict = RIGHT if letter == question.right else WRONG
    earned = points if verdict == RIGHT else 0.0
    part = PartReport("answer", "the option chosen", verdict, "", earned, points)
    return Report(question.name, verdict, (part,), message=question.feedback[letter], out_of=points)


class _Trials:
    """One part's cases, with what the candidate answered, and the verdict on it."""

    def __init__(self, part: Part, exercise: Exercise, ask: Ask, seed: int, device: torch.device | str) -> None:
        self.part = part
        self.reference = exercise.reference
        self.device = device
        self.ask = ask
        generator = torch.Generator().manual_seed(seed)
        self.cases = [(seed + i, case) for i, case in enumerate(part.cases(generator))]
        self.got = self._answers(with_fakes=True)
        self.seen = [self._viewed(i, got) for i, got in enumerate(self.got)]
        self.verdict, self.problem = self._judge()

    def explained_by(self, candidate: Any) -> bool:
        """Say whether the answers are those of another candidate, in every case."""
        return all(
            agree(self.part, self.seen[i], self._viewed(i, self._expected(candidate, i, got)))
            for i, got in enumerate(self.got)
        )

    def _answers(self, with_fakes: bool) -> list[Outcome]:
        got = []
        for case_seed, case in self.cases:
            got.append(self.ask(self.part, case, case_seed, with_fakes))
            if got[-1].failure:
                break
        return got

    def _judge(self) -> tuple[str, str]:
        failure = self.got[-1].failure
        if failure and failure.kind == "todo":
            if failure.name.split(".")[0] == self.reference.__name__:
                return NOT_ATTEMPTED, ""
            return BLOCKED, f"It calls `{failure.name}`, which is not written yet."
        where = f" ({failure.line})" if failure and failure.line else ""
        if failure and failure.kind == "timeout":
            return TIMEOUT, f"It was {failure.message}{where}."
        difference = self._difference(self.got)
        if difference is None:
            return RIGHT, ""
        used = sorted(set().union(*(got.used for got in self.got)))
        # A candidate may mix its own formula with an earlier exercise that it calls, or call one in a way that only its
        # own understands: right, if it is right without fakes.
        if used and self._difference(self._answers(with_fakes=False)) is None:
            return RIGHT, ""
        if failure:
            return ERROR, f"{failure.name}: {failure.message}{where}"
        note = f" (During a check a stand-in takes the place of your {', '.join(f'`{name}`' for name in used)}.)"
        return WRONG, difference.text + (note if used and difference.kind == "value" else "")

    def _difference(self, outcomes: list[Outcome]) -> Difference | None:
        """Return where the answers first part from what was expected."""
        for i, got in enumerate(outcomes):
            expected = self._expected(self.reference, i, got)
            if expected.failure:
                raise RuntimeError(f"the reference of {self.reference.__name__} fails: {expected.failure.message}")
            difference = first_difference(self.part, got, expected, structure_only=True)
            difference = difference or first_difference(self.part, self._viewed(i, got), self._viewed(i, expected))
            if difference:
                return difference
        return None

    def _viewed(self, index: int, outcome: Outcome) -> Outcome:
        return viewed(self.part, outcome, self.cases[index][1])

    def _expected(self, candidate: Any, index: int, got: Outcome) -> Outcome:
        """Return what another candidate answers to a case, with the fakes that the student's code used."""
        case_seed, case = self.cases[index]
        outcome = run(candidate, self.part.probe, case, seed=case_seed, fakes=got.used, device=self.device)
        if outcome.failure and outcome.failure.kind == "timeout":
            raise KeyboardInterrupt  # it hit our own code, not the student's: no verdict
        return outcome


def _overall(verdicts: list[str]) -> str:
    if all(verdict == RIGHT for verdict in verdicts):
        return RIGHT
    if all(verdict in (NOT_ATTEMPTED, BLOCKED) for verdict in verdicts):
        return BLOCKED if BLOCKED in verdicts else NOT_ATTEMPTED
    for verdict in (TIMEOUT, ERROR, WRONG, BLOCKED):
        if verdict in verdicts:
            return verdict
    return WRONG  # some parts right, the others not attempted


def _recognise(exercise: Exercise, trials: list[_Trials]) -> str:
    """Name the mistake that explains most of the wrong parts, and among those most of the others."""
    wrong = [trial for trial in trials if trial.verdict in (WRONG, ERROR)]
    others = [trial for trial in trials if trial not in wrong]
    best, best_score = "", (0, 0)
    for name, mistake in exercise.mistakes.items():
        explained = sum(trial.explained_by(mistake.candidate) for trial in wrong)
        if not explained:
            continue
        score = (explained, sum(trial.explained_by(mistake.candidate) for trial in others))
        if score > best_score:
            best, best_score = name, score
    return best
