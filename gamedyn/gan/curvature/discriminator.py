"""The mixed second derivative of a discriminator in its input and its weights, from one linearisation."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from gamedyn.gan.curvature.affine import Bilinear
from gamedyn.gan.curvature.computed import pulled, pushed
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.rule import Change, Maybe, UnsupportedError, plus


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
        shape = network.output.shape
        self.fast = (
            network.piecewise_linear
            and not network.mixes_samples
            and shape.numel() == shape[0] == len(network.value)
        )
        self.second = second
        # the adjoints hold `φ′` but where `φ″` has to meet them without it
        self.first = first if self.fast and second is not None else None
        self.of_input, self.bars = network.cotangent(first if self.first is None else torch.ones_like(first))
        if self.fast:
            self.bars = {slot: self.bars[slot] for slot, _ in self._bilinear()}
            self.sums = {
                slot: rule.gather(self.bars[slot]) for slot, rule in self._bilinear() if rule.has_bias
            }

    def copied(self, samples: Change, weights: Change) -> ScoreCurvature:
        """Return the same operator on changed tensors, see `Rule.copied`; `φ′` and `φ″` stay."""
        own = copy.copy(self)
        own.network = self.network.copied(samples, weights)
        own.of_input = samples(self.of_input)
        own.bars = {slot: samples(bar) for slot, bar in self.bars.items()}
        if self.fast:
            own.sums = {slot: samples(sums) for slot, sums in self.sums.items()}
        return own

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
        if self.network.output.shape[:1] != (total,):
            raise UnsupportedError("a network without one row of scores a sample")
        self.network.refuse_to_narrow()
        own = self.copied(lambda tensor: tensor[:count], lambda tensor: tensor)
        scale = total / count
        own.second = None if self.second is None else scale * self.second[:count]
        if self.first is not None:
            own.first = scale * self.first[:count]
        else:
            own.bars = {slot: scale * bar for slot, bar in own.bars.items()}
        return own

    def gradients(self) -> tuple[Tensor, dict[int, Tensor]]:
        """Return `∂F/∂h` and `∂F/∂y`."""
        if not self.fast:
            return self.of_input, pulled(self.network.computed, self.network.weights(self.bars))
        weights: dict[int, Tensor] = {}
        for slot, rule in self._bilinear():
            rate = torch.ones_like(self.network.output) if self.first is None else self.first
            self._collect(weights, rule, slot, _weighted(self.first, rule.value), rate)
        return _weighted(self.first, self.of_input), pulled(self.network.computed, weights)

    def to_weights(self, dot: Tensor) -> dict[int, Tensor]:
        """Return `∂²F/∂y∂h · ḣ`: an image tangent becomes cotangents of the discriminator's weights."""
        out, dots = self.network.tangent(dot, {})
        assert out is not None
        bend = None if self.second is None else self.second * out
        if not self.fast:
            seed = None if bend is None else bend.to(out.dtype)
            found = self.network.reverse_dot(self.bars, seed, dots, {}, of_weights=True)[1]
            return pulled(self.network.computed, found)
        weights: dict[int, Tensor] = {}
        for slot, rule in self._bilinear():
            moved = dots[self.network.calls[slot - 1].inputs[0]]
            if moved is None:
                continue
            mixed = _weighted(self.first, moved)
            if bend is not None:
                mixed = torch.addcmul(mixed, _each(bend, moved), rule.value)
            self._collect(weights, rule, slot, mixed, bend)
        return pulled(self.network.computed, weights)

    def to_image(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return `∂²F/∂h∂y · ẏ`, the adjoint of `to_weights`."""
        weights = pushed(self.network.computed, weights)
        if not self.fast:
            out, dots = self.network.tangent(None, weights)
            seed = None if self.second is None or out is None else (self.second * out).to(out.dtype)
            moved, _ = self.network.reverse_dot(self.bars, seed, dots, weights, of_weights=False)
            return torch.zeros_like(self.of_input) if moved is None else moved
        coming: dict[int, Tensor] = {}
        rate = None if self.second is None else torch.zeros_like(self.second).view(-1)  # the scores' tangents
        for slot in range(len(self.network.calls), 0, -1):
            call, own = self.network.calls[slot - 1], coming.pop(slot, None)
            rule = call.rule
            part = own if own is None or rule is None else rule.cotangent(own)
            if isinstance(rule, Bilinear):
                weight, bias = [*(weights.get(id(p)) for p in rule.parameters), None][:2]
                if weight is not None:
                    turned = rule.input_adjoint(self.bars[slot], weight)
                    part = plus(part, turned)
                    if rate is not None:
                        axes = list(range(1, turned.dim()))
                        rate += (turned * rule.value).sum(axes, dtype=rate.dtype)
                if bias is not None and rate is not None:
                    rate += self.sums[slot] @ bias
            if part is not None:
                for source in call.inputs:
                    coming[source] = coming[source] + part if source in coming else part
        image = coming.get(0)
        image = torch.zeros_like(self.of_input) if image is None else _weighted(self.first, image)
        if self.second is None or rate is None:
            return image
        return torch.addcmul(image, _each(self.second.view(-1) * rate, image), self.of_input)

    def _bilinear(self) -> list[tuple[int, Bilinear]]:
        return [(k, c.rule) for k, c in enumerate(self.network.calls, 1) if isinstance(c.rule, Bilinear)]

    def _collect(
        self, into: dict[int, Tensor], rule: Bilinear, slot: int, value: Tensor, rate: Maybe
    ) -> None:
        parts = [rule.weight_adjoint(self.bars[slot], value)]
        if rule.has_bias and rate is not None:
            parts.append(rate.view(-1).to(value.dtype) @ self.sums[slot])
        for parameter, part in zip(rule.parameters, parts, strict=False):
            known = into.get(id(parameter))
            into[id(parameter)] = part if known is None else known + part


def _each(scalars: Tensor, like: Tensor) -> Tensor:
    """Shape one number a sample so that it broadcasts against a tensor over samples."""
    return scalars.view(-1, *(1 for _ in like.shape[1:])).to(like.dtype)


def _weighted(scalars: Maybe, value: Tensor) -> Tensor:
    return value if scalars is None else _each(scalars, value) * value
