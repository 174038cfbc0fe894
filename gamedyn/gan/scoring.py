"""When a run is scored, and on what samples: the same noise every time, given up when the run shall stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from gamedyn.gan.config import TrainConfig
from gamedyn.gan.interrupts import Interruption

Samples = Callable[[int], Iterator[Tensor]]
Score = Callable[[Samples], Mapping[str, float]]
"""Gives figures by name; is handed what generates so many samples, in parts."""

# Keeps this stream of a seed apart from those of the training loop.
STREAM = 3_000_017
SCORED = "eval_samples"
"""The key by which a line of scores is known in the log."""


class InterruptedScoresError(Exception):
    """Scores were given up because the run was asked to stop."""


class Scoring:
    """The scores of a run, as often as its settings ask for them.

    Args:
        config: Resolved settings.
        score: Gives the scores; `None` gives none.
        generate: Generates from latent vectors, in parts.

    Attributes:
        given_up: Whether an interruption cost the last scores that were due.
    """

    def __init__(
        self, config: TrainConfig, score: Score | None, generate: Callable[[Tensor], Iterator[Tensor]]
    ) -> None:
        self.config, self.score, self.generate = config, score, generate
        self.given_up = False

    def line(self, step: int, interruption: Interruption, *, last: bool) -> dict[str, float] | None:
        """Score the generator, where it is time to.

        Args:
            step: Steps done.
            interruption: Whether the run was asked to stop.
            last: Whether that was the last step.

        Returns:
            A line for the log; `None` where it is not time, or an interruption gave the scores up.
        """
        every = self.config.eval_every
        if self.score is None or not (last or (every and step % every == 0)):
            return None

        def samples(count: int) -> Iterator[Tensor]:
            noise = torch.Generator().manual_seed(self.config.seed + STREAM)
            latent = torch.randn(count, int(self.config.latent or 0), generator=noise)
            for part in self.generate(latent):
                if interruption.requested:
                    raise InterruptedScoresError
                yield part

        try:
            return {"step": step, SCORED: self.config.eval_samples, **self.score(samples)}
        except InterruptedScoresError:
            self.given_up = True
            return None
