"""Accounts at start-up: what does not fit is told, all of it, with its line; and what guards do without a hook."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from accounts_app import CONTRACT, PASSWORD, Application, User, changed
from flask import Flask
from small_apis import INTEGER, STRING, Json, answers, obj, problem, read
from small_apis import path as path_parameter
from sqlalchemy import JSON, Integer, String, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from demijohn import BindingError, Demijohn, Settings
from demijohn.auth import current_caller, current_user, login_required
from demijohn.auth.tokens import InvalidToken
from demijohn.compile.guards import Caller, OutsideClaims

Change = Callable[[Json], Any]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'demijohn.db'}"


def refused(url: str, folder: Path, change: Change) -> str:
    with pytest.raises(BindingError) as caught:
        Application(url, folder, changed(change))
    text = str(caught.value)
    assert "openapi.json:" in text
    return text


def _post(path: str, change: Change) -> Change:
    return lambda contract: change(contract["paths"][path]["post"])


def _body(operation: Json) -> Json:
    found: Json = operation["requestBody"]["content"]["application/json"]["schema"]
    return found


def _answer(operation: Json, status: str = "200") -> Json:
    found: Json = operation["responses"][status]["content"]["application/json"]["schema"]
    return found


def _rename(operation: Json) -> None:
    operation["operationId"] = "demijohn.auth.logon"


WRONG: dict[str, tuple[Change, str]] = {
    "an operation that does not exist": (_post("/login", _rename), "no operation `logon`; did you mean `login`?"),
    "a body property that nobody reads": (
        _post("/login", lambda one: _body(one)["properties"].update(pasword=STRING)),
        "`pasword` is nothing that demijohn.auth.login takes; did you mean `password`?",
    ),
    "a property that must be sent and is optional": (
        _post("/login", lambda one: _body(one).update(required=["login"])),
        "`password` is optional, and demijohn.auth.login needs it",
    ),
    "a login without a name": (
        _post("/login", lambda one: _body(one).update(required=["password"], properties={"password": STRING})),
        "says nobody's name",
    ),
    "an answer that nobody can give": (
        _post("/login", lambda one: _answer(one)["properties"].update(acess_token=STRING)),
        "`acess_token` is nothing that demijohn.auth.login can answer; did you mean `access_token`?",
    ),
    "an answer of another type": (
        _post("/login", lambda one: _answer(one)["properties"].update(expires_in=STRING)),
        "`expires_in` is an integer; write `type: integer`",
    ),
    "a refresh that does not give the next token": (
        _post("/refresh", lambda one: _answer(one)["properties"].pop("refresh_token")),
        "does not show `refresh_token`",
    ),
    "a login that needs a login": (_post("/login", lambda one: one.pop("security")), "write `security: []`"),
    "a logout of anybody": (_post("/logout", lambda one: one.update(security=[])), "anyone may call"),
    "a role of one's own choice": (
        _post("/register", lambda one: _body(one)["properties"].update(role=STRING)),
        "which nobody sets by registering",
    ),
    "a hash of one's own choice": (
        _post("/register", lambda one: _body(one)["properties"].update(password_hash=STRING)),
        "which nobody sets by registering",
    ),
    "a user with no password": (
        _post("/register", lambda one: _body(one)["properties"].pop("password")),
        "has no `password`",
    ),
    "a user with no e-mail address": (
        _post("/register", lambda one: _body(one)["properties"].pop("email")),
        "has no `email`",
    ),
    "a user shown with the hash": (
        lambda contract: contract["components"]["schemas"]["User"]["properties"].update(password_hash=STRING),
        "shows the hash of the password",
    ),
    "a user shown with what may be NULL": (
        lambda contract: contract["components"]["schemas"]["User"]["properties"].update(role=STRING),
        "`role` is required and never null, and accounts_app.User.role may be NULL",
    ),
    "a session without a path": (
        lambda contract: (
            contract["paths"].update({"/gone": contract["paths"].pop("/sessions/{id}")})
            or contract["paths"]["/gone"]["delete"].pop("parameters")
        ),
        "needs one parameter in its path",
    ),
    "basic credentials": (
        lambda contract: contract["components"]["securitySchemes"]["token"].update(scheme="basic"),
        "has no function that checks it (accounts check bearer tokens and API keys)",
    ),
    "a resource that stores the hash": (
        lambda contract: (
            contract["paths"].update(
                {
                    "/users/{id}": {
                        "parameters": [path_parameter("id", INTEGER)],
                        "get": read("Leak"),
                    }
                }
            )
            or contract["components"]["schemas"].update(
                Leak=obj("id", id=INTEGER, password_hash=STRING) | {"x-resource": "User"}
            )
        ),
        "which nobody may see, set or search by",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_told_with_its_line(name: str, url: str, tmp_path: Path) -> None:
    change, told = WRONG[name]
    assert told in refused(url, tmp_path, change)


def test_all_that_does_not_fit_is_told_at_once(url: str, tmp_path: Path) -> None:
    names = ("a body property that nobody reads", "a logout of anybody", "an answer of another type")

    def change(contract: Json) -> None:
        for name in names:
            WRONG[name][0](contract)

    text = refused(url, tmp_path, change)
    assert all(WRONG[name][1] in text for name in names)


def test_names_that_the_model_does_not_have_are_told_with_what_was_meant(url: str, tmp_path: Path) -> None:
    declared = {"login": ("emial",), "password": "password_hsh", "roles": "is_disabled2", "disabled": "role"}
    with pytest.raises(BindingError) as caught:
        Application(url, tmp_path, declared=declared)
    text = str(caught.value)
    assert "login='emial' is no column of accounts_app.User; did you mean 'email'?" in text
    assert "password='password_hsh' is no column of accounts_app.User; did you mean 'password_hash'?" in text
    assert "roles='is_disabled2' is no column" in text
    assert "disabled='role' is no boolean column" in text


def test_accounts_are_declared_once(url: str, tmp_path: Path) -> None:
    app = Flask("twice", instance_path=str(tmp_path))
    api = Demijohn(app, settings=Settings(database_url=url))
    api.accounts(User)
    with pytest.raises(BindingError, match="declared already"):
        api.accounts(User)


def test_without_accounts_the_operations_say_what_is_missing(build: Callable[..., Any]) -> None:
    one = {"operationId": "demijohn.auth.login", "responses": answers(None, 200)}
    contract = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/login": {"post": one}}}
    with pytest.raises(BindingError, match=r"declare them by `api.accounts\(User\)`"):
        build(contract)
    assert build(contract, settings=Settings(unbound="mock"), app=Flask("mocked")).post("/login").status_code == 200


def test_a_hook_in_the_contract_wins(url: str, tmp_path: Path, module: Callable[..., None]) -> None:
    module("own_hooks", check=lambda token: {"sub": "me", "scope": "librarian"} if token == "mine" else None)
    hooked = changed(
        lambda contract: contract["components"]["securitySchemes"]["token"].update(
            {"x-bearerInfoFunc": "own_hooks.check"}
        )
    )
    api = Application(url, tmp_path, hooked)
    assert api("POST", "/books", token="mine").get_json() == {"user": "me", "scopes": "librarian"}
    problem(api("GET", "/books", token=_token(api)), 401)
    problem(api("GET", "/me", token="mine"), 401)
    api.close()


def _token(api: Application) -> str:
    api.register()
    token: str = api.login()["access_token"]
    return token


def test_what_accounts_guard_stands_alone(url: str, tmp_path: Path) -> None:
    api = Application(url, tmp_path)
    plans = {
        plan.operation.operation_id: plan
        for one in api.app.extensions["demijohn"].apis
        for resource in one.resources
        for plan in resource.plans.values()
    }
    assert all(plan.stands_alone == (name not in ("books", "lend")) for name, plan in plans.items())
    api.close()


class Other(DeclarativeBase):
    pass


class Person(Other):
    __tablename__ = "person"

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    secret: Mapped[str] = mapped_column(String(200))
    roles: Mapped[Any] = mapped_column(JSON)
    age: Mapped[int | None] = mapped_column(Integer)


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mariadb"])
def test_a_model_may_have_other_names_and_types(database: str, database_url: str, tmp_path: Path) -> None:
    def change(contract: Json) -> None:
        body = _body(contract["paths"]["/register"]["post"])
        body.update(obj("name", "password", name=STRING | {"maxLength": 20}, password=STRING))
        contract["components"]["schemas"]["User"] = obj(
            "id", "name", id=STRING | {"format": "uuid"}, name=STRING, roles={"type": "array", "items": STRING}
        ) | {"x-resource": "Person"}
        contract["paths"]["/books"] = {"get": deepcopy(CONTRACT["paths"]["/books"]["post"])}

    declared = {"login": "name", "password": "secret", "roles": "roles", "default_role": "librarian"}
    api = Application(database_url, tmp_path, changed(change), model=Person, declared=declared)
    response = api("POST", "/register", {"name": "Ann", "password": PASSWORD})
    assert response.status_code == 201, response.text
    made = response.get_json()
    assert made["roles"] == ["librarian"]
    token = api.login("Ann")["access_token"]
    assert api("GET", "/me", token=token).get_json() == made
    assert api("GET", "/books", token=token).get_json() == {"user": made["id"], "scopes": ["librarian"]}
    api.close()


def test_views_of_flask_know_who_is_calling(url: str, tmp_path: Path) -> None:
    api = Application(url, tmp_path)

    @api.app.get("/plain")
    def plain() -> Any:
        return {"user": current_user(), "scopes": sorted(current_caller().scopes)}

    @api.app.get("/members")
    @login_required("member")
    def members() -> Any:
        return {"user": current_user()}

    @api.app.get("/admins")
    @login_required("admin")
    def admins() -> Any:
        return {}

    token = _token(api)
    assert api("GET", "/plain").get_json() == {"user": None, "scopes": []}
    assert api("GET", "/plain", token=token).get_json() == {"user": 1, "scopes": ["member"]}
    assert api("GET", "/members", token=token).get_json() == {"user": 1}
    problem(api("GET", "/members"), 401)
    wrong = api("GET", "/members", token="x")
    problem(wrong, 401)
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    problem(api("GET", "/admins", token=token), 403)
    api("POST", "/logout", token=token)
    problem(api("GET", "/members", token=token), 401)
    api.close()


def test_a_form_of_oauth2_logs_in(url: str, tmp_path: Path) -> None:
    form = obj("username", "password", grant_type=STRING, username=STRING, password=STRING, scope=STRING)

    def change(contract: Json) -> None:
        body = contract["paths"]["/login"]["post"]["requestBody"]
        body["content"] = {"application/x-www-form-urlencoded": {"schema": form}}

    api = Application(url, tmp_path, changed(change))
    api.register()
    sent = {"grant_type": "password", "username": "Ann@example.org", "password": PASSWORD}
    response = api("POST", "/login", data=sent)
    assert response.status_code == 200
    assert response.get_json()["token_type"] == "Bearer"
    api.close()


def test_swagger_2_has_bearer_tokens_in_a_key_named_authorization(url: str, tmp_path: Path) -> None:
    scheme = {"type": "apiKey", "in": "header", "name": "Authorization"}
    api = Application(
        url, tmp_path, changed(lambda contract: contract["components"]["securitySchemes"].update(token=scheme))
    )
    api.register()
    tokens = api.login()
    assert api.status(tokens["access_token"]) == 200
    assert api.refresh(tokens["refresh_token"])
    assert api("GET", "/me", headers={"Authorization": "bearer x"}).status_code == 401
    api.close()


def test_functions_of_the_model_stand_around_registering(url: str, tmp_path: Path) -> None:
    seen: list[Json] = []

    class Hooked(Application):
        def __init__(self) -> None:
            super().__init__(url, tmp_path)
            users = self.app.extensions["demijohn"].resources._resources.handle(User, "User")
            users.before_create(fill)

    def fill(data: Json) -> Json:
        seen.append(dict(data))
        return data | {"role": "guest"}

    api = Hooked()
    assert api.register()["role"] == "guest"
    assert seen[0]["password"].startswith("$argon2id$")
    assert seen[0]["role"] == "member"
    assert api.login()["user"]["role"] == "guest"
    api.close()


def test_a_role_is_refused_even_where_the_contract_takes_anything(url: str, tmp_path: Path) -> None:
    def change(contract: Json) -> None:
        _body(contract["paths"]["/register"]["post"])["additionalProperties"] = True

    api = Application(url, tmp_path, changed(change))
    sent = {"email": "a@example.org", "password": PASSWORD, "role": "admin"}
    problem(api("POST", "/register", sent), 400)
    made = api("POST", "/register", {"email": "a@example.org", "password": PASSWORD, "is_disabled": True, "id": 7})
    assert made.get_json()["role"] == "member"
    assert made.get_json()["id"] != 7
    assert api.login("a@example.org")
    api.close()


def test_a_new_user_has_an_address_where_the_contract_reads_users(url: str, tmp_path: Path) -> None:
    one = {"parameters": [path_parameter("id", INTEGER)], "get": read("User")}
    api = Application(url, tmp_path, changed(lambda contract: contract["paths"].update({"/users/{id}": one})))
    sent = {"email": "ann@example.org", "password": PASSWORD}
    assert api("POST", "/register", sent).headers["Location"] == "/users/1"
    token = api.login()["access_token"]
    assert api("GET", "/users/1", token=token).get_json()["email"] == "ann@example.org"
    problem(api("GET", "/users/1"), 401)
    api.close()


def test_users_of_an_identity_provider_are_not_those_of_the_application(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims: Json = {"iss": "https://id.example.org", "sub": "1", "scope": ["librarian"]}

    class Issuer:
        def __init__(self, settings: Settings, openid_url: str | None) -> None:
            assert openid_url == "https://id.example.org/.well-known/openid-configuration"

        def read(self, token: str) -> Json:
            if token != "theirs":
                raise InvalidToken
            return claims

    monkeypatch.setattr("demijohn.auth.accounts.OutsideIssuer", Issuer)

    def change(contract: Json) -> None:
        found = "https://id.example.org/.well-known/openid-configuration"
        schemes = contract["components"]["securitySchemes"]
        schemes["outside"] = {"type": "openIdConnect", "openIdConnectUrl": found}
        for path, item in contract["paths"].items():
            for operation in item.values():
                if path != "/refresh" and operation.get("security") != []:
                    operation["security"] = [{"token": []}, {"outside": []}]

    api = Application(url, tmp_path, changed(change))
    api.register()
    own = api.login()["access_token"]
    claims["sid"] = api("GET", "/sessions", token=own).get_json()[0]["id"]
    assert api("GET", "/books", token="theirs").get_json() == {"user": None, "scopes": ["librarian"]}
    problem(api("GET", "/me", token="theirs"), 401)
    problem(api("GET", "/sessions", token="theirs"), 401)
    problem(api("POST", "/logout", token="theirs"), 403)
    problem(api("DELETE", f"/sessions/{claims['sid']}", token="theirs"), 403)
    problem(api("GET", "/books", token="x"), 401)
    assert api.status(own) == 200
    api.close()


NOBODYS = [1, "01", " 1", "2", "-1", "9" * 15, "9" * 19, "9" * 400, "x", "1\0", "\ud800", None, ["1"], ""]


def test_a_claim_may_say_for_whom_a_token_of_an_identity_provider_stands(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims: Json = {"iss": "https://id.example.org", "sub": "1", "scope": ["librarian"]}

    class Issuer:
        def __init__(self, settings: Settings, openid_url: str | None) -> None:
            assert settings.oidc_user_claim == "here"

        def read(self, token: str) -> Json:
            if token != "theirs":
                raise InvalidToken
            return claims

    monkeypatch.setattr("demijohn.auth.accounts.OutsideIssuer", Issuer)
    api = Application(database_url, tmp_path, oidc_issuer="https://id.example.org", oidc_user_claim="here")
    assert api.register()["id"] == 1
    for name in NOBODYS:
        claims["here"] = name
        assert api("GET", "/books", token="theirs").get_json() == {"user": None, "scopes": ["librarian"]}, name
        assert api.status("theirs") == 401
    claims["here"] = "1"
    assert api("GET", "/books", token="theirs").get_json() == {"user": 1, "scopes": ["librarian"]}
    assert api.status("theirs") == 200
    problem(api("POST", "/logout", token="theirs"), 403)
    # The roles are the provider's; who is shut out here is so with every token.
    api.execute("UPDATE app_user SET is_disabled = TRUE")
    assert api("GET", "/books", token="theirs").status_code == 401
    api.close()


def test_callers_of_two_issuers_are_told_apart() -> None:
    names = [
        Caller(user="5"),
        Caller(info=OutsideClaims(iss="https://id.example.org", sub="5")),
        Caller(info=OutsideClaims(iss="https://id.example.com", sub="5")),
        Caller(info={"a": {}, "b": OutsideClaims(iss="https://id.example.org", sub="6")}),
    ]
    assert len({one.identity for one in names}) == len(names)
    assert Caller(info={"sub": "5"}).identity is None


def test_the_tables_of_accounts_are_made_with_those_of_the_models(url: str, tmp_path: Path) -> None:
    api = Application(url, tmp_path)
    metadatas = api.app.extensions["demijohn"].resources.metadatas
    names = {name for metadata in metadatas for name in metadata.tables}
    assert {"app_user", "demijohn_session", "demijohn_refresh_token", "demijohn_api_key"} <= names
    api.close()


def test_public_keys_are_served_where_others_can_verify_tokens(url: str, tmp_path: Path) -> None:
    api = Application(url, tmp_path, token_algorithm="EdDSA")
    assert len(api("GET", "/.well-known/jwks.json").get_json()["keys"]) == 1
    api.register()
    assert api.status(api.login()["access_token"]) == 200
    api.close()
