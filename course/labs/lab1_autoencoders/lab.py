# %% [markdown]
r"""
# Lab 1: autoencoders

Here is a small puzzle. An image of 784 pixels has to pass through a gap that lets only **two numbers** through. On the other side
somebody who sees nothing but these two numbers has to draw the image again.

It can be done, for some images, and nobody needs to tell the two sides what the numbers should mean. They find out, by practice.

In this lab you write such a pair: six short functions and a class, each with a check that tells you what went wrong. Then you ask what the numbers
mean, how many are needed, and what happens if you put in numbers that never came out of an image.

**You need:** tensors and gradients in PyTorch. **You will be able to:** build and train an autoencoder, say what its bottleneck learns and
how it is related to PCA, and show with a number why it cannot invent images.
"""

# %% setup
import math
from collections.abc import Iterable, Iterator
from math import prod

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from course import check, hint, plots, progress, start
from course.data.glyphs import sample_glyphs
from course.data.real import load
from course.data.sprites import sample_sprites
from course.labs.budget import bar, seed_of_run, steps
from course.networks import mlp_decoder, mlp_encoder
from course.training import fit, minibatches, pick_device, seed_everything

start("lab1_autoencoders")
DATASET = "glyphs"  # or "fashion_mnist": photographs of clothes
DATA_ROOT = "data"  # where real images are, or will be downloaded to
SEED = seed_of_run()  # 0; try another one when you are through: what changes, and what does not?
device = pick_device()

# %% [markdown]
r"""
## 1. An image in two numbers

Hearts, all of one size, anywhere they fit. The computer draws them, so *we* know the two numbers behind each image: where the heart
is, $x$ and $y$. The network does not. It sees pixels.

The cell below takes two networks from the course's shelf, joins them at a waist of two numbers, and trains the pair to give back what went
in. It takes some ten seconds. Do not mind how: you will write every piece of it yourself.
"""


