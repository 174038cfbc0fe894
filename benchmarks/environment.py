"""Where and when a measurement was taken."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import torch


def environment(device: str = "cpu") -> dict[str, Any]:
    """Describe the machine (with its GPU for "cuda"), the versions, the commit and the time."""
    models = [line.split(":")[1].strip() for line in lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        **({"gpu": _gpu()} if device == "cuda" else {}),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("torch", "numpy", "scipy", "CGDs", "torch-cgd")},
        "commit": _output("git", "rev-parse", "HEAD") or "unknown",
        "changed": bool(_output("git", "status", "--porcelain", "--", "../gamedyn", "*.py")),
        **moment(),
    }


def moment() -> dict[str, Any]:
    """Describe the time, and how busy the machine is."""
    return {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "load": os.getloadavg()[0]}


def lines(path: str) -> list[str]:
    """Return a file's lines; none where there is no such file."""
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _gpu() -> dict[str, Any]:
    return {
        "name": torch.cuda.get_device_name(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "driver": _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "allow_tf32": {
            "matmul": torch.backends.cuda.matmul.allow_tf32,
            "cudnn": torch.backends.cudnn.allow_tf32,
        },
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _output(*command: str) -> str:
    try:
        result = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
