"""Numbers that may still live on the device: measured there, combined there, read together.

On a CPU a number is read where it is measured, because arithmetic on Python floats is faster than on 0-dim
tensors. On an accelerator, and wherever it is asked for, measures stay 0-dim float64 tensors until `read`
brings several of them over in one transfer. The functions here take either.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from gamedyn.solvers.vectors import Scalar, inner, norms, products

Flag: TypeAlias = bool | Tensor
"""A condition: known on the host, or a 0-dim tensor that has not been read yet."""


class Measure:
    """Inner products and norms of vectors that live on certain devices.

    Args:
        vector: Tensors on all devices that are to be measured on; scalars live on the first one's.
        lazily: Whether measures stay on the device on a CPU as well.

    Example:
        >>> import torch
        >>> Measure([torch.ones(2)]).norms([torch.tensor([3.0, 4.0])])
        [5.0]
        >>> Measure([torch.ones(2)], lazily=True).norms([torch.tensor([3.0, 4.0])])
        [tensor(5., dtype=torch.float64)]
    """

    def __init__(self, vector: Sequence[Tensor], lazily: bool = False) -> None:
        devices = [tensor.device for tensor in vector]
        self._home = devices[0] if devices else torch.device("cpu")
        self.lazy = lazily or any(device.type != "cpu" for device in devices)

    def norms(self, *vectors: Sequence[Tensor]) -> list[Scalar]:
        """Return the Euclidean norms of several vectors; see `gamedyn.solvers.vectors.norms`."""
        if not self.lazy:
            return [*norms(*vectors)]
        tensors = [tensor for vector in vectors for tensor in vector]
        sizes = self._gathered(torch._foreach_norm(tensors) if tensors else ())
        squares = torch.split(sizes.square(), [len(vector) for vector in vectors])
        return [square.sum().sqrt() for square in squares]

    def inner(self, left: Sequence[Tensor], right: Sequence[Tensor]) -> Scalar:
        """Return the Euclidean inner product; see `gamedyn.solvers.vectors.inner`."""
        return self._gathered(products(left, right)).sum() if self.lazy else inner(left, right)

    def _gathered(self, scalars: Sequence[Tensor]) -> Tensor:
        if not scalars:
            return torch.zeros(0, dtype=torch.float64, device=self._home)
        return torch.stack([scalar.to(self._home) for scalar in scalars]).double()


def read(*scalars: Scalar | Flag) -> list[float]:
    """Bring numbers to the host, those on the device in one transfer.

    Args:
        scalars: Numbers, conditions and 0-dim tensors of one device.

    Returns:
        The numbers in the same order; 1.0 for a condition that holds and 0.0 for one that does not.

    Example:
        >>> import torch
        >>> read(0.5, torch.tensor(2.0) > 1.0, torch.tensor(3.0))
        [0.5, 1.0, 3.0]
    """
    waiting = [scalar for scalar in scalars if isinstance(scalar, Tensor)]
    if not waiting:
        return [float(scalar) for scalar in scalars]
    arrived = iter(_transferred(waiting))
    return [next(arrived) if isinstance(scalar, Tensor) else float(scalar) for scalar in scalars]


def ratio(numerator: Scalar, denominator: Scalar, where: Flag) -> Scalar:
    """Return a quotient where a condition holds and 0 elsewhere, whatever the quotient would be there."""
    if isinstance(where, Tensor):
        return torch.where(where, numerator / denominator, 0.0)
    return numerator / denominator if where else 0.0


def choose(where: Flag, this: Scalar, other: Scalar) -> Scalar:
    """Return one number where a condition holds and the other elsewhere."""
    return torch.where(where, this, other) if isinstance(where, Tensor) else this if where else other


def root(scalar: Scalar) -> Scalar:
    """Return the square root of a number that is not negative."""
    return scalar.sqrt() if isinstance(scalar, Tensor) else math.sqrt(scalar)


def amplification(before: Scalar, after: Scalar, largest: Scalar) -> Scalar:
    """Return the larger of `after / before`, where that is a number, and what was largest so far."""
    factor = ratio(after, before, (before > 0.0) & (after < math.inf))
    return choose(factor > largest, factor, largest)


def _transferred(scalars: list[Tensor]) -> list[float]:
    """The one place where the solvers wait for the device."""
    values: list[float] = torch.stack(scalars).double().tolist()
    return values
