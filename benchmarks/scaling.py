"""How the cost of an ACGD step grows with the batch and with the number of parameters: linearly.

A structured step of a fixed number of conjugate-gradient iterations on the WGAN-GP paper's CIFAR-10 DCGAN is
timed beside an alternating Adam step, at three batches of one width and at three widths of one batch. The
number of parameters, and the operations of a step, grow as the square of the width (but for the first and the
last layers, which grow linearly). The exponent `e` of `cost = c · sizeᵉ` is fitted by least squares to the
logarithms; the growth counts as linear where it is at most 1.1.

    python benchmarks/scaling.py     # minutes; results/scaling.json and docs/images/step_cost_scaling.png

Times are CPU times of one thread: medians over rounds in which every size steps once.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from environment import environment
from step_contenders import Variant, adam, structured
from step_games import dcgan, place
from step_recording import Contender
from step_residual import gradients

from gamedyn.plotting import style

HERE = Path(__file__).parent
ITERATIONS, LINEAR = 3, 1.1
ACGD, ADAM = "ACGD", "Adam"
LABELS = {ACGD: f"ACGD structured, {ITERATIONS} iterations", ADAM: "Adam, alternating"}


@dataclass
class Size:
    """One size of the game, with the CPU seconds of its steps."""

    dim: int
    batch: int
    parameters: int = 0
    seconds: dict[str, list[float]] = field(default_factory=lambda: {ACGD: [], ADAM: []})


def measure(sizes: Sequence[Size], rounds: int) -> None:
    """Step every size once a round from its initial point, after a round that is not counted."""
    games = [dcgan(size.dim, size.batch, seed=0) for size in sizes]
    # a tolerance of zero is never met, so that every step takes all its iterations
    fixed = Variant("", {}, {"max_iter": ITERATIONS})
    field_ = [{ACGD: structured(game, fixed, rtol=0.0), ADAM: adam(game)} for game in games]
    for size, game in zip(sizes, games, strict=True):
        size.parameters = sum(parameter.numel() for parameter in (*game.x, *game.y))
    origins = [[parameter.detach().clone() for parameter in (*game.x, *game.y)] for game in games]
    for count in range(1 + rounds):
        for size, game, origin, steppers in zip(sizes, games, origins, field_, strict=True):
            game.next_batch()
            for name, contender in steppers.items():
                # further on, a solve may need fewer iterations even for a tolerance of zero
                place(game, origin)
                gc.collect()
                gradients(game)
                start = time.process_time()
                contender.step()
                spent = time.process_time() - start
                _check(contender)
                if count:
                    size.seconds[name].append(spent)


def _check(contender: Contender) -> None:
    if contender.solved is not None and contender.solved()[2] != ITERATIONS:
        raise RuntimeError(f"a step took {contender.solved()[2]} iterations instead of {ITERATIONS}")


def axis(name: str, sizes: Sequence[Size]) -> dict[str, Any]:
    """Fit the exponents along one axis; return what is written of it."""
    values = [getattr(size, name) for size in sizes]
    found: dict[str, Any] = {"axis": name, "sizes": values}
    found["dim"], found["batch"] = [size.dim for size in sizes], [size.batch for size in sizes]
    for contender in (ACGD, ADAM):
        rounds = list(zip(*(size.seconds[contender] for size in sizes), strict=True))
        medians = [statistics.median(size.seconds[contender]) for size in sizes]
        exponents = [exponent(values, times) for times in rounds]
        found[contender] = {
            "label": LABELS[contender],
            "cpu_seconds": medians,
            "n": len(rounds),
            "exponent": exponent(values, medians),
            "exponent_range": [min(exponents), max(exponents)],
        }
    found["linear"] = found[ACGD]["exponent"] <= LINEAR
    return found


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Fit `cost = c · sizeᵉ` to the logarithms, and return `e`."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def draw(axes: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw cost against size, an axis a panel."""
    colours, markers = {ACGD: style.COLOURS["ACGD"], ADAM: style.COLOURS["Adam"]}, {ACGD: "o", ADAM: "s"}
    labels = {"batch": "batch (samples)", "parameters": "parameters of both networks (millions)"}
    with style.styled():
        figure = style.new_figure(9.0, 4.6)
        for panel, found in zip(figure.subplots(1, len(axes), squeeze=False)[0], axes, strict=True):
            unit = 1e6 if found["axis"] == "parameters" else 1
            values = np.array(found["sizes"]) / unit
            for name in (ACGD, ADAM):
                own = found[name]
                costs = np.array(own["cpu_seconds"])
                panel.plot(
                    values, costs, marker=markers[name], color=colours[name],
                    label=f"{LABELS[name]}: exponent {own['exponent']:.2f}",
                )  # fmt: skip
                middle = costs[len(costs) // 2] * values / values[len(values) // 2]
                panel.plot(values, middle, ":", color=style.GREY, linewidth=1.0, zorder=1)
            panel.plot([], [], ":", color=style.GREY, linewidth=1.0, label="exponent 1")
            panel.set(xscale="log", yscale="log", xlabel=labels[found["axis"]])
            panel.set_ylabel("CPU time of a step (s)")
            panel.set_xticks(values, [f"{value:.3g}" for value in values], minor=False)
            bottom, top = min(found[ADAM]["cpu_seconds"]) / 1.5, 4 * max(found[ACGD]["cpu_seconds"])
            ticks = [lead * 10.0**power for power in range(-4, 4) for lead in (1, 2, 5)]
            ticks = [tick for tick in ticks if bottom <= tick <= top]
            panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
            panel.minorticks_off()
            panel.set_ylim(bottom, top)
            fixed = "dim" if found["axis"] == "batch" else "batch"
            word = {"dim": "DIM", "batch": "batch"}[fixed]
            panel.set_title(f"by {found['axis']}, at {word} {found[fixed][0]}")
            panel.legend(loc="upper left")
        figure.suptitle("What a step costs, by batch and by parameters")
        style.add_caption(
            figure,
            "The CIFAR-10 DCGAN of the WGAN-GP paper; medians of interleaved CPU times, one thread. "
            "Dotted: linear growth through the middle point. Exponents: least squares in the logarithms.",
        )
        style.save(figure, path)


def main() -> None:
    """Measure, fit, print, write and draw."""
    parser = argparse.ArgumentParser(description="How a step's cost grows with batch and parameters.")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 64, 128])
    parser.add_argument("--dim", type=int, default=64, help="the width at which batches are compared")
    parser.add_argument("--dims", nargs="+", type=int, default=[32, 64, 128])
    parser.add_argument("--batch", type=int, default=16, help="the batch at which widths are compared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", default=str(HERE / "results" / "scaling.json"))
    parser.add_argument("--picture", default=str(HERE.parent / "docs" / "images" / "step_cost_scaling.png"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = {"environment": environment(), "iterations": ITERATIONS, "limit": LINEAR}
    record["axes"] = []
    for name, sizes in (
        ("batch", [Size(args.dim, batch) for batch in args.batches]),
        ("parameters", [Size(dim, args.batch) for dim in args.dims]),
    ):
        measure(sizes, args.rounds)
        found = axis(name, sizes)
        record["axes"].append(found)
        own = found[ACGD]
        times = ", ".join(
            f"{size:,}: {1e3 * cost:.0f} ms"
            for size, cost in zip(found["sizes"], own["cpu_seconds"], strict=True)
        )
        low, high = own["exponent_range"]
        print(f"by {name}: {times}")
        word = "linear" if found["linear"] else "MORE THAN LINEAR"
        print(f"  exponent {own['exponent']:.2f} ({low:.2f} to {high:.2f}; at most {LINEAR}): {word}")
        print(f"  beside it Adam's {found[ADAM]['exponent']:.2f}")
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(record, indent=1) + "\n")
    draw(record["axes"], Path(args.picture))
    print(f"wrote {args.out} and {args.picture}")


if __name__ == "__main__":
    main()
