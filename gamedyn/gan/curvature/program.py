"""A method of a linear map as a function of tensors alone, which any step's tensors can be given to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from gamedyn.gan.curvature.contents import kind_of, put_together, taken_apart
from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.paired import PairedCurvature
from gamedyn.gan.curvature.rule import UnsupportedError

Map: TypeAlias = LinearisedNetwork | ScoreCurvature | PairedCurvature


@dataclass
class Result:
    """What a method returns."""

    tensors: Sequence[Tensor]
    places: tuple[int, ...] | None
    """Those of the parameters whose cotangents the tensors are; None for the one tensor of an image."""


@dataclass
class Program:
    """A method's operations.

    Args:
        graph: They, as a module that takes tensors and returns tensors.
        reads: Which of a map's tensors and of what it is applied to it takes.
        places: As a result's.
    """

    graph: fx.GraphModule
    reads: list[int]
    places: tuple[int, ...] | None


class Parts:
    """A linear map at one point, taken apart.

    Args:
        whole: The map.

    Raises:
        UnsupportedError: Where it cannot be taken apart.
    """

    def __init__(self, whole: Map) -> None:
        structure, tensors = taken_apart(whole)
        self.tensors = [tensor.detach() for tensor in tensors]
        self.kind = (structure, *map(kind_of, self.tensors))
        """What decides its operations; maps of one kind can run the same program."""
        self.parameters = parameters_of(whole)
        self.computed = [one for network in networks_of(whole) for one in network.computed]
        self._whole = whole

    def apply(self, method: str, places: Sequence[int] | None, given: Sequence[Tensor]) -> Result:
        """Apply a method, without its computed weights.

        Args:
            method: Its name.
            places: Those of the parameters whose tangents are given; None for the one tensor of an image.
            given: What it is applied to.

        Returns:
            What it returns.
        """
        return _applied(put_together(self._whole, lambda tensor: tensor), method, places, given)

    def trace(self, method: str, places: Sequence[int] | None, given: Sequence[Tensor]) -> Program:
        """Record what a method does, computing nothing.

        Args:
            method: Its name.
            places: As `apply` takes them.
            given: Tensors like those that it will be applied to.

        Returns:
            Its operations.

        Raises:
            UnsupportedError: Where they depend on a tensor that the map does not hold.
        """
        names = [id(tensor) for tensor in taken_apart(self._whole)[1]]
        found: list[tuple[int, ...] | None] = []

        def function(*inputs: Tensor) -> list[Tensor]:
            images = dict(zip(names, inputs, strict=False))
            whole = put_together(self._whole, lambda tensor: images[id(tensor)])
            result = _applied(whole, method, places, inputs[len(names) :])
            found.append(result.places)
            return list(result.tensors)

        with torch.no_grad():
            graph = make_fx(function, tracing_mode="fake")(*self.tensors, *given)
        if any(node.op == "get_attr" for node in graph.graph.nodes):
            raise UnsupportedError("one of its layers reads a constant tensor")
        graph.graph.eliminate_dead_code()
        inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
        reads = [k for k, node in enumerate(inputs) if node.users]
        for node in inputs:
            if not node.users:
                graph.graph.erase_node(node)
        graph.recompile()
        return Program(graph, reads, found[-1])


def parameters_of(whole: Map) -> list[Tensor]:
    """List the parameters of a map's networks, computed weights for what they are computed from."""
    found = {id(p): p for network in networks_of(whole) for p in network.parameters}
    return list(found.values())


def networks_of(whole: Map) -> list[LinearisedNetwork]:
    """List the networks whose parameters a map reaches."""
    if isinstance(whole, LinearisedNetwork):
        return [whole]
    if isinstance(whole, ScoreCurvature):
        return [whole.network]
    return [one for part in (whole.alone, whole.reals) for one in networks_of(part)]  # type: ignore[arg-type]


def _applied(whole: Map, method: str, places: Sequence[int] | None, given: Sequence[Tensor]) -> Result:
    parameters = parameters_of(whole)
    argument: Any = given[0]
    if places is not None:
        argument = {id(parameters[k]): tangent for k, tangent in zip(places, given, strict=True)}
    result: Tensor | dict[int, Tensor] = getattr(whole, method)(argument)
    if isinstance(result, Tensor):
        return Result([result], None)
    known = {id(parameter): place for place, parameter in enumerate(parameters)}
    return Result(list(result.values()), tuple(known[key] for key in result))
