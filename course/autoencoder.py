"""The autoencoder: compress an image to a few numbers and rebuild it from them (Hinton & Salakhutdinov, 2006).

Read it from top to bottom: price a copy, build the two halves, join them, train them; then its linear cousin, PCA, and a
look at which codes lie near which. Dimensions: B images of C x H x W values in [0, 1]; D numbers in a code.
"""

from collections.abc import Iterable
from math import prod

import torch
from torch import Tensor, nn


def squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Compute the squared distance ‖x_hat − x‖² between each image and its copy.

    x_hat, x: (B, C, H, W). Returns one number for each image: (B,), summed over C, H and W.
    Raises ValueError if the shapes differ.
    """
    if x_hat.shape != x.shape:
        raise ValueError(f"x_hat {tuple(x_hat.shape)} and x {tuple(x.shape)} must have the same shape (B, C, H, W)")
    ### BEGIN SOLUTION
    return (x_hat - x).square().sum(dim=(1, 2, 3))
    ### END SOLUTION


def build_encoder(in_shape: tuple[int, int, int], latent_dim: int) -> nn.Module:
    """Build an untrained network from images to codes.

    in_shape: (C, H, W), with any C, and with H and W multiples of 4 from 16 on. Returns a module
    (B, C, H, W) -> (B, latent_dim) whose codes may be any real numbers.
    """
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(prod(in_shape), 256),
        nn.ReLU(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, latent_dim),  # nothing after it: a sigmoid or a ReLU would fence the codes in
    )


def build_decoder(latent_dim: int, out_shape: tuple[int, int, int]) -> nn.Module:
    """Build an untrained network from codes to images.

    out_shape: (C, H, W), with any C, and with H and W multiples of 4 from 16 on. Returns a module
    (B, latent_dim) -> (B, C, H, W) whose outputs are pixels: 0 is black, 1 is white, and a little
    beyond is allowed.
    """
    return nn.Sequential(
        nn.Linear(latent_dim, 128),
        nn.ReLU(),
        nn.Linear(128, 256),
        nn.ReLU(),
        nn.Linear(256, prod(out_shape)),
        nn.Unflatten(1, out_shape),
    )


class Autoencoder(nn.Module):
    """An encoder to D numbers and a decoder back to an image; the same code every time, no noise.

    encoder: (B, C, H, W) -> (B, D). decoder: (B, D) -> (B, C, H, W).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to codes (B, D)."""
        z: Tensor = self.encoder(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, D) to what the decoder gives, (B, C, H, W)."""
        x_hat: Tensor = self.decoder(z)
        return x_hat

    def forward(self, x: Tensor) -> Tensor:
        """Rebuild x from its code."""
        return self.decode(self.encode(x))


def train_epoch(model: nn.Module, batches: Iterable[Tensor], optimizer: torch.optim.Optimizer) -> float:
    """Update the model once on each batch, by squared error, and report what an image cost on average.

    batches: any iterable, perhaps a generator, so walk through it once; each x is (B, C, H, W), with
    a B of its own, on the model's device. The loss of a batch is the mean of squared_error over it.
    Old gradients may lie on the model when you get it.
    Returns the mean over all the images of the epoch, each priced when its batch had its turn, before
    the update. The model trains and ends in training mode, whatever it was before.
    Raises ValueError if there is no batch at all (the checks leave this out).
    """
    ### BEGIN SOLUTION
    model.train()
    total, count = 0.0, 0
    for x in batches:
        loss = squared_error(model(x), x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)  # the last batch may be smaller, and images count alike
        count += len(x)
    if count == 0:
        raise ValueError("no batch came; a generator can be walked through only once: make a new one")
    return total / count
    ### END SOLUTION


def pca_reconstruct(x: Tensor, k: int) -> Tensor:
    """Rebuild each row from its first k principal components; no linear code of k numbers does better.

    x: (N, D), each row a flattened image. k: from 0, which leaves the mean, to D. Returns (N, D), the
    x_hat of rank k round the mean with the smallest ‖x_hat − x‖².
    Raises ValueError for another k or shape.
    Sources: Eckart & Young (1936); for linear autoencoders, Baldi & Hornik (1989).
    """
    if x.ndim != 2 or not 0 <= k <= x.shape[1]:
        raise ValueError(f"x {tuple(x.shape)} must be (N, D), and k, which is {k}, from 0 to D")
    ### BEGIN SOLUTION
    mean = x.mean(dim=0)
    # (k, D), orthonormal, widest spread first
    directions = torch.linalg.svd(x - mean, full_matrices=False).Vh[:k]
    return mean + (x - mean) @ directions.T @ directions
    ### END SOLUTION


def nearest_codes(z: Tensor, codes: Tensor, k: int) -> Tensor:
    """Find for each code in z the k nearest of the codes, by Euclidean distance.

    z: (B, D). codes: (N, D). Returns indices into codes: (B, k), int64, nearest first, in any order
    among equals.
    Raises ValueError if D differs or k is not from 1 to N.
    """
    if z.ndim != 2 or codes.ndim != 2 or z.shape[1] != codes.shape[1] or not 1 <= k <= len(codes):
        raise ValueError(
            f"z {tuple(z.shape)} must be (B, D), codes {tuple(codes.shape)} must be (N, D), and k, which is {k}, from 1 to N"
        )
    ### BEGIN SOLUTION
    # By differences: the faster way over matrix products, ‖a‖² − 2ab + ‖b‖², loses its digits far from 0.
    distances = torch.cdist(z, codes, compute_mode="donot_use_mm_for_euclid_dist")  # (B, N)
    return distances.topk(k, largest=False).indices
    ### END SOLUTION
