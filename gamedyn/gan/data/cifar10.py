"""CIFAR-10 from any of the three forms in which users have it."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gamedyn.gan.data.download import URL, download_cifar10
from gamedyn.gan.data.images import ImageSet
from gamedyn.gan.data.pickles import load_arrays
from gamedyn.gan.data.roots import data_root

PIXELS = 3 * 32 * 32
CLASSES = 10
Bytes = npt.NDArray[np.uint8]
Batch = tuple[Bytes, npt.NDArray[np.int64] | None]
"""Images, shape `(n, 3072)`: 1,024 red, green and blue bytes each; their classes, where the file has them."""


def load_cifar10(
    root: str | os.PathLike[str] | None = None, split: str = "train", *, download: bool = True
) -> ImageSet:
    """Load CIFAR-10's images.

    Looked for under the root, in this order: `cifar-10-batches-py/` (pickles, read with an allow-list
    of names), `cifar-10-batches-bin/` (3,073 bytes an image), `cifar10.npz` (arrays `x_train` and
    `x_test`, uint8, channels first or last or flat; `y_train` and `y_test`, where there are classes). If none
    is there the Python version is fetched.

    Args:
        root: The folder that holds one of them; see `data_root` for the default.
        split: `train` (50,000 images) or `test` (10,000).
        download: Whether a missing set may be fetched.

    Returns:
        Images of shape `(3, 32, 32)`, with their ten classes unless a file lacks them.

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
        batches = [read_npz(found, split)]
    elif found.name.endswith("-bin"):
        batches = [read_binary(found / f"{name}.bin") for name in batch_names(split)]
    else:
        batches = [read_pickle(found / name) for name in batch_names(split)]
    pixels = np.concatenate([batch[0] for batch in batches]).reshape(-1, 3, 32, 32)
    classes = [batch[1] for batch in batches if batch[1] is not None]
    images = ImageSet(f"CIFAR-10 ({split})", torch.from_numpy(pixels))
    if len(classes) < len(batches):
        return images
    return replace(images, labels=torch.from_numpy(np.concatenate(classes)), classes=CLASSES)


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


def read_pickle(path: Path) -> Batch:
    """Read one batch of the Python version.

    Args:
        path: The file.

    Returns:
        Images and classes.

    Raises:
        ValueError: If the file is damaged or asks for anything but arrays.
    """
    content = load_arrays(path)
    data = content.get("data")
    if (
        not isinstance(data, np.ndarray)
        or data.dtype != np.uint8
        or data.ndim != 2
        or data.shape[1] != PIXELS
    ):
        what = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise ValueError(f"{path} is not a CIFAR-10 batch: its data is {what}, expected uint8 (n, {PIXELS})")
    return np.ascontiguousarray(data), checked_labels(content.get("labels"), len(data), path)


def read_binary(path: Path) -> Batch:
    """Read one batch of the binary version.

    Args:
        path: The file: for every image a label byte and 3,072 pixel bytes.

    Returns:
        Images and classes.

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
    return np.ascontiguousarray(records[:, 1:]), checked_labels(records[:, 0], len(records), path)


def read_npz(path: Path, split: str) -> Batch:
    """Read one split from a `.npz` file, refusing pickled objects.

    Args:
        path: The file.
        split: `train` or `test`.

    Returns:
        Images, channels first, and classes if the file has them.

    Raises:
        ValueError: If the file is damaged, lacks the array, or holds something else under its name.
    """
    key = f"x_{split}"
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = archive[key]
            labels = archive.get(f"y_{split}")
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
    return np.ascontiguousarray(data).reshape(len(data), PIXELS), checked_labels(labels, len(data), path)


def checked_labels(labels: object, count: int, path: Path) -> npt.NDArray[np.int64] | None:
    """Check the classes of a batch.

    Args:
        labels: What the file holds under that name; `None` if it holds nothing.
        count: Number of images.
        path: The file, for messages.

    Returns:
        The classes, shape `(count,)`; `None` if there are none.

    Raises:
        ValueError: If they are not one whole number from 0 to 9 for each image.

    Example:
        >>> checked_labels([1, 9], 2, Path("data_batch_1"))
        array([1, 9])
    """
    if labels is None:
        return None
    try:
        array = np.asarray(labels).reshape(-1)
    except ValueError as error:
        raise ValueError(f"{path} is not a CIFAR-10 batch: its labels are no list of numbers") from error
    if array.dtype.kind not in "iu" or len(array) != count:
        raise ValueError(
            f"{path} is not a CIFAR-10 batch: its labels are {array.dtype} {array.shape}, expected {count} "
            "whole numbers"
        )
    for label in (array.min(), array.max()):
        if not 0 <= label < CLASSES:
            raise ValueError(
                f"{path} is not a CIFAR-10 batch: it has a label {label}, outside 0 to {CLASSES - 1}"
            )
    return array.astype(np.int64)
