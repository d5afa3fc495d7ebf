"""Debiasing by latent resampling, the DB-VAE of Amini, Soleimany, Schwarting, Bhatia & Rus (2019), and outlier scores.

Read it from top to bottom: a network that classifies and describes, what it costs, how the descriptions are distributed, how
to draw the rare ones more often, who is recognised, and how unlikely an image is.
Dimensions: B images of C x H x W values in [0, 1], of N in all; D latent variables. Logarithms and prices are in nats.
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from course.metrics import equal_width_bins
from course.vae import VAE, bernoulli_nll, gaussian_kl, reparameterize


class DBVAE(nn.Module):
    """A VAE whose encoder also answers yes or no: is this a face?

    encoder: (B, C, H, W) -> (B, 1 + 2D): the answer's logit, D means, D log-variances. decoder: (B, D) -> (B, C, H, W).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map images (B, C, H, W) to the answer's logit (B,) and to the mean and log-variance of q(z|x), both (B, D)."""
        y_logit, mu, logvar = self.encoder(x).split([1, self.latent_dim, self.latent_dim], dim=1)
        return y_logit.squeeze(1), mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, D) to the logits of pixels, (B, C, H, W)."""
        logits: Tensor = self.decoder(z)
        return logits

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Classify x, draw one code for each image, decode it; return (y_logit, x_hat, mu, logvar), x_hat in [0, 1]."""
        y_logit, mu, logvar = self.encode(x)
        return y_logit, torch.sigmoid(self.decode(reparameterize(mu, logvar))), mu, logvar


def dbvae_loss(
    y_logit: Tensor,
    y: Tensor,
    x_hat: Tensor,
    x: Tensor,
    mu: Tensor,
    logvar: Tensor,
    recon_weight: float = 5.0,
    kl_weight: float = 0.005,
) -> Tensor:
    """Compute the loss of a DB-VAE: classify every image, describe only the faces; averaged over the batch.

    y_logit: (B,), any real number. y: (B,), 1 for a face and 0 for anything else. x_hat, x: (B, C, H, W), in [0, 1].
    mu, logvar: (B, D). Returns a scalar: the mean of BCE + 1[y = 1] (recon_weight · recon + kl_weight · KL), where recon is
    the mean absolute error of an image's values and KL is in nats, summed over the latents.
    Raises ValueError if the shapes do not fit; above all (B, 1) against (B,), which would broadcast to (B, B).
    Source: Amini et al. (2019), section 3.2, where the indicator multiplies the VAE's terms and nothing else.
    """
    if y_logit.ndim != 1 or y.shape != y_logit.shape or len(x) != len(y) or len(mu) != len(y):
        raise ValueError(
            f"y_logit {tuple(y_logit.shape)} and y {tuple(y.shape)} must be (B,), one for each image: squeeze them"
        )
    if x_hat.shape != x.shape:
        raise ValueError(f"x_hat {tuple(x_hat.shape)} and x {tuple(x.shape)} must have the same shape (B, C, H, W)")
    ### BEGIN SOLUTION
    classification = F.binary_cross_entropy_with_logits(y_logit, y.to(y_logit.dtype), reduction="none")  # (B,)
    recon = (x_hat - x).abs().flatten(start_dim=1).mean(dim=1)  # (B,)
    description = recon_weight * recon + kl_weight * gaussian_kl(mu, logvar)
    is_face = (y == 1).to(y_logit.dtype)
    return (classification + is_face * description).mean()  # L = L_y + 1[y = 1] · L_VAE
    ### END SOLUTION


def latent_histogram(mu_column: Tensor, bins: int = 10, smoothing: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Estimate how one latent variable is distributed: what share of the images lies in each of equally wide bins.

    mu_column: (N,). Returns the edges (bins + 1,), from the smallest to the largest value, and Q (bins,): counts / N +
    smoothing, divided by its sum. Raises ValueError for another shape.
    """
    if mu_column.ndim != 1 or len(mu_column) == 0 or bins < 1:
        raise ValueError(
            f"mu_column {tuple(mu_column.shape)} must be (N,), the values of one latent, and bins {bins} positive"
        )
    ### BEGIN SOLUTION
    low, high = mu_column.min(), mu_column.max()
    edges = low + (high - low) * torch.linspace(0, 1, bins + 1, device=mu_column.device, dtype=mu_column.dtype)
    counts = torch.bincount(equal_width_bins(mu_column, bins), minlength=bins)
    q = counts.to(mu_column.dtype) / len(mu_column) + smoothing
    return edges, q / q.sum()
    ### END SOLUTION


