"""What the official schemas cannot say: whether the parts of a contract fit together.

An error is what would make the contract a lie or an operation unusable. A wrinkle is what real contracts
have and what harms nobody.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from demijohn.contract.growth import check_growth
from demijohn.contract.model import Contract, Operation, Place
from demijohn.contract.pointers import escape
from demijohn.contract.readers import Reader, template_names
from demijohn.contract.report import Report
from demijohn.contract.values import check_schemas, check_values

__all__ = ["check"]

# What means something to Demijohn; whatever else begins with `x-` is somebody else's.
EXTENSIONS = (
    "x-apikeyInfoFunc",
    "x-basicInfoFunc",
    "x-bearerInfoFunc",
    "x-body-name",
    "x-cache",
    "x-column",
    "x-columns",
    "x-cors",
    "x-example",
    "x-examples",
    "x-nullable",
    "x-openapi-router-controller",
    "x-owner",
    "x-rate-limit",
    "x-resource",
    "x-scopeValidateFunc",
    "x-swagger-router-controller",
    "x-tokenInfoFunc",
)
_ALIKE = 0.8
_TEMPLATE = re.compile(r"(?:[^{}]|\{[^{}/]+\})*")
_NO_BODY = frozenset({"DELETE", "GET", "HEAD"})


def check(contract: Contract, reader: Reader, report: Report) -> None:
    """Report what is wrong with a contract that the official schema has nothing against."""
    _check_templates(contract, report)
    _check_names(contract, report)
    _check_security(contract, reader, report)
    _check_extensions(contract, reader, report)
    for operation in contract.operations:
        _check_path_parameters(operation, report)
        _check_messages(operation, report)
    check_schemas(reader.schemas, report)
    check_growth(reader.schemas, report)
    check_values(contract, reader.schemas, report)


def _below(place: Place, *keys: str) -> Place:
    return Place(place.file, "/".join((place.pointer, *keys)))


def _check_templates(contract: Contract, report: Report) -> None:
    """Check each path template, and that no two of them are the same but for the names in them."""
    same: dict[str, dict[str, Operation]] = {}
    for operation in contract.operations:
        path = operation.path
        place = Place(operation.place.file, operation.place.pointer.rpartition("/")[0])
        if not _TEMPLATE.fullmatch(path):
            report.error(place, f"the braces in the path `{path}` do not fit", "write `/pets/{petId}`")
            continue
        names = template_names(path)
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            report.error(place, f"the path `{path}` has `{{{name}}}` twice", "give each part its own name")
        if "?" in path or "#" in path:
            report.wrinkle(
                place,
                f"the path `{path}` holds a `?` or `#`, which no path of a request has",
                "describe parameters",
            )
        shape = re.sub(r"\{[^{}]+\}", "{}", path)
        others = same.setdefault(shape, {})
        other = others.get(operation.method)
        if other is not None:
            report.error(
                place,
                f"`{operation.method} {path}` and `{other.method} {other.path}` are the same but for a name",
                "describe each operation once",
            )
        elif others and (first := next(iter(others.values()))).path != path:
            report.wrinkle(
                place,
                f"the paths `{path}` and `{first.path}` are the same but for a name",
                "use one name for both",
            )
        others.setdefault(operation.method, operation)


def _check_names(contract: Contract, report: Report) -> None:
    seen: dict[tuple[str | None, str], Operation] = {}
    for operation in contract.operations:
        if operation.operation_id is None:
            continue
        other = seen.setdefault((operation.controller, operation.operation_id), operation)
        # One path item under two paths describes one operation, which a function may well serve twice.
        if other.place != operation.place:
            report.error(
                _below(operation.place, "operationId"),
                f"the operationId `{operation.operation_id}` is taken by `{other.method} {other.path}`",
                "give each operation its own",
            )


def _check_security(contract: Contract, reader: Reader, report: Report) -> None:
    for place, requirement in reader.requirements.items():
        for name, scopes in requirement.schemes:
            at = _below(place, escape(name))
            scheme = contract.schemes.get(name)
            if scheme is not None:
                for scope in scopes:
                    if scheme.kind == "oauth2" and scope not in scheme.scopes:
                        report.wrinkle(
                            at, f"the scheme `{name}` declares no scope `{scope}`", "declare it in its flows"
                        )
            elif name not in reader.scheme_names():
                known = ", ".join(f"`{one}`" for one in sorted(contract.schemes))
                report.error(
                    at,
                    f"the security scheme `{name}` is not declared",
                    f"declared are {known}" if known else "declare it",
                )


def _check_extensions(contract: Contract, reader: Reader, report: Report) -> None:
    """Report extensions that are almost one of Demijohn's: `x-onwer` would show everybody the rows of all."""
    found = {Place(contract.sources[0].name, f"/{key}"): key for key in contract.extensions}
    for operation in contract.operations:
        found |= {place: key for key, place in operation.extension_places.items()}
    for scheme in contract.schemes.values():
        found |= {_below(scheme.place, key): key for key in scheme.extensions}
    for one in reader.schemas.visited:
        found |= {_below(one.place, key): key for key in one.schema if key.startswith("x-")}
    for place, key in found.items():
        close = [] if key in EXTENSIONS else get_close_matches(key, EXTENSIONS, 1, _ALIKE)
        if close:
            report.wrinkle(place, f"`{key}` means nothing", f"did you mean `{close[0]}`?")


def _check_path_parameters(operation: Operation, report: Report) -> None:
    for parameter in operation.parameters:
        if parameter.location == "path" and not parameter.required and not report.knows(parameter.place):
            report.error(
                parameter.place,
                f"the path parameter `{parameter.name}` is not required",
                "write `required: true`",
            )


def _check_messages(operation: Operation, report: Report) -> None:
    if not operation.responses and not report.knows(_below(operation.place, "responses")):
        report.wrinkle(operation.place, "the operation describes no response", "describe at least its success")
    body = operation.body
    if body is not None and operation.method in _NO_BODY:
        report.wrinkle(
            body.place,
            f"`{operation.method} {operation.path}` has a body, which HTTP gives no meaning",
            "send it as parameters, or with POST",
        )
