"""What a symbolic trace takes for one operation, sees of augmented assignment, and leaves behind."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from gamedyn.gan.curvature.rule import UnsupportedError
from gamedyn.gan.models.activations import Gated as GatedLayer


class Proxy(fx.Proxy):
    """A value of a trace, on which augmented assignment is an operation of its own.

    On fx's own, `h += a` is recorded as `h + a`, so that an older name of `h` would keep the old value.
    """

    def __iadd__(self, other: Any) -> fx.Proxy:
        return self._in_place(operator.iadd, other)

    def __isub__(self, other: Any) -> fx.Proxy:
        return self._in_place(operator.isub, other)

    def __imul__(self, other: Any) -> fx.Proxy:
        return self._in_place(operator.imul, other)

    def __itruediv__(self, other: Any) -> fx.Proxy:
        return self._in_place(operator.itruediv, other)

    def _in_place(self, operation: Callable[..., Any], other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operation, (self, other), {})


class Tracer(fx.Tracer):
    """Trace down to torch's own layers, and to ours that have a rule."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return the value that a node stands for."""
        return Proxy(node, self)

    def create_node(self, kind: str, *args: Any, **kwargs: Any) -> fx.Node:
        """Record an operation, unless a context that the trace does not show changes what it does.

        Args:
            kind: Of operation.
            args: What it is.
            kwargs: The rest of it.

        Returns:
            The node.

        Raises:
            UnsupportedError: Inside `no_grad`, `inference_mode` or `autocast`.
        """
        if not torch.is_grad_enabled() or torch.is_inference_mode_enabled() or _is_autocast():
            raise UnsupportedError("its forward pass enters a context that a trace does not show")
        return super().create_node(kind, *args, **kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a layer is not traced into.

        Args:
            m: The layer.
            module_qualified_name: Its name.

        Returns:
            Whether it has, or will be refused, a rule of its own.
        """
        return type(m) is GatedLayer or super().is_leaf_module(m, module_qualified_name)


def holds_proxy(value: Any) -> bool:
    """Whether a value is one of a trace, or a container with one.

    Args:
        value: The value.

    Returns:
        Whether something of the trace would stay behind in it.
    """
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set | deque):
        return any(map(holds_proxy, value))
    return isinstance(value, fx.Proxy)


def _is_autocast() -> bool:
    return any(torch.is_autocast_enabled(device) for device in ("cpu", "cuda"))
