"""The base of every game optimizer: players, closures, state and write-back, but no mathematics."""

import math
import warnings
from abc import abstractmethod
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gamedyn.divergence import DivergenceError
from gamedyn.optimizers.closure import Closure
from gamedyn.optimizers.evaluation import Evaluation, Losses
from gamedyn.optimizers.mends import mend_of
from gamedyn.optimizers.players import (
    Params,
    check_group,
    check_state,
    current_lr,
    make_groups,
    refuse_idle,
    refuse_module,
    refuse_unknown,
)
from gamedyn.optimizers.report import SkipStep, StepReport
from gamedyn.optimizers.surroundings import RefuseScaler, processes
from gamedyn.solvers.vectors import Vector, all_finite

_UNREACHED = (
    "whose loss depends on none of their trainable parameters: is an output detached, does a checkpoint need "
    "use_reentrant=False, or are these the parameters of another copy of the network? Where that is meant, "
    "say so by requires_grad_(False)"
)

_PROCESSES = (
    "and a game optimizer differentiates past DistributedDataParallel: every process steps on its own batch, "
    "and the players drift apart. Override _reduce, by which gradients and products pass, to average over "
    "processes, or train in one"
)


@dataclass
class Proposal:
    """A step that has been computed and not yet been taken.

    Args:
        points: The players' new parameter values.
        state: New entries of the per-parameter state, taken over only if the step is.
        report: How the solve went.
    """

    points: list[Vector]
    state: list[tuple[Tensor, dict[str, Any]]] = field(default_factory=list)
    report: StepReport = field(default_factory=StepReport)


