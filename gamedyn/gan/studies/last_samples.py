"""What the reported runs of a study generate at their end, from their checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from gamedyn.gan.checkpoints import list_checkpoints
from gamedyn.gan.restore import restore_run
from gamedyn.gan.studies.study import Row, Study, level
from gamedyn.gan.studies.tables import number

Samples = dict[str, dict[str, tuple[torch.Tensor, str]]]
"""By method and seed: images of shape `(n, channels, height, width)`, and what is said of the run."""


def last_samples(study: Study, rows: Iterable[Row], folder: Path, count: int) -> Samples:
    """Generate images by every reported run that has its last checkpoint in the study's folder.

    A run that failed shows what it had at its newest checkpoint, NaN as grey.

    Args:
        study: The study.
        rows: Its finished runs.
        folder: Its folder; runs of other machines may be missing there.
        count: Images a run, of the same noise for all.

    Returns:
        Images by method and by the seeds that all of these methods have, said to be at the mean of a run's
        last scores; nothing where no seed is there for all methods that finished any.
    """
    reported = {method: own for method, own in study.reported(rows).items() if own}
    found: Samples = {}
    for method, own in reported.items():
        found[method] = {}
        for row in own:
            run, seed = folder / "runs" / row["run"], row["settings"]["seed"]
            if not (run.is_dir() and list_checkpoints(run)):
                continue
            restored = restore_run(run)
            if row["failure"] or restored.step == row["settings"]["steps"]:
                images = torch.cat(list(restored.generate(count))).nan_to_num()
                found[method][f"seed {seed}"] = (images, number(level(row)))
    common = [seed for seed in next(iter(found.values()), {}) if all(seed in own for own in found.values())]
    return {method: {seed: own[seed] for seed in common} for method, own in found.items()} if common else {}
