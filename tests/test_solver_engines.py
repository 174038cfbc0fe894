"""The foreign engines, and cupy's code path on modules that behave like cupy's."""

import contextlib
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from linear_systems import DTYPES, SPECTRA, DenseCoupling, general_sum, zero_sum
from numpy.typing import NDArray

from gamedyn.optimizers import ACGD, CGD
from gamedyn.solvers import ArrayEngine, GeneralSumSystem, Result, ZeroSumSystem, load_engine, solve

Array = NDArray[Any]


def cupy_cg(
    A: Any,
    b: Array,
    x0: Array | None = None,
    *,
    rtol: float,
    atol: float,
    maxiter: int,
    callback: Callable[[Array], None],
) -> tuple[Array, int]:
    """`cupyx.scipy.sparse.linalg.cg` of cupy 14, statement by statement: no guard, no true residual."""
    x = np.zeros_like(b) if x0 is None else x0.astype(b.dtype)
    size = np.linalg.norm(b)
    if size == 0:
        return b, 0
    threshold = max(float(atol), rtol * float(size))
    r = b - A.matvec(x)
    p = np.zeros_like(r)
    iterations, rho = 0, b.dtype.type(1)
    while iterations < maxiter:
        rho_before, rho = rho, r @ r
        p = r + (rho / rho_before) * p
        q = A.matvec(p)
        alpha = rho / (p @ q)
        x = x + alpha * p
        r = r - alpha * q
        iterations += 1
        callback(x)
        if np.linalg.norm(r) <= threshold:
            return x, 0
    return x, iterations


def cupy_gmres(
    A: Any, b: Array, x0: Array | None = None, *, rtol: float, atol: float, restart: int, maxiter: int
) -> tuple[Array, int]:
    """`cupyx.scipy.sparse.linalg.gmres` of cupy 14: breakdown divides by zero."""
    x = np.zeros_like(b) if x0 is None else x0.astype(b.dtype)
    size = np.linalg.norm(b)
    if size == 0:
        return b, 0
    threshold = max(float(atol), rtol * float(size))
    restart = min(restart, len(b))
    V = np.empty((len(b), restart), dtype=b.dtype, order="F")
    H = np.zeros((restart + 1, restart), dtype=b.dtype, order="F")
    e = np.zeros(restart + 1, dtype=b.dtype)
    iterations = 0
    while True:
        r = b - A.matvec(x)
        error = np.linalg.norm(r)
        if error <= threshold or iterations >= maxiter:
            return x, 0 if error <= threshold else iterations
        v = V[:, 0] = r / error
        e[0] = error
        for j in range(restart):
            u = A.matvec(v)
            H[: j + 1, j] = V[:, : j + 1].T @ u
            u = u - V[:, : j + 1] @ H[: j + 1, j]
            H[j + 1, j] = np.linalg.norm(u)
            if j + 1 < restart:
                v = V[:, j + 1] = u / H[j + 1, j]
        x = x + V @ np.linalg.lstsq(H, e)[0]
        iterations += restart


