"""Every solve is right or says that it is not, against dense float64 solutions."""

import math
from collections.abc import Callable
from functools import lru_cache

import pytest
import torch
from linear_systems import (
    CONDITIONS,
    DTYPES,
    SPECTRA,
    GeneralSum,
    ZeroSum,
    general_sum,
    zero_sum,
    zero_sum_systems,
)
from torch import Tensor

from gamedyn.solvers import Result, Solution, cg, gmres, solve
from gamedyn.solvers.vectors import Vector

TOLERANCES = (1e-2, 1e-3, 1e-6, 1e-10)


@lru_cache
def systems() -> list[ZeroSum]:
    return [system for dtype in DTYPES for kind in SPECTRA for system in zero_sum_systems(kind, dtype)]


@lru_cache
def general_systems() -> list[GeneralSum]:
    return [
        general_sum(kind, size, dtype, seed)
        for dtype in DTYPES
        for kind in ("zero-sum", "indefinite", "non-symmetric", "singular")
        for size in (0.1, 0.9, 1.1, 3.0, 10.0, 1e2, 1e3)
        for seed in range(2)
    ]


def as_operator(problem: ZeroSum) -> tuple[Callable[[Vector], Vector], ZeroSum]:
    """The same system for a generic solver: its right-hand side as it stands in the dtype."""
    K = problem.matrix
    given = ZeroSum(problem.name, K, problem.a + K.T @ problem.c, torch.zeros_like(problem.c))
    return lambda vector: [vector[0] + K.T @ (K @ vector[0])], given


Answer = tuple[ZeroSum, Tensor, Tensor | None, Solution]


def by_generic(method: Callable[..., Solution[Vector]]) -> Callable[[ZeroSum, float], Answer]:
    def answer(problem: ZeroSum, rtol: float) -> Answer:
        operator, given = as_operator(problem)
        solution = method(operator, [-given.a], rtol=rtol, max_iter=2000)
        return given, solution.value[0], None, solution

    return answer


def by_engine(engine: str) -> Callable[[ZeroSum, float], Answer]:
    def answer(problem: ZeroSum, rtol: float) -> Answer:
        solution = solve(problem.system, engine=engine, rtol=rtol, max_iter=2000)
        (xi,), (upsilon,) = solution.value
        return problem, xi, upsilon, solution

    return answer


METHODS = {
    "cg": by_generic(cg),
    "gmres": by_generic(gmres),
    "torch": by_engine("torch"),
    "scipy": by_engine("scipy"),
}


class Tally:
    """Worst cases over many solves, quotable from the test's report."""

    def __init__(self) -> None:
        self.systems: set[str] = set()
        self.solves = self.converged = 0
        self.error = self.claim = self.gap = 0.0

    def __str__(self) -> str:
        return (
            f"{len(self.systems)} systems, {self.solves} solves ({self.converged} converged): worst error / "
            f"allowed {self.error:.3f}, worst true residual / tolerance where converged {self.claim:.3f}"
        )


