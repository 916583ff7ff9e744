"""The addresses of other pages: the request's own, and nothing in them that the contract does not know."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.contract import Operation, Parameter, Place
from demijohn.resources.links import Links, link_header


@dataclass
class Sent:
    """Be a request as it was sent."""

    path: str = "/people"
    query: str = ""
    base: str = ""
    method: str = "GET"
    scheme: str = "http"
    address: str = ""

    def header(self, name: str) -> str | None:
        return None


PLACE = Place("openapi.yaml")
NAMES = ("limit", "offset", "sort", "naïve", "filter", "a b")
OPERATION = Operation(
    "GET",
    "/people",
    PLACE,
    parameters=(*(Parameter(name, "query", PLACE) for name in NAMES), Parameter("token", "header", PLACE)),
)
LINKS = Links(OPERATION, ["offset"])


@pytest.mark.parametrize(
    ("query", "stem"),
    [
        ("", "/people?"),
        ("limit=5", "/people?limit=5&"),
        ("limit=5&offset=10&sort=-name,id", "/people?limit=5&sort=-name,id&"),
        ("offset=1&offset=2", "/people?"),
        ("sort=a%2Cb,c&sort=d+e", "/people?sort=a%2Cb,c&sort=d+e&"),
        ("unknown=1&limit=2&token=x&cursor=y", "/people?limit=2&"),
        ("%6Fffset=1&%6Cimit=3", "/people?%6Cimit=3&"),
        ("filter%5Bname%5D=x&filter[age]=3&other[x]=1", "/people?filter%5Bname%5D=x&filter%5Bage%5D=3&"),
        ("a+b=1&a%20b=2", "/people?a+b=1&a%20b=2&"),
        ("na%C3%AFve=%C3%A9", "/people?na%C3%AFve=%C3%A9&"),
        ('limit="><script>', "/people?limit=%22%3E%3Cscript%3E&"),
        ("limit=5%&sort=%zz%41", "/people?limit=5%25&sort=%25zz%41&"),
        ("limit=a\r\nSet-Cookie:%20x", "/people?limit=a%0D%0ASet-Cookie:%20x&"),
        ("limit&&sort", "/people?limit&sort&"),
        ("limit=5#fragment", "/people?limit=5%23fragment&"),
    ],
)
def test_only_what_is_declared_is_repeated_and_it_is_encoded(query: str, stem: str) -> None:
    assert LINKS.stem(Sent(query=query)) == stem


@pytest.mark.parametrize(
    ("base", "path", "stem"),
    [
        ("/api", "/people", "/api/people?"),
        ("/na\xc3\xafve", "/a%2Fb", "/na%C3%AFve/a%2Fb?"),
        ("", "/people/a>b", "/people/a%3Eb?"),
        ("", "//evil.example/people", "/.//evil.example/people?"),
        ("/", "/evil.example", "/.//evil.example?"),
        ("", "/a b/\xe9\u20ac", "/a%20b/%E9%3F?"),
    ],
)
def test_the_path_is_the_one_that_was_sent(base: str, path: str, stem: str) -> None:
    assert LINKS.stem(Sent(path, "", base)) == stem


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_whatever_is_sent_a_link_is_printable_and_stays_one(query: str) -> None:
    stem = LINKS.stem(Sent(query="limit=" + query))
    assert stem.isascii()
    assert stem.isprintable()
    assert not set(' "<>\\') & set(stem)
    assert set(dict(parse_qsl(urlsplit(stem).query, keep_blank_values=True))) <= set(NAMES)


def test_links_are_joined_as_rfc_8288_says() -> None:
    assert link_header([("first", "/a?"), ("next", "/a?b=1")]) == '</a?>; rel="first", </a?b=1>; rel="next"'
