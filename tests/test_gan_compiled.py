"""Compiled products: the eager numbers, one compilation for all steps, and eager wherever it fails."""

from __future__ import annotations

import copy
import logging
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gan_critics import CRITICS, of_critic
from gan_games import FALLBACKS, PAIRS, error, made
from torch import Tensor, nn
from torch._dynamo.utils import counters

from gamedyn.gan.curvature import compiled, precision
from gamedyn.gan.curvature.contents import taken_apart
from gamedyn.gan.curvature.rule import LinearMap, UnsupportedError
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD, CGD
from gamedyn.solvers import Linearisation

Products = tuple[list[Tensor], list[Tensor]]
HAS_COMPILER = any(shutil.which(name) for name in ("g++", "clang++", "c++"))
HAS_HEADERS = (Path(torch.__file__).parent / "include" / "ATen").is_dir()  # Debian's torch has none


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile to what runs each operation as it stands, in no time."""
    monkeypatch.setattr(compiled, "BACKEND", "eager")


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what was compiled, and keep the compiler's traces out of pytest's log, which takes longer."""
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "propagate", False)
    torch._dynamo.reset()
    counters.clear()


def linearised(game: GANObjective, real: Tensor, latent: Tensor, **options: Any) -> Linearisation:
    again = GANObjective(game.generator, game.discriminator, game.loss, **options)
    return of(again, real, latent)


def of(game: GANObjective, real: Tensor, latent: Tensor) -> Linearisation:
    found = game.on(real, latent).linearise(
        list(game.generator.parameters()), list(game.discriminator.parameters())
    )
    assert found is not None
    return found


def products(found: Linearisation, game: GANObjective, *, relaxed: bool = False) -> Products:
    torch.manual_seed(1)
    forward, backward = found.forward, found.backward
    if relaxed:
        assert found.relaxed is not None
        forward, backward = found.relaxed
    u = [torch.randn_like(p) for p in game.generator.parameters()]
    v = [torch.randn_like(p) for p in game.discriminator.parameters()]
    return list(forward(u)), list(backward(v))


def assert_same(found: Products, expected: Products, bound: float = 0.0) -> None:
    for one, other in zip(found, expected, strict=True):
        assert error(one, other) <= bound


def asked(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any] | None = None) -> list[int]:
    """Count what the compiler is asked for, and compile by something else."""
    counts: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        counts.append(len(inputs))
        return graph.forward if run is None else run(graph, inputs)

    monkeypatch.setattr(compiled, "BACKEND", backend)
    return counts


@pytest.mark.parametrize(
    ("pair", "loss"),
    [*((pair, "minimax") for pair in PAIRS),
     *(("MLPs", loss) for loss in ("lsgan", "rpgan", "wgan")),
     *((pair, "rpgan") for pair in ("gated | gated, spectral norm", "residual | residual, weight norm"))],
)  # fmt: skip
def test_every_layers_products_are_the_eager_ones_and_compile_once(pair: str, loss: str) -> None:
    game, real, latent = made(pair, loss, torch.float64)
    own = copy.deepcopy(game)
    own = GANObjective(own.generator, own.discriminator, own.loss, compile=True)
    for step in range(2):
        torch.manual_seed(step)
        batch = torch.randn_like(real), torch.randn_like(latent)
        assert_same(products(of(own, *batch), own), products(of(game, *batch), game), 1e-12)
        assert set(own.fallbacks) == FALLBACKS.get(pair, set())
        assert counters["stats"]["unique_graphs"] == (2 if pair in FALLBACKS else 4)
        with torch.no_grad():
            for one, other in zip(networks(own), networks(game), strict=True):
                other.add_(noise := 0.1 * torch.randn_like(one))
                one.add_(noise)


