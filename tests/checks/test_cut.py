"""The stub: always Python, never the solution; and whether a student's object is still it."""

import ast
import importlib.util
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.checks.cut import global_names, is_stub, left_over_todo, make_stub, solution_source, stub_source

MARKED = '''
def f(
    x: int,  # a comment in the signature
    *,
    scale: float = 1.0,
) -> float:
    """Say what it does.

    # not a comment: TODO
    """
    if x < 0:
        raise ValueError("negative")
    ### BEGIN SOLUTION
    # secret comment
    secret = x * scale

    def inner_secret(y):
        return y

    return inner_secret(secret)
    # last secret
    ### END SOLUTION
'''.lstrip()

METHODS = '''
@decorator(1)
class Net(Base):
    """A net."""

    size = 3

    def __init__(self):
        self.size = 4

    @property
    def kept(self):
        return self.size

    @torch.no_grad()
    def forward(self, x):
        """Go forward."""
        # secret above
        secret_one = x
        return secret_one
        # secret below

    # said about sample
    async def sample(self, n):
        secret_two = n
        return secret_two

    def after(self):
        # kept comment
        return 1
'''.lstrip()


def test_the_marked_part_alone_is_cut() -> None:
    stub = stub_source(MARKED, todo=["# TODO: write it.", "# As in the text."])
    assert stub == MARKED[: MARKED.index("    ### BEGIN")] + (
        '    # TODO: write it.\n    # As in the text.\n    raise NotImplementedError("TODO f")\n'
    )
    ast.parse(stub)


def test_without_marks_all_but_the_docstring_is_cut() -> None:
    head = '@wraps(g)\ndef f(x):\n    """Doc.\n    # indeed"""\n'
    source = head + "    # secret\n\n    # secret\n    return x\n\n    # secret below\n"
    assert stub_source(source) == head + '    raise NotImplementedError("TODO f")\n'
    assert stub_source("def f(x):\n    # secret\n    return x\n") == 'def f(x):\n    raise NotImplementedError("TODO f")\n'
    signature = "def f(\n    x,\n    # no secret\n):\n"
    assert stub_source(signature + "    return x") == signature + '    raise NotImplementedError("TODO f")\n'
    assert stub_source("def f():\n    @secret\n    @secret\n    def g():\n        pass\n    return g\n") == (
        'def f():\n    raise NotImplementedError("TODO f")\n'
    )


def test_the_methods_of_a_class_are_cut_and_nothing_else() -> None:
    stub = stub_source(METHODS, ["sample", "forward"], ["# TODO: both.", "# TODO sample: this.", "# And that."])
    assert "secret" not in stub
    tree = ast.parse(stub).body[0]
    assert isinstance(tree, ast.ClassDef)
    whole = ast.parse(METHODS).body[0]
    assert isinstance(whole, ast.ClassDef)
    assert [ast.dump(d) for d in tree.decorator_list] == [ast.dump(d) for d in whole.decorator_list]
    for cut, node in zip(tree.body, whole.body, strict=True):
        if getattr(node, "name", "") in ("forward", "sample"):
            assert isinstance(cut, (ast.FunctionDef, ast.AsyncFunctionDef))
            assert isinstance(cut.body[-1], ast.Raise)
            assert ast.unparse(cut.body[-1]) == f"raise NotImplementedError('TODO Net.{cut.name}')"
            assert len(cut.body) == (2 if cut.name == "forward" else 1)
            assert type(cut) is type(node)
        else:
            assert ast.dump(cut) == ast.dump(node)
    lines = stub.splitlines()
    assert lines[lines.index("        # TODO: both.") + 1] == '        raise NotImplementedError("TODO Net.forward")'
    assert lines[lines.index("        # TODO sample: this.") + 1 :][:2] == [
        "        # And that.",
        '        raise NotImplementedError("TODO Net.sample")',
    ]
    assert "    # said about sample" in lines
    assert "        # kept comment" in lines


