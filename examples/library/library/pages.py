"""The page for people: one HTML file, its style and its modules, as a blueprint beside the API."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

__all__ = ["POLICY", "pages"]

# Nothing inline, nothing from elsewhere, and no text ever becomes markup: `trusted-types 'none'` takes away the means.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {file.name: file for file in Path(__file__).with_name("page").iterdir()}

pages = Blueprint("pages", __name__)


@pages.get("/")
def home() -> AnyResponse:
    """Answer the page. Its addresses are relative, so it has to end in a slash, wherever it is mounted."""
    if request.environ["PATH_INFO"] == "":
        return redirect(f"{request.script_root}/", 308)
    return part("index.html")


@pages.get("/page/<name>")
def part(name: str) -> Response:
    """Answer a file of the page; the browser asks each time whether it has changed."""
    file = FILES.get(name) or abort(404)
    answer = Response(file.read_bytes(), headers=HEADERS, mimetype=TYPES[file.suffix])
    answer.add_etag()
    answer.make_conditional(request)
    return answer
