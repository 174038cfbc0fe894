"""A study's finished runs as tables in Markdown. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gamedyn.gan.studies.costs import Costs
from gamedyn.gan.studies.figures import summary
from gamedyn.gan.studies.study import Row, Study, level


def table(study: Study, rows: Sequence[Row], costs: Costs | None = None) -> str:
    """Write the finished runs as a table in Markdown.

    Args:
        study: The study.
        rows: Its finished runs.
        costs: What steps cost alone; by default they took the seconds of the rows.

    Returns:
        A line for each method.
    """
    rows = rows if costs is None else costs.timed(rows)
    found = summary(study, rows)
    named = next((row for own in study.reported(rows).values() for row in own if row["score"]), None)
    head = f"{score_name(named)}; mean ± sd over seeds that did not fail" if named else "no run was scored"
    lines = [
        head if costs is None else f"{head}; time: {costs.note}",
        "",
        "| method | lr | seeds (failed) | steps | last third | at equal steps | at equal time | s/step |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in found:
        spread = "" if line.deviation is None else f" ± {number(line.deviation)}"
        lines.append(
            f"| {line.method} | {line.rate:g} | {line.seeds} ({line.failed}) | {line.steps:,} "
            f"| {number(line.mean)}{spread} | {number(line.at_equal_steps)} | {number(line.at_equal_time)} "
            f"| {line.seconds:.3g} |"
        )
    return "\n".join(lines)


def grid(study: Study, rows: Sequence[Row]) -> str:
    """Write the runs that choose learning rates as a table in Markdown: how robust is each method?

    Args:
        study: The study, one with rates to choose from.
        rows: Its finished runs.

    Returns:
        A line for each method, its last entry the share of its rates that end within twice the best of all.
    """
    by_key = {row["run"]: level(row) for row in rows}
    levels = {method.name: [by_key.get(job.key) for job in study.pilots(method)] for method in study.methods}
    best = min((value for own in levels.values() for value in own if value is not None), default=math.inf)
    lines = [
        f"Last third by learning rate, seed {study.pilot_seed}, {study.pilot_steps:,} steps:",
        "",
        f"| method | {' | '.join(f'{rate:g}' for rate in study.rates)} | within twice the best |",
        "|---" * (len(study.rates) + 2) + "|",
    ]
    for name, own in levels.items():
        shown = ["" if value is None else number(value) for value in own]
        done = [value for value in own if value is not None]
        well = sum(math.isfinite(value) and value <= 2 * best for value in done)
        lines.append(f"| {name} | {' | '.join(shown)} | {well} of {len(done)} |")
    return "\n".join(lines)


def costs_table(costs: Costs) -> str:
    """Write what steps cost as a table in Markdown.

    Args:
        costs: The costs.

    Returns:
        A line for each method, in units of the first method of Adam where there is one.
    """
    adam = next((name for name, own in costs.methods.items() if own.settings["optimizer"] == "adam"), None)
    unit = "" if adam is None else f" steps of {adam} |"
    lines = [
        f"A generator step measured alone on {costs.machine}, {costs.steps} steps a method:",
        "",
        f"| method | lr | from step | iterations | ms/step |{unit}",
        "|---|---|---|---|---|" + "---|" * (adam is not None),
    ]
    for name, own in costs.methods.items():
        solved, spent = f"{own.iterations:.3g}" if own.iterations else "–", 1e3 * own.seconds
        relative = "" if adam is None else f" {own.seconds / costs.methods[adam].seconds:.2f} |"
        lines.append(
            f"| {name} | {own.settings['lr']:g} | {own.start:,} | {solved} | {spent:.3g} |{relative}"
        )
    return "\n".join(lines)


def score_name(row: Row) -> str:
    """Name a run's score with the number of samples that it was taken on.

    Args:
        row: The finished run.

    Returns:
        For instance `FD (digits), n = 2,000`.
    """
    count = row["settings"].get("eval_samples")
    return f"{row['score']}, n = {count:,}" if count else str(row["score"])


def number(value: float) -> str:
    """Write a score.

    Args:
        value: The score; NaN for none, infinite for a run that failed.

    Returns:
        Text.

    Example:
        >>> number(1234.5), number(1.2345), number(math.nan), number(math.inf)
        ('1,234', '1.23', '–', 'failed')
    """
    if math.isnan(value):
        return "–"
    if not math.isfinite(value):
        return "failed"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
