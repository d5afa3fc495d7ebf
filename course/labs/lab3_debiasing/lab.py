# %% [markdown]
r"""
# Lab 3: debiasing and outliers

A detector that finds 95 faces in a hundred can miss two of three, if they are the faces of a few. Who these are, it was told by its training set.

In this lab you find out whom a face detector fails. You repair it **without being told who is who**, by what a VAE says is rare, and you
find out what the repair is worth, what it costs, and where it does nothing. Then the same idea is turned round: a model that knows what
is ordinary can point at what is not.

**You need:** lab 2. **You will be able to:** measure recall by group, write the DB-VAE's loss and its resampling, tell a real gain from a
shift of the threshold, and score outliers, with the one kind that the score gets wrong.
"""

# %% setup
import json
import math
from collections.abc import Callable
from importlib.resources import files
from importlib.util import find_spec

import matplotlib.pyplot as plt
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from course import check, hint, plots, progress, start
from course.data.faces import FACTORS, NON_FACES, groups_of, is_rare, sample_faces
from course.debiasing import DBVAE, effective_sample_size
from course.labs.budget import bar, seed_of_run, steps
from course.metrics import equal_width_bins
from course.networks import conv_decoder, conv_encoder
from course.training import fit, minibatches, pick_device, seed_everything
from course.vae import VAE, bernoulli_nll, gaussian_kl, train_step, traverse

start("lab3_debiasing")
SEED = seed_of_run()  # 0; try another one when you are through: what changes, and what does not?
device = pick_device()

# %% [markdown]
r"""
## 1. Whom does it fail?

Our faces are **drawings**. The computer knows the tone, the pose and the light of each, because it chose them. So a claim such as
"dark, turned faces are missed" can be counted, with no guessing.

The training set has a long tail: 5 % of the faces are dark, 20 % are turned aside, 20 % are lit from one side. And there must be
something that is *not* a face. Ours is hard: heads whose features are scrambled, upside down or half missing, blank heads, plain ovals,
things, stripes, in all tones and lights alike.
"""


# %%
SKEW = {"tone": 0.05, "yaw": 0.2, "strength": 0.2}  # the share at the rare end
EVEN = {"tone": 0.5, "yaw": 0.5, "strength": 0.5}


def draw(n: int, seed: int, rare: dict[str, float], faces: bool = True) -> tuple[Tensor, Tensor]:
    """Draw n faces, or n things that are none: images (n, 3, 32, 32) and their true factors."""
    kinds = {"face": 1.0} if faces else NON_FACES
    generator = torch.Generator().manual_seed(seed)
    return sample_faces(n, generator, size=32, kinds=kinds, rare=rare, noise=(0.05, 0.05))


faces, factors = draw(6000, 10 * SEED + 1, SKEW)
others, _ = draw(6000, 10 * SEED + 2, EVEN, faces=False)
tests, test_factors = draw(4000, 10 * SEED + 3, EVEN)
test_others, _ = draw(4000, 10 * SEED + 4, EVEN, faces=False)
groups, GROUPS = groups_of(test_factors, list(SKEW))
one_each = torch.stack([(groups == k).nonzero()[0, 0] for k in range(8)])
rows = {"training faces": faces[:12], "training non-faces": others[:12], "one face of each group": tests[one_each]}
plots.show(
    plots.image_rows(rows, "What the detector learns from, and the eight groups it is tested on"),
    alt="Drawn faces, nearly all light and frontal; scrambled and blank heads; one face of each of eight groups.",
)

# %% [markdown]
r"""
### What drawings can and cannot say

They can say whether a *method* does what it claims, since we know the truth. They say nothing about how well any real system
recognises any real people. Tone is one axis among many: real faces also differ in age, in gender, in features, in hair, in the camera that took
them, and people are not groups. Light and dark here is a number that we turned.

For real systems, look at real audits. *Gender Shades* (Buolamwini and Gebru, 2018) put together 1,270 portraits of parliamentarians, the
**Pilot Parliaments Benchmark** (PPB), balanced by gender and by skin type as a dermatologist's scale has it. Three commercial systems that
guess gender were wrong for at most 0.8 % of the lighter men, and for up to 34.7 % of the darker women. The paper behind this lab (Amini
et al., 2019) was tested on that benchmark, too. Note what the audit needed: labels, people who care, and the question.

### Count by group

**Recall**: of the faces in a group, which share is recognised? An average over all faces hides a small group. So count for each.
"""

# %% exercise points=2 minutes=5 difficulty=1
from course.debiasing import recall_by_group
# TODO: for each group 0 ... n_groups − 1 the share of its faces that were recognised; NaN for an empty group.

# %%
check(recall_by_group)

# %%
# NBVAL_CHECK_OUTPUT
said_face = torch.tensor([True, True, False, True, False, False])
recall = recall_by_group(said_face, torch.tensor([0, 0, 0, 2, 2, 2]), 3)
print("recall of three groups:", [round(share, 3) for share in recall.tolist()])

# %% [markdown]
r"""
You should read two thirds, nan (group 1 is empty: nothing is known of it), and one third.

Now the plain classifier: three convolutions, 600 steps. It is built so that it can be more than a classifier later: beside its one
**answer** the network gives numbers for eight latent variables, of which nobody makes use as yet.
"""

# %%
LATENTS = 8
SHAPE = (3, 32, 32)


def new_detector() -> DBVAE:
    """Make an untrained detector: three convolutions and 128 units, then the answer and the 8 latent variables."""
    encoder = nn.Sequential(conv_encoder(SHAPE, 128, width=16), nn.ReLU(), nn.Linear(128, 1 + 2 * LATENTS))
    return DBVAE(encoder, conv_decoder(LATENTS, SHAPE, width=16), LATENTS).to(device)


