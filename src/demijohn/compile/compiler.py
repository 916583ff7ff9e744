"""A contract and its functions to plans: everything about an operation is decided here, once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from demijohn.compile.answers import compile_answers
from demijohn.compile.bodies import compile_body
from demijohn.compile.caching import compile_caching
from demijohn.compile.cors import Cors, compile_cors, preflight_headers, read_origins
from demijohn.compile.guards import FindVerifier, Report, compile_guard
from demijohn.compile.handlers import bind
from demijohn.compile.mocks import compile_mock
from demijohn.compile.parameters import compile_parameters
from demijohn.compile.plan import Act, Action, Arguments, Call, Connect, Mock, Plan, Reading, Unimplemented
from demijohn.compile.rates import Limiting, RatePolicy, compile_rate_policy, windows_of_setting
from demijohn.compile.resolvers import RelativeResolver, Resolver, resolve
from demijohn.compile.reuse import CachePolicy, Caches, Sources, cache_wish, compile_cache_policy
from demijohn.compile.routes import Resource, names_of, shape_of
from demijohn.compile.samples import Samples
from demijohn.compile.validators import Validators
from demijohn.contract import Contract, Operation, Place
from demijohn.errors import BindingError, Finding, NotImplementedYet
from demijohn.settings import Settings

__all__ = ["Connections", "FindActs", "compile_contract"]

Connections: TypeAlias = Callable[[bool], Connect]
"""Return what gives a function its connection: to one that only reads (True), or to one that may write."""

FindActs: TypeAlias = Callable[[Contract, str, Report, Sequence[Operation]], Mapping[Place, Act | str | None]]
"""Take a contract, the path before its paths, where problems go, and the operations that no function serves.

