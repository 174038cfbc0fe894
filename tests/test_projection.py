"""The projection game: derivatives by hand against autograd, stacked runs against the live optimizer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gamedyn.dynamics import run, trajectory
from gamedyn.games import Projection
from gamedyn.optimizers import CGD, SimGD


@pytest.mark.parametrize("eta", [(100.0, 1.0), (1.0, 1.0), (1.0, 10.0)])
def test_field_and_mixed_are_the_derivatives_of_the_value(eta: tuple[float, float]) -> None:
    game = Projection(eta)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 3, 30)) / 2, random.normal(size=(2, 3, 37)) / 2
    (gx, gy), (Dxy, Dyx) = game.field(x, y), game.mixed(x, y)
    for index in np.ndindex(2, 3):
        point = torch.from_numpy(x[index]), torch.from_numpy(y[index])
        of_x, of_y = torch.func.grad(game.value, argnums=(0, 1))(*point)
        scale = float(of_y.abs().max())
        np.testing.assert_allclose(gx[index], of_x, atol=1e-12 * scale)
        np.testing.assert_allclose(gy[index], -of_y, atol=1e-12 * scale)
        exact = torch.func.jacfwd(torch.func.grad(game.value, argnums=0), argnums=1)(*point).numpy()
        np.testing.assert_allclose(Dxy[index], exact, atol=1e-12 * np.abs(exact).max())
        np.testing.assert_allclose(Dyx[index], -exact.T, atol=1e-12 * np.abs(exact).max())
        assert np.linalg.matrix_rank(exact) <= 2


@pytest.mark.parametrize("optimizer", [SimGD, CGD])
def test_a_stack_of_runs_is_what_live_optimizers_do(optimizer: type) -> None:
    game = Projection()
    starts = game.starts([4, 5])
    stack = run(game, optimizer, starts, lr=1e-3, steps=30)
    for row in range(2):
        x, y = (torch.tensor(player[row], requires_grad=True) for player in starts)
        options = {"rtol": 1e-13} if optimizer is CGD else {}
        live = trajectory(optimizer([x], [y], lr=1e-3, **options), game.closure(x, y), 30)
        np.testing.assert_allclose(live.x, stack.x[:, row], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(live.y, stack.y[:, row], rtol=1e-9, atol=1e-12)


def test_the_range_leaves_out_the_data() -> None:
    game = Projection()
    theta = game.distribution(np.random.default_rng(1).normal(scale=3.0, size=(1000, 30)))
    assert (np.abs(np.log(theta).sum(axis=-1)) <= 1.0 + 1e-9).all()
    assert np.log(2.0 * 2.0) > 1.0


def test_seeds_decide_the_start() -> None:
    game = Projection()
    x, y = game.starts([3, 7, 3])
    assert np.array_equal(x[0], x[2])
    assert np.array_equal(y[0], y[2])
    assert not np.array_equal(y[0], y[1])
    np.testing.assert_allclose(game.distribution(x), 1.0, atol=0.02)
    with pytest.raises(ValueError, match="positive"):
        Projection((0.0, 1.0))


def test_a_run_that_overflows_leaves_the_others_alone() -> None:
    game = Projection()
    (x, y), huge = game.starts([0, 1]), 1e20
    ahead = run(game, "CGD", (x[:1], y[:1]), lr=1e-3, steps=5)
    y[1] *= huge
    both = run(game, "CGD", (x, y), lr=1e-3, steps=5)
    np.testing.assert_allclose(both.x[:, 0], ahead.x[:, 0], rtol=1e-12)
    assert not np.isfinite(both.x[-1, 1]).all()
