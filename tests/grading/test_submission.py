"""A student's notebook read from a file: whatever stands in it, the rest is judged and nothing is trained."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.authoring.build import build, to_bytes
from course.checks.report import ERROR, MISSING, NOT_ATTEMPTED, RIGHT, TIMEOUT, WRONG, Report
from course.grading.define import define, sources_of
from course.grading.submission import SubmissionError, judge_submission, read, to_json
from course.labs import lab_names, load

SETUP = 'from course import check, progress, start\nimport torch\nfrom torch import Tensor\nstart("tiny")'
DOUBLE = "def double(x):\n    return 2 * x"
TOTAL = "def total(x):\n    return double(x).sum()"
COUNTER = (
    "class Counter:\n    def __init__(self):\n        self.seen = 0\n"
    "    def add(self, x):\n        self.seen = self.seen + total(x)\n        return self.seen.reshape(1)"
)
ANSWER = 'answer_sum = "b"'


def write(path: Path, cells: list[str]) -> Path:
    """Write a notebook of code cells, as Jupyter does."""
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
            for i, source in enumerate(cells)
        ],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def judged(tiny_lab: Any, tmp_path: Path) -> Any:
    """Write a notebook of code cells, read it, judge it; gives the reports by name."""
    tiny_lab.write()
    lab = load("tiny")

    def judge(*cells: str) -> dict[str, Report]:
        reports = judge_submission(read(write(tmp_path / "mine.ipynb", list(cells))), lab)
        assert [report.exercise for report in reports] == list(lab.entries)
        return {report.exercise: report for report in reports}

    return judge


def verdicts(reports: dict[str, Report]) -> list[str]:
    return [report.verdict for report in reports.values()]


# ------------------------------------------------------------------------------------------------------ whole notebooks


@pytest.mark.parametrize("name", ["tiny", *lab_names()])
def test_a_fresh_student_notebook_is_not_attempted_and_the_solution_is_right(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if name == "tiny":
        request.getfixturevalue("tiny_lab").write()
    lab, built = load(name), build(name)
    for notebook, verdict in ((built.student, NOT_ATTEMPTED), (built.solution, RIGHT)):
        path = tmp_path / "notebook.ipynb"
        path.write_bytes(to_bytes(notebook))
        submission = read(path)
        assert submission.lab == name
        reports = judge_submission(submission, lab)
        assert {report.exercise: report.verdict for report in reports} == dict.fromkeys(lab.entries, verdict)
        points = sum(report.points for report in reports)
        assert points == (sum(entry.points for entry in lab.entries.values()) if verdict == RIGHT else 0)


def test_one_mistake_costs_one_exercise(judged: Any) -> None:
    reports = judged(SETUP, "def double(x):\n    return 3 * x", TOTAL, COUNTER, ANSWER)
    assert verdicts(reports) == [WRONG, RIGHT, RIGHT, RIGHT]


# -------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"not json",
        b"[]",
        b"null",
        b"3",
        b'"text"',
        b"{}",
        b'{"nbformat": 99, "nbformat_minor": 0, "cells": [], "metadata": {}}',
        b'{"nbformat": "four", "cells": []}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 3}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [3]}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"PK\x03\x04",
    ],
)
def test_what_is_no_notebook_is_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.ipynb"
    path.write_bytes(content)
    with pytest.raises(SubmissionError) as caught:
        read(path)
    assert "is not a Jupyter notebook" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize("name", ["missing.ipynb", "", "a\0b.ipynb"])
def test_what_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_an_old_notebook_is_read_too(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "language": "python", "metadata": {}, "outputs": [], "input": ["a = 1\n", "b = 2"]}
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}))
    assert read(path).cells == ("a = 1\nb = 2",)


def test_sources_may_be_lists_and_markdown_is_left_out(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "start('no')"},
        {"cell_type": "code", "metadata": {}, "source": ["x = 1\n", "y = 2"], "outputs": [], "execution_count": 3},
    ]
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": cells}))
    assert read(path).cells == ("x = 1\ny = 2",)


@pytest.mark.parametrize(
    ("cell", "lab"),
    [
        ('start("tiny")', "tiny"),
        ("%load_ext x\nimport os\nstart('tiny')", "tiny"),
        ('if True:\n    start("tiny")', "tiny"),
        ("start(name)", ""),
        ("start()", ""),
        ("start(3)", ""),
        ("game.start('tiny')", ""),
        ("# start('tiny')", ""),
        ("start('tiny'", ""),
    ],
)
def test_the_lab_is_the_one_that_is_started(tmp_path: Path, cell: str, lab: str) -> None:
    assert read(write(tmp_path / "mine.ipynb", ["def f(: broken", cell])).lab == lab


# ------------------------------------------------------------------------------------------------------ what is run


@pytest.mark.parametrize("definition", ["double(x)\n    return 2 * x", "double(x):\n    return " + "-" * 200_000 + "x"])
def test_a_cell_that_does_not_parse_costs_its_own_exercise(judged: Any, definition: str) -> None:
    reports = judged(SETUP, f"# exercise: double\ndef {definition}", TOTAL, COUNTER, ANSWER)
    assert verdicts(reports) == [ERROR, RIGHT, RIGHT, RIGHT]
    assert re.match(r"The cell does not parse: \w.+\.$", reports["double"].message)


@pytest.mark.parametrize(
    "body", ["(x, x):\n    return x", "(x):\n    break", "(x):\n    nonlocal y", "(x):\n    return *x, = 3", "(x):\n    x\0"]
)
def test_a_definition_that_does_not_compile_costs_its_own_exercise(judged: Any, body: str) -> None:
    reports = judged(SETUP, "# exercise: double\ndef double" + body, TOTAL, COUNTER, ANSWER)
    assert verdicts(reports) == [ERROR, RIGHT, RIGHT, RIGHT]


@pytest.mark.parametrize(
    "line",
    ["%matplotlib inline", "!pip install x", "torch.randn?", "?torch", "torch??", "%%time", "  %timeit 3", "x = 3 if"],
)
def test_magics_do_no_harm(judged: Any, line: str) -> None:
    cell = f"{line}\nimport math" if not line.startswith("x") else "import math"
    assert (
        verdicts(judged(SETUP, cell, f"{DOUBLE}\n{line if line[0] in '!?' else '%who'}", TOTAL, COUNTER, ANSWER))
        == [RIGHT] * 4
    )


def test_what_looks_like_a_magic_but_is_python_is_left_alone(judged: Any) -> None:
    cell = '''def double(x):
    """Is it twice as much?

    %who knows?
    """
    return x * (14
        % 12)'''
    assert judged(SETUP, cell, TOTAL)["double"].verdict == RIGHT


@pytest.mark.parametrize(
    "cell",
    [
        "exit()",
        "quit()",
        "import sys\nsys.exit(3)",
        "raise SystemExit",
        "1 / 0",
        "while True: pass",
        "raise KeyboardInterrupt",
    ],
)
def test_what_stands_at_the_top_level_is_not_run(judged: Any, cell: str) -> None:
    assert verdicts(judged(SETUP, cell, DOUBLE, cell, TOTAL, COUNTER, ANSWER, cell)) == [RIGHT] * 4


def test_training_is_not_run(judged: Any, tmp_path: Path) -> None:
    trace = tmp_path / "trained"
    cells = [
        f"def train(model, x):\n    open({str(trace)!r}, 'a').write('x')\n    history = [model]\n    return history, x",
        "model, x = train(3, 4)\nhistory = train(model, x)",
        "history = train(1, 2)",
        "for step in range(3):\n    history = train(1, step)",
        "with torch.no_grad():\n    z = train(1, 2)",
        "train(1, 2)",
        "assert train(1, 2)",
        "loss: float = train(1, 2)",
        "if train(1, 2): history = 3",
        "model.history = train(1, 2)",
    ]
    helper = "def plot():\n    return model, history, loss"
    assert verdicts(judged(SETUP, *cells, helper, DOUBLE, TOTAL, COUNTER, ANSWER)) == [RIGHT] * 4
    assert not trace.exists()


def test_notebook_calls_are_not_made(judged: Any, capsys: Any) -> None:
    total = "def total(x):\n    return double(x).sum() + 0 * report.points"
    reports = judged(SETUP, DOUBLE, "report = check(double)", total, COUNTER, "answer_sum = progress()")
    assert verdicts(reports) == [RIGHT, ERROR, RIGHT, MISSING]
    assert "name 'report' is not defined" in reports["total"].parts[0].problem
    assert capsys.readouterr().out == ""


def test_constants_are_followed_by_name(judged: Any) -> None:
    cells = [
        "ONE = 1",
        "TWO: float = ONE + ONE",
        "TABLE = {'two': TWO}",
        "pair = (TABLE['two'], 5)",
        "factor, rest = pair",
        "factor += 0",
        "scale = lambda x: factor * x",
    ]
    helper = "def helper(x):\n    return scale(x)"
    assert (
        verdicts(judged(SETUP, *cells, helper, "def double(x):\n    return helper(x)", TOTAL, COUNTER, ANSWER))
        == [RIGHT] * 4
    )


LINES = st.sampled_from(
    ["x = 1", "x = 1; y = 'é'; ", "text = '\x0c'", 'text = """a\n  é\x0c\n"""', "# é", "", "if x:\n    z = 2", "w = [\n]"]
)
BODIES = st.sampled_from(
    ["def f(x):\n    return x", "def f(é): return '\x0c', é", 'class f:\n    """\n    é\n"""', "async def f():\n\n    pass"]
)


@given(before=st.lists(LINES), body=BODIES, after=st.lists(LINES), end=st.sampled_from(["\n", "\r\n"]))
def test_sources_are_those_that_python_reads(before: list[str], body: str, after: list[str], end: str) -> None:
    cell = "\n".join([*before, body, *after]).replace("\n", end)
    node = next(node for node in ast.parse(cell).body if getattr(node, "name", "") == "f")
    assert sources_of([cell], ["f"])["f"] == ast.get_source_segment(cell, node)


def test_a_source_has_its_decorators() -> None:
    cell = "x = 1\n@torch.no_grad()\n@cache\ndef f(x):\n    return x\ny = 2"
    assert sources_of([cell], ["f"]) == {"f": "@torch.no_grad()\n@cache\ndef f(x):\n    return x"}


def test_what_a_decorator_reads_is_followed(judged: Any) -> None:
    cell = "def times(k):\n    return lambda f: lambda x: k * f(x)\n\n@times(K)\ndef double(x):\n    return x"
    assert judged("K = 2", cell)["double"].verdict == RIGHT


def test_a_helper_may_stand_in_a_later_cell(judged: Any) -> None:
    reports = judged(SETUP, "def double(x):\n    return helper(x)", "def helper(x):\n    return k * x", "k = 2", TOTAL)
    assert reports["double"].verdict == RIGHT


def test_the_last_definition_wins(judged: Any) -> None:
    wrong = "def double(x):\n    return 5 * x"
    assert judged(SETUP, wrong, DOUBLE)["double"].verdict == RIGHT
    assert judged(SETUP, DOUBLE, wrong)["double"].verdict == WRONG
    assert judged(SETUP, DOUBLE, "double = lambda x: x - 1")["double"].verdict == WRONG
    assert judged(SETUP, "# exercise: double\ndef double(x) nonsense", DOUBLE)["double"].verdict == RIGHT
    assert judged(SETUP, DOUBLE, "# exercise: double\ndef double(x) nonsense")["double"].verdict == RIGHT


def test_local_names_of_an_exercise_are_not_followed(judged: Any, tmp_path: Path) -> None:
    trace = tmp_path / "trained"
    train = f"def train():\n    open({str(trace)!r}, 'a').write('x')"
    double = "def double(x):\n    model = history = x\n    return sum(loss for loss in [model, history])"
    assert (
        verdicts(judged(SETUP, train, "x = model = history = loss = train()", double, TOTAL, COUNTER, ANSWER)) == [RIGHT] * 4
    )
    assert not trace.exists()


@pytest.mark.parametrize(
    "cells",
    [
        ["double = lambda x: 2 * x"],
        ["import functools", "def times(k, x):\n    return k * x", "double = functools.partial(times, 2)"],
        ["def double(x):\n    return x", "double = (lambda old: lambda x: 2 * old(x))(double)"],
        ["if torch.cuda.is_available():\n    TWO = 2.0\nelse:\n    TWO = 2", "def double(x):\n    return TWO * x"],
        ["try:\n    import nothing_at_all\nexcept ImportError:\n    TWO = 2", "def double(x):\n    return TWO * x"],
        ["if True:\n    def double(x):\n        return 2 * x"],
        ["class K:\n    pass", "K.two = 2", "def double(x):\n    return K.two * x"],
        ["class K:\n    def double(self, x):\n        return 2 * x", "double = K().double"],
        ["TABLE = {}", "TABLE['two'] = 2", "double = lambda x: TABLE['two'] * x"],
    ],
)
def test_an_exercise_in_other_forms(judged: Any, cells: list[str]) -> None:
    assert verdicts(judged(SETUP, *cells, TOTAL, COUNTER, ANSWER)) == [RIGHT] * 4


def test_a_renamed_exercise_is_missing(judged: Any) -> None:
    reports = judged(SETUP, "def my_double(x):\n    return 2 * x", TOTAL, COUNTER, ANSWER)
    assert verdicts(reports) == [MISSING, RIGHT, RIGHT, RIGHT]
    assert reports["double"].message == "No cell defines `double`. Was it renamed or deleted?"
    assert reports["double"].out_of == 3


def test_an_empty_notebook_misses_everything(judged: Any) -> None:
    assert verdicts(judged()) == [MISSING] * 4


@pytest.mark.parametrize("value", ["3", "None", "[1]", "'text'", "torch.ones(3)"])
def test_something_else_under_an_exercises_name(judged: Any, value: str) -> None:
    reports = judged(SETUP, f"double = {value}", f"Counter = {value}")
    assert reports["double"].verdict == ERROR
    assert "is a function" in reports["double"].message
    assert "is a class" in reports["Counter"].message


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("class Counter(Missing):\n    pass", "NameError: name 'Missing' is not defined"),
        ("import not_a_module_at_all\nclass Counter(not_a_module_at_all.X):\n    pass", "stops with NameError"),
        ("class Counter:\n    raise SystemExit(0)", "SystemExit"),
        ("@torch.nope\nclass Counter:\n    pass", "AttributeError"),
    ],
)
def test_a_definition_that_stops_is_an_error_of_its_own(judged: Any, cell: str, says: str) -> None:
    reports = judged(SETUP, DOUBLE, cell, TOTAL, ANSWER)
    assert verdicts(reports) == [RIGHT, RIGHT, ERROR, RIGHT]
    assert says in reports["Counter"].message


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [('"b"', RIGHT), ('"B "', RIGHT), ('"a"', WRONG), ('""', NOT_ATTEMPTED), ("7", WRONG), ("'z'", WRONG), ("b", ERROR)],
)
def test_answers_to_questions(judged: Any, answer: str, verdict: str) -> None:
    assert judged(SETUP, DOUBLE, f"answer_sum = {answer}  # mine")["answer_sum"].verdict == verdict


def test_an_interrupted_exercise_does_not_stop_the_others(judged: Any) -> None:
    stuck = "import signal\ndef double(x):\n    while True:\n        signal.raise_signal(signal.SIGINT)"
    assert verdicts(judged(SETUP, stuck, TOTAL, COUNTER, ANSWER)) == [TIMEOUT, RIGHT, RIGHT, RIGHT]


def test_an_error_names_the_line_of_the_cell(judged: Any) -> None:
    reports = judged(SETUP, "# mine\ndef double(x):\n    y = x\n    return y @ 'two'")
    assert "line 3 of double: return y @ 'two'" in reports["double"].parts[0].problem


# ----------------------------------------------------------------------------------------------------------------- JSON


def test_json(judged: Any, tmp_path: Path) -> None:
    reports = list(judged(SETUP, DOUBLE, TOTAL.replace("double(x).sum()", "double(x).mean()"), ANSWER).values())
    content = json.loads(to_json(read(tmp_path / "mine.ipynb"), load("tiny"), reports))
    assert set(content) == {"version", "notebook", "lab", "points", "out_of", "exercises"}
    assert (content["version"], content["lab"], content["points"], content["out_of"]) == (1, "tiny", 4, 10)
    assert content["notebook"].endswith("mine.ipynb")
    rows = content["exercises"]
    assert all(set(row) == {"exercise", "verdict", "points", "out_of", "mistake", "feedback"} for row in rows)
    assert [(row["exercise"], row["verdict"], row["points"], row["out_of"], row["mistake"]) for row in rows] == [
        ("double", "right", 3, 3, ""),
        ("total", "wrong", 0, 2, "takes_the_mean"),
        ("Counter", "missing", 0, 4, ""),
        ("answer_sum", "right", 1, 1, ""),
    ]
    assert "You took the mean" in rows[1]["feedback"]


# ----------------------------------------------------------------------------------------------------------------- fuzz

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "cell_type", "source", "metadata", "nbformat", "nbformat_minor", "outputs", "worksheets"]
            ),
            children,
            max_size=5,
        )
    ),
    max_leaves=12,
)
NOTEBOOKS = st.fixed_dictionaries(
    {"nbformat": st.sampled_from([2, 3, 4, 4, 4, 5]), "nbformat_minor": st.sampled_from([0, 2, 5]), "metadata": JSON},
    optional={"cells": JSON, "worksheets": JSON},
)
PIECES = st.sampled_from(
    [
        "def f(x):",
        "class C:",
        "    return x",
        "    ",
        "f(",
        ")",
        '"""',
        "%magic",
        "!ls",
        "what?",
        "x = 3",
        "x: int = y",
        "y += x",
        "import math",
        "from torch import *",
        "import nope",
        "lambda",
        "# exercise: double",
        "start('tiny')",
        "1/0",
        "async def g():",
        "    await x",
        "global x",
        "\0",
        "\ud800",
        "é = 1",
        "del x",
        "raise SystemExit",
        "    yield",
        "@f",
        "x = x = [x]",
        "%%bash",
        "(" * 300,
        "-" * 2000 + "1",
        "return 3",
        "from __future__ import annotations",
        "from __future__ import nope",
        "\t",
        "__name__ = 3",
        "nonlocal x",
        "x = yield",
        "match x:",
        "    case 1: pass",
        "f'{x'",
        "\\",
        "__builtins__ = 3",
        "double = f(x)",
    ]
)


def judge_anything(path: Path) -> None:
    """Read and define; nothing but a SubmissionError may come out."""
    try:
        submission = read(path)
    except SubmissionError:
        return
    found = define(submission.cells, ["f", "C", "x", "double"], {})
    assert all(isinstance(message, str) for message in found.failures.values())


FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(
    content=st.binary(max_size=200)
    | JSON.map(lambda v: json.dumps(v).encode())
    | NOTEBOOKS.map(lambda v: json.dumps(v).encode())
)
def test_fuzz_any_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.ipynb"
    path.write_bytes(content)
    judge_anything(path)


@FUZZ
@given(cells=st.lists(st.lists(PIECES, max_size=5).map("\n".join) | st.text(max_size=20), max_size=4))
def test_fuzz_any_cells(tmp_path: Path, cells: list[str]) -> None:
    judge_anything(write(tmp_path / "mine.ipynb", cells))
