"""Rows that belong to callers (`x-owner`): what is somebody else's is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from resource_support import Serve
from small_apis import (
    INTEGER,
    MERGE,
    STEPS,
    STRING,
    Json,
    Rows,
    array,
    contract,
    crud,
    deleted,
    header,
    ids,
    listed,
    obj,
    patched,
    path,
    pointers,
    problem,
    query,
    read,
    ref,
    whole,
    words,
    written,
)
from sqlalchemy import Engine, ForeignKey, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from werkzeug.test import TestResponse

from demijohn import BindingError, Demijohn
from demijohn.compile.guards import Caller

ALICE, BOB, ROOT = 1, 2, 3


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    notes: Mapped[list[Note]] = relationship(back_populates="user")


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    slug: Mapped[str] = mapped_column(String(20), unique=True)
    title: Mapped[str] = mapped_column(String(20))
    secret: Mapped[str | None] = mapped_column(String(20))
    lines: Mapped[list[Line]] = relationship(back_populates="note")
    user: Mapped[User] = relationship(back_populates="notes")


class Line(Base):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("note.id", ondelete="CASCADE"))
    words: Mapped[str] = mapped_column(String(20))
    note: Mapped[Note] = relationship(back_populates="lines")


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    title: Mapped[str] = mapped_column(String(20))


class Comment(Base):
    __tablename__ = "comment"

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    words: Mapped[str] = mapped_column(String(20))


class Page(Base):
    __tablename__ = "page"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    author: Mapped[str] = mapped_column(String(20))
    words: Mapped[str] = mapped_column(String(20))


SHORT = STRING | {"maxLength": 20}
OPEN: Json = {"x-owner": False}
SCHEMAS: Json = {
    "User": whole(id=INTEGER, name=SHORT) | {"properties": {"id": INTEGER, "name": SHORT, "notes": array(ref("Note"))}},
    "Note": whole(id=INTEGER, user_id=INTEGER, slug=SHORT, title=SHORT)
    | {"x-owner": {"column": "user_id", "except": ["admin"]}},
    # The schemas forget to say that nobody writes the owner.
    "NewNote": obj("slug", "title", user_id=INTEGER, slug=SHORT, title=SHORT, secret=SHORT | {"writeOnly": True}),
    "NoteUpdate": obj(user_id=INTEGER, slug=SHORT, title=SHORT),
    "Line": whole(id=INTEGER, note_id=INTEGER, words=SHORT),
    "NewLine": obj("words", words=SHORT),
    "LineUpdate": obj(words=SHORT),
    "Post": whole(id=INTEGER, user_id=INTEGER | {"readOnly": True}, title=SHORT) | {"x-owner": "user_id"},
    "NewPost": obj("title", user_id=INTEGER | {"readOnly": True}, title=SHORT),
    "PostUpdate": obj(title=SHORT),
    "Comment": whole(id=INTEGER, post_id=INTEGER, user_id=INTEGER, words=SHORT) | {"x-owner": "user_id"},
    "NewComment": obj("words", words=SHORT),
    "CommentUpdate": obj(words=SHORT),
    "Page": whole(name=SHORT, author=SHORT, words=SHORT) | {"x-owner": "author"},
    "PageWords": obj("words", words=SHORT),
}
NOTES = crud("/notes", "Note")
NOTES["/notes"]["get"] = listed(
    {**whole(items=array(ref("Note")), total=INTEGER, next_cursor={"type": ["string", "null"]})},
    query("limit", INTEGER),
    query("cursor"),
    query("sort"),
    query("user_id", INTEGER),
    query("q"),
    words("fields"),
)
NOTES["/notes"]["post"]["parameters"] = [header("Idempotency-Key")]
NOTES["/notes/by-slug/{slug}"] = {
    "parameters": [path("slug", SHORT)],
    "get": read("Note"),
    "delete": deleted(),
}
NOTES["/notes/many"] = {"post": written(None, array(ref("NewNote")), status=201, **{"x-resource": "Note.create"})}
NOTES["/notes/many"]["post"]["responses"]["201"] = {
    "description": "Good.",
    "content": {"application/json": {"schema": array(ref("Note"))}},
}
LINES: dict[str, Json] = {
    "/notes/{note_id}/lines": {
        "parameters": [path("note_id")],
        "get": listed("Line", query("limit", INTEGER)),
        "post": written("Line", "NewLine", status=201),
    },
    "/notes/{note_id}/lines/{id}": {
        "parameters": [path("note_id"), path("id")],
        "get": read("Line"),
        "put": written("Line", "NewLine"),
        "patch": patched("Line", "LineUpdate"),
        "delete": deleted(),
    },
}
POSTS = crud("/posts", "Post")
POSTS["/posts"]["get"] |= OPEN | {"security": []}
POSTS["/posts/{id}"]["get"] |= OPEN | {"security": []}
COMMENTS: dict[str, Json] = {
    "/posts/{post_id}/comments": {
        "parameters": [path("post_id")],
        "get": listed("Comment", query("limit", INTEGER)) | OPEN | {"security": []},
        "post": written("Comment", "NewComment", status=201),
    },
    "/comments/{id}": {"parameters": [path("id")], "patch": patched("Comment", "CommentUpdate"), "delete": deleted()},
}
PAGES: dict[str, Json] = {
    "/pages": {"get": listed("Page", query("limit", INTEGER), security=[{}, {"key": []}])},
    "/pages/{name}": {
        "parameters": [path("name", SHORT)],
        "get": read("Page", security=[{}, {"key": []}]),
        "put": written("Page", "PageWords", security=[{}, {"key": []}]),
        "delete": deleted(security=[{}, {"key": []}]),
    },
}
PAGES["/pages/{name}"]["put"]["responses"]["201"] = PAGES["/pages/{name}"]["put"]["responses"]["200"]
USERS: dict[str, Json] = {
    "/users/{id}": {"parameters": [path("id")], "get": read("User", query("include"))},
    "/users/{user_id}/notes": {
        "parameters": [path("user_id")],
        "get": listed("Note", query("limit", INTEGER)),
        "post": written("Note", "NewNote", status=201),
    },
}
SCHEMES = {"key": {"type": "apiKey", "in": "header", "name": "X-User", "x-apikeyInfoFunc": "doors.who"}}
ROWS: Rows = [
    (User, [{"id": ALICE, "name": "Alice"}, {"id": BOB, "name": "Bob"}, {"id": ROOT, "name": "Root"}]),
    (
        Note,
        [
            {"id": 11, "user_id": ALICE, "slug": "a", "title": "Alice's", "secret": "xyzzy"},
            {"id": 12, "user_id": BOB, "slug": "b", "title": "Bob's", "secret": "plugh"},
            {"id": 13, "user_id": ALICE, "slug": "c", "title": "Also Alice's", "secret": None},
        ],
    ),
    (Line, [{"id": 21, "note_id": 11, "words": "hers"}, {"id": 22, "note_id": 12, "words": "his"}]),
    (Post, [{"id": 31, "user_id": ALICE, "title": "Hello"}, {"id": 32, "user_id": BOB, "title": "World"}]),
    (Comment, [{"id": 41, "post_id": 32, "user_id": ALICE, "words": "Nice"}]),
    (Page, [{"name": "home", "author": "1", "words": "Welcome"}]),
]


def who(apikey: str) -> Json | None:
    """Return who a key is: `1` a user, `#1` the same by a number, `root` who may do everything."""
    known = {"root": {"sub": ROOT, "scope": "admin"}, "silent": {}}
    return known.get(apikey, {"sub": int(apikey[1:]) if apikey[0] == "#" else apikey})


@pytest.fixture(autouse=True)
def doors(module: Callable[..., None]) -> None:
    module("doors", who=who)


def api(paths: dict[str, Json], **changes: Json) -> Json:
    schemas = SCHEMAS | changes
    made = contract(paths, schemas, security=[{"key": []}])
    made["components"]["securitySchemes"] = SCHEMES
    return made


ALL = api(NOTES | LINES | POSTS | COMMENTS | PAGES | USERS)


@pytest.fixture
def client(serve: Serve) -> FlaskClient:
    return serve(ALL, Base, rows=ROWS)


def ask(client: FlaskClient, user: Any, method: str, address: str, body: Any = None, **more: Any) -> TestResponse:
    headers = {**({} if user is None else {"X-User": str(user)}), **more.pop("headers", {})}
    if body is not None:
        more = {"json": body} | more
    return client.open(address, method=method, headers=headers, **more)


def rows(plain: Engine, table: str) -> list[tuple[Any, ...]]:
    with plain.connect() as connection:
        key = "name" if table == "page" else "id"
        name = plain.dialect.identifier_preparer.quote(table)
        return [tuple(one) for one in connection.execute(text(f"SELECT * FROM {name} ORDER BY {key}"))]


# What stands where for Alice's and Bob's things: the address of hers, and of what nobody has.
PLACES = {
    "/notes/{id}": ("/notes/11", "/notes/999"),
    "/notes/by-slug/{slug}": ("/notes/by-slug/a", "/notes/by-slug/zzz"),
    "/notes/{note_id}/lines": ("/notes/11/lines", "/notes/999/lines"),
    "/notes/{note_id}/lines/{id}": ("/notes/11/lines/21", "/notes/999/lines/21"),
    "/posts/{id}": ("/posts/31", "/posts/999"),
    "/comments/{id}": ("/comments/41", "/comments/999"),
    "/users/{user_id}/notes": ("/users/1/notes", "/users/999/notes"),
}
BODIES = {
    ("PUT", "note"): {"slug": "z", "title": "Mine"},
    ("PATCH", "note"): {"title": "Mine"},
    ("POST", "lines"): {"words": "Mine"},
    ("PUT", "lines"): {"words": "Mine"},
    ("PATCH", "lines"): {"words": "Mine"},
    ("PUT", "posts"): {"title": "Mine"},
    ("PATCH", "posts"): {"title": "Mine"},
    ("PATCH", "comments"): {"words": "Mine"},
}


def requests() -> Iterator[tuple[str, str, str, Json, Any]]:
    """Yield each operation on something of Alice's: its method, both addresses, headers and a body that is valid."""
    for template, (hers, nobodys) in PLACES.items():
        for method in ALL["paths"][template].keys() - {"parameters"}:
            if ALL["paths"][template][method].get("x-owner") is False or template.startswith("/users"):
                continue
            word = "note" if "lines" not in template and "note" in template else template.split("/")[-2]
            word = "lines" if "lines" in template else word
            body = BODIES.get((method.upper(), word))
            yield method.upper(), hers, nobodys, {}, body
            if method == "patch":
                yield "PATCH", hers, nobodys, {"Content-Type": MERGE}, body
                step = [{"op": "test", "path": "/id", "value": 1}]
                yield "PATCH", hers, nobodys, {"Content-Type": STEPS}, step
            if method in ("put", "patch", "delete"):
                yield method.upper(), hers, nobodys, {"If-Match": '"x"'}, body


