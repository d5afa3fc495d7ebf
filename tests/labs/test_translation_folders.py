"""Lab 5 on pictures from a folder: its source, with its two arguments changed, runs on both layouts."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
FOLDERS = {"facades": {"train": 64, "val": 64}, "horse2zebra": {"trainA": 32, "trainB": 32, "testA": 32, "testB": 32}}


def run_with(dataset: str, folder: Path, place: Path) -> subprocess.CompletedProcess:
    source = (ROOT / "course/labs/lab5_translation/lab.py").read_text(encoding="utf-8")
    changed = source.replace('DATASET = "scenes"', f'DATASET = "{dataset}"')
    changed = changed.replace('= "data/facades"', f"= {str(folder)!r}")
    assert changed.count(f'DATASET = "{dataset}"') == changed.count(repr(str(folder))) == 1
    (place / "lab.py").write_text(changed, encoding="utf-8")
    environment = {**os.environ, "COURSE_REDUCED": "1", "MPLBACKEND": "Agg"}
    return subprocess.run(
        [sys.executable, "lab.py"], cwd=place, env=environment, capture_output=True, text=True, timeout=800
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "says"), [("facades", "facades: {'PSNR'"), ("horse2zebra", "horse2zebra: 6 pictures in heap A")]
)
def test_the_lab_runs_on_a_folder(dataset: str, says: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, width in FOLDERS[dataset].items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(rng.integers(0, 256, (32, width, 3), np.uint8)).save(tmp_path / "set" / name / f"{number}.png")
    result = run_with(dataset, tmp_path / "set", tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    assert says in result.stdout
