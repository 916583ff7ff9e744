"""The mixed load of the books comparison: people search, read, borrow and return for a minute, and nothing fails."""

from catalogue import LIBRARIAN, address
from driver import Sample, Server, ask, wrk
from same_work import fault, parsed
from stores import Stores

CALLERS = 40
ON_LOAN = "SELECT count(*) FROM loans WHERE returned_at IS NULL"
LENT = "SELECT sum(lent) FROM books"
LOST = f"SELECT ({LENT}) - ({ON_LOAN})"  # as one query: what wrk has left behind is still being done


def mix(
    server: Server, stores: Stores, store: str, books: int, password: str, seconds: int, connections: int
) -> Sample:
    """Load the Library with what its people do; raise where an answer is an error or a copy is lost."""
    tokens = [_log_in(server, number, password) for number in (LIBRARIAN, *range(1, CALLERS + 1))]
    sample = wrk(server, "/", seconds, connections, "mixed.lua", str(books), *tokens)
    lost = stores.number(store, LOST)
    if lost != 0 or stores.number(store, ON_LOAN) == 0:
        raise fault(server, f"{lost} more copies are lent than loans are open")
    return sample


def _log_in(server: Server, number: int, password: str) -> str:
    given = {"email": address(number), "password": password}
    token: str = parsed(server, "log in", ask(f"{server.base}/users/login", "POST", given), 200)["access_token"]
    return token
