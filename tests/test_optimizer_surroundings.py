"""What a step leaves alone, what it works under, and that it holds on to no memory."""

from __future__ import annotations

import gc
import inspect
import resource
import warnings
import weakref
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import torch
from optim_db import OptimizerInfo, every_optimizer
from small_game import everyone, game, general, same_bits, snapshot
from torch import Tensor, nn

from gamedyn.optimizers import DivergenceError


@every_optimizer
def test_gradients_of_the_user_are_untouched(info: OptimizerInfo) -> None:
    """Values, identity and version of `.grad` stay, None included; `requires_grad` stays."""
    pair, value = game()
    marks: list[Tensor | None] = []
    for index, p in enumerate(everyone(pair)):
        p.grad = torch.full_like(p, 5.0) if index % 2 else None
        marks.append(p.grad)
    versions = [None if grad is None else grad._version for grad in marks]
    opt = info.build(pair)
    for closure in (value, general(value, pair)):
        opt.step(closure)
    for p, grad, version in zip(everyone(pair), marks, versions, strict=True):
        assert p.grad is grad
        assert p.requires_grad
        assert grad is None or (grad._version == version and bool((grad == 5.0).all()))


@every_optimizer
def test_parameters_are_written_in_place(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    places = [(p, p.data_ptr(), p._version) for p in everyone(pair)]
    graph = (pair[0][0] ** 2).sum()
    opt.step(value)
    for parameter, (p, address, version) in zip(everyone(pair), places, strict=True):
        assert parameter is p
        assert p.data_ptr() == address
        assert p._version > version
        assert p.is_leaf
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        graph.backward()


@every_optimizer
def test_no_random_numbers_are_consumed(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    before = torch.get_rng_state()
    opt.step(value)
    opt.step(general(value, pair))
    assert torch.equal(before, torch.get_rng_state())


@every_optimizer
def test_the_grad_mode_around_a_step_does_not_matter(info: OptimizerInfo) -> None:
    results = []
    for enabled in (True, False):
        pair, value = game()
        opt = info.build(pair)
        with torch.set_grad_enabled(enabled):
            opt.step(value)
            assert torch.is_grad_enabled() == enabled
        results.append(snapshot(pair))
    assert same_bits(*results)


@every_optimizer
def test_grad_scaler(info: OptimizerInfo) -> None:
    """Enabled, it is refused with a sentence; disabled, it passes the step through."""
    pair, value = game(torch.float32)
    opt = info.build(pair)
    before = snapshot(pair)
    scaler = torch.amp.GradScaler("cpu", enabled=True)
    scaler.scale(value())
    with pytest.raises(RuntimeError, match=r"GradScaler cannot drive a game optimizer.*bfloat16 autocast"):
        scaler.step(opt, value)
    assert same_bits(before, snapshot(pair))
    off = torch.amp.GradScaler("cpu", enabled=False)
    off.step(opt, value)
    off.update()
    reference, value = game(torch.float32)
    info.build(reference).step(value)
    assert same_bits(snapshot(pair), snapshot(reference))


@every_optimizer
def test_every_attribute_may_be_looked_at(info: OptimizerInfo) -> None:
    """As debuggers, mocks and notebooks do."""
    opt = info.build(game()[0])
    names = [name for name, _ in inspect.getmembers(opt)]
    assert "last_step" in names
    assert all(hasattr(opt, name) for name in names)
    assert mock.create_autospec(opt).step is not None


@every_optimizer
def test_several_processes_are_not_synchronised_and_it_says_so(
    info: OptimizerInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, and not where an optimizer does it."""
    pair, value = game()
    opt = info.build(pair)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt.step(value)
    for name, answer in (("is_available", True), ("is_initialized", True), ("get_world_size", 2)):
        monkeypatch.setattr(torch.distributed, name, lambda answer=answer: answer)
    with pytest.warns(UserWarning, match=r"2 processes train together.*Override _reduce") as caught:
        opt.step(value)
    assert [warning.filename for warning in caught] == [__file__]

    class Synchronised(info.cls):  # type: ignore[name-defined,misc]
        def _reduce(self, vector: list[Tensor]) -> list[Tensor]:
            return vector

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt.step(value)
        Synchronised(*pair).step(value)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
        info.build(pair).step(value)


@every_optimizer
def test_bfloat16_autocast(info: OptimizerInfo) -> None:
    """Inside the closure it moves nearly as float32 does; around the step it is the same."""
    points = []
    for form in ("none", "inside", "around"):
        torch.manual_seed(0)
        generator, critic, z = nn.Linear(4, 8), nn.Linear(8, 1), torch.randn(16, 4)
        parameters = [*generator.parameters(), *critic.parameters()]
        autocast = torch.autocast("cpu", dtype=torch.bfloat16)

        def closure(g: nn.Module = generator, c: nn.Module = critic, z: Tensor = z) -> Tensor:
            return torch.tanh(c(torch.tanh(g(z)))).mean()

        def cast(closure: Any = closure) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return closure()

        opt = info.build((generator.parameters(), critic.parameters()))
        start = nn.utils.parameters_to_vector(parameters).detach()
        for _ in range(2):
            if form == "around":
                with autocast:
                    opt.step(closure)
                    opt.step(closure)
            else:
                for _ in range(2):
                    opt.step(cast if form == "inside" else closure)
            assert not opt.last_step.skipped, opt.last_step
        assert {p.dtype for p in parameters} == {torch.float32}
        points.append(nn.utils.parameters_to_vector(parameters).detach() - start)
    exact, inside, around = points
    assert torch.equal(inside, around)
    if not info.stateful:  # RMS scaling turns a rounded gradient near zero into a full step
        assert (inside - exact).norm() < 0.1 * exact.norm()


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Switch the cyclic garbage collector off: what dies, dies by reference counts."""
    gc.disable()
    yield
    gc.enable()


@every_optimizer
@pytest.mark.parametrize("general_sum", [False, True], ids=["zero-sum", "general-sum"])
@pytest.mark.usefixtures("no_collector")
def test_activations_are_dead_when_step_returns(info: OptimizerInfo, general_sum: bool) -> None:
    pair, value = game()
    opt = info.build(pair)
    alive: list[weakref.ref[Tensor]] = []

    def closure() -> Any:
        loss = value()
        activation = torch.tanh(pair[0][0]).exp()
        alive.append(weakref.ref(activation))
        loss = loss + (activation * pair[1][0].T).sum()
        return (loss, -2.0 * loss) if general_sum else loss

    for _ in range(3):
        opt.step(closure)
    assert len(alive) == 3 * info.evaluations
    assert not any(reference() is not None for reference in alive)


@every_optimizer
@pytest.mark.parametrize("how", ["skipped", "closure raises", "diverged"])
@pytest.mark.usefixtures("no_collector")
def test_activations_are_dead_after_a_failure(info: OptimizerInfo, how: str) -> None:
    pair, value = game()
    opt = info.build(pair, max_skips=1 if how == "diverged" else 20)
    alive: list[weakref.ref[Tensor]] = []

    def closure() -> Tensor:
        activation = torch.tanh(pair[0][0]).exp()
        alive.append(weakref.ref(activation))
        loss = value() + activation.sum()
        if how == "closure raises":
            raise KeyError("no more data")
        return loss * torch.nan

    if how == "skipped":
        opt.step(closure)
        assert opt.last_step.skipped
    else:
        try:  # `pytest.raises` would hold on to the traceback and its frames
            opt.step(closure)
        except (KeyError, DivergenceError) as error:
            kind = type(error)
        else:
            pytest.fail("no error was raised")
        assert kind is (KeyError if how == "closure raises" else DivergenceError)
    assert alive
    assert not any(reference() is not None for reference in alive)


def resident() -> int:
    """Return the resident set's size now, in bytes (Linux), or its peak elsewhere."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@every_optimizer
@pytest.mark.usefixtures("no_collector")
def test_memory_is_flat(info: OptimizerInfo) -> None:
    """Resident growth over 250 steps of a net whose leaked graphs alone would be 100 MiB."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 16))
    critic = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1))
    z = torch.randn(400, 16)
    kwargs: dict[str, Any] = {"max_iter": 3, "warm_start": True} if info.competitive else {}
    opt = info.build((generator.parameters(), critic.parameters()), lr=1e-3, **kwargs)

    def play(steps: int) -> None:
        for _ in range(steps):
            opt.step(lambda: critic(generator(z)).mean())

    play(25)
    before = resident()
    play(250)
    assert resident() - before < 24 * 2**20
