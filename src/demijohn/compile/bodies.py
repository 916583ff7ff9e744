"""The request body of one operation: from bytes and a Content-Type to a checked value.

JSON is read strictly and validated. Forms are typed by their schema, and their files handed over as
werkzeug's `FileStorage`. Text is decoded and typed as a parameter would be. Everything else, XML among it, is
handed over as bytes: only the limits that its schema sets for its length are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from werkzeug.http import parse_options_header

from demijohn.compile.charsets import CODECS, DEFAULT_CHARSET
from demijohn.compile.faults import MOST_FAULTS, Fault
from demijohn.compile.forms import FormError, compile_form
from demijohn.compile.kinds import ABSENT, Schemas
from demijohn.compile.readers import Branches
from demijohn.compile.strict_json import JsonError, load
from demijohn.compile.styles import is_json
from demijohn.compile.validators import Validators
from demijohn.contract import Body, JsonSchema, MediaType
from demijohn.errors import UnsupportedMediaType
from demijohn.settings import Settings

__all__ = ["NO_BODY", "BodyDecoder", "Decoded", "compile_body"]

Error: TypeAlias = dict[str, str]

_NO_FILES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Decoded:
    """Hold what became of a body.

    `value` is `ABSENT` when there is none. `faults` is empty when the body is fine. `files` holds the files
    of a form by field, a list of them where the schema is an array; `value` holds the other fields.
    """

    value: Any
    faults: list[Error]
    files: Mapping[str, Any] = field(default_factory=lambda: _NO_FILES)


NO_BODY: Final = Decoded(ABSENT, [])
"""What an operation has that takes no body."""

_Read: TypeAlias = Callable[[bytes, Mapping[str, str]], Decoded]
"""Reads one family of media types; takes the parameters of the Content-Type."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Serve one media type, or range of them, of the contract."""

    media_range: str
    parameters: Mapping[str, str]
    readers: Mapping[str, _Read]

    def takes(self, media_type: str, parameters: Mapping[str, str]) -> bool:
        if self.media_range != media_type and not _in_range(media_type, self.media_range):
            return False
        return all(parameters.get(name) == value for name, value in self.parameters.items())

    @property
    def rank(self) -> tuple[int, int]:
        """Sort the most specific first (RFC 9110 section 12.5.1)."""
        return (self.media_range.count("*"), -len(self.parameters))


@dataclass(frozen=True, slots=True)
class BodyDecoder:
    """Decode the request bodies of one operation."""

    _entries: tuple[_Entry, ...]
    _ready: Mapping[str | None, _Read]
    _required: bool

    def decode(self, content_type: str | None, raw: bytes) -> Decoded:
        """Return what the body holds; `raw` is all of it, `b""` when there is none.

        Raises `UnsupportedMediaType`, and `ContentTooLarge` for a form of too many parts.
        """
        if not raw:
            return Decoded(ABSENT, [dict(_MISSING)] if self._required else [], _NO_FILES)
        read = self._ready.get(content_type)
        if read is not None:
            return read(raw, _NO_PARAMETERS)
        media_type, parameters = parse_options_header(content_type)
        media_type = media_type.lower()
        if media_type.count("/") == 1:
            for entry in self._entries:
                if entry.takes(media_type, parameters):
                    return entry.readers[_family(media_type)](raw, parameters)
        raise self._unsupported()

    def _unsupported(self) -> UnsupportedMediaType:
        allowed = [entry.media_range for entry in self._entries]
        return UnsupportedMediaType(
            f"Send the body as {' or '.join(allowed)}." if allowed else "This operation takes no body.",
            headers={"Accept": ", ".join(allowed)} if allowed else {},
        )


_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})
# As clients write it most of the time: it saves taking the Content-Type apart.
_UTF8_SUFFIXES = ("; charset=utf-8", ";charset=utf-8", "; charset=UTF-8", ";charset=UTF-8")
_MISSING = {"detail": "a body is required", "pointer": "#"}
_URLENCODED = "application/x-www-form-urlencoded"
_FAMILIES = ("json", "urlencoded", "multipart", "text", "bytes")