class GameOptimizer(torch.optim.Optimizer):
    """A `torch.optim.Optimizer` for a game: every parameter group belongs to a player.

    Player 0 minimises. In a zero-sum game (the closure returns one scalar) player 1 maximises it; in a
    general-sum game (the closure returns a tuple) each player minimises its own loss.

    A step whose loss, gradient, product or update is not finite changes no parameter (a structured closure
    puts the networks' running statistics back as well; what a plain one has changed stays), is reported by
    `last_step`, and after `max_skips` of them in a row `DivergenceError` is raised. The parameters' `.grad`
    is neither read nor written.

    Args:
        min_params: Player 0's parameters (tensors, named tensors or group dicts); or, without
            `max_params`, group dicts that each have a `"player"` key.
        max_params: Player 1's parameters.
        defaults: Options and their defaults, stored in every group.
        max_lr: Player 1's learning rate where it differs.
        max_skips: Skipped steps in a row after which an error is raised.
        options: Keywords left over: torch options that are off are accepted, anything else is refused.

    Raises:
        TypeError: For parameters that are not real dense tensors, and for unknown keywords.
        ValueError: For a missing player, a parameter with two owners, a wrong learning rate or option.
    """

    _step_supports_amp_scaling = RefuseScaler()

    def __init__(
        self,
        min_params: Params,
        max_params: Params | None,
        defaults: dict[str, Any],
        *,
        max_lr: float | Tensor | None,
        max_skips: int,
        options: dict[str, bool | None],
    ) -> None:
        refuse_unknown(options, type(self).__name__)
        if not isinstance(max_skips, int) or isinstance(max_skips, bool) or max_skips < 1:
            raise ValueError(f"Invalid max_skips: {max_skips!r} (must be an integer >= 1)")
        self._max_skips = max_skips
        self._skipped_in_a_row = 0
        self._skipped_total = 0
        self._warned: set[str] = set()
        self._max_lr = max_lr
        self._last_step: StepReport | None = None
        self._players = 0  # until all groups are in
        super().__init__(make_groups(min_params, max_params, max_lr), defaults)
        owners = {group["player"] for group in self.param_groups}
        if len(owners) < 2 or owners != set(range(len(owners))):
            raise ValueError(
                f"a game needs the players 0, 1, ... without a gap and at least two; the groups name {owners}"
            )
        refuse_idle(self.param_groups)
        self._players = len(owners)

    @property
    def last_step(self) -> StepReport | None:
        """How the last step went; None before the first."""
        return self._last_step

    @property
    def players(self) -> list[list[Tensor]]:
        """The trainable parameters of each player, in the order of the groups."""
        return [[parameter for _, parameter in self._owned(player)] for player in range(self._players)]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; it must name a player that exists.

        Args:
            param_group: A dict with `"params"`, `"player"` and any of the options.

        Raises:
            TypeError: For parameters that are not real dense tensors.
            ValueError: For an unknown player, a parameter with two owners or a wrong option.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, got {type(param_group).__name__}")
        own_rate = param_group.get("player") == 1 and self._max_lr is not None
        group = {"lr": self._max_lr if own_rate else self.defaults["lr"], **param_group}
        params = group.get("params", {})
        if isinstance(params, dict):
            raise ValueError(f'a parameter group needs a "params" list, got the keys {sorted(param_group)}')
        refuse_module(params, 'a group\'s "params"')
        if not isinstance(params, set):  # torch refuses a set by itself
            group["params"] = [params] if isinstance(params, Tensor) else list(params)
        owners = {id(p): known["player"] for known in self.param_groups for p in known["params"]}
        check_group(group, owners, self.defaults)
        if self._players and group["player"] >= self._players:
            raise ValueError(f"player={group['player']} is not in this game of {self._players} players")
        if isinstance(group["lr"], Tensor):  # schedulers fill it in place, and each player may have one
            group["lr"] = group["lr"].clone()
        super().add_param_group(group)

    def step(self, closure: Closure | None = None) -> Losses:  # type: ignore[override]
        """Evaluate the game and move every player.

        Args:
            closure: Returns the scalar `f` (player 0 descends, player 1 ascends) or a tuple with one loss per
                player (each descends its own), without calling `backward()` or `zero_grad()`. Random numbers
                that must agree between evaluations are to be drawn outside.

        Returns:
            The detached loss, or the tuple of detached losses.

        Raises:
            DivergenceError: After `max_skips` skipped steps in a row.
            RuntimeError: If the closure called `backward()`, or the loss cannot be differentiated as often as
                the step needs.
            TypeError: If there is no closure to call, it returned something other than tensors, or a gradient
                is sparse where it is to be differentiated again.
            ValueError: If a loss is no scalar, there are not as many losses as players, a learning rate has
                become negative, an option in a group has been changed to a wrong value, or the closure of a
                `GANObjective` finds its players exchanged.
        """
        if not callable(closure):
            raise TypeError(
                "a game optimizer needs a closure that returns the loss, opt.step(lambda: loss(...)), "
                f"got {type(closure).__name__}"
            )
        everyone = [parameter for group in self.param_groups for parameter in group["params"]]
        evaluation = Evaluation(closure, everyone, self.players)
        try:
            with torch.no_grad():
                report = self._commit(self._propose(evaluation))
        except SkipStep as skip:
            evaluation.abandon()
            self._skip(str(skip))
        except RuntimeError as error:
            if mend := mend_of(error):
                raise RuntimeError(f"{str(error).rstrip('.')}. {mend}") from error
            raise
        else:
            self._skipped_in_a_row = 0
            self._last_step = replace(report, skipped_total=self._skipped_total)
        if evaluation.constant and any(self.players):
            warnings.warn(
                "the loss does not depend on any parameter: was it detached, or computed under no_grad or "
                "inference_mode?",
                stacklevel=3,  # torch wraps every step
            )
        elif evaluation.unreached:
            names = " and ".join(f"player {player}" for player in sorted(evaluation.unreached))
            self._warn_once("unreached", f"nothing moves {names}, {_UNREACHED}")
        if processes() > 1 and getattr(self._reduce, "__func__", None) is GameOptimizer._reduce:
            self._warn_once("processes", f"{processes()} processes train together, {_PROCESSES}")
        return evaluation.losses[0]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state, copying its tensors. Options that the state does not have keep their values.

        Args:
            state_dict: What `state_dict` returned.

        Raises:
            ValueError: If its groups do not belong to the same players, or do not match in size.
        """
        super().load_state_dict(deepcopy(state_dict))

    @abstractmethod
    def _propose(self, evaluation: Evaluation) -> Proposal:
        """Compute a step without taking it; raise `SkipStep` if there is none to be had."""

    def _commit(self, proposal: Proposal) -> StepReport:
        """Take a step if all of it is finite."""
        if not all_finite(*proposal.points):
            raise SkipStep("a gradient or an update is NaN or infinite")
        for parameters, point in zip(self.players, proposal.points, strict=True):
            if parameters:
                torch._foreach_copy_(parameters, point)
        for parameter, entries in proposal.state:
            self.state[parameter].update(entries)
        return proposal.report

    def _skip(self, reason: str) -> None:
        """Report a step that changed nothing; raise after too many of them."""
        self._skipped_in_a_row += 1
        self._skipped_total += 1
        self._last_step = StepReport(
            converged=False,
            residual=math.nan,
            skipped=True,
            skipped_total=self._skipped_total,
            reason=f"Skipped: {reason}.",
        )
        if self._skipped_in_a_row >= self._max_skips:
            raise DivergenceError(
                f"{self._skipped_in_a_row} steps in a row were skipped, the last because {reason}: the game "
                "has diverged or its data are broken (the parameters keep their last finite values)"
            ) from None

    def _reduce(self, vector: Vector) -> Vector:
        """Combine a gradient or half a product across processes: the identity on one process."""
        # where each process has a part of every batch, a subclass averages each tensor by `all_reduce`
        return vector

    def _warn_once(self, about: str, text: str) -> None:
        if about not in self._warned:
            self._warned.add(about)
            warnings.warn(text, stacklevel=4)  # who called `step`, which torch wraps

    def _owned(self, player: int) -> list[tuple[dict[str, Any], Tensor]]:
        """Return a player's trainable parameters, each with its group."""
        return [
            (group, parameter)
            for group in self.param_groups
            if group["player"] == player
            for parameter in group["params"]
            if parameter.requires_grad and parameter.numel() > 0
        ]

    def _learning_rates(self, player: int) -> list[float]:
        """Return one learning rate per trainable parameter of a player."""
        rates = {id(group): current_lr(group["lr"]) for group in self.param_groups}
        return [rates[id(group)] for group, _ in self._owned(player)]

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "param_groups" in self.__dict__:  # loading into a live optimizer rather than unpickling
            check_state(state["param_groups"], self.param_groups)
        super().__setstate__(state)
        self.defaults.pop("differentiable", None)  # torch's, who would pass it on to every later group

    def __getstate__(self) -> dict[str, Any]:
        names = (
            "_max_lr",
            "_max_skips",
            "_skipped_in_a_row",
            "_skipped_total",
            "_last_step",
            "_players",
            "_warned",
        )
        return {**super().__getstate__(), **{name: getattr(self, name) for name in names}}
