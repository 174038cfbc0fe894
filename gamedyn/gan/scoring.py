"""When a run is scored, and on what samples: the same noise every time, given up when the run shall stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import torch
from torch import Tensor

from gamedyn.gan.config import TrainConfig
from gamedyn.gan.data.sources import ImageSource, Source
from gamedyn.gan.evaluation import Evaluator
from gamedyn.gan.interrupts import Interruption
from gamedyn.gan.metrics.extractors import open_extractor
from gamedyn.gan.runlog import FAILURE

Samples = Callable[[int], Iterator[Tensor]]
Score = Callable[[Samples], Mapping[str, float]]
"""Gives figures by name; is handed what generates so many samples, in parts."""

# Keeps this stream of a seed apart from those of the training loop.
STREAM = 3_000_017
SCORED = "samples"
"""The key by which a line of scores is known in the log: how many samples they were computed from."""
REFERENCE_SEED = 0
"""Which training images samples are compared with: the same for every seed, whose scores then compare."""
SUBSETS = 10
"""Subsets of a kernel distance; the hundred that `gamedyn evaluate` takes cost ten seconds each time."""


class InterruptedScoresError(Exception):
    """Scores were given up because the run was asked to stop."""


class UnscorableSamplesError(Exception):
    """A sample is NaN or infinite, so that there is nothing to score."""


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

    def line(self, step: int, interruption: Interruption, *, last: bool) -> dict[str, float | str] | None:
        """Score the generator, where it is time to.

        Args:
            step: Steps done.
            interruption: Whether the run was asked to stop.
            last: Whether that was the last step.

        Returns:
            A line for the log, which says so where the samples were not finite: training may recover, or ends
            by itself; `None` where it is not time, or an interruption gave the scores up.
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
                if not bool(part.isfinite().all()):
                    raise UnscorableSamplesError
                yield part

        line: dict[str, float | str] = {"step": step, SCORED: self.config.eval_samples}
        device = torch.device(self.config.device)
        try:
            # An extractor may draw: that must not reach the networks and penalties that draw in training.
            with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
                return {**line, **self.score(samples)}
        except InterruptedScoresError:
            self.given_up = True
            return None
        except UnscorableSamplesError:
            return {**line, FAILURE: "a sample is NaN or infinite: no scores"}


def open_score(config: TrainConfig, source: Source) -> Score | None:
    """Open the scores that settings name: distances to a seeded choice of the training images.

    Args:
        config: Resolved settings.
        source: The training data.

    Returns:
        What scores; `None` where no extractor is named.

    Raises:
        ValueError: If the extractor cannot be opened, or the data are no images.
    """
    if config.extractor is None:
        return None
    if not isinstance(source, ImageSource):
        raise ValueError(f"extractor {config.extractor!r} is for images, the data are none: leave it out")
    extractor = open_extractor(config.extractor, device=config.device)
    images = source.images

    @cache  # the statistics of the training images are computed once, when they are first needed
    def evaluator() -> Evaluator:
        return Evaluator(
            images.some(config.eval_references, seed=REFERENCE_SEED),
            extractor,
            seed=config.seed,
            progress=True,
        )

    return lambda samples: evaluator().score(samples, config.eval_samples, subsets=SUBSETS)
