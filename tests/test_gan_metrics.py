"""Scores of generated images: moments, the Fréchet distance, a classifier from a folder."""

import numpy as np
import pytest
import scipy.linalg
import tiny_classifier
import torch
from safetensors.torch import save_file

from gamedyn.gan.metrics import Moments, frechet_distance, open_classifier
from gamedyn.gan.metrics.sliced import SlicedWasserstein


def moments(rows, sizes=(None,)):
    found = Moments(rows.shape[1])
    for part in rows.split(sizes) if sizes != (None,) else [rows]:
        found.add(part)
    return found


def test_moments_in_batches_are_those_of_all():
    rows = torch.randn(101, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 1e6
    found = moments(rows, (1, 40, 0, 60))
    assert found.count == 101
    np.testing.assert_allclose(found.mean, rows.numpy().mean(0), rtol=1e-14)
    np.testing.assert_allclose(found.covariance, np.cov(rows.numpy().T), rtol=1e-8, atol=1e-8)


def test_the_distance_of_diagonal_gaussians_in_closed_form():
    # four points (±a, ±b): mean 0, covariance diag(a², b²)·4/3
    def square(a, b, shift):
        signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
        return moments(signs * torch.tensor([a, b]) + shift)

    expected = 2 * 3.0**2 + ((1 - 4) ** 2 + (2 - 2.5) ** 2) * 4 / 3
    assert frechet_distance(square(1, 2, 0.0), square(4, 2.5, 3.0)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("count", [50, 4])
def test_the_distance_is_scipys_also_where_a_covariance_is_singular(count):
    draw = torch.Generator().manual_seed(1)
    left, right = (moments(torch.randn(n, 6, generator=draw, dtype=torch.float64)) for n in (50, count))
    product = left.covariance.numpy() @ right.covariance.numpy()
    cross = np.sqrt(scipy.linalg.eigvals(product).real.clip(min=0.0)).sum()
    traces = np.trace(left.covariance.numpy()) + np.trace(right.covariance.numpy())
    expected = float((left.mean - right.mean).square().sum()) + traces - 2 * cross
    assert frechet_distance(left, right) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(right, left) == pytest.approx(frechet_distance(left, right), rel=1e-6)
    assert frechet_distance(left, left) == pytest.approx(0.0, abs=1e-6)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        moments(torch.tensor([[1.0, float("nan")]]))
    with pytest.raises(ValueError, match=r"\(batch, 2\), got \(3, 4\)"):
        Moments(2).add(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        frechet_distance(moments(torch.zeros(1, 2)), moments(torch.zeros(3, 2)))
    with pytest.raises(ValueError, match="length 2 and 3"):
        frechet_distance(moments(torch.zeros(4, 2)), moments(torch.zeros(4, 3)))


def test_a_classifier_from_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.py"):
        open_classifier(tmp_path)
    tiny_classifier.write(tmp_path)
    features = open_classifier(tmp_path)
    images = torch.linspace(-1, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    expected = torch.stack([images.flatten(1).amin(1), images.flatten(1).amax(1)], 1).add(1).div(2)
    torch.testing.assert_close(features(images), expected)

    save_file({"head.weight": torch.zeros(3, 5), "head.bias": torch.zeros(3)}, tmp_path / "tiny.safetensors")
    with pytest.raises(ValueError, match="does not fit"):
        open_classifier(tmp_path)
    (tmp_path / "tiny.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match="does not fit"):
        open_classifier(tmp_path)
    (tmp_path / "model.py").write_text("x = 1")
    with pytest.raises(ValueError, match="must define one"):
        open_classifier(tmp_path)


def test_sliced_wasserstein_knows_a_shift():
    draw = torch.Generator().manual_seed(0)
    reference = torch.randn(400, 3, 4, generator=draw)
    distance = SlicedWasserstein(reference, directions=2000)
    assert distance(reference.flip(0)) == 0.0
    # Shifting every coordinate by s moves a direction θ by s·Σθ, whose mean square is s².
    assert distance(reference + 0.5) == pytest.approx(0.5, rel=0.05)
    with pytest.raises(ValueError, match="400"):
        distance(reference[:10])
