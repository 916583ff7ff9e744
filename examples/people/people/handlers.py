"""What the operations of the contract do; `operationId` names these functions."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import quote

from flask import current_app, request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from demijohn import NoContent, Problem

from .storage import Person, Storage, now

__all__ = ["create", "delete", "read_all", "read_one", "update"]

Document: TypeAlias = dict[str, str]


class PersonExists(Problem):
    """Tell a client that the last name is taken."""

    status, code, title = 409, "person-exists", "The last name is taken"


class PersonNotFound(Problem):
    """Tell a client that nobody has the last name."""

    status, code, title = 404, "person-not-found", "There is no such person"


class NamesDiffer(Problem):
    """Tell a client that the body names another person than the URL.

    It is a conflict by RFC 9110, section 9.3.4: what is sent does not fit the resource that it is sent to.
    """

    status, code, title = 409, "names-differ", "The last name cannot be changed"


def read_all(limit: int, offset: int) -> list[Document]:
    """Return people, sorted by last name."""
    wanted = select(Person).order_by(Person.lname).limit(limit).offset(offset)
    with _storage().reading() as session:
        return [person.document() for person in session.scalars(wanted)]


def create(person: Document) -> tuple[Document, int, dict[str, str]]:
    """Add a person, unless the last name is taken."""
    lname = person["lname"]

    def work(session: Session) -> Document:
        created = Person(lname=lname, fname=person["fname"], timestamp=now())
        session.add(created)
        session.flush()
        return created.document()

    try:
        created = _storage().write(work)
    except IntegrityError as error:
        detail = f"There is already a person with the last name {lname}."
        raise PersonExists(detail, errors=[{"detail": detail, "pointer": "#/lname"}]) from error
    return created, 201, {"Location": f"{request.script_root}{request.path}/{quote(lname, safe='')}"}


def read_one(lname: str) -> Document:
    """Return the person with that last name."""
    with _storage().reading() as session:
        person = session.get(Person, lname)
    if person is None:
        raise _not_found(lname)
    return person.document()


def update(lname: str, person: Document) -> Document:
    """Change the first name of a person and renew the timestamp."""

    def work(session: Session) -> Document:
        stored = _locked(session, lname)
        if person.get("lname", lname) != lname:
            detail = f"It must be {lname}, as in the URL, or be left out."
            raise NamesDiffer(
                "A person is found by the last name; it cannot be changed.",
                errors=[{"detail": detail, "pointer": "#/lname"}],
            )
        stored.fname = person["fname"]
        stored.timestamp = now()
        return stored.document()

    return _storage().write(work)


def delete(lname: str) -> object:
    """Remove the person with that last name."""
    _storage().write(lambda session: session.delete(_locked(session, lname)))
    return NoContent


def _storage() -> Storage:
    storage: Storage = current_app.extensions["people"]
    return storage


def _locked(session: Session, lname: str) -> Person:
    """Return a person that nobody else can change or remove until the transaction ends."""
    person = session.get(Person, lname, with_for_update=True)
    if person is None:
        raise _not_found(lname)
    return person


def _not_found(lname: str) -> PersonNotFound:
    detail = f"There is no person with the last name {lname}."
    return PersonNotFound(detail, errors=[{"detail": detail, "in": "path", "name": "lname"}])
