"""Logs, traces and metrics: what happened, never to whom."""

import logging
import os
import sys
import time
import traceback
from collections.abc import MutableMapping
from typing import Any
from uuid import UUID

import structlog
from opentelemetry import propagate, trace
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import INTERNAL, Problem
from chassis.ids import new_id

REQUEST_ID_HEADER = "Homeward-Request-Id"

REQUESTS = Counter(
    "homeward_http_requests_total", "Requests answered", ["service", "method", "route", "status"]
)
DURATION = Histogram(
    "homeward_http_request_seconds",
    "Time to the last byte of an answer",
    ["service", "method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

log = structlog.get_logger("homeward.http")


def _trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
        event["span_id"] = format(context.span_id, "016x")
    return event


def _where_not_what(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its type and frames: its message may hold what somebody typed."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
        code = getattr(getattr(error, "orig", error), "sqlstate", None)
        if code:
            event["sqlstate"] = code
        event["frames"] = _frames(error)
    return event


def _frames(error: BaseException) -> list[str]:
    """Our own frames of a traceback and the last two of whatever they called, as file and line."""
    stack = traceback.extract_tb(error.__traceback__)
    ours = [
        frame
        for frame in stack[:-2]
        if "site-packages" not in frame.filename and "/lib/python" not in frame.filename
    ]
    return [
        f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno}"
        for frame in [*ours[-10:], *stack[-2:]]
    ]


class _Foreign(logging.Handler):
    """Takes the standard library's log records: where and, if it is static, the text; never the
    arguments.
    """

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(record.name)
        level = min(record.levelno, logging.WARNING) if _tries_again(record) else record.levelno
        method = getattr(logger, logging.getLevelName(level).lower(), logger.warning)
        place = f"{record.module}:{record.lineno}"
        template = (
            str(record.msg) if record.args else None
        )  # without arguments it may have been filled in before
        method(
            "said by a library",
            library=record.name,
            place=place,
            text=template,
            exc_info=record.exc_info or None,
        )


def _tries_again(record: logging.LogRecord) -> bool:
    """Whether a library does by itself what is to be done about what it logs.

    An error in the log is something that a person must act on. A connection to the broker that was
    closed is opened again; an outage that lasts is an alarm on how far a consumer is behind.
    """
    return record.name.partition(".")[0] == "aiokafka"


def configure_logging(service: str, level: str = "INFO") -> None:
    """JSON lines on standard output, each with service, request id and trace id."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _trace_ids,
            _where_not_what,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(
        handlers=[_Foreign()],
        level=max(logging.WARNING, logging.getLevelNamesMapping()[level]),
        force=True,
    )


def configure_tracing(service: str) -> None:
    """Trace ids for every request; spans are exported where `OTEL_EXPORTER_OTLP_ENDPOINT` says, if
    it says.
    """
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return  # several applications in one process share it
    provider = TracerProvider(resource=Resource.create({"service.name": f"homeward-{service}"}))
    if os.environ.get(OTEL_EXPORTER_OTLP_ENDPOINT) or os.environ.get(
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
    ):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - 4 MB a process
            OTLPSpanExporter,
        )

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def current_traceparent() -> str | None:
    """The W3C traceparent of what is going on, to be sent along with an event or a call."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


def bind_caller(client_id: str, organisation: str) -> None:
    """Name the caller in every further log line of the request."""
    structlog.contextvars.bind_contextvars(client_id=client_id, organisation=organisation)


SAFE_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Of every answer that does not say otherwise: what tells of a person is kept by nobody on the way,
and is what it says it is.
"""
HSTS = "max-age=31536000; includeSubDomains"


class RequestContext:
    """ASGI middleware: request id, safe headers, one log line and one metric a request, and a
    problem for what nobody caught.
    """

    def __init__(self, app: ASGIApp, service: str) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(service=self.service, request_id=request_id)
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("request failed", route=_route(scope), method=scope["method"])
            if status:
                raise
            problem = Problem(INTERNAL)
            body = JSONResponse(
                problem.document(request_id), 500, media_type="application/problem+json"
            )
            await body(scope, receive, send_with_id)
        finally:
            elapsed = time.perf_counter() - started
            route = _route(scope)
            if route not in {"/health/live", "/health/ready", "/metrics"}:
                REQUESTS.labels(self.service, scope["method"], route, str(status)).inc()
                DURATION.labels(self.service, scope["method"], route).observe(elapsed)
                log.info(
                    "request",
                    method=scope["method"],
                    route=route,
                    status=status,
                    ms=round(elapsed * 1000, 1),
                )


def _request_id(scope: Scope) -> str:
    """The caller's request id if it is a UUID (anything else could be a name), else a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER.lower().encode():
            try:
                return str(UUID(value.decode("latin-1")))
            except ValueError:
                break
    return str(new_id())


def _route(scope: Scope) -> str:
    """The route's template: never the path, which a caller may have filled with anything."""
    return str(getattr(scope.get("route"), "path", "(none)"))
