"""Quadratic games, with the one that shows implicit competitive regularisation (ICR)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gamedyn.dynamics.matrices import optimizer_name
from gamedyn.games.base import Array, ExactGame, as_matrix, as_vector, times


class Quadratic(ExactGame):
    r"""Zero-sum game min over x, max over y of f(x, y) = xᵀAx + xᵀBy + yᵀCy.

    With numbers in place of matrices, f = a x² + b xy + c y². The equilibrium is the origin.

    Args:
        A: Coefficients of player 0's own term, a number or shape (m, m); only A + Aᵀ matters.
        B: Coupling, a number or shape (m, n).
        C: Coefficients of player 1's own term, a number or shape (n, n).
        start: Starting point (x₀, y₀), numbers or shapes (m,) and (n,).

    Raises:
        ValueError: If the shapes do not fit, or the equilibrium is not unique.

    Example:
        >>> game = Quadratic.icr()
        >>> round(float(game.spectral_radius("SimGD", lr=0.09, max_lr=0.01)), 6)
        0.962497

    References:
        Schäfer, Zheng, Anandkumar, "Implicit competitive regularization in GANs", ICML 2020.
    """

    def __init__(
        self,
        A: npt.ArrayLike | Tensor,
        B: npt.ArrayLike | Tensor,
        C: npt.ArrayLike | Tensor,
        *,
        start: tuple[npt.ArrayLike, npt.ArrayLike] = (1.0, 1.0),
    ) -> None:
        self.A, self.B, self.C = as_matrix(A, "A"), as_matrix(B, "B"), as_matrix(C, "C")
        m, n = self.B.shape
        if self.A.shape != (m, m) or self.C.shape != (n, n):
            raise ValueError(
                f"B of shape {(m, n)} needs A of shape {(m, m)} and C of shape {(n, n)}, "
                f"got {self.A.shape} and {self.C.shape}"
            )
        self.Dxx, self.Dyy = self.A + self.A.T, self.C + self.C.T
        self.start = as_vector(start[0], m, "start[0]"), as_vector(start[1], n, "start[1]")
        if np.linalg.matrix_rank(self.jacobian) < m + n:
            raise ValueError(
                "the equilibrium is not unique: the game's Jacobian is singular; change A, B or C"
            )

    @classmethod
    def icr(cls) -> Quadratic:
        """The game x² + 10xy + y², started at (0.4, 1): y alone diverges, in play it can converge.

        Returns:
            The game; its only critical point, the origin, is the worst point for y.
        """
        return cls(1.0, 10.0, 1.0, start=(0.4, 1.0))

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """Value f(x, y), a scalar.

        Args:
            x: Shape (m,).
            y: Shape (n,).

        Returns:
            The value, differentiable.
        """
        A, B, C = (torch.from_numpy(M).to(x) for M in (self.A, self.B, self.C))
        return x @ (A @ x) + x @ (B @ y) + y @ (C @ y)

    def field(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Gradients (∇ₓf, −∇ᵧf) of the players' own losses.

        Args:
            x: Shape (..., m).
            y: Shape (..., n).

        Returns:
            Shapes (..., m) and (..., n).
        """
        return times(x, self.Dxx) + times(y, self.B), -times(y, self.Dyy) - times(x, self.B.T)

    def mixed(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Mixed derivatives (B, −Bᵀ), the same everywhere.

        Args:
            x: Shape (..., m).
            y: Shape (..., n).

        Returns:
            Shapes (m, n) and (n, m).
        """
        return self.B, -self.B.T

    @property
    def equilibrium(self) -> tuple[Array, Array]:
        """The origin."""
        m, n = self.B.shape
        return np.zeros(m), np.zeros(n)

    @property
    def jacobian(self) -> Array:
        """[[A + Aᵀ, B], [−Bᵀ, −(C + Cᵀ)]]."""
        return np.block([[self.Dxx, self.B], [-self.B.T, -self.Dyy]])

    def boundary(self, optimizer: object, lr: npt.ArrayLike) -> tuple[Array, Array]:
        r"""Step sizes η_y at which a planar game turns unstable, in closed form, for given η_x.

        A pair of complex eigenvalues leaves the unit disc where det M = 1; an eigenvalue passes −1 where
        1 + tr M + det M = 0. For f = a x² + b xy + c y² both are linear in η_y:

            det M = 1        SimGD  η_y (2c + (b² − 4ac) η_x) = 2a η_x
                             AltGD  η_y (2c − 4ac η_x)        = 2a η_x
                             CGD    η_y (2c − (b² + 4ac) η_x) = 2a η_x
            eigenvalue −1    SimGD, CGD  η_y (c + (b² − 4ac) η_x / 4) = a η_x − 1
                             AltGD       η_y (c − (b² + 4ac) η_x / 4) = a η_x − 1

        Args:
            optimizer: Name, class or instance of SimGD, AltGD or CGD.
            lr: Step sizes η_x, of any shape.

        Returns:
            η_y of the two curves, NaN where a curve has no positive η_y or is not the stability boundary.

        Raises:
            ValueError: If a player has more than one coordinate.

        Example:
            >>> rotation, flip = Quadratic.icr().boundary("SimGD", 0.09)     # η_x / (1 + 48 η_x)
            >>> round(float(rotation), 6), float(flip)
            (0.016917, nan)
        """
        if self.sizes != (1, 1):
            raise ValueError(f"the boundary is known for players of one coordinate each, got {self.sizes}")
        name = optimizer_name(optimizer)
        a, b, c = (float(M[0, 0]) for M in (self.A, self.B, self.C))
        eta = np.asarray(lr, dtype=np.float64)
        rotation = {
            "SimGD": 2 * c + (b * b - 4 * a * c) * eta,
            "AltGD": 2 * c - 4 * a * c * eta,
            "CGD": 2 * c - (b * b + 4 * a * c) * eta,
        }[name]
        sign = -1.0 if name == "AltGD" else 1.0
        flip = c + (sign * b * b - 4 * a * c) * eta / 4
        with np.errstate(divide="ignore", invalid="ignore"):
            curves = 2 * a * eta / rotation, (a * eta - 1.0) / flip
        return self._where_decisive(name, eta, curves[0]), self._where_decisive(name, eta, curves[1])

    def _where_decisive(self, name: str, lr: Array, max_lr: Array) -> Array:
        """Keep the part of a curve along which no eigenvalue lies outside the unit circle."""
        positive = np.isfinite(max_lr) & (max_lr > 0)
        radius = self.spectral_radius(name, lr, np.where(positive, max_lr, 1.0))
        return np.where(positive & (np.abs(radius - 1.0) < 1e-6), max_lr, np.nan)
