"""Schemathesis against running servers: every check is on, and none fails.

The contracts are served with mock answers. A mock knows neither callers nor what was deleted, so they have no
security and no DELETE; everything else of them is as contracts are.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from served import run_schemathesis, served

HERE = Path(__file__).parent
EXAMPLES = 200


@pytest.mark.parametrize(
    ("name", "base_path"), [("shop.yaml", "/shop"), ("survey.yaml", "/v1"), ("legacy.yaml", "/old")]
)
def test_a_mocked_contract_has_no_fault(tmp_path: Path, name: str, base_path: str) -> None:
    with served(HERE / "mocked" / name, "--mock", cwd=tmp_path) as address:
        run_schemathesis(address, base_path, tmp_path, EXAMPLES)


def test_a_real_contract_has_no_fault(shared: Path, tmp_path: Path) -> None:
    contract = shared / "contracts" / "apis-guru__axesso.de.json"
    with served(contract, "--mock", cwd=tmp_path) as address:
        run_schemathesis(address, "", tmp_path, EXAMPLES)


def test_the_people_example_has_no_fault(tmp_path: Path) -> None:
    people = shutil.copytree(
        HERE.parent / "examples" / "people", tmp_path / "people", ignore=shutil.ignore_patterns("instance")
    )
    with served(people, cwd=tmp_path) as address:
        run_schemathesis(address, "/api", tmp_path, EXAMPLES)