def encode_all(model: DBVAE, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Encode many images in batches, without gradients: logits (N,), mu and logvar (N, 8), on the CPU."""
    with torch.no_grad():
        parts = [model.encode(batch.to(device)) for batch in images.split(500)]
    y_logit, mu, logvar = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    return y_logit, mu, logvar


def train_classifier(images: Tensor, is_face: Tensor, n: int = 600, seed: int = 0) -> DBVAE:
    """Train the answer alone, on batches of 64 random images."""
    seed_everything(seed)
    model = new_detector()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def batches(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(images), (64,), generator=generator)
        return images[chosen], is_face[chosen]

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        x, y = batch
        loss = F.binary_cross_entropy_with_logits(model.encode(x)[0], y.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    state = {"model": model, "optimizer": optimizer}
    fit(step, batches, steps(n), state=state, decay=True, seed=seed, device=device)
    return model.eval()


everything = torch.cat([faces, others])
is_face = torch.arange(len(everything)) < len(faces)
classifier = train_classifier(everything, is_face, seed=SEED)


def report(models: dict[str, DBVAE], title: str) -> dict[str, Tensor]:
    """Draw the recall of each group for each model, side by side; return them."""
    recalls = {name: recall_by_group(encode_all(m, tests)[0] > 0, groups, 8) for name, m in models.items()}
    fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for i, (name, recall) in enumerate(recalls.items()):
        style = {"color": plots.COLOURS[i], "marker": plots.MARKERS[i], "linestyle": "none", "markersize": 8}
        ax.plot(recall, range(8), label=name, **style)
    ax.set_yticks(range(8), GROUPS)
    ax.set(title=title, xlabel="recall: share of the group's faces that are recognised", xlim=(0, 1.02))
    ax.invert_yaxis()
    ax.grid(alpha=0.3)
    fig.legend(frameon=False, loc="outside lower center", ncols=2)
    plots.show(fig, alt=f"Recall by group: {', '.join(recalls)}.")
    return recalls


by_classifier = report({"classifier": classifier}, "Whom does the classifier fail?")["classifier"]
logits = encode_all(classifier, tests)[0]
overall = (encode_all(classifier, faces)[0] > 0).float().mean()
print(f"of faces like those in training it recognises {overall:.0%}; ", end="")
print(f"of the best group {by_classifier.max():.0%}, of the worst {by_classifier.min():.0%}")

# %% [markdown]
r"""
Faces like those of the training set are nearly all recognised. Below that average are groups that are missed more often than not: dark
and turned faces. Look at those of which it is surest that they are none.
"""

# %%
missed = {GROUPS[k]: tests[groups == k][logits[groups == k].argsort()[:10]] for k in (3, 4, 6, 7)}
plots.show(
    plots.image_rows(missed, "The ten faces of a group that are least like a face to it"),
    alt="Rows of missed faces: light ones turned aside in side light, and dark ones.",
)

# %% [markdown]
r"""
Nothing is wrong with these faces. There were few like them to learn from; and among the *non-faces* dark ones are as common as light
ones. Of the dark images in training, only one in eleven is a face. A lazy rule suggests itself.

## 2. A detector that also describes

If somebody told us who is dark and who is turned, we would draw those more often, and be done. Mostly nobody does. The idea of
Amini and colleagues: **let a VAE find out what the faces differ in**, and draw those more often whose latent values are rare.

1. Learn the latent structure of the faces, along with the answer.
2. Estimate how each latent variable is distributed.
3. Draw the rare regions more often.
4. Learn from that fairer data; and go on with 1.

### One network, two jobs
"""

# %%
fig, ax = plt.subplots(figsize=(9, 2.6), layout="constrained")
boxes = {"image": 0, "encoder": 2, "answer:\nface or not?": 4.6, "8 means,\n8 variances": 4.6, "a draw z": 6.6, "decoder": 8.4,
         "rebuilt\nimage": 10.2}  # fmt: skip
heights = {name: 1.5 if name.startswith("answer") else 0.0 if place > 4 else 0.75 for name, place in boxes.items()}
for name, place in boxes.items():
    trained = name in ("encoder", "decoder")
    look = {"boxstyle": "round,pad=0.5", "facecolor": plots.COLOURS[0] if trained else "white", "edgecolor": "black"}
    ax.text(place, heights[name], name, ha="center", va="center", color="white" if trained else "black", bbox=look)
pairs = [("image", "encoder"), ("encoder", "answer:\nface or not?"), ("encoder", "8 means,\n8 variances"),
         ("8 means,\n8 variances", "a draw z"), ("a draw z", "decoder"), ("decoder", "rebuilt\nimage")]  # fmt: skip
for one, other in pairs:
    ends = {"xytext": (boxes[one] + 0.75, heights[one]), "xy": (boxes[other] - 0.85, heights[other])}
    ax.annotate("", **ends, arrowprops={"arrowstyle": "->", "linewidth": 1.5})
ax.text(7.4, 1.5, "paid for every image", ha="center", va="center", style="italic")
ax.text(8.4, 0.75, "paid for faces only", ha="center", va="center", style="italic")
ax.set(xlim=(-0.9, 11.2), ylim=(-0.6, 2.0), title="A classifier with a VAE at its side")
ax.axis("off")
plots.show(fig, alt="An image enters the encoder, which gives an answer, and eight means and variances; a draw from these is decoded.")

# %% [markdown]
r"""
The loss has the answer's cross-entropy for every image. For faces it adds the VAE's two prices, for non-faces not: we have no use for
a description of them.

$$\mathcal L_i = \mathrm{BCE}_i + \mathbb 1[y_i = 1] \cdot \big( c_1 \cdot \overline{|x_i - \hat x_i|} + c_2 \cdot \mathrm{KL}_i \big), \qquad c_1 = 5,\quad c_2 = 0.005$$

The bar is a mean over the image's values: the one place where this course does not sum. Beware of two mistakes that circulate, in published
solutions as well:

- an indicator $\mathbb 1[y=1]$ that multiplies the classification too (the question below asks what happens then);
- a logit of shape `(B, 1)` and labels of shape `(B,)`. Their difference is a table `(B, B)` of every image with every other one; the
  mean of it is a number, training runs, and nothing is learned.
"""

# %% exercise points=4 minutes=15 difficulty=3
from course.debiasing import dbvae_loss
# TODO: three numbers for each image, (B,): the cross-entropy of the answer, the mean absolute error, the KL of lab 2.
# The indicator multiplies the last two. Then one mean over the batch.

# %%
check(dbvae_loss)

# %%
# NBVAL_CHECK_OUTPUT
black, ones, zeros = torch.zeros(2, 3, 4, 4), torch.ones(2, 2), torch.zeros(2, 2)
for labels in ([1.0, 1.0], [1.0, 0.0], [0.0, 0.0]):
    loss = dbvae_loss(torch.zeros(2), torch.tensor(labels), black + 0.1, black, mu=ones, logvar=zeros, kl_weight=0.5)
    print(f"labels {labels}: {loss.item():.4f}")

# %% [markdown]
r"""
Two faces must cost 1.6931: the coin flip's $\log 2$, the error $5 \cdot 0.1$ and the code $0.5 \cdot 1$. Every face less takes half of
1.0 away: 1.1931, and 0.6931 without any.

### Question: the indicator in the wrong place

A published solution computes $\mathbb 1[y_i = 1] \cdot (\mathrm{BCE}_i + \dots)$. What becomes of the detector?

- **a**: it is the same: non-faces have no VAE terms anyway.
- **b**: it learns to call everything a face; and recall by group, which looks only at faces, becomes perfect.
- **c**: the gradient of the faces vanishes, so it learns nothing.
"""

# %% question points=1 minutes=2
answer_indicator = ""  # "a", "b" or "c"

# %%
check(answer_indicator, exercise="answer_indicator")

# %% [markdown]
r"""
## 3. What has it found out?

Train it, as yet without any resampling, and look into its latent variables. A latent that says nothing about the image costs
nothing: the loss pushes its cloud back to the prior. So its price says **how much it tells**.
"""

# %% exercise points=2 minutes=5 difficulty=2
from course.debiasing import latent_kl
# TODO: the KL of lab 2 once more; but one number for each latent, the mean over the images.

# %%
check(latent_kl)

# %%
# NBVAL_CHECK_OUTPUT
means, logvars = torch.tensor([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, -2.0]]).repeat(2, 1)
print("nats told by each latent:", [round(price, 3) for price in latent_kl(means, logvars).tolist()])

# %% [markdown]
r"""
You should read 2.0 (a latent that says +2 or −2), 0.0 (one that is always the prior), and 0.568 (one that is sure, but always says the same).
"""

# %% [markdown]
r"""
The training loop takes a function `weigh` that turns the codes of all faces into probabilities; every hundred steps it is asked again. For now
there is none, and faces are drawn alike. To draw by probabilities is the shortest exercise of this course:
"""

# %% exercise points=1 minutes=3 difficulty=1
from course.debiasing import resampled_indices
# TODO: n image numbers, drawn with replacement, each image with its own probability, by the generator that is given.

# %%
check(resampled_indices)

# %%
# NBVAL_CHECK_OUTPUT
drawn = resampled_indices(torch.tensor([0.1, 0.0, 0.6, 0.3]), 100_000, torch.Generator().manual_seed(0))
print("how often each of four images came:", [round(share, 1) for share in (drawn.bincount(minlength=4) / 100_000).tolist()])


# %%
Weigh = Callable[[Tensor, Tensor], Tensor]  # mu, logvar -> the probability of each face


def train_detector(
    faces: Tensor, others: Tensor, weigh: Weigh | None = None, describe: bool = True, n: int = 600, seed: int = 0
) -> tuple[DBVAE, Tensor]:
    """Train a detector on batches of 32 faces and 32 others; return it with the faces' last probabilities.

    weigh: from step 100 on, and every 100 steps, it turns the codes of all faces into probabilities to draw them by.
    describe: train the VAE's part too; without it this is a plain classifier.
    """
    seed_everything(seed)
    model = new_detector()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    y = torch.cat([torch.ones(32), torch.zeros(32)]).to(device)
    p, drawn = torch.full((len(faces),), 1 / len(faces)), 0

    def batches(generator: torch.Generator) -> Tensor:
        nonlocal p, drawn
        if weigh is not None and drawn > 0 and drawn % 100 == 0:
            p = weigh(*encode_all(model, faces)[1:])
        drawn += 1
        chosen = resampled_indices(p, 32, generator)
        return torch.cat([faces[chosen], others[torch.randint(len(others), (32,), generator=generator)]])

    def step(x: Tensor) -> dict[str, float]:
        if describe:
            y_logit, x_hat, mu, logvar = model(x)
            loss = dbvae_loss(y_logit, y, x_hat, x, mu, logvar)
        else:
            loss = F.binary_cross_entropy_with_logits(model.encode(x)[0], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    state = {"model": model, "optimizer": optimizer}
    fit(step, batches, steps(n), state=state, decay=True, seed=seed, device=device)
    return model.eval(), p


plain, _ = train_detector(faces, others, seed=SEED)
patient, _ = train_detector(faces, others, n=1500, seed=SEED)
_, mu, logvar = encode_all(patient, faces)
told = latent_kl(mu, logvar)
rows = {"faces": faces[:12]}
with torch.no_grad():
    for name, model in (("600 steps", plain), ("1,500 steps", patient)):
        rows[f"rebuilt after {name}"] = model(faces[:12].to(device))[1].cpu()
plots.show(
    plots.image_rows(rows, "Eight numbers for a face"),
    alt="Twelve faces above blurred reconstructions; after more steps they keep the tone, the hair and the ground.",
)

# %% [markdown]
r"""
After 600 steps, the budget of every detector in this lab, the description is little more than a head of about the right brightness. (For tone that will do:
brightness is what it has to tell.) So we trained a second one more patiently, only to look inside; it serves in this section and the next.

Blurred still, but look what is kept: skin, hair, ground. That is what a mean absolute error pays for. Small features (eyes, mouth, glasses) are few pixels
and hardly count, and a turned head is rebuilt from the front. Remember this for section 8.

### Which latent follows what?

We know the truth, so we can ask: how strongly does each latent correlate with each factor?
"""


# %%
def correlations(mu: Tensor, factors: Tensor, names: list[str]) -> Tensor:
    """Correlate each latent (columns) with each factor (rows): absolute values, (K, D)."""
    truth = factors[:, [FACTORS.index(name) for name in names]]
    both = torch.corrcoef(torch.cat([truth, mu], dim=1).T)
    return both[: len(names), len(names) :].abs().nan_to_num(0.0)


even_mu = encode_all(patient, tests)[1]
names = ["tone", "yaw", "strength", "hair", "length", "background", "clutter", "scale", "smile"]
table = correlations(even_mu, test_factors, names)
order = told.argsort(descending=True)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
image = ax.imshow(table[:, order], cmap="viridis", vmin=0, vmax=1, aspect="auto")
for row in range(len(names)):
    for column in range(LATENTS):
        value = table[row, order[column]].item()
        ax.text(column, row, f"{value:.1f}", ha="center", va="center", color="black" if value > 0.6 else "white")
ax.set_xticks(range(LATENTS), [f"z{j + 1}\n{told[j]:.2f}" for j in order.tolist()])
ax.set_yticks(range(len(names)), names)
ax.set(title="Which latent follows which factor?", xlabel="latent, and the nats that it tells, sorted")
fig.colorbar(image, label="absolute correlation")
plots.show(fig, alt="A table of correlations: tone and hair are followed closely; yaw, strength and smile by no latent.")

# %% [markdown]
r"""
Read it row by row. **Tone** has a latent that follows it closely: it is a large part of the picture. So has hair and, less clearly, the ground. **Yaw** is
hardly followed by any, **strength** of the light neither: light from the left and light from the right are opposite pictures, so no straight line tells "strong"
from "soft". And nothing follows the smile.

Below the latents stand the nats. Some columns are strong though their latent is all but silent: a correlation does not see how *far* a latent moves, only that
the little it moves goes along with tone.

Move the latent that follows tone, and hold the others. Below it the same, with a second latent on the other axis: the grid of two attributes
that the lecture shows for pose and smile.
"""

# %%
by_tone = int(table[names.index("tone")].argmax())
second = next(j for j in order.tolist() if j != by_tone)
centre = even_mu.mean(dim=0).to(device)


def reach(dim: int, n: int) -> Tensor:
    """Return n values of a latent that cover what the test faces have."""
    low, high = even_mu[:, dim].quantile(torch.tensor([0.02, 0.98])).tolist()
    return torch.linspace(low, high, n, device=device)


strip = traverse(patient, centre, by_tone, reach(by_tone, 9))
plots.show(
    plots.image_rows({f"z{by_tone + 1}": strip}, "The latent that follows tone moves, the others rest"),
    alt="Nine faces in a row whose skin goes from one end of the tones to the other.",
)
rows = {}
for value in reach(second, 5):
    code = centre.clone()
    code[second] = value
    rows[f"z{second + 1} = {value:.1f}"] = traverse(patient, code, by_tone, reach(by_tone, 9))
plots.show(
    plots.image_rows(rows, f"Two at once: z{by_tone + 1} to the right, z{second + 1} downwards"),
    alt="A grid of faces: tone changes from left to right, and another attribute from top to bottom.",
)

# %% [markdown]
r"""
Nobody told the network what skin is. Be honest about the names, though: a latent that follows tone mostly changes something else as well.

## 4. What is rare?

Take the latent that follows tone, and cut its range into ten bins of equal width. Whom do you find in a full bin, and whom in a thin one?
"""

# %%
number = equal_width_bins(mu[:, by_tone], 10)
counted = torch.bincount(number, minlength=10)
full = int(counted.argmax())
thin = next(k for k in counted.argsort().tolist() if counted[k] >= 12)
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
bars = ax.bar(range(10), counted, color=plots.COLOURS[0])
bars[thin].set(facecolor=plots.COLOURS[1], hatch="//")
ax.set(title=f"z{by_tone + 1} of the 6,000 training faces", xlabel="bin", ylabel="faces", xticks=range(10))
plots.show(fig, alt="A histogram of ten bins: a hill, with thin ends.")
plots.show(
    plots.image_rows({f"bin {k}": faces[number == k][:12] for k in (full, thin)}, "Twelve faces of a full bin, and of a thin one"),
    alt="Twelve ordinary light faces, and twelve faces from a thin bin.",
)

# %% [markdown]
r"""
So a thin bin names somebody. Make numbers of it: the share of the faces in each bin. Empty bins get a little, so that nobody divides by zero:

$$Q_j(k) = \frac{n_k / N + \alpha}{\sum_{k'} (n_{k'} / N + \alpha)}.$$
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.debiasing import latent_histogram
# TODO: bins + 1 edges from the smallest to the largest value, and Q: counts / N + smoothing, divided by their sum.
# equal_width_bins(column, bins) of course.metrics numbers the bin of each value, from 0 to bins − 1.

