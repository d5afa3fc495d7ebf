"""The pages of grading: they say what is in the results, and nothing that a student wrote becomes part of the page."""

import base64
import csv
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.checks.exercise import Exercise, Lab
from course.checks.report import BLOCKED, ERROR, MISSING, NOT_ATTEMPTED, RIGHT, TIMEOUT, WRONG, PartReport, Report
from course.grading import pages
from course.grading.pages import MOST_ROWS, ClassSummary, feedback_page, grades_csv, index_page
from course.grading.result import CRASHED, GRADED, UNREADABLE, Figure, Grading, Override, Result, Run
from course.grading.similar import known_fingerprints
from course.labs import load

LAB = load("lab2_vae")
OUT_OF = sum(entry.points for entry in LAB.entries.values())

SHARED = {"class", "id", "role", "tabindex", "title", "aria-label", "aria-labelledby", "aria-hidden"}
NUMBERS = {"x", "y", "x1", "x2", "y1", "y2", "width", "height", "viewbox", "preserveaspectratio"}
ALLOWED = {
    "html": {"lang"},
    "meta": {"charset", "http-equiv", "content", "name"},
    **dict.fromkeys(["head", "title", "style", "bdi", "b", "code", "h1", "h2", "p", "header", "footer", "main"], SHARED),
    **dict.fromkeys(["body", "section", "div", "span", "ul", "ol", "li", "dl", "dt", "dd"], SHARED),
    **dict.fromkeys(["table", "thead", "tbody", "tr", "th", "td"], SHARED | {"scope", "colspan"}),
    **dict.fromkeys(["svg", "rect", "line", "text"], SHARED | NUMBERS),
    "a": {"href"},
}
VOID = {"meta"}

NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}",
    "${7*7}",
    "</style></title></textarea><svg onload=alert(1)>",
    "`</code><script>x</script>`",
    "<!-- --!> ]]> <![CDATA[",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b31m",
    "a\u202egnp.exe\u2066\u2069\u200f",
    "nul\0bell\x07back\x08",
    "lone \ud800 surrogate",
    "\u2028\u2029\ufeff",
    "W" * 300,
    "&lt;b&gt; &#60;script&#62;",
    "../../etc/passwd",
    "http://example.org/#x?y=z",
]


@pytest.fixture(autouse=True, scope="module")
def _known_once() -> Iterator[None]:
    """Make the fingerprints of what is known once, not for each class: that takes half a second."""
    known = known_fingerprints(LAB)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "known_fingerprints", lambda lab: known)
        yield


