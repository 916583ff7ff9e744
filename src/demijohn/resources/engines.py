"""From the address of a database to SQLAlchemy's engine for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool, StaticPool

from demijohn.errors import SettingError
from demijohn.settings import Settings

__all__ = [
    "MADE_AT",
    "AwayError",
    "Door",
    "check_transactions",
    "database_file",
    "engine_url",
    "in_words",
    "isolation_level",
    "new_engine",
]

_logger = logging.getLogger("demijohn")

# What each name in a URL stands for: Heroku's `postgres`, and the drivers that Demijohn's extras install.
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mariadb+pymysql": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
}
_EXTRAS = {"psycopg": "postgresql", "pymysql": "mariadb"}
_UNDONE = (
    "with which nothing can be undone; hand over an engine without it, and run what needs it on"
    ' engine.execution_options(isolation_level="AUTOCOMMIT")'
)
_ALLOWED = "sqlite:///file.db, postgresql://user@host/name or mariadb://user@host/name"

# After this many seconds without an answer a connection is asked whether it lives: three times, one second apart.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 1, "keepalives_count": 3}
# How long what was sent may stay without the other system's acknowledgement: its machine is gone.
_UNACKNOWLEDGED_MS = 4000
# Where a connection's `info` says when it was made.
MADE_AT = "demijohn_made_at"
# After a failed attempt to connect, others do not try for this long.
_AWAY_S = 0.5
# Who has waited this long for the pool does not wait as long for the network, and not less than psycopg can: 2 s.
_PATIENCE_S = 1.0
_LEAST_S = 2


def engine_url(url: str) -> URL:
    """Return an address with the driver that is used, and the path of an SQLite file made absolute.

    `sqlite://` is a database in memory. A relative path starts at the current folder, as it does for SQLAlchemy.
    Raises `SettingError` for what Demijohn cannot open.
    """
    try:
        made = make_url(url)
    except ArgumentError:
        # Without the text: it may hold a password.
        raise SettingError([f"database_url: found no address of a database, allowed is {_ALLOWED}"]) from None
    driver = _DRIVERS.get(made.drivername)
    if driver is None:
        raise SettingError([f"database_url: found {made.drivername}://, allowed is {_ALLOWED}"])
    made = made.set(drivername=driver)
    if driver == "sqlite" and made.database and not _is_uri(made) and made.database != ":memory:":
        made = made.set(database=str(Path(made.database).absolute()))
    return made


def _is_uri(url: URL) -> bool:
    return str(url.query.get("uri", "")).lower() in ("true", "1", "yes", "on")


def database_file(url: URL) -> Path | None:
    """Return the file of an SQLite database, None where it is in memory."""
    name = url.database or ":memory:"
    if _is_uri(url):
        if url.query.get("mode") == "memory" or "mode=memory" in name:
            return None
        name = unquote(urlsplit(name).path) if name.startswith("file:") else name
    return None if name in (":memory:", "") else Path(name).absolute()


def in_words(engine: Engine) -> str:
    """Return where the database is, for people and logs: without a password."""
    return engine.url.render_as_string(hide_password=True)


def isolation_level(made: Engine | Connection) -> str | None:
    """Return the isolation level that an engine or a connection was told to have, None where it was told none."""
    told: str | None = made.get_execution_options().get("isolation_level")
    return told or getattr(made.dialect, "_on_connect_isolation_level", None)


def check_transactions(engine: Engine) -> None:
    """Raise `SettingError` for an engine of the application's on which a change of several parts would not be one.

    In autocommit mode nothing can be undone, but on SQLite, where Demijohn says itself when a transaction begins.
    SQLAlchemy keeps to a level among the execution options on connections only that it gives out itself.
    """
    is_option = "isolation_level" in engine.get_execution_options()
    level = isolation_level(engine)
    if level == "AUTOCOMMIT" and (is_option or engine.dialect.name != "sqlite"):
        raise SettingError([f"the engine's isolation_level: found AUTOCOMMIT, {_UNDONE}"])
    if is_option:
        found = f"the engine's execution options: found isolation_level={level!r}, which not all connections keep to"
        raise SettingError([f"{found}; say it to create_engine: create_engine(url, isolation_level={level!r})"])


def new_engine(url: URL, settings: Settings) -> Engine:
    """Return an engine for an address that `engine_url` made. Raises `SettingError` where its driver is missing."""
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url)
        return _server_engine(url, settings)
    except (ModuleNotFoundError, NoSuchModuleError):
        extra = _EXTRAS[url.get_driver_name()]
        problem = f"database_url: {url.drivername} needs a driver that is not installed; pip install demijohn[{extra}]"
        raise SettingError([problem]) from None


def _sqlite_engine(url: URL) -> Engine:
    if database_file(url) is None:
        return create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    return create_engine(url)


def _server_engine(url: URL, settings: Settings) -> Engine:
    is_postgresql = url.get_backend_name() == "postgresql"
    arguments: dict[str, Any] = {"connect_timeout": settings.database_connect_timeout_s, "autocommit": True}
    if is_postgresql:
        arguments |= {"tcp_user_timeout": _UNACKNOWLEDGED_MS, **_KEEPALIVES}
    else:
        # Both stand for the handshake; `_bound` sets what stands for statements.
        arguments |= dict.fromkeys(("read_timeout", "write_timeout"), settings.database_connect_timeout_s)
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout_s,
        pool_recycle=settings.database_recycle_s,
        pool_use_lifo=True,
        pool_reset_on_return=None,
        connect_args=arguments,
    )

    # A reading request is one statement and one round trip: connections are in autocommit mode, and a transaction,
    # SQLAlchemy's too, says so when it begins.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        if is_postgresql:
            connection.prepared_max = None
        _bound(connection, settings.database_statement_timeout_s)

    return engine


def _bound(connection: Any, timeout_s: int) -> None:
    """Bound how long one statement may take: in the server, and, were that to hang, here."""
    with connection.cursor() as cursor:
        if hasattr(connection, "pgconn"):
            cursor.execute(f"SET statement_timeout = {timeout_s * 1000}")
            connection.timeout_s = timeout_s + 1
            return
        if "MariaDB" in connection.get_server_info():
            cursor.execute(f"SET max_statement_time = {timeout_s}")
        else:
            cursor.execute(f"SET max_execution_time = {timeout_s * 1000}")
    # PyMySQL looks at these two before each read and write; it has no other way to change them once connected.
    connection._read_timeout = connection._write_timeout = timeout_s + 1


class AwayError(Exception):
    """Tell that no connection was tried, because the last attempt failed and nothing else is to be expected."""


class Door:
    """Make the connections of an engine, and refuse at once while attempts fail: one at a time finds out.

    A request may have waited for a connection of the pool already; what it waits for the network is that much less.
    """

    def __init__(self, engine: Engine, *, is_ours: bool) -> None:
        self._name = in_words(engine)
        self._may_autocommit = is_ours or engine.dialect.name == "sqlite"
        self._make: Callable[..., Any] | None = None
        if is_ours and engine.driver == "psycopg":
            from demijohn.resources.bounded import BoundedConnection  # psycopg is an extra

            self._make = BoundedConnection.connect
        self._lock = threading.Lock()
        self._is_away = self._is_trying = False
        self._failed_at = 0.0
        self._request = threading.local()
        event.listen(engine, "do_connect", self._connect)

    def check_out(self, engine: Engine) -> PoolProxiedConnection:
        """Return a connection of the engine's pool, for as short a time as possible."""
        self._request.began_at = time.monotonic()
        try:
            return engine.raw_connection()
        finally:
            self._request.began_at = None

    def _connect(self, dialect: SqlDialect, record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        if not self._may_autocommit and options.get("autocommit"):
            raise SettingError([f"the engine's connections: found autocommit, {_UNDONE}"])
        now = time.monotonic()
        began_at = getattr(self._request, "began_at", None)
        waited_s = 0.0 if began_at is None else now - began_at
        with self._lock:
            if self._is_away:
                if self._is_trying or now - self._failed_at < _AWAY_S or waited_s > _PATIENCE_S:
                    raise AwayError
                self._is_trying = True
        if waited_s > _PATIENCE_S and "connect_timeout" in options:
            options = {**options, "connect_timeout": max(int(options["connect_timeout"] - waited_s), _LEAST_S)}
        is_away = True
        try:
            connection = (self._make or dialect.connect)(*arguments, **options)
            is_away = False
            record.info[MADE_AT] = now
            return connection
        except Exception as error:
            if not self._is_away or self._is_trying:
                _logger.error("The database %s takes no connection: %s", self._name, " ".join(str(error).split()))
            raise
        finally:
            with self._lock:
                self._is_away, self._is_trying, self._failed_at = is_away, False, time.monotonic()
