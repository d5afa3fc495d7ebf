"""How lab 0 judges: for each exercise its cases and parts, the mistakes that people make, other right ways, hints."""

import math
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal
from torch.nn import functional as F

from course.checks.exercise import Case, Exercise, Part, Question
from course.density import (
    ancestral_sample,
    fit_gaussian,
    gaussian_log_prob,
    histogram_density,
    inverse_cdf_sample,
    kernel_log_density,
)
from course.labs.lab0_generative_modeling import probes

# Random answers are judged by statistics of DRAWS draws, of which each component gets a fifth at least. Two such statistics,
# the student's and the reference's, differ by more than allowed with a probability below 1e-9: 6.2 standard errors of the
# difference at least. A check compares fewer than 100 of them. tests/labs/test_false_alarms.py does the sum.
DRAWS = 49152
WITHIN = {
    "the_share_of_each_component": (0.0, 0.02),
    "the_share_of_each_component_in_the_first_half": (0.0, 0.03),
    "the_share_of_draws_with_the_same_component_in_both_calls": (0.0, 0.02),
    "the_noise's_mean_in_each_component": (0.0, 0.1),
    "the_noise's_standard_deviation_in_each_component": (0.0, 0.1),
    "the_correlation_of_noise_between_dimensions_in_each_component": (0.0, 0.1),
    "the_correlation_of_noise_between_draws": (0.0, 0.06),
    "the_correlation_of_noise_between_calls": (0.0, 0.06),
    "the_mean_of_the_noise's_4th_power": (0.0, 0.25),
    "the_number_of_calls_(of_2)_that_draw_each_component_exactly_n·weight_times": (0.0, 1.5),
}
LOG_2_PI = math.log(2 * math.pi)


def _normal(generator: Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=generator)


def _uniform(generator: Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=generator)


def _covariance(generator: Generator, dims: int, scales: Tensor | float = 1.0) -> Tensor:
    """Make a covariance with correlations; scales: (dims,), the units of the columns."""
    mix = _normal(generator, dims, 2 * dims + 1)
    cov = mix @ mix.T / (2 * dims + 1) + 0.1 * torch.eye(dims)
    units = torch.as_tensor(scales).expand(dims)
    return cov * units[:, None] * units


# ------------------------------------------------------------------------------------------------ histogram_density


def _uneven_edges(generator: Generator, bins: int, start: float = -3.0) -> Tensor:
    widths = torch.tensor([0.3, 1.7, 0.6, 1.1, 2.3, 0.9, 0.5])[torch.randperm(7, generator=generator)][:bins]
    return torch.cat([torch.zeros(1), widths.cumsum(0)]) + start


def _uneven_bins(generator: Generator) -> list[Case]:
    cases = []
    for n, bins, filled in ((40, 5, 5), (7, 6, 6), (1, 3, 2)):
        edges = _uneven_edges(generator, bins)
        low, high = float(edges[0]), float(edges[filled])
        cases.append({"x": _uniform(generator, n, low=low + 0.01, high=high - 0.01), "edges": edges})
    return cases


def _outside(generator: Generator) -> list[Case]:
    # Everything beyond ±1 is outside; some of it by far, some by the last bit.
    just = torch.tensor([1.0, -1.0]).nextafter(torch.tensor([2.0, -2.0]))
    x = torch.cat([_uniform(generator, 30, low=-3, high=3), torch.tensor([40.0, -70.0, 0.3]), just])
    return [{"x": x[torch.randperm(35, generator=generator)], "edges": torch.linspace(-1, 1, 6)}]


def _on_the_edges(generator: Generator) -> list[Case]:
    edges = torch.linspace(-1, 1.5, 6)  # half a unit each: no rounding
    repeats = torch.tensor([1, 2, 1, 3, 2, 4])[torch.randperm(6, generator=generator)]
    x = torch.cat([edges.repeat_interleave(repeats), edges[:-1] + 0.25])
    return [{"x": x[torch.randperm(len(x), generator=generator)], "edges": edges}]


histogram_exercise = Exercise(
    histogram_density,
    parts=[
        Part("heights", "the heights of bins that differ in width", probes.heights, _uneven_bins, weight=2),
        Part("outside", "values outside the edges count for nothing", probes.heights, _outside),
        Part("edges", "values on an edge, the last one included", probes.heights, _on_the_edges),
    ],
    hints=[
        "First the bin of each value: torch.searchsorted(edges, x, right=True) counts how many edges are not above it.",
        "Then the counts: torch.bincount(number, minlength=bins). A value on the last edge belongs to the last bin.",
        "Height = count / (number of values inside · width of the bin), and edges.diff() gives the widths.",
    ],
)


def _counts(x: Tensor, edges: Tensor) -> Tensor:
    inside = x[(x >= edges[0]) & (x <= edges[-1])]
    number = (torch.searchsorted(edges, inside, right=True) - 1).clamp(max=len(edges) - 2)
    return torch.bincount(number, minlength=len(edges) - 1).to(x.dtype)


@histogram_exercise.mistake("You return counts. Divide by their sum and by the width of each bin: a density has area 1.")
def returns_counts(x: Tensor, edges: Tensor) -> Tensor:
    return _counts(x, edges)


@histogram_exercise.mistake(
    "You return the share of the points in each bin. A density is a share per unit of length: divide by the bin's width too."
)
def returns_shares(x: Tensor, edges: Tensor) -> Tensor:
    counts = _counts(x, edges)
    return counts / counts.sum()


@histogram_exercise.mistake("You used the width of the first bin for all of them. Each bin has its own: edges.diff().")
def uses_the_first_width(x: Tensor, edges: Tensor) -> Tensor:
    counts = _counts(x, edges)
    return counts / counts.sum() / (edges[1] - edges[0])


@histogram_exercise.mistake("You divided by the mean width of the bins. Each bin has its own width: edges.diff().")
def uses_the_mean_width(x: Tensor, edges: Tensor) -> Tensor:
    counts = _counts(x, edges)
    return counts / counts.sum() / edges.diff().mean()


@histogram_exercise.mistake(
    "You cut the range into bins of equal width (as torch.histc does). The bins are where edges says, equal or not."
)
def cuts_equal_bins(x: Tensor, edges: Tensor) -> Tensor:
    bins = len(edges) - 1
    counts = torch.histc(x.cpu(), bins, min=float(edges[0]), max=float(edges[-1])).to(x.device)
    return counts / counts.sum() / edges.diff()


@histogram_exercise.mistake(
    "You divided by the number of all values. Those outside are ignored, so divide by the number inside: the area must be 1."
)
def divides_by_all(x: Tensor, edges: Tensor) -> Tensor:
    return _counts(x, edges) / len(x) / edges.diff()


@histogram_exercise.mistake("A value on the last edge is lost. It belongs to the last bin: there is no other.")
def loses_the_last_edge(x: Tensor, edges: Tensor) -> Tensor:
    counts = _counts(x[x < edges[-1]], edges)
    return counts / counts.sum() / edges.diff()


@histogram_exercise.mistake(
    "A value on the last edge counts for the total, but lies in no bin: the area is below 1. It belongs to the last bin."
)
def counts_the_last_edge_in_no_bin(x: Tensor, edges: Tensor) -> Tensor:
    return _counts(x[x < edges[-1]], edges) / _counts(x, edges).sum() / edges.diff()


@histogram_exercise.mistake(
    "If the last bins are empty, your result is too short: torch.bincount stops at the last bin that holds something. Give "
    "it minlength=bins."
)
def forgets_minlength(x: Tensor, edges: Tensor) -> Tensor:
    inside = x[(x >= edges[0]) & (x <= edges[-1])]
    number = (torch.searchsorted(edges, inside, right=True) - 1).clamp(max=len(edges) - 2)
    return torch.bincount(number) / (len(inside) * edges.diff())


