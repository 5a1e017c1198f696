"""What every request goes through, in one place: who, may they, one transaction, once, and only
then the answer.

A route declares what it needs with `@requires(...)` or `@public`; one that declares nothing cannot
be imported. The transaction is committed after the response was validated and rendered, and before
it is sent.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Protocol, TypeVar, cast
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError

from chassis import idempotency
from chassis.auth import Authenticator, Caller
from chassis.concurrency import Precondition
from chassis.crypto import Keyring
from chassis.db import LOCK_NOT_AVAILABLE, QUERY_CANCELED, Database, Session, is_conflict, sqlstate
from chassis.errors import (
    BUSY,
    PRECONDITION_REQUIRED,
    TOO_SLOW,
    UNKNOWN_PARAMETER,
    UNSUPPORTED_MEDIA_TYPE,
    FieldError,
    Problem,
)
from chassis.limits import allow, refuse_body
from chassis.telemetry import bind_caller

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
ATTEMPTS = 4

log = structlog.get_logger("homeward.http")

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handle = Callable[[Request], Coroutine[Any, Any, Response]]


class Body(BaseModel):
    """Base of every request body: a field that is not known is refused, never dropped silently."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False, frozen=True)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route needs from its caller.

    Attributes:
        scope: The OAuth scope; None for a public route.
        person: Whether a person must decide.
        if_match: Whether the caller must say which version it has seen.
        query: Whether a POST only asks (so that no name stands in a URL) and needs no
            Idempotency-Key.
        media_types: What the body may be; JSON where nothing is said.
        max_body: Bytes of the body at most, if not as the settings say.
    """

    scope: str | None
    person: bool = False
    if_match: bool = False
    query: bool = False
    media_types: tuple[str, ...] = ("application/json",)
    max_body: int | None = None

    def needs_key(self, methods: set[str]) -> bool:
        """Whether it takes an Idempotency-Key."""
        return "POST" in methods and self.scope is not None and not self.query


def requires(
    scope: str,
    *,
    person: bool = False,
    if_match: bool = False,
    query: bool = False,
    media_types: tuple[str, ...] = ("application/json",),
    max_body: int | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Declare what a route needs; see `Requirement`."""

    def declare(endpoint: Endpoint) -> Endpoint:
        needs = Requirement(str(scope), person, if_match, query, media_types, max_body)
        endpoint.__requirement__ = needs  # type: ignore[attr-defined] # a mark that Route reads
        return endpoint

    return declare


def public(endpoint: Endpoint) -> Endpoint:
    """Declare that anybody may call a route, without a token."""
    endpoint.__requirement__ = Requirement(None)  # type: ignore[attr-defined] # a mark that Route reads
    return endpoint


def public_form(endpoint: Endpoint) -> Endpoint:
    """As `public`, for a route whose body is a form."""
    needs = Requirement(None, media_types=("application/x-www-form-urlencoded",))
    endpoint.__requirement__ = needs  # type: ignore[attr-defined] # a mark that Route reads
    return endpoint


class NotKnownYet(Exception):  # noqa: N818 - it is no error yet: the request waits and is tried again
    """A returnee is not in the projection; perhaps the news is on its way.

    Args:
        returnee_id: Whom was asked for.
    """

    def __init__(self, returnee_id: UUID) -> None:
        super().__init__(returnee_id)
        self.returnee_id = returnee_id


class Surroundings(Protocol):
    """What a route finds around it: `app.state.homeward`, set by `chassis.app`."""

    database: Database
    authenticator: Authenticator
    keyring: Keyring
    answer_retention: timedelta
    takes_part_in: idempotency.TakesPartIn

    async def catch_up(self, returnee_id: UUID) -> None:
        """Wait until the projection has heard all that its source has said until now, and of that
        person applied it.

        Raises:
            Problem: 503 `not-caught-up`.
        """


class Route(APIRoute):
    """A route that does what it declares; see the module."""

    requirement: Requirement

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        requirement = getattr(endpoint, "__requirement__", None)
        if requirement is None:
            raise TypeError(
                f"{endpoint.__module__}.{endpoint.__name__} declares neither @requires nor @public"
            )
        self.requirement = requirement
        super().__init__(path, endpoint, **options)
        self.known_parameters = {
            field.alias
            for field in get_flat_params(self.dependant)
            if isinstance(field.field_info, params.Query)
        }

    def get_route_handler(self) -> Handle:
        """FastAPI's handler, within authentication, the transaction and idempotency."""
        return Pipeline(self, super().get_route_handler())

    def refuse_unknown_parameters(self, request: Request) -> None:
        """A filter that is not understood must never widen a result."""
        unknown = sorted(set(request.query_params) - self.known_parameters)
        if unknown:
            known = ", ".join(sorted(self.known_parameters)) or "none"
            detail = f"known here: {known}"
            raise Problem(
                UNKNOWN_PARAMETER,
                f"{len(unknown)} parameter(s) not known here",
                errors=[FieldError(pointer="#query", code="unknown_parameter", detail=detail)],
            )

    def refuse_media_type(self, request: Request) -> None:
        """Refuse a body that is not of a declared media type."""
        sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        has_body = (
            request.headers.get("content-length", "0") != "0"
            or "transfer-encoding" in request.headers
        )
        if has_body and request.method in WRITES and sent not in self.requirement.media_types:
            raise Problem(
                UNSUPPORTED_MEDIA_TYPE, f"accepted here: {', '.join(self.requirement.media_types)}"
            )