class Page(HTMLParser):
    """A page taken apart: its elements, its text, and whether every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def skeleton(self) -> list[tuple[str, list[str]]]:
        """The elements and the names of their attributes; but what is set as code is up to the text."""
        return [(tag, list(attributes)) for tag, attributes in self.tags if tag != "code"]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


def safe(source: str) -> Page:
    """Check that a page holds only what our templates put there, and return it taken apart."""
    page = Page(source)
    for tag, attributes in page.tags:
        assert set(attributes) <= ALLOWED[tag], (tag, attributes)
        if "href" in attributes:
            assert re.fullmatch(r"#e\d+|feedback/[A-Za-z0-9_.~%/-]+", attributes["href"] or "")
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
    style = source.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", source)
    source.encode()
    return page


def report(name: str, verdict: str = RIGHT, *, earned: float | None = None, lab: Lab = LAB, **more: Any) -> Report:
    """Make a report on an exercise of the lab, in one part."""
    out_of = lab.entries[name].points
    points = earned if earned is not None else out_of if verdict == RIGHT else 0
    problem = more.pop("problem", "")
    part = PartReport("part", more.pop("about", "the value"), verdict, problem, points, out_of)
    return Report(name, verdict, (part,), out_of=out_of, **more)


def result(student: str = "s1", reports: Sequence[Report] = (), *, grading: Any = None, **more: Any) -> Result:
    """Make a result: right, but for the given reports."""
    given = {each.exercise: each for each in reports}
    found = tuple(given.get(name) or report(name) for name in LAB.entries)
    return Result(student, LAB.name, 7, Grading(GRADED, found, "bwrap", **(grading or {})), **more)


def index(*results: Result, **more: Any) -> Page:
    summary = ClassSummary(LAB)
    for each in results:
        summary.add(each)
    return safe(index_page(summary, **more))


# ------------------------------------------------------------------------------------------------------------- feedback


def test_feedback_says_what_was_found() -> None:
    wrong = report(
        "gaussian_kl",
        WRONG,
        earned=1,
        problem="KL should be 3, but it is −3.",
        cause="The `sign` is wrong.",
        mistake="wrong_sign",
    )
    chosen = next(name for name, entry in LAB.entries.items() if not isinstance(entry.item, Exercise))
    page = safe(
        feedback_page(
            result(
                "ada.l",
                [wrong, report(chosen, WRONG, message="Ask what the loss bounds.")],
                name="Ada Lovelace",
                file="ada.ipynb",
                submission="ab" * 32,
                remarks=("3 submissions; the latest was graded",),
                overrides={"bernoulli_nll": Override(0.5, "Not your own words.")},
                grading={
                    "noticed": ("opened a connection",),
                    "run": Run(False, "Cell 9 stopped.", (Figure("Train the VAE", "34.2", "35.0", False),), 61.2),
                },
            ),
            LAB,
        )
    )
    points = OUT_OF - (3 - 1) - 1 - (3 - 0.5)
    for words in (
        LAB.title,
        "Ada Lovelace",
        "ada.l · graded from ada.ipynb",
        f"{points:g} of {OUT_OF} points",
        "3 submissions; the latest was graded",
        "gaussian_kl",
        "not right yet 1 of 3 points",
        "Likely cause: The sign is wrong.",
        "KL should be 3, but it is −3.",
        "Ask what the loss bounds.",
        "The instructor’s mark: 0.5 of 3 (the checks alone: 3)",
        "Not your own words.",
        "It stopped before its end, after 61 seconds on the CPU.",
        "Cell 9 stopped.",
        "Train the VAE35.034.2✗ differs",
        "opened a connection",
        "bubblewrap",
        "seed 7",
        "abababababab",
    ):
        assert words in page.text, words


def test_a_verdict_is_never_said_by_colour_alone() -> None:
    verdicts = (RIGHT, WRONG, ERROR, TIMEOUT, BLOCKED, NOT_ATTEMPTED, MISSING)
    page = safe(feedback_page(result(reports=[report(n, v) for n, v in zip(LAB.entries, verdicts, strict=False)]), LAB))
    for words in ("✓ right", "✗ not right yet", "! stopped with an error", "∞ did not finish", "◌ waits for another",
                  "○ not attempted yet", "? not found"):  # fmt: skip
        assert words in page.text


def test_the_same_problem_is_said_once() -> None:
    parts = tuple(PartReport(name, name, ERROR, "ValueError: no such name") for name in "abc")
    page = safe(feedback_page(result(reports=[Report("gaussian_kl", ERROR, parts, out_of=3)]), LAB))
    assert page.text.count("ValueError") == 1
    assert page.text.count("As above.") == 2


def test_an_exercise_without_parts_shows_its_rubric() -> None:
    page = safe(feedback_page(result(reports=[Report("gaussian_kl", NOT_ATTEMPTED, out_of=3)]), LAB))
    item = LAB.entries["gaussian_kl"].item
    assert isinstance(item, Exercise)
    assert f"What will be checked: {'; '.join(part.about for part in item.parts)}." in page.text


def test_what_could_not_be_read_is_said_kindly() -> None:
    missing = tuple(Report(name, MISSING, out_of=entry.points) for name, entry in LAB.entries.items())
    one = Result("s1", LAB.name, 7, Grading(UNREADABLE, missing, reason="It is a PDF."), file="s1.pdf")
    page = safe(feedback_page(one, LAB))
    assert "could not be read" in page.text
    assert "It is a PDF." in page.text
    assert "hand it in again" in page.text
    assert "Overview" not in page.text
    marked = replace(one, overrides={"VAE": Override(2, "Read from your PDF.")})
    assert "Read from your PDF." in safe(feedback_page(marked, LAB)).text
    crashed = safe(feedback_page(replace(one, grading=Grading(CRASHED, missing, reason="Memory.")), LAB))
    assert "Memory." in crashed.text
    assert "run all cells" in crashed.text


# ---------------------------------------------------------------------------------------------------------- instructor


def test_the_index_counts_the_class() -> None:
    kl = report("gaussian_kl", WRONG, cause="You summed over the batch.", mistake="sums_over_batch")
    half = report("gaussian_kl", WRONG, cause="The ½ is missing.", mistake="misses_the_half", earned=1)
    untouched = [report(name, NOT_ATTEMPTED) for name in LAB.entries]
    page = index(
        result("a", name="Ann"),
        result("b", [kl], name="Ben"),
        result("c", [kl], remarks=("late",)),
        result("d", [half], grading={"noticed": ("forked",)}, overrides={"bernoulli_nll": Override(1)}),
        result("e", untouched),
        absent=[("zed", "Zoé")],
        problems=["`x.zip` holds no notebook"],
    )
    mean = (OUT_OF + 2 * (OUT_OF - 3) + OUT_OF - 4) / 5
    for words in (
        "submissions5",
        f"points on average, of {OUT_OF}{mean:g}",
        f"points in the median{OUT_OF - 3}",
        "with full marks1",
        "handed in untouched1",
        "absent1",
        "x.zip holds no notebook",
        "2 students, 50 %sums over batch in gaussian_kl",
        "1 student, 25 %misses the half in gaussian_kl",
        "d: forked",
        "Zoézed",
        "late",
        "✓ 1*",
    ):
        assert words in page.text, words
    bars = [a["aria-label"] for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    assert "27 to 29 points: 1" in (bars[0] or "")
    assert "1 right, 3 not right yet, 1 not attempted" in bars
    titles = [a["title"] for tag, a in page.tags if "title" in a]
    assert "bernoulli_nll: right, 1 of 3, instructor’s mark" in titles


def test_students_whose_code_is_alike_are_named_with_a_caution() -> None:
    prints = {name: tuple(range(1000, 1030)) for name in ("gaussian_kl", "bernoulli_nll")}
    page = index(*(result(s, grading={"fingerprints": prints if s in "bd" else {}}) for s in "abcd"))
    assert "b, d: 100 % alike in gaussian_kl, bernoulli_nll" in page.text
    assert "proves nothing" in page.text
    untouched = [report(name, NOT_ATTEMPTED) for name in prints]
    page = index(*(result(s, untouched, grading={"fingerprints": prints}) for s in "ab"))
    assert "alike" not in page.text


def test_links_are_those_of_the_caller() -> None:
    page = index(result("s 1"), href=lambda student: f"feedback/{student}~x.html")
    assert [a["href"] for tag, a in page.tags if tag == "a"] == ["feedback/s%201~x.html"]


def test_an_empty_class() -> None:
    page = index()
    assert "Nothing was handed in." in page.text
    assert "submissions0" in page.text
    assert "Nothing was handed in." in index(absent=[("a", "Ann")]).text


def test_points_beyond_the_bins_are_counted_in_the_outer_ones() -> None:
    many = {name: Override(99) for name in LAB.entries}
    few = {name: Override(-1) for name in LAB.entries}
    page = index(result("a", overrides=many), result("b", overrides=few))
    label = next(a["aria-label"] for tag, a in page.tags if tag == "svg" and a.get("role") == "img") or ""
    assert "0 to 3 points: 1" in label
    assert "27 to 29 points: 1" in label


@pytest.mark.slow
def test_ten_thousand_students(tmp_path: Path) -> None:
    summary = ClassSummary(LAB)
    start = time.perf_counter()
    for i in range(10_000):
        wrong = report("gaussian_kl", WRONG, cause="x", mistake=f"m{i % 300}")
        summary.add(result(f"s{i:05}", [wrong] if i % 2 else [], grading={"noticed": ("x",)}, remarks=("late",)))
    source = index_page(summary, absent=[(f"a{i}", "") for i in range(5000)], problems=["p"] * 5000)
    grades_csv(tmp_path / "grades.csv", summary)
    assert time.perf_counter() - start < 60
    assert len(source) < 5_000_000
    page = safe(source)
    assert f"The first {MOST_ROWS:,} of 10,000 students; all of them are in grades.csv." in page.text
    assert sum(tag == "td" and a.get("class") == "remarks" for tag, a in page.tags) == MOST_ROWS
    assert len((tmp_path / "grades.csv").read_text().splitlines()) == 10_001


# ----------------------------------------------------------------------------------------------------------- injection


def soiled(text: str, status: str = GRADED) -> Result:
    """Make a result with a text in every place that a student, their code or a file's name can fill."""
    name = next(iter(LAB.entries))
    dirty = report(name, WRONG, problem=text, cause=text, mistake=text, message=text, about=text)
    found = result(
        text,
        [dirty],
        name=text,
        file=text,
        submission=text,
        remarks=(text,),
        overrides={name: Override(1, text)},
        grading={"noticed": (text,), "reason": text, "run": Run(False, text, (Figure(text, text, text, True),))},
    )
    return replace(found, grading=replace(found.grading, status=status))


