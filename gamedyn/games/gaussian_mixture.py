"""Mixtures of Gaussians in the plane, the GAN played on them, and the count of modes it covers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

MixtureLoss = Literal["saturating", "nonsaturating", "wgan"]
_LOSSES: tuple[MixtureLoss, ...] = ("saturating", "nonsaturating", "wgan")
_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "softplus": nn.Softplus}


@dataclass(frozen=True)
class ModeReport:
    """How well samples cover a mixture.

    Attributes:
        covered: Modes with at least a fifth of their fair share of all samples near them.
        high_quality: Share of the samples near some mode.
        counts: Samples near each mode, shape (modes,).
        radius: What "near" means: at most this far from the centre.
    """

    covered: int
    high_quality: float
    counts: Tensor
    radius: float


class GaussianMixture:
    """Equal mixture of round Gaussians in the plane.

    Args:
        centers: Shape (modes, 2); no two alike.
        std: Standard deviation of each mode.

    Raises:
        ValueError: If the shape is wrong, two centres coincide, or `std` is not positive.

    Example:
        >>> ring = GaussianMixture.ring()
        >>> ring.sample(4, torch.Generator().manual_seed(0)).shape
        torch.Size([4, 2])
        >>> ring.report(ring.centers, radius=0.1).covered
        8
    """

    def __init__(self, centers: Tensor, std: float) -> None:
        if centers.ndim != 2 or centers.shape[1] != 2 or not len(centers):
            raise ValueError(f"centers must have shape (modes, 2), got {tuple(centers.shape)}")
        # A classic slip, linspace(0, 2π, 8) with both ends, doubles one of eight modes.
        if len(centers) > 1 and float(torch.pdist(centers.double()).min()) < 1e-6:
            raise ValueError("two of the centers coincide; every mode must be distinct")
        if not std > 0:
            raise ValueError(f"std must be positive, got {std}")
        self.centers, self.std = centers, float(std)

    @classmethod
    def ring(cls, modes: int = 8, radius: float = 1.0, std: float = 0.01) -> GaussianMixture:
        """Centres evenly on a circle, at the angles 2πk/modes.

        Args:
            modes: Number of modes.
            radius: Radius of the circle.
            std: Standard deviation of each mode.

        Returns:
            The mixture; the defaults are those of the unrolled-GAN notebook.
        """
        angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
        return cls((radius * torch.stack((angles.cos(), angles.sin()), dim=1)).float(), std)

    @classmethod
    def grid(cls, side: int = 4, spacing: float = 1.0, std: float = 0.02) -> GaussianMixture:
        """Centres on a square grid around the origin.

        Args:
            side: Modes along each side.
            spacing: Distance of neighbouring centres.
            std: Standard deviation of each mode.

        Returns:
            The mixture; the defaults are those of the symplectic-gradient-adjustment demo.
        """
        ticks = (torch.arange(side, dtype=torch.float32) - (side - 1) / 2) * spacing
        return cls(torch.cartesian_prod(ticks, ticks).reshape(-1, 2), std)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw from the mixture.

        Args:
            n: Number of samples.
            generator: Source of randomness; `None` means torch's global one.

        Returns:
            Shape (n, 2).
        """
        which = torch.randint(len(self.centers), (n,), generator=generator)
        return self.centers[which] + self.std * torch.randn(n, 2, generator=generator)

    def report(self, samples: Tensor, *, radius: float | None = None) -> ModeReport:
        """Count the modes that samples cover, and the share of samples near a mode.

        A mode is covered when at least a fifth of its fair share of all samples (for 8 modes 2.5 %) lies
        within `radius` of its centre.

        Args:
            samples: Shape (n, 2).
            radius: How near counts; `None` means 3 standard deviations.

        Returns:
            The counts, the modes covered and the high-quality fraction.

        Raises:
            ValueError: If there are no samples, or they are not points of the plane.
        """
        if samples.ndim != 2 or samples.shape[1] != 2 or not len(samples):
            raise ValueError(f"samples must have shape (n, 2) with n > 0, got {tuple(samples.shape)}")
        near = 3 * self.std if radius is None else float(radius)
        distance, mode = torch.cdist(samples.double(), self.centers.double()).min(dim=1)
        counts = torch.bincount(mode[distance <= near], minlength=len(self.centers))
        share = counts / len(samples)
        covered = int((share >= 0.2 / len(self.centers)).sum())
        return ModeReport(covered, float(share.sum()), counts, near)


