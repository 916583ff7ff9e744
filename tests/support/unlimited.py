"""The Library without the limits that thousands of requests from one address reach."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

__all__ = ["unlimited_library"]

LIBRARY = Path(__file__).parents[2] / "examples" / "library"
_LIMIT = re.compile(r"(x-rate-limit: (?:&\w+ )?)\d+ per \w+")


def unlimited_library(folder: Path) -> Path:
    """Copy the Library into a folder, with limits that no test reaches; return where it is."""
    library = shutil.copytree(LIBRARY, folder / "library", ignore=shutil.ignore_patterns("instance", "__pycache__"))
    contract = library / "library" / "openapi.yaml"
    text, found = _LIMIT.subn(r"\g<1>1000000 per hour", contract.read_text(encoding="utf-8"))
    assert found == 4
    contract.write_text(text, encoding="utf-8")
    return library
