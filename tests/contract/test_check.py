"""What a contract can have wrong, each with its line, and what is only a wrinkle."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demijohn.contract import load
from demijohn.contract.check import EXTENSIONS
from demijohn.errors import ContractError
from demijohn.settings import Settings

if TYPE_CHECKING:
    from tests.contract.conftest import Bench

OK = {"200": {"description": "ok"}}
HEAD = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\n"
OPERATION = "responses: {'200': {description: ok}}"


def yaml(text: str, version: str = "3.0.3") -> str:
    """Return a document whose first line of `text` is line 3."""
    return HEAD.replace("3.0.3", version) + textwrap.dedent(text).lstrip("\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a", "1: the file is not a mapping; write an OpenAPI document"),
        ("", "1: the file is not a mapping; write an OpenAPI document"),
        (
            "info: {}",
            "1: the file has neither a key `openapi` nor a key `swagger`; "
            "allowed are `swagger: '2.0'` and `openapi: 3.0.x`, `3.1.x` or `3.2.x`",
        ),
        (
            "info: {}\nopenapi: 4.0.0",
            "2: found the version `4.0.0` in `openapi`; "
            "allowed are `swagger: '2.0'` and `openapi: 3.0.x`, `3.1.x` or `3.2.x`",
        ),
        (
            "swagger: 2.0",
            "1: found the version `2.0` in `swagger`; "
            "allowed are `swagger: '2.0'` and `openapi: 3.0.x`, `3.1.x` or `3.2.x`",
        ),
        (
            "openapi: 3",
            "1: found the version `3` in `openapi`; "
            "allowed are `swagger: '2.0'` and `openapi: 3.0.x`, `3.1.x` or `3.2.x`",
        ),
        (
            "swagger: '1.2'",
            "1: found the version `1.2` in `swagger`; "
            "allowed are `swagger: '2.0'` and `openapi: 3.0.x`, `3.1.x` or `3.2.x`",
        ),
    ],
)
def test_a_file_that_is_no_contract_is_refused(bench: Bench, text: str, told: str) -> None:
    assert bench.problems(text) == [told]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"none\.yaml:1: this file does not exist"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ContractError, match=r":1: this is not a file"):
        load(tmp_path)
    with pytest.raises(ContractError, match=r"/:1: this is not a file"):
        load(Path("/"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            """
            paths:
              /a:
                get: {operationId: one, responses: {'200': {description: ok}}}
              /b:
                get:
                  operationId: one
                  responses: {'200': {description: ok}}
            """,
            ["8: the operationId `one` is taken by `GET /a`; give each operation its own"],
        ),
        (
            """
            paths:
              /a/{x}:
                get:
                  parameters: [{name: x, in: path, required: true, schema: {type: string}}]
                  responses: {'200': {description: ok}}
              /a/{y}:
                get:
                  parameters: [{name: y, in: path, required: true, schema: {type: string}}]
                  responses: {'200': {description: ok}}
            """,
            ["8: `GET /a/{y}` and `GET /a/{x}` are the same but for a name; describe each operation once"],
        ),
        (
            """
            paths:
              /a/{x:
                get: {responses: {'200': {description: ok}}}
              /a/x}:
                get: {responses: {'200': {description: ok}}}
              /a/{}:
                get: {responses: {'200': {description: ok}}}
              /a/{{x}}:
                get: {responses: {'200': {description: ok}}}
                parameters: [{name: x, in: path, required: true, schema: {}}]
              /{a/b}:
                get: {responses: {'200': {description: ok}}}
                parameters: [{name: a/b, in: path, required: true, schema: {}}]
            """,
            [
                "4: the braces in the path `/a/{x` do not fit; write `/pets/{petId}`",
                "6: the braces in the path `/a/x}` do not fit; write `/pets/{petId}`",
                "8: the braces in the path `/a/{}` do not fit; write `/pets/{petId}`",
                "10: the braces in the path `/a/{{x}}` do not fit; write `/pets/{petId}`",
                "13: the braces in the path `/{a/b}` do not fit; write `/pets/{petId}`",
            ],
        ),
        (
            """
            paths:
              /a/{x}/b/{x}:
                get:
                  responses: {'200': {description: ok}}
                  parameters: [{name: x, in: path, required: true, schema: {}}]
            """,
            ["4: the path `/a/{x}/b/{x}` has `{x}` twice; give each part its own name"],
        ),
        (
            """
            paths:
              a:
                get: {responses: {'200': {description: ok}}}
            """,
            ["4: the path `a` does not start with `/`; write `/a`"],
        ),
        (
            """
            paths:
              /a/{x}:
                get:
                  responses: {'200': {description: ok}}
                  parameters:
                    - name: x
                      in: path
                      schema: {type: string}
                put:
                  responses: {'200': {description: ok}}
                  parameters:
                    - name: x
                      in: path
                      required: false
                      schema: {type: string}
            """,
            ["8: `required` is missing; add it", "16: found `false`; allowed is `true`"],
        ),
        (
            """
            paths:
              /a:
                get:
                  security: [{kee: []}, {key: []}]
                  responses: {'200': {description: ok}}
            components:
              securitySchemes:
                key: {type: apiKey, name: k, in: header}
            """,
            ["6: the security scheme `kee` is not declared; declared are `key`"],
        ),
        (
            """
            paths:
              /a:
                get:
                  responses: {'200': {description: ok}}
            security:
              - kee: []
            components:
              securitySchemes:
                key: {type: magic}
            """,
            [
                "8: the security scheme `kee` is not declared; declare it",
                "11: found `magic`; allowed are `apiKey`, `http`, `oauth2`, `openIdConnect`",
            ],
        ),
        (
            """
            paths:
              /a:
                get:
                  parameters:
                    - name: limit
                      in: query
                      schema:
                        type: integer
                        default: many
                  responses: {'200': {description: ok}}
            """,
            ["11: the default does not fit its schema: found text; allowed is a whole number"],
        ),
        (
            """
            paths:
              /a:
                post:
                  requestBody:
                    content:
                      application/json:
                        schema:
                          $ref: '#/components/schemas/A'
                  responses: {'200': {description: ok}}
            components:
              schemas:
                A:
                  type: object
                  properties:
                    b: {type: array, items: {$ref: '#/components/schemas/B'}, default: [x, {c: 3}]}
                B:
                  type: object
                  properties: {c: {type: string}}
            """,
            ["17: the default does not fit its schema: at `/0` found text; allowed is a mapping"],
        ),
        (
            """
            paths:
              /a:
                get:
                  paramters: []
                  responses:
                    '200': {description: ok}
                    '20': {description: ok}
                  x-fine: true
              /b:
                gett: {}
            """,
            [
                "6: the key `paramters` is not known here; did you mean `parameters`?",
                "9: `20` is no status; write a status such as `200`, a range such as `2XX` or `default`",
                "12: the key `gett` is not known here; did you mean `get`?",
            ],
        ),
        (
            """
            paths:
              /a:
                get:
                  parameters:
                    - {name: x, in: query}
                    - {name: y, in: query, schema: {type: integer}, content: {a/b: {}}}
                  responses: {}
            """,
            [
                "7: `schema` is missing; add it",
                "8: this can be read in two ways; leave out what belongs to only one of them",
                "9: this is empty; write at least one entry",
            ],
        ),
        (
            """
            paths:
              /a:
                get:
                  responses:
                    '200':
                      description: ok
                      content:
                        application/json:
                          schema:
                            type: [string, 'null']
                            minLength: 1.5
            """,
            [
                "12: found a list of types; write one type, and `nullable: true` if it may be null",
                "13: found a number; allowed is a whole number",
            ],
        ),
    ],
)
def test_each_problem_is_told_with_its_line(bench: Bench, text: str, told: list[str]) -> None:
    assert bench.problems(yaml(text)) == told


@pytest.mark.parametrize(
    ("version", "text", "told"),
    [
        (
            "3.0.3",
            """
            paths:
              /a/{x}.{y}:
                get:
                  parameters:
                    - {name: z, in: path, required: true, schema: {type: string}}
                    - {name: y, in: path, required: true, schema: {type: string}}
                  responses: {'200': {description: ok}}
            """,
            [
                "5: the path `/a/{x}.{y}` has `{x}`, which is not declared and is taken as text; "
                "declare `x` with `in: path`",
                "7: the path parameter `z` is not part of the path `/a/{x}.{y}` and is ignored; "
                "write `{z}` in the path, or leave the parameter out",
            ],
        ),
        (
            "3.0.3",
            """
            paths:
              /a/{x}:
                parameters: [{name: x, in: path, required: true, schema: {type: string}}]
                get: {responses: {'200': {description: ok}}}
              /a/{y}:
                parameters: [{name: y, in: path, required: true, schema: {type: string}}]
                put: {responses: {'200': {description: ok}}}
            """,
            ["7: the paths `/a/{y}` and `/a/{x}` are the same but for a name; use one name for both"],
        ),
        (
            "3.0.3",
            """
            paths:
              /a?b=c:
                get: {responses: {'200': {description: ok}}}
              /a#b:
                get: {responses: {'200': {description: ok}}}
            """,
            [
                "4: the path `/a?b=c` holds a `?` or `#`, which no path of a request has; describe parameters",
                "6: the path `/a#b` holds a `?` or `#`, which no path of a request has; describe parameters",
            ],
        ),
        (
            "3.1.0",
            """
            paths:
              /a:
                delete:
                  requestBody:
                    content: {application/json: {}}
            """,
            [
                "5: the operation describes no response; describe at least its success",
                "6: `DELETE /a` has a body, which HTTP gives no meaning; send it as parameters, or with POST",
            ],
        ),
        (
            "3.0.3",
            """
            paths:
              /a:
                get:
                  security: [{auth: [read, write]}]
                  responses: {'200': {description: ok}}
            components:
              securitySchemes:
                auth: {type: oauth2, flows: {implicit: {authorizationUrl: 'https://a.b', scopes: {read: r}}}}
            """,
            ["6: the scheme `auth` declares no scope `write`; declare it in its flows"],
        ),
        (
            "3.0.3",
            """
            paths:
              /a:
                get:
                  security: [{auth: []}]
                  responses: {'200': {description: ok}}
            """,
            ["6: the security scheme `auth` is not declared, nor is any other: nobody can satisfy it; declare it"],
        ),
        (
            "3.0.3",
            """
            paths:
              /a:
                get:
                  parameters:
                    - name: limit
                      in: query
                      schema: {type: integer, default: '20'}
                      example: ten
                  responses:
                    '200':
                      headers: {X-A: {schema: {type: integer}, examples: {one: {value: x}}}}
                      content:
                        application/json:
                          schema: {type: object, properties: {n: {type: integer, example: x}}}
                          examples:
                            good: {value: {n: 1}}
                            bad: {value: {n: a}}
                        application/xml:
                          schema: {type: object}
                          example: <a/>
            """,
            [
                "9: the default is text and is read as `20`; write it without quotes",
                "10: the example does not fit its schema: found text; allowed is a whole number",
                "12: `description` is missing; add it",
                "13: the example `one` does not fit its schema: found text; allowed is a whole number",
                "16: the example does not fit its schema: found text; allowed is a whole number",
                "19: the example `bad` does not fit its schema: at `/n` found text; allowed is a whole number",
            ],
        ),
        (
            "3.1.0",
            """
            paths:
              /a:
                get:
                  responses:
                    '200':
                      description: ok
                      content:
                        application/json:
                          schema:
                            examples: [1, x]
                            type: string
                            format: made-up
            """,
            ["12: the example does not fit its schema: found a number; allowed is text"],
        ),
        (
            "3.0.3",
            """
            tags: [{nme: a}]
            externalDocs: {}
            paths:
              /a:
                get:
                  responses: {'200': {description: ok}}
                  parameters:
                    - {name: x, in: query, schema: {type: string, required: []}, example: a, examples: {b: {value: b}}}
            components:
              schemas: {A: {externalDocs: {url: 3}, xml: {a: b}}}
            """,
            [
                "3: `name` is missing; add it",
                "3: the key `nme` is not known here; did you mean `name`?",
                "4: `url` is missing; add it",
                "10: this is empty; write at least one entry",
                "12: found a number; allowed is text",
                "12: the key `a` is not known here; allowed are `attribute`, `name`, `namespace`, `prefix`, `wrapped`",
            ],
        ),
    ],
)
def test_what_harms_nobody_is_a_wrinkle_with_its_line(bench: Bench, version: str, text: str, told: list[str]) -> None:
    assert sorted(bench.wrinkles(yaml(text, version))) == sorted(told)


def test_a_default_in_quotes_becomes_what_it_means(bench: Bench) -> None:
    schema = bench.schema(
        {"properties": {"n": {"type": "integer", "default": "20"}, "b": {"type": "boolean", "default": "true"}}}
    )
    assert isinstance(schema, dict)
    assert [one["default"] for one in schema["properties"].values()] == [20, True]


@pytest.mark.parametrize("default", ["[1]", "1.5", "x"])
def test_a_default_in_quotes_that_means_something_else_is_an_error(bench: Bench, default: str) -> None:
    document = bench.answering({"type": ["integer", "array"], "items": {"type": "string"}, "default": default})
    assert len(bench.problems(document)) == 1


def test_a_default_that_may_be_null_is_fine(bench: Bench) -> None:
    assert bench.wrinkles(bench.answering({"type": "string", "nullable": True, "default": None}, "3.0.3")) == []


def test_an_undeclared_path_parameter_is_text_and_a_surplus_one_is_dropped(bench: Bench) -> None:
    item = {"get": {"parameters": [{"name": "z", "in": "path", "required": True, "schema": {}}], "responses": OK}}
    (operation,) = bench.contract(bench.document(paths={"/a/{x}": item})).operations
    (found,) = operation.parameters
    assert (found.name, found.required, found.schema) == ("x", True, {"type": "string"})


def test_a_scheme_that_nothing_declares_can_be_satisfied_by_nobody(bench: Bench) -> None:
    contract = bench.contract(bench.document(paths=bench.get(security=[{"a": []}])))
    assert (contract.schemes["a"].kind, contract.schemes["a"].http_scheme) == ("http", None)


def test_one_path_item_may_serve_two_paths(bench: Bench) -> None:
    shared = {"get": {"operationId": "one", "responses": OK}}
    paths = {"/a": {"$ref": "#/components/pathItems/a"}, "/b": {"$ref": "#/components/pathItems/a"}}
    document = bench.document(paths=paths, components={"pathItems": {"a": shared}})
    assert [one.operation_id for one in bench.contract(document).operations] == ["one", "one"]


def test_one_name_may_serve_two_controllers(bench: Bench) -> None:
    paths = {
        path: {"get": {"operationId": "get", "x-openapi-router-controller": path.strip("/"), "responses": OK}}
        for path in ("/a", "/b")
    }
    assert bench.wrinkles(bench.document(paths=paths)) == []


def test_a_path_parameter_in_another_file_must_be_required(bench: Bench) -> None:
    bench.write("name: x\nin: path\nschema: {}", "x.yaml")
    document = bench.document(paths={"/{x}": {"get": {"parameters": [{"$ref": "x.yaml"}], "responses": OK}}})
    assert [str(one) for one in bench.findings(document)] == ["x.yaml:1: `required` is missing; add it"]


def test_an_extension_that_is_almost_one_of_ours_is_told(bench: Bench) -> None:
    text = """
        x-rate-limits: 5 per hour
        x-logo: {url: logo.svg}
        security: [{token: []}]
        paths:
          /notes:
            x-cahce: 60
            get:
              x-onwer: false
              x-codegen-request-body-name: body
              responses:
                "200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}
        components:
          securitySchemes:
            token: {type: http, scheme: bearer, x-bearerInfoFunction: hooks.by_token}
          schemas:
            Note:
              x-resorce: Note
              x-tags: [note]
              type: object
              properties: {x-colunm: {type: string, x-colunm: text}}
              example: {x-cahce: 1}
    """
    assert bench.wrinkles(yaml(text)) == [
        "3: `x-rate-limits` means nothing; did you mean `x-rate-limit`?",
        "8: `x-cahce` means nothing; did you mean `x-cache`?",
        "10: `x-onwer` means nothing; did you mean `x-owner`?",
        "16: `x-bearerInfoFunction` means nothing; did you mean `x-bearerInfoFunc`?",
        "19: `x-resorce` means nothing; did you mean `x-resource`?",
        "22: `x-colunm` means nothing; did you mean `x-column`?",
    ]


def test_the_extensions_are_those_of_the_documentation() -> None:
    page = Path(__file__).parents[2].joinpath("docs/reference/contract.md").read_text(encoding="utf-8")
    table = page.partition("## Extensions")[2].partition("\nOthers are kept")[0]
    keys = {key for line in table.splitlines() for key in re.findall(r"`(x-[\w-]+)", line.partition(" | ")[0])}
    assert keys == set(EXTENSIONS)


def test_strict_makes_wrinkles_problems(bench: Bench) -> None:
    path = bench.write(bench.answering({"type": "string", "example": 3}))
    assert len(load(path).wrinkles) == 1
    with pytest.raises(ContractError, match="the example does not fit its schema"):
        load(path, Settings(strict=True))


def test_wrinkles_do_not_clutter_the_problems(bench: Bench) -> None:
    document = bench.answering({"type": "string", "example": 3, "default": 3})
    with pytest.raises(ContractError) as raised:
        bench.load(document)
    assert len(raised.value.problems) == 1


def test_problems_are_told_all_at_once_in_the_order_of_the_file(bench: Bench) -> None:
    text = yaml(
        """
        paths:
          /b:
            get: {operationId: x, responses: {'200': {description: ok}}}
          /a:
            get:
              operationId: x
              parameters: [{name: q, in: query, schema: {type: strng}}, {$ref: '#/nowhere'}]
              responses: {}
        security: [{none: []}]
        components: {securitySchemes: {a: {type: http, scheme: basic}}}
        """
    )
    findings = bench.findings(text)
    assert [finding.line for finding in findings] == [8, 9, 9, 10, 11]
    assert findings[0].pointer == "/paths/~1a/get/operationId"
    with pytest.raises(ContractError, match=r"^The contract is wrong: 5 problems\napi\.yaml:8: the operationId"):
        bench.load(text)


def test_a_broken_component_counts_if_something_uses_it(bench: Bench) -> None:
    components: dict[str, Any] = {
        "schemas": {"Used": {"type": "strng"}, "Unused": {"type": "strng"}},
        "parameters": {"used": {"name": "x"}, "unused": {"name": "x"}},
    }
    operation = {
        "parameters": [{"$ref": "#/components/parameters/used"}],
        "responses": {
            "200": {"description": "", "content": {"a/b": {"schema": {"$ref": "#/components/schemas/Used"}}}}
        },
    }
    document = bench.document("3.0.3", paths={"/a": {"get": operation}}, components=components)
    assert [(one.pointer, one.wrinkle) for one in bench.findings(document)] == [
        ("/components/schemas/Used/type", False),
        ("/components/schemas/Unused/type", True),
        ("/components/parameters/used", False),
        ("/components/parameters/used", False),
        ("/components/parameters/unused", True),
        ("/components/parameters/unused", True),
    ]


def test_a_broken_webhook_is_a_wrinkle(bench: Bench) -> None:
    document = bench.document(webhooks={"a": {"post": {"paramters": []}}})
    assert "the key `paramters` is not known here" in bench.wrinkles(document)[0]


def test_examples_beside_a_broken_schema_are_checked_all_the_same(bench: Bench) -> None:
    document = bench.answering(
        {
            "properties": {
                "a": {"type": "strng", "example": 1},
                "b": {"type": "string", "example": 1},
                "c": {"type": "string", "example": "fine"},
                "d": {"$ref": "#/components/schemas/D", "example": 1},
            }
        },
        D={},
    )
    assert [(one.pointer.rpartition("properties")[2], one.wrinkle) for one in bench.findings(document)] == [
        ("/a/type", False),
        ("/b/example", True),
    ]


def test_a_document_that_is_large_tells_its_faults_too(bench: Bench) -> None:
    paths: dict[str, Any] = {f"/a{n}": {"get": {"responses": OK, "operationId": f"get{n}"}} for n in range(1200)}
    paths["/a7"]["get"]["paramters"] = []
    paths["/b"] = 3
    schemas: dict[str, Any] = {f"S{n}": {"type": "string"} for n in range(1000)}
    schemas["S3"]["typ"] = 1
    document = bench.document(
        "3.0.3",
        paths=paths,
        components={"schemas": schemas, "links": 3},
        tags=[{"name": "a"}, {"nam": "b"}],
        security=[{}, {"a": 3}],
        externalDocs=3,
    )
    assert [(one.pointer, one.found) for one in bench.findings(document) if "not declared" not in one.found] == [
        ("/paths/~1a7/get/paramters", "the key `paramters` is not known here"),
        ("/paths/~1b", "found a number"),
        ("/components/schemas/S3/typ", "the key `typ` is not known here"),
        ("/components/links", "found a number"),
        ("/tags/1", "`name` is missing"),
        ("/tags/1/nam", "the key `nam` is not known here"),
        ("/security/1/a", "found a number"),
        ("/externalDocs", "found a number"),
    ]


def test_a_fault_far_inside_of_something_large_is_told(bench: Bench) -> None:
    tags: list[Any] = ["t"] * 6000
    tags[5000] = 3
    document = bench.document("3.0.3", paths=bench.get(tags=tags))
    assert [one.found for one in bench.findings(document)] == ["found a number"]
    enum: list[Any] = [{"a": [n]} for n in range(3000)]
    assert bench.problems(bench.answering({"enum": enum, "type": 3})) != []


def test_more_problems_than_anybody_reads_are_cut_short(bench: Bench) -> None:
    paths = {f"/a{n}": {"get": {"responses": {"200": {"$ref": "#/x"}}}} for n in range(1100)}
    problems = bench.problems(bench.document(paths=paths))
    assert len(problems) == 1001
    assert problems[0] == "1: the contract has more than 1,000 problems; correct these first"
    paths = {f"/a{n}?": {"get": {"responses": OK}} for n in range(1100)}
    assert len(bench.load(bench.document(paths=paths)).wrinkles) == 1000


def test_a_finding_is_one_line_whatever_the_contract_says(bench: Bench) -> None:
    document = bench.document(paths={"/a": {"get": {"responses": OK, "evil\n\x1b[31m": 1}}})
    assert bench.problems(document) == [
        "15: the key `evil\\n\\x1b[31m` is not known here; allowed are " + problem_tail()
    ]


def problem_tail() -> str:
    keys = "callbacks deprecated description externalDocs operationId parameters requestBody responses "
    keys += "security servers summary tags"
    return ", ".join(f"`{key}`" for key in keys.split())


def test_deeper_contracts_than_the_checks_can_take_are_refused(bench: Bench) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(150):
        schema = {"properties": {"a": schema}}
    schema["example"] = {}
    with pytest.raises(ContractError, match="the contract is nested too deeply to be checked; flatten it"):
        bench.load(bench.answering(schema), max_contract_depth=400)
