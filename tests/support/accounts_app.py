"""A small application with accounts: users who register, log in and make API keys, and books that roles may write."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from flask import Flask
from small_apis import INTEGER, STRING, Json, answers, array, content, obj, path, ref, whole
from sqlalchemy import Boolean, Engine, String, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.test import TestResponse

from demijohn import Demijohn, Settings
from demijohn.auth import tables
from demijohn.auth.accounts import Accounts
from demijohn.resources import ModelResource

__all__ = ["CONTRACT", "PASSWORD", "QUICK", "Application", "Base", "User", "changed"]

PASSWORD = "correct horse battery"
# Hashing that costs next to nothing: what it is worth is not what these tests are about.
QUICK: Json = {"password_memory_kib": 8, "password_time_cost": 1, "password_queue": 100}


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "app_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(120), unique=True)
    username: Mapped[str | None] = mapped_column(String(40), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str | None] = mapped_column(String(40))
    is_disabled: Mapped[bool] = mapped_column(Boolean, default=False)


MOMENT: Json = {"type": "string", "format": "date-time"}
MAYBE: Json = {"type": ["string", "null"]}
SECRET: Json = {"type": "string", "minLength": 8, "maxLength": 128}
TOKENS = obj(
    "access_token",
    "refresh_token",
    access_token=STRING,
    refresh_token=STRING,
    token_type=STRING,
    expires_in=INTEGER,
    user=ref("User"),
)
KEY = whole(id=STRING, name=MAYBE, prefix=STRING, scopes=array(STRING), created_at=MOMENT, expires_at=MOMENT | MAYBE)
SESSION = whole(
    id=STRING,
    created_at=MOMENT,
    last_used_at=MOMENT,
    expires_at=MOMENT,
    address=STRING,
    user_agent=STRING,
    current={"type": "boolean"},
)
TOKEN: list[Json] = [{"token": []}]
EITHER: list[Json] = [{"token": []}, {"key": []}]


def _own(name: str, answer: Json | None, status: int = 200, body: Json | None = None, **more: Any) -> Json:
    made: Json = {"operationId": f"demijohn.auth.{name}", "responses": answers(answer, status), **more}
    if body is not None:
        made["requestBody"] = {"required": True, "content": content(body)}
    return made


CONTRACT: Json = {
    "openapi": "3.1.0",
    "info": {"title": "Accounts", "version": "1"},
    "security": TOKEN,
    "paths": {
        "/register": {
            "post": _own(
                "register",
                ref("User"),
                201,
                obj(
                    "email",
                    "password",
                    email={"type": "string", "maxLength": 120},
                    username=MAYBE | {"maxLength": 40},
                    password=SECRET,
                ),
                security=[],
            )
        },
        "/login": {"post": _own("login", TOKENS, body=obj("login", "password", login=STRING, password=STRING))},
        "/refresh": {"post": _own("refresh", TOKENS)},
        "/refresh-body": {
            "post": _own("refresh", TOKENS, body=obj("refresh_token", refresh_token=STRING), security=[])
        },
        "/logout": {"post": _own("logout", None, 204, security=EITHER)},
        "/me": {"get": _own("me", ref("User"), security=EITHER)},
        "/password": {
            "post": _own(
                "change_password",
                None,
                204,
                obj("old_password", "new_password", old_password=STRING, new_password=SECRET),
            )
        },
        "/sessions": {"get": _own("sessions", array(SESSION))},
        "/sessions/{id}": {"delete": _own("revoke_session", None, 204, parameters=[path("id", STRING)])},
        "/keys": {
            "get": _own("list_api_keys", {"type": "object", "properties": {"items": array(KEY)}}, security=EITHER),
            "post": _own(
                "create_api_key",
                {
                    "allOf": [
                        KEY | {"additionalProperties": True},
                        obj("key", key=STRING) | {"additionalProperties": True},
                    ]
                },
                201,
                obj(name=STRING, scopes=array(STRING), expires_in=INTEGER, expires_at=MOMENT),
                security=EITHER,
            ),
        },
        "/keys/{id}": {"delete": _own("revoke_api_key", None, 204, parameters=[path("id", STRING)])},
        "/books": {
            "get": {"operationId": "books", "responses": answers({})},
            "post": {
                "operationId": "lend",
                "security": [{"token": ["librarian"]}, {"key": ["librarian"]}],
                "responses": answers({}),
            },
        },
    },
    "components": {
        "schemas": {
            "User": whole(id=INTEGER, email=STRING, username=MAYBE, role=MAYBE),
        },
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        },
    },
}
CONTRACT["paths"]["/login"]["post"]["security"] = []
# An operationId is there once; the same operation a second time is found by its controller.
CONTRACT["paths"]["/refresh-body"]["post"] |= {"operationId": "refresh", "x-openapi-router-controller": "demijohn.auth"}


def changed(change: Callable[[Json], Any]) -> Json:
    """Return the contract with a change in it."""
    copy = deepcopy(CONTRACT)
    change(copy)
    return copy


class Application:
    """Serve the contract; `other` is another process's application on the same database.

    `hooked` is given what stands for the users, before the contract is added.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        contract: Mapping[str, Any] = CONTRACT,
        *,
        model: type[Any] = User,
        declared: Mapping[str, Any] | None = None,
        hooked: Callable[[ModelResource], object] = lambda users: None,
        **settings: Any,
    ) -> None:
        self.url, self.folder = url, folder
        self.engine: Engine = create_engine(url)
        model.metadata.create_all(self.engine)
        tables.metadata.create_all(self.engine)
        file = folder / "openapi.json"
        file.write_text(json.dumps(contract), encoding="utf-8")
        self.app = Flask("accounts", root_path=str(folder), instance_path=str(folder))
        self.app.secret_key = "a secret of these tests that nobody else has"
        api = Demijohn(self.app, settings=Settings(database_url=url, **(QUICK | settings)))
        usual = {"login": ("email", "username"), "roles": "role", "disabled": "is_disabled", "default_role": "member"}
        api.accounts(model, **(usual if declared is None else declared))
        hooked(api.resource(model))
        api.add_contract(file, resolver=lambda name: self.books if name in ("books", "lend") else None)

    @property
    def accounts(self) -> Accounts:
        """Return the accounts of the application."""
        found: Accounts = self.app.extensions["demijohn"].accounts
        return found

    def other(self) -> Application:
        """Return the application as another process has it."""
        return Application(self.url, self.folder)

    @staticmethod
    def books(user: Any, token_info: Any) -> Json:
        """Tell who is calling."""
        return {"user": user, "scopes": token_info["scope"]}

    def __call__(
        self, method: str, address: str, body: Any = None, *, token: str = "", key: str = "", **more: Any
    ) -> TestResponse:
        """Send a request, with a token or a key."""
        headers = {"Authorization": f"Bearer {token}"} if token else {"X-Key": key} if key else {}
        given = {"headers": headers} | ({} if body is None else {"json": body})
        return self.app.test_client().open(address, method=method, **(given | more))

    def register(self, email: str = "ann@example.org", **more: Any) -> Json:
        """Make a user."""
        response = self("POST", "/register", {"email": email, "password": PASSWORD, **more})
        assert response.status_code == 201, response.text
        made: Json = response.get_json()
        return made

    def login(self, login: str = "ann@example.org", password: str = PASSWORD) -> Json:
        """Log in, and return the tokens."""
        response = self("POST", "/login", {"login": login, "password": password})
        assert response.status_code == 200, response.text
        tokens: Json = response.get_json()
        return tokens

    def refresh(self, token: str) -> Json:
        """Go on with a session, and return the tokens."""
        response = self("POST", "/refresh", token=token)
        assert response.status_code == 200, response.text
        tokens: Json = response.get_json()
        return tokens

    def status(self, token: str) -> int:
        """Return what an access token is answered with."""
        return self("GET", "/me", token=token).status_code

    def execute(self, sql: str) -> None:
        """Change something without Demijohn."""
        with self.engine.begin() as connection:
            connection.execute(text(sql))

    def value(self, sql: str) -> Any:
        """Return the only value of a query."""
        with self.engine.connect() as connection:
            return connection.execute(text(sql)).scalar_one()

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        self.accounts.users.database.close()
