"""What the settings are that a user leaves open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gamedyn.gan.config.combinations import ALTERNATING, INIT_OF_POINTS, POINTS, check_combinations
from gamedyn.gan.config.fields import TrainConfig

# Rates and games were found by a few runs each; the points' are those of examples/gaussian_mixture.py.
# RMSprop's rate is that of the WGAN-GP paper's LSGAN, SGD's that of SimGD: neither was searched for.
GAMES: dict[str, dict[str, dict[str, Any]]] = {
    "images": {
        "simgd": {"loss": "minimax", "lr": 1e-2},
        "altgd": {"loss": "minimax", "lr": 1e-2},
        "cgd": {"loss": "wgan", "lr": 1e-2},
        "acgd": {"loss": "wgan", "lr": 5e-4, "max_iter": 2},
        "adam": {"loss": "non-saturating", "lr": 2e-4},
        "rmsprop": {"loss": "non-saturating", "lr": 1e-4},
        "sgd": {"loss": "non-saturating", "lr": 1e-2},
    },
    "points": {
        "simgd": {"loss": "minimax", "lr": 5e-2},
        "altgd": {"loss": "minimax", "lr": 5e-2},
        "cgd": {"loss": "minimax", "lr": 1.0},
        "acgd": {"loss": "minimax", "lr": 1e-3},
        "adam": {"loss": "minimax", "lr": 1e-3},
        "rmsprop": {"loss": "minimax", "lr": 1e-3},
        "sgd": {"loss": "minimax", "lr": 5e-2},
    },
}
# The DCGAN paper's moments of Adam; torch's own first moment of 0.9 oscillates in games.
MOMENTS: dict[str, dict[str, float]] = {
    "acgd": {"beta2": 0.99},
    "adam": {"beta1": 0.5, "beta2": 0.999},
    "rmsprop": {"beta2": 0.99},
    "sgd": {"beta1": 0.0},
}
SOLVE = {"max_iter": 20, "curvature_batch": 1.0, "precision": "float32"}
# Of all solves in docs/performance.md this one is as good as the accurate one at equal steps and the best at
# equal time. It was measured on this game alone; two iterations are the cheap solve of the others on images.
MEASURED = ("acgd", "cifar10", "wgan")
MEASURED_SOLVE = {"max_iter": 100, "curvature_batch": 0.25, "precision": "relaxed"}
PLANE = {"steps": 3000, "batch_size": 128, "dim": 64, "latent": 256, "init": INIT_OF_POINTS}
SIZES: dict[str, dict[str, Any]] = {
    "cifar10": {"steps": 5000, "batch_size": 64, "dim": 64, "latent": 128, "init": "torch"},
    "digits": {"steps": 2000, "batch_size": 64, "dim": 32, "latent": 64, "init": "tflib"},
    "ring": PLANE,
    "grid": PLANE,
}


def resolve(config: TrainConfig) -> TrainConfig:
    """Fill in what a user left open, so that the stored settings repeat the run by themselves.

    Args:
        config: The settings as given.

    Returns:
        The same settings with no `None` left but where it means "none", as for `image_size`, `critic_norm`,
        `generator_batches`, `clip`, `extractor`, `eval_every`, `threads`, `data_root`, and moments that an
        optimizer lacks.

    Raises:
        ValueError: If two of the settings contradict each other; the message names both and the mend.

    Example:
        >>> resolve(TrainConfig(optimizer="adam")).loss
        'non-saturating'
    """
    kind = "points" if config.dataset in POINTS else "images"
    own = GAMES[kind][config.optimizer]
    chosen = {**SOLVE, **own, **SIZES[config.dataset], **MOMENTS.get(config.optimizer, {})}
    chosen["max_lr"] = config.lr if config.lr is not None else chosen["lr"]
    chosen["architecture"] = "mlp" if kind == "points" else "dcgan"
    if (config.optimizer, config.dataset, config.loss or own["loss"]) == MEASURED:
        chosen |= MEASURED_SOLVE
    if config.optimizer in ALTERNATING:
        chosen["n_critic"] = 1
    full = replace(config, **{key: value for key, value in chosen.items() if getattr(config, key) is None})
    check_combinations(full)
    return full
