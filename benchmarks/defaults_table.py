"""The table and the picture of the study of defaults, from its finished runs and the measured costs.

python benchmarks/defaults_table.py         # prints the table, draws docs/images/acgd-defaults.png
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defaults_cost import cost_of

from gamedyn.plotting import style

HERE = Path(__file__).parent
LAST = 1500
BUDGETS = (1500, 2250)  # Adam steps; the second is what 1,500 of the cheapest solve take
PARTS = {1.0: "all", 0.5: "1/2", 0.25: "1/4", 0.125: "1/8"}


@dataclass
class Arm:
    """One setting, over its seeds."""

    settings: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The setting in words."""
        own = self.settings
        if own["optimizer"] == "adam":
            return "Adam"
        limit = f"at most {own['max_iter']}" if own["max_iter"] < 100 else f"rtol {own['rtol']:g}"
        part = PARTS[own["curvature_batch"]]
        return f"{limit}, {part} of the fakes" + (", relaxed" if own["precision"] == "relaxed" else "")

    @property
    def limit(self) -> str:
        """What ends the solve, in a sign or two: the limit of iterations, or the tolerance."""
        own = self.settings
        if own["optimizer"] == "adam":
            return ""
        return f"{own['max_iter']}" if own["max_iter"] < 100 else f"{own['rtol']:.0e}".replace("e-0", "e−")

    def at(self, step: int) -> list[float]:
        """The distance of each seed at a step, 100 for a run that failed before."""
        found = [{point[0]: point[1] for point in row["curve"]}.get(step) for row in self.rows]
        return [100.0 if value is None else value for value in found]

    @property
    def iterations(self) -> float:
        """Conjugate gradient iterations a step."""
        return statistics.mean(row["curve"][-1][3] / row["curve"][-1][0] for row in self.rows if row["curve"])

    def cost(self, ways: Sequence[dict[str, Any]]) -> float:
        """Adam steps that one step costs."""
        if self.settings["optimizer"] == "adam":
            return 1.0
        for way in ways:
            if all(way[name] == self.settings[name] for name in ("curvature_batch", "precision")):
                return cost_of(way, self.iterations)
        raise ValueError(f"no cost was measured for {self.name}: run benchmarks/defaults_cost.py")

    def within(self, budget: float, cost: float) -> str:
        """The mean distance when a budget of Adam steps is spent, between two measured points on a line."""
        values = []
        for row in self.rows:
            points = [(step * cost, value or 100.0) for step, value, *_ in row["curve"]]
            before = [point for point in points if point[0] <= budget]
            after = [point for point in points if point[0] > budget]
            if not before:
                return "–"
            if not after and before[-1][0] < budget:
                return "–"  # the run was shorter
            if not after:
                values.append(before[-1][1])
                continue
            (a, left), (b, right) = before[-1], after[0]
            values.append(left + (right - left) * (budget - a) / (b - a))
        return spread(values)


