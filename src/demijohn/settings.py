"""Every option of Demijohn in one frozen value.

A setting is read, in this order, from: the argument to `Demijohn(..., settings=)`, the Flask configuration
(`DEMIJOHN_MAX_BODY_BYTES`), the environment (the same name), the default below. The reference page and
`demijohn run --help` are made from the fields' `help`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias, get_args, get_type_hints

from demijohn.errors import SettingError

__all__ = ["PREFIX", "Settings", "check_redis", "unreadable_redis"]

PREFIX = "DEMIJOHN_"

Unbound: TypeAlias = Literal["refuse", "501", "mock"]
UnknownQuery: TypeAlias = Literal["refuse", "ignore"]
ReadOnly: TypeAlias = Literal["refuse", "ignore"]
Synchronous: TypeAlias = Literal["FULL", "NORMAL"]
Environment: TypeAlias = Literal["development", "production"]
LogFormat: TypeAlias = Literal["text", "json"]
ServerTiming: TypeAlias = Literal["development", "always", "never"]
TokenAlgorithm: TypeAlias = Literal["HS256", "RS256", "ES256", "EdDSA"]


def _option(default: Any, text: str, also: str = "") -> Any:
    """Declare an option; `also` is a name without prefix that other tools use for the same thing."""
    return field(default=default, metadata={"help": text, "also": also})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold the options of one Demijohn application."""

    environment: Environment = _option(
        "development",
        "`production` refuses to start without a good `SECRET_KEY` where anything is signed; `development` makes one"
        " and keeps it in the instance folder.",
    )
    strict: bool = _option(False, "Refuse a contract that has warnings, too.")
    unbound: Unbound = _option(
        "refuse",
        "An operation that no function serves: `refuse` to start, answer `501`, or `mock` an answer from the "
        "contract's examples.",
    )
    unknown_query: UnknownQuery = _option(
        "refuse", "A query parameter that the contract does not declare: `refuse` it with 400 or `ignore` it."
    )
    validate_responses: bool = _option(
        True, "Check every answer of a handler against the contract; a wrong one becomes a 500 and a log line."
    )
    max_body_bytes: int = _option(10 * 1024 * 1024, "The largest request body, in bytes; a larger one is 413.")
    max_body_depth: int = _option(64, "The deepest nesting of a JSON request body; a deeper one is 400.")
    max_form_parts: int = _option(1000, "The most fields and files in one form; more are 413.")
    max_contract_bytes: int = _option(8 * 1024 * 1024, "The largest contract file, in bytes.")
    max_contract_depth: int = _option(200, "The deepest nesting of a contract file.")
    max_contract_nodes: int = _option(1_000_000, "The most values in a contract once its YAML aliases are expanded.")
    database_url: str = _option(
        "",
        "The database of resources whose models bring no engine, as SQLAlchemy writes it (also: `DATABASE_URL`)."
        " Empty: an SQLite file in the application's instance folder.",
        also="DATABASE_URL",
    )
    database_pool_size: int = _option(8, "The most connections of one process to PostgreSQL or MariaDB.")
    database_pool_timeout_s: int = _option(3, "How long a request waits for a free connection before it is 503.")
    database_connect_timeout_s: int = _option(3, "How long to wait for the database to take a connection.")
    database_statement_timeout_s: int = _option(4, "How long one statement may take; then it is 503.")
    database_recycle_s: int = _option(1800, "The age at which a connection is replaced by a new one.")
    sqlite_synchronous: Synchronous = _option(
        "FULL", "SQLite's `synchronous`: `FULL` survives a power cut, `NORMAL` may lose the last writes in one."
    )
    read_only: ReadOnly = _option(
        "refuse",
        "A `readOnly` property in a request body: `refuse` it with 400, or `ignore` it: it is not stored. Functions "
        "see it.",
    )
    default_limit: int = _option(20, "How many items a list has where neither request nor contract says so.")
    max_limit: int = _option(100, "The most items of a list where the contract sets no `maximum`.")
    idempotency_hours: int = _option(24, "How long the answer to an `Idempotency-Key` is kept.")
    password_memory_kib: int = _option(19456, "The memory that one hash of a password takes, in KiB (argon2id's `m`).")
    password_time_cost: int = _option(2, "How often a hash of a password goes through its memory (argon2id's `t`).")
    password_parallelism: int = _option(1, "The lanes of a hash of a password (argon2id's `p`).")
    password_threads: int = _option(2, "The most passwords that one process hashes at a time.")
    password_queue: int = _option(
        1,
        "The most requests of one process that wait to have a password hashed; one more is 503. With"
        " `password_threads` it should be less than the threads of the process: `demijohn run` keeps one free.",
    )
    access_token_s: int = _option(900, "How long an access token is valid.")
    token_algorithm: TokenAlgorithm = _option(
        "HS256",
        "What access tokens are signed with: `HS256` by the secret, `RS256`, `ES256` or `EdDSA` by a key of which"
        " others may have the public half.",
    )
    token_keys: str = _option(
        "", "The folder of the private keys, `KID.pem`. Empty: `keys` in the application's instance folder."
    )
    token_issuer: str = _option("", "The `iss` of access tokens. Empty: the name of the application.")
    token_audience: str = _option("", "The `aud` of access tokens. Empty: the name of the application.")
    token_leeway_s: int = _option(5, "How far the clocks of two machines may be apart when a token is checked.")
    oidc_issuer: str = _option(
        "", "The identity provider whose tokens are taken, as it stands in their `iss`. Empty: what the contract names."
    )
    oidc_jwks_url: str = _option(
        "", "Where the identity provider has its public keys. Empty: what its discovery document says."
    )
    oidc_audience: str = _option("", "The `aud` that tokens of the identity provider must have: this API.")
    oidc_roles_claim: str = _option(
        "roles", "The claim of the identity provider that has roles; a dot leads into an object: `realm_access.roles`."
    )
    oidc_user_claim: str = _option(
        "",
        "The claim of the identity provider that has the primary key of a user here, for whom its token then stands."
        " Empty: its users are none of those here.",
    )
    rate_limit_default: str = _option(
        "",
        "The rate limit of operations for which the contract says none, such as `100/minute`, counted over all of them"
        " together.",
    )
    rate_limit_failures: str = _option(
        "100 per 10 minutes",
        "How many wrong credentials an address may send; then operations with security answer it 429 for the rest of "
        "that time. Empty: any number.",
    )
    rate_limit_login: str = _option("10 per 15 minutes", "How many logins to one account may fail from one address.")
    rate_limit_login_address: str = _option(
        "100 per 15 minutes", "How many logins may fail from one address, to whatever accounts."
    )
    rate_limit_login_account: str = _option(
        "100 per day",
        "How many logins to one account may fail, from whatever addresses; those from which it was logged into in the "
        "last 30 days are let through.",
    )
    rate_limit_storage: str = _option(
        "memory",
        "Where rate limits are counted: in the `memory` of each process, in the `database` of the application, or in "
        "the Redis at an address such as `redis://127.0.0.1:6379/0`.",
    )
    cache_storage: str = _option(
        "memory",
        "Where the answers of operations with `x-cache` are kept: in the `memory` of each process, or also in the Redis"
        " at an address such as `redis://127.0.0.1:6379/0`, which processes share.",
    )
    cache_memory_bytes: int = _option(
        64 * 1024 * 1024, "The most memory of each process that such answers take, in bytes."
    )
    cache_entry_bytes: int = _option(1024 * 1024, "The largest body that is kept, in bytes.")
    cors_origins: str = _option(
        "",
        "The origins whose pages may use the contracts in a browser, with commas between them, or `*` for every one."
        " A contract's own `x-cors` goes first. Empty: no other origin may.",
    )
    trusted_hosts: str = _option(
        "",
        "The hosts that requests may be for, with commas between them; `.example.org` stands for it and every host"
        " below it. Other requests are 400. Empty: Flask's `TRUSTED_HOSTS`, else any well-formed host.",
    )
    trusted_proxies: str = _option(
        "",
        "The proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed, with commas between them: addresses,"
        " networks such as `10.0.0.0/8`, or `unix` for those that come through a socket. From others they are removed.",
    )
    hsts: str = _option(
        "max-age=31536000",
        "The `Strict-Transport-Security` of answers that go out over TLS. Empty: none.",
    )
    docs_ui: bool = _option(True, "Serve Swagger UI at `{base}/ui/`, over the contract that `docs_contract` serves.")
    docs_contract: bool = _option(True, "Serve the contract at `{base}/openapi.json` and `.yaml`.")
    live_path: str = _option(
        "/live", "Where the process tells that it answers. Empty: nowhere. A contract or view with this path keeps it."
    )
    ready_path: str = _option(
        "/ready",
        "Where the process tells whether it can do its work: 200, or 503 while its database is away or it stops. Empty:"
        " nowhere.",
    )
    metrics_path: str = _option(
        "/metrics",
        "Where Prometheus reads metrics, once `operating_address` or `metrics_token` says for whom. Empty: nowhere, and"
        " nothing is counted.",
    )
    metrics_token: str = _option(
        "", "What has to be sent as `Authorization: Bearer` to read the metrics; at least 16 characters."
    )
    metrics_folder: str = _option(
        "",
        "The folder where the processes of one server keep their counts, so that each can tell those of all. Empty:"
        " `demijohn run` makes one; under another server each process tells its own.",
    )
    operating_address: str = _option(
        "",
        "Where `demijohn run` listens for `live_path`, `ready_path` and `metrics_path` alone, such as `127.0.0.1:9100`"
        " or `0.0.0.0:9100`; the public address does not have them then. Empty: the public address has them.",
    )
    log_format: LogFormat = _option(
        "text", "How log records are written: `text` as Flask does, or as one object of `json` in each line."
    )
    access_log: bool = _option(False, "Log a line for each request, with the milliseconds of each stage.")
    server_timing: ServerTiming = _option(
        "development",
        "When answers have a `Server-Timing` with the milliseconds of each stage: in `development`, `always` or"
        " `never`.",
    )
    session_days: int = _option(30, "How long after a login refresh tokens are given, in all.")
    session_idle_days: int = _option(7, "How long a refresh token can be used; the next one counts anew.")
    refresh_grace_s: int = _option(
        10, "How long a refresh token that was used last gives its successor again; later, its use ends the session."
    )

    @classmethod
    def load(cls, *layers: Mapping[str, Any]) -> Settings:
        """Read settings from mappings such as `app.config` and `os.environ`; an earlier one wins.

        Raises `SettingError` with every wrong value: the key, what was found, what is allowed.
        """
        hints = get_type_hints(cls)
        known = {option.metadata["also"]: option.name for option in fields(cls) if option.metadata["also"]}
        known |= {PREFIX + option.name.upper(): option.name for option in fields(cls)}
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for layer in reversed(layers):
            for key, name in known.items():
                if key in layer:
                    try:
                        values[name] = _read(layer[key], hints[name])
                    except ValueError as error:
                        wrong.append(f"{key}: found {layer[key]!r}, allowed is {error}")
        if wrong:
            raise SettingError(wrong)
        return cls(**values)


