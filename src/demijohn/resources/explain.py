"""Which index serves each part of an operation, as far as the model tells: no database is asked.

What is looked at are the primary key, unique constraints and indexes that the model declares. An index serves a part
whose column leads it, or comes behind columns that the path gives the values of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table, UniqueConstraint

from demijohn.resources.dialects.dialect import DatabaseName
from demijohn.resources.model import AnyColumn
from demijohn.resources.shape import Filter, Shape
from demijohn.resources.view import Embedded, Field, View

__all__ = ["Use", "explain"]


@dataclass(frozen=True, slots=True)
class Use:
    """Say which index serves a part of an operation, such as `filter name` or `sort created_at`.

    Where there is none, `index` is "" and `finding` says what the database has to do instead.
    """

    part: str
    index: str
    finding: str = ""


def explain(shape: Shape, database: DatabaseName) -> tuple[Use, ...]:
    """Return how the rows of an operation are found and sorted, in the order of its parts."""
    return tuple(dict.fromkeys(_Explanation(shape, database).uses()))


@dataclass(frozen=True, slots=True)
class _Path:
    """Be one way to rows by the values of columns, the first of them first; `patterns` also serve a LIKE 'x%'."""

    name: str
    columns: tuple[AnyColumn, ...]
    patterns: frozenset[AnyColumn] = frozenset()


class _Explanation:
    def __init__(self, shape: Shape, database: DatabaseName) -> None:
        self._shape = shape
        self._database: DatabaseName = database
        self._above_it = frozenset(column for column, _ in shape.parent.on) if shape.parent is not None else frozenset()
        self._fixed = self._above_it | ({shape.owner.column} if shape.owner is not None else set())

    def uses(self) -> Iterator[Use]:
        """Yield the uses of an operation: where it lies, its keys, its filters and sorts, what is embedded in it."""
        yield from self._above()
        yield from self._owned()
        table = self._shape.model.table
        if self._shape.keys:
            columns = [key.column for key in self._shape.keys]
            yield self._found(f"key {_names(columns)}", table, [*columns, *self._above_it])
        options = self._shape.options
        for one in options.filters:
            yield self._filter(one)
        if options.q is not None:
            where = _list([one.name for one in options.q_fields])
            parameter = self._shape.operation.parameters[options.q].name
            yield Use(f"search {parameter}", "", f"a text anywhere in {where} is looked for in every row")
        if options.sort is not None:
            for name, field in options.sort.fields.items():
                yield self._sort(name, field)
        if self._shape.view is not None:
            yield from self._embedded(self._shape.view)
        if self._shape.act == "delete":
            yield from self._references()

    def _above(self) -> Iterator[Use]:
        parent, table = self._shape.parent, self._shape.model.table
        if parent is not None and self._shape.act != "create":
            yield self._found(f"below {parent.model.name}", table, [column for column, _ in parent.on])
        while parent is not None:
            columns = [key.column for key in parent.keys]
            if parent.parent is not None:
                columns += [column for column, _ in parent.parent.on]
            yield self._found(f"key {_names(columns)} of {parent.model.name}", parent.model.table, columns)
            parent = parent.parent

    def _owned(self) -> Iterator[Use]:
        """Yield how the rows of a caller are found; one row is found by its key, and then looked at."""
        owner = self._shape.owner
        if owner is not None and self._shape.act == "list" and owner.column not in self._above_it:
            yield self._found(f"owner {owner.column.name}", self._shape.model.table, [owner.column, *self._above_it])

    def _filter(self, one: Filter) -> Use:
        part = f"filter {one.name}"
        column = one.field.column
        if column is None:
            return self._or_below(part, "it is computed for every row")
        if one.operator == "contains" and one.field.codec.kind == "json":
            index = self._into(column)
            if index is not None:
                return Use(part, f"index {index.name or column.name}")
            return self._or_below(part, f"an item of {column.name} is looked for in every row{_INTO[self._database]}")
        if one.operator in ("contains", "icontains"):
            return self._or_below(part, f"a text in the middle of {column.name} is looked for in every row")
        if one.operator == "ne":
            return self._or_below(part, f"rows with another {column.name} are looked for in all rows")
        if one.operator == "startswith":
            path = self._path(column.table, column, pattern=True)
            wrong = f"texts that begin so are looked for in every row{_HINTS[self._database]}"
        else:
            path = self._path(column.table, column)
            wrong = f"every row is looked at; {_advice([column])}"
        return Use(part, path.name) if path is not None else self._or_below(part, wrong)

    def _sort(self, name: str, field: Field) -> Use:
        part = f"sort {name}"
        if field.column is None:
            return self._or_below(part, "it is computed, and all rows are sorted")
        path = self._path(field.column.table, field.column)
        if path is not None:
            return Use(part, path.name)
        return self._or_below(part, f"all rows are sorted; {_advice([field.column])}")

    def _or_below(self, part: str, finding: str) -> Use:
        """Return the use of no index; where the path leads to few rows by an index, these are all that is looked at."""
        path = _best(self._paths(self._shape.model.table), self._fixed) if self._fixed else None
        if path is None:
            return Use(part, "", finding)
        parent = self._shape.parent
        rest = "of the caller" if parent is None else f"below the {parent.model.name}"
        return Use(part, f"{path.name}, then every row {rest}")

    def _embedded(self, view: View) -> Iterator[Use]:
        for member in view.members:
            if isinstance(member, Embedded):
                relation, part = member.relation, f"include {member.path}"
                others = [other for _, other in relation.on]
                if relation.secondary is None:
                    yield self._found(part, relation.target, others)
                else:
                    yield self._found(part, relation.secondary, others)
                    yield self._found(part, relation.target, [other for _, other in relation.secondary_on])
                yield from self._embedded(member.view)

    def _references(self) -> Iterator[Use]:
        """Yield how rows are found that refer to a deleted one: the database looks for them, or deletes them."""
        table = self._shape.model.table
        for other in table.metadata.sorted_tables:
            for rule in other.foreign_key_constraints:
                if rule.referred_table is table:
                    columns = list(rule.columns)
                    yield self._found(f"rows of {other.name} that refer to it", other, columns)

    def _found(self, part: str, table: Table, columns: Sequence[AnyColumn]) -> Use:
        """Return the index by which rows with given values of `columns` are found."""
        path = _best(self._paths(table), columns)
        if path is None:
            return Use(part, "", f"every row of {table.name} is looked at; {_advice(columns)}")
        return Use(part, path.name)

    def _path(self, table: Table, column: AnyColumn, *, pattern: bool = False) -> _Path | None:
        """Return the path on which `column` comes first, but for columns whose values are given."""
        for path in self._paths(table):
            behind = next((one for one in path.columns if one not in self._fixed), None)
            if behind is column and (not pattern or self._serves_patterns(path, column)):
                return path
        return None

    def _serves_patterns(self, path: _Path, column: AnyColumn) -> bool:
        if self._database == "postgresql":
            return column in path.patterns or getattr(column.type, "collation", None) in ("C", "POSIX")
        return self._database == "mariadb"

    def _paths(self, table: Table) -> list[_Path]:
        found = [_Path("primary key", tuple(table.primary_key.columns))]
        unique = [tuple(one.columns) for one in table.constraints if isinstance(one, UniqueConstraint)]
        found += [_Path(f"unique {_names(columns)}", columns) for columns in sorted(unique, key=_names)]
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            if columns := self._plain(index):
                found.append(_Path(f"index {index.name or _names(columns)}", columns, _patterns(index)))
        if self._database == "mariadb":
            # InnoDB makes an index for a foreign key that has none.
            rules = [one for one in table.constraints if isinstance(one, ForeignKeyConstraint)]
            found += [_Path(f"foreign key {_names(rule.columns)}", tuple(rule.columns)) for rule in rules]
        return found

    def _into(self, column: AnyColumn) -> Index | None:
        """Return the index of PostgreSQL that finds arrays by what is in them."""
        for index in column.table.indexes:
            is_gin = str(index.dialect_kwargs.get("postgresql_using")).lower() == "gin"
            if self._database == "postgresql" and is_gin and column in index.expressions:
                return index
        return None

    def _plain(self, index: Index) -> tuple[AnyColumn, ...]:
        """Return the columns that lead an index on all rows; an expression ends them."""
        options = index.dialect_kwargs
        using = options.get(f"{self._database}_using") or "btree"
        if options.get(f"{self._database}_where") is not None or using.lower() != "btree":
            return ()
        columns: list[AnyColumn] = []
        for one in index.expressions:
            if not isinstance(one, Column):
                break
            columns.append(one)
        return tuple(columns)


_HINTS: dict[DatabaseName, str] = {
    "sqlite": "",
    "postgresql": "; an index serves them that has the operator class text_pattern_ops",
    "mariadb": "; add an index",
}

_INTO: dict[DatabaseName, str] = {
    "sqlite": "",
    "postgresql": "; an index serves them that has postgresql_using='gin', where the column is JSONB or an array",
    "mariadb": "",
}


def _patterns(index: Index) -> frozenset[AnyColumn]:
    """Return the columns of an index of PostgreSQL that a LIKE 'x%' can use whatever the collation is."""
    classes = index.dialect_kwargs.get("postgresql_ops") or {}
    return frozenset(one for one in index.columns if str(classes.get(one.key, "")).endswith("pattern_ops"))


def _best(paths: Sequence[_Path], columns: Collection[AnyColumn]) -> _Path | None:
    """Return the path that the most of `columns` lead; an earlier one where there are several."""

    given = frozenset(columns)

    def led(path: _Path) -> int:
        return next((count for count, one in enumerate(path.columns) if one not in given), len(path.columns))

    best = max(paths, key=led, default=None)
    return best if best is not None and led(best) else None


def _advice(columns: Sequence[AnyColumn]) -> str:
    """Return what to do about it."""
    places = [f"{column.table.name}.{column.name}" for column in columns]
    return f"add an index on {_list(places)}"


def _names(columns: Iterable[AnyColumn]) -> str:
    return ", ".join(column.name for column in columns)


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