@histogram_exercise.mistake(
    "Values outside have piled up in the first and the last bin (by a clamp of their numbers). Leave them out before you "
    "count."
)
def piles_up_at_the_ends(x: Tensor, edges: Tensor) -> Tensor:
    counts = _counts(x.clamp(edges[0], edges[-1]), edges)
    return counts / counts.sum() / edges.diff()


@histogram_exercise.mistake(
    "A value on an inner edge has gone to the bin on its left. Bin i holds edges[i] <= x < edges[i + 1]: use right=True."
)
def takes_edges_to_the_left(x: Tensor, edges: Tensor) -> Tensor:
    inside = x[(x >= edges[0]) & (x <= edges[-1])]
    number = (torch.searchsorted(edges, inside) - 1).clamp(min=0)
    return torch.bincount(number, minlength=len(edges) - 1) / (len(inside) * edges.diff())


@histogram_exercise.mistake(
    "There are as many bins as spaces between the edges, len(edges) − 1. Yours has one more: subtract 1 from searchsorted."
)
def has_a_bin_too_many(x: Tensor, edges: Tensor) -> Tensor:
    return F.pad(histogram_density(x, edges), (1, 0))


@histogram_exercise.style
def histogram_of_torch(x: Tensor, edges: Tensor) -> Tensor:
    return torch.histogram(x.cpu(), edges.cpu(), density=True).hist.to(x.device)


@histogram_exercise.style
def histogram_bin_by_bin(x: Tensor, edges: Tensor) -> Tensor:
    shares = []
    for i in range(len(edges) - 1):
        last = i == len(edges) - 2
        within = (x >= edges[i]) & ((x <= edges[i + 1]) if last else (x < edges[i + 1]))
        shares.append(within.sum())
    counts = torch.stack(shares).float()
    return counts / counts.sum() / (edges[1:] - edges[:-1])


@histogram_exercise.style
def histogram_by_comparison(x: Tensor, edges: Tensor) -> Tensor:
    below = (x[:, None] < edges).sum(dim=0).float()  # how many values lie below each edge
    below[-1] = (x <= edges[-1]).sum()
    return below.diff() / (below[-1] - below[0]) / edges.diff()


# ----------------------------------------------------------------------------------------------------- fit_gaussian


def _clouds(generator: Generator) -> list[Case]:
    cases = []
    for n, d in ((7, 3), (4, 4), (3, 5), (1, 2), (6, 1)):
        mix = _normal(generator, d, d) + torch.eye(d)
        cases.append({"x": _normal(generator, n, d) @ mix + _normal(generator, d, scale=2)})
    return cases


def _far_clouds(generator: Generator) -> list[Case]:
    # Around 10,000 the squares have lost everything behind the point in float32.
    return [{"x": _normal(generator, 400, 2) + torch.tensor([10_000.0, -20_000.0])}]


fit_exercise = Exercise(
    fit_gaussian,
    parts=[
        Part("mean", "the mean of each dimension", probes.mean_of_fit, _clouds),
        Part("covariance", "the covariance, divided by N", probes.covariance_of_fit, _clouds, weight=2),
        Part("far", "the covariance of points far from 0", probes.covariance_of_fit, _far_clouds, tolerance=(0.01, 0.01)),
    ],
    hints=[
        "The mean goes over the points (dim=0); what stays are the D dimensions.",
        "Subtract the mean first. For N points (N, D), centred.T @ centred is the sum of all the outer products, (D, D).",
        "mean = x.mean(dim=0); centred = x − mean; cov = centred.T @ centred / N.",
    ],
)

Pair = tuple[Tensor, Tensor]


@fit_exercise.mistake("You divided by N − 1. That is unbiased, but maximum likelihood divides by N.")
def divides_by_n_minus_1(x: Tensor) -> Pair:
    centred = x - x.mean(dim=0)
    return x.mean(dim=0), centred.T @ centred / (len(x) - 1)


@fit_exercise.mistake("You took the mean over the dimensions. Take it over the points, dim=0: there are D means.")
def averages_over_dimensions(x: Tensor) -> Pair:
    centred = x - x.mean(dim=1, keepdim=True)
    return x.mean(dim=1), centred.T @ centred / len(x)


@fit_exercise.mistake("You did not subtract the mean: this is the mean of x xᵀ, not the covariance.")
def forgets_to_centre(x: Tensor) -> Pair:
    return x.mean(dim=0), x.T @ x / len(x)


@fit_exercise.mistake(
    "The formula E[x xᵀ] − μ μᵀ is right on paper and loses all its digits when the points lie far from 0. Subtract the "
    "mean from the points first."
)
def subtracts_large_squares(x: Tensor) -> Pair:
    mean = x.mean(dim=0)
    return mean, x.T @ x / len(x) - mean[:, None] * mean


@fit_exercise.mistake("Your covariance is (N, N): it compares points. Transpose the first factor: centred.T @ centred.")
def compares_points(x: Tensor) -> Pair:
    centred = x - x.mean(dim=0)
    return x.mean(dim=0), centred @ centred.T / len(x)


@fit_exercise.mistake("You kept only the variances. The covariance (D, D) also says which dimensions vary together.")
def keeps_the_diagonal(x: Tensor) -> Pair:
    return x.mean(dim=0), x.var(dim=0, unbiased=False).diag()


@fit_exercise.mistake("You did not divide by N: this is the sum of the outer products, not their mean.")
def sums_outer_products(x: Tensor) -> Pair:
    centred = x - x.mean(dim=0)
    return x.mean(dim=0), centred.T @ centred


@fit_exercise.mistake("These are correlations, scaled to 1 on the diagonal. The covariance keeps the units of the data.")
def returns_correlations(x: Tensor) -> Pair:
    mean, cov = fit_gaussian(x)
    std = cov.diagonal().clamp(min=1e-12).sqrt()
    return mean, cov / std[:, None] / std


@fit_exercise.mistake("You return the covariance first. The order is (mean, cov).")
def swaps_mean_and_cov(x: Tensor) -> Pair:
    mean, cov = fit_gaussian(x)
    return cov, mean


@fit_exercise.mistake("Your code wrote into x (x -= mean changes the caller's data). Compute x − mean anew.")
def centres_in_place(x: Tensor) -> Pair:
    mean = x.mean(dim=0)
    x -= mean
    return mean, x.T @ x / len(x)


@fit_exercise.style
def fit_by_torch_cov(x: Tensor) -> Pair:
    return x.mean(0), torch.cov(x.T, correction=0).reshape(x.shape[1], x.shape[1])


@fit_exercise.style
def fit_point_by_point(x: Tensor) -> Pair:
    mean = sum(point for point in x) / len(x)
    outer = [torch.outer(point - mean, point - mean) for point in x]
    return mean, torch.stack(outer).mean(dim=0)


@fit_exercise.style
def fit_by_einsum(x: Tensor) -> Pair:
    mean = torch.einsum("nd->d", x) / x.shape[0]
    return mean, torch.einsum("ni,nj->ij", x - mean, x - mean) / x.shape[0]


# ------------------------------------------------------------------------------------------------ gaussian_log_prob


def _points_and_gaussians(generator: Generator) -> list[Case]:
    return [
        {"x": _normal(generator, n, d, scale=2), "mean": _normal(generator, d), "cov": _covariance(generator, d, 1.5)}
        for n, d in ((5, 3), (3, 3), (1, 4), (4, 1))
    ]


