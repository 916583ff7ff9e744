from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from demijohn.compile.answers import Answer
from demijohn.errors import Conflict, UnprocessableContent
from demijohn.resources.database import Database, Transaction, create_tables, open_database
from demijohn.resources.idempotency import Idempotency, fingerprint_of, metadata
from demijohn.resources.statement import compile_statement
from demijohn.settings import Settings

ANSWER = Answer(201, b'{"id":1,"\xc3\xa9":"\x00"}', "application/json", [("Location", "/people/1"), ("ETag", '"x"')])
SAME, OTHER = fingerprint_of(b"POST", b"{}"), fingerprint_of(b"POST", b"[]")


@pytest.fixture
def opened(database_url: str) -> Iterator[Database]:
    database = open_database(database_url, Settings())
    create_tables(database.engine, [metadata])
    yield database
    database.close()


@pytest.fixture
def store(opened: Database) -> Idempotency:
    return Idempotency(opened.dialect, Settings(idempotency_hours=1))


@pytest.fixture
def once(opened: Database, store: Idempotency) -> Callable[..., tuple[Answer, bool]]:
    """Return what answers a request once: the answer, and whether it was a replay."""

    def run(scope: str = "create alice", key: str = "k", fingerprint: str = SAME, **more: Any) -> tuple[Answer, bool]:
        def work(transaction: Transaction) -> tuple[Answer, bool]:
            stored = store.claim(transaction, scope, key, fingerprint)
            if stored is not None:
                return stored, True
            more.get("between", lambda: None)()
            answer: Answer = more.get("answer", ANSWER)
            store.keep(transaction, scope, key, fingerprint, answer)
            return answer, False

        return opened.write(work)

    return run


def count(database: Database) -> Any:
    statement = select(func.count()).select_from(metadata.tables["demijohn_idempotency"])
    return database.read(compile_statement(statement, database.dialect.sql), {})[0][0]


def test_the_same_request_gets_the_first_answer_again(once: Any) -> None:
    assert once() == (ANSWER, False)
    assert once() == (ANSWER, True)
    assert once() == (ANSWER, True)


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_answer_without_a_body_is_an_answer(once: Any) -> None:
    empty = Answer(204, b"", None, [])
    assert once(answer=empty) == (empty, False)
    assert once() == (empty, True)


def test_a_large_answer_is_kept_whole(once: Any) -> None:
    large = Answer(200, bytes(range(256)) * 1000, "application/octet-stream", [("X-Long", "x" * 70_000)])
    assert once(answer=large) == (large, False)
    assert once() == (large, True)


def test_the_same_key_with_another_request_is_refused(once: Any) -> None:
    once()
    with pytest.raises(UnprocessableContent):
        once(fingerprint=OTHER)


def test_a_key_is_one_key_within_its_scope(once: Any) -> None:
    once()
    assert once(scope="create bob")[1] is False
    assert once(key="k2")[1] is False
    assert once(scope="createalice k", key="")[1] is False
    assert once(key="k" * 5000 + "\u20ac\x00")[1] is False


def test_keys_differ_by_case_accents_and_trailing_spaces(once: Any) -> None:
    for key in ("k", "K", "\u212a", "k ", "k\u0301"):
        assert once(key=key)[1] is False


def test_what_fails_is_not_kept(once: Any, opened: Database) -> None:
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        once(between=fail)
    assert count(opened) == 0
    assert once()[1] is False


def test_a_key_may_be_used_anew_when_its_answer_is_too_old(once: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    once()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3590)
    assert once()[1] is True
    monkeypatch.setattr(time, "time", lambda: now + 3610)
    assert once(fingerprint=OTHER)[1] is False
    assert once(fingerprint=OTHER)[1] is True


def test_old_answers_are_removed_now_and_then(once: Any, opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in "abc":
        once(key=key)
    now, later = time.time(), time.monotonic() + 3600
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    once(key="d")
    assert count(opened) == 4
    monkeypatch.setattr(time, "monotonic", lambda: later)
    once(key="e")
    assert count(opened) == 2


def both(once: Any, **second: Any) -> list[Any]:
    """Run a request, and the same in another thread while it is not done; return how the second one ended."""
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(once(**second))
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run)

    def between() -> None:
        thread.start()
        thread.join(0.5)

    assert once(between=between)[1] is False
    thread.join()
    return ended


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_request_that_is_not_done_yet_is_told(once: Any) -> None:
    (error,) = both(once)
    assert isinstance(error, Conflict)
    assert (error.code, error.headers) == ("in-flight", (("Retry-After", "1"),))
    assert once() == (ANSWER, True)


@pytest.mark.parametrize("database", ["sqlite"])
def test_the_second_writer_on_sqlite_waits_and_gets_the_answer_of_the_first(once: Any) -> None:
    assert both(once) == [(ANSWER, True)]


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_other_keys_do_not_wait(once: Any) -> None:
    assert both(once, key="another") == [(ANSWER, False)]


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_lock_ends_with_its_transaction(once: Any) -> None:
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        once(between=fail)
    assert both(once, key="another")[0] == (ANSWER, False)


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_an_answer_that_claim_could_not_see_counts_as_not_done(opened: Database, store: Idempotency) -> None:
    def work(transaction: Transaction) -> None:
        store.keep(transaction, "create", "k", SAME, ANSWER)

    opened.write(work)
    with pytest.raises(Conflict) as told:
        opened.write(work)
    assert told.value.code == "in-flight"


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_many_requests_with_one_key_are_carried_out_once(once: Any) -> None:
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(once()[1])
        except Conflict:
            ended.append("in-flight")

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended.count(False) == 1
    assert len(ended) == 12


def test_a_fingerprint_is_of_its_parts_not_of_their_sum() -> None:
    assert fingerprint_of(b"ab", b"c") != fingerprint_of(b"a", b"bc") != fingerprint_of(b"abc")
