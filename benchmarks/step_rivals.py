"""The packages on PyPI that step the same way: CGDs and torch-cgd, told to solve the same system.

Both take tolerances on squared norms (torch-cgd's GMRES on norms), so that they stop where ours does. CGDs
starts each solve from its own last one and solves for the players in turn, as it always does. torch-cgd's
settings are gamedyn's and CGDs' (`β = 0.99`, `ε = 1e-5`), so that its system is the same; a row of its own
shows it at its defaults, whose larger `ε` makes for an easier system.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from step_device import clock
from step_games import Game
from step_recording import Contender, Recorder, Solved
from step_residual import COMMON, Metric, Rates
from torch import Tensor

try:
    import CGDs
    from CGDs import acgd as cgds_module
    from CGDs import cgd_utils
except ImportError:
    CGDs = None
try:
    import torch_cgd
except ImportError:
    torch_cgd = None

MISSING = [
    name for name, module in (("CGDs==0.4.5", CGDs), ("torch-cgd==0.0.2", torch_cgd)) if module is None
]
"""Packages that are not installed."""

PATIENCE = {"cpu": 60.0, "cuda": 10.0}
"""Seconds that a rival's step may take: the conjugate gradients of neither have a limit that would bind."""

_OWN = Metric(beta=0.9, eps=1e-3)  # torch-cgd's defaults
_SOLVE = None if CGDs is None else Recorder(cgds_module, "general_conjugate_gradient")


class GaveUpError(Exception):
    """Raised within a step that does not come to an end."""


class Patience:
    """The products of a step, counted for as long as its device's patience lasts.

    Args:
        device: Where the step is taken.
    """

    def __init__(self, device: torch.device) -> None:
        self._limit, self._now = PATIENCE[device.type], clock(device)
        self.start()

    def start(self) -> None:
        """Begin with a step."""
        self.products, self._start = 0, self._now()

    def count(self) -> None:
        """Count a product that is about to be taken."""
        spent = self._now() - self._start
        if spent > self._limit:
            raise GaveUpError(f"not finished after {self.products} products, {spent:.0f} s")
        self.products += 1


def rivals(game: Game, rtol: float, *, every: bool = False) -> dict[str, Contender]:
    """Build the rivals that are installed, at one tolerance on the residual's norm.

    Args:
        game: The game.
        rtol: The tolerance.
        every: Whether torch-cgd's default solver and its default metric get a row, too.
    """
    entries: dict[str, Contender] = {}
    if CGDs is not None:
        entries[f"CGDs ACGD rtol={rtol:g}"] = _cgds(game, rtol)
    if torch_cgd is not None:
        solvers = torch_cgd.solvers
        entries[f"torch-cgd ACGD rtol={rtol:g}"] = _torch_cgd(game, COMMON, solvers.CG(rtol * rtol, 0.0))
    if torch_cgd is not None and every:
        entries[f"torch-cgd ACGD, GMRES rtol={rtol:g}"] = _torch_cgd(game, COMMON, solvers.GMRES(rtol, 0.0))
        own = _torch_cgd(game, _OWN, solvers.CG(rtol * rtol, 0.0))
        own.note = f"β = {_OWN.beta:g}, ε = {_OWN.eps:g}: an easier system"
        entries[f"torch-cgd ACGD, its own metric rtol={rtol:g}"] = own
    return entries


def _cgds(game: Game, rtol: float) -> Contender:
    optimizer = CGDs.ACGD(
        game.y,
        game.x,
        lr_max=game.lr,
        lr_min=game.lr,
        eps=COMMON.eps,
        beta=COMMON.beta,
        tol=rtol * rtol,
        atol=0.0,
    )
    result: Any = None
    patience, product = Patience(game.device), cgd_utils.Hvp_vec

    def patient(*args: Any, **kwargs: Any) -> Tensor:
        patience.count()
        return product(*args, **kwargs)

    def step() -> None:
        nonlocal result
        patience.start()
        cgd_utils.Hvp_vec = patient
        try:
            optimizer.step(game.value())
        finally:
            cgd_utils.Hvp_vec = product
        assert _SOLVE is not None
        result = _SOLVE.last

    def solved() -> Solved:
        (solution, iterations), last_solved_max = result, optimizer.state["solve_x"]  # toggled by the step
        return ("y", solution, iterations) if last_solved_max else ("x", -solution, iterations)

    def adopt(rates: Rates) -> None:
        of_x, of_y = rates.squares
        optimizer.state.update(sq_exp_avg_max=of_y.clone(), sq_exp_avg_min=of_x.clone(), step=rates.steps)

    def load(state: dict[str, Any]) -> None:
        optimizer.state.update(copy.deepcopy(state))

    return Contender(
        step, solved, COMMON, adopt=adopt, save=lambda: copy.deepcopy(optimizer.state), load=load
    )


class _Counted:
    """torch-cgd's operator, counting its products and giving up after a while.

    Args:
        solver: The solver that it is handed to.
        patience: Counts the products.
    """

    def __init__(self, solver: Any, patience: Patience) -> None:
        self._solver, self.patience = solver, patience

    def solve(self, operator: Any, rhs: Tensor) -> Tensor:
        """Solve, as the solver does."""
        self._operator = operator
        self.patience.start()
        return self._solver.solve(self, rhs)

    def __matmul__(self, vector: Tensor) -> Tensor:
        """Return the operator's product."""
        self.patience.count()
        return self._operator @ vector


def _torch_cgd(game: Game, metric: Metric, solver: Any) -> Contender:
    patience = Patience(game.device)
    counted = _Counted(solver, patience)
    optimizer = torch_cgd.ACGD(game.x, game.y, lr=game.lr, beta=metric.beta, eps=metric.eps, solver=counted)
    names = ("vx", "vy", "timestep", "prev_sol")

    def solved() -> Solved:
        return "x", -optimizer.prev_sol.view(-1), patience.products - 1  # one product is the residual of zero

    def adopt(rates: Rates) -> None:
        optimizer.vx, optimizer.vy = (square.clone() for square in rates.squares)
        optimizer.timestep = rates.steps

    def save() -> dict[str, Any]:
        return {name: copy.deepcopy(getattr(optimizer, name)) for name in names}

    def load(state: dict[str, Any]) -> None:
        for name, value in copy.deepcopy(state).items():
            setattr(optimizer, name, value)

    return Contender(lambda: optimizer.step(game.value()), solved, metric, adopt=adopt, save=save, load=load)
