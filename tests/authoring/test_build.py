"""The notebook builder: nothing of the solution in the student's notebook, and every error named at build time."""

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from course.authoring.build import BuildError, build, to_bytes, with_outputs_of
from course.checks.exercise import Exercise
from course.labs import lab_names, load

LABS = [*lab_names(), "tiny"]


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Any:
    """The name of a lab; "tiny" is written first."""
    if request.param == "tiny":
        request.getfixturevalue("tiny_lab").write()
    return request.param


def code(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def marked(notebook: NotebookNode) -> dict[str, str]:
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in notebook.cells if "nbgrader" in cell.metadata}


@pytest.mark.parametrize("lab", LABS, indirect=True)
def test_the_notebooks_of_a_lab(lab: str) -> None:
    built, entries = build(lab), load(lab).entries
    for notebook in (built.student, built.solution):
        nbformat.validate(notebook)
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", cell_id) for cell_id in ids)
        assert all(
            cell.outputs == [] and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code"
        )
        for source in code(notebook):
            ast.parse(source)
            assert "### BEGIN" not in source
            assert "### END" not in source
        assert list(marked(notebook)) == list(entries)
        for cell in notebook.cells:
            if "nbgrader" in cell.metadata:
                name = cell.metadata.nbgrader.grade_id
                assert cell.source.startswith((f"# exercise: {name}\n", f"# question: {name}\n"))
                assert cell.metadata.nbgrader.points == entries[name].points
                assert cell.metadata.nbgrader.schema_version == 3
                assert cell.metadata.nbgrader.grade
                assert cell.metadata.nbgrader.solution
                assert not cell.metadata.nbgrader.locked
    assert [c.source for c in built.student.cells if c.cell_type == "markdown"] == [
        c.source for c in built.solution.cells if c.cell_type == "markdown"
    ]
    assert not any("TODO" in source for source in code(built.solution))
    assert len(re.findall(r'raise NotImplementedError\("TODO', "\n".join(code(built.student)))) == sum(
        max(1, len(entry.item.methods)) for entry in entries.values() if isinstance(entry.item, Exercise)
    )


@pytest.mark.parametrize("lab", LABS, indirect=True)
def test_no_line_of_a_solution_stands_in_a_student_cell(lab: str) -> None:
    built = build(lab)
    student = built.student
    stubs, solutions = marked(student), marked(built.solution)
    everywhere = {line.strip() for source in code(student) for line in source.splitlines()}
    in_stubs = {line.strip() for source in stubs.values() for line in source.splitlines()}
    entries = load(lab).entries
    for name, entry in entries.items():
        if not isinstance(entry.item, Exercise):
            assert f'{name} = ""' in stubs[name]
            assert f'{name} = "{entry.item.right}"' in solutions[name]
            continue
        # What the stub's own syntax tree does not hold is secret, however short, in every exercise cell; and in the other
        # cells too, but for what everybody writes: an optimizer's methods, a call of another exercise.
        kept = {ast.dump(node) for node in ast.walk(ast.parse(stubs[name]))}
        secret = [
            node
            for node in ast.walk(ast.parse(solutions[name]))
            if isinstance(node, (ast.Assign, ast.Return, ast.Expr)) and ast.dump(node) not in kept
        ]
        assert secret
        for node in secret:
            line = ast.unparse(node).splitlines()[0]
            assert line not in in_stubs, name
            calls_exercise = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") in entries
            assert line not in everywhere or calls_exercise or len(line) < 25, name
        for comment in set(re.findall(r"# .*", solutions[name])) - set(re.findall(r"# .*", stubs[name])):
            assert comment not in "\n".join(code(student)), name


@pytest.mark.parametrize("lab", LABS, indirect=True)
def test_building_twice_gives_the_same_bytes(lab: str) -> None:
    one, two = build(lab), build(lab)
    assert to_bytes(one.student) == to_bytes(two.student)
    assert to_bytes(one.solution) == to_bytes(two.solution)
    assert to_bytes(one.student) != to_bytes(one.solution)
    assert to_bytes(one.student).endswith(b"}\n")
    text = to_bytes(one.student).decode()
    assert not re.search(r"lines_to_next_cell|cell_marker|jupytext", text)


