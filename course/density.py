"""Density estimation and sampling without networks: histogram, Gaussian, kernels, mixtures (Bishop, 2006, chapter 2).

Read it from top to bottom: three ways to learn p_model from samples alone, then two ways to draw new samples from it.
Dimensions: N data points, M queries, D dimensions, K components of a mixture. All log-densities are in nats.
"""

import math

import torch
from torch import Tensor


def histogram_density(x: Tensor, edges: Tensor) -> Tensor:
    """Estimate a density on a line by counting how many values fall into each bin.

    x: (N,). edges: (bins + 1,), increasing, with any spacing. Bin i holds edges[i] <= x < edges[i + 1]; the last bin holds
    the last edge too. Values outside are ignored. Returns (bins,), which integrates to 1 over the edges.
    Raises ValueError for other shapes, for edges that do not increase, and if no value lies within them.
    """
    check_edges(edges)
    if x.ndim != 1:
        raise ValueError(f"x {tuple(x.shape)} must be (N,), one number for each point")
    if not ((x >= edges[0]) & (x <= edges[-1])).any():
        raise ValueError(f"no value of x lies between the edges {edges[0]:g} and {edges[-1]:g}: there is nothing to count")
    ### BEGIN SOLUTION
    inside = x[(x >= edges[0]) & (x <= edges[-1])]
    number = torch.searchsorted(edges, inside, right=True) - 1  # the last edge that is not above the value
    number = number.clamp(max=len(edges) - 2)  # the last edge itself belongs to the last bin
    counts = torch.bincount(number, minlength=len(edges) - 1)
    return counts / (len(inside) * edges.diff())  # share of the points per unit of length
    ### END SOLUTION


def fit_gaussian(x: Tensor) -> tuple[Tensor, Tensor]:
    """Find the normal distribution that makes the data most probable.

    x: (N, D). Returns the mean (D,) and the covariance (D, D), symmetric, both by maximum likelihood (divided by N).
    Raises ValueError for other shapes or no data. Source: Bishop (2006), equations 2.121 and 2.122.
    """
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"x {tuple(x.shape)} must be (N, D) with at least one point; a column is x[:, None]")
    ### BEGIN SOLUTION
    mean = x.mean(dim=0)
    centred = x - mean  # first: the mean of squares minus the square of the mean loses all digits far from 0
    return mean, centred.T @ centred / len(x)
    ### END SOLUTION


def gaussian_log_prob(x: Tensor, mean: Tensor, cov: Tensor) -> Tensor:
    """Compute log N(x; mean, cov) for each point.

    x: (N, D). mean: (D,). cov: (D, D), symmetric. Returns nats: (N,).
    Raises ValueError for other shapes, and if cov is not positive definite. Source: Bishop (2006), equation 2.43.
    """
    if x.ndim != 2 or mean.shape != x.shape[1:] or cov.shape != (x.shape[1], x.shape[1]):
        shapes = f"x {tuple(x.shape)}, mean {tuple(mean.shape)}, cov {tuple(cov.shape)}"
        raise ValueError(f"{shapes} must be (N, D), (D,), (D, D)")
    ### BEGIN SOLUTION
    factor, failed_at = torch.linalg.cholesky_ex(cov)  # cov = L Lᵀ
    if failed_at:
        raise ValueError(f"cov is not positive definite: its leading minor of order {int(failed_at)} is not above 0")
    scaled = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)  # L⁻¹ (x − mean): (D, N)
    half_log_det = factor.diagonal().log().sum()  # ½ log |cov|; the determinant itself would under- or overflow
    # −½ ‖L⁻¹ (x − mean)‖² − ½ log |cov| − D/2 log 2π
    return -0.5 * scaled.square().sum(dim=0) - half_log_det - 0.5 * len(mean) * math.log(2 * math.pi)
    ### END SOLUTION


