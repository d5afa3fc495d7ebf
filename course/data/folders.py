"""Images of your own, or those of the papers, from a folder: pairs side by side, or two heaps that have nothing to do with
each other.

- "facades", as pix2pix has it: `train/` and `test/` (or `val/`) hold pictures twice as wide as they are high. The left half
  is the photograph, the right half its label map.
- "horse2zebra", as CycleGAN has it: `trainA/` and `trainB/`, `testA/` and `testB/` hold pictures of any size.

Nothing is downloaded. A folder that is laid out otherwise is an error that says what was expected.
"""

from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
HOMES = {
    "facades": "https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/facades.tar.gz",
    "horse2zebra": "https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/horse2zebra.zip",
}


class FolderError(RuntimeError):
    """A folder of images is not there, is laid out otherwise, or holds what is no image."""


def load_pairs(root: str | Path, split: str = "train", size: int = 64, limit: int | None = None) -> tuple[Tensor, Tensor]:
    """Load pictures that hold a pair side by side, as "facades" has them: the right halves and the left halves.

    split: "train" or "test"; where there is no test/, val/ is taken. limit: only the first so many, by name.
    Returns (N, 3, size, size) each, in [-1, 1], the two halves resized, antialiased. Raises FolderError.
    """
    _check(split, size, limit)
    folder = Path(root) / split
    if split == "test" and not folder.is_dir() and (Path(root) / "val").is_dir():
        folder = Path(root) / "val"
    left, right = [], []
    for path in _pictures(folder, "facades")[:limit]:
        picture = _open(path)
        width, height = picture.size
        if width % 2 or width < 2 * height * 0.9 or width > 2 * height * 1.1:
            raise FolderError(
                f"{path} is {width} x {height} pixels. A pair is one picture, twice as wide as it is high: the photograph, "
                'and to its right the label map. Are these unpaired pictures? They need trainA/ and trainB/ ("horse2zebra")'
            )
        left.append(_tensor(picture.crop((0, 0, width // 2, height)), size))
        right.append(_tensor(picture.crop((width // 2, 0, width, height)), size))
    return torch.stack(right), torch.stack(left)


def load_unpaired(root: str | Path, split: str = "train", size: int = 64, limit: int | None = None) -> tuple[Tensor, Tensor]:
    """Load the two heaps of pictures of "horse2zebra": those of domain A, and those of domain B.

    split: "train" or "test". limit: only the first so many of each, by name. Returns (N, 3, size, size) and
    (M, 3, size, size) in [-1, 1]: the middle square of each, resized, antialiased. Raises FolderError.
    """
    _check(split, size, limit)
    found = []
    for domain in ("A", "B"):
        pictures = [_open(path) for path in _pictures(Path(root) / f"{split}{domain}", "horse2zebra")[:limit]]
        found.append(torch.stack([_tensor(_middle_square(picture), size) for picture in pictures]))
    return found[0], found[1]


def _check(split: str, size: int, limit: int | None) -> None:
    if split not in ("train", "test"):
        raise ValueError(f"the splits are train and test, not {split!r}")
    if size < 1 or (limit is not None and limit < 1):
        raise ValueError(f"size {size} and limit {limit} must be at least 1; leave limit out to load everything")


def _pictures(folder: Path, layout: str) -> list[Path]:
    """List the pictures in a folder by name."""
    if not folder.is_dir():
        expected = "train/ and test/ (or val/)" if layout == "facades" else "trainA/, trainB/, testA/ and testB/"
        around = sorted(path.name for path in folder.parent.iterdir()) if folder.parent.is_dir() else None
        there = "no such folder" if around is None else f"there are: {', '.join(around[:8]) or 'no files at all'}"
        raise FolderError(
            f"There is no folder {folder.resolve()}. A set laid out like {layout!r} has {expected}; in "
            f"{folder.parent.resolve()}: {there}. The original is at {HOMES[layout]}: unpack it, and give ROOT its folder"
        )
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
    if not found:
        raise FolderError(f"There is no picture in {folder.resolve()}. Put some there: files ending in {', '.join(ENDINGS)}")
    return found


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FolderError(f"{path} cannot be read as a picture ({reason}). Delete it, or get it again") from None


def _middle_square(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _tensor(picture: Image.Image, size: int) -> Tensor:
    return pil_to_tensor(picture.resize((size, size), Image.Resampling.BICUBIC)).float() / 127.5 - 1
