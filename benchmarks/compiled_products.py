"""What compiled products cost beside eager ones: the compilation, a pair of products and whole steps.

On the DCGAN of CIFAR-10 (smooth random images), one thread, the same batch for both, interleaved, by the
thread's own time. Compilation, with nothing compiled before, by that of the process and of the C++ compiler.

    python benchmarks/compiled_products.py      # minutes; writes benchmarks/results/compiled_products.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # the C++ compiler as a child, whose time is known

import torch
from environment import environment
from step_games import Game, dcgan, place
from torch import Tensor

from gamedyn.gan.curvature import compiled
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD
from gamedyn.solvers import Linearisation

RESULTS = Path(__file__).parent / "results" / "compiled_products.json"
WAYS = ("eager", "compiled")
ITERATIONS = (2, 5)


def seconds(run: Callable[[], object]) -> float:
    """Time a call by the thread's own clock."""
    start = time.thread_time()
    run()
    return time.thread_time() - start


def processors_time() -> float:
    """Return the seconds that this process and those it has waited for have computed."""
    return sum(os.times()[:4])


def compared(runs: Mapping[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Time eager and compiled in turn; return both medians in milliseconds and the median of the ratios."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for repetition in range(repetitions + 1):
        for way in WAYS if repetition % 2 else reversed(WAYS):
            spent = seconds(runs[way])
            if repetition:
                times[way].append(spent)
    ratios = [after / before for before, after in zip(*(times[way] for way in WAYS), strict=True)]
    found = {f"{way}_ms": 1e3 * statistics.median(times[way]) for way in WAYS}
    return {**found, "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def pair_of(found: Linearisation, u: list[Tensor], v: list[Tensor], *, relaxed: bool) -> Callable[[], object]:
    """Return what takes a product with either half of the mixed Hessian."""
    forward, backward = (found.relaxed if relaxed else None) or (found.forward, found.backward)
    return lambda: (forward(u), backward(v))


def off(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return a relative error."""
    distance, size = (
        sum(float(part.double().square().sum()) for part in parts) ** 0.5
        for parts in ([a - b for a, b in zip(found, expected, strict=True)], expected)
    )
    return distance / size


def measured(game: Game, way: dict[str, Any], repetitions: int, warm_up: int) -> dict[str, Any]:
    """Compile, and time a pair of products and whole steps, from one point."""
    assert game.objective is not None
    games = {name: game.objective(**way, compile=name == "compiled") for name in WAYS}
    relaxed = way.get("precision") == "relaxed"
    optimizers = {
        (name, count): ACGD(game.x, game.y, lr=5e-4, max_iter=count, rtol=1e-3)
        for name, count in itertools.product(WAYS, ITERATIONS)
    }
    trained = ACGD(game.x, game.y, lr=5e-4, max_iter=2)
    for _ in range(warm_up):
        trained.step(games["eager"].on(*game.batch))
        game.next_batch()
    point = [parameter.detach().clone() for parameter in (*game.x, *game.y)]
    u, v = ([torch.randn_like(parameter) for parameter in player] for player in (game.x, game.y))
    found = {name: one.on(*game.batch).linearise(game.x, game.y) for name, one in games.items()}
    pairs: dict[str, Any] = {name: pair_of(one, u, v, relaxed=relaxed) for name, one in found.items() if one}
    assert found["compiled"] is not None
    wall, start = time.perf_counter(), processors_time()
    if relaxed:  # whose solves take exact products too
        pair_of(found["compiled"], u, v, relaxed=False)()
    first = pairs["compiled"]()
    compiling = processors_time() - start
    row: dict[str, Any] = {**way, "compiling_s": compiling, "compiling_wall_s": time.perf_counter() - wall}
    row["errors"] = [off(a, b) for a, b in zip(first, pairs["eager"](), strict=True)]
    row["pair"] = compared(pairs, repetitions)

    def stepped(objective: GANObjective, optimizer: ACGD) -> Callable[[], object]:
        def run() -> None:
            place(game, point)
            optimizer.step(objective.on(*game.batch))

        return run

    for count in ITERATIONS:
        row[f"step of {count}"] = compared(
            {name: stepped(games[name], optimizers[name, count]) for name in WAYS}, repetitions
        )
        row[f"step of {count}"]["iterations"] = [
            optimizers[name, count].last_step.iterations for name in WAYS
        ]
    row["steps_to_earn"] = {}
    for count in ITERATIONS:
        step = row[f"step of {count}"]
        gain = 1.0 - step["ratio"]  # of less than a hundredth, noise decides the sign
        spent = compiling / (1e-3 * step["eager_ms"] * gain) if gain > 0.01 else math.inf
        row["steps_to_earn"][str(count)] = round(spent) if spent < math.inf else None
    row["fallbacks"] = games["compiled"].fallbacks
    return row


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--loss", choices=sorted(LOSSES), default="wgan")
    parser.add_argument("--warm-up", type=int, default=5, help="training steps before the measured point")
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--backend", default=compiled.BACKEND, help="of torch.compile")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    compiled.BACKEND = args.backend
    rows = []
    ways = ({"curvature_batch": 1.0}, {"curvature_batch": 0.25}, {"precision": "relaxed"})
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache  # so that nothing compiled before is found
        for way in ways:
            game = dcgan(args.dim, args.batch, 0, None, LOSSES[args.loss])
            rows.append(measured(game, way, args.repetitions, args.warm_up))
            print(json.dumps(rows[-1]), flush=True)
    report = {
        "environment": environment(),
        **{name: getattr(args, name) for name in ("dim", "batch", "loss", "repetitions", "backend")},
        "rows": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
