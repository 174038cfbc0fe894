"""Solve the linear system of a competitive step with a chosen engine."""

import math
from typing import TypeAlias

from gamedyn.solvers.cg import conjugate_gradients
from gamedyn.solvers.engines import ArrayEngine, krylov, load_engine
from gamedyn.solvers.general_sum import GeneralSumSystem
from gamedyn.solvers.gmres import gmres
from gamedyn.solvers.options import check_options
from gamedyn.solvers.scalars import read
from gamedyn.solvers.solution import Result, Solution, relative
from gamedyn.solvers.vectors import Vector, add_, clone, norm, scale_, zeros_like
from gamedyn.solvers.zero_sum import ZeroSumSystem

Steps: TypeAlias = tuple[Vector, Vector]
"""Both players' scaled steps."""

# A foreign engine stops by its own residual, so it is given a little less than the tolerance to aim at.
_AIM = 0.9


def solve(
    system: ZeroSumSystem | GeneralSumSystem,
    *,
    engine: str | ArrayEngine = "torch",
    rtol: float = 1e-6,
    atol: float = 0.0,
    max_iter: int = 100,
    check_every: int = 1,
    restart: int = 20,
    x0: Vector | None = None,
) -> Solution[Steps]:
    """Find both players' steps at the local Nash equilibrium.

    A zero-sum game's system is symmetric positive definite and goes to conjugate gradients; a general-sum
    game's is neither and goes to restarted GMRES.

    Args:
        system: The system of the step.
        engine: "torch", "scipy", "cupy", or a pair of modules. Only "torch" uses a system's relaxed products:
            the others stop by their own residual, so they are given the exact ones.
        rtol: Tolerance on the true residual's norm relative to the right-hand side's.
        atol: Absolute tolerance on the true residual's norm; the larger bound counts.
        max_iter: The most Krylov iterations to take.
        check_every: Iterations between two reads of the device (engine "torch"; the others read every one).
            A solve may run on by up to `check_every - 1` iterations, which count. Above 1 it pays on an
            accelerator, which then computes ahead; on a CPU it only costs.
        restart: Iterations per GMRES cycle.
        x0: Player 0's scaled step to start from; zero for None.

    Returns:
        The pair `(ξ, υ)` of scaled steps, how the solve ended and the true relative residual.

    Raises:
        ValueError: For an unknown engine, tensors on another device than the engine's, a tolerance that is no
            number of at least 0, or a `check_every` or `restart` below 1.
        RuntimeError: If cupy is not installed or finds no CUDA device.

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
    check_options(rtol=rtol, atol=atol, check_every=check_every, restart=restart)
    atol = atol / system.unit
    x0 = None if x0 is None else scale_(clone(x0), 1.0 / system.unit)
    foreign = None if engine == "torch" else load_engine(engine) if isinstance(engine, str) else engine
    if isinstance(system, ZeroSumSystem):
        return _zero_sum(system, foreign, rtol, atol, max_iter, check_every, restart, x0)
    return _general_sum(system, foreign, rtol, atol, max_iter, check_every, restart, x0)


def _zero_sum(
    system: ZeroSumSystem,
    foreign: ArrayEngine | None,
    rtol: float,
    atol: float,
    max_iter: int,
    check_every: int,
    restart: int,
    x0: Vector | None,
) -> Solution[Steps]:
    if foreign is None:
        result, iterations, residual = conjugate_gradients(
            system, rtol=rtol, atol=atol, max_iter=max_iter, check_every=check_every, x0=x0
        )
        return Solution(system.steps, result, iterations, residual, system.products, system.relaxed_products)
    (size,) = read(system.start(None))
    threshold = max(rtol * size, atol)
    iterate, iterations = krylov(
        foreign,
        "cg",
        system.operator,
        system.residual,
        threshold=_AIM * threshold,
        max_iter=max_iter,
        restart=restart,
        x0=x0,
    )
    error, doubt = read(system.adopt(iterate), system.doubt())
    result = _judge(error, doubt, threshold, iterations >= max_iter)
    return Solution(system.steps, result, iterations, relative(error, size), system.products)


def _general_sum(
    system: GeneralSumSystem,
    foreign: ArrayEngine | None,
    rtol: float,
    atol: float,
    max_iter: int,
    check_every: int,
    restart: int,
    x0: Vector | None,
) -> Solution[Steps]:
    system.measure_by(lazily=foreign is None and check_every > 1)
    rhs = system.rhs()
    if foreign is None:
        inner = gmres(
            system.operator,
            rhs,
            rtol=rtol,
            atol=atol,
            max_iter=max_iter,
            check_every=check_every,
            restart=restart,
            x0=x0,
            rounding=system.doubt,
            relaxed=system.relaxed_operator,
        )
        steps = system.steps(inner.value)
        return Solution(
            steps, inner.result, inner.iterations, inner.residual, system.products, system.relaxed_products
        )
    size = norm(rhs)
    threshold = max(rtol * size, atol)
    iterate, iterations = krylov(
        foreign,
        "gmres",
        system.operator,
        rhs,
        threshold=_AIM * threshold,
        max_iter=max_iter,
        restart=restart,
        x0=x0,
    )
    error = norm(add_(clone(rhs), system.operator(iterate), -1.0))
    (doubt,) = read(system.doubt(iterate))
    result = _judge(error, doubt, threshold, iterations >= max_iter)
    steps = system.steps(iterate if result is not Result.NONFINITE else zeros_like(rhs))
    return Solution(steps, result, iterations, relative(error, size), system.products)


def _judge(error: float, doubt: float, threshold: float, spent: bool) -> Result:
    """Name how a foreign engine ended, by the true residual alone."""
    if not math.isfinite(error):
        return Result.NONFINITE
    if error + doubt <= threshold or error == threshold == 0.0:
        return Result.CONVERGED
    return Result.TRUNCATED if spent else Result.STAGNATED
