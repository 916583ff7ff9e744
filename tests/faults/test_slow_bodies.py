"""More clients than there are threads trickle their bodies: who reads is answered, who writes is told to come again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from borrowers import borrowing
from library_server import LibraryServer, wait_until

from demijohn.cli.server import THREADS

CLIENTS = 3 * THREADS
BYTE_EVERY_S = 0.2
LONGEST_S = 5.0
HEAD = b"POST /users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


@contextmanager
def trickling(port: int) -> Iterator[list[bytes]]:
    """Let clients send a byte now and then; yield what those of them were answered that were."""
    is_over = threading.Event()
    answers: list[bytes] = []

    def trickle() -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as connection, suppress(ConnectionError):
            connection.sendall(HEAD)
            connection.settimeout(BYTE_EVERY_S)
            while not is_over.is_set():
                connection.sendall(b" ")
                with suppress(TimeoutError):
                    answers.append(connection.recv(4096))
                    return

    threads = [threading.Thread(target=trickle) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        is_over.set()
        for thread in threads:
            thread.join(30)


def test_reads_are_answered_and_writes_refused_until_they_are_gone(
    library: Callable[..., LibraryServer], tmp_path: Path
) -> None:
    running = library("sqlite", f"sqlite:///{tmp_path}/library.db", workers=1)
    with borrowing(running, running.start(), members=4) as members:
        members.wait_for_more(50)
        with trickling(running.port) as answers:
            # All but one of the threads wait for some of them; the others have no place.
            wait_until(lambda: len(answers) == CLIENTS - (THREADS - 1), "they hold more threads")
            assert all(b" 503 " in answer and b"retry-after: 1\r\n" in answer.lower() for answer in answers)
            members.are_refused(20)
            members.wait_for_more(100)
        members.are_served_again()
    assert not [request for request in members.refused if request.startswith("GET")]
    assert members.lost == []
    assert members.slowest_s < LONGEST_S
    members.check()
    assert running.running.stop() == 0
    assert "Traceback" not in running.running.told()
