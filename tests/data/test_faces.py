"""Faces: each factor does what it says and no more, and the groups are what they are called."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course.data.faces import (
    COMMON,
    FACTORS,
    HAIRS,
    KINDS,
    LIMITS,
    MOUTHS,
    NON_FACES,
    RANGES,
    RARE,
    Canvas,
    aligned_faces,
    balanced_faces,
    groups_of,
    is_rare,
    palette,
    render_faces,
    sample_faces,
)

STILL = {
    "kind": 0, "tone": 0.6, "yaw": 0, "light": 0, "strength": 0, "smile": 0, "mouth": 0, "hair": 1, "length": 0,
    "glasses": 0, "background": 0, "clutter": 0, "x": 0, "y": 0, "scale": 1, "noise": 0, "variant": 0.3,
}  # fmt: skip


def face(**factors: float) -> Tensor:
    """Make one row of factors; what is not given is a frontal face in the middle."""
    values = STILL | factors
    return torch.tensor([[values[name] for name in FACTORS]], dtype=torch.float32)


def draw(size: int = 64, **factors: float) -> Tensor:
    return render_faces(face(**factors), size)[0]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


CHEEKS = (slice(None), slice(34, 40), slice(24, 40))  # skin, in a 64 x 64 image


def test_images_are_pictures_and_a_seed_repeats() -> None:
    images, factors = sample_faces(50, seeded(), kinds={kind: 1 for kind in KINDS})
    assert images.shape == (50, 3, 32, 32)
    assert images.dtype == torch.float32
    assert 0 <= images.min() < images.max() <= 1
    assert factors.shape == (50, len(FACTORS))
    again, same = sample_faces(50, seeded(), kinds={kind: 1 for kind in KINDS})
    assert torch.equal(images, again)
    assert torch.equal(factors, same)
    assert not torch.equal(images, sample_faces(50, seeded(1))[0])


def test_one_at_a_time_equals_all_at_once() -> None:
    _, factors = sample_faces(60, seeded(), kinds={kind: 1 for kind in KINDS}, noise=(0, 0))
    together = render_faces(factors)
    alone = torch.cat([render_faces(row[None]) for row in factors])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_many_chunks_equal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, factors = sample_faces(60, seeded(), kinds={kind: 1 for kind in KINDS}, noise=(0, 0))
    together = render_faces(factors)
    monkeypatch.setattr("course.data.faces.CHUNK", 7 * 32**2)
    torch.testing.assert_close(render_faces(factors), together, rtol=0, atol=1e-5)


def test_an_ellipse_covers_what_a_finer_grid_says() -> None:
    canvas = Canvas(face(), 64)
    cover = canvas.ellipse(0.1, -0.2, 0.5, 0.3)[0]
    fine = (2 * np.arange(64 * 8) + 1) / (64 * 8) - 1
    inside = ((fine[None] - 0.1) / 0.5) ** 2 + ((-fine[:, None] + 0.2) / 0.3) ** 2 <= 1
    share = inside.reshape(64, 8, 64, 8).mean(axis=(1, 3))
    assert np.abs(cover.numpy() - share).max() < 0.35
    assert np.abs(cover.numpy() - share).mean() < 0.01
    assert cover.sum().item() * (2 / 64) ** 2 == pytest.approx(math.pi * 0.5 * 0.3, rel=0.03)


def test_tone_brightens_the_skin_and_nothing_else() -> None:
    tones = torch.linspace(0, 1, 11)
    images = torch.cat([render_faces(face(tone=tone.item()), 64) for tone in tones])
    skin = images[:, :, 34:40, 24:40].mean(dim=(1, 2, 3))
    assert (skin.diff() > 0.01).all()
    assert torch.equal(images[0, :, :8], images[-1, :, :8])  # above the head


def test_yaw_moves_the_features_and_mirrors() -> None:
    def lips(image: Tensor) -> float:  # where the reddest part of the lower face is, on average
        weight = (image[0, 38:48] - image[1, 38:48] - 0.25).clamp(min=0)
        return ((weight * torch.arange(64)).sum() / weight.sum()).item()

    places = [lips(draw(yaw=yaw)) for yaw in (-0.4, -0.2, 0.0, 0.2, 0.4)]
    assert places == sorted(places)
    assert places[-1] - places[0] > 6
    torch.testing.assert_close(draw(yaw=-0.7), draw(yaw=0.7).flip(-1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("light", "brighter"), [(0.0, "right"), (math.pi, "left"), (math.pi / 2, "top"), (-math.pi / 2, "bottom")]
)
def test_light_comes_from_where_it_is_said_to(light: float, brighter: str) -> None:
    where = CHEEKS if brighter in ("left", "right") else (slice(None), slice(18, 50), slice(24, 40))
    difference = (draw(light=light, strength=0.8) - draw(strength=0))[where]
    halves = {
        "right": difference[..., 10:].mean() - difference[..., :6].mean(),
        "left": difference[..., :6].mean() - difference[..., 10:].mean(),
        "top": difference[:, :8].mean() - difference[:, -8:].mean(),
        "bottom": difference[:, -8:].mean() - difference[:, :8].mean(),
    }
    assert halves[brighter] > 0.05
    assert max(halves, key=lambda side: halves[side]) == brighter


def test_strength_widens_the_difference_and_none_leaves_no_light() -> None:
    def contrast(strength: float) -> float:
        cheeks = draw(light=0, strength=strength)[CHEEKS]
        return (cheeks[..., -4:].mean() - cheeks[..., :4].mean()).item()

    found = [contrast(strength) for strength in (0, 0.25, 0.5, 0.75, 1)]
    assert found == sorted(found)
    torch.testing.assert_close(draw(light=0, strength=0), draw(light=2, strength=0))


def test_a_smile_lifts_the_corners() -> None:
    def red(image: Tensor) -> Tensor:
        return image[0, 38:50, 24:40] - image[1, 38:50, 24:40]

    def height(image: Tensor, columns: slice) -> float:
        weight = (red(image)[:, columns] - 0.2).clamp(min=0)
        return -((weight * torch.arange(12)[:, None]).sum() / weight.sum()).item()

    lifts = [
        height(image, slice(0, 4)) - height(image, slice(6, 10)) for image in (draw(smile=s, tone=0.9) for s in (-1, 0, 1))
    ]
    assert lifts[0] < lifts[1] < lifts[2]


@pytest.mark.parametrize("name", ["smile", "mouth", "hair", "length", "glasses", "background", "clutter", "tone", "yaw"])
def test_every_factor_shows(name: str) -> None:
    low, high = (0.1, 0.9) if name in ("yaw", "tone") else LIMITS[name]
    assert (draw(**{name: low}) - draw(**{name: high})).abs().max() > 0.1


def test_position_and_scale_move_the_whole_head() -> None:
    moved = draw(x=4 / 32, y=-2 / 32)  # 4 pixels to the right, 2 down
    torch.testing.assert_close(moved[:, 14:50, 14:50], draw()[:, 12:48, 10:46], rtol=0, atol=0.02)
    hair = [(draw(scale=scale)[0] < 0.3).sum().item() for scale in (0.6, 0.8, 1.0)]
    assert hair == sorted(hair)


def test_noise_has_its_standard_deviation() -> None:
    factors = face(noise=0.05).repeat(200, 1)
    residual = render_faces(factors, generator=seeded()) - render_faces(face())
    assert residual[..., :6, :].std().item() == pytest.approx(0.05, rel=0.03)


def test_every_kind_is_another_picture_and_keeps_tone_and_ground() -> None:
    images = {kind: draw(kind=number, variant=0.3) for number, kind in enumerate(KINDS)}
    for kind, image in images.items():
        for other, second in images.items():
            assert kind == other or (image - second).abs().max() > 0.1
        if kind != "texture":
            assert torch.equal(image[:, 0, 0], images["face"][:, 0, 0])
    skin = palette([(0.0,) * 3, (1.0,) * 3], torch.tensor([[0.25]]))
    assert skin.flatten().tolist() == pytest.approx([0.25] * 3)
    for kind in ("scrambled", "inverted", "blank"):
        assert torch.equal(images[kind][:, :10], images["face"][:, :10])  # the same hair


def test_a_scrambled_head_is_never_a_face() -> None:
    for variant in torch.linspace(0, 1, 41).tolist():
        assert (draw(kind=1, variant=variant) - draw(variant=variant)).abs().max() > 0.3


def test_kinds_occur_as_often_as_asked() -> None:
    _, factors = sample_faces(6000, seeded(), size=2, kinds=NON_FACES)
    for kind, share in NON_FACES.items():
        found = (factors[:, 0] == KINDS.index(kind)).float().mean().item()
        assert found == pytest.approx(share / sum(NON_FACES.values()), abs=0.03)
    assert (sample_faces(200, seeded(), size=2)[1][:, 0] == 0).all()


@pytest.mark.parametrize("name", list(RARE))
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_the_rare_end_has_its_share(name: str, share: float) -> None:
    _, factors = sample_faces(4000, seeded(), size=2, rare={name: share})
    value = factors[:, FACTORS.index(name)].abs()
    at_rare_end = (value >= RARE[name][0] - 1e-6) & (value <= RARE[name][1] + 1e-6)
    at_common_end = (value >= COMMON[name][0] - 1e-6) & (value <= COMMON[name][1] + 1e-6)
    assert (at_rare_end ^ at_common_end).all()
    assert at_rare_end.float().mean().item() == pytest.approx(share, abs=0.03)
    assert torch.equal(is_rare(factors, name), at_rare_end)


def test_the_other_factors_do_not_hear_of_it() -> None:
    _, plain = sample_faces(300, seeded(), size=2)
    _, biased = sample_faces(300, seeded(), size=2, rare={"tone": 0.05})
    others = [i for i, name in enumerate(FACTORS) if name != "tone"]
    assert torch.equal(plain[:, others], biased[:, others])
    for i, name in enumerate(FACTORS[1:], start=1):
        low, high = RANGES[name]
        assert low - 1e-6 <= plain[:, i].min()
        assert plain[:, i].max() <= high + 1e-6


def test_a_turned_head_turns_to_either_side() -> None:
    yaw = sample_faces(2000, seeded(), size=2, rare={"yaw": 1.0})[1][:, FACTORS.index("yaw")]
    assert (yaw > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_balanced_groups_are_what_they_are_called() -> None:
    images, factors, groups = balanced_faces(30, seeded(), size=8)
    assert images.shape == (240, 3, 8, 8)
    assert torch.equal(groups, torch.arange(8).repeat_interleave(30))
    numbers, names = groups_of(factors, ("tone", "yaw", "strength"))
    assert torch.equal(numbers, groups)
    assert names[0] == "light, frontal, soft light"
    assert names[7] == "dark, turned, side light"
    assert names[4] == "dark, frontal, soft light"


def test_aligned_faces_are_of_the_kind_that_their_labels_say() -> None:
    images, labels = aligned_faces(24 * 100, seeded(), size=64)
    assert labels.unique(dim=0, return_counts=True)[1].tolist() == [100] * 24
    for hair, colour in enumerate(HAIRS):  # near the top of every frame is hair
        top = images[labels[:, 0] == hair][:, :, 10:12, 28:36]
        torch.testing.assert_close(top.mean(dim=(0, 2, 3)), torch.tensor(colour), rtol=0.1, atol=0.03)
    means = torch.stack([images[labels[:, 1] == mouth].mean(dim=0) for mouth in range(len(MOUTHS))])
    spread = means.std(dim=0).mean(dim=0)  # (64, 64): mouths differ where a mouth is, and nowhere else
    assert spread[35:57, 20:44].max() > 0.05
    spread[35:57, 20:44] = 0
    assert spread.max() < 0.02
    dark = (means[:, :, 45, 30:34] < 0.4).float().mean(dim=(1, 2))  # the middle of an open mouth
    assert dark[2:].min() > dark[:2].max()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: render_faces(torch.zeros(3)), "(3,)"),
        (lambda: render_faces(face(tone=1.5)), "tone of face 0"),
        (lambda: render_faces(face(kind=0.5)), "whole number"),
        (lambda: render_faces(face(tone=math.nan)), "tone of face 0"),
        (lambda: render_faces(face(), 0), "size 0"),
        (lambda: sample_faces(1, kinds={"robot": 1}), "robot"),
        (lambda: sample_faces(1, rare={"smile": 0.1}), "smile"),
        (lambda: sample_faces(1, rare={"tone": 1.1}), "tone"),
        (lambda: sample_faces(1, moustache=(0, 1)), "moustache"),
        (lambda: sample_faces(1, tone=(1, 0)), "tone"),
    ],
)
def test_what_cannot_be_drawn_is_named(call, words: str) -> None:
    with pytest.raises(ValueError) as error:
        call()
    assert words in str(error.value)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_whatever_is_within_the_limits_is_drawn(seed: int) -> None:
    low, high = torch.tensor([LIMITS[name] for name in FACTORS]).T
    factors = torch.lerp(low, high, torch.rand(20, len(FACTORS), generator=seeded(seed)))
    factors[:, 0] = factors[:, 0].round()
    images = render_faces(factors, 16, seeded(seed))
    assert torch.isfinite(images).all()
    assert 0 <= images.min() <= images.max() <= 1
