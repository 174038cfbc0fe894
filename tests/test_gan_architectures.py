"""The papers' architectures: layer lists, parameter counts, names and refusals."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import astuple, fields
from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn import functional

from gamedyn.gan.architectures import ARCHITECTURES, ArchitectureName, architecture_for, critic_norm_for
from gamedyn.gan.models import ChannelLayerNorm, build_pair
from gamedyn.gan.models.activations import Gated, ShiftedSoftplus
from gamedyn.gan.models.bottleneck import Bottleneck, BottleneckDiscriminator, BottleneckGenerator
from gamedyn.gan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gamedyn.gan.random_architectures import DEPTHS, FILTERS, NONLINEARITIES, random_architecture

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
IMAGES = [name for name, known in ARCHITECTURES.items() if not known.points]
CRITICS = [name for name in IMAGES if ARCHITECTURES[name].choosable]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def convolution(inputs: int, outputs: int, size: int) -> int:
    return inputs * outputs * size**2 + outputs


def kinds(network: nn.Module, *of: type[nn.Module]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, of)]


def test_the_64_pixel_dcgan_has_the_released_layers() -> None:
    generator, discriminator = build_pair((3, 64, 64), dim=64, latent=128, seed=0, critic_norm="batch")
    widths = [512, 256, 128, 64]
    norms = 2 * sum(widths)
    up = sum(convolution(a, b, 5) for a, b in zip(widths, [*widths[1:], 3], strict=True))
    assert count(generator) == linear(128, 4 * 4 * 512) + norms + up
    down = sum(convolution(a, b, 5) for a, b in zip([3, 64, 128, 256], [64, 128, 256, 512], strict=True))
    assert count(discriminator) == down + 2 * (128 + 256 + 512) + linear(4 * 4 * 512, 1)


def test_the_icr_dcgan_has_the_released_layers() -> None:
    generator, critic = build_pair((3, 32, 32), dim=64, latent=128, seed=0, architecture="icr-dcgan")
    assert (count(generator), count(critic)) == (1_195_587, 662_977)  # as its repository's
    up = kinds(generator, nn.ConvTranspose2d)
    assert [(c.in_channels, c.out_channels) for c in up] == [(256, 128), (128, 64), (64, 3)]
    down = kinds(critic, nn.Conv2d)
    assert [(c.in_channels, c.out_channels) for c in down] == [(3, 64), (64, 128), (128, 256)]
    assert {(c.kernel_size, c.stride) for c in (*up, *down)} == {((4, 4), (2, 2))}
    assert {layer.negative_slope for layer in kinds(critic, nn.LeakyReLU)} == {0.01}
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(
        critic.convolutions[0](functional.pad(images, critic.padding)),
        functional.conv2d(images, down[0].weight, down[0].bias, stride=2, padding=1),
    )
    assert generator(torch.randn(2, 128)).shape == images.shape


def test_the_cifar_resnet_has_the_released_layers() -> None:
    generator, discriminator = build_pair((3, 32, 32), dim=128, latent=128, seed=0, architecture="resnet")
    block = 2 * convolution(128, 128, 3) + convolution(128, 128, 1)
    up = linear(128, 2048) + 3 * (block + 4 * 128) + 2 * 128 + convolution(128, 3, 3)
    first = convolution(3, 128, 3) + convolution(128, 128, 3) + convolution(3, 128, 1)
    down = first + block + 4 * convolution(128, 128, 3) + linear(128, 1)
    assert (count(generator), count(discriminator)) == (up, down) == (1_204_483, 1_053_825)
    pair = build_pair((3, 32, 32), dim=128, latent=128, seed=0, architecture="conditional-resnet", classes=10)
    # ten gains and offsets for one, in two norms of three blocks; a second head
    conditional = (up + 3 * 2 * 2 * 9 * 128, down + linear(128, 10))
    assert (count(pair[0]), count(pair[1])) == conditional == (1_218_307, 1_055_115)


@pytest.mark.parametrize(("size", "widths"), [(64, (512, 32)), (32, (256, 32)), (8, (128, 32))])
def test_the_deep_resnet_has_101_layers_at_every_size(size: int, widths: tuple[int, int]) -> None:
    base = 4 if size > 8 else 2
    for network in (BottleneckGenerator(size=size, base=base), BottleneckDiscriminator(size=size, base=base)):
        trunk = [
            layer
            for name, layer in network.named_modules()
            if isinstance(layer, WEIGHTED) and "shortcut" not in name
        ]
        assert len(trunk) == 101
        channels = [layer.conv3.out_channels for layer in kinds(network, Bottleneck)]
        assert {channels[0], channels[-1]} == set(widths)
        assert all(layer.conv3.bias is None for layer in kinds(network, Bottleneck))


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("name", IMAGES)
def test_every_architecture_fits_every_size(name: str, size: int) -> None:
    generator, discriminator = build_pair(
        (1, size, size), dim=4, latent=5, seed=0, architecture=name, index=3, classes=7
    )
    draw = torch.Generator().manual_seed(0)
    latent = torch.randn(2, 5, generator=draw)
    labels = torch.tensor([2, 6])
    conditional = ARCHITECTURES[architecture_for((1, size, size), name)].conditional
    with torch.no_grad():
        fake = generator(latent, labels) if conditional else generator(latent)
        scores = discriminator(fake)
    if conditional:
        scores, logits = scores
        assert logits.shape == (2, 7)
        assert generator.classes == discriminator.classes == 7
    assert fake.shape == (2, 1, size, size)
    assert float(fake.abs().max()) <= 1.0
    assert scores.shape == (2,)


def test_variants_differ_from_the_dcgan_as_they_say() -> None:
    pairs = {
        name: build_pair((3, 64, 64), dim=8, latent=5, seed=0, architecture=name)
        for name in ("constant-filters", "mlp-generator", "no-norm", "gated", "tanh")
    }
    constant = pairs["constant-filters"][0]
    assert {layer.in_channels for layer in kinds(constant, nn.ConvTranspose2d)} == {8}
    layers = kinds(pairs["mlp-generator"][0], nn.Linear)
    assert [layer.out_features for layer in layers] == [64] * 4 + [3 * 64 * 64]
    for network in (constant, *pairs["no-norm"]):
        assert not kinds(network, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, ChannelLayerNorm)
    for name, own in (("gated", Gated), ("tanh", nn.Tanh)):
        for network in pairs[name]:
            assert kinds(network, own)
            assert not kinds(network, nn.ReLU, nn.LeakyReLU)
    widths = [layer.out_channels for layer in kinds(pairs["gated"][1], nn.Conv2d)]
    assert widths == [16, 32, 64, 128]
    # the code at 64x64 normalises maps, at 32x32 features
    assert kinds(pairs["tanh"][0], nn.BatchNorm2d)[0].num_features == 64
    assert not kinds(pairs["tanh"][0], nn.BatchNorm1d)
    assert kinds(build_pair((3, 32, 32), dim=8, latent=5, seed=0)[0], nn.BatchNorm1d)


@pytest.mark.parametrize(
    ("norm", "kind"), [("batch", nn.BatchNorm2d), ("group", nn.GroupNorm), ("layer", ChannelLayerNorm)]
)
@pytest.mark.parametrize("name", CRITICS)
def test_critics_are_normalised_as_asked(name: str, norm: str, kind: type[nn.Module]) -> None:
    every = (nn.BatchNorm2d, nn.GroupNorm, ChannelLayerNorm)
    index = next(i for i in range(20) if random_architecture(i).critic_norm)
    kwargs = {"dim": 8, "latent": 5, "seed": 0, "architecture": name, "index": index, "classes": 3}
    _, critic = build_pair((3, 32, 32), **kwargs, critic_norm=norm)
    assert kinds(critic, kind)
    assert len(kinds(critic, kind)) == len(kinds(critic, *every))
    first = next(layer for layer in critic.modules() if isinstance(layer, (nn.Conv2d, *every)))
    assert isinstance(first, nn.Conv2d)  # the images themselves are not normalised
    assert not kinds(build_pair((3, 32, 32), **kwargs, critic_norm="none")[1], *every)
    own = kinds(build_pair((3, 32, 32), **kwargs)[1], *every)
    assert bool(own) == (critic_norm_for(architecture_for((3, 32, 32), name), index=index) == "batch")


def test_a_random_critic_without_normalisation_keeps_none() -> None:
    index = next(i for i in range(20) if not random_architecture(i).critic_norm)
    assert critic_norm_for("random", "layer", index=index) == critic_norm_for("random", index=index) == "none"


def test_names_are_those_of_the_settings() -> None:
    assert list(ARCHITECTURES) == list(get_args(ArchitectureName))


@pytest.mark.parametrize(
    ("shape", "kwargs", "message"),
    [
        ((3, 32, 32), {"architecture": "vgg"}, "'vgg'.*"),
        ((3, 32, 32), {"architecture": "mlp"}, "'mlp' does not fit images"),
        ((2,), {"architecture": "resnet"}, "'resnet' does not fit points"),
        ((3, 32, 32), {"architecture": "conditional-resnet"}, "labelled data.*these have 0"),
        ((3, 32, 32), {"architecture": "no-norm", "critic_norm": "batch"}, "'batch' does not go with"),
        ((3, 32, 32), {"critic_norm": "instance"}, "'instance'"),
        ((3, 32, 32), {"architecture": "random", "index": -1}, "-1"),
        ((3, 32, 32), {"architecture": "resnet101", "dim": 6}, "multiple of 4.*6"),
        ((3, 32, 32), {"dropout": 1.0}, "dropout.*1.0"),
        ((3, 28, 28), {"architecture": "resnet"}, "28x28"),
    ],
)
def test_what_cannot_be_built_is_refused(
    shape: tuple[int, ...], kwargs: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_pair(shape, **{"dim": 8, "latent": 5, "seed": 0, **kwargs})


def test_classes_decide_what_a_conditional_generator_makes() -> None:
    generator, discriminator = build_pair(
        (3, 16, 16), dim=8, latent=5, seed=0, architecture="conditional-resnet", classes=3
    )
    for parameter in generator.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    latent = torch.randn(4, 5)
    one, same, other = (generator(latent, torch.full((4,), label)) for label in (0, 0, 2))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)
    with pytest.raises(ValueError, match="no labels"):
        generator(latent)
    scores, logits = discriminator(one)
    features = discriminator.features(one)
    torch.testing.assert_close(scores, discriminator.score(features)[:, 0])
    torch.testing.assert_close(logits, discriminator.classifier(features))


def test_random_architectures_are_known_by_their_index() -> None:
    pinned = {index: astuple(random_architecture(index)) for index in (0, 1, 199)}
    assert pinned == PINNED


PINNED = {
    0: ("softplus", "relu", 8, 4, True, False, 128, 64),
    1: ("relu", "tanh", 8, 20, False, False, 32, 128),
    199: ("relu", "tanh", 12, 12, False, False, 64, 128),
}


def test_random_architectures_are_drawn_uniformly() -> None:
    draws = [random_architecture(index) for index in range(2000)]
    choices = [NONLINEARITIES, NONLINEARITIES, DEPTHS, DEPTHS, (False, True), (False, True), FILTERS, FILTERS]
    for field, among in zip(fields(draws[0]), choices, strict=True):
        found = Counter(getattr(draw, field.name) for draw in draws)
        assert set(found) == set(among)
        share = 1 / len(among)
        bound = 4 * math.sqrt(share * (1 - share) * len(draws))  # four standard deviations
        assert all(abs(number - share * len(draws)) < bound for number in found.values())
    pairs = Counter((draw.generator_norm, draw.critic_norm) for draw in draws)
    assert all(abs(number - 500) < 4 * math.sqrt(2000 * 3 / 16) for number in pairs.values())


@pytest.mark.parametrize("index", range(12))
def test_random_networks_have_what_was_drawn(index: int) -> None:
    choice = random_architecture(index)
    generator, critic = build_pair((3, 32, 32), dim=16, latent=5, seed=0, architecture="random", index=index)
    assert len(kinds(generator, *WEIGHTED)) == choice.generator_depth
    assert len(kinds(critic, *WEIGHTED)) == choice.discriminator_depth
    assert bool(kinds(generator, nn.BatchNorm1d, nn.BatchNorm2d)) == choice.generator_norm
    assert bool(kinds(critic, nn.BatchNorm2d)) == choice.critic_norm
    assert kinds(generator, nn.ConvTranspose2d)[-1].in_channels == choice.generator_filters // 4
    assert kinds(critic, nn.Conv2d)[0].out_channels == choice.discriminator_filters // 4
    modules = {"relu": nn.ReLU, "leaky-relu": nn.LeakyReLU, "softplus": ShiftedSoftplus, "tanh": nn.Tanh}
    for network, name in (
        (generator, choice.generator_nonlinearity),
        (critic, choice.discriminator_nonlinearity),
    ):
        assert [kind for kind in modules if kinds(network, modules[kind])] == [name]


def largest(layer: nn.Module) -> float:
    weight = layer.weight.detach()
    if isinstance(layer, nn.ConvTranspose2d):
        weight = weight.transpose(0, 1)
    return float(torch.linalg.matrix_norm(weight.flatten(1), 2))


@pytest.mark.parametrize("name", [*IMAGES, "mlp"])
def test_spectral_norm_bounds_every_layer_of_the_discriminator(name: str) -> None:
    shape = (2,) if name == "mlp" else (3, 16, 16)
    generator, critic = build_pair(
        shape, dim=8, latent=5, seed=0, architecture=name, classes=3, spectral_norm=True
    )
    layers = kinds(critic, *WEIGHTED)
    assert layers
    for _ in range(60):  # of power iteration
        for layer in layers:
            layer.weight  # noqa: B018
    assert [largest(layer) for layer in layers] == pytest.approx([1.0] * len(layers), rel=2e-2)
    assert not any("parametrizations" in key for key in generator.state_dict())


@pytest.mark.parametrize("name", [*IMAGES, "mlp"])
def test_dropout_follows_every_nonlinearity_of_the_discriminator(name: str) -> None:
    shape = (2,) if name == "mlp" else (3, 16, 16)
    kwargs = {"dim": 8, "latent": 5, "seed": 0, "architecture": name, "classes": 3}
    plain, dropped = (build_pair(shape, **kwargs, dropout=p)[1] for p in (0.0, 0.5))
    acts = (nn.ReLU, nn.LeakyReLU, nn.Tanh, Gated, ShiftedSoftplus)
    drops = kinds(dropped, nn.Dropout if name == "mlp" else nn.Dropout2d)
    assert len(drops) == len(kinds(plain, *acts)) > 0
    assert plain.state_dict().keys() == dropped.state_dict().keys()
    x = torch.randn(6, *shape)
    first, second = (
        torch.cat([part.flatten() for part in (out if isinstance(out, tuple) else (out,))])
        for out in (dropped(x), dropped(x))
    )
    assert not torch.equal(first, second)
    plain.load_state_dict(dropped.state_dict())
    torch.testing.assert_close(*(network.eval()(x) for network in (plain, dropped)))


def test_further_convolutions_must_fit_the_stages() -> None:
    for network in (DCGANGenerator, DCGANDiscriminator):
        with pytest.raises(ValueError, match="3 numbers"):
            network(size=32, extra=(1, 2))
