"""Solves that take most of their products from a cheaper, less accurate coupling keep their word."""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import pytest
import torch
from linear_systems import (
    SPECTRA,
    DenseCoupling,
    GeneralSum,
    Poisoned,
    ZeroSum,
    general_sum,
    zero_sum,
    zero_sum_systems,
)
from torch import Tensor

from gamedyn.optimizers import ACGD, CGD
from gamedyn.optimizers.closure import linearise
from gamedyn.solvers import GeneralSumSystem, Linearisation, Result, ZeroSumSystem, gmres, solve
from gamedyn.solvers.cg import conjugate_gradients
from gamedyn.solvers.mixed_hessian import RELAXATION, RELAXED_ERROR
from gamedyn.solvers.scalars import Measure
from gamedyn.solvers.vectors import Vector, norm

TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-6)


class Bfloat16(DenseCoupling):
    """Products in bfloat16: matrix, vector and image are rounded."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(matrix)
        self.low = matrix.bfloat16()

    def apply(self, vector: Vector) -> Vector:
        self.products += 1
        return [(self.low @ vector[0].bfloat16()).to(vector[0].dtype)]

    def adjoint(self, vector: Vector) -> Vector:
        self.products += 1
        return [(self.low.T @ vector[0].bfloat16()).to(vector[0].dtype)]


class Noisy(DenseCoupling):
    """Products with a relative error of `RELAXED_ERROR` at random, afresh in each: no linear map at all."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(matrix)
        self._generator = torch.Generator().manual_seed(0)

    def apply(self, vector: Vector) -> Vector:
        return [self.spoilt(super().apply(vector)[0])]

    def adjoint(self, vector: Vector) -> Vector:
        return [self.spoilt(super().adjoint(vector)[0])]

    def spoilt(self, image: Tensor) -> Tensor:
        error = torch.randn(image.shape, generator=self._generator, dtype=image.dtype)
        return image + error * (RELAXED_ERROR * image.norm() / error.norm())


class Biased(DenseCoupling):
    """Products of another coupling, far from the right one."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(1.2 * matrix)


class Nothing(DenseCoupling):
    """Products that are zero: every claim is made at once, and leads far where the coupling is strong."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(0.0 * matrix)


FAKES = {"bfloat16": Bfloat16, "noise": Noisy, "bias": Biased}
fakes = pytest.mark.parametrize("fake", FAKES.values(), ids=FAKES)


def relaxed(problem: ZeroSum, fake: Callable[[Tensor], DenseCoupling]) -> ZeroSumSystem:
    return ZeroSumSystem(problem.coupling, [problem.a], [problem.c], fake(problem.matrix))


@lru_cache
def systems() -> list[ZeroSum]:
    return [
        problem
        for kind in SPECTRA
        for problem in zero_sum_systems(kind, torch.float32)
        if problem.kappa < 2e6
    ]


def assert_true(problem: ZeroSum, solution: Any, rtol: float, where: str) -> None:
    """What the solution says of itself is so, by float64."""
    xi, upsilon = (steps[0] for steps in solution.value)
    true = problem.residual(xi)
    rounding = problem.rounding(xi)
    assert abs(true - solution.residual) <= 0.05 * true + 2.0 * rounding, f"{where}: {true:.3g}"
    assert not solution.converged or true <= 1.05 * rtol, f"{where}: {true:.3g}"
    response = problem.c.double() + problem.matrix.double() @ xi.double()
    size = problem.c.norm().item() + (problem.matrix.double().norm() * xi.double().norm()).item()
    assert (upsilon.double() - response).norm().item() <= 10.0 * problem.eps * size, where
    start = math.hypot(problem.a.double().norm().item(), problem.c.double().norm().item())
    step = math.hypot(xi.double().norm().item(), upsilon.double().norm().item())
    assert step <= 2.0 * start, f"{where}: a far step"


