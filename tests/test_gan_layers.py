"""What the networks are made of, against closed forms: norms, nonlinearities, blocks, initial weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from gamedyn.gan.config import resolve
from gamedyn.gan.models import ConditionalBatchNorm2d, add_dropout, add_spectral_norm, build_pair, initialise
from gamedyn.gan.models.activations import Gated, ShiftedSoftplus, activation
from gamedyn.gan.models.bottleneck import Bottleneck
from gamedyn.gan.models.normalisation import normalisation
from gamedyn.gan.models.resnet import ResidualBlock, ResNetDiscriminator, ResNetGenerator
from gamedyn.gan.penalties.slopes import misleading_layers
from gamedyn.gan.presets import PRESETS


def test_layer_norm_is_group_norm_of_one_group() -> None:
    x = torch.randn(3, 4, 5, 5, dtype=torch.float64)
    layer, group = (normalisation(kind, 4).double() for kind in ("layer", "group"))
    for network in (layer, group):
        network.weight.data = torch.arange(1.0, 5.0, dtype=torch.float64)
        network.bias.data = torch.arange(4.0, dtype=torch.float64)
    torch.testing.assert_close(layer(x), group(x), rtol=1e-12, atol=1e-12)
    normal = functional.layer_norm(x, x.shape[1:])
    torch.testing.assert_close(
        layer(x), normal * group.weight[:, None, None] + group.bias[:, None, None], rtol=1e-12, atol=1e-12
    )


def test_layer_norm_is_known_to_mislead_a_penaltys_curvature() -> None:
    for norm, found in (("layer", ["ChannelLayerNorm"]), ("group", []), ("batch", ["BatchNorm2d"])):
        assert misleading_layers(build_pair((3, 8, 8), dim=4, latent=5, seed=0, critic_norm=norm)[1]) == found


def third_derivative(norm: nn.Module, x: torch.Tensor, directions: torch.Tensor) -> float:
    value = norm(x).pow(3).sum()
    for direction in directions:
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        value = (gradient * direction).sum()
    return float(value.detach())


def test_group_norm_has_the_third_derivative_that_layer_norm_lacks() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    directions = torch.randn(3, 1, 2, 2, 2, dtype=torch.float64)

    def by_hand(value: torch.Tensor) -> torch.Tensor:
        centred = value - value.mean((1, 2, 3), keepdim=True)
        return centred / (centred.square().mean((1, 2, 3), keepdim=True) + 1e-5).sqrt()

    exact = third_derivative(by_hand, x, directions)  # type: ignore[arg-type]
    assert third_derivative(normalisation("group", 2).double(), x, directions) == pytest.approx(
        exact, rel=1e-9
    )
    # when this fails torch has mended it, and `group` need no longer stand in for `layer`
    wrong = third_derivative(normalisation("layer", 2).double(), x, directions)
    assert abs(wrong - exact) > 0.01 * abs(exact)


def test_nonlinearities_are_their_formulas() -> None:
    x = torch.randn(2, 6, 3, 3, dtype=torch.float64)
    gated = 1 / (1 + (-x[:, [0, 2, 4]]).exp()) * torch.tanh(x[:, [1, 3, 5]])
    torch.testing.assert_close(Gated()(x), gated, rtol=1e-12, atol=1e-12)
    softplus = torch.log1p((2 * x + 2).exp()) / 2 - 1
    torch.testing.assert_close(ShiftedSoftplus()(x), softplus, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(activation("leaky-relu")(x), torch.maximum(0.2 * x, x))
    with pytest.raises(ValueError, match="'elu'"):
        activation("elu")


def test_blocks_are_the_released_codes_functions() -> None:
    """The code resamples before the first convolution, and its shortcuts the other way round."""
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64)

    def upsample(value: torch.Tensor) -> torch.Tensor:
        return value.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def pool(value: torch.Tensor) -> torch.Tensor:
        return sum(value[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4

    up, down = (ResidualBlock(4, 3, resample=way).double() for way in ("up", "down"))
    relu = functional.relu
    expected = upsample(x)
    expected = up.shortcut(expected) + up.conv2(relu(up.conv1(upsample(relu(x)))))
    torch.testing.assert_close(up(x), expected, rtol=1e-12, atol=1e-12)
    expected = pool(down.shortcut(x)) + pool(down.conv2(relu(down.conv1(relu(x)))))
    torch.testing.assert_close(down(x), expected, rtol=1e-12, atol=1e-12)
    plain = ResidualBlock(4, 4).double()
    torch.testing.assert_close(plain(x), x + plain.conv2(relu(plain.conv1(relu(x)))), rtol=1e-12, atol=1e-12)


def test_bottlenecks_resample_by_adjoint_convolutions() -> None:
    up, down = Bottleneck(4, 8, resample="up").double(), Bottleneck(8, 4, resample="down").double()
    up.conv2.weight.data = down.conv2.weight.data
    up.conv2.bias.data.zero_()
    down.conv2.bias.data.zero_()
    small = torch.randn(1, 2, 3, 3, dtype=torch.float64)
    large = torch.randn(1, 4, 6, 6, dtype=torch.float64)
    raised = up.conv2(small)[:, :, :-1, :-1]
    lowered = down.conv2(functional.pad(large, (0, 1, 0, 1)))
    torch.testing.assert_close((raised * large).sum(), (small * lowered).sum(), rtol=1e-12, atol=1e-12)
    x = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    for block in (up, down, Bottleneck(4, 4).double()):
        block.norm.weight.data.zero_()  # then only the shortcut is left
        wide = x.repeat(1, 2, 2, 2) if block is down else x
        torch.testing.assert_close(block(wide), block.shortcut(wide))


def test_conditional_batch_norm_is_batch_norm_with_the_gain_of_each_class() -> None:
    torch.manual_seed(0)
    norm = ConditionalBatchNorm2d(3, classes=4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x, labels = torch.randn(5, 3, 2, 2), torch.tensor([3, 0, 0, 2, 3])
    out = norm(x, labels)
    for label in (0, 2, 3):
        plain = nn.BatchNorm2d(3)
        plain.weight.data, plain.bias.data = norm.weight.data[label], norm.bias.data[label]
        torch.testing.assert_close(out[labels == label], plain(x)[labels == label])
    torch.testing.assert_close(norm.norm.running_mean, plain.running_mean)


def test_dropout_drops_whole_channels_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    network = add_dropout(nn.Sequential(nn.Conv2d(1, 400, 1), nn.LeakyReLU(0.2)), 0.25)
    plain = network[1][0](network[0](torch.ones(1, 1, 2, 2)))
    ratio = (network(torch.ones(1, 1, 2, 2)) / plain).detach()[0].flatten(1)
    assert torch.equal(ratio.amin(1), ratio.amax(1))
    assert torch.equal(ratio > 0, (ratio - 1 / 0.75).abs() < 1e-6)
    assert float((ratio == 0).float().mean()) == pytest.approx(0.25, abs=0.09)


@pytest.mark.parametrize(
    ("scheme", "deviation"), [("uniform", 0.02), ("normal", 0.02), ("icr", 0.01), ("icr-adam", 0.005)]
)
def test_schemes_have_their_standard_deviation(scheme: str, deviation: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(16, 32, 5), nn.ConvTranspose2d(32, 16, 5), nn.Linear(200, 300))
    initialise(network, scheme)
    for layer in network:
        weight = layer.weight.detach()
        expected = 1 / math.sqrt(3 * 200) if "icr" in scheme and isinstance(layer, nn.Linear) else deviation
        assert float(weight.std()) == pytest.approx(expected, rel=0.03)
        bounded = float(weight.abs().max()) <= math.sqrt(3) * expected + 1e-6
        assert bounded == (scheme == "uniform" or expected != deviation)
        assert bool(layer.bias.any()) == ("icr" in scheme)


def test_shortcuts_outputs_and_mlps_have_their_own_variance() -> None:
    torch.manual_seed(0)
    generator, critic = (
        network(dim=64).requires_grad_(False) for network in (ResNetGenerator, ResNetDiscriminator)
    )
    usual, apart = generator.blocks[0].conv1.weight, generator.blocks[0].shortcut.weight
    assert float(usual.var()) == pytest.approx(4 / (2 * 64 * 9), rel=0.05)
    assert float(apart.var()) == pytest.approx(2 / (2 * 64), rel=0.05)
    assert float(generator.out.weight.var()) == pytest.approx(2 / (9 * (64 + 3)), rel=0.1)
    assert float(critic.blocks[1].shortcut.weight.var()) == pytest.approx(2 / (2 * 64), rel=0.05)
    perceptron, _ = build_pair((3, 16, 16), dim=16, latent=64, seed=0, architecture="mlp-generator")
    perceptron.requires_grad_(False)
    hidden = [layer for layer in perceptron.modules() if isinstance(layer, nn.Linear)]
    assert float(hidden[1].weight.var()) == pytest.approx(2 / 128, rel=0.05)
    assert float(hidden[-1].weight.var()) == pytest.approx(2 / (128 + 768), rel=0.05)


@pytest.mark.parametrize(
    ("preset", "generator", "discriminator"),
    [
        ("varied-dcgan", "uniform", "uniform"),
        ("varied-constant-filters", "tflib", "uniform"),
        ("varied-mlp-generator", "tflib", "uniform"),
        ("varied-no-norm", "uniform", "uniform"),
        ("varied-gated", "tflib", "tflib"),
        ("varied-tanh", "uniform", "uniform"),
        ("varied-resnet101", "tflib", "tflib"),
        ("lsgan", "uniform", "uniform"),
    ],
)
def test_the_varied_networks_start_as_in_the_papers_code(
    preset: str, generator: str, discriminator: str
) -> None:
    config = resolve(PRESETS[preset].config())

    def pair(init: str) -> tuple[nn.Module, nn.Module]:
        sizes = {"dim": 8, "latent": 16, "seed": 0, "init": init, "critic_norm": config.critic_norm}
        return build_pair((3, 64, 64), architecture=config.architecture, **sizes)

    # Every scheme draws as often, so that the weights themselves can be compared.
    wanted = pair(generator)[0], pair(discriminator)[1]
    for network, expected in zip(pair(str(config.init)), wanted, strict=True):
        weights = expected.state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_spectral_norm_on_a_layer_is_torchs() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3)
    weight = layer.weight.detach().clone()
    add_spectral_norm(nn.Sequential(layer))
    for _ in range(60):
        layer.weight  # noqa: B018
    layer.eval()
    ratio = weight / layer.weight.detach()
    assert float(ratio.std()) < 1e-4
    assert float(ratio.mean()) == pytest.approx(
        float(torch.linalg.matrix_norm(weight.flatten(1), 2)), rel=1e-3
    )
