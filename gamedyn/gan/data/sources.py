"""Streams of training samples whose state can be stored and restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from gamedyn.games.gaussian_mixture import GaussianMixture
from gamedyn.gan.config import TrainConfig
from gamedyn.gan.data.cifar10 import load_cifar10
from gamedyn.gan.data.digits import load_digits
from gamedyn.gan.data.images import ImageSet, resized
from gamedyn.gan.data.order import BatchOrder

MIXTURES: dict[str, Callable[[], GaussianMixture]] = {
    "ring": GaussianMixture.ring,
    "grid": GaussianMixture.grid,
}
"""The mixtures that settings name: 8 modes on a circle, 16 on a square grid."""
# Keeps this stream of a seed apart from the data order's and from those of the training loop.
DEQUANTISING_STREAM = 5_000_011


class Source(Protocol):
    """What the training loop needs of data: batches, their shape, and a state that can be stored."""

    shape: tuple[int, ...]
    classes: int
    """Number of classes; 0 where samples have none."""
    labels: Tensor | None
    """The classes of the batch last given, shape `(batch,)`; `None` where samples have none."""

    def next(self) -> Tensor:
        """Give the next batch, shape `(batch, *shape)`, dtype float32."""

    def state_dict(self) -> dict[str, Tensor]:
        """Give the state as tensors."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a stored state."""


class ImageSource:
    """Batches of a set of images, in a seeded and checkpointed order.

    Args:
        images: The images.
        batch_size: Images a batch.
        seed: Seed of the order.
        dequantise: Whether a pixel of level `v` out of `n` becomes `2 (v + u) / n - 1`, `u` from U[0, 1) and
            fresh in every batch, so that real samples fill a continuous range as generated ones do.

    Raises:
        ValueError: If a batch is larger than the set.

    Example:
        >>> images = ImageSet("black", torch.zeros(6, 1, 8, 8, dtype=torch.uint8))
        >>> ImageSource(images, batch_size=4, seed=0).next().shape
        torch.Size([4, 1, 8, 8])

    References:
        Dequantised: `gan_cifar_resnet.py` of Gulrajani et al., Improved Training of Wasserstein GANs, 2017.
    """

    def __init__(self, images: ImageSet, *, batch_size: int, seed: int, dequantise: bool = False) -> None:
        self.images = images
        self.shape, self.classes = images.shape, images.classes
        self.labels: Tensor | None = None
        self.order = BatchOrder(len(images), batch_size=batch_size, seed=seed)
        self.noise = torch.Generator().manual_seed(seed + DEQUANTISING_STREAM) if dequantise else None

    def next(self) -> Tensor:
        """Give the next batch.

        Returns:
            Shape `(batch, channels, height, width)`, in [-1, 1].
        """
        indices = self.order.next()
        if self.images.labels is not None:
            self.labels = self.images.labels[indices]
        images = self.images.batch(indices)
        if self.noise is None:
            return images
        levels = self.images.peak + 1
        within = torch.rand(images.shape, generator=self.noise)
        return images.add_(1.0).mul_(self.images.peak / levels).add_(within, alpha=2.0 / levels).sub_(1.0)

    def state_dict(self) -> dict[str, Tensor]:
        """Give the state of the order, and of the noise if there is any.

        Returns:
            Tensors by name.
        """
        noise = {} if self.noise is None else {"dequantising": self.noise.get_state()}
        return {**self.order.state_dict(), **noise}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a stored state.

        Args:
            state: What `state_dict` gave.

        Raises:
            ValueError: If the state belongs to a set of another size.
        """
        self.order.load_state_dict(state)
        if self.noise is not None:
            self.noise.set_state(state["dequantising"])


class PointSource:
    """Fresh points of a distribution that can be sampled at will.

    Args:
        sample: Gives so many points with a random generator, shape `(n, coordinates)`.
        batch_size: Points a batch.
        seed: Seed of the points.

    Example:
        >>> def normal(n, generator):
        ...     return torch.randn(n, 2, generator=generator)
        >>> PointSource(normal, batch_size=4, seed=0).next().shape
        torch.Size([4, 2])
    """

    def __init__(
        self, sample: Callable[[int, torch.Generator], Tensor], *, batch_size: int, seed: int
    ) -> None:
        self.sample = sample
        self.batch_size = batch_size
        self.classes = 0
        self.labels: Tensor | None = None
        self.generator = torch.Generator().manual_seed(seed)
        # The shape is asked of a generator of its own, so that no point of the stream is lost.
        self.shape = tuple(sample(1, torch.Generator().manual_seed(seed)).shape[1:])

    def next(self) -> Tensor:
        """Give the next batch.

        Returns:
            Shape `(batch, coordinates)`.
        """
        return self.sample(self.batch_size, self.generator)

    def state_dict(self) -> dict[str, Tensor]:
        """Give the random generator's state.

        Returns:
            Tensors by name.
        """
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a stored state.

        Args:
            state: What `state_dict` gave.
        """
        self.generator.set_state(state["generator"])


def open_source(config: TrainConfig) -> Source:
    """Open the training data that settings name.

    Args:
        config: Resolved settings.

    Returns:
        The stream of batches.

    Raises:
        FileNotFoundError: If the data set is missing and cannot be fetched.
        ValueError: If a file of it is damaged, or a batch is larger than the set.
    """
    if config.batch_size is None:
        raise ValueError("batch_size is not set: resolve the settings first")
    if config.dataset in MIXTURES:
        mixture = MIXTURES[config.dataset]()
        return PointSource(mixture.sample, batch_size=config.batch_size, seed=config.seed)
    return ImageSource(
        open_images(config), batch_size=config.batch_size, seed=config.seed, dequantise=config.dequantise
    )


def open_images(config: TrainConfig, split: str = "train") -> ImageSet:
    """Open the images that settings name, at the size that they name.

    Args:
        config: Settings whose data set are images.
        split: `train` or `test`.

    Returns:
        The images.

    Raises:
        FileNotFoundError: If the data set is missing and cannot be fetched.
        ValueError: If a file of it is damaged, or the data set has points.
    """
    if config.dataset in MIXTURES:
        raise ValueError(f"dataset {config.dataset!r} has points, not images")
    images = load_digits(split) if config.dataset == "digits" else load_cifar10(config.data_root, split)
    return images if config.image_size is None else resized(images, config.image_size)
