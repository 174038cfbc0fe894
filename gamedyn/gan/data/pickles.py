"""Reading the pickled arrays of CIFAR-10 without running what a pickle asks for."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

# The function that numpy's own pickles call first, whatever module this numpy keeps it in.
RECONSTRUCT = np.empty(0).__reduce__()[0]


def encode_latin1(text: str, encoding: str = "latin1") -> bytes:
    r"""Stand in for `_codecs.encode`, by which Python 3 writes bytes into protocol-2 pickles.

    Args:
        text: The bytes as text, one character a byte.
        encoding: The codec asked for.

    Returns:
        The bytes.

    Raises:
        UnpicklingError: If another codec is asked for.

    Example:
        >>> encode_latin1("\xff")
        b'\xff'
    """
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"refused to decode with {encoding!r}")
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], Any] = {
    # Files name the module as it was called before or after numpy 2.
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): encode_latin1,
}


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that knows numpy arrays of plain numbers and refuses every other name.

    A pickle is a program; the names it may call are looked up in `find_class`. Containers, numbers
    and strings need no name, so the allow-list holds only what numpy arrays are made of.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the allow-list.

        Args:
            module: The module that the pickle names.
            name: The name in it.

        Returns:
            The allowed object.

        Raises:
            UnpicklingError: If the name is not on the list.
        """
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}") from None


def load_arrays(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of arrays, numbers and strings.

    Args:
        path: The file.

    Returns:
        The dictionary, its keys as text.

    Raises:
        ValueError: If the file is truncated, corrupt, not a dictionary, or names anything else.
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            # Python 2 wrote the official files; bytes keep their keys and labels as they are.
            content = ArrayUnpickler(file, encoding="bytes").load()
        except OSError:
            raise
        except Exception as error:  # a damaged pickle may raise anything at all, MemoryError included
            reason = str(error) or type(error).__name__
            raise ValueError(f"{path} is not a readable batch file: {reason}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a readable batch file: holds a {type(content).__name__}, not a dict")
    return {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value for key, value in content.items()
    }
