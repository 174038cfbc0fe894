"""The three games that a step's cost is measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gamedyn.games.gaussian_mixture import GaussianMixture, mlp
from gamedyn.gan.losses import Minimax
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective


class Game:
    """A zero-sum game with fresh batches on demand.

    Args:
        x: Player 0's parameters.
        y: Player 1's parameters.
        value: The scalar `f` on a batch.
        draw: Draws a batch.
        lr: The adaptive optimizers' learning rate.
        adam: One alternating step of the pair of Adams on a batch; by two evaluations of `f` for None.
        structured: The closure on a batch that linearises the game by structure, where there is one.
    """

    def __init__(
        self,
        x: Sequence[Tensor],
        y: Sequence[Tensor],
        value: Callable[[Any], Tensor],
        draw: Callable[[], Any],
        lr: float,
        adam: Callable[[Any], tuple[Callable[[], Tensor], Callable[[], Tensor]]] | None = None,
        structured: Callable[[Any], Any] | None = None,
    ) -> None:
        self.x, self.y, self._value, self._draw, self.lr = list(x), list(y), value, draw, lr
        self._halves = adam or (lambda batch: (lambda: -value(batch), lambda: value(batch)))
        self._structured = structured
        self.next_batch()

    @property
    def has_structure(self) -> bool:
        """Whether the game can be linearised by structure."""
        return self._structured is not None

    def structured(self) -> Any:
        """Return the structured closure on the current batch."""
        assert self._structured is not None
        return self._structured(self.batch)

    def next_batch(self) -> None:
        """Draw the batch that all contenders step on."""
        self.batch = self._draw()

    def value(self) -> Tensor:
        """Return `f` on the current batch."""
        return self._value(self.batch)

    def halves(self) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
        """Return player 1's loss on detached fakes and player 0's loss, each to be minimised."""
        return self._halves(self.batch)


def bilinear(size: int, seed: int) -> Game:
    """`f = xᵀAy` with a Gaussian matrix of norm about 2."""
    generator = torch.Generator().manual_seed(seed)
    A = torch.randn(size, size, generator=generator) / size**0.5
    x, y = (torch.randn(size, generator=generator).requires_grad_() for _ in range(2))
    return Game([x], [y], lambda batch: x @ (A @ y), lambda: None, lr=1e-2)


def gan(
    generator: nn.Module, discriminator: nn.Module, draw: Callable[[], tuple[Tensor, Tensor]], lr: float
) -> Game:
    """A GAN on the zero-sum binary cross-entropy."""
    loss = Minimax()
    objective = GANObjective(generator, discriminator, loss)

    def value(batch: tuple[Tensor, Tensor]) -> Tensor:
        real, z = batch
        return loss(discriminator(real), discriminator(generator(z)))

    def halves(batch: tuple[Tensor, Tensor]) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
        real, z = batch

        def discriminate() -> Tensor:
            with torch.no_grad():
                fake = generator(z)
            return loss.discriminator(discriminator(real), discriminator(fake))

        return discriminate, lambda: loss.generator(discriminator(generator(z)))

    return Game(
        generator.parameters(),
        discriminator.parameters(),
        value,
        draw,
        lr,
        halves,
        lambda batch: objective.on(*batch),
    )


def mlp_gan(width: int, batch: int, seed: int) -> Game:
    """Two MLPs of four hidden ReLU layers on a ring of eight Gaussians."""
    torch.manual_seed(seed)
    networks = {"width": width, "depth": 4, "activation": "relu", "gain": 1.4}
    ring, noise = GaussianMixture.ring(), torch.Generator().manual_seed(seed)
    return gan(
        mlp(64, 2, **networks),
        mlp(2, 1, **networks),
        lambda: (ring.sample(batch, noise), torch.randn(batch, 64, generator=noise)),
        lr=1e-3,
    )


def dcgan(dim: int, batch: int, seed: int) -> Game:
    """The WGAN-GP paper's CIFAR-10 DCGAN, on smooth random images (the cost does not depend on them)."""
    generator, discriminator = build_pair((3, 32, 32), dim=dim, latent=128, seed=seed)
    noise = torch.Generator().manual_seed(seed)

    def draw() -> tuple[Tensor, Tensor]:
        coarse = torch.randn(batch, 3, 8, 8, generator=noise)
        real = nn.functional.interpolate(coarse, size=32, mode="bilinear").tanh()
        return real, torch.randn(batch, 128, generator=noise)

    return gan(generator, discriminator, draw, lr=5e-4)


GAMES: dict[str, tuple[Callable[[int, int], Game], int, str]] = {
    "bilinear": (bilinear, 1000, "bilinear {0}x{0}"),
    "mlp": (lambda size, seed: mlp_gan(size, size, seed), 256, "MLP GAN, 4 layers of {0}, batch {0}"),
    "dcgan": (lambda size, seed: dcgan(size, size, seed), 64, "CIFAR DCGAN, DIM {0}, batch {0}"),
}
"""By name: the game for a size and a seed, the size of the issue, and a title."""
