"""Debiasing against numpy, scipy, scikit-learn, torch.distributions and closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from course.debiasing import (
    DBVAE,
    dbvae_loss,
    effective_sample_size,
    latent_histogram,
    latent_kl,
    outlier_scores,
    recall_by_group,
    resampled_indices,
    resampling_probabilities,
    temper,
)
from course.networks import mlp_decoder, mlp_encoder
from course.vae import VAE


def codes(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def well_known_loop(mu: np.ndarray, bins: int, smoothing: float, weights: np.ndarray, combine: str) -> np.ndarray:
    """Go over the latents one by one in numpy, as is usual, and over their logarithms for the paper's product."""
    combined = np.full(len(mu), -np.inf if combine == "max" else 0.0)
    for column, weight in zip(mu.T, weights, strict=True):
        counts, edges = np.histogram(column, bins=bins)
        q = counts / len(column) + smoothing
        edges[0], edges[-1] = -np.inf, np.inf
        of_image = (q / q.sum())[np.digitize(column, edges) - 1]
        if combine == "max":
            combined = np.maximum(combined, weight / of_image)
        else:
            combined = combined - weight * np.log(of_image)
    if combine == "product":
        combined = np.exp(combined - combined.max())
    return combined / combined.sum()


def loss_by_hand(y_logit, y, x_hat, x, mu, logvar, recon_weight=5.0, kl_weight=0.005) -> float:
    total = 0.0
    for i in range(len(y)):
        total -= Bernoulli(logits=y_logit[i]).log_prob(y[i]).item()
        if y[i] == 1:
            total += recon_weight * np.abs(x_hat[i].numpy() - x[i].numpy()).mean()
            q = Normal(mu[i], (logvar[i] / 2).exp())
            total += kl_weight * kl_divergence(q, Normal(torch.zeros(()), torch.ones(()))).sum().item()
    return total / len(y)


def batch(b: int, d: int = 3, seed: int = 0) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {
        "y_logit": 4 * torch.randn(b, generator=g),
        "y": (torch.rand(b, generator=g) < 0.5).float(),
        "x_hat": torch.rand(b, 3, 4, 2, generator=g),
        "x": torch.rand(b, 3, 4, 2, generator=g),
        "mu": torch.randn(b, d, generator=g),
        "logvar": torch.randn(b, d, generator=g),
    }


@pytest.mark.parametrize("b", [1, 2, 7])
def test_the_loss_is_the_sum_by_hand(b: int) -> None:
    given_ = batch(b, seed=b)
    assert dbvae_loss(**given_).item() == pytest.approx(loss_by_hand(**given_), rel=1e-5)
    assert dbvae_loss(**given_, recon_weight=2, kl_weight=3).item() == pytest.approx(
        loss_by_hand(**given_, recon_weight=2, kl_weight=3)
    )


def test_a_non_face_is_classified_but_never_described() -> None:
    given_ = {name: value.requires_grad_() for name, value in batch(6).items() if name != "y"}
    y = torch.tensor([1.0, 0, 0, 1, 0, 0])
    gradients = torch.autograd.grad(dbvae_loss(**given_, y=y), list(given_.values()), allow_unused=True)
    found = dict(zip(given_, gradients, strict=True))
    assert (found["y_logit"] != 0).all()
    for name in ("x_hat", "mu", "logvar"):
        assert torch.equal(found[name].flatten(1).abs().sum(1) > 0, y == 1)


def test_a_batch_without_faces_and_whole_numbers_as_labels() -> None:
    given_ = batch(4)
    given_["y"] = torch.zeros(4, dtype=torch.int64)
    assert dbvae_loss(**given_).item() == pytest.approx(torch.nn.functional.softplus(given_["y_logit"]).mean().item())


@pytest.mark.parametrize("name", ["y_logit", "y"])
def test_a_column_of_logits_raises(name: str) -> None:
    given_ = batch(4)
    given_[name] = given_[name][:, None]
    with pytest.raises(ValueError, match="squeeze"):
        dbvae_loss(**given_)
    with pytest.raises(ValueError, match="same shape"):
        dbvae_loss(**{**batch(4), "x_hat": torch.rand(4, 1, 4, 2)})


