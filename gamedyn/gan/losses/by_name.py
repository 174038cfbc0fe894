"""The losses by the names that a configuration uses."""

from __future__ import annotations

from gamedyn.gan.losses.hinge import Hinge
from gamedyn.gan.losses.least_squares import LeastSquares
from gamedyn.gan.losses.logistic import Minimax, NonSaturating
from gamedyn.gan.losses.loss import GANLoss
from gamedyn.gan.losses.relativistic import RelativisticPairing
from gamedyn.gan.losses.wasserstein import Wasserstein

LOSSES: dict[str, GANLoss] = {
    "minimax": Minimax(),
    "non-saturating": NonSaturating(),
    "wgan": Wasserstein(),
    "hinge": Hinge(),
    "lsgan": LeastSquares(),
    "rpgan": RelativisticPairing(),
}
"""The losses by the names that a configuration uses."""

SMOOTHED: dict[str, type[Minimax | NonSaturating]] = {"minimax": Minimax, "non-saturating": NonSaturating}
"""The logistic ones, whose labels can be smoothed."""


def build_loss(name: str, *, label_smoothing: float = 0.0) -> GANLoss:
    """Give the loss of a name.

    Args:
        name: One of `LOSSES`.
        label_smoothing: One-sided label smoothing, for the logistic losses; see `Minimax`.

    Returns:
        The loss.

    Raises:
        ValueError: If there is no such loss, or labels are to be smoothed of one that is not logistic.

    Example:
        >>> build_loss("minimax", label_smoothing=0.1)
        Minimax(label_smoothing=0.1)
    """
    if name not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {name!r}")
    if name in SMOOTHED:
        return SMOOTHED[name](label_smoothing)
    if label_smoothing:
        raise ValueError(
            f"label_smoothing is written for the logistic losses ({', '.join(SMOOTHED)}), got "
            f"{label_smoothing!r} with {name!r}"
        )
    return LOSSES[name]
