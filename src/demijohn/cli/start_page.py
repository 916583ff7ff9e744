"""The start page of `demijohn demo`: one HTML page that asks nobody for anything."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, render_template, request

from demijohn.cli.examples import Example

__all__ = ["Shown", "start_page"]

_FOLDER = Path(__file__).with_name("templates") / "demo"
_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shown:
    """Be an example on the page; `base_path` is that of its contract, None where the example is not installed."""

    example: Example
    base_path: str | None


def start_page(examples: list[Shown]) -> Flask:
    """Return an application that has nothing but the page."""
    app = Flask(__name__, template_folder=str(_FOLDER), static_folder=None)
    policy = _policy((_FOLDER / "start.html").read_text(encoding="utf-8"))

    @app.get("/")
    def start() -> Response:
        text = render_template("start.html", examples=examples, origin=request.host_url.rstrip("/"))
        response = Response(text, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-cache"
        return response

    return app


def _policy(page: str) -> str:
    """Return a policy that allows the style and the script that are in the page, and nothing else."""
    hashes: dict[str, str] = {}
    for kind, content in _INLINE.findall(page):
        hashes[kind] = f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
    return (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
