"""The networks that can be asked for by name: what each is, and what it needs. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from gamedyn.gan.random_architectures import random_architecture

ArchitectureName = Literal[
    "dcgan",
    "icr-dcgan",
    "resnet",
    "conditional-resnet",
    "constant-filters",
    "mlp-generator",
    "no-norm",
    "gated",
    "tanh",
    "resnet101",
    "random",
    "mlp",
]
NormName = Literal["none", "batch", "group", "layer"]


@dataclass(frozen=True)
class Architecture:
    """What is known of an architecture before its networks are built.

    Attributes:
        summary: What the networks are.
        critic_norm: The discriminator's own normalisation; None where the index of `random` decides.
        choosable: Whether another normalisation can be chosen for the discriminator.
        points: Whether it is for points, and not for square images.
        conditional: Whether the networks take and predict class labels.
    """

    summary: str
    critic_norm: NormName | None = "batch"
    choosable: bool = True
    points: bool = False
    conditional: bool = False


ARCHITECTURES: dict[ArchitectureName, Architecture] = {
    "dcgan": Architecture("DCGAN of strided 5x5 convolutions", critic_norm="none"),
    "icr-dcgan": Architecture("DCGAN of strided 4x4 convolutions, as in the ICR code", critic_norm="none"),
    "resnet": Architecture(
        "residual network for CIFAR-10, no normalisation in the critic", critic_norm="none"
    ),
    "conditional-resnet": Architecture(
        "the same with class-conditional BatchNorm and an AC-GAN head", critic_norm="none", conditional=True
    ),
    "constant-filters": Architecture("DCGAN, its generator without BatchNorm and with constant filters"),
    "mlp-generator": Architecture("4-layer ReLU MLP against a DCGAN discriminator"),
    "no-norm": Architecture("DCGAN without normalisation in either", critic_norm="none", choosable=False),
    "gated": Architecture("DCGAN with gated nonlinearities, sigmoid(a) tanh(b), everywhere"),
    "tanh": Architecture("DCGAN with tanh everywhere"),
    "resnet101": Architecture("101-layer bottleneck residual networks"),
    "random": Architecture("one of the random architectures, by its index", critic_norm=None),
    "mlp": Architecture("MLPs of two tanh layers", critic_norm="none", choosable=False, points=True),
}


def architecture_for(shape: Sequence[int], name: str | None = None) -> ArchitectureName:
    """Choose, or check, the architecture for one shape of sample.

    Args:
        shape: Shape of one sample: `(channels, size, size)` or `(coordinates,)`.
        name: A name in `ARCHITECTURES`; None for the DCGAN on images and MLPs for points.

    Returns:
        The name.

    Raises:
        ValueError: If there is no such architecture, it does not fit such samples, or `shape` is neither a
            point nor a square image.

    Example:
        >>> architecture_for((3, 32, 32)), architecture_for((2,))
        ('dcgan', 'mlp')
    """
    points = len(shape) == 1
    if not points and not (len(shape) == 3 and shape[1] == shape[2]):
        raise ValueError(
            f"samples of shape {tuple(shape)} are neither points (n,) nor square images (c, n, n)"
        )
    if name is None:
        return "mlp" if points else "dcgan"
    for known, architecture in ARCHITECTURES.items():
        if known != name:
            continue
        if architecture.points != points:
            kind, mend = ("points", "mlp") if points else ("images", "dcgan")
            raise ValueError(
                f"architecture {name!r} does not fit {kind} of shape {tuple(shape)}: use {mend!r} for them"
            )
        return known
    raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)}, got {name!r}")


def critic_norm_for(name: ArchitectureName, chosen: NormName | None = None, *, index: int = 0) -> NormName:
    """Say how an architecture's discriminator is normalised.

    Args:
        name: A name in `ARCHITECTURES`.
        chosen: What was asked for; None for the architecture's own. Of the random architectures only those
            are normalised that drew it, and `chosen` says how.
        index: Which of the random architectures.

    Returns:
        The normalisation: `group` is GroupNorm with one group, the mathematics of `layer` whose derivatives
        are right up to the third.

    Raises:
        ValueError: If there is no such normalisation, or the architecture has no place for it.

    Example:
        >>> critic_norm_for("dcgan"), critic_norm_for("tanh"), critic_norm_for("tanh", "group")
        ('none', 'batch', 'group')
    """
    if chosen is not None and chosen not in get_args(NormName):
        raise ValueError(f"critic_norm must be one of {', '.join(get_args(NormName))}, got {chosen!r}")
    known = ARCHITECTURES[name]
    if chosen not in (None, known.critic_norm) and not known.choosable:
        raise ValueError(
            f"critic_norm {chosen!r} does not go with architecture {name!r}, whose discriminator has no "
            "normalisation: leave it out (over a file or preset: --critic-norm None)"
        )
    if known.critic_norm is None and not random_architecture(index).critic_norm:
        return "none"
    return chosen or known.critic_norm or "batch"
