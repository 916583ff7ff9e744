"""Accounts over HTTP: registering, logging in, what a token is good for, and for how long."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

import pytest
from accounts_app import PASSWORD, Application
from members import at_once
from small_apis import Json, pointers, problem

from demijohn.auth.passwords import Busy, Passwords
from demijohn.auth.sessions import Sessions
from demijohn.errors import Unavailable
from demijohn.settings import Settings


def later(api: Application, seconds: float) -> None:
    """Move the clock of the sessions."""
    made = Sessions(api.accounts.users, api.accounts.settings, lambda: time.time() + seconds)
    api.accounts.__dict__["sessions"] = made


# Registering


def test_who_registers_gets_the_default_role_and_is_shown_without_the_hash(api: Application) -> None:
    made = api.register(username="ann")
    assert made == {"id": made["id"], "email": "ann@example.org", "username": "ann", "role": "member"}
    assert api.value("SELECT password_hash FROM app_user").startswith("$argon2id$")


def test_an_email_address_is_taken_in_any_case_and_normal_form(api: Application) -> None:
    spellings = ["Zo\u00e9@example.org", "zoe\u0301@example.org", " ZO\u00c9@EXAMPLE.ORG", "zo\u00e9@example.org "]
    sent = at_once(8, lambda i: api("POST", "/register", {"email": spellings[i % 4], "password": PASSWORD}))
    assert sorted(one.status_code for one in sent) == [201] + [409] * 7
    assert all(pointers(one.get_json()) == ["#/email"] for one in sent if one.status_code == 409)
    assert api.value("SELECT count(*) FROM app_user") == 1
    assert api.login(" Zoe\u0301@Example.org")["user"]["email"] == "zo\u00e9@example.org"


def test_nobody_gives_himself_a_role_or_a_hash_by_registering(api: Application) -> None:
    for name in ("role", "is_disabled", "id", "password_hash", "\0role", "__proto__"):
        body = {"email": "a@example.org", "password": PASSWORD, name: "admin"}
        assert pointers(problem(api("POST", "/register", body), 400)) != ["#/email"]
    assert api.value("SELECT count(*) FROM app_user") == 0


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(("name", "value"), [("password", "password1"), ("username", "ann@example.org")])
def test_what_is_wrong_with_a_new_user_is_told_with_its_place(api: Application, name: str, value: str) -> None:
    body = {"email": "ann@example.org", "password": PASSWORD, name: value}
    assert pointers(problem(api("POST", "/register", body), 400)) == [f"#/{name}"]


# Logging in


def test_a_login_gives_tokens_that_are_not_stored_anywhere(api: Application) -> None:
    api.register(username="ann")
    response = api("POST", "/login", {"login": "ann", "password": PASSWORD})
    tokens = response.get_json()
    assert response.headers["Cache-Control"] == "no-store"
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert tokens["user"]["username"] == "ann"
    assert api("GET", "/me", token=tokens["access_token"]).get_json() == tokens["user"]
    assert tokens["refresh_token"] not in str(api.value("SELECT hash FROM demijohn_refresh_token"))


def test_a_login_that_fails_looks_the_same_whatever_the_reason_is(
    api: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.register()
    api.register("dis@example.org")
    api.execute("UPDATE app_user SET is_disabled = true WHERE email = 'dis@example.org'")
    hashed: list[str] = []
    verify = Passwords.verify

    def counted(self: Passwords, stored: str | None, password: str) -> bool:
        hashed.append(password)
        return verify(self, stored, password)

    monkeypatch.setattr(Passwords, "verify", counted)
    wrong = [
        ("ann@example.org", "not the password"),
        ("bob@example.org", PASSWORD),
        ("dis@example.org", PASSWORD),
        ("dis@example.org", "not the password"),
        ("a" * 5000, PASSWORD),
    ]
    seen = set()
    for login, password in wrong:
        response = api("POST", "/login", {"login": login, "password": password})
        # Production tells no times.
        headers = tuple(one for one in response.headers if one[0] not in ("X-Request-ID", "Server-Timing"))
        seen.add((response.status_code, headers, response.data))
    assert len(seen) == 1
    assert next(iter(seen))[0] == 401
    assert "WWW-Authenticate" in dict(next(iter(seen))[1])
    assert hashed == [password for _, password in wrong]


@pytest.mark.parametrize("database", ["sqlite"])
def test_events_are_one_line_each_and_hold_no_credential(api: Application, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "demijohn.auth")
    api.register()
    tokens = api.login()
    api("POST", "/login", {"login": 'x\n{"level": "fake"}\x1b[31m', "password": "hunter2hunter2"})
    lines = [one.getMessage() for one in caplog.records]
    assert len(lines) == 3
    assert all("\n" not in one and "\x1b" not in one for one in lines)
    told = " ".join(lines)
    for credential in ("hunter2", PASSWORD, tokens["access_token"], tokens["refresh_token"]):
        assert credential not in told
    assert 'reason="no such user"' in lines[2]


def test_a_hash_of_older_parameters_is_replaced_and_nobody_is_logged_out(api: Application) -> None:
    api.register()
    tokens = api.login()
    key = api("POST", "/keys", {}, token=tokens["access_token"]).get_json()["key"]
    newer = api.accounts.passwords = Passwords(Settings(password_memory_kib=16, password_time_cost=1))
    api.login()
    stored = api.value("SELECT password_hash FROM app_user")
    assert not newer.is_outdated(stored)
    assert api.status(tokens["access_token"]) == 200
    assert api("GET", "/me", key=key).status_code == 200
    assert api.refresh(tokens["refresh_token"])


class _Limits:
    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []

    def before(self, account: str, address: str) -> None:
        self.seen.append(("before", account, address))

    def take_back(self, account: str, address: str) -> None:
        self.seen.append(("take back", account, address))

    def succeeded(self, account: str, address: str) -> None:
        self.seen.append(("succeeded", account, address))


@pytest.mark.parametrize("database", ["sqlite"])
def test_attempts_are_counted_before_anything_is_hashed(api: Application) -> None:
    api.register()
    limits = api.accounts.login_limits = _Limits()
    api("POST", "/login", {"login": "ann@example.org", "password": "wrong"})
    api.login()
    place = ("ann@example.org", "127.0.0.1")
    assert limits.seen == [("before", *place), ("before", *place), ("succeeded", *place)]


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_attempt_for_which_there_was_no_time_does_not_count(
    api: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.register()
    token = api.login()["access_token"]
    limits = api.accounts.login_limits = _Limits()

    def busy(self: Passwords) -> None:
        raise Busy

    monkeypatch.setattr(Passwords, "place", busy)
    answer = api("POST", "/login", {"login": "ann@example.org", "password": "wrong"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    body = {"old_password": "wrong", "new_password": "another one of these"}
    assert api("POST", "/password", body, token=token).status_code == 503
    assert limits.seen == []


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_attempt_while_the_database_is_away_does_not_count(
    api: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable

    limits = api.accounts.login_limits = _Limits()
    monkeypatch.setattr(api.accounts.users, "by_name", away)
    assert api("POST", "/login", {"login": "ann@example.org", "password": "wrong"}).status_code == 503
    place = ("ann@example.org", "127.0.0.1")
    assert limits.seen == [("before", *place), ("take back", *place)]


# Tokens


def test_a_credential_is_good_for_its_own_purpose_only(api: Application) -> None:
    api.register()
    tokens = api.login()
    key = api("POST", "/keys", {}, token=tokens["access_token"]).get_json()["key"]
    for wrong in (tokens["refresh_token"], key, "x", "a.b.c"):
        response = api("GET", "/me", token=wrong)
        problem(response, 401)
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    for wrong in (tokens["access_token"], key, "djr_", "djr_" + "0" * 64, "djr_\u00e9"):
        problem(api("POST", "/refresh-body", {"refresh_token": wrong}), 401)
    for wrong in (tokens["access_token"], tokens["refresh_token"]):
        problem(api("GET", "/me", key=wrong), 401)
    problem(api("POST", "/refresh"), 401)


def test_each_refresh_token_is_used_once_and_a_replay_ends_the_family(
    api: Application, caplog: pytest.LogCaptureFixture
) -> None:
    api.register()
    first = api.login()
    apart = api.login()
    second = api.refresh(first["refresh_token"])
    third = api.refresh(second["refresh_token"])
    assert api.status(first["access_token"]) == 200
    assert api("POST", "/refresh", token=first["refresh_token"]).status_code == 401
    for tokens in (first, second, third):
        assert api.status(tokens["access_token"]) == 401
        assert api("POST", "/refresh", token=tokens["refresh_token"]).status_code == 401
    assert "replayed" in caplog.text
    assert api.status(apart["access_token"]) == 200


def test_of_many_that_refresh_at_once_exactly_one_chain_goes_on(api: Application) -> None:
    api.register()
    first = api.login()["refresh_token"]
    sent = at_once(20, lambda _: api("POST", "/refresh", token=first))
    assert {one.status_code for one in sent} == {200}
    successors = {one.get_json()["refresh_token"] for one in sent}
    assert len(successors) == 1
    unused = "SELECT count(*) FROM demijohn_refresh_token WHERE used_at IS NULL"
    assert api.value(unused) == 1
    # All had the same one; once that is used, it is a replay for the others.
    third = api.refresh(successors.pop())
    assert api.status(third["access_token"]) == 200
    assert api.value(unused) == 1


def test_a_token_that_was_used_last_is_no_replay_for_ten_seconds(api: Application) -> None:
    api.register()
    first = api.login()["refresh_token"]
    second = api.refresh(first)["refresh_token"]
    later(api, 9)
    assert api.refresh(first)["refresh_token"] == second
    later(api, 12)
    problem(api("POST", "/refresh", token=first), 401)
    problem(api("POST", "/refresh", token=second), 401)


def test_a_session_ends_when_it_is_idle_and_after_thirty_days(api: Application) -> None:
    day = 86_400
    api.register()
    idle = api.login()["refresh_token"]
    later(api, 7 * day + 1)
    problem(api("POST", "/refresh", token=idle), 401)
    later(api, 0)
    token = api.login()["refresh_token"]
    for days in (6, 12, 18, 24, 29):
        later(api, days * day)
        tokens = api.refresh(token)
        token = tokens["refresh_token"]
    later(api, 30 * day + 1)
    problem(api("POST", "/refresh", token=token), 401)
    assert api.status(tokens["access_token"]) == 401


def test_a_logout_ends_the_session_in_every_process(api: Application) -> None:
    api.register()
    tokens, apart, other = api.login(), api.login(), api.other()
    assert other.status(tokens["access_token"]) == 200
    assert api("POST", "/logout", token=tokens["access_token"]).status_code == 204
    for one in (api, other):
        assert one.status(tokens["access_token"]) == 401
        assert one("POST", "/refresh", token=tokens["refresh_token"]).status_code == 401
        assert one.status(apart["access_token"]) == 200
    other.close()


def test_a_changed_password_ends_all_other_sessions(api: Application) -> None:
    api.register()
    mine, apart, other = api.login(), api.login(), api.other()
    body = {"old_password": "wrong", "new_password": "another good one"}
    assert pointers(problem(api("POST", "/password", body, token=mine["access_token"]), 403)) == ["#/old_password"]
    weak = {"old_password": PASSWORD, "new_password": "password1"}
    assert pointers(problem(api("POST", "/password", weak, token=mine["access_token"]), 400)) == ["#/new_password"]
    body["old_password"] = PASSWORD
    assert api("POST", "/password", body, token=mine["access_token"]).status_code == 204
    for one in (api, other):
        assert one.status(mine["access_token"]) == 200
        assert one.status(apart["access_token"]) == 401
        assert one("POST", "/refresh", token=apart["refresh_token"]).status_code == 401
    problem(api("POST", "/login", {"login": "ann@example.org", "password": PASSWORD}), 401)
    assert api.refresh(mine["refresh_token"])
    assert api.login(password="another good one")
    other.close()


def test_a_password_that_is_changed_by_other_means_ends_all_sessions(api: Application) -> None:
    api.register()
    tokens = api.login()
    new = api.accounts.passwords.hash("a third password")
    api.execute(f"UPDATE app_user SET password_hash = '{new}'")
    assert api.status(tokens["access_token"]) == 401
    problem(api("POST", "/refresh", token=tokens["refresh_token"]), 401)


def test_who_gets_the_number_of_a_deleted_user_gets_none_of_the_sessions(api: Application) -> None:
    made = api.register()
    tokens = api.login()
    key = api("POST", "/keys", {}, token=tokens["access_token"]).get_json()["key"]
    api.execute("DELETE FROM app_user")
    api.register("bob@example.org")
    api.execute(f"UPDATE app_user SET id = {made['id']}")
    assert api.status(tokens["access_token"]) == 401
    assert api("GET", "/me", key=key).status_code == 401


def test_roles_and_disabling_count_from_the_next_request_on(api: Application) -> None:
    api.register()
    tokens, other = api.login(), api.other()
    token = tokens["access_token"]
    problem(api("POST", "/books", token=token), 403)
    api.execute("UPDATE app_user SET role = 'member, librarian'")
    for one in (api, other):
        assert one("POST", "/books", token=token).get_json()["scopes"] == ["librarian", "member"]
    api.execute("UPDATE app_user SET role = NULL")
    for one in (api, other):
        response = one("POST", "/books", token=token)
        problem(response, 403)
        assert 'scope="librarian"' in response.headers["WWW-Authenticate"]
        assert one("GET", "/books", token=token).get_json()["scopes"] == []
    api.execute("UPDATE app_user SET is_disabled = true")
    for one in (api, other):
        problem(one("GET", "/books", token=token), 401)
    problem(api("POST", "/refresh", token=tokens["refresh_token"]), 401)
    api.execute("UPDATE app_user SET is_disabled = false")
    assert api.refresh(tokens["refresh_token"])
    other.close()


# Sessions and keys


def test_a_user_sees_and_ends_own_sessions_and_no_others(api: Application) -> None:
    api.register()
    api.register("bob@example.org")
    mine, apart, bob = api.login(), api.login(), api.login("bob@example.org")
    listed = api("GET", "/sessions", token=mine["access_token"]).get_json()
    assert [one["current"] for one in listed].count(True) == 1
    assert len(listed) == 2
    foreign = api("GET", "/sessions", token=bob["access_token"]).get_json()[0]["id"]
    answers = [api("DELETE", f"/sessions/{one}", token=mine["access_token"]) for one in (foreign, "0" * 32, "%00")]
    assert {one.status_code for one in answers} == {404}
    assert len({re.sub(r'"id":"\w+"', "", one.text) for one in answers}) == 1
    assert api.status(bob["access_token"]) == 200
    own = next(one["id"] for one in listed if not one["current"])
    assert api("DELETE", f"/sessions/{own}", token=mine["access_token"]).status_code == 204
    assert api.status(apart["access_token"]) == 401


def _key(api: Application, token: str, **body: Any) -> Json:
    response = api("POST", "/keys", body, token=token)
    assert response.status_code == 201, response.text
    assert response.headers["Cache-Control"] == "no-store"
    made: Json = response.get_json()
    return made


def test_an_api_key_is_shown_once_and_does_what_its_scopes_allow(api: Application) -> None:
    api.register()
    api.execute("UPDATE app_user SET role = 'member librarian'")
    token = api.login()["access_token"]
    full, small = _key(api, token, name="ci"), _key(api, token, scopes=["member"])
    assert full["key"].startswith(full["prefix"])
    assert full["key"] not in api("GET", "/keys", token=token).text
    assert [one["id"] for one in api("GET", "/keys", key=full["key"]).get_json()["items"]].count(full["id"]) == 1
    assert api("POST", "/books", key=full["key"]).get_json() == {"user": 1, "scopes": ["librarian", "member"]}
    problem(api("POST", "/books", key=small["key"]), 403)
    api.execute("UPDATE app_user SET role = 'member'")
    problem(api("POST", "/books", key=full["key"]), 403)
    assert pointers(problem(api("POST", "/keys", {"scopes": ["librarian"]}, token=token), 403)) == ["#/scopes"]
    assert api("DELETE", f"/keys/{full['id']}", token=token).status_code == 204
    problem(api("GET", "/me", key=full["key"]), 401)
    assert api("GET", "/me", key=small["key"]).status_code == 200


def test_an_api_key_makes_no_keys_and_ends_no_sessions(api: Application) -> None:
    api.register()
    key = _key(api, api.login()["access_token"])["key"]
    problem(api("POST", "/keys", {}, key=key), 403)
    problem(api("POST", "/logout", key=key), 403)


def test_keys_of_others_are_not_there(api: Application) -> None:
    api.register()
    api.register("bob@example.org")
    mine, bob = api.login()["access_token"], api.login("bob@example.org")["access_token"]
    made = _key(api, mine)
    problem(api("DELETE", f"/keys/{made['id']}", token=bob), 404)
    assert api("GET", "/keys", token=bob).get_json() == {"items": []}
    assert api("GET", "/me", key=made["key"]).status_code == 200


def test_a_key_expires(api: Application) -> None:
    api.register()
    token = api.login()["access_token"]
    made = _key(api, token, expires_in=10**18)
    assert made["expires_at"] is not None
    assert pointers(problem(api("POST", "/keys", {"expires_in": 0}, token=token), 409)) == ["#/expires_in"]
    old = {"expires_at": "2020-01-01T00:00:00Z"}
    assert pointers(problem(api("POST", "/keys", old, token=token), 409)) == ["#/expires_at"]
    api.execute("UPDATE demijohn_api_key SET expires_at = 1")
    problem(api("GET", "/me", key=made["key"]), 401)


def test_a_table_that_is_missing_is_503_and_the_log_says_what_makes_it(
    api: Application, caplog: pytest.LogCaptureFixture
) -> None:
    api.register()
    token = api.login()["access_token"]
    for name in ("demijohn_refresh_token", "demijohn_session"):
        api.execute(f"DROP TABLE {name}")
    answers = [
        api("POST", "/login", {"login": "ann@example.org", "password": PASSWORD}),
        api("GET", "/me", token=token),
    ]
    for answer in answers:
        told = problem(answer, 503)
        assert answer.headers["Retry-After"] == "1"
        assert "demijohn_" not in str(told)
    logged = [record.getMessage() for record in caplog.records if "demijohn db create" in record.getMessage()]
    assert len(logged) == 2
    assert all("lacks what the models have" in one and "session" in one for one in logged)
