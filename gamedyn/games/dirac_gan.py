"""The Dirac-GAN: the smallest GAN, one number a player, whose gradient descent does not converge."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gamedyn.games.base import Array, ExactGame, Loss, as_vector

DiracLoss = Literal["saturating", "nonsaturating", "wgan"]
_LOSSES: tuple[DiracLoss, ...] = ("saturating", "nonsaturating", "wgan")


class DiracGAN(ExactGame):
    r"""GAN of a point mass at 0: the generator places a point mass at x, the discriminator is D(t) = yt.

    With φ(t) = −log(1 + e^(−t)) the players descend

        saturating      f(x, y) = φ(−xy) + φ(0) up to the penalty; y ascends it
        nonsaturating   generator −φ(xy), discriminator −φ(−xy) − φ(0): general-sum
        wgan            f(x, y) = −xy

    and the discriminator may pay the R1 penalty (γ/2) y², the squared gradient of D at the real data.
    The equilibrium is the origin. There the eigenvalues of the Jacobian are those of
    [[0, −φ'(0)], [φ'(0), γ]], φ'(0) = ½ (1 for wgan): without the penalty they are ±iφ'(0).

    Args:
        loss: `"saturating"` (the minimax loss), `"nonsaturating"` or `"wgan"`.
        r1: Weight γ of the R1 penalty.
        start: Starting point (x₀, y₀).

    Raises:
        ValueError: If the loss is not known or `r1` is negative.

    Example:
        >>> game = DiracGAN()
        >>> round(float(game.spectral_radius("SimGD", lr=1.0)), 6)     # √(1 + η²/4)
        1.118034

    References:
        Mescheder, Geiger, Nowozin, "Which training methods for GANs do actually converge?", ICML 2018,
        section 2. There D is fed with the sign reversed: their ψ is −y here.
    """

    def __init__(
        self,
        loss: DiracLoss = "saturating",
        *,
        r1: float = 0.0,
        start: tuple[npt.ArrayLike, npt.ArrayLike] = (1.0, 1.0),
    ) -> None:
        if loss not in _LOSSES:
            raise ValueError(f"loss must be one of {', '.join(_LOSSES)}, got {loss!r}")
        if not r1 >= 0.0:
            raise ValueError(f"r1 must not be negative, got {r1}")
        self.loss, self.r1 = loss, float(r1)
        self.start = as_vector(start[0], 1, "start[0]"), as_vector(start[1], 1, "start[1]")

    def value(self, x: Tensor, y: Tensor) -> Loss:
        """Loss at (x, y): a scalar, or both players' own losses for the non-saturating game.

        Args:
            x: The generator's point, shape (1,).
            y: The discriminator's slope, shape (1,).

        Returns:
            The loss, differentiable.
        """
        score = (x * y).sum()
        penalty = 0.5 * self.r1 * (y * y).sum()
        if self.loss == "wgan":
            return -score - penalty
        real = torch.log(torch.tensor(0.5, dtype=x.dtype, device=x.device))
        value = torch.nn.functional.logsigmoid(-score) + real - penalty
        if self.loss == "saturating":
            return value
        return -torch.nn.functional.logsigmoid(score), -value

    def field(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Gradient of each player's own loss.

        Args:
            x: Shape (..., 1).
            y: Shape (..., 1).

        Returns:
            Shapes (..., 1) and (..., 1).
        """
        score = x * y
        slope_x, slope_y = self._slope(-score if self.loss == "nonsaturating" else score), self._slope(score)
        return -slope_x * y, slope_y * x + self.r1 * y

    def mixed(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Mixed derivatives (D_xy f, D_yx g) of the players' own losses.

        Args:
            x: Shape (..., 1).
            y: Shape (..., 1).

        Returns:
            Shapes (..., 1, 1) and (..., 1, 1).
        """
        score = x * y
        own = self._slope(score) + score * self._curvature(score)
        other = self._slope(-score) - score * self._curvature(-score)
        return -(other if self.loss == "nonsaturating" else own)[..., None], own[..., None]

    @property
    def equilibrium(self) -> tuple[Array, Array]:
        """The origin: the generated mass on the data's, the discriminator flat."""
        return np.zeros(1), np.zeros(1)

    @property
    def jacobian(self) -> Array:
        """[[0, −φ'(0)], [φ'(0), γ]]."""
        slope = 1.0 if self.loss == "wgan" else 0.5
        return np.array([[0.0, -slope], [slope, self.r1]])

    def _slope(self, score: Array) -> Array:
        """φ'(−t) = σ(t): how strongly a score t of the fakes pulls; 1 for wgan."""
        return np.ones_like(score) if self.loss == "wgan" else _sigmoid(score)

    def _curvature(self, score: Array) -> Array:
        if self.loss == "wgan":
            return np.zeros_like(score)
        return np.asarray(_sigmoid(score) * _sigmoid(-score))


def _sigmoid(t: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * t)))
