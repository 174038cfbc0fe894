"""Writing a file so that it is either the old one or the new one, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path


def check_writable(path: Path) -> None:
    """Find out that a file cannot be written before the work that it is for.

    Makes its folder, writes an empty temporary file there and removes it.

    Args:
        path: The file that is to be written.

    Raises:
        OSError: If it could not be.
        IsADirectoryError: If it is a folder.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> check_writable(folder / "new" / "scores.json")
        >>> list((folder / "new").iterdir())
        []
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.touch()
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file by way of a temporary one in the same folder.

    The content is flushed to the disk before the rename and the folder after it, so that a power
    cut or `kill -9` at any moment leaves the old file or the new one, whole. An error (a full disk,
    a folder that may not be written) leaves the old file and removes the temporary one. The
    temporary name is fixed: what a killed process left is overwritten by the next write.

    Args:
        path: The file to write.
        *parts: The content, in order.

    Raises:
        OSError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_atomically(folder / "note", b"one", b" two")
        >>> (folder / "note").read_text(), len(list(folder.iterdir()))
        ('one two', 1)
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened to be flushed
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
