"""The lab's VAE on Fashion-MNIST beside the same model in Pyro: python benchmarks/fashion.py [--data ROOT]

Both have the same networks, data, batches, steps, optimizer and learning rates; the losses, the sampling and the training
step are Pyro's own on one side and the lab's on the other. Prints the test −ELBO in nats per image (32x32 grey pixels as
Bernoulli probabilities, as in the lab) for three seeds and writes benchmarks/results/fashion.json. Needs
`pip install pyro-ppl`, which the course itself does not. About 6 minutes on one core.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import pyro
import torch
from pyro.distributions import Bernoulli, Normal
from pyro.infer import SVI, TraceMeanField_ELBO
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from course.data.real import load
from course.grading.define import define
from course.grading.submission import read
from course.networks import mlp_decoder, mlp_encoder
from course.training import minibatches

ROOT = Path(__file__).parent.parent
STEPS, LEARNING_RATE, SEEDS, LATENTS = 3000, 1e-3, range(3), (2, 16)


def by_the_lab(lab: dict, images: Tensor, tests: Tensor, latent_dim: int, seed: int) -> float:
    """Train with the lab's functions; return the test −ELBO by the lab's own loss."""
    model, _ = lab["train_vae"](images, latent_dim=latent_dim, beta=1.0, n=STEPS, seed=seed)
    torch.manual_seed(0)
    with torch.no_grad():
        logits, mu, logvar = model(tests)
        return lab["negative_elbo"](logits, tests, mu, logvar).item()


def by_pyro(images: Tensor, tests: Tensor, latent_dim: int, seed: int) -> float:
    """Train the same model as a Pyro program; return the test −ELBO by Pyro's own loss."""
    pyro.clear_param_store()
    pyro.set_rng_seed(seed)
    shape = tuple(images.shape[1:])
    encoder, decoder = mlp_encoder(shape, 2 * latent_dim), mlp_decoder(latent_dim, shape)

    def model(x: Tensor) -> None:
        pyro.module("decoder", decoder)
        with pyro.plate("images", len(x)):
            z = pyro.sample("z", Normal(torch.zeros(len(x), latent_dim), 1.0).to_event(1))
            pyro.sample("x", Bernoulli(logits=decoder(z), validate_args=False).to_event(3), obs=x)

    def guide(x: Tensor) -> None:
        pyro.module("encoder", encoder)
        with pyro.plate("images", len(x)):
            mu, logvar = encoder(x).chunk(2, dim=1)
            pyro.sample("z", Normal(mu, (0.5 * logvar).exp()).to_event(1))

    arguments = {"optimizer": torch.optim.Adam, "optim_args": {"lr": LEARNING_RATE}, "lr_lambda": lambda i: 1 - i / STEPS}
    schedule = pyro.optim.LambdaLR(arguments)
    svi = SVI(model, guide, schedule, TraceMeanField_ELBO())
    draw, generator = minibatches(images), torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        svi.step(draw(generator))
        schedule.step()
    nn.ModuleList([encoder, decoder]).eval()
    pyro.set_rng_seed(0)
    with torch.no_grad():
        return svi.evaluate_loss(tests) / len(tests)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="data", help="the folder that holds FashionMNIST/raw, or where to download it")
    root = parser.parse_args().data
    torch.set_num_threads(1)
    pyro.settings.set(module_local_params=False)
    images, tests = (load("fashion_mnist", split, size=32, root=root)[0] for split in ("train", "test"))
    lab = define(read(ROOT / "solutions" / "lab2_vae.ipynb").cells, ("train_vae", "negative_elbo"), {}).namespace
    columns = ("latents", "implementation", *(f"seed {seed}" for seed in SEEDS), "mean")
    table = Table(*columns, title="test −ELBO, nats per image")
    rows = []
    for latent_dim in LATENTS:
        for name, train in (("the lab", lambda *a: by_the_lab(lab, *a)), ("Pyro", by_pyro)):
            started = time.perf_counter()
            values = [round(train(images, tests, latent_dim, seed), 2) for seed in SEEDS]
            seconds = round(time.perf_counter() - started)
            rows.append({"latents": latent_dim, "by": name, "negative_elbo": values, "seconds": seconds})
            table.add_row(str(latent_dim), name, *(f"{v:.1f}" for v in values), f"{statistics.mean(values):.1f}")
    Console().print(table)
    versions = {"torch": torch.__version__, "pyro": pyro.__version__}
    content = {"command": "python benchmarks/fashion.py", "steps": STEPS, **versions, "rows": rows}
    (ROOT / "benchmarks" / "results" / "fashion.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
