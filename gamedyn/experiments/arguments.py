"""The flags of a script: its size, its folder, and what tells its results from those of other flags."""

from __future__ import annotations

import hashlib
import os
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

Scale = Literal["smoke", "laptop", "paper"]
"""How large: seconds, for tests; at most 20 minutes on two processors; the source's own settings."""


class Arguments(Protocol):
    """The dataclass of a script's flags."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    scale: Scale
    out: Path


def variant(args: Arguments) -> str:
    """Tell flags apart by all that can change results: every one but the folder of the results.

    Args:
        args: A script's flags.

    Returns:
        A word that is another one for other flags, or another folder of the data sets.
    """
    given = {field.name: getattr(args, field.name) for field in fields(args) if field.name != "out"}
    if "data_root" in given:
        root = given["data_root"] or os.environ.get("GAMEDYN_DATA")
        given["data_root"] = root and Path(root).expanduser().resolve()
    text = repr(sorted((name, str(value)) for name, value in given.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def flags(args: Arguments) -> list[str]:
    """Write the flags of a script that are not its defaults.

    Args:
        args: The script's flags.

    Returns:
        Words of a command line, without the size and the folders.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Args:
        ...     scale: Scale = "laptop"
        ...     out: Path = Path("runs")
        ...     latent: int = 128
        ...     alphas: tuple[float, ...] = (1.0, 3.0)
        >>> flags(Args(latent=7, alphas=(2.0,)))
        ['--latent', '7', '--alphas', '2.0']
    """
    words = []
    for field in fields(args):
        value = getattr(args, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name not in {"scale", "out", "data_root"} and value != default:
            several = value if isinstance(value, tuple) else (value,)
            words += [f"--{field.name.replace('_', '-')}", *map(str, several)]
    return words
