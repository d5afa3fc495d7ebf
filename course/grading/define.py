"""Run the part of a notebook that defines things: no training, no plots, no widgets."""

import ast
import builtins
import linecache
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
class _Statement:
    """A statement at the top of a cell."""

    file: str
    lines: list[bytes]  # of the cell
    node: ast.stmt

    @cached_property
    def binds(self) -> set[str]:
        return _bound_names(self.node)

    @cached_property
    def reads(self) -> set[str]:
        try:
            return global_names(_source(self.lines, self.node))
        except UNREADABLE:  # running it will say so
            return set()


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
    statements: list[_Statement] = []
    found = Definitions(namespace)
    namespace.update({"__name__": "__main__", "__builtins__": builtins})
    for number, source in enumerate(cells, start=1):
        file, (plain, tree) = f"<cell {number}>", parse(source)
        if isinstance(tree, str):
            found.failures.update(dict.fromkeys(_names_said(source), f"The cell does not parse: {tree}."))
            continue
        lines = _lines(plain)
        statements += [_Statement(file, lines, node) for node in tree.body]
        linecache.cache[file] = (len(plain), None, [line.decode() for line in lines], file)
    needed = _needed_names(statements, wanted)
    for number, statement in enumerate(statements):
        if _is_definition(statement.node) or (statement.binds & needed and not _calls_notebook(statement.node)):
            if skip and number in skip:
                found.failures.update(dict.fromkeys(statement.binds, skip[number]))
                continue
            if on_statement:
                on_statement(number)
            _run(statement, found)
    return found


@lru_cache(maxsize=4096)
def parse(source: str) -> tuple[str, ast.Module | str]:
    """Parse a cell; return it as Python without what only a notebook understands, and its tree, or what is wrong with it.

    That is: %magics, !commands, and questions with a trailing ?. Their lines are left empty, unless the cell is Python as
    it stands: then such a line may belong to a string or to an expression.
    """
    lines = source.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        return "", ast.Module([], [])
    text, problem = source, ""
    for _ in range(2):
        try:
            return text, ast.parse(text, "<cell>")
        except UNREADABLE as error:
            problem = str(error)
        text = "\n".join("" if _is_for_notebook(line) else line for line in lines)
    return text, problem


def _is_for_notebook(line: str) -> bool:
    return line.lstrip().startswith(("%", "!", "?")) or line.rstrip().endswith("?")


def sources_of(cells: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return the source of the last definition of each name, as far as the cells can be parsed."""
    wanted, found = set(names), dict[str, str]()
    for source in cells:
        plain, tree = parse(source)
        named = [(getattr(node, "name", ""), node) for node in ([] if isinstance(tree, str) else tree.body)]
        defined = [(name, node) for name, node in named if name in wanted]
        lines = _lines(plain) if defined else []
        found |= {name: _source(lines, node) for name, node in defined}
    return found


def _lines(text: str) -> list[bytes]:
    return text.encode().splitlines(keepends=True)  # Python ends lines where bytes do, and counts columns in bytes


def _source(lines: list[bytes], statement: ast.stmt) -> str:
    """Return the source of a statement at the top of a text, with its decorators. (ast.get_source_segment leaves these out,
    and is slow.)"""
    decorators = getattr(statement, "decorator_list", ())
    first = min(node.lineno for node in (statement, *decorators))
    own = lines[first - 1 : statement.end_lineno]
    own[-1] = own[-1][: statement.end_col_offset]
    if not decorators:
        own[0] = own[0][statement.col_offset :]
    return b"".join(own).decode()


def _run(statement: _Statement, found: Definitions) -> None:
    try:
        exec(compile(ast.Module([statement.node], type_ignores=[]), statement.file, "exec"), found.namespace)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a student's cell may raise anything; its names get that said
        message = f"Its cell stops with {type(error).__name__}: {text_of(error, str)[:300]}"
        found.failures.update(dict.fromkeys(statement.binds, message))
    else:
        for name in statement.binds:
            found.failures.pop(name, None)


def _is_definition(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


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


def _needed_names(statements: list[_Statement], wanted: Iterable[str]) -> set[str]:
    """Follow the wanted names through the statements that bind them and what those read, as far as it goes."""
    binding: dict[str, list[_Statement]] = {}
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


def _calls_notebook(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NOTEBOOK_CALLS
        for node in ast.walk(statement)
    )


def _names_said(source: str) -> list[str]:
    """Find the names that a cell which does not parse was to define, by its markers."""
    marks = ("# exercise: ", "# question: ")
    return [line.split(": ", 1)[1].strip() for line in source.splitlines() if line.startswith(marks)]
