"""Conjugate gradients that says "converged" only of a true residual."""

import math
from collections.abc import Callable
from typing import Protocol

from gamedyn.solvers.options import check_options
from gamedyn.solvers.scalars import Flag, Measure, amplification, ratio, read
from gamedyn.solvers.solution import Result, Solution, relative
from gamedyn.solvers.vectors import Scalar, Vector, add_, clone, precision, scale_, unit
from gamedyn.solvers.vectors import zeros_like as zeros

Operator = Callable[[Vector], Vector]
"""A square linear map."""


class System(Protocol):
    """A symmetric positive definite system together with its current iterate.

    Between two checks nothing of it is read: norms and bounds are `Scalar`s, and it is `read` that waits.
    """

    measure: Measure
    """What inner products are taken by."""
    rhs_norm: Scalar
    """The norm of the right-hand side, in the system's own unit."""
    residual: Vector
    """The residual at the current iterate."""
    estimated: bool
    """Whether the residual is carried by products that are only nearly right."""

    def start(self, guess: Vector | None, lazily: bool) -> Scalar:
        """Take up an initial iterate (zero for None) and return its residual's norm."""
        ...

    def relax(self, threshold: float, size: float) -> None:
        """Use cheaper products from here on, if the system has any and the residual is small enough."""
        ...

    def probe(self, direction: Vector) -> Scalar:
        """Return the curvature `pᵀAp` along a direction, remembering its product for `advance`."""
        ...

    def advance(self, length: Scalar, direction: Vector) -> Scalar:
        """Move the iterate by `length` along the direction last probed and return its residual's norm."""
        ...

    def keep(self) -> None:
        """Remember the iterate, which is finite, where a later move might turn out not to have been."""
        ...

    def restore(self) -> None:
        """Return to a finite iterate after a product that was not; the residual is then unknown."""
        ...

    def settle(self, threshold: float, size: float, doubt: float) -> tuple[float, float]:
        """Return the residual's true norm and its doubt, recomputed where it is estimated or in doubt."""
        ...

    def doubt(self) -> Scalar:
        """Return a bound on how far the residual's evaluation in this precision is from the truth."""
        ...


def cg(
    operator: Operator,
    rhs: Vector,
    *,
    rtol: float = 1e-6,
    atol: float = 0.0,
    max_iter: int | None = None,
    check_every: int = 1,
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
        check_every: Iterations between two reads of the device, by which the solve may run on too long. Above
            1 it pays on an accelerator, which need not be waited for.
        x0: The initial iterate; zero for None.

    Returns:
        The solution, how the solve ended, the iterations, the true relative residual and the products.

    Raises:
        ValueError: If a tolerance is no number of at least 0, or `check_every` is below 1.

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
        system, rtol=rtol, atol=atol / system.unit, max_iter=max_iter, check_every=check_every, x0=guess
    )
    value = scale_(system.iterate, system.unit)
    return Solution(value, result, iterations, residual, system.products)


