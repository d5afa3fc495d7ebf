"""The autoencoder's functions against independent references: scikit-learn, scipy, closed forms, brute force."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import sqeuclidean
from sklearn.decomposition import PCA
from torch import nn

from course.autoencoder import (
    Autoencoder,
    build_decoder,
    build_encoder,
    nearest_codes,
    pca_reconstruct,
    squared_error,
    train_epoch,
)


def linear_autoencoder(pixels: int, latent: int, seed: int = 0) -> Autoencoder:
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, latent))
    return Autoencoder(encoder, nn.Sequential(nn.Linear(latent, pixels), nn.Unflatten(1, (1, 1, pixels))))


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000))
def test_squared_error_is_scipys_for_each_image(batch, channels, height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    x_hat, x = torch.randn(2, batch, channels, height, width, generator=generator, dtype=torch.float64)
    expected = [sqeuclidean(a.flatten(), b.flatten()) for a, b in zip(x_hat.numpy(), x.numpy(), strict=True)]
    np.testing.assert_allclose(squared_error(x_hat, x), expected, rtol=1e-12)


def test_the_gradient_of_the_squared_error_is_twice_the_difference():
    x_hat, x = torch.randn(2, 4, 1, 3, 2)
    x_hat[0] = x[0]  # a perfect copy among them
    x_hat.requires_grad_()
    (gradient,) = torch.autograd.grad(squared_error(x_hat, x).sum(), x_hat)
    torch.testing.assert_close(gradient, 2 * (x_hat - x).detach())


@pytest.mark.parametrize("shape", [(4, 1, 3, 1), (1, 1, 3, 2), (4, 3, 2), (4,)])
def test_images_that_would_broadcast_are_refused(shape):
    with pytest.raises(ValueError, match="same shape"):
        squared_error(torch.zeros(4, 1, 3, 2), torch.zeros(shape))


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([(1, 28, 28), (1, 32, 32), (3, 16, 24), (2, 64, 16)]), st.integers(1, 12), st.integers(1, 4))
def test_the_networks_map_between_images_and_codes(shape, latent, batch):
    x = torch.rand(batch, *shape)
    codes = build_encoder(shape, latent)(x)
    assert codes.shape == (batch, latent)
    assert build_decoder(latent, shape)(codes).shape == x.shape


def test_the_model_is_the_decoder_after_the_encoder():
    model, x = linear_autoencoder(6, 2), torch.rand(5, 1, 1, 6)
    (_, first), (second, _) = model.encoder, model.decoder
    codes = x.flatten(1) @ first.weight.T + first.bias
    torch.testing.assert_close(model.encode(x), codes)
    torch.testing.assert_close(model(x).flatten(1), codes @ second.weight.T + second.bias)


@pytest.mark.parametrize("sizes", [(4, 4, 1), (3,), (1, 5, 2)])
def test_an_epoch_is_one_step_of_sgd_for_each_batch(sizes):
    torch.manual_seed(1)
    model, x = linear_autoencoder(5, 2).eval(), torch.rand(sum(sizes), 1, 1, 5)
    twin = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)  # stale: must not matter
    mean = train_epoch(model, iter(x.split(list(sizes))), torch.optim.SGD(model.parameters(), lr=0.05))

    total, parameters = 0.0, list(twin.parameters())
    for batch in x.split(list(sizes)):
        errors = ((twin(batch) - batch) ** 2).flatten(1).sum(1)
        total += errors.sum().item()
        for parameter, gradient in zip(parameters, torch.autograd.grad(errors.mean(), parameters), strict=True):
            parameter.data -= 0.05 * gradient
    assert type(mean) is float
    assert mean == pytest.approx(total / sum(sizes), rel=1e-5)
    for got, expected in zip(model.parameters(), parameters, strict=True):
        torch.testing.assert_close(got, expected)
    assert all(module.training for module in model.modules())


def test_an_epoch_without_a_batch_is_refused():
    model = linear_autoencoder(5, 2)
    batches = iter([torch.rand(2, 1, 1, 5)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    train_epoch(model, batches, optimizer)
    with pytest.raises(ValueError, match="only once"):
        train_epoch(model, batches, optimizer)


@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 1000), st.data())
def test_pca_is_scikit_learns(n, d, seed, data):
    k = data.draw(st.integers(1, min(n, d)))
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 5
    pca = PCA(k, svd_solver="full").fit(x)
    expected = pca.inverse_transform(pca.transform(x))
    np.testing.assert_allclose(pca_reconstruct(x, k), expected, atol=1e-8)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_the_error_of_pca_is_the_spectrum_that_was_cut_off(n, d, seed):
    """Eckart & Young: the squared error is the sum of the squared singular values after the first k."""
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    spectrum = np.linalg.svd(x.numpy() - x.numpy().mean(0), compute_uv=False) ** 2
    before = x.clone()
    for k in range(d + 1):
        error = (pca_reconstruct(x, k) - x).square().sum().item()
        assert error == pytest.approx(spectrum[k:].sum(), abs=1e-9)
    assert torch.equal(x, before)


def test_no_component_leaves_the_mean_and_all_leave_everything():
    x = torch.randn(6, 4)
    torch.testing.assert_close(pca_reconstruct(x, 0), x.mean(0).expand(6, 4))
    torch.testing.assert_close(pca_reconstruct(x, 4), x)
    torch.testing.assert_close(pca_reconstruct(x[:2], 3), x[:2])  # fewer rows than components


@pytest.mark.parametrize(("shape", "k"), [((6, 4), -1), ((6, 4), 5), ((6, 2, 2), 1)])
def test_an_impossible_number_of_components_is_refused(shape, k):
    with pytest.raises(ValueError, match="from 0 to D"):
        pca_reconstruct(torch.zeros(shape), k)


def test_no_linear_autoencoder_beats_pca_and_a_trained_one_comes_near():
    torch.manual_seed(0)
    x = torch.randn(200, 6) * torch.tensor([3.0, 2.0, 1.0, 0.5, 0.5, 0.2]) + 1
    best = (pca_reconstruct(x, 2) - x).square().sum(1).mean().item()
    model = linear_autoencoder(6, 2)
    images, optimizer = x.reshape(200, 1, 1, 6), torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(400):
        train_epoch(model, [images], optimizer)
    error = squared_error(model(images), images).mean().item()
    assert best * (1 - 1e-4) < error < 1.02 * best


@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 4), st.integers(0, 1000), st.data())
def test_neighbours_are_those_of_a_tree(batch, n, d, seed, data):
    k = data.draw(st.integers(1, n))
    generator = torch.Generator().manual_seed(seed)
    z, codes = torch.randn(batch, d, generator=generator), torch.randn(n, d, generator=generator)
    found = nearest_codes(z, codes, k)
    assert found.shape == (batch, k)
    assert found.dtype == torch.int64
    expected, _ = cKDTree(codes.numpy()).query(z.numpy(), k=list(range(1, k + 1)))
    distances = (codes[found] - z[:, None]).norm(dim=2)
    np.testing.assert_allclose(distances, expected, atol=1e-5)
    assert all(len(set(row)) == k for row in found.tolist())


def test_neighbours_are_right_far_from_0():
    """Where ‖a‖² − 2ab + ‖b‖² in float32 has no digit left for the difference."""
    codes = 1e4 + torch.arange(64.0)[:, None].expand(64, 2)
    z = codes + 0.2
    assert nearest_codes(z, codes, 1)[:, 0].tolist() == list(range(64))


@pytest.mark.parametrize(
    ("z", "codes", "k"), [((3, 2), (5, 3), 1), ((3, 2), (5, 2), 0), ((3, 2), (5, 2), 6), ((2,), (5, 2), 1)]
)
def test_impossible_neighbours_are_refused(z, codes, k):
    with pytest.raises(ValueError, match="from 1 to N"):
        nearest_codes(torch.zeros(z), torch.zeros(codes), k)


def test_a_small_bottleneck_learns_what_matters():
    """Images of one shade each need one number: an autoencoder with D = 1 gets far below the mean image."""
    torch.manual_seed(0)
    x = torch.rand(256, 1, 1, 1).expand(256, 1, 16, 16).contiguous()
    model = Autoencoder(build_encoder((1, 16, 16), 1), build_decoder(1, (1, 16, 16)))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    costs = [train_epoch(model, x.split(100), optimizer) for _ in range(40)]
    blind = squared_error(x.mean(0).expand_as(x), x).mean().item()
    assert blind == pytest.approx(256 / 12, rel=0.2)
    assert costs[-1] < 0.05 * blind
    assert math.isfinite(sum(costs))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_everything_works_on_a_gpu():
    x = torch.rand(8, 1, 16, 16, device="cuda")
    model = Autoencoder(build_encoder((1, 16, 16), 2), build_decoder(2, (1, 16, 16))).cuda()
    assert train_epoch(model, x.split(3), torch.optim.SGD(model.parameters(), lr=1e-3)) > 0
    assert pca_reconstruct(x.flatten(1), 2).device.type == "cuda"
    assert nearest_codes(model.encode(x), model.encode(x), 2).device.type == "cuda"
