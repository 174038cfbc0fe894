"""MNIST on disk: both folders, both forms; damage is named; a download is checked before it is used."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import fake_mnist
import numpy as np
import pytest
import torch

from gamedyn.gan.data import load_mnist
from gamedyn.gan.data import mnist as mnist_module
from gamedyn.gan.data.mnist import download_mnist

HERE = any(Path(os.environ.get("GAMEDYN_DATA", "-"), name).is_dir() for name in mnist_module.FOLDERS)
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw"])
def test_both_folders_and_forms_give_the_same_digits(folder: str, compressed: bool, tmp_path: Path) -> None:
    fake_mnist.write(tmp_path / folder, compressed=compressed)
    content = fake_mnist.contents()
    for split, stem in (("train", "train"), ("test", "t10k")):
        loaded = load_mnist(tmp_path, split, download=False)
        assert loaded.shape == (1, 28, 28)
        assert loaded.name == f"MNIST ({split})"
        assert np.array_equal(loaded.pixels[:, 0].numpy(), content[f"{stem}-images-idx3-ubyte"])
        assert loaded.labels is not None
        assert loaded.labels.tolist() == content[f"{stem}-labels-idx1-ubyte"].tolist()
        assert loaded.classes == 10
    with pytest.raises(ValueError, match="'val'"):
        load_mnist(tmp_path, "val")


def header(values: np.ndarray, **change: int) -> bytes:
    """An IDX file with bytes of its header changed by position."""
    content = bytearray(fake_mnist.idx(values))
    for position, value in change.items():
        content[int(position.removeprefix("at"))] = value
    return bytes(content)


ONE = np.zeros((1, 28, 28), np.uint8)
DAMAGED = {
    "empty": (b"", "begins with nothing"),
    "another magic number": (header(ONE, at1=7), "begins with 00070803"),
    "floats": (header(ONE, at2=13), "begins with 00000d03"),
    "one axis": (fake_mnist.idx(ONE.reshape(-1)), "begins with 00000801"),
    "no sizes": (b"\0\0\x08\x03\0\0", "not an IDX file"),
    "no images": (fake_mnist.idx(ONE[:0]), r"shape is \(0, 28, 28\)"),
    "a huge count": (header(ONE, at4=255), "which is no data set"),
    "too few values": (fake_mnist.idx(ONE)[:-1], "only 783 of the 784"),
    "too many values": (fake_mnist.idx(ONE) + b"\0", "more of the 784"),
    "another size": (fake_mnist.idx(np.zeros((1, 14, 56), np.uint8)), "images of 14x56"),
    "another count": (fake_mnist.idx(ONE), "40 labels for 1 images"),
}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_files_are_named_in_one_line(damage: str, compressed: bool, tmp_path: Path) -> None:
    folder = fake_mnist.write(tmp_path / "mnist", compressed=compressed)
    content, message = DAMAGED[damage]
    path = folder / f"{IMAGES}{'.gz' if compressed else ''}"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(ValueError, match=message) as caught:
        load_mnist(tmp_path, download=False)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.9999])
def test_truncated_archives_are_named(kept: float, tmp_path: Path) -> None:
    path = fake_mnist.write(tmp_path / "mnist") / f"{IMAGES}.gz"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=path.name):
        load_mnist(tmp_path, download=False)
    path.write_bytes(b"no archive at all")
    with pytest.raises(ValueError, match=f"{path.name} is damaged"):
        load_mnist(tmp_path, download=False)


def test_labels_beyond_nine_are_refused(tmp_path: Path) -> None:
    folder = fake_mnist.write(tmp_path / "mnist")
    labels = np.full(fake_mnist.COUNTS["train"], 10, np.uint8)
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(fake_mnist.idx(labels)))
    with pytest.raises(ValueError, match="label 10"):
        load_mnist(tmp_path, download=False)


def test_a_missing_set_is_one_line_with_folder_and_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(root: Path) -> Path:
        return download_mnist(root, url=(tmp_path / "absent").as_uri() + "/")

    monkeypatch.setattr(mnist_module, "download_mnist", unreachable)
    root = tmp_path / "data"
    (fake_mnist.write(root / "mnist") / f"{LABELS}.gz").unlink()
    for download in (True, False):
        with pytest.raises(FileNotFoundError) as caught:
            load_mnist(root, download=download)
        message = str(caught.value)
        assert str(root) in message
        assert "https://" in message
        assert "\n" not in message
    assert [path.name for path in root.iterdir()] == ["mnist"]
    assert len(load_mnist(root, "test", download=False)) == fake_mnist.COUNTS["t10k"]


def test_a_download_is_checked_by_its_uncompressed_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = fake_mnist.write(tmp_path / "source")
    sums = {
        name: hashlib.sha256(fake_mnist.idx(values)).hexdigest()
        for name, values in fake_mnist.contents().items()
    }
    monkeypatch.setattr(mnist_module, "SHA256", sums)
    root = tmp_path / "data"
    download_mnist(root, url=source.as_uri() + "/")
    assert [path.name for path in root.iterdir()] == ["mnist"]
    assert len(load_mnist(root, download=False)) == fake_mnist.COUNTS["train"]

    for content, message in ((gzip.compress(b"x"), "wrong checksum"), (b"x", "damaged")):
        (source / f"{LABELS}.gz").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            download_mnist(tmp_path / "other", url=source.as_uri() + "/")
        assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.data
@pytest.mark.skipif(not HERE, reason="needs MNIST under GAMEDYN_DATA")
def test_the_real_mnist_is_read_whole() -> None:
    train, test = load_mnist(download=False), load_mnist(split="test", download=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    # The known mean of MNIST's pixels, 0.1307, on the scale from -1 to 1.
    assert float(train.batch(torch.arange(60_000)).mean()) == pytest.approx(2 * 0.1307 - 1, abs=1e-3)
