"""The application's user model, as far as accounts know it: the columns that play a part, and statements on them."""

from __future__ import annotations

import enum
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, JSON, Boolean, Enum, String, Table, bindparam, or_, select, update

from demijohn.auth.tables import KEY_CHARACTERS, stamp_of
from demijohn.errors import BindingError
from demijohn.resources.database import Database, Transaction
from demijohn.resources.model import AnyColumn, Model
from demijohn.resources.spelling import Spelling
from demijohn.resources.statement import Statement, compile_statement

__all__ = ["HASH_CHARACTERS", "Declaration", "User", "UserModel", "Users", "read_user_model"]

HASH_CHARACTERS = 128
"""What the column of the password has to hold: a hash of argon2id has about 100 characters."""

_KEY_TYPES: Mapping[type, Callable[[str], Any]] = {int: int, str: str, UUID: UUID}
_MAIL = re.compile(r"(?:^|_)e?_?mail(?:_address)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Declaration:
    """Hold what `Demijohn.accounts` was told: the model, and the names of its attributes that play a part."""

    model: type | Table
    login: tuple[str, ...]
    password: str
    roles: str | None
    disabled: str | None
    default_role: str | None


@dataclass(frozen=True, slots=True, eq=False)
class UserModel:
    """Be a user model whose attributes are known to be there; `login` maps their names to columns."""

    model: Model
    key: AnyColumn
    login: Mapping[str, AnyColumn]
    password: AnyColumn
    roles: AnyColumn | None
    disabled: AnyColumn | None
    default_role: str | None

    @property
    def guarded(self) -> frozenset[AnyColumn]:
        """Return the columns that nobody sets by registering."""
        found = (self.key, self.password, self.roles, self.disabled)
        return frozenset(one for one in found if one is not None)

    def stored_roles(self, roles: Sequence[str]) -> Any:
        """Return roles as the column holds them: a list, or a text with blanks between."""
        is_list = self.roles is not None and isinstance(self.roles.type, JSON | ARRAY)
        return list(roles) if is_list else " ".join(roles)

    def is_mail(self, name: str) -> bool:
        """Tell whether a login name is an e-mail address: `email`, `mail`, `work_email`."""
        return _MAIL.search(name) is not None

    def normal(self, name: str, value: str) -> str:
        """Return a login name as it is stored: without blanks around, in NFC, an e-mail address in lower case, too."""
        value = unicodedata.normalize("NFC", value.strip())
        return unicodedata.normalize("NFC", value.lower()) if self.is_mail(name) else value

    def check(self, name: str, value: str) -> None:
        """Raise `ValueError` for a login name that nobody may have, in words that go behind `it`."""
        if not value:
            raise ValueError("must not be empty")
        if "@" in value and not self.is_mail(name) and any(map(self.is_mail, self.login)):
            raise ValueError("must not have an @ in it")  # or it could be another's address

    def spellings(self) -> dict[AnyColumn, Spelling]:
        """Return how login names are spelled, by their columns."""
        return {
            column: Spelling(partial(self.normal, name), partial(self.check, name))
            for name, column in self.login.items()
        }


class User(NamedTuple):
    """Be one user: `key` is the primary key in its Python type, `text` the same as a text."""

    key: Any
    text: str
    password: str | None
    roles: frozenset[str]
    is_disabled: bool
    names: tuple[str | None, ...]

    @property
    def stamp(self) -> str:
        """Return what sessions and keys of this user are tied to."""
        return stamp_of(self.password)


def read_user_model(declaration: Declaration, model: Model) -> UserModel:
    """Return the columns that a declaration names. Raises `BindingError` with everything that does not fit."""
    problems: list[str] = []

    def column(what: str, name: str) -> AnyColumn | None:
        found = model.columns.get(name)
        if found is None:
            close = get_close_matches(name, model.columns, 1)
            allowed = f"did you mean {close[0]!r}?" if close else "it has " + ", ".join(map(repr, model.columns))
            problems.append(f"accounts: {what}={name!r} is no column of {model.source}; {allowed}")
        return found

    login = {name: column("login", name) for name in declaration.login}
    password = column("password", declaration.password)
    roles = None if declaration.roles is None else column("roles", declaration.roles)
    disabled = None if declaration.disabled is None else column("disabled", declaration.disabled)
    key = _key(model, problems)
    if not login:
        problems.append(f"accounts: login names no column of {model.source}; name those that a user logs in by")
    for name, one in login.items():
        if one is not None and not isinstance(one.type, String):
            problems.append(f"accounts: login={name!r} is no text column; a user logs in by a text")
        if one is not None and (one,) not in model.unique:
            problems.append(f"accounts: login={name!r} is not unique in {model.source}; make it so")
    if password is not None:
        length = getattr(password.type, "length", None)
        if not isinstance(password.type, String) or (length is not None and length < HASH_CHARACTERS):
            wanted = f"make it String({HASH_CHARACTERS}) or longer"
            problems.append(f"accounts: password={declaration.password!r} cannot hold a hash; {wanted}")
    if disabled is not None and not isinstance(disabled.type, Boolean):
        problems.append(f"accounts: disabled={declaration.disabled!r} is no boolean column; make it one")
    if declaration.default_role is not None and declaration.roles is None:
        problems.append("accounts: default_role needs roles, the column that it goes to")
    if problems:
        raise BindingError(problems)
    assert key is not None
    assert password is not None
    columns = {name: one for name, one in login.items() if one is not None}
    return UserModel(model, key, columns, password, roles, disabled, declaration.default_role)


def _key(model: Model, problems: list[str]) -> AnyColumn | None:
    key = tuple(model.key)
    if len(key) != 1:
        problems.append(f"accounts: {model.source} needs a primary key of one column")
        return None
    try:
        is_known = key[0].type.python_type in _KEY_TYPES
    except NotImplementedError:
        is_known = False
    length = getattr(key[0].type, "length", None) or 0
    if not is_known or length > KEY_CHARACTERS:
        allowed = f"allowed are integers, UUIDs and texts of up to {KEY_CHARACTERS} characters"
        problems.append(f"accounts: the primary key of {model.source} is a {key[0].type!r}; {allowed}")
        return None
    return key[0]


class Users:
    """Find and change users."""

    def __init__(self, model: UserModel, database: Database) -> None:
        self.model = model
        self.database = database
        sql = database.dialect.sql
        key = model.key.type.dialect_impl(sql)
        self._bind, self._result = key.bind_processor(sql), key.result_processor(sql, None)
        self._of_text = _KEY_TYPES[model.key.type.python_type]
        self.columns: tuple[AnyColumn, ...] = (
            model.key,
            model.password,
            *(one for one in (model.roles, model.disabled) if one is not None),
            *model.login.values(),
        )
        self.is_key = model.key == bindparam("user", type_=model.key.type)
        table = model.model.table
        criterion = () if model.model.criterion is None else (model.model.criterion,)
        self.is_user = (self.is_key, *criterion)
        self._by_key = self.compile(select(*self.columns).select_from(table).where(*self.is_user))
        self._all = self.compile(select(*self.columns).select_from(table).where(*criterion).order_by(model.key))
        self._by_names = lru_cache(maxsize=50)(self._compile_names)
        changed = {model.password.key: bindparam("new_password", type_=model.password.type)}
        is_same = model.password == bindparam("old_password", type_=model.password.type)
        self._set_password = self.compile(update(table).where(self.is_key, is_same).values(changed))

    def compile(self, statement: Any) -> Statement:
        """Compile a statement for the database."""
        return compile_statement(statement, self.database.dialect.sql)

    def value(self, key: Any) -> dict[str, Any]:
        """Return the parameters of `is_key`, ready for the driver."""
        return {"user": key if self._bind is None else self._bind(key)}

    def key_of(self, text: str) -> Any:
        """Return the key that is written as a text. Raises `ValueError`."""
        return self._of_text(text)

    def read(self, row: Sequence[Any]) -> User:
        """Return the user of a row of `columns`."""
        model, rest = self.model, iter(row)
        key, password = next(rest), next(rest)
        key = key if self._result is None else self._result(key)
        roles = roles_of(self._roles_result(next(rest))) if model.roles is not None else frozenset[str]()
        is_disabled = bool(next(rest)) if model.disabled is not None else False
        return User(key, str(key), password, roles, is_disabled, tuple(rest))

    @cached_property
    def _roles_result(self) -> Callable[[Any], Any]:
        assert self.model.roles is not None
        sql = self.database.dialect.sql
        if isinstance(self.model.roles.type, Enum):
            result = self.model.roles.type.dialect_impl(sql).result_processor(sql, None)
            return result if result is not None else _same
        return _same  # a document is told from a text by what it is: drivers differ in whether they read it

    def all(self) -> list[User]:
        """Return all users, by their keys."""
        return [self.read(row) for row in self.database.read(self._all, {})]

    def by_text(self, text: str) -> User | None:
        """Return the user whose key somebody else writes as a text, None where there is none.

        A key is written in one way only: `07` and `7` may be two users of whoever writes them.
        """
        key_type = self.model.key.type
        codec = self.database.dialect.codec(key_type, {}, frozenset(("integer", "string")), None)
        try:
            key = self._of_text(text)
            codec.decode(key if isinstance(key, int) else text)
        except ValueError:  # none, or one that the column cannot hold
            return None
        return self.by_key(key) if str(key) == text else None

    def by_key(self, key: Any, transaction: Transaction | None = None) -> User | None:
        """Return the user with a key, None where there is none."""
        values = self.value(key)
        rows = (
            self.database.read(self._by_key, values) if transaction is None else transaction.run(self._by_key, values)
        )
        return self.read(rows[0]) if rows else None

    def by_name(self, value: str, names: Iterable[str]) -> User | None:
        """Return the user who logs in by `value`, which is one of `names`; the first of them goes first.

        An e-mail address is looked for as it was typed, and in lower case.
        """
        names = tuple(names)
        values = {"given": value, "mail": value, "plain": value}
        for name in names:
            values["mail" if self.model.is_mail(name) else "plain"] = self.model.normal(name, value)
        found = [self.read(row) for row in self.database.read(self._by_names(names), values)]
        wanted = tuple(values.values())
        places = {name: index for index, name in enumerate(self.model.login)}
        ranked: list[tuple[int, int, User]] = []
        for user in found:
            for rank, name in enumerate(names):
                stored = user.names[places[name]]
                if stored is not None and stored in wanted:
                    ranked.append((rank, wanted.index(stored), user))
        return min(ranked, key=lambda one: one[:2])[2] if ranked else None

    def _compile_names(self, names: tuple[str, ...]) -> Statement:
        conditions = []
        for name in names:
            column = self.model.login[name]
            normal = "mail" if self.model.is_mail(name) else "plain"
            given = [bindparam(one, type_=String()) for one in ("given", normal)]
            conditions += [column == one for one in given]
        criterion = () if self.model.model.criterion is None else (self.model.model.criterion,)
        return self.compile(
            select(*self.columns).select_from(self.model.model.table).where(or_(*conditions), *criterion)
        )

    def set_password(self, transaction: Transaction, user: User, password: str) -> bool:
        """Store another hash, unless somebody else has just done so."""
        values = {**self.value(user.key), "new_password": password, "old_password": user.password}
        transaction.run(self._set_password, values)
        return transaction.count == 1


def roles_of(value: Any) -> frozenset[str]:
    """Return roles as they are stored: one or several in a text, with blanks or commas between; or a list of them."""
    if value is None:
        return frozenset()
    if isinstance(value, enum.Enum):
        value = value.value if isinstance(value.value, str) else value.name
    if isinstance(value, str):
        return _roles_of_text(value)
    return frozenset(str(one) for one in value)


@lru_cache(maxsize=1000)
def _roles_of_text(text: str) -> frozenset[str]:
    if text.lstrip()[:1] in ("[", '"'):
        try:
            return roles_of(json.loads(text))
        except ValueError:
            return frozenset()
    return frozenset(re.split(r"[\s,]+", text.strip())) - {""}


def _same(value: Any) -> Any:
    return value
