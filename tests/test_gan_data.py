"""Data on disk: every form is read, nothing is run, damage is named."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from collections import OrderedDict
from pathlib import Path

import fake_cifar
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from gamedyn.games.gaussian_mixture import GaussianMixture
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data import (
    BatchOrder,
    ImageSet,
    ImageSource,
    PointSource,
    data_root,
    load_cifar10,
    load_digits,
)
from gamedyn.gan.data import cifar10 as cifar10_module
from gamedyn.gan.data.download import download_cifar10
from gamedyn.gan.data.images import image_set, resized
from gamedyn.gan.data.pickles import load_arrays
from gamedyn.gan.data.sources import open_source

WRITERS = {
    "pickles": fake_cifar.write_pickles,
    "pickles of today": lambda root: fake_cifar.write_pickles(root, protocol=4),
    "binaries": fake_cifar.write_binaries,
    "npz, channels last": fake_cifar.write_npz,
    "npz, channels first": lambda root: fake_cifar.write_npz(root, "first"),
    "npz, flat": lambda root: fake_cifar.write_npz(root, "flat"),
}


@pytest.mark.parametrize("form", WRITERS)
def test_every_form_gives_the_same_images(form: str, tmp_path: Path) -> None:
    WRITERS[form](tmp_path)
    every = fake_cifar.batches()
    test = every.pop("test_batch")
    train = np.concatenate(list(every.values()))
    for split, flat in (("train", train), ("test", test)):
        loaded = load_cifar10(tmp_path, split)
        assert loaded.shape == (3, 32, 32)
        assert torch.equal(loaded.pixels, torch.from_numpy(flat.reshape(-1, 3, 32, 32)))
        assert loaded.classes == 10
        assert loaded.labels is not None
        assert loaded.labels.tolist() == fake_cifar.labels() * (5 if split == "train" else 1)


def test_bytes_become_minus_one_to_one() -> None:
    images = ImageSet("two", torch.tensor([0, 255, 51], dtype=torch.uint8).reshape(3, 1, 1, 1))
    batch = images.batch(torch.tensor([0, 1, 2]))
    assert batch.dtype == torch.float32
    assert batch.flatten().tolist() == pytest.approx([-1.0, 1.0, -0.6])


class Runs:
    """Unpickling this calls what it was given."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


HOSTILE = {
    "posix.system": Runs(os.system, "touch executed"),
    "builtins.eval": Runs(eval, "open('executed', 'w')"),
    "builtins.getattr": Runs(getattr, "", "join"),
    "collections.OrderedDict": OrderedDict(a=1),
    "refused to decode": Runs(__import__("_codecs").encode, "text", "rot13"),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_by_name(
    name: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = fake_cifar.write_pickles(tmp_path)
    (folder / "data_batch_3").write_bytes(pickle.dumps({b"data": HOSTILE[name]}, protocol=protocol))
    with pytest.raises(ValueError, match=r"data_batch_3.*refused") as caught:
        load_cifar10(tmp_path)
    expected = name.replace("builtins", "__builtin__") if protocol < 3 else name
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("executed").exists()


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99, 0.99995])
@pytest.mark.parametrize("form", ["pickles", "binaries", "npz, flat"])
def test_truncated_files_are_named(form: str, kept: float, tmp_path: Path) -> None:
    path = WRITERS[form](tmp_path)
    victim = path if path.is_file() else sorted(path.iterdir())[1]
    content = victim.read_bytes()
    victim.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=victim.name) as caught:
        load_cifar10(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps([1, 2]),
        pickle.dumps({b"labels": [1]}),
        pickle.dumps({b"data": np.zeros((2, 3072))}),
        pickle.dumps({b"data": np.zeros((2, 100), np.uint8)}),
        pickle.dumps({b"data": "text"}),
        *(
            pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": labels})
            for labels in ([1], [0, 10], [0, -1], [0, 0.5], ["a", "b"], [[0], [1, 2]])
        ),
        b"not a pickle at all",
        bytes(range(256)),
    ],
)
def test_a_file_that_is_no_batch_is_named(content: bytes, tmp_path: Path) -> None:
    folder = fake_cifar.write_pickles(tmp_path)
    (folder / "data_batch_2").write_bytes(content)
    with pytest.raises(ValueError, match="data_batch_2"):
        load_cifar10(tmp_path)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    (fake_cifar.write_pickles(tmp_path) / "data_batch_4").unlink()
    with pytest.raises(FileNotFoundError, match="data_batch_4"):
        load_cifar10(tmp_path)


