"""TARGET, as typed on the command line, to a Flask application."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import click
from flask import Flask

from demijohn.app import Demijohn, State, collector_paused
from demijohn.cli.problems import located
from demijohn.compile import importable
from demijohn.errors import StartError
from demijohn.settings import PREFIX, Settings, Unbound

__all__ = ["ContractFile", "Factory", "Found", "Options", "environment", "find", "open_application", "state_of"]

SUFFIXES = (".yaml", ".yml", ".json")
_NAMES = ("openapi", "swagger")
_MODULES = ("app.py", "wsgi.py")
_ENTRIES = ("create_app", "app")


@dataclass(frozen=True, slots=True)
class Options:
    """Hold what the command line says of an application; small, and picklable for the workers."""

    target: str
    base_path: str | None = None
    unbound: Unbound | None = None
    strict: bool = False

    def settings(self) -> dict[str, str]:
        """Return the settings that the command line gives, by the names of their environment variables."""
        given = {PREFIX + "STRICT": "true"} if self.strict else {}
        return given if self.unbound is None else {**given, PREFIX + "UNBOUND": self.unbound}


@dataclass(frozen=True, slots=True)
class ContractFile:
    """Point to a contract; its operationIds are importable from its folder."""

    path: Path

    @property
    def folder(self) -> Path:
        """Return the folder that the contract's files are in."""
        return self.path.parent

    @property
    def folders(self) -> list[Path]:
        """Return the folders that a contract may be in, the likeliest first."""
        return [self.folder]


@dataclass(frozen=True, slots=True)
class Factory:
    """Point to an application, or to the function that makes it; `folder` makes the module importable."""

    module: str
    attribute: str
    folder: Path

    @property
    def folders(self) -> list[Path]:
        """Return the folders that a contract may be in, the likeliest first."""
        module = self.folder.joinpath(*self.module.split("."))
        return [module, module.parent, self.folder, Path.cwd()]

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"


Found: TypeAlias = ContractFile | Factory


def find(target: str) -> Found:
    """Return what TARGET means; raise `click.ClickException` where it means nothing, or several things."""
    path = Path(target)
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        if path.suffix.lower() in SUFFIXES:
            return ContractFile(path.resolve())
        raise click.ClickException(f"{target} is no contract: its name does not end in {', '.join(SUFFIXES)}.")
    module, colon, attribute = target.partition(":")
    if colon and all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")]):
        return Factory(module, attribute, Path.cwd())
    raise click.ClickException(
        f"{target} was not found. TARGET is a contract (openapi.yaml), a Python application "
        "(module:factory or module:app), or a folder that holds one of them."
    )


def open_application(found: Found, options: Options) -> Flask:
    """Return the application, every problem of which is known then.

    Raises `StartError` for what Demijohn finds wrong and `click.ClickException` for everything else.
    """
    try:
        with collector_paused():
            return _open(found, options)
    except StartError as error:
        raise type(error)(located(error.problems, found.folders)) from error


def _open(found: Found, options: Options) -> Flask:
    if isinstance(found, ContractFile):
        app = Flask(found.path.stem, root_path=str(found.folder), static_folder=None)
        settings = Settings.load(options.settings(), os.environ)
        Demijohn(app, settings=settings).add_contract(found.path, base_path=options.base_path)
        return app
    if options.base_path is not None:
        raise click.UsageError("--base-path is for a contract file; an application sets its own base path.")
    with importable([found.folder.resolve(), Path.cwd()]), environment(options.settings()):
        app = _make(found)
    state_of(app)
    return app


def state_of(app: Flask) -> State:
    """Return what Demijohn keeps of an application."""
    state: State | None = app.extensions.get("demijohn")
    if state is None or not state.apis:
        raise click.ClickException("The application serves no contract: call Demijohn(app).add_contract(...).")
    return state


