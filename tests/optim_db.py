"""One row per optimizer: how it is built, what it refuses, what it can do.

The generic tests (`test_optimizer_*.py`) loop over `OPTIMIZERS`; a new optimizer joins the whole suite by a
row here. Modelled on torch's own `OptimizerInfo` (torch/testing/_internal/common_optimizers.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from small_game import Pair, ones
from torch import nn

from gamedyn.optimizers import ACGD, CGD, AltGD, GameOptimizer, SimGD


@dataclass(frozen=True)
class ErrorInput:
    """A constructor call that must fail: `make()` gives its positional arguments."""

    label: str
    error: type[Exception]
    match: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    make: Callable[[], tuple[Any, ...]] | None = None

    def arguments(self) -> tuple[Any, ...]:
        return self.make() if self.make else ([ones()], [ones()])


@dataclass(frozen=True)
class OptimizerInfo:
    """What the generic tests have to know about one optimizer.

    `inputs` are valid keyword sets (labelled), `errors` invalid ones, `evaluations` the closure calls of a
    step, `stateful` whether a step leaves per-parameter state, `many_players` whether more than two may play.
    """

    cls: type[GameOptimizer]
    inputs: dict[str, dict[str, Any]]
    errors: tuple[ErrorInput, ...]
    evaluations: int = 1
    stateful: bool = False
    competitive: bool = False
    many_players: bool = False

    @property
    def name(self) -> str:
        return self.cls.__name__

    def __repr__(self) -> str:
        return self.name

    def build(self, pair: Pair, **kwargs: Any) -> GameOptimizer:
        """Build the optimizer with a learning rate at which the test game moves visibly."""
        return self.cls(*pair, **{"lr": 0.05, **kwargs})


def _players() -> tuple[ErrorInput, ...]:
    def shared() -> tuple[Any, ...]:
        p = ones()
        return [p], [ones(), p]

    def twice() -> tuple[Any, ...]:
        p = ones()
        return [{"params": [p]}, {"params": [p]}], [ones()]

    def used_up() -> tuple[Any, ...]:
        used = iter([ones()])
        list(used)
        return [ones()], [{"params": used}]

    def owned(*players: Any) -> Callable[[], tuple[Any, ...]]:
        return lambda: ([{"params": [ones()], "player": player} for player in players],)

    real = ([ones()],)
    return (
        ErrorInput("no maximiser", ValueError, "no maximiser: pass max_params", make=lambda: real),
        ErrorInput("empty list", ValueError, "no maximiser", make=lambda: ([],)),
        ErrorInput(
            "groups without player", ValueError, '"player" key', make=lambda: ([{"params": [ones()]}],)
        ),
        ErrorInput("empty minimiser", ValueError, "player 0.*no parameters", make=lambda: ([], [ones()])),
        ErrorInput("empty maximiser", ValueError, "player 1.*no parameters", make=lambda: ([ones()], [])),
        ErrorInput("used-up generator", ValueError, "player 1 has no parameters", make=used_up),
        ErrorInput("shared parameter", ValueError, "belongs to player 0 and to player 1", make=shared),
        ErrorInput("parameter in two groups", ValueError, "more than one parameter group", make=twice),
        ErrorInput(
            "single tensor", TypeError, "iterable of tensors.*Parameter", make=lambda: (ones(), [ones()])
        ),
        ErrorInput("single maximiser", TypeError, "max_params should be", make=lambda: ([ones()], ones())),
        ErrorInput(
            "single group", TypeError, "wrap it in a list", make=lambda: ({"params": [ones()]}, [ones()])
        ),
        ErrorInput(
            "learning rate for a player",
            TypeError,
            r"max_params should be .* got 0\.001: .*lr=1e-3",
            make=lambda: ([ones()], 1e-3),
        ),
        ErrorInput(
            "modules",
            TypeError,
            r"min_params is the module Linear: pass .* net.parameters\(\)",
            make=lambda: (nn.Linear(1, 1), [ones()]),
        ),
        ErrorInput(
            "sequential modules",
            TypeError,
            "max_params is the module Sequential: pass its parameters",
            make=lambda: ([ones()], nn.Sequential(nn.Linear(1, 1))),
        ),
        ErrorInput(
            "module in a group",
            TypeError,
            '"params" is the module Linear',
            make=lambda: ([{"params": nn.Linear(1, 1)}], [ones()]),
        ),
        ErrorInput("set", TypeError, "is a set, whose order", make=lambda: ({ones()}, [ones()])),
        ErrorInput("set in a group", TypeError, "sets", make=lambda: ([{"params": {ones()}}], [ones()])),
        ErrorInput("no params key", ValueError, '"params".*lr', make=lambda: ([{"lr": 0.1}], [ones()])),
        ErrorInput(
            "mixed", TypeError, "mixes group", make=lambda: ([{"params": [ones()]}, ones()], [ones()])
        ),
        ErrorInput(
            "not a tensor", TypeError, "can only optimize Tensors.*str", make=lambda: (["w"], [ones()])
        ),
        ErrorInput("non-leaf", ValueError, "non-leaf", make=lambda: ([ones() * 2], [ones()])),
        ErrorInput(
            "some names", ValueError, "names are missing", make=lambda: ([("a", ones()), ones()], [ones()])
        ),
        ErrorInput("one player named", ValueError, "without names", make=lambda: ([("a", ones())], [ones()])),
        ErrorInput("gap", ValueError, "without a gap", make=owned(0, 2)),
        ErrorInput("one player", ValueError, "at least two", make=owned(0, 0)),
        ErrorInput("negative player", ValueError, "got -1", make=owned(0, -1)),
        ErrorInput("player by name", ValueError, "got 'generator'", make=owned("generator", 1)),
        ErrorInput(
            "wrong player",
            ValueError,
            "player=1",
            make=lambda: ([{"params": [ones()], "player": 1}], [ones()]),
        ),
        ErrorInput(
            "max_lr of groups", ValueError, "max_lr=0.1 needs max_params", {"max_lr": 0.1}, owned(0, 1)
        ),
        ErrorInput(
            "complex", TypeError, "complex.*view_as_real", make=lambda: ([ones(dtype=torch.cfloat)], [ones()])
        ),
        ErrorInput(
            "sparse", TypeError, "sparse.*sparse_coo", make=lambda: ([torch.eye(2).to_sparse()], [ones()])
        ),
        ErrorInput(
            "integers", TypeError, "floating-point.*int64", make=lambda: ([torch.ones(2).long()], [ones()])
        ),
    )


def _options() -> tuple[ErrorInput, ...]:
    bad_rates = {
        "NaN": math.nan,
        "negative": -0.5,
        "infinite": math.inf,
        "text": "0.1",
        "None": None,
        "True": True,
        "complex": 1j,
        "NaN tensor": torch.tensor(math.nan),
        "negative tensor": torch.tensor(-0.5),
        "complex tensor": torch.tensor(1j),
    }
    rate = "Invalid learning rate: "
    shown = {"NaN": "nan", "negative": "-0.5", "infinite": "inf"}
    errors = [
        ErrorInput(f"{label} lr", ValueError, rate + shown.get(label, ""), {"lr": lr})
        for label, lr in bad_rates.items()
    ]
    errors += [
        ErrorInput(f"{label} max_lr", ValueError, rate + shown[label], {"max_lr": bad_rates[label]})
        for label in ("NaN", "negative")
    ]
    for player in (0, 1):
        arguments: list[Any] = [[ones()], [ones()]]
        arguments[player] = [{"params": [ones()], "lr": math.nan}]
        errors.append(
            ErrorInput(f"NaN lr of player {player}'s group", ValueError, rate + "nan", make=arguments.copy)
        )
    errors.append(ErrorInput("lr of two", ValueError, "1-element", {"lr": torch.tensor([0.1, 0.1])}))
    errors.append(
        ErrorInput("unknown keyword", TypeError, "unexpected keyword argument 'larning'", {"larning": 1})
    )
    errors += [
        ErrorInput(f"{name} on", ValueError, f"{name}=.*is not supported", {name: value})
        for name, value in FOREIGN.items()
    ]
    errors.append(
        ErrorInput(
            "foreign option in a group",
            ValueError,
            "maximize=True is not supported",
            make=lambda: ([{"params": [ones()], "maximize": True}], [ones()]),
        )
    )
    errors += [
        ErrorInput(f"max_skips {bad}", ValueError, "max_skips", {"max_skips": bad})
        for bad in (0, 1.5, True, "3", None)
    ]
    return tuple(errors)


FOREIGN: dict[str, Any] = {
    "maximize": True,
    "foreach": True,
    "fused": True,
    "capturable": True,
    "differentiable": True,
    "weight_decay": 0.01,
    "momentum": 0.9,
    "nesterov": True,
    "betas": (0.5, 0.999),
    "amsgrad": True,
}
"""Options of torch's optimizers, switched on; off, they are accepted."""