def kernel_log_density(query: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    """Compute the log-density of a kernel estimate: on every data point sits a small normal distribution.

    query: (M, D). data: (N, D). bandwidth: the standard deviation of the kernels, above 0. Returns nats: (M,).
    Raises ValueError for other shapes, no data, or a bandwidth that is not above 0. Source: Bishop (2006), equation 2.250.
    """
    if query.ndim != 2 or data.ndim != 2 or query.shape[1] != data.shape[1] or len(data) == 0:
        raise ValueError(f"query {tuple(query.shape)} and data {tuple(data.shape)} must be (M, D) and (N, D), N at least 1")
    if not bandwidth > 0:
        raise ValueError(f"the bandwidth {bandwidth} must be above 0: it is a standard deviation")
    ### BEGIN SOLUTION
    n, dims = data.shape
    sums = []
    for some in query.split(max(1, 2**22 // n)):  # at most 2²² distances (16 MiB) at a time
        # The usual way to distances, |a|² − 2ab + |b|², loses digits when points are close together and far from 0.
        distances = torch.cdist(some, data, compute_mode="donot_use_mm_for_euclid_dist")  # (some, N)
        # In a log-sum-exp the nearest kernel stays, however far away it is; the sum of exps would be 0 there.
        sums.append(torch.logsumexp(-0.5 * (distances / bandwidth).square(), dim=1))
    # log 1/N Σ N(query; x_n, bandwidth² I)
    return torch.cat(sums) - math.log(n) - dims * (math.log(bandwidth) + 0.5 * math.log(2 * math.pi))
    ### END SOLUTION


def inverse_cdf_sample(u: Tensor, edges: Tensor, density: Tensor) -> Tensor:
    """Turn uniform numbers into samples of a histogram: go where the cumulative distribution reaches u.

    u: (n,), in [0, 1). edges: (bins + 1,), increasing. density: (bins,), at least 0, not necessarily normalised. Returns
    (n,). A bin of density 0 is never drawn; where the CDF is flat at u, either end of the flat part will do.
    Raises ValueError for other shapes and for a density without mass. Source: Devroye (1986), section II.2.
    """
    check_edges(edges)
    if u.ndim != 1 or density.shape != (len(edges) - 1,):
        raise ValueError(f"u {tuple(u.shape)}, density {tuple(density.shape)} must be (n,), ({len(edges) - 1},), one a bin")
    if not density.sum() > 0 or (density < 0).any():
        raise ValueError("the density must be at least 0 everywhere, and above 0 somewhere")
    ### BEGIN SOLUTION
    mass = density * edges.diff()  # what lies in each bin: height times width
    cdf = torch.cat([mass.new_zeros(1), mass.cumsum(dim=0)])
    cdf = cdf / cdf[-1]  # (bins + 1,), from 0 to 1 at the edges
    number = torch.searchsorted(cdf, u, right=True) - 1  # cdf[number] <= u < cdf[number + 1], so that bin has some mass
    share = (u - cdf[number]) / (cdf[number + 1] - cdf[number])  # how far into the bin
    return torch.lerp(edges[number], edges[number + 1], share)
    ### END SOLUTION


def ancestral_sample(n: int, weights: Tensor, means: Tensor, covs: Tensor) -> tuple[Tensor, Tensor]:
    """Draw from a mixture of normal distributions: the latent variable first, then the observation given it.

    weights: (K,), at least 0, with sum 1. means: (K, D). covs: (K, D, D), positive definite. Returns n independent draws
    x (n, D), and component (n,) int64, the latent variable of each: x[i] comes from number component[i].
    Raises ValueError for other shapes and for n below 1. Source: Bishop (2006), section 8.1.2.
    """
    k, dims = means.shape if means.ndim == 2 else (0, 0)
    if n < 1:
        raise ValueError(f"n = {n} must be at least 1")
    if k == 0 or weights.shape != (k,) or covs.shape != (k, dims, dims):
        shapes = f"weights {tuple(weights.shape)}, means {tuple(means.shape)}, covs {tuple(covs.shape)}"
        raise ValueError(f"{shapes} must be (K,), (K, D), (K, D, D)")
    ### BEGIN SOLUTION
    component = torch.multinomial(weights, n, replacement=True)  # z ~ p(z)
    eps = torch.randn(n, dims, device=means.device, dtype=means.dtype)
    factors = torch.linalg.cholesky(covs)  # L with cov = L Lᵀ, so that L eps has the covariance cov
    return means[component] + torch.einsum("nij,nj->ni", factors[component], eps), component  # x ~ p(x | z)
    ### END SOLUTION


def check_edges(edges: Tensor) -> None:
    """Raise ValueError unless edges (bins + 1,) increase."""
    if edges.ndim != 1 or len(edges) < 2 or not (edges.diff() > 0).all():
        raise ValueError(f"edges {tuple(edges.shape)} must be (bins + 1,) numbers that increase")
