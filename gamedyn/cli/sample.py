"""`gamedyn sample`: pictures, or raw pixels, from a trained generator.

The class holds the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gamedyn.cli.notes import notes_printed
from gamedyn.gan.config.values import LARGEST_SEED, check_count


@dataclass
class Sample:
    """Draw samples of a trained generator: a grid of images, or points over their mixture."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CKPT_OR_RUN")]
    """A run's folder (its newest checkpoint is taken), or one checkpoint in it."""
    count: int = 64
    """How many samples."""
    seed: int = 0
    """Seed of the noise."""
    out: Path | None = None
    """Picture to write, a .png; by default samples-<step>-seed<seed>.png beside the checkpoint."""
    npz: Path | None = None
    """Also write them as `samples` into this .npz: bytes (n, height, width, channels), or points."""
    ema: bool = True
    """Take the moving average of the generators where the run kept one."""
    device: str = "cpu"
    """Where to generate."""

    def run(self) -> None:
        """Generate and write."""
        check_count("--count", self.count, least=1)
        check_count("--seed", self.seed, least=0, most=LARGEST_SEED)
        for flag, path, suffix in (("--out", self.out, ".png"), ("--npz", self.npz, ".npz")):
            if path is not None and path.suffix != suffix:
                raise ValueError(f"{flag} must end in {suffix}, got {str(path)!r}")

        import io

        import numpy as np
        import torch

        from gamedyn.atomic import write_atomically
        from gamedyn.gan.data.sources import MIXTURES
        from gamedyn.gan.devices import open_device
        from gamedyn.gan.evaluation import as_bytes
        from gamedyn.gan.restore import restore_run
        from gamedyn.plotting.samples import image_grid, point_cloud
        from gamedyn.plotting.style import save

        with notes_printed():
            run = restore_run(self.source, ema=self.ema, device=str(open_device(self.device)))
        points = run.config.dataset in MIXTURES
        parts = []
        for batch in run.generate(self.count, seed=self.seed):
            if not bool(batch.isfinite().all()):
                raise ValueError(
                    f"samples of {run.checkpoint.name} are NaN or infinite: the run has diverged"
                )
            parts.append(batch if points else as_bytes(batch))
        samples = torch.cat(parts).numpy()
        name = f"samples-{run.step:08d}-seed{self.seed}{'-ema' * run.averaged}.png"
        target = self.out or run.checkpoint.parent / name
        if points:
            figure = point_cloud(samples, MIXTURES[run.config.dataset]().centers.numpy())
        else:
            columns = run.classes or max(1, round(self.count**0.5))
            figure = image_grid(samples / 127.5 - 1.0, columns=min(columns, self.count))
        save(figure, target)
        weights = "moving average of the generators" if run.averaged else "generator"
        print(f"sample: {self.count} from the {weights} at step {run.step}, seed {self.seed}")
        print(f"  wrote {target}")
        if self.npz is not None:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, samples=samples if points else samples.transpose(0, 2, 3, 1))
            self.npz.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.npz, buffer.getvalue())
            print(f"  wrote {self.npz}")
