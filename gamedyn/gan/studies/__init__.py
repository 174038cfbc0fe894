"""Studies: which method trains, over losses, regularisers, learning rates and seeds."""

from collections.abc import Callable

from gamedyn.gan.studies.papers import icr_cifar10, wgan_gp_cifar10
from gamedyn.gan.studies.small import cifar10_short, digits_long
from gamedyn.gan.studies.study import Job, Method, Scale, Study

STUDIES: dict[str, Callable[[Scale, str], Study]] = {
    "icr-cifar10": icr_cifar10,
    "wgan-gp-cifar10": wgan_gp_cifar10,
    "cifar10-short": cifar10_short,
    "digits-long": digits_long,
}
"""The studies by the names that the command line uses."""

__all__ = ["STUDIES", "Job", "Method", "Scale", "Study"]
