"""Random images in the three forms in which CIFAR-10 is distributed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

PER_BATCH = 7


def images(seed: int, count: int = PER_BATCH) -> np.ndarray:
    """Random bytes, shape `(count, 3072)`."""
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def batches(count: int = PER_BATCH) -> dict[str, np.ndarray]:
    """The six batches by name."""
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    return {name: images(seed, count) for seed, name in enumerate(names)}


def labels(count: int = PER_BATCH) -> list[int]:
    """The classes of every batch, from 9 down."""
    return [9 - index % 10 for index in range(count)]


def write_pickles(root: Path, protocol: int = 2, count: int = PER_BATCH) -> Path:
    """Write `cifar-10-batches-py`."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, data in batches(count).items():
        content = {b"data": data, b"labels": labels(len(data)), b"batch_label": name.encode()}
        (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
    return folder


def write_binaries(root: Path) -> Path:
    """Write `cifar-10-batches-bin`."""
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, data in batches().items():
        first = np.array(labels(len(data)), dtype=np.uint8)[:, None]
        (folder / f"{name}.bin").write_bytes(np.hstack([first, data]).tobytes())
    return folder


def write_npz(root: Path, layout: str = "last") -> Path:
    """Write `cifar10.npz`, channels first or last or flat."""
    every = batches()
    arrays = {"x_test": every.pop("test_batch"), "x_train": np.concatenate(list(every.values()))}
    if layout != "flat":
        arrays = {name: data.reshape(-1, 3, 32, 32) for name, data in arrays.items()}
    if layout == "last":
        arrays = {name: data.transpose(0, 2, 3, 1) for name, data in arrays.items()}
    arrays |= {f"y{name[1:]}": np.resize(labels(), (len(data), 1)) for name, data in arrays.items()}
    root.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(root / "cifar10.npz", **arrays)
    return root / "cifar10.npz"
