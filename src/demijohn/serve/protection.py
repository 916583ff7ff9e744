"""The headers that protect an answer in a browser, by what kind of answer it is."""

from __future__ import annotations

from demijohn.compile.caching import Headers
from demijohn.compile.cors import Cors

__all__ = ["SECURITY_HEADERS", "SECURITY_NAMES", "add_vary", "protect", "share"]

# What an API answer never needs: to be sniffed, framed, or to load anything.
SECURITY_HEADERS: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)
SECURITY_NAMES = frozenset(name.lower() for name, _ in SECURITY_HEADERS)

# What goes with any page, wherever its scripts and pictures come from; those only its author knows.
_PAGE_HEADERS: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
)
_DATA = ("/json", "+json", "/yaml", "+yaml")


def protect(headers: list[tuple[str, str]], hsts: str) -> None:
    """Add the headers that an answer lacks, and `hsts` unless it is empty; one that it has of its own stays."""
    wanted: Headers = (("Strict-Transport-Security", hsts),) if hsts else ()
    if not (headers and headers[0] is SECURITY_HEADERS[0]):  # else it was made here, with all of them
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        kind = kind.partition(";")[0].strip().lower()
        wanted += SECURITY_HEADERS if kind.endswith(_DATA) else _PAGE_HEADERS
    if wanted:
        known = {name.lower() for name, _ in headers}
        headers += [header for header in wanted if header[0].lower() not in known]


def share(headers: list[tuple[str, str]], cors: Cors, origin: str | None) -> None:
    """Add what a browser is told of other origins, unless the application says it in its own way."""
    if cors.varies:
        add_vary(headers, "Origin")
    if all(name.lower() != "access-control-allow-origin" for name, _ in headers):
        headers += cors.headers(origin)


def add_vary(headers: list[tuple[str, str]], names: str) -> None:
    """Add names to the `Vary` that is there, or begin one."""
    for index, (name, value) in enumerate(headers):
        if name.lower() == "vary":
            told = {one.strip().lower() for one in value.split(",")}
            more = [one for one in names.split(", ") if one.lower() not in told]
            headers[index] = (name, ", ".join([value, *more]))
            return
    headers.append(("Vary", names))