TRIED = [*requests()]


def test_what_is_somebody_elses_is_not_there(client: FlaskClient, plain: Engine) -> None:
    assert len(TRIED) > 25
    tables = ("note", "line", "post", "comment")
    before = {table: rows(plain, table) for table in tables}
    for method, hers, nobodys, headers, body in TRIED:
        answers = [ask(client, BOB, method, one, body, headers=dict(headers)) for one in (hers, nobodys)]
        what = (method, hers, headers)
        if hers.startswith(("/posts", "/comments")):  # everybody may read them
            assert [one.status_code for one in answers] == [403, 404], what
            continue
        assert [one.status_code for one in answers] == [404, 404], what
        assert answers[0].data == answers[1].data, what
        assert set(answers[0].headers.keys()) == set(answers[1].headers.keys()), what
    assert {table: rows(plain, table) for table in tables} == before


def test_what_is_ones_own_is_there(client: FlaskClient) -> None:
    assert ask(client, ALICE, "GET", "/notes/11").get_json()["slug"] == "a"
    assert ask(client, ALICE, "GET", "/notes/by-slug/a").get_json()["id"] == 11
    assert ids(ask(client, ALICE, "GET", "/notes/11/lines")) == [21]
    assert ask(client, ALICE, "PATCH", "/notes/11", {"title": "New"}).get_json()["title"] == "New"
    tag = ask(client, ALICE, "GET", "/notes/11").headers["ETag"]
    new = {"slug": "a", "title": "Newer"}
    assert ask(client, ALICE, "PUT", "/notes/11", new, headers={"If-Match": tag}).get_json()["title"] == "Newer"
    steps = [{"op": "replace", "path": "/title", "value": "Newest"}]
    changed = ask(client, ALICE, "PATCH", "/notes/11", steps, headers={"Content-Type": STEPS})
    assert changed.get_json() == {"id": 11, "user_id": ALICE, "slug": "a", "title": "Newest"}
    assert ask(client, ALICE, "PATCH", "/posts/31", {"title": "Hi"}).status_code == 200
    assert ask(client, ALICE, "DELETE", "/notes/13").status_code == 204


