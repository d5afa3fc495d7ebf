# %% [markdown]
r"""
# Lab 4: generative adversarial networks

A forger paints. A detective looks at real paintings and at forgeries, and learns to tell them apart. The forger learns from being
caught. When both have become good, the forgeries are as good as real ones, and the detective can only toss a coin.

That is a generative adversarial network, a GAN: two networks, trained against each other. It has no density, no likelihood and no
encoder. It learns to draw from samples alone.

In this lab you write it: both losses, both steps, a brake that keeps the game from running away, and the number by which people
compare GANs. We play on a line first, where everything can be drawn and the right answer is known. Then on a plane, where things go
wrong. Then with faces.

**You need:** tensors, gradients and optimizers in PyTorch, the sigmoid and its logits (lab 2, section 4). **You will be able to:**
train a GAN, see from its numbers which player is winning, say why it collapses or runs in circles, and walk through what it has learned.
"""

# %% setup
import json
import math
import re
from importlib.resources import files

import matplotlib.pyplot as plt
import torch
from IPython.display import HTML, display
from matplotlib.animation import FuncAnimation
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course import check, hint, plots, progress, start
from course.checkpoints import load
from course.checkpoints.recipes.gans import build_classifier, train_classifier
from course.data import real
from course.data.faces import HAIRS, MOUTHS, aligned_faces
from course.labs.budget import bar, seed_of_run, steps
from course.networks import PassOnTheMaps, conv_encoder, image_discriminator, image_generator
from course.training import fit, pick_device, seed_everything
from course.vae import VAE, train_step

start("lab4_gans")
DATASET = "faces"  # in section 11; or "fashion_mnist": photographs of clothes
DATA_ROOT = "data"  # where real images are, or will be downloaded to
SEED = seed_of_run()  # 0; try another one when you are through: what changes, and what does not?
device = pick_device()
BLUE, ORANGE, GREEN, RED = plots.COLOURS[:4]

# %% [markdown]
r"""
## 1. Two players on a line

The real things are points on a line, somewhere near 2. Nobody tells the players so: they see points, never a formula.

- **The generator G** takes a random number $z \sim \mathcal N(0, 1)$ and makes a point of it. Ours is as small as can be: it stretches
  and shifts, $G(z) = a z + b$. At the start its points fall near −2.
- **The discriminator D** looks at a point and says how likely it is **real**.

One convention for the whole course: D gives a **logit**, any real number, and a high one means *real*. The probability is
$D(x)$ = sigmoid(logit).
"""


# %%
def real_points(n: int) -> Tensor:
    """Draw n real points (n, 1)."""
    return 2 + 0.5 * torch.randn(n, 1, device=device)


def noise(n: int, size: int = 1) -> Tensor:
    """Draw noise (n, size)."""
    return torch.randn(n, size, device=device)


def network(
    inputs: int, outputs: int, hidden: int = 32, activation: type[nn.Module] = nn.Tanh
) -> nn.Sequential:
    """Make a network with two hidden layers."""
    layers = [nn.Linear(inputs, hidden), activation(), nn.Linear(hidden, hidden), activation()]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs)).to(device)


def line_generator(a: float = 0.5, b: float = -2.0) -> nn.Linear:
    """Make the generator a z + b."""
    G = nn.Linear(1, 1).to(device)
    nn.init.constant_(G.weight, a)
    nn.init.constant_(G.bias, b)
    return G


def dots(ax: plt.Axes, reals: Tensor, fakes: Tensor) -> None:
    """Draw some reals at the top of an axis from 0 to 1, some fakes at its bottom."""
    for points, height, colour, marker, name in (
        (reals, 1.06, BLUE, "o", "real"),
        (fakes, -0.06, ORANGE, "s", "fake"),
    ):
        x = points[:60, 0].detach().cpu()
        ax.plot(
            x,
            torch.full_like(x, height),
            marker,
            color=colour,
            alpha=0.45,
            markersize=5,
            linewidth=0,
            label=name,
        )
    ax.set(xlim=(-4.5, 4.5), ylim=(-0.14, 1.14), xlabel="x", yticks=[0, 0.5, 1])


seed_everything(SEED)
G = line_generator()
fig, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
dots(ax, real_points(60), G(noise(60)))
ax.set(title="What D is shown: points, and where they come from", ylabel="D(x)")
ax.legend(frameon=False, loc="center")
plots.show(
    fig,
    alt="Real points as a cloud around 2 at the top, fake points as a cloud around −2 at the bottom.",
)

# %% [markdown]
r"""
### The perfect detective

Suppose, for a moment, that D knew the density $p_\text{data}$ of the reals and the density $p_\text{model}$ of the fakes, and that it sees as
many of one as of the other. A point falls at $x$. What should D say?

Of all the points that ever fall there, the share that is real:

$$D^*(x) = \frac{p_\text{data}(x)}{p_\text{data}(x) + p_\text{model}(x)}.$$

No D can do better. Far from everything both densities are 0, as far as a computer can tell, and $0/0$ is no number. There nothing is
known: let D say ½.
"""

# %% exercise points=2 minutes=5 difficulty=1
from course.gan import optimal_discriminator
# TODO: the probability of real at each place, and 1/2 where both densities are 0 (no NaN).

# %%
check(optimal_discriminator)

# %% [markdown]
r"""
Stuck? `hint(optimal_discriminator)` gives a hint, and another one when you call it again.
"""

# %%
# NBVAL_CHECK_OUTPUT
p_data, p_model = torch.tensor([0.6, 0.2, 0.0, 0.0]), torch.tensor([0.2, 0.2, 0.5, 0.0])
print("D* =", [round(d, 3) for d in optimal_discriminator(p_data, p_model).tolist()])

# %% [markdown]
r"""
You should read 0.75 (three of four points are real), 0.5, 0.0 and, where nothing falls, 0.5.

Now let G come nearer, and watch the perfect D.
"""

# %%
line = torch.linspace(-4.5, 4.5, 361, device=device)[:, None]


def bell(x: Tensor, mean: float, std: float) -> Tensor:
    """Compute the density of N(mean, std²)."""
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def true_densities(G: nn.Linear) -> tuple[Tensor, Tensor]:
    """Compute along the line the density of the reals and that of the fakes: a z + b is a normal variable too."""
    return bell(line, 2.0, 0.5), bell(line, G.bias.item(), G.weight.abs().item())


fig, axes = plt.subplots(1, 3, figsize=(10, 2.8), layout="constrained", sharey=True)
for ax, (a, b) in zip(axes, ((0.5, -2.0), (0.9, 0.5), (0.5, 2.0)), strict=True):
    p_data, p_model = true_densities(line_generator(a, b))
    x = line[:, 0].cpu()
    ax.fill_between(x, p_data[:, 0].cpu(), color=BLUE, alpha=0.3, label="density of the reals")
    ax.fill_between(
        x, p_model[:, 0].cpu(), color=ORANGE, alpha=0.3, hatch="//", label="density of the fakes"
    )
    ax.plot(x, optimal_discriminator(p_data, p_model)[:, 0].cpu(), color="black", label="perfect D")
    ax.set(title=f"fakes: {b:g} ± {a:g}", xlabel="x", ylim=(0, 1.05))
    ax.grid(alpha=0.3)
fig.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
fig.suptitle("The perfect discriminator, while G comes nearer")
plots.show(
    fig,
    alt="Three panels: far apart D is a step from 0 to 1; nearer, a softer bend; with equal densities a flat line at one half.",
)

# %% [markdown]
r"""
Far apart, D is a cliff. When fakes and reals have the same density, D is flat: **½ everywhere**. That is where the game ends, if it ends:
$p_\text{model} = p_\text{data}$, and $D = \tfrac12$.

## 2. What D pays

D is not given densities. It learns from points, as any classifier does: by the **cross-entropy**. For a real it pays $-\log D(x)$, for a
fake $-\log (1 - D(x))$; each is little if D was right and sure, much if it was wrong and sure.

$$\mathcal L_D = -\operatorname*{mean}_{\text{reals}} \log D(x) \;-\; \operatorname*{mean}_{\text{fakes}} \log\big(1 - D(G(z))\big)$$

Each kind has a mean of its own, and the two are added. And as always with logits: never compute the sigmoid first and its logarithm
after. A sure D has $D(x) = 1$ in floating point, and $\log(1 - 1) = -\infty$.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import discriminator_loss
# TODO: one number: the mean over the reals plus the mean over the fakes. Stable for logits of ±100.

# %%
check(discriminator_loss)

# %%
# NBVAL_CHECK_OUTPUT
undecided, sure = torch.zeros(4, 1), torch.full((4, 1), 100.0)
print(f"undecided: {discriminator_loss(undecided, undecided):.3f}, and log 4 = {math.log(4):.3f}")
print(f"right and sure: {discriminator_loss(sure, -sure):.3f}")
print(f"wrong about the fakes, and sure: {discriminator_loss(sure, sure):.3f}")

# %% [markdown]
r"""
You should read 1.386 twice, then 0.000, then 100.000. Remember the first: a D that says ½ to everything pays $2 \log 2 = \log 4 \approx 1.386$. When you
see that number during training, D knows nothing. Then either the fakes are perfect, or D is asleep.

### Question: two conventions

Some slides write that D *maximises* $\log D(G(z)) + \log(1 - D(x))$, with $x$ a real. Ours minimises $-\log D(x) - \log(1 - D(G(z)))$. Who is right?

- **a**: the slides are wrong: maximising that would teach D to be fooled.
- **b**: both: on the slides D is the probability of *fake*. Put $1 - D$ for $D$, and turn the sign, and the two are the same.
- **c**: both: maximising one is minimising the other, since the signs differ.
"""

# %% question points=1 minutes=3
answer_convention = ""  # "a", "b" or "c"

# %%
check(answer_convention, exercise="answer_convention")

# %% [markdown]
r"""
### Question: one sign

Some notes print $\log(1 + D(G(z)))$ where we have $\log(1 - D(G(z)))$. Suppose D minimised $-\log D(x) - \log(1 + D(G(z)))$. What would it learn?

- **a**: the same, more slowly: both terms fall when D is right.
- **b**: nothing: the second term has no gradient.
- **c**: to call everything real: that lowers both terms.
"""

# %% question points=1 minutes=3
answer_misprint = ""  # "a", "b" or "c"

# %%
check(answer_misprint, exercise="answer_misprint")

# %% [markdown]
r"""
## 3. D takes a step

