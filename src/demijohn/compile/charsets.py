"""The charsets of text that Demijohn reads.

A list of its own: Python would also look up codecs that are no charsets, and keeps every name that it does
not know.
"""

from __future__ import annotations

__all__ = ["CODECS", "DEFAULT_CHARSET"]

DEFAULT_CHARSET = "utf-8"

CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32",
    "iso-8859-1": "iso8859-1",
    "latin1": "iso8859-1",
    "latin-1": "iso8859-1",
    "iso-8859-15": "iso8859-15",
    "windows-1252": "cp1252",
}
"""Names of charsets, in lower case (https://www.iana.org/assignments/character-sets), to Python's codecs."""
