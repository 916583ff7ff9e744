"""The functions that are left to write: those of operations, and those that check credentials."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from demijohn.cli.scaffold.code import listed, quoted
from demijohn.cli.scaffold.names import free, snake
from demijohn.compile.handlers import identifiers
from demijohn.contract import Operation, Scheme

__all__ = ["Check", "Handler", "checks_for", "checks_text", "handlers_for", "handlers_text"]

_TAKEN = frozenset(("Any", "Callable", "FUNCTIONS", "not_written"))
_WIDTH = 112


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """Be the function of an operation; `operation_id` is given to one that has none in the contract."""

    name: str
    operation: Operation
    operation_id: str
    is_new_id: bool


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """Be the function that checks the credentials of a scheme, under the key that names it in the contract."""

    name: str
    scheme: Scheme
    key: str


def handlers_for(operations: Sequence[Operation], known_ids: frozenset[str]) -> list[Handler]:
    """Return a function for each operation; `known_ids` are the operationIds of the whole contract."""
    names: set[str] = set(_TAKEN)
    ids = set(known_ids)
    found = []
    for operation in operations:
        said = (operation.operation_id or "").rpartition(".")[2]
        name = free(snake(said or f"{operation.method} {operation.path}".replace("{", "by ")), names)
        names.add(name)
        id_ = operation.operation_id or free(name, ids)
        ids.add(id_)
        found.append(Handler(name, operation, id_, operation.operation_id is None))
    return found


def handlers_text(handlers: Sequence[Handler]) -> str:
    """Return the module of the functions that operations call."""
    parts = [_HANDLERS_HEAD if handlers else _NO_HANDLERS]
    parts += ["\n\n" + _function(one) for one in handlers]
    entries = "".join(f"    {quoted(one.operation_id)}: {one.name},\n" for one in handlers)
    table = f"FUNCTIONS: dict[str, Callable[..., Any]] = {{\n{entries}}}\n" if handlers else _NO_FUNCTIONS
    note = "# By the operationId of the contract. What is not here is a statement on a model.\n"
    return "".join(parts) + "\n\n" + note + table


_HANDLERS_HEAD = '''"""What the contract's operations do that is no statement on a model: still to be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from demijohn import Problem

__all__ = ["FUNCTIONS"]


def not_written() -> NoReturn:
    """Tell a client that the operation is declared, and that nothing stands behind it yet."""
    raise Problem("This operation is not written yet.", status=501, code="not-implemented")
'''
_NO_HANDLERS = '''"""What the contract's operations do that is no statement on a model: nothing so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["FUNCTIONS"]
'''
_NO_FUNCTIONS = "FUNCTIONS: dict[str, Callable[..., Any]] = {}\n"


def _function(handler: Handler) -> str:
    operation = handler.operation
    arguments = list(_arguments(operation))
    head = listed(f"def {handler.name}(", arguments, ") -> Any:")
    return f"{head}\n{_docstring(operation)}\n    not_written()\n"


def _arguments(operation: Operation) -> Iterator[str]:
    """Yield what the function takes: what is always there first."""
    taken: set[str] = set()
    later = []
    for parameter in operation.parameters:
        name = identifiers(parameter.name)[0]
        if name in taken or parameter.location not in ("path", "query", "header"):
            continue
        if parameter.location == "header" and parameter.name.lower() in ("accept", "authorization", "content-type"):
            continue
        taken.add(name)
        if parameter.location == "path":
            yield f"{name}: Any"
        else:
            later.append(f"{name}: Any = None")
    if operation.body is not None and not operation.body.unpacked:
        name = identifiers(operation.body.name)[0]
        if name not in taken:
            yield f"{name}: Any" if operation.body.required else f"{name}: Any = None"
    yield from later


def _docstring(operation: Operation) -> str:
    """Return the operation's own words, as a docstring."""
    said = _plain(operation.summary) or _plain(operation.description).partition(". ")[0]
    first = f"{said.rstrip('.')}." if said else f"Answer {operation.method} {operation.path}."
    lines = textwrap.wrap(first, _WIDTH, break_long_words=False) or [first]
    request = f"{operation.method} {operation.path}"
    if len(lines) == 1 and request in first:
        return f'    """{first}"""'
    return "\n".join([f'    """{lines[0]}', *(f"    {one}" for one in lines[1:]), "", f"    {request}", '    """'])


def _plain(text: str) -> str:
    """Return a text as one line that any docstring can hold."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return re.sub(r"\s+", " ", printable.replace("\\", "/").replace('"', "'")).strip()


_KEYS = {
    "basic": "x-basicInfoFunc",
    "bearer": "x-bearerInfoFunc",
    "oauth2": "x-tokenInfoFunc",
    "openIdConnect": "x-tokenInfoFunc",
    "apiKey": "x-apikeyInfoFunc",
}


def checks_for(schemes: Mapping[str, Scheme], operations: Sequence[Operation], *, has_accounts: bool) -> list[Check]:
    """Return a function for each scheme that an operation asks for, and that a function can check.

    Accounts check everything but basic credentials themselves.
    """
    used = {name for one in operations for requirement in one.security for name, _ in requirement.schemes}
    names: set[str] = {"Any"}
    found = []
    for name, scheme in schemes.items():
        if name in used and scheme.kind in _KEYS and not (has_accounts and scheme.kind != "basic"):
            function = free(f"check_{snake(name).strip('_')}", names)
            names.add(function)
            found.append(Check(function, scheme, _KEYS[scheme.kind]))
    return found


def checks_text(checks: Sequence[Check]) -> str:
    """Return the module of the functions that check credentials."""
    exported = listed("__all__ = [", map(quoted, sorted(one.name for one in checks)), "]")
    return _CHECKS_HEAD.format(all=exported) + "".join("\n\n" + _check(one) for one in checks)


_CHECKS_HEAD = '''"""Who is calling? Until these functions are written nobody is believed, and the answer is 401."""

from __future__ import annotations

from typing import Any

{all}
'''


def _check(check: Check) -> str:
    arguments, what = {
        "basic": ("username: str, password: str", "a user name and a password"),
        "apiKey": ("apikey: str", "an API key"),
    }.get(check.scheme.kind, ("token: str", "a bearer token"))
    return f'''def {check.name}({arguments}) -> dict[str, Any] | None:
    """Return who has {what}: `{{"sub": "...", "scope": "..."}}`, or None for nobody."""
    return None
'''
