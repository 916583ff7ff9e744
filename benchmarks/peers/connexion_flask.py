"""Connexion on Flask, its classic form, with requests and responses validated."""

from pathlib import Path

import connexion

app = connexion.FlaskApp(__name__, specification_dir=Path(__file__).parents[1])
app.add_api("contract.yaml", validate_responses=True)