def _family(media_type: str) -> str:
    if is_json(media_type):
        return "json"
    if media_type == _URLENCODED:
        return "urlencoded"
    if media_type == "multipart/form-data":
        return "multipart"
    # XML says itself which charset it is in (RFC 7303 section 3).
    return "text" if media_type.startswith("text/") and not media_type.endswith(("/xml", "+xml")) else "bytes"


def _in_range(media_type: str, media_range: str) -> bool:
    return media_range == "*/*" or (media_range.endswith("/*") and media_type.startswith(media_range[:-1]))


def compile_body(
    body: Body, validators: Validators, definitions: Mapping[str, JsonSchema], settings: Settings
) -> BodyDecoder:
    """Decide how the request bodies of one operation are read and checked."""
    compiler = _Compiler(validators, definitions, settings)
    entries = sorted(map(compiler.entry, body.contents), key=lambda entry: entry.rank)
    ready: dict[str | None, _Read] = {}
    for entry in entries:
        if "*" not in entry.media_range and not entry.parameters:
            read = entry.readers[_family(entry.media_range)]
            ready.setdefault(entry.media_range, read)
            if is_json(entry.media_range):
                ready.update((entry.media_range + suffix, read) for suffix in _UTF8_SUFFIXES)
    unnamed = _read_unnamed(body, entries, compiler.schemas)
    if unnamed is not None:
        ready[None] = ready[""] = unnamed
    return BodyDecoder(tuple(entries), ready, body.required)


def _read_unnamed(body: Body, entries: list[_Entry], schemas: Schemas) -> _Read | None:
    """Return the reader of a body without Content-Type: JSON, where the contract takes any.

    Under a range of media types it is JSON unless the schema can be a text.
    """
    order = [media_type.range.partition(";")[0].strip().lower() for media_type in body.contents]
    exact = [entry for entry in entries if is_json(entry.media_range)]
    if exact:
        return min(exact, key=lambda entry: order.index(entry.media_range)).readers["json"]
    for entry in entries:
        if _in_range("application/json", entry.media_range):
            schema = body.contents[order.index(entry.media_range)].schema
            return entry.readers["json" if schema is not None and "string" not in schemas.kinds(schema) else "bytes"]
    return None


