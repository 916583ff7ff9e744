"""Writing: patches, preconditions, conflicts, preferences, many at once, and the same request twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from resource_support import Serve
from small_apis import (
    INTEGER,
    MERGE,
    STEPS,
    STRING,
    Json,
    Rows,
    answers,
    array,
    content,
    contract,
    crud,
    deleted,
    header,
    ids,
    listed,
    obj,
    patched,
    path,
    pointers,
    problem,
    read,
    ref,
    whole,
    written,
)
from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Integer, String, UniqueConstraint, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)


class Jar(Base):
    __tablename__ = "jar"
    __table_args__ = (
        UniqueConstraint("shelf_id", "place"),
        CheckConstraint("litres > 0", name="jar_has_litres"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelf.id"))
    place: Mapped[int | None]
    label: Mapped[str] = mapped_column(String(20))
    litres: Mapped[int] = mapped_column(Integer, default=1)
    colour: Mapped[str] = mapped_column(String(10), server_default=text("'clear'"))


NUMBER = {"type": ["integer", "null"], "format": "int32"}
LABEL = {"type": "string", "maxLength": 20}
LITRES = INTEGER | {"format": "int32"}
COLOUR = {"type": "string", "maxLength": 10}
JAR = whole(id=INTEGER, shelf_id=NUMBER, place=NUMBER, label=LABEL, litres=LITRES, colour=COLOUR)
NEW_JAR = obj("label", shelf_id=NUMBER, place=NUMBER, label=LABEL, litres=LITRES, colour=COLOUR)
SCHEMAS = {
    "Jar": JAR,
    "NewJar": NEW_JAR,
    "JarUpdate": NEW_JAR | {"required": []},
    "Shelf": whole(id=INTEGER, name=LABEL),
    "NewShelf": whole(name=LABEL),
    "ShelfUpdate": obj(name=LABEL),
}
ROWS: Rows = [
    (Shelf, [{"id": 1, "name": "top"}, {"id": 2, "name": "low"}]),
    (
        Jar,
        [
            {"id": 1, "shelf_id": 1, "place": 1, "label": "salt", "litres": 2, "colour": "blue"},
            {"id": 2, "shelf_id": 1, "place": 2, "label": "tea", "litres": 1, "colour": "red"},
        ],
    ),
]
SALT = {"id": 1, "shelf_id": 1, "place": 1, "label": "salt", "litres": 2, "colour": "blue"}


@pytest.fixture
def client(serve: Serve) -> FlaskClient:
    return serve(contract({**crud("/jars", "Jar"), **crud("/shelves", "Shelf")}, SCHEMAS), Base, rows=ROWS)


def jars(client: FlaskClient) -> list[dict[str, Any]]:
    return client.get("/jars").get_json()  # type: ignore[no-any-return]


# Defaults


def test_a_new_row_has_the_defaults_of_model_and_database(client: FlaskClient) -> None:
    created = client.post("/jars", json={"label": "rice"}).get_json()
    assert created == {"id": 3, "shelf_id": None, "place": None, "label": "rice", "litres": 1, "colour": "clear"}


def test_a_replaced_row_has_them_again(client: FlaskClient) -> None:
    replaced = client.put("/jars/1", json={"label": "rice"}).get_json()
    assert replaced == {"id": 1, "shelf_id": None, "place": None, "label": "rice", "litres": 1, "colour": "clear"}


def test_a_replace_creates_where_the_contract_says_so(serve: Serve) -> None:
    class Own(DeclarativeBase):
        pass

    class Word(Own):
        __tablename__ = "word"
        key: Mapped[str] = mapped_column(String(20), primary_key=True)
        value: Mapped[str] = mapped_column(String(20))

    put = written("Word", "NewWord")
    put["responses"]["201"] = answers(ref("Word"), 201)["201"]
    paths: dict[str, Json] = {"/words/{key}": {"parameters": [path("key", LABEL)], "get": read("Word"), "put": put}}
    client = serve(contract(paths, {"Word": whole(key=STRING, value=LABEL), "NewWord": whole(value=LABEL)}), Own)
    created = client.put("/words/a%20b", json={"value": "x"})
    assert (created.status_code, created.data) == (201, b'{"key":"a b","value":"x"}')
    assert created.headers["Location"] == "/words/a%20b"
    replaced = client.put("/words/a%20b", json={"value": "y"})
    assert (replaced.status_code, replaced.data) == (200, b'{"key":"a b","value":"y"}')
    assert client.get("/words/a%20b").data == replaced.data


# Patches


def patch(client: FlaskClient, body: Any, media_type: str = MERGE, address: str = "/jars/1") -> Any:
    return client.patch(address, json=body, content_type=media_type)


@pytest.mark.parametrize("media_type", ["application/json", MERGE, MERGE.upper(), MERGE + "; charset=utf-8"])
def test_a_merge_patch_changes_what_it_names(client: FlaskClient, media_type: str) -> None:
    response = patch(client, {"label": "pepper", "place": None}, media_type)
    assert response.get_json() == SALT | {"label": "pepper", "place": None}
    assert jars(client)[0] == response.get_json()


def test_null_for_what_must_have_a_value_is_refused(client: FlaskClient) -> None:
    assert pointers(problem(patch(client, {"label": None}), 400)) == ["#/label"]
    assert jars(client)[0] == SALT


def test_a_merge_patch_is_an_object(client: FlaskClient) -> None:
    problem(patch(client, [{"op": "remove", "path": "/label"}]), 400)


def test_a_json_patch_runs_its_steps_in_order(client: FlaskClient) -> None:
    steps = [
        {"op": "test", "path": "/label", "value": "salt"},
        {"op": "replace", "path": "/label", "value": "sugar"},
        {"op": "copy", "from": "/litres", "path": "/place"},
        {"op": "remove", "path": "/shelf_id"},
        {"op": "add", "path": "/colour", "value": "green"},
    ]
    response = patch(client, steps, STEPS)
    assert response.status_code == 200, response.text
    assert response.get_json() == SALT | {"label": "sugar", "place": 2, "shelf_id": None, "colour": "green"}
    assert jars(client)[0] == response.get_json()


@pytest.mark.parametrize(
    "steps",
    [
        [{"op": "test", "path": "/label", "value": "tea"}],
        [{"op": "replace", "path": "/label", "value": "x"}, {"op": "test", "path": "/litres", "value": 7}],
        [{"op": "remove", "path": "/nothing"}],
        [{"op": "replace", "path": "/label/0", "value": "x"}],
        [{"op": "copy", "from": "/nothing", "path": "/label"}],
    ],
)
def test_a_step_that_cannot_be_done_undoes_them_all(client: FlaskClient, steps: Any) -> None:
    problem(patch(client, steps, STEPS), 409)
    assert jars(client)[0] == SALT


@pytest.mark.parametrize(
    "steps",
    [
        [{"op": "explode", "path": "/label"}],
        [{"op": "replace", "path": "label", "value": "x"}],
        [{"op": "replace", "path": "/label"}],
        [{"path": "/label"}],
        {"label": "x"},
    ],
)
def test_a_malformed_json_patch_is_a_bad_request(client: FlaskClient, steps: Any) -> None:
    problem(patch(client, steps, STEPS), 400)
    assert jars(client)[0] == SALT


@pytest.mark.parametrize(
    "steps",
    [
        [{"op": "replace", "path": "/id", "value": 9}],
        [{"op": "replace", "path": "/label", "value": "x" * 21}],
        [{"op": "replace", "path": "/label", "value": 7}],
        [{"op": "remove", "path": "/label"}],
        [{"op": "add", "path": "/owner", "value": "me"}],
        [{"op": "replace", "path": "", "value": []}],
    ],
)
def test_a_json_patch_cannot_make_what_the_contract_refuses(client: FlaskClient, steps: Any) -> None:
    response = patch(client, steps, STEPS)
    assert response.status_code in (400, 409)
    problem(response, response.status_code)
    assert jars(client)[0] == SALT


@pytest.mark.parametrize("media_type", [MERGE, STEPS])
def test_patching_nothing_is_not_found(client: FlaskClient, media_type: str) -> None:
    problem(patch(client, {} if media_type == MERGE else [], media_type, "/jars/99"), 404)


# Conflicts


def test_a_value_that_is_taken_is_a_conflict(client: FlaskClient) -> None:
    for response in (
        client.post("/shelves", json={"name": "top"}),
        client.put("/shelves/2", json={"name": "top"}),
        client.patch("/shelves/2", json={"name": "top"}),
        patch(client, [{"op": "replace", "path": "/name", "value": "top"}], STEPS, "/shelves/2"),
    ):
        document = problem(response, 409)
        assert pointers(document) == ["#/name"]
        assert not {"UNIQUE", "shelf", "constraint", "top"} & set(str(document).replace("'", " ").split())
    assert [shelf["name"] for shelf in client.get("/shelves").get_json()] == ["top", "low"]


def test_values_that_are_taken_together_are_a_conflict(client: FlaskClient) -> None:
    response = client.post("/jars", json={"label": "rice", "shelf_id": 1, "place": 2})
    assert sorted(pointers(problem(response, 409))) == ["#/place", "#/shelf_id"]
    assert client.post("/jars", json={"label": "rice", "shelf_id": 2, "place": 2}).status_code == 201
    # NULL is equal to nothing.
    for _ in range(2):
        assert client.post("/jars", json={"label": "rice", "shelf_id": 2}).status_code == 201


def test_a_reference_to_nothing_is_a_conflict(client: FlaskClient) -> None:
    for response in (
        client.post("/jars", json={"label": "rice", "shelf_id": 9}),
        client.patch("/jars/1", json={"shelf_id": 9}),
        client.put("/jars/1", json={"label": "rice", "shelf_id": 9}),
    ):
        assert pointers(problem(response, 409)) == ["#/shelf_id"]
    assert len(jars(client)) == 2


def test_a_row_that_others_refer_to_cannot_go(client: FlaskClient) -> None:
    problem(client.delete("/shelves/1"), 409)
    assert client.delete("/shelves/2").status_code == 204
    assert ids(client.get("/shelves")) == [1]


def test_a_rule_of_the_table_is_a_conflict(client: FlaskClient) -> None:
    for response in (
        client.post("/jars", json={"label": "rice", "litres": 0}),
        client.patch("/jars/1", json={"litres": -1}),
    ):
        document = problem(response, 409)
        assert pointers(document) == ["#/litres"]
        assert "jar_has_litres" not in str(document)
    assert jars(client)[0] == SALT


def test_a_text_that_is_too_long_for_its_column_is_told(serve: Serve) -> None:
    loose = {**SCHEMAS, "NewShelf": whole(name=STRING)}
    client = serve(contract(crud("/shelves", "Shelf"), loose), Base, rows=ROWS[:1])
    assert pointers(problem(client.post("/shelves", json={"name": "x" * 21}), 400)) == ["#/name"]
    assert client.post("/shelves", json={"name": "李" * 20}).status_code == 201


# Preconditions


@pytest.fixture
def careful(serve: Serve) -> Callable[..., FlaskClient]:
    def make(*, required: bool = False) -> FlaskClient:
        match = header("If-Match", required=required)
        paths: dict[str, Json] = {
            "/jars": {"get": listed("Jar")},
            "/jars/{id}": {
                "parameters": [path("id")],
                "get": read("Jar"),
                "put": written("Jar", "NewJar", match),
                "patch": patched("Jar", "JarUpdate", match),
                "delete": deleted(match),
            },
        }
        return serve(contract(paths, SCHEMAS), Base, rows=ROWS)

    return make


def write(client: FlaskClient, method: str, tag: str | None, address: str = "/jars/1") -> Any:
    body = None if method == "DELETE" else {"label": "new"}
    return client.open(address, method=method, headers={} if tag is None else {"If-Match": tag}, json=body)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_that_knows_the_item_is_done(careful: Callable[..., FlaskClient], method: str) -> None:
    client = careful()
    tag = client.get("/jars/1").headers["ETag"]
    assert write(client, method, f'"other", {tag}').status_code in (200, 204)
    problem(write(client, method, tag), 404 if method == "DELETE" else 412)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_about_another_version_is_refused(careful: Callable[..., FlaskClient], method: str) -> None:
    client = careful()
    tag = client.get("/jars/1").headers["ETag"]
    for wrong in ('"x"', f"W/{tag}", "x", tag[:-1], '"', ""):
        problem(write(client, method, wrong), 412)
    assert jars(client)[0] == SALT


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_star_stands_for_whatever_is_there(careful: Callable[..., FlaskClient], method: str) -> None:
    client = careful()
    assert write(client, method, "*").status_code in (200, 204)
    assert write(client, method, "*", "/jars/99").status_code in (404, 412)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_precondition_may_be_required(careful: Callable[..., FlaskClient], method: str) -> None:
    client = careful(required=True)
    problem(write(client, method, None), 428)
    assert jars(client)[0] == SALT
    assert write(client, method, client.get("/jars/1").headers["ETag"]).status_code in (200, 204)


def test_the_answer_to_a_write_has_the_tag_of_the_next_one(careful: Callable[..., FlaskClient]) -> None:
    client = careful()
    tag = client.get("/jars/1").headers["ETag"]
    for label in ("a", "b", "c"):
        response = client.patch("/jars/1", json={"label": label}, headers={"If-Match": tag})
        assert response.status_code == 200
        tag = response.headers["ETag"]
    assert tag == client.get("/jars/1").headers["ETag"]


# Preferences


def test_a_client_may_want_no_body(client: FlaskClient) -> None:
    minimal = {"Prefer": "return=minimal"}
    created = client.post("/jars", json={"label": "rice"}, headers=minimal)
    assert created.data == b""
    assert created.headers["Location"] == "/jars/3"
    assert created.headers["Preference-Applied"] == "return=minimal"
    changed = client.patch("/jars/3", json={"label": "oats"}, headers=minimal)
    assert changed.data == b""
    assert changed.status_code in (200, 204)
    assert client.get("/jars/3").get_json()["label"] == "oats"


def test_a_client_may_insist_on_being_understood(client: FlaskClient) -> None:
    strict = {"Prefer": "handling=strict, colour=blue"}
    problem(client.post("/jars", json={"label": "rice"}, headers=strict), 400)
    assert len(jars(client)) == 2
    assert client.post("/jars", json={"label": "rice"}, headers={"Prefer": "colour=blue"}).status_code == 201


# Many at once


@pytest.fixture
def bulk(serve: Serve) -> FlaskClient:
    post = {
        "requestBody": {"required": True, "content": content(array(ref("NewJar"), maxItems=50))},
        "responses": answers(array(ref("Jar")), 201),
    }
    return serve(contract({"/jars": {"get": listed("Jar"), "post": post}}, SCHEMAS), Base, rows=ROWS)


def test_several_rows_are_created_at_once(bulk: FlaskClient) -> None:
    response = bulk.post("/jars", json=[{"label": "a"}, {"label": "b", "litres": 5}, {"label": "c", "colour": "pink"}])
    assert response.status_code == 201, response.text
    made = response.get_json()
    assert [(jar["label"], jar["litres"], jar["colour"]) for jar in made] == [
        ("a", 1, "clear"),
        ("b", 5, "clear"),
        ("c", 1, "pink"),
    ]
    assert jars(bulk)[2:] == made


def test_no_rows_are_no_rows(bulk: FlaskClient) -> None:
    response = bulk.post("/jars", json=[])
    assert (response.status_code, response.get_json()) == (201, [])


def test_all_of_them_are_created_or_none(bulk: FlaskClient) -> None:
    document = problem(bulk.post("/jars", json=[{"label": "a"}, {"label": "b", "shelf_id": 9}]), 409)
    assert pointers(document) == ["#/1/shelf_id"]
    document = problem(bulk.post("/jars", json=[{"label": "a"}, {"label": 5}, {"colour": "x"}]), 400)
    assert sorted(pointers(document)) == ["#/1/label", "#/2/label"]
    assert len(jars(bulk)) == 2


# The same request twice


@pytest.fixture
def patient(serve: Serve) -> FlaskClient:
    key = header("Idempotency-Key")
    paths: dict[str, Json] = {
        "/jars": {"get": listed("Jar"), "post": written("Jar", "NewJar", key, status=201)},
        "/jars/{id}": {"parameters": [path("id")], "get": read("Jar"), "delete": deleted()},
        "/shelves": {"get": listed("Shelf"), "post": written("Shelf", "NewShelf", key, status=201)},
    }
    return serve(contract(paths, SCHEMAS), Base, rows=ROWS)


def create(client: FlaskClient, key: str | None, body: Any, address: str = "/jars") -> Any:
    return client.post(address, json=body, headers={} if key is None else {"Idempotency-Key": key})


def test_the_same_key_gets_the_same_answer(patient: FlaskClient) -> None:
    first = create(patient, "k1", {"label": "rice"})
    assert first.status_code == 201
    again = create(patient, "k1", {"label": "rice"})
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.headers["Location"] == first.headers["Location"]
    assert len(jars(patient)) == 3
    assert create(patient, "k2", {"label": "rice"}).get_json()["id"] == 4
    assert create(patient, None, {"label": "rice"}).get_json()["id"] == 5


def test_the_answer_stays_when_the_item_is_gone(patient: FlaskClient) -> None:
    first = create(patient, "k1", {"label": "rice"})
    patient.delete(first.headers["Location"])
    again = create(patient, "k1", {"label": "rice"})
    assert (again.status_code, again.data) == (201, first.data)
    assert len(jars(patient)) == 2


def test_the_same_key_with_another_request_is_refused(patient: FlaskClient) -> None:
    create(patient, "k1", {"label": "rice"})
    problem(create(patient, "k1", {"label": "oats"}), 422)
    assert len(jars(patient)) == 3


def test_a_key_belongs_to_one_address(patient: FlaskClient) -> None:
    create(patient, "k1", {"label": "rice"})
    assert create(patient, "k1", {"name": "mid"}, "/shelves").status_code in (201, 422)


def test_a_request_that_failed_can_be_repaired(patient: FlaskClient) -> None:
    problem(create(patient, "k1", {"label": 7}), 400)
    assert create(patient, "k1", {"label": "rice"}).status_code == 201


# Time


def test_the_server_keeps_the_time(serve: Serve) -> None:
    class Own(DeclarativeBase):
        pass

    class Log(Own):
        __tablename__ = "log"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        word: Mapped[str] = mapped_column(String(20))
        made: Mapped[datetime] = mapped_column(DateTime, server_default=func.current_timestamp())
        changed: Mapped[datetime] = mapped_column(
            DateTime, default=lambda: LONG_AGO, onupdate=lambda: datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        )

    moment = {"type": "string", "format": "date-time", "readOnly": True}
    schemas = {
        "Log": whole(id=INTEGER, word=LABEL, made=moment, changed=moment),
        "NewLog": whole(word=LABEL),
        "LogUpdate": obj(word=LABEL),
    }
    client = serve(contract(crud("/logs", "Log"), schemas), Own)
    created = client.post("/logs", json={"word": "a"}).get_json()
    assert created["changed"] == "2001-01-01T00:00:00Z"
    made = datetime.fromisoformat(created["made"])
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60
    for changed in (client.patch("/logs/1", json={"word": "b"}), client.put("/logs/1", json={"word": "c"})):
        stored = changed.get_json()
        assert abs((datetime.now(UTC) - datetime.fromisoformat(stored["changed"])).total_seconds()) < 60


LONG_AGO = datetime(2001, 1, 1)
