"""A two-player game at one point, to the order that a competitive step needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from gamedyn.solvers.general_sum import GeneralSumSystem
from gamedyn.solvers.mixed_hessian import MixedHessian, Product, ScaledCoupling
from gamedyn.solvers.vectors import Scaling, Vector, scaled
from gamedyn.solvers.zero_sum import ZeroSumSystem

Reduce: TypeAlias = Callable[[Vector], Vector]
"""Combines a vector across processes; the identity on one process."""


@dataclass(frozen=True)
class Linearisation:
    """Losses, gradients and mixed second derivatives of a game `(f, g)` at one point.

    In a zero-sum game `g` is `f` itself, which player 1 ascends.

    Args:
        losses: The detached scalar of a zero-sum game, or the pair `(f, g)`.
        gradient_x: `∇ₓf`, detached.
        gradient_y: `∇_y g` (zero-sum: `∇_y f`), detached.
        forward: `q ↦ D_yx g · q` (zero-sum: `D_yx f · q`), from player 0's space to player 1's.
        backward: `r ↦ D_xy f · r`, from player 1's space to player 0's.
    """

    losses: Tensor | tuple[Tensor, ...]
    gradient_x: Vector
    gradient_y: Vector
    forward: Product
    backward: Product

    def reduced(self, reduce: Reduce) -> "Linearisation":
        """Return the linearisation with its gradients and halves of products combined across processes."""
        forward, backward = self.forward, self.backward
        return Linearisation(
            self.losses,
            reduce(self.gradient_x),
            reduce(self.gradient_y),
            lambda vector: reduce(forward(vector)),
            lambda vector: reduce(backward(vector)),
        )

    def system(self, scale_x: Scaling, scale_y: Scaling) -> ZeroSumSystem | GeneralSumSystem:
        """Return the linear system of a step in the players' metrics `S = √η`."""
        a, c = scaled(self.gradient_x, scale_x), scaled(self.gradient_y, scale_y)
        if isinstance(self.losses, Tensor):
            return ZeroSumSystem(
                ScaledCoupling(MixedHessian(self.forward, self.backward), scale_x, scale_y), a, c
            )
        return GeneralSumSystem(
            lambda vector: scaled(self.forward(scaled(vector, scale_x)), scale_y),
            lambda vector: scaled(self.backward(scaled(vector, scale_y)), scale_x),
            a,
            c,
        )
