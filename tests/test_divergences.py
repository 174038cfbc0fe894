from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from gamedyn.games import (
    LineMixture,
    divergences,
    generator_slopes,
    kl_gaussians,
    shift_derivatives,
)

P = LineMixture()
UNEVEN = LineMixture((-2.0, 1.0, 4.0), (0.5, 1.0, 0.3), (0.5, 0.3, 0.2)), LineMixture((0.5, 3.0), (0.8, 0.4))


@pytest.mark.parametrize(
    ("mean", "js"),
    [(0.5, 0.030311), (1, 0.111421), (2, 0.336831), (3, 0.526777), (5, 0.675943), (8, 0.693054)],
)
def test_jensen_shannon_of_two_gaussians_has_its_six_digits(mean: float, js: float) -> None:
    assert divergences(P, LineMixture((mean,))).js == pytest.approx(js, abs=5e-7)
    wide = divergences(LineMixture(stds=(5.0,)), LineMixture((5.0 * mean,), (5.0,)))  # only mean/std counts
    assert wide.js == pytest.approx(js, abs=5e-7)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.3), (2.0, 2.0), (30.0, 1.0), (-7.0, 0.5)])
def test_kl_and_wasserstein_meet_their_closed_forms(mean: float, std: float) -> None:
    found = divergences(P, LineMixture((mean,), (std,)))
    assert found.kl == pytest.approx(kl_gaussians(0.0, 1.0, mean, std), rel=1e-12)
    assert found.reverse_kl == pytest.approx(kl_gaussians(mean, std, 0.0, 1.0), rel=1e-12)
    if std == 1.0:
        assert found.wasserstein == pytest.approx(mean, rel=1e-12)


def test_the_gap_to_log_two_keeps_its_digits() -> None:
    for mean in (20.0, 30.0):  # Laplace's method at the midpoint: 2π φ(μ/2)/μ, less a share of order 1/μ²
        midpoint = math.exp(-(mean**2) / 8) / math.sqrt(2 * math.pi)
        gap = divergences(P, LineMixture((mean,))).js_gap
        assert gap == pytest.approx(2 * math.pi * midpoint / mean, rel=6 / mean**2)
    assert divergences(P, LineMixture((30.0,))).js == math.log(2.0)


def test_wasserstein_of_mixtures_is_that_of_their_quantiles() -> None:
    x = np.linspace(-10, 10, 200_001)
    weights = [np.exp(law.log_density(x)) for law in UNEVEN]
    assert divergences(*UNEVEN).wasserstein == pytest.approx(wasserstein_distance(x, x, *weights), abs=1e-4)


@pytest.mark.parametrize("pair", [UNEVEN, UNEVEN[::-1], (P, LineMixture((4.0,), (2.0,)))])
def test_derivatives_are_those_of_finite_differences(pair: tuple[LineMixture, LineMixture]) -> None:
    p, q = pair
    h = 1e-4
    ahead, behind = divergences(p, q.shifted(h)), divergences(p, q.shifted(-h))
    slopes = shift_derivatives(p, q)
    for name in ("kl", "reverse_kl", "js", "js_gap"):
        numeric = (getattr(ahead, name) - getattr(behind, name)) / (2 * h)
        assert getattr(slopes, name) == pytest.approx(numeric, rel=1e-6)
    # The quadrature meets a kink wherever the distribution functions cross; the derivative does not.
    assert slopes.wasserstein == pytest.approx((ahead.wasserstein - behind.wasserstein) / (2 * h), abs=1e-2)


def test_a_generators_slopes_are_divergences_slopes() -> None:
    for pair in (UNEVEN, UNEVEN[::-1]):
        slopes = shift_derivatives(*pair)
        saturating, nonsaturating = generator_slopes(*pair)
        assert saturating == pytest.approx(2 * slopes.js, rel=1e-12)
        assert nonsaturating == pytest.approx(slopes.reverse_kl - 2 * slopes.js, rel=1e-9)
    assert generator_slopes(P, LineMixture((20.0,)))[0] == pytest.approx(2.39e-22, rel=2e-3)


def test_noise_adds_variances() -> None:
    assert LineMixture((1.0,), (3.0,)).smoothed(4.0) == LineMixture((1.0,), (5.0,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0.0, 1.0), (1.0,)), "2, 1"),
        (((0.0,), (0.0,)), "positive"),
        (((0.0,), (1.0,), (0.5,)), "sum to 1"),
    ],
)
def test_wrong_mixtures_are_refused(arguments: tuple[tuple[float, ...], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LineMixture(*arguments)
