"""What can be differentiated once and not twice, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import Node

# All functions under this decorator share the code of its wrapper.
_ONCE = once_differentiable(lambda ctx: None).__code__


def refuse_once_differentiable(
    *values: Tensor, players: tuple[Sequence[Tensor], Sequence[Tensor]] | None = None
) -> None:
    """Refuse to differentiate twice what a `@once_differentiable` function lies behind.

    The derivative of such a function carries no graph, or one that is cut off by a node that would raise.
    Autograd never reaches that node when it looks for another player's parameters, and takes the mixed
    derivatives through the function for zero without a word.

    Args:
        values: What is to be differentiated twice, with its graph; for derivatives between players, their
            gradients as well, whose graphs end where such a function was gone through.
        players: The players' parameters where only derivatives between them count: a function of one
            player's alone, as in a penalty, loses none.

    Raises:
        RuntimeError: If there is such a function in the graph.

    Example:
        >>> import torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> refuse_once_differentiable((x * x).sum())
    """
    if players is not None and not all(players):
        return
    nodes = _nodes(value.grad_fn for value in values)
    found = [node for node in nodes if _is_marked(type(node))]
    marked = {_function(type(node)).__name__ for node in found}
    # an `Error` is where a derivative has been through one, also inside the loss, as of a gradient penalty
    gone_through = any(type(node).__name__ == "Error" for node in nodes)
    if gone_through or any(players is None or _meet(node, players) for node in found):
        raise RuntimeError(
            f"the backward of {' and '.join(sorted(marked)) or 'an autograd function'} is marked "
            "@once_differentiable, so the mixed derivatives through it would be zeros: use SimGD or AltGD, "
            "or write its backward differentiably and without the mark"
        )


def _meet(node: Node, players: Iterable[Sequence[Tensor]]) -> bool:
    """Say whether a node's inputs depend on parameters of every player."""
    leaves = {id(getattr(each, "variable", None)) for each in _nodes([node])}
    return all(any(id(parameter) in leaves for parameter in player) for player in players)


def _nodes(ends: Iterable[Node | None]) -> set[Node]:
    """Return all nodes of the graph behind some of them."""
    stack = [node for node in ends if node is not None]
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
