"""Functions of the application that stand before and after the writes of a model, within their transaction."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection

from demijohn.compile.guards import Caller
from demijohn.errors import BindingError

__all__ = ["Hook", "Hooks", "run_after", "run_before"]

Hook: TypeAlias = Callable[[dict[str, Any], Caller, Connection], Any]
"""What is called: the data (or the item as it is stored), who is calling, the open transaction."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(slots=True, eq=False)
class Hooks:
    """Hold the functions that stand around the writes of one model, in the order in which they were added.

    One that stands before gets the validated data and returns other data, or None to leave it as it is; one that
    stands after gets the item as it is stored. Each may raise a `Problem`: the write is undone, and that answered.
    """

    before_create: list[Hook] = field(default_factory=list)
    after_create: list[Hook] = field(default_factory=list)
    before_replace: list[Hook] = field(default_factory=list)
    after_replace: list[Hook] = field(default_factory=list)
    before_patch: list[Hook] = field(default_factory=list)
    after_patch: list[Hook] = field(default_factory=list)
    before_delete: list[Hook] = field(default_factory=list)
    after_delete: list[Hook] = field(default_factory=list)

    def add(self, when: str, function: Function) -> Function:
        """Add a function to those of `when`, such as `before_create`, and return it: made for decorators.

        A function may demand fewer arguments than there are. Raises `BindingError` for one that needs more, or is a
        coroutine.
        """
        getattr(self, when).append(_adapted(when, function))
        return function

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)


def run_before(hooks: list[Hook], data: dict[str, Any], caller: Caller, connection: Connection) -> dict[str, Any]:
    """Run the functions that stand before a write, each on what the one before it returned."""
    for hook in hooks:
        changed = hook(data, caller, connection)
        if changed is not None:
            if not isinstance(changed, dict):
                raise TypeError(f"a hook returned a {type(changed).__name__}; return a dict, or None")
            data = changed
    return data


def run_after(hooks: list[Hook], item: dict[str, Any], caller: Caller, connection: Connection) -> None:
    """Run the functions that stand after a write."""
    for hook in hooks:
        hook(item, caller, connection)


def _adapted(when: str, function: Callable[..., Any]) -> Hook:
    """Return a function that takes all three arguments and passes on as many as `function` demands.

    What has a default is left alone: `lambda data, name=name: ...`.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    if inspect.iscoroutinefunction(function):
        raise BindingError([f"{when}: {name} is a coroutine; hooks run within a transaction, so write it with def"])
    parameters = inspect.signature(function).parameters.values()
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return function
    demanded = [one for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    named = [one for one in demanded if one.kind is not one.KEYWORD_ONLY]
    too_many = [*named[3:], *(one for one in demanded if one.kind is one.KEYWORD_ONLY)]
    if too_many:
        names = ", ".join(one.name for one in too_many)
        raise BindingError([f"{when}: {name} needs {names}; a hook is given data, caller and connection"])
    match len(named):
        case 0:
            return lambda data, caller, connection: function()
        case 1:
            return lambda data, caller, connection: function(data)
        case 2:
            return lambda data, caller, connection: function(data, caller)
    return function
