"""Which tables a statement writes to, read off its text: never fewer than it does."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

from demijohn.resources.written import Watched

METADATA = MetaData()
Table("author", METADATA, Column("id", Integer, primary_key=True))
Table(
    "book",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("author.id", ondelete="CASCADE")),
)
Table(
    "loan",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("book_id", ForeignKey("book.id", ondelete="SET NULL", onupdate="CASCADE")),
)
Table("note", METADATA, Column("id", Integer, primary_key=True), Column("book_id", ForeignKey("book.id")))
ALL = {"author", "book", "loan", "note"}

CASES: list[tuple[str, set[str]]] = [
    ("SELECT id FROM book WHERE id = 1", set()),
    ("SELECT id FROM book FOR UPDATE", set()),
    ("SELECT id FROM book FOR NO KEY UPDATE OF book", set()),
    ("INSERT INTO note (id) VALUES (1)", {"note"}),
    ("INSERT INTO note SELECT id FROM book", {"note"}),
    ('insert\n into\t"note" values (1)', {"note"}),
    ("INSERT INTO public.note DEFAULT VALUES", {"note"}),
    ("INSERT INTO notebook (note) VALUES ('DELETE')", set()),
    ("INSERT INTO book (id) VALUES (1)", {"book"}),
    ("INSERT INTO book (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2", {"book", "loan"}),
    ("INSERT INTO `book` (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 2", {"book", "loan"}),
    ("INSERT OR REPLACE INTO book (id) VALUES (1)", {"book", "loan"}),
    ("REPLACE INTO book VALUES (1)", {"book", "loan"}),
    ("SELECT replace(replace(book, 'a', 'b'), 'c', 'd') FROM note", set()),
    ("UPDATE note SET id = 2", {"note"}),
    ("UPDATE ONLY [note] AS n SET id = 2 FROM book", {"note"}),
    ("UPDATE book SET id = 2 RETURNING (SELECT id FROM note)", {"book", "loan"}),
    ("UPDATE note JOIN loan ON loan.id = note.id SET loan.id = 3", {"note", "loan"}),
    ("DELETE FROM note WHERE id IN (SELECT id FROM book)", {"note"}),
    ("DELETE FROM author", {"author", "book", "loan"}),
    ("DELETE n, l FROM note n JOIN loan l ON n.id = l.id WHERE true", {"note", "loan"}),
    ("TRUNCATE TABLE note, author CASCADE", {"note", "author", "book", "loan"}),
    ("MERGE INTO book USING note ON true WHEN MATCHED THEN DELETE", {"book", "loan"}),
    ("WITH gone AS (DELETE FROM note RETURNING id) SELECT * FROM gone", {"note"}),
    ("COPY note FROM STDIN", {"note"}),
    ("LOAD DATA INFILE 'x' INTO TABLE note (id)", {"note"}),
    ("CALL tidy()", ALL),
    ("EXECUTE tidy(1)", ALL),
    ("-- note\nUPDATE /* which */ note SET id = 1", {"note"}),
    ("DELETE FROM NOTE", {"note"}),
]


@pytest.mark.parametrize(("sql", "tables"), CASES)
def test_the_tables_that_a_statement_writes_to(sql: str, tables: set[str]) -> None:
    watched = Watched()
    watched.watch(ALL, [METADATA])
    assert watched.written(sql) == tables
    assert watched.written(sql) == tables  # as it is remembered


def test_only_what_is_watched_is_found_and_through_tables_that_are_not() -> None:
    watched = Watched()
    assert watched.written("DELETE FROM author") == set()
    watched.watch(["loan"], [METADATA])
    assert watched.written("DELETE FROM author") == {"loan"}
    assert watched.written("DELETE FROM note") == set()
    watched.watch(["note"], [])
    assert watched.written("DELETE FROM note") == {"note"}
    assert watched.written("UPDATE book SET id = 1") == {"loan"}


def test_what_is_remembered_is_bounded() -> None:
    watched = Watched()
    watched.watch(["note"], [METADATA])
    for number in range(5000):
        watched.written(f"DELETE FROM note WHERE id = {number}")
    watched.written("DELETE FROM note WHERE id IN (" + "1, " * 10_000 + "1)")
    assert len(watched._found) <= 2000
    assert max(map(len, watched._found)) < 100
