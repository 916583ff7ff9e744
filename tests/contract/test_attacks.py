"""Contracts that are made to hurt: refused in little time and memory, without a request to anybody."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.contract.conftest import Bench

MEGABYTE = 1024 * 1024

# Run in a process of its own, so that a crash is a failed test and the memory is that of one loading.
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from demijohn.contract import load
from demijohn.errors import ContractError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
try:
    load(Path(sys.argv[1]))
    told = ""
except ContractError as error:
    told = str(error.problems[0])
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([told, time.process_time() - start, used * 1024]))
"""

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 40)
)
DEEP_ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100_000))
MERGES = "a0: &a0 {x0: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, x{n}: 1}}\n" for n in range(1, 5000))
DOUBLING = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {},
    "components": {
        "schemas": {
            f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 2, "example": 1} for n in range(60)
        }
        | {"S60": {"type": "string"}}
    },
}
USED = {
    "/a": {
        "get": {
            "responses": {
                "200": {
                    "description": "",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}},
                }
            }
        }
    }
}
HEAD = '{"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, '

ATTACKS = {
    "aliases that multiply": ("a.yaml", BOMB, "values once its aliases are expanded"),
    "aliases that nest": ("a.yaml", DEEP_ALIASES, "nested deeper than 200 levels"),
    "merges that add up": ("a.yaml", MERGES, "values once its aliases are expanded"),
    "an alias to itself": ("a.yaml", "&a [*a]", "inside of the value that it names"),
    "a file of 50 MB": ("a.json", "[" + " " * (50 * MEGABYTE) + "]", "the file has 52,428,802 bytes"),
    "a file of 10 MB": ("a.yaml", "a: b\n" * (2 * MEGABYTE), "the file has 10,485,760 bytes"),
    "deep lists in YAML": ("a.yaml", "[" * 100_000, "nested deeper than 200 levels"),
    "deep mappings in YAML": ("a.yaml", "{a: " * 100_000, "nested deeper than 200 levels"),
    "deep blocks in YAML": ("a.yaml", "- " * 100_000, "nested deeper than 200 levels"),
    "deep lists in JSON": ("a.json", "[" * 100_000, "nested too deeply"),
    "deep lists in JSON that end": ("a.json", "[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "deep objects in JSON": ("a.json", '{"a":' * 100_000, "nested too deeply"),
    "many values in JSON": ("a.json", "[" + "{},[]," * 1_000_000 + "0]", "the contract has more than 1,000,000 values"),
    "a Python object": ("a.yaml", "a: !!python/object/apply:os.system ['exit 1']", "found the tag"),
    "many faults": ("a.json", HEAD + '"paths": {}, "security": [' + "3," * 900_000 + "3]}", "more than 1,000 problems"),
    "many paths that are wrong": (
        "a.json",
        HEAD + '"paths": {' + ",".join(f'"/a{n}": {{"get": {{"x": 1}}}}' for n in range(20_000)) + "}}",
        "more than 1,000 problems",
    ),
    "schemas that double": ("a.json", json.dumps({**DOUBLING, "paths": USED}), "applies more than 10,000 schemas"),
    "a long key twice": ("a.json", '{"' + "a" * MEGABYTE + '":1,"' + "a" * MEGABYTE + '":1}', "was already written"),
    "a number without an end": ("a.json", "9" * MEGABYTE, "more digits than can be read"),
    "a number without an end in YAML": ("a.yaml", "a: " + "9" * MEGABYTE, "is not a value that JSON has"),
    "a name of many braces": (
        "a.json",
        HEAD + '"paths": {"/' + "{" * 100_000 + '": {"get": {"responses": {"200": {"description": ""}}}}}}',
        "do not fit",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_ends_soon_and_stays_small(bench: Bench, attack: str) -> None:
    name, text, told = ATTACKS[attack]
    path = bench.write(text, name)
    run = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    found, seconds, size = json.loads(run.stdout)
    assert told in found
    assert seconds < 2
    assert size < 200 * MEGABYTE


def test_a_finding_never_repeats_a_long_text(bench: Bench) -> None:
    long = "x" * 10_000
    document = bench.document(
        "3.0.3",
        paths={
            "/a": {
                "get": {
                    long: 1,
                    "parameters": [{"name": long, "in": long, "schema": {"type": long}}],
                    "responses": {"200": {"$ref": f"#/{long}"}},
                }
            }
        },
    )
    problems = bench.problems(document)
    assert problems
    assert max(map(len, problems)) < 500
