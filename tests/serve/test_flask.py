"""It stays Flask: hooks, contexts, blueprints, error handlers, signals and the test client work."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    got_request_exception,
    jsonify,
    make_response,
    request,
    request_finished,
    request_started,
    session,
    template_rendered,
    url_for,
)
from flask.testing import FlaskClient

from demijohn import BindingError, Demijohn, Forbidden, Problem, Settings, StartError

Build = Callable[..., FlaskClient]

ANY = {"200": {"description": "fine", "content": {"application/json": {}}}}


def contract(*paths: str, method: str = "get", **operation: Any) -> dict[str, Any]:
    items = {path: {method: {"operationId": "read", "responses": ANY, **operation}} for path in paths}
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": items}


def test_handlers_run_in_the_request_context(build: Build) -> None:
    def read() -> dict[str, Any]:
        return {"app": current_app.name, "method": request.method, "path": request.path, "arg": request.args["x"]}

    parameter = {"name": "x", "in": "query", "schema": {"type": "string"}}
    client = build(contract("/a", parameters=[parameter]), read=read)
    assert client.get("/a?x=1").json == {"app": "small", "method": "GET", "path": "/a", "arg": "1"}


def test_request_hooks_run_around_an_operation_in_flasks_order(build: Build) -> None:
    app = Flask("small")
    order: list[str] = []
    app.before_request(lambda: order.append("before"))
    app.teardown_request(lambda error: order.append("teardown"))
    app.teardown_appcontext(lambda error: order.append("app teardown"))

    @app.after_request
    def after(response: Response) -> Response:
        order.append("after")
        response.headers["X-After"] = "yes"
        return response

    def read() -> dict[str, Any]:
        order.append("handler")
        return {}

    client = build(contract("/a"), app=app, read=read)
    assert client.get("/a").headers["X-After"] == "yes"
    assert order == ["before", "handler", "after", "teardown", "app teardown"]


def test_before_request_may_answer_instead_of_the_operation(build: Build) -> None:
    app = Flask("small")
    app.before_request(lambda: ("closed", 418))
    client = build(contract("/a"), app=app, read=lambda: pytest.fail("the handler ran"))
    assert client.get("/a").status_code == 418


def test_after_this_request_and_hooks_run_for_refused_requests_too(build: Build) -> None:
    app = Flask("small")
    app.after_request(lambda response: (response.headers.update({"X-After": "yes"}), response)[1])
    client = build(contract("/a"), app=app, read=dict)
    for reply in (client.get("/a?zz=1"), client.post("/a"), client.options("/a"), client.get("/none")):
        assert reply.headers["X-After"] == "yes"


def test_signals_are_sent(build: Build) -> None:
    app = Flask("small")
    seen: list[str] = []
    receivers = [
        lambda sender, name=signal.name, **_: seen.append(name)
        for signal in (request_started, request_finished, got_request_exception, template_rendered)
    ]
    for signal, receiver in zip((request_started, request_finished, got_request_exception), receivers, strict=False):
        signal.connect(receiver, app)
    client = build(contract("/a"), app=app, read=dict)
    client.get("/a")
    assert seen == ["request-started", "request-finished"]


def test_g_and_session_work(build: Build) -> None:
    app = Flask("small")
    app.secret_key = "x" * 32
    app.before_request(lambda: setattr(g, "who", "me"))

    def read() -> dict[str, Any]:
        session["count"] = session.get("count", 0) + 1
        return {"who": g.who, "count": session["count"]}

    client = build(contract("/a"), app=app, read=read)
    assert client.get("/a").json == {"who": "me", "count": 1}
    assert client.get("/a").json == {"who": "me", "count": 2}
    with client:
        client.get("/a")
        assert session["count"] == 3
        assert request.endpoint == "read"


def test_the_endpoint_and_the_rule_of_an_operation_are_known(build: Build) -> None:
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}

    def read(id: str) -> dict[str, Any]:
        assert request.url_rule is not None
        return {"endpoint": request.endpoint, "rule": request.url_rule.rule, "blueprint": request.blueprint}

    client = build(contract("/a/{id}", parameters=[parameter]), base_path="/v1", read=read)
    assert client.get("/v1/a/7").json == {"endpoint": "v1_read", "rule": "/v1/a/<id>", "blueprint": None}


def test_blueprints_and_views_beside_the_contract_are_served(build: Build) -> None:
    app = Flask("small")
    blueprint = Blueprint("plain", "plain", url_prefix="/plain")
    blueprint.add_url_rule("/", "hello", lambda: "hello")
    app.register_blueprint(blueprint)
    client = build(contract("/a"), app=app, read=lambda: {"url": url_for("plain.hello")})
    assert client.get("/plain/").text == "hello"
    assert client.get("/a").json == {"url": "/plain/"}


def test_a_path_outside_the_contract_is_flasks(build: Build) -> None:
    app = Flask("small")
    app.add_url_rule("/v1/extra", "extra", lambda: "extra")
    client = build(contract("/a"), app=app, base_path="/v1", read=dict)
    assert client.get("/v1/extra").text == "extra"
    reply = client.get("/v1/none")
    assert (reply.status_code, reply.content_type) == (404, "application/problem+json")


def test_the_applications_own_error_handlers_win(build: Build) -> None:
    class Teapot(Exception):
        pass

    app = Flask("small")
    app.register_error_handler(Teapot, lambda error: ("short and stout", 418))
    app.register_error_handler(404, lambda error: ("own 404", 404))

    def read() -> Any:
        raise Teapot

    client = build(contract("/a"), app=app, read=read)
    assert client.get("/a").status_code == 418
    assert client.get("/none").text == "own 404"


def test_an_application_may_render_problems_in_its_own_way(build: Build) -> None:
    app = Flask("small")
    app.register_error_handler(Problem, lambda problem: (jsonify(oops=problem.code), problem.status))
    client = build(contract("/a"), app=app, read=dict)
    reply = client.get("/a?zz=1")
    assert (reply.status_code, reply.json) == (400, {"oops": "bad-request"})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 418, 429, 500, 503])
def test_abort_in_a_handler_takes_the_form_of_a_problem(build: Build, status: int) -> None:
    client = build(contract("/a"), read=lambda: abort(status))
    reply = client.get("/a")
    assert reply.status_code == status
    assert reply.content_type == "application/problem+json"
    assert reply.json is not None
    assert reply.json["status"] == status
    assert {"type", "title", "status", "code"} <= set(reply.json)


def test_abort_with_a_response_answers_that_response(build: Build) -> None:
    client = build(contract("/a"), read=lambda: abort(make_response("mine", 403)))
    assert client.get("/a").text == "mine"


def test_a_problem_raised_in_a_handler_is_answered(build: Build) -> None:
    def read() -> Any:
        raise Forbidden("Not on Sundays.", headers={"X-Day": "Sunday"}, extra={"day": "Sunday"})

    reply = build(contract("/a"), read=read).get("/a")
    assert (reply.status_code, reply.headers["X-Day"]) == (403, "Sunday")
    assert reply.json is not None
    assert (reply.json["code"], reply.json["detail"], reply.json["day"]) == ("forbidden", "Not on Sundays.", "Sunday")


def test_an_unexpected_error_is_a_500_with_nothing_but_an_id(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    def read() -> Any:
        raise RuntimeError("secret detail")

    reply = build(contract("/a"), read=read).get("/a")
    assert reply.status_code == 500
    assert reply.json is not None
    assert set(reply.json) == {"type", "title", "status", "code", "id"}
    assert reply.json["id"] == reply.headers["X-Request-ID"]
    assert "secret" not in reply.text
    assert "secret detail" in caplog.text
    assert reply.json["id"] in caplog.text


def test_errors_propagate_in_testing_mode_as_in_flask(build: Build) -> None:
    app = Flask("small")
    app.testing = True

    def read() -> Any:
        raise RuntimeError("boom")

    client = build(contract("/a"), app=app, read=read)
    with pytest.raises(RuntimeError, match="boom"):
        client.get("/a")


def test_an_application_factory_may_add_contracts_before_or_after(tmp_path: Path, build: Build) -> None:
    build(contract("/unused"), read=dict)
    (tmp_path / "a.yaml").write_text(
        "openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths: {/a: {get: {operationId: "
        "read, responses: {'200': {description: ok}}}}}\n"
    )
    api = Demijohn(settings=Settings())
    api.add_contract(tmp_path / "a.yaml", base_path="/one", resolver={"read": lambda: {"n": 1}}.get)
    app = Flask("factory")
    api.init_app(app)
    api.add_contract(tmp_path / "a.yaml", base_path="/two", resolver={"read": lambda: {"n": 2}}.get)
    client = app.test_client()
    assert client.get("/one/a").json == {"n": 1}
    assert client.get("/two/a").json == {"n": 2}
    assert client.get("/one/openapi.json").status_code == client.get("/two/ui/").status_code == 200
    with pytest.raises(BindingError, match="another contract"):
        api.add_contract(tmp_path / "a.yaml", base_path="/two", resolver={"read": dict}.get)
    with pytest.raises(StartError, match="already"):
        api.init_app(app)


def test_middleware_around_the_application_still_works(build: Build) -> None:
    from werkzeug.middleware.proxy_fix import ProxyFix

    client = build(contract("/a"), read=lambda: {"host": request.host, "root": request.script_root})
    app = client.application
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    reply = client.get("/a", headers={"X-Forwarded-Host": "example.org", "X-Forwarded-Prefix": "/mounted"})
    assert reply.json == {"host": "example.org", "root": "/mounted"}


def test_an_application_below_a_prefix_is_routed_below_it(build: Build) -> None:
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.test import Client

    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    client = build(contract("/a/{id}", parameters=[parameter]), read=lambda id: {"id": id, "url": request.path})
    mounted = Client(DispatcherMiddleware(Flask("outer"), {"/mounted": client.application.wsgi_app}))
    assert mounted.get("/mounted/a/x%2Fy").json == {"id": "x/y", "url": "/a/x/y"}


def test_the_garbage_collector_runs_on_after_a_contract_was_added_or_refused(build: Build) -> None:
    build(contract("/a"), read=dict)
    assert gc.isenabled()
    with pytest.raises(BindingError):
        build(contract("/a"))
    assert gc.isenabled()
    gc.disable()
    try:
        build(contract("/a"), read=dict)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_settings_are_read_from_the_flask_configuration(build: Build) -> None:
    app = Flask("small")
    app.config["DEMIJOHN_UNKNOWN_QUERY"] = "ignore"
    api = Demijohn(app)
    assert api.app is app
    assert app.extensions["demijohn"].settings.unknown_query == "ignore"
