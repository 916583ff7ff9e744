"""Mocks answer from the contract's examples, or make an answer from its schemas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from demijohn.compile.guards import ANONYMOUS
from demijohn.compile.mocks import compile_mock
from demijohn.compile.plan import Arguments
from demijohn.compile.samples import Samples
from demijohn.compile.validators import Validators
from demijohn.contract import Example, JsonSchema, MediaType, Operation, Parameter, Place, Response
from demijohn.errors import BadRequest
from demijohn.serve.request import Request

NO_REQUEST = Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/"})
PLACE = Place("openapi.yaml")
SAMPLES = Samples({}, Validators({}))
PET: JsonSchema = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
}


def media(media_range: str, schema: JsonSchema | None = None, /, **examples: Any) -> MediaType:
    named = tuple(Example(name.removeprefix("_"), value) for name, value in examples.items())
    return MediaType(media_range, PLACE, schema, examples=named)


def response(status: str, *contents: MediaType, headers: Sequence[Parameter] = ()) -> Response:
    return Response(status, PLACE, headers=tuple(headers), contents=contents)


def header(name: str, schema: JsonSchema = True, *, required: bool = True, examples: Sequence[Any] = ()) -> Parameter:
    declared = tuple(Example("", value) for value in examples)
    return Parameter(name, "header", PLACE, required=required, schema=schema, examples=declared)


def mock(*responses: Response) -> Callable[..., Any]:
    answer = compile_mock(Operation("GET", "/pets", PLACE, responses={one.status: one for one in responses}), SAMPLES)

    def ask(prefer: str = "", media_type: str = "") -> Any:
        return answer(Arguments([], None, {}, ANONYMOUS, prefer, NO_REQUEST, media_type))

    return ask


JSON = [("Content-Type", "application/json")]


def test_the_first_example_that_satisfies_the_schema_is_the_answer() -> None:
    ask = mock(response("200", media("application/json", PET, wrong={"name": 1}, right={"name": "Tom"})))
    assert ask() == ({"name": "Tom"}, 200, JSON)


def test_an_answer_is_made_from_the_schema_where_no_example_satisfies_it() -> None:
    ask = mock(response("200", media("application/json", PET, _={"name": 1})))
    assert ask() == ({"name": "string", "age": 1}, 200, JSON)


def test_a_schema_that_nothing_satisfies_leaves_the_declared_example() -> None:
    ask = mock(response("200", media("application/json", False, _="anything")))
    assert ask()[0] == "anything"


def test_a_representation_without_a_schema_gives_its_example_or_null() -> None:
    assert mock(response("200", media("application/json", None, _=[1])))()[0] == [1]
    assert mock(response("200", media("application/json")))()[0] is None


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["404", "201", "200"], 201),
        (["default", "2XX"], 200),
        (["404", "302"], 302),
        (["404", "default"], 200),
        (["4XX", "503"], 400),
    ],
)
def test_the_first_success_is_the_default(statuses: list[str], status: int) -> None:
    assert mock(*map(response, statuses))() == (None, status, [])


@pytest.mark.parametrize("prefer", ["code=404", 'return=minimal; code="404"', "code=404, code=200", "Code = 404"])
def test_prefer_chooses_the_status(prefer: str) -> None:
    ask = mock(response("200"), response("404", media("application/json", {"const": "gone"})))
    assert ask(prefer) == ("gone", 404, JSON)


@pytest.mark.parametrize(("code", "status"), [("418", 418), ("503", 503)])
def test_a_range_or_the_default_stands_for_a_status(code: str, status: int) -> None:
    ask = mock(response("200"), response("4XX", media("text/plain", {"const": "4XX"})), response("default"))
    assert ask(f"code={code}")[1] == status


@pytest.mark.parametrize("code", ["404", "100", "999", "20", "abc", "٤٠٤"])
def test_a_status_that_is_not_documented_is_refused(code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        mock(response("200"), response("5XX"))(f"code={code}")
    assert "200, 5XX" in refused.value.detail
    assert refused.value.errors[0]["name"] == "Prefer"


def test_prefer_chooses_an_example_by_name_even_a_wrong_one() -> None:
    ask = mock(response("200", media("application/json", PET, tom={"name": "Tom"}, bad={"name": 1})))
    assert ask("example=bad")[0] == {"name": 1}
    assert ask('example="tom"')[0] == {"name": "Tom"}


def test_an_unknown_example_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadRequest, match="there are tom"):
        mock(response("200", media("application/json", PET, tom={"name": "Tom"})))("example=jerry")
    with pytest.raises(BadRequest, match="no named examples"):
        mock(response("204"))("example=jerry")


def test_the_agreed_media_type_decides_the_representation() -> None:
    ask = mock(response("200", media("application/json", PET), media("text/csv", None, _="a,b")))
    assert ask(media_type="text/csv") == ("a,b", 200, [("Content-Type", "text/csv")])
    assert ask(media_type="image/png")[2] == JSON


@pytest.mark.parametrize(
    ("declared", "agreed", "media_type"),
    [
        ("text/*", "text/html", "text/html"),
        ("text/*", "", "text/plain"),
        ("image/*", "image/*", "image/png"),
        ("font/*", "", "font/example"),
        ("*/*", "", "application/json"),
    ],
)
def test_a_range_gets_a_concrete_media_type(declared: str, agreed: str, media_type: str) -> None:
    assert mock(response("200", media(declared)))(media_type=agreed)[2] == [("Content-Type", media_type)]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (media("text/plain", {"type": "string"}), "string"),
        (media("text/csv", PET, _="a,b"), "a,b"),
        (media("text/csv", {"type": "array", "items": {"type": "integer"}}), "[1]"),
        (media("application/xml", PET, _="<pet/>"), b"<pet/>"),
        (media("text/xml", PET, _={"name": "Tom"}), ""),
        (media("image/svg+xml"), b""),
        (media("application/octet-stream", {"type": "string", "format": "binary"}), b"string"),
        (media("image/png"), b""),
    ],
)
def test_a_representation_that_is_not_json_is_text_or_bytes(content: MediaType, value: str | bytes) -> None:
    assert mock(response("200", content))()[0] == value


def test_headers_that_are_required_or_have_examples_are_sent() -> None:
    ask = mock(
        response(
            "200",
            headers=[
                header("X-Total", {"type": "integer", "minimum": 3}),
                header("X-Colours", {"type": "array"}, required=False, examples=[["red", "blue"]]),
                header("X-Optional", required=False),
                header("X-Broken", {"type": "string"}, examples=["a\r\nSet-Cookie: b"]),
                header("Content-Length", {"type": "integer"}),
            ],
        )
    )
    assert ask() == (None, 200, [("X-Total", "3"), ("X-Colours", "red,blue")])


def test_an_operation_without_responses_answers_204() -> None:
    assert mock()() == (None, 204, [])


def test_answers_are_built_once_even_by_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    operation = Operation("GET", "/", PLACE, responses={"200": response("200", media("application/json", PET))})
    answer = compile_mock(operation, SAMPLES)
    arguments = Arguments([], None, {}, ANONYMOUS, "", NO_REQUEST)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, [arguments] * 50))
    assert all(one == answers[0] for one in answers)
    answers[0][2].append(("X-Own", "1"))
    assert answer(arguments)[2] == JSON
