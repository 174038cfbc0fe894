"""What time, memory and precision mean on the device that steps are taken on."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from environment import lines

CLOCKS = {"cpu": ("cpu", "wall"), "cuda": ("wall",)}
"""The clocks whose times are written; ratios are made of the first. A GPU's work takes no CPU time."""

MEMORY = {"cpu": "resident memory", "cuda": "torch.cuda.max_memory_allocated"}
"""What a peak of memory is a peak of."""


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done all that it was told to; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def clock(device: torch.device) -> Callable[[], float]:
    """Return the clock, in seconds, that a device's ratios are made of."""
    return time.process_time if CLOCKS[device.type][0] == "cpu" else time.perf_counter


def forget_peak(device: torch.device) -> None:
    """Free what is held by nobody on a GPU, and measure its peak from here on."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.reset_peak_memory_stats(device)


def peak_mib(device: torch.device) -> float:
    """Return the peak of this process's memory on the device."""
    if device.type == "cuda":
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) / 2**20
    # ru_maxrss would be inherited from the parent process
    return next(int(line.split()[1]) / 1024 for line in lines("/proc/self/status") if "VmHWM" in line)


def switch_off_tf32() -> None:
    """Compute float32 products in float32 from here on."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


@contextmanager
def without_tf32(device: torch.device) -> Iterator[None]:
    """Compute float32 products in float32 within, as a CPU always does."""
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    switch_off_tf32()
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
