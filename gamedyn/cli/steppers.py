"""From settings to what moves both players: the one place that knows every optimizer by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gamedyn.gan.config import ALTERNATING, TrainConfig

if TYPE_CHECKING:
    import torch
    from torch import nn

    from gamedyn.gan.penalties import Penalty
    from gamedyn.gan.steps import Alternating, Simultaneous, Stepper


def make_stepper(generator: nn.Module, discriminator: nn.Module, config: TrainConfig) -> Stepper:
    """Make the optimizer that settings name, with the regularisers of its steps.

    Args:
        generator: Player 0.
        discriminator: Player 1.
        config: Resolved settings.

    Returns:
        What moves both players.
    """
    make = alternating if config.optimizer in ALTERNATING else simultaneous
    return make(generator, discriminator, config)


def alternating(generator: nn.Module, discriminator: nn.Module, config: TrainConfig) -> Alternating:
    """Make two optimizers of torch that move in turn.

    Args:
        generator: Player 0.
        discriminator: Player 1.
        config: Resolved settings.

    Returns:
        What moves both players.

    Notes:
        RMSprop is torch's. That of TensorFlow 1, which the published runs with weight clipping used, decays
        by 0.9 where torch's `alpha` is 0.99, adds `eps = 1e-10` under the root where torch adds 1e-8 to the
        root, and starts its mean square at 1 where torch starts at 0: its first steps are shorter. Pass
        `beta2` 0.9 to come nearer.
    """
    from torch.optim import SGD, Adam, RMSprop

    from gamedyn.gan.steps import Alternating

    beta1, beta2 = float(config.beta1 or 0.0), float(config.beta2 or 0.0)
    makers: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": partial(Adam, betas=(beta1, beta2)),
        "rmsprop": partial(RMSprop, alpha=beta2),
        "sgd": partial(SGD, momentum=beta1),
    }
    make = makers[config.optimizer]
    return Alternating(
        make(generator.parameters(), lr=config.lr),
        make(discriminator.parameters(), lr=config.max_lr),
        n_critic=config.n_critic or 1,
        generator_batches=config.generator_batches,
        clip=config.clip,
        penalties=penalties(config),
    )


def simultaneous(generator: nn.Module, discriminator: nn.Module, config: TrainConfig) -> Simultaneous:
    """Make one optimizer for games that owns both players.

    Args:
        generator: Player 0.
        discriminator: Player 1.
        config: Resolved settings.

    Returns:
        What moves both players.
    """
    from gamedyn.gan.steps import Simultaneous
    from gamedyn.optimizers import ACGD, CGD, AltGD, SimGD

    rates: dict[str, Any] = {"lr": config.lr, "max_lr": config.max_lr}
    solve: dict[str, Any] = {"rtol": config.rtol, "max_iter": config.max_iter}
    makers: dict[str, Callable[..., Any]] = {
        "simgd": partial(SimGD, **rates),
        "altgd": partial(AltGD, **rates),
        "cgd": partial(CGD, **rates, **solve),
        "acgd": partial(ACGD, **rates, **solve, beta=float(config.beta2 or 0.0)),
    }
    players: Any = (generator.parameters(), discriminator.parameters())
    return Simultaneous(
        makers[config.optimizer](*players),
        curvature_batch=1.0 if config.curvature_batch is None else config.curvature_batch,
        precision=config.precision or "float32",
        compile=config.compile,
        penalties=penalties(config),
    )


def penalties(config: TrainConfig) -> list[Penalty]:
    """Make the penalties that settings name.

    Args:
        config: The settings.

    Returns:
        Those whose weight is not 0.

    Example:
        >>> penalties(TrainConfig(gp=10.0, weight_decay=1e-4))
        [GradientPenalty(weight=10.0, sides='two'), WeightDecay(weight=0.0001)]
    """
    from gamedyn.gan.penalties import R1, R2, GradientPenalty, WeightDecay

    made: list[Penalty] = []
    if config.gp:
        made.append(GradientPenalty(config.gp, config.gp_sides))
    if config.r1:
        made.append(R1(config.r1))
    if config.r2:
        made.append(R2(config.r2))
    if config.weight_decay:
        made.append(WeightDecay(config.weight_decay))
    return made
