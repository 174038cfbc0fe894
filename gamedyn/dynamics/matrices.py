"""Iteration matrices of SimGD, AltGD and CGD, and their spectra, for any stack of step sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_WITH_MATRIX = ("SimGD", "AltGD", "CGD")


def optimizer_name(optimizer: object) -> str:
    """Name the optimizer whose constant iteration matrix is asked for.

    Args:
        optimizer: Its name, its class, or an instance of it; known by the class's name.

    Returns:
        One of `"SimGD"`, `"AltGD"`, `"CGD"`.

    Raises:
        ValueError: If the optimizer has no constant iteration matrix (ACGD's step sizes change with
            every step), or is not known here.

    Example:
        >>> optimizer_name("CGD")
        'CGD'
    """
    if isinstance(optimizer, str):
        name = optimizer
    else:
        name = optimizer.__name__ if isinstance(optimizer, type) else type(optimizer).__name__
    if name == "ACGD":
        raise ValueError(
            "ACGD has no constant iteration matrix: its step sizes change with every step; "
            f"take one of {', '.join(_WITH_MATRIX)}"
        )
    if name not in _WITH_MATRIX:
        raise ValueError(f"no iteration matrix is known for {name!r}; take one of {', '.join(_WITH_MATRIX)}")
    return name


def iteration_matrix(
    optimizer: object,
    jacobian: npt.ArrayLike,
    sizes: tuple[int, int],
    lr: npt.ArrayLike,
    max_lr: npt.ArrayLike | None = None,
) -> Array:
    r"""Matrix M with w₊ − w* = M (w − w*) for one step on a game whose gradients are affine.

    With `J` the Jacobian of v = (∇ₓ of player 0's loss, ∇ᵧ of player 1's loss), `E = diag(η_x, η_y)`
    and `J_x`, `J_y` its block rows padded with zeros:

        SimGD   M = I − E J
        AltGD   M = (I − η_y J_y) (I − η_x J_x)                      (player 0 moves first)
        CGD     M = I − [[I, η_x D_xy f], [η_y D_yx g, I]]⁻¹ E J

    Args:
        optimizer: Name, class or instance of SimGD, AltGD or CGD.
        jacobian: `J`, of shape (m+n, m+n); for a zero-sum game [[D_xx f, D_xy f], [−D_yx f, −D_yy f]].
        sizes: (m, n), the numbers of coordinates of the two players.
        lr: Step size η_x of player 0; any shape.
        max_lr: Step size η_y of player 1, broadcast against `lr`; `None` means `lr`.

    Returns:
        Array of shape (..., m+n, m+n), where ... is the broadcast shape of the step sizes.

    Raises:
        ValueError: If the optimizer has no constant matrix, or the shapes do not fit.

    Example:
        >>> J = [[0.0, 1.0], [-1.0, 0.0]]                # f = xy
        >>> iteration_matrix("SimGD", J, (1, 1), lr=0.1)
        array([[ 1. , -0.1],
               [ 0.1,  1. ]])

    References:
        Schäfer & Anandkumar, "Competitive Gradient Descent", NeurIPS 2019, eq. (4).
    """
    name = optimizer_name(optimizer)
    J = np.asarray(jacobian, dtype=np.float64)
    m, n = sizes
    if J.shape != (m + n, m + n):
        raise ValueError(f"the Jacobian of players of sizes {sizes} is {(m + n, m + n)}, got {J.shape}")
    eta_x = np.asarray(lr, dtype=np.float64)
    eta_y = eta_x if max_lr is None else np.asarray(max_lr, dtype=np.float64)
    eta_x, eta_y = np.broadcast_arrays(eta_x, eta_y)
    E = np.concatenate(
        (
            np.broadcast_to(eta_x[..., None], (*eta_x.shape, m)),
            np.broadcast_to(eta_y[..., None], (*eta_y.shape, n)),
        ),
        axis=-1,
    )
    step = E[..., :, None] * J
    identity = np.eye(m + n)
    if name == "SimGD":
        return np.asarray(identity - step)
    if name == "AltGD":
        first, second = step.copy(), step.copy()
        first[..., m:, :] = 0.0
        second[..., :m, :] = 0.0
        return np.asarray((identity - second) @ (identity - first))
    coupling = np.zeros_like(step)
    coupling[..., :m, m:] = step[..., :m, m:]
    coupling[..., m:, :m] = step[..., m:, :m]
    return np.asarray(identity - np.linalg.solve(identity + coupling, step))


def spectrum(matrix: npt.ArrayLike) -> npt.NDArray[np.complex128]:
    """Eigenvalues of each matrix of a stack.

    Args:
        matrix: Shape (..., d, d).

    Returns:
        Complex array of shape (..., d), unordered.

    Example:
        >>> spectrum([[1.0, -0.5], [0.5, 1.0]]).round(6)
        array([1.+0.5j, 1.-0.5j])
    """
    return np.linalg.eigvals(np.asarray(matrix, dtype=np.float64)).astype(np.complex128)


def spectral_radius(matrix: npt.ArrayLike) -> Any:
    """Largest modulus of an eigenvalue: iterates shrink in the long run if and only if it is below 1.

    Planar matrices go by trace and determinant, which for a whole map is some fifty times faster than
    an eigenvalue routine.

    Args:
        matrix: Shape (..., d, d).

    Returns:
        Array of shape (...), a scalar for a single matrix.

    Example:
        >>> round(float(spectral_radius([[1.0, -0.1], [0.1, 1.0]])), 6)
        1.004988
    """
    M = np.asarray(matrix, dtype=np.float64)
    if M.shape[-2:] != (2, 2):
        return np.abs(spectrum(M)).max(axis=-1)
    half_trace = (M[..., 0, 0] + M[..., 1, 1]) / 2
    determinant = M[..., 0, 0] * M[..., 1, 1] - M[..., 0, 1] * M[..., 1, 0]
    # Written with the half difference of the diagonal: half_trace² − determinant would cancel.
    discriminant = ((M[..., 0, 0] - M[..., 1, 1]) / 2) ** 2 + M[..., 0, 1] * M[..., 1, 0]
    real = np.abs(half_trace) + np.sqrt(np.maximum(discriminant, 0.0))
    return np.where(discriminant >= 0, real, np.sqrt(np.abs(determinant)))[()]
