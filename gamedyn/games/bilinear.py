"""Bilinear games: pure rotation, the hardest easy case."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gamedyn.dynamics.matrices import optimizer_name
from gamedyn.games.base import Array, ExactGame, as_matrix, as_vector, times


class Bilinear(ExactGame):
    r"""Zero-sum game min over x, max over y of f(x, y) = xᵀAy + bᵀx + cᵀy.

    The equilibrium solves A y* = −b and Aᵀ x* = −c. Along a singular pair of A with value σ, a step
    with h = σ √(η_x η_y) multiplies the distance to it by exactly

        SimGD   √(1 + h²)          always away
        AltGD   1                  for h < 2: a closed ellipse
        CGD     1/√(1 + h²)        always nearer

    Args:
        A: Coupling, a number or shape (m, n).
        b: Linear term of x, a number or shape (m,).
        c: Linear term of y, a number or shape (n,).
        start: Starting point (x₀, y₀), numbers or shapes (m,) and (n,).

    Raises:
        ValueError: If the shapes do not fit, or the linear terms leave the game without an equilibrium.

    Example:
        >>> game = Bilinear(1.0)
        >>> round(float(game.spectral_radius("CGD", lr=0.1)), 6)
        0.995037

    References:
        Schäfer & Anandkumar, "Competitive Gradient Descent", NeurIPS 2019, section 2.
    """

    def __init__(
        self,
        A: npt.ArrayLike | Tensor,
        b: npt.ArrayLike | Tensor = 0.0,
        c: npt.ArrayLike | Tensor = 0.0,
        *,
        start: tuple[npt.ArrayLike, npt.ArrayLike] = (1.0, 1.0),
    ) -> None:
        self.A = as_matrix(A, "A")
        m, n = self.A.shape
        self.b, self.c = as_vector(b, m, "b"), as_vector(c, n, "c")
        self.start = as_vector(start[0], m, "start[0]"), as_vector(start[1], n, "start[1]")
        # Least squares picks the equilibrium nearest the origin where A leaves a choice.
        y_star = np.linalg.lstsq(self.A, -self.b, rcond=None)[0]
        x_star = np.linalg.lstsq(self.A.T, -self.c, rcond=None)[0]
        if not (np.allclose(self.A @ y_star, -self.b) and np.allclose(self.A.T @ x_star, -self.c)):
            raise ValueError("no equilibrium: b must lie in the range of A and c in the range of Aᵀ")
        self._equilibrium: tuple[Array, Array] = np.asarray(x_star, float), np.asarray(y_star, float)

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """Value f(x, y), a scalar.

        Args:
            x: Shape (m,).
            y: Shape (n,).

        Returns:
            The value, differentiable.
        """
        A, b, c = (torch.from_numpy(M).to(x) for M in (self.A, self.b, self.c))
        return x @ (A @ y) + b @ x + c @ y

    def field(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Gradients (Ay + b, −Aᵀx − c) of the players' own losses.

        Args:
            x: Shape (..., m).
            y: Shape (..., n).

        Returns:
            Shapes (..., m) and (..., n).
        """
        return times(y, self.A) + self.b, -times(x, self.A.T) - self.c

    def mixed(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Mixed derivatives (A, −Aᵀ), the same everywhere.

        Args:
            x: Shape (..., m).
            y: Shape (..., n).

        Returns:
            Shapes (m, n) and (n, m).
        """
        return self.A, -self.A.T

    @property
    def equilibrium(self) -> tuple[Array, Array]:
        """(x*, y*) with A y* = −b and Aᵀ x* = −c; the one nearest the origin if there are several."""
        return self._equilibrium

    @property
    def jacobian(self) -> Array:
        """[[0, A], [−Aᵀ, 0]]."""
        m, n = self.A.shape
        return np.block([[np.zeros((m, m)), self.A], [-self.A.T, np.zeros((n, n))]])

    def contraction(self, optimizer: object, lr: npt.ArrayLike, max_lr: npt.ArrayLike | None = None) -> Array:
        r"""Exact long-run factor by which a step multiplies the distance, for each singular value of A.

        With h = σ √(η_x η_y): SimGD √(1+h²); AltGD 1 for h ≤ 2 and (h² − 2 + h √(h² − 4))/2 beyond;
        CGD 1/√(1+h²). For SimGD and CGD with equal step sizes the factor holds at every single step.

        Args:
            optimizer: Name, class or instance of SimGD, AltGD or CGD.
            lr: Step size η_x, of any shape.
            max_lr: Step size η_y; `None` means `lr`.

        Returns:
            Shape (..., min(m, n)), one factor for each singular value, the largest value first.

        Example:
            >>> [Bilinear(2.0).contraction(name, lr=0.5).item() for name in ("AltGD", "CGD")]
            [1.0, 0.7071067811865475]
        """
        name = optimizer_name(optimizer)
        eta_x = np.asarray(lr, dtype=np.float64)
        eta_y = eta_x if max_lr is None else np.asarray(max_lr, dtype=np.float64)
        h = np.sqrt(eta_x * eta_y)[..., None] * np.linalg.svd(self.A, compute_uv=False)
        if name == "SimGD":
            return np.asarray(np.sqrt(1.0 + h * h))
        if name == "CGD":
            return np.asarray(1.0 / np.sqrt(1.0 + h * h))
        beyond = np.maximum(h, 2.0)
        return np.asarray((beyond * beyond - 2.0 + beyond * np.sqrt(beyond * beyond - 4.0)) / 2.0)
