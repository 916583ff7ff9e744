"""The WSGI callable in front of Flask: one routing decision, and Flask around what it decided."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import getrandbits
from typing import Any

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
from demijohn.compile.plan import Plan
from demijohn.compile.routes import Match, Resource, Routes
from demijohn.errors import Problem
from demijohn.serve.operation import run
from demijohn.serve.reply import SECURITY_HEADERS, Reply, problem_of, reply_problem
from demijohn.serve.request import Request

__all__ = ["Dispatcher"]

_DECISION = "demijohn.decision"
_REQUEST_ID = "demijohn.request_id"
_OPTIONS = "demijohn_options"
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch

StartResponse = Callable[..., Any]


@dataclass(slots=True)
class _Decision:
    """Hold what routing decided about a request, for Flask to find in the environ.

    `plan` is None where the resource has none for the method. `outcome` gives the result, or raises what
    ended the request, once the operation ran.
    """

    match: Match
    plan: Plan | None
    request: Request
    outcome: Callable[[], Response] | None = None


class Dispatcher:
    """Route each request once: to an operation inside Flask's life cycle, or to Flask as it is.

    `inner` is the `wsgi_app` that was there before.
    """

    def __init__(self, app: Flask, max_body_bytes: int) -> None:
        self.app = app
        self.inner = app.wsgi_app
        self.max_body_bytes = max_body_bytes
        self.routes = Routes(())
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

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: by its operation alone where nothing of Flask has a part in it, else through Flask."""
        request_id = environ[_REQUEST_ID] = _request_id(environ)
        request = Request(environ)
        match = self.routes.match(request.path)
        if match is not None:
            plans = match.resource.plans
            plan = plans.get(request.method) or (plans.get("GET") if request.method == "HEAD" else None)
            decision = environ[_DECISION] = _Decision(match, plan, request)
            if plan is not None and plan.stands_alone and self._is_alone(environ):
                try:
                    answer = run(plan, match, request, self.max_body_bytes)
                except Exception as error:  # every one goes Flask's way, from the view
                    decision.outcome = _raiser(error)
                else:
                    assert isinstance(answer, Answer)  # no function of the application made a response
                    reply = Reply(answer, request.method == "HEAD")
                    return reply.send(start_response, ("X-Request-ID", request_id), *request.added)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            headers += (("X-Request-ID", request_id), *request.added)
            return start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)

        return self.inner(environ, start)

    def add(self, resources: Iterable[Resource], reserved: Iterable[str]) -> None:
        """Serve more resources, beside those that are served already; leave `reserved` paths to Flask."""
        new = tuple(resources)
        self.routes = Routes((*self.routes.resources, *new), (*self.routes.reserved, *reserved))
        for resource in new:
            for plan in resource.plans.values():
                self._rules[plan.endpoint] = Rule(_flask_rule(plan.path), endpoint=plan.endpoint)
                self.app.view_functions[plan.endpoint] = self._view

    def _context(self, environ: dict[str, Any]) -> RequestContext:
        if _DECISION in environ:
            return _OperationContext(self.app, environ, self._rules)
        return RequestContext(self.app, environ)

    def _dispatch(self) -> Any:
        """Stand in for Flask's `full_dispatch_request`, inside its contexts.

        Where nobody listens (no hook, no signal receiver, no session in use) a good answer goes out as it is;
        to make a Flask response of it and pass that around would cost as much again as the operation.
        Everything else, errors included, takes Flask's own way.
        """
        context = request_ctx._get_current_object()  # type: ignore[attr-defined]  # the proxy's own method
        decision: _Decision | None = context.request.environ.get(_DECISION)
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

    def _run(self, decision: _Decision) -> Reply | Response:
        assert decision.plan is not None
        result = run(decision.plan, decision.match, decision.request, self.max_body_bytes)
        return Reply(result, decision.request.method == "HEAD") if isinstance(result, Answer) else result

    def _view(self) -> Response:
        """Be the view function of every operation: run it, unless it ran already."""
        decision: _Decision = flask_request.environ[_DECISION]
        if decision.outcome is not None:
            return decision.outcome()
        result = self._run(decision)
        return result.response() if isinstance(result, Reply) else result


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
        decision: _Decision = self.request.environ[_DECISION]
        if decision.plan is None and decision.request.method != "OPTIONS":
            self.request.routing_exception = _method_not_allowed(decision.match.resource)
            return
        self.request.url_rule = self._rules[_OPTIONS if decision.plan is None else decision.plan.endpoint]
        self.request.view_args = {}


def _method_not_allowed(resource: Resource) -> MethodNotAllowed:
    methods = resource.allow.split(", ")
    return MethodNotAllowed(methods, f"Allowed here: {resource.allow}.")


def _answer_options() -> Response:
    decision: _Decision = flask_request.environ[_DECISION]
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
    return reply_problem(problem, flask_request.environ.get(_REQUEST_ID))


def _on_http_exception(error: HTTPException) -> Any:
    request_id = flask_request.environ.get(_REQUEST_ID)
    if isinstance(error, InternalServerError):
        current_app.logger.error("request %s failed; the traceback is logged beside this line", request_id)
    problem = problem_of(error)
    return reply_problem(problem, request_id) if isinstance(problem, Problem) else problem


def _request_id(environ: Mapping[str, Any]) -> str:
    """Return the caller's `X-Request-ID` where it is harmless in a log, else a new one."""
    sent = environ.get("HTTP_X_REQUEST_ID")
    return sent if sent and _SAFE_ID(sent) else f"{getrandbits(96):024x}"


def _flask_rule(path: str) -> str:
    """Return a path template the way Flask writes rules: `/people/<lname>`, for `request.url_rule`."""
    return path.replace("{", "<").replace("}", ">") or "/"
