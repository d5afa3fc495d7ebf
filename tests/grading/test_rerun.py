"""Whole notebooks: what they print is held against the executed solution, and a wrong one fails."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course.grading import rerun, sandbox
from course.grading.rerun import NOT_REACHED, Expected, Whole, agrees, compare, graft, read_expected, run_here, run_whole
from course.grading.sandbox import Limits

LIMITS = Limits(timeout=300, memory=4096, disk=64)
MARK = "# NBVAL_CHECK_OUTPUT"


@pytest.mark.parametrize(
    ("wanted", "got", "same"),
    [
        ("costs 0.543 nats", "costs 0.543 nats", True),
        ("costs 0.543 nats", "costs  0.5435 nats", True),
        ("costs 0.543 nats", "costs 0.55 nats", False),
        ("costs 0.543 nats", "costs -0.543 nats", False),
        ("costs 0.543 nats", "costs 0.543 bits", False),
        ("costs 0.543 nats", "costs # nats", False),
        ("costs 0.543 nats", "0.543", False),
        ("costs 0.543 nats", "", False),
        ("[0.5, 0.881]", "[0.5, 0.882]", True),
        ("[0.5, 0.881]", "[0.5]", False),
        ("1e-3", "0.001", True),
        ("−2.5", "-2.5", True),
        ("True", "True", True),
        ("True", "False", False),
        ("3", "nan", False),
        ("3", "1" + "0" * 400, False),
    ],
)
def test_lines_agree_within_the_tolerance(wanted: str, got: str, same: bool) -> None:
    assert agrees(wanted, got, (1e-3, 1.5e-3)) == same


@given(wanted=st.text(max_size=30), got=st.text(max_size=30))
def test_fuzz_any_two_lines_agree_or_not(wanted: str, got: str) -> None:
    assert agrees(wanted, wanted, (0.0, 0.0))
    assert agrees(wanted, got, (1e-3, 0.0)) in (True, False)


def executed(*cells: tuple[str, str]) -> nbformat.NotebookNode:
    """A notebook as it is after a run: (source, printed)."""
    made = [new_markdown_cell("# A lab\n\n## The price")]
    for source, printed in cells:
        made.append(new_code_cell(source, outputs=[new_output("stream", name="stdout", text=printed)] if printed else []))
    return new_notebook(cells=made)


SOLUTION = executed(("f = 1", ""), (f"{MARK}\nprint(f)", "cost 1.0\nand 2\n"), ("bar()", "✓ loss: 34 (below 40)\n"))


def test_what_the_solution_printed_is_read() -> None:
    expected = read_expected(SOLUTION)
    assert expected == Expected({f"{MARK}\nprint(f)": ("The price", ("cost 1.0", "and 2"))}, {"loss": "34 (below 40)"})


def test_marked_cells_and_bars_are_compared_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_REDUCED", raising=False)
    cells = ["bar()", "mine = 3", f"{MARK}\nprint(f)  "]
    printed = ["✓ loss: 31.2 (below 40)\n", "3", "cost 1.0\nand 3"]
    figures = compare(cells, printed, read_expected(SOLUTION), (0.0, 0.0))
    assert [(f.cell, f.wanted, f.got, f.agrees) for f in figures] == [
        ("The price", "cost 1.0", "cost 1.0", True),
        ("The price", "and 2", "and 3", False),
        ("loss", "34 (below 40)", "31.2", True),
    ]


def test_what_was_not_reached_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_REDUCED", raising=False)
    figures = compare(["a", f"{MARK}\nprint(f)"], [""], read_expected(SOLUTION), (0.0, 0.0))
    assert [(f.got, f.agrees) for f in figures] == [(NOT_REACHED, False)] * 3


def test_only_the_solutions_marked_outputs_are_grafted() -> None:
    mine = executed((f"{MARK}\nprint(f)", "cost 9\n"), (f"{MARK}\nprint(3)", "3\n"), ("x", "5\n"))
    grafted = graft(mine, SOLUTION)
    assert [cell.get("outputs") for cell in grafted.cells] == [None, SOLUTION.cells[2].outputs, [], []]
    assert mine.cells[1].outputs[0].text == "cost 9\n"


# --------------------------------------------------------------------------------------------------------- real runs


@pytest.fixture(scope="module")
def run(lab2: Any, level: str) -> Any:
    whole = Whole(read_expected(SOLUTION), LIMITS)
    return lambda *cells, limits=LIMITS: run_whole(lab2, cells, Whole(whole.expected, limits), level)


@pytest.mark.slow
def test_a_notebook_is_run_from_top_to_bottom(run: Any) -> None:
    cells = (
        "import torch\nvalue = 1.0",
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
        "for step in range(3):\n    value += 0\nopen('kept.txt', 'w').write('kept')",
        "import shutil\nshutil.copy('kept.txt', 'copy')",
        "f = 1\nvalue",
        f"{MARK}\nprint(f)",
        "print('cost', value, open('copy').read())\nprint('and 2')",
    )
    found = run(*cells)
    assert (found.finished, found.message) == (True, "")
    assert [figure.got for figure in found.figures if figure.cell == "The price"] == ["1", "nothing"]


# What a driver's library does, tried on a device that every machine has: open it, speak to it, reserve address space.
USES_DEVICE = """
import errno, fcntl, mmap, os, socket
def tried(attempt):
    try:
        attempt()
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]
print(tried(lambda: open("/dev/full").close()), tried(lambda: open("/dev/zero").close()))
print(tried(lambda: fcntl.ioctl(0, 0x4600)), tried(lambda: mmap.mmap(-1, 1 << 38, flags=mmap.MAP_PRIVATE, prot=0).close()))
print(tried(socket.socket), repr(os.environ["CUDA_VISIBLE_DEVICES"]))
"""


@pytest.mark.slow
def test_a_gpu_opens_its_devices_and_nothing_else(lab2: Any, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(sandbox, "gpu_devices", lambda: ["/dev/full"])
    seen = {}
    for gpu in (True, False):
        with sandbox.Sandbox(lab2, level, replace(LIMITS, gpu=gpu)) as box:
            ((printed, error),) = box.open([USES_DEVICE]).run()
        assert error == ""
        seen[gpu] = printed.split()
    refused = {"ENOENT", "EACCES", "EPERM", "ENOSYS", "ENOMEM"}
    assert seen[True][0] == "done"
    assert seen[True][2:4] == ["ENOTTY", "done"]
    assert set(seen[False][:1] + seen[False][2:4]) <= refused
    for answers in seen.values():  # another device, the network: neither way
        assert {answers[1], answers[4]} <= refused
    assert (seen[True][5], seen[False][5]) == ("'0'", "''")


def test_a_machine_without_a_gpu_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerun, "gpu_devices", list)
    monkeypatch.setattr(rerun, "Sandbox", None)
    rerun.gpu_works.cache_clear()
    assert rerun.gpu_works("lab2_vae", "bwrap") is False


@pytest.mark.parametrize(("shown", "used"), [("", False), ("-1", False), ("0", True), (None, True)])
def test_a_hidden_gpu_is_not_used(shown: str | None, used: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = iter([Path("/dev/null"), tmp_path])  # a device, and a folder such as /dev/nvidia-caps
    monkeypatch.setattr(Path, "glob", lambda self, pattern: found)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if shown is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert sandbox.gpu_devices() == (["/dev/null"] if used else [])


@pytest.mark.slow
def test_a_gpu_that_does_not_work_in_a_sandbox_leaves_the_work_to_the_cpu(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a device speaks no driver's language."""
    for module in (rerun, sandbox):
        monkeypatch.setattr(module, "gpu_devices", lambda: ["/dev/full"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    rerun.gpu_works.cache_clear()
    assert rerun.gpu_works("lab2_vae", level) is False
    rerun.gpu_works.cache_clear()


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_whole_notebook_uses_the_gpu(run: Any) -> None:
    found = run("import torch", "print(torch.ones(3, device='cuda').sum().item())", "print('cost 1.0')")
    assert (found.finished, found.message, found.device) == (True, "", "GPU")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("open('my.csv')", "Cell 2 stops with FileNotFoundError: [Errno 2] No such file or directory: 'my.csv'."),
        ("input('Which? ')", "Cell 2 stops with EOFError"),
        ("def broken(:", "Cell 2 stops with SyntaxError"),
        ("raise KeyError('x')", "Cell 2 stops with KeyError: 'x'."),
        ("import os; os._exit(0)", "In cell 2: its process ended."),
        ("open('big', 'wb').write(b'x' * 200_000_000)", "Cell 2 stops with OSError"),
        ("x = bytearray(10 * 2**30)", "Cell 2 stops with MemoryError"),
        ("import urllib.request; urllib.request.urlopen('http://192.0.2.1')", "Cell 2 stops with URLError"),
    ],
)
def test_what_stops_a_notebook_is_said(run: Any, cell: str, says: str) -> None:
    found = run("x = 1", cell, f"{MARK}\nprint(f)")
    assert not found.finished
    assert found.message.startswith(says)
    assert not any(figure.agrees for figure in found.figures)


