"""What can be differentiated once and not twice, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import Node

# All functions under this decorator share the code of its wrapper.
_ONCE = once_differentiable(lambda ctx: None).__code__


def refuse_once_differentiable(*values: Tensor) -> None:
    """Refuse to differentiate twice what a `@once_differentiable` function lies behind.

    The derivative of such a function carries no graph, or one that is cut off by a node that would raise.
    Autograd never reaches that node when it looks for another player's parameters, and takes the mixed
    derivatives through the function for zero without a word.

    Args:
        values: What is to be differentiated twice, with its graph.

    Raises:
        RuntimeError: If there is such a function in the graph.

    Example:
        >>> import torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> refuse_once_differentiable((x * x).sum())
    """
    kinds = {type(node) for node in _nodes(values)}
    marked = {_function(kind).__name__ for kind in kinds if _is_marked(kind)}
    # an `Error` is where a derivative inside the loss, as of a gradient penalty, has been through one
    if marked or any(kind.__name__ == "Error" for kind in kinds):
        raise RuntimeError(
            f"the backward of {' and '.join(sorted(marked)) or 'an autograd function'} is marked "
            "@once_differentiable, so the mixed derivatives through it would be zeros: use SimGD or AltGD, "
            "or write its backward differentiably and without the mark"
        )


def _nodes(values: Iterable[Tensor]) -> set[Node]:
    """Return all nodes of a graph."""
    stack = [value.grad_fn for value in values if value.grad_fn is not None]
    nodes = set(stack)
    while stack:
        for node, _ in stack.pop().next_functions:
            if node is not None and node not in nodes:
                nodes.add(node)
                stack.append(node)
    return nodes


def _is_marked(kind: type[Node]) -> bool:
    backward = getattr(_function(kind), "backward", None)
    return getattr(backward, "__code__", None) is _ONCE


def _function(kind: type[Node]) -> type:
    """Return the `torch.autograd.Function` that nodes belong to; torch's own are their own."""
    function: type = getattr(kind, "_forward_cls", kind)
    return function