# %%
def hearts(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw n images (n, 1, 28, 28) of a heart, with its place (n, 2): x and y."""
    fixed = {
        "shape": (3,),
        "scale": (0.4, 0.4),
        "rotation": (0, 0),
        "brightness": (1, 1),
        "softness": (0, 0),
    }
    generator = torch.Generator().manual_seed(seed)
    images, factors = sample_sprites(n, generator, size=28, x=(-0.5, 0.5), y=(-0.5, 0.5), **fixed)
    return images, factors[:, 3:5]


heart_images, _ = hearts(6_000, seed=1)
heart_tests, heart_places = hearts(1_000, seed=2)
SHAPE = tuple(heart_images.shape[1:])

seed_everything(SEED)
box = nn.Sequential(mlp_encoder(SHAPE, 2), mlp_decoder(2, SHAPE)).to(device)
adam = torch.optim.Adam(box.parameters(), lr=2e-3)


def practise(x: Tensor) -> dict[str, float]:
    """Change the box a little, so that what comes out is more like what went in."""
    loss = nn.functional.mse_loss(box(x), x)
    adam.zero_grad()
    loss.backward()
    adam.step()
    return {"error": loss.item()}


fit(
    practise,
    minibatches(heart_images, 128),
    steps(1500),
    state={"box": box, "adam": adam},
    decay=True,
    seed=SEED,
)
with torch.no_grad():
    waist = box[0](heart_tests[:8].to(device))
    redrawn = box[1](waist).clamp(0, 1)
plots.show(
    plots.image_rows(
        {"784 pixels in": heart_tests[:8], "784 pixels out": redrawn},
        "Through a waist of two numbers",
        [f"({a:.1f}, {b:.1f})" for a, b in waist.tolist()],
    ),
    alt="Two rows of eight images of a heart: the originals and, nearly the same, what came out; above each, two numbers.",
)

# %% [markdown]
r"""
Above each column stand the two numbers that got through. The second row was drawn from these alone: hearts, a little soft at the edges,
in the right places.

- The first network is the **encoder**: image in, **code** $z$ out.
- The second is the **decoder**: code in, image $\hat x$ out.
- The waist between them is the **bottleneck**. Together they are an **autoencoder**.

Nobody gave it labels. The answer that it trains towards is the question itself, the image $x$.

## 2. How bad is a copy?

To train, we need one number that says how far the copy is from the image. The plainest one is the squared distance,

$$\lVert x - \hat x \rVert^2 = \sum_{\text{pixels}} (x - \hat x)^2 .$$

It is summed over the pixels of an image, and over nothing else: each image has its own.
"""

# %% exercise points=2 minutes=5 difficulty=1
from course.autoencoder import squared_error
# TODO: one number for each image: the sum over channels, height and width.

# %%
check(squared_error)

# %% [markdown]
r"""
Stuck? `hint(squared_error)` gives a hint, and another one when you call it again.
"""

# %%
# NBVAL_CHECK_OUTPUT
black, white = torch.zeros(3, 1, 28, 28), torch.ones(3, 1, 28, 28)
shades = torch.tensor([0.0, 0.5, 1.0]).reshape(3, 1, 1, 1)
print(
    "black, grey and white images against white ones:",
    squared_error(shades * white, white).tolist(),
)

# %% [markdown]
r"""
You should read 784, 196 and 0: a black pixel in the place of a white one costs 1, a grey one costs a quarter.

## 3. In and out

Now the two networks. **You are free to choose**: fully connected or convolutional, large or small. The checks ask only for what every
good one does:

- images of any size and number of channels go in, codes of any length come out (and the other way round for the decoder);
- every weight gets a gradient;
- in eval mode an image is treated by itself, whatever else is in the batch;
- a code may be *any* number. A sigmoid at the end of the encoder would lock the codes into $[0, 1]$.

A plain chain of `nn.Flatten`, `nn.Linear` and `nn.ReLU` is good enough for this whole lab.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.autoencoder import build_encoder
# TODO: a network from images of in_shape to latent_dim numbers. Two or three layers will do.

# %%
check(build_encoder)

# %% exercise points=3 minutes=10 difficulty=2
from course.autoencoder import build_decoder
# TODO: the way back, from latent_dim numbers to images of out_shape.

# %%
check(build_decoder)

# %%
# NBVAL_CHECK_OUTPUT
for shape, d in (((1, 28, 28), 2), ((3, 32, 16), 10)):
    codes = build_encoder(shape, d)(torch.rand(5, *shape))
    images = build_decoder(d, shape)(codes)
    print(f"5 images of {shape} -> codes {tuple(codes.shape)} -> images {tuple(images.shape)}")

# %% [markdown]
r"""
You should read codes (5, 2) and (5, 10), and images of the shape that went in.

Then join the two. The class is given, but for what happens to an image on its way through.
"""

# %% exercise points=1 minutes=3 difficulty=1 methods=forward
from course.autoencoder import Autoencoder
# TODO forward: the image to its code, the code to an image.

# %%
check(Autoencoder)

# %% [markdown]
r"""
Before it learns anything, here is one made by hand, to look through.
"""

# %%
# NBVAL_CHECK_OUTPUT
halve = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
widen = nn.Sequential(nn.Linear(2, 4, bias=False), nn.Unflatten(1, (1, 2, 2)))
with torch.no_grad():
    halve[1].weight.copy_(
        torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    )  # the mean of each row of pixels
    widen[0].weight.copy_(
        torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    )  # each mean to both pixels of its row
    by_hand = Autoencoder(halve, widen)
    image = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]]])
    print("image", image.flatten().tolist(), "code", by_hand.encode(image)[0].tolist(), end=" ")
    print(
        "copy",
        by_hand(image).flatten().tolist(),
        "error",
        squared_error(by_hand(image), image).item(),
    )

# %% [markdown]
r"""
The code is the mean of each row of pixels. The second row survives, 0.5 and 0.5. The first one, 0 and 1, comes
back grey. The error must be 0.5.

## 4. Practice

An **epoch** shows the model every image once, a batch at a time. For each batch: the loss, the gradients, the update.

Watch the report. 1,000 images in batches of 128 leave a last batch of 104. Average over the *batches*, and an image of that last batch
counts more than the others. It is a small error, it trains without complaint, and it is in more code than you would think.
"""

# %% exercise points=4 minutes=15 difficulty=3
from course.autoencoder import train_epoch
# TODO: for each batch one update along the gradient of its mean squared error.
# Return what an image cost on average: weigh each batch by its number of images.

# %%
check(train_epoch)

# %%
# NBVAL_CHECK_OUTPUT
line_in = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
line_out = nn.Sequential(nn.Linear(1, 4, bias=False), nn.Unflatten(1, (1, 2, 2)))
for layer in (line_in[1], line_out[0]):
    nn.init.constant_(layer.weight, 0.3)
tiny = Autoencoder(line_in, line_out).eval()
greys = (
    torch.linspace(0, 1, 9).reshape(9, 1, 1, 1).expand(9, 1, 2, 2)
)  # nine images, each of one shade
sgd = torch.optim.SGD(tiny.parameters(), lr=0.05)
costs = [train_epoch(tiny, (batch for batch in greys.split(4)), sgd) for _ in range(4)]
print(
    "mean error in four epochs, batches of 4, 4 and 1:", [round(cost, 4) for cost in costs], end=" "
)
print("training mode:", tiny.training)

