"""What is wrong in the rows of goodbooks-10k, put right.

Of its 10,000 rows 9,277 have an ISBN of ten digits that is valid, 6,587 of them once its leading zeros are back. 700
have none: such a book is taken without. 23 have one whose last digit is not what the others ask for, which is the
number of another book or of none: such a row is refused, for somebody to look at the book. The ISBN of thirteen digits
went through a spreadsheet, which left twelve of them at most, and is made anew from the other.
"""

from __future__ import annotations

from typing import Any

from ..rules import is_isbn

__all__ = ["book", "cover", "isbn10", "isbn13", "language", "one_line"]

_COPIES = (30_000, 100_000, 300_000, 1_000_000)
"""How many readers a book must have had for the second copy, the third, and so on."""

# ISO 639-2, as libraries write it, to the shorter codes of ISO 639-1, which RFC 5646 wants where there is one.
_SHORT = {
    "ara": "ar",
    "dan": "da",
    "eng": "en",
    "fre": "fr",
    "ger": "de",
    "ind": "id",
    "ita": "it",
    "jpn": "ja",
    "nor": "no",
    "per": "fa",
    "pol": "pl",
    "por": "pt",
    "rum": "ro",
    "rus": "ru",
    "spa": "es",
    "swe": "sv",
    "tur": "tr",
    "vie": "vi",
}


def book(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as the library wants it. Raises `ValueError` for an ISBN that is wrong."""
    isbn = isbn10(row["isbn"])
    readers = int(row["ratings_count"])
    return {
        **row,
        "title": one_line(row["title"]),
        "authors": list(dict.fromkeys(map(one_line, row["authors"]))),
        "isbn": isbn,
        "isbn13": isbn and isbn13(isbn),
        "year": int(float(row["year"])) if row["year"] else None,
        "language": language(row["language"]),
        "copies": 1 + sum(readers >= least for least in _COPIES),
        "cover_url": cover(row["cover_url"]),
    }


def one_line(text: str) -> str:
    """Return a text with single blanks, and none at its ends.

    >>> one_line("Robert           Jackson ")
    'Robert Jackson'
    """
    return " ".join(text.split())


def isbn10(text: str) -> str | None:
    """Return an ISBN with the leading zeros that it has lost, None for an empty text.

    >>> isbn10("439023483"), isbn10("43965548X"), isbn10("")
    ('0439023483', '043965548X', None)
    """
    if not text:
        return None
    isbn = text.zfill(10)
    if not is_isbn(isbn):
        raise ValueError("isbn", f"{isbn} is no ISBN: its last digit does not fit the others")
    return isbn


def isbn13(isbn: str) -> str:
    """Return an ISBN of ten digits as one of thirteen (ISO 2108): other first and last digits.

    >>> isbn13("0439023483"), isbn13("043965548X")
    ('9780439023481', '9780439655484')
    """
    digits = "978" + isbn[:9]
    return next(made for last in range(10) if is_isbn(made := f"{digits}{last}"))


def language(code: str) -> str | None:
    """Return a language as the library writes it, None for an empty text.

    >>> language("eng"), language("en-US"), language("fil"), language("")
    ('en', 'en-US', 'fil', None)
    """
    return _SHORT.get(code, code) or None


def cover(url: str) -> str | None:
    """Return where a cover is, None for the picture that stands for those that are lacking."""
    return None if "/nophoto/" in url else url
