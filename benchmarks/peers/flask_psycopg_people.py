"""Flask alone, on PostgreSQL only: SQL by hand over psycopg and its pool, checks by hand, JSON by Flask."""

import re
from datetime import datetime
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from peers.people import EMAIL, POOL_SIZE, SORTS, database_url

COLUMNS = "id, name, email, country, score, created_at"
COUNTRY = re.compile(r"[A-Z]{2}")
ADDRESS = re.compile(EMAIL)

app = Flask(__name__)
url = database_url().set(drivername="postgresql").render_as_string(hide_password=False)
pool = ConnectionPool(
    url, min_size=1, max_size=POOL_SIZE, kwargs={"autocommit": True, "row_factory": dict_row}, open=True
)


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """Write the moment as text."""
    created_at: datetime = row["created_at"]
    return {**row, "created_at": created_at.isoformat().replace("+00:00", "Z")}


def check(body: Any, required: set[str], optional: set[str]) -> dict[str, Any]:
    """Answer 400 unless the body has the right properties and these have the right values."""
    if not isinstance(body, dict) or not required <= body.keys() <= required | optional:
        abort(400, "missing or unknown properties")
    name, email, country, score = (body.get(key) for key in ("name", "email", "country", "score"))
    if "name" in body and not (isinstance(name, str) and 1 <= len(name) <= 100):
        abort(400, "wrong name")
    if "email" in body and not (isinstance(email, str) and len(email) <= 120 and ADDRESS.fullmatch(email)):
        abort(400, "wrong email")
    if "country" in body and not (isinstance(country, str) and COUNTRY.fullmatch(country)):
        abort(400, "wrong country")
    if "score" in body and not (type(score) is int and 0 <= score <= 1000):
        abort(400, "wrong score")
    return body


@app.get("/api/people")
def list_people() -> Response:
    """Answer the first people."""
    limit, country, sort = (request.args.get(name) for name in ("limit", "country", "sort"))
    if limit is not None and not (limit.isdecimal() and 1 <= int(limit) <= 100):
        abort(400, "wrong limit")
    if country is not None and not COUNTRY.fullmatch(country):
        abort(400, "wrong country")
    if sort is not None and sort not in SORTS:
        abort(400, "wrong sort")
    order = "id" if sort is None else sort.lstrip("-") + (" DESC" if sort.startswith("-") else "")
    where = "" if country is None else "WHERE country = %(country)s"
    query = f"SELECT {COLUMNS} FROM person {where} ORDER BY {order} LIMIT %(limit)s"
    with pool.connection() as connection:
        rows = connection.execute(query.encode(), {"country": country, "limit": int(limit or 20)}).fetchall()
    return jsonify([as_json(row) for row in rows])


@app.get("/api/people/<int:person_id>")
def read_person(person_id: int) -> Response:
    """Answer one person, or 404."""
    with pool.connection() as connection:
        row = connection.execute(f"SELECT {COLUMNS} FROM person WHERE id = %s".encode(), [person_id]).fetchone()
    if row is None:
        abort(404)
    return jsonify(as_json(row))


@app.post("/api/people")
def create_person() -> tuple[Response, int]:
    """Store a new person, or answer 409."""
    new = check(request.get_json(), {"name", "email", "country", "score"}, set())
    statement = (
        "INSERT INTO person (name, email, country, score, created_at)"
        f" VALUES (%(name)s, %(email)s, %(country)s, %(score)s, now()) RETURNING {COLUMNS}"
    )
    with pool.connection() as connection:
        try:
            row = connection.execute(statement.encode(), new).fetchone()
        except UniqueViolation:
            abort(409)
    assert row is not None
    return jsonify(as_json(row)), 201


@app.patch("/api/people/<int:person_id>")
def change_person(person_id: int) -> Response:
    """Change a person, or answer 404."""
    update = check(request.get_json(), set(), {"name", "score"})
    if not update:
        abort(400, "nothing to change")
    sets = ", ".join(f"{name} = %({name})s" for name in update)
    statement = f"UPDATE person SET {sets} WHERE id = %(id)s RETURNING {COLUMNS}"
    with pool.connection() as connection:
        row = connection.execute(statement.encode(), {**update, "id": person_id}).fetchone()
    if row is None:
        abort(404)
    return jsonify(as_json(row))
