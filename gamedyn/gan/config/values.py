"""What a single setting may be, whatever the others are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gamedyn.gan.config.fields import TrainConfig

COUNTS = (
    "steps",
    "batch_size",
    "image_size",
    "dim",
    "latent",
    "n_critic",
    "generator_batches",
    "max_iter",
    "eval_every",
    "log_every",
    "sample_every",
    "checkpoint_every",
    "keep",
    "threads",
)
EVALUATED = ("eval_samples", "eval_references")
"""Counts of two or more, where a spread begins."""
RATES = ("lr", "max_lr", "rtol", "clip")
WEIGHTS = ("gp", "r1", "r2", "weight_decay", "instance_noise")
SHARES = ("beta1", "beta2", "ema", "dropout", "label_smoothing")
SWITCHES = ("dequantise", "spectral_norm", "channels_last", "compile", "tensorboard")
TEXTS = ("device", "data_root", "extractor")
OPTIONAL = {
    "architecture",
    "batch_size",
    "beta1",
    "beta2",
    "clip",
    "critic_norm",
    "curvature_batch",
    "data_root",
    "dim",
    "eval_every",
    "extractor",
    "generator_batches",
    "image_size",
    "init",
    "latent",
    "loss",
    "lr",
    "max_iter",
    "max_lr",
    "n_critic",
    "precision",
    "steps",
    "threads",
}
"""The settings that may be left open."""
LARGEST = 1e37
"""The largest rate or weight: float32 ends at 3.4e38, and optimizers multiply a little."""
LARGEST_COUNT = 2**31 - 1
"""The largest number of anything; what is beyond it overflows inside torch."""
LARGEST_SEED = 2**32 - 1
LIMITS = {"threads": 4096}
"""Smaller limits: so many threads more end a process without a word of ours."""


def check_values(config: TrainConfig, choices: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a setting that makes no sense whatever the others are.

    Args:
        config: The settings.
        choices: The words that some settings are chosen from.

    Raises:
        ValueError: If a setting is wrong; the message names it and prints its value.
    """
    given = {name: value for name, value in vars(config).items() if value is not None or name not in OPTIONAL}
    for name, words in choices.items():
        if name in given and given[name] not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, got {given[name]!r}")
    for name in COUNTS:
        if name in given:
            check_count(name, given[name], least=1, most=LIMITS.get(name, LARGEST_COUNT))
    for name in RATES:
        if name in given and not (is_number(given[name]) and 0 < given[name] <= LARGEST):
            raise ValueError(f"{name} must be a positive number of at most {LARGEST:g}, got {given[name]!r}")
    for name in WEIGHTS:
        if not (is_number(given[name]) and 0 <= given[name] <= LARGEST):
            raise ValueError(f"{name} must be a number from 0 to {LARGEST:g}, got {given[name]!r}")
    for name in SHARES:
        if name in given and not (is_number(given[name]) and 0 <= given[name] < 1):
            raise ValueError(f"{name} must be a number in [0, 1), got {given[name]!r}")
    for name in SWITCHES:
        if type(given[name]) is not bool:
            raise ValueError(f"{name} must be true or false, got {given[name]!r}")
    for name in TEXTS:
        if name in given and not isinstance(given[name], str):
            raise ValueError(f"{name} must be text, got {given[name]!r}")
    fraction = config.curvature_batch
    if fraction is not None and not (is_number(fraction) and 0 < fraction <= 1):
        raise ValueError(f"curvature_batch must be a fraction in (0, 1], got {fraction!r}")
    if type(config.seed) is not int or not 0 <= config.seed <= LARGEST_SEED:
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, got {config.seed!r}")
    check_count("architecture_index", config.architecture_index, least=0)
    for name in EVALUATED:
        check_count(name, given[name], least=2)


def check_count(name: str, value: object, *, least: int, most: int = LARGEST_COUNT) -> None:
    """Refuse what is no whole number, or one too small or too large.

    Args:
        name: The setting or the flag, for the message.
        value: What was given.
        least: The smallest that makes sense.
        most: The largest that does.

    Raises:
        ValueError: If it is refused; the message names it and prints the value.

    Example:
        >>> check_count("--count", 0, least=1)
        Traceback (most recent call last):
        ...
        ValueError: --count must be a whole number of at least 1, got 0
    """
    if type(value) is not int or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}, got {value!r}")


def is_number(value: object) -> bool:
    """Say whether a value is a number, which a truth value is not.

    Args:
        value: Anything.

    Returns:
        Whether it is an int or a float.

    Example:
        >>> is_number(0.5), is_number(True)
        (True, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool)
