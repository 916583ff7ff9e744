"""Migrations: the folder that holds them, and how Alembic is run on the database of an application.

A folder is laid out as Flask-Migrate lays out its own, so that either tool can work on it. Each runs the folder's
`env.py` within the application's context; ours calls `run_migrations`.
"""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

import click
from alembic import command
from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations.ops import MigrationScript, UpgradeOps
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from flask import Flask, current_app
from sqlalchemy import Connection, Engine, LargeBinary, MetaData, event
from sqlalchemy.pool import StaticPool
from sqlalchemy.types import TypeEngine

from demijohn.resources import Bindings
from demijohn.resources.database import compare_by_code_points

__all__ = ["Folder", "State", "compare", "run_migrations", "unguarded"]

_TEMPLATES = Path(__file__).with_name("migration_files")
_FILES = {"env.py.txt": "env.py", "alembic.ini": "alembic.ini", "script.py.mako": "script.py.mako"}
# Any number will do that nothing else locks: "demijohn" in ASCII.
_LOCK = 0x64656D696A6F686E
_LOCK_NAME = "demijohn_migrations"
_LOCK_WAIT_S = 600


@dataclass(frozen=True, slots=True)
class State:
    """Say where a database is: the revisions that it is at, and what the models would change about it."""

    revisions: tuple[str, ...]
    changes: UpgradeOps


@dataclass(frozen=True, slots=True)
class Folder:
    """Be a folder of migrations. It need not be there yet."""

    path: Path
    app: Flask

    @property
    def exists(self) -> bool:
        """Tell whether there is a folder that Alembic can work on."""
        return (self.path / "env.py").is_file()

    @property
    def is_ours(self) -> bool:
        """Tell whether the folder was made by `demijohn db migrate`."""
        return "demijohn" in (self.path / "env.py").read_text(encoding="utf-8", errors="replace")

    def make(self) -> None:
        """Make the folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "versions").mkdir(exist_ok=True)
        for name, made in _FILES.items():
            shutil.copyfile(_TEMPLATES / name, self.path / made)

    def config(self, **attributes: Any) -> Config:
        """Return Alembic's configuration. Flask-Migrate's own, where the application has it, keeps its callbacks."""
        migrate = self.app.extensions.get("migrate")
        if not self.is_ours and migrate is None:
            raise click.ClickException(
                f"{self.path} holds migrations of another tool; its env.py is run as it is, and the application lacks"
                " the Migrate(app, db) of Flask-Migrate that it may ask for."
            )
        config: Config
        if migrate is not None:
            config = migrate.migrate.get_config(str(self.path))
        else:
            config = Config(str(self.path / "alembic.ini"))
        config.set_main_option("script_location", str(self.path).replace("%", "%%"))
        config.cmd_opts = config.cmd_opts or Namespace()
        config.cmd_opts.quiet = True
        config.attributes.update(attributes)
        return config

    def scripts(self) -> ScriptDirectory:
        """Return the migrations in the folder."""
        return ScriptDirectory.from_config(self.config())

    def state(self) -> State:
        """Look at the database as `env.py` sees it, and change nothing."""
        config = self.config()
        found: list[State] = []

        def look(revisions: Any, context: MigrationContext) -> Sequence[Any]:
            changes = produce_migrations(context, context.opts["target_metadata"]).upgrade_ops
            assert changes is not None
            found.append(State(tuple(revisions), changes))
            return []

        scripts = ScriptDirectory.from_config(config)
        with EnvironmentContext(config, scripts, fn=look, dont_mutate=True):
            scripts.run_env()
        return found[-1]

    def write(self, message: str, only: Callable[[MigrationScript], None], *, from_nothing: bool) -> Script | None:
        """Write a migration for what the models would change; None where that is nothing.

        `only` may take changes out of it. With `from_nothing` it makes all tables, whatever the database has.
        """

        def edit(context: MigrationContext, revision: Any, directives: list[MigrationScript]) -> None:
            only(directives[0])
            assert directives[0].upgrade_ops is not None
            if directives[0].upgrade_ops.is_empty():
                directives[:] = []

        options: dict[str, Any] = {"include_name": _no_table} if from_nothing else {}
        config = self.config(demijohn=options)
        made = command.revision(config, message, autogenerate=True, process_revision_directives=edit)
        return made[0] if isinstance(made, list) and made else made if isinstance(made, Script) else None


def _no_table(name: str | None, kind: str, parents: Any) -> bool:
    return kind != "table"


def _is_meant(connection: Connection, thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """Leave out what the models have for other databases, by `ddl_if`: `create_all` does not make it here either."""
    condition = getattr(thing, "_ddl_if", None)
    return condition is None or bool(condition._should_execute(None, thing, connection))


def compare(connection: Connection, metadatas: Sequence[MetaData]) -> UpgradeOps:
    """Return what the models would change about a database that has no migrations."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": _differ, "include_object": partial(_is_meant, connection)}
    )
    changes = produce_migrations(context, _one_or_all(metadatas)).upgrade_ops
    assert changes is not None
    return changes