class FakeStream:
    """Counts how often torch's stream was taken over."""

    entered = 0
    open = False

    @classmethod
    def from_external(cls, stream: object) -> contextlib.AbstractContextManager[None]:
        assert stream == "torch's current stream"
        return cls.use()

    @classmethod
    @contextlib.contextmanager
    def use(cls) -> Iterator[None]:
        cls.entered += 1
        cls.open = True
        try:
            yield
        finally:
            cls.open = False


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> type[FakeStream]:
    """Install modules under cupy's names that live in host memory."""

    class LinearOperator(scipy.sparse.linalg.LinearOperator):
        def __init__(self, shape: tuple[int, int], matvec: Callable[[Array], Array], dtype: Any) -> None:
            super().__init__(dtype, shape)
            self._given = matvec

        def _matvec(self, x: Array) -> Array:
            assert FakeStream.open, "a product ran outside torch's stream"
            return self._given(x)

    fake: Any = types.ModuleType("cupy")
    fake.from_dlpack, fake.ascontiguousarray, fake.linalg = np.from_dlpack, np.ascontiguousarray, np.linalg
    fake.cuda = types.SimpleNamespace(is_available=lambda: True, Stream=FakeStream)
    linalg: Any = types.ModuleType("cupyx.scipy.sparse.linalg")
    linalg.LinearOperator, linalg.cg, linalg.gmres = LinearOperator, cupy_cg, cupy_gmres
    monkeypatch.setitem(sys.modules, "cupy", fake)
    for name in ("cupyx", "cupyx.scipy", "cupyx.scipy.sparse"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupyx.scipy.sparse.linalg", linalg)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "torch's current stream")
    # the fake arrays live on the host, so that is where the tensors have to be
    monkeypatch.setattr(
        sys.modules["gamedyn.solvers.solve"],
        "load_engine",
        lambda name: replace(load_engine(name), device="cpu"),
    )
    FakeStream.entered = 0
    return FakeStream


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", SPECTRA)
def test_cupys_path_solves_zero_sum_systems(kind: str, dtype: torch.dtype, cupy: type[FakeStream]) -> None:
    for kappa in (1.0, 10.0, 1e4, 1e6):
        problem = zero_sum(kind, (20, 36), kappa, dtype, seed=7)
        for rtol in (1e-2, 1e-5, 1e-10):
            solution = solve(problem.system, engine="cupy", rtol=rtol, max_iter=500)
            true = problem.residual(solution.value[0][0])
            assert not solution.converged or true <= 1.05 * rtol
            assert solution.converged or rtol < 20.0 * problem.rounding(problem.solution[0])
    assert cupy.entered == 12


@pytest.mark.parametrize("dtype", DTYPES)
def test_cupys_path_solves_general_sum_systems(dtype: torch.dtype, cupy: type[FakeStream]) -> None:
    for kind in ("zero-sum", "indefinite", "non-symmetric"):
        problem = general_sum(kind, 0.9, dtype, seed=1)
        solution = solve(problem.system, engine="cupy", rtol=1e-4, restart=8, max_iter=80)
        assert solution.converged
        assert problem.residual(solution.value[0][0]) <= 1.05e-4
    assert cupy.entered == 3


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", DTYPES)
def test_cupys_gmres_breaking_down_costs_no_step(dtype: torch.dtype, cupy: type[FakeStream]) -> None:
    """A separable game, or any Krylov space that is complete at once, makes cupy divide by zero."""
    a, c = torch.ones(6, dtype=dtype), torch.ones(4, dtype=dtype)
    K = torch.zeros(4, 6, dtype=dtype)
    coupling = DenseCoupling(K)
    system = GeneralSumSystem(coupling.apply, coupling.adjoint, [a], [c])
    solution = solve(system, engine="cupy", rtol=1e-5)
    assert solution.converged
    assert torch.allclose(solution.value[0][0], -a)
    K[0, 0] = 1e-3
    solution = solve(GeneralSumSystem(coupling.apply, coupling.adjoint, [a], [c]), engine="cupy", rtol=1e-5)
    assert solution.converged


@pytest.mark.parametrize("optimizer", [CGD, ACGD])
def test_cupys_path_drives_an_optimizer(optimizer: type[CGD] | type[ACGD], cupy: type[FakeStream]) -> None:
    def run(engine: str) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        A = torch.randn(4, 5, generator=generator, dtype=torch.float64)
        x = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
        y = torch.ones(5, dtype=torch.float64, requires_grad=True)
        opt = optimizer([x], [y], lr=0.3, rtol=1e-12, engine=engine)
        for _ in range(4):
            opt.step(lambda: x.reshape(-1) @ A @ y)
            assert opt.last_step is not None
            assert opt.last_step.converged
        return torch.cat([x.detach().reshape(-1), y.detach()])

    assert torch.allclose(run("cupy"), run("torch"), rtol=1e-10, atol=1e-12)
    assert cupy.entered == 4


@pytest.mark.parametrize("engine", ["scipy", "cupy"])
def test_products_share_memory_with_the_engine(engine: str, cupy: type[FakeStream]) -> None:
    modules = load_engine(engine)
    tensor = torch.zeros(3)
    array = modules.xp.from_dlpack(tensor)
    tensor[0] = 5.0
    assert array[0] == 5.0
    array = np.zeros(3, dtype=np.float32)  # numpy 1.26 imports tensors read-only and exports none such
    torch.utils.dlpack.from_dlpack(array)[0] = 5.0
    assert array[0] == 5.0


def test_an_injected_pair_of_modules_is_an_engine() -> None:
    problem = zero_sum("uniform", (20, 36), 100.0, torch.float64, seed=0)
    engine = ArrayEngine(np, scipy.sparse.linalg, "cpu")
    assert solve(problem.system, engine=engine, rtol=1e-9).converged


def test_parameters_of_mixed_dtypes_cross_over() -> None:
    a, c = [torch.ones(3), torch.ones(2, dtype=torch.float64)], [torch.ones(5)]
    K = torch.linspace(-1, 1, 25).reshape(5, 5)

    class Coupling(DenseCoupling):
        def apply(self, vector: list[torch.Tensor]) -> list[torch.Tensor]:
            return [K @ torch.cat([vector[0], vector[1].float()])]

        def adjoint(self, vector: list[torch.Tensor]) -> list[torch.Tensor]:
            image = K.T @ vector[0]
            return [image[:3], image[3:].double()]

    solution = solve(ZeroSumSystem(Coupling(K), a, c), engine="scipy", rtol=1e-4)
    assert solution.converged
    assert [step.dtype for step in solution.value[0]] == [torch.float32, torch.float64]


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="cupy is installed")
def test_cupy_missing_is_one_clear_line() -> None:
    problem = zero_sum("uniform", (20, 36), 10.0, torch.float32, seed=0)
    with pytest.raises(RuntimeError, match=r"needs CuPy: install gamedyn\[cupy12\]") as caught:
        solve(problem.system, engine="cupy")
    assert "\n" not in str(caught.value)
    x, y = (torch.ones(1, requires_grad=True) for _ in range(2))
    with pytest.raises(RuntimeError, match="needs CuPy"):
        CGD([x], [y], engine="cupy").step(lambda: (x * y).sum())


