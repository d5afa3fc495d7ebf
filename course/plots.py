"""The figures of the labs. Each function takes tensors and returns a matplotlib Figure; show() puts it on the page."""

import base64
import io
import sys
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image
from torch import Tensor

# Okabe & Ito (2008): eight colours that colour-blind readers can tell apart; without the yellow, which is pale on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # so that no series is told by its colour alone


def show(fig: Figure, alt: str) -> None:
    """Display a figure with a text that says what is in it, and close it; outside a notebook only print the text.

    The text goes where screen readers and nbconvert look for it, and stands in where a picture cannot be shown.
    """
    ipython = sys.modules.get("IPython")  # loaded if, and only if, we may be in a notebook
    if ipython is None or not hasattr(ipython.get_ipython(), "kernel"):
        print(f"[figure] {alt}")
    else:
        drawn, small = io.BytesIO(), io.BytesIO()
        fig.savefig(drawn, format="png", dpi=100, bbox_inches="tight")
        # 80 colours are enough for a figure, and make a notebook a quarter of the size
        Image.open(drawn).convert("RGB").quantize(80).save(small, format="png", optimize=True)
        png = base64.b64encode(small.getvalue()).decode()
        bundle = {"image/png": png, "text/plain": f"[figure] {alt}"}
        ipython.display.display(bundle, raw=True, metadata={"image/png": {"alt": alt}})
    plt.close(fig)


