"""One event is one line, of JSON where that is asked for, and no secret is in any."""

from __future__ import annotations

import errno
import io
import json
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO, cast

import pytest
from flask.logging import default_handler, wsgi_errors_stream
from flask.testing import FlaskClient
from members import SCHEMAS, WORDS, Word
from small_apis import contract

from demijohn.operating import JsonLines
from demijohn.operating.logs import LineHandler
from demijohn.operating.masks import Masks, is_secret_name, own_secrets

Watched = Callable[..., FlaskClient]
Capture = pytest.CaptureFixture[str]

SECRETS = {
    "SECRET_KEY": "kV7wQ0mJ4sT9xK2pL6rN8bC3dF5gZ1yA",
    "DATABASE_URL": "postgresql://ann:" + "hunter22%21@db.example.org/library",
    "DEMIJOHN_METRICS_TOKEN": "another long enough token",
    "DEMIJOHN_RATE_LIMIT_STORAGE": "redis://:swordfish99@cache.example.org:6379/0",
}
VALUES = [SECRETS["SECRET_KEY"], "hunter22!", "hunter22%21", SECRETS["DEMIJOHN_METRICS_TOKEN"], "swordfish99"]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWl0"


@pytest.fixture
def json_watched(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Return what makes a client of the application whose log is JSON."""
    handler = logging.StreamHandler(cast(TextIO, wsgi_errors_stream))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    return partial(watched, log_format="json", access_log=True)


@pytest.fixture
def json_client(json_watched: Watched, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> FlaskClient:
    """Return a client of the application whose log is JSON, with secrets in its environment."""
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    return json_watched(unknown_query="ignore")


def lines(client: FlaskClient, capsys: Capture) -> list[dict[str, Any]]:
    """Return the lines of the log so far, each of which has to be JSON that any terminal can show."""
    client.application.extensions["demijohn"].observer._log.flush()
    text = capsys.readouterr().err
    assert text.isascii()
    assert all(one.isprintable() for one in text.splitlines())
    return [json.loads(line) for line in text.splitlines()]


def test_a_request_is_one_line(json_client: FlaskClient, capsys: Capture) -> None:
    json_client.get("/things/7?token=x", headers={"X-Request-ID": "one"})
    (line,) = lines(json_client, capsys)
    assert line.pop("time").endswith("Z")
    ms, stages = line.pop("ms"), line.pop("stages")
    assert line == {
        "level": "info",
        "logger": "demijohn.access",
        "message": "request",
        "request_id": "one",
        "operation": "read",
        "method": "GET",
        "path": "/things/7",
        "status": 200,
        "caller": None,
    }
    assert [*stages] == ["admit", "limit", "agree", "decode", "act", "encode"]
    assert 0 < sum(stages.values()) <= ms + 0.01


@pytest.mark.parametrize(("token", "caller"), [("ann", "ann"), ("7", "7"), ("ann@example.org", None)])
def test_the_caller_is_named_unless_by_an_address(
    json_client: FlaskClient, capsys: Capture, token: str, caller: str | None
) -> None:
    json_client.get("/mine", headers={"Authorization": f"Bearer {token}"})
    inside, line = lines(json_client, capsys)
    assert line["caller"] == inside.get("caller") == caller


def test_a_record_of_a_request_says_which(json_client: FlaskClient, capsys: Capture) -> None:
    json_client.get("/mine", headers={"Authorization": "Bearer ann", "X-Request-ID": "two"})
    inside, _ = lines(json_client, capsys)
    assert {name: inside[name] for name in ("level", "logger", "message", "request_id", "operation", "path")} == {
        "level": "warning",
        "logger": "mine",
        "message": "in the middle of it",
        "request_id": "two",
        "operation": "mine",
        "path": "/mine",
    }
    logging.getLogger("mine").warning("outside")
    (outside,) = lines(json_client, capsys)
    assert "request_id" not in outside


def test_that_the_database_is_away_is_told_with_the_request_that_found_out(
    json_watched: Watched, capsys: Capture
) -> None:
    password = "s3cr3t-v4lu3"
    url = f"mariadb+pymysql://ann:{password}@127.0.0.1:1/none"
    client = json_watched(contract=json.dumps(contract(WORDS, SCHEMAS)), models=[Word], database_url=url)
    answer = client.get("/words", headers={"X-Request-ID": "three"})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (503, "three")
    told, line = lines(client, capsys)
    assert told["message"].startswith("The database mariadb+pymysql://ann:***@127.0.0.1:1/none takes no connection")
    assert {one["request_id"] for one in (told, line)} == {"three"}
    assert {one["path"] for one in (told, line)} == {"/words"}
    assert line["status"] == 503


def test_a_refused_request_tells_the_stages_that_it_passed(json_client: FlaskClient, capsys: Capture) -> None:
    json_client.get("/things/x")
    json_client.get("/nowhere")
    refused, nowhere = lines(json_client, capsys)
    assert [refused["status"], [*refused["stages"]]] == [400, ["admit", "limit", "agree"]]
    assert [nowhere["status"], nowhere["operation"], nowhere["stages"]] == [404, None, {}]


def test_an_exception_is_one_line_without_the_secrets_in_it(json_client: FlaskClient, capsys: Capture) -> None:
    json_client.delete("/things/1")
    found = lines(json_client, capsys)
    assert [line["logger"] for line in found][-1] == "demijohn.access"
    (failed,) = [line for line in found if "exception" in line]
    assert failed["exception"].startswith("Traceback")
    assert "postgresql://ann:***@db/x" in failed["exception"]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    "path",
    [
        '/a%0A{"level":"fake"}',
        "/%1B[31mred",
        "/%C2%9B31m",
        "/%7F",
        "/%E2%80%A8next",
        "/%FF%FE",
        "/" + "x" * 5000,
        '/"\\',
    ],
)
def test_no_request_can_write_a_line_of_its_own(json_client: FlaskClient, capsys: Capture, path: str) -> None:
    json_client.get(path, headers={"X-Request-ID": 'x"}\x1b[0m', "User-Agent": "\x1b[31m"})
    (line,) = lines(json_client, capsys)
    assert line["status"] == 404
    assert len(line["path"]) <= 1000
    assert line["request_id"].isalnum()


def test_lines_are_written_in_pieces_that_a_pipe_takes_whole(
    json_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    for number in range(100):
        json_client.get(f"/things/{number}")
    monkeypatch.setattr(sys.stderr, "write", written.append)
    json_client.application.extensions["demijohn"].observer._log.flush()
    assert sum(text.count("\n") for text in written) == 100
    assert all(len(text) <= 4096 and text.endswith("\n") for text in written)
    assert len(written) < 20


def test_as_text_a_request_is_one_line_too(watched: Watched, capsys: Capture) -> None:
    client = watched(access_log=True)
    client.get("/things/7", headers={"X-Request-ID": "one"})
    client.get("/a%0Ab")
    client.application.extensions["demijohn"].observer._log.flush()
    first, second = capsys.readouterr().err.splitlines()
    assert ' INFO demijohn.access: 200 GET "/things/7" ' in first
    assert ' ms request=one operation="read" caller=null admit=0.0' in first
    assert '404 GET "/a\\nb"' in second


# Masks

LEAKS = [
    "Authorization: Bearer %s",
    "Authorization: Basic %s",
    "{'Authorization': 'Token %s'}",
    '{"authorization": "%s"}',
    "('HTTP_AUTHORIZATION', '%s')",
    "Cookie: session=%s; theme=dark",
    "Set-Cookie: session=%s; HttpOnly",
    "password=%s",
    "password: %s",
    'PASSWORD="%s"',
    "{'new_password': '%s', 'name': 'ann'}",
    '{"refresh_token": "%s"}',
    "api_key=%s&limit=5",
    "x-api-key: %s",
    "client_secret => '%s'",
    "https://ann:%s@example.org/path",
    "redis://:%s@cache:6379/0",
    "postgresql+psycopg://user:%s@db/name",
    "curl -H 'Authorization: Bearer %s' http://x",
]


@pytest.mark.parametrize("secret", ["s3cr3t-v4lu3", "Zm9vYmFyYmF6cXV4", "a.b~c_d-e1"])
@pytest.mark.parametrize("leak", LEAKS)
def test_what_is_called_a_secret_is_masked(leak: str, secret: str) -> None:
    masked = Masks().text(f"before {leak % secret} after")
    assert secret not in masked
    assert "***" in masked
    assert masked.startswith("before ")


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
        "$2b$12$abcdefghijklmnopqrstuv",
        "scrypt:32768:8:1$salt$0123456789abcdef",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_masked(secret: str) -> None:
    masked = Masks().text(f"found {secret} there")
    assert masked == "found *** there"


@pytest.mark.parametrize(
    "text",
    [
        "GET /books/7 took 3 ms",
        "token_algorithm=HS256 password_time_cost=2 access_token_s=900",
        "https://example.org:8080/path@here",
        "The secret is kept in the instance folder",
        "3 tokens were revoked",
        "the key is id=7",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Masks().text(text) == text


def test_own_secrets_are_masked_wherever_they_are() -> None:
    masks = Masks(own_secrets({"SECRET_KEY": SECRETS["SECRET_KEY"]}, SECRETS))
    for secret in VALUES:
        assert masks.text(f"the value {secret} slipped out") == "the value *** slipped out"


def test_arguments_are_masked_by_their_names(json_client: FlaskClient, capsys: Capture) -> None:
    logger = logging.getLogger("mine")
    logger.error("sent %(password)s for %(name)s", {"password": "s3cr3t-v4lu3", "name": "ann"})
    logger.error("sent %s", {"nested": [{"api_key": "s3cr3t-v4lu3"}]})
    logger.error("sent", extra={"token": "s3cr3t-v4lu3", "about": {"cookie": "s3cr3t-v4lu3", "n": 1}})
    logger.error("connect to %s", "postgresql://ann:" + "s3cr3t-v4lu3@db/x")
    logger.error("%d of %s", 3, "ann")
    logger.error(SECRETS["SECRET_KEY"])
    logger.error("odd %s", object, extra={"set": {1}, "huge": 2**70, "nan": float("nan"), "raw": b"token=s3cr3t-v4lu3"})
    found = lines(json_client, capsys)
    text = json.dumps(found)
    assert "s3cr3t-v4lu3" not in text
    assert not [secret for secret in VALUES if secret in text]
    assert found[0]["message"] == "sent *** for ann"
    assert found[2]["about"] == {"cookie": "***", "n": 1}
    assert found[4]["message"] == "3 of ann"
    assert found[6]["huge"] == str(2**70)
    assert found[6]["nan"] is None


def test_masks_are_quick_on_any_text() -> None:
    masks = Masks(VALUES)
    endless = ["password=" * 5000, "a" * 50_000, "://" * 20_000, "eyJ" * 20_000, "'" * 50_000 + "token"]
    for text in [
        *endless,
        'token="' + "\\" * 50_000,
        "token" + " " * 50_000,
        "token" * 10_000,
        "a" * 50_000 + " token",
    ]:
        began = time.thread_time()  # of the processor, which other work may have most of
        masks.text(text)
        assert time.thread_time() - began < 2, text[:20]


def test_as_text_secrets_are_masked_in_flasks_own_lines(watched: Watched, capsys: Capture) -> None:
    client = watched()
    record = logging.LogRecord("x", logging.ERROR, "", 0, "sent %s", ("Authorization: Bearer s3cr3t-v4lu3",), None)
    assert default_handler.filter(record)
    assert record.getMessage() == "sent Authorization: ***"
    try:
        raise ValueError("password=s3cr3t-v4lu3")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    assert default_handler.filter(record)
    assert "s3cr3t-v4lu3" not in default_handler.format(record)
    assert client.get("/live").status_code == 200


def test_names_tell_what_is_secret() -> None:
    assert all(map(is_secret_name, ("password", "DB_PASSWORD", "apiKey", "X-Api-Key", "refresh_token", "Set-Cookie")))
    assert not any(map(is_secret_name, ("name", "PWD", "token_algorithm", "access_token_s", "keyboard", "token_type")))


def test_a_record_whose_arguments_do_not_fit_is_a_line_all_the_same() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "sent %d", ("token=s3cr3t-v4lu3",), None)
    assert json.loads(JsonLines().format(record))["message"] == "sent %d ('token=***',)"


def test_the_formatter_stands_alone() -> None:
    record = logging.LogRecord("granian", logging.INFO, "", 0, "Spawning worker-%d", (1,), None)
    line = json.loads(JsonLines().format(record))
    assert (line["logger"], line["level"], line["message"]) == ("granian", "info", "Spawning worker-1")


class Full(io.StringIO):
    """Be a file on a disk that is full."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_for_which_there_is_no_room_is_lost_and_nothing_else_is_written(capsys: Capture) -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 0, "token=s3cr3t-v4lu3", (), None)
    handler = LineHandler(Full())
    handler.handle(record)
    assert capsys.readouterr().err == ""
    handler.handle(logging.LogRecord("x", logging.ERROR, "", 0, "sent %d", ("text",), None))
    assert "TypeError" in capsys.readouterr().err  # what is wrong with a record is told
