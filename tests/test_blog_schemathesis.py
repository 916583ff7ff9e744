"""Schemathesis against the Blog as a stranger, a member and an administrator, on SQLite and PostgreSQL: no fault.

Every check is made and no operation left out. The stateful phase follows the links of the contract: who registers is
read, what is written is read, changed, deleted, and is gone then.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import databases
import pytest
from databases import Kind
from served import create_tables, run_schemathesis, served

BLOG = Path(__file__).parents[1] / "examples" / "blog"
CONFIG = Path(__file__).with_name("blog_schemathesis.toml")
HOOKS = Path(__file__).parent / "support" / "blog_callers.py"
EXAMPLES = 10
# By seed: all phases, and those to which it makes a difference (`examples` and `coverage` send the same requests).
PHASES = {1: None, 2: "fuzzing,stateful"}
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
@pytest.mark.parametrize("role", ["anonymous", "member", "admin"])
def test_the_blog_example_has_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, database: Kind
) -> None:
    blog = shutil.copytree(BLOG, tmp_path / "blog", ignore=shutil.ignore_patterns("instance", "__pycache__"))
    contract = blog / "blog" / "openapi.yaml"
    text = contract.read_text(encoding="utf-8")
    assert "x-rate-limit: 20 per hour" in text
    contract.write_text(text.replace("x-rate-limit: 20 per hour", "x-rate-limit: 100000 per hour"), encoding="utf-8")
    url = databases.url(database, tmp_path)
    monkeypatch.setenv("BLOG_ROLE", role)
    monkeypatch.setenv("DATABASE_URL", url)
    try:
        create_tables(blog, url)
        with served(blog, cwd=tmp_path, DATABASE_URL=url, **SETTINGS) as address:
            for seed, phases in PHASES.items():
                run_schemathesis(address, "", tmp_path, EXAMPLES, seed, CONFIG, HOOKS, phases)
    finally:
        databases.empty(database)
