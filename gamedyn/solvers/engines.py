"""Foreign Krylov engines: `scipy.sparse.linalg` and `cupyx.scipy.sparse.linalg` on our operators.

One code path serves both through an injected pair of modules; tensors cross over without a copy by
DLPack. Neither engine reports a true residual, so the caller recomputes it.
"""

import contextlib
import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch.utils.dlpack import from_dlpack

from gamedyn.solvers.cg import Operator
from gamedyn.solvers.vectors import Vector, add_, clone, norm, precision, zeros_like

ENGINES = ("torch", "scipy", "cupy")


@dataclass(frozen=True)
class ArrayEngine:
    """A pair of modules with numpy's and `scipy.sparse.linalg`'s interfaces.

    Args:
        xp: The array module; it reads DLPack tensors with `from_dlpack`.
        linalg: The module of `LinearOperator`, `cg` and `gmres`.
        device: The torch device type whose tensors the arrays share memory with.
        on_current_stream: Enters torch's current stream, so that products and vector work are ordered.
    """

    xp: Any
    linalg: Any
    device: str
    on_current_stream: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext


def load_engine(name: str) -> ArrayEngine:
    """Import the modules of an engine.

    Args:
        name: "scipy" or "cupy".

    Returns:
        The engine.

    Raises:
        ValueError: If the name is unknown.
        RuntimeError: If cupy is not installed or finds no CUDA device.

    Example:
        >>> load_engine("scipy").device
        'cpu'
    """
    if name == "scipy":
        return ArrayEngine(numpy, importlib.import_module("scipy.sparse.linalg"), "cpu")
    if name != "cupy":
        raise ValueError(f"unknown engine {name!r}: choose one of {', '.join(ENGINES)}")
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise RuntimeError(
            'engine="cupy" needs CuPy: install gamedyn[cupy12] or gamedyn[cupy13], or use engine="torch"'
        ) from error
    if not cupy.cuda.is_available():
        raise RuntimeError('engine="cupy" found no CUDA device: use engine="torch" or engine="scipy"')

    def on_current_stream() -> contextlib.AbstractContextManager[Any]:
        stream: contextlib.AbstractContextManager[Any] = cupy.cuda.Stream.from_external(
            torch.cuda.current_stream()
        )
        return stream

    return ArrayEngine(cupy, importlib.import_module("cupyx.scipy.sparse.linalg"), "cuda", on_current_stream)


def krylov(
    engine: ArrayEngine,
    method: str,
    operator: Operator,
    rhs: Vector,
    *,
    threshold: float,
    max_iter: int,
    restart: int,
    x0: Vector | None,
) -> tuple[Vector, int]:
    """Run an engine's `cg` or `gmres` on an operator over lists of tensors.

    Args:
        engine: The modules to use.
        method: "cg" or "gmres".
        operator: The square map.
        rhs: The right-hand side; its tensors must live on the engine's device.
        threshold: Tolerance on the norm of the engine's own residual, no lower than round-off.
        max_iter: The most iterations to take.
        restart: Iterations per GMRES cycle.
        x0: The initial iterate; zero for None.

    Returns:
        The engine's iterate and its iterations. Whether it converged is the caller's to find out; NaN where a
        product was not finite, whatever the engine made of it.

    Raises:
        ValueError: If a tensor lives on another device than the engine's.
    """
    devices = {tensor.device.type for tensor in rhs}
    if devices - {engine.device}:
        raise ValueError(
            f"this engine works on {engine.device} tensors, got {', '.join(sorted(devices))}: "
            'use engine="torch" or move the parameters'
        )
    dtype = torch.float64 if any(tensor.dtype is torch.float64 for tensor in rhs) else torch.float32

    def flat(vector: Vector) -> Any:
        array = engine.xp.from_dlpack(torch.cat([tensor.detach().reshape(-1).to(dtype) for tensor in vector]))
        # numpy 1 imports read-only, and scipy works in place on what a product returned
        return array if getattr(array.flags, "writeable", True) else array.copy()

    def unflat(array: Any) -> Vector:
        parts = torch.split(from_dlpack(array), [like.numel() for like in rhs])
        return [part.view(like.shape).to(like.dtype) for part, like in zip(parts, rhs, strict=True)]

    # below that the engines' recurrences go on to 0 / 0
    threshold = max(threshold, precision(rhs) * norm(rhs))
    iterations = 0

    def count(_: Any) -> None:
        nonlocal iterations
        iterations += 1

    finite: list[torch.Tensor] = []  # one flag per product, left on the device until the end

    def apply(vector: Vector) -> Vector:
        product = operator(vector)
        finite.extend(torch.isfinite(tensor).all() for tensor in product)
        return product

    def matvec(array: Any) -> Any:
        return flat(apply(unflat(engine.xp.ascontiguousarray(array))))

    def missing(iterate: Vector) -> float:
        return norm(add_(clone(rhs), apply(iterate), -1.0))

    def verdict(iterate: Vector) -> Vector:
        return iterate if all(finite) else [torch.full_like(tensor, math.nan) for tensor in iterate]

    if not rhs or threshold == 0.0:  # by its floor above, only for a right-hand side of nothing or of zeros
        return zeros_like(rhs), 0
    iterate = zeros_like(rhs) if x0 is None else x0
    with engine.on_current_stream():
        target = flat(rhs)
        size = target.shape[0]
        linear = engine.linalg.LinearOperator((size, size), matvec=matvec, dtype=target.dtype)
        if method == "cg":
            array, _ = engine.linalg.cg(
                linear, target, x0=flat(iterate), rtol=0.0, atol=threshold, maxiter=max_iter, callback=count
            )
            return verdict(unflat(array)), iterations
        residual = missing(iterate)
        while threshold < residual < math.inf and iterations < max_iter:
            length = min(restart, max_iter - iterations, size)
            try:  # `maxiter=1` is one cycle to either engine, which otherwise disagree
                array, _ = engine.linalg.gmres(
                    linear, target, x0=flat(iterate), rtol=0.0, atol=threshold, restart=length, maxiter=1
                )
                candidate = unflat(array)
                error = missing(candidate)
            except numpy.linalg.LinAlgError:
                error = math.nan
            if not math.isfinite(error) and length > 1 and all(finite):
                # cupy divides by zero where the Krylov space is complete before the cycle
                restart = length // 2
                continue
            iterations += length
            if not error < 0.999 * residual:
                break
            iterate, residual = candidate, error
        return verdict(iterate), iterations
