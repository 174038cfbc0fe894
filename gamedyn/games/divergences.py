"""Exact divergences between mixtures of Gaussians on the line, and how they change when one is shifted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logsumexp, ndtr

Array = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
REACH = 12.0
"""How many standard deviations from its means a mixture is integrated: beyond lies less than 1e-32 of it."""
PANEL = 0.25
"""Width of a panel of eight nodes, in units of the smallest standard deviation."""


@dataclass(frozen=True)
class LineMixture:
    """A mixture of Gaussians on the line, a single Gaussian by default.

    Args:
        means: Means of the parts.
        stds: Standard deviations of the parts.
        weights: Weights of the parts, which sum to 1; `None` for equal ones.

    Raises:
        ValueError: If their numbers differ, a standard deviation is not positive, or the weights are no
            probabilities.

    Example:
        >>> two = LineMixture((-3.0, 3.0), (1.0, 1.0))
        >>> round(float(two.cdf(np.zeros(1))[0]), 3)
        0.5
    """

    means: Sequence[float] = (0.0,)
    stds: Sequence[float] = (1.0,)
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        weights = self._weights
        if not len(self.means) == len(self.stds) == len(weights) or not len(weights):
            raise ValueError(
                f"means, stds and weights must be as many, got {len(self.means)}, {len(self.stds)} "
                f"and {len(weights)}"
            )
        if not all(std > 0 and math.isfinite(std) for std in self.stds):
            raise ValueError(f"stds must be positive, got {tuple(self.stds)}")
        if not (weights >= 0).all() or abs(weights.sum() - 1.0) > 1e-9:
            raise ValueError(f"weights must be at least 0 and sum to 1, got {tuple(weights)}")

    @property
    def _weights(self) -> Array:
        return np.asarray([1 / len(self.means)] * len(self.means) if self.weights is None else self.weights)

    def shifted(self, by: float) -> LineMixture:
        """Move the mixture to the right.

        Args:
            by: How far.

        Returns:
            The mixture with every mean larger by `by`.
        """
        return replace(self, means=tuple(mean + by for mean in self.means))

    def smoothed(self, std: float) -> LineMixture:
        """Add independent Gaussian noise, the instance noise of a discriminator.

        Args:
            std: Standard deviation of the noise.

        Returns:
            The law of the sum.
        """
        return replace(self, stds=tuple(math.hypot(own, std) for own in self.stds))

    def _log_parts(self, x: Array) -> Array:
        z = (x[:, None] - np.asarray(self.means)) / np.asarray(self.stds)
        with np.errstate(divide="ignore"):
            scale = np.log(self._weights) - np.log(self.stds) - 0.5 * math.log(2 * math.pi)
        return np.asarray(scale - 0.5 * z * z)

    def log_density(self, x: Array) -> Array:
        """Evaluate the logarithm of the density, which does not underflow.

        Args:
            x: Points, shape (n,).

        Returns:
            Shape (n,).
        """
        return np.asarray(logsumexp(self._log_parts(x), axis=1))

    def log_slope(self, x: Array) -> Array:
        """Evaluate the derivative of the logarithm of the density.

        Args:
            x: Points, shape (n,).

        Returns:
            Shape (n,).
        """
        parts = self._log_parts(x)
        share = np.exp(parts - logsumexp(parts, axis=1, keepdims=True))
        slopes = (np.asarray(self.means) - x[:, None]) / np.asarray(self.stds) ** 2
        return np.asarray((share * slopes).sum(axis=1))

    def cdf(self, x: Array) -> Array:
        """Evaluate the probability of at most x.

        Args:
            x: Points, shape (n,).

        Returns:
            Shape (n,).
        """
        z = (x[:, None] - np.asarray(self.means)) / np.asarray(self.stds)
        return np.asarray(ndtr(z) @ self._weights)


@dataclass(frozen=True)
class Divergences:
    """Divergences of q from p, in nats; or their derivatives as q moves to the right.

    Args:
        kl: KL(p‖q), which punishes data that are not generated.
        reverse_kl: KL(q‖p), which punishes samples that are not data.
        js: The Jensen-Shannon divergence, half of KL(p‖m) and half of KL(q‖m) with m = (p + q)/2.
        js_gap: log 2 less the Jensen-Shannon divergence, integrated by itself so that it keeps its digits
            where that rounds to log 2.
        wasserstein: The Wasserstein-1 distance, in units of the line.
    """

    kl: float
    reverse_kl: float
    js: float
    js_gap: float
    wasserstein: float


def divergences(p: LineMixture, q: LineMixture) -> Divergences:
    r"""Integrate every divergence of two laws, in logarithms of their densities.

    .. math::
        \log 2 - \mathrm{JS} = \tfrac12 \mathbb{E}_p \log(1 + q/p) + \tfrac12 \mathbb{E}_q \log(1 + p/q),
        \qquad W_1 = \int |F_p - F_q|

    Args:
        p: The law of the data.
        q: The law of the generator.

    Returns:
        The divergences.

    Example:
        >>> near, far = (divergences(LineMixture(), LineMixture((mean,))) for mean in (2.0, 30.0))
        >>> round(near.js, 6), round(far.kl, 6), round(far.wasserstein, 6), far.js_gap < 1e-40
        (0.336831, 450.0, 30.0, True)
    """
    x, dx = _grid(p, q)
    log_p, log_q = p.log_density(x), q.log_density(x)
    weight_p, weight_q, logit = dx * np.exp(log_p), dx * np.exp(log_q), log_p - log_q
    gap = 0.5 * float(weight_p @ np.logaddexp(0.0, -logit) + weight_q @ np.logaddexp(0.0, logit))
    return Divergences(
        kl=float(weight_p @ logit),
        reverse_kl=-float(weight_q @ logit),
        js=math.log(2.0) - gap,
        js_gap=gap,
        wasserstein=float(dx @ np.abs(p.cdf(x) - q.cdf(x))),
    )


def shift_derivatives(p: LineMixture, q: LineMixture) -> Divergences:
    r"""Differentiate every divergence by a shift of q to the right: the gradient of a generator's mean.

    .. math::
        \partial_\mu \mathrm{JS} = \tfrac12 \mathbb{E}_q\big[\partial_x \log(1 - D^*(x))\big],
        \qquad D^* = p / (p + q)

    Args:
        p: The law of the data.
        q: The law of the generator.

    Returns:
        The derivatives, a unit of divergence for each unit of the line.

    Example:
        >>> slopes = shift_derivatives(LineMixture(), LineMixture((10.0,)))
        >>> round(slopes.kl, 6), round(slopes.wasserstein, 6), f"{slopes.js:.2e}"
        (10.0, 1.0, '2.23e-06')
    """
    x, dx = _grid(p, q)
    log_p, log_q = p.log_density(x), q.log_density(x)
    weight_p, weight_q = dx * np.exp(log_p), dx * np.exp(log_q)
    slope_p, slope_q = p.log_slope(x), q.log_slope(x)
    js = 0.5 * float(weight_q @ (expit(log_p - log_q) * (slope_q - slope_p)))
    return Divergences(
        kl=float(weight_p @ slope_q),
        reverse_kl=-float(weight_q @ slope_p),
        js=js,
        js_gap=-js,
        wasserstein=_wasserstein_slope(x, p, q),
    )


def generator_slopes(p: LineMixture, q: LineMixture) -> tuple[float, float]:
    r"""Differentiate a generator's two losses by its shift, the optimal discriminator D* held fixed.

    .. math::
        \mathbb{E}_q\big[\partial_x \log(1 - D^*)\big] = 2\, \partial_\mu \mathrm{JS}, \qquad
        -\mathbb{E}_q\big[\partial_x \log D^*\big]
        = \partial_\mu \mathrm{KL}(q \| p) - 2\, \partial_\mu \mathrm{JS}

    Args:
        p: The law of the data.
        q: The law of the generator.

    Returns:
        The derivatives of the saturating loss and of the non-saturating one.

    Example:
        >>> saturating, nonsaturating = generator_slopes(LineMixture(), LineMixture((5.0,)))
        >>> f"{saturating:.7f} {nonsaturating:.6f}"
        '0.0473796 4.952620'

    References:
        Arjovsky and Bottou, Towards Principled Methods for Training Generative Adversarial Networks, 2017,
        theorem 2.5.
    """
    x, dx = _grid(p, q)
    log_p, log_q = p.log_density(x), q.log_density(x)
    weight, logit, slope = dx * np.exp(log_q), log_p - log_q, p.log_slope(x) - q.log_slope(x)
    return -float(weight @ (expit(logit) * slope)), -float(weight @ (expit(-logit) * slope))


def kl_gaussians(mean_p: float, std_p: float, mean_q: float, std_q: float) -> float:
    """Kullback-Leibler divergence of two Gaussians in closed form.

    Args:
        mean_p: Mean of p.
        std_p: Standard deviation of p.
        mean_q: Mean of q.
        std_q: Standard deviation of q.

    Returns:
        KL(p‖q) in nats.

    Example:
        >>> kl_gaussians(0.0, 1.0, 2.0, 1.0)
        2.0
    """
    return math.log(std_q / std_p) + (std_p**2 + (mean_p - mean_q) ** 2) / (2.0 * std_q**2) - 0.5


def _wasserstein_slope(x: Array, p: LineMixture, q: LineMixture) -> float:
    """Mass of q that lies right of where it is wanted, less the mass left of it."""
    excess = p.cdf(x) - q.cdf(x)
    sign = np.sign(excess)
    last = np.flatnonzero(sign[1:] != sign[:-1])
    roots = x[last] - excess[last] * (x[last + 1] - x[last]) / (excess[last + 1] - excess[last])
    mass = np.diff(np.concatenate(([0.0], q.cdf(roots), [1.0])))
    return float(mass @ np.append(sign[last], sign[-1]))


def _grid(*laws: LineMixture) -> tuple[Array, Array]:
    """Nodes and weights of Gauss-Legendre panels over all that the laws have."""
    ends = [
        mean + sign * REACH * std
        for law in laws
        for mean, std in zip(law.means, law.stds, strict=True)
        for sign in (-1.0, 1.0)
    ]
    low, high = min(ends), max(ends)
    panels = math.ceil((high - low) / (PANEL * min(min(law.stds) for law in laws)))
    half = 0.5 * (high - low) / panels
    centers = low + half * (2 * np.arange(panels) + 1)
    return (centers[:, None] + half * _NODES).ravel(), np.tile(half * _WEIGHTS, panels)
