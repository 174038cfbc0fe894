"""Products with the mixed Hessian: exact, counted, and without a word to the host."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, hessian
from torch.nn import functional

from gamedyn.optimizers import ACGD, CGD, AltGD, GameOptimizer, SimGD
from gamedyn.optimizers.closure import linearise
from gamedyn.solvers import GradientProduct, MixedHessian, ScaledCoupling, ZeroSumSystem, solve
from gamedyn.solvers.vectors import Vector

GAMES = {
    "tanh": (
        lambda: nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3)),
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)),
        (6, 2),
    ),
    "softplus": (
        lambda: nn.Sequential(nn.Linear(2, 5), nn.Softplus(), nn.Linear(5, 3)),
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 1)),
        (6, 2),
    ),
    "convolution": (
        lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 3), nn.Tanh(), nn.Conv2d(3, 2, 2)),
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1, stride=2), nn.Softplus(), nn.Flatten(), nn.Linear(12, 1)
        ),
        (4, 2, 2, 2),
    ),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 3)),
        lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Softplus(), nn.Linear(4, 1)),
        (7, 2),
    ),
}


class ElementaryBatchNorm(nn.Module):
    """Batch norm from means and products: forward mode through `nn.BatchNorm1d` is wrong (torch 2.13)."""

    def __init__(self, like: nn.BatchNorm1d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = like.weight, like.bias, like.eps

    def forward(self, batch: Tensor) -> Tensor:
        centred = batch - batch.mean(0)
        return centred / ((centred * centred).mean(0) + self.eps).sqrt() * self.weight + self.bias


def elementary(module: nn.Sequential) -> nn.Sequential:
    layers = (ElementaryBatchNorm(layer) if isinstance(layer, nn.BatchNorm1d) else layer for layer in module)
    return nn.Sequential(*layers)


class Game:
    """A small zero-sum GAN in float64 on fixed noise and data."""

    def __init__(self, name: str) -> None:
        make_generator, make_discriminator, shape = GAMES[name]
        torch.manual_seed(0)
        self.generator = make_generator().double()
        self.discriminator = make_discriminator().double()
        self.z = torch.randn(shape, dtype=torch.float64)
        self.x = list(self.generator.parameters())
        self.y = list(self.discriminator.parameters())
        with torch.no_grad():
            statistics = {name: value.clone() for name, value in self.generator.state_dict().items()}
            self.real = torch.randn_like(self.generator(self.z))
            self.generator.load_state_dict(statistics)

    def value(self) -> Tensor:
        scores = self.discriminator(self.generator(self.z))
        return (
            functional.logsigmoid(self.discriminator(self.real)).mean() - functional.softplus(scores).mean()
        )

    def dense(self) -> Tensor:
        """`D_yx f` by forward-over-reverse differentiation of a flat function."""
        modules = (elementary(self.generator), elementary(self.discriminator))
        names = [(module, *named) for module in modules for named in module.named_parameters()]
        flat = torch.cat([parameter.detach().reshape(-1) for _, _, parameter in names])

        def f(point: Tensor) -> Tensor:
            pieces = iter(point.split([parameter.numel() for _, _, parameter in names]))
            values: dict[nn.Module, dict[str, Tensor]] = {module: {} for module in modules}
            for module, name, parameter in names:
                values[module][name] = next(pieces).view_as(parameter)
            generator, discriminator = ((module, values[module]) for module in modules)
            fake = functional_call(*discriminator, (functional_call(*generator, (self.z,)),))
            real = functional_call(*discriminator, (self.real,))
            return functional.logsigmoid(real).mean() - functional.softplus(fake).mean()

        count = sum(parameter.numel() for parameter in self.x)
        return hessian(f)(flat)[count:, :count]


def like(parameters: list[Tensor], seed: int) -> Vector:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]


def flat(vector: Vector) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in vector])


@pytest.mark.parametrize("name", GAMES)
def test_products_equal_the_dense_mixed_hessian(name: str) -> None:
    game = Game(name)
    dense = game.dense()
    coupling = MixedHessian.of(game.value(), game.x, game.y)
    for seed in range(3):
        u, w = like(game.x, seed), like(game.y, seed + 100)
        scale = dense.abs().max().item()
        assert torch.allclose(flat(coupling.apply(u)), dense @ flat(u), rtol=1e-12, atol=1e-12 * scale)
        assert torch.allclose(flat(coupling.adjoint(w)), dense.T @ flat(w), rtol=1e-12, atol=1e-12 * scale)
    assert coupling.products == 6


@pytest.mark.parametrize("name", GAMES)
def test_the_two_halves_are_adjoint(name: str) -> None:
    game = Game(name)
    rates = [[torch.rand_like(p) for p in player] for player in (game.x, game.y)]
    plain = MixedHessian.of(game.value(), game.x, game.y)
    for coupling in (plain, ScaledCoupling(plain, *rates)):
        u, w = like(game.x, 1), like(game.y, 2)
        left = flat(coupling.adjoint(w)) @ flat(u)
        right = flat(w) @ flat(coupling.apply(u))
        assert left.item() == pytest.approx(right.item(), rel=1e-12)


def test_unused_parameters_and_constant_gradients_have_no_curvature() -> None:
    x = [
        torch.ones(2, requires_grad=True),
        torch.ones(3, requires_grad=True),
        torch.ones(1, requires_grad=True),
    ]
    y = [torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)]
    value = (x[0] * y[0]).sum() + x[2].sum() + y[1].sum()  # x[1] unused, x[2] and y[1] enter linearly
    coupling = MixedHessian.of(value, x, y)
    (of_y0, of_y1) = coupling.apply([torch.tensor([1.0, 2.0]), torch.ones(3), torch.ones(1)])
    assert torch.equal(of_y0, torch.tensor([1.0, 2.0]))
    assert torch.equal(of_y1, torch.zeros(1))
    image = coupling.adjoint([torch.tensor([3.0, 4.0]), torch.ones(1)])
    assert [part.tolist() for part in image] == [[3.0, 4.0], [0.0, 0.0, 0.0], [0.0]]


def test_a_separable_game_has_no_curvature_at_all() -> None:
    x, y = [torch.ones(2, requires_grad=True)], [torch.ones(3, requires_grad=True)]
    coupling = MixedHessian.of(x[0].sum() + (y[0] ** 2).sum(), x, y)
    assert torch.equal(coupling.apply([torch.ones(2)])[0], torch.zeros(3))
    assert torch.equal(coupling.adjoint([torch.ones(3)])[0], torch.zeros(2))


def test_a_gradient_without_any_graph_gives_zeros() -> None:
    y = [torch.ones(3, requires_grad=True)]
    assert torch.equal(GradientProduct([torch.ones(2)], y)([torch.ones(2)])[0], torch.zeros(3))
    assert GradientProduct([torch.ones(2)], [])([torch.ones(2)]) == []


def test_every_half_of_a_product_passes_the_reduction() -> None:
    game = Game("tanh")
    seen: list[int] = []

    def twice(vector: Vector) -> Vector:
        seen.append(len(vector))
        return [2.0 * tensor for tensor in vector]

    plain = linearise(game.value(), game.x, game.y)
    halves = plain.reduced(twice)
    u, w = like(game.x, 1), like(game.y, 2)
    assert torch.equal(flat(halves.forward(u)), 2.0 * flat(plain.forward(u)))
    assert torch.equal(flat(halves.backward(w)), 2.0 * flat(plain.backward(w)))
    assert torch.equal(flat(halves.gradient_x), 2.0 * flat(plain.gradient_x))
    assert seen == [len(game.x), len(game.y), len(game.y), len(game.x)]


@contextmanager
def counted_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Record every call that brings a value to the host."""
    reads: list[str] = []

    def watch(name: str) -> None:
        original = getattr(Tensor, name)

        def recorded(self: Tensor, *args: object) -> object:
            reads.append(name)
            return original(self, *args)

        monkeypatch.setattr(Tensor, name, recorded)

    with monkeypatch.context():
        for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
            watch(name)
        yield reads
    monkeypatch.undo()


