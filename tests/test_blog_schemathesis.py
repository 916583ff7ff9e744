"""Schemathesis against the Blog as a stranger, a member and an administrator: every phase and check, and no fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from served import run_schemathesis, served

BLOG = Path(__file__).parents[1] / "examples" / "blog"
CONFIG = Path(__file__).with_name("blog_schemathesis.toml")
HOOKS = Path(__file__).parent / "support" / "blog_callers.py"
EXAMPLES = 40
# Hashes that take no time, and limits that a thousand requests a minute from one address do not reach.
SETTINGS = {
    "DEMIJOHN_PASSWORD_MEMORY_KIB": "8",
    "DEMIJOHN_PASSWORD_TIME_COST": "1",
    "DEMIJOHN_RATE_LIMIT_FAILURES": "",
    "DEMIJOHN_RATE_LIMIT_LOGIN": "100000 per minute",
    "DEMIJOHN_RATE_LIMIT_LOGIN_ADDRESS": "100000 per minute",
    "DEMIJOHN_RATE_LIMIT_LOGIN_ACCOUNT": "100000 per minute",
}


@pytest.mark.parametrize("role", ["anonymous", "member", "admin"])
def test_the_blog_example_has_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    blog = shutil.copytree(BLOG, tmp_path / "blog", ignore=shutil.ignore_patterns("instance", "__pycache__"))
    contract = blog / "blog" / "openapi.yaml"
    text = contract.read_text(encoding="utf-8")
    assert "x-rate-limit: 20 per hour" in text
    contract.write_text(text.replace("x-rate-limit: 20 per hour", "x-rate-limit: 100000 per hour"), encoding="utf-8")
    monkeypatch.setenv("BLOG_ROLE", role)
    monkeypatch.setenv("BLOG_DATABASE", str(tmp_path / "data.sqlite"))
    with served(blog, cwd=tmp_path, **SETTINGS) as address:
        run_schemathesis(address, "", tmp_path, EXAMPLES, 1, CONFIG, HOOKS)
