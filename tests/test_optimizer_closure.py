"""The closure protocol: what a closure may return, and what it may not do."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from optim_db import OptimizerInfo, competitive, every_optimizer, first_order
from small_game import everyone, game, general, ones, same_bits, snapshot, state_of
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel


@every_optimizer
def test_evaluations_and_the_returned_loss(info: OptimizerInfo) -> None:
    """SimGD, CGD and ACGD evaluate once, AltGD once per player; the loss is the first, detached."""
    pair, value = game()
    calls: list[Tensor] = []

    def closure() -> Tensor:
        calls.append(value())
        return calls[-1]

    opt = info.build(pair)
    loss = opt.step(closure)
    assert len(calls) == info.evaluations
    assert torch.equal(loss, calls[0])
    assert loss.shape == ()
    assert not loss.requires_grad
    assert loss.grad_fn is None


@every_optimizer
def test_general_sum_losses(info: OptimizerInfo) -> None:
    """A tuple or a list gives one detached loss per player and the same step."""
    results = []
    for kind in (tuple, list):
        pair, value = game()
        calls = []

        def closure(pair: Any = pair, value: Any = value, kind: type = kind, calls: list[int] = calls) -> Any:
            calls.append(1)
            return kind(general(value, pair)())

        losses = info.build(pair).step(closure)
        assert isinstance(losses, tuple)
        assert len(calls) == info.evaluations
        assert not any(loss.requires_grad for loss in losses)
        results.append(snapshot(pair))
    assert same_bits(*results)


@first_order
@pytest.mark.parametrize("count", [3, 4])
def test_more_players(info: OptimizerInfo, count: int) -> None:
    """`n` players each descend their own loss; alternating players see the earlier ones' new moves."""

    def losses(w: list[Tensor]) -> tuple[Tensor, ...]:
        return tuple((w[i] * w[(i + 1) % count] ** 2).sum() + (w[i] ** 2).sum() for i in range(count))

    players = [
        torch.full((2,), 0.3 + index, dtype=torch.float64, requires_grad=True) for index in range(count)
    ]
    expected = [player.detach().clone() for player in players]
    opt = info.cls([{"params": [p], "player": i, "lr": 0.01 * (i + 1)} for i, p in enumerate(players)])
    calls = []
    returned = opt.step(lambda: (calls.append(1), losses(players))[1])
    assert len(returned) == count
    assert len(calls) == (1 if info.evaluations == 1 else count)

    point = [p.clone() for p in expected]
    for index in range(count):
        seen = point if info.evaluations > 1 else expected
        own, following = seen[index], seen[(index + 1) % count]
        gradient = following**2 + 2.0 * own
        point[index] = expected[index] - 0.01 * (index + 1) * gradient
    for player, exact in zip(players, point, strict=True):
        torch.testing.assert_close(player.detach(), exact, rtol=1e-14, atol=1e-14)
    with pytest.raises(ValueError, match=f"single loss.*zero-sum.*two players, but there are {count}"):
        opt.step(lambda: losses(players)[0])
    with pytest.raises(ValueError, match=f"returned 2 losses for {count} players"):
        opt.step(lambda: losses(players)[:2])


def _backward(value: Callable[[], Tensor]) -> Tensor:
    loss = value()
    loss.backward()
    return loss


def _backward_retaining(value: Callable[[], Tensor]) -> Tensor:
    loss = value()
    loss.backward(retain_graph=True)
    return loss


def _accumulating(value: Callable[[], Tensor]) -> Tensor:
    value().backward()
    return value()


MISUSES: dict[str, tuple[Callable[[Callable[[], Tensor]], Any], type[Exception], str]] = {
    "backward": (_backward, RuntimeError, r"called backward\(\): return the loss"),
    "backward, graph retained": (_backward_retaining, RuntimeError, r"called backward\(\)"),
    "backward of another loss": (_accumulating, RuntimeError, r"called backward\(\)"),
    "no scalar": (lambda value: value().repeat(3), ValueError, r"scalar, got shape \(3,\): reduce it"),
    "empty": (lambda value: value().repeat(0), ValueError, r"got shape \(0,\)"),
    "float": (lambda value: value().item(), TypeError, r"float: return the loss itself, without .item\(\)"),
    "None": (lambda value: None, TypeError, "got NoneType"),
    "dict": (lambda value: {"loss": value()}, TypeError, "got dict"),
    "one loss": (lambda value: (value(),), ValueError, "1 losses for 2 players"),
    "three losses": (lambda value: (value(),) * 3, ValueError, "3 losses for 2 players"),
    "floats": (lambda value: (value(), 1.0), TypeError, "must be a scalar tensor, got float"),
    "no scalar in a tuple": (lambda value: (value(), value().repeat(2)), ValueError, r"shape \(2,\)"),
    "complex": (lambda value: value() * 1j, TypeError, "must be real, got torch.complex"),
}


@every_optimizer
@pytest.mark.parametrize("misuse", MISUSES)
def test_misuse_gets_a_sentence_and_changes_nothing(info: OptimizerInfo, misuse: str) -> None:
    wrong, error, match = MISUSES[misuse]
    pair, value = game()
    opt = info.build(pair)
    opt.step(value)
    before, state, report = snapshot(pair), state_of(opt), opt.last_step
    with pytest.raises(error, match=match):
        opt.step(lambda: wrong(value))
    assert same_bits(before, snapshot(pair))
    assert same_bits(state, state_of(opt))
    assert opt.last_step == report


