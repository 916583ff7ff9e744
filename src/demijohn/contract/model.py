"""The contract as data: one frozen normal form, whatever version it was written in.

Everything here is immutable by agreement and by `frozen=True`. Schemas are JSON Schema 2020-12
(the OpenAPI 3.1 dialect) as plain dicts, so that a validator can take them as they are; nobody
writes to them after loading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from demijohn.contract.sources import Source

__all__ = [
    "Body",
    "Contract",
    "Encoding",
    "Example",
    "JsonSchema",
    "Location",
    "MediaType",
    "Operation",
    "Parameter",
    "Place",
    "Requirement",
    "Response",
    "Scheme",
    "SchemeKind",
    "Style",
]

JsonSchema: TypeAlias = "dict[str, Any] | bool"
"""A schema in normal form: JSON Schema 2020-12, every `$ref` is `#/$defs/NAME` into `Contract.definitions`."""

Location: TypeAlias = Literal["path", "query", "header", "cookie", "querystring"]
Style: TypeAlias = Literal[
    "simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "tabDelimited", "deepObject"
]
SchemeKind: TypeAlias = Literal["basic", "bearer", "http", "apiKey", "oauth2", "openIdConnect", "mutualTLS"]


def _no_entries() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Name a place in a contract: a file, relative to the contract's folder, and a JSON pointer in it."""

    file: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """Hold one example of a parameter or media type; `name` is "" for the single `example` key."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """Describe one parameter of an operation, or one header of a response.

    `style` and `explode` are always filled in, with the defaults of the specification.
    `content_type` is set for `content:` parameters, whose value is one serialised document.
    `tabDelimited` stands for Swagger's `collectionFormat: tsv`. `style: form, explode: False` is its
    `csv` in a query, `explode: True` its `multi`.
    """

    name: str
    location: Location
    place: Place
    required: bool = False
    style: Style = "simple"
    explode: bool = False
    allow_reserved: bool = False
    allow_empty: bool = False
    schema: JsonSchema = True
    content_type: str | None = None
    examples: tuple[Example, ...] = ()
    description: str = ""
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Encoding:
    """Say how one property of a form is serialised. `None` means: the specification's default applies."""

    content_types: tuple[str, ...] = ()
    style: Style | None = None
    explode: bool | None = None
    allow_reserved: bool = False


@dataclass(frozen=True, slots=True)
class MediaType:
    """Describe one representation of a body. `range` is lower case: `application/json`, `text/*`, `*/*`.

    `schema` is None where the contract describes none: any content of that type is fine.
    """

    range: str
    place: Place
    schema: JsonSchema | None = None
    encodings: Mapping[str, Encoding] = field(default_factory=_no_entries)
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """Describe a request body.

    `name` is the handler's argument: `body`, `x-body-name`, or the name of Swagger's body parameter.
    `unpacked` is True for Swagger 2.0 form fields, which handlers take as separate arguments.
    """

    place: Place
    required: bool = False
    contents: tuple[MediaType, ...] = ()
    name: str = "body"
    unpacked: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """Describe one answer. `status` is `"200"`, a range such as `"2XX"`, or `"default"`."""

    status: str
    place: Place
    description: str = ""
    headers: tuple[Parameter, ...] = ()
    contents: tuple[MediaType, ...] = ()
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scheme:
    """Describe a security scheme.

    `hooks` holds the Connexion keys that name functions: `x-bearerInfoFunc` and its like.
    `parameter` and `location` are set for `apiKey`; `http_scheme` is lower case for `http` kinds; `openid_url` is the
    discovery document of `openIdConnect`. One that is demanded without being declared has no other fields, and nothing
    satisfies it.
    """

    name: str
    kind: SchemeKind
    place: Place
    location: Literal["query", "header", "cookie"] | None = None
    parameter: str | None = None
    http_scheme: str | None = None
    bearer_format: str | None = None
    openid_url: str | None = None
    scopes: Mapping[str, str] = field(default_factory=_no_entries)
    hooks: Mapping[str, str] = field(default_factory=_no_entries)
    extensions: Mapping[str, Any] = field(default_factory=_no_entries)
    is_declared: bool = True


@dataclass(frozen=True, slots=True)
class Requirement:
    """Demand several schemes together (AND); an operation lists alternatives (OR). No scheme: anonymous may pass."""

    schemes: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """Describe one operation: a method on a path template.

    `method` is upper case. `parameters` are those of the path item overridden by the operation's own
    (same name and location), path parameters in the order of the template first. `security` is the
    operation's own or the document's; an empty tuple means that no requirement applies.
    `extensions` are the `x-` keys of the path item overridden by those of the operation, `extension_places` says
    where each of them is written.
    """

    method: str
    path: str
    place: Place
    operation_id: str | None = None
    controller: str | None = None
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    responses: Mapping[str, Response] = field(default_factory=_no_entries)
    security: tuple[Requirement, ...] = ()
    callbacks: tuple[str, ...] = ()
    extensions: Mapping[str, Any] = field(default_factory=_no_entries)
    extension_places: Mapping[str, Place] = field(default_factory=_no_entries)


@dataclass(frozen=True, slots=True)
class Contract:
    """Hold a whole contract.

    `version` is the version of the specification it was written in, for display only: nothing depends
    on it. `base_path` is the path of the first server (or Swagger's `basePath`) without a trailing slash,
    `""` for the root. `definitions` holds every schema that anything refers to, by a name that is its
    component name where it has one. `sources` are the files as read, the contract's own file first. `formats` are
    the checks of formats that the application has, beside those of JSON Schema: they tell whether a text is right.
    """

    title: str
    version: str
    base_path: str
    operations: tuple[Operation, ...]
    definitions: Mapping[str, JsonSchema]
    schemes: Mapping[str, Scheme]
    sources: tuple[Source, ...] = field(repr=False)
    api_version: str = ""
    webhooks: tuple[str, ...] = ()
    extensions: Mapping[str, Any] = field(default_factory=_no_entries)
    formats: Mapping[str, Callable[[str], bool]] = field(default_factory=_no_entries)

    def line(self, place: Place) -> int:
        """Return the line, from 1, on which `place` begins in its file."""
        for source in self.sources:
            if source.name == place.file:
                return source.line(place.pointer)
        return 1
