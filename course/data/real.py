"""Real data sets, downloaded once through torchvision: Fashion-MNIST, MNIST and CelebA.

A set that cannot be had is an error that says what to do, never other data in its place.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision import datasets, transforms
from tqdm.auto import tqdm

SPLITS = {
    "fashion_mnist": ("train", "test"),
    "mnist": ("train", "test"),
    "celeba": ("train", "valid", "test"),
}
HOMES = {
    "fashion_mnist": "https://github.com/zalandoresearch/fashion-mnist",
    "mnist": "https://yann.lecun.com/exdb/mnist",
    "celeba": "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
}
IDX_FILES = tuple(f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
CELEBA_FILES = (
    "img_align_celeba",  # a folder: 000001.jpg ... 202599.jpg
    "list_attr_celeba.txt",
    "identity_CelebA.txt",
    "list_bbox_celeba.txt",
    "list_landmarks_align_celeba.txt",
    "list_eval_partition.txt",
)


class DownloadError(RuntimeError):
    """A real data set is not there and cannot be downloaded, or its files are damaged."""


def load(
    name: str, split: str = "train", size: int = 32, root: str | Path = "data", limit: int | None = None
) -> tuple[Tensor, Tensor]:
    """Load a real data set, downloading it to the folder root unless it is there.

    name: "fashion_mnist", "mnist" (splits "train", "test") or "celeba" (also "valid"). limit: only the first so many.
    Returns images (N, C, size, size), float32 in [0, 1], and int64 labels.
    - fashion_mnist, mnist: C = 1, labels (N,). The 28 x 28 images get a border of 2 zeros for size 32; for any other
      size they are resized, antialiased. 60,000 images of 32 x 32 take 0.25 GB.
    - celeba: C = 3, labels (N, 40), each attribute 0 or 1. The middle 148 x 148 pixels, resized, antialiased. The
      162,770 training images take 2 GB at size 32 and 8 GB at size 64: mind the limit.
    Raises ValueError for an unknown name or split, DownloadError for what cannot be downloaded or read.
    """
    if name not in SPLITS:
        raise ValueError(f"no data set is called {name!r}; choose from {', '.join(SPLITS)}")
    if split not in SPLITS[name]:
        raise ValueError(f"{name} has no split {split!r}; choose from {', '.join(SPLITS[name])}")
    if size < 1 or (limit is not None and limit < 1):
        raise ValueError(f"size {size} and limit {limit} must be at least 1; leave limit out to load everything")
    if name == "celeba":
        return load_celeba(split, size, Path(root), limit)
    return load_idx(name, split, size, Path(root), limit)


def load_idx(name: str, split: str, size: int, root: Path, limit: int | None) -> tuple[Tensor, Tensor]:
    """Load a set in MNIST's format: images (N, 1, size, size) and labels (N,), as `load` says."""
    source = datasets.MNIST if name == "mnist" else datasets.FashionMNIST
    with explained(name, root / source.__name__ / "raw", IDX_FILES):
        data = source(root, train=split == "train", download=True)  # downloads only what is not there
        images, labels = data.data, data.targets
        if images.shape != (len(labels), 28, 28) or len(labels) == 0 or labels.max() > 9:
            raise ValueError(f"{tuple(images.shape)} images of 28 x 28 do not go with {len(labels)} labels from 0 to 9")
    x = images[:limit, None].float() / 255
    if size == 32:
        x = F.pad(x, (2, 2, 2, 2))
    elif size != 28:
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True).clamp_(0, 1)
    return x, labels[:limit]


def load_celeba(split: str, size: int, root: Path, limit: int | None) -> tuple[Tensor, Tensor]:
    """Load CelebA's aligned faces (N, 3, size, size) and attributes (N, 40), as `load` says."""
    # 148 pixels: face and hair, little background; as in Larsen et al. (2016).
    middle = transforms.Compose([transforms.CenterCrop(148), transforms.Resize((size, size)), transforms.ToTensor()])
    with explained(name="celeba", folder=root / "celeba", files=CELEBA_FILES):
        data = datasets.CelebA(root, split, transform=middle, download=True)
    labels = data.attr[:limit]
    images = torch.empty(len(labels), 3, size, size)  # filled in place: all of them in memory once, not twice
    for i in tqdm(range(len(labels)), desc="CelebA", unit="image"):
        with explained(name="celeba", folder=root / "celeba", files=CELEBA_FILES):
            images[i] = data[i][0]
    return images, labels


@contextmanager
def explained(name: str, folder: Path, files: Sequence[str]) -> Iterator[None]:
    """Turn whatever goes wrong inside into a DownloadError: what failed, where files are expected, what to do."""
    try:
        yield
    # torchvision raises almost anything: URLError, RuntimeError, AssertionError, KeyError, OverflowError, ...
    except Exception as error:
        missing = [file for file in files if not (folder / file).exists()]
        if missing:
            what = f"{name} could not be downloaded to {folder.resolve()}"
            remedy = f"Try again with a connection, or get these by hand, unpacked, from {HOMES[name]} into that folder: "
        else:
            what = f"{name} in {folder.resolve()} is damaged"
            remedy = f"Delete what is damaged and call again, or get it by hand, unpacked, from {HOMES[name]}: "
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DownloadError(
            f"{what} ({reason}). {remedy}{', '.join(missing or files)}. "
            "Or use images that need no download: course.data.sprites, course.data.glyphs"
        ) from error
