# %% [markdown]
r"""
# Lab 5: translating images

A sketch becomes a street, a street by day becomes the same street at night. The first is easy to learn if somebody has made
the pairs. For the second nobody has: you cannot photograph a street by day and at night with the same cars on it.

In this lab you write both: **pix2pix**, which learns from pairs, and **CycleGAN**, which learns from two heaps of pictures that have
nothing to do with each other. Everyone shows horses that became zebras, and judges by eye. Here every picture is drawn from a description, so
the **true counterpart** of each is known. You will give unpaired translation a number, and you will see what it gets wrong.

**You need:** lab 4 (the two players of a GAN, and their losses). **You will be able to:** build a U-Net, say why an L1 loss paints dull walls and what a
discriminator does about it, wire the two directions of a CycleGAN, and tell what unpaired data cannot teach, whatever the method.
"""

# %% setup
import json
import math
from importlib.resources import files

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course import check, hint, plots, progress, start
from course.data.folders import load_pairs, load_unpaired
from course.data.scenes import (
    CLASSES, FACTORS, NIGHT_WALLS, STYLES, WALLS, label_maps, render_scenes, sample_scenes, sample_unpaired, street_layers,
)
from course.labs.budget import bar, seed_of_run, steps
from course.metrics import psnr, ssim
from course.networks import UNet, patch_discriminator, small_translator
from course.training import fit, pick_device, seed_everything

start("lab5_translation")
DATASET = "scenes"  # in section 8; or "facades", "horse2zebra": pictures in a folder of your own
ROOT = "data/facades"  # that folder
SEED = seed_of_run()  # 0; try another one when you are through: what changes, and what does not?
device = pick_device()
PAIRED_STEPS, UNPAIRED_STEPS = (12000, 6000) if device.type == "cuda" else (4000, 1500)

# %% [markdown]
r"""
## 1. One street, drawn six ways

A scene is a list of 21 numbers: where the hill is, where the houses and the trees stand, how large they are, which of four colours each house has. From such a list
the computer draws the street by day and at night, as a map of labels, as edges; and the same place from above, as a map and as a photograph.
"""


# %%
def shown(images: Tensor) -> Tensor:
    """Turn images (B, C, H, W) in [-1, 1] into what a figure shows: three channels in [0, 1]."""
    return ((images + 1) / 2).clamp(0, 1).expand(-1, 3, -1, -1)


few = sample_scenes(8, torch.Generator().manual_seed(7))
rows = {style: shown(render_scenes(few, style, size=64)) for style in STYLES}
plots.show(
    plots.image_rows(rows, "Eight streets, each drawn in six ways", size=1.0),
    alt="Six rows of the same eight streets: by day, at night, as label maps, as edges, as maps and from the air.",
)

# %% [markdown]
r"""
A translator gets the picture of one row, and has to draw that of another. Look at what it is *not* told. The label map says "wall", not which
colour. It does not show the sun at all. Whoever colours a label map must **invent** something. From day to night nothing has to be invented:
each colour by day has its colour at night, and the moon stands where the sun was.

### How near is it?

Three numbers compare a translation with the truth. Pixels run from −1 to 1.

- **L1**: the mean absolute difference of pixels.
- **PSNR**, in decibels: the mean squared difference on a logarithmic scale, $10 \log_{10} (2^2 / \mathrm{MSE})$. More is nearer; 10 dB more is a tenth of the squared error.
- **SSIM**: do small windows have the same brightness, contrast and pattern? 1 for equal pictures.
"""


# %%
def scores(made: Tensor, truth: Tensor) -> dict[str, float]:
    """Compare translations with their true counterparts, (B, C, H, W) each: the means of three numbers."""
    return {
        "PSNR": psnr(made, truth).mean().item(),
        "SSIM": ssim(made, truth).mean().item(),
        "L1": (made - truth).abs().mean().item(),
    }


def show_scores(table: dict[str, dict[str, float]]) -> None:
    """Print a line of scores for each name."""
    print(f"{'':34}" + "".join(f"{name:>9}" for name in next(iter(table.values()))))
    for name, row in table.items():
        print(f"{name:>34}" + "".join(f"{value:9.3f}" if value < 3 else f"{value:9.1f}" for value in row.values()))


tests = sample_scenes(500, torch.Generator().manual_seed(1000 + SEED))
test_day, test_night = render_scenes(tests, "day"), render_scenes(tests, "night")
show_scores({
    "day with a little noise, and day": scores(test_day + 0.1 * torch.randn_like(test_day), test_day),
    "day one pixel aside, and day": scores(test_day.roll(1, dims=3), test_day),
    "day, and the same at night": scores(test_day, test_night),
})

# %% [markdown]
r"""
You should see some 26, 20 and 6 dB. Keep these three in mind as a ruler.

## 2. With pairs: from a label map to a street

Two thousand label maps, each with its street by day. The network has to keep every edge where it is, and to know the whole picture in order to paint a pixel. Those are
two wishes at odds: to see the whole, one shrinks the picture; but what was shrunk has lost where the edges were.

The **U-Net** has both. It shrinks the picture step by step, and enlarges it again; and at each size, what was there on the way down is laid beside what comes up.
"""


