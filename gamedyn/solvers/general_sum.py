"""The linear system of one competitive step in a two-player general-sum game."""

from collections.abc import Callable

from gamedyn.solvers.vectors import Vector, add_, clone, scale_


class GeneralSumSystem:
    r"""Each player's best response, `(I − K_f K_g) ξ = −a + K_f c`, with `υ = −(c + K_g ξ)`.

    Both players minimise: `f` over `x`, `g` over `y`. With `a = S_x ∇ₓf`, `c = S_y ∇_y g`,
    `K_f = S_x D_xy f S_y` and `K_g = S_y D_yx g S_x`, the scaled steps satisfy `ξ = −(a + K_f υ)` and
    `υ = −(c + K_g ξ)`. Eliminating `υ` halves the Krylov iterations of the joint system at the same price an
    iteration. The operator may be indefinite, non-symmetric or singular: it is for GMRES, never for CG.

    Args:
        forward: `K_g`, from player 0's space to player 1's.
        backward: `K_f`, from player 1's space to player 0's.
        gradient_x: `a`, player 0's scaled gradient.
        gradient_y: `c`, player 1's scaled gradient.

    References:
        Schäfer and Anandkumar (2019), Competitive Gradient Descent, eq. 3.
    """

    def __init__(
        self,
        forward: Callable[[Vector], Vector],
        backward: Callable[[Vector], Vector],
        gradient_x: Vector,
        gradient_y: Vector,
    ) -> None:
        self._forward = forward
        self._backward = backward
        self._a = gradient_x
        self._c = gradient_y
        self.products = 0

    def rhs(self) -> Vector:
        """Return `−a + K_f c`, for one product."""
        self.products += 1
        return add_(scale_(clone(self._a), -1.0), self._backward(self._c))

    def operator(self, vector: Vector) -> Vector:
        """Return `(I − K_f K_g) · vector`, for two products."""
        self.products += 2
        return add_(clone(vector), self._backward(self._forward(vector)), -1.0)

    def respond(self, iterate: Vector) -> Vector:
        """Return `υ = −(c + K_g ξ)` for one product."""
        self.products += 1
        return scale_(add_(clone(self._c), self._forward(iterate)), -1.0)
