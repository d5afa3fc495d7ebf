"""The test driver: what it counts, and what it makes of a machine that lacks something."""

import sys
from pathlib import Path

import pytest
import run_tests
from run_tests import Stage

PASSES = [sys.executable, "-c", ""]
FAILS = [sys.executable, "-c", "raise SystemExit(1)"]


def test_a_stage_without_tests_counts_as_one() -> None:
    assert run_tests.run(Stage("right", PASSES)) == ({"passed": 1}, "")
    assert run_tests.run(Stage("wrong", FAILS))[0]["failed"] == 1


def test_pytests_outcomes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a quick start
    (tmp_path / "test_some.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
    )
    counts, _ = run_tests.run(Stage("tests", run_tests.pytest("-q", str(tmp_path))))
    assert counts == {"passed": 1, "failed": 1, "skipped": 1}


def test_no_tests_at_all_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    counts, remark = run_tests.run(Stage("tests", run_tests.pytest("-q", str(tmp_path))))
    assert counts["failed"] == 1
    assert remark == "no tests were found"


@pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("true", "failed")])
def test_what_is_missing_is_a_skip_and_a_failure_in_ci(ci: str, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", ci)
    no_network = [sys.executable, "-c", f"raise SystemExit({run_tests.NO_NETWORK})"]
    for stage in (Stage("a", PASSES, missing="no chromium"), Stage("b", PASSES, prepare=no_network)):
        counts, remark = run_tests.run(stage)
        assert counts == {outcome: 1}
        assert remark.startswith("no ")


def test_a_stage_that_cannot_be_prepared_fails() -> None:
    assert run_tests.run(Stage("a", PASSES, prepare=FAILS))[0] == {"failed": 1}
