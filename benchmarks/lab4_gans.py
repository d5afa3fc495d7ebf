"""Measure lab 4's table: the ring over five seeds, plain and with R1, with two momenta: python benchmarks/lab4_gans.py

Uses the functions of the executed solution notebook, with the lab's own networks and rounds. Writes
course/labs/lab4_gans/benchmark.json after each run, so that it may be stopped and started again; --fresh measures anew.
"""

import json
import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from course.grading.define import define
from course.grading.submission import read

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "course" / "labs" / "lab4_gans" / "benchmark.json"
ROUNDS, SEEDS = 3000, range(5)
SETTINGS = [(beta1, gamma) for beta1 in (0.9, 0.5) for gamma in (0.0, 0.1)]


def main() -> None:
    torch.set_num_threads(1)
    used = ("train_ring", "modes_found")
    lab = define(read(ROOT / "solutions" / "lab4_gans.ipynb").cells, used, {}).namespace
    rows = json.loads(KEPT.read_text())["ring"] if KEPT.exists() and "--fresh" not in sys.argv else []
    done = {(row["beta1"], row["gamma"], row["seed"]) for row in rows}
    jobs = [(beta1, gamma, seed) for beta1, gamma in SETTINGS for seed in SEEDS]
    console = Console()
    for beta1, gamma, seed in track([job for job in jobs if job not in done], "ring", console=console):
        started = time.perf_counter()
        _, album = lab["train_ring"](seed, gamma=gamma, beta1=beta1, n=ROUNDS)
        modes, near = lab["modes_found"](album[-1])
        seconds = round(time.perf_counter() - started, 1)
        rows.append(
            {"beta1": beta1, "gamma": gamma, "seed": seed, "modes": modes, "near": round(near, 3), "seconds": seconds}
        )
        rows.sort(key=lambda row: jobs.index((row["beta1"], row["gamma"], row["seed"])))
        content = {"command": "python benchmarks/lab4_gans.py", "torch": torch.__version__, "rounds": ROUNDS, "ring": rows}
        KEPT.write_text(json.dumps(content, indent=1) + "\n")
    for row in rows:
        console.print(row)


if __name__ == "__main__":
    main()
