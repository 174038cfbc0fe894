"""Networks and initial weights against the papers' figures."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from gamedyn.gan.models import (
    DCGANDiscriminator,
    DCGANGenerator,
    MNISTDiscriminator,
    MNISTGenerator,
    build_pair,
    frozen_running_statistics,
    initialise,
)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_papers_parameter_counts() -> None:
    assert count(DCGANGenerator(dim=128)) == 5_179_907
    assert count(DCGANDiscriminator(dim=128)) == 4_114_689
    assert count(MNISTGenerator()) == 6_675_009
    assert count(MNISTDiscriminator()) == 1_102_721


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (1, 16, 16), (2,)])
def test_networks_take_their_shape_from_the_data(shape: tuple[int, ...]) -> None:
    generator, discriminator = build_pair(shape, dim=4, latent=5, seed=0)
    fake = generator(torch.randn(3, 5)).detach()
    assert fake.shape == (3, *shape)
    assert discriminator(fake).numel() == 3
    if len(shape) == 3:
        assert float(fake.abs().max()) <= 1.0


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 32, 16), (3, 32), (1, 4, 4, 4), (1, 2, 2)])
def test_shapes_that_fit_no_network_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=str(shape[-1])):
        build_pair(shape, dim=4, latent=5, seed=0)


def test_the_seed_decides_the_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second, third = (build_pair((1, 8, 8), dim=4, latent=5, seed=seed)[0] for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    weights = [next(network.parameters()) for network in (first, second, third)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_generators_convolution_is_the_adjoint_of_the_discriminators() -> None:
    generator = DCGANGenerator(channels=2, size=8, dim=3, latent=4).double()
    discriminator = DCGANDiscriminator(channels=2, size=8, dim=3).double()
    up, down = generator.convolutions[0], discriminator.convolutions[0]
    assert isinstance(up, nn.ConvTranspose2d)
    assert isinstance(down, nn.Conv2d)
    with torch.no_grad():
        up.weight.copy_(down.weight)
    small, large = torch.randn(1, 3, 4, 4).double(), torch.randn(1, 2, 8, 8).double()
    raised = up(small).detach()[:, :, :-1, :-1]
    lowered = down(functional.pad(large, (1, 2, 1, 2))).detach()
    assert float((raised * large).sum()) == pytest.approx(float((small * lowered).sum()), rel=1e-12)


@pytest.mark.parametrize(
    ("layer", "variance"),
    [
        (nn.Linear(300, 500), 2 / 800),
        (nn.Conv2d(16, 32, 5, stride=2), 4 / (16 * 25 + 32 * 25 / 4)),
        (nn.ConvTranspose2d(32, 16, 5, stride=2), 4 / (32 * 25 / 4 + 16 * 25)),
    ],
)
def test_initial_weights_have_the_published_variance(layer: nn.Module, variance: float) -> None:
    torch.manual_seed(0)
    weight, bias = layer.parameters()
    initialise(layer)
    assert float(weight.detach().var()) == pytest.approx(variance, rel=0.05)
    assert float(weight.detach().abs().max()) <= math.sqrt(3 * variance)
    assert not bool(bias.any())
    initialise(layer, "torch")
    assert bool(bias.any())
    with pytest.raises(ValueError, match="'he'"):
        initialise(layer, "he")  # type: ignore[arg-type]


def test_frozen_statistics_change_no_output() -> None:
    generator = DCGANGenerator(channels=1, size=8, dim=4, latent=4)
    z = torch.randn(6, 4)
    with frozen_running_statistics(generator):
        frozen = generator(z)
    assert int(generator.project_norm.num_batches_tracked or 0) == 0
    assert torch.equal(frozen, generator(z))
    assert int(generator.project_norm.num_batches_tracked or 0) == 1
