"""Truncated, broken, singular and degenerate solves: never far, never silent, always finite."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from linear_systems import (
    CONDITIONS,
    DTYPES,
    SPECTRA,
    DenseCoupling,
    Poisoned,
    ZeroSum,
    general_sum,
    zero_sum,
)
from torch import Tensor

from gamedyn.optimizers import CGD
from gamedyn.solvers import GeneralSumSystem, Result, Solution, ZeroSumSystem, cg, gmres, solve
from gamedyn.solvers.solve import Steps
from gamedyn.solvers.vectors import Vector, all_finite, norm, unit

ENGINES = ("torch", "scipy")


def eps(tensor: Tensor) -> float:
    return torch.finfo(tensor.dtype).eps


def reach(solution: Solution[Steps], a: Tensor, c: Tensor) -> float:
    """The step in the players' metric, relative to the gradient step."""
    step = math.hypot(*(norm([tensor.double() for tensor in steps]) for steps in solution.value))
    return step / math.hypot(a.double().norm().item(), c.double().norm().item())


@pytest.mark.parametrize("engine", ENGINES)
def test_truncated_solves_never_step_far(
    engine: str, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    worst, solves = 0.0, 0
    for dtype in DTYPES:
        for kind in SPECTRA:
            for kappa in CONDITIONS:
                problem = zero_sum(kind, (20, 36), kappa, dtype, seed=5)
                for max_iter in (1, 2, 3, 5, 8):
                    solution = solve(problem.system, engine=engine, rtol=1e-12, max_iter=max_iter)
                    assert solution.iterations <= max_iter
                    residual = problem.residual(solution.value[0][0])
                    assert solution.residual == pytest.approx(residual, rel=0.01, abs=kappa * eps(problem.a))
                    assert solution.result in {Result.CONVERGED, Result.TRUNCATED, Result.STAGNATED}
                    solves += 1
                    worst = max(worst, reach(solution, problem.a, problem.c))
    record_property(f"R3 {engine}", worst)
    with capsys.disabled():
        print(f"\nR3 {engine}: {solves} truncated solves, longest step / gradient step {worst:.3f} (bar 3)")
    assert worst <= 3.0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_truncated_solve_whose_response_would_blow_up(engine: str) -> None:
    """`c` along a stiff direction: back-substitution from ξ = 0 + noise multiplies it by √κ."""
    K = torch.diag(torch.tensor([1e4, 1e2, 1.0], dtype=torch.float64))
    a, c = (
        torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64),
        torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64),
    )
    for max_iter in (1, 2, 3):
        solution = solve(
            ZeroSumSystem(DenseCoupling(K), [a], [c]), engine=engine, rtol=1e-14, max_iter=max_iter
        )
        assert reach(solution, a, c) <= 2.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("gap", [0.0, 1e-7, 1e-4])
def test_singular_general_sum_steps_are_shortened_and_reported(
    gap: float, engine: str, dtype: torch.dtype
) -> None:
    """`f = g = (1 − gap) x·y` with unit rates: `I − K_f K_g` is (nearly) zero, its solution far away."""
    x, y = (torch.ones(3, dtype=dtype, requires_grad=True) for _ in range(2))
    opt = CGD([x], [y], lr=1.0, engine=engine, max_iter=20)

    def closure() -> tuple[Tensor, Tensor]:
        value = (1.0 - gap) * (x * y).sum() + x.sum()
        return value, value

    opt.step(closure)
    assert opt.last_step is not None
    moved = math.hypot((x - 1.0).norm().item(), (y - 1.0).norm().item())
    if not opt.last_step.converged:
        assert opt.last_step.reason
        assert moved <= 3.0 * math.sqrt(3) * math.hypot(2.0 - gap, 1.0 - gap) * (1 + 1e-5)
    else:  # the equations of the local equilibrium hold, far as it is
        assert gap > 0.0
        assert torch.allclose(x.detach() - 1.0, -(2.0 - gap + (1.0 - gap) * (y.detach() - 1.0)), rtol=1e-2)