def both_pages(one: Result) -> tuple[Page, Page]:
    """Render a student's page, and the instructor's with the student's name wherever a name or a file's can stand."""
    return safe(feedback_page(one, LAB)), index(one, absent=[(one.name, one.name)], problems=[one.name])


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:20])
@pytest.mark.parametrize("status", [GRADED, UNREADABLE, CRASHED])
def test_nothing_that_is_shown_becomes_part_of_the_page(text: str, status: str) -> None:
    one = soiled(text, status)
    for shown, harmless in zip(both_pages(one), both_pages(soiled("harmless", status)), strict=True):
        assert shown.skeleton == harmless.skeleton
        if text in ("<script>alert(1)</script>", "{{7*7}}{% raw %}", "&lt;b&gt; &#60;script&#62;"):
            assert text in shown.text
        if "\x1b" in text:
            assert "red" in shown.text
            assert "31m" not in shown.text.replace("31mred", "")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1, max_size=80) | st.text(alphabet="<>/&;#'\"=`{}% abscript!-[]", min_size=1, max_size=80))
def test_any_text_can_be_shown(text: str) -> None:
    for shown, harmless in zip(both_pages(soiled(text)), both_pages(soiled("harmless")), strict=True):
        assert shown.skeleton == harmless.skeleton


def test_an_exercise_of_another_version_of_the_lab_is_shown() -> None:
    odd = Result("s", LAB.name, 7, Grading(GRADED, (Report("<gone>", WRONG, message="m", out_of=2),)))
    assert "<gone>" in safe(feedback_page(odd, LAB)).text
    index(odd)


