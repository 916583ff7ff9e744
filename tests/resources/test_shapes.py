"""What an operation is on a model: found from method, path, schemas and parameters, or refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from laying import Laid, lay, tree
from sqlalchemy import JSON, Boolean, Enum, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from demijohn.resources.model import AnyColumn
from demijohn.resources.shape import Parent
from demijohn.settings import Settings

HERE = __name__


class Base(DeclarativeBase): ...


class Company(Base):
    __tablename__ = "companies"
    code: Mapped[str] = mapped_column(String(10), primary_key=True)


class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(50), unique=True)
    name: Mapped[str] = mapped_column(String(50))
    password: Mapped[str] = mapped_column(String(50), default="")
    active: Mapped[bool | None] = mapped_column(Boolean)
    mood: Mapped[str | None] = mapped_column(Enum("glad", "sad"))
    notes: Mapped[Any] = mapped_column(JSON, nullable=True)
    company_code: Mapped[str | None] = mapped_column(ForeignKey("companies.code"))
    addresses: Mapped[list[Address]] = relationship()


class Address(Base):
    __tablename__ = "address"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    city: Mapped[str] = mapped_column(String(50))


class Room(Base):
    __tablename__ = "room"
    id: Mapped[int] = mapped_column(primary_key=True)
    address_id: Mapped[int] = mapped_column(ForeignKey("address.id"))


class Profile(Base):
    __tablename__ = "profile"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), unique=True)


class Membership(Base):
    __tablename__ = "membership"
    user_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    group: Mapped[str] = mapped_column(String(10), primary_key=True)


class Letter(Base):
    __tablename__ = "letter"
    __table_args__ = (UniqueConstraint("author_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    author_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("people.id"))


SCHEMAS = """
components:
  schemas:
    Person:
      type: object
      required: [id, email, name]
      properties:
        id: {type: integer, readOnly: true}
        email: {type: string, maxLength: 50}
        name: {type: string, maxLength: 50}
        password: {type: string, maxLength: 50, writeOnly: true}
        active: {type: boolean}
        mood: {enum: [glad, sad]}
        notes: {type: object}
    Address: {type: object, required: [id], properties: {id: {type: integer, readOnly: true}, city: {type: string}}}
    Room: {type: object, properties: {id: {type: integer}}}
    Profile: {type: object, properties: {id: {type: integer}}}
    Membership: {type: object, properties: {group: {type: string}}}
    Letter: {type: object, properties: {id: {type: integer}}}
    Company: {type: object, properties: {code: {type: string}}}
    Token: {type: object, properties: {token: {type: string}}}
