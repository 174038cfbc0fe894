"""The structured mixed Hessian against autograd: every rule, every loss, both dtypes, every fallback."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD, CGD
from gamedyn.optimizers.closure import linearise

Act = Callable[[], nn.Module]
Norm = Callable[[int], nn.Module]


class Residual(nn.Module):
    """A residual block with function calls, a scalar factor and a skip connection."""

    def __init__(self, before: int, after: int, norm: Norm, act: Act) -> None:
        super().__init__()
        self.norm, self.act = norm(before), act()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(functional.leaky_relu(self.first(self.act(self.norm(x))), 0.1))
        return self.skip(x) + 0.5 * inner


def image_generator(act: Act = nn.ReLU, norm: Norm = nn.BatchNorm2d) -> nn.Module:
    return nn.Sequential(
        nn.Linear(5, 96), nn.BatchNorm1d(96), act(), nn.Unflatten(1, (6, 4, 4)),
        nn.ConvTranspose2d(6, 4, 4, 2, 1), norm(4), act(), nn.Upsample(scale_factor=2),
        Residual(4, 3, norm, act), nn.Conv2d(3, 3, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


def image_critic(act: Act, norm: Norm = lambda _: nn.Identity()) -> nn.Module:
    return nn.Sequential(
        nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(3, 4, 5, 2), act(), Residual(4, 6, norm, act),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(96, 1),
    )  # fmt: skip


def signal_generator() -> nn.Module:
    return nn.Sequential(
        nn.Linear(5, 16), nn.Softplus(2.0), nn.Unflatten(1, (4, 4)), nn.ConvTranspose1d(4, 3, 4, 2, 1),
        nn.BatchNorm1d(3), nn.Sigmoid(), nn.Conv1d(3, 2, 3, padding=1),
    )  # fmt: skip


def signal_critic() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.LeakyReLU(0.3), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(12, 1)
    )


def leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)


def group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(1 if channels % 2 else 2, channels)


def evaluated(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


PAIRS: dict[str, Callable[[], tuple[nn.Module, nn.Module]]] = {
    "ReLU, BatchNorm | LeakyReLU": lambda: (image_generator(), image_critic(leaky)),
    "softplus, GroupNorm | softplus": lambda: (
        image_generator(nn.Softplus, group_norm),
        image_critic(nn.Softplus),
    ),
    "tanh | tanh": lambda: (image_generator(nn.Tanh), image_critic(nn.Tanh)),
    "sigmoid | GroupNorm": lambda: (image_generator(nn.Sigmoid), image_critic(leaky, group_norm)),
    "ReLU | BatchNorm in training": lambda: (image_generator(), image_critic(nn.Sigmoid, nn.BatchNorm2d)),
    "evaluation | BatchNorm in evaluation": lambda: (
        evaluated(image_generator()),
        evaluated(image_critic(leaky, nn.BatchNorm2d)),
    ),
    "one dimension": lambda: (signal_generator(), signal_critic()),
    "the DCGAN": lambda: build_pair((3, 16, 16), dim=4, latent=5, seed=0),
    "MLPs": lambda: build_pair((2,), dim=6, latent=5, seed=0),
}


class Opaque(nn.Module):
    """A layer that no rule covers."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x * self.weight)


PAIRS["no rule | LeakyReLU"] = lambda: (
    nn.Sequential(nn.Linear(5, 6), Opaque(6), nn.Linear(6, 2)),
    nn.Sequential(nn.Linear(2, 6), leaky(), nn.Linear(6, 1)),
)
PAIRS["ReLU | no rule"] = lambda: (
    nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)),
    nn.Sequential(nn.Linear(2, 6), Opaque(6), nn.Linear(6, 1)),
)
FALLBACKS = {"no rule | LeakyReLU": {"generator"}, "ReLU | no rule": {"discriminator"}}


def made(pair: str, loss: str, dtype: torch.dtype) -> tuple[GANObjective, Tensor, Tensor]:
    torch.manual_seed(0)
    generator, discriminator = (network.to(dtype) for network in PAIRS[pair]())
    for parameter in [*generator.parameters(), *discriminator.parameters()]:
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    latent = torch.randn(7, 5, dtype=dtype)
    with torch.no_grad():
        real = torch.randn_like(copy.deepcopy(generator)(latent))
    return GANObjective(generator, discriminator, LOSSES[loss]), real, latent


def error(found: list[Tensor], expected: list[Tensor]) -> float:
    difference = sum(float((a - b).detach().square().sum()) for a, b in zip(found, expected, strict=True))
    return (difference / max(sum(float(b.detach().square().sum()) for b in expected), 1e-300)) ** 0.5


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_linearisation_is_autograds(pair: str, loss: str, dtype: torch.dtype) -> None:
    game, real, latent = made(pair, loss, dtype)
    twin = copy.deepcopy(game)
    x, y = list(game.generator.parameters()), list(game.discriminator.parameters())
    found = game.on(real, latent).linearise(x, y)
    assert found is not None
    assert set(game.fallbacks) == FALLBACKS.get(pair, set())
    tx, ty = list(twin.generator.parameters()), list(twin.discriminator.parameters())
    expected = linearise(twin.on(real, latent)(), tx, ty)
    bound = 1e-12 if dtype is torch.float64 else 2e-5
    for a, b in zip(torch.atleast_1d(found.losses), torch.atleast_1d(expected.losses), strict=True):
        torch.testing.assert_close(a, b, rtol=bound, atol=bound)
    assert error(found.gradient_x, expected.gradient_x) < bound
    assert error(found.gradient_y, expected.gradient_y) < bound
    u, v = [torch.randn_like(p) for p in x], [torch.randn_like(p) for p in y]
    assert error(found.forward(u), expected.forward(u)) < bound
    assert error(found.backward(v), expected.backward(v)) < bound