def test_npz_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "cifar10.npz", x_train=np.array([HOSTILE["builtins.eval"]], dtype=object))
    with pytest.raises(ValueError, match=r"cifar10\.npz"):
        load_cifar10(tmp_path)
    np.savez(tmp_path / "cifar10.npz", pictures=np.zeros((1, 3072), np.uint8))
    with pytest.raises(ValueError, match="x_train"):
        load_cifar10(tmp_path)


def test_binary_labels_are_checked(tmp_path: Path) -> None:
    folder = fake_cifar.write_binaries(tmp_path)
    (folder / "data_batch_1.bin").write_bytes(b"\xff" * 3073)
    with pytest.raises(ValueError, match="label 255"):
        load_cifar10(tmp_path)


def test_images_without_classes_are_images_still(tmp_path: Path) -> None:
    np.savez(tmp_path / "cifar10.npz", x_train=np.zeros((4, 3072), np.uint8))
    images = load_cifar10(tmp_path)
    assert (images.labels, images.classes) == (None, 0)
    source = ImageSource(images, batch_size=2, seed=0)
    source.next()
    assert (source.labels, source.classes) == (None, 0)
    np.savez(tmp_path / "cifar10.npz", x_train=np.zeros((4, 3072), np.uint8), y_train=np.zeros(3, np.int64))
    with pytest.raises(ValueError, match=r"labels.*expected 4"):
        load_cifar10(tmp_path)


def test_labels_belong_to_the_batch_last_given() -> None:
    # Every image's grey level is its class, so each batch must agree with its labels.
    labels = torch.arange(30) % 10
    pixels = labels.to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 3, 4, 4).contiguous()
    source = ImageSource(ImageSet("levels", pixels, labels=labels, classes=10), batch_size=7, seed=0)
    for _ in range(9):  # into the third epoch
        batch = source.next()
        assert source.labels is not None
        assert torch.equal(batch[:, 0, 0, 0].add(1).mul(127.5).round().long(), source.labels)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (torch.zeros(2, dtype=torch.int64), 1),
        (torch.zeros(3), 1),
        (torch.tensor([0, 1, 2]), 2),
        (torch.tensor([0, 1, -1]), 2),
        (torch.zeros(3, dtype=torch.int64), 0),
        (None, 3),
    ],
)
def test_labels_must_fit_the_images(labels: Tensor | None, classes: int) -> None:
    with pytest.raises(ValueError, match="three: labels must"):
        ImageSet("three", torch.zeros(3, 1, 2, 2, dtype=torch.uint8), labels=labels, classes=classes)


