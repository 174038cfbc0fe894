"""Restarted GMRES for the non-symmetric systems of general-sum games."""

import math
from collections.abc import Callable
from itertools import islice

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gamedyn.solvers.cg import Operator
from gamedyn.solvers.mixed_hessian import RELAXATION
from gamedyn.solvers.options import check_options
from gamedyn.solvers.scalars import Measure, amplification, ratio, read
from gamedyn.solvers.solution import Result, Solution, relative
from gamedyn.solvers.vectors import Scalar, Vector, add_, clone, precision, scale_, unit, zeros_like


def gmres(
    operator: Operator,
    rhs: Vector,
    *,
    rtol: float = 1e-6,
    atol: float = 0.0,
    max_iter: int | None = None,
    check_every: int = 1,
    restart: int = 20,
    x0: Vector | None = None,
    rounding: Callable[[Vector], Scalar] | None = None,
    relaxed: Operator | None = None,
) -> Solution[Vector]:
    """Solve `A x = b` for any square `A` by GMRES, restarted every `restart` iterations.

    Each cycle minimises the residual over a Krylov space (Arnoldi with modified Gram–Schmidt, repeated once
    where it cancels), and ends with the true residual, which alone decides.

    Args:
        operator: The map `A`, on lists of tensors.
        rhs: The right-hand side `b`; any scale that its dtype can hold.
        rtol: Tolerance on `‖b − A x‖ / ‖b‖`.
        atol: Tolerance on `‖b − A x‖`; the larger of the two bounds counts.
        max_iter: The most iterations over all cycles; ten times the dimension for None.
        check_every: Iterations between two reads of the device, by which a cycle may run on too long (what it
            does not need, it does not use). Above 1 it pays on an accelerator, which need not be waited for.
        restart: Iterations per cycle; memory grows by one vector each.
        x0: The initial iterate; zero for None.
        rounding: A bound on the rounding of `b − A x` at an iterate; for None, that of an operator as large
            as the amplifications seen, which falls short where `A` is a difference of larger terms.
        relaxed: A cheaper and less accurate version of `A`. In one cycle it is used once the residual is down
            to the threshold over `RELAXATION`; any further cycles are exact, as is the residual after each.

    Returns:
        The solution, how the solve ended, the iterations, the true relative residual and the products.

    Raises:
        ValueError: If a tolerance is no number of at least 0, or `check_every` or `restart` is below 1.

    Example:
        >>> import torch
        >>> A = torch.tensor([[1.0, 2.0], [-2.0, 1.0]], dtype=torch.float64)
        >>> solution = gmres(lambda v: [A @ v[0]], [torch.tensor([1.0, 3.0], dtype=torch.float64)])
        >>> solution.converged, solution.iterations, [round(v, 12) for v in solution.value[0].tolist()]
        (True, 2, [-1.0, 1.0])

    References:
        Saad and Schultz (1986), GMRES: a generalized minimal residual algorithm for solving nonsymmetric
        linear systems. Simoncini and Szyld (2003), Theory of inexact Krylov subspace methods.
    """
    check_options(rtol=rtol, atol=atol, check_every=check_every, restart=restart)
    scale = unit(rhs)
    target = scale_(clone(rhs), 1.0 / scale)
    if max_iter is None:
        max_iter = 10 * sum(tensor.numel() for tensor in rhs)
    measure = Measure(target, lazily=check_every > 1)
    measured = _Measured(operator, precision(rhs), measure)
    cheaper = None if relaxed is None else _Measured(relaxed, precision(rhs), measure)
    if x0 is None:
        iterate, residual = zeros_like(target), clone(target)
    else:
        iterate = scale_(clone(x0), 1.0 / scale)
        residual = add_(clone(target), measured(iterate), -1.0)

    def judged(point: Vector, missing: Vector) -> list[float]:
        """Read the size of a residual and a bound on its rounding."""
        doubt = measured.rounding(point, size) if rounding is None else rounding(point) / scale
        return read(*measure.norms(missing), doubt)

    (size,) = read(*measure.norms(target))
    threshold = max(rtol * size, atol / scale)
    error, doubt = judged(iterate, residual)
    iterations = counted = 0
    result = Result.NONFINITE
    ended: Result | None = None  # how the last cycle ended the solve, unless the tolerance is met
    while math.isfinite(error):
        if error + doubt <= threshold or error == size == 0.0:
            result = Result.CONVERGED
            break
        if ended is not None or error <= doubt or iterations >= max_iter:
            result = ended or (Result.STAGNATED if error <= doubt else Result.TRUNCATED)
            break
        goal = max(threshold - 2.0 * doubt, 0.1 * threshold)
        length = min(restart, max_iter - iterations)
        step, taken, end = _cycle(measured, residual, error, goal, length, measure, check_every, cheaper)
        iterations += taken
        candidate = add_(clone(iterate), step)
        before, residual = residual, add_(clone(target), measured(candidate), -1.0)
        previous, (improved, of_candidate) = error, judged(candidate, residual)
        if improved < previous:  # false for NaN as well
            iterate, error, doubt = candidate, improved, of_candidate
        else:
            residual = before
        if cheaper is not None and cheaper.products:
            counted = cheaper.products
            cheaper = None  # what it left is for the operator itself
        elif end is Result.NONFINITE or not math.isfinite(improved):
            ended = Result.NONFINITE
        elif end is Result.BREAKDOWN and improved > 0.5 * previous:
            at_rounding = error <= math.sqrt(precision(rhs)) * size
            ended = Result.STAGNATED if at_rounding else Result.BREAKDOWN
        elif improved > 0.999 * previous:
            ended = Result.STAGNATED
    products = measured.products + counted
    return Solution(scale_(iterate, scale), result, iterations, relative(error, size), products, counted)


