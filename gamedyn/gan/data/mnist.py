"""MNIST from the four IDX files in which it is distributed."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from gamedyn.gan.data.download import fetch
from gamedyn.gan.data.images import ImageSet
from gamedyn.gan.data.roots import data_root

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FOLDERS = ("mnist", "MNIST/raw")
"""Where the files are looked for: our own folder, then torchvision's."""
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Checksums of the uncompressed files: how they were compressed does not matter."""
SIZE = 28
CLASSES = 10
LARGEST = 1 << 28
"""Bytes that no IDX file of ours exceeds."""
Bytes = npt.NDArray[np.uint8]


def load_mnist(
    root: str | os.PathLike[str] | None = None, split: str = "train", *, download: bool = True
) -> ImageSet:
    """Load MNIST's images and labels.

    Looked for under the root in `mnist/`, then in `MNIST/raw/`, compressed (`-ubyte.gz`) or not. A missing
    set is fetched into `mnist/`.

    Args:
        root: The folder that holds one of them; see `data_root` for the default.
        split: `train` (60,000 images) or `test` (10,000).
        download: Whether a missing set may be fetched.

    Returns:
        Images of shape `(1, 28, 28)`, labelled 0 to 9.

    Raises:
        FileNotFoundError: If the set is missing and could not be fetched.
        ValueError: If the split is unknown, or a file is damaged (the message names it).

    References:
        LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998.
    """
    if split not in {"train", "test"}:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    folder = data_root(root)
    stem = "train" if split == "train" else "t10k"
    names = f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"
    found = find_files(folder, names)
    if found is None:
        reason = "no download was asked for"
        if download:
            try:
                download_mnist(folder)
            except OSError as error:
                reason = f"the download failed: {error}"
        found = find_files(folder, names)
    if found is None:
        raise FileNotFoundError(
            f"no MNIST in {folder} ({reason}); put the four files of {URL} into {folder / FOLDERS[0]}, "
            "or name the folder with --data-root or GAMEDYN_DATA"
        )
    images, labels = read_idx(found[0], axes=3), read_idx(found[1], axes=1)
    if images.shape[1:] != (SIZE, SIZE):
        raise ValueError(f"{found[0]} holds images of {images.shape[1]}x{images.shape[2]}, expected 28x28")
    if len(labels) != len(images):
        raise ValueError(f"{found[1]} holds {len(labels)} labels for {len(images)} images")
    if labels.max() >= CLASSES:
        raise ValueError(f"{found[1]} holds a label {labels.max()}, outside 0 to {CLASSES - 1}")
    pixels, classes = torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64))
    return ImageSet(f"MNIST ({split})", pixels, labels=classes, classes=CLASSES)


def find_files(root: Path, names: tuple[str, ...]) -> list[Path] | None:
    """Find files that belong together.

    Args:
        root: The data root.
        names: The files' names without `.gz`.

    Returns:
        Their paths, all from one folder; `None` if no folder has them all.
    """
    for place in FOLDERS:
        found = [
            next(
                (path for path in (root / place / f"{name}.gz", root / place / name) if path.is_file()), None
            )
            for name in names
        ]
        if None not in found:
            return cast("list[Path]", found)
    return None


def read_idx(path: Path, *, axes: int) -> Bytes:
    """Read an IDX file of bytes.

    Two zero bytes, the type (8: unsigned byte), the number of axes, the axes' sizes as big-endian 32-bit
    numbers, then the values.

    Args:
        path: The file; one that ends in `.gz` is uncompressed on the way, as far as its header promises.
        axes: How many axes it must have.

    Returns:
        The values.

    Raises:
        ValueError: If it is no such file, or holds fewer or more values than it says.
    """
    opener: Any = gzip.open if path.suffix == ".gz" else open  # their common type has no short name
    try:
        with opener(path, "rb") as file:
            header: bytes = file.read(4 + 4 * axes)
            if len(header) != 4 + 4 * axes or header[:4] != bytes((0, 0, 8, axes)):
                raise ValueError(
                    f"{path} is not an IDX file of bytes with {axes} axes: it begins with "
                    f"{header[:4].hex() or 'nothing'}, expected {bytes((0, 0, 8, axes)).hex()}"
                )
            shape = tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))
            count = math.prod(shape)
            if not 0 < count <= LARGEST:
                raise ValueError(f"{path} says that its shape is {shape}, which is no data set")
            values: bytes = file.read(count + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if len(values) != count:
        problem = "more" if len(values) > count else f"only {len(values)}"
        raise ValueError(f"{path} is damaged: it holds {problem} of the {count} values of its shape {shape}")
    return np.frombuffer(bytearray(values), np.uint8).reshape(shape)


def download_mnist(root: Path, *, url: str = URL) -> Path:
    """Fetch the four files; none appears under its name before all were found right.

    Args:
        root: The folder to put `mnist` in; made if missing.
        url: The folder they are in.

    Returns:
        The folder with the files.

    Raises:
        OSError: If a file cannot be fetched or written.
        ValueError: If a file's uncompressed content has the wrong checksum.
    """
    target = root / FOLDERS[0]
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".mnist-", dir=root) as scratch:
        for name, expected in SHA256.items():
            path = Path(scratch, f"{name}.gz")
            fetch(f"{url}{name}.gz", path, label=f"MNIST {name}")
            found = uncompressed_sha256(path)
            if found != expected:
                raise ValueError(
                    f"{url}{name}.gz has the wrong checksum: sha256 {found}, expected {expected}"
                )
        target.mkdir(parents=True, exist_ok=True)
        for name in SHA256:
            os.replace(Path(scratch, f"{name}.gz"), target / f"{name}.gz")
    return target


def uncompressed_sha256(path: Path) -> str:
    """Give the checksum of what a compressed file holds.

    Args:
        path: A `.gz` file.

    Returns:
        SHA-256 in hexadecimal; of the first 256 MB at most.

    Raises:
        ValueError: If it is not compressed so, or is damaged.
    """
    try:
        with gzip.open(path) as file:
            return hashlib.sha256(file.read(LARGEST)).hexdigest()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
