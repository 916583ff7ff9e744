"""The coroutines that RestyResolver finds for `/people` and `/people/{id}`."""

from typing import Any

from connexion import problem
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker

from peers.connexion_people.shapes import JSON, as_json
from peers.people import Person, new_async_engine, order

new_session = async_sessionmaker(new_async_engine(), expire_on_commit=False)


async def search(limit: int, country: str | None = None, sort: str | None = None) -> Any:
    """Answer the first people."""
    query = select(Person).order_by(order(sort)).limit(limit)
    if country is not None:
        query = query.where(Person.country == country)
    async with new_session() as session:
        return [as_json(person) for person in await session.scalars(query)], 200, JSON


async def get(id: int) -> Any:
    """Answer one person, or 404."""
    async with new_session() as session:
        person = await session.get(Person, id)
        return problem(404, "Not Found", f"Nobody has the id {id}.") if person is None else (as_json(person), 200, JSON)


async def post(body: dict[str, Any]) -> Any:
    """Store a new person, or answer 409."""
    async with new_session() as session:
        person = Person(**body)
        session.add(person)
        try:
            await session.commit()
        except IntegrityError:
            return problem(409, "Conflict", "Somebody has this e-mail address.")
        return as_json(person), 201, JSON


async def patch(id: int, body: dict[str, Any]) -> Any:
    """Change a person, or answer 404."""
    async with new_session() as session:
        person = await session.get(Person, id)
        if person is None:
            return problem(404, "Not Found", f"Nobody has the id {id}.")
        for name, value in body.items():
            setattr(person, name, value)
        await session.commit()
        return as_json(person), 200, JSON
