"""From a module to rules: which layers are known, and how a network is put together from them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from gamedyn.gan.curvature.activations import Dropout, Gated, LeakyReLU, Sigmoid, Softplus, Tanh
from gamedyn.gan.curvature.affine import Bilinear, Convolution, Linear
from gamedyn.gan.curvature.computed import ComputedWeight, is_parametrised
from gamedyn.gan.curvature.normalisation import BatchNorm, GroupNorm
from gamedyn.gan.curvature.pooling import MaxPool
from gamedyn.gan.curvature.rule import LinearMap, Pad, Reshape, Rule, Shift, UnsupportedError
from gamedyn.gan.curvature.tracer import Tracer, holds_proxy
from gamedyn.gan.models.activations import Gated as GatedLayer


def trace(module: nn.Module) -> tuple[fx.Graph, dict[str, nn.Module]]:
    """Trace a network symbolically; raise `UnsupportedError` where that cannot be done.

    Args:
        module: The network.

    Returns:
        The graph, from which no code is generated (that takes as long again), and the modules that it names.

    Raises:
        UnsupportedError: With the reason.
    """
    refuse_untraceable(module)
    root = nn.Sequential(module)  # in a container even a lone layer stays one
    modules = dict(root.named_modules(remove_duplicate=False))  # a layer that is used twice is named twice
    layers = _in_sequence(root)
    if layers is not None:
        graph = fx.Graph()
        last = graph.placeholder("input")
        for name in layers:
            last = graph.call_module(name, (last,))
        graph.output(last)
        return graph, modules
    try:
        with torch.enable_grad():  # as a forward pass that is to be differentiated; contexts show against it
            graph = Tracer().trace(root)
        if any(holds_proxy(vars(part)) for part in module.modules()):
            raise UnsupportedError("its forward pass keeps what it computes")
        return graph, modules
    except UnsupportedError:
        raise
    except Exception as error:  # fx raises whatever the forward pass raises on a proxy
        raise UnsupportedError(f"{type(module).__name__} cannot be traced: {error}") from error


def refuse_untraceable(module: nn.Module) -> None:
    """Raise `UnsupportedError` for a network that does more than its trace would show.

    Args:
        module: The network.

    Raises:
        UnsupportedError: With the reason.
    """
    for part in module.modules():
        if is_hooked(part):
            raise UnsupportedError(f"{type(part).__name__}, a parameter of it, or every module has hooks")


def is_hooked(module: nn.Module) -> bool:
    """Whether a module, one of its own parameters, or every module has hooks.

    Args:
        module: The module.

    Returns:
        Whether more happens there than its forward pass.
    """
    if any(getattr(module, hooks) or getattr(nn.modules.module, f"_global{hooks}") for hooks in _HOOKS):
        return True
    return any(p is not None and p._backward_hooks for p in module._parameters.values())


def _in_sequence(module: nn.Module, name: str = "") -> list[str] | None:
    """Name the layers of nested `nn.Sequential` in order; None where code of a user's own runs."""
    if "forward" in vars(module) or not type(module).__module__.startswith("torch.nn."):
        return None
    if type(module) is not nn.Sequential:
        return [name]
    layers: list[str] = []
    for key, part in module._modules.items():
        inner = None if part is None else _in_sequence(part, f"{name}.{key}" if name else key)
        if inner is None:
            return None
        layers += inner
    return layers


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def rule_for_module(module: nn.Module) -> Rule:
    """Return the rule of a leaf module."""
    if is_parametrised(module) and "forward" not in vars(module):
        return rule_for_parametrised(module)
    own = type(module) is GatedLayer or type(module).__module__.startswith("torch.nn.modules")
    if not own or "forward" in vars(module):
        raise UnsupportedError(f"{type(module).__name__} is not one of torch's own layers")
    for name in ("weight", "bias"):
        value = getattr(module, name, None)
        if isinstance(value, Tensor) and module._parameters.get(name) is not value:
            raise UnsupportedError(f"the {name} of {type(module).__name__} is computed")
    match module:
        case nn.Linear() | nn.Conv1d() | nn.Conv2d() | nn.ConvTranspose1d() | nn.ConvTranspose2d():
            return rule_for_bilinear(module, module.weight)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return BatchNorm(module)
        case nn.GroupNorm():
            return GroupNorm(module)
        case nn.ReLU():
            return LeakyReLU()
        case nn.LeakyReLU():
            return LeakyReLU(module.negative_slope)
        case nn.Tanh():
            return Tanh()
        case nn.Sigmoid():
            return Sigmoid()
        case nn.Softplus():
            return Softplus(module.beta, module.threshold)
        case GatedLayer():
            return Gated()
        case nn.Upsample() if module.mode == "nearest":
            return LinearMap(module)
        case nn.PixelShuffle():
            return LinearMap(module)
        case nn.Flatten() | nn.Unflatten() | nn.Identity():
            return Reshape(module)
        case nn.ZeroPad2d():
            return Pad(module.padding)
        case nn.AvgPool1d() | nn.AvgPool2d() | nn.AdaptiveAvgPool1d() | nn.AdaptiveAvgPool2d():
            return LinearMap(module)
        case nn.MaxPool2d() if not module.return_indices:
            return MaxPool(module)
        case nn.Dropout() | nn.Dropout2d() if not module.training or module.p == 0.0:
            return Reshape(nn.Identity())
        case nn.Dropout() | nn.Dropout2d():
            rate, channels = module.p, isinstance(module, nn.Dropout2d)
            drop = functional.dropout2d if channels else functional.dropout
            return Dropout(lambda value: drop(value, rate, True), whole=channels)
    raise UnsupportedError(f"no rule for {type(module).__name__}")