def test_lists_and_their_totals_show_own_rows_only(client: FlaskClient) -> None:
    hers, his = (ask(client, one, "GET", "/notes").get_json() for one in (ALICE, BOB))
    assert ([one["id"] for one in hers["items"]], hers["total"]) == ([11, 13], 2)
    assert ([one["id"] for one in his["items"]], his["total"]) == ([12], 1)
    # Again, as it is remembered.
    assert ask(client, ALICE, "GET", "/notes").get_json() == hers
    assert ask(client, BOB, "GET", "/notes").get_json() == his
    assert ids(ask(client, BOB, "GET", "/notes?user_id=1")) == []
    assert ids(ask(client, BOB, "GET", "/notes?q=Alice")) == []
    assert ask(client, BOB, "GET", "/notes?limit=0").get_json()["total"] == 1


def test_a_cursor_is_its_callers_own(client: FlaskClient) -> None:
    cursor = ask(client, ALICE, "GET", "/notes?limit=1").get_json()["next_cursor"]
    address = f"/notes?limit=1&cursor={cursor}"
    assert ids(ask(client, ALICE, "GET", address)) == [13]
    problem(ask(client, BOB, "GET", address), 400)
    problem(ask(client, "root", "GET", address), 400)


@pytest.mark.parametrize("user", ["1", "#1"])
def test_a_key_may_be_a_text_or_a_number(client: FlaskClient, user: str) -> None:
    assert ids(ask(client, user, "GET", "/notes")) == [11, 13]
    assert ask(client, user, "GET", "/pages/home").status_code == 200