# %% [markdown]
r"""
The error must fall from 0.5129 to 0.0001, and training mode must be on. These images need one number only, their shade.

## 5. How many numbers does it take?

Now harder images: ten digits, in ten fonts, shifted, turned and slanted a little. And five bottlenecks: 1, 2, 5, 10 and 32 numbers. The
cell trains five autoencoders with your code, which takes less than a minute.
(With `DATASET = "fashion_mnist"` in the set-up cell they are ten kinds of clothes.)
"""


# %%
def images_of(split: str, n: int) -> Tensor:
    """Draw or load n images (n, 1, 28, 28)."""
    if DATASET == "glyphs":
        return sample_glyphs(n, torch.Generator().manual_seed(1 if split == "train" else 2))[0]
    return load(DATASET, split, size=28, root=DATA_ROOT, limit=n)[0]


train_images, test_images = images_of("train", 10_000), images_of("test", 1_000)


def shuffled(images: Tensor, batch_size: int = 128) -> Iterator[Tensor]:
    """Yield all the images once, in a new order, in batches on the device."""
    for chosen in torch.randperm(len(images)).split(batch_size):
        yield images[chosen].to(device)


def train(model: nn.Module, images: Tensor, updates: int, lr: float = 2e-3) -> list[float]:
    """Train with your train_epoch for about so many updates, ever more gently; return what each epoch cost."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    epochs = max(1, round(steps(updates) / math.ceil(len(images) / 128)))
    costs = []
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = lr * (1 - epoch / epochs)
        costs.append(train_epoch(model, shuffled(images), optimizer))
    model.eval()  # from here on it is only looked at
    return costs


@torch.no_grad()
def error_of(model: nn.Module, images: Tensor) -> float:
    """Return the mean squared error of a model on images that it need not have seen."""
    x = images.to(device)
    return squared_error(model(x), x).mean().item()


def trained_autoencoder(
    images: Tensor, latent_dim: int, updates: int
) -> tuple[Autoencoder, list[float]]:
    """Build and train an autoencoder out of your pieces."""
    seed_everything(SEED)
    shape = tuple(images.shape[1:])
    model = Autoencoder(build_encoder(shape, latent_dim), build_decoder(latent_dim, shape)).to(
        device
    )
    return model, train(model, images, updates)


SIZES = (1, 2, 5, 10, 32)
models, histories = {}, {}
for d in SIZES:
    models[d], histories[d] = trained_autoencoder(train_images, d, updates=1600)
errors = {d: error_of(models[d], test_images) for d in SIZES}
series = {f"D = {d}": (range(1, len(costs) + 1), costs) for d, costs in histories.items()}
fig = plots.curves(series, "Training five autoencoders", "epoch", "squared error per image")
fig.axes[0].set(ylim=(0, 1.3 * histories[1][0]), xticks=range(0, len(histories[1]) + 1, 5))
fig.axes[0].legend(ncols=5, loc="upper center", frameon=False, fontsize=9)
plots.show(
    fig, alt="Five falling curves of the training error: the larger the bottleneck, the lower it ends."
)

# %% [markdown]
r"""
All curves fall, steeply at first. The more numbers, the lower they end. And the pictures:
"""

# %%
with torch.no_grad():
    rows = {f"D = {d}": models[d](test_images[:12].to(device)).clamp(0, 1) for d in SIZES}
plots.show(
    plots.image_rows(
        {"ground truth": test_images[:12], **rows}, "Images that none of them has seen"
    ),
    alt="Six rows of twelve images: the ground truth, and copies through 1, 2, 5, 10 and 32 numbers, ever sharper.",
)

# %% [markdown]
r"""
Go down a column. With one number the copies are ghosts, averages of several characters. With two you can guess some of them. With ten the
character is nearly always right, though soft; with 32 it is nearly sharp.

An autoencoder that is short of numbers does not drop pixels at random. It keeps what costs the most to lose: which character, how bold,
where. That is **representation learning**: the code holds what matters most, measured by the loss.

And it is **compression**, with a loss, like JPEG, if you count numbers and not bits. The next section measures it, and gives it something
to beat.

### Question: a wider waist

What happens if you widen the bottleneck to $D = 784$, as many numbers as pixels?

- **a**: the copies get worse: there is too much to learn.
- **b**: the copies may become perfect, and the code need not have learned anything: passing the pixels on is a perfect solution.
- **c**: nothing changes beyond 32: all the information about the images is in 32 numbers.
"""

# %% question points=1 minutes=2
answer_wide = ""  # "a", "b" or "c"

# %%
check(answer_wide, exercise="answer_wide")

# %% [markdown]
r"""
## 6. The straight cousin: PCA

Before there were autoencoders there was **principal component analysis**. It, too, makes $k$ numbers of an image and an image of $k$
numbers, but in the straightest way. Think of the images as a cloud of points. PCA puts a flat sheet through the middle of the cloud, with
$k$ directions, so that the points lie as near to it as can be. Each image is replaced by the nearest point of the sheet.

