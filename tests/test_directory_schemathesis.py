"""Schemathesis against the Directory on SQLite and PostgreSQL: every phase, every check, three seeds, and no fault.

The stateful phase follows the links of the contract: what is created is read, changed, deleted, and is gone then.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import databases
import pytest
from databases import Kind
from served import create_tables, run_schemathesis, served

DIRECTORY = Path(__file__).parents[1] / "examples" / "directory"
CONFIG = Path(__file__).with_name("directory_schemathesis.toml")
HOOKS = Path(__file__).parent / "support" / "directory_hooks.py"
EXAMPLES = 100
# The other phases, `examples` and `coverage`, send the same requests whatever the seed is.
SEEDED = "fuzzing,stateful"


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_directory_example_has_no_fault(tmp_path: Path, database: Kind, seed: int) -> None:
    directory = shutil.copytree(DIRECTORY, tmp_path / "directory", ignore=shutil.ignore_patterns("instance"))
    url = databases.url(database, tmp_path)
    try:
        create_tables(directory, url)
        with served(directory, cwd=tmp_path, DATABASE_URL=url) as address:
            phases = None if seed == 1 else SEEDED
            run_schemathesis(address, "/api", tmp_path, EXAMPLES, seed, CONFIG, HOOKS, phases)
    finally:
        databases.empty(database)
