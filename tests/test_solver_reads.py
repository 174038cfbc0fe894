"""Scalars stay on the device: how often a solve waits for it, counted on the CPU as a stand-in.

`Transfers` counts every way in which a value reaches the host. Where the solvers know that they are on a CPU
they read at once; `check_every` above 1, and `everywhere_lazy`, take them through the path of an accelerator.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from gan_games import made
from linear_systems import DTYPES, SPECTRA, DenseCoupling, Poisoned, ZeroSum, general_sum, zero_sum
from small_game import game, general
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gamedyn.gan.curvature import precision
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD, CGD
from gamedyn.solvers import GeneralSumSystem, Result, ZeroSumSystem, cg, gmres, solve, vectors
from gamedyn.solvers.scalars import Measure, read
from gamedyn.solvers.vectors import Vector, add_, inner, norms, scale_

HOST = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)


class Transfers(TorchDispatchMode):
    """Counts what brings values to the host while it is entered.

    `vectors._read` is one transfer on an accelerator, whatever it is on a CPU, and counts as one.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.count = 0
        self._inside = False
        for owner, name in (
            (Tensor, "tolist"),
            (Tensor, "numpy"),
            (Tensor, "nonzero"),
            (vectors, "_read"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            outer, self._inside = self._inside, True
            self.count += not outer
            try:
                return original(*args, **kwargs)
            finally:
                self._inside = outer

        return counted

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.count += func in HOST and not self._inside
        return func(*args, **(kwargs or {}))


@pytest.fixture
def transfers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Transfers]:
    with Transfers(monkeypatch) as counter:
        yield counter


@pytest.fixture
def everywhere_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a CPU be treated as an accelerator."""
    original = Measure.__init__
    monkeypatch.setattr(Measure, "__init__", lambda self, vector, lazily=False: original(self, vector, True))


class Watched(DenseCoupling):
    """A coupling that notes the transfers that happen within its products."""

    def __init__(self, matrix: Tensor, transfers: Transfers) -> None:
        super().__init__(matrix)
        self._transfers = transfers
        self.within = 0

    def apply(self, vector: Vector) -> Vector:
        before = self._transfers.count
        image = super().apply(vector)
        self.within += self._transfers.count - before
        return image

    def adjoint(self, vector: Vector) -> Vector:
        before = self._transfers.count
        image = super().adjoint(vector)
        self.within += self._transfers.count - before
        return image


def test_the_counter_counts(transfers: Transfers) -> None:
    one = torch.tensor(1.0)
    for reading in (
        lambda: float(one),
        lambda: one.item(),
        lambda: one.tolist(),
        lambda: bool(one > 0),
        lambda: one.numpy(),
        lambda: int(one),
        lambda: torch.equal(one, one),
        lambda: torch._foreach_add_([torch.ones(2)], [torch.ones(2)], alpha=one),
        lambda: vectors._read([one, one]),
        lambda: read(one, one > 0, 2.0),
    ):
        before = transfers.count
        reading()
        assert transfers.count == before + 1
    before = transfers.count
    assert read(1.0, True) == [1.0, 1.0]
    assert torch.where(one > 0, one / one, 0.0).dtype is torch.float32
    assert transfers.count == before


@pytest.mark.parametrize("check_every", [2, 3, 5, 100])
def test_a_zero_sum_solve_reads_once_a_check_and_twice_more(check_every: int, transfers: Transfers) -> None:
    """Twice more: for the unit of the gradients and for the size of the right-hand side."""
    for kind in SPECTRA:
        for kappa in (1.0, 10.0, 1e2, 1e4):
            for rtol in (1e-2, 1e-6):
                problem = zero_sum(kind, (20, 36), kappa, torch.float64, seed=1)
                coupling = Watched(problem.matrix, transfers)
                before = transfers.count
                system = ZeroSumSystem(coupling, [problem.a], [problem.c])
                solution = solve(system, rtol=rtol, check_every=check_every, max_iter=60)
                reads = transfers.count - before
                assert solution.products == 2 * solution.iterations + 1, "no verification was needed"
                assert reads == math.ceil(solution.iterations / check_every) + 2, problem.name
                assert coupling.within == 0


def test_an_accelerator_waits_once_an_iteration_by_default(
    transfers: Transfers, everywhere_lazy: None
) -> None:
    problem = zero_sum("log-spaced", (20, 36), 1e2, torch.float64, seed=1)
    coupling = Watched(problem.matrix, transfers)
    before = transfers.count
    solution = solve(ZeroSumSystem(coupling, [problem.a], [problem.c]), rtol=1e-6)
    assert transfers.count - before == solution.iterations + 2
    assert solution.iterations > 10
    assert coupling.within == 0


@pytest.mark.parametrize("check_every", [1, 4])
def test_a_verification_and_a_warm_start_read_a_few_times_more(
    check_every: int, transfers: Transfers, everywhere_lazy: None
) -> None:
    """Two more to compare a guess; two more for each time that the residual is recomputed."""
    problem = zero_sum("log-spaced", (20, 36), 1e4, torch.float32, seed=1)
    for rtol in (1e-2, 1e-4, 1e-7):
        for guess in (None, [0.9 * problem.solution[0].float()]):
            before = transfers.count
            solution = solve(problem.system, rtol=rtol, check_every=check_every, x0=guess)
            extra = solution.products - 2 * solution.iterations - 1
            allowed = math.ceil(solution.iterations / check_every) + 3 + extra + (guess is not None)
            assert transfers.count - before <= allowed
            assert (extra > 0) or solution.converged


@pytest.mark.parametrize("check_every", [1, 5])
def test_a_relaxed_solve_reads_twice_more_to_verify(
    check_every: int, transfers: Transfers, everywhere_lazy: None
) -> None:
    problem = zero_sum("log-spaced", (20, 36), 10.0, torch.float32, seed=1)
    for rtol in (1e-2, 1e-4):
        exact, cheap = Watched(problem.matrix, transfers), Watched(problem.matrix, transfers)
        before = transfers.count
        system = ZeroSumSystem(exact, [problem.a], [problem.c], cheap)
        solution = solve(system, rtol=rtol, check_every=check_every)
        assert solution.converged
        assert solution.relaxed > 0
        assert transfers.count - before <= math.ceil(solution.iterations / check_every) + 2 + 2
        assert exact.within == cheap.within == 0


@pytest.mark.parametrize("check_every", [2, 5, 100])
def test_a_generic_solve_reads_once_a_check(check_every: int, transfers: Transfers) -> None:
    """Twice more at the start, and once for the verification of each claim."""
    diagonal = torch.logspace(0, 4, 40, dtype=torch.float64)
    before = transfers.count
    solution = cg(
        lambda v: [diagonal * v[0]], [torch.ones(40, dtype=torch.float64)], rtol=1e-9, check_every=check_every
    )
    claims = solution.products - solution.iterations
    assert solution.converged
    assert claims <= 2
    assert transfers.count - before <= math.ceil(solution.iterations / check_every) + 2 + 2 * claims


@pytest.mark.parametrize("check_every", [1, 2, 5, 100])
def test_a_general_sum_solve_reads_once_a_check(
    check_every: int, transfers: Transfers, everywhere_lazy: None
) -> None:
    """Three times more at the start, and once a cycle for its true residual."""
    for kind in ("zero-sum", "indefinite", "non-symmetric"):
        problem = general_sum(kind, 3.0, torch.float64, seed=1)
        forward, backward = Watched(problem.forward, transfers), Watched(problem.backward, transfers)
        before = transfers.count
        system = GeneralSumSystem(forward.apply, backward.apply, [problem.a], [problem.c])
        solution = solve(system, rtol=1e-9, check_every=check_every, restart=8, max_iter=64)
        cycles = math.ceil(solution.iterations / 8)
        checks = math.ceil(8 / check_every) * cycles
        assert transfers.count - before <= checks + cycles + 4
        assert solution.iterations > 8
        assert forward.within == backward.within == 0


@pytest.mark.parametrize("optimizer", [CGD, ACGD])
@pytest.mark.parametrize("check_every", [1, 2, 5])
def test_a_whole_step_waits_for_the_checks_and_four_times_more(
    optimizer: type[CGD] | type[ACGD], check_every: int, transfers: Transfers, everywhere_lazy: None
) -> None:
    """Four: the loss, the gradients' unit, the right-hand side's size, and whether the update is finite.

    ACGD's step counters, one per parameter, live on the host like those of `torch.optim`: reading them waits
    for nothing, but is a read to this counter.
    """
    pair, value = game()
    opt = optimizer(*pair, lr=0.3, rtol=1e-8, check_every=check_every)
    counters = sum(map(len, pair)) if optimizer is ACGD else 0
    for _ in range(3):
        before = transfers.count
        opt.step(value)
        report = opt.last_step
        assert report is not None
        assert report.converged
        assert report.iterations > 3
        assert transfers.count - before == math.ceil(report.iterations / check_every) + 4 + counters


def test_a_general_sum_step_waits_for_the_checks_too(transfers: Transfers) -> None:
    """Ten more: two losses, the update, and seven of the solve, whose cycle ends with its true residual."""
    pair, value = game()
    opt = CGD(*pair, lr=0.1, rtol=1e-6, check_every=5)
    before = transfers.count
    opt.step(general(value, pair))
    report = opt.last_step
    assert report is not None
    assert report.converged
    assert report.iterations <= 20, "one cycle"
    assert transfers.count - before <= math.ceil(report.iterations / 5) + 10


@pytest.mark.parametrize(
    ("loss", "options"),
    [*((loss, options) for loss in ("minimax", "wgan", "non-saturating", "rpgan")
       for options in ({}, {"precision": "relaxed"}, {"curvature_batch": 0.5})
       if (loss, *options) != ("rpgan", "curvature_batch"))],
)  # fmt: skip
def test_structured_gans_wait_for_nothing(
    loss: str, options: dict[str, Any], transfers: Transfers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither their linearisation nor their products, on the fakes or a part of them, exact or relaxed."""
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    known, real, latent = made("the DCGAN", loss, torch.float32)
    networks = known.generator, known.discriminator
    x, y = (list(network.parameters()) for network in networks)
    u, v = ([torch.randn_like(p) for p in player] for player in (x, y))
    gan = GANObjective(*networks, known.loss, **options)
    before = transfers.count
    found = gan.on(real, latent).linearise(x, y)
    assert found is not None
    assert gan.fallbacks == {}
    products = [(found.forward, found.backward), *([found.relaxed] if found.relaxed else [])]
    assert len(products) == 1 + ("precision" in options)
    for forward, backward in products:
        forward(u)
        backward(v)
    assert transfers.count == before


def test_a_running_average_without_momentum_reads_its_count(transfers: Transfers) -> None:
    generator = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6, momentum=None), nn.Linear(6, 2))
    gan = GANObjective(generator, nn.Linear(2, 1), LOSSES["wgan"])
    before = transfers.count
    assert gan.on(torch.randn(7, 2), torch.randn(7, 5)).linearise(
        list(generator.parameters()), list(gan.discriminator.parameters())
    )
    assert transfers.count == before + 1