# -------------------------------------------------------------------------------------------------------------- grades


@pytest.fixture
def graded(tmp_path: Path) -> Callable[..., list[dict[str, str]]]:
    """Write grades.csv for some results and read it back."""

    def write(*results: Result) -> list[dict[str, str]]:
        summary = ClassSummary(LAB)
        for each in results:
            summary.add(each)
        grades_csv(tmp_path / "grades.csv", summary)
        assert (tmp_path / "grades.csv").read_bytes().startswith(b"student,")
        with (tmp_path / "grades.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return write


def test_grades_csv(graded: Callable[..., list[dict[str, str]]]) -> None:
    kl = report("gaussian_kl", WRONG, earned=1 / 3)
    rows = graded(
        result("b", [kl], name="Zoé", remarks=("late", "resent")),
        result("a", overrides={"VAE": Override(-0.5)}, grading={"noticed": ("forked",)}),
    )
    assert list(rows[0]) == ["student", "name", "points", "out_of", "status", *LAB.entries, "remarks", "noticed"]
    assert [row["student"] for row in rows] == ["a", "b"]
    assert rows[0]["VAE"] == "-0.5"
    assert rows[0]["noticed"] == "forked"
    assert rows[1]["name"] == "Zoé"
    assert rows[1]["gaussian_kl"] == "0.3333333333"
    assert rows[1]["remarks"] == "late; resent"
    assert float(rows[1]["points"]) == pytest.approx(OUT_OF - 3 + 1 / 3)
    assert rows[1]["out_of"] == f"{OUT_OF}"


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "\t=1", "x;=1+1;", " +1"])
def test_no_cell_of_grades_csv_is_a_formula(graded: Callable[..., list[dict[str, str]]], text: str) -> None:
    row = graded(soiled(text))[0]
    for name in ("student", "name", "remarks", "noticed"):
        assert re.match(r"'|x;'=", row[name])
