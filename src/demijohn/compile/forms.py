"""Forms: `application/x-www-form-urlencoded` and `multipart/form-data`, to one object typed by its schema.

A form is read like an exploded object of a query. What its `encoding` says about a property comes first
(https://spec.openapis.org/oas/v3.1.1.html#encoding-object); without it an array is a repeated field and an
object is JSON, as the specification's defaults have it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from werkzeug.datastructures import FileStorage, Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder

from demijohn.compile.charsets import CODECS, DEFAULT_CHARSET
from demijohn.compile.faults import Fault
from demijohn.compile.kinds import ABSENT
from demijohn.compile.readers import (
    DEEP,
    DEEP_NAME,
    FLAT,
    Branch,
    Branches,
    Fields,
    at,
    choose,
    field_shapes,
    load_text,
    read_fields,
)
from demijohn.compile.styles import Decode, UnreadableError, is_json, plain, unquote_plus
from demijohn.contract import Encoding, JsonSchema, MediaType, Style
from demijohn.errors import ContentTooLarge

__all__ = ["Form", "FormError", "compile_form"]


class FormError(Exception):
    """Tell that the parts of a form cannot be told apart."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Hold one part of a multipart form as it came."""

    name: str
    filename: str | None
    headers: Headers
    data: bytes


@dataclass(frozen=True, slots=True)
class _Property:
    """Say how one declared property is read; `takes` tells whether a field belongs to it besides its own name."""

    takes: Callable[[str], object]
    is_file: bool
    is_array: bool
    is_json: bool
    content_types: tuple[str, ...]
    placeholder_length: int


_Readers: TypeAlias = Mapping[str, Callable[[Fields], Any]]
"""The readers of declared properties by name; each gives `ABSENT` if its property was not sent."""


