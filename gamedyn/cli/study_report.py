"""What `gamedyn study` prints and draws of the runs that are finished."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gamedyn.gan.studies import Study

if TYPE_CHECKING:
    from gamedyn.gan.studies.costs import Costs
    from gamedyn.gan.studies.study import Row


def report(study: Study, rows: Sequence[Row], folder: Path, costs: Costs | None = None) -> None:
    """Draw the study's curves and print its table.

    Args:
        study: The study.
        rows: Its finished runs.
        folder: Where the picture goes.
        costs: What steps cost alone; by default they took the seconds of the rows.
    """
    from gamedyn.gan.studies.costs import other_rates
    from gamedyn.gan.studies.figures import band, ended_well
    from gamedyn.gan.studies.tables import grid, score_name, table
    from gamedyn.plotting.studies import Curve, score_curves
    from gamedyn.plotting.style import save

    timed = rows if costs is None else costs.timed(rows)
    finished = {name: [row for row in own if row["curve"]] for name, own in study.reported(timed).items()}
    # A run that failed early would cut its method's mean short; the legend counts it.
    found = {name: [row for row in own if ended_well(row)] or own for name, own in finished.items() if own}
    if found:
        print(table(study, rows, costs))
        for said in (
            [] if costs is None else other_rates(costs, (row for own in found.values() for row in own))
        ):
            print(f"note: {said}")
    if study.rates and rows:
        print(f"\n{grid(study, rows)}\n")
    if not found:
        print("no reported run is finished yet: nothing to draw")
        return
    curves = []
    for name, own in found.items():
        steps, mean, least, most = band(own, "step")
        minutes = band(own, "seconds")[0] / 60.0
        dashed = own[0]["settings"]["optimizer"] not in {"cgd", "acgd"}
        count = f"{len(own)}" if len(own) == len(finished[name]) else f"{len(own)} of {len(finished[name])}"
        curves.append(Curve(f"{name} ({count})", (steps, minutes), mean, least, most, dashed))
    score = score_name(next(iter(found.values()))[0])
    caption = f"Claim: {study.claim} Solid: competitive optimizers. Bands: least to largest of the seeds."
    time = f"{clock(row for own in found.values() for row in own)} time in steps"
    if costs is not None:
        time, caption = "steps measured alone", f"{caption} Time: {costs.note}."
    figure = score_curves(curves, title=study.title, score=score, time=time, caption=caption)
    print(f"picture: {save(figure, folder / f'{study.name}.png')}")
    draw_samples(study, rows, folder, score)


def clock(rows: Iterable[Row]) -> str:
    """Say what the seconds of rows are of.

    Args:
        rows: Finished runs.

    Returns:
        The processor's time, or on an accelerator the clock's.

    Example:
        >>> clock([{"device": "cpu"}, {"device": "cuda"}])
        'processor or wall-clock'
    """
    clocks = {"processor" if row.get("device", "cpu").startswith("cpu") else "wall-clock" for row in rows}
    return " or ".join(sorted(clocks))


def draw_samples(study: Study, rows: Sequence[Row], folder: Path, score: str) -> None:
    """Draw what the reported runs generate at their end, where their checkpoints are at hand.

    Args:
        study: The study.
        rows: Its finished runs.
        folder: Where the runs are, and where the picture goes.
        score: Name of the scores.
    """
    from gamedyn.gan.studies.last_samples import last_samples
    from gamedyn.plotting.grids import grids_of_samples
    from gamedyn.plotting.style import save

    images = last_samples(study, rows, folder, count=24)
    if not images:
        print(f"samples: none, since {folder / 'runs'} holds no last checkpoint of every method")
        return
    steps = sorted({row["settings"]["steps"] for own in study.reported(rows).values() for row in own})
    caption = (
        f"{study.title}: samples of the same noise at the end, {' or '.join(map('{:,}'.format, steps))} "
        f"generator steps. Below each grid: {score}, the mean of the last third of the run's scores."
    )
    figure = grids_of_samples(images, columns=8, caption=caption)
    print(f"samples: {save(figure, folder / f'{study.name}-samples.png')}")
