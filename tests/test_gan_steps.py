"""Steps of two optimizers in turn against references written by hand, and what a resumed run draws."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gamedyn.gan.batch import Batch
from gamedyn.gan.losses import LOSSES, GANLoss
from gamedyn.gan.models import build_pair
from gamedyn.gan.models.statistics import frozen_running_statistics
from gamedyn.gan.penalties import R1, R2, GradientPenalty, WeightDecay
from gamedyn.gan.steps import Alternating, Simultaneous, Stepper
from gamedyn.optimizers import ACGD, AltGD, SimGD

EXACT = {"rtol": 1e-12, "atol": 1e-12}


def pair(seed: int = 0) -> tuple[nn.Module, nn.Module]:
    generator, critic = build_pair((2,), dim=8, latent=4, seed=seed)
    return generator.double(), critic.double()


def batches(count: int, size: int = 6) -> list[Batch]:
    draw = torch.Generator().manual_seed(1)

    def normal(width: int) -> Tensor:
        return torch.randn(size, width, generator=draw, dtype=torch.float64)

    return [Batch(normal(2), normal(4)) for _ in range(count)]


def in_turn(given: Sequence[Batch]) -> Callable[[], Batch]:
    rest = iter(given)
    return lambda: next(rest)


def adams(networks: Sequence[nn.Module], lr: float = 1e-2) -> Iterator[torch.optim.Adam]:
    return (torch.optim.Adam(network.parameters(), lr=lr, betas=(0.0, 0.9)) for network in networks)


def assert_same_weights(ours: Sequence[nn.Module], theirs: Sequence[nn.Module], **bounds: float) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        for a, b in zip(mine.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, **(bounds or EXACT))


def test_wgan_gp_is_algorithm_1_of_its_paper() -> None:
    """Two iterations of five critic steps and a generator's, against the algorithm spelled out."""
    ours, (generator, critic) = pair(), pair()
    given = batches(10)
    stepper = Alternating(*adams(ours), n_critic=5, penalties=[GradientPenalty(10.0)])
    draw = in_turn(given)
    torch.manual_seed(2)
    records = [stepper.step(*ours, LOSSES["wgan"], draw) for _ in range(2)]

    of_generator, of_critic = adams((generator, critic))
    torch.manual_seed(2)
    for iteration in range(2):
        for batch in given[5 * iteration : 5 * iteration + 5]:
            epsilon = torch.rand(6, 1, dtype=torch.float64)
            fake = generator(batch.latent).detach()
            mixed = (epsilon * batch.real + (1 - epsilon) * fake).requires_grad_()
            (slope,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
            loss = (critic(fake) - critic(batch.real)).mean() + 10.0 * (
                (slope.square().sum(1).sqrt() - 1.0) ** 2
            ).mean()
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
        assert records[iteration].loss_discriminator == pytest.approx(float(loss.detach()), rel=1e-12)
        cost = -critic(generator(batch.latent)).mean()
        assert records[iteration].loss_generator == pytest.approx(float(cost.detach()), rel=1e-12)
        of_generator.zero_grad()
        cost.backward()
        of_generator.step()
    assert_same_weights(ours, (generator, critic))


def test_the_critic_moves_n_times_on_batches_of_its_own_and_is_clipped_each_time() -> None:
    """Which of the two moves, on which fakes, and what the critic is when the generator moves."""
    generator, critic = pair()
    events: list[str] = []
    seen: list[Tensor] = []
    generator.register_forward_hook(lambda module, given, out: seen.append(given[0]))

    class Watched(torch.optim.SGD):
        def __init__(self, name: str, network: nn.Module) -> None:
            super().__init__(network.parameters(), lr=10.0)
            self.name = name

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            bound = max(float(p.detach().abs().max()) for p in critic.parameters())
            events.append(f"{self.name} against {'clipped' if bound <= 0.02 else 'free'}")
            super().step(closure)

    given = batches(6)
    draws: list[int] = []

    def draw() -> Batch:
        draws.append(len(events))
        return given[len(draws) - 1]

    stepper = Alternating(Watched("G", generator), Watched("D", critic), n_critic=3, clip=0.02)
    for _ in range(2):
        stepper.step(generator, critic, LOSSES["wgan"], draw)
        assert max(float(p.detach().abs().max()) for p in critic.parameters()) <= 0.02
    assert events == ["D against free", *["D against clipped"] * 2, "G against clipped",
                      *["D against clipped"] * 3, "G against clipped"]  # fmt: skip
    assert draws == [0, 1, 2, 4, 5, 6]
    assert [id(latent) for latent in seen] == [id(batch.latent) for batch in given]


def test_the_generator_answers_with_the_last_fakes_and_advances_its_statistics_once() -> None:
    generator = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)).double()
    critic = pair()[1]
    given = batches(3)
    twin = copy.deepcopy(generator)
    optimizers = (torch.optim.SGD(network.parameters(), lr=0.0) for network in (generator, critic))
    record = Alternating(*optimizers, n_critic=3).step(generator, critic, LOSSES["wgan"], in_turn(given))
    fake = twin(given[-1].latent)
    assert record.loss_generator == pytest.approx(float(-critic(fake).mean().detach()), rel=1e-12)
    for a, b in zip(generator.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(a, b, **EXACT)


@pytest.mark.parametrize("name", ["wgan", "rpgan"])
def test_the_generator_may_move_by_new_batches_of_its_own(name: str) -> None:
    """Two critic steps on 6 samples each, then a generator's on the 12 of the next two batches."""
    loss = LOSSES[name]
    _, critic = pair()
    generator = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)).double()
    twins = copy.deepcopy((generator, critic))
    given = batches(4)
    sgd = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (generator, critic)]
    stepper = Alternating(*sgd, n_critic=2, generator_batches=2, noise=0.2)
    torch.manual_seed(4)
    record = stepper.step(generator, critic, loss, in_turn(given))

    def noise(count: int) -> Tensor:
        return 0.2 * torch.randn(count, 2, dtype=torch.float64)

    of_generator, of_critic = (torch.optim.SGD(network.parameters(), lr=0.1) for network in twins)
    torch.manual_seed(4)
    for batch in given[:2]:
        real, blur = batch.real + noise(6), noise(6)
        with frozen_running_statistics(twins[0]):
            seen = twins[0](batch.latent).detach() + blur
        of_critic.zero_grad()
        loss.discriminator(twins[1](real), twins[1](seen)).backward()
        of_critic.step()
    real = torch.cat([batch.real for batch in given[2:]]) + noise(12)
    fake = twins[0](torch.cat([batch.latent for batch in given[2:]])) + noise(12)
    value = loss.generator(twins[1](fake), twins[1](real))
    value.backward()
    of_generator.step()
    assert record.loss_generator == pytest.approx(float(value.detach()), rel=1e-12)
    assert_same_weights((generator, critic), twins)
    for a, b in zip(generator.buffers(), twins[0].buffers(), strict=True):
        torch.testing.assert_close(a, b, **EXACT)


