"""Every test begins with the same random numbers; at the end passed contract checks are counted."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import torch
from optim_db import OPTIMIZERS


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Seed torch's global random numbers, so that what fails fails again."""
    torch.manual_seed(0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    names = "|".join(info.name for info in OPTIMIZERS)
    counts = {outcome: Counter[str]() for outcome in ("passed", "failed")}
    for outcome, counter in counts.items():
        for report in terminalreporter.stats.get(outcome, []):
            if "test_optimizer_" in report.nodeid:
                counter.update(re.findall(rf"\b(?:{names})\b", report.nodeid.partition("[")[2])[:1])
    if counts["passed"]:
        passed = ", ".join(f"{info.name} {counts['passed'][info.name]}" for info in OPTIMIZERS)
        failed = sum(counts["failed"].values())
        terminalreporter.write_line(f"optimizer contract: checks passed: {passed}; failed: {failed}")