_COMMON = (*_players(), *_options())

_INPUTS: dict[str, dict[str, Any]] = {
    "default": {},
    "lr": {"lr": 0.01},
    "two time scales": {"lr": 0.01, "max_lr": 0.04},
    "zero lr": {"lr": 0.0},
    "0-dim lr": {"lr": torch.tensor(0.01)},
    "1-element lr": {"lr": torch.tensor([0.01]), "max_lr": torch.tensor(0.03)},
    "torch options off": dict.fromkeys(FOREIGN, False) | {"foreach": None, "weight_decay": 0},
    "max_skips": {"max_skips": 3},
}

_SOLVER_INPUTS: dict[str, dict[str, Any]] = {
    "tight": {"rtol": 1e-10},
    "absolute": {"rtol": 0.0, "atol": 1e-6},
    "truncated": {"max_iter": 2},
    "checked rarely": {"check_every": 4},
    "restarted": {"restart": 3},
    "scipy": {"engine": "scipy"},
    "warm": {"warm_start": True},
}

_SOLVER_ERRORS = (
    *(
        ErrorInput(f"rtol {bad}", ValueError, "Invalid rtol", {"rtol": bad})
        for bad in (-1.0, math.nan, math.inf)
    ),
    *(ErrorInput(f"atol {bad}", ValueError, "Invalid atol", {"atol": bad}) for bad in (-1.0, math.nan)),
    *(
        ErrorInput(
            f"{name} of type {type(bad).__name__}", ValueError, f"Invalid {name}: {bad!r}", {name: bad}
        )
        for name in ("rtol", "atol", "max_iter", "check_every", "restart")
        for bad in ("a", None, False, 1j)
    ),
    *(
        ErrorInput(f"max_iter {b}", ValueError, "Invalid max_iter", {"max_iter": b})
        for b in (0, -1, 2.5, True)
    ),
    *(
        ErrorInput(f"check_every {b}", ValueError, "Invalid check_every", {"check_every": b})
        for b in (0, -1, 2.5, True)
    ),
    *(ErrorInput(f"restart {bad}", ValueError, "Invalid restart", {"restart": bad}) for bad in (0, 1.5)),
    ErrorInput("engine", ValueError, "Invalid engine: 'magma'.*torch, scipy, cupy", {"engine": "magma"}),
    ErrorInput("warm_start", TypeError, "Invalid warm_start: 1", {"warm_start": 1}),
    ErrorInput(
        "solver option of one group",
        ValueError,
        "rtol=0.1 in a group",
        make=lambda: ([{"params": [ones()], "rtol": 0.1}], [ones()]),
    ),
    ErrorInput(
        "three players",
        ValueError,
        "games of two players, the groups name 3",
        make=lambda: ([{"params": [ones()], "player": player} for player in range(3)],),
    ),
)

