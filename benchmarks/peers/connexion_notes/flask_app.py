"""Connexion on Flask, its classic form."""

import connexion
from connexion.resolver import RestyResolver

from . import contract

app = connexion.FlaskApp(__name__)
app.add_api(contract(), resolver=RestyResolver("peers.connexion_notes"))
