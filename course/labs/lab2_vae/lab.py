# %% [markdown]
r"""
# Lab 2: variational autoencoders

An autoencoder squeezes an image into a few numbers and rebuilds it. Give it *random* numbers, and it draws rubbish.

A variational autoencoder can be given random numbers. It draws images that nobody has ever seen.

In this lab you write one: eight short functions, each with a check that tells you what went wrong. Then you train it, walk
through its latent space, and find out whether its numbers *mean* anything.

**You need:** tensors and gradients in PyTorch, the normal distribution. **You will be able to:** derive and compute the loss of a
VAE, say what each half of it buys, sample from it, and measure what β does.
"""

# %% setup
import json
import math
from importlib.resources import files
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from course import check, hint, plots, progress, start
from course.autoencoder import Autoencoder
from course.data.real import load
from course.data.sprites import sample_blobs, sample_sprites
from course.labs.budget import bar, seed_of_run, steps
from course.networks import mlp_decoder, mlp_encoder
from course.training import fit, minibatches, pick_device, seed_everything

start("lab2_vae")
DATASET = "sprites"  # or "fashion_mnist": photographs of clothes
DATA_ROOT = "data"  # where real images are, or will be downloaded to
SEED = seed_of_run()  # 0; try another one when you are through: what changes, and what does not?
device = pick_device()

# %% [markdown]
r"""
## 1. The data, and an autoencoder with holes

Our images are drawn by the computer: a triangle, a square or a heart, small or large. So *we* know the two numbers behind each
image, its **latent variables**. The models do not. They see pixels.
"""


# %%
def images_and_labels(n: int, split: str) -> tuple[Tensor, Tensor]:
    """Draw n images (n, 1, 32, 32) with a label each: the shape, or the kind of clothes."""
    if DATASET == "sprites":
        generator = torch.Generator().manual_seed(1 if split == "train" else 2)
        ranges = {
            "shape": (1, 2, 3),
            "scale": (0.3, 0.7),
            "rotation": (0, 0),
            "x": (0, 0),
            "y": (0, 0),
        }
        images, factors = sample_sprites(n, generator, brightness=(1, 1), softness=(0, 0), **ranges)
        return images, factors[:, 0]
    images, labels = load(DATASET, split, size=32, root=DATA_ROOT)
    return images[:n], labels[:n]


train_images, _ = images_and_labels(20_000, "train")
test_images, test_labels = images_and_labels(2_000, "test")
SHAPE = tuple(train_images.shape[1:])
NAMES = {1: "square", 2: "triangle", 3: "heart"} if DATASET == "sprites" else None
plots.show(
    plots.image_rows({"training images": train_images[:12]}, "What the models see"),
    alt="A row of twelve training images.",
)

# %% [markdown]
r"""
The autoencoder of lab 1 has an encoder to **two** numbers, and a decoder back to the image. Its loss is the squared error, and nothing
else. Training takes some ten seconds.
"""


