"""Scores against closed forms, torchmetrics and direct formulas: Inception Score, KID, FID, neighbours."""

import sys

import numpy as np
import pytest
import tiny_classifier
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore as TorchmetricsScore
from torchmetrics.image.kid import KernelInceptionDistance

from gamedyn.gan.losses import LOSSES
from gamedyn.gan.metrics import (
    Extractor,
    InceptionScore,
    Moments,
    SlicedWasserstein,
    critic_losses,
    frechet_distance,
    kernel_distance,
    memorisation,
    nearest_neighbours,
    open_extractor,
    polynomial_mmd,
)


class Rows(nn.Module):
    """What torchmetrics asks of a feature network: here images are rows of features already."""

    num_features = 6

    def forward(self, images):
        return images.flatten(1)


def normal(n, seed=0, shift=0.0, spread=1.0):
    draw = torch.Generator().manual_seed(seed)
    return shift + spread * torch.randn(n, 6, generator=draw, dtype=torch.float64)


def as_images(rows):
    return rows.view(len(rows), 1, 2, 3)


def score_of(logits, splits=1, sizes=None):
    score = InceptionScore(len(logits), splits=splits)
    for part in logits.split(sizes or len(logits)):
        score.add(part)
    return score.result()


# Inception Score


def test_the_inception_score_in_closed_form():
    classes, sure = 7, 1e4
    one_each = sure * torch.eye(classes, dtype=torch.float64).repeat(3, 1)
    assert score_of(one_each)[0] == pytest.approx(classes, rel=1e-12)
    assert score_of(one_each[:1].repeat(10, 1))[0] == 1.0
    assert score_of(torch.zeros(10, classes))[0] == pytest.approx(1.0, rel=1e-12)
    # Half of the samples surely the first class, half undecided between two.
    mixed = torch.tensor([[sure, 0.0], [0.0, 0.0]]).repeat(5, 1)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert score_of(mixed)[0] == pytest.approx(np.exp(entropy - 0.5 * np.log(2)), rel=1e-12)


