"""Optimizers for games, each a `torch.optim.Optimizer`: schedule × metric × direction.

=========  ============  ========  ===========
optimizer  schedule      metric    direction
=========  ============  ========  ===========
`SimGD`    simultaneous  constant  gradient
`AltGD`    alternating   constant  gradient
`CGD`      simultaneous  constant  competitive
`ACGD`     simultaneous  RMS       competitive
=========  ============  ========  ===========
"""

from gamedyn.divergence import DivergenceError
from gamedyn.optimizers.acgd import ACGD
from gamedyn.optimizers.alt_gd import AltGD
from gamedyn.optimizers.base import GameOptimizer
from gamedyn.optimizers.cgd import CGD
from gamedyn.optimizers.report import StepReport
from gamedyn.optimizers.sim_gd import SimGD

__all__ = ["ACGD", "CGD", "AltGD", "DivergenceError", "GameOptimizer", "SimGD", "StepReport"]
