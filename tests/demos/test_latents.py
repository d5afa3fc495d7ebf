"""Bottleneck, latent plane, traversal, β: the pictures show what the models give, and the numbers are right."""

import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch.distributions import Normal, kl_divergence

from course.checkpoints import card, load
from course.checkpoints.recipes.autoencoders import BETAS, BOTTLENECKS, draw_blobs, draw_glyphs, draw_sprites
from course.demos.latents import BETA, BOTTLENECK, PLANE, TRAVERSAL


def numbers(text):
    return [float(number.replace("−", "-")) for number in re.findall(r"[-−]?\d+\.?\d*", text)]


def contains(picture, image, factor):
    """Say whether an image (C, H, W) in [0, 1], enlarged, is somewhere in the picture."""
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).repeat(factor, 0).repeat(factor, 1)
    height, width = pixels.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(picture.pixels[..., 0], (height, width))
    middle = windows[:, :, height // 2, width // 2] == pixels[height // 2, width // 2, 0]
    corner = middle & (windows[:, :, 0, 0] == pixels[0, 0, 0]) & (windows[:, :, -1, -1] == pixels[-1, -1, 0])
    return any(
        np.abs(picture.pixels[y : y + height, x : x + width].astype(int) - pixels).max() <= 1 for y, x in np.argwhere(corner)
    )


def test_a_copy_is_what_the_autoencoder_of_that_size_gives(shown):
    image = draw_glyphs(1000, seed=2)[5]
    for size in BOTTLENECKS:
        copy = load("bottlenecks")[f"D = {size}"](image[None])[0]
        assert contains(shown(BOTTLENECK, size=str(size)), copy, 3)
    assert contains(shown(BOTTLENECK), image, 3)
    assert not contains(shown(BOTTLENECK, size="1"), copy, 3)  # of D = 32


@pytest.mark.slow
def test_the_errors_are_those_of_the_card_and_of_pca(shown, sessions):
    for size in BOTTLENECKS:
        _, error, *_ = numbers(shown(BOTTLENECK, size=str(size)).text)
        assert error == pytest.approx(card("bottlenecks").metrics[f"squared error, D = {size}"], abs=0.06)
    train, tests = (draw_glyphs(n, seed).flatten(1).numpy() for n, seed in ((3000, 1), (1000, 2)))
    curve = sessions["bottleneck"].prepared.canvas.figure.axes[0].lines[0].get_ydata()
    for k, shown_error in zip(BOTTLENECKS, curve, strict=True):
        pca = PCA(k, svd_solver="full").fit(train)
        error = ((pca.inverse_transform(pca.transform(tests)) - tests) ** 2).sum(1).mean()
        assert shown_error == pytest.approx(error, rel=1e-3)


def test_pointing_at_the_code_of_an_image_shows_its_reconstruction(shown, sessions):
    image = draw_sprites(1500, seed=2)[0][:1]
    vae, ae = load("vae_sprites")["vae"], load("autoencoder_sprites")["autoencoder"]
    at = vae.encode(image)[0]
    assert contains(shown(PLANE, point=tuple(at[0].tolist())), vae.decode(at).sigmoid()[0], 6)
    codes = ae.encode(draw_sprites(1500, seed=2)[0])
    centred = codes - codes.mean(0)
    places = torch.linalg.solve(torch.linalg.cholesky(centred.T @ centred / 1499), centred.T).T
    assert torch.allclose(places.T.cov(), torch.eye(2), atol=1e-4)
    assert contains(shown(PLANE, point=tuple(places[0].tolist())), ae(image)[0], 6)


def test_the_distance_to_the_nearest_image_is_right(shown):
    known = draw_sprites(4000, seed=1)[0].flatten(1).numpy()
    vae = load("vae_sprites")["vae"]
    for point in ((0.0, 0.0), (2.0, -1.0), (-1.5, 2.5)):
        image = vae.decode(torch.tensor([point])).sigmoid().flatten(1).numpy()
        distance = NearestNeighbors(n_neighbors=1).fit(known).kneighbors(image)[0].item() ** 2
        assert numbers(shown(PLANE, point=point).text)[3] == pytest.approx(distance, abs=0.06)


def test_the_cross_is_under_the_pointer(shown):
    """The middle of a box is (0, 0): there the cross is; and it moves as the pointer does, in both planes."""
    picture = shown(PLANE, point=(1.5, -1.5))
    assert len(picture.boxes) == 2
    for left, top, right, bottom in picture.boxes:
        assert right - left == pytest.approx(bottom - top, abs=1)  # a square, as both sides are 6 long
        y, x = round(top + 0.75 * (bottom - top)), round(left + 0.75 * (right - left))
        assert picture.pixels[y - 3 : y + 4, x - 3 : x + 4].min() < 30


def test_markers_have_the_shapes_they_stand_for(sessions):
    for axes in sessions["vae"].prepared.canvas.figure.axes:
        shapes = {line.get_label(): line.get_marker() for line in axes.lines if not line.get_label().startswith("_")}
        assert shapes == {"square": "s", "triangle": "^", "heart": "$\\heartsuit$"}


def test_traversal_tells_what_a_latent_follows_only_when_asked(shown):
    silent, told = (shown(TRAVERSAL, say=say) for say in (False, True))
    assert "correlation" in told.text
    assert "follows" not in silent.text
    words = np.s_[30:, 330:460]  # left of the strips
    assert (told.pixels[words] < 128).sum() > 2 * (silent.pixels[words] < 128).sum()


@pytest.mark.parametrize(("kind", "checkpoint", "role"), [("faces", "vae_portraits", "vae"), ("blobs", "betas", "beta 4")])
def test_each_slider_moves_its_latent(shown, sessions, kind, checkpoint, role):
    vae, order = load(checkpoint)[role], sessions["traversal"].prepared[kind].order
    assert sorted(order) == list(range(6))
    for place, latent in enumerate(order, start=1):
        code = torch.zeros(1, 6)
        code[0, latent] = 1.5
        assert contains(shown(TRAVERSAL, model=kind, **{f"z{place}": 1.5}), vae.decode(code).sigmoid()[0], 10)


def test_latents_are_sorted_and_named_by_what_they_follow(sessions):
    for kind, known in (("faces", {"tone", "pose", "mouth", "hair"}), ("blobs", {"x", "y", "size"})):
        told, follows = sessions["traversal"].prepared[kind][2:4]
        assert all(more >= less for more, less in pairwise(told))
        named = [words.split()[0] for words in follows if words != "tells nothing"]
        assert known >= set(named)
        assert named


def test_beta_shows_the_numbers_of_the_card(shown):
    for beta in BETAS:
        metrics = card("betas").metrics
        _, error, gap, kl, *_ = numbers(shown(BETA, beta=str(beta)).text)
        assert error == pytest.approx(metrics[f"squared error, beta {beta}"], rel=0.05)  # other 3,000 images than there
        assert gap == pytest.approx(metrics[f"MIG, beta {beta}"], abs=0.02)
        assert kl == pytest.approx(metrics[f"KL, beta {beta}"], rel=0.02)


def test_beta_shows_each_latents_price(sessions):
    images, _ = draw_blobs(3000, seed=2)
    for beta in BETAS:
        vae = load("betas")[f"beta {beta}"]
        mu, logvar = vae.encode(images)
        price = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).mean(0)
        assert sessions["beta"].prepared.models[str(beta)].told == pytest.approx(sorted(price.tolist())[::-1], rel=1e-4)


