"""What a training step asks of a GPU: its wall time, its kernels, and how long the device is busy with them.

Where a step takes much longer than its kernels, the host's launching of them is what it costs, and larger
batches or networks are free until the device is busy. Copies count as kernels, and drawing random images on
the host is part of a step (five times with five critic steps).

    python benchmarks/step_kernels.py                    # prints a table in Markdown; needs a CUDA device
    python benchmarks/step_kernels.py --sizes 32x64      # DIM 32, batch 64
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.batch import Batch
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models import build_pair
from gamedyn.gan.steps import StepRecord

STEPS: dict[str, dict[str, Any]] = {
    "Adam, alternating": {"optimizer": "adam"},
    "Adam, gradient penalty, five critic steps": {"optimizer": "adam", "gp": 10.0, "n_critic": 5},
    "ACGD, two iterations on a quarter of the fakes": {"optimizer": "acgd"},
    "ACGD, two iterations": {"optimizer": "acgd", "max_iter": 2, "curvature_batch": 1.0},
    "ACGD, five iterations": {"optimizer": "acgd", "max_iter": 5, "curvature_batch": 1.0},
    "ACGD, five iterations, relaxed": {
        "optimizer": "acgd",
        "max_iter": 5,
        "curvature_batch": 1.0,
        "precision": "relaxed",
    },
}
"""Ways to train CIFAR-10's Wasserstein DCGAN, by the settings of `gamedyn train`."""


def stepping(dim: int, batch: int, settings: dict[str, Any], device: str) -> Callable[[], StepRecord]:
    """Return what takes a step of a fresh game on random images."""
    config = resolve(
        TrainConfig(dataset="cifar10", dim=dim, batch_size=batch, loss="wgan", lr=5e-4, **settings)
    )
    generator, discriminator = build_pair((3, 32, 32), dim=dim, latent=128, seed=0, init="torch")
    generator.to(device)
    discriminator.to(device)
    stepper, noise = make_stepper(generator, discriminator, config), torch.Generator().manual_seed(0)

    def draw() -> Batch:
        real = torch.randn(batch, 3, 32, 32, generator=noise).tanh()
        return Batch(real.to(device), torch.randn(batch, 128, generator=noise).to(device))

    return lambda: stepper.step(generator, discriminator, LOSSES["wgan"], draw)


def measure(step: Callable[[], StepRecord], count: int) -> tuple[float, float, float, float]:
    """Return a step's milliseconds (the median), iterations, kernels, and the device's milliseconds."""
    for _ in range(count):
        step()
    times, iterations = [], []
    for _ in range(count):
        torch.cuda.synchronize()
        start = time.perf_counter()
        iterations.append(step().iterations)
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - start))
    with profile(activities=[ProfilerActivity.CUDA]) as record:
        for _ in range(3):
            step()
        torch.cuda.synchronize()
    kernels = [event for event in record.events() or () if event.device_type == DeviceType.CUDA]
    busy = sum(event.time_range.elapsed_us() for event in kernels) / 1e3
    return statistics.median(times), statistics.fmean(iterations), len(kernels) / 3, busy / 3


def main() -> None:
    """Print a line for each size and way to step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["32x64", "64x64", "64x512"], help="DIMxBATCH")
    parser.add_argument("--steps", type=int, default=10, help="timed steps")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("torch finds no CUDA device here, and kernels are counted on one")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    print("| DIM, batch | step | iterations | ms | Adam steps | kernels | device busy, ms |")
    print("|---|---|---|---|---|---|---|")
    for size in args.sizes:
        dim, batch = map(int, size.split("x"))
        unit = 0.0
        for name, settings in STEPS.items():
            wall, iterations, kernels, busy = measure(stepping(dim, batch, settings, "cuda"), args.steps)
            unit = unit or wall
            print(
                f"| {dim}, {batch} | {name} | {iterations:.1f} | {wall:.1f} | {wall / unit:.2f} "
                f"| {kernels:.0f} | {busy:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
