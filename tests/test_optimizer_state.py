"""State: saved, loaded, copied and pickled, it continues in the same bits and never aliases."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from optim_db import OptimizerInfo, every_input, every_optimizer
from small_game import Pair, game, general, ones, place, same_bits, snapshot, state_of
from torch import Tensor

from gamedyn.optimizers import GameOptimizer

Live = tuple[Pair, Callable[[], Tensor], GameOptimizer]


def play(info: OptimizerInfo, steps: int, **kwargs: Any) -> Live:
    pair, value = game()
    opt = info.build(pair, **kwargs)
    for _ in range(steps):
        opt.step(value)
    return pair, value, opt


def twin(info: OptimizerInfo, live: Live, state: dict[str, Any], **kwargs: Any) -> Live:
    """Build a fresh optimizer at the same point and load a state into it."""
    pair, value = game()
    place(pair, snapshot(live[0]))
    opt = info.build(pair, **kwargs)
    opt.load_state_dict(state)
    return pair, value, opt


def assert_lock_step(first: Live, second: Live, steps: int = 3) -> None:
    for _ in range(steps):
        losses = [opt.step(value) for _, value, opt in (first, second)]
        assert torch.equal(*losses)
        assert first[2].last_step == second[2].last_step
        assert same_bits(snapshot(first[0]), snapshot(second[0]))
        assert same_bits(state_of(first[2]), state_of(second[2]))


@every_input
def test_two_copies_continue_bit_identically(info: OptimizerInfo, kwargs: dict[str, Any]) -> None:
    live = play(info, 3, **kwargs)
    assert_lock_step(live, twin(info, live, live[2].state_dict()))


@every_optimizer
def test_general_sum_play_continues_bit_identically(info: OptimizerInfo) -> None:
    kwargs = {"warm_start": True} if info.competitive else {}
    pair, value, opt = play(info, 0, **kwargs)
    for _ in range(3):
        opt.step(general(value, pair))
    other, other_value, other_opt = twin(info, (pair, value, opt), opt.state_dict())
    for _ in range(3):
        opt.step(general(value, pair))
        other_opt.step(general(other_value, other))
        assert same_bits(snapshot(pair), snapshot(other))


@every_optimizer
@pytest.mark.parametrize("weights_only", [True, False])
def test_saved_file_continues(info: OptimizerInfo, weights_only: bool) -> None:
    kwargs = {"warm_start": True} if info.competitive else {}
    live = play(info, 3, lr=torch.tensor(0.05, dtype=torch.float64), **kwargs)
    file = io.BytesIO()
    torch.save(live[2].state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=weights_only)
    assert_lock_step(live, twin(info, live, state))


@every_optimizer
def test_loading_copies(info: OptimizerInfo) -> None:
    """Whatever happens to the loaded dict, or to the optimizer it came from, changes nothing here."""
    kwargs = {"warm_start": True} if info.competitive else {}
    live = play(info, 3, lr=torch.tensor(0.05), **kwargs)
    state = live[2].state_dict()
    other = twin(info, live, state)
    before = state_of(other[2])
    for entries in state["state"].values():
        for tensor in entries.values():
            tensor.fill_(7.0)
    for group in state["param_groups"]:
        group["lr"].fill_(7.0)
        group["player"] = 5
    live[2].param_groups[1]["lr"].fill_(9.0)
    assert bool(before) == (info.stateful or info.competitive)
    assert same_bits(before, state_of(other[2]))
    assert [float(group["lr"]) for group in other[2].param_groups] == [pytest.approx(0.05)] * 2
    assert [group["player"] for group in other[2].param_groups] == [0, 1]


@every_optimizer
def test_loading_leaves_the_given_dict_alone(info: OptimizerInfo) -> None:
    live = play(info, 2)
    state = live[2].state_dict()
    untouched = deepcopy(state)
    del state["param_groups"][0]["lr"], untouched["param_groups"][0]["lr"]
    other = twin(info, live, state, lr=0.03)
    other[2].step(other[1])
    assert state["param_groups"] == untouched["param_groups"]
    assert other[2].param_groups[0]["lr"] == 0.03, "an option the state lacks keeps its value"


@every_optimizer
def test_state_holds_exactly_what_the_method_needs(info: OptimizerInfo) -> None:
    names = {"step", "root_mean_square"} if info.stateful else set()
    _, _, opt = play(info, 1)
    assert all(set(entries) == names for entries in opt.state_dict()["state"].values())
    if info.competitive:
        _, _, opt = play(info, 1, warm_start=True)
        assert [set(opt.state[p]) - names for player in opt.players for p in player] == [
            {"direction"},
            {"direction"},
            set(),
            set(),
        ]


@every_optimizer
def test_state_is_cast_to_the_parameters_dtype(info: OptimizerInfo) -> None:
    live = play(info, 2)
    pair, value = game(torch.float32)
    opt = info.build(pair)
    opt.load_state_dict(live[2].state_dict())
    opt.step(value)
    assert all(tensor.dtype is torch.float32 for tensor in state_of(opt))


@every_optimizer
def test_a_state_of_other_players_or_sizes_is_refused(info: OptimizerInfo) -> None:
    (x, y), value, opt = play(info, 2)
    before, state = snapshot((x, y)), state_of(opt)
    swapped = opt.state_dict()
    swapped["param_groups"] = [{**group, "player": 1 - group["player"]} for group in swapped["param_groups"]]
    torchs = torch.optim.SGD([{"params": x}, {"params": y}]).state_dict()
    smaller = info.build(([ones()], [ones()])).state_dict()
    for bad, match in (
        (swapped, "group 0 of the loaded state belongs to player 1, here to player 0"),
        (torchs, "belongs to player None"),
        (smaller, "doesn't match the size"),
    ):
        with pytest.raises(ValueError, match=match):
            opt.load_state_dict(bad)
    assert [group["player"] for group in opt.param_groups] == [0, 1]
    assert same_bits(state, state_of(opt))
    opt.step(value)
    assert not same_bits(before, snapshot((x, y)))


@every_optimizer
@pytest.mark.parametrize("named_source", [False, True])
@pytest.mark.parametrize("named_target", [False, True])
def test_states_of_named_and_unnamed_parameters_mix(
    info: OptimizerInfo, named_source: bool, named_target: bool
) -> None:
    def build(named: bool) -> Live:
        (x, y), value = game()
        if not named:
            return (x, y), value, info.build((x, y))
        return (x, y), value, info.build(([*zip("ab", x, strict=True)], [*zip("cd", y, strict=True)]))

    source, target = build(named_source), build(named_target)
    source[2].step(source[1])
    place(target[0], snapshot(source[0]))
    target[2].load_state_dict(source[2].state_dict())
    assert_lock_step(source, target)


@every_optimizer
def test_state_dict_hooks(info: OptimizerInfo) -> None:
    live = play(info, 1)
    opt = live[2]
    seen: list[str] = []
    opt.register_state_dict_pre_hook(lambda _: seen.append("pre"))
    opt.register_state_dict_post_hook(lambda _, state: (seen.append("post"), {**state, "note": 1})[1])
    state = opt.state_dict()
    assert seen == ["pre", "post"]
    assert state["note"] == 1

    def slower(_: GameOptimizer, state: dict[str, Any]) -> dict[str, Any]:
        seen.append("load pre")
        state["param_groups"][0]["lr"] = 0.005
        return state

    opt.register_load_state_dict_pre_hook(slower)
    opt.register_load_state_dict_pre_hook(lambda *_: seen.append("first"), prepend=True)
    opt.register_load_state_dict_post_hook(lambda _: seen.append("load post"))
    opt.load_state_dict(state)
    assert seen == ["pre", "post", "first", "load pre", "load post"]
    assert opt.param_groups[0]["lr"] == 0.005
    assert state["param_groups"][0]["lr"] == 0.05, "the hook saw a copy"


@every_input
def test_deepcopy_plays_on_by_itself(info: OptimizerInfo, kwargs: dict[str, Any]) -> None:
    """A game copied as a whole continues in the same bits and shares nothing with the first."""
    pair, value, opt = play(info, 2, **kwargs)
    copied_pair, copied = deepcopy((pair, opt))
    assert copied_pair[0][0] is copied.param_groups[0]["params"][0]
    assert copied.last_step == opt.last_step
    assert {name for name in vars(opt) if not name.startswith("_")} <= set(vars(copied))
    before = snapshot(copied_pair), state_of(copied)
    opt.step(value)
    after = snapshot(pair), state_of(opt)
    assert same_bits(before[0], snapshot(copied_pair))
    assert same_bits(before[1], state_of(copied))
    # the copy's own closure: the same game on the copied tensors
    (x, y), other_value = game()
    place((x, y), snapshot(copied_pair))
    rebuilt = info.build((x, y))
    rebuilt.load_state_dict(copied.state_dict())
    rebuilt.step(other_value)
    assert same_bits(after[0], snapshot((x, y)))
    assert same_bits(after[1], state_of(rebuilt))


@every_optimizer
def test_pickle(info: OptimizerInfo) -> None:
    kwargs = {"warm_start": True} if info.competitive else {}
    pair, _, opt = play(info, 2, **kwargs)
    unpickled_pair, unpickled = pickle.loads(pickle.dumps((pair, opt)))
    assert repr(unpickled) == repr(opt)
    assert unpickled.last_step == opt.last_step
    assert same_bits(state_of(unpickled), state_of(opt))
    p, q = unpickled_pair[0][1], unpickled_pair[1][1]
    assert p is unpickled.players[0][1]
    unpickled.step(lambda: p.sum() * q.sum())
    assert not unpickled.last_step.skipped


@every_optimizer
def test_swapping_parameters_and_state_in_and_out(info: OptimizerInfo) -> None:
    """`torch.optim.swap_in_optimizer_params_and_state`: a step acts on what was swapped in."""
    stateless = pytest.importorskip("torch.optim._stateless")  # private: other versions of torch may lack it
    swap = stateless.swap_in_optimizer_params_and_state
    kwargs = {"warm_start": True} if info.competitive else {}
    live = play(info, 2, **kwargs)
    if not live[2].state:
        with pytest.raises(RuntimeError, match="initialized optimizer state"), swap(live[2], {}, {}):
            pass
        return
    other = twin(info, live, live[2].state_dict())
    before, state = snapshot(live[0]), state_of(live[2])
    names = {str(index): p for index, p in enumerate([*other[0][0], *other[0][1]])}
    with swap(live[2], names, other[2].state_dict()):
        live[2].step(other[1])
    assert same_bits(before, snapshot(live[0]))
    assert same_bits(state, state_of(live[2]))
    live[2].step(live[1])
    assert same_bits(snapshot(live[0]), snapshot(other[0]))
