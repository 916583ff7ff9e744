"""Measure a cold start on a large contract: how long import and compilation take, and how much memory.

A contract of 500 operations with realistic schemas is generated, as JSON and as YAML, with a module of
handlers. Each measurement is a fresh process; the best of five counts, because noise only ever adds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

RESOURCES = 50
OPERATIONS_PER_RESOURCE = 10
TARGET_S = 0.5
TARGET_MIB = 80.0
REPEATS = 5

# What one fresh process does. VmHWM is the process's own peak; ru_maxrss would inherit the parent's.
PROBE = """
import json, sys, time

def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024

begin = time.perf_counter()
from flask import Flask
flask_done = time.perf_counter()
from demijohn import Demijohn
import_done = time.perf_counter()
imported = memory("VmRSS:")
app = Flask("start", root_path=sys.argv[1])
Demijohn(app).add_contract(sys.argv[2])
end = time.perf_counter()
print(json.dumps({
    "flask_s": flask_done - begin,
    "import_s": import_done - flask_done,
    "compile_s": end - import_done,
    "total_s": end - begin,
    "imported_mib": imported,
    "peak_mib": memory("VmHWM:"),
}))
"""


def ref(kind: str, name: str) -> dict[str, str]:
    """Write a reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def content(schema: dict[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    """Write a content object of one media type."""
    return {media_type: {"schema": schema}}


def properties(name: str) -> dict[str, Any]:
    """Write a resource's properties: the mix of types, formats, limits and references of a real API."""
    return {
        "name": {"type": "string", "minLength": 1, "maxLength": 80, "example": f"A {name}"},
        "slug": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 80},
        "email": {"type": "string", "format": "email", "maxLength": 254},
        "status": {"type": "string", "enum": ["draft", "active", "archived"], "default": "draft"},
        "price": {"type": "number", "minimum": 0, "maximum": 1_000_000, "multipleOf": 0.01},
        "quantity": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "published_on": {"type": "string", "format": "date", "nullable": True},
        "tags": {"type": "array", "maxItems": 20, "uniqueItems": True, "items": {"type": "string"}},
        "address": ref("schemas", "Address"),
        "contacts": {"type": "array", "items": ref("schemas", "Contact"), "maxItems": 10},
        "attributes": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 200}},
        "parent": {"nullable": True, "allOf": [ref("schemas", name)]},
    }


def schemas_of(name: str) -> dict[str, Any]:
    """Write the four schemas of one resource: stored, new, changed and a page of them."""
    stored = {
        "id": {"type": "integer", "format": "int64", "minimum": 1, "readOnly": True},
        "created_at": {"type": "string", "format": "date-time", "readOnly": True},
        **properties(name),
    }
    return {
        name: {"type": "object", "required": ["id", "created_at", "name", "status"], "properties": stored},
        f"{name}New": {
            "type": "object",
            "required": ["name", "email"],
            "additionalProperties": False,
            "properties": properties(name),
        },
        f"{name}Patch": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": properties(name),
        },
        f"{name}Page": {
            "type": "object",
            "required": ["items", "total"],
            "properties": {
                "items": {"type": "array", "items": ref("schemas", name)},
                "total": {"type": "integer", "minimum": 0},
                "next": {"type": "string", "nullable": True},
            },
        },
    }