class _Measured:
    """An operator that counts its applications and notes how much they amplify."""

    def __init__(self, operator: Operator, precision: float, measure: Measure) -> None:
        self._operator = operator
        self._precision = precision
        self._measure = measure
        self._norm: Scalar = 0.0
        self.products = 0

    def __call__(self, vector: Vector) -> Vector:
        self.products += 1
        image = self._operator(vector)
        before, after = self._measure.norms(vector, image)
        self._norm = amplification(before, after, self._norm)
        return image

    def rounding(self, iterate: Vector, size: float) -> Scalar:
        return self._precision * (self._norm * self._measure.norms(iterate)[0] + size)


def _cycle(
    operator: Operator,
    residual: Vector,
    error: float,
    threshold: float,
    length: int,
    measure: Measure,
    check_every: int,
    relaxed: Operator | None,
) -> tuple[Vector, int, Result]:
    """Run one Arnoldi cycle from a residual; return the correction, the iterations and how it ended."""
    basis = [scale_(clone(residual), 1.0 / error)]
    hessenberg = np.zeros((length + 1, length))
    tiny = precision(residual)
    cond = max(1e-12, tiny)  # smaller singular values are rounding, which would only lengthen the step
    taken, estimate = 0, error
    waiting: list[list[Scalar]] = []  # columns that have not been read
    for column in range(length):
        apply = operator if relaxed is None or estimate > threshold / RELAXATION else relaxed
        vector = clone(apply(basis[column]))
        (before,) = measure.norms(vector)
        entries: list[Scalar] = [0.0] * len(basis)
        for _ in range(2):  # "twice is enough" keeps the basis orthogonal in float32
            for row, direction in enumerate(basis):
                overlap = measure.inner(direction, vector)
                entries[row] = entries[row] + overlap
                add_(vector, direction, -overlap)
        (after,) = measure.norms(vector)
        waiting.append([before, *entries, after])
        basis.append(scale_(vector, ratio(1.0, after, after > 0.0)))
        if (column + 1) % check_every and column + 1 < length:
            continue
        values = iter(read(*(scalar for entries in waiting for scalar in entries)))
        for entries in waiting:
            size, *overlaps, rest = islice(values, len(entries))
            if not math.isfinite(size):
                return _combined(basis, hessenberg, taken, error, cond), taken, Result.NONFINITE
            taken += 1
            hessenberg[:taken, taken - 1] = overlaps
            if rest <= 10.0 * tiny * size or size == 0.0:  # the Krylov space is complete
                return _combined(basis, hessenberg, taken, error, cond), column + 1, Result.BREAKDOWN
            hessenberg[taken, taken - 1] = rest
            estimate = _least_squares(hessenberg, taken, error, cond)[1]
            if estimate <= threshold:
                return _combined(basis, hessenberg, taken, error, cond), column + 1, Result.TRUNCATED
        waiting.clear()
    return _combined(basis, hessenberg, taken, error, cond), length, Result.TRUNCATED


def _combined(
    basis: list[Vector], hessenberg: NDArray[np.float64], taken: int, error: float, cond: float
) -> Vector:
    """Return the correction that the first columns of a cycle amount to."""
    step = zeros_like(basis[0])
    if taken:
        for weight, direction in zip(_least_squares(hessenberg, taken, error, cond)[0], basis, strict=False):
            add_(step, direction, float(weight))
    return step


def _least_squares(
    hessenberg: NDArray[np.float64], taken: int, error: float, cond: float
) -> tuple[NDArray[np.float64], float]:
    """Minimise `‖error·e₁ − H w‖`; return the weights of smallest norm and the residual."""
    block = hessenberg[: taken + 1, :taken]
    target = np.zeros(taken + 1)
    target[0] = error
    weights = scipy.linalg.lstsq(block, target, cond=cond, check_finite=False)[0]
    return weights, float(np.linalg.norm(target - block @ weights))
