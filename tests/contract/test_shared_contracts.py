"""Contracts that others wrote: every one of them loads, quickly, and all of it is there."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cost
import jsonschema_rs
import pytest

from demijohn.contract import Contract, JsonSchema, load

FOLDER = Path(__file__).parents[2].parent / "shared" / "contracts"


def rows() -> list[Any]:
    if not FOLDER.is_dir():
        missing = pytest.mark.skipif(
            os.environ.get("DEMIJOHN_REQUIRE_ALL") != "1", reason=f"there is no folder {FOLDER}"
        )
        return [pytest.param({"file": "INDEX.tsv", "operations": "0"}, id="none", marks=missing)]
    with (FOLDER / "INDEX.tsv").open(encoding="utf-8") as file:
        return [pytest.param(row, id=row["file"]) for row in csv.DictReader(file, delimiter="\t")]


def schemas(contract: Contract) -> Iterator[JsonSchema]:
    for operation in contract.operations:
        yield from (one.schema for one in operation.parameters)
        contents = [*(operation.body.contents if operation.body else ())]
        for response in operation.responses.values():
            yield from (one.schema for one in response.headers)
            contents += response.contents
        yield from (one.schema for one in contents if one.schema is not None)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("row", rows())
def test_a_real_contract_loads(row: dict[str, str]) -> None:
    assert FOLDER.is_dir(), "the contracts of others are needed"
    contract = load(FOLDER / row["file"]).contract
    assert len(contract.operations) == int(row["operations"])
    found = list(schemas(contract))
    document = {"$defs": contract.definitions, "anyOf": [True, *found]}
    assert jsonschema_rs.meta.is_valid(document)
    patterns = jsonschema_rs.FancyRegexOptions(backtrack_limit=1000)
    jsonschema_rs.Draft202012Validator(document, pattern_options=patterns, offline=True)


def test_the_largest_contract_is_fast_and_whole() -> None:
    path = FOLDER / "schemathesis-bench__benches__data__kubernetes.json"
    if not path.is_file():
        assert os.environ.get("DEMIJOHN_REQUIRE_ALL") != "1"
        pytest.skip("the contracts of others are not there")
    setup = f"from pathlib import Path; from demijohn.contract import load; path = Path({str(path)!r})"
    assert cost.seconds("load(path)", setup) < 1.2
    contract = load(path).contract
    assert len(contract.operations) == 845
    names = set(references([list(schemas(contract)), dict(contract.definitions)])) - {""}
    assert {name.removeprefix("#/$defs/") for name in names if name.startswith("#")} <= set(contract.definitions)
    assert len(contract.definitions) == 547
