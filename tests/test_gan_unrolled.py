from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim import Adam

from gamedyn.gan.batch import Batch
from gamedyn.gan.losses import Minimax, NonSaturating
from gamedyn.gan.models import build_pair
from gamedyn.gan.steps import Unrolled
from gamedyn.gan.steps.unrolled import answers_of_adam

BETAS = (0.5, 0.999)


def networks() -> tuple[nn.Module, nn.Module]:
    generator, discriminator = build_pair((2,), dim=6, latent=3, seed=0)
    return generator.double(), discriminator.double()


def batch(seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    return Batch(torch.randn(8, 2, generator=random).double(), torch.randn(8, 3, generator=random).double())


def cross_entropy(discriminator: nn.Module, fake: torch.Tensor, of: Batch) -> torch.Tensor:
    return Minimax().discriminator(discriminator(of.real), discriminator(fake))


@pytest.mark.parametrize("warm", [0, 3])
def test_answers_are_the_steps_that_adam_takes(warm: int) -> None:
    generator, discriminator = networks()
    fake = generator(batch().latent).detach()
    adam = Adam(discriminator.parameters(), lr=0.01, betas=BETAS)
    for step in range(warm):
        adam.zero_grad()
        cross_entropy(discriminator, fake, batch(step)).backward()
        adam.step()
    ahead = copy.deepcopy(discriminator)
    other = Adam(ahead.parameters(), lr=0.01, betas=BETAS)
    other.load_state_dict(copy.deepcopy(adam.state_dict()))

    def loss(at: dict[str, torch.Tensor]) -> torch.Tensor:
        scores = [torch.func.functional_call(discriminator, at, (x,)) for x in (batch().real, fake)]
        return Minimax().discriminator(*scores)

    answered = answers_of_adam(loss, dict(discriminator.named_parameters()), adam, 4)
    for _ in range(4):
        other.zero_grad()
        cross_entropy(ahead, fake, batch()).backward()
        other.step()
    for name, weight in ahead.named_parameters():
        assert torch.allclose(answered[name], weight, rtol=1e-12, atol=1e-14), name


class Recorded(torch.optim.Optimizer):
    """Keeps the gradients and moves nothing."""

    def __init__(self, parameters: object) -> None:
        super().__init__(parameters, {})

    def step(self) -> None:
        self.found = [p.grad.clone() for group in self.param_groups for p in group["params"]]


@pytest.mark.parametrize("answers", [0, 1, 3])
@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_the_generators_gradient_is_that_of_finite_differences(loss: object, answers: int) -> None:
    generator, discriminator = networks()
    adam = Adam(discriminator.parameters(), lr=0.05, betas=BETAS)
    cross_entropy(discriminator, generator(batch(7).latent).detach(), batch(7)).backward()
    adam.step()
    start = copy.deepcopy((discriminator.state_dict(), adam.state_dict()))
    random = torch.Generator().manual_seed(1)
    direction = [torch.randn(p.shape, generator=random, dtype=p.dtype) for p in generator.parameters()]

    def value(shift: float, record: Recorded | None = None) -> float:
        discriminator.load_state_dict(start[0])
        adam.load_state_dict(copy.deepcopy(start[1]))
        with torch.no_grad():
            for p, d in zip(generator.parameters(), direction, strict=True):
                p += shift * d
        stepper = Unrolled(record or Recorded(generator.parameters()), adam, answers=answers)
        found = stepper.step(generator, discriminator, loss, batch).loss_generator
        with torch.no_grad():
            for p, d in zip(generator.parameters(), direction, strict=True):
                p -= shift * d
        return found

    record = Recorded(generator.parameters())
    value(0.0, record)
    slope = sum(float((g * d).sum()) for g, d in zip(record.found, direction, strict=True))
    h = 1e-5
    assert slope == pytest.approx((value(h) - value(-h)) / (2 * h), rel=1e-6)


def test_no_answers_are_plain_simultaneous_adam_and_the_discriminator_ignores_answers() -> None:
    ends = []
    for answers in (0, 2):
        generator, discriminator = networks()
        adams = [Adam(net.parameters(), lr=0.01, betas=BETAS) for net in (generator, discriminator)]
        Unrolled(*adams, answers=answers).step(generator, discriminator, Minimax(), batch)
        ends.append([p.detach().clone() for net in (generator, discriminator) for p in net.parameters()])
    generator, discriminator = networks()
    adams = [Adam(net.parameters(), lr=0.01, betas=BETAS) for net in (generator, discriminator)]
    loss = Minimax()(discriminator(batch().real), discriminator(generator(batch().latent)))
    players = list(generator.parameters()), list(discriminator.parameters())
    for sign, player in zip((1.0, -1.0), players, strict=True):
        for p, g in zip(player, torch.autograd.grad(sign * loss, player, retain_graph=True), strict=True):
            p.grad = g
    for adam in adams:
        adam.step()
    plain = [p for player in players for p in player]
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(ends[0], plain, strict=True))
    of_discriminator = len(players[0])
    for a, b in zip(ends[1][of_discriminator:], plain[of_discriminator:], strict=True):
        assert torch.allclose(a, b, rtol=1e-12)


def test_a_run_continues_from_its_state_and_idle_weights_do_no_harm() -> None:
    def fresh() -> tuple[nn.Module, nn.Module, Unrolled]:
        generator, discriminator = networks()
        discriminator.register_parameter("idle", nn.Parameter(torch.zeros(2).double()))
        adams = [Adam(net.parameters(), lr=0.01, betas=BETAS) for net in (generator, discriminator)]
        return generator, discriminator, Unrolled(*adams, answers=2)

    generator, discriminator, stepper = fresh()
    for seed in range(2):
        stepper.step(generator, discriminator, Minimax(), lambda seed=seed: batch(seed))
    other = fresh()
    other[0].load_state_dict(generator.state_dict())
    other[1].load_state_dict(discriminator.state_dict())
    other[2].load_state_dict(copy.deepcopy(stepper.state_dict()))
    for pair in ((generator, discriminator, stepper), other):
        pair[2].step(*pair[:2], Minimax(), lambda: batch(5))
    assert all(torch.equal(a, b) for a, b in zip(generator.parameters(), other[0].parameters(), strict=True))
    assert all(p.isfinite().all() for p in generator.parameters())


@pytest.mark.parametrize("answers", [0, 2])
def test_a_discriminator_that_holds_still_gives_no_answer(answers: int) -> None:
    generator, discriminator = networks()
    before = [p.detach().clone() for p in discriminator.requires_grad_(False).parameters()]
    adams = [Adam(net.parameters(), lr=0.01, betas=BETAS) for net in (generator, discriminator)]
    stepper = Unrolled(*adams, answers=answers)
    first, *_, last = (stepper.step(generator, discriminator, Minimax(), batch) for _ in range(20))
    assert last.loss_generator < first.loss_generator
    assert all(torch.equal(p, old) for p, old in zip(discriminator.parameters(), before, strict=True))


def test_wrong_arguments_are_refused() -> None:
    generator, discriminator = networks()
    own = Adam(generator.parameters())
    with pytest.raises(ValueError, match="at least 0"):
        Unrolled(own, Adam(discriminator.parameters()), answers=-1)
    with pytest.raises(ValueError, match="amsgrad"):
        Unrolled(own, Adam(discriminator.parameters(), amsgrad=True), answers=1)
    with pytest.raises(ValueError, match=r"torch\.optim\.Adam"):
        Unrolled(own, torch.optim.SGD(discriminator.parameters(), lr=1.0), answers=1)
