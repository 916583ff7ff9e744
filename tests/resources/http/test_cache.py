"""Answers that are kept (`x-cache`): given again until a write touches a table that they were made from."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g, request
from flask.testing import FlaskClient
from resource_support import Serve
from small_apis import (
    INTEGER,
    STRING,
    Json,
    Rows,
    answers,
    array,
    contract,
    crud,
    listed,
    obj,
    path,
    query,
    read,
    ref,
    whole,
    words,
)
from sqlalchemy import Column, Engine, ForeignKey, String, Table, column, select, table, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, column_property, mapped_column, relationship
from werkzeug.test import TestResponse

from demijohn import Demijohn, Problem, Settings


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(String(20))


Tagged = Table(
    "tagged",
    Base.metadata,
    Column("book_id", ForeignKey("book.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True),
)


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id", ondelete="CASCADE"), index=True)
    author: Mapped[Author] = relationship()
    tags: Mapped[list[Tag]] = relationship(secondary=Tagged)


class Loan(Base):
    __tablename__ = "loan"

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id", ondelete="CASCADE"))
    reader: Mapped[str] = mapped_column(String(20))


LOANS = table("loan", column("id"), column("book_id"))


class Shelf(Base):
    __tablename__ = "shelf"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    loans: Mapped[int] = column_property(select(text("count(*)")).select_from(LOANS).scalar_subquery())


SHORT = STRING | {"maxLength": 20}
SCHEMAS: Json = {
    "Author": whole(id=INTEGER, name=SHORT),
    "NewAuthor": whole(name=SHORT),
    "AuthorUpdate": obj(name=SHORT),
    "Tag": whole(id=INTEGER, word=SHORT),
    "NewTag": whole(word=SHORT),
    "TagUpdate": obj(word=SHORT),
    "Book": obj(
        "id",
        "title",
        "author_id",
        id=INTEGER,
        title=SHORT,
        author_id=INTEGER,
        author=ref("Author"),
        tags=array(ref("Tag")),
    ),
    "NewBook": whole(title=SHORT, author_id=INTEGER),
    "BookUpdate": obj(title=SHORT),
    "Loan": whole(id=INTEGER, book_id=INTEGER, reader=SHORT),
    "NewLoan": whole(book_id=INTEGER, reader=SHORT),
    "LoanUpdate": obj(reader=SHORT),
    "Shelf": whole(id=INTEGER, name=SHORT, loans=INTEGER),
}
PATHS = (
    crud("/authors", "Author")
    | crud("/tags", "Tag")
    | crud("/books", "Book")
    | crud("/loans", "Loan")
    | {
        "/authors/{author_id}/books": {
            "parameters": [path("author_id")],
            "get": listed("Book", query("limit", INTEGER), **{"x-cache": 60}),
        },
        "/shelves/{id}": {"parameters": [path("id")], "get": read("Shelf", **{"x-cache": 60})},
        "/titles": {
            "get": {
                "operationId": "reading.titles",
                "x-cache": {"seconds": 60, "tables": ["book"]},
                "responses": answers(array(SHORT)),
            }
        },
    }
)
PATHS["/books"]["get"] = listed(
    "Book", query("limit", INTEGER), query("sort"), query("q"), words("include"), **{"x-cache": 60}
)
PATHS["/books/{id}"]["get"] = read("Book", words("include"), **{"x-cache": 60})
CONTRACT = contract(PATHS, SCHEMAS)
ROWS: Rows = [
    (Author, [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Ben"}]),
    (Tag, [{"id": 1, "word": "old"}]),
    (Book, [{"id": 1, "title": "One", "author_id": 1}, {"id": 2, "title": "Two", "author_id": 2}]),
    (Tagged, [{"book_id": 1, "tag_id": 1}]),
    (Loan, [{"id": 1, "book_id": 1, "reader": "Cy"}]),
    (Shelf, [{"id": 1, "name": "left"}]),
]
WHOLE = "/books?include=author,tags"


@pytest.fixture
def client(serve: Serve) -> FlaskClient:
    return serve(served(CONTRACT), Base, rows=ROWS)


def served(document: Json) -> Json:
    """Return a contract without the operation that wants a function."""
    return document | {"paths": {name: one for name, one in document["paths"].items() if name != "/titles"}}


def told(response: TestResponse) -> str:
    """Return what the cache did, without times."""
    assert response.status_code in (200, 304), response.text
    return response.headers["Cache-Status"].partition("; ttl")[0].removeprefix("demijohn; ")


def kept(client: FlaskClient, address: str) -> Any:
    """Fetch twice, the second time from the cache; return what is there."""
    first = client.get(address)
    assert told(first) in ("fwd=miss; stored", "fwd=stale; stored", "hit")
    again = client.get(address)
    assert told(again) == "hit"
    assert (again.data, again.headers["ETag"]) == (first.data, first.headers["ETag"])
    return again.get_json()


def fresh(client: FlaskClient, address: str) -> Any:
    """Fetch what the cache must not have any more."""
    response = client.get(address)
    assert told(response) == "fwd=stale; stored"
    return response.get_json()


def test_the_second_answer_is_the_first_one(client: FlaskClient) -> None:
    for address in ("/books?limit=1", "/books/1", WHOLE, "/authors/1/books"):
        first, again = client.get(address), client.get(address)
        assert (told(first), told(again)) == ("fwd=miss; stored", "hit")
        assert again.headers["Cache-Status"].endswith(("ttl=59", "ttl=60"))
        assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "public, no-cache"
        assert again.data == first.data
        same = {"Link", "ETag", "Content-Type", "Content-Length", "X-Content-Type-Options"}
        assert {name: again.headers.get(name) for name in same} == {name: first.headers.get(name) for name in same}
        tag = {"If-None-Match": first.headers["ETag"]}
        known = client.get(address, headers=tag)
        assert (known.status_code, known.data, told(known)) == (304, b"", "hit")
        head = client.head(address)
        assert (head.status_code, head.data, told(head)) == (200, b"", "hit")
        assert head.headers["Content-Length"] == str(len(first.data))


def test_a_304_of_an_answer_that_is_made_anew_keeps_the_whole(client: FlaskClient) -> None:
    tag = client.get("/books/1").headers["ETag"]
    client.patch("/books/2", json={"title": "New"})
    known = client.get("/books/1", headers={"If-None-Match": tag})
    assert (known.status_code, told(known)) == (304, "fwd=stale; stored")
    again = client.get("/books/1")
    assert (told(again), again.get_json()["title"]) == ("hit", "One")


def test_requests_that_mean_something_else_have_answers_of_their_own(client: FlaskClient) -> None:
    assert [one["id"] for one in kept(client, "/books?limit=1")] == [1]
    assert [one["id"] for one in kept(client, "/books?limit=2")] == [1, 2]
    assert [one["id"] for one in kept(client, "/books?sort=-id&limit=1")] == [2]
    counted = client.get("/books?limit=1", headers={"Prefer": "count=exact"})
    assert (told(counted), counted.headers["X-Total-Count"]) == ("fwd=miss; stored", "2")
    assert "X-Total-Count" not in client.get("/books?limit=1").headers
    # What is wrong stays wrong, and what is not there is not kept.
    assert [client.get("/books?limit=x").status_code for _ in range(2)] == [400, 400]
    assert [client.get("/books/9").status_code for _ in range(2)] == [404, 404]
    assert client.post("/books", json={"title": "Nine", "author_id": 1}).status_code == 201
    assert client.get("/books?limit=1", headers={"Accept": "text/html"}).status_code == 406


WRITES: dict[str, tuple[str, str, Json | None, bool]] = {
    "create": ("POST", "/books", {"title": "New", "author_id": 1}, True),
    "replace": ("PUT", "/books/1", {"title": "New", "author_id": 1}, True),
    "patch": ("PATCH", "/books/1", {"title": "New"}, True),
    "delete": ("DELETE", "/books/1", None, True),
    "include": ("PATCH", "/authors/1", {"name": "New"}, True),
    "include of many": ("PATCH", "/tags/1", {"word": "new"}, True),
    "cascade": ("DELETE", "/authors/2", None, True),
    "cascade to what meets": ("DELETE", "/tags/1", None, True),
    "other table": ("POST", "/loans", {"book_id": 1, "reader": "Di"}, False),
    "other table, changed": ("PATCH", "/loans/1", {"reader": "Di"}, False),
    "refused": ("POST", "/books", {"title": "New", "author_id": 99}, False),
    "not there": ("PATCH", "/books/99", {"title": "New"}, False),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_drops_what_was_made_from_its_table_and_nothing_else(client: FlaskClient, write: str) -> None:
    method, address, body, drops = WRITES[write]
    before = kept(client, WHOLE)
    response = client.open(address, method=method, json=body)
    assert (response.status_code < 300) == (write not in ("refused", "not there")), response.text
    after = client.get(WHOLE)
    assert told(after) == ("fwd=stale; stored" if drops else "hit")
    assert (after.get_json() != before) == drops


def test_a_deleted_author_takes_books_loans_and_what_counts_them_along(client: FlaskClient) -> None:
    assert kept(client, "/shelves/1")["loans"] == 1
    assert kept(client, "/books/1")["title"] == "One"
    assert client.delete("/authors/1").status_code == 204
    assert fresh(client, "/shelves/1")["loans"] == 0
    assert client.get("/books/1").status_code == 404


def test_no_version_comes_twice_whatever_the_application_does_with_its_random_numbers(client: FlaskClient) -> None:
    for title in ("New", "Newer"):
        random.seed(1)
        assert client.patch("/books/1", json={"title": title}).status_code == 200
        assert kept(client, "/books/1")["title"] == title


def test_what_a_hook_writes_counts_and_what_is_undone_does_not(serve: Serve) -> None:
    def prepare(api: Demijohn) -> None:
        api.resource(Base)
        loans = api.resource(Loan)

        @loans.after_create
        def rename(item: Json, caller: Any, connection: Any) -> None:
            connection.execute(update(Book).where(Book.id == item["book_id"]).values(title=item["reader"]))
            if item["reader"] == "Nobody":
                raise Problem("Nobody may.", status=422)

    client = serve(served(CONTRACT), Base, rows=ROWS, prepare=prepare)
    assert kept(client, "/books/1")["title"] == "One"
    assert client.post("/loans", json={"book_id": 1, "reader": "Nobody"}).status_code == 422
    assert told(client.get("/books/1")) == "hit"
    assert client.post("/loans", json={"book_id": 1, "reader": "Di"}).status_code == 201
    assert fresh(client, "/books/1")["title"] == "Di"


@pytest.fixture
def engine_of(client: FlaskClient) -> Engine:
    """Return the engine that Demijohn uses."""
    engine: Engine = client.application.extensions["demijohn"].resources.database.engine
    return engine


def by_orm(engine: Engine) -> None:
    with Session(engine) as session:
        session.get_one(Book, 1).title = "New"
        session.commit()


def by_core(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(Book).where(Book.id == 1).values(title="New"))


def by_text(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("/* by hand */ UPDATE  book\n SET title = 'New' WHERE id = 1"))


def by_driver_sql(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE book SET title = 'New' WHERE id = 1")


def by_autocommit(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(update(Book).where(Book.id == 1).values(title="New"))


def by_savepoint(engine: Engine) -> None:
    with engine.begin() as connection:
        with connection.begin_nested():
            connection.execute(update(Book).where(Book.id == 1).values(title="New"))
        with connection.begin_nested() as nested:
            connection.execute(update(Book).where(Book.id == 1).values(title="Other"))
            nested.rollback()


BY_SQLALCHEMY = [by_orm, by_core, by_text, by_driver_sql, by_savepoint]
# An engine that Demijohn makes begins a transaction all the same.
WRITERS = [*((one, own) for one in BY_SQLALCHEMY for own in (False, True)), (by_autocommit, True)]


@pytest.mark.parametrize(("write", "own"), WRITERS)
def test_what_the_application_writes_by_sqlalchemy_counts(
    client: FlaskClient, engine_of: Engine, plain: Engine, write: Callable[[Engine], None], own: bool
) -> None:
    assert kept(client, "/books/1")["title"] == "One"
    write(plain if own else engine_of)
    assert fresh(client, "/books/1")["title"] == "New"


def test_what_sqlalchemy_rolls_back_or_only_reads_does_not_count(client: FlaskClient, plain: Engine) -> None:
    kept(client, "/books/1")
    with Session(plain) as session:
        session.get_one(Book, 1).title = "New"
        session.flush()
        session.rollback()
        assert session.scalars(select(Book.title).where(Book.id == 1).with_for_update()).one() == "One"
        session.commit()
    assert told(client.get("/books/1")) == "hit"


def test_a_connection_of_the_applications_is_one_change_with_its_versions(client: FlaskClient, plain: Engine) -> None:
    app = client.application
    books = app.extensions["demijohn"].resources._resources.handle(Book, "Book")
    with app.app_context():
        kept(client, "/books/1")
        with plain.connect() as connection:
            books.patch(1, {"title": "New"}, connection=connection)
            assert told(client.get("/books/1")) == "hit"
            connection.commit()
        assert fresh(client, "/books/1")["title"] == "New"
        kept(client, "/books/1")
        with plain.connect() as connection:
            books.patch(1, {"title": "Undone"}, connection=connection)
            connection.rollback()
        assert told(client.get("/books/1")) == "hit"
        books.patch(1, {"title": "Newer"})
        assert fresh(client, "/books/1")["title"] == "Newer"


def beside(client: FlaskClient, folder: Path, url: str, document: Json) -> FlaskClient:
    """Return another application on the same database, as another process has it."""
    folder.mkdir()
    (folder / "openapi.json").write_text(json.dumps(document))
    app = Flask("small", root_path=str(folder))
    api = Demijohn(app, settings=Settings(database_url=url))
    api.resource(Base)
    api.add_contract("openapi.json")
    return app.test_client()


@pytest.fixture
def other(client: FlaskClient, database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    """Return the same application in another process: they have nothing but the database in common."""
    made = beside(client, tmp_path / "other", database_url, served(CONTRACT))
    yield made
    made.application.extensions["demijohn"].resources.database.close()


@pytest.fixture
def uncached(client: FlaskClient, database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    """Return the same application, that keeps nothing."""
    document = json.loads(json.dumps(served(CONTRACT)).replace('"x-cache"', '"x-nothing"'))
    made = beside(client, tmp_path / "uncached", database_url, document)
    yield made
    made.application.extensions["demijohn"].resources.database.close()


def test_random_writes_and_reads_are_as_without_a_cache(
    client: FlaskClient, other: FlaskClient, uncached: FlaskClient, plain: Engine
) -> None:
    chance, hits = random.Random(7), 0
    addresses = ["/books", WHOLE, "/books?sort=-title&limit=3", "/authors/1/books", "/shelves/1", "/books?q=e"]

    def write(step: int) -> None:
        by, some = chance.choice([client, other]), chance.randrange(1, 9)
        match chance.randrange(10):
            case 0:
                by.post("/books", json={"title": f"b{step}", "author_id": chance.choice([1, 2])})
            case 1:
                by.patch(f"/books/{some}", json={"title": f"t{step}"})
            case 2:
                by.delete(f"/books/{some}")
            case 3:
                by.patch("/authors/1", json={"name": f"a{step}"})
            case 4:
                by.post("/loans", json={"book_id": some, "reader": "r"})
            case 5:
                with plain.begin() as connection:
                    connection.execute(update(Tag).values(word=f"w{step}"))

    for step in range(80):
        write(step)
        for address in chance.sample(addresses, 3):
            found, wanted = chance.choice([client, other]).get(address), uncached.get(address)
            assert "Cache-Status" not in wanted.headers
            assert (found.data, found.headers["ETag"]) == (wanted.data, wanted.headers["ETag"]), (step, address)
            hits += told(found) == "hit"
    assert 40 < hits < 200


def test_what_was_read_before_a_write_is_not_given_after_it(
    serve: Serve, plain: Engine, module: Callable[..., None]
) -> None:
    has_read, may_go_on = threading.Event(), threading.Event()

    def titles() -> list[str]:
        with plain.connect() as connection:
            found = list(connection.scalars(select(Book.title).order_by(Book.id)))
        has_read.set()
        assert may_go_on.wait(10)
        return found

    module("reading", titles=titles)
    client = serve(CONTRACT, Base, rows=ROWS)
    slow: list[TestResponse] = []
    thread = threading.Thread(target=lambda: slow.append(client.application.test_client().get("/titles")))
    thread.start()
    assert has_read.wait(10)
    assert client.patch("/books/1", json={"title": "New"}).status_code == 200
    may_go_on.set()
    thread.join(10)
    assert (slow[0].get_json(), told(slow[0])) == (["One", "Two"], "fwd=miss; stored")
    after = client.get("/titles")
    assert (after.get_json(), told(after)) == (["New", "Two"], "fwd=stale; stored")
    assert told(client.get("/titles")) == "hit"


def test_what_a_session_saw_before_a_write_is_not_given_after_it(
    serve: Serve, plain: Engine, module: Callable[..., None]
) -> None:
    app, writes = Flask("small"), [{"title": "New"}]

    @app.before_request
    def begin() -> None:
        if request.path == "/titles":
            g.session = Session(plain)
            g.book = g.session.get_one(Book, 1)
            for body in writes:
                writes.remove(body)
                assert app.test_client().patch("/books/1", json=body).status_code == 200

    @app.teardown_request
    def end(error: BaseException | None) -> None:
        if "session" in g:
            g.session.close()

    module("reading", titles=lambda: [g.book.title])
    client = serve(CONTRACT, Base, rows=ROWS, app=app)
    before = client.get("/titles")
    assert (before.get_json(), told(before)) == (["One"], "fwd=miss; stored")
    after = client.get("/titles")
    assert (after.get_json(), told(after)) == (["New"], "fwd=stale; stored")
    assert told(client.get("/titles")) == "hit"


def test_parallel_writers_lose_no_version_and_do_not_deadlock(
    client: FlaskClient, other: FlaskClient, plain: Engine
) -> None:
    def work(number: int) -> list[int]:
        app = (client if number % 2 else other).application
        mine, statuses = app.test_client(), []
        for step in range(10):
            address, body = (("/books/1", "title"), ("/authors/1", "name"))[(number + step) % 2]
            statuses.append(mine.patch(address, json={body: f"{number}.{step}"}).status_code)
            shown = mine.get("/books/1?include=author").get_json()
            assert (shown["title"] if body == "title" else shown["author"]["name"]) != "One"
        return statuses

    with ThreadPoolExecutor(6) as pool:
        found = [one for statuses in pool.map(work, range(6)) for one in statuses]
    assert found == [200] * 60
    with plain.connect() as connection:
        stored = connection.execute(select(Book.title, Author.name).join(Author).where(Book.id == 1)).one()
    for one in (client, other):
        shown = one.get("/books/1?include=author").get_json()
        assert (shown["title"], shown["author"]["name"]) == tuple(stored)


def test_a_database_in_memory_drops_what_was_seen_before_its_commit(tmp_path: Path) -> None:
    app = Flask("small", root_path=str(tmp_path))
    api = Demijohn(app, settings=Settings(database_url="sqlite://"))
    api.resource(Base)
    (tmp_path / "openapi.json").write_text(json.dumps(served(CONTRACT)))
    api.add_contract(tmp_path / "openapi.json")
    engine = app.extensions["demijohn"].resources.database.engine
    client = app.test_client()
    assert client.post("/authors", json={"name": "Ada"}).status_code == 201
    assert kept(client, "/authors/1/books") == []
    with Session(engine) as session:
        session.add(Book(title="One", author_id=1))
        session.flush()
        assert len(client.get("/authors/1/books").get_json()) == 1
        session.rollback()
    assert fresh(client, "/authors/1/books") == []
    assert client.post("/books", json={"title": "One", "author_id": 1}).status_code == 201
    assert len(fresh(client, "/authors/1/books")) == 1
    app.extensions["demijohn"].resources.database.close()
