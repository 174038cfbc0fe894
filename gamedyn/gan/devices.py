"""Where the networks live."""

from __future__ import annotations

from typing import Annotated

import torch

KINDS = frozenset({"cpu", "cuda", "mps"})
"""Kinds of devices that hold and compute numbers; torch knows others, some of which do neither."""


def open_device(name: str) -> torch.device:
    """Check that a device can be used.

    Args:
        name: Its name.

    Returns:
        The device.

    Raises:
        ValueError: If it is none of the kinds that runs know, or torch cannot reach it.

    Example:
        >>> open_device("cpu")
        device(type='cpu')
    """
    if name.partition(":")[0] not in KINDS:
        raise ValueError(f"device must be cpu, cuda or mps, with an index or without, got {name!r}")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device


def check_device(flag: str, name: str) -> None:
    """Refuse the flag of a device that cannot be used.

    Args:
        flag: The flag.
        name: Its value.

    Raises:
        ValueError: If there is no such device.
    """
    try:
        open_device(name)
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from error


Device = Annotated[str, check_device]
"""The type of a script's flag."""
