"""How many images a second the renderers draw, and how many times as many as a loop that draws one at a time.

Run: python benchmarks/data.py. Rates depend on the machine; the ratios, both sides of one run, much less.
"""

import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from course.data.faces import NON_FACES, sample_faces
from course.data.glyphs import sample_glyphs
from course.data.sprites import sample_blobs, sample_sprites

CASES: dict[str, tuple[Callable[[int], object], int]] = {  # name -> how to draw n images, n
    "sprites 32 x 32": (lambda n: sample_sprites(n, size=32), 4096),
    "sprites 64 x 64": (lambda n: sample_sprites(n, size=64), 1024),
    "blobs 32 x 32": (lambda n: sample_blobs(n, size=32), 4096),
    "faces 32 x 32": (lambda n: sample_faces(n, size=32), 4096),
    "faces 64 x 64": (lambda n: sample_faces(n, size=64), 1024),
    "non-faces 32 x 32": (lambda n: sample_faces(n, size=32, kinds=NON_FACES), 4096),
    "glyphs 28 x 28": (lambda n: sample_glyphs(n, size=28), 4096),
}


def rate(draw: Callable[[int], object], batch: int, images: int, repeats: int = 5) -> float:
    """Measure images per second, in the repeat that other work on the machine disturbed least."""
    draw(batch)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(images // batch):
            draw(batch)
        times.append(time.perf_counter() - start)
    return images / min(times)


table = Table(title=f"Rendered data, {torch.get_num_threads()} CPU threads, torch {torch.__version__}")
for heading in ("data", "images/s", "one at a time", "ratio"):
    table.add_column(heading, justify="left" if heading == "data" else "right")
for name, (draw, n) in CASES.items():
    batched, single = rate(draw, batch=n, images=n), rate(draw, batch=1, images=200)
    table.add_row(name, f"{batched:,.0f}", f"{single:,.0f}", f"{batched / single:.0f} x")
Console().print(table)
