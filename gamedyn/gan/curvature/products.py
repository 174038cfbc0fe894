"""Products with both halves of the mixed Hessian, composed of the two networks' maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gamedyn.gan.curvature.rule import like
from gamedyn.gan.curvature.subbatch import ImageMap, MixedDerivative
from gamedyn.solvers.mixed_hessian import Product
from gamedyn.solvers.vectors import Vector


def products(
    images: ImageMap, mixed: Sequence[MixedDerivative], x: Sequence[Tensor], y: Sequence[Tensor]
) -> tuple[Product, Product]:
    """Compose both halves of the mixed Hessian, `D_yx g` and `D_xy f`, of `J_G` and of each loss's `M_D`."""

    def forward(vector: Vector) -> Vector:
        with torch.no_grad():
            return listed(mixed[-1].to_weights(images.push(_named(x, vector))), y)

    def backward(vector: Vector) -> Vector:
        with torch.no_grad():
            return listed(images.pull(mixed[0].to_image(_named(y, vector))), x)

    return forward, backward


def _named(parameters: Sequence[Tensor], vector: Sequence[Tensor]) -> Mapping[int, Tensor]:
    return {id(parameter): tensor for parameter, tensor in zip(parameters, vector, strict=True)}


def listed(found: Mapping[int, Tensor], parameters: Sequence[Tensor]) -> Vector:
    """List what was found, in the parameters' own memory format, and zeros for the rest."""
    return [
        like(found[id(parameter)].to(parameter.dtype), parameter)
        if id(parameter) in found
        else torch.zeros_like(parameter)
        for parameter in parameters
    ]