@pytest.mark.parametrize("check_every", [2, 3, 5, 50])
@pytest.mark.parametrize("dtype", DTYPES)
def test_how_often_a_solve_is_checked_does_not_change_its_answer(
    dtype: torch.dtype, check_every: int
) -> None:
    """The iterates after the one that meets the tolerance do not move, so that rounding cannot spoil them."""
    for kind in SPECTRA:
        for kappa in (1.0, 10.0, 1e2, 1e4, 1e8):
            problem = zero_sum(kind, (20, 36), kappa, dtype, seed=3)
            for rtol in (1e-1, 1e-3, 1e-6):
                clear = problem.eps * kappa <= 0.1 * rtol  # else the processor's own roundings decide
                for max_iter in (7, 300):
                    often = solve(problem.system, rtol=rtol, max_iter=max_iter)
                    rarely = solve(problem.system, rtol=rtol, max_iter=max_iter, check_every=check_every)
                    where = f"{problem.name} rtol={rtol:g} max_iter={max_iter}"
                    true = problem.residual(rarely.value[0][0])
                    rounding = 0.05 * true + 2.0 * problem.rounding(rarely.value[0][0])
                    assert abs(true - rarely.residual) <= rounding, where
                    assert rarely.iterations <= max_iter, where
                    if clear and rtol > 1e-6:
                        assert rarely.converged or not often.converged, where
                    assert not rarely.converged or true <= 1.05 * rtol, where
                    if clear and often.converged and often.iterations <= 8:  # CG magnifies the last bits
                        assert often.iterations <= rarely.iterations < often.iterations + check_every, where
                        allowed = 1e5 * problem.eps * problem.kappa
                        assert torch.allclose(
                            rarely.value[0][0], often.value[0][0], rtol=0.0, atol=allowed
                        ), where


