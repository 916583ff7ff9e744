"""Flask-JWT-Extended: its tokens let callers into contract operations and into a blueprint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Blueprint, request
from flask.testing import FlaskClient
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    get_jwt,
    get_jwt_identity,
    jwt_required,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError
from notes import Notes
from small_apis import STRING, Json, answers, problem, whole

SECRET = "a secret of more than thirty-two bytes"
ROLES = {"anna": ["editor"], "bert": []}


def by_token(token: str) -> dict[str, Any] | None:
    """Be the `x-bearerInfoFunc`: a hook runs in the request, so the extension finds the token by itself."""
    try:
        verify_jwt_in_request()
    except (JWTExtendedException, PyJWTError):
        return None
    return {"sub": get_jwt_identity(), "scope": get_jwt()["roles"]}


def whoami(user: str) -> dict[str, str]:
    """Be a handler: what the extension knows is there, too."""
    return {"user": user, "identity": get_jwt_identity(), "loaded": str(current_user)}


@pytest.fixture
def client(notes: Callable[..., Notes], module: Callable[..., None]) -> FlaskClient:
    """Give a client of an application as the extension's documentation builds it, with a contract beside."""
    module("access", by_token=by_token)
    shop = notes(JWT_SECRET_KEY=SECRET)
    jwt = JWTManager(shop.app)
    revoked: set[str] = set()

    @jwt.user_lookup_loader
    def load(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return f"user {claims['sub']}"

    @jwt.token_in_blocklist_loader
    def is_revoked(header: dict[str, Any], claims: dict[str, Any]) -> bool:
        return claims["jti"] in revoked

    auth = Blueprint("auth", __name__)

    @auth.post("/login")
    def login() -> dict[str, str]:
        name = request.get_json()["name"]
        claims = {"roles": ROLES[name]}
        return {
            "access": create_access_token(name, additional_claims=claims),
            "refresh": create_refresh_token(name, additional_claims=claims),
            "old": create_access_token(name, additional_claims=claims, expires_delta=timedelta(seconds=-1)),
        }

    @auth.post("/logout")
    @jwt_required()  # type: ignore[untyped-decorator]  # the package does not type it
    def logout() -> dict[str, str]:
        revoked.add(get_jwt()["jti"])
        return {"gone": str(current_user)}

    shop.app.register_blueprint(auth)
    who = whole(user=STRING, identity=STRING, loaded=STRING)
    security = {"security": [{"token": ["editor"]}]}
    paths: dict[str, Json] = {
        "/whoami": {"get": {"operationId": "whoami", "responses": answers(who), "security": [{"token": []}]}},
        "/notes/{id}/closed": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {"x-resource": "Note.read", "responses": answers({"$ref": "#/components/schemas/Note"}), **security},
        },
    }
    scheme = {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": "access.by_token"}
    client = shop.serve(paths, {"components": {"securitySchemes": {"token": scheme}}}, whoami=whoami)
    client.post("/notes", json={"title": "Secret"})
    return client


def tokens(client: FlaskClient, name: str) -> dict[str, dict[str, str]]:
    given: dict[str, str] = client.post("/login", json={"name": name}).get_json()
    return {kind: {"Authorization": f"Bearer {token}"} for kind, token in given.items()}


def test_its_token_lets_a_caller_into_a_handler(client: FlaskClient) -> None:
    anna = tokens(client, "anna")["access"]
    assert client.get("/whoami", headers=anna).get_json() == {
        "user": "anna",
        "identity": "anna",
        "loaded": "user anna",
    }


def test_its_claims_are_the_scopes_of_a_statement(client: FlaskClient) -> None:
    assert client.get("/notes/1/closed", headers=tokens(client, "anna")["access"]).get_json()["title"] == "Secret"
    problem(client.get("/notes/1/closed", headers=tokens(client, "bert")["access"]), 403)


@pytest.mark.parametrize("kind", ["refresh", "old"])
def test_what_it_refuses_is_refused(client: FlaskClient, kind: str) -> None:
    problem(client.get("/whoami", headers=tokens(client, "anna")[kind]), 401)
    problem(client.get("/notes/1/closed", headers=tokens(client, "anna")[kind]), 401)
    # In a blueprint the answer is the extension's own.
    assert client.post("/logout", headers=tokens(client, "anna")[kind]).get_json().keys() == {"msg"}


def test_what_it_revokes_is_refused_at_once(client: FlaskClient) -> None:
    anna = tokens(client, "anna")["access"]
    assert client.post("/logout", headers=anna).get_json() == {"gone": "user anna"}
    problem(client.get("/whoami", headers=anna), 401)
    problem(client.get("/notes/1/closed", headers=anna), 401)
