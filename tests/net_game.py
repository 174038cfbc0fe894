"""Random small networks as games of two flat vectors, with dense exact steps by `torch.func`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class NetGame:
    """A 2-3-2 tanh generator against a 2-3-1 softplus discriminator on a fixed batch, in float64.

    `f` is the zero-sum value and `g` the second loss of a general-sum game, both functions of the flat
    parameters `u` (player 0, 17 numbers) and `v` (player 1, 13 numbers).
    """

    seed: int

    def __post_init__(self) -> None:
        _ = self._batch  # drawn here, for `torch.func` allows no random numbers inside

    @property
    def start(self) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        return tuple(torch.randn(n, generator=generator, dtype=torch.float64) for n in (17, 13))

    @cached_property
    def _batch(self) -> Tensor:
        generator = torch.Generator().manual_seed(1000 + self.seed)
        return torch.randn(2, 16, 2, generator=generator, dtype=torch.float64)

    def _scores(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        z, real = self._batch
        fake = torch.tanh(z @ u[:6].view(2, 3) + u[6:9]) @ u[9:15].view(3, 2) + u[15:17]

        def discriminator(sample: Tensor) -> Tensor:
            hidden = torch.nn.functional.softplus(sample @ v[:6].view(2, 3) + v[6:9])
            return hidden @ v[9:12] + v[12]

        return discriminator(real), discriminator(fake)

    def f(self, u: Tensor, v: Tensor) -> Tensor:
        real, fake = self._scores(u, v)
        return torch.nn.functional.logsigmoid(real).mean() - torch.nn.functional.softplus(fake).mean()

    def g(self, u: Tensor, v: Tensor) -> Tensor:
        real, fake = self._scores(u, v)
        return (real - 1.0).square().mean() + (fake + 0.5).square().mean() + 0.1 * v.square().sum()


def dense_step(
    f: Loss, g: Loss, u: Tensor, v: Tensor, rate_u: Tensor | float, rate_v: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Solve both players' coupled best responses at once, by a dense joint matrix.

    Each player descends its own loss with (diagonal) step sizes:
    `du = −A_u (∇_u f + D_uv f dv)`, `dv = −A_v (∇_v g + D_vu g du)`.
    """
    m, n = len(u), len(v)
    a = torch.as_tensor(rate_u, dtype=u.dtype).expand(m)
    b = torch.as_tensor(rate_v, dtype=v.dtype).expand(n)
    of_f = torch.func.hessian(f, argnums=(0, 1))(u, v)[0][1]
    of_g = torch.func.hessian(g, argnums=(0, 1))(u, v)[1][0]
    joint = torch.eye(m + n, dtype=u.dtype)
    joint[:m, m:] = a[:, None] * of_f
    joint[m:, :m] = b[:, None] * of_g
    rhs = torch.cat([a * torch.func.grad(f, 0)(u, v), b * torch.func.grad(g, 1)(u, v)])
    step = -torch.linalg.solve(joint, rhs)
    return step[:m], step[m:]


def split(vector: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Return trainable pieces of a flat vector; the last takes what is left."""
    pieces, offset = [], 0
    for size in [*sizes, len(vector) - sum(sizes)]:
        pieces.append(vector[offset : offset + size].detach().clone().requires_grad_())
        offset += size
    return pieces


def joined(pieces: Sequence[Tensor]) -> Tensor:
    return torch.cat([piece.reshape(-1) for piece in pieces])


def relative(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Return the distance of two points relative to the second's norm."""
    left, right = joined(a).detach(), joined(b).detach()
    return float((left - right).norm() / right.norm())
