"""One pass over samples: the scores are those of the parts, and no pass holds its images."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_classifier
import torch
from torch import Tensor

from gamedyn.gan.evaluation import Evaluator, as_bytes, evaluate, from_bytes
from gamedyn.gan.metrics import (
    Extractor,
    InceptionScore,
    Moments,
    SlicedWasserstein,
    frechet_distance,
    kernel_distance,
    open_extractor,
)


def images(count: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(count, 1, 4, 4, generator=draw) * 2 - 1


def halves(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Four features and three classes."""
    flat = pixels.flatten(1)
    return flat[:, :4], 4 * flat[:, 4:7]


TOY = Extractor("toy", halves)


def test_bytes_there_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(as_bytes(from_bytes(levels)), levels)
    outside = torch.tensor([-3.0, -1.0, 0.999, 2.0])
    assert as_bytes(outside).tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("batch", [1, 7, 60])
def test_the_scores_are_those_of_the_parts_however_the_samples_are_batched(batch: int) -> None:
    real, fake = images(50, 1), images(60, 2)
    found = evaluate(
        lambda n: torch.split(fake[:n], batch), torch.split(real, batch), TOY, samples=60, seed=3
    )
    rounded = [from_bytes(as_bytes(part)) for part in (fake, real)]
    moments = []
    for part in rounded:
        moments.append(Moments(4))
        moments[-1].add(halves(part)[0])
    assert found["FD (toy)"] == pytest.approx(frechet_distance(*moments), rel=1e-9)
    features = [halves(part)[0] for part in rounded]
    expected = kernel_distance(*features, seed=3)
    assert (found["KD (toy)"], found["KD (toy) sd"]) == pytest.approx(expected, rel=1e-9)
    score = InceptionScore(60)
    score.add(halves(rounded[0])[1])
    assert (found["classifier score (toy)"], found["classifier score (toy) sd"]) == pytest.approx(
        score.result(), rel=1e-9
    )
    sliced = SlicedWasserstein(rounded[1], seed=3)(rounded[0])
    assert found["sliced Wasserstein"] == pytest.approx(sliced, rel=1e-5)
    assert (found["samples"], found["references"]) == (60, 50)
    assert not any("FID" in name or "Inception" in name or "KID" in name for name in found)


def test_only_the_inception_network_gives_a_fid() -> None:
    published = Extractor("inception", halves, published=True)
    found = evaluate(lambda n: [images(n)], [images(30, 1)], published, samples=30)
    assert {"FID", "KID", "KID sd", "Inception Score", "Inception Score sd"} < set(found)


def test_scores_without_a_network_and_without_classes() -> None:
    fake, real = images(30, 1), images(40, 2)
    assert set(evaluate(lambda n: [fake], [real], None, samples=30)) == {
        "sliced Wasserstein",
        "samples",
        "references",
    }
    only_features = Extractor("flat", lambda pixels: (pixels.flatten(1)[:, :2], None))
    found = Evaluator([real], only_features)
    assert not any("classifier" in name for name in found.score(lambda n: [fake], 30))
    assert not any("classifier" in line for line in found.protocol(30))


def test_the_reference_is_read_once_for_several_generators() -> None:
    reads = []

    def reference() -> Iterator[Tensor]:
        reads.append(1)
        yield images(40, 5)

    evaluator = Evaluator(reference(), TOY)
    same = evaluator.score(lambda n: [images(40, 5)], 40)
    other = evaluator.score(lambda n: [images(40, 6) * 0.5], 40)
    assert reads == [1]
    assert same["FD (toy)"] == pytest.approx(0.0, abs=1e-9)
    assert other["FD (toy)"] > 0.05


def test_a_pass_holds_only_a_few_batches_of_images() -> None:
    alive: weakref.WeakSet[Tensor] = weakref.WeakSet()
    most = 0

    def stream(count: int) -> Iterator[Tensor]:
        nonlocal most
        for start in range(0, count, 10):
            batch = images(10, start)
            alive.add(batch)
            most = max(most, len(alive))
            yield batch

    gc.disable()  # what is held only by a cycle counts too
    try:
        Evaluator(stream(300), TOY).score(stream, 300)
    finally:
        gc.enable()
    assert most <= 3


def test_what_cannot_be_scored_is_refused() -> None:
    evaluator = Evaluator([images(40)], TOY)
    for count in (1, 0, -3):
        with pytest.raises(ValueError, match=f"samples must be at least 2.*got {count}"):
            evaluator.score(lambda n: [], count)
    with pytest.raises(ValueError, match="asked for 30 samples, got 20"):
        evaluator.score(lambda n: [images(20)], 30)
    broken = images(30)
    broken[25, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="samples images 20 to 29 is NaN or infinite"):
        evaluator.score(lambda n: torch.split(broken, 10), 30)
    for few in ([], [images(1)]):
        with pytest.raises(ValueError, match=f"at least 2 reference images, got {len(few)}"):
            Evaluator(few, TOY)


def test_too_few_samples_for_a_full_rank_are_warned_of_not_refused() -> None:
    evaluator = Evaluator([images(40)], TOY)
    with pytest.warns(RuntimeWarning, match="4 samples and 40 references for 4 features: below 5"):
        assert evaluator.score(lambda n: [images(n)], 4)["FD (toy)"] > 0
    assert evaluator.score(lambda n: [images(n)], 5)["samples"] == 5


def test_the_protocol_says_what_stands_beside_the_numbers() -> None:
    lines = " ".join(Evaluator([images(40)], TOY).protocol(1234))
    for words in (
        "1,234 samples against 40 reference",
        "toy, 4 of them",
        "No FID",
        "100 subsets of 40",
        "10 splits",
    ):
        assert words in lines
    published = Evaluator([images(40)], Extractor("inception", halves, published=True)).protocol(50)
    assert not any("No FID" in line for line in published)


def test_a_network_that_has_learnt_on_other_images_is_noted() -> None:
    at_home = Extractor("toy", halves, learnt_on=(1, 4, 4))
    assert not Evaluator([images(8)], at_home).foreign
    with pytest.warns(RuntimeWarning, match=r"toy has learnt on .*\(3, 32, 32\), these are \(1, 4, 4\)"):
        abroad = Evaluator([images(8)], Extractor("toy", halves, learnt_on=(3, 32, 32)))
    assert any("has learnt on" in line for line in abroad.protocol(8))
    assert not any("has learnt on" in line for line in Evaluator([images(8)], TOY).protocol(8))


def test_what_a_folder_has_learnt_on_is_cifar10_or_what_its_class_says(tmp_path: Path) -> None:
    tiny_classifier.write(tmp_path)
    assert open_extractor(f"cifarnet:{tmp_path}").learnt_on == (3, 32, 32)
    assert open_extractor(f"tiny:{tmp_path}").learnt_on is None
    code = tiny_classifier.MODEL.replace("feature_dim = 2", "feature_dim, input_shape = 2, (1, 28, 28)")
    (tmp_path / "model.py").write_text(code)
    assert open_extractor(f"tiny:{tmp_path}").learnt_on == (1, 28, 28)
    assert open_extractor("gamedyn.gan.metrics.digits:digits").learnt_on == (1, 8, 8)
