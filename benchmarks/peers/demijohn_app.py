"""Demijohn, with Python handlers over the ORM."""

from pathlib import Path

from flask import Flask

from demijohn import Demijohn

app = Flask(__name__, root_path=str(Path(__file__).parents[1]))
api = Demijohn(app)
api.add_contract("contract.yaml")