@pytest.mark.parametrize("name", GAMES)
def test_products_read_nothing_back_to_the_host(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    game = Game(name)
    rates = [[torch.rand_like(p) for p in player] for player in (game.x, game.y)]
    coupling = ScaledCoupling(MixedHessian.of(game.value(), game.x, game.y), *rates)
    u, w = like(game.x, 1), like(game.y, 2)
    with counted_reads(monkeypatch) as reads:
        coupling.apply(u)
        coupling.adjoint(w)
        assert reads == []
        assert bool(flat(u).sum() > -1e9)  # the watch itself works
        assert reads == ["__bool__"]


@pytest.mark.parametrize("rtol", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("name", GAMES)
def test_an_ordinary_step_costs_one_product_more_than_two_an_iteration(name: str, rtol: float) -> None:
    game = Game(name)
    coupling = MixedHessian.of(game.value(), game.x, game.y)
    system = ZeroSumSystem(
        ScaledCoupling(coupling, [3.0] * len(game.x), [3.0] * len(game.y)), like(game.x, 1), like(game.y, 2)
    )
    solution = solve(system, rtol=rtol)
    assert solution.converged
    assert solution.iterations > 0
    assert solution.products == coupling.products == 2 * solution.iterations + 1


@pytest.mark.parametrize("optimizer", [CGD, ACGD])
@pytest.mark.parametrize("name", GAMES)
def test_an_optimizer_step_makes_that_many_backward_passes(
    name: str, optimizer: type[CGD] | type[ACGD], monkeypatch: pytest.MonkeyPatch
) -> None:
    game = Game(name)
    opt = optimizer(game.x, game.y, lr=0.1, rtol=1e-6)
    passes = 0
    original: Callable[..., object] = torch.autograd.grad

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal passes
        passes += 1
        return original(*args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    for _ in range(3):
        passes = 0
        opt.step(game.value)
        report = opt.last_step
        assert report is not None
        assert report.converged
        assert report.products == 2 * report.iterations + 1
        assert passes == 1 + report.products


@pytest.mark.parametrize("optimizer", [SimGD, CGD, ACGD])
def test_running_statistics_advance_once_a_step(optimizer: type[GameOptimizer]) -> None:
    game, reference = Game("batch norm"), Game("batch norm")
    opt = optimizer(game.x, game.y, lr=1e-3)
    for steps in itertools.count(1):
        reference.generator.load_state_dict(game.generator.state_dict())
        reference.discriminator.load_state_dict(game.discriminator.state_dict())
        with torch.no_grad():
            reference.value()
        opt.step(game.value)
        for ours, theirs in (
            (game.generator, reference.generator),
            (game.discriminator, reference.discriminator),
        ):
            for (name, buffer), expected in zip(ours.named_buffers(), theirs.buffers(), strict=True):
                assert torch.equal(buffer, expected), name
        if steps == 3:
            break
    tracked = game.generator.get_buffer("1.num_batches_tracked")
    assert tracked.item() == 3


def test_alternating_evaluates_once_per_player() -> None:
    game = Game("batch norm")
    AltGD(game.x, game.y, lr=1e-3).step(game.value)
    assert game.generator.get_buffer("1.num_batches_tracked").item() == 2
