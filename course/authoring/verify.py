"""Prove a lab's checks: right answers pass in every style, the stub is not attempted, every mistake is recognised."""

import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from course.checks.cut import make_stub
from course.checks.diagnose import Key, ask_object, judge, judge_answer
from course.checks.exercise import Entry, Exercise, Lab, Question
from course.checks.report import NOT_ATTEMPTED, RIGHT, WRONG, Report
from course.checks.session import judge_entry
from course.labs import load

MIN_MISTAKES, MIN_STYLES = 3, 1


@dataclass(frozen=True)
class Proof:
    """What was found about one exercise; problems is empty if its checks are sound."""

    name: str
    mistakes: int
    styles: int
    judgements: int
    problems: tuple[str, ...]


def verify(lab: Lab, seeds: range = range(20)) -> Iterator[Proof]:
    """Judge every reference, style, stub and mistake of a lab with every seed; yield a proof for each exercise."""
    return (prove(entry, seeds) for entry in lab.entries.values())


def prove(entry: Entry, seeds: range) -> Proof:
    """Prove one exercise or question."""
    if isinstance(entry.item, Question):
        return _verify_question(entry.item)
    return _verify_exercise(entry, entry.item, seeds)


def verify_labs(names: Sequence[str], seeds: range) -> Iterator[tuple[str, Proof]]:
    """Yield lab and proof for each exercise of these labs, in their order; a process for each core proves them."""
    method = "fork" if sys.platform == "linux" else "spawn"
    tasks = [(lab, name, seeds) for lab in names for name in load(lab).entries]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context(method), initializer=_begin) as pool:
        futures = [(task[0], pool.submit(_prove_by_name, *task)) for task in tasks]
        try:
            for lab, future in futures:
                yield lab, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    torch.set_num_threads(1)  # one for each process; and threads do not survive a fork


def _prove_by_name(lab: str, name: str, seeds: range) -> Proof:
    return prove(load(lab).entries[name], seeds)


def _verify_exercise(entry: Entry, exercise: Exercise, seeds: range) -> Proof:
    problems = []
    if len(exercise.mistakes) < MIN_MISTAKES or len(exercise.styles) < MIN_STYLES:
        problems.append(f"needs at least {MIN_MISTAKES} mistakes and {MIN_STYLES} style")
    if not exercise.hints:
        problems.append("has no hint")
    stub = make_stub(exercise.reference, exercise.methods)
    verdict = judge_entry(entry, stub).verdict
    if verdict != NOT_ATTEMPTED:
        problems.append(f"the untouched stub is {verdict!r}, not {NOT_ATTEMPTED!r}")
    judgements = 1

    def judged(candidate: Any, key: Key) -> Report:
        nonlocal judgements
        judgements += 1
        return judge(key, partial(ask_object, candidate), points=entry.points)

    for seed in seeds:
        key = Key(exercise, seed)
        for name, candidate in {"the reference": exercise.reference, **exercise.styles}.items():
            report = judged(candidate, key)
            if report.verdict != RIGHT:
                problems.append(f"seed {seed}: {name} is not right:\n{report}")
        for name, mistake in exercise.mistakes.items():
            report = judged(mistake.candidate, key)
            if report.verdict == RIGHT:
                problems.append(f"seed {seed}: the mistake {name} passes")
            elif report.mistake != name:
                problems.append(
                    f"seed {seed}: the mistake {name} is taken for {report.mistake or 'no known one'}:\n{report}"
                )
    return Proof(exercise.name, len(exercise.mistakes), len(exercise.styles), judgements, tuple(problems))


def _verify_question(question: Question) -> Proof:
    problems = []
    if question.right not in question.feedback:
        problems.append(f"the right option {question.right} is none of the options")
    for option in question.feedback:
        wanted = RIGHT if option == question.right else WRONG
        report = judge_answer(question, option)
        if report.verdict != wanted:
            problems.append(f"the option {option} is {report.verdict}, not {wanted}")
        if len(report.message) < 40:
            problems.append(f"the option {option} has no reasoned feedback")
    if judge_answer(question, "").verdict != NOT_ATTEMPTED:
        problems.append("the empty answer is not 'not attempted'")
    return Proof(question.name, len(question.feedback) - 1, 1, len(question.feedback) + 1, tuple(problems))
