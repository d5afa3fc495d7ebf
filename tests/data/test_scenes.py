"""Scenes: one description, six pictures that fit each other; brute force and properties as references."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course.data.scenes import (
    CLASSES,
    FACTORS,
    HORIZON,
    LOTS,
    NIGHT_WALLS,
    PAINT,
    STYLES,
    WALLS,
    label_maps,
    plan_layers,
    render_scenes,
    sample_scenes,
    sample_unpaired,
    street_layers,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def column(factors: torch.Tensor, name: str) -> torch.Tensor:
    return factors[:, FACTORS.index(name)]


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("style", STYLES)
def test_pictures_have_their_shape_and_range_and_differ(style: str, size: int) -> None:
    pictures = render_scenes(sample_scenes(20, generator()), style, size)
    assert pictures.shape == (20, 1 if style == "edges" else 3, size, size)
    assert pictures.dtype == torch.float32
    assert pictures.min() >= -1
    assert pictures.max() <= 1
    assert len(torch.unique(pictures.flatten(1), dim=0)) == 20


@pytest.mark.parametrize("style", STYLES)
def test_a_scene_looks_the_same_alone_and_in_company(style: str) -> None:
    factors = sample_scenes(130, generator(1))
    together = render_scenes(factors, style)
    alone = torch.cat([render_scenes(row[None], style) for row in factors[::13]])
    assert torch.equal(together[::13], alone)


def test_the_same_seed_draws_the_same_scenes_and_another_one_others() -> None:
    assert torch.equal(sample_scenes(5, generator(3)), sample_scenes(5, generator(3)))
    assert not torch.equal(sample_scenes(5, generator(3)), sample_scenes(5, generator(4)))


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_unpaired_sets_have_no_scene_in_common(seed: int) -> None:
    one, other = sample_unpaired(200, generator(seed))
    assert one.shape == other.shape == (200, len(FACTORS))
    assert len(torch.unique(torch.cat([one, other]), dim=0)) == 400


def test_houses_do_not_overlap() -> None:
    factors = sample_scenes(2_000, generator())
    ends = [(LOTS["house"][i] + column(factors, f"house{i}_x"), column(factors, f"house{i}_width") / 2) for i in range(2)]
    assert ((ends[1][0] - ends[1][1]) - (ends[0][0] + ends[0][1]) > 0).all()


def test_day_against_a_pixel_by_pixel_drawing() -> None:
    """An independent drawing of what is simple: sky, hill, grass, road, and walls, at pixels well inside one of them."""
    factors = sample_scenes(24, generator(2))
    size = 64
    pictures = (render_scenes(factors, "day", size) + 1) / 2
    seen = dict.fromkeys(("hill", "wall"), 0)
    for row, picture in zip(factors, pictures, strict=True):
        of = dict(zip(FACTORS, row.tolist(), strict=True))
        for line in range(size):
            for place in range(size):
                x, y = (2 * place + 1) / size - 1, 1 - (2 * line + 1) / size
                in_tree = any(
                    abs(x - LOTS["tree"][i] - of[f"tree{i}_x"]) < 1.1 * of[f"tree{i}_size"] and y < 0.3 for i in range(2)
                )
                ridge = HORIZON + of["hill_height"] * math.exp(-(((x - of["hill_x"]) / 0.55) ** 2))
                colour = picture[:, line, place].tolist()
                beside = all(abs(x - LOTS["house"][i] - of[f"house{i}_x"]) > 0.62 * of[f"house{i}_width"] for i in range(2))
                if beside and not in_tree and HORIZON + 0.05 < y < ridge - 0.05:
                    assert colour == pytest.approx(PAINT["day"]["hill"], abs=1e-5)
                    seen["hill"] += 1
                for i in range(2):
                    near = 1 - 0.25 * of[f"house{i}_distance"]
                    across = x - LOTS["house"][i] - of[f"house{i}_x"]
                    up = y + 0.54 - 0.24 * of[f"house{i}_distance"]
                    half, height = near * of[f"house{i}_width"] / 2, near * of[f"house{i}_height"]
                    if abs(across) < half - 0.04 and 0.88 * height < up < height - 0.04 and not in_tree:
                        wall = WALLS[int(of[f"house{i}_colour"])]
                        assert colour == pytest.approx(wall, abs=1e-5)
                        seen["wall"] += 1
    assert min(seen.values()) > 50


def test_day_and_night_and_labels_show_the_same_shapes() -> None:
    """Where two neighbouring pixels have different labels the day picture has an edge too, nearly always."""
    factors = sample_scenes(50, generator(5))
    labels = label_maps(factors, 64)
    assert labels.shape == (50, 64, 64)
    assert set(labels.unique().tolist()) == set(range(len(CLASSES)))
    changes = labels[:, :, 1:] != labels[:, :, :-1]
    for style in ("day", "night"):
        picture = render_scenes(factors, style, 64)
        steps = (picture[..., 1:] - picture[..., :-1]).abs().sum(dim=1)
        assert steps[changes].median() > 5 * steps[~changes].median() + 0.05
    colours = render_scenes(factors, "labels", 64)
    for number, name in enumerate(CLASSES):
        wanted = 2 * torch.tensor(PAINT["labels"][name]) - 1
        assert (colours.permute(0, 2, 3, 1)[labels == number] - wanted).abs().max() < 1e-6


def test_the_label_map_hides_the_colour_of_the_walls() -> None:
    factors = sample_scenes(10, generator())
    repainted = factors.clone()
    for i in range(2):
        place = FACTORS.index(f"house{i}_colour")
        repainted[:, place] = (factors[:, place] + 1) % len(WALLS)
    for style in ("labels", "edges", "map", "aerial"):
        assert torch.equal(render_scenes(factors, style), render_scenes(repainted, style))
    for style in ("day", "night"):
        assert not torch.equal(render_scenes(factors, style), render_scenes(repainted, style))


def test_edges_lie_where_the_topmost_shape_changes() -> None:
    factors = sample_scenes(4, generator(7))
    lines = render_scenes(factors, "edges", 48) == -1
    shapes = torch.zeros(4, 48, 48, dtype=torch.int64)
    for place, layer in enumerate(street_layers(factors, 48)):
        shapes[layer.mask >= 0.5] = place
    for image, line in zip(shapes.tolist(), lines[:, 0].tolist(), strict=True):
        for r in range(48):
            for c in range(48):
                differs = (c > 0 and image[r][c] != image[r][c - 1]) or (r > 0 and image[r][c] != image[r - 1][c])
                assert line[r][c] == differs


def test_night_walls_follow_the_day_or_not() -> None:
    day = torch.tensor(WALLS)
    related, unrelated = (torch.tensor(NIGHT_WALLS[name]) for name in ("related", "unrelated"))
    nearest = torch.cdist(related - related.mean(0), (day - day.mean(0)) * 0.3).argmin(dim=1)
    assert nearest.tolist() == [0, 1, 2, 3]  # as it is, only darker
    assert torch.cdist(unrelated, unrelated).fill_diagonal_(1).min() > 0.15  # four colours that can be told apart
    factors = sample_scenes(3, generator())
    assert not torch.equal(render_scenes(factors, "night"), render_scenes(factors, "night", night_walls="unrelated"))


def test_map_and_aerial_show_the_same_places() -> None:
    factors = sample_scenes(10, generator(9))
    layers = {layer.kind: layer.mask for layer in plan_layers(factors, 64)}
    assert set(layers) == {"ground", "kerb", "road", "outline", "house", "tree"}
    inside = layers["road"] == 1
    for style in ("map", "aerial"):
        colours = (render_scenes(factors, style, 64).permute(0, 2, 3, 1)[inside] + 1) / 2
        assert (colours - torch.tensor(PAINT[style]["road"])).abs().max() < 0.031  # the grain


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: render_scenes(f, "dusk"), "style 'dusk'"),
        (lambda f: render_scenes(f, "night", night_walls="pink"), "night_walls 'pink'"),
        (lambda f: render_scenes(f[:, :5], "day"), r"must be finite numbers \(B, 21\)"),
        (lambda f: render_scenes(f / 0, "day"), "finite numbers"),
        (lambda f: render_scenes(f + 0.5, "day"), "house0_colour must be whole numbers"),
        (lambda f: render_scenes(f, "day", size=4), "size is 4"),
        (lambda f: sample_scenes(0), "n is 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        change(sample_scenes(2, generator()))