def _ill_conditioned(generator: Generator) -> list[Case]:
    # 400 dimensions with a spread of 0.01: the determinant is 0, in float64 too. 50 with a spread of 50: infinite in
    # float32. Then units from thousandths to thousands: a condition number of 10^12.
    mixed = torch.logspace(-3, 3, 6)[torch.randperm(6, generator=generator)]
    cases = []
    for d, scales in ((400, torch.full((400,), 0.01)), (50, torch.full((50,), 50.0)), (6, mixed)):
        cov = _covariance(generator, d, scales)
        x = _normal(generator, 3, d) @ torch.linalg.cholesky(cov).T
        cases.append({"x": x, "mean": torch.zeros(d), "cov": cov})
    return cases


def _no_covariances(generator: Generator) -> list[Case]:
    basis = torch.linalg.qr(_normal(generator, 3, 3)).Q
    one_negative = basis * torch.tensor([2.0, 1.0, -0.7]) @ basis.T
    two_negative = basis * torch.tensor([2.0, -1.0, -0.7]) @ basis.T  # its determinant is above 0
    flat = torch.ones(3, 3)  # all points on a line: exactly singular
    x, mean = _normal(generator, 4, 3), _normal(generator, 3)
    good = basis * torch.tensor([2.0, 1.0, 0.01]) @ basis.T  # to be accepted, or refusing everything would pass
    return [{"x": x, "mean": mean, "cov": (cov + cov.T) / 2} for cov in (good, one_negative, two_negative, flat)]


gaussian_exercise = Exercise(
    gaussian_log_prob,
    parts=[
        Part("value", "one log-density in nats for each point", probes.log_density, _points_and_gaussians,
             tolerance=(1e-4, 1e-4), weight=2),
        Part("stability", "400 dimensions, and units from thousandths to thousands", probes.log_density_or_refusal,
             _ill_conditioned, tolerance=(1e-4, 1e-2)),
        Part("refusal", "an error that says so if cov is not positive definite, and only then", probes.refusal,
             _no_covariances),
    ],
    hints=[
        "L = torch.linalg.cholesky(cov) gives the lower triangle with cov = L Lᵀ, and fails if there is none.",
        "(x − μ)ᵀ Σ⁻¹ (x − μ) = ‖L⁻¹ (x − μ)‖²: torch.linalg.solve_triangular(L, (x − mean).T, upper=False) is (D, N).",
        "½ log |Σ| is the sum of the logs of L's diagonal. Subtract that and D/2 · log 2π.",
    ],
)  # fmt: skip


def _parts_of(x: Tensor, mean: Tensor, cov: Tensor) -> tuple[Tensor, Tensor, float]:
    """Return the squared distances (N,), half the log-determinant, and the constant."""
    factor, failed = torch.linalg.cholesky_ex(cov)
    if failed:
        raise ValueError("cov is not positive definite")
    scaled = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)
    return scaled.square().sum(dim=0), factor.diagonal().log().sum(), 0.5 * len(mean) * LOG_2_PI