def conjugate_gradients(
    system: System,
    *,
    rtol: float,
    atol: float,
    max_iter: int,
    check_every: int = 1,
    x0: Vector | None = None,
) -> tuple[Result, int, float]:
    """Run conjugate gradients on a system, which keeps the iterate.

    The solve is judged every `check_every` iterations. In between, iterations after the one that reached the
    tolerance or the rounding level, and after one that cannot be made (a product is not finite, or the
    curvature not positive), make moves of length zero. A system may go on with relaxed products once it is
    close enough; when they claim the tolerance, run dry or break, the exact ones take over for good.

    Args:
        system: The system; it holds the solution afterwards.
        rtol: Tolerance on the residual's norm relative to the right-hand side's.
        atol: Absolute tolerance on the residual's norm, in the system's unit.
        max_iter: The most iterations to take.
        check_every: Iterations between two reads of the device.
        x0: The initial iterate in the system's unit; zero for None.

    Returns:
        How the solve ended, the iterations taken and the true relative residual.

    Raises:
        ValueError: If a tolerance is no number of at least 0, or `check_every` is below 1.
    """
    check_options(rtol=rtol, atol=atol, check_every=check_every)
    begun = system.start(x0, lazily=check_every > 1)
    rhs_norm, size, doubt = read(system.rhs_norm, begun, system.doubt())
    if not math.isfinite(size):
        return Result.NONFINITE, 0, math.inf
    threshold = max(rtol * rhs_norm, atol)
    direction = clone(system.residual)
    slope: Scalar = size * size
    verified = math.inf  # the last true residual that a restart of exact products began from
    iterations = 0
    while True:
        spent = iterations >= max_iter
        if spent or size + doubt <= threshold or not size > doubt:
            was_estimated = system.estimated
            size, doubt = system.settle(threshold, size, doubt)
            if not math.isfinite(size):
                return Result.NONFINITE, iterations, math.inf
            if size + doubt <= threshold or size == rhs_norm == 0.0:
                return Result.CONVERGED, iterations, relative(size, rhs_norm)
            if spent:
                return Result.TRUNCATED, iterations, relative(size, rhs_norm)
            if not size > doubt or size > 0.5 * verified:
                return Result.STAGNATED, iterations, relative(size, rhs_norm)
            verified = math.inf if was_estimated else size  # an estimate that was off is no stagnation
            direction, slope = clone(system.residual), size * size
        system.relax(threshold, size)
        system.keep()
        count = min(check_every, max_iter - iterations)
        latest: Scalar = size
        uncertain: Scalar = doubt
        moved: Scalar = 0
        moves: Flag = True
        sound: Flag = True
        refused: Flag = False
        for _ in range(count):
            curvature = system.probe(direction)
            refused = refused | (moves & (curvature <= 0.0) & (curvature > -math.inf))
            moves = moves & (curvature > 0.0) & (curvature < math.inf)
            moved = moved + moves
            # `slope` is r·p, which rounding moves away from r·r: with it each step is an exact line search;
            # where it is not even positive, a step of length zero starts over along the residual
            downhill = moves & (slope > 0.0)
            previous, latest = latest, system.advance(ratio(slope, curvature, downhill), direction)
            uncertain = system.doubt()
            sound = sound & (curvature < math.inf) & (latest < math.inf)
            moves = moves & (latest > uncertain) & (latest + uncertain > threshold)
            growth = ratio(latest, previous, downhill)
            add_(scale_(direction, growth * growth), system.residual)
            slope = system.measure.inner(system.residual, direction)
        size, doubt, was_sound, was_refused, made = read(latest, uncertain, sound, refused, moved)
        iterations += count if was_sound and not was_refused else int(made)
        if was_refused:
            size, _ = system.settle(threshold, size, doubt)
            return Result.BREAKDOWN, iterations, relative(size, rhs_norm)
        if not was_sound:
            was_estimated = system.estimated
            system.restore()
            size, doubt = system.settle(threshold, math.inf, math.inf)
            if was_estimated and math.isfinite(size):
                direction, slope = clone(system.residual), size * size
                continue
            return Result.NONFINITE, iterations, relative(size, rhs_norm)


class _LinearSystem:
    """`A x = b` for a given operator, scaled by a power of two to keep its inner products representable."""

    estimated = False

    def __init__(self, operator: Operator, rhs: Vector) -> None:
        self._operator = operator
        self.unit = unit(rhs)
        self._rhs = scale_(clone(rhs), 1.0 / self.unit)
        self._precision = precision(rhs)
        self._largest: Scalar = 0.0  # the largest amplification seen: a lower bound on ‖A‖
        self.products = 0

    def start(self, guess: Vector | None, lazily: bool) -> Scalar:
        self.measure = Measure(self._rhs, lazily)
        (self.rhs_norm,) = self.measure.norms(self._rhs)
        if guess is None:
            self.iterate, self.residual = zeros(self._rhs), clone(self._rhs)
            return self.rhs_norm
        self.iterate = guess
        return self._evaluate()

    def probe(self, direction: Vector) -> Scalar:
        self._image = self._apply(direction)
        length, reach = self.measure.norms(direction, self._image)
        self._largest = amplification(length, reach, self._largest)
        return self.measure.inner(direction, self._image)

    def advance(self, length: Scalar, direction: Vector) -> Scalar:
        add_(self.iterate, direction, length)
        add_(self.residual, self._image, -length)
        return self.measure.norms(self.residual)[0]

    def relax(self, threshold: float, size: float) -> None:
        pass  # there is one operator

    def keep(self) -> None:
        if self.measure.lazy:
            self._kept = clone(self.iterate)

    def restore(self) -> None:
        if self.measure.lazy:
            self.iterate = self._kept

    def settle(self, threshold: float, size: float, doubt: float) -> tuple[float, float]:
        size, doubt = read(self._evaluate(), self.doubt())
        return size, doubt

    def doubt(self) -> Scalar:
        return self._precision * (self._largest * self.measure.norms(self.iterate)[0] + self.rhs_norm)

    def _evaluate(self) -> Scalar:
        image = self._apply(self.iterate)
        self.residual = add_(clone(self._rhs), image, -1.0)
        size, length, reach = self.measure.norms(self.residual, self.iterate, image)
        self._largest = amplification(length, reach, self._largest)
        return size

    def _apply(self, vector: Vector) -> Vector:
        self.products += 1
        return self._operator(vector)
