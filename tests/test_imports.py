"""Imports point one way: contract <- compile <- serve <- app."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import demijohn

SOURCE = Path(demijohn.__file__).parent

# What each room may import besides itself; `app`, `cli` and the package itself may import everything.
FOUNDATION = {"errors"}
ALLOWED = {
    "errors": set[str](),
    "settings": FOUNDATION,
    "secret": FOUNDATION | {"settings"},
    "turns": set[str](),
    "breaker": set[str](),
    "contract": FOUNDATION | {"settings"},
    "compile": FOUNDATION | {"settings", "contract"},
    "resources": FOUNDATION | {"settings", "turns", "contract", "compile"},
    "auth": FOUNDATION | {"settings", "secret", "turns", "contract", "compile", "resources"},
    "limits": FOUNDATION | {"settings", "turns", "breaker", "compile", "resources"},
    "cache": FOUNDATION | {"settings", "turns", "breaker", "contract", "compile", "resources"},
    "serve": FOUNDATION | {"settings", "contract", "compile"},
    "operating": FOUNDATION | {"settings", "compile", "serve"},
    "docs": FOUNDATION | {"settings", "contract"},
}
FREE = {"__init__", "__main__", "app", "cli"}


def backward(source: Path) -> list[str]:
    """Return every import that points backward, as `file:line: room`; `if TYPE_CHECKING` does not count."""
    found = []
    for file in sorted(source.rglob("*.py")):
        room = file.relative_to(source).with_suffix("").parts[0]
        if room in FREE:
            continue
        allowed = {(room,), *((one,) for one in ALLOWED.get(room, ()))}
        package = (source.name, *file.relative_to(source).parent.parts)
        for line, target in imports(ast.parse(file.read_bytes()), package):
            if target[0] == source.name and target[1:2] not in allowed:
                found.append(f"{file.relative_to(source)}:{line}: {'.'.join(target)}")
    return found


def imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield line and dotted name of whatever is imported at run time, inside functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                yield from imports(ast.Module([other], []), package)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, tuple(alias.name.split("."))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            # `from demijohn import serve` names a room only in what it imports.
            names = [(alias.name,) for alias in node.names] if len(base) == 1 else [()]
            yield from ((node.lineno, base + name) for name in names)
        else:
            yield from imports(node, package)


def test_imports_point_one_way() -> None:
    assert backward(SOURCE) == []


def test_every_room_is_known() -> None:
    rooms = {path.relative_to(SOURCE).with_suffix("").parts[0] for path in SOURCE.rglob("*.py")}
    assert rooms <= FREE | ALLOWED.keys()


def test_a_backward_import_is_found_however_it_is_written(tmp_path: Path) -> None:
    tree = tmp_path / "demijohn"
    files = {
        "contract/load.py": "from demijohn.errors import Finding\nfrom demijohn.compile.plan import Plan\n",
        "compile/plan.py": "import demijohn.serve.dispatch\nfrom demijohn.contract import load\n",
        "compile/late.py": "def f():\n    from demijohn import app\n",
        "serve/reply.py": "from ..app import Demijohn\nfrom .request import Request\nfrom ..compile import plan\n",
        "settings.py": "from . import contract\n",
        "docs/pages.py": "import demijohn\n",
        "app.py": "from demijohn.serve import Dispatcher\n",
    }
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8")
    assert backward(tree) == [
        "compile/late.py:2: demijohn.app",
        "compile/plan.py:1: demijohn.serve.dispatch",
        "contract/load.py:2: demijohn.compile.plan",
        "docs/pages.py:1: demijohn",
        "serve/reply.py:1: demijohn.app",
        "settings.py:1: demijohn.contract",
    ]


def test_an_import_for_type_checkers_does_not_count(tmp_path: Path) -> None:
    tree = tmp_path / "demijohn"
    (tree / "contract").mkdir(parents=True)
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from demijohn.compile.plan import Plan\n"
    (tree / "contract" / "model.py").write_text(text, encoding="utf-8")
    assert backward(tree) == []
