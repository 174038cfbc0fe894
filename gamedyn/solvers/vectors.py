"""Arithmetic on vectors that are lists of tensors.

A point in the parameter space of one player is a `list[Tensor]`: nothing is flattened or copied, and
tensors of several devices and dtypes may stand side by side. The numbers returned are Python floats
(float64); `gamedyn.solvers.scalars` has measures that stay on the device.
"""

import math
from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

import torch
from torch import Tensor

Vector: TypeAlias = list[Tensor]
"""One vector: a list of tensors, one per parameter."""

Scalar: TypeAlias = float | Tensor
"""A number: on the host, or a 0-dim float64 tensor that has not been read yet."""

Scaling: TypeAlias = Sequence[Tensor | float]
"""A positive diagonal matrix: per tensor either one number or a tensor that broadcasts to its shape."""

_SQUARES = 1e-15, 1e15
"""Sizes between which squares are far from both ends of float32."""


def zeros_like(vector: Sequence[Tensor]) -> Vector:
    """Return a zero vector of the same shapes, dtypes and devices."""
    return [torch.zeros_like(tensor) for tensor in vector]


def clone(vector: Sequence[Tensor]) -> Vector:
    """Return a copy that shares no memory."""
    return [tensor.clone() for tensor in vector]


def add_(vector: Vector, other: Sequence[Tensor], factor: Scalar = 1.0) -> Vector:
    """Add `factor * other` in place and return the vector; 0.0 on the host adds nothing, not even NaN."""
    if not vector:
        return vector
    if isinstance(factor, Tensor):
        torch._foreach_add_(vector, torch._foreach_mul(list(other), _factors(other, factor)))
    elif factor != 0.0:
        torch._foreach_add_(vector, list(other), alpha=factor)
    return vector


def scale_(vector: Vector, factor: Scalar) -> Vector:
    """Multiply by a number in place and return the vector."""
    if not vector:
        return vector
    if isinstance(factor, Tensor):
        torch._foreach_mul_(vector, _factors(vector, factor))
    else:
        torch._foreach_mul_(vector, factor)
    return vector


def scaled(vector: Sequence[Tensor], scaling: Scaling) -> Vector:
    """Return the product of a diagonal matrix and a vector."""
    factors = [factor for factor in scaling if isinstance(factor, Tensor)]
    if vector and len(factors) == len(vector) == len(scaling):
        return [*torch._foreach_mul(list(vector), factors)]  # one launch on an accelerator
    return [tensor * factor for tensor, factor in zip(vector, scaling, strict=True)]


def products(left: Sequence[Tensor], right: Sequence[Tensor]) -> list[Tensor]:
    """Return the inner product of each pair of tensors, as 0-dim tensors on their devices."""
    return [torch.dot(_wide(a).reshape(-1), _wide(b).reshape(-1)) for a, b in zip(left, right, strict=True)]


def inner(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """Return the Euclidean inner product; only for vectors whose squares are representable."""
    return sum(_read(products(left, right)))


def norms(*vectors: Sequence[Tensor]) -> list[float]:
    """Return the Euclidean norms of several vectors, for one transfer to the host.

    Like `inner`, only for vectors whose squares are representable: see `unit`.
    """
    tensors = [tensor for vector in vectors for tensor in vector]
    sizes = iter(_read(torch._foreach_norm(tensors)) if tensors else ())
    return [math.hypot(*islice(sizes, len(vector))) for vector in vectors]


def norm(vector: Sequence[Tensor]) -> float:
    """Return the Euclidean norm of one vector; see `norms`."""
    return norms(vector)[0]


def all_finite(*vectors: Sequence[Tensor]) -> bool:
    """Return whether every entry is a finite number.

    Their Euclidean norm tells where it is finite itself, which costs one fast pass. Where it is not, entries
    around 1e25 in float32 may have overflowed as squares, and each is looked at.
    """
    tensors = [tensor for vector in vectors for tensor in vector if tensor.numel()]
    if not tensors or all(map(math.isfinite, _read(torch._foreach_norm(tensors)))):
        return True
    return all(_read([tensor.isfinite().all() for tensor in tensors]))


def unit(*vectors: Sequence[Tensor]) -> float:
    """Return a power of two of the vectors' size; 1 for zero vectors, and for NaN and infinity.

    Dividing by it is exact and brings the squares of gradients of any size into the range of their dtype. It
    is the one next to the Euclidean norm, or where that may have under- or overflowed, next to the largest
    magnitude, which takes many times longer to find.
    """
    tensors = [tensor for vector in vectors for tensor in vector if tensor.numel()]
    if not tensors:
        return 1.0
    size = 0.0
    if all(tensor.dtype is not torch.float16 for tensor in tensors):  # which needs all of its range
        size = math.hypot(*_read(torch._foreach_norm(tensors)))
    if not _SQUARES[0] < size < _SQUARES[1]:
        largest = _read(torch._foreach_norm(tensors, math.inf))
        size = max(largest) if all(map(math.isfinite, largest)) else math.inf
    if size == 0.0 or size == math.inf:
        return 1.0
    # so that its inverse, and what it scales, are numbers of the narrowest dtype
    reach = 1000 if all(tensor.dtype is torch.float64 for tensor in tensors) else 120
    return 2.0 ** max(-reach, min(reach, math.frexp(size)[1]))


def precision(vector: Sequence[Tensor]) -> float:
    """Return the largest unit round-off among the tensors."""
    return max((torch.finfo(tensor.dtype).eps for tensor in vector), default=torch.finfo(torch.float64).eps)


def _factors(vector: Sequence[Tensor], factor: Tensor) -> Tensor | list[Tensor]:
    """Return a number, unread, as what `torch._foreach_mul` takes beside these tensors."""
    kinds = {(tensor.device, tensor.dtype) for tensor in vector}
    # in the tensors' own dtype it is one fused launch; in a narrower one than float32 it might overflow
    copies = {kind: factor.to(kind[0], torch.promote_types(kind[1], torch.float32)) for kind in kinds}
    if len(kinds) == 1:
        return copies.popitem()[1]
    return [copies[tensor.device, tensor.dtype] for tensor in vector]


def _wide(tensor: Tensor) -> Tensor:
    """Return a tensor whose dtype can hold a sum over its entries: float16 ends at 65504."""
    return tensor.float() if tensor.dtype is torch.float16 else tensor


def _read(scalars: Sequence[Tensor]) -> list[float]:
    """Bring 0-dim tensors to the host, in one transfer where they live together on an accelerator."""
    devices = {scalar.device for scalar in scalars}
    if len(devices) > 1 or all(device.type == "cpu" for device in devices):
        return [float(scalar) for scalar in scalars]
    values: list[float] = torch.stack([scalar.double() for scalar in scalars]).tolist()
    return values
