"""From measurements to rows, and from rows to what is printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from step_device import CLOCKS, MEMORY
from step_recording import Contender

ADAM, UNIT = "Adam, alternating", "gradient"


def rows(measured: dict[str, Contender], clocks: Sequence[str] = CLOCKS["cpu"]) -> list[dict[str, Any]]:
    """Summarise one game's measurements; every ratio is the median of the points' own ratios."""
    return [_row(name, contender, measured, clocks) for name, contender in measured.items()]


def _row(
    name: str, contender: Contender, measured: dict[str, Contender], clocks: Sequence[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {"contender": name}
    if contender.note:
        row["note"] = contender.note
    if contender.failure:
        return {**row, "failure": contender.failure}
    first, *others = clocks
    of_adam = _ratios(contender, measured[ADAM], first)
    row |= {
        "n": len(getattr(contender, first)),
        **{f"{clock}_ms": 1e3 * statistics.median(getattr(contender, clock)) for clock in clocks},
        "gradients": statistics.median(_ratios(contender, measured[UNIT], first)),
        "adam_steps": statistics.median(of_adam),
        "adam_steps_range": [min(of_adam), max(of_adam)],
    }
    if contender.iterations:
        row["iterations"] = statistics.median(contender.iterations)
    if contender.residuals:
        row["true_residual_median"] = statistics.median(contender.residuals)
        row["true_residual_worst"] = max(contender.residuals)
    for key, package in (("over_cgds", "CGDs"), ("over_torch_cgd", "torch-cgd")):
        rival = measured.get(f"{package} ACGD rtol={name.rpartition('rtol=')[2]}")
        if "ACGD" in name and rival is not None and not rival.failure and not contender.note:
            row[key] = statistics.median(_ratios(contender, rival, first))
            row |= {f"{key}_{clock}": statistics.median(_ratios(contender, rival, clock)) for clock in others}
    return row


def _ratios(contender: Contender, other: Contender, clock: str) -> list[float]:
    pairs = zip(getattr(contender, clock), getattr(other, clock), strict=True)
    return [ours / theirs for ours, theirs in pairs]


def print_table(game: dict[str, Any]) -> None:
    """Print one game's rows."""
    entries = game["rows"]
    unit = next(row for row in entries if row["contender"] == UNIT)
    time = f"{unit['cpu_ms']:.3g} ms" if "cpu_ms" in unit else f"{unit['wall_ms']:.3g} ms (wall clock)"
    print(f"\n{game['game']}, {game['state']}; one gradient of both players {time}")
    width = max(len(row["contender"]) for row in entries) + 2
    print(
        f"{'':{width}}{'gradients':>10}{'Adam steps':>12}{'iterations':>12}{'worst residual':>16}"
        f"{'/ CGDs':>8}{'/ torch-cgd':>13}"
    )
    for row in entries:
        if "failure" in row:
            print(f"{row['contender']:{width}}  {row['failure']}")
            continue
        print(
            f"{row['contender']:{width}}{row['gradients']:10.2f}{row['adam_steps']:12.2f}"
            f"{_cell(row, 'iterations', '12.3g')}{_cell(row, 'true_residual_worst', '16.2e')}"
            f"{_cell(row, 'over_cgds', '8.2f')}{_cell(row, 'over_torch_cgd', '13.2f')}"
            f"{'  ' + row['note'] if 'note' in row else ''}".rstrip()
        )


def print_memory(peaks: dict[str, float], kind: str = MEMORY["cpu"]) -> None:
    """Print the peaks of a kind of memory, each of a process of its own; nothing where there are none."""
    if not peaks:
        return
    print(f"\npeak {kind} on the DCGAN, a process each")
    width = max(map(len, peaks)) + 2
    for name, peak in peaks.items():
        ratio = f"{peak / peaks[ADAM]:8.2f} x Adam" if peaks.get(ADAM) else ""
        print(f"{name:{width}}{peak:8.0f} MiB{ratio}")


def markdown(run: dict[str, Any]) -> str:
    """Return a run's tables in Markdown, in Adam steps, iterations in brackets."""
    parts = []
    for game in run["games"]:
        parts += [f"**{game['game']}**, {game['state']}:", ""]
        parts += [
            "| | × Adam | iterations | worst true residual | / CGDs | / torch-cgd |",
            "|---|---|---|---|---|---|",
        ]
        for row in game["rows"]:
            name = row["contender"] + (f" ({row['note']})" if "note" in row else "")
            if "failure" in row:
                parts.append(f"| {name} | {row['failure']} | | | | |")
                continue
            cells = [
                _cell(row, column, form).strip()
                for column, form in (
                    ("adam_steps", "1.2f"),
                    ("iterations", "1.3g"),
                    ("true_residual_worst", "1.0e"),
                    ("over_cgds", "1.2f"),
                    ("over_torch_cgd", "1.2f"),
                )
            ]
            parts.append(f"| {name} | {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts)


def _cell(row: dict[str, Any], column: str, form: str) -> str:
    return format(row[column], form) if column in row else " " * int(form.split(".")[0])