@pytest.mark.parametrize("check_every", [2, 7])
def test_general_sum_answers_do_not_depend_on_it_either(check_every: int) -> None:
    for kind in ("zero-sum", "indefinite", "non-symmetric", "singular"):
        for size in (0.1, 0.9, 1.1, 10.0):
            problem = general_sum(kind, size, torch.float64, seed=2)
            for restart in (5, 20):
                often, rarely = (
                    solve(problem.system, rtol=1e-8, restart=restart, max_iter=60, check_every=every)
                    for every in (1, check_every)
                )
                assert rarely.result is often.result, problem.name
                assert often.iterations <= rarely.iterations <= 60
                scale = often.value[0][0].norm().item()
                assert torch.allclose(
                    rarely.value[0][0], often.value[0][0], rtol=0.0, atol=1e-9 * scale * problem.kappa
                )


@pytest.mark.parametrize("check_every", [1, 3, 10])
def test_a_solve_that_is_exact_at_once_survives_its_surplus_iterations(
    check_every: int, everywhere_lazy: None
) -> None:
    one = torch.ones(6, dtype=torch.float64)
    for matrix in (torch.zeros(6, 6, dtype=torch.float64), torch.eye(6, dtype=torch.float64)):
        problem = ZeroSum("exact", matrix, one, 2.0 * one)
        solution = solve(problem.system, rtol=1e-12, check_every=check_every)
        assert solution.converged
        assert torch.allclose(solution.value[0][0], problem.solution[0], rtol=1e-14)
    exact = cg(lambda v: [2.0 * v[0]], [one], check_every=check_every)
    assert exact.converged
    assert torch.allclose(exact.value[0], 0.5 * one, rtol=1e-15)


