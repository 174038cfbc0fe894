r"""GAN losses, written once for closures and for alternating optimizers.

Player 0 is the generator and minimises; player 1 is the discriminator (critic). A zero-sum loss is
one value `f` that the discriminator maximises; a general-sum loss is a pair, each entry minimised by
its player. Calling a loss gives what `optimizer.step(closure)` wants; its `generator` and
`discriminator` methods give the same game one player at a time, which is what two `torch.optim`
optimizers in turn want: at equal scores the gradients agree.
"""

from gamedyn.gan.losses.by_name import LOSSES as LOSSES
from gamedyn.gan.losses.by_name import build_loss as build_loss
from gamedyn.gan.losses.hinge import Hinge as Hinge
from gamedyn.gan.losses.least_squares import LeastSquares as LeastSquares
from gamedyn.gan.losses.logistic import Minimax as Minimax
from gamedyn.gan.losses.logistic import NonSaturating as NonSaturating
from gamedyn.gan.losses.loss import GANLoss as GANLoss
from gamedyn.gan.losses.relativistic import RelativisticPairing as RelativisticPairing
from gamedyn.gan.losses.wasserstein import Wasserstein as Wasserstein
