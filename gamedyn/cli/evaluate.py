"""`gamedyn evaluate`: the scores of a trained generator, with the protocol beside them.

The class holds the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from gamedyn.cli.notes import notes_printed
from gamedyn.gan.config.values import LARGEST_SEED, check_count

if TYPE_CHECKING:
    from gamedyn.gan.score_files import RunScores


@dataclass
class Evaluate:
    """Score a trained generator: by a network's features, by pixels, by its critic, or by modes covered."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CKPT_OR_RUN")]
    """A run's folder (its newest checkpoint is taken), or one checkpoint in it."""
    extractor: str | None = None
    """inception:FILE, cifarnet:FOLDER or module.path:attribute (code that is run); default: no network."""
    samples: int = 10_000
    """Generated samples; numbers compare at equal counts only."""
    references: int = 10_000
    """Most training images to compare with, a seeded choice."""
    seed: int = 0
    """Seed of the noise and of every choice."""
    out: Path | None = None
    """JSON file for the scores; by default scores-<step>-<extractor>-....json beside the checkpoint."""
    ema: bool = True
    """Take the moving average of the generators where the run kept one."""
    data_root: str | None = None
    """Folder of the data sets; by default the run's own, then GAMEDYN_DATA."""
    device: str = "cpu"
    """Where to generate and to score."""

    def run(self) -> None:
        """Score, print the table and write it."""
        check_count("--samples", self.samples, least=2)
        check_count("--references", self.references, least=2)
        check_count("--seed", self.seed, least=0, most=LARGEST_SEED)
        if self.out is not None and self.out.suffix != ".json":
            raise ValueError(f"--out must end in .json, got {str(self.out)!r}")

        from dataclasses import replace

        from gamedyn.atomic import check_writable
        from gamedyn.gan.devices import open_device
        from gamedyn.gan.metrics.extractors import open_extractor
        from gamedyn.gan.restore import restore_run
        from gamedyn.gan.run_scores import evaluate_run
        from gamedyn.gan.score_files import scores_name

        device = str(open_device(self.device))
        with notes_printed():
            run = restore_run(self.source, ema=self.ema, device=device)
            if self.data_root is not None:
                run = replace(run, config=replace(run.config, data_root=self.data_root))
            extractor = None if self.extractor is None else open_extractor(self.extractor, device=device)
            target = self.out or run.checkpoint.parent / scores_name(
                run.step,
                self.extractor,
                averaged=run.averaged,
                seed=self.seed,
                samples=self.samples,
                references=self.references,
            )
            check_writable(target)  # now, not after all the work
            found = evaluate_run(
                run,
                extractor,
                samples=self.samples,
                references=self.references,
                seed=self.seed,
                progress=True,
            )
        if self.extractor is not None:
            found.protocol.append(f"Extractor: {self.extractor}.")
        for line in describe(found):
            print(line)
        found.write(target)
        print(f"  wrote {target}")


def describe(found: RunScores) -> list[str]:
    """Lay scores out as a table, the protocol below it.

    Args:
        found: The scores.

    Returns:
        Lines of text.
    """
    rows: list[tuple[str, str, str]] = [("", "samples", "real images")]
    for name in found.scores:
        if name.endswith(" sd") or name in {"samples", "references"}:
            continue
        rows.append((name, _with_spread(found.scores, name), _with_spread(found.real, name)))
    rows.append(("n", f"{found.scores['samples']:,.0f}", f"{found.real.get('samples', 0):,.0f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {other:>{widths[2]}}".rstrip()
        for name, value, other in rows
    ]
    return [f"{found.run}, step {found.step}:", *lines, *(f"  {line}" for line in found.protocol)]


def _with_spread(scores: Mapping[str, float], name: str) -> str:
    if name not in scores:
        return "-"
    spread = f" ± {scores[f'{name} sd']:.3g}" if f"{name} sd" in scores else ""
    return f"{scores[name]:.5g}{spread}"
