"""Translators of scenes: the models of lab 5."""

import torch
from torch import Tensor
from torch.nn import functional as F

from course.checkpoints import Metrics, Networks, Recipe
from course.data.scenes import CLASSES, label_maps, render_scenes, sample_scenes, sample_unpaired
from course.metrics import psnr
from course.networks import patch_discriminator, small_translator
from course.training import fit
from course.translation import (
    ImageBuffer,
    conditional_pair,
    cyclegan_discriminator_loss,
    cyclegan_generator_loss,
    pix2pix_discriminator_loss,
    pix2pix_generator_loss,
)

CELLS = 16  # along a side of a label map


def draw(n: int, seed: int) -> Tensor:
    """Draw the descriptions of n scenes: (n, 21)."""
    return sample_scenes(n, torch.Generator().manual_seed(seed))


def one_hot_labels(scenes: Tensor) -> Tensor:
    """Draw label maps as coarse as a hand paints them, with a channel for each class: (B, 8, 32, 32), 0 or 1."""
    return enlarged_one_hot(label_maps(scenes, CELLS))


def enlarged_one_hot(cells: Tensor) -> Tensor:
    """Turn maps of classes (B, 16, 16) into what the generator gets, (B, 8, 32, 32)."""
    one_hot = F.one_hot(cells, len(CLASSES)).permute(0, 3, 1, 2).float()
    return F.interpolate(one_hot, scale_factor=32 / CELLS)


def build_pix2pix() -> Networks:
    """Build a generator from label maps of eight channels to streets."""
    return {"G": small_translator(len(CLASSES), 3)}


def train_pix2pix(networks: Networks, device: torch.device) -> None:
    """Train it with a discriminator, as lab 5 trains its U-Net."""
    G = networks["G"]
    D = patch_discriminator(len(CLASSES) + 3, 32, layers=1, norm=torch.nn.BatchNorm2d).to(device)
    g_optimizer, d_optimizer = _adam(G), _adam(D)
    scenes = draw(2000, seed=1)
    labels, streets = one_hot_labels(scenes), render_scenes(scenes, "day")

    def batches(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(scenes), (4,), generator=generator)
        return labels[chosen], streets[chosen]

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        condition, target = batch
        fake = G(condition)
        d_loss = pix2pix_discriminator_loss(D, condition, target, fake)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = pix2pix_generator_loss(D(conditional_pair(condition, fake)), fake, target, l1_weight=10.0)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return {"D": d_loss.item(), "G": g_loss.item()}

    fit(step, batches, 4000, state={"G": G, "g": g_optimizer, "d": d_optimizer}, decay=True, device=device)


def measure_pix2pix(networks: Networks) -> Metrics:
    """Measure the distance to the true streets, whose wall colours the label maps do not tell."""
    scenes = draw(500, seed=1000)
    streets = _translated(networks, "G", one_hot_labels(scenes))
    return {"L1": round((streets - render_scenes(scenes, "day")).abs().mean().item(), 3)}


def build_cyclegan() -> Networks:
    """Build two generators, from day to night and back."""
    return {"day_to_night": small_translator(3, 3), "night_to_day": small_translator(3, 3)}


def train_cyclegan(networks: Networks, device: torch.device) -> None:
    """Train both as lab 5 does, in two thirds of its steps: enough for a lecture."""
    to_night, to_day = networks["day_to_night"], networks["night_to_day"]
    D_day, D_night = (patch_discriminator(3, 32, layers=1).to(device) for _ in range(2))
    g_optimizer, d_optimizer = _adam(to_night, to_day), _adam(D_day, D_night)
    old_days, old_nights = ImageBuffer(50), ImageBuffer(50)
    of_days, of_nights = sample_unpaired(4000, torch.Generator().manual_seed(2))
    days, nights = render_scenes(of_days, "day"), render_scenes(of_nights, "night")

    def batches(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        first, second = (torch.randint(4000, (2,), generator=generator) for _ in range(2))
        return days[first], nights[second]

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        day, night = batch
        loss, _ = cyclegan_generator_loss(to_night, to_day, D_day, D_night, day, night)
        g_optimizer.zero_grad()
        loss.backward()
        g_optimizer.step()
        with torch.no_grad():
            fake_day, fake_night = to_day(night), to_night(day)
        d_loss = cyclegan_discriminator_loss(D_day, day, old_days.exchange(fake_day))
        d_loss = d_loss + cyclegan_discriminator_loss(D_night, night, old_nights.exchange(fake_night))
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        return {"G": loss.item(), "D": d_loss.item()}

    fit(step, batches, 1000, state={"g": g_optimizer, "d": d_optimizer}, decay=True, device=device)


def measure_cyclegan(networks: Networks) -> Metrics:
    """Measure both directions against the true counterparts, in decibels."""
    scenes = draw(500, seed=1000)
    day, night = render_scenes(scenes, "day"), render_scenes(scenes, "night")
    return {
        "PSNR, day to night": round(psnr(_translated(networks, "day_to_night", day), night).mean().item(), 2),
        "PSNR, night to day": round(psnr(_translated(networks, "night_to_day", night), day).mean().item(), 2),
    }


def _translated(networks: Networks, role: str, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([networks[role](batch) for batch in images.split(100)])


def _adam(*networks: torch.nn.Module) -> torch.optim.Adam:
    parameters = [parameter for network in networks for parameter in network.parameters()]
    return torch.optim.Adam(parameters, lr=1e-3, betas=(0.5, 0.999))


STREETS = "scenes: 2,000 label maps of 16 x 16 cells, with their streets by day of 32 x 32 pixels"
HEAPS = "scenes: 4,000 streets by day, and 4,000 other streets at night, 32 x 32 pixels"
RECIPES = {
    "pix2pix_scenes": Recipe(
        "Lab 5's translation of label maps to streets.", STREETS, build_pix2pix, train_pix2pix, measure_pix2pix
    ),
    "cyclegan_scenes": Recipe(
        "Lab 5's CycleGAN between day and night.", HEAPS, build_cyclegan, train_cyclegan, measure_cyclegan
    ),
}
