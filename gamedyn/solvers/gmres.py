"""Restarted GMRES for the non-symmetric systems of general-sum games."""

import math
from collections.abc import Callable

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gamedyn.solvers.cg import Operator
from gamedyn.solvers.solution import Result, Solution
from gamedyn.solvers.vectors import (
    Vector,
    add_,
    clone,
    inner,
    norm,
    norms,
    precision,
    scale_,
    unit,
    zeros_like,
)


def gmres(
    operator: Operator,
    rhs: Vector,
    *,
    rtol: float = 1e-6,
    atol: float = 0.0,
    max_iter: int | None = None,
    restart: int = 20,
    x0: Vector | None = None,
    rounding: Callable[[Vector], float] | None = None,
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
        restart: Iterations per cycle; memory grows by one vector each.
        x0: The initial iterate; zero for None.
        rounding: A bound on the rounding of `b − A x` at an iterate; for None, that of an operator as large
            as the amplifications seen, which falls short where `A` is a difference of larger terms.

    Returns:
        The solution, how the solve ended, the iterations, the true relative residual and the products.

    Example:
        >>> import torch
        >>> A = torch.tensor([[1.0, 2.0], [-2.0, 1.0]], dtype=torch.float64)
        >>> solution = gmres(lambda v: [A @ v[0]], [torch.tensor([1.0, 3.0], dtype=torch.float64)])
        >>> solution.converged, solution.iterations, [round(v, 12) for v in solution.value[0].tolist()]
        (True, 2, [-1.0, 1.0])

    References:
        Saad and Schultz (1986), GMRES: a generalized minimal residual algorithm for solving nonsymmetric
        linear systems.
    """
    scale = unit(rhs)
    target = scale_(clone(rhs), 1.0 / scale)
    size = norm(target)
    if max_iter is None:
        max_iter = 10 * sum(tensor.numel() for tensor in rhs)
    threshold = max(rtol * size, atol / scale)
    measured = _Measured(operator, precision(rhs))
    if x0 is None:
        iterate, residual = zeros_like(target), clone(target)
    else:
        iterate = scale_(clone(x0), 1.0 / scale)
        residual = add_(clone(target), measured(iterate), -1.0)
    error = norm(residual)
    iterations = 0
    result = Result.NONFINITE
    ended: Result | None = None  # how the last cycle ended the solve, unless the tolerance is met
    while math.isfinite(error):
        doubt = measured.rounding(iterate, size) if rounding is None else rounding(iterate) / scale
        if error + doubt <= threshold or error == size == 0.0:
            result = Result.CONVERGED
            break
        if ended is not None or error <= doubt or iterations >= max_iter:
            result = ended or (Result.STAGNATED if error <= doubt else Result.TRUNCATED)
            break
        goal = max(threshold - 2.0 * doubt, 0.1 * threshold)
        step, taken, end = _cycle(measured, residual, error, goal, min(restart, max_iter - iterations))
        iterations += taken
        candidate = add_(clone(iterate), step)
        residual = add_(clone(target), measured(candidate), -1.0)
        previous, improved = error, norm(residual)
        if improved < previous:  # false for NaN as well
            iterate, error = candidate, improved
        if end is Result.NONFINITE or not math.isfinite(improved):
            ended = Result.NONFINITE
        elif end is Result.BREAKDOWN and improved > 0.5 * previous:
            at_rounding = error <= math.sqrt(precision(rhs)) * size
            ended = Result.STAGNATED if at_rounding else Result.BREAKDOWN
        elif improved > 0.999 * previous:
            ended = Result.STAGNATED
    relative = error / size if size > 0.0 else (0.0 if error == 0.0 else math.inf)
    return Solution(scale_(iterate, scale), result, iterations, relative, measured.products)


class _Measured:
    """An operator that counts its applications and notes how much they amplify."""

    def __init__(self, operator: Operator, precision: float) -> None:
        self._operator = operator
        self._precision = precision
        self._norm = 0.0
        self.products = 0

    def __call__(self, vector: Vector) -> Vector:
        self.products += 1
        image = self._operator(vector)
        before, after = norms(vector, image)
        if before > 0.0 and math.isfinite(after):
            self._norm = max(self._norm, after / before)
        return image

    def rounding(self, iterate: Vector, size: float) -> float:
        return self._precision * (self._norm * norm(iterate) + size)


def _cycle(
    operator: Operator, residual: Vector, error: float, threshold: float, length: int
) -> tuple[Vector, int, Result]:
    """Run one Arnoldi cycle from a residual; return the correction, the iterations and how it ended."""
    basis = [scale_(clone(residual), 1.0 / error)]
    hessenberg = np.zeros((length + 1, length))
    tiny = precision(residual)
    cond = max(1e-12, tiny)  # smaller singular values are rounding, which would only lengthen the step
    end = Result.TRUNCATED
    taken = 0
    for column in range(length):
        vector = clone(operator(basis[column]))
        before = norm(vector)
        if not math.isfinite(before):
            end = Result.NONFINITE
            break
        for _ in range(2):  # "twice is enough" keeps the basis orthogonal in float32
            for row, direction in enumerate(basis):
                overlap = inner(direction, vector)
                hessenberg[row, column] += overlap
                add_(vector, direction, -overlap)
        after = norm(vector)
        hessenberg[column + 1, column] = after
        taken = column + 1
        if after <= 10.0 * tiny * before or before == 0.0:  # the Krylov space is complete
            hessenberg[column + 1, column] = 0.0
            end = Result.BREAKDOWN
            break
        if _least_squares(hessenberg, taken, error, cond)[1] <= threshold:
            break
        basis.append(scale_(vector, 1.0 / after))
    step = zeros_like(residual)
    if taken:
        for weight, direction in zip(_least_squares(hessenberg, taken, error, cond)[0], basis, strict=False):
            add_(step, direction, float(weight))
    return step, taken, end


def _least_squares(
    hessenberg: NDArray[np.float64], taken: int, error: float, cond: float
) -> tuple[NDArray[np.float64], float]:
    """Minimise `‖error·e₁ − H w‖`; return the weights of smallest norm and the residual."""
    block = hessenberg[: taken + 1, :taken]
    target = np.zeros(taken + 1)
    target[0] = error
    weights = scipy.linalg.lstsq(block, target, cond=cond, check_finite=False)[0]
    return weights, float(np.linalg.norm(target - block @ weights))
