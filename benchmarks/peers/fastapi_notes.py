"""FastAPI with accounts, as its tutorial has them: a token by PyJWT, the user a dependency that is read each time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from peers.fastapi_shapes import Limit
from peers.notes import Account, Note, account_of, log_in, page, subject_of
from peers.people import new_engine

engine = new_engine()
app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="/api/login")


class NoteOut(BaseModel):
    """A note as the API shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    text: str
    language: str
    score: int
    created_at: datetime


class Login(BaseModel):
    """What somebody logs in with."""

    model_config = ConfigDict(extra="forbid")

    name: str
    password: str


def get_session() -> Iterator[Session]:
    """Open a session for one request."""
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


def get_account(session: SessionDep, token: Annotated[str, Depends(bearer)]) -> Account:
    """Return the account that the token shows, or answer 401."""
    number = subject_of(token)
    account = None if number is None else account_of(session, number)
    if account is None:
        raise HTTPException(401, "The token is not valid.", {"WWW-Authenticate": "Bearer"})
    return account


@app.post("/api/login")
def login(session: SessionDep, given: Login) -> dict[str, str]:
    """Give a token, or answer 401."""
    token = log_in(session, given.name, given.password)
    if token is None:
        raise HTTPException(401, "The name or the password is wrong.", {"WWW-Authenticate": "Bearer"})
    return {"access_token": token, "token_type": "bearer"}


@app.get("/api/notes", response_model=list[NoteOut])
def list_notes(session: SessionDep, account: Annotated[Account, Depends(get_account)], limit: Limit = 20) -> list[Note]:
    """Answer the first notes of who is calling."""
    return list(session.scalars(page(limit, account)))


@app.get("/api/board", response_model=list[NoteOut])
def list_board(session: SessionDep, limit: Limit = 20) -> list[Note]:
    """Answer the first notes of all."""
    return list(session.scalars(page(limit)))
