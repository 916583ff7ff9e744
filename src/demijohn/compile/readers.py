"""Texts to typed values, by schema.

A form, a query or a header holds nothing but text. A `Branch` knows, for one schema, which values its text
may stand for. A shape is one way to read a whole parameter or form field: as a single value, an array or an
object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from demijohn.compile.kinds import ABSENT, Schemas
from demijohn.compile.strict_json import JsonError, load
from demijohn.compile.styles import (
    Decode,
    UnreadableError,
    split_items,
    split_pairs,
    split_single,
    unquote_plus,
)
from demijohn.compile.validators import Direction, Validators
from demijohn.contract import JsonSchema, Style

__all__ = [
    "DEEP",
    "DEEP_NAME",
    "FLAT",
    "Branch",
    "Branches",
    "Fields",
    "at",
    "choose",
    "field_shapes",
    "load_text",
    "read_fields",
    "text_shapes",
]

Fields: TypeAlias = Mapping[str, list[str]]
"""The fields of a query or form in the order in which they came: decoded names, values as they were sent."""

_T = TypeVar("_T")

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)").fullmatch
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
# Longer than any 64-bit integer. What is cut off leaves the number as far out of range as it was, and reading
# all of it would take quadratic time.
_MOST_DIGITS = 25
_INT64 = range(-(2**63), 2**63)


def _integer(text: str) -> Any:
    return int(text[:_MOST_DIGITS]) if _INTEGER(text) else ABSENT


def _number(text: str) -> Any:
    """Read a number as a JSON parser does: beyond 64 bits an integer becomes a float."""
    if not _NUMBER(text):
        return ABSENT
    if len(text) < _MOST_DIGITS and _INTEGER(text) and (whole := int(text)) in _INT64:
        return whole
    number = float(text)
    return number if math.isfinite(number) else ABSENT


def _boolean(text: str) -> Any:
    return True if text == "true" else False if text == "false" else ABSENT


def _null(text: str) -> Any:
    return None if text in ("", "null") else ABSENT


def _json(text: str) -> Any:
    """Read a list or object inside one piece of text, for which the styles have no form: it is JSON."""
    try:
        value = load(text.encode())
    except JsonError:
        return ABSENT
    return value if isinstance(value, (dict, list)) else ABSENT


def load_text(text: str) -> Any:
    """Read a text that must be JSON."""
    try:
        return load(text.encode())
    except JsonError as error:
        fault = error.faults[0]
        raise UnreadableError(fault.detail, fault.path) from None


def _text(text: str) -> Any:
    return text


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Read the texts that may stand for values of one schema.

    `scalars` are tried in order; each gives `ABSENT` for a text that it cannot be. `text` reads one piece of text and
    leaves it as it is if it is nothing else, for the validator to refuse. `others` reads what `properties` does not
    name; the last of `items` reads all further items.
    """

    kinds: frozenset[str]
    scalars: tuple[Callable[[str], Any], ...]
    text: Callable[[str], Any]
    closed: bool = False
    properties: Mapping[str, Branch] = field(default_factory=dict)
    others: Branch | None = None
    items: tuple[Branch, ...] = ()

    @property
    def is_array(self) -> bool:
        """Tell whether nothing but an array, or null, will do."""
        return "array" in self.kinds and self.kinds <= {"array", "null"}

    def property(self, name: str) -> Branch:
        """Return the branch of one property."""
        found = self.properties.get(name) or self.others
        assert found is not None, "only an object is asked for its properties"
        return found

    def array(self, texts: Iterable[str]) -> list[Any]:
        """Read one text for each item."""
        return [at(index, self._item(index).text, text) for index, text in enumerate(texts)]

    def repeated(self, texts: list[str]) -> Any:
        """Read the texts that came under one name: several are an array or a mistake."""
        if self.is_array or (len(texts) > 1 and "array" in self.kinds):
            return self.array(texts)
        if len(texts) > 1:
            raise UnreadableError("is given more than once")
        return self.text(texts[0])

    def tree(self, node: Any) -> Any:
        """Read nested names, `{"b": {"c": ["1"]}}` for `a[b][c]=1`."""
        if not isinstance(node, dict):
            return self.repeated(node)
        if "object" in self.kinds:
            return {name: at(name, self.property(name).tree, inner) for name, inner in node.items()}
        if "array" not in self.kinds:
            raise UnreadableError("must be a single value")
        if set(node) == {""} and isinstance(node[""], list):
            return self.array(node[""])
        # `a[0]=x&a[1]=y`, as some clients number their items.
        if all(name.isascii() and name.isdigit() and len(name) < 10 for name in node):
            numbered = sorted(node.items(), key=lambda item: int(item[0]))
            return [at(index, self._item(index).tree, inner) for index, (_, inner) in enumerate(numbered)]
        raise UnreadableError("must be an array: write the names of its items as [] or as numbers")

    def _item(self, index: int) -> Branch:
        return self.items[min(index, len(self.items) - 1)]


