"""Measure over five seeds what lab 5 tells its students: python benchmarks/lab5_translation.py [--fresh]

Trains every arm of the lab's tables by the functions that the solution notebook defines, with one thread, and scores it on
500 true pairs. Writes course/labs/lab5_translation/benchmark.json, which the lab reads. Finished rows are kept in
benchmarks/results/lab5_translation.jsonl, so that the run may be stopped; --fresh measures everything again. About half an
hour on one core.
"""

import json
import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from course.data.scenes import (
    CLASSES,
    FACTORS,
    NIGHT_WALLS,
    WALLS,
    label_maps,
    render_scenes,
    sample_scenes,
    sample_unpaired,
    street_layers,
)
from course.grading.define import define
from course.grading.submission import read
from course.networks import small_translator
from course.training import seed_everything

ROOT = Path(__file__).parent.parent
LAB = ROOT / "course" / "labs" / "lab5_translation"
KEPT = ROOT / "benchmarks" / "results" / "lab5_translation.jsonl"
SEEDS = range(5)
USED = (
    "scores", "one_hot_labels", "new_unet", "train_by_distance", "train_pix2pix", "translate", "by_class_means",
    "wall_colours", "nearest_wall", "wall_distance", "baselines", "train_cyclegan",
)  # fmt: skip
COLOUR_COLUMNS = [FACTORS.index(f"house{i}_colour") for i in (0, 1)]  # columns of a scene
CYCLEGAN_STEPS, PAIRED_STEPS = 1500, 4000  # as in the lab on a CPU
# arm -> night walls, cycle weight, identity weight
CYCLEGANS = {
    "CycleGAN": ("related", 10.0, 5.0),
    "unrelated walls, no identity loss": ("unrelated", 10.0, 0.0),
    "cycle weight 0": ("related", 0.0, 5.0),
    "unrelated walls, identity loss": ("unrelated", 10.0, 5.0),
}
ARMS = (
    "no training", "CycleGAN", "unrelated walls, no identity loss", "cycle weight 0", "the same generator on pairs",
    "labels, L1 alone", "labels, L1 and a judge", "unrelated walls, identity loss", "edges, L1 and a judge",
)  # fmt: skip


def rows() -> list[dict]:
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def painted_as(lab: dict, images: Tensor, scenes: Tensor, palette: tuple) -> list[list[float]]:
    """Count for each true wall colour (a row) the share of houses painted in each colour (a column)."""
    which = lab["nearest_wall"](lab["wall_colours"](images, scenes), palette)[1]
    true = scenes[:, COLOUR_COLUMNS].T.flatten().long()
    counts = torch.bincount(4 * true + which, minlength=16).reshape(4, 4)
    return [[round(share, 3) for share in row] for row in (counts / counts.sum(dim=1, keepdim=True)).tolist()]


def by_part(made: Tensor, truth: Tensor, scenes: Tensor) -> dict[str, float]:
    """Say how large the error is on the pixels of each class: a mapping may go wrong elsewhere than on the walls."""
    labels, error = label_maps(scenes), (made - truth).abs().mean(dim=1)
    return {name: round(error[labels == number].mean().item(), 4) for number, name in enumerate(CLASSES)}


def way_back(lab: dict, G_ba: nn.Module, there: Tensor, source: Tensor, seed: int) -> list[float]:
    """Map night pictures back, with no noise, a little and more: the PSNR to the day that they came from."""
    noise = torch.randn(there.shape, generator=torch.Generator().manual_seed(seed))
    return [round(lab["scores"](lab["translate"](G_ba, there + sd * noise), source)["PSNR"], 3) for sd in (0.0, 0.05, 0.1)]


def wrong_houses(lab: dict, G_ba: nn.Module, made: Tensor, scenes: Tensor, seed: int) -> dict:
    """Of the houses painted in a wrong night colour, count how many come back in the colour that they have by day.

    The controls hold nothing that G_ab may have left there: true nights in which each wall has the colour that it was taken
    for, and true nights in which it has exactly the shade that was painted. Each without noise, with a little and with more.
    """
    night, palette = NIGHT_WALLS["related"], torch.tensor(NIGHT_WALLS["related"])
    shades = lab["wall_colours"](made, scenes)
    which = lab["nearest_wall"](shades, night)[1]
    true = scenes[:, COLOUR_COLUMNS].T.flatten().long()
    as_painted = scenes.clone()
    as_painted[:, COLOUR_COLUMNS] = which.reshape(2, -1).T.float()
    clean = render_scenes(as_painted, "night")
    shares: list[Tensor] = []  # of each pixel, what a wall contributes to its colour
    for layer in street_layers(scenes, made.shape[-1]):
        shares = [share * (1 - layer.mask) for share in shares] + ([layer.mask] if layer.kind == "wall" else [])
    change = 2 * (shades - palette[which]).reshape(2, -1, 3, 1, 1)
    shaded = clean + sum(share[:, None] * by for share, by in zip(shares, change, strict=True))
    noise = torch.randn(made.shape, generator=torch.Generator().manual_seed(seed))

    def come_back(nights: Tensor) -> list[float]:
        days = [lab["translate"](G_ba, nights + sd * noise) for sd in (0.0, 0.05, 0.1)]
        found = [lab["nearest_wall"](lab["wall_colours"](day, scenes))[1] for day in days]
        return [round((back == true)[which != true].float().mean().item(), 3) for back in found]

    pictures = {"its own nights": made, "true nights, that shade": shaded, "true nights, that colour": clean}
    return {"count": (which != true).sum().item(), **{name: come_back(nights) for name, nights in pictures.items()}}