@pytest.mark.parametrize("size", [0.1, 1.1, 10.0, 1e3])
@pytest.mark.parametrize("engine", ENGINES)
def test_singular_general_sum_solves_say_so(size: float, engine: str) -> None:
    problem = general_sum("singular", size, torch.float64, seed=1)
    solution = solve(problem.system, engine=engine, rtol=1e-10)
    assert not solution.converged
    assert solution.result in {Result.BREAKDOWN, Result.STAGNATED, Result.TRUNCATED}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
@pytest.mark.parametrize("engine", ENGINES)
def test_products_that_are_not_finite_leave_a_finite_iterate(engine: str, value: float) -> None:
    problem = zero_sum("uniform", (20, 36), 100.0, torch.float32, seed=0)
    spent = solve(problem.system, engine=engine, rtol=1e-3, max_iter=6).products
    for product in range(1, spent + 1):
        coupling = Poisoned(problem.matrix, product, value)
        solution = solve(
            ZeroSumSystem(coupling, [problem.a], [problem.c]), engine=engine, rtol=1e-3, max_iter=6
        )
        assert all(torch.isfinite(tensor).all() for steps in solution.value for tensor in steps), product
        if not math.isfinite(value) and (engine == "torch" or math.isnan(value)):
            assert solution.result is Result.NONFINITE, product  # scipy may absorb 1 / inf, and go on
        assert not solution.converged or problem.residual(solution.value[0][0]) <= 1.05e-3


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("engine", ENGINES)
def test_general_sum_products_that_are_not_finite(engine: str, value: float) -> None:
    problem = general_sum("non-symmetric", 0.9, torch.float32, seed=0)

    def spoilt(vector: Vector) -> Vector:
        image = problem.backward @ vector[0]
        image[0] = value
        return [image]

    system = GeneralSumSystem(lambda vector: [problem.forward @ vector[0]], spoilt, [problem.a], [problem.c])
    solution = solve(system, engine=engine)
    assert solution.result is Result.NONFINITE
    assert all(torch.isfinite(tensor).all() for steps in solution.value for tensor in steps)


@pytest.mark.parametrize("method", [cg, gmres])
def test_infinities_of_both_signs_side_by_side(method: Callable[..., Solution[Vector]]) -> None:
    def operator(vector: Vector) -> Vector:
        return [vector[0] * math.inf, vector[1] * -math.inf]

    solution = method(operator, [torch.ones(2), torch.ones(3)])
    assert solution.result is Result.NONFINITE
    assert all(torch.isfinite(tensor).all() for tensor in solution.value)