Show D some reals, let G make some fakes, show D those too, and move D down its loss. Two traps wait here.

- **The fakes are mere data for D.** If the gradient runs on into G, it costs time, and lies about in G's weights until someone trips over it.
- **Two passes.** Reals and fakes go through D one after the other, not in one batch. A layer that looks at the whole batch, as batch norm
  does, would otherwise mix the two.
"""

# %% exercise points=4 minutes=15 difficulty=3
from course.gan import discriminator_step
# TODO: fakes that are mere data; D on the reals, then D on the fakes; the loss; the update. Return the loss as a float.

# %%
check(discriminator_step)


# %%
# NBVAL_CHECK_OUTPUT
def tiny(weight: float, bias: float) -> nn.Linear:
    """Make a network of two numbers."""
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.weight, weight)
    nn.init.constant_(layer.bias, bias)
    return layer


tiny_g, tiny_d = tiny(2.0, -1.0), tiny(0.5, 0.0)
sgd = torch.optim.SGD(tiny_d.parameters(), lr=0.5)
for _ in range(3):
    paid = discriminator_step(
        tiny_g, tiny_d, torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [1.0], [-1.0]]), sgd
    )
    print(
        f"D paid {paid:.3f}; its weight is now {tiny_d.weight.item():.3f}, its bias {tiny_d.bias.item():.3f}"
    )
print("gradients on G:", [p.grad for p in tiny_g.parameters()])

# %% [markdown]
r"""
The loss falls, 0.944, 0.822, 0.779, and on G lies nothing: `[None, None]`.

### Does D find the perfect answer?

It sees 128 points at a time, and no formula. We hold G where it is, let D take 300 steps, ever smaller ones, lest it follow each batch's
accidents, and lay its curve over the perfect one. The number is the **mean distance** between the two curves, weighted by how often points fall there.
"""


# %%
def distance_to_perfect(D: nn.Module, G: nn.Linear) -> float:
    """Average |D − D*| over where reals and fakes fall."""
    p_data, p_model = true_densities(G)
    with torch.no_grad():
        gap = (D(line).sigmoid() - optimal_discriminator(p_data, p_model)).abs()
    return ((p_data + p_model) * gap).sum().item() / (p_data + p_model).sum().item()


def draw_d(ax: plt.Axes, D: nn.Module, G: nn.Linear) -> None:
    """Draw what D says along the line, and what the perfect D would say."""
    with torch.no_grad():
        says = D(line).sigmoid()[:, 0].cpu()
    x = line[:, 0].cpu()
    ax.plot(
        x,
        optimal_discriminator(*true_densities(G))[:, 0].cpu(),
        color="black",
        linestyle="--",
        label="perfect D",
    )
    ax.plot(x, says, color=GREEN, linewidth=2, label="D")
    ax.grid(alpha=0.3)


seed_everything(SEED)
G, D = line_generator(0.9, 0.5), network(1, 1)
optimizer = torch.optim.Adam(D.parameters(), lr=1e-2)
rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps(300))
fig, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained", sharey=True)
gaps, taken = [], 0
for ax, until in zip(axes, (0, 10, 50, 300), strict=True):
    for _ in range((until if until < 20 else steps(until)) - taken):
        discriminator_step(G, D, real_points(128), noise(128), optimizer)
        rate.step()
        taken += 1
    gaps.append(distance_to_perfect(D, G))
    dots(ax, real_points(60), G(noise(60)))
    draw_d(ax, D, G)
    ax.set(title=f"after {taken} steps: {gaps[-1]:.3f}")
fig.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=4)
fig.suptitle("D learns from points; the number is its distance to the perfect D")
plots.show(
    fig,
    alt="Four panels: D's curve starts flat and bends, within 300 steps, onto the dashed curve of the perfect D; right of 3, where that one falls, it stays up.",
)

# %% [markdown]
r"""
You should see the green curve lie down on the dashed one, wherever points fall, and the number drop below 0.02. Right of 3 hardly a point
falls, and nothing holds D there: it goes on as it likes. **D measures, by samples alone,
the ratio of two densities that nobody wrote down.** That is the engine of a GAN. All that G ever learns of the reals, it learns from this curve.

## 4. What G wants: two losses

G cannot touch the reals. In the game only the second half of D's loss depends on it, and G wants the opposite of D. So G
**minimises**

$$\mathcal L_G^\text{minimax} = \operatorname{mean} \log\big(1 - D(G(z))\big).$$

That is the minimax game as it was written down in 2014: one number, that one player raises and the other one lowers.
"""

# %% exercise points=2 minutes=5 difficulty=2
from course.gan import generator_loss_minimax
# TODO: the mean of log(1 − D) over the fakes, stable for logits of ±100.

# %%
check(generator_loss_minimax)

# %% [markdown]
r"""
The same paper says at once that this does not work well, and offers another loss. G wants its fakes to be **called real**, so let it
pay what D would pay if they were:

$$\mathcal L_G^\text{non-saturating} = -\operatorname{mean} \log D(G(z)).$$
"""

# %% exercise points=2 minutes=5 difficulty=2
from course.gan import generator_loss_nonsaturating
# TODO: the mean of −log D over the fakes, stable for logits of ±100.

# %%
check(generator_loss_nonsaturating)

# %%
# NBVAL_CHECK_OUTPUT
for logit in (-100.0, -5.0, 0.0, 5.0):
    told = []
    for loss in (generator_loss_minimax, generator_loss_nonsaturating):
        logits = torch.full((3, 1), logit, requires_grad=True)
        (slope,) = torch.autograd.grad(loss(logits), logits)
        # rounded first, and + 0: so that no −0.000 is printed
        cost, push = (round(value.item(), 3) + 0.0 for value in (loss(logits), slope.sum()))
        told.append(f"{cost:9.3f}, slope {push:6.3f}")
    print(f"logit {logit:6}:   minimax {told[0]}     non-saturating {told[1]}")

# %% [markdown]
r"""
Both fall as the logit rises: both push G the same way. But look at the slopes in the first two lines. There D is sure of a fake (logit −100, −5).
The minimax loss is **flat** there, slope 0.000 and −0.007, and the other one is steep, −1.000 and −0.993. Here they are as pictures.
"""

# %%
logits = torch.linspace(-8, 8, 161, requires_grad=True)
both = {"minimax": generator_loss_minimax, "non-saturating": generator_loss_nonsaturating}
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for i, (name, loss) in enumerate(both.items()):
    values = torch.stack([loss(logit[None]) for logit in logits])
    (slopes,) = torch.autograd.grad(values.sum(), logits)
    style = {"color": plots.COLOURS[i], "marker": plots.MARKERS[i], "markevery": 20, "label": name}
    left.plot(logits.detach(), values.detach(), **style)
    right.plot(logits.detach(), slopes.abs(), **style)
left.set(title="what G pays", xlabel="D's logit for a fake", ylabel="nats")
right.set(title="how hard it is pushed", xlabel="D's logit for a fake", ylabel="size of the slope")
for ax in (left, right):
    ax.axvspan(-8, -4, color="black", alpha=0.07)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
fig.suptitle("In the grey part D is sure that it sees a fake: that is where training begins")
plots.show(
    fig,
    alt="Left: both losses fall with the logit. Right: for very negative logits the minimax slope is 0 and the other one is 1.",
)

# %% [markdown]
r"""
### When D wins

Training begins with poor fakes, and D soon sees through them all. So the grey part is where G *starts*. We hold G at −2, let D learn, and measure the
length of the gradient that reaches G's two numbers, under both losses.
"""


# %%
def gradient_norm(loss: Tensor, G: nn.Module) -> float:
    """Compute the length of the loss's gradient for G's weights."""
    return (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(G.parameters()))])
        .norm()
        .item()
    )


seed_everything(SEED)
G, D = line_generator(), network(1, 1)
optimizer = torch.optim.Adam(D.parameters(), lr=1e-2)
norms = {name: [] for name in both}
for _ in range(steps(200)):
    z = noise(512)
    for name, loss in both.items():
        norms[name].append(gradient_norm(loss(D(G(z))), G))
    discriminator_step(G, D, real_points(128), noise(128), optimizer)
moves = list(range(len(norms["minimax"])))
plots.show(
    plots.curves(
        {name: (moves, values) for name, values in norms.items()},
        "The gradient that reaches G while D learns",
        "steps of D",
        "length of the gradient",
        log="y",
    ),
    alt="On a logarithmic axis: the minimax gradient falls by orders of magnitude, the non-saturating one stays up.",
)
late = {name: sum(values[-100:]) / len(values[-100:]) for name, values in norms.items()}
print("mean of the last 100:", "   ".join(f"{name} {value:.2g}" for name, value in late.items()))

# %% [markdown]
r"""
The better D becomes, the less the minimax G is told: after 200 steps less than a hundredth of what the other one gets. The teacher is excellent, and
the student hears nothing. That is **saturation**.

## 5. G takes a step, and the game begins

One step of G: fakes, through D, the non-saturating loss, back *through D* into G. D's weights are on the way, but they must not move: the
optimizer is G's.
"""

# %% exercise points=4 minutes=10 difficulty=3
from course.gan import generator_step
# TODO: one update of G, through D, with the loss that does not saturate. Return it as a float; leave D as it was.

# %%
check(generator_step)

# %%
# NBVAL_CHECK_OUTPUT
tiny_g, tiny_d = tiny(2.0, -1.0), tiny(0.5, 0.0)
sgd = torch.optim.SGD(tiny_g.parameters(), lr=0.5)
for _ in range(3):
    paid = generator_step(tiny_g, tiny_d, torch.tensor([[0.0], [1.0], [-1.0]]), sgd)
    print(
        f"G paid {paid:.3f}; its stretch is now {tiny_g.weight.item():.3f}, its shift {tiny_g.bias.item():.3f}"
    )
print(f"D's weight: {tiny_d.weight.item():.3f}")

# %% [markdown]
r"""
The shift climbs, since this D finds points more real the larger they are, and D's weight stays at 0.500.