@pytest.mark.parametrize(
    ("source", "methods", "says"),
    [
        (MARKED.replace("    ### END SOLUTION\n", ""), [], "f needs one '### BEGIN SOLUTION' and after it one"),
        (MARKED.replace("    ### BEGIN SOLUTION\n", ""), [], "f needs one"),
        (MARKED + "    ### END SOLUTION\n", [], "f needs one"),
        (MARKED.replace("BEGIN", "XXX").replace("END", "BEGIN").replace("XXX", "END"), [], "f needs one"),
        ('def f(x):\n    """Nothing else."""\n', [], "f has no body to cut"),
        ("def f(x): return x\n", [], "line of its own"),
        (METHODS, ["forward", "missing"], "Net has no method missing"),
        (METHODS, [], "Net is no function: say which methods"),
    ],
)
def test_what_cannot_be_cut_is_said(source: str, methods: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        stub_source(source, methods)


def test_the_solution_has_no_marks() -> None:
    solution = solution_source(MARKED)
    assert "SOLUTION" not in solution
    assert solution == MARKED.replace("    ### BEGIN SOLUTION\n", "").replace("    ### END SOLUTION\n", "")
    assert ast.dump(ast.parse(solution)) == ast.dump(ast.parse(MARKED))


NAMES = st.sampled_from(["alpha", "beta", "gamma", "x", "y"])
SECRETS = st.lists(
    st.sampled_from(
        [
            ["secret = 1"],
            ["# secret"],
            ["for secret in range(3):", "    # secret", "    print(secret)"],
            ["if x:", "    secret()", "else:", "    # secret", "", "    secret()"],
            ["def secret(y):", '    """secret"""', "    return y"],
            ["@secret", "def secret(y):", "    return y"],
            ["with secret as s: pass"],
            ["secret = '''a", "# secret", "secret'''"],
            [""],
            ["secret = (", "    1,", "    2,", ")"],
            ["return secret"],
        ]
    ),
    min_size=1,
    max_size=6,
).filter(lambda parts: any(part[0] and not part[0].startswith("#") for part in parts))
HEADS = st.sampled_from(["def f(x):", "async def f(x):", "@wraps(g)\ndef f(x):", "def f(\n    x=(1,\n    2), # why\n):"])
DOCSTRINGS = st.sampled_from(["", '"""Doc."""', '"""Doc\n\n    more # sharp\n    """', "'single'"])


@settings(max_examples=200, deadline=None)
@given(head=HEADS, docstring=DOCSTRINGS, parts=SECRETS, marked=st.booleans(), method=st.booleans(), todo=st.booleans())
def test_a_stub_always_parses_and_holds_no_secret(
    head: str, docstring: str, parts: list[list[str]], marked: bool, method: bool, todo: bool
) -> None:
    inside = [line for part in parts for line in part]
    if marked:
        inside = ["given = 1", "### BEGIN SOLUTION", *inside, "### END SOLUTION"]
    source = "\n".join([head, *([f"    {docstring}"] if docstring else []), *(f"    {line}".rstrip() for line in inside)])
    if method:
        source = "class C:\n" + "\n".join(
            f"    {line}" if line else line for line in (source + "\n\ndef next_one(self):\n    return kept").splitlines()
        )
    source += "\n"
    ast.parse(source)
    stub = stub_source(source, ["f"] if method else [], ["# TODO: do"] if todo else [])
    ast.parse(stub)
    assert "secret" not in stub
    assert "SOLUTION" not in stub
    assert stub.count("raise NotImplementedError") == 1
    assert ("# TODO: do" in stub) == todo
    assert ("given = 1" in stub) == marked
    assert ("return kept" in stub) == method
    assert (docstring in stub.replace("\n        ", "\n    ")) or not docstring


# ---------------------------------------------------------------------------------------------------------- is_stub


REFERENCES = '''
def marked(x):
    """Do it."""
    if x is None:
        raise ValueError("none")
    ### BEGIN SOLUTION
    return x + 1
    ### END SOLUTION


def plain(x):
    """Do it."""
    return x + 1


class Pair:
    """Two methods to write."""

    def __init__(self):
        self.k = 1

    def one(self, x):
        """One."""
        return x

    def two(self, x):
        """Two."""
        return x
'''


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    path: Path = tmp_path_factory.mktemp("references") / "references_to_cut.py"
    path.write_text(REFERENCES)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[path.stem]


RAISE = 'raise NotImplementedError("TODO {}")'
GUARD = 'if x is None:\n        raise ValueError("none")\n    '


@pytest.mark.parametrize(
    ("body", "stub"),
    [
        (GUARD + RAISE, True),
        ('"""Another docstring."""\n    # a note\n    ' + GUARD + "# more\n    " + RAISE, True),
        (RAISE, True),
        ('"""Doc."""\n    # thoughts\n\n    ' + RAISE, True),
        (RAISE.replace('"', "'"), True),
        (GUARD + "return x + 1", False),
        (GUARD + "y = x\n    " + RAISE, False),
        (GUARD + 'raise NotImplementedError("another")', False),
        (GUARD + "raise NotImplementedError", False),
        ("pass", False),
        ("...", False),
        ('"""Only a docstring."""', False),
        ("return None", False),
        (GUARD.rstrip(), False),
    ],
)
def test_is_stub_of_a_marked_function(references: Any, notebook: Any, body: str, stub: bool) -> None:
    notebook.run(f"def marked(x):\n    {body}\n".replace("{}", "marked"))
    assert is_stub(notebook["marked"], references.marked) == stub


def test_is_stub_whatever_the_signature_and_decorators(references: Any, notebook: Any) -> None:
    notebook.run(
        """
        import functools

        def log(f):
            @functools.wraps(f)
            def inner(*args):
                return f(*args)
            return inner

        @log
        def plain(x: int, y: float = 2.0) -> float:
            raise NotImplementedError("TODO plain")

        part = functools.partial(plain, 1)
        shorthand = lambda x: x
        """
    )
    assert is_stub(notebook["plain"], references.plain)
    assert is_stub(notebook["part"], references.plain)
    for other in (notebook["shorthand"], print, None, 3, references.plain):
        assert not is_stub(other, references.plain)


@pytest.mark.parametrize(
    ("one", "two", "stub"),
    [
        (RAISE, RAISE, True),
        ('"""Mine."""\n        # note\n        ' + RAISE, RAISE, True),
        ("return x", RAISE, False),
        (RAISE, "return x", False),
        ("return x", "return x", False),
    ],
)
def test_a_class_is_a_stub_if_all_its_methods_are(references: Any, notebook: Any, one: str, two: str, stub: bool) -> None:
    notebook.run(
        f"class Pair:\n    def __init__(self):\n        self.other = 2\n\n"
        f"    def one(self, x):\n        {one.format('Pair.one')}\n\n"
        f"    def two(self, x):\n        {two.format('Pair.two')}\n"
    )
    assert is_stub(notebook["Pair"], references.Pair, ["one", "two"]) == stub


def test_a_class_without_its_methods_is_no_stub(references: Any, notebook: Any) -> None:
    notebook.run("class Pair:\n    pass")
    assert not is_stub(notebook["Pair"], references.Pair, ["one", "two"])


def test_a_stub_made_of_the_reference_is_one(references: Any) -> None:
    for reference, methods in ((references.marked, ()), (references.plain, ()), (references.Pair, ("one", "two"))):
        stub = make_stub(reference, methods)
        assert stub is not reference
        assert is_stub(stub, reference, methods)
        assert not is_stub(reference, reference, methods)
    with pytest.raises(NotImplementedError, match=r"^TODO plain$"):
        make_stub(references.plain)(1)


def test_a_function_whose_source_cannot_be_found_is_no_stub(references: Any) -> None:
    names: dict[str, Any] = {}
    exec('def plain(x):\n    raise NotImplementedError("TODO plain")', names)
    assert not is_stub(names["plain"], references.plain)


@pytest.mark.parametrize(
    ("body", "left_over"),
    [
        ('x = 1\n    raise NotImplementedError("TODO f")', True),
        ("if x:\n        raise NotImplementedError('TODO f.g')\n    return x", True),
        ('def inner():\n        raise NotImplementedError("TODO f")\n    return inner()', True),
        ('raise NotImplementedError("later")', False),
        ('# raise NotImplementedError("TODO f")\n    return x', False),
        ('"""TODO f: nothing is raised."""\n    return x', False),
        ('return x\n    raise NotImplementedError("TODO f")', False),
    ],
)
def test_left_over_todo(body: str, left_over: bool) -> None:
    names: dict[str, Any] = {}
    exec(f"def f(x):\n    {body}", names)
    assert left_over_todo(names["f"].__code__) is left_over


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(x, y=D):\n    z = x + G\n    return [h(v) for v in z]", {"D", "G", "h"}),
        ("def f(model):\n    history = model.train(x=3)\n    return history", set()),
        ("a = b.c + d[e]", {"b", "d", "e"}),
        ("class C(B):\n    k = K\n    def m(self):\n        return super().m(), N", {"B", "K", "N", "super"}),
        ("f = lambda q: q * R", {"R"}),
        ("import os\nfrom sys import path", set()),
        ("@deco\ndef f():\n    global g\n    g = 1\n    return g", {"deco", "g"}),
        ("def outer():\n    v = 1\n    def inner():\n        return v + W\n    return inner", {"W"}),
    ],
)
def test_global_names(source: str, names: set[str]) -> None:
    assert global_names(textwrap.dedent(source)) == names
