"""The six operations on one model, without a handler: what comes back, byte for byte."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from resource_support import Serve
from small_apis import INTEGER, STRING, contract, crud, names, obj, pointers, problem, whole
from sqlalchemy import Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(String(20))
    stars: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(10), default="plain")


LIMITED = {"type": "string", "minLength": 1, "maxLength": 20}
STARS = {"type": ["integer", "null"], "minimum": 0, "maximum": 5}
CONTRACT = contract(
    crud("/notes", "Note"),
    {
        "Note": whole(id=INTEGER | {"readOnly": True}, title=LIMITED, stars=STARS, kind=STRING | {"maxLength": 10}),
        "NewNote": obj("title", title=LIMITED, stars=STARS, kind=STRING | {"maxLength": 10}),
        "NoteUpdate": obj(title=LIMITED, stars=STARS, kind=STRING | {"maxLength": 10}),
    },
    servers=[{"url": "/api"}],
)
ROWS = [
    {"id": 1, "title": "first", "stars": None, "kind": "plain"},
    {"id": 2, "title": "second", "stars": 5, "kind": "bold"},
]


@pytest.fixture
def client(serve: Serve) -> FlaskClient:
    return serve(CONTRACT, Base, rows=[(Note, ROWS)])


def test_a_list_is_compact_json_in_the_order_of_the_schema(client: FlaskClient) -> None:
    response = client.get("/api/notes")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.data == (
        b'[{"id":1,"title":"first","stars":null,"kind":"plain"},{"id":2,"title":"second","stars":5,"kind":"bold"}]'
    )


def test_an_item_is_compact_json(client: FlaskClient) -> None:
    assert client.get("/api/notes/2").data == b'{"id":2,"title":"second","stars":5,"kind":"bold"}'


def test_an_empty_list_is_an_empty_array(serve: Serve) -> None:
    assert serve(CONTRACT, Base).get("/api/notes").data == b"[]"


def test_an_item_is_created_at_its_location_with_the_defaults_of_the_model(client: FlaskClient) -> None:
    response = client.post("/api/notes", json={"title": "third"})
    assert response.status_code == 201
    assert response.data == b'{"id":3,"title":"third","stars":null,"kind":"plain"}'
    assert response.headers["Location"] == "/api/notes/3"
    assert client.get(response.headers["Location"]).data == response.data


def test_a_location_follows_the_mount_point(client: FlaskClient) -> None:
    response = client.post("/api/notes", json={"title": "third"}, environ_overrides={"SCRIPT_NAME": "/v1"})
    assert response.headers["Location"] == "/v1/api/notes/3"


def test_a_replaced_item_has_nothing_left_of_the_old_one(client: FlaskClient) -> None:
    response = client.put("/api/notes/2", json={"title": "other"})
    assert response.status_code == 200
    assert response.data == b'{"id":2,"title":"other","stars":null,"kind":"plain"}'
    assert client.get("/api/notes/2").data == response.data


def test_a_patched_item_keeps_the_rest(client: FlaskClient) -> None:
    response = client.patch("/api/notes/2", json={"stars": 1})
    assert response.data == b'{"id":2,"title":"second","stars":1,"kind":"bold"}'
    assert client.get("/api/notes/2").data == response.data


def test_an_empty_patch_changes_nothing(client: FlaskClient) -> None:
    response = client.patch("/api/notes/2", json={})
    assert (response.status_code, response.data) == (200, b'{"id":2,"title":"second","stars":5,"kind":"bold"}')


def test_null_in_a_patch_takes_the_value_away(client: FlaskClient) -> None:
    assert client.patch("/api/notes/2", json={"stars": None}).get_json()["stars"] is None


def test_a_deleted_item_is_gone(client: FlaskClient) -> None:
    response = client.delete("/api/notes/1")
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    problem(client.get("/api/notes/1"), 404)
    problem(client.delete("/api/notes/1"), 404)
    assert client.get("/api/notes").data == b'[{"id":2,"title":"second","stars":5,"kind":"bold"}]'


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_what_is_not_there_is_not_found(client: FlaskClient, method: str) -> None:
    body = {} if method in ("get", "delete") else {"json": {"title": "x"}}
    document = problem(getattr(client, method)("/api/notes/99", **body), 404)
    assert "SELECT" not in str(document)
    assert "note" not in str(document.get("detail", "")).split()
    assert len(client.get("/api/notes").get_json()) == 2


@pytest.mark.parametrize("number", [2**31, 2**63 - 1, -(2**63), 0, -1])
def test_a_number_beyond_the_column_is_not_found(client: FlaskClient, number: int) -> None:
    problem(client.get(f"/api/notes/{number}"), 404)
    problem(client.delete(f"/api/notes/{number}"), 404)


def test_every_fault_of_a_body_is_told_and_nothing_is_written(client: FlaskClient) -> None:
    document = problem(client.post("/api/notes", json={"title": "", "stars": 9, "owner": 1}), 400)
    assert sorted(pointers(document)) == ["#/owner", "#/stars", "#/title"]
    assert len(client.get("/api/notes").get_json()) == 2


def test_a_read_only_property_is_refused(client: FlaskClient) -> None:
    problem(client.post("/api/notes", json={"id": 7, "title": "x"}), 400)


def test_read_only_properties_of_the_same_schema_are_refused(serve: Serve) -> None:
    one = whole(id=INTEGER | {"readOnly": True}, title=LIMITED)
    client = serve(contract(crud("/notes", "Note", new="Note", update="Note"), {"Note": one}), Base)
    assert client.post("/notes", json={"title": "first"}).data == b'{"id":1,"title":"first"}'
    assert pointers(problem(client.post("/notes", json={"id": 7, "title": "x"}), 400)) == ["#/id"]


def test_they_are_ignored_where_the_settings_say_so(serve: Serve) -> None:
    one = whole(id=INTEGER | {"readOnly": True}, title=LIMITED)
    small = contract(crud("/notes", "Note", new="Note"), {"Note": one, "NoteUpdate": obj(title=LIMITED)})
    client = serve(small, Base, read_only="ignore")
    assert client.post("/notes", json={"id": 7, "title": "x"}).get_json() == {"id": 1, "title": "x"}


def test_an_item_has_a_strong_entity_tag(client: FlaskClient) -> None:
    response = client.get("/api/notes/2")
    tag = response.headers["ETag"]
    assert tag.startswith('"')
    again = client.get("/api/notes/2", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    client.patch("/api/notes/2", json={"stars": 4})
    assert client.get("/api/notes/2", headers={"If-None-Match": tag}).status_code == 200


def test_a_list_has_an_entity_tag(client: FlaskClient) -> None:
    tag = client.get("/api/notes").headers["ETag"]
    assert client.get("/api/notes", headers={"If-None-Match": tag}).status_code == 304
    client.delete("/api/notes/1")
    assert client.get("/api/notes", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("path", ["/api/notes", "/api/notes/2"])
def test_head_is_get_without_a_body(client: FlaskClient, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]
    assert head.headers["Content-Length"] == str(len(got.data))


def test_other_methods_are_not_allowed(client: FlaskClient) -> None:
    assert problem(client.delete("/api/notes"), 405)["code"]
    assert client.delete("/api/notes").headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert client.options("/api/notes/1").headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"


def test_a_client_that_takes_no_json_changes_nothing(client: FlaskClient) -> None:
    problem(client.post("/api/notes", json={"title": "x"}, headers={"Accept": "text/html"}), 406)
    assert len(client.get("/api/notes").get_json()) == 2


def test_a_body_of_another_type_is_refused(client: FlaskClient) -> None:
    problem(client.post("/api/notes", data={"title": "x"}), 415)


def test_a_wrong_path_parameter_is_a_bad_request(client: FlaskClient) -> None:
    assert names(problem(client.get("/api/notes/two"), 400)) == [("path", "id")]


@pytest.mark.parametrize(
    "title",
    ["O'Brien", 'say "hi"', "back\\slash", "100%", "a;b--c", "Ørsted", "李 😀", "tab\there", "\u2028", "<b>", ":x"],
)
def test_every_text_comes_back_as_it_was_sent(client: FlaskClient, title: str) -> None:
    created = client.post("/api/notes", json={"title": title})
    assert created.status_code == 201
    assert created.get_json()["title"] == title
    assert client.get(created.headers["Location"]).get_json()["title"] == title
    assert client.get("/api/notes").get_json()[-1]["title"] == title


def test_a_null_character_is_refused_the_same_everywhere(client: FlaskClient) -> None:
    assert pointers(problem(client.post("/api/notes", json={"title": "a\x00b"}), 400)) == ["#/title"]
    assert pointers(problem(client.patch("/api/notes/1", json={"title": "a\x00b"}), 400)) == ["#/title"]


def test_an_answer_has_the_headers_of_every_answer(client: FlaskClient) -> None:
    for response in (
        client.get("/api/notes"),
        client.get("/api/notes/99"),
        client.post("/api/notes", json={"title": "x"}),
    ):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Request-ID"]
