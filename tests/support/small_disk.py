"""A disk of its own for a test, that is soon full."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outside import skip_or_fail

__all__ = ["SmallDisk", "small_disk"]

_CHUNK = bytes(64 * 1024)


class SmallDisk:
    """Be a file system in memory, at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rest = folder / "rest"

    def fill(self) -> None:
        """Use up what is free, to the last byte."""
        with self._rest.open("ab", buffering=0) as file:
            for size in (len(_CHUNK), 1):
                try:
                    while file.write(_CHUNK[:size]):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Give it back."""
        self._rest.unlink()


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[SmallDisk]:
    """Mount a small file system at `folder`, which is made; it takes the rights to do so."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        skip_or_fail(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # whatever of it may still be open
