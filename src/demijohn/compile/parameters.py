"""The parameters of one operation: from the texts of a request to checked values.

Everything about them is decided in `compile_parameters`. `Parameters.decode` runs one small reader per
parameter and collects every error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, TypeAlias

from demijohn.compile.faults import MOST_FAULTS, Fault
from demijohn.compile.forms import compile_form
from demijohn.compile.kinds import ABSENT, Absent, Schemas
from demijohn.compile.readers import (
    DEEP,
    DEEP_NAME,
    FLAT,
    Branch,
    Branches,
    Fields,
    choose,
    field_shapes,
    load_text,
    read_fields,
    text_shapes,
)
from demijohn.compile.styles import (
    Decode,
    UnreadableError,
    encode_parameter,
    header_text,
    is_json,
    unquote,
    unquote_plus,
)
from demijohn.compile.validators import Validator, Validators
from demijohn.contract import JsonSchema, MediaType, Parameter

__all__ = [
    "ABSENT",
    "REQUIRED",
    "Absent",
    "HeaderCodec",
    "Incoming",
    "Parameters",
    "compile_header",
    "compile_parameters",
    "encode_parameter",
]

Error: TypeAlias = dict[str, str]

_LONGEST_NAME = 100
_LONGEST_REMEMBERED = 200
_MOST_REMEMBERED = 1_000


class Incoming(NamedTuple):
    """Hold where the parameters of one request stand; nothing is percent-decoded yet.

    `path` holds what the router captured, by name. `query` is the query string without `?`. `header` finds a
    header by its name in any case; repeated ones are joined by `, `. All texts are latin-1 strings, as in PEP
    3333.
    """

    path: Mapping[str, str]
    query: str
    header: Callable[[str], str | None]


class _Sent(NamedTuple):
    """Hold a request's texts, split as far as its parameters need it; a tuple, since each request makes one."""

    path: Mapping[str, str]
    header: Callable[[str], str | None]
    raw_query: str
    query: Fields
    cookies: Fields
    exploded_cookies: Fields


