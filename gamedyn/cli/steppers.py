"""From settings to what moves both players: the one place that knows every optimizer by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gamedyn.gan.config import ALTERNATING, TrainConfig

if TYPE_CHECKING:
    import torch
    from torch import nn

    from gamedyn.gan.steps import Alternating, Simultaneous, Stepper


def make_stepper(generator: nn.Module, discriminator: nn.Module, config: TrainConfig) -> Stepper:
    """Make the optimizer that settings name.

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
        make(generator.parameters(), lr=config.lr), make(discriminator.parameters(), lr=config.max_lr)
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
        curvature_batch=config.curvature_batch,
        precision=config.precision,
    )