def test_a_product_that_fails_in_the_closing_check_is_reported() -> None:
    calls = 0

    def operator(vector: Vector) -> Vector:
        nonlocal calls
        calls += 1
        return [torch.full_like(vector[0], math.nan) if calls == 3 else torch.arange(1.0, 6.0) * vector[0]]

    solution = cg(operator, [torch.ones(5)], max_iter=2)
    assert solution.result is Result.NONFINITE
    assert torch.isfinite(solution.value[0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_cg_refuses_an_indefinite_operator(dtype: torch.dtype) -> None:
    diagonal = torch.tensor([3.0, 1.0, -2.0, -5.0], dtype=dtype)
    solution = cg(lambda v: [diagonal * v[0]], [torch.ones(4, dtype=dtype)])
    assert solution.result is Result.BREAKDOWN
    assert "positive definite" in solution.result.value
    assert torch.isfinite(solution.value[0]).all()
    solution = cg(lambda v: [0.0 * v[0]], [torch.ones(4, dtype=dtype)])
    assert solution.result is Result.BREAKDOWN


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_zero_right_hand_side_is_solved_by_zero(dtype: torch.dtype) -> None:
    zero, one = torch.zeros(4, dtype=dtype), torch.ones(4, dtype=dtype)
    for method in (cg, gmres):
        solution = method(lambda v: [2.0 * v[0]], [zero])
        assert (solution.result, solution.iterations, solution.residual) == (Result.CONVERGED, 0, 0.0)
        assert torch.equal(solution.value[0], zero)
        solution = method(lambda v: [2.0 * v[0]], [zero], x0=[one], atol=1e-3)
        assert solution.converged
        assert solution.value[0].norm() <= 1e-3
    for engine in ENGINES:
        coupling = DenseCoupling(torch.eye(4, dtype=dtype))
        for system in (
            ZeroSumSystem(coupling, [zero], [zero]),
            GeneralSumSystem(coupling.apply, coupling.adjoint, [zero], [zero]),
        ):
            steps = solve(system, engine=engine)
            assert steps.converged
            assert steps.residual == 0.0
            assert all(torch.equal(step[0], zero) for step in steps.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_warm_starts_begin_from_their_own_residual(engine: str) -> None:
    problem = zero_sum("uniform", (20, 36), 100.0, torch.float64, seed=2)
    cold = solve(problem.system, engine=engine, rtol=1e-8)
    exact, _ = problem.solution
    warm = solve(problem.system, engine=engine, rtol=1e-8, x0=[exact])
    assert (warm.converged, warm.iterations) == (True, 0)
    near = exact + 1e-6 * torch.ones_like(exact)
    warm = solve(problem.system, engine=engine, rtol=1e-8, x0=[near])
    assert warm.converged
    assert 0 < warm.iterations < cold.iterations
    assert torch.allclose(warm.value[0][0], exact, rtol=0.0, atol=1e-7 * exact.norm().item())
    harmful = solve(problem.system, engine=engine, rtol=1e-8, x0=[1e3 * exact])
    assert harmful.converged
    assert torch.allclose(harmful.value[0][0], exact, rtol=0.0, atol=1e-7 * exact.norm().item())


@pytest.mark.parametrize("method", [cg, gmres])
def test_generic_warm_starts(method: Callable[..., Solution[Vector]]) -> None:
    diagonal = torch.arange(1.0, 9.0, dtype=torch.float64)
    rhs = torch.ones(8, dtype=torch.float64)
    guess = [rhs / diagonal + 1e-9]
    kept = guess[0].clone()
    solution = method(lambda v: [diagonal * v[0]], [rhs], x0=guess, rtol=1e-6)
    assert (solution.converged, solution.iterations, solution.products) == (True, 0, 1 + (method is cg))
    assert torch.equal(guess[0], kept)
    assert torch.equal(rhs, torch.ones(8, dtype=torch.float64))


def test_a_far_guess_is_not_trusted_by_a_truncated_solve() -> None:
    problem = zero_sum("log-spaced", (20, 36), 1e6, torch.float64, seed=2)
    for scale in (1e3, math.inf, math.nan):
        guess = [torch.full_like(problem.a, scale)]
        solution = solve(problem.system, rtol=1e-12, max_iter=1, x0=guess)
        assert reach(solution, problem.a, problem.c) <= 2.0


@pytest.mark.parametrize("restart", [1, 2, 5, 50])
@pytest.mark.parametrize("engine", ENGINES)
def test_gmres_keeps_to_max_iter_at_any_restart(engine: str, restart: int) -> None:
    problem = general_sum("non-symmetric", 0.9, torch.float64, seed=4)
    for max_iter in (1, 3, 7, 200):
        solution = solve(problem.system, engine=engine, rtol=1e-8, restart=restart, max_iter=max_iter)
        assert solution.iterations <= max_iter
        assert solution.converged == (problem.residual(solution.value[0][0]) <= 1e-8)
    assert solution.converged


def test_cg_keeps_to_max_iter_and_reports_the_residual_there() -> None:
    problem = zero_sum("log-spaced", (24, 24), 1e4, torch.float64, seed=4)
    residuals = []
    for max_iter in (1, 2, 4, 8, 16):
        solution = solve(problem.system, rtol=1e-12, max_iter=max_iter)
        assert solution.result is Result.TRUNCATED
        assert solution.iterations == max_iter
        assert solution.residual == pytest.approx(problem.residual(solution.value[0][0]), rel=1e-6)
        residuals.append(solution.residual)
    assert min(residuals) == residuals[-1]


def test_absolute_tolerance_counts_where_it_is_larger() -> None:
    problem: ZeroSum = zero_sum("uniform", (20, 36), 100.0, torch.float64, seed=2)
    size = problem.rhs.norm().item()
    for engine in ENGINES:
        solution = solve(problem.system, engine=engine, rtol=1e-12, atol=0.1 * size)
        assert solution.converged
        assert 1e-6 < problem.residual(solution.value[0][0]) <= 0.1


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
@pytest.mark.parametrize("method", [cg, gmres])
def test_right_hand_sides_of_any_scale_are_solved(
    method: Callable[..., Solution[Vector]], scale: float
) -> None:
    d = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    solution = method(lambda v: [d * v[0]], [torch.full_like(d, scale)], rtol=1e-12)
    assert solution.converged
    torch.testing.assert_close(solution.value[0] / scale, 1.0 / d, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_of_any_scale_make_a_step(engine: str, scale: float) -> None:
    x, y = (torch.ones(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    opt = CGD([x], [y], lr=0.1 / scale, engine=engine, rtol=1e-9)
    opt.step(lambda: scale * (x * y).sum())
    assert opt.last_step is not None
    assert opt.last_step.converged, opt.last_step
    torch.testing.assert_close(x, torch.full_like(x, 1.0 - 0.11 / 1.01), rtol=1e-9, atol=0.0)


def test_one_gradient_among_many_of_float16_is_no_overflow() -> None:
    vector = torch.zeros(200_000, dtype=torch.float16)
    vector[7] = 3.0
    assert unit([vector]) == 4.0
    assert unit([vector], [torch.tensor([5.0])]) == 8.0
    assert unit([torch.zeros(3)], []) == unit([torch.tensor([math.inf])]) == 1.0
    for wrong in (math.nan, math.inf):
        assert unit([torch.tensor([3.0])], [torch.tensor([wrong])]) == 1.0
        assert unit([torch.tensor([wrong])], [torch.tensor([3.0])]) == 1.0


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e-6, 1.0, 1e6, 1e20, 1e30])
def test_a_unit_brings_squares_into_range_and_no_entry_is_lost(size: float) -> None:
    vector = size * torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    within = vector / unit([vector], [vector[:10]])
    assert 1e-3 < norm([within]) < 1e3
    assert torch.equal(within * unit([vector], [vector[:10]]), vector)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_only_nan_and_infinity_are_not_finite(dtype: torch.dtype) -> None:
    """Not squares that overflow, nor sums."""
    large = torch.full((1000,), 0.5 * torch.finfo(dtype).max, dtype=dtype)
    assert all_finite([large], [], [torch.zeros(0, dtype=dtype), -large])
    for wrong in (math.nan, math.inf, -math.inf):
        broken = large.clone()
        broken[7] = wrong
        assert not all_finite([large, broken])
        assert not all_finite([torch.zeros(3, dtype=dtype)], [torch.tensor([0.0, wrong], dtype=dtype)])


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("atol", [0.0, 1e-8])
def test_a_frozen_player_0_leaves_a_gradient_step(engine: str, general: bool, atol: float) -> None:
    x, y = (torch.ones(2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    x.requires_grad_(False)
    opt = CGD([x], [y], lr=0.1, engine=engine, atol=atol)
    opt.step(lambda: ((x * y).sum(), -(x * y).sum()) if general else (x * y).sum())
    torch.testing.assert_close(y.detach(), torch.full_like(y, 1.1), rtol=1e-15, atol=0.0)


@pytest.mark.parametrize(
    "wrong", [{"rtol": math.nan}, {"rtol": -1.0}, {"atol": math.nan}, {"check_every": 0}, {"restart": -1}]
)
def test_wrong_options_are_named(wrong: dict[str, float]) -> None:
    ((name, value),) = wrong.items()
    problem = zero_sum("uniform", (4, 3), 10.0, torch.float64, seed=0)
    calls: list[Callable[..., object]] = [lambda **options: solve(problem.system, **options)]
    methods = [gmres] if name == "restart" else [cg, gmres]
    calls += [partial(method, lambda v: v, [torch.ones(2)]) for method in methods]
    for call in calls:
        with pytest.raises(ValueError, match=rf"Invalid {name}: {value}"):
            call(**wrong)


@pytest.mark.parametrize("method", [cg, gmres])
def test_the_residual_of_a_nan_is_infinite(method: Callable[..., Solution[Vector]]) -> None:
    solution = method(lambda v: [v[0] * math.nan], [torch.ones(2)], x0=[torch.ones(2)])
    assert solution.result is Result.NONFINITE
    assert solution.residual == math.inf
