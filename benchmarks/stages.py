"""Measure what each stage of a request costs, in microseconds, in-process and without a server.

The stages are called the way `demijohn.serve` calls them, on an operation that passes all of them: a route,
a guard, two parameters, a JSON body of five fields, a handler that does nothing and a validated response.
Two whole WSGI calls stand beside them: that operation, and a Flask view that checks nothing.
"""

import dataclasses
import gc
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from time import perf_counter_ns
from typing import Any
from unittest.mock import patch

from flask import Flask, Response

from demijohn import Demijohn, Settings
from demijohn.serve import operation
from demijohn.serve.request import Request

CALLS = 1_000
REPEATS = 50
TARGET_US = 60.0
BODY = b'{"name":"A name","email":"ada@example.org","age":36,"tags":["a","b"],"active":true}'
# What Granian hands over for such a request.
ENVIRON = {
    "REQUEST_METHOD": "PUT",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/things/7",
    "QUERY_STRING": "limit=20",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": str(len(BODY)),
    "HTTP_HOST": "127.0.0.1:8000",
    "HTTP_ACCEPT": "*/*",
    "HTTP_USER_AGENT": "benchmark",
    "HTTP_AUTHORIZATION": "Bearer abcdefghijklmnop",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


def check_token(token: str) -> dict[str, Any]:
    """Accept any token."""
    return {"sub": token}


def replace(number: int, limit: int, body: dict[str, Any]) -> dict[str, Any]:
    """Answer the body."""
    return body


def environ_of_call() -> dict[str, Any]:
    """Make a fresh environ, as a server does for each request."""
    return ENVIRON | {"wsgi.input": BytesIO(BODY)}


def cost_us(function: Callable[[], Any]) -> float:
    """Return the microseconds of one call: the least mean of many repeats, because noise only ever adds."""
    best = sys.maxsize
    gc.disable()
    for _ in range(REPEATS):
        begin = perf_counter_ns()
        for _ in range(CALLS):
            function()
        best = min(best, perf_counter_ns() - begin)
        gc.collect(0)
    gc.enable()
    return best / CALLS / 1_000


def demijohn_app() -> Flask:
    """Make the application with the one operation."""
    app = Flask("stages", root_path=str(Path(__file__).parent))
    Demijohn(app, settings=Settings(server_timing="never")).add_contract("stages.yaml")
    return app


def flask_app() -> Flask:
    """Make an application that answers the same bytes from a bare view."""
    app = Flask("bare")

    def view(number: int) -> Response:
        return Response(BODY, content_type="application/json")

    app.add_url_rule("/things/<int:number>", view_func=view, methods=["PUT"])
    return app


def call(app: Flask) -> tuple[str, bytes]:
    """Make one whole WSGI call; return the status and the body."""
    seen: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> Any:
        seen.append(status)

    chunks = app.wsgi_app(environ_of_call(), start)
    body = b"".join(chunks)
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    return seen[0], body


def stages(app: Flask) -> tuple[dict[str, float], float]:
    """Measure each stage of `demijohn.serve.operation.run`, and all of them with what comes before it.

    One real request is watched for what each stage is given; then each is called with that again.
    """
    with (
        patch.object(app.extensions["demijohn"].dispatcher, "run", wraps=operation.run) as run,
        patch.object(operation, "admit", wraps=operation.admit) as admit,
        patch.object(operation, "decode", wraps=operation.decode) as decode,
        patch.object(operation, "encode", wraps=operation.encode) as encode,
    ):
        call(app)
    routes = app.extensions["demijohn"].dispatcher.routes
    admit_args, encode_args, run_args = admit.call_args.args, encode.call_args.args, run.call_args.args
    plan, *decode_args = decode.call_args.args
    with_parameters, with_body = dataclasses.replace(plan, body=None), dataclasses.replace(plan, parameters=None)
    environ = environ_of_call()
    with app.request_context(environ):
        arguments = operation.decode(plan, *decode_args)
        path = Request(environ).path
        costs = {
            "read the environ": cost_us(lambda: Request(environ)),
            "route": cost_us(lambda: routes.match(path)),
            "guard": cost_us(lambda: operation.admit(*admit_args)),
            "decode and validate two parameters": cost_us(lambda: operation.decode(with_parameters, *decode_args)),
            "decode and validate a body of five fields": cost_us(lambda: operation.decode(with_body, *decode_args)),
            "bind and call the handler": cost_us(lambda: plan.action.run(arguments)),
            "validate and encode the answer, reply": cost_us(lambda: operation.encode(*encode_args)),
        }
        inside = cost_us(lambda: operation.run(*run_args))
    return costs, costs["read the environ"] + costs["route"] + inside


def main() -> int:
    """Measure and print; return 1 if the target is missed."""
    sys.modules.setdefault("stages", sys.modules[__name__])
    app, bare = demijohn_app(), flask_app()
    for one in (app, bare):
        if call(one) != ("200 OK", BODY):
            sys.exit(f"{one.name} does not work: {call(one)}")
    found, total = stages(app)
    print("| stage | µs |\n|---|--:|")
    for name, cost in found.items():
        print(f"| {name} | {cost:.1f} |")
    print(f"| **all of them, in one go** | **{total:.1f}** |")
    print(f"| whole WSGI call | {cost_us(lambda: call(app)):.1f} |")
    print(f"| the same bytes from a bare Flask view | {cost_us(lambda: call(bare)):.1f} |")
    print(f"\ntarget: all stages under {TARGET_US:.0f} µs: {'met' if total < TARGET_US else 'missed'}")
    return 0 if total < TARGET_US else 1


if __name__ == "__main__":
    sys.exit(main())
