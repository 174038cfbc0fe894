"""How far the short pieces of generated lines are from those of a text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable


def ngram_divergence(left: Iterable[str], right: Iterable[str], n: int) -> float:
    r"""Return the Jensen-Shannon divergence between the n-grams of two sets of lines, in bits.

    .. math:: \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m), \qquad m = \tfrac12 (p + q)

    where `p` and `q` are the relative frequencies of all pieces of `n` neighbouring characters. It is 0 for
    equal frequencies and 1 where no piece is common. Two sets of lines of one author are a positive
    divergence apart that falls with their size: compare with that floor.

    Args:
        left: Lines.
        right: Other lines.
        n: Characters of a piece.

    Returns:
        The divergence.

    Raises:
        ValueError: If `n` is not positive, or a set has no line of `n` characters.

    Example:
        >>> ngram_divergence(["aab"], ["aab"], 2), ngram_divergence(["aa"], ["bb"], 1)
        (0.0, 1.0)

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.5 and appendix.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    first, second = counted(left, n), counted(right, n)
    sums = first.total(), second.total()
    if not min(sums):
        raise ValueError(f"there is no line of {n} characters to count pieces in")
    divergence = 0.0
    for piece in first.keys() | second.keys():
        shares = first[piece] / sums[0], second[piece] / sums[1]
        middle = (shares[0] + shares[1]) / 2
        divergence += sum(share * math.log2(share / middle) for share in shares if share) / 2
    return max(divergence, 0.0)


def counted(lines: Iterable[str], n: int) -> Counter[str]:
    """Count pieces of neighbouring characters.

    Args:
        lines: Lines.
        n: Characters of a piece.

    Returns:
        How often each occurs.

    Example:
        >>> counted(["abab"], 2)["ab"]
        2
    """
    return Counter(line[start : start + n] for line in lines for start in range(len(line) - n + 1))
