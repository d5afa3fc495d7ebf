"""Measure over five seeds what lab 3 tells its students: python benchmarks/lab3_debiasing.py [--fresh]

Trains every arm of the lab's table with the code of the lab itself, by the functions that the solution notebook defines.
Writes course/labs/lab3_debiasing/benchmark.json, which the lab reads. Finished rows are kept in
benchmarks/results/lab3_debiasing.jsonl, so that the run may be stopped; --fresh measures everything again. About 20 minutes
on one core.
"""

import json
import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from course.data.faces import groups_of, is_rare
from course.debiasing import effective_sample_size
from course.grading.define import define
from course.grading.submission import read
from course.metrics import auroc

ROOT = Path(__file__).parent.parent
LAB = ROOT / "course" / "labs" / "lab3_debiasing"
KEPT = ROOT / "benchmarks" / "results" / "lab3_debiasing.jsonl"
SEEDS = range(5)
USED = (
    "SKEW", "EVEN", "draw", "encode_all", "train_detector", "resampling_probabilities", "latent_kl", "temper",
    "recall_by_group",
)  # fmt: skip
EQUAL_RATE = 0.1  # of false alarms, among the rare and among the others, at which the arms are compared a second time
STEPS = 600  # the budget of every detector in the lab
# arm -> (how faces are weighted, which set it is trained on[, steps])
ARMS = {
    "classifier": ("classifier", "tails"),
    "no resampling": ("none", "tails"),
    "max": ("max", "tails"),
    "max, weighted by KL": ("max_kl", "tails"),
    "product, tempered": ("product_kl", "tails"),
    "shuffled weights": ("shuffled", "tails"),
    "pixel PCA": ("pca", "tails"),
    "oracle (knows the tone)": ("oracle", "tails"),
    "skewed non-faces, no resampling": ("none", "both skewed"),
    "skewed non-faces, weighted by KL": ("max_kl", "both skewed"),
    "busy grounds, no resampling": ("none", "clutter"),
    "busy grounds, weighted by KL": ("max_kl", "clutter"),
    "turned heads, no resampling": ("none", "yaw"),
    "turned heads, weighted by KL": ("max_kl", "yaw"),
    "1,800 steps, no resampling": ("none", "tails", 1800),
    "1,800 steps, weighted by KL": ("max_kl", "tails", 1800),
}


def rows() -> list[dict]:
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []


def weigher(lab: dict, name: str, faces: Tensor, is_dark: Tensor, seed: int):
    """Return how an arm turns codes into probabilities; None draws all faces alike."""
    probabilities, kl, temper = (lab[f] for f in ("resampling_probabilities", "latent_kl", "temper"))
    shuffle = torch.Generator().manual_seed(seed)
    if name == "pca":
        torch.manual_seed(seed)
        pixels = faces.flatten(1) - faces.flatten(1).mean(0)
        fixed = probabilities(pixels @ torch.pca_lowrank(pixels, q=8, center=False, niter=4)[2])
        return lambda mu, logvar: fixed
    if name == "oracle":
        fixed = torch.where(is_dark, 0.5 / is_dark.sum(), 0.5 / (~is_dark).sum())
        return lambda mu, logvar: fixed

    def by_kl(mu: Tensor, logvar: Tensor) -> Tensor:
        return probabilities(mu, latent_weights=kl(mu, logvar))

    return {
        "classifier": None,
        "none": None,
        "max": lambda mu, logvar: probabilities(mu),
        "max_kl": by_kl,
        "product_kl": lambda mu, logvar: temper(
            probabilities(mu, combine="product", latent_weights=kl(mu, logvar) / kl(mu, logvar).max()), 0.25
        ),
        "shuffled": lambda mu, logvar: by_kl(mu, logvar)[torch.randperm(len(mu), generator=shuffle)],
    }[name]


