"""What a run is scored by: a network where the run lives, and training images that every seed shares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

import pytest
import torch

from gamedyn.gan import scoring
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data import ImageSet, ImageSource
from gamedyn.gan.metrics import Extractor
from gamedyn.gan.studies import STUDIES, Scale

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


def test_all_seeds_are_compared_with_the_same_training_images(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    class Listening(scoring.Evaluator):
        def __init__(self, reference: Iterable[torch.Tensor], *rest: Any, **named: Any) -> None:
            seen.append(torch.cat(list(reference)))
            super().__init__([seen[-1]], *rest, **named)

    monkeypatch.setattr(scoring, "Evaluator", Listening)
    monkeypatch.setattr(scoring, "open_extractor", lambda spec, *, device: FLAT)
    for settings in ({"seed": 0}, {"seed": 7}, {"seed": 0, "eval_references": 30}):
        config = resolve(TrainConfig(extractor="a:b", eval_samples=20, **settings))
        score = scoring.open_score(config, SOURCE)
        assert score is not None
        found = score(lambda count: [torch.zeros(count, 1, 4, 4)])
        assert found["references"] == min(40, config.eval_references)
    assert torch.equal(seen[0], seen[1])  # 40 of 40, in the same order
    assert torch.equal(seen[2], seen[0][:30])


def test_studies_at_a_papers_scale_compare_with_as_many_images_as_samples() -> None:
    for name in ("icr-cifar10", "wgan-gp-cifar10"):
        shared = {scale: STUDIES[name](scale, "x:y").shared for scale in get_args(Scale)}
        assert (shared["paper"]["eval_samples"], shared["paper"]["eval_references"]) == (50_000, 50_000)
        assert (shared["laptop"]["eval_samples"], shared["laptop"]["eval_references"]) == (2_000, 10_000)
