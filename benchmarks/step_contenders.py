"""The optimizers whose steps are measured."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from step_games import Game
from step_recording import Contender, Recorder
from step_residual import COMMON, Rates, flat, split
from step_rivals import rivals

from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD, CGD, AltGD, SimGD, competitive

_SOLVE = Recorder(competitive, "solve")


@dataclass(frozen=True)
class Variant:
    """One way to step by structure.

    Args:
        name: Its row.
        objective: Keywords of `GANObjective`.
        optimizer: Keywords of `ACGD`, beside the tolerance.
        note: Why it is not to be compared at equal residual; empty where it is.
    """

    name: str
    objective: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def supported(self) -> bool:
        """Whether this version of gamedyn has the keywords."""
        return set(self.objective) <= set(inspect.signature(GANObjective).parameters)


EQUAL = (Variant("ACGD structured"), Variant("ACGD structured, relaxed", {"precision": "relaxed"}))
"""Solved to the tolerance: one row for each."""

COMPILED = Variant("ACGD structured, compiled", {"compile": True})
"""Solved to the tolerance by compiled products, where they are asked for: compilation takes half a minute."""

TRUNCATED, QUARTER = "stops early", "products on a quarter of the fakes: another system"
CHEAP = (
    Variant("ACGD structured, max_iter=2", {}, {"max_iter": 2}, TRUNCATED),
    Variant("ACGD structured, 1/4 of the fakes", {"curvature_batch": 0.25}, {}, QUARTER),
    Variant(
        "ACGD structured, max_iter=2, 1/4 of the fakes", {"curvature_batch": 0.25}, {"max_iter": 2}, QUARTER
    ),
    Variant("ACGD structured, max_iter=2, relaxed", {"precision": "relaxed"}, {"max_iter": 2}, TRUNCATED),
)
"""Not solved to the tolerance, or not the whole game: at the loosest tolerance, 1e-2 as in training."""


def contenders(game: Game, rtols: Sequence[float], *, compiled: bool = False) -> dict[str, Contender]:
    """Build every contender on a game's parameters."""
    equal = (*EQUAL, COMPILED) if compiled else EQUAL
    x, y, lr = game.x, game.y, game.lr
    entries = {
        "gradient": Contender(lambda: torch.autograd.grad(game.value(), [*x, *y])),
        "Adam, alternating": adam(game),
    }
    for name, optimizer in (("SimGD", SimGD(x, y, lr=lr)), ("AltGD", AltGD(x, y, lr=lr))):
        entries[name] = _stateful(Contender(lambda opt=optimizer: opt.step(game.value)), optimizer)
    for rtol in rtols:
        entries[f"CGD rtol={rtol:g}"] = _competitive(CGD(x, y, lr=lr, rtol=rtol), lambda: game.value)
        entries[f"ACGD rtol={rtol:g}"] = acgd(game, lambda: game.value, rtol=rtol)
        for variant in _available(equal, game):
            entries[f"{variant.name} rtol={rtol:g}"] = structured(game, variant, rtol)
        entries |= rivals(game, rtol, every=rtol == max(rtols))
    for variant in _available(CHEAP, game):
        entries[variant.name] = structured(game, variant, max(rtols))
    return entries


def adam(game: Game) -> Contender:
    """Step both players by Adam, the maximiser first."""
    players = [torch.optim.Adam(player, lr=1e-4, betas=(0.5, 0.9)) for player in (game.y, game.x)]
    return _stateful(Contender(_alternating(game, players)), *players)


def acgd(game: Game, closure: Callable[[], Any], **options: Any) -> Contender:
    """Step by ACGD on the closure that is made for each batch."""
    optimizer = ACGD(game.x, game.y, lr=game.lr, beta=COMMON.beta, eps=COMMON.eps, **options)
    contender = _competitive(optimizer, closure)
    contender.metric = COMMON

    def adopt(rates: Rates) -> None:
        for player, square in zip((game.x, game.y), rates.squares, strict=True):
            for parameter, root in zip(player, split(square.sqrt(), player), strict=True):
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(rates.steps)),
                    "root_mean_square": root,
                }

    contender.adopt = adopt
    return contender


def structured(game: Game, variant: Variant, rtol: float) -> Contender:
    """Step by ACGD on the game's own linearisation."""
    assert game.objective is not None
    objective = game.objective(**variant.objective)
    contender = acgd(game, lambda: objective.on(*game.batch), rtol=rtol, **variant.optimizer)
    contender.note = variant.note
    contender.whole = variant.objective.get("curvature_batch", 1.0) == 1.0
    return contender


def _available(variants: Sequence[Variant], game: Game) -> list[Variant]:
    return [variant for variant in variants if variant.supported] if game.objective else []


def _alternating(game: Game, players: Sequence[torch.optim.Optimizer]) -> Callable[[], None]:
    def step() -> None:
        for loss, optimizer, own in zip(game.halves(), players, (game.y, game.x), strict=True):
            for parameter, derivative in zip(own, torch.autograd.grad(loss(), own), strict=True):
                parameter.grad = derivative
            optimizer.step()
            optimizer.zero_grad()

    return step


def _competitive(optimizer: CGD | ACGD, closure: Callable[[], Any]) -> Contender:
    solution: Any = None

    def step() -> None:
        nonlocal solution
        optimizer.step(closure())
        solution = _SOLVE.last

    return _stateful(Contender(step, lambda: ("x", flat(solution.value[0]), solution.iterations)), optimizer)


def _stateful(contender: Contender, *optimizers: torch.optim.Optimizer) -> Contender:
    def save() -> Any:
        return [
            {parameter: copy.deepcopy(entries) for parameter, entries in optimizer.state.items()}
            for optimizer in optimizers
        ]

    def load(states: Any) -> None:
        for optimizer, state in zip(optimizers, states, strict=True):
            optimizer.state.clear()
            optimizer.state.update(
                {parameter: copy.deepcopy(entries) for parameter, entries in state.items()}
            )

    contender.save, contender.load = save, load
    return contender
