"""The losses by the names that a configuration uses."""

from __future__ import annotations

from gamedyn.gan.losses.logistic import Minimax, NonSaturating
from gamedyn.gan.losses.loss import GANLoss
from gamedyn.gan.losses.wasserstein import Wasserstein

LOSSES: dict[str, GANLoss] = {
    "minimax": Minimax(),
    "non-saturating": NonSaturating(),
    "wgan": Wasserstein(),
}
"""The losses by the names that a configuration uses."""
