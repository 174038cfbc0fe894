"""What a game optimizer may find around it and cannot work with: a gradient scaler, other processes."""

import torch


class RefuseScaler:
    """The attribute by which an enabled GradScaler asks an optimizer for its ways: to ask is refused.

    To look at it is not, as `hasattr` and `inspect` do.

    Example:
        >>> bool(RefuseScaler())
        Traceback (most recent call last):
        RuntimeError: an enabled GradScaler cannot drive a game optimizer, ...
    """

    def __bool__(self) -> bool:
        raise RuntimeError(
            "an enabled GradScaler cannot drive a game optimizer, which differentiates the closure itself: "
            "use bfloat16 autocast inside the closure (its products are right to 0.4 %, so rtol=1e-2), or "
            "GradScaler(enabled=False)"
        )


def processes() -> int:
    """Return how many processes train together.

    Example:
        >>> processes()
        1
    """
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
