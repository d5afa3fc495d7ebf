"""Generative adversarial networks of faces, and the classifier whose features measure them: the models of lab 4."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course.checkpoints import Metrics, Networks, Recipe, load
from course.data.faces import HAIRS, MOUTHS, aligned_faces
from course.gan import append_label_maps, append_labels, discriminator_step, generator_step, r1_penalty
from course.metrics import frechet_distance
from course.networks import PassOnTheMaps, conv_encoder, image_discriminator, image_generator
from course.training import fit, seed_everything

SHAPE, NOISE, LABELS = (3, 32, 32), 64, len(HAIRS) + len(MOUTHS)
KINDS = len(HAIRS) * len(MOUTHS)
FACES = "aligned faces: 6,000 of 6 hair colours and 4 mouths"


def draw_faces(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw aligned faces (n, 3, 32, 32) in [-1, 1], and their hair and mouth (n, 2)."""
    images, labels = aligned_faces(n, torch.Generator().manual_seed(seed))
    return 2 * images - 1, labels


def build_classifier(shape: tuple[int, int, int] = SHAPE, kinds: int = KINDS) -> nn.Sequential:
    """Build a small classifier of images; all but its last layer gives the 32 features of the Fréchet distance."""
    return nn.Sequential(conv_encoder(shape, 32, width=12), nn.ReLU(), nn.Linear(32, kinds))


def train_classifier(network: nn.Module, images: Tensor, kinds: Tensor, steps: int, device: torch.device) -> None:
    """Train it on images (N, C, H, W) in [-1, 1] of kinds (N,), with a little noise, lest it look at single pixels."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        x, wanted = batch
        loss = F.cross_entropy(network(x + 0.05 * torch.randn_like(x)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"cross-entropy": loss.item()}

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(images), (64,), generator=generator)
        return images[chosen], kinds[chosen]

    fit(step, draw, steps, state={"optimizer": optimizer}, decay=True, device=device, description="classifier")


def train_face_classifier(networks: Networks, device: torch.device) -> None:
    """Train the classifier of the 24 kinds."""
    images, labels = draw_faces(6000, seed=1)
    train_classifier(networks["classifier"], images, kind_of(labels), 3000, device)


def measure_classifier(networks: Networks) -> Metrics:
    """Measure how often it is right on new faces, and the Fréchet distance between two draws of reals."""
    images, labels = draw_faces(2000, seed=2)
    right = (networks["classifier"](images).argmax(dim=1) == kind_of(labels)).float().mean().item()
    return {"accuracy": right, "floor": distance(networks["classifier"], images, draw_faces(2000, seed=1)[0])}


def train_gan(networks: Networks, device: torch.device, conditional: bool) -> None:
    """Train G as lab 4 does, for longer: non-saturating, lazy R1, falling rates, and a running mean of G's weights."""
    mean_g = AveragedModel(networks["G"], multi_avg_fn=get_ema_multi_avg_fn(0.995), use_buffers=True).eval()
    G = PassOnTheMaps(networks["G"])
    D = image_discriminator((3 + LABELS * conditional, *SHAPE[1:])).to(device)
    of_g, of_d = (torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.99)) for net in (G, D))
    images, labels = draw_faces(6000, seed=1)
    played = 0

    def some_noise(n: int) -> Tensor:
        z = torch.randn(n, NOISE, device=device)
        wanted = torch.stack([torch.randint(len(of), (n,), device=device) for of in (HAIRS, MOUTHS)], dim=1)
        return with_labels(z, wanted) if conditional else z

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        nonlocal played
        x = with_maps(*batch) if conditional else batch[0]
        if played % 16 == 0:
            of_d.zero_grad()
            (16 * 1.0 / 2 * r1_penalty(D, x)).backward()
            of_d.step()
        d_paid = discriminator_step(G, D, x, some_noise(len(x)), of_d)
        g_paid = generator_step(G, D, some_noise(len(x)), of_g)
        mean_g.update_parameters(networks["G"])
        played += 1
        return {"D pays": d_paid, "G pays": g_paid}

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(images), (16,), generator=generator)
        return images[chosen], labels[chosen]

    fit(step, draw, 10_000, state={"of_g": of_g, "of_d": of_d}, decay=True, device=device, description="GAN")
    networks["G"].load_state_dict(mean_g.module.state_dict())


def measure_gan(networks: Networks, conditional: bool) -> Metrics:
    """Measure 2,000 fakes in the classifier's features; a conditional G's also for whether they are what was asked for."""
    classifier, reals = load("face_classifier")["classifier"], draw_faces(2000, seed=2)[0]
    seed_everything(0)  # of the noise
    asked = torch.cartesian_prod(*(torch.arange(len(of)) for of in (HAIRS, MOUTHS)))[torch.arange(2000) % KINDS]
    z = torch.randn(2000, NOISE)
    with torch.no_grad():
        fakes = networks["G"](with_labels(z, asked) if conditional else z)
        kinds = classifier(fakes).argmax(dim=1)
    found = {
        "Fréchet distance": distance(classifier, reals, fakes),
        "floor": distance(classifier, reals, draw_faces(2000, seed=1)[0]),
        "kinds covered": float((kinds.bincount(minlength=KINDS) >= 0.25 * 2000 / KINDS).sum()),
    }
    if conditional:
        named = torch.stack([kinds // len(MOUTHS), kinds % len(MOUTHS)], dim=1)
        found["hair as asked"], found["mouth as asked"] = (named == asked).float().mean(dim=0).tolist()
    return found


def with_labels(z: Tensor, labels: Tensor) -> Tensor:
    """Join hair and mouth (B, 2) to noise (B, Z)."""
    return append_labels(append_labels(z, labels[:, 0], len(HAIRS)), labels[:, 1], len(MOUTHS))


def with_maps(x: Tensor, labels: Tensor) -> Tensor:
    """Join the maps of hair and mouth (B, 2) to images (B, C, H, W)."""
    return append_label_maps(append_label_maps(x, labels[:, 0], len(HAIRS)), labels[:, 1], len(MOUTHS))


def kind_of(labels: Tensor) -> Tensor:
    """Number the kinds, 0 to 23, of labels (N, 2)."""
    return labels[:, 0] * len(MOUTHS) + labels[:, 1]


def distance(classifier: nn.Module, reals: Tensor, fakes: Tensor) -> float:
    """Compute the Fréchet distance between two sets of images, in the features of a classifier of build_classifier."""
    features = nn.Sequential(*list(classifier.children())[:-1])
    with torch.no_grad():
        one, other = features(reals), features(fakes)
    return frechet_distance(one.mean(0), one.T.cov(), other.mean(0), other.T.cov())


RECIPES = {
    "face_classifier": Recipe(
        "Lab 4's classifier, in whose features its images are compared.",
        FACES,
        lambda: {"classifier": build_classifier()},
        train_face_classifier,
        measure_classifier,
    ),
    "gan_faces": Recipe(
        "Lab 4's GAN of faces after a longer run, without labels: 64 random numbers to an image in [-1, 1].",
        FACES,
        lambda: {"G": image_generator(NOISE, SHAPE)},
        lambda networks, device: train_gan(networks, device, conditional=False),
        lambda networks: measure_gan(networks, conditional=False),
    ),
    "cgan_faces": Recipe(
        "Lab 4's conditional GAN of faces after a longer run: 64 random numbers, hair (6) and mouth (4) as one-hot.",
        FACES,
        lambda: {"G": image_generator(NOISE + LABELS, SHAPE)},
        lambda networks, device: train_gan(networks, device, conditional=True),
        lambda networks: measure_gan(networks, conditional=True),
    ),
}
