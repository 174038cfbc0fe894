"""What the games with closed forms share: a start, a closure, and answers drawn from one Jacobian."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gamedyn.dynamics.matrices import iteration_matrix, spectral_radius, spectrum

Array = npt.NDArray[np.float64]
Loss = Tensor | tuple[Tensor, Tensor]


class ExactGame(ABC):
    """A two-player game whose answers are known; player 0 (x) minimises, player 1 (y) maximises.

    A game gives its loss on tensors, and its gradients and mixed derivatives on arrays: a single point
    or a stack of them. Equilibrium, iteration matrix and spectrum follow. Where the gradients are not
    affine the matrix is the linearisation at the equilibrium.

    Attributes:
        start: The starting point (x₀, y₀), two float64 arrays of shapes (m,) and (n,).
    """

    start: tuple[Array, Array]

    @abstractmethod
    def value(self, x: Tensor, y: Tensor) -> Loss:
        """Loss at (x, y): one scalar f (zero-sum), or the pair of both players' own losses."""

    @abstractmethod
    def field(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Gradient of each player's own loss, for stacks of points: (..., m) and (..., n)."""

    @abstractmethod
    def mixed(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Mixed derivatives (D_xy f, D_yx g) of the players' own losses: (..., m, n), (..., n, m)."""

    @property
    @abstractmethod
    def equilibrium(self) -> tuple[Array, Array]:
        """The point (x*, y*) where both players' own gradients vanish: shapes (m,) and (n,)."""

    @property
    @abstractmethod
    def jacobian(self) -> Array:
        """Jacobian of both players' own gradients at the equilibrium, shape (m+n, m+n)."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers (m, n) of coordinates of the two players."""
        return len(self.start[0]), len(self.start[1])

    def parameters(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
        """Fresh parameters at the starting point.

        Args:
            dtype: Floating-point type of both tensors.

        Returns:
            x of shape (m,) and y of shape (n,), both requiring gradients.
        """
        x, y = (torch.tensor(s, dtype=dtype, requires_grad=True) for s in self.start)
        return x, y

    def closure(self, x: Tensor, y: Tensor) -> Callable[[], Loss]:
        """Closure of the game at live parameters, as an optimizer's `step` takes it.

        Args:
            x: Player 0's parameter, shape (m,).
            y: Player 1's parameter, shape (n,).

        Returns:
            A function without arguments that returns `value(x, y)`.
        """
        return lambda: self.value(x, y)

    def iteration_matrix(
        self, optimizer: object, lr: npt.ArrayLike, max_lr: npt.ArrayLike | None = None
    ) -> Array:
        """Matrix M with w₊ − w* = M (w − w*), w = (x, y), for one step of an optimizer.

        Args:
            optimizer: Name, class or instance of SimGD, AltGD or CGD.
            lr: Step size η_x, of any shape.
            max_lr: Step size η_y; `None` means `lr`.

        Returns:
            Array of shape (..., m+n, m+n), where ... is the broadcast shape of the step sizes.
        """
        return iteration_matrix(optimizer, self.jacobian, self.sizes, lr, max_lr)

    def spectrum(
        self, optimizer: object, lr: npt.ArrayLike, max_lr: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.complex128]:
        """Eigenvalues of `iteration_matrix`, shape (..., m+n), unordered.

        Args:
            optimizer: Name, class or instance of SimGD, AltGD or CGD.
            lr: Step size η_x, of any shape.
            max_lr: Step size η_y; `None` means `lr`.

        Returns:
            Complex array of shape (..., m+n).
        """
        return spectrum(self.iteration_matrix(optimizer, lr, max_lr))

    def spectral_radius(
        self, optimizer: object, lr: npt.ArrayLike, max_lr: npt.ArrayLike | None = None
    ) -> Any:
        """Largest modulus of `spectrum`: below 1 if and only if the optimizer is locally stable.

        Args:
            optimizer: Name, class or instance of SimGD, AltGD or CGD.
            lr: Step size η_x, of any shape.
            max_lr: Step size η_y; `None` means `lr`.

        Returns:
            Array in the broadcast shape of the step sizes; a scalar for scalars.
        """
        return spectral_radius(self.iteration_matrix(optimizer, lr, max_lr))


def as_matrix(values: npt.ArrayLike | Tensor, name: str) -> Array:
    """Read a matrix of coefficients: a number is a 1×1 matrix.

    Args:
        values: Number, nested list, array or tensor.
        name: What to call it in the error.

    Returns:
        A float64 array with two axes.

    Raises:
        ValueError: If it has another number of axes, or an entry that is not finite.
    """
    array = _array(values)
    matrix = array.reshape(1, 1) if array.ndim == 0 else array
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be a number or a matrix of finite numbers, got {values!r}")
    return matrix


def as_vector(values: npt.ArrayLike | Tensor, size: int, name: str) -> Array:
    """Read a vector of `size` coordinates: a number is repeated.

    Args:
        values: Number, list, array or tensor.
        size: Number of coordinates.
        name: What to call it in the error.

    Returns:
        A float64 array of shape (size,).

    Raises:
        ValueError: If it has another shape, or an entry that is not finite.
    """
    array = _array(values)
    vector = np.full(size, array) if array.ndim == 0 else array
    if vector.shape != (size,) or not np.isfinite(vector).all():
        raise ValueError(f"{name} must be a number or {size} finite numbers, got {values!r}")
    return vector


def _array(values: npt.ArrayLike | Tensor) -> Array:
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    return np.array(values, dtype=np.float64)


def times(vectors: Array, matrix: Array) -> Array:
    """Matrix-vector products M v of a stack of vectors, a plain product where M is 1×1.

    Args:
        vectors: Shape (..., n).
        matrix: Shape (m, n).

    Returns:
        Shape (..., m).
    """
    if matrix.shape == (1, 1):
        return np.asarray(vectors * matrix[0, 0])
    return np.asarray(vectors @ matrix.T)