# %%
def draw_unet() -> None:
    """Draw the shape of a U-Net with four halvings."""
    fig, ax = plt.subplots(figsize=(8.6, 3.9), layout="constrained")
    sizes = [32, 16, 8, 4, 2]
    arrow = {"arrowstyle": "-|>", "mutation_scale": 14, "linewidth": 1.6}
    for level, size in enumerate(sizes):
        for side, x in ((-1, -4.4 + level), (1, 4.4 - level)):
            if level == 4 and side == 1:
                continue
            width = 0 if level == 4 else 1
            ax.text(x * width, -level, f"{size} x {size}", ha="center", va="center", fontsize=10,
                    bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": plots.COLOURS[0]})
        if level < 4:
            below = 0.0 if level == 3 else 3.4 - level
            for side, colour in ((-1, plots.COLOURS[0]), (1, plots.COLOURS[2])):
                ends = [(side * (4.4 - level), -level - 0.25), (side * (below + (0.35 if level == 3 else 0)), -level - 0.75)]
                ax.annotate("", *(ends[::-1] if side < 0 else ends), arrowprops={**arrow, "color": colour})
        if 0 < level < 4:
            reach = 4.4 - level - 0.65
            ax.annotate("", (reach, -level), (-reach, -level),
                        arrowprops={**arrow, "color": plots.COLOURS[3], "linestyle": "--"})
            ax.text(0, -level + 0.1, "skip", ha="center", va="bottom", fontsize=9, color=plots.COLOURS[3])
    ax.text(-4.4, 0.4, "label map", ha="center")
    ax.text(4.4, 0.4, "street", ha="center")
    ax.text(-3.9, -2.9, "shrink:\nwhat is it?", color=plots.COLOURS[0], ha="center")
    ax.text(3.9, -2.9, "enlarge:\nwhere is it?", color=plots.COLOURS[2], ha="center")
    ax.set(xlim=(-5.3, 5.3), ylim=(-4.4, 0.8), title="A U-Net: what is shrunk is not lost, it skips to the other side")
    ax.axis("off")
    plots.show(fig, alt="A U of boxes from 32 to 2 pixels and back to 32, with dashed skip arrows between boxes of equal size.")


draw_unet()

# %% [markdown]
r"""
Each level of the U is a block, and inside it sits the level below, like Russian dolls. A block gets $x$, and

1. shrinks it,
2. lets the level below work on it, if there is one,
3. enlarges the result to the size of $x$,
4. and returns **both**: the channels of $x$, untouched, then those that came up.

(At 32 x 32 nothing skips: that would be the label map itself, before any layer has looked at it. pix2pix leaves it out as well.)
"""

# %% exercise points=3 methods=forward minutes=8 difficulty=2
from course.translation import UNetBlock
# TODO forward: shrink x, pass it through self.below unless that is None, enlarge it, and join x with the result: [skip, upsampled].

# %%
check(UNetBlock)

# %% [markdown]
r"""
Stuck? `hint(UNetBlock)` gives a hint, and another one when you call it again.
"""

# %%
# NBVAL_CHECK_OUTPUT
inside = UNetBlock(2, 3)
block = UNetBlock(1, 2, inside).eval()
for parameter in block.parameters():
    nn.init.constant_(parameter, 0.5)
out = block(torch.ones(1, 1, 4, 4))
print("shape:", tuple(out.shape))
print("the channel that skipped, the one that came up:", [round(value, 3) for value in out[0, :, 1, 1].tolist()])

# %% [markdown]
r"""
You should see two channels of 4 x 4: the ones that you put in, and what came up from below, 23.5.

### Only the distance

Train it as one would train any regression: paint the street, measure the L1 distance to the true one, walk downhill. On a CPU this
takes about 25 seconds, and the training with a judge, in section 3, about a minute.
"""


# %%
def draw(n: int, seed: int) -> Tensor:
    """Draw the descriptions of n scenes."""
    return sample_scenes(n, torch.Generator().manual_seed(seed))


def one_hot_labels(scenes: Tensor) -> Tensor:
    """Draw label maps with a channel for each of the eight classes: (B, 8, 32, 32), 0 or 1."""
    return F.one_hot(label_maps(scenes), len(CLASSES)).permute(0, 3, 1, 2).float()


def new_unet(channels: int, seed: int) -> nn.Module:
    """Make an untrained U-Net with four halvings that paints images of three channels."""
    seed_everything(seed)
    return UNet(channels, 3, UNetBlock, width=16, downs=4).to(device)


def pairs_of(conditions: Tensor, images: Tensor, batch_size: int = 4):
    """Make a source of random batches of pairs."""

    def batches(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(images), (batch_size,), generator=generator)
        return conditions[chosen], images[chosen]

    return batches


def train_by_distance(G: nn.Module, conditions: Tensor, images: Tensor, n: int, seed: int) -> nn.Module:
    """Train a generator by the L1 distance alone."""
    optimizer = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.999))

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        condition, target = batch
        loss = (G(condition) - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"L1": loss.item()}

    state = {"G": G, "optimizer": optimizer}
    fit(step, pairs_of(conditions, images), n, state=state, decay=True, seed=seed, device=device)
    return G.eval()


def translate(G: nn.Module, images: Tensor) -> Tensor:
    """Translate many images in batches, without gradients, on the CPU at the end."""
    with torch.no_grad():
        return torch.cat([G(batch.to(device)).cpu() for batch in images.split(100)])


train_scenes = draw(2000, 10 * SEED + 1)
train_labels, train_day = one_hot_labels(train_scenes), render_scenes(train_scenes, "day")
test_labels = one_hot_labels(tests)
by_distance = train_by_distance(new_unet(8, SEED), train_labels, train_day, steps(PAIRED_STEPS), SEED)
painted = {"by L1 alone": translate(by_distance, test_labels)}
label_pictures = render_scenes(tests, "labels")
rows = {"label map": shown(label_pictures[:10]), "L1 alone": shown(painted["by L1 alone"][:10]), "truth": shown(test_day[:10])}
plots.show(
    plots.image_rows(rows, "A U-Net trained by L1 alone paints dull walls, and no sun", size=0.9),
    alt="Label maps; the streets painted from them, with walls of one dull beige and without a sun; the true streets.",
)

# %% [markdown]
r"""
Grass, road, roofs and trees are right: the label says all about them. But the walls! Real ones are red, ochre, blue or white. All of these are of a dull beige that no real wall has. And there
is no sun.

Why? Ask one pixel of a wall. Its true colour is one of four, and the map does not say which. It must give one answer $c$; where the true value is $x$, it pays
$|c - x|$. Draw what it pays on average over the four.
"""

# %%
fig, (*axes, swatches) = plt.subplots(1, 4, figsize=(11.5, 2.9), layout="constrained", width_ratios=(3, 3, 3, 2))
wall_names, median = ("brick", "ochre", "blue", "white"), []
guess = torch.linspace(0, 1, 301)
for channel, (ax, name) in enumerate(zip(axes, ("red", "green", "blue"), strict=True)):
    values = torch.tensor([wall[channel] for wall in WALLS])
    price = (guess[:, None] - values).abs().mean(dim=1)
    ax.plot(guess, price, color=plots.COLOURS[0], label="mean |c − x|")
    ax.plot(values, torch.zeros(4), color=plots.COLOURS[3], marker="D", linestyle="none", label="the four real walls", clip_on=False)
    best = guess[price <= price.min() + 1e-4]
    median.append(best.mean().item())
    ax.axvspan(best.min().item(), best.max().item(), color=plots.COLOURS[2], alpha=0.3, label="cheapest: the median")
    ax.set(title=name, xlabel="c, the channel's value", ylim=(0, 0.6))
    ax.grid(alpha=0.3)
for row, (name, colour) in enumerate([*zip(wall_names, WALLS, strict=True), ("median", median)]):
    swatches.add_patch(plt.Rectangle((0, -row), 1, 0.85, facecolor=colour, edgecolor="black", linewidth=2 * (name == "median")))
swatches.set_yticks([0.42 - row for row in range(5)], [*wall_names, "median"])
swatches.set(title="as colours", xlim=(-0.05, 1.05), ylim=(-4.1, 0.95), xticks=[])
swatches.tick_params(length=0)
axes[0].set_ylabel("price")
fig.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
fig.suptitle("What one pixel of a wall pays, channel by channel")
plots.show(fig, alt="Three curves, flat between the middle two of four marks; and swatches: four wall colours, and a beige, the median.")

# %% [markdown]
r"""
### Question: what does L1 paint?

- **a**: one of the four colours, a different one each time.
- **b**: between the middle two of the four, channel by channel: the median, which is no wall's colour.
- **c**: the colour of the most frequent wall.
"""

# %% question points=1 minutes=2
answer_median = ""  # "a", "b" or "c"

# %%
check(answer_median, exercise="answer_median")

# %% [markdown]
r"""
The sun went the same way: at any one pixel of the sky there is *mostly* no sun, so the median is sky.

A squared error would paint the mean instead of the median. That is no better: any price that is paid **pixel by pixel** rewards a compromise. What we want is a picture that
*could be real*. Who can tell?

## 3. A judge that asks: could this be real?

pix2pix adds the second player of lab 4. The discriminator sees a pair, **what was asked and what was given**, and says whether the pair is real. Without the condition, G could
paint any fine street, of another map.

Ours judges **patches**: it does not give one number for a picture, but a map of scores, each for the piece of the picture that it sees. A dull wall is found out wherever it is. It is small, and
works for any size. (The large-scale layout is the L1 term's business.)
"""

# %% exercise points=1 minutes=3 difficulty=1
from course.translation import conditional_pair
# TODO: lay the image's channels behind those of the condition: (B, K + C, H, W).

# %%
check(conditional_pair)

# %% [markdown]
r"""
D pays as in lab 4, the cross-entropy of its logits, for pairs now. High means *real*, as everywhere in this course. The paper takes **half** of it, to slow D
down; so do we, though with Adam, which does not notice a constant factor, it hardly matters. The fake is detached: this loss teaches D alone.
"""

