"""The WSGI callable in front of Flask: one routing decision, and Flask around what it decided."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import getrandbits
from typing import Any, Final, TypeAlias

from flask import (
    Flask,
    Response,
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    current_app,
    request_finished,
    request_started,
    request_tearing_down,
)
from flask import request as flask_request
from flask.ctx import RequestContext
from flask.globals import request_ctx
from flask.sessions import NullSession
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed
from werkzeug.routing import Rule

from demijohn.compile.answers import Answer
from demijohn.compile.cors import Cors
from demijohn.compile.plan import Plan
from demijohn.compile.routes import Match, Resource, Routes
from demijohn.errors import BadRequest, Problem
from demijohn.serve.entrance import Entrance
from demijohn.serve.operation import run
from demijohn.serve.protection import SECURITY_HEADERS, protect, share
from demijohn.serve.reply import Reply, problem_of, reply_problem, send_problem
from demijohn.serve.request import Request

__all__ = ["DECISION", "REQUEST_ID", "Decision", "Dispatcher"]

DECISION: Final = "demijohn.decision"
"""Where the environ of a request has its `Decision`, once there is one."""
REQUEST_ID: Final = "demijohn.request_id"
_PREFLIGHT = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"
_OPTIONS = "demijohn_options"
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch

StartResponse = Callable[..., Any]
Wsgi: TypeAlias = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


@dataclass(slots=True)
class Decision:
    """Hold what routing decided about a request, for Flask to find in the environ.

    `plan` is None where the resource has none for the method. `outcome` gives the result, or raises what
    ended the request, once the operation ran.
    """

    match: Match
    plan: Plan | None
    request: Request
    outcome: Callable[[], Response] | None = None


@dataclass(frozen=True, slots=True)
class _Area:
    """Hold the paths below a contract's base path that are shared with other origins."""

    base_path: str
    documents: frozenset[str]
    cors: Cors

    def covers(self, path: str) -> bool:
        return path == self.base_path or path.startswith(self.base_path + "/")


