"""How often a check that compares random answers calls a right one wrong: by a bound, and by trying.

The student's statistics and the reference's are both random. Each is (nearly) normal; what is known of it by hand is the
number of standard errors sqrt(1 / DRAWS) that it spreads over. The bound adds up the chances of all of them.
"""

import math
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from course.checks.compare import viewed
from course.checks.diagnose import judge_object
from course.checks.exercise import Exercise, Part
from course.checks.probing import run
from course.checks.report import RIGHT
from course.labs.lab0_generative_modeling import checks as lab0
from course.labs.lab1_autoencoders import checks as lab1
from course.labs.lab2_vae import checks as lab2

ALLOWED = 1e-6
# For N independent standard normal numbers: variance of the statistic, times N. In lab 0 the rarest component gets N / 5.
SPREADS = {
    "the_noise's_mean": 1.0,
    "the_noise's_standard_deviation": 1 / 2,
    "the_noise's_mean_absolute_value": 1 - 2 / math.pi,
    "the_weight_of_the_noise's_tails_(its_kurtosis_/_5)": 24 / 25,
    "the_correlation_of_noise_between_latents": 1.0,
    "the_correlation_of_noise_between_images": 2.0,  # the mean of N / 2 products
    "the_correlation_of_noise_between_calls": 1.0,
    "the_correlation_between_calls": 1.0,
    "the_share_of_each_component": 1 / 4,
    "the_share_of_each_component_in_the_first_half": 1 / 2,
    "the_share_of_draws_with_the_same_component_in_both_calls": 1 / 4,
    "the_noise's_mean_in_each_component": 5.0,
    "the_noise's_standard_deviation_in_each_component": 5 / 2,
    "the_correlation_of_noise_between_dimensions_in_each_component": 5.0,
    "the_correlation_of_noise_between_draws": 2.0,  # the mean of N / 2 products
    "the_mean_of_the_noise's_4th_power": 24 / 2,  # of 2 N standardised numbers
}
RANDOM = [
    (exercise, part)
    for lab in (lab0, lab2)
    for exercise in lab.ITEMS
    if isinstance(exercise, Exercise)
    for part in exercise.parts
    if part.view is not None and part.tolerance == lab.WITHIN
]
DRAWS = {"ancestral_sample": lab0.DRAWS, "reparameterize": lab2.DRAWS, "VAE": lab2.DRAWS}
EXACT = {"ancestral_sample": 1, "reparameterize": 0, "VAE": 2 * 10}  # answers that are not random


def statistics(exercise: Exercise, part: Part, seed: int) -> list[dict[str, Tensor]]:
    """Return what is compared for the reference, case by case; the cases are always the same, the noise is not."""
    found = []
    for i, case in enumerate(part.cases(torch.Generator().manual_seed(0))):
        outcome = viewed(part, run(exercise.reference, part.probe, case, seed=seed + i, fakes=frozenset()), case)
        assert outcome.failure is None
        found.append({name: torch.as_tensor(value, dtype=torch.float64) for name, value in outcome.answers.items()})
    return found


def standard_error(name: str, draws: int) -> float:
    """The standard error of the difference of two such statistics."""
    return math.sqrt(2 * SPREADS[name] / draws)


def test_the_random_parts_are_those_we_know() -> None:
    assert {(exercise.name, part.name) for exercise, part in RANDOM} == {
        ("ancestral_sample", "distribution"),
        ("reparameterize", "noise"),
        ("VAE", "noise"),
        ("VAE", "sample"),
    }


@pytest.mark.parametrize("name", DRAWS)
def test_a_whole_check_is_wrong_by_chance_less_than_once_in_a_million(name: str) -> None:
    total, exact, count = 0.0, 0, 0
    for exercise, part in RANDOM:
        if exercise.name != name:
            continue
        for one, other in zip(statistics(exercise, part, 1), statistics(exercise, part, 1000), strict=True):
            for what, value in one.items():
                if what in SPREADS:
                    rtol, atol = part.tolerance_of(what)
                    assert rtol == 0
                    count += value.numel()
                    total += value.numel() * 2 * stats.norm.sf(atol / standard_error(what, DRAWS[name]))
                else:  # whatever else is compared must not be random at all
                    assert torch.equal(value, other[what]), what
                    exact += 1
    assert 10 < count < 100
    assert exact == EXACT[name]
    assert total < ALLOWED


