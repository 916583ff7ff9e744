"""A SQLAlchemy statement, compiled once to the text and the order of parameters that a driver takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.engine import Dialect as SqlDialect

__all__ = ["Statement", "compile_statement"]


@dataclass(frozen=True, slots=True)
class Statement:
    """Be one SQL text and the names of its parameters in the order of their places.

    `constants` are the values of parameters that are the same in every request, ready for the driver.
    """

    sql: str
    order: tuple[str, ...]
    constants: Mapping[str, Any]

    def bind(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the parameters in the order of their places; `values` are ready for the driver."""
        if not self.constants:
            return tuple([values[name] for name in self.order])
        constants = self.constants
        return tuple([constants[name] if name in constants else values[name] for name in self.order])


def compile_statement(statement: Executable, dialect: SqlDialect) -> Statement:
    """Compile a statement of SQLAlchemy's.

    A `bindparam("name")` without a value is a parameter of requests; every other bound value is a constant.
    """
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]  # every statement has it
    constants: dict[str, Any] = {}
    for name, bind in compiled.binds.items():
        if not bind.required and (bind.value is not None or bind.callable is None):
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            constants[name] = convert(bind.effective_value) if convert else bind.effective_value
    order = tuple(compiled.positiontup if compiled.positiontup is not None else compiled.binds)
    return Statement(str(compiled), order, {name: constants[name] for name in order if name in constants})
