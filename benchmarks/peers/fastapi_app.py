"""FastAPI: synchronous endpoints, one session per request as a dependency, responses validated by a model."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Path, Query
from model import Person, new_session, select_people, select_person
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

app = FastAPI()


class PersonOut(BaseModel):
    """A person as the API shows it, with the limits that the contract of the other peers states."""

    model_config = ConfigDict(from_attributes=True)

    id: Annotated[int, Field(ge=1)]
    lname: Annotated[str, Field(min_length=1, max_length=32)]
    fname: Annotated[str, Field(min_length=1, max_length=32)]
    timestamp: datetime


def get_session() -> Iterator[Session]:
    """Open a session for one request."""
    with new_session() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


@app.get("/api/people", response_model=list[PersonOut])
def list_people(
    session: SessionDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[Person]:
    """Answer one page of people."""
    return list(select_people(session, limit, offset))


@app.get("/api/people/{lname}", response_model=PersonOut)
def read_person(session: SessionDep, lname: Annotated[str, Path(min_length=1, max_length=32)]) -> Person:
    """Answer one person, or 404."""
    person = select_person(session, lname)
    if person is None:
        raise HTTPException(status_code=404, detail=f"Nobody is called {lname}.")
    return person
