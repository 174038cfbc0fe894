"""A trained classifier from a folder, as a map from images to features."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

Features: TypeAlias = Callable[[Tensor], Tensor]
"""From images in [-1, 1], shape `(n, channels, height, width)`, to features, shape `(n, dimension)`."""


def open_classifier(folder: Path) -> Features:
    """Open the features of a classifier that lies in a folder: one file of code and one of weights.

    See `load_classifier`.

    Args:
        folder: The folder.

    Returns:
        The map from images in [-1, 1] to features.
    """
    network = load_classifier(folder)

    def features(images: Tensor) -> Tensor:
        with torch.inference_mode():
            found: Tensor = network(images.add(1.0).div(2.0), features=True)[1]
        return found

    return features


def load_classifier(folder: Path) -> nn.Module:
    """Load a classifier that lies in a folder: one file of code and one of weights.

    `model.py` is imported, so open only what you would run. It must define one `nn.Module` class with a
    `feature_dim`, built without arguments, whose `forward(images, features=True)` takes images in [0, 1] and
    returns `(logits, features)`, and may have the `input_shape` of the images that it was trained on. The
    weights are the folder's one `.safetensors` file.

    Args:
        folder: The folder.

    Returns:
        The network, in evaluation mode.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If `model.py` cannot be run or has no such class, if the weights do not fit it, or if the
            package safetensors is not installed.
    """
    code = folder / "model.py"
    weights = sorted(folder.glob("*.safetensors"))
    if not code.is_file() or len(weights) != 1:
        raise FileNotFoundError(f"{folder} must hold model.py and one .safetensors file of weights")
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise ValueError(f"reading {weights[0]} needs safetensors: pip install safetensors") from error
    network = _network(code)
    try:
        network.load_state_dict(load_file(weights[0]))
    except Exception as error:  # a damaged file raises an error of its own kind
        raise ValueError(f"{weights[0]} does not fit {code}: {error}") from error
    return network.eval().requires_grad_(False)


def _network(code: Path) -> nn.Module:
    specification = importlib.util.spec_from_file_location("classifier", code)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # it is code of its own, which may raise anything
        raise ValueError(f"{code} cannot be imported: {error!r}") from error
    classes: list[Any] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, nn.Module) and hasattr(value, "feature_dim")
    ]
    if len(classes) != 1:
        raise ValueError(f"{code} must define one nn.Module class with a feature_dim, it has {len(classes)}")
    try:
        network: nn.Module = classes[0]()
    except (Exception, SystemExit) as error:
        raise ValueError(f"{code}: {classes[0].__name__}() cannot be made: {error!r}") from error
    return network
