"""The mixed second derivative of a discriminator in its input and its weights, from one linearisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gamedyn.gan.curvature.affine import Bilinear
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.rule import Maybe, plus


class ScoreCurvature:
    """The mixed second derivative of `F(h, y) = Σᵢ φ(D_y(hᵢ))` in the fakes `h` and the weights `y`.

    With the per-sample adjoints of the scores, kept from one reverse sweep, a piecewise-linear network
    needs one tangent pass and one weight gradient for `to_weights`, and two data gradients for `to_image`;
    any other differentiates its reverse pass.

    Args:
        network: The discriminator, linearised at the fakes.
        first: `φ′(dᵢ)` at each score.
        second: `φ″(dᵢ)`; None where it vanishes (Wasserstein).
    """

    def __init__(self, network: LinearisedNetwork, first: Tensor, second: Maybe) -> None:
        self.network = network
        self.shape = network.output.shape
        self.first, self.second = first, second
        self.fast = (
            network.piecewise_linear
            and not network.mixes_samples
            and self.shape.numel() == self.shape[0] == len(network.value)
        )
        seed = torch.ones_like(network.output) if self.fast else first.view(self.shape)
        self.of_input, self.bars = network.cotangent(seed)

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
        bend = None if self.second is None else self.second * out.reshape(-1)
        if not self.fast:
            seed = None if bend is None else bend.view(self.shape)
            return self.network.reverse_dot(self.bars, seed, dots, {}, of_weights=True)[1]
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
            seed = (
                None
                if self.second is None or out is None
                else (self.second * out.reshape(-1)).view(self.shape)
            )
            moved, _ = self.network.reverse_dot(self.bars, seed, dots, weights, of_weights=False)
            return torch.zeros_like(self.of_input) if moved is None else moved
        pulled: dict[int, Tensor] = {}
        rate = torch.zeros_like(self.first)  # the scores' tangents
        for slot in range(len(self.network.calls), 0, -1):
            call, own = self.network.calls[slot - 1], pulled.pop(slot, None)
            rule = call.rule
            part = own if own is None or rule is None else rule.cotangent(own)
            if isinstance(rule, Bilinear):
                weight = weights.get(id(rule.weight))
                if weight is not None:
                    turned = rule.input_adjoint(self.bars[slot], weight)
                    rate += (turned * rule.value).flatten(1).sum(1)
                    part = plus(part, turned)
                bias = None if rule.bias is None else weights.get(id(rule.bias))
                if bias is not None:
                    rate += (rule.spread(bias) * self.bars[slot]).flatten(1).sum(1)
            if part is not None:
                for source in call.inputs:
                    pulled[source] = pulled[source] + part if source in pulled else part
        image = pulled.get(0)
        image = torch.zeros_like(self.of_input) if image is None else image * self._each(self.first, image)
        if self.second is None:
            return image
        return torch.addcmul(image, self._each(self.second * rate, image), self.of_input)

    def _bilinear(self) -> list[tuple[int, Bilinear]]:
        return [(k, c.rule) for k, c in enumerate(self.network.calls, 1) if isinstance(c.rule, Bilinear)]

    def _collect(
        self, into: dict[int, Tensor], rule: Bilinear, slot: int, value: Tensor, rate: Maybe
    ) -> None:
        bar = self.bars[slot]
        parts = [(rule.weight, rule.weight_adjoint(bar, value))]
        if rule.bias is not None and rate is not None:
            parts.append((rule.bias, rule.gather(bar * self._each(rate, bar))))
        for parameter, part in parts:
            known = into.get(id(parameter))
            into[id(parameter)] = part if known is None else known + part
