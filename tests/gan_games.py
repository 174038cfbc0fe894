"""GANs of every kind that structured curvature covers or refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import MethodType

import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models import MNISTDiscriminator, MNISTGenerator
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers.closure import linearise

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
    for a, b in zip(torch.atleast_1d(found.losses), torch.atleast_1d(expected.losses), strict=True):
        torch.testing.assert_close(a, b, rtol=bound, atol=bound)
    assert error(found.gradient_x, expected.gradient_x) < bound
    assert error(found.gradient_y, expected.gradient_y) < bound
    u, v = [torch.randn_like(p) for p in x], [torch.randn_like(p) for p in y]
    assert error(found.forward(u), expected.forward(u)) < bound
    assert error(found.backward(v), expected.backward(v)) < bound


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
    "several scores": lambda: nn.Sequential(nn.Linear(2, 6), leaky(), nn.Linear(6, 3)),
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


def scored(shape: tuple[int, ...], *layers: nn.Module) -> nn.Module:
    """A critic of layers, of whatever size they make images."""
    features = nn.Sequential(*layers, nn.Flatten())
    with torch.no_grad():
        width = copy.deepcopy(features).eval()(torch.zeros(1, *shape)).shape[1]
    return nn.Sequential(features, nn.Linear(width, 1))


def functions(x: Tensor) -> Tensor:
    x = torch.unflatten(torch.relu(x), 1, (2, 3))
    x = torch.unsqueeze(torch.permute(torch.transpose(x, 1, 2), (0, 2, 1)), 1)
    x = functional.max_pool2d(x, 2, 1, padding=1)
    x = functional.interpolate(functional.dropout(x, 0.3), scale_factor=2)
    x = functional.avg_pool2d(x, 3, 2, padding=1, ceil_mode=True)
    x = torch.squeeze(torch.clone(functional.adaptive_avg_pool2d(x, (2, 4))), 1)
    x = functional.adaptive_avg_pool1d(functional.avg_pool1d(x, 2, padding=1), 3)
    x = torch.div(torch.mul(torch.sub(torch.add(x, 1.0), 0.5), 2.0), 3.0)
    x = torch.flatten(functional.tanh(x), 1) + torch.reshape(functional.sigmoid(x), (-1, 6))
    x = functional.softplus(functional.leaky_relu(x, negative_slope=0.1), beta=2.0)
    return torch.unsqueeze(torch.sum(x, 1), 1) + torch.mean(x, 1, keepdim=True)


def methods(x: Tensor) -> Tensor:
    x = x.relu().unflatten(1, (2, 3)).transpose(1, 2).contiguous().view(-1, 3, 2)
    x = 1.0 + (-x.clone()).add(0.5).sub(0.25).mul(2.0).div(3.0)
    x = (1.5 * x.sigmoid() - 0.5) / 2.0
    return (x.sum(2) + x.permute(0, 2, 1).mean(1)).unsqueeze(1).squeeze(1).reshape(-1, 3).flatten(1)


def points() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2))


VARIANTS: dict[str, Callable[[Act], tuple[nn.Module, nn.Module]]] = {
    "groups, dilation, output padding": lambda act: (
        nn.Sequential(
            *(nn.Linear(5, 36), nn.Unflatten(1, (4, 3, 3)), act()),
            nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=(1, 0), groups=2),
            *(act(), nn.ConvTranspose2d(6, 3, 3, dilation=(1, 2), bias=False)),
        ),
        scored(
            *((3, 8, 9), nn.Conv2d(3, 6, 3, padding=2, dilation=2, groups=3), act()),
            *(nn.Conv2d(6, 4, (3, 2), stride=(2, 3), padding=(1, 0), groups=2, bias=False), act()),
        ),
    ),
    "groups in one dimension": lambda act: (
        nn.Sequential(
            *(nn.Linear(5, 12), nn.Unflatten(1, (4, 3)), act()),
            nn.ConvTranspose1d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2),
        ),
        scored(
            *((4, 6), nn.Conv1d(4, 6, 3, padding=2, dilation=2, groups=2), act()),
            *(nn.AvgPool1d(3, 2, padding=1, ceil_mode=True), nn.AdaptiveAvgPool1d(3)),
        ),
    ),
    "norms without parameters or memory": lambda act: (
        nn.Sequential(
            *(nn.Linear(5, 12), nn.BatchNorm1d(12, affine=False), nn.Unflatten(1, (3, 2, 2))),
            *(nn.BatchNorm2d(3, momentum=None), act(), nn.Conv2d(3, 3, 1)),
            *(nn.BatchNorm2d(3, track_running_stats=False), nn.Tanh()),
        ),
        scored(
            *((3, 2, 2), nn.Conv2d(3, 4, 2, padding=1), nn.GroupNorm(2, 4, affine=False), act()),
            nn.BatchNorm2d(4, track_running_stats=False, affine=False).eval(),
        ),
    ),
    "pooling with padding and over the edge": lambda act: (
        nn.Sequential(nn.Linear(5, 48), nn.Unflatten(1, (3, 4, 4)), nn.Upsample(scale_factor=(1.5, 2))),
        scored(
            *((3, 6, 8), nn.Conv2d(3, 4, 3), act(), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)),
            *(nn.AvgPool2d(2, 1, padding=1, count_include_pad=False), nn.AdaptiveAvgPool2d((2, None))),
        ),
    ),
    "functions": lambda act: (points(), Body(functions, after=1)),
    "methods": lambda act: (points(), Body(methods, after=3)),
}
"""Settings of layers, and notations, that the games above leave out."""
