"""What a student calls: check, hint, progress; how the object finds its exercise; what is shown."""

import functools
import html.parser
import re
import types
from typing import Any

import pytest

import course
from course.checks import session as session_module
from course.checks.exercise import Entry, Lab, Question
from course.checks.render import HEADLINES, SIGNS, as_html, as_text, table_as_html, table_as_text
from course.checks.report import (
    BLOCKED,
    ERROR,
    MISSING,
    NOT_ATTEMPTED,
    RIGHT,
    TIMEOUT,
    WRONG,
    PartReport,
    Report,
)
from course.checks.session import Session, check, hint, open_session, progress
from course.labs.lab2_vae import checks as lab2

QUESTION = Question("answer_sign", "b", {"a": "No: a.", "b": "Yes: b."})
LAB = Lab(
    "some",
    "Some lab",
    {
        "gaussian_kl": Entry(lab2.kl_exercise, 3, 10, 2),
        "bernoulli_nll": Entry(lab2.nll_exercise, 4, 10, 2),
        "VAE": Entry(lab2.vae_exercise, 5, 10, 2),
        "answer_sign": Entry(QUESTION, 1, 1, 1),
    },
)
KL = "def gaussian_kl(mu, logvar):\n    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1)\n"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(session_module, "_session", None)
    return open_session(LAB)


# ------------------------------------------------------------------------------------------------ finding the exercise


def test_by_its_name(session: Session, notebook: Any) -> None:
    notebook.run(KL)
    assert check(notebook["gaussian_kl"]).verdict == RIGHT
    assert session.reports["gaussian_kl"].points == 3


@pytest.mark.parametrize("how", ["renamed", "lambda", "partial", "wrapped", "bare", "bound", "instance", "object"])
def test_in_other_forms(session: Session, notebook: Any, how: str) -> None:
    notebook.run(KL)
    kl = notebook["gaussian_kl"]

    def renamed(mu: Any, logvar: Any) -> Any:
        return kl(mu, logvar)

    class Holder:
        def gaussian_kl(self, mu: Any, logvar: Any) -> Any:
            return kl(mu, logvar)

        def __call__(self, mu: Any, logvar: Any) -> Any:
            return kl(mu, logvar)

    candidates: dict[str, tuple[Any, Any]] = {
        "renamed": (renamed, "gaussian_kl"),
        "lambda": (lambda mu, logvar: kl(mu, logvar), "gaussian_kl"),
        "partial": (functools.partial(kl), None),
        "wrapped": (functools.wraps(kl)(renamed), None),
        "bare": (types.MethodType(lambda self, mu, logvar: kl(mu, logvar), 0), "gaussian_kl"),
        "bound": (Holder().gaussian_kl, None),
        "instance": (Holder(), "gaussian_kl"),
        "object": (renamed, kl),
    }
    candidate, exercise = candidates[how]
    report = check(candidate, exercise=exercise)
    assert (report.exercise, report.verdict) == ("gaussian_kl", RIGHT)


@pytest.mark.parametrize(
    ("candidate", "exercise", "says"),
    [
        (lambda: 1, None, "This lab has no exercise `<lambda>`. It has: gaussian_kl, bernoulli_nll, VAE, answer_sign."),
        (len, None, "no exercise `len`"),
        (lab2.kl_exercise.reference, "gausian_kl", "no exercise `gausian_kl`"),
        (lab2.kl_exercise.reference, "", "no exercise ``"),
        (lab2.negative_elbo, None, "no exercise `negative_elbo`"),
        (3.5, None, "without calling it; this is a float"),
        (None, None, "without calling it; this is a NoneType"),
        (lab2.torch.ones(2), None, "without calling it; this is a Tensor"),
        ("b", None, "Say which one with exercise='...'"),
        (lab2.kl_exercise.reference, 7, "no exercise `int`"),
        (lab2.kl_exercise.reference, [], "no exercise `list`"),
    ],
)
def test_what_is_not_found(session: Session, capsys: Any, candidate: Any, exercise: Any, says: str) -> None:
    report = check(candidate, exercise=exercise)
    assert report.verdict == MISSING
    assert says in report.message
    assert "not found" in capsys.readouterr().out
    assert session.reports == {}


