"""Rules of batch and group normalisation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from gamedyn.gan.curvature.rule import Change, Maybe, Rule, UnsupportedError, like, plus


class Normalisation(Rule):
    r"""Normalisation `o = γ x̂ + β`, `x̂ = (a − μ)/s`, by the statistics of its own input or by fixed ones.

    By its own statistics, the Jacobian of `x̂` is the symmetric `P t = (t − mean t − x̂ mean(x̂ t)) / s`; by
    fixed ones it is `t / s`. Subclasses say over what the means run, and how `γ` and `β` broadcast.
    """

    fixed = False
    dimensions: int

    def __init__(self, weight: Tensor | None, bias: Tensor | None) -> None:
        if (weight is None) != (bias is None):
            raise UnsupportedError("a normalisation with a weight and no bias, or the other way round")
        self.parameters = [] if weight is None or bias is None else [weight, bias]
        self.gain = weight

    def _keep(self, normal: Tensor, inverse: Tensor) -> Tensor:
        """Keep `x̂` and `1/s`, and return the output."""
        self.normal, self.inverse = normal, inverse
        if not self.parameters:
            return self.normal
        gain, shift = (self._spread(parameter) for parameter in self.parameters)
        return torch.addcmul(shift, self.normal, gain)

    def _grouped(self, value: Tensor) -> Tensor:
        """Shape a value so that the means run over fixed axes."""
        return value

    @abstractmethod
    def _mean(self, grouped: Tensor) -> Tensor:
        """Return the means, broadcastable against the grouped value."""

    def _spread(self, vector: Tensor) -> Tensor:
        return vector.view(1, -1, *(1 for _ in range(2, self.dimensions)))

    def _gather(self, value: Tensor) -> Tensor:
        return value.sum([0, *range(2, value.dim())])

    def _project(self, value: Tensor) -> Tensor:
        """Return `P t`."""
        grouped = self._grouped(value)
        if self.fixed:
            return (grouped * self.inverse).view(value.shape)
        normal = self._grouped(self.normal)
        overlap = self._mean(normal * grouped)
        return ((grouped - self._mean(grouped) - normal * overlap) * self.inverse).view(value.shape)

    def _project_dot(self, value: Tensor, dot: Tensor) -> Maybe:
        """Return the derivative of `P t` at fixed `t` as the input moves along `dot`."""
        if self.fixed:
            return None
        grouped, moved = self._grouped(value), self._grouped(self._project(dot))
        normal = self._grouped(self.normal)
        rate = self._mean(normal * self._grouped(dot)) * self.inverse
        turned = moved * self._mean(normal * grouped) + normal * self._mean(moved * grouped)
        change = -rate * self._grouped(self._project(value)) - turned * self.inverse
        return like(change.view(value.shape).to(dot.dtype), self.normal)

    def _push(self, dot: Tensor) -> Tensor:
        """Return `γ P t`, the adjoint of `cotangent`."""
        return self._weighted(self._project(dot))

    def _weighted(self, value: Tensor) -> Tensor:
        return value if self.gain is None else value * self._spread(self.gain)

    def tangent(self, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        out = None if dot is None else self._push(dot)
        gain, shift = (None if weight is None else self._spread(weight) for weight in weights or (None, None))
        if gain is not None:
            moved = self.normal * gain if shift is None else torch.addcmul(shift, self.normal, gain)
            return plus(out, moved)
        return out if shift is None else plus(out, shift.expand_as(self.normal))

    def cotangent(self, bar: Tensor) -> Tensor:
        return self._project(self._weighted(bar))

    def weights(self, bar: Tensor) -> list[Tensor]:
        if not self.parameters:
            return []
        return [self._gather(bar * self.normal), self._gather(bar)]

    def cotangent_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> Maybe:
        out = None if bar_dot is None else self.cotangent(bar_dot)
        if dot is not None:
            out = plus(out, self._project_dot(self._weighted(bar), dot))
        if weights and weights[0] is not None:
            out = plus(out, self._project(bar * self._spread(weights[0])))
        return out

    def weights_dot(self, bar: Tensor, bar_dot: Maybe, dot: Maybe, weights: Sequence[Maybe]) -> list[Maybe]:
        if not self.parameters:
            return []
        of_weight: Maybe = None
        if dot is not None:
            of_weight = self._gather(bar * self._project(dot))
        if bar_dot is not None:
            of_weight = plus(of_weight, self._gather(bar_dot * self.normal))
        return [of_weight, None if bar_dot is None else self._gather(bar_dot)]


class BatchNorm(Normalisation):
    """Batch normalisation, by batch statistics in training and by the running ones in evaluation.

    On fewer samples `x̂` is standardised anew, by their own mean and variance, as the layer would do: `P` must
    stay a projection, since what it removes (a channel's mean and scale) outweighs what it leaves.
    """

    of_samples = ("normal",)
    of_weights = ("gain",)
    by_means = True

    def __init__(self, module: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__(module.weight, module.bias)
        self.module = module
        self.fixed = not module.training and module.running_mean is not None
        self.mixes_samples = not self.fixed

    def forward(self, value: Tensor) -> Tensor:
        self.dimensions = value.dim()
        if self.fixed and self.module.running_mean is not None and self.module.running_var is not None:
            mean, variance = self.module.running_mean, self.module.running_var
        else:
            if value.numel() <= value.shape[1]:
                raise UnsupportedError("less than two values per channel have no batch statistics")
            axes = [0, *range(2, value.dim())]
            # not by torch's own kernel, whose `x̂ = a (1/s) − μ/s` cancels where a mean is large
            variance, mean = torch.var_mean(value, axes, correction=0)
            advance_running_statistics(self.module, mean, variance, value.numel() // value.shape[1])
        inverse = (self._spread(variance) + self.module.eps).rsqrt()
        out = self._keep((value - self._spread(mean)).mul_(inverse), inverse)
        self.scale = self.inverse if self.gain is None else self.inverse * self._spread(self.gain)
        return out

    def copied(self, samples: Change, weights: Change) -> Self:
        own = super().copied(samples, weights)
        if not self.fixed and len(own.normal) != len(self.normal):
            axes = [0, *range(2, own.normal.dim())]
            variance, mean = torch.var_mean(own.normal, axes, correction=0, keepdim=True)
            again = (variance + self.module.eps * own.inverse**2).rsqrt()
            own.normal, own.inverse = (own.normal - mean) * again, own.inverse * again
            own.scale = own.scale * again
        return own

    def _mean(self, grouped: Tensor) -> Tensor:
        return grouped.mean([0, *range(2, grouped.dim())], keepdim=True)

    def _project(self, value: Tensor) -> Tensor:
        return self._scaled_projection(value, self.inverse)

    def _push(self, dot: Tensor) -> Tensor:
        return self._scaled_projection(dot, self.scale)

    def cotangent(self, bar: Tensor) -> Tensor:
        return self._scaled_projection(bar, self.scale)  # `γ` and `P` commute, channel by channel

    def _scaled_projection(self, value: Tensor, scale: Tensor) -> Tensor:
        if self.fixed:
            return value * scale.to(value.dtype)
        return self._kernel(value, scale.view(-1), [True, False, False])[0]

    def weights(self, bar: Tensor) -> list[Tensor]:
        if not self.parameters:
            return []
        return list(self._kernel(bar, None, [False, True, True])[1:])

    def _kernel(self, bar: Tensor, scale: Maybe, wanted: list[bool]) -> tuple[Tensor, ...]:
        """Run torch's own backward pass on `x̂`, whose statistics are 0 and 1; one pass over memory."""
        channels = self.inverse.numel()
        zeros, ones = self.inverse.new_zeros(channels), self.inverse.new_ones(channels)
        parts: tuple[Tensor, ...] = torch.ops.aten.native_batch_norm_backward(
            like(bar, self.normal),  # of other strides it takes several times longer
            self.normal,
            ones if scale is None else scale,
            *(None, None, zeros, ones, True, 0.0, wanted),
        )
        return parts


class GroupNorm(Normalisation):
    """Group normalisation: each sample by the statistics of its own groups of channels."""

    of_samples = ("normal", "inverse")
    of_weights = ("gain",)

    def __init__(self, module: nn.GroupNorm) -> None:
        super().__init__(module.weight, module.bias)
        self.module = module

    def forward(self, value: Tensor) -> Tensor:
        self.dimensions = value.dim()
        grouped = self._grouped(value)
        variance, mean = torch.var_mean(grouped, -1, correction=0, keepdim=True)
        inverse = (variance + self.module.eps).rsqrt()
        return self._keep(like((grouped - mean).mul_(inverse).view(value.shape), value), inverse)

    def _grouped(self, value: Tensor) -> Tensor:
        return value.reshape(len(value), self.module.num_groups, -1)

    def _mean(self, grouped: Tensor) -> Tensor:
        return grouped.mean(-1, keepdim=True)

    def _project(self, value: Tensor) -> Tensor:
        return self._kernel(value, None) * self._inverse_of_channels(value)

    def cotangent(self, bar: Tensor) -> Tensor:
        return self._kernel(bar, self.gain) * self._inverse_of_channels(bar)

    def _inverse_of_channels(self, value: Tensor) -> Tensor:
        groups, channels = self.module.num_groups, self.module.num_channels
        inverse = self.inverse.expand(len(value), groups, channels // groups)
        return inverse.reshape(len(value), channels, *(1 for _ in value.shape[2:]))

    def _kernel(self, bar: Tensor, gain: Maybe) -> Tensor:
        """Run torch's own backward pass on `x̂`, whose statistics are 0 and 1; one pass over memory."""
        samples, channels, groups = len(bar), self.module.num_channels, self.module.num_groups
        zeros, ones = self.normal.new_zeros(samples, groups), self.normal.new_ones(samples, groups)
        sizes = (samples, channels, bar.numel() // (samples * channels), groups)
        moved: Tensor = torch.ops.aten.native_group_norm_backward(
            like(bar, self.normal), self.normal, zeros, ones, gain, *sizes, [True, False, False]
        )[0]  # without the input's part, torch 2.13's crashes on channels last
        return moved


def advance_running_statistics(
    module: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int
) -> None:
    """Move a BatchNorm's running statistics as its own forward pass in training would."""
    if not module.track_running_stats or module.running_mean is None or module.running_var is None:
        return
    rate = module.momentum
    if module.num_batches_tracked is not None:
        module.num_batches_tracked.add_(1)
        rate = 1.0 / float(module.num_batches_tracked) if rate is None else rate
    assert rate is not None  # torch counts batches wherever it keeps running statistics
    # by `.data`, as torch's own kernel does, so that graphs which hold the statistics stay valid
    module.running_mean.data.lerp_(mean, rate)
    module.running_var.data.lerp_(variance * (count / max(count - 1, 1)), rate)