@pytest.mark.parametrize("size", [4, 8, 16, 48])
def test_resampling_keeps_flat_images_and_means(size: int) -> None:
    torch.manual_seed(0)
    flat = torch.randint(0, 256, (5, 3, 1, 1), dtype=torch.uint8)
    images = ImageSet("flat", flat.expand(-1, -1, 16, 16).contiguous(), labels=torch.arange(5), classes=5)
    smaller = resized(images, size)
    assert smaller.shape == (3, size, size)
    assert torch.equal(smaller.pixels, flat.expand(-1, -1, size, size))
    assert torch.equal(smaller.labels, images.labels)  # type: ignore[arg-type]
    noisy = ImageSet("noisy", torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8))
    if size < 16:  # areas: exact means of blocks, rounded
        blocks = noisy.pixels.float().unfold(2, 16 // size, 16 // size).unfold(3, 16 // size, 16 // size)
        assert torch.equal(resized(noisy, size).pixels, blocks.mean((-1, -2)).round().to(torch.uint8))
    assert resized(noisy, 16) is noisy
    with pytest.raises(ValueError, match="square"):
        resized(ImageSet("wide", torch.zeros(1, 1, 2, 4, dtype=torch.uint8)), 2)


def test_the_root_is_the_flag_then_the_environment_then_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GAMEDYN_DATA", str(tmp_path))
    assert data_root("/flag") == Path("/flag")
    assert data_root() == tmp_path
    monkeypatch.delenv("GAMEDYN_DATA")
    assert data_root().name == "gamedyn"


def test_a_missing_set_is_one_line_with_folder_and_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(root: Path) -> Path:
        return download_cifar10(root, url=(tmp_path / "absent.tar.gz").as_uri())

    monkeypatch.setattr(cifar10_module, "download_cifar10", unreachable)
    with pytest.raises(FileNotFoundError) as caught:
        load_cifar10(tmp_path / "data")
    message = str(caught.value)
    assert str(tmp_path / "data") in message
    assert "https://" in message
    assert "\n" not in message
    assert list((tmp_path / "data").iterdir()) == []


def archive(path: Path, members: dict[str, bytes]) -> str:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("cifar-10-batches-py/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_download_is_checked_and_unpacked_at_once(tmp_path: Path) -> None:
    source = fake_cifar.write_pickles(tmp_path / "source")
    members = {f"cifar-10-batches-py/{path.name}": path.read_bytes() for path in source.iterdir()}
    members |= {"../escaped": b"x", "cifar-10-batches-py/../../escaped": b"x", "elsewhere": b"x"}
    packed = tmp_path / "packed.tar.gz"
    digest = archive(packed, {k: v for k, v in members.items() if ".." not in k})
    root = tmp_path / "data"
    download_cifar10(root, url=packed.as_uri(), sha256=digest)
    assert [path.name for path in root.iterdir()] == ["cifar-10-batches-py"]
    assert not (root / "cifar-10-batches-py" / "link").exists()
    assert len(load_cifar10(root, download=False)) == 5 * fake_cifar.PER_BATCH

    hostile = archive(packed, members)
    with pytest.raises((ValueError, OSError, tarfile.TarError)):
        download_cifar10(tmp_path / "other", url=packed.as_uri(), sha256=hostile)
    assert not (tmp_path / "escaped").exists()
    assert list((tmp_path / "other").iterdir()) == []


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path) -> None:
    packed = tmp_path / "packed.tar.gz"
    archive(packed, {"cifar-10-batches-py/data_batch_1": b"x"})
    with pytest.raises(ValueError, match="checksum"):
        download_cifar10(tmp_path / "data", url=packed.as_uri(), sha256="0" * 64)
    assert list((tmp_path / "data").iterdir()) == []


def test_digits_are_split_and_scaled() -> None:
    train, test = load_digits(), load_digits("test")
    assert (len(train), len(test), train.shape) == (1498, 299, (1, 8, 8))
    batch = train.batch(torch.arange(len(train)))
    assert (float(batch.min()), float(batch.max())) == (-1.0, 1.0)
    with pytest.raises(ValueError, match="'val'"):
        load_digits("val")


def test_an_epoch_visits_every_sample_once_and_the_state_continues_it() -> None:
    order = BatchOrder(10, batch_size=3, seed=1)
    epochs = [torch.cat([order.next() for _ in range(3)]) for _ in range(2)]
    assert all(len(set(epoch.tolist())) == 9 for epoch in epochs)
    assert not torch.equal(*epochs)

    state = order.state_dict()
    ahead = [order.next() for _ in range(7)]
    again = BatchOrder(10, batch_size=3, seed=99)
    again.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(ahead, (again.next() for _ in range(7)), strict=True))
    with pytest.raises(ValueError, match="10 samples"):
        BatchOrder(11, batch_size=3, seed=1).load_state_dict(state)


@pytest.mark.parametrize("batch_size", [0, 11])
def test_a_batch_must_fit_the_set(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"got {batch_size}"):
        BatchOrder(10, batch_size=batch_size, seed=0)