"""
INTEGERS = {"id", "person_id", "personId", "person", "address_id", "author_id", "user_id", "number", "room_id"}
WRITES = {"post", "put", "patch"}


def operation(path: str, method: str, schema: str = "", *, many: bool = False, more: str = "", status: str = "") -> str:
    """Return an operation in YAML; `schema` is what it answers, and takes."""
    names = [one.partition("}")[0] for one in path.split("{")[1:]]
    parameters = [
        f"{{name: {name}, in: path, required: true, schema: {{type: {'integer' if name in INTEGERS else 'string'}}}}}"
        for name in names
    ]
    written = f"{{$ref: '#/components/schemas/{schema}'}}" if schema[:1] not in ("", "{") else schema
    content = f"content: {{application/json: {{schema: {written}}}}}"
    answer = f"content: {{application/json: {{schema: {{type: array, items: {written}}}}}}}" if many else content
    status = status or {"post": "201", "delete": "204"}.get(method, "200")
    lines = [f"    {method}:", f"      parameters: [{', '.join([*parameters, more] if more else parameters)}]"]
    if method in WRITES and schema:
        lines.append(f"      requestBody: {{required: true, {content}}}")
    lines.append(f"      responses: {{'{status}': {{description: ok{', ' + answer if schema else ''}}}}}")
    return "\n".join(lines)


def paths(*operations: tuple[Any, ...], **options: Any) -> Laid:
    """Lay operations, each `("GET /people", "Person", {...})`; lists end with `[]`: `Person[]`."""
    by_path: dict[str, list[str]] = {}
    for name, schema, *rest in operations:
        method, path = name.split()
        many = schema.endswith("[]")
        text = operation(path, method.lower(), schema.removesuffix("[]"), many=many, **(rest[0] if rest else {}))
        by_path.setdefault(path, []).append(text)
    lines = [f"  {path}:\n" + "\n".join(texts) for path, texts in by_path.items()]
    return lay("paths:\n" + "\n".join(lines) + SCHEMAS, Base, **options)


def listing(parameters: str, **options: Any) -> Laid:
    return paths(("GET /people", "Person[]", {"more": parameters}), **options)


def query(*names: str, schema: str = "{type: string}") -> str:
    return ", ".join(f"{{name: {name}, in: query, schema: {schema}}}" for name in names)


def told(laid: Laid) -> list[str]:
    return [one.partition(": ")[2] for one in laid.problems]


def warned(laid: Laid) -> list[str]:
    return [one.partition(": ")[2] for one in laid.warnings]


# Actions


@pytest.mark.parametrize(
    ("name", "schema", "act", "status"),
    [
        ("GET /people", "Person[]", "list", 200),
        ("GET /people/{id}", "Person", "read", 200),
        ("POST /people", "Person", "create", 201),
        ("PUT /people/{id}", "Person", "replace", 200),
        ("PATCH /people/{id}", "Person", "patch", 200),
    ],
)
def test_method_path_and_schema_tell_the_act(name: str, schema: str, act: str, status: int) -> None:
    laid = paths((name, schema))
    shape = laid.shape(name)
    assert laid.problems == []
    assert (shape.act, shape.model.name, shape.status, shape.bulk) == (act, "Person", status, False)
    assert tree(shape.view) == ["id", "email", "name", "active", "mood", "notes"]
    assert (shape.body is not None) == (act in ("create", "replace", "patch"))


def test_a_delete_has_the_model_of_its_siblings() -> None:
    laid = paths(("GET /humans/{id}", "Person"), ("DELETE /humans/{id}", ""))
    shape = laid.shape("DELETE /humans/{id}")
    assert (shape.act, shape.model.name, shape.status, shape.view) == ("delete", "Person", 204, None)
    assert [key.column.name for key in shape.keys] == ["id"]


def test_an_operation_has_the_model_of_its_collection_or_else_of_its_path() -> None:
    laid = paths(
        ("GET /humans", "Person[]"),
        ("DELETE /humans/{id}", ""),
        ("DELETE /people/{id}", ""),
        ("DELETE /rooms/{id}", ""),
    )
    names = [laid.shape(f"DELETE /{one}/{{id}}").model.name for one in ("humans", "people", "rooms")]
    assert names == ["Person", "Person", "Room"]


def test_a_create_may_answer_nothing_and_take_many() -> None:
    laid = lay(
        """
paths:
  /people:
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: array, items: {$ref: '#/components/schemas/Person'}}
      responses: {"204": {description: ok}}
"""
        + SCHEMAS,
        Base,
    )
    shape = laid.shape("POST /people")
    assert (shape.bulk, shape.status, shape.view, shape.item) == (True, 204, None, None)
    assert tree(shape.body) == ["email", "name", "password", "active", "mood", "notes"]


def test_a_replace_creates_where_201_is_documented() -> None:
    content = "content: {application/json: {schema: {$ref: '#/components/schemas/Company'}}}"
    laid = lay(
        f"""
paths:
  /companies/{{code}}:
    put:
      parameters: [{{name: code, in: path, required: true, schema: {{type: string}}}}]
      requestBody: {{required: true, {content}}}
      responses: {{"200": {{description: ok, {content}}}, "201": {{description: new, {content}}}}}
"""
        + SCHEMAS,
        Base,
    )
    shape = laid.shape("PUT /companies/{code}")
    assert (shape.status, shape.created_status) == (200, 201)


def test_a_replace_whose_two_answers_differ_is_an_error() -> None:
    content = "content: {application/json: {schema: {$ref: '#/components/schemas/Company'}}}"
    laid = lay(
        f"""
paths:
  /companies/{{code}}:
    put:
      parameters: [{{name: code, in: path, required: true, schema: {{type: string}}}}]
      requestBody: {{required: true, {content}}}
      responses: {{"200": {{description: ok, {content}}}, "201": {{description: new}}}}
