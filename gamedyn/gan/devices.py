"""Where the networks live."""

from __future__ import annotations

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
    try:
        device = torch.device(name)
        if device.type not in KINDS:
            raise ValueError(f"device must be cpu, cuda or mps, with an index or without, got {name!r}")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device
