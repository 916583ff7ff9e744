"""Connexion with the contract of the Demijohn peer, its handlers found by RestyResolver, the ORM below.

Requests are validated, answers are not: what Connexion does unless told otherwise.
"""

from pathlib import Path

CONTRACT = Path(__file__).parents[1] / "demijohn_people" / "openapi.yaml"
