"""The limit: a bare WSGI function with the SQL of the catalogue, written by hand, and nothing else.

No routing to speak of, no validation, no header but two. The database makes the JSON, as it does for Demijohn.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from peers.limit_people import database, mark, read

MOMENT = {
    "sqlite": "replace(replace({0}, ' ', 'T'), '.000000', '') || 'Z'",
    "postgresql": """to_char(timezone('UTC', {0}), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""",
}[database]
NAMES = (
    "id, title, authors, isbn, isbn13, year, language, average_rating, ratings_count, copies, available, cover_url,"
    " goodreads_id"
)
COLUMNS = {name: name for name in NAMES.split(", ")}
COLUMNS |= {name: MOMENT.format(name) for name in ("created_at", "updated_at")}


def items(rest: str = "") -> str:
    """Return the statement for books as JSON; `rest` is what follows the table's name."""
    if database == "sqlite":
        pairs = [f"'{name}', {'json(authors)' if name == 'authors' else shown}" for name, shown in COLUMNS.items()]
        return f"SELECT json_object({', '.join(pairs)}) FROM books{rest}"
    shown = ", ".join([f"{column} AS {name}" for name, column in COLUMNS.items()])
    return f"SELECT CAST(row_to_json(item) AS TEXT) FROM (SELECT {shown} FROM books{rest}) AS item"


def searched(words: int) -> tuple[str, str]:
    """Return the statements for a page of books with so many words, and for how many books have them."""
    like = "LIKE" if database == "sqlite" else "ILIKE"
    conditions = [f"(title {like} {mark} OR CAST(authors AS TEXT) {like} {mark})"] * words
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return items(f"{where} ORDER BY title, id LIMIT {mark} OFFSET {mark}"), f"SELECT count(*) FROM books{where}"


READ = items(f" WHERE id = {mark}")
SEARCHES = [searched(words) for words in range(3)]


def body_of(path: str, query: str) -> str:
    """Return what a request is answered with."""
    id_ = path[len("/books/") :]
    if id_:
        return read(READ, int(id_))[0][0]
    sent = dict(parse_qsl(query))
    words = [f"%{word}%" for word in sent.get("q", "").split() for _ in range(2)]
    page, count = SEARCHES[len(words) // 2]
    number, size = int(sent.get("page", 1)), int(sent.get("per_page", 20))
    books = read(page, *words, size, (number - 1) * size)
    total = int(read(count, *words)[0][0])
    return (
        f'{{"books":[{",".join([json for (json,) in books])}],'
        f'"total":{total},"page":{number},"pages":{-(-total // size)}}}'
    )


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request."""
    body = body_of(environ["PATH_INFO"], environ["QUERY_STRING"]).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
