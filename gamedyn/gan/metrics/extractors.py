"""Networks whose features and classes scores are computed from, opened by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from gamedyn.gan.metrics.classifier import load_classifier
from gamedyn.gan.metrics.inception import open_inception

FORMS = "inception:FILE, cifarnet:FOLDER (any NAME:FOLDER with model.py and weights) or module.path:attribute"

CIFAR10 = (3, 32, 32)
Shape: TypeAlias = tuple[int, ...]
Network: TypeAlias = Callable[[Tensor], Tensor | tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class Extractor:
    """A network that scores are computed with, and what they may be called.

    Args:
        name: What the scores are named after, for instance `cifarnet`.
        network: From images in [-1, 1], shape `(n, channels, height, width)`, to features, shape
            `(n, dimension)`, or to a pair of them and class logits, shape `(n, classes)`, or `None` for no
            classes.
        published: Whether it is the network that FID, KID and Inception Score are defined with.
        learnt_on: Shape of the images that it was trained on, `(channels, height, width)`; `None` if that is
            not known, or any will do.

    Example:
        >>> flat = Extractor("pixels", lambda images: (images.flatten(1), None))
        >>> flat.features(torch.zeros(2, 1, 4, 4)).shape, flat.frechet
        (torch.Size([2, 16]), 'FD (pixels)')
    """

    name: str
    network: Network
    published: bool = False
    learnt_on: Shape | None = None

    @torch.inference_mode()
    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Run the network once for both.

        Args:
            images: In [-1, 1], shape `(n, channels, height, width)`.

        Returns:
            Features, shape `(n, dimension)`, and class logits, shape `(n, classes)`, or `None`.

        Raises:
            ValueError: If the network does not take these images, or gives something else.
            RuntimeError: If the memory does not suffice.
        """
        try:
            found: object = self.network(images)
        except SystemExit as error:
            raise self._refusal(images, error) from error
        except Exception as error:  # a network may be code of a user's own, which may raise anything
            said = str(error)
            if isinstance(error, MemoryError) or "can't allocate memory" in said or "out of memory" in said:
                raise
            raise self._refusal(images, error) from error
        match found:
            case Tensor() as features:
                logits = None
            case (Tensor() as features, (Tensor() | None) as logits):
                pass
            case _:
                raise ValueError(
                    f"the extractor {self.name} must give features or (features, logits), it gave a "
                    f"{type(found).__name__}"
                )
        for output in (features, logits):
            if output is not None and (output.ndim != 2 or len(output) != len(images)):
                raise ValueError(
                    f"the extractor {self.name} must give one row an image ({len(images)}, dimension), "
                    f"got {tuple(output.shape)}"
                )
        return features, logits

    def _refusal(self, images: Tensor, error: BaseException) -> ValueError:
        reason = "".join(str(error).strip().splitlines()[:1])
        return ValueError(
            f"the extractor {self.name} does not take images of shape {tuple(images.shape[1:])}: "
            f"{type(error).__name__}: {reason}"
        )

    def features(self, images: Tensor) -> Tensor:
        """Give the features alone.

        Args:
            images: In [-1, 1], shape `(n, channels, height, width)`.

        Returns:
            Shape `(n, dimension)`.
        """
        return self.features_and_logits(images)[0]

    def probabilities(self, images: Tensor) -> Tensor | None:
        """Give the class probabilities alone.

        Args:
            images: In [-1, 1], shape `(n, channels, height, width)`.

        Returns:
            Shape `(n, classes)`, in float64, or `None` if the network knows no classes.
        """
        logits = self.features_and_logits(images)[1]
        return None if logits is None else logits.double().softmax(1)

    @property
    def frechet(self) -> str:
        """What a Fréchet distance between its features is called."""
        return "FID" if self.published else f"FD ({self.name})"

    @property
    def kernel(self) -> str:
        """What a kernel distance between its features is called."""
        return "KID" if self.published else f"KD ({self.name})"

    @property
    def classifier(self) -> str:
        """What the exponential of its classes' mutual information is called."""
        return "Inception Score" if self.published else f"classifier score ({self.name})"


def open_extractor(spec: str, *, device: str = "cpu") -> Extractor:
    """Open the network that a setting names.

    `inception:FILE` reads the published Inception weights, `cifarnet:FOLDER` a classifier that lies in a
    folder (see `open_classifier`; any name may stand before the colon and is what scores are named
    after), and `module.path:attribute` imports a function or an `nn.Module` (or a class of one, made
    without arguments) that maps images in [-1, 1] to features, or to a pair of features and class logits, or
    an `Extractor`, which brings its own name.
    A folder's `model.py` and a module are code that is run: name only what you would run.

    Args:
        spec: One of the three.
        device: Where a network shall live; images are brought to it. A plain function gets them there too.

    Returns:
        The extractor, its network in evaluation mode.

    Raises:
        ValueError: If it has none of the three forms, or what it names cannot be used.

    Example:
        >>> open_extractor("torch:flatten").features(torch.zeros(4))
        Traceback (most recent call last):
        ...
        ValueError: the extractor torch:flatten must give one row an image (4, dimension), got (4,)
    """
    kind, _, rest = spec.partition(":")
    if not kind or not rest:
        raise ValueError(f"extractor must be {FORMS}, got {spec!r}")
    if kind == "inception":
        network = open_inception(Path(rest).expanduser()).to(device)
        return Extractor("inception", _on(device, network), published=True)
    folder = Path(rest).expanduser()
    if kind == "cifarnet" or folder.is_dir():
        classifier = load_classifier(folder).to(device)
        shape = getattr(classifier, "input_shape", CIFAR10 if kind == "cifarnet" else None)
        learnt_on = tuple(shape) if isinstance(shape, tuple | list) else None
        return Extractor(kind, _on(device, _classifier(classifier)), learnt_on=learnt_on)
    found = _imported(spec, kind, rest, device)
    if isinstance(found, Extractor):
        return replace(found, network=_on(device, found.network))
    return Extractor(spec, _on(device, found))


def _on(device: str, network: Network) -> Network:
    return lambda images: network(images.to(device))


def _classifier(network: nn.Module) -> Network:
    def forward(images: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, features = network(images.add(1.0).div(2.0), features=True)
        return features, logits

    return forward


def _imported(spec: str, module: str, attribute: str, device: str) -> Extractor | Network:
    try:
        found: Any = importlib.import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
        if isinstance(found, type) and issubclass(found, nn.Module):
            found = found()
    except (Exception, SystemExit) as error:  # a module is code of its own, which may raise anything
        raise ValueError(
            f"extractor {spec!r} cannot be imported: {error!r}; it must be {FORMS} (modules of the current "
            "folder are found with PYTHONPATH=.)"
        ) from error
    if isinstance(found, nn.Module):
        found.to(device).eval().requires_grad_(False)
    if isinstance(found, Extractor):
        return found
    if not callable(found):
        raise ValueError(f"extractor {spec!r} is a {type(found).__name__}, it must be callable on images")
    network: Network = found
    return network
