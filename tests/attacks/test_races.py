"""Attack cases G5, G7 and G8: many clients at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from target import Reply, Target

CLIENTS = 50


def race(ask: Callable[[int], Reply], clients: int = CLIENTS) -> list[Reply]:
    """Let clients ask at the same moment."""
    start = threading.Barrier(clients)
    replies: list[Reply] = []
    failed: list[BaseException] = []

    def call(client: int) -> None:
        try:
            start.wait(timeout=30)
            replies.append(ask(client))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=call, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failed, failed[0]
    return replies


def statuses(replies: list[Reply]) -> Counter[int]:
    return Counter(reply.status for reply in replies)


# G5


def test_g5_of_many_with_the_same_address_one_is_made(target: Target) -> None:
    replies = race(
        lambda client: target.ask("POST", "/api/people", {"name": f"g5 {client}", "email": "g5@example.org"})
    )
    assert statuses(replies) == {201: 1, 409: CLIENTS - 1}
    assert len(target.ask("GET", "/api/people?email=g5@example.org").json) == 1
    assert all(reply.json["errors"][0]["pointer"] == "#/email" for reply in replies if reply.status == 409)


@pytest.mark.parametrize(
    "variants",
    [["case@example.org", "Case@example.org", "CASE@EXAMPLE.ORG"], ["e\u0301@example.org", "\u00e9@example.org"]],
)
def test_g5_variants_of_an_address_are_the_same_or_refused(target: Target, variants: list[str]) -> None:
    replies = race(
        lambda client: target.ask("POST", "/api/people", {"name": "v", "email": variants[client % len(variants)]})
    )
    counted = statuses(replies)
    assert counted[201] <= 1
    assert counted[201] + counted[400] + counted[409] == CLIENTS
    assert len(target.ask("GET", "/api/people?name__icontains=v&q=example.org").json) <= 1 + 1
    for person in target.ask("GET", "/api/people?limit=100").json:
        if person["name"] == "v":
            target.ask("DELETE", f"/api/people/{person['id']}")


# G7


def test_g7_no_update_is_lost(target: Target) -> None:
    made = target.ask("POST", "/api/people", {"name": "version 1", "email": "g7@example.org"})
    path, version = made.headers["location"], 1
    for _ in range(4):
        tag = target.ask("GET", path).headers["etag"]
        wanted = {"name": f"version {version + 1}"}
        replies = race(lambda _, tag=tag, wanted=wanted: target.ask("PATCH", path, wanted, If_Match=tag))  # type: ignore[misc]  # they are bound for this round
        assert statuses(replies) == {200: 1, 412: CLIENTS - 1}
        version += 1
    assert target.ask("GET", path).json["name"] == f"version {version}"


def test_g7_counting_by_if_match_counts_every_success(target: Target) -> None:
    made = target.ask("POST", "/api/people", {"name": "0", "email": "count@example.org"})
    path = made.headers["location"]

    def count(_: int) -> Reply:
        seen = target.ask("GET", path)
        return target.ask("PATCH", path, {"name": str(int(seen.json["name"]) + 1)}, If_Match=seen.headers["etag"])

    replies = race(count)
    assert set(statuses(replies)) <= {200, 412}
    assert int(target.ask("GET", path).json["name"]) == statuses(replies)[200] >= 1


# G8


def test_g8_the_same_key_makes_one(target: Target) -> None:
    body = {"name": "g8", "email": "g8@example.org"}
    replies = race(lambda _: target.ask("POST", "/api/people", body, Idempotency_Key="g8-g8-g8-g8"))
    assert set(statuses(replies)) <= {201, 409}
    good = [reply for reply in replies if reply.status == 201]
    assert good
    assert len({(reply.body, reply.headers["location"]) for reply in good}) == 1
    assert len(target.ask("GET", "/api/people?email=g8@example.org").json) == 1
    again = target.ask("POST", "/api/people", body, Idempotency_Key="g8-g8-g8-g8")
    assert (again.status, again.body) == (201, good[0].body)


def test_g8_the_same_key_with_another_body_is_refused(target: Target) -> None:
    def ask(client: int) -> Reply:
        body = {"name": f"other {client}", "email": f"other{client}@example.org"}
        return target.ask("POST", "/api/people", body, Idempotency_Key="g8-other-other")

    replies = race(ask)
    assert statuses(replies)[201] == 1
    assert set(statuses(replies)) <= {201, 409, 422}
    assert len(target.ask("GET", "/api/people?limit=100&q=other").json) == 1