@pytest.mark.parametrize("user", ["nobody", "01", "+1", "1.0", "1_0", "9" * 30, "silent"])
def test_a_key_that_the_column_cannot_hold_owns_nothing(client: FlaskClient, user: str) -> None:
    assert ids(ask(client, user, "GET", "/notes")) == []
    problem(ask(client, user, "GET", "/notes/11"), 404)
    problem(ask(client, user, "DELETE", "/notes/11"), 404)
    problem(ask(client, user, "POST", "/notes", {"slug": "n", "title": "N"}), 403)
    problem(ask(client, user, "POST", "/notes/many", [{"slug": "n", "title": "N"}]), 403)


def test_an_exempt_role_sees_and_changes_the_rows_of_all(client: FlaskClient) -> None:
    assert ids(ask(client, "root", "GET", "/notes")) == [11, 12, 13]
    assert ask(client, "root", "GET", "/notes/11").status_code == 200
    assert ids(ask(client, "root", "GET", "/notes/11/lines")) == [21]
    moved = ask(client, "root", "PATCH", "/notes/11", {"user_id": BOB})
    assert moved.get_json()["user_id"] == BOB
    assert ids(ask(client, BOB, "GET", "/notes")) == [11, 12]
    # What a replace leaves out is no reason to take a row away from somebody.
    kept = ask(client, "root", "PUT", "/notes/11", {"slug": "a", "title": "T"})
    assert kept.get_json()["user_id"] == BOB
    made = ask(client, "root", "POST", "/notes", {"slug": "r", "title": "R"}).get_json()
    assert made["user_id"] == ROOT
    given = ask(client, "root", "POST", "/notes", {"slug": "s", "title": "S", "user_id": ALICE}).get_json()
    assert given["user_id"] == ALICE
    # A role that this schema does not name changes nothing.
    problem(ask(client, "root", "PATCH", "/posts/31", {"title": "Mine"}), 403)


def test_a_new_row_belongs_to_the_caller(client: FlaskClient, plain: Engine) -> None:
    made = ask(client, BOB, "POST", "/notes", {"slug": "n", "title": "N"})
    assert (made.status_code, made.get_json()["user_id"]) == (201, BOB)
    assert ask(client, BOB, "GET", made.headers["Location"]).get_json() == made.get_json()
    problem(ask(client, ALICE, "GET", made.headers["Location"]), 404)
    many = [{"slug": f"m{number}", "title": "M"} for number in range(12)]
    stored = ask(client, BOB, "POST", "/notes/many", many)
    assert [one["user_id"] for one in stored.get_json()] == [BOB] * 12
    assert ask(client, BOB, "POST", "/posts", {"title": "P"}).get_json()["user_id"] == BOB


BAD = {"slug": "x", "title": "X", "user_id": BOB}


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("POST", "/notes", BAD),
        ("POST", "/notes/many", [BAD]),
        ("PUT", "/notes/11", BAD),
        ("PATCH", "/notes/11", {"user_id": BOB}),
        ("PATCH", "/notes/11", {"user_id": ALICE}),
        ("POST", "/posts", {"title": "X", "user_id": BOB}),
    ],
)
def test_nobody_writes_the_owner(client: FlaskClient, plain: Engine, method: str, address: str, body: Any) -> None:
    before = rows(plain, "note")
    found = pointers(problem(ask(client, ALICE, method, address, body), 400))
    assert [one.rpartition("/")[2] for one in found] == ["user_id"]
    steps = [{"op": "replace", "path": "/user_id", "value": BOB}]
    problem(ask(client, ALICE, "PATCH", "/notes/11", steps, headers={"Content-Type": STEPS}), 409)
    assert rows(plain, "note") == before


def test_an_owner_in_a_body_may_be_ignored(serve: Serve) -> None:
    client = serve(api(NOTES | POSTS), Base, rows=ROWS, read_only="ignore")
    assert ask(client, ALICE, "POST", "/notes", BAD).get_json()["user_id"] == ALICE
    assert ask(client, ALICE, "PUT", "/notes/11", BAD | {"slug": "y"}).get_json()["user_id"] == ALICE
    assert ask(client, ALICE, "PATCH", "/notes/11", {"user_id": BOB}).get_json()["user_id"] == ALICE
    assert ask(client, ALICE, "POST", "/posts", {"title": "X", "user_id": BOB}).get_json()["user_id"] == ALICE
    assert ask(client, "root", "PATCH", "/notes/11", {"user_id": BOB}).get_json()["user_id"] == BOB


