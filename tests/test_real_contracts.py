"""Contracts that others wrote: each loads, starts with mock answers, and answers every operation as documented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import real_contracts

SHARED = Path(__file__).parents[2] / "shared" / "contracts"
NAMES = sorted(path.name for path in SHARED.glob("*") if path.suffix in (".json", ".yaml")) or ["(absent)"]
MOST_SECONDS = 3.0
MOST_SECONDS_FOR_ALL = 60.0


@pytest.mark.parametrize("name", NAMES)
def test_a_real_contract_starts_and_answers_every_operation(shared: Path, name: str) -> None:
    assert real_contracts.answer_all(shared / "contracts" / name) == []


def test_no_real_contract_takes_long(shared: Path) -> None:
    # In a process of its own: what measures the coverage of this one would be measured, too.
    command = [sys.executable, real_contracts.__file__, str(shared / "contracts")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    seconds = json.loads(done.stdout)
    assert len(seconds) == len(NAMES)
    assert {name: took for name, took in seconds.items() if took >= MOST_SECONDS} == {}
    assert sum(seconds.values()) < MOST_SECONDS_FOR_ALL
