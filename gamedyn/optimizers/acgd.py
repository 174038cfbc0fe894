"""Adaptive competitive gradient descent."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gamedyn.optimizers.competitive import CompetitiveOptimizer, Metric, SolverOptions
from gamedyn.optimizers.players import Params
from gamedyn.solvers.options import is_number
from gamedyn.solvers.vectors import Scaling, Vector

_SCALINGS = ("official", "paper")


class ACGD(CompetitiveOptimizer):
    r"""Adaptive competitive gradient descent: CGD in the metric of RMSProp.

    With `v ← β v + (1−β) g²` for each player, from the current gradient and without momentum, the step is
    that of `CGD` with the diagonal step sizes

    .. math::
        A = \sqrt{1-β^t}\, \frac{η}{\sqrt{v} + ε} \quad\text{(official)} \qquad
        A = \frac{η}{\sqrt{v / (1-β^t)} + ε} \quad\text{(paper)}

    that is, `Δx = −A_x^{1/2} (I + A_x^{1/2} D_xy A_y D_yx A_x^{1/2})^{-1} A_x^{1/2} (∇ₓf + D_xy A_y ∇_y f)`,
    and `Δy = A_y (∇_y f + D_yx Δx)`. In a general-sum game both players descend their own loss and GMRES
    solves.

    Args:
        min_params: Parameters of player 0, the minimiser; or group dicts that each have a `"player"` key.
        max_params: Parameters of player 1, the maximiser.
        lr: Learning rate; a number or a one-element tensor, of which each group takes a copy.
        max_lr: Player 1's learning rate where it differs from `lr`.
        beta: Decay of the running mean square of the gradients.
        eps: Added to the root mean square.
        scaling: "official" for the form of the authors' code, "paper" for that of Algorithm 1. They differ
            by where `ε` meets the bias correction.
        rtol: Tolerance on the solve's true residual, `‖r‖ ≤ rtol·‖b‖` (on norms, not on squares). Under
            bfloat16 autocast, whose products are right to 0.4 %, 1e-2 is what can be reached.
        atol: Absolute tolerance on the residual's norm; the larger bound counts.
        max_iter: The most Krylov iterations a step. A truncated step is still a safe one (never longer than
            a few gradient steps in its metric), and `last_step` reports it.
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
        >>> opt = ACGD([x], [y], lr=0.1)
        >>> loss = opt.step(lambda: (x * y).sum())
        >>> round(x.item(), 10), round(y.item(), 10)
        (0.8911007732, 1.0891011672)

    References:
        Schäfer, Zheng and Anandkumar (2020), Implicit competitive regularization in GANs, Algorithm 1; the
        authors' package CGDs.

    Notes:
        The state holds `√v` rather than `v` and updates it as a hypotenuse, so that gradients around 1e±25
        neither over- nor underflow in float32. The official code starts every solve from the last one and
        solves for the players in turn; here player 0's system is solved, from zero unless `warm_start`.
    """

    def __init__(
        self,
        min_params: Params,
        max_params: Params | None = None,
        *,
        lr: float | Tensor = 1e-3,
        max_lr: float | Tensor | None = None,
        beta: float = 0.99,
        eps: float = 1e-5,
        scaling: str = "official",
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
        defaults = {"lr": lr, "beta": beta, "eps": eps, "scaling": scaling}
        super().__init__(
            min_params, max_params, defaults, solver, max_lr=max_lr, max_skips=max_skips, options=options
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; `lr`, `beta`, `eps` and `scaling` may be its own.

        Args:
            param_group: A dict with `"params"`, `"player"` and any of the options.

        Raises:
            TypeError: For parameters that are not real dense tensors.
            ValueError: For an unknown player, a parameter with two owners or a wrong option.
        """
        _check({**self.defaults, **param_group} if isinstance(param_group, dict) else self.defaults)
        super().add_param_group(param_group)

    def _metric(self, gradients: Sequence[Vector]) -> Metric:
        """RMS: each coordinate's learning rate over its root mean square gradient."""
        for group in self.param_groups:  # a user may have changed what they hold
            _check(group)
        rates: list[Scaling] = []
        state: list[tuple[Tensor, dict[str, Any]]] = []
        for player, gradient in enumerate(gradients):
            sizes: list[Tensor] = []
            learning_rates = self._learning_rates(player)
            for (group, parameter), derivative, lr in zip(
                self._owned(player), gradient, learning_rates, strict=True
            ):
                size, entries = _adapt(group, lr, self.state.get(parameter, {}), derivative)
                sizes.append(size)
                state.append((parameter, entries))
            rates.append(sizes)
        return rates, state


def _adapt(
    group: dict[str, Any], lr: float, state: dict[str, Any], gradient: Tensor
) -> tuple[Tensor, dict[str, Any]]:
    """Return one tensor's step sizes, in float32 at least, and its new state, leaving the old one alone."""
    beta = group["beta"]
    innovation = gradient * math.sqrt(1.0 - beta)
    if "step" in state:
        step = state["step"] + 1.0
        root_mean_square = torch.hypot(state["root_mean_square"] * math.sqrt(beta), innovation)
    else:
        step = torch.tensor(1.0)
        root_mean_square = innovation.abs()
    correction = math.sqrt(1.0 - beta ** step.item())
    # 1/ε is beyond float16, in which a coordinate without a gradient would get an infinite step size
    wide = root_mean_square.to(torch.promote_types(root_mean_square.dtype, torch.float32))
    if group["scaling"] == "official":
        size = correction * lr / (wide + group["eps"])
    else:
        size = lr / (wide / correction + group["eps"])
    if group["eps"] == 0.0:  # a coordinate that never had a gradient does not move
        size = torch.where(wide > 0.0, size, 0.0)
    return size, {"step": step, "root_mean_square": root_mean_square}


def _check(group: dict[str, Any]) -> None:
    beta, eps = group["beta"], group["eps"]
    if not is_number(beta) or not 0.0 <= beta < 1.0:
        raise ValueError(f"Invalid beta: {beta!r} (must be a number in [0, 1))")
    if not is_number(eps) or not 0.0 <= eps < math.inf:
        raise ValueError(f"Invalid eps: {eps!r} (must be a finite number >= 0)")
    if group["scaling"] not in _SCALINGS:
        raise ValueError(f"Invalid scaling: {group['scaling']!r} (choose one of {', '.join(_SCALINGS)})")
