"""`demijohn user`: the accounts of an application, from the command line. The first administrator is made here."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import click
from sqlalchemy import insert, update
from sqlalchemy.exc import SQLAlchemyError

from demijohn.auth.accounts import Accounts
from demijohn.auth.users import User
from demijohn.cli.target import Options, find, open_application, state_of
from demijohn.errors import Unavailable
from demijohn.resources.database import Transaction, ViolationError
from demijohn.resources.engines import in_words
from demijohn.resources.model import AnyColumn
from demijohn.resources.outdated import OutdatedError

__all__ = ["add_user", "user"]


@click.group(short_help="Make, list and change the users of TARGET.")
def user() -> None:
    """Make, list and change the users of TARGET, an application that declares accounts.

    NAME is what a user logs in by. No account exists that nobody has made.
    """


_target = click.argument("target")
_name = click.argument("name")


@user.command()
@_target
@click.option("--email", help="The e-mail address; the same as --login email=...")
@click.option(
    "--login", "logins", multiple=True, metavar="NAME=VALUE", help="What the user logs in by; may be repeated."
)
@click.option(
    "--set", "others", multiple=True, metavar="NAME=VALUE", help="Another column of the user; may be repeated."
)
@click.option("--role", "roles", multiple=True, help="A role; may be repeated.")
@click.option("--password", help="The password; asked for where it is not given, which keeps it out of the history.")
def create(
    target: str,
    email: str | None,
    logins: tuple[str, ...],
    others: tuple[str, ...],
    roles: tuple[str, ...],
    password: str | None,
) -> None:
    """Make a user."""
    with _accounts(target) as accounts:
        model = accounts.model
        given = {} if email is None else {"email": email}
        names = _names(accounts, target, given | _pairs(logins, "--login"))
        values: dict[AnyColumn, Any] = {}
        for name, text in _pairs(others, "--set").items():
            column = model.model.columns.get(name)
            if column is None or column in model.guarded or column in model.login.values():
                raise click.ClickException(f"--set {name}: {model.model.source} has no such column to set.")
            values[column] = _converted(column, text)
        chosen = roles or ((model.default_role,) if model.default_role is not None else ())
        taken = next((name for name, text in names.items() if accounts.users.by_name(text, [name]) is not None), None)
        if taken is not None:  # nobody thinks of a password for nothing
            raise click.ClickException(f"{taken}: is taken already.")
        add_user(accounts, names, chosen, password, values)
    click.echo(f"Made {' '.join(names.values())}" + (f" ({' '.join(chosen)})." if chosen else "."))


def add_user(
    accounts: Accounts,
    names: Mapping[str, str],
    roles: Sequence[str],
    password: str | None,
    others: Mapping[AnyColumn, Any] = MappingProxyType({}),
) -> None:
    """Insert a user with login names, roles and a password, which is asked for where it is None."""
    model = accounts.model
    values: dict[AnyColumn, Any] = {**others, **{model.login[name]: text for name, text in names.items()}}
    if roles:
        values[_roles_column(accounts)] = _stored_roles(accounts, roles)
    values[model.password] = _hashed(accounts, password)

    def work(transaction: Transaction) -> None:
        transaction.connection.execute(insert(model.model.table).values(values))

    accounts.users.database.write(work)


def _names(accounts: Accounts, target: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return login names as they are stored."""
    model = accounts.model
    unknown = [name for name in given if name not in model.login]
    if unknown or not given:
        allowed = " or ".join(f"--login {one}=..." for one in model.login)
        wrong = f"a user of {target} does not log in by {unknown[0]!r}" if unknown else "nobody could log in"
        raise click.ClickException(f"{wrong}; say who it is: {allowed}.")
    names = {name: model.normal(name, text) for name, text in given.items()}
    for name, text in names.items():
        try:
            model.check(name, text)
        except ValueError as error:
            raise click.ClickException(f"--login {name}={text}: it {error}.") from error
    return names


