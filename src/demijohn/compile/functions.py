"""Dotted names to Python functions."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb
from typing import Any

__all__ = ["find_function", "importable"]


@contextmanager
def importable(folders: Sequence[Path]) -> Iterator[None]:
    """Make modules in `folders` importable, in that order, and keep them so: handlers may import later."""
    for folder in reversed(folders):
        text = str(folder)
        if text not in sys.path:
            sys.path.insert(0, text)
    importlib.invalidate_caches()
    yield


def find_function(name: str) -> tuple[Callable[..., Any] | None, str]:
    """Return the function of a dotted name such as `module.instance.method`, or None and why not.

    The longest part that can be imported is the module; the rest are attributes of it.
    """
    parts = name.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return None, "it is not of the form module.function"
    module, rest, wrong = _import(parts)
    if module is None:
        return None, wrong
    found = module
    for depth, attribute in enumerate(rest):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            owner = ".".join(parts[: len(parts) - len(rest) + depth])
            return None, f"{owner} has no {attribute!r}{_hint(attribute, found)}"
    if not callable(found):
        return None, f"it is a {type(found).__name__} and no function"
    return found, ""


def _import(parts: list[str]) -> tuple[Any, list[str], str]:
    """Import the longest importable prefix; an error inside a module is told, not taken for its absence."""
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        try:
            return importlib.import_module(name), parts[length:], ""
        except ModuleNotFoundError as error:
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
                return None, [], f"importing {name} failed: no module named {error.name!r}{_where(error)}"
        except Exception as error:  # a module of the user's may raise anything
            return None, [], f"importing {name} failed: {type(error).__name__}: {error}{_where(error)}"
    return None, [], f"there is no module {parts[0]!r} in the contract's folder or on the import path"


def _where(error: Exception) -> str:
    """Return the line that failed; a SyntaxError has it in its text."""
    ours = (__file__, importlib.__file__)
    lines = [one for one in extract_tb(error.__traceback__) if one.filename[0] != "<" and one.filename not in ours]
    if isinstance(error, SyntaxError) or not lines:
        return ""
    return f" ({Path(lines[-1].filename).name}, line {lines[-1].lineno})"


def _hint(name: str, owner: Any) -> str:
    names = [one for one, _ in inspect.getmembers(owner, callable) if not one.startswith("_")]
    close = get_close_matches(name, names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