def at(key: str | int, read: Callable[[_T], Any], source: _T) -> Any:
    """Run `read` for one member, and let what it raises lead to that member."""
    try:
        return read(source)
    except UnreadableError as error:
        raise UnreadableError(error.detail, (key, *error.path)) from None


# A parameter is a text, a list of them or an object of lists of them; only nested names lead further.
FLAT = 2
DEEP = 16


class Branches:
    """Make the branches of schemas; equal schemas share one."""

    def __init__(self, schemas: Schemas, validators: Validators, direction: Direction) -> None:
        self.schemas = schemas
        self._validators = validators
        self._direction = direction
        self._made: dict[tuple[int, str], Branch] = {}

    def make(self, schema: JsonSchema, levels: int = FLAT) -> Branch:
        """Return the branch of `schema`, with those of what lies up to `levels` inside of it."""
        key = (levels, repr(schema))
        if key not in self._made:
            self._made[key] = self._make(schema, levels)
        return self._made[key]

    def _make(self, schema: JsonSchema, levels: int) -> Branch:
        kinds = self.schemas.kinds(schema)
        scalars = _options(kinds)
        text = self._reader(schema, kinds, scalars)
        if not levels or not kinds & {"array", "object"}:
            return Branch(kinds, scalars, text)
        parts = self.schemas.parts(schema)
        properties: dict[str, Branch] = {}
        others: Branch | None = None
        items: tuple[Branch, ...] = ()
        if "object" in kinds:
            properties = {name: self.make(one, levels - 1) for name, one in parts.properties.items()}
            others = self.make(True if parts.others is None else parts.others, levels - 1)
        if "array" in kinds:
            rest = True if parts.items is None else parts.items
            items = tuple(self.make(one, levels - 1) for one in (*parts.prefix, rest))
        return Branch(kinds, scalars, text, parts.others is False, properties, others, items)

    def is_valid(self, schema: JsonSchema) -> Callable[[Any], bool]:
        """Return the check of `schema`."""
        return self._validators.build(schema, self._direction).is_valid

    def _reader(
        self, schema: JsonSchema, kinds: frozenset[str], options: tuple[Callable[[str], Any], ...]
    ) -> Callable[[str], Any]:
        if kinds <= {"array", "object"}:
            return load_text
        if kinds & {"array", "object"}:
            options = (*options, _json)
        if not options:
            return _text
        if len(options) == 1 and "string" not in kinds:
            return _only(options[0])
        return choose([*options, _text], self.is_valid(schema))


def _options(kinds: frozenset[str]) -> tuple[Callable[[str], Any], ...]:
    found: list[Callable[[str], Any]] = []
    if "number" in kinds:
        found.append(_number)
    elif "integer" in kinds:
        found.append(_integer)
    if "boolean" in kinds:
        found.append(_boolean)
    if "null" in kinds:
        found.append(_null)
    return tuple(found)


