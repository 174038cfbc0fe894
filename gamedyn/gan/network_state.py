"""What a forward pass may change in a network: kept, compared and put back."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import nn


class BufferValues:
    """The numbers in a network's buffers at one moment: running statistics, and where power iterations stand.

    Args:
        network: The network.

    Example:
        >>> norm = nn.BatchNorm1d(2)
        >>> before = BufferValues(norm)
        >>> _ = norm(torch.randn(8, 2))
        >>> before.are_still_there()
        False
        >>> before.restore()
        >>> norm.running_mean, int(norm.num_batches_tracked)
        (tensor([0., 0.]), 0)
    """

    def __init__(self, network: nn.Module) -> None:
        self._kept = [(buffer, buffer.clone()) for buffer in network.buffers()]

    def are_still_there(self) -> bool:
        """Whether nothing has changed since."""
        return all(torch.equal(buffer, values) for buffer, values in self._kept)

    def restore(self) -> None:
        """Put the numbers back."""
        for buffer, values in self._kept:
            buffer.data.copy_(values)  # by `.data`: a graph may hold it


class NetworkState:
    """All that a forward pass may change at one moment: the buffers, and the attributes of every module.

    A forward pass may count its calls or keep what it has computed. A tensor, list, set or dict is put back
    as the object that it was, with the content that it had.

    Args:
        network: The network.

    Example:
        >>> layer = nn.ReLU()
        >>> layer.seen = []
        >>> before = NetworkState(layer)
        >>> layer.seen.append(layer(torch.ones(2)))
        >>> layer.calls = 1
        >>> before.restore()
        >>> layer.seen, hasattr(layer, "calls")
        ([], False)
    """

    def __init__(self, network: nn.Module) -> None:
        self.buffers = BufferValues(network)
        self._attributes = [(module, dict(vars(module))) for module in network.modules()]
        self._containers = [
            (value, dict(value) if isinstance(value, dict) else list(value))
            for _, attributes in self._attributes
            for value in attributes.values()
            if isinstance(value, list | deque | set | dict)
        ]

    def restore(self) -> None:
        """Put everything back."""
        for module, attributes in self._attributes:
            vars(module).clear()
            vars(module).update(attributes)
        for container, content in self._containers:
            container.clear()
            add: Any = container.extend if isinstance(container, list | deque) else container.update
            add(content)
        self.buffers.restore()
