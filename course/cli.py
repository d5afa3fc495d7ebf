"""The command line: course lab | check | build | verify."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from nbformat import NotebookNode

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="A course on deep generative models."
)
console = Console()
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run the command line; what goes wrong is said in one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that does not know ✓ still gets its report
    try:
        app()
    except KeyboardInterrupt:
        console.print("Stopped.")
        sys.exit(130)


@app.command("lab", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab_command(context: typer.Context) -> None:
    """Open the labs in JupyterLab; further options go to JupyterLab (--no-browser --port 8899)."""
    notebooks = _folder("notebooks")
    if subprocess.run([sys.executable, "-m", "jupyterlab", "--version"], capture_output=True).returncode:
        _fail("JupyterLab is not installed. Install it with: pip install -e '.[lab]'")
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={notebooks}", *root, *context.args]
    sys.exit(subprocess.run(command).returncode)


@app.command("check")
def check_command(
    notebook: Annotated[Path, typer.Argument(help="a student's notebook, .ipynb")],
    as_json: Annotated[bool, typer.Option("--json", help="print the reports as JSON")] = False,
    lab: Annotated[str, typer.Option(help="the lab, if the notebook's set-up cell does not say it")] = "",
) -> None:
    """Check the exercises of your own notebook; exit 0 if all are right, 1 if not, 2 if it cannot be read."""
    from course.grading.submission import SubmissionError, judge_submission, read, to_json
    from course.labs import load

    try:
        submission = read(notebook)
        if not (lab or submission.lab):
            _fail(f"{notebook} does not say which lab it is (no start(...) in its set-up cell). Name it with --lab.")
        chosen = load(lab or submission.lab)
    except (SubmissionError, ValueError) as error:
        _fail(str(error))
    with redirect_stdout(sys.stderr):  # what the notebook's own code prints is no part of the answer
        reports = judge_submission(submission, chosen)
    if as_json:
        print(to_json(submission, chosen, reports))
    else:
        for report in reports:
            console.print(Text(str(report)), soft_wrap=True)
        points, out_of = sum(r.points for r in reports), sum(e.points for e in chosen.entries.values())
        console.print(Text(f"\n{points:g} of {out_of} points in {chosen.title}"))
    sys.exit(0 if all(report.verdict == "right" for report in reports) else 1)


@app.command("build")
def build_command(
    labs: Annotated[list[str] | None, typer.Argument(help="labs to build; all if none is named")] = None,
    check: Annotated[bool, typer.Option("--check", help="change nothing; exit 1 if a notebook is out of date")] = False,
    execute: Annotated[bool, typer.Option("--execute", help="run the solution notebooks that changed")] = False,
) -> None:
    """Build the student and solution notebooks from the labs' sources."""
    try:
        from course.authoring.build import BuildError, build, to_bytes, with_outputs_of
        from course.authoring.setup_cell import read_repository
    except ModuleNotFoundError as error:
        _fail(f"Building needs {error.name}. Install it with: pip install -e '.[lab]'")
    from course.labs import lab_names

    repository = read_repository(_folder("pyproject.toml"))
    stale = []
    for name in labs or lab_names():
        student, solution = ROOT / "notebooks" / f"{name}.ipynb", ROOT / "solutions" / f"{name}.ipynb"
        try:
            built = build(name, repository)
        except (BuildError, ValueError) as error:
            _fail(str(error))
        content = to_bytes(built.student)
        solved, current = with_outputs_of(built.solution, solution)
        if check:
            stale += [] if student.exists() and student.read_bytes() == content else [student]
            stale += [] if current else [solution]
            continue
        student.parent.mkdir(exist_ok=True)
        solution.parent.mkdir(exist_ok=True)
        student.write_bytes(content)
        if execute and not current:
            solved, current = _executed(name, solved), True
        solution.write_bytes(to_bytes(solved))
        note = "" if current else " (no outputs yet: course build --execute)"
        console.print(f"{name}: {student.relative_to(ROOT)}, {solution.relative_to(ROOT)}{note}", soft_wrap=True)
    if stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        _fail(f"Out of date: {names}. Run: course build --execute", code=1)


@app.command("verify")
def verify_command(
    labs: Annotated[list[str] | None, typer.Argument(help="labs to verify; all if none is named")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="how many seeds")] = 20,
) -> None:
    """Prove that the checks are sound: styles pass, the stub is not attempted, each mistake is recognised."""
    from course.authoring.verify import judgements_of, verify
    from course.labs import lab_names, load

    problems = []
    for name in labs or lab_names():
        try:
            lab = load(name)
        except ValueError as error:
            _fail(str(error))
        table = Table("exercise", "mistakes", "styles", "judgements", "sound", title=f"{lab.title}: {seeds} seeds")
        with _progress() as progress:
            task = progress.add_task(name, total=judgements_of(lab, range(seeds)))
            for proof in verify(lab, range(seeds), lambda: progress.advance(task)):  # noqa: B023 - used at once
                sound = "yes" if not proof.problems else f"no: {len(proof.problems)}"
                table.add_row(proof.name, str(proof.mistakes), str(proof.styles), str(proof.judgements), sound)
                problems += [f"{proof.name}: {problem}" for problem in proof.problems]
        console.print(table)
    for problem in problems[:20]:
        console.print(Text(problem), soft_wrap=True)
    sys.exit(1 if problems else 0)


def _executed(name: str, notebook: "NotebookNode") -> "NotebookNode":
    from course.authoring.execute import ExecutionError, execute

    with _progress() as progress:
        task = progress.add_task(f"running {name}", total=len(notebook.cells))
        try:
            return execute(notebook, ROOT / "solutions", lambda index: progress.update(task, completed=index + 1))
        except ExecutionError as error:
            _fail(f"The solution of {name} fails:\n{error}", code=1)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _folder(name: str) -> Path:
    path = ROOT / name
    if not path.exists():
        _fail(f"{path} is not there. This command works in a clone of the repository, installed with pip install -e.")
    return path


def _fail(message: str, code: int = 2) -> NoReturn:
    Console(stderr=True).print(Text(message), soft_wrap=True)
    raise SystemExit(code)
