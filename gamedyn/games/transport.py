"""Exact Wasserstein distances of point masses, and bounded noise that makes their divergences finite."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.spatial.distance import cdist
from scipy.special import roots_jacobi

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Masses:
    """Point masses, such as the modes of a mixture whose parts have no width.

    Args:
        points: Shape (n, 2).
        weights: Shape (n,), positive, of sum 1; `None` for equal ones.

    Raises:
        ValueError: If the shapes do not fit, or the weights are not positive or do not sum to 1.

    Example:
        >>> Masses(np.zeros((1, 2))).weights.tolist()
        [1.0]
    """

    points: Array
    weights: Array = None  # type: ignore[assignment]  # set below

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(f"points must have shape (n, 2) with n > 0, got {points.shape}")
        weights = np.full(len(points), 1 / len(points)) if self.weights is None else np.asarray(self.weights)
        if weights.shape != points.shape[:1] or not (weights > 0).all() or abs(weights.sum() - 1.0) > 1e-9:
            raise ValueError(f"weights must be {len(points)} positive numbers of sum 1, got {self.weights}")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "weights", weights)


def wasserstein(p: Masses, q: Masses) -> float:
    """Wasserstein-1 distance, by the linear programme of optimal transport.

    Args:
        p: One law.
        q: The other law.

    Returns:
        The least mean distance over all ways to move the one's mass to the other's.

    Raises:
        ValueError: If the programme is not solved.

    Example:
        >>> left, right = Masses(np.array([[0.0, 0.0], [0.0, 1.0]])), Masses(np.array([[3.0, 0.5]]))
        >>> round(wasserstein(left, right) ** 2, 6)
        9.25
    """
    m, n = len(p.points), len(q.points)
    moved = np.arange(m * n)
    rows = np.concatenate((moved // n, m + moved % n))
    balance = coo_array((np.ones(2 * m * n), (rows, np.tile(moved, 2)))).tocsr()
    masses = np.concatenate((p.weights / p.weights.sum(), q.weights / q.weights.sum()))
    # One balance too many: the largest follows from the others, and by rounding might contradict them.
    needed = np.arange(m + n) != np.argmax(masses)
    solved = linprog(
        cdist(p.points, q.points).ravel(), A_eq=balance[needed], b_eq=masses[needed], method="highs"
    )
    if not solved.success:
        raise ValueError(f"optimal transport was not solved: {solved.message}")
    return float(solved.fun)


@dataclass(frozen=True)
class BoundedNoise:
    r"""Round noise in the plane that stays within a radius.

    .. math:: P_\epsilon(e) = \frac{3}{\pi b^2} \Big(1 - \frac{|e|^2}{b^2}\Big)^2, \qquad
        V = \mathbb{E}|\epsilon|^2 = b^2 / 4

    Args:
        radius: `b`.

    Raises:
        ValueError: If it is not positive.

    Example:
        >>> BoundedNoise(2.0).variance
        1.0
    """

    radius: float

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise ValueError(f"radius must be positive, got {self.radius}")

    @property
    def variance(self) -> float:
        """Mean square of the noise's length."""
        return self.radius**2 / 4

    def density(self, x: Array, law: Masses) -> Array:
        """Density of a law with this noise.

        Args:
            x: Points, shape (n, 2).
            law: The law without noise.

        Returns:
            Shape (n,).
        """
        inside = np.clip(1.0 - cdist(x, law.points, "sqeuclidean") / self.radius**2, 0.0, None)
        return np.asarray(3.0 / (math.pi * self.radius**2) * inside**2 @ law.weights)

    def nodes(self, radii: int = 24, angles: int = 48) -> tuple[Array, Array]:
        """Points and weights by which means over the noise are taken.

        Args:
            radii: Nodes along the radius (Gauss and Jacobi's).
            angles: Nodes around (evenly).

        Returns:
            Points of shape (radii · angles, 2), and weights of sum 1.
        """
        t, weights = roots_jacobi(radii, 2.0, 0.0)  # in s = (1 + t)/2 the noise has the density 3(1 - s)²
        turn = 2 * math.pi * (np.arange(angles) + 0.5) / angles
        lengths = self.radius * np.sqrt((1 + t) / 2)
        points = lengths[:, None, None] * np.stack((np.cos(turn), np.sin(turn)), axis=1)
        return points.reshape(-1, 2), np.repeat(weights / weights.sum() / angles, angles)

    def added(self, law: Masses, radii: int = 8, angles: int = 16) -> Masses:
        """Add the noise, on the points by which means over it are taken.

        Args:
            law: The law without noise.
            radii: Nodes along the radius.
            angles: Nodes around.

        Returns:
            Point masses with the noisy law's mean square exactly.
        """
        shifts, weights = self.nodes(radii, angles)
        points = (law.points[:, None] + shifts).reshape(-1, 2)
        return Masses(points, np.outer(law.weights, weights).ravel())

    def js(self, p: Masses, q: Masses) -> float:
        """Jensen-Shannon divergence of two laws with this noise.

        Args:
            p: One law without noise.
            q: The other law without noise.

        Returns:
            The divergence in nats, log 2 if no noisy mass of one meets the other's.

        Example:
            >>> here, there = Masses(np.zeros((1, 2))), Masses(np.ones((1, 2)))
            >>> [round(BoundedNoise(b).js(here, there), 4) for b in (0.5, 2.0, 100.0)]
            [0.6931, 0.3495, 0.0003]
        """
        shifts, weights = self.nodes()
        total = 0.0
        for own, other in ((p, q), (q, p)):
            x = (own.points[:, None] + shifts).reshape(-1, 2)
            near, far = self.density(x, own), self.density(x, other)
            total += 0.5 * float(np.outer(own.weights, weights).ravel() @ np.log(2 * near / (near + far)))
        return total


def wasserstein_bound(p: Masses, q: Masses, noise: BoundedNoise) -> float:
    r"""Bound the Wasserstein distance by a divergence of the noisy laws.

    .. math:: W(P, Q) \le 2 V^{1/2} + 2 C \sqrt{\mathrm{JS}(P_\epsilon, Q_\epsilon)}

    Args:
        p: One law.
        q: The other law.
        noise: The noise; a ball around the common centre, of diameter `C`, holds both noisy laws.

    Returns:
        The bound.

    Example:
        >>> here, there = Masses(np.zeros((1, 2))), Masses(np.array([[0.1, 0.0]]))
        >>> wasserstein(here, there) < wasserstein_bound(here, there, BoundedNoise(0.5)) < 1.0
        True

    References:
        Arjovsky and Bottou, Towards Principled Methods for Training Generative Adversarial Networks, 2017,
        theorem 3.3.
    """
    points = np.concatenate((p.points, q.points))
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    diameter = 2 * (float(np.linalg.norm(points - middle, axis=1).max()) + noise.radius)
    return 2 * math.sqrt(noise.variance) + 2 * diameter * math.sqrt(max(noise.js(p, q), 0.0))
