"""Declared responses to what turns a handler's result into a finished answer, and checks it.

A result is Connexion's: `body`, `(body, status)`, `(body, headers)`, `(body, status, headers)`, a response
object, `None` or `NoContent`. The media type is agreed on before the handler runs: a client that can read
none of them must not have changed anything.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from demijohn.compile.parameters import HeaderCodec, compile_header
from demijohn.compile.styles import is_json as is_json_essence
from demijohn.compile.validators import Validator, Validators
from demijohn.contract import JsonSchema, MediaType, Response
from demijohn.errors import BrokenPromise, NotAcceptable

__all__ = ["Answer", "Answers", "NoContent", "compile_answers", "encode_json", "etag_of"]

NoContent: Final = object()
"""The answer without a body: status 204 unless another one is given."""

_NO_BODY = frozenset({204, 205, 304})
_MOST_REMEMBERED = 200


class Answer(NamedTuple):
    """Hold a finished answer."""

    status: int
    body: bytes
    media_type: str | None
    headers: list[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Representation:
    """Encode and check one declared media type of one declared status."""

    range: str
    validator: Callable[[], Validator] | None

    def encode(self, value: Any, media_type: str) -> bytes:
        """Return the bytes of `value`."""
        if is_json(media_type):
            return encode_json(value)
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        return encode_json(value)

    def check(self, body: bytes, media_type: str) -> list[str]:
        """Return what is wrong with a finished body, by the schema."""
        if self.validator is None:
            return []
        if is_json(media_type):
            try:
                value = orjson.loads(body)
            except ValueError:
                return ["the body is not valid JSON"]
        elif media_type.startswith("text/"):
            value = body.decode(errors="replace")
        else:
            return []
        validator = self.validator()
        if validator.is_valid(value):
            return []
        return [f"{fault.pointer} {fault.detail}" for fault in validator.faults(value)]


@dataclass(frozen=True, slots=True)
class Declared:
    """Hold what the contract says of one status."""

    representations: tuple[Representation, ...]
    headers: tuple[tuple[str, bool, HeaderCodec], ...]

    def find(self, media_type: str) -> Representation | None:
        """Return the most specific representation that covers `media_type`."""
        return next((one for one in self.representations if covers(one.range, media_type)), None)


@dataclass(frozen=True, slots=True)
class Answers:
    """Finish the answers of one operation."""

    exact: Mapping[int, Declared]
    ranges: Mapping[int, Declared]
    default: Declared | None
    success: int
    offered: tuple[str, ...]
    validate: bool
    _agreed: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def agree(self, accept: str | None) -> str:
        """Return the media type that the client and the contract agree on, "" where there is no body at all.

        Raises `NotAcceptable`, which names what is on offer.
        """
        if not self.offered:
            return ""
        if accept is None or accept == "*/*":
            return self.offered[0]
        agreed = self._agreed.get(accept)
        if agreed is None:
            agreed = negotiate(accept, self.offered)
            if len(self._agreed) < _MOST_REMEMBERED:
                self._agreed[accept] = agreed
        if not agreed:
            raise NotAcceptable(f"Accept allows none of the media types on offer: {', '.join(self.offered)}.")
        return agreed

    def declared(self, status: int) -> Declared | None:
        """Return what the contract says of a status: itself, its range, or the default."""
        return self.exact.get(status) or self.ranges.get(status // 100) or self.default

    def finish(self, result: Any, agreed: str) -> Answer:
        """Return the finished answer of a handler's result.

        Raises `BrokenPromise` with every way in which the result breaks the contract.
        """
        value, status, headers = unpack(result)
        if status is None:
            status = 204 if value is None or value is NoContent else self.success
        declared = self.declared(status)
        if declared is None and self.validate:
            raise BrokenPromise(f"status {status} is not declared")
        own, headers = _content_type(headers)
        if value is NoContent or status in _NO_BODY or (value is None and not _offers_json(declared)):
            answer = Answer(status, b"", None, headers)
        else:
            answer = self._represent(value, status, headers, own, agreed, declared)
        if self.validate and declared is not None:
            self._check_headers(answer, declared)
        _refuse_unsendable(answer)
        return answer

    def check(self, status: int, body: bytes | None, media_type: str, headers: Mapping[str, str]) -> None:
        """Check an answer that was finished elsewhere, such as a Flask response; `body` None is a stream.

        Raises `BrokenPromise` as `finish` does.
        """
        declared = self.declared(status)
        if declared is None:
            raise BrokenPromise(f"status {status} is not declared")
        wrong = _header_faults(declared, headers)
        if body and declared.representations:
            representation = declared.find(media_type)
            if representation is None:
                wrong.append(f"media type {media_type!r} is not declared for status {status}")
            else:
                wrong.extend(representation.check(body, media_type))
        if wrong:
            raise BrokenPromise("; ".join(wrong))

    def _represent(
        self,
        value: Any,
        status: int,
        headers: list[tuple[str, Any]],
        own: str | None,
        agreed: str,
        declared: Declared | None,
    ) -> Answer:
        media_type, representation = _choose(declared, own, agreed, value)
        if representation is None:
            raise BrokenPromise(f"media type {media_type!r} is not declared for status {status}")
        try:
            body = representation.encode(value, media_type)
        except (TypeError, UnicodeError) as error:
            raise BrokenPromise(f"the body of status {status} cannot be encoded: {error}") from error
        if self.validate:
            wrong = representation.check(body, media_type)
            if wrong:
                raise BrokenPromise(f"the body of status {status}: {'; '.join(wrong)}")
        return Answer(status, body, media_type, headers)

    def _check_headers(self, answer: Answer, declared: Declared) -> None:
        if not declared.headers:
            return
        for index, (name, value) in enumerate(answer.headers):
            codec = next((codec for known, _, codec in declared.headers if known == name.lower()), None)
            if codec is not None and not isinstance(value, str):
                answer.headers[index] = (name, codec.encode(value))
        wrong = _header_faults(declared, {name.lower(): str(value) for name, value in answer.headers})
        if wrong:
            raise BrokenPromise("; ".join(wrong))


def compile_answers(
    responses: Mapping[str, Response],
    validators: Validators,
    definitions: Mapping[str, JsonSchema],
    *,
    validate: bool,
) -> Answers:
    """Return what finishes the answers that an operation declares."""
    exact: dict[int, Declared] = {}
    ranges: dict[int, Declared] = {}
    default = None
    for key, response in responses.items():
        declared = _compile_response(response, validators, definitions)
        if key == "default":
            default = declared
        elif key.isdigit():
            exact[int(key)] = declared
        else:
            ranges[int(key[0])] = declared
    good = [status for status in exact if 200 <= status < 300]
    success = 200 if 200 in exact or 2 in ranges or default is not None or len(good) != 1 else good[0]
    successful = [response for key, response in responses.items() if key[0] == "2"]
    bodies = [media for response in successful or list(responses.values()) for media in response.contents]
    offered = dict.fromkeys(_concrete(media.range) for media in bodies)
    return Answers(exact, ranges, default, success, tuple(offered), validate)


def _compile_response(response: Response, validators: Validators, definitions: Mapping[str, JsonSchema]) -> Declared:
    ordered = sorted(response.contents, key=lambda media: (media.range.count("*"), -len(media.range)))
    # The order of the contract decides what a client gets that does not mind; ranges come last.
    ordered.sort(key=lambda media: media.range.count("*"))
    representations = tuple(_compile_media(media, validators) for media in ordered)
    headers = tuple(
        (header.name.lower(), header.required, compile_header(header, validators, definitions))
        for header in response.headers
    )
    return Declared(representations, headers)


def _compile_media(media: MediaType, validators: Validators) -> Representation:
    schema = media.schema
    kind = schema.get("type") if isinstance(schema, dict) else None
    if schema is None or (kind == "string" and isinstance(schema, dict) and schema.get("format") == "binary"):
        return Representation(media.range, None)
    if media.range.startswith("text/") and kind != "string":
        return Representation(media.range, None)
    return Representation(media.range, validators.later(schema, "response"))


def _offers_json(declared: Declared | None) -> bool:
    return declared is not None and any(is_json(one.range) for one in declared.representations)


def _content_type(headers: list[tuple[str, Any]]) -> tuple[str | None, list[tuple[str, Any]]]:
    """Take the handler's own Content-Type out of its headers."""
    own = next((str(value) for name, value in headers if name.lower() == "content-type"), None)
    if own is None:
        return None, headers
    return own, [pair for pair in headers if pair[0].lower() != "content-type"]


