"""YAML under the core schema of YAML 1.2, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from demijohn.contract.limits import Limits
from demijohn.contract.sources import Source, parse
from demijohn.errors import ContractError

MEND = "look at the indentation and the quotes here and on the line before; a text with `: ` in it needs quotes"
LIMITS = Limits(bytes=1_000_000, depth=20, nodes=1000)


def read(text: str | bytes, name: str = "a.yaml") -> Source:
    return parse(text if isinstance(text, bytes) else text.encode(), name, LIMITS)


def refusal(text: str | bytes) -> list[str]:
    with pytest.raises(ContractError) as raised:
        read(text)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("18:00", "18:00"),
        ("190:20:30", "190:20:30"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("false", False),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("~", None),
        ("", None),
        ("nUll", "nUll"),
        ("12", 12),
        ("+12", 12),
        ("-12", -12),
        ("012", 12),
        ("1_000", "1_000"),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("-", [None]),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int '12'", 12),
        ("!!float 12", 12.0),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!map {a: 1}", {"a": 1}),
        ("!!seq [1]", [1]),
        ("=", "="),
        ("<<", "<<"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_a_scalar_has_the_value_of_the_core_schema(text: str, value: Any) -> None:
    found = read(f"key: {text}" if text != "-" else "key:\n-").value["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("key", ["200", "null", "true", "1.0", "2024-01-01", "~", "on", "0x1F"])
def test_a_key_is_its_own_text(key: str) -> None:
    assert read(f"{key}: 1").value == {key: 1}


def test_a_merge_key_brings_in_what_is_not_written() -> None:
    given = ["base: &base {a: 1, b: 2}", "more: &more {b: 3, c: 4}", "one:", "  <<: *base", "  a: 5"]
    source = read("\n".join([*given, "all:", "  <<: [*base, *more]", "  d: 6"]))
    assert source.value["one"] == {"a": 5, "b": 2}
    assert source.value["all"] == {"a": 1, "b": 2, "c": 4, "d": 6}
    assert [source.line(one) for one in ("/one/a", "/one/b", "/all/c", "/all/d")] == [5, 1, 2, 8]


def test_a_quoted_merge_key_is_a_key() -> None:
    assert read('"<<": 1').value == {"<<": 1}


def test_an_alias_is_the_value_that_it_names() -> None:
    source = read("a: &x [1, 2]\nb: *x\n&k c: 3\nd: *k\n")
    assert source.value == {"a": [1, 2], "b": [1, 2], "c": 3, "d": "c"}
    assert source.line("/b/1") == 1
    assert source.line("/b") == 2


def test_an_alias_to_text_can_be_a_key() -> None:
    assert read("a: &x name\n*x : 1").value == {"a": "name", "name": 1}


def test_an_anchor_can_be_given_again() -> None:
    assert read("a: &x 1\nb: &x [2]\nc: *x").value == {"a": 1, "b": [2], "c": [2]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3", ["a.yaml:3: the key `a` was already written on line 1; write each key once"]),
        (
            "a:\n  - x: 1\n    x: 2\nc: 1\nc: 2",
            [
                "a.yaml:3: the key `x` was already written on line 2; write each key once",
                "a.yaml:5: the key `c` was already written on line 4; write each key once",
            ],
        ),
        ("a: {<<: {x: 1}, <<: {y: 1}}", ["a.yaml:1: the key `<<` was already written on line 1; write each key once"]),
        (
            "a: 1\n\tb: 2",
            [f"a.yaml:2: this is not YAML: found a tab character that violates indentation; {MEND}"],
        ),
        (
            "a:\n  summary: Add: more",
            [f"a.yaml:2: this is not YAML: mapping values are not allowed in this context; {MEND}"],
        ),
        ("a: *b", ["a.yaml:1: the alias `*b` names no anchor; write `&b` before it"]),
        ("a: &b\n  - *b", ["a.yaml:2: the alias `*b` is inside of the value that it names; use `$ref`"]),
        ("a: 1\n---\nb: 2", ["a.yaml:2: a second document starts here; a file holds one document"]),
        ("? [a]\n: 1", ["a.yaml:1: a mapping or a list is used as a key; a key is text"]),
        ("a: &x [1]\n*x : 1", ["a.yaml:2: a mapping or a list is used as a key; a key is text"]),
        ("a:\n  <<: 1", ["a.yaml:2: `<<` is followed by something that is no mapping; merge mappings only"]),
        (
            "a: !!python/object/apply:os.system [ls]",
            ["a.yaml:1: found the tag `!!python/object/apply:os.system`; allowed are plain values, without tags"],
        ),
        ("a: !mine 1", ["a.yaml:1: found the tag `!mine`; allowed are plain values, without tags"]),
        ("a: !!binary aGk=", ["a.yaml:1: found the tag `!!binary`; allowed are plain values, without tags"]),
        ("!mine a: 1", ["a.yaml:1: found the tag `!mine`; allowed are plain values, without tags"]),
        (
            "a: .inf\nb: -.INF\nc: .nan\nd: 1e999",
            [
                f"a.yaml:{line}: found `{text}`, which is not a value that JSON has; "
                "write a finite number, or quote the text"
                for line, text in enumerate([".inf", "-.INF", ".nan", "1e999"], 1)
            ],
        ),
        (
            "a: !!int x",
            [
                "a.yaml:1: found `x` as int, which is not a value that JSON has; "
                "write a finite number, or quote the text"
            ],
        ),
        (
            "a: !!int true",
            [
                "a.yaml:1: found `true` as int, which is not a value that JSON has; "
                "write a finite number, or quote the text"
            ],
        ),
        ("a: 1\nb: \x01", ["a.yaml:2: this is not YAML: control characters are not allowed"]),
        (
            b"a: 1\nb: \xff",
            ["a.yaml:2: the file is not UTF-8 text; allowed are UTF-8, and UTF-16 with a byte order mark"],
        ),
    ],
)
def test_what_would_lose_data_or_run_code_is_refused_with_its_line(text: str | bytes, told: list[str]) -> None:
    assert refusal(text) == told


def test_a_number_with_too_many_digits_is_refused() -> None:
    assert "is not a value that JSON has" in refusal("a: " + "9" * 5000)[0]


def test_a_finding_names_its_place() -> None:
    with pytest.raises(ContractError) as raised:
        read("a:\n  b/c:\n    - 1\n    - {x: !mine 2}\n  <<:\n    d: .nan")
    assert [problem.pointer for problem in raised.value.problems if not isinstance(problem, str)] == [
        "/a/b~1c/1/x",
        "/a/<</d",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_be_utf_8_or_utf_16_with_a_mark(encoding: str) -> None:
    assert read("title: Größe".encode(encoding)).value == {"title": "Größe"}


def test_an_empty_file_is_nothing() -> None:
    assert read("").value is None
    assert read("# only a comment").value is None


def test_lines_are_those_of_keys_and_items() -> None:
    source = read("a:\n  b:\n    - 1\n    -\n      c: 2\n    - [x,\n       y]\nd: {e: 1,\n    f: 2}\n'0': {'1': z}")
    lines = {
        "": 1,
        "/a": 1,
        "/a/b": 2,
        "/a/b/0": 3,
        "/a/b/1": 5,
        "/a/b/1/c": 5,
        "/a/b/2": 6,
        "/a/b/2/1": 7,
        "/d/f": 9,
        "/0/1": 10,
        "/a/b/9": 2,
        "/a/b/x": 2,
        "/nowhere/at/all": 1,
    }
    assert source.lines(lines) == lines


def test_the_pure_loader_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert read("200: on\na: [1, ~]").value == {"200": "on", "a": [1, None]}
    assert refusal("a: 1\na: 2") == ["a.yaml:2: the key `a` was already written on line 1; write each key once"]
    assert refusal("a: [")[0].startswith("a.yaml:1: this is not YAML")