_ADAPTIVE_ERRORS = (
    *(ErrorInput(f"beta {bad}", ValueError, "Invalid beta", {"beta": bad}) for bad in (1.0, -0.1, math.nan)),
    *(
        ErrorInput(f"eps {bad}", ValueError, "Invalid eps", {"eps": bad})
        for bad in (-1e-8, math.nan, math.inf)
    ),
    *(
        ErrorInput(
            f"{name} of type {type(bad).__name__}", ValueError, f"Invalid {name}: {bad!r}", {name: bad}
        )
        for name in ("beta", "eps")
        for bad in ("a", None, False, 1j)
    ),
    ErrorInput("scaling", ValueError, "Invalid scaling: 'adam'.*official, paper", {"scaling": "adam"}),
    ErrorInput(
        "beta of one group",
        ValueError,
        "Invalid beta: 2.0",
        make=lambda: ([{"params": [ones()], "beta": 2.0}], [ones()]),
    ),
)

_ADAPTIVE_INPUTS: dict[str, dict[str, Any]] = {
    "beta": {"beta": 0.9},
    "no memory": {"beta": 0.0},
    "eps": {"eps": 1e-8},
    "no eps": {"eps": 0.0},
    "paper": {"scaling": "paper"},
}

OPTIMIZERS = (
    OptimizerInfo(SimGD, _INPUTS, _COMMON, many_players=True),
    OptimizerInfo(AltGD, _INPUTS, _COMMON, evaluations=2, many_players=True),
    OptimizerInfo(CGD, _INPUTS | _SOLVER_INPUTS, (*_COMMON, *_SOLVER_ERRORS), competitive=True),
    OptimizerInfo(
        ACGD,
        _INPUTS | _SOLVER_INPUTS | _ADAPTIVE_INPUTS,
        (*_COMMON, *_SOLVER_ERRORS, *_ADAPTIVE_ERRORS),
        stateful=True,
        competitive=True,
    ),
)

every_optimizer = pytest.mark.parametrize("info", OPTIMIZERS, ids=lambda info: info.name)
competitive = pytest.mark.parametrize(
    "info", [info for info in OPTIMIZERS if info.competitive], ids=lambda info: info.name
)
first_order = pytest.mark.parametrize(
    "info", [info for info in OPTIMIZERS if not info.competitive], ids=lambda info: info.name
)
every_input = pytest.mark.parametrize(
    ("info", "kwargs"),
    [
        pytest.param(info, kwargs, id=f"{info.name}-{label}")
        for info in OPTIMIZERS
        for label, kwargs in info.inputs.items()
    ],
)
every_error = pytest.mark.parametrize(
    ("info", "bad"),
    [pytest.param(info, bad, id=f"{info.name}-{bad.label}") for info in OPTIMIZERS for bad in info.errors],
)
