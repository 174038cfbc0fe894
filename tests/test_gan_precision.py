"""Relaxed products: how far off they may be, and where they are the exact ones."""

from __future__ import annotations

import pytest
import torch
from gan_games import FALLBACKS, KINDS, PAIRS, error, made
from torch import Tensor, nn

from gamedyn.gan.curvature import precision
from gamedyn.gan.curvature.affine import Convolution
from gamedyn.gan.losses import LOSSES, Minimax
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD
from gamedyn.solvers import Linearisation


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with fast bfloat16: any CPU computes in it, if slowly."""
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)


def relaxed(game: GANObjective, real: Tensor, latent: Tensor, part: float = 1.0) -> Linearisation:
    again = GANObjective(
        game.generator, game.discriminator, game.loss, precision="relaxed", curvature_batch=part
    )
    found = again.on(real, latent).linearise(
        list(game.generator.parameters()), list(game.discriminator.parameters())
    )
    assert found is not None
    return found


def directions(game: GANObjective) -> tuple[list[Tensor], list[Tensor]]:
    torch.manual_seed(1)
    x, y = game.generator.parameters(), game.discriminator.parameters()
    return [torch.randn_like(p) for p in x], [torch.randn_like(p) for p in y]


def assert_near(found: Linearisation, game: GANObjective, bound: float) -> None:
    u, v = directions(game)
    assert found.relaxed is not None
    for near, exact, vector, parameters in (
        (found.relaxed[0], found.forward, u, game.discriminator.parameters()),
        (found.relaxed[1], found.backward, v, game.generator.parameters()),
    ):
        before = [part.clone() for part in exact(vector)]
        got = near(vector)
        assert 1e-4 < error(got, before) < bound
        assert all(map(torch.equal, exact(vector), before))  # the exact ones stay what they were
        for part, parameter in zip(got, parameters, strict=True):
            assert part.dtype is torch.float32
            assert part.is_contiguous() == parameter.is_contiguous()


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("part", [1.0, 0.5])
@pytest.mark.usefixtures("fast")
def test_relaxed_products_are_near(pair: str, loss: str, part: float) -> None:
    game, real, latent = made(pair, loss, torch.float32, batch=16)
    assert_near(relaxed(game, real, latent, part), game, 2e-2)


@pytest.mark.usefixtures("fast")
def test_where_scores_are_paired_the_images_alone_are_relaxed() -> None:
    game, real, latent = made("the DCGAN", "rpgan", torch.float32, batch=16)
    assert_near(relaxed(game, real, latent), game, 2e-2)


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.usefixtures("fast")
def test_they_are_nearer_with_the_dcgan_of_cifar10(loss: str) -> None:
    generator, critic = build_pair((3, 32, 32), dim=16, latent=128, seed=0)
    torch.manual_seed(0)
    game = GANObjective(generator, critic, LOSSES[loss])
    assert_near(relaxed(game, torch.randn(16, 3, 32, 32).tanh(), torch.randn(16, 128)), game, 1e-2)


@pytest.mark.usefixtures("fast")
def test_the_tape_is_cast_with_the_first_product_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    game, real, latent = made("sigmoid | GroupNorm", "non-saturating", torch.float32)
    casts: list[Tensor] = []
    once = precision.Cast.once
    monkeypatch.setattr(
        precision.Cast, "once", lambda self, tensor: (casts.append(tensor), once(self, tensor))[1]
    )
    found = relaxed(game, real, latent)
    u, v = directions(game)
    assert not casts
    assert found.relaxed is not None
    found.relaxed[0](u)
    found.relaxed[1](v)
    assert len({id(tensor) for tensor in casts}) == len(casts)
    casts.clear()
    found.relaxed[0](u)
    found.relaxed[1](v)
    assert len(casts) == len(u) + len(v) + 2  # the vectors, and the image between two networks


def test_they_are_exact_where_bfloat16_is_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    game, real, latent = made("MLPs", "minimax", torch.float32)
    for query in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, query, lambda: False, raising=False)
    assert not precision.has_fast_bfloat16(torch.device("cpu"))
    assert relaxed(game, real, latent).relaxed is None
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert precision.has_fast_bfloat16(torch.device("cpu")) == torch.backends.mkldnn.is_available()
    assert not precision.has_fast_bfloat16(torch.device("meta"))


@pytest.mark.usefixtures("fast")
def test_they_are_exact_for_float64_and_unless_asked_for() -> None:
    for dtype in (torch.float64, torch.float32):
        game, real, latent = made("MLPs", "minimax", dtype)
        relaxed_game = GANObjective(game.generator, game.discriminator, game.loss, precision="relaxed")
        assert relaxed_game.relaxed_dtype == (torch.bfloat16 if dtype is torch.float32 else None)
        assert (relaxed(game, real, latent).relaxed is None) == (dtype is torch.float64)
        assert game.relaxed_dtype is None
        found = game.on(real, latent).linearise(
            list(game.generator.parameters()), list(game.discriminator.parameters())
        )
        assert found is not None
        assert found.relaxed is None


@pytest.mark.parametrize("pair", FALLBACKS)
@pytest.mark.usefixtures("fast")
def test_what_autograd_computes_stays_exact(pair: str) -> None:
    game, real, latent = made(pair, "minimax", torch.float32)
    other = next(made(p, "minimax", torch.float32)[0] for p in FALLBACKS if p != pair)
    network = "generator" if FALLBACKS[pair] == {"generator"} else "discriminator"
    assert relaxed(game, real, latent).relaxed is not None
    setattr(other, network, getattr(game, network))  # now both
    assert relaxed(other, real, latent).relaxed is None


@pytest.mark.parametrize("loss", ["minimax", "non-saturating"])
@pytest.mark.usefixtures("fast")
def test_a_relaxed_step_meets_its_tolerance_by_exact_products(loss: str) -> None:
    moves = []
    for kind in ("float32", "relaxed"):
        generator, critic = build_pair((3, 16, 16), dim=8, latent=16, seed=0)
        game = GANObjective(generator, critic, LOSSES[loss], precision=kind)  # type: ignore[arg-type]
        players = [list(generator.parameters()), list(critic.parameters())]
        before = [parameter.clone() for parameter in [*players[0], *players[1]]]
        opt = ACGD(*players, lr=1e-3, rtol=1e-2, max_iter=100)
        torch.manual_seed(0)
        opt.step(game.on(torch.randn(16, 3, 16, 16).tanh(), torch.randn(16, 16)))
        assert opt.last_step.converged
        assert opt.last_step.residual <= 1e-2
        moves.append([p.detach() - b for p, b in zip([*players[0], *players[1]], before, strict=True)])
    assert 0.0 < error(moves[1], moves[0]) < 3e-2


@pytest.mark.parametrize("wrong", ["bfloat16", "", None, True])
def test_another_precision_is_named(wrong: object) -> None:
    with pytest.raises(ValueError, match=f"precision.*{wrong!r}"):
        GANObjective(nn.Linear(2, 2), nn.Linear(2, 1), Minimax(), precision=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [((5, 5), (2, 2), (0, 0), (1, 1)), ((3, 2), (1, 2), (1, 0), (2, 1)), ((1, 1), (1, 1), (0, 0), (1, 1))],
)
def test_the_ways_of_bfloat16_are_the_convolutions_own(
    transposed: bool,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> None:
    torch.manual_seed(0)
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = kind(3, 4, kernel, stride, padding, dilation=dilation).double()
    rule = Convolution(module)
    value = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    with torch.no_grad():
        out = rule.forward(value)
        bar = torch.randn_like(out)
        expected = rule.weight_adjoint(bar, value)
        small, large = (value, bar) if transposed else (bar, value)
        torch.testing.assert_close(rule._by_windows(small, large), expected, rtol=1e-12, atol=1e-12)
        if transposed:
            torch.testing.assert_close(
                rule._by_adjoint(value, module.weight, module.bias, out.shape[1:]),
                out,
                rtol=1e-12,
                atol=1e-12,
            )


@pytest.mark.parametrize("pair", ["the DCGAN", "ReLU, BatchNorm | LeakyReLU", "one dimension"])
def test_networks_in_bfloat16_are_linearised_in_it(pair: str) -> None:
    """Off the rounded networks by as much as autograd in bfloat16: 1 to 5 % (8 bits, through a BatchNorm)."""
    found = []
    for dtype in (torch.bfloat16, torch.float64):
        game, real, latent = made(pair, "minimax", torch.float32)
        networks = [network.bfloat16().to(dtype) for network in (game.generator, game.discriminator)]
        players = [list(network.parameters()) for network in networks]
        one = game.on(*(batch.bfloat16().to(dtype) for batch in (real, latent))).linearise(*players)
        assert one is not None
        assert game.fallbacks == {}
        torch.manual_seed(1)
        u, v = ([torch.randn_like(p, dtype=torch.float32).to(dtype) for p in own] for own in players)
        found.append([*one.gradient_x, *one.gradient_y, *one.forward(u), *one.backward(v)])
    assert all(tensor.dtype is torch.bfloat16 for tensor in found[0])
    assert error([tensor.double() for tensor in found[0]], found[1]) < 8e-2


def test_small_maps_take_the_matrix_product_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Convolution(nn.Conv2d(2, 3, 3))
    taken: list[torch.Size] = []
    monkeypatch.setattr(rule, "_by_windows", lambda small, large: taken.append(small.shape))
    with torch.no_grad():
        for dtype in (torch.float32, torch.bfloat16):
            for size in (6, 7):
                value = torch.randn(2, 2, size, size, dtype=dtype)
                rule.weight = rule.weight.to(dtype)
                rule.weight_adjoint(torch.randn(2, 3, size - 2, size - 2, dtype=dtype), value)
    assert taken == [(2, 3, 4, 4)]
