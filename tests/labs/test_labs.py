"""Loading labs: what lab.py and checks.py must agree about, and what the markers of cells say."""

from typing import Any

import pytest

from course.checks.exercise import Exercise
from course.labs import lab_names, lab_source, lab_title, load, marked_cells, start
from course.labs.budget import bar


@pytest.mark.parametrize("name", lab_names())
def test_every_lab_loads(name: str) -> None:
    lab = load(name)
    assert lab.name == name
    assert lab.title
    assert "#" not in lab.title
    assert lab_source(name).startswith("# %%")
    for key, entry in lab.entries.items():
        assert key == entry.item.name
        assert entry.points >= 1
        assert entry.minutes >= 1
        assert 1 <= entry.difficulty <= 5
        if isinstance(entry.item, Exercise):
            assert entry.item.hints
        else:
            assert entry.item.right in entry.item.feedback


def test_the_tiny_lab(tiny_lab: Any) -> None:
    tiny_lab.write()
    assert lab_names() == ["tiny"]
    lab = load("tiny")
    assert lab.title == "A tiny lab"
    assert [(name, e.points, e.minutes, e.difficulty) for name, e in lab.entries.items()] == [
        ("double", 3, 5, 2),
        ("total", 2, 1, 1),
        ("Counter", 4, 5, 3),
        ("answer_sum", 1, 2, 1),
    ]


def test_the_order_is_that_of_the_notebook(tiny_lab: Any) -> None:
    tiny_lab.change("checks.py", "ITEMS = [double_exercise, total_exercise,", "ITEMS = [total_exercise, double_exercise,")
    tiny_lab.write()
    assert list(load("tiny").entries) == ["double", "total", "Counter", "answer_sum"]


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("checks.py", "total_exercise, count_exercise", "count_exercise", "disagree about total"),
        ("checks.py", "count_exercise, question]", "count_exercise]", "disagree about answer_sum"),
        ("checks.py", "count_exercise, question]", "count_exercise, question, question]", "disagree about answer_sum"),
        ("lab.py", "import double\n", "import stretch\n", "disagree about double, stretch"),
        ("lab.py", "import total\n", "import double\n", "disagree about double, total"),
        ("lab.py", "points=2 minutes=1", "minutes=1", "the cell of total in tiny needs points=... and minutes=..."),
        ("lab.py", "points=2 minutes=1", "points=2", "the cell of total in tiny needs points=... and minutes=..."),
        ("lab.py", "points=2 minutes=1", "points=two minutes=1", "two"),
        ("lab.py", "# A tiny lab", "A tiny lab without a title", "markdown cell must begin with a '# title'"),
    ],
)
def test_what_does_not_fit_together_is_said(tiny_lab: Any, file: str, old: str, new: str, says: str) -> None:
    if "title" in says:
        tiny_lab.change("lab.py", "## Double", "Double")
    tiny_lab.change(file, old, new).write()
    with pytest.raises(ValueError) as caught:
        load("tiny")
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["", "lab99", "../lab2_vae", "lab2_vae/", "TINY", "__pycache__", "."])
def test_an_unknown_lab_is_said_with_those_there_are(tiny_lab: Any, name: str) -> None:
    tiny_lab.write()
    with pytest.raises(ValueError, match="There are: tiny"):
        lab_source(name)


def test_the_markers_of_cells() -> None:
    source = (
        '# %% [markdown]\nr"""\n# Title\n"""\n\n'
        "# %% exercise points=3 minutes=15 difficulty=2 note='two words'\n"
        "from course.vae import gaussian_kl\n# TODO: x\n\n"
        "# %%\ncheck(gaussian_kl)\n\n"
        '# %% question points=1 minutes=2\nanswer_x = ""\n\n'
        '"""\n# %% exercises are fun\n"""\n'
    )
    first, second = marked_cells(source)
    assert (first.kind, first.name, first.module) == ("exercise", "gaussian_kl", "course.vae")
    assert first.options == {"points": "3", "minutes": "15", "difficulty": "2", "note": "two words"}
    assert (second.kind, second.name, second.module) == ("question", "answer_x", "")
    assert lab_title(source) == "Title"


def test_start_opens_the_lab_and_says_so(tiny_lab: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from course.checks import session

    monkeypatch.setattr(session, "_session", None)
    tiny_lab.write()
    start("tiny")
    text = capsys.readouterr().out
    assert "A tiny lab: 4 exercises, 10 points, about 13 minutes. Models train on: c" in text
    assert session._session is not None
    assert session._session.lab.name == "tiny"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_clears_no_bar(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_BARS", raising=False)
    monkeypatch.delenv("COURSE_REDUCED", raising=False)
    bar("a finite one", 2.0, above=1.0)
    with pytest.raises(AssertionError, match="the number is"):
        bar("the number", value, above=1.0)
    with pytest.raises(AssertionError, match="the number is"):
        bar("the number", value, below=1.0)
