"""Penalties: added to what the discriminator minimises, on generated samples cut off from the generator.

That leaves them without a part in the mixed second derivatives: `GANObjective` adds a penalty's gradient to
the discriminator's and keeps its structured products. A penalty sees what the discriminator sees: with
instance noise, the noisy samples.
"""

from gamedyn.gan.penalties.clipping import clip_weights as clip_weights
from gamedyn.gan.penalties.gradient_penalty import GradientPenalty as GradientPenalty
from gamedyn.gan.penalties.penalty import Penalty as Penalty
from gamedyn.gan.penalties.penalty import RandomPenalty as RandomPenalty
from gamedyn.gan.penalties.penalty import total_penalty as total_penalty
from gamedyn.gan.penalties.penalty import with_draws as with_draws
from gamedyn.gan.penalties.weight_decay import WeightDecay as WeightDecay
from gamedyn.gan.penalties.zero_centred import R1 as R1
from gamedyn.gan.penalties.zero_centred import R2 as R2
