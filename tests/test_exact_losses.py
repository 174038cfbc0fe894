"""T10 and T11: what the losses' gradients are exactly, seen through the optimizers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from gamedyn.gan.losses import Minimax, NonSaturating
from gamedyn.optimizers import ACGD, SimGD
from gamedyn.optimizers.closure import differentiate, filled

GRID = torch.linspace(-12.0, 12.0, 4801, dtype=torch.float64)
WEIGHTS = torch.exp(-(GRID**2) / 2.0) / math.sqrt(2.0 * math.pi) * (GRID[1] - GRID[0])

JSD = {
    0.5: 0.030311,
    1: 0.111421,
    2: 0.336831,
    3: 0.526777,
    4: 0.632720,
    5: 0.675943,
    6: 0.689298,
    8: 0.693054,
}


def expectation(loss: object, *scores: Tensor) -> Tensor:
    """Integrate a loss of batch means against the standard normal, sample by sample."""
    return torch.vmap(lambda *sample: loss(*(score[None] for score in sample)))(*scores) @ WEIGHTS


def logit(x: Tensor, mu: float) -> Tensor:
    """Return the optimal discriminator's logit for data N(0, 1) and a generator N(mu, 1)."""
    return -mu * x + mu * mu / 2.0


@pytest.mark.parametrize(("mu", "exact"), JSD.items())
def test_t10_the_game_at_the_optimal_discriminator_is_the_js_divergence(mu: float, exact: float) -> None:
    value = expectation(Minimax(), logit(GRID, mu), logit(GRID + mu, mu)).item()
    assert value / 2.0 + math.log(2.0) == pytest.approx(exact, abs=6e-7)


@pytest.mark.parametrize(
    ("mu", "saturating", "non_saturating"),
    [
        (1.0, 0.397973, 0.602027),
        (2.0, 0.449600, 1.550400),
        (5.0, 0.0473796, 4.952620),
        (8.0, 3.92875e-4, 7.999607),
        (10.0, 4.4641e-6, 9.9999955),
    ],
)
@pytest.mark.filterwarnings("ignore:nothing moves player")
def test_t10_theorem_2_5_by_steps(mu: float, saturating: float, non_saturating: float) -> None:
    """A unit gradient step of the generator's shift is the exact gradient; the two add up to mu."""
    moves = []
    for loss in (Minimax().generator, NonSaturating().generator):
        shift = torch.tensor(mu, dtype=torch.float64, requires_grad=True)
        spectator = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        opt = SimGD([shift], [spectator], lr=1.0)
        opt.step(lambda shift=shift, loss=loss: expectation(loss, logit(GRID + shift, mu)))
        moves.append(mu - shift.item())
    assert moves == pytest.approx([saturating, non_saturating], rel=2e-6)
    assert sum(moves) == pytest.approx(mu, rel=1e-9)


def test_t10_theorem_3_2_noise_smoothed_discriminator() -> None:
    """The generator's gradient under the optimal discriminator of two noisy discrete laws."""
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(6, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    variance = 0.3

    def kernel(x: Tensor, centres: Tensor) -> Tensor:
        return torch.exp(-((x[:, None] - centres) ** 2).sum(-1) / (2.0 * variance))

    def density(x: Tensor, centres: Tensor) -> Tensor:
        return kernel(x, centres).mean(1)

    samples = fake.clone().requires_grad_()
    scores = density(samples, real).log() - density(samples, fake).log()
    (by_autograd,) = torch.autograd.grad(Minimax().generator(scores), samples)
    p_real, p_fake = density(fake, real), density(fake, fake)
    a = 1.0 / (2.0 * variance) / (p_real + p_fake)
    b = a * p_real / p_fake

    def pull(centres: Tensor) -> Tensor:
        return (kernel(fake, centres)[:, :, None] * 2.0 * (fake[:, None] - centres)).mean(1)

    exact = (a[:, None] * pull(real) - b[:, None] * pull(fake)) / len(fake)
    torch.testing.assert_close(by_autograd, exact, rtol=1e-12, atol=1e-15)


def gradient_penalty(critic: nn.Module, sample: Tensor) -> Tensor:
    inputs = sample.clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(inputs).sum(), inputs, create_graph=True)
    return ((slope.square().sum(1) + 1e-12).sqrt() - 1.0).square().mean()


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_t11_a_penaltys_bias_gradients_are_zero_for_relu(activation: type[nn.Module]) -> None:
    """Hidden biases: exactly zero for ReLU, not for tanh. The output bias is unused in both cases."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 8), activation(), nn.Linear(8, 1)).double()
    generator = nn.Linear(2, 2).double()
    sample = torch.randn(16, 2, dtype=torch.float64)
    hidden, output = critic[0].bias, critic[2].bias
    slopes = filled(differentiate(gradient_penalty(critic, sample), [hidden, output]), [hidden, output])
    assert bool(slopes[0].any()) == (activation is nn.Tanh)
    assert not slopes[1].any()

    before = hidden.detach().clone(), output.detach().clone()
    opt = ACGD(generator.parameters(), critic.parameters(), lr=0.01)
    for _ in range(2):
        opt.step(lambda: generator(sample).sum() * 0.0 - gradient_penalty(critic, sample))
        assert not opt.last_step.skipped
    assert torch.equal(hidden, before[0]) == (activation is nn.ReLU)
    assert torch.equal(output, before[1])
