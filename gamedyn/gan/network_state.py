"""What a forward pass may change in a network: kept, compared and put back."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn


class BufferValues:
    """The numbers in a network's buffers at one moment: running statistics, and where power iterations stand.

    A forward pass may write into a buffer or assign another tensor to its name; either is noticed and undone.

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
        # scripted modules hold theirs elsewhere, and nothing can be assigned to a name there
        names = (module._buffers for module in network.modules() if isinstance(module._buffers, dict))
        self._names = [(each, dict(each)) for each in names]
        self._values = [(buffer, buffer.clone()) for buffer in network.buffers()]

    def are_still_there(self) -> bool:
        """Whether nothing has changed since."""
        return all(same_objects(now, before) for now, before in self._names) and all(
            torch.equal(dense(buffer), dense(values)) for buffer, values in self._values
        )

    def restore(self) -> None:
        """Put the buffers back, and their numbers."""
        for now, before in self._names:
            if not same_objects(now, before):
                now.clear()
                now.update(before)
        for buffer, values in self._values:
            if is_writable(buffer):
                buffer.data.copy_(values)  # by `.data`: a graph may hold it


def dense(buffer: Tensor) -> Tensor:
    """Return a buffer as what can be compared."""
    return buffer if buffer.layout is torch.strided else buffer.to_dense()


def is_writable(buffer: Tensor) -> bool:
    """Say whether no two entries share their memory, as they do where a buffer was expanded."""
    if buffer.layout is not torch.strided:
        return True
    return not any(step == 0 < size - 1 for step, size in zip(buffer.stride(), buffer.shape, strict=True))


def same_objects(now: Collection[Any], before: Collection[Any]) -> bool:
    """Say whether a container holds the objects that it held, in their order.

    Args:
        now: A list, deque, set or dict.
        before: A copy of its content.

    Returns:
        Whether nothing was added, taken away or replaced.

    Example:
        >>> same_objects({"a": None}, {"a": None}), same_objects([1], [1, 2])
        (True, False)
    """
    if len(now) != len(before):
        return False
    if isinstance(now, dict) and isinstance(before, dict):
        return all(key in now and now[key] is value for key, value in before.items())
    return all(one is other for one, other in zip(now, before, strict=True))


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
            if not same_objects(container, content):
                # by the built-in type's own ways: a subclass may refuse to be changed
                kind: Any = next(kind for kind in (dict, list, deque, set) if isinstance(container, kind))
                kind.clear(container)
                (kind.extend if kind in (list, deque) else kind.update)(container, content)
        self.buffers.restore()