def operation(
    identifier: str,
    answer: str | None,
    body: str | None = None,
    status: str = "200",
    parameters: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Write one operation; the ones with a body or without an answer need a token."""
    success: dict[str, Any] = {"description": "Done."}
    if answer:
        success["content"] = content(ref("schemas", answer))
    written: dict[str, Any] = {
        "operationId": f"start_handlers.{identifier}",
        "summary": identifier.replace("_", " ").capitalize(),
        "parameters": [ref("parameters", name) for name in parameters],
        "responses": {
            status: success,
            **{code: ref("responses", "Problem") for code in ("400", "401", "404", "409")},
        },
    }
    if body:
        written["requestBody"] = {"required": True, "content": content(ref("schemas", body))}
    if body or not answer:
        written["security"] = [{"token": []}]
    return written


def paths_of(name: str, path: str) -> dict[str, Any]:
    """Write the ten operations of one resource."""
    noun = name.lower()
    new, patch, page = f"{name}New", f"{name}Patch", f"{name}Page"
    item, child = [ref("parameters", "id")], [ref("parameters", "id"), ref("parameters", "child")]
    return {
        path: {
            "get": operation(f"list_{noun}", page, parameters=("limit", "offset", "sort", "status")),
            "post": operation(f"create_{noun}", name, new, "201"),
        },
        f"{path}/{{id}}": {
            "parameters": item,
            "get": operation(f"read_{noun}", name),
            "put": operation(f"replace_{noun}", name, new),
            "patch": operation(f"change_{noun}", name, patch),
            "delete": operation(f"delete_{noun}", None, status="204"),
        },
        f"{path}/{{id}}/children": {
            "parameters": item,
            "get": operation(f"list_{noun}_children", page, parameters=("limit", "offset")),
            "post": operation(f"create_{noun}_child", name, new, "201"),
        },
        f"{path}/{{id}}/children/{{child}}": {
            "parameters": child,
            "get": operation(f"read_{noun}_child", name),
            "delete": operation(f"delete_{noun}_child", None, status="204"),
        },
    }


def components() -> dict[str, Any]:
    """Write what the operations share."""
    integer = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
    return {
        "schemas": {
            "Address": {
                "type": "object",
                "required": ["street", "city", "country"],
                "properties": {
                    "street": {"type": "string", "maxLength": 120},
                    "city": {"type": "string", "maxLength": 80},
                    "postcode": {"type": "string", "pattern": "^[A-Z0-9 -]{3,10}$"},
                    "country": {"type": "string", "minLength": 2, "maxLength": 2},
                },
            },
            "Contact": {
                "oneOf": [
                    {"type": "object", "required": ["phone"], "properties": {"phone": {"type": "string"}}},
                    {"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}},
                ]
            },
            "Problem": {
                "type": "object",
                "required": ["title", "status"],
                "properties": {
                    "type": {"type": "string", "format": "uri-reference"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            },
        },
        "parameters": {
            "id": {"name": "id", "in": "path", "required": True, "schema": integer},
            "child": {"name": "child", "in": "path", "required": True, "schema": integer},
            "limit": {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
            },
            "offset": {"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0}},
            "sort": {"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["name", "-name"]}},
            "status": {
                "name": "status",
                "in": "query",
                "schema": {"type": "array", "items": {"type": "string"}},
            },
        },
        "responses": {
            "Problem": {
                "description": "It did not work.",
                "content": content(ref("schemas", "Problem"), "application/problem+json"),
            }
        },
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "x-bearerInfoFunc": "start_handlers.check_token",
            }
        },
    }


def contract() -> dict[str, Any]:
    """Write the whole contract."""
    document: dict[str, Any] = {
        "openapi": "3.0.3",
        "info": {"title": "A large API", "version": "1.0.0"},
        "servers": [{"url": "/api"}],
        "paths": {},
        "components": components(),
    }
    for number in range(RESOURCES):
        name = f"Thing{number:02}"
        document["paths"] |= paths_of(name, f"/{name.lower()}s")
        document["components"]["schemas"] |= schemas_of(name)
    return document


def operations_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """List the contract's operations."""
    return [value for item in document["paths"].values() for method, value in item.items() if method != "parameters"]


def handlers(document: dict[str, Any]) -> str:
    """Write a module with a function for each operation."""
    functions = ['def check_token(token):\n    return {"sub": "someone"}\n']
    for written in operations_of(document):
        name = written["operationId"].rpartition(".")[2]
        signature = "body, **given" if "requestBody" in written else "**given"
        functions.append(f"def {name}({signature}):\n    return {{}}\n")
    return "\n\n".join(functions)


def write_files(folder: Path, document: dict[str, Any]) -> None:
    """Write the contract in both syntaxes, and its handlers."""
    plain = json.dumps(document, indent=2)
    (folder / "contract.json").write_text(plain, encoding="utf-8")
    # Read back first: objects that Python shares would become YAML aliases.
    text = yaml.dump(json.loads(plain), Dumper=yaml.CSafeDumper, sort_keys=False)
    (folder / "contract.yaml").write_text(text, encoding="utf-8")
    (folder / "start_handlers.py").write_text(handlers(document), encoding="utf-8")


def measure(folder: Path, name: str) -> dict[str, float]:
    """Start once in a fresh process, with bytecode kept below the folder: an installed package has its own."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", PROBE, str(folder), name]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    if result.returncode:
        sys.exit(result.stderr)
    figures: dict[str, float] = json.loads(result.stdout)
    return figures


def measure_all(folder: Path) -> bool:
    """Measure both syntaxes and print a row for each; tell whether the targets are met."""
    names = ("contract.json", "contract.yaml")
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    measure(folder, names[0])  # writes the bytecode
    for _ in range(REPEATS):
        for name in names:
            runs[name].append(measure(folder, name))
    print("| contract | size KiB | Flask s | Demijohn s | compile s | total s | imported MiB | peak MiB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    met = True
    for name in names:
        size = (folder / name).stat().st_size / 1024
        best = min(runs[name], key=lambda run: run["total_s"])
        peak = min(run["peak_mib"] for run in runs[name])
        print(
            f"| {name} | {size:.0f} | {best['flask_s']:.3f} | {best['import_s']:.3f} "
            f"| {best['compile_s']:.3f} | {best['total_s']:.3f} | {best['imported_mib']:.1f} | {peak:.1f} |"
        )
        met = met and best["total_s"] < TARGET_S and peak < TARGET_MIB
    return met


def main() -> int:
    """Generate, measure, print; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description="Measure a cold start on a contract of 500 operations.")
    parser.add_argument("--keep", type=Path, help="write the contract and handlers here, and keep them")
    options = parser.parse_args()
    document = contract()
    count = len(operations_of(document))
    assert count == RESOURCES * OPERATIONS_PER_RESOURCE
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        write_files(folder, document)
        print(f"{count} operations, {len(document['components']['schemas'])} schemas; best of {REPEATS}\n")
        met = measure_all(folder)
    verdict = "met" if met else "missed"
    print(f"\ntargets: under {TARGET_S} s in all, under {TARGET_MIB:.0f} MiB: {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
