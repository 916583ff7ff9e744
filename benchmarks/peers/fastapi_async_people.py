"""FastAPI: asynchronous endpoints on asyncpg or aiosqlite, one session for each request as a dependency."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from peers.fastapi_shapes import CountryFilter, Id, Limit, NewPerson, PersonOut, PersonUpdate, Sort
from peers.people import Person, new_async_engine, order

new_session = async_sessionmaker(new_async_engine(), expire_on_commit=False)
app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    """Open a session for one request."""
    async with new_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


@app.get("/api/people", response_model=list[PersonOut])
async def list_people(
    session: SessionDep, limit: Limit = 20, country: CountryFilter = None, sort: Sort = None
) -> list[Person]:
    """Answer the first people."""
    query = select(Person).order_by(order(sort)).limit(limit)
    if country is not None:
        query = query.where(Person.country == country)
    return list(await session.scalars(query))


@app.get("/api/people/{id}", response_model=PersonOut)
async def read_person(session: SessionDep, id: Id) -> Person:
    """Answer one person, or 404."""
    person = await session.get(Person, id)
    if person is None:
        raise HTTPException(404, f"Nobody has the id {id}.")
    return person


@app.post("/api/people", response_model=PersonOut, status_code=201)
async def create_person(session: SessionDep, new: NewPerson) -> Person:
    """Store a new person, or answer 409."""
    person = Person(**new.model_dump())
    session.add(person)
    try:
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "Somebody has this e-mail address.") from None
    return person


@app.patch("/api/people/{id}", response_model=PersonOut)
async def change_person(session: SessionDep, id: Id, update: PersonUpdate) -> Person:
    """Change a person, or answer 404."""
    person = await session.get(Person, id)
    if person is None:
        raise HTTPException(404, f"Nobody has the id {id}.")
    for name, value in update.model_dump(exclude_unset=True).items():
        setattr(person, name, value)
    await session.commit()
    return person
