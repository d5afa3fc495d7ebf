"""The mutual information gap against scikit-learn's mutual information."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score, roc_auc_score

from course.metrics import auroc, entropy, equal_width_bins, mutual_information_gap


def gap_by_scikit_learn(codes: np.ndarray, factors: np.ndarray, bins: int) -> float:
    def cut(column):
        edges = np.linspace(column.min(), column.max(), bins + 1)[1:-1]
        return np.digitize(column, edges)

    gaps = []
    for factor in factors.T:
        classes = factor.astype(int) if np.array_equal(factor, factor.round()) else cut(factor)
        found = sorted((mutual_info_score(cut(code), classes) for code in codes.T), reverse=True)
        second = found[1] if len(found) > 1 else 0.0
        gaps.append((found[0] - second) / mutual_info_score(classes, classes))
    return float(np.mean(gaps))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 4), st.sampled_from([2, 7, 20]))
def test_gap_is_scikit_learns(seed, latents, n_factors, bins):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(300, n_factors))
    factors[:, 0] = rng.integers(-3, 9, size=300)
    codes = factors @ rng.normal(size=(n_factors, latents)) + 0.3 * rng.normal(size=(300, latents))
    value = mutual_information_gap(torch.tensor(codes), torch.tensor(factors), bins)
    assert value == pytest.approx(gap_by_scikit_learn(codes, factors, bins), abs=1e-9)


def test_copies_of_the_factors_score_one_and_noise_scores_little():
    generator = torch.Generator().manual_seed(0)
    factors = torch.rand(5000, 3, generator=generator)
    assert mutual_information_gap(factors[:, [2, 0, 1]] * -4 + 1, factors) == pytest.approx(1.0, abs=0.02)
    assert mutual_information_gap(torch.randn(5000, 3, generator=generator), factors) < 0.02


def test_two_latents_that_tell_the_same_score_zero():
    factor = torch.rand(1000, 1)
    assert mutual_information_gap(factor.repeat(1, 2), factor) == pytest.approx(0.0, abs=1e-12)


def test_a_constant_factor_counts_zero_and_is_no_division_by_zero():
    x = torch.rand(500)
    factors = torch.stack([x, torch.full((500,), 2.0)], dim=1)
    assert mutual_information_gap(x[:, None], factors) == pytest.approx(0.5, abs=1e-6)


def test_bins_have_equal_widths_and_hold_both_ends():
    assert equal_width_bins(torch.tensor([0.0, 0.24, 0.26, 0.74, 0.76, 1.0]), 4).tolist() == [0, 0, 1, 2, 3, 3]
    assert equal_width_bins(torch.full((3,), 5.0), 4).tolist() == [0, 0, 0]


def test_entropy_of_fair_dice():
    assert entropy(torch.arange(600) % 6).item() == pytest.approx(math.log(6))


@pytest.mark.parametrize(("codes", "factors"), [((4,), (4, 1)), ((4, 2), (5, 2)), ((4, 2), (4,))])
def test_shapes_that_do_not_fit_are_refused(codes, factors):
    with pytest.raises(ValueError, match="must be"):
        mutual_information_gap(torch.zeros(codes), torch.zeros(factors))


@given(st.integers(2, 60), st.integers(1, 8), st.integers(0, 1000))
@settings(deadline=None)
def test_auroc_is_scikit_learns_with_ties(n: int, values: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    scores, odd = torch.randint(0, values, (n,), generator=g).float(), torch.rand(n, generator=g) < 0.4
    odd[0], odd[1] = True, False
    assert auroc(scores, odd) == pytest.approx(roc_auc_score(odd.numpy(), scores.numpy()))


def test_auroc_needs_both_kinds_and_one_shape() -> None:
    with pytest.raises(ValueError, match="at least one"):
        auroc(torch.zeros(3), torch.zeros(3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"\(N,\)"):
        auroc(torch.zeros(3, 1), torch.zeros(3, dtype=torch.bool))
