"""FastAPI: synchronous endpoints, one session for each request as a dependency."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from peers.fastapi_shapes import CountryFilter, Id, Limit, NewPerson, PersonOut, PersonUpdate, Sort
from peers.people import Person, new_engine, order

engine = new_engine()
app = FastAPI()


def get_session() -> Iterator[Session]:
    """Open a session for one request."""
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


@app.get("/api/people", response_model=list[PersonOut])
def list_people(
    session: SessionDep, limit: Limit = 20, country: CountryFilter = None, sort: Sort = None
) -> list[Person]:
    """Answer the first people."""
    query = select(Person).order_by(order(sort)).limit(limit)
    if country is not None:
        query = query.where(Person.country == country)
    return list(session.scalars(query))


@app.get("/api/people/{id}", response_model=PersonOut)
def read_person(session: SessionDep, id: Id) -> Person:
    """Answer one person, or 404."""
    person = session.get(Person, id)
    if person is None:
        raise HTTPException(404, f"Nobody has the id {id}.")
    return person


@app.post("/api/people", response_model=PersonOut, status_code=201)
def create_person(session: SessionDep, new: NewPerson) -> Person:
    """Store a new person, or answer 409."""
    person = Person(**new.model_dump())
    session.add(person)
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(409, "Somebody has this e-mail address.") from None
    session.refresh(person)
    return person


@app.patch("/api/people/{id}", response_model=PersonOut)
def change_person(session: SessionDep, id: Id, update: PersonUpdate) -> Person:
    """Change a person, or answer 404."""
    person = session.get(Person, id)
    if person is None:
        raise HTTPException(404, f"Nobody has the id {id}.")
    for name, value in update.model_dump(exclude_unset=True).items():
        setattr(person, name, value)
    session.commit()
    session.refresh(person)
    return person
