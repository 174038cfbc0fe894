"""Counts, at the end of a run, the contract checks that each optimizer passed."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from optim_db import OPTIMIZERS


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
