"""Secrets to asterisks, wherever in a line they are: by what they are called, what they look like, what they are.

None of the three is enough. A name stands before most secrets, tokens and keys look like nothing else, and what this
process was given itself is found in any disguise-free place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

__all__ = ["MASK", "Masks", "is_secret_name"]

MASK = "***"

_WORDS = (  # of names that secrets have
    "api[_-]?key|authori[sz]ation|cookie|credential|passphrase|passwd|password|private[_-]?key|pwd|secret"
    "|session[_-]?id|signature|token"
)
_NAME = re.compile(rf"(?:{_WORDS})", re.IGNORECASE)
# Settings and columns that are called like a secret, and are none.
_HARMLESS = re.compile(
    r"(?:^(?:old)?pwd|password_(?:memory_kib|time_cost|parallelism|threads|queue)|token_(?:algorithm|issuer|audience|leeway_s)"
    r"|access_token_s|token_type|tokens?_?(?:count|total)|cookies?_count|cookie_name|secret_name)$",
    re.IGNORECASE,
)

# Headers go to the end of the line or of the text in quotes: `Authorization: Bearer abc`, `'Cookie': 'a=1; b=2'`.
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie|http_authorization|http_cookie)"
    r"(\\?[\"']?\s*[:=,]\s*)(\\?[\"'])?((?(3)[^\"'\r\n]*|[^\r\n]*))",
    re.IGNORECASE,
)
_PAIR = re.compile(
    rf"([\w.-]{{0,40}}(?:{_WORDS})[\w.-]{{0,40}})(\\?[\"']?\s{{0,9}}(?:=>|[:=])\s{{0,9}})"
    r"(b?\\?\"(?:[^\"\\]|\\.)*\"|b?\\?'(?:[^'\\]|\\.)*'|[^\s,;&\"'(){}\[\]]+)",
    re.IGNORECASE,
)
_SHAPES = (
    (re.compile(r"([a-z][a-z0-9+.-]{0,30}://[^\s:/@\"']{0,256}):[^\s/@\"']{1,512}@", re.IGNORECASE), rf"\1:{MASK}@"),
    (re.compile(r"\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,4}"), MASK),
    (re.compile(r"\$(?:argon2(?:id|i|d)|2[aby]|scrypt|pbkdf2[\w-]*)\$[^\s\"']+"), MASK),
    (re.compile(r"\b(?:scrypt|pbkdf2):[\w:]+\$[^\s\"',]+"), MASK),
    (
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?!-----END)[\s\S])*(?:-----END [A-Z ]{0,30}KEY-----)?"),
        MASK,
    ),
)
_FEWEST_CHARACTERS = 6
# What can hold one of these has one of these in it: most lines have none, and are not looked at more closely.
_HINT = re.compile(rf"{_WORDS}|bearer|basic |digest |://|eyJ|\$|PRIVATE|scrypt:|pbkdf2:", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Tell whether a field is called like a secret."""
    return _NAME.search(name) is not None and _HARMLESS.search(name) is None


class Masks:
    """Mask what is secret; `values` are secrets of this process, whatever surrounds them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        secrets = {form for value in values for form in (value, quote(value, safe=""))}
        found = sorted((one for one in secrets if len(one) >= _FEWEST_CHARACTERS), key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, found))) if found else None

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        if _HINT.search(text) is None:
            return text
        for shape, masked in _SHAPES:
            text = shape.sub(masked, text)
        text = _HEADER.sub(lambda found: f"{found[1]}{found[2]}{found[3] or ''}{MASK}", text)
        return _PAIR.sub(_masked_pair, text)

    def value(self, value: Any) -> Any:
        """Return an argument of a log record without its secrets: in dictionaries and lists, too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", "backslashreplace"))
        if isinstance(value, Mapping):
            return {
                key: MASK if isinstance(key, str) and is_secret_name(key) else self.value(one)
                for key, one in value.items()
            }
        if type(value) in (list, tuple, set):
            return type(value)(map(self.value, value))
        return value


def _masked_pair(found: re.Match[str]) -> str:
    if not is_secret_name(found[1]):
        return found[0]
    value = found[3]
    mark = value[-1] if value[-1] in "\"'" else ""
    return f"{found[1]}{found[2]}{mark}{MASK}{mark}"


def own_secrets(settings: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> set[str]:
    """Return the secrets that a process was given: by their names, and those within addresses."""
    found: set[str] = set()
    for values in (settings, environment):
        for name, value in values.items():
            for text in value if isinstance(value, list | tuple) else [value]:
                text = text.decode("latin-1") if isinstance(text, bytes) else text
                if isinstance(text, str):
                    found |= _secrets_in(str(name), text)
    return found


def _secrets_in(name: str, text: str) -> set[str]:
    found = {text} if is_secret_name(name) else set()
    if "://" in text:
        try:
            password = urlsplit(text).password
        except ValueError:
            password = None
        if password:
            found |= {password, unquote(password)}
    return found