def test_a_row_below_what_is_somebody_elses_cannot_be_made(client: FlaskClient, plain: Engine) -> None:
    problem(ask(client, BOB, "POST", "/notes/11/lines", {"words": "Mine"}), 404)
    assert ask(client, ALICE, "POST", "/notes/11/lines", {"words": "Mine"}).get_json()["note_id"] == 11
    assert len(rows(plain, "line")) == 3


def test_whoever_sees_an_item_may_put_something_of_his_own_below_it(client: FlaskClient) -> None:
    made = ask(client, BOB, "POST", "/posts/31/comments", {"words": "Well"})
    assert (made.status_code, made.get_json()["user_id"]) == (201, BOB)
    problem(ask(client, ALICE, "DELETE", f"/comments/{made.get_json()['id']}"), 403)
    assert ask(client, BOB, "DELETE", f"/comments/{made.get_json()['id']}").status_code == 204
    problem(ask(client, BOB, "POST", "/posts/999/comments", {"words": "Well"}), 404)


def test_a_body_names_what_is_the_callers_own(serve: Serve, plain: Engine) -> None:
    """Somebody else's note is refused as one that does not exist: nobody learns that it does."""
    loose: dict[str, Json] = {
        "/lines": {"post": written("Line", "LooseLine", status=201)},
        "/lines/many": {"post": written(None, array(ref("LooseLine")), status=201, **{"x-resource": "Line.create"})},
        "/lines/{id}": {
            "parameters": [path("id")],
            "put": written("Line", "LooseLine"),
            "patch": patched("Line", "LooseLineUpdate"),
        },
    }
    answer = {"description": "Good.", "content": {"application/json": {"schema": array(ref("Line"))}}}
    loose["/lines/many"]["post"]["responses"]["201"] = answer
    bodies = {
        "LooseLine": obj("note_id", "words", note_id=INTEGER, words=SHORT),
        "LooseLineUpdate": obj(note_id=INTEGER, words=SHORT),
    }
    client = serve(api(NOTES | loose, **bodies), Base, rows=ROWS)
    before = rows(plain, "line")
    steps = {"Content-Type": STEPS}
    tried: list[tuple[str, str, Callable[[int], Any], Json]] = [
        ("POST", "/lines", lambda note: {"note_id": note, "words": "W"}, {}),
        ("POST", "/lines/many", lambda note: [{"note_id": one, "words": "W"} for one in (12, note)], {}),
        ("PUT", "/lines/22", lambda note: {"note_id": note, "words": "W"}, {}),
        ("PATCH", "/lines/22", lambda note: {"note_id": note}, {}),
        ("PATCH", "/lines/22", lambda note: [{"op": "replace", "path": "/note_id", "value": note}], steps),
    ]
    for method, address, body, headers in tried:
        answers = [ask(client, BOB, method, address, body(note), headers=headers) for note in (11, 999)]
        assert [one.status_code for one in answers] == [409, 409], (method, address)
        assert answers[0].data == answers[1].data
        assert "note_id refers to a note that does not exist" in answers[0].get_json()["detail"]
    assert rows(plain, "line") == before
    assert ask(client, BOB, "POST", "/lines", {"note_id": 12, "words": "W"}).status_code == 201
    assert ask(client, "root", "POST", "/lines", {"note_id": 11, "words": "W"}).status_code == 201
    assert ask(client, BOB, "PATCH", "/lines/22", {"words": "W"}).status_code == 200


def test_the_owner_in_a_path_is_the_caller(client: FlaskClient) -> None:
    assert ids(ask(client, ALICE, "GET", "/users/1/notes")) == [11, 13]
    assert ids(ask(client, BOB, "GET", "/users/1/notes")) == []
    new = {"slug": "n", "title": "N"}
    assert ask(client, BOB, "POST", "/users/2/notes", new).get_json()["user_id"] == BOB
    problem(ask(client, BOB, "POST", "/users/1/notes", {"slug": "o", "title": "O"}), 403)
    problem(ask(client, BOB, "POST", "/users/999/notes", {"slug": "o", "title": "O"}), 404)
    assert ask(client, "root", "POST", "/users/1/notes", {"slug": "p", "title": "P"}).get_json()["user_id"] == ALICE


def test_embedded_rows_are_the_callers_too(client: FlaskClient) -> None:
    hers, his = (ask(client, one, "GET", "/users/1?include=notes").get_json()["notes"] for one in (ALICE, BOB))
    assert [one["id"] for one in hers] == [11, 13]
    assert his == []
    assert len(ask(client, "root", "GET", "/users/1?include=notes").get_json()["notes"]) == 2


