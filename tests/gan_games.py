"""GANs of every kind, and their structured curvature against autograd's."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models import MNISTDiscriminator, MNISTGenerator
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers.closure import linearise
from gamedyn.solvers import Linearisation

SEPARABLE = sorted(name for name, loss in LOSSES.items() if loss.separable)
KINDS = ["lsgan", "minimax", "wgan"]
"""One loss of each kind: general-sum and curved, zero-sum and curved, zero-sum and flat."""

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


class Cropping(nn.Module):
    """Convolutions between crops and pads of every notation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.ConvTranspose2d(3, 4, 3, 2), nn.Conv2d(4, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))[:, :, 1:, :-1]
        x = functional.pad(x, (1, -2, 0, 1))[..., 2:]
        x = functional.pad(self.second(x), pad=(1, 1))
        return x[:, :, ::2, 1:4]


class Pooling(nn.Module):
    """A critic of piecewise-linear layers and means over space."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 4, 2), nn.Conv2d(4, 5, 1), nn.Linear(5, 1)
        self.pool = nn.AdaptiveAvgPool2d((2, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.first(x), 0.2).permute(0, 1, 3, 2)
        x = self.pool(functional.leaky_relu(self.second(x), 0.2)).mean((2, -1))
        return self.last(x)[:, 0]


def weight_normalised(pair: tuple[nn.Module, nn.Module]) -> tuple[nn.Module, nn.Module]:
    """Compute some weights of the critic from a direction and a length each."""
    for layer in list(pair[1].modules())[::2]:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.utils.parametrizations.weight_norm(layer)
    return pair


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
    "crops | means": lambda: (
        nn.Sequential(nn.Linear(5, 48), leaky(), nn.Unflatten(1, (3, 4, 4)), Cropping()),
        Pooling(),
    ),
    "ReLU before BatchNorm | max pooling": lambda: (
        MNISTGenerator(dim=1, latent=5, init="tflib"),
        MNISTDiscriminator(dim=2, init="tflib"),
    ),
    "MLPs": lambda: build_pair((2,), dim=6, latent=5, seed=0),
    "gated | gated, spectral norm": lambda: build_pair(
        (3, 8, 8), dim=4, latent=5, seed=0, architecture="gated", spectral_norm=True
    ),
    "residual | residual, weight norm": lambda: weight_normalised(
        build_pair((3, 8, 8), dim=4, latent=5, seed=2, architecture="resnet")
    ),
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


def made(pair: str, loss: str, dtype: torch.dtype, batch: int = 7) -> tuple[GANObjective, Tensor, Tensor]:
    torch.manual_seed(0)
    generator, discriminator = (network.to(dtype) for network in PAIRS[pair]())
    for parameter in [*generator.parameters(), *discriminator.parameters()]:
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    latent = torch.randn(batch, 5, dtype=dtype)
    with torch.no_grad():
        real = torch.randn_like(copy.deepcopy(generator)(latent))
    return GANObjective(generator, discriminator, LOSSES[loss]), real, latent


def error(found: list[Tensor], expected: list[Tensor]) -> float:
    difference = sum(float((a - b).detach().square().sum()) for a, b in zip(found, expected, strict=True))
    return (difference / max(sum(float(b.detach().square().sum()) for b in expected), 1e-300)) ** 0.5


def assert_same_linearisation(found: Linearisation, expected: Linearisation, bound: float) -> None:
    """Check losses, both gradients and a product with either half of the mixed Hessian."""
    for a, b in zip(torch.atleast_1d(found.losses), torch.atleast_1d(expected.losses), strict=True):
        torch.testing.assert_close(a, b, rtol=bound, atol=bound)
    assert error(found.gradient_x, expected.gradient_x) < bound
    assert error(found.gradient_y, expected.gradient_y) < bound
    u, v = ([torch.randn_like(a) for a in gradient] for gradient in (found.gradient_x, found.gradient_y))
    assert error(found.forward(u), expected.forward(u)) < bound
    assert error(found.backward(v), expected.backward(v)) < bound


def assert_by_structure_as_by_autograd(
    game: GANObjective, real: Tensor, latent: Tensor, fallbacks: set[str], *, float32: float = 3e-6
) -> None:
    """Check a linearisation by structure against that of a copy by autograd: 1e-12, or a bound in float32.

    In float32 both are off from float64 by 0.3e-6 to 1.7e-6, and from each other by up to 1.6e-6.
    """
    twin, bound = copy.deepcopy(game), 1e-12 if real.dtype is torch.float64 else float32
    x, y = list(game.generator.parameters()), list(game.discriminator.parameters())
    torch.manual_seed(1)
    found = game.on(real, latent).linearise(x, y)
    assert found is not None
    assert set(game.fallbacks) == fallbacks
    tx, ty = list(twin.generator.parameters()), list(twin.discriminator.parameters())
    torch.manual_seed(1)
    expected = linearise(twin.on(real, latent)(), tx, ty)
    for name in ("generator", "discriminator"):
        for a, b in zip(getattr(game, name).buffers(), getattr(twin, name).buffers(), strict=True):
            torch.testing.assert_close(a, b, rtol=bound, atol=bound)
    assert_same_linearisation(found, expected, bound)
