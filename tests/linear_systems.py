"""Linear systems of competitive steps with known spectra, and their dense float64 solutions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gamedyn.solvers import GeneralSumSystem, ZeroSumSystem
from gamedyn.solvers.vectors import Vector

SPECTRA = ("log-spaced", "uniform", "clustered", "outlier", "low rank")
CONDITIONS = (1.0, 10.0, 1e2, 1e4, 1e6, 1e8)
SHAPES = ((24, 24), (20, 36), (36, 20))  # (player 1's dimension, player 0's)
DTYPES = (torch.float64, torch.float32)


class DenseCoupling:
    """A coupling `K` held as a matrix, which counts its products."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        self.products = 0

    def apply(self, vector: Vector) -> Vector:
        self.products += 1
        return [self.matrix @ vector[0]]

    def adjoint(self, vector: Vector) -> Vector:
        self.products += 1
        return [self.matrix.T @ vector[0]]


class Poisoned(DenseCoupling):
    """A coupling that is right but for its k-th product, which holds some other value."""

    def __init__(self, matrix: Tensor, product: int, value: float) -> None:
        super().__init__(matrix)
        self._product, self._value = product, value

    def apply(self, vector: Vector) -> Vector:
        return self._spoilt(super().apply(vector))

    def adjoint(self, vector: Vector) -> Vector:
        return self._spoilt(super().adjoint(vector))

    def _spoilt(self, image: Vector) -> Vector:
        if self.products == self._product:
            image[0][0] = self._value
        return image


@dataclass(frozen=True)
class ZeroSum:
    """`(I + KᵀK) ξ = −(a + Kᵀc)` in some dtype, with what float64 says about it."""

    name: str
    matrix: Tensor
    a: Tensor
    c: Tensor

    @property
    def coupling(self) -> DenseCoupling:
        return DenseCoupling(self.matrix)

    @property
    def system(self) -> ZeroSumSystem:
        return ZeroSumSystem(self.coupling, [self.a], [self.c])

    @property
    def eps(self) -> float:
        return torch.finfo(self.a.dtype).eps

    @cached_property
    def operator(self) -> Tensor:
        K = self.matrix.double()
        return torch.eye(K.shape[1], dtype=torch.float64) + K.T @ K

    @cached_property
    def rhs(self) -> Tensor:
        return -(self.a.double() + self.matrix.double().T @ self.c.double())

    @cached_property
    def kappa(self) -> float:
        eigenvalues = 1.0 + torch.linalg.svdvals(self.matrix.double()) ** 2
        smallest = eigenvalues.min().item() if self.matrix.shape[0] >= self.matrix.shape[1] else 1.0
        return eigenvalues.max().item() / smallest

    @cached_property
    def solution(self) -> tuple[Tensor, Tensor]:
        xi = torch.linalg.solve(self.operator, self.rhs)
        return xi, self.c.double() + self.matrix.double() @ xi

    def residual(self, xi: Tensor) -> float:
        """The relative residual in float64."""
        return ((self.rhs - self.operator @ xi.double()).norm() / self.rhs.norm()).item()

    def rounding(self, xi: Tensor) -> float:
        """What evaluating the relative residual in the system's own dtype may cost."""
        K = torch.linalg.matrix_norm(self.matrix.double(), 2).item()
        amplitude = self.a.double().norm() + K * self.c.double().norm() + (1 + K * K) * xi.double().norm()
        return self.eps * amplitude.item() / self.rhs.norm().item()


def eigenvalues(kind: str, count: int, kappa: float) -> Tensor:
    """Eigenvalues of `I + KᵀK`, between 1 and `kappa`."""
    if kind == "log-spaced":
        return torch.logspace(0, math.log10(kappa), count, dtype=torch.float64)
    if kind == "uniform":
        return torch.linspace(1, kappa, count, dtype=torch.float64)
    if kind == "clustered":
        values = torch.tensor([1.0, math.sqrt(kappa), kappa], dtype=torch.float64)
        return values[torch.arange(count) % 3]
    spectrum = torch.ones(count, dtype=torch.float64)
    if kind == "outlier":
        spectrum += min(1.0, kappa - 1.0) * torch.linspace(0, 1, count, dtype=torch.float64)
        spectrum[-1] = kappa
        return spectrum
    spectrum[-3:] = kappa
    return spectrum


def orthogonal(size: int, generator: torch.Generator) -> Tensor:
    return torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))[0]


