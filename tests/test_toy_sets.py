"""The toy sets of WGAN-GP at the numbers of its code, and the critics that are trained on them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import make_swiss_roll
from torch import nn

from gamedyn.games import TOY_SETS, SwissRoll, eight_gaussians, twentyfive_gaussians
from gamedyn.gan.critics import critic_step, growth_a_layer, layer_gradients
from gamedyn.gan.losses import NonSaturating, Wasserstein
from gamedyn.gan.models import perceptron
from gamedyn.gan.penalties import GradientPenalty


def test_the_mixtures_have_the_codes_centres_and_spread() -> None:
    ring, grid = eight_gaussians(), twentyfive_gaussians()
    assert ring.std == pytest.approx(0.02 / 1.414)
    diagonal = 2 / 1.414 / math.sqrt(2)
    np.testing.assert_allclose(ring.centers[1], (diagonal, diagonal), rtol=1e-6)
    assert grid.std == pytest.approx(0.05 / 2.828)
    ticks = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0]) / 2.828
    np.testing.assert_allclose(grid.centers.unique(dim=0), torch.cartesian_prod(ticks, ticks), atol=1e-6)


def test_the_swiss_roll_without_noise_is_the_spiral() -> None:
    points = SwissRoll(noise=0.0).sample(1000, torch.Generator().manual_seed(0)) * 7.5
    t = points.norm(dim=1)
    np.testing.assert_allclose(points, torch.stack((t * t.cos(), t * t.sin()), dim=1), atol=2e-5)
    assert 1.5 * math.pi <= float(t.min()) < 4.8
    assert 14.0 < float(t.max()) <= 4.5 * math.pi


def test_the_swiss_rolls_law_is_scikit_learns() -> None:
    theirs = make_swiss_roll(20_000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    ours = SwissRoll().sample(20_000, torch.Generator().manual_seed(0)).numpy()
    levels = np.linspace(0.02, 0.98, 25)
    for angle in (0.0, 0.7, 1.9):
        way = np.array([math.cos(angle), math.sin(angle)])
        np.testing.assert_allclose(
            np.quantile(ours @ way, levels), np.quantile(theirs @ way, levels), atol=0.06
        )


@pytest.mark.parametrize("name", sorted(TOY_SETS))
def test_samples_follow_the_generator_and_spare_the_global_one(name: str) -> None:
    state = torch.random.get_rng_state()
    first, second = (TOY_SETS[name]().sample(50, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.shape == (50, 2)
    assert float(first.abs().max()) < 2.2


@pytest.mark.parametrize("wrong", [{"noise": -0.1}, {"noise": math.nan}, {"scale": 0.0}])
def test_a_roll_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SwissRoll(**wrong)


def test_a_perceptron_has_hes_weights_and_glorots_at_the_end() -> None:
    torch.manual_seed(0)
    network = perceptron(2, 1, width=512, depth=3)
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert [(one.in_features, one.out_features) for one in linear] == [
        (2, 512),
        (512, 512),
        (512, 512),
        (512, 1),
    ]
    for layer, variance in zip(linear, (1.0, 2 / 512, 2 / 512, 2 / 513), strict=True):
        assert float(layer.weight.detach().abs().max()) <= math.sqrt(3 * variance)
        assert float(layer.weight.detach().var()) == pytest.approx(variance, rel=0.12)
        assert not layer.bias.any()
    assert (
        sum(isinstance(layer, nn.BatchNorm1d) for layer in perceptron(2, 1, depth=5, width=4, norm=True)) == 5
    )


def test_a_critics_step_is_the_optimizers_own() -> None:
    torch.manual_seed(0)
    first, second = perceptron(2, 1, width=8, depth=2), perceptron(2, 1, width=8, depth=2)
    second.load_state_dict(first.state_dict())
    real, fake = torch.randn(16, 2) + 1, torch.randn(16, 2, requires_grad=True)
    sgd = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (first, second)]
    penalty = GradientPenalty(3.0)
    torch.manual_seed(1)
    value = critic_step(first, NonSaturating(), sgd[0], real, fake, penalties=[penalty], clip=0.2)
    torch.manual_seed(1)
    direct = NonSaturating().discriminator(second(real).flatten(), second(fake.detach()).flatten())
    direct = direct + penalty(second, real, fake.detach())
    direct.backward()
    sgd[1].step()
    assert value == pytest.approx(float(direct.detach()), rel=1e-6)
    assert fake.grad is None
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, two.clamp(-0.2, 0.2))


def test_gradients_of_layers_by_hand() -> None:
    critic = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    for layer, weight in zip(critic[::2], (1.0, 0.1, 100.0), strict=True):
        nn.init.constant_(layer.weight, weight)
        nn.init.zeros_(layer.bias)
    # Four real and four fake points, each with weight 1/4: the gradient at the output has the norm √8 / 4.
    found = layer_gradients(critic, Wasserstein(), torch.ones(4, 1), 2 * torch.ones(4, 1))
    output = math.log10(math.sqrt(8) / 4)
    np.testing.assert_allclose(found, (output + 1, output + 2, output), atol=1e-7)


def test_gradients_that_float32_cannot_hold_are_measured_and_zeros_are_said() -> None:
    layers = [nn.Linear(1, 1, bias=False) for _ in range(60)]
    for layer in layers:
        nn.init.constant_(layer.weight, 0.1)
    critic = nn.Sequential(*layers)
    points = torch.ones(2, 1)
    found = layer_gradients(critic, Wasserstein(), points, points)
    np.testing.assert_allclose(np.diff(found), 1.0, atol=1e-6)
    assert found[0] < -58
    assert all(
        parameter.grad is None and parameter.dtype == torch.float32 for parameter in critic.parameters()
    )
    nn.init.zeros_(layers[-1].weight)
    assert layer_gradients(critic, Wasserstein(), points, points)[0] == -math.inf


def test_growth_a_layer_is_the_slope_towards_the_input() -> None:
    line = 3.0 - 0.25 * np.arange(13)
    assert growth_a_layer(line) == pytest.approx(0.25, abs=1e-12)
    line[0] = -math.inf  # a gradient of zero has no logarithm
    assert growth_a_layer(line) == pytest.approx(0.25, abs=1e-12)
    assert math.isnan(growth_a_layer([-math.inf, 1.0]))
