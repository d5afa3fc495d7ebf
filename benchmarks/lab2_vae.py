"""Measure over five seeds what lab 2 tells its students: python benchmarks/lab2_vae.py [--fresh]

Two things, with the code of the lab itself: the β sweep on blobs (its table, and the ablation with equal ranges), by the
functions that the solution notebook defines; and the numbers behind the bars at its end, by running lab.py once a seed.
Writes course/labs/lab2_vae/benchmark.json, which the lab reads. Finished rows are kept in benchmarks/results/lab2_vae.jsonl,
so that the run may be stopped; --fresh measures everything again. About 25 minutes on one core.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import torch
from bars import SEEDS, measure_bars
from rich.console import Console
from rich.progress import track
from rich.table import Table

from course.grading.define import define
from course.grading.submission import read

ROOT = Path(__file__).parent.parent
LAB = ROOT / "course" / "labs" / "lab2_vae"
KEPT = ROOT / "benchmarks" / "results" / "lab2_vae.jsonl"
BETAS = (0, 1, 4, 8, 16)
EQUAL = (-0.6, 0.6)  # the range that the ablation gives to y as well


def rows() -> list[dict]:
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []


def keep(row: dict) -> None:
    with KEPT.open("a") as file:
        file.write(json.dumps(row) + "\n")


def measure_beta(lab: dict, kind: str, beta: int, seed: int) -> dict:
    """Train one model on blobs by the lab's own functions, and score it."""
    ranges = {} if kind == "sweep" else {"y": EQUAL}
    images, _ = lab["blobs"](20_000, seed=1, **ranges)
    tests, factors = lab["blobs"](5_000, seed=2, **ranges)
    started = time.perf_counter()
    model, _ = lab["train_vae"](images, latent_dim=6, beta=float(beta), n=6000, seed=seed)
    seconds = time.perf_counter() - started
    with torch.no_grad():
        mu, logvar = model.encode(tests)
        logits = model.decode(mu)
    error = (logits.sigmoid() - tests).square().sum(dim=(1, 2, 3)).mean().item()
    return {
        "kind": kind,
        "beta": beta,
        "seed": seed,
        "mig": round(lab["mutual_information_gap"](mu, factors), 4),
        "squared_error": round(error, 4),
        "kl": round(lab["gaussian_kl"](mu, logvar).mean().item(), 3),
        "seconds": round(seconds, 1),
    }


def write(done: list[dict]) -> None:
    """Write what the lab reads."""
    columns = ("beta", "seed", "mig", "squared_error", "kl")
    runs = {
        name: sorted(
            ({c: row[c] for c in columns} for row in done if row["kind"] == kind), key=lambda r: (r["beta"], r["seed"])
        )
        for name, kind in (("sweep", "sweep"), ("equal_ranges", "equal"))
    }
    bars = {row["seed"]: row["values"] for row in done if row["kind"] == "bars"}
    content = {"command": "python benchmarks/lab2_vae.py", "torch": torch.__version__, **runs, "bars": bars}
    (LAB / "benchmark.json").write_text(json.dumps(content, indent=1) + "\n")


def main() -> None:
    KEPT.parent.mkdir(exist_ok=True)
    if "--fresh" in sys.argv:
        KEPT.unlink(missing_ok=True)
    console = Console()
    torch.set_num_threads(1)
    used = ("blobs", "train_vae", "gaussian_kl", "mutual_information_gap")
    lab = define(read(ROOT / "solutions" / "lab2_vae.ipynb").cells, used, {}).namespace
    jobs = [("sweep", beta, seed) for seed in SEEDS for beta in BETAS] + [("equal", 8, seed) for seed in SEEDS]
    have = {(row["kind"], row.get("beta"), row["seed"]) for row in rows()}
    for kind, beta, seed in track([job for job in jobs if job not in have], "β sweep", console=console):
        keep(measure_beta(lab, kind, beta, seed))
    write(rows())
    for seed in track([seed for seed in SEEDS if ("bars", None, seed) not in have], "whole lab", console=console):
        keep({"kind": "bars", **measure_bars("lab2_vae", seed)})
    done = rows()
    write(done)
    table = Table("what", *(f"seed {seed}" for seed in SEEDS), "mean")
    for kind, beta in [*(("sweep", beta) for beta in BETAS), ("equal", 8)]:
        found = {row["seed"]: row for row in done if (row["kind"], row.get("beta")) == (kind, beta)}
        for name in ("mig", "squared_error"):
            values = [found[seed][name] for seed in SEEDS]
            label = f"{name}, β = {beta}" + (", equal ranges" if kind == "equal" else "")
            table.add_row(label, *(f"{value:.3f}" for value in values), f"{statistics.mean(values):.3f}")
    bars = {row["seed"]: row["values"] for row in done if row["kind"] == "bars"}
    for name in bars[0]:
        values = [bars[seed][name] for seed in SEEDS]
        table.add_row(name, *(f"{value:.3g}" for value in values), f"{statistics.mean(values):.3g}")
    console.print(table)


if __name__ == "__main__":
    main()
