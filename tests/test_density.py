"""Densities and samplers against independent references: numpy, scipy, scikit-learn, torch.distributions, integration."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from course.density import (
    ancestral_sample,
    fit_gaussian,
    gaussian_log_prob,
    histogram_density,
    inverse_cdf_sample,
    kernel_log_density,
)

seeds = st.integers(0, 10_000)


def random_covariance(generator: torch.Generator, dims: int) -> torch.Tensor:
    mix = torch.randn(dims, dims + 3, generator=generator, dtype=torch.float64)
    return mix @ mix.T / dims + 0.05 * torch.eye(dims)


@given(st.integers(1, 60), st.integers(1, 9), seeds)
def test_a_histogram_is_that_of_numpy(n, bins, seed):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.cat([torch.tensor([-1.0]), torch.rand(bins, generator=generator) + 0.1]).cumsum(0)
    x = torch.cat([3 * torch.randn(n, generator=generator), edges])  # some outside, and some on every edge
    expected, _ = np.histogram(x.numpy(), edges.numpy(), density=True)
    np.testing.assert_allclose(histogram_density(x, edges), expected, rtol=1e-5)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=30).filter(lambda values: any(-2 <= v <= 3 for v in values)))
def test_whole_numbers_on_the_edges_fall_where_numpy_puts_them(values):
    edges = torch.tensor([-2.0, -1.0, 0.0, 2.0, 3.0])
    expected, _ = np.histogram(values, edges.numpy(), density=True)
    found = histogram_density(torch.tensor(values, dtype=torch.float32), edges)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (found * edges.diff()).sum().item() == pytest.approx(1.0)


@given(st.integers(1, 40), st.integers(1, 6), seeds)
def test_a_fit_is_that_of_numpy(n, dims, seed):
    generator = torch.Generator().manual_seed(seed)
    x = 3 * torch.randn(n, dims, generator=generator, dtype=torch.float64) + 5
    mean, cov = fit_gaussian(x)
    np.testing.assert_allclose(mean, x.numpy().mean(0), rtol=1e-10)
    np.testing.assert_allclose(cov, np.cov(x.numpy().T, bias=True).reshape(dims, dims), atol=1e-10)
    torch.testing.assert_close(cov, cov.T, rtol=0, atol=1e-14)


def test_no_other_gaussian_makes_the_data_more_probable():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 3, generator=generator, dtype=torch.float64) @ random_covariance(generator, 3)
    mean, cov = fit_gaussian(x)
    best = gaussian_log_prob(x, mean, cov).sum()
    for scale in (0.9, 29 / 30, 30 / 29, 1.1):
        assert gaussian_log_prob(x, mean, scale * cov).sum() < best
    for _ in range(20):
        nudge = 0.05 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
        moved = mean + 0.05 * torch.randn(3, generator=generator, dtype=torch.float64)
        assert gaussian_log_prob(x, moved, cov + nudge @ nudge.T).sum() < best


def test_a_fit_far_from_0_keeps_its_digits():
    x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) + 30_000.0
    expected = np.cov(x.double().numpy(), rowvar=False, bias=True)
    np.testing.assert_allclose(fit_gaussian(x)[1], expected, atol=1e-3)


@given(st.integers(1, 8), st.integers(1, 6), seeds)
def test_a_log_density_is_that_of_scipy(n, dims, seed):
    generator = torch.Generator().manual_seed(seed)
    x, mean = torch.randn(n + 1, dims, generator=generator, dtype=torch.float64).split([n, 1])
    cov = random_covariance(generator, dims)
    expected = stats.multivariate_normal(mean[0].numpy(), cov.numpy()).logpdf(x.numpy())
    np.testing.assert_allclose(gaussian_log_prob(x, mean[0], cov), np.atleast_1d(expected), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    "scales", [torch.full((50,), 0.01), torch.full((50,), 50.0), torch.logspace(-3, 3, 10)], ids=["tiny", "huge", "mixed"]
)
def test_float32_is_enough_where_the_determinant_is_not(scales):
    generator = torch.Generator().manual_seed(1)
    cov = (random_covariance(generator, len(scales)) * scales[:, None] * scales).float()
    x = torch.randn(5, len(scales), generator=generator) * scales
    exact = MultivariateNormal(torch.zeros(len(scales)).double(), cov.double()).log_prob(x.double())
    torch.testing.assert_close(gaussian_log_prob(x, torch.zeros(len(scales)), cov).double(), exact, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    "cov",
    [
        torch.tensor([[1.0, 2.0], [2.0, 1.0]]),
        -torch.eye(2),  # its determinant is above 0
        torch.ones(2, 2),  # exactly singular
        torch.zeros(2, 2),
        torch.full((2, 2), math.nan),
    ],
)
def test_what_is_no_covariance_is_refused(cov):
    with pytest.raises(ValueError, match="not positive definite"):
        gaussian_log_prob(torch.zeros(3, 2), torch.zeros(2), cov)


@given(st.integers(1, 8), st.integers(1, 12), st.integers(1, 5), st.floats(0.2, 3.0), seeds)
def test_a_kernel_density_is_that_of_scikit_learn(m, n, dims, bandwidth, seed):
    query, data = torch.randn(m + n, dims, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).split([m, n])
    expected = KernelDensity(bandwidth=bandwidth, rtol=1e-12).fit(data.numpy()).score_samples(query.numpy())
    np.testing.assert_allclose(kernel_log_density(query, data, bandwidth), expected, rtol=1e-6, atol=1e-6)


def test_a_kernel_density_is_that_of_scipy_where_its_bandwidth_is_the_same():
    data = torch.randn(20, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    estimate = stats.gaussian_kde(data.numpy().T, bw_method=0.3)
    query = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    found = kernel_log_density(query, data, math.sqrt(estimate.covariance.item()))
    np.testing.assert_allclose(found, estimate.logpdf(query.numpy().T), rtol=1e-8)


@pytest.mark.parametrize("dims", [1, 2])
def test_a_kernel_density_has_area_1(dims):
    data = torch.randn(7, dims, generator=torch.Generator().manual_seed(0))
    line = torch.arange(-8, 8, 0.05)
    query = torch.cartesian_prod(*[line] * dims).reshape(-1, dims)
    assert kernel_log_density(query, data, 0.4).exp().sum().item() * 0.05**dims == pytest.approx(1.0, abs=1e-4)


def test_far_queries_stay_finite_and_close_points_keep_their_distances():
    far = kernel_log_density(torch.tensor([[1e4]]), torch.tensor([[0.0], [1.0]]), 0.5)
    assert far.item() == pytest.approx(-0.5 * (9999 / 0.5) ** 2 - math.log(2 * 0.5 * math.sqrt(2 * math.pi)), rel=1e-6)
    near = kernel_log_density(torch.tensor([[10_000.0, 0.0]]), torch.tensor([[10_000.03125, 0.0]]), 0.01)
    assert near.item() == pytest.approx(-0.5 * 3.125**2 - 2 * math.log(0.01 * math.sqrt(2 * math.pi)), rel=1e-4)


def test_memory_is_bounded_and_chunks_make_no_difference(monkeypatch):
    sizes = []
    cdist = torch.cdist
    monkeypatch.setattr(torch, "cdist", lambda *a, **k: (sizes.append(len(a[0]) * len(a[1])), cdist(*a, **k))[1])
    query, data = torch.randn(9_001, 1), torch.randn(1_500, 1)
    whole = kernel_log_density(query, data, 0.3)
    assert max(sizes) <= 2**22
    assert len(sizes) == 4
    torch.testing.assert_close(whole[-3:], kernel_log_density(query[-3:], data, 0.3))


@given(st.integers(1, 8), st.floats(0.1, 10), seeds)
def test_inverse_cdf_samples_are_those_of_scipy(bins, factor, seed):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.cat([torch.tensor([-2.0]), torch.rand(bins, generator=generator) + 0.1]).cumsum(0)
    density = factor * (torch.rand(bins, generator=generator) + 0.05)
    u = torch.rand(20, generator=generator)
    mass = (density * edges.diff()).double().numpy()  # scipy takes heights as densities or as counts: give it counts
    expected = stats.rv_histogram((mass, edges.double().numpy()), density=False).ppf(u.double().numpy())
    np.testing.assert_allclose(inverse_cdf_sample(u, edges, density), expected, atol=1e-4)


@given(st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=9).filter(any), seeds)
def test_empty_bins_are_never_drawn(heights, seed):
    edges, density = torch.arange(len(heights) + 1.0), torch.tensor(heights)
    levels = torch.cat([torch.zeros(1), density.cumsum(0)]) / density.sum()
    u = torch.cat(
        [torch.rand(200, generator=torch.Generator().manual_seed(seed)), levels[levels < 1], torch.tensor([1 - 2**-24])]
    )
    x = inverse_cdf_sample(u, edges, density)
    assert torch.isfinite(x).all()
    inside = x[x != x.round()]
    assert (density[inside.long()] > 0).all()
    assert x.min() >= 0
    assert x.max() <= len(heights)


def test_samples_of_a_histogram_have_its_density():
    edges, density = torch.tensor([0.0, 0.5, 2.0, 3.0]), torch.tensor([2.0, 0.0, 1.0])
    u = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    found = histogram_density(inverse_cdf_sample(u, edges, density), edges)
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0, 0.5]), atol=0.02, rtol=0)


def two_heaps():
    weights = torch.tensor([0.3, 0.7])
    means = torch.tensor([[-3.0, 1.0], [3.0, -2.0]])
    covs = torch.tensor([[[1.0, 0.8], [0.8, 1.0]], [[0.3, -0.2], [-0.2, 2.0]]])
    return weights, means, covs


def test_scikit_learn_finds_the_mixture_that_was_drawn_from():
    torch.manual_seed(0)
    weights, means, covs = two_heaps()
    x, component = ancestral_sample(20_000, weights, means, covs)
    found = GaussianMixture(2, random_state=0).fit(x.numpy())
    order = np.argsort(found.means_[:, 0])
    np.testing.assert_allclose(found.weights_[order], weights, atol=0.02)
    np.testing.assert_allclose(found.means_[order], means, atol=0.05)
    np.testing.assert_allclose(found.covariances_[order], covs, atol=0.08)
    guessed = np.argsort(order)[found.predict(x.numpy())]
    assert (torch.from_numpy(guessed) == component).float().mean() > 0.99


def test_the_log_density_of_samples_is_minus_the_entropy():
    torch.manual_seed(1)
    weights, means, covs = two_heaps()
    mixture = MixtureSameFamily(Categorical(weights), MultivariateNormal(means, covs))
    mine, _ = ancestral_sample(100_000, weights, means, covs)
    theirs = mixture.sample((100_000,))
    assert mixture.log_prob(mine).mean().item() == pytest.approx(mixture.log_prob(theirs).mean().item(), abs=0.02)


@pytest.mark.parametrize(("n", "k", "dims"), [(1, 1, 1), (5, 3, 2), (4, 4, 4)])
def test_shapes_and_types_of_samples(n, k, dims):
    x, component = ancestral_sample(n, torch.ones(k) / k, torch.zeros(k, dims), torch.eye(dims).expand(k, dims, dims))
    assert x.shape == (n, dims)
    assert component.shape == (n,)
    assert component.dtype == torch.int64


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: histogram_density(torch.zeros(3, 1), torch.tensor([-1.0, 1.0])), r"\(N,\)"),
        (lambda: histogram_density(torch.zeros(3), torch.tensor([1.0, 1.0])), "increase"),
        (lambda: histogram_density(torch.zeros(3), torch.tensor([1.0])), "increase"),
        (lambda: histogram_density(torch.zeros(3), torch.tensor([1.0, 2.0])), "no value"),
        (lambda: fit_gaussian(torch.zeros(3)), r"x\[:, None\]"),
        (lambda: fit_gaussian(torch.zeros(0, 2)), "at least one point"),
        (lambda: gaussian_log_prob(torch.zeros(3, 2), torch.zeros(2, 1), torch.eye(2)), r"\(D, D\)"),
        (lambda: gaussian_log_prob(torch.zeros(2), torch.zeros(2), torch.eye(2)), r"\(N, D\)"),
        (lambda: kernel_log_density(torch.zeros(3, 1), torch.zeros(4, 2), 1.0), r"\(M, D\)"),
        (lambda: kernel_log_density(torch.zeros(3, 1), torch.zeros(0, 1), 1.0), "N at least 1"),
        (lambda: kernel_log_density(torch.zeros(3, 1), torch.zeros(4, 1), 0.0), "above 0"),
        (lambda: kernel_log_density(torch.zeros(3, 1), torch.zeros(4, 1), math.nan), "above 0"),
        (lambda: inverse_cdf_sample(torch.zeros(2), torch.tensor([0.0, 1.0]), torch.ones(2)), r"\(1,\)"),
        (lambda: inverse_cdf_sample(torch.zeros(2), torch.tensor([0.0, 1.0]), torch.zeros(1)), "above 0"),
        (lambda: inverse_cdf_sample(torch.zeros(2), torch.arange(3.0), torch.tensor([2.0, -1.0])), "at least 0"),
        (lambda: ancestral_sample(2, torch.ones(2) / 2, torch.zeros(3, 2), torch.eye(2).expand(3, 2, 2)), r"\(K, D, D\)"),
        (lambda: ancestral_sample(2, torch.ones(2) / 2, torch.zeros(2), torch.eye(2)), r"\(K, D, D\)"),
        (lambda: ancestral_sample(0, torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1, 1)), "at least 1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
