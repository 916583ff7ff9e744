"""Write a new project: templates to files, in a folder that was not there before."""

from __future__ import annotations

import builtins
import keyword
import re
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import click

__all__ = ["Files", "check_name", "fill", "from_template", "title_of", "write"]

Files: TypeAlias = Mapping[str, bytes]
"""Maps the path of a file, below the project's folder, to what is in it."""

_TEMPLATES = Path(__file__).with_name("templates")
# A template is called so that no tool takes it for its own.
_NAMES = {"gitignore.txt": ".gitignore", "env.example.txt": ".env.example", "pyproject.toml.txt": "pyproject.toml"}
_NAME, _DASHED, _TITLE = "project_name", "project-name", "Project Title"
_MARK = re.compile(r"\s*(?:#|<!--) (>>>|<<<) (\w+)(?: -->)?\s*")
_MOST_CHARACTERS = 40


def check_name(name: str) -> None:
    """Raise `click.UsageError`, with a name that would do, for one that no Python package can have.

    Raises `click.ClickException` where there is such a folder already.
    """
    _refuse_what_is_there(Path(name))
    if name.isascii() and name.isidentifier() and not _is_taken(name) and len(name) <= _MOST_CHARACTERS:
        return
    suggestion = _suggestion(name)
    hint = f"; {suggestion} would do" if suggestion else ""
    if name.isascii() and name.isidentifier() and len(name) <= _MOST_CHARACTERS:
        raise click.UsageError(f"{name} is the name of something in Python, or of an installed package{hint}.")
    raise click.UsageError(
        f"{name!r} cannot be the name of a Python package: allowed are up to {_MOST_CHARACTERS} letters, digits and"
        f" underscores, and no digit first{hint}."
    )


def title_of(name: str) -> str:
    """Return a name for people: `book_shelf` is `Book shelf`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def fill(text: str, name: str) -> str:
    """Return a template's text with the names of a project."""
    return text.replace(_NAME, name).replace(_DASHED, name.replace("_", "-").strip("-")).replace(_TITLE, title_of(name))


def from_template(template: str, name: str, parts: frozenset[str] = frozenset()) -> dict[str, bytes]:
    """Return the files of a template for the project `name`; of what is marked, `parts` stay."""
    folder = _TEMPLATES / template
    files = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            path = file.relative_to(folder)
            target = path.with_name(_NAMES.get(path.name, path.name)).as_posix()
            text = _choose(file.read_text(encoding="utf-8"), parts)
            files[fill(target, name)] = fill(text, name).encode()
    return files


def write(folder: Path, files: Files, check: Callable[[Path], None] = lambda folder: None) -> None:
    """Write the files of a project into `folder`, all of them or none.

    `check` gets the folder in which they are written first, and may raise. Raises `click.ClickException` where
    `folder` is there already, or cannot be written.
    """
    _refuse_what_is_there(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            made = Path(temporary, folder.name)
            for name, content in files.items():
                file = made / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            check(made)
            made.rename(folder)
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be written: {error.strerror or error}.") from error


def _refuse_what_is_there(folder: Path) -> None:
    if folder.exists() or folder.is_symlink():
        raise click.ClickException(f"{folder} is there already, and nothing is overwritten; choose another name.")


def _is_taken(name: str) -> bool:
    """Tell whether a package of this name would hide something, or be hidden."""
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name) or name == "tests":
        return True
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # what is there cannot be imported, and is there
        return True


def _suggestion(name: str) -> str:
    """Return a name that is much like another one and would do, "" where nothing comes to mind."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()[:_MOST_CHARACTERS].rstrip("_")
    plain = re.sub(r"^(?=\d)", "api_", plain)
    candidates = (plain, f"{plain}_api", f"my_{plain}") if plain else ()
    return next((one for one in candidates if one.isidentifier() and not _is_taken(one)), "")


def _choose(text: str, parts: frozenset[str]) -> str:
    """Return a text without its marks, and without what stands between those of other parts."""
    lines, skipped = [], ""
    for line in text.splitlines(keepends=True):
        mark = _MARK.fullmatch(line)
        if mark is None:
            lines += [] if skipped else [line]
        elif mark[1] == "<<<":
            skipped = ""
        elif mark[2] not in parts:
            skipped = mark[2]
    return "".join(lines)