@pytest.mark.parametrize(("n", "splits"), [(40, 4), (43, 4), (8, 4), (50, 1)])
def test_the_inception_score_is_the_formula_over_splits_however_it_is_batched(n, splits):
    logits = 3 * normal(n, 1)
    p = logits.softmax(1).numpy()
    parts = [
        p[k] for k in np.split(np.arange(n), np.searchsorted(np.arange(n) * splits // n, range(1, splits)))
    ]
    expected = [np.exp((q * (np.log(q) - np.log(q.mean(0)))).sum(1).mean()) for q in parts]
    for sizes in (None, 1, 7):
        mean, spread = score_of(logits, splits, sizes)
        assert mean == pytest.approx(np.mean(expected), rel=1e-12)
        assert spread == pytest.approx(np.std(expected), rel=1e-9, abs=1e-12)


def test_the_inception_score_is_that_of_torchmetrics():
    logits = 3 * normal(60, 2)
    theirs = TorchmetricsScore(feature=Rows(), splits=1)
    theirs.set_dtype(torch.float64)
    theirs.update(as_images(logits))
    assert score_of(logits)[0] == pytest.approx(float(theirs.compute()[0]), rel=1e-6)


def test_the_inception_score_refuses_what_it_cannot_score():
    with pytest.raises(ValueError, match="10 splits need at least 20 samples, 2 each, got 19"):
        InceptionScore(19)
    with pytest.raises(ValueError, match="0 splits"):
        InceptionScore(19, splits=0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        score_of(torch.tensor([[0.0, float("nan")], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="these would be 3"):
        InceptionScore(2, splits=1).add(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="only 0 came"):
        InceptionScore(2, splits=1).result()
    with pytest.raises(ValueError, match="shape"):
        InceptionScore(2, splits=1).add(torch.zeros(2))


# Fréchet and kernel distances


def test_the_frechet_distance_is_that_of_torchmetrics():
    theirs = FrechetInceptionDistance(feature=Rows(), input_img_size=(1, 2, 3), normalize=False)
    theirs.set_dtype(torch.float64)
    left, right = normal(80, 3), normal(60, 4, shift=0.5, spread=2.0)
    theirs.update(as_images(left), real=True)
    theirs.update(as_images(right), real=False)
    ours = Moments(6), Moments(6)
    for moments, rows in zip(ours, (left, right), strict=True):
        moments.add(rows)
    assert frechet_distance(*ours) == pytest.approx(float(theirs.compute()), rel=1e-6)


def loops(x, y):
    def kernel(a, b):
        return (a @ b / len(a) + 1) ** 3

    m, n = len(x), len(y)
    within = sum(kernel(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within += sum(kernel(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within - 2 * sum(kernel(a, b) for a in x for b in y) / (m * n)


def test_the_kernel_distance_is_its_formula_and_torchmetrics():
    left, right = normal(12, 5), normal(9, 6, shift=0.7)
    assert polynomial_mmd(left, right) == pytest.approx(loops(left.numpy(), right.numpy()), rel=1e-12)
    # One subset that holds everything is drawn alike by both.
    right = normal(12, 6, shift=0.7)
    theirs = KernelInceptionDistance(feature=Rows(), subsets=1, subset_size=12)
    theirs.set_dtype(torch.float64)
    theirs.update(as_images(left), real=True)
    theirs.update(as_images(right), real=False)
    mean, spread = kernel_distance(left, right, subsets=1, subset_size=12)
    assert mean == pytest.approx(float(theirs.compute()[0]), rel=1e-5)
    assert mean == pytest.approx(polynomial_mmd(left, right), rel=1e-12)
    assert spread == 0.0


def test_the_kernel_distance_is_unbiased_and_its_subsets_are_seeded():
    same = [polynomial_mmd(normal(20, seed), normal(20, 1000 + seed)) for seed in range(400)]
    assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(400)
    assert min(same) < 0
    left, right = normal(300, 7), normal(200, 8, shift=0.3)
    first = kernel_distance(left, right, subsets=20, subset_size=50)
    assert first == kernel_distance(left, right, subsets=20, subset_size=50)
    assert first != kernel_distance(left, right, subsets=20, subset_size=50, seed=1)
    assert first[0] == pytest.approx(polynomial_mmd(left, right), abs=4 * first[1] / np.sqrt(20))
    # Subsets never ask for more than there is.
    assert kernel_distance(left, right, subsets=2)[0] == pytest.approx(first[0], abs=4 * first[1])


def test_kernel_distances_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="at least 2 samples of each set, got 1 and 3"):
        polynomial_mmd(normal(1), normal(3))
    with pytest.raises(ValueError, match="subset of at least 2"):
        kernel_distance(normal(1), normal(3))
    with pytest.raises(ValueError, match="0 subsets"):
        kernel_distance(normal(4), normal(3), subsets=0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        polynomial_mmd(normal(3) / 0, normal(3))
    with pytest.raises(ValueError, match="cannot be compared"):
        polynomial_mmd(normal(3), normal(3)[:, :2])


# Extractors


def test_scores_are_named_after_the_network(tmp_path):
    tiny_classifier.write(tmp_path)
    images = torch.linspace(-1, 1, 2 * 3 * 4 * 4).view(2, 3, 4, 4)
    for kind in ("cifarnet", "tiny"):
        extractor = open_extractor(f"{kind}:{tmp_path}")
        expected = torch.stack([images.flatten(1).amin(1), images.flatten(1).amax(1)], 1).add(1).div(2)
        torch.testing.assert_close(extractor.features(images), expected)
        torch.testing.assert_close(extractor.probabilities(images), torch.full((2, 3), 1 / 3).double())
        assert (extractor.frechet, extractor.kernel, extractor.classifier) == (
            f"FD ({kind})",
            f"KD ({kind})",
            f"classifier score ({kind})",
        )
    published = Extractor("inception", lambda images: (images, None), published=True)
    assert (published.frechet, published.kernel, published.classifier) == ("FID", "KID", "Inception Score")


def test_any_importable_network_extracts(tmp_path, monkeypatch):
    (tmp_path / "mine_to_extract.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def flat(images): return images.flatten(1)\n"
        "class Both(nn.Module):\n"
        "    def forward(self, images): return flat(images), torch.zeros(len(images), 5)\n"
        "both = Both()\nnumber = 3\nwrong = lambda images: {}\n"
        "short = lambda images: images.flatten(1)[:1]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    images = torch.zeros(2, 1, 4, 4)
    features = open_extractor("mine_to_extract:flat")
    assert features.features(images).shape == (2, 16)
    assert features.probabilities(images) is None
    assert features.frechet == "FD (mine_to_extract:flat)"
    for spec in ("mine_to_extract:both", "mine_to_extract:Both"):
        both = open_extractor(spec)
        assert both.probabilities(images).tolist() == [[0.2] * 5] * 2
        assert not both.features(images).requires_grad
    for spec, message in (
        ("mine_to_extract:absent", "absent"),
        ("mine_to_extract:number", "is a int"),
        ("absent.module:flat", "PYTHONPATH"),
        ("nonsense", "module.path:attribute"),
        (":x", "module.path:attribute"),
        ("cifarnet:", "module.path:attribute"),
    ):
        with pytest.raises(ValueError, match=message):
            open_extractor(spec)
    for spec, message in (("wrong", "gave a dict"), ("short", r"\(2, dimension\), got \(1, 16\)")):
        with pytest.raises(ValueError, match=message):
            open_extractor(f"mine_to_extract:{spec}").features(images)
    for spec in ("os:getcwd", "json:dumps", "math:sqrt", "sys:exit"):
        with pytest.raises(
            ValueError, match=f"the extractor {spec} does not take images .*(TypeError|ValueError|SystemExit)"
        ):
            open_extractor(spec).features(images)
    with pytest.raises(FileNotFoundError, match=r"model\.py"):
        open_extractor(f"cifarnet:{tmp_path}/absent")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def (:", "model.py cannot be imported: SyntaxError"),
        ("1 / 0", "model.py cannot be imported: ZeroDivisionError"),
        ("raise SystemExit('no')", r"model.py cannot be imported: SystemExit\('no'\)"),
        (tiny_classifier.MODEL.replace("super().__init__()", "1 / 0"), r"Tiny\(\) cannot be made: ZeroDiv"),
        (
            tiny_classifier.MODEL.replace("__init__(self)", "__init__(self, width)"),
            r"Tiny\(\) cannot be made",
        ),
        ("", "must define one nn.Module class"),
    ],
)
def test_a_folder_whose_code_is_broken_is_named(code, words, tmp_path):
    tiny_classifier.write(tmp_path)
    (tmp_path / "model.py").write_text(code)
    with pytest.raises(ValueError, match=words) as refusal:
        open_extractor(f"cifarnet:{tmp_path}")
    assert str(tmp_path / "model.py") in str(refusal.value)


def test_weights_without_what_reads_them_say_what_to_install(tmp_path, monkeypatch):
    tiny_classifier.write(tmp_path)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ValueError, match="pip install safetensors"):
        open_extractor(f"cifarnet:{tmp_path}")


def test_images_that_a_network_does_not_take_are_refused_by_their_shape():
    extractor = Extractor("three", lambda images: (nn.Conv2d(3, 4, 3)(images).flatten(1), None))
    with pytest.raises(ValueError, match=r"three does not take images of shape \(1, 8, 8\)"):
        extractor.features(torch.zeros(2, 1, 8, 8))


# Without a network


def test_neighbours_are_those_of_all_distances():
    draw = torch.Generator().manual_seed(0)
    training, samples = (torch.rand(n, 3, 4, 4, generator=draw) * 2 - 1 for n in (101, 17))
    samples[3], samples[5] = training[90], training[0]
    distances, which = nearest_neighbours(samples, training.split(25))
    full = torch.cdist(samples.flatten(1).double(), training.flatten(1).double())
    assert torch.equal(which, full.argmin(1))
    torch.testing.assert_close(distances, full.amin(1), rtol=1e-6, atol=1e-6)
    assert distances[3] == distances[5] == 0.0
    assert (which[3], which[5]) == (90, 0)


def test_memorisation_tells_copies_from_fresh_samples():
    draw = torch.Generator().manual_seed(1)
    training, fresh, held_out = (torch.rand(n, 1, 3, 3, generator=draw) for n in (500, 200, 200))
    assert memorisation(fresh, held_out, training.split(100)) == pytest.approx(1.0, abs=0.1)
    noisy = training[:200] + 1e-3 * torch.rand(200, 1, 3, 3, generator=draw)
    assert memorisation(noisy, held_out, training.split(100)) < 0.02
    with pytest.raises(ValueError, match="held-out images are training images"):
        memorisation(fresh, training[:50], training.split(100))


def test_neighbours_of_nothing_are_refused():
    images = torch.zeros(2, 1, 4, 4)
    with pytest.raises(ValueError, match="no samples"):
        nearest_neighbours(images[:0], [images])
    with pytest.raises(ValueError, match="no training images"):
        nearest_neighbours(images, [])
    with pytest.raises(ValueError, match=r"\(1, 4, 4\)"):
        nearest_neighbours(torch.zeros(2, 3, 4, 4), [images])
    with pytest.raises(ValueError, match="NaN or infinite"):
        nearest_neighbours(images / 0, [images])


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_critic_that_knows_the_training_set_by_heart_is_found_out(name):
    training, held_out = torch.full((8, 1, 2, 2), 1.0), torch.full((6, 1, 2, 2), -1.0)
    fakes = torch.full((5, 1, 2, 2), 0.5)
    critic = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(4, 1), nn.Flatten(0))
    with torch.no_grad():
        critic[2].weight.fill_(0.25)
        critic[2].bias.zero_()
    on_training, on_held_out = critic_losses(
        critic,
        LOSSES[name],
        training=training.split(3),
        held_out=held_out.split(4),
        fakes=fakes.split(2),
    )
    one = torch.ones(5, dtype=torch.float64)
    assert on_training == pytest.approx(float(LOSSES[name].discriminator(one, one / 2)), rel=1e-6)
    assert on_held_out == pytest.approx(float(LOSSES[name].discriminator(-one, one / 2)), rel=1e-6)
    assert on_held_out > on_training
    assert all(module.training for module in critic.modules())


def test_critic_losses_of_nothing_are_refused():
    images = [torch.zeros(2, 1)]
    critic = nn.Flatten(0)
    with pytest.raises(ValueError, match="no held-out images"):
        critic_losses(critic, LOSSES["wgan"], training=images, held_out=[], fakes=images)
    with pytest.raises(ValueError, match="generated image is NaN"):
        critic_losses(critic, LOSSES["wgan"], training=images, held_out=images, fakes=[images[0] / 0])


def test_the_sliced_distance_is_the_same_in_batches():
    draw = torch.Generator().manual_seed(2)
    here, there = (torch.randn(50, 1, 4, 4, generator=draw) for _ in range(2))
    whole = SlicedWasserstein(here)(there)
    assert SlicedWasserstein(here.split(20))(there.split(7)) == pytest.approx(whole, rel=1e-6)
    with pytest.raises(ValueError, match="no reference"):
        SlicedWasserstein(iter(()))