class Pipeline:
    """The handler of one route. Called once a request; nothing of a request is kept in it."""

    def __init__(self, route: Route, inner: Handle) -> None:
        self.route = route
        self.inner = inner
        self.requirement = route.requirement

    async def __call__(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            Problem: Anything refused, here or in the route.
        """
        here = cast("Surroundings", request.app.state.homeward)
        requirement, state = self.requirement, request.state
        state.caller = None
        refuse_body(request)
        if requirement.scope is not None:
            caller = await here.authenticator.authenticate(request)
            bind_caller(caller.client_id, caller.organisation)
            caller.require(requirement.scope)
            if requirement.person:
                caller.require_person()
            state.caller = caller
        self.route.refuse_unknown_parameters(request)
        self.route.refuse_media_type(request)
        allow(request, requirement.max_body)
        state.precondition = Precondition.of(request)
        if requirement.if_match and not state.precondition.given:
            raise Problem(PRECONDITION_REQUIRED)
        attempt = None
        if requirement.needs_key({request.method}) and state.caller is not None:
            attempt = idempotency.attempt_of(request, state.caller, await request.body())
        # All of it is there before a connection of the database is taken: a slow sender holds none.
        await request.body()
        response = await self._until_settled(request, here, attempt)
        if request.method == "GET" and _unchanged(request, response):
            return Response(status_code=304, headers={"ETag": response.headers["etag"]})
        return response

    async def _until_settled(
        self, request: Request, here: Surroundings, attempt: idempotency.Attempt | None
    ) -> Response:
        request.state.caught_up = False
        for number in range(1, ATTEMPTS + 1):
            try:
                return await self._once(request, here, attempt)
            except NotKnownYet as error:
                # Waits without a connection; afterwards the route is run again on what has arrived
                # since.
                await here.catch_up(error.returnee_id)
                request.state.caught_up = True
            except DBAPIError as error:
                if sqlstate(error) == QUERY_CANCELED:
                    log.warning("a statement took too long", route=self.route.path)
                    raise Problem(TOO_SLOW, headers={"Retry-After": "10"}) from None
                if not is_conflict(error) and sqlstate(error) != LOCK_NOT_AVAILABLE:
                    raise
                if number == ATTEMPTS or not is_conflict(error):
                    raise Problem(BUSY, headers={"Retry-After": "1"}) from None
                await asyncio.sleep(random.uniform(0, 0.02 * 2**number))  # noqa: S311 - jitter
        raise Problem(BUSY, headers={"Retry-After": "1"})

    async def _once(
        self, request: Request, here: Surroundings, attempt: idempotency.Attempt | None
    ) -> Response:
        try:
            async with here.database.transaction() as session:
                request.state.session = session
                if attempt is not None:
                    stored = await idempotency.begin(
                        session,
                        request.state.caller,
                        attempt,
                        here.keyring,
                        keep=here.answer_retention,
                        takes_part_in=here.takes_part_in,
                    )
                    if stored is not None:
                        return stored
                response = await self.inner(request)
                if response.status_code >= 400:  # noqa: PLR2004 - HTTP: refused
                    raise _Refused(response)
                if self.requirement.if_match and not request.state.precondition.checked:
                    raise AssertionError(
                        f"{self.route.path} never compared the version that the caller has seen"
                    )
                if attempt is not None:
                    await idempotency.finish(
                        session,
                        request.state.caller,
                        attempt,
                        response,
                        here.keyring,
                        here.takes_part_in,
                    )
                return response
        except _Refused as refused:
            return refused.response


class _Refused(Exception):  # noqa: N818 - it only carries a refusal out of the transaction that it rolls back
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _unchanged(request: Request, response: Response) -> bool:
    seen, current = request.headers.get("if-none-match"), response.headers.get("etag")
    return bool(seen and current and current in [tag.strip() for tag in seen.split(",")])


class Router(APIRouter):
    """An APIRouter whose routes go through `Pipeline`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, **options)


# Coroutines, because FastAPI gives a plain function a thread of its own.
async def _session(request: Request) -> Session:
    return cast("Session", request.state.session)


async def _caller(request: Request) -> Caller:
    return cast("Caller", request.state.caller)


async def _precondition(request: Request) -> Precondition:
    return cast("Precondition", request.state.precondition)


async def _keyring(request: Request) -> Keyring:
    return cast("Surroundings", request.app.state.homeward).keyring


async def _caught_up(request: Request) -> bool:
    return bool(request.state.caught_up)


SessionDep = Annotated[Session, Depends(_session)]
"""The request's session. It is committed after the route, never by it."""
CallerDep = Annotated[Caller, Depends(_caller)]
"""Who calls; only on routes with `@requires`."""
PreconditionDep = Annotated[Precondition, Depends(_precondition)]
"""What the caller has seen; `check(row.version)` on the locked row."""
CaughtUpDep = Annotated[bool, Depends(_caught_up)]
"""Whether the projection was already waited for; pass it to `beneficiaries.require`."""
KeyringDep = Annotated[Keyring, Depends(_keyring)]
"""Encrypts and decrypts what identifies a person."""
