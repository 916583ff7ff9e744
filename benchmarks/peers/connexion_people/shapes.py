"""What the handlers answer."""

from typing import Any

from peers.people import Person

# Connexion wants to be told which of an operation's media types an answer has, where there are several.
JSON = {"Content-Type": "application/json"}


def as_json(person: Person) -> dict[str, Any]:
    """Return the row as a JSON object."""
    return {
        "id": person.id,
        "name": person.name,
        "email": person.email,
        "country": person.country,
        "score": person.score,
        "created_at": person.created_at.isoformat().replace("+00:00", "Z"),
    }
