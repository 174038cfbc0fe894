"""Games × exact answers × tolerances: what every optimizer's real steps are held to.

A new optimizer joins by a row in `OPTIMIZERS` (and a matrix in `gamedyn.dynamics.matrices`), a new
game by a row in `LINEAR_GAMES`; the tests that loop over the tables need no change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gamedyn.games import Bilinear, DiracGAN, Quadratic
from gamedyn.games.base import ExactGame
from gamedyn.optimizers import CGD, AltGD, SimGD

STEP_TOLERANCE = 1e-12
"""Largest allowed distance of a real step from the exact one, relative to the step's coordinates."""

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "SimGD": SimGD,
    "AltGD": AltGD,
    "CGD": partial(CGD, rtol=1e-14),
}


@dataclass(frozen=True)
class Problem:
    """A game with affine gradients, and step sizes that make every optimizer's step worth checking."""

    game: ExactGame
    lr: float
    max_lr: float


def _gaussian(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


LINEAR_GAMES: dict[str, Problem] = {
    "xy": Problem(Bilinear(1.0), 0.1, 0.1),
    "bilinear, unequal steps": Problem(Bilinear(3.0, start=(0.5, -2.0)), 0.3, 0.07),
    "bilinear, linear terms": Problem(Bilinear(2.0, b=1.0, c=-3.0), 0.2, 0.2),
    "bilinear 4x4": Problem(Bilinear(_gaussian(4, 4, seed=0)), 0.1, 0.25),
    "bilinear 5x3": Problem(Bilinear(_gaussian(5, 3, seed=1)), 0.2, 0.1),
    "bilinear, rank one": Problem(Bilinear(np.outer([1.0, 2.0], [3.0, -1.0, 0.5])), 0.1, 0.1),
    "ICR, slow discriminator": Problem(Quadratic.icr(), 0.09, 0.01),
    "ICR, equal": Problem(Quadratic.icr(), 0.03, 0.03),
    "ICR, fast discriminator": Problem(Quadratic.icr(), 0.01, 0.09),
    "quadratic, separable": Problem(Quadratic(1.0, 0.0, -2.0), 0.1, 0.2),
    "quadratic 3x2": Problem(
        Quadratic(_gaussian(3, 3, seed=2), _gaussian(3, 2, seed=3), _gaussian(2, 2, seed=4)), 0.1, 0.05
    ),
    "Dirac, wgan": Problem(DiracGAN("wgan"), 0.3, 0.2),
    "Dirac, wgan with R1": Problem(DiracGAN("wgan", r1=0.5), 0.3, 0.2),
}

# protocols of the field: rho on f = xy at equal steps (six digits), and on x² + 10xy + y².
RHO_XY: dict[str, dict[float, float]] = {
    "SimGD": {0.1: 1.004988, 0.5: 1.118034, 1.0: 1.414214},
    "AltGD": {0.1: 1.0, 0.5: 1.0, 1.0: 1.0},
    "CGD": {0.1: 0.995037, 0.5: 0.894427, 1.0: 0.707107},
}
RHO_ICR: dict[tuple[float, float], dict[str, float]] = {
    (0.09, 0.01): {"SimGD": 0.962497, "AltGD": 0.914549, "CGD": 0.875979},
    (0.03, 0.03): {"SimGD": 1.042305, "AltGD": 0.998198, "CGD": 0.956101},
    (0.01, 0.09): {"SimGD": 1.116423, "AltGD": 1.075360, "CGD": 1.030008},
    (0.09, 0.0169): {"SimGD": 0.999908, "CGD": 0.857788},
    (0.09, 0.017): {"SimGD": 1.000440},
    (0.01, 0.0208): {"CGD": 0.999984},
    (0.01, 0.0209): {"CGD": 1.000031},
}
EIGENVALUES_ICR: dict[tuple[float, float], dict[str, complex]] = {
    (0.09, 0.01): {"SimGD": 0.92 + 0.282843j, "CGD": 0.844037 + 0.234396j},
    (0.03, 0.03): {"SimGD": 1.0 + 0.293939j, "CGD": 0.917431 + 0.269162j},
    (0.01, 0.09): {"SimGD": 1.08 + 0.282843j, "CGD": 0.990826 + 0.281393j},
}
# f = xy from (1, 1) at 0.1: after 1 and after 10 steps.
GOLDEN_XY: dict[str, dict[int, tuple[float, float]]] = {
    "SimGD": {1: (0.9, 1.1), 10: (-0.31171756, 1.45329846)},
    "AltGD": {1: (0.9, 1.09), 10: (-0.26066162, 1.34056412)},
    "CGD": {1: (0.89108911, 1.08910891), 10: (-0.28219384, 1.31565214)},
}
# x² + 10xy + y² from (0.4, 1) at (.09, .01); tolerances by the digits known.
GOLDEN_ICR: dict[str, dict[int, tuple[float, float, float]]] = {
    "SimGD": {
        1: (-0.572, 1.06, 1e-12),
        10: (-0.62837120, -0.62027793, 1e-8),
        100: (0.0725217, -0.01122973, 1e-7),
    },
    "CGD": {
        1: (-0.5412844, 0.96587156, 1e-7),
        10: (-0.5149536, -0.18351547, 1e-7),
        100: (-6.44e-6, 1.89e-7, 1e-8),
    },
}
