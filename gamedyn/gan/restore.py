"""The networks of a run, from a checkpoint and the settings beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gamedyn.gan.building import build_networks
from gamedyn.gan.checkpoints import find_newest, read_checkpoint
from gamedyn.gan.config import TrainConfig, read_config, resolve
from gamedyn.gan.runs import CONFIG
from gamedyn.gan.sampling import generate

SHAPES: dict[str, tuple[tuple[int, ...], int]] = {
    "cifar10": ((3, 32, 32), 10),
    "digits": ((1, 8, 8), 10),
    "ring": ((2,), 0),
    "grid": ((2,), 0),
}
"""Shape of one sample of each data set and the number of classes, known without opening it."""
# Keeps the noise apart from a run's own streams of the same seed.
NOISE_STREAM = 3_000_003


@dataclass(frozen=True)
class RestoredRun:
    """A run as a checkpoint left it.

    Args:
        config: Its resolved settings.
        checkpoint: The file it was read from.
        step: Steps done.
        generator: In evaluation mode; the moving average of the generators where there is one.
        discriminator: In evaluation mode.
        averaged: Whether the generator is that average.
    """

    config: TrainConfig
    checkpoint: Path
    step: int
    generator: nn.Module
    discriminator: nn.Module
    averaged: bool

    def generate(self, count: int, *, seed: int = 0) -> Iterator[Tensor]:
        """Generate samples, of a conditional generator its classes in turn.

        Args:
            count: How many.
            seed: Seed of the noise.

        Returns:
            Batches of shape `(batch, *shape)`, on the CPU.
        """
        draw = torch.Generator().manual_seed(seed + NOISE_STREAM)
        latent = torch.randn(count, int(self.config.latent or 0), generator=draw)
        device = next(self.generator.parameters()).device
        return generate(self.generator, latent, classes=self.classes, device=device)

    @property
    def classes(self) -> int:
        """Number of classes that the generator is told; 0 if it is told none."""
        return int(getattr(self.generator, "classes", 0))


def sample_shape(config: TrainConfig) -> tuple[int, ...]:
    """Give the shape of one sample without opening the data.

    Args:
        config: The settings.

    Returns:
        `(channels, size, size)` or `(coordinates,)`.

    Example:
        >>> sample_shape(TrainConfig(dataset="cifar10", image_size=16))
        (3, 16, 16)
    """
    shape, _ = SHAPES[config.dataset]
    if len(shape) == 1 or config.image_size is None:
        return shape
    return (shape[0], config.image_size, config.image_size)


def restore_run(path: Path, *, ema: bool = True, device: str = "cpu") -> RestoredRun:
    """Rebuild the networks of a run.

    Args:
        path: A run's folder, of which the newest whole checkpoint is read, or one checkpoint in it.
        ema: Whether to take the moving average of the generators where the run kept one.
        device: Where the networks shall live.

    Returns:
        The run.

    Raises:
        FileNotFoundError: If there is no such file, no settings beside it, or no checkpoint in the folder.
        ValueError: If the settings or the checkpoint are damaged, or do not fit each other.
    """
    folder = path if path.is_dir() else path.parent
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: give a run's folder, or a checkpoint in it")
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(
            f"{folder} holds no run (no {CONFIG}): give a run's folder, or a checkpoint in it"
        )
    config = resolve(read_config(folder / CONFIG))
    if path.is_dir():
        found = find_newest(path)
        if found is None:
            raise FileNotFoundError(f"{path} holds no checkpoint yet: train the run first")
        checkpoint, state = found
    else:
        checkpoint, state = path, read_checkpoint(path)
    generator, discriminator = build_networks(config, sample_shape(config), SHAPES[config.dataset][1])
    averaged = ema and bool(_part(state, "ema", checkpoint, optional=True))
    for network, name in ((generator, "ema" if averaged else "generator"), (discriminator, "discriminator")):
        try:
            network.load_state_dict(_part(state, name, checkpoint))
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ValueError(
                f"{checkpoint} does not fit the settings in {folder / CONFIG}: {name}: {reason}"
            ) from error
        network.to(device).eval().requires_grad_(False)
    step = state.get("step")
    if type(step) is not int:
        raise ValueError(f"{checkpoint} does not say its step: it is no checkpoint of a training run")
    return RestoredRun(config, checkpoint, step, generator, discriminator, averaged)


def _part(state: Mapping[str, Any], name: str, checkpoint: Path, *, optional: bool = False) -> dict[str, Any]:
    if not isinstance(state, Mapping):
        raise ValueError(
            f"{checkpoint} is no checkpoint of a training run: it holds a {type(state).__name__}"
        )
    part = state.get(name)
    if part is None and optional:
        return {}
    if not isinstance(part, Mapping):
        raise ValueError(f"{checkpoint} is no checkpoint of a training run: it holds no {name}")
    return dict(part)
