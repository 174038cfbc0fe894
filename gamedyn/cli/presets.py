"""`gamedyn presets`: the named settings that `gamedyn train --preset` takes."""

from __future__ import annotations

from dataclasses import dataclass

from gamedyn.gan.presets import PRESETS, Preset


@dataclass
class Presets:
    """List the named settings that `gamedyn train --preset NAME` takes."""

    names: bool = False
    """Only the names, one a line."""

    def run(self) -> None:
        """Print them."""
        if self.names:
            print("\n".join(PRESETS))
            return
        width = max(map(len, PRESETS))
        for name, preset in PRESETS.items():
            print(f"{name:{width}}  {preset.summary}")
            for line in (
                f"from: {preset.source}",
                f"published: {preset.published}",
                f"settings: {flags(preset)}",
            ):
                print(f"{'':{width}}  {line}")
        print(
            "\ngamedyn train --preset NAME runs one on CIFAR-10 at its full length; flags override it. "
            "For a first look:\ngamedyn train --preset NAME --dataset digits --steps 100 --batch-size 16"
        )


def flags(preset: Preset) -> str:
    """Write a preset as the flags that it stands for.

    Args:
        preset: The preset.

    Returns:
        The flags, without those that say how often something is written.

    Example:
        >>> flags(Preset("", "", "", {"clip": 0.01, "spectral_norm": True}, {"dim": 64, "log_every": 100}))
        '--clip 0.01 --spectral-norm --dim 64'
    """
    words = []
    for name, value in {**preset.settings, **preset.sizes}.items():
        if value is not None and not name.endswith("_every"):
            words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}"))
    return " ".join(words)
