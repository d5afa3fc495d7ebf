"""The factors that a picture is drawn from: what renderers that are given them one row a picture must refuse."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def check_factors(
    factors: Tensor, size: int, limits: Mapping[str, tuple[float, float]], thing: str, kinds: Sequence[str]
) -> None:
    """Raise ValueError, with what to change, unless factors and size can be drawn.

    factors: (B, K), a column for each of limits' names, within (lowest, highest); the first is an index into kinds. thing:
    what a row draws. size: pixels along a side, at least 1.
    """
    names = list(limits)
    if factors.ndim != 2 or factors.shape[1] != len(names):
        raise ValueError(
            f"factors {tuple(factors.shape)} must be (B, {len(names)}), with the columns {', '.join(names)}; "
            f"give a single {thing} as factors[None]"
        )
    if size < 1:
        raise ValueError(f"size {size} must be at least 1: the pixels along a side, for example 32")
    low, high = torch.tensor(list(limits.values()), device=factors.device).T
    good = (factors >= low) & (factors <= high)  # NaN is neither
    good[:, 0] &= factors[:, 0] == factors[:, 0].round()
    if not good.all():
        row, column = (~good).nonzero()[0].tolist()
        name = names[column]
        whole = f"a whole number, the index of one of {', '.join(kinds)}, " if column == 0 else ""
        raise ValueError(
            f"{name} of {thing} {row} is {factors[row, column]:g}; it must be {whole}from {limits[name][0]} to "
            f"{limits[name][1]}. Change factors[{row}, {column}]"
        )
