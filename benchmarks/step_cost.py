"""What one optimizer step costs, in gradients of both players and in alternating Adam steps.

Every contender steps from the same point on the same batch, interleaved in rotating order, along the path
that ACGD takes; each keeps its own state, which the common path makes the same for all (CGDs' warm starts
are those of its own previous solve). ACGD and PyPI's CGDs and torch-cgd are compared at the same tolerance on
the residual, which is recomputed for all from the definition of the system that each solved.

    make bench BENCH=--twice                     # twice, beside both packages, in a venv of its own
    python benchmarks/step_cost.py               # once; writes benchmarks/results/step_cost.json
    python benchmarks/step_cost.py --games bilinear --size 100 --steps 2 --repetitions 1 --out ''
    python benchmarks/step_cost.py --show        # what was written: tables in Markdown and the targets
    python benchmarks/step_cost.py --device cuda # the same games on a GPU; see also --tf32

Times are CPU times of one thread (wall times stand beside them in the JSON), medians over steps and
repetitions; a ratio is the median over steps of that step's ratio. A gradient right before each timed step
brings the processor to the pace that it has in training, and steps of a few milliseconds are repeated from
the same point and state: after a pause the first one may take three times as long.

On a GPU times are wall times between two moments at which it has nothing left to do, and memory is what torch
has allocated there. The residual is recomputed without TF32 even where the steps use it; with torch's
default, TF32 in cuDNN's convolutions, residuals of 1e-3 may be out of reach. The targets are not judged.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from environment import environment, moment
from step_device import CLOCKS, MEMORY, switch_off_tf32
from step_games import GAMES, cifar10_folder
from step_memory import own_peak, peak_memory
from step_path import Path
from step_recording import Contender
from step_rivals import MISSING
from step_tables import markdown, print_memory, print_table, rows
from step_targets import print_verdicts, verdicts

RESULTS = File(__file__).parent / "results"
RECORDS = {"cpu": RESULTS / "step_cost.json", "cuda": RESULTS / "step_cost-cuda.json"}


def measure(name: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure a game, and return a table for each of its states."""
    kind = GAMES[name]
    size = args.size or kind.size
    folder = cifar10_folder(args.data_root)
    steps = args.steps or kind.steps
    states = sorted(args.trained) if args.trained is not None and len(kind.trained) > 1 else kind.trained
    pooled: dict[str, dict[str, Contender]] = {}
    for seed in range(args.repetitions or kind.repetitions):
        path = Path(kind.make(size, seed, folder, args.device), args.rtol, compiled=args.compile)
        for trained in states:
            path.train(trained + max(0, args.warm_up - 1))
            path.compare(min(1, args.warm_up), steps)  # in the last all step: some start from their last
            state = f"steps {path.steps - steps + 1} to {path.steps}"
            into = pooled.setdefault(state, {})
            for row, contender in path.contenders.items():
                into.setdefault(row, Contender(contender.step, note=contender.note)).take(contender)
    title = kind.title.format(size)
    if name == "dcgan":
        title += ", CIFAR-10" if folder else ", random images"
    for state, found in pooled.items():
        yield {"game": title, "state": state, "rows": rows(found, CLOCKS[args.device])}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Take and print all measurements once."""
    found: dict[str, Any] = {**moment(), "games": []}
    for name in args.games:
        for table in measure(name, args):
            print_table(table)
            found["games"].append(table)
    if "dcgan" in args.games and not args.no_memory:
        found["peak_mib"] = peak_memory(__file__, args)
        print_memory(found["peak_mib"], MEMORY[args.device])
    return found


def show(path: str) -> None:
    """Print a record's tables and its targets."""
    report = json.loads(File(path).read_text())
    if "runs" not in report:
        raise SystemExit(
            f"{path} was written by an earlier version of this script and cannot be shown: measure again"
        )
    device = report.get("device", {"type": "cpu", "memory": MEMORY["cpu"]})
    for number, found in enumerate(report["runs"], 1):
        print(f"Run {number} of {found['date']}, commit {report['environment']['commit'][:7]}:\n")
        print(markdown(found))
        print_memory(found.get("peak_mib", {}), device["memory"])
    if device["type"] == "cpu":
        print_verdicts(verdicts(report["runs"]))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="What one optimizer step costs.")
    parser.add_argument("--games", nargs="+", choices=GAMES, default=list(GAMES))
    parser.add_argument("--rtol", nargs="+", type=float, default=[1e-3, 1e-2])
    parser.add_argument(
        "--size", type=int, help="width and batch (bilinear: dimension) instead of the real ones"
    )
    parser.add_argument(
        "--steps", type=int, help="measured steps per repetition and state (six; DCGAN: four)"
    )
    parser.add_argument("--warm-up", type=int, default=3, help="steps before them")
    parser.add_argument(
        "--trained", nargs="+", type=int, help="ACGD steps before the DCGAN's states (20 200)"
    )
    parser.add_argument("--repetitions", type=int, help="seeds (three; the DCGAN: one)")
    parser.add_argument("--data-root", help="folder with CIFAR-10 (GAMEDYN_DATA); else random images")
    parser.add_argument("--compile", action="store_true", help="measure compiled products too (no memory)")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--device", choices=CLOCKS, default="cpu", help="where steps are taken")
    parser.add_argument(
        "--tf32", choices=("default", "off"), default="default", help="of a GPU: torch's default, or float32"
    )
    parser.add_argument(
        "--twice", action="store_true", help="measure all of it twice: do the verdicts agree?"
    )
    parser.add_argument("--out", help="record to write (results/step_cost.json, step_cost-cuda.json)")
    parser.add_argument("--show", nargs="?", const="", help="print a record instead of measuring")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.show is not None:
        show(args.show or str(RECORDS[args.device]))
        return
    if args.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: torch finds no CUDA device here")
    if args.tf32 == "off":
        switch_off_tf32()
    if args.peak_of:
        print(own_peak(args.peak_of, args.rtol[0], args.size, args.device))
        return
    out = str(RECORDS[args.device]) if args.out is None else args.out
    for package in MISSING:
        print(f"{package.partition('==')[0]} is not installed (pip install {package}): its rows are left out")
    unwritten = ("out", "show", "peak_of", "device", *(("tf32",) if args.device == "cpu" else ()))
    arguments = {name: value for name, value in vars(args).items() if name not in unwritten}
    arguments["data_root"] = None  # a path of this machine
    report: dict[str, Any] = {
        "device": {"type": args.device, "ratios": CLOCKS[args.device][0], "memory": MEMORY[args.device]},
        "environment": environment(args.device),
        "arguments": arguments,
        "runs": [],
    }
    for _ in range(2 if args.twice else 1):
        report["runs"].append(run(args))
    if args.size is None and args.device == "cpu":
        report["targets"] = verdicts(report["runs"])
        print_verdicts(report["targets"])
    if out:
        File(out).parent.mkdir(parents=True, exist_ok=True)
        File(out).write_text(json.dumps(report, indent=1) + "\n")
        print(f"\nwrote {out}")


if __name__ == "__main__":
    main()
