"""Kept traces: as good as new ones after any change that a forward pass could notice."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from gan_games import error
from torch import Tensor, nn

from gamedyn.gan.curvature import retrace
from gamedyn.gan.curvature.rule import UnsupportedError
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers.closure import linearise


def pair() -> tuple[nn.Module, nn.Module]:
    """A small DCGAN in float64."""
    generator, discriminator = build_pair((1, 8, 8), dim=2, latent=3, seed=0)
    return generator.double(), discriminator.double()


def a_new_layer(generator: nn.Module, critic: nn.Module) -> None:
    generator.norms[0] = nn.GroupNorm(1, 2).double()


def another_branch(generator: nn.Module, critic: nn.Module) -> None:
    generator.norms = nn.ModuleList()  # the forward pass asks how many there are


def evaluation(generator: nn.Module, critic: nn.Module) -> None:
    generator.eval()


def another_size(generator: nn.Module, critic: nn.Module) -> None:
    generator.project = nn.Linear(3, 4 * generator.base**2).double()


def a_new_parameter(generator: nn.Module, critic: nn.Module) -> None:
    critic.score.bias = nn.Parameter(critic.score.bias.detach() + 1.0)


CHANGES: list[Callable[[nn.Module, nn.Module], None]] = [
    *(a_new_layer, another_branch, evaluation, another_size, a_new_parameter)
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_step_after_a_change_has_autograds_numbers(change: Callable[[nn.Module, nn.Module], None]) -> None:
    generator, critic = pair()
    game = GANObjective(generator, critic, LOSSES["minimax"])
    real, latent = torch.randn(6, 1, 8, 8).double(), torch.randn(6, 3).double()

    def compare() -> None:
        x, y = list(generator.parameters()), list(critic.parameters())
        twin = copy.deepcopy(game)
        tx, ty = list(twin.generator.parameters()), list(twin.discriminator.parameters())
        own = game.on(real, latent).linearise(x, y)
        expected = linearise(twin.on(real, latent)(), tx, ty)
        assert own is not None
        assert game.fallbacks == {}
        u = [torch.randn_like(p) for p in x]
        assert error(own.gradient_x, expected.gradient_x) < 1e-12
        assert error(own.forward(u), expected.forward(u)) < 1e-12

    compare()
    change(generator, critic)
    compare()


def test_a_dcgan_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[nn.Module] = []
    true = retrace.trace
    monkeypatch.setattr(retrace, "trace", lambda network: (traced.append(network), true(network))[1])
    generator, critic = pair()
    game = GANObjective(generator, critic, LOSSES["minimax"])
    players = list(generator.parameters()), list(critic.parameters())
    for _ in range(3):
        game.on(torch.randn(6, 1, 8, 8).double(), torch.randn(6, 3).double()).linearise(*players)
    assert traced == [generator, critic]


def test_networks_of_a_users_own_code_are_traced_at_every_call() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, value: Tensor) -> Tensor:
            return FACTORS[0] * self.layer(value)

    FACTORS = [1.0]
    own, again = Own(), retrace.Retrace()
    first = again(own)[0]
    FACTORS[0] = 2.0
    second = again(own)[0]
    assert first is not second
    assert [node.args for node in first.nodes][-2] != [node.args for node in second.nodes][-2]


def test_a_forward_of_its_own_and_hooks_are_noticed() -> None:
    generator, _ = pair()
    again = retrace.Retrace()
    kept = again(generator)[0]
    assert again(generator)[0] is kept
    handle = generator.register_forward_hook(lambda *_: None)
    with pytest.raises(UnsupportedError, match="hooks"):
        again(generator)
    handle.remove()
    assert again(generator)[0] is kept
    layer = nn.Sequential(nn.Linear(2, 2))
    assert retrace.plain_state(layer) is not None
    layer[0].forward = lambda value: value
    assert retrace.plain_state(layer) is None