_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def _read(value: Any, kind: Any) -> Any:
    """Convert one raw value; `ValueError` says what would be allowed."""
    if kind is bool:
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text in _TRUE | _FALSE:
            return text in _TRUE
        raise ValueError("true or false")
    if kind is str:
        return str(value)
    if kind is int:
        try:
            number = int(str(value))
        except ValueError:
            number = 0
        if number < 1 or isinstance(value, bool):
            raise ValueError("a whole number of at least 1")
        return number
    allowed = get_args(kind)
    if str(value) in allowed:
        return str(value)
    raise ValueError("one of " + ", ".join(allowed))


def check_redis(name: str, address: str, allowed: str) -> None:
    """Refuse what a setting has in the place of the address of a Redis. Raises `SettingError`."""
    key = PREFIX + name.upper()
    if address.partition("://")[0] not in ("redis", "rediss", "redis+unix"):
        # Not the whole of it: there may be a password in it.
        shown = re.match(r"[\w+.-]{0,20}", address)
        raise SettingError([f"{key}: found {shown[0] if shown else ''!r}, allowed is {allowed}"])
    if find_spec("redis") is None:
        raise SettingError([f"{key}: the client library of Redis is not installed; install demijohn[redis]"])


def unreadable_redis(name: str) -> str:
    """Return the problem of a setting whose address the client library cannot read; it may hold a password."""
    return f"{PREFIX}{name.upper()}: the address cannot be read, allowed is redis://:PASSWORD@HOST:PORT/NUMBER"
