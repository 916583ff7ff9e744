"""The function that RestyResolver finds for `/notes`."""

from typing import Any

from peers.connexion_notes.blocking import answer
from peers.notes import Account


def search(limit: int, user: Account) -> Any:
    """Answer the first notes of who is calling."""
    return answer(limit, user)