def resampling_probabilities(
    mu: Tensor,
    bins: int = 10,
    smoothing: float = 1e-3,
    combine: str = "max",
    latent_weights: Tensor | None = None,
) -> Tensor:
    """Give each image a probability of being drawn that is the larger, the rarer its codes are.

    mu: (N, D). latent_weights: (D,), not negative and not all 0; 1 for each if None. With Q_j(i) the share of image i's bin
    in latent j's histogram: combine="max" takes p_i ∝ max_j w_j / Q_j(i), "product" takes p_i ∝ Π_j Q_j(i)^(−w_j).
    Returns (N,), positive, with the sum 1. Raises ValueError for other shapes, for no images, and for an unknown combine.
    Source: "product" is Amini et al. (2019), equation 6; "max" is the rule of a well-known lab, less a division.
    """
    if mu.ndim != 2 or mu.numel() == 0:
        raise ValueError(f"mu {tuple(mu.shape)} must be (N, D), with at least one of each")
    if combine not in ("max", "product"):
        raise ValueError(f'combine={combine!r} must be "max" or "product"')
    if latent_weights is not None and latent_weights.shape != mu.shape[1:]:
        raise ValueError(f"latent_weights {tuple(latent_weights.shape)} must be (D,), one for each of {mu.shape[1]} latents")
    ### BEGIN SOLUTION
    # What latent_histogram does, for all latents at once.
    n, d = mu.shape
    weights = mu.new_ones(d) if latent_weights is None else latent_weights.to(mu)
    parts = mu.split(2000)  # rows that stay in the processor's cache while all is done with them
    low, high = parts[0].clone(), parts[0].clone()
    for part in parts:
        torch.minimum(low[: len(part)], part, out=low[: len(part)])
        torch.maximum(high[: len(part)], part, out=high[: len(part)])
    low, high = low.amin(dim=0), high.amax(dim=0)  # (D,)
    scale = bins / (high - low).clamp(min=1e-30)
    first = bins * torch.arange(d, dtype=torch.int32, device=mu.device)  # the D histograms, one after the other

    def places(part: Tensor) -> Tensor:
        """Find for each value its bin in that row of histograms."""
        return (part - low).mul_(scale).int().clamp_(max=bins - 1).add_(first).flatten()

    counts = torch.stack([torch.bincount(places(part), minlength=d * bins) for part in parts]).sum(dim=0)
    q = counts.view(d, bins).to(mu.dtype) / n + smoothing
    log_q = (q / q.sum(dim=1, keepdim=True)).log()  # in logarithms: a product of many small Q would underflow
    if combine == "max":
        rarity = weights.log()[:, None] - log_q  # (D, bins): log of w_j / Q_j
    else:
        rarity = -weights[:, None] * log_q
    each = (rarity.flatten().index_select(0, places(part)).view(-1, d) for part in parts)  # (rows, D)
    log_p = [values.amax(dim=1) if combine == "max" else values.sum(dim=1) for values in each]
    return torch.softmax(torch.cat(log_p), dim=0)
    ### END SOLUTION


def latent_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Compute how much each latent variable tells on average, in nats: its KL to the prior.

    mu, logvar: (N, D). Returns (D,). Raises ValueError if the shapes differ.
    """
    if mu.shape != logvar.shape:
        raise ValueError(f"mu {tuple(mu.shape)} and logvar {tuple(logvar.shape)} must have the same shape (N, D)")
    ### BEGIN SOLUTION
    return 0.5 * (logvar.exp() + mu.square() - 1 - logvar).mean(dim=0)
    ### END SOLUTION


def effective_sample_size(probabilities: Tensor) -> float:
    """Say how many images drawn equally often would be as varied as draws with these probabilities (N,): 1 / Σ p².

    Between 1 and N. Source: Kish (1965), for weighted samples.
    """
    return 1 / probabilities.double().square().sum().item()


def temper(probabilities: Tensor, effective_fraction: float) -> Tensor:
    """Flatten probabilities as little as it takes for many images to be drawn.

    probabilities: (N,), positive. Returns p^t, divided by its sum: (N,), with the largest t in [0, 1] at which the effective
    sample size 1 / Σ p² is at least effective_fraction · N. Raises ValueError unless 0 < effective_fraction <= 1.
    """
    if not 0 < effective_fraction <= 1:
        raise ValueError(f"effective_fraction={effective_fraction} must be above 0 and at most 1")
    ### BEGIN SOLUTION
    log_p = probabilities.double().log()

    def tempered(t: float) -> Tensor:
        return torch.softmax(t * log_p, dim=0)

    low, high = 0.0, 1.0  # the effective sample size falls as t grows, so halve the interval in which it crosses
    if effective_sample_size(tempered(high)) >= effective_fraction * len(log_p):
        low = high
    for _ in range(50):
        middle = (low + high) / 2
        if effective_sample_size(tempered(middle)) >= effective_fraction * len(log_p):
            low = middle
        else:
            high = middle
    return tempered(low).to(probabilities.dtype)
    ### END SOLUTION


def resampled_indices(probabilities: Tensor, n: int, generator: Generator | None = None) -> Tensor:
    """Draw n image numbers with replacement, each image with its own probability.

    probabilities: (N,), not negative. Returns (n,) int64, on the device of the probabilities.
    """
    ### BEGIN SOLUTION
    device = probabilities.device if generator is None else generator.device  # a generator draws on its own device only
    drawn = torch.multinomial(probabilities.to(device), n, replacement=True, generator=generator)
    return drawn.to(probabilities.device)
    ### END SOLUTION


def recall_by_group(predicted: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """Compute which share of each group's faces is recognised as a face.

    predicted: (N,) bool, for faces only. group: (N,) int64, 0 ... n_groups − 1. Returns (n_groups,), NaN for an empty group.
    Raises ValueError if the shapes differ.
    """
    if predicted.shape != group.shape or predicted.ndim != 1:
        raise ValueError(f"predicted {tuple(predicted.shape)} and group {tuple(group.shape)} must both be (N,)")
    ### BEGIN SOLUTION
    found = torch.bincount(group, weights=predicted.float(), minlength=n_groups)
    return found.float() / torch.bincount(group, minlength=n_groups)  # 0 / 0 is NaN
    ### END SOLUTION


def outlier_scores(model: VAE, x: Tensor) -> Tensor:
    """Score how unlikely a VAE finds each image: the price of the reconstruction from z = mu, plus the price of the code.

    x: (B, C, H, W), in [0, 1]. Returns nats: (B,), larger for odder images, without gradients.
    Runs in eval mode and restores the mode it found.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    with torch.no_grad():
        mu, logvar = model.encode(x)
        scores = bernoulli_nll(model.decode(mu), x) + gaussian_kl(mu, logvar)
    model.train(was_training)
    return scores
    ### END SOLUTION
