"""A short run that leaves a distance and some samples, for comparisons of very many settings."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import trange

from gamedyn.divergence import DivergenceError
from gamedyn.gan.building import MakeStepper, build_trainer
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data.images import ImageSet
from gamedyn.gan.data.sources import open_images
from gamedyn.gan.devices import open_device
from gamedyn.gan.metrics.extractors import open_extractor
from gamedyn.gan.metrics.frechet import Moments, frechet_distance
from gamedyn.gan.training import GLOBAL_STREAM

Features = Callable[[Tensor], Tensor]

JUDGED, PART = 1000, 250
EXTRACTORS = {"smoke": "torch.nn:Flatten", "laptop": "gamedyn.gan.metrics.digits:digits"}
"""What distances are measured by if nothing else is named; pixels, so that no classifier is trained."""


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

    What the steps draw, penalties and dropout too, depends on the settings' seed alone, as in a run of
    `gamedyn train`, and torch's global random numbers stay as they were.

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
    device = open_device(config.device)
    own = torch.random.fork_rng(devices=[] if device.type == "cpu" else [device])
    with tempfile.TemporaryDirectory(prefix="gamedyn-") as folder, own:
        trainer = build_trainer(config, make_stepper, Path(folder, "run"))
        torch.manual_seed(config.seed + GLOBAL_STREAM)
        failure = ""
        for _ in trange(trainer.steps, desc=str(config.architecture), disable=None, leave=False):
            try:
                trainer.one_step()
            except DivergenceError as error:
                failure = f"step {trainer.step}: {error}"
                break
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


def features_at(scale: str, extractor: str | None = None, *, device: str = "cpu") -> Features:
    """Give what trials of a size are judged by.

    Args:
        scale: `smoke`, `laptop` or `paper`; the last has images whose features must be named.
        extractor: The name of an extractor, see `open_extractor`; by default that of `EXTRACTORS`.
        device: Where its network shall live.

    Returns:
        The features.

    Raises:
        ValueError: If there is no extractor, or it cannot be opened.

    Example:
        >>> features_at("smoke")(torch.zeros(2, 1, 4, 4)).shape
        torch.Size([2, 16])
    """
    spec = extractor or EXTRACTORS.get(scale)
    if spec is None:
        raise ValueError(
            f"at {scale} scale name what the images are judged by: --extractor inception:FILE or "
            "cifarnet:FOLDER"
        )
    return open_extractor(spec, device=device).features


def images_at(scale: str, data_root: str | None = None, *, size: int = 32) -> dict[str, Any]:
    """Give the settings of the images that trials of a size are on.

    Args:
        scale: At `paper` scale CIFAR-10, in place of larger sets that gamedyn does not bring; else digits.
        data_root: Folder of the data sets; by default GAMEDYN_DATA, else the platform's cache folder.
        size: Height and width of the images at paper scale, in pixels.

    Returns:
        Fields of `TrainConfig`. The initial weights are those of the WGAN-GP code at this size, which at
        64x64 differ from network to network.

    Example:
        >>> images_at("laptop")
        {'dataset': 'digits', 'init': 'tflib'}
        >>> images_at("paper", size=64)["init"]
        'tflib64'
    """
    if scale != "paper":
        return {"dataset": "digits", "init": "tflib"}
    return {
        "dataset": "cifar10",
        "data_root": data_root,
        "image_size": None if size == 32 else size,
        "init": "tflib64" if size == 64 else "tflib",
    }


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
