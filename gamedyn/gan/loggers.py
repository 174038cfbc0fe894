"""Where the lines of a run's log go besides `log.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Logger(Protocol):
    """Anything that takes lines: write this one method to send a run's figures elsewhere."""

    def write(self, line: Mapping[str, object]) -> None:
        """Take a line.

        Args:
            line: Numbers and text by name, with a `step`.
        """


class TensorBoardLog:
    """Scalars for TensorBoard, one curve a figure.

    Args:
        folder: Where the event files go.
        step: Steps already done: later scalars of an earlier start are hidden.

    Raises:
        ValueError: If TensorBoard is not installed.
    """

    def __init__(self, folder: Path, *, step: int = 0) -> None:
        self.writer: Any = summary_writer()(str(folder), purge_step=step + 1)

    def write(self, line: Mapping[str, object]) -> None:
        """Add every number of a line.

        Args:
            line: Numbers by name, with a `step`; what is no number is left out.
        """
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                self.writer.add_scalar(name, value, line["step"])
        self.writer.flush()


def summary_writer() -> Any:
    """Find TensorBoard's writer.

    Returns:
        The class `torch.utils.tensorboard.SummaryWriter`.

    Raises:
        ValueError: If TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError(
            'tensorboard is set and not installed: pip install "gamedyn[tensorboard]", or leave it out'
        ) from error
    return SummaryWriter
