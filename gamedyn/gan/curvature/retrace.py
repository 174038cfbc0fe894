"""Traces kept from step to step, where nothing that a forward pass reads has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from gamedyn.gan.curvature.trace import refuse_untraceable, trace

# Their forward passes read their modules' attributes and nothing else.
KNOWN = ("torch.nn.", "gamedyn.gan.models.")


@dataclass
class Kept:
    """A trace, and the state of the network that it was taken in."""

    state: tuple[Any, ...]
    graph: fx.Graph
    modules: dict[str, nn.Module]


class Retrace:
    """Trace a network, again only where its modules or their plain attributes have changed.

    A trace takes milliseconds and freezes the branches that the forward pass took. Networks of torch's and
    of gamedyn's own modules choose their branches by attributes, which are compared; the forward pass of any
    other module may read anything, so that a network with one is traced at every call.
    """

    def __init__(self) -> None:
        self._kept: Kept | None = None

    def __call__(self, network: nn.Module) -> tuple[fx.Graph, dict[str, nn.Module]]:
        """Give the trace, see `trace`.

        Args:
            network: The network.

        Returns:
            The graph, and the modules that it names.

        Raises:
            UnsupportedError: If the network cannot be traced.
        """
        state = plain_state(network)
        if state is None:
            return trace(network)
        if self._kept is None or self._kept.state != state:
            self._kept = None
            self._kept = Kept(state, *trace(network))
        else:
            refuse_untraceable(network)
        return self._kept.graph, self._kept.modules


def plain_state(network: nn.Module) -> tuple[Any, ...] | None:
    """Give all that the branches of a network of known modules can depend on; None for other networks.

    Args:
        network: The network.

    Returns:
        Its modules by name, identity and class, with their attributes that are not tensors.

    Example:
        >>> layer = nn.LeakyReLU(0.2)
        >>> before = plain_state(layer)
        >>> layer.negative_slope = 0.1
        >>> before == plain_state(layer), plain_state(type("Own", (nn.Module,), {})())
        (False, None)
    """
    found: list[Any] = []
    for name, module in network.named_modules(remove_duplicate=False):
        if not type(module).__module__.startswith(KNOWN):
            return None
        attributes = vars(module)
        if "forward" in attributes:
            return None
        found += [name, id(module), type(module), *module._parameters, *module._buffers]
        for key, value in attributes.items():
            if not key.startswith("_"):
                plain = isinstance(value, int | float | str | tuple | None)
                found += [key, value if plain else id(value)]
    return tuple(found)