def _only(option: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = option(text)
        return text if value is ABSENT else value

    return read


def choose(shapes: list[Callable[[_T], Any]], is_valid: Callable[[Any], bool]) -> Callable[[_T], Any]:
    """Return the reading that gives the first valid value, else the first value, else `ABSENT`."""
    if len(shapes) == 1:
        return shapes[0]

    def read(source: _T) -> Any:
        first: Any = ABSENT
        trouble: UnreadableError | None = None
        for shape in shapes:
            try:
                value = shape(source)
            except UnreadableError as error:
                trouble = trouble or error
                continue
            if value is ABSENT:
                continue
            if is_valid(value):
                return value
            if first is ABSENT:
                first = value
        if first is ABSENT and trouble is not None:
            raise trouble
        return first

    return read


def text_shapes(branch: Branch, style: Style, explode: bool, name: str, decode: Decode) -> list[Callable[[str], Any]]:
    """Return the ways to read the one text of a parameter, not decoded yet, in the order of preference."""
    items = split_items(style, explode, name)
    pairs = split_pairs(style, explode, name)
    single = split_single(style, name)

    def scalar(option: Callable[[str], Any]) -> Callable[[str], Any]:
        if style in ("label", "matrix"):
            return lambda raw: option(decode(single(raw)))
        return decode if option is _text else lambda raw: option(decode(raw))

    def array(raw: str) -> Any:
        return branch.array(map(decode, items(raw)))

    def object_(raw: str) -> Any:
        found: dict[str, list[str]] = {}
        for key, value in pairs(raw):
            found.setdefault(decode(key), []).append(decode(value))
        return {key: at(key, branch.property(key).repeated, texts) for key, texts in found.items()}

    return _in_order(branch, scalar, array, object_)


def field_shapes(
    branch: Branch,
    style: Style,
    explode: bool,
    name: str,
    decode: Decode,
    *,
    is_taken: Callable[[str], bool],
    free: bool = True,
) -> list[Callable[[Fields], Any]]:
    """Return the ways to read a parameter or form field out of all of them.

    An exploded object takes the fields that its properties name and, if it is `free`, those that nobody has
    taken.
    """

    def one(shape: Callable[[str], Any]) -> Callable[[Fields], Any]:
        def read(fields: Fields) -> Any:
            texts = fields.get(name)
            if texts is None:
                return ABSENT
            if len(texts) > 1:
                raise UnreadableError("is given more than once")
            return shape(texts[0])

        return read

    if style == "deepObject":
        return _deep_shapes(branch, name, decode, one)
    if not explode:
        return [one(shape) for shape in text_shapes(branch, style, explode, name, decode)]

    def scalar(option: Callable[[str], Any]) -> Callable[[Fields], Any]:
        return one(decode if option is _text else lambda raw: option(decode(raw)))

    def array(fields: Fields) -> Any:
        texts = fields.get(name)
        return ABSENT if texts is None else branch.array(map(decode, texts))

    def object_(fields: Fields) -> Any:
        found = {
            key: [decode(text) for text in texts]
            for key, texts in fields.items()
            if key in branch.properties or (free and not branch.closed and not is_taken(key))
        }
        if not found:
            return ABSENT
        return {key: at(key, branch.property(key).repeated, texts) for key, texts in found.items()}

    return _in_order(branch, scalar, array, object_)


def _in_order(
    branch: Branch,
    scalar: Callable[[Callable[[str], Any]], _T],
    array: _T,
    object_: _T,
) -> list[_T]:
    """List the shapes that `branch` allows. Text comes last: any text is a string."""
    if branch.kinds == {"array"}:
        return [array]
    if branch.kinds == {"object"}:
        return [object_]
    if not branch.kinds & {"array", "object"}:
        return [scalar(branch.text)]
    return [
        *map(scalar, branch.scalars),
        *([array] if "array" in branch.kinds else []),
        *([object_] if "object" in branch.kinds else []),
        scalar(_text),
    ]


DEEP_NAME = r"(?:\[[^\[\]]*\])+"
_DEEP_PART = re.compile(r"\[([^\[\]]*)\]").findall


def _deep_shapes(
    branch: Branch, name: str, decode: Decode, one: Callable[[Callable[[str], Any]], Callable[[Fields], Any]]
) -> list[Callable[[Fields], Any]]:
    """Read `name[a]=1&name[b][c]=2`. The specification defines one level; deeper ones follow the schema."""
    belongs = re.compile(re.escape(name) + DEEP_NAME).fullmatch

    def deep(fields: Fields) -> Any:
        tree: dict[str, Any] = {}
        for key, texts in fields.items():
            if belongs(key):
                _plant(tree, _DEEP_PART(key[len(name) :]), [decode(text) for text in texts])
        if tree:
            return branch.tree(tree)
        if name in fields and "array" in branch.kinds:
            return branch.array(map(decode, fields[name]))
        if name in fields and not may_be_text:
            raise UnreadableError(f"must be written as {name}[...]=...")
        return ABSENT

    def scalar(option: Callable[[str], Any]) -> Callable[[Fields], Any]:
        return one(lambda raw: option(decode(raw)))

    may_be_text = not branch.kinds <= {"array", "object"}
    return [*map(scalar, branch.scalars), deep, *([scalar(_text)] if may_be_text else [])]


def _plant(tree: dict[str, Any], parts: list[str], texts: list[str]) -> None:
    if len(parts) > DEEP:
        raise UnreadableError(f"is nested deeper than {DEEP} levels")
    *above, last = parts
    node: Any = tree
    for part in above:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            break
    if not isinstance(node, dict) or last in node:
        raise UnreadableError("is given both as a value and as an object", tuple(parts))
    node[last] = texts


def read_fields(text: str, decode: Decode = unquote_plus) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """Split a query or form at `&` and `=`; return its fields, and the names that cannot be read with the reason."""
    fields: dict[str, list[str]] = {}
    wrong: list[tuple[str, str]] = []
    for piece in text.split("&"):
        if not piece:
            continue
        name, _, value = piece.partition("=")
        try:
            name = decode(name)
        except UnreadableError as error:
            wrong.append((name, error.detail))
            continue
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    return fields, wrong