def test_an_exercise_cell_of_the_tiny_lab(tiny_lab: Any) -> None:
    tiny_lab.write()
    built = build("tiny")
    assert marked(built.student)["double"] == (
        "# exercise: double\n"
        "# 3 points, about 5 minutes, difficulty ●●○○○\n"
        "def double(x: Tensor) -> Tensor:\n"
        '    """Double every value of x: (B, D)."""\n'
        "    if x.ndim != 2:\n"
        '        raise ValueError("x must be (B, D)")\n'
        "    # TODO: twice the value.\n"
        '    raise NotImplementedError("TODO double")'
    )
    assert marked(built.solution)["double"].endswith("    twice_as_much_of_it = stretch(x)\n    return twice_as_much_of_it")
    assert "1 minute," in marked(built.student)["total"]
    assert marked(built.student)["answer_sum"] == (
        '# question: answer_sum\n# 1 point, about 2 minutes\nanswer_sum = ""  # "a" or "b"'
    )


def test_imports_that_inlined_sources_need_are_hoisted(tiny_lab: Any) -> None:
    tiny_lab.write()
    built = build("tiny")
    for notebook in (built.student, built.solution):
        setup = code(notebook)[0].splitlines()
        for line in (
            "import math",
            "import torch",
            "from torch import Tensor",
            "from functools import partial",
            "from course.labs.tiny.field import stretch",
        ):
            assert setup.count(line) == 1
        assert not any("import double" in line or "import total" in line for line in setup)
        assert setup[-1] == 'start("tiny")'
        assert "[tool.course]" in code(notebook)[0]  # the cell that looks whether the course is there comes first


def test_an_import_that_the_set_up_cell_has_is_not_repeated(tiny_lab: Any) -> None:
    tiny_lab.change("lab.py", "from course import check", "import math\n\nimport torch\nfrom course import check").write()
    setup = code(build("tiny").student)[0].splitlines()
    assert setup.count("import math") == setup.count("import torch") == 1


def test_a_published_course_has_a_badge_and_installs_itself(tiny_lab: Any) -> None:
    tiny_lab.write()
    built = build("tiny", "https://github.com/me/course")
    assert "github/me/course/blob/main/notebooks/tiny.ipynb" in built.student.cells[0].source
    assert built.student.cells[0].source.endswith("# A tiny lab\n\nTwo functions and a class.")
    assert "colab" not in built.solution.cells[0].source
    for notebook in (built.student, built.solution):
        assert "git+https://github.com/me/course" in code(notebook)[0]


def test_cells_that_say_the_same_get_ids_of_their_own(tiny_lab: Any) -> None:
    tiny_lab.change("lab.py", "# %%\nprogress()", "# %%\nprogress()\n\n# %%\nprogress()\n\n# %%\nprogress()").write()
    ids = [cell.id for cell in build("tiny").student.cells if cell.source == "progress()"]
    assert len(set(ids)) == 3


ERRORS = [
    ("lab.py", "# %% setup", "# %%", "'# %% setup' cell must come before the first exercise"),
    ("lab.py", "# TODO: the sum of the doubled values.\n", "", "total: say in a '# TODO: ...' line"),
    ("lab.py", 'answer_sum = ""', 'answer_sum = "a"', 'answer_sum: the question\'s cell must hold answer_sum = ""'),
    ("field.py", "sum_of_everything = double(x)", "sum_of_everything = double(unknown)", "total uses unknown"),
    ("field.py", 'raise ValueError("x must be (B, D)")', "raise Unknown", "double uses Unknown"),
    (
        "field.py",
        "    return twice_as_much_of_it\n    ### END SOLUTION",
        "    return twice_as_much_of_it",
        "double needs one",
    ),
    ("lab.py", "# TODO: add up.", "# TODO: sum_of_everything = double(x).sum() * math.cos(0.0)", "stands in the student"),
    ("field.py", "    ### END SOLUTION", "    # TODO: tidy\n    ### END SOLUTION", "a TODO stands in the solution"),
    (
        "lab.py",
        "from course import check, progress, start",
        "from course import check\nimport numpy as torch",
        "needs `import torch`",
    ),
    ("lab.py", "# %%\nprogress()", "# %%\nprogress(", "tiny"),
    ("lab.py", 'start("tiny")', 'start("nowhere")', "the set-up cell does not run"),
    ("checks.py", '["Add."], methods=["add"]', '["Add."], methods=["subtract"]', "Counter has no method subtract"),
    ("checks.py", '["Add."], methods=["add"]', '["Add."]', "Counter is no function"),
]


