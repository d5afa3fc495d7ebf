"""Pictures from folders: both layouts, and whatever may be wrong with them."""

import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course.data.folders import FolderError, load_pairs, load_unpaired


def picture(path, width, height, colour=(200, 100, 50), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height), colour if mode == "RGB" else 0).save(path)


@pytest.fixture
def pairs(tmp_path):
    for split in ("train", "test"):
        for number in range(3):
            array = np.zeros((10, 20, 3), np.uint8)
            array[:, :10], array[:, 10:] = 255, 80 * number  # the photograph is white
            (tmp_path / split).mkdir(exist_ok=True)
            Image.fromarray(array).save(tmp_path / split / f"{number}.png")
    return tmp_path


@pytest.fixture
def heaps(tmp_path):
    for split in ("train", "test"):
        picture(tmp_path / f"{split}A" / "a.jpg", 30, 20, (255, 0, 0))
        for number in range(2):
            picture(tmp_path / f"{split}B" / f"{number}.PNG", 20, 40, (0, 0, 255))
    return tmp_path


def test_pairs_are_cut_in_halves(pairs):
    labels, photos = load_pairs(pairs, "test", size=8)
    assert labels.shape == photos.shape == (3, 3, 8, 8)
    assert (photos == 1).all()
    assert [round(image.mean().item(), 3) for image in labels] == [-1, round(80 / 127.5 - 1, 3), round(160 / 127.5 - 1, 3)]
    assert len(load_pairs(pairs, "train", limit=2)[0]) == 2


def test_val_stands_in_for_test(pairs):
    (pairs / "test").rename(pairs / "val")
    assert len(load_pairs(pairs, "test")[0]) == 3


def test_heaps_may_differ_in_number_and_size(heaps):
    a, b = load_unpaired(heaps, "train", size=16)
    assert (a.shape, b.shape) == ((1, 3, 16, 16), (2, 3, 16, 16))
    assert a[:, 0].min() > 0.95
    assert b[:, 2].min() > 0.95


def test_only_the_middle_square_is_taken(tmp_path):
    array = np.zeros((10, 30, 3), np.uint8)
    array[:, 10:20] = 255
    for domain in "AB":
        (tmp_path / f"train{domain}").mkdir()
        Image.fromarray(array).save(tmp_path / f"train{domain}" / "wide.png")
        Image.fromarray(array.transpose(1, 0, 2)).save(tmp_path / f"train{domain}" / "tall.png")
    for images in load_unpaired(tmp_path, size=10):
        assert (images == 1).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.sampled_from(["RGB", "L", "RGBA", "P", "1"]))
def test_any_picture_is_read(tmp_path_factory, width, height, size, mode):
    root = tmp_path_factory.mktemp("any")
    for domain in "AB":
        picture(root / f"train{domain}" / "x.png", width, height, mode=mode)
    for images in load_unpaired(root, size=size):
        assert images.shape == (1, 3, size, size)
        assert images.dtype == torch.float32
        assert images.min() >= -1
        assert images.max() <= 1


@settings(deadline=None, max_examples=30)
@given(content=st.binary(max_size=200), ending=st.sampled_from([".jpg", ".png", ".bmp", ".webp"]))
def test_what_is_no_picture_is_named(tmp_path_factory, content, ending):
    root = tmp_path_factory.mktemp("odd")
    (root / "trainA").mkdir()
    (root / "trainA" / f"odd{ending}").write_bytes(content)
    with pytest.raises(FolderError, match=f"odd{ending} cannot be read as a picture"):
        load_unpaired(root)


def test_a_damaged_picture_is_named(heaps):
    whole = (heaps / "trainB" / "0.PNG").read_bytes()
    (heaps / "trainB" / "0.PNG").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FolderError, match=r"0\.PNG cannot be read as a picture .* Delete it, or get it again"):
        load_unpaired(heaps)


def test_other_files_are_left_alone(heaps):
    (heaps / "trainA" / "README.txt").write_text("horses")
    (heaps / "trainA" / ".hidden.jpg").write_text("no picture")
    assert len(load_unpaired(heaps)[0]) == 1


@pytest.mark.parametrize("missing", ["trainA", "trainB"])
def test_a_missing_heap_is_named(heaps, missing):
    shutil.rmtree(heaps / missing)
    with pytest.raises(FolderError, match=rf"{missing}. .*has trainA/, trainB/, testA/ and testB/.*there are: test") as told:
        load_unpaired(heaps)
    assert "horse2zebra.zip" in str(told.value)


def test_an_empty_heap_is_named(heaps):
    (heaps / "testB" / "0.PNG").unlink()
    (heaps / "testB" / "1.PNG").unlink()
    with pytest.raises(FolderError, match=r"There is no picture in .*testB\. Put some there"):
        load_unpaired(heaps, "test")


@pytest.mark.parametrize("load", [load_pairs, load_unpaired])
def test_no_folder_at_all(load, tmp_path):
    with pytest.raises(FolderError, match="no such folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FolderError, match="no files at all"):
        load(tmp_path / "empty")


def test_the_other_layout_is_told(pairs, heaps):
    with pytest.raises(FolderError, match="There is no folder"):
        load_unpaired(pairs / "train")
    (heaps / "trainA").rename(heaps / "train_")
    picture(heaps / "train_" / "b.jpg", 30, 30)
    shutil.rmtree(heaps / "train")
    (heaps / "train_").rename(heaps / "train")
    with pytest.raises(FolderError, match=r"30 x 20 pixels\. A pair is one picture, twice as wide .*unpaired"):
        load_pairs(heaps)


@pytest.mark.parametrize("arguments", [{"split": "valid"}, {"size": 0}, {"limit": 0}])
@pytest.mark.parametrize("load", [load_pairs, load_unpaired])
def test_odd_arguments(load, arguments, tmp_path):
    with pytest.raises(ValueError, match=r"train and test|at least 1"):
        load(tmp_path, **arguments)
