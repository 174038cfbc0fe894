"""Weights that a layer computes from parameters, as spectral and weight normalisation do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gamedyn.gan.curvature.fallback import AutogradGenerator


class ComputedWeight:
    """The weight of a parametrised layer at this moment, and its derivative in what it is computed from.

    The weight does not depend on samples: the mixed derivative in its parameters is that in the weight
    itself, pulled back. No second derivative of the parametrisation is ever needed, and its first ones cost
    nothing beside a batch.

    Args:
        layer: A layer whose weight is parametrised; it is computed once, which moves a power iteration on.
    """

    def __init__(self, layer: nn.Module) -> None:
        with torch.enable_grad():
            weight: Tensor = layer.weight  # type: ignore[assignment]
        self.value = weight.detach()
        self.sources = leaves(weight)  # a parametrisation may read what is not registered in it
        self._map = AutogradGenerator(lambda _: weight, self.value, self.sources)

    def push(self, tangents: Mapping[int, Tensor]) -> Tensor | None:
        """Return the weight's tangent; None where no source moves."""
        own = {id(source): tangents[id(source)] for source in self.sources if id(source) in tangents}
        if not own:
            return None
        dtype = next(iter(own.values())).dtype
        exact = {key: tangent.to(self.value.dtype) for key, tangent in own.items()}
        return self._map.push(exact).to(dtype)

    def pull(self, cotangent: Tensor) -> dict[int, Tensor]:
        """Return the sources' cotangents of the weight's."""
        return self._map.pull(cotangent.to(self.value.dtype))


def leaves(value: Tensor) -> list[Tensor]:
    """List what a tensor's graph begins with.

    Args:
        value: The tensor.

    Returns:
        The tensors without a graph of their own that it can be differentiated in.

    Example:
        >>> one, two = torch.ones(2, requires_grad=True), torch.ones(2)
        >>> leaves((one + two) * one)
        [tensor([1., 1.], requires_grad=True)]
    """
    if value.grad_fn is None:
        return [value] if value.requires_grad else []
    waiting, known = [value.grad_fn], {value.grad_fn}
    found: list[Tensor] = []
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            found.append(node.variable)
        earlier = {source for source, _ in node.next_functions if source is not None} - known
        known |= earlier
        waiting += earlier
    return found


def is_parametrised(layer: nn.Module) -> bool:
    """Whether a layer is one of torch's own with a parametrised weight, and nothing else that is computed."""
    if not parametrize.is_parametrized(layer) or type(layer).__module__ != parametrize.__name__:
        return False
    named: Mapping[str, nn.Module] = layer.parametrizations  # type: ignore[assignment]
    return list(named) == ["weight"] and type(layer).__bases__[0].__module__.startswith("torch.nn.modules")


def pushed(computed: Sequence[ComputedWeight], tangents: Mapping[int, Tensor]) -> Mapping[int, Tensor]:
    """Add the tangents of computed weights to those of parameters."""
    if not computed:
        return tangents
    found = {id(one.value): one.push(tangents) for one in computed}
    return {**tangents, **{key: tangent for key, tangent in found.items() if tangent is not None}}


def pulled(computed: Sequence[ComputedWeight], cotangents: dict[int, Tensor]) -> dict[int, Tensor]:
    """Replace the cotangents of computed weights by those of the parameters that they are computed from."""
    for one in computed:
        own = cotangents.pop(id(one.value), None)
        for key, part in ({} if own is None else one.pull(own)).items():
            cotangents[key] = cotangents[key] + part if key in cotangents else part
    return cotangents
