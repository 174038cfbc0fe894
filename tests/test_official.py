"""The authors' package `CGDs`, where it is installed, as an oracle over several steps.

It names the maximiser's parameters first, starts warm and solves for the players in turn; with tight
tolerances that changes nothing but rounding. Its one-dimensional corner cases fail, hence the networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from net_game import NetGame, joined, relative, split

from gamedyn.optimizers import ACGD, CGD

official = pytest.importorskip("CGDs")  # an oracle, never a dependency; CI installs it
pytestmark = pytest.mark.filterwarnings("ignore:torch.triangular_solve")


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    """Make it start its solves in float64: they start in torch's default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


SIZES = ([6, 3], [9])
seeds = pytest.mark.parametrize("seed", range(3))


@seeds
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(("lr", "max_lr", "beta", "eps"), [(0.02, 0.05, 0.99, 1e-5), (0.05, 0.01, 0.9, 1e-3)])
def test_acgd(seed: int, warm_start: bool, lr: float, max_lr: float, beta: float, eps: float) -> None:
    game = NetGame(seed)
    (x, y), (p, q) = ([split(w, s) for w, s in zip(game.start, SIZES, strict=True)] for _ in range(2))
    ours = ACGD(
        x, y, lr=lr, max_lr=max_lr, beta=beta, eps=eps, rtol=1e-12, max_iter=500, warm_start=warm_start
    )
    theirs = official.ACGD(
        max_params=q, min_params=p, lr_max=max_lr, lr_min=lr, beta=beta, eps=eps, tol=1e-26, atol=1e-40
    )
    for _ in range(6):
        ours.step(lambda: game.f(joined(x), joined(y)))
        theirs.step(game.f(joined(p), joined(q)))
        assert relative([*x, *y], [*p, *q]) < 1e-9


@seeds
def test_cgd(seed: int) -> None:
    game = NetGame(seed)
    (x, y), (p, q) = ([split(w, s) for w, s in zip(game.start, SIZES, strict=True)] for _ in range(2))
    ours = CGD(x, y, lr=0.7, max_lr=0.3, rtol=1e-12, max_iter=500)
    theirs = official.BCGD(max_params=q, min_params=p, lr_max=0.3, lr_min=0.7, tol=1e-26, atol=1e-40)
    for _ in range(6):
        ours.step(lambda: game.f(joined(x), joined(y)))
        theirs.step(game.f(joined(p), joined(q)))
        assert relative([*x, *y], [*p, *q]) < 1e-9


@seeds
def test_general_sum_acgd(seed: int) -> None:
    """Its GMRES version minimises both losses; its tolerances are on norms."""
    game = NetGame(seed)
    (x, y), (p, q) = ([split(w, s) for w, s in zip(game.start, SIZES, strict=True)] for _ in range(2))
    ours = ACGD(x, y, lr=0.02, max_lr=0.05, eps=1e-6, rtol=1e-12, max_iter=500, restart=40)
    theirs = official.GACGD(x_params=p, y_params=q, lr_x=0.02, lr_y=0.05, eps=1e-6, tol=1e-13, atol=1e-30)

    def losses(a: Any, b: Any) -> Any:
        return game.f(joined(a), joined(b)), game.g(joined(a), joined(b))

    for _ in range(6):
        ours.step(lambda: losses(x, y))
        theirs.step(*losses(p, q))
        assert relative([*x, *y], [*p, *q]) < 1e-9
