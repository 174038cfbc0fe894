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
        relaxed: The same two maps, cheaper and less accurate (`mixed_hessian.RELAXED_ERROR` relative, as in
            bfloat16), on vectors of the same dtypes. The torch engine then takes most products from them, and
            judges what a solve ends with by the exact ones; the other engines use the exact ones only.
        unreached: Players whose own loss depends on none of their parameters, as far as that is known.
    """

    losses: Tensor | tuple[Tensor, ...]
    gradient_x: Vector
    gradient_y: Vector
    forward: Product
    backward: Product
    relaxed: tuple[Product, Product] | None = None
    unreached: frozenset[int] = frozenset()

    def reduced(self, reduce: Reduce) -> "Linearisation":
        """Return the linearisation with its gradients and halves of products combined across processes."""

        def through(half: Product) -> Product:
            return lambda vector: reduce(half(vector))

        return Linearisation(
            self.losses,
            reduce(self.gradient_x),
            reduce(self.gradient_y),
            through(self.forward),
            through(self.backward),
            None if self.relaxed is None else (through(self.relaxed[0]), through(self.relaxed[1])),
            self.unreached,
        )

    def system(self, scale_x: Scaling, scale_y: Scaling) -> ZeroSumSystem | GeneralSumSystem:
        """Return the linear system of a step in the players' metrics `S = √η`."""
        a, c = scaled(self.gradient_x, scale_x), scaled(self.gradient_y, scale_y)
        halves = self.forward, self.backward
        if isinstance(self.losses, Tensor):

            def coupling(pair: tuple[Product, Product]) -> ScaledCoupling:
                return ScaledCoupling(MixedHessian(*pair), scale_x, scale_y)

            relaxed = None if self.relaxed is None else coupling(self.relaxed)
            return ZeroSumSystem(coupling(halves), a, c, relaxed)

        def scaled_halves(pair: tuple[Product, Product]) -> tuple[Product, Product]:
            return (
                lambda vector: scaled(pair[0](scaled(vector, scale_x)), scale_y),
                lambda vector: scaled(pair[1](scaled(vector, scale_y)), scale_x),
            )

        cheaper = None if self.relaxed is None else scaled_halves(self.relaxed)
        return GeneralSumSystem(*scaled_halves(halves), a, c, cheaper)