def _close(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(one.buffers(), other.buffers(), strict=True))


@pytest.mark.parametrize("loss", sorted(LOSSES))
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


class Body(nn.Module):
    """A network of two layers with a piece of code between them."""

    def __init__(self, code: Callable[[Tensor], Tensor], before: int = 2, after: int = 6) -> None:
        super().__init__()
        self.first, self.last, self.code = nn.Linear(before, 6), nn.Linear(after, 1), code

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.code(self.first(x)))


def hooked() -> nn.Module:
    layer = nn.Linear(2, 6)
    layer.register_forward_hook(lambda module, given, out: 2 * out)
    return nn.Sequential(layer, leaky(), nn.Linear(6, 1))


def overwriting(x: Tensor) -> Tensor:
    return functional.relu(x, inplace=True) + x


def viewed(x: Tensor) -> Tensor:
    return functional.relu(x.view(-1, 6), inplace=True) + x


CRITICS: dict[str, Callable[[], nn.Module]] = {
    "hooks": hooked,
    "parametrised": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(2, 6)), leaky(), nn.Linear(6, 1)
    ),
    "computed weight": lambda: nn.Sequential(
        nn.utils.spectral_norm(nn.Linear(2, 6)).eval(), leaky(), nn.Linear(6, 1)
    ),
    "overwritten": lambda: Body(overwriting),
    "overwritten view": lambda: Body(viewed),
    "overwriting": lambda: Body(lambda x: functional.leaky_relu(x, 0.1, inplace=True)),
    "padding by ones": lambda: Body(lambda x: functional.pad(x, (1, 1), "constant", 1.0), after=8),
    "rounding": lambda: Body(lambda x: x + torch.div(x, 2, rounding_mode="floor")),
    "an unused layer": lambda: Body(lambda x: (torch.tanh(x), functional.relu(x))[1]),
    "a view as attribute": lambda: Body(lambda x: torch.tanh(x) + x.data),
    "a named input": lambda: Body(lambda x: functional.relu(input=x)),
    "samples shuffled": lambda: Body(lambda x: functional.relu(x[[1, 0, 2, 6, 5, 4, 3]])),
    "samples merged": lambda: Body(lambda x: functional.relu(x).view(-1, 3), after=3),
    "samples averaged": lambda: nn.Sequential(Body(lambda x: functional.relu(x).mean(0, keepdim=True))),
    "several scores": lambda: nn.Sequential(nn.Linear(2, 6), leaky(), nn.Linear(6, 3)),
    "BatchNorm, then no rule": lambda: nn.Sequential(
        nn.Linear(2, 6), nn.BatchNorm1d(6), Opaque(6), nn.Linear(6, 1)
    ),
    "called twice": lambda: twice(),
}


def twice() -> nn.Module:
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, leaky(), layer, leaky(), nn.Linear(2, 1), nn.Unflatten(1, (1, 1, 1)))


def assert_autograds(game: GANObjective, real: Tensor, latent: Tensor) -> None:
    twin = copy.deepcopy(game)
    x, y = list(game.generator.parameters()), list(game.discriminator.parameters())
    tx, ty = list(twin.generator.parameters()), list(twin.discriminator.parameters())
    found = game.on(real, latent).linearise(x, y)
    assert found is not None
    expected = linearise(twin.on(real, latent)(), tx, ty)
    assert error(found.gradient_x, expected.gradient_x) < 1e-12
    assert error(found.gradient_y, expected.gradient_y) < 1e-12
    u, v = [torch.randn_like(p) for p in x], [torch.randn_like(p) for p in y]
    assert error(found.forward(u), expected.forward(u)) < 1e-12
    assert error(found.backward(v), expected.backward(v)) < 1e-12
    assert _close(game.discriminator, twin.discriminator)


def of_critic(critic: nn.Module, loss: str) -> tuple[GANObjective, Tensor, Tensor]:
    generator = nn.Sequential(nn.Linear(5, 6), nn.ReLU(inplace=True), nn.Linear(6, 2))
    game = GANObjective(generator.double(), critic.double(), LOSSES[loss])
    return game, torch.randn(7, 2).double(), torch.randn(7, 5).double()


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("critic", CRITICS)
def test_unusual_critics_have_autograds_numbers(critic: str, loss: str) -> None:
    torch.manual_seed(0)
    assert_autograds(*of_critic(CRITICS[critic](), loss))


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


class Quietly(nn.Module):
    """A layer with a context that a symbolic trace does not record."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.first(x)
        return self.second(x)


class Decorated(nn.Module):
    """A forward pass whose decorator enters a context."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 2)

    @torch.enable_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


@pytest.mark.parametrize("layer", [Quietly, Decorated])
def test_contexts_inside_a_network_fall_back(layer: type[nn.Module]) -> None:
    torch.manual_seed(0)
    generator, critic = layer(), nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    game = GANObjective(generator, critic, LOSSES["wgan"])
    real, latent = torch.randn(6, 2), torch.randn(6, 5)
    x, y = list(generator.parameters()), list(critic.parameters())
    found, expected = game.on(real, latent).linearise(x, y), linearise(game.on(real, latent)(), x, y)
    assert "context" in game.fallbacks["generator"]
    assert found is not None
    assert error(found.gradient_x, expected.gradient_x) < 1e-5
