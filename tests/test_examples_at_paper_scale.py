"""What the experiments' scripts ask for at paper scale, which no test can run: the source's own settings."""

from __future__ import annotations

import pytest
from example_scripts import script

from gamedyn.gan.config import resolve


@pytest.mark.parametrize("method", ["DCGAN", "LSGAN", "WGAN (clipping)", "WGAN-GP"])
def test_varied_architectures_at_paper_scale_are_the_codes_at_64x64(method: str) -> None:
    module = script("wgan_gp_varied_architectures")
    args = module.Args(scale="paper", data_root="somewhere", extractor="torch.nn:Flatten")
    for architecture in module.VARIANTS:
        config = resolve(module.config_of(architecture, method, args))
        assert (config.dataset, config.data_root, config.image_size) == ("cifar10", "somewhere", 64)
        assert (config.init, config.steps, config.dim, config.batch_size) == ("tflib64", 200_000, 64, 64)
        assert config.lr == module.METHODS[method]["lr"]
        norm = {"no-norm": None}.get(architecture, "layer" if method == "WGAN-GP" else "batch")
        assert config.critic_norm == norm
    smaller = resolve(module.config_of("dcgan", method, module.Args(scale="laptop")))
    assert (smaller.dataset, smaller.init) == ("digits", "tflib")


@pytest.mark.parametrize("method", ["standard GAN", "WGAN-GP"])
def test_random_architectures_at_paper_scale_are_on_cifar10(method: str) -> None:
    module = script("wgan_gp_random_architectures")
    for index in range(4):
        config = resolve(module.config_of(method, index, module.Args(scale="paper")))
        assert (config.dataset, config.image_size, config.init) == ("cifar10", None, "tflib")
        assert (config.architecture, config.architecture_index) == ("random", index)
        assert (config.steps, config.lr) == (100_000, module.METHODS[method]["lr"])


@pytest.mark.parametrize(("name", "smaller"), [("wgan_gp_characters", 5e-4), ("wgan_gp_one_sided", 1e-3)])
def test_step_sizes_at_paper_scale_are_the_papers(name: str, smaller: float) -> None:
    module = script(name)
    assert module.lr_of(module.Args(scale="paper")) == 1e-4
    assert module.lr_of(module.Args()) == smaller
    assert module.lr_of(module.Args(scale="paper", lr=2e-4)) == 2e-4


def test_the_one_sided_penalty_at_paper_scale_has_as_many_pairs_as_the_paper() -> None:
    module = script("wgan_gp_one_sided")
    assert module.SIZES["paper"][3] * len(module.TOY_SETS) == 174
