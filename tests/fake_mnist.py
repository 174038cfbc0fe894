"""Random digits in the form in which MNIST is distributed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

COUNTS = {"train": 40, "t10k": 12}


def idx(values: np.ndarray) -> bytes:
    """Bytes in the IDX form."""
    return bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes() + values.tobytes()


def contents() -> dict[str, np.ndarray]:
    """What each file holds, by its name without `.gz`."""
    random = np.random.default_rng(0)
    files = {}
    for stem, count in COUNTS.items():
        files[f"{stem}-images-idx3-ubyte"] = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        files[f"{stem}-labels-idx1-ubyte"] = np.arange(count, dtype=np.uint8) % 10
    return files


def write(folder: Path, *, compressed: bool = True) -> Path:
    """Write the four files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in contents().items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(values)))
        else:
            (folder / name).write_bytes(idx(values))
    return folder
