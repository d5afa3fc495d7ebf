"""Detectors and describers of faces: the models of lab 3, and a VAE whose latents can be read."""

from typing import Any

import torch
from torch import Generator, Tensor, nn

from course.checkpoints import Metrics, Networks, Recipe
from course.checkpoints.recipes.autoencoders import train_vae
from course.data.faces import FACTORS, NON_FACES, groups_of, render_faces, sample_faces
from course.debiasing import (
    DBVAE,
    dbvae_loss,
    latent_kl,
    outlier_scores,
    recall_by_group,
    resampled_indices,
    resampling_probabilities,
)
from course.metrics import auroc
from course.networks import conv_decoder, conv_encoder
from course.training import fit, minibatches, seed_everything
from course.vae import VAE, train_step

SHAPE = (3, 32, 32)
LATENTS = 8
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SKEW = {"tone": 0.05, "yaw": 0.2, "strength": 0.2}  # the share at the rare end
EVEN = {"tone": 0.5, "yaw": 0.5, "strength": 0.5}
SILENT = 0.1  # nats: a latent that tells less is silent
FOLLOWED = ("tone", "yaw", "smile", "length")  # what varies in the faces that the VAE describes
ODD = ("dark", "fog", "occluded", "turned", "things")


# ----------------------------------------------------------------------------------------------------------- data


def draw_detection(n: int, seed: int, rare: dict[str, float], faces: bool = True) -> tuple[Tensor, Tensor]:
    """Draw n faces, or n things that are none, as lab 3 does: images (n, 3, 32, 32) in [0, 1] and their factors."""
    kinds = {"face": 1.0} if faces else NON_FACES
    return sample_faces(n, Generator().manual_seed(seed), kinds=kinds, rare=rare, noise=(0.05, 0.05))