def rule_for_bilinear(module: nn.Module, weight: Tensor) -> Bilinear:
    """Return the rule of a linear layer or a convolution with a weight."""
    match module:
        case nn.Linear():
            return Linear(module, weight)
        case nn.Conv1d() | nn.Conv2d() | nn.ConvTranspose1d() | nn.ConvTranspose2d():
            if module.padding_mode != "zeros" or isinstance(module.padding, str):
                raise UnsupportedError(
                    f"a convolution with padding {module.padding!r} ({module.padding_mode})"
                )
            return Convolution(module, weight)
    raise UnsupportedError(f"a computed weight in {type(module).__name__}")


def rule_for_parametrised(module: nn.Module) -> Rule:
    """Return the rule of a layer whose weight is computed, at the weight of this moment."""
    computed = ComputedWeight(module)
    rule = rule_for_bilinear(module, computed.value)
    rule.computed = computed
    return rule


_LAYERS: dict[Any, Callable[..., Rule]] = {
    **dict.fromkeys((functional.relu, torch.relu, "relu"), lambda inplace=False: LeakyReLU()),
    functional.leaky_relu: lambda negative_slope=0.01, inplace=False: LeakyReLU(negative_slope),
    **dict.fromkeys((torch.tanh, "tanh"), lambda: Tanh()),
    **dict.fromkeys((torch.sigmoid, "sigmoid"), lambda: Sigmoid()),
    functional.softplus: lambda beta=1.0, threshold=20.0: Softplus(beta, threshold),
    functional.dropout: lambda p=0.5, training=True, inplace=False: rule_for_module(
        nn.Dropout(p).train(training)
    ),
    functional.max_pool2d: lambda *args, **kwargs: rule_for_module(nn.MaxPool2d(*args, **kwargs)),
}
_LINEAR: set[Any] = {
    functional.pad,
    functional.avg_pool1d,
    functional.avg_pool2d,
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
    functional.interpolate,
    torch.permute,
    torch.transpose,
    torch.mean,
    torch.sum,
    operator.getitem,
    operator.neg,
    *("permute", "transpose", "mean", "sum"),
}
_RESHAPES: set[Any] = {
    *(torch.flatten, torch.unflatten, torch.squeeze, torch.unsqueeze, torch.reshape, torch.clone),
    *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "contiguous", "clone"),
}
_SCALINGS: set[Any] = {operator.mul, operator.truediv, torch.mul, torch.div, "mul", "div"}
COMMUTATIVE: set[Any] = {operator.mul, torch.mul, operator.add, torch.add}
_SUMS: set[Any] = {operator.add, torch.add, "add"}
_SHIFTS: set[Any] = {operator.add, operator.sub, torch.add, torch.sub, "add", "sub"}


