"""The labs on real images: their source, with the one argument changed, runs on Fashion-MNIST."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("COURSE_DATA", ROOT.parent / "shared" / "data"))
MISSING = "Fashion-MNIST is not at hand; COURSE_DATA names its folder"


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "FashionMNIST" / "raw").is_dir(), reason=MISSING)
@pytest.mark.parametrize(
    ("lab", "default", "says"),
    [("lab1_autoencoders", "glyphs", "fashion_mnist: D = 2"), ("lab2_vae", "sprites", "fashion_mnist: test −ELBO")],
)
def test_a_lab_runs_on_fashion_mnist(lab: str, default: str, says: str, tmp_path: Path):
    source = (ROOT / "course/labs" / lab / "lab.py").read_text(encoding="utf-8")
    changed = source.replace(f'DATASET = "{default}"', 'DATASET = "fashion_mnist"').replace('= "data"', f"= {str(DATA)!r}")
    assert source.count(f'DATASET = "{default}"') == changed.count(repr(str(DATA))) == 1
    (tmp_path / "lab.py").write_text(changed, encoding="utf-8")
    environment = {**os.environ, "COURSE_REDUCED": "1", "MPLBACKEND": "Agg"}
    result = subprocess.run(
        [sys.executable, "lab.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert says in result.stdout
