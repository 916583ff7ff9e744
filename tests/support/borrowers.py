"""Members who borrow, return and order at a running Library without a pause, and remember what they were promised."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any, TypeAlias

from library_server import BACK_S, LibraryServer, wait_until
from served_site import PASSWORD, Member, Site
from target import INSIDE, Reply

__all__ = ["Borrowers", "Lost", "borrowing"]

LONGEST_S = 15.0
"""After how many seconds a client takes a server for one that hangs."""
_PAUSE_S = 0.01
# So many good answers in a row, to all members, tell that a fault is over.
_ENOUGH = 40
# Clients that ask without a pause who is not there would leave no processor to who starts.
_AWAY_S = 0.2

Lent: TypeAlias = tuple[int, int]
"""A member and a book, by their numbers."""


@dataclass(frozen=True)
class Lost:
    """Be a request that got no answer; `began` and `ended` are seconds of `time.monotonic`."""

    request: str
    reason: str
    began: float
    ended: float


@dataclass
class Borrowers:
    """Hold what members were promised, and what went wrong.

    A request whose outcome nobody told, by losing the connection or by 503, is sent again where it has an
    `Idempotency-Key`, until it is answered; all orders have one, and every second member's loans.
    """

    server: LibraryServer
    books: list[int]
    statuses: Counter[int] = field(default_factory=Counter)
    loans: dict[int, Lent] = field(default_factory=dict)
    """The loans that were acknowledged, by their numbers."""
    doubtful: Counter[Lent] = field(default_factory=Counter)
    """Loans that may have been made, or not."""
    returned: set[int] = field(default_factory=set)
    orders: dict[str, int] = field(default_factory=dict)
    """The numbers of orders that were acknowledged, by their keys."""
    refused: Counter[str] = field(default_factory=Counter)
    """What was 503, by method and path."""
    lost: list[Lost] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Answers that nobody should ever get."""
    slowest_s: float = 0.0
    good_in_a_row: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._keys = (f"key-{number}" for number in count())

    def wait_for_more(self, wanted: int) -> None:
        """Return once there are so many more answers that tell of a change or a book."""
        before = self._good()
        wait_until(lambda: self._good() >= before + wanted, f"no more good answers: {self.statuses}, {self.wrong[:3]}")

    def are_served_again(self) -> None:
        """Check that within `BACK_S` nobody is refused any more: until so many in a row got what they wanted."""
        with self._lock:
            self.good_in_a_row = 0
        wait_until(lambda: self.good_in_a_row >= _ENOUGH, f"still refused: {self.statuses}, {self.wrong[:3]}", BACK_S)

    def are_refused(self, times: int) -> None:
        """Return once so many more were told to come again."""
        before = self.statuses[503]
        wait_until(lambda: self.statuses[503] >= before + times, "nobody is refused")

    def log_in(self, member: Member, password: str = PASSWORD) -> int | None:
        """Let somebody log in, from one address each time; return the status of the answer."""
        body = {"email": member.email, "password": password}
        good = (200,) if password == PASSWORD else (401, 429)
        reply = self._ask("POST", "/users/login", body, {"Content-Type": "application/json"}, good, "127.0.0.9")
        return None if reply is None else reply.status

    def _good(self) -> int:
        return self.statuses[200] + self.statuses[201]

    def check(self) -> None:
        """Check that each promise was kept once, and that the books are in order. The server may be killed, or idle."""
        assert self.wrong == []
        rows = self.server.rows("SELECT id, user_id, book_id, returned_at FROM loans")
        stored = {row[0]: (row[1], row[2]) for row in rows}
        assert self.loans.items() <= stored.items(), "an acknowledged loan is lost"
        # Whatever is there beside them was asked for by a request that got no answer, and no request made two.
        assert Counter(stored.values()) <= Counter(self.loans.values()) + self.doubtful
        assert self.returned <= {row[0] for row in rows if row[3] is not None}
        orders = Counter(
            json.loads(row[0])[0]["title"] for row in self.server.rows("SELECT CAST(lines AS text) FROM orders")
        )
        assert orders.keys() >= self.orders.keys(), "an acknowledged order is lost"
        assert set(orders.values()) <= {1}, "an order was doubled"
        on_loan = Counter(row[2] for row in rows if row[3] is None)
        for number, copies, lent, available in self.server.rows("SELECT id, copies, lent, available FROM books"):
            assert (lent, available + lent) == (on_loan[number], copies)

    def _live(self, member: Member, *, has_keys: bool) -> None:
        while not self._is_over.is_set():
            book = random.choice(self.books)
            key = next(self._keys)
            self._read()
            self._order(member, key)
            loan = self._borrow(member, book, f"loan-{key}" if has_keys else None)
            if loan is not None:
                self._give_back(member, loan)
            self._is_over.wait(_PAUSE_S)

    def _read(self) -> None:
        paths = (f"/books/{random.choice(self.books)}", f"/books?per_page={random.randrange(1, 100)}")
        self._ask("GET", random.choice(paths), None, {}, (200,))

    def _order(self, member: Member, key: str) -> None:
        line = {"title": key, "authors": ["Hesiod"], "quantity": 1, "unit_price": "9.99"}
        body = {"kind": "buy", "lines": [line]}
        reply = self._insist("/orders", body, member, key, (201,))
        if reply is None:
            return
        self.orders[key] = reply.json["id"]
        if random.random() < 0.2:
            again = self._insist("/orders", body, member, key, (201,))
            if again is not None and again.body != reply.body:
                self.wrong.append(f"{key} gave two orders")

    def _borrow(self, member: Member, book: int, key: str | None) -> int | None:
        body = {"book_id": book}
        if key is not None:
            reply = self._insist("/loans", body, member, key, (201, 409))
        else:
            reply = self._ask("POST", "/loans", body, _headers(member), (201, 409))
        with self._lock:
            if reply is None or reply.status == 503:
                self.doubtful[member.id, book] += 1
                return None
            if reply.status == 201:
                self.loans[reply.json["id"]] = (member.id, book)
        return int(reply.json["id"]) if reply.status == 201 else self._one_on_loan(member)

    def _one_on_loan(self, member: Member) -> int | None:
        reply = self._ask("GET", "/loans?returned_at__isnull=true", None, _headers(member), (200,))
        found = reply.json["loans"] if reply is not None and reply.status == 200 else []
        return int(found[0]["id"]) if found else None

    def _give_back(self, member: Member, loan: int) -> None:
        # Where the first answer was lost, the second says that the book is back.
        reply = self._ask("POST", f"/loans/{loan}/return", None, _headers(member), (200, 409))
        if reply is not None and reply.status == 200:
            self.returned.add(loan)

    def _insist(self, path: str, body: Any, member: Member, key: str, good: tuple[int, ...]) -> Reply | None:
        """Send a request with a key until it has an answer; None where it is over before."""
        while True:
            reply = self._ask("POST", path, body, _headers(member, key), good)
            if reply is not None and reply.status in good and b"in-flight" not in reply.body:
                return reply
            if self._is_over.is_set():
                return None
            self._read()
            self._is_over.wait(_PAUSE_S)

    def _ask(
        self, method: str, path: str, body: Any, headers: dict[str, str], good: tuple[int, ...], source: str = ""
    ) -> Reply | None:
        """Return an answer, None where there was none; each request comes from an address of its own."""
        source = source or f"127.{random.randrange(2, 250)}.{random.randrange(250)}.{random.randrange(1, 250)}"
        data = None if body is None else json.dumps(body).encode()
        began = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=LONGEST_S, source_address=(source, 0))
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            got = {name.lower(): value for name, value in response.getheaders()}
            reply = Reply(response.status, got, response.read())
        except (OSError, HTTPException) as error:
            with self._lock:
                self.lost.append(Lost(f"{method} {path}", repr(error), began, time.monotonic()))
                self.good_in_a_row = 0
            self._is_over.wait(_AWAY_S)
            return None
        finally:
            connection.close()
        self._note(reply, f"{method} {path}", time.monotonic() - began, good)
        return reply

    def _note(self, reply: Reply, request: str, took_s: float, good: tuple[int, ...]) -> None:
        fault = _fault(reply, good)
        with self._lock:
            self.statuses[reply.status] += 1
            self.refused.update([request] if reply.status == 503 else [])
            self.slowest_s = max(self.slowest_s, took_s)
            self.good_in_a_row = self.good_in_a_row + 1 if reply.status in good else 0
            if fault:
                self.wrong.append(f"{request}: {fault}: {reply.status} {reply.headers} {reply.body[:300]!r}")


