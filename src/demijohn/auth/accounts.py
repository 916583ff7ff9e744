"""The accounts of one application: who its users are, and every way in which a request can show one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

from flask import Flask

from demijohn.auth.api_keys import ApiKeys
from demijohn.auth.claims import OWN, operation_name, unknown
from demijohn.auth.comparison import Comparison
from demijohn.auth.events import told
from demijohn.auth.keys import Keys
from demijohn.auth.operations import MAKERS
from demijohn.auth.outside import OutsideIssuer
from demijohn.auth.passwords import Busy, Passwords
from demijohn.auth.registering import register
from demijohn.auth.sessions import Opened, Sessions
from demijohn.auth.tables import metadata, stamp_of
from demijohn.auth.tokens import InvalidToken, Tokens
from demijohn.auth.users import Declaration, User, UserModel, Users, read_user_model
from demijohn.compile.faults import Fault
from demijohn.compile.guards import Caller, OutsideClaims, Report, Verifier, caller_of, challenge_of, infos_of
from demijohn.compile.plan import Act
from demijohn.contract import Contract, Operation, Place, Scheme
from demijohn.errors import BindingError, Forbidden, Unauthorized, Unavailable
from demijohn.resources import Bindings
from demijohn.resources.binding import Binder
from demijohn.resources.conflicts import bad_request
from demijohn.resources.database import Transaction
from demijohn.resources.model import Model
from demijohn.resources.models import Models
from demijohn.resources.ownership import Ownership
from demijohn.resources.shape import Shape
from demijohn.resources.shapes import Shaper
from demijohn.settings import Settings

__all__ = ["Accounts", "LoginLimits"]


class LoginLimits(Protocol):
    """Slow down those who guess passwords."""

    def before(self, account: str, address: str) -> None:
        """Count an attempt before anything is hashed; raises a `Problem` with 429 where there were too many."""

    def take_back(self, account: str, address: str) -> None:
        """Take back what `before` counted: nothing was learned about the password."""

    def succeeded(self, account: str, address: str) -> None:
        """Take back what `before` counted, and know the address from now on."""


class Accounts:
    """Hold what an application's accounts are made of; `login_limits` slow down guessing (None: nothing does)."""

    def __init__(
        self,
        declaration: Declaration,
        bindings: Bindings,
        app: Flask,
        settings: Settings,
        *,
        login_limits: LoginLimits | None = None,
    ) -> None:
        self.settings = settings
        self.passwords = Passwords(settings)
        self.tokens = Tokens(Keys.load(app, settings), settings)
        self.model: UserModel = read_user_model(declaration, _model(bindings.models, declaration))
        self.login_limits = login_limits
        self._declaration = declaration
        self._bindings = bindings
        self._app = app
        self._title = app.name
        self._issuers: dict[str | None, OutsideIssuer] = {}
        bindings.keep(metadata)
        bindings.secret.add(self.model.password)
        bindings.spellings.update(self.model.spellings())

    @cached_property
    def users(self) -> Users:
        """Return what finds and changes users."""
        return Users(self.model, self._bindings.database)

    @cached_property
    def sessions(self) -> Sessions:
        """Return what keeps sessions."""
        return Sessions(self.users, self.settings)

    @cached_property
    def api_keys(self) -> ApiKeys:
        """Return what keeps API keys."""
        return ApiKeys(self.users)

    # At start-up

    def find_acts(
        self, contract: Contract, prefix: str, report: Report, operations: Sequence[Operation]
    ) -> Mapping[Place, Act | str | None]:
        """Return the acts of those operations of a contract that Demijohn brings along, as `compile_contract` wants."""
        own = [(one, name) for one in operations if (name := operation_name(one)) is not None]
        if not own:
            return {}
        self._title = contract.title
        models = self._bindings.models
        # Each reading of the models makes them anew, and those of one contract belong together.
        self.model = replace(self.model, model=_model(models, self._declaration))
        dialect = self.users.database.dialect
        binder = Binder(contract, models, dialect, report, _nobody, self._bindings.spellings)
        ownership = Ownership(binder, dialect.name, _nobody, _nobody)
        shaper = Shaper(contract, binder, ownership, self.settings, _nobody, _nobody)
        acts: dict[Place, Act | str | None] = {}
        for operation, name in own:
            comparison = Comparison(f"{OWN}.{name}", operation, binder, self.model, report)
            if name == "register":
                hooks = self._bindings.handle(models, self.model.model).hooks
                acts[operation.place] = register(self, comparison, binder, shaper, hooks)
            elif name in MAKERS:
                acts[operation.place] = MAKERS[name](self, comparison)
            else:
                report(operation.place, *unknown(name))
                acts[operation.place] = None
        for shape in self._bindings.others:
            if shape.act == "create":
                self._bindings.shapes[shape.operation.method, prefix + shape.operation.path] = shape
        return acts

    def shown(self, shape: Shape) -> None:
        """Have the shape of an operation compared with the user model, together with all others of the contract."""
        self._bindings.others.append(shape)

    def challenge(self) -> list[tuple[str, str]]:
        """Return the header that a 401 carries."""
        return [("WWW-Authenticate", challenge_of("bearer", self._title))]

    def verifier(self, scheme: Scheme, operation: Operation) -> Verifier | str:
        """Return what checks the credentials of a scheme that has no hook, or why nothing does."""
        if operation_name(operation) == "refresh":
            return _to_be_checked  # by the operation itself, in the transaction that uses the token up
        match scheme.kind:
            case "openIdConnect":
                return self._outside(scheme)
            case "bearer" if self.settings.oidc_jwks_url or self.settings.oidc_issuer:
                return _either(self.caller_of_token, self._outside(scheme))
            case "bearer" | "oauth2":
                return self.caller_of_token
            case "apiKey" if scheme.location == "header" and (scheme.parameter or "").lower() == "authorization":
                return self._by_authorization
            case "apiKey":
                return self._by_api_key
        return "accounts check bearer tokens and API keys"

    # Whom a credential shows

    def caller_of_token(self, token: str) -> Caller | None:
        """Return the caller that an access token shows, None for one that is not valid (any more)."""
        try:
            claims = self.tokens.read(token)
        except InvalidToken:
            return None
        user = self.sessions.look_up(claims.session, claims.subject)
        if user is None:
            return None
        info = _OwnInfo(claims.extra)
        info["sid"], info["jti"], info["exp"] = claims.session, claims.token_id, claims.expires_at
        info["sub"], info["scope"] = user.key, sorted(user.roles)
        return Caller(user.key, info, user.roles)

    def _by_api_key(self, key: str) -> Caller | None:
        found = self.api_keys.look_up(key)
        if found is None:
            return None
        id_, user, scopes = found
        return Caller(user.key, _OwnInfo({"sub": user.key, "scope": sorted(scopes), "api_key": id_}), scopes)

    def _by_authorization(self, header: str) -> Caller | None:
        """Check what Swagger 2.0, without bearer tokens, has to call an API key: `Authorization: Bearer ...`."""
        kind, _, token = header.partition(" ")
        return self.caller_of_token(token.strip()) if kind.lower() == "bearer" else self._by_api_key(header)

    def _outside(self, scheme: Scheme) -> Verifier:
        issuer = self._issuers.get(scheme.openid_url)
        if issuer is None:
            issuer = self._issuers[scheme.openid_url] = OutsideIssuer(self.settings, scheme.openid_url)

        def verify(token: str) -> Caller | None:
            try:
                claims = OutsideClaims(issuer.read(token))
            except InvalidToken:
                return None
            user = self._user_of_claims(claims)
            if user is not None and user.is_disabled:
                return None
            claims.user = None if user is None else user.key
            return caller_of(claims)

        return verify

    def _user_of_claims(self, claims: Mapping[str, Any]) -> User | None:
        """Return the user here for whom a token of an identity provider stands, by the claim that has its key."""
        name = claims.get(self.settings.oidc_user_claim) if self.settings.oidc_user_claim else None
        return self.users.by_text(name) if isinstance(name, str) else None

    # What operations do

    def log_in(self, account: str, columns: Sequence[str], password: str, address: str) -> User | None:
        """Return the user with that name and password: None, after the same work, for any other."""
        with self.passwords.place():
            self.before(account, address)
            try:
                user = self.users.by_name(account, columns) if _is_storable(account) else None
            except Unavailable:
                self._take_back(account, address)  # who could not be told has guessed nothing
                raise
            is_right = self.passwords.verify(None if user is None else user.password, password)
        if user is None or not is_right or user.is_disabled:
            reason = "no such user" if user is None else "disabled" if is_right else "wrong password"
            told("login failed", account=account, address=address, reason=reason)
            return None
        self.succeeded(account, address)
        told("login succeeded", user=user.text, address=address)
        assert user.password is not None
        return self._rehashed(user, password) if self.passwords.is_outdated(user.password) else user

    def begin(self, user: User, address: str, agent: str, *, refreshable: bool) -> Opened:
        """Begin a session."""

        def work(transaction: Transaction) -> Opened:
            return self.sessions.begin(transaction, user, address, agent, refreshable=refreshable)

        return self.users.database.write(work)

    def refresh(self, token: str, address: str) -> Opened | None:
        """Go on with a session; None where the refresh token is no good."""
        found = self.sessions.refresh(token)
        if isinstance(found, Opened):
            return found
        is_theft = found.reason == "replayed"
        event = "refresh token replayed, session ended" if is_theft else "refresh refused"
        told(event, warning=is_theft, user=found.user, session=found.session[:8], address=address, reason=found.reason)
        return None

    def before(self, account: str, address: str) -> None:
        """Count an attempt to guess a password. Raises a `Problem` with 429.

        Have a place first: who is sent away because there is none, and comes again as told, has attempted nothing.
        """
        if self.login_limits is not None:
            self.login_limits.before(account, address)

    def succeeded(self, account: str, address: str) -> None:
        """Take back what `before` counted."""
        if self.login_limits is not None:
            self.login_limits.succeeded(account, address)

    def _take_back(self, account: str, address: str) -> None:
        if self.login_limits is not None:
            self.login_limits.take_back(account, address)

    def hashed(self, password: Any, name: str) -> str:
        """Return the hash of a new password. Raises `BadRequest`, about the property `name`, for a bad one."""
        try:
            if not isinstance(password, str):
                raise ValueError("must be a text")
            self.passwords.check(password)
        except ValueError as error:
            raise bad_request([Fault((name,), str(error))]) from None
        with self.passwords.place():
            return self.passwords.hash(password)

    def set_password(self, user: User, new: str, session: str = "") -> bool:
        """Store a new password and end all sessions but one; False where another one was stored meanwhile."""

        def work(transaction: Transaction) -> bool:
            if not self.users.set_password(transaction, user, new):
                return False
            self.sessions.end_others(transaction, user.text, session)
            self._keep(transaction, user, new)
            return True

        return self.users.database.write(work)

    def _rehashed(self, user: User, password: str) -> User:
        """Store the hash that is made today of a password that has an older one; sessions and keys go on."""
        try:
            with self.passwords.place():
                new = self.passwords.hash(password)
        except Busy:  # there will be another login
            return user

        def work(transaction: Transaction) -> bool:
            if not self.users.set_password(transaction, user, new):
                return False
            self._keep(transaction, user, new)
            return True

        return user._replace(password=new) if self.users.database.write(work) else user

    def _keep(self, transaction: Transaction, user: User, new: str) -> None:
        for kept in (self.sessions, self.api_keys):
            kept.keep(transaction, user.text, user.stamp, stamp_of(new))

    # Who is calling

    def key_of(self, caller: Caller) -> Any:
        """Return the key of the user who is calling. Raises `Unauthorized` for a caller who is none of the users."""
        key = caller.user
        if isinstance(key, str):
            try:
                return self.users.key_of(key)
            except ValueError:
                raise self.missing() from None
        if key is None or isinstance(key, bool) or type(key) is not self.model.key.type.python_type:
            raise self.missing()
        return key

    def user_of(self, caller: Caller) -> User:
        """Return the user who is calling. Raises `Unauthorized`."""
        user = self.users.by_key(self.key_of(caller))
        if user is None:
            raise self.missing()
        return user

    def session_in(self, caller: Caller) -> str:
        """Return the session that the access token of a caller belongs to, "" for other credentials."""
        return next((str(one["sid"]) for one in infos_of(caller) if isinstance(one, _OwnInfo) and "sid" in one), "")

    def session_of(self, caller: Caller) -> tuple[str, str]:
        """Return the session and the user of a caller. Raises `Forbidden` for one that has no session: an API key."""
        session = self.session_in(caller)
        if not session:
            raise Forbidden("This operation needs a login; an API key, or another's token, will not do.")
        return session, str(self.key_of(caller))

    def missing(self) -> Unauthorized:
        """Return the problem of a caller who is no user of this application."""
        return Unauthorized(
            "The credentials are of nobody who has an account here.",
            headers=self.challenge(),
        )


class _OwnInfo(dict[str, Any]):
    """Be what a token or key of this application says: no claim of anybody else's can look like it."""


def _model(models: Models, declaration: Declaration) -> Model:
    thing = declaration.model
    model = models.of_class(thing) if isinstance(thing, type) else next(iter(models.of_table(thing)), None)
    if model is None:
        raise BindingError([f"accounts: {thing!r} is no model; hand over a mapped class or a Table"])
    return model


def _to_be_checked(token: str) -> Caller:
    return Caller(None, {})


def _either(first: Verifier, second: Verifier) -> Verifier:
    def verify(token: str) -> Caller | None:
        found = first(token)
        return found if found is not None else second(token)

    return verify


def _is_storable(text: str) -> bool:
    """Tell whether a text can be a name in a database: PostgreSQL takes no NUL, nobody half a character."""
    return "\0" not in text and len(text) <= 1000 and not any("\ud800" <= char <= "\udfff" for char in text)


def _nobody(place: Place, found: str, allowed: str) -> None:
    """Take what somebody else reports already."""