Return, by its place, the act of each: or the reason why it has none, or None where that is reported already."""


def compile_contract(
    contract: Contract,
    settings: Settings,
    *,
    base_path: str | None = None,
    resolver: Resolver | None = None,
    adapt: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function,
    find_own: FindActs | None = None,
    find_acts: FindActs | None = None,
    limiter: Limiting | None = None,
    find_verifier: FindVerifier | None = None,
    connections: Connections | None = None,
    caches: Caches | None = None,
) -> tuple[Resource, ...]:
    """Return the resources of a contract, each with a plan for each of its methods.

    `base_path` stands before every path (default: the contract's own). `adapt` is applied to each function
    that serves an operation; Flask's `ensure_sync` is passed here. `find_own` is asked about all operations before
    any function is looked for: it finds those that Demijohn brings along. `find_acts` finds what models do without a
    function, `find_verifier` what checks the credentials of a security scheme without a hook. `limiter` makes what
    counts requests, `connections` serves functions that ask for a `connection`, `caches` makes what keeps answers.
    Raises `BindingError` with everything in which the contract and the functions do not fit.
    """
    prefix = contract.base_path if base_path is None else base_path.rstrip("/")
    compiler = _Compiler(contract, settings, prefix, adapt, limiter, find_verifier, connections, caches)
    own = {} if find_own is None else find_own(contract, prefix, compiler.report, contract.operations)
    compiler.resolve(resolver or RelativeResolver(), own)
    if find_acts is not None:
        unserved = [one for one in contract.operations if one.place not in own and compiler.is_unserved(one)]
        compiler.acts |= find_acts(contract, prefix, compiler.report, unserved)
    resources = tuple(compiler.resources())
    if compiler.problems:
        raise BindingError(compiler.problems)
    return resources


class _Compiler:
    """Hold what the plans of one contract share, and the problems found so far."""

    def __init__(
        self,
        contract: Contract,
        settings: Settings,
        prefix: str,
        adapt: Callable[[Callable[..., Any]], Callable[..., Any]],
        limiter: Limiting | None,
        find_verifier: FindVerifier | None,
        connections: Connections | None,
        caches: Caches | None,
    ) -> None:
        self.contract = contract
        self.settings = settings
        self.prefix = prefix
        self.adapt = adapt
        self.limiter = limiter
        windows = windows_of_setting(settings, "rate_limit_default")
        self.default_rate_policy = RatePolicy("application", windows) if windows else None
        self.find_verifier = find_verifier
        self.connections = connections
        self.caches = caches
        self.validators = Validators(
            contract.definitions, takes_read_only=settings.read_only == "ignore", formats=contract.formats
        )
        self.samples = Samples(contract.definitions, self.validators)
        self.functions: dict[Place, tuple[Callable[..., Any] | None, str]] = {}
        self.acts: dict[Place, Act | str | None] = {}
        self.problems: list[Finding | str] = []
        self._reported: set[tuple[Place, str]] = set()
        self._endpoints: set[str] = set()

    def resolve(self, resolver: Resolver, own: Mapping[Place, Act | str | None]) -> None:
        """Find the functions of operations, but for Demijohn's own: those have acts, or a reason why not."""
        for operation in self.contract.operations:
            if operation.place not in own:
                self.functions[operation.place] = resolve(resolver, operation)
                continue
            act = own[operation.place]
            self.functions[operation.place] = None, act if isinstance(act, str) else ""
            if not isinstance(act, str):
                self.acts[operation.place] = act

    def is_unserved(self, operation: Operation) -> bool:
        """Tell whether no function serves an operation."""
        return self.functions[operation.place][0] is None

    def resources(self) -> Iterator[Resource]:
        """Yield a resource for each path of the contract."""
        by_shape: dict[str, dict[str, Plan]] = {}
        cors = compile_cors(self.contract, read_origins(self.settings.cors_origins)[0], self.report)
        for operation in self.contract.operations:
            plans = by_shape.setdefault(shape_of(operation.path), {})
            if operation.method in plans:
                taken = plans[operation.method].operation.path
                self.report(operation.place, f"{operation.method} {operation.path} is also {taken}", "keep one")
            plans[operation.method] = self.plan(operation, cors)
        for plans in by_shape.values():
            allow, operations = _allow(plans), [plan.operation for plan in plans.values()]
            preflight = () if cors is None else preflight_headers(cors, operations, self.contract, allow)
            yield Resource(next(iter(plans.values())).path, plans, allow, cors, preflight)

    def plan(self, operation: Operation, cors: Cors | None) -> Plan:
        """Decide everything about one operation; `cors` is what its contract says to other origins."""
        definitions = self.contract.definitions
        action = self.action(operation)
        guard = compile_guard(
            operation,
            self.contract,
            self.report,
            mocked=isinstance(action, Mock | Unimplemented),
            # What an operation makes has to belong to somebody: only some acts know such a thing.
            needs_user=getattr(action, "needs_user", False),
            find_verifier=self.find_verifier,
        )
        parameters = compile_parameters(
            operation.parameters,
            self.validators,
            definitions,
            unknown_query=self.settings.unknown_query,
            known_query=guard.query_names if guard is not None else (),
        )
        body = None
        if operation.body is not None:
            body = compile_body(operation.body, self.validators, definitions, self.settings)
        answers = compile_answers(
            operation.responses,
            self.validators,
            definitions,
            validate=self.settings.validate_responses and isinstance(action, Call),
        )
        policy = compile_rate_policy(operation, self.contract, self.prefix, self.default_rate_policy, self.report)
        limiter = self.limiter
        reuse = self.reuse(operation, action)
        return Plan(
            operation=operation,
            endpoint=self._endpoint(operation),
            path=self.prefix + operation.path,
            names=names_of(self.prefix + operation.path),
            guard=guard,
            parameters=parameters,
            body=body,
            action=action,
            answers=answers,
            limit=None if policy is None or limiter is None else limiter.limit(policy),
            failures=None if guard is None or limiter is None else limiter.failures,
            caching=compile_caching(
                operation,
                guard,
                cors,
                reuse,
                is_negotiated=len(answers.offered) > 1,
                varies=getattr(action, "varies", ()),
                calls=isinstance(action, Call),
            ),
            cache=None if reuse is None or self.caches is None else self.caches.cache(reuse, operation, guard),
        )

    def reuse(self, operation: Operation, action: Action) -> CachePolicy | None:
        """Decide how the answers of an operation are kept; those of examples are made as fast as they are found."""
        sources: Sources | None = None
        if isinstance(action, Call):
            sources = Sources(None, action.takes_caller)
        elif isinstance(action, Reading):
            sources = action.sources
        elif isinstance(action, Mock | Unimplemented):
            cache_wish(operation, self.contract, self.report)
            return None
        tables = self.caches.tables if self.caches is not None else tuple[str]
        return compile_cache_policy(operation, self.contract, sources, tables, self.report)

    def action(self, operation: Operation) -> Action:
        """Decide what the operation does: the function if there is one, else the model, else what the settings say."""
        function, wrong = self.functions[operation.place]
        if function is not None:
            return self._call(function, operation)
        act = self.acts.get(operation.place, "")
        if not isinstance(act, str):
            return act or Unimplemented(_not_implemented)
        if self.settings.unbound == "mock":
            return Mock(compile_mock(operation, self.samples))
        if self.settings.unbound == "501":
            return Unimplemented(_not_implemented)
        name = f"operationId {operation.operation_id!r}" if operation.operation_id else "the operation"
        self.report(
            operation.place,
            f"{operation.method} {operation.path}: {name} has no function: {wrong}"
            + (f"; and no model: {act}" if act else ""),
            "name a function that can be imported, or set DEMIJOHN_UNBOUND to mock or 501",
        )
        return Unimplemented(_not_implemented)

    def report(self, place: Place, found: str, allowed: str) -> None:
        """Remember a problem, once."""
        if (place, found) not in self._reported:
            self._reported.add((place, found))
            line = self.contract.line(place)
            self.problems.append(Finding(place.file, line, place.pointer, found, allowed))

    def _call(self, function: Callable[..., Any], operation: Operation) -> Call:
        bound = bind(function, operation, self.contract.definitions, can_connect=self.connections is not None)
        for one in bound.wrong:
            self.report(operation.place, f"{operation.method} {operation.path}: {one}", "")
        name = f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}"
        connect = None
        if bound.connects:
            assert self.connections is not None
            connect = self.connections(operation.method in _READING)
            if iscoroutinefunction(function):
                said = f"{operation.method} {operation.path}: {name} is a coroutine, which no transaction can wait for"
                self.report(operation.place, said, "write it with def, or leave `connection` out")
        try:
            adapted = self.adapt(function)
        except RuntimeError as error:  # a coroutine function, and Flask lacks what runs it
            self.report(operation.place, f"{operation.method} {operation.path}: {name}: {error}", "")
            adapted = function
        return Call(adapted, bound.keywords, name, connect, bound.takes_caller)

    def _endpoint(self, operation: Operation) -> str:
        """Return a name for Flask's `request.endpoint`; no dots, or it would belong to a blueprint."""
        wanted = operation.operation_id or f"{operation.method.lower()} {operation.path}"
        base = re.sub(r"\W+", "_", f"{self.prefix}.{wanted}").strip("_")
        endpoint, count = base, 1
        while endpoint in self._endpoints:
            count += 1
            endpoint = f"{base}_{count}"
        self._endpoints.add(endpoint)
        return endpoint


# Methods that promise to change nothing (RFC 9110, 9.2.1).
_READING = frozenset(("GET", "HEAD", "OPTIONS", "QUERY", "TRACE"))


def _allow(plans: dict[str, Plan]) -> str:
    methods = {*plans, "OPTIONS"} | ({"HEAD"} if "GET" in plans else set())
    return ", ".join(sorted(methods))


def _not_implemented(_: Arguments) -> Any:
    raise NotImplementedYet("The contract declares this operation, and no function stands behind it yet.")
