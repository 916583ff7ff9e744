"""The two functions that the contract's operationIds name: the same file for Demijohn and Connexion."""

from typing import Any

from model import new_session, select_people, select_person


def list_people(limit: int, offset: int) -> list[dict[str, Any]]:
    """Answer one page of people."""
    with new_session() as session:
        return [person.as_json() for person in select_people(session, limit, offset)]


def read_person(lname: str) -> tuple[dict[str, Any], int]:
    """Answer one person, or 404."""
    with new_session() as session:
        person = select_person(session, lname)
        if person is None:
            return {"detail": f"Nobody is called {lname}."}, 404
        return person.as_json(), 200