Now let them play: one step of D, one step of G, and again, a thousand times.
"""


# %%
def play(
    G: nn.Module, D: nn.Module, n: int, look_at: list[int]
) -> tuple[dict[int, dict], list[float]]:
    """Play n rounds on the line; return what D and G had become at the moves to look at, and what D paid."""
    of_d = torch.optim.Adam(D.parameters(), lr=1e-2, betas=(0.5, 0.99))
    of_g = torch.optim.Adam(G.parameters(), lr=1e-2, betas=(0.5, 0.99))
    seen, paid = {}, []
    for move in range(n + 1):
        if move in look_at:
            with torch.no_grad():
                says = D(line).sigmoid()[:, 0].cpu()
            seen[move] = {"D": says, "a": G.weight.item(), "b": G.bias.item()}
        paid.append(discriminator_step(G, D, real_points(256), noise(256), of_d))
        generator_step(G, D, noise(256), of_g)
    return seen, paid


def draw_moment(ax: plt.Axes, move: int, seen: dict) -> None:
    """Draw reals, fakes and D's curve at one moment."""
    torch.manual_seed(0)  # the same points in every picture, so that only the players move
    dots(ax, real_points(60), seen["a"] * noise(60) + seen["b"])
    ax.plot(line[:, 0].cpu(), seen["D"], color=GREEN, linewidth=2, label="D")
    ax.axhline(0.5, color="black", linestyle=":", linewidth=1)
    ax.set(title=f"round {move}")


seed_everything(SEED)
G, D = line_generator(), network(1, 1)
rounds = steps(1000)
shares = (0, 0.02, 0.05, 0.1, 0.16, 0.2, 0.25, 0.31, 0.37, 0.45, 0.6, 1)
frames = sorted({round(rounds * share) for share in shares})
moments, paid = play(G, D, rounds, frames)
fig, axes = plt.subplots(2, 3, figsize=(10, 4.6), layout="constrained", sharex=True, sharey=True)
for ax, share in zip(axes.flat, (0, 0.05, 0.16, 0.25, 0.37, 1), strict=True):
    draw_moment(ax, round(rounds * share), moments[round(rounds * share)])
fig.legend(
    *axes[0, 0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3
)
fig.suptitle("The game on a line")
plots.show(
    fig,
    alt="Six frames: D rises from the fakes to the reals; the fakes spread, travel up D's slope, and cover the reals; there D says one half.",
)

# %% [markdown]
r"""
You should see it all here. D finds the reals. The fakes walk **uphill on D's curve**: they first spread out, since the ones that reach further are
better rated, then they arrive, and at the end they cover the reals, and D says ½ wherever
points fall.

Play it as a film, if your notebook lets you (the pictures above show the same).
"""

# %%
fig, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")


def draw_frame(move: int) -> None:
    """Draw one frame of the film."""
    ax.clear()
    draw_moment(ax, move, moments[move])


film = FuncAnimation(fig, draw_frame, frames=frames, interval=250)
with plt.rc_context({"savefig.dpi": 58, "animation.embed_limit": 2}):
    html = film.to_jshtml(default_mode="once")
plt.close(fig)
html = re.sub(r"<link[^>]*>", "", html)  # the buttons' icons would be fetched from the net: signs do as well
signs = {
    "minus": "−",
    "fast-backward": "«",
    "step-backward": "‹",
    "play fa-flip-horizontal": "◀",
    "pause": "‖",
    "play": "▶",
    "step-forward": "›",
    "fast-forward": "»",
    "plus": "+",
}
for icon, sign in signs.items():
    html = html.replace(f'<i class="fa fa-{icon}"></i>', sign)
alt = "A film: reals and fakes on a line and the curve of D, until the fakes cover the reals and D says one half there."
display(HTML(html.replace("<img ", f'<img alt="{alt}" ', 1)))

# %%
says = moments[rounds]["D"]
where = true_densities(G)[0][:, 0].cpu() > 0.05
at_the_end, shift_at_the_end = says[where].mean().item(), G.bias.item()
last = sum(paid[-100:]) / len(paid[-100:])
print(f"G(z) = {G.weight.item():.2f} z + {G.bias.item():.2f}; the reals are 0.5 z + 2")
print(
    f"D where the reals are: {at_the_end:.2f};   what D paid, mean of the last 100 rounds: {last:.3f};   log 4 = {math.log(4):.3f}"
)

# %% [markdown]
r"""
So the game ended where the theory says: $p_\text{model} = p_\text{data}$, $D = \tfrac12$, and D pays $\log 4$. (The sign of the stretch does not matter, for
noise is symmetric.)

### Does saturation matter?

Let both losses play from the same start, with plain gradient descent and with Adam. How many rounds until G's points have come half of the way?
"""


# %%
def rounds_to_half_way(loss, of_g: torch.optim.Optimizer, G: nn.Linear) -> int:
    """Let D learn for 100 steps, then play until G's shift is within 2 of the reals' mean; count the rounds."""
    D = network(1, 1)
    of_d = torch.optim.Adam(D.parameters(), lr=1e-2, betas=(0.5, 0.99))
    for _ in range(100):
        discriminator_step(G, D, real_points(256), noise(256), of_d)
    played = 0
    while abs(G.bias.item() - 2) >= 2 and played < steps(800):
        discriminator_step(G, D, real_points(256), noise(256), of_d)
        of_g.zero_grad()
        loss(D(G(noise(256)))).backward()
        of_g.step()
        played += 1
    return played


needed = {}
for optimizer_name in ("gradient descent", "Adam"):
    for name, loss in both.items():
        seed_everything(SEED)
        G = line_generator()
        if optimizer_name == "Adam":
            of_g = torch.optim.Adam(G.parameters(), lr=1e-2, betas=(0.5, 0.99))
        else:
            of_g = torch.optim.SGD(G.parameters(), lr=0.1)
        needed[optimizer_name, name] = rounds_to_half_way(loss, of_g, G)
        print(f"{optimizer_name:>16}, {name:<15} {needed[optimizer_name, name]:4} rounds")

# %% [markdown]
r"""
Compare the losses under one optimizer, not the optimizers: their rates have nothing to do with each other. With gradient descent the minimax G needs about ten times as long or more. With Adam the difference is gone; the minimax G is even a little faster.

### Question: why is it gone?

- **a**: Adam computes the gradient more precisely.
- **b**: Adam divides each gradient by its own recent size. A tiny gradient that always points the same way moves G as far as a large one.
- **c**: Adam makes D weaker, so that D never becomes sure.
"""

# %% question points=1 minutes=2
answer_adam = ""  # "a", "b" or "c"

# %%
check(answer_adam, exercise="answer_adam")

# %% [markdown]
r"""
So do not believe that the minimax loss never works. It fails where gradients drown in noise or in rounding, and where the optimizer takes them at
their size. The non-saturating loss costs nothing, and everybody uses it.

## 6. Round in circles, and a brake

The game on the line came to rest. It need not. Here is the smallest game there is. All reals sit at 0. All fakes sit at one point $\theta$: that
is G's only number. D has one number too, its slope: its logit at $x$ is $w x$.

D tilts so that the fakes lie downhill. G walks uphill, past 0, because D *keeps* tilting. D must tilt the other way. And so on.
"""


# %%
class OnePoint(nn.Module):
    """A generator whose fakes all lie at one point."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta.expand(len(z), 1)


def small_game(brake, n: int = 400) -> tuple[list[float], list[float]]:
    """Play n rounds with one number each; brake(D, x) is added to what D pays. Return the paths of both numbers."""
    G, D = OnePoint(1.0), nn.Linear(1, 1, bias=False)
    nn.init.zeros_(D.weight)
    of_g, of_d = (torch.optim.SGD(net.parameters(), lr=0.2) for net in (G, D))
    path, x, z = [], torch.zeros(8, 1), torch.zeros(8, 1)
    for _ in range(n):
        path.append((G.theta.item(), D.weight.item()))
        discriminator_step(G, D, x, z, of_d)
        of_d.zero_grad()
        brake(D, x).backward()
        of_d.step()
        generator_step(G, D, z, of_g)
    return tuple(map(list, zip(*path, strict=True)))


circle = small_game(lambda D, x: 0 * D.weight.sum())
fig, ax = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
ax.plot(*circle, color=RED, linewidth=1)
ax.plot(1.0, 0.0, "o", color="black", label="start")
ax.plot(0.0, 0.0, "*", color=GREEN, markersize=13, label="where the game should end")
ax.set(
    title="400 rounds of the smallest game",
    xlabel="G: where the fakes are, θ",
    ylabel="D: its slope, w",
    aspect="equal",
)
ax.grid(alpha=0.3)
fig.legend(frameon=False, loc="outside lower center", ncols=2, fontsize=8)
plots.show(
    fig,
    alt="The path of the two numbers: it circles more than six times round the point where the game should end, and has not reached it.",
)

# %% [markdown]
r"""
Both players learn, each step is right, and they run round the goal: more than six times in 400 rounds, closer and closer, but ever more slowly. During training that looks like
samples that keep changing and hardly improve, and losses that swing.

The cause: D goes on *tilting at the reals*, though there is nothing left to tell apart. So charge D for being steep **where the reals are**. That is
the **R1 penalty**: the squared length of the gradient of D's logit with respect to its input, at real points,

$$R_1 = \operatorname*{mean}_{\text{reals } x} \big\lVert \nabla_x\, \text{logit}(x) \big\rVert^2, \qquad \mathcal L_D + \tfrac{\gamma}{2} R_1 .$$

To lower it, one must differentiate a gradient. PyTorch can: `torch.autograd.grad(..., create_graph=True)` gives a gradient that itself has a
graph.
"""

# %% exercise points=4 minutes=15 difficulty=4
from course.gan import r1_penalty
# TODO: the squared length of the gradient of D's logit at each real, then the mean. It must be differentiable again.

# %%
check(r1_penalty)

# %%
# NBVAL_CHECK_OUTPUT
plane = nn.Linear(2, 1)
plane.weight.data = torch.tensor([[3.0, -4.0]])
penalty = r1_penalty(plane, torch.randn(6, 2))
(again,) = torch.autograd.grad(penalty, plane.weight)
print(
    f"steepness of 3 x − 4 y, squared: {penalty.item():.1f};  its gradient for the two weights: {again.tolist()}"
)

# %% [markdown]
r"""
A plane is as steep everywhere: $3^2 + 4^2 = 25.0$, with gradient $(6, -8)$. Now the small game again, with the brake on.
"""

# %%
braked = small_game(lambda D, x: 0.5 * 0.5 * r1_penalty(D, x))
fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.5), layout="constrained")
for i, (name, (theta, w)) in enumerate({"plain": circle, "with R1, γ = 0.5": braked}.items()):
    left.plot(
        theta,
        w,
        color=plots.COLOURS[3 - 3 * i],
        linestyle=("-", "--")[i],
        linewidth=1.2,
        label=name,
    )
    right.plot(
        [math.hypot(*pair) for pair in zip(theta, w, strict=True)],
        color=plots.COLOURS[3 - 3 * i],
        linestyle=("-", "--")[i],
        label=name,
    )
left.plot(0.0, 0.0, "*", color=GREEN, markersize=13)
left.set(title="the path", xlabel="θ", ylabel="w", aspect="equal")
right.set(title="how far from the goal", xlabel="round", ylabel="distance")
for ax in (left, right):
    ax.grid(alpha=0.3)
right.legend(frameon=False)
fig.suptitle("The smallest game, without a brake and with one")
plots.show(
    fig,
    alt="Without the brake the path circles, and is still far off after 400 rounds; with R1 it goes to the goal at once.",
)
goal = math.hypot(braked[0][-1], braked[1][-1])
print(
    f"distance from the goal after 400 rounds: plain {math.hypot(circle[0][-1], circle[1][-1]):.2f}, with R1 {goal:.4f}"
)

# %% [markdown]
r"""
## 7. Eight modes on a ring

Now to the plane. The reals lie in eight tight heaps, the **modes**, on a ring. G takes two random numbers and gives a point. A good G fills all eight heaps.

The R1 penalty gets a small step of its own before each step of D.
"""

# %%
angles = torch.arange(8, device=device) * math.pi / 4
CENTRES = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)


def ring(labels: Tensor) -> Tensor:
    """Draw one real point (2,) in the mode that each label names."""
    return CENTRES[labels] + 0.02 * torch.randn(len(labels), 2, device=device)


def some_labels(n: int) -> Tensor:
    """Draw n labels, 0 to 7."""
    return torch.randint(8, (n,), device=device)


def modes_found(points: Tensor) -> tuple[int, float]:
    """Count the modes that get at least 1 % of the points, and the share of points that lie within 0.15 of a mode."""
    distances, nearest = torch.cdist(points, CENTRES).min(dim=1)
    near = nearest[distances < 0.15].bincount(minlength=8)
    return int((near >= 0.01 * len(points)).sum()), near.sum().item() / len(points)


def train_ring(seed: int, gamma: float, beta1: float, n: int) -> tuple[nn.Module, list[Tensor]]:
    """Train a GAN on the ring for n rounds; return G, and 1,000 of its points at each quarter of the way."""
    seed_everything(seed)
    G, D = network(2, 2, 64, nn.ReLU), network(2, 1, 64, nn.ReLU)
    of_g, of_d = (
        torch.optim.Adam(net.parameters(), lr=5e-4, betas=(beta1, 0.999)) for net in (G, D)
    )
    look = torch.randn(1000, 2, device=device)
    album = []
    for played in range(1, n + 1):
        x = ring(some_labels(128))
        if gamma:
            of_d.zero_grad()
            (gamma / 2 * r1_penalty(D, x)).backward()
            of_d.step()
        discriminator_step(G, D, x, noise(128, 2), of_d)
        generator_step(G, D, noise(128, 2), of_g)
        if played % (n // 4) == 0:
            with torch.no_grad():
                album.append(G(look))
    return G, album


_, plain_album = train_ring(SEED, gamma=0, beta1=0.9, n=steps(3000))
ring_g, r1_album = train_ring(SEED, gamma=0.1, beta1=0.9, n=steps(3000))


def draw_points(ax: plt.Axes, points: Tensor, colour: str = ORANGE) -> None:
    """Draw fakes, and the reals' modes as circles."""
    ax.plot(
        *CENTRES.cpu().T,
        "o",
        color=BLUE,
        markersize=11,
        fillstyle="none",
        linewidth=0,
        label="the reals' modes",
    )
    ax.plot(
        *points.detach().cpu().T,
        ".",
        color=colour,
        markersize=2.5,
        linewidth=0,
        label="fakes",
        rasterized=True,
    )
    ax.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[])