In two dimensions with $k = 1$ the sheet is a line:
"""

# %%
generator = torch.Generator().manual_seed(0)
along = torch.randn(120, 1, generator=generator)
cloud = (
    torch.tensor([[2.0, 1.0]])
    + along * torch.tensor([[1.2, 0.7]])
    + 0.3 * torch.randn(120, 2, generator=generator)
)
middle = cloud.mean(0)
towards = torch.linalg.svd(cloud - middle).Vh[0]
feet = middle + ((cloud - middle) @ towards)[:, None] * towards
fig, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
for point, foot in zip(cloud.tolist(), feet.tolist(), strict=True):
    ax.plot(*zip(point, foot, strict=True), color="grey", linewidth=0.7)
ax.scatter(*cloud.T, s=16, color=plots.COLOURS[0], marker=plots.MARKERS[0], label="data")
ax.scatter(
    *feet.T, s=10, color=plots.COLOURS[3], marker=plots.MARKERS[3], label="from one number each"
)
ax.set(
    title="PCA with k = 1: the nearest points on the best line",
    xlabel="first pixel",
    ylabel="second pixel",
    aspect="equal",
)
ax.legend(frameon=False)
plots.show(
    fig,
    alt="A slanted cloud of points, a line through its middle, and a short stroke from each point to the line.",
)

# %% [markdown]
r"""
Three steps, on rows $x_n$ of pixels:

1. subtract the mean $\bar x$ of all rows, so that the cloud lies round 0;
2. find the $k$ directions of widest spread, the first rows of $V^\top$ in the singular value decomposition $U S V^\top$; $V_k$ is these
   directions as columns;
3. project onto them, and add the mean again: $\hat x_n = \bar x + (x_n - \bar x)\, V_k V_k^\top$.

A theorem of Eckart and Young says that no other sheet of $k$ directions comes nearer. For $k = 0$ only the mean is left.
"""

# %% exercise points=3 minutes=15 difficulty=3
from course.autoencoder import pca_reconstruct
# TODO: centre the rows, project them on the k directions of widest spread, and add the mean again. Leave x as it was.

# %%
check(pca_reconstruct)

# %%
# NBVAL_CHECK_OUTPUT
points = torch.tensor([[2.0, 1.0], [4.0, 2.0], [6.0, 3.0], [4.0, 7.0]])
for k in range(3):
    rebuilt = pca_reconstruct(points, k)
    print(
        f"k = {k}: squared error {(rebuilt - points).square().sum():.3f}, first row {[round(v, 2) for v in rebuilt[0].tolist()]}"
    )

# %% [markdown]
r"""
With $k = 0$ every row becomes the mean, (4, 3.25), and the error is the whole spread of the cloud, 28.75. With one direction 6.849 is
left, and with two nothing.

Now the race: your autoencoders against PCA, with the same number of numbers, on the same test images. We let PCA cheat: it fits its sheet to
the very images that it is tested on, while the autoencoders have never seen them.
"""

# %%
flat = test_images.flatten(1)
pca_errors = {
    d: (pca_reconstruct(flat, d) - flat).square().sum(1).mean().item() for d in (0, *SIZES)
}
series = {
    "PCA": (SIZES, [pca_errors[d] for d in SIZES]),
    "autoencoder": (SIZES, list(errors.values())),
}
fig = plots.curves(
    series,
    "What D numbers can hold",
    "D, the numbers in a code",
    "squared error per test image",
    "x",
)
fig.axes[0].set_xticks(SIZES, SIZES)
fig.axes[0].minorticks_off()
plots.show(
    fig,
    alt="Two falling curves of the error against the size of the code; the autoencoder's lies below that of PCA.",
)
print(f"Without any number, from the mean alone: {pca_errors[0]:.1f}")
print("   D   784 to D   PCA error   autoencoder's   of the spread kept: PCA   autoencoder")
for d in SIZES:
    kept = [f"{1 - error / pca_errors[0]:.0%}" for error in (pca_errors[d], errors[d])]
    print(
        f"{d:4d} {784 / d:8.0f}:1 {pca_errors[d]:11.1f} {errors[d]:15.1f} {kept[0]:>25} {kept[1]:>13}"
    )

# %% [markdown]
r"""
(The second column counts numbers, not bits.) The autoencoder wins, although PCA has the best sheet there is and looked at the answers. Its sheet need not be flat: layers with a ReLU
between them can **bend** it. Read the table: with five numbers
the autoencoder keeps more than PCA does with ten.

At $D = 32$ its lead is small, and on Fashion-MNIST it loses there (12.3 against 11.2 in the run that we tried): PCA finds its optimum exactly,
while your network has had some seconds of practice.

