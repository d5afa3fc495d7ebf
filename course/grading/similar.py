"""Find answers that are more alike than chance makes them: what is compared is the shape of the code, not its names."""

import ast
import inspect
import math
import textwrap
import warnings
from array import array
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from typing import Any

from course.checks.cut import stub_source
from course.checks.exercise import Exercise, Lab

K = 8  # nodes of the syntax tree in one hash
MOST_HASHES = 200  # in one fingerprint
LONGEST = 100_000  # characters; what is longer is no answer to an exercise

ALIKE = 0.9  # Jaccard similarity from which two answers to one exercise are alike
FEWEST = 12  # rare hashes that both must share: one unusual node is in up to K of them, so at least two are
EXERCISES = 2  # in so many exercises must two students be alike ...
LONG = 80  # ... or share so many rare hashes in those where they are: ten unusual nodes or more
MOST_SHARED = 20  # a form that more students share is known to the class, however large that is

_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)


@dataclass(frozen=True)
class Group:
    """Students whose answers to the named exercises are alike, each at least to one other; similarity is the least."""

    students: tuple[str, ...]
    exercises: tuple[str, ...]
    similarity: float


class Similarities:
    """Collect the fingerprints of a class, four bytes a hash, then find the groups of students that share unusual code.

    known: by exercise, hashes that count for nothing, such as those of the stub, the reference and accepted styles.

    For each exercise, hashes that more than max(3, 5 %) of the students have, or more than MOST_SHARED of them, are left
    out: the exercise is short there, or it is the standard solution. Two answers are alike if at least ALIKE of the
    remaining, rare hashes of the two are shared (Jaccard), and at least FEWEST. A pair of students is reported if they are
    alike in EXERCISES exercises, or in fewer that share LONG rare hashes together.

    Why two exercises: a form that two of n students have has a chance of about 1/n for a third, and n students make n²/2
    pairs. So pairs that are alike in one exercise happen in every class; in two, the chance for a given pair and given
    exercises is about 1/n². In simulated classes of 14 to 1000 students with habits of their own, independent students were
    alike in one exercise in most classes, in two in one class of twenty. Students who work together, or have the same
    tutor or assistant, are not independent. It is a reason to look, never a proof.
    """

    def __init__(self, known: Mapping[str, Container[int]] | None = None) -> None:
        self._known = known or {}
        self._students: list[str] = []
        self._answers: dict[str, dict[int, array[int]]] = defaultdict(dict)  # exercise -> student's number -> hashes

    def add(self, student: str, fingerprints: Mapping[str, tuple[int, ...]]) -> None:
        """Add a student's fingerprints, by exercise; give only the exercises that were attempted."""
        for exercise, hashes in fingerprints.items():
            if hashes:
                self._answers[exercise][len(self._students)] = array("I", hashes)
        self._students.append(student)

    def groups(self) -> list[Group]:
        """Find the groups, the largest first."""
        alike: dict[tuple[int, int], list[_Match]] = defaultdict(list)
        for exercise in self._answers:
            for pair, match in self._matches(exercise):
                alike[pair].append(match)
        found = {
            pair: matches
            for pair, matches in alike.items()
            if len(matches) >= EXERCISES or sum(match.shared for match in matches) >= LONG
        }
        groups = []
        for members in _connected(found):
            matches = [match for pair, matches in found.items() if pair[0] in members for match in matches]
            named = {match.exercise for match in matches}
            groups.append(
                Group(
                    tuple(sorted(self._students[i] for i in members)),
                    tuple(exercise for exercise in self._answers if exercise in named),
                    min(match.similarity for match in matches),
                )
            )
        return sorted(groups, key=lambda group: (-len(group.students), -len(group.exercises), group.students))

    def _matches(self, exercise: str) -> Iterator[tuple[tuple[int, int], "_Match"]]:
        """Yield the pairs of students whose answers to an exercise are alike."""
        answers, known = self._answers[exercise], self._known.get(exercise, ())
        owners = Counter(value for hashes in answers.values() for value in hashes if value not in known)
        limit = min(max(3, 0.05 * len(answers)), MOST_SHARED)
        rare = {i: {value for value in hashes if 0 < owners[value] <= limit} for i, hashes in answers.items()}
        # Of two sets as alike as that, one of the first tenth is shared, in any order of all values (prefix filtering);
        # in the order of the rarest first, few pairs have one in common.
        index: dict[int, list[int]] = defaultdict(list)
        for i, values in rare.items():
            if len(values) >= FEWEST:
                first = len(values) - math.ceil(ALIKE * len(values)) + 1
                for value in sorted(values, key=lambda value: (owners[value], value))[:first]:
                    index[value].append(i)
        pairs = {pair for students in index.values() for pair in combinations(students, 2)}
        for i, j in sorted(pairs):
            shared = len(rare[i] & rare[j])
            similarity = shared / len(rare[i] | rare[j])
            if shared >= FEWEST and similarity >= ALIKE:
                yield (i, j), _Match(exercise, shared, similarity)


