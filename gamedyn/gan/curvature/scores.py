"""Derivatives of a loss in the scores, sample by sample."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gamedyn.solvers import refuse_once_differentiable


def derivatives(
    loss: Callable[[Tensor], Tensor], scores: Tensor, *, piecewise_linear: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Differentiate a loss, into which every score enters by itself, twice in each score.

    Args:
        loss: The loss of the scores.
        scores: The scores.
        piecewise_linear: Whether the second derivatives are known to vanish.

    Returns:
        The first and the second derivatives; None for second ones that vanish.
    """
    with torch.enable_grad():
        leaf = scores.detach().clone().requires_grad_(True)
        value = loss(leaf)
        if not piecewise_linear:
            refuse_once_differentiable(value)
        (first,) = torch.autograd.grad(value, leaf, create_graph=not piecewise_linear)
        if not first.requires_grad:
            return first.detach(), None
        (second,) = torch.autograd.grad(first.sum(), leaf)
    return first.detach(), second


def mixed_derivatives(loss: Callable[[Tensor, Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Differentiate a loss of pairs in both scores of each pair.

    Args:
        loss: The loss of real and fake scores, the i-th of which meet each other and no other.
        real: Scores of real samples.
        fake: Scores of generated ones.

    Returns:
        `∂²F/∂rᵢ∂fᵢ`, of the scores' shape.

    Example:
        >>> mixed_derivatives(lambda r, f: (r * f * f).sum(), torch.ones(2), torch.tensor([1.0, 3.0]))
        tensor([2., 6.])
    """
    with torch.enable_grad():
        r, f = (scores.detach().clone().requires_grad_(True) for scores in (real, fake))
        value = loss(r, f)
        refuse_once_differentiable(value)
        (first,) = torch.autograd.grad(value, f, create_graph=True)
        (mixed,) = torch.autograd.grad(first.sum(), r, allow_unused=True, materialize_grads=True)
    return mixed