def test_everybody_reads_what_its_author_writes(client: FlaskClient) -> None:
    assert ids(ask(client, None, "GET", "/posts")) == [31, 32]
    assert ask(client, None, "GET", "/posts/31").status_code == 200
    assert ids(ask(client, None, "GET", "/posts/32/comments")) == [41]
    refused = problem(ask(client, BOB, "DELETE", "/posts/31"), 403)
    assert refused["detail"] == "This Post belongs to somebody else."
    tag = ask(client, None, "GET", "/posts/31").headers["ETag"]
    problem(ask(client, BOB, "PUT", "/posts/31", {"title": "Mine"}, headers={"If-Match": tag}), 403)
    assert ask(client, ALICE, "PUT", "/posts/31", {"title": "Hers"}, headers={"If-Match": tag}).status_code == 200
    assert "WWW-Authenticate" in ask(client, None, "DELETE", "/posts/31").headers


def test_an_anonymous_caller_has_no_rows(client: FlaskClient, plain: Engine) -> None:
    assert ask(client, None, "GET", "/pages").get_json() == []
    problem(ask(client, None, "GET", "/pages/home"), 404)
    problem(ask(client, None, "DELETE", "/pages/home"), 404)
    refused = ask(client, None, "PUT", "/pages/new", {"words": "Mine"})
    problem(refused, 401)
    assert refused.headers["WWW-Authenticate"].startswith("ApiKey")
    assert len(rows(plain, "page")) == 1


def test_a_key_that_somebody_else_has_used_is_not_there_either(client: FlaskClient, plain: Engine) -> None:
    assert ask(client, "1", "PUT", "/pages/home", {"words": "Hers"}).get_json()["words"] == "Hers"
    taken = ask(client, "2", "PUT", "/pages/home", {"words": "Mine"})
    assert taken.data == ask(client, "2", "GET", "/pages/home").data
    problem(taken, 404)
    made = ask(client, "2", "PUT", "/pages/mine", {"words": "Mine"})
    assert (made.status_code, made.get_json()["author"]) == (201, "2")
    assert rows(plain, "page") == [("home", "1", "Hers"), ("mine", "2", "Mine")]


def test_keys_are_compared_to_the_letter(client: FlaskClient, plain: Engine) -> None:
    assert ask(client, "ann", "PUT", "/pages/hers", {"words": "Hers"}).status_code == 201
    assert len(ask(client, "ann", "GET", "/pages").get_json()) == 1
    for user in ("Ann", "ANN", "an", "anna", "ann."):
        assert ask(client, user, "GET", "/pages").get_json() == [], user
        problem(ask(client, user, "DELETE", "/pages/hers"), 404)


@pytest.mark.parametrize("database", ["mariadb"])
def test_a_collation_does_not_make_one_user_of_two(serve: Serve, plain: Engine) -> None:
    client = serve(ALL, Base, rows=ROWS)
    with plain.begin() as connection:
        connection.execute(text("ALTER TABLE page MODIFY author VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL"))
    test_keys_are_compared_to_the_letter(client, plain)


def test_an_idempotency_key_is_its_callers_own(client: FlaskClient) -> None:
    body = {"slug": "i", "title": "I"}
    hers, again, his = (
        ask(client, one, "POST", "/notes", body, headers={"Idempotency-Key": "k"}) for one in (ALICE, ALICE, BOB)
    )
    assert again.data == hers.data
    assert "Idempotent-Replayed" in again.headers
    problem(his, 409)


def test_a_conflict_says_nothing_about_the_other_row(client: FlaskClient) -> None:
    found = problem(ask(client, BOB, "POST", "/notes", {"slug": "a", "title": "B"}), 409)
    assert found["detail"] == "body #/slug is already taken."
    assert "Alice" not in str(found)


# What is written only


@pytest.mark.parametrize(
    "address",
    [
        "/notes?sort=secret",
        "/notes?sort=-secret",
        "/notes?fields=secret",
        "/notes?secret=xyzzy",
        "/notes?secret__startswith=x",
        "/users/1?include=notes.secret",
        "/users/1?include=secret",
    ],
)
def test_what_is_written_only_cannot_be_asked_for(client: FlaskClient, address: str) -> None:
    answer = ask(client, ALICE, "GET", address)
    problem(answer, 400)
    assert "xyzzy" not in answer.text


