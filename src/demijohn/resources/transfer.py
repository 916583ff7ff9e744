"""Rows in and out of a table, many at a time: checked as the API checks them, and never all in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

from sqlalchemy import Connection, Executable, and_, bindparam, exists, func, literal, or_, select
from sqlalchemy.exc import DBAPIError

from demijohn.compile.faults import Fault
from demijohn.errors import Problem
from demijohn.resources.columns import Make, bind_of, default_of, fixed_values
from demijohn.resources.conflicts import Conflicts
from demijohn.resources.database import Database, Transaction
from demijohn.resources.intake import Intake, Ready
from demijohn.resources.json_sql import representation
from demijohn.resources.model import AnyColumn, Expression, Model
from demijohn.resources.rows import BadRow, Row
from demijohn.resources.statement import Statement, compile_statement
from demijohn.resources.view import Field, View

__all__ = ["BATCH_ROWS", "Counts", "OnConflict", "export_rows", "import_rows"]

OnConflict: TypeAlias = Literal["error", "skip", "update"]

BATCH_ROWS = 1000
# SQLite takes no condition of a thousand parts.
_SEARCHED_KEYS = 100


@dataclass(slots=True)
class Counts:
    """Count rows. `line` is where the last row begins that is decided about, and in the database if it is to be."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    refused: int = 0
    left_out: int = 0
    line: int = 0


def import_rows(
    intake: Intake,
    rows: Iterable[Row | BadRow],
    database: Database,
    *,
    on_conflict: OnConflict = "error",
    dry_run: bool = False,
    batch_rows: int = BATCH_ROWS,
    refuse: Callable[[BadRow], None],
    counts: Counts,
) -> None:
    """Write rows in batches, each in a transaction of its own; under `dry_run` all in one that is undone.

    `refuse` is called with each row that is wrong or that the database does not take. `counts` is kept up to date,
    also where a database that goes away ends it all with an error.
    """
    table = _Table(intake, database, on_conflict)
    batches = _batches(intake, rows, batch_rows)

    def settle(batch: _Batch, result: _Result) -> None:
        refused = sorted([*batch.refused, *result.refused], key=lambda one: one.line)
        for one in refused:
            refuse(one)
        counts.read += batch.read
        counts.left_out += batch.left_out
        counts.refused += len(refused)
        counts.inserted += result.inserted
        if on_conflict == "update":
            counts.updated += result.known
        else:
            counts.skipped += result.known
        counts.line = batch.line

    if dry_run:

        def rehearse(transaction: Transaction) -> None:
            for batch in batches:
                settle(batch, table.write(batch.ready, transaction))
            raise _UndoneError

        try:
            database.write(rehearse)
        except _UndoneError:
            return
    for batch in batches:
        settle(batch, database.write(partial(table.write, batch.ready)))
    if counts.inserted:
        database.write(table.set_sequence)


class _UndoneError(Exception):
    """End a transaction whose changes are not wanted."""


@dataclass(slots=True)
class _Batch:
    read: int
    left_out: int
    line: int
    ready: list[Ready]
    refused: list[BadRow]


def _batches(intake: Intake, rows: Iterable[Row | BadRow], size: int) -> Iterator[_Batch]:
    batch = _Batch(0, 0, 0, [], [])
    for row in rows:
        taken = intake.read(row) if isinstance(row, Row) else row
        if taken is None:
            batch.left_out += 1
        elif isinstance(taken, BadRow):
            batch.refused.append(taken)
        else:
            batch.ready.append(taken)
        batch.read += 1
        batch.line = row.line
        if batch.read == size:
            yield batch
            batch = _Batch(0, 0, 0, [], [])
    if batch.read:
        yield batch


@dataclass(slots=True)
class _Result:
    """Hold what became of rows: how many are new, how many were known, and which the database does not take."""

    inserted: int
    known: int
    refused: list[BadRow]

    def __add__(self, other: _Result) -> _Result:
        return _Result(self.inserted + other.inserted, self.known + other.known, self.refused + other.refused)


@dataclass(frozen=True, slots=True)
class _Insert:
    """Be what writes the rows that give the same columns; `key` are those by which a row is known already.

    The statements are run one after the other, each for all rows.
    """

    statements: tuple[Statement, ...]
    names: tuple[tuple[str, str], ...]
    """The keys of the columns, and the parameters that stand for them."""
    makes: tuple[tuple[str, Make], ...]
    key: tuple[str, ...]

    def values(self, row: Ready) -> dict[str, Any]:
        values = {name: row.columns[key] for key, name in self.names}
        for name, make in self.makes:
            values[name] = make(values)
        return values


