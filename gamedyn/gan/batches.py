"""What a run's steps are fed with: real samples, noise and classes, in a stored order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from gamedyn.gan.batch import Batch
from gamedyn.gan.clock import StepClock
from gamedyn.gan.config import TrainConfig
from gamedyn.gan.data.sources import Source

# Keeps this stream of a seed apart from those of the weights, the data order and the training loop.
STREAM = 1_000_003


class Batches:
    """The batches of a run, on the device of its networks.

    Args:
        config: Resolved settings.
        source: The real samples.
        conditional: Whether the networks are told classes; generated samples then get those of the real.
        device: Where the networks live.
        clock: Paused while a batch is drawn.
    """

    def __init__(
        self,
        config: TrainConfig,
        source: Source,
        *,
        conditional: bool,
        device: torch.device,
        clock: StepClock,
    ) -> None:
        self.source, self.conditional, self.device, self.clock = source, conditional, device, clock
        self.channels_last = config.channels_last
        self.shape = int(config.batch_size or 0), int(config.latent or 0)
        self.noise = torch.Generator().manual_seed(config.seed + STREAM)

    def next(self) -> Batch:
        """Draw the next batch.

        Returns:
            Real samples and noise, with classes where they are told.
        """
        with self.clock.paused():
            real = self.source.next().to(self.device)
            if self.channels_last:
                real = real.contiguous(memory_format=torch.channels_last)
            latent = torch.randn(*self.shape, generator=self.noise).to(self.device)
            labels = None
            if self.conditional and self.source.labels is not None:
                labels = self.source.labels.to(self.device)
        return Batch(real, latent, real_labels=labels, fake_labels=labels)

    def state_dict(self) -> dict[str, Any]:
        """Give what the next batches depend on.

        Returns:
            The states of the source and of the noise.
        """
        return {"source": self.source.state_dict(), "noise": self.noise.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state.

        Args:
            state: What `state_dict` gave, possibly among other entries.

        Raises:
            ValueError: If the state belongs to another data set.
        """
        self.source.load_state_dict(state["source"])
        self.noise.set_state(state["noise"])
