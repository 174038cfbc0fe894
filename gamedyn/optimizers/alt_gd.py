"""Alternating gradient descent."""

import torch
from torch import Tensor

from gamedyn.optimizers.base import GameOptimizer, Proposal
from gamedyn.optimizers.closure import differentiate
from gamedyn.optimizers.evaluation import Evaluation
from gamedyn.optimizers.gradient import descend, role
from gamedyn.optimizers.players import Params
from gamedyn.optimizers.report import SkipStep
from gamedyn.solvers.vectors import Vector, all_finite, clone


class AltGD(GameOptimizer):
    r"""Alternating gradient descent: the players step in turn, each against the others' newest move.

    .. math::
        x_{t+1} = x_t - η_x ∇_x f(x_t, y_t), \qquad y_{t+1} = y_t + η_y ∇_y f(x_{t+1}, y_t)

    in a zero-sum game; in a general-sum game every player in turn descends its own loss. The closure is
    evaluated once per player, so random numbers that both evaluations must share are drawn outside of it. On
    `f = xy` the orbit is a closed ellipse for `η_x η_y < 4`.

    Args:
        min_params: Parameters of player 0, the minimiser, who moves first; or group dicts that each have a
            `"player"` key, for two or more players.
        max_params: Parameters of player 1, the maximiser.
        lr: Learning rate; a number or a one-element tensor, of which each group takes a copy.
        max_lr: Player 1's learning rate where it differs from `lr`.
        max_skips: Non-finite steps in a row after which `DivergenceError` is raised.
        options: Torch options that are off (`foreach=None`, `maximize=False`, ...) are accepted.

    Raises:
        TypeError: For parameters that are not real dense tensors, and for unknown keywords.
        ValueError: For a missing maximiser, a parameter with two owners or a wrong hyper-parameter.

    Example:
        >>> import torch
        >>> x, y = (torch.ones(1, dtype=torch.float64, requires_grad=True) for _ in range(2))
        >>> opt = AltGD([x], [y], lr=0.1)
        >>> loss = opt.step(lambda: (x * y).sum())
        >>> x.item(), y.item()
        (0.9, 1.09)

    Notes:
        `step` returns the loss of the first evaluation. If a later player's half is not finite, the earlier
        players' moves are taken back bit for bit.

        What a closure changes besides its loss, it changes once per player: BatchNorm's running statistics
        advance twice a step. The optimizer sees parameters and no modules, so it cannot hold them still;
        `gamedyn.gan.objective.GANObjective.on` can, and does.

    References:
        Goodfellow et al. (2014), Generative adversarial networks, Algorithm 1.
    """

    def __init__(
        self,
        min_params: Params,
        max_params: Params | None = None,
        *,
        lr: float | Tensor = 1e-3,
        max_lr: float | Tensor | None = None,
        max_skips: int = 20,
        **options: bool | None,
    ) -> None:
        super().__init__(
            min_params, max_params, {"lr": lr}, max_lr=max_lr, max_skips=max_skips, options=options
        )

    def _propose(self, evaluation: Evaluation) -> Proposal:
        players = self.players
        points: list[Vector] = []
        origins: list[Vector] = []
        try:
            for player, parameters in enumerate(players):
                losses = evaluation()
                own = losses if isinstance(losses, Tensor) else losses[player]
                found = differentiate(own, parameters)
                gradient = self._reduce(evaluation.completed(player, found, parameters))
                point = descend(parameters, gradient, self._learning_rates(player), role(losses, player))
                if not all_finite(point):
                    raise SkipStep(f"player {player}'s gradient or update is NaN or infinite")
                points.append(point)
                origins.append(clone(parameters))
                if parameters:
                    torch._foreach_copy_(parameters, point)
        finally:
            # the base class alone commits a step; until then every player stands where it stood
            for parameters, origin in zip(players, origins, strict=False):
                if parameters:
                    torch._foreach_copy_(parameters, origin)
        return Proposal(points)