fig, axes = plt.subplots(2, 4, figsize=(10, 5.3), layout="constrained")
for row, (name, album) in zip(
    axes, {"plain": plain_album, "R1, γ = 0.1": r1_album}.items(), strict=True
):
    row[0].set_ylabel(name)
    reach = max(3.0, *(1.05 * points.abs().quantile(0.998).item() for points in album))
    for i, (ax, points) in enumerate(zip(row, album, strict=True)):
        draw_points(ax, points)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
        found, near = modes_found(points)
        many = f"{found} mode{'s' * (found != 1)}, {near:.0%} near"
        ax.set_title(f"round {(i + 1) * (steps(3000) // 4)}: {many}", fontsize=9)
fig.legend(
    *axes[0, 0].get_legend_handles_labels(),
    frameon=False,
    loc="outside lower center",
    ncols=2,
    markerscale=1.5,
)
fig.suptitle("The same game twice: without a brake, and with one")
plots.show(
    fig,
    alt="Upper row: the plain GAN's fakes crowd together in one region, which moves. Lower row: with R1 they spread over the eight modes.",
)

# %% [markdown]
r"""
Upper row, drawn from further off: **mode collapse**. G's points crowd together in one region, whatever the noise. D learns to reject that region, the crowd moves on, and D must learn again. It is
the circling game once more. G is never told to be *diverse*: it is paid for each fake by itself.

Lower row: D is held flat where the reals are, its slopes reach far, and G spreads out over all eight modes. About half of its points lie near one; the others are on the
way from one to the next.

### One run proves nothing

Five seeds each, measured once and stored with the course (`python benchmarks/lab4_gans.py` measures them again).
"""

# %%
measured = json.loads(files("course.labs.lab4_gans").joinpath("benchmark.json").read_text())["ring"]


def table(beta1: float) -> dict[str, list[dict]]:
    """Print what each seed found with this momentum; return the rows, plain and with R1."""
    print(f"momentum β₁ = {beta1:g}      modes found, of 8     share of fakes near a mode")
    rows = {}
    for name, gamma in (("plain", 0.0), ("R1, γ = 0.1", 0.1)):
        rows[name] = [row for row in measured if (row["gamma"], row["beta1"]) == (gamma, beta1)]
        found = "  ".join(str(row["modes"]) for row in rows[name])
        print(
            f"  {name:<20}  {found:<20}  " + "  ".join(f"{row['near']:.2f}" for row in rows[name])
        )
    return rows


with_momentum = table(beta1=0.9)

# %% [markdown]
r"""
### Question: it depends

All these runs used Adam with its default momentum, $\beta_1 = 0.9$. Before you run the next cell: what will the plain GAN do with $\beta_1 = 0.5$, everything else
as it was?

- **a**: the same as before: without a penalty nothing asks G for diversity, so all five seeds collapse.
- **b**: all five seeds find all eight modes: the momentum alone was to blame.
- **c**: it becomes a lottery: some seeds find nearly all modes, others hardly any.
"""

# %% question points=1 minutes=2
answer_collapse = ""  # "a", "b" or "c"

# %%
check(answer_collapse, exercise="answer_collapse")

# %%
without_momentum = table(beta1=0.5)

# %% [markdown]
r"""
Less momentum saves some of the plain runs, and all of those with R1, which also come nearer to the modes. Momentum remembers where the *other player* stood some rounds ago,
and chases a shadow. That is why GAN recipes use a $\beta_1$ of 0.5 or 0, and a penalty besides.

## 8. A transformer of distributions

Look at what G has become: a function that takes the plane of noise, where every place near the middle is used, and lays it over the data. Below each point
of noise, and the fake that G makes of it, have one colour.
"""

# %%
seed_everything(SEED)
z = noise(2500, 2)
with torch.no_grad():
    made = ring_g(z).cpu()
turn = torch.atan2(made[:, 1], made[:, 0])
fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4), layout="constrained")
for ax, points, title in ((left, z.cpu(), "noise z"), (right, made, "G(z)")):
    dotted = ax.scatter(*points.T, c=turn, cmap="twilight", s=5, linewidths=0, rasterized=True)
    ax.set(title=title, xlim=(-3, 3), ylim=(-3, 3), aspect="equal", facecolor="lightgrey")
fig.colorbar(dotted, ax=[left, right], label="where on the ring G(z) lies (angle)", shrink=0.8)
fig.suptitle("One colour, one direction on the ring")
plots.show(
    fig,
    alt="Left: the noise plane cut into coloured sectors. Right: the same colours, in the same order, along an eight-cornered ring.",
)

# %% [markdown]
r"""
G has cut the plane into sectors, like a cake, and laid each along a stretch of the ring: an octagon with a mode at each corner. Two things follow.

- **Draws meet no holes.** Any noise that you will draw is like the noise that G was trained on. The autoencoder of lab 1 (section 8) had
  holes in the midst of its map, of which its decoder knew nothing. (Where hardly a draw falls, G is as untaught as anyone: more of that below.)
- **It is continuous.** G is a continuous function, so a walk through noise is a walk through data. From one mode to the next it must cross
  the gap: about half of the points lie on the sides of the octagon. Real data have gaps as well, and G fills them with things that do not exist.

### A walk

Take two noise vectors and walk from one to the other: straight, or along an arc round the origin.
"""

# %%
angle = torch.linspace(0.3, 2.2, 25)
arc = torch.stack([angle.cos(), angle.sin()])
fig, ax = plt.subplots(figsize=(4, 2.2), layout="constrained")
for end, name in ((0, "$z_0$"), (-1, "$z_1$")):
    ax.plot([0, arc[0, end]], [0, arc[1, end]], color="black", linewidth=1)
    ax.annotate(name, 1.13 * arc[:, end], ha="center", va="center")
ax.plot(*arc[:, [0, -1]], color=RED, marker="o", label="straight")
ax.plot(*arc, color=GREEN, marker="^", markevery=4, label="arc")
ax.plot(*(0.3 * arc), color="black", linestyle=":")
ax.annotate(r"$\omega$", 0.45 * arc[:, 12], ha="center", va="center")
ax.set(title="Two ways from one noise vector to another", xlim=(-1, 2.4), ylim=(-0.1, 1.25), aspect="equal")
ax.axis("off")
ax.legend(frameon=False, loc="upper right")
plots.show(fig, alt="Two arrows from the origin with the angle ω between them; their tips joined by a line, and by an arc.")

