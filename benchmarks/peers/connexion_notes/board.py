"""The function that RestyResolver finds for `/board`."""

from typing import Any

from peers.connexion_notes.blocking import answer


def search(limit: int) -> Any:
    """Answer the first notes of all."""
    return answer(limit)
