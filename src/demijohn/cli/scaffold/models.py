"""Tables to the text of `models.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from demijohn.cli.scaffold.code import listed, quoted
from demijohn.cli.scaffold.names import class_name
from demijohn.cli.scaffold.tables import Column, Table

__all__ = ["models_text"]

_HEAD = '''"""The tables, as the contract suggests them. Demijohn compares the two at every start."""

from __future__ import annotations

{imports}

{all}
{constants}

class Base(DeclarativeBase):
    """Collect the tables."""
'''
_NEVER_TWICE = """
# SQLite would give the number of the last row again once that row is gone; the others never do.
NEVER_TWICE = {"sqlite_autoincrement": True}
"""
_NOW = '''

def now() -> dt.datetime:
    """Return the time in whole seconds, which is what every database keeps."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
'''
_NEW_KEY = '''

def new_key() -> str:
    """Return a key that nothing else has: 32 characters."""
    return uuid.uuid4().hex
'''


def models_text(tables: Sequence[Table]) -> str:
    """Return the module that declares the tables."""
    classes = "".join(f"\n\n{_class(table)}" for table in tables)
    functions = (_NOW if re.search(r"=now\b", classes) else "") + (_NEW_KEY if "=new_key" in classes else "")
    body = functions + classes
    names = sorted(
        ["Base", *(table.cls for table in tables)], key=lambda one: (not one.isupper() or len(one) == 1, one)
    )
    exported = listed("__all__ = [", map(quoted, names), "]")
    constants = _NEVER_TWICE if "NEVER_TWICE" in classes else ""
    return _HEAD.format(imports="\n".join(_imports(body)), all=exported, constants=constants) + body


def _imports(body: str) -> Iterator[str]:
    standard = ["import datetime as dt" if "dt." in body else "", "import uuid" if "uuid." in body else ""]
    standard += ["from decimal import Decimal" if "Mapped[Decimal" in body else ""]
    standard += ["from typing import Any" if "Mapped[Any" in body else ""]
    found = [one for one in standard if one]
    if found:
        yield "\n".join(found) + "\n"
    if re.search(r"\bsa\.", body):
        yield "import sqlalchemy as sa"
    names = ["DeclarativeBase"] + (["Mapped", "mapped_column"] if "mapped_column(" in body else [])
    names += ["relationship"] if "relationship(" in body else []
    yield f"from sqlalchemy.orm import {', '.join(names)}"


def _class(table: Table) -> str:
    lines = [
        f"class {table.cls}(Base):",
        f'    """Hold one {_words(table.cls)}."""',
        "",
        f'    __tablename__ = "{table.name}"',
    ]
    if table.key.type.python == "int" and not table.key.given:
        lines.append("    __table_args__ = NEVER_TWICE")
    lines.append("")
    lines += [_column(column) for column in table.columns]
    if table.relationships:
        lines.append("")
    for one in table.relationships:
        annotation = f"list[{one.target.cls}]" if one.many else f"{one.target.cls} | None"
        order = f', order_by="{one.target.cls}.{one.target.key.attribute}"' if one.many else ""
        lines.append(f"    {one.attribute}: Mapped[{annotation}] = relationship(viewonly=True{order})")
    return "\n".join(lines) + "\n"


def _column(column: Column) -> str:
    annotation = column.type.python + (" | None" if column.nullable and column.type.python != "Any" else "")
    arguments = list(_arguments(column))
    if not arguments:
        return f"    {column.attribute}: Mapped[{annotation}]"
    return listed(f"{column.attribute}: Mapped[{annotation}] = mapped_column(", arguments, ")", "    ")


def _arguments(column: Column) -> Iterator[str]:
    name = column.prop or column.attribute
    if name != column.attribute:
        yield quoted(name)
    if column.type.code:
        yield column.type.code
    if column.target is not None:
        key = column.target.key
        yield f"sa.ForeignKey({quoted(f'{column.target.name}.{key.prop or key.attribute}')})"
    if column.primary:
        yield "primary_key=True"
        if column.type.python == "int" and column.given:
            yield "autoincrement=False"
    if column.type.python == "Any" and not column.primary:
        yield f"nullable={column.nullable}"
    if column.unique and not column.primary:
        yield "unique=True"
    if column.index:
        yield "index=True"
    if column.default:
        yield f"default={column.default}"
    if column.on_update:
        yield f"onupdate={column.on_update}"


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", class_name(name)).lower()