def test_points_continue_from_their_state() -> None:
    source = PointSource(GaussianMixture.ring().sample, batch_size=5, seed=3)
    source.next()
    state = source.state_dict()
    ahead = source.next()
    again = PointSource(GaussianMixture.ring().sample, batch_size=5, seed=4)
    again.load_state_dict(state)
    assert torch.equal(ahead, again.next())


@pytest.mark.parametrize(("dataset", "shape"), [("digits", (1, 8, 8)), ("ring", (2,)), ("grid", (2,))])
def test_settings_open_their_source(dataset: str, shape: tuple[int, ...]) -> None:
    config = resolve(TrainConfig(dataset=dataset))  # type: ignore[arg-type]
    source = open_source(config)
    assert source.shape == shape
    assert source.next().shape == (config.batch_size, *shape)


@pytest.mark.parametrize(("peak", "width"), [(255, 1 / 128), (16, 2 / 17)])
def test_dequantised_levels_spread_evenly_up_to_the_next(peak: int, width: float) -> None:
    levels = torch.tensor([0, 1, peak], dtype=torch.uint8).view(1, 1, 1, 3).expand(500, 4, 8, 3)
    images = ImageSet("levels", levels.contiguous(), peak=peak)
    source = ImageSource(images, batch_size=500, seed=0, dequantise=True)
    found = (source.next().double() + 1).flatten(0, 2) / width
    floor = torch.tensor([0.0, 1.0, peak], dtype=torch.float64)
    # Float32 near 1 resolves a hundred-thousandth of a level.
    assert bool((found >= floor - 1e-4).all() and (found <= floor + 1 + 1e-4).all())
    within = found - floor
    torch.testing.assert_close(within.mean(0), torch.full_like(floor, 0.5), atol=0.02, rtol=0)
    torch.testing.assert_close(within.var(0), torch.full_like(floor, 1 / 12), atol=0.005, rtol=0)
    state = source.state_dict()
    ahead = source.next()
    again = ImageSource(images, batch_size=500, seed=7, dequantise=True)
    again.load_state_dict(state)
    assert torch.equal(ahead, again.next())
    assert not torch.equal(ahead, source.next())


def test_users_bring_tensors_and_data_sets() -> None:
    floats = torch.linspace(-1, 1, 4 * 64).reshape(4, 1, 8, 8)
    for data in (floats, TensorDataset(floats), TensorDataset(floats, torch.arange(4))):
        source = ImageSource(image_set(data), batch_size=4, seed=0)
        error = source.next().flatten().sort().values - floats.flatten()
        assert float(error.abs().max()) <= 1 / 255 + 1e-6
    assert source.classes == 4
    assert sorted(source.labels.tolist()) == [0, 1, 2, 3]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="finite"):
        image_set(torch.full((1, 1, 8, 8), float("nan")))
    with pytest.raises(ValueError, match="uint8"):
        image_set(torch.zeros(4, 8, 8, dtype=torch.uint8))


@pytest.mark.data
@pytest.mark.skipif("GAMEDYN_DATA" not in os.environ, reason="needs CIFAR-10 under GAMEDYN_DATA")
def test_the_real_cifar10_is_read_whole() -> None:
    train, test = load_cifar10(download=False), load_cifar10(split="test", download=False)
    assert (len(train), len(test)) == (50_000, 10_000)
    mean = train.batch(torch.arange(0, 50_000, 50)).mean(dim=(0, 2, 3))
    # The known channel means of CIFAR-10, 0.4914, 0.4822 and 0.4465, on the scale from -1 to 1.
    assert mean.tolist() == pytest.approx([-0.017, -0.036, -0.107], abs=0.03)


def test_plain_containers_need_no_name(tmp_path: Path) -> None:
    path = tmp_path / "batches.meta"
    path.write_bytes(pickle.dumps({b"label_names": [b"cat"], b"num_vis": 3072}, protocol=2))
    assert load_arrays(path)["num_vis"] == 3072
