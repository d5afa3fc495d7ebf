"""Colab's versions satisfy the course's dependencies, so that installing the course there replaces nothing."""

import os
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FREEZE = ROOT / "tests/colab/colab-freeze.txt"
WHOLE_FREEZE = Path(os.environ.get("COURSE_COLAB_FREEZE", ROOT.parent / "shared/colab/pip-freeze.gpu.txt"))


def read_freeze(path: Path) -> dict[str, str]:
    """Versions by name, without local parts such as +cu128."""
    pins = [line.strip().split("==") for line in path.read_text().splitlines() if "==" in line and line[0] != "#"]
    return {canonicalize_name(name): version.split("+")[0] for name, version in pins}


def dependencies() -> list[Requirement]:
    found = [Requirement(line) for line in requires("course") or []]
    return [requirement for requirement in found if "extra" not in str(requirement.marker)]


def test_there_are_dependencies() -> None:
    assert {"torch", "ipywidgets", "safetensors"} <= {requirement.name for requirement in dependencies()}


@pytest.mark.parametrize("requirement", dependencies(), ids=str)
def test_colab_satisfies(requirement: Requirement) -> None:
    assert requirement.specifier.contains(read_freeze(FREEZE)[canonicalize_name(requirement.name)])


@pytest.mark.skipif(not WHOLE_FREEZE.exists(), reason="no whole freeze of Colab here (COURSE_COLAB_FREEZE)")
def test_our_part_of_the_freeze_is_colabs() -> None:
    whole = read_freeze(WHOLE_FREEZE)
    assert {name: whole.get(name) for name in read_freeze(FREEZE)} == read_freeze(FREEZE)
