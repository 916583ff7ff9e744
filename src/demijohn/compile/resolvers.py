"""Operations to the names of their functions: Connexion's resolvers.

A resolver is any callable that takes an `operationId` and returns a function (or None). Those below need
more than the id, so they take the operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from demijohn.compile.functions import find_function
from demijohn.contract import Operation

__all__ = ["MethodViewResolver", "RelativeResolver", "Resolver", "RestyResolver", "resolve"]


class OperationResolver(Protocol):
    """Find the function of an operation, or None and the reason why there is none."""

    def resolve(self, operation: Operation) -> tuple[Callable[..., Any] | None, str]:
        """Return the function, or None and why not."""


Resolver: TypeAlias = OperationResolver | Callable[[str], Callable[..., Any] | None]


class RelativeResolver:
    """Look operationIds up below one root module: `read` becomes `root.read`."""

    def __init__(self, root: str = "") -> None:
        self.root = root

    def name(self, operation: Operation) -> str | None:
        """Return the dotted name of the operation's function."""
        if operation.operation_id is None:
            return None
        prefix = operation.controller or self.root
        return f"{prefix}.{operation.operation_id}" if prefix else operation.operation_id

    def resolve(self, operation: Operation) -> tuple[Callable[..., Any] | None, str]:
        """Find the function by `operationId`, below the operation's controller or the root."""
        name = self.name(operation)
        return (None, "it has no operationId") if name is None else find_function(name)


class RestyResolver(RelativeResolver):
    """Derive the function from path and method where there is no operationId.

    `GET /pets` is `root.pets.search`, `GET /pets/{id}` is `root.pets.get`, `POST /pets` is `root.pets.post`.
    """

    def __init__(self, root: str, collection_name: str = "search") -> None:
        super().__init__(root)
        self.collection_name = collection_name

    def name(self, operation: Operation) -> str | None:
        """Return the dotted name of the operation's function."""
        if operation.operation_id is not None:
            return super().name(operation)
        resource, function = self._rest(operation)
        return f"{operation.controller or f'{self.root}.{resource}'}.{function}"

    def _rest(self, operation: Operation) -> tuple[str, str]:
        first, _, rest = operation.path.strip("/").partition("/")
        collection = operation.method == "GET" and not rest
        return re.sub(r"\W", "_", first), self.collection_name if collection else operation.method.lower()


class MethodViewResolver(RestyResolver):
    """Derive a method of a Flask `MethodView`: `GET /pets` is `root.PetsView().search`."""

    def name(self, operation: Operation) -> str | None:
        """Return the dotted name of the operation's method."""
        if operation.operation_id is not None:
            return super().name(operation)
        resource, function = self._rest(operation)
        return f"{operation.controller or self.root}.{resource.capitalize()}View.{function}"

    def resolve(self, operation: Operation) -> tuple[Callable[..., Any] | None, str]:
        """Find the method, on an instance of its class."""
        name = self.name(operation)
        if name is None or operation.operation_id is not None:
            return super().resolve(operation)
        owner, _, method = name.rpartition(".")
        view, wrong = find_function(owner)
        if view is None:
            return None, wrong
        bound = getattr(view(), method, None)
        return (bound, "") if callable(bound) else (None, f"{owner} has no method {method!r}")


def resolve(resolver: Resolver, operation: Operation) -> tuple[Callable[..., Any] | None, str]:
    """Ask a resolver of either kind."""
    if hasattr(resolver, "resolve"):
        return resolver.resolve(operation)
    if operation.operation_id is None:
        return None, "it has no operationId"
    found = resolver(operation.operation_id)
    return found, "" if found is not None else "the resolver knows no such function"
