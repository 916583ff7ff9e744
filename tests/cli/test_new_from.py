"""`demijohn new --from` writes the models of a contract, and functions for what no model serves; all of it starts."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from flask import Flask
from projects import assert_clean, run_in

from demijohn.cli import main

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "contracts"
REAL = sorted(path.name for path in SHARED.glob("*") if path.suffix in (".json", ".yaml")) or ["(absent)"]
# Its only security scheme is a client's certificate, which no function sees.
REFUSED = {"oai-schema-tests-3.2__tests__schema__pass__operation-object-example.yaml"}


def new(contract: Path, name: str = "cellar", *options: str) -> Result:
    return CliRunner().invoke(main, ["new", name, "--from", str(contract), *options], catch_exceptions=False)


def wrote(result: Result, name: str = "cellar") -> tuple[int, int, int]:
    """Return how many models, operations without a handler and handlers a project was told to have."""
    assert result.exit_code == 0, result.output
    found = re.match(
        rf"Wrote {name}\. (\w+) models?, (\w+) operations? served .*?, (\w+) handlers? left", result.stdout
    )
    assert found is not None, result.stdout
    models, served, left = (0 if word == "no" else int(word) for word in found.groups())
    return models, served, left


def start(name: str = "cellar") -> Flask:
    """Start a project as its developer would, on a database of its own."""
    sys.path.insert(0, str(Path(name).resolve()))
    importlib.invalidate_caches()
    app: Flask = importlib.import_module(name).create_app(f"sqlite:///{Path.cwd()}/data.sqlite")
    return app


def contract_of(paths: dict[str, Any], schemas: dict[str, Any] | None = None, **more: Any) -> Path:
    components = {"schemas": schemas or {}, **more}
    document = {"openapi": "3.1.0", "info": {"title": "Cellar", "version": "1"}, "paths": paths}
    file = Path("openapi.yaml")
    file.write_text(yaml.safe_dump({**document, "components": components}, sort_keys=False), encoding="utf-8")
    return file


def answer(schema: Any, status: str = "200") -> dict[str, Any]:
    return {status: {"description": "Fine.", "content": {"application/json": {"schema": schema}}}}


def body(schema: Any) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def parameter(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def crud(schema: str, key: dict[str, Any], made: str | None = None, collection: str = "/bottles") -> dict[str, Any]:
    shown, new_ = {"$ref": f"#/components/schemas/{schema}"}, {"$ref": f"#/components/schemas/{made or schema}"}
    above = [parameter(name, type="integer") for name in re.findall(r"\{(\w+)\}", collection)]
    return {
        collection: {
            "parameters": above,
            "get": {"responses": answer({"type": "array", "items": shown})},
            "post": {"requestBody": body(new_), "responses": answer(shown, "201")},
        },
        f"{collection}/{{{key['name']}}}": {
            "parameters": [*above, key],
            "get": {"responses": answer(shown)},
            "put": {"requestBody": body(new_), "responses": answer(shown)},
            "delete": {"responses": {"204": {"description": "Gone."}}},
        },
    }


def models() -> str:
    return Path("cellar/cellar/models.py").read_text(encoding="utf-8")


# The examples

EXAMPLES = {"people": (1, 3, 2), "directory": (2, 18, 0), "blog": (3, 29, 0)}


@pytest.mark.parametrize(("example", "expected"), EXAMPLES.items())
def test_the_contract_of_an_example_becomes_a_project(example: str, expected: tuple[int, int, int]) -> None:
    (contract,) = (ROOT / "examples" / example / example).glob("*.yaml")
    assert wrote(new(contract)) == expected
    assert start().test_client().get(f"{'' if example == 'blog' else '/api'}/openapi.json").status_code == 200


def test_a_project_of_a_contract_passes_its_tests_the_linter_and_the_type_checker(tmp_path: Path) -> None:
    new(ROOT / "examples" / "people" / "people" / "swagger.yaml", "of_people")
    new(ROOT / "examples" / "directory" / "directory" / "openapi.yaml", "of_directory")
    new(ROOT / "examples" / "blog" / "blog" / "openapi.yaml", "of_blog")
    names = ("of_people", "of_directory", "of_blog")
    for name in names:
        assert_clean(tmp_path / name)
    tests = [f"{name}/tests" for name in names]
    assert " passed" in run_in(
        tmp_path, "pytest", "-q", "-W", "error", "--import-mode", "importlib", *tests, paths=names
    )
    options = ["--strict", "--python-version", "3.11", "--cache-dir", str(ROOT / ".mypy_cache")]
    run_in(tmp_path, "mypy", *options, *(f"{name}/{name}" for name in names))


# Real contracts


@pytest.mark.parametrize("name", REAL)
def test_a_real_contract_becomes_a_project_that_starts(shared: Path, name: str) -> None:
    result = new(shared / "contracts" / name)
    if name in REFUSED:
        assert (result.exit_code, "has no function that checks it" in result.stderr) == (1, True)
        assert list(Path.cwd().iterdir()) == []
        return
    _, served, left = wrote(result)
    (api,) = start().extensions["demijohn"].apis
    assert len(api.contract.operations) == served + left
    assert (left > 0) == ("What is left to write" in Path("cellar/README.md").read_text(encoding="utf-8"))


# Columns


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "maxLength": 40}, "label: Mapped[str] = mapped_column(sa.String(40))"),
        ({"type": "string"}, "label: Mapped[str] = mapped_column(sa.Text)"),
        ({"type": ["string", "null"], "maxLength": 9}, "label: Mapped[str | None] = mapped_column(sa.String(9))"),
        ({"type": "integer"}, "label: Mapped[int]"),
        ({"type": "integer", "format": "int64"}, "label: Mapped[int] = mapped_column(sa.BigInteger)"),
        ({"type": "integer", "maximum": 1e12}, "label: Mapped[int] = mapped_column(sa.BigInteger)"),
        ({"type": "boolean"}, "label: Mapped[bool]"),
        ({"type": "number"}, "label: Mapped[float] = mapped_column(sa.Double)"),
        ({"type": "number", "multipleOf": 0.01}, "label: Mapped[Decimal] = mapped_column(sa.Numeric(15, 2))"),
        (
            {"type": "string", "pattern": r"^\d{1,8}\.\d{2}$"},
            "label: Mapped[Decimal] = mapped_column(sa.Numeric(15, 2))",
        ),
        ({"type": "string", "pattern": r"^v\d+\.\d{2}$"}, "label: Mapped[str] = mapped_column(sa.Text)"),
        (
            {"type": "string", "format": "date-time"},
            "label: Mapped[dt.datetime] = mapped_column(sa.DateTime(timezone=True))",
        ),
        ({"type": "string", "format": "date"}, "label: Mapped[dt.date]"),
        ({"type": "string", "format": "uuid"}, "label: Mapped[uuid.UUID]"),
        ({"type": "string", "contentEncoding": "base64"}, "label: Mapped[bytes] = mapped_column(sa.LargeBinary)"),
        (
            {"type": "string", "enum": ["red", "white"]},
            'label: Mapped[str] = mapped_column(sa.Enum("red", "white", native_enum=False, length=5))',
        ),
        (
            {"type": "array", "items": {"type": "string"}},
            "label: Mapped[Any] = mapped_column(sa.JSON, nullable=False)",
        ),
        ({"type": ["string", "integer"]}, "label: Mapped[Any] = mapped_column(sa.JSON, nullable=False)"),
    ],
)
def test_a_schema_becomes_a_column(schema: dict[str, Any], expected: str) -> None:
    shown = {"type": "object", "required": ["id", "label"], "properties": {"id": {"type": "integer"}, "label": schema}}
    made = {"type": "object", "required": ["label"], "properties": {"label": schema}}
    paths = crud("Bottle", parameter("id", type="integer"), "NewBottle")
    assert wrote(new(contract_of(paths, {"Bottle": shown, "NewBottle": made}))) == (1, 5, 0)
    assert f"    {expected}\n" in models()
    assert start().test_client().get("/bottles").get_json() == []


@pytest.mark.parametrize(
    ("properties", "required", "expected"),
    [
        ({"label": {"type": "string"}}, [], "label: Mapped[str | None] = mapped_column(sa.Text)"),
        ({"full": {"type": "boolean", "default": True}}, [], "full: Mapped[bool] = mapped_column(default=True)"),
        (
            {"kind": {"type": "string", "default": "red"}},
            [],
            'kind: Mapped[str] = mapped_column(sa.Text, default="red")',
        ),
        (
            {"createdAt": {"type": "string", "format": "date-time", "readOnly": True}},
            ["createdAt"],
            'created_at: Mapped[dt.datetime] = mapped_column("createdAt", sa.DateTime(timezone=True), default=now)',
        ),
        (
            {"updated_at": {"type": "string", "format": "date-time", "readOnly": True}},
            [],
            "updated_at: Mapped[dt.datetime] = mapped_column(sa.DateTime(timezone=True), default=now, onupdate=now)",
        ),
        ({"from": {"type": "string"}}, ["from"], 'from_: Mapped[str] = mapped_column("from", sa.Text)'),
        (
            {"metadata": {"type": "object"}},
            [],
            'metadata_2: Mapped[Any] = mapped_column("metadata", sa.JSON, nullable=True)',
        ),
        ({"uuid": {"type": "string"}}, ["uuid"], 'uuid_: Mapped[str] = mapped_column("uuid", sa.Text)'),
        ({"größe": {"type": "integer"}}, ["größe"], 'gr_e: Mapped[int] = mapped_column("größe")'),
    ],
)
def test_what_a_row_gets_without_being_told(properties: dict[str, Any], required: list[str], expected: str) -> None:
    bottle = {
        "type": "object",
        "required": ["id", *required],
        "properties": {"id": {"type": "integer", "readOnly": True}, **properties},
    }
    assert wrote(new(contract_of(crud("Bottle", parameter("id", type="integer")), {"Bottle": bottle}))) == (1, 5, 0)
    assert f"    {expected}\n" in models()


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ({"type": "integer"}, False, "key: Mapped[int] = mapped_column(primary_key=True)"),
        ({"type": "integer"}, True, "key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)"),
        (
            {"type": "integer", "format": "int64"},
            False,
            'key: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)',
        ),
        (
            {"type": "string", "format": "uuid"},
            False,
            "key: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)",
        ),
        (
            {"type": "string"},
            False,
            "key: Mapped[str] = mapped_column(sa.String(255), primary_key=True, default=new_key)",
        ),
        ({"type": "string", "maxLength": 8}, True, "key: Mapped[str] = mapped_column(sa.String(8), primary_key=True)"),
    ],
)
def test_the_path_of_an_item_says_what_the_key_is(key: dict[str, Any], given: bool, expected: str) -> None:
    schema = key if given else {**key, "readOnly": True}
    bottle = {"type": "object", "required": ["key"], "properties": {"key": schema, "label": {"type": "string"}}}
    paths = crud("Bottle", parameter("key", **key))
    del paths["/bottles/{key}"]["put"]
    assert wrote(new(contract_of(paths, {"Bottle": bottle}))) == (1, 4, 0)
    assert f"    {expected}\n" in models()
    client = start().test_client()
    sent = {"label": "x"} | ({"key": 7 if key["type"] == "integer" else "seven"} if given else {})
    created = client.post("/bottles", json=sent)
    assert created.status_code == 201, created.text
    assert client.get(created.headers["Location"]).get_json() == created.get_json()


# Tables that belong together


def bottles_in_racks(**more: Any) -> Path:
    number = {"type": "integer", "readOnly": True}
    bottle = {"type": "object", "required": ["id"], "properties": {"id": number, "label": {"type": "string"}, **more}}
    shown = {"type": "array", "readOnly": True, "items": {"$ref": "#/components/schemas/Bottle"}}
    rack = {"type": "object", "required": ["id"], "properties": {"id": number, "bottles": shown}}
    paths = crud("Rack", parameter("rack_id", type="integer"), collection="/racks")
    paths |= crud("Bottle", parameter("bottle_id", type="integer"), collection="/racks/{rack_id}/bottles")
    return contract_of(paths, {"Rack": rack, "Bottle": bottle})


@pytest.mark.parametrize("is_shown", [False, True])
def test_what_lies_below_an_item_refers_to_it(is_shown: bool) -> None:
    shown = {"rack_id": {"type": "integer", "readOnly": True}} if is_shown else {}
    assert wrote(new(bottles_in_racks(**shown))) == (2, 10, 0)
    assert 'rack_id: Mapped[int] = mapped_column(sa.ForeignKey("racks.id"), index=True)' in models()
    assert 'bottles: Mapped[list[Bottle]] = relationship(viewonly=True, order_by="Bottle.id")' in models()
    client = start().test_client()
    client.post("/racks", json={})
    assert client.post("/racks/1/bottles", json={"label": "x"}).headers["Location"] == "/racks/1/bottles/1"
    assert client.get("/racks/1").get_json()["bottles"][0]["label"] == "x"
    assert client.get("/racks/2/bottles").status_code == 404
    assert client.delete("/racks/1").status_code == 409


def test_a_circle_of_references_is_left_open() -> None:
    number = {"type": "integer"}
    rack = {"type": "object", "required": ["id"], "properties": {"id": number, "bottle_id": number}}
    bottle = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": number, "rack_id": number, "bottle_id": number},
    }
    paths = crud("Rack", parameter("id", **number), collection="/racks") | crud("Bottle", parameter("id", **number))
    assert wrote(new(contract_of(paths, {"Rack": rack, "Bottle": bottle}))) == (2, 10, 0)
    assert re.findall(r'(\w+): Mapped.*ForeignKey\("(\w+)\.id"\)', models()) == [
        ("bottle_id", "bottles"),
        ("bottle_id", "bottles"),
    ]


def test_what_people_are_found_by_is_unique_where_a_create_may_be_a_conflict() -> None:
    user = {
        "type": "object",
        "required": ["id", "email"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "email": {"type": "string", "format": "email", "maxLength": 120},
        },
    }
    paths = crud("User", parameter("id", type="integer"), collection="/users")
    new(contract_of(paths, {"User": user}))
    assert "email: Mapped[str] = mapped_column(sa.String(120))\n" in models()
    paths["/users"]["post"]["responses"]["409"] = {"description": "Taken."}
    new(contract_of(paths, {"User": user}), "other")
    other = Path("other/other/models.py").read_text(encoding="utf-8")
    assert "email: Mapped[str] = mapped_column(sa.String(120), unique=True)\n" in other


def test_a_schema_that_cannot_be_the_name_of_a_class_is_named_in_the_contract() -> None:
    bottle = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "readOnly": True}}}
    contract = contract_of(crud("wine-bottle.v1", parameter("id", type="integer")), {"wine-bottle.v1": bottle})
    assert wrote(new(contract)) == (1, 5, 0)
    assert "class WineBottleV1(Base):" in models()
    written = yaml.safe_load(Path("cellar/cellar/openapi.yaml").read_text(encoding="utf-8"))
    assert written["components"]["schemas"]["wine-bottle.v1"] == {"x-resource": "WineBottleV1", **bottle}


ODD = ("createdAt", "created_at", "a b", "a_b", 'x"y', "new\nline", "__tablename__", "metadata", "Base", "dt", "_", "n")


@pytest.mark.parametrize("name", ["None", "Base", "Mapped", "Any", 'a"b', "int", "9lives", "Größe", "bottle\n"])
def test_whatever_things_are_called_each_has_a_place_of_its_own(name: str) -> None:
    text = {"type": "string", "default": "'\\\""}
    properties = {"id": {"type": "integer", "readOnly": True}} | dict.fromkeys(ODD, text)
    schemas = {name: {"type": "object", "required": ["id"], "properties": properties}}
    assert wrote(new(contract_of(crud(name, parameter("id", type="integer")), schemas))) == (1, 5, 0)
    client = start().test_client()
    sent = {one: f"the value of {one}" for one in ODD}
    assert client.post("/bottles", json=sent).get_json() == {"id": 1, **sent}
    assert client.put("/bottles/1", json={}).get_json() == {"id": 1, **dict.fromkeys(ODD, "'\\\"")}
    compile(Path("cellar/tests/test_api.py").read_text(encoding="utf-8"), "test_api.py", "exec")


@pytest.mark.parametrize("odd", ["", "ID", "x" * 64])
def test_a_name_that_no_database_takes_beside_the_others_is_left(odd: str) -> None:
    properties = {"id": {"type": "integer", "readOnly": True}, odd: {"type": "string"}}
    schemas = {"Bottle": {"type": "object", "required": ["id"], "properties": properties}}
    assert wrote(new(contract_of(crud("Bottle", parameter("id", type="integer")), schemas))) == (1, 3, 2)
    assert "is no column of Bottle" in Path("cellar/README.md").read_text(encoding="utf-8")
    start()


def test_text_of_the_contract_stays_text() -> None:
    operation = {
        "operationId": '"x"; import os #',
        "summary": '"""quoted\\""" {served}',
        "responses": {"204": {"description": "Fine."}},
    }
    file = contract_of({"/odd": {"get": operation}})
    file.write_text(file.read_text(encoding="utf-8").replace("title: Cellar", "title: '{left}'"), encoding="utf-8")
    assert wrote(new(file)) == (0, 0, 1)
    assert start().test_client().get("/odd").status_code == 501
    assert "{left}: a REST API" in Path("cellar/README.md").read_text(encoding="utf-8")


def test_a_password_is_no_column() -> None:
    user = {
        "type": "object",
        "required": ["id", "password"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "password": {"type": "string", "writeOnly": True},
        },
    }
    paths = crud("User", parameter("id", type="integer"), collection="/users")
    assert wrote(new(contract_of(paths, {"User": user}))) == (1, 3, 2)
    assert "password" not in models()


# What is left

LEFT = """\
# A contract that somebody wrote by hand.
openapi: 3.1.0
info: {title: Cellar, version: "1"}
paths:
  /tastings/{tasting-id}/vote:
    post:
      # Votes are final.
      summary: "Vote for a \\"bottle\\""
      parameters:
        - {name: tasting-id, in: path, required: true, schema: {type: integer}}
        - {name: import, in: query, schema: {type: string}}
      requestBody: {required: true, content: {application/json: {schema: {type: object}}}}
      responses: {"204": {description: Counted.}}
  /ping:
    get:
      operationId: cellar.health-check
      responses: {"204": {description: Here.}}
  /secret:
    get:
      operationId: secret
      security: [{token: []}, {key: []}, {user: []}]
      responses: {"204": {description: Here.}}