@pytest.mark.parametrize("check_every", [1, 3, 10])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_product_that_breaks_between_checks_poisons_nothing(
    check_every: int, value: float, everywhere_lazy: None
) -> None:
    problem = zero_sum("uniform", (20, 36), 100.0, torch.float32, seed=0)
    made = solve(problem.system, rtol=1e-3, max_iter=6, check_every=check_every).products
    assert made == 13
    for product in range(1, made + 1):
        system = ZeroSumSystem(Poisoned(problem.matrix, product, value), [problem.a], [problem.c])
        solution = solve(system, rtol=1e-3, max_iter=6, check_every=check_every)
        assert solution.result is Result.NONFINITE, product
        assert all(torch.isfinite(tensor).all() for steps in solution.value for tensor in steps), product
        true = problem.residual(solution.value[0][0])
        assert solution.residual == math.inf or solution.residual == pytest.approx(true, rel=1e-3)
    calls = 0

    def operator(vector: Vector) -> Vector:
        nonlocal calls
        calls += 1
        return [vector[0] * (value if calls == 3 else 1.0) * torch.arange(1.0, 7.0)]

    for method in (cg, gmres):
        calls = 0
        answer = method(operator, [torch.ones(6)], max_iter=6, check_every=check_every)
        assert answer.result is Result.NONFINITE
        assert torch.isfinite(answer.value[0]).all()


