"""Work on a generated project as its developer would."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["assert_clean", "run_in"]

ROOT = Path(__file__).parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
# A password of a test is none, and arguments are called as the contract calls its parameters.
ACCEPTED = ["S106", "N803"]


def run_in(folder: Path, *command: str, paths: Iterable[str] = ()) -> str:
    """Run a module of Python's in a folder, with `paths` below it importable; return what it prints."""
    importable = os.pathsep.join([str(ROOT / "src"), *(str(folder / path) for path in paths)])
    environment = os.environ | {"PYTHONPATH": importable, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_clean(folder: Path) -> None:
    """Lint a project by our rules, as if nothing were configured but the length of lines."""
    options = ["--isolated", "--line-length", "120", "--target-version", "py311"]
    rules = ["--select", ",".join(RULES["select"]), "--ignore", ",".join([*RULES["ignore"], *ACCEPTED])]
    run_in(folder, "ruff", "check", *options, *rules, ".")
    run_in(folder, "ruff", "format", "--check", *options, ".")
