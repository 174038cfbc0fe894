from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from problems import (
    EIGENVALUES_ICR,
    GOLDEN_ICR,
    GOLDEN_XY,
    LINEAR_GAMES,
    OPTIMIZERS,
    RHO_ICR,
    RHO_XY,
    STEP_TOLERANCE,
)

from gamedyn.dynamics import law, trajectory
from gamedyn.games import Bilinear, DiracGAN, Quadratic
from gamedyn.games.base import ExactGame
from gamedyn.optimizers import ACGD, CGD, SimGD


def live(game: ExactGame, name: str, lr: float, max_lr: float | None = None, steps: int = 1) -> np.ndarray:
    x, y = game.parameters()
    path = trajectory(OPTIMIZERS[name]([x], [y], lr=lr, max_lr=max_lr), game.closure(x, y), steps)
    return np.concatenate((path.x, path.y), axis=-1)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("problem", LINEAR_GAMES)
def test_real_steps_follow_the_iteration_matrix(problem: str, name: str) -> None:
    game, lr, max_lr = vars(LINEAR_GAMES[problem]).values()
    star = np.concatenate(game.equilibrium)
    walked = live(game, name, lr, max_lr, steps=5) - star
    M = game.iteration_matrix(name, lr, max_lr)
    for before, after in pairwise(walked):
        exact = M @ before
        assert np.abs(after - exact).max() <= STEP_TOLERANCE * max(1.0, np.abs(exact).max())


@pytest.mark.parametrize("loss", ["saturating", "nonsaturating", "wgan"])
@pytest.mark.parametrize("r1", [0.0, 0.7])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_dirac_steps_follow_the_closed_form_away_from_equilibrium(name: str, r1: float, loss: str) -> None:
    game = DiracGAN(loss, r1=r1, start=(0.8, -1.3))
    walked = live(game, name, 0.4, 0.3)
    x, y = law(name)(game, *game.start, np.array([0.4]), np.array([0.3]))
    # General-sum CGD goes by GMRES; at two unknowns it too is exact to rounding.
    assert np.abs(walked[1] - np.concatenate((x, y))).max() <= STEP_TOLERANCE


@pytest.mark.parametrize(
    "game", [p.game for p in LINEAR_GAMES.values()] + [DiracGAN(), DiracGAN("nonsaturating", r1=1.0)]
)
def test_arrays_and_tensors_play_the_same_game(game: ExactGame) -> None:
    rng = np.random.default_rng(5)
    m, n = game.sizes
    points = rng.standard_normal((4, m)), rng.standard_normal((4, n))
    gx, gy = game.field(*points)
    mixed = [np.broadcast_to(D, (4, *D.shape[-2:])) for D in game.mixed(*points)]
    for i in range(4):
        x, y = (torch.tensor(p[i], requires_grad=True) for p in points)
        value = game.value(x, y)
        losses = value if isinstance(value, tuple) else (value, -value)
        own_x = torch.autograd.grad(losses[0], x, create_graph=True)[0]
        own_y = torch.autograd.grad(losses[1], y, create_graph=True)[0]
        np.testing.assert_allclose(own_x.detach(), gx[i], atol=1e-13)
        np.testing.assert_allclose(own_y.detach(), gy[i], atol=1e-13)
        for own, other, D, size in ((own_x, y, mixed[0][i], m), (own_y, x, mixed[1][i], n)):
            for k in range(size):
                row = torch.autograd.grad(own[k], other, retain_graph=True, materialize_grads=True)[0]
                np.testing.assert_allclose(row, D[k], atol=1e-13)