@pytest.mark.parametrize(("file", "old", "new", "says"), ERRORS, ids=[error[3][:40] for error in ERRORS])
def test_an_unsound_lab_does_not_build(tiny_lab: Any, file: str, old: str, new: str, says: str) -> None:
    tiny_lab.change(file, old, new)
    if "needs `import torch`" in says:
        tiny_lab.change("lab.py", 'start("tiny")', "")
    tiny_lab.write()
    with pytest.raises((BuildError, ValueError)) as caught:
        build("tiny")
    assert says in str(caught.value)


def test_an_exercise_of_which_nothing_is_cut_does_not_build(tiny_lab: Any) -> None:
    tiny_lab.change("field.py", "    ### END SOLUTION\n", "")
    tiny_lab.change("field.py", "    ### BEGIN SOLUTION\n", "    ### BEGIN SOLUTION\n    ### END SOLUTION\n").write()
    with pytest.raises(BuildError, match="nothing was cut out of double"):
        build("tiny")


def test_a_lab_without_any_set_up_cell_does_not_build(tiny_lab: Any) -> None:
    tiny_lab.texts["checks.py"] += "\nITEMS = []\n"
    tiny_lab.texts["lab.py"] = '# %% [markdown]\nr"""\n# Title\n"""\n\n# %%\nprint(1)\n'
    tiny_lab.write()
    with pytest.raises(BuildError, match="needs a cell marked"):
        build("tiny")


def test_a_solution_that_a_later_exercise_needs_too_early_does_not_build(tiny_lab: Any) -> None:
    """Each cell is run after only the set-up and those before it: a default that needs a later exercise fails."""
    tiny_lab.change(
        "field.py", "def double(x: Tensor) -> Tensor:", "def later(x):\n    return x\n\n\ndef double(x: Tensor) -> Tensor:"
    )
    tiny_lab.change(
        "field.py",
        "    twice_as_much_of_it = stretch(x)",
        "    twice_as_much_of_it = stretch(x) + 0 * len(Counter.__name__)",
    )
    tiny_lab.write()
    with pytest.raises(BuildError, match="double uses Counter, which no cell before it defines"):
        build("tiny")


# ---------------------------------------------------------------------------------------------- the committed solution


def executed(notebook: NotebookNode) -> NotebookNode:
    done = nbformat.from_dict(notebook)
    for number, cell in enumerate((c for c in done.cells if c.cell_type == "code"), start=1):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("stream", text=f"{number}\n")]
    return done


def test_outputs_are_kept_as_long_as_the_cells_are_the_same(tiny_lab: Any, tmp_path: Path) -> None:
    tiny_lab.write()
    solution, path = build("tiny").solution, tmp_path / "solution.ipynb"
    assert with_outputs_of(solution, path)[1] is False
    path.write_bytes(to_bytes(executed(solution)))
    kept, current = with_outputs_of(solution, path)
    assert current
    assert kept.cells[1].outputs[0].text == "1\n"
    path.write_bytes(to_bytes(solution))
    assert with_outputs_of(solution, path)[1] is False  # never executed
    changed = executed(solution)
    changed.cells[-1].source += " "
    path.write_bytes(to_bytes(changed))
    kept, current = with_outputs_of(solution, path)
    assert not current
    assert not any(cell.get("outputs") for cell in kept.cells)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"nbformat": 4}', b"\xff\xfe", b'{"cells": 1, "nbformat": 4}']
)
def test_a_broken_file_in_its_place_is_not_current(tiny_lab: Any, tmp_path: Path, content: bytes) -> None:
    tiny_lab.write()
    solution, path = build("tiny").solution, tmp_path / "solution.ipynb"
    path.write_bytes(content)
    assert with_outputs_of(solution, path) == (solution, False)
