"""JSON Patch by value: the examples of RFC 6902, and what it leaves to those who write the code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from demijohn.errors import BadRequest, Conflict
from demijohn.resources.json_patch import MOST_VALUES, apply_patch, read_patch


def patched(document: Any, *operations: dict[str, Any], max_depth: int = 64) -> Any:
    return apply_patch(read_patch(list(operations)), document, max_depth)


def op(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **{key.removesuffix("_"): value for key, value in more.items()}}


# RFC 6902, appendix A, by its numbers; `from_` stands for `from`.
EXAMPLES: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("A.1", {"foo": "bar"}, op("add", "/baz", value="qux"), {"baz": "qux", "foo": "bar"}),
    ("A.2", {"foo": ["bar", "baz"]}, op("add", "/foo/1", value="qux"), {"foo": ["bar", "qux", "baz"]}),
    ("A.3", {"baz": "qux", "foo": "bar"}, op("remove", "/baz"), {"foo": "bar"}),
    ("A.4", {"foo": ["bar", "qux", "baz"]}, op("remove", "/foo/1"), {"foo": ["bar", "baz"]}),
    ("A.5", {"baz": "qux", "foo": "bar"}, op("replace", "/baz", value="boo"), {"baz": "boo", "foo": "bar"}),
    (
        "A.6",
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        op("move", "/qux/thud", from_="/foo/waldo"),
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        "A.7",
        {"foo": ["all", "grass", "cows", "eat"]},
        op("move", "/foo/3", from_="/foo/1"),
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    ("A.8", {"baz": "qux"}, op("test", "/baz", value="qux"), {"baz": "qux"}),
    ("A.10", {"foo": "bar"}, op("add", "/child", value={"g": {}}), {"foo": "bar", "child": {"g": {}}}),
    ("A.11", {"foo": "bar"}, op("add", "/baz", value="qux", xyz=123), {"foo": "bar", "baz": "qux"}),
    ("A.14", {"/": 9, "~1": 10}, op("test", "/~01", value=10), {"/": 9, "~1": 10}),
    ("A.16", {"foo": ["bar"]}, op("add", "/foo/-", value=["abc", "def"]), {"foo": ["bar", ["abc", "def"]]}),
    ("copy", {"a": [1]}, op("copy", "/b", from_="/a"), {"a": [1], "b": [1]}),
    ("an existing member", {"a": 1}, op("add", "/a", value=2), {"a": 2}),
    ("the end of an array", {"a": [1]}, op("add", "/a/1", value=2), {"a": [1, 2]}),
    ("the whole document", {"a": 1}, op("replace", "", value={"b": 2}), {"b": 2}),
    ("an empty name", {"": 1}, op("replace", "/", value=2), {"": 2}),
    ("a move to itself", {"a": 1}, op("move", "/a", from_="/a"), {"a": 1}),
    ("null for a value", {"a": 1}, op("replace", "/a", value=None), {"a": None}),
]


@pytest.mark.parametrize(
    ("document", "operation", "result"), [one[1:] for one in EXAMPLES], ids=[one[0] for one in EXAMPLES]
)
def test_an_operation_does_what_the_rfc_says(document: Any, operation: dict[str, Any], result: Any) -> None:
    assert patched(document, operation) == result


@pytest.mark.parametrize(
    "operation",
    [
        op("test", "/baz", value="other"),
        op("add", "/no/bat", value="qux"),
        op("remove", "/no"),
        op("replace", "/no", value=1),
        op("copy", "/b", from_="/no"),
        op("move", "/b", from_="/no"),
        op("add", "/list/2", value=1),
        op("add", "/list/01", value=1),
        op("remove", "/list/-"),
        op("replace", "/list/-1", value=1),
        op("replace", "/list/1e0", value=1),
        op("add", "/baz/deeper", value=1),
        op("test", "/list/0", value="1"),
        op("move", "/list/1", from_="/list/0"),
    ],
    ids=str,
)
def test_an_operation_that_cannot_be_done_is_a_conflict_that_names_it(operation: dict[str, Any]) -> None:
    with pytest.raises(Conflict) as caught:
        patched({"baz": "qux", "list": [1]}, op("test", "", value={"baz": "qux", "list": [1]}), operation)
    assert [error["pointer"] for error in caught.value.errors] == ["#/1"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"op": "remove"}, ["#"]),
        (["remove"], ["#/0"]),
        ([{}], ["#/0/op"]),
        ([{"op": "increment", "path": "/a"}], ["#/0/op"]),
        ([{"op": ["remove"], "path": "/a"}], ["#/0/op"]),
        ([{"op": "remove"}], ["#/0/path"]),
        ([{"op": "remove", "path": 1}, {"op": "remove", "path": "a"}], ["#/0/path", "#/1/path"]),
        ([{"op": "remove", "path": "/~2"}], ["#/0/path"]),
        ([{"op": "add", "path": "/a"}], ["#/0/value"]),
        ([{"op": "move", "path": "/a"}], ["#/0/from"]),
        ([{"op": "move", "path": "/a/b", "from": "/a"}], ["#/0/path"]),
    ],
    ids=str,
)
def test_what_is_no_patch_is_refused_with_every_fault(body: Any, pointers: list[str]) -> None:
    with pytest.raises(BadRequest) as caught:
        read_patch(body)
    assert [error["pointer"] for error in caught.value.errors] == pointers


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, Decimal("1.0"), True),
        (0.1, Decimal("0.1"), True),
        (Decimal("0.10"), Decimal("0.1"), True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ({"a": 1, "b": [1]}, {"b": [1], "a": 1}, True),
        ({"a": [True]}, {"a": [1]}, False),
        ([1, 2], [2, 1], False),
        ([], {}, False),
    ],
    ids=str,
)
def test_values_are_equal_as_json_values_are(one: Any, other: Any, same: bool) -> None:
    if same:
        assert patched({"a": one}, op("test", "/a", value=other)) == {"a": one}
    else:
        with pytest.raises(Conflict):
            patched({"a": one}, op("test", "/a", value=other))


def test_the_document_itself_stays_as_it_was() -> None:
    document = {"a": [1, {"b": 2}]}
    assert patched(document, op("replace", "/a/1/b", value=3), op("remove", "/a/0")) == {"a": [{"b": 3}]}
    assert document == {"a": [1, {"b": 2}]}


def test_what_is_copied_does_not_change_with_its_source() -> None:
    operations = [op("copy", "/b", from_="/a"), op("add", "/a/x", value=1)]
    assert patched({"a": {}}, *operations) == {"a": {"x": 1}, "b": {}}


def test_what_is_added_twice_is_two_values() -> None:
    value: dict[str, Any] = {}
    operations = [op("add", "/a", value=value), op("add", "/b", value=value), op("add", "/a/x", value=1)]
    assert patched({}, *operations) == {"a": {"x": 1}, "b": {}}
    assert value == {}


def test_copies_cannot_double_a_document_for_ever() -> None:
    doubling = [op("copy", "/a/-", from_="/a")] * 60
    with pytest.raises(Conflict, match="copies too many values"):
        patched({"a": [1]}, *doubling, max_depth=10**6)


def test_a_large_document_can_be_patched() -> None:
    document = {"a": list(range(MOST_VALUES))}
    assert len(patched(document, op("add", "/a/-", value=1))["a"]) == MOST_VALUES + 1


def test_a_patch_cannot_nest_deeper_than_a_body_may() -> None:
    deeper = [op("add", "/a" * (level + 1), value={}) for level in range(4)]
    assert patched({}, *deeper, max_depth=5) == {"a": {"a": {"a": {"a": {}}}}}
    with pytest.raises(Conflict, match="nested deeper than 4 levels"):
        patched({}, *deeper, max_depth=4)
