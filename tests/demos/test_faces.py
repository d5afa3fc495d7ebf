"""The riddle, the walk and the faces to order: they show what the generators give, and count rightly."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from sklearn.neighbors import NearestNeighbors

from course.checkpoints import load
from course.demos.faces import HAIR, MOUTHS, ORDERS, WALK, riddle

from .conftest import as_pixels, patch


def noise(n, seed):
    return torch.randn(n, 64, generator=torch.Generator().manual_seed(seed))


def test_each_riddle_has_one_fake_in_a_random_place(sessions):
    faces = sessions["riddle"].prepared
    places, fakes = [], set()
    for number in range(300):
        three, place = riddle(faces, number)
        # grain moves a face by 0.04 · √3072 = 2.2
        to_fake = torch.stack([(faces.fakes - face).square().flatten(1).sum(1).sqrt().min() for face in three])
        to_real = torch.stack([(faces.reals - face).square().flatten(1).sum(1).sqrt().min() for face in three])
        assert [one < 2.6 for one in to_fake.tolist()] == [i == place for i in range(3)]
        assert all(one < 2.6 for i, one in enumerate(to_real.tolist()) if i != place)
        places.append(place)
        fakes.add((faces.fakes - three[place]).square().flatten(1).sum(1).argmin().item())
    assert torch.tensor(places).bincount().tolist() == pytest.approx([100] * 3, abs=5 * math.sqrt(300 * 2 / 9))
    assert fakes == set(range(24))  # all have their turn


def test_the_fakes_are_of_each_kind_the_nearest_to_a_real_one(sessions):
    faces = sessions["riddle"].prepared
    nearest = NearestNeighbors(n_neighbors=1).fit(faces.reals.flatten(1))
    z = noise(480, 0)
    for kind in range(24):
        one_hot = torch.zeros(20, 10)
        one_hot[:, kind // 4] = one_hot[:, 6 + kind % 4] = 1
        made = ((load("cgan_faces")["G"](torch.cat([z[kind::24], one_hot], dim=1)) + 1) / 2).flatten(1)
        best = made[nearest.kneighbors(made)[0][:, 0].argmin()]
        assert torch.allclose(best, faces.fakes[kind].flatten(), atol=1e-5)


def test_the_score_counts_first_answers(sessions):
    session = sessions["riddle"]
    session.reset()
    before = session.picture()
    assert "No answer yet" in before.text
    right = answered = 0
    for number in range(12):
        fake = riddle(session.prepared, number)[1]
        picked = number % 3
        session.act("ABC"[picked])
        right, answered = right + (picked == fake), answered + 1
        assert f"{right} of {answered} right" in session.picture().text
        assert f"the fake is {'ABC'[fake]}" in session.picture().text
        assert ("Right" in session.picture().text) == (picked == fake)
        session.act("ABC"[fake])  # too late: it is revealed
        assert f"{right} of {answered} right" in session.picture().text
        session.act("next")
        assert f"Round {number + 2}: three faces" in session.picture().text
    session.reset()
    assert session.picture().text == before.text
    assert np.array_equal(session.picture().pixels, before.pixels)


def test_a_round_may_be_skipped_and_nothing_is_told_before_an_answer(sessions):
    session = sessions["riddle"]
    session.reset()
    session.act("next")
    assert "No answer yet" in session.picture().text
    assert "the fake is" not in session.picture().text
    hidden = session.picture().pixels
    session.act("A")
    assert not np.array_equal(hidden, session.picture().pixels)


@pytest.mark.parametrize("spherical", [False, True])
def test_the_walk_begins_and_ends_at_the_two_seeds(shown, spherical):
    G = load("gan_faces")["G"]
    for position, seed in ((0.0, 5), (1.0, 9)):
        picture = shown(WALK, first=5, last=9, position=position, spherical=spherical)
        expected = as_pixels(G(noise(1, seed))[0])
        assert np.abs(patch(picture, 152, 32, 8) - expected).max() <= 1
    assert np.abs(patch(picture, 8, 96, 4) - as_pixels(G(noise(1, 5))[0])).max() <= 1
    assert np.abs(patch(picture, 424, 96, 4) - as_pixels(G(noise(1, 9))[0])).max() <= 1


@pytest.mark.parametrize("spherical", [False, True])
def test_on_the_way_lies_what_the_formula_says(shown, spherical):
    a, b, t = noise(1, 1)[0].double(), noise(1, 2)[0].double(), 0.3
    angle = math.acos((a @ b / (a.norm() * b.norm())).item())
    z = (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle) if spherical else (1 - t) * a + t * b
    picture = shown(WALK, first=1, last=2, position=t, spherical=spherical)
    expected = as_pixels(load("gan_faces")["G"](z[None].float())[0])
    assert np.abs(patch(picture, 152, 32, 8) - expected).max() <= 2
    assert f"the noise vector is {z.norm():.1f} long" in picture.text


def test_the_grey_band_holds_98_percent_of_the_draws(sessions):
    (band,) = sessions["interpolation"].prepared.canvas.figure.axes[0].patches
    low, high = band.get_y(), band.get_y() + band.get_height()
    assert [low, high] == pytest.approx([math.sqrt(chi2.ppf(q, 64)) for q in (0.01, 0.99)], abs=0.05)


@pytest.mark.parametrize(
    ("hair", "mouth"), [("copper", "open, smiles"), ("black", "shut, frowns"), ("grey", "shut, smiles")]
)
def test_the_faces_are_those_that_were_asked_for(shown, hair, mouth):
    one_hot = torch.zeros(12, 10)
    one_hot[:, HAIR.index(hair)] = 1
    one_hot[:, 6 + list(MOUTHS).index(mouth)] = 1
    fakes = load("cgan_faces")["G"](torch.cat([noise(12, 7), one_hot], dim=1))
    picture = shown(ORDERS, hair=hair, mouth=mouth, seed=7)
    for i, fake in enumerate(fakes):
        found = patch(picture, 8 + 132 * (i % 4), 34 + 134 * (i // 4), 4)
        assert np.abs(found - as_pixels(fake)).max() <= 2
    row, column = list(MOUTHS).index(mouth), HAIR.index(hair)
    assert np.abs(patch(picture, 566 + 68 * column, 34 + 100 * row, 2) - as_pixels(fakes[0])).max() <= 2  # in the red frame
    kinds = load("face_classifier")["classifier"](fakes).argmax(1).tolist()
    right = [sum(k // 4 == column for k in kinds), sum(k % 4 == row for k in kinds)]
    assert f"finds that hair in {right[0]} of 12 fakes, and that mouth in {right[1]}." in picture.text


def test_every_value_gives_another_picture(shown):
    for demo, name, values in (
        (WALK, "position", [0.0, 0.01, 0.5, 1.0]),
        (WALK, "first", [0, 1, 99]),
        (WALK, "last", [0, 2, 99]),
        (WALK, "spherical", [False, True]),
        (ORDERS, "hair", HAIR),
        (ORDERS, "mouth", list(MOUTHS)),
        (ORDERS, "seed", [0, 1, 99]),
    ):
        pictures = {shown(demo, **{name: value}).pixels.tobytes() for value in values}
        assert len(pictures) == len(values), (demo.name, name)
