"""What is decided about an operation: one frozen plan, of which a request only runs the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, runtime_checkable

from demijohn.compile.answers import Answer, Answers
from demijohn.compile.bodies import BodyDecoder
from demijohn.compile.caching import Caching
from demijohn.compile.guards import Caller, Guard
from demijohn.compile.parameters import Parameters
from demijohn.compile.rates import Failures, Limit
from demijohn.compile.reuse import Cache, Sources
from demijohn.contract import Operation

__all__ = ["Act", "Action", "Arguments", "Call", "Connect", "Mock", "Plan", "Reading", "Requested", "Unimplemented"]

Connect: TypeAlias = Callable[[Callable[[Any], Any]], Any]
"""Call a function with a connection, in a transaction around the call; return what it returns."""


class Requested(Protocol):
    """Be the request itself, for what no parameter says: preconditions, and the address it was sent to."""

    @property
    def method(self) -> str:
        """Return the method, in upper case."""

    @property
    def base(self) -> str:
        """Return the path that the application is mounted at, "" for the root."""

    @property
    def path(self) -> str:
        """Return the path below `base`, as it was sent."""

    @property
    def query(self) -> str:
        """Return the query string without its question mark, as it was sent."""

    @property
    def scheme(self) -> str:
        """Return `http` or `https`."""

    @property
    def address(self) -> str:
        """Return the address of the client, "" where the server does not tell."""

    def header(self, name: str) -> str | None:
        """Return a header as it was sent, None where it was not."""


class Arguments(NamedTuple):
    """Hold what a request says once it is decoded and valid.

    `values` are the parameters in the order of `Operation.parameters`, `ABSENT` where not sent;
    `files` are the uploads of a form by field name; `media_type` is what the client and the contract agree on
    for a successful answer, "" where it has no body. `raw` is the body as it was sent.
    """

    values: list[Any]
    body: Any
    files: dict[str, Any]
    caller: Caller
    prefer: str
    request: Requested
    media_type: str = ""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Call:
    """Run a Python function. `bind` makes its keyword arguments; `name` says which one it is.

    `connect` gives it its `connection`, None where it asks for none; `takes_caller` tells that it asks who is calling.
    """

    has_hooks: ClassVar[bool] = True
    function: Callable[..., Any]
    bind: Callable[[Arguments], dict[str, Any]]
    name: str
    connect: Connect | None = None
    takes_caller: bool = False

    def run(self, arguments: Arguments) -> Any:
        """Call the function."""
        keywords = self.bind(arguments)
        if self.connect is None:
            return self.function(**keywords)
        return self.connect(lambda connection: self.function(**keywords, connection=connection))


@dataclass(frozen=True, slots=True)
class Mock:
    """Answer from the examples of the contract, or with one made from the schema."""

    has_hooks: ClassVar[bool] = True
    varies: ClassVar[tuple[str, ...]] = ("Prefer",)
    answer: Callable[[Arguments], Any]
    name: str = "mock"

    def run(self, arguments: Arguments) -> Any:
        """Choose the example."""
        return self.answer(arguments)


@dataclass(frozen=True, slots=True)
class Unimplemented:
    """Answer 501."""

    has_hooks: ClassVar[bool] = True
    run: Callable[[Arguments], Any]
    name: str = "501"


class Act(Protocol):
    """Answer by a statement on a model; `name` says what it does: `list Person`."""

    @property
    def has_hooks(self) -> bool:
        """Tell whether functions of the application run beside the statement, inside Flask's contexts."""

    @property
    def name(self) -> str:
        """Return what it does."""

    def run(self, arguments: Arguments) -> Answer:
        """Run the statement; the answer is finished but for the headers that every answer has."""


@runtime_checkable
class Reading(Protocol):
    """Be an act whose answers follow from tables alone."""

    @property
    def sources(self) -> Sources:
        """Return what they are made from."""


Action: TypeAlias = Call | Mock | Unimplemented | Act


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
    caching: Caching | None
    limit: Limit | None = None
    failures: Failures | None = None
    cache: Cache | None = None

    @property
    def stands_alone(self) -> bool:
        """Tell whether no function of the application takes part: no handler, no security hook, no hook of a model."""
        return (self.guard is None or not self.guard.has_hooks) and not self.action.has_hooks
