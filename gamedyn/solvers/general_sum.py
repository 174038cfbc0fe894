"""The linear system of one competitive step in a two-player general-sum game."""

from collections.abc import Callable

from gamedyn.solvers.scalars import Measure, amplification
from gamedyn.solvers.vectors import Scalar, Vector, add_, clone, precision, scale_, unit


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
        relaxed: Cheaper and less accurate versions of both halves, for the part of a solve that can do with
            them; what it ends with is evaluated by the exact ones. None for there are none.

    References:
        Schäfer and Anandkumar (2019), Competitive Gradient Descent, eq. 3.
    """

    def __init__(
        self,
        forward: Callable[[Vector], Vector],
        backward: Callable[[Vector], Vector],
        gradient_x: Vector,
        gradient_y: Vector,
        relaxed: tuple[Callable[[Vector], Vector], Callable[[Vector], Vector]] | None = None,
    ) -> None:
        self.gradients = gradient_x, gradient_y
        self.unit = unit(gradient_x, gradient_y)
        self._forward, self._backward = _Half(forward), _Half(backward)
        self._relaxed = None if relaxed is None else (_Half(relaxed[0]), _Half(relaxed[1]))
        self._a = scale_(clone(gradient_x), 1.0 / self.unit)
        self._c = scale_(clone(gradient_y), 1.0 / self.unit)
        self._precision = precision([*gradient_x, *gradient_y])
        self.measure_by(lazily=False)

    def measure_by(self, lazily: bool) -> None:
        """Choose whether norms stay on the device until they are read."""
        self._measure = Measure([*self._a, *self._c], lazily)
        for half in (self._forward, self._backward, *(self._relaxed or ())):
            half.measure = self._measure

    @property
    def products(self) -> int:
        """Products spent so far."""
        return self._forward.products + self._backward.products + self.relaxed_products

    @property
    def relaxed_products(self) -> int:
        """Products spent so far that were relaxed ones."""
        return sum(half.products for half in self._relaxed or ())

    @property
    def relaxed_operator(self) -> Callable[[Vector], Vector] | None:
        """The operator by relaxed products, for two of them; None where there are none."""
        if self._relaxed is None:
            return None
        forward, backward = self._relaxed
        return lambda vector: add_(clone(vector), backward(forward(vector)), -1.0)

    def rhs(self) -> Vector:
        """Return `−a + K_f c` in the system's unit, for one product."""
        return add_(scale_(clone(self._a), -1.0), self._backward(self._c))

    def operator(self, vector: Vector) -> Vector:
        """Return `(I − K_f K_g) · vector`, for two products."""
        return add_(clone(vector), self._backward(self._forward(vector)), -1.0)

    def doubt(self, iterate: Vector) -> Scalar:
        """Return a bound on the rounding in the residual at an iterate, in the system's unit.

        It is of the size of the terms that cancel, which in a near-singular system is far above that of the
        operator; the norms of both halves are the largest amplifications seen.
        """
        size, of_a, of_c = self._measure.norms(iterate, self._a, self._c)
        response = of_c + self._forward.norm * size
        return self._precision * (of_a + size + self._backward.norm * response)

    def steps(self, iterate: Vector) -> tuple[Vector, Vector]:
        """Return both players' scaled steps `(ξ, υ)` with `υ = −(c + K_g ξ)`, for one product."""
        response = scale_(add_(clone(self._c), self._forward(iterate)), -1.0)
        return scale_(clone(iterate), self.unit), scale_(response, self.unit)


class _Half:
    """One half of the coupling, which counts its products and notes how much they amplify."""

    measure: Measure

    def __init__(self, half: Callable[[Vector], Vector]) -> None:
        self._half = half
        self.products = 0
        self.norm: Scalar = 0.0

    def __call__(self, vector: Vector) -> Vector:
        self.products += 1
        image = self._half(vector)
        before, after = self.measure.norms(vector, image)
        self.norm = amplification(before, after, self.norm)
        return image
