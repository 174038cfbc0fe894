"""What surrounds a structured step: contexts, hooks, odd batches, other owners, repeated evaluations."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from gamedyn.gan.closure import GANClosure
from gamedyn.gan.losses import LOSSES, Wasserstein
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD, CGD, AltGD, SimGD

OPTIMIZERS = {"SimGD": SimGD, "AltGD": AltGD, "CGD": CGD, "ACGD": ACGD}
every_optimizer = pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)


def critic_of(width: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 4), nn.ReLU(), nn.Linear(4, 1)).double()


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def a_game(generator: nn.Module, loss: str = "wgan") -> tuple[GANObjective, GANClosure]:
    game = GANObjective(generator.double(), critic_of(), LOSSES[loss])
    return game, game.on(normal(6, 2), normal(6, 5))


def assert_steps_alike(game: GANObjective, closure: GANClosure) -> None:
    """A structured step is that of the plain closure, by CGD in float64."""
    twin, plain = copy.deepcopy((game, closure))
    for one, step in ((game, closure), (twin, lambda: plain())):
        players = (one.generator.parameters(), one.discriminator.parameters())
        CGD(*players, lr=0.1, rtol=1e-12).step(step)
    for a, b in zip(parameters(game), parameters(twin), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def parameters(game: GANObjective) -> list[nn.Parameter]:
    return [*game.generator.parameters(), *game.discriminator.parameters()]


class TwoLayers(nn.Module):
    """Two layers, the first by way of a helper."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 4), nn.Linear(4, 2)

    def helper(self, x: Tensor) -> Tensor:
        return torch.relu(self.first(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.helper(x))


class Quietly(TwoLayers):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.first(x)
        return self.second(x)


class QuietHelper(TwoLayers):
    def helper(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().helper(x)


class DecoratedHelper(TwoLayers):
    @torch.no_grad()
    def helper(self, x: Tensor) -> Tensor:
        return super().helper(x)


class Switching(TwoLayers):
    def helper(self, x: Tensor) -> Tensor:
        torch.set_grad_enabled(False)
        x = super().helper(x)
        torch.set_grad_enabled(True)
        return x


class Cast(TwoLayers):
    def helper(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return super().helper(x).double()


@pytest.mark.parametrize("kind", [Quietly, QuietHelper, DecoratedHelper, Switching, Cast])
def test_a_context_in_a_forward_pass_is_left_to_autograd(kind: type[nn.Module]) -> None:
    game, closure = a_game(kind())
    assert_steps_alike(game, closure)
    assert "context" in game.fallbacks["generator"]


class Decorated(TwoLayers):
    @torch.enable_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


def test_a_context_that_changes_nothing_needs_no_fallback() -> None:
    game, closure = a_game(Decorated())
    assert_steps_alike(game, closure)
    assert not game.fallbacks


def doubled(module: nn.Module, given: Any, out: Tensor) -> Tensor | None:
    return 2 * out if isinstance(module, nn.ReLU) else None


@pytest.mark.parametrize("everywhere", [False, True])
def test_hooks_are_left_to_autograd_while_they_last(everywhere: bool) -> None:
    game, closure = a_game(nn.Linear(5, 2))
    layer = game.discriminator[1]  # type: ignore[index]
    register: Callable[..., Any] = register_module_forward_hook if everywhere else layer.register_forward_hook
    handle = register(doubled)
    try:
        assert_steps_alike(game, closure)
        assert "hooks" in game.fallbacks["discriminator"]
    finally:
        handle.remove()
    assert_steps_alike(game, game.on(normal(6, 2), normal(6, 5)))
    assert not game.fallbacks


class Keeping(nn.Module):
    """A critic whose forward pass leaves something behind."""

    def __init__(
        self, keep: Callable[[Keeping, Tensor], Any], activation: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.layers, self.keep, self.activation = (
            nn.ModuleList([nn.Linear(2, 4), nn.Linear(4, 1)]),
            keep,
            activation,
        )
        self.calls, self.seen, self.features = 0, [], None
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.layers[0](x))
        self.keep(self, x)
        return self.layers[1](x)


def counted(critic: Keeping, value: Tensor) -> None:
    critic.calls += 1


def averaged(critic: Keeping, value: Tensor) -> None:
    critic.mean = 0.9 * critic.mean + 0.1 * value.detach().mean()


@pytest.mark.parametrize("activation", [torch.tanh, torch.sin])
@pytest.mark.parametrize(
    ("keep", "traced"),
    [
        (counted, True),
        (averaged, False),
        (lambda critic, value: setattr(critic, "features", value), False),
        (lambda critic, value: critic.seen.append({"features": (value,)}), False),
    ],
)
def test_a_step_leaves_behind_what_the_forward_pass_does(
    keep: Callable[[Keeping, Tensor], Any], traced: bool, activation: Callable[[Tensor], Tensor]
) -> None:
    game, closure = a_game(nn.Linear(5, 2))
    game.discriminator = Keeping(keep, activation).double()
    twin, plain = copy.deepcopy((game, closure))
    assert_steps_alike(game, closure)
    plain()
    critic, expected = game.discriminator, twin.discriminator
    assert critic.calls == expected.calls
    assert len(critic.seen) == len(expected.seen)
    torch.testing.assert_close(critic.features, expected.features)
    torch.testing.assert_close(critic.mean, expected.mean)
    assert ("discriminator" in game.fallbacks) == (not traced or activation is torch.sin)


def test_one_odd_batch_does_not_cost_the_later_ones_their_speed() -> None:
    generator = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).double()
    game = GANObjective(generator, critic_of(), LOSSES["wgan"])
    optimizer = CGD(generator.parameters(), game.discriminator.parameters(), lr=0.1)
    with contextlib.suppress(ValueError):  # torch refuses one sample, too
        optimizer.step(game.on(normal(1, 2), normal(1, 5)))
    assert set(game.fallbacks) == {"generator"}
    optimizer.step(game.on(normal(6, 2), normal(6, 5)))
    assert not game.fallbacks


@every_optimizer
@pytest.mark.parametrize("norm", [nn.BatchNorm1d(3), nn.GroupNorm(1, 3), nn.Identity()], ids=str)
def test_an_empty_batch_is_skipped(kind: Any, norm: nn.Module) -> None:
    generator = nn.Sequential(nn.Linear(5, 3), copy.deepcopy(norm), nn.Linear(3, 2)).double()
    game = GANObjective(generator, critic_of(), LOSSES["wgan"])
    before = copy.deepcopy(parameters(game))
    optimizer = kind(generator.parameters(), game.discriminator.parameters(), lr=0.1)
    optimizer.step(game.on(normal(0, 2), normal(0, 5)))
    assert optimizer.last_step.skipped
    assert all(map(torch.equal, before, parameters(game)))


def one_player_owns_all_but_one(game: GANObjective) -> Iterator[list[nn.Parameter]]:
    first, *rest = game.discriminator.parameters()
    return iter(([*game.generator.parameters(), *rest], [first]))


@every_optimizer
def test_players_may_own_other_parameters_than_their_network_s(kind: Any) -> None:
    game, closure = a_game(nn.Linear(5, 2), "minimax")
    before = copy.deepcopy(parameters(game))
    twin, plain = copy.deepcopy((game, closure))
    for one, step in ((game, closure), (twin, lambda: plain())):
        kind(*one_player_owns_all_but_one(one), lr=0.1).step(step)
    for a, b, start in zip(parameters(game), parameters(twin), before, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
        assert not torch.equal(a, start)
    if kind in (CGD, ACGD):
        assert "as a whole" in game.fallbacks["players"]


@every_optimizer
@pytest.mark.parametrize("loss", ["wgan", "non-saturating"])
def test_exchanged_players_are_refused(kind: Any, loss: str) -> None:
    """Also where each has a part of its network alone; a part of the right one is fine."""
    game, closure = a_game(nn.Linear(5, 2), loss)
    G, D = (list(network.parameters()) for network in (game.generator, game.discriminator))
    before = copy.deepcopy(parameters(game))
    for players in ((D, G), (D[:1], G[1:])):
        with pytest.raises(ValueError, match=r"player 0 has the discriminator's.*\(generator.parameters\(\)"):
            kind(*players, lr=0.1).step(closure)
    assert all(map(torch.equal, before, parameters(game)))
    kind(G[1:], D[:1], lr=0.1).step(closure)
    assert not game.fallbacks


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Wasserstein, "such as Wasserstein.., got the class Wasserstein"),
        ("wgan", "got 'wgan'"),
        (None, "got None"),
    ],
)
def test_what_is_no_loss_is_refused(loss: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        GANObjective(nn.Linear(5, 2), critic_of(), loss)


@every_optimizer
@pytest.mark.parametrize("loss", ["wgan", "non-saturating", "rpgan"])
@pytest.mark.parametrize("structured", [True, False])
def test_several_numbers_a_sample_are_no_score(kind: Any, loss: str, structured: bool) -> None:
    game = GANObjective(nn.Linear(5, 2).double(), nn.Linear(2, 3).double(), LOSSES[loss])
    opt = kind(game.generator.parameters(), game.discriminator.parameters())
    closure = game.on(normal(6, 2), normal(6, 5))
    with pytest.raises(ValueError, match=r"scores have shape \(6, 3\).*as \(scores, logits\)"):
        opt.step(closure if structured else lambda: closure())


def test_a_layer_of_both_networks_is_left_to_autograd() -> None:
    shared = nn.Linear(2, 2)
    game, closure = a_game(nn.Sequential(nn.Linear(5, 2), shared))
    game.discriminator = nn.Sequential(shared, nn.Tanh(), nn.Linear(2, 1)).double()
    closure = game.on(normal(6, 2), normal(6, 5))
    twin, plain = copy.deepcopy((game, closure))
    for one, step in ((game, closure), (twin, lambda: plain())):
        CGD(one.generator.parameters(), one.discriminator[2].parameters(), lr=0.1, rtol=1e-12).step(step)  # type: ignore[index]
    for a, b in zip(parameters(game), parameters(twin), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@every_optimizer
def test_latent_vectors_may_be_trained(kind: Any) -> None:
    game, _ = a_game(nn.Linear(5, 2))
    latent = normal(6, 5).requires_grad_(True)
    before = latent.detach().clone()
    kind([latent, *game.generator.parameters()], game.discriminator.parameters(), lr=0.1).step(
        game.on(normal(6, 2), latent)
    )
    assert not torch.equal(latent, before)


def wandering() -> tuple[GANObjective, GANClosure]:
    """A game whose every forward pass draws and moves buffers: running statistics and power iterations."""
    generator = nn.Sequential(
        *(nn.Linear(5, 12), nn.BatchNorm1d(12), nn.Unflatten(1, (3, 4))),
        *(nn.InstanceNorm1d(3, track_running_stats=True), nn.Flatten(), nn.Linear(12, 2)),
    )
    first, last = (nn.utils.parametrizations.spectral_norm(nn.Linear(*sizes)) for sizes in ((2, 8), (8, 1)))
    game, _ = a_game(generator, "minimax")
    game.discriminator = nn.Sequential(first, nn.Dropout(0.5), nn.Tanh(), last).double()
    return game, game.on(normal(6, 2), normal(6, 5))


def buffers(game: GANObjective) -> list[Tensor]:
    return [b.clone() for network in (game.generator, game.discriminator) for b in network.buffers()]


@every_optimizer
def test_within_a_step_a_closure_is_the_same_game_each_time_it_is_asked(kind: Any) -> None:
    game, closure = wandering()
    first = kind(game.generator.parameters(), game.discriminator.parameters(), lr=0.0).step(closure)
    advanced, after = buffers(game), torch.get_rng_state()
    for _ in range(3):
        assert closure().item() == pytest.approx(first.item(), rel=1e-12)
    assert all(map(torch.equal, buffers(game), advanced))
    assert torch.equal(torch.get_rng_state(), after)


@every_optimizer
def test_a_closure_of_several_steps_is_another_game_in_each(kind: Any) -> None:
    """As many games as the plain closure's: running statistics advance with every step, by new masks."""
    game, closure = wandering()
    twin = copy.deepcopy(game)
    optimizer = kind(game.generator.parameters(), game.discriminator.parameters(), lr=0.0)
    torch.manual_seed(0)
    losses = [optimizer.step(closure).item() for _ in range(4)]
    torch.manual_seed(0)
    again = [twin.on(closure._real, closure._batch.latent)().item() for _ in range(4)]
    assert losses == pytest.approx(again, rel=1e-12)
    assert len(set(losses)) == 4
    for own, plain in zip(buffers(game), buffers(twin), strict=True):
        torch.testing.assert_close(own, plain, rtol=1e-12, atol=1e-14)


@every_optimizer
def test_a_skipped_batch_leaves_no_trace_in_running_statistics(kind: Any) -> None:
    game, closure = wandering()
    optimizer = kind(game.generator.parameters(), game.discriminator.parameters(), lr=1e-3)
    optimizer.step(closure)
    before = buffers(game)
    poisoned = normal(6, 5)
    poisoned[0] = torch.nan
    optimizer.step(game.on(normal(6, 2), poisoned))
    assert optimizer.last_step.skipped
    assert all(map(torch.equal, buffers(game), before))


class Averaging(nn.Module):
    """Assigns a new tensor to its buffer with every forward pass, and holds a dict that refuses changes."""

    class Frozen(dict):  # type: ignore[type-arg]
        def update(self, *_: Any) -> None:
            raise TypeError("frozen")

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("latest", None)
        self.register_buffer("same", torch.ones(1, dtype=torch.float64).expand(2))
        self.options = self.Frozen(width=2)

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        self.latest = x.detach().mean(0)
        return nn.functional.silu(x) * self.same + 0.1 * self.mean


@every_optimizer
def test_buffers_that_are_assigned_anew_belong_to_the_step(kind: Any) -> None:
    game, _ = a_game(nn.Sequential(nn.Linear(5, 2), Averaging()), "minimax")
    averaging = game.generator[1]  # type: ignore[index]
    optimizer = kind(game.generator.parameters(), game.discriminator.parameters(), lr=1e-3)
    latent = normal(6, 5)
    with torch.no_grad():
        once = 0.1 * game.generator[0](latent).mean(0)  # type: ignore[index]
    optimizer.step(game.on(normal(6, 2), latent))
    torch.testing.assert_close(averaging.mean, once, rtol=1e-12, atol=0.0)
    before = averaging.mean.clone()
    optimizer.step(game.on(normal(6, 2), torch.full((6, 5), torch.nan, dtype=torch.float64)))
    assert optimizer.last_step.skipped
    assert torch.equal(averaging.mean, before)
    assert averaging.latest.isfinite().all()
    assert averaging.options == {"width": 2}
