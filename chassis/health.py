"""`/health/live`, `/health/ready` and `/metrics`: for whoever keeps the processes running, without
a token.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chassis.db import Database
from chassis.errors import NOT_FOUND, Problem
from chassis.routing import Router, public

FORWARDED = frozenset({"x-forwarded-for", "forwarded"})
"""What a proxy adds to a request that it passes on."""

Check = Callable[[], Awaitable[bool]]


class Readiness(BaseModel):
    """Whether the process can work, and what it waits for."""

    ready: bool
    checks: dict[str, bool]


async def database_answers(database: Database) -> bool:
    """Whether the database answers."""
    try:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError, TimeoutError):
        return False
    return True


def health_router(checks: Mapping[str, Check]) -> Router:
    """The routes, for a process with these checks."""
    router = Router(include_in_schema=False)

    @router.get("/health/live")
    @public
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", response_model=Readiness)
    @public
    async def ready(response: Response) -> Any:
        results = {name: await check() for name, check in checks.items()}
        if not all(results.values()):
            response.status_code = 503
        return Readiness(ready=all(results.values()), checks=results)

    @router.get("/metrics")
    @public
    async def metrics(request: Request) -> Response:
        if not FORWARDED.isdisjoint(request.headers.keys()):
            raise Problem(
                NOT_FOUND
            )  # it came through the public door, and is for who stands beside the processes
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
