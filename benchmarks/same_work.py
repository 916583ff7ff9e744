"""Insist that every peer does the same work before any of them is timed."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from driver import PEOPLE, Answer, BenchmarkError, Server, ask

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
