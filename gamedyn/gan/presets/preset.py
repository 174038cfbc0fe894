"""What a preset is: settings under a name, with where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gamedyn.gan.config import DatasetName, TrainConfig

OWN: DatasetName = "cifar10"
"""The data set that presets are written for."""


@dataclass(frozen=True)
class Preset:
    """Settings under a name.

    Args:
        summary: What it is, in a few words.
        source: Where the settings come from.
        published: What was reported for them, or for what they stand for.
        settings: The game: networks, loss, regularisers, optimizer, rates.
        sizes: Width, latent length, initial weights, steps and the like; they belong to CIFAR-10, another
            data set has its own.

    Example:
        >>> preset = Preset("a WGAN", "nowhere", "nothing", {"loss": "wgan"}, {"dim": 64, "steps": 100_000})
        >>> preset.config().dim, preset.config("digits").dim
        (64, None)
    """

    summary: str
    source: str
    published: str
    settings: Mapping[str, Any]
    sizes: Mapping[str, Any] = field(default_factory=dict)

    def config(self, dataset: DatasetName = OWN) -> TrainConfig:
        """Give the settings for a data set.

        Args:
            dataset: The data set; on another than CIFAR-10 the sizes are left to `resolve`.

        Returns:
            The settings, not yet resolved.
        """
        return TrainConfig(dataset=dataset, **{**self.settings, **(self.sizes if dataset == OWN else {})})
