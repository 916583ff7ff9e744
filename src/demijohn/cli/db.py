"""`demijohn db`: the tables of an application, made at once or by migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from alembic import command
from alembic.operations.ops import MigrationScript
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from flask import Flask
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from demijohn.cli.differences import differences
from demijohn.cli.lacks import Lacks
from demijohn.cli.migrations import Folder, compare, unguarded
from demijohn.cli.problems import count
from demijohn.cli.resources import open_resources
from demijohn.cli.target import Factory, Found, find
from demijohn.resources import Bindings, idempotency
from demijohn.resources.database import create_tables
from demijohn.resources.engines import database_file

__all__ = ["db"]

# What the first migration does where a second one has the message that was given.
_FIRST = "make the tables"


@click.group(short_help="Create the tables of TARGET, and change them by migrations.")
def db() -> None:
    """Create the tables of TARGET, an application with models, and change them by migrations.

    Migrations are Alembic's. Their folder is made by the first `migrate`; one that Flask-Migrate made will do.
    """


_target = click.argument("target")
_directory = click.option(
    "--directory", type=click.Path(file_okay=False, path_type=Path), help="Of migrations: `migrations` beside TARGET."
)


@dataclass(frozen=True, slots=True)
class _Work:
    """Be the database of an application, with the folder of its migrations."""

    target: str
    resources: Bindings
    folder: Folder

    @property
    def engine(self) -> Engine:
        return self.resources.database.engine

    def present(self) -> set[str]:
        """Return which of the tables that have to be there are there."""
        inspector = inspect(self.engine)
        tables = [table for metadata in self.resources.metadatas for table in metadata.sorted_tables]
        return {table.fullname for table in tables if inspector.has_table(table.name, schema=table.schema)}

    def foreign(self) -> set[str]:
        """Return the tables that migrations of another tool leave alone: Demijohn's own."""
        is_foreign = self.folder.exists and not self.folder.is_ours
        own = (idempotency.metadata, *self.resources.own_metadatas)
        return {name for metadata in own for name in metadata.tables} if is_foreign else set()