components:
  securitySchemes:
    token:
      type: http
      scheme: bearer
    key:
      # Ask the office.
      type: apiKey
      in: header
      name: X-Key
    user: {type: http, scheme: basic}
"""


def test_what_no_model_serves_is_a_function_that_answers_501() -> None:
    Path("cellar.yaml").write_text(LEFT, encoding="utf-8")
    assert wrote(new(Path("cellar.yaml"))) == (0, 0, 3)
    text = Path("cellar/cellar/handlers.py").read_text(encoding="utf-8")
    assert (
        'def post_tastings_by_tasting_id_vote(tastingid: Any, body: Any, import_: Any = None) -> Any:\n    """' in text
    )
    assert "Vote for a 'bottle'." in text
    assert '"cellar.health-check": health_check' in text
    assert not Path("cellar/cellar/models.py").exists()
    client = start().test_client()
    for refused in (client.post("/tastings/7/vote", json={}), client.get("/ping")):
        assert (refused.status_code, refused.get_json()["code"]) == (501, "not-implemented")
    readme = Path("cellar/README.md").read_text(encoding="utf-8")
    assert "| `health_check` | `GET /ping` |" in readme
    assert "models.py` |" not in readme


def test_nobody_is_believed_until_somebody_says_who_is_calling() -> None:
    Path("cellar.yaml").write_text(LEFT, encoding="utf-8")
    result = new(Path("cellar.yaml"))
    assert "3 security schemes to write in security.py: until then, 401" in result.stdout
    client = start().test_client()
    for headers in ({}, {"Authorization": "Bearer x"}, {"X-Key": "x"}, {"Authorization": "Basic YTpi"}):
        assert client.get("/secret", headers=headers).status_code == 401
    assert "| `check_token` | `token` | bearer |" in Path("cellar/README.md").read_text(encoding="utf-8")


