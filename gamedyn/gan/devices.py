"""Where the networks live."""

from __future__ import annotations

import torch


def open_device(name: str) -> torch.device:
    """Check that a device can be used.

    Args:
        name: Its name.

    Returns:
        The device.

    Raises:
        ValueError: If torch does not know it or cannot reach it.

    Example:
        >>> open_device("cpu")
        device(type='cpu')
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device
