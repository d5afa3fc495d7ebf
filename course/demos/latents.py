"""What a few numbers can hold: bottlenecks, latent planes, traversals, and what β does to them."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from course.autoencoder import squared_error
from course.checkpoints import load
from course.checkpoints.recipes.autoencoders import BETAS, BOTTLENECKS, draw_blobs, draw_glyphs, draw_sprites
from course.checkpoints.recipes.debiasing import SILENT, draw_portraits, followed
from course.debiasing import latent_kl
from course.demos.board import GAP, Board
from course.demos.canvas import Canvas
from course.demos.demo import Choice, Demo, Picture, Point, Slider, Toggle
from course.metrics import mutual_information_gap
from course.plots import COLOURS, MARKERS
from course.vae import VAE, traverse

BLUE, ORANGE, GREEN, RED = COLOURS[:4]


# ---------------------------------------------------------------------------------------------------- bottleneck


class Bottlenecks(NamedTuple):
    """What the bottleneck demo prepares."""

    models: dict[str, Any]
    images: Tensor  # (12, 1, 28, 28)
    errors: dict[str, float]  # of each model, on images that it has not seen
    canvas: Canvas
    point: Any  # moves along the curve


@torch.no_grad()
def prepare_bottlenecks() -> Bottlenecks:
    """Load the five autoencoders and measure them, and PCA beside them."""
    models = {str(size): load("bottlenecks")[f"D = {size}"] for size in BOTTLENECKS}
    train, tests = draw_glyphs(3000, seed=1).flatten(1), draw_glyphs(1000, seed=2)
    errors = {size: squared_error(model(tests), tests).mean().item() for size, model in models.items()}
    middle, centred = train.mean(0), tests.flatten(1) - train.mean(0)
    directions = torch.linalg.eigh((train - middle).T.cov()).eigenvectors.flip(1)  # (784, 784), widest spread first
    # What k components leave over of an image: the rest of its squared length.
    by_pca = [(centred.square().sum(1) - (centred @ directions[:, :k]).square().sum(1)).mean().item() for k in BOTTLENECKS]
    canvas = Canvas(400, 400)
    ax = canvas.figure.subplots()
    ax.plot(BOTTLENECKS, by_pca, color=ORANGE, marker="s", linestyle="--", label="PCA")
    ax.plot(BOTTLENECKS, list(errors.values()), color=BLUE, marker="o", label="autoencoder")
    ax.set(title="Squared error of a copy", xlabel="numbers in the code, D", xscale="log", ylim=(0, None))
    ax.set_xticks(BOTTLENECKS, [str(size) for size in BOTTLENECKS])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    (point,) = ax.plot([], [], "o", markersize=17, markeredgecolor=RED, markeredgewidth=3, fillstyle="none", clip_on=False)
    canvas.moving(point)
    return Bottlenecks(models, tests[:12], errors, canvas, point)


def render_bottleneck(prepared: Bottlenecks, size: str) -> Picture:
    """Draw images, their copies through a bottleneck of that size, and the error curve with a ring on it."""
    model, error = prepared.models[size], prepared.errors[size]
    copies = model(prepared.images)
    prepared.point.set_data([int(size)], [error])
    board = Board(960, 430)
    for half in range(2):
        shown, top = slice(6 * half, 6 * half + 6), 30 + 205 * half
        board.row(8, top, prepared.images[shown], 3)
        board.row(8, top + 90, copies[shown], 3)
    board.write(8, 6, "Above: images of 784 pixels.  Below: their copies.")
    board.paste(550, 20, prepared.canvas.picture("").pixels)
    return board.picture(f"Through D = {size}: squared error {error:.1f} an image, where 784 pixels go through {size}.")


BOTTLENECK = Demo(
    name="bottleneck",
    title="Bottleneck",
    idea="Compression: the size of the bottleneck decides how good a copy is (lab 1).",
    tries="Begin with one number, and ask what it seems to hold before you widen the bottleneck. "
    "Where is the autoencoder's lead over PCA widest, and why does it shrink after that?",
    controls=[Choice("size", "Numbers in the code, D", [str(size) for size in BOTTLENECKS], "1")],
    prepare=prepare_bottlenecks,
    render=render_bottleneck,
)


# -------------------------------------------------------------------------------------------------- latent plane


class Planes(NamedTuple):
    """What the latent plane demo prepares: everything for the autoencoder first, then for the VAE."""

    models: list[Any]
    centres: list[Tensor]  # (2,): where the pointer's (0, 0) is in the model's own codes
    axes: list[Tensor]  # (2, 2): how far a step of 1 goes
    known: Tensor  # (N, 1024): training images
    canvas: Canvas
    crosses: list[Any]
    planes: list[Any]


@torch.no_grad()
def prepare_planes() -> Planes:
    """Load both models, and draw where the codes of test images lie."""
    models = [load("autoencoder_sprites")["autoencoder"], load("vae_sprites")["vae"]]
    images, factors = draw_sprites(1500, seed=2)
    codes = [models[0].encode(images), models[1].encode(images)[0]]
    # The VAE's codes are distributed like the prior. The autoencoder's are not, so we are generous: its plane is shifted
    # and stretched until their mean and their covariance are those of the prior too.
    centres = [codes[0].mean(0), torch.zeros(2)]
    axes = [torch.linalg.cholesky(codes[0].T.cov()), torch.eye(2)]
    canvas = Canvas(650, 396)
    canvas.figure.set_layout_engine("none")  # two squares of known places
    both = [canvas.figure.add_axes((left, 0.24, 0.425, 0.7)) for left in (0.095, 0.565)]
    crosses = []
    for ax, name, z, centre, along in zip(both, ("autoencoder", "VAE"), codes, centres, axes, strict=True):
        places = torch.linalg.solve(along, (z - centre).T)
        for kind, (word, marker) in enumerate({"square": "s", "triangle": "^", "heart": "$\\heartsuit$"}.items(), start=1):
            of_kind = places[:, factors[:, 0] == kind]
            size = 6 if word == "heart" else 4  # a letter has more air round it
            ax.plot(
                *of_kind, marker=marker, color=COLOURS[kind - 1], markersize=size, linewidth=0, markeredgewidth=0, label=word
            )
        ax.set(
            title=f"codes of the {name}", xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[-2, 0, 2], yticks=[-2, 0, 2]
        )
        ax.set_xlabel("first number")
        crosses += ax.plot([], [], "+", color="black", markersize=24, markeredgewidth=3)
    both[0].set_ylabel("second number")
    both[1].set_yticklabels([])
    canvas.figure.legend(*both[0].get_legend_handles_labels(), loc="lower center", ncols=3, frameon=False, markerscale=3)
    canvas.moving(*crosses)
    return Planes(models, centres, axes, draw_sprites(4000, seed=1)[0].flatten(1), canvas, crosses, both)


def render_plane(prepared: Planes, point: tuple[float, float]) -> Picture:
    """Draw what each of the two models makes of the point under the pointer."""
    at = torch.tensor(point)
    ae, vae = prepared.models
    images = torch.cat(
        [
            ae.decode((prepared.centres[0] + prepared.axes[0] @ at)[None]),
            vae.decode((prepared.centres[1] + prepared.axes[1] @ at)[None]).sigmoid(),
        ]
    ).clamp(0, 1)
    distances = torch.cdist(images.flatten(1), prepared.known).min(dim=1).values.square().tolist()
    for cross in prepared.crosses:
        cross.set_data([point[0]], [point[1]])
    chart = prepared.canvas.picture("", pointers=prepared.planes)
    board = Board(1000, 440)
    board.paste(0, 44, chart.pixels)
    for column, (name, distance) in enumerate(zip(("autoencoder", "VAE"), distances, strict=True)):
        top = 30 + 205 * column
        board.row(668, top, images[column : column + 1], 6)
        board.write(872, top + 40, name, 16)
        board.write(872, top + 75, "to the", 15)
        board.write(872, top + 95, "nearest real:", 15)
        board.write(872, top + 120, f"{distance:.1f}", 24, colour=RED if distance > 20 else "black")
    board.write(8, 8, "Point into a plane; a cross follows in both.")
    boxes = [(left, top + 44, right, bottom + 44) for left, top, right, bottom in chart.boxes]
    return board.picture(
        f"At ({point[0]:.1f}, {point[1]:.1f}) the autoencoder's image is {distances[0]:.1f} from the nearest real one, "
        f"the VAE's {distances[1]:.1f} (squared distance).",
        boxes,
    )


PLANE = Demo(
    name="vae",
    title="Latent plane",
    idea="An autoencoder's plane has holes; what a VAE pays for is continuity and completeness (labs 1 and 2).",
    tries="Walk from the hearts to the squares, and watch both images on the way. "
    "Then look for rubbish between the autoencoder's strands: how much rarer is it in the VAE's plane?",
    controls=[Point("point", ("first number", "second number"), -3.0, 3.0)],
    prepare=prepare_planes,
    render=render_plane,
)


# ----------------------------------------------------------------------------------------------------- traversal


class Described(NamedTuple):
    """A VAE with six latents, sorted by how much they tell, and what each of them follows."""

    model: VAE
    order: list[int]  # the first is the latent that tells most
    told: list[float]  # nats, in that order
    follows: list[str]  # in that order: "pose 0.97"
    centre: Tensor  # (6,), the mean code
    spread: Tensor  # (6,), the standard deviations of the codes


@torch.no_grad()
def described(model: VAE, images: Tensor, factors: Tensor, names: tuple[str, ...]) -> Described:
    """Find out what each latent follows; factors: (N, K), a column for each name."""
    mu, logvar = model.encode(images)
    told, strength = latent_kl(mu, logvar), followed(mu, factors)  # (6,), (K, 6)
    order = told.argsort(descending=True).tolist()
    follows = []
    for latent in order:
        factor = int(strength[:, latent].argmax())
        silent = told[latent] < SILENT
        follows.append("tells nothing" if silent else f"{names[factor]} {strength[factor, latent]:.2f}")
    return Described(model, order, told[order].tolist(), follows, mu.mean(0), mu.std(0))


def prepare_traversal() -> dict[str, Described]:
    """Load the two VAEs, and ask of each latent what it follows."""
    faces = described(load("vae_portraits")["vae"], *draw_portraits(1000, seed=2), ("tone", "pose", "mouth", "hair"))
    blobs = described(load("betas")["beta 4"], *draw_blobs(1000, seed=2), ("x", "y", "size"))
    return {"faces": faces, "blobs": blobs}


def render_traversal(prepared: dict[str, Described], model: str, say: bool, **moved: float) -> Picture:
    """Draw the decoded code, large, and beside it a strip for each latent: what it would do while the others rest."""
    vae, order, told, follows, _, _ = prepared[model]
    code = torch.zeros(6)
    code[order] = torch.tensor([moved[f"z{place}"] for place in range(1, 7)])
    board = Board(1000, 440)
    values = torch.linspace(-2, 2, 7)
    strips = torch.cat([traverse(vae, code, latent, values) for latent in order]).split(7)
    board.row(8, 60, vae.decode(code[None]).sigmoid(), 10)
    for place, (latent, strip) in enumerate(zip(order, strips, strict=True)):
        top = 24 + 69 * place
        cells = board.row(520, top, strip, 2)
        board.write(500, top + 20, f"z{place + 1}:  {follows[place]}" if say else f"z{place + 1}", 17, "rm")
        board.write(500, top + 44, f"{told[place]:.1f} nats", 15, "rm", "#555555")
        where = (code[latent].item() + 2) / 4 * (cells[-1][0] - cells[0][0]) + cells[0][0] + 32
        board.draw.polygon([(where - 7, top - 8), (where + 7, top - 8), (where, top)], fill=RED)
    board.write(520, 2, "−2", 14)
    board.write(990, 2, "+2", 14, "rt")
    named = ", ".join(f"z{place} = {moved[f'z{place}']:g}" for place in range(1, 7))
    beside = "the factor that it follows most, their correlation, and the nats" if say else "the nats"
    return board.picture(f"{named}. Beside each latent: {beside} that it tells.")


TRAVERSAL = Demo(
    name="traversal",
    title="Traversal",
    idea="Latent perturbation: move one latent and hold the rest, or move two together (labs 2 and 3).",
    tries="Move one slider from end to end and name what it changes, before you let the demo say what each latent follows. "
    "Then move two: is a turned head that laughs what the two movements promised?",
    controls=[
        Choice("model", "Images", ["faces", "blobs"], "faces"),
        Toggle("say", "Say what each latent follows"),
        *(Slider(f"z{place}", f"z{place}", -2.0, 2.0, 0.1, 0.0) for place in range(1, 7)),
    ],
    prepare=prepare_traversal,
    render=render_traversal,
)


# ------------------------------------------------------------------------------------------------------------- β


class Betas(NamedTuple):
    """What the β demo prepares."""

    models: dict[str, Described]
    images: Tensor  # (7, 1, 32, 32)
    scores: dict[str, tuple[float, float]]  # squared error and mutual information gap
    canvas: Canvas
    points: list[Any]


@torch.no_grad()
def prepare_betas() -> Betas:
    """Load five VAEs of blobs, and measure each."""
    networks = load("betas")
    images, factors = draw_blobs(3000, seed=2)
    models, scores = {}, {}
    for beta in BETAS:
        model = networks[f"beta {beta}"]
        mu, _ = model.encode(images)
        models[str(beta)] = described(model, images, factors, ("x", "y", "size"))
        error = squared_error(model.decode(mu).sigmoid(), images).mean().item()
        scores[str(beta)] = error, mutual_information_gap(mu, factors)
    canvas = Canvas(440, 270)
    both = canvas.figure.subplots(1, 2)
    points = []
    for column, (ax, title) in enumerate(zip(both, ("squared error", "MIG"), strict=True)):
        values = [scores[str(beta)][column] for beta in BETAS]
        ax.plot(range(5), values, color=COLOURS[column], marker=MARKERS[column])
        ax.set(title=title, xlabel="β", ylim=(0, 1.15 * max(values)))
        ax.set_xticks(range(5), [str(beta) for beta in BETAS])
        ax.grid(alpha=0.3)
        points += ax.plot(
            [], [], "o", markersize=15, markeredgecolor=RED, markeredgewidth=3, fillstyle="none", clip_on=False
        )
    canvas.moving(*points)
    return Betas(models, images[:6], scores, canvas, points)


def render_beta(prepared: Betas, beta: str) -> Picture:
    """Draw copies, the two scores, and a traversal of each latent with a bar for the nats that it tells."""
    vae, order, told, follows, centre, spread = prepared.models[beta]
    error, gap = prepared.scores[beta]
    for point, value in zip(prepared.points, (error, gap), strict=True):
        point.set_data([BETAS.index(int(beta))], [value])
    board = Board(1000, 440)
    copies = vae.decode(vae.encode(prepared.images)[0]).sigmoid()
    board.write(8, 4, "images, and their copies")
    board.row(8, 26, prepared.images, 2)
    board.row(8, 26 + 64 + GAP, copies, 2)
    board.paste(0, 168, prepared.canvas.picture("").pixels)
    board.write(450, 4, "each latent over its codes (± 2 σ)")
    board.write(820, 4, "what it tells (nats)")
    for place, latent in enumerate(order):
        top = 28 + 68 * place
        board.row(450, top, traverse(vae, centre, latent, centre[latent] + spread[latent] * torch.linspace(-2, 2, 5)), 2)
        length = min(told[place] / 4, 1)  # without a price, β = 0, a latent tells more: its bar is cut, its number is not
        board.draw.rectangle((820, top + 14, 820 + 2 + round(170 * length), top + 34), fill=BLUE)
        board.write(820, top + 40, f"{told[place]:.2f}   {follows[place]}", 15)
    silent = sum(nats < SILENT for nats in told)
    return board.picture(
        f"β = {beta}: squared error {error:.2f}, mutual information gap (MIG) {gap:.2f}; "
        f"KL {sum(told):.1f} nats, {silent} of 6 latents tell nothing."
    )


BETA = Demo(
    name="beta",
    title="Beta-VAE",  # a link to a heading with other letters leads nowhere in JupyterLab
    idea="Disentanglement: a stricter price for codes separates the factors, and costs sharpness (lab 2).",
    tries="Go from β = 0 to 16, and say at each which latents are silent and what the others do. "
    "Which β would you choose, and what for?",
    controls=[Choice("beta", "β", [str(beta) for beta in BETAS], "4")],
    prepare=prepare_betas,
    render=render_beta,
)

DEMOS = (BOTTLENECK, PLANE, TRAVERSAL, BETA)
