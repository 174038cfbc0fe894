"""Which operations in place a trace may show as if they made a value of their own."""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Mapping
from typing import Any

import torch
from torch import fx, nn

from gamedyn.gan.curvature.rule import UnsupportedError

IN_PLACE: dict[Any, Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    "add_": operator.add,
}
"""Operations that overwrite their first argument, and those that compute the same elsewhere."""

_FRESH_LAYERS = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.Tanh, nn.Sigmoid, nn.Softplus),
)
_FRESH_CALLS: set[Any] = {
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.neg),
    *(torch.tanh, torch.sigmoid, torch.clone, "tanh", "sigmoid", "clone"),
}
_SIZES: set[Any] = {getattr, "size", "dim"}  # of which a tape knows numbers alone


def refuse_overwriting(node: fx.Node, modules: Mapping[str, nn.Module], earlier: Container[fx.Node]) -> None:
    """Refuse an operation in place where a value that it changes is the network's input or is read later.

    The tape keeps every value as it was, and so shows a later reader the wrong one; earlier readers are
    served.

    Args:
        node: The operation, of which the first input is overwritten.
        modules: The modules that the trace names.
        earlier: The nodes before it.

    Raises:
        UnsupportedError: If it is.
    """
    changed: set[fx.Node] = set()
    waiting = [node.all_input_nodes[0]]
    while waiting:  # the value, what it may be a view of, and what may be a view of that
        value = waiting.pop()
        if value in changed:
            continue
        changed.add(value)
        readers = [user for user in value.users if user is not node and user.target not in _SIZES]
        if value.op == "placeholder" or any(reader not in earlier for reader in readers):
            raise UnsupportedError("a layer that overwrites a value which is used elsewhere")
        if not _is_fresh(value, modules):
            waiting += value.all_input_nodes[:1]
        waiting += [
            reader
            for reader in readers
            if reader.all_input_nodes[0] is value and not _is_fresh(reader, modules)
        ]


def _is_fresh(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    """Whether a node surely makes a tensor of its own."""
    if node.op == "call_module":
        return isinstance(modules.get(str(node.target)), _FRESH_LAYERS)
    return node.target in _FRESH_CALLS
