"""Real data against the files' own bytes; missing and damaged files against what a person needs to be told."""

import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import datasets

from course.data.real import IDX_FILES, DownloadError, load

DATA = Path(os.environ.get("COURSE_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
needs_fashion_mnist = pytest.mark.skipif(
    not (DATA / "FashionMNIST" / "raw" / IDX_FILES[0]).exists(),
    reason=f"no Fashion-MNIST in {DATA}; set COURSE_DATA to a folder that has FashionMNIST/raw",
)


@pytest.fixture(autouse=True, scope="module")
def no_network() -> Iterator[None]:
    """Make every attempt to download fail at once."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("no network in this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("urllib.request.urlopen", refuse)
        patch.setattr("torchvision.datasets.celeba.download_file_from_google_drive", refuse)
        yield


def idx_bytes(array: np.ndarray) -> bytes:
    """Write bytes in the format of MNIST's files: 0, 0, type 8, dimensions, sizes, values."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def small_mnist(root: Path, folder: str = "MNIST", n: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Write a set of n random images as training and as test files; return the images and labels."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    for name in IDX_FILES:
        (raw / name).write_bytes(idx_bytes(images if "images" in name else labels))
    return images, labels


@needs_fashion_mnist
def test_fashion_mnist_is_what_the_files_hold() -> None:
    images, labels = load("fashion_mnist", "test", root=DATA)
    assert images.shape == (10_000, 1, 32, 32)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    raw = DATA / "FashionMNIST" / "raw"
    pixels = np.fromfile(raw / "t10k-images-idx3-ubyte", dtype=np.uint8, offset=16).reshape(-1, 28, 28)
    np.testing.assert_allclose(images[:, 0, 2:30, 2:30], pixels / np.float32(255), atol=1e-7)
    assert images.double().sum().item() == pytest.approx(pixels.sum(dtype=np.int64) / 255)  # so the border is 0
    np.testing.assert_array_equal(labels, np.fromfile(raw / "t10k-labels-idx1-ubyte", dtype=np.uint8, offset=8))


@needs_fashion_mnist
def test_the_training_split_has_60000_and_limit_shortens_it() -> None:
    images, labels = load("fashion_mnist", size=28, root=DATA, limit=7)
    assert images.shape == (7, 1, 28, 28)
    assert labels.shape == (7,)
    assert len(load("fashion_mnist", size=4, root=str(DATA))[0]) == 60_000


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("size", [7, 14, 16, 28, 40, 64])
def test_other_sizes_are_resized_as_pillow_does(tmp_path: Path, name: str, size: int) -> None:
    pixels, labels = small_mnist(tmp_path, {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}[name])
    images, read_labels = load(name, "test", size, tmp_path)
    np.testing.assert_array_equal(read_labels, labels)
    for image, original in zip(images, pixels, strict=True):
        expected = np.asarray(Image.fromarray(original).resize((size, size), Image.Resampling.BILINEAR)) / 255
        np.testing.assert_allclose(image[0], expected, atol=1.5 / 255)  # Pillow rounds to whole grey values, twice
    assert images.min() >= 0
    assert images.max() <= 1


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "celeba"])
def test_a_failed_download_says_what_where_and_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(DownloadError) as error:
        load(name, root=tmp_path)
    message = str(error.value)
    folder = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "celeba": "celeba"}[name]
    wanted = "list_attr_celeba.txt" if name == "celeba" else "t10k-labels-idx1-ubyte"
    for part in (f"{name} could not be downloaded", str(tmp_path / folder), "no network", wanted, "course.data.sprites"):
        assert part in message
    assert "\n" not in message