class Dispatcher:
    """Route each request once: to an operation inside Flask's life cycle, or to Flask as it is.

    `inner` is the `wsgi_app` that was there before. `run` is what runs an operation; `is_watched` tells that somebody
    in front wants to know which. `probes` answers the paths that tell how the process is, where neither a contract nor
    Flask has them.
    """

    def __init__(self, app: Flask, max_body_bytes: int, entrance: Entrance, hsts: str = "") -> None:
        self.app = app
        self.inner = app.wsgi_app
        self.max_body_bytes = max_body_bytes
        self.entrance = entrance
        self.hsts = hsts
        self.run = run
        self.is_watched = False
        self.probes: Mapping[str, Wsgi] = {}
        self.routes = Routes(())
        self._areas: tuple[_Area, ...] = ()
        self._rules: dict[str, Rule] = {_OPTIONS: Rule("/", endpoint=_OPTIONS)}
        self._full_dispatch = app.full_dispatch_request
        self._has_no_hooks: bool | None = None
        self._has_no_teardown: bool | None = None
        self._is_plain_flask = all(getattr(type(app), name) is getattr(Flask, name) for name in _FINISHING)
        app.wsgi_app = self  # type: ignore[method-assign]  # the documented way to wrap an application
        app.request_context = self._context  # type: ignore[method-assign]  # adds the decision to Flask's own
        app.full_dispatch_request = self._dispatch  # type: ignore[method-assign]  # leaves out what nobody asked for
        app.view_functions[_OPTIONS] = _answer_options
        _answer_errors_as_problems(app)
        if type(app).log_exception is Flask.log_exception:
            app.log_exception = _log_exception  # type: ignore[method-assign]  # one line, whatever the path holds

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: by its operation alone where nothing of Flask has a part in it, else through Flask."""
        environ[REQUEST_ID] = _request_id(environ)
        refusal = self.entrance.refuse(environ)
        if refusal is not None:
            request = Request(environ)
            start = self._finish(request, start_response, None)
            probe = self._probe(request.path)
            if probe is not None:  # who looks after the process may not know a name of its host
                return probe(environ, start)
            return send_problem(refusal, environ["REQUEST_METHOD"] == "HEAD", start)
        request = Request(environ)
        match = self.routes.match(request.path)
        if match is None:
            return self._serve_other(environ, request, start_response)
        resource = match.resource
        cors = resource.cors
        if cors is not None and request.method == "OPTIONS" and _PREFLIGHT in environ:
            return _answer_preflight(resource, environ, self._finish(request, start_response, cors))
        plan = resource.plans.get(request.method) or (resource.plans.get("GET") if request.method == "HEAD" else None)
        decision = Decision(match, plan, request)
        if self.is_watched:
            environ[DECISION] = decision
        if plan is not None and plan.stands_alone and self._is_alone(environ):
            try:
                answer = self.run(plan, match, request, self.max_body_bytes)
            except Exception as error:  # every one goes Flask's way, from the view
                decision.outcome = _raiser(error)
            else:
                assert isinstance(answer, Answer)  # no function of the application made a response
                return Reply(answer, request.method == "HEAD").send(start_response, *self._added(answer, request, cors))
        elif plan is not None and plan.cache is not None and plan.cache.policy.is_function:
            request.begun = plan.cache.begin()
        environ[DECISION] = decision
        return self.inner(environ, self._finish(request, start_response, cors))

    def _added(self, answer: Answer, request: Request, cors: Cors | None) -> list[tuple[str, str]]:
        """Return what an answer that stands alone needs beside its own headers.

        It has the security headers, and `Vary` where other origins may read it: no function has had a part in it.
        """
        environ = request.environ
        added = [("X-Request-ID", environ[REQUEST_ID]), *request.added]
        if cors is not None:
            added += cors.headers(environ.get("HTTP_ORIGIN"))
        if self.hsts and environ["wsgi.url_scheme"] == "https" and answer.status != 304:
            added.append(("Strict-Transport-Security", self.hsts))
        return added

    def _serve_other(self, environ: dict[str, Any], request: Request, start_response: StartResponse) -> Iterable[bytes]:
        """Let Flask answer what belongs to no operation.

        The documents of a contract are shared as its operations are, and so is the news that something is not there.
        """
        probe = self._probe(request.path)
        if probe is not None:
            return probe(environ, self._finish(request, start_response, None))
        area = next((area for area in self._areas if area.covers(request.path)), None)
        cors = area.cors if area is not None and request.path in area.documents else None
        start = self._finish(request, start_response, cors, None if area is None else area.cors)
        if not request.method.isupper():
            # Werkzeug would take `get` for GET, but methods have a case (RFC 9110, 9.1).
            return send_problem(BadRequest("Methods are written in upper case."), False, start)
        return self.inner(environ, start)

    def _probe(self, path: str) -> Wsgi | None:
        """Return what tells at `path` how the process is, unless a contract or a view has that path for itself."""
        probe = self.probes.get(path)
        if probe is None or self.routes.match(path) is not None:
            return None
        return None if any(rule.rule == path for rule in self.app.url_map.iter_rules()) else probe

    def _finish(
        self,
        request: Request,
        start_response: StartResponse,
        cors: Cors | None,
        cors_if_missing: Cors | None = None,
    ) -> StartResponse:
        """Return a `start_response` that adds what an answer needs beside its own headers."""
        environ = request.environ

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            headers += (("X-Request-ID", environ[REQUEST_ID]), *request.added)
            if not status.startswith("304"):  # what it does not say stays as it was (RFC 9111, 3.2)
                protect(headers, self.hsts if environ["wsgi.url_scheme"] == "https" else "")
            policy = cors_if_missing if cors is None and status.startswith("404") else cors
            if policy is not None:
                share(headers, policy, environ.get("HTTP_ORIGIN"))
            return start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)

        return start

    def add(self, resources: Iterable[Resource], reserved: Iterable[str], base_path: str) -> None:
        """Serve more resources below `base_path`, beside those that are served already.

        `reserved` are the paths of the contract's documents, which Flask answers.
        """
        new, documents = tuple(resources), frozenset(reserved)
        self.routes = Routes((*self.routes.resources, *new), (*self.routes.reserved, *documents))
        cors = next((resource.cors for resource in new if resource.cors is not None), None)
        if cors is not None:
            areas = (*self._areas, _Area(base_path, documents, cors))
            self._areas = tuple(sorted(areas, key=lambda area: -len(area.base_path)))
        for resource in new:
            for plan in resource.plans.values():
                self._rules[plan.endpoint] = Rule(_flask_rule(plan.path), endpoint=plan.endpoint)
                self.app.view_functions[plan.endpoint] = self._view

    def _context(self, environ: dict[str, Any]) -> RequestContext:
        if DECISION in environ:
            return _OperationContext(self.app, environ, self._rules)
        return RequestContext(self.app, environ)

    def _dispatch(self) -> Any:
        """Stand in for Flask's `full_dispatch_request`, inside its contexts.

        Where nobody listens (no hook, no signal receiver, no session in use) a good answer goes out as it is;
        to make a Flask response of it and pass that around would cost as much again as the operation.
        Everything else, errors included, takes Flask's own way.
        """
        context = request_ctx._get_current_object()  # type: ignore[attr-defined]  # the proxy's own method
        decision: Decision | None = context.request.environ.get(DECISION)
        if decision is None or decision.plan is None or decision.outcome is not None or not self._nobody_listens():
            return self._full_dispatch()
        try:
            result = self._run(decision)
        except Exception as error:  # every one goes Flask's way, from the view
            decision.outcome = _raiser(error)
            return self._full_dispatch()
        if isinstance(result, Reply) and not context._after_request_functions and not _uses_session(context):
            return result
        decision.outcome = result.response if isinstance(result, Reply) else lambda: result
        return self._full_dispatch()

    def _nobody_listens(self) -> bool:
        """Tell whether a good answer may go out without a Flask response."""
        if request_started.receivers or request_finished.receivers:
            return False
        return self._has_no_hooks if self._has_no_hooks is not None else self._look_for_hooks()[0]

    def _is_alone(self, environ: dict[str, Any]) -> bool:
        """Tell whether Flask's contexts would be there for nobody: no hook, no teardown, no signal receiver."""
        for signal in _SIGNALS:
            if signal.receivers:
                return False
        if _PRESERVE in environ:
            return False
        return self._has_no_teardown if self._has_no_teardown is not None else self._look_for_hooks()[1]

    def _look_for_hooks(self) -> tuple[bool, bool]:
        """Tell whether nobody listens, and nothing is torn down; for good once Flask takes no more functions."""
        app = self.app
        hooks = (app.before_request_funcs, app.after_request_funcs, app.url_value_preprocessors)
        no_hooks = self._is_plain_flask and not any(one.get(None) for one in hooks)
        no_teardown = no_hooks and not app.teardown_request_funcs.get(None) and not app.teardown_appcontext_funcs
        if app._got_first_request:
            self._has_no_hooks, self._has_no_teardown = no_hooks, no_teardown
        app._got_first_request = True
        return no_hooks, no_teardown

    def _run(self, decision: Decision) -> Reply | Response:
        assert decision.plan is not None
        result = self.run(decision.plan, decision.match, decision.request, self.max_body_bytes)
        return Reply(result, decision.request.method == "HEAD") if isinstance(result, Answer) else result

    def _view(self) -> Response:
        """Be the view function of every operation: run it, unless it ran already."""
        decision: Decision = flask_request.environ[DECISION]
        if decision.outcome is not None:
            return decision.outcome()
        result = self._run(decision)
        return result.response() if isinstance(result, Reply) else result


