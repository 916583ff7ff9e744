"""What the tests of the contract share: writing a document into a folder and loading it from there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demijohn.contract import Contract, JsonSchema, Loaded, Operation, load
from demijohn.errors import ContractError, Finding
from demijohn.settings import Settings

INFO = {"title": "Test", "version": "1"}
OK = {"200": {"description": "ok"}}


@dataclass(frozen=True)
class Bench:
    """Load documents from a folder of their own. A document is a text, or values that are written as JSON."""

    folder: Path

    def write(self, document: str | dict[str, Any] | bytes, name: str | None = None) -> Path:
        """Write a file; without a name it is the contract: `api.yaml` for a text, `api.json` for values."""
        path = self.folder / (name or ("api.json" if isinstance(document, dict) else "api.yaml"))
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(document, bytes):
            path.write_bytes(document)
        else:
            path.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))
        return path

    def load(self, document: str | dict[str, Any] | bytes, name: str | None = None, **options: Any) -> Loaded:
        return load(self.write(document, name), Settings(**options))

    def contract(self, document: str | dict[str, Any], **options: Any) -> Contract:
        return self.load(document, **options).contract

    def operation(self, document: str | dict[str, Any]) -> Operation:
        """Return the one operation of a document."""
        (operation,) = self.contract(document).operations
        return operation

    def findings(self, document: str | dict[str, Any] | bytes, name: str | None = None) -> list[Finding]:
        """Return all problems and wrinkles of a document, whether it can be loaded or not."""
        path = self.write(document, name)
        try:
            return list(load(path, Settings(strict=True)).wrinkles)
        except ContractError as error:
            return [one for one in error.problems if isinstance(one, Finding)]

    def problems(self, document: str | dict[str, Any] | bytes, name: str | None = None) -> list[str]:
        """Return the errors of a document as `line: found; allowed`."""
        return _told([one for one in self.findings(document, name) if not one.wrinkle])

    def wrinkles(self, document: str | dict[str, Any] | bytes, name: str | None = None) -> list[str]:
        """Return the wrinkles of a document that has no errors."""
        findings = self.findings(document, name)
        assert [str(one) for one in findings if not one.wrinkle] == []
        return _told(findings)

    def schema(self, schema: Any, version: str = "3.1.0", **components: Any) -> JsonSchema:
        """Return the normal form of a schema; the components are there to refer to."""
        return self.schemas(schema, version, **components)[0]

    def schemas(
        self, schema: Any, version: str = "3.1.0", **components: Any
    ) -> tuple[JsonSchema, dict[str, JsonSchema]]:
        """Return the normal form of a schema, and the definitions beside it."""
        contract = self.contract(self.answering(schema, version, **components))
        found = contract.operations[0].responses["200"].contents[0].schema
        assert found is not None
        return found, dict(contract.definitions)

    @staticmethod
    def answering(schema: Any, version: str = "3.1.0", **components: Any) -> dict[str, Any]:
        """Return a document whose one operation answers with `schema`."""
        response: dict[str, Any] = {"description": "ok"}
        document: dict[str, Any] = {"info": INFO, "paths": {"/a": {"get": {"responses": {"200": response}}}}}
        if version == "2.0":
            response["schema"] = schema
            return {"swagger": "2.0", **document, "definitions": components}
        response["content"] = {"application/json": {"schema": schema}}
        return {"openapi": version, **document, "components": {"schemas": components}}

    @staticmethod
    def document(version: str = "3.1.0", paths: Any = None, **members: Any) -> dict[str, Any]:
        """Return a document with these paths and members."""
        key = "swagger" if version == "2.0" else "openapi"
        return {key: version, "info": INFO, "paths": paths or {}, **members}

    @staticmethod
    def get(**members: Any) -> dict[str, Any]:
        """Return the paths of a document with one operation, `GET /a`."""
        return {"/a": {"get": {"responses": OK, **members}}}


def _told(findings: list[Finding]) -> list[str]:
    return [str(one).partition(":")[2] for one in findings]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a folder of its own below the test's, so that files outside of it can exist."""
    return Bench(tmp_path / "contract")