# %% exercise points=2 minutes=8 difficulty=2
from course.translation import pix2pix_discriminator_loss
# TODO: half of (cross-entropy of the real pair to 1 + cross-entropy of the fake pair to 0). No gradient for the generator.

# %%
check(pix2pix_discriminator_loss)

# %% [markdown]
r"""
G pays two things: for being caught, $-\log D$, and for being far from the truth, $\lambda$ times the L1 distance.
"""

# %% exercise points=2 minutes=5 difficulty=2
from course.translation import pix2pix_generator_loss
# TODO: mean −log D of the fake's logits, plus l1_weight times the mean absolute difference.

# %%
check(pix2pix_generator_loss)

# %%
# NBVAL_CHECK_OUTPUT
condition, real, fake = torch.full((1, 2, 2, 2), 0.5), torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
print("the pair's channels at one pixel:", conditional_pair(condition, real)[0, :, 0, 0].tolist())


def sum_of_channels(pair: Tensor) -> Tensor:
    """Stand in for a discriminator."""
    return pair.sum(dim=1, keepdim=True)


print(f"D pays {pix2pix_discriminator_loss(sum_of_channels, condition, real, fake).item():.4f}")
print(f"G pays {pix2pix_generator_loss(torch.tensor([1.0]), fake, real, l1_weight=10.0).item():.4f}")

# %% [markdown]
r"""
You should read `[0.5, 0.5, 1.0]`, then 0.7201 and 10.3133.

Now train. The paper has $\lambda = 100$. We take 10: our picture is small, our training short, and the judge should have a say.
"""