@pytest.mark.parametrize(
    ("m", "a"),
    [
        (lab2.DRAWS // 2, lab2.WITHIN[1]),
        (lab0.DRAWS // 2, lab0.WITHIN["the_correlation_of_noise_between_draws"][1]),
        (lab0.DRAWS // 5 - 600, lab0.WITHIN["the_correlation_of_noise_between_dimensions_in_each_component"][1]),
    ],
    ids=["lab2", "lab0-draws", "lab0-dimensions"],
)
def test_the_bound_holds_for_products_of_normal_numbers_too(m: int, a: float) -> None:
    """The least favourable statistic, the mean of N / 2 products, has heavier tails: Chernoff's bound for it.

    E exp(tXY) = (1 − t²)^(−1/2), so P(|difference of two means of m products| > a) <= 2 exp(−m (s a + ln(1 − s²))), any s.
    """
    bound = min(2 * math.exp(-m * (s * a + math.log(1 - s * s))) for s in (a * k / 100 for k in range(1, 200)))
    assert bound * 10 < ALLOWED


@pytest.mark.parametrize(("exercise", "part"), RANDOM, ids=lambda thing: thing.name)
def test_the_spreads_are_those_that_are_observed(exercise: Exercise, part: Part) -> None:
    draws = [statistics(exercise, part, 1000 * seed + 7)[0] for seed in range(24)]
    for name in set(draws[0]) & set(SPREADS):
        values = torch.stack([draw[name].flatten() for draw in draws])
        spread = (values.var(dim=0) * DRAWS[exercise.name]).max().item()  # a diagonal of correlations does not vary at all
        # 23 degrees of freedom, at most 4 columns: 2.6 times the true variance comes once in 10^5.
        assert SPREADS[name] / 4 < spread < 2.6 * SPREADS[name], name


def independent_draw(mu: Tensor, logvar: Tensor) -> Tensor:
    """A right answer whose noise is not the reference's."""
    torch.randn(7)
    return mu + (logvar / 2).exp() * torch.randn_like(mu)


class IndependentVAE(lab2.VAE):
    """A right answer whose noise is not the reference's."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return self.decode(independent_draw(mu, logvar)), mu, logvar

    def sample(self, n: int) -> Tensor:
        torch.randn(7)
        images: Tensor = super().sample(n)
        return images


def independent_mixture(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> tuple[Tensor, Tensor]:
    """A right answer whose draws are not the reference's."""
    torch.randn(7)
    return lab0.ancestral_sample(n, weights, means, covs)


def narrow_encoder(in_shape: tuple[int, int, int], latent_dim: int) -> nn.Module:
    """A right answer that one time in four begins with too many of its ReLUs asleep."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(in_shape), 4), nn.ReLU(), nn.Linear(4, latent_dim))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exercise", "candidate"),
    [
        (lab0.ancestral_exercise, independent_mixture),
        (lab2.reparameterize_exercise, independent_draw),
        (lab2.vae_exercise, IndependentVAE),
        (lab1.encoder_exercise, narrow_encoder),
    ],
    ids=["ancestral_sample", "reparameterize", "VAE", "build_encoder"],
)
def test_right_answers_pass_with_every_seed(exercise: Exercise, candidate: Any) -> None:
    for seed in range(200):
        report = judge_object(exercise, candidate, seed=seed * 7919)
        assert report.verdict == RIGHT, f"seed {seed}: {report}"


def test_a_small_bias_is_still_seen() -> None:
    """The tolerance is not so wide that a spread wrong by a fifth, or a mean by a fifth of σ, would pass."""
    for wrong in (
        lambda mu, logvar: mu + 1.2 * (logvar / 2).exp() * torch.randn_like(mu),
        lambda mu, logvar: mu + (logvar / 2).exp() * (torch.randn_like(mu) + 0.2),
    ):
        report = judge_object(lab2.reparameterize_exercise, wrong, seed=3)
        assert report.parts[0].verdict == "wrong"


def test_a_small_bias_of_a_mixture_is_still_seen() -> None:
    """Nor would a share wrong by a twentieth, a spread wrong by a fifth, or a mean by a fifth of σ."""
    for wrong in (
        lambda n, w, means, covs: lab0.ancestral_sample(n, (w + torch.tensor([0.05, 0.0, -0.05])).clamp(min=0), means, covs),
        lambda n, w, means, covs: lab0.ancestral_sample(n, w, means, 1.44 * covs),
        lambda n, w, means, covs: lab0.ancestral_sample(n, w, means + 0.2 * covs.diagonal(dim1=1, dim2=2).sqrt(), covs),
    ):
        exercise = lab0.ancestral_exercise
        (part,) = [part for part in exercise.parts if part.name == "distribution"]
        report = judge_object(Exercise(exercise.reference, [part], exercise.hints), wrong, seed=3)
        assert report.parts[0].verdict == "wrong"
