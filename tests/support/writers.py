"""A process that writes: several clients, each in a thread of its own, insert rows as fast as they can.

    python tests/support/writers.py URL NAME CLIENTS SECONDS [acknowledge]

Each row is (NAME, client, number), and the numbers of a client have no gaps. With `acknowledge` a line `client number`
is on standard output once a row is committed, so that whoever kills the process knows what has to be there. The last
line is JSON: how many rows, the longest and the median wait in milliseconds, and what errors there were.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from collections import Counter

from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert

from demijohn.errors import Unavailable
from demijohn.resources.database import Database, Transaction, open_database
from demijohn.resources.statement import Statement, compile_statement
from demijohn.settings import Settings

metadata = MetaData()
written = Table(
    "written",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("client", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("text", String(200)),
)


def insertion(database: Database) -> Statement:
    """Return the statement that writes one row."""
    values = {column.name: bindparam(column.name, type_=column.type) for column in written.columns}
    return compile_statement(insert(written).values(values), database.dialect.sql)


def write_on(
    database: Database, name: str, client: int, until: float, acknowledge: bool
) -> tuple[list[float], Counter[str]]:
    """Insert rows until a time of `time.monotonic`; return how long each took, in seconds, and the errors."""
    statement = insertion(database)
    waits: list[float] = []
    errors = Counter[str]()
    number = 0
    while time.monotonic() < until:
        values = {"name": name, "client": client, "number": number, "text": "x" * 100}

        def work(transaction: Transaction, values: dict[str, object] = values) -> None:
            transaction.run(statement, values)

        started = time.perf_counter()
        try:
            database.write(work)
        except Unavailable as error:
            errors[f"Unavailable: {error.detail}"] += 1
            time.sleep(0.02)
            continue
        except Exception as error:
            errors[f"{type(error).__name__}: {error}"] += 1
            return waits, errors
        waits.append(time.perf_counter() - started)
        if acknowledge:
            os.write(1, f"{client} {number}\n".encode())
        number += 1
    return waits, errors


def main(url: str, name: str, clients: int, seconds: float, acknowledge: bool) -> None:
    """Run all clients and print the last line."""
    database = open_database(url, Settings())
    until = time.monotonic() + seconds
    results: list[tuple[list[float], Counter[str]]] = []
    threads = [
        threading.Thread(
            target=lambda client=client: results.append(write_on(database, name, client, until, acknowledge))
        )
        for client in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waits = [wait for some, _ in results for wait in some]
    errors = sum((counted for _, counted in results), Counter[str]())
    summary = {
        "name": name,
        "rows": len(waits),
        "rows_by_client": sorted(len(some) for some, _ in results),
        "worst_ms": round(max(waits, default=0) * 1000, 1),
        "median_ms": round(statistics.median(waits or [0]) * 1000, 2),
        "errors": dict(errors),
    }
    os.write(1, (json.dumps(summary) + "\n").encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), "acknowledge" in sys.argv[5:])
