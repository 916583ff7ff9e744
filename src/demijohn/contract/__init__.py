"""Read a contract: files in, one frozen `Contract` out.

    from demijohn.contract import load

    loaded = load(Path("openapi.yaml"))

Swagger 2.0 and OpenAPI 3.0, 3.1 and 3.2 end up in the same normal form. A contract that is wrong is refused
with every problem at once, each with its file and line.
"""

from demijohn.contract.load import Loaded, load
from demijohn.contract.model import (
    Body,
    Contract,
    Encoding,
    Example,
    JsonSchema,
    Location,
    MediaType,
    Operation,
    Parameter,
    Place,
    Requirement,
    Response,
    Scheme,
    SchemeKind,
    Style,
)
from demijohn.contract.sources import Source

__all__ = [
    "Body",
    "Contract",
    "Encoding",
    "Example",
    "JsonSchema",
    "Loaded",
    "Location",
    "MediaType",
    "Operation",
    "Parameter",
    "Place",
    "Requirement",
    "Response",
    "Scheme",
    "SchemeKind",
    "Source",
    "Style",
    "load",
]
