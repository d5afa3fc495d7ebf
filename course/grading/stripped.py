"""The copy of the course that a student's code sees while it is graded: no solutions, no checks, no seeds.

The exercises of the graded lab are cut out wherever they are defined, by the same cut that makes the student's notebook;
using one raises an error that names it. Of the lab there are only its probes and its figures; `check` does nothing.
"""

import ast
import inspect
import shutil
from pathlib import Path
from types import ModuleType

import course
from course.checks.cut import stub_of
from course.checks.exercise import Exercise, Lab

MACHINERY = (
    "checks/__init__.py", "checks/exercise.py", "checks/probing.py", "checks/cut.py", "labs/budget.py",
    "grading/__init__.py", "grading/wire.py", "grading/worker.py", "grading/confine.py", "grading/define.py",
    "grading/similar.py",
)  # fmt: skip
NOTHING = '''"""What a notebook calls does nothing where it is graded."""


def _nothing(*args: object, **kwargs: object) -> None:
    pass


check = hint = progress = start = _nothing
'''


def write_stripped(lab: Lab, folder: Path) -> None:
    """Write the stripped course into folder/course."""
    source, target = Path(course.__file__).parent, folder / "course"
    field = [path.relative_to(source) for path in (*source.glob("*.py"), *source.glob("data/*.py"))]
    lab_folder = Path(inspect.getfile(probes_of(lab))).parent
    for name in (*field, *map(Path, MACHINERY)):
        if name.name != "cli.py":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    shutil.copytree(source / "checkpoints", target / "checkpoints", ignore=shutil.ignore_patterns("__pycache__"))
    (target / "labs" / lab.name).mkdir(parents=True)
    for path in (lab_folder / "probes.py", *lab_folder.glob("*.json")):
        shutil.copyfile(path, target / "labs" / lab.name / path.name)
    for emptied in ("labs/__init__.py", f"labs/{lab.name}/__init__.py", "grading/__init__.py"):
        (target / emptied).write_text("")
    (target / "__init__.py").write_text(NOTHING)
    for entry in lab.entries.values():
        if isinstance(entry.item, Exercise):
            _cut(entry.item, target)


def probes_of(lab: Lab) -> ModuleType:
    """Return a lab's module of probes."""
    from importlib import import_module

    return import_module(f"course.labs.{lab.name}.probes")


def _cut(exercise: Exercise, target: Path) -> None:
    module = inspect.getmodule(exercise.reference)
    assert module is not None
    path = target / Path(*module.__name__.split(".")[1:]).with_suffix(".py")
    text = path.read_text(encoding="utf-8")
    stub = stub_of(exercise.reference, exercise.methods)
    stub = stub.replace('NotImplementedError("TODO ', 'NotImplementedError("WITHHELD ')
    node = next(node for node in ast.parse(text).body if getattr(node, "name", "") == exercise.name)
    lines = text.splitlines(keepends=True)
    first = min(part.lineno for part in (node, *getattr(node, "decorator_list", ())))
    lines[first - 1 : node.end_lineno] = [stub]
    path.write_text("".join(lines), encoding="utf-8")
