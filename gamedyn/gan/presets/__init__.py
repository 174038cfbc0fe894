"""Named settings of published runs, for `gamedyn train --preset NAME`. Imports no torch."""

from __future__ import annotations

from difflib import get_close_matches

from gamedyn.gan.presets.baselines import BASELINES
from gamedyn.gan.presets.icr import ICR
from gamedyn.gan.presets.preset import Preset as Preset
from gamedyn.gan.presets.varied import VARIED
from gamedyn.gan.presets.wgan_gp import WGAN_GP

PRESETS: dict[str, Preset] = {**ICR, **WGAN_GP, **VARIED, **BASELINES}
"""Every preset by its name."""


def find_preset(name: str) -> Preset:
    """Find a preset.

    Args:
        name: Its name.

    Returns:
        The preset.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> find_preset("wgan-clip").settings["clip"]
        0.01
        >>> find_preset("wgan-clipped")
        Traceback (most recent call last):
        ...
        ValueError: there is no preset 'wgan-clipped' (did you mean wgan-clip?): `gamedyn presets` lists them
    """
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(name, PRESETS, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(f"there is no preset {name!r}{hint}: `gamedyn presets` lists them")
