"""Autoencoders and VAEs of sprites, blobs and glyphs: the models of labs 1 and 2.

They have 64 or 96 units where the labs' have 128 or 256: small files, and copies nearly as good.
"""

from typing import Any

import torch
from torch import Tensor

from course.autoencoder import Autoencoder, squared_error
from course.checkpoints import Metrics, Networks, Recipe
from course.data.glyphs import sample_glyphs
from course.data.sprites import sample_blobs, sample_sprites
from course.metrics import mutual_information_gap
from course.networks import ImageShape, mlp_decoder, mlp_encoder
from course.training import fit, minibatches, seed_everything
from course.vae import VAE, gaussian_kl, negative_elbo, train_step

SHAPE = (1, 32, 32)
HIDDEN = 64
SPRITES = "sprites: 20,000 triangles, squares and hearts in the middle, of different sizes"
GLYPHS = "glyphs: 10,000 digits in ten fonts, shifted, turned and slanted a little"
BLOBS = "blobs: 20,000 soft spots of different places (x twice as far as y) and sizes"
BOTTLENECKS = (1, 2, 5, 10, 32)
BETAS = (0, 1, 4, 8, 16)


def draw_sprites(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw n images (n, 1, 32, 32) in [0, 1] whose two latent variables are the shape and the size, and their factors."""
    ranges: dict[str, Any] = {"shape": (1, 2, 3), "scale": (0.3, 0.7), "rotation": (0, 0), "x": (0, 0), "y": (0, 0)}
    return sample_sprites(n, torch.Generator().manual_seed(seed), brightness=(1, 1), softness=(0, 0), **ranges)


def draw_glyphs(n: int, seed: int) -> Tensor:
    """Draw lab 1's images (n, 1, 28, 28) in [0, 1]."""
    return sample_glyphs(n, torch.Generator().manual_seed(seed))[0]


def draw_blobs(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw the images (n, 1, 32, 32) in [0, 1] of lab 2's β sweep, and their factors x, y and size (n, 3)."""
    return sample_blobs(n, torch.Generator().manual_seed(seed))


def build_autoencoder(latent_dim: int, shape: ImageShape, hidden: int = HIDDEN) -> Autoencoder:
    """Build an untrained autoencoder."""
    return Autoencoder(mlp_encoder(shape, latent_dim, hidden), mlp_decoder(latent_dim, shape, hidden))


def build_vae(latent_dim: int, shape: ImageShape) -> VAE:
    """Build an untrained VAE."""
    return VAE(mlp_encoder(shape, 2 * latent_dim, HIDDEN), mlp_decoder(latent_dim, shape, HIDDEN), latent_dim)


def train_autoencoder(
    model: Autoencoder, images: Tensor, device: torch.device, lr: float = 1e-3, batch_size: int = 64
) -> None:
    """Train by squared error for 3,000 steps, in place."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def step(x: Tensor) -> dict[str, float]:
        loss = squared_error(model(x), x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"squared error": loss.item()}

    state = {"model": model, "optimizer": optimizer}
    fit(step, minibatches(images, batch_size), 3000, state=state, decay=True, device=device)


def train_vae(model: VAE, images: Tensor, steps: int, device: torch.device, beta: float = 1.0, lr: float = 1e-3) -> None:
    """Train by the negative ELBO as lab 2 does, in place."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    state = {"model": model, "optimizer": optimizer}
    fit(lambda x: train_step(model, x, optimizer, beta), minibatches(images), steps, state=state, decay=True, device=device)


def train_sprites_vae(networks: Networks, device: torch.device) -> None:
    """Train lab 2's VAE with two latents."""
    train_vae(networks["vae"], draw_sprites(20_000, seed=1)[0], 3000, device)


def measure_sprites_vae(networks: Networks) -> Metrics:
    """Measure the loss on new images, in nats an image."""
    images, _ = draw_sprites(2000, seed=2)
    seed_everything(0)  # of the codes that are drawn
    with torch.no_grad():
        logits, mu, logvar = networks["vae"](images)
    return {"negative ELBO": round(negative_elbo(logits, images, mu, logvar).item(), 3)}


def train_sprites_autoencoder(networks: Networks, device: torch.device) -> None:
    """Train lab 2's autoencoder with two latents."""
    train_autoencoder(networks["autoencoder"], draw_sprites(20_000, seed=1)[0], device)


def measure_sprites_autoencoder(networks: Networks) -> Metrics:
    """Measure the squared error of an image that the network has not seen."""
    images, _ = draw_sprites(2000, seed=2)
    return {"squared error": round(squared_error(networks["autoencoder"](images), images).mean().item(), 3)}


def train_bottlenecks(networks: Networks, device: torch.device) -> None:
    """Train lab 1's autoencoders, one after the other."""
    images = draw_glyphs(10_000, seed=1)
    for model in networks.values():
        train_autoencoder(model, images, device, lr=4e-3, batch_size=128)


def measure_bottlenecks(networks: Networks) -> Metrics:
    """Measure the squared error of each on images that it has not seen."""
    images = draw_glyphs(1000, seed=2)
    return {
        f"squared error, {role}": round(squared_error(model(images), images).mean().item(), 2)
        for role, model in networks.items()
    }


def train_betas(networks: Networks, device: torch.device) -> None:
    """Train lab 2's β-VAEs with six latents, one after the other."""
    images, _ = draw_blobs(20_000, seed=1)
    for beta in BETAS:
        train_vae(networks[f"beta {beta}"], images, 6000, device, beta)


def measure_betas(networks: Networks) -> Metrics:
    """Measure squared error, KL (nats) and mutual information gap of each on images that it has not seen."""
    images, factors = draw_blobs(5000, seed=2)
    found = {}
    for role, model in networks.items():
        mu, logvar = model.encode(images)
        found[f"squared error, {role}"] = round(squared_error(model.decode(mu).sigmoid(), images).mean().item(), 3)
        found[f"KL, {role}"] = round(gaussian_kl(mu, logvar).mean().item(), 3)
        found[f"MIG, {role}"] = round(mutual_information_gap(mu, factors), 3)
    return found


RECIPES = {
    "vae_sprites": Recipe(
        "Lab 2's VAE with two latents; 64 units instead of 128.",
        SPRITES,
        lambda: {"vae": build_vae(2, SHAPE)},
        train_sprites_vae,
        measure_sprites_vae,
    ),
    "autoencoder_sprites": Recipe(
        "Lab 2's autoencoder with two latents; 64 units instead of 128.",
        SPRITES,
        lambda: {"autoencoder": build_autoencoder(2, SHAPE)},
        train_sprites_autoencoder,
        measure_sprites_autoencoder,
    ),
    "bottlenecks": Recipe(
        "Lab 1's autoencoders with 1, 2, 5, 10 and 32 latents; two layers of 96 units instead of 256 and 128.",
        GLYPHS,
        lambda: {f"D = {size}": build_autoencoder(size, (1, 28, 28), 96) for size in BOTTLENECKS},
        train_bottlenecks,
        measure_bottlenecks,
    ),
    "betas": Recipe(
        "Lab 2's VAEs with six latents for β = 0, 1, 4, 8 and 16; 64 units instead of 128.",
        BLOBS,
        lambda: {f"beta {beta}": build_vae(6, SHAPE) for beta in BETAS},
        train_betas,
        measure_betas,
    ),
}
