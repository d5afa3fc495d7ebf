# %% [markdown]
r"""
# Lab 0: generative modelling

Show somebody a few hundred points, and ask: *draw me another one*. To do that well they must have understood where points like to
lie. That is generative modelling: learn a distribution $p_{\text{model}}$ that is close to the one that made the data,
$p_{\text{data}}$, from samples alone.

In this lab you write three models that need no network, and two ways to draw from them. You measure how close each comes to
the truth, as a number. And in a cave you find out what the word *latent* means.

**You need:** tensors in PyTorch, the normal distribution. **You will be able to:** estimate a density, judge it by points that it has not
seen, draw samples from it, and say what data alone can never tell.
"""

# %% setup
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from course import check, hint, plots, progress, start
from course.data.glyphs import sample_glyphs
from course.labs.budget import bar, seed_of_run, steps
from course.networks import mlp_decoder, mlp_encoder
from course.training import fit, minibatches, pick_device, seed_everything
from course.vae import VAE, train_step

start("lab0_generative_modeling")
SEED = seed_of_run()  # 0; try another one when you are through: what changes, and what does not?
device = pick_device()

# %% [markdown]
r"""
## 1. A riddle

Below are three images of the character 3. Two were set in a font, bent a little, and turned into pixels. The third one was never set in
any font: a small network, which learns here and now from 4,000 threes, made it up. (It takes ten seconds. The network is a VAE, the
hero of lab 2.)
"""

# %%
threes, _, _ = sample_glyphs(4_000, torch.Generator().manual_seed(1), characters="3")
unseen_threes, _, _ = sample_glyphs(500, torch.Generator().manual_seed(2), characters="3")
SHAPE = tuple(threes.shape[1:])
seed_everything(SEED)
painter = VAE(mlp_encoder(SHAPE, 16, hidden=256), mlp_decoder(8, SHAPE, hidden=256), 8).to(device)
optimizer = torch.optim.Adam(painter.parameters(), lr=1e-3)
fit(
    lambda x: train_step(painter, x, optimizer),
    minibatches(threes),
    steps(1500),
    state={"model": painter, "optimizer": optimizer},
    decay=True,
    seed=SEED,
)
drawings = painter.sample(200).cpu()
fakes, reals = (images.flatten(1) for images in (drawings, threes))
fakes, reals = (flat / flat.norm(dim=1, keepdim=True) for flat in (fakes, reals))  # same brightness
to_training_set = torch.cdist(fakes, reals).min(dim=1).values
three = [*unseen_threes[:2]]
three.insert(sum(map(ord, "riddle")) % 3, drawings[to_training_set.argmin()])  # no peeping
three = (0.5 + 1.7 * (torch.stack(three) - 0.5)).clamp(0, 1)  # more contrast, for all of them
plots.show(
    plots.image_rows({"": three}, "Which one is fake?", column_titles=("a", "b", "c"), size=1.6),
    alt="Three images of the digit 3 in a row, called a, b and c. One of them was made up by a network.",
)

# %% [markdown]
r"""
### Question: which one is fake?

- **a**: the left one.
- **b**: the one in the middle.
- **c**: the right one.

Guess before you go on: the cell after the check tells, but only once you have answered.
"""

# %% question points=1 minutes=1
answer_riddle = ""  # "a", "b" or "c"

# %%
check(answer_riddle, exercise="answer_riddle")

# %%
if answer_riddle:
    rows = {
        "rendered": unseen_threes[:10],
        "made up": drawings[:10],
        "the 10 best of 200": drawings[to_training_set.argsort()[:10]],
    }
    plots.show(
        plots.image_rows(rows, "What the network draws, and what we picked from"),
        alt="Three rows of threes: rendered ones are crisp, made up ones blurred, and the ten best of 200 between the two.",
    )
else:
    print("Answer the riddle first: put a letter into answer_riddle above, and run that cell.")

# %% [markdown]
r"""
The first row is rendered, the second made up. The made-up ones are blurred: seen in a row you can tell them apart easily. The
riddle was hard because we *picked*: of 200 drawings we took the one that looks most like a training image, brightness apart, and raised the
contrast of all three. Remember that when somebody shows you one splendid sample.

So looking is not enough. We want numbers, and for numbers we begin with something simpler than images: points.

## 2. With labels, and without

One set of points, seen twice. On the left each point $x$ carries a label $y$, and we ask: given $x$, which $y$? That is **supervised**
learning; its answer is $p(y \mid x)$. (Here the labelled points simply vote, the near ones with more
weight.) On the right the labels are gone. What is left to learn is where the points lie,
$p(x)$. That is **unsupervised** learning.
"""

# %%
turn = torch.linspace(0, math.pi, 16)
upper = torch.stack([turn.cos(), turn.sin()], dim=1)
lower = torch.stack([1 - turn.cos(), 0.5 - turn.sin()], dim=1)
arc_points = torch.cat([upper, lower])  # two arcs of 16 small heaps each: we know the density
true_arcs = MixtureSameFamily(
    Categorical(torch.ones(32) / 32),
    MultivariateNormal(arc_points, 0.12**2 * torch.eye(2).expand(32, 2, 2)),
)
torch.manual_seed(SEED)
label = (torch.arange(600) % 2).long()  # 0: upper arc, 1: lower arc
arcs = arc_points[torch.randint(16, (600,)) + 16 * label] + 0.12 * torch.randn(600, 2)
unseen_arcs = true_arcs.sample((2_000,))
star = torch.tensor([[-1.3, 1.6]])

X_RANGE, Y_RANGE = (-2.0, 3.0), (-1.5, 2.0)
across, up = torch.linspace(*X_RANGE, 126), torch.linspace(*Y_RANGE, 88)
grid = torch.cartesian_prod(up, across).flip(1)  # (88 * 126, 2), row by row


def probability_of_lower(points: Tensor) -> Tensor:
    """Let the labelled points vote, the near ones with more weight: p(y = lower | x), (M,)."""
    weights = torch.softmax(-torch.cdist(points, arcs).square() / (2 * 0.2**2), dim=1)
    return weights @ label.float()


def draw_map(ax, values: Tensor, title: str, top: float, cmap: str = "Blues"):
    """Draw values on the grid as a map, from 0 (white) to top."""
    ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return ax.imshow(
        values.reshape(88, 126),
        origin="lower",
        extent=(*X_RANGE, *Y_RANGE),
        cmap=cmap,
        vmin=0,
        vmax=top,
    )


fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.3), layout="constrained")
shown = draw_map(left, probability_of_lower(grid), "supervised: p(y = lower | x)", 1.0, "RdBu")
fig.colorbar(shown, ax=left, label="probability of the lower arc", shrink=0.8)
for y, name in enumerate(("upper arc", "lower arc")):
    style = {"color": plots.COLOURS[(3, 0)[y]], "marker": plots.MARKERS[y], "edgecolors": "white"}
    left.scatter(*arcs[label == y].T, s=14, linewidths=0.4, label=name, **style)
