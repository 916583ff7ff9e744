"""All that is drafted of a contract: the files of the package, and what is left to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from demijohn.auth.claims import operation_name
from demijohn.cli.scaffold.amending import amend
from demijohn.cli.scaffold.entities import find_entities
from demijohn.cli.scaffold.functions import Check, Handler, checks_for, checks_text, handlers_for, handlers_text
from demijohn.cli.scaffold.judging import judge
from demijohn.cli.scaffold.models import models_text
from demijohn.cli.scaffold.tables import Table, make_tables, needed
from demijohn.cli.scaffold.users import Users, find_users
from demijohn.contract import Contract, Operation, Place, load
from demijohn.resources.facts import SchemaReader
from demijohn.resources.places import Places
from demijohn.resources.shape import Shape

__all__ = ["Draft", "draft_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Hold what was made of a contract, and what is left to write.

    `files` are those of the package, by their names. `served` are operations on models, `own` are
    Demijohn's, `handlers` are left, with
    the reason why in `reasons`; `checks` are functions that have to say who is calling.
    """

    contract: Contract
    files: dict[str, bytes]
    tables: list[Table]
    users: Users | None
    served: list[Shape]
    own: list[Operation]
    handlers: list[Handler]
    checks: list[Check]
    reasons: dict[Place, str]

    @property
    def contract_file(self) -> str:
        """Return the name of the contract in the package."""
        return self.contract.sources[0].name


def draft_of(path: Path, package: str) -> Draft:
    """Return the draft of a package that serves the contract in the file `path`.

    Raises `ContractError`, and `click.ClickException` for operations of `demijohn.auth` without any users.
    """
    contract = load(path).contract
    reader = SchemaReader(contract.definitions)
    own = [one for one in contract.operations if operation_name(one) is not None]
    operations = [one for one in contract.operations if operation_name(one) is None]
    tables = make_tables(find_entities(contract, reader, operations), reader)
    users = find_users(own, tables, reader) if own else None
    if own and users is None:
        raise click.ClickException(
            f"{path} has operations of demijohn.auth, and no collection of users: describe one whose schema `register`"
            " or `me` answers with, and what of it users log in by."
        )
    models = models_text(tables)
    judgement = judge(contract, operations, models)
    names = {one.model.name for one in judgement.shapes.values()} | ({users.table.cls} if users is not None else set())
    used = needed(tables, frozenset(names))
    if len(used) < len(tables):  # a table that nothing is done with is none
        tables, models = used, models_text(used)
        judgement = judge(contract, operations, models, judgement.left)
    served = [judgement.shapes[one.place] for one in operations if one.place in judgement.shapes]
    left = [one for one in operations if one.place in judgement.left]
    handlers = handlers_for(left, frozenset(one.operation_id for one in operations if one.operation_id))
    checks = checks_for(contract.schemes, contract.operations, has_accounts=users is not None)
    files = {"handlers.py": handlers_text(handlers).encode()}
    if tables:
        files["models.py"] = models.encode()
    if checks:
        files["security.py"] = checks_text(checks).encode()
    additions = _additions(contract, package, tables, handlers, checks)
    for source in contract.sources:
        files[source.name] = amend(source, additions.get(source.name, {}))
    return Draft(contract, files, tables, users, served, own, handlers, checks, judgement.left)


def _additions(
    contract: Contract, package: str, tables: Sequence[Table], handlers: Sequence[Handler], checks: Sequence[Check]
) -> dict[str, dict[str, dict[str, str]]]:
    """Return what the files of the contract have to say more, by file and place."""
    found: dict[str, dict[str, dict[str, str]]] = {}

    def at(place: Place) -> dict[str, str]:
        return found.setdefault(place.file, {}).setdefault(place.pointer, {})

    places = Places(contract)
    for table in tables:
        place = places.definition(table.entity.definition)
        if place is not None and table.entity.definition != table.cls:
            at(place)["x-resource"] = table.cls
    for handler in handlers:
        if handler.is_new_id:
            at(handler.operation.place)["operationId"] = handler.operation_id
    for check in checks:
        function = f"{package}.security.{check.name}"
        at(check.scheme.place).update(dict.fromkeys(_hooks(check), function))
    return found


def _hooks(check: Check) -> Sequence[str]:
    """Return the keys that name the function of a scheme: those that are there, for a function of elsewhere."""
    return [one for one in check.scheme.hooks if one != "x-scopeValidateFunc"] or [check.key]
