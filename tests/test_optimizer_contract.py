"""Every optimizer is a `torch.optim.Optimizer` in each point that torch's own suite tests."""

from __future__ import annotations

import copy
import math
import re
from typing import Any

import pytest
import torch
from optim_db import FOREIGN, ErrorInput, OptimizerInfo, every_error, every_input, every_optimizer
from small_game import game, general, ones, same_bits, snapshot
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from gamedyn.optimizers import ACGD, CGD


@every_error
def test_wrong_construction_is_refused(info: OptimizerInfo, bad: ErrorInput) -> None:
    with pytest.raises(bad.error) as caught:
        info.cls(*bad.arguments(), **bad.kwargs)
    assert re.search(bad.match, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value), "one line"


@every_input
def test_valid_construction_steps(info: OptimizerInfo, kwargs: dict[str, Any]) -> None:
    pair, value = game()
    before, loss = snapshot(pair), value().item()
    opt = info.cls(*pair, **kwargs)
    assert opt.last_step is None
    assert opt.step(value).item() == loss
    assert not opt.last_step.skipped, opt.last_step
    assert all(torch.isfinite(parameter).all() for parameter in snapshot(pair))
    assert same_bits(before, snapshot(pair)) == (kwargs.get("lr") == 0.0)


@every_input
def test_general_sum_steps_too(info: OptimizerInfo, kwargs: dict[str, Any]) -> None:
    pair, value = game()
    losses = general(value, pair)
    expected, before = [loss.item() for loss in losses()], snapshot(pair)
    opt = info.cls(*pair, **kwargs)
    assert [loss.item() for loss in opt.step(losses)] == expected
    assert not opt.last_step.skipped, opt.last_step
    assert same_bits(before, snapshot(pair)) == (kwargs.get("lr") == 0.0)


@every_optimizer
@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_option_is_refused_in_a_later_group(info: OptimizerInfo, name: str) -> None:
    opt = info.build(game()[0])
    opt.load_state_dict(opt.state_dict())  # torch adds `differentiable` to the defaults here
    with pytest.raises(ValueError, match=f"{name}=.*is not supported"):
        opt.add_param_group({"params": [ones()], "player": 0, name: FOREIGN[name]})
    opt.add_param_group({"params": [ones()], "player": 0})
    assert set(opt.param_groups[-1]) == set(opt.param_groups[0])


@every_optimizer
def test_is_an_optimizer(info: OptimizerInfo) -> None:
    (x, y), _ = game()
    opt = info.build((x, y))
    assert isinstance(opt, torch.optim.Optimizer)
    assert [group["player"] for group in opt.param_groups] == [0, 1]
    assert opt.param_groups[0]["params"] == x
    assert opt.param_groups[1]["params"] == y
    assert [[id(p) for p in player] for player in opt.players] == [[id(p) for p in x], [id(p) for p in y]]


@every_optimizer
def test_modules_generators_and_group_dicts_are_one_game(info: OptimizerInfo) -> None:
    """Two iterables, generators, group dicts per player and one list of groups give the same steps."""
    results = []
    for form in range(4):
        (x, y), value = game()
        arguments: tuple[Any, ...] = (
            (x, y),
            (iter(x), iter(y)),
            ([{"params": x[:1]}, {"params": x[1]}], [{"params": iter(y)}]),
            ([{"params": x, "player": 0}, {"params": y, "player": 1}],),
        )[form]
        opt = info.cls(*arguments, lr=0.05)
        for _ in range(3):
            opt.step(value)
        results.append(snapshot((x, y)))
    assert all(same_bits(results[0], other) for other in results[1:])


@every_optimizer
def test_players_may_be_interleaved(info: OptimizerInfo) -> None:
    (x, y), value = game()
    groups = [
        {"params": [x[0]], "player": 0},
        {"params": [y[0]], "player": 1},
        {"params": [x[1]], "player": 0},
        {"params": [y[1]], "player": 1},
    ]
    info.cls(groups, lr=0.05).step(value)
    reference, value = game()
    info.build(reference).step(value)
    assert same_bits(snapshot((x, y)), snapshot(reference))


