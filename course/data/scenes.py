"""Scenes: a street with houses and trees, drawn in several ways from one description, so that the true counterpart of
every picture is known.

Read it from top to bottom: what a scene is, which shapes it has seen from the street and from above, and the six ways to
draw them. Dimensions: B scenes of H x W pixels, H = W = size. The frame runs from −1 to 1 in x (rightwards) and
in y (upwards). Pictures are in [-1, 1].
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor

HOUSES, TREES = 2, 2
HOUSE = ("x", "distance", "width", "height", "roof", "colour")  # distance from the street and sizes in units of the frame
TREE = ("x", "distance", "size")
FACTORS = (
    "hill_x", "hill_height", "light_x",
    *(f"house{i}_{name}" for i in range(HOUSES) for name in HOUSE),
    *(f"tree{i}_{name}" for i in range(TREES) for name in TREE),
)  # fmt: skip
RANGES = {
    "hill_x": (-0.8, 0.8), "hill_height": (0.15, 0.45), "light_x": (-0.8, 0.8),
    "x": (-0.08, 0.08), "distance": (0.0, 1.0), "width": (0.5, 0.7), "height": (0.42, 0.62), "roof": (0.26, 0.42),
    "size": (0.18, 0.27),
}  # fmt: skip
# An x is measured from the middle of the lot, so that houses do not overlap.
LOTS = {"house": (-0.52, 0.42), "tree": (-0.05, 0.9)}
CLASSES = ("sky", "hill", "grass", "road", "wall", "roof", "window", "tree")
STYLES = ("day", "night", "labels", "edges", "map", "aerial")

HORIZON, KERB = -0.12, -0.72  # of the view from the street
WALLS = ((0.80, 0.36, 0.30), (0.92, 0.80, 0.45), (0.45, 0.62, 0.80), (0.90, 0.88, 0.84))  # brick, ochre, blue, white
# At night a wall is its own colour, darker; or one that says nothing about it, which nobody can guess without pairs.
NIGHT_WALLS = {
    "related": tuple((0.30 * r, 0.32 * g, 0.22 + 0.30 * b) for r, g, b in WALLS),
    "unrelated": ((0.16, 0.36, 0.30), (0.42, 0.20, 0.42), (0.40, 0.32, 0.16), (0.12, 0.20, 0.44)),
}
PAINT: dict[str, dict[str, Sequence]] = {
    "day": {
        "sky": ((0.42, 0.66, 0.92), (0.80, 0.90, 0.97)),  # at the top, at the horizon
        "hill": (0.52, 0.66, 0.58), "grass": (0.50, 0.72, 0.36), "road": (0.46, 0.46, 0.48), "roof": (0.56, 0.26, 0.22),
        "window": (0.26, 0.32, 0.40), "trunk": (0.42, 0.30, 0.20), "crown": (0.22, 0.50, 0.24), "light": (1.0, 0.93, 0.55),
    },
    "night": {
        "sky": ((0.02, 0.03, 0.12), (0.12, 0.13, 0.30)),
        "hill": (0.12, 0.17, 0.31), "grass": (0.09, 0.20, 0.20), "road": (0.15, 0.15, 0.22), "roof": (0.27, 0.13, 0.20),
        "window": (1.0, 0.84, 0.42), "trunk": (0.11, 0.08, 0.11), "crown": (0.05, 0.24, 0.21), "light": (0.93, 0.94, 0.88),
    },
    "labels": {
        "sky": (0.55, 0.75, 0.95), "hill": (0.65, 0.60, 0.75), "grass": (0.60, 0.80, 0.35), "road": (0.50, 0.50, 0.50),
        "wall": (0.90, 0.55, 0.20), "roof": (0.75, 0.15, 0.15), "window": (0.15, 0.25, 0.70), "tree": (0.05, 0.45, 0.20),
    },
    "map": {
        "ground": (0.93, 0.94, 0.88), "road": (1.0, 0.86, 0.55), "kerb": (0.80, 0.66, 0.40), "house": (0.78, 0.74, 0.72),
        "outline": (0.55, 0.50, 0.48), "tree": (0.66, 0.84, 0.62),
    },
    "aerial": {
        "ground": (0.42, 0.55, 0.30), "road": (0.40, 0.40, 0.42), "kerb": (0.66, 0.65, 0.62), "house": (0.60, 0.28, 0.23),
        "outline": (0.22, 0.27, 0.18), "tree": (0.16, 0.36, 0.18),
    },
}  # fmt: skip

Colour = Sequence[float] | Tensor  # red, green, blue in [0, 1], or one for each scene: (B, 3)


class Layer(NamedTuple):
    """One shape of a scene: what it is, the number of its house or tree, and which share of each pixel it covers."""

    kind: str
    number: int
    mask: Tensor  # (B, H, W) in [0, 1]


def sample_scenes(n: int, generator: Generator | None = None) -> Tensor:
    """Draw the descriptions of n scenes: (n, 21), columns as in FACTORS. Raises ValueError for n below 1."""
    if n < 1:
        raise ValueError(f"n is {n}, and must be at least 1")
    device = generator.device if generator else None
    columns = []
    for name in FACTORS:
        kind = name.split("_", 1)[1] if name.startswith(("house", "tree")) else name
        draws = torch.rand(n, generator=generator, device=device)
        if kind == "colour":
            columns.append((draws * len(WALLS)).floor())
        else:
            low, high = RANGES[kind]
            columns.append(low + (high - low) * draws)
    return torch.stack(columns, dim=1)


def sample_unpaired(n: int, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
    """Draw two sets of n scenes, (n, 21) each, that have no scene in common: one for each domain."""
    both = sample_scenes(2 * n, generator)
    return both[:n], both[n:]


def render_scenes(factors: Tensor, style: str, size: int = 32, night_walls: str = "related") -> Tensor:
    """Draw scenes in one of STYLES.

    factors: (B, 21), columns as in FACTORS. night_walls: "related" or "unrelated" to the colours by day.
    Returns (B, 3, size, size) in [-1, 1]; for "edges" (B, 1, size, size), black lines on white. The same scene has the
    same layout in "day", "night", "labels" and "edges", which look from the street, and in "map" and "aerial", which look
    from above. Raises ValueError for an unknown style or night_walls, or factors of another shape.
    """
    if style not in STYLES or night_walls not in NIGHT_WALLS:
        given = f"style {style!r}, night_walls {night_walls!r}"
        raise ValueError(f"{given}: the styles are {', '.join(STYLES)}, the night walls {', '.join(NIGHT_WALLS)}")
    _check(factors, size)
    draw: Callable[[Tensor], Tensor]
    if style in ("day", "night"):
        draw = partial(_street, size=size, style=style, walls=WALLS if style == "day" else NIGHT_WALLS[night_walls])
    elif style in ("map", "aerial"):
        draw = partial(_plan, size=size, style=style)
    else:
        draw = partial(_edges if style == "edges" else _labels, size=size)
    pictures = [draw(rows) for rows in factors.float().split(max(1, 2**16 // size**2))]  # stays within a processor's cache
    return 2 * torch.cat(pictures) - 1


def label_maps(factors: Tensor, size: int = 32) -> Tensor:
    """Say what each pixel shows, seen from the street: (B, size, size) int64, indices into CLASSES."""
    _check(factors, size)
    return _topmost(factors.float(), size)[0]


# ------------------------------------------------------------------------------------------------ shapes, far to near


def street_layers(factors: Tensor, size: int) -> Iterator[Layer]:
    """Yield the shapes of scenes (B, 21) as seen from the street, each in front of those before it."""
    x, y = _pixels(size, factors.device)
    of = _columns(factors)
    yield Layer("sky", 0, torch.ones(len(factors), size, size, device=factors.device))
    ridge = HORIZON + of["hill_height"] * torch.exp(-(((x - of["hill_x"]) / 0.55) ** 2))
    yield Layer("hill", 0, _inside(y - ridge))
    for kind, top in (("grass", HORIZON), ("road", KERB)):
        yield Layer(kind, 0, _inside(y - top).expand_as(ridge))
    for i, lot in enumerate(LOTS["house"]):
        left, distance, width, height, roof, _ = (of[f"house{i}_{name}"] for name in HOUSE)
        near = 1 - 0.25 * distance  # what is far looks smaller, and stands higher
        across, up = x - lot - left, y + 0.54 - 0.24 * distance
        half, height, roof = near * width / 2, near * height, near * roof
        yield Layer("wall", i, _box(across, up - height / 2, half, height / 2))
        gable = (up - height) + roof * (across.abs() / (1.18 * half) - 1)
        yield Layer("roof", i, torch.minimum(_inside(gable), _inside(height - up)))
        for side in (-0.52, 0.52):
            yield Layer("window", i, _box(across - side * half, up - 0.66 * height, 0.26 * half, 0.17 * height))
        yield Layer("window", i, _box(across, up - 0.22 * height, 0.2 * half, 0.22 * height))  # the door
    for i, lot in enumerate(LOTS["tree"]):
        left, distance, tall = (of[f"tree{i}_{name}"] for name in TREE)
        across, up = x - lot - left, y + 0.64 - 0.1 * distance
        yield Layer("trunk", i, _box(across, up - 0.5 * tall, 0.16 * tall, 0.6 * tall))
        yield Layer("crown", i, _disc(across, up - 1.7 * tall, tall))


def plan_layers(factors: Tensor, size: int) -> Iterator[Layer]:
    """Yield the shapes of scenes (B, 21) as seen from above: the street runs along the lower edge."""
    x, y = _pixels(size, factors.device)
    of = _columns(factors)
    yield Layer("ground", 0, torch.ones(len(factors), size, size, device=factors.device))
    yield Layer("kerb", 0, _inside(y + 0.58).expand(len(factors), size, size))
    yield Layer("road", 0, _inside(y + 0.64).expand(len(factors), size, size))
    for i, lot in enumerate(LOTS["house"]):
        left, distance, width = (of[f"house{i}_{name}"] for name in HOUSE[:3])
        across, up = x - lot - left, y - 0.05 - 0.5 * distance
        yield Layer("outline", i, _box(across, up, width / 2 + 0.03, torch.full_like(width, 0.21)))
        yield Layer("house", i, _box(across, up, width / 2, torch.full_like(width, 0.18)))
    for i, lot in enumerate(LOTS["tree"]):
        left, distance, tall = (of[f"tree{i}_{name}"] for name in TREE)
        yield Layer("tree", i, _disc(x - lot - left, y + 0.36 - 0.2 * distance, tall))


def _inside(height: Tensor) -> Tensor:
    """Return the share of each pixel that lies below 0 of a height or distance (B, H, W), in units of the frame."""
    return (0.5 - height * (height.shape[-1] / 2)).clamp(0, 1)


def _box(across: Tensor, up: Tensor, half_width: Tensor, half_height: Tensor) -> Tensor:
    return torch.minimum(_inside(across.abs() - half_width), _inside(up.abs() - half_height))


def _disc(across: Tensor, up: Tensor, radius: Tensor) -> Tensor:
    return _inside(torch.hypot(across, up) - radius)


# ----------------------------------------------------------------------------------------------------- ways to draw


def _street(factors: Tensor, size: int, style: str, walls: Sequence[Sequence[float]]) -> Tensor:
    """Draw the view from the street, by day or at night: (B, 3, H, W) in [0, 1]."""
    paint, of = PAINT[style], _columns(factors)
    x, y = _pixels(size, factors.device)
    top, horizon = (torch.tensor(colour, device=factors.device)[:, None, None] for colour in paint["sky"])
    picture = torch.lerp(horizon, top, ((y - HORIZON) / (1 - HORIZON)).clamp(0, 1)).expand(len(factors), 3, size, size)
    picture = _painted(picture, _disc(x - of["light_x"], y - 0.72, torch.tensor(0.13)), paint["light"])
    of_walls = torch.tensor(walls, device=factors.device)
    for kind, number, mask in street_layers(factors, size):
        if kind == "wall":
            picture = _painted(picture, mask, of_walls[of[f"house{number}_colour"].flatten().long()])
        elif kind != "sky":
            picture = _painted(picture, mask, paint[kind])
    return picture


def _plan(factors: Tensor, size: int, style: str) -> Tensor:
    """Draw the view from above, as a map or as a photograph: (B, 3, H, W) in [0, 1]."""
    x, y = _pixels(size, factors.device)
    picture = torch.zeros(len(factors), 3, size, size, device=factors.device)
    for kind, _, mask in plan_layers(factors, size):
        picture = _painted(picture, mask, PAINT[style][kind])
    if style == "map":
        return picture
    of = _columns(factors)
    for i, lot in enumerate(LOTS["house"]):  # the sun shines from above: the lower half of a roof lies in its shade
        left, distance, width = (of[f"house{i}_{name}"] for name in HOUSE[:3])
        shade = _box(x - lot - left, y + 0.04 - 0.5 * distance, width / 2, torch.full_like(width, 0.09))
        picture = _painted(picture, 0.35 * shade, (0.0, 0.0, 0.0))
    for i, lot in enumerate(LOTS["tree"]):
        left, distance, tall = (of[f"tree{i}_{name}"] for name in TREE)
        sunny = _disc(x - lot - left + 0.25 * tall, y + 0.36 - 0.2 * distance - 0.3 * tall, 0.55 * tall)
        picture = _painted(picture, 0.5 * sunny, (0.42, 0.62, 0.30))
    grain = 0.03 * torch.sin(37 * x + 11 * torch.sin(23 * y)) * torch.sin(41 * y + 7 * torch.sin(19 * x))
    return (picture + grain).clamp(0, 1)


def _labels(factors: Tensor, size: int) -> Tensor:
    """Draw each class in its colour: (B, 3, H, W) in [0, 1]."""
    colours = torch.tensor([PAINT["labels"][name] for name in CLASSES], device=factors.device)
    return colours[_topmost(factors, size)[0]].permute(0, 3, 1, 2)


def _topmost(factors: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Find for each pixel the class, and a number that no other shape of the scene has: (B, H, W) each."""
    kinds = torch.zeros(len(factors), size, size, dtype=torch.int64, device=factors.device)
    shapes = kinds.clone()
    for place, (kind, _, mask) in enumerate(street_layers(factors, size)):
        covered = mask >= 0.5
        kinds[covered] = CLASSES.index("tree" if kind in ("trunk", "crown") else kind)
        shapes[covered] = place
    return kinds, shapes


