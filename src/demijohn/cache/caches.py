"""What keeps the answers of operations, from what the settings and the contract say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from flask import Flask

from demijohn.cache.memory import MemoryStore
from demijohn.cache.operation import OperationCache
from demijohn.compile.caching import credential_headers
from demijohn.compile.guards import Guard
from demijohn.compile.reuse import CachePolicy, Stamp
from demijohn.contract import Operation
from demijohn.errors import SettingError
from demijohn.settings import Settings, check_redis, unreadable_redis

if TYPE_CHECKING:
    from demijohn.cache.redis import RedisStore
    from demijohn.resources.bind import Bindings

__all__ = ["OperationCaches"]

_STORAGES = "memory, or an address that begins with redis://, rediss:// or redis+unix://"


class OperationCaches:
    """Make the caches of an application's operations, which share one memory, and the Redis that the settings name.

    `find_bindings` returns what the application has bound to its models, None where it has none; no storage is asked
    for anything yet. Raises `SettingError`.
    """

    def __init__(self, settings: Settings, app: Flask, find_bindings: Callable[[], Bindings | None]) -> None:
        self.memory = MemoryStore(settings.cache_memory_bytes)
        self._settings = settings
        self._app = app
        self._find_bindings = find_bindings
        self._shared = _open_shared(settings.cache_storage)

    def tables(self) -> Iterable[str]:
        """Return the tables of the application's models, whose changes are seen."""
        bindings = self._find_bindings()
        metadatas = () if bindings is None else bindings.metadatas
        return [table.name for one in metadatas for table in one.tables.values()]

    def cache(self, policy: CachePolicy, operation: Operation, guard: Guard | None) -> OperationCache:
        """Return what keeps the answers of an operation."""
        names = [one.name for one in operation.parameters if one.location == "header"]
        cookies = ["Cookie"] if any(one.location == "cookie" for one in operation.parameters) else []
        stamp: Callable[[], Stamp] = tuple
        database = ""
        bindings = self._find_bindings()
        if policy.tables and bindings is not None:
            stamp = _watch(bindings, policy.tables)
            database = bindings.database.engine.url.render_as_string(hide_password=False)
        identity = repr((self._app.name, database, operation))
        return OperationCache(
            policy,
            blake2b(identity.encode(), digest_size=20).digest(),
            self.memory,
            self._shared,
            stamp,
            headers=[*names, *cookies],
            credentials=[] if guard is None else list(credential_headers(guard)),
            is_guarded=guard is not None,
            most_entry_bytes=self._settings.cache_entry_bytes,
        )


def _watch(bindings: Bindings, tables: tuple[str, ...]) -> Callable[[], Stamp]:
    """Have the changes of tables seen; return what gives their versions."""
    from demijohn.resources.versions import metadata

    metadatas = bindings.metadatas
    bindings.keep(metadata)
    database = bindings.database
    database.versions.watch(tables, metadatas)
    return partial(database.versions.stamp, database, tables)


def _open_shared(storage: str) -> RedisStore | None:
    if storage == "memory":
        return None
    check_redis("cache_storage", storage, _STORAGES)
    from demijohn.cache.redis import RedisStore

    try:
        return RedisStore(storage)
    except ValueError:
        raise SettingError([unreadable_redis("cache_storage")]) from None
