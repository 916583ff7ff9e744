"""Login names have one spelling, whichever way they are written: by registering, as a resource, by a hook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accounts_app import PASSWORD, Application, User, changed
from databases import Kind
from members import at_once
from small_apis import INTEGER, MERGE, STEPS, Json, answers, array, content, obj, path, pointers, problem, query, ref

ADDRESS = "zo\u00e9@example.org"
SPELLINGS = ["Zo\u00e9@Example.org", "zoe\u0301@example.org", "  ZO\u00c9@EXAMPLE.ORG", "zo\u00e9@example.org\n"]
MAYBE: Json = {"type": ["string", "null"]}
EMAIL: Json = {"type": "string", "minLength": 3, "maxLength": 120}
NAME: Json = MAYBE | {"minLength": 2, "maxLength": 40}
SENT = {"email": EMAIL, "username": NAME}


def _plain(contract: Json) -> None:
    """Add plain operations on users, for everybody."""
    schemas, paths = contract["components"]["schemas"], contract["paths"]
    schemas["User"]["properties"] |= {"email": EMAIL, "username": NAME}
    schemas["NewUser"] = obj("email", **SENT) | {"x-resource": "User"}
    schemas["UserChange"] = obj(**SENT) | {"x-resource": "User"}

    def written(body: Json, status: int = 200) -> Json:
        sent = {"required": True, "content": body}
        return {"security": [], "requestBody": sent, "responses": answers(ref("User"), status)}

    both = {MERGE: {"schema": ref("UserChange")}, STEPS: {"schema": array({"type": "object"})}}
    paths["/users"] = {
        "get": {
            "security": [],
            "parameters": [query("email"), query("username"), query("email__in", array({"type": "string"}))],
            "responses": answers(array(ref("User"))),
        },
        "post": written(content(ref("NewUser")), 201),
    }
    paths["/users/{id}"] = {
        "parameters": [path("id", INTEGER)],
        "put": written(content(ref("NewUser"))),
        "patch": written(both),
    }
    paths["/users/by-email/{email}"] = {
        "parameters": [path("email", {"type": "string"})],
        "get": {"security": [], "responses": answers(ref("User"))},
    }


@pytest.fixture
def plain(database_url: str, tmp_path: Path) -> Iterator[Application]:
    """Give an application whose users are a resource, too; those that it makes have no password."""
    api = Application(database_url, tmp_path, changed(_plain), hooked=lambda users: users.before_create(_locked))
    yield api
    api.close()


def _locked(data: Json) -> Json:
    return data | {"password_hash": "!"}


def stored(api: Application) -> list[Any]:
    with api.engine.connect() as connection:
        return [tuple(one) for one in connection.execute(User.__table__.select().order_by("id"))]


def emails(api: Application) -> list[str]:
    return [row[1] for row in stored(api)]


def test_a_plain_create_stores_the_one_spelling(plain: Application) -> None:
    for spelling in SPELLINGS:
        made = plain("POST", "/users", {"email": spelling, "username": " Zoe\u0301 "})
        assert made.status_code == 201, made.text
        assert (made.get_json()["email"], made.get_json()["username"]) == (ADDRESS, "Zo\u00e9")
        assert emails(plain) == [ADDRESS]
        plain.execute("DELETE FROM app_user")


def test_a_plain_change_stores_the_one_spelling(plain: Application) -> None:
    id_ = plain.register()["id"]
    for spelling in SPELLINGS:
        for method, headers, body in (
            ("PUT", {}, {"email": spelling}),
            ("PATCH", {"Content-Type": MERGE}, {"email": spelling}),
            ("PATCH", {"Content-Type": STEPS}, [{"op": "replace", "path": "/email", "value": spelling}]),
        ):
            plain.execute("UPDATE app_user SET email = 'ann@example.org'")
            answer = plain(method, f"/users/{id_}", body, headers=headers)
            assert (answer.status_code, answer.get_json()["email"]) == (200, ADDRESS), (method, body)
            assert emails(plain) == [ADDRESS]
    assert plain.login(SPELLINGS[2])["user"]["id"] == id_


def test_a_name_is_unique_in_all_its_spellings_however_it_is_written(plain: Application) -> None:
    def write(index: int) -> int:
        spelling = SPELLINGS[index % 4]
        if index % 2:
            return plain("POST", "/users", {"email": spelling}).status_code
        return plain("POST", "/register", {"email": spelling, "password": PASSWORD}).status_code

    assert sorted(at_once(8, write)) == [201] + [409] * 7
    assert emails(plain) == [ADDRESS]
    other = plain.register()["id"]
    taken = problem(plain("PATCH", f"/users/{other}", {"email": SPELLINGS[2]}, headers={"Content-Type": MERGE}), 409)
    assert pointers(taken) == ["#/email"]


def test_a_name_is_found_in_all_its_spellings(plain: Application) -> None:
    plain.register(SPELLINGS[0])
    for spelling in SPELLINGS:
        found = plain("GET", "/users", query_string={"email": spelling}).get_json()
        assert [one["email"] for one in found] == [ADDRESS]
        found = plain("GET", "/users", query_string={"email__in": ["x@example.org", spelling]}).get_json()
        assert [one["email"] for one in found] == [ADDRESS]
        assert plain("GET", f"/users/by-email/{spelling.strip()}").get_json()["email"] == ADDRESS
        assert plain.login(spelling)["user"]["email"] == ADDRESS
    assert plain("GET", "/users", query_string={"username": "a@b"}).get_json() == []


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"email": "a@example.org", "username": "ann@example.org"}, "must not have an @ in it"),
        ({"email": "a@example.org", "username": "   "}, "must not be empty"),
        ({"email": "a@example.org", "username": " a "}, "spelled as it is stored: a"),
        ({"email": "\u0130" * 120, "username": "ann"}, "spelled as it is stored"),  # small, it is two characters each
    ],
)
def test_what_nobody_may_be_called_is_refused_however_it_is_written(
    plain: Application, body: Json, detail: str
) -> None:
    id_ = plain.register()["id"]
    wrong = "email" if body["username"] == "ann" else "username"
    for method, address in (("POST", "/register"), ("POST", "/users"), ("PUT", f"/users/{id_}")):
        sent = body | ({"password": PASSWORD} if address == "/register" else {})
        if address == "/register" and detail == "spelled as it is stored: a":
            continue  # its schema has no such bound
        told = problem(plain(method, address, sent), 400)
        assert pointers(told) == [f"#/{wrong}"], (method, address)
        assert detail in json.dumps(told, ensure_ascii=False)
    assert emails(plain) == ["ann@example.org"]


def test_what_a_hook_says_is_spelled_too(database_url: str, database: Kind, tmp_path: Path) -> None:
    hooked = {"password_hash": "!", "email": SPELLINGS[2]}
    api = Application(
        database_url, tmp_path, changed(_plain), hooked=lambda users: users.before_create(lambda data: data | hooked)
    )
    try:
        assert api("POST", "/users", {"email": "x@example.org"}).get_json()["email"] == ADDRESS
    finally:
        api.close()