def _edges(factors: Tensor, size: int) -> Tensor:
    """Draw a line where one shape ends and another begins: (B, 1, H, W), 0 on the lines and 1 elsewhere."""
    shapes = _topmost(factors, size)[1]
    line = torch.zeros_like(shapes, dtype=torch.bool)
    line[:, :, 1:] |= shapes[:, :, 1:] != shapes[:, :, :-1]
    line[:, 1:] |= shapes[:, 1:] != shapes[:, :-1]
    return 1 - line[:, None].float()


def _painted(picture: Tensor, mask: Tensor, colour: Colour) -> Tensor:
    """Lay a colour over a picture (B, 3, H, W) where the mask (B, H, W) says."""
    over = torch.as_tensor(colour, device=picture.device, dtype=picture.dtype).reshape(-1, 3, 1, 1)
    return torch.lerp(picture, over.expand_as(picture), mask[:, None].expand(len(picture), *picture.shape[1:]))


def _pixels(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return where the pixels' middles lie: x and y, (1, H, W) each."""
    centres = (2 * torch.arange(size, device=device) + 1) / size - 1
    return centres.expand(1, size, size), -centres[:, None].expand(1, size, size)


def _columns(factors: Tensor) -> dict[str, Tensor]:
    """Return each factor as (B, 1, 1)."""
    return {name: factors[:, i, None, None] for i, name in enumerate(FACTORS)}


def _check(factors: Tensor, size: int) -> None:
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS) or not factors.isfinite().all():
        raise ValueError(
            f"factors {tuple(factors.shape)} must be finite numbers (B, {len(FACTORS)}), as sample_scenes gives them"
        )
    if size < 8:
        raise ValueError(f"size is {size}, and must be at least 8 pixels")
    for i in range(HOUSES):
        colour = factors[:, FACTORS.index(f"house{i}_colour")]
        if not ((colour == colour.round()) & (colour >= 0) & (colour < len(WALLS))).all():
            raise ValueError(f"house{i}_colour must be whole numbers from 0 to {len(WALLS) - 1}, one of the wall colours")