@contextmanager
def _work(target: str, directory: Path | None) -> Iterator[_Work]:
    """Open an application for a command; what goes wrong with its database or migrations is told in a sentence."""
    found = find(target)
    app, resources = open_resources(found, target)
    folder = Folder(_place(app, found, directory), app)
    file = database_file(resources.database.engine.url) if resources.database.dialect.name == "sqlite" else None
    try:
        if file is not None:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with app.app_context(), unguarded(resources.database.engine):
            yield _Work(target, resources, folder)
    except CommandError as error:
        text = str(error)
        raise click.ClickException(text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")) from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise click.ClickException(f"The database refuses it: {str(cause).strip()}") from error


def _place(app: Flask, found: Found, directory: Path | None) -> Path:
    """Return where migrations are: where Flask-Migrate has them, else beside the application."""
    if directory is not None:
        return directory.absolute()
    migrate = app.extensions.get("migrate")
    if migrate is not None and Path(migrate.directory, "env.py").is_file():
        return Path(migrate.directory).absolute()
    folder = found.folder.resolve()
    return (folder.parent if isinstance(found, Factory) and folder.name == "src" else folder) / "migrations"


@db.command()
@_target
@_directory
def create(target: str, directory: Path | None) -> None:
    """Create all tables of TARGET in a new database.

    Where there are migrations, the database is marked as up to date. One that holds tables of TARGET already gets
    those that are missing, unless there are migrations: then `upgrade` is what it needs.
    """
    with _work(target, directory) as work:
        head = _heads(work.folder.scripts()) if work.folder.exists else ()
        present = work.present() if head else ()
        if present:
            raise click.ClickException(
                f"The database is not new: it has {_listed(sorted(present))}. Run `demijohn db upgrade {target}`."
            )
        made = create_tables(work.engine, work.resources.metadatas)
        click.echo(f"Created {_listed(made)}." if made else "All tables are there already.")
        if head:
            command.stamp(work.folder.config(), "heads")
            click.echo(f"The database is at {_listed(head)}.")


@db.command()
@_target
@click.option("-m", "--message", required=True, help="What the migration does, in a few words.")
@_directory
def migrate(target: str, message: str, directory: Path | None) -> None:
    """Write a migration for what the models of TARGET have become.

    The database has to be up to date. Read the migration before you run it: a renamed column, for one, is written
    as one that goes and one that comes. The first one makes all tables; where the database has them already and the
    models have more by now, it makes those of the database, and a second one adds the rest.
    """
    with _work(target, directory) as work:
        is_first = not work.folder.exists or (work.folder.is_ours and not _heads(work.folder.scripts()))
        lacks = _lacks(work) if is_first and work.present() else None
        if not work.folder.exists:
            work.folder.make()
        if lacks is not None:
            first = work.folder.write(_FIRST if lacks else message, lacks.take_out, from_nothing=True)
            if first is not None:
                click.echo(f"Wrote {_seen(Path(first.path))}.")
            command.stamp(work.folder.config(), "heads")
            click.echo("The database has these tables already, and is marked as up to date.")
            if not lacks:
                return
        made = work.folder.write(message, _leave_own_tables(work), from_nothing=is_first and lacks is None)
        if made is None:
            click.echo("The models are as the migrations have them: there is nothing to write.")
            return
        click.echo(f"Wrote {_seen(Path(made.path))}.")
        click.echo(f"Read it, then run `demijohn db upgrade {target}`.")


@db.command()
@_target
@click.argument("revision", default="heads")
@_directory
def upgrade(target: str, revision: str, directory: Path | None) -> None:
    """Run the migrations of TARGET up to REVISION, or all of them.

    REVISION is one of a migration, or a number of steps: +1.
    """
    _move(target, directory, revision, command.upgrade)


@db.command(context_settings={"ignore_unknown_options": True})
@_target
@click.argument("revision", default="-1")
@_directory
def downgrade(target: str, revision: str, directory: Path | None) -> None:
    """Undo the last migration of TARGET, or all that came after REVISION.

    REVISION is one of a migration, a number of steps: -2, or base, which undoes all of them.
    """
    _move(target, directory, revision, command.downgrade)


@db.command()
@_target
@_directory
def check(target: str, directory: Path | None) -> None:
    """Tell whether the database of TARGET is up to date, and as its models describe it.

    The exit status is 0 if it is, and 1 if not: every difference is listed.
    """
    with _work(target, directory) as work:
        lines: list[str] = []
        at = "There are no migrations"
        if work.folder.exists:
            scripts, state = work.folder.scripts(), work.folder.state()
            lines += _pending(scripts, state.revisions, target)
            changes, at = state.changes, f"The database is at {_listed(state.revisions) or 'no revision'}"
        else:
            with work.engine.connect() as connection:
                changes = compare(connection, work.resources.metadatas)
        lines += differences(changes, work.foreign())
        for line in lines:
            click.echo(line)
        if lines:
            click.echo(f"{at}; {count(len(lines), 'difference')}.")
            raise SystemExit(1)
        click.echo(f"{at}; it is as the models describe it.")


def _move(target: str, directory: Path | None, revision: str, run: Callable[..., None]) -> None:
    with _work(target, directory) as work:
        if not work.folder.exists or not _heads(work.folder.scripts()):
            raise click.ClickException(
                f"There are no migrations in {_seen(work.folder.path)}. `demijohn db migrate {target} -m ...` writes"
                f" one; `demijohn db create {target}` makes the tables without."
            )
        scripts = work.folder.scripts()
        before = work.folder.state().revisions
        run(work.folder.config(), revision)
        if run is command.upgrade and not work.folder.is_ours:
            # Migrations that Flask-Migrate writes do not know them.
            create_tables(work.engine, work.resources.own_metadatas)
        after = work.folder.state().revisions
        for script in _between(scripts, before, after):
            click.echo(f"  + {_told(script)}")
        for script in _between(scripts, after, before):
            click.echo(f"  - {_told(script)}")
        click.echo(f"The database is at {_listed(after)}." if after else "The database is at no revision.")


def _heads(scripts: ScriptDirectory) -> tuple[str, ...]:
    return tuple(scripts.get_heads())


def _between(scripts: ScriptDirectory, lower: Sequence[str], upper: Sequence[str]) -> list[Script]:
    """Return the migrations that lie behind `upper` and not behind `lower`, in the order in which they are run."""
    below = {one.revision for one in scripts.iterate_revisions(tuple(lower), "base")} if lower else set()
    above = list(scripts.iterate_revisions(tuple(upper), "base")) if upper else []
    return [one for one in reversed(above) if one.revision not in below]


def _pending(scripts: ScriptDirectory, revisions: Sequence[str], target: str) -> Iterator[str]:
    """Yield what keeps a database from being up to date, as far as its migrations go."""
    known = {one.revision for one in scripts.walk_revisions()}
    for one in revisions:
        if one not in known:
            yield f"the database is at the revision {one}, which is not in {_seen(Path(scripts.dir))}"
    if set(revisions) <= known:
        for script in _between(scripts, revisions, _heads(scripts)):
            yield f"the migration {_told(script)} has not been run: run `demijohn db upgrade {target}`"


def _lacks(work: _Work) -> Lacks:
    """Return what a database without migrations lacks; refuse one that differs from its models in another way."""
    with work.engine.connect() as connection:
        changes = compare(connection, work.resources.metadatas)
    lacks = Lacks.of(changes)
    if lacks is None:
        raise click.ClickException(
            "\n".join(
                [
                    "The first migration makes the tables that the database has, and the models have changed since:",
                    *(f"  {line}" for line in differences(changes)),
                    "Take the changes back (git stash), write the first migration, make the changes again (git stash"
                    " pop), and write the second. Or begin with an empty database.",
                ]
            )
        )
    return lacks


def _leave_own_tables(work: _Work) -> Callable[[MigrationScript], None]:
    """Return what keeps Demijohn's own tables from being dropped by migrations that do not know them."""
    foreign = work.foreign()

    def edit(script: MigrationScript) -> None:
        for changes in (script.upgrade_ops, script.downgrade_ops):
            if changes is not None:
                changes.ops[:] = [one for one in changes.ops if getattr(one, "table_name", None) not in foreign]

    return edit


def _told(script: Script) -> str:
    return f"{script.revision} ({script.doc})" if script.doc else script.revision


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _seen(path: Path) -> str:
    """Return a path as seen from here, where it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