@every_optimizer
def test_backward_into_gradients_that_exist(info: OptimizerInfo) -> None:
    """It accumulates in place: the tensors stay the same ones."""
    pair, value = game()
    for p in everyone(pair):
        p.grad = torch.zeros_like(p)
    before = snapshot(pair)
    with pytest.raises(RuntimeError, match=r"called backward\(\)"):
        info.build(pair).step(lambda: _backward_retaining(value))
    assert same_bits(before, snapshot(pair))


@every_optimizer
def test_no_closure(info: OptimizerInfo) -> None:
    opt = info.build(game()[0])
    with pytest.raises(TypeError, match=r"needs a closure.*opt.step\(lambda: .*got NoneType"):
        opt.step()


@every_optimizer
def test_a_loss_in_the_place_of_the_closure(info: OptimizerInfo) -> None:
    """As CGDs is called."""
    pair, value = game()
    with pytest.raises(TypeError, match=r"needs a closure.*opt.step\(lambda: .*got Tensor"):
        info.build(pair).step(value())


@every_optimizer
def test_an_old_loss_is_refused(info: OptimizerInfo) -> None:
    """A loss computed outside serves one evaluation: then its graph is gone, or its parameters have moved."""
    pair, value = game()
    opt, loss = info.build(pair), value()
    if info.evaluations == 1:
        opt.step(lambda: loss)
    before, state, report = snapshot(pair), state_of(opt), opt.last_step
    # A graph that was differentiated twice is kept: torch itself sees that it is out of date.
    gone = "modified by an inplace operation" if info.competitive else "a second time"
    with pytest.raises(RuntimeError, match=f"{gone}.* Compute the loss inside the closure") as caught:
        opt.step(lambda: loss)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert same_bits(before, snapshot(pair))
    assert same_bits(state, state_of(opt))
    assert opt.last_step == report


class Attention(nn.Module):
    """Takes what the test game gives, by the kernel that torch chooses on a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, z: Tensor) -> Tensor:
        heads = self.first(z).view(-1, 2, 2, 2)
        return self.last(functional.scaled_dot_product_attention(heads, heads, heads).flatten(1))


def plain_kernel(G: nn.Module) -> Callable[[Tensor], Tensor]:
    return sdpa_kernel(SDPBackend.MATH)(G)


# a network, how torch differentiates it once alone, how it does so twice, and what names that
ONCE: dict[str, tuple[Callable[[], nn.Module], Any, Any, str]] = {
    "compiled": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)),
        lambda G: torch.compile(G, backend="aot_eager"),
        lambda G: G,
        r"call the uncompiled one in the closure",
    ),
    "attention": (Attention, lambda G: G, plain_kernel, r"sdpa_kernel\(SDPBackend.MATH\)"),
}


@competitive
@pytest.mark.parametrize("kind", ONCE)
def test_what_torch_differentiates_once_is_refused_with_the_mend(info: OptimizerInfo, kind: str) -> None:
    build, wrong, right, match = ONCE[kind]
    G, D, z = build(), nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1)), torch.randn(8, 4)
    opt = info.build((G.parameters(), D.parameters()))
    before = [parameter.detach().clone() for parameter in G.parameters()]
    with pytest.raises(RuntimeError, match=match) as caught:
        opt.step(lambda: D(wrong(G)(z)).mean())
    assert str(caught.value).startswith(str(caught.value.__cause__).rstrip("."))
    assert all(map(torch.equal, before, G.parameters()))
    opt.step(lambda: D(right(G)(z)).mean())
    assert not opt.last_step.skipped


@every_optimizer
def test_an_error_in_the_closure_passes_through(info: OptimizerInfo) -> None:
    """Also from a later evaluation, where an earlier player has moved: the move is taken back."""
    pair, value = game()
    opt = info.build(pair)
    opt.step(value)
    before, state = snapshot(pair), state_of(opt)
    calls: list[int] = []

    def closure() -> Tensor:
        calls.append(1)
        if len(calls) == info.evaluations:
            raise KeyError("no more data")
        return value()

    with pytest.raises(KeyError, match="no more data"):
        opt.step(closure)
    assert same_bits(before, snapshot(pair))
    assert same_bits(state, state_of(opt))
    reference, value = game()
    twin = info.build(reference)
    twin.step(value)
    twin.step(value)
    pair, value = game()
    opt = info.build(pair)
    opt.step(value)
    with pytest.raises(KeyError):
        opt.step(lambda: {}["missing"])
    opt.step(value)
    assert same_bits(snapshot(pair), snapshot(reference))


@every_optimizer
@pytest.mark.filterwarnings("ignore:nothing moves player 1")
def test_a_loss_that_is_a_parameter(info: OptimizerInfo) -> None:
    """The returned loss is that before the step, though the step overwrites its memory."""
    x, y = nn.Parameter(torch.tensor(1.0)), ones()
    assert info.build(([x], [y])).step(lambda: x).item() == 1.0
    assert x.item() < 1.0


@every_optimizer
def test_a_detached_loss_warns_and_changes_nothing(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    before = snapshot(pair)
    for closure in (lambda: value().detach(), lambda: torch.tensor(1.5), lambda: (torch.tensor(1.5),) * 2):
        with pytest.warns(UserWarning, match="does not depend on any parameter") as caught:
            opt.step(closure)
        assert [warning.filename for warning in caught] == [__file__], "once, and it names who took the step"
        assert not opt.last_step.skipped
        assert opt.last_step.converged
        assert same_bits(before, snapshot(pair))


@every_optimizer
def test_steps_do_not_warn(info: OptimizerInfo) -> None:
    pair, value = game()
    opt = info.build(pair)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt.step(value)
        opt.step(general(value, pair))
        opt.load_state_dict(opt.state_dict())