# %% [markdown]
r"""
With $\omega$ the angle between the two,

$$z_t = (1 - t)\, z_0 + t\, z_1 \qquad\text{or}\qquad z_t = \frac{\sin((1 - t)\,\omega)}{\sin \omega}\, z_0 + \frac{\sin(t\,\omega)}{\sin \omega}\, z_1 .$$

The ends need not have the same length. Normalise them to find the angle; the weights then go on the ends as they are. And where the two point the same way,
$\sin\omega = 0$: walk straight.
"""

# %% exercise points=3 minutes=15 difficulty=3
from course.gan import interpolate
# TODO: `steps` rows from z0 to z1, both of them in it; straight, or along the arc if `spherical`.

# %%
check(interpolate)

# %%
# NBVAL_CHECK_OUTPUT
east, north = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])
for spherical in (False, True):
    walk = interpolate(east, north, 3, spherical=spherical)
    print(
        "arc:     " if spherical else "straight:",
        [[round(value, 3) for value in row] for row in walk.tolist()],
    )

# %% [markdown]
r"""
The straight walk passes [0.5, 1.0]; the arc passes [0.707, 1.414], further out.

Here are both walks, in noise and in data, and below them what the difference is for: the **length** of the vectors on the way, the median of 50 walks, for noise
of 2 and of 64 numbers. The grey band holds 98 % of all random draws.
"""

# %%
seed_everything(SEED)
start_at, end_at = torch.tensor([1.6, 0.3], device=device), torch.tensor([-1.0, 1.3], device=device)
fig, (left, middle) = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
draw_points(middle, made, "lightgrey")
for i, spherical in enumerate((False, True)):
    walk = interpolate(start_at, end_at, 25, spherical=spherical)
    with torch.no_grad():
        arrived = ring_g(walk)
    style = {
        "color": (RED, GREEN)[i],
        "marker": ("o", "^")[i],
        "markersize": 4,
        "label": ("straight", "arc")[i],
    }
    left.plot(*walk.cpu().T, **style)
    middle.plot(*arrived.cpu().T, **style)
left.set(
    title="in noise", xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xlabel="$z_1$", ylabel="$z_2$"
)
left.grid(alpha=0.3)
middle.set(title="in data")
left.legend(frameon=False)
fig.suptitle("A walk through noise is a walk through data")
plots.show(
    fig,
    alt="Left: a straight walk and an arc through noise. Right: both become walks from heap to heap on the ring.",
)

fig, axes = plt.subplots(1, 2, figsize=(8, 2.9), layout="constrained")
for ax, size in zip(axes, (2, 64), strict=True):
    usual = torch.randn(20_000, size).norm(dim=1).quantile(torch.tensor([0.01, 0.99]))
    ax.axhspan(*usual.tolist(), color="black", alpha=0.12, label="98 % of random draws")
    z0, z1 = torch.randn(2, 50, size)
    for i, spherical in enumerate((False, True)):
        walks = [interpolate(a, b, 21, spherical) for a, b in zip(z0, z1, strict=True)]
        lengths = torch.stack(walks).norm(dim=2).median(dim=0).values
        style = {
            "color": (RED, GREEN)[i],
            "marker": ("o", "^")[i],
            "markersize": 3,
            "label": ("straight", "arc")[i],
        }
        ax.plot(torch.linspace(0, 1, 21), lengths, **style)
    ax.set(title=f"noise of {size} numbers", xlabel="share of the walk, t", ylim=(0, None))
axes[0].set_ylabel("median length of z")
fig.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
fig.suptitle("How long is the vector on the way?")
plots.show(
    fig,
    alt="With 2 numbers both walks stay in the grey band of usual lengths. With 64 the straight walk leaves the narrow band, the arc stays.",
)

# %% [markdown]
r"""
(Why the median? With 2 numbers two draws may nearly face each other. Then $\sin\omega$ is small, and if the ends differ in length, the arc
swings far out before it comes back. In 64 dimensions all draws are nearly at right angles.)

### Question: why the arc?

Generators with 64 or 512 random numbers are usually shown along arcs. Why?

- **a**: in many dimensions nearly all draws have one length; half of the way the straight walk is far shorter than any, so G was never trained there.
- **b**: the straight walk does not end at $z_1$.
- **c**: the noise was drawn on a sphere, and off the sphere G is not defined.
"""

# %% question points=1 minutes=2
answer_spherical = ""  # "a", "b" or "c"

# %%
check(answer_spherical, exercise="answer_spherical")

# %% [markdown]
r"""
## 9. Choose the class

So far G draws what it likes. A **conditional GAN** is told what to draw. Give the label to *both* players: G joins it to its noise, D to the point that it looks at.
D then asks a harder question: not "is this real?" but "is this a real *of that class*?". G must obey, or be caught.

A label is no quantity: class 4 is not twice class 2. So it goes in as a **one-hot** row, one column for each class.
"""

# %% exercise points=2 minutes=5 difficulty=1
from course.gan import append_labels
# TODO: the noise, then the label as one-hot: n_classes columns, even if a class is missing in this batch.

# %%
check(append_labels)

# %%
# NBVAL_CHECK_OUTPUT
joined = append_labels(torch.tensor([[0.5, -0.5], [1.5, 2.5]]), torch.tensor([2, 0]), 4)
print(joined.tolist())

# %% [markdown]
r"""
You should read the noise first, then a 1 in column 2 of the first row and in column 0 of the second.

Our points have two coordinates, so the same function joins the label to them. Your steps need not change at all: they call `G(z)` and `D(x)`, and we
hand them a $z$ and an $x$ with labels. Only the fakes must carry their label on to D.
"""


# %%
class PassOnTheLabel(nn.Module):
    """A generator that gives its fakes the label that came with the noise."""

    def __init__(self, body: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.body, self.n_classes = body, n_classes

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([self.body(z), z[:, -self.n_classes :]], dim=1)


def train_conditional_ring(seed: int, n: int) -> nn.Module:
    """Train a conditional GAN on the ring, with R1, for n rounds; return the network that makes points."""
    seed_everything(seed)
    G, D = PassOnTheLabel(network(2 + 8, 2, 64, nn.ReLU), 8), network(2 + 8, 1, 64, nn.ReLU)
    of_g, of_d = (torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.999)) for net in (G, D))
    for _ in range(n):
        labels, asked = some_labels(128), some_labels(128)
        x = append_labels(ring(labels), labels, 8)
        of_d.zero_grad()
        (0.1 / 2 * r1_penalty(D, x)).backward()
        of_d.step()
        discriminator_step(G, D, x, append_labels(noise(128, 2), asked, 8), of_d)
        generator_step(G, D, append_labels(noise(128, 2), some_labels(128), 8), of_g)
    return G.body


conditional_g = train_conditional_ring(SEED, steps(2000))
asked = some_labels(2000)
with torch.no_grad():
    obeyed = conditional_g(append_labels(noise(2000, 2), asked, 8))
accuracy = (torch.cdist(obeyed, CENTRES).argmin(dim=1) == asked).float().mean().item()
mode_of = CENTRES[torch.cdist(obeyed, CENTRES).argmin(dim=1)]
magnified = mode_of + 8 * (obeyed - mode_of)  # as they are, they would lie on top of each other
fig, ax = plt.subplots(figsize=(4.6, 4.4), layout="constrained")
for label, colour in enumerate((*plots.COLOURS, "#7F7F7F")):
    points = magnified[asked == label][:12].cpu()
    ax.plot(*points.T, color=colour, marker=f"${label}$", markersize=9, linewidth=0)
    ax.annotate(
        str(label),
        1.55 * CENTRES[label].cpu(),
        ha="center",
        va="center",
        fontsize=13,
        fontweight="bold",
    )
ax.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4), aspect="equal", xticks=[], yticks=[])
ax.set_title(
    f"Each fake is drawn as the label it was asked for\n{accuracy:.1%} lie nearest to that mode (heaps magnified 8 times)",
    fontsize=11,
)
plots.show(
    fig,
    alt="Eight heaps on a ring, each made of one digit: the fakes lie at the mode that they were asked for.",
)

# %% [markdown]
r"""
Each heap is made of its own digit. Nobody told G where mode 5 is; D noticed whenever point and label did not belong together.

Images take labels differently. A convolution looks at small neighbourhoods, so every pixel must know the class: one **map** for each class, all 1 or all 0, as
further channels.
"""

# %% exercise points=2 minutes=10 difficulty=2
from course.gan import append_label_maps
# TODO: the image's channels, then n_classes maps: 1 everywhere for the image's class, 0 everywhere for the others.

# %%
check(append_label_maps)

# %%
# NBVAL_CHECK_OUTPUT
with_maps = append_label_maps(torch.full((2, 1, 4, 4), 0.5), torch.tensor([1, 2]), 3)
print("shape:", tuple(with_maps.shape))
print("mean of each channel:", with_maps.mean(dim=(2, 3)).tolist())

# %% [markdown]
r"""
Two images of one channel became four-channel images; the second channel is the map of class 0, and so on: `[0.5, 0, 1, 0]` and `[0.5, 0, 0, 1]`.

## 10. How good is a GAN?

A VAE has a loss that says how it is doing. A GAN's losses say only who is winning. So one compares **samples**: are fakes and reals two draws from one
distribution?

Describe each set of samples by its mean $\mu$ and covariance $\Sigma$, as if it were normal. How far apart are two normal distributions? Look
at two clouds, each drawn as the ellipse at two standard deviations.
"""

# %%
turn = torch.linspace(0, 2 * math.pi, 80)
fig, axes = plt.subplots(1, 3, figsize=(8.4, 2.3), layout="constrained", sharey=True)
for ax, (name, shift, width) in zip(
    axes, (("moved by 2", 2, 1), ("twice as wide", 0, 2), ("both", 2, 2)), strict=True
):
    one, other = {"color": BLUE, "label": "one"}, {"color": ORANGE, "hatch": "//", "label": "the other"}
    for at, wide, style in ((0, 1, one), (shift, width, other)):
        ax.fill(at + 2 * wide * turn.cos(), 2 * turn.sin(), alpha=0.35, **style)
        ax.plot(at, 0, marker="+", color="black", markersize=9)
    ax.set(title=f"{name}: d² = {shift**2} + {(width - 1) ** 2}", xlim=(-5, 7), xticks=range(-4, 7, 2), xlabel="$x_1$", aspect="equal")
