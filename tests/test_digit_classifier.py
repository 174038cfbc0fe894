"""The classifier of digits: it knows unseen ones, is the same every time, and ranks samples as one would."""

from __future__ import annotations

import torch

from gamedyn.gan.data.digits import load_digits
from gamedyn.gan.metrics import Moments, frechet_distance, open_extractor
from gamedyn.gan.metrics.digits import classifier_on, digit_classifier, features_and_logits


def test_it_knows_digits_that_it_has_not_seen() -> None:
    unseen = load_digits("test")
    images = unseen.batch(torch.arange(len(unseen)))
    assert unseen.labels is not None
    accuracy = (digit_classifier()(images).argmax(1) == unseen.labels).float().mean()
    assert accuracy > 0.95


def test_training_it_draws_nothing_and_repeats_itself() -> None:
    before = torch.get_rng_state()
    again = digit_classifier.__wrapped__()
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(again.parameters(), digit_classifier().parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_lives_where_the_images_are() -> None:
    extractor = open_extractor("gamedyn.gan.metrics.digits:digits")
    features, logits = extractor.network(torch.zeros(2, 1, 8, 8))
    assert features.device.type == logits.device.type == "cpu"
    elsewhere = torch.zeros(2, 1, 8, 8, device="meta")  # a device that every machine has
    assert [part.device.type for part in features_and_logits(elsewhere)] == ["meta", "meta"]
    assert next(digit_classifier().parameters()).device.type == "cpu"
    assert classifier_on(elsewhere.device) is classifier_on(elsewhere.device)


def test_distances_grow_with_noise_and_the_name_is_short() -> None:
    extractor = open_extractor("gamedyn.gan.metrics.digits:digits")
    assert extractor.frechet == "FD (digits)"
    real, held_out = load_digits(), load_digits("test")
    noise = torch.randn(len(held_out), 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def moments(images: torch.Tensor) -> Moments:
        found = Moments(64)
        found.add(extractor.features(images.clamp(-1, 1)))
        return found

    reference = moments(real.batch(torch.arange(len(real))))
    unseen = held_out.batch(torch.arange(len(held_out)))
    distances = [frechet_distance(moments(unseen + s * noise), reference) for s in (0.0, 0.3, 1.0)]
    assert 0 < 2 * distances[0] < distances[1] < 0.5 * distances[2]
