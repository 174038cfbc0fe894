"""Where data sets are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def data_root(explicit: str | os.PathLike[str] | None = None) -> Path:
    """Give the folder that data sets are read from and downloaded to.

    Args:
        explicit: The folder a user named (`--data-root`); it wins over everything else.

    Returns:
        `explicit`, else the environment variable `GAMEDYN_DATA`, else the platform's cache folder.

    Example:
        >>> data_root("/data").as_posix()
        '/data'
    """
    chosen = explicit or os.environ.get("GAMEDYN_DATA")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir("gamedyn", appauthor=False))
