"""Where references lead, and that none leads out of the contract's folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.contract.conftest import Bench

INSIDE = "a reference leads into the contract's own file or into another file below its folder"


def answering(reference: str, version: str = "3.1.0") -> str:
    return f"""
openapi: {version}
info: {{title: t, version: '1'}}
paths:
  /a:
    get:
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
                $ref: "{reference}"
components:
  schemas:
    Pet: {{type: string}}
    a/b~c: {{type: integer}}
    50%: {{type: boolean}}
"""


def schema_of(bench: Bench, reference: str) -> Any:
    contract = bench.contract(answering(reference))
    schema = contract.operations[0].responses["200"].contents[0].schema
    assert isinstance(schema, dict)
    return contract.definitions[schema["$ref"].removeprefix("#/$defs/")]


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("#/components/schemas/Pet", "string"),
        ("#/components/schemas/a~1b~0c", "integer"),
        ("#/components/schemas/a~1b%7E0c", "integer"),
        ("#/components/schemas/50%25", "boolean"),
        ("api.yaml#/components/schemas/Pet", "string"),
        ("./api.yaml#/components/schemas/Pet", "string"),
        ("schemas/pet.yaml", "number"),
        ("./schemas/../schemas/pet.yaml#", "number"),
        ("schemas/deep/more.json#/list/1", "array"),
        ("schemas/with%20blank.yaml", "object"),
    ],
)
def test_a_reference_leads_into_this_or_another_file(bench: Bench, reference: str, kind: str) -> None:
    bench.write("type: number", "schemas/pet.yaml")
    bench.write({"list": [0, {"type": "array"}]}, "schemas/deep/more.json")
    bench.write("type: object", "schemas/with blank.yaml")
    assert schema_of(bench, reference) == {"type": kind}


def test_a_reference_in_another_file_is_relative_to_that_file(bench: Bench) -> None:
    bench.write(
        "properties: {owner: {$ref: '../people/owner.yaml#/Owner'},\n"
        "  pet: {$ref: '../api.yaml#/components/schemas/Pet'}}",
        "pets/pet.yaml",
    )
    bench.write("Owner: {properties: {self: {$ref: '#/Owner'}}}", "people/owner.yaml")
    contract = bench.contract(answering("pets/pet.yaml"))
    assert contract.definitions["pet"] == {
        "properties": {"owner": {"$ref": "#/$defs/Owner"}, "pet": {"$ref": "#/$defs/Pet"}}
    }
    assert contract.definitions["Owner"] == {"properties": {"self": {"$ref": "#/$defs/Owner"}}}
    assert [source.name for source in contract.sources] == ["api.yaml", "pets/pet.yaml", "people/owner.yaml"]


@pytest.mark.parametrize(
    "reference",
    [
        "/etc/passwd",
        "//example.com/a.yaml",
        "file:///etc/passwd",
        "file:a.yaml",
        "http://169.254.169.254/latest",
        "https://example.com/a.yaml#/x",
        "ftp://example.com/a",
        "../outside.yaml",
        "%2e%2e/outside.yaml",
        "schemas/../../outside.yaml",
        "..",
        "link.yaml",
        "folder/outside.yaml",
        "\\\\\\\\host\\\\share",
    ],
)
def test_a_reference_never_leads_out_of_the_folder(bench: Bench, reference: str) -> None:
    bench.write("type: string", "schemas/a.yaml")
    outside = bench.folder.parent / "outside.yaml"
    outside.write_text("type: string")
    (bench.folder / "link.yaml").symlink_to(outside)
    (bench.folder / "folder").symlink_to(bench.folder.parent, target_is_directory=True)
    (problem,) = bench.problems(answering(reference))
    assert problem.startswith("13: `")
    assert problem.endswith(f"leads out of the contract's folder and is not followed; {INSIDE}")


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """Return the address of a server on this machine, and the requests that it got."""
    hits: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"type: string")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", hits
    server.shutdown()
    server.server_close()
    thread.join()


def test_nothing_is_ever_fetched(bench: Bench, listener: tuple[str, list[str]]) -> None:
    address, hits = listener
    document = bench.answering({"$ref": f"{address}/a.yaml"}, Other={"$schema": f"{address}/s", "$id": f"{address}/i"})
    operation = document["paths"]["/a"]["get"]
    operation["parameters"] = [{"$ref": f"{address}/p"}, {"$ref": f"{address.removeprefix('http:')}/p"}]
    operation["requestBody"] = {"$ref": f"{address}/b"}
    operation["callbacks"] = {"done": {"$ref": f"{address}/c"}}
    operation["responses"]["201"] = {"$ref": f"{address}/r"}
    document["paths"]["/b"] = {"$ref": f"{address}/path"}
    document["jsonSchemaDialect"] = f"{address}/dialect"
    document["components"]["examples"] = {"far": {"externalValue": f"{address}/example"}}
    document["components"]["securitySchemes"] = {"far": {"$ref": f"{address}/scheme"}}
    assert len(bench.problems(document)) == 7
    assert hits == []


def test_an_example_elsewhere_is_left_out(bench: Bench, listener: tuple[str, list[str]]) -> None:
    address, hits = listener
    document = bench.answering({"type": "string"})
    media = document["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]
    media["examples"] = {"far": {"externalValue": f"{address}/example"}, "near": {"value": "x"}}
    (operation,) = bench.contract(document).operations
    assert [example.name for example in operation.responses["200"].contents[0].examples] == ["near"]
    assert hits == []


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("#/components/schemas/Pat", "leads nowhere: the contract has no `Pat` there; did you mean `Pet`?"),
        ("#/components/nothing/Pet", "leads nowhere: the contract has no `nothing` there; name a value that exists"),
        ("#/info/title/x", "leads nowhere: the contract has no `x` there; name a value that exists"),
        ("#/paths/7", "leads nowhere: the contract has no `7` there; name a value that exists"),
        (
            "#nowhere",
            "leads nowhere: no `$anchor` has the name `nowhere`; "
            "name an anchor, or write a pointer such as `#/components/schemas/Pet`",
        ),
        ("more.yaml#/x", "leads nowhere: `more.yaml` has no `x` there; did you mean `xy`?"),
        ("more.yaml#/list/4", "leads nowhere: `more.yaml` has no `4` there; name a value that exists"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told_with_its_line(bench: Bench, reference: str, told: str) -> None:
    bench.write("xy: {}\nlist: [1]", "more.yaml")
    assert bench.problems(answering(reference)) == [f"13: `{reference}` {told}"]


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("none.yaml#/x", f"`none.yaml` leads nowhere: there is no such file; {INSIDE}"),
        ("schemas", f"`schemas` leads nowhere: there is no such file; {INSIDE}"),
        ("a%00b.yaml", f"`a%00b.yaml` is not the name of a file; {INSIDE}"),
        ("http://[x", f"`http://[x` is not a reference; {INSIDE}"),
        ("a" * 300, f"`{'a' * 77}...` is not the name of a file; {INSIDE}"),
    ],
)
def test_a_file_that_is_not_there_is_told(bench: Bench, reference: str, told: str) -> None:
    bench.write("{}", "schemas/a.yaml")
    assert bench.problems(answering(reference)) == [f"13: {told}"]


def test_a_file_that_is_broken_is_told_with_its_own_line_once(bench: Bench) -> None:
    bench.write("a: 1\na: 2", "more.yaml")
    text = answering("more.yaml").partition("    a/b")[0]
    text += "    Other:\n      items: {$ref: more.yaml}\n      properties: {x: {$ref: more.yaml#/a}}\n"
    path = bench.write(text)
    findings = [str(finding) for finding in bench.findings(text)]
    assert path.name == "api.yaml"
    reason = "`more.yaml` cannot be read: the key `a` was already written on line 1; correct that file"
    assert findings == [
        f"api.yaml:13: {reason}",
        f"api.yaml:18: {reason}",
        f"api.yaml:19: {reason}",
        "more.yaml:2: the key `a` was already written on line 1; write each key once",
    ]


def test_the_limits_hold_for_all_files_together(bench: Bench) -> None:
    bench.write("{type: string, description: '" + "x" * 600 + "'}", "big.yaml")
    text = answering("big.yaml")
    assert bench.load(text, max_contract_bytes=len(text) + 700)
    with pytest.raises(Exception, match=r"big.yaml:1: the file has 631 bytes; allowed are 100 \(max_contract_bytes\)"):
        bench.load(text, max_contract_bytes=len(text) + 100)
    bench.write("[" + "0," * 50 + "0]", "big.yaml")
    with pytest.raises(Exception, match=r"big.yaml:1: the contract has more than [0-9]+ values"):
        bench.load(text, max_contract_nodes=60)


def test_a_chain_of_references_is_followed_and_a_loop_is_told(bench: Bench) -> None:
    parameters = {
        "one": {"$ref": "#/components/parameters/two"},
        "two": {"$ref": "#/components/parameters/three"},
        "three": {"name": "x", "in": "query", "schema": {"type": "string"}},
        "a": {"$ref": "#/components/parameters/b"},
        "b": {"$ref": "#/components/parameters/a"},
    }
    paths = bench.get(parameters=[{"$ref": "#/components/parameters/one"}])
    document = bench.document(paths=paths, components={"parameters": parameters})
    assert [parameter.name for parameter in bench.contract(document).operations[0].parameters] == ["x"]
    document = bench.document(
        paths=bench.get(parameters=[{"$ref": "#/components/parameters/a"}]), components={"parameters": parameters}
    )
    (problem,) = bench.problems(document)
    assert "is a reference that leads back to itself; let the chain end in a value" in problem


def test_a_schema_that_is_only_a_loop_of_references_is_told(bench: Bench) -> None:
    loops: dict[str, Any] = {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}
    problems = bench.problems(bench.answering({"$ref": "#/components/schemas/A"}, **loops))
    assert len(problems) == 1
    assert "leads back to itself" in problems[0]
    own: dict[str, Any] = {"A": {"$ref": "#/components/schemas/A"}}
    assert "leads back to itself" in bench.problems(bench.answering({"$ref": "#/components/schemas/A"}, **own))[0]


def test_an_absolute_id_inside_of_the_documents_is_found(bench: Bench) -> None:
    _, definitions = bench.schemas(
        {"$ref": "https://example.com/schemas/pet"},
        Pet={
            "$id": "https://example.com/schemas/pet",
            "properties": {
                "owner": {"$ref": "owner"},
                "again": {"$ref": "#"},
                "tag": {"$ref": "#/$defs/tag"},
                "anchored": {"$ref": "#label"},
                "far": {"$ref": "https://example.com/schemas/owner#name"},
                "lenient": {"$ref": "#/components/schemas/Owner"},
            },
            "$defs": {"tag": {"type": "integer"}, "label": {"$anchor": "label", "type": "string"}},
        },
        Owner={"$id": "https://example.com/schemas/owner", "$defs": {"n": {"$anchor": "name", "const": 1}}},
    )
    pet = definitions["Pet"]
    assert isinstance(pet, dict)
    assert {name: schema["$ref"] for name, schema in pet["properties"].items()} == {
        "owner": "#/$defs/Owner",
        "again": "#/$defs/Pet",
        "tag": "#/$defs/Pet.tag",
        "anchored": "#/$defs/Pet.label",
        "far": "#/$defs/Owner.n",
        "lenient": "#/$defs/Owner",
    }
    assert definitions["Pet.label"] == {"type": "string"}
    assert definitions["Owner.n"] == {"const": 1}


def test_an_id_in_data_means_nothing(bench: Bench) -> None:
    problems = bench.problems(
        bench.answering({"$ref": "https://example.com/x"}, A={"default": {"$id": "https://example.com/x"}})
    )
    assert "leads out of the contract's folder" in problems[0]


def test_a_property_that_is_named_like_data_may_hold_an_anchor(bench: Bench) -> None:
    _, definitions = bench.schemas(
        {"$ref": "#here"}, A={"properties": {"default": {"$anchor": "here", "type": "null"}}}
    )
    assert definitions["A.default"] == {"type": "null"}


def test_a_dynamic_reference_leads_to_its_first_target(bench: Bench) -> None:
    _, definitions = bench.schemas(
        {"$ref": "#/components/schemas/Tree"},
        Tree={"$dynamicAnchor": "node", "properties": {"children": {"items": {"$dynamicRef": "#node"}}}},
    )
    assert definitions["Tree"] == {"properties": {"children": {"items": {"$ref": "#/$defs/Tree"}}}}


def test_the_identity_of_a_document_of_3_2_is_its_own(bench: Bench) -> None:
    document = bench.answering({"$ref": "https://example.com/api#/components/schemas/A"}, "3.2.0", A={"type": "null"})
    contract = bench.contract({**document, "$self": "https://example.com/api"})
    assert contract.definitions == {"A": {"type": "null"}}


def test_a_whole_file_is_known_by_its_id(bench: Bench) -> None:
    bench.write(
        {"$id": "https://example.com/pet", "properties": {"next": {"$ref": "https://example.com/pet"}}}, "pet.json"
    )
    contract = bench.contract(answering("pet.json"))
    assert contract.definitions["pet"] == {"properties": {"next": {"$ref": "#/$defs/pet"}}}


def test_a_path_item_a_response_and_a_body_may_stand_in_other_files(bench: Bench) -> None:
    bench.write(
        "post:\n  operationId: add\n  requestBody: {$ref: 'parts.yaml#/body'}\n"
        "  responses: {'201': {$ref: 'parts.yaml#/made'}}\n",
        "paths/pets.yaml",
    )
    bench.write(
        "body: {content: {application/json: {schema: {$ref: '#/Pet'}}}}\n"
        "made: {description: made, headers: {x-count: {$ref: '#/count'}}}\n"
        "count: {schema: {type: integer}}\nPet: {type: object}\n",
        "paths/parts.yaml",
    )
    (operation,) = bench.contract(bench.document(paths={"/pets": {"$ref": "paths/pets.yaml"}})).operations
    assert operation.body is not None
    assert operation.body.contents[0].schema == {"$ref": "#/$defs/Pet"}
    assert [header.name for header in operation.responses["201"].headers] == ["x-count"]
    assert (operation.place.file, operation.place.pointer) == ("paths/pets.yaml", "/post")


def test_a_part_in_another_file_is_checked_for_what_it_is(bench: Bench) -> None:
    bench.write("name: x\nin: qery\nschema: {type: strng}", "parameter.yaml")
    bench.write("- 1", "list.yaml")
    document = bench.document("3.0.3", paths=bench.get(parameters=[{"$ref": "parameter.yaml"}, {"$ref": "list.yaml"}]))
    assert [str(finding) for finding in bench.findings(document)] == [
        "list.yaml:1: found a list; allowed is a mapping",
        "parameter.yaml:2: found `qery`; allowed are `path`, `query`, `header`, `cookie`; did you mean `query`?",
        "parameter.yaml:3: found `strng`; allowed are `array`, `boolean`, `integer`, `number`, `object`, `string`; "
        "did you mean `string`?",
    ]
