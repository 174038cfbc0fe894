"""What one optimizer step costs, in gradients of both players and in alternating Adam steps.

Every contender steps from the same point on the same batch, interleaved in rotating order, along the path
that ACGD takes; each keeps its own state, which the common path makes the same for all (CGDs' warm starts
are those of its own previous solve). ACGD and PyPI's CGDs are compared at the same tolerance on the residual,
which is recomputed for both from the definition of the system that each solved.

    python benchmarks/step_cost.py                      # minutes; writes benchmarks/results/step_cost.json
    python benchmarks/step_cost.py --games bilinear --size 100 --steps 2 --repetitions 1 --out ''

Times are CPU times of one thread (wall times stand beside them in the JSON), medians over steps and
repetitions. A ratio is the median over steps of that step's ratio.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from step_contenders import CGDs, Contender, Rates, contenders, true_residual
from step_games import GAMES, Game
from torch import Tensor


def measure(name: str, args: argparse.Namespace) -> dict[str, Contender]:
    """Run all contenders along the path, in rotating order, and pool the repetitions."""
    make, size, _ = GAMES[name]
    rtols = args.rtol
    pooled: dict[str, Contender] = {}
    for seed in range(args.repetitions):
        game = make(args.size or size, seed)
        field_ = contenders(game, rtols)
        rates, leader = Rates(game), f"ACGD rtol={min(rtols):g}"
        for step in range(args.warm_up + args.steps):
            game.next_batch()
            diagonals = rates.advance()
            origin = [parameter.detach().clone() for parameter in (*game.x, *game.y)]
            names = list(field_)
            for name in [*names[step % len(names) :], *names[: step % len(names)]]:
                contender = field_[name]
                gc.collect()
                gc.disable()
                wall, cpu = time.perf_counter(), time.process_time()
                contender.step()
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                gc.enable()
                reached = [parameter.detach().clone() for parameter in (*game.x, *game.y)]
                _place(game, origin)
                if name == leader:
                    ahead = reached
                if step < args.warm_up:
                    continue
                contender.cpu.append(cpu)
                contender.wall.append(wall)
                if contender.solved is not None:
                    side, solution, iterations = contender.solved()
                    contender.iterations.append(iterations)
                    if "ACGD" in name:
                        contender.residuals.append(true_residual(game, diagonals, side, solution))
            _place(game, ahead)
        for name, contender in field_.items():
            into = pooled.setdefault(name, Contender(contender.step))
            for column in ("cpu", "wall", "iterations", "residuals"):
                getattr(into, column).extend(getattr(contender, column))
    return pooled


def _place(game: Game, point: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip((*game.x, *game.y), point, strict=True):
            parameter.copy_(value)


def table(game: str, measured: dict[str, Contender], args: argparse.Namespace) -> dict[str, Any]:
    """Print one game's table and return it."""
    unit, adam = measured["gradient"], measured["Adam, alternating"]
    rows = []
    for name, contender in measured.items():
        row: dict[str, Any] = {
            "contender": name,
            "cpu_ms": 1e3 * statistics.median(contender.cpu),
            "wall_ms": 1e3 * statistics.median(contender.wall),
            "gradients": _ratio(contender, unit),
            "adam_steps": _ratio(contender, adam),
        }
        if contender.iterations:
            row["iterations"] = statistics.median(contender.iterations)
        if contender.residuals:
            row["true_residual_median"] = statistics.median(contender.residuals)
            row["true_residual_worst"] = max(contender.residuals)
        rival = measured.get(f"CGDs {name.replace(' structured', '')}")
        if rival is not None:
            row["over_cgds"] = _ratio(contender, rival)
            row["over_cgds_wall"] = _ratio(contender, rival, "wall")
        rows.append(row)
    title = GAMES[game][2].format(args.size or GAMES[game][1])
    print(f"\n{title}; one gradient of both players {1e3 * statistics.median(unit.cpu):.3g} ms")
    print(f"{'':28}{'gradients':>10}{'Adam steps':>12}{'iterations':>12}{'worst residual':>16}{'/ CGDs':>8}")
    for row in rows:
        print(
            f"{row['contender']:28}{row['gradients']:10.2f}{row['adam_steps']:12.2f}"
            f"{_cell(row, 'iterations', '12.3g')}{_cell(row, 'true_residual_worst', '16.2e')}"
            f"{_cell(row, 'over_cgds', '8.2f')}"
        )
    return {"game": title, "rows": rows}


def _ratio(contender: Contender, other: Contender, clock: str = "cpu") -> float:
    pairs = zip(getattr(contender, clock), getattr(other, clock), strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def _cell(row: dict[str, Any], column: str, form: str) -> str:
    return format(row[column], form) if column in row else " " * int(form.split(".")[0])


def peak_memory(args: argparse.Namespace) -> dict[str, float]:
    """Measure the resident peak of a few DCGAN steps, each contender in a process of its own, in MiB."""
    peaks = {}
    names = ["Adam, alternating", f"ACGD rtol={args.rtol[0]:g}", f"CGDs ACGD rtol={args.rtol[0]:g}"]
    for name in names if CGDs is not None else names[:2]:
        command = [sys.executable, __file__, "--peak-of", name, "--rtol", str(args.rtol[0])]
        if args.size:
            command += ["--size", str(args.size)]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[name] = float(result.stdout)
    print(
        "\npeak resident memory, DCGAN: "
        + ", ".join(f"{name} {peak:.0f} MiB" for name, peak in peaks.items())
    )
    return peaks


def environment() -> dict[str, Any]:
    """Describe the machine, the versions and the commit."""
    models = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    versions = {}
    for package in ("torch", "numpy", "scipy", "CGDs"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "cpu": models[0] if models else platform.processor(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "commit": commit.stdout.strip() or "unknown",
        "load": os.getloadavg()[0],
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="What one optimizer step costs.")
    parser.add_argument("--games", nargs="+", choices=GAMES, default=list(GAMES))
    parser.add_argument("--rtol", nargs="+", type=float, default=[1e-3, 1e-2])
    parser.add_argument(
        "--size", type=int, help="width and batch (bilinear: dimension) instead of the real ones"
    )
    parser.add_argument("--steps", type=int, default=6, help="measured steps per repetition")
    parser.add_argument("--warm-up", type=int, default=3, help="steps before them")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--out", default=str(Path(__file__).parent / "results" / "step_cost.json"))
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.peak_of:
        make, size, _ = GAMES["dcgan"]
        contender = contenders(make(args.size or size, 0), args.rtol)[args.peak_of]
        for _ in range(3):
            contender.step()
        # ru_maxrss would be inherited from the parent process
        print(next(int(line.split()[1]) / 1024 for line in _lines("/proc/self/status") if "VmHWM" in line))
        return
    if CGDs is None:
        print("CGDs is not installed (pip install CGDs==0.4.5): its rows are left out")
    chosen = {
        name: getattr(args, name) for name in ("games", "rtol", "size", "steps", "warm_up", "repetitions")
    }
    report: dict[str, Any] = {"environment": environment(), "arguments": chosen}
    report["games"] = [table(game, measure(game, args), args) for game in args.games]
    if "dcgan" in args.games and not args.no_memory and Path("/proc/self/status").exists():
        report["peak_mib"] = peak_memory(args)
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(json.dumps(report, indent=1) + "\n")
        print(f"\nwrote {args.out}")


if __name__ == "__main__":
    main()
