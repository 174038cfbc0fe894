"""The mixed second derivative of a discriminator in its input and its weights, from one linearisation."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from gamedyn.gan.curvature.affine import Bilinear
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.rule import Maybe, UnsupportedError, plus


class ScoreCurvature:
    """The mixed second derivative of `F(h, y) = Σᵢ φ(D_y(hᵢ))` in the fakes `h` and the weights `y`.

    With the per-sample adjoints of the scores, kept from one reverse sweep, a piecewise-linear network
    needs one tangent pass and one weight gradient for `to_weights`, and two data gradients for `to_image`;
    any other differentiates its reverse pass.

    Args:
        network: The discriminator, linearised at the fakes.
        first: `φ′(dᵢ)` at each score, of the scores' shape.
        second: `φ″(dᵢ)`, likewise; None where it vanishes (Wasserstein).
    """

    def __init__(self, network: LinearisedNetwork, first: Tensor, second: Maybe) -> None:
        self.network = network
        self.first, self.second = first, second
        shape = network.output.shape
        self.fast = (
            network.piecewise_linear
            and not network.mixes_samples
            and shape.numel() == shape[0] == len(network.value)
        )
        self.of_input, self.bars = network.cotangent(torch.ones_like(first) if self.fast else first)
        if self.fast:
            self.bars = {slot: self.bars[slot] for slot, _ in self._bilinear()}

    def narrowed(self, count: int) -> ScoreCurvature:
        """Return the curvature by the first samples alone, times what makes it an estimate of the whole.

        Args:
            count: How many.

        Returns:
            An operator whose average over disjoint parts of the batch is this one.

        Raises:
            UnsupportedError: Where samples meet by more than means.
        """
        total = len(self.network.value)
        if self.first.shape[:1] != (total,):
            raise UnsupportedError("a network without one row of scores a sample")
        own = copy.copy(self)
        own.network = self.network.narrowed(count)
        scale = total / count
        own.first = scale * self.first[:count]
        own.second = None if self.second is None else scale * self.second[:count]
        own.of_input = self.of_input[:count]
        own.bars = {slot: bar[:count] for slot, bar in self.bars.items()}
        if not self.fast:  # they hold `φ′`
            own.bars = {slot: scale * bar for slot, bar in own.bars.items()}
        return own

    def _each(self, scalars: Tensor, like: Tensor) -> Tensor:
        return scalars.view(-1, *(1 for _ in like.shape[1:]))

    def gradients(self) -> tuple[Tensor, dict[int, Tensor]]:
        """Return `∂F/∂h` and `∂F/∂y`."""
        if not self.fast:
            return self.of_input, self.network.weights(self.bars)
        weights: dict[int, Tensor] = {}
        for slot, rule in self._bilinear():
            weighted = self._each(self.first, rule.value) * rule.value
            self._collect(weights, rule, slot, weighted, self.first)
        return self.of_input * self._each(self.first, self.of_input), weights

    def to_weights(self, dot: Tensor) -> dict[int, Tensor]:
        """Return `∂²F/∂y∂h · ḣ`: an image tangent becomes cotangents of the discriminator's weights."""
        out, dots = self.network.tangent(dot, {})
        assert out is not None
        bend = None if self.second is None else self.second * out
        if not self.fast:
            return self.network.reverse_dot(self.bars, bend, dots, {}, of_weights=True)[1]
        weights: dict[int, Tensor] = {}
        for slot, rule in self._bilinear():
            moved = dots[self.network.calls[slot - 1].inputs[0]]
            if moved is None:
                continue
            mixed = self._each(self.first, moved) * moved
            if bend is not None:
                mixed = torch.addcmul(mixed, self._each(bend, moved), rule.value)
            self._collect(weights, rule, slot, mixed, bend)
        return weights

    def to_image(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return `∂²F/∂h∂y · ẏ`, the adjoint of `to_weights`."""
        if not self.fast:
            out, dots = self.network.tangent(None, weights)
            bend = None if self.second is None or out is None else self.second * out
            moved, _ = self.network.reverse_dot(self.bars, bend, dots, weights, of_weights=False)
            return torch.zeros_like(self.of_input) if moved is None else moved
        pulled: dict[int, Tensor] = {}
        rate = torch.zeros_like(self.first).view(-1)  # the scores' tangents
        for slot in range(len(self.network.calls), 0, -1):
            call, own = self.network.calls[slot - 1], pulled.pop(slot, None)
            rule = call.rule
            part = own if own is None or rule is None else rule.cotangent(own)
            if isinstance(rule, Bilinear):
                weight, bias = [*(weights.get(id(p)) for p in rule.parameters), None][:2]
                if weight is not None:
                    turned = rule.input_adjoint(self.bars[slot], weight)
                    rate += (turned * rule.value).flatten(1).sum(1)
                    part = plus(part, turned)
                if bias is not None:
                    rate += (rule.spread(bias) * self.bars[slot]).flatten(1).sum(1)
            if part is not None:
                for source in call.inputs:
                    pulled[source] = pulled[source] + part if source in pulled else part
        image = pulled.get(0)
        image = torch.zeros_like(self.of_input) if image is None else image * self._each(self.first, image)
        if self.second is None:
            return image
        return torch.addcmul(image, self._each(self.second.view(-1) * rate, image), self.of_input)

    def _bilinear(self) -> list[tuple[int, Bilinear]]:
        return [(k, c.rule) for k, c in enumerate(self.network.calls, 1) if isinstance(c.rule, Bilinear)]

    def _collect(
        self, into: dict[int, Tensor], rule: Bilinear, slot: int, value: Tensor, rate: Maybe
    ) -> None:
        bar = self.bars[slot]
        parts = [rule.weight_adjoint(bar, value)]
        if rule.has_bias and rate is not None:
            parts.append(rule.gather(bar * self._each(rate, bar)))
        for parameter, part in zip(rule.parameters, parts, strict=False):
            known = into.get(id(parameter))
            into[id(parameter)] = part if known is None else known + part