axes[0].set_ylabel("$x_2$")
fig.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=2)
plots.show(fig, alt="Two ellipses: one moved by 2, d² = 4 + 0; one twice as wide, d² = 0 + 1; one both, d² = 4 + 1.")

# %% [markdown]
r"""
The squared distance is that of the centres, plus, in each direction, the square of how much the standard deviations differ. When the ellipses
lie askew there is no such direction for both; the **Fréchet distance** says the same in matrices:

$$d^2 = \lVert \mu_1 - \mu_2 \rVert^2 + \operatorname{Tr}\big(\Sigma_1 + \Sigma_2 - 2\,(\Sigma_1 \Sigma_2)^{1/2}\big).$$

The last root is of a *matrix*. You need only its trace: the sum of the square roots of the eigenvalues of $\Sigma_1 \Sigma_2$. That product is not
symmetric, so `eigvalsh` misreads it. But its eigenvalues are those of the symmetric matrix $\Sigma_1^{1/2}\, \Sigma_2\, \Sigma_1^{1/2}$: real and
not negative, though rounding may push them just below 0.

Computed on features from a network that was trained on ImageNet, $d^2$ is the **FID** that GAN papers report.
"""

# %% exercise points=4 minutes=20 difficulty=4
from course.metrics import frechet_distance
# TODO: the squared distance as a float. In double precision, and right for covariances that are flat in some direction.

# %%
check(frechet_distance)

# %%
# NBVAL_CHECK_OUTPUT
middle, round_cloud = torch.zeros(2), torch.eye(2)
print(f"a cloud and itself: {abs(frechet_distance(middle, round_cloud, middle, round_cloud)):.3f}")
print(
    f"moved by (3, 4): {frechet_distance(middle, round_cloud, torch.tensor([3.0, 4.0]), round_cloud):.3f}"
)
print(f"three times as wide: {frechet_distance(middle, round_cloud, middle, 9 * round_cloud):.3f}")
print(
    f"squeezed to one point: {frechet_distance(middle, round_cloud, middle, 0 * round_cloud):.3f}"
)

# %% [markdown]
r"""
You should read 0, 25 ($3^2 + 4^2$), 8 (the spread grows by 2 in each of two directions) and 2.

Now the ring. A distance by itself says nothing: always put beside it the **floor**, two draws of *reals*, and an **untrained** G.
"""


# %%
def distance_between(one: Tensor, other: Tensor) -> float:
    """Compute the Fréchet distance between two sets of points (N, 2)."""
    return frechet_distance(one.mean(0), one.T.cov(), other.mean(0), other.T.cov())


seed_everything(SEED)
reals = ring(some_labels(2000))
with torch.no_grad():
    candidates = {
        "reals again (the floor)": ring(some_labels(2000)),
        "untrained G": network(2, 2, 64, nn.ReLU)(noise(2000, 2)),
        "plain GAN": plain_album[-1],
        "GAN with R1": r1_album[-1],
    }
distances = {name: distance_between(reals, points) for name, points in candidates.items()}
for name, distance in distances.items():
    print(f"{name:<25} {distance:8.4f}")

# %% [markdown]
r"""
The collapsed GAN is further off than one that was never trained: two thousand times the floor. The one with R1 is at nine times the floor. Your eyes said the same. But is it *enough*? Here is a test that a measure of samples should pass. We draw points that are not on the ring at all: one round cloud, with
the ring's own mean and covariance.
"""

# %%
seed_everything(SEED)
cloud = reals.mean(0) + noise(2000, 2) @ torch.linalg.cholesky(reals.T.cov()).T
fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.4), layout="constrained")
for ax, (name, points) in zip(
    axes, {"GAN with R1": r1_album[-1], "one round cloud": cloud}.items(), strict=True
):
    draw_points(ax, points)
    ax.set_title(f"{name}: d² = {distance_between(reals, points):.4f}", fontsize=10)
fig.suptitle("Which of the two is nearer to the reals?")
plots.show(
    fig,
    alt="Left: the GAN's points on the ring. Right: a shapeless round cloud, whose distance is as small as the floor.",
)
cloud_distance = distance_between(reals, cloud)
print(f"floor {distances['reals again (the floor)']:.4f}, round cloud {cloud_distance:.4f}")

# %% [markdown]
r"""
### Question: what went wrong?

The cloud is nothing like eight heaps, and its distance is about that of the reals themselves.

- **a**: `frechet_distance` has a bug.
- **b**: the distance sees a mean and a covariance, and in the points' own coordinates these do not tell a ring from a cloud.
- **c**: 2,000 points are too few.
"""

# %% question points=1 minutes=2
answer_frechet = ""  # "a", "b" or "c"

# %%
check(answer_frechet, exercise="answer_frechet")

# %% [markdown]
r"""
So with images the distance is computed on **features**: numbers that a trained classifier computes on the way to its answer, in which such differences do show. Then it depends on that
classifier. A Fréchet distance without its features, its floor and its pictures is no result.

## 11. Faces

Now images, with everything that you have written. The computer draws faces with one of six hair colours and one of four mouths: 24 kinds, each as often as the others. Skin tone and the length of the hair vary a little. All look at us, and
sit in the middle of the frame, but for a pixel. Here are the 24, one of each. That makes it easy for G: shapes that lie anywhere take a network this small far longer to learn.

Images for a GAN lie in [−1, 1]. (With `DATASET = "fashion_mnist"` the cells below run on clothes; their texts and numbers speak of faces.)
"""


# %%
def images_and_labels(n: int, split: str) -> tuple[Tensor, Tensor]:
    """Draw n images (n, C, 32, 32) in [−1, 1], and their labels (n, K), a column for each kind of label."""
    if DATASET == "fashion_mnist":
        images, kinds = real.load(DATASET, split, size=32, root=DATA_ROOT)
        return 2 * images[:n] - 1, kinds[:n, None]
    images, labels = aligned_faces(n, torch.Generator().manual_seed(1 if split == "train" else 2))
    return 2 * images - 1, labels


LABELS = {"hair": len(HAIRS), "mouth": len(MOUTHS)} if DATASET == "faces" else {"kind": 10}  # how many of each
KINDS = math.prod(LABELS.values())
train_images, train_labels = images_and_labels(6000, "train")
test_images, test_labels = images_and_labels(2000, "test")
SHAPE = tuple(train_images.shape[1:])


def seen(images: Tensor) -> Tensor:
    """Bring images from [−1, 1] to [0, 1], to be drawn."""
    return ((images + 1) / 2).clamp(0, 1).cpu()


def kind_of(labels: Tensor) -> Tensor:
    """Number the kinds, 0 to KINDS − 1, by their labels (n, K)."""
    kind = torch.zeros_like(labels[:, 0])
    for column, size in enumerate(LABELS.values()):
        kind = kind * size + labels[:, column]
    return kind


plots.show(
    plots.image_rows(
        {"reals": seen(train_images[:12]), "": seen(train_images[12:24])}, "What D is shown"
    ),
    alt="Two rows of training images.",
)

# %% [markdown]
r"""
### A ruler first

A small classifier has learned to name the kind of an image. It comes with the course (`course train face_classifier` makes it again). Its last hidden layer, 32 numbers, are our
features: the Fréchet distance will be measured in them.
"""


# %%
def labelled_batches(size: int):
    """Make a source of random training images with their labels, for fit."""

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(train_images), (size,), generator=generator)
        return train_images[chosen], train_labels[chosen]

    return draw


def short(distance: float) -> str:
    """Write a distance with three digits, or with all that stand before the point."""
    return f"{distance:.0f}" if distance >= 100 else f"{distance:.3g}"


def image_distance(images: Tensor) -> float:
    """Compute the Fréchet distance between images and the test images, in the classifier's features."""
    with torch.no_grad():
        one, other = (ruler[:2](part.to(device)).cpu() for part in (test_images, images))
    return frechet_distance(one.mean(0), one.T.cov(), other.mean(0), other.T.cov())


def kinds_seen(images: Tensor) -> Tensor:
    """Name the kind of each image, by the classifier."""
    with torch.no_grad():
        return ruler(images.to(device)).argmax(dim=1).cpu()


if DATASET == "faces":
    ruler = load("face_classifier")["classifier"].to(device)
else:
    seed_everything(0)  # the ruler is the same for every seed of the lab
    ruler = build_classifier(SHAPE, KINDS).to(device)
    train_classifier(ruler, train_images, kind_of(train_labels), steps(600), device)
named = (kinds_seen(test_images) == kind_of(test_labels)).float().mean().item()
print(f"the classifier names {named:.1%} of the test images rightly")
seed_everything(SEED)
again = train_images[:2000]
spoiled = {
    "reals again (the floor)": again,
    "with noise": again + 0.1 * torch.randn_like(again),
    "blurred": F.avg_pool2d(F.pad(again, (1, 1, 1, 1), mode="replicate"), 3, stride=1),
}
spoiled_by = {name: image_distance(images) for name, images in spoiled.items()}
floor = spoiled_by["reals again (the floor)"]
rows = {
    f"{name}\nd² = {short(spoiled_by[name])}": seen(images[:40:5]) for name, images in spoiled.items()
}
plots.show(
    plots.image_rows(rows, "What does the ruler see?"),
    alt="Three rows of images: as they are, grainy, and blurred; each with its Fréchet distance to other reals.",
)

# %% [markdown]
r"""
The distance of the blurred faces is eighty to a hundred times that of the grainy ones, though your eye sees both at once. What this classifier needs to tell mouths apart is lost in a blur, and survives
the grain; so **this ruler is strict about blur and all but blind to noise**. Another one might see little else than noise. Every Fréchet distance has the taste of its features.

### The GAN

G begins with 64 random numbers and the labels, makes a 4 × 4 picture of 64 channels, and doubles it three times. D halves the image three times. The steps are yours. As on the ring, the fakes must carry their labels
on to D, now as maps: `PassOnTheMaps` does that. Three things come from practice:

- **R1 every 16 rounds**, 16 times as strong: as good, and far cheaper ("lazy").
- **A running mean of G's weights** draws the samples. G itself swings from round to round.
- $\beta_1 = 0.5$, for you know why.

This takes about a minute. On a GPU it plays as many rounds as the longer run that you will meet below, 10,000; the numbers in the text are those
of 2,000.
"""


