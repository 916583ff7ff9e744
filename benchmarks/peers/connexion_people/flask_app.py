"""Connexion on Flask, its classic form."""

import connexion
from connexion.resolver import RestyResolver

from . import CONTRACT

app = connexion.FlaskApp(__name__)
app.add_api(CONTRACT, resolver=RestyResolver("peers.connexion_people.blocking"))
