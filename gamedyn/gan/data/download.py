"""Fetching a set once: checksum before use, nothing half-written, nothing outside its folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from tqdm import tqdm

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
FOLDER = "cifar-10-batches-py"
TIMEOUT_SECONDS = 15
CHUNK = 1 << 20


def download_cifar10(root: Path, *, url: str = URL, sha256: str = SHA256) -> Path:
    """Download and unpack CIFAR-10's Python version.

    The archive is read only after its checksum was found right, only regular files of its one
    folder are taken from it (`filter="data"`), and the folder appears under its name at once, by a
    rename, so that an interrupted download leaves nothing that looks finished.

    Args:
        root: The folder to put `cifar-10-batches-py` in; made if missing.
        url: Where the archive is.
        sha256: The archive's checksum, in hexadecimal.

    Returns:
        The folder with the batches.

    Raises:
        OSError: If the archive cannot be fetched or written.
        ValueError: If the archive's checksum is wrong or it lacks the batches.
    """
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cifar-10-", dir=root) as scratch:
        archive = Path(scratch, "archive.tar.gz")
        found = fetch(url, archive)
        if found != sha256:
            raise ValueError(f"{url} has the wrong checksum: sha256 {found}, expected {sha256}")
        unpacked = Path(scratch, "unpacked")
        with tarfile.open(archive) as tar:
            members = [m for m in tar if m.isreg() and m.name.startswith(f"{FOLDER}/")]
            tar.extractall(unpacked, members=members, filter="data")
        if not Path(unpacked, FOLDER, "data_batch_1").is_file():
            raise ValueError(f"{url} holds no {FOLDER}/data_batch_1")
        target = root / FOLDER
        shutil.rmtree(target, ignore_errors=True)
        os.replace(unpacked / FOLDER, target)
    return target


def fetch(url: str, path: Path, *, label: str = "CIFAR-10") -> str:
    """Copy a URL to a file with a progress bar.

    Args:
        url: What to fetch.
        path: The file to write.
        label: What the bar is called.

    Returns:
        The content's SHA-256, in hexadecimal.

    Raises:
        OSError: If the connection fails or ends early.
    """
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as reply, path.open("wb") as file:
        length = reply.headers.get("Content-Length")
        total = int(length) if length else None
        with tqdm(total=total, unit="B", unit_scale=True, desc=label, disable=None) as bar:
            while chunk := reply.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
    if total is not None and path.stat().st_size != total:
        raise OSError(f"{url} ended after {path.stat().st_size} of {total} bytes")
    return digest.hexdigest()