def measure(lab: dict, arm: str, seed: int) -> dict:
    """Train one arm with one seed, and look at whom it recognises."""
    name, data, n = (*ARMS[arm], STEPS)[:3]
    attributes = list(lab["SKEW"]) if data in ("tails", "both skewed") else [data]
    skew = lab["SKEW"] if len(attributes) > 1 else {data: 0.05}
    even = {attribute: 0.5 for attribute in attributes}
    faces, factors = lab["draw"](6000, 10 * seed + 1, skew)
    others, _ = lab["draw"](6000, 10 * seed + 2, skew if data == "both skewed" else even, faces=False)
    tests, test_factors = lab["draw"](4000, 10 * seed + 3, even)
    negatives, negative_factors = lab["draw"](4000, 10 * seed + 4, even, faces=False)
    rare, groups = is_rare(factors, attributes[0]), groups_of(test_factors, attributes)[0]
    started = time.perf_counter()
    weigh = weigher(lab, name, faces, rare, seed)
    model, p = lab["train_detector"](faces, others, weigh, describe=name != "classifier", n=n, seed=seed)
    seconds = time.perf_counter() - started

    found, false = lab["encode_all"](model, tests)[0], lab["encode_all"](model, negatives)[0]
    codes = lab["encode_all"](model, faces)[1:]
    negative_rare, test_rare = is_rare(negative_factors, attributes[0]), is_rare(test_factors, attributes[0])
    # A threshold for the rare and one for the others, so that a bar that was lowered for the rare alone gains nothing.
    of_rare, of_others = (false[chosen].quantile(1 - EQUAL_RATE) for chosen in (negative_rare, ~negative_rare))
    at_rate = found > torch.where(test_rare, of_rare, of_others)
    # What one can measure without knowing any group: a fresh set drawn like the training set.
    validation = lab["encode_all"](model, lab["draw"](1000, 10 * seed + 5, skew)[0])[0]
    false_alarms = lab["encode_all"](model, lab["draw"](1000, 10 * seed + 6, even, faces=False)[0])[0]
    n_groups = 2 ** len(attributes)
    kept = torch.cat([found[test_rare], false[negative_rare]])
    is_face = torch.arange(len(kept)) < int(test_rare.sum())

    def rounded(values: Tensor) -> list[float]:
        return [round(value, 4) for value in values.tolist()]

    recall = lab["recall_by_group"](found > 0, groups, n_groups)
    false_rate = (false > 0).float().mean().item()
    return {
        "arm": arm,
        "seed": seed,
        "recall": rounded(recall),
        "recall_at_equal_alarms": rounded(lab["recall_by_group"](at_rate, groups, n_groups)),
        "false_positives": [
            round((false[chosen] > 0).float().mean().item(), 4) for chosen in (~negative_rare, negative_rare)
        ],
        "balanced_accuracy": round((recall.mean().item() + 1 - false_rate) / 2, 4),
        "auroc_of_the_rare": round(auroc(kept, is_face), 4),
        "validation_accuracy": round(((validation > 0).float().mean() + (false_alarms <= 0).float().mean()).item() / 2, 4),
        "effective_share": round(effective_sample_size(p) / len(p), 4),
        "drawn_rare": round(p[rare].sum().item(), 4),
        # What the rare ones would get by the codes that the trained detector gives: known without a second training.
        "rare_would_get": round(weigher(lab, "max_kl", faces, rare, seed)(*codes)[rare].sum().item(), 4),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    KEPT.parent.mkdir(exist_ok=True)
    if "--fresh" in sys.argv:
        KEPT.unlink(missing_ok=True)
    console = Console()
    torch.set_num_threads(1)
    lab = define(read(ROOT / "solutions" / "lab3_debiasing.ipynb").cells, USED, {}).namespace
    have = {(row["arm"], row["seed"]) for row in rows()}
    jobs = [(arm, seed) for arm in ARMS for seed in SEEDS if (arm, seed) not in have]
    for arm, seed in track(jobs, "arms", console=console):
        with KEPT.open("a") as file:
            file.write(json.dumps(measure(lab, arm, seed)) + "\n")
    done = sorted(rows(), key=lambda row: (list(ARMS).index(row["arm"]), row["seed"]))
    content = {"command": "python benchmarks/lab3_debiasing.py", "torch": torch.__version__, "rows": done}
    (LAB / "benchmark.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    table = Table("arm", "worst recall", "at equal alarms", "balanced accuracy", "effective", "rare drawn")
    for arm in ARMS:
        mine = [row for row in done if row["arm"] == arm]
        worst = [min(row["recall"]) for row in mine]
        columns = (
            worst,
            [min(row["recall_at_equal_alarms"]) for row in mine],
            *([row[c] for row in mine] for c in ("balanced_accuracy", "effective_share", "drawn_rare")),
        )
        table.add_row(arm, *(f"{sum(column) / len(column):.3f}" for column in columns))
    console.print(table)


if __name__ == "__main__":
    main()