def test_beta_moves_each_latent_over_its_codes(shown, sessions):
    images, _ = draw_blobs(3000, seed=2)
    for beta in (0, 8):
        vae = load("betas")[f"beta {beta}"]
        mu, _ = vae.encode(images)
        picture = shown(BETA, beta=str(beta))
        for row, latent in enumerate(sessions["beta"].prepared.models[str(beta)].order):
            code = mu.mean(0, keepdim=True).clone()
            code[0, latent] += 2 * mu[:, latent].std()
            found = picture.pixels[28 + 68 * row : 28 + 68 * row + 64 : 2, 722 : 722 + 64 : 2, 0] / 255
            assert np.abs(found - vae.decode(code).sigmoid()[0, 0].numpy()).max() < 0.004


def test_every_value_gives_another_picture(shown):
    for demo, name, values in (
        (BOTTLENECK, "size", [str(size) for size in BOTTLENECKS]),
        (PLANE, "point", [(-3.0, -3.0), (0.0, 0.0), (0.06, 0.0), (3.0, 3.0)]),
        (TRAVERSAL, "model", ["faces", "blobs"]),
        *((TRAVERSAL, f"z{place}", [-2.0, 0.0, 0.1, 2.0]) for place in range(1, 7)),
        (BETA, "beta", [str(beta) for beta in BETAS]),
    ):
        pictures = {shown(demo, **{name: value}).pixels.tobytes() for value in values}
        assert len(pictures) == len(values), (demo.name, name)
        texts = {shown(demo, **{name: value}).text for value in values}
        assert len(texts) == len(values) or name == "model"
