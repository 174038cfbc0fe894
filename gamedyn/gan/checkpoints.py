"""Checkpoints that are whole or not there, and never run code when they are read.

A file is eight bytes of name and version, the SHA-256 of everything after it, and what `torch.save`
wrote. The checksum covers the whole payload: the CRCs of the zip format inside miss its headers.
Reading uses `weights_only=True`.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from gamedyn.atomic import write_atomically

MAGIC = b"gamedyn1"
DIGEST_BYTES = hashlib.sha256().digest_size
KEEP = 2
NAME = re.compile(r"checkpoint-(\d+)\.pt")


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write one checkpoint atomically.

    Args:
        path: The file.
        state: Tensors, numbers and text in dictionaries, lists and tuples.

    Raises:
        OSError: If the file cannot be written; an older file of that name is then intact.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    write_atomically(path, MAGIC, hashlib.sha256(payload).digest(), payload)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint.

    Args:
        path: The file.

    Returns:
        What was stored, its tensors on the CPU.

    Raises:
        ValueError: If the file is no checkpoint, or a single bit of it has changed.
        OSError: If the file cannot be read.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "checkpoint-7.pt")
        >>> write_checkpoint(file, {"step": 7})
        >>> read_checkpoint(file)
        {'step': 7}
    """
    content = path.read_bytes()
    start = len(MAGIC) + DIGEST_BYTES
    if content[: len(MAGIC)] != MAGIC:
        raise ValueError(f"{path} is no gamedyn checkpoint, or its first bytes are damaged")
    if hashlib.sha256(memoryview(content)[start:]).digest() != content[len(MAGIC) : start]:
        raise ValueError(f"{path} is damaged: its checksum is wrong")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickles, which are refused below
            state: dict[str, Any] = torch.load(
                io.BytesIO(content[start:]), map_location="cpu", weights_only=True
            )
    except pickle.UnpicklingError as error:
        # Torch's own words advise to load it all the same.
        raise ValueError(f"{path} holds more than tensors and numbers, maybe code: refused") from error
    except (RuntimeError, EOFError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        # A checksum that fits proves no good will: what a forged file raises is of its own kind.
        raise ValueError(f"{path} holds no state that torch can read: {repr(error)[:160]}") from error
    return state


def list_checkpoints(folder: Path) -> list[Path]:
    """List a run's checkpoints.

    Args:
        folder: The run's folder.

    Returns:
        The files, oldest step first.
    """
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def save_step(folder: Path, step: int, state: dict[str, Any], *, keep: int = KEEP) -> Path:
    """Write the checkpoint of a step and remove all but the newest.

    Args:
        folder: The run's folder.
        step: Steps done.
        state: What to store.
        keep: How many stay.

    Returns:
        The file.

    Raises:
        OSError: If the file cannot be written.
    """
    path = folder / f"checkpoint-{step:08d}.pt"
    write_checkpoint(path, state)
    for old in list_checkpoints(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def load_newest(folder: Path) -> dict[str, Any] | None:
    """Read the newest checkpoint that is whole.

    A damaged one is passed over with a warning, for the one before it.

    Args:
        folder: The run's folder.

    Returns:
        What was stored, or `None` if the run has no checkpoint yet.
    """
    found = find_newest(folder)
    return None if found is None else found[1]


def find_newest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Find the newest checkpoint that is whole, and read it.

    A damaged one is passed over with a warning, for the one before it.

    Args:
        folder: The run's folder.

    Returns:
        The file and what was stored, or `None` if the run has no checkpoint yet.

    Raises:
        ValueError: If there are checkpoints and every one is damaged.
    """
    paths = list_checkpoints(folder)
    for path in reversed(paths):
        try:
            return path, read_checkpoint(path)
        except ValueError as error:
            warnings.warn(f"{error}; trying the one before it", RuntimeWarning, stacklevel=2)
    if paths:
        raise ValueError(f"every checkpoint in {folder} is damaged: start again with another --out")
    return None
