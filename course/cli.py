"""The command line: course lab | demo | check | run | grade | export | pack | build | verify | train."""

import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from course.grading.rerun import Whole

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="A course on deep generative models."
)
packs = typer.Typer(no_args_is_help=True, help="Pack the grader for others to run it.")
app.add_typer(packs, name="pack")
console = Console()
ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = Path(".github/workflows/grade.yml")


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


@app.command("demo", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def demo_command(context: typer.Context) -> None:
    """Open the lecture demos as an app, or some: course demo [NAME ...]; options go to Voilà (--no-browser --port 8899)."""
    try:
        import_module("voila")
        from course.authoring.build import build_demos, to_bytes
    except ModuleNotFoundError as error:
        _fail(f"The demos as an app need {error.name}. Install it with: pip install -e '.[lab]'")
    from course.demos import DEMOS

    names = [word for word in context.args if word in DEMOS] or list(DEMOS)
    options = [word for word in context.args if word not in DEMOS]
    for before, word in pairwise(["", *options]):
        if not word.startswith("-") and (not before.startswith("-") or before == "--no-browser"):  # of no option the value
            _fail(f"There is no demo {word!r}. There are: {', '.join(DEMOS)}.")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "demos.ipynb")
        page.write_bytes(to_bytes(build_demos({name: DEMOS[name].title for name in names})))
        # Extensions of JupyterLab that look for what Voilà's page lacks, and complain.
        unfit = ("jupyterlab-jupytext", "@voila-dashboards/jupyterlab-preview")
        without = [f"--VoilaConfiguration.extension_denylist={name}" for name in unfit]
        command = [sys.executable, "-m", "voila", str(page), *without]
        paths = [str(Path(__file__).parent / "demos"), os.environ.get("JUPYTER_PATH", "")]  # the first has our template
        environment = {**os.environ, "JUPYTER_PATH": os.pathsep.join(filter(None, paths))}
        sys.exit(_wait_for([*command, "--template=course", *options], environment))


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
        console.print(Text(f"\n{round(points, 2):g} of {out_of} points in {chosen.title}"))
    sys.exit(0 if all(report.verdict == "right" for report in reports) else 1)


@app.command("grade")
def grade_command(
    paths: Annotated[list[Path], typer.Argument(help="notebooks, folders and zip archives")],
    lab: Annotated[str, typer.Option(help="the lab, such as lab2_vae")],
    out: Annotated[Path, typer.Option(help="the folder for the results")],
    jobs: Annotated[int, typer.Option(min=1, help="processes at a time")] = os.cpu_count() or 1,
    seed: Annotated[int | None, typer.Option(min=0, help="of the cases; drawn once and written down if not given")] = None,
    sandbox: Annotated[str, typer.Option(help="auto, bwrap, landlock or none")] = "auto",
    timeout: Annotated[float, typer.Option(min=0.1, help="seconds for one exercise")] = 10.0,
    memory: Annotated[int, typer.Option(min=64, help="MiB for one submission, beyond torch's own")] = 1024,
    roster: Annotated[Path | None, typer.Option(help="CSV: id, name, and other words by which a student is known")] = None,
    overrides: Annotated[Path | None, typer.Option(help="CSV of your own marks: student, exercise, points, words")] = None,
    only: Annotated[list[str] | None, typer.Option(help="grade this exercise alone (may be repeated)")] = None,
    regrade: Annotated[bool, typer.Option("--regrade", help="grade again what is graded already")] = False,
    dask: Annotated[str, typer.Option(help="address of a Dask scheduler, to grade on its workers")] = "",
    run: Annotated[bool, typer.Option("--run", help="also run each notebook from top to bottom, training included")] = False,
    run_timeout: Annotated[float, typer.Option(min=1, help="seconds for a whole notebook")] = 1200.0,
    run_memory: Annotated[int, typer.Option(min=64, help="MiB for a whole notebook")] = 6144,
) -> None:
    """Grade a class safely; exit 0 if all are graded, 1 if some could not be, 2 if it was called wrongly."""
    try:
        from course.grading.classroom import Order, UsageError, grade_class
        from course.grading.collect import CollectError
        from course.grading.sandbox import SandboxError
        from course.grading.screen import class_screen
        from course.grading.store import StoreError
    except ModuleNotFoundError as error:
        _fail(f"Grading needs {error.name}. Install it with: pip install -e '.[grade]'")
    order = Order(
        tuple(paths), lab, out, jobs, seed, sandbox, timeout, memory, roster, overrides, tuple(only or ()), regrade, dask,
        _whole(lab, run_timeout, run_memory) if run else None,
    )  # fmt: skip
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    try:
        graded = grade_class(order, lambda stage, total: _stage(progress, stage, total))
    except (UsageError, CollectError, StoreError) as error:
        _fail(str(error))
    except SandboxError as error:
        _fail(str(error), code=1)
    finally:
        progress.stop()
    console.print(class_screen(graded.summary))
    console.print(Text(graded.last_words), soft_wrap=True)
    sys.exit(0 if graded.complete else 1)


