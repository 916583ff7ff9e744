"""The examples: what `demijohn demo` knows of each."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["EXAMPLES", "Example", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """Be something to try, in a few words; with a body it is a POST."""

    text: str
    path: str
    body: Mapping[str, str] | None = None

    def command(self, address: str) -> str:
        """Return what to type, for an example at `address`."""
        body = "" if self.body is None else f" --json {shlex.quote(json.dumps(self.body))}"
        return f"curl {shlex.quote(address + self.path)}{body}"


@dataclass(frozen=True, slots=True)
class Example:
    """Describe one example. `page` is the first thing to look at, and `requests` are for curl, both below its mount."""

    name: str
    title: str
    contract: str
    text: str
    page: str
    requests: tuple[Request, ...]


_YOU = {"email": "you@example.org", "password": "nine lives of a cat"}

EXAMPLES = (
    Example(
        "people",
        "People",
        "Swagger 2.0",
        "A page on top of a small API: five Python functions, called by the contract, keep people by their last names.",
        "/",
        (Request("Everybody", "/api/people"),),
    ),
    Example(
        "directory",
        "Directory",
        "OpenAPI 3.0",
        "People and the addresses they have, from a contract and two models. There is no handler: each operation is one"
        " SQL statement.",
        "/api/ui/",
        (
            Request("Two people, with their addresses", "/api/people?limit=2&include=addresses"),
            Request("Addresses by country", "/api/addresses?country__in=AT,US&sort=city"),
        ),
    ),
    Example(
        "blog",
        "Blog",
        "OpenAPI 3.1",
        "Accounts, tokens and roles, posts that belong to their authors, and a shop: on Flask-SQLAlchemy and"
        " Flask-Migrate, with a Marshmallow blueprint beside it.",
        "/ui/",
        (
            Request("What is for sale", "/products?sort=price"),
            Request("Register", "/auth/register", {"username": "you", **_YOU}),
            Request("Log in, for a token", "/auth/login", _YOU),
        ),
    ),
    Example(
        "library",
        "Library",
        "OpenAPI 3.1",
        "The large one: a public library with its books, loans, holds and orders, roles, rate limits and caching, from"
        " one contract and a few short functions.",
        "/",
        (
            Request("The oldest books", "/books?sort=year&per_page=3"),
            Request("Books by Jane Austen", "/books?q=austen"),
        ),
    ),
)
