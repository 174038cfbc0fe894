"""The competitive direction: every player's best response to the other's best response."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from gamedyn.optimizers.base import GameOptimizer, Proposal
from gamedyn.optimizers.evaluation import Evaluation
from gamedyn.optimizers.players import Params
from gamedyn.optimizers.report import SkipStep, StepReport
from gamedyn.solvers import (
    ENGINES,
    Result,
    Solution,
    solve,
)
from gamedyn.solvers.options import check_options
from gamedyn.solvers.vectors import Scaling, Vector, add_, clone, norm, scale_, scaled, unit

Metric: TypeAlias = tuple[list[Scaling], list[tuple[Tensor, dict[str, Any]]]]
"""Each player's step sizes `η`, per tensor, and the optimizer state that goes with them."""

# A truncated or failed solve may not move the players further than this multiple of the gradient step.
_LONGEST = 3.0


class SolverOptions(NamedTuple):
    """How the linear system of a step is solved; see `CGD` for the meaning of each."""

    rtol: float
    atol: float
    max_iter: int
    check_every: int
    restart: int
    engine: str
    warm_start: bool


class CompetitiveOptimizer(GameOptimizer):
    """Two players who each anticipate the other by solving for a local Nash equilibrium.

    The direction is common to the family; a subclass gives the metric, the step sizes `η`.

    Args:
        min_params: Parameters of player 0.
        max_params: Parameters of player 1.
        defaults: The subclass's own options.
        solver: How the system is solved.
        max_lr: Player 1's learning rate where it differs.
        max_skips: Non-finite steps in a row after which an error is raised.
        options: Keywords left over.

    Raises:
        TypeError: For an option of the wrong type.
        ValueError: For an option out of range, or a game of other than two players.
    """

    def __init__(
        self,
        min_params: Params,
        max_params: Params | None,
        defaults: dict[str, Any],
        solver: SolverOptions,
        *,
        max_lr: float | Tensor | None,
        max_skips: int,
        options: dict[str, bool | None],
    ) -> None:
        _check(solver)
        super().__init__(
            min_params,
            max_params,
            {**defaults, **solver._asdict()},
            max_lr=max_lr,
            max_skips=max_skips,
            options=options,
        )
        if self._players != 2:
            raise ValueError(
                f"{type(self).__name__} plays games of two players, the groups name {self._players}: "
                "use SimGD or AltGD for more"
            )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; the solver's options are common to all groups.

        Args:
            param_group: A dict with `"params"`, `"player"` and any of the options.

        Raises:
            TypeError: For parameters that are not real dense tensors.
            ValueError: For an unknown player, a parameter with two owners or a wrong option.
        """
        shared = self.param_groups[0] if self.param_groups else self.defaults
        group = param_group if isinstance(param_group, dict) else {}  # the base refuses anything else
        for name in SolverOptions._fields:
            if group.get(name, shared[name]) != shared[name]:
                raise ValueError(
                    f"{name}={group[name]!r} in a group: the players solve one system together, "
                    f"so {name} is set once, in the constructor (here {shared[name]!r})"
                )
        options = {name: shared[name] for name in SolverOptions._fields}
        super().add_param_group({**options, **group} if group else param_group)

    @abstractmethod
    def _metric(self, gradients: Sequence[Vector]) -> Metric:
        """Return each player's step sizes at these gradients, and the state to keep if the step is taken."""

    def _propose(self, evaluation: Evaluation) -> Proposal:
        x, y = self.players
        game = evaluation.linearised(x, y).reduced(self._reduce)
        solver = self._solver()
        rates, state = self._metric([game.gradient_x, game.gradient_y])
        scales = [_roots(*player) for player in zip(rates, (x, y), strict=True)]
        system = game.system(*scales)
        solution = solve(
            system,
            engine=solver.engine,
            rtol=solver.rtol,
            atol=solver.atol,
            max_iter=solver.max_iter,
            check_every=solver.check_every,
            restart=solver.restart,
            x0=self._guess(x, scales[0]) if solver.warm_start else None,
        )
        if solution.result is Result.NONFINITE:
            raise SkipStep("a gradient or a product with the mixed Hessian is NaN or infinite")
        steps, reason = _within_reach(solution, *system.gradients)
        updates = [scaled(step, scale) for step, scale in zip(steps, scales, strict=True)]
        if solver.warm_start:
            state = [*state, *((p, {"direction": d}) for p, d in zip(x, clone(updates[0]), strict=True))]
        points = [add_(update, player) for update, player in zip(updates, (x, y), strict=True)]
        report = StepReport(
            solution.converged, solution.iterations, solution.residual, solution.products, reason=reason
        )
        return Proposal(points, state, report)

    def _solver(self) -> SolverOptions:
        """Return the solver's options as the groups hold them now, which a user may have changed."""
        first, *others = self.param_groups
        for name in SolverOptions._fields:
            if wrong := [group[name] for group in others if group[name] != first[name]]:
                raise ValueError(
                    f"{name} is {first[name]!r} in one group and {wrong[0]!r} in another: the players solve "
                    "one system together, so set it in every group"
                )
        solver = SolverOptions(**{name: first[name] for name in SolverOptions._fields})
        _check(solver)
        return solver

    def _guess(self, x: Sequence[Tensor], scale: Scaling) -> Vector | None:
        """Return player 0's last move in today's scaled variable: a changed rate leaves it as it was."""
        if not all("direction" in self.state.get(parameter, {}) for parameter in x):
            return None
        moves = [self.state[parameter]["direction"] for parameter in x]
        quotients = [move / factor for move, factor in zip(moves, scale, strict=True)]
        return [torch.where(torch.isfinite(quotient), quotient, 0.0) for quotient in quotients]


def _within_reach(
    solution: Solution[tuple[Vector, Vector]], a: Vector, c: Vector
) -> tuple[tuple[Vector, Vector], str]:
    """Shorten the step of a solve that failed where it reaches too far; return it with the reason."""
    if solution.converged:
        return solution.value, ""
    scale = unit(a, c)
    of_gradient = norm(scale_(clone([*a, *c]), 1.0 / scale))
    of_step = norm(scale_(clone([*solution.value[0], *solution.value[1]]), 1.0 / scale))
    if of_step <= _LONGEST * of_gradient:
        return solution.value, solution.result.value
    shrink = _LONGEST * of_gradient / of_step
    x, y = (scale_(step, shrink) for step in solution.value)
    return (x, y), f"{solution.result.value} The step was shortened to {_LONGEST:g} gradient steps."


def _roots(rates: Scaling, parameters: Sequence[Tensor]) -> list[Tensor | float]:
    """Return `S = √η` in the parameters' dtypes, which hold the roots of larger numbers than they do."""
    return [
        rate.sqrt().to(parameter.dtype) if isinstance(rate, Tensor) else math.sqrt(rate)
        for rate, parameter in zip(rates, parameters, strict=True)
    ]


def _check(solver: SolverOptions) -> None:
    for name in ("rtol", "atol"):
        if (value := getattr(solver, name)) == math.inf:
            raise ValueError(f"Invalid {name}: {value} (must be finite)")
    counts = {name: getattr(solver, name) for name in ("max_iter", "check_every", "restart")}
    check_options(rtol=solver.rtol, atol=solver.atol, **counts)
    if solver.engine not in ENGINES:
        raise ValueError(f"Invalid engine: {solver.engine!r} (choose one of {', '.join(ENGINES)})")
    if not isinstance(solver.warm_start, bool):
        raise TypeError(f"Invalid warm_start: {solver.warm_start!r} (must be True or False)")
