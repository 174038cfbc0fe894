"""A short run that leaves a distance and some samples, for comparisons of very many settings."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import trange

from gamedyn.gan.building import MakeStepper, build_trainer
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data.images import ImageSet
from gamedyn.gan.data.sources import open_images
from gamedyn.gan.metrics.frechet import Moments, frechet_distance

Features = Callable[[Tensor], Tensor]

JUDGED, PART = 1000, 250


@dataclass(frozen=True)
class Trial:
    """What a short run ended with.

    Args:
        distance: Fréchet distance of the features of 1,000 samples to those of the training images; infinite
            if the run failed.
        images: 64 samples, shape `(64, channels, height, width)`; of a failed run what it last generated.
        failure: Why it ended early; empty if it did not.
    """

    distance: float
    images: Tensor
    failure: str = ""


def run_trial(config: TrainConfig, make_stepper: MakeStepper, features: Features) -> Trial:
    """Train on images as settings say, and measure; nothing stays on the disk.

    Args:
        config: The settings, of a data set of images.
        make_stepper: Makes the optimizer from the generator, the discriminator and the settings.
        features: From images in [-1, 1], shape `(n, channels, height, width)`, to `(n, dimension)`.

    Returns:
        The distance and samples; a run that diverged is no error here.

    Raises:
        ValueError: If a setting is wrong.
        FileNotFoundError: If the data are missing.
    """
    config = resolve(config)
    reference = moments_of_images(open_images(config), features)
    with tempfile.TemporaryDirectory(prefix="gamedyn-") as folder:
        trainer = build_trainer(config, make_stepper, Path(folder, "run"))
        failure = ""
        for _ in trange(trainer.steps, desc=str(config.architecture), disable=None, leave=False):
            try:
                trainer.one_step()
            except ValueError as error:
                if "diverged" not in str(error):
                    raise
                failure = f"step {trainer.step}: {error}"
                break
        samples = trainer.samples(JUDGED)
    if not failure and not bool(samples.isfinite().all()):
        failure = f"step {trainer.step}: the samples are not finite"
    distance = (
        math.inf if failure else frechet_distance(moments(features, torch.split(samples, PART)), reference)
    )
    return Trial(distance, samples[:64].nan_to_num(), failure)


def distance_of_noise(images: ImageSet, features: Features) -> float:
    """Give the distance that a generator of pure noise has: the scale on which distances can be read.

    Args:
        images: The training images.
        features: As for `run_trial`.

    Returns:
        Fréchet distance of the features of 1,000 images of uniform noise, the same at every call.
    """
    noise = 2.0 * torch.rand(JUDGED, *images.shape, generator=torch.Generator().manual_seed(0)) - 1.0
    return frechet_distance(moments(features, torch.split(noise, PART)), moments_of_images(images, features))


def moments_of_images(images: ImageSet, features: Features) -> Moments:
    """Collect the moments of all images' features.

    Args:
        images: The images.
        features: As for `run_trial`.

    Returns:
        Mean and covariance.
    """
    every = torch.split(torch.arange(len(images)), PART)
    return moments(features, [images.batch(part) for part in every])


def moments(features: Features, batches: tuple[Tensor, ...] | list[Tensor]) -> Moments:
    """Collect the moments of features.

    Args:
        features: Gives them.
        batches: Images; at least one batch.

    Returns:
        Mean and covariance.
    """
    collected: Moments | None = None
    for batch in batches:
        found = features(batch)
        collected = collected or Moments(found.shape[1])
        collected.add(found)
    assert collected is not None
    return collected