def test_what_is_written_only_never_leaves(client: FlaskClient) -> None:
    asked = [
        ask(client, ALICE, "GET", "/notes"),
        ask(client, ALICE, "GET", "/notes/11"),
        ask(client, ALICE, "GET", "/notes/by-slug/a"),
        ask(client, ALICE, "GET", "/users/1?include=notes"),
        ask(client, ALICE, "GET", "/users/1/notes"),
        ask(client, ALICE, "PATCH", "/notes/11", {"title": "T"}),
        ask(client, ALICE, "PATCH", "/notes/11", {"slug": "b"}),
        ask(client, ALICE, "PUT", "/notes/11", {"slug": "a", "title": "T", "secret": "xyzzy"}),
        ask(client, ALICE, "POST", "/notes", {"slug": "a", "title": "T", "secret": "xyzzy"}),
        ask(client, ALICE, "POST", "/notes", {"slug": "n", "title": "T", "secret": "xyzzy"}),
        ask(client, ALICE, "POST", "/notes/many", [{"slug": "o", "title": "T", "secret": "xyzzy"}]),
    ]
    assert [one.status_code for one in asked] == [200] * 6 + [409, 200, 409, 201, 201]
    assert [one.text for one in asked if "xyzzy" in one.text or "secret" in one.text] == []
    assert ask(client, ALICE, "GET", "/notes?q=xyzzy").get_json()["total"] == 0
    for guess in ("xyzzy", "other"):
        steps = [{"op": "test", "path": "/secret", "value": guess}]
        tried = ask(client, ALICE, "PATCH", "/notes/11", steps, headers={"Content-Type": STEPS})
        assert tried.status_code == 409
        assert "xyzzy" not in tried.text.replace(guess, "")


def test_a_table_has_more_than_a_schema_shows(serve: Serve) -> None:
    """A column that no schema has is not filtered, sorted or shown by, whatever a client asks for."""
    narrow = api(NOTES, NewNote=obj("slug", "title", slug=SHORT, title=SHORT))
    client = serve(narrow, Base, rows=ROWS)
    for address in ("/notes?sort=secret", "/notes?fields=secret", "/notes?secret=xyzzy"):
        problem(ask(client, ALICE, "GET", address), 400)
    problem(ask(client, ALICE, "PATCH", "/notes/11", {"secret": "x"}), 400)
    assert ask(client, ALICE, "GET", "/notes?q=xyzzy").get_json()["total"] == 0


# Functions and hooks of the application


def test_what_the_application_itself_makes_belongs_to_the_caller_that_it_names(serve: Serve) -> None:
    found: list[Any] = []

    def prepare(made: Demijohn) -> None:
        made.resource(Base)
        found.append(made.resource(Note))

    serve(ALL, Base, rows=ROWS, prepare=prepare)
    (notes,) = found
    made = notes.create({"slug": "f", "title": "F"}, caller=Caller("2"))
    assert made["user_id"] == BOB
    assert notes.create({"slug": "g", "title": "G", "user_id": ALICE})["user_id"] == ALICE
    assert len(notes.list()) == 5
    assert notes.replace(made["id"], {"slug": "f", "title": "F2"})["user_id"] == BOB


def test_a_hook_may_give_a_row_to_somebody_else(serve: Serve) -> None:
    def prepare(made: Demijohn) -> None:
        made.resource(Base)
        notes = made.resource(Note)
        notes.before_create(lambda data: data | {"user_id": BOB})
        notes.before_patch(lambda changes: changes | {"user_id": BOB})

    client = serve(ALL, Base, rows=ROWS, prepare=prepare)
    assert ask(client, ALICE, "POST", "/notes", {"slug": "h", "title": "H"}).get_json()["user_id"] == BOB
    moved = ask(client, ALICE, "PATCH", "/notes/11", {"title": "H"})
    assert moved.get_json() == {"id": 11, "user_id": BOB, "slug": "a", "title": "H"}
    problem(ask(client, ALICE, "GET", "/notes/11"), 404)