### Take out the bends

Is it the bends? Then an autoencoder of nothing but linear layers should lose its lead. Below is one, with five numbers, trained by your
`train_epoch` on the first 2,000 images. For these images PCA is the best that any linear network can do.
"""

# %%
FIVE = 5
few_images = train_images[:2_000]
seed_everything(SEED)
straight = Autoencoder(
    nn.Sequential(nn.Flatten(), nn.Linear(784, FIVE)),
    nn.Sequential(nn.Linear(FIVE, 784), nn.Unflatten(1, SHAPE)),
).to(device)
train(straight, few_images, updates=1600, lr=5e-3)
straight_error = error_of(straight, few_images)
flat = few_images.flatten(1)
best = pca_reconstruct(flat, FIVE)
best_error = (best - flat).square().sum(1).mean().item()
with torch.no_grad():
    apart = (straight(few_images.to(device)).cpu().flatten(1) - best).square().sum(1).mean().item()
print(
    f"linear autoencoder: {straight_error:.2f}   PCA: {best_error:.2f}   their copies differ by {apart:.2f}"
)

# %% [markdown]
r"""
The linear autoencoder ends a little above PCA and never below. That is a theorem of Baldi and Hornik: its loss has no bad valleys, and
its best sheet is PCA's.

### Question: the same sheet, the same numbers?

The linear autoencoder has found PCA's sheet. Are its five numbers the five principal components?

- **a**: yes: the same copies can only come from the same codes.
- **b**: no: a linear autoencoder finds another sheet, with the same error.
- **c**: not in general: any five directions that span the sheet will do, if the decoder undoes the choice.
"""

# %% question points=1 minutes=3
answer_linear = ""  # "a", "b" or "c"

# %%
check(answer_linear, exercise="answer_linear")

# %% [markdown]
r"""
## 7. What do the numbers mean?

Back to the hearts, whose truth we know. Train your own autoencoder with two numbers on them, and plot the code of each test image as a dot.
The colour shows a factor that the model was never told: on the left where the heart is from left to right, on the right from bottom to top.
"""

# %%
heart_model, _ = trained_autoencoder(heart_images, 2, updates=1600)
with torch.no_grad():
    heart_train_codes = heart_model.encode(heart_images.to(device)).cpu()
    heart_codes = heart_model.encode(heart_tests.to(device)).cpu()
fig, axes = plt.subplots(1, 2, figsize=(9, 4.1), layout="compressed")
for ax, place, name in zip(
    axes, heart_places.T, ("x, left to right", "y, bottom to top"), strict=True
):
    dots = ax.scatter(*heart_codes.T, c=place, s=9, cmap="viridis", rasterized=True)
    ax.set(title=f"coloured by {name}", xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    fig.colorbar(dots, ax=ax, label=name, shrink=0.85)
fig.suptitle("The latent plane of the hearts")
plots.show(
    fig,
    alt="Two scatter plots of the same codes; in each the colour changes smoothly from one side to another.",
)

# %% [markdown]
r"""
The colours run smoothly. So the plane is a **map** of the frame: neighbouring codes belong to neighbouring hearts. It may be bent, turned, stretched or creased,
and neither axis *is* $x$ or $y$; nothing in the loss asks for that.

How much does a code know? Look at its nearest neighbours among the training codes, and guess the heart's place from theirs. For that you
need a search.
"""

# %% exercise points=3 minutes=10 difficulty=2
from course.autoencoder import nearest_codes
# TODO: all distances between z and codes, then the indices of the k smallest in each row.

# %%
check(nearest_codes)

# %%
# NBVAL_CHECK_OUTPUT
on_a_line = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [7.0, 0.0]])
print(
    "nearest to 0.9 and to 6:",
    nearest_codes(torch.tensor([[0.9, 0.0], [6.0, 0.0]]), on_a_line, 3).tolist(),
)

# %% [markdown]
r"""
You should read [1, 0, 2] and [3, 2, 1].
"""

# %%
_, train_places = hearts(6_000, seed=1)
guesses = train_places[nearest_codes(heart_codes, heart_train_codes, 5)].mean(dim=1)
miss = (guesses - heart_places).norm(dim=1).mean().item() * 14  # the frame is 2 wide, and 28 pixels
blind = (heart_places - train_places.mean(0)).norm(dim=1).mean().item() * 14
print(
    f"Guessed from five neighbours in the latent plane: {miss:.2f} pixels off on average. Without the code: {blind:.1f}."
)

# %% [markdown]
r"""
The place was learned from pictures alone. Labels came in only afterwards, to read the map.

### Question: what did the training see?

