"""CIFAR-10 from any of the three forms in which users have it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gamedyn.gan.data.download import URL, download_cifar10
from gamedyn.gan.data.images import ImageSet
from gamedyn.gan.data.pickles import load_arrays
from gamedyn.gan.data.roots import data_root

PIXELS = 3 * 32 * 32
Bytes = npt.NDArray[np.uint8]


def load_cifar10(
    root: str | os.PathLike[str] | None = None, split: str = "train", *, download: bool = True
) -> ImageSet:
    """Load CIFAR-10's images.

    Looked for under the root, in this order: `cifar-10-batches-py/` (pickles, read with an allow-list
    of names), `cifar-10-batches-bin/` (3,073 bytes an image), `cifar10.npz` (arrays `x_train` and
    `x_test`, uint8, channels first or last or flat). If none is there the Python version is fetched.

    Args:
        root: The folder that holds one of them; see `data_root` for the default.
        split: `train` (50,000 images) or `test` (10,000).
        download: Whether a missing set may be fetched.

    Returns:
        Images of shape `(3, 32, 32)`.

    Raises:
        FileNotFoundError: If the set is missing and could not be fetched.
        ValueError: If the split is unknown, or a file is damaged (the message names it).
    """
    if split not in {"train", "test"}:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    folder = data_root(root)
    if find_cifar10(folder) is None:
        reason = "no download was asked for"
        if download:
            try:
                download_cifar10(folder)
            except OSError as error:
                reason = f"the download failed: {error}"
        if find_cifar10(folder) is None:
            raise FileNotFoundError(
                f"no CIFAR-10 in {folder} ({reason}); unpack {URL} there, or name the folder "
                "with --data-root or GAMEDYN_DATA"
            )
    found = find_cifar10(folder)
    if found is None:
        raise FileNotFoundError(f"CIFAR-10 vanished from {folder} while it was read")
    if found.suffix == ".npz":
        flat = read_npz(found, f"x_{split}")
    elif found.name.endswith("-bin"):
        flat = np.concatenate([read_binary(found / f"{name}.bin") for name in batch_names(split)])
    else:
        flat = np.concatenate([read_pickle(found / name) for name in batch_names(split)])
    return ImageSet(f"CIFAR-10 ({split})", torch.from_numpy(flat.reshape(-1, 3, 32, 32)))


def find_cifar10(root: Path) -> Path | None:
    """Say which form of CIFAR-10 a folder holds, if any.

    Args:
        root: The folder to look in.

    Returns:
        The folder of batches or the `.npz` file; `None` if there is none.
    """
    for name in ("cifar-10-batches-py", "cifar-10-batches-bin", "cifar10.npz"):
        path = root / name
        if path.is_dir() or (path.suffix == ".npz" and path.is_file()):
            return path
    return None


def batch_names(split: str) -> list[str]:
    """Name the batch files of a split.

    Args:
        split: `train` or `test`.

    Returns:
        Their names, without a suffix.

    Example:
        >>> batch_names("test")
        ['test_batch']
    """
    return ["test_batch"] if split == "test" else [f"data_batch_{number}" for number in range(1, 6)]


def read_pickle(path: Path) -> Bytes:
    """Read one batch of the Python version.

    Args:
        path: The file.

    Returns:
        Shape `(n, 3072)`: 1,024 red, green and blue bytes an image.

    Raises:
        ValueError: If the file is damaged or asks for anything but arrays.
    """
    data = load_arrays(path).get("data")
    if (
        not isinstance(data, np.ndarray)
        or data.dtype != np.uint8
        or data.ndim != 2
        or data.shape[1] != PIXELS
    ):
        what = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise ValueError(f"{path} is not a CIFAR-10 batch: its data is {what}, expected uint8 (n, {PIXELS})")
    return np.ascontiguousarray(data)


def read_binary(path: Path) -> Bytes:
    """Read one batch of the binary version.

    Args:
        path: The file: for every image a label byte and 3,072 pixel bytes.

    Returns:
        Shape `(n, 3072)`.

    Raises:
        ValueError: If the file does not hold a whole number of images, or a label exceeds 9.
    """
    content = np.fromfile(path, dtype=np.uint8)
    if content.size == 0 or content.size % (PIXELS + 1):
        raise ValueError(
            f"{path} is truncated or no CIFAR-10 batch: {content.size} bytes are no whole number of images "
            f"of {PIXELS + 1} bytes"
        )
    records = content.reshape(-1, PIXELS + 1)
    if records[:, 0].max() > 9:
        raise ValueError(f"{path} is not a CIFAR-10 batch: it has a label {records[:, 0].max()}, above 9")
    return np.ascontiguousarray(records[:, 1:])


def read_npz(path: Path, key: str) -> Bytes:
    """Read one array of images from a `.npz` file, refusing pickled objects.

    Args:
        path: The file.
        key: The array's name.

    Returns:
        Shape `(n, 3072)`, channels first.

    Raises:
        ValueError: If the file is damaged, lacks the array, or holds something else under its name.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = archive[key]
    except KeyError as error:
        raise ValueError(f"{path} holds no array {key!r}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path} is not a readable .npz file: {error}") from error
    shapes = {(32, 32, 3), (3, 32, 32), (PIXELS,)}
    if data.dtype != np.uint8 or len(data) == 0 or data.shape[1:] not in shapes:
        raise ValueError(
            f"{path}: {key} is {data.dtype} {data.shape}, expected uint8 (n, 32, 32, 3), (n, 3, 32, 32) "
            f"or (n, {PIXELS})"
        )
    if data.shape[1:] == (32, 32, 3):
        data = data.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(data).reshape(len(data), PIXELS)
