"""Functions to calls: which argument takes what, decided once from the signature.

The rules are Connexion's: path parameters always, the others where the signature takes them, names made
identifiers, `body` under its name, `user`, `token_info` and `context_` on request. `connection` is an addition of ours.
"""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from demijohn.compile.kinds import ABSENT, Schemas
from demijohn.contract import Body, JsonSchema, Operation

__all__ = ["CONNECTION", "Bound", "bind"]

_BUILTINS = frozenset(dir(builtins))
_FORMS = frozenset(("application/x-www-form-urlencoded", "multipart/form-data"))
_CONTEXT = ("user", "token_info", "context_")
CONNECTION = "connection"
"""The argument that is a connection to the database, in a transaction around the call."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Hold what makes the keyword arguments of a function from `plan.Arguments`, and what does not fit.

    What does not fit is a path parameter that the function cannot take, or an argument without a default that nothing
    fills. `connects` tells that the function asks for `CONNECTION`, which is not among the keyword arguments,
    `takes_caller` that one of these says who is calling.
    """

    keywords: Callable[[Any], dict[str, Any]]
    wrong: tuple[str, ...]
    connects: bool
    takes_caller: bool


def bind(
    function: Callable[..., Any],
    operation: Operation,
    definitions: Mapping[str, JsonSchema],
    *,
    can_connect: bool = False,
) -> Bound:
    """Decide which argument of `function` takes what; `can_connect` tells that there is a database."""
    signature = _Signature(function)
    wrong: list[str] = []
    sources: list[tuple[int, str, bool]] = []
    for index, parameter in enumerate(operation.parameters):
        name = signature.take(parameter.name, anyway=parameter.location in ("path", "query"))
        if name is not None:
            sources.append((index, name, name in signature.required))
        elif parameter.location == "path":
            wrong.append(
                f"path parameter {parameter.name!r} has no argument in {signature.text}; "
                f"name one {identifiers(parameter.name)[0]!r}"
            )
    fill = _compile_body(operation.body, signature, definitions)
    context = tuple(name for name in _CONTEXT if signature.take_exactly(name))
    connects = can_connect and signature.take_exactly(CONNECTION)
    for name in sorted(signature.required - signature.taken):
        wrong.append(f"argument {name!r} of {signature.text} is filled by nothing in the contract; give it a default")

    def keywords(arguments: Any) -> dict[str, Any]:
        values = arguments.values
        out = {}
        for index, name, required in sources:
            value = values[index]
            if value is not ABSENT:
                out[name] = value
            elif required:
                out[name] = None
        if fill is not None:
            fill(arguments, out)
        for name in context:
            out[name] = _context(name, arguments.caller)
        return out

    return Bound(keywords, tuple(wrong), connects, bool(context))


def identifiers(name: str) -> list[str]:
    """Return the argument names that a parameter's name may have, best first.

    `filter[x]` gives `filter_x`; `X-Y` gives `XY`, `X_Y`, `x_y`; `$top` gives `top`; `id` gives `id`, `id_`.
    """
    plain = re.sub(r"\W", "", name.replace("[", "_")).lstrip("0123456789")
    snake = re.sub(r"\W+", "_", name).strip("_").lstrip("0123456789")
    found = [one for one in dict.fromkeys((plain, snake, snake.lower())) if one.isidentifier()]
    reserved = [one for one in found if keyword.iskeyword(one) or one in _BUILTINS]
    usable = [one for one in found if not keyword.iskeyword(one)]
    return [*usable, *(one + "_" for one in reserved)] or ["_"]


class _Signature:
    """Read a function's signature, and remember which of its arguments are filled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        name = getattr(function, "__qualname__", type(function).__name__)
        try:
            signature = inspect.signature(function)
        except ValueError:  # some builtins have none; they are called without arguments
            signature = inspect.Signature()
        self.text = f"{name}{signature}"
        parameters = signature.parameters.values()
        named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
        self.names = {one.name for one in named}
        self.required = {one.name for one in named if one.default is one.empty}
        self.required |= {one.name for one in parameters if one.kind is one.POSITIONAL_ONLY}
        self.takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters)
        self.taken: set[str] = set()

    def take(self, name: str, *, anyway: bool) -> str | None:
        """Return the argument for a contract's name; with `anyway` also one that only `**kwargs` takes.

        The trailing underscore wins where the signature has both `id` and `id_`.
        """
        candidates = identifiers(name)
        fitting = [one for one in candidates if one in self.names and one not in self.taken]
        if fitting:
            chosen = next((one for one in fitting if one.endswith("_")), fitting[0])
        elif anyway and self.takes_all:
            chosen = next((one for one in candidates if one not in self.taken), candidates[0])
        else:
            return None
        self.taken.add(chosen)
        return chosen

    def take_exactly(self, name: str) -> bool:
        """Tell whether the signature asks for `name` by that name and nothing else filled it."""
        if name not in self.names or name in self.taken:
            return False
        self.taken.add(name)
        return True


def _compile_body(
    body: Body | None, signature: _Signature, definitions: Mapping[str, JsonSchema]
) -> Callable[[Any, dict[str, Any]], None] | None:
    """Return what puts the body, or the fields and files of a form, among the arguments."""
    if body is None:
        return None
    fields = {}
    for field in _form_fields(body, definitions):
        argument = signature.take(field, anyway=body.unpacked)
        if argument is not None:
            fields[field] = argument
    if body.unpacked:

        def unpack(arguments: Any, out: dict[str, Any]) -> None:
            form = {} if arguments.body is ABSENT else arguments.body
            for field, name in fields.items():
                if field in arguments.files:
                    out[name] = arguments.files[field]
                elif field in form:
                    out[name] = form[field]
                elif name in signature.required:
                    out[name] = None

        return unpack
    name = signature.take(body.name, anyway=True)
    if name is None and not fields:
        return None

    def pass_on(arguments: Any, out: dict[str, Any]) -> None:
        if name is not None:
            value = arguments.body
            if arguments.files and isinstance(value, dict):
                value = {key: one for key, one in value.items() if key not in arguments.files}
            if value is not ABSENT:
                out[name] = value
            elif name in signature.required:
                out[name] = None
        for field, argument in fields.items():
            if field in arguments.files:
                out[argument] = arguments.files[field]
            elif argument in signature.required:
                out[argument] = None

    return pass_on


def _form_fields(body: Body, definitions: Mapping[str, JsonSchema]) -> Iterator[str]:
    """Yield the fields of the body's forms that may be arguments: all of Swagger's, the files of OpenAPI 3."""
    schemas = Schemas(definitions)
    for media in body.contents:
        if media.range in _FORMS and media.schema is not None:
            for name, schema in schemas.parts(media.schema).properties.items():
                items = schemas.parts(schema).items
                if body.unpacked or schemas.is_file(schema) or (items is not None and schemas.is_file(items)):
                    yield name


def _context(name: str, caller: Any) -> Any:
    if name == "user":
        return caller.user
    if name == "token_info":
        return caller.info
    return {"user": caller.user, "token_info": caller.info}
