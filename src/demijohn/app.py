"""Demijohn as a Flask extension: contracts in, operations served. Wiring only."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, current_app, has_app_context

from demijohn.auth.claims import find_undeclared
from demijohn.cache import OperationCaches
from demijohn.compile import Resolver, Resource, compile_contract, importable
from demijohn.contract import Contract, load
from demijohn.docs import docs_blueprint
from demijohn.errors import BindingError, Finding, StartError
from demijohn.limits import Limiter, LoginLimits, new_limiter
from demijohn.operating import Observer, Probes, Readiness, set_up_logging
from demijohn.secret import signing_key
from demijohn.serve import Dispatcher, Entrance
from demijohn.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from demijohn.auth.accounts import Accounts
    from demijohn.auth.users import Declaration
    from demijohn.resources import Bindings, ModelResource, Resources
    from demijohn.resources.database import Database

__all__ = ["Api", "Demijohn", "State", "collector_paused"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Api:
    """Hold one contract as it is served: what it says, what was noticed, what was decided."""

    contract: Contract
    wrinkles: tuple[Finding, ...]
    resources: tuple[Resource, ...]
    base_path: str


@dataclass(slots=True)
class State:
    """Hold what Demijohn keeps of one Flask application, in `app.extensions["demijohn"]`.

    `resources` is None until a model is handed over, or rate limits are kept in the database: SQLAlchemy is not even
    imported before.
    `accounts` is None for an application without accounts.
    """

    settings: Settings
    dispatcher: Dispatcher
    limiter: Limiter
    caches: OperationCaches
    observer: Observer
    probes: Probes
    readiness: Readiness
    resources: Bindings | None = None
    accounts: Accounts | None = None
    apis: tuple[Api, ...] = ()


@dataclass(frozen=True, slots=True)
class _Addition:
    path: str | os.PathLike[str]
    base_path: str | None
    resolver: Resolver | None


@dataclass(slots=True)
class Demijohn:
    """Serve OpenAPI contracts in a Flask application.

    `Demijohn(app)` at once, or `Demijohn()` and `init_app(app)` in an application factory; contracts that
    were added before come with it. `settings` goes before the Flask configuration (`DEMIJOHN_...`), which goes
    before the environment.

        app = Flask(__name__)
        api = Demijohn(app)
        api.add_contract("openapi.yaml")
    """

    app: Flask | None = None
    settings: Settings | None = field(default=None, kw_only=True)
    _formats: dict[str, Callable[[str], bool]] = field(default_factory=dict, init=False, repr=False)
    _pending: list[_Addition] = field(default_factory=list, init=False, repr=False)
    _resources: Resources | None = field(default=None, init=False, repr=False)
    _accounts: Declaration | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Set up the application that was given."""
        if self.app is not None:
            self.init_app(self.app)

    def init_app(self, app: Flask) -> None:
        """Set up an application, with every contract that was added so far.

        Raises `StartError` (settings, contract, binding) with every problem at once.
        """
        if "demijohn" in app.extensions:
            raise StartError(["Demijohn is set up on this application already; call init_app once"])
        settings = self.settings or Settings.load(app.config, os.environ)
        flask_limit = app.config["MAX_CONTENT_LENGTH"]
        limit = settings.max_body_bytes if flask_limit is None else min(flask_limit, settings.max_body_bytes)
        limiter = new_limiter(settings, partial(_database, app))
        entrance = Entrance(settings, app.config.get("TRUSTED_HOSTS"))
        caches = OperationCaches(settings, app, partial(_bindings, app))
        dispatcher = Dispatcher(app, limit, entrance, settings.hsts)
        operating = _open_operating(app, settings, dispatcher)
        app.extensions["demijohn"] = State(settings, dispatcher, limiter, caches, *operating)
        self.app = app
        if self._resources is None and settings.rate_limit_storage == "database":
            self._resources = _no_resources()
        if self._resources is not None:
            _bind(app, self._resources)
        if self._accounts is not None:
            _open_accounts(app, self._accounts)
        for addition in self._pending:
            _serve(app, addition, self._formats)

    def resource(self, model: Any, *more: Any) -> ModelResource:
        """Let operations of the contracts to come be statements on `model`, where no function serves them.

        Each argument is a model of SQLAlchemy's (a mapped class or a `Table`), a declarative base, which stands for
        all of its models, or the `db` of Flask-SQLAlchemy or Flask-SQLAlchemy-Lite, which brings its engine.
        What is returned for a model takes hooks, and does what the operations do as functions.

        Raises `BindingError` for what is none of these.
        """
        from demijohn.resources import Resources

        if self._resources is None:
            self._resources = Resources()
            if self.app is not None:
                _bind(self.app, self._resources)
        return self._resources.add(model, *more)

    def accounts(
        self,
        model: type | Table,
        *,
        login: str | Sequence[str] = "email",
        password: str = "password_hash",  # noqa: S107  # the name of an attribute
        roles: str | None = None,
        disabled: str | None = None,
        default_role: str | None = None,
    ) -> None:
        """Let the users of the application be the rows of `model`, and the operations of `demijohn.auth` be about them.

        All else are names of its attributes: those that a user logs in by (unique texts), the one that holds the hash
        of the password, the roles (a text with one or several, or a list), and the boolean that shuts a user out.
        `default_role` is what somebody who registers gets. The model is handed over as by `resource`, too.

        Declare accounts once, before the contracts. Raises `BindingError` with every name that does not fit.
        """
        from demijohn.auth.users import Declaration

        if self._accounts is not None:
            raise BindingError(["accounts are declared already; an application has one user model"])
        names = (login,) if isinstance(login, str) else tuple(login)
        self.resource(model)
        self._accounts = Declaration(model, names, password, roles, disabled, default_role)
        if self.app is not None:
            _open_accounts(self.app, self._accounts)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Call `work` with a connection to the database of the models, and return what it returns.

        The call is one transaction, as that of a handler that names `connection`: for commands and jobs. It is about
        the current application; outside of any, about the one that was set up last.

        Raises `Conflict` where a rule of the database is broken, `Unavailable` where the database is away.
        """
        app = current_app if has_app_context() else self.app
        state: State | None = None if app is None else app.extensions.get("demijohn")
        if state is None or state.resources is None:
            raise RuntimeError("there is no database: set the application up, and hand models over, before")
        made: T = state.resources.connections(False)(work)
        return made

    def add_format(self, name: str, check: Callable[[str], bool]) -> None:
        """Let texts with the `format` of that name be checked, in contracts that are added later.

        `check` takes a text, and returns whether it is right, or raises `ValueError` where it is not. It knows nothing
        of the request, and has no side effects: what needs the database belongs in a hook.

            api.add_format("isbn", is_isbn)
        """
        self._formats[name] = check

    def add_contract(
        self,
        path: str | os.PathLike[str],
        *,
        base_path: str | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """Serve the contract in the file `path`, relative to the application's folder.

        `base_path` stands before its paths, `""` for none (default: the path of its first server, or Swagger's
        `basePath`). `resolver` finds the functions: any callable `operationId -> function`, or one of
        `RelativeResolver`, `RestyResolver`, `MethodViewResolver`. Before `init_app` the contract is kept for it.

        Raises `ContractError` or `BindingError` with every problem at once.
        """
        addition = _Addition(path, base_path, resolver)
        if self.app is None:
            self._pending.append(addition)
        else:
            _serve(self.app, addition, self._formats)


def _open_operating(app: Flask, settings: Settings, dispatcher: Dispatcher) -> tuple[Observer, Probes, Readiness]:
    """Let somebody watch what the dispatcher answers, as far as the settings ask for it."""
    set_up_logging(app, settings)
    observer = Observer(dispatcher, settings)
    observer.stats += [partial(_database_stats, app), partial(_limiter_stats, app), partial(_cache_stats, app)]
    readiness = Readiness(partial(_ask_database, app))
    probes = Probes(settings, readiness, observer.metrics if observer.does_count else None)
    if not settings.operating_address:
        dispatcher.probes = probes.paths
        dispatcher.add((), probes.paths, "")
    if observer.is_wanted:
        app.wsgi_app = observer  # type: ignore[method-assign]  # the documented way to wrap an application
    if find_spec("opentelemetry") is not None and find_spec("opentelemetry.trace") is not None:
        from demijohn.operating.tracing import Tracing

        app.wsgi_app = Tracing(dispatcher)  # type: ignore[method-assign]
    return observer, probes, readiness


def _ask_database(app: Flask) -> None:
    """Raise `Unavailable` where the operations have a database and it is away."""
    state: State = app.extensions["demijohn"]
    resources = state.resources
    if resources is not None and (resources.shapes or resources.own_metadatas):
        resources.ping()


def _database_stats(app: Flask) -> Mapping[str, float]:
    state: State = app.extensions["demijohn"]
    return {} if state.resources is None else state.resources.stats()


def _limiter_stats(app: Flask) -> Mapping[str, float]:
    state: State = app.extensions["demijohn"]
    return state.limiter.stats()


def _cache_stats(app: Flask) -> Mapping[str, float]:
    state: State = app.extensions["demijohn"]
    return state.caches.memory.stats()


def _no_resources() -> Resources:
    from demijohn.resources import Resources

    return Resources()


def _bind(app: Flask, resources: Resources) -> None:
    from demijohn.resources import Bindings

    state: State = app.extensions["demijohn"]
    state.resources = Bindings(resources, app, state.settings, partial(signing_key, app, "cursor", state.settings))
    if state.settings.rate_limit_storage == "database":
        from demijohn.limits.database import metadata

        state.resources.keep(metadata)


def _bindings(app: Flask) -> Bindings | None:
    state: State = app.extensions["demijohn"]
    return state.resources


def _database(app: Flask) -> Database:
    bindings = _bindings(app)
    assert bindings is not None  # `init_app` sees to it
    return bindings.database


def _open_accounts(app: Flask, declaration: Declaration) -> None:
    from demijohn.auth.accounts import Accounts
    from demijohn.auth.tokens import JWKS_PATH, jwks_blueprint

    state: State = app.extensions["demijohn"]
    assert state.resources is not None
    limits = LoginLimits(state.limiter, state.settings)
    state.accounts = Accounts(declaration, state.resources, app, state.settings, login_limits=limits)
    if state.accounts.tokens.is_public:
        app.register_blueprint(jwks_blueprint(state.accounts.tokens))
        state.dispatcher.add((), (JWKS_PATH,), "")


def _serve(app: Flask, addition: _Addition, formats: Mapping[str, Callable[[str], bool]]) -> None:
    state: State = app.extensions["demijohn"]
    file = Path(app.root_path, addition.path)
    with collector_paused(), importable([file.parent.resolve(), Path.cwd()]):
        loaded = load(file, state.settings)
        contract = replace(loaded.contract, formats=MappingProxyType(dict(formats)))
        resources = compile_contract(
            contract,
            state.settings,
            base_path=addition.base_path,
            resolver=addition.resolver,
            adapt=app.ensure_sync,
            find_own=find_undeclared if state.accounts is None else state.accounts.find_acts,
            find_verifier=None if state.accounts is None else state.accounts.verifier,
            find_acts=None if state.resources is None else state.resources.find_acts,
            limiter=state.limiter,
            connections=None if state.resources is None else state.resources.connections,
            caches=state.caches,
        )
        noticed = () if state.resources is None else state.resources.take_warnings()
        if noticed and state.settings.strict:
            raise BindingError(noticed)
    wrinkles = (*loaded.wrinkles, *noticed)
    base_path = contract.base_path if addition.base_path is None else addition.base_path.rstrip("/")
    _refuse_conflicts(state, resources, file)
    blueprint, reserved = docs_blueprint(contract, base_path, state.settings, f"demijohn_docs_{len(state.apis)}")
    app.register_blueprint(blueprint)
    state.dispatcher.add(resources, reserved, base_path)
    state.apis = (*state.apis, Api(contract, wrinkles, resources, base_path))
    if wrinkles:
        app.logger.warning(
            "%s has warnings (%d); `demijohn check` lists them, beginning with: %s",
            addition.path,
            len(wrinkles),
            wrinkles[0],
        )


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector: nearly all that is imported, and that a contract becomes, stays.

    Looking at it again and again takes a quarter more.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _refuse_conflicts(state: State, resources: tuple[Resource, ...], file: Path) -> None:
    """Refuse a path that another contract of the application serves: one of the two would never be reached."""
    served = {resource.shape: resource for api in state.apis for resource in api.resources}
    taken = [resource for resource in resources if resource.shape in served]
    if taken:
        raise BindingError(
            [f"{file.name}: {one.template} is served by another contract; give one a base_path" for one in taken]
        )