# What the start says


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x-owner": "userid"}, "`x-owner: userid`: `userid` is no column"),
        ({"x-owner": {"column": "user_id", "unless": []}}, "`x-owner` of the schema `Note` is"),
        ({"x-owner": {"column": "user_id", "except": "admin"}}, "`x-owner` of the schema `Note` is"),
        ({"x-owner": {"except": ["admin"]}}, "`x-owner` of the schema `Note` is"),
        ({"x-owner": False}, "`x-owner` of the schema `Note` is False"),
    ],
)
@pytest.mark.parametrize("database", ["sqlite"])
def test_a_wrong_owner_stops_the_start(serve: Serve, change: Json, said: str) -> None:
    with pytest.raises(BindingError) as error:
        serve(api(NOTES, Note=SCHEMAS["Note"] | change), Base)
    assert said in str(error.value)


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(
    ("paths", "changes", "said"),
    [
        (NOTES | {"/notes": {"get": NOTES["/notes"]["get"] | {"security": []}}}, {}, "anybody may call it"),
        (NOTES | {"/notes": {"get": NOTES["/notes"]["get"] | {"security": [{}]}}}, {}, "anybody may call it"),
        (NOTES | {"/notes": {"get": NOTES["/notes"]["get"] | {"x-owner": "id"}}}, {}, "`x-owner` of an operation"),
        (
            NOTES,
            {"NewNote": whole(user_id=INTEGER, slug=SHORT, title=SHORT)},
            "`user_id` is required, and a body cannot say it",
        ),
        (
            NOTES | LINES,
            {"Line": whole(id=INTEGER, note_id=INTEGER, words=SHORT, note=ref("Note"))},
            "a note of somebody else is not shown",
        ),
        (POSTS, {"NewPost": SCHEMAS["NewPost"] | {"x-owner": "user_id"}}, "which is no resource"),
        (
            NOTES | {"/note-views": {"get": listed("NoteView")}},
            {"NoteView": whole(id=INTEGER) | {"x-resource": "Note", "x-owner": "id"}},
            "is another than that of `Note`",
        ),
        (
            {"/note-views": {"get": listed("NoteView", security=[])}},
            {"NoteView": whole(id=INTEGER) | {"x-resource": "Note"}},
            "anybody may call it",
        ),
    ],
)
def test_a_contract_that_does_not_keep_rows_apart_stops_the_start(
    serve: Serve, paths: dict[str, Json], changes: Json, said: str
) -> None:
    with pytest.raises(BindingError) as error:
        serve(api(paths, **changes), Base)
    found = [str(one) for one in error.value.problems if said in str(one)]
    assert found, error.value
    assert found[0].startswith("openapi.json:")


def test_what_only_some_may_read_is_a_secret_to_others(serve: Serve) -> None:
    paths = POSTS | {
        "/posts": {"post": POSTS["/posts"]["post"]},
        "/posts/{id}": POSTS["/posts/{id}"] | {"get": read("Post", security=[{"key": ["admin"]}], **OPEN)},
    }
    client = serve(api(paths), Base, rows=ROWS)
    assert ask(client, "root", "GET", "/posts/31").status_code == 200
    problem(ask(client, BOB, "GET", "/posts/31"), 403)
    hidden, absent = (ask(client, BOB, "DELETE", f"/posts/{number}") for number in (31, 999))
    problem(hidden, 404)
    assert hidden.data == absent.data


def test_what_a_list_shows_to_everybody_is_no_secret_to_any_operation(serve: Serve) -> None:
    paths = POSTS | LINES | {"/posts/{id}": POSTS["/posts/{id}"] | {"get": read("Post")}}
    client = serve(api(paths | {"/notes": {"get": listed("Note", query("limit", INTEGER)) | OPEN}}), Base, rows=ROWS)
    assert ids(ask(client, BOB, "GET", "/posts")) == [31, 32]
    assert ids(ask(client, BOB, "GET", "/notes")) == [11, 12, 13]
    for method, body in (("GET", None), ("PATCH", {"title": "Mine"}), ("DELETE", None)):
        refused = problem(ask(client, BOB, method, "/posts/31", body), 403)
        assert refused["detail"] == "This Post belongs to somebody else."
        problem(ask(client, BOB, method, "/posts/999", body), 404)
    for method, body in (("GET", None), ("POST", {"words": "Mine"})):
        refused = problem(ask(client, BOB, method, "/notes/11/lines", body), 403)
        assert refused["detail"] == "This Note belongs to somebody else."
        problem(ask(client, BOB, method, "/notes/999/lines", body), 404)
    assert ask(client, BOB, "HEAD", "/posts/31").status_code == 403
    assert ask(client, ALICE, "GET", "/posts/31").status_code == 200


def statements(client: FlaskClient) -> dict[str, str]:
    """Return the first statement of each operation."""
    (made,) = client.application.extensions["demijohn"].apis
    plans: list[Any] = [plan for one in made.resources for plan in one.plans.values()]
    return {f"{one.operation.method} {one.operation.path}": one.action.statements()[0][1] for one in plans}


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_index_finds_the_rows_of_a_caller(serve: Serve, plain: Engine) -> None:
    found = statements(serve(ALL, Base, rows=ROWS))
    with plain.connect() as connection:
        for operation, index in (("GET /notes", "ix_note_user_id"), ("GET /notes/{id}", "INTEGER PRIMARY KEY")):
            sql = found[operation]
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?")).fetchall()
            assert any(index in str(step) for step in plan), (operation, plan)


@pytest.mark.parametrize("database", ["sqlite"])
def test_no_operation_asks_twice(serve: Serve) -> None:
    found = statements(serve(ALL, Base, rows=ROWS))
    for operation in ("GET /notes", "GET /notes/{id}", "PUT /notes/{id}", "DELETE /notes/{id}"):
        assert "user_id" in found[operation], operation
        assert " OR " not in found[operation].upper(), operation
    assert "FROM note" in found["POST /notes/{note_id}/lines"]