# %%
check(latent_histogram)

# %%
# NBVAL_CHECK_OUTPUT
edges, q = latent_histogram(torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 2.0]), bins=4, smoothing=0.01)
print("edges:", [round(edge, 2) for edge in edges.tolist()], " Q:", [round(share, 4) for share in q.tolist()])

# %% [markdown]
r"""
You should read edges from 0 to 2 in steps of 0.5, and Q = 0.6964, 0.147, 0.0096, 0.147. The value 2.0 belongs to the last bin.

Now a probability for each **image**. An image has a bin in each of the eight histograms. Two ways to combine them:

- **max**: the rarest of its latents decides. $\;p_i \propto \max_j\, w_j / Q_j(i)$. So a well-known lab has it (there each latent is
  normalised first).
- **product**: as if the latents were independent. $\;p_i \propto \prod_j Q_j(i)^{-w_j}$. So the paper has it.

All weights $w_j$ are 1 unless you are told otherwise. A product of many small numbers overflows: add logarithms, and let `softmax` normalise.
"""

# %% exercise points=5 minutes=20 difficulty=4
from course.debiasing import resampling_probabilities
# TODO: for each latent its histogram, and Q_j(i) of every image: the share of the bin that the image lies in (end bins
# take what lies outside). Combine over the latents in logarithms, normalise over the images. No loop over images.

# %%
check(resampling_probabilities)