def arms(path: Path) -> list[Arm]:
    """Read the rows and group them by setting."""
    grouped: dict[str, Arm] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        settings = {name: value for name, value in row["run"].items() if name != "seed"}
        grouped.setdefault(json.dumps(settings), Arm(settings)).rows.append(row)
    order = ("loss", "lr", "optimizer", "curvature_batch", "max_iter", "rtol")
    return sorted(grouped.values(), key=lambda arm: tuple(str(arm.settings[name]) for name in order))


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def main() -> None:
    """Print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=Path, default=HERE / "results" / "defaults.jsonl")
    parser.add_argument("--costs", type=Path, default=HERE / "results" / "defaults_cost.json")
    parser.add_argument("--picture", type=Path, default=HERE.parent / "docs" / "images" / "acgd-defaults.png")
    args = parser.parse_args()
    ways = json.loads(args.costs.read_text(encoding="utf-8"))["rows"]
    found = arms(args.rows)
    heads = ["loss", "lr", "solve", "seeds", "iterations a step", "Adam steps a step"]
    heads += ["FD at 500", "at 1,000", "at 1,500"]
    heads += [f"after {budget:,} Adam steps' time" for budget in BUDGETS]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for arm in found:
        cost = arm.cost(ways)
        own = arm.settings
        print(
            f"| {own['loss']} | {own['lr']:g} | {arm.name} | {len(arm.rows)} "
            f"| {arm.iterations:.1f} | {cost:.2f} "
            f"| {spread(arm.at(500))} | {spread(arm.at(1000))} | {spread(arm.at(LAST))} "
            f"| {' | '.join(arm.within(budget, cost) for budget in BUDGETS)} |"
        )
    style.save(picture(found, ways), args.picture)
    print(f"\nwrote {args.picture}")


def picture(found: Sequence[Arm], ways: Sequence[dict[str, Any]]) -> Any:
    """Draw final distance over cost: a column a learning rate, a row a loss, the Wasserstein one's in two."""
    names = {"wgan": "Wasserstein", "minimax": "minimax"}
    rows = sorted({_row(arm) for arm in found}, key=lambda row: (row[0] != "wgan", row[1]))
    rates = sorted({arm.settings["lr"] for arm in found})
    colours = {"adam": style.BLACK, "float32": style.BLUE, "relaxed": style.VERMILLION}
    markers = {"adam": "X", 1.0: "o", 0.5: "D", 0.25: "s", 0.125: "^"}
    with style.styled():
        figure = style.new_figure(3.7 * len(rates) + 1.0, 3.0 * len(rows) + 0.6)
        panels = figure.subplots(len(rows), len(rates), sharex="row", sharey="row", squeeze=False)
        shown = set()
        drawn: Counter[Any] = Counter()
        for arm in sorted(found, key=lambda arm: arm.cost(ways)):
            own = arm.settings
            panel = panels[rows.index(_row(arm))][rates.index(own["lr"])]
            adam = own["optimizer"] == "adam"
            kind, way = ("adam", "adam") if adam else (own["curvature_batch"], own["precision"])
            values, colour = arm.at(LAST), colours[way]
            place = (arm.cost(ways), statistics.mean(values))
            spreads = statistics.stdev(values) if len(values) > 1 else None
            # limits above their markers, tolerances below; relaxed ones to the left above, of quarters to the
            # right below and in turn deeper: so neighbours keep apart
            side, depth, align = 1 if "e" not in arm.limit else -1, 6, "center"
            if way == "relaxed":
                side, align = (-1, "left") if kind == 0.25 else (1, "right")
                depth = 5 + 9 * (drawn[panel, kind] % 2) if kind == 0.25 else 4
                drawn[panel, kind] += 1
            panel.annotate(
                arm.limit,
                (place[0], place[1] + side * (spreads or 0.0)),
                (0, side * depth),
                textcoords="offset points",
                ha=align,
                va="bottom" if side > 0 else "top",
                fontsize="x-small",
                color=colour,
            )
            look = {"marker": markers[kind], "color": colour, "markersize": 5.5}
            panel.errorbar(*place, yerr=spreads, capsize=3, elinewidth=1.0, **look)
            shown.add((kind, way))
        for row, (loss, precision) in zip(panels, rows, strict=True):
            row[0].set_ylabel("Fréchet distance after 1,500 steps")
            costs = [arm.cost(ways) for arm in found if _row(arm) == (loss, precision)]
            name = names[loss] + (f", {precision}" if loss == "wgan" else "")
            for panel, lr in zip(row, rates, strict=True):
                panel.set(xscale="log", yscale="log", title=f"{name}, learning rate {lr:g}")
                panel.set_xticks([1, 1.5, 2, 3, 4, 6, 8, 12], ["1", "1.5", "2", "3", "4", "6", "8", "12"])
                panel.set_yticks([15, 20, 30, 40, 60, 80], ["15", "20", "30", "40", "60", "80"])
                panel.minorticks_off()
                panel.set_xlim(0.8 * min(costs), 1.25 * max(costs))
                panel.margins(y=0.15)
        for panel in panels[-1]:
            panel.set_xlabel("cost of a step, in Adam steps")
        words = {"adam": "Adam"} | {part: f"ACGD, {name} of the fakes" for part, name in PARTS.items()}
        order = list(markers)
        handles = [
            panels[0][0].plot(
                [],
                [],
                marker=markers[kind],
                color=colours[way],
                linestyle="",
                label=words[kind] + (", relaxed" if way == "relaxed" else ""),
            )[0]
            for kind, way in sorted(shown, key=lambda pair: (pair[1] == "relaxed", order.index(pair[0])))
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=4)
        style.add_caption(
            figure,
            "CIFAR-10 DCGAN (DIM 32, batch 64, no regulariser): what ACGD's solve costs and what comes out. "
            "Fréchet distance on a small classifier's features, n = 2,000 (not FID). Beside a marker: the "
            "limit of iterations or the tolerance. Bars: one standard deviation over seeds, where there are "
            "several. Lower left is better.",
        )
    return figure


def _row(arm: Arm) -> tuple[str, str]:
    """Say which row of panels shows a setting: relaxed solves of the Wasserstein game have their own."""
    own = arm.settings
    relaxed = own["loss"] == "wgan" and own["optimizer"] != "adam" and own["precision"] == "relaxed"
    return own["loss"], "relaxed" if relaxed else "exact"


if __name__ == "__main__":
    main()
