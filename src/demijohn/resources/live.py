"""Compare the models with the database as it is: before anything is served from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Inspector, Table, inspect
from sqlalchemy.exc import CompileError, SQLAlchemyError, UnsupportedCompilationError
from sqlalchemy.types import TypeEngine

from demijohn.resources.model import AnyColumn, Model
from demijohn.resources.outdated import REMEDY

__all__ = ["Difference", "check_live"]

_UPGRADE = (
    "`demijohn db migrate TARGET -m ...` writes what changed, and `demijohn db upgrade TARGET` brings the database to"
    " the models"
)
_WORD = re.compile(r"\s*([A-Z]+)")
_KINDS = {
    **dict.fromkeys(("INTEGER", "INT", "BIGINT", "SMALLINT", "MEDIUMINT", "SERIAL", "BIGSERIAL"), "integer"),
    **dict.fromkeys(("BOOLEAN", "BOOL", "TINYINT"), "boolean"),
    **dict.fromkeys(("VARCHAR", "CHAR", "TEXT", "NVARCHAR", "NCHAR", "CLOB", "TINYTEXT"), "text"),
    **dict.fromkeys(("MEDIUMTEXT", "LONGTEXT", "ENUM"), "text"),
    **dict.fromkeys(("NUMERIC", "DECIMAL", "FLOAT", "REAL", "DOUBLE"), "number"),
    **dict.fromkeys(("DATETIME", "TIMESTAMP"), "datetime"),
    "DATE": "date",
    "TIME": "time",
    **dict.fromkeys(("BLOB", "BYTEA", "BINARY", "VARBINARY", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB"), "binary"),
    **dict.fromkeys(("JSON", "JSONB"), "json"),
    "UUID": "uuid",
}
# What else a kind may be in a database that has no type of its own for it.
_ALSO = {
    "sqlite": {"boolean": {"integer"}, **{kind: {"text"} for kind in ("datetime", "date", "time", "json", "uuid")}},
    "mysql": {"boolean": {"integer"}, "integer": {"boolean"}, "json": {"text"}, "uuid": {"text"}, "text": {"uuid"}},
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Say how the database differs from the models.

    `problems` make operations fail; `warnings` are rules that the database does not keep, or keeps alone. Each says
    what was found and what to do.
    """

    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def check_live(engine: Engine, models: Iterable[Model], tables: Iterable[Table] = ()) -> Difference:
    """Compare the tables of the models, those between them, and other `tables` with the database.

    A database that cannot be asked is a problem as well; no password is told.
    """
    found = _Comparing(engine)
    uniques: dict[Table, set[tuple[AnyColumn, ...]]] = {table: set() for table in tables}
    for model in models:
        uniques.setdefault(model.table, set()).update(model.unique)
        for relation in model.relations.values():
            if relation.secondary is not None:
                uniques.setdefault(relation.secondary, set())
    try:
        with engine.connect() as connection:
            for table, unique in uniques.items():
                found.table(inspect(connection), table, unique)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        where = engine.url.render_as_string(hide_password=True)
        return Difference((f"the database {where} cannot be read: {reason}",), ())
    return Difference(tuple(found.problems), tuple(found.warnings))


class _Comparing:
    def __init__(self, engine: Engine) -> None:
        self._dialect = engine.dialect
        self._also: Mapping[str, set[str]] = _ALSO.get("mysql" if engine.name == "mariadb" else engine.name, {})
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def table(self, inspector: Inspector, table: Table, unique: Iterable[Sequence[AnyColumn]]) -> None:
        """Compare one table."""
        name, schema = table.name, table.schema
        if not inspector.has_table(name, schema=schema):
            self.problems.append(f"the database has no table `{table.fullname}`; {REMEDY}")
            return
        columns = {one["name"]: one for one in inspector.get_columns(name, schema=schema)}
        missing = [one for one in table.columns if one.name not in columns]
        for column in missing:
            self.problems.append(f"the table `{table.fullname}` has no column `{column.name}`; {_UPGRADE}")
        for column in table.columns:
            if column.name in columns:
                self._column(column, columns[column.name])
        for other, reflected in columns.items():
            given = reflected.get("default") is not None or reflected.get("computed") or reflected.get("identity")
            needed = not reflected["nullable"] and not given and not reflected.get("primary_key")
            if needed and other not in table.columns and reflected.get("autoincrement") is not True:
                said = f"`{table.fullname}.{other}` must be there and has no default, and the models do not know it"
                self.warnings.append(f"{said}; add it to the model, or give it a default")
        kept = _kept(inspector, name, schema)
        for one in unique:
            names = frozenset(column.name for column in one)
            if not missing and not any(other <= names for other in kept):
                told = ", ".join(f"`{column.name}`" for column in one)
                self.warnings.append(f"nothing in the database keeps {told} of `{table.fullname}` unique; {_UPGRADE}")

    def _column(self, column: AnyColumn, reflected: Mapping[str, Any]) -> None:
        name = f"`{column.table.fullname}.{column.name}`"
        wanted, found = self._shown(column.type), self._shown(reflected["type"])
        if not self._fits(wanted, found):
            self.problems.append(f"{name} is {found} in the database and {wanted} in the model; {_UPGRADE}")
            return
        length, stored = getattr(column.type, "length", None), getattr(reflected["type"], "length", None)
        if isinstance(length, int) and isinstance(stored, int) and stored < length and _kind(found) == "text":
            self.warnings.append(
                f"{name} takes {stored} characters in the database and {length} in the model; {_UPGRADE}"
            )
        if column.primary_key or column.nullable is reflected["nullable"]:
            return
        said = "may be NULL in the database and not in the model"
        if column.nullable:
            said = "must not be NULL in the database and may be in the model"
        self.warnings.append(f"{name} {said}; {_UPGRADE}")

    def _shown(self, type_: TypeEngine[Any]) -> str:
        """Return a type as this database writes it, "" where it cannot."""
        try:
            return type_.compile(dialect=self._dialect)
        except (CompileError, UnsupportedCompilationError):
            return ""

    def _fits(self, wanted: str, found: str) -> bool:
        """Tell whether two types are of one kind; one that is not known here may be anything."""
        one, other = _kind(wanted), _kind(found)
        return one is None or other is None or one == other or other in self._also.get(one, ())


def _kind(shown: str) -> str | None:
    word = _WORD.match(shown.upper())
    return _KINDS.get(word[1]) if word is not None and "[]" not in shown else None


def _kept(inspector: Inspector, name: str, schema: str | None) -> list[frozenset[str]]:
    """Return the sets of columns that the database itself keeps unique."""
    kept = [frozenset(inspector.get_pk_constraint(name, schema=schema)["constrained_columns"])]
    kept += [frozenset(one["column_names"]) for one in inspector.get_unique_constraints(name, schema=schema)]
    for index in inspector.get_indexes(name, schema=schema):
        options = index.get("dialect_options", {})
        partial = any(key.endswith("_where") and value is not None for key, value in options.items())
        names = [one for one in index["column_names"] if one is not None]
        if index["unique"] and not partial and len(names) == len(index["column_names"]):
            kept.append(frozenset(names))
    return [one for one in kept if one]
