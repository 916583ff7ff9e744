"""What is decided about an operation: one frozen plan, of which a request only runs the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from demijohn.compile.answers import Answers
from demijohn.compile.bodies import BodyDecoder
from demijohn.compile.guards import Caller, Guard
from demijohn.compile.parameters import Parameters
from demijohn.contract import Operation

__all__ = ["Action", "Arguments", "Call", "Mock", "Plan", "Unimplemented"]


@dataclass(frozen=True, slots=True)
class Arguments:
    """Hold what a request says once it is decoded and valid.

    `values` are the parameters in the order of `Operation.parameters`, `ABSENT` where not sent;
    `files` are the uploads of a form by field name; `media_type` is what the client and the contract agree on
    for a successful answer, "" where it has no body.
    """

    values: list[Any]
    body: Any
    files: dict[str, Any]
    caller: Caller
    prefer: str
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """Run a Python function. `bind` makes its keyword arguments; `name` says which one it is."""

    function: Callable[..., Any]
    bind: Callable[[Arguments], dict[str, Any]]
    name: str

    def run(self, arguments: Arguments) -> Any:
        """Call the function."""
        return self.function(**self.bind(arguments))


@dataclass(frozen=True, slots=True)
class Mock:
    """Answer from the examples of the contract, or with one made from the schema."""

    answer: Callable[[Arguments], Any]
    name: str = "mock"

    def run(self, arguments: Arguments) -> Any:
        """Choose the example."""
        return self.answer(arguments)


@dataclass(frozen=True, slots=True)
class Unimplemented:
    """Answer 501."""

    run: Callable[[Arguments], Any]
    name: str = "501"


Action: TypeAlias = Call | Mock | Unimplemented


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold everything that one operation does, in the order in which it happens."""

    operation: Operation
    endpoint: str
    path: str
    names: tuple[str, ...]
    guard: Guard | None
    parameters: Parameters | None
    body: BodyDecoder | None
    action: Action
    answers: Answers
