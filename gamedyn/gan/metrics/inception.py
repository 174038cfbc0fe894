"""The Inception network of 2015 whose features define the FID, and its published weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = 299
CLASSES = 1008
FEATURES = 2048
SHA256_PREFIX = "6726825d"
"""The first digits of the SHA-256 of the published file, which also stand in its name."""
URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)


class Convolution(nn.Module):
    """A convolution without bias, BatchNorm and ReLU; it keeps the size at stride 1 if `same`."""

    def __init__(self, inputs: int, outputs: int, kernel: Any, *, stride: int = 1, same: bool = True) -> None:
        super().__init__()
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = (height // 2, width // 2) if same else 0
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Map feature maps to feature maps."""
        return functional.relu(self.bn(self.conv(x)))


def _halved(inputs: int, outputs: int) -> Convolution:
    return Convolution(inputs, outputs, 3, stride=2, same=False)


def _average(x: Tensor) -> Tensor:
    # The published network does not count the padding into its averages.
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, stride=2)


class MixedA(nn.Module):
    """The 35x35 block (figure 5): 5x5 and doubled 3x3 convolutions."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Convolution(inputs, 48, 1), Convolution(48, 64, 5)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(inputs, 64, 1), Convolution(64, 96, 3)
        self.branch3x3dbl_3 = Convolution(96, 96, 3)
        self.branch_pool = Convolution(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map feature maps to feature maps."""
        wide = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), wide, double, self.branch_pool(_average(x))], 1)


class MixedB(nn.Module):
    """From 35x35 to 17x17 (figure 10)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = _halved(inputs, 384)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(inputs, 64, 1), Convolution(64, 96, 3)
        self.branch3x3dbl_3 = _halved(96, 96)

    def forward(self, x: Tensor) -> Tensor:
        """Map feature maps to feature maps."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, _maximum(x)], 1)


class MixedC(nn.Module):
    """The 17x17 block (figure 6): 7x7 convolutions factored into rows and columns."""

    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        self.branch1x1 = Convolution(inputs, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = Convolution(inputs, inner, 1), Convolution(inner, inner, row)
        self.branch7x7_3 = Convolution(inner, 192, column)
        self.branch7x7dbl_1 = Convolution(inputs, inner, 1)
        self.branch7x7dbl_2, self.branch7x7dbl_3 = (
            Convolution(inner, inner, column),
            Convolution(inner, inner, row),
        )
        self.branch7x7dbl_4 = Convolution(inner, inner, column)
        self.branch7x7dbl_5 = Convolution(inner, 192, row)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map feature maps to feature maps."""
        wide = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), wide, double, self.branch_pool(_average(x))], 1)


class MixedD(nn.Module):
    """From 17x17 to 8x8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Convolution(inputs, 192, 1), _halved(192, 320)
        self.branch7x7x3_1, self.branch7x7x3_2 = Convolution(inputs, 192, 1), Convolution(192, 192, (1, 7))
        self.branch7x7x3_3, self.branch7x7x3_4 = Convolution(192, 192, (7, 1)), _halved(192, 192)

    def forward(self, x: Tensor) -> Tensor:
        """Map feature maps to feature maps."""
        wide = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), wide, _maximum(x)], 1)


class MixedE(nn.Module):
    """The 8x8 block (figure 7): filter banks that spread out in the end.

    The published weights take a maximum where the paper takes an average in their last block.
    """

    def __init__(self, inputs: int, *, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = Convolution(384, 384, (1, 3)), Convolution(384, 384, (3, 1))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(inputs, 448, 1), Convolution(448, 384, 3)
        self.branch3x3dbl_3a = Convolution(384, 384, (1, 3))
        self.branch3x3dbl_3b = Convolution(384, 384, (3, 1))
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map feature maps to feature maps."""
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = functional.max_pool2d(x, 3, stride=1, padding=1) if self.maximum else _average(x)
        spread = [self.branch3x3_2a(single), self.branch3x3_2b(single)]
        spread += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *spread, self.branch_pool(pooled)], 1)


class Inception(nn.Module):
    """Inception v3 as Google published it in December 2015, without its auxiliary classifier.

    Parameter names are those of the file that pytorch-fid distributes, so that it loads as it is.

    Example:
        >>> network = Inception()
        >>> sum(parameter.numel() for parameter in network.parameters())
        23850960

    References:
        Szegedy et al., Rethinking the Inception architecture for computer vision, 2015. Heusel et al., GANs
        trained by a two time-scale update rule converge to a local Nash equilibrium, 2017 (the FID).
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _halved(3, 32)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, same=False)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, same=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = MixedA(192, 32), MixedA(256, 64), MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b, self.Mixed_6c = MixedC(768, 128), MixedC(768, 160)
        self.Mixed_6d, self.Mixed_6e = MixedC(768, 160), MixedC(768, 192)
        self.Mixed_7a = MixedD(768)
        self.Mixed_7b, self.Mixed_7c = MixedE(1280, maximum=False), MixedE(2048, maximum=True)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Extract features and class logits.

        Args:
            images: In [-1, 1], shape `(n, 1 or 3, height, width)`; resized bilinearly to 299 pixels, as
                pytorch-fid does. Grey images are repeated in three channels.

        Returns:
            Features, shape `(n, 2048)`, and logits without their bias (as Inception Scores are computed),
            shape `(n, 1008)`.
        """
        x = images.expand(-1, 3, -1, -1)
        x = functional.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(_maximum(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(_maximum(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        features = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))
        return features, functional.linear(features, self.fc.weight)


def open_inception(path: Path, *, sha256_prefix: str = SHA256_PREFIX) -> Inception:
    """Open the published weights from a file.

    Args:
        path: The file; it is not downloaded.
        sha256_prefix: What the SHA-256 of the file must begin with.

    Returns:
        The network in evaluation mode.

    Raises:
        FileNotFoundError: If the file is missing; the message says where it is published.
        ValueError: If the checksum or a name or shape inside is another.
    """
    expected = f"the Inception weights (SHA-256 {sha256_prefix}..., {URL})"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: download {expected} to it")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256_prefix):
        raise ValueError(f"{path} has the SHA-256 {found[:8]}..., it is not {expected}")
    network = Inception()
    try:
        missing, unexpected = network.load_state_dict(
            torch.load(path, map_location="cpu", weights_only=True), strict=False
        )
    except Exception as error:  # a damaged file raises an error of its own kind
        raise ValueError(f"{path} does not fit the network: {repr(error)[:200]}") from error
    # Files written by old versions of torch do not count batches.
    lacking = [name for name in missing if not name.endswith("num_batches_tracked")]
    if lacking or unexpected:
        raise ValueError(
            f"{path} does not fit the network: {len(lacking)} names are missing and {len(unexpected)} are "
            f"unknown, first {[*lacking, *unexpected][0]}"
        )
    return network.eval().requires_grad_(False)
