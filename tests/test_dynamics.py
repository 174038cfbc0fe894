from __future__ import annotations

import time
from functools import partial

import numpy as np
import pytest
import torch
from problems import LINEAR_GAMES, OPTIMIZERS

from gamedyn.dynamics import (
    growth,
    iteration_matrix,
    refine_ends,
    run,
    spectral_radius,
    stability_map,
    trajectory,
)
from gamedyn.games import Bilinear, DiracGAN, Quadratic
from gamedyn.games.base import ExactGame
from gamedyn.optimizers import SimGD

NONLINEAR = {"Dirac": DiracGAN(start=(0.9, 0.4)), "Dirac, general-sum": DiracGAN("nonsaturating", r1=0.3)}
GAMES: dict[str, ExactGame] = {name: p.game for name, p in LINEAR_GAMES.items()} | NONLINEAR


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("game", GAMES)
def test_vectorised_law_is_the_real_optimizer_on_random_cells(game: str, name: str) -> None:
    rng = np.random.default_rng(11)
    lr, max_lr = np.exp(rng.uniform(np.log(0.01), np.log(0.3), (2, 3, 4)))
    played = GAMES[game]
    paths = run(played, name, played.start, lr=lr, max_lr=max_lr, steps=10)
    for cell in ((0, 0), (1, 2), (2, 3)):
        x, y = played.parameters()
        optimizer = OPTIMIZERS[name]([x], [y], lr=lr[cell], max_lr=max_lr[cell])
        live = trajectory(optimizer, played.closure(x, y), 10)
        for ours, theirs in ((paths.x, live.x), (paths.y, live.y)):
            scale = max(1.0, float(np.abs(theirs).max()))
            assert np.abs(ours[(slice(None), *cell)] - theirs).max() <= 1e-12 * scale


