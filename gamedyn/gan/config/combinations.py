"""Settings that make sense alone and none together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from gamedyn.gan.architectures import critic_norm_for
from gamedyn.gan.config.fields import TrainConfig

POINTS = frozenset({"ring", "grid"})
"""The data sets of points; the others are images."""
ALTERNATING = frozenset({"adam", "rmsprop", "sgd"})
"""The optimizers of torch, which move the players in turn; the others own both."""
COMPETITIVE = frozenset({"cgd", "acgd"})
"""The optimizers that solve a linear system a step."""
SMOOTHABLE = frozenset({"minimax", "non-saturating"})
"""The logistic losses, whose discriminator's target for real samples can be smoothed."""
NOT_SEPARABLE = frozenset({"rpgan"})
INIT_OF_POINTS = "tflib"
"""What the initial weights are called where none are chosen."""
UNSCORED = {
    "eval_every": None,
    "eval_samples": TrainConfig.eval_samples,
    "eval_references": TrainConfig.eval_references,
}
"""What settings of scores are where nothing is scored: their defaults."""
UNUSED = {"rtol": 1e-2, "max_iter": 20, "curvature_batch": 1.0, "precision": "float32", "compile": False}
"""What settings of a linear solve are where nothing is solved: their defaults."""
MOMENTS: dict[str, frozenset[str]] = {
    "beta1": frozenset({"adam", "sgd"}),
    "beta2": frozenset({"adam", "rmsprop", "acgd"}),
}
"""Which optimizers have which moment."""


def check_combinations(config: TrainConfig) -> None:
    """Refuse settings that make no sense together.

    Args:
        config: Resolved settings.

    Raises:
        ValueError: If two settings contradict each other; the message names both and the mend.
    """
    for groups in (about_data, about_optimizer, about_regularisers, about_critic, about_scores):
        for problem in groups(config):
            raise ValueError(problem)


def about_data(config: TrainConfig) -> Iterator[str]:
    """Say what does not fit the data set.

    Args:
        config: Resolved settings.

    Yields:
        One sentence a problem.
    """
    data = config.dataset
    if data in POINTS:
        if config.architecture != "mlp":
            yield (
                f"architecture {config.architecture!r} is for images and dataset {data!r} has points: "
                "choose --architecture mlp, or dataset cifar10 or digits"
            )
        for name in ("image_size", "extractor"):
            if (value := getattr(config, name)) is not None:
                yield f"{name} {value!r} is for images and dataset {data!r} has points: {without(name)}"
        for name in ("channels_last", "dequantise"):
            if getattr(config, name):
                yield f"{name} is for images and dataset {data!r} has points: {without(name)}"
        if config.init != INIT_OF_POINTS:
            yield (
                f"init {config.init!r} is for images and dataset {data!r} has points, whose networks begin "
                f"with orthogonal weights: {without('init')}"
            )
    else:
        if config.architecture == "mlp":
            yield (
                f"architecture 'mlp' is for points and dataset {data!r} has images: choose dcgan, or "
                "mlp-generator for a generator without convolutions"
            )
        if config.batch_size == 1:
            yield (
                f"batch_size must be at least 2 on images ({data}), where BatchNorm compares samples, got 1"
            )
    if config.architecture_index and config.architecture != "random":
        yield (
            f"architecture_index {config.architecture_index} chooses among the random architectures and "
            f"architecture is {config.architecture!r}: add --architecture random"
        )


