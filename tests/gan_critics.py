"""Discriminators that structured curvature covers against expectation, or refuses, and why."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType

import torch
from gan_games import Opaque, leaky
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.losses import LOSSES
from gamedyn.gan.objective import GANObjective


class Body(nn.Module):
    """A network of two layers with a piece of code between them."""

    def __init__(self, code: Callable[[Tensor], Tensor], before: int = 2, after: int = 6) -> None:
        super().__init__()
        self.first, self.last, self.code = nn.Linear(before, 6), nn.Linear(after, 1), code

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.code(self.first(x)))


class Undifferentiable(nn.Module):
    """A layer that is run without a graph."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layer = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.layer(x)


class Unused(nn.Module):
    """A frozen network that no rule covers, and a parameter that nothing reads."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(before, 6), Opaque(6), nn.Linear(6, after))
        self.layers.requires_grad_(False)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def hooked() -> nn.Module:
    layer = nn.Linear(2, 6)
    layer.register_forward_hook(lambda module, given, out: 2 * out)
    return nn.Sequential(layer, leaky(), nn.Linear(6, 1))


def overwriting(x: Tensor) -> Tensor:
    return functional.relu(x, inplace=True) + x


def viewed(x: Tensor) -> Tensor:
    return functional.relu(x.view(-1, 6), inplace=True) + x


def shifted(x: Tensor) -> Tensor:
    old = x
    x += 1.0
    x -= torch.tanh(x).sum(1, keepdim=True)
    return functional.relu(x) + old


def doubled(x: Tensor) -> Tensor:
    old = x
    x *= 2.0
    return functional.relu(x) + old


def halved(x: Tensor) -> Tensor:
    view = x.unsqueeze(1)
    x /= 2.0
    return functional.relu(x) + view[:, 0]


def skipping(x: Tensor) -> Tensor:
    old = x
    x += torch.tanh(x)
    x = 0.5 * functional.relu(x)
    x += old
    return x


def assigned(x: Tensor) -> Tensor:
    """Augmented assignments that nobody else sees."""
    sizes = x.shape
    x += torch.tanh(x)
    x *= 0.5
    x = x.view(sizes[0], 2, 3)
    x -= 0.1
    x = (2.0 * torch.sigmoid(x.flatten(1))).add_(x.reshape(-1, 6))
    x /= 2.0
    return x


class Transposed(nn.Module):
    """Adds another layer's weight, which it does not own."""

    def __init__(self, other: nn.Linear) -> None:
        super().__init__()
        self.other = [other]

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.other[0].weight.T


def tied() -> nn.Module:
    first, second = nn.Linear(2, 6), nn.Linear(6, 2)
    nn.utils.parametrize.register_parametrization(second, "weight", Transposed(first))
    return nn.Sequential(first, leaky(), second, leaky(), nn.Linear(2, 1))


def half_frozen(half: str, before: int = 2, after: int = 1) -> nn.Module:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(before, 6))
    getattr(layer.parametrizations.weight, half).requires_grad_(False)
    return nn.Sequential(layer, leaky(), nn.Linear(6, after))


CRITICS: dict[str, Callable[[], nn.Module]] = {
    "hooks": hooked,
    "parametrised": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(2, 6)), leaky(), nn.Linear(6, 1)
    ),
    "frozen length": lambda: half_frozen("original0"),
    "frozen direction": lambda: half_frozen("original1"),
    "tied to another layer": lambda: tied(),
    "computed weight": lambda: nn.Sequential(
        nn.utils.spectral_norm(nn.Linear(2, 6)).eval(), leaky(), nn.Linear(6, 1)
    ),
    "overwritten": lambda: Body(overwriting),
    "overwritten view": lambda: Body(viewed),
    "shifted": lambda: Body(shifted),
    "doubled": lambda: Body(doubled),
    "halved view": lambda: Body(halved),
    "skipping": lambda: Body(skipping),
    "assigned": lambda: Body(assigned),
    "overwriting": lambda: Body(lambda x: functional.leaky_relu(x, 0.1, inplace=True)),
    "padding by ones": lambda: Body(lambda x: functional.pad(x, (1, 1), "constant", 1.0), after=8),
    "rounding": lambda: Body(lambda x: x + torch.div(x, 2, rounding_mode="floor")),
    "an unused layer": lambda: Body(lambda x: (torch.tanh(x), functional.relu(x))[1]),
    "a view as attribute": lambda: Body(lambda x: torch.tanh(x) + x.data),
    "a named input": lambda: Body(lambda x: functional.relu(input=x)),
    "samples shuffled": lambda: Body(lambda x: functional.relu(x[[1, 0, 2, 6, 5, 4, 3]])),
    "samples merged": lambda: Body(lambda x: functional.relu(x).view(-1, 3), after=3),
    "samples averaged": lambda: nn.Sequential(Body(lambda x: functional.relu(x).mean(0, keepdim=True))),
    "several scores": lambda: nn.Sequential(
        nn.Linear(2, 6), leaky(), nn.Linear(6, 3), nn.Unflatten(1, (1, 3))
    ),
    "BatchNorm, then no rule": lambda: nn.Sequential(
        nn.Linear(2, 6), nn.BatchNorm1d(6), Opaque(6), nn.Linear(6, 1)
    ),
    "samples without channels": lambda: nn.Sequential(
        nn.Linear(2, 6), nn.Unflatten(1, (2, 3)), nn.MaxPool2d((1, 3)), nn.Flatten(), nn.Linear(2, 1)
    ),
    "nothing to differentiate": lambda: Undifferentiable(2, 1),
    "an unused parameter": lambda: Unused(2, 1),
    "called twice": lambda: twice(),
    "a container's own code": lambda: reordered(),
}
REASONS = {
    "hooks": "has hooks",
    "computed weight": "has hooks",
    **dict.fromkeys(
        ["overwritten", "overwritten view", "shifted", "doubled", "halved view", "skipping"], "overwrites"
    ),
    "padding by ones": "anything but zeros",
    "rounding": "no rule for div",
    "an unused layer": "not its last layer's",
    "a view as attribute": "the attribute data",
    "samples without channels": "without a batch axis",
    "nothing to differentiate": "context",
    "an unused parameter": "the attribute 0.layers.1.weight",
    "BatchNorm, then no rule": "the attribute 0.2.weight",
}
"""Why the discriminator falls back, where it does."""


def reordered() -> nn.Module:
    layers = nn.Sequential(nn.Linear(2, 6), nn.Linear(6, 1), leaky())
    layers.forward = MethodType(lambda self, x: self[1](self[2](self[0](x))), layers)
    return nn.Sequential(layers, nn.Flatten())


def twice() -> nn.Module:
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, leaky(), layer, leaky(), nn.Linear(2, 1), nn.Unflatten(1, (1, 1, 1)))


def of_critic(critic: nn.Module, loss: str) -> tuple[GANObjective, Tensor, Tensor]:
    generator = nn.Sequential(nn.Linear(5, 6), nn.ReLU(inplace=True), nn.Linear(6, 2))
    game = GANObjective(generator.double(), critic.double(), LOSSES[loss])
    return game, torch.randn(7, 2).double(), torch.randn(7, 5).double()
