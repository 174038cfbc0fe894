"""The peak of resident memory of a few DCGAN steps, each contender in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from environment import lines
from step_contenders import contenders
from step_games import GAMES

BASELINE, NETWORKS = "import torch", "the game, no step"
"""What every number contains: the interpreter with torch, and both networks with a batch."""

_STEPS = 2
_TORCH = "import torch; print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"


def peak_memory(script: str, rtol: float, size: int | None) -> dict[str, float]:
    """Measure all contenders at one tolerance, in MiB; nothing where the system does not tell."""
    if not Path("/proc/self/status").exists():
        return {}
    only = [f"--rtol={rtol}", *([f"--size={size}"] if size else [])]
    names = [NETWORKS, *contenders(GAMES["dcgan"].make(4, 0, None), [rtol])]  # no step is taken here
    peaks = {BASELINE: _output([sys.executable, "-c", _TORCH]) / 1024}
    for name in names:
        peaks[name] = _output([sys.executable, script, "--peak-of", name, *only])
    return {name: peak for name, peak in peaks.items() if peak > 0.0}


def _output(command: list[str]) -> float:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        print(f"{command[-1]}: {result.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 0.0
    return float(result.stdout)


def own_peak(name: str, rtol: float, size: int | None) -> float:
    """Take a few steps and return this process's peak in MiB."""
    kind = GAMES["dcgan"]
    game = kind.make(size or kind.size, 0, None)
    if name != NETWORKS:
        contender = contenders(game, [rtol])[name]
        for _ in range(_STEPS):
            contender.step()
    # ru_maxrss would be inherited from the parent process
    return next(int(line.split()[1]) / 1024 for line in lines("/proc/self/status") if "VmHWM" in line)
