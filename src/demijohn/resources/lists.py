"""The action that gives a list: one statement for a page of it, each row the JSON of one item.

One row more than the page holds is asked for: it is not sent, and tells that there is a next page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from demijohn.compile.answers import Answer
from demijohn.compile.kinds import ABSENT
from demijohn.compile.plan import Arguments
from demijohn.resources.absence import Absence
from demijohn.resources.criteria import Criteria
from demijohn.resources.cursors import CursorError, Position, open_cursor, seal_cursor, value_name
from demijohn.resources.database import Database
from demijohn.resources.envelopes import EnvelopeWriter
from demijohn.resources.faults import Faults
from demijohn.resources.filters import Filters
from demijohn.resources.links import Links, link_header
from demijohn.resources.list_sql import Form, ListStatements, Place
from demijohn.resources.prefer import Preferences
from demijohn.resources.selection import EVERYTHING, Selection
from demijohn.resources.shape import Shape, Slot
from demijohn.resources.sorting import Sorting
from demijohn.resources.sources import sources_of
from demijohn.resources.statement import Statement, compile_statement
from demijohn.settings import Settings

__all__ = ["List"]

_JSON = "application/json"
# No table has as many rows, and every database can count to it and a page beyond.
_FARTHEST = 2**62
_MOST_REMEMBERED = 1000
_LONGEST_REMEMBERED = 400

_Row = tuple[Any, ...]


class _Asked(NamedTuple):
    """Be what one request asks for.

    `bound` holds the values of the statement, ready for the driver. `position` is None where the rows are numbered:
    the page then begins at `offset`. `links` remembers the links of a page whose rows are not counted: they depend on
    nothing but whether it is cut.
    """

    form: Form
    numbered: Statement | None
    bound: dict[str, Any]
    limit: int
    offset: int
    position: Position | None
    belongs_to: bytes
    preferences: Preferences
    links: dict[bool, tuple[dict[str, str], str]]


class _Page(NamedTuple):
    """Be what the database gave for a request: rows, whether there are more behind them, the total where it counts."""

    rows: list[_Row]
    is_cut: bool
    total: int | None


class List:
    """Answer with the part of a list that a request asks for. `key` signs its cursors."""

    has_hooks = False
    varies = ("Prefer",)

    def __init__(self, shape: Shape, database: Database, settings: Settings, key: bytes) -> None:
        assert shape.view is not None, "a list shows something"
        options, dialect = shape.options, database.dialect
        self.name = f"list {shape.model.name}"
        self.sources = sources_of(shape)
        self._shape = shape
        self._options = options
        self._database = database
        self._key = key
        self._criteria = Criteria(shape)
        self._absence = Absence(shape, self._criteria, database)
        self._filters = Filters(options, dialect)
        self._sorting = Sorting(shape)
        self._selection = Selection(shape.view, options)
        self._statements = ListStatements(shape, dialect, self._criteria, self._filters, self._sorting)
        self._parent = None if self._criteria.parent is None else compile_statement(self._criteria.parent, dialect.sql)
        self._envelope = None if shape.envelope is None else EnvelopeWriter(shape.envelope)
        self._shown = frozenset() if self._envelope is None else self._envelope.needs
        self._is_counted = not self._shown.isdisjoint(("total", "pages"))
        placing = {name: self._parameter(slot) for name, slot in _placing(shape)}
        self._paging = next(iter(placing), None)
        self._placing = placing
        self._links = Links(shape.operation, placing.values())
        self._has_callers = bool(shape.callers)
        self._remembered: dict[tuple[Any, ...], _Asked] = {}

    def run(self, arguments: Arguments) -> Answer:
        """Answer one request."""
        asked = self._understand(arguments)
        if asked.position is None:
            assert asked.numbered is not None
            page = self._fetch(asked, asked.numbered)
        else:
            page = self._fetch_placed(asked, asked.position)
        if not page.rows and self._parent is not None:
            self._require_parent(self._parent, arguments)
        return self._answer(arguments, asked, page)

    def statements(self) -> list[tuple[str, str]]:
        """Return what is run, each statement with a word for when."""
        form = Form((), (), EVERYTHING, self._is_counted)
        parts = self._statements.order(()).parts(backward=False)
        place = None if self._options.cursor is None else Place(False, parts[0], None)
        told = [("page", self._statements.page(form, place).sql)]
        if self._is_counted:
            told.append(("total, for an empty page", self._statements.count(()).sql))
        if self._parent is not None:
            told.append(("parent, for an empty page", self._parent.sql))
        return told

    # What is asked for

    def _understand(self, arguments: Arguments) -> _Asked:
        """Return what a request asks for; clients ask for the same page again and again."""
        request = arguments.request
        sent = (request.base, request.path, request.query, arguments.prefer)
        # What one caller has asked for is nobody else's: `bound` holds who it was.
        known: tuple[Any, ...] = sent
        if self._has_callers:
            known = (*sent, *self._criteria.callers(arguments.values).values())
        asked = self._remembered.get(known)
        if asked is None:
            asked = self._ask(arguments)
            if sum(map(len, sent)) <= _LONGEST_REMEMBERED:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[known] = asked
        return asked

    def _ask(self, arguments: Arguments) -> _Asked:
        """Read the parameters; raise `BadRequest` with everything that is wrong with them."""
        values, options = arguments.values, self._options
        faults = Faults(self._shape.operation)
        bound = self._criteria.values(values)
        conditions = () if self._filters.is_empty else self._filters.read(values, bound, faults)
        wishes = self._sorting.read(values, faults)
        wanted = EVERYTHING if self._selection.is_empty else self._selection.read(values, faults)
        preferences = faults.preferences(arguments.prefer)
        limit = _number(values, options.limit, min(options.default_limit, options.max_limit), 0, faults)
        if limit > options.max_limit and options.limit is not None:
            faults.add(options.limit, f"must be at most {options.max_limit}")
        offset = _number(values, options.offset, 0, 0, faults)
        if options.page is not None:
            offset = (_number(values, options.page, 1, 1, faults) - 1) * limit
        form = Form(conditions, wishes, wanted, self._is_counted or preferences.count_exact)
        position, belongs_to = None, b""
        if options.cursor is not None:
            belongs_to = repr((self._statements.order(wishes).identity, conditions, bound)).encode()
            position = self._position(values[options.cursor], belongs_to)
            if position is None:
                faults.add(options.cursor, "is no cursor of this list in this order and with these filters")
        faults.check()
        offset = min(offset, _FARTHEST)
        numbered = None
        if position is None:
            numbered = self._statements.page(form, None)
            bound |= {"limit": limit + 1, "offset": offset}
        return _Asked(form, numbered, bound, limit, offset, position, belongs_to, preferences, {})

    def _position(self, cursor: Any, belongs_to: bytes) -> Position | None:
        """Return the position that a cursor holds, the beginning without one; None for what is no cursor of ours."""
        if cursor is ABSENT or cursor is None:
            return _BEGINNING
        try:
            return open_cursor(cursor, self._key, belongs_to)
        except CursorError:
            return None

    # What is fetched

    def _fetch(self, asked: _Asked, statement: Statement) -> _Page:
        """Fetch numbered rows."""
        rows = self._database.read(statement, asked.bound)
        total = self._total(asked, rows, is_beginning=asked.offset == 0)
        return _Page(rows[: asked.limit], len(rows) > asked.limit, total)

    def _fetch_placed(self, asked: _Asked, position: Position) -> _Page:
        """Fetch the rows behind a position, from as many parts of the list as it takes."""
        wanted, rows = asked.limit + 1, list[_Row]()
        for place, bound in self._places(asked, position):
            statement = self._statements.page(asked.form, place)
            rows += self._database.read(statement, {**asked.bound, **bound, "limit": wanted - len(rows)})
            if len(rows) >= wanted:
                break
        total = self._total(asked, rows, is_beginning=position is _BEGINNING)
        found = rows[: asked.limit]
        return _Page(found[::-1] if position.backward else found, len(rows) > asked.limit, total)

    def _places(self, asked: _Asked, position: Position) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Yield where rows behind a position are looked for, each place with the values that it takes."""
        order, backward, values = self._statements.order(asked.form.wishes), position.backward, position.values
        parts = order.parts(backward=backward)
        if values is not None:
            if len(parts) > 1:
                parts = parts[parts.index("nulls" if values[0] is None else "values") :]
            bound = {value_name(index): one for index, one in enumerate(values)}
            first = Place(backward, parts[0], tuple([one is None for one in values]))
            for place in self._statements.places(order, first):
                yield place, bound
            parts = parts[1:]
        for part in parts:
            yield Place(backward, part, None), {}

    def _total(self, asked: _Asked, rows: list[_Row], *, is_beginning: bool) -> int | None:
        """Return how many items there are, where it is asked for: every row of a page tells it."""
        if not asked.form.is_counted:
            return None
        if rows:
            return int(rows[0][-1])
        if is_beginning:
            return 0
        return int(self._database.read(self._statements.count(asked.form.conditions), asked.bound)[0][0])

    def _require_parent(self, statement: Statement, arguments: Arguments) -> None:
        """Raise the problem of an empty list whose item above is not there, or is somebody else's."""
        path = self._criteria.parent_values(arguments.values)
        if not self._database.read(statement, path):
            raise self._absence.above(self._database.read, path)

    # What is answered

    def _answer(self, arguments: Arguments, asked: _Asked, page: _Page) -> Answer:
        headers = list[tuple[str, Any]]()
        text = "[" + ",".join([row[0] for row in page.rows]) + "]"
        cursors: dict[str, str] = {}
        links: dict[str, str] = {}
        if asked.position is not None:
            cursors = self._cursors(asked, asked.position, page)
        if self._paging is not None:
            links, header = self._linked(arguments, asked, page, cursors)
            headers.append(("Link", header))
        if asked.preferences.count_exact:
            headers += [("X-Total-Count", str(page.total)), *asked.preferences.applied("count=exact")]
        elif asked.preferences.strict:
            headers += asked.preferences.applied()
        if self._envelope is not None:
            text = self._envelope.write(text, _facts(asked, page, links, cursors))
        return Answer(self._shape.status, text.encode(), arguments.media_type or _JSON, headers)

    def _linked(
        self, arguments: Arguments, asked: _Asked, page: _Page, cursors: dict[str, str]
    ) -> tuple[dict[str, str], str]:
        """Return the links to other pages, by relation, and as a header."""
        is_numbered = asked.position is None
        known = asked.links.get(page.is_cut) if is_numbered and page.total is None else None
        if known is not None:
            return known
        stem = self._links.stem(arguments.request)
        links = self._numbered(stem, asked, page) if is_numbered else self._cursored(stem, cursors)
        linked = links, link_header(links.items())
        if is_numbered and page.total is None:
            asked.links[page.is_cut] = linked
        return linked

    def _cursors(self, asked: _Asked, position: Position, page: _Page) -> dict[str, str]:
        """Return the cursors `next` and `prev`, as far as there are rows beyond the page."""
        rows, count = page.rows, len(self._statements.order(asked.form.wishes).terms)
        has_next = page.is_cut or position.backward
        has_prev = page.is_cut if position.backward else position is not _BEGINNING and position.values is not None
        found = {}
        if asked.limit and has_next and not (position.backward and position.values is None):
            # Behind an empty page that was read backward lies the beginning.
            values = rows[-1][1 : count + 1] if rows else None
            found["next"] = seal_cursor(Position(False, values), self._key, asked.belongs_to)
        if asked.limit and has_prev:
            values = rows[0][1 : count + 1] if rows else None
            found["prev"] = seal_cursor(Position(True, values), self._key, asked.belongs_to)
        return found

    def _cursored(self, stem: str, cursors: dict[str, str]) -> dict[str, str]:
        name = self._placing["cursor"]
        return {"first": stem.rstrip("?&")} | {
            relation: f"{stem}{name}={cursors[relation]}" for relation in ("prev", "next") if relation in cursors
        }

    def _numbered(self, stem: str, asked: _Asked, page: _Page) -> dict[str, str]:
        """Return the links to other pages of numbered rows, by relation."""
        limit, offset, total = asked.limit, asked.offset, page.total
        starts = {"first": 0}
        if limit:
            last = None if total is None else max(total - 1, 0) // limit * limit
            if offset:
                starts["prev"] = max(offset - limit if last is None else min(offset - limit, last), 0)
            if page.is_cut:
                starts["next"] = offset + limit
            if last is not None:
                starts["last"] = last
        if self._options.page is None:
            name = self._placing["offset"]
            return {relation: f"{stem}{name}={start}" for relation, start in starts.items()}
        name = self._placing["page"]
        return {relation: f"{stem}{name}={start // (limit or 1) + 1}" for relation, start in starts.items()}

    def _parameter(self, slot: Slot) -> str:
        return self._shape.operation.parameters[slot].name