def _choose(declared: Declared | None, own: str | None, agreed: str, value: Any) -> tuple[str, Representation | None]:
    """Return the media type of an answer and its representation; None where the contract has no such one.

    The handler's own Content-Type goes first. What was agreed on fits the successful statuses; an error
    status may offer something else.
    """
    if declared is None or not declared.representations:
        media_type = own or _natural(value)
        return media_type, Representation(media_type, None)
    if own is not None:
        return own, declared.find(own)
    if agreed:
        representation = declared.find(agreed)
        if representation is not None:
            return agreed, representation
    first = declared.representations[0]
    return _concrete(first.range), first


# RFC 9110 section 5.6.2: the characters of a token.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch


def _refuse_unsendable(answer: Answer) -> None:
    """Refuse headers that would end, or begin another one, where the handler did not mean it."""
    if answer.media_type is not None and not _VALUE(answer.media_type):
        raise BrokenPromise("the header 'content-type' has a character that headers cannot have")
    for name, value in answer.headers:
        if not _TOKEN(name) or not _VALUE(str(value)):
            raise BrokenPromise(f"the header {name!r} has a character that headers cannot have")


def _natural(value: Any) -> str:
    if isinstance(value, str):
        return "text/plain"
    if isinstance(value, bytes | bytearray | memoryview):
        return "application/octet-stream"
    return "application/json"


