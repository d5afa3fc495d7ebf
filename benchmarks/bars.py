"""Measure over five seeds the numbers that a lab's bars look at: python benchmarks/bars.py LAB

Runs the lab's source once a seed, and writes benchmarks/results/bars_LAB.json after each, so that it may be stopped and
started again; delete that file to measure everything anew.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).parent.parent
SEEDS = range(5)


def measure_bars(lab: str, seed: int) -> dict:
    """Run the whole lab with one seed; return its seconds and its numbers by name."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bars"
        environment = {**os.environ, "COURSE_SEED": str(seed), "COURSE_BARS": str(file), "MPLBACKEND": "Agg"}
        started = time.perf_counter()
        source = ROOT / "course" / "labs" / lab / "lab.py"
        subprocess.run([sys.executable, source], env=environment, check=True, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - started
        values = {row["name"]: row["value"] for row in map(json.loads, file.read_text().splitlines())}
    return {"seed": seed, "seconds": round(seconds, 1), "values": values}


def table(title: str, runs: list[dict]) -> Table:
    """Show the numbers of runs as a table, a column a seed."""
    shown = Table(title, *(f"seed {run['seed']}" for run in runs), "mean")
    rows = {name: [run["values"][name] for run in runs] for name in runs[0]["values"]}
    for name, values in {**rows, "seconds": [run["seconds"] for run in runs]}.items():
        shown.add_row(name, *(f"{value:.3g}" for value in values), f"{statistics.mean(values):.3g}")
    return shown


def main() -> None:
    if len(sys.argv) != 2 or not (ROOT / "course" / "labs" / sys.argv[1] / "lab.py").exists():
        sys.exit(__doc__)
    lab, console = sys.argv[1], Console()
    kept = ROOT / "benchmarks" / "results" / f"bars_{lab}.json"
    runs = json.loads(kept.read_text())["runs"] if kept.exists() else []
    for seed in track([seed for seed in SEEDS if seed not in {run["seed"] for run in runs}], lab, console=console):
        runs.append(measure_bars(lab, seed))
        content = {"command": f"python benchmarks/bars.py {lab}", "runs": sorted(runs, key=lambda run: run["seed"])}
        kept.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    console.print(table(lab, runs))


if __name__ == "__main__":
    main()
