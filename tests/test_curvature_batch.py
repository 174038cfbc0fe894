"""Products on a part of the fakes: unbiased, adjoint, and nothing else of the step changes."""

from __future__ import annotations

import copy

import pytest
import torch
from gan_critics import CRITICS, of_critic
from gan_games import KINDS, PAIRS, error, evaluated, made
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.curvature import subbatch
from gamedyn.gan.losses import LOSSES, Minimax
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD
from gamedyn.solvers import Linearisation

Vector = list[Tensor]


def fraction(game: GANObjective, part: float) -> GANObjective:
    return GANObjective(game.generator, game.discriminator, game.loss, curvature_batch=part)


def linearised(game: GANObjective, real: Tensor, latent: Tensor) -> Linearisation:
    found = game.on(real, latent).linearise(
        list(game.generator.parameters()), list(game.discriminator.parameters())
    )
    assert found is not None
    return found


def directions(game: GANObjective) -> tuple[Vector, Vector]:
    torch.manual_seed(1)
    x, y = game.generator.parameters(), game.discriminator.parameters()
    return [torch.randn_like(p) for p in x], [torch.randn_like(p) for p in y]


def dot(a: Vector, b: Vector) -> float:
    return sum(float((s * t).sum()) for s, t in zip(a, b, strict=True))


def assert_parts_average_to_the_whole(game: GANObjective, real: Tensor, latent: Tensor, count: int) -> None:
    total = len(latent)
    u, v = directions(game)
    whole = linearised(game, real, latent)
    part = fraction(game, count / total)
    starts = range(0, total, count)
    parts = [linearised(part, real, latent.roll(-start, 0)) for start in starts]
    for product, vector in (("forward", u), ("backward", v)):
        each = [getattr(one, product)(vector) for one in parts]
        mean = [sum(tensors) / len(starts) for tensors in zip(*each, strict=True)]
        expected = getattr(whole, product)(vector)
        assert error(mean, expected) < 1e-12
        assert error(each[0], expected) > 1e-3


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("least", [True, False])
def test_disjoint_parts_average_to_the_whole(pair: str, loss: str, least: bool) -> None:
    game, real, latent = made(pair, loss, torch.float64, batch=6)
    count = (2 if "no rule" in pair else 1) if least else 3
    evaluated(game.generator), evaluated(game.discriminator)  # samples do not meet
    assert_parts_average_to_the_whole(game, real, latent, count)


@pytest.mark.parametrize(
    "critic", ["several scores", "called twice", "hooks", "padding by ones", "overwritten"]
)
def test_so_they_do_with_unusual_critics(critic: str) -> None:
    torch.manual_seed(0)
    game, real, latent = of_critic(CRITICS[critic](), "minimax")
    assert_parts_average_to_the_whole(game, real[:6], latent[:6], 2)


class Summed:
    """A separable loss that is no mean."""

    separable = True

    def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        return real_scores.sum() - functional.softplus(fake_scores).sum()


@pytest.mark.parametrize("pair", ["tanh | tanh", "ReLU | no rule"])
def test_so_they_do_with_a_sum_for_a_loss(pair: str) -> None:
    game, real, latent = made(pair, "wgan", torch.float64, batch=6)
    evaluated(game.generator)
    game = GANObjective(game.generator, game.discriminator, Summed())  # type: ignore[arg-type]
    assert_parts_average_to_the_whole(game, real, latent, 3)


class Fitted(nn.Module):
    """A network that no rule covers and that knows the size of its batch."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layer = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.layer(x)) * torch.ones(6, 1, dtype=x.dtype)


class Reversed(nn.Module):
    """A network by rules whose samples change places."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layer = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x))[[5, 4, 3, 2, 1, 0]]


