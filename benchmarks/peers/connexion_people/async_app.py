"""Connexion without Flask, its handlers asynchronous."""

import connexion
from connexion.resolver import RestyResolver

from . import CONTRACT

app = connexion.AsyncApp(__name__)
app.add_api(CONTRACT, resolver=RestyResolver("peers.connexion_people.asynchronous"))
