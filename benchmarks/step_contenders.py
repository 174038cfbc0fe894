"""The optimizers whose steps are measured, and the true residual of what they solved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from step_games import Game
from torch import Tensor

from gamedyn.optimizers import ACGD, CGD, AltGD, SimGD, competitive

try:
    import CGDs
    from CGDs import acgd as cgds_module
except ImportError:
    CGDs = None

BETA, EPS = 0.99, 1e-5


@dataclass
class Contender:
    """One way to step, with the measurements taken of it.

    Args:
        step: Takes one step on the game's current batch.
        solved: What the last step solved: the side, the solution, the iterations (competitive ones only).
    """

    step: Callable[[], object]
    solved: Callable[[], tuple[str, Tensor, int]] | None = None
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    iterations: list[int] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)


def contenders(game: Game, rtols: Sequence[float]) -> dict[str, Contender]:
    """Build every contender on a game's parameters."""
    x, y, lr = game.x, game.y, game.lr
    entries = {
        "gradient": Contender(lambda: torch.autograd.grad(game.value(), [*x, *y])),
        "Adam, alternating": Contender(_adam(game)),
    }
    for name, optimizer in (("SimGD", SimGD(x, y, lr=lr)), ("AltGD", AltGD(x, y, lr=lr))):
        entries[name] = Contender(lambda opt=optimizer: opt.step(game.value))
    for rtol in rtols:
        entries[f"CGD rtol={rtol:g}"] = _ours(game, CGD(x, y, lr=lr, rtol=rtol))
        entries[f"ACGD rtol={rtol:g}"] = _ours(game, ACGD(x, y, lr=lr, beta=BETA, eps=EPS, rtol=rtol))
        if game.has_structure:
            structured = ACGD(x, y, lr=lr, beta=BETA, eps=EPS, rtol=rtol)
            entries[f"ACGD structured rtol={rtol:g}"] = _ours(game, structured, game.structured)
        if CGDs is not None:
            entries[f"CGDs ACGD rtol={rtol:g}"] = _cgds(game, rtol)
    return entries


def _adam(game: Game) -> Callable[[], None]:
    players = [torch.optim.Adam(player, lr=1e-4, betas=(0.5, 0.9)) for player in (game.y, game.x)]

    def step() -> None:
        for loss, optimizer, own in zip(game.halves(), players, (game.y, game.x), strict=True):
            for parameter, derivative in zip(own, torch.autograd.grad(loss(), own), strict=True):
                parameter.grad = derivative
            optimizer.step()
            optimizer.zero_grad()

    return step


def _ours(game: Game, optimizer: CGD | ACGD, closure: Callable[[], Any] | None = None) -> Contender:
    """Step on the plain closure, or on what `closure` returns for each batch."""
    kept: list[Any] = []
    solve = competitive.solve

    def recorded(*args: Any, **kwargs: Any) -> Any:
        kept[:] = [solve(*args, **kwargs)]
        return kept[0]

    def step() -> None:
        with mock.patch.object(competitive, "solve", recorded):
            optimizer.step(game.value if closure is None else closure())

    return Contender(step, lambda: ("x", flat(kept[0].value[0]), kept[0].iterations))


def _cgds(game: Game, rtol: float) -> Contender:
    optimizer = CGDs.ACGD(
        game.y, game.x, lr_max=game.lr, lr_min=game.lr, eps=EPS, beta=BETA, tol=rtol * rtol, atol=0.0
    )
    kept: list[tuple[Tensor, int]] = []
    solve = cgds_module.general_conjugate_gradient

    def recorded(*args: Any, **kwargs: Any) -> tuple[Tensor, int]:
        kept[:] = [solve(*args, **kwargs)]
        return kept[0]

    def step() -> None:
        with mock.patch.object(cgds_module, "general_conjugate_gradient", recorded):
            optimizer.step(game.value())

    def solved() -> tuple[str, Tensor, int]:
        (solution, iterations), last_solved_max = kept[0], optimizer.state["solve_x"]  # toggled by the step
        return ("y", solution, iterations) if last_solved_max else ("x", -solution, iterations)

    return Contender(step, solved)


def true_residual(game: Game, rates: tuple[Tensor, Tensor], side: str, solution: Tensor) -> float:
    """Evaluate `‖b − A u‖ / ‖b‖` from its definition, on a fresh graph at the game's current point."""
    gradients = torch.autograd.grad(game.value(), [*game.x, *game.y], create_graph=True)
    of_x, of_y = flat(gradients[: len(game.x)]), flat(gradients[len(game.x) :])

    def to_y(u: Tensor) -> Tensor:
        return flat(torch.autograd.grad(of_x, game.y, u, retain_graph=True, materialize_grads=True))

    def to_x(u: Tensor) -> Tensor:
        return flat(torch.autograd.grad(of_y, game.x, u, retain_graph=True, materialize_grads=True))

    rate_x, rate_y = rates
    if side == "x":
        own, there, back, rhs = rate_x, to_y, to_x, -(of_x.detach() + to_x(rate_y * of_y.detach()))
        other = rate_y
    else:
        own, there, back, rhs = rate_y, to_x, to_y, of_y.detach() - to_y(rate_x * of_x.detach())
        other = rate_x
    root = own.sqrt()
    image = solution + root * back(other * there(root * solution))
    return float((root * rhs - image).double().norm() / (root * rhs).double().norm())


class Rates:
    """The adaptive step sizes along the path, kept independently of any contender."""

    def __init__(self, game: Game) -> None:
        self._game, self._steps = game, 0
        self._squares = [torch.zeros(()), torch.zeros(())]

    def advance(self) -> tuple[Tensor, Tensor]:
        """Take in the gradient at the current point; return both players' diagonals."""
        self._steps += 1
        players = (self._game.x, self._game.y)
        gradients = torch.autograd.grad(self._game.value(), [p for player in players for p in player])
        split = (flat(gradients[: len(players[0])]), flat(gradients[len(players[0]) :]))
        self._squares = [BETA * s + (1 - BETA) * g * g for s, g in zip(self._squares, split, strict=True)]
        correction = (1 - BETA**self._steps) ** 0.5
        x, y = (correction * self._game.lr / (square.sqrt() + EPS) for square in self._squares)
        return x, y


def flat(vector: Sequence[Tensor]) -> Tensor:
    """Return all entries as one vector."""
    return torch.cat([tensor.reshape(-1) for tensor in vector])
