"""PSNR and SSIM against scikit-image's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from course.metrics import psnr, ssim


def images(seed: int, shape: tuple[int, ...], blur: float, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two images that have something in common, from nothing (scale large) to nearly all."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(shape, generator=generator, dtype=torch.float64)
    if blur:
        x = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
    return x, (x + scale * torch.randn(shape, generator=generator, dtype=torch.float64)).clamp(0, 1)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4), st.integers(11, 40), st.integers(11, 40),
    st.booleans(), st.sampled_from([0.01, 0.1, 1.0]), st.sampled_from([1.0, 2.0]),
)  # fmt: skip
def test_they_are_scikit_images(seed, b, c, height, width, blur, scale, data_range):
    x, y = (data_range * part for part in images(seed, (b, c, height, width), blur, scale))
    similarities, ratios = ssim(x, y, data_range), psnr(x, y, data_range)
    assert similarities.shape == ratios.shape == (b,)
    for i in range(b):
        expected = structural_similarity(
            x[i].numpy(), y[i].numpy(), channel_axis=0, data_range=data_range,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )  # fmt: skip
        assert similarities[i].item() == pytest.approx(expected, abs=1e-9)
        expected = peak_signal_noise_ratio(x[i].numpy(), y[i].numpy(), data_range=data_range)
        assert ratios[i].item() == pytest.approx(expected, rel=1e-9)


def test_an_image_is_like_itself():
    x, _ = images(0, (3, 3, 16, 16), 0, 0)
    assert ssim(x, x).numpy() == pytest.approx(np.ones(3))
    assert psnr(x, x).isinf().all()


def test_single_precision_is_enough():
    """A flat image with a little noise: the variance is a difference of two nearly equal numbers."""
    x = 0.9 + 0.001 * torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    y = x + 0.001
    assert ssim(x, y).numpy() == pytest.approx(ssim(x.double(), y.double()).numpy(), abs=1e-3)


@pytest.mark.parametrize("score", [psnr, ssim])
@pytest.mark.parametrize(("first", "second"), [((2, 3, 16, 16), (3, 3, 16, 16)), ((3, 16, 16), (3, 16, 16))])
def test_wrong_shapes_are_told(score, first, second):
    with pytest.raises(ValueError, match=r"must both be images \(B, C, H, W\)"):
        score(torch.zeros(first), torch.zeros(second))


def test_an_image_smaller_than_the_window_is_told():
    with pytest.raises(ValueError, match="10 x 16 pixels are smaller than the window"):
        ssim(torch.zeros(1, 1, 10, 16), torch.zeros(1, 1, 10, 16))
