"""Measure lab 4's tables over five seeds: python benchmarks/lab4_gans.py

The ring, plain and with R1, with two momenta; and the faces, plain and with R1, with the rounds of a run on a CPU. Uses the
functions of the lab's solution, with the lab's own networks and rounds, on one thread. Writes
course/labs/lab4_gans/benchmark.json after each run, so that it may be stopped and started again; --fresh measures anew.
"""

import json
import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from course.authoring.build import build
from course.grading.define import define
from course.training import seed_everything

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "course" / "labs" / "lab4_gans" / "benchmark.json"
RING_ROUNDS, FACE_ROUNDS, SEEDS = 3000, 2000, range(5)
RING = [{"beta1": beta1, "gamma": gamma, "seed": seed} for beta1 in (0.9, 0.5) for gamma in (0.0, 0.1) for seed in SEEDS]
FACES = [{"gamma": gamma, "seed": seed} for seed in SEEDS for gamma in (1.0, 0.0)]


def measure_ring(lab: dict, job: dict) -> dict:
    """Train one GAN on the ring; count the modes it found."""
    _, album = lab["train_ring"](**job, n=RING_ROUNDS)
    modes, near = lab["modes_found"](album[-1])
    return {"modes": modes, "near": round(near, 3)}


def measure_faces(lab: dict, job: dict) -> dict:
    """Train one GAN of faces; measure its distance at several rounds, and what it draws in the end."""
    seed_everything(job["seed"])
    look = lab["with_labels"](lab["noise"](2000, 64), lab["asked"])
    _, album = lab["train_faces"](n=FACE_ROUNDS, look=look, **job)
    distances = {str(played): round(lab["image_distance"](images), 1) for played, images in album.items()}
    found = lab["found_in"](album[max(album)])
    return {"distances": distances, **{name: round(value, 3) for name, value in found.items()}}


def main() -> None:
    torch.set_num_threads(1)
    used = ("train_ring", "modes_found", "train_faces", "with_labels", "noise", "asked", "image_distance", "found_in")
    cells = [cell.source for cell in build("lab4_gans").solution.cells if cell.cell_type == "code"]
    lab = define(cells, (*used, "train_images"), {}).namespace
    floor = round(lab["image_distance"](lab["train_images"][:2000]), 2)
    kept = json.loads(KEPT.read_text()) if KEPT.exists() and "--fresh" not in sys.argv else {}
    console = Console()
    for part, jobs, measure in (("ring", RING, measure_ring), ("faces", FACES, measure_faces)):
        rows = kept.setdefault(part, [])
        todo = [job for job in jobs if not any(job.items() <= row.items() for row in rows)]
        for job in track(todo, part, console=console):
            started = time.perf_counter()
            rows.append({**job, **measure(lab, job), "seconds": round(time.perf_counter() - started, 1)})
            rows.sort(key=lambda row: next(i for i, job in enumerate(jobs) if job.items() <= row.items()))
            about = {"command": "python benchmarks/lab4_gans.py", "torch": torch.__version__}
            rounds = {"ring_rounds": RING_ROUNDS, "face_rounds": FACE_ROUNDS, "floor": floor}
            content = {**about, **rounds, "ring": kept["ring"], "faces": kept.get("faces", [])}
            KEPT.write_text(json.dumps(content, indent=1) + "\n")
        for row in rows:
            console.print(row)


if __name__ == "__main__":
    main()