def rule_for_call(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Rule:
    """Return the rule of a function or method whose first argument is its only tensor."""
    rest = args[1:]
    if target in _LAYERS:
        return _LAYERS[target](*rest, **kwargs)
    if target in _RESHAPES:
        return Reshape(lambda value: _call(target, (value, *rest), kwargs))
    if target in _LINEAR:
        if target is functional.interpolate and kwargs.get("mode", "nearest") != "nearest":
            raise UnsupportedError(f"interpolation by {kwargs['mode']}")
        amounts = _amounts(target, args[0], rest, kwargs)
        if amounts is not None:
            return Pad(amounts)
        return LinearMap(lambda value: _call(target, (value, *rest), kwargs))
    if target in _SCALINGS and not kwargs and len(args) == 2 and isinstance(args[1], int | float):
        return LinearMap(lambda value: _call(target, (value, *rest), kwargs))
    if target in _SHIFTS and not kwargs and len(args) == 2 and isinstance(args[1], int | float):
        return Shift(lambda value: _call(target, (value, *rest), kwargs))
    raise UnsupportedError(
        f"no rule for {target if isinstance(target, str) else getattr(target, '__name__', target)}"
    )


def _amounts(target: Any, value: Tensor, rest: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int] | None:
    """Return what a call pads (negative: crops) of all axes but the first; None for any other call."""
    amounts: list[int] = []
    if target is functional.pad:
        padding = dict(zip(("pad", "mode", "value"), rest, strict=False)) | kwargs
        if padding.get("mode", "constant") != "constant" or padding.get("value"):
            raise UnsupportedError("padding with anything but zeros")
        amounts = list(padding["pad"])
    elif target is operator.getitem and isinstance(rest[0], tuple) and len(rest[0]) <= value.dim():
        if not all(isinstance(part, slice) for part in rest[0]):
            return None
        for part, size in reversed(list(zip(rest[0], value.shape, strict=False))):
            start, stop, step = part.indices(size)
            if step != 1 or stop <= start:
                return None
            amounts += [-start, stop - size]
        amounts = [0] * (2 * (value.dim() - len(rest[0]))) + amounts
        if rest[0][0] == slice(None):
            amounts = amounts[:-2]
    return amounts if 0 < len(amounts) < 2 * value.dim() - 1 else None


def is_sum(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call adds two tensors of one shape."""
    return (
        target in _SUMS
        and not kwargs
        and len(args) == 2
        and all(isinstance(arg, Tensor) for arg in args)
        and args[0].shape == args[1].shape
    )


def _call(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return (
        getattr(args[0], target)(*args[1:], **kwargs) if isinstance(target, str) else target(*args, **kwargs)
    )


def keeps_samples(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], image: Tensor) -> bool:
    """Whether a linear map surely leaves the first axis, the samples, alone."""
    value: Tensor = args[0]
    if target in _SCALINGS or target is operator.neg:
        return True
    if image.dim() == 0 or image.shape[0] != value.shape[0]:
        return False
    if target is operator.getitem:
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        whole = index[0] == slice(None) if isinstance(index[0], slice) else index[0] is ...
        plain = all(isinstance(part, slice | int) or part is ... for part in index)
        return whole and plain and len(index) <= value.dim()
    if target is functional.pad:
        pad = args[1] if len(args) > 1 else kwargs["pad"]
        return len(pad) < 2 * value.dim() - 1
    axes = _axes(args[1:], kwargs)
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    if name == "permute":
        return bool(axes) and axes[0] % value.dim() == 0
    if name in ("transpose", "mean", "sum"):
        return bool(axes) and all(axis % value.dim() for axis in axes)
    return value.dim() > 2  # pooling and interpolation


def _axes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int]:
    """List the axes that a call names."""
    named = [kwargs[name] for name in ("dim", "dims", "dim0", "dim1") if name in kwargs]
    flat = [axis for part in (*args, *named) for axis in (part if isinstance(part, list | tuple) else [part])]
    return [axis for axis in flat if type(axis) is int]
