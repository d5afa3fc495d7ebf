"""The VAE's functions against independent references: torch.distributions, numerical integration, Monte Carlo."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from course.networks import conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from course.vae import VAE, bernoulli_nll, gaussian_kl, negative_elbo, reparameterize, train_step, traverse

SHAPE = (1, 8, 8)


def small_vae(latent_dim: int = 3, seed: int = 0) -> VAE:
    torch.manual_seed(seed)
    return VAE(mlp_encoder(SHAPE, 2 * latent_dim, hidden=16), mlp_decoder(latent_dim, SHAPE, hidden=16), latent_dim)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 1000))
def test_kl_is_that_of_torch_distributions(batch, latents, seed):
    generator = torch.Generator().manual_seed(seed)
    mu, logvar = 3 * torch.randn(2, batch, latents, generator=generator)
    expected = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(torch.zeros(()), torch.ones(()))).sum(1)
    torch.testing.assert_close(gaussian_kl(mu, logvar), expected, rtol=1e-4, atol=1e-4)


def test_kl_is_the_integral_it_stands_for():
    mu, logvar = 0.7, -1.2
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    q, prior = Normal(mu, math.exp(logvar / 2)), Normal(0.0, 1.0)
    integral = torch.trapezoid(q.log_prob(z).exp() * (q.log_prob(z) - prior.log_prob(z)), z)
    value = gaussian_kl(torch.tensor([[mu]], dtype=torch.float64), torch.tensor([[logvar]], dtype=torch.float64))
    assert value.item() == pytest.approx(integral.item(), abs=1e-8)


@given(st.integers(0, 1000))
def test_nll_is_that_of_torch_distributions(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 10 * torch.randn(3, 2, 4, 5, generator=generator)
    x = torch.rand(3, 2, 4, 5, generator=generator).round()
    expected = -Independent(Bernoulli(logits=logits), 3).log_prob(x)
    torch.testing.assert_close(bernoulli_nll(logits, x), expected)


def test_nll_of_saturated_pixels_is_finite_and_linear():
    logits = torch.tensor([1e4, -1e4]).reshape(2, 1, 1, 1)
    assert bernoulli_nll(logits, torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)).tolist() == [1e4, 1e4]


def test_reparameterized_codes_have_the_distribution_that_was_asked_for():
    torch.manual_seed(0)
    mu, logvar = torch.tensor([1.5, -2.0]), torch.tensor([0.8, -1.0])
    z = reparameterize(mu.repeat(200_000, 1), logvar.repeat(200_000, 1))
    torch.testing.assert_close(z.mean(0), mu, atol=0.02, rtol=0)
    torch.testing.assert_close(z.var(0), logvar.exp(), atol=0, rtol=0.02)


def test_reparameterization_gradient_is_that_of_the_expectation():
    # E[z²] = mu² + exp(logvar), so its gradient is (2 mu, exp(logvar)).
    torch.manual_seed(0)
    mu = torch.full((400_000, 1), 0.6, requires_grad=True)
    logvar = torch.full((400_000, 1), -0.5, requires_grad=True)
    grad_mu, grad_logvar = torch.autograd.grad(reparameterize(mu, logvar).pow(2).sum(), (mu, logvar))
    assert grad_mu.mean().item() == pytest.approx(1.2, abs=0.02)
    assert grad_logvar.mean().item() == pytest.approx(math.exp(-0.5), abs=0.02)


@pytest.mark.parametrize("function", [reparameterize, gaussian_kl, bernoulli_nll])
@pytest.mark.parametrize("shape", [(4, 1), (4,), (3, 2), (1, 2)])
def test_shapes_that_would_broadcast_are_refused(function, shape):
    with pytest.raises(ValueError, match="same shape"):
        function(torch.zeros(4, 2), torch.zeros(shape))


def test_negative_elbo_bounds_the_evidence_from_above():
    # A linear decoder and a 1-D code: −log p(x) by integrating the prior numerically, per image.
    torch.manual_seed(1)
    weight, bias = torch.randn(6), torch.randn(6)
    x = torch.rand(5, 1, 2, 3).round()
    z = torch.linspace(-10, 10, 20_001)
    log_joint = Bernoulli(logits=z[:, None, None] * weight + bias).log_prob(x.flatten(1)).sum(-1)  # (Z, B)
    log_joint = log_joint + Normal(0.0, 1.0).log_prob(z)[:, None]
    log_evidence = torch.logsumexp(log_joint, 0) + math.log(z[1] - z[0])
    mu, logvar = torch.randn(5, 1) / 2, torch.randn(5, 1) / 2 - 1
    draws = 4000
    codes = reparameterize(mu.repeat(draws, 1), logvar.repeat(draws, 1))
    logits = (codes * weight + bias).reshape(-1, 1, 2, 3)
    loss = negative_elbo(logits, x.repeat(draws, 1, 1, 1), mu.repeat(draws, 1), logvar.repeat(draws, 1))
    assert loss.item() >= -log_evidence.mean().item()
    # and the gap is KL(q ‖ posterior), also by integration
    posterior = log_joint - torch.logsumexp(log_joint, 0) - math.log(z[1] - z[0])  # log density (Z, B)
    log_q = Normal(mu[:, 0], (logvar[:, 0] / 2).exp()).log_prob(z[:, None])
    gap = torch.trapezoid(log_q.exp() * (log_q - posterior), z, dim=0).mean()
    assert loss.item() == pytest.approx((gap - log_evidence.mean()).item(), abs=0.05)


@pytest.mark.parametrize(("beta", "expected"), [(0.0, 2.0), (1.0, 5.0), (4.0, 14.0)])
def test_beta_weighs_the_kl(beta, expected):
    # One black pixel with this logit costs 2 nats; mu = sqrt(6), sigma = 1 costs 3.
    x = torch.zeros(3, 1, 1, 1)
    logits = torch.full((3, 1, 1, 1), math.log(math.exp(2.0) - 1))  # softplus of it is 2
    mu, logvar = torch.full((3, 1), math.sqrt(6)), torch.zeros(3, 1)
    assert negative_elbo(logits, x, mu, logvar, beta).item() == pytest.approx(expected, rel=1e-5)


def test_model_returns_logits_mu_logvar():
    model, x = small_vae(), torch.rand(5, *SHAPE)
    logits, mu, logvar = model(x)
    assert logits.shape == x.shape
    assert mu.shape == logvar.shape == (5, 3)
    assert logits.min() < 0  # logits, not images
    torch.testing.assert_close(torch.cat([mu, logvar], 1), model.encoder(x))


@pytest.mark.parametrize("training", [True, False])
def test_sampling_and_traversing_leave_the_model_as_it_was(training):
    model = small_vae()
    model.decoder.append(nn.Dropout(0.5))
    model.train(training)
    z = torch.randn(3)
    before = z.clone()
    images = model.sample(7)
    strip = traverse(model, z, 1, torch.linspace(-3, 3, 5))
    assert images.shape == (7, *SHAPE)
    assert strip.shape == (5, *SHAPE)
    for result in (images, strip):
        assert not result.requires_grad
        assert 0 <= result.min() <= result.max() <= 1
    assert all(module.training is training for module in model.modules())
    assert torch.equal(z, before)
    assert torch.equal(strip, traverse(model, z, 1, torch.linspace(-3, 3, 5)))  # no dropout at work


def test_traversal_moves_one_latent():
    model, z = small_vae(), torch.tensor([0.3, -1.0, 2.0])
    expected = torch.sigmoid(model.decode(torch.tensor([[0.3, 5.0, 2.0], [0.3, 6.0, 2.0]])))
    torch.testing.assert_close(traverse(model, z, 1, torch.tensor([5.0, 6.0])), expected)


def test_a_step_is_sgd_along_the_gradient_of_the_loss():
    model, x = small_vae(), torch.rand(6, *SHAPE)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)  # stale: must not matter
    before = [parameter.clone() for parameter in model.parameters()]
    torch.manual_seed(3)
    logits, mu, logvar = model(x)
    loss = negative_elbo(logits, x, mu, logvar, 2.0)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    torch.manual_seed(3)
    report = train_step(model, x, torch.optim.SGD(model.parameters(), lr=0.01), beta=2.0)
    for parameter, old, gradient in zip(model.parameters(), before, gradients, strict=True):
        torch.testing.assert_close(parameter.detach(), old - 0.01 * gradient)
    assert report["loss"] == pytest.approx(loss.item())
    assert report["nll"] + 2 * report["kl"] == pytest.approx(report["loss"], rel=1e-5)
    assert all(type(value) is float for value in report.values())


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([(1, 32, 32), (3, 64, 64), (1, 24, 40)]), st.integers(1, 9))
def test_networks_map_between_images_and_codes(shape, latents):
    x = torch.rand(2, *shape)
    for encoder, decoder in (
        (mlp_encoder(shape, latents), mlp_decoder(latents, shape)),
        (conv_encoder(shape, latents), conv_decoder(latents, shape)),
    ):
        code = encoder(x)
        assert code.shape == (2, latents)
        assert decoder(code).shape == x.shape


def test_conv_networks_refuse_sizes_they_cannot_halve_three_times():
    for build in (lambda: conv_encoder((1, 28, 28), 4), lambda: conv_decoder(4, (1, 28, 28))):
        with pytest.raises(ValueError, match="multiples of 8"):
            build()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_samples_and_traversals_live_on_the_models_device():
    model = small_vae().to("cuda")
    assert model.sample(2).device.type == "cuda"
    assert traverse(model, torch.zeros(3, device="cuda"), 0, torch.zeros(2, device="cuda")).device.type == "cuda"
