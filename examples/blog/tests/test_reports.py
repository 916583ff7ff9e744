"""The monthly report: a plain Flask blueprint that asks the same caller, and answers errors in the same form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

SignIn = Callable[..., dict[str, str]]
Check = Callable[..., dict[str, Any]]


def put_at(app: Flask, table: str, moments: list[datetime]) -> None:
    """Give each row of a table, in order, the time at which it was made."""
    db = app.extensions["sqlalchemy"]
    rows = db.metadata.tables[table]
    with app.app_context():
        for key, moment in enumerate(moments, 1):
            db.session.execute(rows.update().where(rows.c.id == key).values(created_at=moment))
        db.session.commit()


def test_a_report_counts_users_and_posts_by_month(app: Flask, client: FlaskClient, sign_in: SignIn) -> None:
    root, alice = sign_in("root", role="admin"), sign_in("alice")
    for _ in range(4):
        client.post("/posts", json={"title": "Hello", "body": "Again."}, headers=alice)
    put_at(app, "users", [datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)])
    times = [(2026, 1, 31, 23, 59, 59), (2026, 2, 1, 0, 0, 0), (2026, 12, 31, 23, 59, 59), (2027, 1, 1, 0, 0, 0)]
    put_at(app, "posts", [datetime(*time, tzinfo=UTC) for time in times])
    response = client.get("/reports/monthly?year=2026", headers=root)
    assert response.status_code == 200, response.text
    report = response.get_json()
    assert report["year"] == 2026
    assert [month["month"] for month in report["months"]] == list(range(1, 13))
    assert [month["users"] for month in report["months"]] == [1] + [0] * 11
    assert [month["posts"] for month in report["months"]] == [1, 1] + [0] * 9 + [1]


def test_a_year_without_anything_is_all_zero(client: FlaskClient, sign_in: SignIn) -> None:
    report = client.get("/reports/monthly?year=2001", headers=sign_in("root", role="admin")).get_json()
    assert {(month["users"], month["posts"]) for month in report["months"]} == {(0, 0)}


def test_members_get_no_report(client: FlaskClient, sign_in: SignIn, problem: Check) -> None:
    problem(client.get("/reports/monthly?year=2026"), 401)
    problem(client.get("/reports/monthly?year=2026", headers=sign_in("alice")), 403)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["year"]),
        ("?year=", ["year"]),
        ("?year=soon", ["year"]),
        ("?year=1999", ["year"]),
        ("?year=99999999999999999999", ["year"]),
        ("?year=2026&colour=red", ["colour"]),
        ("?colour=red", ["colour", "year"]),
    ],
)
def test_every_fault_of_a_query_is_told(
    client: FlaskClient, sign_in: SignIn, problem: Check, query: str, names: list[str]
) -> None:
    document = problem(client.get(f"/reports/monthly{query}", headers=sign_in("root", role="admin")), 400)
    assert sorted(error["name"] for error in document["errors"]) == names
    assert all(error["in"] == "query" and error["detail"] for error in document["errors"])


def test_errors_of_flask_itself_are_problems_too(client: FlaskClient, problem: Check) -> None:
    problem(client.get("/reports/yearly"), 404)
    problem(client.post("/reports/monthly"), 405)
