"""The closure protocol: one scalar for a zero-sum game, or one loss per player."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from gamedyn.solvers import GradientProduct, Linearisation, refuse_once_differentiable

Closure: TypeAlias = Callable[[], Tensor | Sequence[Tensor]]
"""Evaluates the game: returns the scalar `f` of a zero-sum game or a tuple with one loss per player."""


@runtime_checkable
class StructuredClosure(Protocol):
    """A closure that can linearise its game by itself, for less than differentiating it twice costs."""

    def linearise(self, x: Sequence[Tensor], y: Sequence[Tensor]) -> Linearisation | None:
        """Evaluate the game once with its gradients and mixed products; None where that cannot be done."""
        ...


@runtime_checkable
class SteppedClosure(Protocol):
    """A closure that makes a step's evaluations those of one game, and so must know where steps begin."""

    def begin_step(self, players: Sequence[Sequence[Tensor]]) -> None:
        """Take the next evaluation for the first of a step of these players, or refuse them."""
        ...

    def abandon_step(self) -> None:
        """Undo what the step's evaluations have changed in the networks: the step is not taken."""
        ...


_CALLED_BACKWARD = (
    "the closure called backward(): return the loss and leave differentiation to the optimizer, which needs "
    "the graph (no backward() and no zero_grad() inside)"
)


def evaluate(closure: Closure, parameters: Iterable[Tensor], players: int) -> Tensor | tuple[Tensor, ...]:
    """Call a closure and check what it returns.

    Args:
        closure: The game.
        parameters: All players' parameters, whose `.grad` the closure must leave alone.
        players: The number of players.

    Returns:
        A 0-dim tensor (zero-sum) or a tuple of them, one per player.

    Raises:
        RuntimeError: If the closure called `backward()`.
        TypeError: If it returned something other than real tensors.
        ValueError: If a loss is no scalar, or there are not as many losses as players.
    """
    watched = list(parameters)
    before = [_fingerprint(parameter) for parameter in watched]
    with torch.enable_grad():
        if torch.is_autocast_cache_enabled():  # an autocast around the step holds casts of older parameters
            torch.clear_autocast_cache()
        value = closure()
        losses = _checked(value, players)
    for parameter, (grad, version) in zip(watched, before, strict=True):
        now = parameter.grad
        if now is not None and (now is not grad or now._version != version):
            raise RuntimeError(_CALLED_BACKWARD)
    return losses


def differentiate(
    loss: Tensor,
    parameters: Sequence[Tensor],
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> list[Tensor | None]:
    """Return the gradient of a loss, with None for parameters that it does not reach.

    Args:
        loss: A scalar; a constant reaches nothing.
        parameters: What to differentiate with respect to.
        create_graph: Whether the gradient shall carry a graph of its own.
        retain_graph: Whether to keep the loss's graph; as `create_graph` for None.

    Returns:
        One tensor, or None, per parameter.
    """
    if not loss.requires_grad or not parameters:
        return [None for _ in parameters]
    return list(
        torch.autograd.grad(
            loss, parameters, create_graph=create_graph, retain_graph=retain_graph, allow_unused=True
        )
    )


def filled(gradient: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return a gradient with zeros in the place of None."""
    return [
        torch.zeros_like(parameter) if derivative is None else derivative
        for derivative, parameter in zip(gradient, parameters, strict=True)
    ]


def is_unreached(gradient: Sequence[Tensor | None]) -> bool:
    """Say whether a player who has parameters gets no gradient for any of them."""
    return bool(gradient) and all(derivative is None for derivative in gradient)


def linearise(losses: Tensor | tuple[Tensor, ...], x: Sequence[Tensor], y: Sequence[Tensor]) -> Linearisation:
    """Linearise a game of two players by differentiating its losses, keeping their graph for the products.

    Args:
        losses: The scalar of a zero-sum game or both players' losses, carrying graphs.
        x: Player 0's parameters.
        y: Player 1's parameters.

    Returns:
        Gradients, and mixed products by reverse-over-reverse differentiation.

    Raises:
        RuntimeError: If a function on the way is marked `@once_differentiable`.
        TypeError: If a gradient is sparse.
    """
    of_losses = losses if isinstance(losses, tuple) else (losses,)
    found = [differentiate(loss, [*x, *y], create_graph=True) for loss in of_losses]
    derived = (derivative for gradient in found for derivative in gradient if derivative is not None)
    refuse_once_differentiable(*of_losses, *derived, players=(x, y))
    own = found[0][: len(x)], found[-1][len(x) :]
    gradients = [filled(gradient, [*x, *y]) for gradient in found]
    if any(derivative.layout is not torch.strided for gradient in gradients for derivative in gradient):
        raise TypeError(
            "a gradient is sparse, and torch cannot differentiate it again: build the layer with sparse=False"
        )
    # in a general-sum game the mixed terms need the cross gradients, ∇_y f and ∇ₓg
    f_x, f_y = gradients[0][: len(x)], gradients[0][len(x) :]
    g_x, g_y = gradients[-1][: len(x)], gradients[-1][len(x) :]
    detached = tuple(loss.detach() for loss in of_losses)
    return Linearisation(
        detached if isinstance(losses, tuple) else detached[0],
        [derivative.detach() for derivative in f_x],
        [derivative.detach() for derivative in g_y],
        GradientProduct(g_x, y),
        GradientProduct(f_y, x),
        unreached=frozenset(player for player in (0, 1) if is_unreached(own[player])),
    )


def _fingerprint(parameter: Tensor) -> tuple[Tensor | None, int]:
    grad = parameter.grad
    return grad, 0 if grad is None else grad._version


def _checked(value: object, players: int) -> Tensor | tuple[Tensor, ...]:
    if isinstance(value, Tensor):
        if players != 2:
            raise ValueError(
                f"a single loss means a zero-sum game of two players, but there are {players}: "
                "return a tuple with one loss per player"
            )
        return _scalar(value)
    if not isinstance(value, tuple | list):
        raise TypeError(
            f"the closure must return a scalar tensor or a tuple with one loss per player, got "
            f"{type(value).__name__}: return the loss itself, without .item()"
        )
    if len(value) != players:
        raise ValueError(f"the closure returned {len(value)} losses for {players} players")
    return tuple(_scalar(loss) for loss in value)


def _scalar(loss: object) -> Tensor:
    if not isinstance(loss, Tensor):
        raise TypeError(
            f"a loss must be a scalar tensor, got {type(loss).__name__}: "
            "return the loss itself, without .item()"
        )
    if loss.is_complex():
        raise TypeError(f"a loss must be real, got {loss.dtype}")
    if loss.numel() != 1:
        raise ValueError(
            f"a loss must be a scalar, got shape {tuple(loss.shape)}: reduce it, for example by .mean()"
        )
    return loss.reshape(())
