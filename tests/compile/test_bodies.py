"""Bodies by value: bytes and a Content-Type against what the contract says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demijohn.compile.bodies import Decoded, compile_body
from demijohn.compile.parameters import ABSENT
from demijohn.compile.validators import Validators
from demijohn.contract import Body, Encoding, MediaType, Place
from demijohn.errors import ContentTooLarge, UnsupportedMediaType
from demijohn.settings import Settings

PLACE = Place("contract.yaml")
JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
BINARY = {"type": "string", "format": "binary"}
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}


def compiled(
    *contents: tuple[str, Any],
    required: bool = True,
    encodings: dict[str, Encoding] | None = None,
    definitions: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    definitions = definitions or {}
    media_types = tuple(MediaType(name, PLACE, schema, encodings or {}) for name, schema in contents)
    body = Body(PLACE, required, media_types)
    return compile_body(body, Validators(definitions), definitions, Settings(**options))


def decode(content: tuple[str, Any], raw: bytes, content_type: str | None = None, **more: Any) -> Decoded:
    found = compiled(content, **more).decode(content_type or content[0], raw)
    assert isinstance(found, Decoded)
    return found


def value_of(schema: Any, raw: bytes, content_type: str = JSON, **more: Any) -> Any:
    found = decode((content_type.partition(";")[0], schema), raw, content_type, **more)
    assert found.faults == []
    return found.value


def faults_of(schema: Any, raw: bytes, content_type: str = JSON, **more: Any) -> list[tuple[str, str]]:
    found = decode((content_type.partition(";")[0], schema), raw, content_type, **more)
    return [(fault["pointer"], fault["detail"]) for fault in found.faults]


# Whether there is one, and of which type


def test_an_absent_body_is_absent_or_a_fault() -> None:
    assert decode((JSON, PERSON), b"", required=False) == Decoded(ABSENT, [])
    assert decode((JSON, PERSON), b"") == Decoded(ABSENT, [{"detail": "a body is required", "pointer": "#"}])
    assert compiled((JSON, PERSON), required=False).decode(None, b"") == Decoded(ABSENT, [])
    assert compiled((JSON, PERSON), required=False).decode("image/png", b"") == Decoded(ABSENT, [])


def test_an_empty_form_is_no_body() -> None:
    assert decode((URLENCODED, {"type": "object"}), b"").faults == [{"detail": "a body is required", "pointer": "#"}]
    assert decode((URLENCODED, {"type": "object"}), b"", required=False).value is ABSENT


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", 'Application/Json ; charset="UTF-8"'],
)
def test_media_types_are_found_in_any_case_and_with_parameters(content_type: str) -> None:
    assert decode((JSON, PERSON), b'{"name": 1}', content_type).faults == [
        {"detail": "must be a string, found an integer", "pointer": "#/name"}
    ]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/jsonx", "json", "", "a/b/c", "*/*", "\xff/\xff", ";"]
)
def test_another_media_type_is_refused_with_those_that_are_taken(content_type: str) -> None:
    decoder = compiled(("text/csv", None), ("image/*", None))
    with pytest.raises(UnsupportedMediaType, match=r"^Send the body as text/csv or image/\*\.$") as caught:
        decoder.decode(content_type, b"x")
    assert caught.value.headers == (("Accept", "text/csv, image/*"),)


def test_a_body_that_nobody_takes_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType, match="takes no body"):
        compiled().decode(JSON, b"{}")


def test_each_media_type_has_its_own_schema() -> None:
    decoder = compiled((JSON, {"type": "integer"}), ("application/x+json", {"type": "string"}), ("text/plain", None))
    assert decoder.decode(JSON, b"1").faults == []
    assert decoder.decode("application/x+json", b'"1"').faults == []
    assert decoder.decode("application/x+json", b"1").faults != []
    assert decoder.decode("text/plain", b"1").value == "1"


def test_the_most_specific_range_wins() -> None:
    decoder = compiled(
        ("*/*", {"const": 1}),
        ("application/*", {"const": 2}),
        (JSON, {"const": 3}),
        ("application/json;v=4", {"const": 4}),
    )
    for content_type, number in (
        ("text/json", 1),
        ("application/x+json", 2),
        (JSON, 3),
        ("application/json; v=5", 3),
        ("application/json; v=4; charset=utf-8", 4),
    ):
        assert decoder.decode(content_type, b"%d" % number).faults == []


def test_a_range_reads_each_family_in_its_own_way() -> None:
    decoder = compiled(("*/*", None))
    assert decoder.decode(JSON, b"[1]").value == [1]
    assert decoder.decode("text/plain", b"[1]").value == "[1]"
    assert decoder.decode(URLENCODED, b"a=1&b=2&b=3").value == {"a": "1", "b": ["2", "3"]}
    assert decoder.decode("image/png", b"[1]").value == b"[1]"
    assert decoder.decode("text/xml", b"<a/>").value == b"<a/>"
    body, content_type = multipart(("a", None, None, b"1"), ("f", "x", None, b"2"), ("f", "y", None, b"3"))
    found = decoder.decode(content_type, body)
    assert (found.value, found.faults) == ({"a": "1"}, [])
    assert [file.filename for file in found.files["f"]] == ["x", "y"]


def test_a_body_without_a_content_type_is_json_where_any_is_taken() -> None:
    for missing in (None, ""):
        assert compiled(("text/plain", None), ("a/b+json", PERSON)).decode(missing, b'{"name":"x"}').value == {
            "name": "x"
        }
        assert compiled(("*/*", PERSON)).decode(missing, b'{"name":"x"}').value == {"name": "x"}
        assert compiled(("application/*", None)).decode(missing, b"{}").value == b"{}"
        with pytest.raises(UnsupportedMediaType):
            compiled(("text/plain", None), ("image/*", None)).decode(missing, b"{}")
    first = compiled(("application/b+json", {"const": 1}), (JSON, {"const": 2}))
    assert first.decode(None, b"1").faults == []


# JSON


def test_json_is_validated_with_pointers() -> None:
    assert value_of(PERSON, b'{"name": "x", "age": 5}') == {"name": "x", "age": 5}
    assert faults_of(PERSON, b'{"age": "5", "x/y": 1}') == [
        ("#/age", "must be an integer, found a string"),
        ("#/name", "is required"),
        ("#/x~1y", "is not a property that the contract knows"),
    ]


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"{", "is not valid JSON: unexpected end of data at line 1 column 2"),
        (b'{"a": 1,\n "b" 2}', "is not valid JSON: unexpected character, expected ':' after key at line 2 column 6"),
        (b"[1,]", "is not valid JSON: trailing comma is not allowed at line 1 column 3"),
        (b"NaN", "is not valid JSON: unexpected character, expected a JSON value at line 1 column 1"),
        (b"-Infinity", "is not valid JSON: "),
        (b'"\\ud800"', "is not valid JSON: no low surrogate in string at line 1 column 2"),
        (b'"\xff"', "is not valid JSON: invalid UTF-8 at byte 2"),
        (b'"\xed\xa0\x80"', "is not valid JSON: invalid UTF-8 at byte 2"),
        (b"\xef\xbb\xbf{}", "is not valid JSON: it begins with a byte order mark; leave it out"),
        (b" \n", "is not valid JSON: it is empty"),
        (b"1e400", "has a number that is too large"),
        (b"9" * 5000, "has a number that is too large"),
        (b"[" * 100_000, "is nested deeper than 64 levels"),
        (b'{"a":' * 100_000, "is nested deeper than 64 levels"),
        (b"[" * 65 + b"]" * 65, "is nested deeper than 64 levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "is nested deeper than 64 levels"),
        (b'{"a":' + b"[" * 63 + b"{}" + b"]" * 63 + b"}", "is nested deeper than 64 levels"),
        ("{}".encode("utf-16"), "is not valid JSON: invalid UTF-8 at byte 1"),
        (b"<script>", "is not valid JSON: "),
    ],
)
def test_what_is_not_strict_json_is_told(raw: bytes, detail: str) -> None:
    ((pointer, found),) = faults_of(None, raw)
    assert pointer == "#"
    assert found.startswith(detail)
    assert b"script" not in found.encode()


def test_nesting_up_to_the_limit_is_fine() -> None:
    raw = b"[" * 64 + b"]" * 64
    assert value_of(None, raw) == json.loads(raw)
    raw = b'{"a":' + b"[" * 62 + b"{}" + b"]" * 62 + b"}"
    assert value_of(None, raw) == json.loads(raw)
    assert faults_of(None, b"[[[]]]", max_body_depth=2) == [("#", "is nested deeper than 2 levels")]


@pytest.mark.parametrize(
    ("raw", "pointers"),
    [
        (b'{"role":"member","role":"admin"}', ["#/role"]),
        (b'{"role":"member","r\\u006fle":"admin"}', ["#/role"]),
        (b'{"a":{"b":1,"b":1},"c":[{"d":1},{"d":1,"d":2}]}', ["#/a/b", "#/c/1/d"]),
        (b'{"a":1,"a":1,"a":1}', ["#/a"]),
        (b'{"a":"x:y","a":"\\u003a\\u003A"}', ["#/a"]),
        (b'{"a":1,"a":"\\u003a"}', ["#/a"]),
        (b'{"a:b":1,"a:b":[]}', ["#/a:b"]),
        (b'[{"a":1,"a":' + b"9" * 300 + b"}]", ["#/0/a"]),
        (b'{"a~/ ":1,"a~/ ":1}', ["#/a~0~1%20"]),
    ],
)
def test_a_repeated_key_is_refused(raw: bytes, pointers: list[str]) -> None:
    assert faults_of(None, raw) == [(pointer, "is given more than once") for pointer in pointers]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"at":"2026-01-31T12:00:00Z","url":"https://example.org:80/"}',
        b'{"a:b":{"c:d":["e:f",{"g":":"}]}}',
        b'{"a":"\\u003a"}',
        b'{"a":"\\\\u003a"}',
        b'["a:b"]',
        b'":"',
        b'[{"a":1},{"a":1}]',
        b"{}",
        b"[]",
    ],
)
def test_a_colon_in_a_text_is_no_repeated_key(raw: bytes) -> None:
    assert value_of(None, raw) == json.loads(raw)


def test_an_answer_about_many_repeated_keys_stays_small() -> None:
    raw = b"{" + b",".join(b'"%d":1,"%d":1' % (n, n) for n in range(500)) + b"}"
    assert len(faults_of(None, raw)) == 100


def test_json_in_other_charsets_is_read_or_refused() -> None:
    raw = '{"name": "ü"}'
    for charset in ("utf-16", "UTF-16LE", "iso-8859-1", "utf-32", "windows-1252"):
        found = decode((JSON, PERSON), raw.encode(charset), f"application/json; charset={charset}")
        assert found == Decoded({"name": "ü"}, [])
    wrong = decode((JSON, PERSON), b"\xff", "application/json; charset=ascii")
    assert wrong.faults == [{"detail": "is not valid ascii text", "pointer": "#"}]
    for charset in ("rot13", "unicode_escape", "x-none"):
        with pytest.raises(UnsupportedMediaType, match="charset"):
            decode((JSON, PERSON), raw.encode(), f"application/json; charset={charset}; a=b")


def test_read_only_properties_are_refused_and_not_demanded() -> None:
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "readOnly": True}}}
    assert value_of(schema, b"{}") == {}
    assert faults_of(schema, b'{"id":1}') == [("#/id", "is read-only: leave it out")]


def test_defaults_of_a_body_are_not_filled_in() -> None:
    assert value_of({"type": "object", "properties": {"a": {"default": 1}}}, b"{}") == {}


# Text and bytes


def test_text_is_decoded_and_typed() -> None:
    assert value_of({"type": "string"}, "grün".encode(), "text/plain") == "grün"
    assert value_of({"type": "string"}, b"gr\xfcn", "text/plain; charset=latin1") == "grün"
    assert value_of({"type": "integer"}, b"5", "text/plain") == 5
    assert value_of(None, b"5", "text/plain") == "5"
    assert value_of({"type": "array"}, b"a,b", "text/csv") == "a,b"
    assert faults_of({"type": "string"}, b"gr\xfcn", "text/plain") == [("#", "is not valid utf-8 text")]
    assert faults_of({"type": "integer"}, b"x", "text/plain") == [("#", "must be an integer")]
    assert faults_of({"type": "string", "maxLength": 2}, b"abc", "text/plain")


def test_bytes_are_handed_over_within_their_limits() -> None:
    schema = {"allOf": [{**BINARY, "maxLength": 3}, {"minLength": 2}]}
    assert value_of(schema, b"\x00\xff", "application/octet-stream") == b"\x00\xff"
    assert faults_of(schema, b"1234", "image/png") == [("#", "must have at most 3 bytes")]
    assert faults_of(schema, b"1", "image/png") == [("#", "must have at least 2 bytes")]
    assert value_of(PERSON, b"<person/>", "application/xml") == b"<person/>"


# Forms

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "ok": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "ids": {"type": "array", "items": {"type": "integer"}},
        "home": {"type": "object", "properties": {"zip": {"type": "integer"}}},
        "homes": {"type": "array", "items": {"$ref": "#/$defs/Home"}},
        "either": {"type": ["integer", "string"]},
    },
    "additionalProperties": {"type": "integer"},
}
HOMES = {"Home": {"type": "object", "properties": {"zip": {"type": "integer"}}}}


def test_a_form_is_typed_by_its_schema() -> None:
    raw = (
        b"name=a+b%26&age=5&ok=true&tags=x,y&tags=%C3%BC&ids=1&home=%7B%22zip%22:1%7D&homes={}&homes={%22zip%22:2}"
        b"&either=x&more=7"
    )
    assert value_of(FORM, raw, URLENCODED, definitions=HOMES) == {
        "name": "a b&",
        "age": 5,
        "ok": True,
        "tags": ["x,y", "ü"],
        "ids": [1],
        "home": {"zip": 1},
        "homes": [{}, {"zip": 2}],
        "either": "x",
        "more": 7,
    }
    assert value_of(FORM, b"homes=[{},{}]", URLENCODED, definitions=HOMES) == {"homes": [{}, {}]}


def test_every_fault_of_a_form_is_told_once_with_its_pointer() -> None:
    raw = b"name=%zz&age=x&ok=1&ids=1&ids=y&home={&homes={}&homes=[&more=1&more=2&%ff=1&either=1&either=2"
    assert sorted(faults_of(FORM | {"required": ["name", "tags"]}, raw, URLENCODED, definitions=HOMES)) == [
        ("#/%25ff", "a name is not valid UTF-8"),
        ("#/age", "must be an integer"),
        ("#/either", "is given more than once"),
        ("#/home", "is not valid JSON: unexpected end of data at line 1 column 2"),
        ("#/homes/1", "is not valid JSON: unexpected end of data at line 1 column 2"),
        ("#/ids/1", "must be an integer"),
        ("#/more", "is given more than once"),
        ("#/name", "has a broken percent-encoding at character 1"),
        ("#/ok", "must be a boolean"),
        ("#/tags", "is required"),
    ]
    assert faults_of(FORM, b"home={}&home={}", URLENCODED, definitions=HOMES) == [("#/home", "is given more than once")]
    closed = {"type": "object", "properties": {"b": True}, "additionalProperties": False}
    assert faults_of(closed, b"a=1", URLENCODED) == [("#/a", "is not a property that the contract knows")]
    assert faults_of({"type": "integer"}, b"a=1", URLENCODED) == [("#", "must be an integer, found an object")]


def test_encodings_of_a_form_are_followed() -> None:
    encodings = {
        "ids": Encoding(style="form", explode=False),
        "tags": Encoding(style="pipeDelimited"),
        "home": Encoding(style="deepObject", explode=True),
        "name": Encoding(content_types=("application/json",)),
        "homes": Encoding(explode=True),
    }
    raw = b"ids=1,2&tags=x%7Cy&home[zip]=5&name=%22x%22&homes={}"
    assert value_of(FORM, raw, URLENCODED, definitions=HOMES, encodings=encodings) == {
        "ids": [1, 2],
        "tags": ["x", "y"],
        "home": {"zip": 5},
        "name": "x",
        "homes": [{}],
    }
    joined = {"home": Encoding(style="form", explode=False)}
    assert value_of(FORM, b"home=zip,5&zip=6", URLENCODED, definitions=HOMES, encodings=joined) == {
        "home": {"zip": 5},
        "zip": 6,
    }
    deep = {"home": Encoding(style="deepObject")}
    assert value_of(FORM, b"home[zip]=5&home[zip=6", URLENCODED, definitions=HOMES, encodings=deep) == {
        "home": {"zip": 5},
        "home[zip": 6,
    }
    spread = {"home": Encoding(style="form")}
    assert value_of(FORM, b"zip=5&more=1", URLENCODED, definitions=HOMES, encodings=spread) == {
        "home": {"zip": 5},
        "more": 1,
    }


def test_a_form_of_too_many_parts_is_too_large() -> None:
    assert value_of(None, b"a=1&b=2", URLENCODED, max_form_parts=2) == {"a": "1", "b": "2"}
    with pytest.raises(ContentTooLarge, match="at most 2 parts"):
        faults_of(None, b"a=1&b=2&c=3", URLENCODED, max_form_parts=2)
    body, content_type = multipart(*[("a", None, None, b"")] * 3)
    with pytest.raises(ContentTooLarge, match="at most 2 parts"):
        faults_of(None, body, content_type, max_form_parts=2)


# Multipart forms


def multipart(*parts: tuple[str, str | None, str | None, bytes]) -> tuple[bytes, str]:
    """Write a form of parts: name, filename, media type, content."""
    raw = b""
    for name, filename, content_type, data in parts:
        raw += b'--limit\r\nContent-Disposition: form-data; name="%s"' % name.encode()
        raw += b'; filename="%s"' % filename.encode() if filename is not None else b""
        raw += b"\r\nContent-Type: %s" % content_type.encode() if content_type else b""
        raw += b"\r\n\r\n" + data + b"\r\n"
    return raw + b"--limit--\r\n", "multipart/form-data; boundary=limit"


def test_parts_are_typed_by_the_schema() -> None:
    body, content_type = multipart(
        ("name", None, None, b"a+b%26"),
        ("age", None, "text/plain", b"5"),
        ("tags", None, None, b"x"),
        ("tags", None, "text/plain; charset=latin1", b"\xfc"),
        ("home", None, "application/json", b'{"zip": 1}'),
        ("homes", "homes.json", "application/json", b"[{}]"),
        ("more", None, None, b"7"),
    )
    assert value_of(FORM, body, content_type, definitions=HOMES) == {
        "name": "a+b%26",
        "age": 5,
        "tags": ["x", "ü"],
        "home": {"zip": 1},
        "homes": [{}],
        "more": 7,
    }


UPLOAD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "image": {**BINARY, "maxLength": 4, "minLength": 1},
        "pages": {"type": "array", "items": {"contentMediaType": "image/png"}, "maxItems": 2},
        "title": {"type": "string"},
        "year": {"type": "integer"},
    },
    "required": ["image"],
}


def test_files_are_handed_over_beside_the_other_fields() -> None:
    body, content_type = multipart(
        ("image", "a.png", "image/png", b"\x89\xff"),
        ("pages", "1.png", None, b"1"),
        ("title", None, None, b"t"),
        ("other", "o.bin", None, b"o"),
    )
    found = decode((MULTIPART, UPLOAD), body, content_type)
    assert found.faults == []
    assert found.value == {"title": "t"}
    assert list(found.files) == ["image", "pages", "other"]
    image = found.files["image"]
    assert (image.filename, image.mimetype, image.name, image.read()) == ("a.png", "image/png", "image", b"\x89\xff")
    assert [page.read() for page in found.files["pages"]] == [b"1"]


def test_a_file_may_come_without_a_name_and_a_text_with_one() -> None:
    body, content_type = multipart(("image", None, None, b"x"), ("title", "t.txt", None, b"t"))
    found = decode((MULTIPART, UPLOAD), body, content_type)
    assert found.faults == []
    assert found.value == {}
    assert (found.files["image"].filename, found.files["title"].read()) == (None, b"t")


def test_limits_of_files_count_bytes() -> None:
    body, content_type = multipart(*[("pages", "p", None, b"1")] * 3, ("image", "i", None, b"\xc3\xbc\xc3\xbc+"))
    assert sorted(faults_of(UPLOAD, body, content_type)) == [
        ("#/image", "must have at most 4 bytes"),
        ("#/pages", "must have at most 2 items"),
    ]
    body, content_type = multipart(("image", "i", None, b""), ("year", "y", None, b"2000"))
    assert faults_of(UPLOAD, body, content_type) == [
        ("#/image", "must have at least 1 byte"),
        ("#/year", "must be an integer"),
    ]
    body, content_type = multipart(("title", None, None, b"t"))
    assert faults_of(UPLOAD, body, content_type) == [("#/image", "is required")]


def test_a_second_file_for_one_field_is_a_fault() -> None:
    for name, detail in (("image", "is given more than once"), ("other", "is given both as a file and as text")):
        body, content_type = multipart(("image", "a", None, b"1"), ("other", None, None, b"t"), (name, "b", None, b"2"))
        assert faults_of(UPLOAD, body, content_type) == [(f"#/{name}", detail)]


def test_the_media_type_of_a_part_is_enforced() -> None:
    encodings = {
        "image": Encoding(content_types=("image/*", "application/pdf")),
        "title": Encoding(content_types=("text/plain",)),
        "other": Encoding(content_types=("*/*",)),
    }

    def faults(*parts: tuple[str, str | None, str | None, bytes]) -> list[tuple[str, str]]:
        body, content_type = multipart(*parts)
        return faults_of(UPLOAD | {"required": []}, body, content_type, encodings=encodings)

    detail = "must be sent as image/* or application/pdf"
    assert faults(("image", "a", "IMAGE/PNG; q=1", b"1"), ("title", None, None, b"t")) == []
    assert faults(("image", "a", "application/pdf", b"1"), ("title", None, "text/plain; charset=utf-8", b"t")) == []
    assert faults(("image", "a", "text/plain", b"1")) == [("#/image", detail)]
    assert faults(("image", "a", None, b"1")) == [("#/image", detail)]
    assert faults(("title", None, "text/html", b"t")) == [("#/title", "must be sent as text/plain")]


def test_text_of_a_part_that_cannot_be_decoded_is_a_fault() -> None:
    body, content_type = multipart(("name", None, None, b"\xff"), ("tags", None, "text/plain; charset=x", b"x"))
    assert faults_of(FORM, body, content_type, definitions=HOMES) == [
        ("#/name", "is not valid utf-8 text"),
        ("#/tags", "is in a charset that is not supported; send UTF-8"),
    ]


GOOD, GOOD_TYPE = multipart(("name", None, None, b"x"))


@pytest.mark.parametrize(
    ("raw", "content_type", "detail"),
    [
        (GOOD, "multipart/form-data", "the boundary is missing"),
        (GOOD, "multipart/form-data; boundary=", "the boundary is missing"),
        (GOOD, "multipart/form-data; boundary=other", "its parts cannot be told apart, or it is cut off"),
        (GOOD[:-12], GOOD_TYPE, "its parts cannot be told apart, or it is cut off"),
        (GOOD[:20], GOOD_TYPE, "its parts cannot be told apart, or it is cut off"),
        (b"junk", GOOD_TYPE, "its parts cannot be told apart, or it is cut off"),
        (GOOD.replace(b"Disposition", b"Position"), GOOD_TYPE, "its parts cannot be told apart, or it is cut off"),
        (GOOD.replace(b"form-data", b"\xff"), GOOD_TYPE, "its parts cannot be told apart, or it is cut off"),
        (GOOD.replace(b'; name="name"', b""), GOOD_TYPE, "a part has no name"),
    ],
)
def test_a_malformed_multipart_form_is_a_fault(raw: bytes, content_type: str, detail: str) -> None:
    assert faults_of(FORM, raw, content_type, definitions=HOMES) == [
        ("#", f"is not valid multipart/form-data: {detail}")
    ]


def test_an_empty_multipart_form_has_no_fields() -> None:
    assert value_of({"type": "object"}, b"--limit--\r\n", GOOD_TYPE) == {}


# Anything at all

TYPES = [JSON, "a/b+json", URLENCODED, MULTIPART, "text/plain", "text/xml", "image/png", "*/*"]
DECODERS = [
    compiled((media_type, schema), definitions=HOMES, encodings=encodings)
    for media_type in TYPES
    for schema in (None, True, FORM, UPLOAD, {"type": "string"})
    for encodings in ({}, {"home": Encoding(style="deepObject"), "tags": Encoding(style="form", explode=False)})
]
CONTENT_TYPES = st.sampled_from([*TYPES, GOOD_TYPE, "application/json; charset=utf-16", "text/plain; charset=utf-32"])
PIECES = [
    GOOD,
    b"--limit",
    b"\r\n",
    b"--",
    b"{",
    b'"a":',
    b"1",
    b"[",
    b"]",
    b"}",
    b"a=",
    b"&",
    b"\xff",
    b"%zz",
    b"home[",
]
HEADER = b'Content-Disposition: form-data; name="a"; filename="b"'
RAW = st.binary(max_size=60) | st.lists(st.sampled_from([*PIECES, HEADER]), max_size=12).map(b"".join)


@given(st.sampled_from(DECODERS), CONTENT_TYPES | st.text(max_size=30) | st.none(), RAW)
@settings(max_examples=600, deadline=None)
def test_no_bytes_make_decoding_fail(decoder: Any, content_type: str | None, raw: bytes) -> None:
    try:
        found = decoder.decode(content_type, raw)
    except (UnsupportedMediaType, ContentTooLarge):
        return
    for fault in found.faults:
        assert set(fault) == {"detail", "pointer"}
        assert fault["pointer"].startswith("#")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('a:"\\'), max_size=3), inner),
    max_leaves=20,
)


@given(JSON_VALUES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_json_document_is_read_as_it_is(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert value_of(None, raw) == value


@given(JSON_VALUES, st.text(st.sampled_from('ab:"\\'), max_size=3), st.sampled_from([":", "\\u003a", "x"]))
@settings(max_examples=200, deadline=None)
def test_no_repeated_key_is_missed(value: Any, key: str, text: str) -> None:
    name = json.dumps(key)
    raw = f'{{{name}: {json.dumps(value)}, "z": [1, "{text}"], {name}: "{text}"}}'.encode()
    assert [detail for _, detail in faults_of(None, raw)] == ["is given more than once"]
