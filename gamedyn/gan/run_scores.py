"""Every score of a training run: of its samples, of held-out images beside them, of its critic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from gamedyn.gan.data.images import ImageSet
from gamedyn.gan.data.sources import MIXTURES, open_images
from gamedyn.gan.evaluation import Evaluator, as_bytes, in_batches
from gamedyn.gan.losses import build_loss
from gamedyn.gan.metrics.extractors import Extractor
from gamedyn.gan.metrics.modes import mode_coverage
from gamedyn.gan.metrics.nearest import nearest_neighbours
from gamedyn.gan.metrics.overfitting import critic_losses
from gamedyn.gan.restore import RestoredRun
from gamedyn.gan.score_files import RunScores

LOOKED_AT = 1000
"""Samples whose neighbours are sought, and fakes that the critic is asked about."""


def evaluate_run(
    run: RestoredRun,
    extractor: Extractor | None,
    *,
    samples: int = 10_000,
    references: int = 10_000,
    seed: int = 0,
    progress: bool = False,
) -> RunScores:
    """Score a run: images by features and pixels, neighbours and critic; points by the modes they cover.

    Args:
        run: The run.
        extractor: The network whose features are compared; `None` for the scores that need none.
        samples: Generated samples.
        references: Most training images that they are compared with, a seeded choice.
        seed: Seed of noise, choices and subsets.
        progress: Whether to show progress bars where there is a terminal.

    Returns:
        The scores.

    Raises:
        ValueError: If fewer than two samples are asked for, a sample is not finite, or an extractor is given
            for points.
        OSError: If the data set is missing.
    """
    if samples < 2:
        raise ValueError(f"samples must be at least 2, where a spread begins, got {samples}")
    if references < 2:
        raise ValueError(f"references must be at least 2, where a spread begins, got {references}")
    points = run.config.dataset in MIXTURES
    if points and extractor is not None:
        raise ValueError(
            f"the run is on points ({run.config.dataset}), which have no extractor: leave it out"
        )
    scores, real, protocol = (
        _score_points(run, samples, seed)
        if points
        else _score_images(run, extractor, samples, references, seed, progress=progress)
    )
    weights = "the moving average of the generators" if run.averaged else "the generator"
    protocol.insert(0, f"{run.checkpoint.name}, {weights} in evaluation mode, noise of seed {seed}.")
    folder = run.checkpoint.parent
    return RunScores(folder.name, run.checkpoint.name, run.step, run.averaged, seed, scores, real, protocol)


Found = tuple[dict[str, float], dict[str, float], list[str]]


def _score_points(run: RestoredRun, samples: int, seed: int) -> Found:
    mixture = MIXTURES[run.config.dataset]()
    found = torch.cat(list(run.generate(samples, seed=seed)))
    if not bool(found.isfinite().all()):
        raise ValueError("a sample is NaN or infinite: the run may have diverged")
    scores = mode_coverage(mixture, found)
    fresh = mixture.sample(samples, torch.Generator().manual_seed(seed))
    protocol = [
        f"{samples:,} samples; of {len(mixture.centers)} modes those are covered that have a fifth of their "
        "share of samples within 0.1, high quality is the share of samples so near to a mode.",
        "Real: as many fresh points of the mixture.",
    ]
    return (
        scores | {"samples": samples},
        mode_coverage(mixture, fresh) | {"samples": samples},
        protocol,
    )


def _score_images(
    run: RestoredRun,
    extractor: Extractor | None,
    samples: int,
    references: int,
    seed: int,
    *,
    progress: bool,
) -> Found:
    training, held_out = open_images(run.config), open_images(run.config, "test")
    evaluator = Evaluator(training.some(references, seed=seed), extractor, seed=seed, progress=progress)
    kept: list[Tensor] = []

    def generate(count: int) -> Iterator[Tensor]:
        for batch in run.generate(count, seed=seed):
            if sum(map(len, kept)) < LOOKED_AT:
                kept.append(as_bytes(batch))
            yield batch

    scores = evaluator.score(generate, samples)
    fresh = min(samples, len(held_out))
    real = evaluator.score(lambda count: held_out.some(count, seed=seed), fresh)
    protocol = [
        *evaluator.protocol(samples),
        f"References: {evaluator.references:,} of {len(training):,} images of {training.name}. "
        f"Real: {fresh:,} images of {held_out.name} in place of the samples.",
    ]
    if fresh != samples:
        protocol.append(
            f"Distances fall with the count: {samples:,} samples and {fresh:,} real images compare roughly."
        )

    looked_at = torch.cat(kept)[:LOOKED_AT]
    nearest, _ = nearest_neighbours(torch.cat(list(in_batches(looked_at))), _all(training))
    some_held_out = torch.cat(list(held_out.some(len(looked_at), seed=seed)))
    honest, _ = nearest_neighbours(some_held_out, _all(training))
    scores["nearest training image"] = float(nearest.median())
    real["nearest training image"] = float(honest.median())
    protocol.append(
        f"Nearest training image: median L2 distance in pixel space of {len(looked_at):,} samples (real: "
        f"{len(some_held_out):,} held-out images) to all {len(training):,}. Far below the real one's: copies."
    )
    loss = build_loss(str(run.config.loss), label_smoothing=run.config.label_smoothing)
    critic = run.discriminator
    device = next(critic.parameters()).device
    on_training, on_held_out = critic_losses(
        critic,
        loss,
        training=_moved(training.some(fresh, seed=seed), device),
        held_out=_moved(held_out.some(fresh, seed=seed), device),
        fakes=_moved(in_batches(looked_at), device),
    )
    scores["critic loss, training images"] = on_training
    scores["critic loss, held-out images"] = on_held_out
    protocol.append(
        f"Critic loss ({run.config.loss}, in evaluation mode, without penalties): {fresh:,} images each and "
        f"{len(looked_at):,} samples. Lower on training images: the critic overfits."
    )
    return scores, real, protocol


def _all(images: ImageSet) -> Iterator[Tensor]:
    for part in torch.split(torch.arange(len(images)), 1000):
        yield images.batch(part)


def _moved(batches: Iterable[Tensor], device: torch.device) -> Iterator[Tensor]:
    for batch in batches:
        yield batch.to(device)
