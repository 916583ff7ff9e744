"""The functions that RestyResolver finds for `/people` and `/people/{id}`."""

from typing import Any

from connexion import problem
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker

from peers.connexion_people.shapes import JSON, as_json
from peers.people import Person, new_engine, order

new_session = sessionmaker(new_engine())


def search(limit: int, country: str | None = None, sort: str | None = None) -> Any:
    """Answer the first people."""
    query = select(Person).order_by(order(sort)).limit(limit)
    if country is not None:
        query = query.where(Person.country == country)
    with new_session() as session:
        return [as_json(person) for person in session.scalars(query)], 200, JSON


def get(id: int) -> Any:
    """Answer one person, or 404."""
    with new_session() as session:
        person = session.get(Person, id)
        return problem(404, "Not Found", f"Nobody has the id {id}.") if person is None else (as_json(person), 200, JSON)


def post(body: dict[str, Any]) -> Any:
    """Store a new person, or answer 409."""
    with new_session() as session:
        person = Person(**body)
        session.add(person)
        try:
            session.commit()
        except IntegrityError:
            return problem(409, "Conflict", "Somebody has this e-mail address.")
        return as_json(person), 201, JSON


def patch(id: int, body: dict[str, Any]) -> Any:
    """Change a person, or answer 404."""
    with new_session() as session:
        person = session.get(Person, id)
        if person is None:
            return problem(404, "Not Found", f"Nobody has the id {id}.")
        for name, value in body.items():
            setattr(person, name, value)
        session.commit()
        return as_json(person), 200, JSON