class Random(nn.Module):
    """A network that draws in its forward pass, and so is another function each time."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layer = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.layer(functional.dropout(x, 0.5, self.training)))


@pytest.mark.parametrize("network", [Fitted, Reversed])
def test_so_they_do_with_networks_that_insist_on_the_whole_batch(network: type[nn.Module]) -> None:
    torch.manual_seed(0)
    game = GANObjective(network(5, 2).double(), network(2, 1).double(), Minimax())
    assert_parts_average_to_the_whole(game, torch.randn(6, 2).double(), torch.randn(6, 5).double(), 3)
    assert bool(game.fallbacks) == (network is Fitted)
    part = fraction(game, 0.5)
    linearised(part, torch.randn(6, 2).double(), torch.randn(6, 5).double())
    assert part.fallbacks["curvature_batch"], "it costs as much as the whole, and says so"


def test_random_networks_are_not_run_again() -> None:
    """The products belong to the masks that the losses were computed with, and no random number is drawn."""
    torch.manual_seed(0)
    game = GANObjective(Random(5, 2).double(), Random(2, 1).double(), Minimax())
    real, latent = torch.randn(6, 2).double(), torch.randn(6, 5).double()
    latent[5] = 0.0
    u, _ = directions(game)
    u[1].zero_()  # a tangent that leaves the last image where it is
    torch.manual_seed(2)
    whole = linearised(game, real, latent)
    drawn = torch.get_rng_state()
    torch.manual_seed(2)
    part = linearised(fraction(game, 5 / 6), real, latent)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert error(part.forward(u), [6 / 5 * t for t in whole.forward(u)]) < 1e-12


def test_a_spectral_norm_does_not_advance_with_products() -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.utils.spectral_norm(nn.Linear(2, 6)), nn.LeakyReLU(0.2), nn.Linear(6, 1))
    game, real, latent = of_critic(critic, "minimax")
    whole, part = copy.deepcopy(game), fraction(copy.deepcopy(game), 0.5)
    linearised(whole, real, latent)
    found = linearised(part, real, latent)
    u, v = directions(part)
    assert dot(v, found.forward(u)) == pytest.approx(dot(found.backward(v), u), rel=1e-12)
    for one, other in zip(whole.discriminator.buffers(), part.discriminator.buffers(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_part_is_adjoint_and_leaves_everything_else_alone(
    pair: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "no rule" not in pair:  # every rule can be narrowed
        monkeypatch.setattr(subbatch, "FirstRows", None)
        monkeypatch.setattr(subbatch, "FirstColumns", None)
    game, real, latent = made(pair, loss, torch.float64)
    twin = fraction(copy.deepcopy(game), 0.4)
    whole, part = linearised(game, real, latent), linearised(twin, real, latent)
    u, v = directions(game)
    if isinstance(whole.losses, Tensor):  # in a general-sum game the halves belong to two losses
        assert dot(v, part.forward(u)) == pytest.approx(dot(part.backward(v), u), rel=1e-12)
    assert error(part.forward(u), whole.forward(u)) > 1e-3
    for one, other in zip(torch.atleast_1d(part.losses), torch.atleast_1d(whole.losses), strict=True):
        assert torch.equal(one, other)
    for name in ("gradient_x", "gradient_y"):
        assert all(map(torch.equal, getattr(part, name), getattr(whole, name)))
    for network in ("generator", "discriminator"):
        assert all(map(torch.equal, getattr(twin, network).buffers(), getattr(game, network).buffers()))


def test_batch_norm_without_rules_is_run_again_on_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subbatch, "FirstColumns", None)
    torch.manual_seed(0)
    game, real, latent = of_critic(CRITICS["BatchNorm, then no rule"](), "minimax")
    twin = fraction(copy.deepcopy(game), 0.4)
    linearised(game, real, latent)
    part = linearised(twin, real, latent)
    u, v = directions(game)
    assert dot(v, part.forward(u)) == pytest.approx(dot(part.backward(v), u), rel=1e-12)
    assert all(map(torch.equal, twin.discriminator.buffers(), game.discriminator.buffers()))


def test_batch_norm_standardises_the_part_as_it_would_alone() -> None:
    """Its derivative removes a channel's mean and scale: on a part they must be the part's own."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)).double()
    game = GANObjective(generator, nn.Linear(6, 1).double(), LOSSES["wgan"])
    real, latent = torch.randn(32, 6).double(), torch.randn(32, 4).double()
    u, _ = directions(game)
    alone = linearised(game, real[:8], latent[:8]).forward(u)
    part = linearised(fraction(game, 0.25), real, latent).forward(u)
    assert error(part, alone) < 1e-12


@pytest.mark.parametrize("pair", ["ReLU, BatchNorm | LeakyReLU", "ReLU | BatchNorm in training"])
def test_batch_norms_bias_falls_with_the_number_of_samples(pair: str) -> None:
    """Averaged over all cyclic parts, what is left of the difference is bias."""
    bias = []
    for count in (4, 16):
        game, real, latent = made(pair, "minimax", torch.float64, batch=32)
        u, _ = directions(game)
        expected = linearised(game, real, latent).forward(u)
        part = fraction(game, count / 32)
        each = [linearised(part, real, latent.roll(-k, 0)).forward(u) for k in range(0, 32, count)]
        bias.append(error([sum(t) / len(each) for t in zip(*each, strict=True)], expected))
    assert bias[1] < 0.5 * bias[0]
    assert bias[1] < 0.2


def test_the_whole_batch_is_never_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gamedyn.gan.closure.first_images", None)
    game, real, latent = made("MLPs", "minimax", torch.float64)
    linearised(fraction(game, 1.0), real, latent)
    with pytest.raises(TypeError):
        linearised(fraction(game, 0.5), real, latent)


@pytest.mark.parametrize(
    ("part", "total", "mixed", "count"),
    [(0.25, 64, False, 16), (0.25, 64, True, 16), (1e-9, 64, False, 1), (1e-9, 64, True, 2),
     (0.999, 64, True, None), (1.0, 1, True, None), (0.5, 1, False, None), (0.5, 2, True, None)],
)  # fmt: skip
def test_the_number_of_samples(part: float, total: int, mixed: bool, count: int | None) -> None:
    assert subbatch.count_of(part, total, mixed=mixed) == count


@pytest.mark.parametrize("wrong", [0.0, -0.5, 1.5, float("nan"), float("inf")])
def test_a_wrong_fraction_is_named(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"curvature_batch.*{wrong!r}"):
        GANObjective(nn.Linear(2, 2), nn.Linear(2, 1), Minimax(), curvature_batch=wrong)


def test_a_loss_that_couples_samples_has_no_parts() -> None:
    with pytest.raises(ValueError, match=r"separable.*0\.5"):
        GANObjective(nn.Linear(2, 2), nn.Linear(2, 1), lambda real, fake: fake.std(), curvature_batch=0.5)  # type: ignore[arg-type]


def test_a_step_on_a_part_is_a_step_of_the_same_gradients() -> None:
    game, real, latent = made("the DCGAN", "minimax", torch.float64)
    game = fraction(game, 0.5)
    opt = ACGD(game.generator.parameters(), game.discriminator.parameters(), lr=1e-3, max_iter=50)
    opt.step(game.on(real, latent))
    assert opt.last_step.converged
    assert not opt.last_step.skipped