- **a**: images only: each image was its own target.
- **b**: images and the places of their hearts.
- **c**: images, and which of them are neighbours.
"""

# %% question points=1 minutes=1
answer_labels = ""  # "a", "b" or "c"

# %%
check(answer_labels, exercise="answer_labels")

# %% [markdown]
r"""
## 8. The holes in the map

Now turn it round. The decoder draws whatever code it gets, so feed it codes that never came out of an image: a regular grid over the
plane.

And mark the **holes**: codes that lie farther from all training codes than they should. How far is too far? Ask the test images. For 99 in 100 of
them the nearest training code is closer than some distance; whatever lies beyond that distance is off the map.
"""


# %%
def gap_to(codes: Tensor, z: Tensor) -> Tensor:
    """Measure the distance from each z to the nearest of the codes."""
    return (z - codes[nearest_codes(z, codes, 1)[:, 0]]).norm(dim=1)


usual_gap = gap_to(heart_train_codes, heart_codes).quantile(0.99).item()
low, high = heart_train_codes.min(0).values, heart_train_codes.max(0).values
R = 12  # rows and columns of the grid
across, up = (torch.linspace(float(a), float(b), R) for a, b in zip(low, high, strict=True))
grid = torch.stack(torch.meshgrid(across, up.flip(0), indexing="xy"), dim=2).reshape(
    -1, 2
)  # row by row from the top
in_hole = gap_to(heart_train_codes, grid) > usual_gap
with torch.no_grad():
    drawn = heart_model.decode(grid.to(device)).clamp(0, 1).cpu()
fig, (left, right) = plt.subplots(
    1, 2, figsize=(11, 5.8), width_ratios=(1, 1.1), layout="constrained"
)
left.scatter(
    *heart_train_codes.T, s=2, color=plots.COLOURS[0], label="training codes", rasterized=True
)
left.scatter(*grid[in_hole].T, s=22, color=plots.COLOURS[3], marker="x", label="grid, in a hole")
left.scatter(*grid[~in_hole].T, s=12, color="black", marker="o", label="grid, on the map")
left.set(title="where the codes lie", xlabel="$z_1$", ylabel="$z_2$")
mosaic = drawn.reshape(R, R, 28, 28).permute(0, 2, 1, 3).reshape(28 * R, 28 * R)
right.imshow(mosaic, cmap="gray", vmin=0, vmax=1)
for i in in_hole.nonzero()[:, 0].tolist():
    corner = (28 * (i % R) + 0.5, 28 * (i // R) + 0.5)
    right.add_patch(Rectangle(corner, 26, 26, fill=False, color=plots.COLOURS[3], linewidth=1))
right.set(title="what the decoder draws there (framed: holes)", xticks=[], yticks=[])
fig.suptitle("A grid of codes over the latent plane")
left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False, fontsize=9)
plots.show(
    fig,
    alt="Left: codes, and a grid with crosses apart from all codes. Right: the decoded grid; most framed images are broken, the more so the farther from the codes.",
)
print(
    f"{in_hole.float().mean():.0%} of this rectangle are holes (of the test images, by construction, 1%)"
)

# %% [markdown]
r"""
Where there are codes you see good hearts that wander step by step. In the frames you see what the decoder makes up where nobody ever
corrected it. Some framed hearts are flawless, but most swell, smear or break up, the more so the farther from the map.

The share of holes depends on the rectangle: these are mostly the corners that a map with points and bays leaves free. Some may lie within
the map, where codes are thin. Nobody told the codes where to be, so nobody knows
where they are not.

## 9. So, can it invent images?

That would be the prize: draw random numbers, decode them, and have new digits. We are generous: we fit a normal distribution to the codes of the
training images (their mean and covariance) and draw from that, so that the random codes lie where real ones lie, as far as a normal
distribution can tell.
"""


# %%
@torch.no_grad()
def decoded(model: Autoencoder, z: Tensor) -> Tensor:
    """Decode codes to images in [0, 1]."""
    return model.decode(z.to(device)).clamp(0, 1).cpu()


TEN = models[10]
with torch.no_grad():
    train_codes, test_codes = (TEN.encode(x.to(device)).cpu() for x in (train_images, test_images))
torch.manual_seed(SEED)
random_codes = (
    train_codes.mean(0) + torch.randn(500, 10) @ torch.linalg.cholesky(train_codes.T.cov()).T
)
rebuilt, invented = decoded(TEN, test_codes), decoded(TEN, random_codes)
rows = {"real": test_images[:12], "rebuilt": rebuilt[:12], "random codes": invented[:12]}
plots.show(
    plots.image_rows(rows, "Ten numbers: from images, and from the dice"),
    alt="Three rows: real digits, their soft copies, and decoded random codes, most of which are broken or no character at all.",
)

# %% [markdown]
r"""
The third row has strokes, and some of it could pass. Much of it is no digit at all.