# %%
# NBVAL_CHECK_OUTPUT
six = torch.tensor([[0.0, 0.0], [0.1, 1.0], [0.2, 0.1], [0.1, 0.9], [0.0, 0.5], [1.0, 1.0]])
for combine in ("max", "product"):
    for weights in (None, torch.tensor([1.0, 0.2])):
        p = resampling_probabilities(six, bins=2, smoothing=0.01, combine=combine, latent_weights=weights)
        said = "" if weights is None else ", the second latent counts a fifth"
        print(f"{combine:>8}:", [round(value, 3) for value in p.tolist()], said)

# %% [markdown]
r"""
Six images, two latents, two bins. The sixth image is alone in the upper bin of the first latent, so it must have the largest probability in every row.
Without weights its lead is larger by *product*; and by both rules it grows when the second latent, which splits the images two to four, counts for less.

### Before and after

On the left the histogram of the latent that follows tone, as the training set has it. On the right what a detector would see if faces were drawn
by *max*. A fair draw would be flat.
"""


# %%
def show_draw(p: Tensor, title: str) -> None:
    """Draw the histogram of the latent that follows tone, before and after, in ten bins."""
    number = equal_width_bins(mu[:, by_tone], 10)
    before, after = torch.bincount(number, minlength=10) / len(p), torch.bincount(number, weights=p, minlength=10)
    dark = torch.bincount(number, weights=is_rare(factors, "tone").double(), minlength=10) / torch.bincount(number, minlength=10)
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
    for ax, shares, name in ((axes[0], before, "as collected"), (axes[1], after, title)):
        bars = ax.bar(range(10), shares, color=plots.COLOURS[0])
        for one, share in zip(bars, dark.nan_to_num(0.0).tolist(), strict=True):
            one.set_hatch("//" if share > 0.5 else "")
            one.set_facecolor(plots.COLOURS[1] if share > 0.5 else plots.COLOURS[0])
        ax.set(title=name, xlabel=f"bin of z{by_tone + 1}")
    axes[0].set_ylabel("share of the faces drawn")
    axes[0].bar([0], [0], color=plots.COLOURS[1], hatch="//", label="bins in which most faces are dark")
    fig.legend(frameon=False, loc="outside lower center")
    fig.suptitle("What is drawn how often")
    plots.show(fig, alt=f"Two histograms of a latent: uneven as collected, flatter by {title}.")


def summary(p: Tensor) -> dict[str, float]:
    """Say which share of the draws goes to each rare end, and how many faces are drawn in effect, as a share of all."""
    shares = {f"{name}": p[is_rare(factors, name)].sum().item() for name in SKEW}
    return shares | {"in effect": effective_sample_size(p) / len(p)}


by_max = resampling_probabilities(mu)
show_draw(by_max, "drawn by max")
most, least = by_max.argsort(descending=True)[:12], by_max.argsort()[:12]
plots.show(
    plots.image_rows({"drawn most": faces[most], "drawn least": faces[least]}, "By max, all latents alike"),
    alt="Twelve faces drawn most often, unusual in many ways, above twelve drawn least often, light and plain.",
)
print("share of the draws:        dark  turned  side-lit   faces in effect")
for name, p in {"drawn alike": torch.full((6000,), 1 / 6000), "max": by_max}.items():
    dark, turned, lit, effective = summary(p).values()
    print(f"{name:>20} {dark:10.2f} {turned:7.2f} {lit:9.2f} {effective:17.2f}")

# %% [markdown]
r"""
Dark faces are drawn several times as often, without anybody having said which they are. Turned ones are not: remember it for section 8. The price stands in
the last column, the **effective sample size** $1 / \sum_i p_i^2$: draws by such probabilities are worth only so many different faces.

### Two ways to do better, or worse

**Weight the latents.** A latent that tells nothing has a histogram too, with rare ends that mean nothing, and by *max* it has as much to
say as any other. You have a number for how much a latent tells: `latent_kl`.

**Multiply.** Why not count all latents at once, as the paper does? Look at the effective sample size.
"""

# %%
by_kl = resampling_probabilities(mu, latent_weights=told)
by_product = resampling_probabilities(mu, combine="product")
print("share of the draws:        dark  turned  side-lit   faces in effect")
for name, p in {"max": by_max, "max, weighted by KL": by_kl, "product": by_product}.items():
    dark, turned, lit, effective = summary(p).values()
    print(f"{name:>20} {dark:10.2f} {turned:7.2f} {lit:9.2f} {effective:17.4f}")
favourites = by_product.argsort(descending=True)[:12]
print(f"twelve faces of 6,000 take {by_product[favourites].sum():.0%} of all draws by product")
plots.show(
    plots.image_rows({"drawn most": faces[favourites]}, "The product's favourites"),
    alt="The twelve faces that the product draws most often.",
)

# %% [markdown]
r"""
### Question: the product

The untempered product gives nearly all its draws to a handful of faces. Why?

- **a**: small numbers underflow; with more digits it would be all right.
- **b**: the smoothing is too small for the number of bins.
- **c**: it multiplies eight ratios, and a face that is a little rare in several of them becomes enormously rare.
"""

# %% question points=1 minutes=2
answer_product = ""  # "a", "b" or "c"

# %%
check(answer_product, exercise="answer_product")

# %% [markdown]
r"""
There is a cure: take a power $p_i^t$ with $t < 1$. For $t = 0$ all faces are alike, for $t = 1$ nothing changes; in between the order stays and the
ratios shrink. Which $t$? The largest at which still, say, a quarter of the faces are drawn in effect.
"""

# %% exercise points=3 minutes=15 difficulty=3
from course.debiasing import temper
# TODO: p^t over its sum, for the largest t in [0, 1] with an effective sample size of at least effective_fraction · N.
# effective_sample_size(p) is given. It falls as t grows: halve an interval.

# %%
check(temper)

# %%
# NBVAL_CHECK_OUTPUT
steep = torch.tensor([0.7, 0.2, 0.05, 0.03, 0.02])
for fraction in (0.2, 0.5, 0.8, 1.0):
    flat = temper(steep, fraction)
    print(f"{fraction}: {effective_sample_size(flat):.2f} of 5 in effect,", [round(p, 3) for p in flat.tolist()])

# %% [markdown]
r"""
For 0.2 nothing must change, since one face in five is all that is asked for; then come 2.5, 4.0 and 5.0 in effect.

### Turn the knobs

Here are functions of the knobs, ready for a slider. They train nothing, they only ask how the draw would look. What do bins and smoothing do?
"""


# %%
def dark_share(bins: int = 10, smoothing: float = 1e-3) -> float:
    """Say which share of the draws goes to dark faces by KL-weighted max."""
    return summary(resampling_probabilities(mu, bins, smoothing, latent_weights=told))["tone"]


def in_effect(bins: int = 10, smoothing: float = 1e-3) -> float:
    """Say how many faces are drawn in effect by KL-weighted max, as a share of all."""
    return summary(resampling_probabilities(mu, bins, smoothing, latent_weights=told))["in effect"]


