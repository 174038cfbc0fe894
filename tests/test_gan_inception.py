"""The Inception network: names and shapes as published, numbers of the reference implementation."""

import hashlib

import pytest
import torch

from gamedyn.gan.metrics.extractors import open_extractor
from gamedyn.gan.metrics.inception import SHA256_PREFIX, Inception, open_inception


@pytest.fixture(scope="module")
def network():
    """Weights that are a formula, so that they are the same everywhere."""
    network = Inception().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            count = tensor.numel()
            wave = torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + count % 97).view(tensor.shape)
            if tensor.ndim == 4:
                wave *= 1.4 * (2 / tensor[0].numel()) ** 0.5
            elif name.endswith(("running_var", "bn.weight")):
                wave = 1 + wave / 2
            else:
                wave *= 0.1
            tensor.copy_(wave)
    return network


@pytest.fixture(scope="module")
def images():
    return torch.cos(torch.arange(2 * 3 * 32 * 32) * 0.01).view(2, 3, 32, 32)


def test_the_features_are_those_of_the_reference_implementation(network, images):
    # Computed in float64 with the network of torch-fidelity 0.4.0 holding the same weights, on the same
    # images resized to 299 pixels by torch.nn.functional.interpolate, as pytorch-fid does.
    with torch.no_grad():
        features, logits = network(images)
        weighted = features @ network.fc.weight.T
    assert features.shape == (2, 2048)
    assert logits.shape == (2, 1008)
    assert float(features.mean()) == pytest.approx(15639.740666617297, rel=1e-3)
    assert float(features.std()) == pytest.approx(58051.35939972409, rel=1e-3)
    some = [1.4310e05, 1.1842e04, 1.1452e03, 3.6839e03, 1.4959e05]
    assert features[0, [0, 500, 1000, 1500, 2047]].tolist() == pytest.approx(some, rel=2e-3)
    torch.testing.assert_close(logits, weighted)


def test_the_names_are_those_of_the_published_file(network):
    state = {n: tuple(t.shape) for n, t in network.state_dict().items() if "num_batches" not in n}
    # 94 convolutions, each with a kernel and the four vectors of its BatchNorm, and the classifier.
    assert len(state) == 94 * 5 + 2
    expected = {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_4a_3x3.bn.running_var": (192,),
        "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_5d.branch_pool.conv.weight": (64, 288, 1, 1),
        "Mixed_6a.branch3x3dbl_3.conv.weight": (96, 96, 3, 3),
        "Mixed_6b.branch7x7dbl_4.conv.weight": (128, 128, 7, 1),
        "Mixed_6e.branch7x7_2.conv.weight": (192, 192, 1, 7),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7c.branch3x3dbl_3b.bn.bias": (384,),
        "fc.weight": (1008, 2048),
        "fc.bias": (1008,),
    }
    assert {name: state[name] for name in expected} == expected


def test_a_file_is_loaded_only_with_its_checksum(network, images, tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(FileNotFoundError, match=rf"{SHA256_PREFIX}.*https://github\.com/mseitzer"):
        open_extractor(f"inception:{path}")
    # Files from before torch 0.4.1 do not count batches.
    state = {n: t for n, t in network.state_dict().items() if "num_batches" not in n}
    torch.save(state, path)
    with pytest.raises(ValueError, match=SHA256_PREFIX):
        open_extractor(f"inception:{path}")
    prefix = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    loaded = open_inception(path, sha256_prefix=prefix)
    assert not loaded.training
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in state.items())

    torch.save({**state, "AuxLogits.fc.bias": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"0 names are missing and 1 are unknown, first AuxLogits\.fc\.bias"):
        open_inception(path, sha256_prefix="")
    state.pop("fc.weight")
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"1 names are missing and 0 are unknown, first fc\.weight"):
        open_inception(path, sha256_prefix="")
    torch.save({"fc.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(ValueError, match="does not fit the network"):
        open_inception(path, sha256_prefix="")
    for content in (b"", b"broken" * 100):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="does not fit the network"):
            open_inception(path, sha256_prefix="")


def test_grey_images_are_taken(network, images):
    with torch.inference_mode():
        grey, _ = network(images[:1, :1])
        colour, _ = network(images[:1, :1].expand(-1, 3, -1, -1))
    assert torch.equal(grey, colour)