@pytest.mark.parametrize(
    "game", [p.game for p in LINEAR_GAMES.values()] + [DiracGAN(), DiracGAN("nonsaturating", r1=1.0)]
)
def test_equilibrium_and_jacobian(game: ExactGame) -> None:
    star = game.equilibrium
    for gradient in game.field(*star):
        assert np.abs(gradient).max() < 1e-13
    m, n = game.sizes
    step = 1e-5
    for k in range(m + n):
        shift = np.zeros(m + n)
        shift[k] = step
        ahead, behind = (
            np.concatenate(game.field(star[0] + s * shift[:m], star[1] + s * shift[m:])) for s in (1, -1)
        )
        np.testing.assert_allclose((ahead - behind) / (2 * step), game.jacobian[:, k], atol=1e-8)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_spectral_radius_on_xy_has_its_six_digits(name: str) -> None:
    for lr, rho in RHO_XY[name].items():
        assert abs(Bilinear(1.0).spectral_radius(name, lr) - rho) < 5e-7


@pytest.mark.parametrize("h", [0.05, 0.1, 0.5, 0.577, 0.6, 1.0, 2.2])
@pytest.mark.parametrize("ratio", [1.0, 9.0])
def test_spectral_radius_on_xy_is_the_formula(h: float, ratio: float) -> None:
    alpha = 1.7
    eta_x, eta_y = h / alpha * math.sqrt(ratio), h / alpha / math.sqrt(ratio)
    expected = {
        "SimGD": math.sqrt(1 + h * h),
        "AltGD": 1.0 if h < 2 else (h * h - 2 + h * math.sqrt(h * h - 4)) / 2,
        "CGD": 1 / math.sqrt(1 + h * h),
    }
    for name, rho in expected.items():
        game = Bilinear(alpha)
        assert abs(game.spectral_radius(name, eta_x, eta_y) - rho) < 1e-12
        assert abs(game.contraction(name, eta_x, eta_y)[0] - rho) < 1e-12
    assert game.spectrum("CGD", eta_x, eta_y) == pytest.approx(
        [1 / (1 - 1j * h), 1 / (1 + 1j * h)], abs=1e-12
    )


@pytest.mark.parametrize("name", ["SimGD", "CGD"])
def test_every_real_step_on_xy_contracts_by_the_exact_factor(name: str) -> None:
    game = Bilinear(2.0, start=(0.3, -1.1))
    for lr in (0.01, 0.3, 1.0, 5.0):
        radius = np.hypot(*live(game, name, lr, steps=10).T)
        np.testing.assert_allclose(radius[1:] / radius[:-1], game.contraction(name, lr)[0], rtol=1e-12)


def test_altgd_keeps_its_invariant() -> None:
    for eta in (0.1, 0.7, 1.9):
        x, y = live(Bilinear(1.0), "AltGD", eta, steps=200).T
        invariant = x * x + y * y - eta * x * y
        assert np.abs(invariant - invariant[0]).max() <= 1e-12 * max(1.0, np.abs(x).max() ** 2)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_contraction_of_a_matrix_game_is_its_spectrum(name: str) -> None:
    game = LINEAR_GAMES["bilinear 4x4"].game
    assert isinstance(game, Bilinear)
    factors = np.repeat(game.contraction(name, 0.1, 0.3), 2)
    moduli = np.abs(game.spectrum(name, 0.1, 0.3))
    np.testing.assert_allclose(np.sort(moduli), np.sort(factors), atol=1e-12)


@pytest.mark.parametrize("name", GOLDEN_XY)
def test_golden_trajectory_on_xy(name: str) -> None:
    walked = live(Bilinear(1.0), name, 0.1, steps=10)
    for step, point in GOLDEN_XY[name].items():
        assert np.abs(walked[step] - point).max() < 6e-9


@pytest.mark.parametrize("name", GOLDEN_ICR)
def test_golden_trajectory_on_the_icr_quadratic(name: str) -> None:
    walked = live(Quadratic.icr(), name, 0.09, 0.01, steps=100)
    for step, (x, y, tolerance) in GOLDEN_ICR[name].items():
        assert np.abs(walked[step] - (x, y)).max() < tolerance


