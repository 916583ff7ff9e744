"""JSON: parsed strictly, with the line of everything that is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demijohn.contract.limits import Limits
from demijohn.contract.sources import Source, parse, read
from demijohn.errors import ContractError

LIMITS = Limits(bytes=1000, depth=20, nodes=1000)


def refusal(text: str | bytes, limits: Limits = LIMITS) -> list[str]:
    with pytest.raises(ContractError) as raised:
        parse(text if isinstance(text, bytes) else text.encode(), "a.json", limits)
    return [str(problem) for problem in raised.value.problems]


def given(text: str, name: str = "a.json") -> Source:
    return parse(text.encode(), name, LIMITS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1,\n "b": 2,\n "a": 3}', ["a.json:3: the key `a` was already written on line 1; write each key once"]),
        (
            '{"x": [0, {"a": 1,\n "\\u0061": {"b": 1, "b": 2}}]}',
            [
                "a.json:2: the key `a` was already written on line 1; write each key once",
                "a.json:2: the key `b` was already written on line 2; write each key once",
            ],
        ),
        (
            '{"a": 1,\n?}',
            [
                "a.json:2: this is not JSON: expecting property name enclosed in double quotes at column 1; "
                "write JSON (RFC 8259)"
            ],
        ),
        ("", ["a.json:1: this is not JSON: expecting value at column 1; write JSON (RFC 8259)"]),
        ('{"a":\n NaN}', ["a.json:2: found the number NaN, which JSON does not have; write a finite number"]),
        ("[\n\n-Infinity]", ["a.json:3: found the number -Infinity, which JSON does not have; write a finite number"]),
        ("[1e999]", ["a.json:1: found the number 1e999, which JSON does not have; write a finite number"]),
        (
            "[" + "9" * 900 + "9" * 4000 + "]",
            ["a.json:1: an integer has more digits than can be read; write a smaller number"],
        ),
        ('["\\ud800"]', ["a.json:1: a string holds half of a surrogate pair; write whole characters"]),
        (
            b'["\xff"]',
            ["a.json:1: the file is not UTF-8 text; allowed are UTF-8, and UTF-16 with a byte order mark"],
        ),
    ],
)
def test_what_is_not_json_is_refused_with_its_line(text: str | bytes, told: list[str]) -> None:
    assert refusal(text) == told


def test_a_duplicate_key_is_found_by_its_pointer() -> None:
    with pytest.raises(ContractError) as raised:
        given('{"p/q": [1, [], {"a": {"x": 1, "x": 2}}]}')
    (problem,) = raised.value.problems
    assert not isinstance(problem, str)
    assert problem.pointer == "/p~1q/2/a/x"


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert given('["\\ud83d\\ude00"]').value == ["\U0001f600"]


def test_values_are_counted_and_bounded() -> None:
    few = Limits(bytes=1000, depth=20, nodes=6)
    assert parse(b'{"a": [1, 2, {}], "b": ",,,,,[[[["}', "a.json", few).nodes == 6
    assert refusal('{"a": [1, 2, {}], "b": "", "c": 1}', few) == [
        "a.json:1: the contract has more than 6 values once its aliases are expanded; "
        "write less, or use `$ref` (max_contract_nodes)"
    ]
    assert refusal("[[1,2,3,4,5,6]]", few) == refusal("[1,2,3,4,5,6,7]", few)


def test_nesting_is_bounded() -> None:
    assert given("[" * 20 + "]" * 20).nodes == 20
    assert refusal("[" * 21 + "]" * 21) == [
        "a.json:1: the file is nested deeper than 20 levels; flatten it (max_contract_depth)"
    ]


def test_lines_are_found_for_many_pointers_at_once() -> None:
    text = '{\n "a": {"b": [1,\n 2, {"c":\n 3}]},\n\n "d~/": "\\"x",\n "": {}, "e": []\n}'
    source = given(text)
    lines = {
        "": 1,
        "/a": 2,
        "/a/b/0": 2,
        "/a/b/1": 3,
        "/a/b/2/c": 3,
        "/d~0~1": 6,
        "/": 7,
        "/e/0": 7,
        "/x": 1,
        "/a/b/x/y": 2,
    }
    assert source.lines(lines) == lines
    assert source.lines(["/a/b/2"]) == {"/a/b/2": 3}
    assert source.line("/e") == 7


def test_a_scalar_document_has_one_line() -> None:
    assert given("3").lines(["", "/a"]) == {"": 1, "/a": 1}


@pytest.mark.parametrize(
    ("name", "text", "media_type"),
    [
        ("a.json", "{}", "application/json"),
        ("a.yml", "{}", "application/yaml"),
        ("contract", " {}", "application/json"),
        ("contract", "[]", "application/json"),
        ("contract", "a: 1", "application/yaml"),
        ("A.JSON", "{}", "application/json"),
    ],
)
def test_a_name_without_a_known_ending_goes_by_the_text(name: str, text: str, media_type: str) -> None:
    assert given(text, name).media_type == media_type


def test_a_file_is_read_with_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": 1}))
    source = read(path, "a.json", LIMITS)
    assert (source.raw, source.value, source.name) == (b'{"a": 1}', {"a": 1}, "a.json")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"a:1: this file does not exist; name a JSON or YAML file"):
        read(tmp_path / "a", "a", LIMITS)
    with pytest.raises(ContractError, match=r"a:1: this is not a file; allowed is a JSON or YAML file"):
        read(tmp_path, "a", LIMITS)
    with pytest.raises(ContractError, match=r"a:1: this is not a file"):
        read(Path("/dev/zero"), "a", LIMITS)
    with pytest.raises(ContractError, match=r"a:1: the file cannot be read: (stat: )?embedded null (byte|character)"):
        read(tmp_path / "a\0b", "a", LIMITS)
    with pytest.raises(ContractError, match=r"a:1: the file cannot be read: File name too long"):
        read(tmp_path / ("a" * 300), "a", LIMITS)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b" " * 1001)
    with pytest.raises(ContractError, match=r"a:1: the file has 1,001 bytes; allowed are 1,000 \(max_contract_bytes\)"):
        read(path, "a", LIMITS)


def test_a_file_that_claims_to_be_empty_is_bounded_too() -> None:
    # A file of /proc has the size 0 and a content all the same.
    with pytest.raises(ContractError, match=r"a:1: the file has more than 10 bytes"):
        read(Path("/proc/self/status"), "a", Limits(bytes=10, depth=1, nodes=1))
