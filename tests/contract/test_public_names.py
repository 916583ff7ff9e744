"""What `demijohn.contract` exports, and that it only looks down."""

from __future__ import annotations

import ast
from pathlib import Path

import demijohn.contract
from demijohn.contract import model

FOLDER = Path(demijohn.contract.__file__).parent


def test_the_exports_are_sorted_and_complete() -> None:
    names = demijohn.contract.__all__
    assert names == sorted(names)
    assert set(names) == {*model.__all__, "Loaded", "Source", "load"}
    assert all(hasattr(demijohn.contract, name) for name in names)


def test_reading_a_contract_needs_nothing_of_what_comes_after_it() -> None:
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("demijohn"):
                assert (node.module or "").startswith(("demijohn.contract", "demijohn.errors", "demijohn.settings"))


def test_the_official_schemas_are_there_with_their_licence() -> None:
    assert {path.name for path in (FOLDER / "official").iterdir()} == {
        "README.md",
        "openapi-3.0.json",
        "openapi-3.1.json",
        "openapi-3.2.json",
        "swagger-2.0.json",
    }
    assert "Apache" in (FOLDER / "official" / "README.md").read_text()
