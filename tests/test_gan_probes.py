from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gamedyn.games import LineMixture, generator_slopes
from gamedyn.gan.batch import Batch
from gamedyn.gan.data import image_set
from gamedyn.gan.models import build_pair
from gamedyn.gan.overtraining import Overtraining
from gamedyn.gan.probes import probe_generator, train_discriminator


class Shift(nn.Module):
    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(mean))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return latent + self.mean


class Optimal(nn.Module):
    """The optimal discriminator of N(0, 1) against N(mean, 1)."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (-self.mean * x + self.mean**2 / 2).squeeze(1)


def normal_batches(count: int, size: int) -> list[Batch]:
    random = torch.Generator().manual_seed(0)
    return [
        Batch(torch.randn(size, 1, generator=random), torch.randn(size, 1, generator=random))
        for _ in range(count)
    ]


@pytest.mark.parametrize("mean", [1.0, 2.0])
def test_norms_are_the_exact_slopes_of_shifted_gaussians(mean: float) -> None:
    probe = probe_generator(Shift(mean), Optimal(mean), normal_batches(20, 20_000))
    saturating, nonsaturating = generator_slopes(LineMixture(), LineMixture((mean,)))
    assert probe.saturating == pytest.approx(saturating, rel=0.02)
    assert probe.nonsaturating == pytest.approx(nonsaturating, rel=0.02)
    # At every sample the two gradients sum to the mean, so they have one spread.
    assert probe.saturating_spread == pytest.approx(probe.nonsaturating_spread, rel=1e-6)
    assert probe.accuracy == pytest.approx(0.5 * (1 + math.erf(mean / 2 / math.sqrt(2))), abs=0.005)


def test_a_vanished_gradient_keeps_its_digits_and_nothing_moves() -> None:
    generator, discriminator = build_pair((1, 8, 8), dim=4, latent=4, seed=0, critic_norm="batch")
    with torch.no_grad():
        discriminator.score.bias.fill_(-60.0)  # sure that all is generated
    before = [value.clone() for net in (generator, discriminator) for value in net.state_dict().values()]
    batches = [Batch(torch.rand(8, 1, 8, 8), torch.randn(8, 4)) for _ in range(2)]
    probe = probe_generator(generator, discriminator, batches)
    assert 0 < probe.saturating / probe.nonsaturating < 1e-23
    after = [value for net in (generator, discriminator) for value in net.state_dict().values()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    for too_few in ({"batches": batches[:1]}, {"batches": batches, "gradients": 1}):
        with pytest.raises(ValueError, match="at least 2"):
            probe_generator(generator, discriminator, **too_few)


def test_success_can_be_judged_on_more_minibatches_than_gradients() -> None:
    batches = normal_batches(6, 500)
    few, more = (
        probe_generator(Shift(1.0), Optimal(1.0), batches[:count], gradients=gradients)
        for count, gradients in ((2, None), (6, 2))
    )
    assert (few.saturating, few.nonsaturating_spread) == (more.saturating, more.nonsaturating_spread)
    assert more.accuracy == probe_generator(Shift(1.0), Optimal(1.0), batches).accuracy != few.accuracy


def test_training_a_discriminator_moves_it_alone_and_noise_makes_it_less_sure() -> None:
    costs = []
    for noise in (0.0, 2.0):
        generator, discriminator = build_pair((1, 8, 8), dim=4, latent=4, seed=0, critic_norm="batch")
        before = {name: value.clone() for name, value in generator.state_dict().items()}
        adam = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
        torch.manual_seed(0)
        batches = [Batch(torch.rand(16, 1, 8, 8), torch.randn(16, 4)) for _ in range(4)]
        torch.manual_seed(0)
        steps = train_discriminator(
            discriminator, adam, generator, lambda batches=batches: batches[0], 20, noise=noise
        )
        assert list(steps) == list(range(21))
        assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
        costs.append(probe_generator(generator, discriminator, batches, noise=noise).cost)
    assert costs[0] < 0.1 * costs[1]


def test_measurements_do_not_depend_on_what_was_done_before() -> None:
    images = image_set(torch.rand(24, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    study = Overtraining(images, dim=4, latent=4, batch_size=8)
    assert study.steps(2.0) == 6
    weights = study.generators([1, 2])
    ages = {name.split()[0] for name in weights}
    assert ages == {"1", "2"}
    assert any(not torch.equal(weights[name], weights["2" + name[1:]]) for name in weights if name[0] == "1")
    first = study.measure(weights, age=1, checks=[0, 2], noise=0.5, minibatches=2)
    stored = {name: value.numpy() for name, value in weights.items()}
    again = Overtraining(images, dim=4, latent=4, batch_size=8).measure(
        stored, age=1, checks=[0, 2], noise=0.5, minibatches=2
    )
    assert first.keys() == again.keys()
    assert all((first[name] == again[name]).all() for name in first)
    judged = study.measure(weights, age=1, checks=[0], minibatches=2, judged=3)
    fewer = study.measure(weights, age=1, checks=[0], minibatches=2)
    assert judged["saturating"] == fewer["saturating"]
    assert judged["cost"] != fewer["cost"]


def test_a_device_that_is_not_there_is_refused_before_anything_is_trained() -> None:
    images = image_set(torch.rand(24, 1, 8, 8))
    with pytest.raises(ValueError, match=r"device must be cpu.* got 'nowhere'"):
        Overtraining(images, device="nowhere")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_measures_what_the_processor_does() -> None:
    images = image_set(torch.rand(24, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    measured = [
        study.measure(study.generators([2]), age=2, checks=[0, 2], minibatches=2)
        for study in (
            Overtraining(images, dim=4, latent=4, batch_size=8, device=name) for name in ("cpu", "cuda")
        )
    ]
    for name, values in measured[0].items():
        assert measured[1][name] == pytest.approx(values, rel=0.05)
