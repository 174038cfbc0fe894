"""Images held as bytes and normalised a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset


@dataclass(frozen=True)
class ImageSet:
    """Images in memory, one byte a pixel and channel (CIFAR-10 takes 154 MB).

    Args:
        name: What the images are, for messages.
        pixels: Shape `(n, channels, height, width)`, dtype uint8.
        peak: The value of a full-scale pixel: 255, or 16 for scikit-learn's digits.

    Raises:
        ValueError: If `pixels` is not a uint8 tensor of that shape, or holds no image.

    Example:
        >>> images = ImageSet("grey", torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
        >>> images.batch(torch.tensor([0])).tolist()
        [[[[-1.0, 1.0]]]]
    """

    name: str
    pixels: Tensor
    peak: int = 255

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4 or len(self.pixels) == 0:
            raise ValueError(
                f"{self.name}: images must be a non-empty uint8 tensor (n, channels, height, width), "
                f"got {self.pixels.dtype} {tuple(self.pixels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image, `(channels, height, width)`."""
        return tuple(self.pixels.shape[1:])

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
            or a map-style data set whose items are such images or tuples that begin with one.
        name: What the images are, for messages.

    Returns:
        The images as bytes; float images are rounded to the nearest of 256 levels.

    Raises:
        ValueError: If a float image leaves [-1, 1] or is not finite.

    Example:
        >>> image_set(torch.zeros(5, 1, 8, 8)).shape
        (1, 8, 8)
    """
    if not isinstance(data, Tensor):
        items = [data[index] for index in range(len(data))]  # type: ignore[arg-type]  # map-style
        firsts = [item[0] if isinstance(item, tuple | list) else item for item in items]
        data = torch.stack([torch.as_tensor(first) for first in firsts])
    if data.is_floating_point():
        # The comparison is also false for NaN, so that it is refused too.
        if not bool((data.abs() <= 1).all()):
            raise ValueError(f"{name}: float images must lie in [-1, 1] and be finite; rescale them first")
        data = data.add(1).mul(127.5).round().to(torch.uint8)
    return ImageSet(name, data)