def _headers(member: Member, key: str | None = None) -> dict[str, str]:
    named = {"Authorization": f"Bearer {member.access}", "Content-Type": "application/json"}
    return named if key is None else {**named, "Idempotency-Key": key}


def _fault(reply: Reply, good: tuple[int, ...]) -> str:
    """Return what is wrong with an answer: it is good, or a refusal that says when to come again."""
    if reply.status in good:
        return ""
    if reply.status == 409 and b"in-flight" in reply.body:
        return ""
    if reply.status != 503:
        return "no such answer"
    if not reply.headers.get("retry-after", "").isdigit():
        return "no Retry-After"
    if reply.headers.get("content-type") != "application/problem+json" or INSIDE.search(reply.body):
        return "no problem"
    return ""


@contextmanager
def borrowing(server: LibraryServer, site: Site, *, members: int = 6, books: int = 8) -> Iterator[Borrowers]:
    """Let members borrow, return and order until this is left; `site` is the running server."""
    desk = site.worker()
    numbers = []
    for number in range(books):
        body = {"title": f"Book {number}", "authors": ["X"], "copies": 3}
        numbers.append(int(site.ask("POST", "/books", body, token=desk.access).json["id"]))
    found = Borrowers(server, numbers)
    threads = [
        threading.Thread(target=found._live, args=(site.member(),), kwargs={"has_keys": bool(number % 2)})
        for number in range(members)
    ]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        found._is_over.set()
        for thread in threads:
            thread.join(LONGEST_S * 2)
    assert not [thread for thread in threads if thread.is_alive()], "a client hangs"
