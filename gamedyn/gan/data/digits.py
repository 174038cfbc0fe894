"""Scikit-learn's handwritten digits: 1,797 real 8x8 images that come inside its wheel."""

from __future__ import annotations

import torch

from gamedyn.gan.data.images import ImageSet

HELD_OUT_EVERY = 6


def load_digits(split: str = "train") -> ImageSet:
    """Load the digits.

    The set has no official split; every sixth image is held out as `test`.

    Args:
        split: `train` (1,498 images) or `test` (299).

    Returns:
        Images of shape `(1, 8, 8)` with full scale 16, labelled 0 to 9.

    Raises:
        ValueError: If the split is neither, or scikit-learn is not installed.

    Example:
        >>> load_digits("test").shape
        (1, 8, 8)

    References:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (the test part).
    """
    if split not in {"train", "test"}:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ValueError('the digits need scikit-learn: pip install "gamedyn[demo]"') from error
    digits = datasets.load_digits()
    pixels = torch.from_numpy(digits.images).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(digits.target).to(torch.int64)
    held_out = torch.arange(len(pixels)) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    chosen = held_out if split == "test" else ~held_out
    return ImageSet(f"digits ({split})", pixels[chosen], peak=16, labels=labels[chosen], classes=10)