class _Compiler:
    """Make the readers of media types."""

    def __init__(self, validators: Validators, definitions: Mapping[str, JsonSchema], settings: Settings) -> None:
        self.schemas = Schemas(definitions)
        self._branches = Branches(self.schemas, validators, "request")
        self._validators = validators
        self._settings = settings
        self._makers: dict[str, Callable[[MediaType], _Read]] = {
            "json": self._json,
            "urlencoded": self._urlencoded,
            "multipart": self._multipart,
            "text": self._text,
            "bytes": self._bytes,
        }

    def entry(self, media_type: MediaType) -> _Entry:
        media_range, parameters = parse_options_header(media_type.range)
        families = _FAMILIES if "*" in media_range else (_family(media_range),)
        # How a body is written is found anew for each; the other parameters tell representations apart.
        kept = {name: value for name, value in parameters.items() if name not in ("charset", "boundary")}
        return _Entry(media_range, kept, {family: self._makers[family](media_type) for family in families})

    def _check(self, schema: JsonSchema | None) -> Callable[[Any], list[Fault]]:
        if schema is None:
            return lambda _: []
        validator = self._validators.build(schema, "request")
        is_valid, faults = validator.is_valid, validator.faults
        return lambda value: [] if is_valid(value) else faults(value)

    def _json(self, media_type: MediaType) -> _Read:
        check, depth = self._check(media_type.schema), self._settings.max_body_depth

        def read(raw: bytes, parameters: Mapping[str, str]) -> Decoded:
            try:
                value = load(_utf8(raw, parameters) if parameters else raw, depth)
            except JsonError as error:
                return Decoded(ABSENT, _errors(error.faults), _NO_FILES)
            faults = check(value)
            return Decoded(value, _errors(faults) if faults else [], _NO_FILES)

        return read

    def _text(self, media_type: MediaType) -> _Read:
        schema = self.schemas.narrowed(True if media_type.schema is None else media_type.schema)
        if self.schemas.kinds(schema) <= {"array", "object"}:
            # CSV and its like: there is a schema for what the text means, but no rule that leads there.
            schema = True
        typed, check = self._branches.make(schema).text, self._check(schema)

        def read(raw: bytes, parameters: Mapping[str, str]) -> Decoded:
            try:
                value = typed(raw.decode(_codec(parameters)))
            except UnicodeDecodeError as wrong:
                return Decoded(ABSENT, [_error(f"is not valid {wrong.encoding} text")], _NO_FILES)
            faults = [_as_text(fault) for fault in check(value)]
            return Decoded(value, _errors(faults), _NO_FILES)

        return read

    def _bytes(self, media_type: MediaType) -> _Read:
        layers = [] if media_type.schema is None else list(self.schemas.layers(media_type.schema))
        most = min((one["maxLength"] for one in layers if "maxLength" in one), default=None)
        least = max((one["minLength"] for one in layers if "minLength" in one), default=0)

        def read(raw: bytes, parameters: Mapping[str, str]) -> Decoded:
            if most is not None and len(raw) > most:
                return Decoded(ABSENT, [_error(f"must have at most {most} bytes")], _NO_FILES)
            if len(raw) < least:
                return Decoded(ABSENT, [_error(f"must have at least {least} bytes")], _NO_FILES)
            return Decoded(raw, [], _NO_FILES)

        return read

    def _urlencoded(self, media_type: MediaType) -> _Read:
        form = compile_form(media_type, self._branches, self._settings.max_form_parts)
        check = self._check(media_type.schema)

        def read(raw: bytes, parameters: Mapping[str, str]) -> Decoded:
            value, faults = form.read_text(raw.decode("latin-1"))
            return Decoded(value, _form_errors(value, faults, check, ()), _NO_FILES)

        return read

    def _multipart(self, media_type: MediaType) -> _Read:
        form = compile_form(media_type, self._branches, self._settings.max_form_parts)
        check = self._check(media_type.schema)

        def read(raw: bytes, parameters: Mapping[str, str]) -> Decoded:
            boundary = parameters.get("boundary", "")
            if not boundary:
                return Decoded(ABSENT, [_error("is not valid multipart/form-data: the boundary is missing")], _NO_FILES)
            try:
                value, faults, files = form.read_parts(raw, boundary)
            except FormError as error:
                return Decoded(ABSENT, [_error(f"is not valid multipart/form-data: {error}")], _NO_FILES)
            errors = _form_errors(value, faults, check, files)
            return Decoded({name: one for name, one in value.items() if name not in files}, errors, files)

        return read


def _form_errors(
    value: Any,
    unreadable: list[Fault],
    check: Callable[[Any], list[Fault]],
    files: Mapping[str, Any] | tuple[()],
) -> list[Error]:
    """Join what could not be read with what is not valid; a field is told of once."""
    told = {fault.path[0] for fault in unreadable}
    found = list(unreadable)
    for fault in check(value):
        if fault.path and fault.path[0] in told:
            continue
        if fault.path and fault.path[0] in files:
            fault = Fault(fault.path, fault.detail.replace("character", "byte"))
        found.append(_as_text(fault))
    return _errors(found)


def _as_text(fault: Fault) -> Fault:
    # All of it was text on the wire: that a string was found tells the client nothing.
    return Fault(fault.path, fault.detail.replace(", found a string", ""))


def _errors(faults: list[Fault]) -> list[Error]:
    return [{"detail": fault.detail, "pointer": fault.pointer} for fault in faults[:MOST_FAULTS]]


def _error(detail: str) -> Error:
    return {"detail": detail, "pointer": "#"}


def _codec(parameters: Mapping[str, str]) -> str:
    codec = CODECS.get(parameters.get("charset", DEFAULT_CHARSET).lower())
    if codec is None:
        raise UnsupportedMediaType("The charset of the body is not supported. Send UTF-8.")
    return codec


def _utf8(raw: bytes, parameters: Mapping[str, str]) -> bytes:
    codec = _codec(parameters)
    if codec == "utf-8":
        return raw
    try:
        return raw.decode(codec).encode()
    except UnicodeError as error:
        raise JsonError([Fault((), f"is not valid {codec} text")]) from error