many_bins, smoothings = [3, 5, 10, 20, 50, 100], [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
for ax, knob, values in ((axes[0], "bins", many_bins), (axes[1], "smoothing", smoothings)):
    for i, (name, of_knob) in enumerate((("share of dark faces drawn", dark_share), ("faces drawn in effect", in_effect))):
        shares = [of_knob(**{knob: value}) for value in values]
        ax.plot(values, shares, color=plots.COLOURS[i], marker=plots.MARKERS[i], label=name)
    ax.set(xscale="log", xlabel=knob, title=f"the knob: {knob}", ylim=(0, 1.03))
    ax.grid(alpha=0.3)
axes[0].set_xticks(many_bins, [str(number_of) for number_of in many_bins], minor=False)
axes[0].minorticks_off()
axes[0].set_ylabel("share")
axes[0].legend(frameon=False)
plots.show(fig, alt="Curves of the dark faces' share and of the effective share over bins and over smoothing.")

# %% [markdown]
r"""
More smoothing flattens the draw: at 1.0 every face counts nearly the same. Very few bins put rare faces in with common ones; very many thin bins are
all alike once they are smoothed; both flatten the draw, too. The knobs trade rarity against variety. Which setting is best? Hold that question until the table.

## 5. Train on the fair draw

The same network, the same 600 steps. Only the draw is different: by max, weighted by KL, estimated anew every hundred steps.
"""


# %%
def weigh_by_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Give each face its probability: by max, each latent weighted by what it tells."""
    return resampling_probabilities(mu, latent_weights=latent_kl(mu, logvar))


fair, fair_p = train_detector(faces, others, weigh_by_kl, seed=SEED)
both = {"DB-VAE, drawn alike": plain, "DB-VAE, rare ones more often": fair}
recalls = report(both, "The same network, another draw")
worst = {name: recall.min().item() for name, recall in recalls.items()}
alarms = {name: (encode_all(model, test_others)[0] > 0).float().mean().item() for name, model in both.items()}
for name in both:
    print(f"{name:>30}: worst group {worst[name]:.2f}, mean {recalls[name].mean():.2f}, false alarms {alarms[name]:.2f}")
live_gain = worst["DB-VAE, rare ones more often"] - worst["DB-VAE, drawn alike"]

# %% [markdown]
r"""
You should see the dark groups move far to the right. The light ones stay nearly where they were, or lose a few hundredths.

One run proves nothing. So here is everything at once.

## 6. The table

Five seeds, each with training and test images of its own; the mean, and a 95 % interval for it (Student's t, five runs). It was measured once, with the
functions of this notebook, and is stored with the course (`python benchmarks/lab3_debiasing.py` measures it again).
"""

# %%
measured = json.loads(files("course.labs.lab3_debiasing").joinpath("benchmark.json").read_text())["rows"]


def column(arm: str, of_row: Callable[[dict], float]) -> list[float]:
    """Return a number of each of an arm's five runs."""
    return [of_row(row) for row in measured if row["arm"] == arm]


def with_interval(values: list[float]) -> tuple[float, float]:
    """Return the mean of five runs, and half the width of its 95 % interval."""
    spread = torch.tensor(values).std().item()
    return sum(values) / len(values), 2.776 * spread / math.sqrt(len(values))


COLUMNS = {
    "worst group": lambda row: min(row["recall"]),
    "worst dark": lambda row: min(row["recall"][4:]),
    "at equal alarms": lambda row: min(row["recall_at_equal_alarms"][4:]),
    "false, dark": lambda row: row["false_positives"][1],
    "AUROC, dark": lambda row: row["auroc_of_the_rare"],
    "balanced": lambda row: row["balanced_accuracy"],
    "in effect": lambda row: row["effective_share"],
}


def show_table(arms: list[str], columns: list[str]) -> None:
    """Print arms against columns: mean and half-width of the interval."""
    print(f"{'':34}" + "".join(f"{name:>17}" for name in columns))
    for arm in arms:
        cells = [with_interval(column(arm, COLUMNS[name])) for name in columns]
        print(f"{arm:>34}" + "".join(f"{mean:.3f} ± {half:.3f}".rjust(17) for mean, half in cells))


ARMS = ["classifier", "no resampling", "max", "max, weighted by KL", "product, tempered", "shuffled weights", "pixel PCA",
        "oracle (knows the tone)"]
show_table(ARMS, ["worst group", "worst dark", "balanced", "in effect"])
fig, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
for i, arm in enumerate(ARMS):
    runs = column(arm, COLUMNS["worst group"])
    mean, half = with_interval(runs)
    ax.plot(runs, [i + 0.25] * len(runs), "o", markersize=4, color=plots.COLOURS[0], label="one run" if i == 0 else None)
    ax.errorbar(mean, i, xerr=half, color=plots.COLOURS[3], marker="D", capsize=4, label="mean, 95 % interval" if i == 0 else None)
ax.set_yticks(range(len(ARMS)), ARMS)
ax.set(title="Recall of the worst of eight groups, five runs", xlabel="recall")
ax.invert_yaxis()
ax.grid(alpha=0.3)
ax.legend(frameon=False)
plots.show(fig, alt="Recall of the worst group for eight ways of training, with intervals.")


def gain_of(before: str, after: str, name: str = "worst group") -> tuple[float, float]:
    """Compute the gain in a column, run by run: its mean and the half-width of its interval."""
    runs = zip(*(column(arm, COLUMNS[name]) for arm in (after, before)), strict=True)
    return with_interval([ours - base for ours, base in runs])


gain, gain_half = gain_of("no resampling", "max, weighted by KL")
print(f"gain of KL-weighted max over no resampling, run by run: {gain:+.3f} ± {gain_half:.3f}")

# %% [markdown]
r"""
Read it from the top.

- **Describing alone repairs nothing.** The DB-VAE without resampling fails the same group as the classifier: two of three faces are missed.
- **Resampling doubles the worst recall**, from 0.32 to about 0.65, by any of the three rules. Weighting by KL comes out first, but look at the
  intervals: with eight latents, and five runs, the three rules cannot be told apart. What can: all three from *no resampling*.
- **The oracle** was told which faces are dark, and draws half dark ones. It finds more of the dark than anybody. But its worst group is now a *light* one:
  turned, in side light, down from 0.74 to 0.61. Half of all draws come from 300 dark faces, and what is left must do for all else that is unusual.
- **On balance it costs nothing.** Balanced accuracy, over all groups and the non-faces, rises by more than 0.07, though only a fifth of the faces is drawn
  in effect. Who pays, group by group, comes in a moment.

The budget is part of the result: 600 steps. Rare faces are seen rarely *per step*. What if there were three times as many steps?
"""

# %%
show_table(["1,800 steps, no resampling", "1,800 steps, weighted by KL"], ["worst group", "balanced", "in effect"])
late_gain, late_half = gain_of("1,800 steps, no resampling", "1,800 steps, weighted by KL")
print(f"gain after   600 steps: {gain:+.3f} ± {gain_half:.3f}")
print(f"gain after 1,800 steps: {late_gain:+.3f} ± {late_half:.3f}")

# %% [markdown]
r"""
**The effect shrinks as training goes on**, from both sides. Without resampling the worst group gains a little. With it, the worst group *loses* some of what
it had: a detector that has seen the few rare faces many times over learns them by heart, and no draw makes new ones. So resampling is first aid for a short training on
unequal data. More rare faces would be the cure.

And group by group, after 600 steps?
"""

# %%
print(f"{'recall of':>26}   no resampling   weighted by KL   difference")
for k, name in enumerate(GROUPS):
    base, ours = (column(arm, lambda row, k=k: row["recall"][k]) for arm in ("no resampling", "max, weighted by KL"))
    change, half = with_interval([after - before for before, after in zip(base, ours, strict=True)])
    print(f"{name:>26} {sum(base) / 5:15.3f} {sum(ours) / 5:16.3f}   {change:+.3f} ± {half:.3f}")

# %% [markdown]
r"""
Each of the four dark groups gains 0.31 to 0.40. Of the four light groups none changes by more than its interval; turned ones in soft light may lose a little.
So here the others do not pay. Do not expect that everywhere: a fifth of the faces in effect is fewer light faces, too.

## 7. What is the improvement owed to?

Ask three questions of every such table.

**Is it the latents, or just unequal weights?** The *shuffled* arm draws with the very same probabilities, handed to the wrong faces. It is
as bad as no resampling at all. So it is not the unequal weights; it is *which* faces get them.

**Is it the VAE?** The *pixel PCA* arm never asks the network: it takes the eight principal components of the pixels. It brings
about half of the gain, with no network. The two hardly agree about single faces (the correlation below is small), yet both find dark ones. So what is
the VAE for? Here it finds more of them, and you can ask it, by a traversal, what it takes for rare. With other data PCA may do as well. Always run the simple
thing too.

**Is it better recognition, or a lower bar?** A detector that says "face" more readily of everything dark has a better recall there. And more false alarms.
So compare once more *at equal alarms*: dark images get a bar of their own and light ones get theirs, each where 10 % of that side's non-faces pass for faces.
Whoever only lowers the bar for the dark gains nothing here.
"""

# %%
show_table(["no resampling", "max, weighted by KL", "product, tempered", "oracle (knows the tone)"],
           ["worst dark", "false, dark", "at equal alarms", "AUROC, dark"])
for name in ("worst dark", "at equal alarms", "AUROC, dark"):
    print("gain of KL-weighted max, {}: {:+.3f} ± {:.3f}".format(name, *gain_of("no resampling", "max, weighted by KL", name)))
torch.manual_seed(SEED)
flat = faces.flatten(1) - faces.flatten(1).mean(dim=0)
components = flat @ torch.pca_lowrank(flat, q=8, center=False, niter=4)[2]
by_pca = resampling_probabilities(components)
agreement = torch.corrcoef(torch.stack([by_max.log(), by_pca.log()]))[0, 1].item()
print(f"correlation of log p by the VAE's latents (max) and by eight principal components: {agreement:.2f}")

# %% [markdown]
r"""
The false alarms among dark non-faces more than double, from 0.03 to 0.075: the bar for dark images was lowered. At equal alarms the worst dark group still
gains, but 0.07 and not 0.35; and the area under the curve of the dark, which knows no bar at all, rises by little more than 0.01.

### Question: what does this second table say?

- **a**: all of the gain is a shift of the threshold.
- **b**: most of it is a shift (more false alarms among the dark), and a small part is better recognition (more found at equal alarms).
- **c**: all of it is better recognition; nothing was paid.
"""

# %% question points=1 minutes=3
answer_calibration = ""  # "a", "b" or "c"

# %%
check(answer_calibration, exercise="answer_calibration")

# %% [markdown]
r"""
Is a lower bar worth nothing, then? It was too high for the dark. But to set a bar for each tone, somebody must know the tone of every image; resampling moves
it without asking. Say only what it is: mostly a repaired bar, and a little more skill.

### The bias is a confound

One more toggle. So far the non-faces were evenly toned, evenly turned and evenly lit. Give them the *same* skew as the faces, 5 % dark and so on. The
faces are as few as before.
"""

# %%
show_table(["no resampling", "max, weighted by KL", "skewed non-faces, no resampling", "skewed non-faces, weighted by KL"],
           ["worst group", "balanced", "false, dark", "AUROC, dark"])

# %% [markdown]
r"""
Now the worst group is found at 0.72 **without** any resampling, and resampling adds nothing that five runs could show. As few dark faces as before! What had
hurt was not that they are few alone, but that tone told something about the answer.

Nothing is *recognised* better, though: the area of the dark is smaller, if anything, for of dark non-faces the detector has now seen few as well, and it takes
more of them for faces. What has gone is the prejudice. So before you resample faces, look at the other class. The cheapest repair of the bar may be there.

### Question: why does the toggle matter?

- **a**: with even non-faces, a dark image is probably none, so tone itself speaks against a face; with equal skews it says nothing.
- **b**: with skewed non-faces the detector sees more dark faces.
- **c**: the test set is easier after the toggle.
"""

# %% question points=1 minutes=3
answer_confound = ""  # "a", "b" or "c"

# %%
check(answer_confound, exercise="answer_confound")

# %% [markdown]
r"""
### Who chose the knobs?

No attribute label is used in training. But bins, smoothing, the rule, the number of steps: somebody chose them, looking at recall by group. The authors of the
paper did, and so did we. That is using the labels, once removed.

What can be chosen *without* labels? A validation set that is drawn like the training set shows only the average:
"""

# %%
COLUMNS["validation accuracy"] = lambda row: row["validation_accuracy"]
show_table(ARMS[:5], ["validation accuracy", "worst group"])

# %% [markdown]
r"""
By this number all are alike, and the two that fail the worst group most are, by a hair, the two best. Whoever chooses by the average chooses against the
rare. There is no way round it: to know whether a group is served, somebody must know the group, at least in a small test set.

## 8. When it fails

It finds what is rare *in the latents*. The latents hold what is large in the picture. So what if the rare attribute is not?

Two more training sets: faces of all tones of which 5 % stand before a **busy** ground, and faces of which 5 % are **turned**; the non-faces are even in both.
Train once without resampling, and ask only: *which share of the draws would the rare ones get?*
"""

# %%
def show_share(says: str, model: DBVAE, few: Tensor, rare: Tensor, arm: str) -> None:
    """Print which share of the draws the rare faces would get, here and in the five measured runs."""
    share = weigh_by_kl(*encode_all(model, few)[1:])[rare].sum()
    runs, half = with_interval(column(arm, lambda row: row["rare_would_get"]))
    print(f"{says:>13}: {share:.2f}   (five measured runs: {runs:.3f} ± {half:.3f})")


print("share of the draws that the rare 5 % would get, before any resampling:")
show_share("dark faces", plain, faces, is_rare(factors, "tone"), "no resampling")
for name, says in (("clutter", "busy grounds"), ("yaw", "turned heads")):
    few, few_factors = draw(6000, 10 * SEED + 1, {name: 0.05})  # every other factor is drawn as it comes
    even_others, _ = draw(6000, 10 * SEED + 2, {name: 0.5}, faces=False)
    untouched, _ = train_detector(few, even_others, seed=SEED)
    show_share(says, untouched, few, is_rare(few_factors, name), f"{says}, no resampling")

# %% [markdown]
r"""
### Question: predict

Will resampling help the busy ones? The turned ones? And what tells you so *before* you train again?

- **a**: the share that the rare ones would get: what it hardly draws more often, it can hardly help.
- **b**: the recall of the rare group before: the worse it is, the more resampling helps.
- **c**: the reconstruction error: if all groups are rebuilt equally well, resampling helps all.

Write your prediction down for both sets, then run the cell after the check.
"""

# %% question points=1 minutes=5
answer_predict = ""  # "a", "b" or "c"

# %%
check(answer_predict, exercise="answer_predict")

# %%
for says in ("busy grounds", "turned heads"):
    pair = [f"{says}, no resampling", f"{says}, weighted by KL"]
    found = [column(arm, lambda row: row["recall"][1]) for arm in pair]
    share = with_interval(column(pair[1], lambda row: row["drawn_rare"]))[0]
    change, half = with_interval([after - base for base, after in zip(*found, strict=True)])
    print(f"{says}: recall {sum(found[0]) / 5:.2f} without; {change:+.3f} ± {half:.3f} with, at a share of {share:.2f} in the end")

# %% [markdown]
r"""
Dark faces were promised more than three times their 5 %, and in the end got a quarter of the draws. The other two were promised once and a half their due at
most, over five runs, and got some 6 %. (A single run may promise twice as much. Ask several.) And so next to nothing changes: nothing for the busy grounds, 0.02 for
the turned heads. Note that the turned ones *need* help more than the busy ones do: nearly half of them are missed.

A busy ground is a pattern that differs from image to image, and no handful of numbers can hold it; what little the latents keep is its average colour. A turn
moves a few features by a few pixels, which a mean absolute error hardly notices. **Resampling by latents finds rare pixels, not rare people.** Whether the
group that you care about is a large part of the picture, you must check; the share before training is the check.

### And real faces?

The code takes any images. Where scikit-image is installed (as on Colab), the next cell takes its 200 grey crops of *Labeled Faces in the Wild*: 100 faces and 100
pieces of background. First the detector that has only seen drawings looks at them; then one is trained on 70 real faces and 70 pieces of background.
"""

# %%
if find_spec("skimage") is None:
    print("scikit-image is not installed here: pip install scikit-image, then run this cell again.")
else:
    from skimage.data import lfw_subset

    crops = torch.from_numpy(lfw_subset()).float()[:, None]
    real = F.interpolate(crops, size=32, mode="bilinear", antialias=True).expand(-1, 3, -1, -1).contiguous().clamp(0, 1)
    of_drawings = encode_all(fair, real)[0] > 0
    print(f"trained on drawings: recognises {of_drawings[:100].float().mean():.2f} of the real faces, ", end="")
    print(f"and takes {of_drawings[100:].float().mean():.2f} of the background for faces")
    mixed = torch.randperm(100, generator=torch.Generator().manual_seed(SEED))
    for name, weigh in (("drawn alike", None), ("KL-weighted", weigh_by_kl)):
        on_real, _ = train_detector(real[mixed[:70]], real[100 + mixed[:70]], weigh, n=200, seed=SEED)
        said = [(encode_all(on_real, real[start + mixed[70:]])[0] > 0).float().mean() for start in (0, 100)]
        print(f"trained on real crops, {name}: {said[0]:.2f} of the 30 faces left over, {said[1]:.2f} of the background")

# %% [markdown]
r"""
When we measured it, detectors of drawings recognised a fifth to a third of the real faces: what they have learned about drawings says little about photographs. Trained on 140 real
crops, it was right for 0.95 to 1.00 of the 60 others in five splits, **with resampling exactly as without**. And whom does it fail? Nobody can say: the crops come
without groups, and 30 test faces are far too few to be cut into any. That is what real data is like, and why audits such as the Pilot Parliaments Benchmark are work.

## 9. Outliers

Turn the idea round. Of all driving data, 95 % is sunny, straight, and clear; the rest is what hurts. A model that knows the ordinary should be able
to *point* at the rest, so that somebody can look at it.

Our ordinary scenes are heads, real and scrambled, frontal and in soft light. The odd ones are **dark** (night), in **fog**, **occluded** by a block,
**turned**, or **things** that were never in training.
"""

# %%
HEADS = {kind: share for kind, share in NON_FACES.items() if kind not in ("object", "texture")}
KINDS = ["dark", "fog", "occluded", "turned", "things"]


def scenes(n: int, seed: int, kind: str = "ordinary") -> tuple[Tensor, Tensor]:
    """Draw n scenes of one kind, half of them faces: images (n, 3, 32, 32), and which ones are faces (n,)."""
    generator = torch.Generator().manual_seed(seed)
    rare = {"yaw": float(kind == "turned"), "strength": 0.0}
    real, _ = sample_faces(n // 2, generator, rare=rare)
    false, _ = sample_faces(n - n // 2, generator, kinds={"object": 1.0} if kind == "things" else HEADS, rare=rare)
    images = false if kind == "things" else torch.cat([real, false])
    if kind == "dark":
        images = 0.2 * images
    elif kind == "fog":
        images = 0.25 * images + 0.75 * 0.8
    elif kind == "occluded":
        for image in images:  # a block of one colour, somewhere on the head
            top, left = torch.randint(8, 18, (2,), generator=generator).tolist()
            image[:, top : top + 9, left : left + 9] = torch.rand(3, 1, 1, generator=generator)
    return images, torch.arange(len(images)) < (0 if kind == "things" else n // 2)


ordinary, ordinary_faces = scenes(6000, 100 + SEED)
fresh, fresh_faces = scenes(1000, 200 + SEED)
odd = {kind: scenes(1000, 300 + 10 * SEED + i, kind) for i, kind in enumerate(KINDS)}
rows = {"ordinary": ordinary[2995:3005]} | {kind: torch.cat([images[:5], images[-5:]]) for kind, (images, _) in odd.items()}
plots.show(
    plots.image_rows(rows, "Ordinary scenes, and five kinds of odd ones"),
    alt="Six rows of scenes: ordinary heads, dark ones, ones in fog, with a block on them, turned heads, and things.",
)

# %% [markdown]
r"""
The VAE of lab 2 gives each image a price: how much the reconstruction costs, plus how much the code costs. In nats; and for images of zeros and ones it is, up
to the averaging over codes, a bound on how *unlikely* the image is. So let the price be the score.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.debiasing import outlier_scores
# TODO: for each image bernoulli_nll + gaussian_kl of lab 2, with the code's mean for z.
# Eval mode, no gradients; and the model's mode as you found it.

# %%
check(outlier_scores)

# %%
# NBVAL_CHECK_OUTPUT
encoder = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 2))
glass = VAE(encoder, nn.Sequential(nn.Linear(1, 4), nn.Unflatten(1, (1, 2, 2))), latent_dim=1)
for parameter in glass.parameters():
    nn.init.constant_(parameter, 0.5)
grey, white = torch.full((1, 1, 2, 2), 0.5), torch.ones(1, 1, 2, 2)
print("scores:", [round(score, 3) for score in outlier_scores(glass, torch.cat([grey, white])).tolist()])
print("training mode:", glass.training)

# %% [markdown]
r"""
You should read 5.624 and 8.107, and that the model is in training mode as it was.

How good is a score? Draw the **ROC curve**: for every threshold, which share of the odd images lies above it, against which share of the ordinary ones. The
**area** under it has a plain meaning: take an odd image and an ordinary one at random; how often does the odd one score higher?
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.metrics import auroc
# TODO: the share of (outlier, ordinary) pairs in which the outlier scores higher; a tie counts one half. A Python float.

# %%
check(auroc)

# %%
# NBVAL_CHECK_OUTPUT
few = torch.tensor([1.0, 2.0, 2.0, 3.0, 5.0])
for outliers in ([0, 0, 0, 1, 1], [0, 1, 0, 1, 0], [1, 1, 0, 0, 0]):
    print(outliers, f"{auroc(few, torch.tensor(outliers, dtype=torch.bool)):.3f}")

# %% [markdown]
r"""
A perfect score is 1.000, the mixed one 0.583 (one tie), the last one 0.083: worse than a coin.

Train a VAE on the ordinary scenes, then score all kinds.
"""


# %%
def train_vae(images: Tensor, n: int, seed: int) -> VAE:
    """Train the VAE of lab 2, with convolutions and 16 latents."""
    seed_everything(seed)
    model = VAE(conv_encoder(SHAPE, 32, width=16), conv_decoder(16, SHAPE, width=16), 16).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    state = {"model": model, "optimizer": optimizer}
    fit(lambda x: train_step(model, x, optimizer), minibatches(images), steps(n), state=state, decay=True, seed=seed)
    return model.eval()


def score_all(images: Tensor) -> Tensor:
    """Score many images in batches."""
    return torch.cat([outlier_scores(vae, batch.to(device)).cpu() for batch in images.split(500)])


vae = train_vae(ordinary, 1000, SEED)
usual = score_all(fresh)
unusual = {kind: score_all(images) for kind, (images, _) in odd.items()}
areas = {
    kind: auroc(torch.cat([usual, scores]), torch.arange(len(usual) + len(scores)) >= len(usual))
    for kind, scores in unusual.items()
}
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
thresholds = torch.cat([usual, *unusual.values()]).quantile(torch.linspace(0, 1, 200))
for i, (kind, scores) in enumerate(unusual.items()):
    style = {"color": plots.COLOURS[i], "marker": plots.MARKERS[i], "markersize": 4}
    above = [(scores > t).float().mean().item() for t in thresholds]
    false = [(usual > t).float().mean().item() for t in thresholds]
    left.plot(false, above, markevery=25, label=f"{kind}: {areas[kind]:.2f}", **style)
    heights, edges = torch.histogram(scores, 40, range=(thresholds[0].item(), thresholds[-1].item()))
    right.plot((edges[1:] + edges[:-1]) / 2, heights, markevery=5, label=kind, **style)
heights, edges = torch.histogram(usual, 40, range=(thresholds[0].item(), thresholds[-1].item()))
right.plot((edges[1:] + edges[:-1]) / 2, heights, color="black", linewidth=2.5, linestyle="--", label="ordinary")
left.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=1)
left.set(title="ROC curves, and their areas", xlabel="ordinary scenes above the threshold", ylabel="odd scenes above it")
right.set(title="the scores", xlabel="score (nats)", ylabel="scenes")
left.legend(frameon=False, fontsize=8, loc=(0.33, 0.08))
right.legend(frameon=False, fontsize=8, loc=(0.55, 0.6))
for ax in (left, right):
    ax.grid(alpha=0.3)
plots.show(fig, alt="ROC curves of five kinds: fog far below the diagonal, dark at the top; and histograms of the scores.")

# %% [markdown]
r"""
You should see the dark scenes far out on the right: nothing like them was ever seen, and every head is rebuilt too bright. Things and blocks score
above an ordinary scene more often than not; turned heads are hardly told from frontal ones.

And **fog is found worse than by a coin**, much worse: nearly every foggy scene scores *below* the ordinary ones, as if it were the most likely of all. Yet the
VAE has never seen fog. Take the price apart, with the least that any model could pay for the image as its first part: the floor.
"""

# %%
with torch.no_grad():
    for kind, images in (("ordinary", fresh), ("fog", odd["fog"][0]), ("dark", odd["dark"][0])):
        x = images[:500].to(device)
        mu_x, logvar_x = vae.encode(x)
        x_logits = vae.decode(mu_x)
        floor = torch.special.entr(x) + torch.special.entr(1 - x)  # what a perfect reconstruction would cost
        error = (x_logits.sigmoid() - x).abs().mean()
        nll, kl, least = bernoulli_nll(x_logits, x).mean(), gaussian_kl(mu_x, logvar_x).mean(), floor.flatten(1).sum(1).mean()
        print(f"{kind:>9}: score {nll + kl:6.0f} = floor {least:6.0f} + misfit {nll - least:5.0f} + code {kl:4.0f};  error {error:.3f}")

# %% [markdown]
r"""
### Question: why are foggy scenes "likely"?

- **a**: the VAE has learned fog, and rebuilds it as well as ordinary scenes.
- **b**: their codes lie nearer to the prior, and that outweighs everything else.
- **c**: their pixels cost less even if all is well: the cross-entropy of a pixel has a floor that depends on the pixel.
"""

# %% question points=1 minutes=3
answer_simple = ""  # "a", "b" or "c"

# %%
check(answer_simple, exercise="answer_simple")

# %% [markdown]
r"""
The floor is our own making: a cross-entropy of grey values is no likelihood. But a true one does not save you, either: models with exact densities are known to
rate *simple* images of another kind likelier than those that they were trained on (Nalisnick et al., 2019). A cure for ours: subtract the floor. What is left is
the misfit and the code.
"""


# %%
def misfit(images: Tensor) -> Tensor:
    """Score an image by its price, less what a perfect reconstruction would cost."""
    floor = torch.special.entr(images) + torch.special.entr(1 - images)
    return score_all(images) - floor.flatten(1).sum(dim=1)


usual_misfit = misfit(fresh)
odd_misfit = {kind: misfit(images) for kind, (images, _) in odd.items()}
repaired = {
    kind: auroc(torch.cat([usual_misfit, scores]), torch.arange(len(usual_misfit) + len(scores)) >= len(usual_misfit))
    for kind, scores in odd_misfit.items()
}
print("AUROC            " + "".join(f"{kind:>10}" for kind in KINDS))
print("the price        " + "".join(f"{areas[kind]:10.2f}" for kind in KINDS))
print("less the floor   " + "".join(f"{repaired[kind]:10.2f}" for kind in KINDS))

# %% [markdown]
r"""
Fog is found now, and the blocks better than before. The turned heads stay hard: their pixels are nothing special. As in section 8.

(Was that cheating? We chose the cure after seeing which kind went wrong. A new kind may go wrong again. Keep a few odd scenes aside that nobody looks at.)

### Use what you have found

A detector was trained on the ordinary scenes. Now a camera sends 4,000 new ones without labels; 8 % are odd, of the first four kinds (no things). Somebody can label 300 of them. Which? Either 300 at
random, or the 300 with the highest scores (the mended ones, less the floor). They are added to the training set (each ten times, since they are few), and the detector is trained again.
"""

# %%
stream = [scenes(3680, 400 + SEED)] + [scenes(80, 500 + 10 * SEED + i, kind) for i, kind in enumerate(KINDS[:4])]
stream_images, stream_faces = torch.cat([s[0] for s in stream]), torch.cat([s[1] for s in stream])
came_as = torch.cat([torch.full((len(s[0]),), i) for i, s in enumerate(stream)])
chosen = {
    "300 at random": torch.randperm(len(stream_images), generator=torch.Generator().manual_seed(SEED))[:300],
    "300 highest scores": misfit(stream_images).argsort(descending=True)[:300],
}
detectors = {"nothing added": train_classifier(ordinary, ordinary_faces, seed=SEED)}
for name, picked in chosen.items():
    more, more_faces = stream_images[picked].repeat(10, 1, 1, 1), stream_faces[picked].repeat(10)
    detectors[name] = train_classifier(torch.cat([ordinary, more]), torch.cat([ordinary_faces, more_faces]), seed=SEED)
    print(f"{name}: " + ", ".join(f"{int((came_as[picked] == i + 1).sum())} {kind}" for i, kind in enumerate(KINDS[:4])))
accuracy = {
    name: [
        ((encode_all(model, images)[0] > 0) == truth).float().mean().item()
        for images, truth in [(fresh, fresh_faces)] + [odd[kind] for kind in KINDS[:4]]
    ]
    for name, model in detectors.items()
}
fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
for i, (name, values) in enumerate(accuracy.items()):
    style = {"color": plots.COLOURS[i], "marker": plots.MARKERS[i], "linestyle": "none", "markersize": 8}
    ax.plot([place + 0.12 * (i - 1) for place in range(5)], values, label=name, **style)
ax.set_xticks(range(5), ["ordinary", *KINDS[:4]])
ax.set(title="Is it a face? Accuracy by kind of scene", ylabel="accuracy", ylim=(0.45, 1.02))
ax.grid(alpha=0.3)
ax.legend(frameon=False)
plots.show(fig, alt="Accuracy by kind of scene for three detectors: the one with found outliers is best on odd scenes.")
over_odd = {name: sum(values[1:]) / 4 for name, values in accuracy.items()}
print("mean accuracy over the four odd kinds: " + ", ".join(f"{name} {value:.3f}" for name, value in over_odd.items()))

# %% [markdown]
r"""
You should see three things. The found scenes are mostly odd ones, many times more than chance brings. Training on them repairs the dark and the foggy scenes, where
the first detector was little better than a coin. (For the dark ones a handful of random examples did most of it, too.)

And two kinds are not repaired. Turned heads are hardly ever found. Blocks are found, but a few dozen do not teach what may hide behind a block. To *find* is not
yet to *mend*.

## 10. What VAEs gave you

- They **compress**: a picture of 3,072 numbers to eight or sixteen.
- They **reconstruct without labels**: nobody said what tone, hair or ground is.
- They train **end to end**, even while the same network answers a question, and even while its own codes decide what it sees next.
- They can be **interpreted by perturbation**: you moved a latent and saw what it stands for; and you saw what stands for nothing.
- They **generate**, and what they generate tells how ordinary an image is; except for what they think too simple.

And they are no judge. A VAE finds rare *pixels*. Which groups of people must be served equally well is not in the pixels; somebody must ask, and count.

### Does it hold?

The next cell holds your models, and the measured table, against bars that every one of five seeds cleared when the course measured them.
"""

# %%
balanced = [
    with_interval(column(arm, COLUMNS["balanced"]))[0] for arm in ("no resampling", "max, weighted by KL")
]
bar("gain in the worst group's recall, KL-weighted, mean of five seeds", gain, above=0.15)
bar("lower end of that gain's 95 % interval", gain - gain_half, above=0.0)
bar("balanced accuracy: what KL-weighted max adds, mean of five seeds", balanced[1] - balanced[0], above=0.0)
bar("gain in the worst group's recall, this run", live_gain, above=0.15)
bar("correlation of tone with the latent that follows it", table[0].max().item(), above=0.7)
bar("AUROC of foggy scenes by the price (the kind it gets wrong)", areas["fog"], below=0.25)
bar("AUROC of foggy scenes, less the floor", repaired["fog"], above=0.9)
bar("accuracy on odd scenes: found outliers over nothing added", over_odd["300 highest scores"] - over_odd["nothing added"], above=0.1)
bar("accuracy on odd scenes: found outliers over random ones", over_odd["300 highest scores"] - over_odd["300 at random"], above=0.05)

# %% [markdown]
r"""
### Hand it in

`progress()` shows where you stand. Then save the notebook and hand in the `.ipynb` file: on Colab **File › Download › Download .ipynb**,
in JupyterLab **File › Download**. Upload it where your course asks for it, under the name it has.
"""

# %%
progress()
