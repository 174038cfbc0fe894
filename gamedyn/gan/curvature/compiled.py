"""Compiled products: the same linear maps, their operations fused by `torch.compile`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gamedyn.gan.curvature.computed import pulled, pushed
from gamedyn.gan.curvature.contents import kind_of
from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.paired import PairedCurvature
from gamedyn.gan.curvature.program import Map, Parts, Program, Result
from gamedyn.gan.curvature.rule import UnsupportedError
from gamedyn.gan.curvature.subbatch import ImageMap, MixedDerivative

BACKEND = "inductor"
"""The compiler that `torch.compile` is told to take."""
MOST = 16
"""Programs of a game: four maps, exact and relaxed, of two sizes of the batch; what comes later is eager."""


@dataclass
class Compiled:
    """A program, and what it was compiled to."""

    program: Program
    function: Callable[..., Sequence[Tensor]]
    checked: bool = False
    """Whether a result of it was found equal to the eager one."""

    def __call__(self, inputs: Sequence[Tensor]) -> Result:
        """Run it on a map's tensors and on what the map is applied to."""
        return Result(self.function(*(inputs[k] for k in self.program.reads)), self.program.places)


class Compiler:
    """Compile linear maps, once for all steps; what cannot be compiled stays eager, with the reason.

    What a map does follows from its structure, and its tensors are inputs of what is compiled: the next step
    runs the same program on its own activations. A program's first result is compared with the eager one.

    Args:
        fallbacks: Gets the reason, by the name `compile`, where maps of the last step stay eager.

    Example:
        >>> from gamedyn.gan.curvature.retrace import Retrace
        >>> network = torch.nn.Linear(2, 3)
        >>> images = LinearisedNetwork(*Retrace()(network), torch.randn(4, 2))
        >>> compiled, _ = Compiler({}).maps(images, [])
        >>> type(compiled).__name__  # which compiles with its first product
        'CompiledImages'
    """

    def __init__(self, fallbacks: dict[str, str]) -> None:
        self._fallbacks = fallbacks
        self._warned = False
        self._kinds: dict[Hashable, int] = {}
        self._known: dict[Hashable, Compiled | str] = {}
        self._broken: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_kinds": {}, "_known": {}, "_broken": None}  # a copy compiles for itself

    def maps(
        self, images: ImageMap, derivatives: Sequence[MixedDerivative]
    ) -> tuple[ImageMap, list[MixedDerivative]]:
        """Compile the factors of a step's products, each method with its first use.

        Args:
            images: `J_G`.
            derivatives: `M_D` of each loss.

        Returns:
            The factors, those that autograd computes as they were.
        """
        self._fallbacks.pop("compile", None)
        return self.images(images), [self.derivative(one) for one in derivatives]

    def images(self, whole: ImageMap) -> ImageMap:
        """Compile `J_G`, unless autograd computes it."""
        if not isinstance(whole, LinearisedNetwork):
            return whole
        try:
            return CompiledImages(self, whole)
        except UnsupportedError as error:
            self._note(str(error))
            return whole

    def derivative(self, whole: MixedDerivative) -> MixedDerivative:
        """Compile `M_D`, unless autograd computes a part of it."""
        by_rules = whole.by_rules if isinstance(whole, PairedCurvature) else True
        if not isinstance(whole, ScoreCurvature | PairedCurvature) or not by_rules:
            return whole
        try:
            return CompiledDerivative(self, whole)
        except UnsupportedError as error:
            self._note(str(error))
            return whole

    def number_of(self, parts: Parts) -> int:
        """Number the kinds of maps, so that what describes one is compared once a step; -1: too many."""
        if len(self._kinds) < MOST:
            return self._kinds.setdefault(parts.kind, len(self._kinds))
        return self._kinds.get(parts.kind, -1)

    def run(
        self, parts: Parts, kind: int, method: str, places: tuple[int, ...] | None, given: Sequence[Tensor]
    ) -> Result:
        """Run a method of a map, compiled if that can be.

        Args:
            parts: The map.
            kind: Its kind's number.
            method: The method's name.
            places: Those of the parameters whose tangents are given; None for the one tensor of an image.
            given: What it is applied to.

        Returns:
            What the method returns.
        """
        inputs = [*parts.tensors, *given]
        key = (kind, method, places, *map(kind_of, given))
        known = self._known.get(key)
        if known is None and (kind < 0 or len(self._known) >= MOST):
            known = f"its networks or batches have changed too often: {MOST} programs have been compiled"
        if not isinstance(known, str):
            try:
                known = known or self._compiled(parts, method, places, given)
                result = known(inputs)
                if not known.checked:
                    expected = parts.apply(method, places, given)
                    known.checked = agree(result, expected)
                self._known[key] = known
                return result
            except Exception as error:  # a compiler may raise anything
                known = self._known[key] = self._reason(error)
        self._note(known)
        return parts.apply(method, places, given)

    def _compiled(
        self, parts: Parts, method: str, places: tuple[int, ...] | None, given: Sequence[Tensor]
    ) -> Compiled:
        if self._broken is not None:
            raise UnsupportedError(self._broken)
        program = parts.trace(method, places, given)
        return Compiled(
            program,
            torch.compile(program.graph.forward, backend=BACKEND, fullgraph=True, dynamic=False),
        )

    def _reason(self, error: Exception) -> str:
        """Say why a map stays eager; a compiler that fails once is not tried again."""
        if isinstance(error, UnsupportedError):
            return str(error)
        text = " ".join(str(error).partition("\n\n")[0].split())
        self._broken = f"{type(error).__name__}: {text}"[:300]
        return self._broken

    def _note(self, reason: str) -> None:
        self._fallbacks["compile"] = reason
        if not self._warned:
            self._warned = True
            warnings.warn(f"products are not compiled: {reason}", RuntimeWarning, stacklevel=2)


