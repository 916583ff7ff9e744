"""Schemathesis against the Library as a stranger, a member, a librarian and an administrator: no fault.

On SQLite and PostgreSQL, every check is made and no operation left out. The stateful phase follows the links of the
contract: what is borrowed is read, renewed, given back, and is back then.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import databases
import pytest
from databases import Kind
from served import create_tables, run_schemathesis, served
from unlimited import unlimited_library

CONFIG = Path(__file__).with_name("library_schemathesis.toml")
HOOKS = Path(__file__).parent / "support" / "library_callers.py"
EXAMPLES = 10
# By seed: all phases, and those to which it makes a difference (`examples` and `coverage` send the same requests).
PHASES = {1: None, 2: "fuzzing,stateful", 3: "fuzzing,stateful"}
# Hashes that take no time, and limits that a thousand requests a minute from one address do not reach.
SETTINGS = {
    "DEMIJOHN_PASSWORD_MEMORY_KIB": "8",
    "DEMIJOHN_PASSWORD_TIME_COST": "1",
    "DEMIJOHN_RATE_LIMIT_FAILURES": "",
    "DEMIJOHN_RATE_LIMIT_LOGIN": "100000 per minute",
    "DEMIJOHN_RATE_LIMIT_LOGIN_ADDRESS": "100000 per minute",
    "DEMIJOHN_RATE_LIMIT_LOGIN_ACCOUNT": "100000 per minute",
}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("role", ["anonymous", "member", "librarian", "admin"])
def test_the_library_example_has_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, database: Kind
) -> None:
    library = unlimited_library(tmp_path)
    url = databases.url(database, tmp_path)
    monkeypatch.setenv("LIBRARY_ROLE", role)
    monkeypatch.setenv("DATABASE_URL", url)
    try:
        create_tables(library, url)
        subprocess.run([sys.executable, "-m", "flask", "--app", "library", "samples"], cwd=library, check=True)
        with served(library, cwd=tmp_path, DATABASE_URL=url, **SETTINGS) as address:
            for seed, phases in PHASES.items():
                run_schemathesis(address, "", tmp_path, EXAMPLES, seed, CONFIG, HOOKS, phases)
    finally:
        databases.empty(database)
