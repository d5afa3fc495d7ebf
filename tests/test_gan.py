"""The GAN's functions against independent references: double-precision losses, finite differences, scipy, rotations."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from course.gan import (
    append_label_maps,
    append_labels,
    discriminator_loss,
    discriminator_step,
    generator_loss_minimax,
    generator_loss_nonsaturating,
    generator_step,
    interpolate,
    optimal_discriminator,
    r1_penalty,
)
from course.metrics import frechet_distance
from course.networks import PassOnTheMaps, image_discriminator, image_generator

SEEDS = st.integers(0, 1000)


def normal(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(inputs: int, outputs: int, seed: int = 0, batch_norm: bool = True) -> nn.Sequential:
    torch.manual_seed(seed)
    norm = nn.BatchNorm1d(5) if batch_norm else nn.Identity()
    return nn.Sequential(nn.Linear(inputs, 5), norm, nn.Tanh(), nn.Linear(5, outputs))


def test_no_discriminator_beats_the_optimal_one():
    x = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    p_data = torch.distributions.Normal(1.0, 0.7).log_prob(x).exp()
    p_model = torch.distributions.Normal(-0.5, 1.2).log_prob(x).exp()

    def loss(d: Tensor) -> float:
        return -torch.trapezoid(torch.xlogy(p_data, d) + torch.xlogy(p_model, 1 - d), x).item()

    best = optimal_discriminator(p_data, p_model)
    for bend in (torch.sin(x), torch.cos(3 * x), torch.ones_like(x)):
        for size in (0.1, -0.1, 0.01, -0.01):
            assert loss(torch.sigmoid(torch.logit(best) + size * bend)) > loss(best)


def test_where_the_densities_are_the_same_d_says_a_half_and_pays_log_4():
    d = optimal_discriminator(torch.rand(50) + 0.1, torch.rand(50)), optimal_discriminator(torch.ones(50), torch.ones(50))
    assert d[0].unique().numel() > 1
    assert d[1].unique().tolist() == [0.5]
    logits = torch.logit(d[1])
    assert discriminator_loss(logits, logits).item() == pytest.approx(math.log(4))


def test_the_optimal_discriminator_where_a_density_is_zero():
    d = optimal_discriminator(torch.tensor([0.0, 2.0, 0.0, 1e-40]), torch.tensor([3.0, 0.0, 0.0, 0.0]))
    assert d.tolist() == [0.0, 1.0, 0.5, 1.0]
    with pytest.raises(ValueError, match="same shape"):
        optimal_discriminator(torch.ones(3), torch.ones(3, 1))


@given(SEEDS, st.integers(1, 6), st.integers(1, 6), st.sampled_from([1.0, 8.0, 100.0]))
def test_losses_are_cross_entropies(seed, reals, fakes, scale):
    real, fake = normal(seed, reals, 1, scale=scale), normal(seed + 1, fakes, 1, scale=scale)
    of_real = F.binary_cross_entropy_with_logits(real.double(), torch.ones(reals, 1, dtype=torch.float64))
    of_fake = F.binary_cross_entropy_with_logits(fake.double(), torch.zeros(fakes, 1, dtype=torch.float64))
    fooled = F.binary_cross_entropy_with_logits(fake.double(), torch.ones(fakes, 1, dtype=torch.float64))
    assert discriminator_loss(real, fake).item() == pytest.approx((of_real + of_fake).item(), rel=1e-5, abs=1e-7)
    assert generator_loss_minimax(fake).item() == pytest.approx(-of_fake.item(), rel=1e-5, abs=1e-7)
    assert generator_loss_nonsaturating(fake).item() == pytest.approx(fooled.item(), rel=1e-5, abs=1e-7)


def test_gradients_of_the_generator_losses_when_the_discriminator_is_sure():
    # d/dl log(1 − sigmoid(l)) = −sigmoid(l), which is gone at l = −100; d/dl −log sigmoid(l) = −sigmoid(−l) is not.
    for loss, expected in ((generator_loss_minimax, 0.0), (generator_loss_nonsaturating, -1.0)):
        logits = torch.full((1, 1), -100.0, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss(logits), logits)
        assert gradient.item() == pytest.approx(expected, abs=1e-30)


def test_a_step_of_d_is_sgd_along_its_loss_and_leaves_g_alone():
    G, D = network(3, 2), network(2, 1, seed=1)
    G.eval()
    x, z = normal(0, 6, 2), normal(1, 4, 3)
    for parameter in D.parameters():
        parameter.grad = torch.ones_like(parameter)  # stale: must not matter
    before = [parameter.clone() for parameter in D.parameters()]
    untouched = {name: value.clone() for name, value in G.state_dict().items()}
    real, fake = D(x), D(G(z))
    cost = -F.logsigmoid(real).mean() - torch.log(1 - torch.sigmoid(fake)).mean()
    gradients = torch.autograd.grad(cost, list(D.parameters()))
    reported = discriminator_step(G, D, x, z, torch.optim.SGD(D.parameters(), lr=0.1))
    for parameter, old, gradient in zip(D.parameters(), before, gradients, strict=True):
        torch.testing.assert_close(parameter.detach(), old - 0.1 * gradient)
    assert type(reported) is float
    assert reported == pytest.approx(cost.item(), rel=1e-5)
    assert all(torch.equal(value, untouched[name]) for name, value in G.state_dict().items())
    assert all(parameter.grad is None for parameter in G.parameters())
    assert not G.training
    assert D.training


def test_a_step_of_g_is_sgd_through_d_and_leaves_d_alone():
    G, D = network(3, 2), network(2, 1, seed=1).eval()
    z = normal(1, 4, 3)
    before = [parameter.clone() for parameter in G.parameters()]
    untouched = {name: value.clone() for name, value in D.state_dict().items()}
    cost = -torch.log(torch.sigmoid(D(G(z)))).mean()
    gradients = torch.autograd.grad(cost, list(G.parameters()))
    reported = generator_step(G, D, z, torch.optim.SGD(G.parameters(), lr=0.1))
    for parameter, old, gradient in zip(G.parameters(), before, gradients, strict=True):
        torch.testing.assert_close(parameter.detach(), old - 0.1 * gradient)
    assert type(reported) is float
    assert reported == pytest.approx(cost.item(), rel=1e-5)
    assert all(torch.equal(value, untouched[name]) for name, value in D.state_dict().items())
    assert all(parameter.requires_grad for parameter in D.parameters())
    assert not D.training


@given(SEEDS, st.sampled_from([(1, (2,)), (4, (2,)), (3, (2, 2, 1))]))
def test_r1_is_that_of_finite_differences(seed, shapes):
    batch, shape = shapes
    D = nn.Sequential(nn.Flatten(), network(math.prod(shape), 1, seed, batch_norm=False)).double()
    x = normal(seed, batch, *shape).double()
    h, total = 1e-5, 0.0
    with torch.no_grad():
        for index in np.ndindex(batch, *shape):
            up, down = x.clone(), x.clone()
            up[index] += h
            down[index] -= h
            total += ((D(up)[index[0]] - D(down)[index[0]]) / (2 * h)).item() ** 2
    assert r1_penalty(D, x).item() == pytest.approx(total / batch, rel=1e-6)
    assert not x.requires_grad


def test_r1_can_be_differentiated_again():
    D = network(2, 1, batch_norm=False).double()
    x = normal(0, 4, 2).double()
    (gradient,) = torch.autograd.grad(r1_penalty(D, x), D[0].weight)
    h = 1e-6
    for index in np.ndindex(*D[0].weight.shape):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                D[0].weight[index] += sign * h
            values.append(r1_penalty(D, x).item())
            with torch.no_grad():
                D[0].weight[index] -= sign * h
        assert gradient[index].item() == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-4, abs=1e-6)


@given(SEEDS, st.integers(2, 9), st.booleans())
def test_a_walk_has_exactly_its_ends(seed, steps, spherical):
    z0, z1 = normal(seed, 6), normal(seed + 1, 6, scale=3)
    z = interpolate(z0, z1, steps, spherical)
    assert z.shape == (steps, 6)
    assert torch.equal(z[0], z0)
    assert torch.equal(z[-1], z1)


def test_a_straight_walk_takes_equal_steps():
    z = interpolate(normal(0, 4), normal(1, 4), 6)
    torch.testing.assert_close(z.diff(dim=0), z.diff(dim=0)[:1].expand(5, -1))


@given(SEEDS, st.floats(0.05, 3.0))
def test_a_spherical_walk_is_a_rotation_when_the_ends_are_of_one_length(seed, angle):
    basis = scipy.linalg.qr(normal(seed, 4, 4).double().numpy())[0]
    plane = np.zeros((4, 4))
    plane[0, 1], plane[1, 0] = -1, 1
    generator = basis @ plane @ basis.T  # turns in one plane
    z0 = 2.5 * basis[:, 0]
    expected = np.stack([scipy.linalg.expm(t * angle * generator) @ z0 for t in np.linspace(0, 1, 5)])
    z = interpolate(torch.from_numpy(z0), torch.from_numpy(expected[-1].copy()), 5, spherical=True)
    np.testing.assert_allclose(z.numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("stretch", [1.0, 2.0, 1.0 + 1e-6])
def test_a_spherical_walk_between_parallel_ends_is_straight(stretch):
    z0 = normal(3, 5)
    z = interpolate(z0, stretch * z0, 4, spherical=True)
    torch.testing.assert_close(z, interpolate(z0, stretch * z0, 4))


def test_bad_walks_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        interpolate(torch.zeros(3), torch.zeros(1), 4)
    with pytest.raises(ValueError, match="two ends"):
        interpolate(torch.zeros(3), torch.zeros(3), 1)


@given(SEEDS, st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_labels_are_appended(seed, batch, width, classes):
    labels = torch.randint(classes, (batch,), generator=torch.Generator().manual_seed(seed))
    z, x = normal(seed, batch, width), normal(seed, batch, width, 2, 3)
    with_noise, with_image = append_labels(z, labels, classes), append_label_maps(x, labels, classes)
    assert torch.equal(with_noise[:, :width], z)
    assert torch.equal(with_image[:, :width], x)
    assert with_noise.shape == (batch, width + classes)
    assert with_image.shape == (batch, width + classes, 2, 3)
    assert torch.equal(with_noise[:, width:].argmax(1), labels)
    assert torch.equal(with_noise[:, width:].sum(1), torch.ones(batch))
    assert torch.equal(with_image[:, width:].mean((2, 3)), with_noise[:, width:])
    assert with_image[:, width:].std((2, 3)).max() == 0


def test_labels_that_do_not_fit_are_refused():
    for labels in (torch.zeros(3, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.int64)):
        with pytest.raises(ValueError, match="must be"):
            append_labels(torch.zeros(2, 4), labels, 3)
        with pytest.raises(ValueError, match="must be"):
            append_label_maps(torch.zeros(2, 1, 4, 4), labels, 3)


def covariance(seed: int, d: int, rank: int) -> Tensor:
    factor = normal(seed, d, rank).double()
    return factor @ factor.T / rank


@given(SEEDS, st.integers(1, 6))
def test_frechet_is_that_of_scipy(seed, d):
    mu1, mu2 = normal(seed, d).double(), normal(seed + 1, d).double()
    cov1, cov2 = covariance(seed, d, d + 2), covariance(seed + 1, d, d + 2)
    root = np.real(scipy.linalg.sqrtm(cov1.numpy() @ cov2.numpy()))
    expected = ((mu1 - mu2) ** 2).sum().item() + np.trace(cov1.numpy() + cov2.numpy() - 2 * root)
    assert frechet_distance(mu1, cov1, mu2, cov2) == pytest.approx(expected, abs=1e-6)


@given(SEEDS, st.integers(1, 4), st.integers(1, 4))
def test_frechet_of_flat_normals(seed, rank1, rank2):
    # scipy's square root of a singular product is not reliable; a little noise on the diagonal makes it so.
    d = 5
    cov1, cov2, mu = covariance(seed, d, rank1), covariance(seed + 1, d, rank2), torch.zeros(d)
    noise = 1e-10 * torch.eye(d, dtype=torch.float64)
    root = np.real(scipy.linalg.sqrtm(((cov1 + noise) @ (cov2 + noise)).numpy()))
    expected = np.trace((cov1 + cov2).numpy() - 2 * root)
    assert frechet_distance(mu, cov1, mu, cov2) == pytest.approx(expected, abs=1e-3)


def test_frechet_of_known_normals():
    # along the axes it is the squared distance of the standard deviations
    mu1, mu2 = torch.tensor([0.0, 3.0]), torch.tensor([4.0, 0.0])
    one, other = torch.diag(torch.tensor([4.0, 0.0])), torch.diag(torch.tensor([9.0, 25.0]))
    assert frechet_distance(mu1, one, mu2, other) == pytest.approx(25 + 1 + 25)
    assert frechet_distance(mu1, one, mu1, one) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="must be"):
        frechet_distance(mu1, one, mu2, other[0])


@pytest.mark.parametrize(("shape", "widths"), [((3, 32, 32), (64, 32, 24, 16)), ((1, 16, 16), (8, 6, 4)), ((1, 4, 4), (5,))])
def test_image_networks_map_noise_to_images_and_images_to_logits(shape, widths):
    images = image_generator(7, shape, widths)(normal(0, 3, 7))
    assert images.shape == (3, *shape)
    assert images.abs().max() <= 1
    assert image_discriminator(shape, widths[:0:-1] or (5,))(images).shape == (3, 1)


def test_image_networks_refuse_sizes_they_cannot_make():
    with pytest.raises(ValueError, match="32 x 32 pixels"):
        image_generator(7, (1, 28, 28))
    with pytest.raises(ValueError, match="multiples of 8"):
        image_discriminator((1, 28, 28))


def test_fakes_carry_the_maps_of_the_labels_that_came_with_their_noise():
    body = nn.Sequential(nn.Linear(7 + 3, 2 * 4 * 4), nn.Unflatten(1, (2, 4, 4)))
    labels, z = torch.tensor([2, 0, 2, 1]), append_labels(normal(0, 4, 7), torch.tensor([2, 0, 2, 1]), 3)
    torch.testing.assert_close(PassOnTheMaps(body, noise=7)(z), append_label_maps(body(z), labels, 3))