def _answer_preflight(resource: Resource, environ: Mapping[str, Any], start: StartResponse) -> Iterable[bytes]:
    """Tell a browser what a page of another origin may send, and one that may nothing, nothing.

    No function of the application takes part, and nobody is asked who is calling: a preflight has no credentials
    (https://fetch.spec.whatwg.org/#cors-preflight-fetch).
    """
    assert resource.cors is not None
    headers = [*SECURITY_HEADERS, ("Allow", resource.allow)]
    if resource.cors.headers(environ.get("HTTP_ORIGIN")):
        headers += resource.preflight
    start("204 No Content", headers)
    return []


_SIGNALS = (
    appcontext_pushed,
    appcontext_popped,
    appcontext_tearing_down,
    request_started,
    request_finished,
    request_tearing_down,
)
# Set by Flask's test client where a test looks at the context after the request.
_PRESERVE = "werkzeug.debug.preserve_context"

# A subclass of Flask that changes one of these is to see every response.
_FINISHING = (
    "dispatch_request",
    "do_teardown_appcontext",
    "do_teardown_request",
    "finalize_request",
    "full_dispatch_request",
    "make_response",
    "preprocess_request",
    "process_response",
    "response_class",
)


def _raiser(error: Exception) -> Callable[[], Response]:
    def outcome() -> Response:
        raise error

    return outcome


