"""Connexion with the contract of the Demijohn peer, handlers found by RestyResolver, tokens by PyJWT in its hook.

Requests are validated, answers are not: what Connexion does unless told otherwise.
"""

from pathlib import Path
from typing import Any

import yaml

CONTRACT = Path(__file__).parents[1] / "demijohn_notes" / "openapi.yaml"


def contract() -> dict[str, Any]:
    """Return the contract with the names of this peer's own login and of its hook."""
    document: dict[str, Any] = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    document["paths"]["/login"]["post"]["operationId"] = "peers.connexion_notes.blocking.login"
    document["components"]["securitySchemes"]["session"]["x-bearerInfoFunc"] = "peers.connexion_notes.blocking.verify"
    return document