@dataclass(frozen=True)
class _Match:
    exercise: str
    shared: int
    similarity: float


def known_fingerprints(lab: Lab) -> dict[str, set[int]]:
    """Return, by exercise, the hashes of what anyone may have written: stub, reference, accepted styles, known mistakes."""
    known = {}
    for name, entry in lab.entries.items():
        if isinstance(entry.item, Exercise):
            item = entry.item
            mistakes = [mistake.candidate for mistake in item.mistakes.values()]
            sources = [_source(candidate) for candidate in (item.reference, *item.styles.values(), *mistakes)]
            sources.append(stub_source(sources[0], item.methods))
            known[name] = {value for source in sources for value in fingerprint(source)}
    return known


def fingerprint(source: str) -> tuple[int, ...]:
    """Return hashes that describe the shape of a definition, at most MOST_HASHES, sorted; () for what does not parse.

    Each hash is of K nodes of the syntax tree in a row, in the order of the source. Docstrings and annotations are left
    out; what is bound in the source (variables, arguments, inner functions) loses its name, in each hash by order of
    first use. Attributes, globals, constants and operators stay. Of many hashes the smallest are kept, so that two
    answers keep the same ones. Never raises.
    """
    if len(source) > LONGEST:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an invalid escape in a student's text
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    nodes = list(_preorder(tree))
    bound = {name for node in nodes for name in _bound(node)}
    words = [word for node in nodes for word in _words(node, bound)]
    grams = (words[i : i + K] for i in range(max(1, len(words) - K + 1))) if words else ()
    return tuple(sorted({_hash(gram) for gram in grams})[:MOST_HASHES])


def _source(candidate: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(candidate))
    except (OSError, TypeError):  # not every way to write a style has a source of its own
        return ""


def _preorder(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree in the order of the source, without recursion; skip annotations and lone texts."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue
        if isinstance(node, ast.AnnAssign) and node.value is None:
            continue
        yield node
        children: list[ast.AST] = []
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns", "type_params", "ctx"):
                values = value if isinstance(value, list) else [value]
                children.extend(child for child in values if isinstance(child, ast.AST))
        waiting.extend(reversed(children))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, _NAMED) and node.name:
        yield node.name


def _words(node: ast.AST, bound: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield what a node adds to the sequence: (its kind and what of it counts, the name to forget)."""
    kind = "Assign" if isinstance(node, ast.AnnAssign) else type(node).__name__
    if isinstance(node, (ast.Module, ast.arguments)):
        return
    if isinstance(node, ast.Name):
        yield ("variable", node.id) if node.id in bound else (f"global {node.id}", "")
    elif isinstance(node, ast.arg):
        yield kind, node.arg
    elif isinstance(node, ast.Attribute):
        yield f"{kind} {node.attr}", ""
    elif isinstance(node, ast.keyword):
        yield f"{kind} {node.arg}", ""
    elif isinstance(node, ast.alias):
        yield f"{kind} {node.name}", ""
    elif isinstance(node, ast.Constant):
        # an int as hexadecimal: Python refuses to write very long ones as decimals
        yield f"{type(node.value).__name__} {node.value:x}" if type(node.value) is int else repr(node.value), ""
    else:
        yield kind, ""


def _hash(gram: list[tuple[str, str]]) -> int:
    names: dict[str, int] = {"": 0}
    text = "\n".join(f"{kind} {names.setdefault(name, len(names))}" for kind, name in gram)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")


def _connected(pairs: Mapping[tuple[int, int], object]) -> list[set[int]]:
    """Gather pairs that have a member in common."""
    group_of: dict[int, set[int]] = {}
    for i, j in pairs:
        merged = group_of.get(i, {i}) | group_of.get(j, {j})
        group_of.update(dict.fromkeys(merged, merged))
    return list({id(group): group for group in group_of.values()}.values())
