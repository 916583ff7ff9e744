"""What the handlers and the hook share, the login, and the hook itself."""

from typing import Any

from connexion import problem
from sqlalchemy.orm import sessionmaker

from peers.connexion_people.shapes import JSON
from peers.notes import Account, Note, account_of, log_in, page, subject_of
from peers.people import new_engine

new_session = sessionmaker(new_engine())


def verify(token: str) -> dict[str, Any] | None:
    """Return who is calling, None for a token that is not valid."""
    number = subject_of(token)
    if number is None:
        return None
    with new_session() as session:
        account = account_of(session, number)
        return None if account is None else {"sub": account}


def login(body: dict[str, Any]) -> Any:
    """Give a token, or answer 401."""
    with new_session() as session:
        token = log_in(session, body["name"], body["password"])
    if token is None:
        return problem(401, "Unauthorized", "The name or the password is wrong.")
    return {"access_token": token, "token_type": "bearer"}, 200, JSON


def answer(limit: int, account: Account | None = None) -> Any:
    """Answer the first notes, of one account or of all."""
    with new_session() as session:
        return [as_json(note) for note in session.scalars(page(limit, account))], 200, JSON


def as_json(note: Note) -> dict[str, Any]:
    """Return the row as a JSON object."""
    return {
        "id": note.id,
        "title": note.title,
        "text": note.text,
        "language": note.language,
        "score": note.score,
        "created_at": note.created_at.isoformat().replace("+00:00", "Z"),
    }
