"""A network linearised at one point: tangents, cotangents and their derivatives, layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from gamedyn.gan.curvature.computed import pulled, pushed
from gamedyn.gan.curvature.overwriting import IN_PLACE, refuse_overwriting
from gamedyn.gan.curvature.rule import Change, LinearMap, Maybe, Rule, UnsupportedError, plus
from gamedyn.gan.curvature.trace import (
    COMMUTATIVE,
    is_sum,
    keeps_samples,
    rule_for_call,
    rule_for_module,
)

Weights = Mapping[int, Tensor]
"""Tensors for parameters, by the parameters' `id`."""


@dataclass
class Call:
    """One call of one layer: where its inputs come from; without a rule, it adds them."""

    inputs: list[int]
    rule: Rule | None


class LinearisedNetwork:
    """One forward pass of a traced network, kept as a tape of linear maps.

    Args:
        graph: The traced network.
        modules: The modules that it names.
        value: The input; its first axis runs over samples.

    Raises:
        UnsupportedError: For a layer or a composition without a rule.
    """

    def __init__(self, graph: fx.Graph, modules: Mapping[str, nn.Module], value: Tensor) -> None:
        self.calls: list[Call] = []  # call k produces slot k + 1; slot 0 is the input
        self.value = value
        with torch.no_grad():
            self.output = self._record(graph, modules, value)
        self.parameters = list(
            {id(p): p for call in self.calls if call.rule for p in call.rule.parameters}.values()
        )
        self.computed = [
            call.rule.computed for call in self.calls if call.rule and call.rule.computed is not None
        ]
        self._first = min(
            (slot for slot, call in enumerate(self.calls, 1) if call.rule and call.rule.parameters),
            default=len(self.calls),
        )
        self.piecewise_linear = all(call.rule is None or call.rule.piecewise_linear for call in self.calls)
        self.mixes_samples = any(call.rule is not None and call.rule.mixes_samples for call in self.calls)

    def _record(self, graph: fx.Graph, modules: Mapping[str, nn.Module], value: Tensor) -> Tensor:
        values: dict[fx.Node, Any] = {}
        slots: dict[fx.Node, int] = {}

        def record(node: fx.Node, inputs: list[fx.Node], rule: Rule | None, result: Tensor) -> None:
            self.calls.append(Call([slots[source] for source in inputs], rule))
            slots[node] = len(self.calls)
            values[node] = result

        for node in graph.nodes:
            if node.op == "placeholder":
                if slots:
                    raise UnsupportedError("a network of more than one input")
                values[node], slots[node] = value, 0
                continue
            if node.op == "get_attr":
                raise UnsupportedError(f"the attribute {node.target} used outside a layer")
            if node.op == "output":
                result = node.args[0]
                used = {source for call in self.calls for source in call.inputs}
                if (
                    not isinstance(result, fx.Node)
                    or slots.get(result) != len(self.calls)
                    or not used.issuperset(range(len(self.calls)))
                ):
                    raise UnsupportedError("a network whose output is not its last layer's")
                return cast("Tensor", values[result])
            args = fx.map_arg(node.args, values.__getitem__)
            kwargs = fx.map_arg(node.kwargs, values.__getitem__)
            moving = [source for source in node.all_input_nodes if source in slots]
            target = IN_PLACE.get(node.target, node.target)
            if target is not node.target and node.args[0] in slots:
                refuse_overwriting(node, modules, values)
            if node.op == "call_module":
                module = modules[str(node.target)]
                if getattr(module, "inplace", False):
                    refuse_overwriting(node, modules, values)
                rule = rule_for_module(module)
                image = rule.forward(args[0])
                if isinstance(rule, LinearMap) and (image.dim() == 0 or len(image) != len(value)):
                    rule.mixes_samples = True
                record(node, moving, rule, image)
            elif node.target is getattr or (isinstance(node.target, str) and node.target in ("size", "dim")):
                named = getattr(args[0], str(args[1] if node.target is getattr else node.target))
                values[node] = named if node.target is getattr else named(*args[1:])
                if isinstance(values[node], Tensor):
                    raise UnsupportedError(f"no rule for the attribute {args[1]}")
            elif not moving:
                values[node] = node.target(*args, **kwargs)
                if isinstance(values[node], Tensor):
                    raise UnsupportedError(f"no rule for {node.target} of no tensor")
            elif is_sum(target, args, kwargs):
                record(node, list(node.args), None, args[0] + args[1])
            elif len(moving) == 1:
                if len(args) == 2 and not isinstance(args[0], Tensor):  # 0.5 * a
                    args = args[::-1] if target in COMMUTATIVE else args
                if kwargs.get("inplace", False) or any(arg is True for arg in args[1:]):
                    refuse_overwriting(node, modules, values)
                rule = rule_for_call(target, args, kwargs)
                image = rule.forward(args[0])
                if isinstance(rule, LinearMap) and not keeps_samples(target, args, kwargs, image):
                    rule.mixes_samples = True
                record(node, moving, rule, image)
            else:
                raise UnsupportedError(f"no rule for {node.target} of {len(moving)} tensors")
        raise UnsupportedError("a network without an output")

    def copied(self, samples: Change, weights: Change) -> LinearisedNetwork:
        """Return the same tape on changed tensors, see `Rule.copied`; parameters keep their names."""
        own = copy.copy(self)
        with torch.no_grad():
            own.value, own.output = samples(self.value), samples(self.output)
            own.calls = [
                Call(call.inputs, None if call.rule is None else call.rule.copied(samples, weights))
                for call in self.calls
            ]
        return own

    def narrowed(self, count: int) -> LinearisedNetwork:
        """Return the tape of the first samples alone.

        Args:
            count: How many.

        Returns:
            The copy; what it shares with this one is not copied.

        Raises:
            UnsupportedError: Where samples meet by more than means.
        """
        self.refuse_to_narrow()
        return self.copied(lambda tensor: tensor[:count], lambda tensor: tensor)

    def refuse_to_narrow(self) -> None:
        """Raise `UnsupportedError` where samples meet by more than means."""
        for call in self.calls:
            if call.rule is not None and call.rule.mixes_samples and not call.rule.by_means:
                raise UnsupportedError("a network that mixes its samples")

    def push(self, weights: Weights) -> Tensor:
        """Return the output's tangent as the parameters move: `J θ̇`."""
        out = self.tangent(None, pushed(self.computed, weights))[0]
        return torch.zeros_like(self.output) if out is None else out

    def tangent(self, dot: Maybe, weights: Weights) -> tuple[Maybe, list[Maybe]]:
        """Return the output's tangent, and those of all slots."""
        dots: list[Maybe] = [dot]
        for call in self.calls:
            if call.rule is None:
                dots.append(plus(dots[call.inputs[0]], dots[call.inputs[1]]))
            else:
                own = [weights.get(id(p)) for p in call.rule.parameters]
                dots.append(call.rule.tangent(dots[call.inputs[0]], own))
        return dots[-1], dots

    def cotangent(self, bar: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Return the input's cotangent, and those of all slots."""
        bars: dict[int, Tensor] = {len(self.calls): bar}
        for slot in range(len(self.calls), 0, -1):
            self._send(bars, slot, bars[slot])
        return bars.pop(0), bars

    def weights(self, bars: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Return the parameters' cotangents from those of the slots."""
        result: dict[int, Tensor] = {}
        for slot, call in enumerate(self.calls, 1):
            if call.rule is not None:
                _gather(result, call.rule, call.rule.weights(bars[slot]))
        return result

    def pull(self, bar: Tensor) -> dict[int, Tensor]:
        """Return the parameters' cotangents of an output cotangent: `Jᵀ ō`."""
        result: dict[int, Tensor] = {}
        bars: dict[int, Tensor] = {len(self.calls): bar}
        for slot in range(len(self.calls), self._first - 1, -1):
            call, own = self.calls[slot - 1], bars.pop(slot)
            if call.rule is not None:
                _gather(result, call.rule, call.rule.weights(own))
            if slot > self._first:  # nothing before the first layer with parameters is asked for
                self._send(bars, slot, own)
        return pulled(self.computed, result)

    def _send(self, bars: dict[int, Tensor], slot: int, own: Tensor) -> None:
        """Add a slot's cotangent to those of its inputs."""
        call = self.calls[slot - 1]
        for source in call.inputs:
            part = own if call.rule is None else call.rule.cotangent(own)
            bars[source] = bars[source] + part if source in bars else part

    def reverse_dot(
        self,
        bars: Mapping[int, Tensor],
        bar_dot: Maybe,
        dots: Sequence[Maybe],
        weights: Weights,
        *,
        of_weights: bool,
    ) -> tuple[Maybe, dict[int, Tensor]]:
        """Differentiate the reverse pass: its cotangents of the input and of the parameters.

        Args:
            bars: The slots' cotangents.
            bar_dot: The derivative of the output's cotangent; None for zero.
            dots: The slots' tangents.
            weights: The parameters' tangents.
            of_weights: Whether the parameters' part is wanted; the input's is not complete then.

        Returns:
            Both derivatives.
        """
        bar_dots: list[Maybe] = [None] * (len(self.calls) + 1)
        bar_dots[-1] = bar_dot
        result: dict[int, Tensor] = {}
        for slot in range(len(self.calls), 0, -1):
            call, own = self.calls[slot - 1], bar_dots[slot]
            if call.rule is None:
                for source in call.inputs:
                    bar_dots[source] = plus(bar_dots[source], own)
                continue
            source = call.inputs[0]
            given = [weights.get(id(p)) for p in call.rule.parameters]
            if of_weights:
                _gather(result, call.rule, call.rule.weights_dot(bars[slot], own, dots[source], given))
                if slot == 1:
                    break
            moved = call.rule.cotangent_dot(bars[slot], own, dots[source], given)
            bar_dots[source] = plus(bar_dots[source], moved)
        return bar_dots[0], result


def _gather(into: dict[int, Tensor], rule: Rule, parts: Sequence[Maybe]) -> None:
    for parameter, part in zip(rule.parameters, parts, strict=True):
        if part is not None:
            known = into.get(id(parameter))
            into[id(parameter)] = part if known is None else known + part
