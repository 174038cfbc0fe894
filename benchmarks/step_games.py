"""The three games that a step's cost is measured on: drawn on the CPU wherever they are played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gamedyn.games.gaussian_mixture import GaussianMixture, mlp
from gamedyn.gan.data.cifar10 import find_cifar10, load_cifar10
from gamedyn.gan.data.roots import data_root
from gamedyn.gan.data.sources import ImageSource
from gamedyn.gan.losses import Minimax, Wasserstein
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
        objective: Makes the game's `GANObjective` from its keywords, where it has one.
    """

    def __init__(
        self,
        x: Sequence[Tensor],
        y: Sequence[Tensor],
        value: Callable[[Any], Tensor],
        draw: Callable[[], Any],
        lr: float,
        adam: Callable[[Any], tuple[Callable[[], Tensor], Callable[[], Tensor]]] | None = None,
        objective: Callable[..., GANObjective] | None = None,
    ) -> None:
        self.x, self.y, self._value, self._draw, self.lr = list(x), list(y), value, draw, lr
        self._halves = adam or (lambda batch: (lambda: -value(batch), lambda: value(batch)))
        self.objective = objective
        self.next_batch()

    @property
    def device(self) -> torch.device:
        """Where it is played."""
        return self.x[0].device

    def next_batch(self) -> None:
        """Draw the batch that all contenders step on."""
        self.batch = self._draw()

    def value(self) -> Tensor:
        """Return `f` on the current batch."""
        return self._value(self.batch)

    def halves(self) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
        """Return player 1's loss on detached fakes and player 0's loss, each to be minimised."""
        return self._halves(self.batch)


def place(game: Game, point: Sequence[Tensor]) -> None:
    """Set both players' parameters, in their order."""
    with torch.no_grad():
        for parameter, value in zip((*game.x, *game.y), point, strict=True):
            parameter.copy_(value)


def bilinear(size: int, seed: int, device: str = "cpu") -> Game:
    """`f = xᵀAy` with a Gaussian matrix of norm about 2."""
    generator = torch.Generator().manual_seed(seed)
    A = (torch.randn(size, size, generator=generator) / size**0.5).to(device)
    x, y = (torch.randn(size, generator=generator).to(device).requires_grad_() for _ in range(2))
    return Game([x], [y], lambda batch: x @ (A @ y), lambda: None, lr=1e-2)


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    draw: Callable[[], tuple[Tensor, Tensor]],
    lr: float,
    loss: Minimax | Wasserstein,
    device: str = "cpu",
) -> Game:
    """A zero-sum GAN, its networks and batches moved to a device."""
    generator.to(device)
    discriminator.to(device)

    def moved() -> tuple[Tensor, Tensor]:
        real, z = draw()
        return real.to(device), z.to(device)

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
        moved,
        lr,
        halves,
        lambda **options: GANObjective(generator, discriminator, loss, **options),
    )


def mlp_gan(width: int, batch: int, seed: int, device: str = "cpu") -> Game:
    """Two MLPs of four hidden ReLU layers on a ring of eight Gaussians."""
    torch.manual_seed(seed)
    networks = {"width": width, "depth": 4, "activation": "relu", "gain": 1.4}
    ring, noise = GaussianMixture.ring(), torch.Generator().manual_seed(seed)
    return gan(
        mlp(64, 2, **networks),
        mlp(2, 1, **networks),
        lambda: (ring.sample(batch, noise), torch.randn(batch, 64, generator=noise)),
        lr=1e-3,
        loss=Minimax(),
        device=device,
    )


def dcgan(
    dim: int,
    batch: int,
    seed: int,
    folder: Path | None = None,
    loss: Minimax | Wasserstein | None = None,
    device: str = "cpu",
) -> Game:
    """The WGAN-GP paper's CIFAR-10 DCGAN, on the images in a folder or on smooth random ones."""
    generator, discriminator = build_pair((3, 32, 32), dim=dim, latent=128, seed=seed, init="torch")
    noise = torch.Generator().manual_seed(seed)

    def smooth() -> Tensor:
        coarse = torch.randn(batch, 3, 8, 8, generator=noise)
        return nn.functional.interpolate(coarse, size=32, mode="bilinear").tanh()

    draw = smooth
    if folder is not None:
        draw = ImageSource(load_cifar10(folder, download=False), batch_size=batch, seed=seed).next
    return gan(
        generator,
        discriminator,
        lambda: (draw(), torch.randn(batch, 128, generator=noise)),
        5e-4,
        loss or Minimax(),
        device,
    )


def cifar10_folder(explicit: str | None) -> Path | None:
    """Return the folder that has CIFAR-10's images, if there is one."""
    folder = data_root(explicit)
    return None if find_cifar10(folder) is None else folder


@dataclass(frozen=True)
class Kind:
    """A game to be measured.

    Args:
        make: Builds it for a size, a seed, a folder with images, if there is one, and a device.
        size: Its size in the comparison.
        title: Its name, with a place for the size.
        repetitions: Seeds to average over.
        steps: Measured steps a seed and state.
        trained: ACGD steps after which it is measured; each entry is a state of its own.
    """

    make: Callable[..., Game]
    size: int
    title: str
    repetitions: int
    steps: int = 6
    trained: tuple[int, ...] = (0,)


GAMES: dict[str, Kind] = {
    "bilinear": Kind(
        lambda size, seed, _, device="cpu": bilinear(size, seed, device),
        1000,
        "bilinear {0}x{0}",
        repetitions=3,
    ),
    "mlp": Kind(
        lambda size, seed, _, device="cpu": mlp_gan(size, size, seed, device),
        256,
        "MLP GAN, 4 layers of {0}, batch {0}",
        repetitions=3,
    ),
    "dcgan": Kind(
        lambda size, seed, folder, device="cpu": dcgan(size, size, seed, folder, device=device),
        64,
        "CIFAR DCGAN, DIM {0}, batch {0}",
        repetitions=1,
        steps=4,
        trained=(20, 200),
    ),
}
"""The games, by name."""
