"""Errors as a client of the OpenAI API expects them: a status and one kind of body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from kithnet.app.server.answers import FaultBody
from kithnet.runtime.errors import (
    ConfigError,
    ContextOverflow,
    InputError,
    KithnetError,
    LimitExceeded,
    ModelBusy,
    ModelUnavailable,
    ReplyInvalid,
    UnknownModel,
    UnknownPerson,
    WorldBusy,
)

RETRY_AFTER = "1"
"""Seconds a client should wait before it asks a busy server again."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one sort of error is told: HTTP status, and the body's type and code."""

    status: int
    type: str
    code: str


KINDS: tuple[tuple[type[KithnetError], Kind], ...] = (
    (ContextOverflow, Kind(400, "invalid_request_error", "context_length_exceeded")),
    (UnknownModel, Kind(404, "invalid_request_error", "model_not_found")),
    (UnknownPerson, Kind(404, "invalid_request_error", "person_not_found")),
    (ConfigError, Kind(400, "invalid_request_error", "invalid_value")),
    (InputError, Kind(400, "invalid_request_error", "invalid_request")),
    (ModelBusy, Kind(429, "rate_limit_error", "queue_full")),
    (ModelUnavailable, Kind(503, "service_unavailable_error", "model_unavailable")),
    # Not a 5xx: clients repeat those by themselves, and the same request would fail in the same way.
    (ReplyInvalid, Kind(422, "invalid_reply_error", "reply_invalid")),
    (LimitExceeded, Kind(429, "rate_limit_error", "limit_exceeded")),
    (WorldBusy, Kind(503, "service_unavailable_error", "world_busy")),
    (KithnetError, Kind(500, "server_error", "internal_error")),
)
"""The first that fits counts."""

OLD_ROUTE = "/v1/completions"
INSTEAD_OF_PROMPT = "send messages to /v1/chat/completions (LangChain: ChatOpenAI in place of OpenAI)"
MOST_NAMED = 30
"""Unknown fields that one error names."""
CODES = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed"}


class Refused(Exception):
    """A request that is answered with an error of this server's own making."""

    def __init__(self, status: int, message: str, code: str, param: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class ClientGone(Exception):
    """The client closed the connection; nobody reads an answer."""


def body(message: str, kind: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def told(error: KithnetError | Refused) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """(status, body, headers) of an error."""
    if isinstance(error, Refused):
        return error.status, body(error.message, _type(error.status), error.code, error.param), error.headers
    kind = next(kind for one, kind in KINDS if isinstance(error, one))
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    param = getattr(error, "param", None) or ("messages" if kind.code == "context_length_exceeded" else None)
    headers = {"retry-after": RETRY_AFTER} if kind.status == 429 else {}
    return kind.status, body(message, kind.type, kind.code, param), headers


def _type(status: int) -> str:
    if status in (401, 403):
        return "authentication_error"
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "service_unavailable_error"


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says of its errors. Every route may be refused by the guard (401, 403)."""
    about = {
        400: "The request is wrong; `param` names the field.",
        401: "The bearer token is missing or wrong.",
        403: "The Host header names no loopback address.",
        404: "No such model, person or route.",
        408: "The body did not arrive in time.",
        413: "The body is too large.",
        415: "The body is not application/json.",
        422: "The model's reply does not match its schema, or was cut off inside it.",
        429: "Too many requests at once; Retry-After says when to ask again.",
        500: "A defect or a full disk.",
        503: "The model or the world cannot be used now, or the server is stopping.",
    }
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({401, 403, *statuses}):
        found[status] = {"model": FaultBody, "description": about[status]}
        if status == 429:
            found[status]["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "string"}}}
    return found


def install(app: FastAPI) -> None:
    """Tell every error of `app` in the one form."""
    app.add_exception_handler(KithnetError, _on_ours)
    app.add_exception_handler(Refused, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_wrong_body)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientGone, _on_gone)
    app.add_exception_handler(Exception, _on_defect)


async def _on_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, KithnetError | Refused)
    status, content, headers = told(error)
    return JSONResponse(content, status, headers)


async def _on_wrong_body(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    message, code, param = _first_mistake(error.errors())
    return JSONResponse(body(message, "invalid_request_error", code, param), 400)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path}"
    detail = f"there is no {where}" if error.status_code in (404, 405) else str(error.detail)
    if error.status_code == 404 and request.url.path == OLD_ROUTE:
        detail += f": {INSTEAD_OF_PROMPT}"
    code = CODES.get(error.status_code)
    return JSONResponse(body(detail, _type(error.status_code), code), error.status_code, error.headers)


async def _on_gone(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(body("the client closed the connection", "invalid_request_error", "client_gone"), 499)


async def _on_defect(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(body(f"a defect of the server: {type(error).__name__}", "server_error", "internal_error"), 500)


def _first_mistake(mistakes: Sequence[Any]) -> tuple[str, str, str | None]:
    """(message, code, param) of the mistake that is told: unknown fields, all at once, before all others."""
    unknown = dict.fromkeys(_field(m["loc"][1:]) or "" for m in mistakes if m["type"] == "extra_forbidden")
    if unknown:
        return _unknown(list(unknown)), "unknown_field", next(iter(unknown))
    first = mistakes[0]
    if first["type"] == "json_invalid":
        return f"the body is not JSON: {first['ctx']['error']} at character {first['loc'][-1]}", "invalid_json", None
    param = _field(first["loc"][1:])
    code = "unsupported" if first["type"] == "unsupported" else "invalid_value"
    return f"{param or 'the body'}: {first['msg']}", code, param


def _unknown(names: Sequence[str]) -> str:
    shown, more = ", ".join(names[:MOST_NAMED]), len(names) - MOST_NAMED
    return f"unknown field{'s' if len(names) > 1 else ''}: {shown}{f' and {more} more' if more > 0 else ''}"


ROLES = frozenset("system developer user assistant tool".split())
FORMATS = frozenset("text json_object json_schema".split())
SCALARS = frozenset("str int float bool none".split())


def _field(steps: Sequence[int | str]) -> str | None:
    """The dotted name of a field; steps that name the chosen member of a union are left out."""
    kept: list[str] = []
    before: int | str = ""
    for step in steps:
        tag = isinstance(step, str) and (
            (isinstance(before, int) and step in ROLES)
            or (before == "response_format" and step in FORMATS)
            or step in SCALARS
            or "[" in step
            or step[:1].isupper()
        )
        if not tag:
            kept.append(str(step))
        before = step
    return ".".join(kept) or None