def mlp(inputs: int, outputs: int, *, width: int, depth: int, activation: str, gain: float) -> nn.Sequential:
    """Fully connected network with orthogonal weights and zero biases.

    Args:
        inputs: Numbers in.
        outputs: Numbers out.
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        activation: `"relu"`, `"tanh"` or `"softplus"`.
        gain: Factor on the orthogonal weights.

    Returns:
        The network, its output linear.

    Raises:
        ValueError: If the activation is not known.
    """
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
    sizes = [inputs, *[width] * depth, outputs]
    layers: list[nn.Module] = []
    for i in range(depth + 1):
        linear = nn.Linear(sizes[i], sizes[i + 1])
        nn.init.orthogonal_(linear.weight, gain=gain)
        nn.init.zeros_(linear.bias)
        layers += [linear, _ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


class GaussianMixtureGAN:
    """GAN between two MLPs on a mixture of Gaussians; the generator is player 0.

    Losses are taken from the discriminator's raw scores: `"saturating"` is the zero-sum value
    E log D(real) + E log(1 − D(fake)), `"wgan"` is E D(real) − E D(fake), and `"nonsaturating"` gives
    the pair (−E log D(fake), −value).

    Args:
        mixture: The data.
        loss: `"saturating"`, `"nonsaturating"` or `"wgan"`.
        latent: Numbers in the generator's input, drawn from N(0, I).
        width: Units of each hidden layer of both networks.
        depth: Hidden layers of both networks.
        activation: `"tanh"`, `"relu"` or `"softplus"`.
        gain: Factor on the orthogonal initial weights.
        seed: Seed of the initial weights and of every `sample`.

    Raises:
        ValueError: If the loss is not known.

    Example:
        >>> game = GaussianMixtureGAN(GaussianMixture.ring(), width=16, seed=0)
        >>> game.closure(batch_size=32)().shape
        torch.Size([])

    References:
        Metz, Poole, Pfau, Sohl-Dickstein, "Unrolled generative adversarial networks", ICLR 2017; the
        defaults follow its notebook, with eight distinct centres where the notebook has seven.
    """

    def __init__(
        self,
        mixture: GaussianMixture,
        *,
        loss: MixtureLoss = "saturating",
        latent: int = 256,
        width: int = 128,
        depth: int = 2,
        activation: str = "tanh",
        gain: float = 1.4,
        seed: int = 0,
    ) -> None:
        if loss not in _LOSSES:
            raise ValueError(f"loss must be one of {', '.join(_LOSSES)}, got {loss!r}")
        self.mixture, self.loss, self.latent = mixture, loss, latent
        # The weights come from this game's seed, and the caller's own random numbers stay as they were.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            shape = {"width": width, "depth": depth}
            self.generator = mlp(latent, 2, **shape, activation=activation, gain=gain)
            self.discriminator = mlp(2, 1, **shape, activation=activation, gain=gain)
        self.random = torch.Generator().manual_seed(seed)

    def losses(self, real: Tensor, latent: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Loss on given data and latent vectors.

        Args:
            real: Shape (batch, 2).
            latent: Shape (batch, latent).

        Returns:
            The value f, or (generator's loss, discriminator's loss) for `"nonsaturating"`.
        """
        fake_score = self.discriminator(self.generator(latent))
        real_score = self.discriminator(real)
        if self.loss == "wgan":
            return torch.as_tensor(real_score.mean() - fake_score.mean())
        value = logsigmoid(real_score).mean() + logsigmoid(-fake_score).mean()
        if self.loss == "saturating":
            return value
        return -logsigmoid(fake_score).mean(), -value

    def closure(self, batch_size: int) -> Callable[[], Tensor | tuple[Tensor, Tensor]]:
        """Draw a batch and return the closure of its loss: evaluated twice, it sees the same batch.

        Args:
            batch_size: Samples of the data, and as many fakes.

        Returns:
            A function without arguments, for an optimizer's `step`.
        """
        real = self.mixture.sample(batch_size, self.random)
        latent = torch.randn(batch_size, self.latent, generator=self.random)
        return lambda: self.losses(real, latent)

    @torch.no_grad()
    def generate(self, n: int, seed: int = 0) -> Tensor:
        """Samples of the generator from a fixed seed, so that pictures over time are comparable.

        Args:
            n: Number of samples.
            seed: Seed of the latent vectors.

        Returns:
            Shape (n, 2).
        """
        latent = torch.randn(n, self.latent, generator=torch.Generator().manual_seed(seed))
        return torch.as_tensor(self.generator(latent))
