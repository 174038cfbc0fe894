"""The linear system of one competitive step in a zero-sum game."""

import math

from gamedyn.solvers.mixed_hessian import RELAXATION, RELAXED_ERROR, Coupling
from gamedyn.solvers.scalars import Measure, amplification, choose, read, root
from gamedyn.solvers.vectors import Scalar, Vector, add_, clone, precision, scale_, unit, zeros_like

# A residual that has grown by this factor on relaxed products is not on its way: CG's own may by about √κ.
_GROWTH = 10.0


class ZeroSumSystem:
    r"""Each player's best response to the other's, `(I + KᵀK) ξ = −(a + Kᵀc)`, as damped least squares.

    With `a = S_x ∇ₓf`, `c = S_y ∇_y f` and `K = S_y D_yx f S_x`, the scaled steps of the local Nash
    equilibrium are `ξ = −(a + Kᵀυ)` and `υ = c + Kξ`; together they minimise `½‖ξ + a‖² + ½‖c + Kξ‖²`.
    Conjugate gradients carries `υ` beside `ξ` and takes every residual as `−(a + ξ + Kᵀυ)` from them, which
    has three consequences:

    - `υ` is the other player's step, so back-substitution costs no product: `2k + 1` products for `k`
      iterations instead of `2k + 5`;
    - the residual is evaluated rather than recurred, so it cannot drift from the truth by more than the
      rounding of `υ`, which is bounded along the way (and recomputed with two products where the bound is
      too large to decide);
    - the objective falls from `½‖a‖² + ½‖c‖²` at every iteration, so a truncated solve moves the players at
      most `‖(ξ, υ)‖ ≤ 2 ‖(a, c)‖`: it never steps far.

    With a relaxed coupling `K̂`, cheaper and less accurate (`RELAXED_ERROR`), the right-hand side is exact and
    so is the residual that a solve ends with; the iterations between, once the residual is down to the
    threshold over `RELAXATION`, take `K̂` and recur, `r −= α (p + K̂ᵀK̂p)`: evaluated, `Kᵀυ` would leave the
    error of `K̂` in proportion to itself, which does not fall. `k` such iterations cost `2k` relaxed products
    and 3 exact ones, less than `2k + 1` exact ones from three iterations on if a relaxed one costs half. What
    they cannot finish, the exact coupling does.

    Args:
        coupling: The scaled mixed Hessian `K`.
        gradient_x: `a`, player 0's scaled gradient.
        gradient_y: `c`, player 1's scaled gradient.
        relaxed: `K̂`, of the same vectors and dtypes; for None, all products are exact.

    References:
        Schäfer and Anandkumar (2019), Competitive Gradient Descent, eq. 3 and section 3. Björck (1996),
        Numerical Methods for Least Squares Problems, section 7.4 (CGLS). Simoncini and Szyld (2003), Theory
        of inexact Krylov subspace methods: the error that a product may have grows as the residual falls.
    """

    residual: Vector
    """`−(a + ξ + Kᵀυ)` at the current iterate, or its recurrence by relaxed products."""
    estimated = False
    """Whether it is the recurrence."""

    def __init__(
        self, coupling: Coupling, gradient_x: Vector, gradient_y: Vector, relaxed: Coupling | None = None
    ) -> None:
        self.gradients = gradient_x, gradient_y
        self.unit = unit(gradient_x, gradient_y)
        self._coupling = coupling
        self._relaxed = relaxed
        self._size: Scalar = 0.0  # of the estimated residual
        self._limit = 0.0  # where that is beyond reason
        self._norm_relaxed: Scalar = 0.0  # the largest amplification seen of K̂
        self._drift: Scalar = 0.0  # the square of what K̂ has moved the residual by, times 1 + ε‖K̂‖²
        self._a = scale_(clone(gradient_x), 1.0 / self.unit)
        self._c = scale_(clone(gradient_y), 1.0 / self.unit)
        self._precision = precision([*gradient_x, *gradient_y])
        self._norm_coupling: Scalar = 0.0  # the largest amplification seen: a lower bound on ‖K‖
        self._rounding: Scalar = 0.0  # a bound on the rounding that υ has gathered

    @property
    def steps(self) -> tuple[Vector, Vector]:
        """Both players' scaled steps `(ξ, υ)`."""
        return scale_(self._iterate, self.unit), scale_(self._response, self.unit)

    @property
    def products(self) -> int:
        """Products spent so far."""
        return self._coupling.products + self.relaxed_products

    @property
    def relaxed_products(self) -> int:
        """Products spent so far that were relaxed ones."""
        return 0 if self._relaxed is None else self._relaxed.products

    def start(self, guess: Vector | None, lazily: bool = False) -> Scalar:
        """Take up a guess, in the system's unit, if it beats not moving; return the residual's norm."""
        self.measure = Measure([*self._a, *self._c], lazily)
        self.estimated, self._may_relax = False, self._relaxed is not None
        self._rounding = self._drift = 0.0
        self._iterate, self._response = zeros_like(self._a), clone(self._c)
        self.rhs_norm = size = self._evaluate()
        self._norm_c = self._norm_response
        if guess is not None:
            iterate = clone(guess)
            response = self._respond(iterate)
            objective, still = self.measure.norms(
                [*add_(clone(iterate), self._a), *response], [*self._a, *self._c]
            )
            objective, still, of_rhs = read(objective, still, self.rhs_norm)
            if objective < still and of_rhs < math.inf:  # a broken right-hand side is not to be passed over
                self._iterate, self._response = iterate, response
                size = self._evaluate()
                self._rounding = self._rounding_of_response(self._norm_c)
        return size

    def relax(self, threshold: float, size: float) -> None:
        """Go on with the relaxed coupling, if there is one, where its errors will end near the threshold."""
        if self._may_relax and not self.estimated and size <= threshold / RELAXATION:
            self.estimated, self._norm_relaxed = True, self._norm_coupling
            self._size, self._limit = size, _GROWTH * size

    def probe(self, direction: Vector) -> Scalar:
        """Return `‖p‖² + ‖Kp‖²`, positive by construction."""
        self._image = self._current().apply(direction)
        length, self._norm_image = self.measure.norms(direction, self._image)
        if self.estimated:
            self._norm_relaxed = amplification(length, self._norm_image, self._norm_relaxed)
        else:
            self._norm_coupling = amplification(length, self._norm_image, self._norm_coupling)
        return length * length + self._norm_image * self._norm_image

    def advance(self, length: Scalar, direction: Vector) -> Scalar:
        """Move `ξ` and `υ` along the direction and return the norm of the residual there."""
        add_(self._iterate, direction, length)
        add_(self._response, self._image, length)
        if self.estimated:
            pulled = self._current().adjoint(self._image)
            add_(add_(self.residual, direction, -length), pulled, -length)
            self._size, reach = self.measure.norms(self.residual, pulled)
            moved = length * reach
            risk = 1.0 + RELAXED_ERROR * self._norm_relaxed * self._norm_relaxed
            self._drift = self._drift + moved * moved * risk
            return self._size
        size = self._evaluate()
        rounding = self._rounding_of_response(length * self._norm_image)
        self._rounding = self._rounding + rounding * (length > 0.0)  # what does not move gathers none
        return size

    def keep(self) -> None:
        """Remember the iterate where scalars are read late; where they are read at once it stays finite."""
        if self.measure.lazy:
            self._kept = clone(self._iterate), clone(self._response)

    def restore(self) -> None:
        """Return to the iterate last kept."""
        if self.measure.lazy:
            self._iterate, self._response = self._kept

    def settle(self, threshold: float, size: float, doubt: float) -> tuple[float, float]:
        """Return the residual's true norm and its doubt, afresh where it is estimated or rounding may decide.

        No product is relaxed from here on. What relaxed ones led astray, beyond where the players started, is
        given up.
        """
        if self.estimated:
            self.estimated = False
            size, doubt, objective, still = read(
                self.adopt(self._iterate),
                self.doubt(),
                *self.measure.norms(
                    [*add_(clone(self._iterate), self._a), *self._response], [*self._a, *self._c]
                ),
            )
            if not objective <= still:
                size, doubt = read(self.start(None, self.measure.lazy), self.doubt())
        elif not (size + doubt <= threshold or doubt <= 0.1 * size):
            size, doubt = read(self.adopt(self._iterate), self.doubt())
        self._may_relax = False
        return size, doubt

    def doubt(self) -> Scalar:
        """Return a bound on the rounding in the residual: of its terms, and of `υ` as `Kᵀ` amplifies it.

        The terms are `Kᵀυ` and `a + ξ`, which is of the same size wherever the bound matters. The rounding of
        one product or sum is taken as one unit of round-off of its norm: individual roundings are at random,
        so their norms stay near that even for the products of deep networks. For the same reason the errors
        of relaxed products, which outweigh all that, are taken to add up in squares. Where an error in `K̂p`,
        amplified by `K̂ᵀ`, may outweigh the identity in `I + KᵀK`, they do not average out: their weight
        grows, so that the exact products soon take over. They do so at once where the residual has grown
        beyond reason.
        """
        if self.estimated:
            return choose(self._size <= self._limit, RELAXED_ERROR * root(self._drift), math.inf)
        return self._norm_coupling * (2.0 * self._precision * self._norm_response + self._rounding)

    def adopt(self, iterate: Vector) -> Scalar:
        """Take up an iterate, in the system's unit; return its residual's true norm, infinite if refused."""
        response = self._respond(iterate)
        if not all(map(math.isfinite, read(*self.measure.norms(iterate, response)))):
            return math.inf
        self._iterate, self._response = iterate, response
        size = self._evaluate()
        self._rounding = self._rounding_of_response(self._norm_c)
        return size

    def operator(self, vector: Vector) -> Vector:
        """Return `(I + KᵀK) · vector`."""
        return add_(clone(vector), self._coupling.adjoint(self._coupling.apply(vector)))

    def _current(self) -> Coupling:
        """Return the coupling that iterations use."""
        return self._relaxed if self.estimated and self._relaxed is not None else self._coupling

    def _respond(self, iterate: Vector) -> Vector:
        """Return `υ = c + Kξ`."""
        return add_(clone(self._c), self._coupling.apply(iterate))

    def _evaluate(self) -> Scalar:
        """Take the residual as `−(a + ξ + Kᵀυ)` and return its norm."""
        pulled = self._coupling.adjoint(self._response)
        self.residual = scale_(add_(add_(clone(self._a), self._iterate), pulled), -1.0)
        size, self._norm_iterate, self._norm_response, reach = self.measure.norms(
            self.residual, self._iterate, self._response, pulled
        )
        self._norm_coupling = amplification(self._norm_response, reach, self._norm_coupling)
        return size

    def _rounding_of_response(self, moved: Scalar) -> Scalar:
        """Bound the rounding of `υ` after a move, and what `K` makes of the rounding of `ξ`."""
        reach = self._norm_coupling * self._norm_iterate
        return self._precision * (moved + self._norm_response + reach)
