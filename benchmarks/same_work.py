"""Insist that every peer does the same work before any of them is timed."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Sequence
from typing import Any

from driver import PEOPLE, Answer, BenchmarkError, Server, ask
from stores import Stores

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
READS = {
    "read one": f"{PEOPLE}/5000",
    "list of 20": f"{PEOPLE}?limit=20",
    "list of 100": f"{PEOPLE}?limit=100",
    "filtered and sorted": f"{PEOPLE}?country=DE&sort=-name&limit=20",
}
OTHER_READS = {
    "by name": f"{PEOPLE}?country=SE&sort=name&limit=3",
    "newest first": f"{PEOPLE}?sort=-created_at&limit=5",
    "oldest first": f"{PEOPLE}?sort=created_at&limit=5",
    "an unused country": f"{PEOPLE}?country=ZZ",
    "the default limit": PEOPLE,
}
WRONG_QUERIES = ("limit=0", "limit=101", "limit=abc", "country=de", "country=DEU", "sort=score")
NEW = {"name": "Zoë “Z” O'Hara", "email": "zoe@example.org", "country": "DE", "score": 1000}
WRONG_NEW: tuple[dict[str, Any], ...] = (
    {"name": ""},
    {"name": "n" * 101},
    {"email": "no address"},
    {"email": f"{'e' * 60}@{'d' * 55}.example.org"},
    {"country": "de"},
    {"country": "DEU"},
    {"score": -1},
    {"score": 1001},
    {"score": "many"},
    {"colour": "red"},
    {"id": 7},
)
CHANGED = {"name": "Renamed", "score": 0}
WRONG_CHANGES: tuple[dict[str, Any], ...] = ({"name": ""}, {"name": "n" * 101}, {"score": 1001}, {"colour": "red"})


def check_equal(servers: Sequence[Server], unvalidated: Collection[str]) -> None:
    """Raise where a peer answers otherwise than the first, or, but for those that do not, takes what is wrong."""
    expected: dict[str, Any] | None = None
    for server in servers:
        found = reads(server) | writes(server)
        expected = expected or found
        for title, answer in found.items():
            if answer != expected[title]:
                raise fault(server, f"{title}: {answer}, not {expected[title]} as {servers[0].peer.name} has it")
        if server.peer.name not in unvalidated:
            check_refusals(server)


def fault(server: Server, text: str) -> BenchmarkError:
    """Make an error that names the peer."""
    return BenchmarkError(f"{server.peer.name}: {text}\n{server.log.read_text(errors='replace')[-3000:]}")


def parsed(server: Server, title: str, answer: Answer, status: int) -> Any:
    """Return the JSON of an answer that has to have a status."""
    if answer.status != status:
        raise fault(server, f"{title}: {answer.status}, not {status}: {answer.body[:500]!r}")
    return answer.json()


def reads(server: Server) -> dict[str, Any]:
    """Return what the lists and the item look like."""
    found = {
        title: parsed(server, title, ask(server.base + path), 200) for title, path in (READS | OTHER_READS).items()
    }
    lengths = {title: len(found[title]) for title in ("list of 20", "list of 100", "filtered and sorted")}
    if lengths != {"list of 20": 20, "list of 100": 100, "filtered and sorted": 20}:
        raise fault(server, f"wrong lengths: {lengths}")
    return found


def writes(server: Server) -> dict[str, Any]:
    """Create and change people; return what they look like but for what differs between peers."""
    created = parsed(server, "create", ask(server.base + PEOPLE, "POST", NEW), 201)
    path = f"{server.base}{PEOPLE}/{created['id']}"
    if parsed(server, "read the created", ask(path), 200) != created:
        raise fault(server, "the created person is answered otherwise than it is read")
    changed = parsed(server, "patch", ask(f"{server.base}{PEOPLE}/77", "PATCH", CHANGED), 200)
    if parsed(server, "read the changed", ask(f"{server.base}{PEOPLE}/77"), 200) != changed:
        raise fault(server, "the changed person is answered otherwise than it is read")
    moment = created.pop("created_at")
    if not MOMENT.fullmatch(moment):
        raise fault(server, f"created_at is {moment}")
    return {"create": created, "patch": changed}


def check_refusals(server: Server) -> None:
    """Raise unless wrong input is refused and what is not there is 404."""
    wrong = [(f"?{query}", ask(f"{server.base}{PEOPLE}?{query}")) for query in WRONG_QUERIES]
    fresh = NEW | {"email": "fresh@example.org"}
    wrong += [(f"create {one}", ask(server.base + PEOPLE, "POST", fresh | one)) for one in WRONG_NEW]
    wrong += [
        (f"create without {name}", ask(server.base + PEOPLE, "POST", {k: v for k, v in fresh.items() if k != name}))
        for name in fresh
    ]
    wrong += [(f"patch {one}", ask(f"{server.base}{PEOPLE}/78", "PATCH", one)) for one in WRONG_CHANGES]
    for title, answer in wrong:
        if answer.status not in (400, 422):
            raise fault(server, f"{title}: {answer.status}, neither 400 nor 422: {answer.body[:500]!r}")
    taken = ask(server.base + PEOPLE, "POST", NEW)
    if taken.status not in (400, 409, 422):
        raise fault(server, f"an e-mail address twice: {taken.status}")
    for method, body in (("GET", None), ("PATCH", CHANGED)):
        status = ask(f"{server.base}{PEOPLE}/999999999", method, body).status
        if status != 404:
            raise fault(server, f"{method} of nobody: {status}, not 404")


# Accounts: a list for everybody, and the same of what belongs to who is calling

BOARD, NOTES, LOGIN = "/api/board?limit=20", "/api/notes?limit=20", "/api/login"
WRONG_LIMITS = ("limit=0", "limit=101", "limit=abc")


def check_accounts(
    servers: Sequence[Server], stores: Stores, names: Sequence[str], password: str
) -> dict[str, list[str]]:
    """Log every account in at every peer; return the tokens, by peer.

    Raises where a peer answers otherwise than the first, where a list is not as long as all others, and where one
    lets somebody in who may not come in.
    """
    tokens = {server.peer.name: [_log_in(server, name, password) for name in names] for server in servers}
    expected: list[Any] = []
    for server in servers:
        mine = tokens[server.peer.name]
        asked = [(BOARD, None), *((NOTES, token) for token in mine)]
        found = [parsed(server, path, ask(server.base + path, token=token), 200) for path, token in asked]
        sizes = {(len(page), len(json.dumps(page))) for page in found}
        if len(sizes) != 1 or len(found[0]) != 20:
            raise fault(server, f"lists of different sizes: {sizes}")
        if len({json.dumps(page) for page in found}) != len(found):
            raise fault(server, "two accounts have the same notes")
        expected = expected or found
        if found != expected:
            raise fault(server, f"other notes than {servers[0].peer.name} has")
        _check_refused(server, mine[0], names[0], password)
        _check_disabled(server, stores, mine[0])
    return tokens


def _log_in(server: Server, name: str, password: str) -> str:
    answer = ask(server.base + LOGIN, "POST", {"name": name, "password": password})
    token: str = parsed(server, f"log {name} in", answer, 200)["access_token"]
    return token


def _check_refused(server: Server, token: str, name: str, password: str) -> None:
    """Raise unless wrong tokens and passwords are 401, and wrong limits 4xx, with a token and without."""
    header, payload, signature = token.split(".")
    claims = _claims_of(token)
    other = _segment(claims | {"sub": str(int(claims["sub"]) + 1)})
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    wrong_tokens = {
        "no token": None,
        "no JWT": "token",
        "another signature": f"{header}.{payload}.{flipped}",
        "somebody else": f"{header}.{other}.{signature}",
        "no signature": f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
    }
    for title, wrong in wrong_tokens.items():
        status = ask(server.base + NOTES, token=wrong).status
        if status != 401:
            raise fault(server, f"{title}: {status}, not 401")
    for given in ({"name": name, "password": password + "!"}, {"name": "nobody", "password": password}):
        status = ask(server.base + LOGIN, "POST", given).status
        if status != 401:
            raise fault(server, f"a wrong login: {status}, not 401")
    for query in WRONG_LIMITS:
        for path, sent in ((BOARD, None), (NOTES, token)):
            status = ask(f"{server.base}{path.partition('?')[0]}?{query}", token=sent).status
            if status not in (400, 422):
                raise fault(server, f"{path} with {query}: {status}, neither 400 nor 422")


def _check_disabled(server: Server, stores: Stores, token: str) -> None:
    """Raise unless the first account is shut out by the very next request once it is disabled, and let in again."""
    for is_disabled, wanted in (("true", 401), ("false", 200)):
        stores.run(server.peer.name, f"UPDATE account SET is_disabled = {is_disabled} WHERE id = 1")
        status = ask(server.base + NOTES, token=token).status
        if status != wanted:
            raise fault(server, f"is_disabled = {is_disabled}: {status}, not {wanted}")


def check_revoked(server: Server, stores: Stores, name: str, password: str) -> None:
    """Raise unless the very next request is refused once Demijohn's session of a token is gone, and of no other."""
    token, other = (_log_in(server, name, password) for _ in range(2))
    stores.run(server.peer.name, f"DELETE FROM demijohn_session WHERE id = '{_claims_of(token)['sid']}'")
    statuses = [ask(server.base + NOTES, token=one).status for one in (token, other)]
    if statuses != [401, 200]:
        raise fault(server, f"a session that is gone, and another one: {statuses}, not 401 and 200")


