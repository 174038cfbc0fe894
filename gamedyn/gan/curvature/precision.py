"""Relaxed products: the same tape in bfloat16, where the hardware computes faster in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import torch
from torch import Tensor

from gamedyn.gan.curvature.compiled import Compiler
from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.subbatch import ImageMap, MixedDerivative


def relaxed_dtype(tensors: Iterable[Tensor]) -> torch.dtype | None:
    """Say what relaxed products of float32 tensors are best computed in.

    Args:
        tensors: What the products are made of.

    Returns:
        bfloat16; None unless all tensors are float32, on one device that multiplies faster in bfloat16: a CPU
        with AMX or AVX512-BF16, or a CUDA device of capability 8 (Ampere) or more.
    """
    kinds = {(tensor.dtype, tensor.device) for tensor in tensors}
    if len(kinds) != 1:
        return None
    ((dtype, device),) = kinds
    return torch.bfloat16 if dtype is torch.float32 and has_fast_bfloat16(device) else None


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies faster in bfloat16 than in float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    # not torch.ops.mkldnn._is_mkldnn_bf16_supported, which is true of emulation too
    queries = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, query, bool)() for query in queries)


class Cast:
    """What becomes of a tape's tensors in a lower precision, each cast once.

    Args:
        dtype: The precision.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._known: dict[int, tuple[Tensor, Tensor]] = {}

    def kept(self, tensor: Tensor) -> Tensor:
        """Cast a tensor of the tape, or return its cast."""
        if id(tensor) not in self._known:
            # with the tensor, so that its id stays its own
            self._known[id(tensor)] = tensor, self.once(tensor)
        return self._known[id(tensor)][1]

    def once(self, tensor: Tensor) -> Tensor:
        """Cast a tensor."""
        if tensor.dim() == 4:
            return tensor.detach().to(self.dtype, memory_format=torch.channels_last)
        return tensor.detach().to(self.dtype)

    def all_of(self, weights: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Cast the tangents of parameters."""
        return {key: self.once(tensor) for key, tensor in weights.items()}


class RelaxedImages:
    """`J_G` in a lower precision, from float32 to float32; its tape is cast with the first product."""

    def __init__(self, exact: LinearisedNetwork, cast: Cast, compiler: Compiler | None = None) -> None:
        self._exact, self._cast, self._compiler = exact, cast, compiler

    @cached_property
    def _network(self) -> ImageMap:
        own = self._exact.copied(self._cast.kept, self._cast.kept)
        return own if self._compiler is None else self._compiler.images(own)

    def push(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the image tangent of a tangent of the parameters."""
        return self._network.push(self._cast.all_of(weights)).to(self._exact.output.dtype)

    def pull(self, bar: Tensor, /) -> dict[int, Tensor]:
        """Return the parameters' cotangents of an image cotangent."""
        return self._network.pull(self._cast.once(bar))


class RelaxedDerivative:
    """`M_D` in a lower precision, from float32 to float32; its tape is cast with the first product."""

    def __init__(self, exact: ScoreCurvature, cast: Cast, compiler: Compiler | None = None) -> None:
        self._exact, self._cast, self._compiler = exact, cast, compiler

    @cached_property
    def _curvature(self) -> MixedDerivative:
        own = self._exact.copied(self._cast.kept, self._cast.kept)
        return own if self._compiler is None else self._compiler.derivative(own)

    def to_weights(self, dot: Tensor) -> dict[int, Tensor]:
        """Return the weights' cotangents of an image tangent."""
        return self._curvature.to_weights(self._cast.once(dot))

    def to_image(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the adjoint."""
        return self._curvature.to_image(self._cast.all_of(weights)).to(self._exact.of_input.dtype)


def relaxed_maps(
    images: ImageMap,
    derivatives: Iterable[MixedDerivative],
    dtype: torch.dtype,
    compiler: Compiler | None = None,
) -> tuple[ImageMap, list[MixedDerivative]] | None:
    """Put the factors of products into a lower precision.

    Args:
        images: `J_G`.
        derivatives: `M_D` of each loss.
        dtype: The precision.
        compiler: What compiles them, if anything does.

    Returns:
        The factors, those that autograd computes as they were; None if all are.
    """
    cast = Cast(dtype)
    relaxed = [
        RelaxedDerivative(one, cast, compiler) if isinstance(one, ScoreCurvature) else one
        for one in derivatives
    ]
    if isinstance(images, LinearisedNetwork):
        return RelaxedImages(images, cast, compiler), relaxed
    return (images, relaxed) if any(isinstance(one, RelaxedDerivative) for one in relaxed) else None