@given(st.integers(1, 200), st.integers(1, 25), st.floats(0, 0.1), st.integers(0, 1000))
@settings(deadline=None)
def test_the_histogram_is_numpys(n: int, bins: int, smoothing: float, seed: int) -> None:
    column = codes(n, 1, seed)[:, 0]
    if n == 1:
        return
    edges, q = latent_histogram(column, bins, smoothing)
    counts, expected = np.histogram(column.numpy(), bins=bins)
    np.testing.assert_allclose(edges.numpy(), expected, atol=1e-9)
    share = counts / n + smoothing
    np.testing.assert_allclose(q.numpy(), share / share.sum(), atol=1e-9)


def test_a_constant_latent_gives_no_nan() -> None:
    _, q = latent_histogram(torch.full((5,), 2.0))
    assert torch.isfinite(q).all()
    assert q.sum().item() == pytest.approx(1)
    mu = torch.stack([torch.full((5,), 2.0), torch.arange(5.0)], dim=1)
    for combine in ("max", "product"):
        assert torch.isfinite(resampling_probabilities(mu, combine=combine)).all()


@given(
    st.integers(2, 300) | st.sampled_from([2000, 4001]), st.integers(1, 6), st.integers(1, 20), st.floats(1e-4, 0.1),
    st.sampled_from(["max", "product"]), st.booleans(), st.integers(0, 1000),
)  # fmt: skip
@settings(deadline=None)
def test_the_probabilities_are_those_of_the_well_known_loop(
    n: int, d: int, bins: int, smoothing: float, combine: str, weighted: bool, seed: int
) -> None:
    mu = codes(n, d, seed)
    weights = torch.rand(d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.01
    p = resampling_probabilities(mu, bins, smoothing, combine, weights if weighted else None)
    expected = well_known_loop(mu.numpy(), bins, smoothing, weights.numpy() if weighted else np.ones(d), combine)
    np.testing.assert_allclose(p.numpy(), expected, rtol=1e-7)
    assert (p > 0).all()
    assert p.sum().item() == pytest.approx(1)


def test_a_product_of_very_many_latents_does_not_underflow() -> None:
    p = resampling_probabilities(codes(2000, 400).float(), combine="product")
    assert torch.isfinite(p).all()
    assert p.sum().item() == pytest.approx(1, abs=1e-5)
    assert effective_sample_size(p) < 20  # and it is all but one image: this is why it is tempered


def test_a_latent_of_weight_zero_does_not_count() -> None:
    mu = codes(500, 3)
    for combine in ("max", "product"):
        without = resampling_probabilities(mu[:, [0, 2]], combine=combine)
        p = resampling_probabilities(mu, combine=combine, latent_weights=torch.tensor([1.0, 0.0, 1.0]))
        torch.testing.assert_close(p, without)


def test_what_is_uniform_is_drawn_uniformly() -> None:
    mu = torch.arange(1000.0)[torch.randperm(1000)][:, None]
    torch.testing.assert_close(resampling_probabilities(mu), torch.full((1000,), 1e-3), rtol=1e-4, atol=0)


def test_latent_kl_is_that_of_torch_distributions() -> None:
    mu, logvar = codes(50, 4), codes(50, 4, 1)
    expected = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))).mean(0)
    torch.testing.assert_close(latent_kl(mu, logvar), expected)


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_temper_is_the_root_that_scipy_finds(fraction: float) -> None:
    p = torch.softmax(6 * codes(400, 1)[:, 0], dim=0)

    def excess(t: float) -> float:
        q = p.numpy() ** t / (p.numpy() ** t).sum()
        return 1 / (q**2).sum() - fraction * 400

    t = 0.0 if fraction == 1 else optimize.brentq(excess, 0, 1)
    expected = p.numpy() ** t / (p.numpy() ** t).sum()
    found = temper(p, fraction)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert effective_sample_size(found) >= fraction * 400 * (1 - 1e-9)


