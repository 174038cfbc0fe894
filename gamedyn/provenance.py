"""Which source and which processor a result was made with."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]


def commit() -> str | None:
    """Name the commit that gamedyn's source stands at.

    Returns:
        Its hash, with `+changes` where tracked files differ from it; `None` outside a git checkout.
    """
    if not (SOURCE / ".git").exists():
        return None
    found = git("rev-parse", "HEAD")
    return f"{found}+changes" if found and git("status", "--porcelain", "-uno") else found


def git(*arguments: str) -> str | None:
    """Ask git about the folder of the source.

    Args:
        *arguments: The command.

    Returns:
        What it printed; `None` if it failed.
    """
    try:
        ran = subprocess.run(
            ["git", *arguments], cwd=SOURCE, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip()


def processor() -> str:
    """Name the processor.

    Returns:
        Its model where Linux tells it, else what Python knows.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