def _one_or_all(metadatas: Sequence[MetaData]) -> Any:
    return metadatas[0] if len(metadatas) == 1 else list(metadatas)


def run_migrations(context: Any, **options: Any) -> None:
    """Run what an Alembic command wants, on the database of the current application; called by `env.py`.

    `context` is `alembic.context`. `options` go before what Demijohn says to `context.configure`: the metadata of all
    models, batches for SQLite, and a comparison of types that knows what each database makes of them.
    """
    if not current_app:
        raise CommandError("there is no application here: run `demijohn db ...`, or `flask db ...` with Flask-Migrate")
    resources: Bindings = current_app.extensions["demijohn"].resources
    engine, name = resources.database.engine, resources.database.dialect.name
    options = {
        "target_metadata": _one_or_all(resources.metadatas),
        "render_as_batch": name == "sqlite",
        "compare_type": _differ,
        **context.config.attributes.get("demijohn", {}),
        **options,
    }
    if context.is_offline_mode():
        context.configure(url=engine.url.render_as_string(hide_password=False), literal_binds=True, **options)
        with context.begin_transaction():
            context.run_migrations()
        return
    with unguarded(engine), engine.connect() as connection:
        if name == "sqlite":
            options.setdefault("transactional_ddl", True)
            _begin_at_once(connection)
        options.setdefault("include_object", partial(_is_meant, connection))
        context.configure(connection=connection, **options)
        with context.begin_transaction(), _alone(connection, name):
            if name != "sqlite" or _only_looks(context):
                context.run_migrations()
                return
            broken = _broken_references(connection)
            context.run_migrations()
            if _broken_references(connection) - broken:
                raise CommandError("rows would refer to rows that are not there any more; nothing is changed")


@contextmanager
def unguarded(engine: Engine) -> Iterator[None]:
    """Let new connections do what a migration needs, and requests must not.

    SQLite changes a table by making it anew; with foreign keys in force, dropping the old one would delete the rows
    that refer to it. Servers may take longer for a statement than a request may. New tables of MariaDB compare texts
    as those do that Demijohn makes itself.
    """

    def lift(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            driver.execute("PRAGMA foreign_keys = OFF")
            return
        with driver.cursor() as cursor:
            if connection.dialect.name == "postgresql":
                cursor.execute("SET statement_timeout = 0")
                return
            if getattr(connection.dialect, "is_mariadb", False):
                cursor.execute("SET max_statement_time = 0")
            driver._read_timeout = driver._write_timeout = None

    if engine in _unguarded:  # by the command around `env.py`
        yield
        return
    listeners: list[tuple[str, Any]] = [("engine_connect", lift)]
    if engine.dialect.name in ("mariadb", "mysql"):
        listeners.append(("before_cursor_execute", compare_by_code_points))
    for name, listener in listeners:
        event.listen(engine, name, listener, **({"retval": True} if listener is not lift else {}))
    _unguarded.add(engine)
    try:
        yield
    finally:
        _unguarded.discard(engine)
        for name, listener in listeners:
            event.remove(engine, name, listener)
        if not isinstance(engine.pool, StaticPool):
            engine.dispose()


_unguarded: WeakSet[Engine] = WeakSet()


def _begin_at_once(connection: Connection) -> None:
    """Have a transaction of SQLite's begin before its first statement; the driver only begins one before a change."""

    @event.listens_for(connection, "begin")
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            driver.execute("BEGIN IMMEDIATE")


@contextmanager
def _alone(connection: Connection, name: str) -> Iterator[None]:
    """Let one process at a time migrate a database; SQLite sees to that itself."""
    if name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if name != "mariadb":
        yield
        return
    connection.exec_driver_sql(f"SELECT GET_LOCK('{_LOCK_NAME}', {_LOCK_WAIT_S})")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"SELECT RELEASE_LOCK('{_LOCK_NAME}')")


def _only_looks(context: Any) -> bool:
    """Tell whether a command reads the database, to compare it or to write a migration, and changes nothing."""
    options = context.get_context().opts
    return bool(options.get("dont_mutate")) or "revision_context" in options


def _broken_references(connection: Connection) -> Counter[Any]:
    """Count the rows of SQLite that refer to rows that are not there, by their tables."""
    return Counter((table, other) for table, _, other, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"))


def _differ(
    context: MigrationContext, found: Any, wanted: Any, found_type: TypeEngine[Any], wanted_type: TypeEngine[Any]
) -> bool | None:
    """Tell whether the type of a column in the database is another one; None leaves it to Alembic."""
    dialect: Any = context.dialect
    if dialect.name == "sqlite":
        # What SQLite has no name for comes back as a number.
        known = wanted_type.compile(dialect).partition("(")[0].upper() in dialect.ischema_names
        return None if known else False
    if dialect.name in ("mariadb", "mysql") and isinstance(wanted_type, LargeBinary):
        # The length says which BLOB it becomes, and does not come back.
        return None if isinstance(found_type, LargeBinary) else False
    return None
