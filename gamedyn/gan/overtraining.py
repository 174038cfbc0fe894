"""New discriminators trained to the end against a DCGAN that holds still, and what they then teach it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from gamedyn.gan.architectures import NormName
from gamedyn.gan.batch import Batch
from gamedyn.gan.data import ImageSet, ImageSource
from gamedyn.gan.devices import open_device
from gamedyn.gan.losses import NonSaturating
from gamedyn.gan.models import build_pair
from gamedyn.gan.probes import GeneratorProbe, probe_generator, train_discriminator
from gamedyn.gan.steps import Alternating


@dataclass(frozen=True)
class Overtraining:
    """A DCGAN, stopped at some ages, and new discriminators for it.

    Every network is moved by Adam at 2e-4 with betas (0.5, 0.999). Latent vectors and noise come from torch's
    global generators, which every method seeds: latent vectors from the CPU's, so that they are the same on
    every device, and instance noise from the device's own.

    Args:
        images: The data.
        dim: Width of both networks, see `build_pair`.
        latent: Length of the latent vectors.
        batch_size: Real images of a step, and as many generated.
        critic_norm: Normalisation of all discriminators. BatchNorm, the DCGAN's, shows them 64 samples of one
            kind at a time, by whose statistics they tell what they could not tell by a single sample.
        seed: Seed of the DCGAN and of its data's order; new discriminators have the next seed.
        device: Where the networks are.

    Raises:
        ValueError: If the device cannot be used.

    Example:
        >>> black = ImageSet("black", torch.zeros(8, 1, 8, 8, dtype=torch.uint8))
        >>> study = Overtraining(black, dim=4, latent=4, batch_size=4)
        >>> weights = study.generators([1, 2])
        >>> measured = study.measure(weights, age=2, checks=[0, 3], minibatches=2)
        >>> measured["accuracy"].shape
        (2,)

    References:
        Arjovsky and Bottou, Towards Principled Methods for Training Generative Adversarial Networks, 2017,
        figures 1 to 3.
    """

    images: ImageSet
    dim: int = 16
    latent: int = 64
    batch_size: int = 64
    critic_norm: NormName = "batch"
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        open_device(self.device)

    def steps(self, epochs: float) -> int:
        """Count the steps of so many passes over the data.

        Args:
            epochs: Passes.

        Returns:
            Steps, rounded.
        """
        return round(epochs * len(self.images) / self.batch_size)

    def generators(self, ages: Iterable[int]) -> dict[str, Tensor]:
        """Train the DCGAN, by the non-saturating loss and alternating steps.

        Args:
            ages: Steps after which the generator is kept.

        Returns:
            The generators' weights and statistics on the CPU, by age and name: `"250 project.weight"`.
        """
        kept = set(ages)
        torch.manual_seed(self.seed)
        G, D = self._pair(self.seed)
        stepper, draw = Alternating(_adam(G), _adam(D)), self._stream(self.seed)
        found: dict[str, Tensor] = {}
        for step in tqdm(range(1, max(kept) + 1), desc="DCGAN", mininterval=1.0):
            stepper.step(G, D, NonSaturating(), draw)
            if step in kept:
                found |= {f"{step} {name}": value.cpu().clone() for name, value in G.state_dict().items()}
        return found

    def measure(
        self,
        weights: Mapping[str, Any],
        *,
        age: int,
        checks: Iterable[int],
        noise: float = 0.0,
        minibatches: int = 12,
        judged: int | None = None,
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Train a new discriminator against a generator, and measure both as it goes.

        Args:
            weights: What `generators` gave, as tensors or arrays.
            age: Which of the generators.
            checks: Iterations of the discriminator at which to measure, 0 among them or not.
            noise: Standard deviation of instance noise in training and measuring.
            minibatches: How many fixed minibatches gradients are measured on.
            judged: How many fixed minibatches, these among them, cost and accuracy are measured on; `None`
                for the same.

        Returns:
            The measurements of `GeneratorProbe` by name, one number a check.
        """
        at = sorted(set(checks))
        torch.manual_seed(self.seed + 1)
        G, _ = self._pair(self.seed)
        G.load_state_dict({name: torch.as_tensor(weights[f"{age} {name}"]) for name in G.state_dict()})
        _, D = self._pair(self.seed + 1)
        draw = self._stream(self.seed + 1)
        batches = [draw() for _ in range(max(minibatches, judged or 0))]
        steps = train_discriminator(D, _adam(D), G, draw, at[-1], noise=noise)
        what = f"new D, G of {age} steps" + (f", noise {noise:g}" if noise else "")
        bar = tqdm(steps, total=at[-1] + 1, desc=what, mininterval=1.0)
        rows = [
            asdict(probe_generator(G, D, batches, noise=noise, gradients=minibatches))
            for step in bar
            if step in at
        ]
        return {field.name: np.array([row[field.name] for row in rows]) for field in fields(GeneratorProbe)}

    def _pair(self, seed: int) -> tuple[nn.Module, nn.Module]:
        """Build both networks."""
        G, D = build_pair(
            self.images.shape, dim=self.dim, latent=self.latent, seed=seed, architecture="dcgan",
            critic_norm=self.critic_norm,
        )  # fmt: skip
        return G.to(self.device), D.to(self.device)

    def _stream(self, seed: int) -> Callable[[], Batch]:
        """Begin a stream of batches."""
        source = ImageSource(self.images, batch_size=self.batch_size, seed=seed)
        shape = self.batch_size, self.latent
        return lambda: Batch(source.next().to(self.device), torch.randn(shape).to(self.device))


def _adam(network: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