def zero_sum(
    kind: str, shape: tuple[int, int], kappa: float, dtype: torch.dtype, seed: int, scale: float = 1.0
) -> ZeroSum:
    """Make a system with a given spectrum and random singular vectors and gradients."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = shape
    rank = min(shape)
    singular = (eigenvalues(kind, rank, kappa) - 1.0).clamp(min=0.0).sqrt()
    left, right = orthogonal(rows, generator)[:, :rank], orthogonal(columns, generator)[:, :rank]
    a, c = (torch.randn(size, generator=generator, dtype=torch.float64) * scale for size in (columns, rows))
    name = f"{kind} {shape} kappa={kappa:g} {dtype} seed={seed}"
    return ZeroSum(name, ((left * singular) @ right.T).to(dtype), a.to(dtype), c.to(dtype))


def zero_sum_systems(kind: str, dtype: torch.dtype, seeds: int = 2) -> Iterator[ZeroSum]:
    """All shapes and condition numbers of one spectrum."""
    for shape in SHAPES:
        for kappa in CONDITIONS:
            for seed in range(seeds):
                yield zero_sum(kind, shape, kappa, dtype, seed)


@dataclass(frozen=True)
class GeneralSum:
    """`(I − K_f K_g) ξ = −a + K_f c` in some dtype, with what float64 says about it."""

    name: str
    forward: Tensor
    """`K_g`, from player 0's space to player 1's."""
    backward: Tensor
    """`K_f`, the other way."""
    a: Tensor
    c: Tensor

    @property
    def system(self) -> GeneralSumSystem:
        return GeneralSumSystem(
            lambda vector: [self.forward @ vector[0]],
            lambda vector: [self.backward @ vector[0]],
            [self.a],
            [self.c],
        )

    @property
    def eps(self) -> float:
        return torch.finfo(self.a.dtype).eps

    @cached_property
    def operator(self) -> Tensor:
        size = self.forward.shape[1]
        return torch.eye(size, dtype=torch.float64) - self.backward.double() @ self.forward.double()

    @cached_property
    def rhs(self) -> Tensor:
        return -self.a.double() + self.backward.double() @ self.c.double()

    @cached_property
    def magnitude(self) -> float:
        """`1 + ‖K_f‖‖K_g‖`: how large the terms are that cancel in the operator."""
        norms = [torch.linalg.matrix_norm(half.double(), 2).item() for half in (self.forward, self.backward)]
        return 1.0 + norms[0] * norms[1]

    @cached_property
    def kappa(self) -> float:
        return self.magnitude * self.amplification

    @cached_property
    def amplification(self) -> float:
        """`‖A⁻¹‖`: what a residual may do to the solution."""
        return 1.0 / torch.linalg.svdvals(self.operator).min().item()

    @cached_property
    def solution(self) -> Tensor:
        return torch.linalg.solve(self.operator, self.rhs)

    def residual(self, xi: Tensor) -> float:
        return ((self.rhs - self.operator @ xi.double()).norm() / self.rhs.norm()).item()


def general_sum(
    kind: str, size: float, dtype: torch.dtype, seed: int, shape: tuple[int, int] = (12, 16)
) -> GeneralSum:
    """Make a system whose couplings have norm `size`; the kinds differ in how they relate."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = shape
    rank = min(shape)
    left, right = orthogonal(rows, generator)[:, :rank], orthogonal(columns, generator)[:, :rank]
    singular = size * torch.linspace(0.1, 1.0, rank, dtype=torch.float64)
    forward = (left * singular) @ right.T
    if kind == "zero-sum":
        backward = -forward.T
    elif kind == "indefinite":
        backward = forward.T
    elif kind == "non-symmetric":
        backward = (orthogonal(columns, generator)[:, :rank] * singular) @ orthogonal(rows, generator)[
            :, :rank
        ].T
    elif kind == "singular":  # one eigenvalue of K_f K_g is exactly 1, up to rounding
        singular[0] = 1.0
        forward = (left * singular) @ right.T
        backward = forward.T
    else:
        raise ValueError(kind)
    a, c = (torch.randn(count, generator=generator, dtype=torch.float64) for count in (columns, rows))
    name = f"{kind} size={size:g} {dtype} seed={seed}"
    return GeneralSum(name, forward.to(dtype), backward.to(dtype), a.to(dtype), c.to(dtype))
