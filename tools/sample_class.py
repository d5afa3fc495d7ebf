"""Write the sample class's notebooks: `python tools/sample_class.py FOLDER LAB`.

samples/LAB/STUDENT.py says how a student's notebook differs from the untouched one, the solution, or an empty one: cells
marked `# %% exercise: NAME` take the place of that exercise's cell, others come at the end.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
CELL = re.compile(r"^# %%(?: exercise: (?P<name>\w+))?$\n", re.MULTILINE)
STARTS = {"student": "notebooks", "solution": "solutions"}


def main() -> None:
    folder, lab = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "samples" / lab).glob("*.py")):
        text = path.read_text(encoding="utf-8")
        start = re.match(r"# start: (\w+)\n", text)
        if start is None:
            sys.exit(f"{path} must begin with '# start: ' and student, solution, empty or file")
        target = folder / f"{path.stem}.ipynb"
        target.write_text(text if start[1] == "file" else nbformat.writes(notebook(text, start[1], lab)), encoding="utf-8")


def notebook(text: str, start: str, lab: str) -> NotebookNode:
    """Return the notebook of one student."""
    base = nbformat.read(ROOT / STARTS[start] / f"{lab}.ipynb", as_version=4) if start in STARTS else new_notebook()
    for cell in base.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    pieces = CELL.split(text)[1:]
    for name, source in zip(pieces[::2], pieces[1::2], strict=True):
        if name is None:
            base.cells.append(new_code_cell(source.strip()))
        else:
            next(cell for cell in base.cells if cell.get("id") == name).source = f"# exercise: {name}\n{source.strip()}"
    return base


if __name__ == "__main__":
    main()
