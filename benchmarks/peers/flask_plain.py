"""Flask alone: routing and JSON, its parameters checked by hand, its responses not at all."""

from flask import Flask, Response, abort, jsonify, request
from model import new_session, select_people, select_person

app = Flask(__name__)


def integer(name: str, default: int, low: int, high: int) -> int:
    """Read an integer query parameter, or answer 400."""
    try:
        value = int(request.args.get(name, default))
    except ValueError:
        abort(400, f"{name} is no integer")
    if not low <= value <= high:
        abort(400, f"{name} is out of range")
    return value


@app.get("/api/people")
def list_people() -> Response:
    """Answer one page of people."""
    limit = integer("limit", 20, 1, 100)
    offset = integer("offset", 0, 0, 2**63 - 1)
    with new_session() as session:
        return jsonify([person.as_json() for person in select_people(session, limit, offset)])


@app.get("/api/people/<lname>")
def read_person(lname: str) -> Response | tuple[Response, int]:
    """Answer one person, or 404."""
    with new_session() as session:
        person = select_person(session, lname)
        if person is None:
            return jsonify(detail=f"Nobody is called {lname}."), 404
        return jsonify(person.as_json())
