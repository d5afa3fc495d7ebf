"""What is installed, and how: pyproject, constraints.txt, environment.yml, setup_env.py and the Makefile agree."""

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest
import setup_env
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[0] != "#"]


# What is listed where


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_constraints_pin_every_direct_dependency(python: str) -> None:
    here = {"python_version": python}
    pins = {canonicalize_name(pin.name): pin for pin in PINS if pin.marker is None or pin.marker.evaluate(here)}
    for requirement in map(Requirement, requires("course") or []):
        extras = ["", "lab", "dev"]
        if requirement.marker is None or any(requirement.marker.evaluate({**here, "extra": extra}) for extra in extras):
            pin = pins[canonicalize_name(requirement.name)]
            (version,) = [clause.version for clause in pin.specifier]
            assert requirement.specifier.contains(version), requirement


def test_constraints_are_exact_and_fit_every_platform() -> None:
    for pin in PINS:
        assert pin.url is None
        assert [clause.operator for clause in pin.specifier] == ["=="]
        assert "+" not in str(pin.specifier)
        assert not pin.name.startswith(("nvidia", "cuda", "triton")), "torch pins these itself, where it needs them"


def test_torch_is_the_one_on_colab() -> None:
    colab = (ROOT / "tests/colab/colab-freeze.txt").read_text().splitlines()
    for name in ("torch", "torchvision"):
        (pin,) = [str(pin) for pin in PINS if pin.name == name]
        assert pin in colab


def test_conda_environment_installs_this_package() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, pip_section = environment["dependencies"]
    assert python.startswith("python" + metadata("course")["Requires-Python"])
    assert pip == "pip"
    assert pip_section["pip"] == ["-c constraints.txt", "-e .[lab]"]
    assert "lab" in (metadata("course").get_all("Provides-Extra") or [])


def test_no_registry_host_and_no_path_of_some_machine_in_the_tree() -> None:
    words = [r"pypi\W*\.org", "python" + "hosted", "registry" + r"\.npmjs", "deb" + r"\.debian\.org"]
    words += ["/" + folder + "/" for folder in ("work", "farm", "root")]
    pattern = re.compile("|".join(words))
    listing = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    found = []
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            lines = (ROOT / name).read_text(encoding="utf-8", errors="ignore").splitlines()
            found += [f"{name}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    assert found == []


@pytest.mark.skipif(not shutil.which("make"), reason="no make on PATH")
@pytest.mark.parametrize("target", ["lab", "check", "test", "test-colab", "test-newest", "clean"])
def test_make_knows(target: str) -> None:
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


# tools/setup_env.py: what it does


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let set_up make no environment and call no pip; the list names the steps it would have taken."""
    steps: list[str] = []

    def make_venv(venv: Path) -> None:
        steps.append("venv")
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "bin/python").unlink(missing_ok=True)
        (venv / "bin/python").symlink_to(sys.executable)

    monkeypatch.setattr(setup_env, "make_venv", make_venv)
    monkeypatch.setattr(setup_env, "run_pip", lambda python, arguments, log: steps.append(" ".join(arguments)))
    return steps


def test_second_set_up_does_nothing(tmp_path: Path, installs: list[str]) -> None:
    for _ in range(2):
        setup_env.set_up(tmp_path / "venv", {"lab", "dev"}, False, None)
    setup_env.set_up(tmp_path / "venv", {"lab"}, False, None)  # a part of what is there
    assert installs == ["venv", "-e .[dev,lab] -c constraints.txt"]


def test_set_up_again_when_more_is_wanted_or_the_pins_change(
    tmp_path: Path, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup_env.set_up(tmp_path / "venv", {"lab"}, False, None)
    setup_env.set_up(tmp_path / "venv", {"dev"}, False, None)
    monkeypatch.setattr(setup_env, "fingerprint", lambda requirements: "changed")
    setup_env.set_up(tmp_path / "venv", {"lab"}, False, None)
    both = "-e .[dev,lab] -c constraints.txt"
    assert installs == ["venv", "-e .[lab] -c constraints.txt", both, both]


def test_set_up_again_after_an_interruption(
    tmp_path: Path, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(setup_env, "run_pip", lambda *_: pytest.fail("stopped"))
        with pytest.raises(pytest.fail.Exception):
            setup_env.set_up(tmp_path / "venv", {"lab"}, False, None)
    setup_env.set_up(tmp_path / "venv", {"lab"}, False, None)
    assert installs == ["venv", "-e .[lab] -c constraints.txt"]


def test_a_moved_environment_is_made_anew(tmp_path: Path, installs: list[str]) -> None:
    setup_env.set_up(tmp_path / "venv", {"lab"}, False, None)
    (tmp_path / "venv").rename(tmp_path / "moved")
    setup_env.set_up(tmp_path / "moved", {"lab"}, False, None)
    assert installs.count("venv") == 2


def test_newest_ignores_the_pins(tmp_path: Path, installs: list[str]) -> None:
    setup_env.set_up(tmp_path / "venv", {"lab"}, True, None)
    assert "constraints" not in installs[-1]
    assert "--upgrade" in installs[-1]


# tools/setup_env.py: what it says when it cannot


def failure(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The one line that a failed set-up prints."""
    assert setup_env.main(list(args)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line


def test_set_up_parses_on_an_old_python() -> None:
    ast.parse(Path(setup_env.__file__).read_text(), feature_version=(3, 6))


def test_an_old_python_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_env, "OLDEST", (3, 99))
    line = failure(capsys)
    assert "Python 3.10 or newer is needed" in line
    assert sys.executable in line


def test_a_newer_python_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in {"python3.13": 127, "python3.12": 0}.items():  # the first is a shim for what is not installed
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(setup_env, "OLDEST", (3, 99))
    assert setup_env.find_python() == str(tmp_path / "python3.12")


def test_a_full_disk_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9e9, 8e9, 1e9))
    line = failure(capsys, "--venv", str(tmp_path / "venv"))
    assert "8 GB of free disk space are needed" in line
    assert "1.0 GB are free" in line
    assert not (tmp_path / "venv").exists()


def test_a_missing_venv_module_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_env.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(setup_env.Problem, match=r"module venv is missing .* apt install python3-venv"):
        setup_env.make_venv(tmp_path / "venv")


@pytest.mark.slow
def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, not listening: a connection is refused
        closed.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        env |= {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1", "PIP_NO_CACHE_DIR": "1"}
        (tmp_path / "wanted.txt").write_text("torch\n")
        command = [sys.executable, setup_env.__file__, "--venv", tmp_path / "venv", "--requirements"]
        result = subprocess.run([*command, tmp_path / "wanted.txt"], env=env, capture_output=True, text=True)
    assert result.returncode == setup_env.NO_NETWORK
    (line,) = result.stderr.splitlines()
    assert "check the network" in line
    assert "Connection" in (tmp_path / "venv/install.log").read_text()  # pip's own words are kept
    assert json.loads((tmp_path / "venv/set-up.json").read_text()) == {}  # and the next call tries again


def test_what_else_pip_says_is_passed_on() -> None:
    lines = ["Collecting course", "ERROR: No matching distribution found for torch", "", "[notice] A new pip"]
    problem = setup_env.explain(lines, Path("install.log"))
    assert "No matching distribution found for torch" in str(problem)
    assert "install.log" in str(problem)
    assert "disk is full" in str(setup_env.explain(["OSError: [Errno 28] No space left on device"], Path("x")))
