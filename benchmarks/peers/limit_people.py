"""The limit: a bare WSGI function that runs the statements Demijohn runs, and nothing else.

No routing to speak of, no validation, no header but two. Each thread keeps one connection, with the same
settings for durability as everyone else's.
"""

import sqlite3
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg

from peers.people import PRAGMAS, database_url

OBJECT = {
    "sqlite": "json_object('id', id, 'name', name, 'email', email, 'country', country, 'score', score, 'created_at',"
    " (replace(replace(created_at, ' ', 'T'), '.000000', '') || 'Z'))",
    "postgresql": """'{"id":' || CAST(id AS TEXT) || ',"name":' || CAST(to_json(CAST(name AS TEXT)) AS TEXT)"""
    """ || ',"email":' || CAST(to_json(CAST(email AS TEXT)) AS TEXT)"""
    """ || ',"country":' || CAST(to_json(CAST(country AS TEXT)) AS TEXT)"""
    """ || ',"score":' || CAST(score AS TEXT) || ',"created_at":'"""
    """ || CASE WHEN isfinite(created_at) THEN '"' || replace(to_char(timezone('UTC', created_at),"""
    """ 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z"' WHEN created_at IS NOT NULL THEN 'null' END || '}'""",
}

url = database_url()
database = url.get_backend_name()
mark = "?" if database == "sqlite" else "%s"
item = OBJECT[database]


def page(where: str, order: str) -> str:
    """Return the statement for one page of a list."""
    if database == "sqlite":
        return f"SELECT {item} AS json FROM person {where}ORDER BY {order} LIMIT ? OFFSET ?"
    rows = f"SELECT * FROM person {where}ORDER BY {order} LIMIT %s OFFSET %s"
    return f"SELECT {item} AS json FROM ({rows}) AS page ORDER BY {order}"


READ = f"SELECT {item} AS json FROM person WHERE id = {mark}"
LISTS = {
    (country, sort): page(where, order)
    for country, where in ((False, ""), (True, f"WHERE country = {mark} "))
    for sort, order in {
        None: "id",
        "name": "name, id",
        "-name": "name DESC, id DESC",
        "created_at": "created_at, id",
        "-created_at": "created_at DESC, id DESC",
    }.items()
}
CREATE = (
    "INSERT INTO person (name, email, country, score, created_at)"
    f" VALUES ({mark}, {mark}, {mark}, {mark}, {mark}) RETURNING {item} AS json"
)
PATCH = f"UPDATE person SET name = {mark}, score = {mark} WHERE id = {mark} RETURNING {item} AS json"

local = threading.local()


def connection() -> Any:
    """Return the thread's connection."""
    try:
        return local.connection
    except AttributeError:
        local.connection = connect()
        return local.connection


def connect() -> Any:
    """Open a connection."""
    if database == "postgresql":
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(conninfo, autocommit=True, prepare_threshold=0)
    opened = sqlite3.connect(url.database or "", isolation_level=None)
    for pragma in PRAGMAS:
        opened.execute(f"PRAGMA {pragma}")
    return opened


def read(sql: str, *values: Any) -> list[tuple[str]]:
    """Run a query."""
    rows: list[tuple[str]] = connection().execute(sql, values).fetchall()
    return rows


def write(sql: str, *values: Any) -> list[tuple[str]]:
    """Run a statement that writes, in a transaction of its own."""
    if database == "postgresql":
        return read(sql, *values)
    open_connection = connection()
    open_connection.execute("BEGIN IMMEDIATE")
    try:
        rows: list[tuple[str]] = open_connection.execute(sql, values).fetchall()
    except BaseException:
        open_connection.execute("ROLLBACK")
        raise
    open_connection.execute("COMMIT")
    return rows


def run(environ: dict[str, Any]) -> tuple[str, bytes]:
    """Return the status and the body."""
    method, id_ = environ["REQUEST_METHOD"], environ["PATH_INFO"][len("/api/people/") :]
    if method == "POST":
        new = orjson.loads(environ["wsgi.input"].read())
        now = datetime.now(UTC)
        moment = now if database == "postgresql" else now.strftime("%Y-%m-%d %H:%M:%S.%f")
        ((json,),) = write(CREATE, new["name"], new["email"], new["country"], new["score"], moment)
        return "201 Created", json.encode()
    if method == "PATCH":
        update = orjson.loads(environ["wsgi.input"].read())
        ((json,),) = write(PATCH, update["name"], update["score"], int(id_))
        return "200 OK", json.encode()
    if id_:
        ((json,),) = read(READ, int(id_))
        return "200 OK", json.encode()
    text = environ["QUERY_STRING"]
    query = dict([pair.split("=") for pair in text.split("&")]) if text else {}
    values = (query["country"],) if "country" in query else ()
    limit = int(query.get("limit", 20))
    rows = read(LISTS[bool(values), query.get("sort")], *values, limit + 1, 0)  # one more tells whether there is more
    return "200 OK", f"[{','.join([json for (json,) in rows[:limit]])}]".encode()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request."""
    status, body = run(environ)
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