# %%
def train_pix2pix(
    G: nn.Module, conditions: Tensor, images: Tensor, n: int, seed: int, l1_weight: float = 10.0
) -> tuple[nn.Module, dict[str, list[float]]]:
    """Train a generator with a discriminator; return it with what both paid, step by step."""
    D = patch_discriminator(conditions.shape[1] + 3, 32, layers=1, norm=nn.BatchNorm2d).to(device)
    g_optimizer = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        condition, target = batch
        fake = G(condition)
        d_loss = pix2pix_discriminator_loss(D, condition, target, fake)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = pix2pix_generator_loss(D(conditional_pair(condition, fake)), fake, target, l1_weight)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return {"D": d_loss.item(), "G": g_loss.item()}

    state = {"G": G, "D": D, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
    history = fit(step, pairs_of(conditions, images), n, state=state, decay=True, seed=seed, device=device)
    return G.eval(), history


pix2pix, _ = train_pix2pix(new_unet(8, SEED), train_labels, train_day, steps(PAIRED_STEPS), SEED)
painted["with a judge"] = translate(pix2pix, test_labels)
rows = {
    "label map": shown(label_pictures[:10]),
    "L1 alone": shown(painted["by L1 alone"][:10]),
    "L1 and a judge": shown(painted["with a judge"][:10]),
    "truth": shown(test_day[:10]),
}
plots.show(
    plots.image_rows(rows, "The same U-Net, with and without a discriminator", size=0.9),
    alt="Label maps, dull streets painted by L1 alone, streets in colour, most with a sun, painted with a judge, true streets.",
)

# %% [markdown]
r"""
Colour is back, and in most pictures a sun. Now count. For each house take the median colour of its wall, and ask how far it is from the **nearest** of the four real colours (distances of red,
green and blue in [0, 1]). And for comparison a picture that needs no network: every pixel gets the mean colour of its class.
"""


# %%
def wall_colours(images: Tensor, scenes: Tensor) -> Tensor:
    """Take the median colour of each house's wall: (2 B, 3) in [0, 1], all first houses, then all second ones."""
    bare = []  # for each house the pixels that show nothing but its wall
    for layer in street_layers(scenes, images.shape[-1]):
        bare = [pixels & (layer.mask < 0.001) for pixels in bare]
        if layer.kind == "wall":
            bare.append(layer.mask > 0.999)
    found = [images.masked_fill(~pixels[:, None], torch.nan).flatten(2).nanmedian(dim=2).values for pixels in bare]
    return (torch.cat(found) + 1) / 2


def nearest_wall(colours: Tensor, palette=WALLS) -> tuple[Tensor, Tensor]:
    """Find the nearest colour of a palette: the distances (N,), and the numbers of the colours (N,)."""
    nearest = torch.cdist(colours, torch.tensor(palette)).min(dim=1)
    return nearest.values, nearest.indices


def wall_distance(images: Tensor, scenes: Tensor, palette=WALLS) -> float:
    """Say how far the walls are, on average, from the nearest colour that a wall may have."""
    return nearest_wall(wall_colours(images, scenes), palette)[0].mean().item()


def by_class_means(labels: Tensor, images: Tensor, new_labels: Tensor) -> Tensor:
    """Paint every pixel in the mean colour that its class has in the training images."""
    means = torch.einsum("nkhw,nchw->kc", labels, images) / labels.sum(dim=(0, 2, 3))[:, None]
    return torch.einsum("nkhw,kc->nchw", new_labels, means)


painted = {"the class's mean colour": by_class_means(train_labels, train_day, test_labels), **painted, "(the truth)": test_day}
judged = {
    name: {**scores(images, test_day), "walls": wall_distance(images, tests)} for name, images in painted.items()
}
show_scores(judged)

# %% [markdown]
r"""
Read the last column first. Without a judge the walls are far from any real colour. With it they come near one. And now the others: by **L1**, by PSNR and by SSIM the dull picture is the *better*
one!

That is no contradiction. G cannot know that this house is red. If it paints an honest red, it is wrong three times of four, and wrong at full length. Beige is always wrong by a little. **L1 is not the judge of what looks real**: it
was minimised by the picture that you would never take for a photograph.

One run proves nothing. Here are five of each, measured once with the functions of this notebook and stored with the course (`python benchmarks/lab5_translation.py` measures them again): means, and 95 % intervals. The last line
is another task for the same U-Net: from **edges** to the street, where nothing says what is grass and what is wall.
"""

# %%
measured = json.loads(files("course.labs.lab5_translation").joinpath("benchmark.json").read_text())["rows"]


for measured_run in measured:
    if "painted" in measured_run:
        measured_run["own colour"] = sum(measured_run["painted"][i][i] for i in range(4)) / 4


def runs(arm: str) -> list[dict]:
    """Return an arm's five measured runs."""
    return [row for row in measured if row["arm"] == arm]


def with_interval(values: list[float]) -> tuple[float, float]:
    """Return the mean of five runs, and half the width of its 95 % interval (Student's t)."""
    return sum(values) / len(values), 2.776 * torch.tensor(values).std().item() / math.sqrt(len(values))


def summary(arms: list[str], columns: dict[str, list[str]]) -> None:
    """Print the means of five runs and their intervals; columns: a heading -> where its number is in a row."""
    print(f"{'':36}" + "".join(f"{name:>18}" for name in columns))
    for arm in arms:
        cells = []
        for path in columns.values():
            values = runs(arm)
            for key in path:
                values = [row[key] for row in values]
            cells.append("{:.3f} ± {:.3f}".format(*with_interval(values)).rjust(18))
        print(f"{arm:>36}" + "".join(cells))


summary(
    ["labels, L1 alone", "labels, L1 and a judge", "edges, L1 and a judge"],
    {"PSNR (dB)": ["PSNR"], "SSIM": ["SSIM"], "L1": ["L1"], "walls": ["walls"]},
)

# %% [markdown]
r"""
### What the judge does not ask for

Are the streets as *varied* as real ones? Look at which colours were painted, and where the sun stands.
"""


# %%
def suns(images: Tensor) -> tuple[Tensor, Tensor]:
    """Look for the most yellow 3 x 3 pixels of the sky: are they a sun (B,), and in which column, 0 to 31, are they (B,)?"""
    sky = images[:, :, 1:8]
    yellow = F.avg_pool2d((sky[:, 0] + sky[:, 1]) / 2 - sky[:, 2], 3, stride=1)  # blue sky is far below 0, a sun far above
    most = yellow.amax(dim=1).max(dim=1)
    return most.values > 0, most.indices + 1


fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
for i, name in enumerate(("(the truth)", "with a judge")):
    style = {"color": plots.COLOURS[(0, 3)[i]], "width": 0.38, "label": name.strip("()"), "hatch": ("", "//")[i]}
    which = nearest_wall(wall_colours(painted[name], tests))[1]
    left.bar(torch.arange(4) + 0.4 * i - 0.2, torch.bincount(which, minlength=4) / len(which), **style)
    has_sun, columns = suns(painted[name])
    places = torch.histc(columns[has_sun].float(), 8, 0, 32)
    right.bar(torch.arange(8) * 4 + 1.2 + 1.6 * i, places / len(tests), **{**style, "width": 1.6})
left.set_xticks(range(4), wall_names)
left.set(title="which colour the walls are nearest to", ylabel="share of the houses")
right.set(title="where the sun stands, if there is one", xlabel="column of the image", ylabel="share of the images")
fig.legend(*left.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=2)
plots.show(fig, alt="Bars of wall colours and of the sun's places, true and painted: the painted sun stands in few places.")
colour_columns = [FACTORS.index(f"house{i}_colour") for i in (0, 1)]
true_colours = tests[:, colour_columns].T.flatten().long()
print(f"houses that have their true colour: {(which == true_colours).float().mean():.0%}; by chance it would be 25%")
crowded = places.topk(2).values.cumsum(dim=0) / places.sum().clamp(min=1)
print(f"painted streets with a sun: {has_sun.float().mean():.0%}; of these suns {crowded[0]:.0%} stand in one eighth of the sky,", end=" ")
print(f"{crowded[1]:.0%} in two")

# %% [markdown]
r"""
### Question: the same few suns

A real sun stands anywhere. G paints it in a few places, or not at all. Why does it paint it where it does?

- **a**: D never looks at the sky.
- **b**: nothing in the label map says where it is, G has no noise to choose by, and D, which sees a picture at a time, is content with any sun.
- **c**: the L1 term pulls it to the middle.
"""

# %% question points=1 minutes=2
answer_sun = ""  # "a", "b" or "c"

# %%
check(answer_sun, exercise="answer_sun")

# %% [markdown]
r"""
This is **mode collapse** (lab 4) in its conditional form: plausible, and nearly always the same. The authors of pix2pix saw it, too; they gave G noise, and it learned to ignore it. With the walls G is luckier: houses differ in shape, and the shape
decides on the colour, as dice would. A house has its true colour as often as dice are right.

## 4. Without pairs

Day to night. Here is what we have: a heap of streets by day, and a heap of *other* streets at night. No scene is in both.
"""

# %%
scenes_a, scenes_b = sample_unpaired(4000, torch.Generator().manual_seed(10 * SEED + 2))
heap_a, heap_b = render_scenes(scenes_a, "day"), render_scenes(scenes_b, "night")
rows = {"heap A": shown(heap_a[:10]), "heap B": shown(heap_b[:10])}
plots.show(
    plots.image_rows(rows, "Two heaps that have nothing to do with each other", size=0.9),
    alt="A row of streets by day, and a row of other streets at night.",
)

# %% [markdown]
r"""
What can be done without learning? Four things, and a fifth that cheats.

- **identity**: leave the picture as it is.
- **colour statistics**: stretch and shift each colour channel so that heap A gets the mean and the spread of heap B.
- **mean image** of heap B, for every input.
- **nearest neighbour**: return the picture of heap B whose pixels are nearest.
- *paired nearest neighbour* (cheats): find the nearest picture of heap A, and return *its* true counterpart.
"""


# %%
def nearest(queries: Tensor, heap: Tensor) -> Tensor:
    """Find for each query the number of the nearest picture of a heap, by squared error."""
    flat = heap.flatten(1)
    return torch.cat([torch.cdist(part.flatten(1), flat).argmin(dim=1) for part in queries.split(100)])


def colour_statistics(images: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Give images the channel means and spreads of b instead of those of a."""
    moments = [(heap.mean(dim=(0, 2, 3), keepdim=True), heap.std(dim=(0, 2, 3), keepdim=True)) for heap in (a, b)]
    return ((images - moments[0][0]) / moments[0][1] * moments[1][1] + moments[1][0]).clamp(-1, 1)


def baselines(images: Tensor, a: Tensor, b: Tensor, counterparts: Tensor) -> dict[str, Tensor]:
    """Translate images by what needs no training; counterparts: the true ones of heap a, for the one that cheats."""
    return {
        "identity": images,
        "colour statistics": colour_statistics(images, a, b),
        "mean image": b.mean(dim=0, keepdim=True).expand_as(images),
        "nearest neighbour": b[nearest(images, b)],
        "paired nearest neighbour": counterparts[nearest(images, a)],
    }


simple = baselines(test_day, heap_a, heap_b, render_scenes(scenes_a, "night"))
compared = {name: scores(made, test_night) for name, made in simple.items()}
show_scores(compared)
best_unpaired = max(row["PSNR"] for name, row in compared.items() if name != "paired nearest neighbour")

# %% [markdown]
r"""
### Two generators and a round trip

A GAN could learn to make night pictures out of day pictures: D compares with heap B, for which no pairs are needed. But D only asks: *is this a street at night?* It never asks: *is it **this** street?*

CycleGAN's idea (Zhu et al., 2017): what was translated to the other side and **back** must be what it was. Then nothing may be lost on the way.
"""


# %%
def draw_cycles(a: Tensor, b: Tensor, a_at_night: Tensor, b_by_day: Tensor) -> None:
    """Draw both round trips, with true counterparts in the place of translations."""
    fig, axes = plt.subplots(2, 3, figsize=(7.6, 4.9))
    fig.subplots_adjust(0.05, 0.08, 0.95, 0.84, wspace=0.75, hspace=0.5)
    words = (
        ("a, from heap A", "$G_{ab}(a)$", "$G_{ba}(G_{ab}(a))$", "$G_{ab}$", "$G_{ba}$", "$D_b$: a real night?"),
        ("b, from heap B", "$G_{ba}(b)$", "$G_{ab}(G_{ba}(b))$", "$G_{ba}$", "$G_{ab}$", "$D_a$: a real day?"),
    )
    for row, (source, other, text) in enumerate(zip((a, b), (a_at_night, b_by_day), words, strict=True)):
        for ax, image, title in zip(axes[row], (source, other, source), text[:3], strict=True):
            ax.imshow(shown(image[None])[0].permute(1, 2, 0), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.set_title(title, fontsize=10)
        for column in (0, 1):
            axes[row, column].annotate(
                "", (1.7, 0.5), (1.05, 0.5), xycoords="axes fraction",
                arrowprops={"arrowstyle": "-|>", "mutation_scale": 16, "color": plots.COLOURS[0], "linewidth": 1.8},
            )
            axes[row, column].text(1.37, 0.56, text[3 + column], transform=axes[row, column].transAxes, ha="center", va="bottom")
        axes[row, 1].set_xlabel(text[5], color=plots.COLOURS[3])
        axes[row, 2].set_xlabel("the same as the first?", color=plots.COLOURS[2])
    fig.suptitle("Four directions: there and back, from both sides")
    plots.show(fig, alt="Two rows: day, night, day again by G_ab and G_ba; and night, day, night again; a judge below each middle picture.")


draw_cycles(heap_a[0], heap_b[0], render_scenes(scenes_a[:1], "night")[0], render_scenes(scenes_b[:1], "day")[0])

# %% [markdown]
r"""
(The pictures in the middle are what they *should* be; nothing is trained yet.)

Two generators, two discriminators. Three prices, each paid in both directions:

| price | asks | weight |
|---|---|---|
| adversarial | does $D_b$ take $G_{ab}(a)$ for a real night, $D_a$ take $G_{ba}(b)$ for a real day? | 1 |
| cycle | is $G_{ba}(G_{ab}(a))$ again $a$, and $G_{ab}(G_{ba}(b))$ again $b$? | 10 |
| identity | does $G_{ab}$ leave a *night* alone, $G_{ba}$ a *day*? | 5 |

### The prices, one by one

CycleGAN's judges do not give logits. They give plain numbers, and pay the **squared distance** to what they should say: 1 for real, 0 for fake (LSGAN). Its gradient does not die
when D is sure.
"""

# %% exercise points=1 minutes=4 difficulty=1
from course.translation import lsgan_loss
# TODO: the mean squared distance of the scores to 1 (real) or 0 (fake).

# %%
check(lsgan_loss)

# %% [markdown]
r"""
The other two prices are mean absolute differences, of images. They are the same sum with two meanings; it helps the reader of the loss that they have two names.
"""

# %% exercise points=1 minutes=2 difficulty=1
from course.translation import cycle_consistency_loss
# TODO: the mean absolute difference between an image and what came back.

# %%
check(cycle_consistency_loss)

# %% exercise points=1 minutes=2 difficulty=1
from course.translation import identity_loss
# TODO: the mean absolute difference between an image of the target domain and what the generator makes of it.

# %%
check(identity_loss)

# %%
# NBVAL_CHECK_OUTPUT
patches = torch.tensor([[0.0, 0.5], [1.0, 2.0]])
print("scores taken for real:", lsgan_loss(patches, True).item(), " for fake:", lsgan_loss(patches, False).item())
before, after = torch.tensor([[[[0.0, 0.5]]]]), torch.tensor([[[[0.25, -0.5]]]])
print("cycle:", cycle_consistency_loss(before, after).item(), " identity:", identity_loss(after, before).item())

# %% [markdown]
r"""
You should read 0.5625 and 1.3125, then 0.625 twice.

### Question: the round trip alone

Leave the judges away, and train with the cycle loss alone. What do the generators learn?

- **a**: day to night, since that is the only way to come back to the same picture.
- **b**: to leave every picture as it is: nobody asks for a night, and the way there and back is perfect.
- **c**: nothing: without judges there is no gradient.
"""

# %% question points=1 minutes=2
answer_cycle_alone = ""  # "a", "b" or "c"

# %%
check(answer_cycle_alone, exercise="answer_cycle_alone")

# %% [markdown]
r"""
### All of it

Now the whole loss of both generators. It is where most CycleGANs go wrong: six calls of generators, and each can be crossed. Go through the table above line by line.
"""

# %% exercise points=5 minutes=20 difficulty=4
from course.translation import cyclegan_generator_loss
# TODO: adversarial + cycle_weight · cycle + identity_weight · identity, each the sum of both directions.
# Return (loss, {"adversarial": …, "cycle": …, "identity": …}): the parts without their weights, detached.

# %%
check(cyclegan_generator_loss)

# %%
# NBVAL_CHECK_OUTPUT
a, b = torch.full((1, 1, 2, 2), 1.0), torch.full((1, 1, 2, 2), -1.0)
loss, parts = cyclegan_generator_loss(
    G_ab=lambda x: 0.5 * x - 1, G_ba=lambda x: 2 * x + 1, D_a=lambda x: x + 0.5, D_b=lambda x: x - 0.25, a=a, b=b
)
print(f"loss {loss.item():.4f}:", {name: round(part.item(), 4) for name, part in parts.items()})

# %% [markdown]
r"""
You should read 32.8125, which is 5.3125 + 10 · 1.5 + 5 · 2.5. If yours differs, the first part that differs says which wire is crossed.

The discriminators are simpler: each sees real pictures of its domain and translations, and pays half the sum.
"""

# %% exercise points=2 minutes=5 difficulty=2
from course.translation import cyclegan_discriminator_loss
# TODO: half of (real images to 1 + fake images to 0); no gradient for the generator.

# %%
check(cyclegan_discriminator_loss)

# %%
# NBVAL_CHECK_OUTPUT
nights, fakes = torch.full((2, 1, 1, 1), 0.5), torch.full((3, 1, 1, 1), 2.0)
print(f"D pays {cyclegan_discriminator_loss(nn.Flatten(), nights, fakes).item():.4f}")

# %% [markdown]
r"""
You should read 2.125: half of 0.25 and 4.

### A memory for the judge

A GAN can run in circles (lab 4): G finds a trick, D learns to spot it and forgets the last one, G goes back to that. A cheap cure: D is shown old translations as well. Keep 50 in a **buffer**.
While it fills, each image is kept and shown. Then, for each new image, toss a coin. Heads: it is shown. Tails: a random old one is shown, and the new one takes its place.
"""

# %% exercise points=3 methods=exchange minutes=12 difficulty=3
from course.translation import ImageBuffer
# TODO exchange: image by image, as the docstring says. Keep copies, detached, never views of the batch.

# %%
check(ImageBuffer)

# %%
# NBVAL_CHECK_OUTPUT
buffer = ImageBuffer(3)
first = torch.arange(3.0)[:, None, None, None] * torch.ones(3, 1, 2, 2)
print("while it fills, what comes back:", buffer.exchange(first)[:, 0, 0, 0].tolist())
seen = torch.cat([buffer.exchange(torch.full((4, 1, 2, 2), 10.0 + i)) for i in range(250)])[:, 0, 0, 0]
new = torch.arange(250).repeat_interleave(4) + 10.0
print("then about half is new:", 0.4 < (seen == new).float().mean().item() < 0.65)
print("each of the first came back:", {0.0, 1.0, 2.0} <= set(seen.tolist()))

# %% [markdown]
r"""
You should read `[0.0, 1.0, 2.0]`, then True twice.

### Train it

Two small ResNet generators, two patch judges, one batch of two pictures from each heap per step. The generators step first, then the judges. It takes a minute or two.
"""


# %%
def train_cyclegan(
    a: Tensor, b: Tensor, n: int, seed: int, cycle_weight: float = 10.0, identity_weight: float = 5.0
) -> tuple[nn.Module, nn.Module, dict[str, list[float]]]:
    """Train a CycleGAN on two heaps of images; return G_ab, G_ba and the parts of their loss, step by step."""
    seed_everything(seed)
    G_ab, G_ba = (small_translator(3, 3).to(device) for _ in range(2))
    D_a, D_b = (patch_discriminator(3, 32, layers=1).to(device) for _ in range(2))
    g_optimizer = torch.optim.Adam([*G_ab.parameters(), *G_ba.parameters()], lr=1e-3, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam([*D_a.parameters(), *D_b.parameters()], lr=1e-3, betas=(0.5, 0.999))
    old_a, old_b = ImageBuffer(50), ImageBuffer(50)

    def batches(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return tuple(heap[torch.randint(len(heap), (2,), generator=generator)] for heap in (a, b))

    def step(batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        real_a, real_b = batch
        loss, parts = cyclegan_generator_loss(G_ab, G_ba, D_a, D_b, real_a, real_b, cycle_weight, identity_weight)
        g_optimizer.zero_grad()
        loss.backward()
        g_optimizer.step()
        with torch.no_grad():
            fake_a, fake_b = G_ba(real_b), G_ab(real_a)
        d_loss = cyclegan_discriminator_loss(D_a, real_a, old_a.exchange(fake_a))
        d_loss = d_loss + cyclegan_discriminator_loss(D_b, real_b, old_b.exchange(fake_b))
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        return {**{name: part.item() for name, part in parts.items()}, "judges": d_loss.item()}

    state = {"G_ab": G_ab, "G_ba": G_ba, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
    history = fit(step, batches, n, state=state, decay=True, seed=seed, device=device)
    return G_ab.eval(), G_ba.eval(), history


G_ab, G_ba, history = train_cyclegan(heap_a, heap_b, steps(UNPAIRED_STEPS), SEED)

# %% [markdown]
r"""
Score it on 500 true pairs that it has never seen. Beside it: what needs no training; and the same generator trained by L1 on
**true pairs**, for as many steps of as many pictures, from five measured runs. That is the upper bound: what could be had if somebody made the pairs.
"""

# %%
made = translate(G_ab, test_day)
taken_for = nearest_wall(wall_colours(made, tests), NIGHT_WALLS["related"])[1]
compared["CycleGAN, this run"] = scores(made, test_night)
on_pairs = runs("the same generator on pairs")
compared["(trained on pairs, five runs)"] = {name: sum(row[name] for row in on_pairs) / 5 for name in ("PSNR", "SSIM", "L1")}
show_scores(compared)
rows = {
    "day": shown(test_day[:10]),
    "CycleGAN": shown(made[:10]),
    "truth": shown(test_night[:10]),
    "nearest neighbour": shown(simple["nearest neighbour"][:10]),
}
plots.show(
    plots.image_rows(rows, "From day to night, learned from two heaps", size=0.9),
    alt="Streets by day, their translations to the night, the true nights, and the nearest nights of heap B.",
)


def left_houses(images: Tensor, chosen: Tensor, brighter: float = 1.0) -> Tensor:
    """Cut out the left houses of chosen streets, made brighter for the eye alone."""
    return (brighter * shown(images[chosen][:, :, 6:26, :17])).clamp(0, 1)


two_of_each = torch.cat([(true_colours[: len(tests)] == colour).nonzero()[:2, 0] for colour in range(4)])
rows = {
    "by day": left_houses(test_day, two_of_each),
    "CycleGAN": left_houses(made, two_of_each, 2),
    "truth": left_houses(test_night, two_of_each, 2),
}
names = [name for name in wall_names for _ in range(2)]
plots.show(
    plots.image_rows(rows, "Eight houses; the nights twice as bright as they are", names, size=1.0),
    alt="Two houses of each colour by day, their translations to the night, and the true ones, the nights brightened.",
)
print(f"houses painted in the night of their own colour: {(taken_for == true_colours).float().mean():.0%} in this run;", end=" ")
print("in five runs", ", ".join(f"{1 - row['wrong_houses']['count'] / 1000:.0%}" for row in runs("CycleGAN")))

# %% [markdown]
r"""
Nobody ever showed it a pair. Yet the translation is far nearer to the truth than anything else that has no pairs. The best of those, mind you, is the **mean image**, the same blur for every street:
a squared error likes a blur. Never report a score without the dumbest thing that gets one.

Look at the houses last: not each has the night of its own colour, in one run of five hardly more than half of them. PSNR hardly notices, for a wall is a small part of a picture. Hold on to that until section 5.

Was that luck? Five runs each, with heaps and tests of their own:
"""

# %%
nothing = [row["to_night"] for row in runs("no training")]
table = {name: [row[name]["PSNR"] for row in nothing] for name in nothing[0]}
table["CycleGAN"] = [row["PSNR"] for row in runs("CycleGAN")]
table["the same generator on pairs"] = [row["PSNR"] for row in on_pairs]
captions = [f"{name} (cheats)" if name.startswith("paired") else name for name in table]
fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
for i, (name, values) in enumerate(zip(captions, table.values(), strict=True)):
    mean, half = with_interval(values)
    print(f"{name:>34}: {mean:5.1f} ± {half:.1f} dB")
    ax.plot(values, [i] * 5, ".", color=plots.COLOURS[0], alpha=0.6, label="one run" if i == 0 else None)
    ax.errorbar(mean, i, xerr=half, color=plots.COLOURS[3], marker="D", capsize=4, label="mean, 95 % interval" if i == 0 else None)
ax.set_yticks(range(len(table)), captions)
ax.set(title="Day to night against the truth, five runs", xlabel="PSNR (dB)")
ax.invert_yaxis()
ax.grid(alpha=0.3)
ax.legend(frameon=False, loc="lower left")
plots.show(fig, alt="PSNR of five baselines, of CycleGAN and of the same generator on pairs, five runs each.")
rivals = [max(row[name]["PSNR"] for name in row if name != "paired nearest neighbour") for row in nothing]
lead, lead_half = with_interval([ours - theirs for ours, theirs in zip(table["CycleGAN"], rivals, strict=True)])
print(f"CycleGAN over the best that has no pairs, run by run: {lead:+.1f} ± {lead_half:.1f} dB")

# %% [markdown]
r"""
### There and back

The round trip, and what the two prices did during training.
"""

# %%
back = translate(G_ba, made)
rows = {"day": shown(test_day[:10]), "to the night": shown(made[:10]), "and back": shown(back[:10])}
plots.show(
    plots.image_rows(rows, "The round trip", size=0.9),
    alt="Streets by day, their translations to the night, and the streets by day that come back.",
)
series = {name: plots.smooth(history[name]) for name in ("cycle", "identity", "adversarial", "judges")}
plots.show(
    plots.curves(series, "CycleGAN: what is paid, without the weights", "step", "price", log="y"),
    alt="Four curves over the steps: cycle and identity fall, adversarial and judges stay where they are.",
)

# %% [markdown]
r"""
Cycle and identity fall. The game of judges and generators stays where it is, as in every GAN: those two curves tell you *nothing* about quality.

### Without the round trip

What if the cycle has weight 0? Then D still asks for real nights, and the identity price still asks to leave nights alone. Five runs; the last
column is the share of houses that have the night of their own colour, the one before it says how far a wall is from the *nearest* night colour.
"""


# %%
summary(
    ["CycleGAN", "cycle weight 0"],
    {"PSNR (dB)": ["PSNR"], "round trip, L1": ["cycle_error"], "nearest wall": ["walls"], "own colour": ["own colour"]},
)

# %% [markdown]
r"""
The round trip is gone: what comes back is twice as far from what went in. And yet the nights are only a decibel or two worse. What gets lost is what nothing else holds: *which* wall. Some 80 % of the houses have the night of their
own colour with the round trip, some 40 % without. (The distance to the nearest colour hardly shows it. A wrong colour is a colour, too.)

So the round trip is not what keeps the streets in their places. What does? We think: convolutions, which paint where they look, and the identity price, which leaves alone what fits in. That is a guess, for none of our runs is without both.

## 5. Wrong, and consistent

So far each wall by day had its own colour at night, *darker*. Now change the world: at night a wall has one of four colours that say nothing about those by day. Still one to one: brick is always dark
green, ochre always plum. With pairs, nothing would be harder than before.
"""

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 1.9), layout="constrained")
for ax, kind in zip(axes, ("related", "unrelated"), strict=True):
    for row, colours in enumerate((WALLS, NIGHT_WALLS[kind])):
        for column, colour in enumerate(colours):
            ax.add_patch(plt.Rectangle((column, -row), 0.9, 0.8, color=colour))
    ax.set(xlim=(-0.1, 4), ylim=(-1.1, 0.9), title=f"{kind} walls")
    ax.set_xticks([i + 0.45 for i in range(4)], wall_names)
    ax.set_yticks([0.4, -0.6], ["by day", "at night"])
    ax.tick_params(length=0)
plots.show(fig, alt="Swatches: four wall colours by day, and below each its colour at night; related ones are darker, unrelated ones are not.")

# %% [markdown]
r"""
Train five CycleGANs on this world (no identity loss). For each, count: houses of each true colour, what were they painted? A right translation has all its weight on the diagonal.
"""

# %%
WRONG = "unrelated walls, no identity loss"
fig, axes = plt.subplots(1, 5, figsize=(11, 3.5), layout="constrained", sharey=True)
for ax, row in zip(axes, runs(WRONG), strict=True):
    ax.imshow(torch.tensor(row["painted"]), cmap="Blues", vmin=0, vmax=1)
    for i in range(4):
        for j in range(4):
            share = row["painted"][i][j]
            ax.text(j, i, f"{share:.1f}", ha="center", va="center", fontsize=8, color="white" if share > 0.5 else "black")
    ax.set_title(f"seed {row['seed']}\n{row['PSNR']:.1f} dB, cycle {row['cycle_error']:.3f}", fontsize=9)
    ax.set_xticks(range(4), wall_names, rotation=60)
axes[0].set_yticks(range(4), wall_names)
axes[0].set_ylabel("true colour")
fig.supxlabel("painted in the night colour of", fontsize=10)
fig.suptitle("Five runs in a world where walls at night say nothing of walls by day")
plots.show(fig, alt="Five 4 x 4 tables of true against painted wall colours, one a seed; not all have their weight on the diagonal.")


def is_right(row: dict) -> bool:
    """Say whether each of the four colours is mostly painted as it should be."""
    return all(max(shares) == shares[i] for i, shares in enumerate(row["painted"]))


for arm in ("CycleGAN", WRONG, "unrelated walls, identity loss"):
    right = sum(is_right(row) for row in runs(arm))
    print(f"{arm:>36}: all four colours right in {right} of 5 runs; ", end="")
    print("PSNR", ", ".join(f"{row['PSNR']:.1f}" for row in runs(arm)))

# %% [markdown]
r"""
Look at the rows: not one of the five is right. And each is wrong **consistently**: it has made up its mind that brick becomes *that* colour, and paints every brick house so. Compare the numbers above the tables with the round
trip of the world before: it is just as good. The identity price (the last line) does not help either.

Now look across the tables. Seeds 1 to 4 make the *same* mistake: brick and blue change places, ochre and white are right. The heaps do not ask for that. Look at the swatches again: blue's night colour is a brown, brick's a green. The
network seems to prefer the smaller change. So it is no coin that decides, and it is not you either.

(The first line is the world of related walls, where darkening is enough. It is not free of mistakes: PSNR is high long before the last wall is right.)

### Question: who could have noticed?

A run has swapped brick and blue at night, as four of these did. Which of its prices would reveal it?

- **a**: the cycle: what comes back has the wrong colour.
- **b**: $D_b$: such nights are not in heap B.
- **c**: none of them.
"""

# %% question points=1 minutes=3
answer_permuted = ""  # "a", "b" or "c"

# %%
check(answer_permuted, exercise="answer_permuted")

# %% [markdown]
r"""
This is the most important thing to know about unpaired translation. **It finds a mapping that fits the two heaps. Whether it is the one that you meant, the heaps do not say.** If tumours are more
frequent in heap B than in heap A, a translator of medical images must draw some (Cohen et al., 2018). And you would look at the pictures, and find them good.

What then decides? Everything that is *not* in the loss: that networks find it easier to darken a colour than to exchange it, that convolutions keep things in place, that the identity
price prefers to leave alone what fits in. These are assumptions. With related walls they are right, so the translation is.

## 6. What leaks through the cycle

The round trip is good, some 27 dB. And it brings back what should be lost: of the houses that were painted in a *wrong* night colour, nearly all come back in their own. Does the picture in the middle tell $G_{ba}$ what they were?

Be careful: perhaps $G_{ba}$ makes the same mistake the other way round, and finds the right colour with nothing to go by. So here is a control: **true** nights of the same streets, where each wall has the night colour that it was taken for. Into
these $G_{ab}$ has written nothing. And if it has written something too weak to be seen, a little noise should cover it.
"""

# %%
wrong = taken_for != true_colours
as_taken = tests.clone()
as_taken[:, colour_columns] = taken_for.reshape(2, -1).T.float()
control = render_scenes(as_taken, "night")
noise = torch.randn(made.shape, generator=torch.Generator().manual_seed(SEED))
print(f"this run: {wrong.sum()} of {len(wrong)} houses have a wrong colour in the middle. Of these come back in their own")
for name, night in (("from its own nights", made), ("from true nights of that colour", control)):
    days = [translate(G_ba, night + sd * noise) for sd in (0.0, 0.05, 0.1)]
    shares = [(nearest_wall(wall_colours(day, tests))[1] == true_colours)[wrong].float().mean().item() for day in days]
    print(f"{name:>32}: {shares[0]:4.0%}; with noise of sd 0.05 {shares[1]:4.0%}, of sd 0.1 {shares[2]:4.0%}")
first = torch.cat([wrong[: len(tests)].nonzero()[:, 0], torch.arange(8)])[:8]  # those that are wrong, if there are any
rows = {
    "by day": left_houses(test_day, first),
    "in the middle": left_houses(made, first, 2),
    "back from it": left_houses(back, first),
    "with noise": left_houses(made + 0.1 * noise, first, 2),
    "back from that": left_houses(translate(G_ba, made + 0.1 * noise), first),
    "control": left_houses(control, first, 2),
    "back from that ": left_houses(translate(G_ba, control), first),
}
plots.show(
    plots.image_rows(rows, "Houses of a wrong night colour, and what comes back; nights twice as bright", size=0.9),
    alt="Houses by day, in the middle and back, without noise and with; then clean nights of the wrong colour, and back from these.",
)

# %% [markdown]
r"""
One run proves nothing, and this is a matter of a few houses in some. Here are the five, with a second control: true nights in which each wall has *exactly the shade* that was painted, the median of its pixels.
"""

# %%
controls = ("its own nights", "true nights, that shade", "true nights, that colour")
print("come back in their own colour, without noise > with noise of sd 0.1")
print("     wrong houses" + "".join(f"{name:>27}" for name in controls))
for row in runs("CycleGAN"):
    cells = [row["wrong_houses"][name] for name in controls]
    print(f"seed {row['seed']}{row['wrong_houses']['count']:11}" + "".join(f"{f'{c[0]:.0%} > {c[2]:.0%}':>27}" for c in cells))
for name, key in (("its own nights", "way_back"), ("true nights", "way_back_from_true_nights")):
    print("PSNR of the way back from {}: {:.1f} ± {:.1f} dB".format(name, *with_interval([row[key][0] for row in runs("CycleGAN")])))

# %% [markdown]
r"""
From its own nights nearly every such house comes back in its own colour. From true nights of the colour that it seems to have: hardly any, in three runs. (In the other two about half of them do: there $G_{ba}$ has confused the same colours as $G_{ab}$.
Without the control you would have called all of it a trace.) So in all five runs **the picture in the middle says more than its colours do**, and $G_{ba}$ can read it.

How is it written? In four runs partly in plain sight: the brick house that passes for ochre is not *quite* ochre, and from a true night of exactly that shade more come back than from one of the colour, half to three quarters. The rest is in something that the
median of a wall does not show. What it is *not* is a whisper: noise that you see plainly leaves four houses of five and more. The judges let it pass, and so did you.

Where the other side *cannot* show what the way back needs, the trace has to be fainter: a CycleGAN between aerial photographs and maps wrote the details of the photograph into the map, invisibly, and fell apart when the
map was disturbed (Chu et al., 2017: "a master of steganography"). Cycle consistency forbids losing information. It does not ask for it to be *seen*.

## 7. What is being learned here?

Put labs 4 and 5 side by side. Lab 4's G takes a number from a normal distribution, and moves it onto the manifold of faces. $G_{ab}$ takes a point of one manifold, and moves it onto another. Both are **transformers of
distributions**: whatever comes in is distributed in one way, what goes out is to be distributed in another, and a discriminator sees to it.
"""

# %%
generator = torch.Generator().manual_seed(3)
t = torch.linspace(0, 1, 120)
along = torch.rand(250, generator=generator)


def curve_x(t: Tensor) -> Tensor:
    """Place points of the first manifold."""
    return torch.stack([2 * t - 1, 0.5 * torch.sin(6 * t) + 0.1], dim=-1)


def curve_y(t: Tensor) -> Tensor:
    """Place points of the second manifold."""
    return torch.stack([0.9 * torch.cos(4.6 * t + 0.4), 0.75 * torch.sin(4.6 * t + 0.4)], dim=-1)


cloud = 0.4 * torch.randn(250, 2, generator=generator)
angle = torch.atan2(cloud[:, 1], cloud[:, 0]) / (2 * math.pi) + 0.5
panels = (
    ("noise to a manifold (lab 4)", cloud, curve_y(angle), angle, "z", "G(z)"),
    ("a manifold to a manifold, with pairs", curve_x(along), curve_y(along), along, "a", "G(a)"),
    ("without pairs: this one, or another", curve_x(along), curve_y(1 - along), along, "a", "G(a)"),
)
fig, axes = plt.subplots(1, 3, figsize=(11, 2.7), layout="constrained")
for ax, (title, source, target, colour, left_name, right_name) in zip(axes, panels, strict=True):
    for points, shift, marker in ((source, 0.0, "o"), (target, 3.6, "s")):
        ax.scatter(points[:, 0] + shift, points[:, 1], c=colour, cmap="viridis", s=9, marker=marker)
    for i in range(0, 250, 50):
        ax.annotate("", (target[i, 0] + 3.6, target[i, 1]), source[i],
                    arrowprops={"arrowstyle": "-|>", "color": "grey", "linewidth": 0.8, "alpha": 0.8})
    ax.text(0, -1.25, left_name, ha="center")
    ax.text(3.6, -1.25, right_name, ha="center")
    ax.set(title=title, xlim=(-1.4, 5), ylim=(-1.5, 1.2), aspect="equal")
    ax.axis("off")
fig.suptitle("Transformers of distributions: a point goes where its colour is")
plots.show(fig, alt="Three panels: a cloud mapped to a curve; a curve mapped to a curve; the same two curves, mapped the other way round.")

# %% [markdown]
r"""
The middle and the right panel have the **same** two distributions. Whoever sees only those cannot say which map is meant. On the left nobody cares: which face belongs to which noise is of no interest. In translation it is all
that matters, and it is what pairs are for.

The next family of models, in the lectures on diffusion, goes from noise to the manifold as well, in many small steps.

## 8. Your own pictures

Two famous sets fit the functions of this lab as they are. Set `DATASET` and `ROOT` in the set-up cell, and run the notebook again.

- `"facades"`: label maps of façades and photographs, **pairs** side by side in one file, in `train/` and `test/` or `val/`.
- `"horse2zebra"`: two heaps, `trainA/`, `trainB/`, `testA/`, `testB/`.

Nothing is downloaded for you: get a set, unpack it, and give `ROOT` its folder. On a CPU it is a try-out, at 64 pixels and with few steps; on a GPU it takes longer and gets better. There is no truth for horses: you will have to judge by eye again.
"""

# %%
if DATASET == "facades":
    asked, photos = load_pairs(ROOT, "train")
    asked_test, photos_test = load_pairs(ROOT, "test", limit=10)
    architect, _ = train_pix2pix(new_unet(3, SEED), asked, photos, steps(PAIRED_STEPS), SEED)
    rows = {"label map": asked_test, "pix2pix": translate(architect, asked_test), "photograph": photos_test}
    plots.show(
        plots.image_rows({name: shown(images) for name, images in rows.items()}, "facades", size=1.0),
        alt="Label maps of façades, what pix2pix makes of them, and the photographs.",
    )
    print(f"{DATASET}:", scores(rows["pix2pix"], photos_test))
elif DATASET == "horse2zebra":
    horses, zebras = load_unpaired(ROOT, "train")
    horses_test, zebras_test = load_unpaired(ROOT, "test", limit=10)
    to_zebra, to_horse, _ = train_cyclegan(horses, zebras, steps(UNPAIRED_STEPS), SEED)
    rows = {"A": horses_test, "A to B": translate(to_zebra, horses_test), "B": zebras_test, "B to A": translate(to_horse, zebras_test)}
    plots.show(
        plots.image_rows({name: shown(images) for name, images in rows.items()}, "horse2zebra", size=1.0),
        alt="Pictures of domain A and their translations, pictures of domain B and theirs.",
    )
    print(f"{DATASET}: {len(horses)} pictures in heap A, {len(zebras)} in heap B")
else:
    print("DATASET is scenes: nothing more to do here")

# %% [markdown]
r"""
### Does it hold?

The next cell holds your models, and where it says so the five stored runs, against bars. Every one of five seeds cleared those for a run when the course measured them.
"""

# %%
bar("day to night, PSNR of this run (dB)", compared["CycleGAN, this run"]["PSNR"], above=22)
bar("lead over the best that has no pairs, this run (dB)", compared["CycleGAN, this run"]["PSNR"] - best_unpaired, above=0)
bar("lead over the best that has no pairs, five runs, lower end of the interval (dB)", lead - lead_half, above=0)
# On a CPU each of five seeds was above 0.2, the lowest at 0.202; a GPU trains three times as long, so your run has some room.
bar("distance of the walls from a real colour, L1 alone, this run", judged["by L1 alone"]["walls"], above=0.15)
bar("distance of the walls from a real colour, L1 alone, lowest of five runs", min(row["walls"] for row in runs("labels, L1 alone")), above=0.2)
bar("distance of the walls from a real colour, with a judge, this run", judged["with a judge"]["walls"], below=0.1)
bar("L1 of the streets with a judge, over that without, this run", judged["with a judge"]["L1"] / judged["by L1 alone"]["L1"], above=1)

# %% [markdown]
r"""
### Hand it in

`progress()` shows where you stand. Then save the notebook and hand in the `.ipynb` file: on Colab **File › Download › Download .ipynb**,
in JupyterLab **File › Download**. Upload it where your course asks for it, under the name it has.
"""

# %%
progress()