# %%
def train_autoencoder(images: Tensor, latent_dim: int, n: int, seed: int) -> Autoencoder:
    """Train the autoencoder of lab 1 on images (N, C, H, W), by squared error."""
    seed_everything(seed)
    model = Autoencoder(mlp_encoder(SHAPE, latent_dim), mlp_decoder(latent_dim, SHAPE)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step(x: Tensor) -> dict[str, float]:
        loss = (model(x) - x).square().sum(dim=(1, 2, 3)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"squared error": loss.item()}

    state = {"model": model, "optimizer": optimizer}
    fit(step, minibatches(images), steps(n), state=state, decay=True, seed=seed)
    return model


ae = train_autoencoder(train_images, latent_dim=2, n=3000, seed=SEED)
with torch.no_grad():
    ae_codes = ae.encode(test_images.to(device))
    rebuilt = ae.decode(ae_codes[:12]).clamp(0, 1)
    spread = torch.linalg.cholesky(ae_codes.T.cov())  # random codes as far out as the real ones
    random_codes = ae_codes.mean(0) + torch.randn(12, 2, device=device) @ spread.T
    drawn = ae.decode(random_codes).clamp(0, 1)
rows = {"test images": test_images[:12], "rebuilt": rebuilt, "random codes": drawn}
plots.show(
    plots.image_rows(rows, "The autoencoder"),
    alt="Rows of test images, good copies of them, and decoded random codes, several of them broken.",
)

# %% [markdown]
r"""
You should see good copies in the second row. In the third row we decoded random codes, drawn from a normal distribution as wide as the
real codes: some are fine, some are torn, doubled or smeared.

The next picture says why. Each dot is the code of one test image. Between the strands lies **nothing**: the decoder was never
asked what should be there.
"""

# %%
plots.show(
    plots.latent_planes(
        {"autoencoder": ae_codes}, test_labels, "image", "Where the codes lie", NAMES, prior=False
    ),
    alt="The latent plane of the autoencoder: a few thin curved strands with wide empty space between them.",
)

# %% [markdown]
r"""
## 2. A code becomes a cloud

Here is the idea of Kingma and Welling. Let the encoder give not a point but a small **cloud**: a normal distribution with a mean
$\mu$ and a spread $\sigma$ for each latent variable,

$$q_\phi(z \mid x) = \mathcal N\big(z;\ \mu_\phi(x),\ \sigma_\phi(x)^2\big), \qquad p_\theta(x \mid z) = \text{what the decoder draws from } z.$$

Training draws a *fresh point of the cloud* each time, and asks the decoder for the same image. So the decoder learns that
neighbouring codes give similar images: it becomes **smooth**. A smooth decoder can bridge a gap between two clouds, if the gap is
not too wide. Section 3 sees to that.

**One convention.** The network gives $\log \sigma^2$, called `logvar`. It may be any real number, so the network needs no tricks to
keep it positive; and $\sigma$ = `exp(logvar / 2)`. Mixing this up is a mistake that trains without complaint; section 5 asks what it does.

### Why sampling is a problem

A draw is a dice roll, and one cannot differentiate a dice roll. Watch: we look for the $\mu$ that makes $z \sim \mathcal N(\mu, 1)$
come out near 3, by gradient descent on $(z - 3)^2$. If `torch.normal` makes the draw, PyTorch hands back a gradient of
exactly 0: $\mu$ never learns of the loss.

The trick is to move the dice *out of the way*: draw $\varepsilon \sim \mathcal N(0, 1)$ first, which depends on nothing, and then
**compute** $z$ from $\mu$, $\sigma$ and $\varepsilon$. Then $z$ is an ordinary function of $\mu$ and $\sigma$.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.vae import reparameterize
# TODO: draw eps, then compute z from mu, the standard deviation and eps.
# Remember that logvar is log σ², and that every element wants noise of its own.

# %%
check(reparameterize)

# %% [markdown]
r"""
Stuck? `hint(reparameterize)` gives a hint, and another one when you call it again.

With your function the gradient flows. The orange line stays where it began; yours, the blue one, should climb to 3.
"""


# %%
def descend(draw, n: int = 150) -> list[float]:
    """Look for the mu at which z lies near 3, by gradient descent; draw(mu) draws z."""
    mu, path = torch.zeros(64, 1, requires_grad=True), []
    for _ in range(n):
        loss = (draw(mu) - 3).square().mean()
        path.append(mu.mean().item())
        (gradient,) = torch.autograd.grad(loss, mu)
        mu = (mu - 1.0 * gradient).detach().requires_grad_()
    return path


torch.manual_seed(SEED)
blocked = descend(lambda mu: torch.normal(mu, 1.0))
flowing = descend(lambda mu: reparameterize(mu, torch.zeros_like(mu)))
moves = list(range(150))
plots.show(
    plots.curves(
        {"reparameterized": (moves, flowing), "torch.normal": (moves, blocked)},
        "Does μ hear of the loss?",
        "update",
        "μ",
    ),
    alt="Two curves of mu over 150 updates: the reparameterized one climbs from 0 to 3, the other one stays at 0.",
)

# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(0)
mu, logvar = torch.zeros(100_000, 1, requires_grad=True), torch.full((100_000, 1), math.log(4.0))
z = reparameterize(mu, logvar)
(gradient,) = torch.autograd.grad(z.sum(), mu)
print(f"the spread of z for σ² = 4: {z.std():.1f};  dz/dμ = {gradient.mean():.1f}")

# %% [markdown]
r"""
You should read a spread of 2.0, the square root of 4, and a derivative of 1.0.

## 3. The price of a code

Clouds alone do not help. To rebuild well, the network would make them tiny and push them far apart, and have its autoencoder back.
So we charge for it. A code is cheap if its cloud looks like one fixed distribution, the **prior** $p(z) = \mathcal N(0, I)$, and dear
if it is narrow or far away. In the picture the blue bell is the prior. Which of the other three should be the dearest?
"""

# %%
line = torch.linspace(-5, 5, 200)


def bell(mean: float, std: float) -> Tensor:
    """Compute the density of N(mean, std²) along the line."""
    return torch.exp(-((line - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))


bells = {
    f"μ = {m}, σ = {s}": (line.tolist(), bell(m, s).tolist())
    for m, s in ((1, 0.8), (0, 0.3), (3, 0.5))
}
prior = {"prior: μ = 0, σ = 1": (line.tolist(), bell(0, 1).tolist())}
plots.show(
    plots.curves({**prior, **bells}, "Clouds and the prior", "z", "density"),
    alt="Four bell curves: the prior at 0, a wide one near it, a narrow one at 0, and a narrow one at 3.",
)

# %% [markdown]
r"""
The price is the **Kullback–Leibler divergence**, the average of $\log q(z) - \log p(z)$ over the cloud. It says in **nats** how much
more one must tell about $z$ than the prior knows. For two normal distributions the integral can be done by hand:

$$\mathrm{KL}\big(q(z|x) \,\|\, p(z)\big) = +\tfrac12 \sum_{j=1}^{D} \big(\sigma_j^2 + \mu_j^2 - 1 - \log \sigma_j^2\big).$$

Check it with your eyes: it is 0 for $\mu = 0, \sigma = 1$; it grows with distance, $\mu^2$; and it grows without bound as the
cloud shrinks, $-\log\sigma^2$.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.vae import gaussian_kl
# TODO: one number for each image, in nats: sum over the latent variables, not over the batch.

# %%
check(gaussian_kl)

# %%
# NBVAL_CHECK_OUTPUT
for mean, std in ((0.0, 1.0), (1.0, 0.8), (0.0, 0.3), (3.0, 0.5)):
    price = gaussian_kl(torch.tensor([[mean]]), torch.tensor([[2 * math.log(std)]]))
    print(f"μ = {mean:g}, σ = {std:g} costs {price.item():.3f} nats")

# %% [markdown]
r"""
The prior itself must cost 0.000, and the cloud at 3 the most: 4.818.

**Do not believe a formula; measure it.** The KL is an average over draws, so we can estimate it by drawing: reparameterize, then
average $\log q(z) - \log p(z)$. Each line below is one such estimate. They should close in on your closed form.
"""

# %%
torch.manual_seed(SEED)
mean, logvar = torch.tensor([[0.8, -0.5]]), torch.tensor([[-1.0, 0.3]])
draws = reparameterize(
    mean.expand(20, 5000, 2).reshape(-1, 2), logvar.expand(20, 5000, 2).reshape(-1, 2)
)
q = torch.distributions.Normal(mean, (0.5 * logvar).exp())
terms = (
    (q.log_prob(draws) + 0.5 * draws**2 + 0.5 * math.log(2 * math.pi)).sum(dim=1).reshape(20, 5000)
)
counts = [10, 30, 100, 300, 1000, 3000, 5000]
runs = torch.stack([terms[:, :n].mean(dim=1) for n in counts], dim=1)
truth = gaussian_kl(mean, logvar).item()
plots.show(
    plots.estimates(counts, runs, truth, "Your formula against draws", "KL (nats)"),
    alt="Twenty wobbling lines of Monte Carlo estimates narrow down around the dashed line of the closed form.",
)

# %% [markdown]
r"""
### Question: a formula that circulates

Many slides and notes print the price as

$$-\tfrac12 \sum_j \big(\sigma_j + \mu_j^2 - 1 - \log \sigma_j\big).$$

What is wrong with it?

- **a**: nothing; it is the formula above in another notation.
- **b**: only the sign: without the minus it would be right.
- **c**: the sign, and $\sigma$ stands where $\sigma^2$ belongs.
"""

# %% question points=1 minutes=3
answer_kl_sign = ""  # "a", "b" or "c"

# %%
check(answer_kl_sign, exercise="answer_kl_sign")

# %% [markdown]
r"""
## 4. The price of a picture

The other half of the loss says how well the image was rebuilt. We let each pixel be a coin that shows white with probability
$p$, and charge the surprise $-\log p(x \mid z)$: little if the decoder was sure and right, much if it was sure and wrong.

Two things to know.

- The decoder gives **logits**, not probabilities: any real number, with $p$ = sigmoid(logit). Computing the sigmoid and then its
  logarithm breaks when a pixel is sure, since $\log 0 = -\infty$. There is a form that takes logits and never breaks.
- Our pixels are grey, not black or white. For them this is the **cross-entropy**, a useful loss but no normalised likelihood, and
  its lowest value is not 0: a pixel of 0.5 costs at least $\log 2 \approx 0.69$ nats. So read its differences, not its size.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.vae import bernoulli_nll
# TODO: one number for each image, in nats: the sum over channels, height and width. Stable for large logits.

# %%
check(bernoulli_nll)

# %%
# NBVAL_CHECK_OUTPUT
grey = torch.full((1, 1, 2, 2), 0.5)
for logit in (0.0, 2.0, 200.0):
    print(
        f"four pixels of 0.5, logits {logit:>5}: {bernoulli_nll(torch.full_like(grey, logit), grey).item():8.3f} nats"
    )

# %% [markdown]
r"""
You should read 2.773 (four times $\log 2$) for the first, and a plain, finite 400.000 for the last.

## 5. The loss

Add the two prices. $\beta$ sets the balance. With $\beta = 1$ the sum is minus the **ELBO**, the evidence lower bound. On average over the
draws of $z$ it is never less than the true $-\log p(x)$, so pushing it down pushes up the probability that the model gives your data. (For
black and white pixels, that is. For grey ones read "cross-entropy" for "probability", as above.)

$$\mathcal L = \underbrace{-\log p_\theta(x \mid z)}_{\text{reconstruction}} + \beta\, \underbrace{\mathrm{KL}\big(q_\phi(z|x)\,\|\,p(z)\big)}_{\text{regularisation}}, \qquad z \sim q_\phi(z \mid x)$$
"""

# %% exercise points=2 minutes=5 difficulty=1
from course.vae import negative_elbo
# TODO: put your two functions together, and average over the batch.

# %%
check(negative_elbo)

# %%
# NBVAL_CHECK_OUTPUT
logits, x = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
mu, logvar = torch.ones(2, 3), torch.zeros(2, 3)
print(
    " ".join(
        f"β = {beta}: {negative_elbo(logits, x, mu, logvar, beta).item():.3f}" for beta in (0, 1, 4)
    )
)

# %% [markdown]
r"""
Four coins cost 2.773 nats, three latents at distance 1 cost 1.5: so 2.773, 4.273 and 8.773.

### Question: logvar read as log σ

Someone's encoder output `h` is used as $\log\sigma^2$ in the KL, but as $\log\sigma$ in the sampling: `z = mu + exp(h) * eps`. The
network trains without an error. What happens?

- **a**: nothing: the network learns an `h` that fits both.
- **b**: the KL charges for a cloud with spread $e^{h/2}$ while the decoder sees one with spread $e^{h}$: the loss is no bound on
  $-\log p(x)$ any more.
- **c**: training diverges at once, since the two gradients cancel.
"""

# %% question points=1 minutes=3
answer_logvar = ""  # "a", "b" or "c"

# %%
check(answer_logvar, exercise="answer_logvar")

# %% [markdown]
r"""
## 6. The model

Two networks, joined by your `reparameterize`. The encoder gives $2D$ numbers for an image: $D$ means, then $D$ log-variances. You write
what happens to an image on its way through, and how new images are drawn: a code from the prior, through the decoder.
"""

# %% exercise points=4 minutes=15 difficulty=3 methods=forward,sample
from course.vae import VAE
# TODO forward: encode, draw a code, decode. Return the logits, mu and logvar.
# TODO sample: decode n codes from the prior and turn the logits into images. What you change, put back.

# %%
check(VAE)

# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(0)
glass = VAE(
    nn.Sequential(nn.Flatten(), nn.Linear(4, 4)),
    nn.Sequential(nn.Linear(2, 2), nn.Unflatten(1, (1, 1, 2))),
    latent_dim=2,
)
for layer in (glass.encoder[1], glass.decoder[0]):  # pass on what comes in
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
logits, mu, logvar = glass(torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(100_000, 1, 4))
(gradient,) = torch.autograd.grad(logits.mean(), glass.encoder[1].bias)
print(f"mu {mu.mean():.1f}, logvar {logvar.mean():.1f}; logits: mean {logits.mean():.1f}, spread {logits.std():.1f}")
print("gradient that reaches mu:", [round(g, 1) for g in gradient[:2].tolist()])
glass.eval()
drawn, again = glass.sample(100_000), glass.sample(100_000)
print(f"drawn: mean {drawn.mean():.1f}, spread {drawn.std():.1f}; other images the second time: {not torch.equal(drawn, again)}")
print(f"gradients: {drawn.requires_grad}; training mode: {glass.training}", end=" ")
_ = glass.train().sample(1)
print(f"and {glass.training}")

# %% [markdown]
r"""
A VAE of glass: its networks pass on what they get, so you can see through it. The logits have the mean 1 that went in as mu, and the
spread 1 of the noise; the samples are sigmoids of standard normal numbers, and the mode is what it was, off and then on.
"""

# %% [markdown]
r"""
### One step of training

One training step: the model on a batch, the loss, the gradients, the update. It also reports what the batch cost, so that we can
draw curves later.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.vae import train_step
# TODO: one update of the model with your loss, and a dict of three floats: loss, nll, kl.

# %%
check(train_step)

# %%
# NBVAL_CHECK_OUTPUT
encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
tiny = VAE(encoder, nn.Sequential(nn.Linear(1, 4), nn.Unflatten(1, (1, 2, 2))), latent_dim=1)
for parameter in tiny.parameters():
    nn.init.constant_(parameter, 0.1)
encoder[1].bias.data = torch.tensor([0.5, -30.0])  # a cloud so narrow that its noise does not show
sgd, x = torch.optim.SGD(tiny.eval().parameters(), lr=0.1), torch.eye(2).expand(3, 1, 2, 2)
for _ in range(3):
    costs = train_step(tiny, x, sgd, beta=2.0)
    rounded = {name: round(cost, 3) for name, cost in costs.items()}
    print(rounded, f"mu's bias is now {encoder[1].bias[0].item():.3f}")
print("training mode:", tiny.training)

# %% [markdown]
r"""
The cloud here is absurdly narrow, so its KL is large; watch it fall from step to step, and the loss with it: it is nll + 2 · kl.
"""

# %% [markdown]
r"""
## 7. Train it, three times

First with $\beta = 1$. Then, on the same images, with $\beta = 50$, an over-anxious VAE that fears the price of codes above all. The
autoencoder from the beginning is the third: it pays nothing for its codes.
"""


# %%
def train_vae(
    images: Tensor, latent_dim: int, beta: float, n: int, seed: int
) -> tuple[VAE, dict[str, list[float]]]:
    """Train a VAE with your train_step; return it with what each step reported."""
    seed_everything(seed)
    shape = tuple(images.shape[1:])
    model = VAE(mlp_encoder(shape, 2 * latent_dim), mlp_decoder(latent_dim, shape), latent_dim).to(
        device
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    state = {"model": model, "optimizer": optimizer}

    def step(x: Tensor) -> dict[str, float]:
        return train_step(model, x, optimizer, beta)

    return model, fit(step, minibatches(images), steps(n), state=state, decay=True, seed=seed)


vae, history = train_vae(train_images, latent_dim=2, beta=1.0, n=3000, seed=SEED)
anxious, _ = train_vae(train_images, latent_dim=2, beta=50.0, n=3000, seed=SEED)
plots.show(
    plots.curves(
        {"reconstruction (nll)": plots.smooth(history["nll"]), "KL": plots.smooth(history["kl"])},
        "Training the VAE: both prices",
        "step",
        "nats per image",
        log="y",
    ),
    alt="Two curves over the training steps: the reconstruction falls and levels off, the KL settles at a few nats.",
)

# %% [markdown]
r"""
The reconstruction falls steeply and levels off; the KL settles at a few nats. The model buys just as much code as pays for itself: one
nat more for the code must save more than one nat in the picture.

### The three latent planes

Now the same plot as at the start, for all three. For the VAEs a dot is a **draw from the cloud** of a test image. The dashed circle
holds 86 % of the prior.
"""

# %%
with torch.no_grad():
    vae_codes, vae_logvar = vae.encode(test_images.to(device))
    anxious_codes, anxious_logvar = anxious.encode(test_images.to(device))
planes = {"autoencoder": ae_codes, "VAE, β = 1": vae_codes, "VAE, β = 50": anxious_codes}
drawn = {
    **planes,
    "VAE, β = 1": reparameterize(vae_codes, vae_logvar),
    "VAE, β = 50": reparameterize(anxious_codes, anxious_logvar),
}
plots.show(
    plots.latent_planes(drawn, test_labels, "image", "Three latent planes", NAMES),
    alt="The autoencoder's codes sprawl in thin strands, the VAE's lie near the circle in strands with gaps between them, at "
    "beta 50 the kinds overlap in one round cloud.",
)

# %% [markdown]
r"""
Look at the axes first.

- **Autoencoder**: strands wherever they happened to fall, far apart, with holes.
- **VAE**: strands too, and holes between them! But the price pulled them together, near the circle, and the kinds share it out.
- **β = 50**: one direction is pure noise, with clouds as wide as the prior; in the other one the kinds overlap: too dear to tell apart.

So the clouds do *not* fill the holes. They are small: half of the σ are below 0.07, and only about a third of the prior's draws come within
three σ of the cloud of any training image. Two things help together: the price pulls the strands near each other, and the noise makes
the decoder smooth, so that it bridges the gaps that remain. Whether it really does is what the next two pictures test.

### Continuity: what lies between two codes?

We take the codes of two test images, and decode eleven points on the straight line between them.
"""


# %%
def decoded(model: nn.Module, z: Tensor) -> Tensor:
    """Decode codes to images: a VAE gives logits, the autoencoder gives pixels."""
    with torch.no_grad():
        return model.decode(z).sigmoid() if isinstance(model, VAE) else model.decode(z).clamp(0, 1)


def path(model: nn.Module, codes: Tensor, first: int, last: int) -> Tensor:
    """Decode eleven points on the line between two codes."""
    t = torch.linspace(0, 1, 11, device=device)[:, None]
    return decoded(model, (1 - t) * codes[first] + t * codes[last])


far = int((test_labels != test_labels[0]).nonzero()[0])  # the first image of another kind
models = {"autoencoder": ae, "VAE, β = 1": vae, "VAE, β = 50": anxious}
rows = {name: path(model, planes[name], 0, far) for name, model in models.items()}
plots.show(
    plots.image_rows(rows, "From one image to another"),
    alt="Eleven images that morph from one shape to another, by each of the three models.",
)

# %% [markdown]
r"""
### Completeness: does every code decode to something?

Codes drawn at random: from the prior for the VAEs. The autoencoder has no prior, so we are generous: we fit a normal distribution to
its codes and draw from that.

And a number, so that you need not trust your eyes: the squared distance from each drawn image to the **nearest of 5,000 training
images**, on average over 500 drawn ones. Small means: looks like the data.
"""


# %%
def draw_codes(name: str, codes: Tensor, n: int) -> Tensor:
    """Draw n codes: from the prior for a VAE, from a normal distribution fitted to the autoencoder's."""
    z = torch.randn(n, 2, device=device)
    if name.startswith("VAE"):
        return z
    return codes.mean(0) + z @ torch.linalg.cholesky(codes.T.cov()).T


def distance_to_data(images: Tensor) -> float:
    """Average the squared distance from each image to the nearest of the first 5,000 training images."""
    distances = torch.cdist(images.cpu().flatten(1), train_images[:5000].flatten(1))
    return distances.min(dim=1).values.square().mean().item()


torch.manual_seed(SEED)
drawn = {
    name: decoded(model, draw_codes(name, planes[name], 500)) for name, model in models.items()
}
rows = {name: images[:12] for name, images in drawn.items()}
plots.show(
    plots.image_rows(rows, "Decoded random codes"),
    alt="Decoded random codes: broken shapes by the autoencoder, cleaner ones by the VAE, blurs at beta 50.",
)
gaps = {name: distance_to_data(images) for name, images in drawn.items()}
print("squared distance to the nearest of 5,000 training images:")
print("   ".join(f"{name}: {gap:.1f}" for name, gap in gaps.items()))

# %% [markdown]
r"""
### Question: why does the autoencoder draw rubbish?

- **a**: its decoder is too small to draw all the shapes.
- **b**: nothing in its loss asks the codes to fill any region, so random codes fall where the decoder was never trained.
- **c**: its codes are not normally distributed, and a decoder can only read normal codes.
"""

# %% question points=1 minutes=2
answer_holes = ""  # "a", "b" or "c"

# %%
check(answer_holes, exercise="answer_holes")

# %% [markdown]
r"""
## 8. Walk through the latent space

Hold every latent variable but one, move that one, and look. It is the simplest way to ask a model what it has learned.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.vae import traverse
# TODO: one copy of z for each value, with latent `dim` set to it; decode them all to images.
# Leave z and the model's mode as you found them, and no gradients.

# %%
check(traverse)

# %%
# NBVAL_CHECK_OUTPUT
adds_up = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Unflatten(1, (1, 1, 1)))
nn.init.ones_(adds_up[0].weight)
fixed = VAE(nn.Identity(), adds_up, latent_dim=2)
strip = traverse(fixed, torch.tensor([1.0, 2.0]), 0, torch.tensor([-2.0, 0.0, 1.0]))
print("sigmoid(value + 2):", [round(value, 3) for value in strip.flatten().tolist()])

# %% [markdown]
r"""
One latent at a time first, then both together as a grid: a map of the whole plane.
"""

# %%
values = torch.linspace(-2, 2, 11, device=device)
centre = torch.zeros(2, device=device)
strips = {f"z{dim + 1} from −2 to 2": traverse(vae, centre, dim, values) for dim in range(2)}
plots.show(
    plots.image_rows(strips, "One latent moves, the other stays 0"),
    alt="Two rows of images: in each, one latent variable was moved and the other held.",
)
rows = [traverse(vae, torch.stack([centre[0], height]), 0, values) for height in values.flip(0)]
plots.show(
    plots.decoded_plane(torch.stack(rows), 2.0, "The VAE's map of its world"),
    alt="A grid of 11 by 11 decoded images: neighbours are alike, and the kinds of image share out the plane.",
)

# %% [markdown]
r"""
Do $z_1$ and $z_2$ *mean* something, size and shape say? Look closely, and be honest: mostly each changes a bit of both. The next
section is about that.

## 9. β-VAE: one latent, one meaning?

New data, made for the purpose: one soft blob that lies somewhere ($x$ and $y$) and has a size. Three true factors. The model has six
latents. We hope that three of them take one factor each, and the other three fall silent. That is **disentanglement**.

To measure it we need a number. The **mutual information gap** (MIG) asks for each factor: how much does the latent know that knows most
about it? How much the second best? The *gap* between the two, as a share of all there is to know, is 1 if one latent has the factor for
itself, and 0 if two share it.

$$\mathrm{MIG} = \frac1K \sum_{k=1}^{K} \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}$$

Two helpers are given: `equal_width_bins(column, bins)` cuts real numbers into numbered bins, and `entropy(labels)` gives the entropy of
labels. For mutual information use $I(a; b) = H(a) + H(b) - H(a, b)$.
"""

# %% exercise points=4 minutes=20 difficulty=4
from course.metrics import mutual_information_gap
# TODO: cut the codes into bins, and the factors too unless they are whole numbers.
# Then for each factor the mutual information with every code, the gap, and the share of the factor's entropy.

# %%
check(mutual_information_gap)

# %% [markdown]
r"""
Now the catch. Take perfect codes, and turn the plane by 45 degrees. The prior $\mathcal N(0, I)$ looks the same from every side: it cannot
tell the two apart, and a decoder can turn the codes back for free. So a diagonal prior alone does not disentangle. MIG sees the difference:
"""

# %%
# NBVAL_CHECK_OUTPUT
factors = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
turn = math.sqrt(0.5) * torch.tensor([[1.0, -1.0], [1.0, 1.0]])
print(f"MIG of perfect codes: {mutual_information_gap(factors, factors):.1f}")
print(
    f"MIG of the same codes, turned by 45 degrees: {mutual_information_gap(factors @ turn, factors):.1f}"
)

# %% [markdown]
r"""
So why should a VAE disentangle at all? Because its *clouds* are upright too: $\sigma$ is given for each latent by itself. A factor that matters
more to the picture wants a sharper code, and a cloud that is narrow in one direction and wide in the other fits only if the directions are
the axes. Our $x$ varies twice as much as $y$; that difference holds the axes in place, and a stricter price ($\beta > 1$) makes the model
mind it. It is a tendency, not a law.

Here is one run with $\beta = 8$ (half a minute), and its traversals. The latents are sorted by how much they tell (their KL).
"""


# %%
def blobs(n: int, seed: int, **ranges: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Draw n images of a blob with its true factors x, y and size (n, 3)."""
    return sample_blobs(n, torch.Generator().manual_seed(seed), **ranges)


blob_images, _ = blobs(20_000, seed=1)
blob_tests, blob_factors = blobs(5_000, seed=2)
beta_vae, _ = train_vae(blob_images, latent_dim=6, beta=8.0, n=6000, seed=SEED)
with torch.no_grad():
    mu, logvar = beta_vae.encode(blob_tests.to(device))
price = torch.stack([gaussian_kl(mu[:, [d]], logvar[:, [d]]).mean() for d in range(6)]).cpu()
live_mig = mutual_information_gap(mu.cpu(), blob_factors)
order = price.argsort(descending=True).tolist()
origin, values = torch.zeros(6, device=device), torch.linspace(-2, 2, 9, device=device)
strips = {f"z{d + 1}: {price[d]:.2f} nats": traverse(beta_vae, origin, d, values) for d in order}
plots.show(
    plots.image_rows(strips, f"β = 8: six latents, MIG {live_mig:.2f}"),
    alt="Six rows of traversals of a blob, sorted by KL: the first three move or resize it, the others do nothing.",
)

# %% [markdown]
r"""
You should see one row in which the blob travels sideways, one in which it travels up and down, one in which its size changes (or two of
these mixed a little), and rows at the bottom where nothing happens: those latents fell silent and cost nothing.

### Where does the rest of the gap go?

The rows look nearly perfect, and yet the MIG is far from 1. Let us read it off: how much does each latent tell of each factor, as a
share of the factor's entropy? With a single latent the gap is all it knows, so your function gives that too.
"""

# %%
FACTORS = ("x", "y", "size")
share = torch.tensor(
    [
        [mutual_information_gap(mu[:, [d]].cpu(), blob_factors[:, [k]]) for d in order]
        for k in range(3)
    ]
)
fig, ax = plt.subplots(figsize=(5.6, 2.7), layout="constrained")
ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
for row, column in torch.cartesian_prod(torch.arange(3), torch.arange(6)).tolist():
    number = share[row, column].item()
    colour = "white" if number > 0.7 else "black"
    ax.text(column, row, f"{number:.2f}", ha="center", va="center", color=colour)
ax.set(title="What each latent tells of each factor, I / H", xlabel="latent, by its KL", ylabel="true factor")
ax.set_xticks(range(6), [f"z{d + 1}" for d in order])
ax.set_yticks(range(3), FACTORS)
plots.show(
    fig,
    alt="A table of shares between 0 and 1, a row a factor: each row has one large number, in a column of its own.",
)
first, second = share.topk(2, dim=1).values.T
gaps_of_factors = zip(FACTORS, (first - second).tolist(), strict=True)
print("gaps:", ", ".join(f"{name} {gap:.2f}" for name, gap in gaps_of_factors))
scores = {bins: mutual_information_gap(mu.cpu(), blob_factors, bins) for bins in (5, 10, 20, 40)}
print("MIG with", ",  ".join(f"{bins} bins: {score:.2f}" for bins, score in scores.items()))

# %% [markdown]
r"""
Almost nothing is mixed: in our run the largest shares are 0.63, 0.52 and 0.35, each in a column of its own, and the second best in a row is
below 0.08. What is missing is **precision**. MIG asks in which of 20 bins a factor lies, and precision has a price, so the model buys only
as much as pays. Even a correlation of 0.98, as between $x$ and its latent here, is worth but 1.6 nats of the 3.0 in 20 equal bins.

With fewer bins the same codes score higher. So MIG measures two things at once, order *and* sharpness, and two MIGs can be compared only
if they were counted with the same bins.

### One run proves nothing

So here are five seeds for each of five values of $\beta$, measured once and stored with the course
(`python benchmarks/lab2_vae.py` measures them again).
"""

# %%
measured = json.loads(files("course.labs.lab2_vae").joinpath("benchmark.json").read_text())
by_beta = {}
for row in measured["sweep"]:
    columns = by_beta.setdefault(row["beta"], {"mig": [], "squared_error": [], "kl": []})
    for name, column in columns.items():
        column.append(row[name])
plots.show(
    plots.sweep(by_beta, "What β buys, and what it costs: five seeds each"),
    alt="Left: squared error grows as KL falls with beta. Right: the mutual information gap rises, then levels off.",
)
print("    β   MIG (lowest, mean, highest)   squared error   KL")
for beta, c in sorted(by_beta.items()):
    mean_mig, error, kl = (sum(c[name]) / len(c[name]) for name in ("mig", "squared_error", "kl"))
    print(
        f"{beta:5g}   {min(c['mig']):.2f}   {mean_mig:.2f}   {max(c['mig']):.2f} {error:23.2f} {kl:7.1f}"
    )

# %% [markdown]
r"""
Read both sides. From $\beta = 0$ to $4$ the gap rises far more than the seeds scatter. Beyond that, more $\beta$ buys little and
the reconstruction keeps getting worse. There is no free lunch, and there is no best $\beta$ for every data set.

### Question: it depends

We made $y$ vary as much as $x$ (both over ±0.6) and trained five seeds with $\beta = 8$ again. Before you print the result: what do you
expect of the MIG?

- **a**: it stays as high: the factors are as independent as before.
- **b**: it becomes a lottery: some seeds high, some low, since nothing tells the model which way to turn its axes.
- **c**: it falls to 0 in every seed: equal factors can never be separated.
"""

# %% question points=1 minutes=3
answer_equal_ranges = ""  # "a", "b" or "c"

# %%
check(answer_equal_ranges, exercise="answer_equal_ranges")

# %%
equal = [row["mig"] for row in measured["equal_ranges"]]
for name, migs in (("x twice as wide as y", by_beta[8]["mig"]), ("the same range", equal)):
    print(f"MIG of five seeds at β = 8, {name:>20}:", " ".join(f"{mig:.2f}" for mig in sorted(migs)))

# %% [markdown]
r"""
Two of the five fell far below everything in the first line; three lie among them. The ranges **overlap**, and five seeds are few: this
shows that a run can go wrong where nothing holds the axes, not how often it does.

## 10. What you have built

- It **compresses**: an image of 1,024 pixels to two numbers, and rebuilds it.
- It learns **without labels**: nobody told it what a square is.
- It is trained **end to end**: the reparameterization lets the gradient through the dice.
- It can be **interpreted**: move one latent, look. How cleanly, depends on β, on the data and on luck; you have measured it.
- It **generates**: codes from the prior become images that look like the data.

Its images are a little blurred: independent pixels make it cautious. Lab 4 meets a model that is not.

### Does it hold?

The next two cells hold your models, and the measured sweep, against bars that every one of five seeds cleared when the course measured
them.
"""

# %%
with torch.no_grad():
    x = test_images.to(device)
    logits, mu, logvar = vae(x)
    test_loss = negative_elbo(logits, x, mu, logvar).item()
    codes, _ = beta_vae.encode(blob_tests.to(device))
told = [mutual_information_gap(codes[:, [d]].cpu(), blob_factors[:, [0]]) for d in range(6)]
tells_x = told.index(max(told))  # of a single latent the gap is all it knows
journey = traverse(beta_vae, origin, tells_x, torch.tensor([-2.0, 2.0], device=device)).cpu()
columns = torch.linspace(-1, 1, 32)
left_end, right_end = ((image.sum(dim=(0, 1)) * columns).sum() / image.sum() for image in journey)
print(f"{DATASET}: test −ELBO {test_loss:.1f} nats per image, in two latent variables")
if DATASET == "sprites":
    bar("test −ELBO of the VAE (nats)", test_loss, below=40.0)
    ratio = gaps["autoencoder"] / gaps["VAE, β = 1"]
    bar("random codes: autoencoder's distance to the data over the VAE's", ratio, above=1.0)
bar("MIG at β = 8, this run", live_mig, above=0.2)
bar("the blob's journey along the latent that tells x", abs(right_end - left_end).item(), above=0.5)

# %%
def mean_over_seeds(beta: float, name: str) -> float:
    """Average a measured column over the seeds."""
    return sum(by_beta[beta][name]) / len(by_beta[beta][name])


gain = mean_over_seeds(8, "mig") - mean_over_seeds(0, "mig")
bar("MIG at β = 8 minus MIG at β = 0, mean of five seeds", gain, above=0.2)
errors = [mean_over_seeds(beta, "squared_error") for beta in sorted(by_beta)]
growth = min(after - before for before, after in pairwise(errors))
bar("smallest growth of the squared error from one β to the next", growth, above=0.0)

# %% [markdown]
r"""
### Hand it in

`progress()` shows where you stand. Then save the notebook and hand in the `.ipynb` file: on Colab **File › Download › Download .ipynb**,
in JupyterLab **File › Download**. Upload it where your course asks for it, under the name it has.
"""

# %%
progress()
