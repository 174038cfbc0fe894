"""Products on the first samples of a batch, for a fraction of their cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.fallback import AutogradCurvature, AutogradDiscriminator, AutogradGenerator
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.rule import UnsupportedError
from gamedyn.gan.draws import GeneratorStates
from gamedyn.gan.models.statistics import frozen_running_statistics
from gamedyn.gan.network_state import NetworkState


class ImageMap(Protocol):
    """`J_G`."""

    def push(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the image tangent of a tangent of the parameters."""

    def pull(self, bar: Tensor, /) -> dict[int, Tensor]:
        """Return the parameters' cotangents of an image cotangent."""


class MixedDerivative(Protocol):
    """`M_D`."""

    def to_weights(self, dot: Tensor) -> dict[int, Tensor]:
        """Return the weights' cotangents of an image tangent."""

    def to_image(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the adjoint."""


def count_of(fraction: float, total: int, *, mixed: bool) -> int | None:
    """Say how many samples a fraction of a batch is.

    Args:
        fraction: In `(0, 1]`.
        total: The size of the batch.
        mixed: Whether samples may meet in a network: the derivative of a mean over one sample would vanish.

    Returns:
        At least 1, or 2 where samples meet; None for the whole batch.
    """
    count = max(2 if mixed else 1, round(fraction * total))
    return count if count < total else None


class FirstRows:
    """The first rows of a whole batch's `J_G`, at the whole batch's cost, and the reason for that."""

    def __init__(self, whole: ImageMap, count: int, total: int, reason: str) -> None:
        self._whole, self._count, self._total = whole, count, total
        self.reason = reason

    def push(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the image tangent of the first samples."""
        return self._whole.push(weights)[: self._count]

    def pull(self, bar: Tensor, /) -> dict[int, Tensor]:
        """Return the adjoint."""
        return self._whole.pull(padded(bar, self._total))


class FirstColumns:
    """The first columns of a whole batch's `M_D`, scaled to estimate the whole, at the whole batch's cost."""

    def __init__(self, whole: MixedDerivative, count: int, total: int, reason: str) -> None:
        self._whole, self._count, self._total = whole, count, total
        self.reason = reason

    def to_weights(self, dot: Tensor) -> dict[int, Tensor]:
        """Return the weights' cotangents of a tangent of the first images."""
        return self._whole.to_weights(padded(dot * (self._total / self._count), self._total))

    def to_image(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the adjoint."""
        return self._whole.to_image(weights)[: self._count] * (self._total / self._count)


def padded(rows: Tensor, total: int) -> Tensor:
    """Append rows of zeros."""
    return torch.cat([rows, rows.new_zeros(total - len(rows), *rows.shape[1:])])


def first_images(
    whole: LinearisedNetwork | AutogradGenerator,
    network: nn.Module,
    latent: Tensor,
    parameters: Sequence[Tensor],
    count: int,
) -> ImageMap:
    """Return `J_G` of the first samples alone, as cheaply as the generator allows.

    Args:
        whole: The generator, linearised on the whole batch.
        network: The generator.
        latent: The whole batch of latent vectors.
        parameters: The generator's parameters.
        count: How many samples.

    Returns:
        The map.
    """
    total = len(whole.output)
    try:
        if isinstance(whole, LinearisedNetwork):
            return whole.narrowed(count)
        with repeating(network, latent):
            narrow = AutogradGenerator(network, latent[:count], parameters)
        if len(latent) == total and narrow.output.shape == (count, *whole.output.shape[1:]):
            return narrow
        reason = "of a part of the batch it makes something of another shape"
    except (UnsupportedError, RuntimeError, ValueError, LookupError, TypeError) as error:
        reason = str(error)  # whatever a user's code says that insists on the whole batch
    return FirstRows(whole, count, total, reason)


def first_curvature(
    whole: ScoreCurvature | AutogradCurvature,
    network: nn.Module,
    fakes: Tensor,
    parameters: Sequence[Tensor],
    loss: Callable[[Tensor], Tensor],
    scores: Tensor,
    count: int,
) -> MixedDerivative:
    """Return `M_D` by the first samples alone, scaled to estimate that of the whole batch.

    Args:
        whole: The curvature by the whole batch.
        network: The discriminator.
        fakes: The whole generated batch.
        parameters: The discriminator's parameters.
        loss: The separable loss of the fakes' scores.
        scores: Those of the whole batch.
        count: How many samples.

    Returns:
        The operator; its average over disjoint parts of the batch is the whole one, unless samples meet
        inside the discriminator.
    """
    total = len(fakes)
    try:
        if isinstance(whole, ScoreCurvature):
            return whole.narrowed(count)
        with repeating(network, fakes):
            narrow = AutogradDiscriminator(network, fakes[:count], parameters)
        if len(scores) == total and narrow.scores.shape == (count, *scores.shape[1:]):
            # the loss sees all scores, so that a mean stays the mean over the whole batch
            return narrow.curvature(lambda few: loss(torch.cat([few, scores[count:]])) * (total / count))
        reason = "of a part of the batch it makes something of another shape"
    except (UnsupportedError, RuntimeError, ValueError, LookupError, TypeError) as error:
        reason = str(error)  # whatever a user's code says that insists on the whole batch
    return FirstColumns(whole, count, total, reason)


@contextmanager
def repeating(network: nn.Module, value: Tensor) -> Iterator[None]:
    """Run a network once more within a step, leaving no trace.

    Args:
        network: The network; its running statistics do not advance inside the block.
        value: Its input, on whose device random numbers may be drawn.

    Yields:
        Nothing.

    Raises:
        UnsupportedError: If it drew random numbers or changed a buffer, and so was another function than in
            the step's own evaluation; all is put back.
    """
    before, state = GeneratorStates(value.device), NetworkState(network)
    with torch.random.fork_rng(before.devices), frozen_running_statistics(network):
        try:
            yield
        finally:
            same = before.same_as(GeneratorStates(value.device)) and state.buffers.are_still_there()
            state.restore()
    if not same:
        raise UnsupportedError("a network whose evaluations differ")
