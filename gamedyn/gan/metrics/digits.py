"""Features for digits, of a small classifier that is trained in a second where it is needed."""

from __future__ import annotations

import copy
import functools

import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.data.digits import load_digits
from gamedyn.gan.metrics.extractors import Extractor

EPOCHS, BATCH, WIDTH = 20, 32, 64


def features_and_logits(images: Tensor) -> tuple[Tensor, Tensor]:
    """Give the features of scikit-learn's digits that a classifier of them learns, and its logits.

    The classifier (two convolutions, a hidden layer of 64, trained on the 1,498 training digits from a fixed
    seed) is made at the first call in a process. Distances on its features rank generators of digits among
    themselves; they are comparable with nothing else, and with another version of torch only roughly.

    Args:
        images: Shape `(n, 1, 8, 8)`, in [-1, 1].

    Returns:
        Features, shape `(n, 64)`, non-negative, and class logits, shape `(n, 10)`.

    Example:
        >>> [part.shape for part in features_and_logits(torch.zeros(2, 1, 8, 8))]
        [torch.Size([2, 64]), torch.Size([2, 10])]
    """
    classifier = classifier_on(images.device)
    with torch.inference_mode():
        features: Tensor = classifier[:-1](images)
        logits: Tensor = classifier[-1](features)
    return features, logits


@functools.cache
def classifier_on(device: torch.device) -> nn.Sequential:
    """Give the classifier where the images are.

    Args:
        device: Where that is.

    Returns:
        The one on the CPU, where it is trained, or a copy, made at the first call.
    """
    trained = digit_classifier()
    return trained if device.type == "cpu" else copy.deepcopy(trained).to(device)


@functools.cache
def digit_classifier() -> nn.Sequential:
    """Train the classifier; torch's global generator is left as it was.

    Returns:
        The classifier in evaluation mode: images in [-1, 1], shape `(n, 1, 8, 8)`, to logits `(n, 10)`.

    Raises:
        ValueError: If scikit-learn, which has the digits, is not installed.
    """
    real = load_digits()
    images, labels = real.batch(torch.arange(len(real))), real.labels
    assert labels is not None
    # Also where the first call comes out of inference mode, whose tensors cannot be trained.
    with torch.random.fork_rng(devices=[]), torch.inference_mode(mode=False), torch.enable_grad():
        torch.manual_seed(0)
        network = nn.Sequential(
            *(
                nn.Conv2d(1, 16, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, 32, 3, stride=2, padding=1),
                nn.ReLU(),
            ),
            *(nn.Flatten(), nn.Linear(32 * 16, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10)),
        )
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for _ in range(EPOCHS):
            for part in torch.split(torch.randperm(len(images)), BATCH):
                optimizer.zero_grad()
                loss = functional.cross_entropy(network(images[part]), labels[part])
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
                optimizer.step()
    return network.eval().requires_grad_(False)


digits = Extractor("digits", features_and_logits, learnt_on=(1, 8, 8))
"""The classifier as an extractor: `--extractor gamedyn.gan.metrics.digits:digits`."""
