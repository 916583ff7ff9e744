"""`demijohn demo`: the four examples in one process, below one page that shows them."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click
from flask import Flask

from demijohn.cli.examples import EXAMPLES, Example
from demijohn.cli.problems import tell
from demijohn.cli.resources import verify
from demijohn.cli.server import THREADS, address_of, claim, listening, serve
from demijohn.cli.serving import for_threads, in_a_worker
from demijohn.cli.start_page import Shown, start_page
from demijohn.cli.target import Options, environment, find, open_application, state_of
from demijohn.cli.users import add_user
from demijohn.compile import importable
from demijohn.errors import MismatchError
from demijohn.turns import Wsgi

__all__ = ["Demo", "demo"]

_SECRET_BYTES = 48
_PASSWORD_BYTES = 9
_ACCOUNTS = "accounts.txt"


@dataclass(frozen=True, slots=True)
class Demo:
    """Hold where the data is, and the examples that are there with what each is found by; picklable for the workers."""

    folder: Path
    targets: tuple[tuple[str, str], ...]

    def application(self) -> Wsgi:
        """Return all of it as one WSGI application."""
        from werkzeug.middleware.dispatcher import DispatcherMiddleware

        apps = {name: for_threads(self.open(name, target), THREADS) for name, target in self.targets}
        shown = [
            Shown(one, state_of(apps[one.name]).apis[0].base_path if one.name in apps else None) for one in EXAMPLES
        ]
        return DispatcherMiddleware(start_page(shown).wsgi_app, {f"/{name}": app for name, app in apps.items()})

    def open(self, name: str, target: str) -> Flask:
        """Return one example, with its data, keys and secret in the folder."""
        variables = {
            "DATABASE_URL": f"sqlite:///{self._database(name)}",
            "DEMIJOHN_TOKEN_KEYS": str(self.folder / f"{name}-keys"),
            "SECRET_KEY": self._secret(),
        }
        with environment(variables):
            return open_application(find(target), Options(target))

    def prepare(self) -> None:
        """Make the databases that are not there yet, with sample data in them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, target in self.targets:
            database = self._database(name)
            if database.exists():
                self._check(name, target)
                continue
            try:
                self._fill(name, self.open(name, target))
            except BaseException:
                for file in self.folder.glob(f"{database.name}*"):  # half of the data would stay for good
                    file.unlink()
                raise

    def accounts(self) -> list[str]:
        """Return the accounts of the sample data, each with its password."""
        with suppress(FileNotFoundError):
            return (self.folder / _ACCOUNTS).read_text(encoding="utf-8").splitlines()
        return []

    def _check(self, name: str, target: str) -> None:
        try:
            verify(self.open(name, target))
        except MismatchError as error:
            tell(error)
            raise click.ClickException(
                f"The data of {name} were made for other models. Delete {self.folder}: the next start makes new ones."
            ) from error

    def _fill(self, name: str, app: Flask) -> None:
        """Load the samples of an example, and make an account for each of its `ROLES`: both of its module `samples`."""
        verify(app)  # which makes the tables
        try:
            samples = import_module(f"{name}.samples")
        except ModuleNotFoundError as error:
            if error.name != f"{name}.samples":
                raise
            return
        with app.app_context():
            samples.load_samples()
        accounts = state_of(app).accounts
        if accounts is None:
            return
        descriptor = os.open(self.folder / _ACCOUNTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            for role in samples.ROLES:
                email, password = f"{role}@example.org", secrets.token_urlsafe(_PASSWORD_BYTES)
                add_user(accounts, {"username": role, "email": email}, [role], password)
                file.write(f"{name}: {email}, password {password}\n")

    def _secret(self) -> str:
        file = self.folder / "secret"
        with (
            suppress(FileExistsError),
            os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new,
        ):
            new.write(secrets.token_urlsafe(_SECRET_BYTES))
        return file.read_text(encoding="utf-8")

    def _database(self, name: str) -> Path:
        return self.folder / f"{name}.sqlite"


@click.command()
@click.option(
    "--folder",
    default="instance/demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the data is kept.",
)
@listening
def demo(folder: Path, host: str, port: int) -> None:
    """Serve the examples, with sample data, below one page.

    They are People, Directory, Blog and Library, each an application of its own. Those that are installed are served,
    and those in the folder `examples` of the working directory: that of a clone.
    """
    found = [(one.name, target) for one in EXAMPLES if (target := _find(one)) is not None]
    targets = tuple((name, target) for name, target in found if not _lacks_something(name, target))
    if not found:
        raise click.ClickException(
            "The examples are not here. They are no part of the package: clone Demijohn's repository and run"
            " `make demo` there, or install them from it (pip install ./examples/people ./examples/directory"
            " ./examples/blog ./examples/library)."
        )
    shown = Demo(folder.resolve(), targets)
    address, port = claim(host, port)
    try:
        shown.prepare()
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be written: {error.strerror or error}.") from error
    line = _told(shown, address_of(address, port), folder)
    serve(partial(worker, shown), line, address, port, workers=1, threads=THREADS, grace_s=10)


def worker(shown: Demo) -> Wsgi:
    """Return the application of a worker."""
    return in_a_worker(shown.application, THREADS)


def _find(example: Example) -> str | None:
    """Return the target of an example: its folder in a clone, else its module where it is installed."""
    folder = Path("examples", example.name)
    if (folder / example.name / "__init__.py").is_file():
        return str(folder.resolve())
    try:
        distribution(f"demijohn-{example.name}")
    except PackageNotFoundError:
        return None
    return f"{example.name}:create_app"


def _lacks_something(name: str, target: str) -> bool:
    """Tell whether an example needs a package that is not there, and say which."""
    try:
        with importable([find(target).folder.resolve()]):
            import_module(name)
    except ModuleNotFoundError as error:
        click.echo(f"{name} is left out: it needs {error.name}; pip install ./examples/{name}", err=True)
        return True
    return False


def _told(shown: Demo, root: str, folder: Path) -> str:
    lines = [f"Serving the examples at {root}/"]
    found = dict(shown.targets)
    for one in EXAMPLES:
        where = f"{root}/{one.name}{one.page}" if one.name in found else "not installed"
        lines.append(f"  {one.title:<10} {where}")
    accounts = shown.accounts()
    if accounts:
        lines += ["Accounts, beside those that you register:", *(f"  {one}" for one in accounts)]
    return "\n".join([*lines, f"Data in {folder}, Ctrl-C to stop"])
