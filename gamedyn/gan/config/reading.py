"""Settings as files: JSON and TOML in, JSON out."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

from gamedyn.gan.config.fields import TrainConfig


def read_config(path: str | os.PathLike[str]) -> TrainConfig:
    """Read settings from a JSON or TOML file.

    Args:
        path: The file; its suffix `.json` or `.toml` says which.

    Returns:
        The settings; what the file leaves out has its default.

    Raises:
        ValueError: If the file cannot be parsed, or a key or value is wrong; the message names it.
        OSError: If the file cannot be read.
    """
    file = Path(path)
    if file.suffix not in {".json", ".toml"}:
        raise ValueError(f"{file} must end in .json or .toml")
    try:
        text = file.read_text(encoding="utf-8")
        content = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:  # both parsers, and the decoding of UTF-8, raise kinds of it
        raise ValueError(f"{file} cannot be parsed: {error}") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{file} must hold a table of settings, it holds a {type(content).__name__}")
    known = [field.name for field in fields(TrainConfig)]
    for key in content:
        if key not in known:
            raise ValueError(f"{file} has the unknown key {key!r}; known are {', '.join(known)}")
    try:
        return TrainConfig(**content)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def config_text(config: TrainConfig) -> str:
    """Write settings as JSON.

    Args:
        config: The settings.

    Returns:
        The text that `read_config` reads back.
    """
    return json.dumps(asdict(config), indent=2) + "\n"
