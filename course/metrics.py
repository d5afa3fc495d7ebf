"""Numbers that say how good a model is, beyond its loss."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d


def equal_width_bins(column: Tensor, bins: int) -> Tensor:
    """Cut a column of real numbers into bins of equal width from its minimum to its maximum.

    column: (N,). Returns bin numbers 0 ... bins − 1: (N,) int64; a constant column is all 0.
    """
    low, high = column.min(), column.max()
    if low == high:
        return torch.zeros_like(column, dtype=torch.int64)
    scaled = (column - low) / (high - low) * bins
    return scaled.long().clamp(0, bins - 1)  # the maximum itself belongs to the last bin


def entropy(labels: Tensor) -> Tensor:
    """Compute the entropy in nats of how often each label occurs; labels: (N,) integers, returns a scalar."""
    _, counts = labels.unique(return_counts=True)
    p = counts.double() / len(labels)
    return -(p * p.log()).sum()


def mutual_information_gap(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    """Score how exclusively each true factor is told by one latent variable: 0 not at all, 1 perfectly.

    codes: (N, D), cut into bins of equal width. factors: (N, K); columns that hold only whole numbers are classes, others
    are cut like the codes. Returns the mean over factors of (I₁ − I₂) / H(factor), I₁ and I₂ the largest and the
    second largest mutual information with a latent; I₂ = 0 if D = 1. A factor that never varies counts 0.
    Raises ValueError if the shapes do not fit. Source: Chen et al. (2018), equation 6.
    """
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(f"codes {tuple(codes.shape)} and factors {tuple(factors.shape)} must be (N, D) and (N, K)")
    ### BEGIN SOLUTION
    binned_codes = [equal_width_bins(code, bins) for code in codes.T]
    gaps = []
    for factor in factors.T:
        whole = torch.equal(factor, factor.round())
        classes = factor.long() if whole else equal_width_bins(factor, bins)
        h = entropy(classes)
        if h == 0:
            gaps.append(0.0)
            continue
        pair_base = int(classes.max() - classes.min()) + 1
        # I(code; factor) = H(code) + H(factor) − H(code, factor); a pair of labels becomes one label.
        information = [
            (entropy(code) + h - entropy(code * pair_base + classes - classes.min())).item() for code in binned_codes
        ]
        first, second = sorted([*information, 0.0], reverse=True)[:2]
        gaps.append((first - second) / h.item())
    return sum(gaps) / len(gaps)
    ### END SOLUTION


def auroc(scores: Tensor, is_outlier: Tensor) -> float:
    """Compute the area under the ROC curve: how often an outlier scores above an ordinary example, ties counted half.

    scores: (N,), larger for odder examples. is_outlier: (N,) bool. Returns 1 for a perfect score, 0.5 for a useless one.
    Raises ValueError if the shapes differ or one of the two kinds is missing. Source: Hanley & McNeil (1982).
    """
    if scores.shape != is_outlier.shape or scores.ndim != 1:
        raise ValueError(f"scores {tuple(scores.shape)} and is_outlier {tuple(is_outlier.shape)} must both be (N,)")
    if not 0 < int(is_outlier.sum()) < len(scores):
        raise ValueError("is_outlier must have at least one outlier and one ordinary example")
    ### BEGIN SOLUTION
    ordinary = scores[~is_outlier].sort().values
    odd = scores[is_outlier]
    below = torch.searchsorted(ordinary, odd)  # how many ordinary scores are smaller
    not_above = torch.searchsorted(ordinary, odd, right=True)  # ... and how many smaller or equal
    wins = (below + not_above).double().sum() / 2
    return (wins / (len(odd) * len(ordinary))).item()
    ### END SOLUTION


def frechet_distance(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> float:
    """Compute the squared Fréchet distance of two normal distributions, the FID when they describe features of images.

    mu1, mu2: means (D,). cov1, cov2: covariances (D, D), symmetric; they may be singular. Computed in double precision.
    Raises ValueError if the shapes do not fit. Source: Heusel et al. (2017), equation 6.
    """
    d = len(mu1)
    if mu1.shape != (d,) or mu2.shape != (d,) or cov1.shape != (d, d) or cov2.shape != (d, d):
        shapes = ", ".join(str(tuple(value.shape)) for value in (mu1, cov1, mu2, cov2))
        raise ValueError(f"the means and covariances must be (D,), (D, D), (D,), (D, D); they are {shapes}")
    ### BEGIN SOLUTION
    mu1, cov1, mu2, cov2 = (value.double() for value in (mu1, cov1, mu2, cov2))
    # Tr (Σ₁ Σ₂)^½ = Tr (Σ₁^½ Σ₂ Σ₁^½)^½, of a symmetric matrix: real eigenvalues, and rounding below 0 is cut off
    values, vectors = torch.linalg.eigh(cov1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ cov2 @ root).clamp(min=0).sqrt().sum()
    # ‖μ₁ − μ₂‖² + Tr (Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)
    return ((mu1 - mu2).square().sum() + cov1.trace() + cov2.trace() - 2 * overlap).item()
    ### END SOLUTION


def psnr(x: Tensor, y: Tensor, data_range: float = 2.0) -> Tensor:
    """Compute the peak signal-to-noise ratio of each image in decibels, 10 log₁₀(range² / mean squared error).

    x, y: images (B, C, H, W) whose values span data_range: 2 for [-1, 1]. Returns (B,); more is nearer, ∞ for
    equal images. Raises ValueError if the shapes differ.
    """
    _check_images(x, y)
    return 10 * torch.log10(data_range**2 / (x - y).square().flatten(1).mean(dim=1))


def ssim(x: Tensor, y: Tensor, data_range: float = 2.0) -> Tensor:
    """Compute the structural similarity of each image to another: 1 for equal ones, about 0 for unrelated ones.

    x, y: images (B, C, H, W), H and W at least 11, whose values span data_range: 2 for [-1, 1]. Returns (B,). Means,
    variances and covariance are taken under a Gaussian window of 11 x 11 pixels with σ = 1.5 wherever it fits whole; the
    result is their mean over places and channels. Raises ValueError if the shapes differ or an image is too small.
    Source: Wang et al. (2004), equation 13, with their K₁ = 0.01 and K₂ = 0.03.
    """
    _check_images(x, y)
    if min(x.shape[2:]) < 11:
        raise ValueError(f"images of {x.shape[2]} x {x.shape[3]} pixels are smaller than the window, 11 x 11")
    distance = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
    bell = torch.exp(-0.5 * (distance / 1.5) ** 2)
    window = torch.outer(bell, bell)[None, None] / bell.sum() ** 2

    def blurred(image: Tensor) -> Tensor:
        return conv2d(image.reshape(-1, 1, *image.shape[2:]), window).reshape(*image.shape[:2], -1)

    mu_x, mu_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mu_x**2, blurred(y * y) - mu_y**2
    cov = blurred(x * y) - mu_x * mu_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    similarity = (2 * mu_x * mu_y + c1) * (2 * cov + c2) / ((mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2))
    return similarity.mean(dim=(1, 2))


def _check_images(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(f"x {tuple(x.shape)} and y {tuple(y.shape)} must both be images (B, C, H, W)")
