"""SQLite tables that are made anew: how Alembic changes them, whoever runs it, and no row is lost by that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event

__all__ = ["keep_referring_rows"]

# Alembic copies a table into one of this name, drops the old one, and renames the new one.
_BEGINS = "CREATE TABLE _alembic_tmp_"


def keep_referring_rows(engine: Engine) -> None:
    """Put foreign keys out of force on a connection on which Alembic makes a table anew.

    With them in force, `DROP TABLE` deletes the rows of the table first, and so those that refer to them ON DELETE
    CASCADE. `demijohn db` sees to that by itself; this is for Flask-Migrate's `flask db`, and for Alembic alone.
    """

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        if not statement.lstrip().startswith(_BEGINS):
            return
        driver = connection.connection.driver_connection
        if driver.execute("PRAGMA foreign_keys").fetchone() == (0,):
            return
        if driver.in_transaction:
            raise RuntimeError(
                "making a table anew would delete the rows that refer to it, and foreign keys cannot be put out of"
                " force within a transaction: run `demijohn db upgrade`"
            )
        driver.execute("PRAGMA foreign_keys = OFF")
        connection.connection.record_info["demijohn_foreign_keys"] = True

    @event.listens_for(engine, "checkin")
    def end(driver: Any, record: Any) -> None:
        if driver is not None and record.info.pop("demijohn_foreign_keys", False):
            driver.execute("PRAGMA foreign_keys = ON")