class CompiledMap:
    """A linear map whose methods run compiled.

    Args:
        compiler: What compiles them.
        whole: The map.

    Raises:
        UnsupportedError: Where the map cannot be taken apart.
    """

    def __init__(self, compiler: Compiler, whole: Map) -> None:
        self._compiler = compiler
        self._parts = Parts(whole)
        self._kind = compiler.number_of(self._parts)

    def _to_tensor(self, method: str, weights: Mapping[int, Tensor]) -> Tensor:
        weights = pushed(self._parts.computed, weights)
        places = tuple(k for k, p in enumerate(self._parts.parameters) if id(p) in weights)
        given = [weights[id(self._parts.parameters[k])] for k in places]
        return self._compiler.run(self._parts, self._kind, method, places, given).tensors[0]

    def _to_weights(self, method: str, tensor: Tensor) -> dict[int, Tensor]:
        result = self._compiler.run(self._parts, self._kind, method, None, [tensor])
        assert result.places is not None
        found = zip(result.places, result.tensors, strict=True)
        return pulled(self._parts.computed, {id(self._parts.parameters[k]): part for k, part in found})


class CompiledImages(CompiledMap):
    """`J_G`, compiled."""

    def push(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the image tangent of a tangent of the parameters."""
        return self._to_tensor("push", weights)

    def pull(self, bar: Tensor, /) -> dict[int, Tensor]:
        """Return the parameters' cotangents of an image cotangent."""
        return self._to_weights("pull", bar)


class CompiledDerivative(CompiledMap):
    """`M_D`, compiled."""

    def to_weights(self, dot: Tensor) -> dict[int, Tensor]:
        """Return the weights' cotangents of an image tangent."""
        return self._to_weights("to_weights", dot)

    def to_image(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the adjoint."""
        return self._to_tensor("to_image", weights)


def agree(found: Result, expected: Result) -> bool:
    """Compare a compiled result with the eager one.

    Args:
        found: The compiled one.
        expected: The eager one.

    Returns:
        Whether they could be compared: the eager one is finite.

    Raises:
        UnsupportedError: If they differ by more than rounding.

    Example:
        >>> ones = torch.ones(3)
        >>> agree(Result([ones], None), Result([ones], None))
        True
        >>> agree(Result([2 * ones], None), Result([ones], None))
        Traceback (most recent call last):
            ...
        gamedyn.gan.curvature.rule.UnsupportedError: what was compiled is off by 1e+00
    """
    pairs = [(a.double(), b.double()) for a, b in zip(found.tensors, expected.tensors, strict=True)]
    size = sum(float(b.square().sum()) for _, b in pairs) ** 0.5
    if not math.isfinite(size):
        return False
    off = sum(float((a - b).square().sum()) for a, b in pairs) ** 0.5
    bound = max((torch.finfo(b.dtype).eps ** 0.5 for b in expected.tensors), default=0.0)
    if found.places != expected.places or not off <= bound * size:
        raise UnsupportedError(f"what was compiled is off by {off / size if size else off:.0e}")
    return True