def measure(lab: dict, arm: str, seed: int) -> dict:
    """Train one arm with one seed, and score it."""
    torch.set_num_threads(1)
    tests = sample_scenes(500, torch.Generator().manual_seed(1000 + seed))
    started = time.process_time()
    found = (measure_cyclegan if arm in CYCLEGANS else measure_pairs)(lab, arm, seed, tests)
    return {"arm": arm, "seed": seed, **found, "cpu_seconds": round(time.process_time() - started, 1)}


def measure_cyclegan(lab: dict, arm: str, seed: int, tests: Tensor) -> dict:
    walls, cycle_weight, identity_weight = CYCLEGANS[arm]
    scenes_a, scenes_b = sample_unpaired(4000, torch.Generator().manual_seed(10 * seed + 2))
    a, b = render_scenes(scenes_a, "day"), render_scenes(scenes_b, "night", night_walls=walls)
    day, night = render_scenes(tests, "day"), render_scenes(tests, "night", night_walls=walls)
    G_ab, G_ba, history = lab["train_cyclegan"](a, b, CYCLEGAN_STEPS, seed, cycle_weight, identity_weight)
    made, back = lab["translate"](G_ab, day), lab["translate"](G_ba, night)
    return {
        **rounded(lab["scores"](made, night)),
        "night_to_day": rounded(lab["scores"](back, day)),
        "walls": round(lab["wall_distance"](made, tests, NIGHT_WALLS[walls]), 4),
        "painted": painted_as(lab, made, tests, NIGHT_WALLS[walls]),
        "painted_by_day": painted_as(lab, back, tests, WALLS),
        "error_by_part": by_part(made, night, tests),
        "cycle_error": round((lab["translate"](G_ba, made) - day).abs().mean().item(), 4),
        "training_parts": {name: round(sum(values[-200:]) / 200, 4) for name, values in history.items()},
        "way_back": way_back(lab, G_ba, made, day, seed),
        "way_back_from_true_nights": way_back(lab, G_ba, night, day, seed),
        **({"wrong_houses": wrong_houses(lab, G_ba, made, tests, seed)} if arm == "CycleGAN" else {}),
    }


def measure_pairs(lab: dict, arm: str, seed: int, tests: Tensor) -> dict:
    """Measure an arm that has pairs, or all that need no training."""
    day, night = render_scenes(tests, "day"), render_scenes(tests, "night")
    if arm == "no training":
        scenes_a, scenes_b = sample_unpaired(4000, torch.Generator().manual_seed(10 * seed + 2))
        counterparts = render_scenes(scenes_a, "night")
        simple = lab["baselines"](day, render_scenes(scenes_a, "day"), render_scenes(scenes_b, "night"), counterparts)
        scenes = sample_scenes(2000, torch.Generator().manual_seed(10 * seed + 1))
        labels = lab["one_hot_labels"]
        means = lab["by_class_means"](labels(scenes), render_scenes(scenes, "day"), labels(tests))
        walls = round(lab["wall_distance"](means, tests), 4)
        return {
            "to_night": {name: rounded(lab["scores"](made, night)) for name, made in simple.items()},
            "class_means": {**rounded(lab["scores"](means, day)), "walls": walls},
        }
    if arm == "the same generator on pairs":
        scenes = sample_unpaired(4000, torch.Generator().manual_seed(10 * seed + 2))[0]
        seed_everything(seed)
        G = small_translator(3, 3)
        lab["train_by_distance"](G, render_scenes(scenes, "day"), render_scenes(scenes, "night"), CYCLEGAN_STEPS, seed)
        return rounded(lab["scores"](lab["translate"](G, day), night))
    scenes = sample_scenes(2000, torch.Generator().manual_seed(10 * seed + 1))

    def conditions(scenes: Tensor) -> Tensor:
        return render_scenes(scenes, "edges") if arm.startswith("edges") else lab["one_hot_labels"](scenes)

    G = lab["new_unet"](conditions(tests).shape[1], seed)
    train = lab["train_pix2pix" if arm.endswith("judge") else "train_by_distance"]
    train(G, conditions(scenes), render_scenes(scenes, "day"), PAIRED_STEPS, seed)
    made = lab["translate"](G, conditions(tests))
    return {
        **rounded(lab["scores"](made, day)),
        "walls": round(lab["wall_distance"](made, tests), 4),
        "painted": painted_as(lab, made, tests, WALLS),
    }


def main() -> None:
    KEPT.parent.mkdir(exist_ok=True)
    if "--fresh" in sys.argv:
        KEPT.unlink(missing_ok=True)
    console = Console()
    lab = define(read(ROOT / "solutions" / "lab5_translation.ipynb").cells, USED, {}).namespace
    lab["device"] = torch.device("cpu")
    have = {(row["arm"], row["seed"]) for row in rows()}
    jobs = [(arm, seed) for arm in ARMS for seed in SEEDS if (arm, seed) not in have]
    for arm, seed in track(jobs, "arms", console=console):
        with KEPT.open("a") as file:
            file.write(json.dumps(measure(lab, arm, seed)) + "\n")
    done = sorted(rows(), key=lambda row: (ARMS.index(row["arm"]), row["seed"]))
    content = {"command": "python benchmarks/lab5_translation.py", "torch": torch.__version__, "rows": done}
    (LAB / "benchmark.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    table = Table("arm", "PSNR", "SSIM", "L1", "walls", "CPU seconds")
    for arm in ARMS[1:]:
        mine = [row for row in done if row["arm"] == arm]
        columns = ([row.get(name, float("nan")) for row in mine] for name in ("PSNR", "SSIM", "L1", "walls", "cpu_seconds"))
        table.add_row(arm, *(f"{sum(column) / len(column):.3f}" for column in columns))
    console.print(table)


if __name__ == "__main__":
    main()