@pytest.fixture
def quote(
    record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> Callable[[str, object], None]:
    """Put a figure into the junit report and onto the terminal."""

    def say(name: str, figure: object) -> None:
        record_property(name, str(figure))
        with capsys.disabled():
            print(f"\n{name}: {figure}")

    return say


@pytest.mark.parametrize("method", METHODS)
def test_zero_sum_solves_against_dense(method: str, quote: Callable[[str, object], None]) -> None:
    tally = Tally()
    for problem in systems():
        for rtol in TOLERANCES if method != "gmres" else TOLERANCES[::2]:
            given, xi, upsilon, solution = METHODS[method](problem, rtol)
            where = f"{problem.name} rtol={rtol:g}: {solution.result.name}, {solution.residual:.3g}"
            true = given.residual(xi)
            tally.systems.add(problem.name)
            tally.solves += 1
            gap = abs(true - solution.residual) / (0.05 * true + 2.0 * given.rounding(xi))
            assert gap <= 1.0, f"{where}; the true residual is {true:.3g}"
            if not solution.converged:
                singular_to_it = method == "gmres" and given.eps * given.kappa > 1.0
                allowed_ends = {Result.STAGNATED, Result.TRUNCATED} | (
                    {Result.BREAKDOWN} if singular_to_it else set()
                )
                assert solution.result in allowed_ends, where
                assert solution.residual > 0.0 or rtol < given.rounding(xi), where
                continue
            tally.converged += 1
            tally.claim = max(tally.claim, true / rtol)
            expected, response = given.solution
            error = (xi.double() - expected).norm().item()
            if upsilon is not None:  # in the players' joint metric, where the bound on ξ holds for both
                error = math.hypot(error, (upsilon.double() - response).norm().item())
                expected = torch.cat([expected, response])
            rounding = 50.0 * given.eps * given.kappa * expected.norm().item()
            allowed = 4.0 * rtol * given.rhs.norm().item() + rounding
            tally.error = max(tally.error, error / allowed)
            assert error <= allowed, where
            assert true <= 1.05 * rtol, f"{where}; the true residual is {true:.3g}"
    assert len(tally.systems) >= 350
    assert tally.converged >= 0.5 * tally.solves
    quote(f"R2 {method}", tally)


@pytest.mark.parametrize("engine", ["torch", "scipy"])
def test_general_sum_solves_against_dense(engine: str, quote: Callable[[str, object], None]) -> None:
    tally = Tally()
    for problem in general_systems():
        for rtol in TOLERANCES:
            solution = solve(problem.system, engine=engine, rtol=rtol, max_iter=400)
            (xi,), (upsilon,) = solution.value
            true = problem.residual(xi)
            where = (
                f"{problem.name} rtol={rtol:g}: {solution.result.name}, {solution.residual:.3g}, {true:.3g}"
            )
            tally.systems.add(problem.name)
            tally.solves += 1
            assert torch.isfinite(xi).all()
            assert torch.isfinite(upsilon).all()
            if not solution.converged:
                continue
            tally.converged += 1
            tally.claim = max(tally.claim, true / rtol)
            assert true <= 1.05 * rtol, where
            if "singular" not in problem.name:
                error = (xi.double() - problem.solution).norm().item()
                rounding = 50.0 * problem.eps * problem.kappa * problem.solution.norm().item()
                allowed = 4.0 * rtol * problem.rhs.norm().item() * max(1.0, problem.amplification) + rounding
                tally.error = max(tally.error, error / allowed)
                assert error <= allowed, where
    quote(f"R2 general-sum {engine}", tally)


@pytest.mark.parametrize("distinct", [1, 2, 3, 5])
@pytest.mark.parametrize("engine", ["torch", "scipy"])
def test_clustered_eigenvalues_converge_in_their_number(distinct: int, engine: str) -> None:
    generator = torch.Generator().manual_seed(distinct)
    left, right = (
        torch.linalg.qr(torch.randn(40, 40, generator=generator, dtype=torch.float64))[0] for _ in range(2)
    )
    values = torch.linspace(0.5, 20.0, distinct, dtype=torch.float64)
    K = (left * values[torch.arange(40) % distinct]) @ right.T
    a, c = torch.randn(2, 40, generator=generator, dtype=torch.float64)
    problem = ZeroSum("clusters", K, a, c)
    solution = solve(problem.system, engine=engine, rtol=1e-9)
    assert solution.converged
    assert solution.iterations <= distinct + 1
    assert problem.residual(solution.value[0][0]) <= 1e-9


@pytest.mark.parametrize("scale", [1e25, 1e-25])
@pytest.mark.parametrize("engine", ["torch", "scipy"])
@pytest.mark.parametrize("kind", SPECTRA)
def test_gradients_of_any_scale_in_float32(kind: str, engine: str, scale: float) -> None:
    for kappa in CONDITIONS[:4]:
        problem = zero_sum(kind, (20, 36), kappa, torch.float32, seed=3, scale=scale)
        solution = solve(problem.system, engine=engine, rtol=1e-3)
        assert solution.converged
        assert problem.residual(solution.value[0][0]) <= 1.05e-3
        like = zero_sum(kind, (20, 36), kappa, torch.float32, seed=3)
        # the scale is no power of two: other roundings, and with them some more iterations or fewer
        assert solution.iterations <= 1.25 * solve(like.system, engine=engine, rtol=1e-3).iterations + 1


@pytest.mark.parametrize("scale", [1e25, 1e-25])
@pytest.mark.parametrize("engine", ["torch", "scipy"])
def test_general_sum_gradients_of_any_scale_in_float32(engine: str, scale: float) -> None:
    problem = general_sum("non-symmetric", 0.9, torch.float32, seed=3)
    scaled = GeneralSum("scaled", problem.forward, problem.backward, problem.a * scale, problem.c * scale)
    solution = solve(scaled.system, engine=engine, rtol=1e-3)
    assert solution.converged
    assert scaled.residual(solution.value[0][0]) <= 1.05e-3


@pytest.mark.parametrize("method", [cg, gmres])
@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_generic_right_hand_sides_of_any_scale_in_float32(
    method: Callable[..., Solution[Vector]], scale: float
) -> None:
    diagonal = torch.logspace(0, 3, 30)
    rhs = torch.linspace(1, 2, 30) * scale
    solution = method(lambda v: [diagonal * v[0]], [rhs], rtol=1e-3)
    assert solution.converged
    assert torch.allclose(solution.value[0], rhs / diagonal, rtol=0.0, atol=1e-3 * rhs.double().norm().item())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rtol", [0.0, 1e-30])
def test_unreachable_tolerances_are_never_reached(dtype: torch.dtype, rtol: float) -> None:
    problem = zero_sum("log-spaced", (20, 36), 1e4, dtype, seed=1)
    operator, given = as_operator(problem)
    for solution in (
        solve(problem.system, rtol=rtol, max_iter=500),
        solve(problem.system, rtol=rtol, max_iter=500, engine="scipy"),
        cg(operator, [-given.a], rtol=rtol),
        gmres(operator, [-given.a], rtol=rtol),
        solve(general_sum("non-symmetric", 0.9, dtype, seed=1).system, rtol=rtol, max_iter=500),
    ):
        assert not solution.converged
        assert solution.result in {Result.STAGNATED, Result.TRUNCATED}
        assert 0.0 <= solution.residual < 1e-2


@pytest.mark.parametrize("dtype", DTYPES)
def test_scalar_systems_whose_residual_rounds_to_zero_make_no_claim(dtype: torch.dtype) -> None:
    rtol = 1e-3 * torch.finfo(dtype).eps
    for value in torch.linspace(0.1, 3.0, 50, dtype=dtype):
        problem = ZeroSum("scalar", value.reshape(1, 1), value.reshape(1) / 3, value.reshape(1) / 7)
        assert not solve(problem.system, rtol=rtol).converged
        assert not cg(lambda v, factor=value: [factor * v[0]], [problem.a], rtol=rtol).converged
