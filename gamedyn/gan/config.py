"""The settings of a training run: every field a flag, stored beside the results. Imports no torch."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

DatasetName = Literal["cifar10", "digits", "ring", "grid"]
OptimizerName = Literal["simgd", "altgd", "cgd", "acgd", "adam"]
LossName = Literal["minimax", "non-saturating", "wgan"]
InitName = Literal["tflib", "torch"]
PrecisionName = Literal["float32", "relaxed"]

CHOICES: dict[str, tuple[str, ...]] = {
    "dataset": get_args(DatasetName),
    "optimizer": get_args(OptimizerName),
    "loss": get_args(LossName),
    "init": get_args(InitName),
    "precision": get_args(PrecisionName),
}
COUNTS = ("steps", "batch_size", "dim", "latent", "max_iter", "log_every", "sample_every", "checkpoint_every")
RATES = ("lr", "max_lr", "rtol")
LARGEST = 1e37
"""The largest of them: float32 ends at 3.4e38, and optimizers multiply a little."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run; what is left out is chosen by `resolve`."""

    dataset: DatasetName = "digits"
    """What to imitate: CIFAR-10, scikit-learn's 8x8 digits, or 2-D Gaussians on a ring or a grid."""
    optimizer: OptimizerName = "acgd"
    """Who plays: an optimizer for games, or torch's Adam alternating between the players."""
    loss: LossName | None = None
    """The game; on images by default wgan for cgd and acgd, non-saturating for adam; else minimax."""
    lr: float | None = None
    """Learning rate of the generator; by default what suits the optimizer."""
    max_lr: float | None = None
    """Learning rate of the discriminator; by default that of the generator."""
    steps: int | None = None
    """Optimizer steps in all; by default 2000 on digits, 5000 on cifar10, 3000 for points."""
    batch_size: int | None = None
    """Samples a step; by default 64 images or 128 points."""
    seed: int = 0
    """Seed of the weights, the noise and the data order."""
    dim: int | None = None
    """Width of the networks: by default 64 channels on cifar10, 32 on digits, 64 units for points."""
    latent: int | None = None
    """Length of the noise vectors; by default 128 on cifar10, 64 on digits, 256 for points."""
    init: InitName | None = None
    """Initial weights for images: of the WGAN-GP code (tflib) or torch's own (the default on cifar10)."""
    rtol: float = 1e-2
    """Relative residual at which a competitive step's linear solve stops (cgd and acgd)."""
    max_iter: int = 20
    """Most iterations of that solve."""
    curvature_batch: float = 1.0
    """Fraction of the fakes that the solve's products are taken on (for wgan); gradients take all of them."""
    precision: PrecisionName = "float32"
    """Precision of those products: relaxed takes bfloat16 where it is fast and the solve allows it."""
    log_every: int = 10
    """Steps between two lines of log.jsonl."""
    sample_every: int = 500
    """Steps between two pictures of samples from the same noise."""
    checkpoint_every: int = 500
    """Steps between two checkpoints; the two newest are kept."""
    device: str = "cpu"
    """Where the networks live: cpu, cuda, cuda:1, ..."""
    data_root: str | None = None
    """Folder of the data sets; by default GAMEDYN_DATA, else the platform's cache folder."""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices and not (name in {"loss", "init"} and value is None):
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        for name in COUNTS:
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.batch_size == 1 and self.dataset in {"digits", "cifar10"}:
            raise ValueError(
                "batch_size must be at least 2 on images, where BatchNorm compares samples, got 1"
            )
        for name in RATES:
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LARGEST:
                raise ValueError(f"{name} must be a positive number of at most {LARGEST:g}, got {value!r}")
        fraction = self.curvature_batch
        if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction <= 1:
            raise ValueError(f"curvature_batch must be a fraction in (0, 1], got {fraction!r}")
        if type(self.seed) is not int or not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, got {self.seed!r}")
        for name in ("device", "data_root"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (name == "data_root" and value is None):
                raise ValueError(f"{name} must be text, got {value!r}")


# Found by a few runs each; the points' are those of examples/gaussian_mixture.py.
DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "images": {
        "simgd": {"loss": "minimax", "lr": 1e-2},
        "altgd": {"loss": "minimax", "lr": 1e-2},
        "cgd": {"loss": "wgan", "lr": 1e-2},
        "acgd": {"loss": "wgan", "lr": 5e-4},
        "adam": {"loss": "non-saturating", "lr": 2e-4},
    },
    "points": {
        "simgd": {"loss": "minimax", "lr": 5e-2},
        "altgd": {"loss": "minimax", "lr": 5e-2},
        "cgd": {"loss": "minimax", "lr": 1.0},
        "acgd": {"loss": "minimax", "lr": 1e-3},
        "adam": {"loss": "minimax", "lr": 1e-3},
    },
}
POINTS = {"steps": 3000, "batch_size": 128, "dim": 64, "latent": 256, "init": "tflib"}
SIZES: dict[str, dict[str, Any]] = {
    "cifar10": {"steps": 5000, "batch_size": 64, "dim": 64, "latent": 128, "init": "torch"},
    "digits": {"steps": 2000, "batch_size": 64, "dim": 32, "latent": 64, "init": "tflib"},
    "ring": POINTS,
    "grid": POINTS,
}


def resolve(config: TrainConfig) -> TrainConfig:
    """Fill in what a user left open, so that the stored settings repeat the run by themselves.

    Args:
        config: The settings as given.

    Returns:
        The same settings with no `None` left but, possibly, `data_root`.

    Example:
        >>> resolve(TrainConfig(optimizer="adam")).loss
        'non-saturating'
    """
    kind = "points" if config.dataset in {"ring", "grid"} else "images"
    chosen = {**DEFAULTS[kind][config.optimizer], **SIZES[config.dataset]}
    chosen["max_lr"] = config.lr if config.lr is not None else chosen["lr"]
    return replace(config, **{key: value for key, value in chosen.items() if getattr(config, key) is None})


def read_config(path: str | os.PathLike[str]) -> TrainConfig:
    """Read settings from a JSON or TOML file.

    Args:
        path: The file; its suffix `.json` or `.toml` says which.

    Returns:
        The settings; what the file leaves out has its default.

    Raises:
        ValueError: If the file cannot be parsed, or a key or value is wrong; the message names it.
        OSError: If the file cannot be read.
    """
    file = Path(path)
    if file.suffix not in {".json", ".toml"}:
        raise ValueError(f"{file} must end in .json or .toml")
    try:
        text = file.read_text(encoding="utf-8")
        content = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:  # both parsers, and the decoding of UTF-8, raise kinds of it
        raise ValueError(f"{file} cannot be parsed: {error}") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{file} must hold a table of settings, it holds a {type(content).__name__}")
    known = [field.name for field in fields(TrainConfig)]
    for key in content:
        if key not in known:
            raise ValueError(f"{file} has the unknown key {key!r}; known are {', '.join(known)}")
    try:
        return TrainConfig(**content)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def config_text(config: TrainConfig) -> str:
    """Write settings as JSON.

    Args:
        config: The settings.

    Returns:
        The text that `read_config` reads back.
    """
    return json.dumps(asdict(config), indent=2) + "\n"
