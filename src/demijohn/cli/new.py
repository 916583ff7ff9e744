"""`demijohn new`: a project that runs and passes its tests at once."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import click

from demijohn.cli.problems import count
from demijohn.cli.project import check_name, from_template, title_of, write

__all__ = ["new"]

# Of the template, what every project has.
_COMMON = (".env.example", ".gitignore", "pyproject.toml")


@click.command()
@click.argument("name")
@click.option("--accounts", is_flag=True, help="Let users register and log in, and have rows of their own.")
@click.option(
    "--from",
    "contract",
    metavar="CONTRACT",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Write the project for a contract that is there already.",
)
def new(name: str, accounts: bool, contract: Path | None) -> None:
    """Write a new project into the folder NAME.

    It is a small API with tests that runs as it is: a contract, a model, a handler. NAME is that of its Python package.
    What is there already is never overwritten.

    With --from it is for CONTRACT: the models that its schemas suggest, and a function for each operation that no
    model serves, which answers 501 until it is written.
    """
    check_name(name)
    if contract is None:
        write(Path(name), from_template("new", name, frozenset(("accounts",) if accounts else ("plain",))))
        _tell(name, [])
        return
    if accounts:
        raise click.UsageError("--accounts is for a project without --from: a contract says itself who logs in.")
    _write_draft(name, contract)


def _write_draft(name: str, contract: Path) -> None:
    from demijohn.cli.scaffold import application_text, draft_of, probe, readme_parts, tests_text

    draft = draft_of(contract, name)
    files = {path: text for path, text in from_template("new", name).items() if path in _COMMON}
    files[f"{name}/__init__.py"] = application_text(draft, title_of(name)).encode()
    files |= {f"{name}/{path}": content for path, content in draft.files.items()}
    said = {
        "models": draft.tables,
        "served": [*draft.served, *draft.own],
        "left": draft.handlers,
        "checks": draft.checks,
        "accounts": draft.own,
    }
    readme = from_template("draft", name, frozenset(part for part, things in said.items() if things))["README.md"]
    written = readme_parts(draft)
    text = re.sub(r"\{(\w+)\}", lambda found: written.get(found[1], found[0]), readme.decode())
    files["README.md"] = text.encode()
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary, name)
        write(made, files)
        probes = probe(draft, name, made, Path(temporary, "probe.sqlite"))
    files["tests/test_api.py"] = tests_text(draft, name, probes).encode()
    write(Path(name), files)
    told = [
        f"{count(len(draft.tables), 'model')}, {count(len(draft.served) + len(draft.own), 'operation')} served without"
        f" a handler, {count(len(draft.handlers), 'handler')} left to write"
    ]
    if draft.checks:
        told.append(f"{count(len(draft.checks), 'security scheme')} to write in security.py: until then, 401")
    _tell(name, told)


def _tell(name: str, told: list[str]) -> None:
    click.echo(f"Wrote {name}. " + ("Next:" if not told else f"{'; '.join(told)}. Next:"))
    click.echo(f"\n  cd {name}\n  demijohn run .\n\nIts README.md tells how to go on.")