def test_temper_leaves_what_is_flat_enough() -> None:
    p = torch.softmax(0.1 * codes(100, 1)[:, 0], dim=0)
    torch.testing.assert_close(temper(p, 0.5), p)
    with pytest.raises(ValueError, match="effective_fraction"):
        temper(p, 0.0)


def test_effective_sample_size_of_equal_and_of_single_weights() -> None:
    assert effective_sample_size(torch.full((40,), 1 / 40)) == pytest.approx(40)
    assert effective_sample_size(torch.tensor([1.0, 0, 0])) == 1


def test_draws_follow_the_probabilities() -> None:
    p = torch.tensor([0.1, 0.0, 0.4, 0.5])
    drawn = resampled_indices(p, 20_000, torch.Generator().manual_seed(0))
    counts = np.bincount(drawn.numpy(), minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], 20_000 * p[[0, 2, 3]].double().numpy()).pvalue > 1e-6
    again = resampled_indices(p, 20_000, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)


def test_recall_is_scikit_learns() -> None:
    g = torch.Generator().manual_seed(0)
    predicted, group = torch.rand(300, generator=g) < 0.7, torch.randint(0, 4, (300,), generator=g)
    group[group == 2] = 3
    recall = recall_by_group(predicted, group, 5)
    for i in (0, 1, 3):
        chosen = group == i
        assert recall[i].item() == pytest.approx(recall_score(np.ones(int(chosen.sum())), predicted[chosen].numpy()))
    assert math.isnan(recall[2])
    assert math.isnan(recall[4])
    with pytest.raises(ValueError):
        recall_by_group(predicted, group[:1], 4)


@pytest.mark.parametrize("training", [True, False])
def test_outlier_scores_are_those_of_torch_distributions(training: bool) -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(mlp_encoder((3, 4, 4), 4), nn.Dropout(0.5))
    model = VAE(encoder, mlp_decoder(2, (3, 4, 4)), 2).train(training)
    x = torch.rand(5, 3, 4, 4)
    scores = outlier_scores(model, x)
    assert model.training is training
    assert not scores.requires_grad
    model.eval()
    mu, logvar = model.encode(x)
    price = -Bernoulli(logits=model.decode(mu), validate_args=False).log_prob(x).sum(dim=(1, 2, 3))
    kl = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(torch.zeros(()), torch.ones(()))).sum(1)
    torch.testing.assert_close(scores, (price + kl).detach())


def test_the_network_splits_its_numbers() -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))
    model = DBVAE(encoder, mlp_decoder(2, (3, 4, 4)), 2)
    x = torch.rand(6, 3, 4, 4)
    raw = encoder(x)
    y_logit, mu, logvar = model.encode(x)
    assert torch.equal(torch.cat([y_logit[:, None], mu, logvar], dim=1), raw)
    y_logit, x_hat, mu, logvar = model(x)
    assert y_logit.shape == (6,)
    assert x_hat.shape == x.shape
    assert 0 <= x_hat.min() <= x_hat.max() <= 1
    assert mu.shape == logvar.shape == (6, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: latent_histogram(torch.zeros(3, 2)), "mu_column (3, 2)"),
        (lambda: resampling_probabilities(torch.zeros(3)), "mu (3,)"),
        (lambda: resampling_probabilities(torch.zeros(0, 2)), "mu (0, 2)"),
        (lambda: resampling_probabilities(torch.zeros(3, 2), combine="mean"), "'mean'"),
        (lambda: resampling_probabilities(torch.zeros(3, 2), latent_weights=torch.ones(3)), "latent_weights (3,)"),
        (lambda: latent_kl(torch.zeros(3, 2), torch.zeros(3, 1)), "(3, 1)"),
    ],
)
def test_bad_shapes_are_named(call, words: str) -> None:
    with pytest.raises(ValueError) as error:
        call()
    assert words in str(error.value)