def _claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _segment(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


# Books: a search in the catalogue, its first page, and one of its books

SEARCH, LIST, BOOK = "/books?q=river&page=1&per_page=20", "/books?page=1&per_page=20", "/books/5000"
BOOKS = (
    SEARCH,
    LIST,
    BOOK,
    "/books",
    "/books?page=500",
    "/books?q=the+river&per_page=100&page=2",
    "/books?q=RIVER%20chlo",
    "/books?q=ez&per_page=1",
    "/books/1",
    "/books/10000",
)
WRONG_BOOKS = ("page=0", "page=one", "per_page=0", "per_page=101", f"q={'q' * 101}")


def check_books(servers: Sequence[Server], unvalidated: Collection[str]) -> None:
    """Raise where a peer answers otherwise than the first, the second time included, or takes what is wrong.

    Those that are `unvalidated` are asked nothing wrong.
    """
    expected: list[Any] = []
    for server in servers:
        found = [parsed(server, path, ask(server.base + path), 200) for path in BOOKS]
        if len(found[0]["books"]) != 20 or found[0]["total"] <= 20:
            raise fault(server, f"the search has found {found[0]['total']} books")
        expected = expected or found
        again = [parsed(server, path, ask(server.base + path), 200) for path in BOOKS]
        for path, wanted, *both in zip(BOOKS, expected, found, again, strict=True):
            if both != [wanted, wanted]:
                raise fault(server, f"{path}: {both}, not {wanted} as {servers[0].peer.name} has it")
        if server.peer.name in unvalidated:
            continue
        for query in WRONG_BOOKS:
            status = ask(f"{server.base}/books?{query}").status
            if status not in (400, 404, 422):
                raise fault(server, f"{query}: {status}, not 4xx")
        status = ask(f"{server.base}/books/10001").status
        if status != 404:
            raise fault(server, f"no such book: {status}, not 404")