@fakes
@pytest.mark.parametrize("check_every", [1, 4])
def test_the_true_residual_decides(fake: type[DenseCoupling], check_every: int) -> None:
    used = 0
    for problem in systems():
        for rtol in TOLERANCES:
            exact = solve(problem.system, rtol=rtol, max_iter=400)
            solution = solve(relaxed(problem, fake), rtol=rtol, max_iter=400, check_every=check_every)
            where = f"{problem.name} rtol={rtol:g}: {solution.result.name}, {solution.residual:.3g}"
            assert_true(problem, solution, rtol, where)
            used += solution.relaxed > 0
            if exact.converged and problem.eps * problem.kappa <= rtol and rtol >= 1e-3:
                assert solution.converged, where
                assert solution.iterations <= 4 * exact.iterations + 3 * check_every, where
    assert used >= 380


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mixed_precisions_reach_tolerances_far_below_theirs(dtype: torch.dtype) -> None:
    """By the exact products that take over: bfloat16 has 8 bits."""
    for kappa in (10.0, 1e2):
        problem = zero_sum("log-spaced", (20, 36), kappa, dtype, seed=2)
        rtol = 1e-5 if dtype is torch.float32 else 1e-12
        solution = solve(relaxed(problem, Bfloat16), rtol=rtol)
        assert solution.converged
        assert solution.relaxed > 0
        assert problem.residual(solution.value[0][0]) <= 1.05 * rtol