@dataclass(frozen=True, slots=True)
class _Slot:
    """Read one parameter. `read` gives `ABSENT` if it was not sent, and raises `UnreadableError`."""

    index: int
    name: str
    location: str
    read: Callable[[_Sent], Any]
    is_valid: Callable[[Any], bool]
    faults: Callable[[Any], list[Fault]]
    required: bool
    default: Any

    def fresh_default(self) -> Any:
        """Return the default; a list or object anew, since handlers may write to it."""
        return deepcopy(self.default) if isinstance(self.default, (list, dict)) else self.default

    def errors(self, faults: Iterable[Fault]) -> list[Error]:
        return [{"detail": _detail(fault), "in": self.location, "name": self.name} for fault in faults]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Decode the parameters of one operation."""

    _slots: tuple[_Slot, ...]
    _known: frozenset[str]
    _claims: tuple[Callable[[str], object], ...]
    _refuses_unknown: bool
    _reads_query: bool
    _reads_cookies: bool
    _takes_query: bool
    _beside_query: tuple[_Slot, ...]
    _remembered: dict[str, list[Any]] = field(default_factory=dict, compare=False, repr=False)

    def decode(self, incoming: Incoming) -> tuple[list[Any], list[Error]]:
        """Return the values in the order of the operation's parameters, and every error.

        An error holds `detail`, `in` and `name`.
        A value is `ABSENT` where the parameter was not sent and has no default, and where it is wrong.
        """
        known = self._remembered.get(incoming.query) if self._takes_query else None
        if known is None:
            return self._decode(incoming, self._slots, incoming.query)
        values = known.copy()
        if not self._beside_query:
            return values, []
        others, errors = self._decode(incoming, self._beside_query, "")
        for slot, value in zip(self._beside_query, others, strict=True):
            values[slot.index] = value
        return values, errors

    def _decode(self, incoming: Incoming, slots: tuple[_Slot, ...], raw_query: str) -> tuple[list[Any], list[Error]]:
        errors: list[Error] = []
        query: Fields = _NO_FIELDS
        if self._reads_query and raw_query:
            query, wrong = read_fields(raw_query)
            if wrong or not self._known.issuperset(query):
                errors += self._query_errors(query, wrong)
        cookies = exploded_cookies = _NO_FIELDS
        if self._reads_cookies and (cookie := incoming.header("Cookie")):
            cookies = _read_cookies(cookie)
            # RFC 6570 joins the pieces of an exploded value by `&`, in a cookie too.
            exploded_cookies = _read_cookies(cookie.replace("&", ";")) if "&" in cookie else cookies
        sent = _Sent(incoming.path, incoming.header, raw_query, query, cookies, exploded_cookies)
        values: list[Any] = []
        for slot in slots:
            try:
                value = slot.read(sent)
            except UnreadableError as error:
                errors += slot.errors([Fault(error.path, error.detail)])
                values.append(ABSENT)
                continue
            if value is ABSENT:
                if slot.required:
                    errors += slot.errors([REQUIRED])
                values.append(slot.fresh_default())
            elif slot.is_valid(value):
                values.append(value)
            else:
                errors += slot.errors(slot.faults(value))
                values.append(ABSENT)
        if self._takes_query and not errors and slots is self._slots:
            self._remember(raw_query, values)
        return values, errors

    def _remember(self, query: str, values: list[Any]) -> None:
        """Keep what a query means: clients ask for the same page of the same list again and again."""
        if len(query) > _LONGEST_REMEMBERED or any(isinstance(value, (list, dict)) for value in values):
            return
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[query] = values.copy()

    def _query_errors(self, query: Fields, wrong: list[tuple[str, str]]) -> list[Error]:
        errors = [{"detail": f"a name {detail}", "in": "query", "name": name[:_LONGEST_NAME]} for name, detail in wrong]
        if self._refuses_unknown:
            for name in query:
                if len(errors) >= MOST_FAULTS:
                    break
                if name not in self._known and not any(claim(name) for claim in self._claims):
                    errors.append(self._unknown(name))
        return errors[:MOST_FAULTS]

    def _unknown(self, name: str) -> Error:
        detail = "is not a parameter of this operation"
        near = get_close_matches(name, self._known, 1) if len(name) <= _LONGEST_NAME else []
        hint = f"; did you mean {near[0]}?" if near else ""
        return {"detail": detail + hint, "in": "query", "name": name[:_LONGEST_NAME]}


_NO_FIELDS: Fields = {}
REQUIRED = Fault((), "is required")


def _detail(fault: Fault) -> str:
    # All of it was text on the wire: that a string was found tells the client nothing.
    detail = fault.detail.replace(", found a string", "")
    if not fault.path:
        return detail
    if len(fault.path) == 1 and isinstance(fault.path[0], int):
        return f"item {fault.path[0] + 1} {detail}"
    return f"{fault.pointer[1:]}: {detail}"


def _read_cookies(text: str) -> Fields:
    """Split a Cookie header (RFC 6265 section 4.2); what is no pair is left out, as browsers send anything."""
    cookies: dict[str, list[str]] = {}
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if equals:
            value = value.strip(" \t")
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            cookies.setdefault(name.strip(" \t"), []).append(value)
    return cookies


def compile_parameters(
    parameters: Sequence[Parameter],
    validators: Validators,
    definitions: Mapping[str, JsonSchema],
    *,
    unknown_query: Literal["refuse", "ignore"],
    known_query: Iterable[str] = (),
) -> Parameters:
    """Decide how the parameters of one operation are read and checked.

    `known_query` are names in the query that belong to somebody else, such as an API key.
    """
    compiler = _Compiler(parameters, validators, definitions, known_query)
    slots = tuple(compiler.slot(index, one) for index, one in enumerate(parameters))
    locations = {parameter.location for parameter in parameters}
    refuses = unknown_query == "refuse" and "querystring" not in locations and not compiler.takes_all
    return Parameters(
        slots,
        frozenset(compiler.known),
        tuple(compiler.claims),
        refuses,
        refuses or "query" in locations,
        "cookie" in locations,
        "query" in locations,
        tuple(slot for slot in slots if slot.location != "query"),
    )


class _Compiler:
    """Turn parameters to slots; `known` and `claims` grow to the names in the query that have an owner."""

    def __init__(
        self,
        parameters: Sequence[Parameter],
        validators: Validators,
        definitions: Mapping[str, JsonSchema],
        known_query: Iterable[str],
    ) -> None:
        self._validators = validators
        self._schemas = Schemas(definitions)
        self._branches = Branches(self._schemas, validators, "request")
        self.known = set(known_query)
        self.known.update(one.name for one in parameters if one.location == "query" and not self._is_spread(one))
        self.claims: list[Callable[[str], object]] = []
        self.takes_all = False

    def slot(self, index: int, parameter: Parameter) -> _Slot:
        schema = self._schemas.narrowed(parameter.schema)
        validator = self._validators.build(schema, "request")
        read, is_valid = self._read(parameter, schema), validator.is_valid
        if parameter.allow_empty and parameter.location == "query":
            read, is_valid = _allowing_empty(parameter.name, read, is_valid)
        return _Slot(
            index=index,
            name=parameter.name,
            location="query" if parameter.location == "querystring" else parameter.location,
            read=read,
            is_valid=is_valid,
            faults=validator.faults,
            required=parameter.required,
            default=self._schemas.default(schema),
        )

    def _read(self, parameter: Parameter, schema: JsonSchema) -> Callable[[_Sent], Any]:
        name = parameter.name
        if parameter.location == "querystring":
            return self._read_querystring(parameter, schema)
        if parameter.location in ("query", "cookie"):
            return self._read_field(parameter, schema)
        decode = unquote if parameter.location == "path" else header_text
        read = _read_text(parameter, schema, self._branches, decode)

        def read_path(sent: _Sent) -> Any:
            raw = sent.path.get(name)
            return ABSENT if raw is None else read(raw)

        def read_header(sent: _Sent) -> Any:
            raw = sent.header(name)
            return ABSENT if raw is None else read(raw)

        return read_path if parameter.location == "path" else read_header

    def _read_field(self, parameter: Parameter, schema: JsonSchema) -> Callable[[_Sent], Any]:
        branch = self._branches.make(schema, DEEP + 1 if parameter.style == "deepObject" else FLAT)
        in_query = parameter.location == "query"
        decode = unquote_plus if in_query else unquote
        if parameter.content_type is not None:
            text = _read_text(parameter, schema, self._branches, decode)
            scalar = Branch(frozenset(("string",)), (), text)
            shapes = field_shapes(scalar, "form", True, parameter.name, str, is_taken=self._is_taken)
        else:
            shapes = field_shapes(
                branch,
                parameter.style,
                parameter.explode,
                parameter.name,
                decode,
                is_taken=self._is_taken,
                free=in_query,
            )
            if in_query:
                self._claim(parameter, branch)
        read = choose(shapes, self._branches.is_valid(schema))
        if in_query:
            return lambda sent: read(sent.query)
        if parameter.explode and branch.kinds & {"array", "object"}:
            return lambda sent: read(sent.exploded_cookies)
        return lambda sent: read(sent.cookies)

    def _read_querystring(self, parameter: Parameter, schema: JsonSchema) -> Callable[[_Sent], Any]:
        if parameter.content_type == "application/x-www-form-urlencoded":
            # The server limits the length of a query, and with it the number of its parts.
            form = compile_form(MediaType("", parameter.place, schema), self._branches, sys.maxsize)

            def read_form(sent: _Sent) -> Any:
                if not sent.raw_query:
                    return ABSENT
                value, faults = form.read_text(sent.raw_query)
                if faults:
                    raise UnreadableError(faults[0].detail, faults[0].path)
                return value

            return read_form
        read = _read_text(parameter, schema, self._branches, unquote)
        return lambda sent: read(sent.raw_query) if sent.raw_query else ABSENT

    def _claim(self, parameter: Parameter, branch: Branch) -> None:
        """Note the names that belong to `parameter` besides its own."""
        if parameter.style == "deepObject":
            self.claims.append(re.compile(re.escape(parameter.name) + DEEP_NAME).fullmatch)
        elif parameter.explode and "object" in branch.kinds:
            self.known.update(branch.properties)
            self.takes_all = self.takes_all or not branch.closed

    def _is_spread(self, parameter: Parameter) -> bool:
        """Tell whether a parameter is nothing but an exploded object, whose own name is never sent."""
        spread = parameter.style == "form" and parameter.explode and parameter.content_type is None
        return spread and self._schemas.kinds(parameter.schema) == {"object"}

    def _is_taken(self, name: str) -> bool:
        return name in self.known or any(claim(name) for claim in self.claims)


def _allowing_empty(
    name: str, read: Callable[[_Sent], Any], is_valid: Callable[[Any], bool]
) -> tuple[Callable[[_Sent], Any], Callable[[Any], bool]]:
    """Let `?name=` stand for the empty string, whatever the schema says (`allowEmptyValue`)."""

    def read_or_empty(sent: _Sent) -> Any:
        return "" if sent.query.get(name) == [""] else read(sent)

    return read_or_empty, lambda value: value == "" or is_valid(value)


def _read_text(parameter: Parameter, schema: JsonSchema, branches: Branches, decode: Decode) -> Callable[[str], Any]:
    """Return the reader of a parameter that is one text: in a path or header, or a document under `content`."""
    branch = branches.make(schema)
    if parameter.content_type is None:
        shapes = text_shapes(branch, parameter.style, parameter.explode, parameter.name, decode)
        return choose(shapes, branches.is_valid(schema))
    if is_json(parameter.content_type):
        return lambda raw: load_text(decode(raw))
    return lambda raw: branch.text(decode(raw))


@dataclass(frozen=True, slots=True)
class HeaderCodec:
    """Write one declared header of a response, and check one that was written."""

    _parameter: Parameter
    _read: Callable[[str], Any]
    _validator: Validator

    def encode(self, value: Any) -> str:
        """Return the text of `value` as a WSGI header: UTF-8 bytes in a latin-1 string.

        Takes whatever a handler may give: str, int, float, bool, None, dates, UUID, Decimal, lists and dicts
        of them.
        """
        return encode_parameter(self._parameter, value)

    def faults(self, text: str) -> list[str]:
        """Return what is wrong with a header's text, in words; nothing if it keeps the contract."""
        if not _HEADER_LINE(text):
            return ["must not hold control characters"]
        try:
            value = self._read(text)
        except UnreadableError as error:
            return [_detail(Fault(error.path, error.detail))]
        if self._validator.is_valid(value):
            return []
        return [_detail(fault) for fault in self._validator.faults(value)]


_HEADER_LINE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*").fullmatch


def compile_header(parameter: Parameter, validators: Validators, definitions: Mapping[str, JsonSchema]) -> HeaderCodec:
    """Decide how a declared header of a response is written and checked."""
    schemas = Schemas(definitions)
    schema = schemas.narrowed(parameter.schema)
    read = _read_text(parameter, schema, Branches(schemas, validators, "response"), header_text)
    return HeaderCodec(parameter, read, validators.build(schema, "response"))