def test_cupy_without_a_device_is_one_clear_line(
    cupy: type[FakeStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["cupy"].cuda, "is_available", lambda: False)
    monkeypatch.delitem(sys.modules, "cupyx.scipy.sparse.linalg")  # it cannot be imported without a device
    with pytest.raises(RuntimeError, match="found no CUDA device") as caught:
        load_engine("cupy")
    assert "\n" not in str(caught.value)


def test_unknown_engines_and_wrong_devices_are_refused() -> None:
    problem = zero_sum("uniform", (20, 36), 10.0, torch.float32, seed=0)
    with pytest.raises(ValueError, match="unknown engine 'numpy': choose one of torch, scipy, cupy"):
        solve(problem.system, engine="numpy")
    with pytest.raises(ValueError, match="works on cuda tensors, got cpu"):
        solve(problem.system, engine=ArrayEngine(np, scipy.sparse.linalg, "cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_cupy_on_a_cuda_device(dtype: torch.dtype) -> None:
    pytest.importorskip("cupy")  # an extra, for CUDA machines only
    for kind in SPECTRA:
        problem = zero_sum(kind, (20, 36), 1e4, dtype, seed=7)
        coupling = DenseCoupling(problem.matrix.cuda())
        system = ZeroSumSystem(coupling, [problem.a.cuda()], [problem.c.cuda()])
        solution = solve(system, engine="cupy", rtol=1e-2, max_iter=500)
        assert solution.converged
        assert solution.value[0][0].device.type == "cuda"
        assert problem.residual(solution.value[0][0].cpu()) <= 1.05e-2
    game = general_sum("non-symmetric", 0.9, dtype, seed=1)
    forward, backward = game.forward.cuda(), game.backward.cuda()
    answer = solve(
        GeneralSumSystem(
            lambda vector: [forward @ vector[0]],
            lambda vector: [backward @ vector[0]],
            [game.a.cuda()],
            [game.c.cuda()],
        ),
        engine="cupy",
        rtol=1e-4,
    )
    assert answer.result is Result.CONVERGED
    assert game.residual(answer.value[0][0].cpu()) <= 1.05e-4
