"""A service as one object, and what is made of it: the HTTP application, and the worker beside or
apart from it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import MetaData, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException

from chassis import audit, errors, idempotency
from chassis.auth import Authenticator, FetchKeys, fetch_keys_over_http
from chassis.consumer import BatchHandler, Consumer, Handlers
from chassis.crypto import Keyring
from chassis.db import Database, Session, is_outage, now
from chassis.errors import NOT_CAUGHT_UP, FieldError, Problem
from chassis.events import EventData
from chassis.feed import feed_of, feed_router
from chassis.health import Check, database_answers, health_router
from chassis.http import CallFailed, ServiceClient
from chassis.inbox import heard_until, waits_for
from chassis.jobs import JobKind, JobRunner, Payload
from chassis.limits import BodyLimit
from chassis.openapi import PROBLEM_MEDIA_TYPE, describe
from chassis.relay import Relay
from chassis.routing import Router
from chassis.settings import Settings
from chassis.streams import Listeners
from chassis.telemetry import RequestContext, configure_logging, configure_tracing

CATCH_UP_SECONDS = 2.0
CATCH_UP_POLL_SECONDS = 0.03
REVOCATIONS_EVERY_SECONDS = 5.0
RESTART_SECONDS = 1.0
PLAIN_WORD = frozenset("abcdefghijklmnopqrstuvwxyz_0123456789")

log = structlog.get_logger("homeward.app")


@dataclass(frozen=True)
class Service:
    """A service, or the gateway.

    Attributes:
        name: Its role: `cases`.
        title: For people.
        description: What it owns, in a sentence or two.
        routers: Its routes.
        metadata: Its tables, without the chassis'.
        migrations: Folder of its Alembic versions.
        publishes: Models of the events it publishes; empty means no relay and no feed.
        handlers: What it does on events of others.
        batch_handler: Instead of `handlers`: is given every event of `sources`.
        sources: The services whose topics the batch handler reads.
        jobs: Kinds of jobs it can do; called with the settings.
        fetch_keys: How it gets the issuer's keys; over HTTP unless it is the issuer.
        lifespan: What else starts and stops with the application.
        middleware: Wraps the application, outermost last.
        needs: Settings that may be left out elsewhere, and without which it does not start.
        knows_people_from: The service whose events its projection of people is made of; None for
            a service that has no such projection.
        takes_part_in: Tells of whom a stored answer may be told again.
    """

    name: str
    title: str
    description: str
    metadata: MetaData
    migrations: Path
    routers: Sequence[Router] = ()
    publishes: Sequence[type[EventData]] = ()
    handlers: Handlers = field(default_factory=dict)
    batch_handler: BatchHandler | None = None
    sources: Sequence[str] = ()
    jobs: Callable[[Settings], Sequence[JobKind]] = lambda _: ()
    fetch_keys: Callable[[Settings, Database], FetchKeys] | None = None
    lifespan: Callable[[FastAPI], AsyncIterator[None]] | None = None
    middleware: Sequence[Callable[[Any], Any]] = ()
    needs: Sequence[str] = ()
    knows_people_from: str | None = None
    takes_part_in: idempotency.TakesPartIn = idempotency.nobody

    @property
    def consumes(self) -> tuple[str, ...]:
        """The services whose events it reads."""
        return tuple(sorted({model.service for model in self.handlers} | set(self.sources)))


class Homeward:
    """What the routes of an application find at `app.state.homeward`; see
    `chassis.routing.Surroundings`.

    Raises:
        ValueError: A setting is missing without which the service does not start.
    """

    def __init__(self, service: Service, settings: Settings) -> None:
        missing = [
            f"HOMEWARD_{name.upper()}" for name in service.needs if getattr(settings, name) is None
        ]
        if missing:
            raise ValueError(f"{service.name} needs {', '.join(missing)}")
        self.service = service
        self.settings = settings
        self.database = Database.from_settings(settings, f"homeward-{service.name}")
        self.keyring = Keyring.from_settings(settings)
        self.client = ServiceClient(settings)
        fetch = (
            service.fetch_keys(settings, self.database)
            if service.fetch_keys
            else fetch_keys_over_http
        )
        self.authenticator = Authenticator(settings, fetch)
        self.listeners = Listeners(settings.streams_per_client)
        self.takes_part_in = service.takes_part_in
        self.answer_retention = timedelta(hours=settings.idempotency_retention_hours)
        self._hearing = asyncio.Lock()
        self._listened = float("-inf")
        self._heard_until: datetime | None = None

    async def catch_up(self, returnee_id: UUID) -> None:
        """Wait until what this service knows of a person is as new as the request.

        Raises:
            Problem: 503 `not-caught-up`: two seconds were not enough.
        """
        owner = self.service.knows_people_from
        if owner is None:
            return
        async with self.database.transaction() as session:
            asked_at = (await session.execute(select(now()))).scalar_one()
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while time.monotonic() < deadline:
            if not await self._heard_since(owner, asked_at):
                await asyncio.sleep(CATCH_UP_POLL_SECONDS)
                continue
            async with self.database.transaction() as session:
                if not await waits_for(session, owner, returnee_id):
                    return
            await asyncio.sleep(CATCH_UP_POLL_SECONDS)
        raise Problem(NOT_CAUGHT_UP, headers={"Retry-After": "2"})

    async def _heard_since(self, owner: str, moment: datetime) -> bool:
        """Whether all is received that the owner had said by then; the database is asked as often
        as if one waited.
        """
        async with self._hearing:
            if time.monotonic() - self._listened >= CATCH_UP_POLL_SECONDS:
                async with self.database.transaction() as session:
                    self._heard_until = await heard_until(session, owner)
                self._listened = time.monotonic()
            return self._heard_until is not None and self._heard_until >= moment

    async def poll_revocations(self) -> None:
        """Keep the list of revoked clients up to date, for ever."""
        while True:
            try:
                self.authenticator.revocations.replace(
                    (await self.client.get("gateway", "/oauth/revocations"))["clients"]
                )
            except CallFailed as error:
                log.warning("revocations could not be polled", status=error.status)
            except (
                Exception
            ):  # whatever it was: who no longer looks would accept revoked clients for ever
                log.exception("revocations could not be polled")
            await asyncio.sleep(REVOCATIONS_EVERY_SECONDS)

    async def close(self) -> None:
        """Close connections."""
        await self.client.close()
        await self.database.close()


class Worker:
    """What a service does without being asked: sequence and publish, consume, run jobs.

    Args:
        service: The service.
        settings: Of the process.
        database: Its own database.
        client: For calls to other services.
    """

    def __init__(
        self, service: Service, settings: Settings, database: Database, client: ServiceClient
    ) -> None:
        self.service = service
        self._parts: dict[str, Callable[[], Awaitable[None]]] = {}
        if service.publishes:
            self._parts["relay"] = Relay(database, settings, service.name).run
        if service.consumes:
            consumer = Consumer(
                database,
                settings,
                service.name,
                handlers=service.handlers,
                batch_handler=service.batch_handler,
                sources=service.sources,
                feeds={source: feed_of(client, source) for source in service.consumes},
            )
            self._parts["consumer"] = consumer.run
        kinds = [*service.jobs(settings), purge_job()]
        if settings.audit_key is not None:
            kinds.append(audit.seal_job(audit.audit_key(settings.audit_key)))
        self._parts["jobs"] = JobRunner(database, kinds, client).run

    async def run(self) -> None:
        """Work until cancelled; a part that fails is started again and said."""
        async with asyncio.TaskGroup() as group:
            for name, run in self._parts.items():
                group.create_task(self._keep_running(name, run), name=name)

    async def _keep_running(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except Exception as error:
                if is_outage(error):
                    log.warning("worker waits", part=name, error=type(error).__name__)
                else:
                    log.exception("worker part failed; it is started again", part=name)
            await asyncio.sleep(RESTART_SECONDS)


def purge_job() -> JobKind:
    """The periodic job that forgets stored answers that have expired."""

    async def apply(session: Session, _: Payload, __: Any) -> None:
        await idempotency.purge(session)

    return JobKind("idempotency.purge", apply, every=timedelta(minutes=10))


def create_app(service: Service, settings: Settings, *, with_worker: bool = False) -> FastAPI:
    """The HTTP application of a service.

    Args:
        service: The service.
        settings: Of the process.
        with_worker: Whether relay, consumer and jobs run in the same process.
    """
    homeward = Homeward(service, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logging(service.name, settings.log_level)
        configure_tracing(service.name)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(homeward.close)
            tasks = []
            if service.name != "gateway":
                tasks.append(asyncio.create_task(homeward.poll_revocations(), name="revocations"))
            if with_worker:
                worker = Worker(service, settings, homeward.database, homeward.client)
                tasks.append(asyncio.create_task(worker.run(), name="worker"))
            stack.push_async_callback(_stop, tasks)
            if service.lifespan is not None:
                await stack.enter_async_context(asynccontextmanager(service.lifespan)(app))
            yield

    app = FastAPI(
        title=service.title,
        description=service.description,
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry={"metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.homeward = homeward
    app.openapi = lambda: describe(app)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    checks: Mapping[str, Check] = {"database": lambda: database_answers(homeward.database)}
    app.include_router(health_router(checks))
    if service.publishes:
        app.include_router(feed_router(service.name))
    for router in service.routers:
        app.include_router(router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    for error in (DBAPIError, NoConnectionFree, ConnectionError, TimeoutError):
        app.add_exception_handler(error, _database)
    for wrap in service.middleware:
        app.add_middleware(wrap)
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)
    app.add_middleware(RequestContext, service=service.name)
    return app


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


def _answer(request: Request, problem: Problem) -> JSONResponse:
    document = problem.document(getattr(request.state, "request_id", None))
    return JSONResponse(
        document, problem.kind.status, problem.headers, media_type=PROBLEM_MEDIA_TYPE
    )


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _database(request: Request, error: Exception) -> JSONResponse:
    log.error("database failed", exc_info=error)
    kind = errors.BAD_GATEWAY if is_outage(error) else errors.INTERNAL
    headers = {"Retry-After": "2"} if is_outage(error) else None
    return _answer(request, Problem(kind, headers=headers))


HTTP_PROBLEMS = {
    400: errors.BAD_REQUEST,
    404: errors.NOT_FOUND,
    405: errors.METHOD_NOT_ALLOWED,
    408: errors.BODY_TOO_SLOW,
    413: errors.TOO_LARGE,
    415: errors.UNSUPPORTED_MEDIA_TYPE,
}


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = HTTP_PROBLEMS.get(error.status_code, errors.INTERNAL)
    return _answer(request, Problem(kind, headers=dict(error.headers or {})))


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return _answer(request, Problem(errors.BAD_REQUEST, "the body is not JSON"))
    return _answer(request, Problem(errors.INVALID, errors=[field_error(item) for item in found]))


def field_error(item: Mapping[str, Any]) -> FieldError:
    """One of pydantic's errors as where and what, without the value that was sent."""
    place, *path = item["loc"]
    if place == "body":
        if item["type"] == "extra_forbidden" and not set(str(path[-1])) <= PLAIN_WORD:
            path = path[:-1]  # a key that is no field name may be anything, also a person's name
        pointer = "".join(f"/{part}" for part in path)
    else:
        pointer = f"#{place}/" + "/".join(map(str, path))
    known = "code" in (item.get("ctx") or {})
    code = str(item["ctx"]["code"]) if known else item["type"]
    return FieldError(pointer=pointer, code=code, detail=item["msg"].removeprefix("Value error, "))
