"""The peak of memory of a few DCGAN steps, each contender in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from step_contenders import contenders
from step_device import forget_peak, peak_mib
from step_games import GAMES

BASELINE, NETWORKS = "import torch", "the game, no step"
"""What every number contains: the interpreter with torch (on a CPU), and both networks with a batch."""

_STEPS = 2
_AT_ONCE = {"cpu": 1, "cuda": 4}
_TORCH = "import torch; print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"


def peak_memory(script: str, args: argparse.Namespace) -> dict[str, float]:
    """Measure all contenders at the loosest tolerance, in MiB; nothing where the system does not tell."""
    if args.device == "cpu" and not Path("/proc/self/status").exists():
        return {}
    rtol = max(args.rtol)
    only = [f"--rtol={rtol}", *([f"--size={args.size}"] if args.size else [])]
    only += [f"--device={args.device}", f"--tf32={args.tf32}"]
    names = [NETWORKS, *contenders(GAMES["dcgan"].make(4, 0, None), [rtol])]  # no step is taken here
    peaks = {BASELINE: _output([sys.executable, "-c", _TORCH]) / 1024} if args.device == "cpu" else {}
    with ThreadPoolExecutor(_AT_ONCE[args.device]) as pool:
        commands = [[sys.executable, script, "--peak-of", name, *only] for name in names]
        peaks |= zip(names, pool.map(_output, commands), strict=True)
    return {name: peak for name, peak in peaks.items() if peak > 0.0}


def _output(command: list[str]) -> float:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        print(f"{' '.join(command[2:4])}: {result.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 0.0
    return float(result.stdout)


def own_peak(name: str, rtol: float, size: int | None, device: str = "cpu") -> float:
    """Take a few steps and return this process's peak in MiB."""
    kind = GAMES["dcgan"]
    game = kind.make(size or kind.size, 0, None, device)
    if name != NETWORKS:
        contender = contenders(game, [rtol])[name]
        forget_peak(game.device)  # the other contenders' state
        for _ in range(_STEPS):
            contender.step()
    return peak_mib(game.device)
