"""Where torch's generators stand: kept, compared and returned to, to draw the same numbers again."""

from __future__ import annotations

import torch


class GeneratorStates:
    """The states of torch's global generators that computations on a device draw from.

    Args:
        device: The device: beside the CPU's generator that of a CUDA device counts.

    Example:
        >>> before = GeneratorStates(torch.device("cpu"))
        >>> first = torch.rand(2)
        >>> before.restore()
        >>> bool((torch.rand(2) == first).all())
        True
    """

    def __init__(self, device: torch.device) -> None:
        self.devices = [device] if device.type == "cuda" else []
        self._states = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self.devices)]

    def restore(self) -> None:
        """Have the generators go on from here once more."""
        torch.set_rng_state(self._states[0])
        for device, state in zip(self.devices, self._states[1:], strict=True):
            torch.cuda.set_rng_state(state, device)

    def same_as(self, other: GeneratorStates) -> bool:
        """Say whether nothing was drawn between two moments.

        Args:
            other: The states at the other moment, of the same device.

        Returns:
            Whether they are equal.
        """
        return all(map(torch.equal, self._states, other._states))