def image_rows(rows: Mapping[str, Tensor], title: str, column_titles: Sequence[str] = (), size: float = 0.8) -> Figure:
    """Draw one row of images for each caption; rows: caption -> images (n, C, H, W) in [0, 1]; size in inches."""
    columns = max(len(images) for images in rows.values())
    height = size * len(rows) + 0.35 + 0.25 * bool(column_titles)
    fig, axes = plt.subplots(len(rows), columns, figsize=(size * columns + 1.6, height), squeeze=False)
    for row_axes, (caption, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(row_axes, images, strict=False):
            _draw_image(ax, image)
        for ax in row_axes[len(images) :]:
            ax.axis("off")
        row_axes[0].set_ylabel(caption, rotation=0, ha="right", va="center", labelpad=8)
    for ax, text in zip(axes[0], column_titles, strict=False):
        ax.set_title(text, fontsize=9)
    fig.subplots_adjust(0, 0, 1, 1 - 0.3 / height - 0.25 * bool(column_titles) / height, wspace=0.06, hspace=0.06)
    fig.suptitle(title, y=1, va="top")
    return fig


def latent_planes(
    planes: Mapping[str, Tensor],
    factor: Tensor,
    label: str,
    title: str,
    names: Mapping[int, str] | None = None,
    prior: bool = True,
) -> Figure:
    """Scatter the codes of several models side by side, coloured by one factor.

    planes: caption -> codes (N, 2). factor: (N,); up to ten different whole numbers are classes, with a legend instead
    of a colour bar, in which names (number -> word) may say what they are. prior: draw a circle of radius 2, where N(0, I)
    has 86 % of its mass.
    """
    width = 3.0 * len(planes) + 0.6
    fig, axes = plt.subplots(1, len(planes), figsize=(width, 4), squeeze=False, layout="constrained")
    factor = factor.cpu().float()
    classes = factor.unique().tolist() if len(factor.unique()) <= 10 and bool((factor == factor.round()).all()) else []
    for ax, (caption, codes) in zip(axes[0], planes.items(), strict=True):
        z = codes.cpu()
        if not classes:
            points = ax.scatter(z[:, 0], z[:, 1], c=factor, s=4, cmap="viridis", rasterized=True)
        for i, number in enumerate(classes):
            style = {"color": COLOURS[i % 7], "marker": MARKERS[(i + i // 7) % 7]}
            name = (names or {}).get(int(number), f"{number:g}")
            ax.scatter(*z[factor == number].T, s=7, linewidths=0, label=name, rasterized=True, **style)
        if prior:
            ax.add_patch(Circle((0, 0), 2, fill=False, color="black", linestyle="--", linewidth=1.2))
        reach = 1.05 * max(2.2, float(z.abs().max()))
        ax.set(title=caption, xlabel="$z_1$", xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes[0, 0].set_ylabel("$z_2$")
    if classes:
        handles, texts = axes[0, 0].get_legend_handles_labels()
        columns = min(len(texts), 2 + 2 * len(planes))  # below, so that the title stands over the panels' middle
        fig.legend(handles, texts, loc="outside lower center", ncols=columns, frameon=False, markerscale=2.5)
    else:
        fig.colorbar(points, ax=axes[0].tolist(), label=label, shrink=0.85)
    if len(planes) == 1:
        axes[0, 0].set_title(f"{title}: {next(iter(planes))}")
    else:
        fig.suptitle(title)
    return fig


def decoded_plane(images: Tensor, extent: float, title: str) -> Figure:
    """Draw images (R, R, 1, H, W), decoded from an R x R grid of codes, as one map of the latent plane.

    Row 0 is z₂ = +extent (the top), column 0 is z₁ = −extent.
    """
    rows, columns, _, height, width = images.shape
    mosaic = images[:, :, 0].permute(0, 2, 1, 3).reshape(rows * height, columns * width)
    fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
    ax.imshow(mosaic.cpu(), cmap="gray", vmin=0, vmax=1, extent=(-extent, extent, -extent, extent))
    ax.set(title=title, xlabel="$z_1$", ylabel="$z_2$")
    return fig


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, xlabel: str, ylabel: str, log: str = ""
) -> Figure:
    """Draw named curves; series: name -> (x, y). log: "x", "y", "xy" or "" for linear axes."""
    fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for i, (name, (x, y)) in enumerate(series.items()):
        every = max(1, len(x) // 8)
        ax.plot(x, y, color=COLOURS[i % 7], marker=MARKERS[i % 7], markevery=every, markersize=4, label=name)
    _log_axes(ax, log)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return fig


def smooth(values: Sequence[float], points: int = 60) -> tuple[list[float], list[float]]:
    """Average a noisy history over equal stretches; return (steps, means), ready for curves()."""
    width = max(1, len(values) // points)
    starts = range(0, len(values) - width + 1, width)
    return [start + width / 2 for start in starts], [sum(values[s : s + width]) / width for s in starts]


def estimates(counts: Sequence[int], runs: Tensor, truth: float, title: str, ylabel: str) -> Figure:
    """Draw how random estimates close in on the truth; runs: (R, len(counts)), one line for each run."""
    fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for i, run in enumerate(runs.cpu()):
        ax.plot(counts, run, color=COLOURS[0], alpha=0.35, linewidth=1, label="Monte Carlo" if i == 0 else None)
    ax.axhline(truth, color=COLOURS[3], linestyle="--", linewidth=2, label="closed form")
    _log_axes(ax, "x")
    ax.set(title=title, xlabel="number of samples", ylabel=ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return fig


def sweep(by_beta: Mapping[float, Mapping[str, Sequence[float]]], title: str) -> Figure:
    """Draw what β buys and costs: squared error against KL on the left, MIG on the right; a dot is a seed.

    by_beta: β -> {"kl": ..., "squared_error": ..., "mig": ...}, one number for each seed.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for i, (beta, rows) in enumerate(by_beta.items()):
        style = {"color": COLOURS[i % 7], "marker": MARKERS[i % 7], "linestyle": "none"}
        left.plot(rows["kl"], rows["squared_error"], label=f"β = {beta:g}", **style)
        seeds = range(len(rows["mig"]))  # side by side, so that equal ones do not hide each other
        right.plot([i + 0.07 * (seed - (len(seeds) - 1) / 2) for seed in seeds], rows["mig"], alpha=0.7, **style)
    means = [sum(rows["mig"]) / len(rows["mig"]) for rows in by_beta.values()]
    right.plot(means, color="black", linewidth=1, marker="_", markersize=16, label="mean")
    _log_axes(left, "xy")
    left.set(title="the price", xlabel="KL (nats per image)", ylabel="squared error per image")
    right.set(title="the gain", xlabel="β", ylabel="mutual information gap", ylim=(0, 1))
    right.set_xticks(range(len(by_beta)), [f"{beta:g}" for beta in by_beta])
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
    fig.suptitle(title)
    return fig


def _draw_image(ax: Axes, image: Tensor) -> None:
    # Pixels as they are: smoothed ones hide what the model saw, and make the file three times as large.
    ax.imshow(image.detach().cpu().permute(1, 2, 0), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])


def _log_axes(ax: Axes, log: str) -> None:
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
