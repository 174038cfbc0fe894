"""What torch's own errors mean in a step of a game."""

import re

_COMPILED = (
    "A compiled module is differentiated once: call the uncompiled one in the closure (module._orig_mod)"
)
_OLD_LOSS = "Compute the loss inside the closure, anew at each call, and leave backward() to the optimizer"

# The first that is found in an error's text counts.
_MENDS = {
    r"donated buffers": _COMPILED,
    r"aot_autograd does not currently support double backward": _COMPILED,
    r"_scaled_dot_product\w*_backward\S* is not implemented": (
        "Of attention's kernels one alone is differentiated twice: evaluate it under "
        "torch.nn.attention.sdpa_kernel(SDPBackend.MATH)"
    ),
    r"_backward\S* is not implemented": (
        "Torch cannot differentiate this operation twice: use SimGD or AltGD, or write it by others"
    ),
    r"backward through the graph a second time": _OLD_LOSS,
    r"modified by an inplace operation": f"Is it an old loss? {_OLD_LOSS}",
}


def mend_of(error: RuntimeError) -> str:
    """Return a sentence on what to do about an error, or none.

    Args:
        error: What torch raised.

    Returns:
        The sentence; empty for an error that says enough, or that is not torch's.

    Example:
        >>> mend_of(RuntimeError("Trying to backward through the graph a second time"))
        'Compute the loss inside the closure, anew at each call, and leave backward() to the optimizer.'
    """
    return next((f"{mend}." for pattern, mend in _MENDS.items() if re.search(pattern, str(error))), "")