def test_an_instance_for_a_class_and_a_class_for_a_function(session: Session) -> None:
    nn = lab2.nn
    model = lab2.VAE(nn.Linear(2, 4), nn.Linear(2, 2), 2)
    report = check(model, "VAE")
    assert report.verdict == ERROR
    assert report.message == "VAE is a class. Give check the class itself, not VAE."
    report = check(lab2.VAE, "gaussian_kl")
    assert report.verdict == ERROR
    assert report.message == "gaussian_kl is a function. Give check the function itself, not a type."
    report = check(lab2.torch.ones(3), "gaussian_kl")
    assert report.message == "gaussian_kl is a function. Give check the function itself, not a Tensor."
    assert report.out_of == 3


def test_the_latest_report_counts(session: Session, notebook: Any) -> None:
    notebook.run(KL)
    check(notebook["gaussian_kl"])
    notebook.run(KL.replace(".sum(1)", ".sum(0)"))
    check(notebook["gaussian_kl"])
    assert session.reports["gaussian_kl"].verdict == WRONG


def test_seeds_are_fresh(session: Session, notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    true_key = session_module.Key
    monkeypatch.setattr(session_module, "Key", lambda item, seed, device: seen.append(seed) or true_key(item, seed, device))
    notebook.run(KL)
    for _ in range(3):
        check(notebook["gaussian_kl"])
    assert len(set(seen)) == 3


# -------------------------------------------------------------------------------------------------- what a check says


def shown(capsys: Any, candidate: Any, exercise: str | None = None) -> str:
    check(candidate, exercise)
    return " ".join(capsys.readouterr().out.split())


def test_right(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run(KL)
    text = shown(capsys, notebook["gaussian_kl"])
    assert text.startswith("✓ gaussian_kl: right (3 of 3 points)")
    assert "hint" not in text


def test_wrong_with_a_diagnosis(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run(KL.replace(".sum(1)", ".sum(0)"))
    text = shown(capsys, notebook["gaussian_kl"])
    assert text.startswith("✗ gaussian_kl: not right yet (1 of 3 points)")
    assert "KL should have shape (5,), but it has (3,)." in text
    assert "✓ the gradients that pull mu and logvar to the prior: right" in text
    assert "Likely cause: You summed over the batch (dim=0)." in text
    assert text.endswith("Stuck? hint(gaussian_kl) gives a hint.")


def test_wrong_without_a_diagnosis(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run("def gaussian_kl(mu, logvar):\n    return mu.sum(1) * 17")
    text = shown(capsys, notebook["gaussian_kl"])
    assert "not right yet" in text
    assert "KL should be [" in text
    assert "but it is [" in text
    assert "Likely cause" not in text


def test_an_error_with_its_line(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run("def gaussian_kl(mu, logvar):\n    y = mu\n    return undefined_name(y)")
    text = shown(capsys, notebook["gaussian_kl"])
    assert text.startswith("! gaussian_kl: stopped with an error (0 of 3 points)")
    assert "NameError: name 'undefined_name' is not defined" in text
    assert "(line 3 of gaussian_kl: return undefined_name(y))" in text
    assert text.count("NameError") == 1  # said once, though both parts fail with it


def test_not_attempted(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run('def gaussian_kl(mu, logvar):\n    raise NotImplementedError("TODO gaussian_kl")')
    assert shown(capsys, notebook["gaussian_kl"]) == "○ gaussian_kl: not attempted yet (0 of 3 points)"


def test_the_todo_left_below_an_attempt(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run('def gaussian_kl(mu, logvar):\n    kl = mu.sum(1)\n    raise NotImplementedError("TODO gaussian_kl")')
    text = shown(capsys, notebook["gaussian_kl"])
    assert text.startswith("! gaussian_kl: stopped with an error")
    assert 'still runs into `raise NotImplementedError("TODO gaussian_kl")`: delete that line' in text


def test_blocked(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run('def earlier(mu):\n    raise NotImplementedError("TODO earlier")\n')
    notebook.run("def gaussian_kl(mu, logvar):\n    return earlier(mu)")
    text = shown(capsys, notebook["gaussian_kl"])
    assert text.startswith("◌ gaussian_kl: waits for another exercise (0 of 3 points)")
    assert "It calls `earlier`, which is not written yet." in text


def test_timeout(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run("import signal\ndef gaussian_kl(mu, logvar):\n    signal.raise_signal(signal.SIGINT)")
    text = shown(capsys, notebook["gaussian_kl"])
    assert text.startswith("⧖ gaussian_kl: did not finish (0 of 3 points)")
    assert "still running after 0 s, then stopped" in text
    assert "loop that never ends" in text


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("return None", "None (is there a `return`?)"),
        ("return 'kl'", "should be a tensor, but it is a str: 'kl'"),
        ("return mu", "should have shape (5,), but it has (5, 3)"),
        ("return mu.sum(1) / 0", "infinite somewhere"),
        ("return mu.sum(1) * float('nan')", "NaN somewhere"),
        ("mu *= 2; return mu.sum(1)", "wrote into its input `mu`"),
    ],
)
def test_other_wrong_answers(session: Session, notebook: Any, capsys: Any, source: str, words: str) -> None:
    notebook.run(f"def gaussian_kl(mu, logvar):\n    {source}")
    assert words in shown(capsys, notebook["gaussian_kl"])


def test_a_question(session: Session, capsys: Any) -> None:
    assert shown(capsys, "", "answer_sign") == "○ answer_sign: not attempted yet (0 of 1 point)"
    assert shown(capsys, "a", "answer_sign") == "✗ answer_sign: not right yet (0 of 1 point) No: a."
    assert shown(capsys, "b", "answer_sign") == "✓ answer_sign: right (1 of 1 point) Yes: b."


def test_before_the_set_up_cell(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(session_module, "_session", None)
    report = check(len)
    hint(len)
    progress()
    assert report.verdict == MISSING
    assert capsys.readouterr().out.count("No lab is open. Run the set-up cell at the top of the notebook first.") == 3


def test_hints_come_one_by_one(session: Session, capsys: Any) -> None:
    hints = lab2.kl_exercise.hints
    given = []
    for _ in range(5):
        hint(lab2.kl_exercise.reference)
        given.append(capsys.readouterr().out.strip())
    assert given[:3] == [f"Hint {i + 1} of 3 for gaussian_kl: {text}" for i, text in enumerate(hints)]
    assert given[3] == given[4] == f"That was the last hint for gaussian_kl. Once more: {hints[-1]}"
    hint("bernoulli_nll")
    assert "Hint 1 of" in capsys.readouterr().out
    hint("answer_sign")
    assert "There is no hint for answer_sign" in capsys.readouterr().out
    hint(len)
    assert "no exercise `len`" in capsys.readouterr().out


def test_progress(session: Session, notebook: Any, capsys: Any) -> None:
    notebook.run(KL.replace(".sum(1)", ".sum(0)"))
    check(notebook["gaussian_kl"])
    check("b", "answer_sign")
    capsys.readouterr()
    progress()
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        "✗ gaussian_kl wrong 1 of 3",
        "○ bernoulli_nll not attempted 0 of 4",
        "○ VAE not attempted 0 of 5",
        "✓ answer_sign right 1 of 1",
        "2 of 13 points in Some lab",
    ]


def test_a_second_lab_starts_afresh(session: Session, notebook: Any) -> None:
    notebook.run(KL)
    check(notebook["gaussian_kl"])
    assert open_session(LAB).reports == {}


def test_a_notebook_gets_html_and_text(
    session: Session, notebook: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import IPython
    import IPython.display

    displayed: list[dict[str, str]] = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: types.SimpleNamespace(kernel=1))
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: displayed.append(data))
    notebook.run(KL)
    report = course.check(notebook["gaussian_kl"])
    course.hint("VAE")
    course.progress()
    assert [set(data) for data in displayed] == [{"text/plain", "text/html"}, {"text/plain"}, {"text/plain", "text/html"}]
    assert displayed[0]["text/plain"] == str(report) == as_text(report)
    assert displayed[0]["text/html"] == as_html(report)
    assert capsys.readouterr().out == ""
    assert report._ipython_display_() is None  # type: ignore[func-returns-value]


# ---------------------------------------------------------------------------------------------------------- rendering

ALL = (RIGHT, WRONG, ERROR, TIMEOUT, BLOCKED, NOT_ATTEMPTED, MISSING)


class Visible(html.parser.HTMLParser):
    """Collects the tags and the visible text of an HTML fragment, and sees that every tag is closed."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(fragment)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def plain_words(text: str) -> str:
    return re.sub(r"\s+", "", text.replace("`", ""))


@pytest.mark.parametrize("verdict", ALL)
def test_text_and_html_say_the_same_and_no_verdict_is_a_colour_only(verdict: str) -> None:
    parts = (PartReport("a", "the value", verdict, "It is `x < y` & more.", 1, 2), PartReport("b", "the rest", RIGHT))
    report = Report("f", verdict, parts, cause="You did `a`.", message="Do b.", out_of=3)
    text, page = as_text(report), Visible(as_html(report))
    if verdict != NOT_ATTEMPTED:
        assert "the value" in text
    assert plain_words(text) == plain_words(page.text)
    assert HEADLINES[verdict] in page.text
    assert SIGNS[verdict] in page.text
    assert "(1 of 3 points)" in page.text
    assert max(map(len, text.splitlines())) <= 100


def test_signs_and_headlines_are_all_different() -> None:
    for words in (SIGNS, HEADLINES):
        assert set(words) == set(ALL)
        assert len(set(words.values())) == len(ALL)


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&`<b>`"


@pytest.mark.parametrize("field", ["exercise", "problem", "about", "cause", "message"])
def test_html_escapes_whatever_a_student_may_have_written(field: str) -> None:
    given = {name: HOSTILE if name == field else "x" for name in ("exercise", "problem", "about", "cause", "message")}
    part = PartReport("p", given["about"], WRONG, given["problem"])
    page = as_html(Report(given["exercise"], WRONG, (part,), cause=given["cause"], message=given["message"]))
    assert set(Visible(page).tags) <= {"div", "code", "b"}
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    "source",
    [
        f"raise ValueError({HOSTILE!r})",
        f"return {HOSTILE!r}",
        "class C:\n        def __repr__(self): return '<script>'\n    return C()",
        "return type('<script>', (), {})()",
        f"return mu / {HOSTILE!r}",
    ],
)
def test_html_escapes_a_hostile_candidate(session: Session, notebook: Any, source: str) -> None:
    notebook.run(f"def gaussian_kl(mu, logvar):\n    {source}")
    report = check(notebook["gaussian_kl"])
    page = as_html(report)
    assert set(Visible(page).tags) <= {"div", "code", "b"}
    assert "<script" not in page


def test_html_escapes_a_hostile_name(session: Session) -> None:
    def candidate() -> None:
        """<script>"""

    candidate.__name__ = HOSTILE
    page = as_html(check(candidate))
    assert set(Visible(page).tags) <= {"div", "code", "b"}


def test_an_odd_backtick_is_left_alone() -> None:
    page = as_html(Report("f", WRONG, message="one ` only, and <i>"))
    assert "one ` only, and &lt;i&gt;" in page
    assert as_html(Report("f", WRONG, message="a `b` c")).count("<code>b</code>") == 1


def test_tables() -> None:
    rows = [("a<b", RIGHT, "1 of 2"), ("c", MISSING, "0 of 1")]
    page = Visible(table_as_html(rows, "1 of 3 <points>"))
    assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code", "p", "b"}
    text = table_as_text(rows, "1 of 3 <points>")
    for words in ("a<b", "right", "missing", "1 of 2", "1 of 3 <points>", "✓", "?"):
        assert words in text
        assert words in page.text


def test_what_was_said_is_not_said_again() -> None:
    parts = tuple(PartReport(name, name, ERROR, "NameError: x") for name in "abc")
    text = as_text(Report("f", ERROR, parts))
    assert text.count("NameError") == 1
    assert text.count(": error") == 3
