"""Attack cases G5 to G8 on the Library: no copy is lent twice, no order made twice, nobody has a loan too many."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import databases
import pytest
import sqlalchemy as sa
from databases import Kind
from served import create_tables, served, served_by_gunicorn, wait_for
from served_site import Server
from target import Reply, Target

LIBRARY = Path(__file__).parents[2] / "examples" / "library"
PASSWORD = "a good long read"
SECRET = "h2 Vh7Qw0mJ4sT9xK2pL6rN8bC3dF5gZ1yA"
BORROWERS, COPIES = 100, 5


@dataclass
class Library(Target):
    """Be the running library; `tokens` are those of its members, by their numbers, `desk` that of a librarian."""

    engine: sa.Engine
    tokens: dict[int, str]
    desk: str

    def call(self, method: str, path: str, body: Any = None, *, token: str, **headers: str) -> Reply:
        """Ask as somebody."""
        return self.ask(method, path, body, Authorization=f"Bearer {token}", **headers)

    def add(self, copies: int) -> int:
        """Add a book."""
        made = self.call("POST", "/books", {"title": "One", "authors": ["X"], "copies": copies}, token=self.desk)
        assert made.status == 201, made.body
        number: int = made.json["id"]
        return number

    def book(self, number: int) -> Any:
        """Return a book as everybody sees it, past whatever may have kept an answer."""
        with self.engine.connect() as connection:
            return connection.execute(sa.text("SELECT * FROM books WHERE id = :id"), {"id": number}).mappings().one()

    def count(self, table: str, condition: str, **values: Any) -> int:
        """Return how many rows there are, behind the back of the API."""
        with self.engine.connect() as connection:
            query = sa.text(f"SELECT count(*) FROM {table} WHERE {condition}")
            return int(connection.execute(query, values).scalar_one())

    def race(self, ask: Callable[[int, str], Reply], members: list[int]) -> list[Reply]:
        """Let members ask at the same moment, each in a thread of its own."""
        start = threading.Barrier(len(members))
        replies: list[Reply] = []
        failed: list[BaseException] = []

        def act(member: int) -> None:
            try:
                start.wait(timeout=30)
                replies.append(ask(member, self.tokens[member]))
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=act, args=(member,)) for member in members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert not failed, failed[0]
        return replies


PLACES: dict[str, tuple[Kind, Server]] = {
    "sqlite": ("sqlite", "granian"),
    "postgresql": ("postgresql", "granian"),
    "mariadb": ("mariadb", "granian"),
    "sqlite-gunicorn": ("sqlite", "gunicorn"),
    "postgresql-gunicorn": ("postgresql", "gunicorn"),
}


@pytest.fixture(scope="module", params=PLACES)
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Return the library on two workers, of `demijohn run` or Gunicorn, with a hundred members who are logged in."""
    kind, server = PLACES[request.param]
    folder = tmp_path_factory.mktemp("library")
    target = shutil.copytree(LIBRARY, folder / "library", ignore=shutil.ignore_patterns("instance", "tests"))
    url = databases.url(kind, folder)
    variables = {
        "DATABASE_URL": url,
        "SECRET_KEY": SECRET,
        "DEMIJOHN_ENVIRONMENT": "development",
        "DEMIJOHN_PASSWORD_MEMORY_KIB": "8",
        "DEMIJOHN_PASSWORD_TIME_COST": "1",
        "PYTHONPATH": os.pathsep.join([str(target), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    engine = sa.create_engine(url)
    try:
        tokens = _members(target, folder, variables, engine, kind)
        if server == "granian":
            serving = served(target, "--workers", "2", cwd=folder, **variables)
        else:
            serving = served_by_gunicorn("library:create_app()", cwd=folder, WEB_CONCURRENCY="2", **variables)
        with serving as address:
            wait_for(f"{address}/books")
            numbers = sorted(number for number in tokens)
            yield Library(address, engine, {one: tokens[one] for one in numbers[1:]}, tokens[numbers[0]])
    finally:
        engine.dispose()
        databases.empty(kind)


# A member each, of one password; they log in from addresses of their own, since a day allows one address 200 logins.
SIGN_UP = """
import json, sys
from library import create_app
from library.models import User
from library.resources import api
from sqlalchemy import insert, select
app = create_app()
client = app.test_client()
last, password = int(sys.argv[1]), sys.argv[2]
people = [{"username": f"member{n}", "email": f"member{n}@example.org"} for n in range(last + 1)]
assert client.post("/users/register", json={**people[0], "password": password}).status_code == 201
with app.app_context():
    hashed = {"password_hash": api.transact(lambda connection: connection.scalar(select(User.password_hash)))}
    api.transact(lambda connection: connection.execute(insert(User), [{**one, **hashed} for one in people[1:]]))
    numbers = dict(map(tuple, api.transact(lambda connection: connection.execute(select(User.email, User.id)).all())))
tokens = {}
for n, one in enumerate(people):
    body, address = {"email": one["email"], "password": password}, {"REMOTE_ADDR": f"10.0.{n // 250}.{n % 250 + 1}"}
    reply = client.post("/users/login", json=body, environ_base=address)
    tokens[numbers[one["email"]]] = reply.get_json()["access_token"]
print(json.dumps(tokens))
"""


def _members(target: Path, folder: Path, variables: dict[str, str], engine: sa.Engine, kind: Kind) -> dict[int, str]:
    """Make a librarian and the members; return their tokens by their numbers."""
    if kind != "sqlite":
        create_tables(target, variables["DATABASE_URL"])
    command = [sys.executable, "-c", SIGN_UP, str(BORROWERS), PASSWORD]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tokens = {int(number): token for number, token in json.loads(done.stdout).items()}
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE users SET role = 'librarian' WHERE id = :id"), {"id": min(tokens)})
    return tokens


def statuses(replies: list[Reply]) -> Counter[int]:
    return Counter(reply.status for reply in replies)


def test_g6_a_hundred_borrowers_get_the_five_copies_that_there_are(library: Library) -> None:
    book = library.add(COPIES)
    members = list(library.tokens)[:BORROWERS]
    replies = library.race(lambda _, token: library.call("POST", "/loans", {"book_id": book}, token=token), members)
    assert statuses(replies) == {201: COPIES, 409: BORROWERS - COPIES}
    row = library.book(book)
    assert (row["lent"], row["available"]) == (COPIES, 0)
    assert library.count("loans", "book_id = :book", book=book) == COPIES
    # And back again, all at once.
    loans = {reply.json["user_id"]: reply.json["id"] for reply in replies if reply.status == 201}
    back = library.race(
        lambda member, token: library.call("POST", f"/loans/{loans[member]}/return", token=token), list(loans)
    )
    assert statuses(back) == {200: COPIES}
    assert (library.book(book)["lent"], library.book(book)["available"]) == (0, COPIES)


def test_g5_of_fifty_books_with_one_isbn_one_is_made(library: Library) -> None:
    """Its last digit may be an X; an x is refused."""
    isbns = ["080442957X", "080442957X", "080442957x"]
    turn = itertools.count()

    def add(*_: Any) -> Reply:
        body = {"title": "One", "authors": ["X"], "isbn": isbns[next(turn) % 3]}
        return library.call("POST", "/books", body, token=library.desk)

    replies = library.race(add, [next(iter(library.tokens))] * 50)
    assert statuses(replies) == {201: 1, 400: 16, 409: 33}
    assert {one.json["errors"][0]["pointer"] for one in replies if one.status >= 400} == {"#/isbn"}
    assert library.count("books", "lower(isbn) = '080442957x'") == 1


@pytest.mark.parametrize(
    "variants",
    [
        ["case@example.org", "Case@example.org", "CASE@EXAMPLE.ORG"],
        ["caf\u00e9@example.org", "cafe\u0301@example.org", "caf\u00e9@example.org"],
    ],
)
def test_g5_of_fifty_who_register_with_one_address_one_is_made(library: Library, variants: list[str]) -> None:
    turn = itertools.count()

    def register(*_: Any) -> Reply:
        number = next(turn)
        body = {"username": f"g5-{number}", "email": variants[number % 3], "password": PASSWORD}
        return library.ask("POST", "/users/register", body)

    before = library.count("users", "1 = 1")
    counted = statuses(library.race(register, [next(iter(library.tokens))] * 50))
    made = 1 if variants[0].isascii() else 0
    assert counted[201] == library.count("users", "1 = 1") - before == made
    assert counted[400] + counted[409] == 50 - made


def test_g7_no_change_of_a_book_is_lost(library: Library) -> None:
    path = f"/books/{library.add(1)}"
    for version in range(2, 5):
        tag = library.ask("GET", path, Cache_Control="no-cache").headers["etag"]

        def change(*_: Any, tag: str = tag, version: int = version) -> Reply:
            return library.call("PATCH", path, {"copies": version}, token=library.desk, If_Match=tag)

        replies = library.race(change, [next(iter(library.tokens))] * 50)
        assert statuses(replies) == {200: 1, 412: 49}
    assert library.book(int(path.rpartition("/")[2]))["copies"] == 4


def test_g8_a_key_is_good_for_one_order_only(library: Library) -> None:
    member, token = list(library.tokens.items())[3]
    turn = itertools.count(1)

    def order(*_: Any) -> Reply:
        line = {"title": "Theogony", "authors": ["Hesiod"], "quantity": next(turn), "unit_price": "1.00"}
        return library.call("POST", "/orders", {"kind": "buy", "lines": [line]}, token=token, Idempotency_Key="one-key")

    counted = statuses(library.race(order, [member] * 50))
    assert counted[201] == 1
    assert set(counted) <= {201, 409, 422}
    assert library.count("orders", "user_id = :user", user=member) == 1
    # The key is the member's own.
    other, token = list(library.tokens.items())[4]
    assert order().status == 201
    assert library.count("orders", "user_id = :user", user=other) == 1


def test_g8_fifty_orders_with_one_key_are_one_order(library: Library) -> None:
    member, token = next(iter(library.tokens.items()))
    line = {"title": "Theogony", "authors": ["Hesiod"], "quantity": 3, "unit_price": "0.10"}
    body = {"kind": "buy", "lines": [line]}
    replies = library.race(
        lambda *_: library.call("POST", "/orders", body, token=token, Idempotency_Key="one-order"), [member] * 50
    )
    assert set(statuses(replies)) <= {201, 409}
    good = [reply for reply in replies if reply.status == 201]
    assert len({reply.body for reply in good}) == 1
    assert {reply.json["code"] for reply in replies if reply.status == 409} <= {"in-flight"}
    assert library.count("orders", "user_id = :user", user=member) == 1
    again = library.call("POST", "/orders", body, token=token, Idempotency_Key="one-order")
    assert (again.status, again.body) == (201, good[0].body)


def test_nobody_has_a_loan_too_many(library: Library) -> None:
    books = [library.add(1) for _ in range(12)]
    member, token = list(library.tokens.items())[1]
    waiting = iter(books)
    lock = threading.Lock()

    def borrow(*_: Any) -> Reply:
        with lock:
            book = next(waiting)
        return library.call("POST", "/loans", {"book_id": book}, token=token)

    replies = library.race(borrow, [member] * 12)
    assert statuses(replies) == {201: 5, 409: 7}
    assert library.count("loans", "user_id = :user AND returned_at IS NULL", user=member) == 5
    assert sum(library.book(book)["lent"] for book in books) == 5


def test_one_copy_that_is_returned_many_times_comes_back_once(library: Library) -> None:
    book = library.add(1)
    member, token = list(library.tokens.items())[2]
    loan = library.call("POST", "/loans", {"book_id": book}, token=token).json["id"]
    replies = library.race(lambda *_: library.call("POST", f"/loans/{loan}/return", token=token), [member] * 20)
    assert statuses(replies) == {200: 1, 409: 19}
    assert (library.book(book)["lent"], library.book(book)["available"]) == (0, 1)


def test_copies_are_counted_whatever_happens_at_once(library: Library) -> None:
    """Some borrow, some return, some wait, some leave the line: what the book says is what the tables say."""
    book = library.add(2)
    members = list(library.tokens)[10:40]

    def live(member: int, token: str) -> Reply:
        last = library.call("POST", "/loans", {"book_id": book}, token=token)
        if last.status == 201:
            last = library.call("POST", f"/loans/{last.json['id']}/return", token=token)
        else:
            held = library.call("POST", "/holds", {"book_id": book}, token=token)
            if held.status == 201 and member % 3 == 0:
                last = library.call("DELETE", f"/holds/{held.json['id']}", token=token)
            elif held.status == 201:
                last = library.call("POST", "/loans", {"book_id": book}, token=token)
        return last

    replies = library.race(live, members)
    assert set(statuses(replies)) <= {200, 201, 204, 409}
    row = library.book(book)
    on_loan = library.count("loans", "book_id = :book AND returned_at IS NULL", book=book)
    kept = library.count("holds", "book_id = :book AND kept_until IS NOT NULL", book=book)
    waiting = library.count("holds", "book_id = :book AND kept_until IS NULL", book=book)
    assert row["lent"] == on_loan + kept
    assert row["available"] == row["copies"] - row["lent"] >= 0
    assert not (waiting and row["available"]), "a copy is free while somebody waits"


def test_deliveries_and_loans_at_once_lose_no_copy(library: Library) -> None:
    book = library.add(1)
    orders = []
    for _ in range(10):
        body = {"kind": "buy", "lines": [{"book_id": book, "quantity": 2, "unit_price": "1.00"}]}
        order = library.call("POST", "/orders", body, token=library.desk).json["id"]
        for step in ("approve", "order"):
            assert library.call("POST", f"/orders/{order}/{step}", token=library.desk).status == 200
        orders.append(order)
    members = list(library.tokens)[40:60]

    def act(member: int, token: str) -> Reply:
        if member % 2:
            return library.call("POST", "/loans", {"book_id": book}, token=token)
        order = orders[members.index(member) // 2]
        return library.call("POST", f"/orders/{order}/receive", token=library.desk)

    replies = library.race(act, members)
    assert set(statuses(replies)) <= {200, 201, 409}
    row = library.book(book)
    received = library.count("orders", "status = 'received'")
    assert row["copies"] == 1 + 2 * received
    assert received == 10
    assert row["lent"] == library.count("loans", "book_id = :book AND returned_at IS NULL", book=book)