_CONCRETE = {"*/*": "application/json", "application/*": "application/json", "text/*": "text/plain"}


def _concrete(media_range: str) -> str:
    return _CONCRETE.get(media_range, media_range)


def _header_faults(declared: Declared, headers: Mapping[str, str]) -> list[str]:
    """Return what is wrong with headers, which are given by lower-case name."""
    wrong: list[str] = []
    for name, required, codec in declared.headers:
        text = headers.get(name)
        if text is not None:
            wrong.extend(f"header {name!r} {detail}" for detail in codec.faults(text))
        elif required:
            wrong.append(f"header {name!r} is missing")
    return wrong


def unpack(result: Any) -> tuple[Any, int | None, list[tuple[str, Any]]]:
    """Return body, status and headers of one of Connexion's return forms."""
    status: Any = None
    headers: Any = ()
    if isinstance(result, tuple):
        match result:
            case (body, dict() | list() as headers):
                pass
            case (body, status):
                pass
            case (body, status, headers):
                pass
            case _:
                raise BrokenPromise(f"a handler returned a tuple of {len(result)}; allowed are 2 or 3")
        result = body
    if isinstance(status, enum.Enum):
        status = status.value
    if status is not None and (not isinstance(status, int) or isinstance(status, bool) or not 200 <= status < 600):
        raise BrokenPromise(f"a handler returned the status {status!r}; allowed are the numbers 200 to 599")
    return result, status, list(headers.items() if hasattr(headers, "items") else headers or ())


def encode_json(value: Any) -> bytes:
    """Return `value` as JSON: dates, UUIDs, enums, dataclasses and Decimals (digit by digit) included.

    Raises `TypeError` for what has no JSON form.
    """
    return orjson.dumps(value, default=_json_form)


def _json_form(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError("Decimal is not finite")
        return orjson.Fragment(format(value, "f").encode())
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "__html__"):
        return str(value)
    if hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, Sequence | Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def negotiate(accept: str, offered: Sequence[str]) -> str:
    """Return the offered media type that `accept` likes best, "" where it likes none (RFC 9110, 12.5.1)."""
    return parse_accept_header(accept, MIMEAccept).best_match(offered, default="") or ""


@lru_cache(maxsize=_MOST_REMEMBERED)
def is_json(media_type: str) -> bool:
    """Tell whether a media type is JSON: `application/json`, `application/problem+json`, ..."""
    return is_json_essence(media_type.partition(";")[0].strip().lower())


@lru_cache(maxsize=_MOST_REMEMBERED)
def covers(wide: str, media_type: str) -> bool:
    """Tell whether a declared range such as `text/*` covers a media type; parameters do not count."""
    essence = media_type.partition(";")[0].strip().lower()
    wide = wide.partition(";")[0].strip()
    if wide in ("*/*", essence):
        return True
    kind, _, sub = wide.partition("/")
    return sub == "*" and essence.startswith(kind + "/")


def etag_of(body: bytes) -> str:
    """Return the strong entity tag of a representation (RFC 9110, 8.8.3)."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'
