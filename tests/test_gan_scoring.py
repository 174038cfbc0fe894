"""What a run is scored by: the network where the run lives."""

from __future__ import annotations

import pytest
import torch

from gamedyn.gan import scoring
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data import ImageSet, ImageSource
from gamedyn.gan.metrics import Extractor

PIXELS = torch.randint(0, 256, (40, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
SOURCE = ImageSource(ImageSet("noise", PIXELS), batch_size=4, seed=0)
FLAT = Extractor("flat", lambda images: (images.flatten(1), None))


def test_the_extractor_is_opened_on_the_device_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def opened(spec: str, *, device: str = "cpu") -> Extractor:
        asked.append((spec, device))
        return FLAT

    monkeypatch.setattr(scoring, "open_extractor", opened)
    config = resolve(TrainConfig(extractor="a:b", device="cuda:1"))
    assert scoring.open_score(config, SOURCE) is not None
    assert asked == [("a:b", "cuda:1")]
