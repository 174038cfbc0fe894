"""Simultaneous gradient descent."""

from torch import Tensor

from gamedyn.optimizers.base import GameOptimizer, Proposal
from gamedyn.optimizers.evaluation import Evaluation
from gamedyn.optimizers.gradient import descend, own_gradients, role
from gamedyn.optimizers.players import Params


class SimGD(GameOptimizer):
    r"""Simultaneous gradient descent: all players step at once, each along its own gradient.

    .. math::
        x_{t+1} = x_t - η_x ∇_x f(x_t, y_t), \qquad y_{t+1} = y_t + η_y ∇_y f(x_t, y_t)

    in a zero-sum game; in a general-sum game every player descends its own loss. One evaluation and one
    gradient of every player a step. On `f = xy` it spirals outwards for every step size, by
    `√(1 + η_x η_y)` a step.

    Args:
        min_params: Parameters of player 0, the minimiser; or group dicts that each have a `"player"` key,
            for two or more players.
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
        >>> opt = SimGD([x], [y], lr=0.1)
        >>> loss = opt.step(lambda: (x * y).sum())
        >>> x.item(), y.item()
        (0.9, 1.1)

    References:
        Schäfer, Zheng and Anandkumar (2020), Implicit competitive regularization in GANs, section 2.
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
        losses, players = evaluation(), self.players
        points = [
            descend(
                parameters,
                self._reduce(evaluation.completed(player, gradient, parameters)),
                self._learning_rates(player),
                role(losses, player),
            )
            for player, (parameters, gradient) in enumerate(
                zip(players, own_gradients(losses, players), strict=True)
            )
        ]
        return Proposal(points)