def draw_portraits(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw n large faces (n, 3, 32, 32) in [0, 1] that differ in tone, pose, mouth and length of hair, and these four.

    The mouth is one factor: from sad and shut to laughing and open.
    """
    still = {
        "hair": 1.0, "glasses": 0.0, "background": 0.0, "clutter": 0.0, "x": 0.0, "y": 0.3, "scale": 1.9,
        "strength": 0.0, "noise": 0.0,
    }  # fmt: skip
    ranges: dict[str, Any] = {name: (value, value) for name, value in still.items()}
    ranges |= {"tone": (0.1, 1), "yaw": (-0.5, 0.5), "smile": (-1, 1)}
    _, factors = sample_faces(n, Generator().manual_seed(seed), size=1, **ranges)
    factors[:, FACTORS.index("mouth")] = (factors[:, FACTORS.index("smile")] + 1) / 2
    return render_faces(factors), factors[:, [FACTORS.index(name) for name in FOLLOWED]]


def draw_scenes(n: int, seed: int, kind: str = "ordinary") -> Tensor:
    """Draw n scenes (n, 3, 32, 32) in [0, 1] of one kind, ordinary or of ODD, as lab 3 does."""
    generator = Generator().manual_seed(seed)
    rare = {"yaw": float(kind == "turned"), "strength": 0.0}
    heads = {name: share for name, share in NON_FACES.items() if name not in ("object", "texture")}
    if kind == "things":
        return sample_faces(n, generator, kinds={"object": 1.0}, rare=rare)[0]
    faces = sample_faces(n // 2, generator, rare=rare)[0]
    images = torch.cat([faces, sample_faces(n - n // 2, generator, kinds=heads, rare=rare)[0]])
    if kind == "dark":
        return 0.2 * images
    if kind == "fog":
        return 0.25 * images + 0.75 * 0.8
    if kind == "occluded":
        for image in images:  # a block of one colour, somewhere on the head
            top, left = torch.randint(8, 18, (2,), generator=generator).tolist()
            image[:, top : top + 9, left : left + 9] = torch.rand(3, 1, 1, generator=generator)
    return images


# ------------------------------------------------------------------------------------------------------ detectors


def build_detectors() -> Networks:
    """Build lab 3's detectors: for each strength of the resampling the encoder, and the whole of one to look inside."""
    return {"describer": build_detector()} | {f"strength {s:g}": build_encoder() for s in STRENGTHS}


def build_encoder() -> nn.Sequential:
    """Build a detector's encoder: (B, 3, 32, 32) -> (B, 1 + 16)."""
    return nn.Sequential(conv_encoder(SHAPE, 128, width=16), nn.ReLU(), nn.Linear(128, 1 + 2 * LATENTS))


def build_detector(encoder: nn.Module | None = None) -> DBVAE:
    """Build lab 3's detector, round an encoder if one is given."""
    return DBVAE(encoder or build_encoder(), conv_decoder(LATENTS, SHAPE, width=16), LATENTS)


def face_probabilities(mu: Tensor, logvar: Tensor, strength: float, bins: int = 10) -> Tensor:
    """Give each face its probability to be drawn: by max, weighted by what each latent tells, to the power of strength."""
    p = resampling_probabilities(mu, bins, latent_weights=latent_kl(mu, logvar)).pow(strength)
    return p / p.sum()


def encode_all(model: DBVAE, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Encode many images in batches, without gradients: logits (N,), mu and logvar (N, 8), on the CPU."""
    device = next(model.parameters()).device
    with torch.no_grad():
        parts = [model.encode(batch.to(device)) for batch in images.split(500)]
    y_logit, mu, logvar = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    return y_logit, mu, logvar


def train_detectors(networks: Networks, device: torch.device) -> None:
    """Train them as lab 3 does: 600 steps each, and 1,500 without resampling for the one to look inside."""
    faces, _ = draw_detection(6000, 1, SKEW)
    others, _ = draw_detection(6000, 2, EVEN, faces=False)
    train_detector(networks["describer"], faces, others, 0.0, 1500, device)
    for strength in STRENGTHS:
        seed_everything(0)  # every detector begins with the same weights
        detector = build_detector().to(device)
        train_detector(detector, faces, others, strength, 600, device)
        networks[f"strength {strength:g}"].load_state_dict(detector.encoder.state_dict())


def train_detector(model: DBVAE, faces: Tensor, others: Tensor, strength: float, steps: int, device: torch.device) -> None:
    """Train a detector in place on batches of 32 faces and 32 others; every 100 steps the faces are weighed anew."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    y = torch.cat([torch.ones(32), torch.zeros(32)]).to(device)
    p, drawn = torch.full((len(faces),), 1 / len(faces)), 0

    def batches(generator: Generator) -> Tensor:
        nonlocal p, drawn
        if strength > 0 and drawn > 0 and drawn % 100 == 0:
            p = face_probabilities(*encode_all(model, faces)[1:], strength)
        drawn += 1
        chosen = resampled_indices(p, 32, generator)
        return torch.cat([faces[chosen], others[torch.randint(len(others), (32,), generator=generator)]])

    def step(x: Tensor) -> dict[str, float]:
        y_logit, x_hat, mu, logvar = model(x)
        loss = dbvae_loss(y_logit, y, x_hat, x, mu, logvar)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    fit(step, batches, steps, state={"model": model, "optimizer": optimizer}, decay=True, device=device)


def recalls(networks: Networks) -> tuple[dict[float, Tensor], list[str]]:
    """Measure each detector's recall of the eight groups of new faces: strength -> (8,), and the groups' names."""
    tests, factors = draw_detection(4000, 3, EVEN)
    groups, names = groups_of(factors, list(SKEW))
    detectors = {strength: build_detector(networks[f"strength {strength:g}"]) for strength in STRENGTHS}
    return {s: recall_by_group(encode_all(model, tests)[0] > 0, groups, 8) for s, model in detectors.items()}, names


def measure_detectors(networks: Networks) -> Metrics:
    """Measure for each strength the recall of the worst of eight groups, and the mean over the groups."""
    found = {}
    for strength, recall in recalls(networks)[0].items():
        found[f"worst group, strength {strength:g}"] = round(recall.min().item(), 3)
        found[f"mean of groups, strength {strength:g}"] = round(recall.mean().item(), 3)
    return found


# ------------------------------------------------------------------------------------- portraits and odd scenes


def train_portraits(networks: Networks, device: torch.device) -> None:
    """Train a VAE whose latents take one factor each, while β falls from 30 to 0.2.

    At first only the factor that changes the picture most pays for a code; then one latent after the other opens.
    Source: Burgess et al. (2018), who let the capacity of the codes grow instead.
    """
    steps, taken = 6000, 0
    model = networks["vae"].to(memory_format=torch.channels_last)  # convolutions on a CPU are faster so
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    images = draw_portraits(10_000, seed=1)[0].contiguous(memory_format=torch.channels_last)

    def step(x: Tensor) -> dict[str, float]:
        nonlocal taken
        taken += 1
        return train_step(model, x, optimizer, beta=30 * (0.2 / 30) ** min(1.0, taken / (0.8 * steps)))

    fit(step, minibatches(images), steps, state={"model": model, "optimizer": optimizer}, decay=True, device=device)


def measure_portraits(networks: Networks) -> Metrics:
    """Measure on new faces how closely each factor is followed by a latent that tells something."""
    images, factors = draw_portraits(2000, seed=2)
    mu, logvar = networks["vae"].encode(images)
    by_latent = followed(mu, factors)[:, latent_kl(mu, logvar) > SILENT]
    return {f"correlation with {name}": round(row.max().item(), 3) for name, row in zip(FOLLOWED, by_latent, strict=True)}


def followed(mu: Tensor, factors: Tensor) -> Tensor:
    """Correlate each factor (N, K) with each latent (N, D): absolute values (K, D)."""
    both = torch.corrcoef(torch.cat([factors, mu], dim=1).T)
    return both[: factors.shape[1], factors.shape[1] :].abs()


def train_outliers(networks: Networks, device: torch.device) -> None:
    """Train lab 3's VAE of ordinary scenes."""
    train_vae(networks["vae"], draw_scenes(6000, 100), 1000, device, lr=2e-3)


def measure_outliers(networks: Networks) -> Metrics:
    """Measure the area under the ROC curve for each kind of odd scene."""
    model = networks["vae"]
    usual = outlier_scores(model, draw_scenes(500, 200))
    found = {}
    for number, kind in enumerate(ODD):
        scores = torch.cat([usual, outlier_scores(model, draw_scenes(500, 300 + number, kind))])
        found[f"AUROC, {kind}"] = round(auroc(scores, torch.arange(1000) >= 500), 3)
    return found


RECIPES = {
    "detectors_faces": Recipe(
        "Lab 3's detectors for five strengths of the resampling, and a DB-VAE trained longer, to look inside.",
        "faces: 6,000, of which 5 % are dark, 20 % turned, 20 % lit from a side; 6,000 things that are none",
        build_detectors,
        train_detectors,
        measure_detectors,
    ),
    "vae_portraits": Recipe(
        "A VAE with six latents whose first four follow tone, pose, smile and length of hair.",
        "faces: 10,000 large ones that differ in tone, pose, smile and length of hair alone",
        lambda: {"vae": VAE(conv_encoder(SHAPE, 12, width=16), conv_decoder(6, SHAPE, width=16), 6)},
        train_portraits,
        measure_portraits,
    ),
    "vae_scenes": Recipe(
        "Lab 3's VAE that scores outliers.",
        "faces and heads that are none: 6,000 ordinary scenes",
        lambda: {"vae": VAE(conv_encoder(SHAPE, 32, width=16), conv_decoder(16, SHAPE, width=16), 16)},
        train_outliers,
        measure_outliers,
    ),
}
