"""The structured mixed Hessian against autograd: every rule, every loss, both dtypes, every fallback."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from gan_critics import (
    CRITICS,
    REASONS,
    Undifferentiable,
    Unused,
    half_frozen,
    of_critic,
    tied,
    twice,
)
from gan_games import (
    FALLBACKS,
    PAIRS,
    Act,
    Opaque,
    assert_by_structure_as_by_autograd,
    error,
    leaky,
    made,
)
from gan_variants import VARIANTS
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from gamedyn.gan.curvature import affine
from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.scores import derivatives
from gamedyn.gan.losses import LOSSES, Minimax
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD, CGD
from gamedyn.optimizers.closure import linearise


@pytest.mark.parametrize(
    ("loss", "dtype"),
    [*((loss, torch.float64) for loss in sorted(LOSSES)),
     *((loss, torch.float32) for loss in ("minimax", "rpgan", "wgan"))],
)  # fmt: skip
@pytest.mark.parametrize("pair", PAIRS)
def test_linearisation_is_autograds(pair: str, loss: str, dtype: torch.dtype) -> None:
    fallbacks = FALLBACKS.get(pair, set())
    # of pairs, two parts of a product cancel: most in the DCGAN's, which differs by 4.4e-6
    float32 = 8e-6 if loss == "rpgan" else 3e-6
    assert_by_structure_as_by_autograd(*made(pair, loss, dtype), fallbacks, float32=float32)


@pytest.mark.parametrize("loss", ["lsgan", "wgan"])
@pytest.mark.parametrize("act", [leaky, nn.Tanh])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_layers_are_autograds(variant: str, act: Act, loss: str) -> None:
    generator, critic = (network.double() for network in VARIANTS[variant](act))
    latent = torch.randn(7, 5).double()
    with torch.no_grad():
        real = torch.randn_like(copy.deepcopy(generator)(latent))
    assert_by_structure_as_by_autograd(GANObjective(generator, critic, LOSSES[loss]), real, latent, set())


DENSE: dict[str, Callable[[], tuple[nn.Module, nn.Module]]] = {
    "linear": lambda: (
        nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(2, 3), nn.Softplus(), nn.Linear(3, 1)),
    ),
    "convolutions": lambda: (
        nn.Sequential(nn.Linear(2, 4), nn.Unflatten(1, (1, 2, 2)), nn.ConvTranspose2d(1, 1, 2), nn.Tanh()),
        nn.Sequential(nn.Conv2d(1, 2, 2, 2, 1), nn.Softplus(), nn.Flatten(), nn.Linear(8, 1)),
    ),
}


@pytest.mark.parametrize("loss", ["lsgan", "minimax", "rpgan"])
@pytest.mark.parametrize("pair", DENSE)
def test_products_are_those_of_the_dense_hessian(pair: str, loss: str) -> None:
    """Of `torch.func.hessian`, which shares nothing with reverse-over-reverse differentiation."""
    generator, critic = (network.double() for network in DENSE[pair]())
    latent = torch.randn(4, 2).double()
    real = torch.randn_like(generator(latent)).detach()
    game = GANObjective(generator, critic, LOSSES[loss])
    x, y = list(generator.parameters()), list(critic.parameters())

    def losses(at_x: Tensor, at_y: Tensor) -> tuple[Tensor, ...]:
        D, G = named(critic, at_y), named(generator, at_x)
        fake = functional_call(generator, G, latent)
        value = game.loss(functional_call(critic, D, real), functional_call(critic, D, fake))
        return value if isinstance(value, tuple) else (value,)

    blocks = torch.func.hessian(losses, argnums=(0, 1))(flat(x), flat(y))
    found = game.on(real, latent).linearise(x, y)
    assert found is not None
    assert game.fallbacks == {}
    u, v = ([torch.randn_like(p) for p in player] for player in (x, y))
    assert error([flat(found.forward(u))], [blocks[-1][1][0] @ flat(u)]) < 1e-12
    assert error([flat(found.backward(v))], [blocks[0][0][1] @ flat(v)]) < 1e-12


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def named(network: nn.Module, vector: Tensor) -> dict[str, Tensor]:
    names, parameters = zip(*network.named_parameters(), strict=True)
    parts = vector.split([p.numel() for p in parameters])
    return {name: part.view(p.shape) for name, part, p in zip(names, parts, parameters, strict=True)}


@pytest.mark.parametrize("pair", ["the DCGAN", "ReLU | BatchNorm in training", "crops | means"])
@pytest.mark.parametrize("own", [torch.contiguous_format, torch.channels_last])
def test_memory_formats_change_no_number_and_stay_inside(
    pair: str, own: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, real, latent = made(pair, "minimax", torch.float32)
    game.generator.to(memory_format=own)
    game.discriminator.to(memory_format=own)
    twin = copy.deepcopy(game)
    x, y = list(game.generator.parameters()), list(game.discriminator.parameters())
    tx, ty = list(twin.generator.parameters()), list(twin.discriminator.parameters())
    found = game.on(real, latent).linearise(x, y)
    formats: list[tuple[int, ...]] = []
    monkeypatch.setattr(affine, "fast_format", lambda weight: (formats.append(weight.shape), weight)[1])
    plain = twin.on(real, latent).linearise(tx, ty)
    assert found is not None
    assert plain is not None
    assert any(len(shape) == 4 for shape in formats)
    u, v = [torch.randn_like(p) for p in x], [torch.randn_like(p) for p in y]
    for one, other, parameters in (
        (found.gradient_x, plain.gradient_x, x),
        (found.gradient_y, plain.gradient_y, y),
        (found.forward(u), plain.forward(u), y),
        (found.backward(v), plain.backward(v), x),
    ):
        assert error(one, other) < 1e-6
        for part, parameter in zip(one, parameters, strict=True):
            assert part.is_contiguous(memory_format=own if parameter.dim() == 4 else torch.contiguous_format)


@pytest.mark.parametrize("pair", ["the DCGAN", "crops | means"])
def test_piecewise_linear_critics_take_the_fast_way(pair: str) -> None:
    game, _, latent = made(pair, "minimax", torch.float32)
    critic = game.linearised_discriminator(game.generator(latent), list(game.discriminator.parameters()))
    assert isinstance(critic, LinearisedNetwork)
    assert ScoreCurvature(critic, *derivatives(lambda scores: scores.square().mean(), critic.output)).fast


def _close(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(one.buffers(), other.buffers(), strict=True))


@pytest.mark.parametrize("loss", ["minimax", "non-saturating", "wgan"])
@pytest.mark.parametrize("optimizer", [CGD, ACGD])
def test_a_step_by_structure_is_a_step_by_autograd(optimizer: type, loss: str) -> None:
    game, real, latent = made("ReLU, BatchNorm | LeakyReLU", loss, torch.float64)
    twin = copy.deepcopy(game)
    opts = [
        optimizer(g.generator.parameters(), g.discriminator.parameters(), lr=1e-2, rtol=1e-12)
        for g in (game, twin)
    ]
    for _ in range(3):
        structured, plain = game.on(real, latent), twin.on(real, latent)
        opts[0].step(structured)
        opts[1].step(lambda plain=plain: plain())
        assert opts[0].last_step.converged
    for one, other in zip(opts[0].players, opts[1].players, strict=True):
        assert error([p.detach() for p in one], [p.detach() for p in other]) < 1e-8


def test_running_statistics_advance_once_a_step() -> None:
    game, real, latent = made("ReLU | BatchNorm in training", "wgan", torch.float64)
    twin = copy.deepcopy(game)
    opt = ACGD(game.generator.parameters(), game.discriminator.parameters(), lr=1e-3, max_iter=5)
    opt.step(game.on(real, latent))
    assert opt.last_step.iterations > 1
    twin.on(real, latent)()
    assert _close(game.generator, twin.generator)
    assert _close(game.discriminator, twin.discriminator)


def test_a_loss_that_is_not_separable_is_left_to_autograd() -> None:
    class Paired:
        def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
            return functional.softplus(fake_scores - real_scores).mean()

    generator, discriminator = build_pair((2,), dim=6, latent=5, seed=0)
    game = GANObjective(generator, discriminator, Paired())  # type: ignore[arg-type]
    assert "Paired" in game.fallbacks["loss"]
    opt = ACGD(generator.parameters(), discriminator.parameters(), lr=1e-3)
    opt.step(game.on(torch.randn(8, 2), torch.randn(8, 5)))
    assert opt.last_step.products == 2 * opt.last_step.iterations + 1


def test_frozen_parameters_and_parameters_of_neither_network_take_zeros() -> None:
    game, real, latent = made("MLPs", "minimax", torch.float64)
    next(game.discriminator.parameters()).requires_grad_(False)
    stray = nn.Parameter(torch.ones(3, dtype=torch.float64))
    opt = CGD([*game.generator.parameters(), stray], game.discriminator.parameters(), lr=1e-2)
    before = next(game.discriminator.parameters()).clone()
    opt.step(game.on(real, latent))
    assert torch.equal(stray, torch.ones(3, dtype=torch.float64))
    assert torch.equal(next(game.discriminator.parameters()), before)


def players(game: GANObjective) -> list[list[nn.Parameter]]:
    networks = game.generator, game.discriminator
    return [[p for p in network.parameters() if p.requires_grad] for network in networks]


def assert_autograds(game: GANObjective, real: Tensor, latent: Tensor) -> None:
    twin = copy.deepcopy(game)
    x, y = players(game)
    tx, ty = players(twin)
    found = game.on(real, latent).linearise(x, y)
    assert found is not None
    expected = linearise(twin.on(real, latent)(), tx, ty)
    assert error(found.gradient_x, expected.gradient_x) < 1e-12
    assert error(found.gradient_y, expected.gradient_y) < 1e-12
    u, v = [torch.randn_like(p) for p in x], [torch.randn_like(p) for p in y]
    assert error(found.forward(u), expected.forward(u)) < 1e-12
    assert error(found.backward(v), expected.backward(v)) < 1e-12
    assert _close(game.discriminator, twin.discriminator)


@pytest.mark.parametrize("loss", ["minimax", "non-saturating", "rpgan", "wgan"])
@pytest.mark.parametrize("critic", CRITICS)
def test_unusual_critics_have_autograds_numbers(critic: str, loss: str) -> None:
    torch.manual_seed(0)
    game, real, latent = of_critic(CRITICS[critic](), loss)
    assert_autograds(game, real, latent)
    assert set(game.fallbacks) == ({"discriminator"} if critic in REASONS else set()), game.fallbacks
    assert REASONS.get(critic, "") in game.fallbacks.get("discriminator", "")


@pytest.mark.parametrize("loss", ["minimax", "rpgan"])
@pytest.mark.parametrize("kind", [Undifferentiable, Unused])
def test_a_generator_that_has_no_gradient_stays(kind: type[nn.Module], loss: str) -> None:
    torch.manual_seed(0)
    game, real, latent = of_critic(twice(), loss)
    game.generator = kind(5, 2).double()
    assert_autograds(game, real, latent)
    assert set(game.fallbacks) == {"generator"}


@pytest.mark.parametrize("half", ["original0", "original1"])
def test_half_of_a_generators_weight_norm_may_be_frozen(half: str) -> None:
    torch.manual_seed(0)
    game, real, latent = of_critic(twice(), "minimax")
    game.generator = half_frozen(half, 5, 2).double()
    assert_autograds(game, real, latent)
    assert game.fallbacks == {}


def test_a_weight_computed_from_a_stranger_is_left_to_autograd() -> None:
    torch.manual_seed(0)
    game, real, latent = of_critic(nn.Sequential(nn.Linear(2, 6), *tied()[2:]), "minimax")
    assert_autograds(game, real, latent)
    assert "no parameters of the network" in game.fallbacks["discriminator"]


def test_a_loss_that_reads_a_parameter_is_left_to_autograd() -> None:
    """Through it the players meet outside of the images."""

    class Scaled(Minimax):
        def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
            scale = game.discriminator[0].bias.sum()
            return super().__call__(scale * real_scores, scale * fake_scores)

    torch.manual_seed(0)
    game, real, latent = of_critic(nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1)), "minimax")
    game = GANObjective(game.generator, game.discriminator, Scaled())
    assert game.on(real, latent).linearise(*players(game)) is None
    assert "reads parameters" in game.fallbacks["loss"]


def test_a_network_may_change_between_steps() -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 6), leaky(), nn.Dropout(0.5).eval(), nn.Linear(6, 1))
    game, real, latent = of_critic(critic, "minimax")
    assert_autograds(game, real, latent)
    critic[1] = nn.Tanh()
    assert_autograds(game, real, latent)
    critic[0].register_forward_hook(lambda module, given, out: 2 * out)
    assert_autograds(game, real, latent)
    assert set(game.fallbacks) == {"discriminator"}


def test_autocast_is_left_to_autograd() -> None:
    game, real, latent = of_critic(twice(), "wgan")
    x, y = list(game.generator.parameters()), list(game.discriminator.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        assert game.on(real, latent).linearise(x, y) is None
    assert set(game.fallbacks) == {"autocast"}
    assert game.on(real, latent).linearise(x, y) is not None
    assert game.fallbacks == {}


@pytest.mark.parametrize("frozen", ["generator", "discriminator"])
def test_a_player_frozen_as_a_whole_stays_while_the_other_moves(frozen: str) -> None:
    critic = nn.Sequential(nn.Linear(2, 6), Opaque(6), nn.Linear(6, 1))
    game, real, latent = of_critic(critic, "minimax")
    opt = ACGD(game.generator.parameters(), game.discriminator.parameters(), lr=1e-2)
    getattr(game, frozen).requires_grad_(False)
    before = copy.deepcopy(game)
    opt.step(game.on(real, latent))
    for name in ("generator", "discriminator"):
        moved = not all(
            map(torch.equal, getattr(game, name).parameters(), getattr(before, name).parameters())
        )
        assert moved == (name != frozen)