def about_optimizer(config: TrainConfig) -> Iterator[str]:
    """Say what does not fit the optimizer.

    Args:
        config: Resolved settings.

    Yields:
        One sentence a problem.
    """
    player = config.optimizer
    for name, known in MOMENTS.items():
        if (value := getattr(config, name)) is not None and player not in known:
            yield (
                f"{name} {value:g} is a setting of {', '.join(sorted(known))} and optimizer is {player!r}: "
                f"{without(name)}"
            )
    if player not in COMPETITIVE:
        for name, unused in UNUSED.items():
            if (value := getattr(config, name)) != unused:
                yield (
                    f"{name} {value} is a setting of a linear solve and optimizer {player!r} solves nothing: "
                    f"choose cgd or acgd, or {without(name)}"
                )
    if player not in ALTERNATING:
        both = f"optimizer {player!r} moves both players at once: choose adam, rmsprop or sgd"
        if config.n_critic not in {None, 1}:
            yield f"n_critic {config.n_critic} wants several discriminator steps in turn, {both}"
        if config.generator_batches is not None:
            yield f"generator_batches {config.generator_batches} is for a generator's step of its own, {both}"
        if config.clip is not None:
            yield f"clip {config.clip:g} acts after each step of the critic alone, {both}"
    part = 1.0 if config.curvature_batch is None else config.curvature_batch
    if part < 1 and config.loss in NOT_SEPARABLE:
        yield (
            f"curvature_batch {part:g} needs a loss in which every sample counts by itself "
            f"and loss {config.loss!r} compares samples: choose another loss, or {without('curvature_batch')}"
        )


def about_regularisers(config: TrainConfig) -> Iterator[str]:
    """Say which regularisers exclude each other, or the loss.

    Args:
        config: Resolved settings.

    Yields:
        One sentence a problem.
    """
    if config.clip is not None:
        for name in ("gp", "r1", "r2"):
            if value := getattr(config, name):
                yield (
                    f"clip {config.clip:g} and {name} {value:g} both bound the critic's slope: "
                    "leave out one of them"
                )
        if config.spectral_norm:
            yield (
                f"clip {config.clip:g} acts on weights that spectral_norm divides by their norm again: "
                "leave out one of them"
            )
    if config.gp_sides == "one" and not config.gp:
        yield (
            f"gp_sides 'one' is a kind of gradient penalty and gp is 0: add --gp 10, or {without('gp_sides')}"
        )
    if config.label_smoothing and config.loss not in SMOOTHABLE:
        yield (
            f"label_smoothing {config.label_smoothing:g} is written for the logistic losses and loss "
            f"{config.loss!r} is none: choose minimax or non-saturating, or {without('label_smoothing')}"
        )


def about_critic(config: TrainConfig) -> Iterator[str]:
    """Say what the discriminator's layers exclude.

    Args:
        config: Resolved settings.

    Yields:
        One sentence a problem.
    """
    norm = critic_norm_for(
        config.architecture or "dcgan", config.critic_norm, index=config.architecture_index
    )
    for name in ("gp", "r1", "r2"):
        value = getattr(config, name)
        if value and norm == "batch":
            what = "critic_norm 'batch'" if config.critic_norm else f"architecture {config.architecture!r}"
            yield (
                f"{what} normalises over the batch and the penalty {name} {value:g} is on each sample's own "
                "gradient: add --critic-norm layer (group for cgd and acgd) or none"
            )
    if norm == "layer" and config.optimizer in COMPETITIVE:
        yield (
            f"critic_norm 'layer' has wrong third derivatives in torch, which the curvature of optimizer "
            f"{config.optimizer!r} may need: choose --critic-norm group"
        )


def about_scores(config: TrainConfig) -> Iterator[str]:
    """Say what scores still need.

    Args:
        config: Resolved settings.

    Yields:
        One sentence a problem.
    """
    if config.extractor is not None:
        return
    points = config.dataset in POINTS
    for name, unused in UNSCORED.items():
        if (value := getattr(config, name)) == unused:
            continue
        if points:
            yield (
                f"{name} {value} is of scores by an extractor, which are for images, and dataset "
                f"{config.dataset!r} has points: {without(name)}"
            )
        yield (
            f"{name} {value} is of scores and extractor is not set: add --extractor cifarnet:FOLDER or "
            f"inception:PATH, or {without(name)}"
        )


def without(name: str) -> str:
    """Say how to do without a setting, wherever it comes from.

    Args:
        name: The setting.

    Returns:
        The end of a sentence, with the flag that overrides a file or a preset.

    Example:
        >>> without("beta2")
        'leave it out (over a file or preset: --beta2 None)'
        >>> without("channels_last")
        'leave it out (over a file or preset: --no-channels-last)'
    """
    default = next(field.default for field in fields(TrainConfig) if field.name == name)
    flag = name.replace("_", "-")
    return (
        f"leave it out (over a file or preset: --{f'no-{flag}' if default is False else f'{flag} {default}'})"
    )