@pytest.mark.parametrize("pair", RHO_ICR)
def test_spectral_radius_of_the_icr_quadratic_has_its_six_digits(pair: tuple[float, float]) -> None:
    for name, rho in RHO_ICR[pair].items():
        assert abs(Quadratic.icr().spectral_radius(name, *pair) - rho) < 6e-7


@pytest.mark.parametrize("pair", EIGENVALUES_ICR)
def test_eigenvalues_of_the_icr_quadratic(pair: tuple[float, float]) -> None:
    for name, value in EIGENVALUES_ICR[pair].items():
        found = Quadratic.icr().spectrum(name, *pair)
        assert abs(found[np.argmax(found.imag)] - value) < 6e-7


def test_y_alone_diverges_as_its_formula_says() -> None:
    x, y = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (0.4, 1.0))
    path = trajectory(SimGD([x], [y], lr=0.0, max_lr=0.01), Quadratic.icr().closure(x, y), 100)
    k = np.arange(101)
    np.testing.assert_allclose(path.y[:, 0], 1.02**k * 3.0 - 2.0, rtol=1e-12)
    assert np.abs(path.y[[1, 10, 50, 100], 0] - (1.06, 1.656983, 6.074764, 19.733938)).max() < 5e-7


def test_optimizer_is_known_by_name_class_or_instance() -> None:
    game = Bilinear(1.0)
    x, y = game.parameters()
    by_name = game.iteration_matrix("CGD", 0.1)
    assert (game.iteration_matrix(CGD, 0.1) == by_name).all()
    assert (game.iteration_matrix(CGD([x], [y], lr=0.1), 0.1) == by_name).all()


def test_wrong_questions_are_refused() -> None:
    game = Bilinear(1.0)
    with pytest.raises(ValueError, match="ACGD has no constant iteration matrix"):
        game.spectral_radius(ACGD, 0.1)
    with pytest.raises(ValueError, match=r"'Adam'.*SimGD, AltGD, CGD"):
        game.iteration_matrix("Adam", 0.1)
    with pytest.raises(ValueError, match="no equilibrium"):
        Bilinear([[1.0, 0.0], [0.0, 0.0]], b=1.0)
    with pytest.raises(ValueError, match="A must be"):
        Bilinear(float("nan"))
    with pytest.raises(ValueError, match="needs A of shape"):
        Quadratic(np.eye(3), np.ones((2, 2)), np.eye(2))
    with pytest.raises(ValueError, match="singular"):
        Quadratic(0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"start\[0\]"):
        Bilinear(np.eye(2), start=([1.0, 2.0, 3.0], 1.0))
    with pytest.raises(ValueError, match="each, got"):
        Quadratic(np.eye(2), np.eye(2), np.eye(2)).boundary("SimGD", 0.1)
    with pytest.raises(ValueError, match="'hinge'"):
        DiracGAN("hinge")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="r1"):
        DiracGAN(r1=-1.0)


def test_float32_games_play_too() -> None:
    game = Quadratic.icr()
    x, y = game.parameters(torch.float32)
    CGD([x], [y], lr=0.09, max_lr=0.01).step(game.closure(x, y))
    assert x.dtype == torch.float32
    assert abs(x.item() + 0.5412844) < 1e-5


def test_dirac_linearisation_is_mescheders() -> None:
    for h in (0.1, 1.0):
        assert DiracGAN().spectral_radius("SimGD", h) == pytest.approx(math.sqrt(1 + h * h / 4), abs=1e-12)
        assert DiracGAN("nonsaturating").spectral_radius("AltGD", h) == pytest.approx(1.0, abs=1e-12)
    gamma = 0.6
    found = np.linalg.eigvals(DiracGAN(r1=gamma).jacobian)
    expected = gamma / 2 + 1j * math.sqrt(0.25 - gamma * gamma / 4)
    assert found[np.argmax(found.imag)] == pytest.approx(expected, abs=1e-12)