def test_a_contract_keeps_its_comments_where_a_line_is_all_that_it_gets() -> None:
    text = LEFT.replace("    user: {type: http, scheme: basic}\n", "").replace(", {user: []}", "")
    Path("cellar.yaml").write_text(text, encoding="utf-8")
    new(Path("cellar.yaml"))
    written = Path("cellar/cellar/cellar.yaml").read_text(encoding="utf-8").splitlines()
    assert [line for line in written if line not in text.splitlines()] == [
        '      operationId: "post_tastings_by_tasting_id_vote"',
        '      x-bearerInfoFunc: "cellar.security.check_token"',
        '      x-apikeyInfoFunc: "cellar.security.check_key"',
    ]
    assert [line for line in text.splitlines() if line not in written] == []


def test_a_hook_of_elsewhere_becomes_one_of_the_project() -> None:
    text = LEFT.replace("scheme: bearer", "scheme: bearer\n      x-tokenInfoFunc: old.place.check")
    Path("cellar.yaml").write_text(text, encoding="utf-8")
    new(Path("cellar.yaml"))
    written = yaml.safe_load(Path("cellar/cellar/cellar.yaml").read_text(encoding="utf-8"))
    assert written["components"]["securitySchemes"]["token"]["x-tokenInfoFunc"] == "cellar.security.check_token"
    assert start().test_client().get("/secret", headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_contract_of_several_files_is_copied_with_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "given" / "schemas").mkdir(parents=True)
    bottle = "type: object\nrequired: [id]\nproperties: {id: {type: integer, readOnly: true}}\n"
    (tmp_path / "given" / "schemas" / "bottle.yaml").write_text(bottle, encoding="utf-8")
    file = contract_of(crud("Bottle", parameter("id", type="integer")), {"Bottle": {"$ref": "schemas/bottle.yaml"}})
    file.rename(tmp_path / "given" / "openapi.yaml")
    assert wrote(new(tmp_path / "given" / "openapi.yaml")) == (1, 5, 0)
    assert (tmp_path / "cellar" / "cellar" / "schemas" / "bottle.yaml").read_text(encoding="utf-8") == bottle


def test_a_contract_that_is_wrong_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text("openapi: 3.1.0\ninfo: 7\n", encoding="utf-8")
    result = new(tmp_path / "openapi.yaml")
    assert (result.exit_code, "openapi.yaml:2" in result.stderr) == (1, True), result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["openapi.yaml"]


def test_own_operations_without_users_are_told(tmp_path: Path) -> None:
    login = {"operationId": "demijohn.auth.login", "responses": {"204": {"description": "In."}}}
    result = new(contract_of({"/login": {"post": login}}))
    assert (result.exit_code, "no collection of users" in result.stderr) == (1, True)
    assert not (tmp_path / "cellar").exists()


def test_accounts_are_for_a_project_without_a_contract() -> None:
    result = new(contract_of({}), "cellar", "--accounts")
    assert (result.exit_code, "a contract says itself who logs in" in result.stderr) == (2, True)
