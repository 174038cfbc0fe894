"""Conjugate gradients that says "converged" only of a true residual."""

import math
from collections.abc import Callable
from typing import Protocol

from gamedyn.solvers.solution import Result, Solution
from gamedyn.solvers.vectors import Vector, add_, clone, inner, norm, norms, precision, scale_, unit
from gamedyn.solvers.vectors import zeros_like as zeros

Operator = Callable[[Vector], Vector]
"""A square linear map."""


class System(Protocol):
    """A symmetric positive definite system together with its current iterate."""

    rhs_norm: float
    """The norm of the right-hand side, in the system's own unit."""
    residual: Vector
    """The residual at the current iterate."""

    def start(self, guess: Vector | None) -> float:
        """Take up an initial iterate (zero for None) and return its residual's norm."""
        ...

    def probe(self, direction: Vector) -> float:
        """Return the curvature `pᵀAp` along a direction, remembering its product for `advance`."""
        ...

    def advance(self, length: float, direction: Vector) -> float:
        """Move the iterate by `length` along the direction last probed and return its residual's norm."""
        ...

    def settle(self, threshold: float, size: float) -> float:
        """Return the residual's true norm, recomputed where rounding of `size` could decide the threshold."""
        ...

    def doubt(self) -> float:
        """Return a bound on how far the residual's evaluation in this precision is from the truth."""
        ...


def cg(
    operator: Operator,
    rhs: Vector,
    *,
    rtol: float = 1e-6,
    atol: float = 0.0,
    max_iter: int | None = None,
    x0: Vector | None = None,
) -> Solution[Vector]:
    """Solve `A x = b` for a symmetric positive definite `A` by conjugate gradients.

    The iteration is Hestenes and Stiefel's; at exit, and whenever its own recurrence claims success, the
    residual is recomputed from its definition, and the iteration restarts from there if the claim was wrong.

    Args:
        operator: The map `A`, on lists of tensors.
        rhs: The right-hand side `b`; any scale that its dtype can hold.
        rtol: Tolerance on `‖b − A x‖ / ‖b‖` (on norms, not on their squares).
        atol: Tolerance on `‖b − A x‖`; the larger of the two bounds counts.
        max_iter: The most iterations to take; ten times the dimension for None.
        x0: The initial iterate; zero for None.

    Returns:
        The solution, how the solve ended, the iterations, the true relative residual and the products.

    Example:
        >>> import torch
        >>> d = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
        >>> solution = cg(lambda v: [d * v[0]], [torch.ones(3, dtype=torch.float64)], rtol=1e-12)
        >>> solution.converged, solution.iterations, [round(v, 12) for v in solution.value[0].tolist()]
        (True, 3, [1.0, 0.5, 0.25])

    References:
        Hestenes and Stiefel (1952), Methods of conjugate gradients for solving linear systems. Van der
        Vorst and Ye (2000), Residual replacement strategies for Krylov subspace iterative methods.
    """
    system = _LinearSystem(operator, rhs)
    if max_iter is None:
        max_iter = 10 * sum(tensor.numel() for tensor in rhs)
    guess = None if x0 is None else scale_(clone(x0), 1.0 / system.unit)
    result, iterations, residual = conjugate_gradients(
        system, rtol=rtol, atol=atol / system.unit, max_iter=max_iter, x0=guess
    )
    value = scale_(system.iterate, system.unit)
    return Solution(value, result, iterations, residual, system.products)