@app.command("run")
def run_command(
    notebook: Annotated[Path, typer.Argument(help="a notebook, .ipynb")],
    lab: Annotated[str, typer.Option(help="the lab, if the notebook's set-up cell does not say it")] = "",
) -> None:
    """Run your own notebook from top to bottom and compare its marked numbers with the solution's; exit 0 if they agree."""
    try:
        from course.grading.rerun import read_solution, run_here
        from course.grading.submission import SubmissionError, read
    except ModuleNotFoundError as error:
        _fail(f"Running needs {error.name}. Install it with: pip install -e '.[lab]'")
    try:
        submission = read(notebook)
        name = lab or submission.lab
        if not name:
            _fail(f"{notebook} does not say which lab it is (no start(...) in its set-up cell). Name it with --lab.")
        solution = read_solution(_folder("solutions"), name)
    except (SubmissionError, ValueError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"There is no executed solution of this lab ({error.strerror}). Build it with: course build --execute")
    try:
        with _progress() as progress:
            task = progress.add_task(f"running {notebook.name}", total=len(submission.cells))
            remarks = run_here(notebook, solution, lambda: progress.advance(task))
    except (OSError, ValueError, RuntimeError) as error:
        _fail(f"{notebook} cannot be run: {error}. Is nbval installed? pip install -e '.[lab]'")
    for remark in remarks:
        where = f"cell {remark.number}, " if remark.number else ""
        console.print(Text(f"✗ {where}{remark.heading}: {remark.problem}"), soft_wrap=True)
    if not remarks:
        console.print("✓ every cell ran, and the marked ones print what the solution prints")
    sys.exit(1 if remarks else 0)


@app.command("train")
def train_command(
    names: Annotated[list[str] | None, typer.Argument(help="checkpoints to make; lists them if none is named")] = None,
    out: Annotated[Path | None, typer.Option(help="the folder to write to; the course's own if not given")] = None,
) -> None:
    """Make the small trained models that ship with the course, each by its recipe."""
    from course.checkpoints import CheckpointError, all_recipes, card, recipe, train
    from course.training import pick_device

    try:
        for name in names or ():
            recipe(name)  # all names are looked at before the first is trained
        for name in names or ():
            console.print(f"{name}: {recipe(name).about}", soft_wrap=True)
            made = train(name, out, pick_device())
            numbers = ", ".join(f"{metric} {value:g}" for metric, value in made.metrics.items())
            console.print(f"{name}: {made.seconds:g} s; {numbers}", soft_wrap=True)
        if not names:
            table = Table("checkpoint", "what it is", "seconds", title="Make one with: course train NAME")
            for name in all_recipes():
                known = card(name, out)
                table.add_row(name, known.about, f"{known.seconds:g}")
            console.print(table)
    except CheckpointError as error:
        _fail(str(error))


@app.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(help="the folder that course grade --out wrote")],
    to: Annotated[str, typer.Option(help="gradescope, canvas, moodle, nbgrader or junit")],
    into: Annotated[Path | None, typer.Option(help="your export from Canvas or Moodle, to fill a copy of")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="what to write; by default a file in FOLDER")] = None,
    column: Annotated[str, typer.Option(help='the assignment in Canvas, such as "Lab 2 (4711)"')] = "",
) -> None:
    """Write results for Gradescope, Canvas, Moodle, nbgrader, or as JUnit's XML."""
    from course.grading.exports import ExportError, export_results

    try:
        done = export_results(folder, to, into, output, column)
    except ExportError as error:
        _fail(str(error))
    for remark in done.remarks:
        console.print(Text(remark), soft_wrap=True)
    console.print(Text(f"Written: {done.path}"), soft_wrap=True)


