"""Class-conditional games: an auxiliary classifier beside every loss, in turn and at once."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.auxiliary import AuxiliaryClassifier
from gamedyn.gan.batch import Batch
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.objective import GANObjective
from gamedyn.gan.penalties import R1, GradientPenalty
from gamedyn.gan.steps import Alternating, Simultaneous
from gamedyn.optimizers import ACGD, SimGD

CLASSES = 3


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.start, self.layer = nn.Embedding(CLASSES, 4), nn.Linear(4, 2)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        return self.layer(torch.tanh(latent + self.start(labels)))


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.score, self.classes = nn.Linear(2, 6), nn.Linear(6, 1), nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.tanh(self.body(x))
        return self.score(features)[:, 0], self.classes(features)


def conditional() -> tuple[Generator, Discriminator, Batch]:
    torch.manual_seed(0)
    real, latent = torch.randn(7, 2).double(), torch.randn(7, 4).double()
    labels = [torch.randint(CLASSES, (7,)) for _ in range(2)]
    return Generator().double(), Discriminator().double(), Batch(real, latent, *labels)


@pytest.mark.parametrize("name", LOSSES)
def test_both_players_take_their_share_of_the_cross_entropy(name: str) -> None:
    """The discriminator on real samples alone, the generator a tenth on what it was asked for."""
    generator, discriminator, batch = conditional()
    loss = LOSSES[name]
    game = GANObjective(generator, discriminator, loss, penalties=[R1(0.2)])
    players = [list(network.parameters()) for network in (generator, discriminator)]
    losses = game.on(batch.real, batch.latent, batch.real_labels, batch.fake_labels)()
    assert isinstance(losses, tuple)
    fake_scores, fake_classes = discriminator(generator(batch.latent, batch.fake_labels))
    real_scores, real_classes = discriminator(batch.real)
    of_generator = loss.generator(fake_scores, real_scores)
    of_generator = of_generator + 0.1 * functional.cross_entropy(fake_classes, batch.fake_labels)
    of_discriminator = loss.discriminator(real_scores, fake_scores)
    of_discriminator = of_discriminator + functional.cross_entropy(real_classes, batch.real_labels)
    of_discriminator = of_discriminator + R1(0.2)(discriminator, batch.real, batch.real)
    for found, expected, own in zip(losses, (of_generator, of_discriminator), players, strict=True):
        for a, b in zip(
            torch.autograd.grad(found, own, retain_graph=True, allow_unused=True, materialize_grads=True),
            torch.autograd.grad(expected, own, retain_graph=True, allow_unused=True, materialize_grads=True),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_blind_players_pay_the_logarithm_of_the_number_of_classes() -> None:
    generator, discriminator, batch = conditional()
    for parameter in discriminator.parameters():
        parameter.data.zero_()
    game = GANObjective(
        generator,
        discriminator,
        LOSSES["wgan"],
        auxiliary=AuxiliaryClassifier(generator=0.5, discriminator=2.0),
    )
    losses = game.on(batch.real, batch.latent, batch.real_labels, batch.fake_labels)()
    assert [float(loss.detach()) for loss in losses] == pytest.approx([0.5 * math.log(3), 2.0 * math.log(3)])


def test_in_turn_it_is_gradient_descent_by_hand() -> None:
    generator, discriminator, batch = conditional()
    mine, his, _ = conditional()
    sgd = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (mine, his)]
    Alternating(*sgd).step(mine, his, LOSSES["wgan"], lambda: batch)

    def descend(network: nn.Module, value: Tensor) -> None:
        own = list(network.parameters())
        gradients = torch.autograd.grad(value, own, allow_unused=True, materialize_grads=True)
        for parameter, gradient in zip(own, gradients, strict=True):
            parameter.data.sub_(0.1 * gradient)

    scores, classes = discriminator(batch.real)
    fakes, _ = discriminator(generator(batch.latent, batch.fake_labels).detach())
    descend(
        discriminator, fakes.mean() - scores.mean() + functional.cross_entropy(classes, batch.real_labels)
    )
    fakes, classes = discriminator(generator(batch.latent, batch.fake_labels))
    descend(generator, -fakes.mean() + 0.1 * functional.cross_entropy(classes, batch.fake_labels))
    for ours, theirs in ((mine, generator), (his, discriminator)):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [SimGD, ACGD])
def test_at_once_it_is_a_general_sum_game_by_autograd(kind: type) -> None:
    generator, discriminator, batch = conditional()
    optimizer = kind(generator.parameters(), discriminator.parameters(), lr=1e-2)
    stepper = Simultaneous(optimizer, penalties=[GradientPenalty()], noise=0.1)
    for _ in range(3):
        record = stepper.step(generator, discriminator, LOSSES["wgan"], lambda: batch)
        assert record.loss_generator != -record.loss_discriminator
        assert not record.skipped
    if kind is ACGD:
        assert record.residual <= 1e-3
        assert stepper._game is not None
        assert set(stepper._game.fallbacks) == {"classes"}


def test_training_teaches_the_classes() -> None:
    generator, discriminator, batch = conditional()
    centres = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0]]).double()
    real = centres[batch.real_labels]
    batch = Batch(real, batch.latent, batch.real_labels, batch.fake_labels)
    adams = (torch.optim.Adam(n.parameters(), lr=1e-2) for n in (generator, discriminator))
    stepper = Alternating(*adams)
    for _ in range(150):
        stepper.step(generator, discriminator, LOSSES["hinge"], lambda: batch)
    assert torch.equal(discriminator(real)[1].argmax(1), batch.real_labels)


@pytest.mark.parametrize("missing", ["real_labels", "fake_labels"])
def test_missing_classes_are_named(missing: str) -> None:
    _, discriminator, batch = conditional()
    generator = nn.Linear(4, 2).double()
    labels = {"real_labels": batch.real_labels, "fake_labels": batch.fake_labels, missing: None}
    if missing == "real_labels":
        generator = Generator().double()  # type: ignore[assignment]
    batch = Batch(batch.real, batch.latent, **labels)
    sgd = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (generator, discriminator)]
    with pytest.raises(ValueError, match=missing):
        Alternating(*sgd).step(generator, discriminator, LOSSES["wgan"], lambda: batch)
    optimizer = ACGD(generator.parameters(), discriminator.parameters())
    with pytest.raises(ValueError, match=missing):
        Simultaneous(optimizer).step(generator, discriminator, LOSSES["wgan"], lambda: batch)


@pytest.mark.parametrize("name", ["wgan", "rpgan"])
def test_a_game_without_any_classes_is_refused_too(name: str) -> None:
    _, discriminator, batch = conditional()
    generator = nn.Linear(4, 2).double()
    optimizer = ACGD(generator.parameters(), discriminator.parameters())
    with pytest.raises(ValueError, match="fake_labels"):
        Simultaneous(optimizer).step(
            generator, discriminator, LOSSES[name], lambda: Batch(batch.real, batch.latent)
        )


def test_wrong_weights_are_named() -> None:
    with pytest.raises(ValueError, match=r"generator.*-0\.1"):
        AuxiliaryClassifier(generator=-0.1)
    with pytest.raises(ValueError, match=r"discriminator.*nan"):
        AuxiliaryClassifier(discriminator=math.nan)