def test_one_missing_file_is_the_one_named(tmp_path: Path) -> None:
    small_mnist(tmp_path)
    (tmp_path / "MNIST" / "raw" / IDX_FILES[1]).unlink()
    with pytest.raises(DownloadError, match=f"into that folder: {IDX_FILES[1]}\\. Or"):
        load("mnist", root=tmp_path)


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DownloadError, match="could not be downloaded"):
        load("mnist", root=tmp_path / "file")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(IDX_FILES[:2]),
    st.integers(0, 5 * 28 * 28 + 16),
    st.dictionaries(st.integers(0, 20), st.integers(0, 255), max_size=6),
    st.binary(max_size=40),
)
@example(IDX_FILES[0], 0, {}, b"")  # empty
@example(IDX_FILES[0], 16, {}, b"")  # a header and nothing else
@example(IDX_FILES[0], 4000, {7: 4}, b"")  # fewer images than labels
@example(IDX_FILES[1], 13, {12: 200}, b"")  # a label that is no digit
@example(IDX_FILES[0], 4000, {4: 255, 5: 255, 6: 255, 7: 255, 8: 255}, b"")  # sizes beyond 64 bits
@example(IDX_FILES[0], 4000, {2: 14}, b"")  # another type of number
def test_damaged_files_give_only_a_download_error(name: str, length: int, changes: dict[int, int], tail: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small_mnist(root)
        path = root / "MNIST" / "raw" / name
        garbled = bytearray(path.read_bytes()[:length] + tail)
        for position, value in changes.items():
            if position < len(garbled):
                garbled[position] = value
        path.write_bytes(garbled)
        complaint = ""
        try:
            images, labels = load("mnist", root=root)
        except DownloadError as error:
            complaint = str(error)
    if complaint:
        assert f"mnist in {(root / 'MNIST' / 'raw').resolve()} is damaged" in complaint
    else:  # the damage hit values only
        assert images.shape == (len(labels), 1, 32, 32)
        assert ((labels >= 0) & (labels <= 9)).all()


@pytest.fixture
def small_celeba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write CelebA with 5 images, of which the first 3 train; the left half is red, the right half blue."""
    monkeypatch.setattr(datasets.CelebA, "_check_integrity", lambda self: True)  # the checksums are the real set's
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06}.jpg" for i in range(1, 6)]
    pixels = np.zeros((218, 178, 3), dtype=np.uint8)
    pixels[:, :89, 0] = pixels[:, 89:, 2] = 255
    for name in names:
        Image.fromarray(pixels).save(folder / "img_align_celeba" / name, quality=95, subsampling=0)

    attributes = -np.ones((5, 40), dtype=int)
    attributes[1, 0] = 1
    tables = {
        "list_attr_celeba.txt": attributes,
        "identity_CelebA.txt": np.ones((5, 1), dtype=int),
        "list_bbox_celeba.txt": np.ones((5, 4), dtype=int),
        "list_landmarks_align_celeba.txt": np.ones((5, 10), dtype=int),
        "list_eval_partition.txt": np.array([[0], [0], [0], [2], [2]]),
    }
    for file, rows in tables.items():
        head = [] if rows.shape[1] == 1 else ["5", " ".join(["heading"] * rows.shape[1])]
        lines = [f"{name} {' '.join(map(str, row))}" for name, row in zip(names, rows, strict=True)]
        (folder / file).write_text("\n".join(head + lines))
    return tmp_path


def test_celeba_is_cropped_resized_and_labelled(small_celeba: Path) -> None:
    images, labels = load("celeba", size=64, root=small_celeba)
    assert images.shape == (3, 3, 64, 64)
    assert images.dtype == torch.float32
    assert labels.shape == (3, 40)
    assert labels.dtype == torch.int64
    expected = torch.zeros(3, 40, dtype=torch.int64)
    expected[1, 0] = 1
    assert torch.equal(labels, expected)
    left, right = images[..., :31].mean((0, 2, 3)), images[..., 33:].mean((0, 2, 3))
    torch.testing.assert_close(left, torch.tensor([1.0, 0, 0]), atol=0.02, rtol=0)
    torch.testing.assert_close(right, torch.tensor([0.0, 0, 1]), atol=0.02, rtol=0)
    assert len(load("celeba", root=small_celeba, limit=2)[0]) == 2
    assert len(load("celeba", "test", root=small_celeba)[0]) == 2


@pytest.mark.parametrize("damage", [b"", b"not a picture", None])
def test_a_damaged_celeba_picture_is_explained(small_celeba: Path, damage: bytes | None) -> None:
    picture = small_celeba / "celeba" / "img_align_celeba" / "000002.jpg"
    if damage is None:
        picture.unlink()
    else:
        picture.write_bytes(damage)
    with pytest.raises(DownloadError, match=r"is damaged \(.*000002\.jpg"):
        load("celeba", root=small_celeba)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("imagenet",), ["imagenet", "fashion_mnist, mnist, celeba"]),
        (("mnist", "valid"), ["mnist", "valid", "train, test"]),
        (("celeba", "all"), ["train, valid, test"]),
        (("mnist", "train", 0), ["size 0"]),
        (("mnist", "train", 32, "data", 0), ["limit 0"]),
    ],
)
def test_unknown_wishes_list_the_choices(arguments: tuple, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        load(*arguments)
    for word in words:
        assert word in str(error.value)
