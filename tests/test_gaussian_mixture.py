from __future__ import annotations

import numpy as np
import pytest
import torch

from gamedyn.games import GaussianMixture, GaussianMixtureGAN
from gamedyn.optimizers import ACGD, CGD, AltGD, SimGD


def test_a_ring_of_eight_has_eight_distinct_modes() -> None:
    ring = GaussianMixture.ring()
    assert len(torch.unique(ring.centers.round(decimals=4), dim=0)) == 8
    np.testing.assert_allclose(ring.centers.norm(dim=1), 1.0, atol=1e-6)
    report = ring.report(ring.sample(20_000, torch.Generator().manual_seed(0)), radius=0.1)
    assert report.covered == 8
    assert report.high_quality > 0.999
    assert (report.counts - 2500).abs().max() < 5 * (20_000 * 1 / 8 * 7 / 8) ** 0.5


def test_doubled_centres_are_refused() -> None:
    angles = torch.linspace(0, 2 * torch.pi, 8)
    with pytest.raises(ValueError, match="coincide"):
        GaussianMixture(torch.stack((angles.cos(), angles.sin()), dim=1), 0.01)


def test_a_grid_is_centred() -> None:
    grid = GaussianMixture.grid(side=5, spacing=2.0)
    assert grid.centers.shape == (25, 2)
    assert grid.centers.sum(dim=0).abs().max() < 1e-6
    assert torch.pdist(grid.centers).min() == pytest.approx(2.0)


def test_covered_needs_a_fifth_of_the_fair_share_of_all_samples() -> None:
    ring = GaussianMixture.ring(modes=4, radius=1.0, std=0.01)
    far = torch.full((95, 2), 9.0)
    # A fair share of 100 samples is 25, a fifth of it 5.
    assert ring.report(torch.cat((far, ring.centers[:1].expand(5, 2)))).covered == 1
    assert ring.report(torch.cat((far, far[:1], ring.centers[:1].expand(4, 2)))).covered == 0
    report = ring.report(torch.cat((far, ring.centers[:1].expand(5, 2))))
    assert report.high_quality == pytest.approx(0.05)
    assert report.radius == pytest.approx(0.03)
    assert report.counts.tolist() == [5, 0, 0, 0]


def test_high_quality_is_measured_in_three_deviations() -> None:
    ring = GaussianMixture.ring()
    inside = ring.report(ring.sample(50_000, torch.Generator().manual_seed(1))).high_quality
    assert inside == pytest.approx(1 - np.exp(-4.5), abs=3e-3)


@pytest.mark.parametrize("loss", ["saturating", "nonsaturating", "wgan"])
@pytest.mark.parametrize("optimizer", [SimGD, AltGD, CGD, ACGD])
def test_every_optimizer_plays_it(loss: str, optimizer: type) -> None:
    game = GaussianMixtureGAN(GaussianMixture.grid(side=2), loss=loss, latent=4, width=8, seed=3)
    before = [p.detach().clone() for p in game.generator.parameters()]
    opt = optimizer(game.generator.parameters(), game.discriminator.parameters(), lr=1e-2)
    for _ in range(3):
        opt.step(game.closure(batch_size=16))
    assert not opt.last_step.skipped
    assert any((a != b).any() for a, b in zip(before, game.generator.parameters(), strict=True))


def test_same_seed_same_game_and_no_outside_randomness_consumed() -> None:
    state = torch.random.get_rng_state()
    first, second = (GaussianMixtureGAN(GaussianMixture.ring(), width=8, latent=4, seed=7) for _ in range(2))
    losses = [game.closure(8)().item() for game in (first, second)]
    assert losses[0] == losses[1]
    assert torch.equal(first.generate(5), second.generate(5))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_closure_keeps_its_batch() -> None:
    game = GaussianMixtureGAN(GaussianMixture.ring(), width=8, latent=4)
    closure = game.closure(8)
    assert closure().item() == closure().item()
    assert game.closure(8)().item() != closure().item()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="'lsgan'"):
        GaussianMixtureGAN(GaussianMixture.ring(), loss="lsgan")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'gelu'"):
        GaussianMixtureGAN(GaussianMixture.ring(), activation="gelu")
    with pytest.raises(ValueError, match="std must be positive, got -1"):
        GaussianMixture(torch.zeros(1, 2), -1.0)
    with pytest.raises(ValueError, match=r"\(modes, 2\), got \(2, 3\)"):
        GaussianMixture(torch.zeros(2, 3), 1.0)
    with pytest.raises(ValueError, match="n > 0"):
        GaussianMixture.ring().report(torch.zeros(0, 2))
