"""Run the part of a notebook that defines things: no training, no plots, no widgets."""

import ast
import builtins
import hashlib
import linecache
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from course.checks.cut import global_names
from course.checks.probing import text_of

NOTEBOOK_CALLS = ("check", "hint", "progress", "start")
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what parsing a stranger's source may raise


@dataclass
class Definitions:
    """What a notebook defines, and what failed: name that would have been defined -> what went wrong."""

    namespace: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a cell."""

    node: ast.stmt
    file: str
    lines: list[bytes]  # of the cell, as Python ends lines

    @cached_property
    def source(self) -> str:
        """Return its source, with its decorators. (ast.get_source_segment leaves these out, and is slow.)"""
        first = min(node.lineno for node in (self.node, *getattr(self.node, "decorator_list", ())))
        own = self.lines[first - 1 : self.node.end_lineno]
        own[-1] = own[-1][: self.node.end_col_offset]
        own[0] = own[0][self.node.col_offset :]  # after the last one's end: they may be the same line
        return b"".join(own).decode()

    @cached_property
    def code(self) -> types.CodeType:
        """Return what Python runs. Raises what compiling a stranger's source may raise."""
        return compile(ast.Module([self.node], type_ignores=[]), self.file, "exec")

    @cached_property
    def binds(self) -> set[str]:
        """List the names that it gives a value."""
        return _bound_names(self.node)

    @cached_property
    def reads(self) -> set[str]:
        """List the global names that it reads."""
        try:
            return global_names(self.source)
        except UNREADABLE:  # running it will say so
            return set()

    @cached_property
    def is_definition(self) -> bool:
        """Say whether it imports or defines something."""
        return isinstance(self.node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))

    @cached_property
    def calls_notebook(self) -> bool:
        """Say whether it calls what only a notebook is for."""
        calls = (node.func for node in ast.walk(self.node) if isinstance(node, ast.Call))
        return any(isinstance(function, ast.Name) and function.id in NOTEBOOK_CALLS for function in calls)


@dataclass(frozen=True)
class Cell:
    """A cell as Python: without %magics, !commands and questions with a trailing ?. problem: why it is none."""

    statements: tuple[Statement, ...]
    lines: list[bytes]
    problem: str = ""


def define(
    cells: Iterable[str],
    wanted: Iterable[str],
    namespace: dict[str, Any],
    *,
    skip: Mapping[int, str] | None = None,
    on_statement: Callable[[int], None] | None = None,
) -> Definitions:
    """Run a notebook's imports and definitions, in its order, and what gives wanted names their values.

    That is followed by name: the assignments of wanted names, of the names that these and the definitions of wanted names
    read, and so on. Nothing else is run. skip: statements not to run, by number, with what to say of them. on_statement is
    called with the number of each statement before it is run.
    """
    statements: list[Statement] = []
    found = Definitions(namespace)
    namespace.update({"__name__": "__main__", "__builtins__": builtins})
    for source in cells:
        cell = parse(source)
        if cell.problem:
            found.failures.update(dict.fromkeys(_names_said(source), f"The cell does not parse: {cell.problem}."))
        elif cell.statements:
            statements += cell.statements
            file = cell.statements[0].file
            linecache.cache[file] = (len(source), None, [line.decode() for line in cell.lines], file)
    needed = _needed_names(statements, wanted)
    for number, statement in enumerate(statements):
        if statement.is_definition or (statement.binds & needed and not statement.calls_notebook):
            if skip and number in skip:
                found.failures.update(dict.fromkeys(statement.binds, skip[number]))
                continue
            if on_statement:
                on_statement(number)
            _run(statement, found)
    return found


@lru_cache(maxsize=4096)
def parse(source: str) -> Cell:
    """Parse a cell.

    What only a notebook understands is left empty, unless the cell is Python as it stands: then such a line may belong to a
    string or to an expression.
    """
    lines = source.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        return Cell((), [])
    text, problem = source, ""
    for _ in range(2):
        try:
            nodes = ast.parse(text, "<cell>").body
        except UNREADABLE as error:
            problem = str(error) or type(error).__name__  # a MemoryError has no words
            text = "\n".join("" if _is_for_notebook(line) else line for line in lines)
        else:
            encoded = text.encode()
            own = encoded.splitlines(keepends=True)  # bytes end lines where Python does; it counts columns in bytes, too
            file = f"<cell {hashlib.sha256(encoded).hexdigest()[:16]}>"
            return Cell(tuple(Statement(node, file, own) for node in nodes), own)
    return Cell((), [], problem)


def prepare(source: str) -> None:
    """Parse and compile a cell, so that a process forked from this one finds all that is asked of it here done."""
    for statement in parse(source).statements:
        _ = statement.code, statement.binds, statement.reads, statement.is_definition, statement.calls_notebook


def _is_for_notebook(line: str) -> bool:
    return line.lstrip().startswith(("%", "!", "?")) or line.rstrip().endswith("?")


def sources_of(cells: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return the source of the last definition of each name, as far as the cells can be parsed."""
    wanted = set(names)
    statements = (statement for source in cells for statement in parse(source).statements)
    last = {name: statement for statement in statements if (name := getattr(statement.node, "name", "")) in wanted}
    return {name: statement.source for name, statement in last.items()}


def _run(statement: Statement, found: Definitions) -> None:
    try:
        exec(statement.code, found.namespace)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a student's cell may raise anything; its names get that said
        message = f"Its cell stops with {type(error).__name__}: {text_of(error, str)[:300]}"
        found.failures.update(dict.fromkeys(statement.binds, message))
    else:
        for name in statement.binds:
            found.failures.pop(name, None)


def _bound_names(statement: ast.stmt) -> set[str]:
    """List the names that a top-level statement binds, or whose attributes and items it sets."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    if isinstance(statement, (ast.If, ast.Try)):
        handled = [inner for handler in getattr(statement, "handlers", ()) for inner in handler.body]
        inside = [*statement.body, *handled, *statement.orelse, *getattr(statement, "finalbody", ())]
        return set().union(*map(_bound_names, inside))
    return set()


def _needed_names(statements: list[Statement], wanted: Iterable[str]) -> set[str]:
    """Follow the wanted names through the statements that bind them and what those read, as far as it goes."""
    binding: dict[str, list[Statement]] = {}
    for statement in statements:
        for name in statement.binds:
            binding.setdefault(name, []).append(statement)
    needed, queue = set(wanted), list(wanted)
    while queue:
        for statement in binding.get(queue.pop(), ()):
            more = statement.reads - needed
            needed |= more
            queue.extend(more)
    return needed


def _names_said(source: str) -> list[str]:
    """Find the names that a cell which does not parse was to define, by its markers."""
    marks = ("# exercise: ", "# question: ")
    return [line.split(": ", 1)[1].strip() for line in source.splitlines() if line.startswith(marks)]
