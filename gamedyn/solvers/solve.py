"""Solve the linear system of a competitive step with a chosen engine."""

import math
from typing import TypeAlias

from gamedyn.solvers.cg import conjugate_gradients
from gamedyn.solvers.engines import ArrayEngine, krylov, load_engine
from gamedyn.solvers.general_sum import GeneralSumSystem
from gamedyn.solvers.gmres import gmres
from gamedyn.solvers.solution import Result, Solution
from gamedyn.solvers.vectors import Vector, add_, clone, norm, scale_
from gamedyn.solvers.zero_sum import ZeroSumSystem

Steps: TypeAlias = tuple[Vector, Vector]
"""Both players' scaled steps."""


def solve(
    system: ZeroSumSystem | GeneralSumSystem,
    *,
    engine: str | ArrayEngine = "torch",
    rtol: float = 1e-6,
    atol: float = 0.0,
    max_iter: int = 100,
    restart: int = 20,
    x0: Vector | None = None,
) -> Solution[Steps]:
    """Find both players' steps at the local Nash equilibrium.

    A zero-sum game's system is symmetric positive definite and goes to conjugate gradients; a general-sum
    game's is neither and goes to restarted GMRES.

    Args:
        system: The system of the step.
        engine: "torch", "scipy", "cupy", or a pair of modules.
        rtol: Tolerance on the true residual's norm relative to the right-hand side's.
        atol: Absolute tolerance on the true residual's norm; the larger bound counts.
        max_iter: The most Krylov iterations to take.
        restart: Iterations per GMRES cycle.
        x0: Player 0's scaled step to start from; zero for None.

    Returns:
        The pair `(ξ, υ)` of scaled steps, how the solve ended and the true relative residual.

    Example:
        >>> import torch
        >>> from gamedyn.solvers import MixedHessian
        >>> x, y = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
        >>> K = MixedHessian.of((x * y).sum(), [x], [y])
        >>> solution = solve(ZeroSumSystem(K, [torch.ones(1)], [torch.ones(1)]))
        >>> solution.value, solution.converged
        (([tensor([-1.])], [tensor([0.])]), True)

    References:
        Schäfer and Anandkumar (2019), Competitive Gradient Descent, section 3.
    """
    foreign = None if engine == "torch" else load_engine(engine) if isinstance(engine, str) else engine
    if isinstance(system, ZeroSumSystem):
        return _zero_sum(system, foreign, rtol, atol, max_iter, restart, x0)
    return _general_sum(system, foreign, rtol, atol, max_iter, restart, x0)


def _zero_sum(
    system: ZeroSumSystem,
    foreign: ArrayEngine | None,
    rtol: float,
    atol: float,
    max_iter: int,
    restart: int,
    x0: Vector | None,
) -> Solution[Steps]:
    atol = atol / system.unit
    if foreign is None:
        result, iterations, residual = conjugate_gradients(
            system, rtol=rtol, atol=atol, max_iter=max_iter, x0=x0
        )
        return Solution(system.steps, result, iterations, residual, system.products)
    start = None if x0 is None else scale_(clone(x0), 1.0 / system.unit)
    rhs = system.start(None)
    iterate, iterations = krylov(
        foreign,
        "cg",
        system.operator,
        rhs,
        rtol=rtol,
        atol=atol,
        max_iter=max_iter,
        restart=restart,
        x0=start,
    )
    error, size = norm(system.adopt(iterate)), system.rhs_norm
    result = _judge(error, max(rtol * size, atol), iterations, max_iter)
    return Solution(system.steps, result, iterations, _relative(error, size), system.products)


def _general_sum(
    system: GeneralSumSystem,
    foreign: ArrayEngine | None,
    rtol: float,
    atol: float,
    max_iter: int,
    restart: int,
    x0: Vector | None,
) -> Solution[Steps]:
    rhs = system.rhs()
    if foreign is None:
        inner = gmres(system.operator, rhs, rtol=rtol, atol=atol, max_iter=max_iter, restart=restart, x0=x0)
        iterate, result, iterations, residual = inner.value, inner.result, inner.iterations, inner.residual
    else:
        iterate, iterations = krylov(
            foreign,
            "gmres",
            system.operator,
            rhs,
            rtol=rtol,
            atol=atol,
            max_iter=max_iter,
            restart=restart,
            x0=x0,
        )
        error, size = norm(add_(clone(rhs), system.operator(iterate), -1.0)), norm(rhs)
        result = _judge(error, max(rtol * size, atol), iterations, max_iter)
        residual = _relative(error, size)
    response = system.respond(iterate)
    return Solution((iterate, response), result, iterations, residual, system.products)


def _judge(error: float, threshold: float, iterations: int, max_iter: int) -> Result:
    """Name how a foreign engine ended, by the true residual alone."""
    if not math.isfinite(error):
        return Result.NONFINITE
    if error <= threshold:
        return Result.CONVERGED
    return Result.TRUNCATED if iterations >= max_iter else Result.STAGNATED


def _relative(error: float, size: float) -> float:
    if size > 0.0:
        return error / size
    return 0.0 if error == 0.0 else math.inf
