"""A process that logs in, as wrongly as may be, from many addresses at once.

    python tests/support/login_rush.py PORT CLIENTS

Each client has an address and an account of its own. After a 503 it comes again when it was told to, a few times. The
first line on standard output says that all are ready; they begin when a line comes in, and say in a line of JSON how
many answers of each status there were; then all are ready again.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter

TRIES = 3
BODY = '{"email":"rush%d@example.org","password":"eight lives of a dog"}'


async def attempt(port: int, client: int) -> tuple[int, int]:
    """Try once; return the status, and after how many seconds to come again."""
    source = f"127.2.{client // 250}.{client % 250 + 1}"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    body = (BODY % client).encode()
    head = f"POST /auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    again = re.search(rb"\r\nretry-after: (\d+)\r\n", answer.lower())
    return int(answer.split(b" ", 2)[1]), int(again[1]) if again else 0


async def insist(port: int, client: int, statuses: Counter[int]) -> None:
    """Try until the password was looked at, or it is enough."""
    for _ in range(TRIES):
        status, again_s = await attempt(port, client)
        statuses[status] += 1
        if status != 503:
            return
        await asyncio.sleep(again_s)


async def main(port: int, clients: int) -> None:
    """Run all clients whenever a line comes in, until there are no more."""
    while True:
        statuses = Counter[int]()
        _tell("ready")
        if not await asyncio.to_thread(sys.stdin.readline):
            return
        await asyncio.gather(*(insist(port, client, statuses) for client in range(clients)))
        _tell(json.dumps(statuses))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
