"""The projection problem of the ICR paper: a generator that misses the data chooses what to match."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]

UNITS = 4
"""Width of every hidden layer."""
DATA = (2.0, 2.0)
GENERATOR = {"W1": (UNITS, UNITS), "b1": (UNITS,), "W2": (2, UNITS), "b2": (2,)}
DISCRIMINATOR = {
    "V1": (UNITS, 2), "c1": (UNITS,), "V2": (UNITS, UNITS), "c2": (UNITS,), "v3": (UNITS,), "c3": (),
}  # fmt: skip


class Scored(NamedTuple):
    """What the discriminator computed at a stack of points; shapes (..., 4) but for `point`, (..., 2)."""

    point: Array
    hidden: tuple[Array, Array]
    slopes: tuple[Array, Array]
    deltas: tuple[Array, Array]


class Projection:
    r"""Zero-sum game min over x, max over y of f(x, y) = D(η P; y) − D(η θ(x); y), with P = (2, 2).

    A "distribution" is a point θ of the plane. The generator maps its own weights x to one by two layers of
    softplus, from the constant input (1, 1, 1, 1), and an output map whose range leaves out P:

        θ₁ = exp(u + ½ tanh v),   θ₂ = exp(−u + ½ tanh v),   so that −1 < log θ₁ + log θ₂ < 1

    The discriminator, three layers of softplus, sees θ multiplied by η: of two features it perceives one more
    strongly. Everything is deterministic, and all runs of a stack are worked out at once.

    Args:
        eta: The factors (η₁₁, η₂₂) on the discriminator's inputs.

    Raises:
        ValueError: If a factor is not positive.

    Example:
        >>> game = Projection()
        >>> x, y = game.starts([0, 1, 2])
        >>> x.shape, y.shape, game.distribution(x).round(1).tolist()
        ((3, 30), (3, 37), [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])

    References:
        Schäfer, Zheng, Anandkumar, "Implicit competitive regularization in GANs", ICML 2020.

    Notes:
        The authors released no code for it. Range, start and sizes are read off their pictures; loss, initial
        weights and activation are those of a reconstruction that shows what the pictures show.
    """

    def __init__(self, eta: tuple[float, float] = (100.0, 1.0)) -> None:
        if not (eta[0] > 0 and eta[1] > 0):
            raise ValueError(f"the factors eta must be positive, got {eta}")
        self.eta = np.asarray(eta, dtype=np.float64)
        self.sizes = _size(GENERATOR), _size(DISCRIMINATOR)

    def starts(self, seeds: Sequence[int], *, scale: float = 0.1) -> tuple[Array, Array]:
        """Initial weights from N(0, scale²), biases zero, the generator's last layer a hundredth of that.

        Args:
            seeds: One seed a run.
            scale: Standard deviation.

        Returns:
            Shapes (seeds, 30) and (seeds, 37); every generator starts near θ = (1, 1).
        """
        players = []
        for layers in (GENERATOR, DISCRIMINATOR):
            draws = np.zeros((len(seeds), _size(layers)))
            for row, seed in zip(draws, seeds, strict=True):
                random = np.random.default_rng([seed, len(layers)])
                for name, part in _parts(row, layers).items():
                    if name[0].lower() in "wv":
                        part[...] = scale * random.standard_normal(part.shape)
                        part *= 0.01 if name == "W2" else 1.0
            players.append(draws)
        return players[0], players[1]

    def distribution(self, x: Array) -> Array:
        """The point θ that a generator stands for.

        Args:
            x: Shape (..., 30).

        Returns:
            Shape (..., 2).
        """
        return self._generate(x)[0]

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """Value f(x, y), a scalar; for live optimizers.

        Args:
            x: Shape (30,).
            y: Shape (37,).

        Returns:
            The value, differentiable.
        """
        G, D = _parts(x, GENERATOR), _parts(y, DISCRIMINATOR)
        u, v = G["W2"] @ _softplus(G["W1"].sum(1) + G["b1"]) + G["b2"]
        theta = torch.stack((torch.exp(u + torch.tanh(v) / 2), torch.exp(-u + torch.tanh(v) / 2)))
        eta = torch.from_numpy(self.eta).to(x)

        def score(point: Tensor) -> Tensor:
            first = _softplus(D["V1"] @ (eta * point) + D["c1"])
            return torch.as_tensor(D["v3"] @ _softplus(D["V2"] @ first + D["c2"]) + D["c3"])

        return score(torch.tensor(DATA).to(x)) - score(theta)

    def closure(self, x: Tensor, y: Tensor) -> Callable[[], Tensor]:
        """Closure of the game at live parameters, as an optimizer's `step` takes it.

        Args:
            x: Shape (30,).
            y: Shape (37,).

        Returns:
            A function without arguments that returns `value(x, y)`.
        """
        return lambda: self.value(x, y)

    def field(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Gradients (∇ₓf, −∇ᵧf) of the players' own losses.

        Args:
            x: Shape (..., 30).
            y: Shape (..., 37).

        Returns:
            Shapes (..., 30) and (..., 37).
        """
        theta, jacobian = self._generate(x)
        D = _parts(y, DISCRIMINATOR)
        fake, real = self._score(D, theta), self._score(D, np.broadcast_to(np.array(DATA), theta.shape))
        slope = self.eta * _vector_matrix(fake.deltas[0], D["V1"])
        return -_vector_matrix(slope, jacobian), _weights(fake) - _weights(real)

    def mixed(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Mixed derivatives (D_xy f, −D_yx f): of rank two, the players meet in θ alone.

        Args:
            x: Shape (..., 30).
            y: Shape (..., 37).

        Returns:
            Shapes (..., 30, 37) and (..., 37, 30).
        """
        theta, jacobian = self._generate(x)
        D = _parts(y, DISCRIMINATOR)
        at = self._score(D, theta)
        (s1, s2), (delta1, delta2) = at.slopes, at.deltas
        # Tangents along both coordinates of θ: the axis before the last counts them.
        inner = np.swapaxes(D["V1"], -1, -2) * self.eta[:, None]
        first = s1[..., None, :] * inner
        outer = first @ np.swapaxes(D["V2"], -1, -2)
        of_delta2 = (D["v3"] * s2 * (1 - s2))[..., None, :] * outer
        back = _vector_matrix(delta2, D["V2"])
        of_delta1 = (of_delta2 @ D["V2"]) * s1[..., None, :] + (back * s1 * (1 - s1))[..., None, :] * inner
        directions = np.eye(2) * self.eta
        of_V1 = of_delta1[..., None] * at.point[..., None, None, :]
        of_V1 = of_V1 + delta1[..., None, :, None] * directions[:, None, :]
        of_V2 = of_delta2[..., None] * at.hidden[0][..., None, None, :]
        of_V2 = of_V2 + delta2[..., None, :, None] * first[..., None, :]
        lead = of_delta1.shape[:-1]
        parts = (of_V1.reshape(*lead, -1), of_delta1, of_V2.reshape(*lead, -1), of_delta2,
                 s2[..., None, :] * outer, np.zeros((*lead, 1)))  # fmt: skip
        Dxy = -np.swapaxes(jacobian, -1, -2) @ np.concatenate(parts, axis=-1)
        return Dxy, -np.swapaxes(Dxy, -1, -2)

    def _generate(self, x: Array) -> tuple[Array, Array]:
        """Return θ, shape (..., 2), and its derivatives by the weights, shape (..., 2, 30)."""
        G = _parts(x, GENERATOR)
        inner = G["W1"].sum(-1) + G["b1"]
        hidden = np.logaddexp(0.0, inner)
        out = _matrix_vector(G["W2"], hidden) + G["b2"]
        squashed = np.tanh(out[..., 1])
        theta = np.exp(np.stack((out[..., 0], -out[..., 0]), axis=-1) + squashed[..., None] / 2)
        by_out = np.stack(
            (theta * np.array([1.0, -1.0]), theta * ((1 - squashed**2) / 2)[..., None]), axis=-1
        )  # fmt: skip
        by_hidden = (by_out @ G["W2"]) * _logistic(inner)[..., None, :]
        lead = by_out.shape[:-1]
        of_W1 = np.repeat(by_hidden, UNITS, axis=-1)  # every input is 1
        of_W2 = (by_out[..., None] * hidden[..., None, None, :]).reshape(*lead, -1)
        return theta, np.concatenate((of_W1, by_hidden, of_W2, by_out), axis=-1)

    def _score(self, D: dict[str, Array], theta: Array) -> Scored:
        """Run the discriminator at points of shape (..., 2), forwards and backwards."""
        point = self.eta * theta
        inner = _matrix_vector(D["V1"], point) + D["c1"]
        first = np.logaddexp(0.0, inner)
        outer = _matrix_vector(D["V2"], first) + D["c2"]
        slopes = _logistic(inner), _logistic(outer)
        delta2 = D["v3"] * slopes[1]
        delta1 = _vector_matrix(delta2, D["V2"]) * slopes[0]
        return Scored(point, (first, np.logaddexp(0.0, outer)), slopes, (delta1, delta2))


def _size(layers: dict[str, tuple[int, ...]]) -> int:
    return sum(math.prod(axes) for axes in layers.values())


def _parts(flat: Any, layers: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Views of a player's flat weights, an array or a tensor, by name and with its leading axes."""
    parts, begin = {}, 0
    for name, axes in layers.items():
        end = begin + math.prod(axes)
        parts[name] = flat[..., begin:end].reshape((*flat.shape[:-1], *axes))
        begin = end
    return parts


def _weights(at: Scored) -> Array:
    """Gradient of the score by the discriminator's weights, shape (..., 37)."""
    (first, second), (delta1, delta2) = at.hidden, at.deltas
    lead = delta1.shape[:-1]
    of_V1 = (delta1[..., None] * at.point[..., None, :]).reshape(*lead, -1)
    of_V2 = (delta2[..., None] * first[..., None, :]).reshape(*lead, -1)
    return np.concatenate((of_V1, delta1, of_V2, delta2, second, np.ones((*lead, 1))), axis=-1)


def _matrix_vector(matrices: Array, vectors: Array) -> Array:
    return np.asarray((matrices @ vectors[..., None])[..., 0])


def _vector_matrix(vectors: Array, matrices: Array) -> Array:
    return np.asarray((vectors[..., None, :] @ matrices)[..., 0, :])


def _softplus(values: Tensor) -> Tensor:
    """`softplus` without the threshold above which torch's own is linear."""
    return torch.logaddexp(values, torch.zeros_like(values))


def _logistic(values: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))
