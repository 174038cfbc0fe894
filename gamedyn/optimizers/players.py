"""Who owns which parameter: from constructor arguments to parameter groups that carry a player."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from gamedyn.optimizers.report import SkipStep

Params: TypeAlias = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]
"""What a player's parameters may be given as: tensors, named tensors or group dicts."""

_NAMES = ("player 0, the minimiser (min_params)", "player 1, the maximiser (max_params)")

# Options of torch.optim that would silently change nothing here.
_FOREIGN = {
    "maximize": "the players' roles are fixed: pass the maximiser's parameters as max_params",
    "foreach": "the implementation is chosen by itself",
    "fused": "there is no fused implementation",
    "capturable": "the step reads scalars back to the host, so it cannot be captured in a CUDA graph",
    "differentiable": "the step runs without recording gradients",
    "weight_decay": "add the penalty to the loss inside the closure",
    "momentum": "the methods here have no momentum",
    "betas": "there is no first moment; ACGD's second one decays by beta",
    "amsgrad": "ACGD's second moment is RMSProp's",
    "nesterov": "the methods here have no momentum",
}

# How far below zero the rounding of a schedule may take a learning rate.
_ROUNDING = 1e-12


def make_groups(
    min_params: Params,
    max_params: Params | None,
    max_lr: float | Tensor | None,
) -> list[dict[str, Any]]:
    """Turn the constructor's arguments into parameter groups, each with its player.

    Args:
        min_params: Player 0's parameters; or, without `max_params`, group dicts that each name a player.
        max_params: Player 1's parameters.
        max_lr: Player 1's learning rate where it differs from the common one.

    Returns:
        Fresh group dicts.

    Raises:
        TypeError: If a player's parameters are a single tensor.
        ValueError: If there is no maximiser, a player is empty, or groups name no or the wrong player.

    Example:
        >>> [group["player"] for group in make_groups([torch.zeros(1)], [torch.zeros(1)], None)]
        [0, 1]
    """
    if max_params is None:
        groups = _listed(min_params, "min_params")
        if not groups or not all(isinstance(group, Mapping) and "player" in group for group in groups):
            raise ValueError(
                "no maximiser: pass max_params as the second argument, or group dicts that each have "
                'a "player" key (0 minimises, 1 maximises)'
            )
        if max_lr is not None:
            raise ValueError(f'max_lr={max_lr} needs max_params; group dicts take their own "lr"')
        return [dict(group) for group in groups]
    result: list[dict[str, Any]] = []
    for player, params in enumerate((min_params, max_params)):
        entries = _listed(params, "min_params" if player == 0 else "max_params")
        if not entries:
            raise ValueError(f"{_NAMES[player]} has no parameters")
        groups = entries if isinstance(entries[0], Mapping) else [{"params": entries}]
        for group in groups:
            if not isinstance(group, Mapping):
                raise TypeError(
                    f"{_NAMES[player]} mixes group dicts with {type(group).__name__}: put that into a dict"
                )
            if group.get("player", player) != player:
                raise ValueError(f"a group of {_NAMES[player]} says player={group['player']!r}")
            default = {"lr": max_lr} if player == 1 and max_lr is not None else {}
            result.append({**default, **group, "player": player})
    return result


def check_group(group: Mapping[str, Any], owners: Mapping[int, int], known: Iterable[str]) -> None:
    """Refuse a group that no optimizer of a game can honour.

    Args:
        group: The group, its parameters as a list.
        owners: The player of each parameter already owned, by `id`.
        known: The options that the optimizer has.

    Raises:
        TypeError: If a parameter is no real, dense floating-point tensor.
        ValueError: If the player is missing or no index, the learning rate is no finite non-negative number,
            a parameter has two owners, or an option is set that would be ignored.
    """
    player = group.get("player")
    if not isinstance(player, int) or isinstance(player, bool) or player < 0:
        raise ValueError(
            f'every parameter group needs a "player" key, 0 (minimises) or 1 (maximises); got {player!r}'
        )
    check_lr(group["lr"])
    refuse_foreign({name: value for name, value in group.items() if name not in known})
    for entry in group["params"]:
        parameter = entry[1] if isinstance(entry, tuple) else entry
        if not isinstance(parameter, Tensor):
            continue  # torch's own message names the type
        if parameter.is_complex():
            raise TypeError(
                f"complex parameters are not supported, got {parameter.dtype}: "
                "optimise torch.view_as_real(parameter) instead"
            )
        if parameter.layout is not torch.strided:
            raise TypeError(f"sparse parameters are not supported, got {parameter.layout}: use a dense one")
        if not parameter.is_floating_point():
            raise TypeError(f"parameters must be floating-point, got {parameter.dtype}")
        owner = owners.get(id(parameter), player)
        if owner != player:
            raise ValueError(
                f"a parameter of shape {tuple(parameter.shape)} belongs to player {owner} and to player "
                f"{player}: each parameter has one owner"
            )