squares = right.hist2d(*arcs.T.numpy(), bins=(40, 28), range=(X_RANGE, Y_RANGE), cmap="Blues")
fig.colorbar(squares[3], ax=right, label="points in the square", shrink=0.8)
right.set(title="unsupervised: where are points?", xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
for ax in (left, right):
    ax.scatter(*star.T, s=150, marker="*", color="black", label="the star")
left.legend(loc="lower left", fontsize=8)
right.legend(loc="lower left", fontsize=8)
fig.suptitle("One data set, seen twice")
plots.show(
    fig,
    alt="Left: two interlocking arcs of points with different markers, and a map of the probability of the lower arc. "
    "Right: the same points without labels, counted in squares. A star lies far away from all points, at the upper left.",
)

# %% [markdown]
r"""
### Question: the star

A new point arrives, the black star. It lies far from everything that was ever seen. Which of the two models can say so?

- **a**: the right one: hardly any data lies there, while the left one is quite sure of the label.
- **b**: the left one: so far from the points, its probability is near ½.
- **c**: neither of them, unless somebody labels points as unusual.
"""

# %% question points=1 minutes=2
answer_star = ""  # "a", "b" or "c"

# %%
check(answer_star, exercise="answer_star")

# %%
print(
    f"supervised: the star belongs to the upper arc with probability {1 - probability_of_lower(star).item():.3f}"
)
near = (torch.cdist(star, arcs) < 0.5).sum().item()
print(f"unsupervised: {near} of the 600 points lie within 0.5 of the star")

# %% [markdown]
r"""
### Why it matters

**Outliers.** Of the hours that a car's camera has recorded, perhaps 95 % are sunny, straight and on a motorway. The rest is what hurts. A
model of $p(x)$ knows when it meets the rest; the left map answers with full confidence.

**Debiasing.** A set of faces may hold a thousand of one tone, seen from the front, for each one of another. Whoever knows $p(x)$ knows what is rare
in the data, and can show it to the learner more often. No labels needed.

Both are in lab 3, measured. First we need a $p(x)$.

## 3. Count

We begin on a line. The picture shows 200 points as ticks, and as a dashed line the density that they were drawn from. You see the
dashed line because we made the data. A model sees the ticks.
"""

# %%
truth = MixtureSameFamily(
    Categorical(torch.tensor([0.45, 0.35, 0.20])),
    Normal(torch.tensor([-2.0, 0.5, 3.0]), torch.tensor([0.35, 1.0, 0.25])),
)
LOW, HIGH = -5.0, 5.0  # one draw in 800,000 lies outside, and is moved to the edge: so it can be counted
torch.manual_seed(SEED)
x, unseen = (truth.sample((n,)).clamp(LOW, HIGH) for n in (200, 2_000))
line = torch.linspace(LOW, HIGH, 1001)


def draw_densities(models: dict, title: str, columns: int = 3) -> plt.Figure:
    """Draw each model's density, the true one and the training points; models: name -> log-density of (M,) points."""
    rows = math.ceil(len(models) / columns)
    size = (max(5.5, 3.3 * columns), 2.5 * rows + 0.5)
    fig, axes = plt.subplots(
        rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for ax, (name, log_density) in zip(axes.flat, models.items(), strict=False):
        if log_density is not None:
            ax.fill_between(
                line, log_density(line).exp(), color=plots.COLOURS[5], alpha=0.5, label="model"
            )
        ax.plot(line, truth.log_prob(line).exp(), "k--", linewidth=1.2, label="truth")
        ax.plot(
            x, torch.full_like(x, -0.03), "|", color=plots.COLOURS[3], markersize=5, label="data"
        )
        ax.set_title(name, fontsize=10)
        ax.set_ylim(-0.06, 0.85)
    for ax in axes[-1]:
        ax.set_xlabel("x")
    for ax in axes[:, 0]:
        ax.set_ylabel("density")
    fig.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    fig.suptitle(title)
    return fig


plots.show(
    draw_densities(
        {"200 points, no model yet": None}, "What we have, and where it came from", columns=1
    ),
    alt="Ticks of 200 points on a line, and a dashed density with a narrow peak left, a wide hill in the middle, a peak right.",
)

# %% [markdown]
r"""
The oldest model of all: cut the line into bins and **count**. A density must have area 1, so the height of a bin is its share of the
points divided by its width:

$$p_i = \frac{\text{points in bin } i}{\text{points in all bins} \times \text{width of bin } i}.$$

The bins need not have equal widths. A value on the border between two bins belongs to the right one, but there is no bin to the right of
the last edge, so the last bin keeps it.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.density import histogram_density
# TODO: count the values of each bin, then turn counts into a density: area 1 over the edges.
# Bins may differ in width, and values outside the edges count for nothing.

# %%
check(histogram_density)

# %% [markdown]
r"""
Stuck? `hint(histogram_density)` gives a hint, and another one when you call it again.
"""

# %%
# NBVAL_CHECK_OUTPUT
uneven = torch.tensor([0.0, 1.0, 2.0, 4.0])
heights = histogram_density(torch.tensor([0.5, 1.0, 1.5, 3.0, 4.0, 7.0]), uneven)
print("heights:", [round(height, 3) for height in heights.tolist()])
print(f"area: {(heights * uneven.diff()).sum():.3f}")

# %% [markdown]
r"""
You should read heights 0.2, 0.4, 0.2 and the area 1. The 7 is outside. The last bin holds two points like the one in the middle, but is
twice as wide, so half as high.

Now the 200 points, with few bins and with many.
"""


# %%
def histogram(data: Tensor, bins: int, extra: float = 0.0):
    """Make the log-density of a histogram of the data; extra points are added to each bin, as if seen there."""
    edges = torch.linspace(LOW, HIGH, bins + 1)
    density = histogram_density(data, edges)
    mass = density * edges.diff() * len(data) + extra
    density = mass / mass.sum() / edges.diff()

    def log_density(query: Tensor) -> Tensor:
        number = torch.searchsorted(edges, query, right=True) - 1
        within = (query >= LOW) & (query <= HIGH)  # the last bin holds the last edge too
        return torch.where(within, density[number.clamp(0, bins - 1)], 0.0).log()

    return log_density


counted = {f"{bins} bins": histogram(x, bins) for bins in (6, 24, 150)}
plots.show(
    draw_densities(counted, "Histograms"),
    alt="Three histograms of the 200 points: 6 bins hide the peaks, 24 bins show them, 150 bins are a comb of spikes and gaps.",
)

# %% [markdown]
r"""
Six bins are too coarse, 150 are a comb. With 24 the three heaps show. But who says so? Our eyes, and they have seen the dashed line.

## 4. How far is the model from the truth?

Here is a judge that needs no dashed line. Take points that the model has **not** seen, and ask how probable it finds them:
the **held-out log-likelihood**, the mean of $\log p_{\text{model}}(x)$ over new points, in nats per point (nats: the logarithm is the natural one). A good model expected them.

And when we do know the truth, we can say how much worse than perfect that is. The **Kullback–Leibler divergence**

$$\mathrm{KL}(p_{\text{data}} \,\|\, p_{\text{model}}) = \mathbb E_{x \sim p_{\text{data}}}\big[\log p_{\text{data}}(x) - \log p_{\text{model}}(x)\big] \;\ge\; 0$$

is 0 only if the two are the same. It is an average over the data's distribution, so we can compute it as one: draw many points from the truth,
average the difference. That is a **Monte Carlo** estimate. (The other side, $\mathrm{KL}(p_{\text{model}} \| p_{\text{data}})$, is another number. It asks
what the model invents; this one asks what it misses.)
"""

# %%
many = truth.sample((100_000,)).clamp(LOW, HIGH)


def judge(models: dict) -> dict[str, float]:
    """Print how a model does on the points it learned from, on unseen ones, and against the truth; return the KLs."""
    found = {}
    print(f"{'nats per point':28} training   held-out   KL from the truth")
    for name, log_density in models.items():
        found[name] = (truth.log_prob(many) - log_density(many)).mean().item()
        print(
            f"{name:28} {log_density(x).mean():8.3f}   {log_density(unseen).mean():8.3f}   {found[name]:8.3f}"
        )
    return found


_ = judge({**counted, "the truth itself": truth.log_prob})

# %% [markdown]
r"""
Look at the first two columns: on its own points the comb is the *best*, better than the truth itself. Points that a model has already seen
make no judge. (On any one set of points the truth may lose a little. On average nothing beats it.)

And look at **inf**. If one single unseen point falls into an empty bin, the histogram has called it impossible, and $\log 0 = -\infty$. A model must
never be that sure. (Six bins have a finite held-out number, and yet an infinite KL: among the 100,000 draws a few fall into the first bin, which is
empty. Among the 2,000 unseen points none did.)

The old remedy: pretend that you have seen one more point in every bin.
"""

# %%
smoothed = {
    f"{bins} bins, one added to each": histogram(x, bins, extra=1.0) for bins in (6, 24, 150)
}
kl_of_histograms = judge(smoothed)

# %% [markdown]
r"""
Now every model has a finite number, and the number agrees with the eye: 24 bins beat both 6 and 150.

## 5. A bell

Counting asks for many numbers. Here is a model that asks for two, in one dimension: put a normal distribution where the data is. **Maximum
likelihood** chooses the mean and the covariance that make the data most probable, and for a normal distribution that can be worked out by hand:

$$\mu = \frac1N \sum_n x_n, \qquad \Sigma = \frac1N \sum_n (x_n - \mu)(x_n - \mu)^\top .$$

Divide by $N$: $N - 1$ would be unbiased, but it is not the most probable.
"""

# %% exercise points=2 minutes=8 difficulty=2
from course.density import fit_gaussian
# TODO: the mean (D,) and the covariance (D, D) of points (N, D), by maximum likelihood.

# %%
check(fit_gaussian)

# %%
# NBVAL_CHECK_OUTPUT
mean, cov = fit_gaussian(torch.tensor([[1001.0, 1002.0], [1003.0, 1000.0], [1002.0, 1004.0]]))
print("mean:", [round(value, 3) for value in mean.tolist()])
print("covariance:", [[round(value, 3) for value in row] for row in cov.tolist()])

# %% [markdown]
r"""
You should read 0.667 and 2.667 on the diagonal, −0.667 beside it.

To judge the bell we need its log-density, in any number of dimensions:

$$\log \mathcal N(x; \mu, \Sigma) = -\tfrac12 (x - \mu)^\top \Sigma^{-1} (x - \mu) - \tfrac12 \log |\Sigma| - \tfrac D2 \log 2\pi .$$

It looks easy. It has two traps.

- $|\Sigma|$ is a product of $D$ numbers. For 50 dimensions with a spread of 0.01 it is $10^{-200}$, which float32 takes for 0.
- Not every matrix is a covariance. One with a direction of negative spread must be refused, not turned into some number.

One tool deals with both: the **Cholesky factor**, the lower triangle $L$ with $\Sigma = L L^\top$. It exists only if $\Sigma$ is positive definite. Then
$\log |\Sigma| = 2 \sum_i \log L_{ii}$, and the first term is $\|L^{-1}(x - \mu)\|^2$, found by solving a triangular system.
"""

# %% exercise points=4 minutes=15 difficulty=3
from course.density import gaussian_log_prob
# TODO: one log-density in nats for each point. Go by the Cholesky factor; never compute the determinant.
# If cov is not positive definite, raise a ValueError that says so.

# %%
check(gaussian_log_prob)

# %%
# NBVAL_CHECK_OUTPUT
tilted = torch.tensor([[2.0, 1.2], [1.2, 1.0]])
values = gaussian_log_prob(
    torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, -1.0]]), torch.zeros(2), tilted
)
print("three points:", [round(value, 3) for value in values.tolist()])
tiny = gaussian_log_prob(torch.zeros(1, 50), torch.zeros(50), 1e-4 * torch.eye(50))
print(f"50 dimensions, spread 0.01: {tiny.item():.3f}")
try:
    gaussian_log_prob(torch.zeros(1, 2), torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    print("no error")
except (ValueError, RuntimeError):
    print("a matrix that is no covariance is refused")

# %% [markdown]
r"""
The point (1, −1) goes against the tilt and is far less probable than (1, 1), at the same distance. In 50 dimensions you should read a finite 184.312. A
log-*density* may well be above 0.

How good is a bell for three heaps?
"""

# %%
bell_mean, bell_cov = fit_gaussian(x[:, None])
bell = {"normal distribution": lambda q: gaussian_log_prob(q[:, None], bell_mean, bell_cov)}
beside = {**bell, "24 bins": counted["24 bins"]}
plots.show(
    draw_densities(beside, "A bell, and the histogram", columns=2),
    alt="Left: one wide bell over three heaps, highest where there are few points. Right: the histogram with 24 bins.",
)
kl_of_bell = judge(bell)["normal distribution"]

# %% [markdown]
r"""
The bell misses the peaks, and promises points in the gap around −1 where few are. Its numbers say it: half a nat from the truth. More data
will not help it, for its *shape* is wrong. (Its two columns differ by 0.08, but two numbers cannot learn 200 points by
heart. That is the luck of these 200: even the truth's own two columns, in section 4, differ by as much.)

## 6. A small bell on every point

Let the data speak more freely, without the histogram's steps. Put a small normal distribution on **every** data point, and average them. With five
points it looks like this:
"""

# %%
five = torch.tensor([-2.3, -1.7, 0.1, 1.0, 3.0])
bells = torch.exp(-((line[:, None] - five) ** 2) / (2 * 0.4**2)) / (0.4 * math.sqrt(2 * math.pi))
fig, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
ax.fill_between(line, bells.mean(dim=1), color=plots.COLOURS[5], alpha=0.5, label="their average")
small_bells = ax.plot(line, bells / 5, "--", color=plots.COLOURS[0], linewidth=1.2)
small_bells[0].set_label("small bells, a fifth of each")
ax.plot(five, torch.zeros(5), "|", color=plots.COLOURS[3], markersize=12, label="five points")
ax.set(title="A small bell on every point, of width h = 0.4", xlabel="x", ylabel="density")
fig.legend(loc="outside lower center", ncols=3, frameon=False)
plots.show(
    fig,
    alt="Five ticks on a line with a small bell over each. Where two bells overlap, their average is one higher hill.",
)

# %% [markdown]
r"""
As a formula, for $N$ points in $D$ dimensions:

$$p(x) = \frac1N \sum_{n=1}^{N} \mathcal N(x;\ x_n,\ h^2 I).$$

This is a **kernel density estimate**. Its one setting is the **bandwidth** $h$, the standard deviation of the small bells.

Again there is a trap. We want $\log p$, and far from all the data each bell is so low that its value in float32 is exactly 0. The
logarithm of a sum of zeros is $-\infty$. So never leave the logarithm: `torch.logsumexp` computes $\log \sum_n e^{a_n}$ from the $a_n$, by taking the
largest one out first.
"""

# %% exercise points=4 minutes=15 difficulty=3
from course.density import kernel_log_density
# TODO: for each query the log of the mean of N normal densities in D dimensions, by log-sum-exp.
# All M x N distances at once will do: nobody checks the memory.

# %%
check(kernel_log_density)

# %%
# NBVAL_CHECK_OUTPUT
two = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
queries = torch.tensor([[0.0, 0.0], [1.0, 0.0], [100.0, 0.0]])
print([round(value, 3) for value in kernel_log_density(queries, two, 0.5).tolist()])

# %% [markdown]
r"""
You should read −1.144, −2.452 and a finite −19209.145.

Three bandwidths: too small, about right, too large.
"""


# %%
def kernels(data: Tensor, bandwidth: float):
    """Make the log-density of a kernel estimate, for queries (M,) or (M, D)."""
    points = data if data.ndim == 2 else data[:, None]
    return lambda q: kernel_log_density(q if q.ndim == 2 else q[:, None], points, bandwidth)


estimated = {f"kernels, h = {h}": kernels(x, h) for h in (0.02, 0.15, 1.0)}
plots.show(
    draw_densities(estimated, "One kernel on each point: three bandwidths"),
    alt="Three kernel estimates: a forest of needles at h = 0.02, close to the truth at h = 0.15, one flat hill at h = 1.",
)
kl_of_kernels = judge(estimated)

# %% [markdown]
r"""
At $h = 0.02$ stands a forest of needles (the tallest leave the picture): this model believes that new points will fall just where old ones did. At
$h = 1$ all is blurred. In between it comes nearer to the truth than bell and histogram.

(How far can you trust the KLs? With 100,000 draws their standard errors are about 0.001 to 0.003; at $h = 0.02$, where the log-density varies
wildly, 0.04.)

### Choose the bandwidth without the truth

The curve below needs only points. Blue: the points that the model was made of. Orange: points it has not seen.
"""

# %%
widths = [0.01 * 1.25**i for i in range(24)]
learned = [kernel_log_density(x[:, None], x[:, None], h).mean().item() for h in widths]
held_out = [kernel_log_density(unseen[:, None], x[:, None], h).mean().item() for h in widths]
best = widths[held_out.index(max(held_out))]
fig = plots.curves(
    {"points it was made of": (widths, learned), "unseen points": (widths, held_out)},
    "The bandwidth, judged by points",
    "bandwidth h",
    "mean log-density (nats)",
    log="x",
)
fig.axes[0].axvline(best, color="black", linestyle=":")
fig.axes[0].set_ylim(-4, 0.2)
fig.axes[0].text(best * 1.08, -3.8, f"best: h = {best:.2f}")
plots.show(
    fig,
    alt="Two curves over the bandwidth: on the training points it rises without end to the left, on unseen points it has a peak.",
)

# %% [markdown]
r"""
### Question: the blue curve

Towards small bandwidths the blue curve climbs and climbs. Why?

- **a**: the estimate gets better and better, and the orange curve would follow with more unseen points.
- **b**: it is rounding: without float32 the two curves would agree.
- **c**: each point sits under its own needle, which grows without bound as $h \to 0$: the model has learned its points by heart.
"""

# %% question points=1 minutes=3
answer_bandwidth = ""  # "a", "b" or "c"

# %%
check(answer_bandwidth, exercise="answer_bandwidth")

# %% [markdown]
r"""
## 7. The same in two dimensions

Your functions take points of any dimension. So back to the arcs, 600 points and no labels. The histogram cuts the plane into squares, with a
tenth of a point added to each. (A whole one would be too much: there are 450 squares and only 600 points.) The number above each map is the held-out log-likelihood; the truth is the first map.
"""

# %%
arc_mean, arc_cov = fit_gaussian(arcs)


def square_histogram(data: Tensor, columns: int, rows: int):
    """Make the log-density of a histogram of points in the plane, with a tenth of a point added to each square."""
    bounds = (*X_RANGE, *Y_RANGE)
    counts = torch.histogramdd(data, bins=[columns, rows], range=bounds).hist + 0.1
    area = (X_RANGE[1] - X_RANGE[0]) / columns * (Y_RANGE[1] - Y_RANGE[0]) / rows
    table = (counts / (counts.sum() * area)).log()

    def log_density(query: Tensor) -> Tensor:
        share = (query - torch.tensor([bounds[0], bounds[2]])) / torch.tensor([5.0, 3.5])
        place = (share * torch.tensor([columns, rows])).long()
        return table[place[:, 0].clamp(0, columns - 1), place[:, 1].clamp(0, rows - 1)]

    return log_density


plane = {
    "truth": true_arcs.log_prob,
    "25 × 18 squares": square_histogram(arcs, 25, 18),
    "normal distribution": lambda q: gaussian_log_prob(q, arc_mean, arc_cov),
    "kernels, h = 0.02": kernels(arcs, 0.02),
    "kernels, h = 0.1": kernels(arcs, 0.1),
    "kernels, h = 0.5": kernels(arcs, 0.5),
}
scores = {name: log_density(unseen_arcs).mean().item() for name, log_density in plane.items()}
fig, axes = plt.subplots(2, 3, figsize=(10, 5.4), sharex=True, sharey=True, layout="constrained")
for ax, (name, log_density) in zip(axes.flat, plane.items(), strict=True):
    shown = draw_map(ax, log_density(grid).exp(), f"{name}: {scores[name]:.2f} nats", 0.6)
    ax.label_outer()
fig.colorbar(shown, ax=axes, label="density (0.6 and above: dark)", shrink=0.7)
fig.suptitle("Six densities, and what unseen points say of them")
plots.show(
    fig,
    alt="Six maps of density: the true arcs, a histogram of squares, one oval cloud that fills the gap between the arcs, "
    "and kernel estimates: dots at 0.02, clear arcs at 0.1, a blur at 0.5.",
)

# %%
many_arcs = true_arcs.sample((20_000,))
gaps = {
    name: (true_arcs.log_prob(many_arcs) - f(many_arcs)).mean().item() for name, f in plane.items()
}
for name, gap in gaps.items():
    print(f"KL from the truth: {gap:6.3f} nats   {name}")
log_density = plane["kernels, h = 0.1"]
below = (log_density(arcs) <= log_density(star)).sum().item()
print(
    f"\nThe star of section 2: log-density {log_density(star).item():.1f}; as low as that: {below} of the 600 points"
)

# %% [markdown]
r"""
The same story: one bell fills the gap between the arcs, needles remember, a wide kernel blurs. And your model has an opinion about the star: it is
less probable than every point of the data. That is an outlier detector, made without one label.

## 8. Draw me another one

A density says how probable a point is. Now the other half of generative modelling: **make** points.

### From a histogram: walk along the heap

The computer gives us $u$, uniform between 0 and 1. The **cumulative distribution** $F(x)$ is the share of the mass that lies to the left of $x$; it climbs
from 0 to 1, steeply where the density is high. Go up to height $u$, walk right until you hit the curve, and drop down: that is your
sample. Steep stretches catch many $u$, flat ones few, a level one none.
"""

# %%
edges = torch.linspace(LOW, HIGH, 25)
density = histogram_density(x, edges)
climb = torch.cat([torch.zeros(1), (density * edges.diff()).cumsum(0)])
fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
ax.plot(edges, climb, color=plots.COLOURS[0], marker="o", markersize=3, label="F(x)")
for i, height in enumerate((0.15, 0.55, 0.9)):
    number = int(torch.searchsorted(climb, height)) - 1
    share = (height - climb[number]) / (climb[number + 1] - climb[number])
    hit = edges[number] + share * (edges[number + 1] - edges[number])
    style = {
        "color": plots.COLOURS[3],
        "marker": plots.MARKERS[i + 1],
        "markersize": 5,
        "linestyle": "--",
        "clip_on": False,  # the markers on the axes are whole
    }
    ax.plot([LOW, hit, hit], [height, height, 0], label=f"u = {height}: x = {hit:.2f}", **style)
ax.set(
    title="From u to x",
    xlabel="x",
    ylabel="share of the mass to the left",
    xlim=(LOW, HIGH),
    ylim=(0, 1.03),
)
fig.legend(frameon=False, loc="outside center right")
plots.show(
    fig,
    alt="A rising curve made of straight pieces. From three heights a dashed line runs to the curve and down to the axis.",
)

# %% exercise points=4 minutes=15 difficulty=3
from course.density import inverse_cdf_sample
# TODO: for each u the place where the cumulative distribution of the histogram reaches it.
# The density may be unnormalised, its bins may differ in width, and some may be empty.

# %%
check(inverse_cdf_sample)

# %%
# NBVAL_CHECK_OUTPUT
places = inverse_cdf_sample(
    torch.tensor([0.0, 0.25, 0.6, 0.75]),
    torch.tensor([0.0, 1.0, 2.0, 6.0]),
    torch.tensor([4.0, 0.0, 1.0]),
)
print([round(value, 3) for value in places.tolist()])

# %% [markdown]
r"""
You should read 0, 0.5, 2.8 and 4. The middle bin has density 0, so nothing comes from between 1 and 2. The last bin is low but wide: half of the
mass lies in it.

With your function the histogram makes points: as many as you like. The number in the title is the largest difference between the
cumulative distributions of the drawn points and of the unseen data (0: the same, 1: nothing in common; two sets of 2,000 true points differ by
about 0.03). Expect up to about twice that: the histogram knows only 200 points.
"""


# %%
def largest_gap(a: Tensor, b: Tensor) -> float:
    """Compare two sets of numbers: the largest difference between their cumulative distributions (Kolmogorov–Smirnov)."""
    at = torch.cat([a, b]).sort().values
    below = [torch.searchsorted(s.sort().values, at, right=True) / len(s) for s in (a, b)]
    return (below[0] - below[1]).abs().max().item()


torch.manual_seed(SEED)
from_histogram = inverse_cdf_sample(torch.rand(2_000), edges, density)
gap_of_histogram = largest_gap(from_histogram, unseen)
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
styles = ({"color": plots.COLOURS[0], "hatch": "//"}, {"color": plots.COLOURS[1], "hatch": ".."})
for points, name, style in zip(
    (unseen, from_histogram), ("unseen data", "drawn"), styles, strict=True
):
    ax.hist(points, bins=80, range=(LOW, HIGH), density=True, histtype="step", label=name, **style)
ax.set(
    title=f"Drawn from the histogram: largest gap {gap_of_histogram:.3f}",
    xlabel="x",
    ylabel="density",
)
ax.legend(frameon=False)
plots.show(
    fig,
    alt="Two overlaid outlines with three heaps each: the unseen data, and the points drawn from the histogram.",
)

# %% [markdown]
r"""
### From a mixture: the latent variable first

How did *we* make the data? By two throws of dice. First choose a heap; then draw from the normal distribution of that heap. The choice is never
seen: it is a **latent variable**, $z$. Drawing the parents before the children is called **ancestral sampling**,

$$z \sim p(z), \qquad x \sim p(x \mid z).$$

For the second throw, remember the Cholesky factor: if $\varepsilon$ is standard normal, $\mu + L\varepsilon$ has the covariance $L L^\top = \Sigma$.
"""

# %% exercise points=4 minutes=15 difficulty=3
from course.density import ancestral_sample
# TODO: n draws of the component, then one point from the normal distribution of each. Return both.

# %%
check(ancestral_sample)

# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(0)
points, component = ancestral_sample(
    200_000,
    torch.tensor([0.2, 0.8]),
    torch.tensor([[0.0, 0.0], [5.0, -5.0]]),
    torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[4.0, 1.9], [1.9, 1.0]]]),
)
print("share of component 1:", round(component.float().mean().item(), 1))
for k in range(2):
    mean, cov = fit_gaussian(points[component == k])
    numbers = [round(value, 1) + 0.0 for value in [*mean.tolist(), *cov.flatten().tolist()]]
    print(f"component {k}: mean {numbers[:2]}, covariance {numbers[2:]}")

# %% [markdown]
r"""
You should read a share of 0.8 and, within 0.1, the means and covariances that went in.

This one function draws from **all** our models. A single bell is a mixture of one. A kernel estimate is a mixture with a component on each
data point: pick a data point, add noise of width $h$. That is all there is to it.

Two numbers say how good the samples are.

- The **energy distance** to unseen data compares all distances between two sets. It is 0 if the distributions are the same.
- **Strays** are samples where the true density is lower than at 99.9 % of the data: no man's land.
"""


# %%
def draw(centres: Tensor, cov: Tensor, n: int) -> Tensor:
    """Draw n points of a mixture with equal weights and the same covariance for all components."""
    k = len(centres)
    return ancestral_sample(n, torch.ones(k) / k, centres, cov.expand(k, *cov.shape))[0]


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Compare two sets of points: twice the mean distance between them, minus the mean distances within each."""
    return (
        2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()
    ).item()


torch.manual_seed(SEED)
samples = {"truth": draw(arc_points, 0.12**2 * torch.eye(2), 2_000)}
samples["normal distribution"] = draw(arc_mean[None], arc_cov, 2_000)
for h in (0.02, 0.1, 0.5):
    samples[f"kernels, h = {h}"] = draw(arcs, h**2 * torch.eye(2), 2_000)
no_mans_land = true_arcs.log_prob(many_arcs).quantile(0.001)
strays = {
    name: (true_arcs.log_prob(s) < no_mans_land).float().mean().item()
    for name, s in samples.items()
}
energies = {name: energy_distance(s, unseen_arcs) for name, s in samples.items()}

fig, axes = plt.subplots(2, 3, figsize=(10, 5.2), sharex=True, sharey=True, layout="constrained")
shown = {"the data": arcs, **samples}
for i, (ax, (name, points)) in enumerate(zip(axes.flat, shown.items(), strict=True)):
    ax.scatter(*points[:600].T, s=7, color=plots.COLOURS[i % 7], marker="o", linewidths=0)
    note = f": {strays[name]:.0%} strays" if name in strays else ""
    ax.set(
        title=name + note,
        xlim=X_RANGE,
        ylim=Y_RANGE,
        aspect="equal",
        xlabel="$x_1$",
        ylabel="$x_2$",
    )
    ax.label_outer()
fig.suptitle("600 points from each")
plots.show(
    fig,
    alt="Six scatter plots: the data, samples of the truth, a round cloud from the normal distribution, and kernel samples: "
    "at 0.02 just like the data, at 0.1 arcs a little wider, at 0.5 a cloud.",
)
print(f"{'':22} KL (nats)   energy distance   strays")
for name in samples:
    print(f"{name:22} {gaps[name]:9.3f} {energies[name]:17.4f} {strays[name]:8.1%}")

# %% [markdown]
r"""
Look at $h = 0.02$. Its samples look perfect, with almost no strays and a small energy distance. Yet its KL is by far the worst. There is no contradiction: its samples
*are* the data, with a speck of dust on each. Judging by samples alone one does not notice a model that learned by heart; unseen points notice
at once. No single number tells everything.
"""

# %% [markdown]
r"""
## 9. From 2 dimensions to 784

An image of 28 × 28 pixels is a point in 784 dimensions. Nothing in your functions forbids that.
"""

# %%
pixels, unseen_pixels = threes[:2_000].flatten(1), unseen_threes.flatten(1)
pixel_mean, pixel_cov = fit_gaussian(pixels)
try:
    gaussian_log_prob(unseen_pixels, pixel_mean, pixel_cov)
except (ValueError, RuntimeError) as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
r"""
Your check at work: the corners are black in every image. Along those pixels the bell has no width at all, and would call every image with a speck in a corner
impossible. The remedy is the one that we know from the empty bins: never be that sure. We add a variance of $0.1^2$ to each pixel.

Then we draw: from the bell, from kernels with $h = 0.1$, and from the network of section 1.
"""

# %%
torch.manual_seed(SEED)
softened = pixel_cov + 0.1**2 * torch.eye(784)
from_bell, _ = ancestral_sample(50, torch.ones(1), pixel_mean[None], softened[None])
from_kernels = pixels[torch.randint(len(pixels), (50,))] + 0.1 * torch.randn(50, 784)
rows = {
    "unseen": unseen_threes[:10],
    "one bell": from_bell.reshape(50, *SHAPE)[:10].clamp(0, 1),
    "kernels": from_kernels.reshape(50, *SHAPE)[:10].clamp(0, 1),
    "network": drawings[:10],
}
plots.show(
    plots.image_rows(rows, "Three ways to draw a 3"),
    alt="Rows of threes: unseen ones, ghostly smears from one normal distribution, crisp but noisy copies from kernels, "
    "slightly blurred new ones from the network.",
)
bell_score = gaussian_log_prob(unseen_pixels, pixel_mean, softened).mean().item()
kernel_scores = {
    h: kernel_log_density(unseen_pixels, pixels, h).mean().item() for h in (0.05, 0.1, 0.15, 0.2)
}
print("mean log-density of unseen images, nats per image:")
print(f"  one bell              {bell_score:8.0f}")
for h, score in kernel_scores.items():
    print(f"  kernels, h = {h:<8} {score:8.0f}")

# %% [markdown]
r"""
The bell draws ghosts: all fonts at once, laid over each other. The kernels draw crisp threes, but each is a training image with noise: they
cannot make a new one. (Counting is out of the question: two bins a pixel make $2^{784}$ bins.)

Now read the numbers. Unseen images are *more* probable under the ghostly bell than under the kernels: in 784 dimensions even the nearest
training image is far away, and a narrow kernel does not reach. Good looks and good numbers are two things.

The network's threes are new. (Its density is no simple sum; lab 2 finds a bound for it.) It does what we did with the heaps: draws a few latent numbers first, then the image. But nobody told it what the latent
numbers should be. Can such things be found from the data alone?

## 10. The cave

Plato's prisoners sit in a cave. They have never seen anything but shadows on a wall. Behind them an object turns in the light. What can they
find out about it?

Our object is a small tree: a trunk and three branches. The light comes from a far sun, in parallel rays, so the shadow is what is left when we drop
the depth.
"""


# %%
def branch(start: tuple, end: tuple, n: int) -> Tensor:
    """Place n points on the line between two points of space."""
    t = torch.linspace(0, 1, n)[:, None]
    return (1 - t) * torch.tensor(start) + t * torch.tensor(end)


tree = torch.cat(
    [
        branch((0.0, 0.0, -0.9), (0.0, 0.0, 0.8), 60),
        branch((0.0, 0.0, -0.3), (0.8, 0.0, 0.0), 30),
        branch((0.0, 0.0, 0.1), (-0.35, 0.6, 0.4), 30),
        branch((0.0, 0.0, 0.3), (-0.2, -0.5, 0.75), 25),
    ]
)  # (145, 3): right, away from us, up


def shadows(points: Tensor, angles: Tensor, size: int = 24) -> Tensor:
    """Turn the points about the upright axis by each angle, and draw their shadows (A, 1, size, size): 0 is dark."""
    right = angles.cos()[:, None] * points[:, 0] + angles.sin()[:, None] * points[:, 1]
    pixel = (2 * torch.arange(size) + 1) / size - 1
    columns = torch.exp(-(((right[:, :, None] - pixel) / 0.1) ** 2))  # each point is a small blot
    rows = torch.exp(-(((points[:, 2, None] + pixel) / 0.1) ** 2))
    return torch.exp(-torch.einsum("apj,pi->aij", columns, rows))[:, None]


torch.manual_seed(SEED)
true_angle = 2 * math.pi * torch.rand(400)
wall = shadows(tree, true_angle)
plots.show(
    plots.image_rows(
        {"shadows": wall[:12]}, "What the prisoners see, in the order in which it came"
    ),
    alt="Twelve small dark shadows of a tree with three branches, each seen from another side, in no order.",
)

# %% [markdown]
r"""
576 pixels in each image, and yet one number made it: the angle. It is the **latent variable**, and the prisoners do not know it. They do not even
know that there is an angle.

But they can **compare** shadows. Tie every shadow to the 16 that look most like it. The result is a net, and if one could lay it out on a table without
crossing its threads, it would be a *ring*: neighbours of neighbours of neighbours, all the way round and back to the start. The layout can be
computed: the smoothest two patterns on the net (eigenvectors of its Laplacian) go once around the ring like a cosine and a sine. Let them be the two
coordinates on the table.
"""


# %%
def lay_out(images: Tensor, neighbours: int = 16) -> Tensor:
    """Lay out the net of most similar images on a table: a place (2,) for each image, (N, 2)."""
    flat = images.flatten(1)
    nearest = torch.cdist(flat, flat).topk(neighbours + 1, largest=False).indices
    net = torch.zeros(len(flat), len(flat)).scatter_(1, nearest, 1.0)
    net = torch.maximum(net, net.T).fill_diagonal_(0.0)
    laplacian = net.sum(dim=1).diag() - net
    patterns = torch.linalg.eigh(laplacian).eigenvectors  # the smoothest first; 0 is constant
    return patterns[:, 1:3]


places = lay_out(wall)
fig, ax = plt.subplots(figsize=(5, 3.8), layout="constrained")
shown = ax.scatter(*places.T, c=true_angle.rad2deg(), s=14, cmap="twilight", vmin=0, vmax=360)
fig.colorbar(shown, ax=ax, label="true angle (degrees)", ticks=range(0, 361, 90))
ax.set(title="400 shadows on the table", xlabel="pattern 1", ylabel="pattern 2", aspect="equal")
ax.set(xticks=(-0.05, 0, 0.05), yticks=(-0.05, 0, 0.05))
plots.show(
    fig,
    alt="400 points form a ring. Their colours, the true angles, run once around it without a jump.",
)

# %% [markdown]
r"""
A ring, found from shadows alone. The colours are ours: they show the true angle, which the prisoners cannot see, and it runs once around. So each shadow's
place on the ring *is* its angle. Let us read it off, and compare.
"""


# %%
def agreement(found: Tensor, true: Tensor) -> tuple[float, int, float]:
    """Compare angles up to where they start and which way they run.

    Returns how well they agree (1: perfectly, 0: not at all), the direction (1 or −1), and the shift.
    """
    tries = []
    for direction in (1, -1):
        mean = torch.polar(torch.ones_like(true), direction * found - true).mean()
        tries.append((mean.abs().item(), direction, mean.angle().item()))
    return max(tries)


found_angle = torch.atan2(places[:, 1], places[:, 0])
agrees, direction, shift = agreement(found_angle, true_angle)
aligned = (direction * found_angle - shift) % (2 * math.pi)
error = torch.atan2((aligned - true_angle).sin(), (aligned - true_angle).cos())  # −π to π
order = found_angle.argsort()
plots.show(
    plots.image_rows(
        {"sorted": wall[order[:: len(order) // 12]][:12]}, "The prisoners put the shadows in order"
    ),
    alt="Twelve shadows in which the tree turns step by step.",
)
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.7), layout="constrained")
adjusted = true_angle + error  # no jump from 360 to 0
panels = ("as found", found_angle % (2 * math.pi)), ("start and direction adjusted", adjusted)
for i, (ax, (name, angle)) in enumerate(zip(axes, panels, strict=True)):
    ax.scatter(
        true_angle.rad2deg(), angle.rad2deg(), s=8, color=plots.COLOURS[i], marker=plots.MARKERS[i]
    )
    ax.set(
        title=name,
        xlabel="true angle (degrees)",
        ylabel="recovered angle (degrees)",
        aspect="equal",
    )
    ax.set(xticks=range(0, 361, 90), yticks=range(0, 361, 90))
fig.suptitle(f"The angle, from shadows alone: agreement {agrees:.3f}")
plots.show(
    fig,
    alt="Two scatter plots of recovered against true angle: left a slanted line that is shifted and may run backwards, "
    "right a line close to the diagonal.",
)
print("as found, the angle runs", "as the true one does" if direction == 1 else "backwards")
print(f"mean error, start and direction adjusted: {error.abs().rad2deg().mean():.1f} degrees")

# %% [markdown]
r"""
Nobody told them a single angle. (That one number goes round a ring, we guessed for them when we drew the table; the picture says that we guessed right.)
They recovered it to within some degrees, **up to two things**: where it starts, and which way it runs. Look at the left picture: the line does not
start at 0. And whether it rises or falls hangs on the sign of an eigenvector, which is arbitrary.

Where it starts is a matter of taste. But which way? Left or right, surely that is a fact, and the shadows should tell?

### What shadows can never tell

Take the *mirror* tree, with front and back swapped, and let it turn the *other way*. Below are its shadows beside the tree's.
"""

# %%
film = torch.arange(10) * 2 * math.pi / 10
mirror_tree = tree * torch.tensor([1.0, -1.0, 1.0])
fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharex=True, sharey=True, layout="constrained")
for ax, points, name, way in zip(
    axes, (tree, mirror_tree), ("the tree", "the mirror tree"), (1, -1), strict=True
):
    for i, piece in enumerate(points.split([60, 30, 30, 25])):
        names = ("trunk", "low branch", "middle branch", "high branch")
        style = {
            "color": plots.COLOURS[(6, 0, 1, 2)[i]],
            "marker": plots.MARKERS[i],
            "markersize": 4,
            "zorder": 3 if i == 0 else 2,  # from above the trunk is one point: on top
        }
        ax.plot(*piece[:, :2].T, markevery=4, label=names[i], **style)
    arc = -way * torch.linspace(0.3, 1.2, 30)  # as theta grows, the tree turns clockwise
    path = 0.95 * torch.stack([arc.cos(), arc.sin()])
    ax.plot(*path, color=plots.COLOURS[4], linewidth=2)
    ax.annotate(
        "",
        path[:, -1].tolist(),
        path[:, -4].tolist(),
        arrowprops={"arrowstyle": "->", "lw": 2, "color": plots.COLOURS[4]},
    )
    ax.set(
        title=f"{name} from above",
        xlabel="right",
        ylabel="depth",
        aspect="equal",
        xlim=(-1.1, 1.1),
        ylim=(-1.1, 1.1),
    )
axes[0].legend(fontsize=8, loc="upper right")
fig.suptitle("Two objects, turning opposite ways")
plots.show(
    fig,
    alt="The tree and its mirror image seen from above, each with an arrow: they turn in opposite directions.",
)
rows = {
    "the tree": shadows(tree, film),
    "mirror tree, backwards": shadows(mirror_tree, -film),
    "the tree, half a turn later": shadows(tree, film + math.pi),
}
plots.show(
    plots.image_rows(rows, "Films on the wall"),
    alt="Three rows of ten shadows. The first two rows are the same; the third is the first one, left and right swapped.",
)

# %%
views = torch.linspace(0, 2 * math.pi, 100)
same = (shadows(tree, views) - shadows(mirror_tree, -views)).abs().max().item()
flipped = (shadows(tree, views).flip(-1) - shadows(tree, views + math.pi)).abs().max().item()
print(f"tree against mirror tree turning the other way: largest difference {same:.4f}")
print(f"the film with left and right swapped against half a turn later: {flipped:.4f}")

# %% [markdown]
r"""
Not similar: **equal**, pixel by pixel. The formula shows why. A point at right $a$ and depth $b$ casts its shadow at $a \cos\theta + b \sin\theta$. Change the
signs of $b$ *and* of $\theta$, and nothing changes. Two different worlds, one film. More data does not help, nor a larger network, nor a longer film. Only another *kind* of
data would: with a lamp close by, the branch nearer to the lamp would cast the larger shadow.

The second line is another fact of shadows: half a turn later ($a$ and $b$ both change sign) the film shows the same with left and right swapped.

### Question: the prisoner's theory

A prisoner sees the film **in its right order**, every frame of it, and works as long as she likes. What can she not find out?

- **a**: whether the object turns clockwise or anticlockwise, seen from above.
- **b**: by how many degrees the object turned between two frames.
- **c**: which frame comes half a turn after a given one.
"""

# %% question points=1 minutes=3
answer_cave = ""  # "a", "b" or "c"

# %%
check(answer_cave, exercise="answer_cave")

# %% [markdown]
r"""
## 11. What you can compute now

- **$p_{\text{model}}$ close to $p_{\text{data}}$** means: the KL between them is small. You computed it by Monte Carlo where you knew the truth, and
  by **held-out log-likelihood**, its stand-in, where you did not.
- **Density estimation** gives a number for any point, so it finds outliers. **Sampling** makes points. A model may be good at one and bad at the other.
- A model that is too stiff misses the shape; one that is too free learns by heart, and its samples do not betray it.
- A **latent variable** can be recovered from data alone, up to what the data cannot say. What that is, one must prove, not hope.

In lab 1 a network finds the latent numbers of images by itself.

### Does it hold?

These bars were cleared by every one of five seeds when the course measured them.
"""

# %%
few, some, lots = (kl_of_histograms[f"{bins} bins, one added to each"] for bins in (6, 24, 150))
small, good, large = (kl_of_kernels[f"kernels, h = {h}"] for h in (0.02, 0.15, 1.0))
bar("line: KL of 6 bins minus that of 24 (nats)", few - some, above=0.1)
bar("line: KL of 150 bins minus that of 24 (nats)", lots - some, above=0.05)
bar("line: KL of 24 bins minus that of kernels, h = 0.15 (nats)", some - good, above=0.02)
bar("line: KL of kernels, h = 0.15 (nats)", good, below=0.1)
bar("line: KL of h = 0.02 minus that of h = 0.15 (nats)", small - good, above=0.2)
bar("line: KL of h = 1 minus that of h = 0.15 (nats)", large - good, above=0.2)
bar("line: KL of the bell over that of kernels, h = 0.15", kl_of_bell / good, above=5.0)
by_heart = (counted["150 bins"](x) - truth.log_prob(x)).mean().item()
bar("line: 150 bins minus the truth, on training points (nats)", by_heart, above=0.1)
bar("line: largest gap between points drawn and data", gap_of_histogram, below=0.15)

# %%
normal, needles, good = "normal distribution", "kernels, h = 0.02", "kernels, h = 0.1"
bar("plane: KL of the bell over that of kernels, h = 0.1", gaps[normal] / gaps[good], above=3.0)
bar(
    "plane: KL of kernels, h = 0.02, over that of the bell", gaps[needles] / gaps[normal], above=1.2
)
bar("plane: strays of the bell over those of h = 0.1", strays[normal] / strays[good], above=4.0)
bar("plane: strays of h = 0.02", strays[needles], below=0.02)
bar(
    "plane: energy distance of the bell over that of h = 0.02",
    energies[normal] / energies[needles],
    above=1.2,
)
advantage = bell_score - max(kernel_scores.values())
bar("images: log-density of the bell minus that of kernels (nats)", advantage, above=50.0)
bar("cave: agreement of recovered and true angle", agrees, above=0.95)

# %% [markdown]
r"""
### Hand it in

`progress()` shows where you stand. Then save the notebook and hand in the `.ipynb` file: on Colab **File › Download › Download .ipynb**,
in JupyterLab **File › Download**. Upload it where your course asks for it, under the name it has.
"""

# %%
progress()
