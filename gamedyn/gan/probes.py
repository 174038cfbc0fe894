"""What a discriminator teaches a generator that holds still: two gradients, their size and spread."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gamedyn.gan.batch import Batch
from gamedyn.gan.losses import Minimax, NonSaturating
from gamedyn.gan.models.statistics import frozen_running_statistics
from gamedyn.gan.noise import noised
from gamedyn.gan.steps.alternating import move


@dataclass(frozen=True)
class GeneratorProbe:
    """A discriminator's success, and the gradients that it gives to a generator.

    Args:
        cost: Its cross-entropy, in nats: 2 log 2 where it cannot tell, 0 where it is sure and right.
        accuracy: The share of samples, real and generated, that it tells right.
        saturating: Norm of the mean gradient of `E log(1 - D(G(z)))` by the generator's parameters.
        saturating_spread: Root of the sum of the gradient's variances, over minibatches.
        nonsaturating: Norm of the mean gradient of `-E log D(G(z))`.
        nonsaturating_spread: Its spread over minibatches.
    """

    cost: float
    accuracy: float
    saturating: float
    saturating_spread: float
    nonsaturating: float
    nonsaturating_spread: float


def probe_generator(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Sequence[Batch],
    *,
    noise: float = 0.0,
    gradients: int | None = None,
) -> GeneratorProbe:
    """Measure both losses' gradients at the same point; nothing moves.

    Copies of the networks in float64 are asked, in the mode that the networks are in, so that a gradient that
    has vanished keeps its digits and BatchNorm's statistics stay. Instance noise is drawn from torch's
    global generator.

    Args:
        generator: Player 0.
        discriminator: Player 1, which gives logits.
        batches: Minibatches, at least two of the same size; the mean is over all of them.
        noise: Standard deviation of instance noise on both inputs of the discriminator.
        gradients: On how many of the minibatches, the first, gradients are taken; `None` for all. The others
            cost less: only the discriminator's success is measured on them.

    Returns:
        The measurement.

    Raises:
        ValueError: If gradients are taken on fewer than two minibatches.

    Example:
        >>> G, D = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
        >>> batches = [Batch(torch.randn(8, 3), torch.randn(8, 2)) for _ in range(4)]
        >>> probe = probe_generator(G, D, batches)
        >>> probe.nonsaturating_spread > 0.0
        True
    """
    count = len(batches) if gradients is None else min(gradients, len(batches))
    if count < 2:
        raise ValueError(f"the spread of a gradient needs at least 2 minibatches, got {count}")
    G, D = (copy.deepcopy(network).double() for network in (generator, discriminator))
    weights = [weight for weight in G.parameters() if weight.requires_grad]
    saturating, nonsaturating = Minimax(), NonSaturating()
    cost = right = 0.0
    rows: tuple[list[Tensor], list[Tensor]] = ([], [])
    for index, batch in enumerate(batches):
        real, blur = noised(Batch(batch.real.double(), batch.latent.double()), noise)
        with torch.set_grad_enabled(index < count):
            fake = G(batch.latent.double())
            real_scores, fake_scores = D(real), D(fake if blur is None else fake + blur)
        cost += float(saturating.discriminator(real_scores, fake_scores).detach())
        right += float(((real_scores > 0).double().mean() + (fake_scores < 0).double().mean()) / 2)
        if index >= count:
            continue
        losses = saturating.generator(fake_scores), nonsaturating.generator(fake_scores)
        for row, loss in zip(rows, losses, strict=True):
            row.append(flat_gradient(loss, weights))
    means = [torch.stack(row).mean(dim=0) for row in rows]
    spreads = [float(torch.stack(row).var(dim=0).sum().sqrt()) for row in rows]
    return GeneratorProbe(
        cost / len(batches),
        right / len(batches),
        float(means[0].norm()),
        spreads[0],
        float(means[1].norm()),
        spreads[1],
    )


def flat_gradient(loss: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Differentiate a loss, its graph kept.

    Args:
        loss: A scalar.
        weights: The parameters.

    Returns:
        One vector, zero where the loss does not depend on a parameter.
    """
    found = torch.autograd.grad(
        loss, list(weights), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([part.reshape(-1) for part in found])


def train_discriminator(
    discriminator: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: nn.Module,
    draw: Callable[[], Batch],
    steps: int,
    *,
    noise: float = 0.0,
) -> Iterator[int]:
    """Train a discriminator against a generator that holds still, by its cross-entropy.

    Args:
        discriminator: The network that moves; it gives logits.
        optimizer: Moves it.
        generator: Player 0; not even its BatchNorm statistics move.
        draw: Gives the next batch.
        steps: How many steps to take.
        noise: Standard deviation of instance noise on both inputs of the discriminator.

    Yields:
        The number of steps taken, from 0 (before the first) to `steps`.

    Example:
        >>> G, D = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
        >>> adam = torch.optim.Adam(D.parameters())
        >>> batch = Batch(torch.randn(8, 3) + 4, torch.randn(8, 2))
        >>> sum(1 for _ in train_discriminator(D, adam, G, lambda: batch, 3))
        4
    """
    loss = Minimax()
    yield 0
    for step in range(1, steps + 1):
        batch = draw()
        with torch.no_grad(), frozen_running_statistics(generator):
            fake = batch.generated(generator)
        real, blur = noised(batch, noise)
        seen = fake if blur is None else fake + blur
        move(optimizer, loss.discriminator(discriminator(real), discriminator(seen)))
        yield step
