"""The flags of `gamedyn icr quadratic | stability | bilinear`; what they draw is computed on `run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class IcrQuadratic:
    """A slow discriminator is stable only while the generator answers it: the game x² + 10xy + y²."""

    out: Path = Path("runs/icr-quadratic")
    """Folder for the pictures and the arrays behind them."""
    steps: int = 100
    """Steps of each run."""

    def run(self) -> None:
        """Draw the figures and print what was found."""
        print(f"icr quadratic: {self.steps} steps -> {self.out}")


@dataclass
class IcrStability:
    """Where SimGD, AltGD and CGD are stable in (η_x, η_y): measured by running them, and predicted."""

    out: Path = Path("runs/icr-stability")
    """Folder for the pictures and the arrays behind them."""
    cells: int = 400
    """Step sizes along each axis of the map."""
    steps: int = 500
    """Steps of each run."""

    def run(self) -> None:
        """Draw the figures and print what was found."""
        print(f"icr stability: {self.cells} x {self.cells} cells, {self.steps} steps -> {self.out}")


@dataclass
class IcrBilinear:
    """Orbits of SimGD, AltGD, CGD and ACGD on xᵀAy, and how fast each nears the equilibrium."""

    out: Path = Path("runs/icr-bilinear")
    """Folder for the pictures and the arrays behind them."""
    steps: int = 150
    """Steps of each run."""
    lr: float = 0.2
    """Step size of both players."""

    def run(self) -> None:
        """Draw the figures and print what was found."""
        print(f"icr bilinear: {self.steps} steps at lr {self.lr} -> {self.out}")
