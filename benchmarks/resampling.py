"""How many times as fast as a loop over latents in numpy the resampling probabilities are, at N = 100,000 and 100 latents.

Run: python benchmarks/resampling.py. Times depend on the machine; the ratio, both sides of one run, much less.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from course.debiasing import resampling_probabilities

N, LATENTS, BINS, SMOOTHING = 100_000, 100, 10, 1e-3


def usual_loop(mu: np.ndarray) -> np.ndarray:
    """Combine the latents by the largest, as is usual: a histogram, a look-up and a division for each, in numpy."""
    combined = np.zeros(len(mu))
    for column in mu.T:
        counts, edges = np.histogram(column, bins=BINS)
        q = counts / len(column) + SMOOTHING
        edges[0], edges[-1] = -np.inf, np.inf
        p = 1 / (q / q.sum())[np.digitize(column, edges) - 1]
        combined = np.maximum(combined, p)
    return combined / combined.sum()


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Measure the repeat that other work on the machine disturbed least."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


mu = torch.randn(N, LATENTS, generator=torch.Generator().manual_seed(0))
as_numpy = mu.numpy()
torch.testing.assert_close(resampling_probabilities(mu), torch.from_numpy(usual_loop(as_numpy)).float(), rtol=1e-3, atol=0)
table = Table(title=f"Resampling {N:,} images by {LATENTS} latents, {torch.get_num_threads()} CPU threads")
for heading in ("rule", "seconds", "numpy loop", "ratio"):
    table.add_column(heading, justify="left" if heading == "rule" else "right")
loop = seconds(lambda: usual_loop(as_numpy), repeats=3)
for rule in ("max", "product"):
    ours = seconds(lambda rule=rule: resampling_probabilities(mu, BINS, SMOOTHING, rule))
    table.add_row(rule, f"{ours:.3f}", f"{loop:.3f}", f"{loop / ours:.1f} x")
Console().print(table)
