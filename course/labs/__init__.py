"""The labs: for each one its source, the probes that look at a student's object, and the checks that judge it."""

import re
import shlex
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files

from course.checks.exercise import Entry, Exercise, Lab, Question

_CELL = re.compile(
    r"^# %% (?P<kind>exercise|question)(?P<options>.*)\n"
    r"(?:from (?P<module>[\w.]+) import )?(?P<name>\w+)",
    re.MULTILINE,
)
_TITLE = re.compile(r"^# (?P<title>[^#%\s].*)$", re.MULTILINE)


@dataclass(frozen=True)
class Marked:
    """An exercise or question cell of a lab's source: its marker's options, the name and the module it comes from."""

    kind: str
    name: str
    module: str
    options: dict[str, str]


def lab_names() -> list[str]:
    """List the labs, in the order of their names."""
    return sorted(entry.name for entry in files(__name__).iterdir() if entry.is_dir() and entry.joinpath("lab.py").is_file())


def lab_source(name: str) -> str:
    """Return the text of a lab's lab.py. Raises ValueError if there is no such lab."""
    if name not in lab_names():
        raise ValueError(f"There is no lab {name!r}. There are: {', '.join(lab_names())}.")
    return files(__name__).joinpath(name).joinpath("lab.py").read_text(encoding="utf-8")


def lab_title(source: str) -> str:
    """Return a lab's title: the first heading of its source. Raises ValueError if it has none."""
    found = _TITLE.search(source.split('r"""', 1)[-1].split('"""', 1)[0])
    if not found:
        raise ValueError("the lab's first markdown cell must begin with a '# title'")
    return found["title"].strip()


def marked_cells(source: str) -> list[Marked]:
    """List the exercise and question cells of a lab's source, in order."""
    return [
        Marked(
            found["kind"],
            found["name"],
            found["module"] or "",
            dict(option.split("=", 1) for option in shlex.split(found["options"])),
        )
        for found in _CELL.finditer(source)
    ]


def load(name: str) -> Lab:
    """Load a lab with its checks. Raises ValueError if there is no such lab, or if its cells and its checks disagree."""
    source = lab_source(name)
    checks = import_module(f"{__name__}.{name}.checks")
    listed: list[Exercise | Question] = checks.ITEMS
    items = {item.name: item for item in listed}
    cells = marked_cells(source)
    in_cells, in_checks = Counter(cell.name for cell in cells), Counter(item.name for item in listed)
    odd = (in_cells - in_checks) | (in_checks - in_cells)
    if odd:
        raise ValueError(f"lab.py and checks.py of {name} disagree about {', '.join(sorted(odd))}")
    for cell in cells:
        if not {"points", "minutes"} <= set(cell.options):
            raise ValueError(f"the cell of {cell.name} in {name} needs points=... and minutes=...")
    entries = {
        cell.name: Entry(
            items[cell.name],
            points=int(cell.options["points"]),
            minutes=int(cell.options["minutes"]),
            difficulty=int(cell.options.get("difficulty", 1)),
        )
        for cell in cells
    }
    return Lab(name, lab_title(source), entries, getattr(checks, "TOLERANCE", (0.0, 0.0)))


def start(name: str) -> None:
    """Open a lab in this notebook: check, hint and progress speak of it from now on."""
    from course.checks.session import open_session
    from course.training import pick_device

    session = open_session(load(name))
    entries = session.lab.entries.values()
    minutes = sum(entry.minutes for entry in entries)
    print(
        f"{session.lab.title}: {len(entries)} exercises, {sum(entry.points for entry in entries)} points, "
        f"about {minutes} minutes. Models train on: {pick_device().type}."
    )