def _in_folder(folder: Path) -> Found:
    """Return the one application of a folder, else its one contract."""
    if _entry(folder / "__init__.py") is not None:
        return _factory(folder / "__init__.py")
    packages = [below / "__init__.py" for root in (folder, folder / "src") for below in _folders(root)]
    modules = [folder / name for name in _MODULES]
    applications = [_factory(file) for file in [*modules, *packages] if _entry(file) is not None]
    if len(applications) == 1:
        return applications[0]
    if applications:
        raise click.ClickException(f"{folder} holds several applications: {', '.join(map(str, applications))}.")
    contracts = [folder / (name + suffix) for name in _NAMES for suffix in SUFFIXES]
    contracts = [file for file in contracts if file.is_file()]
    if len(contracts) == 1:
        return ContractFile(contracts[0].resolve())
    if contracts:
        raise click.ClickException(f"{folder} holds several contracts: {', '.join(map(str, contracts))}.")
    raise click.ClickException(
        f"{folder} holds nothing to serve. Looked for {', '.join(_MODULES)} or a package with "
        f"{' or '.join(_ENTRIES)}, and for {' or '.join(name + '.*' for name in _NAMES)}."
    )


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _factory(file: Path) -> Factory:
    """Return the application in a module or package."""
    entry = _entry(file)
    assert entry is not None
    file = file.resolve()
    if file.name == "__init__.py":
        return Factory(file.parent.name, entry, file.parent.parent)
    return Factory(file.stem, entry, file.parent)


def _entry(file: Path) -> str | None:
    """Return the name of the application in a Python file, which is read and not run."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    names = {name for statement in tree.body for name in _names(statement)}
    return next((name for name in _ENTRIES if name in names), None)


def _names(statement: ast.stmt) -> Iterator[str]:
    """Yield what a statement defines that may be an application."""
    match statement:
        case ast.FunctionDef(name="create_app"):
            yield "create_app"
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name for alias in aliases)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while: the way in to the settings of an application that is not ours."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _make(factory: Factory) -> Flask:
    found = _import(factory)
    if not isinstance(found, Flask):
        if not callable(found):
            raise click.ClickException(f"{factory} is a {type(found).__name__} and no Flask application.")
        try:
            inspect.signature(found).bind()
        except TypeError as error:
            raise click.ClickException(f"{factory} cannot be called without arguments: {error}.") from error
        try:
            found = found()
        except (StartError, click.ClickException):
            raise
        except Exception as error:
            raise _failure(f"{factory}() failed", error) from error
    if not isinstance(found, Flask):
        raise click.ClickException(f"{factory}() returned a {type(found).__name__} and no Flask application.")
    return found


def _import(factory: Factory) -> Any:
    try:
        found: Any = importlib.import_module(factory.module)
    except (StartError, click.ClickException):
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{factory.module}.".startswith(f"{error.name}."):
            where = f"in {factory.folder} or on the import path"
            raise click.ClickException(f"There is no module {factory.module!r} {where}.") from error
        raise _failure(f"Importing {factory.module} failed", error) from error
    except Exception as error:  # a module of the user's may raise anything
        raise _failure(f"Importing {factory.module} failed", error) from error
    for name in factory.attribute.split("."):
        if not hasattr(found, name):
            offered = [one for one in _ENTRIES if hasattr(found, one)]
            hint = f"; it has {' and '.join(offered)}" if offered else ""
            raise click.ClickException(f"{factory.module} has no {factory.attribute!r}{hint}.")
        found = getattr(found, name)
    return found


def _failure(what: str, error: Exception) -> click.ClickException:
    """Return the error with the line of the user's code that it comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    here = str(Path(__file__).parent)
    own = [frame for frame in frames if not frame.filename.startswith((here, "<frozen"))]
    if isinstance(error, SyntaxError):
        place = f" ({error.filename}:{error.lineno})"
    else:
        place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return click.ClickException(f"{what}: {type(error).__name__}: {error}{place}")
