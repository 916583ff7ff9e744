"""Operations to sample requests: one that the contract allows, ready to be sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import orjson

from demijohn.compile.kinds import Schemas
from demijohn.compile.sample_leaves import UnsatisfiableError
from demijohn.compile.samples import Samples
from demijohn.compile.styles import encode_parameter, is_json, text_of
from demijohn.compile.validators import Validators
from demijohn.contract import Contract, Encoding, Example, JsonSchema, MediaType, Operation, Parameter, Scheme

__all__ = ["RequestSamples", "SampleRequest"]

_BOUNDARY = "demijohn-sample-boundary"
_FORM = "application/x-www-form-urlencoded"
_TOKEN = "sample-token"  # the sample of a token, which no server takes
# What may stand in a path as it is, and the braces of the template (RFC 3986 section 3.3).
_SAFE = "/!$&'()*+,;=:@~%{}"
_WILD = {"*/*": "application/json", "application/*": "application/json", "text/*": "text/plain"}


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Hold one request. `path` lacks the contract's base path, `headers` the Content-Type.

    `path` and `query` are percent-encoded; `body` is None where none is sent.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes | None
    content_type: str | None


class RequestSamples:
    """Make sample requests for the operations of one contract; not safe to share between threads."""

    def __init__(self, contract: Contract, validators: Validators | None = None) -> None:
        self._contract = contract
        self._samples = Samples(contract.definitions, validators or Validators(contract.definitions))
        self._schemas = Schemas(contract.definitions)

    def make(self, operation: Operation, *, optional: bool = False) -> SampleRequest:
        """Return a request that the contract allows, as far as one is found.

        Examples of the contract go first. `optional` adds the optional parameters. The credentials have the
        form that the first security requirement demands; their values are made up.
        """
        path = quote(operation.path, safe=_SAFE)
        query: list[str] = []
        headers: dict[str, str] = {}
        cookies: list[str] = []
        for parameter in operation.parameters:
            if not (parameter.required or optional):
                continue
            text = encode_parameter(parameter, self._value(parameter.schema, parameter.examples))
            match parameter.location:
                case "path":
                    path = path.replace(quote(f"{{{parameter.name}}}", safe=_SAFE), text)
                case "header":
                    headers[parameter.name] = text
                case "cookie":
                    cookies.append(text)
                case _:
                    query.append(text)
        for scheme in self._schemes(operation):
            _add_credentials(scheme, query, headers, cookies)
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        body, content_type = self._body(operation)
        joined = "&".join(text for text in query if text)
        return SampleRequest(operation.method, path, joined, headers, body, content_type)

    def _schemes(self, operation: Operation) -> Iterator[Scheme]:
        for name, _ in operation.security[0].schemes if operation.security else ():
            if name in self._contract.schemes:
                yield self._contract.schemes[name]

    def _value(self, schema: JsonSchema, examples: tuple[Example, ...]) -> Any:
        try:
            return self._samples.first_valid(schema, "request", [example.value for example in examples])
        except UnsatisfiableError:
            return self._samples.sample(schema, "request")

    def _body(self, operation: Operation) -> tuple[bytes | None, str | None]:
        body = operation.body
        if body is None or not body.contents:
            return None, None
        media = min(body.contents, key=lambda media: (_effort(media.range), body.contents.index(media)))
        media_type = _WILD.get(media.range, media.range.replace("*", "octet-stream"))
        schema: JsonSchema = True if media.schema is None else media.schema
        value = self._value(schema, media.examples)
        if is_json(media_type.partition(";")[0]):
            return orjson.dumps(value), media_type
        if media_type == _FORM and isinstance(value, dict):
            return "&".join(self._fields(value, media)).encode(), media_type
        if media_type == "multipart/form-data" and isinstance(value, dict):
            return self._parts(value, media), f"{media_type}; boundary={_BOUNDARY}"
        return text_of(value).encode(), media_type

    def _fields(self, value: Mapping[str, Any], media: MediaType) -> Iterator[str]:
        """Yield the `name=value` pieces of an urlencoded form."""
        for name, one in value.items():
            encoding = media.encodings.get(name, Encoding())
            styled = _styled(name, one, encoding, media)
            if styled is not None:
                yield styled
            else:
                for item in _repeated(one, encoding):
                    yield f"{quote(name, safe='')}={quote(item, safe='')}"

    def _parts(self, value: Mapping[str, Any], media: MediaType) -> bytes:
        """Return the parts of a multipart form (RFC 7578)."""
        properties = self._schemas.parts(True if media.schema is None else media.schema).properties
        lines: list[str] = []
        for name, one in value.items():
            encoding = media.encodings.get(name, Encoding())
            schema = properties.get(name, True)
            is_file = self._schemas.is_file(self._schemas.parts(schema).items or schema)
            listed = next((kind for kind in encoding.content_types if "*" not in kind), "")
            kind = listed or ("application/octet-stream" if is_file else "")
            styled = _styled(name, one, encoding, media)
            fields = [(name, item) for item in _repeated(one, encoding)]
            if styled is not None:
                pieces = [piece.partition("=") for piece in styled.split("&") if piece]
                fields = [(unquote(key), unquote(text)) for key, _, text in pieces]
            for key, item in fields:
                filename = '; filename="sample.bin"' if is_file else ""
                lines += [f"--{_BOUNDARY}", f'Content-Disposition: form-data; name="{key}"{filename}']
                lines += [f"Content-Type: {kind}"] if kind else []
                lines += ["", item]
        return "\r\n".join([*lines, f"--{_BOUNDARY}--", ""]).encode()


def _effort(media_range: str) -> int:
    """Rank media types: JSON says most about its values, then forms, then what has a name at all."""
    essence = media_range.partition(";")[0].strip()
    if is_json(essence):
        return 0
    if essence in (_FORM, "multipart/form-data"):
        return 1
    return 3 if "*" in essence else 2


def _styled(name: str, value: Any, encoding: Encoding, media: MediaType) -> str | None:
    """Return the `name=value` pieces of a field whose encoding names a style, as a query has them."""
    if encoding.style is None and encoding.explode is None:
        return None
    style = encoding.style or "form"
    explode = style == "form" if encoding.explode is None else encoding.explode
    return encode_parameter(Parameter(name, "query", media.place, style=style, explode=explode), value)


def _repeated(value: Any, encoding: Encoding) -> list[str]:
    """Return the texts of one field of a form: an array is repeated, an object is JSON."""
    if isinstance(value, list) and not any(map(is_json, encoding.content_types)):
        return [text_of(item) for item in value]
    return [orjson.dumps(value).decode() if any(map(is_json, encoding.content_types)) else text_of(value)]


def _add_credentials(scheme: Scheme, query: list[str], headers: dict[str, str], cookies: list[str]) -> None:
    name = scheme.parameter or ""
    match scheme.kind, scheme.location:
        case "apiKey", "query":
            query.append(f"{quote(name, safe='')}={_TOKEN}")
        case "apiKey", "cookie":
            cookies.append(f"{name}={_TOKEN}")
        case "apiKey", _:
            headers[name] = _TOKEN
        case "basic", _:
            headers["Authorization"] = "Basic " + b64encode(b"user:password").decode()
        case "http", _:
            headers["Authorization"] = f"{(scheme.http_scheme or 'http').capitalize()} {_TOKEN}"
        case "mutualTLS", _:
            pass
        case _:
            headers["Authorization"] = f"Bearer {_TOKEN}"