@pytest.mark.parametrize("check_every", [1, 2, 5])
def test_an_indefinite_operator_is_refused_between_checks(check_every: int, everywhere_lazy: None) -> None:
    diagonal = torch.tensor([3.0, 1.0, -2.0, -5.0], dtype=torch.float64)
    rhs = torch.tensor([1.0, 1.0, 0.1, 0.1], dtype=torch.float64)
    reference = cg(lambda v: [diagonal * v[0]], [rhs])
    solution = cg(lambda v: [diagonal * v[0]], [rhs], check_every=check_every)
    assert solution.result is reference.result is Result.BREAKDOWN
    assert solution.iterations == reference.iterations > 0
    assert torch.allclose(solution.value[0], reference.value[0], rtol=1e-12)
    true = (rhs - diagonal * solution.value[0]).norm() / rhs.norm()
    assert solution.residual == pytest.approx(true.item(), rel=1e-12)


@pytest.mark.parametrize("method", [cg, gmres])
def test_checks_must_be_made(method: Any) -> None:
    with pytest.raises(ValueError, match=r"Invalid check_every: 0 \(must be an integer >= 1\)"):
        method(lambda v: v, [torch.ones(2)], check_every=0)
    problem = zero_sum("uniform", (20, 36), 10.0, torch.float32, seed=0)
    with pytest.raises(ValueError, match="Invalid check_every: 0"):
        solve(problem.system, check_every=0)


@pytest.mark.parametrize(
    "dtypes",
    [
        (torch.float32, torch.float32),
        (torch.float64, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float64),
    ],
)
def test_lazy_arithmetic_is_that_of_the_host(dtypes: tuple[torch.dtype, ...], transfers: Transfers) -> None:
    """Tensors of several dtypes, 0-dim and empty ones included."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 2), (), (0,), (5,))
    u, v = (
        [torch.randn(shape, generator=generator).to(dtype) for dtype in dtypes for shape in shapes]
        for _ in range(2)
    )
    half = any(dtype.itemsize == 2 for dtype in dtypes)
    measure = Measure(u, lazily=True)
    before = transfers.count
    lazy = [*measure.norms(u, [], v), measure.inner(u, v), measure.inner([], [])]
    assert transfers.count == before
    assert all(isinstance(scalar, Tensor) and scalar.dtype is torch.float64 for scalar in lazy)
    assert read(*lazy) == pytest.approx([*norms(u, [], v), inner(u, v), 0.0], rel=1e-12)
    factor = torch.tensor(-0.37, dtype=torch.float64)
    for operation in (lambda w, f: add_(w, v, f), scale_):
        expected = operation([tensor.clone() for tensor in u], factor.item())
        before = transfers.count
        result = operation([tensor.clone() for tensor in u], factor)
        assert transfers.count == before
        for ours, theirs in zip(result, expected, strict=True):
            assert ours.dtype is theirs.dtype
            assert torch.allclose(ours, theirs, rtol=1e-2 if half else 1e-6, atol=1e-2 if half else 1e-7)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("check_every", [1, 5])
def test_cuda_synchronises_as_counted(check_every: int) -> None:
    pair, value = game(torch.float32)
    for parameter in (*pair[0], *pair[1]):
        parameter.data = parameter.data.cuda()
    opt = ACGD(*pair, lr=0.3, rtol=1e-4, check_every=check_every)
    opt.step(value)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            opt.step(value)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    report = opt.last_step
    assert report is not None
    assert report.converged
    waits = sum("synchronizing CUDA operation" in str(warning.message) for warning in caught)
    assert 0 < waits <= math.ceil(report.iterations / check_every) + 4
