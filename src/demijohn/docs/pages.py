"""The contract as written, and Swagger UI over it, as an ordinary Flask blueprint.

All assets come from the flask-swagger-ui package; the page asks no other host for anything and may not: its
Content-Security-Policy forbids it. The page takes no configuration from its address
(`?url=` and `?configUrl=` do nothing).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from hashlib import blake2b
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import yaml
from flask import Blueprint, Response, abort, redirect, request, send_from_directory, url_for

from demijohn.contract import Contract, Source
from demijohn.settings import Settings

__all__ = ["docs_blueprint"]

# Swagger UI sets style attributes on its elements and shows icons from data: URLs; scripts come from here only.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)
_ASSETS = (
    "swagger-ui.css",
    "index.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
    "oauth2-redirect.html",
    "oauth2-redirect.js",
)
_JSON = "application/json"
_YAML = "application/yaml"
_MOST_MOUNTS = 4


def docs_blueprint(
    contract: Contract, base_path: str, settings: Settings, name: str
) -> tuple[Blueprint, frozenset[str]]:
    """Return what serves a contract's documents and its docs page below `base_path`, and the paths it serves."""
    blueprint = Blueprint(name, __name__, url_prefix=base_path or "/", static_folder=None)
    paths: list[str] = []
    if settings.docs_contract:
        for path, (make, media_type) in _documents(contract, base_path).items():
            _serve(blueprint, path, make, media_type)
            paths.append(path)
    if settings.docs_ui and settings.docs_contract:
        _serve_ui(blueprint, contract, base_path)
        paths += ["/ui", "/ui/", "/ui/start.js", *(f"/ui/{asset}" for asset in _ASSETS)]
    return blueprint, frozenset(base_path + path for path in paths)


def _documents(contract: Contract, base_path: str) -> dict[str, tuple[Callable[[str], bytes], str]]:
    """Return what is served: the contract as JSON and as YAML, and the files that it refers to, as written.

    Each is made for the path that the application is mounted at. A form that the contract was not written in is made
    when it is first asked for: 4 MB of JSON take a second to become YAML.
    """
    root = contract.sources[0]
    as_json = (partial(_contract, root, base_path, _JSON), _JSON)
    as_yaml = (partial(_contract, root, base_path, _YAML), _YAML)
    found: dict[str, tuple[Callable[[str], bytes], str]] = {"/openapi.json": as_json, "/openapi.yaml": as_yaml}
    if contract.version.startswith("2."):
        found |= {"/swagger.json": as_json, "/swagger.yaml": as_yaml}
    found.setdefault("/" + root.name, (partial(_contract, root, base_path, root.media_type), root.media_type))
    for source in contract.sources[1:]:
        found.setdefault("/" + source.name, (_as_written(source.raw), source.media_type))
    return found


def _as_written(raw: bytes) -> Callable[[str], bytes]:
    return lambda mount: raw


def _contract(source: Source, base_path: str, media_type: str, mount: str) -> bytes:
    """Return the contract as written, or in another form; below a path that it cannot know, with servers there."""
    if not mount and source.media_type == media_type:
        return source.raw
    value = _mounted(source.value, mount, base_path) if mount else source.value
    return _to_json(value) if media_type == _JSON else _to_yaml(value)


def _mounted(document: dict[str, Any], mount: str, base_path: str) -> dict[str, Any]:
    """Return a contract whose servers are below `mount`, as far as they are paths of this host."""
    if "swagger" in document:
        return document | {"basePath": mount + base_path}
    servers = document.get("servers") or [{"url": base_path or "/"}]
    return document | {"servers": [_below(one, mount) for one in servers]}


def _below(server: dict[str, Any], mount: str) -> dict[str, Any]:
    url = server["url"]
    is_path = url.startswith("/") and not url.startswith("//")
    return server | {"url": (mount + url).rstrip("/")} if is_path else server


def _to_json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def _to_yaml(value: Any) -> bytes:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, allow_unicode=True, sort_keys=False)
    return text.encode()


def _serve(blueprint: Blueprint, path: str, make: Callable[[str], bytes], media_type: str) -> None:
    """Serve bytes that never change while the process runs, wherever it is mounted."""

    @lru_cache(maxsize=_MOST_MOUNTS)
    def finished(mount: str) -> tuple[bytes, str]:
        body = make(mount)
        return body, blake2b(body, digest_size=12).hexdigest()

    def view() -> Response:
        body, tag = finished(request.script_root)
        response = Response(body, content_type=media_type)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(tag)
        response.make_conditional(request)
        return response

    # A unique endpoint; dots would make it look like another blueprint's.
    endpoint = "document_" + "".join(char if char.isalnum() else f"_{ord(char):x}" for char in path)
    blueprint.add_url_rule(path, endpoint, view)


def _serve_ui(blueprint: Blueprint, contract: Contract, base_path: str) -> None:
    folder = _assets_folder()

    def bare() -> Any:
        return redirect(url_for(".ui"), 308)

    def page() -> Response:
        title = escape(contract.title or "API")
        return _page(_HTML.replace("{{title}}", title), "text/html; charset=utf-8")

    def start() -> Response:
        options = {"documentUrl": "../openapi.json", "server": f"{request.script_root}{base_path}" or "/"}
        return _page(_SCRIPT.replace("{{options}}", orjson.dumps(options).decode()), "text/javascript; charset=utf-8")

    def asset(name: str) -> Response:
        if name not in _ASSETS:
            abort(404)
        response = send_from_directory(folder, name, max_age=3600)
        return _protected(response)

    blueprint.add_url_rule("/ui", "ui_bare", bare)
    blueprint.add_url_rule("/ui/", "ui", page)
    blueprint.add_url_rule("/ui/start.js", "ui_start", start)
    blueprint.add_url_rule("/ui/<name>", "ui_asset", asset)


def _assets_folder() -> Path:
    """Return the folder of the packaged assets, without importing the package."""
    spec = find_spec("flask_swagger_ui")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "dist"


def _page(text: str, content_type: str) -> Response:
    response = Response(text, content_type=content_type)
    response.headers["Cache-Control"] = "no-cache"
    return _protected(response)


def _protected(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<link rel="stylesheet" href="swagger-ui.css">
<link rel="stylesheet" href="index.css">
<link rel="icon" type="image/png" href="favicon-32x32.png" sizes="32x32">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript. The contract itself is at <a href="../openapi.json">openapi.json</a>.</noscript>
<script src="swagger-ui-bundle.js"></script>
<script src="swagger-ui-standalone-preset.js"></script>
<script src="start.js"></script>
</body>
</html>
"""

# The document is served as written, with the servers it names; this page talks to the server it came from.
_SCRIPT = """const options = {{options}};
const hereOnly = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (document) => {
          const here = new URL(options.server, location.href);
          const local = { ...document };
          if (local.swagger) {
            local.host = here.host;
            local.basePath = here.pathname;
            local.schemes = [here.protocol.replace(":", "")];
          } else {
            local.servers = [{ url: here.pathname }];
          }
          return update(local);
        },
      },
    },
  },
});
window.ui = SwaggerUIBundle({
  url: new URL(options.documentUrl, location.href).href,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset.slice(1)],
  plugins: [hereOnly],
  layout: "BaseLayout",
  deepLinking: true,
  queryConfigEnabled: false,
  validatorUrl: null,
  oauth2RedirectUrl: new URL("oauth2-redirect.html", location.href).href,
});
"""
