"""What the databases do differently, one module each."""

from sqlalchemy import Engine

from demijohn.errors import SettingError
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.dialects.sqlite import Sqlite

__all__ = ["dialect_for"]


def dialect_for(engine: Engine) -> Dialect:
    """Return what writes SQL for the database of an engine. Raises `SettingError` for one that is not known."""
    name = engine.dialect.name
    if name == "sqlite":
        return Sqlite(engine.dialect)
    if name == "postgresql":
        from demijohn.resources.dialects.postgresql import Postgresql

        return Postgresql(engine.dialect)
    if name in ("mysql", "mariadb"):
        from demijohn.resources.dialects.mariadb import Mariadb

        return Mariadb(engine.dialect)
    raise SettingError([f"the database: found {name}, allowed is SQLite, PostgreSQL or MariaDB"])
