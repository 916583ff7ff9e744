"""Compare 1,000,000 rows with 10,000, through the running server: reading one, and the first page of lists.

Two servers run at the same time, each on a database of one of the sizes; they are loaded in turn. The median of
the rounds counts. Run it as `python benchmarks/rows.py --help`.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from driver import PEOPLE, BenchmarkError, Peer, Server, ask, serving, wrk, wrk_people
from resources import LIMIT, PEERS, SUBJECTS
from same_work import READS
from stores import DATABASES, open_stores, people

TARGET = 1.3
READ_ONE = "read one, at random"
PAGES = {"first page": READS["list of 20"], "first page, filtered and sorted": READS["filtered and sorted"]}


def rate(server: Server, operation: str, rows: int, seconds: int) -> float:
    """Load one operation; return the requests per second."""
    if operation == READ_ONE:
        sample = wrk_people(server, "read", rows, seconds, 8)
    else:
        sample = wrk(server, PAGES[operation], seconds, 8)
    if sample.errors:
        raise BenchmarkError(f"{operation} of {rows:,} rows: {sample.errors} errors")
    return sample.rate


def measure(
    peer: Peer, database: str, sizes: Sequence[int], options: argparse.Namespace
) -> list[tuple[str, list[float]]]:
    """Return the median rates of each operation, by size."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demijohn-bench-")))
        environments = {}
        for size in sizes:
            below = folder / str(size)
            below.mkdir()
            stores = stack.enter_context(open_stores(database, below, people(size), options.postgresql))
            environments[replace(peer, name=f"{peer.name}-{size}")] = {"DATABASE_URL": stores.new(peer.name)}
        servers = stack.enter_context(serving(environments, folder, PAGES["first page"]))
        for server, size in zip(servers, sizes, strict=True):
            if (
                ask(f"{server.base}{PEOPLE}/{size}").status != 200
                or ask(f"{server.base}{PEOPLE}/{size + 1}").status == 200
            ):
                raise BenchmarkError(f"{server.peer.name} does not hold {size:,} people")
        rates: dict[str, list[list[float]]] = {operation: [[] for _ in sizes] for operation in (READ_ONE, *PAGES)}
        for number in range(options.rounds + 1):
            for operation, by_size in rates.items():
                for server, size, seen in zip(servers, sizes, by_size, strict=True):
                    found = rate(server, operation, size, options.seconds)
                    if number:  # the first round warms up
                        seen.append(found)
        return [(operation, [median(seen) for seen in by_size]) for operation, by_size in rates.items()]


def main() -> int:
    """Measure and print; return 1 if the target is missed or the server misbehaves."""
    parser = argparse.ArgumentParser(description="Compare a large table with a small one.")
    names = {peer.name: peer for peer in PEERS if peer.name in (*SUBJECTS, LIMIT)}
    parser.add_argument("--peer", choices=names, default=SUBJECTS[0], help=f"what is asked ({SUBJECTS[0]})")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES, help="(both)")
    parser.add_argument("--rows", type=int, nargs=2, default=(10_000, 1_000_000), help="the sizes (10000 1000000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    parser.add_argument("--seconds", type=int, default=1, help="seconds of load per operation, size and round (1)")
    parser.add_argument("--postgresql", metavar="URL", help="a server to use, as SQLAlchemy writes it (one of its own)")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install wrk", file=sys.stderr)
        return 1
    few, many = options.rows
    print(f"| database | operation | {few:,} rows: requests/s | {many:,} rows: requests/s | times slower |")
    print("|---|---|--:|--:|--:|")
    worst = 0.0
    for database in options.databases:
        try:
            measured = measure(names[options.peer], database, options.rows, options)
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 1
        for operation, (small, large) in measured:
            worst = max(worst, small / large)
            print(f"| {database} | {operation} | {small:,.0f} | {large:,.0f} | {small / large:.2f} |", flush=True)
    print(f"\ntarget: at most {TARGET} times slower: {'met' if worst <= TARGET else 'missed'}")
    return 0 if worst <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