@dataclass(frozen=True, slots=True)
class Form:
    """Read forms of one schema; validation is left to the caller.

    A file stands in the values as a placeholder: a text as long as the file has bytes, up to the first length
    that its schema tells apart, so that `required`, `maxLength` and `minItems` mean for files what they mean
    for text.
    """

    _properties: Mapping[str, _Property]
    _url_readers: _Readers
    _part_readers: _Readers
    _others: Branch
    _most_parts: int

    def read_text(self, text: str) -> tuple[dict[str, Any], list[Fault]]:
        """Read a form as it stands in a query or an urlencoded body: a latin-1 string. Raises `ContentTooLarge`."""
        if text.count("&") >= self._most_parts:
            raise _too_many(self._most_parts)
        fields, wrong = read_fields(text)
        faults = [Fault((name,), f"a name {detail}") for name, detail in wrong]
        return self._values(fields, unquote_plus, self._url_readers, faults), faults

    def read_parts(
        self, raw: bytes, boundary: str
    ) -> tuple[dict[str, Any], list[Fault], dict[str, FileStorage | list[FileStorage]]]:
        """Read a multipart form. Raises `FormError` and `ContentTooLarge`."""
        fields: dict[str, list[str]] = {}
        sent_files: dict[str, list[_Part]] = {}
        faults: list[Fault] = []
        for part in _parts(raw, boundary, self._most_parts):
            known = self._properties.get(part.name)
            fault = _content_type_fault(part, known)
            if fault is not None:
                faults.append(fault)
            elif (known and known.is_file) or (part.filename is not None and not (known and known.is_json)):
                sent_files.setdefault(part.name, []).append(part)
            else:
                try:
                    text = _part_text(part)
                except UnreadableError as error:
                    faults.append(Fault((part.name,), error.detail))
                else:
                    fields.setdefault(part.name, []).append(text)
        values = self._values(fields, plain, self._part_readers, faults)
        files: dict[str, FileStorage | list[FileStorage]] = {}
        for name, parts in sent_files.items():
            known = self._properties.get(name)
            limit = known.placeholder_length if known else 0
            placeholders = ["x" * min(len(part.data), limit) for part in parts]
            is_array = known.is_array if known else (len(parts) > 1 and "array" in self._others.kinds)
            if is_array:
                values[name], files[name] = placeholders, [_storage(part) for part in parts]
            else:
                values[name], files[name] = placeholders[0], _storage(parts[0])
            if name in fields:
                faults.append(Fault((name,), "is given both as a file and as text"))
            elif len(parts) > 1 and not is_array:
                faults.append(Fault((name,), "is given more than once"))
        return values, faults, files

    def _values(
        self,
        fields: Fields,
        decode: Decode,
        readers: _Readers,
        faults: list[Fault],
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, read in readers.items():
            try:
                value = read(fields)
            except UnreadableError as error:
                faults.append(Fault((name, *error.path), error.detail))
                continue
            if value is not ABSENT:
                values[name] = value
        for name, texts in fields.items():
            if name in readers or any(one.takes(name) for one in self._properties.values()):
                continue
            try:
                values[name] = self._others.repeated([decode(text) for text in texts])
            except UnreadableError as error:
                faults.append(Fault((name, *error.path), error.detail))
        return values


# A field that the contract says nothing about is text, and several of the same name are all of them.
_FREE: JsonSchema = {"type": ["string", "array"], "items": {"type": "string"}}


def compile_form(media_type: MediaType, branches: Branches, most_parts: int) -> Form:
    """Decide how forms of one media type are read. `most_parts` limits their fields and files."""
    parts = branches.schemas.parts(True if media_type.schema is None else media_type.schema)
    properties: dict[str, _Property] = {}
    url_readers: dict[str, Callable[[Fields], Any]] = {}
    part_readers: dict[str, Callable[[Fields], Any]] = {}
    for name, schema in parts.properties.items():
        encoding = media_type.encodings.get(name, Encoding())
        read = _read_styled if encoding.style is not None or encoding.explode is not None else _read_plain
        properties[name] = _property(name, schema, encoding, branches)
        url_readers[name] = read(name, schema, encoding, branches, unquote_plus)
        part_readers[name] = read(name, schema, encoding, branches, plain)
    others = branches.make(_FREE if parts.others in (None, True) else parts.others)
    return Form(properties, url_readers, part_readers, others, most_parts)


def _property(name: str, schema: JsonSchema, encoding: Encoding, branches: Branches) -> _Property:
    branch = branches.make(schema)
    style, explode = _style(encoding)
    takes: Callable[[str], object] = frozenset[str]().__contains__
    if style == "deepObject":
        takes = re.compile(re.escape(name) + DEEP_NAME).fullmatch
    elif explode:
        takes = branch.properties.__contains__
    item = _item(schema, branches) if branch.is_array else schema
    is_file = branches.schemas.is_file(item)
    return _Property(
        takes=takes,
        is_file=is_file,
        is_array=branch.is_array,
        is_json=_is_json(schema, encoding, branches),
        content_types=encoding.content_types,
        placeholder_length=_placeholder_length(item, branches) if is_file else 0,
    )


def _style(encoding: Encoding) -> tuple[Style | None, bool]:
    """Return the style of a property, None where none is named, and whether it is exploded."""
    if encoding.style is None and encoding.explode is None:
        return None, False
    style = encoding.style or "form"
    return style, encoding.explode if encoding.explode is not None else style == "form"


def _item(schema: JsonSchema, branches: Branches) -> JsonSchema:
    items = branches.schemas.parts(schema).items
    return True if items is None else items


def _is_json(schema: JsonSchema, encoding: Encoding, branches: Branches) -> bool:
    """Tell whether a property is sent as JSON: its `contentType` says so, or it is an object by default."""
    if _style(encoding)[0] is not None:
        return False
    if encoding.content_types:
        return any(map(is_json, encoding.content_types))
    kinds = branches.schemas.kinds(_item(schema, branches) if branches.make(schema).is_array else schema)
    return kinds <= {"object", "array", "null"}


def _read_styled(
    name: str, schema: JsonSchema, encoding: Encoding, branches: Branches, decode: Decode
) -> Callable[[Fields], Any]:
    style, explode = _style(encoding)
    assert style is not None
    branch = branches.make(schema, DEEP + 1 if style == "deepObject" else FLAT)
    # An exploded object takes the fields of its own properties and no others: those are the form's.
    shapes = field_shapes(branch, style, explode, name, decode, is_taken=lambda _: True)
    return choose(shapes, branches.is_valid(schema))


def _read_plain(
    name: str, schema: JsonSchema, encoding: Encoding, branches: Branches, decode: Decode
) -> Callable[[Fields], Any]:
    branch = branches.make(schema)
    read = _read_json(branch.is_array) if _is_json(schema, encoding, branches) else branch.repeated

    def read_field(fields: Fields) -> Any:
        texts = fields.get(name)
        return ABSENT if texts is None else read([decode(text) for text in texts])

    return read_field


def _read_json(is_array: bool) -> Callable[[list[str]], Any]:
    def read(texts: list[str]) -> Any:
        if is_array:
            values = [at(index, load_text, text) for index, text in enumerate(texts)]
            # One field may hold the whole array; several hold an item each.
            return values[0] if len(values) == 1 and isinstance(values[0], list) else values
        if len(texts) > 1:
            raise UnreadableError("is given more than once")
        return load_text(texts[0])

    return read


def _placeholder_length(schema: JsonSchema, branches: Branches) -> int:
    limits = [
        one[key]
        for one in branches.schemas.layers(schema, alternatives=True)
        for key in ("minLength", "maxLength")
        if key in one
    ]
    return int(max(limits)) + 1 if limits else 1


def _parts(raw: bytes, boundary: str, most_parts: int) -> Iterator[_Part]:
    decoder = MultipartDecoder(boundary.encode(), max_parts=most_parts)
    decoder.receive_data(raw)
    decoder.receive_data(None)
    head: Field | File | None = None
    chunks: list[bytes] = []
    try:
        while not isinstance(event := decoder.next_event(), Epilogue):
            if isinstance(event, (Field, File)):
                head, chunks = event, []
            elif isinstance(event, Data) and head is not None:
                chunks.append(event.data)
                if not event.more_data:
                    if head.name is None:
                        raise FormError("a part has no name")
                    filename = head.filename if isinstance(head, File) else None
                    yield _Part(head.name, filename, head.headers, b"".join(chunks))
    except RequestEntityTooLarge:
        raise _too_many(most_parts) from None
    except ValueError:
        raise FormError("its parts cannot be told apart, or it is cut off") from None


def _too_many(most_parts: int) -> ContentTooLarge:
    return ContentTooLarge(f"A form may have at most {most_parts} parts.")


def _storage(part: _Part) -> FileStorage:
    return FileStorage(io.BytesIO(part.data), filename=part.filename, name=part.name, headers=part.headers)


def _content_type_fault(part: _Part, known: _Property | None) -> Fault | None:
    """Refuse a part whose media type its `encoding` does not list; text fields mostly come without any."""
    if known is None or not known.content_types:
        return None
    sent = parse_options_header(part.headers.get("Content-Type", ""))[0].lower()
    if (not sent and not known.is_file) or any(_covers(allowed, sent) for allowed in known.content_types):
        return None
    return Fault((part.name,), f"must be sent as {' or '.join(known.content_types)}")


def _covers(media_range: str, media_type: str) -> bool:
    if media_range.endswith("/*"):
        return bool(media_type) and (media_range == "*/*" or media_type.startswith(media_range[:-1]))
    return media_type == media_range.partition(";")[0].strip()


def _part_text(part: _Part) -> str:
    charset = parse_options_header(part.headers.get("Content-Type", ""))[1].get("charset", DEFAULT_CHARSET)
    codec = CODECS.get(charset.lower())
    if codec is None:
        raise UnreadableError("is in a charset that is not supported; send UTF-8")
    try:
        return part.data.decode(codec)
    except UnicodeDecodeError:
        raise UnreadableError(f"is not valid {codec} text") from None
