"""The grader, packed for others to run it: Gradescope's autograder as a zip, GitHub Actions as a workflow."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from course.grading.cells import write_text
from course.grading.exports import clean, gradescope_results, read_results
from course.grading.notebook import NotebookError, read_cells

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 540.0  # for grading one submission: Gradescope stops an autograder after ten minutes, unless it is told otherwise

_BESIDE = ("pyproject.toml", "constraints.txt", "LICENSE")  # what pip needs beside the package
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can write
_UNFINISHED = "The grader did not get to its end. Hand in again; if that does not help, tell your instructor."

_SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, when it builds the autograder's image. It needs Python 3.10: Ubuntu 22.04 or newer. In the
# autograder's settings, give the container 3 GB of memory or more: the default is too little for torch.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
# Optional: the index of PyTorch's builds for the CPU, as its site names it. The default builds work, but weigh 5 GB.
torch_index=""

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends bubblewrap python3 python3-venv
python3 -m venv "$root/venv"
"$root/venv/bin/pip" install --no-cache-dir -c "$root/source/constraints.txt" \\
    ${torch_index:+--extra-index-url "$torch_index"} "$root/source[grade]"
"""

_RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for every submission, as root. Whatever happens, results.json is written.
lab=@LAB@
root="${AUTOGRADER_ROOT:-/autograder}"
mkdir -p "$root/results"
cat > "$root/results/results.json" <<'RESULTS'
@RESULTS@
RESULTS
# The sandbox shows none of these to the students' code; if it ever did, another user than root could not open them.
chmod go= "$root/source" "$root/submission" "$root/submission_metadata.json" "$root/results" 2> /dev/null
export PATH="$root/venv/bin:$PATH" PYTHONSAFEPATH=1
python -I -c 'import sys; from course.grading.packs import run_autograder; run_autograder(*sys.argv[1:])' "$lab" "$root"
exit 0
"""

_WORKFLOW = """\
# Grades one notebook of this repository on every push: copy this file to .github/workflows/grade.yml.
# Students can change a workflow in their own repository: take what it says as feedback, and grade for marks yourself.
name: Grade @LAB@

on:
  push:
  workflow_dispatch:

permissions:
  contents: read

env:
  # Where pip finds the course: "git+https://ADDRESS" of its repository.@UNSET@
  COURSE: @COURSE@
  # The notebook, from the top of this repository.
  NOTEBOOK: @NOTEBOOK@
  # No Python file of the student's is imported by the programs of this workflow.
  PYTHONSAFEPATH: "1"

