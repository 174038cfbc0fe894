"""Images held as bytes and normalised a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

PART = 2048


@dataclass(frozen=True)
class ImageSet:
    """Images in memory, one byte a pixel and channel (CIFAR-10 takes 154 MB).

    Args:
        name: What the images are, for messages.
        pixels: Shape `(n, channels, height, width)`, dtype uint8.
        peak: The value of a full-scale pixel: 255, or 16 for scikit-learn's digits.
        labels: The class of every image, shape `(n,)`, whole numbers from 0; `None` without classes.
        classes: Number of classes; 0 without labels.

    Raises:
        ValueError: If `pixels` is not a uint8 tensor of that shape, or holds no image, or `labels` do not fit
            them.

    Example:
        >>> images = ImageSet("grey", torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
        >>> images.batch(torch.tensor([0])).tolist()
        [[[[-1.0, 1.0]]]]
    """

    name: str
    pixels: Tensor
    peak: int = 255
    labels: Tensor | None = None
    classes: int = 0

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4 or len(self.pixels) == 0:
            raise ValueError(
                f"{self.name}: images must be a non-empty uint8 tensor (n, channels, height, width), "
                f"got {self.pixels.dtype} {tuple(self.pixels.shape)}"
            )
        labels = self.labels
        if labels is None and self.classes == 0:
            return
        if (
            labels is None
            or labels.dtype != torch.int64
            or labels.shape != self.pixels.shape[:1]
            or not 0 <= int(labels.min()) <= int(labels.max()) < self.classes
        ):
            got = "none" if labels is None else f"{labels.dtype} {tuple(labels.shape)}"
            raise ValueError(
                f"{self.name}: labels must be {len(self.pixels)} whole numbers (int64) from 0 to "
                f"{self.classes - 1}, one below the number of classes, got {got}"
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image, `(channels, height, width)`."""
        return tuple(self.pixels.shape[1:])

    def some(self, count: int, *, seed: int, batch: int = 250) -> Iterator[Tensor]:
        """Give a seeded choice of the images, a batch at a time.

        Args:
            count: How many; all, in another order, if there are fewer.
            seed: Seed of the choice.
            batch: Images a batch.

        Yields:
            Shape `(at most batch, channels, height, width)`, dtype float32, in [-1, 1].
        """
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))[:count]
        for indices in torch.split(order, batch):
            yield self.batch(indices)

    def batch(self, indices: Tensor) -> Tensor:
        """Give some of the images, scaled to [-1, 1].

        Args:
            indices: Which images, shape `(batch,)`, dtype int64.

        Returns:
            Shape `(batch, channels, height, width)`, dtype float32.
        """
        return self.pixels[indices].float().mul_(2.0 / self.peak).sub_(1.0)


def image_set(data: Tensor | Dataset[object], name: str = "images") -> ImageSet:
    """Hold a user's own images.

    Args:
        data: A uint8 tensor `(n, channels, height, width)`, a float tensor of that shape in [-1, 1],
            or a map-style data set whose items are such images or tuples that begin with one; where its
            class follows as a whole number, it becomes the label.
        name: What the images are, for messages.

    Returns:
        The images as bytes; float images are rounded to the nearest of 256 levels.

    Raises:
        ValueError: If a float image leaves [-1, 1] or is not finite.

    Example:
        >>> image_set(torch.zeros(5, 1, 8, 8)).shape
        (1, 8, 8)
    """
    labels = None
    if not isinstance(data, Tensor):
        items: list[Any] = [data[index] for index in range(len(data))]  # type: ignore[arg-type]  # map-style
        if all(isinstance(item, tuple | list) and len(item) > 1 and is_class(item[1]) for item in items):
            labels = torch.tensor([int(item[1]) for item in items])
        firsts = [item[0] if isinstance(item, tuple | list) else item for item in items]
        data = torch.stack([torch.as_tensor(first) for first in firsts])
    if data.is_floating_point():
        # The comparison is also false for NaN, so that it is refused too.
        if not bool((data.abs() <= 1).all()):
            raise ValueError(f"{name}: float images must lie in [-1, 1] and be finite; rescale them first")
        data = data.add(1).mul(127.5).round().to(torch.uint8)
    return ImageSet(name, data, labels=labels, classes=0 if labels is None else int(labels.max()) + 1)


def is_class(value: object) -> bool:
    """Say whether a value can be the class of an image.

    Args:
        value: Anything.

    Returns:
        Whether it is a whole number of at least 0, as an int or as a tensor without dimensions.

    Example:
        >>> is_class(3), is_class(torch.tensor(3)), is_class(0.5), is_class(torch.zeros(1, 2))
        (True, True, False, False)
    """
    if isinstance(value, Tensor):
        whole = value.ndim == 0 and not value.is_floating_point() and value.dtype != torch.bool
        return whole and int(value) >= 0
    return type(value) is int and value >= 0


def resized(images: ImageSet, size: int) -> ImageSet:
    """Resample square images.

    Args:
        images: The images.
        size: Pixels a side: more than now are interpolated (bilinear), fewer are averaged over areas.

    Returns:
        The same images at that size, rounded to bytes; the very same set if nothing changes.

    Raises:
        ValueError: If the images are not square.

    Example:
        >>> images = ImageSet("grey", torch.tensor([[[[0, 100], [100, 200]]]], dtype=torch.uint8))
        >>> resized(images, 1).pixels.item()
        100
    """
    channels, height, width = images.shape
    if height != width:
        raise ValueError(f"{images.name}: only square images can be resampled, these are {height}x{width}")
    if size == height:
        return images
    pixels = torch.empty(len(images), channels, size, size, dtype=torch.uint8)
    how = "bilinear" if size > height else "area"
    # In parts, so that the images are never all held as floats.
    for part, target in zip(torch.split(images.pixels, PART), torch.split(pixels, PART), strict=True):
        target.copy_(functional.interpolate(part.float(), size, mode=how).round())
    return replace(images, pixels=pixels)
