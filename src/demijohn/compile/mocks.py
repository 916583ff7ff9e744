"""Operations to mocks: answers from the examples of the contract, or made from its schemas.

A client chooses with `Prefer: code=404` and `Prefer: example=name`. Everything is built at first use and
kept: start-up stays fast however large the contract is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any

from demijohn.compile.answers import covers, is_json
from demijohn.compile.plan import Arguments
from demijohn.compile.sample_leaves import UnsatisfiableError
from demijohn.compile.samples import Samples
from demijohn.compile.styles import encode_parameter, text_of
from demijohn.contract import Example, JsonSchema, MediaType, Operation, Parameter, Response
from demijohn.errors import BadRequest

__all__ = ["compile_mock"]

Result = tuple[Any, int, list[tuple[str, str]]]

# `Prefer: code=404, example="not found"` (RFC 7240 section 2).
_PREFERENCE = re.compile(r'(?:^|[,;])\s*(code|example)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]+))', re.IGNORECASE)
_CONCRETE = {
    "*/*": "application/json",
    "application/*": "application/json",
    "audio/*": "audio/mpeg",
    "image/*": "image/png",
    "multipart/*": "multipart/mixed",
    "text/*": "text/plain",
    "video/*": "video/mp4",
}
# They speak of the message as it is sent, which is not the message of the example.
_OWN_HEADERS = frozenset(
    ("connection", "content-encoding", "content-length", "content-type", "keep-alive", "transfer-encoding")
)
_BUILDING = Lock()


def compile_mock(operation: Operation, samples: Samples) -> Callable[[Arguments], Result]:
    """Return what answers an operation from the contract: value, status and headers.

    `samples` are those of the contract, shared by all its mocks.
    """
    return _Mock(operation, samples).answer


class _Mock:
    """Answer one operation."""

    def __init__(self, operation: Operation, samples: Samples) -> None:
        self._operation = operation
        self._samples = samples
        self._ready: dict[tuple[str, str, str | None], tuple[Any, list[tuple[str, str]]]] = {}

    def answer(self, arguments: Arguments) -> Result:
        """Choose the response, its media type and its example; raise `BadRequest` where there is none."""
        wanted = _preferences(arguments.prefer)
        if not self._operation.responses:
            return None, 204, []
        response, status = _choose_response(self._operation.responses, wanted.get("code"))
        media = _choose_media(response, arguments.media_type)
        example = wanted.get("example")
        if example is not None:
            _require_example(media, response, example)
        media_type = "" if media is None else _concrete(media.range, arguments.media_type)
        key = response.status, media_type, example
        ready = self._ready.get(key)
        if ready is None:
            # Samples and validators are shared by the mocks of a contract and made for one thread.
            with _BUILDING:
                ready = self._ready[key] = self._build(response, media, media_type, example)
        value, headers = ready
        return value, status, list(headers)

    def _build(
        self, response: Response, media: MediaType | None, media_type: str, example: str | None
    ) -> tuple[Any, list[tuple[str, str]]]:
        headers = list(_headers(response, self._samples))
        if media is None:
            return None, headers
        return _body(media, media_type, example, self._samples), [("Content-Type", media_type), *headers]


def _preferences(prefer: str) -> dict[str, str]:
    """Return `code` and `example` of a Prefer header; the first one of each counts."""
    found: dict[str, str] = {}
    for match in _PREFERENCE.finditer(prefer):
        quoted = match[2]
        found.setdefault(match[1].lower(), match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    return found


def _choose_response(responses: Mapping[str, Response], code: str | None) -> tuple[Response, int]:
    """Return the response for a wanted status and the status; without a wish the first successful one."""
    if code is None:
        key = min(responses, key=lambda key: _RANKS.get(key[0], len(_RANKS)))
        return responses[key], 200 if key == "default" else int(key.upper().replace("X", "0"))
    if len(code) == 3 and code.isascii() and code.isdigit() and "2" <= code[0] <= "5":
        for key in (code, f"{code[0]}XX", "default"):
            if key in responses:
                return responses[key], int(code)
    raise _refuse(f"code={code!r} is not documented here; documented are {', '.join(responses)}.")


_RANKS = {"2": 0, "3": 1, "d": 2}


def _choose_media(response: Response, agreed: str) -> MediaType | None:
    """Return the representation that was agreed on, else the first one; None where there is no body."""
    ordered = sorted(response.contents, key=lambda media: media.range.count("*"))
    fitting = [media for media in ordered if agreed and covers(media.range, agreed)]
    return next(iter(fitting or ordered), None)


def _concrete(media_range: str, agreed: str) -> str:
    """Return a media type without wildcards."""
    if "*" not in media_range:
        return media_range
    if agreed and "*" not in agreed and covers(media_range, agreed):
        return agreed
    return _CONCRETE.get(media_range, media_range.replace("*", "example"))


def _require_example(media: MediaType | None, response: Response, name: str) -> None:
    names = [example.name for example in media.examples if example.name] if media is not None else []
    if name not in names:
        known = f"there are {', '.join(names)}" if names else "it has no named examples"
        raise _refuse(f"example={name!r} is no example of the response {response.status}; {known}.")


def _refuse(detail: str) -> BadRequest:
    return BadRequest(detail, errors=[{"detail": detail, "in": "header", "name": "Prefer"}])


def _body(media: MediaType, media_type: str, name: str | None, samples: Samples) -> Any:
    """Return the value of a body in the form that its media type needs."""
    if name is not None:
        value = next(example.value for example in media.examples if example.name == name)
    elif is_json(media_type):
        value = _best(media.schema, media.examples, samples)
    else:
        value = _text(media, media_type, samples)
    if is_json(media_type):
        return value
    text = text_of(value)
    return text if media_type.startswith("text/") else text.encode()


def _text(media: MediaType, media_type: str, samples: Samples) -> Any:
    """Return what a representation holds that is no JSON: a text that the contract gives, if it gives one."""
    texts = [example.value for example in media.examples if isinstance(example.value, str)]
    if _is_xml(media_type):
        # Nothing here writes XML, so only an example that is XML already will do.
        return next(iter(texts), "")
    value = _best(media.schema, media.examples, samples)
    if isinstance(value, str):
        return value
    return "" if value is None and not texts else next(iter(texts), value)


def _is_xml(media_type: str) -> bool:
    return media_type.partition(";")[0].strip().endswith(("/xml", "+xml"))


def _best(schema: JsonSchema | None, examples: tuple[Example, ...], samples: Samples) -> Any:
    """Return a declared example that satisfies the schema, else a sample, else what comes closest."""
    values = [example.value for example in examples]
    if schema is None:
        return values[0] if values else None
    try:
        return samples.first_valid(schema, "response", values)
    except UnsatisfiableError:
        made = samples.sample(schema, "response")
    return values[0] if values and not samples.is_valid(schema, "response", made) else made


def _headers(response: Response, samples: Samples) -> Iterator[tuple[str, str]]:
    """Yield the headers of a response that are required or have examples."""
    for header in response.headers:
        if (header.required or header.examples) and header.name.lower() not in _OWN_HEADERS:
            text = _header_text(header, samples)
            if text.isprintable():
                yield header.name, text


def _header_text(header: Parameter, samples: Samples) -> str:
    return encode_parameter(header, _best(header.schema, header.examples, samples))
