"""What a server itself costs: a bare WSGI function that hands out the bytes it holds, and nothing else.

`ANSWERS` in the environment is a file of JSON: the headers and the body of each answer, by path and query.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Held = dict[str, tuple[list[tuple[str, str]], bytes]]


def held() -> Held:
    """Read the answers."""
    found = json.loads(Path(os.environ["ANSWERS"]).read_text(encoding="utf-8"))
    return {path: (list(map(tuple, headers)), body.encode()) for path, (headers, body) in found.items()}


answers = held()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request."""
    query = environ["QUERY_STRING"]
    headers, body = answers[f"{environ['PATH_INFO']}?{query}" if query else environ["PATH_INFO"]]
    start_response("200 OK", headers)
    return [body]