@pytest.mark.parametrize("name", LOSSES)
def test_one_step_of_every_loss_with_everything_is_gradient_descent_in_turn(name: str) -> None:
    loss: GANLoss = LOSSES[name]
    ours, (generator, critic) = pair(), pair()
    (batch,) = batches(1)
    terms = [R1(0.4), R2(0.6), WeightDecay(0.05)]
    sgd = [torch.optim.SGD(network.parameters(), lr=0.1) for network in ours]
    torch.manual_seed(4)
    Alternating(*sgd, penalties=terms, noise=0.2).step(*ours, loss, lambda: batch)

    torch.manual_seed(4)
    real = batch.real + 0.2 * torch.randn(6, 2, dtype=torch.float64)
    noise = 0.2 * torch.randn(6, 2, dtype=torch.float64)

    def descend(network: nn.Module, value: Tensor) -> None:
        for p, g in zip(
            network.parameters(), torch.autograd.grad(value, list(network.parameters())), strict=True
        ):
            p.data.sub_(0.1 * g)

    def slope(points: Tensor) -> Tensor:
        points = points.detach().requires_grad_()
        (found,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
        return found.square().sum(1).mean()

    seen = generator(batch.latent).detach() + noise
    decay = sum((p.square().sum() for p in critic.parameters()), torch.zeros(()))
    penalties = 0.2 * slope(real) + 0.3 * slope(seen) + 0.05 * decay
    descend(critic, loss.discriminator(critic(real), critic(seen)) + penalties)
    descend(generator, loss.generator(critic(generator(batch.latent) + noise), critic(real).detach()))
    assert_same_weights(ours, (generator, critic))


@pytest.mark.parametrize("kind", [SimGD, AltGD])
@pytest.mark.parametrize("name", ["minimax", "hinge"])
def test_plain_game_optimizers_take_penalties_and_noise(kind: type, name: str) -> None:
    loss = LOSSES[name]
    ours, (generator, critic) = pair(), pair()
    (batch,) = batches(1)
    both = (ours, (generator, critic))
    game = [kind(*(network.parameters() for network in networks), lr=0.1) for networks in both]
    torch.manual_seed(4)
    stepper = Simultaneous(game[0], penalties=[GradientPenalty(2.0)], noise=0.2)
    record = stepper.step(*ours, loss, lambda: batch)

    torch.manual_seed(4)
    real = batch.real + 0.2 * torch.randn(6, 2, dtype=torch.float64)
    noise = 0.2 * torch.randn(6, 2, dtype=torch.float64)
    mix = torch.rand(6, 1, dtype=torch.float64)

    def closure() -> Any:
        seen = generator(batch.latent) + noise
        points = (mix * real + (1 - mix) * seen).detach().requires_grad_()
        (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
        penalty = 2.0 * (slope.norm(dim=1) - 1).square().mean()
        value = loss(critic(real), critic(seen))
        return value - penalty if isinstance(value, Tensor) else (value[0], value[1] + penalty)

    value = game[1].step(closure)
    assert_same_weights(ours, (generator, critic))
    expected = (float(value), -float(value)) if isinstance(value, Tensor) else tuple(map(float, value))
    assert (record.loss_generator, record.loss_discriminator) == pytest.approx(expected, rel=1e-12)


def alternating(networks: Sequence[nn.Module]) -> Stepper:
    return Alternating(*adams(networks), n_critic=2, penalties=[GradientPenalty()], noise=0.1)


def simultaneous(networks: Sequence[nn.Module], kind: type = ACGD) -> Stepper:
    players = (network.parameters() for network in networks)
    return Simultaneous(kind(*players, lr=1e-2), penalties=[GradientPenalty()], noise=0.1)


@pytest.mark.parametrize("make", [alternating, simultaneous, partial(simultaneous, kind=AltGD)])
def test_a_resumed_run_draws_the_same_noise(make: Callable[..., Stepper]) -> None:
    """From torch's global generator, whose state checkpoints hold."""
    given = batches(12)
    torch.manual_seed(6)
    whole = pair()
    stepper, draw = make(whole), in_turn(given)
    for _ in range(4):
        stepper.step(*whole, LOSSES["wgan"], draw)
    torch.manual_seed(6)
    half = pair()
    stepper, draw = make(half), in_turn(given)
    for _ in range(2):
        stepper.step(*half, LOSSES["wgan"], draw)
    stored = copy.deepcopy((stepper.state_dict(), torch.get_rng_state()))
    rest = copy.deepcopy(half)
    torch.manual_seed(999)
    stepper = make(rest)
    stepper.load_state_dict(stored[0])
    torch.set_rng_state(stored[1])
    for _ in range(2):
        stepper.step(*rest, LOSSES["wgan"], draw)
    assert_same_weights(whole, rest, rtol=0.0, atol=0.0)


def test_noise_may_change_between_steps() -> None:
    for make in (alternating, simultaneous):
        networks = pair()
        stepper = make(networks)
        for std in (0.1, 0.0, 0.3):
            stepper.noise = std
            torch.manual_seed(0)
            stepper.step(*networks, LOSSES["wgan"], in_turn(batches(2)))
            after = torch.get_rng_state()
            torch.manual_seed(0)
            drawn = 2 if make is alternating else 1
            for _ in range(drawn):
                if std:
                    torch.randn(6, 2, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
                torch.rand(6, 1, dtype=torch.float64)
            assert torch.equal(torch.get_rng_state(), after)


@pytest.mark.parametrize("where", ["score", "penalty"])
def test_a_loss_that_is_not_finite_is_refused_before_it_is_written(where: str) -> None:
    networks = pair()
    (batch,) = batches(1)
    before = [p.clone() for network in networks for p in network.parameters()]

    def broken(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return next(discriminator.parameters()).sum() * math.nan

    if where == "score":
        batch = Batch(batch.real * math.inf, batch.latent)
    stepper = Alternating(*adams(networks), penalties=[broken] if where == "penalty" else [])
    with pytest.raises(ValueError, match="lower --lr"):
        stepper.step(*networks, LOSSES["lsgan"], lambda: batch)
    assert all(map(torch.equal, before, (p for network in networks for p in network.parameters())))


def test_frozen_parameters_of_the_critic_stay_frozen() -> None:
    generator, critic = pair()
    frozen = next(critic.parameters()).requires_grad_(False)
    before = frozen.clone()
    trained = (
        torch.optim.SGD([p for p in n.parameters() if p.requires_grad], lr=0.1) for n in (generator, critic)
    )
    stepper = Alternating(*trained)
    stepper.step(generator, critic, LOSSES["hinge"], in_turn(batches(1)))
    assert [p.requires_grad for p in critic.parameters()][:2] == [False, True]
    assert torch.equal(frozen, before)


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, None])
def test_a_wrong_number_of_critic_steps_is_named(wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"n_critic.*{wrong!r}"):
        Alternating(*adams(pair()), n_critic=wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True])
def test_a_wrong_number_of_generator_batches_is_named(wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"generator_batches.*{wrong!r}"):
        Alternating(*adams(pair()), generator_batches=wrong)


@pytest.mark.parametrize("wrong", [0.0, -0.01, math.nan])
def test_a_wrong_clip_is_named(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"clip.*{wrong!r}"):
        Alternating(*adams(pair()), clip=wrong)