class _Table:
    """Write rows into the table of a model."""

    def __init__(self, intake: Intake, database: Database, on_conflict: OnConflict) -> None:
        subject = intake.subject
        self._model = subject.model
        self._dialect = database.dialect
        self._on_conflict = on_conflict
        self._key, self._create_only = intake.key, intake.create_only
        self._inserts: dict[tuple[str, ...], _Insert] = {}
        self._searches: dict[tuple[str, ...], Statement] = {}
        body = View(subject.model, True, tuple(intake.fields.values()))
        self._conflicts = Conflicts(subject.creating, body, database)
        self._used: set[str] = set()

    def write(self, rows: list[Ready], transaction: Transaction) -> _Result:
        """Write rows in their order, those that the database refuses left out."""
        result = _Result(0, 0, [])
        for keys, group in groupby(rows, lambda row: tuple(row.columns)):
            self._used.update(keys)
            if keys not in self._inserts:
                self._inserts[keys] = self._insert(keys)
            result += self._write(list(group), self._inserts[keys], transaction.connection)
        return result

    def _write(self, rows: list[Ready], insert: _Insert, connection: Connection) -> _Result:
        """Write rows at once; where one of them breaks a rule, each half by itself, down to the row at fault."""
        savepoint = connection.begin_nested()
        try:
            known = self._count_known(rows, insert, connection)
            values = [insert.values(row) for row in rows]
            for statement in insert.statements:
                connection.exec_driver_sql(statement.sql, [statement.bind(one) for one in values])
        except DBAPIError as error:
            savepoint.rollback()
            if len(rows) == 1:
                faults = self._faults(error, insert.values(rows[0]))
                return _Result(0, 0, [BadRow(rows[0].row.line, faults, rows[0].row.values)])
            half = len(rows) // 2
            return self._write(rows[:half], insert, connection) + self._write(rows[half:], insert, connection)
        savepoint.commit()
        return _Result(len(rows) - known, known, [])

    def _count_known(self, rows: list[Ready], insert: _Insert, connection: Connection) -> int:
        """Return how many rows do not become new ones; no database tells after an upsert."""
        if not insert.key:
            return 0
        keys = [tuple([row.columns[key] for key in insert.key]) for row in rows]
        keys = [key for key in keys if None not in key]
        wanted = list(dict.fromkeys(keys))
        found = 0
        if insert.key not in self._searches:
            self._searches[insert.key] = self._search(insert.key)
        search = self._searches[insert.key]
        for start in range(0, len(wanted), _SEARCHED_KEYS):
            part = wanted[start : start + _SEARCHED_KEYS]
            part += part[-1:] * (_SEARCHED_KEYS - len(part))
            values = {f"p_{row}_{place}": value for row, one in enumerate(part) for place, value in enumerate(one)}
            found += connection.exec_driver_sql(search.sql, search.bind(values)).scalar_one()
        return len(keys) - len(wanted) + found

    def _search(self, key: tuple[str, ...]) -> Statement:
        """Return the statement that counts the rows with some keys."""
        table = self._model.table
        columns = [table.columns[one] for one in key]
        wanted = [
            [bindparam(f"p_{row}_{place}", type_=column.type) for place, column in enumerate(columns)]
            for row in range(_SEARCHED_KEYS)
        ]
        if len(columns) == 1:
            where: Expression = columns[0].in_([one for (one,) in wanted])
        else:
            pairs = (zip(columns, one, strict=True) for one in wanted)
            where = or_(*(and_(*(column == value for column, value in one)) for one in pairs))
        return compile_statement(select(func.count()).select_from(table).where(where), self._dialect.sql)

    def _insert(self, keys: tuple[str, ...]) -> _Insert:
        """Return the INSERT of rows that give the columns with these keys; others get their defaults."""
        table, sql = self._model.table, self._dialect.sql
        given = [table.columns[key] for key in keys]
        values: dict[AnyColumn, Any] = {column: bind_of(column) for column in given}
        makes: list[tuple[str, Make]] = []
        for column, value in fixed_values(self._model).items():
            values.setdefault(column, literal(value, column.type))
        for column in table.columns:
            source = None if column in values else default_of(column, sql)
            if source is not None:
                values[column] = source.expression
                if source.made is not None:
                    makes.append(source.made)
        key: tuple[AnyColumn, ...] = ()
        if self._on_conflict != "error":
            candidates = [self._key] if self._key else self._model.unique
            key = next((one for one in candidates if all(column.key in keys for column in one)), ())
        update: list[AnyColumn] = []
        if self._on_conflict == "update":
            fixed = {*key, *table.primary_key.columns, *self._create_only}
            update = [one for one in values if one not in fixed and (one in given or one.onupdate is not None)]
        names = tuple((column.key, bind_of(column).key) for column in given)
        statements = tuple(compile_statement(one, sql) for one in self._statements(values, key, update))
        return _Insert(statements, names, tuple(makes), tuple(column.key for column in key))

    def _statements(
        self, values: dict[AnyColumn, Any], key: tuple[AnyColumn, ...], update: list[AnyColumn]
    ) -> Iterator[Executable]:
        table = self._model.table
        plain = self._dialect.insert(table)
        if not key:
            yield plain.values(values).inline()
        elif self._dialect.name != "mariadb" or len(self._model.unique) == 1:
            yield self._dialect.upsert(plain.values(values).inline(), key, update)
        else:
            # What MariaDB does ON DUPLICATE KEY it does to whatever row is in the way, by another key than this one.
            is_known = exists().where(*(column == values[column] for column in key))
            rows = select(*(value.label(f"value_{place}") for place, value in enumerate(values.values())))
            yield plain.from_select(list(values), rows.where(~is_known), include_defaults=False)
            if update:
                changes = {column: values[column] for column in update}
                yield table.update().where(*(column == values[column] for column in key)).values(changes)

    def _faults(self, error: DBAPIError, values: dict[str, Any]) -> tuple[Fault, ...]:
        """Return what the database says about one row; raise what is no fault of the row."""
        assert isinstance(error.orig, Exception)
        violation = self._dialect.violation(error.orig)
        if violation is not None:
            return _faults_of(self._conflicts.problem(violation, values))
        if self._dialect.is_transient(error.orig) or self._dialect.is_unavailable(error.orig):
            raise error
        return (Fault((), f"the database does not take it: {str(error.orig).partition(chr(10))[0]}"),)

    def set_sequence(self, transaction: Transaction) -> None:
        """Let a sequence of PostgreSQL go on behind the numbers that the file brought; others do so by themselves."""
        column = self._model.table.autoincrement_column
        if self._dialect.name != "postgresql" or column is None or column.key not in self._used:
            return
        name = self._dialect.sql.identifier_preparer.format_table(self._model.table)
        connection = transaction.connection
        sequence = connection.scalar(select(func.pg_get_serial_sequence(name, column.name)))
        if sequence is not None:
            connection.execute(
                select(
                    func.setval(
                        sequence, func.greatest(func.nextval(sequence), select(func.max(column)).scalar_subquery())
                    )
                )
            )


