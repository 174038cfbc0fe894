"""What a run was made with: versions, machine, commit and date, beside its results."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch

from gamedyn import __version__
from gamedyn.atomic import write_atomically
from gamedyn.provenance import commit, processor

ENVIRONMENT = "environment.json"


def environment(device: torch.device, *, step: int = 0) -> dict[str, Any]:
    """Describe what a run starts with.

    Args:
        device: Where its networks live.
        step: Steps already done.

    Returns:
        Versions, machine, threads, device, date, and the commit where gamedyn lies in a git checkout.

    Example:
        >>> environment(torch.device("cpu"))["versions"]["torch"] == torch.__version__
        True
    """
    on_gpu = device.type == "cuda"
    return {
        "step": step,
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "versions": {
            "gamedyn": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "python": platform.python_version(),
        },
        "commit": commit(),
        "platform": platform.platform(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if on_gpu else str(device),
    }


def record_environment(folder: Path, device: torch.device, *, step: int = 0) -> None:
    """Add an entry to a run's `environment.json`, which has one for every start of the run.

    Args:
        folder: The run's folder.
        device: Where its networks live.
        step: Steps already done.

    Raises:
        OSError: If the file cannot be written.
    """
    path = folder / ENVIRONMENT
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = []  # none yet, or a damaged one: nothing else depends on it
    starts = [*(before if step and isinstance(before, list) else []), environment(device, step=step)]
    write_atomically(path, (json.dumps(starts, indent=2) + "\n").encode())