"""
        + SCHEMAS,
        Base,
    )
    assert told(laid) == ["201 and 200 answer different schemas; give both the same"]


def test_x_resource_names_model_and_act() -> None:
    laid = lay(
        """
paths:
  /login/{id}:
    x-resource: Person
    get:
      parameters: [&id {name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {properties: {name: {type: string}}}}}}
    put:
      x-resource: Person.patch
      parameters: [*id]
      requestBody:
        required: true
        content: {application/json: {schema: {properties: {name: {type: string, maxLength: 50}}}}}
      responses: {"204": {description: ok}}
""",
        Base,
    )
    assert tree(laid.shape("GET /login/{id}").view) == ["name"]
    shape = laid.shape("PUT /login/{id}")
    assert (shape.act, shape.media_types, shape.status) == ("patch", {"application/json": "merge"}, 204)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("Persn", "`x-resource: Persn` names no model; did you mean `Person`?"),
        ("Persn.read", "`x-resource: Persn.read` names no model; did you mean `Person`?"),
        (
            "Person.raed",
            "`x-resource: Person.raed`: allowed after `Person.` are `list`, `read`, `create`, `replace`, `patch`, "
            "`delete`",
        ),
        ("Person.delete", "GET cannot delete"),
        ("Person.list", "its answer is no list"),
    ],
)
def test_a_wrong_x_resource_is_the_reason(written: str, reason: str) -> None:
    text = f"paths:\n  /people/{{id}}:\n    x-resource: {written}\n{operation('/people/{id}', 'get', 'Person')}"
    assert lay(text + SCHEMAS, Base).reason("GET /people/{id}") == reason


@pytest.mark.parametrize(
    ("name", "schema", "options", "reason"),
    [
        ("GET /token", "Token", {}, "neither its schemas nor its path name a model that was handed over"),
        ("GET /health", "", {}, "neither its schemas nor its path name a model that was handed over"),
        ("GET /people", "", {}, "its answer has no body"),
        ("GET /people/me", "Person", {}, "its path does not say which Person"),
        ("DELETE /people", "", {}, "its path does not say which Person"),
        ("PUT /people", "Person", {}, "its path does not say which Person"),
        ("GET /people/{id}", "Person[]", {}, "its path names one Person, and it would list"),
        ("POST /people/{id}", "Person", {}, "its path names one Person, and it would create"),
        ("POST /people", "", {}, "it takes no body"),
        ("POST /people", "Person[]", {}, "it takes one and answers many"),
        ("GET /people/{id}", "Person", {"status": "206"}, "its only success is 206"),
        (
            "POST /login",
            "Person",
            {"status": "200"},
            "its path is no collection of Person, and it does not answer 201",
        ),
        ("HEAD /people/{id}", "Person", {}, "HEAD is nothing on a model"),
        (
            "GET /people/{name}",
            "Person",
            {},
            f"`{{name}}` may name several rows of {HERE}.Person: no key or unique constraint says otherwise",
        ),
        ("GET /people/{nick}", "Person", {}, f"`{{nick}}` is no column of {HERE}.Person"),
        (
            "GET /moons/{moon}/people",
            "Person[]",
            {},
            f"`{{moon}}` names no row that {HERE}.Person refers to (`{{moon}}` is no column of {HERE}.Company)",
        ),
        (
            "GET /people/{id}/letters",
            "Letter[]",
            {},
            f"several foreign keys of {HERE}.Letter may be meant by `{{id}}`",
        ),
    ],
)
def test_what_is_no_resource_has_a_reason(name: str, schema: str, options: Any, reason: str) -> None:
    laid = paths((name, schema, options))
    assert laid.reason(name) == reason
    assert laid.problems == []


def test_a_body_and_an_answer_of_two_models_are_no_resource() -> None:
    text = operation("/people", "post", "Person").replace("Person'}}}}\n", "Room'}}}}\n", 1)
    reason = lay(f"paths:\n  /people:\n{text}{SCHEMAS}", Base).reason("POST /people")
    assert reason == "it takes Room and answers Person"


def test_only_the_operations_that_are_asked_for_are_reported_on() -> None:
    from demijohn.resources.shapes import shapes_of

    laid = listing(query("moon"))
    assert len(laid.problems) == 1
    problems: list[str] = []

    def report(place: object, found: str, allowed: str) -> None:
        problems.append(found)

    assert shapes_of(laid.contract, laid.models, laid.dialect, Settings(), report, report, ()) == {}
    assert problems == []


# Paths


@pytest.mark.parametrize("name", ["id", "person_id", "personId", "person", "people_id", "email"])
def test_a_row_is_named_by_any_unique_column(name: str) -> None:
    text = operation(f"/people/{{{name}}}", "get", "Person")
    kind = "string" if name == "email" else "integer"
    text = text.replace("schema: {type: string}", f"schema: {{type: {kind}}}", 1)
    laid = lay(f"paths:\n  /people/{{{name}}}:\n{text}{SCHEMAS}", Base)
    (key,) = laid.shape(f"GET /people/{{{name}}}").keys
    assert (key.column.name, key.slot, key.field.name) == ("email" if name == "email" else "id", 0, name)


def test_x_column_of_a_parameter_names_the_column() -> None:
    text = operation("/people/{who}", "get", "Person").replace("{type: string}", "{type: string, x-column: email}", 1)
    laid = lay(f"paths:\n  /people/{{who}}:\n{text}{SCHEMAS}", Base)
    assert [key.column.name for key in laid.shape("GET /people/{who}").keys] == ["email"]


def test_a_row_may_be_named_by_several_columns() -> None:
    path = "/memberships/{user_id}/{group}"
    laid = paths((f"GET {path}", "Membership"), (f"DELETE {path}", ""))
    shape = laid.shape(f"DELETE {path}")
    assert [(key.column.name, key.slot) for key in shape.keys] == [("user_id", 0), ("group", 1)]
    assert shape.parent is None


def test_a_parameter_of_another_type_than_the_column_is_an_error() -> None:
    text = operation("/people/{id}", "get", "Person").replace("{type: integer}", "{type: string}", 1)
    laid = lay(f"paths:\n  /people/{{id}}:\n{text}{SCHEMAS}", Base)
    assert laid.of("GET /people/{id}") is None
    (problem,) = told(laid)
    assert problem.startswith(f"`id` does not go with {HERE}.Person.id: ")


def chain(parent: Parent | None) -> list[tuple[str, list[str], list[tuple[str, str]]]]:
    """Return models, key columns and pairs from the nearest item above upwards."""
    found = []
    while parent is not None:
        on = [(str(one), str(other)) for one, other in parent.on]
        found.append((parent.model.name, [key.column.name for key in parent.keys], on))
        parent = parent.parent
    return found


@pytest.mark.parametrize(
    ("name", "schema", "keys", "above"),
    [
        (
            "GET /people/{id}/addresses",
            "Address[]",
            [],
            [("Person", ["id"], [("address.person_id", "people.id")])],
        ),
        (
            "GET /people/{email}/addresses/{id}",
            "Address",
            ["id"],
            [("Person", ["email"], [("address.person_id", "people.id")])],
        ),
        (
            "GET /companies/{code}/people/{email}/addresses/{address_id}/rooms/{id}",
            "Room",
            ["id"],
            [
                ("Address", ["id"], [("room.address_id", "address.id")]),
                ("Person", ["email"], [("address.person_id", "people.id")]),
                ("Company", ["code"], [("people.company_code", "companies.code")]),
            ],
        ),
        (
            "GET /authors/{author_id}/letters",
            "Letter[]",
            [],
            [("Person", ["id"], [("letter.author_id", "people.id")])],
        ),
        ("GET /letters/{author_id}/{number}", "Letter", ["author_id", "number"], []),
        (
            "GET /{code}/people/{id}",
            "Person",
            ["id"],
            [("Company", ["code"], [("people.company_code", "companies.code")])],
        ),
        ("GET /v1/people/{id}", "Person", ["id"], []),
        ("GET /people/{id}/profile", "Profile", [], [("Person", ["id"], [("profile.person_id", "people.id")])]),
    ],
)
def test_a_path_leads_down_along_foreign_keys(name: str, schema: str, keys: list[str], above: Any) -> None:
    laid = paths((name, schema))
    assert laid.problems == []
    shape = laid.shape(name)
    assert ([key.column.name for key in shape.keys], chain(shape.parent)) == (keys, above)


def names_of(item: Any) -> Any:
    assert item is not None
    path, names = item
    return path, {name: one if isinstance(one, int) else one.name for name, one in names.items()}


def test_a_created_row_has_the_address_of_the_operation_that_reads_one() -> None:
    laid = paths(
        ("POST /people", "Person"),
        ("GET /people/{email}", "Person"),
        ("POST /addresses", "Address"),
        ("POST /people/{id}/addresses", "Address"),
        ("GET /people/{person_id}/addresses/{address_id}", "Address"),
        ("POST /rooms", "Room"),
    )
    assert names_of(laid.shape("POST /people").item) == ("/people/{email}", {"email": "email"})
    assert laid.shape("POST /rooms").item is None
    address = "/people/{person_id}/addresses/{address_id}"
    # Below the same person, its parameter; elsewhere the column that refers to the person.
    assert names_of(laid.shape("POST /people/{id}/addresses").item) == (address, {"address_id": "id", "person_id": 0})
    own = paths(("POST /addresses", "Address"), (f"GET {address}", "Address"))
    assert names_of(own.shape("POST /addresses").item)[1] == {"address_id": "id", "person_id": "person_id"}


def test_the_address_below_the_same_item_is_preferred() -> None:
    laid = paths(
        ("POST /addresses", "Address"),
        ("POST /people/{id}/addresses", "Address"),
        ("GET /people/{person_id}/addresses/{address_id}", "Address"),
        ("GET /addresses/{address_id}", "Address"),
    )
    assert names_of(laid.shape("POST /addresses").item)[0] == "/addresses/{address_id}"
    above = names_of(laid.shape("POST /people/{id}/addresses").item)[0]
    assert above == "/people/{person_id}/addresses/{address_id}"


# Parameters of lists


def column_of(one: AnyColumn | None) -> str | None:
    return one.name if one is not None else None


def test_parameters_play_the_parts_of_their_names() -> None:
    laid = listing(
        "{name: offset, in: query, schema: {type: integer, minimum: 0}}, "
        "{name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 50, default: 10}}, "
        + query("sort", "q", "fields", "include")
    )
    options = laid.shape("GET /people").options
    assert laid.problems == []
    assert (options.offset, options.limit, options.q, options.fields, options.include) == (0, 1, 3, 4, 5)
    assert (options.default_limit, options.max_limit) == (10, 50)
    assert options.sort is not None
    assert (options.sort.slot, list(options.sort.fields)) == (2, ["id", "email", "name", "active", "mood"])
    assert [one.name for one in options.q_fields] == ["email", "name"]


@pytest.mark.parametrize("size", ["per_page", "page_size", "limit"])
def test_pages_have_a_size_by_either_name(size: str) -> None:
    options = listing(query("page", size, schema="{type: integer}")).shape("GET /people").options
    assert (options.page, options.limit, options.default_limit, options.max_limit) == (0, 1, 20, 100)


def test_a_list_without_paging_gives_as_much_as_may_be_and_warns() -> None:
    laid = listing(query("q"), settings=Settings(max_limit=30))
    options = laid.shape("GET /people").options
    assert (options.default_limit, options.max_limit) == (30, 30)
    assert warned(laid) == [
        "the list ends after 30 items, and no parameter leads on; "
        "declare `limit` and `offset`, `page` and `per_page`, or `cursor`"
    ]


def test_max_items_is_a_limit() -> None:
    text = operation("/people", "get", "Person", many=True, more=query("limit", "offset", schema="{type: integer}"))
    laid = lay(f"paths:\n  /people:\n{text.replace('type: array,', 'type: array, maxItems: 7,')}{SCHEMAS}", Base)
    options = laid.shape("GET /people").options
    assert (options.default_limit, options.max_limit) == (7, 7)


@pytest.mark.parametrize(
    ("name", "schema", "operator", "column"),
    [
        ("name", "{type: string}", "eq", "name"),
        ("id__gte", "{type: integer}", "gte", "id"),
        ("email__ne", "{type: string}", "ne", "email"),
        ("id__in", "{type: array, items: {type: integer}}", "in", "id"),
        ("mood", "{type: array, items: {enum: [glad]}}", "in", "mood"),
        ("name__icontains", "{type: string}", "icontains", "name"),
        ("active__isnull", "{type: boolean}", "isnull", "active"),
        ("company_code", "{type: string}", "eq", "company_code"),
        ("who", "{type: string, x-column: email}", "eq", "email"),
        ("since__gt", "{type: integer, x-column: id}", "gt", "id"),
        ("limit", "{type: string, x-column: name}", "eq", "name"),
    ],
)
def test_columns_are_filtered_by_their_names(name: str, schema: str, operator: str, column: str) -> None:
    laid = listing(query(name, schema=schema))
    assert laid.problems == []
    (found,) = laid.shape("GET /people").options.filters
    assert (found.name, found.slot, found.operator, column_of(found.field.column)) == (name, 0, operator, column)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            query("nmae"),
            f"the parameter `nmae` is no convention of lists, and no column of {HERE}.Person; "
            "did you mean `name`? (`x-column` names another column)",
        ),
        (
            query("ofset"),
            f"the parameter `ofset` is no convention of lists, and no column of {HERE}.Person; "
            "did you mean `offset`? (`x-column` names another column)",
        ),
        (query("name__contain"), "`name__contain`: there is no operator `contain`; did you mean `contains`?"),
        (
            query("name__x"),
            "`name__x`: there is no operator `x`; allowed are `contains`, `eq`, `gt`, `gte`, `icontains`, `in`, "
            "`isnull`, `lt`, `lte`, `ne`, `startswith`",
        ),
        (query("password"), "`password` would tell what `password` holds, which is `writeOnly`; leave it out"),
        (
            query("id__contains", schema="{type: integer}"),
            f"`id__contains` cannot compare {HERE}.Person.id: it is of kind integer; leave it out",
        ),
        (
            query("mood__gt", schema="{enum: [glad]}"),
            f"`mood__gt` cannot compare {HERE}.Person.mood: it is of kind enum; leave it out",
        ),
        (
            query("notes", schema="{type: object}"),
            f"`notes` cannot compare {HERE}.Person.notes: it is of kind json; leave it out",
        ),
        (
            query("notes__contains", schema="{type: boolean}"),
            "`notes__contains` names an item of arrays, and is boolean; allowed is `type: string` or `type: integer`",
        ),
        (
            query("id"),
            f"`id` does not go with {HERE}.Person.id: ",
        ),
        (
            query("id__in", schema="{type: integer}"),
            "`id__in` is integer; `__in` takes a list: `type: array`; no other operator does",
        ),
        (query("id__isnull", schema="{type: integer}"), "`id__isnull` asks yes or no; allowed is `type: boolean`"),
        (query("limit"), "`limit` of a list is string; allowed is `type: integer`"),
        (
            query("sort", schema="{type: integer}"),
            "`sort` of a list is integer; allowed is `type: string` or `type: array`",
        ),
        (
            query("limit", "per_page", schema="{type: integer}"),
            "`per_page` means the same as `limit`; declare one of them",
        ),
        (
            query("page", "offset", schema="{type: integer}"),
            "`page` and `offset` are two ways through one list; declare one of them",
        ),
        (
            query("sort", schema="{enum: [name, -agee]}"),
            "`sort` offers `agee`, which is no property of the answers that can be sorted by; leave it out",
        ),
        (
            query("sort", schema="{type: string, default: -nam}"),
            "the default of `sort` is `-nam`, which is nothing to sort by; did you mean `name`?",
        ),
        (
            query("fields", schema="{type: array, items: {enum: [id, nam]}}"),
            "`fields` offers `nam`, which is no property of the answers; did you mean `name`?",
        ),
        (
            query("q", schema="{type: string, x-columns: [moon]}"),
            f"`x-columns` of `q`: `moon` is no column of {HERE}.Person that may be searched; did you mean `mood`?",
        ),
        (
            query("who", schema="{type: string, x-column: mail}"),
            f"`x-column: mail` of `who` names no column of {HERE}.Person; did you mean `email`?",
        ),
    ],
)
def test_a_parameter_that_would_do_nothing_or_something_else_is_an_error(parameters: str, said: str) -> None:
    laid = listing(parameters)
    (problem,) = told(laid)
    assert problem.startswith(said)
    assert laid.of("GET /people") is None


def test_q_searches_the_columns_that_it_names() -> None:
    laid = listing(query("q", schema="{type: string, x-columns: [name, company_code]}"))
    assert [one.source for one in laid.shape("GET /people").options.q_fields] == [
        f"{HERE}.Person.name",
        f"{HERE}.Person.company_code",
    ]


def test_a_sort_by_names_is_one_by_those() -> None:
    laid = listing(query("sort", schema="{type: array, items: {enum: [-name, name, 'id:desc']}}"))
    sort = laid.shape("GET /people").options.sort
    assert sort is not None
    assert list(sort.fields) == ["name", "id"]


def test_only_lists_are_filtered() -> None:
    laid = paths(("GET /people/{id}", "Person", {"more": query("name", "fields")}))
    assert told(laid) == ["`name` means nothing here; allowed are `fields`, `include`"]


def test_the_query_of_a_write_means_nothing() -> None:
    laid = paths(("POST /people", "Person", {"more": query("notify")}))
    assert "the parameter `notify` means nothing to a create; leave it out, or write a function" in told(laid)


# Envelopes


def enveloped(properties: str, required: str = "", parameters: str = "") -> Laid:
    schema = (
        "{type: object, required: [" + required + "], properties: {items: {type: array, items: "
        "{$ref: '#/components/schemas/Person'}}, " + properties + "}}"
    )
    return paths(("GET /people", schema, {"more": parameters}))


def test_the_object_around_a_list_is_an_envelope() -> None:
    laid = enveloped(
        "total: {type: integer}, page_size: {type: [integer, 'null']}, next: {type: [string, 'null']}, moon: {}",
        required="next, items",
        parameters=query("page", "page_size", schema="{type: integer}"),
    )
    assert laid.problems == []
    envelope = laid.shape("GET /people").envelope
    assert envelope is not None
    assert (envelope.items, envelope.others) == ("items", {"total": "total", "page_size": "per_page", "next": "next"})
    assert (envelope.order, envelope.nullable) == (
        ("items", "total", "page_size", "next"),
        frozenset({"page_size", "next"}),
    )


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (
            "moon: {type: string}",
            "the list has to answer `moon`, and it has no meaning here; allowed are `limit`, `next`, `next_cursor`, "
            "`offset`, `page`, `page_size`, `pages`, `per_page`, `prev`, `prev_cursor`, `total`",
        ),
        ("total: {type: string}", "`total` of a list is string; allowed is `type: integer`"),
        (
            "next: {type: string}",
            "`next` is required, and the last page has none; let it be null, or make it optional",
        ),
    ],
)
def test_an_envelope_that_cannot_be_filled_is_an_error(properties: str, said: str) -> None:
    laid = enveloped(properties, properties.partition(":")[0], query("page", schema="{type: integer}"))
    assert told(laid) == [said]


def test_a_cursor_to_the_next_page_needs_a_cursor() -> None:
    laid = enveloped("next_cursor: {type: [string, 'null']}", "next_cursor", query("offset", schema="{type: integer}"))
    assert told(laid)[0].startswith("the list has to answer `next_cursor`, and the operation has no `cursor`; ")


@pytest.mark.parametrize("name", ["page", "offset"])
def test_a_page_that_a_cursor_leads_to_has_no_number(name: str) -> None:
    cursor = query("cursor", schema="{type: string}")
    said = f"`{name}` is required, and a page that a cursor leads to has none; let it be null, or make it optional"
    assert told(enveloped(f"{name}: {{type: integer}}", name, cursor)) == [said]
    assert told(enveloped(f"{name}: {{type: [integer, 'null']}}", name, cursor)) == []


# Bodies, headers, statuses


def test_a_patch_takes_each_kind_that_the_contract_lists() -> None:
    text = operation("/people/{id}", "patch", "Person").replace(
        "content: {application/json",
        "content: {application/json-patch+json: {schema: {type: array}}, application/merge-patch+json",
        1,
    )
    laid = lay(f"paths:\n  /people/{{id}}:\n{text}{SCHEMAS}", Base)
    shape = laid.shape("PATCH /people/{id}")
    assert shape.media_types == {"application/json-patch+json": "json-patch", "application/merge-patch+json": "merge"}
    assert tree(shape.body) == ["email", "name", "password", "active", "mood", "notes"]


def test_a_json_patch_alone_is_about_what_the_model_shows() -> None:
    text = operation("/people/{id}", "patch", "Person").replace(
        "requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Person'}}}}",
        "requestBody: {required: true, content: {application/json-patch+json: {schema: {type: array}}}}",
    )
    laid = lay(f"paths:\n  /people/{{id}}:\n{text}{SCHEMAS}", Base)
    assert tree(laid.shape("PATCH /people/{id}").body) == ["email", "name", "password", "active", "mood", "notes"]


def test_other_media_types_are_errors() -> None:
    text = operation("/people/{id}", "patch", "Person").replace(
        "application/json:", "text/plain: {}, application/json:"
    )
    laid = lay(f"paths:\n  /people/{{id}}:\n{text}{SCHEMAS}", Base)
    assert told(laid) == [
        "`text/plain` is offered, and a statement answers JSON only; leave it out, or write a function",
        "a patch cannot be sent as `text/plain`; allowed are `application/merge-patch+json`, `application/json`, "
        "`application/json-patch+json`",
    ]


def test_headers_have_their_slots_and_others_a_warning() -> None:
    headers = ", ".join(
        f"{{name: {name}, in: header, schema: {{type: string}}}}"
        for name in ("if-match", "Idempotency-Key", "Prefer", "X-Mood")
    )
    laid = paths(("PATCH /people/{id}", "Person", {"more": headers}), ("GET /people/{id}", "Person"))
    shape = laid.shape("PATCH /people/{id}")
    assert (shape.if_match, shape.idempotency_key) == (1, 2)
    assert warned(laid)[0] == (
        "the header `X-Mood` is checked, and then means nothing to a patch; leave it out, or write a function"
    )


def test_undocumented_refusals_of_a_write_are_warnings() -> None:
    required = "{name: If-Match, in: header, required: true, schema: {type: string}}"
    laid = paths(
        ("PATCH /people/{id}", "Person", {"more": required}), ("DELETE /people/{id}", ""), ("DELETE /rooms/{id}", "")
    )
    said = "and the operation does not say so; describe these answers"
    assert sorted(warned(laid)) == [
        f"a delete may answer `404`, `409`, {said}",
        # Nothing refers to a room.
        f"a delete may answer `404`, {said}",
        f"a patch may answer `404`, `409`, `412`, `428`, {said}",
    ]


def test_an_answer_to_a_write_has_no_relation_that_a_read_has_on_request_only() -> None:
    schemas = SCHEMAS.replace(
        "        notes:", "        addresses: {type: array, readOnly: true, items: {type: object}}\n        notes:"
    )
    text = "\n".join(
        [
            "paths:\n  /people/{id}:",
            operation("/people/{id}", "get", "Person", more=query("include")),
            operation("/people/{id}", "patch", "Person"),
        ]
    )
    with_include = lay(text + schemas, Base)
    assert "addresses" not in tree(with_include.shape("PATCH /people/{id}").view)
    assert ("addresses?", []) in tree(with_include.shape("GET /people/{id}").view)
    without = lay(text.replace(f", {query('include')}", "") + schemas, Base)
    assert ("addresses", []) in tree(without.shape("PATCH /people/{id}").view)


def test_swagger_is_the_same() -> None:
    laid = lay(
        """
swagger: "2.0"
info: {title: Test, version: "1"}
paths:
  /people/{id}:
    put:
      parameters:
        - {name: id, in: path, required: true, type: integer}
        - {name: person, in: body, required: true, schema: {$ref: '#/definitions/Person'}}
      responses: {"200": {description: ok, schema: {$ref: '#/definitions/Person'}}}
definitions:
  Person:
    type: object
    required: [email, nmae]
    properties: {email: {type: string, maxLength: 50}, nmae: {type: string}}
""",
        Base,
    )
    assert laid.problems == [
        f"15: `nmae` is no column of {HERE}.Person; did you mean `name`? (`x-column` names another column)"
    ]
