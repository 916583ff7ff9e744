"""Books come in from the file of somebody else, put right or refused with the reason, and never twice."""

from __future__ import annotations

import csv
import doctest
import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from demijohn.cli import main

FOLDER = Path(__file__).parents[1]
MAPPING = FOLDER / "library" / "imports" / "goodbooks.yaml"
GOODBOOKS = Path(__file__).parents[4] / "shared" / "data" / "books.csv"
HEADER = (
    "book_id,goodreads_book_id,isbn,isbn13,authors,original_publication_year,title,language_code,average_rating,"
    "ratings_count,image_url"
)
NO_PHOTO = "https://s.gr-assets.com/assets/nophoto/book/111x148-bcc042a9c91a29c1d680899eff700a03.png"


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("DATABASE_URL", "sqlite:///library.db")


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes rows to a file with the header of goodbooks-10k."""

    def write(*rows: str) -> Path:
        path = tmp_path / "books.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def import_(file: Path, *options: str) -> Result:
    arguments = ["import", str(FOLDER), "Book", str(file), "--mapping", str(MAPPING), *options]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def books() -> list[dict[str, Any]]:
    result = CliRunner().invoke(main, ["export", str(FOLDER), "Book"], catch_exceptions=False)
    return [json.loads(line) for line in result.stdout.splitlines()]


def told(result: Result) -> str:
    return result.stdout.partition(": ")[2].strip()


def test_what_is_wrong_in_a_row_is_put_right(file: Callable[..., Path]) -> None:
    path = file(
        '1,7624,140283331,9.78014028333e+12,"William Golding,  Carlos   Fuentes, William Golding",1954.0,'
        f"Lord of the  Flies ,eng,3.64,1605019,{NO_PHOTO}",
        "2,1371,140275363,,Homer,-762.0,The Iliad,,3.83,241088,https://images.gr-assets.com/books/1371m.jpg",
        '3,53732,,,Anonymous,,"The Epic of Gilgamesh, Again",en-US,3.5,2716,https://images.gr-assets.com/books/5m.jpg',
    )
    assert told(import_(path)) == "3 rows read: 3 inserted"
    golding, homer, gilgamesh = books()
    for one in (golding, homer, gilgamesh):
        assert one.pop("created_at") == one.pop("updated_at")
    assert golding == {
        "id": 1,
        "title": "Lord of the Flies",
        "authors": ["William Golding", "Carlos Fuentes"],
        "isbn": "0140283331",
        "isbn13": "9780140283334",
        "year": 1954,
        "language": "en",
        "average_rating": 3.64,
        "ratings_count": 1605019,
        "copies": 5,
        "available": 5,
        "cover_url": None,
        "goodreads_id": 7624,
    }
    assert (homer["year"], homer["language"], homer["copies"], homer["isbn13"]) == (-762, None, 3, "9780140275360")
    assert homer["cover_url"] == "https://images.gr-assets.com/books/1371m.jpg"
    assert (gilgamesh["isbn"], gilgamesh["isbn13"], gilgamesh["year"]) == (None, None, None)
    assert (gilgamesh["language"], gilgamesh["copies"]) == ("en-US", 1)


def test_a_row_with_a_wrong_isbn_is_in_the_report_with_its_line_and_column(file: Callable[..., Path]) -> None:
    path = file(
        "1,7624,140283331,,Golding,1954.0,Lord of the Flies,eng,3.64,16,https://images.gr-assets.com/a.jpg",
        "2,7625,140283332,,Golding,1955.0,The Inheritors,eng,3.54,16,https://images.gr-assets.com/b.jpg",
        "3,7626,14X283332,,Golding,1955.0,The Spire,eng,3.54,16,https://images.gr-assets.com/b.jpg",
        "4,7627,,,Golding,nobody knows,Rites of Passage,eng,3.54,16,https://images.gr-assets.com/b.jpg",
    )
    result = import_(path, "--report", "refused.csv")
    assert result.exit_code == 1
    assert told(result) == "4 rows read: 1 inserted, 3 refused"
    with Path("refused.csv").open(newline="") as report:
        assert [tuple(row) for row in csv.reader(report)] == [
            ("line", "property", "detail"),
            ("3", "isbn", "0140283332 is no ISBN: its last digit does not fit the others"),
            ("4", "isbn", "014X283332 is no ISBN: its last digit does not fit the others"),
            ("5", "", "could not convert string to float: 'nobody knows'"),
        ]


def test_what_is_imported_again_is_renewed_and_keeps_its_copies(file: Callable[..., Path]) -> None:
    row = "1,53732,{isbn},,Anonymous,,{title},eng,3.5,2716,https://images.gr-assets.com/books/5m.jpg"
    import_(file(row.format(isbn="", title="Gilgamesh")))
    changed = file(row.format(isbn="140449191", title="The Epic of Gilgamesh").replace("2716", "2000000"))
    assert told(import_(changed, "--on-conflict", "skip")) == "1 row read: 0 inserted, 1 skipped"
    assert [(one["title"], one["isbn"]) for one in books()] == [("Gilgamesh", None)]
    assert told(import_(changed, "--on-conflict", "update")) == "1 row read: 0 inserted, 1 updated"
    (book,) = books()
    assert (book["id"], book["title"], book["isbn"]) == (1, "The Epic of Gilgamesh", "0140449191")
    assert (book["ratings_count"], book["copies"], book["available"]) == (2000000, 1, 1)


@pytest.mark.skipif(not GOODBOOKS.is_file(), reason="goodbooks-10k is not beside the project")
def test_each_of_ten_thousand_real_books_is_imported_or_refused_and_none_twice() -> None:
    began = time.process_time()
    result = import_(GOODBOOKS, "--report", "refused.csv")
    took_s = time.process_time() - began
    assert told(result) == "10,000 rows read: 9,977 inserted, 23 refused"
    with Path("refused.csv").open(newline="") as report:
        refused = list(csv.DictReader(report))
    assert len({row["line"] for row in refused}) == 23
    assert {row["property"] for row in refused} == {"isbn"}
    assert took_s < 10

    stored = {one["goodreads_id"]: one for one in books()}
    assert len(stored) == 9977
    assert sum(one["isbn"] is None for one in stored.values()) == 700
    assert {one["isbn13"] is None for one in stored.values() if one["isbn"] is None} == {True}
    assert min(one["year"] for one in stored.values() if one["year"] is not None) == -1750
    assert sum(one["cover_url"] is None for one in stored.values()) < 3400
    assert stored[3]["isbn13"] == "9780439554930"
    assert stored[3]["authors"] == ["J.K. Rowling", "Mary GrandPré"]
    assert told(import_(GOODBOOKS, "--on-conflict", "skip")) == (
        "10,000 rows read: 0 inserted, 9,977 skipped, 23 refused"
    )


def test_the_examples_of_the_repairs_are_true() -> None:
    result = doctest.testmod(importlib.import_module("library.imports.repairs"))
    assert result.attempted >= 4
    assert result.failed == 0


def test_the_books_of_the_package_are_fit_for_the_contract(tmp_path: Path) -> None:
    samples = importlib.import_module("library.samples")
    sample_books = list(samples.sample_books())
    assert len(sample_books) > 200
    assert len({one["title"] for one in sample_books}) == len(sample_books)
    assert [one["year"] for one in sample_books] == sorted(one["year"] for one in sample_books)
    assert all(1 <= one["copies"] <= 4 for one in sample_books)
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, sample_books)), encoding="utf-8")
    result = CliRunner().invoke(main, ["import", str(FOLDER), "Book", str(path)], catch_exceptions=False)
    assert told(result) == f"{len(sample_books)} rows read: {len(sample_books)} inserted", result.output