@gaussian_exercise.mistake("The constant − D/2 · log 2π is missing: without it the density has not area 1.")
def forgets_the_constant(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, _ = _parts_of(x, mean, cov)
    return -0.5 * squares - half_log_det


@gaussian_exercise.mistake("The constant is that of one dimension. In D dimensions it is − D/2 · log 2π.")
def constant_of_one_dimension(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, _ = _parts_of(x, mean, cov)
    return -0.5 * squares - half_log_det - 0.5 * LOG_2_PI


@gaussian_exercise.mistake("The factor ½ before the squared distance is missing.")
def misses_the_half(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, constant = _parts_of(x, mean, cov)
    return -squares - half_log_det - constant


@gaussian_exercise.mistake(
    "The determinant counts half too little: log |Σ| = 2 Σ log L_ii, so ½ log |Σ| is the sum of log L_ii without another ½."
)
def halves_the_determinant_twice(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, constant = _parts_of(x, mean, cov)
    return -0.5 * squares - 0.5 * half_log_det - constant


@gaussian_exercise.mistake("Subtract half of log |Σ|: as log |Σ| = 2 Σ log L_ii, that is the sum of the log L_ii.")
def subtracts_the_whole_determinant(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, constant = _parts_of(x, mean, cov)
    return -0.5 * squares - 2 * half_log_det - constant


@gaussian_exercise.mistake("The term − ½ log |Σ| is missing: a wide bell is low.")
def forgets_the_determinant(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, _, constant = _parts_of(x, mean, cov)
    return -0.5 * squares - constant


@gaussian_exercise.mistake("You did not subtract the mean: the bell stands at 0. Use x − mean.")
def ignores_the_mean(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    return gaussian_log_prob(x, torch.zeros_like(mean), cov)


@gaussian_exercise.mistake("The length of L⁻¹ (x − μ) is not squared: −½ ‖L⁻¹ (x − μ)‖².")
def forgets_to_square_the_length(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, constant = _parts_of(x, mean, cov)
    return -0.5 * squares.sqrt() - half_log_det - constant


@gaussian_exercise.mistake("You counted points instead of dimensions: the constant is − D/2 · log 2π, with D = x.shape[1].")
def counts_points_as_dimensions(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, _ = _parts_of(x, mean, cov)
    return -0.5 * squares - half_log_det - 0.5 * len(x) * LOG_2_PI


@gaussian_exercise.mistake("You solved with cov instead of L: ‖Σ⁻¹ (x − μ)‖² divides by the variance twice. Solve with L.")
def solves_with_the_covariance(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    _, half_log_det, constant = _parts_of(x, mean, cov)
    return -0.5 * torch.linalg.solve(cov, (x - mean).T).square().sum(dim=0) - half_log_det - constant


@gaussian_exercise.mistake("The sign of the determinant is wrong: a wide bell is low, so ½ log |Σ| is subtracted.")
def adds_the_determinant(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, constant = _parts_of(x, mean, cov)
    return -0.5 * squares + half_log_det - constant


@gaussian_exercise.mistake(
    "Right for small, tame matrices. But the determinant leaves the range of float32, and even of float64: in many "
    "dimensions it is 0 or infinite. And a matrix that is no covariance is not refused. Go by the Cholesky factor."
)
def by_determinant_and_inverse(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    centred = x - mean
    squares = torch.einsum("ni,ij,nj->n", centred, torch.inverse(cov), centred)
    return -0.5 * squares - 0.5 * torch.log(torch.det(cov)) - 0.5 * len(mean) * LOG_2_PI


@gaussian_exercise.mistake(
    "The values are right, but a matrix that is no covariance gets an answer too. Where there is no Cholesky factor, raise "
    "a ValueError that says 'not positive definite'."
)
def refuses_nothing(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    centred = x - mean
    squares = (torch.linalg.pinv(cov) @ centred.T * centred.T).sum(dim=0)
    if torch.linalg.cholesky_ex(cov).info == 0:
        squares = _parts_of(x, mean, cov)[0]
    return -0.5 * squares - 0.5 * torch.linalg.slogdet(cov).logabsdet - 0.5 * len(mean) * LOG_2_PI


@gaussian_exercise.mistake(
    "The values are right, but only a singular matrix is refused (where solve or inv fails). One with a direction of "
    "negative spread, as [[1, 2], [2, 1]], gets a number: slogdet does not mind. Cholesky does."
)
def refuses_singular_matrices_only(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    centred = (x - mean).T
    squares = (torch.linalg.solve(cov, centred) * centred).sum(dim=0)
    return -0.5 * (squares + torch.linalg.slogdet(cov).logabsdet + len(mean) * LOG_2_PI)


@gaussian_exercise.mistake(
    "You go by the sign of the determinant. Two directions of negative spread make a determinant above 0, and that is no "
    "covariance. The Cholesky factor exists only if no direction is negative."
)
def goes_by_the_sign_of_the_determinant(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    if torch.linalg.slogdet(cov).sign <= 0:
        raise ValueError("cov is not positive definite")
    return refuses_singular_matrices_only(x, mean, cov)


@gaussian_exercise.mistake(
    "You refuse a matrix if its determinant is not above 0. A good covariance of many dimensions has one that float32 takes "
    "for 0, and two directions of negative spread make one above 0. Go by the Cholesky factor."
)
def refuses_by_determinant(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    if torch.det(cov) <= 0:
        raise ValueError("cov is not positive definite")
    return by_determinant_and_inverse(x, mean, cov)


@gaussian_exercise.mistake(
    "You refuse a good covariance, by its eigenvalues. Their rounding errors are those of the largest one, so beside a "
    "million a true millionth may come out below 0. Cholesky works in the units of each dimension."
)
def refuses_by_eigenvalues(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    if torch.linalg.eigvalsh(cov).min() <= 1e-6 * cov.diagonal().max():
        raise ValueError("cov is not positive definite")
    return gaussian_log_prob(x, mean, cov)


@gaussian_exercise.mistake(
    "You add a little to the diagonal. That bends small variances, and lets through matrices that should be refused."
)
def adds_jitter(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    squares, half_log_det, constant = _parts_of(x, mean, cov + 1e-6 * torch.eye(len(mean), device=cov.device))
    return -0.5 * squares - half_log_det - constant


@gaussian_exercise.mistake("You refuse every matrix. Raise the error only if cov is not positive definite.")
def refuses_everything(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    raise ValueError("cov is not positive definite")


@gaussian_exercise.mistake("You ignore the correlations: only the diagonal of cov is used.")
def ignores_correlations(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    _parts_of(x, mean, cov)
    return Normal(mean, cov.diagonal().sqrt()).log_prob(x).sum(dim=1)


@gaussian_exercise.mistake(
    "You solved with Lᵀ (upper) where L belongs: Σ⁻¹ = L⁻ᵀ L⁻¹, so the squared distance is ‖L⁻¹ (x − μ)‖²."
)
def solves_with_the_transpose(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    _, half_log_det, constant = _parts_of(x, mean, cov)
    factor = torch.linalg.cholesky(cov)
    scaled = torch.linalg.solve_triangular(factor.T, (x - mean).T, upper=True)
    return -0.5 * scaled.square().sum(dim=0) - half_log_det - constant


@gaussian_exercise.mistake("This is minus the log-density. It is largest where points are likely.")
def negates(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    return -gaussian_log_prob(x, mean, cov)


@gaussian_exercise.mistake("This is the density, not its logarithm. In many dimensions it leaves float32's range.")
def leaves_the_log(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    return gaussian_log_prob(x, mean, cov).exp()


@gaussian_exercise.mistake(
    "Your result is (N, N): you multiplied all points with all points. Keep the diagonal only: (a * b).sum, or einsum."
)
def compares_all_points(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    _, half_log_det, constant = _parts_of(x, mean, cov)
    centred = x - mean
    return -0.5 * centred @ torch.linalg.solve(cov, centred.T) - half_log_det - constant


@gaussian_exercise.mistake("You summed over the points. Each point has a log-density of its own: sum over the D dimensions.")
def sums_over_points(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    _, half_log_det, constant = _parts_of(x, mean, cov)
    scaled = torch.linalg.solve_triangular(torch.linalg.cholesky(cov), (x - mean).T, upper=False)
    return -0.5 * scaled.square().sum(dim=1) - half_log_det - constant


@gaussian_exercise.style
def gaussian_by_distributions(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    return MultivariateNormal(mean, scale_tril=torch.linalg.cholesky(cov)).log_prob(x)


@gaussian_exercise.style
def gaussian_by_cholesky_solve(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    factor = torch.linalg.cholesky(cov)
    centred = (x - mean).T
    squares = (centred * torch.cholesky_solve(centred, factor)).sum(0)
    return -(squares + 2 * factor.diag().log().sum() + len(mean) * LOG_2_PI) / 2


@gaussian_exercise.style
def gaussian_point_by_point(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    try:
        factor = torch.linalg.cholesky(cov)
    except RuntimeError:
        raise ValueError("the covariance must be positive definite") from None
    values = []
    for point in x:
        z = torch.linalg.solve_triangular(factor, (point - mean)[:, None], upper=False)[:, 0]
        values.append(-0.5 * (z @ z) - torch.log(torch.diagonal(factor)).sum() - len(mean) / 2 * LOG_2_PI)
    return torch.stack(values)


@gaussian_exercise.style
def gaussian_by_slogdet_after_a_test(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    if torch.linalg.cholesky_ex(cov).info != 0:
        raise ValueError("not positive-definite")
    centred = x - mean
    squares = torch.einsum("nd,dn->n", centred, torch.linalg.solve(cov, centred.T))
    return -0.5 * (squares + torch.linalg.slogdet(cov)[1] + cov.shape[0] * LOG_2_PI)


# ----------------------------------------------------------------------------------------------- kernel_log_density


def _kernels_on_a_line(generator: Generator) -> list[Case]:
    return [
        {"query": _normal(generator, m, 1), "data": _normal(generator, n, 1), "bandwidth": h}
        for m, n, h in ((4, 6, 0.5), (5, 5, 2.5), (1, 1, 1.7))
    ]


def _kernels_in_space(generator: Generator) -> list[Case]:
    return [
        {"query": _normal(generator, m, d), "data": _normal(generator, n, d), "bandwidth": h}
        for m, n, d, h in ((5, 7, 3, 0.6), (4, 4, 2, 2.0), (3, 2, 6, 1.4))
    ]


def _far_queries(generator: Generator) -> list[Case]:
    return [
        {"query": _normal(generator, 4, 1) + 30, "data": _normal(generator, 6, 1), "bandwidth": 0.5},
        {"query": _normal(generator, 3, 8) * 9, "data": _normal(generator, 5, 8), "bandwidth": 0.4},
    ]


def _many_kernels(generator: Generator) -> list[Case]:
    # Queries on the data itself, and points that occur twice: each counts. In the plane hundreds of kernels matter.
    line, plane = _normal(generator, 150, 1), _normal(generator, 300, 2)
    return [
        {"query": line[:6], "data": torch.cat([line, line[:60]]), "bandwidth": 0.1},
        {"query": torch.cat([plane[:3], _normal(generator, 3, 2)]), "data": plane, "bandwidth": 0.4},
    ]


kernel_exercise = Exercise(
    kernel_log_density,
    parts=[
        Part("line", "points on a line", probes.kernel, _kernels_on_a_line, tolerance=(1e-4, 1e-3)),
        Part("space", "points in several dimensions", probes.kernel, _kernels_in_space, tolerance=(1e-4, 1e-3)),
        Part("many", "hundreds of points, some of them twice, and queries on them", probes.kernel, _many_kernels,
             tolerance=(1e-4, 1e-3)),
        Part("far", "queries far from all data", probes.kernel, _far_queries, tolerance=(1e-4, 1e-2)),
    ],
    hints=[
        "All distances at once: torch.cdist(query, data) is (M, N). A kernel's exponent is −½ (distance / bandwidth)². "
        "(Data far from 0, around 1000, needs cdist's compute_mode='donot_use_mm_for_euclid_dist': here either will do.)",
        "torch.logsumexp(exponents, dim=1) is the log of the sum over the data. The mean is the sum divided by N.",
        "Each kernel has the height 1 / (bandwidth · √2π)^D: subtract D · (log bandwidth + ½ log 2π), and log N.",
    ],
)  # fmt: skip


def _exponents(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return -0.5 * (query[:, None] - data).square().sum(dim=2) / bandwidth**2


def _height(dims: int, bandwidth: float) -> float:
    return dims * (math.log(bandwidth) + 0.5 * LOG_2_PI)


@kernel_exercise.mistake(
    "Right near the data. Far from it every exp is 0, and the log of 0 is −∞. Use torch.logsumexp on the exponents."
)
def takes_exp_then_log(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return _exponents(query, data, bandwidth).exp().mean(dim=1).log() - _height(query.shape[1], bandwidth)


@kernel_exercise.mistake(
    "Right near the data. Far from it the tiny number that you add before the log (or clamp to) is all that is left. Use "
    "torch.logsumexp on the exponents."
)
def adds_a_tiny_number(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    density = _exponents(query, data, bandwidth).exp().mean(dim=1)
    return (density + 1e-30).log() - _height(query.shape[1], bandwidth)


@kernel_exercise.mistake("You took the bandwidth for the variance. It is the standard deviation: divide by bandwidth².")
def takes_bandwidth_for_variance(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return kernel_log_density(query, data, bandwidth**0.5)


@kernel_exercise.mistake(
    "The exponent is right, but the height is that of a kernel in one dimension. In D dimensions it is 1 / (h √2π)^D."
)
def height_of_one_dimension(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return kernel_log_density(query, data, bandwidth) + _height(query.shape[1] - 1, bandwidth)


@kernel_exercise.mistake(
    "Only one of the two factors of a kernel's height counts for every dimension: log h and ½ log 2π both come D times."
)
def two_pi_once(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return kernel_log_density(query, data, bandwidth) + (query.shape[1] - 1) * 0.5 * LOG_2_PI


@kernel_exercise.mistake("log bandwidth counts only once. A kernel's height is 1 / (h √2π)^D: it must come D times.")
def log_bandwidth_once(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return kernel_log_density(query, data, bandwidth) + (query.shape[1] - 1) * math.log(bandwidth)


@kernel_exercise.mistake("You divided by the number of queries. The mean goes over the data: subtract log N, N = len(data).")
def divides_by_the_queries(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return kernel_log_density(query, data, bandwidth) + math.log(len(data) / len(query))


@kernel_exercise.mistake("Only the nearest kernel counts (max). The density is the mean of all of them: torch.logsumexp.")
def takes_the_nearest_kernel(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    nearest = _exponents(query, data, bandwidth).amax(dim=1)
    return nearest - math.log(len(data)) - _height(query.shape[1], bandwidth)


@kernel_exercise.mistake("A point of the data does not count where the query lies on it. The mean goes over all N kernels.")
def leaves_itself_out(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    exponents = _exponents(query, data, bandwidth)
    exponents = exponents.masked_fill(exponents == 0, -math.inf)
    return torch.logsumexp(exponents, dim=1) - math.log(len(data)) - _height(query.shape[1], bandwidth)


@kernel_exercise.mistake("The kernels are not normalised: subtract D · (log bandwidth + ½ log 2π).")
def forgets_the_height(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return kernel_log_density(query, data, bandwidth) + _height(query.shape[1], bandwidth)


@kernel_exercise.mistake("You summed the N kernels. The estimate is their mean, or its area would be N: subtract log N.")
def sums_the_kernels(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return kernel_log_density(query, data, bandwidth) + math.log(len(data))


@kernel_exercise.mistake(
    "You averaged the logarithms. The density is the mean of the kernels; the log comes after it: logsumexp, not mean."
)
def averages_logs(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return _exponents(query, data, bandwidth).mean(dim=1) - _height(query.shape[1], bandwidth)


@kernel_exercise.mistake("The distance is not squared in the exponent: −½ (distance / h)².")
def forgets_to_square(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    exponents = -0.5 * torch.cdist(query, data) / bandwidth
    return torch.logsumexp(exponents, dim=1) - math.log(len(data)) - _height(query.shape[1], bandwidth)


@kernel_exercise.mistake("The factor ½ in the exponent is missing.")
def misses_the_half_in_the_exponent(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    exponents = 2 * _exponents(query, data, bandwidth)
    return torch.logsumexp(exponents, dim=1) - math.log(len(data)) - _height(query.shape[1], bandwidth)


@kernel_exercise.mistake("You summed over the queries. Each query has a density of its own: sum over the data, dim=1.")
def sums_over_queries(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    exponents = _exponents(query, data, bandwidth)
    return torch.logsumexp(exponents, dim=0) - math.log(len(query)) - _height(query.shape[1], bandwidth)


@kernel_exercise.mistake("This is the density, not its logarithm.")
def leaves_the_logarithm(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    return kernel_log_density(query, data, bandwidth).exp()


@kernel_exercise.style
def kernels_by_distributions(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    each = Normal(data, bandwidth).log_prob(query[:, None]).sum(dim=-1)
    return each.logsumexp(dim=-1) - math.log(data.shape[0])


@kernel_exercise.style
def kernels_by_the_fast_distances(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    exponents = -0.5 * (torch.cdist(query, data) / bandwidth).square()
    return torch.logsumexp(exponents, dim=1) - math.log(len(data)) - _height(query.shape[1], bandwidth)


@kernel_exercise.style
def kernels_as_a_mixture(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    n, dims = data.shape
    uniform = Categorical(torch.ones(n, device=data.device))
    cov = (bandwidth**2 * torch.eye(dims, device=data.device)).expand(n, dims, dims)
    return MixtureSameFamily(uniform, MultivariateNormal(data, cov)).log_prob(query)


@kernel_exercise.style
def kernels_query_by_query(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    found = []
    for q in query:
        exponents = -((q - data) ** 2).sum(1) / (2 * bandwidth**2)
        top = exponents.max()
        found.append(top + torch.log(torch.exp(exponents - top).mean()))
    return torch.stack(found) - query.shape[1] / 2 * math.log(2 * math.pi * bandwidth**2)


# ----------------------------------------------------------------------------------------------- inverse_cdf_sample


def _within_bins(generator: Generator, n: int, mass: Tensor) -> Tensor:
    """Draw u that lie well inside the stretches of the CDF, so that rounding cannot push one over an edge."""
    cdf = torch.cat([torch.zeros(1), mass.cumsum(0)]) / mass.sum()
    filled = mass.nonzero().squeeze(1)
    number = filled[torch.arange(n) % len(filled)][torch.randperm(n, generator=generator)]
    return torch.lerp(cdf[number], cdf[number + 1], _uniform(generator, n, low=0.05, high=0.95))


def _normalised_histograms(generator: Generator) -> list[Case]:
    cases = []
    for n, bins in ((12, 5), (4, 4), (1, 3), (6, 1)):
        edges = _uneven_edges(generator, bins)
        mass = _uniform(generator, bins, low=0.3)
        mass = mass / mass.sum()
        cases.append({"u": _within_bins(generator, n, mass), "edges": edges, "density": mass / edges.diff()})
    return cases


def _unnormalised_histograms(generator: Generator) -> list[Case]:
    cases = []
    for factor in (7.0, 0.2):
        density = factor * _uniform(generator, 6, low=0.3)
        density[int(torch.randint(1, 5, (1,), generator=generator))] = 0.0
        cases.append({"u": _within_bins(generator, 10, density), "edges": torch.linspace(-1, 2, 7), "density": density})
    return cases


def _flat_stretches(generator: Generator) -> list[Case]:
    # Powers of two, so that u meets the flat stretches exactly. The first, the last and a middle bin are empty.
    shift = float(torch.randint(-3, 4, (1,), generator=generator))
    factor = 2.0 ** int(torch.randint(-2, 3, (1,), generator=generator))
    edges = torch.tensor([0.0, 1.0, 2.0, 4.0, 5.0, 7.0]) + shift
    density = factor * torch.tensor([0.0, 2.0, 0.0, 2.0, 0.0])
    u = torch.tensor([0.0, 0.25, 0.5, 0.75, 1 - 2**-24])
    return [{"u": u[torch.randperm(5, generator=generator)], "edges": edges, "density": density}]


def _where_it_falls(answers: dict[str, Any], u: Tensor, edges: Tensor, density: Tensor) -> dict[str, Any]:
    x = answers["x"].double()
    mass = (density * edges.diff()).double()
    number = (torch.searchsorted(edges.double(), x, right=True) - 1).clamp(0, len(mass) - 1)
    into = (x - edges[number]) / edges.diff()[number]
    left = (mass.cumsum(0) - mass)[number] + into.clamp(0, 1) * mass[number]
    in_empty = (mass[number] == 0) & (into > 1e-4) & (into < 1 - 1e-4)
    finite = torch.isfinite(x)
    return {
        "the_number_of_samples_that_are_not_finite": (~finite).sum().double(),
        "the_number_of_samples_outside_the_edges": ((x < edges[0] - 1e-4) | (x > edges[-1] + 1e-4)).sum().double(),
        "the_number_of_samples_inside_an_empty_bin": in_empty.sum().double(),
        "the_share_of_the_mass_to_the_left_of_each_sample": torch.where(finite, left / mass.sum(), -1.0),
    }


inverse_exercise = Exercise(
    inverse_cdf_sample,
    parts=[
        Part("value", "where each u falls, in bins that differ in width", probes.inverse, _normalised_histograms,
             tolerance=(1e-5, 1e-4), weight=2),
        Part("unnormalised", "a density whose area is not 1", probes.inverse, _unnormalised_histograms,
             tolerance=(1e-5, 1e-4)),
        Part("flat", "u at 0, nearly at 1, and where the CDF is flat: empty bins are never drawn", probes.inverse,
             _flat_stretches, view=_where_it_falls, tolerance=(0.0, 1e-4)),
    ],
    hints=[
        "Mass is height times width. Its running sum, with a 0 in front and divided by the last, is the CDF at the edges.",
        "torch.searchsorted(cdf, u, right=True) − 1 is the bin with cdf[bin] <= u < cdf[bin + 1]. Such a bin is not empty.",
        "Inside the bin go the share (u − cdf[bin]) / (cdf[bin + 1] − cdf[bin]) of the way from edge to edge.",
    ],
)  # fmt: skip


def _cumulated(mass: Tensor, normalise: bool = True) -> Tensor:
    cdf = F.pad(mass.cumsum(0), (1, 0))
    return cdf / cdf[-1] if normalise else cdf


def _bin_of(u: Tensor, cdf: Tensor) -> Tensor:
    return (torch.searchsorted(cdf, u, right=True) - 1).clamp(0, len(cdf) - 2)


def _interpolated(u: Tensor, edges: Tensor, cdf: Tensor) -> Tensor:
    number = _bin_of(u, cdf)
    return torch.lerp(edges[number], edges[number + 1], (u - cdf[number]) / (cdf[number + 1] - cdf[number]))


@inverse_exercise.mistake(
    "You cumulated the heights. A low, wide bin may hold more than a high, narrow one: the mass is height times width."
)
def cumulates_heights(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    return _interpolated(u, edges, _cumulated(density))


@inverse_exercise.mistake("The CDF does not end at 1: the density need not be normalised. Divide by the last value.")
def forgets_to_normalise(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    return _interpolated(u, edges, _cumulated(density * edges.diff(), normalise=False))


@inverse_exercise.mistake(
    "You return the left edge of the bin. Inside a bin every place is as likely: go the rest of the way."
)
def returns_left_edges(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    return edges[_bin_of(u, _cumulated(density * edges.diff()))]


@inverse_exercise.mistake(
    "You return the middle of the bin. Inside a bin every place is as likely: u says how far into the bin."
)
def returns_middles(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    number = _bin_of(u, _cumulated(density * edges.diff()))
    return (edges[number] + edges[number + 1]) / 2


@inverse_exercise.mistake(
    "You used u itself as the place in the bin. u is a height of the whole CDF: how far into the bin it is says (u − "
    "cdf[bin]) / (cdf[bin + 1] − cdf[bin])."
)
def uses_u_as_the_place(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    number = _bin_of(u, _cumulated(density * edges.diff()))
    return torch.lerp(edges[number], edges[number + 1], u)


@inverse_exercise.mistake(
    "Off by one: you land in the next bin. searchsorted(..., right=True) counts one edge more: subtract 1."
)
def lands_in_the_next_bin(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    cdf = _cumulated(density * edges.diff())
    number = _bin_of(u, cdf)
    later = (number + 1).clamp(max=len(density) - 1)
    return torch.lerp(edges[later], edges[later + 1], (u - cdf[number]) / (cdf[number + 1] - cdf[number]))


@inverse_exercise.mistake(
    "At u = 0 you divide 0 by 0, if the first bin is empty. With searchsorted(..., right=True) − 1 the chosen bin always "
    "has some mass."
)
def divides_by_an_empty_bin(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    cdf = _cumulated(density * edges.diff())
    number = (torch.searchsorted(cdf, u) - 1).clamp(min=0)
    return torch.lerp(edges[number], edges[number + 1], (u - cdf[number]) / (cdf[number + 1] - cdf[number]))


@inverse_exercise.mistake("You do not use u: bins are drawn by new dice. The same u must always give the same sample.")
def ignores_u(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    number = torch.multinomial(density * edges.diff(), len(u), replacement=True)
    return torch.lerp(edges[number], edges[number + 1], torch.rand_like(u))


@inverse_exercise.mistake("New dice draw the bin, and u says only the place in it. u decides both: searchsorted(cdf, u).")
def uses_u_for_the_place_only(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    number = torch.multinomial(density * edges.diff(), len(u), replacement=True)
    return torch.lerp(edges[number], edges[number + 1], u)


@inverse_exercise.mistake("You go into each bin by the mean width. Bins differ in width: from edges[bin] to edges[bin + 1].")
def goes_by_the_mean_width(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    cdf = _cumulated(density * edges.diff())
    number = _bin_of(u, cdf)
    return edges[number] + edges.diff().mean() * (u - cdf[number]) / (cdf[number + 1] - cdf[number])


@inverse_exercise.mistake("This is the CDF at u, a share. You need its inverse: the place x at which the CDF has reached u.")
def computes_the_cdf(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    cdf = _cumulated(density * edges.diff())
    number = (torch.searchsorted(edges, u, right=True) - 1).clamp(0, len(density) - 1)
    return torch.lerp(cdf[number], cdf[number + 1], (u - edges[number]) / edges.diff()[number])


@inverse_exercise.style
def inverse_u_by_u(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    mass = [float(h) * float(b - a) for h, a, b in zip(density, edges, edges[1:], strict=False)]
    total, found = sum(mass), []
    for value in u.tolist():
        left = value * total
        for i, amount in enumerate(mass):
            if amount > 0 and left <= amount:
                found.append(float(torch.lerp(edges[i], edges[i + 1], left / amount)))
                break
            left -= amount
    return torch.tensor(found, dtype=edges.dtype, device=edges.device)


@inverse_exercise.style
def inverse_by_density(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    mass = density * torch.diff(edges)
    density, mass = density / mass.sum(), mass / mass.sum()
    upper = torch.cumsum(mass, 0)
    last = int(mass.nonzero().max())
    number = torch.searchsorted(upper, u, right=True).clamp(max=last)
    return edges[number] + (u - (upper - mass)[number]) / density[number]


@inverse_exercise.style
def inverse_without_empty_bins(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    kept = density > 0
    left, right = edges[:-1][kept], edges[1:][kept]
    mass = (density[kept] * (right - left)).double()
    cdf = torch.cat([mass.new_zeros(1), mass.cumsum(0) / mass.sum()])
    number = torch.bucketize(u.double(), cdf[1:-1])
    share = (u - cdf[number]) / (cdf[number + 1] - cdf[number])
    return (left[number] + share * (right - left)[number]).to(edges.dtype)


# ------------------------------------------------------------------------------------------------- ancestral_sample


def _mixtures(generator: Generator) -> list[Case]:
    weights = torch.tensor([0.2, 0.3, 0.5])[torch.randperm(3, generator=generator)]
    # Unequal spreads and strong correlations: L and its transpose, or L and the covariance, must not be alike.
    tilted = torch.tensor([[[4.0, 2.4], [2.4, 2.0]], [[0.5, -0.6], [-0.6, 1.0]], [[2.0, 0.9], [0.9, 0.5]]])
    return [{"n": DRAWS, "weights": weights, "means": _normal(generator, 3, 2, scale=4), "covs": tilted}]


def _mixture_statistics(answers: dict[str, Any], n: int, weights: Tensor, means: Tensor, covs: Tensor) -> dict[str, Any]:
    """Turn two draws into statistics; names are what a student reads. The noise is what makes x out of its component."""
    chosen = [F.one_hot(answers[name].long(), len(weights)).float() for name in ("component", "second_component")]
    factors = torch.linalg.cholesky(covs)
    noise = []
    for x, component in (("x", "component"), ("second_x", "second_component")):
        number = answers[component].long()
        centred = (answers[x] - means[number])[:, :, None]
        noise.append(torch.linalg.solve_triangular(factors[number], centred, upper=False).squeeze(-1))
    count = chosen[0].sum(dim=0).clamp(min=1)[:, None]
    mean = chosen[0].T @ noise[0] / count  # (K, D)
    centred = noise[0] - chosen[0] @ mean
    std = (chosen[0].T @ centred.square() / count).sqrt()
    scaled = centred / (chosen[0] @ std).clamp(min=1e-6)
    correlation = chosen[0].T @ scaled.prod(dim=1, keepdim=True) / count  # of the two dimensions
    half = n // 2
    return {
        "the_share_of_each_component": chosen[0].mean(dim=0),
        "the_share_of_each_component_in_the_first_half": chosen[0][:half].mean(dim=0),
        "the_share_of_draws_with_the_same_component_in_both_calls": (chosen[0] * chosen[1]).sum(dim=1).mean(),
        "the_noise's_mean_in_each_component": mean,
        "the_noise's_standard_deviation_in_each_component": std,
        "the_correlation_of_noise_between_dimensions_in_each_component": correlation,
        "the_correlation_of_noise_between_draws": (scaled[:half] * scaled[half : 2 * half]).mean(dim=0),
        "the_correlation_of_noise_between_calls": (scaled * noise[1].clamp(-10, 10)).mean(dim=0),
        "the_mean_of_the_noise's_4th_power": scaled.clamp(-10, 10).pow(4).mean(),
        # One right call in ten thousand does so, two in a row never.
        "the_number_of_calls_(of_2)_that_draw_each_component_exactly_n·weight_times": sum(
            ((c.sum(dim=0) - n * weights).abs() < 1).all().double() for c in chosen
        ),
    }


def _narrow_mixtures(generator: Generator) -> list[Case]:
    cases = []
    for n, d, weights in ((7, 2, [0.5, 0.3, 0.2]), (1, 1, [1.0]), (4, 4, [0.25] * 4), (200, 1, [0.0, 0.6, 0.4])):
        k = len(weights)
        means = 5 * torch.randperm(k, generator=generator)[:, None] + _normal(generator, k, d)
        covs = 1e-10 * torch.stack([_covariance(generator, d) for _ in range(k)])
        cases.append({"n": n, "weights": torch.tensor(weights), "means": means, "covs": covs})
    return cases


def _at_the_means(answers: dict[str, Any], n: int, weights: Tensor, means: Tensor, covs: Tensor) -> dict[str, Any]:
    component = answers["component"].long()
    return {
        "the_distance_of_x_from_the_mean_of_its_component": (answers["x"] - means[component]).abs().max(),
        "the_number_of_draws_from_a_component_of_weight_0": (weights[component] == 0).sum().double(),
        "the_number_of_components_that_are_not_int64": float(n * (answers["component"].dtype != torch.int64)),
    }


ancestral_exercise = Exercise(
    ancestral_sample,
    parts=[
        Part("pairs", "each x comes from its component; shapes, also for one draw and one component", probes.mixture,
             _narrow_mixtures, view=_at_the_means, tolerance=(0.0, 0.02)),
        Part("distribution", "how often each component is drawn, and the noise in each: mean, spread, correlation",
             probes.mixture, _mixtures, view=_mixture_statistics, tolerance=WITHIN, weight=2),
    ],
    hints=[
        "First the latent variable: torch.multinomial(weights, n, replacement=True) draws n component numbers.",
        "Then noise eps (n, D), and for each draw the Cholesky factor of its own component: "
        "torch.linalg.cholesky(covs)[component].",
        "x = means[component] + L eps, for each draw: torch.einsum('nij,nj->ni', L, eps).",
    ],
)  # fmt: skip


def _from_component(component: Tensor, means: Tensor, factors: Tensor, eps: Tensor) -> Tensor:
    return means[component] + torch.einsum("nij,nj->ni", factors[component], eps)


def _choose(n: int, weights: Tensor) -> Tensor:
    return torch.multinomial(weights, n, replacement=True)


@ancestral_exercise.mistake(
    "You averaged over the components (weights · points): that gives one heap in the middle. Each draw comes from one of "
    "them."
)
def averages_components(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    k, d = means.shape
    eps = torch.randn(n, k, d, device=means.device)
    each = means + torch.einsum("kij,nkj->nki", torch.linalg.cholesky(covs), eps)
    return torch.einsum("k,nkd->nd", weights, each), _choose(n, weights)


@ancestral_exercise.mistake("The weights are not used: all components are drawn equally often. Use torch.multinomial.")
def ignores_weights(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    return ancestral_sample(n, torch.ones_like(weights) / len(weights), means, covs)


@ancestral_exercise.mistake(
    "All draws come from one component: one draw for all, or the largest weight. Draw n: torch.multinomial(weights, n, "
    "replacement=True)."
)
def one_component_for_all(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(1, weights).expand(n).clone()
    eps = torch.randn(n, means.shape[1], device=means.device)
    return _from_component(component, means, torch.linalg.cholesky(covs), eps), component


@ancestral_exercise.mistake("Categorical(logits=weights) takes weights for logarithms. But they are shares: probs=weights.")
def takes_weights_for_logits(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    return ancestral_sample(n, weights.softmax(dim=0), means, covs)


@ancestral_exercise.mistake(
    "Each component comes exactly n · weight times, in every call. Independent draws scatter around that number: "
    "torch.multinomial throws the dice for each."
)
def shuffles_round_counts(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    ends = (n * weights.cumsum(0)).round()[:-1]
    component = torch.searchsorted(ends, torch.randperm(n, device=weights.device).to(ends.dtype), right=True)
    eps = torch.randn(n, means.shape[1], device=means.device)
    return _from_component(component, means, torch.linalg.cholesky(covs), eps), component


@ancestral_exercise.mistake("The noise is uniform, from 0 to 1 (torch.rand). It must be standard normal: torch.randn.")
def draws_uniform_noise(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    eps = torch.rand(n, means.shape[1], device=means.device)
    return _from_component(component, means, torch.linalg.cholesky(covs), eps), component


@ancestral_exercise.mistake("All draws of a component share one noise. Draw eps with the shape (n, D), not (K, D).")
def shares_noise_in_a_component(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    eps = torch.randn(means.shape, device=means.device)[component]
    return _from_component(component, means, torch.linalg.cholesky(covs), eps), component


@ancestral_exercise.mistake("All draws share one noise. Draw eps with the shape (n, D).")
def shares_the_noise(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    eps = torch.randn(means.shape[1], device=means.device).expand(n, -1)
    return _from_component(component, means, torch.linalg.cholesky(covs), eps), component


@ancestral_exercise.mistake("All dimensions of a draw share one noise. Draw eps with the shape (n, D), not (n, 1).")
def shares_noise_over_dimensions(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    eps = torch.randn(n, 1, device=means.device).expand(n, means.shape[1])
    return _from_component(component, means, torch.linalg.cholesky(covs), eps), component


@ancestral_exercise.mistake("The factor is transposed: eps @ L has the covariance Lᵀ L. As a row, L eps is eps @ L.T.")
def transposes_the_factor(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    eps = torch.randn(n, means.shape[1], device=means.device)
    return _from_component(component, means, torch.linalg.cholesky(covs).mT, eps), component


@ancestral_exercise.mistake(
    "You multiplied the noise by the covariance. Its 'square root' belongs there: the Cholesky factor L, with cov = L Lᵀ."
)
def multiplies_by_the_covariance(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    eps = torch.randn(n, means.shape[1], device=means.device)
    return _from_component(component, means, covs, eps), component


@ancestral_exercise.mistake(
    "You used only the diagonal of the covariances, so the dimensions do not vary together. Use the Cholesky factor."
)
def uses_the_diagonal(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    std = covs.diagonal(dim1=1, dim2=2).sqrt()
    eps = torch.randn(n, means.shape[1], device=means.device)
    return means[component] + std[component] * eps, component


@ancestral_exercise.mistake(
    "All draws use the covariance of the first component. Each component has its own: covs[component]."
)
def uses_the_first_covariance(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    eps = torch.randn(n, means.shape[1], device=means.device)
    return _from_component(component, means, torch.linalg.cholesky(covs)[:1].expand_as(covs), eps), component


@ancestral_exercise.mistake("There is no noise: you return the mean of the component. x is drawn from p(x | z).")
def returns_the_means(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = _choose(n, weights)
    return means[component], component


@ancestral_exercise.mistake(
    "The component that you return is not the one that x was drawn from: you drew it a second time. Draw it once, use it "
    "twice."
)
def draws_the_component_twice(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    return ancestral_sample(n, weights, means, covs)[0], _choose(n, weights)


@ancestral_exercise.mistake(
    "The draws come component by component, so the first ones are all from the first component. Draws are independent: "
    "choose a component for each, or shuffle at the end (x and component alike)."
)
def draws_in_blocks(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    x, component = ancestral_sample(n, weights, means, covs)
    order = component.argsort()
    return x[order], component[order]


@ancestral_exercise.mistake(
    "You set the seed in the function, so every call gives the same draws. Leave the seed to the caller."
)
def sets_the_seed(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    torch.manual_seed(0)
    return ancestral_sample(n, weights, means, covs)


@ancestral_exercise.mistake("`component` should hold whole numbers (int64), so that it can index means[component].")
def returns_real_components(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    x, component = ancestral_sample(n, weights, means, covs)
    return x, component.to(x.dtype)


@ancestral_exercise.mistake("You return the component first. The order is (x, component).")
def swaps_x_and_component(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    x, component = ancestral_sample(n, weights, means, covs)
    return component, x


@ancestral_exercise.style
def ancestral_by_distributions(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = Categorical(probs=weights).sample((n,))
    return MultivariateNormal(means[component], covs[component]).sample(), component


@ancestral_exercise.style
def ancestral_with_masks(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    component = torch.searchsorted(weights.cumsum(0)[:-1], torch.rand(n, device=weights.device), right=True)
    x = torch.empty(n, means.shape[1], device=means.device)
    for k in range(len(weights)):
        own = component == k
        values, vectors = torch.linalg.eigh(covs[k])
        root = vectors * values.clamp(min=0).sqrt()
        x[own] = means[k] + torch.randn(int(own.sum()), means.shape[1], device=means.device) @ root.T
    return x, component


@ancestral_exercise.style
def ancestral_from_all_components(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> Pair:
    every = MultivariateNormal(means, covariance_matrix=covs).sample((n,))  # (n, K, D)
    component = torch.multinomial(weights.expand(n, -1), 1)[:, 0]
    return every[torch.arange(n, device=every.device), component], component


# -------------------------------------------------------------------------------------------------------- questions

QUESTIONS = [
    Question(
        "answer_riddle",
        right="b",
        feedback={
            "a": (
                "No, that one was set in a font. Nothing to be ashamed of: we chose the best of 200 drawings for the "
                "riddle. The next cell shows what the network draws when nobody picks."
            ),
            "b": (
                "Yes, the one in the middle was made up by the network. Did you see it, or did you guess? The next cell "
                "shows what it draws when nobody picks the best of 200."
            ),
            "c": (
                "No, that one was set in a font. Nothing to be ashamed of: we chose the best of 200 drawings for the "
                "riddle. The next cell shows what the network draws when nobody picks."
            ),
        },
        hints=["Fonts have sharp, even strokes. Look for a stroke whose edge is a little softer or more ragged."],
    ),
    Question(
        "answer_star",
        right="a",
        feedback={
            "a": (
                "Yes. p(y | x) only compares the two labels at x, and far out one of them wins clearly. That x itself is "
                "improbable is a statement about p(x), and only the right model has that."
            ),
            "b": (
                "Look at the map: far to the left it is the full colour of the upper arc. Its probability compares the "
                "two arcs with each other. What does it say when both are far away, but one is less far?"
            ),
            "c": (
                "No labels are needed: the right picture has none, and it shows how many points lie near the star. What "
                "would a density say there?"
            ),
        },
        hints=["Find the star in both pictures. What colour has the left map there? How many points has the right one?"],
    ),
    Question(
        "answer_bandwidth",
        right="c",
        feedback={
            "a": (
                "The orange curve has 2,000 unseen points and falls steeply; ten times as many would make it smoother, "
                "not turn it round. What sits exactly on top of each training point?"
            ),
            "b": (
                "It holds on paper as well: at its own centre a kernel has the height 1 / (h √2π). What happens to that "
                "as h gets small, whatever the precision?"
            ),
            "c": (
                "Yes. At its own centre a kernel has the height 1 / (h √2π), so the log-density of a training point is at "
                "least −log(N h √2π): no bound as h → 0. Judge by points that the model has not seen."
            ),
        },
        hints=["How high is a kernel at its own centre? Which points sit there?"],
    ),
    Question(
        "answer_cave",
        right="a",
        feedback={
            "a": (
                "Yes. The tree turning one way and its mirror image turning the other way cast the same shadows, pixel by "
                "pixel. No method can tell the two apart, because the data are equal."
            ),
            "b": (
                "She can: the tips of the branches swing like cosines of the angle, so their paths tell how far the tree "
                "has turned between two frames, whichever way. Compare the first two films once more."
            ),
            "c": (
                "She can: half a turn later the shadow is the mirror image, left and right swapped. She looks for that "
                "frame. Compare the first and the third film once more."
            ),
        },
        hints=["Two of the films above were made by different worlds and are the same. In what do these worlds differ?"],
    ),
]

# Of what the marked cells print: another machine's last digit may differ.
TOLERANCE = (1e-3, 2e-3)

ITEMS = [
    histogram_exercise,
    fit_exercise,
    gaussian_exercise,
    kernel_exercise,
    inverse_exercise,
    ancestral_exercise,
    *QUESTIONS,
]