_BEGINNING = Position(False, None)


def _placing(shape: Shape) -> list[tuple[str, Slot]]:
    """Return the parameters that say where a page begins."""
    options = shape.options
    slots = (("cursor", options.cursor), ("page", options.page), ("offset", options.offset))
    return [(name, slot) for name, slot in slots if slot is not None]


def _number(values: list[Any], slot: Slot | None, default: int, least: int, faults: Faults) -> int:
    """Return the number that a parameter gives."""
    if slot is None:
        return default
    value = values[slot]
    if value is ABSENT or value is None:
        return default
    if value < least:
        faults.add(slot, f"must be at least {least}")
        return least
    return int(value)


def _facts(asked: _Asked, page: _Page, links: dict[str, str], cursors: dict[str, str]) -> dict[str, Any]:
    """Return what the object around a list may tell."""
    limit, total, is_numbered = asked.limit, page.total, asked.position is None
    return {
        "total": total,
        "page": asked.offset // (limit or 1) + 1 if is_numbered else None,
        "pages": None if total is None else -(-total // limit) if limit else 0,
        "per_page": limit,
        "limit": limit,
        "offset": asked.offset if is_numbered else None,
        "next": links.get("next"),
        "prev": links.get("prev"),
        "next_cursor": cursors.get("next"),
        "prev_cursor": cursors.get("prev"),
    }