**Now a number.** How far is an image from the nearest training image? For new *real* images that is some distance too, so it tells nothing
by itself; we need it for three sets. The decoder blurs, and that alone changes the distance, so compare like with like: the decoder's copies of real images
against what the same decoder makes of random codes.
"""


# %%
def distance_to_data(images: Tensor) -> Tensor:
    """Measure the squared distance from each image to the nearest training image."""
    return torch.cdist(images.flatten(1), train_images.flatten(1)).min(dim=1).values.square()


sets = {
    "real test images": test_images[:500],
    "test images, rebuilt": rebuilt[:500],
    "random codes, decoded": invented,
}
distances = {name: distance_to_data(images) for name, images in sets.items()}
fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for i, (name, values) in enumerate(distances.items()):
    share = torch.arange(1, len(values) + 1) / len(values)
    style = {
        "color": plots.COLOURS[i],
        "marker": plots.MARKERS[i],
        "markevery": 60,
        "markersize": 5,
    }
    ax.plot(values.sort().values, share, label=f"{name}: {values.mean():.1f}", **style)
ax.set(
    title="How far from the nearest training image?",
    xlabel="squared distance",
    ylabel="share of the images below",
)
ax.grid(alpha=0.3)
ax.legend(title="mean", frameon=False)
plots.show(
    fig,
    alt="Three rising curves; that of decoded random codes lies to the right of that of the rebuilt test images.",
)

# %% [markdown]
r"""
Read the two curves that the decoder made. Random codes give images farther from the data than codes of images that are just as new to it.

### Question: whose fault is it?

The decoder rebuilds new images well. Why does it fail on random codes?

- **a**: ten numbers are too few to draw a digit.
- **b**: the loss looks at codes of real images only. Nothing asks them to fill a region evenly, so random codes fall where no image was
  ever decoded in training.
- **c**: the decoder has learned the training images by heart.
"""

# %% question points=1 minutes=2
answer_random = ""  # "a", "b" or "c"

# %%
check(answer_random, exercise="answer_random")

# %% [markdown]
r"""
## 10. Between two images

What lies halfway between two images? Between their **pixels**: half of one laid over half of the other. Between their **codes**: a third
image, if the map is good there.
"""

# %%
t = torch.linspace(0, 1, 11)


def paths(
    model: Autoencoder, images: Tensor, first: list[int], last: list[int]
) -> tuple[Tensor, Tensor]:
    """Walk from images to images in 11 steps, by pixels and by codes; return both, (pairs, 11, C, H, W)."""
    with torch.no_grad():
        z = model.encode(images.to(device)).cpu()
        copies = decoded(model, z)
    ways = []
    for things in (copies, z):
        weight = t.reshape(1, 11, *[1] * (things.ndim - 1))
        ways.append((1 - weight) * things[first][:, None] + weight * things[last][:, None])
    by_code = decoded(model, ways[1].flatten(0, 1)).unflatten(0, (len(first), 11))
    return ways[0], by_code


corners = heart_places.sum(dim=1)  # lowest at the bottom left, highest at the top right
pixels, codes = paths(heart_model, heart_tests, [int(corners.argmin())], [int(corners.argmax())])
pixels_10, codes_10 = paths(TEN, test_images, [0], [3])
rows = {
    "hearts, pixels": pixels[0],
    "hearts, codes (D = 2)": codes[0],
    "pixels": pixels_10[0],
    "codes (D = 10)": codes_10[0],
}
plots.show(
    plots.image_rows(rows, "From one image to another", [f"{value:.1f}" for value in t]),
    alt="Four rows of eleven images: by pixels one image fades out as the other fades in; by codes the image changes shape.",
)

# %% [markdown]
r"""
By pixels, one image fades out while the other fades in: there are two hearts on the way, and two digits on top of each other. By codes, one heart
*travels* across the frame, and the digit changes shape. It may pass through a blur that is no digit, but the strokes of both show through
less.

One pair proves nothing, so here is the mean over 200 pairs of digits: how far is each point of the way from the nearest training image?
Both ways begin and end at the same rebuilt images.
"""

# %%
first, last = list(range(0, 400, 2)), list(range(1, 400, 2))
along = {
    name: distance_to_data(way.flatten(0, 1)).reshape(-1, 11).mean(0).tolist()
    for name, way in zip(
        ("by pixels", "by codes"), paths(TEN, test_images, first, last), strict=True
    )
}
plots.show(
    plots.curves(
        {name: (t.tolist(), values) for name, values in along.items()},
        "How far from the data, on the way? Mean of 200 pairs",
        "t, from one image to the other",
        "squared distance to the data",
    ),
    alt="Two arches over the way from one image to the other; the one by codes is lower than the one by pixels.",
)

# %% [markdown]
r"""
Both arches are highest in the middle. The way through the codes stays nearer to the data, but it leaves it too: there are holes on the way.