def conjugate_gradients(
    system: System, *, rtol: float, atol: float, max_iter: int, x0: Vector | None = None
) -> tuple[Result, int, float]:
    """Run conjugate gradients on a system, which keeps the iterate.

    Args:
        system: The system; it holds the solution afterwards.
        rtol: Tolerance on the residual's norm relative to the right-hand side's.
        atol: Absolute tolerance on the residual's norm, in the system's unit.
        max_iter: The most iterations to take.
        x0: The initial iterate in the system's unit; zero for None.

    Returns:
        How the solve ended, the iterations taken and the true relative residual.
    """
    size = system.start(x0)
    if not math.isfinite(size):
        return Result.NONFINITE, 0, math.inf
    threshold = max(rtol * system.rhs_norm, atol)
    direction = clone(system.residual)
    slope = size * size
    verified = math.inf  # the last true residual that a restart began from
    iterations = 0
    while True:
        doubt = system.doubt()
        claimed, floored, spent = size + doubt <= threshold, size <= doubt, iterations >= max_iter
        if claimed or floored or spent:
            size = system.settle(threshold, size)
            doubt = system.doubt()
            if not math.isfinite(size):
                return Result.NONFINITE, iterations, math.inf
            if size + doubt <= threshold or size == system.rhs_norm == 0.0:
                return Result.CONVERGED, iterations, _relative(size, system)
            if spent:
                return Result.TRUNCATED, iterations, _relative(size, system)
            if size <= doubt or size > 0.5 * verified:
                return Result.STAGNATED, iterations, _relative(size, system)
            verified = size
            direction, slope = clone(system.residual), size * size
        curvature = system.probe(direction)
        if not math.isfinite(curvature):
            return Result.NONFINITE, iterations, _relative(system.settle(threshold, size), system)
        if curvature <= 0.0:
            return Result.BREAKDOWN, iterations, _relative(system.settle(threshold, size), system)
        # `slope` is r·p, which rounding moves away from r·r: with it each step is an exact line search
        previous, size = size, system.advance(slope / curvature, direction)
        iterations += 1
        if not math.isfinite(size):
            return Result.NONFINITE, iterations, math.inf
        growth = size / previous
        add_(scale_(direction, growth * growth), system.residual)
        slope = inner(system.residual, direction)
        if slope <= 0.0:
            direction, slope = clone(system.residual), size * size


def _relative(size: float, system: System) -> float:
    """Return a residual relative to the right-hand side; 0 for an exact solve of a zero right-hand side."""
    if system.rhs_norm == 0.0:
        return 0.0 if size == 0.0 else math.inf
    return size / system.rhs_norm


class _LinearSystem:
    """`A x = b` for a given operator, scaled by a power of two to keep its inner products representable."""

    def __init__(self, operator: Operator, rhs: Vector) -> None:
        self._operator = operator
        self.unit = unit(rhs)
        self._rhs = scale_(clone(rhs), 1.0 / self.unit)
        self._precision = precision(rhs)
        self._largest = 0.0  # the largest amplification seen: a lower bound on ‖A‖
        self.rhs_norm = norm(self._rhs)
        self.products = 0

    def start(self, guess: Vector | None) -> float:
        if guess is None:
            self.iterate, self.residual = zeros(self._rhs), clone(self._rhs)
            return self.rhs_norm
        self.iterate = guess
        return self._evaluate()

    def probe(self, direction: Vector) -> float:
        self._image = self._apply(direction)
        length, reach = norms(direction, self._image)
        self._amplified(length, reach)
        return inner(direction, self._image)

    def advance(self, length: float, direction: Vector) -> float:
        add_(self.iterate, direction, length)
        add_(self.residual, self._image, -length)
        return norm(self.residual)

    def settle(self, threshold: float, size: float) -> float:
        return self._evaluate()

    def doubt(self) -> float:
        return self._precision * (self._largest * norm(self.iterate) + self.rhs_norm)

    def _evaluate(self) -> float:
        image = self._apply(self.iterate)
        self.residual = add_(clone(self._rhs), image, -1.0)
        size, length, reach = norms(self.residual, self.iterate, image)
        self._amplified(length, reach)
        return size

    def _amplified(self, before: float, after: float) -> None:
        if before > 0.0 and math.isfinite(after):
            self._largest = max(self._largest, after / before)

    def _apply(self, vector: Vector) -> Vector:
        self.products += 1
        return self._operator(vector)