@fakes
def test_by_the_recurrence_alone_solves_would_claim_what_is_not_so(
    fake: type[DenseCoupling], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without the verification, some residual is above the tolerance claimed."""
    problems = [problem for problem in systems() if problem.kappa < 200]
    honest = [solve(relaxed(problem, fake), rtol=1e-2, max_iter=100) for problem in problems]
    assert all(solution.converged for solution in honest)
    worst = max(p.residual(s.value[0][0]) for p, s in zip(problems, honest, strict=True))
    assert worst <= 1.05e-2
    monkeypatch.setattr(ZeroSumSystem, "settle", lambda self, threshold, size, doubt: (size, 0.0))
    blind = [solve(relaxed(problem, fake), rtol=1e-2, max_iter=100) for problem in problems]
    believed = [p.residual(s.value[0][0]) for p, s in zip(problems, blind, strict=True) if s.converged]
    assert len(believed) > 10
    assert max(believed) > 1.2e-2


@pytest.mark.parametrize("check_every", [1, 3])
def test_a_relaxed_solve_costs_three_exact_products(check_every: int) -> None:
    """One for the right-hand side, which is exact, and two for the residual that it ends with."""
    for kind in SPECTRA:
        for rtol in (1e-1, 2e-2):
            assert rtol > RELAXATION, "relaxed from the start"
            problem = zero_sum(kind, (20, 36), 3.0, torch.float32, seed=1)
            exact, cheap = problem.coupling, Bfloat16(problem.matrix)
            system = ZeroSumSystem(exact, [problem.a], [problem.c], cheap)
            solution = solve(system, rtol=rtol, check_every=check_every)
            assert solution.converged
            assert solution.iterations > 0
            assert exact.products == 3
            assert cheap.products == solution.relaxed == 2 * solution.iterations
            assert solution.products == 2 * solution.iterations + 3
            again = solve(system, rtol=rtol, check_every=check_every)
            assert (again.iterations, cheap.products) == (solution.iterations, 2 * solution.relaxed)


def test_products_are_exact_until_the_residual_is_small_enough() -> None:
    """So that what relaxed products get wrong is as small as the tolerance."""
    problem = zero_sum("log-spaced", (20, 36), 30.0, torch.float64, seed=1)
    for rtol in (1e-4, 1e-6):
        residuals = []
        for count in range(1, 60):
            residuals.append(solve(problem.system, rtol=1e-14, max_iter=count).residual)
            if residuals[-1] <= rtol / RELAXATION:
                break
        exact, cheap = problem.coupling, DenseCoupling(problem.matrix)
        solution = solve(ZeroSumSystem(exact, [problem.a], [problem.c], cheap), rtol=rtol)
        assert solution.converged
        assert count > 3
        assert exact.products == 2 * count + 1 + 2
        assert cheap.products == solution.relaxed == 2 * (solution.iterations - count) > 0


class Order:
    """Two couplings that note in which order they are used."""

    def __init__(self, exact: DenseCoupling, cheap: DenseCoupling) -> None:
        self.calls: list[str] = []
        for name, coupling in (("exact", exact), ("cheap", cheap)):
            for method in ("apply", "adjoint"):
                setattr(coupling, method, self._noted(name, getattr(coupling, method)))

    def _noted(self, name: str, original: Callable[[Vector], Vector]) -> Callable[[Vector], Vector]:
        def noted(vector: Vector) -> Vector:
            self.calls.append(name)
            return original(vector)

        return noted

    def phases(self) -> list[str]:
        return [name for index, name in enumerate(self.calls) if self.calls[index - 1 : index] != [name]]


@pytest.mark.parametrize("check_every", [1, 4])
def test_a_claim_that_fails_is_made_good_by_exact_products(check_every: int) -> None:
    for kind in ("log-spaced", "uniform", "clustered"):
        problem = zero_sum(kind, (20, 36), 30.0, torch.float32, seed=1)
        exact, cheap = problem.coupling, Biased(problem.matrix)
        order = Order(exact, cheap)
        system = ZeroSumSystem(exact, [problem.a], [problem.c], cheap)
        solution = solve(system, rtol=1e-2, check_every=check_every)
        assert solution.converged
        assert problem.residual(solution.value[0][0]) <= 1.05e-2
        assert order.phases() == ["exact", "cheap", "exact"], "relaxed once, and never again"
        assert exact.products > 3, "the claim did fail"


@pytest.mark.parametrize("check_every", [1, 4])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, -1e6])
def test_a_relaxed_product_that_breaks_costs_time_only(value: float, check_every: int) -> None:
    problem = zero_sum("log-spaced", (20, 36), 30.0, torch.float32, seed=1)
    good = solve(relaxed(problem, DenseCoupling), rtol=1e-2, check_every=check_every)
    assert good.relaxed > 6
    for product in range(1, good.relaxed + 1):
        system = relaxed(problem, lambda matrix, at=product: Poisoned(matrix, at, value))
        solution = solve(system, rtol=1e-2, check_every=check_every)
        assert solution.converged, (product, solution)
        assert_true(problem, solution, 1e-2, f"product {product}")
        truncated = solve(
            relaxed(problem, lambda matrix, at=product: Poisoned(matrix, at, value)),
            rtol=1e-2,
            check_every=check_every,
            max_iter=2,
        )
        assert truncated.iterations <= 2
        assert_true(problem, truncated, 1e-2, f"truncated, product {product}")


@pytest.mark.parametrize("check_every", [1, 4])
def test_an_exact_product_that_breaks_after_them_is_reported(check_every: int) -> None:
    problem = zero_sum("log-spaced", (20, 36), 30.0, torch.float32, seed=1)
    for product in (1, 2, 3):
        exact = Poisoned(problem.matrix, product, math.nan)
        system = ZeroSumSystem(exact, [problem.a], [problem.c], Bfloat16(problem.matrix))
        solution = solve(system, rtol=1e-2, check_every=check_every)
        assert all(torch.isfinite(tensor).all() for steps in solution.value for tensor in steps)
        assert solution.result is Result.NONFINITE
        assert not solution.converged


@pytest.mark.parametrize("fake", [*FAKES.values(), Nothing])
@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_truncated_relaxed_solves_tell_their_true_residual(fake: type[DenseCoupling], max_iter: int) -> None:
    for problem in systems():
        for rtol in (1e-2, 1e-8):
            solution = solve(relaxed(problem, fake), rtol=rtol, max_iter=max_iter)
            assert solution.iterations <= max_iter
            assert_true(problem, solution, rtol, problem.name)
            assert solution.products <= 2 * solution.iterations + 6


@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_relaxed_gradients_of_any_scale(scale: float) -> None:
    problem = zero_sum("log-spaced", (20, 36), 30.0, torch.float32, seed=3, scale=scale)
    solution = solve(relaxed(problem, Bfloat16), rtol=1e-2)
    assert solution.converged
    assert solution.relaxed > 0
    assert problem.residual(solution.value[0][0]) <= 1.05e-2


def test_warm_starts_may_be_relaxed_too() -> None:
    problem = zero_sum("log-spaced", (20, 36), 30.0, torch.float32, seed=3)
    guess = [0.9 * problem.solution[0].float()]
    solution = solve(relaxed(problem, Bfloat16), rtol=1e-2, x0=guess)
    assert solution.converged
    assert solution.relaxed > 0
    assert_true(problem, solution, 1e-2, "warm")


def test_foreign_engines_are_given_exact_products() -> None:
    problem = zero_sum("log-spaced", (20, 36), 30.0, torch.float32, seed=3)
    cheap = Bfloat16(problem.matrix)
    solution = solve(
        ZeroSumSystem(problem.coupling, [problem.a], [problem.c], cheap), engine="scipy", rtol=1e-2
    )
    assert solution.converged
    assert solution.relaxed == cheap.products == 0
    game = general_sum("non-symmetric", 0.9, torch.float32, seed=3)
    answer = solve(general(game, Noisy), engine="scipy", rtol=1e-2)
    assert answer.converged
    assert answer.relaxed == 0


def general(problem: GeneralSum, fake: Callable[[Tensor], DenseCoupling]) -> GeneralSumSystem:
    halves = (fake(problem.forward).apply, fake(problem.backward).apply)
    exact = (DenseCoupling(problem.forward).apply, DenseCoupling(problem.backward).apply)
    return GeneralSumSystem(*exact, [problem.a], [problem.c], halves)


@fakes
@pytest.mark.parametrize("check_every", [1, 3])
def test_general_sum_solves_keep_their_word_too(fake: type[DenseCoupling], check_every: int) -> None:
    used = 0
    for kind in ("zero-sum", "indefinite", "non-symmetric", "singular"):
        for size in (0.1, 0.9, 1.1, 3.0):
            problem = general_sum(kind, size, torch.float32, seed=1)
            for rtol in TOLERANCES[:3]:
                exact = solve(problem.system, rtol=rtol)
                solution = solve(general(problem, fake), rtol=rtol, check_every=check_every)
                true = problem.residual(solution.value[0][0])
                where = f"{problem.name} rtol={rtol:g}: {solution.result.name}, {true:.3g}"
                assert not solution.converged or true <= 1.05 * rtol, where
                assert abs(true - solution.residual) <= 0.05 * true + 1e-4, where
                assert solution.converged or not exact.converged, where
                used += solution.relaxed > 0
    assert used >= 30


def test_a_relaxed_general_sum_solve_costs_four_exact_products() -> None:
    """One for the right-hand side, two for the residual that it ends with, one for the other player."""
    problem = general_sum("non-symmetric", 0.9, torch.float32, seed=1)
    solution = solve(general(problem, Bfloat16), rtol=2e-2)
    assert solution.converged
    assert solution.relaxed == 2 * solution.iterations > 0
    assert solution.products - solution.relaxed == 4
    biased = solve(general(problem, Biased), rtol=2e-2)
    assert biased.converged
    assert problem.residual(biased.value[0][0]) <= 2.1e-2
    assert biased.products - biased.relaxed > 4


def test_general_sum_products_are_exact_until_the_residual_is_small_enough() -> None:
    problem = general_sum("non-symmetric", 3.0, torch.float64, seed=1)
    calls: list[str] = []

    def noted(name: str, matrix: Tensor) -> Callable[[Vector], Vector]:
        def product(vector: Vector) -> Vector:
            calls.append(name)
            return [matrix @ vector[0]]

        return product

    exact, cheap = (
        (noted(name, problem.forward), noted(name, problem.backward)) for name in ("exact", "cheap")
    )
    solution = solve(GeneralSumSystem(*exact, [problem.a], [problem.c], cheap), rtol=1e-4)
    first, last = calls.index("cheap"), len(calls) - calls[::-1].index("cheap")
    assert solution.converged
    assert set(calls[first:last]) == {"cheap"}
    before = (first - 1) // 2
    assert solve(problem.system, rtol=1e-14, max_iter=before).residual <= 1e-4 / RELAXATION
    assert solve(problem.system, rtol=1e-14, max_iter=before - 1).residual > 1e-4 / RELAXATION


class Scripted:
    """A system that claims the tolerance at once and settles at what it is told to."""

    measure = Measure([torch.ones(1)])
    rhs_norm = 1.0

    def __init__(self, *truths: float) -> None:
        self.truths = [*truths]
        self.residual = [torch.ones(1)]
        self.estimated = True

    def start(self, guess: Vector | None, lazily: bool) -> float:
        return 1.0

    def relax(self, threshold: float, size: float) -> None: ...

    def probe(self, direction: Vector) -> float:
        return 1.0

    def advance(self, length: float, direction: Vector) -> float:
        return 1e-6

    def keep(self) -> None: ...

    def restore(self) -> None: ...

    def settle(self, threshold: float, size: float, doubt: float) -> tuple[float, float]:
        self.estimated = False
        return self.truths.pop(0), 0.0

    def doubt(self) -> float:
        return 0.0


def test_a_relaxed_claim_that_fails_is_no_stagnation() -> None:
    """An exact claim that fails is one if the last such did not fall to half; a relaxed one says nothing."""
    for truths, result in (
        ((0.012, 0.0101, 0.009), Result.CONVERGED),
        ((0.012, 0.0101, 0.0102), Result.STAGNATED),
    ):
        ended, _, residual = conjugate_gradients(Scripted(*truths), rtol=1e-2, atol=0.0, max_iter=50)
        assert (ended, residual) == (result, truths[-1])


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_a_relaxed_general_sum_product_that_breaks_costs_time_only(value: float) -> None:
    problem = general_sum("non-symmetric", 0.9, torch.float32, seed=1)
    for product in (1, 2, 4):
        solution = solve(general(problem, lambda matrix, at=product: Poisoned(matrix, at, value)), rtol=1e-2)
        assert solution.converged
        assert problem.residual(solution.value[0][0]) <= 1.05e-2
    diagonal = torch.arange(1.0, 7.0)
    calls = {"exact": 0, "relaxed": 0}

    def operator(vector: Vector, kind: str = "exact", factor: float = 1.0) -> Vector:
        calls[kind] += 1
        return [diagonal * vector[0] * factor]

    answer = gmres(operator, [torch.ones(6)], rtol=1e-2, relaxed=lambda v: operator(v, "relaxed", value))
    assert calls["relaxed"] == answer.relaxed > 0
    assert calls["exact"] == answer.products - answer.relaxed
    assert answer.converged
    assert torch.allclose(answer.value[0], 1.0 / diagonal, atol=2e-2)


class Structured:
    """A closure that linearises its game with relaxed products beside the exact ones."""

    def __init__(self, value: Callable[[], Tensor], fake: Callable[[Tensor], Tensor]) -> None:
        self._value, self._fake = value, fake
        self.relaxed = 0

    def __call__(self) -> Tensor:
        return self._value()

    def linearise(self, x: list[Tensor], y: list[Tensor]) -> Linearisation:
        with torch.enable_grad():
            game = linearise(self._value(), x, y)

        def cheap(half: Callable[[Vector], Vector]) -> Callable[[Vector], Vector]:
            def product(vector: Vector) -> Vector:
                self.relaxed += 1
                return [self._fake(tensor) for tensor in half(vector)]

            return product

        halves = cheap(game.forward), cheap(game.backward)
        return Linearisation(
            game.losses, game.gradient_x, game.gradient_y, game.forward, game.backward, halves
        )


def bilinear() -> Iterator[Any]:
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(6, 8, generator=generator)
    x, y = (torch.randn(size, generator=generator).requires_grad_() for size in (6, 8))
    return x, y, lambda: x @ A @ y + 0.1 * (x**2).sum()


@pytest.mark.parametrize("optimizer", [CGD, ACGD])
@pytest.mark.parametrize(
    "fake",
    [lambda t: t.bfloat16().float(), lambda t: t * math.nan, lambda t: t * 1e30],
    ids=["bfloat16", "NaN", "1e30"],
)
def test_optimizers_step_by_relaxed_products(
    optimizer: type[CGD] | type[ACGD], fake: Callable[[Tensor], Tensor]
) -> None:
    results = []
    for structure in (None, fake):
        x, y, value = bilinear()
        opt = optimizer([x], [y], lr=0.5, rtol=1e-2 if structure else 1e-5)
        closure = Structured(value, structure) if structure else value
        before = torch.cat([x, y]).detach().clone()
        opt.step(closure)
        report = opt.last_step
        assert report is not None
        assert report.converged
        assert not report.skipped
        results.append(torch.cat([x, y]).detach() - before)
    assert isinstance(closure, Structured)
    assert closure.relaxed > 0
    assert report.products > closure.relaxed
    assert (results[1] - results[0]).norm() <= 0.05 * results[0].norm()


def test_relaxed_halves_pass_the_reduction_and_the_metric() -> None:
    x, y, value = bilinear()
    plain = Structured(value, lambda tensor: 3.0 * tensor).linearise([x], [y])
    reduced = plain.reduced(lambda vector: [2.0 * tensor for tensor in vector])
    assert plain.relaxed is not None
    assert reduced.relaxed is not None
    u, w = [torch.ones(6)], [torch.ones(8)]
    for before, after, vector in zip(plain.relaxed, reduced.relaxed, (u, w), strict=True):
        assert torch.equal(after(vector)[0], 2.0 * before(vector)[0])
    assert (
        Linearisation(plain.losses, plain.gradient_x, plain.gradient_y, plain.forward, plain.backward)
        .reduced(lambda vector: vector)
        .relaxed
        is None
    )
    scales = [torch.rand(6)], [0.5]
    system = plain.system(*scales)
    assert isinstance(system, ZeroSumSystem)
    assert system._relaxed is not None
    for coupling, factor in ((system._coupling, 1.0), (system._relaxed, 3.0)):
        expected = factor * 0.5 * plain.forward([scales[0][0] * u[0]])[0]
        assert torch.allclose(coupling.apply(u)[0], expected)
        assert torch.allclose(coupling.adjoint(w)[0], factor * 0.5 * scales[0][0] * plain.backward(w)[0])
    pair = Linearisation((plain.losses, plain.losses), *plain_parts(plain))
    sum_system = pair.system(*scales)
    assert isinstance(sum_system, GeneralSumSystem)
    operator = sum_system.relaxed_operator
    assert operator is not None
    pulled = plain.backward([0.25 * plain.forward([scales[0][0] * u[0]])[0]])[0]
    assert torch.allclose(operator(u)[0], u[0] - 9.0 * scales[0][0] * pulled, rtol=1e-5, atol=1e-5)
    assert sum_system.relaxed_products == sum_system.products == 2


def plain_parts(game: Linearisation) -> tuple[Any, ...]:
    return game.gradient_x, game.gradient_y, game.forward, game.backward, game.relaxed


def test_the_error_of_a_far_relaxed_phase_is_given_up() -> None:
    """Relaxed products that lead beyond where the players started: the solve begins anew, exactly."""
    problem = zero_sum("uniform", (20, 36), 100.0, torch.float64, seed=1)

    class Opposed(DenseCoupling):
        def adjoint(self, vector: Vector) -> Vector:
            return [-1.0 * super().adjoint(vector)[0]]

    system = relaxed(problem, Opposed)
    solution = solve(system, rtol=1e-2, max_iter=60)
    assert solution.converged
    assert 0 < solution.relaxed < 60
    assert_true(problem, solution, 1e-2, "opposed")
    spent = solve(relaxed(problem, Opposed), rtol=1e-2, max_iter=2)
    assert norm(spent.value[0]) <= 2.0 * norm([problem.a, problem.c])
    assert_true(problem, spent, 1e-2, "opposed and truncated")