def _uses_session(context: RequestContext) -> bool:
    """Tell whether a session may have to be saved, or `Vary: Cookie` be set."""
    session = context._session
    return not isinstance(session, NullSession) and bool(getattr(session, "accessed", True))


class _OperationContext(RequestContext):
    """Be Flask's request context for a request that is routed already."""

    def __init__(self, app: Flask, environ: dict[str, Any], rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        super().__init__(app, environ)

    def match_request(self) -> None:
        """Put the decision where Flask keeps its own."""
        decision: Decision = self.request.environ[DECISION]
        if decision.plan is None and decision.request.method != "OPTIONS":
            self.request.routing_exception = _method_not_allowed(decision.match.resource)
            return
        self.request.url_rule = self._rules[_OPTIONS if decision.plan is None else decision.plan.endpoint]
        self.request.view_args = {}


def _method_not_allowed(resource: Resource) -> MethodNotAllowed:
    methods = resource.allow.split(", ")
    return MethodNotAllowed(methods, f"Allowed here: {resource.allow}.")


def _answer_options() -> Response:
    decision: Decision = flask_request.environ[DECISION]
    response = Response(status=204, headers=[*SECURITY_HEADERS, ("Allow", decision.match.resource.allow)])
    del response.headers["Content-Type"]
    return response


def _answer_errors_as_problems(app: Flask) -> None:
    """Let every error take the form of a problem, unless the application answers it in its own way."""
    if not app.error_handler_spec[None][None].get(Problem):
        app.register_error_handler(Problem, _on_problem)
    if not app.error_handler_spec[None][None].get(HTTPException):
        app.register_error_handler(HTTPException, _on_http_exception)


def _on_problem(problem: Problem) -> Response:
    return reply_problem(problem, flask_request.environ.get(REQUEST_ID))


def _on_http_exception(error: HTTPException) -> Any:
    request_id = flask_request.environ.get(REQUEST_ID)
    if isinstance(error, InternalServerError):
        current_app.logger.error("request %s failed; the traceback is logged beside this line", request_id)
    problem = problem_of(error)
    return reply_problem(problem, request_id) if isinstance(problem, Problem) else problem


def _log_exception(exc_info: Any) -> None:
    """Log what ended a request as Flask does, with its id; no client can begin another line of the log."""
    path, method = _printable(flask_request.path), _printable(flask_request.method)
    request_id = flask_request.environ.get(REQUEST_ID)
    current_app.logger.error("Exception on %s [%s], request %s", path, method, request_id, exc_info=exc_info)


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _request_id(environ: Mapping[str, Any]) -> str:
    """Return the caller's `X-Request-ID` where it is harmless in a log, else a new one."""
    sent = environ.get("HTTP_X_REQUEST_ID")
    return sent if sent and _SAFE_ID(sent) else f"{getrandbits(96):024x}"


def _flask_rule(path: str) -> str:
    """Return a path template the way Flask writes rules: `/people/<lname>`, for `request.url_rule`."""
    return path.replace("{", "<").replace("}", ">") or "/"
