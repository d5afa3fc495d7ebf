"""A result as JSON: it comes back as it was, and the schema describes it, no more and no less."""

import copy
import json
from dataclasses import fields
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from course.checks.report import BLOCKED, ERROR, MISSING, NOT_ATTEMPTED, RIGHT, TIMEOUT, WRONG, PartReport, Report
from course.grading.result import (
    CRASHED,
    GRADED,
    UNREADABLE,
    Figure,
    Grading,
    Override,
    Result,
    Run,
    from_json,
    grading_from_json,
    grading_to_json,
    to_json,
)

SCHEMA = json.loads(files("course.grading").joinpath("result.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
VERDICTS = (RIGHT, WRONG, ERROR, TIMEOUT, BLOCKED, NOT_ATTEMPTED, MISSING)

REPORTS = (
    Report("one", WRONG,
           (PartReport("a", "the value", RIGHT, "", 1, 1), PartReport("b", "its sign", WRONG, "It is −1.", 0, 2)),
           cause="You wrote `-1`.", mistake="wrong_sign", out_of=3),
    Report("two", RIGHT, (PartReport("answer", "the option", RIGHT, "", 1 / 3, 1 / 3),), message="Yes.", out_of=1 / 3),
    *(Report(f"other {verdict}", verdict, out_of=1) for verdict in VERDICTS),
)  # fmt: skip
FULL = Result(
    "s1", "tiny", 7,
    Grading(GRADED, REPORTS, "bwrap", noticed=("opened a connection",), fingerprints={"one": (0, 2**32 - 1)},
            run=Run(False, "Cell 3 stopped.", (Figure("Train", "0.5", "0.7\n", False),), 12.5)),
    name="Zoé 李", file="s1.ipynb", submission="0f" * 32, remarks=("late",), overrides={"one": Override(2.5, "Nearly.")},
)  # fmt: skip
RESULTS = [
    FULL,
    Result("s2", "tiny", 0, Grading(GRADED)),
    Result("s3", "tiny", -1, Grading(UNREADABLE, REPORTS[-1:], reason="no notebook"), name="\ud7ff \0 \x1b"),
    Result("s4", "tiny", 2**40, Grading(CRASHED, REPORTS, "landlock", "memory", run=Run(True))),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.student)
def test_a_result_comes_back_and_its_json_is_as_the_schema_says(result: Result) -> None:
    text = to_json(result)
    assert from_json(text) == result
    VALIDATOR.validate(json.loads(text))


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.student)
def test_a_grading_comes_back(result: Result) -> None:
    assert grading_from_json(grading_to_json(result.grading)) == result.grading


def test_an_instructors_mark_counts_instead_of_the_checks() -> None:
    rows = {row["exercise"]: row for row in json.loads(to_json(FULL))["exercises"]}
    assert rows["one"]["points"] == FULL.points_of(REPORTS[0]) == 2.5
    assert rows["two"]["points"] == 1 / 3
    assert json.loads(to_json(FULL))["points"] == FULL.points == 2.5 + 1 / 3


def test_another_version_is_refused() -> None:
    content = json.loads(to_json(FULL))
    content["version"] = 2
    assert not VALIDATOR.is_valid(content)
    with pytest.raises(ValueError, match="grade again"):
        from_json(json.dumps(content))


def test_the_schema_is_a_schema_and_describes_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def described(schema: Any) -> None:
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(schema["properties"])
        for name, field in schema["properties"].items():
            assert "$ref" in field or field["description"].endswith("."), name

    described(SCHEMA)
    for name, schema in SCHEMA["$defs"].items():
        if name != "verdict":
            described(schema)
    assert SCHEMA["$defs"]["verdict"]["enum"] == list(VERDICTS)
    written = {field.name for field in (*fields(Result), *fields(Grading))} - {"grading", "overrides", "reports"}
    assert set(SCHEMA["properties"]) == written | {"version", "points", "out_of", "exercises"}


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return the JSON of FULL with one thing replaced, or (value None) left out."""
    content = copy.deepcopy(json.loads(to_json(FULL)))
    place = content
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("points",), None),
        (("points",), "3"),
        (("status",), "fine"),
        (("submission",), "0f"),
        (("grade",), "A"),
        (("run",), {}),
        (("run", "figures", 0, "agrees"), None),
        (("exercises", 0, "verdict"), "perfect"),
        (("exercises", 0, "override", "by"), "me"),
        (("exercises", 0, "parts", 1, "problem"), 3),
        (("fingerprints", "one"), [2**32]),
    ],
)
def test_what_the_schema_does_not_describe_fails(path: tuple[Any, ...], value: Any) -> None:
    assert VALIDATOR.is_valid(json.loads(to_json(FULL)))
    assert not VALIDATOR.is_valid(changed(path, value))
