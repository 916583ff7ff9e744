"""Which operations of a contract are those that Demijohn brings along, by their names alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from demijohn.compile.guards import Report
from demijohn.compile.plan import Act
from demijohn.contract import Contract, Operation, Place

__all__ = ["NAMES", "OWN", "find_undeclared", "operation_name", "unknown"]

OWN: Final = "demijohn.auth"
NAMES: Final = (
    "change_password",
    "create_api_key",
    "list_api_keys",
    "login",
    "logout",
    "me",
    "refresh",
    "register",
    "revoke_api_key",
    "revoke_session",
    "sessions",
)


def operation_name(operation: Operation) -> str | None:
    """Return what follows `demijohn.auth.` in the name of an operation, None where it has another name."""
    if operation.operation_id is None:
        return None
    name = f"{operation.controller}.{operation.operation_id}" if operation.controller else operation.operation_id
    return name.removeprefix(f"{OWN}.") if name.startswith(f"{OWN}.") else None


def unknown(name: str) -> tuple[str, str]:
    """Return what is said of a name that is none of the operations, and what is allowed."""
    close = get_close_matches(name, NAMES, 1)
    allowed = f"did you mean `{close[0]}`?" if close else "allowed are " + ", ".join(f"`{one}`" for one in NAMES)
    return f"{OWN} has no operation `{name}`", allowed


def find_undeclared(
    contract: Contract, prefix: str, report: Report, operations: Sequence[Operation]
) -> Mapping[Place, Act | str | None]:
    """Return why the operations that Demijohn brings along cannot be served: there are no accounts."""
    reason = "it is Demijohn's own, and there are no accounts: declare them by `api.accounts(User)` before the contract"
    return {one.place: reason for one in operations if operation_name(one) is not None}
