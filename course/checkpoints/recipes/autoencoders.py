"""Autoencoders and VAEs of sprites: the models of labs 1 and 2."""

from typing import Any

import torch
from torch import Tensor

from course.checkpoints import Metrics, Networks, Recipe
from course.data.sprites import sample_sprites
from course.networks import mlp_decoder, mlp_encoder
from course.training import fit, minibatches, seed_everything
from course.vae import VAE, negative_elbo, train_step

SHAPE = (1, 32, 32)
SPRITES = "sprites: 20,000 triangles, squares and hearts in the middle, of different sizes"


def draw_sprites(n: int, seed: int) -> Tensor:
    """Draw n images (n, 1, 32, 32) in [0, 1] whose two latent variables are the shape and the size."""
    ranges: dict[str, Any] = {"shape": (1, 2, 3), "scale": (0.3, 0.7), "rotation": (0, 0), "x": (0, 0), "y": (0, 0)}
    return sample_sprites(n, torch.Generator().manual_seed(seed), brightness=(1, 1), softness=(0, 0), **ranges)[0]


def build_vae() -> Networks:
    """Build lab 2's VAE with two latents."""
    return {"vae": VAE(mlp_encoder(SHAPE, 4), mlp_decoder(2, SHAPE), 2)}


def train_vae(networks: Networks, device: torch.device) -> None:
    """Train it as lab 2 does."""
    model = networks["vae"]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    state = {"model": model, "optimizer": optimizer}
    images = minibatches(draw_sprites(20_000, seed=1))
    fit(lambda x: train_step(model, x, optimizer), images, 3000, state=state, decay=True, device=device)


def measure_vae(networks: Networks) -> Metrics:
    """Measure the loss on new images, in nats an image."""
    images = draw_sprites(2000, seed=2)
    seed_everything(0)  # of the codes that are drawn
    with torch.no_grad():
        logits, mu, logvar = networks["vae"](images)
    return {"negative ELBO": round(negative_elbo(logits, images, mu, logvar).item(), 3)}


RECIPES = {
    "vae_sprites": Recipe("Lab 2's VAE with two latents.", SPRITES, build_vae, train_vae, measure_vae),
}