@every_optimizer
def test_group_learning_rates(info: OptimizerInfo) -> None:
    """A zero rate freezes exactly its own group; `max_lr` is player 1's rate; other options stay shared."""
    (x, y), value = game()
    before = snapshot((x, y))
    x_groups = [{"params": [x[0]], "lr": 0.0}, {"params": [x[1]]}]
    opt = info.cls(x_groups, [{"params": [y[0]]}, {"params": [y[1]], "lr": 0.2}], lr=0.05, max_lr=0.1)
    assert [group["lr"] for group in opt.param_groups] == [0.0, 0.05, 0.1, 0.2]
    assert "player" not in x_groups[0], "the caller's dicts are left alone"
    opt.step(value)
    moved = [not torch.equal(a, b) for a, b in zip(before, snapshot((x, y)), strict=True)]
    assert moved == [False, True, True, True]


@every_optimizer
def test_changing_a_learning_rate_takes_effect(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    opt.param_groups[0]["lr"] = 0.0
    before = snapshot(pair)
    opt.step(value)
    moved = [not torch.equal(a, b) for a, b in zip(before, snapshot(pair), strict=True)]
    assert moved == [False, False, True, True]


@every_optimizer
def test_add_param_group(info: OptimizerInfo) -> None:
    """A group added later plays as if it had been there from the start."""
    reference, value = game()
    info.build(reference).step(value)
    (x, y), value = game()
    opt = info.cls(x[:1], y[:1], lr=0.05)
    opt.add_param_group({"params": x[1], "player": 0})
    opt.add_param_group({"params": iter(y[1:]), "player": 1})
    opt.step(value)
    assert same_bits(snapshot((x, y)), snapshot(reference))
    for group, match in (
        ({"params": [ones()]}, '"player" key'),
        ({"params": [ones()], "player": 2}, "player=2 is not in this game of 2"),
        ({"params": [x[0]], "player": 0}, "more than one parameter group"),
        ({"params": [x[0]], "player": 1}, "belongs to player 0"),
        ({"params": [ones()], "player": 0, "lr": -1.0}, "Invalid learning rate: -1.0"),
        ({"player": 0}, '"params"'),
    ):
        with pytest.raises(ValueError, match=match):
            opt.add_param_group(group)
    with pytest.raises(TypeError, match="must be a dict"):
        opt.add_param_group([ones()])
    assert len(opt.param_groups) == 4


@every_optimizer
@pytest.mark.parametrize("max_lr", [0.4, torch.tensor(0.4)], ids=["number", "tensor"])
def test_a_later_group_of_player_1_gets_its_learning_rate(info: OptimizerInfo, max_lr: Any) -> None:
    opt = copy.deepcopy(info.build(([ones()], [ones()]), lr=0.1, max_lr=max_lr))
    for player in (0, 1):
        opt.add_param_group({"params": [ones()], "player": player})
    opt.add_param_group({"params": [ones()], "player": 1, "lr": 0.7})
    assert [float(group["lr"]) for group in opt.param_groups] == pytest.approx([0.1, 0.4, 0.1, 0.4, 0.7])


@every_optimizer
@pytest.mark.parametrize("lr", [math.nan, math.inf])
def test_a_learning_rate_that_became_no_number_is_named(info: OptimizerInfo, lr: float) -> None:
    pair, value = game()
    opt = info.build(pair)
    before = snapshot(pair)
    opt.param_groups[1]["lr"] = lr
    opt.step(value)
    assert opt.last_step.skipped
    assert f"the learning rate is {lr}" in opt.last_step.reason
    assert same_bits(before, snapshot(pair))


CHANGED = [
    ("CGD", {"rtol": 1e-9}, r"rtol is 0\.001 in one group and 1e-09 in another"),
    ("CGD", {"max_iter": -3}, r"max_iter is 100 in one group and -3 in another"),
    ("ACGD", {"scaling": "offical"}, r"Invalid scaling: 'offical'"),
    ("ACGD", {"beta": 1.5}, r"Invalid beta: 1\.5"),
]


@pytest.mark.parametrize(("name", "change", "message"), CHANGED)
def test_an_option_changed_to_nonsense_is_refused_by_the_next_step(
    name: str, change: dict[str, Any], message: str
) -> None:
    pair, value = game()
    opt = {"CGD": CGD, "ACGD": ACGD}[name](*pair, lr=0.05)
    before = snapshot(pair)
    opt.param_groups[1].update(change)
    with pytest.raises(ValueError, match=message):
        opt.step(value)
    assert same_bits(before, snapshot(pair))


@every_optimizer
def test_duplicates_within_a_group_warn_as_torchs_do(info: OptimizerInfo) -> None:
    p = ones()
    with pytest.warns(UserWarning, match="duplicate parameters"):
        info.cls([p, p], [ones()])


@every_optimizer
def test_named_parameters(info: OptimizerInfo) -> None:
    generator, critic = nn.Linear(2, 3), nn.Linear(3, 1)
    opt = info.build((generator.named_parameters(), critic.named_parameters()))
    assert [group["param_names"] for group in opt.param_groups] == [["weight", "bias"]] * 2
    opt.step(lambda: critic(generator(torch.ones(1, 2))).sum())
    assert opt.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@every_optimizer
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
def test_tensor_lr_is_the_float_bit_for_bit(info: OptimizerInfo, dtype: torch.dtype, shape: Any) -> None:
    results = []
    for as_tensor in (False, True):
        pair, value = game(dtype)
        rates = [torch.full(shape, rate) for rate in (0.05, 0.02)]
        lr, max_lr = rates if as_tensor else [rate.item() for rate in rates]
        opt = info.cls(*pair, lr=lr, max_lr=max_lr)
        for _ in range(3):
            opt.step(value)
        assert isinstance(opt.param_groups[0]["lr"], torch.Tensor) == as_tensor
        assert [float(group["lr"]) for group in opt.param_groups] == [rate.item() for rate in rates]
        results.append(snapshot(pair))
    assert same_bits(*results)


@every_optimizer
def test_repr_names_class_options_and_players(info: OptimizerInfo) -> None:
    text = repr(info.build(game()[0]))
    assert text.startswith(f"{info.name} (")
    assert text.count("Parameter Group") == 2
    for word in ("lr: 0.05", "player: 0", "player: 1"):
        assert word in text
    assert ("rtol: 0.001" in text) == info.competitive


@every_optimizer
def test_zero_grad(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    value().backward()
    opt.zero_grad(set_to_none=False)
    assert all(not p.grad.any() for player in pair for p in player)
    opt.zero_grad()
    assert all(p.grad is None for player in pair for p in player)


@every_optimizer
def test_step_hooks(info: OptimizerInfo) -> None:
    """Local and global hooks run around a step, in order; a pre-hook may replace the closure."""
    pair, value = game()
    opt = info.build(pair)
    seen: list[str] = []
    handles = [
        opt.register_step_pre_hook(lambda *_: seen.append("pre")),
        opt.register_step_post_hook(lambda *_: seen.append("post")),
        register_optimizer_step_pre_hook(lambda *_: seen.append("global pre")),
        register_optimizer_step_post_hook(lambda *_: seen.append("global post")),
    ]
    opt.step(lambda: (seen.append("closure"), value())[1])
    assert seen == ["global pre", "pre", *["closure"] * info.evaluations, "post", "global post"]
    for handle in handles:
        handle.remove()
    opt.step(value)
    assert len(seen) == 4 + info.evaluations

    opt.register_step_pre_hook(lambda self, args, kwargs: ((self, lambda: 2.0 * value()), kwargs))
    loss = value().item()
    assert opt.step(value).item() == 2.0 * loss


@every_optimizer
def test_profiler_sees_the_step(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        opt.step(value)
    assert f"Optimizer.step#{info.name}.step" in {event.key for event in profile.key_averages()}


@every_optimizer
def test_averaged_models_and_swa(info: OptimizerInfo) -> None:
    generator, critic = nn.Linear(2, 3), nn.Linear(3, 1)
    opt = info.build((generator.parameters(), critic.parameters()))
    average = torch.optim.swa_utils.AveragedModel(generator)
    schedule = torch.optim.swa_utils.SWALR(opt, swa_lr=0.5, anneal_epochs=2)
    for _ in range(4):
        opt.step(lambda: critic(generator(torch.ones(1, 2))).tanh().sum())
        average.update_parameters(generator)
        schedule.step()
    assert {group["lr"] for group in opt.param_groups} == {0.5}
    assert not torch.equal(average.module.weight, generator.weight)