## 11. Extra: a copy that is better than the original

One small change makes an autoencoder useful as it stands. Give it a **noisy** image, and ask for the *clean* one. Then passing the pixels
on is no solution any more, whatever the width of the waist. Here is a model with 32 numbers, trained this way; nothing in this section is graded.
"""


# %%
def noisy(x: Tensor) -> Tensor:
    """Add noise to images, and keep them in [0, 1]."""
    return (x + 0.4 * torch.randn_like(x)).clamp(0, 1)


seed_everything(SEED)
denoiser = Autoencoder(build_encoder(SHAPE, 32), build_decoder(32, SHAPE)).to(device)
optimizer = torch.optim.Adam(denoiser.parameters(), lr=1e-3)


def clean_up(x: Tensor) -> dict[str, float]:
    """Update the denoiser once: noisy images in, clean ones as the target."""
    loss = squared_error(denoiser(noisy(x)), x).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"squared error": loss.item()}


fit(
    clean_up,
    minibatches(train_images, 128),
    steps(1600),
    state={"model": denoiser, "optimizer": optimizer},
    decay=True,
    seed=SEED,
)
torch.manual_seed(SEED)
spoiled = noisy(test_images)
with torch.no_grad():
    cleaned = denoiser.eval()(spoiled.to(device)).clamp(0, 1).cpu()
    copied = models[32](spoiled.to(device)).clamp(0, 1).cpu()
plots.show(
    plots.image_rows(
        {
            "clean": test_images[:12],
            "noisy": spoiled[:12],
            "plain, D = 32": copied[:12],
            "denoiser": cleaned[:12],
        },
        "Noise in, image out",
    ),
    alt="Four rows: clean test images, the same with heavy noise, blotchy copies by the plain autoencoder, and clean copies by the denoiser.",
)
noise_errors = {
    name: squared_error(images, test_images).mean().item()
    for name, images in {"noisy": spoiled, "plain autoencoder": copied, "denoiser": cleaned}.items()
}
print(
    "squared error to the clean image:",
    {name: round(value, 1) for name, value in noise_errors.items()},
)

# %% [markdown]
r"""
You should see specks in the second row, blotches in the third, and digits in the fourth. The plain autoencoder has never seen noise and takes
it for ink. The denoiser has learned what digits look like, and keeps that.
"""

# %% [markdown]
r"""
## 12. What you have built

- It **compresses**: 784 pixels to a few numbers. The fewer, the more is lost, and when numbers are scarce, the bends
  between its layers buy more than any flat sheet can.
- It learns **without labels**: its target is its input.
- It makes a **map**: neighbours in the code are neighbours in the world, and a true factor can be read off it.
- It is **deterministic**, and it does **not sample**. Its map has holes, and nothing in its loss ever asked that it should not.

Lab 2 mends the last one. It lets the encoder give a small cloud in the place of a point, charges for clouds that go astray, and the
holes close.

### Does it hold?

The next cell holds your results against bars that every one of five seeds cleared when the course measured them.
"""

# %%
invented_gap = (
    distances["random codes, decoded"].mean().item()
    / distances["test images, rebuilt"].mean().item()
)
print(f"{DATASET}: D = 2 {errors[2]:.1f}, D = 32 {errors[32]:.1f} squared error per test image")
if DATASET == "glyphs":
    limits = {1: 0.95, 2: 0.85, 5: 0.65, 10: 0.6, 32: 0.95}
    for d in SIZES:
        bar(f"D = {d}: autoencoder's error over PCA's", errors[d] / pca_errors[d], below=limits[d])
    bar("error at D = 32 over error at D = 2", errors[32] / errors[2], below=0.4)
    bar("random codes: distance to the data over that of rebuilt images", invented_gap, above=1.5)
    halfway = along["by codes"][5] / along["by pixels"][5]
    bar("halfway: distance to the data by codes over by pixels", halfway, below=0.95)
    bar("linear autoencoder's error over PCA's", straight_error / best_error, above=0.999, below=1.03)
    gain = noise_errors["denoiser"] / noise_errors["plain autoencoder"]
    bar("denoiser's error over the plain autoencoder's", gain, below=0.8)
bar("hearts: places guessed from the code (pixels off)", miss, below=0.5)
bar("share of the latent plane's rectangle that is holes", in_hole.float().mean().item(), above=0.2)

# %% [markdown]
r"""
### Hand it in

`progress()` shows where you stand. Then save the notebook and hand in the `.ipynb` file: on Colab **File › Download › Download .ipynb**,
in JupyterLab **File › Download**. Upload it where your course asks for it, under the name it has.
"""

# %%
progress()
