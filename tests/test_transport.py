from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from gamedyn.games import BoundedNoise, Masses, wasserstein, wasserstein_bound

RANDOM = np.random.default_rng(0)


def test_transport_is_that_of_quantiles_on_a_line_and_of_assignments_between_equal_masses() -> None:
    x, y = RANDOM.normal(size=5), RANDOM.normal(size=7)
    weights = RANDOM.dirichlet(np.ones(5)), RANDOM.dirichlet(np.ones(7))
    laws = [Masses(np.stack((v, 0 * v), axis=1), w) for v, w in zip((x, y), weights, strict=True)]
    assert wasserstein(*laws) == pytest.approx(wasserstein_distance(x, y, *weights), rel=1e-9)
    points = RANDOM.normal(size=(2, 6, 2))
    cost = cdist(*points)
    assert wasserstein(*map(Masses, points)) == pytest.approx(
        cost[linear_sum_assignment(cost)].mean(), rel=1e-9
    )


def test_a_shifted_law_is_as_far_as_the_shift() -> None:
    law = Masses(RANDOM.normal(size=(6, 2)), RANDOM.dirichlet(np.ones(6)))
    assert wasserstein(law, Masses(law.points + np.array([0.3, 0.4]), law.weights)) == pytest.approx(
        0.5, rel=1e-9
    )


def test_noise_has_its_mass_variance_and_density() -> None:
    noise = BoundedNoise(0.7)
    points, weights = noise.nodes()
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ (points**2).sum(axis=1) == pytest.approx(noise.variance, rel=1e-12)
    ticks = np.linspace(-0.7, 0.7, 1401)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    density = noise.density(grid, Masses(np.zeros((1, 2))))
    assert density.sum() * 0.001**2 == pytest.approx(1.0, abs=1e-5)
    assert density @ (grid**2).sum(axis=1) * 0.001**2 == pytest.approx(noise.variance, abs=1e-5)


def test_divergence_is_that_of_a_fine_grid() -> None:
    p, q = Masses(np.array([[0.0, 0.0], [1.0, 0.2]]), np.array([0.3, 0.7])), Masses(np.array([[0.4, 0.1]]))
    noise = BoundedNoise(0.9)
    ticks = np.linspace(-2, 3, 1001)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    densities = noise.density(grid, p), noise.density(grid, q)
    mean = sum(densities) / 2
    exact = sum(0.5 * (d[d > 0] @ np.log(d[d > 0] / mean[d > 0])) for d in densities) * 0.005**2
    assert noise.js(p, q) == pytest.approx(exact, abs=1e-4)
    assert BoundedNoise(0.01).js(p, q) == pytest.approx(math.log(2), abs=1e-12)
    assert noise.js(p, p) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("radius", [0.05, 0.5, 3.0])
def test_theorem_and_lemma(radius: float) -> None:
    noise, random = BoundedNoise(radius), np.random.default_rng(1)
    p, q = (Masses(random.normal(size=(4, 2)), random.dirichlet(np.ones(4))) for _ in range(2))
    assert wasserstein(p, q) <= wasserstein_bound(p, q, noise)
    moved = wasserstein(p, noise.added(p))
    assert 0 < moved <= math.sqrt(noise.variance)


@pytest.mark.parametrize("seed", [0, 87, 90, 130])
def test_balances_that_contradict_each_other_by_rounding_are_solved(seed: int) -> None:
    random = np.random.default_rng(seed)
    noise, p = BoundedNoise(0.5), Masses(random.normal(size=(4, 2)), random.dirichlet(np.ones(4)))
    assert 0 < wasserstein(p, noise.added(p)) <= math.sqrt(noise.variance)


def test_wrong_laws_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        Masses(np.zeros(3))
    with pytest.raises(ValueError, match="sum 1"):
        Masses(np.zeros((2, 2)), np.array([0.5, 0.6]))
    with pytest.raises(ValueError, match="positive"):
        BoundedNoise(0.0)
