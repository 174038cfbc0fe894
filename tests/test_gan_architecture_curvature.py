"""Structured curvature of every architecture, in training: the numbers of autograd on the plain closure."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from gan_games import error
from torch import Tensor, nn

from gamedyn.gan.architectures import ARCHITECTURES
from gamedyn.gan.losses import LOSSES, Minimax
from gamedyn.gan.models import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.gan.random_architectures import NONLINEARITIES, random_architecture
from gamedyn.optimizers import ACGD
from gamedyn.optimizers.closure import linearise

SHAPE, BATCH, CLASSES = (2, 8, 8), 5, 3


class Labelled(nn.Module):
    """A conditional generator with its labels bound."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator, self.labels = generator, torch.arange(BATCH) % CLASSES

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z, self.labels[: len(z)])


class Scores(nn.Module):
    """A conditional discriminator without its class logits."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor) -> Tensor:
        return self.discriminator(images)[0]


def game_of(architecture: str, loss: str, **kwargs: Any) -> tuple[GANObjective, Tensor, Tensor]:
    known = ARCHITECTURES[architecture]
    shape = (2,) if known.points else SHAPE
    pair = build_pair(shape, dim=4, latent=5, seed=0, architecture=architecture, classes=CLASSES, **kwargs)
    generator, discriminator = pair
    if known.conditional:
        generator, discriminator = Labelled(generator), Scores(discriminator)
    torch.manual_seed(0)
    for network in (generator.double(), discriminator.double()):
        for parameter in network.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    draws = torch.randn(BATCH, 5, dtype=torch.float64), torch.randn(BATCH, *shape, dtype=torch.float64)
    return GANObjective(generator, discriminator, LOSSES[loss]), draws[1], draws[0]


def assert_plain_closures(game: GANObjective, real: Tensor, latent: Tensor) -> None:
    twin, other, stepped = (copy.deepcopy(game) for _ in range(3))
    x, y = list(game.generator.parameters()), list(game.discriminator.parameters())
    torch.manual_seed(1)
    found = game.on(real, latent).linearise(x, y)
    after = torch.get_rng_state()
    assert found is not None
    torch.manual_seed(1)
    tx, ty = list(twin.generator.parameters()), list(twin.discriminator.parameters())
    expected = linearise(twin.on(real, latent)(), tx, ty)
    assert torch.equal(after, torch.get_rng_state())
    u, v = [torch.randn_like(p) for p in x], [torch.randn_like(p) for p in y]
    for ours, plain in (
        (found.gradient_x, expected.gradient_x),
        (found.gradient_y, expected.gradient_y),
        (found.forward(u), expected.forward(u)),
        (found.backward(v), expected.backward(v)),
    ):
        assert error(ours, plain) < 1e-9
    for ours, plain in zip(buffers(game), buffers(twin), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-12)
    for one in (other, stepped):
        opt = ACGD(one.generator.parameters(), one.discriminator.parameters(), lr=1e-3, max_iter=3)
        closure = one.on(real, latent)
        torch.manual_seed(1)
        opt.step(closure if one is other else lambda closure=closure: closure())
        assert not opt.last_step.skipped
    moved = [after.detach() - before for after, before in zip(weights(other), weights(game), strict=True)]
    expected_moves = [after - before for after, before in zip(weights(stepped), weights(game), strict=True)]
    assert error(moved, expected_moves) < 1e-8  # of a solve, which magnifies rounding


def weights(game: GANObjective) -> list[Tensor]:
    return [p.detach() for network in (game.generator, game.discriminator) for p in network.parameters()]


def buffers(game: GANObjective) -> list[Tensor]:
    return [b for network in (game.generator, game.discriminator) for b in network.buffers()]


@pytest.mark.parametrize("loss", ["minimax", "wgan"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(architecture: str, loss: str) -> None:
    game, real, latent = game_of(architecture, loss)
    assert_plain_closures(game, real, latent)
    conditional = {"generator", "discriminator"} if ARCHITECTURES[architecture].conditional else set()
    assert set(game.fallbacks) == conditional


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "conditional-resnet"])
def test_every_architecture_regularised(architecture: str) -> None:
    game, real, latent = game_of(architecture, "minimax", spectral_norm=True, dropout=0.3)
    assert_plain_closures(game, real, latent)
    assert game.fallbacks == {}


@pytest.mark.parametrize("loss", ["non-saturating", "rpgan"])
@pytest.mark.parametrize("architecture", ["dcgan", "gated"])
def test_every_kind_of_game_regularised(architecture: str, loss: str) -> None:
    game, real, latent = game_of(architecture, loss, spectral_norm=True, dropout=0.3)
    assert_plain_closures(game, real, latent)
    assert game.fallbacks == {}


@pytest.mark.parametrize("norm", ["batch", "group", "layer"])
@pytest.mark.parametrize("architecture", ["dcgan", "resnet", "gated"])
def test_every_normalisation(architecture: str, norm: str) -> None:
    game, real, latent = game_of(architecture, "minimax", critic_norm=norm, dropout=0.3)
    assert_plain_closures(game, real, latent)
    # after the dropout of the layers before it, which falls back with the same mask
    assert set(game.fallbacks) == ({"discriminator"} if norm == "layer" else set())


def test_every_nonlinearity_of_the_random_architectures() -> None:
    for name in NONLINEARITIES:
        index = next(i for i in range(99) if random_architecture(i).discriminator_nonlinearity == name)
        game, real, latent = game_of("random", "minimax", index=index)
        assert_plain_closures(game, real, latent)
        assert game.fallbacks == {}


class FirstTwo(Minimax):
    """The minimax game on the first two fakes alone."""

    def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        return super().__call__(real_scores, fake_scores[:2])


def test_products_on_a_part_of_the_fakes_keep_masks_and_computed_weights() -> None:
    game, real, latent = game_of("no-norm", "minimax", spectral_norm=True, dropout=0.3)
    found = []
    for loss, part in ((game.loss, 0.4), (FirstTwo(), 1.0)):
        networks = copy.deepcopy((game.generator, game.discriminator))
        one = GANObjective(*networks, loss, curvature_batch=part)
        torch.manual_seed(1)
        found.append(one.on(real, latent).linearise(*(list(network.parameters()) for network in networks)))
        assert one.fallbacks == {}
    part_of_all, all_of_part = found
    u, v = ([torch.randn_like(p) for p in n.parameters()] for n in (game.generator, game.discriminator))
    assert error(part_of_all.forward(u), all_of_part.forward(u)) < 1e-12
    assert error(part_of_all.backward(v), all_of_part.backward(v)) < 1e-12