@packs.command("gradescope")
def pack_gradescope_command(
    lab: Annotated[str, typer.Argument(help="the lab to grade")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the zip to write")] = Path("autograder.zip"),
) -> None:
    """Write a lab's autograder for Gradescope: upload the zip as it is, and keep it from students."""
    from course.grading.packs import PackError, pack_gradescope

    _folder("pyproject.toml")
    try:
        pack_gradescope(lab, output)
    except PackError as error:
        _fail(str(error))
    console.print(Text(f"Written: {output}"), soft_wrap=True)


@packs.command("actions")
def pack_actions_command(
    lab: Annotated[str, typer.Argument(help="the lab to grade")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the workflow to write")] = WORKFLOW,
    notebook: Annotated[str, typer.Option(help="the notebook's path in the student's repository; LAB.ipynb if none")] = "",
) -> None:
    """Write a GitHub Actions workflow that grades a student's repository on every push."""
    from course.authoring.setup_cell import read_repository
    from course.grading.packs import PackError, pack_actions

    repository = read_repository(_folder("pyproject.toml"))
    try:
        pack_actions(lab, output, repository, notebook)
    except PackError as error:
        _fail(str(error))
    console.print(Text(f"Written: {output}"), soft_wrap=True)
    if not repository:
        console.print("The course has no address yet: write it at COURSE in that file.")


@app.command("build")
def build_command(
    labs: Annotated[list[str] | None, typer.Argument(help="labs to build, or demos; all if none is named")] = None,
    check: Annotated[bool, typer.Option("--check", help="change nothing; exit 1 if a notebook is out of date")] = False,
    execute: Annotated[bool, typer.Option("--execute", help="run the solution notebooks that changed")] = False,
) -> None:
    """Build the student and solution notebooks from the labs' sources, and the notebook of the demos."""
    try:
        from course.authoring.build import BuildError, build, build_demos, to_bytes, with_outputs_of
        from course.authoring.setup_cell import read_repository
    except ModuleNotFoundError as error:
        _fail(f"Building needs {error.name}. Install it with: pip install -e '.[lab]'")
    from course.demos import DEMOS
    from course.labs import lab_names

    repository = read_repository(_folder("pyproject.toml"))
    stale = []
    for name in lab_names() if not labs else [name for name in labs if name != "demos"]:
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
    if not labs or "demos" in labs:
        page = ROOT / "notebooks" / "demos.ipynb"
        content = to_bytes(build_demos({demo.name: demo.title for demo in DEMOS.values()}, repository))
        if check:
            stale += [] if page.exists() and page.read_bytes() == content else [page]
        else:
            page.parent.mkdir(exist_ok=True)
            page.write_bytes(content)
            console.print(f"demos: {page.relative_to(ROOT)}", soft_wrap=True)
    if stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        _fail(f"Out of date: {names}. Run: course build --execute", code=1)


@app.command("verify")
def verify_command(
    labs: Annotated[list[str] | None, typer.Argument(help="labs to verify; all if none is named")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="how many seeds")] = 20,
) -> None:
    """Prove that the checks are sound: styles pass, the stub is not attempted, each mistake is recognised."""
    from course.authoring.verify import verify_labs
    from course.labs import lab_names, load

    try:
        chosen = {name: load(name) for name in labs or lab_names()}
    except ValueError as error:
        _fail(str(error))
    columns = ("exercise", "mistakes", "styles", "judgements", "sound")
    tables = {name: Table(*columns, title=f"{lab.title}: {seeds} seeds") for name, lab in chosen.items()}
    problems = []
    with _progress() as progress:
        task = progress.add_task("verifying", total=sum(len(lab.entries) for lab in chosen.values()))
        for name, proof in verify_labs(list(chosen), range(seeds)):
            sound = "yes" if not proof.problems else f"no: {len(proof.problems)}"
            tables[name].add_row(proof.name, str(proof.mistakes), str(proof.styles), str(proof.judgements), sound)
            problems += [f"{proof.name}: {problem}" for problem in proof.problems]
            progress.advance(task)
    for table in tables.values():
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


def _whole(lab: str, timeout: float, memory: int) -> "Whole":
    from course.grading.rerun import Whole, read_expected, read_solution
    from course.grading.sandbox import Limits

    try:
        expected = read_expected(read_solution(_folder("solutions"), lab))
    except (OSError, ValueError) as error:
        _fail(f"--run needs the executed solution of {lab}: {error}. Build it with: course build --execute")
    return Whole(expected, Limits(timeout, memory, disk=1024))


def _stage(progress: Progress, stage: str, total: int) -> Callable[[], None]:
    """Begin a stage of long work; the function returned is called after each of its steps."""
    for task in progress.task_ids:
        progress.remove_task(task)
    task = progress.add_task(stage, total=total)
    progress.start()
    return lambda: progress.advance(task)


class _Rate(ProgressColumn):
    """How many steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed:.1f} a second" if task.elapsed and task.completed else "")


def _wait_for(command: list[str], environment: dict[str, str]) -> int:
    """Run a server until it ends; whoever ends us ends it, and it has the time to end what it started."""
    server = subprocess.Popen(command, env=environment)
    for name in ("SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):  # Windows knows no SIGHUP
            signal.signal(number, lambda *_: server.terminate())
    try:
        return server.wait()
    except KeyboardInterrupt:  # the terminal has sent it to the server, too
        server.wait()
        raise


def _folder(name: str) -> Path:
    path = ROOT / name
    if not path.exists():
        _fail(f"{path} is not there. This command works in a clone of the repository, installed with pip install -e.")
    return path


def _fail(message: str, code: int = 2) -> NoReturn:
    Console(stderr=True).print(Text(message), soft_wrap=True)
    raise SystemExit(code)