# %%
def with_labels(z: Tensor, labels: Tensor) -> Tensor:
    """Join all labels (n, K) to noise."""
    for column, size in enumerate(LABELS.values()):
        z = append_labels(z, labels[:, column], size)
    return z


def with_maps(x: Tensor, labels: Tensor) -> Tensor:
    """Join the maps of all labels (n, K) to images."""
    for column, size in enumerate(LABELS.values()):
        x = append_label_maps(x, labels[:, column], size)
    return x


def wishes(n: int) -> Tensor:
    """Draw n random labels (n, K)."""
    return torch.stack(
        [torch.randint(size, (n,), device=device) for size in LABELS.values()], dim=1
    )


def train_faces(
    seed: int, n: int, look: Tensor, gamma: float = 1.0
) -> tuple[nn.Module, dict[int, Tensor]]:
    """Train the conditional GAN for n rounds; return the mean G, and what it made of the noise `look` at five times."""
    seed_everything(seed)
    G = PassOnTheMaps(image_generator(look.shape[1], SHAPE)).to(device)
    D = image_discriminator((SHAPE[0] + sum(LABELS.values()), *SHAPE[1:])).to(device)
    mean_g = AveragedModel(
        G.body, multi_avg_fn=get_ema_multi_avg_fn(0.995), use_buffers=True
    ).eval()
    of_g, of_d = (torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.99)) for net in (G, D))
    album, played = {}, 0

    def keep() -> None:
        with torch.no_grad():
            album[played] = mean_g(look).cpu()

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        nonlocal played
        x = with_maps(*batch)
        if gamma and played % 16 == 0:
            of_d.zero_grad()
            (16 * gamma / 2 * r1_penalty(D, x)).backward()
            of_d.step()
        d_paid = discriminator_step(G, D, x, with_labels(noise(len(x), 64), wishes(len(x))), of_d)
        g_paid = generator_step(G, D, with_labels(noise(len(x), 64), wishes(len(x))), of_g)
        mean_g.update_parameters(G.body)
        played += 1
        if played % (n // 5) == 0:
            keep()
        return {"D pays": d_paid, "G pays": g_paid}

    keep()
    optimizers = {"of_g": of_g, "of_d": of_d}  # their rates fall to 0: the players come to rest
    fit(step, labelled_batches(16), n, state=optimizers, decay=True, seed=seed, description="GAN")
    return mean_g.module, album


EVERY = torch.cartesian_prod(*map(torch.arange, LABELS.values())).reshape(KINDS, -1).to(device)
asked = EVERY[torch.arange(2000) % KINDS]  # 2,000 wishes: every kind in turn
seed_everything(SEED)
look = with_labels(noise(2000, 64), asked)
rounds = 2000 if device.type == "cpu" else 10_000
face_g, album = train_faces(SEED, steps(rounds), look)
distances = {played: image_distance(images) for played, images in album.items()}
rows = {f"round {played}": seen(images[:40:5]) for played, images in album.items()}
plots.show(
    plots.image_rows(rows, "The same noise, from the beginning to the end"),
    alt="Rows of images of the same noise: grey at round 0, then blurs, and at the end something like the reals.",
)
print(
    "    ".join(f"round {played}: {short(distance)}" for played, distance in distances.items())
    + f"    floor: {short(floor)}"
)

# %% [markdown]
r"""
From nothing to faces. The first number is the **untrained** G, the one before the floor is the trained one. It need not fall at every look: this is a game, no descent. In the end it is far below the untrained one, and far above the floor: look closely, and you
find odd pixels and strange mouths.

### Is it the brake?

The same run with other seeds, and without R1: measured once and stored with the course (`python benchmarks/lab4_gans.py` measures it again). *Hair* and *mouth* say how often the classifier
finds in a fake what was asked for; chance is 17 % and 25 %. A kind counts as found if at least a quarter of its share of 2,000 fakes belongs to it.
"""


# %%
def found_in(images: Tensor) -> dict[str, float]:
    """Compute how often the classifier names what was `asked` for, label by label, and how many kinds there are."""
    kinds = kinds_seen(images)
    by_label = torch.unravel_index(kinds, tuple(LABELS.values()))
    found = {
        name: (named_as == asked[:, column].cpu()).float().mean().item()
        for column, (name, named_as) in enumerate(zip(LABELS, by_label, strict=True))
    }
    found["kinds"] = int((kinds.bincount(minlength=KINDS) >= 0.25 * len(kinds) / KINDS).sum())
    return found


if DATASET == "faces":
    benchmark = json.loads(files("course.labs.lab4_gans").joinpath("benchmark.json").read_text())
    at_rounds = list(benchmark["faces"][0]["distances"])
    print("faces               Fréchet distance after so many rounds        found in the end")
    print("           seed " + "".join(f"{played:>8}" for played in at_rounds) + "     hair  mouth  kinds")
    for row in benchmark["faces"]:
        told = "".join(f"{distance:8.0f}" for distance in row["distances"].values())
        name = "with R1" if row["gamma"] else "plain"
        print(
            f"{name:<10} {row['seed']:>4} {told}   {row['hair']:6.0%} {row['mouth']:6.0%} {row['kinds']:6}"
        )
    print(f"floor: {benchmark['floor']:.1f}")

# %% [markdown]
r"""
With R1 every seed ends nearer to the reals than its twin without, 1.6 to 5 times, with more of the mouths. But this is no collapse as on the ring: even the plain runs draw 19 to 24 of the 24 kinds. And several runs were nearer some hundred rounds
*before* the end. Whether and how a GAN fails depends on the data, the networks and the optimizer; a brake only makes it less likely.

### What does patience buy?

Five times as long as on a CPU: 10,000 rounds, which take a core about five minutes. The course brings two such generators. `cgan_faces` is our G, trained just as yours, only longer. `gan_faces` is its twin *without labels*:
D asks it only whether the face is real, and G draws what it likes.
"""

# %%
runs = {"this run": album[max(album)]}
if DATASET == "faces":
    long_g, free_g = (load(name)["G"].to(device) for name in ("cgan_faces", "gan_faces"))
    with torch.no_grad():
        runs["longer"] = long_g(look).cpu()
        runs["longer, no labels"] = free_g(look[:, :64]).cpu()
else:
    long_g = face_g
rows = {"reals": seen(test_images[:40:5])}
plots.show(
    plots.image_rows(
        rows | {name: seen(images[:40:5]) for name, images in runs.items()}, "Patience"
    ),
    alt="Rows of images: reals, those of the run above and, of faces, those of a longer run with labels and of one without.",
)
drawn = {name: found_in(images) for name, images in runs.items()}
for name, images in runs.items():
    told = f"{name:<18} Fréchet distance {short(image_distance(images)):>6}   kinds {drawn[name]['kinds']}"
    asked_for = "".join(f"   {label} {drawn[name][label]:.1%}" for label in LABELS)
    print(told + ("" if "no labels" in name else asked_for + " as asked for"))
print(f"floor: {short(floor)}")

# %% [markdown]
r"""
About a tenth of the distance or less, and the mouths are right: the longer run draws what was asked for in nearly 99 of 100 cases. Its distance, 19, is still several times the floor. Without labels it is 52, and all 24 kinds are there, though nobody
asked for them. (That is one run of each; the difference between the two may be luck. And the conditional one is *told* how frequent the kinds are.)

### Does it obey?

Every column a hair colour, every row a mouth, all from the same noise, by the longer run. What was not asked for should stay as it is: the tone of the skin, the length of the hair, the place. Does it?
"""

# %%
seed_everything(SEED)
same = noise(1, 64).expand(KINDS, -1)
with torch.no_grad():
    grid = seen(long_g(with_labels(same, EVERY)))
if DATASET == "faces":
    columns = ("black", "dark", "brown", "copper", "blond", "grey")
    rows = {mouth: grid[i :: len(MOUTHS)] for i, mouth in enumerate(MOUTHS)}
else:
    columns, rows = [str(kind) for kind in range(KINDS)], {"kind": grid}
plots.show(
    plots.image_rows(rows, "One noise vector, every label", column_titles=columns),
    alt="A table of fakes from one noise vector: a column or more for each kind, and of faces a row for each mouth.",
)
if DATASET == "faces":  # the mouths are numbered so that the halves are shut and open, and the odd ones smile
    wanted = asked[:, 1].cpu()
    for name in ("this run", "longer"):
        mouths = kinds_seen(runs[name]) % len(MOUTHS)
        is_open = (mouths // 2 == wanted // 2).float().mean().item()
        smiles = (mouths % 2 == wanted % 2).float().mean().item()
        print(
            f"{name:<9} open or shut as asked for: {is_open:.1%};  smile or frown as asked for: {smiles:.1%}"
        )

# %% [markdown]
r"""
Skin and place stay. The length of the hair does not always: in the table above, black hair reaches the shoulders, blond and grey hair ends at the ears. Nobody told G that the two
have nothing to do with each other; it was only ever asked for faces that could be real.

Both runs have learned the hair, and which mouths are open. Which of them smile is a matter of a few pixels, and for that the run above tosses a coin: D has not asked for it yet. The longer run has learned it.

### Does it copy?

A G that had learned the training images by heart would have a perfect distance. So look for each fake's **nearest training image**, and measure how near it is. The yardstick: new *reals*, which are no copies
for certain.
"""


# %%
def nearest(images: Tensor) -> tuple[Tensor, Tensor]:
    """Find for each image the squared distance to the nearest training image, and which one that is."""
    apart = torch.cdist(images.flatten(1).cpu(), train_images.flatten(1))
    distance, which = apart.min(dim=1)
    return distance.square(), which


fakes = album[max(album)]
distance, which = nearest(fakes[:200])
of_reals, _ = nearest(test_images[:200])
best = runs["longer" if "longer" in runs else "this run"]
of_longer, which_longer = nearest(best[:200])
rows = {
    "this run": seen(fakes[:40:5]),
    "nearest training image": seen(train_images[which[:40:5]]),
}
means = {"fakes of this run": distance, "new reals": of_reals}
if "longer" in runs:
    rows |= {"longer": seen(best[:40:5]), "nearest training image ": seen(train_images[which_longer[:40:5]])}
    means["fakes of the longer one"] = of_longer
plots.show(
    plots.image_rows(rows, "Copies?"),
    alt="Rows of fakes, and under each fake the training image nearest to it.",
)
print("squared distance to the nearest training image, mean:", end=" ")
print(", ".join(f"{name} {of.mean():.1f}" for name, of in means.items()))

# %% [markdown]
r"""
The fakes are *further* from the training images than new reals are: no copies. (Nor is it proof of imagination: part of the distance are G's odd pixels.)

### Which one is fake?

Three rounds. In each, two of the faces are reals and one is a fake: in round 1 the best fake of your run, in round 2 any fake of the longer run, in round 3 its best.
("Best" is, of 200, the one nearest to a training image.) All are seen by one grainy camera, lest G's own grain tell you. Make up your mind before you run the cell after.
"""

# %%
seed_everything(SEED)
made_up = fakes[distance.argmin()], best[torch.randint(len(best), ())], best[of_longer.argmin()]
riddle, solution = {}, []
for played, fake in enumerate(made_up, start=1):
    places = torch.randperm(3).tolist()
    three = torch.stack([fake, *test_images[torch.randint(len(test_images), (2,))]])[places]
    riddle[f"round {played}"] = seen(three + 0.08 * torch.randn_like(three))
    solution.append("abc"[places.index(0)])
plots.show(
    plots.image_rows(riddle, "Two reals, one fake", column_titles="abc", size=1.2),
    alt="Three rows of three images, named a, b and c.",
)

# %%
print("the fakes are", ", ".join(f"{letter} in round {i}" for i, letter in enumerate(solution, 1)))

# %% [markdown]
r"""
What you see at once, D sees too. What gives a fake away: the edges, the background, the eyes? That is what D would teach G next.

### Walk through faces

By the longer run. Above: the same labels, an arc through noise, between the two of 32 draws whose faces differ most. Below: the same noise, and the *labels* go from one kind to another, through mixtures that no training image had.
"""

# %%
seed_everything(SEED)
draws = noise(32, 64)
one, other = (with_labels(draws[:1], EVERY[place : place + 1])[0, 64:] for place in (0, KINDS - 1))
with torch.no_grad():
    drawn_as = long_g(torch.cat([draws, one.expand(32, -1)], dim=1)).flatten(1)
apart = torch.cdist(drawn_as, drawn_as).argmax().item()
z0, z1 = draws[apart // 32], draws[apart % 32]
arc = torch.cat([interpolate(z0, z1, 11, spherical=True), one.expand(11, -1)], dim=1)
mixture = torch.cat([z0.expand(11, -1), interpolate(one, other, 11)], dim=1)
with torch.no_grad():
    strips = {"noise moves": seen(long_g(arc)), "labels move": seen(long_g(mixture))}
plots.show(
    plots.image_rows(strips, "Two walks"),
    alt="Two rows of eleven fakes: in the first, things that no label names change; in the second, one kind goes over into another.",
)

# %% [markdown]
r"""
The noise changes what no label names: here mostly the skin, from dark to pale, step by step, while hair and mouth stay as they were asked for.
The labels change the hair and the mouth. On the way there is hair that is black and grey in patches, and a mouth neither shut nor open: G
has only ever been asked for whole labels, and its guesses between them are continuous, but no faces of the data.

## 12. GAN against VAE

The same images, the same ruler. The VAE of lab 2 gets the same network for a decoder that G has, and convolutions for an encoder.
"""


# %%
def train_vae(seed: int, n: int) -> VAE:
    """Train a VAE on the images for n steps."""
    seed_everything(seed)
    decoder = image_generator(32, SHAPE)[:-1]  # without the tanh: a VAE's decoder gives logits
    model = VAE(conv_encoder(SHAPE, 64, width=16), decoder, latent_dim=32).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        return train_step(model, (batch[0] + 1) / 2, optimizer)

    fit(
        step,
        labelled_batches(32),
        n,
        state={"model": model, "optimizer": optimizer},
        decay=True,
        seed=seed,
        description="VAE",
    )
    return model


def sharpness(images: Tensor) -> float:
    """Compute how much neighbouring pixels differ: the mean square of a pixel minus its four neighbours' mean."""
    kernel = torch.tensor([[0.0, -0.25, 0.0], [-0.25, 1.0, -0.25], [0.0, -0.25, 0.0]])
    return F.conv2d(images.cpu().flatten(0, 1)[:, None], kernel[None, None]).square().mean().item()


vae = train_vae(SEED, steps(1200))
vae_images = 2 * vae.sample(2000).cpu() - 1
contest = {"reals": test_images, "VAE": vae_images, "GAN": fakes}
rows = {name: seen(images[:40:5]) for name, images in contest.items()}
plots.show(
    plots.image_rows(rows, "Reals, and two ways to make them up"),
    alt="Rows of real images, VAE samples and GAN samples.",
)
for name, images in contest.items():
    found = f"{short(image_distance(images if name != 'reals' else train_images[:2000])):>10}"
    print(
        f"{name:>5}:  Fréchet distance {found}    sharpness, reals = 1: {sharpness(images) / sharpness(test_images):.2f}"
    )

# %% [markdown]
r"""
Look at the eyes and the mouths. The VAE's faces are soft, some are mixtures of two, and now and then one is no face at all, like the first: its code fell where hardly an image's code had been. The GAN's are nearly as sharp as the reals, and here and there torn. The distance agrees.

**Why?** The VAE of lab 2 treats pixels as independent, given the code. Where it is unsure between two pictures it must give the average of both: a blur. A GAN has no such loss. D
rejects a blur at once, for no real is blurred, so G must *choose*. That is where the sharpness comes from, and the collapse: nobody asks that it choose everything.

Two things are often said here and are not true. Maximum likelihood itself does not blur: a better model of pixels than independent ones would not. And the
cross-entropy of grey pixels is no normalised likelihood, so "the VAE maximises the likelihood and therefore blurs" is wrong twice.

And fair is fair. This ruler is strict about blur, as you have seen, so the VAE pays for exactly what it is worst at, and the GAN's grain goes nearly free. Both saw about as many images (on a CPU), but the GAN was told the labels, and took longer. Either would gain from more
training. And the VAE gives what no GAN has: a code for every image, and a loss that means something.

## 13. What you have built

- **Two losses and two steps**: that is all of a GAN. D measures the ratio of two densities from samples; G walks uphill on what D has found.
- It **ends**, if it ends, with $p_\text{model} = p_\text{data}$, $D = \tfrac12$ and a loss of $\log 4$. You saw it end, run in circles, and collapse.
- The **non-saturating** loss keeps its gradient when D wins; R1 makes D flat where the reals are; momentum makes the chase wilder.
- G **transforms** noise into data: without holes, continuously, and with a label by choice.
- It has **no likelihood**: one compares samples, with a floor beside the number, and eyes open.

### Does it hold?

The next two cells hold your games, the measured table and your faces against bars that every one of five seeds cleared when the
course measured them.
"""

# %%
bar("D's distance to the perfect D after 300 steps", gaps[-1], below=0.02)
bar("the same at the start, over that after 300 steps", gaps[0] / gaps[-1], above=20)
ratio = late["non-saturating"] / late["minimax"]
bar("gradient that reaches G: non-saturating over minimax, when D wins", ratio, above=30)
ratio = needed["gradient descent", "minimax"] / needed["gradient descent", "non-saturating"]
bar("rounds to half way by gradient descent: minimax over non-saturating", ratio, above=8)
ratio = needed["Adam", "minimax"] / needed["Adam", "non-saturating"]
bar("rounds to half way by Adam: minimax over non-saturating", ratio, below=1.0)
bar("the game on the line: D at the reals, distance from 1/2", abs(at_the_end - 0.5), below=0.03)
bar("the game on the line: what D pays, distance from log 4", abs(last - math.log(4)), below=0.01)
bar("the game on the line: G's shift, distance from 2", abs(shift_at_the_end - 2), below=0.1)
bar("the smallest game with R1: distance from the goal", goal, below=0.01)
bar("modes that R1 found in this run", modes_found(r1_album[-1])[0], above=6)
bar("conditional ring: share of fakes at the mode asked for", accuracy, above=0.95)
few = max(row["modes"] for row in with_momentum["plain"])
many = min(row["modes"] for row in with_momentum["R1, γ = 0.1"])
bar("measured, β₁ = 0.9: most modes of a plain run", few, below=4)
bar("measured, β₁ = 0.9: fewest modes of an R1 run", many, above=6)

# %%
if DATASET == "faces":
    first, last_distance = distances[min(distances)], distances[max(distances)]
    bar("faces: share of test images that the classifier names rightly", named, above=0.95)
    bar(
        "faces: distance of the untrained G over that of the trained one",
        first / last_distance,
        above=20,
    )
    ratio = image_distance(vae_images) / last_distance
    bar("faces: distance of the VAE over that of the GAN", ratio, above=4)
    of_run, of_long = drawn["this run"], drawn["longer"]
    bar("faces: share of fakes with the hair asked for", of_run["hair"], above=0.95)
    bar("faces: share of fakes with the mouth asked for", of_run["mouth"], above=0.45)
    bar("faces: kinds that get a quarter of their share, of 24", of_run["kinds"], above=20)
    bar("faces, longer run: share with the mouth asked for", of_long["mouth"], above=0.9)
    bar("ruler: distance of blurred reals over that of noisy ones", spoiled_by["blurred"] / spoiled_by["with noise"], above=50)
    if rounds == 2000:  # otherwise this run is as long as the longer one
        ratio = last_distance / image_distance(runs["longer"])
        bar("faces: distance of this run over that of the longer one", ratio, above=5)
        ratio = (distance.mean() / of_reals.mean()).item()
        bar("faces: distance to the nearest training image, fakes over new reals", ratio, above=2)
    ratio = sharpness(vae_images) / sharpness(test_images)
    bar("faces: sharpness of the VAE, reals = 1", ratio, below=0.5)

# %% [markdown]
r"""
### Hand it in

`progress()` shows where you stand. Then save the notebook and hand in the `.ipynb` file: on Colab **File › Download › Download .ipynb**,
in JupyterLab **File › Download**. Upload it where your course asks for it, under the name it has.
"""

# %%
progress()
