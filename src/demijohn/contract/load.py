"""Loading: read the file, know its version, check it, build the `Contract`, tell everything at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from demijohn.contract.check import check
from demijohn.contract.limits import Limits
from demijohn.contract.model import Contract, Place
from demijohn.contract.official import Official
from demijohn.contract.openapi3 import OpenApi3
from demijohn.contract.readers import Reader
from demijohn.contract.references import Documents
from demijohn.contract.report import Report, TooManyError
from demijohn.contract.swagger2 import Swagger2
from demijohn.errors import ContractError, Finding
from demijohn.settings import Settings

__all__ = ["Loaded", "load"]

_VERSION = re.compile(r"(3\.[012])\.\d+(-.+)?")
_KNOWN = "allowed are `swagger: '2.0'` and `openapi: 3.0.x`, `3.1.x` or `3.2.x`"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Hold a contract that is sound, and the wrinkles that harm nobody."""

    contract: Contract
    wrinkles: tuple[Finding, ...]


def load(path: Path, settings: Settings | None = None) -> Loaded:
    """Read, check and normalise the contract in the file `path`.

    Files that it refers to are read too, if they are below the folder of `path`; the network is never used.
    Raises `ContractError` with every problem of the contract, each with its file and line. Under
    `settings.strict` the wrinkles are problems too.
    """
    settings = settings or Settings()
    report = Report()
    limits = Limits(settings.max_contract_bytes, settings.max_contract_depth, settings.max_contract_nodes)
    documents = Documents(path, limits, report)
    contract: Contract | None = None
    try:
        contract = _read(documents, report)
    except TooManyError:
        report.give_up(documents.root.place)
    except ValueError as error:
        if "Recursion limit" not in str(error):
            raise
        # jsonschema-rs takes values of about 250 levels; a higher limit of ours does not help there.
        report.error(documents.root.place, "the contract is nested too deeply to be checked", "flatten it")
    findings = report.findings(documents.sources)
    problems = findings if settings.strict else [finding for finding in findings if not finding.wrinkle]
    if contract is None or problems:
        raise ContractError(problems)
    for source in contract.sources:
        source.release()
    return Loaded(contract, tuple(findings))


def _read(documents: Documents, report: Report) -> Contract | None:
    """Return the contract, with everything that is wrong with it in the report; None if it is not one of ours."""
    version = _version(documents, report)
    if version is None:
        return None
    official = Official(version)
    reader = _reader(version, documents, report, official)
    contract = reader.read()
    for fault in official.check(documents.root.value, documents.main.nodes):
        place = fault.place(documents.root)
        report.note(place, fault.found, fault.allowed, wrinkle=fault.wrinkle or not reader.counts(place))
    check(contract, reader, report)
    return contract


def _version(documents: Documents, report: Report) -> str | None:
    """Return the version of the specification, as far as it matters; None, and a report, if unknown."""
    document = documents.root.value
    if not isinstance(document, dict):
        report.error(documents.root.place, "the file is not a mapping", "write an OpenAPI document")
        return None
    for key in ("openapi", "swagger"):
        if key not in document:
            continue
        written = document[key]
        place = Place(documents.main.name, f"/{key}")
        if key == "swagger" and written == "2.0":
            return "2.0"
        match = _VERSION.fullmatch(written) if key == "openapi" and isinstance(written, str) else None
        if match is None:
            report.error(place, f"found the version `{str(written)[:20]}` in `{key}`", _KNOWN)
            return None
        return match[1]
    report.error(documents.root.place, "the file has neither a key `openapi` nor a key `swagger`", _KNOWN)
    return None


def _reader(version: str, documents: Documents, report: Report, official: Official) -> Reader:
    if version == "2.0":
        return Swagger2(documents, report, official)
    return OpenApi3(documents, report, official, int(version[-1]))
