"""One training step, by an optimizer for games or by two ordinary optimizers in turn."""

from gamedyn.gan.steps.alternating import Alternating as Alternating
from gamedyn.gan.steps.simultaneous import GameOptimizer as GameOptimizer
from gamedyn.gan.steps.simultaneous import Simultaneous as Simultaneous
from gamedyn.gan.steps.stepper import DrawBatch as DrawBatch
from gamedyn.gan.steps.stepper import Stepper as Stepper
from gamedyn.gan.steps.stepper import StepRecord as StepRecord
from gamedyn.gan.steps.unrolled import Unrolled as Unrolled