@user.command("list")
@_target
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_(target: str, style: str) -> None:
    """List the users."""
    with _accounts(target) as accounts:
        model, found = accounts.model, accounts.users.all()
    if style == "json":
        click.echo(json.dumps([_data(accounts, one) for one in found], indent=2, ensure_ascii=False))
        return
    rows = [("KEY", *(name.upper() for name in model.login), "ROLES", "DISABLED")]
    for one in found:
        names = (name or "" for name in one.names)
        rows.append((one.text, *names, " ".join(sorted(one.roles)), "yes" if one.is_disabled else ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _data(accounts: Accounts, one: User) -> dict[str, Any]:
    names = dict(zip(accounts.model.login, one.names, strict=True))
    return {"key": one.text, "login": names, "roles": sorted(one.roles), "disabled": one.is_disabled}


@user.command()
@_target
@_name
def disable(target: str, name: str) -> None:
    """Shut a user out: at once, with all sessions and keys."""
    _set_disabled(target, name, True)
    click.echo(f"Disabled {name}.")


@user.command()
@_target
@_name
def enable(target: str, name: str) -> None:
    """Let a user in again."""
    _set_disabled(target, name, False)
    click.echo(f"Enabled {name}.")


@user.command()
@_target
@_name
@click.argument("roles", nargs=-1)
def roles(target: str, name: str, roles: tuple[str, ...]) -> None:
    """Give a user these roles and no others; they hold from the next request on."""
    with _accounts(target) as accounts:
        found = _found(accounts, name)
        _set(accounts, found, {_roles_column(accounts): _stored_roles(accounts, roles)})
    click.echo(f"{name}: {' '.join(roles) or 'no roles'}.")


@user.command()
@_target
@_name
@click.option("--password", help="The new password; asked for where it is not given.")
def password(target: str, name: str, password: str | None) -> None:
    """Give a user another password, and end all sessions and API keys."""
    with _accounts(target) as accounts:
        found = _found(accounts, name)
        hashed = _hashed(accounts, password)

        def work(transaction: Transaction) -> bool:
            accounts.sessions.end_others(transaction, found.text)
            accounts.api_keys.revoke_all(transaction, found.text)
            return accounts.users.set_password(transaction, found, hashed)

        is_done = accounts.users.database.write(work)
    if not is_done:
        raise click.ClickException(f"The password of {name} was changed by somebody else at the same time.")
    click.echo(f"{name} has a new password; every session is ended, every API key revoked.")


@contextmanager
def _accounts(target: str) -> Iterator[Accounts]:
    """Give the accounts of an application; whatever its database refuses is told in one line, with what to do.

    Operations that nothing serves do not matter here.
    """
    state = state_of(open_application(find(target), Options(target, unbound="501")))
    if state.accounts is None:
        raise click.ClickException(f"{target} has no accounts: it declares them with Demijohn.accounts(User).")
    assert state.resources is not None
    engine = state.resources.database.engine
    logging.getLogger("demijohn").addFilter(_is_no_error)  # it is told once, here
    try:
        state.resources.create_missing()
        yield state.accounts
    except ViolationError as error:
        violation = error.violation
        columns = ", ".join(violation.columns) or violation.constraint or violation.table or "a rule of the table"
        said = {"unique": "is taken already", "not-null": "must be given (--set NAME=VALUE)"}
        raise click.ClickException(f"{columns}: {said.get(violation.kind, 'is not allowed')}.") from error
    except OutdatedError as error:
        told = f"The database lacks what the models have: {error.reason}. Run `demijohn db create {target}`"
        raise click.ClickException(f"{told}, or `demijohn db upgrade {target}` where there are migrations.") from error
    except (Unavailable, OSError) as error:  # also the folder of an SQLite file, where it cannot be made
        reason = _first_line(error.__cause__ or error)
        raise click.ClickException(f"The database {in_words(engine)} cannot be used: {reason}") from error
    except SQLAlchemyError as error:
        raise click.ClickException(f"The database refuses it: {_first_line(error)}") from error
    finally:
        logging.getLogger("demijohn").removeFilter(_is_no_error)


def _is_no_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


def _first_line(error: BaseException) -> str:
    """Return what a driver said, without the statement that it said it about."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError):
        return f"{cause.filename}: {cause.strerror}"
    return next(iter(str(cause.args[-1] if cause.args else cause).strip().splitlines()), type(cause).__name__)


def _found(accounts: Accounts, name: str) -> User:
    found = accounts.users.by_name(name, accounts.model.login)
    if found is None:
        raise click.ClickException(f"There is no user {name!r}.")
    return found


def _set_disabled(target: str, name: str, value: bool) -> None:
    with _accounts(target) as accounts:
        if accounts.model.disabled is None:
            raise click.ClickException(f"Users of {target} cannot be disabled: declare accounts with disabled=...")
        _set(accounts, _found(accounts, name), {accounts.model.disabled: value})


def _set(accounts: Accounts, found: User, values: Mapping[AnyColumn, Any]) -> None:
    model = accounts.model

    def work(transaction: Transaction) -> None:
        statement = update(model.model.table).where(model.key == found.key).values(values)
        transaction.connection.execute(statement)

    accounts.users.database.write(work)


def _hashed(accounts: Accounts, password: str | None) -> str:
    if password is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        accounts.passwords.check(password)
    except ValueError as error:
        raise click.ClickException(f"The password {error}.") from error
    return accounts.passwords.hash(password)


def _roles_column(accounts: Accounts) -> AnyColumn:
    if accounts.model.roles is None:
        raise click.ClickException("Users have no roles: declare accounts with roles=...")
    return accounts.model.roles


def _stored_roles(accounts: Accounts, roles: Iterable[str]) -> Any:
    names = list(dict.fromkeys(roles))
    wrong = next((one for one in names if not one.strip() or set(one) & set(" ,\t\n")), None)
    if wrong is not None:
        raise click.ClickException(f"{wrong!r} is no role: a role is one word.")
    return accounts.model.stored_roles(names)


def _pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    wrong = next((name for name, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise click.ClickException(f"{option} {wrong}: write NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _converted(column: AnyColumn, text: str) -> Any:
    """Return the value of a column that is written as a text."""
    try:
        kind = column.type.python_type
    except NotImplementedError:
        kind = str
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, TypeError, ValueError):
        raise click.ClickException(f"--set {column.key}={text}: it is no {kind.__name__}.") from None
