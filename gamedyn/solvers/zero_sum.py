"""The linear system of one competitive step in a zero-sum game."""

import math

from gamedyn.solvers.mixed_hessian import Coupling
from gamedyn.solvers.vectors import (
    Vector,
    add_,
    clone,
    norm,
    precision,
    scale_,
    squared_norm,
    unit,
    zeros_like,
)

# The rounding of one product or sum, in units of round-off of its norm. Individual roundings are at random,
# so their norms stay near this; a product of a deep network is good to a few units, not to one.
_ROUNDING = 1.0


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

    Args:
        coupling: The scaled mixed Hessian `K`.
        gradient_x: `a`, player 0's scaled gradient.
        gradient_y: `c`, player 1's scaled gradient.

    References:
        Schäfer and Anandkumar (2019), Competitive Gradient Descent, eq. 3 and section 3. Björck (1996),
        Numerical Methods for Least Squares Problems, section 7.4 (CGLS).
    """

    def __init__(self, coupling: Coupling, gradient_x: Vector, gradient_y: Vector) -> None:
        self.unit = unit(gradient_x, gradient_y)
        self._coupling = coupling
        self._a = scale_(clone(gradient_x), 1.0 / self.unit)
        self._c = scale_(clone(gradient_y), 1.0 / self.unit)
        self._precision = precision([*gradient_x, *gradient_y])
        self._coupling_norm = 0.0  # the largest ‖Kp‖/‖p‖ seen: a lower bound on ‖K‖
        self._response_rounding = 0.0  # a bound on the rounding that υ has gathered
        self.rhs_norm = 0.0

    @property
    def steps(self) -> tuple[Vector, Vector]:
        """Both players' scaled steps `(ξ, υ)`."""
        return scale_(self._iterate, self.unit), scale_(self._response, self.unit)

    @property
    def products(self) -> int:
        """Products spent so far."""
        return self._coupling.products

    def start(self, guess: Vector | None) -> Vector:
        """Take up the guess if it lowers the objective below that of not moving, and return the residual."""
        self._iterate = zeros_like(self._a)
        self._response = clone(self._c)
        self._residual = self._evaluate()
        self.rhs_norm = norm(self._residual)
        if guess is not None:
            iterate = scale_(clone(guess), 1.0 / self.unit)
            response = self._respond(iterate)
            at_guess = squared_norm(add_(clone(iterate), self._a)) + squared_norm(response)
            if at_guess < squared_norm(self._a) + squared_norm(self._c):
                self._iterate, self._response = iterate, response
                self._residual = self._evaluate()
        return self._residual

    def probe(self, direction: Vector) -> float:
        """Return `‖p‖² + ‖Kp‖²`, positive by construction."""
        self._image = self._coupling.apply(direction)
        length, image = squared_norm(direction), squared_norm(self._image)
        if length > 0.0 and math.isfinite(image):
            self._coupling_norm = max(self._coupling_norm, math.sqrt(image / length))
        self._image_norm = math.sqrt(image)
        return length + image

    def advance(self, length: float, direction: Vector) -> Vector:
        """Move `ξ` and `υ` along the direction and return the residual evaluated there."""
        add_(self._iterate, direction, length)
        add_(self._response, self._image, length)
        self._residual = self._evaluate()
        moved = self._image_norm * abs(length) + norm(self._response)
        self._response_rounding += _ROUNDING * self._precision * (moved + self._amplified())
        return self._residual

    def settle(self, threshold: float) -> Vector:
        """Return the true residual: as it stands where its rounding cannot decide, else afresh."""
        size, doubt = norm(self._residual), self.doubt()
        if size + doubt > threshold and doubt > 0.1 * size:
            self.adopt(self._iterate)
        return self._residual

    def doubt(self) -> float:
        """Return a bound on the rounding in the residual: of its own sum, and of `υ` as `Kᵀ` amplifies it."""
        own = norm(self._a) + norm(self._iterate) + self._coupling_norm * norm(self._response)
        return _ROUNDING * self._precision * own + self._coupling_norm * self._response_rounding

    def adopt(self, iterate: Vector) -> Vector:
        """Take up an iterate, in the system's unit, and return its true residual, for two products."""
        self._iterate = iterate
        self._response = self._respond(iterate)
        self._residual = self._evaluate()
        moved = norm(self._c) + norm(self._response)
        self._response_rounding = _ROUNDING * self._precision * (moved + self._amplified())
        return self._residual

    def operator(self, vector: Vector) -> Vector:
        """Return `(I + KᵀK) · vector`."""
        return add_(clone(vector), self._coupling.adjoint(self._coupling.apply(vector)))

    def _amplified(self) -> float:
        """Return how large `Kξ` may be: what `K` makes of the rounding of `ξ` itself."""
        return self._coupling_norm * norm(self._iterate)

    def _respond(self, iterate: Vector) -> Vector:
        """Return `υ = c + Kξ`."""
        return add_(clone(self._c), self._coupling.apply(iterate))

    def _evaluate(self) -> Vector:
        """Return `−(a + ξ + Kᵀυ)`."""
        residual = add_(clone(self._a), self._iterate)
        return scale_(add_(residual, self._coupling.adjoint(self._response)), -1.0)
