"""Cut the solution out of a reference's source: the stub that a student gets, and the test that it is still a stub."""

import ast
import inspect
import linecache
import re
import symtable
import textwrap
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course.checks.probing import functions_of, source_of, unwrap

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def stub_source(source: str, methods: Sequence[str] = (), todo: Sequence[str] = ()) -> str:
    """Return the source of a function, or of a class with the named methods, without its solution.

    What stands between the BEGIN and END marks is cut; where there are none, the whole body but its docstring. The todo
    lines (comments; "# TODO name: ..." for one of several methods) take its place, then a NotImplementedError that names
    what is to be written.
    Raises ValueError if a method is missing, or a mark has no partner.
    """
    definition = ast.parse(source).body[0]
    lines = source.splitlines()
    nodes = _to_cut(definition, methods)
    comments = _comments(nodes, todo)
    for node in reversed(nodes):
        name = node.name if node is definition else f"{_name(definition)}.{node.name}"
        first, last = _solution_lines(node, lines)
        indent = " " * node.body[0].col_offset
        added = [*comments[node.name], f'raise NotImplementedError("TODO {name}")']
        lines[first - 1 : last] = [indent + line for line in added]
    return "\n".join(lines) + "\n"


def solution_source(source: str) -> str:
    """Return the source as a reader of the solution sees it: without the marks."""
    return "".join(line for line in source.splitlines(keepends=True) if line.strip() not in (BEGIN, END))


def is_stub(candidate: Any, reference: Any, methods: Sequence[str] = ()) -> bool:
    """Say whether a student's object is still the stub: the same syntax tree, whatever its comments and docstring."""
    return describe(candidate, stub_of(reference, methods), methods).is_stub


def stub_of(reference: Any, methods: Sequence[str] = ()) -> str:
    """Return the source that a student is given in the place of a reference."""
    return stub_source(inspect.getsource(reference), methods)


@dataclass(frozen=True)
class Description:
    """What can be said of a student's object without calling it."""

    kind: str  # "function" (whatever can be called), "class" or "value"
    type_name: str
    is_stub: bool = False  # still as it was handed out
    holds_todo: bool = False  # the stub's raise still stands in it somewhere


def describe(candidate: Any, stub: str, methods: Sequence[str] = ()) -> Description:
    """Describe a student's object; stub is the source that was handed out."""
    if isinstance(candidate, type):
        kind = "class"
    else:
        kind = "function" if callable(candidate) else "value"
    type_name = type(candidate).__name__
    if kind == "value":
        return Description(kind, type_name)
    if not any(left_over_todo(function.__code__) for function in functions_of(candidate)):
        return Description(kind, type_name)
    handed_out, written = ast.parse(stub).body[0], unwrap(candidate)
    attributes = vars(written) if methods and isinstance(written, type) else {}
    pairs = [(attributes.get(node.name) if methods else written, node) for node in _to_cut(handed_out, methods)]
    untouched = all(_tree_of(function) in (_bare(node), ast.dump(node.body[-1])) for function, node in pairs)
    return Description(kind, type_name, untouched, holds_todo=True)


def global_names(source: str) -> set[str]:
    """List the global names that a source reads, in itself and in all its functions and classes."""
    tables, found = [symtable.symtable(source, "<cell>", "exec")], set()
    while tables:
        table = tables.pop()
        tables.extend(table.get_children())
        found |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")
        }
    return found


def left_over_todo(code: types.CodeType) -> bool:
    """Say whether a function's code still holds the stub's raise."""
    texts = [constant for constant in code.co_consts if isinstance(constant, str)]
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    is_raised = "NotImplementedError" in code.co_names and any(text.startswith("TODO ") for text in texts)
    return is_raised or any(map(left_over_todo, inner))


def _to_cut(definition: ast.AST, methods: Sequence[str]) -> list[FunctionNode]:
    if not methods:
        if not isinstance(definition, FunctionNode):
            raise ValueError(f"{_name(definition)} is no function: say which methods the student writes (methods=...)")
        return [definition]
    assert isinstance(definition, ast.ClassDef)
    found = [node for node in definition.body if isinstance(node, FunctionNode) and node.name in methods]
    missing = set(methods) - {node.name for node in found}
    if missing:
        raise ValueError(f"{definition.name} has no method {', '.join(sorted(missing))}")
    return found


def _comments(nodes: Sequence[FunctionNode], todo: Sequence[str]) -> dict[str, list[str]]:
    """Hand out the todo lines: those from "# TODO name:" on to the method of that name, the others to the first."""
    given: dict[str, list[str]] = {node.name: [] for node in nodes}
    target = nodes[0].name
    for line in todo:
        named = re.match(r"# TODO (\w+):", line)
        target = named[1] if named and named[1] in given else target
        given[target].append(line)
    return given


def _solution_lines(node: FunctionNode, lines: Sequence[str]) -> tuple[int, int]:
    """Find the first and last line (from 1) of what is cut."""
    assert node.end_lineno is not None
    last = _with_comments(node, lines)
    marked = {mark: [n for n in range(node.lineno, last + 1) if lines[n - 1].strip() == mark] for mark in (BEGIN, END)}
    if marked[BEGIN] or marked[END]:
        if len(marked[BEGIN]) != 1 or len(marked[END]) != 1 or marked[BEGIN] > marked[END]:
            raise ValueError(f"{node.name} needs one '{BEGIN}' and after it one '{END}'")
        return marked[BEGIN][0], marked[END][0]
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if not body:
        raise ValueError(f"{node.name} has no body to cut")
    first = min(part.lineno for part in (body[0], *getattr(body[0], "decorator_list", ())))
    if lines[first - 1][: body[0].col_offset].strip():
        raise ValueError(f"{node.name} has no line of its own for its body")
    docstring = (node.body[0].end_lineno or 0) if len(body) < len(node.body) else 0
    return _outermost_comment(lines, range(first - 1, max(node.lineno, docstring), -1), node.col_offset) or first, last


def _with_comments(node: FunctionNode, lines: Sequence[str]) -> int:
    """Find a function's last line, with the comments that stand below its last statement and as deep."""
    assert node.end_lineno is not None
    below = range(node.end_lineno + 1, len(lines) + 1)
    return _outermost_comment(lines, below, node.col_offset) or node.end_lineno


def _outermost_comment(lines: Sequence[str], numbers: range, column: int) -> int | None:
    """Walk over comments deeper than the column, and empty lines; return the number of the last comment, if any."""
    found = None
    for number in numbers:
        text = lines[number - 1].lstrip()
        if text.startswith("#") and len(lines[number - 1]) - len(text) > column:
            found = number
        elif text:
            break
    return found


def _tree_of(function: Any) -> str | None:
    function = unwrap(function)
    source = source_of(function) if isinstance(function, types.FunctionType) else None
    if source is None:
        return None
    try:
        node = ast.parse(textwrap.dedent(source)).body[0]
    except (SyntaxError, IndexError):
        return None
    return _bare(node) if isinstance(node, FunctionNode) else None


def _bare(node: FunctionNode) -> str:
    """Dump a function's body without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return "\n".join(ast.dump(statement) for statement in body)


def _name(definition: ast.AST) -> str:
    return str(getattr(definition, "name", type(definition).__name__))


def make_stub(reference: Any, methods: Sequence[str] = ()) -> Any:
    """Return the stub itself, made from the reference's source in a copy of its module's namespace."""
    source = stub_of(reference, methods)
    file = f"<stub of {reference.__name__}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # so that inspect finds it
    namespace = dict(vars(inspect.getmodule(reference)))
    exec(compile(source, file, "exec"), namespace)
    return namespace[reference.__name__]