@pytest.mark.slow
def test_a_notebook_that_trains_for_ever_is_stopped(run: Any) -> None:
    found = run("x = 1", "while True: x += 1", limits=Limits(timeout=3, memory=512, disk=16))
    assert found.message == "Cell 2 was still running when 3 s for the whole notebook were over."


@pytest.mark.slow
def test_a_notebook_that_fills_the_disk_is_stopped(run: Any) -> None:
    fills = "for i in range(10**6):\n    open(f'f{i}', 'wb').write(b'x' * 10**6)"
    found = run("x = 1", fills, limits=Limits(timeout=60, memory=512, disk=16))
    assert not found.finished
    assert "No space left" in found.message or "wrote more than 16 MiB" in found.message


@pytest.mark.slow
def test_the_solution_agrees_with_itself_and_a_wrong_one_does_not(
    lab_cells: Any, strongest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_REDUCED", "1")
    lab, _, cells = lab_cells
    path = Path(__file__).parent.parent.parent / "solutions" / f"{lab.name}.ipynb"
    expected = read_expected(nbformat.read(path, as_version=4))
    assert expected.marked
    assert expected.bars
    found = run_whole(lab, cells, Whole(expected, LIMITS), strongest)
    assert (found.finished, found.message) == (True, "")
    assert all(figure.agrees for figure in found.figures)
    # Every figure can be missed: hold the same run against a solution that printed something else.
    other = {source: (heading, tuple(f"{line} 1" for line in lines)) for source, (heading, lines) in expected.marked.items()}
    printed = ["\n".join(expected.marked[cell.strip()][1]) if cell.strip() in expected.marked else "" for cell in cells]
    assert all(figure.agrees for figure in compare(cells, printed, Expected(expected.marked, {}), lab.tolerance))
    assert not any(figure.agrees for figure in compare(cells, printed, Expected(other, {}), lab.tolerance))


@pytest.mark.full
@pytest.mark.parametrize("lab_cells", ["lab2_vae"], indirect=True)
def test_a_solution_clears_its_bars_in_the_sandbox(lab_cells: Any, strongest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them: all solutions are run at full steps elsewhere, and above at reduced steps in the sandbox."""
    monkeypatch.delenv("COURSE_REDUCED", raising=False)
    lab, _, cells = lab_cells
    path = Path(__file__).parent.parent.parent / "solutions" / f"{lab.name}.ipynb"
    expected = read_expected(nbformat.read(path, as_version=4))
    found = run_whole(lab, cells, Whole(expected, Limits(timeout=1200, memory=6144, disk=256, threads=2)), strongest)
    assert (found.finished, found.message) == (True, "")
    assert [figure for figure in found.figures if not figure.agrees] == []
    assert {figure.cell for figure in found.figures} >= set(expected.bars)


@pytest.mark.slow
def test_course_run_lets_nbval_compare_with_the_solution_and_not_with_itself(tmp_path: Path) -> None:
    solution = executed(("f = 1", ""), (f"{MARK}\nprint('cost', float(f))", "cost 1.0\n"))
    path = tmp_path / "mine.ipynb"
    steps: list[int] = []
    nbformat.write(solution, path)
    assert run_here(path, solution, lambda: steps.append(1)) == []
    assert len(steps) == 2
    wrong = copy.deepcopy(solution)
    wrong.cells[1].source = "f = 3"
    wrong.cells[2].outputs[0].text = "cost 3.0\n"  # it compares well with itself
    nbformat.write(wrong, path)
    (remark,) = run_here(path, solution, lambda: None)
    assert (remark.heading, remark.number) == ("The price", 2)
    assert "it prints cost 3.0" in remark.problem
    assert "the solution prints cost 1.0" in remark.problem
    del wrong.cells[2]
    wrong.cells.append(new_code_cell("open('my.csv')"))
    nbformat.write(wrong, path)
    missing, stops = run_here(path, solution, lambda: None)
    assert "is missing, or was changed" in missing.problem
    assert "my.csv" in stops.problem
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.ipynb"]
    assert json.loads(path.read_text())["cells"]


HOURS_OF_TRAINING = """
import itertools
import tqdm.std
from tqdm.auto import trange

clock = itertools.count()
tqdm.std.time = lambda: next(clock) / 5  # 0.2 s pass between two looks at the clock
for _ in trange(12_000):
    pass
"""


@pytest.mark.slow
def test_course_run_survives_a_progress_bar_that_moves_for_a_long_time(tmp_path: Path) -> None:
    solution = executed((HOURS_OF_TRAINING, ""), (f"{MARK}\nprint(1)", "1\n"))
    path = tmp_path / "mine.ipynb"
    nbformat.write(solution, path)
    assert run_here(path, solution, lambda: None) == []
    nbformat.write(executed((HOURS_OF_TRAINING.replace("12_000", "12_000, mininterval=0"), "")), path)
    missing, lost = run_here(path, solution, lambda: None)
    assert "is missing" in missing.problem
    assert "so often that its output was lost" in lost.problem