def networks(game: GANObjective) -> list[Tensor]:
    return [*game.generator.parameters(), *game.discriminator.parameters()]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_aot_autograd_takes_the_same_graphs(
    dtype: torch.dtype, bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    game, real, latent = made("one dimension", "minimax", dtype)
    expected = products(of(game, real, latent), game)
    assert_same(products(linearised(game, real, latent, compile=True), game), expected, bound)


@pytest.mark.skipif(not (HAS_COMPILER and HAS_HEADERS), reason="no C++ compiler, or no headers of torch")
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_inductors_products_are_the_eager_ones(
    dtype: torch.dtype, bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "BACKEND", "inductor")
    game, real, latent = of_critic(nn.Sequential(nn.Linear(2, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1)), "wgan")
    game.generator.to(dtype)
    game.discriminator.to(dtype)
    real, latent = real.to(dtype), latent.to(dtype)
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    before = torch.get_rng_state()
    for _ in range(2):
        found = of(own, real, latent)
        x = [torch.ones_like(p) for p in game.generator.parameters()]
        y = [torch.ones_like(p) for p in game.discriminator.parameters()]
        eager = of(game, real, latent)
        expected = list(eager.forward(x)), list(eager.backward(y))
        assert_same((list(found.forward(x)), list(found.backward(y))), expected, bound)
    assert torch.equal(torch.get_rng_state(), before)  # compiling draws nothing
    assert own.fallbacks == {}
    assert counters["stats"]["unique_graphs"] == 4


@pytest.mark.parametrize("loss", ["non-saturating", "wgan"])
def test_steps_compile_once_and_another_batch_size_once_more(
    loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = asked(monkeypatch)
    generator, critic = build_pair((2,), dim=6, latent=5, seed=0)
    twins = copy.deepcopy((generator, critic))
    moved = []
    for pair, compile in (((generator, critic), True), (twins, False)):
        game = GANObjective(*pair, LOSSES[loss], compile=compile)
        opt = ACGD(pair[0].parameters(), pair[1].parameters(), lr=1e-3, max_iter=2)
        torch.manual_seed(0)
        for size, programs in ((4, 4), (4, 4), (4, 4), (3, 8), (4, 8), (3, 8)):
            opt.step(game.on(torch.randn(size, 2), torch.randn(size, 5)))
            assert not compile or len(counts) == programs
        moved.append([p.detach() for network in pair for p in network.parameters()])
    assert error(moved[0], moved[1]) < 1e-6


@pytest.mark.parametrize("loss", ["minimax", "wgan"])
def test_a_part_of_the_fakes_and_relaxed_products_compile_too(
    loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    counts = asked(monkeypatch)
    game, real, latent = made("the DCGAN", loss, torch.float32, batch=8)
    options: dict[str, Any] = {"curvature_batch": 0.5, "precision": "relaxed"}
    eager = linearised(game, real, latent, **options)
    found = linearised(game, real, latent, **options, compile=True)
    for relaxed, programs in ((False, 4), (True, 8)):
        expected = products(eager, game, relaxed=relaxed)
        assert_same(products(found, game, relaxed=relaxed), expected, 1e-6)
        assert len(counts) == programs


def failing(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    raise RuntimeError("no compiler\nanywhere\n\nmore of it")


def test_where_compiling_fails_steps_are_eager_and_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = asked(monkeypatch, failing)
    game, real, latent = made("the DCGAN", "minimax", torch.float64)
    own = copy.deepcopy(game)
    own = GANObjective(own.generator, own.discriminator, own.loss, compile=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for one in (own, game):
            opt = CGD(one.generator.parameters(), one.discriminator.parameters(), lr=1e-2, max_iter=3)
            for _ in range(2):
                opt.step(one.on(real, latent))
            assert not opt.last_step.skipped
    assert all(map(torch.equal, networks(own), networks(game)))
    assert len(counts) == 1  # it is not asked again
    (warning,) = [one for one in caught if issubclass(one.category, RuntimeWarning)]
    assert "products are not compiled" in str(warning.message)
    assert "RuntimeError: no compiler anywhere" in own.fallbacks["compile"]
    assert own.fallbacks["compile"] in str(warning.message)
    assert "more of it" not in own.fallbacks["compile"]


def test_what_breaks_as_it_runs_is_replaced_by_the_eager_product(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def breaking(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        def run(*given: Tensor) -> Any:
            calls.append(1)
            if len(calls) > 4:
                raise RuntimeError("out of something")
            return graph.forward(*given)

        return run

    asked(monkeypatch, breaking)
    game, real, latent = made("MLPs", "minimax", torch.float64)
    expected = products(of(game, real, latent), game)
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    assert_same(products(of(own, real, latent), game), expected, 1e-12)
    assert own.fallbacks == {}
    found = of(own, real, latent)
    with pytest.warns(RuntimeWarning, match="out of something"):
        assert_same(products(found, game), expected)
    assert_same(products(of(own, real, latent), game), expected)
    assert "out of something" in own.fallbacks["compile"]


def test_wrong_numbers_of_a_compiler_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        return lambda *given: [1.01 * part for part in graph.forward(*given)]

    asked(monkeypatch, wrong)
    game, real, latent = made("MLPs", "wgan", torch.float64)
    with pytest.warns(RuntimeWarning, match="off by 1e-02"):
        found = products(linearised(game, real, latent, compile=True), game)
    assert_same(found, products(of(game, real, latent), game))


def test_numbers_that_are_not_finite_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = asked(monkeypatch)
    game, real, latent = made("MLPs", "minimax", torch.float64)
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    assert (
        not torch.stack([part.sum() for part in products(of(own, real, latent * torch.nan), own)[0]])
        .isfinite()
        .all()
    )
    assert_same(products(of(own, real, latent), own), products(of(game, real, latent), game), 1e-12)
    assert own.fallbacks == {}
    assert len(counts) == 4


def test_a_network_that_keeps_changing_is_not_compiled_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = asked(monkeypatch)
    game, real, latent = made("MLPs", "wgan", torch.float64)
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    for size in (7, 6, 5, 4):
        products(of(own, real[:size], latent[:size]), own)
    assert len(counts) == compiled.MOST
    assert own.fallbacks == {}
    with pytest.warns(RuntimeWarning, match="changed too often"):
        found = products(of(own, real[:3], latent[:3]), own)
    assert_same(found, products(of(game, real[:3], latent[:3]), game))
    assert len(counts) == compiled.MOST
    products(of(own, real, latent), own)  # a batch as before
    assert own.fallbacks == {}


def test_a_changed_network_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = asked(monkeypatch)
    critic = nn.Sequential(nn.Linear(2, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1))
    game, real, latent = of_critic(critic, "minimax")
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    for programs in (4, 6):
        assert_same(products(of(own, real, latent), own), products(of(game, real, latent), game), 1e-12)
        assert len(counts) == programs
        critic[1] = nn.Tanh()


def test_a_layer_that_reads_a_constant_leaves_its_products_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = asked(monkeypatch)
    game, real, latent = of_critic(CRITICS["samples shuffled"](), "wgan")
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    with pytest.warns(RuntimeWarning, match="reads a constant tensor"):
        found = products(of(own, real, latent), own)
    assert_same(found, products(of(game, real, latent), game))
    assert set(own.fallbacks) == {"compile"}
    assert len(counts) >= 2  # the generator's are compiled


def test_a_map_of_tensors_that_it_does_not_hold_stays_eager() -> None:
    game, real, _ = of_critic(nn.Sequential(nn.Linear(2, 6), nn.AvgPool1d(2), nn.Linear(3, 1)), "wgan")
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    hidden = torch.full((), 0.5, dtype=torch.float64)
    network = own.linearised_discriminator(real, [])
    rule = next(call.rule for call in network.calls if isinstance(call.rule, LinearMap))  # type: ignore[union-attr]
    pool = rule.function
    rule.function = lambda value: hidden * pool(value)
    rule.probe_at(rule.probe)
    assert own.compiler is not None
    images = own.compiler.images(network)  # type: ignore[arg-type]
    tangents = {id(p): torch.ones_like(p) for p in own.discriminator.parameters()}
    with torch.no_grad():
        with pytest.warns(RuntimeWarning, match="not compiled"):
            found = images.push(tangents)
        assert torch.equal(found, network.push(tangents))  # type: ignore[arg-type]


def test_what_cannot_be_compared_is_not_taken_apart() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

    game, real, _ = of_critic(nn.Sequential(nn.Linear(2, 6), nn.AvgPool1d(2), nn.Linear(3, 1)), "wgan")
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    network = own.linearised_discriminator(real, [])
    network.calls[1].rule.extra = Unhashable()  # type: ignore[union-attr]
    with pytest.raises(UnsupportedError, match="Unhashable"):
        taken_apart(network)
    assert own.compiler is not None
    with pytest.warns(RuntimeWarning, match="Unhashable"):
        assert own.compiler.images(network) is network  # type: ignore[arg-type]


def test_copies_compile_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = asked(monkeypatch)
    game, real, latent = made("MLPs", "minimax", torch.float64)
    own = GANObjective(game.generator, game.discriminator, game.loss, compile=True)
    expected = products(of(own, real, latent), own)
    for other in (copy.deepcopy(own), pickle.loads(pickle.dumps(own))):
        counts.clear()
        assert_same(products(of(other, real, latent), other), expected)
        assert len(counts) == 4
        other.fallbacks["compile"] = "of a step before"
        of(other, real, latent)
        assert other.fallbacks == own.fallbacks == {}


def test_nothing_is_compiled_unless_asked_for() -> None:
    game, _, _ = made("MLPs", "minimax", torch.float64)
    assert game.compiler is None