def _faults_of(problem: Problem) -> tuple[Fault, ...]:
    """Return what an answer of the API would say, as faults of a row."""
    found = []
    for error in problem.errors:
        path = error["pointer"].removeprefix("#").split("/")[1:]
        found.append(Fault(tuple(unquote(one).replace("~1", "/").replace("~0", "~") for one in path), error["detail"]))
    return tuple(found) or (Fault((), problem.detail),)


def export_rows(
    model: Model, fields: Sequence[Field], database: Database, *, page_rows: int = BATCH_ROWS
) -> Iterator[bytes]:
    """Yield the rows of a model as JSON objects that the database writes, in the order of the primary key.

    A page of them is asked for at a time, behind the last key of the page before it: a row that is there throughout is
    there once, whatever is inserted and deleted meanwhile.
    """
    dialect, key = database.dialect, model.key
    item = dialect.text(representation(View(model, True, tuple(fields)), dialect))
    rows = select(item, *key).order_by(*key).limit(literal(page_rows))
    if model.criterion is not None:
        rows = rows.where(model.criterion)
    behind = [bindparam(f"key_{place}", type_=column.type) for place, column in enumerate(key)]
    first = compile_statement(rows, dialect.sql)
    others = compile_statement(rows.where(_is_behind(key, behind)), dialect.sql)
    page = database.read(first, {})
    while page:
        for one in page:
            yield one[0].encode() if isinstance(one[0], str) else one[0]
        if len(page) < page_rows:
            return
        page = database.read(others, {f"key_{place}": value for place, value in enumerate(page[-1][1:])})


def _is_behind(key: Sequence[AnyColumn], values: Sequence[Expression]) -> Expression:
    """Return the condition that a row comes after the one with this key, in a form that an index can serve."""
    column, value = key[0], values[0]
    if len(key) == 1:
        return column > value
    return and_(column >= value, or_(column > value, _is_behind(key[1:], values[1:])))