def check_lr(lr: object) -> None:
    """Refuse a learning rate that is no finite non-negative number.

    Args:
        lr: A number or a one-element tensor.

    Raises:
        ValueError: Otherwise, with the value printed.

    Example:
        >>> check_lr(float("nan"))
        Traceback (most recent call last):
        ValueError: Invalid learning rate: nan (must be a finite number >= 0)
    """
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"Tensor lr must be 1-element, got shape {tuple(lr.shape)}")
    try:
        value = float("nan") if isinstance(lr, str | bool) else float(lr)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        value = float("nan")
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"Invalid learning rate: {lr!r} (must be a finite number >= 0)")


def current_lr(lr: float | Tensor) -> float:
    """Read a group's learning rate as a step finds it, after schedulers and users have had their say.

    Args:
        lr: A number or a one-element tensor.

    Returns:
        The number; 0 where a schedule that ends at zero has ended below it by rounding.

    Raises:
        SkipStep: If it is NaN or infinite.
        ValueError: If it is negative.

    Example:
        >>> current_lr(-1.4e-17)  # where LinearLR(optimizer, 1 / 3, 0.0) may end
        0.0
    """
    value = float(lr)
    if value < -_ROUNDING:
        raise ValueError(f"Invalid learning rate: {value} (must be >= 0): has a schedule gone below zero?")
    if not math.isfinite(value):
        raise SkipStep(f"the learning rate is {value}")
    return 0.0 if value < 0.0 else value


def refuse_module(params: object, name: str) -> None:
    """Refuse a network in the place of its parameters.

    Args:
        params: What was given.
        name: Under which name.

    Raises:
        TypeError: If it is a module, unless it is a list of parameters.
    """
    if isinstance(params, nn.Module) and not isinstance(params, nn.ParameterList):
        raise TypeError(
            f"{name} is the module {type(params).__name__}: pass its parameters, net.parameters()"
        )


def refuse_idle(groups: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a game in which a player has nothing to play with.

    Args:
        groups: All groups, each with its player.

    Raises:
        ValueError: If all groups of a player are empty.
    """
    counts: dict[int, int] = {}
    for group in groups:
        counts[group["player"]] = counts.get(group["player"], 0) + len(group["params"])
    for player, count in counts.items():
        if not count:
            raise ValueError(f"player {player} has no parameters: was a generator used up before?")


def check_state(loaded: Iterable[dict[str, Any]], own: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a state of other players, and complete one that lacks options.

    Args:
        loaded: The groups of the state to be loaded, completed in place.
        own: The optimizer's groups.

    Raises:
        ValueError: If a group belongs to another player, or to none.
    """
    for index, (group, known) in enumerate(zip(loaded, own, strict=True)):
        if group.get("player") != known["player"]:
            raise ValueError(
                f"group {index} of the loaded state belongs to player {group.get('player')}, "
                f"here to player {known['player']}: is it the state of another optimizer?"
            )
        for name, value in known.items():
            group.setdefault(name, value)


def refuse_foreign(options: Mapping[str, object]) -> None:
    """Refuse the torch options that these optimizers cannot honour, unless they are off.

    Args:
        options: Options by name.

    Raises:
        ValueError: If one of them is switched on.
    """
    for name, value in options.items():
        if name in _FOREIGN and value:
            raise ValueError(f"{name}={value!r} is not supported: {_FOREIGN[name]}")


def refuse_unknown(options: Mapping[str, object], owner: str) -> None:
    """Refuse constructor keywords that are neither ours nor a torch option switched off.

    Args:
        options: The keywords left over.
        owner: The class's name.

    Raises:
        TypeError: If a keyword is unknown.
        ValueError: If a torch option is switched on.
    """
    refuse_foreign(options)
    for name in options:
        if name not in _FOREIGN:
            raise TypeError(f"{owner}() got an unexpected keyword argument {name!r}")


def _listed(params: Params, name: str) -> list[Any]:
    """List what a player was given, or say what to give instead."""
    refuse_module(params, name)
    if isinstance(params, Tensor | Mapping):
        raise TypeError(
            f"{name} should be an iterable of tensors or group dicts, got {type(params).__name__}: "
            "wrap it in a list"
        )
    if isinstance(params, set):
        raise TypeError(f"{name} is a set, whose order changes between runs: use a list")
    if not isinstance(params, Iterable):
        raise TypeError(
            f"{name} should be an iterable of tensors, got {params!r}: pass both players' parameters first, "
            "(G.parameters(), D.parameters(), lr=1e-3), and everything else by keyword"
        )
    return list(params)
