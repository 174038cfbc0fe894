"""Competitive gradient descent."""

from collections.abc import Sequence

from torch import Tensor

from gamedyn.optimizers.competitive import CompetitiveOptimizer, Metric, SolverOptions
from gamedyn.optimizers.players import Params
from gamedyn.solvers.vectors import Vector


class CGD(CompetitiveOptimizer):
    r"""Competitive gradient descent: each step is the Nash equilibrium of the local bilinear game.

    .. math::
        Δx &= -η_x (I + η_x η_y D_{xy} D_{yx})^{-1} (∇_x f + η_y D_{xy} ∇_y f) \\
        Δy &= +η_y (I + η_x η_y D_{yx} D_{xy})^{-1} (∇_y f - η_x D_{yx} ∇_x f)

    in a zero-sum game, by conjugate gradients; in a general-sum game `(f, g)`, by restarted GMRES, the joint
    solution of `Δx = -η_x (∇ₓf + D_xy f Δy)`, `Δy = -η_y (∇_y g + D_yx g Δx)`. Nothing is formed: a step with
    `k` iterations costs one gradient of both players and `2k + 1` products with the mixed Hessian, each about
    the price of a gradient. On `f = xy` it contracts by `1/√(1 + η_x η_y)` a step for every step size.

    Args:
        min_params: Parameters of player 0, the minimiser; or group dicts that each have a `"player"` key.
        max_params: Parameters of player 1, the maximiser.
        lr: Learning rate; a number or a one-element tensor, of which each group takes a copy.
        max_lr: Player 1's learning rate where it differs from `lr`.
        rtol: Tolerance on the solve's true residual, `‖r‖ ≤ rtol·‖b‖` (on norms, not on squares). Under
            bfloat16 autocast, whose products are right to 0.4 %, 1e-2 is what can be reached.
        atol: Absolute tolerance on the residual's norm; the larger bound counts.
        max_iter: The most Krylov iterations a step. A truncated step is still a safe one (never longer than
            a few gradient steps), and `last_step` reports it.
        check_every: Iterations between two reads of the device (engine "torch"), by which a solve may run on
            too long; they count. On an accelerator 5 or so lets it compute ahead; on a CPU it only costs.
        restart: Iterations per GMRES cycle (general-sum games only).
        engine: "torch", or the Krylov methods of "scipy" (CPU) or "cupy" (CUDA), which use exact products
            only where a structured closure offers relaxed ones.
        warm_start: Whether each solve starts from player 0's last move.
        max_skips: Non-finite steps in a row after which `DivergenceError` is raised.
        options: Torch options that are off (`foreach=None`, `maximize=False`, ...) are accepted.

    Raises:
        TypeError: For parameters that are not real dense tensors, and for unknown keywords.
        ValueError: For a missing maximiser, a parameter with two owners or a wrong hyper-parameter.

    Example:
        >>> import torch
        >>> x, y = (torch.ones(1, dtype=torch.float64, requires_grad=True) for _ in range(2))
        >>> opt = CGD([x], [y], lr=0.1)
        >>> loss = opt.step(lambda: (x * y).sum())
        >>> round(x.item(), 8), round(y.item(), 8)
        (0.89108911, 1.08910891)

    References:
        Schäfer and Anandkumar (2019), Competitive Gradient Descent, eq. 3 and Algorithm 1.

    Notes:
        The solve minimises `½‖ξ + a‖² + ½‖c + Kξ‖²` in the players' scaled variables, which yields the other
        player's move without a further product; see `gamedyn.solvers.ZeroSumSystem`. The official code stops
        on squared norms, so its `tol=1e-12` is `rtol=1e-6` here.
    """

    def __init__(
        self,
        min_params: Params,
        max_params: Params | None = None,
        *,
        lr: float | Tensor = 1e-3,
        max_lr: float | Tensor | None = None,
        rtol: float = 1e-3,
        atol: float = 0.0,
        max_iter: int = 100,
        check_every: int = 1,
        restart: int = 20,
        engine: str = "torch",
        warm_start: bool = False,
        max_skips: int = 20,
        **options: bool | None,
    ) -> None:
        solver = SolverOptions(rtol, atol, max_iter, check_every, restart, engine, warm_start)
        super().__init__(
            min_params, max_params, {"lr": lr}, solver, max_lr=max_lr, max_skips=max_skips, options=options
        )

    def _metric(self, gradients: Sequence[Vector]) -> Metric:
        """Constant: the learning rates themselves."""
        return [self._learning_rates(0), self._learning_rates(1)], []