jobs:
  grade:
    runs-on: ubuntu-latest
    timeout-minutes: 45
    steps:
      - name: Fetch the submission
        uses: actions/checkout@v6
        with:
          path: submission
          persist-credentials: false
      - name: Set up Python
        uses: actions/setup-python@v6
        with:
          python-version: "3.12"
      # Where Ubuntu's AppArmor keeps bubblewrap from making user namespaces, --sandbox auto takes Landlock by itself.
      - name: Install bubblewrap
        run: sudo apt-get update && sudo apt-get install -y --no-install-recommends bubblewrap
      - name: Install the course
        run: |
          if [ -z "$COURSE" ]; then
            echo "::error::COURSE is empty: say in this workflow's file where the course's repository is."
            exit 1
          fi
          python -m pip install "course[grade] @ $COURSE"
      - name: Grade
        run: course grade "submission/$NOTEBOOK" --lab @LAB@ --out graded --sandbox auto
      - name: Write JUnit's XML
        if: ${{ !cancelled() }}
        run: course export graded --to junit --output graded/junit.xml
      - name: Summarise
        if: ${{ !cancelled() }}
        run: |
          jq -r '"## \\(.points) of \\(.out_of) points", "", "| exercise | verdict | points |", "| --- | --- | --- |",
            (.exercises[] | "| \\(.exercise) | \\(.verdict) | \\(.points) of \\(.out_of) |")' \\
            graded/results/*.json >> "$GITHUB_STEP_SUMMARY"
      - name: Keep the feedback
        if: ${{ !cancelled() }}
        uses: actions/upload-artifact@v6
        with:
          name: feedback
          path: |
            graded/junit.xml
            graded/feedback/
            graded/results/
          if-no-files-found: error
"""


class PackError(Exception):
    """There is nothing to pack, or nothing to grade; the message says what was expected and what to do."""


def pack_gradescope(lab: str, output: Path, root: Path = ROOT) -> None:
    """Write the autograder of a lab as the zip that Gradescope takes: setup.sh, run_autograder and the course itself.

    The same sources give the same bytes. The zip holds the references: it is for the instructor, not for students. Source:
    Gradescope's autograder documentation, "Autograder Specifications". Raises PackError.
    """
    _check(lab)
    files = {"setup.sh": _SETUP.encode(), "run_autograder": _run_script(lab).encode()}
    for path in [*(root / name for name in _BESIDE), *(root / "course").rglob("*")]:
        inside = path.relative_to(root)
        if path.is_dir() or path.is_symlink() or any(part[0] == "." or part == "__pycache__" for part in inside.parts):
            continue
        try:
            files[inside.as_posix()] = path.read_bytes()
        except OSError as error:
            raise PackError(f"{path}: {error.strerror or error}. Pack from a clone of the course's repository.") from None
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 3  # Unix, whatever the system here: else the modes mean nothing
            entry.external_attr = (0o100755 if name in ("setup.sh", "run_autograder") else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    _write(output, content.getvalue())


def pack_actions(lab: str, output: Path, repository: str = "", notebook: str = "") -> None:
    """Write a workflow for GitHub Actions that grades the notebook in a student's repository on every push.

    `repository` is the course's git address, as in pyproject.toml; without one the file says where to write it. `notebook`
    is the path in the student's repository, by default LAB.ipynb. Source: GitHub's documentation, "Workflow syntax for
    GitHub Actions". Raises PackError.
    """
    _check(lab)
    values = {
        "@LAB@": lab,
        "@UNSET@": "" if repository else " It is not set yet: write it here.",
        "@COURSE@": json.dumps(f"git+{repository}" if repository else ""),  # a string of JSON is one of YAML
        "@NOTEBOOK@": json.dumps(notebook or f"{lab}.ipynb"),
    }
    text = _WORKFLOW
    for mark, value in values.items():
        text = text.replace(mark, value)
    _write(output, text.encode())


def run_autograder(lab: str, root: str | Path, seconds: float = SECONDS) -> None:
    """Grade the one submission in Gradescope's container and write results/results.json, whatever happens.

    This runs as root. What was handed in is only read; the student's code runs in the sandbox of `course grade`, which sees
    neither the results nor what was handed in. What the grader prints is printed, for the instructor.
    """
    root, started = Path(root), time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as work, open(Path(work, "log"), "w+b") as log:
            try:
                content = _grade(lab, root / "submission", Path(work), log, seconds)
            finally:
                log.seek(0)
                sys.stdout.buffer.write(log.read())
    except PackError as error:
        content = _failure(str(error))
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        content = _failure(f"The grader itself failed ({type(error).__name__}). Your instructor can see why in its output.")
    content["execution_time"] = round(time.monotonic() - started, 1)
    write_text(root / "results" / "results.json", json.dumps(content, indent=1, allow_nan=False) + "\n")


def find_notebook(folder: Path, lab: str) -> Path:
    """Return the notebook that was handed in for a lab: the only one, or else the one whose set-up cell says the lab.

    Raises PackError, in words for the student.
    """
    found = [path for path in sorted(folder.rglob("*.ipynb")) if path.is_file() and not path.is_symlink()]
    found = [path for path in found if not _is_litter(path.relative_to(folder))]
    if not found:
        raise PackError("There is no notebook in what you handed in. Download yours as .ipynb and hand in that file.")
    if len(found) == 1:
        return found[0]
    chosen = [path for path in found if _says(path, lab)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(clean(str(path.relative_to(folder))) for path in chosen or found)
    problem = "more than one of them says" if chosen else "none of them says"
    raise PackError(f'You handed in {len(found)} notebooks, and {problem} start("{lab}"): {names}. Hand in one.')


def _is_litter(path: Path) -> bool:
    """Say whether a file is one that Jupyter or macOS leaves behind."""
    return any(part[0] == "." or part == "__MACOSX" for part in path.parts)


def _says(notebook: Path, lab: str) -> bool:
    """Say whether a notebook starts a lab; one that cannot be read starts none."""
    try:
        return any(re.search(rf"""^\s*start\(\s*["']{lab}["']""", cell, re.M) for cell in read_cells(notebook.read_bytes()))
    except (OSError, NotebookError):
        return False


def _grade(lab: str, submission: Path, work: Path, log: IO[bytes], seconds: float) -> dict[str, Any]:
    notebook = find_notebook(submission, lab)
    # Under a name of our own: the student's may look like an option, or like somebody's id.
    shutil.copyfile(notebook, work / "submission.ipynb")
    command = ["course", "grade", "submission.ipynb", "--lab", lab, "--out", "graded", "--sandbox", "auto"]
    quiet, both = subprocess.DEVNULL, subprocess.STDOUT
    grader = subprocess.Popen(command, stdin=quiet, stdout=log, stderr=both, cwd=work, start_new_session=True)
    try:
        code = grader.wait(seconds)
    except subprocess.TimeoutExpired:
        problem = f"Grading took longer than {seconds:g} seconds and was stopped."
        raise PackError(f"{problem} Look for a loop in your notebook that does not end.") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(grader.pid, signal.SIGKILL)  # with all that it started
        grader.wait()
    if not any((work / "graded" / "results").glob("*.json")):
        raise PackError(f"The grader stopped with no result (exit code {code}). Your instructor can see why in its output.")
    (result,) = read_results(work / "graded")
    content = gradescope_results(result)
    content["output"] = f"Graded: {clean(str(notebook.relative_to(submission)))}\n{content['output']}"
    return content


def _failure(text: str) -> dict[str, Any]:
    return {"score": 0.0, "output": text, "output_format": "text", "visibility": "visible", "stdout_visibility": "hidden"}


def _run_script(lab: str) -> str:
    return _RUN.replace("@LAB@", lab).replace("@RESULTS@", json.dumps(_failure(_UNFINISHED)))


def _check(lab: str) -> None:
    from course.labs import lab_names  # loads torch, which takes seconds

    if lab not in lab_names():
        raise PackError(f"There is no lab {lab!r}. There are: {', '.join(lab_names())}.")


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise PackError(f"{path}: {error.strerror or error}. Name a file that can be written with --output.") from None
