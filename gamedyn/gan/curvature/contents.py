"""What a linear map consists of: its tensors, and all else, which decides its operations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable
from types import FunctionType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.network import Call, LinearisedNetwork
from gamedyn.gan.curvature.paired import PairedCurvature
from gamedyn.gan.curvature.rule import Change, LinearMap, Rule, UnsupportedError

Whole = TypeVar("Whole")

OF_OURS = (Call, LinearisedNetwork, PairedCurvature, Rule, ScoreCurvature)
"""What is taken apart, attribute by attribute."""
ELSEWHERE = "computed"
"""The attribute that is not: computed weights are pushed and pulled outside."""


def taken_apart(whole: object) -> tuple[Hashable, list[Tensor]]:
    """Take a linear map apart.

    Args:
        whole: The map, or anything that it consists of.

    Returns:
        Its structure and its tensors. Of two maps with equal structures, each of which has tensors like the
        other's (shape, strides, type, device), every method does the same operations on those tensors.

    Raises:
        UnsupportedError: Where something is neither a tensor nor can be compared.

    Example:
        >>> from gamedyn.gan.curvature.activations import LeakyReLU
        >>> steep, same, flat = LeakyReLU(0.2), LeakyReLU(0.2), LeakyReLU(0.1)
        >>> for rule in (steep, same, flat):
        ...     out = rule.forward(torch.randn(3))
        >>> taken_apart(steep)[0] == taken_apart(same)[0], taken_apart(steep)[0] == taken_apart(flat)[0]
        (True, False)
        >>> len(taken_apart(steep)[1])  # the slopes
        1
    """
    places: dict[int, int] = {}
    tensors: list[Tensor] = []

    def place(tensor: Tensor) -> int:
        if id(tensor) not in places:
            places[id(tensor)] = len(tensors)
            tensors.append(tensor)
        return places[id(tensor)]

    return _structure(whole, place), tensors


def kind_of(tensor: Tensor) -> Hashable:
    """Say all about a tensor but its numbers."""
    return (
        *(tuple(tensor.shape), tensor.stride(), tensor.storage_offset()),
        *(tensor.dtype, tensor.device, type(tensor)),
    )


def put_together(whole: Whole, change: Change) -> Whole:
    """Copy a linear map on other tensors.

    Args:
        whole: The map.
        change: What becomes of each of its tensors; what named a parameter names its image.

    Returns:
        The copy, which leaves computed weights to others.

    Example:
        >>> from gamedyn.gan.curvature.affine import Linear
        >>> rule = Linear(nn.Linear(2, 1, bias=False))
        >>> out = rule.forward(torch.ones(1, 2))
        >>> put_together(rule, torch.zeros_like).tangent(torch.ones(1, 2), [None])
        tensor([[0.]])
    """
    return _copied(whole, change)  # type: ignore[no-any-return]


def _structure(value: Any, place: Callable[[Tensor], int]) -> Hashable:
    match value:
        case Tensor():
            return ("tensor", place(value))
        case None | bool() | int() | float() | str() | torch.dtype() | torch.device():
            return (type(value), value)
        case tuple() | list():
            return (type(value), *(_structure(part, place) for part in value))
        case dict():
            return (dict, *((key, _structure(part, place)) for key, part in value.items()))
        case slice():
            return (slice, *(_structure(part, place) for part in (value.start, value.stop, value.step)))
        case nn.Module():  # its parameters and buffers are read by forward passes alone
            plain = {key: part for key, part in vars(value).items() if not key.startswith("_")}
            return (value, _structure(plain, place))
        case FunctionType():
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            held = (value.__defaults__, value.__kwdefaults__, cells)
            return (value.__code__, _structure(held, place))
        case _ if isinstance(value, OF_OURS):
            parts = {key: part for key, part in vars(value).items() if key != ELSEWHERE}
            return (type(value), _structure(parts, place))
        case Hashable():
            return (type(value), value)
    raise UnsupportedError(f"a map that holds a {type(value).__name__}")


def _copied(value: Any, change: Change) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if type(value) in {list, tuple}:
        return type(value)(_copied(part, change) for part in value)
    if type(value) is dict:
        return {key: _copied(part, change) for key, part in value.items()}
    if not isinstance(value, OF_OURS):
        return value
    own = copy.copy(value)
    for key, part in vars(value).items():
        setattr(own, key, [] if key == ELSEWHERE else _copied(part, change))
    if isinstance(own, LinearMap) and isinstance(value, LinearMap) and own.probe is not value.probe:
        own.probe_at(own.probe)
    return own