def test_many_starting_points_at_once() -> None:
    rng = np.random.default_rng(12)
    game = LINEAR_GAMES["quadratic 3x2"].game
    x0, y0 = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    together = run(game, "CGD", (x0, y0), lr=0.1, steps=7)
    assert together.x.shape == (8, 6, 3)
    for i in range(6):
        alone = run(game, "CGD", (x0[i], y0[i]), lr=0.1, steps=7)
        np.testing.assert_allclose(together.x[:, i], alone.x, rtol=1e-12)
        np.testing.assert_allclose(together.y[:, i], alone.y, rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("problem", LINEAR_GAMES)
def test_stacked_matrices_are_the_single_ones(problem: str, name: str) -> None:
    game = LINEAR_GAMES[problem].game
    rng = np.random.default_rng(13)
    lr, max_lr = rng.uniform(0.01, 1.0, (2, 5, 1)), rng.uniform(0.01, 1.0, (1, 3))
    stack = game.iteration_matrix(name, lr, max_lr)
    assert stack.shape[:-2] == (2, 5, 3)
    np.testing.assert_allclose(
        stack[1, 2, 0], game.iteration_matrix(name, lr[1, 2, 0], max_lr[0, 0]), atol=1e-13
    )
    radii = spectral_radius(stack)
    np.testing.assert_allclose(radii, np.abs(np.linalg.eigvals(stack)).max(axis=-1), rtol=1e-7)


def test_planar_spectral_radius_is_that_of_the_eigenvalue_routine() -> None:
    matrices = (
        np.random.default_rng(14).standard_normal((10_000, 2, 2))
        * 10.0 ** np.arange(-50, 50, 0.01)[:, None, None]
    )
    exact = np.abs(np.linalg.eigvals(matrices)).max(axis=-1)
    np.testing.assert_allclose(spectral_radius(matrices), exact, rtol=1e-7)


def test_determinants_of_the_planar_quadratic() -> None:
    rng = np.random.default_rng(15)
    a, b, c = rng.standard_normal(3) + 2.0
    eta_x, eta_y = rng.uniform(0.01, 3.0, (2, 1000))
    game = Quadratic(a, b, c)
    M = {name: game.iteration_matrix(name, eta_x, eta_y) for name in OPTIMIZERS}
    pure, coupling = (1 - 2 * a * eta_x) * (1 + 2 * c * eta_y), b * b * eta_x * eta_y
    trace = {name: np.trace(m, axis1=-2, axis2=-1) for name, m in M.items()}
    np.testing.assert_allclose(np.linalg.det(M["SimGD"]), pure + coupling, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(M["AltGD"]), pure, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(M["CGD"]), pure / (1 + coupling), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(trace["AltGD"], trace["SimGD"] - coupling, rtol=1e-9, atol=1e-9)


def test_icr_stability_boundaries_on_random_pairs() -> None:
    rng = np.random.default_rng(16)
    x, y = np.exp(rng.uniform(np.log(1e-3), np.log(20.0), (2, 200_000)))
    flip = 1 + y - x
    stable = {
        "SimGD": (y < x / (1 + 48 * x)) & (flip + 24 * x * y > 0),
        "CGD": (y * (1 - 52 * x) < x) & (flip + 24 * x * y > 0),
        "AltGD": (y * (1 - 2 * x) < x) & (flip - 26 * x * y > 0) & ((1 - 2 * x) * (1 + 2 * y) > -1),
    }
    for name, expected in stable.items():
        assert ((Quadratic.icr().spectral_radius(name, x, y) < 1) == expected).all()


@pytest.mark.parametrize(
    ("name", "end", "last"),
    [("CGD", 1 / 52, 1e6), ("CGD", 1.0, 1e-6), ("AltGD", 1.0, 1e-6), ("SimGD", 1.0, 1e-6)],
)
def test_a_boundary_is_followed_to_where_it_ends(name: str, end: float, last: float) -> None:
    curves = partial(Quadratic.icr().boundary, name)
    lr = refine_ends(curves, np.geomspace(1e-4, 100.0, 4000))
    near = np.abs(lr / end - 1) < 1e-2
    values = np.concatenate([curve[near] for curve in curves(lr)])
    assert (np.nanmax(values) > last) if last > 1 else (np.nanmin(values) < last)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("game", [Quadratic.icr(), Quadratic(0.5, 2.0, 1.5), Quadratic(1.0, 3.0, 0.2)])
def test_the_analytic_boundary_is_where_stability_ends(game: Quadratic, name: str) -> None:
    lr = np.geomspace(1e-3, 20.0, 500)
    ends = 0
    for curve in game.boundary(name, lr):
        on = np.isfinite(curve)
        ends += int(on.sum())
        below, above = (
            game.spectral_radius(name, lr[on], curve[on] * factor) < 1 for factor in (0.999, 1.001)
        )
        assert (below != above).all()
    assert ends > 50
    # And nowhere else: between two neighbouring step sizes of a fine ladder, a change has a boundary.
    ladder = np.geomspace(1e-4, 1e3, 4001)
    for eta in lr[::50]:
        inside = game.spectral_radius(name, eta, ladder) < 1
        changes = np.nonzero(inside[1:] != inside[:-1])[0]
        known = [float(c[0]) for c in game.boundary(name, np.array([eta])) if np.isfinite(c[0])]
        for k in changes:
            assert any(ladder[k] <= value <= ladder[k + 1] for value in known)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_measured_growth_is_the_log_of_the_spectral_radius(name: str) -> None:
    game = Quadratic.icr()
    rng = np.random.default_rng(17)
    lr, max_lr = np.exp(rng.uniform(np.log(0.02), np.log(0.5), (2, 200)))
    measured = growth(game, name, game.start, lr=lr, max_lr=max_lr, steps=2000)
    error = np.abs(measured - np.log(game.spectral_radius(name, lr, max_lr)))
    # Runs that shrink or grow by 1e±100 stop early, without the window that averages the turns out; that
    # they converge or diverge is not in doubt. The rest is near the boundary, where precision counts.
    early = np.abs(measured) * 2000 > np.log(1e99)
    assert (~early).sum() > 20
    assert error[~early].max() < 1e-5
    assert error[early].max() < 0.05
    assert (np.sign(measured[early]) == np.sign(game.spectral_radius(name, lr, max_lr)[early] - 1)).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stability_map_measured_against_predicted(name: str) -> None:
    game = Quadratic.icr()
    eta = np.geomspace(3e-3, 10.0, 120)
    found = stability_map(game, name, lr=eta, max_lr=eta, start=game.start)
    assert found.agreement >= 0.999
    assert found.off_boundary == 0
    assert 0.1 < found.predicted.mean() < 0.8
    assert np.isfinite(found.growth).all()


def test_a_large_map_takes_seconds() -> None:
    game = Quadratic.icr()
    eta = np.geomspace(3e-3, 10.0, 400)
    began = time.process_time()
    found = stability_map(game, "CGD", lr=eta, max_lr=eta, start=game.start, steps=500)
    assert time.process_time() - began < 20.0
    assert found.growth.shape == (400, 400)


def test_extreme_step_sizes_neither_overflow_nor_linger_in_denormals() -> None:
    game = Quadratic.icr()
    with np.errstate(all="raise", under="ignore"):
        measured = growth(
            game, "SimGD", (1.0, 1.0), lr=[1e30, 0.5, 1e-9], max_lr=[1e30, 0.0, 1e-9], steps=300
        )
    assert measured[0] > 50
    assert abs(measured[1]) < 1e-12  # y does not move, and x only follows it
    assert abs(measured[2]) < 1e-6
    converging = growth(Bilinear(1.0), "CGD", (1.0, 1.0), lr=1e6, steps=500)
    assert converging == pytest.approx(-np.log(1e6), rel=1e-3)


def test_wrong_questions_are_refused() -> None:
    game = Quadratic.icr()
    with pytest.raises(ValueError, match="steps=1"):
        growth(game, "SimGD", game.start, lr=0.1, steps=1)
    with pytest.raises(ValueError, match="starts at the equilibrium"):
        growth(game, "SimGD", (0.0, 0.0), lr=0.1)
    with pytest.raises(ValueError, match="ACGD"):
        run(game, "ACGD", game.start, lr=0.1, steps=3)
    with pytest.raises(ValueError, match=r"\(3, 3\), got \(2, 2\)"):
        iteration_matrix("SimGD", np.eye(2), (1, 2), 0.1)


def test_an_optimizer_without_players_is_refused() -> None:
    x, y = Bilinear(1.0).parameters()
    with pytest.raises(ValueError, match="of SGD must carry a 'player'"):
        trajectory(torch.optim.SGD([x, y], lr=0.1), Bilinear(1.0).closure(x, y), 1)


def test_a_trajectory_is_of_two_players() -> None:
    players = [torch.ones(1, requires_grad=True) for _ in range(3)]
    opt = SimGD([{"params": [p], "player": i} for i, p in enumerate(players)], lr=0.1)
    with pytest.raises(ValueError, match=r"players 0 and 1, the groups also name \[2\]"):
        trajectory(opt, lambda: tuple(p.square().sum() for p in players), 1)


def test_boundary_cells_are_those_next_to_a_change() -> None:
    game = Quadratic.icr()
    eta = np.geomspace(1e-2, 1.0, 30)
    found = stability_map(game, "SimGD", lr=eta, max_lr=eta, start=game.start, steps=50)
    inside, edge = found.predicted, found.boundary
    for i in range(1, 29):
        for j in range(1, 29):
            around = inside[i - 1 : i + 2, j - 1 : j + 2]
            assert edge[i, j] == (around != inside[i, j]).any()
